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
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "commands/extension.h"
#include "commands/sequence.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "store.h"

#define ENGINE_SCHEMA "automation"

/* Returns the OID of the engine's schema, or InvalidOid. */
Oid
wf_store_namespace(void)
{
	return get_namespace_oid(ENGINE_SCHEMA, true);
}

/* Returns the OID of a relation in the engine's schema, or InvalidOid. */
Oid
wf_store_relid(const char *name)
{
	Oid			nspace = wf_store_namespace();

	return OidIsValid(nspace) ? get_relname_relid(name, nspace) : InvalidOid;
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

/* Inserts a row and its index entries; tid may be NULL. */
void
wf_store_insert(Relation rel, Datum *values, bool *nulls, ItemPointer tid)
{
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);

	CatalogTupleInsert(rel, tuple);
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

	CatalogTupleUpdate(rel, &old->t_self, tuple);
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
