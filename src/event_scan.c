/*
 * event_scan.c -- what became visible between two snapshots, and the rows of
 * the event log that did.
 *
 * Called by event_read.c.  The index by xact leads to the blocks where a
 * transaction put rows (event_head.c); these are read whole, in physical order,
 * neighbours at a time, and the caller picks what is new to him.  So the cost of
 * a read depends on what was added since the last one, not on how much is in the
 * log, nor on what a forgotten snapshot keeps there.
 *
 * Results are palloc'd in the current context.  Segments are locked in
 * AccessShare mode while they are read, no longer.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

#include "compat.h"
#include "event_internal.h"
#include "event_scan.h"
#include "store.h"

#define INDEX_XACT 1					/* the index's column */

/* ----------------------------------------------------------------
 * Horizons
 * ----------------------------------------------------------------
 */

/* Widens an xid: the 64-bit one nearest below or at "next" plus half the space. */
FullTransactionId
wf_full_xid(FullTransactionId next, TransactionId xid)
{
	int32		ahead = (int32) (xid - XidFromFullTransactionId(next));

	return FullTransactionIdFromU64(U64FromFullTransactionId(next) + (int64) ahead);
}

static int
compare_xids(const void *a, const void *b)
{
	uint64		left = U64FromFullTransactionId(*(const FullTransactionId *) a);
	uint64		right = U64FromFullTransactionId(*(const FullTransactionId *) b);

	return left < right ? -1 : left > right;
}

/* A transaction that is just being prepared may be listed twice. */
void
wf_horizon_take(Horizon *horizon, Snapshot snapshot)
{
	FullTransactionId next = ReadNextFullTransactionId();
	FullTransactionId *running = palloc(Max(snapshot->xcnt, 1) * sizeof(FullTransactionId));
	int			n = 0;

	for (uint32 i = 0; i < snapshot->xcnt; i++)
		running[i] = wf_full_xid(next, snapshot->xip[i]);
	qsort(running, snapshot->xcnt, sizeof(FullTransactionId), compare_xids);
	for (uint32 i = 0; i < snapshot->xcnt; i++)
		if (n == 0 || !FullTransactionIdEquals(running[i], running[n - 1]))
			running[n++] = running[i];
	horizon->valid = true;
	horizon->xmax = wf_full_xid(next, snapshot->xmax);
	horizon->running = running;
	horizon->nrunning = n;
}

void
wf_horizon_keep(MemoryContext context, Horizon *place, const Horizon *horizon)
{
	Size		size = Max(horizon->nrunning, 1) * sizeof(FullTransactionId);
	FullTransactionId *running = MemoryContextAlloc(context, size);

	memcpy(running, horizon->running, horizon->nrunning * sizeof(FullTransactionId));
	if (place->running)
		pfree(place->running);
	*place = *horizon;
	place->running = running;
}

/* Tells whether a horizon's snapshot saw this transaction as running. */
static bool
was_running(const Horizon *horizon, FullTransactionId xact)
{
	return horizon->nrunning > 0 &&
		bsearch(&xact, horizon->running, horizon->nrunning, sizeof(FullTransactionId), compare_xids) != NULL;
}

bool
wf_horizon_sees(const Horizon *horizon, FullTransactionId xact)
{
	return FullTransactionIdPrecedes(xact, horizon->xmax) && !was_running(horizon, xact);
}

/* ----------------------------------------------------------------
 * Places
 * ----------------------------------------------------------------
 */

static int
compare_places(const void *a, const void *b)
{
	const Place *left = a;
	const Place *right = b;

	if (left->segment != right->segment)
		return left->segment < right->segment ? -1 : 1;
	return left->block < right->block ? -1 : left->block > right->block;
}

static void
add_place(PlaceList *list, int segment, BlockNumber block)
{
	Place		place = {.segment = segment,.block = block};

	if (list->n > 0 && compare_places(&list->items[list->n - 1], &place) == 0)
		return;
	if (list->n == list->size)
	{
		list->size = Max(256, list->size * 2);
		list->items = list->items ? repalloc_huge(list->items, (Size) list->size * sizeof(Place)) :
			palloc(list->size * sizeof(Place));
	}
	list->items[list->n++] = place;
}

/* Adds the blocks of the transactions [low, high).  Not even whether anybody
 * sees a row is asked: that is for him who reads the block. */
static void
find_in_index(PlaceList *list, IndexScanDesc scan, int segment, FullTransactionId low, FullTransactionId high)
{
	ScanKeyData keys[2];
	ItemPointer tid;

	ScanKeyInit(&keys[0], INDEX_XACT, BTGreaterEqualStrategyNumber, F_XID8GE, FullTransactionIdGetDatum(low));
	ScanKeyInit(&keys[1], INDEX_XACT, BTLessStrategyNumber, F_XID8LT, FullTransactionIdGetDatum(high));
	index_rescan(scan, keys, 2, NULL, 0);
	while ((tid = index_getnext_tid(scan, ForwardScanDirection)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		add_place(list, segment, ItemPointerGetBlockNumber(tid));
	}
}

static void
find_in_segment(PlaceList *list, Relation rel, int segment, Snapshot snapshot, const Horizon *from, const Horizon *to)
{
	Relation	index = wf_store_open_index(wf_event_index_name(segment));
	IndexScanDesc scan = wf_compat_index_beginscan(rel, index, snapshot, 2);

	find_in_index(list, scan, segment, from->xmax, to->xmax);
	for (int i = 0; i < from->nrunning; i++)
	{
		FullTransactionId low = from->running[i];
		FullTransactionId high = low;

		FullTransactionIdAdvance(&high);
		if (!was_running(to, low))
			find_in_index(list, scan, segment, low, high);
	}
	index_endscan(scan);
	index_close(index, AccessShareLock);
}

void
wf_places_find(PlaceList *list, Snapshot snapshot, const Horizon *from, const Horizon *to)
{
	int			n = 0;

	for (int i = 0; i < EVENT_SEGMENTS; i++)
	{
		Relation	rel = wf_store_open(wf_event_segment_name(i), AccessShareLock);

		if (RelationGetNumberOfBlocks(rel) > 0)
			find_in_segment(list, rel, i, snapshot, from, to);
		table_close(rel, AccessShareLock);
	}
	qsort(list->items, list->n, sizeof(Place), compare_places);
	for (int i = 0; i < list->n; i++)
		if (n == 0 || compare_places(&list->items[n - 1], &list->items[i]) != 0)
			list->items[n++] = list->items[i];
	list->n = n;
}

void
wf_places_keep(MemoryContext context, PlaceList *place, const PlaceList *list)
{
	Size		size = Max(list->n, 1) * sizeof(Place);
	Place	   *items = MemoryContextAllocHuge(context, size);

	memcpy(items, list->items, list->n * sizeof(Place));
	if (place->items)
		pfree(place->items);
	*place = (PlaceList) {.items = items,.n = list->n,.size = Max(list->n, 1)};
}

/* ----------------------------------------------------------------
 * Rows
 * ----------------------------------------------------------------
 */

/* Reads a whole segment. */
static void
scan_segment(Relation rel, int segment, Snapshot snapshot, EventRowReader reader, void *arg)
{
	SysScanDesc desc = wf_store_scan(rel, NULL, snapshot, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(desc)))
	{
		CHECK_FOR_INTERRUPTS();
		reader(arg, tuple, RelationGetDescr(rel), segment);
	}
	systable_endscan(desc);
}

/* Reads the next blocks, n of them neighbours. */
static void
scan_blocks(Relation rel, TableScanDesc scan, TupleTableSlot *slot, const Place *first, int n,
			EventRowReader reader, void *arg)
{
	ItemPointerData low;
	ItemPointerData high;

	ItemPointerSet(&low, first->block, FirstOffsetNumber);
	ItemPointerSet(&high, first->block + (n - 1), MaxOffsetNumber);
	table_rescan_tidrange(scan, &low, &high);
	while (table_scan_getnextslot_tidrange(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		reader(arg, ExecFetchSlotHeapTuple(slot, false, NULL), RelationGetDescr(rel), first->segment);
	}
}

/* Reads n places, all of one segment. */
static void
scan_places(Relation rel, const Place *items, int n, Snapshot snapshot, EventRowReader reader, void *arg)
{
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	ItemPointerData nowhere;
	TableScanDesc scan;
	int			end;

	ItemPointerSet(&nowhere, 0, FirstOffsetNumber);
	scan = table_beginscan_tidrange(rel, snapshot, &nowhere, &nowhere);
	for (int i = 0; i < n; i = end)
	{
		for (end = i + 1; end < n && items[end].block == items[end - 1].block + 1;)
			end++;
		scan_blocks(rel, scan, slot, &items[i], end - i, reader, arg);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

void
wf_event_scan(const PlaceList *places, Snapshot snapshot, EventRowReader reader, void *arg)
{
	int			first = 0;
	int			end = 0;

	for (int i = 0; i < EVENT_SEGMENTS; i++, first = end)
	{
		Relation	rel;

		while (places != NULL && end < places->n && places->items[end].segment == i)
			end++;
		if (places != NULL && first == end)
			continue;
		rel = wf_store_open(wf_event_segment_name(i), AccessShareLock);
		if (places != NULL)
			scan_places(rel, places->items + first, end - first, snapshot, reader, arg);
		else if (RelationGetNumberOfBlocks(rel) > 0)
			scan_segment(rel, i, snapshot, reader, arg);
		table_close(rel, AccessShareLock);
	}
}
