/*
 * coordinator.c -- one process per database: starts and stops executors, starts
 * the delivery worker, rotates the event log, keeps the engine's tables in line.
 *
 * Connected as the bootstrap superuser, so it runs no user code and reads no
 * user text: it calls C functions of the other rooms and no SQL.  It works in
 * turns.  A turn is one short transaction that finds owners with work but
 * without an executor, and two or three more for rotation when that is due; an
 * idle one writes nothing.  Between turns it sleeps on its latch, ten seconds
 * at most, or until a timer of an owner without executor comes near.
 *
 * Whom it meets on a lock, it gives way to: the turn is dropped and tried again
 * a second later.  Any other error ends the process; the launcher starts the
 * next one after a pause.  Executors outlive it.
 *
 * Memory: the owners' states and the reader for ever; the rest is freed after
 * each turn.
 */
#include "postgres.h"

#include <signal.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "activity.h"
#include "board.h"
#include "clock.h"
#include "commands.h"
#include "compat.h"
#include "coordinator.h"
#include "delivery.h"
#include "event.h"
#include "executor.h"
#include "history.h"
#include "job.h"
#include "launcher.h"
#include "owner.h"
#include "parked.h"
#include "register.h"
#include "schedule.h"
#include "settings.h"
#include "stat.h"
#include "store.h"
#include "timer.h"

#define SECOND INT64CONST(1000000)	/* microseconds */
#define LONGEST_SLEEP (10 * SECOND)
#define YIELD (1 * SECOND)		/* pause after a lock was not to be had, and while a seat is awaited */
#define LOCK_TIMEOUT_TEXT "500ms"
#define START_AHEAD (1 * SECOND)	/* before a timer is due */
#define ROTATE_EVERY (1 * SECOND)
#define RECYCLE_EVERY (600 * SECOND)
#define SCHEDULES_EVERY (60 * SECOND)
#define SCHEDULE_PATIENCE (120 * SECOND)	/* so late is pg_cron at most */
#define PATIENCE (5 * SECOND)	/* then a busy executor must make room, too */
#define SHORT_LIFE (5 * SECOND)	/* an executor that ends sooner has failed */
#define LONGEST_PAUSE 5		/* seconds before a failed executor is started again */
#define MAX_ROTATIONS 8			/* small steps per turn */
#define MAX_REMOVALS 20

/* What the coordinator knows of an owner. */
typedef struct OwnerState
{
	int			id;				/* hash key: automation.owner.id */
	bool		listed;			/* in this turn */
	bool		seated;
	bool		was_seated;		/* in the turn before */
	bool		work;			/* has events that no executor has seen */
	BackgroundWorkerHandle *handle; /* started, and not seen to end */
	TimestampTz started;		/* server's clock */
	TimestampTz not_before;		/* of the next start */
	TimestampTz waits_since;	/* for a free seat; 0 = does not */
	int			failures;		/* in a row */
	bool		asked;			/* to leave: a short life is no failure */
	bool		sat;			/* since it was started: it could connect */
	bool		checked;		/* obstacle is known */
	const char *obstacle;		/* NULL = none */
} OwnerState;

/* The delivery worker. */
static struct
{
	BackgroundWorkerHandle *handle;		/* started, and not seen to end */
	TimestampTz started;				/* server's clock, as the next one */
	TimestampTz not_before;
	int			failures;				/* in a row */
}			delivery = {0};

static HTAB *owners = NULL;
static EventReader *reader = NULL;
static MemoryContext turn_context = NULL;
static TimestampTz wake_at;		/* server's clock: end of the next sleep */
static TimestampTz next_rotation = 0;
static TimestampTz next_schedules = 0;
static TimestampTz next_recycling = 0;
static bool disarmed_reported = false;
static bool no_worker_reported = false;
static bool gone = false;		/* the extension was dropped */
static volatile sig_atomic_t in_transaction = false;
static volatile sig_atomic_t connected = false;

/* ----------------------------------------------------------------
 * Start and end
 * ----------------------------------------------------------------
 */

/*
 * Between turns an orderly end.  Inside one, a lock wait must end as well, by
 * an error that we catch: who is asked to go, goes without a word in the log.
 * Only connecting is ended as the core ends it.
 */
static void
handle_sigterm(SIGNAL_ARGS)
{
	int			save_errno = errno;

	ShutdownRequestPending = true;
	wf_board_coordinator_verdict(COORDINATOR_STOPPED);
	if (in_transaction)
	{
		InterruptPending = true;
		if (connected)
			QueryCancelPending = true;
		else
			ProcDiePending = true;
	}
	SetLatch(MyLatch);
	errno = save_errno;
}

static void
begin(void)
{
	in_transaction = true;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
}

/* A cancel that came too late to end the transaction has nothing left to end. */
static void
transaction_is_over(void)
{
	in_transaction = false;
	QueryCancelPending = false;
}

static void
end(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	transaction_is_over();
	pgstat_report_stat(false);
	wf_activity(false, "automation: waits for owners with work");
}

static void
leave(CoordinatorState why)
{
	wf_board_coordinator_verdict(why);
	wf_board_coordinator_leave();
	proc_exit(0);
}

static void
connect_coordinator(Oid database)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, handle_sigterm);
	BackgroundWorkerUnblockSignals();
	in_transaction = true;		/* connecting is one */
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	connected = true;
	wf_settings_harden();
	transaction_is_over();
	SetConfigOption("lock_timeout", LOCK_TIMEOUT_TEXT, PGC_SUSET, PGC_S_OVERRIDE);
	wf_activity_name();
	if (!wf_board_coordinator_enter())
		proc_exit(0);
}

/* Number the tables' layout had when the script made them; 0 = unreadable. */
static int
stored_abi(void)
{
	Relation	rel = wf_store_open("engine", AccessShareLock);
	SysScanDesc scan = wf_store_scan(rel, NULL, wf_store_snapshot(), 0, NULL);
	HeapTuple	tuple = systable_getnext(scan);
	bool		isnull = true;
	Datum		abi = (Datum) 0;

	if (HeapTupleIsValid(tuple))
		abi = heap_getattr(tuple, 3, RelationGetDescr(rel), &isnull);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return isnull ? 0 : DatumGetInt32(abi);
}

/* Is the extension here, is it ours, and untouched? */
static void
inspect(void)
{
	wf_activity(true, "automation: checks the extension's tables");
	begin();
	if (!wf_store_present())
	{
		end();
		leave(COORDINATOR_ABSENT);
	}
	wf_board_coordinator_verdict(COORDINATOR_REFUSED);
	if (stored_abi() != WF_ABI)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the library of extension automation does not match its tables in database \"%s\"",
						get_database_name(MyDatabaseId)),
				 errhint("Restart the server after installing a new version, and run ALTER EXTENSION automation UPDATE.")));
	wf_tables_check();
	wf_board_coordinator_verdict(COORDINATOR_NONE);
	end();
}

static bool
asked_to_stop(void)
{
	return ShutdownRequestPending && geterrcode() == ERRCODE_QUERY_CANCELED;
}

static void
inspect_unless_stopped(void)
{
	PG_TRY();
	{
		inspect();
	}
	PG_CATCH();
	{
		if (!asked_to_stop())
			PG_RE_THROW();
		FlushErrorState();
		AbortCurrentTransaction();
		transaction_is_over();
		leave(COORDINATOR_STOPPED);
	}
	PG_END_TRY();
}

/* ----------------------------------------------------------------
 * Owners
 * ----------------------------------------------------------------
 */

static void
create_owners(void)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(int);
	control.entrysize = sizeof(OwnerState);
	control.hcxt = TopMemoryContext;
	owners = hash_create("automation owners", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static OwnerState *
owner_state(int id)
{
	bool		found;
	OwnerState *state = hash_search(owners, &id, HASH_ENTER, &found);

	if (!found)
	{
		memset(state, 0, sizeof(OwnerState));
		state->id = id;
	}
	return state;
}

/* Marks the rows of automation.owner. */
static void
list_owners(void)
{
	Relation	rel = wf_store_open("owner", AccessShareLock);
	SysScanDesc scan = wf_store_scan(rel, NULL, wf_store_snapshot(), 0, NULL);
	HASH_SEQ_STATUS all;
	OwnerState *state;
	HeapTuple	tuple;
	bool		isnull;

	hash_seq_init(&all, owners);
	while ((state = hash_seq_search(&all)) != NULL)
		state->listed = false;
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		owner_state(DatumGetInt32(heap_getattr(tuple, 1, RelationGetDescr(rel), &isnull)))->listed = true;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/* An executor that was started: has it ended, and too soon? */
static void
watch_handle(OwnerState *state)
{
	TimestampTz now = GetCurrentTimestamp();
	pid_t		pid;

	if (state->handle == NULL || GetBackgroundWorkerPid(state->handle, &pid) != BGWH_STOPPED)
		return;
	pfree(state->handle);
	state->handle = NULL;
	if (state->asked || now - state->started > Min(SHORT_LIFE, wf_executor_idle * INT64CONST(1000)))
		state->failures = 0;
	else
		state->failures = state->sat ? 1 : state->failures + 1;
	/* what it left unread is found again; what it did is not waited for */
	state->work = false;
	wf_event_reader_forget(reader);
	if (state->failures > 0)
		state->not_before = now + SECOND * Min(LONGEST_PAUSE, 1 << Min(state->failures - 1, 5));
}

/* Reads the board.  An executor that has gone may have left events unread, so
 * the log is read from its start then. */
static void
see_seats(BoardSeat *seats, int nseats)
{
	HASH_SEQ_STATUS all;
	OwnerState *state;

	hash_seq_init(&all, owners);
	while ((state = hash_seq_search(&all)) != NULL)
	{
		state->was_seated = state->seated;
		state->seated = false;
	}
	for (int i = 0; i < nseats; i++)
	{
		OwnerState *taken = owner_state(seats[i].owner);

		taken->seated = taken->sat = true;
	}
	hash_seq_init(&all, owners);
	while ((state = hash_seq_search(&all)) != NULL)
	{
		watch_handle(state);
		if (state->was_seated && !state->seated)
			wf_event_reader_forget(reader);
		if (state->seated)
		{
			state->work = false;
			state->waits_since = 0;
		}
	}
}

static void
see_events(void)
{
	List	   *with_events;
	ListCell   *lc;

	(void) wf_event_read(reader);
	with_events = wf_event_owners(reader);
	foreach(lc, with_events)
	{
		OwnerState *state = owner_state(lfirst_int(lc));

		state->work = !state->seated;
	}
	list_free(with_events);
}

/* The holds this file sets, and takes away again. */
static bool
is_our_hold(const char *hold)
{
	return strcmp(hold, "owner_missing") == 0 || strcmp(hold, "owner_cannot_connect") == 0 ||
		strcmp(hold, "owner_is_superuser") == 0 || strcmp(hold, "not_permitted") == 0;
}

static void
apply_obstacle(WorkflowRow *row, const char *obstacle, const char *hint)
{
	if (row->hold && !is_our_hold(row->hold))
		return;
	if (obstacle && (row->hold == NULL || strcmp(row->hold, obstacle) != 0))
		wf_register_hold(row, obstacle, hint);
	else if (obstacle == NULL && row->hold)
		wf_register_release(row, pstrdup(row->hold), false);
}

/* May the owner's workflows run?  His workflows say why not. */
static void
check_owner(OwnerState *state)
{
	char	   *hint = NULL;
	const char *obstacle = wf_owner_obstacle(wf_owner_role(state->id), &hint);
	List	   *rows;
	ListCell   *lc;

	if (obstacle && state->seated)
		wf_board_ask_to_leave(state->id);
	if (state->checked && obstacle == NULL && state->obstacle == NULL)
		return;
	rows = wf_workflow_all();
	foreach(lc, rows)
	{
		WorkflowRow *row = lfirst(lc);

		if (row->owner == state->id)
			apply_obstacle(row, obstacle, hint);
	}
	state->obstacle = obstacle;
	state->checked = true;
}

/* ----------------------------------------------------------------
 * Executors
 * ----------------------------------------------------------------
 */

static void
wake_before(TimestampTz at)
{
	wake_at = Min(wake_at, at);
}

static bool
register_executor(OwnerState *state)
{
	BackgroundWorker worker = {0};
	ExecutorArguments arguments = {MyDatabaseId, wf_owner_role(state->id), state->id};
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	char	   *role = GetUserNameFromId(arguments.role, true);
	bool		registered;

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = Int32GetDatum(state->id);
	worker.bgw_notify_pid = MyProcPid;
	memcpy(worker.bgw_extra, &arguments, sizeof(arguments));
	strlcpy(worker.bgw_library_name, WF_LIBRARY, sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "wf_executor_main", sizeof(worker.bgw_function_name));
	snprintf(worker.bgw_type, BGW_MAXLEN, "automation executor of %s", role ? role : "?");
	snprintf(worker.bgw_name, BGW_MAXLEN, "automation executor of owner %d in database %u", state->id, MyDatabaseId);
	registered = RegisterDynamicBackgroundWorker(&worker, &state->handle);
	if (role)
		pfree(role);
	MemoryContextSwitchTo(old);
	return registered;
}

static void
report_no_worker(void)
{
	if (!no_worker_reported)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("out of background worker slots for automation"),
				 errhint("You might need to increase max_worker_processes.")));
	no_worker_reported = true;
}

static void
start_executor(OwnerState *state)
{
	TimestampTz now = GetCurrentTimestamp();

	if (register_executor(state))
	{
		state->started = now;
		state->asked = state->sat = false;
		no_worker_reported = false;
		wf_stat_database(STAT_EXECUTORS);
		return;
	}
	report_no_worker();
	state->not_before = now + LONGEST_SLEEP;
}

/* Background seats taken, or soon to be. */
static int
executors(const BoardSeat *seats, int nseats)
{
	HASH_SEQ_STATUS all;
	OwnerState *state;
	int			n = 0;

	for (int i = 0; i < nseats; i++)
		n += seats[i].background ? 1 : 0;
	hash_seq_init(&all, owners);
	while ((state = hash_seq_search(&all)) != NULL)
		n += state->handle && !state->seated ? 1 : 0;
	return n;
}

static bool
goes_before(const BoardSeat *a, const BoardSeat *b)
{
	if ((a->idle_since == 0) != (b->idle_since == 0))
		return a->idle_since != 0;
	return a->idle_since != 0 ? a->idle_since < b->idle_since : a->since < b->since;
}

/* Asks the longest idle executor to leave; if none is idle for long enough,
 * the one that sits longest.  Nobody, while one is on its way out. */
static void
make_room(const BoardSeat *seats, int nseats, TimestampTz waits_since)
{
	const BoardSeat *first = NULL;

	for (int i = 0; i < nseats; i++)
	{
		if (!seats[i].background)
			continue;
		if (seats[i].leaving)
			return;
		if (first == NULL || goes_before(&seats[i], first))
			first = &seats[i];
	}
	if (first && (first->idle_since != 0 || GetCurrentTimestamp() - waits_since > PATIENCE))
	{
		owner_state(first->owner)->asked = true;
		wf_board_ask_to_leave(first->owner);
	}
}

/* Engine time at which the owner needs an executor; 0 = never. */
static TimestampTz
needed_at(const OwnerState *state, TimestampTz now)
{
	TimestampTz needed;
	TimestampTz parked;
	TimestampTz job;

	if (state->work)
		return now;
	needed = wf_timer_earliest(state->id);
	parked = wf_parked_next(state->id);
	job = wf_job_next(state->id);
	if (needed == 0 || (parked != 0 && parked < needed))
		needed = parked;
	if (needed == 0 || (job != 0 && job < needed))
		needed = job;
	return needed;
}

/* Gives an owner an executor if he needs one now; else sees to it that we wake
 * in time. */
static void
serve(OwnerState *state, const BoardSeat *seats, int nseats)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz engine_now = wf_clock_now();
	TimestampTz needed = needed_at(state, engine_now);

	if (needed == 0)
		return;
	if (needed - START_AHEAD > engine_now)
		wake_before(now + (needed - START_AHEAD - engine_now));
	else if (state->not_before > now)
		wake_before(state->not_before);
	else if (executors(seats, nseats) < wf_max_executors)
		start_executor(state);
	else
	{
		if (state->waits_since == 0)
			state->waits_since = now;
		make_room(seats, nseats, state->waits_since);
		wake_before(now + YIELD);
	}
}

static bool
armed(void)
{
	bool		is_armed = wf_engine_armed();

	if (!is_armed && !disarmed_reported)
		ereport(LOG,
				(errmsg("workflows in database \"%s\" are disarmed", get_database_name(MyDatabaseId)),
				 errhint("They came with a restore; run CALL automation.arm() when all data is there.")));
	disarmed_reported = !is_armed;
	return is_armed;
}

static void
serve_owners(void)
{
	BoardSeat  *seats = palloc(sizeof(BoardSeat) * (wf_max_executors + BOARD_RUN_SEATS));
	int			nseats = wf_board_seats(seats);
	HASH_SEQ_STATUS all;
	OwnerState *state;
	bool		is_armed;

	see_seats(seats, nseats);
	see_events();
	list_owners();
	is_armed = armed();
	hash_seq_init(&all, owners);
	while ((state = hash_seq_search(&all)) != NULL)
	{
		if (!state->listed || !is_armed)
			continue;					/* a restore may be running: hands off its rows */
		check_owner(state);
		if (!state->seated && state->handle == NULL && state->obstacle == NULL)
			serve(state, seats, nseats);
	}
}

/* ----------------------------------------------------------------
 * Delivery
 * ----------------------------------------------------------------
 */

static bool
register_delivery(void)
{
	BackgroundWorker worker = {0};
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	bool		registered;

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = ObjectIdGetDatum(MyDatabaseId);
	worker.bgw_notify_pid = MyProcPid;
	strlcpy(worker.bgw_library_name, WF_LIBRARY, sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "wf_delivery_main", sizeof(worker.bgw_function_name));
	snprintf(worker.bgw_name, BGW_MAXLEN, "automation delivery of database %u", MyDatabaseId);
	strlcpy(worker.bgw_type, "automation delivery", BGW_MAXLEN);
	registered = RegisterDynamicBackgroundWorker(&worker, &delivery.handle);
	MemoryContextSwitchTo(old);
	return registered;
}

/* It was started: has it ended, and too soon? */
static void
watch_delivery(TimestampTz now)
{
	pid_t		pid;

	if (delivery.handle == NULL || GetBackgroundWorkerPid(delivery.handle, &pid) != BGWH_STOPPED)
		return;
	pfree(delivery.handle);
	delivery.handle = NULL;
	delivery.failures = now - delivery.started > SHORT_LIFE ? 0 : delivery.failures + 1;
	if (delivery.failures > 0)
		delivery.not_before = now + SECOND * Min(LONGEST_PAUSE, 1 << Min(delivery.failures - 1, 5));
}

static bool
has_rows(const char *table)
{
	Relation	rel = wf_store_open(table, AccessShareLock);
	SysScanDesc scan = wf_store_scan(rel, NULL, wf_store_snapshot(), 0, NULL);
	bool		found = HeapTupleIsValid(systable_getnext(scan));

	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* A worker, while there is something to send and it may be sent. */
static void
serve_delivery(void)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz delivered;

	watch_delivery(now);
	if (delivery.handle || wf_board_delivered(&delivered) || wf_egress_obstacle() != NULL)
		return;
	if (!has_rows("inflight") && !has_rows("outgoing_due"))
		return;
	if (delivery.not_before > now)
		wake_before(delivery.not_before);
	else if (register_delivery())
	{
		delivery.started = now;
		no_worker_reported = false;
	}
	else
	{
		report_no_worker();
		delivery.not_before = now + LONGEST_SLEEP;
	}
}

/* ----------------------------------------------------------------
 * Turns
 * ----------------------------------------------------------------
 */

/* Who was told of a change at its commit may have looked too early. */
static void
look_again_at_rights(void)
{
	static uint32 seen = 0;
	uint32		rights = wf_board_rights();

	if (rights != seen)
		wake_before(GetCurrentTimestamp() + YIELD);
	seen = rights;
}

static void
serve_turn(void)
{
	wf_activity(true, "automation: looks for owners with work");
	look_again_at_rights();
	if (wf_store_hold(&gone))
	{
		serve_owners();
		serve_delivery();
	}
	else
		wake_before(GetCurrentTimestamp() + YIELD);
}

static bool reconciled = false;

static void
reconcile_turn(void)
{
	wf_activity(true, "automation: brings the registry in line");
	if (!wf_store_hold(&gone))
		return;
	wf_reconcile(false);
	reconciled = true;
}

static bool rotated;

static void
rotate_turn(void)
{
	wf_activity(true, "automation: rotates the event log");
	rotated = wf_store_hold(&gone) && wf_event_rotate();
}

static void
recycle_turn(void)
{
	wf_activity(true, "automation: empties the journal's next month");
	if (wf_store_hold(&gone))
		wf_history_recycle();
}

static bool removed;

static void
remove_turn(void)
{
	wf_activity(true, "automation: removes old messages");
	removed = wf_store_hold(&gone) && wf_engine_armed() && wf_delivery_remove_old();
}

/*
 * Times of EVERY that nobody has told us of: at our start those that passed while
 * the server was down, later those that pg_cron has missed.
 */
static void
schedule_turn(void)
{
	static bool begun = false;

	if (!wf_store_hold(&gone) || !wf_engine_armed())
		return;
	wf_schedules_mark(0, begun ? SCHEDULE_PATIENCE : 0, begun ? "coordinator" : "start");
	begun = true;
}

static bool
is_lock_conflict(int sqlstate)
{
	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE || sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED;
}

/* What was noted in a transaction that did not commit. */
static void
forget_turn(void)
{
	HASH_SEQ_STATUS all;
	OwnerState *state;

	hash_seq_init(&all, owners);
	while ((state = hash_seq_search(&all)) != NULL)
		state->checked = false;
	wf_event_reader_forget(reader);
}

/* Runs a turn in its own transaction; somebody's lock, or being asked to go,
 * makes it end early. */
static void
run(void (*turn) (void))
{
	MemoryContext old = MemoryContextSwitchTo(turn_context);

	PG_TRY();
	{
		begin();
		MemoryContextSwitchTo(turn_context);
		turn();
		end();
	}
	PG_CATCH();
	{
		if (!is_lock_conflict(geterrcode()) && !asked_to_stop())
			PG_RE_THROW();
		FlushErrorState();
		AbortCurrentTransaction();
		transaction_is_over();
		if (turn == reconcile_turn)
			reconciled = false;		/* by the commit, if at all */
		forget_turn();
		wake_before(GetCurrentTimestamp() + YIELD);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	MemoryContextReset(turn_context);
}

/* Empty segments and old months, in small transactions of their own. */
static void
tidy_up(void)
{
	TimestampTz now = GetCurrentTimestamp();

	if (now >= next_rotation)
	{
		rotated = true;
		for (int i = 0; i < MAX_ROTATIONS && rotated && !gone && !ShutdownRequestPending; i++)
		{
			rotated = false;
			run(rotate_turn);
		}
		next_rotation = now + ROTATE_EVERY;
	}
	if (now >= next_schedules && !gone && !ShutdownRequestPending)
	{
		run(schedule_turn);
		next_schedules = now + SCHEDULES_EVERY;
	}
	if (now >= next_recycling && !gone && !ShutdownRequestPending)
	{
		run(recycle_turn);
		removed = true;
		for (int i = 0; i < MAX_REMOVALS && removed && !gone && !ShutdownRequestPending; i++)
		{
			removed = false;
			run(remove_turn);
		}
		next_recycling = now + RECYCLE_EVERY;
	}
}

static void
sleep_until_woken(uint32 wait_event)
{
	long		timeout = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), wake_at);

	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout, wait_event);
	ResetLatch(MyLatch);
	(void) wf_board_coordinator_pending();
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/* Entry point of the background worker. */
void
wf_coordinator_main(Datum arg)
{
	uint32		wait_event;

	connect_coordinator(DatumGetObjectId(arg));
	inspect_unless_stopped();
	wait_event = wf_compat_wait_event("AutomationCoordinatorMain");
	turn_context = AllocSetContextCreate(TopMemoryContext, "automation coordinator", ALLOCSET_DEFAULT_SIZES);
	create_owners();
	reader = wf_event_reader_create(TopMemoryContext, 0);
	while (!ShutdownRequestPending)
	{
		wake_at = GetCurrentTimestamp() + LONGEST_SLEEP;
		if (!reconciled)
			run(reconcile_turn);
		if (reconciled && !ShutdownRequestPending)
			run(serve_turn);
		if (!reconciled)
			wake_before(GetCurrentTimestamp() + YIELD);
		else if (!gone && !ShutdownRequestPending)
			tidy_up();
		if (gone)
			leave(COORDINATOR_ABSENT);
		if (!ShutdownRequestPending)
			sleep_until_woken(wait_event);
	}
	leave(COORDINATOR_STOPPED);
}
