/*
 * executor.c -- the background worker that carries one owner's enrollments.
 *
 * Started by the coordinator, one per owner that has work.  It is authenticated
 * as that owner for its whole life, so everything its user code can reach by
 * SET ROLE, deferred triggers or session_user is the owner himself.  It runs
 * batches while there is work, then sleeps on its latch until a committing
 * session wakes it or a timer is due.
 *
 * It holds the owner's seat lock (seat.h) whenever a batch runs, and a seat on
 * the shared board, by which others find its latch.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/wait_event.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "activity.h"
#include "blame.h"
#include "board.h"
#include "clock.h"
#include "compat.h"
#include "engine.h"
#include "executor.h"
#include "seat.h"
#include "settings.h"
#include "store.h"
#include "watchdog.h"

#define SLEEP_MAX_MS 10000				/* it looks around this often unasked */
#define BLOCKED_DELAY_MS 100			/* somebody's DDL holds our rows */
#define TROUBLE_DELAY_MS 1000			/* after an error outside any item */

/* SIGTERM: where user SQL runs the transaction is given up, elsewhere the loop
 * ends.  SQL that sends it to its own process is to blame for its end. */
static void
handle_sigterm(int signal, siginfo_t *info, void *context)
{
	int			save_errno = errno;

	ShutdownRequestPending = true;
	if (wf_watchdog_running())
	{
		if (info->si_pid == MyProcPid)
			wf_watchdog_blame();
		ProcDiePending = true;
		InterruptPending = true;
	}
	SetLatch(MyLatch);
	errno = save_errno;
}

/* By sigaction(), for pqsignal() does not tell who sent the signal. */
static void
catch_sigterm(void)
{
	struct sigaction action;

	action.sa_sigaction = handle_sigterm;
	sigemptyset(&action.sa_mask);
	action.sa_flags = SA_RESTART | SA_SIGINFO;
	sigaction(SIGTERM, &action, NULL);
}

/* Settings user SQL must find, and those that protect users from the worker. */
static void
set_session(void)
{
	wf_settings_harden();
	SetConfigOption("deadlock_timeout", "10ms", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("synchronous_commit", wf_synchronous_commit ? "on" : "off", PGC_SUSET, PGC_S_OVERRIDE);
}

static void
connect_as_owner(const ExecutorArguments *arguments)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	catch_sigterm();
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(arguments->database, arguments->role,
											  WF_COMPAT_NOLOGIN_FLAG);
	set_session();
}

/* Takes the seat lock unless it is held; false: somebody else works for him. */
static bool
hold_seat(Engine *engine)
{
	bool		got = true;

	StartTransactionCommand();
	if (!wf_store_present())
		got = false;
	else if (!wf_seat_held(engine->owner))
	{
		got = wf_seat_lock(engine->owner, false);
		wf_engine_forget(engine);
	}
	CommitTransactionCommand();
	return got;
}

/* Items a dead predecessor stood in run alone, or not at all. */
static void
load_suspects(Engine *engine)
{
	ListCell   *lc;

	foreach(lc, wf_blame_suspects())
	{
		Suspect    *suspect = lfirst(lc);

		wf_engine_suspect(engine, suspect->kind - 'a', suspect->id,
						  suspect->deaths);
	}
}

/* Milliseconds until something is due, at most SLEEP_MAX_MS. */
static long
time_to_sleep(Engine *engine)
{
	TimestampTz next;
	TimestampTz now;
	int64		ms;

	StartTransactionCommand();
	next = wf_engine_next(engine);
	now = wf_clock_now();
	CommitTransactionCommand();
	MemoryContextSwitchTo(engine->context);
	ms = next == 0 ? SLEEP_MAX_MS : (next - now + 999) / 1000;
	ms = Min(ms, (int64) wf_executor_idle + 1);
	return Max(0, Min(ms, SLEEP_MAX_MS));
}

static void
sleep_until_due(Engine *engine)
{
	long		ms = time_to_sleep(engine);

	if (ms == 0)
		return;
	wf_board_set_drained(engine->drained);
	wf_board_set_idle(true);
	pgstat_report_stat(false);
	wf_activity(false, "automation: waits for changes and timers");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, wf_compat_wait_event("AutomationExecutor"));
	wf_board_set_idle(false);
}

/* Has there been nothing to do for automation.executor_idle? */
static bool
idle_too_long(BatchResult result)
{
	static TimestampTz since = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (result != BATCH_IDLE)
		since = 0;
	else if (since == 0)
		since = now;
	return since != 0 && now - since > (int64) wf_executor_idle * 1000;
}

/* One turn; false when it is time to go. */
static bool
turn(Engine *engine)
{
	BatchResult result;

	ResetLatch(MyLatch);
	(void) wf_board_take_pending();
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		set_session();
	}
	if (!hold_seat(engine))
		return false;
	wf_activity(true, "automation: looks for changes and timers");
	result = wf_batch(engine);
	if (result == BATCH_STOP || wf_board_asked_to_leave() || idle_too_long(result))
		return false;
	if (result == BATCH_BLOCKED)
		(void) WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, BLOCKED_DELAY_MS,
						 wf_compat_wait_event("AutomationExecutor"));
	if (result == BATCH_IDLE)
		sleep_until_due(engine);
	return true;
}

/* An error that no item is to blame for: waits a moment and starts afresh. */
static void
recover(Engine *engine)
{
	MemoryContextSwitchTo(engine->context);
	EmitErrorReport();
	AbortCurrentTransaction();
	FlushErrorState();
	wf_engine_forget(engine);
	(void) WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, TROUBLE_DELAY_MS, wf_compat_wait_event("AutomationExecutor"));
}

static void
main_loop(Engine *engine)
{
	volatile bool go_on = true;

	while (go_on && !ShutdownRequestPending)
	{
		PG_TRY();
		{
			go_on = turn(engine);
		}
		PG_CATCH();
		{
			recover(engine);
		}
		PG_END_TRY();
	}
}

/* Entry point of the worker. */
void
wf_executor_main(Datum arg)
{
	ExecutorArguments arguments;
	Engine	   *engine;

	memcpy(&arguments, MyBgworkerEntry->bgw_extra, sizeof(arguments));
	if (!OidIsValid(arguments.role))	/* would connect as the bootstrap superuser */
		proc_exit(0);
	connect_as_owner(&arguments);
	if (!wf_board_take_seat(arguments.owner))
		proc_exit(0);
	wf_activity_name();
	wf_activity(true, "automation: starts");
	StartTransactionCommand();
	if (!wf_store_present())
		proc_exit(0);
	CommitTransactionCommand();
	engine = wf_engine_create(TopMemoryContext, arguments.owner, false);
	MemoryContextSwitchTo(engine->context);
	if (hold_seat(engine))
	{
		wf_blame_attach(engine->owner);
		load_suspects(engine);
		main_loop(engine);
	}
	wf_blame_detach();

	/*
	 * The lock goes first, then the seat, and the coordinator is woken.  What
	 * was committed while the seat was still taken is found by whoever comes
	 * next, since every start reads everything.
	 */
	proc_exit(0);
}
