/*
 * ledger.c -- automation.ledger: who entered what, how often.
 *
 * Called by the executor that holds the owner's seat.  Look-ups see the latest
 * committed state and the own writes; entries are in the context that was
 * current when they were loaded.  Saving ends with a command counter
 * increment.  A concurrent change or a second row of the key is an ERROR: it
 * means that somebody else ran for this owner.
 *
 * Each entry makes a new version of the key's row.  While an old snapshot is
 * open none of them goes away, and the index leads to all of them; so this
 * process remembers where the rows it wrote last are, and looks there first.
 *
 * A run that enters many into a workflow nobody has entered yet needs no look at
 * the table for who is new: see wf_ledger_expect().
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "lib/bloomfilter.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "event_internal.h"
#include "key.h"
#include "ledger.h"
#include "lookup.h"
#include "store.h"

enum
{
	COL_WORKFLOW = 1, COL_ENTRY_KEY, COL_ENTRIES, COL_FIRST_AT, COL_LAST_AT,
	COL_REFUSALS, COL_REASON, COL_CAUSED, COL_CAUSED_SINCE, COL_ENROLLMENT, COL_ALLOWED
};
#define LEDGER_COLUMNS COL_ALLOWED

#define SETS 16384						/* 1.5 MB */
#define PLACES 4						/* in a set */

/* Where a row was when this process wrote or read it last: a hint only. */
typedef struct Place
{
	uint64		hash;					/* of workflow and entry key */
	ItemPointerData tid;				/* invalid: not known */
} Place;

static Place *places = NULL;			/* TopMemoryContext; in a set the latest first */

/* The set of a key's hash. */
static Place *
set_of(uint64 hash)
{
	if (places == NULL)
		places = MemoryContextAllocZero(TopMemoryContext, SETS * PLACES * sizeof(Place));
	return places + hash % SETS * PLACES;
}

static uint64
hash_of(const LedgerEntry *entry)
{
	return hash_bytes_extended((const unsigned char *) entry->entry_key, strlen(entry->entry_key), entry->workflow);
}

/* Where the key's row was; NULL if that is not known. */
static const Place *
find_place(const LedgerEntry *entry)
{
	uint64		hash = hash_of(entry);
	Place	   *set = set_of(hash);

	for (int i = 0; i < PLACES; i++)
		if (set[i].hash == hash && ItemPointerIsValid(&set[i].tid))
			return &set[i];
	return NULL;
}

/* The one that was not asked for longest leaves the set. */
static void
remember_place(const LedgerEntry *entry, const ItemPointerData *tid)
{
	uint64		hash = hash_of(entry);
	Place		place = {.hash = hash,.tid = *tid};
	Place	   *set = set_of(hash);

	for (int i = 0; i < PLACES; i++)
	{
		Place		next = set[i];

		set[i] = place;
		if (next.hash == hash)
			break;
		place = next;
	}
}

/* Keys whose rows were put off last: only these may be in none of the pages. */
static uint64 put_off[STORE_PENDING];
static int	next_put_off = 0;

static void
note_put_off(const LedgerEntry *entry)
{
	put_off[next_put_off] = hash_of(entry);
	next_put_off = (next_put_off + 1) % STORE_PENDING;
}

static bool
was_put_off(const LedgerEntry *entry)
{
	uint64		hash = hash_of(entry);

	for (int i = 0; i < STORE_PENDING; i++)
		if (put_off[i] == hash)
			return true;
	return false;
}

/*
 * A workflow that had no row when this process looked, and the keys whose rows it
 * has inserted since: what is not among them has no row.  Nobody else inserts
 * rows of the owner's workflows while this process holds his seat; if one were
 * there nevertheless, the unique index would refuse the second, and the batch that
 * is rolled back takes this knowledge along.
 */
static struct
{
	int			workflow;				/* 0 = none */
	MemoryContext context;				/* of the filter */
	bloom_filter *keys;					/* by hash_of() */
} fresh;

#define FILTER_MEMORY 16384				/* kB at most; 2 bytes a key */

void
wf_ledger_expect_nothing(void)
{
	if (fresh.workflow == 0)
		return;
	fresh.workflow = 0;
	MemoryContextDelete(fresh.context);
}

static void
note_inserted(const LedgerEntry *entry)
{
	uint64		hash;

	if (entry->workflow != fresh.workflow)
		return;
	hash = hash_of(entry);
	bloom_add_element(fresh.keys, (unsigned char *) &hash, sizeof(hash));
}

/* Is it known without a look that the key has no row? */
static bool
has_surely_no_row(const LedgerEntry *entry)
{
	uint64		hash;

	if (entry->workflow != fresh.workflow)
		return false;
	hash = hash_of(entry);
	return bloom_lacks_element(fresh.keys, (unsigned char *) &hash, sizeof(hash));
}

static bool
has_rows(int workflow)
{
	Relation	rel = wf_store_open("ledger", AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	bool		found;

	ScanKeyInit(&key, COL_WORKFLOW, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(workflow));
	scan = wf_store_scan(rel, "ledger_pkey", wf_store_snapshot(), 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(rel, NoLock);
	return found;
}

/* Many of a workflow are about to enter; see ledger.h. */
void
wf_ledger_expect(int workflow, int64 entries)
{
	MemoryContext old;

	wf_ledger_expect_nothing();
	if (has_rows(workflow))
		return;
	fresh.context = AllocSetContextCreate(TopMemoryContext, "automation new keys", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(fresh.context);
	fresh.keys = bloom_create(Max(entries, 1), FILTER_MEMORY, 0);
	fresh.workflow = workflow;
	MemoryContextSwitchTo(old);
}

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
	entry->enrollment = DatumGetInt64(heap_getattr(tuple, COL_ENROLLMENT, desc, &isnull));
	if (isnull)
		entry->enrollment = 0;
	entry->allowed = DatumGetBool(heap_getattr(tuple, COL_ALLOWED, desc, &isnull));
	entry->stored = true;
	entry->tuple = heap_copytuple(tuple);
	remember_place(entry, &tuple->t_self);
}

/* Is it the row of this key? */
static bool
is_row_of(const LedgerEntry *entry, TupleTableSlot *slot)
{
	bool		isnull;

	return DatumGetInt32(slot_getattr(slot, COL_WORKFLOW, &isnull)) == entry->workflow &&
		strcmp(TextDatumGetCString(slot_getattr(slot, COL_ENTRY_KEY, &isnull)), entry->entry_key) == 0;
}

/*
 * Reads the row where it was last; false if it is not there any more.  The
 * snapshot that the batch holds keeps what is alive now in its place.
 */
static bool
load_from_place(LedgerEntry *entry, Relation rel)
{
	const Place *place = find_place(entry);
	TupleTableSlot *slot;
	bool		found;

	if (place == NULL)
		return false;
	slot = table_slot_create(rel, NULL);
	found = wf_fetch_row(rel, place->tid, SnapshotSelf, slot) && is_row_of(entry, slot);
	if (found)
		from_row(entry, ExecFetchSlotHeapTuple(slot, false, NULL), RelationGetDescr(rel));
	ExecDropSingleTupleTableSlot(slot);
	return found;
}

static void
load_by_index(LedgerEntry *entry, Relation rel)
{
	Lookup	   *lookup = wf_lookup_open(RelationGetRelid(rel), wf_store_index("ledger_pkey"));
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData keys[2];
	TupleTableSlot *slot;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(entry->workflow));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(entry->entry_key));
	/* The index is ordered by the column's collation. */
	keys[1].sk_collation = TupleDescAttr(RelationGetDescr(rel), COL_ENTRY_KEY - 1)->attcollation;
	slot = wf_lookup_find(lookup, 2, keys, snapshot);
	if (slot)
		from_row(entry, ExecFetchSlotHeapTuple(slot, false, NULL), RelationGetDescr(rel));
	UnregisterSnapshot(snapshot);
	wf_lookup_close(lookup);
}

/* Loads the entry of a key; an empty one if the key is new. */
LedgerEntry *
wf_ledger_load(int workflow, const char *entry_key)
{
	LedgerEntry *entry = palloc0(sizeof(LedgerEntry));
	Relation	rel;

	entry->workflow = workflow;
	entry->entry_key = wf_key_lookup(entry_key);
	if (has_surely_no_row(entry))
		return entry;
	rel = wf_store_open("ledger", AccessShareLock);
	if (was_put_off(entry))
		wf_store_show(RelationGetRelid(rel));
	if (!load_from_place(entry, rel))
		load_by_index(entry, rel);
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
	nulls[COL_ENROLLMENT - 1] = entry->enrollment == 0;
	values[COL_ENROLLMENT - 1] = Int64GetDatum(entry->enrollment);
	values[COL_ALLOWED - 1] = BoolGetDatum(entry->allowed);

	if (!entry->stored)
		note_inserted(entry);
	if (entry->put_off && !entry->stored)
	{
		note_put_off(entry);
		wf_store_insert_unseen(rel, values, nulls);
		table_close(rel, NoLock);
		return;
	}
	old = MemoryContextSwitchTo(GetMemoryChunkContext(entry));
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	MemoryContextSwitchTo(old);
	if (entry->stored)
		wf_store_update_in_place(rel, &entry->tuple->t_self, tuple);
	else
		wf_store_insert_tuple(rel, tuple);
	entry->tuple = tuple;
	entry->stored = true;
	remember_place(entry, &tuple->t_self);
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
