/*
 * parked.c -- automation.parked: events that could not be processed yet.
 *
 * An event that met a lock or an error, or whose workflow is held, is written
 * here in the transaction that consumes it, so that the log drains whatever
 * workflows do.  Called by the executor that holds the owner's seat and, for
 * the release, by the commands.  Results are in the current context.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "event_internal.h"
#include "parked.h"
#include "stat.h"
#include "store.h"

enum
{
	COL_ID = 1, COL_OWNER, COL_RETRY_AT, COL_ATTEMPT, COL_REASON, COL_WORKFLOW, COL_ERROR,
	COL_AT, COL_KIND, COL_SOURCE
};
#define COL_TARGET (COL_SOURCE + 3)
#define PARKED_COLUMNS (COL_SOURCE + EVENT_BODY_COLUMNS - 1)

/* Inserts an event with the reason why it waits; fills tid, and id unless it is put aside again. */
void
wf_parked_insert(Parked *parked)
{
	Relation	rel = wf_store_open("parked", RowExclusiveLock);
	int			natts = RelationGetDescr(rel)->natts;
	Datum	   *values = palloc0(natts * sizeof(Datum));
	bool	   *nulls = palloc0(natts * sizeof(bool));

	memset(nulls + PARKED_COLUMNS, true, (natts - PARKED_COLUMNS) * sizeof(bool));
	wf_stat_count(STAT_PARKED);
	if (parked->id == 0)
		parked->id = wf_store_nextval("parked_seq");
	values[COL_ID - 1] = Int64GetDatum(parked->id);
	values[COL_OWNER - 1] = Int32GetDatum(parked->event.owner);
	values[COL_RETRY_AT - 1] = TimestampTzGetDatum(parked->retry_at);
	values[COL_ATTEMPT - 1] = Int32GetDatum(parked->attempt);
	values[COL_REASON - 1] = CStringGetTextDatum(parked->reason);
	nulls[COL_WORKFLOW - 1] = parked->workflow == 0;
	values[COL_WORKFLOW - 1] = Int32GetDatum(parked->workflow);
	nulls[COL_ERROR - 1] = parked->error == NULL;
	values[COL_ERROR - 1] = PointerGetDatum(parked->error);
	values[COL_AT - 1] = TimestampTzGetDatum(parked->event.at);
	values[COL_KIND - 1] = CharGetDatum(parked->event.kind);
	wf_event_put_body(&parked->event, values + COL_SOURCE - 1, nulls + COL_SOURCE - 1);
	wf_store_insert(rel, values, nulls, &parked->tid);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* Makes a Parked from its row. */
static Parked *
from_row(HeapTuple tuple, TupleDesc desc)
{
	Parked	   *parked = palloc0(sizeof(Parked));
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));

	heap_deform_tuple(tuple, desc, values, nulls);
	parked->id = DatumGetInt64(values[COL_ID - 1]);
	parked->retry_at = DatumGetTimestampTz(values[COL_RETRY_AT - 1]);
	parked->attempt = DatumGetInt32(values[COL_ATTEMPT - 1]);
	parked->reason = TextDatumGetCString(values[COL_REASON - 1]);
	parked->workflow = nulls[COL_WORKFLOW - 1] ? 0 : DatumGetInt32(values[COL_WORKFLOW - 1]);
	parked->error = nulls[COL_ERROR - 1] ? NULL : DatumGetJsonbPCopy(values[COL_ERROR - 1]);
	parked->event.owner = DatumGetInt32(values[COL_OWNER - 1]);
	parked->event.at = DatumGetTimestampTz(values[COL_AT - 1]);
	parked->event.kind = DatumGetChar(values[COL_KIND - 1]);
	wf_event_get_body(&parked->event, values + COL_SOURCE - 1, nulls + COL_SOURCE - 1);
	parked->tid = tuple->t_self;
	return parked;
}

/* The events of an owner that are due again, those due longest first. */
List *
wf_parked_due(int owner, TimestampTz now, int limit)
{
	Relation	rel = wf_store_open("parked", AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *due = NIL;

	ScanKeyInit(&keys[0], COL_OWNER, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(owner));
	ScanKeyInit(&keys[1], COL_RETRY_AT, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE, TimestampTzGetDatum(now));
	PushActiveSnapshot(GetLatestSnapshot());	/* detoasting needs one */
	scan = wf_store_scan(rel, "parked_retry", wf_store_snapshot(), 2, keys);
	while (list_length(due) < limit && HeapTupleIsValid(tuple = systable_getnext(scan)))
		due = lappend(due, from_row(tuple, RelationGetDescr(rel)));
	systable_endscan(scan);
	PopActiveSnapshot();
	table_close(rel, NoLock);
	return due;
}

static int
compare_ids(const ListCell *a, const ListCell *b)
{
	int64		left = ((Parked *) lfirst(a))->id;
	int64		right = ((Parked *) lfirst(b))->id;

	return left < right ? -1 : left > right;
}

/* The changes that are kept for an enrollment, oldest first. */
List *
wf_parked_kept(int64 target)
{
	Relation	rel = wf_store_open("parked", AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *kept = NIL;

	ScanKeyInit(&key, COL_TARGET, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(target));
	PushActiveSnapshot(GetLatestSnapshot());	/* detoasting needs one */
	scan = wf_store_scan(rel, "parked_target", wf_store_snapshot(), 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Parked	   *parked = from_row(tuple, RelationGetDescr(rel));

		if (parked->event.kind == EVENT_WAKE && strcmp(parked->reason, PARKED_KEPT) == 0)
			kept = lappend(kept, parked);
	}
	systable_endscan(scan);
	PopActiveSnapshot();
	table_close(rel, NoLock);
	list_sort(kept, compare_ids);
	return kept;
}

/* Finds the place of a parked event by its id. */
static bool
find_parked(Relation rel, int64 id, ItemPointer tid)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	ScanKeyInit(&key, COL_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	scan = wf_store_scan(rel, "parked_pkey", wf_store_snapshot(), 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
		*tid = tuple->t_self;
	systable_endscan(scan);
	return found;
}

/*
 * Deletes a parked event: the licence to act on it.  It is found by its id,
 * for it may have been released, and so moved, since it was loaded.
 */
void
wf_parked_delete(const Parked *parked)
{
	Relation	rel = wf_store_open("parked", RowExclusiveLock);
	ItemPointerData tid;

	if (!find_parked(rel, parked->id, &tid))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("a parked event was consumed by another process")));
	wf_store_delete(rel, &tid);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* The enrollment has ended. */
void
wf_parked_forget(int64 target)
{
	ListCell   *lc;

	foreach(lc, wf_parked_kept(target))
		wf_parked_delete(lfirst(lc));
}

/* When the next event of an owner is due again; 0 if none is, or none by time. */
TimestampTz
wf_parked_next(int owner)
{
	Relation	rel = wf_store_open("parked", AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	TimestampTz next = 0;
	bool		isnull;

	ScanKeyInit(&key, COL_OWNER, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(owner));
	scan = wf_store_scan(rel, "parked_retry", wf_store_snapshot(), 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		next = DatumGetTimestampTz(heap_getattr(tuple, COL_RETRY_AT, RelationGetDescr(rel), &isnull));
	systable_endscan(scan);
	table_close(rel, NoLock);
	return TIMESTAMP_IS_NOEND(next) ? 0 : next;
}

/* Makes due what waits for a workflow that is released. */
void
wf_parked_release(int workflow, TimestampTz now)
{
	Relation	rel = wf_store_open("parked", RowExclusiveLock);
	int			natts = RelationGetDescr(rel)->natts;
	Datum	   *values = palloc0(natts * sizeof(Datum));
	bool	   *nulls = palloc0(natts * sizeof(bool));
	bool	   *replace = palloc0(natts * sizeof(bool));
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	values[COL_RETRY_AT - 1] = TimestampTzGetDatum(now);
	nulls[COL_WORKFLOW - 1] = true;
	replace[COL_RETRY_AT - 1] = replace[COL_WORKFLOW - 1] = true;
	ScanKeyInit(&key, COL_WORKFLOW, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(workflow));
	scan = wf_store_scan(rel, "parked_workflow", wf_store_snapshot(), 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		tuple = heap_copytuple(tuple);
		wf_store_update(rel, tuple, values, nulls, replace);
		heap_freetuple(tuple);
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}
