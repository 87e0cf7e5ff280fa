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
#include "access/nbtree.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "lookup.h"
#include "owner.h"
#include "subject.h"

/* How rows of a table are read in this batch. */
typedef struct Access
{
	Oid			relation;
	int			source;					/* automation.source.id; 0 = not looked up */
	bool		direct;
	Oid			index;					/* of the primary key; the rest by its columns */
	Oid			equality[INDEX_MAX_KEYS];	/* functions */
	Oid			input[INDEX_MAX_KEYS];	/* types they take */
	Oid			collation[INDEX_MAX_KEYS];
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

bool
wf_subject_reads_all(Oid relation)
{
	return pg_class_aclcheck(relation, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		wf_compat_schema_aclcheck(get_rel_namespace(relation), GetUserId(), ACL_USAGE) == ACLCHECK_OK &&
		check_enable_rls(relation, GetUserId(), true) == RLS_NONE;
}

/* Notes how to search the primary key's index; false if there is none. */
static bool
note_index(Access *access, Relation rel)
{
	Relation	index;

	access->index = wf_compat_primary_key_index(rel);
	if (!OidIsValid(access->index))
		return false;
	index = index_open(access->index, AccessShareLock);
	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
	{
		Oid			type = index->rd_opcintype[i];

		access->equality[i] = get_opcode(get_opfamily_member(index->rd_opfamily[i], type, type,
															 BTEqualStrategyNumber));
		access->input[i] = type;
		access->collation[i] = index->rd_indcollation[i];
	}
	index_close(index, NoLock);
	return true;
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
		access->source = 0;
		access->direct = false;
		access->plan = NULL;
		if (get_rel_relkind(arg->relation) == RELKIND_RELATION && wf_subject_reads_all(arg->relation))
		{
			Relation	rel = table_open(arg->relation, AccessShareLock);

			access->direct = note_index(access, rel);
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

static void
refuse_changed_key(Relation rel)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the primary key of \"%s\" was changed while the workflow ran", RelationGetRelationName(rel))));
}

/* One descent of the primary key's index under the latest snapshot. */
static bool
fetch_direct(const Argument *arg, const Access *access, const Datum *values, Datum *row, ItemPointer tid)
{
	Lookup	   *lookup = wf_lookup_open(arg->relation, access->index);
	Relation	index = wf_lookup_index(lookup);
	ScanKeyData keys[INDEX_MAX_KEYS];
	Snapshot	snapshot;
	TupleTableSlot *slot;

	for (int i = 0; i < arg->key.natts; i++)
	{
		if (index->rd_index->indkey.values[i] != arg->key.attnum[i])
			refuse_changed_key(wf_lookup_table(lookup));
		ScanKeyEntryInitialize(&keys[i], 0, i + 1, BTEqualStrategyNumber,
							   access->input[i], access->collation[i], access->equality[i], values[i]);
	}
	if (!wf_key_fits(&arg->key, RelationGetDescr(wf_lookup_table(lookup))))
		refuse_changed_key(wf_lookup_table(lookup));
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	slot = wf_lookup_find_unique(lookup, arg->key.natts, keys, snapshot);
	if (slot)
	{
		*row = heap_copy_tuple_as_datum(ExecFetchSlotHeapTuple(slot, false, NULL), slot->tts_tupleDescriptor);
		*tid = slot->tts_tid;
	}
	UnregisterSnapshot(snapshot);
	wf_lookup_close(lookup);
	return slot != NULL;
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
wf_subject_fetch(const Argument *arg, const char *key, Datum *row, ItemPointer tid)
{
	Access	   *access = access_of(arg);
	Datum		values[INDEX_MAX_KEYS];
	Datum		hidden;
	ItemPointerData place;

	if (tid == NULL)
		tid = &place;
	ItemPointerSetInvalid(tid);
	key_values(arg, key, values);
	if (access->direct)
		return fetch_direct(arg, access, values, row, tid) ? SUBJECT_FOUND : SUBJECT_GONE;
	if (fetch_by_sql(arg, access, values, row))
		return SUBJECT_FOUND;
	if (get_rel_relkind(arg->relation) == RELKIND_RELATION)
	{
		Relation	rel = table_open(arg->relation, AccessShareLock);
		bool		has_index = note_index(access, rel);

		table_close(rel, NoLock);
		if (has_index && fetch_direct(arg, access, values, &hidden, &place))
			return SUBJECT_NOT_VISIBLE;
	}
	return SUBJECT_GONE;
}

/*
 * Id of an argument's table in automation.source; 0 = unknown.  A table keeps
 * its id as long as it exists.
 */
int
wf_subject_source(const Argument *arg)
{
	Access	   *access = access_of(arg);

	if (access->source == 0)
		access->source = wf_source_id(arg->relation, false);
	return access->source;
}

/* --- keys as they are stored --- */

/* Have equal values of a key column one text only? */
static bool
text_is_unique(const Argument *arg, int i)
{
	Oid			type;
	int32		typmod;
	Oid			collation;
	TypeCacheEntry *entry;
	Oid			proc;

	get_atttypetypmodcoll(arg->relation, arg->key.attnum[i], &type, &typmod, &collation);
	type = getBaseType(type);
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case UUIDOID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return true;
		case BPCHAROID:					/* blanks at the end do not count */
			return false;
	}
	entry = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY);
	proc = OidIsValid(entry->btree_opf) ?
		get_opfamily_proc(entry->btree_opf, entry->btree_opintype, entry->btree_opintype, BTEQUALIMAGE_PROC) :
		InvalidOid;
	return OidIsValid(proc) &&
		DatumGetBool(OidFunctionCall1Coll(proc, collation, ObjectIdGetDatum(entry->btree_opintype)));
}

/* The key as the stored row has it; see subject.h. */
char *
wf_subject_key(const Argument *arg, char *key)
{
	bool		unique = true;
	HeapTupleData tuple;
	TupleDesc	desc;
	Datum		row;
	char	   *stored;

	for (int i = 0; i < arg->key.natts && unique; i++)
		unique = text_is_unique(arg, i);
	if (unique || wf_subject_fetch(arg, key, &row, NULL) != SUBJECT_FOUND)
		return key;
	tuple.t_data = DatumGetHeapTupleHeader(row);
	tuple.t_len = HeapTupleHeaderGetDatumLength(tuple.t_data);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(tuple.t_data), HeapTupleHeaderGetTypMod(tuple.t_data));
	stored = wf_key_of_tuple(&arg->key, &tuple, desc);
	ReleaseTupleDesc(desc);
	return stored ? stored : key;
}
