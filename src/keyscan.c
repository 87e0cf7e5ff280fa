/*
 * keyscan.c -- the rows of a table in the order of their primary key, some at a
 * time.
 *
 * Called for jobs and for automation.backfill(), as the workflow's owner: what
 * row security hides from him is left out.  Results are in the current context.
 * The range is written out column by column with the operators of the key's
 * types, whatever the search path is; SPI is connected and left here.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_operator.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "enginesql.h"
#include "key.h"
#include "keyscan.h"

/* A comparison of the key's type, as SQL takes it; strategy: of btree. */
static char *
operator_name(Oid type, int strategy)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY);
	Oid			operator = get_opfamily_member(entry->btree_opf, entry->btree_opintype, entry->btree_opintype, strategy);
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("type %s has no order", format_type_be(type))));
	form = (Form_pg_operator) GETSTRUCT(tuple);
	name = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)), NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return name;
}

static void
append_comparison(StringInfo sql, const Argument *arg, int i, int strategy)
{
	appendStringInfo(sql, "t.%s %s $%d", quote_identifier(arg->key.name[i]), operator_name(arg->key.type[i], strategy), i + 1);
}

/* a >= $1 AND (a > $1 OR a = $1 AND b > $2 ...): the first part enters the index. */
static void
append_range(StringInfo sql, const Argument *arg)
{
	appendStringInfoString(sql, " WHERE ");
	append_comparison(sql, arg, 0, BTGreaterEqualStrategyNumber);
	appendStringInfoString(sql, " AND (");
	for (int i = 0; i < arg->key.natts; i++)
	{
		if (i > 0)
			appendStringInfoString(sql, " OR ");
		for (int j = 0; j < i; j++)
		{
			append_comparison(sql, arg, j, BTEqualStrategyNumber);
			appendStringInfoString(sql, " AND ");
		}
		append_comparison(sql, arg, i, BTGreaterStrategyNumber);
	}
	appendStringInfoChar(sql, ')');
}

static char *
make_sql(const Argument *arg, bool range, int limit)
{
	int			n = arg->key.natts;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (int i = 0; i < n; i++)
		appendStringInfo(&sql, "%st.%s", i ? ", " : "", quote_identifier(arg->key.name[i]));
	appendStringInfo(&sql, " FROM %s t",
					 quote_qualified_identifier(get_namespace_name(get_rel_namespace(arg->relation)),
												get_rel_name(arg->relation)));
	if (range)
		append_range(&sql, arg);
	for (int i = 0; i < n; i++)
		appendStringInfo(&sql, "%s t.%s USING %s", i ? "," : " ORDER BY", quote_identifier(arg->key.name[i]),
						 operator_name(arg->key.type[i], BTLessStrategyNumber));
	appendStringInfo(&sql, " LIMIT %d", limit);
	return sql.data;
}

static char *
key_of_row(const Argument *arg, HeapTuple tuple, TupleDesc desc)
{
	const char *texts[INDEX_MAX_KEYS];

	for (int i = 0; i < arg->key.natts; i++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(tuple, desc, i + 1, &isnull);

		texts[i] = isnull ? NULL : wf_value_out(value, arg->key.type[i]);
	}
	return wf_key_make(arg->key.natts, texts);
}

List *
wf_keyscan(const Argument *arg, const char *after, int limit)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		values[INDEX_MAX_KEYS];
	List	   *keys = NIL;
	char	   *sql = make_sql(arg, after != NULL, limit);

	if (after)
	{
		int			n;
		char	  **texts = wf_key_split(after, &n);

		if (n != arg->key.natts)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the primary key of table %s has changed", get_rel_name(arg->relation))));
		for (int i = 0; i < n; i++)
			values[i] = wf_value_in(texts[i], arg->key.type[i], -1);
	}
	SPI_connect();
	if (SPI_execute_with_args(sql, after ? arg->key.natts : 0, (Oid *) arg->key.type, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read table \"%s\"", get_rel_name(arg->relation));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);

		keys = lappend(keys, key_of_row(arg, SPI_tuptable->vals[i], SPI_tuptable->tupdesc));
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return keys;
}

int64
wf_keyscan_estimate(Oid relation)
{
	List	   *rows = wf_engine_ids("SELECT pg_catalog.sum(c.reltuples)::bigint FROM pg_catalog.pg_class c"
									 " WHERE c.relkind = 'r' AND c.reltuples >= 0"
									 " AND (c.oid = $1 OR c.oid IN (SELECT relid::oid FROM pg_catalog.pg_partition_tree($1::regclass)))"
									 " HAVING pg_catalog.count(*) > 0", "o", relation);

	return rows == NIL ? -1 : *(int64 *) linitial(rows);
}
