/*
 * store.c -- access to the engine's own tables, in C.
 *
 * Called by every room that owns a table.  Nothing here checks privileges or
 * fires triggers: the callers decide who may cause what, and no user code runs
 * in between.  Writes use the catalog functions of the core, which insert the
 * index entries themselves and raise an ERROR when the row was changed by
 * somebody else meanwhile; that ERROR ends the batch and nothing is done twice.
 * Reads with a NULL snapshot see the latest committed state plus the own
 * commands before the last CommandCounterIncrement().
 *
 * Relation locks are kept to the end of the transaction.
 *
 * Rows that nobody looks at before the commit may be put off to the end of the
 * batch and are then inserted together.
 *
 * OIDs by name are remembered until an invalidation of pg_class's or
 * pg_namespace's names.  During a batch of the executor the indexes of the
 * tables it inserts into stay open; they belong to the resource owner and the
 * memory context that were current when the batch began.  So does what the slots
 * of rows put off hold; the slots themselves are kept from batch to batch.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/heaptoast.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "commands/extension.h"
#include "commands/sequence.h"
#include "nodes/execnodes.h"
#include "nodes/pg_list.h"
#include "storage/lmgr.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "store.h"

#define ENGINE_SCHEMA "automation"
#define PENDING_MAX STORE_PENDING

/* What a name meant when it was looked up. */
typedef struct KnownName
{
	char		name[NAMEDATALEN];
	Oid			relid;
	uint64		invalidations;			/* valid as long as there were no more */
} KnownName;

/* Slots for rows of a table that are put off, from batch to batch. */
typedef struct PendingSlots
{
	Oid			relid;
	TupleDesc	desc;					/* a copy: the table's own belongs to a transaction */
	int			n;						/* made so far, of PENDING_MAX */
	TupleTableSlot *slots[PENDING_MAX];
} PendingSlots;

/* A table with its indexes open for the rest of the batch. */
typedef struct OpenTable
{
	Relation	rel;
	CatalogIndexState indexes;
	int			npending;				/* rows that are to be inserted together */
	PendingSlots *slots;				/* theirs; NULL: no row was put off yet */
	bool		looked_for;				/* by scans: rows put off are inserted before */
} OpenTable;

static HTAB *known_names = NULL;
static uint64 invalidations = 0;		/* of names, seen by this process */

static List *all_slots = NIL;			/* of PendingSlots *, in slots_context; empty between batches */
static MemoryContext slots_context = NULL;	/* below TopMemoryContext */

static List *open_tables = NIL;			/* of OpenTable *, in the batch's context */
static MemoryContext batch_context = NULL;	/* NULL: no batch */
static ResourceOwner batch_owner = NULL;

/* Syscache callback: some name may have a new meaning. */
static void
names_invalidated(Datum arg, int cacheid, uint32 hashvalue)
{
	invalidations++;
}

/* Registers the callbacks; from _PG_init. */
void
wf_store_init(void)
{
	CacheRegisterSyscacheCallback(RELNAMENSP, names_invalidated, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACENAME, names_invalidated, (Datum) 0);
}

/* Returns the OID of the engine's schema, or InvalidOid. */
Oid
wf_store_namespace(void)
{
	return get_namespace_oid(ENGINE_SCHEMA, true);
}

static KnownName *
known_name(const char *name)
{
	HASHCTL		control = {.keysize = NAMEDATALEN,.entrysize = sizeof(KnownName),.hcxt = TopMemoryContext};
	KnownName  *known;
	bool		found;

	if (known_names == NULL)
		known_names = hash_create("automation names", 64, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	known = hash_search(known_names, name, HASH_ENTER, &found);
	if (!found)
		known->relid = InvalidOid;
	return known;
}

/* Returns the OID of a relation in the engine's schema, or InvalidOid, which
 * is not remembered. */
Oid
wf_store_relid(const char *name)
{
	KnownName  *known = known_name(name);
	uint64		before = invalidations; /* another one may come while we look */
	Oid			nspace;

	if (OidIsValid(known->relid) && known->invalidations == before)
		return known->relid;
	nspace = wf_store_namespace();
	known->relid = OidIsValid(nspace) ? get_relname_relid(name, nspace) : InvalidOid;
	known->invalidations = before;
	return known->relid;
}

/* Tells whether the extension is installed in this database. */
bool
wf_store_present(void)
{
	return OidIsValid(get_extension_oid("automation", true));
}

bool
wf_store_hold(bool *gone)
{
	Oid			engine = wf_store_relid("engine");

	if (!OidIsValid(engine))
	{
		*gone = !wf_store_present();
		return false;
	}
	if (!ConditionalLockRelationOid(engine, AccessShareLock))
		return false;
	*gone = !wf_store_present();
	return !*gone;
}

/* Opens an engine table; NULL if it is gone. */
Relation
wf_store_try_open(const char *name, LOCKMODE mode)
{
	Oid			relid = wf_store_relid(name);

	return OidIsValid(relid) ? try_relation_open(relid, mode) : NULL;
}

/* The table as it is open for the batch under way, with this lock, which is then
 * kept whoever closes it; NULL if it is not. */
static Relation
open_again(const char *name, LOCKMODE mode)
{
	ListCell   *lc;

	if (mode != RowExclusiveLock)
		return NULL;
	foreach(lc, open_tables)
	{
		Relation	rel = ((OpenTable *) lfirst(lc))->rel;

		if (strcmp(RelationGetRelationName(rel), name) == 0)
		{
			RelationIncrementReferenceCount(rel);
			return rel;
		}
	}
	return NULL;
}

/* Opens an engine table; ERROR if it is gone. */
Relation
wf_store_open(const char *name, LOCKMODE mode)
{
	Relation	rel = open_again(name, mode);

	if (rel)
		return rel;
	rel = wf_store_try_open(name, mode);

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table automation.%s does not exist", name),
				 errhint("Run CREATE EXTENSION automation in this database.")));
	return rel;
}

/* Opens the table's indexes for the rest of the batch. */
static OpenTable *
open_for_batch(Relation rel)
{
	MemoryContext context = MemoryContextSwitchTo(batch_context);
	ResourceOwner owner = CurrentResourceOwner;
	OpenTable  *table = palloc0(sizeof(OpenTable));

	/* the caller may be in a subtransaction of a function that a step called */
	CurrentResourceOwner = batch_owner;
	table->rel = relation_open(RelationGetRelid(rel), RowExclusiveLock);
	table->indexes = CatalogOpenIndexes(table->rel);
	CurrentResourceOwner = owner;
	open_tables = lappend(open_tables, table);
	MemoryContextSwitchTo(context);
	return table;
}

/* The table as it is open for the batch; NULL if no batch is running. */
static OpenTable *
open_table(Relation rel)
{
	ListCell   *lc;

	if (batch_context == NULL)
		return NULL;
	foreach(lc, open_tables)
	{
		OpenTable  *table = lfirst(lc);

		if (table->rel == rel)
			return table;
	}
	return open_for_batch(rel);
}

/* Its indexes; NULL if no batch is running. */
static CatalogIndexState
open_indexes(Relation rel)
{
	OpenTable  *table = open_table(rel);

	return table ? table->indexes : NULL;
}

/* The tuple's place is told to another one, where it is stored in another form. */
static bool
is_stored_as_it_is(TupleTableSlot *slot)
{
	HeapTuple	tuple = ExecFetchSlotHeapTuple(slot, false, NULL);

	return tuple->t_len <= TOAST_TUPLE_THRESHOLD && !HeapTupleHasExternal(tuple);
}

/* Are all indexes over plain columns of all rows? */
static bool
has_plain_indexes(CatalogIndexState indexes)
{
	for (int i = 0; i < indexes->ri_NumIndices; i++)
	{
		IndexInfo  *info = indexes->ri_IndexRelationInfo[i];

		if (info->ii_Expressions != NIL || info->ii_Predicate != NIL || info->ii_ExclusionOps != NULL)
			return false;
	}
	return true;
}

/* The rows first, then one index after the other: its pages stay at hand. */
static void
insert_together(OpenTable *table)
{
	CatalogIndexState indexes = table->indexes;
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	heap_multi_insert(table->rel, table->slots->slots, table->npending, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < indexes->ri_NumIndices; i++)
	{
		IndexInfo  *info = indexes->ri_IndexRelationInfo[i];
		Relation	index = indexes->ri_IndexRelationDescs[i];

		for (int n = 0; n < table->npending; n++)
		{
			FormIndexDatum(info, table->slots->slots[n], NULL, values, nulls);
			index_insert(index, values, nulls, &table->slots->slots[n]->tts_tid, table->rel,
						 index->rd_index->indisunique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, info);
		}
	}
}

/*
 * Inserts the rows that were put off: one WAL record a page, not one a row.  The
 * core's function has the index entries of long rows point to nowhere, so where
 * there is one they are inserted singly.
 */
static void
insert_pending(OpenTable *table)
{
	bool		together = true;

	for (int i = 0; i < table->npending; i++)
		together &= is_stored_as_it_is(table->slots->slots[i]);
	together &= has_plain_indexes(table->indexes);
	if (together && table->npending > 0)
		insert_together(table);
	for (int i = 0; i < table->npending; i++)
	{
		if (!together)
			CatalogTupleInsertWithInfo(table->rel, ExecFetchSlotHeapTuple(table->slots->slots[i], false, NULL),
									   table->indexes);
		ExecClearTuple(table->slots->slots[i]);
	}
	table->npending = 0;
}

/* The slots for rows of a table, as its columns are now. */
static PendingSlots *
slots_of(Relation rel)
{
	MemoryContext old;
	PendingSlots *slots;
	ListCell   *lc;

	foreach(lc, all_slots)
	{
		slots = lfirst(lc);
		if (slots->relid == RelationGetRelid(rel) && equalTupleDescs(slots->desc, RelationGetDescr(rel)))
			return slots;
	}
	if (slots_context == NULL)
		slots_context = AllocSetContextCreate(TopMemoryContext, "automation rows put off", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(slots_context);
	slots = palloc0(sizeof(PendingSlots));
	slots->relid = RelationGetRelid(rel);
	slots->desc = CreateTupleDescCopyConstr(RelationGetDescr(rel));
	all_slots = lappend(all_slots, slots);
	MemoryContextSwitchTo(old);
	return slots;
}

/* A free slot for a row to be put off. */
static TupleTableSlot *
next_slot(OpenTable *table)
{
	PendingSlots *slots = table->slots;

	if (slots == NULL)
		slots = table->slots = slots_of(table->rel);
	if (table->npending == slots->n)
	{
		MemoryContext old = MemoryContextSwitchTo(slots_context);

		slots->slots[slots->n] = MakeSingleTupleTableSlot(slots->desc, &TTSOpsHeapTuple);
		slots->n++;
		MemoryContextSwitchTo(old);
	}
	return slots->slots[table->npending++];
}

/* What slots hold was in memory that is gone: they go as well. */
static void
forget_slots(void)
{
	all_slots = NIL;
	if (slots_context)
		MemoryContextReset(slots_context);
}

/* A batch begins: in its (sub)transaction, before anything is written. */
void
wf_store_batch_begin(void)
{
	if (batch_context)					/* the last one was left by an error */
		wf_store_batch_forget();
	open_tables = NIL;
	batch_context = CurTransactionContext;
	batch_owner = CurrentResourceOwner;
}

static void
end_batch(void)
{
	open_tables = NIL;
	batch_context = NULL;
	batch_owner = NULL;
}

/* It ends well: before the commit, in the resource owner it began in. */
void
wf_store_batch_end(void)
{
	ListCell   *lc;

	PushActiveSnapshot(GetTransactionSnapshot());	/* storing a long value needs one */
	foreach(lc, open_tables)
	{
		OpenTable  *table = lfirst(lc);

		insert_pending(table);
		CatalogCloseIndexes(table->indexes);
		relation_close(table->rel, NoLock);
	}
	PopActiveSnapshot();
	end_batch();
}

/* It was rolled back, and the abort has closed everything. */
void
wf_store_batch_forget(void)
{
	end_batch();
	forget_slots();
}

/* Inserts a tuple and its index entries; its place is in t_self. */
void
wf_store_insert_tuple(Relation rel, HeapTuple tuple)
{
	CatalogIndexState indexes = open_indexes(rel);

	if (indexes)
		CatalogTupleInsertWithInfo(rel, tuple, indexes);
	else
		CatalogTupleInsert(rel, tuple);
}

/* Replaces the tuple at tid; ERROR if it was changed by another transaction. */
void
wf_store_update_tuple(Relation rel, ItemPointer tid, HeapTuple tuple)
{
	CatalogIndexState indexes = open_indexes(rel);

	if (indexes)
		CatalogTupleUpdateWithInfo(rel, tid, tuple, indexes);
	else
		CatalogTupleUpdate(rel, tid, tuple);
}

/* Index entries for a new version of a row that keeps its keys. */
static void
insert_index_entries(CatalogIndexState indexes, Relation rel, HeapTuple tuple)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsHeapTuple);
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	ExecStoreHeapTuple(tuple, slot, false);
	for (int i = 0; i < indexes->ri_NumIndices; i++)
	{
		IndexInfo  *info = indexes->ri_IndexRelationInfo[i];

		FormIndexDatum(info, slot, NULL, values, nulls);
		index_insert(indexes->ri_IndexRelationDescs[i], values, nulls, &tuple->t_self, rel,
					 UNIQUE_CHECK_NO, true, info);
	}
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * Replaces the tuple at tid by one with the same values in all indexed columns;
 * ERROR if it was changed by another transaction.  That the row is still there
 * is all that a unique index could ask, so none is asked: it would look at each
 * version of the row that an old snapshot keeps from being removed.
 */
void
wf_store_update_in_place(Relation rel, ItemPointer tid, HeapTuple tuple)
{
	CatalogIndexState indexes = open_indexes(rel);
	CatalogIndexState own = indexes ? NULL : CatalogOpenIndexes(rel);

	wf_compat_heap_update(rel, tid, tuple);
	if (!HeapTupleIsHeapOnly(tuple))
		insert_index_entries(indexes ? indexes : own, rel, tuple);
	if (own)
		CatalogCloseIndexes(own);
}

/* Inserts a row and its index entries; tid may be NULL. */
void
wf_store_insert(Relation rel, Datum *values, bool *nulls, ItemPointer tid)
{
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);

	wf_store_insert_tuple(rel, tuple);
	if (tid)
		*tid = tuple->t_self;
	heap_freetuple(tuple);
}

/* What was put off so far is inserted, for a command that comes now to see. */
static void
insert_pending_now(OpenTable *table)
{
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext context = MemoryContextSwitchTo(batch_context);

	CurrentResourceOwner = batch_owner;
	insert_pending(table);
	CurrentResourceOwner = owner;
	MemoryContextSwitchTo(context);
	CommandCounterIncrement();
}

/* Puts a row off; NULL if no batch is running. */
static OpenTable *
put_off(Relation rel, Datum *values, bool *nulls)
{
	OpenTable  *table = open_table(rel);
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext context;

	if (table == NULL)
	{
		wf_store_insert(rel, values, nulls, NULL);
		return NULL;
	}
	context = MemoryContextSwitchTo(batch_context);
	CurrentResourceOwner = batch_owner;
	ExecStoreHeapTuple(heap_form_tuple(RelationGetDescr(rel), values, nulls), next_slot(table), true);
	if (table->npending == PENDING_MAX)
		insert_pending(table);
	CurrentResourceOwner = owner;
	MemoryContextSwitchTo(context);
	return table;
}

/* Inserts a row before the batch commits; nobody sees it earlier. */
void
wf_store_insert_later(Relation rel, Datum *values, bool *nulls)
{
	(void) put_off(rel, values, nulls);
}

/* The same for a table that is looked into. */
void
wf_store_insert_unseen(Relation rel, Datum *values, bool *nulls)
{
	OpenTable  *table = put_off(rel, values, nulls);

	if (table)
		table->looked_for = true;
}

/* Rows of a table (InvalidOid: of all) that others may look for are inserted. */
void
wf_store_show(Oid relation)
{
	ListCell   *lc;

	foreach(lc, open_tables)
	{
		OpenTable  *table = lfirst(lc);

		if (table->looked_for && table->npending > 0 &&
			(!OidIsValid(relation) || RelationGetRelid(table->rel) == relation))
			insert_pending_now(table);
	}
}

bool
wf_store_replace_last(Relation rel, Datum *values, bool *nulls)
{
	OpenTable  *table = open_table(rel);
	MemoryContext context;

	if (table == NULL || table->npending == 0)
		return false;
	context = MemoryContextSwitchTo(batch_context);
	ExecStoreHeapTuple(heap_form_tuple(RelationGetDescr(rel), values, nulls),
					   table->slots->slots[table->npending - 1], true);
	MemoryContextSwitchTo(context);
	return true;
}

/*
 * Replaces the marked columns of a row.  ERROR if it was changed by another
 * transaction since it was read.  old->t_self moves to the new version, so
 * that the caller can update again after a CommandCounterIncrement().
 */
void
wf_store_update(Relation rel, HeapTuple old, Datum *values, bool *nulls, bool *replace)
{
	HeapTuple	tuple = heap_modify_tuple(old, RelationGetDescr(rel), values, nulls, replace);

	wf_store_update_tuple(rel, &old->t_self, tuple);
	old->t_self = tuple->t_self;
	heap_freetuple(tuple);
}

/* Deletes a row; ERROR if it was changed or deleted by another transaction. */
void
wf_store_delete(Relation rel, ItemPointer tid)
{
	CatalogTupleDelete(rel, tid);
}

/* OID of an index of ours; ERROR if it is gone. */
Oid
wf_store_index(const char *name)
{
	Oid			relid = wf_store_relid(name);

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index automation.%s does not exist", name),
				 errhint("The extension is damaged: restore it from a backup.")));
	return relid;
}

/* Opens an index of ours for reading; the caller closes it. */
Relation
wf_store_open_index(const char *name)
{
	return index_open(wf_store_index(name), AccessShareLock);
}

/* Begins a scan; index NULL = whole table in physical order. */
SysScanDesc
wf_store_scan(Relation rel, const char *index, Snapshot snapshot, int nkeys, ScanKey keys)
{
	Oid			indexid = index ? wf_store_index(index) : InvalidOid;

	wf_store_show(RelationGetRelid(rel));
	return systable_beginscan(rel, indexid, index != NULL, snapshot, nkeys, keys);
}

/* Draws from a sequence of the engine, without a privilege check. */
int64
wf_store_nextval(const char *sequence)
{
	Oid			relid = wf_store_relid(sequence);

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("sequence automation.%s does not exist", sequence),
				 errhint("Run CREATE EXTENSION automation in this database.")));
	return nextval_internal(relid, false);
}

/*
 * The snapshot to give to wf_store_scan() for the latest state: NULL, which
 * makes the scan take and register a snapshot of its own.
 */
Snapshot
wf_store_snapshot(void)
{
	return NULL;
}
