/*
 * lookup.c -- index look-ups that keep table, index and scan open for the batch.
 *
 * Called by subject.c, ledger.c, direct.c and wait.c, which look something up for each
 * item: opening costs as much as looking.  What is kept belongs to the
 * resource owner and the memory context that were current when the batch began,
 * whatever the caller's are.  A step that alters a table kept open meets "being
 * used by active queries"; its item then runs alone, where nothing is kept.
 *
 * Without a batch each look-up opens and closes.
 *
 * Who looks up many rows one after another often does so in the order in which
 * they lie.  Once two rows lay side by side the place behind the last one is
 * looked at before the index is.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "nodes/pg_list.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "lookup.h"

struct Lookup
{
	Oid			relation;
	Oid			index;
	bool		kept;
	Relation	heap;
	Relation	btree;
	IndexScanDesc scan;					/* NULL until the first find */
	TupleTableSlot *slot;
	ItemPointerData last;				/* found last; invalid: none */
	bool		in_order;				/* it lay behind the one before */
};

static List *kept = NIL;				/* of Lookup *, in the batch's context */
static MemoryContext batch_context = NULL;	/* NULL: no batch */
static ResourceOwner batch_owner = NULL;
static bool is_keeping = false;

void
wf_lookup_batch_begin(void)
{
	kept = NIL;
	batch_context = CurTransactionContext;
	batch_owner = CurrentResourceOwner;
	is_keeping = false;
}

static void
release(Lookup *lookup)
{
	if (lookup->scan)
		index_endscan(lookup->scan);
	ExecDropSingleTupleTableSlot(lookup->slot);
	index_close(lookup->btree, NoLock);
	table_close(lookup->heap, NoLock);
	pfree(lookup);
}

void
wf_lookup_batch_end(void)
{
	ResourceOwner owner = CurrentResourceOwner;
	ListCell   *lc;

	CurrentResourceOwner = batch_owner;
	foreach(lc, kept)
		release(lfirst(lc));
	CurrentResourceOwner = owner;
	wf_lookup_batch_forget();
}

void
wf_lookup_batch_forget(void)
{
	kept = NIL;
	batch_context = NULL;
	batch_owner = NULL;
	is_keeping = false;
}

void
wf_lookup_keep(bool keep)
{
	is_keeping = keep;
}

static Lookup *
make(Oid relation, Oid index)
{
	Lookup	   *lookup = palloc0(sizeof(Lookup));

	lookup->relation = relation;
	lookup->index = index;
	lookup->heap = table_open(relation, AccessShareLock);
	lookup->btree = index_open(index, AccessShareLock);
	lookup->slot = table_slot_create(lookup->heap, NULL);
	return lookup;
}

/* Opens it for the rest of the batch. */
static Lookup *
make_kept(Oid relation, Oid index)
{
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext context = MemoryContextSwitchTo(batch_context);
	Lookup	   *lookup;

	CurrentResourceOwner = batch_owner;
	lookup = make(relation, index);
	lookup->kept = true;
	kept = lappend(kept, lookup);
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return lookup;
}

Lookup *
wf_lookup_open(Oid relation, Oid index)
{
	ListCell   *lc;

	foreach(lc, kept)
	{
		Lookup	   *lookup = lfirst(lc);

		if (lookup->index == index && lookup->relation == relation)
			return lookup;
	}
	return batch_context && is_keeping ? make_kept(relation, index) : make(relation, index);
}

Relation
wf_lookup_table(Lookup *lookup)
{
	return lookup->heap;
}

Relation
wf_lookup_index(Lookup *lookup)
{
	return lookup->btree;
}

/* The scan's own buffers stay pinned until the next find. */
static bool
find(Lookup *lookup, int nkeys, ScanKey keys, Snapshot snapshot)
{
	if (lookup->scan == NULL)
		lookup->scan = wf_compat_index_beginscan(lookup->heap, lookup->btree, snapshot, nkeys);
	lookup->scan->xs_snapshot = snapshot;
	index_rescan(lookup->scan, keys, nkeys, NULL, 0);
	return index_getnext_slot(lookup->scan, ForwardScanDirection, lookup->slot);
}

/* The place behind another one, on the same page or the next. */
static bool
lies_behind(const ItemPointerData *next, const ItemPointerData *last)
{
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(next);
	OffsetNumber offset = ItemPointerGetOffsetNumberNoCheck(next);

	if (block == ItemPointerGetBlockNumberNoCheck(last))
		return offset == ItemPointerGetOffsetNumberNoCheck(last) + 1;
	return block == ItemPointerGetBlockNumberNoCheck(last) + 1 && offset == FirstOffsetNumber;
}

static bool
has_keys(Lookup *lookup, int nkeys, ScanKey keys)
{
	for (int i = 0; i < nkeys; i++)
	{
		bool		isnull;
		Datum		value = slot_getattr(lookup->slot, lookup->btree->rd_index->indkey.values[i], &isnull);

		if (isnull || !DatumGetBool(FunctionCall2Coll(&keys[i].sk_func, keys[i].sk_collation,
													  value, keys[i].sk_argument)))
			return false;
	}
	return true;
}

/* Is the row that lies behind the last one the one? */
static bool
find_behind(Lookup *lookup, int nkeys, ScanKey keys, Snapshot snapshot)
{
	ItemPointerData next = lookup->last;

	if (!lookup->in_order)
		return false;
	ItemPointerSetOffsetNumber(&next, ItemPointerGetOffsetNumberNoCheck(&next) + 1);
	return table_tuple_fetch_row_version(lookup->heap, &next, snapshot, lookup->slot) &&
		has_keys(lookup, nkeys, keys);
}

/* Remembers where the row was. */
static void
note_place(Lookup *lookup, bool found)
{
	lookup->in_order = found && ItemPointerIsValid(&lookup->last) && lies_behind(&lookup->slot->tts_tid, &lookup->last);
	if (found)
		lookup->last = lookup->slot->tts_tid;
	else
		ItemPointerSetInvalid(&lookup->last);
}

/* The same for a unique index over plain columns. */
static bool
find_unique(Lookup *lookup, int nkeys, ScanKey keys, Snapshot snapshot)
{
	bool		found = find_behind(lookup, nkeys, keys, snapshot) || find(lookup, nkeys, keys, snapshot);

	note_place(lookup, found);
	return found;
}

typedef bool (*Find) (Lookup *lookup, int nkeys, ScanKey keys, Snapshot snapshot);

/* Finds with what is kept for the batch, if anything is. */
static TupleTableSlot *
find_kept(Lookup *lookup, int nkeys, ScanKey keys, Snapshot snapshot, Find how)
{
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext context;
	bool		found;

	if (!lookup->kept)
		return find(lookup, nkeys, keys, snapshot) ? lookup->slot : NULL;
	context = MemoryContextSwitchTo(batch_context);
	CurrentResourceOwner = batch_owner;
	found = how(lookup, nkeys, keys, snapshot);
	CurrentResourceOwner = owner;
	MemoryContextSwitchTo(context);
	return found ? lookup->slot : NULL;
}

TupleTableSlot *
wf_lookup_find_unique(Lookup *lookup, int nkeys, ScanKey keys, Snapshot snapshot)
{
	return find_kept(lookup, nkeys, keys, snapshot, find_unique);
}

TupleTableSlot *
wf_lookup_find(Lookup *lookup, int nkeys, ScanKey keys, Snapshot snapshot)
{
	return find_kept(lookup, nkeys, keys, snapshot, find);
}

TupleTableSlot *
wf_lookup_next(Lookup *lookup)
{
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext context = CurrentMemoryContext;
	bool		found;

	if (lookup->kept)
	{
		MemoryContextSwitchTo(batch_context);
		CurrentResourceOwner = batch_owner;
	}
	found = index_getnext_slot(lookup->scan, ForwardScanDirection, lookup->slot);
	CurrentResourceOwner = owner;
	MemoryContextSwitchTo(context);
	return found ? lookup->slot : NULL;
}

void
wf_lookup_close(Lookup *lookup)
{
	ResourceOwner owner = CurrentResourceOwner;

	if (!lookup->kept)
	{
		release(lookup);
		return;
	}
	CurrentResourceOwner = batch_owner;
	ExecClearTuple(lookup->slot);
	CurrentResourceOwner = owner;
}
