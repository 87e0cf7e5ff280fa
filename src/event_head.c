/*
 * event_head.c -- puts rows into the segments of the event log, so that a
 * reader finds them by few index entries.
 *
 * Called by event.c for each event.  Not every row has an entry in the index by
 * xact: a *head* has, and where a transaction put rows for an owner into a
 * block, at least one of them is a head.  A reader asks the index for the
 * blocks and then reads these whole, so a change of many rows pays for an index
 * entry once a block.
 *
 * What a reader relies on: as long as rows of a transaction are unread by their
 * owner, a head of the same owner in the same block is there.  Therefore
 * - a head counts for its own owner alone: each consumes at a pace of his own;
 * - a head counts for the transaction until a savepoint is rolled back, or the
 *   segment gets other storage (event.c forgets it then);
 * - whoever moves or deletes unread rows by SQL makes heads of the others first.
 * A reader knows the blocks of what it began to read.  Rows that come by SQL are
 * heads, all of them.
 *
 * The column "head" is the index's predicate, so the index is complete for what
 * it says of itself: REINDEX, amcheck and the planner see nothing special.
 *
 * Errors are those of heap and btree.  No locks but the caller's on the segment
 * and the index's; memory is taken from the current context.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/generic_xlog.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"

#include "compat.h"
#include "event_internal.h"

/*
 * Makes a head of a row that was just inserted, in its place: it came to lie in
 * a block without one, which is not known before.  Nobody else sees the row
 * yet, and the byte it is about is always there.
 */
static void
make_head(Relation rel, ItemPointer tid)
{
	Buffer		buffer = ReadBuffer(rel, ItemPointerGetBlockNumber(tid));
	GenericXLogState *state = GenericXLogStart(rel);
	Page		page;
	HeapTupleHeader row;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	page = GenericXLogRegisterBuffer(state, buffer, 0);
	row = (HeapTupleHeader) PageGetItem(page, PageGetItemId(page, ItemPointerGetOffsetNumber(tid)));
	EVENT_START(row)->head = true;
	GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
}

/* Does somebody else's index, or one being built, want an entry of each row? */
static bool
has_more_indexes(Relation rel)
{
	return !rel->rd_indexvalid || list_length(rel->rd_indexlist) != 1;
}

/* The row's entries in one index after the other: in those of heads only if it
 * is one.  An expression would be somebody's code: none is ours. */
static void
insert_entries(Relation rel, HeapTuple tuple, bool is_head)
{
	CatalogIndexState indexes = CatalogOpenIndexes(rel);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsHeapTuple);
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	ExecStoreHeapTuple(tuple, slot, false);
	for (int i = 0; i < indexes->ri_NumIndices; i++)
	{
		Relation	index = indexes->ri_IndexRelationDescs[i];
		IndexInfo  *info = indexes->ri_IndexRelationInfo[i];

		if (!info->ii_ReadyForInserts || info->ii_Expressions != NIL || (info->ii_Predicate != NIL && !is_head))
			continue;
		FormIndexDatum(info, slot, NULL, values, nulls);
		index_insert(index, values, nulls, &tuple->t_self, rel,
					 index->rd_index->indisunique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, info);
	}
	ExecDropSingleTupleTableSlot(slot);
	CatalogCloseIndexes(indexes);
}

/* Puts a row into a segment; see the header.  The block it will lie in can only
 * be guessed: a row too many that is a head does no harm. */
void
wf_event_insert(Relation rel, HeapTuple tuple, EventHead *head)
{
	bool		is_head = head->relid != RelationGetRelid(rel) || head->block != RelationGetTargetBlock(rel);
	BlockNumber block;

	EVENT_START(tuple->t_data)->head = is_head;
	tuple->t_tableOid = RelationGetRelid(rel);
	simple_heap_insert(rel, tuple);
	block = ItemPointerGetBlockNumber(&tuple->t_self);
	if (!is_head && block != head->block)
	{
		make_head(rel, &tuple->t_self);
		is_head = true;
	}
	if (is_head || has_more_indexes(rel))
		insert_entries(rel, tuple, is_head);
	head->relid = RelationGetRelid(rel);
	head->block = block;
}
