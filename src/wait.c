/*
 * wait.c -- automation.wait: waits that no subject's change will find.
 *
 * A tie is a hash of what is waited for (tie.c).  Tie TIE_SWEPT marks the waits that only the passing of time can decide; they
 * are looked at again every automation.recheck_interval.  Written by the
 * executor that holds the owner's seat, read by whoever ends what is waited
 * for.  Results are in the current context.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "lookup.h"
#include "store.h"
#include "wait.h"

#define WAIT_TIE 1
#define WAIT_OWNER 2
#define WAIT_ENROLLMENT 3

/* Inserts a wait row. */
void
wf_wait_insert(int64 tie, int owner, int64 enrollment)
{
	Relation	rel = wf_store_open("wait", RowExclusiveLock);
	Datum		values[3];
	bool		nulls[3] = {0};

	values[WAIT_TIE - 1] = Int64GetDatum(tie);
	values[WAIT_OWNER - 1] = Int32GetDatum(owner);
	values[WAIT_ENROLLMENT - 1] = Int64GetDatum(enrollment);
	wf_store_insert(rel, values, nulls, NULL);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* Fills keys for a tie and its owner. */
static void
init_keys(ScanKey keys, int64 tie, int owner)
{
	ScanKeyInit(&keys[0], WAIT_TIE, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(tie));
	ScanKeyInit(&keys[1], WAIT_OWNER, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(owner));
}

/* Deletes the wait rows of an enrollment for a tie. */
void
wf_wait_delete(int64 tie, int owner, int64 enrollment)
{
	Relation	rel = wf_store_open("wait", RowExclusiveLock);
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;

	init_keys(keys, tie, owner);
	ScanKeyInit(&keys[2], WAIT_ENROLLMENT, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(enrollment));
	scan = wf_store_scan(rel, "wait_tie", wf_store_snapshot(), 3, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		wf_store_delete(rel, &tuple->t_self);
	systable_endscan(scan);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* Who waits for a tie, whatever the owner. */
List *
wf_waiters(int64 tie)
{
	Relation	rel = wf_store_open("wait", AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *waiters = NIL;
	bool		isnull;

	ScanKeyInit(&key, WAIT_TIE, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(tie));
	scan = wf_store_scan(rel, "wait_tie", wf_store_snapshot(), 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Waiter	   *waiter = palloc(sizeof(Waiter));

		waiter->owner = DatumGetInt32(heap_getattr(tuple, WAIT_OWNER, RelationGetDescr(rel), &isnull));
		waiter->enrollment = DatumGetInt64(heap_getattr(tuple, WAIT_ENROLLMENT, RelationGetDescr(rel), &isnull));
		waiters = lappend(waiters, waiter);
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return waiters;
}

/*
 * The next of an owner's waits for a tie, in order of the enrollments' ids.  Asked
 * for each change of a watched table: the index is kept open for the batch.
 */
List *
wf_wait_tied(int64 tie, int owner, int64 after, int limit)
{
	Lookup	   *lookup = wf_lookup_open(wf_store_relid("wait"), wf_store_index("wait_tie"));
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TupleTableSlot *slot;
	ScanKeyData keys[3];
	List	   *ids = NIL;
	bool		isnull;

	init_keys(keys, tie, owner);
	ScanKeyInit(&keys[2], WAIT_ENROLLMENT, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(after));
	for (slot = wf_lookup_find(lookup, 3, keys, snapshot);
		 slot != NULL && list_length(ids) < limit;
		 slot = wf_lookup_next(lookup))
	{
		int64		id = DatumGetInt64(slot_getattr(slot, WAIT_ENROLLMENT, &isnull));

		if (ids == NIL || *(int64 *) llast(ids) != id)
		{
			int64	   *item = palloc(sizeof(int64));

			*item = id;
			ids = lappend(ids, item);
		}
	}
	UnregisterSnapshot(snapshot);
	wf_lookup_close(lookup);
	return ids;
}

/* The next of an owner's swept waits, in order of the enrollments' ids. */
List *
wf_wait_swept(int owner, int64 after, int limit)
{
	Relation	rel = wf_store_open("wait", AccessShareLock);
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *ids = NIL;
	bool		isnull;

	init_keys(keys, TIE_SWEPT, owner);
	ScanKeyInit(&keys[2], WAIT_ENROLLMENT, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(after));
	scan = wf_store_scan(rel, "wait_tie", wf_store_snapshot(), 3, keys);
	while (list_length(ids) < limit && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		int64	   *id = palloc(sizeof(int64));

		*id = DatumGetInt64(heap_getattr(tuple, WAIT_ENROLLMENT, RelationGetDescr(rel), &isnull));
		ids = lappend(ids, id);
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return ids;
}
