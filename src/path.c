/*
 * path.c -- from a changed row to the ties of those who wait, where a session that
 * changes it can't make them.
 *
 * A rule's path is a jsonb array: {"column": c} of the changed row, which is in the
 * event's image, then for each table on the way {"table": source, "match": m,
 * "column": c}: from the rows whose m is equal to the value so far one goes on with
 * their c.  The last link's table, column and value make the tie (tie.c).  A path
 * of one element makes it of the changed row itself, for types whose hash function
 * is not the core's.
 *
 * Called by tied.c in an item, as the workflow's owner.  The query is made here of
 * names only, all of them qualified, and of the equality operators of the columns'
 * default operator classes; its plan is kept as long as the process lives and the
 * names are the same.  Row security applies: who may not see a row has not seen it
 * in his condition either.  A row on the way that is gone or altered is no matter of
 * this path: its own change has ties of its own.
 */
#include "postgres.h"

#include "access/hash.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_operator.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "image.h"
#include "owner.h"
#include "path.h"
#include "start.h"
#include "tie.h"

#define FETCH_ROWS 1000

/* One element of a path. */
typedef struct Link
{
	int			source;					/* of the first one: the rule's */
	Oid			relation;
	char	   *match;					/* NULL: the first one */
	char	   *column;
} Link;

/* A value to begin with. */
typedef struct Origin
{
	Oid			type;
	Oid			collation;
	Datum		value;
} Origin;

/* A plan that is kept. */
typedef struct PathPlan
{
	int			rule;					/* hash key */
	char	   *query;					/* with the names of today; NULL: nothing is kept */
	Oid			type;
	SPIPlanPtr	plan;
} PathPlan;

static HTAB *plans = NULL;

/* --- the path --- */

static void
malformed(const Rule *rule)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("malformed path of rule %d", rule->id)));
}

/* A member of an object as text: a name, or the digits of a number. */
static char *
member(const Rule *rule, JsonbContainer *object, const char *name)
{
	JsonbValue	buf;
	JsonbValue *value = getKeyJsonValueFromContainer(object, name, strlen(name), &buf);

	if (value != NULL && value->type == jbvString)
		return pnstrdup(value->val.string.val, value->val.string.len);
	if (value == NULL || value->type != jbvNumeric)
		malformed(rule);
	return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
}

static Link *
make_link(const Rule *rule, JsonbValue *element, bool first)
{
	Link	   *link = palloc0(sizeof(Link));
	JsonbContainer *object;

	if (element->type != jbvBinary || !JsonContainerIsObject(element->val.binary.data))
		malformed(rule);
	object = element->val.binary.data;
	link->column = member(rule, object, "column");
	link->source = rule->source;
	if (!first)
	{
		link->source = pg_strtoint32(member(rule, object, "table"));
		link->match = member(rule, object, "match");
	}
	link->relation = wf_source_relation(link->source);
	if (!OidIsValid(link->relation) || get_rel_name(link->relation) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("a table that a condition reads does not exist any more")));
	return link;
}

static List *
links_of(const Rule *rule)
{
	List	   *links = NIL;

	if (!JB_ROOT_IS_ARRAY(rule->path) || JB_ROOT_COUNT(rule->path) == 0)
		malformed(rule);
	for (uint32 i = 0; i < JB_ROOT_COUNT(rule->path); i++)
		links = lappend(links, make_link(rule, getIthJsonbValueFromContainer(&rule->path->root, i), i == 0));
	return links;
}

static Oid
column_type(const Link *link, const char *column)
{
	AttrNumber	attnum = get_attnum(link->relation, column);

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table %s does not exist", column, get_rel_name(link->relation))));
	return get_atttype(link->relation, attnum);
}

/* --- the query --- */

/* The operator by which values of two types are equal, as SQL writes it. */
static char *
equality(Oid left, Oid right)
{
	TypeCacheEntry *one = lookup_type_cache(left, TYPECACHE_BTREE_OPFAMILY | TYPECACHE_HASH_OPFAMILY);
	TypeCacheEntry *other = lookup_type_cache(right, TYPECACHE_BTREE_OPFAMILY | TYPECACHE_HASH_OPFAMILY);
	Oid			operator = InvalidOid;
	HeapTuple	tuple;
	char	   *text;

	if (OidIsValid(one->btree_opf))
		operator = get_opfamily_member(one->btree_opf, one->btree_opintype, other->btree_opintype, BTEqualStrategyNumber);
	if (!OidIsValid(operator) && OidIsValid(one->hash_opf))
		operator = get_opfamily_member(one->hash_opf, one->hash_opintype, other->hash_opintype, HTEqualStrategyNumber);
	if (!OidIsValid(operator))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("could not identify an equality operator for types %s and %s",
						format_type_be(left), format_type_be(right))));
	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	text = psprintf("OPERATOR(%s.%s)",
					quote_identifier(get_namespace_name(((Form_pg_operator) GETSTRUCT(tuple))->oprnamespace)),
					NameStr(((Form_pg_operator) GETSTRUCT(tuple))->oprname));
	ReleaseSysCache(tuple);
	return text;
}

/* SELECT of the last link's column, given the first one's value. */
static char *
query_of(List *links, Oid type)
{
	StringInfoData from;
	StringInfoData where;
	Link	   *before = linitial(links);

	initStringInfo(&from);
	initStringInfo(&where);
	for (int i = 1; i < list_length(links); i++)
	{
		Link	   *link = list_nth(links, i);
		char	   *value = i == 1 ? pstrdup("$1") : psprintf("l%d.%s", i - 1, quote_identifier(before->column));

		appendStringInfo(&from, "%s%s l%d", i > 1 ? ", " : "",
						 quote_qualified_identifier(get_namespace_name(get_rel_namespace(link->relation)),
													get_rel_name(link->relation)), i);
		appendStringInfo(&where, "%sl%d.%s %s %s", i > 1 ? " AND " : "", i, quote_identifier(link->match),
						 equality(column_type(link, link->match), i == 1 ? type : column_type(before, before->column)),
						 value);
		before = link;
	}
	return psprintf("SELECT l%d.%s FROM %s WHERE %s", list_length(links) - 1, quote_identifier(before->column),
					from.data, where.data);
}

static PathPlan *
plan_entry(int rule)
{
	PathPlan   *entry;
	bool		found;

	if (plans == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(int),.entrysize = sizeof(PathPlan),.hcxt = TopMemoryContext};

		plans = hash_create("automation paths", 32, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(plans, &rule, HASH_ENTER, &found);
	if (!found)
		entry->query = NULL;
	return entry;
}

/* The plan for values of a type; SPI is connected.  A table or column may have got
 * another name, and its name another table. */
static SPIPlanPtr
plan_of(const Rule *rule, List *links, Oid type)
{
	PathPlan   *entry = plan_entry(rule->id);
	char	   *query = query_of(links, type);
	SPIPlanPtr	plan;

	if (entry->query != NULL && entry->type == type && strcmp(entry->query, query) == 0)
		return entry->plan;
	if (entry->query != NULL)
	{
		char	   *old = entry->query;

		entry->query = NULL;
		pfree(old);
		SPI_freeplan(entry->plan);
	}
	plan = SPI_prepare(query, 1, &type);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	entry->plan = plan;
	entry->type = type;
	entry->query = MemoryContextStrdup(TopMemoryContext, query);
	return plan;
}

/* --- walking --- */

static void
sink_rows(const Link *last, PathSink sink, void *arg)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	Form_pg_attribute att = TupleDescAttr(desc, 0);

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		value = heap_getattr(SPI_tuptable->vals[i], 1, desc, &isnull);

		if (!isnull)
			sink(wf_tie(last->source, last->column, wf_tie_hash(att->atttypid, att->attcollation, value)), arg);
	}
}

/* Follows the links from one value; read in portions, for there may be many rows. */
static void
walk_from(const Rule *rule, List *links, const Origin *origin, PathSink sink, void *arg)
{
	Link	   *last = llast(links);
	Datum		value = origin->value;
	Portal		portal;

	if (list_length(links) == 1)
	{
		sink(wf_tie(last->source, last->column, wf_tie_hash(origin->type, origin->collation, value)), arg);
		return;
	}
	SPI_connect();
	portal = SPI_cursor_open(NULL, plan_of(rule, links, origin->type), &value, NULL, false);
	do
	{
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		sink_rows(last, sink, arg);
		if (SPI_processed < FETCH_ROWS)
			break;
		SPI_freetuptable(SPI_tuptable);
	} while (true);
	SPI_cursor_close(portal);
	SPI_finish();
}

/* Value of the first link's column in an image; false: it could not be kept. */
static bool
add_origin(List **origins, Jsonb *image, const Link *first)
{
	AttrNumber	attnum = get_attnum(first->relation, first->column);
	Origin	   *origin = palloc(sizeof(Origin));
	int32		typmod;
	Datum		row;
	bool		isnull;

	(void) column_type(first, first->column);
	if (wf_image_to_row(image, get_rel_type_id(first->relation), &row) == IMAGE_MISSING)
		return false;
	origin->value = GetAttributeByNum(DatumGetHeapTupleHeader(row), attnum, &isnull);
	get_atttypetypmodcoll(first->relation, attnum, &origin->type, &typmod, &origin->collation);
	if (!isnull)
		*origins = lappend(*origins, origin);
	return true;
}

/* The values of the rows that met the rule's conditions. */
static bool
add_origins(List **origins, const Rule *rule, const Event *event, const Link *first)
{
	for (int i = 0; i < event->nhits; i++)
	{
		int			hit = event->hits[i];

		if (HIT_RULE(hit) != rule->id)
			continue;
		if (HIT_OLD(hit) && event->old != NULL && !add_origin(origins, event->old, first))
			return false;
		if (HIT_NEW(hit) && event->new != NULL && !add_origin(origins, event->new, first))
			return false;
	}
	return true;
}

bool
wf_path_walk(const Rule *rule, const EventGroup *group, PathSink sink, void *arg)
{
	List	   *links = links_of(rule);
	List	   *origins = NIL;
	ListCell   *lc;

	for (int i = 0; i < group->nevents; i++)
	{
		if (!add_origins(&origins, rule, &group->events[i], linitial(links)))
			return false;
	}
	foreach(lc, origins)
		walk_from(rule, links, lfirst(lc), sink, arg);
	return true;
}
