/*
 * webhook.c -- the body of automation.webhook(): an event as Standard Webhooks has it.
 *
 * Called by user SQL, in any session; in a function of its own, in C and with each
 * argument used once, since webhook() is inlined then and a workflow's SEND has a plan
 * that is made once.  The result is in the current context; catalogs are read, no table
 * of anybody's, no lock is taken.  Errors: what to_json() has of the value's type.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/bitmapset.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "compat.h"

#define TYPE_OF_OTHERS "event"
#define MEMBER_OF_JSON "id"

enum
{
	DATA, TYPE, THIN
};

PG_FUNCTION_INFO_V1(wf_webhook_body);

/* data by to_json() or to_jsonb(), which take its type from the call, as this function does. */
static Datum
converted(FunctionCallInfo fcinfo, Oid function)
{
	FmgrInfo	flinfo;

	fmgr_info(function, &flinfo);
	flinfo.fn_expr = fcinfo->flinfo->fn_expr;
	return FunctionCall1Coll(&flinfo, InvalidOid, PG_GETARG_DATUM(DATA));
}

/* The table, view or composite type that a row is of; InvalidOid: it is no row.  Name: of its type. */
static Oid
relation_of(Oid type, char **name)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Form_pg_type form;
	Oid			relation;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	form = (Form_pg_type) GETSTRUCT(tuple);
	relation = form->typrelid;
	*name = pstrdup(NameStr(form->typname));
	ReleaseSysCache(tuple);
	return relation;
}

/* Names of the primary key's columns; of JSON the one that is taken for that. */
static List *
names_of_key(Oid type, Oid relation)
{
	Bitmapset  *columns;
	Oid			constraint;
	List	   *names = NIL;
	int			column = -1;

	if (type == JSONOID || type == JSONBOID)
		return list_make1(MEMBER_OF_JSON);
	if (!OidIsValid(relation))
		return NIL;
	columns = get_primary_key_attnos(relation, true, &constraint);
	while ((column = bms_next_member(columns, column)) >= 0)
		names = lappend(names, get_attname(relation, column + FirstLowInvalidHeapAttributeNumber, false));
	return names;
}

/* What names the record, NULL: nothing is known of it: the members of its key, as JSON. */
static char *
thin_data(Jsonb *whole, List *names, bool all)
{
	JsonbParseState *state = NULL;
	Jsonb	   *thin;
	ListCell   *lc;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	foreach(lc, names)
	{
		JsonbValue	none = {.type = jbvNull};
		JsonbValue	name = {.type = jbvString};
		JsonbValue *value = NULL;

		name.val.string.val = lfirst(lc);
		name.val.string.len = strlen(lfirst(lc));
		if (whole && JB_ROOT_IS_OBJECT(whole))
			value = getKeyJsonValueFromContainer(&whole->root, name.val.string.val, name.val.string.len, NULL);
		if (value == NULL && !all)
			continue;
		pushJsonbValue(&state, WJB_KEY, &name);
		pushJsonbValue(&state, WJB_VALUE, value ? value : &none);
	}
	thin = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
	return JsonbToCString(NULL, &thin->root, VARSIZE(thin));
}

/* Now, in UTC, as ISO 8601 has it. */
static void
append_now(StringInfo body)
{
	struct pg_tm tm;
	fsec_t		microseconds;

	if (timestamp2tm(wf_clock_now(), NULL, &tm, &microseconds, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	appendStringInfo(body, "\"%04d-%02d-%02dT%02d:%02d:%02d.%06dZ\"", tm.tm_year, tm.tm_mon, tm.tm_mday,
					 tm.tm_hour, tm.tm_min, tm.tm_sec, (int) microseconds);
}

/* webhook_body(data, type, thin) */
Datum
wf_webhook_body(PG_FUNCTION_ARGS)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, DATA);
	bool		thin = !PG_ARGISNULL(THIN) && PG_GETARG_BOOL(THIN);
	char	   *name;
	Oid			relation;
	StringInfoData body;

	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("could not determine the type of the data")));
	relation = relation_of(type, &name);
	initStringInfo(&body);
	appendStringInfoString(&body, "{\"type\" : ");
	escape_json(&body, !PG_ARGISNULL(TYPE) ? text_to_cstring(PG_GETARG_TEXT_PP(TYPE)) :
				OidIsValid(relation) ? name : TYPE_OF_OTHERS);
	appendStringInfoString(&body, ", \"timestamp\" : ");
	append_now(&body);
	appendStringInfoString(&body, ", \"data\" : ");
	if (thin)
		appendStringInfoString(&body, thin_data(PG_ARGISNULL(DATA) ? NULL : DatumGetJsonbP(converted(fcinfo, F_TO_JSONB)),
												names_of_key(type, relation), OidIsValid(relation)));
	else if (PG_ARGISNULL(DATA))
		appendStringInfoString(&body, "null");
	else
		appendStringInfoString(&body, TextDatumGetCString(converted(fcinfo, F_TO_JSON)));
	appendStringInfoChar(&body, '}');
	PG_RETURN_TEXT_P(cstring_to_text_with_len(body.data, body.len));
}
