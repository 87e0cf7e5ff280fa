/*
 * commands.c -- what users call: unenroll, retry, hold, release,
 * accept_versions, and the questions a workflow or a user may ask.
 *
 * The functions are SECURITY INVOKER: the caller's right is checked first, the
 * writing happens in engine scope or by C.  What concerns an enrollment is
 * appended to its owner's log, so it takes effect in the order of all other
 * changes; nothing waits for the executor.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "capture.h"
#include "clock.h"
#include "commands.h"
#include "compat.h"
#include "due.h"
#include "enginesql.h"
#include "enrollment.h"
#include "interp.h"
#include "event.h"
#include "json_member.h"
#include "key.h"
#include "owner.h"
#include "register.h"
#include "schedule.h"
#include "signature.h"
#include "store.h"

PG_FUNCTION_INFO_V1(wf_unenroll_subject);
PG_FUNCTION_INFO_V1(wf_unenroll);
PG_FUNCTION_INFO_V1(wf_unenroll_others);
PG_FUNCTION_INFO_V1(wf_retry);
PG_FUNCTION_INFO_V1(wf_retry_workflow);
PG_FUNCTION_INFO_V1(wf_hold_one);
PG_FUNCTION_INFO_V1(wf_release_one);
PG_FUNCTION_INFO_V1(wf_accept_versions);
PG_FUNCTION_INFO_V1(wf_enrollment_status);
PG_FUNCTION_INFO_V1(wf_finished);
PG_FUNCTION_INFO_V1(wf_entered_at);
PG_FUNCTION_INFO_V1(wf_now);

#define CALL_ID			1
#define CALL_CALLER		2
#define HISTORY_MONTHS	14

/* ----------------------------------------------------------------
 * Appending
 * ----------------------------------------------------------------
 */

static Jsonb *
command_arguments(const char *command, int workflow, const char *reason)
{
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	wf_json_text(&state, "command", command);
	wf_json_number(&state, "workflow", workflow);
	wf_json_text(&state, "reason", reason);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

void
wf_command_append(const WorkflowRow *row, const char *command, const char *reason,
				  int64 target, int source, const char *key)
{
	Event		event = {0};
	const int64 *cause;

	event.kind = EVENT_COMMAND;
	event.owner = row->owner;
	event.target = target;
	event.source = source;
	event.key = unconstify(char *, key);
	event.args = command_arguments(command, row->id, reason);
	cause = wf_cause_get(&event.ncause);
	event.cause = cause ? unconstify(int64 *, cause) : NULL;
	if (cause == NULL)
		event.ncause = 0;
	wf_event_append(&event);
}

static bool
held_for(const WorkflowRow *row, const char *reason)
{
	return row->hold != NULL && strcmp(row->hold, reason) == 0;
}

static char *
text_argument(FunctionCallInfo fcinfo, int i)
{
	return text_to_cstring(PG_GETARG_TEXT_PP(i));
}

/* ----------------------------------------------------------------
 * Unenroll
 * ----------------------------------------------------------------
 */

static bool
may_enroll(const WorkflowRow *row)
{
	return wf_workflow_owned(row) ||
		(OidIsValid(row->routine) &&
		 wf_compat_function_aclcheck(row->routine, GetUserId(), ACL_EXECUTE) == ACLCHECK_OK);
}

/* Does not say what workflow the enrollment is in. */
static void
refuse_enrollment(int64 id)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for enrollment " INT64_FORMAT, id)));
}

/* Who may enroll by hand may take out again. */
static void
require_enroller(const WorkflowRow *row)
{
	if (may_enroll(row))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for workflow %s", row->signature),
			 errhint("It takes its owner, or EXECUTE on the function.")));
}

/* Table of a row type; InvalidOid if it is no table's. */
static Oid
table_of_type(Oid type)
{
	return get_typtype(type) == TYPTYPE_COMPOSITE ? get_typ_typrelid(type) : InvalidOid;
}

/* Key of a row value, by the primary key of its table. */
static char *
key_of_row(Datum value, Oid relation)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(value);
	HeapTupleData tuple;
	Relation	rel = table_open(relation, AccessShareLock);
	KeyColumns	columns;
	TupleDesc	desc;
	char	   *key = NULL;

	wf_key_columns(rel, &columns);
	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	if (columns.natts > 0)
		key = wf_key_of_tuple(&columns, &tuple, desc);
	ReleaseTupleDesc(desc);
	table_close(rel, AccessShareLock);
	if (key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the row has no primary key")));
	return key;
}

/* The key itself was given: written as its type writes it. */
static char *
key_of_value(Datum value, Oid type, const Argument *arg, const WorkflowRow *row)
{
	Oid			keytype = getBaseType(arg->key.type[0]);
	const char *text;

	if (arg->key.natts != 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("argument %s of %s has a primary key of %d columns", arg->name, row->signature, arg->key.natts),
				 errhint("Pass the row.")));
	text = wf_value_out(value, type);
	/* the base type: a domain's checks are its owner's code, and would run as the caller */
	text = wf_value_out(wf_value_in(text, keytype, -1), keytype);
	return wf_key_make(1, &text);
}

/* Key of a row argument; see commands.h. */
char *
wf_command_row_key(const Argument *arg, const WorkflowRow *row, Datum value, Oid type)
{
	Oid			relation = table_of_type(type);

	if (OidIsValid(relation) && wf_root_relation(relation) == wf_root_relation(arg->relation))
		return key_of_row(value, relation);
	if (OidIsValid(relation) || type == RECORDOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("argument %s of %s is %s, not %s", arg->name, row->signature,
						format_type_be(arg->type), format_type_be(type))));
	return key_of_value(value, type, arg, row);
}

/* The subject's key from a row of its table, or from the key. */
static char *
subject_key(const Signature *sig, const WorkflowRow *row, Datum value, Oid type)
{
	if (sig->nargs == 0 || !sig->args[0].is_row)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("workflow %s has no subject", row->signature),
				 errhint("Name the enrollment: SELECT automation.unenroll(id).")));
	return wf_command_row_key(&sig->args[0], row, value, type);
}

/* Workflow whose item is running in this process; 0 = none. */
static int
running_workflow(void)
{
	int			n;
	const int64 *cause = wf_cause_get(&n);

	return cause != NULL && n >= 4 ? (int) cause[n - 2] : 0;
}

/* Why those end whom unenroll() takes out. */
static const char *
ended_by(const WorkflowRow *row)
{
	int			running = running_workflow();

	return running != 0 && running != row->id ? "other_workflow" : "manual";
}

Datum
wf_unenroll_subject(PG_FUNCTION_ARGS)
{
	WorkflowRow *row = wf_workflow_named(text_argument(fcinfo, 0));
	Signature  *sig = wf_signature_load(row->routine);
	char	   *key;

	require_enroller(row);
	if (sig == NULL)
		elog(ERROR, "function of workflow %d is gone", row->id);
	key = subject_key(sig, row, PG_GETARG_DATUM(1), get_fn_expr_argtype(fcinfo->flinfo, 1));
	wf_command_append(row, "unenroll", ended_by(row), 0, wf_source_id(sig->args[0].relation, false), key);
	PG_RETURN_VOID();
}

/* Row of automation.call: who called; InvalidOid if there is none. */
static Oid
caller_of(int64 id)
{
	Relation	rel = wf_store_open("call", AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			caller = InvalidOid;
	bool		isnull;

	ScanKeyInit(&key, CALL_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	scan = wf_store_scan(rel, "call_pkey", wf_store_snapshot(), 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		caller = DatumGetObjectId(heap_getattr(tuple, CALL_CALLER, RelationGetDescr(rel), &isnull));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return caller;
}

/* Workflow of an enrollment; ERROR if it is gone. */
static WorkflowRow *
workflow_of(const Enrollment *enrollment)
{
	WorkflowRow *row = wf_workflow_load(enrollment->workflow);

	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("workflow of enrollment " INT64_FORMAT " does not exist", enrollment->id)));
	return row;
}

Datum
wf_unenroll(PG_FUNCTION_ARGS)
{
	int64		id = PG_GETARG_INT64(0);
	Enrollment *enrollment = wf_enrollment_load(id);
	WorkflowRow *row;

	if (enrollment == NULL)
		PG_RETURN_BOOL(false);
	row = workflow_of(enrollment);
	if (!may_enroll(row))
		refuse_enrollment(id);
	wf_command_append(row, "unenroll", ended_by(row), id, 0, NULL);
	PG_RETURN_BOOL(true);
}

Datum
wf_unenroll_others(PG_FUNCTION_ARGS)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 0);
	Oid			relation = table_of_type(type);
	int			running = running_workflow();
	char	   *key;
	int64		n = 0;
	ListCell   *cell;

	if (!OidIsValid(relation) || get_rel_relkind(relation) == RELKIND_COMPOSITE_TYPE)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("unenroll_others takes a row of a table, not %s", format_type_be(type))));
	key = key_of_row(PG_GETARG_DATUM(0), relation);
	foreach(cell, wf_workflow_all())
	{
		WorkflowRow *row = lfirst(cell);
		Signature  *sig = wf_routine_owner(row->routine) == GetUserId() ? wf_signature_load(row->routine) : NULL;

		if (sig == NULL || row->id == running || sig->nargs == 0 || !sig->args[0].is_row ||
			wf_root_relation(sig->args[0].relation) != wf_root_relation(relation))
			continue;
		wf_command_append(row, "unenroll", "other_workflow", 0, wf_source_id(relation, false), key);
		n++;
	}
	PG_RETURN_INT64(n);
}

/* ----------------------------------------------------------------
 * Retry
 * ----------------------------------------------------------------
 */

/* Held with its workflow, or by hand: that goes on by what ends the hold. */
static bool
can_retry(const Enrollment *enrollment, const WorkflowRow *row)
{
	static const char *const of_workflow[] = {
		"paused", "definition_invalid", "owner_changed", "function_missing", HELD_BY_HAND
	};

	if (enrollment->state == STATE_FAILED || enrollment->state == STATE_RETRYING)
		return true;
	if (enrollment->state != STATE_HELD)
		return false;
	if (row->hold == NULL && enrollment->reason && strcmp(enrollment->reason, "definition_invalid") == 0)
		return true;					/* an old version: it will be held again if that is no better */
	for (int i = 0; i < lengthof(of_workflow); i++)
	{
		if (enrollment->reason != NULL && strcmp(enrollment->reason, of_workflow[i]) == 0)
			return false;
	}
	return true;
}

Datum
wf_retry(PG_FUNCTION_ARGS)
{
	int64		id = PG_GETARG_INT64(0);
	Enrollment *enrollment = wf_enrollment_load(id);
	WorkflowRow *row;

	if (enrollment == NULL)
		PG_RETURN_BOOL(false);
	row = workflow_of(enrollment);
	if (!wf_workflow_owned(row))
		refuse_enrollment(id);
	if (!can_retry(enrollment, row))
		PG_RETURN_BOOL(false);
	wf_command_append(row, "retry", enrollment->reason, id, 0, NULL);
	PG_RETURN_BOOL(true);
}

Datum
wf_retry_workflow(PG_FUNCTION_ARGS)
{
	WorkflowRow *row = wf_workflow_named(text_argument(fcinfo, 0));
	List	   *ids;
	int64		n = 0;
	ListCell   *cell;

	wf_workflow_require_owner(row);
	ids = wf_engine_ids("SELECT id FROM automation.enrollment WHERE workflow = $1 AND state <> 'waiting' ORDER BY id",
						"i", row->id);
	foreach(cell, ids)
	{
		Enrollment *enrollment = wf_enrollment_load(*(int64 *) lfirst(cell));

		if (enrollment == NULL || !can_retry(enrollment, row))
			continue;
		wf_command_append(row, "retry", enrollment->reason, enrollment->id, 0, NULL);
		n++;
	}
	PG_RETURN_INT64(n);
}

/* ----------------------------------------------------------------
 * One enrollment stands still
 * ----------------------------------------------------------------
 */

/* Of a workflow of the caller's; NULL: there is none of that id. */
static Enrollment *
own_enrollment(int64 id, WorkflowRow **row)
{
	Enrollment *enrollment = wf_enrollment_load(id);

	if (enrollment == NULL)
		return NULL;
	*row = workflow_of(enrollment);
	if (!wf_workflow_owned(*row))
		refuse_enrollment(id);
	return enrollment;
}

static bool
is_held_by_hand(const Enrollment *enrollment)
{
	return enrollment->state == STATE_HELD && enrollment->reason && strcmp(enrollment->reason, HELD_BY_HAND) == 0;
}

Datum
wf_hold_one(PG_FUNCTION_ARGS)
{
	WorkflowRow *row;
	Enrollment *enrollment = own_enrollment(PG_GETARG_INT64(0), &row);

	if (enrollment == NULL || enrollment->state == STATE_FAILED || is_held_by_hand(enrollment))
		PG_RETURN_BOOL(false);
	wf_command_append(row, "hold", HELD_BY_HAND, enrollment->id, 0, NULL);
	PG_RETURN_BOOL(true);
}

Datum
wf_release_one(PG_FUNCTION_ARGS)
{
	WorkflowRow *row;
	Enrollment *enrollment = own_enrollment(PG_GETARG_INT64(0), &row);

	if (enrollment == NULL || enrollment->state == STATE_FAILED)
		PG_RETURN_BOOL(false);
	wf_command_append(row, "release", HELD_BY_HAND, enrollment->id, 0, NULL);
	PG_RETURN_BOOL(is_held_by_hand(enrollment));
}

/* ----------------------------------------------------------------
 * Versions
 * ----------------------------------------------------------------
 */

/* Shows what will run under the new owner's name. */
static void
show_foreign_versions(const WorkflowRow *row)
{
	List	   *texts = wf_engine_texts("SELECT pg_catalog.format(E'version %s by %s, search_path %s\\n%s', v.version,"
										" (SELECT o.role FROM automation.owner o WHERE o.id = v.author), v.path, v.source)"
										" FROM automation.workflow_version v WHERE v.workflow = $1 AND v.author <> $2"
										" ORDER BY v.version", "ii", row->id, row->owner);
	ListCell   *cell;

	foreach(cell, texts)
		ereport(NOTICE, (errmsg_internal("%s", (char *) lfirst(cell))));
}

Datum
wf_accept_versions(PG_FUNCTION_ARGS)
{
	WorkflowRow *row = wf_workflow_named(text_argument(fcinfo, 0));

	wf_workflow_require_owner(row);
	if (wf_owner_role(row->owner) != wf_routine_owner(row->routine))
		wf_register_owner(row, wf_routine_owner(row->routine));
	show_foreign_versions(row);
	wf_engine_sql("UPDATE automation.workflow_version SET author = $2 WHERE workflow = $1 AND author <> $2",
				  "ii", row->id, row->owner);
	if (held_for(row, "owner_changed"))
		wf_register_release(row, "owner_changed", true);
	wf_revalidate(row, true);
	wf_due_register(row);
	PG_RETURN_VOID();
}

/* ----------------------------------------------------------------
 * Questions
 * ----------------------------------------------------------------
 */

/* May the current user know about this id?  A call that neither runs nor waits
 * is over or never was: that is no secret. */
static bool
may_ask(int64 id, const Enrollment *enrollment)
{
	Oid			caller = caller_of(id);
	WorkflowRow *row;

	if (superuser() || (enrollment == NULL && !OidIsValid(caller)))
		return true;
	if (OidIsValid(caller) && has_privs_of_role(GetUserId(), caller))
		return true;
	row = enrollment ? wf_workflow_load(enrollment->workflow) : NULL;
	return row != NULL && wf_workflow_owned(row);
}

static void
require_asker(int64 id, const Enrollment *enrollment)
{
	if (!may_ask(id, enrollment))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for enrollment " INT64_FORMAT, id),
				 errdetail("It is neither of a call of yours nor of a workflow of yours.")));
}

Datum
wf_finished(PG_FUNCTION_ARGS)
{
	int64		id = PG_GETARG_INT64(0);
	bool		finished;

	require_asker(id, wf_enrollment_load(id));
	finished = wf_call_finished(id, wf_run_current() != NULL);
	if (!finished)
		wf_run_asked_finished(id);
	PG_RETURN_BOOL(finished);
}

#define HISTORY_OWNER	2
#define HISTORY_ENROLLMENT 5
#define HISTORY_EVENT	8
#define HISTORY_REASON	9

/* What one line of history says about the end; NULL if it is about something
 * else, or of a workflow of somebody else. */
static char *
end_in_history(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	char	   *event = TextDatumGetCString(heap_getattr(tuple, HISTORY_EVENT, desc, &isnull));
	Oid			owner = wf_owner_role(DatumGetInt32(heap_getattr(tuple, HISTORY_OWNER, desc, &isnull)));
	Datum		reason;

	if (strcmp(event, "ended") != 0 && strcmp(event, "not_entered") != 0)
		return NULL;
	if (!superuser() && (!OidIsValid(owner) || !has_privs_of_role(GetUserId(), owner)))
		return NULL;
	reason = heap_getattr(tuple, HISTORY_REASON, desc, &isnull);
	return isnull ? event : psprintf("%s: %s", event, TextDatumGetCString(reason));
}

/* End of an enrollment in one month of history; NULL if it is not there. */
static char *
end_in_month(int month, int64 id)
{
	Relation	rel = wf_store_open(psprintf("history_%02d", month), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	char	   *end = NULL;

	ScanKeyInit(&key, HISTORY_ENROLLMENT, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	scan = wf_store_scan(rel, psprintf("history_%02d_enrollment_idx", month), wf_store_snapshot(), 1, &key);
	while (end == NULL && HeapTupleIsValid(tuple = systable_getnext(scan)))
		end = end_in_history(tuple, RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return end;
}

/* How an enrollment ended, for its owner; everybody else learns that it is
 * over. */
static char *
past_status(int64 id)
{
	char	   *end = NULL;

	for (int month = 0; end == NULL && month < HISTORY_MONTHS; month++)
		end = end_in_month(month, id);
	return end ? end : "finished";
}

static char *
present_status(const Enrollment *enrollment)
{
	const char *state = wf_state_name(enrollment->state);

	return enrollment->reason ? psprintf("%s: %s", state, enrollment->reason) : pstrdup(state);
}

Datum
wf_enrollment_status(PG_FUNCTION_ARGS)
{
	int64		id = PG_GETARG_INT64(0);
	Enrollment *enrollment = wf_enrollment_load(id);

	require_asker(id, enrollment);
	if (enrollment != NULL)
		PG_RETURN_TEXT_P(cstring_to_text(present_status(enrollment)));
	if (OidIsValid(caller_of(id)))
		PG_RETURN_TEXT_P(cstring_to_text("queued"));
	PG_RETURN_TEXT_P(cstring_to_text(past_status(id)));
}

/* In a workflow's text it never comes to a call: it is the moment of entry. */
Datum
wf_entered_at(PG_FUNCTION_ARGS)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("entered_at() has a meaning in the text of a workflow only"),
			 errhint("Elsewhere read automation.enrollments.entered_at.")));
	PG_RETURN_NULL();
}

Datum
wf_now(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(wf_clock_now());
}
