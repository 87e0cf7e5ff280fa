/*
 * subject.c -- reading a live row by its key, with the owner's rights.
 *
 * Called by expr.c whenever a row argument is looked at.  The direct way, one
 * descent of the primary key's index, is taken only when the current user may
 * SELECT the whole table and no row security applies to him; otherwise the row
 * is read by SQL as him, and a row that exists but stays hidden is reported
 * as such.  Partitioned tables are read by SQL too.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_operator.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "subject.h"

/* How rows of a table are read in this batch. */
typedef struct Access
{
	Oid			relation;
	bool		direct;
	Oid			index;
	SPIPlanPtr	plan;					/* saved; of the SQL way */
} Access;

static HTAB *accesses = NULL;			/* by relation, for one batch */

/* Forgets rights and plans of the last batch. */
void
wf_subject_new_batch(void)
{
	HASH_SEQ_STATUS scan;
	Access	   *access;

	if (accesses == NULL)
		return;
	hash_seq_init(&scan, accesses);
	while ((access = hash_seq_search(&scan)) != NULL)
		if (access->plan)
			SPI_freeplan(access->plan);
	hash_destroy(accesses);
	accesses = NULL;
}

/* May the current user read every row and column of it? */
static bool
reads_all(Oid relation)
{
	return pg_class_aclcheck(relation, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		wf_compat_schema_aclcheck(get_rel_namespace(relation), GetUserId(), ACL_USAGE) == ACLCHECK_OK &&
		check_enable_rls(relation, GetUserId(), true) == RLS_NONE;
}

static Access *
access_of(const Argument *arg)
{
	Access	   *access;
	bool		found;

	if (accesses == NULL)
	{
		HASHCTL		ctl;

		ctl.keysize = sizeof(Oid);
		ctl.entrysize = sizeof(Access);
		ctl.hcxt = TopMemoryContext;
		accesses = hash_create("automation subjects", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	access = hash_search(accesses, &arg->relation, HASH_ENTER, &found);
	if (!found)
	{
		access->direct = false;
		access->plan = NULL;
		if (get_rel_relkind(arg->relation) == RELKIND_RELATION && reads_all(arg->relation))
		{
			Relation	rel = table_open(arg->relation, AccessShareLock);

			access->index = wf_compat_primary_key_index(rel);
			access->direct = OidIsValid(access->index);
			table_close(rel, NoLock);
		}
	}
	return access;
}

/* Key texts to values, by the key columns' input functions. */
static void
key_values(const Argument *arg, const char *key, Datum *values)
{
	int			n;
	char	  **texts = wf_key_split(key, &n);
	int			i;

	if (n != arg->key.natts)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("key of \"%s\" has %d columns, expected %d",
						get_rel_name(arg->relation), n, arg->key.natts),
				 errhint("The primary key of the table was changed: end this enrollment with automation.unenroll().")));
	for (i = 0; i < n; i++)
		values[i] = wf_value_in(texts[i], arg->key.type[i], -1);
}

/* One descent of the primary key's index under the latest snapshot. */
static bool
fetch_direct(const Argument *arg, Oid indexid, const Datum *values, Datum *row)
{
	Relation	rel = table_open(arg->relation, AccessShareLock);
	Relation	index = index_open(indexid, AccessShareLock);
	ScanKeyData keys[INDEX_MAX_KEYS];
	SysScanDesc scan;
	HeapTuple	tuple;
	int			i;

	for (i = 0; i < arg->key.natts; i++)
	{
		Oid			eq = get_opfamily_member(index->rd_opfamily[i], index->rd_opcintype[i],
											 index->rd_opcintype[i], BTEqualStrategyNumber);

		ScanKeyEntryInitialize(&keys[i], 0, arg->key.attnum[i], BTEqualStrategyNumber,
							   index->rd_opcintype[i], index->rd_indcollation[i],
							   get_opcode(eq), values[i]);
	}
	index_close(index, NoLock);
	if (!wf_key_fits(&arg->key, RelationGetDescr(rel)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the primary key of \"%s\" was changed while the workflow ran", RelationGetRelationName(rel))));
	scan = systable_beginscan(rel, indexid, true, NULL, arg->key.natts, keys);
	tuple = systable_getnext(scan);
	if (tuple)
		*row = heap_copy_tuple_as_datum(tuple, RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, NoLock);
	return tuple != NULL;
}

/* Qualified name of a type's default equality operator. */
static char *
equality_name(Oid type)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_EQ_OPR);
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(entry->eq_opr));
	Form_pg_operator form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "type %u has no equality operator", type);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	name = psprintf("%s.%s", quote_identifier(get_namespace_name(form->oprnamespace)),
					NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return name;
}

/* SELECT of the whole row by its key, as the current user. */
static SPIPlanPtr
prepare_select(const Argument *arg)
{
	StringInfoData sql;
	SPIPlanPtr	plan;
	int			i;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT t FROM %s t WHERE ",
					 quote_qualified_identifier(get_namespace_name(get_rel_namespace(arg->relation)),
												get_rel_name(arg->relation)));
	for (i = 0; i < arg->key.natts; i++)
		appendStringInfo(&sql, "%s%s OPERATOR(%s) $%d", i ? " AND " : "",
						 quote_identifier(arg->key.name[i]),
						 equality_name(arg->key.type[i]), i + 1);
	plan = SPI_prepare(sql.data, arg->key.natts, (Oid *) arg->key.type);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

static bool
fetch_by_sql(const Argument *arg, Access *access, Datum *values, Datum *row)
{
	MemoryContext caller = CurrentMemoryContext;
	bool		found;

	SPI_connect();
	if (access->plan == NULL)
		access->plan = prepare_select(arg);
	if (SPI_execute_plan(access->plan, values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "row of \"%s\" could not be selected", get_rel_name(arg->relation));
	found = SPI_processed > 0;
	if (found)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
		MemoryContext old = MemoryContextSwitchTo(caller);

		*row = PointerGetDatum(DatumGetHeapTupleHeaderCopy(value));
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	return found;
}

/* Reads the row; see subject.h. */
SubjectState
wf_subject_fetch(const Argument *arg, const char *key, Datum *row)
{
	Access	   *access = access_of(arg);
	Datum		values[INDEX_MAX_KEYS];
	Datum		hidden;

	key_values(arg, key, values);
	if (access->direct)
		return fetch_direct(arg, access->index, values, row) ? SUBJECT_FOUND : SUBJECT_GONE;
	if (fetch_by_sql(arg, access, values, row))
		return SUBJECT_FOUND;
	if (get_rel_relkind(arg->relation) == RELKIND_RELATION)
	{
		Relation	rel = table_open(arg->relation, AccessShareLock);
		Oid			index = wf_compat_primary_key_index(rel);

		table_close(rel, NoLock);
		if (OidIsValid(index) && fetch_direct(arg, index, values, &hidden))
			return SUBJECT_NOT_VISIBLE;
	}
	return SUBJECT_GONE;
}
