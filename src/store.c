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
 * OIDs by name are remembered until an invalidation of pg_class's or
 * pg_namespace's names.  During a batch of the executor the indexes of the
 * tables it inserts into stay open; they belong to the resource owner and the
 * memory context that were current when the batch began.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "commands/extension.h"
#include "commands/sequence.h"
#include "nodes/pg_list.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "compat.h"
#include "store.h"

#define ENGINE_SCHEMA "automation"

/* What a name meant when it was looked up. */
typedef struct KnownName
{
	char		name[NAMEDATALEN];
	Oid			relid;
	uint64		invalidations;			/* valid as long as there were no more */
} KnownName;

/* A table with its indexes open for the rest of the batch. */
typedef struct OpenTable
{
	Relation	rel;
	CatalogIndexState indexes;
} OpenTable;

static HTAB *known_names = NULL;
static uint64 invalidations = 0;		/* of names, seen by this process */

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

/* Opens an engine table; NULL if it is gone. */
Relation
wf_store_try_open(const char *name, LOCKMODE mode)
{
	Oid			relid = wf_store_relid(name);

	return OidIsValid(relid) ? try_relation_open(relid, mode) : NULL;
}

/* Opens an engine table; ERROR if it is gone. */
Relation
wf_store_open(const char *name, LOCKMODE mode)
{
	Relation	rel = wf_store_try_open(name, mode);

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
	OpenTable  *table = palloc(sizeof(OpenTable));

	/* the caller may be in a subtransaction of a function that a step called */
	CurrentResourceOwner = batch_owner;
	table->rel = relation_open(RelationGetRelid(rel), RowExclusiveLock);
	table->indexes = CatalogOpenIndexes(table->rel);
	CurrentResourceOwner = owner;
	open_tables = lappend(open_tables, table);
	MemoryContextSwitchTo(context);
	return table;
}

/* The table's open indexes; NULL if no batch is running. */
static CatalogIndexState
open_indexes(Relation rel)
{
	ListCell   *lc;

	if (batch_context == NULL)
		return NULL;
	foreach(lc, open_tables)
	{
		OpenTable  *table = lfirst(lc);

		if (table->rel == rel)
			return table->indexes;
	}
	return open_for_batch(rel)->indexes;
}

/* A batch begins: in its (sub)transaction, before anything is written. */
void
wf_store_batch_begin(void)
{
	open_tables = NIL;
	batch_context = CurTransactionContext;
	batch_owner = CurrentResourceOwner;
}

/* It ends well: before the commit, in the resource owner it began in. */
void
wf_store_batch_end(void)
{
	ListCell   *lc;

	foreach(lc, open_tables)
	{
		OpenTable  *table = lfirst(lc);

		CatalogCloseIndexes(table->indexes);
		relation_close(table->rel, NoLock);
	}
	wf_store_batch_forget();
}

/* It was rolled back, and the abort has closed everything. */
void
wf_store_batch_forget(void)
{
	open_tables = NIL;
	batch_context = NULL;
	batch_owner = NULL;
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

/* Begins a scan; index NULL = whole table in physical order. */
SysScanDesc
wf_store_scan(Relation rel, const char *index, Snapshot snapshot, int nkeys, ScanKey keys)
{
	Oid			indexid = index ? wf_store_relid(index) : InvalidOid;

	if (index && !OidIsValid(indexid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index automation.%s does not exist", index),
				 errhint("The extension is damaged: restore it from a backup.")));
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
