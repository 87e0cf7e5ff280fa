/*
 * capture_born.c -- was a row inserted by the current transaction?
 *
 * Called by the row trigger (capture.c).  A transaction counts as one change
 * of a row, from its first version to its last, so what it inserts and then
 * updates is an insert.  A version tells whether it was inserted or updated;
 * of an updated one, its earlier versions are looked up by primary key, among
 * all versions, since those of a running transaction can't have been removed.
 * Answers are kept for the versions written last, so that a loop over one row
 * doesn't look up again and again.
 *
 * An ALTER TABLE that rewrites a table writes all rows anew, and as if they had
 * been inserted.  They count as there before, and so do those that were really
 * inserted before it: to take the change of an old row for one of a new row
 * would lose it.
 *
 * Only core operator classes are called; no locks beyond those of the writer.
 */
#include "postgres.h"
#include "compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "executor/executor.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "capture_born.h"

#define RECENT 64						/* answers kept */
#define MOVED_MAX 100000				/* rows; a transaction that moves more is not followed */

typedef struct VersionId
{
	Oid			file;					/* a table that is rewritten gets another */
	ItemPointerData tid;
} VersionId;

typedef struct RecentVersion
{
	VersionId	id;						/* file 0: free */
	bool		born;
} RecentVersion;

typedef struct MovedVersion
{
	VersionId	id;						/* hash key */
	bool		born;
} MovedVersion;

static RecentVersion recent[RECENT];
static bool recent_used = false;
static HTAB *moved = NULL;				/* TopTransactionContext */
static bool moved_overflow = false;
static CommandId altered = FirstCommandId;	/* commands below may have rewritten tables */

static void
set_id(VersionId *id, Relation rel, ItemPointer tid)
{
	memset(id, 0, sizeof(VersionId));
	id->file = wf_compat_file(rel);
	ItemPointerCopy(tid, &id->tid);
}

static RecentVersion *
recent_place(const VersionId *id)
{
	uint32		n = ItemPointerGetBlockNumberNoCheck(&id->tid) * 31 + ItemPointerGetOffsetNumberNoCheck(&id->tid);

	return &recent[(n + id->file) % RECENT];
}

void
wf_born_remember(Relation rel, ItemPointer tid, bool born)
{
	VersionId	id;
	RecentVersion *place;

	set_id(&id, rel, tid);
	place = recent_place(&id);
	place->id = id;
	place->born = born;
	recent_used = true;
}

void
wf_born_moved(Relation rel, ItemPointer tid, bool born)
{
	VersionId	id;
	MovedVersion *version;

	if (moved == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(VersionId);
		control.entrysize = sizeof(MovedVersion);
		control.hcxt = TopTransactionContext;
		moved = hash_create("automation moved rows", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	if (hash_get_num_entries(moved) >= MOVED_MAX)
	{
		moved_overflow = true;
		return;
	}
	set_id(&id, rel, tid);
	version = hash_search(moved, &id, HASH_ENTER, NULL);
	version->born = born;
}

void
wf_born_forget(void)
{
	if (recent_used)
		memset(recent, 0, sizeof(recent));
	recent_used = false;
	moved = NULL;
	moved_overflow = false;
	altered = FirstCommandId;
}

void
wf_born_altered(void)
{
	altered = GetCurrentCommandId(false);
}

static bool
is_rewritten(Relation rel, HeapTuple tuple)
{
	return wf_compat_file_is_new(rel) && rel->rd_createSubid == InvalidSubTransactionId &&
		HeapTupleHeaderGetCmin(tuple->t_data) < altered;
}

bool
wf_born_version_is_own(HeapTuple tuple)
{
	return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
}

/* An own version that no update made: inserted, or moved here. */
static bool
inserted_version(Relation rel, HeapTuple tuple)
{
	VersionId	id;
	MovedVersion *version;

	if (is_rewritten(rel, tuple))
		return false;
	if (moved == NULL)
		return true;
	set_id(&id, rel, &tuple->t_self);
	version = hash_search(moved, &id, HASH_FIND, NULL);
	return version != NULL ? version->born : !(moved_overflow && rel->rd_rel->relispartition);
}

/* Equality scan keys of the row's primary key in this index; false if the
 * index is of another kind than expected. */
static bool
make_scan_keys(Relation index, TupleTableSlot *slot, ScanKey keys)
{
	int			n = IndexRelationGetNumberOfKeyAttributes(index);

	if (index->rd_rel->relam != BTREE_AM_OID)
		return false;
	for (int i = 0; i < n; i++)
	{
		AttrNumber	attnum = index->rd_index->indkey.values[i];
		Oid			family = index->rd_opfamily[i];
		Oid			type = index->rd_opcintype[i];
		Oid			equal = get_opfamily_member(family, type, type, BTEqualStrategyNumber);
		bool		isnull;
		Datum		value;

		if (!OidIsValid(equal) || equal >= FirstUnpinnedObjectId)
			return false;
		value = slot_getattr(slot, attnum, &isnull);
		if (isnull)
			return false;
		ScanKeyEntryInitialize(&keys[i], 0, i + 1, BTEqualStrategyNumber, InvalidOid,
							   index->rd_indcollation[i], get_opcode(equal), value);
	}
	return true;
}

/* Is there an inserted version of this transaction with the row's key? */
static bool
find_inserted_version(Relation rel, Relation index, TupleTableSlot *slot)
{
	ScanKeyData keys[INDEX_MAX_KEYS];
	IndexScanDesc scan;
	TupleTableSlot *version;
	bool		found = false;

	if (!make_scan_keys(index, slot, keys))
		return false;
	version = table_slot_create(rel, NULL);
	scan = wf_compat_index_beginscan(rel, index, SnapshotAny, IndexRelationGetNumberOfKeyAttributes(index));
	index_rescan(scan, keys, IndexRelationGetNumberOfKeyAttributes(index), NULL, 0);
	while (!found && index_getnext_slot(scan, ForwardScanDirection, version))
	{
		bool		should_free;
		HeapTuple	tuple = ExecFetchSlotHeapTuple(version, false, &should_free);

		found = wf_born_version_is_own(tuple) && !(tuple->t_data->t_infomask & HEAP_UPDATED) &&
			inserted_version(rel, tuple);
		if (should_free)
			heap_freetuple(tuple);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(version);
	return found;
}

bool
wf_born_row_is_own(Relation rel, const KeyColumns *key, HeapTuple tuple, TupleTableSlot *slot)
{
	VersionId	id;
	RecentVersion *place;
	Oid			indexid;
	Relation	index;
	bool		born;

	if (!(tuple->t_data->t_infomask & HEAP_UPDATED))
		return inserted_version(rel, tuple);
	set_id(&id, rel, &tuple->t_self);
	place = recent_place(&id);
	if (memcmp(&place->id, &id, sizeof(VersionId)) == 0)
		return place->born;
	indexid = key->natts > 0 ? wf_compat_primary_key_index(rel) : InvalidOid;
	if (!OidIsValid(indexid))
		return false;
	index = index_open(indexid, AccessShareLock);
	born = find_inserted_version(rel, index, slot);
	index_close(index, NoLock);
	return born;
}
