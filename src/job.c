/*
 * job.c -- automation.job: work on many records at once, and where it stands.
 *
 * A job is inserted by whoever wants it done: a session (backfill, migrate,
 * CREATE FUNCTION) or an executor.  From then on the executor that holds the
 * owner's seat writes the row, and DDL on the workflow, which waits for its
 * batch.  What is over stays for a while, for people to look at, with a next_at
 * of infinity, so that the index over what is due never leads there.
 *
 * Results are in the current context; writing functions end with a command
 * counter increment.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "commands.h"
#include "compat.h"
#include "event.h"
#include "job.h"
#include "store.h"

PG_FUNCTION_INFO_V1(wf_cancel_job);

enum
{
	COL_ID = 1, COL_OWNER, COL_WORKFLOW, COL_VERSION, COL_KIND, COL_CLAUSE, COL_STATE, COL_POSITION,
	COL_DONE, COL_TOTAL, COL_RATE, COL_AT, COL_NEXT_AT, COL_ATTEMPT, COL_ARGS, COL_ERROR,
	COL_CREATED_AT, COL_STARTED_AT, COL_FINISHED_AT
};
#define COLUMNS COL_FINISHED_AT

#define KEPT 20							/* jobs of a workflow that are over */

static TransactionId inserted_by = InvalidTransactionId;	/* the last one of this process */

static void
put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column - 1] = text == NULL;
	values[column - 1] = text ? CStringGetTextDatum(text) : (Datum) 0;
}

static void
put_moment(Datum *values, bool *nulls, int column, TimestampTz at)
{
	nulls[column - 1] = at == 0;
	values[column - 1] = TimestampTzGetDatum(at);
}

static void
put_jsonb(Datum *values, bool *nulls, int column, Jsonb *jsonb)
{
	nulls[column - 1] = jsonb == NULL;
	values[column - 1] = PointerGetDatum(jsonb);
}

/* All columns of a row. */
static void
fill(const Job *job, Datum *values, bool *nulls)
{
	memset(nulls, false, COLUMNS * sizeof(bool));
	values[COL_ID - 1] = Int64GetDatum(job->id);
	values[COL_OWNER - 1] = Int32GetDatum(job->owner);
	values[COL_WORKFLOW - 1] = Int32GetDatum(job->workflow);
	values[COL_VERSION - 1] = Int32GetDatum(job->version);
	values[COL_KIND - 1] = CharGetDatum(job->kind);
	values[COL_CLAUSE - 1] = Int32GetDatum(job->clause);
	put_text(values, nulls, COL_STATE, job->state);
	put_text(values, nulls, COL_POSITION, job->position);
	values[COL_DONE - 1] = Int64GetDatum(job->done);
	nulls[COL_TOTAL - 1] = job->total < 0;
	values[COL_TOTAL - 1] = Int64GetDatum(job->total);
	values[COL_RATE - 1] = Int32GetDatum(job->rate);
	put_moment(values, nulls, COL_AT, job->at);
	values[COL_NEXT_AT - 1] = TimestampTzGetDatum(job->next_at);
	values[COL_ATTEMPT - 1] = Int32GetDatum(job->attempt);
	put_jsonb(values, nulls, COL_ARGS, job->args);
	put_jsonb(values, nulls, COL_ERROR, job->error);
	put_moment(values, nulls, COL_CREATED_AT, job->created_at);
	put_moment(values, nulls, COL_STARTED_AT, job->started_at);
	put_moment(values, nulls, COL_FINISHED_AT, job->finished_at);
}

int64
wf_job_insert(Job *job)
{
	Relation	rel = wf_store_open("job", RowExclusiveLock);
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];

	job->id = wf_store_nextval("job_seq");
	job->state = "waiting";
	job->created_at = wf_clock_now();
	if (job->next_at == 0)
		job->next_at = job->created_at;
	fill(job, values, nulls);
	wf_store_insert(rel, values, nulls, NULL);
	table_close(rel, NoLock);
	CommandCounterIncrement();
	wf_event_wake_at_commit(job->owner);
	inserted_by = GetTopTransactionIdIfAny();
	return job->id;
}

bool
wf_job_inserted(void)
{
	return TransactionIdIsValid(inserted_by) && inserted_by == GetTopTransactionIdIfAny();
}

static TimestampTz
moment_of(const Datum *values, const bool *nulls, int column)
{
	return nulls[column - 1] ? 0 : DatumGetTimestampTz(values[column - 1]);
}

static Job *
from_row(HeapTuple tuple, TupleDesc desc)
{
	Job		   *job = palloc0(sizeof(Job));
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];

	heap_deform_tuple(tuple, desc, values, nulls);
	job->id = DatumGetInt64(values[COL_ID - 1]);
	job->owner = DatumGetInt32(values[COL_OWNER - 1]);
	job->workflow = DatumGetInt32(values[COL_WORKFLOW - 1]);
	job->version = DatumGetInt32(values[COL_VERSION - 1]);
	job->kind = DatumGetChar(values[COL_KIND - 1]);
	job->clause = DatumGetInt32(values[COL_CLAUSE - 1]);
	job->state = TextDatumGetCString(values[COL_STATE - 1]);
	job->position = nulls[COL_POSITION - 1] ? NULL : TextDatumGetCString(values[COL_POSITION - 1]);
	job->done = DatumGetInt64(values[COL_DONE - 1]);
	job->total = nulls[COL_TOTAL - 1] ? -1 : DatumGetInt64(values[COL_TOTAL - 1]);
	job->rate = DatumGetInt32(values[COL_RATE - 1]);
	job->at = moment_of(values, nulls, COL_AT);
	job->next_at = moment_of(values, nulls, COL_NEXT_AT);
	job->attempt = DatumGetInt32(values[COL_ATTEMPT - 1]);
	job->args = nulls[COL_ARGS - 1] ? NULL : DatumGetJsonbPCopy(values[COL_ARGS - 1]);
	job->error = nulls[COL_ERROR - 1] ? NULL : DatumGetJsonbPCopy(values[COL_ERROR - 1]);
	job->created_at = moment_of(values, nulls, COL_CREATED_AT);
	job->started_at = moment_of(values, nulls, COL_STARTED_AT);
	job->finished_at = moment_of(values, nulls, COL_FINISHED_AT);
	return job;
}

/* The row of a job, copied; NULL if it is gone. */
static HeapTuple
find(Relation rel, int64 id)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, COL_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	scan = wf_store_scan(rel, "job_pkey", wf_store_snapshot(), 1, &key);
	tuple = systable_getnext(scan);
	tuple = HeapTupleIsValid(tuple) ? heap_copytuple(tuple) : NULL;
	systable_endscan(scan);
	return tuple;
}

Job *
wf_job_load(int64 id)
{
	Relation	rel = wf_store_open("job", AccessShareLock);
	HeapTuple	tuple;
	Job		   *job;

	PushActiveSnapshot(GetLatestSnapshot());	/* detoasting needs one */
	tuple = find(rel, id);
	job = tuple ? from_row(tuple, RelationGetDescr(rel)) : NULL;
	PopActiveSnapshot();
	table_close(rel, NoLock);
	return job;
}

void
wf_job_save(Job *job)
{
	Relation	rel = wf_store_open("job", RowExclusiveLock);
	HeapTuple	old = find(rel, job->id);
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
	bool		replace[COLUMNS];

	if (old == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("job " INT64_FORMAT " is gone", job->id)));
	fill(job, values, nulls);
	memset(replace, true, sizeof(replace));
	wf_store_update(rel, old, values, nulls, replace);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* Of the jobs of the workflow that are over the last ones are kept. */
static void
prune(int workflow)
{
	Relation	rel = wf_store_open("job", RowExclusiveLock);
	List	   *places = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;

	ScanKeyInit(&key, COL_WORKFLOW, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(workflow));
	scan = wf_store_scan(rel, "job_workflow", wf_store_snapshot(), 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		ItemPointer place;

		(void) heap_getattr(tuple, COL_FINISHED_AT, RelationGetDescr(rel), &isnull);
		if (isnull)
			continue;
		place = palloc(sizeof(ItemPointerData));
		*place = tuple->t_self;
		places = lappend(places, place);	/* in the order of their ids */
	}
	systable_endscan(scan);
	for (int i = 0; i < list_length(places) - KEPT; i++)
		wf_store_delete(rel, list_nth(places, i));
	list_free_deep(places);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

void
wf_job_finish(Job *job, const char *state, TimestampTz now)
{
	job->state = unconstify(char *, state);
	job->finished_at = now;
	job->next_at = DT_NOEND;
	wf_job_save(job);
	prune(job->workflow);
}

/* The first entry of what is due; false if there is none. */
static bool
first_due(int owner, int64 *id, TimestampTz *at)
{
	Relation	rel = wf_store_open("job", AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;

	ScanKeyInit(&key, COL_OWNER, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(owner));
	scan = wf_store_scan(rel, "job_due", wf_store_snapshot(), 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		*id = DatumGetInt64(heap_getattr(tuple, COL_ID, RelationGetDescr(rel), &isnull));
		*at = DatumGetTimestampTz(heap_getattr(tuple, COL_NEXT_AT, RelationGetDescr(rel), &isnull));
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return HeapTupleIsValid(tuple) && !TIMESTAMP_IS_NOEND(*at);
}

int64
wf_job_due(int owner, TimestampTz now)
{
	int64		id;
	TimestampTz at;

	return first_due(owner, &id, &at) && at <= now ? id : 0;
}

TimestampTz
wf_job_next(int owner)
{
	int64		id;
	TimestampTz at;

	return first_due(owner, &id, &at) ? at : 0;
}

/* All jobs of a workflow, by id. */
static List *
jobs_of_workflow(int workflow)
{
	Relation	rel = wf_store_open("job", AccessShareLock);
	List	   *jobs = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	PushActiveSnapshot(GetLatestSnapshot());
	ScanKeyInit(&key, COL_WORKFLOW, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(workflow));
	scan = wf_store_scan(rel, "job_workflow", wf_store_snapshot(), 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		jobs = lappend(jobs, from_row(tuple, RelationGetDescr(rel)));
	systable_endscan(scan);
	PopActiveSnapshot();
	table_close(rel, NoLock);
	return jobs;
}

Job *
wf_job_open(int workflow, char kind, int clause)
{
	Job		   *open = NULL;
	ListCell   *lc;

	foreach(lc, jobs_of_workflow(workflow))
	{
		Job		   *job = lfirst(lc);

		if (job->kind == kind && job->clause == clause && job->finished_at == 0)
			open = job;
	}
	return open;
}

void
wf_job_release(int workflow, TimestampTz now)
{
	ListCell   *lc;

	foreach(lc, jobs_of_workflow(workflow))
	{
		Job		   *job = lfirst(lc);

		if (job->finished_at != 0 || job->next_at <= now || strcmp(job->state, "waiting") != 0)
			continue;
		job->next_at = now;
		wf_job_save(job);
	}
}

/* automation.cancel_job(id): takes effect where the owner's executor reads it. */
Datum
wf_cancel_job(PG_FUNCTION_ARGS)
{
	Job		   *job = wf_job_load(PG_GETARG_INT64(0));
	WorkflowRow *row = job ? wf_workflow_load(job->workflow) : NULL;

	if (row == NULL)
		PG_RETURN_BOOL(false);
	wf_workflow_require_owner(row);
	if (job->finished_at != 0)
		PG_RETURN_BOOL(false);
	wf_command_append(row, "cancel_job", psprintf(INT64_FORMAT, job->id), 0, 0, NULL);
	PG_RETURN_BOOL(true);
}
