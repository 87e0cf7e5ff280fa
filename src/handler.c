/*
 * handler.c -- LANGUAGE workflow: the validator and the call handler.
 *
 * The validator is called by CREATE FUNCTION, and by anybody who may execute
 * the function: it checks the body as the function's owner, restricted, and
 * changes nothing.  The call handler is enrollment by hand: it looks at the
 * rows with the caller's rights, appends one event and returns the id that
 * the enrollment will have; it never runs anything of the body.
 * Per-call data live in the caller's memory context; what is known of the
 * function is the session's (call_site.c).  Locks: AccessShareLock on the tables
 * of row arguments.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "analyze.h"
#include "call_site.h"
#include "capture.h"
#include "check.h"
#include "enrollment.h"
#include "event.h"
#include "owner.h"
#include "sight.h"
#include "signature.h"
#include "stored.h"

/* An argument of one call. */
typedef struct CallArgument
{
	bool		isnull;
	char	   *text;					/* row: key; value: output text */
	Datum		key[INDEX_MAX_KEYS];	/* of a row */
} CallArgument;

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
	const CallSite *site;
	CallArgument *values;
	int			i;

	check_circumstances(fcinfo);
	site = wf_call_site(fcinfo->flinfo->fn_oid);
	if (PG_NARGS() != site->sig->nargs)
		elog(ERROR, "workflow %s called with %d arguments", site->sig->text, PG_NARGS());
	values = palloc0(sizeof(CallArgument) * site->sig->nargs);
	for (i = 0; i < site->sig->nargs; i++)
		take_argument(&site->sig->args[i], &fcinfo->args[i], &values[i]);
	if (values[0].isnull && site->sig->args[0].is_row)
		PG_RETURN_NULL();
	for (i = 0; i < site->sig->nargs; i++)
		if (site->sig->args[i].is_row && !values[i].isnull)
			wf_sight_check(&site->sig->args[i], values[i].key, values[i].text);
	PG_RETURN_INT64(append_call(site, values));
}
