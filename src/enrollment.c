/*
 * enrollment.c -- automation.enrollment with what hangs on it: rows of
 * argument, timer and wait, and the rows of automation.call.
 *
 * Called by the executor's rooms, which hold the owner's seat: nobody else
 * writes enrollments of that owner.  An ERROR about a concurrent change means
 * that somebody did, and ends the batch.
 *
 * Look-ups see the latest committed state and the own writes; results are in
 * the current context.  Each writing function ends with a command counter
 * increment, so that the next look-up sees its rows.  An Enrollment that was
 * stored keeps its row's tuple in the context it was made in; after a rollback
 * it must be loaded again.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "enrollment.h"
#include "enrollment_json.h"
#include "event_internal.h"
#include "key.h"
#include "parked.h"
#include "rekey.h"
#include "sequence.h"
#include "store.h"
#include "timer.h"
#include "wait.h"

/* Columns of automation.enrollment. */
enum
{
	COL_ID = 1, COL_WORKFLOW, COL_VERSION, COL_OWNER, COL_SOURCE, COL_KEY, COL_ENTRY_KEY,
	COL_ARGS, COL_VARS, COL_FOUND, COL_STATEMENT, COL_EPOCH, COL_STATE, COL_REASON,
	COL_WAITING, COL_JUMPS, COL_ENTERED_AT, COL_SINCE, COL_WAKE_AT, COL_CAUSE, COL_ATTEMPT,
	COL_ERROR, COL_GOALS
};
#define ENROLLMENT_COLUMNS COL_GOALS

/* Columns of automation.argument and automation.call. */
#define ARGUMENT_SOURCE 1
#define ARGUMENT_KEY 2
#define ARGUMENT_ENROLLMENT 3
#define CALL_ID 1
#define CALL_CALLER 2

/* The rows of other tables an enrollment has. */
typedef struct Attached
{
	TimestampTz wake_at;				/* of its timer; 0 = none */
	List	   *ties;					/* of int64 *: wait rows, TIE_SWEPT included */
	List	   *rows;					/* of RowArgument *: argument rows */
} Attached;

static const char *const state_names[] =
{
	[STATE_NEW] = "new",
	[STATE_WAITING] = "waiting",
	[STATE_RETRYING] = "retrying",
	[STATE_HELD] = "held",
	[STATE_FAILED] = "failed"
};

/* Name of a state, as stored. */
const char *
wf_state_name(EnrollmentState state)
{
	return state_names[state];
}

/* A column's value, or 0 and "" for a null one. */
static Datum
value_or_zero(const Datum *values, const bool *nulls, int column)
{
	return nulls[column - 1] ? (Datum) 0 : values[column - 1];
}

static char *
text_or_null(const Datum *values, const bool *nulls, int column)
{
	return nulls[column - 1] ? NULL : TextDatumGetCString(values[column - 1]);
}

static Jsonb *
jsonb_or_null(const Datum *values, const bool *nulls, int column)
{
	return nulls[column - 1] ? NULL : DatumGetJsonbPCopy(values[column - 1]);
}

/* goals: those had, an empty string, those skipped; no goal's name is empty. */
static Datum
goals_to_array(const Enrollment *e, bool *isnull)
{
	int			n = 0;
	Datum	   *items;
	ListCell   *lc;

	*isnull = e->goals == NIL && e->goals_skipped == NIL;
	if (*isnull)
		return (Datum) 0;
	items = palloc(sizeof(Datum) * (list_length(e->goals) + list_length(e->goals_skipped) + 1));
	foreach(lc, e->goals)
		items[n++] = CStringGetTextDatum(lfirst(lc));
	if (e->goals_skipped != NIL)
		items[n++] = CStringGetTextDatum("");
	foreach(lc, e->goals_skipped)
		items[n++] = CStringGetTextDatum(lfirst(lc));
	return PointerGetDatum(construct_array(items, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
goals_of_array(Enrollment *e, Datum array)
{
	Datum	   *items;
	bool	   *nulls;
	int			n;
	bool		skipped = false;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		char	   *name = nulls[i] ? "" : TextDatumGetCString(items[i]);

		if (name[0] == '\0')
			skipped = true;
		else if (skipped)
			e->goals_skipped = lappend(e->goals_skipped, name);
		else
			e->goals = lappend(e->goals, name);
	}
}

/* Makes an Enrollment from its row. */
static Enrollment *
from_row(const Datum *values, const bool *nulls)
{
	Enrollment *e = palloc0(sizeof(Enrollment));
	Jsonb	   *jsonb;

	e->id = DatumGetInt64(values[COL_ID - 1]);
	e->workflow = DatumGetInt32(values[COL_WORKFLOW - 1]);
	e->version = DatumGetInt32(values[COL_VERSION - 1]);
	e->owner = DatumGetInt32(values[COL_OWNER - 1]);
	e->source = DatumGetInt32(value_or_zero(values, nulls, COL_SOURCE));
	e->key = text_or_null(values, nulls, COL_KEY);
	e->entry_key = text_or_null(values, nulls, COL_ENTRY_KEY);
	e->args = wf_enrollment_texts_of_jsonb(DatumGetJsonbP(values[COL_ARGS - 1]), &e->nargs);
	jsonb = jsonb_or_null(values, nulls, COL_VARS);
	if (jsonb)
		e->vars = wf_enrollment_texts_of_jsonb(jsonb, &e->nvars);
	e->found = DatumGetBool(values[COL_FOUND - 1]);
	e->statement = DatumGetInt32(values[COL_STATEMENT - 1]);
	e->epoch = DatumGetInt32(values[COL_EPOCH - 1]);
	e->state = wf_enrollment_find_name(text_or_null(values, nulls, COL_STATE), state_names, lengthof(state_names));
	e->reason = text_or_null(values, nulls, COL_REASON);
	jsonb = jsonb_or_null(values, nulls, COL_WAITING);
	if (jsonb)
		wf_enrollment_waiting_of_jsonb(e, jsonb);
	e->jumps = jsonb_or_null(values, nulls, COL_JUMPS);
	e->entered_at = DatumGetTimestampTz(values[COL_ENTERED_AT - 1]);
	e->since = DatumGetTimestampTz(values[COL_SINCE - 1]);
	e->wake_at = DatumGetTimestampTz(value_or_zero(values, nulls, COL_WAKE_AT));
	e->cause = wf_int64_items(values[COL_CAUSE - 1], nulls[COL_CAUSE - 1], &e->ncause);
	e->attempt = DatumGetInt32(values[COL_ATTEMPT - 1]);
	e->error = jsonb_or_null(values, nulls, COL_ERROR);
	if (!nulls[COL_GOALS - 1])
		goals_of_array(e, values[COL_GOALS - 1]);
	e->stored = true;
	return e;
}

/* Sets a text or jsonb column; NULL for a null pointer. */
static void
set_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column - 1] = text == NULL;
	if (text)
		values[column - 1] = CStringGetTextDatum(text);
}

static void
set_jsonb(Datum *values, bool *nulls, int column, Jsonb *jsonb)
{
	nulls[column - 1] = jsonb == NULL;
	if (jsonb)
		values[column - 1] = JsonbPGetDatum(jsonb);
}

/* Fills a row from an Enrollment. */
static void
to_row(const Enrollment *e, Datum *values, bool *nulls)
{
	values[COL_ID - 1] = Int64GetDatum(e->id);
	values[COL_WORKFLOW - 1] = Int32GetDatum(e->workflow);
	values[COL_VERSION - 1] = Int32GetDatum(e->version);
	values[COL_OWNER - 1] = Int32GetDatum(e->owner);
	nulls[COL_SOURCE - 1] = e->source == 0;
	values[COL_SOURCE - 1] = Int32GetDatum(e->source);
	set_text(values, nulls, COL_KEY, e->key ? wf_key_lookup(e->key) : NULL);
	set_text(values, nulls, COL_ENTRY_KEY, wf_key_lookup(e->entry_key));
	set_jsonb(values, nulls, COL_ARGS, wf_enrollment_args_to_jsonb(e));
	set_jsonb(values, nulls, COL_VARS, e->nvars > 0 ? wf_enrollment_vars_to_jsonb(e) : NULL);
	values[COL_FOUND - 1] = BoolGetDatum(e->found);
	values[COL_STATEMENT - 1] = Int32GetDatum(e->statement);
	values[COL_EPOCH - 1] = Int32GetDatum(e->epoch);
	set_text(values, nulls, COL_STATE, wf_state_name(e->state));
	set_text(values, nulls, COL_REASON, e->reason);
	set_jsonb(values, nulls, COL_WAITING, wf_enrollment_waiting_to_jsonb(e));
	set_jsonb(values, nulls, COL_JUMPS, e->jumps);
	values[COL_ENTERED_AT - 1] = TimestampTzGetDatum(e->entered_at);
	values[COL_SINCE - 1] = TimestampTzGetDatum(e->since);
	nulls[COL_WAKE_AT - 1] = e->wake_at == 0;
	values[COL_WAKE_AT - 1] = TimestampTzGetDatum(e->wake_at);
	values[COL_CAUSE - 1] = wf_int64_array(e->ncause, e->cause, &nulls[COL_CAUSE - 1]);
	values[COL_ATTEMPT - 1] = Int32GetDatum(e->attempt);
	set_jsonb(values, nulls, COL_ERROR, e->error);
	values[COL_GOALS - 1] = goals_to_array(e, &nulls[COL_GOALS - 1]);
}

/* Key of a scan: a text column of an index is ordered by the column's collation. */
static void
init_text_key(ScanKey key, Relation rel, AttrNumber column, const char *text)
{
	ScanKeyInit(key, column, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(text));
	key->sk_collation = TupleDescAttr(RelationGetDescr(rel), column - 1)->attcollation;
}

/* The row that an index finds under the keys; NULL if there is none. */
static Enrollment *
load(Relation rel, const char *index, int nkeys, ScanKey keys)
{
	SysScanDesc scan = wf_store_scan(rel, index, wf_store_snapshot(), nkeys, keys);
	HeapTuple	tuple = systable_getnext(scan);
	Enrollment *e = NULL;

	if (HeapTupleIsValid(tuple))
	{
		TupleDesc	desc = RelationGetDescr(rel);
		Datum	   *values = palloc(desc->natts * sizeof(Datum));
		bool	   *nulls = palloc(desc->natts * sizeof(bool));

		heap_deform_tuple(tuple, desc, values, nulls);
		e = from_row(values, nulls);
		e->tuple = heap_copytuple(tuple);
	}
	systable_endscan(scan);
	return e;
}

/* A new enrollment's id. */
int64
wf_enrollment_new_id(void)
{
	return wf_sequence_next(wf_store_relid("enrollment_seq"));
}

/* Loads an enrollment by id. */
Enrollment *
wf_enrollment_load(int64 id)
{
	Relation	rel = wf_store_open("enrollment", AccessShareLock);
	ScanKeyData key;
	Enrollment *e;

	ScanKeyInit(&key, COL_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	e = load(rel, "enrollment_pkey", 1, &key);
	table_close(rel, NoLock);
	return e;
}

/* Appends an id unless it is in the list. */
static List *
add_id(List *ids, int64 id)
{
	ListCell   *lc;
	int64	   *item;

	foreach(lc, ids)
		if (*(int64 *) lfirst(lc) == id)
			return ids;
	item = palloc(sizeof(int64));
	*item = id;
	return lappend(ids, item);
}

/* Appends the ids in column "id" of the rows with this source and key. */
static List *
ids_of_row(List *ids, const char *table, const char *index, int source_column, int key_column, int id_column,
		   int source, const char *key)
{
	Relation	rel = wf_store_open(table, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;

	ScanKeyInit(&keys[0], source_column, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(source));
	init_text_key(&keys[1], rel, key_column, key);
	scan = wf_store_scan(rel, index, wf_store_snapshot(), 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		ids = add_id(ids, DatumGetInt64(heap_getattr(tuple, id_column, RelationGetDescr(rel), &isnull)));
	systable_endscan(scan);
	table_close(rel, NoLock);
	return ids;
}

/* Ids of the enrollments that hold a row as first or later argument. */
List *
wf_enrollments_of_row(int source, const char *key)
{
	char	   *lookup = wf_key_lookup(key);
	List	   *ids;

	ids = ids_of_row(NIL, "enrollment", "enrollment_subject", COL_SOURCE, COL_KEY, COL_ID, source, lookup);
	return ids_of_row(ids, "argument", "argument_row", ARGUMENT_SOURCE, ARGUMENT_KEY, ARGUMENT_ENROLLMENT,
					  source, lookup);
}

/* Ids of a workflow above one, in pieces; see enrollment.h. */
bool
wf_enrollments_above(int64 *after, int workflow, int limit, List **ids)
{
	Relation	rel = wf_store_open("enrollment", AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple = NULL;
	bool		isnull;

	*ids = NIL;
	ScanKeyInit(&key, COL_ID, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(*after));
	scan = wf_store_scan(rel, "enrollment_pkey", wf_store_snapshot(), 1, &key);
	while (limit-- > 0 && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		*after = DatumGetInt64(heap_getattr(tuple, COL_ID, RelationGetDescr(rel), &isnull));
		if (DatumGetInt32(heap_getattr(tuple, COL_WORKFLOW, RelationGetDescr(rel), &isnull)) == workflow)
		{
			int64	   *id = palloc(sizeof(int64));

			*id = *after;
			*ids = lappend(*ids, id);
		}
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return HeapTupleIsValid(tuple);
}

/* What hangs on an enrollment as it is in memory. */
static Attached
attached_to(const Enrollment *e)
{
	static const int64 swept = TIE_SWEPT;
	Attached	attached = {.wake_at = e->wake_at, .rows = e->row_args};

	attached.ties = list_copy(e->ties);
	if (e->swept)
		attached.ties = lappend(attached.ties, (void *) &swept);
	return attached;
}

/* What hangs on its stored row. */
static Attached
attached_to_row(const Enrollment *e)
{
	Relation	rel;
	Enrollment	stored = {0};
	Datum		value;
	bool		isnull;

	if (!e->stored)
		return (Attached) {0};
	rel = wf_store_open("enrollment", RowExclusiveLock);
	value = heap_getattr(e->tuple, COL_WAKE_AT, RelationGetDescr(rel), &isnull);
	stored.wake_at = isnull ? 0 : DatumGetTimestampTz(value);
	value = heap_getattr(e->tuple, COL_WAITING, RelationGetDescr(rel), &isnull);
	if (!isnull)
		wf_enrollment_waiting_of_jsonb(&stored, DatumGetJsonbPCopy(value));
	table_close(rel, NoLock);
	return attached_to(&stored);
}

static int
compare_ties(const ListCell *a, const ListCell *b)
{
	int64		left = *(int64 *) lfirst(a);
	int64		right = *(int64 *) lfirst(b);

	return left < right ? -1 : left > right;
}

/* Calls fn for each of the ties that the others have not; both are sorted.  An
 * array may have made many of them. */
static void
each_missing(const Enrollment *e, List *ties, List *others, void (*fn) (int64 tie, int owner, int64 enrollment))
{
	int			n = list_length(others);
	int			i = 0;
	ListCell   *lc;

	foreach(lc, ties)
	{
		int64		tie = *(int64 *) lfirst(lc);

		while (i < n && *(int64 *) list_nth(others, i) < tie)
			i++;
		if (i < n && *(int64 *) list_nth(others, i) == tie)
			continue;
		CHECK_FOR_INTERRUPTS();
		fn(tie, e->owner, e->id);
	}
}

static bool
same_rows(List *left, List *right)
{
	ListCell   *a;
	ListCell   *b;

	if (list_length(left) != list_length(right))
		return false;
	forboth(a, left, b, right)
	{
		RowArgument *x = lfirst(a);
		RowArgument *y = lfirst(b);

		if (x->source != y->source || strcmp(x->key, y->key) != 0)
			return false;
	}
	return true;
}

/* Inserts a row of automation.argument. */
static void
insert_argument(const RowArgument *row, int64 enrollment)
{
	Relation	rel = wf_store_open("argument", RowExclusiveLock);
	Datum		values[3];
	bool		nulls[3] = {0};

	values[ARGUMENT_SOURCE - 1] = Int32GetDatum(row->source);
	values[ARGUMENT_KEY - 1] = CStringGetTextDatum(wf_key_lookup(row->key));
	values[ARGUMENT_ENROLLMENT - 1] = Int64GetDatum(enrollment);
	wf_store_insert(rel, values, nulls, NULL);
	table_close(rel, NoLock);
}

/* Deletes the rows of automation.argument for one argument of an enrollment. */
static void
delete_argument(const RowArgument *row, int64 enrollment)
{
	Relation	rel = wf_store_open("argument", RowExclusiveLock);
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], ARGUMENT_SOURCE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(row->source));
	init_text_key(&keys[1], rel, ARGUMENT_KEY, wf_key_lookup(row->key));
	ScanKeyInit(&keys[2], ARGUMENT_ENROLLMENT, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(enrollment));
	scan = wf_store_scan(rel, "argument_row", wf_store_snapshot(), 3, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		wf_store_delete(rel, &tuple->t_self);
	systable_endscan(scan);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/*
 * Brings timer, wait and argument rows from the old to the new set.  A timer
 * carries the epoch, so it is always a new one.
 */
static void
move_attached(const Enrollment *e, Attached old, Attached new)
{
	ListCell   *lc;

	if (old.wake_at != 0)
		wf_timer_delete(e->owner, old.wake_at, e->id);
	if (new.wake_at != 0)
		wf_timer_insert(e->owner, new.wake_at, e->id, e->epoch);
	list_sort(old.ties, compare_ties);
	list_sort(new.ties, compare_ties);
	each_missing(e, old.ties, new.ties, wf_wait_delete);
	each_missing(e, new.ties, old.ties, wf_wait_insert);
	if (!same_rows(old.rows, new.rows))
	{
		foreach(lc, old.rows)
			delete_argument(lfirst(lc), e->id);
		foreach(lc, new.rows)
			insert_argument(lfirst(lc), e->id);
	}
}

/*
 * Writes the row.  All columns are replaced; as the indexed ones rarely differ
 * the new version mostly stays on its page and needs no index entries.
 */
static void
write_row(Enrollment *e)
{
	Relation	rel = wf_store_open("enrollment", RowExclusiveLock);
	int			natts = RelationGetDescr(rel)->natts;
	Datum	   *values = palloc0(natts * sizeof(Datum));
	bool	   *nulls = palloc0(natts * sizeof(bool));
	MemoryContext old;
	HeapTuple	tuple;

	memset(nulls + ENROLLMENT_COLUMNS, true, (natts - ENROLLMENT_COLUMNS) * sizeof(bool));
	to_row(e, values, nulls);
	if (e->put_off && !e->stored)
	{
		wf_store_insert_unseen(rel, values, nulls);
		table_close(rel, NoLock);
		return;
	}
	old = MemoryContextSwitchTo(GetMemoryChunkContext(e));
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	MemoryContextSwitchTo(old);
	if (e->stored)
		wf_store_update_tuple(rel, &e->tuple->t_self, tuple);
	else
		wf_store_insert_tuple(rel, tuple);
	table_close(rel, NoLock);
	e->tuple = tuple;
	e->stored = true;
}

/* Inserts or updates the enrollment with all that hangs on it. */
void
wf_enrollment_save(Enrollment *e)
{
	Attached	old = attached_to_row(e);

	if (e->state == STATE_NEW)
		elog(ERROR, "enrollment " INT64_FORMAT " is saved without a state", e->id);
	e->epoch++;
	write_row(e);
	move_attached(e, old, attached_to(e));
	CommandCounterIncrement();
}

/* Deletes the enrollment; whoever waits for its end is told. */
void
wf_enrollment_end(Enrollment *e)
{
	if (e->stored)
	{
		Relation	rel = wf_store_open("enrollment", RowExclusiveLock);

		move_attached(e, attached_to_row(e), (Attached) {0});
		wf_store_delete(rel, &e->tuple->t_self);
		table_close(rel, NoLock);
		CommandCounterIncrement();
		e->stored = false;
		e->tuple = NULL;
		if (e->kept)
			wf_parked_forget(e->id);
	}
	if (!e->uncalled)
		wf_call_close(e->id);
}

/* Opens a call by hand: its id is reserved, its verdict pending. */
void
wf_call_open(int64 id, Oid caller)
{
	Relation	rel = wf_store_open("call", RowExclusiveLock);
	Datum		values[2];
	bool		nulls[2] = {0};

	values[CALL_ID - 1] = Int64GetDatum(id);
	values[CALL_CALLER - 1] = ObjectIdGetDatum(caller);
	wf_store_insert(rel, values, nulls, NULL);
	table_close(rel, NoLock);
}

/* Finds the row of a call; false if there is none. */
static bool
find_call(Relation rel, int64 id, ItemPointer tid)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	ScanKeyInit(&key, CALL_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	scan = wf_store_scan(rel, "call_pkey", wf_store_snapshot(), 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
		*tid = tuple->t_self;
	systable_endscan(scan);
	return found;
}

/* Appends a wake-up for an enrollment that waited for the end of a call. */
static void
wake(const Waiter *waiter)
{
	Event		event = {.kind = EVENT_WAKE, .owner = waiter->owner, .target = waiter->enrollment};

	wf_event_append(&event);
}

/*
 * Closes a call that ended or was refused, and tells who waits for that; not
 * every enrollment began with one.  First the row is deleted, which waits for
 * whoever has it locked because he is just registering his wait, then the
 * waiters are looked up with a new snapshot: no one is missed.
 */
void
wf_call_close(int64 id)
{
	Relation	rel = wf_store_open("call", RowExclusiveLock);
	ItemPointerData tid;
	ListCell   *lc;

	if (find_call(rel, id, &tid))
	{
		wf_store_delete(rel, &tid);
		CommandCounterIncrement();
		foreach(lc, wf_waiters(wf_tie_finished(id)))
			wake(lfirst(lc));
	}
	table_close(rel, NoLock);
}

/* Locks a call's row against its end; false if it has ended meanwhile. */
static bool
lock_call(Relation rel, ItemPointer tid)
{
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TM_FailureData failure;
	TM_Result	result;

	result = table_tuple_lock(rel, tid, GetActiveSnapshot(), slot, GetCurrentCommandId(true),
							  LockTupleKeyShare, LockWaitBlock, 0, &failure);
	ExecDropSingleTupleTableSlot(slot);
	if (result != TM_Ok && result != TM_Deleted)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access to a call")));
	return result == TM_Ok;
}

/*
 * Tells whether a call has ended: neither it nor its enrollment exists.  With
 * "lock" a call that has not stays until the end of our transaction.
 */
bool
wf_call_finished(int64 id, bool lock)
{
	Relation	rel = wf_store_open("call", lock ? RowShareLock : AccessShareLock);
	ItemPointerData tid;
	bool		open;

	PushActiveSnapshot(GetLatestSnapshot());	/* the row found stays in its place */
	open = find_call(rel, id, &tid);
	if (open && lock)
		open = lock_call(rel, &tid);
	PopActiveSnapshot();
	table_close(rel, NoLock);
	return !open && wf_enrollment_load(id) == NULL;
}
