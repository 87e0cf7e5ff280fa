/*
 * sight.c -- does the caller see the row that he enrolls?
 *
 * Called by handler.c for each row argument.  Like subject.c it looks directly
 * into the primary key's index if the current user may read the whole table and
 * no row security applies to him; in all other cases, and whenever nothing is
 * found there, a query decides, run as him.  Both see what a query would see
 * that came now: what the calling statement itself has done so far included.
 * The direct way is chosen anew for each call, by the rights as they are then.
 *
 * What is known of a table, the query's plan and the functions that compare its
 * keys, lives as long as the session.  Locks: AccessShareLock on the table and
 * its index, to the end of the transaction.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_operator.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "lookup.h"
#include "sight.h"
#include "subject.h"

/* What is known of a table. */
typedef struct Sight
{
	Oid			relation;				/* hash key */
	char	   *sql;
	Oid			types[INDEX_MAX_KEYS];
	SPIPlanPtr	plan;					/* saved; says whether the current user sees a row */
	Oid			index;					/* whose columns the functions compare; InvalidOid: none yet */
	Oid			equality[INDEX_MAX_KEYS];
} Sight;

static HTAB *sights = NULL;

static Sight *
sight_of(Oid relation)
{
	Sight	   *sight;
	bool		found;

	if (sights == NULL)
	{
		HASHCTL		ctl;

		ctl.keysize = sizeof(Oid);
		ctl.entrysize = sizeof(Sight);
		ctl.hcxt = TopMemoryContext;
		sights = hash_create("automation row sight", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	sight = hash_search(sights, &relation, HASH_ENTER, &found);
	if (!found)
	{
		sight->sql = NULL;
		sight->plan = NULL;
		sight->index = InvalidOid;
	}
	return sight;
}

/* --- by the index --- */

/* Is the index, as it is now, one of exactly the argument's key, for whatever
 * snapshot? */
static bool
index_fits(const Argument *arg, Relation index)
{
	Form_pg_index form = index->rd_index;

	if (!form->indisvalid || form->indcheckxmin || form->indnkeyatts != arg->key.natts)
		return false;
	for (int i = 0; i < arg->key.natts; i++)
	{
		if (form->indkey.values[i] != arg->key.attnum[i])
			return false;
	}
	return true;
}

static void
note_index(Sight *sight, Relation index)
{
	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
	{
		Oid			type = index->rd_opcintype[i];

		sight->equality[i] = get_opcode(get_opfamily_member(index->rd_opfamily[i], type, type,
															BTEqualStrategyNumber));
	}
	sight->index = RelationGetRelid(index);
}

/* The snapshot is that of a query that comes now. */
static bool
find(Lookup *lookup, const Argument *arg, const Sight *sight, const Datum *key)
{
	Relation	index = wf_lookup_index(lookup);
	ScanKeyData keys[INDEX_MAX_KEYS];
	bool		found;

	for (int i = 0; i < arg->key.natts; i++)
		ScanKeyEntryInitialize(&keys[i], 0, i + 1, BTEqualStrategyNumber, index->rd_opcintype[i],
							   index->rd_indcollation[i], sight->equality[i], key[i]);
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	found = wf_lookup_find(lookup, arg->key.natts, keys, GetActiveSnapshot()) != NULL;
	PopActiveSnapshot();
	return found;
}

/* Primary key's index of a plain table whose columns are still those of the
 * argument; InvalidOid: it is none. */
static Oid
usable_index(const Argument *arg)
{
	Relation	rel = table_open(arg->relation, AccessShareLock);
	Oid			index = InvalidOid;

	if (rel->rd_rel->relkind == RELKIND_RELATION && wf_key_fits(&arg->key, RelationGetDescr(rel)))
		index = wf_compat_primary_key_index(rel);
	table_close(rel, NoLock);
	return index;
}

/* False: the query has to decide. */
static bool
is_seen_directly(const Argument *arg, const Datum *key)
{
	Sight	   *sight;
	Lookup	   *lookup;
	Oid			index;
	bool		found;

	if (!wf_subject_reads_all(arg->relation))
		return false;
	index = usable_index(arg);
	if (!OidIsValid(index))
		return false;
	lookup = wf_lookup_open(arg->relation, index);
	sight = sight_of(arg->relation);
	if (sight->index != index)
		note_index(sight, wf_lookup_index(lookup));
	found = index_fits(arg, wf_lookup_index(lookup)) && find(lookup, arg, sight, key);
	wf_lookup_close(lookup);
	return found;
}

/* --- by a query --- */

/* Qualified name of a type's default equality operator. */
static char *
equality_operator(Oid type)
{
	Oid			operator = lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("type %s has no equality operator", format_type_be(type))));
	form = (Form_pg_operator) GETSTRUCT(tuple);
	name = psprintf("%s.%s", quote_identifier(get_namespace_name(form->oprnamespace)), NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return name;
}

static char *
sight_sql(const Argument *arg)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT 1 FROM %s WHERE ",
					 quote_qualified_identifier(get_namespace_name(get_rel_namespace(arg->relation)),
												get_rel_name(arg->relation)));
	for (i = 0; i < arg->key.natts; i++)
		appendStringInfo(&sql, "%s%s OPERATOR(%s) $%d", i ? " AND " : "",
						 quote_identifier(arg->key.name[i]), equality_operator(arg->key.type[i]), i + 1);
	return sql.data;
}

/* Saved plan for the table as it is named and keyed now; SPI is connected. */
static SPIPlanPtr
sight_plan(const Argument *arg)
{
	Sight	   *sight = sight_of(arg->relation);
	char	   *sql = sight_sql(arg);
	size_t		size = sizeof(Oid) * arg->key.natts;
	SPIPlanPtr	plan;

	if (sight->plan && strcmp(sight->sql, sql) == 0 && memcmp(sight->types, arg->key.type, size) == 0)
		return sight->plan;
	if (sight->plan)
		SPI_freeplan(sight->plan);
	sight->plan = NULL;
	if (sight->sql)
		pfree(sight->sql);
	sight->sql = MemoryContextStrdup(TopMemoryContext, sql);
	memcpy(sight->types, arg->key.type, size);
	plan = SPI_prepare(sql, arg->key.natts, sight->types);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	sight->plan = plan;
	return plan;
}

static bool
is_seen_by_query(const Argument *arg, Datum *key)
{
	bool		seen;

	SPI_connect();
	if (SPI_execute_plan(sight_plan(arg), key, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "row of \"%s\" could not be looked up", get_rel_name(arg->relation));
	seen = SPI_processed > 0;
	SPI_finish();
	return seen;
}

void
wf_sight_check(const Argument *arg, Datum *key, const char *text)
{
	if (is_seen_directly(arg, key) || is_seen_by_query(arg, key))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("row %s of table %s does not exist or is not visible to you", text, get_rel_name(arg->relation)),
			 errhint("Enroll rows that are stored in the table and that you may SELECT.")));
}
