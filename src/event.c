/*
 * event.c -- appends to the event log, and the form of its rows.
 *
 * Called by capture (in the users' transactions), by the commands and by the
 * executor.  An event commits if and only if the transaction that appended it
 * does.  Appending waits for nothing but DDL on the extension itself: it takes
 * a lock on a segment conditionally and goes to the next one if it is refused.
 * The pointer automation.log is a hint only; a row in any segment is read.
 *
 * Nothing here runs user code or checks privileges.  Memory is taken from the
 * current context; the list of owners to wake lives in TopMemoryContext, for
 * the commit callback may neither allocate nor fail.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/xid8.h"

#include "board.h"
#include "clock.h"
#include "compat.h"
#include "event_internal.h"
#include "sequence.h"
#include "store.h"

PGDLLEXPORT Datum wf_event_restamp(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(wf_event_restamp);

/* OIDs of the segments, the pointer and the sequence, until an invalidation of one of them. */
typedef struct SegmentCache
{
	bool		valid;
	Oid			log;
	Oid			sequence;
	Oid			segment[EVENT_SEGMENTS];
	int			current;
} SegmentCache;

static SegmentCache cache;

/* Segment this transaction appended to last; -1 = none. */
static int	held = -1;
static bool locked = false;				/* it is still locked by this transaction */

/* An owner this transaction appended for. */
typedef struct Appended
{
	int			owner;
	EventHead	head;
} Appended;

static Appended *owners = NULL;			/* TopMemoryContext */
static int	nowners = 0;
static int	maxowners = 0;

static const char *const segment_names[EVENT_SEGMENTS] = {"event_0", "event_1", "event_2", "event_3"};
static const char *const index_names[EVENT_SEGMENTS] =
{"event_0_xact_idx", "event_1_xact_idx", "event_2_xact_idx", "event_3_xact_idx"};

/* What was put into the segments counts no longer: the next row of each owner
 * will be a head. */
static void
forget_heads(void)
{
	for (int i = 0; i < nowners; i++)
		owners[i].head.relid = InvalidOid;
}

/* Relcache callback: one of ours, or all, may have changed. */
static void
forget_cache(Datum arg, Oid relid)
{
	bool		ours = !OidIsValid(relid) || relid == cache.log || relid == cache.sequence;

	for (int i = 0; i < EVENT_SEGMENTS; i++)
		ours |= relid == cache.segment[i];
	if (!ours)
		return;
	cache.valid = false;
	forget_heads();
}

/*
 * End of the transaction.  At COMMIT the rows are visible already, so whoever
 * is woken finds them; a wake-up for a row of a rolled back savepoint does no
 * harm.  Of a prepared transaction nothing is known here when it commits.
 */
static void
end_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			for (int i = 0; i < nowners; i++)
				wf_board_wake_owner(owners[i].owner);
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			break;
		default:
			return;
	}
	nowners = 0;
	held = -1;
	locked = false;
}

/* A rolled back savepoint takes along the locks and the rows of its time. */
static void
end_subtransaction(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	locked = false;
	forget_heads();
}

/* Registers the callbacks; from _PG_init. */
void
wf_event_init(void)
{
	CacheRegisterRelcacheCallback(forget_cache, (Datum) 0);
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}

/*
 * Reads the segment the pointer names, 0 if there is no row.  False if its
 * table is locked, for nobody waits for the pointer.
 */
bool
wf_event_current(int *segment)
{
	Oid			relid = wf_store_relid("log");
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;

	if (!OidIsValid(relid) || !ConditionalLockRelationOid(relid, AccessShareLock))
		return false;
	rel = try_relation_open(relid, NoLock);
	if (rel == NULL)
		return false;
	scan = wf_store_scan(rel, NULL, wf_store_snapshot(), 0, NULL);
	tuple = systable_getnext(scan);
	*segment = 0;
	if (HeapTupleIsValid(tuple))
		*segment = (uint32) DatumGetInt32(heap_getattr(tuple, 1, RelationGetDescr(rel), &isnull)) % EVENT_SEGMENTS;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return true;
}

/* Looks the OIDs and the pointer up unless they are known. */
static void
load_cache(void)
{
	if (cache.valid)
		return;
	cache.log = wf_store_relid("log");
	cache.sequence = wf_store_relid("event_seq");
	for (int i = 0; i < EVENT_SEGMENTS; i++)
		cache.segment[i] = wf_store_relid(segment_names[i]);

	/* An invalidation that comes while the pointer is read must stick. */
	cache.valid = true;
	(void) wf_event_current(&cache.current);
}

/* Returns the name of a segment. */
const char *
wf_event_segment_name(int segment)
{
	return segment_names[segment];
}

/* Returns the name of the segment's index by xact. */
const char *
wf_event_index_name(int segment)
{
	return index_names[segment];
}

/* Locks a segment for appending if that needs no waiting. */
static bool
try_segment(int segment)
{
	return OidIsValid(cache.segment[segment]) &&
		ConditionalLockRelationOid(cache.segment[segment], RowExclusiveLock);
}

/*
 * Chooses and locks the segment to append to: the one this transaction used,
 * else the pointer's, else the others in ring order.  Only if all are refused,
 * which takes DDL on the extension, it waits for the pointer's.
 */
static int
choose_segment(void)
{
	load_cache();
	if (held >= 0 && try_segment(held))
		return held;
	if (try_segment(cache.current))
		return cache.current;

	cache.valid = false;
	load_cache();
	for (int i = 0; i < EVENT_SEGMENTS; i++)
	{
		int			segment = (cache.current + i) % EVENT_SEGMENTS;

		if (try_segment(segment))
			return segment;
	}
	if (OidIsValid(cache.segment[cache.current]))
		LockRelationOid(cache.segment[cache.current], RowExclusiveLock);
	return cache.current;
}

/* Opens the segment to append to; it stays locked to the end of the transaction,
 * so from the second time on the lock is not asked for. */
static Relation
open_segment(void)
{
	int			segment;
	Oid			relid;
	Relation	rel;

	if (locked && cache.valid)
		return table_open(cache.segment[held], NoLock);
	segment = choose_segment();
	relid = cache.segment[segment];
	rel = OidIsValid(relid) ? try_relation_open(relid, NoLock) : NULL;
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table automation.%s does not exist", segment_names[segment]),
				 errhint("Run CREATE EXTENSION automation in this database.")));
	held = segment;
	locked = true;
	return rel;
}

/* Fetches a row by its place; see the header. */
bool
wf_fetch_row(Relation rel, ItemPointerData tid, Snapshot snapshot, TupleTableSlot *slot)
{
	return ItemPointerGetBlockNumber(&tid) < RelationGetNumberOfBlocks(rel) &&
		table_tuple_fetch_row_version(rel, &tid, snapshot, slot);
}

/* Remembers an owner for the commit callback.  Returns his head; valid until
 * the next call. */
static EventHead *
note_owner(int owner)
{
	for (int i = nowners - 1; i >= 0; i--)
		if (owners[i].owner == owner)
			return &owners[i].head;
	if (nowners == maxowners)
	{
		int			size = Max(16, maxowners * 2);

		owners = owners ? repalloc(owners, size * sizeof(Appended)) :
			MemoryContextAlloc(TopMemoryContext, size * sizeof(Appended));
		maxowners = size;
	}
	owners[nowners] = (Appended) {.owner = owner};
	return &owners[nowners++].head;
}

void
wf_event_wake_at_commit(int owner)
{
	(void) note_owner(owner);
}

/* Array of n numbers without nulls. */
static Datum
number_array(int n, const void *items, Oid type, Size size)
{
	Size		bytes = ARR_OVERHEAD_NONULLS(1) + n * size;
	ArrayType  *array = palloc(bytes);

	SET_VARSIZE(array, bytes);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = type;
	ARR_DIMS(array)[0] = n;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), items, n * size);
	return PointerGetDatum(array);
}

/* bigint[] of n items; NULL if there are none. */
Datum
wf_int64_array(int n, const int64 *items, bool *isnull)
{
	*isnull = n == 0;
	return n == 0 ? (Datum) 0 : number_array(n, items, INT8OID, sizeof(int64));
}

/* Items of a bigint[]; NULL and 0 for a null one. */
int64 *
wf_int64_items(Datum array, bool isnull, int *n)
{
	Datum	   *elems;
	bool	   *elemnulls;
	int64	   *items;

	*n = 0;
	if (isnull)
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(array), INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &elems, &elemnulls, n);
	items = palloc(Max(*n, 1) * sizeof(int64));
	for (int i = 0; i < *n; i++)
		items[i] = elemnulls[i] ? 0 : DatumGetInt64(elems[i]);
	return items;
}

/* int[] of n items; NULL if there are none. */
static Datum
int_array(int n, const int *items, bool *isnull)
{
	*isnull = n == 0;
	return n == 0 ? (Datum) 0 : number_array(n, items, INT4OID, sizeof(int32));
}

/* Items of an int[]. */
static int *
int_items(Datum array, bool isnull, int *n)
{
	Datum	   *elems;
	bool	   *elemnulls;
	int		   *items;

	*n = 0;
	if (isnull)
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(array), INT4OID, sizeof(int32), true, TYPALIGN_INT,
					  &elems, &elemnulls, n);
	items = palloc(Max(*n, 1) * sizeof(int));
	for (int i = 0; i < *n; i++)
		items[i] = elemnulls[i] ? 0 : DatumGetInt32(elems[i]);
	return items;
}

/* A text column; NULL for a null pointer. */
static Datum
text_or_null(const char *string, bool *isnull)
{
	*isnull = string == NULL;
	return string ? CStringGetTextDatum(string) : (Datum) 0;
}

/* A jsonb column; NULL for a null pointer. */
static Datum
jsonb_or_null(Jsonb *jsonb, bool *isnull)
{
	*isnull = jsonb == NULL;
	return jsonb ? JsonbPGetDatum(jsonb) : (Datum) 0;
}

/* Fills the columns from "source" to "cause". */
void
wf_event_put_body(const Event *event, Datum *values, bool *nulls)
{
	nulls[0] = event->source == 0;
	values[0] = Int32GetDatum(event->source);
	values[1] = text_or_null(event->key, &nulls[1]);
	values[2] = text_or_null(event->old_key, &nulls[2]);
	nulls[3] = event->target == 0;
	values[3] = Int64GetDatum(event->target);
	values[4] = int_array(event->nhits, event->hits, &nulls[4]);
	values[5] = wf_int64_array(event->prints ? 2 * event->nhits : 0, event->prints, &nulls[5]);
	values[6] = wf_int64_array(event->nties, event->ties, &nulls[6]);
	values[7] = jsonb_or_null(event->old, &nulls[7]);
	values[8] = jsonb_or_null(event->new, &nulls[8]);
	values[9] = jsonb_or_null(event->args, &nulls[9]);
	values[10] = wf_int64_array(event->ncause, event->cause, &nulls[10]);
}

/*
 * Reads the columns from "source" to "cause".  Fingerprints that are not two
 * per hit can only come from a row made by hand; they count as absent.
 */
void
wf_event_get_body(Event *event, const Datum *values, const bool *nulls)
{
	int			nprints;

	event->source = nulls[0] ? 0 : DatumGetInt32(values[0]);
	event->key = nulls[1] ? NULL : TextDatumGetCString(values[1]);
	event->old_key = nulls[2] ? NULL : TextDatumGetCString(values[2]);
	event->target = nulls[3] ? 0 : DatumGetInt64(values[3]);
	event->hits = int_items(values[4], nulls[4], &event->nhits);
	event->prints = wf_int64_items(values[5], nulls[5], &nprints);
	if (nprints != 2 * event->nhits)
		event->prints = NULL;
	event->ties = wf_int64_items(values[6], nulls[6], &event->nties);
	event->old = nulls[7] ? NULL : DatumGetJsonbPCopy(values[7]);
	event->new = nulls[8] ? NULL : DatumGetJsonbPCopy(values[8]);
	event->args = nulls[9] ? NULL : DatumGetJsonbPCopy(values[9]);
	event->cause = wf_int64_items(values[10], nulls[10], &event->ncause);
}

/*
 * Appends an event.  The sequence is drawn after the change itself was made:
 * for one row, a later version then always has the greater number.
 */
void
wf_event_append(Event *event)
{
	Relation	rel = open_segment();
	HeapTuple	tuple;

	if (RelationGetDescr(rel)->natts < EVENT_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table automation.%s does not fit the library", RelationGetRelationName(rel)),
				 errhint("Run ALTER EXTENSION automation UPDATE.")));
	event->xact = GetTopFullTransactionId();
	event->seq = wf_sequence_next(cache.sequence);
	if (event->at == 0)
		event->at = wf_clock_now();
	tuple = wf_event_form(event);
	wf_event_insert(rel, tuple, note_owner(event->owner));
	heap_freetuple(tuple);
	table_close(rel, NoLock);
}

/* Blocks of a segment that are searched for a row's new key; a log longer than
 * that is taken to hold it. */
#define KEY_SEARCH_BLOCKS 1024

/* Does an unread change in the segment, not of this transaction, move the key? */
static bool
moves_key(Relation rel, int owner, int source, const char *key)
{
	TupleDesc	desc = RelationGetDescr(rel);
	FullTransactionId mine = GetTopFullTransactionIdIfAny();
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	if (RelationGetNumberOfBlocks(rel) > KEY_SEARCH_BLOCKS)
		return true;
	ScanKeyInit(&keys[0], EVENT_OWNER, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(owner));
	ScanKeyInit(&keys[1], EVENT_SOURCE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(source));
	scan = wf_store_scan(rel, NULL, wf_store_snapshot(), 2, keys);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Datum		old_key = heap_getattr(tuple, EVENT_OLD_KEY, desc, &isnull);

		found = !isnull && strcmp(TextDatumGetCString(old_key), key) == 0 &&
			!FullTransactionIdEquals(DatumGetFullTransactionId(heap_getattr(tuple, EVENT_XACT, desc, &isnull)), mine);
	}
	systable_endscan(scan);
	return found;
}

void
wf_event_await_key(int owner, int source, const char *key)
{
	bool		found = false;

	for (int i = 0; i < EVENT_SEGMENTS && !found; i++)
	{
		Relation	rel = wf_store_open(wf_event_segment_name(i), AccessShareLock);

		found = moves_key(rel, owner, source, key);
		table_close(rel, AccessShareLock);
	}
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("the row has another key by a change that is yet to be read")));
}

/*
 * BEFORE INSERT row trigger of the segments.  Our own appends fire no trigger;
 * a row that comes by COPY or INSERT is one of a restore, and its xact is that
 * of another cluster or time.  Readers search by xact, so it becomes ours; what
 * it was is kept, for changes of one row in different transactions must not be
 * taken for one change.
 */
Datum
wf_event_restamp(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	int			columns[3] = {EVENT_XACT, EVENT_HEAD, EVENT_ORIGIN};
	Datum		values[3];
	bool		nulls[3] = {false};

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) || !TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired before insert, for each row", "automation.restamp")));
	desc = RelationGetDescr(trigger->tg_relation);
	values[0] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	values[1] = BoolGetDatum(true);
	values[2] = heap_getattr(trigger->tg_trigtuple, EVENT_ORIGIN, desc, &nulls[2]);
	if (nulls[2])
		values[2] = heap_getattr(trigger->tg_trigtuple, EVENT_XACT, desc, &nulls[2]);
	return PointerGetDatum(heap_modify_tuple_by_cols(trigger->tg_trigtuple, desc, 3, columns, values, nulls));
}
