/*
 * workflow.c -- rows of automation.workflow in memory, and from the name a
 * user gives to the workflow he means.
 *
 * Called by the executor and the handler (wf_workflow_load, _by_routine), by
 * the commands (wf_workflow_named) and by registration, which sees rows as
 * they are stored.  Results are palloc'd in the current context.  Reads the
 * latest state; takes AccessShareLock on automation.workflow.
 *
 * A stored function OID is a hint: after pg_upgrade, or a DROP that no event
 * trigger saw, it may be another function.  So whoever loads a row for use
 * gets the function compared with the signature's text, language and owner.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "commands.h"
#include "compat.h"
#include "enginesql.h"
#include "owner.h"
#include "parser.h"
#include "signature.h"
#include "store.h"

/* Bytes of a name with schema and argument types; more is nonsense, and would be repeated in the message. */
#define WORKFLOW_NAME_MAX (64 * 1024)

enum
{
	COLUMN_ID = 1, COLUMN_SIGNATURE, COLUMN_ROUTINE, COLUMN_OWNER, COLUMN_VERSION,
	COLUMN_ENTRY, COLUMN_HOLD, COLUMN_HOLD_DETAIL, COLUMN_CREATED_AT, COLUMN_PAUSED_AT
};

#define VERSION_WORKFLOW 1
#define VERSION_VERSION 2
#define VERSION_INVALID 7

static char *
text_column(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static WorkflowRow *
row_of_tuple(HeapTuple tuple, TupleDesc desc)
{
	WorkflowRow *row = palloc0(sizeof(WorkflowRow));
	bool		isnull;
	Datum		paused_at = heap_getattr(tuple, COLUMN_PAUSED_AT, desc, &isnull);

	row->paused_at = isnull ? 0 : DatumGetTimestampTz(paused_at);
	row->id = DatumGetInt32(heap_getattr(tuple, COLUMN_ID, desc, &isnull));
	row->signature = text_column(tuple, desc, COLUMN_SIGNATURE);
	row->routine = DatumGetObjectId(heap_getattr(tuple, COLUMN_ROUTINE, desc, &isnull));
	row->owner = DatumGetInt32(heap_getattr(tuple, COLUMN_OWNER, desc, &isnull));
	row->version = DatumGetInt32(heap_getattr(tuple, COLUMN_VERSION, desc, &isnull));
	row->entry = text_column(tuple, desc, COLUMN_ENTRY);
	row->hold = text_column(tuple, desc, COLUMN_HOLD);
	row->hold_detail = text_column(tuple, desc, COLUMN_HOLD_DETAIL);
	return row;
}

/* Rows that a scan of an index finds; key NULL = all. */
static List *
scan_rows(const char *index, ScanKey key)
{
	Relation	rel = wf_store_open("workflow", AccessShareLock);
	SysScanDesc scan = wf_store_scan(rel, index, wf_store_snapshot(), key ? 1 : 0, key);
	HeapTuple	tuple;
	List	   *rows = NIL;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		rows = lappend(rows, row_of_tuple(tuple, RelationGetDescr(rel)));
	systable_endscan(scan);
	table_close(rel, NoLock);
	return rows;
}

WorkflowRow *
wf_workflow_stored(int id)
{
	ScanKeyData key;
	List	   *rows;

	ScanKeyInit(&key, COLUMN_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(id));
	rows = scan_rows("workflow_pkey", &key);
	return rows == NIL ? NULL : linitial(rows);
}

bool
wf_version_invalid(int workflow, int version)
{
	Relation	rel = wf_store_open("workflow_version", AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull = true;

	ScanKeyInit(&keys[0], VERSION_WORKFLOW, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(workflow));
	ScanKeyInit(&keys[1], VERSION_VERSION, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(version));
	scan = wf_store_scan(rel, "workflow_version_pkey", wf_store_snapshot(), 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		(void) heap_getattr(tuple, VERSION_INVALID, RelationGetDescr(rel), &isnull);
	systable_endscan(scan);
	table_close(rel, NoLock);
	return !isnull;
}

/* In the order of their ids: they are locked, and spoken of, in that order. */
List *
wf_workflow_all(void)
{
	return scan_rows("workflow_pkey", NULL);
}

char *
wf_routine_signature(Oid function)
{
	bool		quote = quote_all_identifiers;
	char	   *text = NULL;

	/* format_procedure_qualified() of a dropped function gives its number */
	if (get_func_name(function) == NULL)
		return NULL;
	quote_all_identifiers = false;
	PG_TRY();
	{
		text = format_procedure_qualified(function);
	}
	PG_FINALLY();
	{
		quote_all_identifiers = quote;
	}
	PG_END_TRY();
	return text;
}

Oid
wf_routine_owner(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			owner = InvalidOid;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	if (((Form_pg_proc) GETSTRUCT(tuple))->prolang == wf_language_oid())
		owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* Compares a stored row with the function it names. */
static WorkflowRow *
compared(WorkflowRow *row)
{
	Oid			owner = wf_routine_owner(row->routine);

	if (!OidIsValid(owner) || strcmp(wf_routine_signature(row->routine), row->signature) != 0)
	{
		row->routine = InvalidOid;
		if (row->hold == NULL)
			row->hold = "function_missing";
	}
	else if (owner != wf_owner_role(row->owner) && row->hold == NULL)
		row->hold = "owner_changed";
	return row;
}

WorkflowRow *
wf_workflow_load(int id)
{
	WorkflowRow *row = wf_workflow_stored(id);

	return row == NULL ? NULL : compared(row);
}

WorkflowRow *
wf_workflow_by_routine(Oid function)
{
	ScanKeyData key;
	ListCell   *cell;

	ScanKeyInit(&key, COLUMN_ROUTINE, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(function));
	foreach(cell, scan_rows("workflow_routine", &key))
	{
		WorkflowRow *row = compared(lfirst(cell));

		if (OidIsValid(row->routine))
			return row;
	}
	return NULL;
}

/* ----------------------------------------------------------------
 * Names
 * ----------------------------------------------------------------
 */

/* to_regprocedure(): a name with argument types; InvalidOid if unknown. */
static Oid
resolve_with_types(const char *name)
{
	LOCAL_FCINFO(fcinfo, 1);
	Datum		result;

	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = CStringGetTextDatum(name);
	fcinfo->args[0].isnull = false;
	result = to_regprocedure(fcinfo);
	return fcinfo->isnull ? InvalidOid : DatumGetObjectId(result);
}

/*
 * Function of our language by a bare or qualified name; of several schemas in
 * the path the first counts.  *several is set if the name alone does not decide.
 */
static Oid
resolve_by_name(const char *name, bool *several)
{
	List	   *names = wf_compat_name_list(name);
	FuncCandidateList candidate;
	Oid			found = InvalidOid;
	int			place = 0;

	*several = false;
	candidate = FuncnameGetCandidates(names, -1, NIL, false, false, false, true);
	for (; candidate != NULL; candidate = candidate->next)
	{
		if (!OidIsValid(wf_routine_owner(candidate->oid)))
			continue;
		if (OidIsValid(found) && candidate->pathpos > place)
			continue;
		*several = OidIsValid(found) && candidate->pathpos == place;
		found = candidate->oid;
		place = candidate->pathpos;
	}
	return found;
}

/* Signature of the workflow whose name is nearest; NULL if none is near. */
static const char *
nearest_signature(const char *name)
{
	List	   *rows = wf_workflow_all();
	List	   *names = NIL;
	const char *near;
	ListCell   *cell;

	foreach(cell, rows)
	{
		char	   *known = get_func_name(((WorkflowRow *) lfirst(cell))->routine);

		if (known != NULL)
			names = lappend(names, known);
	}
	near = wf_nearest_name(name, names);
	foreach(cell, rows)
	{
		WorkflowRow *row = lfirst(cell);
		char	   *known = near ? get_func_name(row->routine) : NULL;

		if (known != NULL && strcmp(known, near) == 0)
			return row->signature;
	}
	return NULL;
}

static void
unknown_name(const char *name)
{
	const char *last = strrchr(name, '.');
	char	   *bare = pstrdup(last ? last + 1 : name);
	const char *near;

	bare[strcspn(bare, "(")] = '\0';
	near = nearest_signature(bare);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_FUNCTION),
			 errmsg("workflow \"%s\" does not exist", name),
			 near ? errhint("Perhaps you mean '%s'.", near) :
			 errhint("Write its name, if need be with the schema and the argument types, as in 'crm.welcome(contact)'.")));
}

Oid
wf_workflow_resolve(const char *name)
{
	bool		several = false;
	Oid			function;

	if (strlen(name) > WORKFLOW_NAME_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("name of a workflow is longer than %d bytes", WORKFLOW_NAME_MAX)));
	if (strchr(name, '(') != NULL)
		function = resolve_with_types(name);
	else
		function = resolve_by_name(name, &several);
	if (several)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_FUNCTION),
				 errmsg("workflow name \"%s\" is not unique", name),
				 errhint("Write it with its argument types, for example '%s'.", wf_routine_signature(function))));
	if (!OidIsValid(function))
		unknown_name(name);
	if (!OidIsValid(wf_routine_owner(function)))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("function %s is not a workflow", format_procedure(function))));
	return function;
}

WorkflowRow *
wf_workflow_named(const char *name)
{
	Oid			function = wf_workflow_resolve(name);
	WorkflowRow *row = wf_workflow_by_routine(function);

	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("workflow %s is not registered", format_procedure(function)),
				 errhint("A superuser runs CALL automation.reconcile(), or its owner repeats CREATE OR REPLACE FUNCTION.")));
	return row;
}

/* ----------------------------------------------------------------
 * Rights
 * ----------------------------------------------------------------
 */

bool
wf_workflow_owned(const WorkflowRow *row)
{
	Oid			owner = wf_routine_owner(row->routine);

	if (!OidIsValid(owner))
		owner = wf_owner_role(row->owner);
	return superuser() || (OidIsValid(owner) && has_privs_of_role(GetUserId(), owner));
}

void
wf_workflow_require_owner(const WorkflowRow *row)
{
	if (!wf_workflow_owned(row))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of workflow %s", row->signature)));
}

/*
 * Nothing that another role has written is read as an expression before the owner has
 * accepted it; not by his own commands either.
 */
void
wf_workflow_require_author(const WorkflowRow *row)
{
	Oid			owner = wf_routine_owner(row->routine);

	if (!OidIsValid(owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function of workflow %s is missing", row->signature)));
	if (owner != wf_owner_role(row->owner) ||
		wf_engine_sql("SELECT FROM automation.workflow_version WHERE workflow = $1 AND version = $2 AND author = $3",
					  "iii", row->id, row->version, row->owner) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of workflow %s is of another author", row->version, row->signature),
				 errhint("See it and accept it: SELECT automation.accept_versions('%s').", row->signature)));
}
