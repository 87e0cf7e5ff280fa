/*
 * handler.c -- LANGUAGE workflow: the validator and the call handler.
 *
 * The validator is called by CREATE FUNCTION, and by anybody who may execute
 * the function: it checks the body as the function's owner, restricted, and
 * changes nothing.  The call handler is enrollment by hand: it looks at the
 * rows with the caller's rights, appends one event and returns the id that
 * the enrollment will have; it never runs anything of the body.
 * Per-call data live in the caller's memory context; what is known of the
 * function lives as long as its FmgrInfo, the plans that look rows up as long
 * as the session.  Locks: AccessShareLock on the tables of row arguments.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_operator.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "analyze.h"
#include "capture.h"
#include "check.h"
#include "commands.h"
#include "enrollment.h"
#include "event.h"
#include "owner.h"
#include "signature.h"
#include "stored.h"

/* What a call site knows of its workflow; in fn_extra. */
typedef struct CallSite
{
	MemoryContext context;				/* of all of it */
	Signature  *sig;
	int			workflow;
	int			owner;					/* automation.owner.id */
	int			source;					/* of the subject's table; 0: the first argument is a value */
} CallSite;

/* Saved plan that says whether the current user sees a row of a table. */
typedef struct SightPlan
{
	Oid			relation;				/* hash key */
	char	   *sql;
	Oid			types[INDEX_MAX_KEYS];
	SPIPlanPtr	plan;
} SightPlan;

/* An argument of one call. */
typedef struct CallArgument
{
	bool		isnull;
	char	   *text;					/* row: key; value: output text */
	Datum		key[INDEX_MAX_KEYS];	/* of a row */
} CallArgument;

static HTAB *sight_plans = NULL;

PG_FUNCTION_INFO_V1(wf_workflow_validator);
PG_FUNCTION_INFO_V1(wf_workflow_call_handler);

/* --- validator --- */

/*
 * Checks a workflow as its owner, with the path that it will have.  wf_check()
 * sets the error context that puts positions into CREATE FUNCTION.
 */
static void
validate(const Signature *sig)
{
	UserScope	scope;
	char	   *path;

	wf_signature_check(sig);
	path = wf_check_path(sig, false);
	wf_owner_enter(&scope, sig->owner, path, sig->config);
	(void) wf_check(sig, true);
	wf_owner_leave(&scope);
}

/*
 * automation.workflow_validator(oid).  Does nothing while
 * check_function_bodies is off: a dump is being restored.
 */
Datum
wf_workflow_validator(PG_FUNCTION_ARGS)
{
	Oid			function = PG_GETARG_OID(0);
	Signature  *sig;

	if (!CheckFunctionValidatorAccess(fcinfo->flinfo->fn_oid, function))
		PG_RETURN_VOID();
	if (!check_function_bodies)
		PG_RETURN_VOID();
	sig = wf_signature_load(function);
	if (sig == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function with OID %u is not a workflow", function)));
	validate(sig);
	PG_RETURN_VOID();
}

/* --- does the caller see the row? --- */

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

static SightPlan *
sight_entry(Oid relation)
{
	SightPlan  *entry;
	bool		found;

	if (sight_plans == NULL)
	{
		HASHCTL		ctl;

		ctl.keysize = sizeof(Oid);
		ctl.entrysize = sizeof(SightPlan);
		ctl.hcxt = TopMemoryContext;
		sight_plans = hash_create("automation row sight", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(sight_plans, &relation, HASH_ENTER, &found);
	if (!found)
	{
		entry->sql = NULL;
		entry->plan = NULL;
	}
	return entry;
}

/* Saved plan for the table as it is named and keyed now; SPI is connected. */
static SPIPlanPtr
sight_plan(const Argument *arg)
{
	SightPlan  *entry = sight_entry(arg->relation);
	char	   *sql = sight_sql(arg);
	size_t		size = sizeof(Oid) * arg->key.natts;
	SPIPlanPtr	plan;

	if (entry->plan && strcmp(entry->sql, sql) == 0 && memcmp(entry->types, arg->key.type, size) == 0)
		return entry->plan;
	if (entry->plan)
		SPI_freeplan(entry->plan);
	entry->plan = NULL;
	if (entry->sql)
		pfree(entry->sql);
	entry->sql = MemoryContextStrdup(TopMemoryContext, sql);
	memcpy(entry->types, arg->key.type, size);
	plan = SPI_prepare(sql, arg->key.natts, entry->types);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	entry->plan = plan;
	return plan;
}

/*
 * ERROR unless the current user sees the row with his own privileges and row
 * security: a composite value proves nothing, anybody can write one.
 */
static void
check_sight(const Argument *arg, CallArgument *value)
{
	bool		seen;

	SPI_connect();
	if (SPI_execute_plan(sight_plan(arg), value->key, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "row of \"%s\" could not be looked up", get_rel_name(arg->relation));
	seen = SPI_processed > 0;
	SPI_finish();
	if (!seen)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("row %s of table %s does not exist or is not visible to you",
						value->text, get_rel_name(arg->relation)),
				 errhint("Enroll rows that are stored in the table and that you may SELECT.")));
}

/* --- arguments --- */

/* Takes the primary key out of a composite value; no key: as good as NULL. */
static void
take_key(const Argument *arg, Datum datum, CallArgument *value)
{
	HeapTupleHeader row = DatumGetHeapTupleHeader(datum);
	TupleDesc	desc;
	HeapTupleData tuple;
	bool		isnull;
	int			i;

	if (HeapTupleHeaderGetTypeId(row) != arg->type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("argument \"%s\" is not of type %s", arg->name, format_type_be(arg->type))));
	desc = lookup_rowtype_tupdesc(arg->type, HeapTupleHeaderGetTypMod(row));
	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = row;
	value->text = wf_key_of_tuple(&arg->key, &tuple, desc);
	for (i = 0; i < arg->key.natts && value->text; i++)
		value->key[i] = heap_getattr(&tuple, arg->key.attnum[i], desc, &isnull);
	value->isnull = (value->text == NULL);
	ReleaseTupleDesc(desc);
}

static void
take_argument(const Argument *arg, NullableDatum *given, CallArgument *value)
{
	value->isnull = given->isnull;
	value->text = NULL;
	if (value->isnull)
		return;
	if (arg->is_row)
		take_key(arg, given->value, value);
	else
		value->text = wf_stored_out(given->value, arg->type);
}

/* The arguments as the event carries them: array of texts and nulls. */
static Jsonb *
arguments_jsonb(const CallArgument *values, int n)
{
	JsonbParseState *state = NULL;
	JsonbValue *result;
	JsonbValue	element;
	int			i;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (i = 0; i < n; i++)
	{
		element.type = values[i].isnull ? jbvNull : jbvString;
		if (!values[i].isnull)
		{
			element.val.string.val = values[i].text;
			element.val.string.len = strlen(values[i].text);
		}
		pushJsonbValue(&state, WJB_ELEM, &element);
	}
	result = pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	return JsonbValueToJsonb(result);
}

/* --- call handler --- */

/* Fills a call site anew; ERROR if the function can't be enrolled by. */
static void
fill_call_site(CallSite *site, Oid function)
{
	Signature  *sig = wf_signature_load(function);
	WorkflowRow *row;

	if (sig == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function with OID %u is not a workflow", function)));
	wf_signature_check(sig);
	row = wf_workflow_by_routine(function);
	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("workflow %s is not registered", sig->text),
				 errhint("A superuser can register it with CALL automation.reconcile().")));
	site->workflow = row->id;
	site->owner = row->owner;
	site->source = sig->args[0].is_row ? wf_source_id(sig->args[0].relation, true) : 0;
	site->sig = sig;
}

/* What is known of the function, looked up again when pg_proc has changed. */
static CallSite *
call_site(FmgrInfo *flinfo)
{
	CallSite   *site = flinfo->fn_extra;
	MemoryContext old;

	if (site && site->sig && wf_signature_current(site->sig))
		return site;
	if (site == NULL)
	{
		site = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(CallSite));
		site->context = AllocSetContextCreate(flinfo->fn_mcxt, "automation call site", ALLOCSET_SMALL_SIZES);
		flinfo->fn_extra = site;
	}
	site->sig = NULL;
	MemoryContextReset(site->context);
	old = MemoryContextSwitchTo(site->context);
	fill_call_site(site, flinfo->fn_oid);
	MemoryContextSwitchTo(old);
	return site;
}

/* Places from which nothing may be enrolled. */
static void
check_circumstances(FunctionCallInfo fcinfo)
{
	if (CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a workflow can't be a trigger function"),
				 errhint("AFTER in its body watches a table.")));
	PreventCommandDuringRecovery("enrolling in a workflow");
	PreventCommandIfReadOnly("enrolling in a workflow");
	PreventCommandIfParallelMode("enrolling in a workflow");
}

/* Appends the event that enrolls; returns the id the enrollment will have. */
static int64
append_call(const CallSite *site, const CallArgument *values)
{
	Event		event = {0};
	int			hit = site->workflow << 2;

	event.kind = EVENT_HAND;
	event.owner = site->owner;
	event.source = site->source;
	event.key = site->source ? values[0].text : NULL;
	event.target = wf_enrollment_new_id();
	event.nhits = 1;
	event.hits = &hit;
	event.args = arguments_jsonb(values, site->sig->nargs);
	event.cause = unconstify(int64 *, wf_cause_get(&event.ncause));
	wf_call_open(event.target, GetUserId());
	wf_event_append(&event);
	return event.target;
}

/*
 * Enrollment by hand.  NULL subject: nothing is enrolled, NULL is returned.
 */
Datum
wf_workflow_call_handler(PG_FUNCTION_ARGS)
{
	CallSite   *site;
	CallArgument *values;
	int			i;

	check_circumstances(fcinfo);
	site = call_site(fcinfo->flinfo);
	if (PG_NARGS() != site->sig->nargs)
		elog(ERROR, "workflow %s called with %d arguments", site->sig->text, PG_NARGS());
	values = palloc0(sizeof(CallArgument) * site->sig->nargs);
	for (i = 0; i < site->sig->nargs; i++)
		take_argument(&site->sig->args[i], &fcinfo->args[i], &values[i]);
	if (values[0].isnull && site->sig->args[0].is_row)
		PG_RETURN_NULL();
	for (i = 0; i < site->sig->nargs; i++)
		if (site->sig->args[i].is_row && !values[i].isnull)
			check_sight(&site->sig->args[i], &values[i]);
	PG_RETURN_INT64(append_call(site, values));
}
