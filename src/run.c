/*
 * run.c -- the engine in the foreground: CALL automation.run() and
 * CALL automation.advance(interval).
 *
 * run() does what is due for the workflows of the user who calls it, in his
 * session, and returns when nothing is left.  With a live executor it does
 * nothing itself but waits until that has done it.  advance() moves the
 * virtual clock, from one due moment to the next, running at each.
 *
 * Both are procedures that commit: not inside a transaction block.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "board.h"
#include "clock.h"
#include "compat.h"
#include "engine.h"
#include "event.h"
#include "history.h"
#include "owner.h"
#include "register.h"
#include "schedule.h"
#include "seat.h"
#include "settings.h"
#include "store.h"

#define POLL_MS 2

PG_FUNCTION_INFO_V1(wf_run);
PG_FUNCTION_INFO_V1(wf_advance);
extern PGDLLEXPORT Datum wf_run(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum wf_advance(PG_FUNCTION_ARGS);

/* A temporary table could stand in for one of the workflows' own. */
static bool
session_has_temp_objects(void)
{
	Oid			temp;
	Oid			toast;
	bool		found;
	Datum		argument;
	Oid			type = OIDOID;

	GetTempNamespaceState(&temp, &toast);
	if (!OidIsValid(temp))
		return false;
	argument = ObjectIdGetDatum(temp);
	SPI_execute_with_args("SELECT 1 FROM pg_catalog.pg_class WHERE relnamespace OPERATOR(pg_catalog.=) $1 LIMIT 1",
						  1, &type, &argument, NULL, true, 1);
	found = SPI_processed > 0;
	return found;
}

/* Who may: a session that is what it says, and not in the middle of something. */
static void
check_caller(FunctionCallInfo fcinfo, const char *name)
{
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("CALL automation.%s() cannot run inside a transaction block", name)));
	if (GetUserId() != GetSessionUserId() || GetUserId() != GetAuthenticatedUserId())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("CALL automation.%s() needs a session of the workflows' owner", name),
				 errdetail("The session was opened as another user and has changed its role."),
				 errhint("Connect as the owner.")));
	if (session_has_temp_objects())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("CALL automation.%s() cannot run in a session with temporary objects", name),
				 errhint("Drop them or use another session.")));
}

/* The procedure has to commit before its first batch: a batch starts clean. */
static void
next_transaction(void)
{
	MemoryContext context = CurrentMemoryContext;

	SPI_commit();
	MemoryContextSwitchTo(context);
}

static void
refuse_disarmed(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the engine is disarmed"),
			 errdetail("It was restored from a dump, and nobody has said yet that this database is to run workflows."),
			 errhint("A superuser starts it with CALL automation.arm().")));
}

/* Also for who owns nothing, such as the superuser after a restore. */
static void
check_armed(void)
{
	if (!wf_engine_armed())
		refuse_disarmed();
}

/*
 * Takes the owner's seat and lock, unless somebody else works for him: then
 * waits until that one has done everything that is due now, or is gone.  False
 * if there is nothing left to do.
 */
static bool
take_seat(int owner)
{
	TimestampTz upto = wf_clock_now();
	TimestampTz drained;

	for (;;)
	{
		if (wf_board_drained(owner, &drained))
		{
			if (drained >= upto)
				return false;
			wf_board_wake_owner(owner);
		}
		else if (wf_board_take_seat(owner))
		{
			if (wf_seat_lock(owner, false))
				return true;
			wf_board_release_seat();
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, POLL_MS,
						 wf_compat_wait_event("AutomationRun"));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* What the coordinator does where there is one. */
static void
housekeeping(void)
{
	while (wf_event_rotate())
		next_transaction();
	wf_history_recycle();
	next_transaction();
}

/* Batches until nothing is due. */
static void
run_here(Engine *engine)
{
	BatchResult result;

	do
	{
		CHECK_FOR_INTERRUPTS();
		if (!wf_seat_held(engine->owner))	/* lost by a commit that failed */
		{
			wf_board_release_seat();
			if (!take_seat(engine->owner))
				return;
			wf_engine_forget(engine);
		}
		result = wf_batch(engine);
		if (result == BATCH_STOP)
			refuse_disarmed();
		if (result == BATCH_BLOCKED)
			pg_usleep(POLL_MS * 1000L);
	} while (result != BATCH_IDLE);
}

/* Until nothing is due for this owner, here or by his executor. */
static void
run_until_quiet(int owner, MemoryContext context)
{
	Engine	   *engine;

	if (!take_seat(owner))
		return;
	engine = wf_engine_create(context, owner, true);
	PG_TRY();
	{
		run_here(engine);
		wf_board_set_drained(engine->drained);
		if (wf_seat_held(owner))
			wf_seat_unlock(owner);
	}
	PG_FINALLY();
	{
		wf_board_release_seat();		/* after an error the lock goes with the transaction */
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);		/* a batch leaves in the engine's */
	wf_engine_destroy(engine);
}

/* What EVERY has to do now, without waiting for pg_cron to say so. */
static void
mark_schedules(int owner)
{
	wf_schedules_mark(owner, 0, "run");
	next_transaction();
}

static MemoryContext
run_context(void)
{
	return AllocSetContextCreate(PortalContext, "automation run", ALLOCSET_DEFAULT_SIZES);
}

/* CALL automation.run() */
Datum
wf_run(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	int			owner;

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	check_caller(fcinfo, "run");
	check_armed();
	owner = wf_owner_id(GetUserId(), false);
	context = run_context();
	MemoryContextSwitchTo(context);
	next_transaction();
	if (owner != 0)
	{
		mark_schedules(owner);
		run_until_quiet(owner, context);
	}
	housekeeping();
	SPI_finish();
	PG_RETURN_VOID();
}

/* Earliest moment the owner has something to do; 0 = never. */
static TimestampTz
earliest_due(int owner)
{
	Engine	   *engine = wf_engine_create(CurrentMemoryContext, owner, true);
	TimestampTz next;
	TimestampTz every;

	engine->next_sweep = wf_clock_now() + (int64) wf_recheck_interval * 1000;
	next = wf_engine_next(engine);
	wf_engine_destroy(engine);
	every = wf_schedules_next(owner);
	return next == 0 || (every != 0 && every < next) ? every : next;
}

/* One step towards the target: to the next due moment, and everything done. */
static bool
advance_once(int owner, TimestampTz target, MemoryContext context)
{
	TimestampTz now = wf_clock_now();
	TimestampTz next = owner != 0 ? earliest_due(owner) : 0;
	TimestampTz to = (next == 0 || next > target) ? target : next;

	if (to > now)
		wf_clock_advance(to - now);
	next_transaction();
	if (owner != 0)
	{
		mark_schedules(owner);
		run_until_quiet(owner, context);
	}
	return to < target;
}

/* Where the clock is to go from here. */
static TimestampTz
target_of(Interval *by)
{
	TimestampTz now = wf_clock_now();
	TimestampTz target = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
																 TimestampTzGetDatum(now),
																 IntervalPGetDatum(by)));

	if (target < now)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the virtual clock does not go back")));
	return target;
}

/* CALL automation.advance(interval) */
Datum
wf_advance(PG_FUNCTION_ARGS)
{
	Interval	by;
	MemoryContext context;
	TimestampTz target;
	int			owner;

	if (PG_ARGISNULL(0))			/* a procedure can't be STRICT */
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the step of automation.advance() is null")));
	by = *PG_GETARG_INTERVAL_P(0);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	check_caller(fcinfo, "advance");
	check_armed();
	(void) target_of(&by);				/* refused before anything is done */
	owner = wf_owner_id(GetUserId(), false);
	context = run_context();
	MemoryContextSwitchTo(context);
	next_transaction();
	if (owner != 0)
	{
		mark_schedules(owner);
		run_until_quiet(owner, context);
	}
	target = target_of(&by);			/* a wait of that length that has just begun ends in time */
	while (advance_once(owner, target, context))
		CHECK_FOR_INTERRUPTS();
	housekeeping();
	SPI_finish();
	PG_RETURN_VOID();
}
