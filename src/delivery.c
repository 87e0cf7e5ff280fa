/*
 * delivery.c -- the delivery worker: one process per database that sends what the
 * outbox holds.  And the same in the foreground: CALL automation.deliver().
 *
 * Started by the coordinator while there is something to send; connected as the
 * bootstrap superuser, so it runs no user code and reads no user text as code: it
 * calls C functions of the other rooms, and constant SQL for what is rare.  It works
 * in turns of two transactions (delivery_turn.c) and between them sleeps on one set
 * of descriptors: its latch, the postmaster's death, and the transport's descriptor,
 * behind which are all connections.  No transaction is open while it sleeps.
 *
 * It holds a lock like an owner's seat (seat.h), and a place on the board by which
 * others find its latch.  What is marked as on its way when it starts is a dead
 * process's.  The core drops the lock with a transaction that fails: if somebody else
 * got it meanwhile, this process ends, and its connections with it.
 *
 * Whom it meets on a lock, it gives way to: the turn is dropped and tried again.  Any
 * other error is written to the log, and the turn done again, message by message.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "activity.h"
#include "board.h"
#include "clock.h"
#include "compat.h"
#include "delivery_turn.h"
#include "register.h"
#include "seat.h"
#include "settings.h"
#include "store.h"
#include "timer.h"

#define LONGEST_SLEEP_MS 10000
#define TROUBLE_DELAY_MS 1000			/* after an error, or a lock that was not to be had in time */
#define BLOCKED_DELAY_MS 100
#define LOCK_TIMEOUT_TEXT "500ms"
#define ADOPTED_TOGETHER 500
#define HURRY_MS 1000					/* the database is wanted alone: no longer than that for transfers */
#define POLL_MS 10
#define LOOK_AGAIN_MS 200

PG_FUNCTION_INFO_V1(wf_deliver);
extern PGDLLEXPORT Datum wf_deliver(PG_FUNCTION_ARGS);

static bool wake_at_commit = false;
static volatile sig_atomic_t connected = false;

/* ----------------------------------------------------------------
 * Waking whoever delivers
 * ----------------------------------------------------------------
 */

static void
transaction_ended(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT && wake_at_commit)
		wf_board_wake_delivery();
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		wake_at_commit = false;
}

void
wf_delivery_wake_at_commit(void)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(transaction_ended, NULL);
	registered = true;
	wake_at_commit = true;
}

/* ----------------------------------------------------------------
 * Transactions
 * ----------------------------------------------------------------
 */

/* In the foreground the procedure is in one already. */
static void
begin(Delivery *d)
{
	if (!d->foreground)
	{
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
	}
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(d->turn_context);
}

static void
end(Delivery *d)
{
	PopActiveSnapshot();
	if (d->foreground)
		SPI_commit();
	else
		CommitTransactionCommand();
	MemoryContextSwitchTo(d->turn_context);
}

/* ----------------------------------------------------------------
 * Turns
 * ----------------------------------------------------------------
 */

typedef enum
{
	TURN_DONE,
	TURN_BLOCKED,						/* somebody's DDL holds our tables */
	TURN_LEAVE							/* the extension is gone, or somebody else delivers */
} TurnResult;

/* In a transaction: is everything there, and is it ours to do? */
static TurnResult
check_place(Delivery *d)
{
	bool		gone = false;

	if (!wf_store_hold(&gone))
		return gone ? TURN_LEAVE : TURN_BLOCKED;
	if (!wf_seat_held(SEAT_DELIVERY))
	{
		if (!wf_seat_lock(SEAT_DELIVERY, false))
			return TURN_LEAVE;
		d->adopted = false;
		wf_queue_forget(d->queue);
	}
	return TURN_DONE;
}

/* What processes left that are dead now. */
static TurnResult
adopt_orphans(Delivery *d)
{
	TurnResult	result;
	bool		more;

	do
	{
		begin(d);
		result = check_place(d);
		more = result == TURN_DONE && wf_delivery_adopt(d, ADOPTED_TOGETHER);
		end(d);
		if (result == TURN_DONE && !more)
			d->adopted = true;
		MemoryContextReset(d->turn_context);
		CHECK_FOR_INTERRUPTS();
	} while (more);
	return result;
}

static TurnResult
record(Delivery *d, bool claim)
{
	TurnResult	result;

	begin(d);
	result = check_place(d);
	if (result == TURN_DONE && !d->adopted)
	{
		end(d);
		result = adopt_orphans(d);
		begin(d);
	}
	if (result == TURN_DONE)
		wf_delivery_record(d, claim);
	end(d);
	if (result == TURN_DONE)
		wf_delivery_recorded(d);
	return result;
}

static void
let_begin(Delivery *d, bool send)
{
	while (wf_delivery_can_begin(d, send))
	{
		List	   *prepared;

		begin(d);
		prepared = wf_delivery_prepare(d, send);
		end(d);
		wf_delivery_begin(d, prepared);
		MemoryContextReset(d->turn_context);
	}
}

/* Did everything leave that was due and may? */
static bool
is_quiet(const Delivery *d)
{
	return wf_delivery_flights(d) == 0 && d->results == NIL && d->opening == NIL && !d->dropped && !d->waits;
}

/* A turn; send: new messages may leave.  Its first part is left out while there is something to
 * begin without it: many are written down at once. */
static TurnResult
turn(Delivery *d, bool send)
{
	TurnResult	result = TURN_DONE;

	wf_activity(true, "automation: records and claims messages");
	if (!send || wf_delivery_record_after(d) == 0)
		result = record(d, send);
	MemoryContextReset(d->turn_context);
	if (result == TURN_DONE)
		let_begin(d, send);
	if (result == TURN_DONE && is_quiet(d))
		wf_board_set_delivered(d->now);
	wf_activity(false, wf_delivery_flights(d) > 0 ? "automation: messages are on their way" :
				"automation: waits for messages");
	return result;
}

/* ----------------------------------------------------------------
 * Sleeping
 * ----------------------------------------------------------------
 */

static WaitEventSet *
make_set(void)
{
	WaitEventSet *set = wf_compat_create_wait_event_set(TopMemoryContext, 3);

	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	if (wf_transport_descriptor() >= 0)
		AddWaitEventToSet(set, WL_SOCKET_READABLE, wf_transport_descriptor(), NULL, NULL);
	return set;
}

/* Milliseconds until a message is due, or has room. */
static long
time_to_due(const Delivery *d)
{
	TimestampTz now = GetCurrentTimestamp() + wf_clock_shift();

	if (d->results != NIL || !dlist_is_empty(unconstify(dlist_head *, &d->fresh)) || d->opening != NIL || d->dropped)
		return wf_delivery_record_after(d);
	if (d->obstacle || d->wake_at >= now + LONGEST_SLEEP_MS * INT64CONST(1000))
		return LONGEST_SLEEP_MS;
	return d->wake_at <= now ? 0 : (long) ((d->wake_at - now + 999) / 1000);
}

/*
 * Sleeps and lets the transport work.  True: there is something for a turn, that is,
 * transfers have ended, somebody has set the latch, or it is time.
 */
static bool
sleep_and_work(Delivery *d, WaitEventSet *set, long ms)
{
	WaitEvent	events[3];
	long		transport = wf_transport_timeout();
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);
	bool		woken = false;
	int			n;

	n = WaitEventSetWait(set, transport >= 0 ? Min(ms, transport) : ms, events, lengthof(events),
						 wf_compat_wait_event("AutomationDelivery"));
	for (int i = 0; i < n; i++)
		woken = woken || (events[i].events & WL_LATCH_SET) != 0;
	if (woken)
	{
		ResetLatch(MyLatch);
		(void) wf_board_delivery_pending();
		d->woken = true;
	}
	CHECK_FOR_INTERRUPTS();
	wf_delivery_collect(d);
	return woken || d->results != NIL || GetCurrentTimestamp() >= until;
}

/* ----------------------------------------------------------------
 * The worker
 * ----------------------------------------------------------------
 */

/* Transactions are short and wait for no lock for long: an orderly end can wait for
 * theirs.  Only connecting is ended as the core ends it. */
static void
handle_sigterm(SIGNAL_ARGS)
{
	int			save_errno = errno;

	ShutdownRequestPending = true;
	if (!connected)
	{
		InterruptPending = true;
		ProcDiePending = true;
	}
	SetLatch(MyLatch);
	errno = save_errno;
}

static void
set_session(void)
{
	wf_settings_harden();
	SetConfigOption("lock_timeout", LOCK_TIMEOUT_TEXT, PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("deadlock_timeout", "10ms", PGC_SUSET, PGC_S_OVERRIDE);
	/* what is written down of the past may be lost with a crash and done again; claims are
	 * flushed whatever this says */
	if (synchronous_commit == SYNCHRONOUS_COMMIT_OFF)
		SetConfigOption("synchronous_commit", "on", PGC_SUSET, PGC_S_OVERRIDE);
}

static void
connect_worker(Oid database)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, handle_sigterm);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	connected = true;
	set_session();
	wf_activity_name();
	if (!wf_board_delivery_enter())
		proc_exit(0);
}

static void
read_settings(void)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	set_session();
}

static void
pause_a_moment(long ms)
{
	(void) WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, wf_compat_wait_event("AutomationDelivery"));
}

/* The turn is dropped; what was on its way still is. */
static void
recover(Delivery *d)
{
	int			code = geterrcode();

	MemoryContextSwitchTo(d->turn_context);
	if (code != ERRCODE_LOCK_NOT_AVAILABLE && code != ERRCODE_T_R_DEADLOCK_DETECTED)
		EmitErrorReport();
	AbortCurrentTransaction();
	FlushErrorState();
	wf_delivery_rolled_back(d);
	MemoryContextSwitchTo(d->context);
	MemoryContextReset(d->turn_context);
	pause_a_moment(TROUBLE_DELAY_MS);
}

/* A turn that raises nothing; an error counts as done, with what there is left to do. */
static TurnResult
safe_turn(Delivery *d, bool send)
{
	volatile TurnResult result = TURN_BLOCKED;

	PG_TRY();
	{
		result = turn(d, send);
		if (result == TURN_BLOCKED)
			pause_a_moment(BLOCKED_DELAY_MS);
	}
	PG_CATCH();
	{
		recover(d);
	}
	PG_END_TRY();
	return result;
}

/* Has there been nothing for automation.executor_idle? */
static bool
idle_too_long(const Delivery *d)
{
	static TimestampTz since = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (!is_quiet(d) || d->wake_at != DT_NOEND)
		since = 0;
	else if (since == 0)
		since = now;
	return since != 0 && now - since > (int64) wf_executor_idle * 1000;
}

/* Sleeps until there is something for a turn.  Who was woken because a clock or a server
 * has changed may have looked before he could hear of that: he looks once more. */
static void
sleep_until_due(Delivery *d, WaitEventSet *set, long most)
{
	while (!ShutdownRequestPending && !sleep_and_work(d, set, Min(most, time_to_due(d))))
		;
}

static void
main_loop(Delivery *d, WaitEventSet *set)
{
	while (!ShutdownRequestPending)
	{
		TurnResult	result = safe_turn(d, true);
		bool		again = d->woken;

		if (result == TURN_LEAVE || idle_too_long(d))
			return;
		d->woken = false;
		pgstat_report_stat(false);
		sleep_until_due(d, set, again || result == TURN_BLOCKED ? LOOK_AGAIN_MS : LONGEST_SLEEP_MS);
		read_settings();
	}
}

/* Asked to go: what is on its way may end, but nothing begins. */
static void
wind_up(Delivery *d, WaitEventSet *set)
{
	TimestampTz began = GetCurrentTimestamp();

	for (;;)
	{
		int			patience = wf_board_delivery_in_the_way() ? Min(HURRY_MS, wf_shutdown_wait) : wf_shutdown_wait;
		TimestampTz until = TimestampTzPlusMilliseconds(began, patience);
		TurnResult	result;

		wf_delivery_collect(d);
		result = safe_turn(d, false);
		if (result == TURN_LEAVE || wf_delivery_flights(d) == 0 || GetCurrentTimestamp() >= until)
			return;
		(void) sleep_and_work(d, set, Max(1, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until)));
	}
}

/* Entry point of the background worker. */
void
wf_delivery_main(Datum database)
{
	Delivery   *d;
	WaitEventSet *set;

	connect_worker(DatumGetObjectId(database));
	wf_transport_init();
	d = wf_delivery_create(TopMemoryContext, false);
	MemoryContextSwitchTo(d->context);
	set = make_set();
	main_loop(d, set);
	if (ShutdownRequestPending)
		wind_up(d, set);
	wf_transport_shutdown();
	FreeWaitEventSet(set);
	wf_board_delivery_leave();
	proc_exit(0);
}

/* ----------------------------------------------------------------
 * In the foreground
 * ----------------------------------------------------------------
 */

static void
check_caller(FunctionCallInfo fcinfo)
{
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("CALL automation.deliver() cannot run inside a transaction block")));
	if (!superuser() || GetUserId() != GetSessionUserId())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for automation.deliver()"),
				 errhint("It sends everybody's messages: a superuser calls it, in a session of his own.")));
	if (!wf_engine_armed())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the engine is disarmed"),
				 errhint("A superuser starts it with CALL automation.arm().")));
}

/* Takes the place, or waits until whoever has it has sent what is due now.  False:
 * there is nothing left to do. */
static bool
take_place(void)
{
	TimestampTz upto = wf_clock_now();
	TimestampTz delivered;

	for (;;)
	{
		if (wf_board_delivered(&delivered))
		{
			if (delivered >= upto)
				return false;
			wf_board_wake_delivery();
		}
		else if (wf_board_delivery_enter())
			return true;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, POLL_MS,
						 wf_compat_wait_event("AutomationDelivery"));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Until nothing is due or on its way. */
static void
deliver_here(Delivery *d, WaitEventSet *set)
{
	for (;;)
	{
		TurnResult	result = turn(d, true);
		long		ms = result == TURN_BLOCKED ? POLL_MS : time_to_due(d);

		if (result == TURN_LEAVE)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("another process delivers the messages of this database")));
		if (result == TURN_DONE && (d->obstacle ? wf_delivery_flights(d) == 0 : is_quiet(d)))
			return;
		if (result == TURN_BLOCKED)
			pause_a_moment(POLL_MS);
		while (!sleep_and_work(d, set, ms))
			ms = time_to_due(d);
	}
}

/* CALL automation.deliver() */
Datum
wf_deliver(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	Delivery   *d;
	WaitEventSet *set;

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	check_caller(fcinfo);
	SPI_commit();
	if (!take_place())
	{
		SPI_finish();
		PG_RETURN_VOID();
	}
	context = AllocSetContextCreate(PortalContext, "automation deliver", ALLOCSET_DEFAULT_SIZES);
	d = wf_delivery_create(context, true);
	MemoryContextSwitchTo(d->context);
	wf_transport_init();
	set = make_set();
	PG_TRY();
	{
		deliver_here(d, set);
		if (wf_seat_held(SEAT_DELIVERY))
			wf_seat_unlock(SEAT_DELIVERY);
	}
	PG_FINALLY();
	{
		wf_transport_shutdown();
		FreeWaitEventSet(set);
		wf_board_delivery_leave();
	}
	PG_END_TRY();
	MemoryContextDelete(context);
	SPI_finish();
	PG_RETURN_VOID();
}
