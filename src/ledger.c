/*
 * ledger.c -- automation.ledger: who entered what, how often.
 *
 * Called by the executor that holds the owner's seat.  Look-ups see the latest
 * committed state and the own writes; entries are in the context that was
 * current when they were loaded.  Saving ends with a command counter
 * increment.  A concurrent change or a second row of the key is an ERROR: it
 * means that somebody else ran for this owner.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "key.h"
#include "ledger.h"
#include "store.h"

enum
{
	COL_WORKFLOW = 1, COL_ENTRY_KEY, COL_ENTRIES, COL_FIRST_AT, COL_LAST_AT,
	COL_REFUSALS, COL_REASON, COL_CAUSED, COL_CAUSED_SINCE
};
#define LEDGER_COLUMNS COL_CAUSED_SINCE

static TimestampTz
time_column(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? 0 : DatumGetTimestampTz(value);
}

/* Reads the row into the entry. */
static void
from_row(LedgerEntry *entry, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		reason;

	entry->entries = DatumGetInt32(heap_getattr(tuple, COL_ENTRIES, desc, &isnull));
	entry->first_at = time_column(tuple, desc, COL_FIRST_AT);
	entry->last_at = time_column(tuple, desc, COL_LAST_AT);
	entry->refusals = DatumGetInt32(heap_getattr(tuple, COL_REFUSALS, desc, &isnull));
	entry->caused = DatumGetInt32(heap_getattr(tuple, COL_CAUSED, desc, &isnull));
	entry->caused_since = time_column(tuple, desc, COL_CAUSED_SINCE);
	reason = heap_getattr(tuple, COL_REASON, desc, &isnull);
	entry->reason = isnull ? NULL : TextDatumGetCString(reason);
	entry->stored = true;
	entry->tuple = heap_copytuple(tuple);
}

/* Loads the entry of a key; an empty one if the key is new. */
LedgerEntry *
wf_ledger_load(int workflow, const char *entry_key)
{
	LedgerEntry *entry = palloc0(sizeof(LedgerEntry));
	Relation	rel = wf_store_open("ledger", AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	entry->workflow = workflow;
	entry->entry_key = wf_key_lookup(entry_key);
	ScanKeyInit(&keys[0], COL_WORKFLOW, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(workflow));
	ScanKeyInit(&keys[1], COL_ENTRY_KEY, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(entry->entry_key));
	/* The index is ordered by the column's collation. */
	keys[1].sk_collation = TupleDescAttr(RelationGetDescr(rel), COL_ENTRY_KEY - 1)->attcollation;
	scan = wf_store_scan(rel, "ledger_pkey", wf_store_snapshot(), 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		from_row(entry, tuple, RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, NoLock);
	return entry;
}

/* All entry keys of a workflow. */
List *
wf_ledger_keys(int workflow)
{
	Relation	rel = wf_store_open("ledger", AccessShareLock);
	List	   *result = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;

	ScanKeyInit(&key, COL_WORKFLOW, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(workflow));
	scan = wf_store_scan(rel, "ledger_pkey", wf_store_snapshot(), 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		result = lappend(result, TextDatumGetCString(heap_getattr(tuple, COL_ENTRY_KEY,
																  RelationGetDescr(rel), &isnull)));
	systable_endscan(scan);
	table_close(rel, NoLock);
	return result;
}

static void
set_time(Datum *values, bool *nulls, int column, TimestampTz at)
{
	nulls[column - 1] = at == 0;
	values[column - 1] = TimestampTzGetDatum(at);
}

/* Inserts or updates the entry's row; its key never changes by a save. */
void
wf_ledger_save(LedgerEntry *entry)
{
	Relation	rel = wf_store_open("ledger", RowExclusiveLock);
	int			natts = RelationGetDescr(rel)->natts;
	Datum	   *values = palloc0(natts * sizeof(Datum));
	bool	   *nulls = palloc0(natts * sizeof(bool));
	MemoryContext old;
	HeapTuple	tuple;

	memset(nulls + LEDGER_COLUMNS, true, (natts - LEDGER_COLUMNS) * sizeof(bool));
	values[COL_WORKFLOW - 1] = Int32GetDatum(entry->workflow);
	values[COL_ENTRY_KEY - 1] = CStringGetTextDatum(wf_key_lookup(entry->entry_key));
	values[COL_ENTRIES - 1] = Int32GetDatum(entry->entries);
	set_time(values, nulls, COL_FIRST_AT, entry->first_at);
	set_time(values, nulls, COL_LAST_AT, entry->last_at);
	values[COL_REFUSALS - 1] = Int32GetDatum(entry->refusals);
	nulls[COL_REASON - 1] = entry->reason == NULL;
	if (entry->reason)
		values[COL_REASON - 1] = CStringGetTextDatum(entry->reason);
	values[COL_CAUSED - 1] = Int32GetDatum(entry->caused);
	set_time(values, nulls, COL_CAUSED_SINCE, entry->caused_since);

	old = MemoryContextSwitchTo(GetMemoryChunkContext(entry));
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	MemoryContextSwitchTo(old);
	if (entry->stored)
		wf_store_update_tuple(rel, &entry->tuple->t_self, tuple);
	else
		wf_store_insert_tuple(rel, tuple);
	entry->tuple = tuple;
	entry->stored = true;
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* Deletes the entry's row. */
void
wf_ledger_delete(LedgerEntry *entry)
{
	Relation	rel = wf_store_open("ledger", RowExclusiveLock);

	wf_store_delete(rel, &entry->tuple->t_self);
	entry->stored = false;
	table_close(rel, NoLock);
	CommandCounterIncrement();
}
