/*
 * schedule.c -- automation.schedule: the EVERY clauses, and when they are due.
 *
 * A schedule is due when a time of it has passed that was not run yet.  Whoever
 * sees that (pg_cron's tick, the coordinator, run() and advance()) only leaves a
 * note in the log of the workflow's owner; the executor that reads it (every.c)
 * asks wf_schedule_due() again, so one time of the schedule is run once however
 * many notes there are, and several times that nobody could run count as one.
 *
 * Rows are read under the latest snapshot, in C, without privileges; the
 * executor that holds the owner's seat is the only one to write last_run.
 * Results are in the current context.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "compat.h"
#include "cron.h"
#include "json_member.h"
#include "key.h"
#include "schedule.h"
#include "store.h"

PG_FUNCTION_INFO_V1(wf_tick);
PG_FUNCTION_INFO_V1(wf_schedule_next_sql);
PG_FUNCTION_INFO_V1(wf_schedule_previous_sql);

enum
{
	COL_ID = 1, COL_WORKFLOW, COL_OWNER, COL_CLAUSE, COL_SCHEDULE, COL_SINCE, COL_LAST_RUN,
	COL_DRIVER, COL_CRON_JOB
};
#define SCHEDULE_COLUMNS COL_CRON_JOB

/* --- rows --- */

static Schedule *
from_row(HeapTuple tuple, TupleDesc desc)
{
	Schedule   *schedule = palloc(sizeof(Schedule));
	bool		isnull;
	Datum		value;

	schedule->id = DatumGetInt64(heap_getattr(tuple, COL_ID, desc, &isnull));
	schedule->workflow = DatumGetInt32(heap_getattr(tuple, COL_WORKFLOW, desc, &isnull));
	schedule->owner = DatumGetInt32(heap_getattr(tuple, COL_OWNER, desc, &isnull));
	schedule->clause = DatumGetInt32(heap_getattr(tuple, COL_CLAUSE, desc, &isnull));
	schedule->text = TextDatumGetCString(heap_getattr(tuple, COL_SCHEDULE, desc, &isnull));
	schedule->since = DatumGetTimestampTz(heap_getattr(tuple, COL_SINCE, desc, &isnull));
	value = heap_getattr(tuple, COL_LAST_RUN, desc, &isnull);
	schedule->last_run = isnull ? 0 : DatumGetTimestampTz(value);
	value = heap_getattr(tuple, COL_CRON_JOB, desc, &isnull);
	schedule->cron_job = isnull ? 0 : DatumGetInt64(value);
	schedule->tuple = heap_copytuple(tuple);
	return schedule;
}

static List *
scan(const char *index, int nkeys, ScanKey key)
{
	Relation	rel = wf_store_open("schedule", AccessShareLock);
	SysScanDesc scan = wf_store_scan(rel, index, wf_store_snapshot(), nkeys, key);
	HeapTuple	tuple;
	List	   *schedules = NIL;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		schedules = lappend(schedules, from_row(tuple, RelationGetDescr(rel)));
	systable_endscan(scan);
	table_close(rel, NoLock);
	return schedules;
}

/* In C: what comes by SQL is a restore. */
void
wf_schedule_insert(const WorkflowRow *row, int clause, const char *text)
{
	Relation	rel = wf_store_open("schedule", RowExclusiveLock);
	Datum		values[SCHEDULE_COLUMNS] = {0};
	bool		nulls[SCHEDULE_COLUMNS] = {0};

	values[COL_ID - 1] = Int64GetDatum(wf_store_nextval("schedule_seq"));
	values[COL_WORKFLOW - 1] = Int32GetDatum(row->id);
	values[COL_OWNER - 1] = Int32GetDatum(row->owner);
	values[COL_CLAUSE - 1] = Int32GetDatum(clause);
	values[COL_SCHEDULE - 1] = CStringGetTextDatum(text);
	values[COL_SINCE - 1] = TimestampTzGetDatum(wf_clock_now());
	nulls[COL_LAST_RUN - 1] = nulls[COL_DRIVER - 1] = nulls[COL_CRON_JOB - 1] = true;
	wf_store_insert(rel, values, nulls, NULL);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

Schedule *
wf_schedule_load(int64 id)
{
	ScanKeyData key;
	List	   *found;

	ScanKeyInit(&key, COL_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	found = scan("schedule_pkey", 1, &key);
	return found ? linitial(found) : NULL;
}

static int
by_id(const ListCell *a, const ListCell *b)
{
	const Schedule *left = lfirst(a);
	const Schedule *right = lfirst(b);

	return left->id < right->id ? -1 : left->id > right->id;
}

List *
wf_schedules_of(int owner)
{
	ScanKeyData key;
	List	   *found;

	ScanKeyInit(&key, COL_OWNER, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(owner));
	found = scan(owner ? "schedule_owner" : "schedule_pkey", owner ? 1 : 0, &key);
	list_sort(found, by_id);
	return found;
}

void
wf_schedule_ran(Schedule *schedule, TimestampTz at, const char *driver)
{
	Relation	rel = wf_store_open("schedule", RowExclusiveLock);
	Datum		values[SCHEDULE_COLUMNS] = {0};
	bool		nulls[SCHEDULE_COLUMNS] = {0};
	bool		replace[SCHEDULE_COLUMNS] = {0};

	values[COL_LAST_RUN - 1] = TimestampTzGetDatum(at);
	nulls[COL_DRIVER - 1] = driver == NULL;
	if (driver)
		values[COL_DRIVER - 1] = CStringGetTextDatum(driver);
	replace[COL_LAST_RUN - 1] = replace[COL_DRIVER - 1] = true;
	wf_store_update(rel, schedule->tuple, values, nulls, replace);
	schedule->last_run = at;
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* --- when --- */

/* A schedule that was restored from a newer version may be none to us. */
static bool
parse(const Schedule *schedule, Cron *cron)
{
	const char *field;
	const char *rest;

	return wf_cron_parse(schedule->text, cron, &field, &rest);
}

TimestampTz
wf_schedule_due(const Schedule *schedule, TimestampTz now)
{
	Cron		cron;
	TimestampTz at = parse(schedule, &cron) ? wf_cron_previous(&cron, now, wf_cron_zone()) : 0;

	return at > schedule->since && at > schedule->last_run ? at : 0;
}

TimestampTz
wf_schedules_next(int owner)
{
	TimestampTz now = wf_clock_now();
	TimestampTz next = 0;
	ListCell   *lc;

	foreach(lc, wf_schedules_of(owner))
	{
		Cron		cron;
		TimestampTz at = parse(lfirst(lc), &cron) ? wf_cron_next(&cron, now, wf_cron_zone()) : 0;

		if (at != 0 && (next == 0 || at < next))
			next = at;
	}
	return next;
}

Jsonb *
wf_schedule_detail(const Schedule *schedule, TimestampTz at)
{
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	wf_json_text(&state, "schedule", schedule->text);
	wf_json_text(&state, "at", wf_value_out(TimestampTzGetDatum(at), TIMESTAMPTZOID));
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* --- marking --- */

/* The note for the executor: the schedule's id as key, what saw it as reason. */
static void
append_tick(const WorkflowRow *row, const Schedule *schedule, const char *driver)
{
	wf_command_append(row, "tick", driver, 0, 0, psprintf(INT64_FORMAT, schedule->id));
}

void
wf_schedules_mark(int owner, int64 late, const char *driver)
{
	TimestampTz now = wf_clock_now();
	ListCell   *lc;

	PushActiveSnapshot(GetTransactionSnapshot());	/* storing an event needs one */
	foreach(lc, wf_schedules_of(owner))
	{
		Schedule   *schedule = lfirst(lc);
		WorkflowRow *row;

		if (wf_schedule_due(schedule, now - late) == 0)
			continue;
		row = wf_workflow_load(schedule->workflow);
		if (row && row->hold == NULL)
			append_tick(row, schedule, driver);
	}
	PopActiveSnapshot();
}

/* CALL automation.tick(schedule) */
Datum
wf_tick(PG_FUNCTION_ARGS)
{
	Schedule   *schedule = PG_ARGISNULL(0) ? NULL : wf_schedule_load(PG_GETARG_INT64(0));
	WorkflowRow *row = schedule ? wf_workflow_load(schedule->workflow) : NULL;

	/* whether others have one is not said */
	if (row == NULL || !wf_workflow_owned(row))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no such schedule of %s", GetUserNameFromId(GetUserId(), false)),
				 errhint("automation.schedules lists them.")));
	if (wf_schedule_due(schedule, wf_clock_now()) != 0)
		append_tick(row, schedule, "cron");
	PG_RETURN_VOID();
}

/* --- questions --- */

typedef TimestampTz (*FindFunction) (const Cron *cron, TimestampTz bound, pg_tz *zone);

static pg_tz *
zone_argument(FunctionCallInfo fcinfo, int i)
{
	char	   *name;
	pg_tz	   *zone;

	if (PG_ARGISNULL(i))
		return wf_cron_zone();
	name = text_to_cstring(PG_GETARG_TEXT_PP(i));
	zone = pg_tzset(name);
	if (zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" not recognized", name)));
	return zone;
}

static Datum
ask(FunctionCallInfo fcinfo, FindFunction find)
{
	Cron		cron;
	const char *field;
	const char *rest;
	char	   *given;
	TimestampTz at;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	given = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (!wf_cron_parse(given, &cron, &field, &rest))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid schedule: \"%s\"", given),
				 errhint("Five fields: minute, hour, day of month, month, day of week, as in '0 9 * * 1'.")));
	at = find(&cron, PG_GETARG_TIMESTAMPTZ(1), zone_argument(fcinfo, 2));
	if (at == 0)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(at);
}

Datum
wf_schedule_next_sql(PG_FUNCTION_ARGS)
{
	return ask(fcinfo, wf_cron_next);
}

Datum
wf_schedule_previous_sql(PG_FUNCTION_ARGS)
{
	return ask(fcinfo, wf_cron_previous);
}
