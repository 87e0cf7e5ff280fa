/*
 * due.c -- rows of automation.due, and the timers that belong to them.
 *
 * Written by the executor that holds the owner's seat, and by DDL on the
 * workflow.  Results are in the current context; writing functions end with a
 * command counter increment.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "due.h"
#include "key.h"
#include "store.h"

enum
{
	COL_ID = 1, COL_OWNER, COL_WORKFLOW, COL_CLAUSE, COL_SOURCE, COL_KEY, COL_SUBJECT,
	COL_AT, COL_LOOK_AT, COL_ASKED_AT, COL_FIRED_AT, COL_EPOCH
};
#define COLUMNS COL_EPOCH

static TimestampTz
moment_of(const Datum *values, const bool *nulls, int column)
{
	return nulls[column - 1] ? 0 : DatumGetTimestampTz(values[column - 1]);
}

static Due *
from_row(HeapTuple tuple, TupleDesc desc)
{
	Due		   *due = palloc0(sizeof(Due));
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];

	heap_deform_tuple(tuple, desc, values, nulls);
	due->id = DatumGetInt64(values[COL_ID - 1]);
	due->owner = DatumGetInt32(values[COL_OWNER - 1]);
	due->workflow = DatumGetInt32(values[COL_WORKFLOW - 1]);
	due->clause = DatumGetInt32(values[COL_CLAUSE - 1]);
	due->source = DatumGetInt32(values[COL_SOURCE - 1]);
	due->key = TextDatumGetCString(values[COL_KEY - 1]);
	due->subject = nulls[COL_SUBJECT - 1] ? due->key : TextDatumGetCString(values[COL_SUBJECT - 1]);
	due->at = moment_of(values, nulls, COL_AT);
	due->look_at = moment_of(values, nulls, COL_LOOK_AT);
	due->asked_at = moment_of(values, nulls, COL_ASKED_AT);
	due->fired_at = moment_of(values, nulls, COL_FIRED_AT);
	due->epoch = DatumGetInt32(values[COL_EPOCH - 1]);
	return due;
}

/* Rows that a scan yields, at most limit of them. */
static List *
collect(const char *index, int nkeys, ScanKey keys, int owner, int limit)
{
	Relation	rel = wf_store_open("due", AccessShareLock);
	SysScanDesc scan = wf_store_scan(rel, index, wf_store_snapshot(), nkeys, keys);
	List	   *found = NIL;
	HeapTuple	tuple;

	while (list_length(found) < limit && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Due		   *due = from_row(tuple, RelationGetDescr(rel));

		if (owner == 0 || due->owner == owner)
			found = lappend(found, due);
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return found;
}

Due *
wf_due_load(int64 id)
{
	ScanKeyData key;
	List	   *found;

	ScanKeyInit(&key, COL_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	found = collect("due_pkey", 1, &key, 0, 1);
	return found == NIL ? NULL : linitial(found);
}

static void
init_row_keys(ScanKey keys, int source, const char *lookup)
{
	ScanKeyInit(&keys[0], COL_SOURCE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(source));
	ScanKeyInit(&keys[1], COL_KEY, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(lookup));
	keys[1].sk_collation = C_COLLATION_OID;
}

List *
wf_due_of_row(int owner, int source, const char *lookup)
{
	ScanKeyData keys[2];

	init_row_keys(keys, source, lookup);
	return collect("due_subject", 2, keys, owner, INT_MAX);
}

Due *
wf_due_find(int owner, int workflow, int clause, int source, const char *subject)
{
	ScanKeyData keys[4];
	char	   *lookup = wf_key_lookup(subject);
	List	   *found;
	Due		   *due;

	init_row_keys(keys, source, lookup);
	ScanKeyInit(&keys[2], COL_WORKFLOW, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(workflow));
	ScanKeyInit(&keys[3], COL_CLAUSE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(clause));
	found = collect("due_subject", 4, keys, 0, 1);
	if (found != NIL)
		return linitial(found);
	due = palloc0(sizeof(Due));
	due->owner = owner;
	due->workflow = workflow;
	due->clause = clause;
	due->source = source;
	due->key = lookup;
	due->subject = pstrdup(subject);
	return due;
}

List *
wf_due_of_workflow(int workflow, int64 after, int limit)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], COL_WORKFLOW, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(workflow));
	ScanKeyInit(&keys[1], COL_ID, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(after));
	return collect("due_workflow", 2, keys, 0, limit);
}

/* The moment of a row's timer; 0 = it has none. */
static TimestampTz
timer_of(const Due *due)
{
	return due->at != 0 ? due->at : due->look_at;
}

/* The stored row, copied; its timer is deleted. */
static HeapTuple
take_stored(Relation rel, const Due *due)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Due		   *stored;

	ScanKeyInit(&key, COL_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(due->id));
	scan = wf_store_scan(rel, "due_pkey", wf_store_snapshot(), 1, &key);
	tuple = systable_getnext(scan);
	tuple = HeapTupleIsValid(tuple) ? heap_copytuple(tuple) : NULL;
	systable_endscan(scan);
	if (tuple == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("a moment was deleted by another process")));
	stored = from_row(tuple, RelationGetDescr(rel));
	if (timer_of(stored) != 0)
		wf_timer_delete(stored->owner, timer_of(stored), -stored->id);
	return tuple;
}

static void
put_moment(Datum *values, bool *nulls, int column, TimestampTz at)
{
	nulls[column - 1] = at == 0;
	values[column - 1] = TimestampTzGetDatum(at);
}

static void
fill(const Due *due, Datum *values, bool *nulls)
{
	memset(nulls, false, COLUMNS * sizeof(bool));
	values[COL_ID - 1] = Int64GetDatum(due->id);
	values[COL_OWNER - 1] = Int32GetDatum(due->owner);
	values[COL_WORKFLOW - 1] = Int32GetDatum(due->workflow);
	values[COL_CLAUSE - 1] = Int32GetDatum(due->clause);
	values[COL_SOURCE - 1] = Int32GetDatum(due->source);
	values[COL_KEY - 1] = CStringGetTextDatum(due->key);
	nulls[COL_SUBJECT - 1] = strcmp(due->key, due->subject) == 0;
	values[COL_SUBJECT - 1] = CStringGetTextDatum(due->subject);
	put_moment(values, nulls, COL_AT, due->at);
	put_moment(values, nulls, COL_LOOK_AT, due->look_at);
	put_moment(values, nulls, COL_ASKED_AT, due->asked_at);
	put_moment(values, nulls, COL_FIRED_AT, due->fired_at);
	values[COL_EPOCH - 1] = Int32GetDatum(due->epoch);
}

void
wf_due_save(Due *due)
{
	Relation	rel = wf_store_open("due", RowExclusiveLock);
	HeapTuple	old = due->id != 0 ? take_stored(rel, due) : NULL;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
	bool		replace[COLUMNS];

	if (old == NULL)
		due->id = wf_store_nextval("due_seq");
	due->epoch++;
	fill(due, values, nulls);
	memset(replace, true, sizeof(replace));
	if (old)
		wf_store_update(rel, old, values, nulls, replace);
	else
		wf_store_insert(rel, values, nulls, NULL);
	table_close(rel, NoLock);
	CommandCounterIncrement();
	if (timer_of(due) != 0)
		wf_timer_insert(due->owner, timer_of(due), -due->id, due->epoch);
}

void
wf_due_delete(Due *due)
{
	Relation	rel;

	if (due->id == 0)
		return;
	rel = wf_store_open("due", RowExclusiveLock);
	wf_store_delete(rel, &take_stored(rel, due)->t_self);
	table_close(rel, NoLock);
	CommandCounterIncrement();
	due->id = 0;
}
