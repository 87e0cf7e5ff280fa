/*
 * ddl.c -- the event triggers: what CREATE, ALTER and DROP mean to workflows.
 *
 * Called by PostgreSQL at ddl_command_end, sql_drop and ddl_command_start, as whoever runs the
 * command.  Objects are told apart by class and OID, never by a name in a text.
 * CREATE and ALTER of a workflow function may fail here, with the definition's
 * mistakes, and those of a foreign server of ours; any other command can't: its work is done in
 * subtransactions whose errors become WARNINGs, and reconcile() repairs what they leave.
 *
 * Restore mode: pg_dump sets check_function_bodies off.  Functions come before
 * the engine's rows then, and tables before their data, so nothing is
 * registered nor armed; the rows come with the dump, and CALL automation.arm()
 * completes the rest.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "catalog/pg_user_mapping.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "capture.h"
#include "capture_born.h"
#include "compat.h"
#include "enginesql.h"
#include "register.h"
#include "schedule.h"
#include "server.h"
#include "store.h"

PG_FUNCTION_INFO_V1(wf_ddl_end);
PG_FUNCTION_INFO_V1(wf_sql_drop);
PG_FUNCTION_INFO_V1(wf_ddl_start);

/* When more than that is dropped at once, all definitions are checked. */
#define NAMES_MAX 100

/* One object of the command. */
typedef struct Touched
{
	Oid			classid;
	Oid			objid;
	char		tag[64];
} Touched;

/* All that one command did. */
typedef struct Command
{
	EventTriggerData *trigger;
	List	   *touched;			/* of Touched * */
	List	   *relations;			/* OIDs of tables that changed or went */
	List	   *functions;			/* OIDs of functions that changed, in other languages than ours */
	List	   *names;				/* names it used before, and of what looks through it */
} Command;

/* Our own DDL (triggers, REVOKE) fires these triggers again. */
static bool busy = false;

static bool
restore_mode(void)
{
	return !check_function_bodies;
}

static EventTriggerData *
event_trigger_data(FunctionCallInfo fcinfo)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function was not called by an event trigger")));
	return (EventTriggerData *) fcinfo->context;
}

/* pg_upgrade builds the catalog and then moves the files in; and the
 * extension's own script is nobody's DDL. */
static bool
nothing_to_do(void)
{
	return busy || IsBinaryUpgrade || !wf_store_present() || !OidIsValid(wf_language_oid()) ||
		(creating_extension && CurrentExtensionObject == get_extension_oid("automation", true));
}

/* Runs fn with "busy" set. */
static void
run_alone(void (*fn) (Command *command), Command *command)
{
	busy = true;
	PG_TRY();
	{
		fn(command);
	}
	PG_FINALLY();
	{
		busy = false;
	}
	PG_END_TRY();
}

/* ----------------------------------------------------------------
 * ddl_command_end
 * ----------------------------------------------------------------
 */

static void
list_touched(void *arg)
{
	Command    *command = arg;
	List	   *texts = wf_engine_texts("SELECT pg_catalog.format('%s %s %s', c.classid::oid, c.objid, c.command_tag)"
										" FROM pg_catalog.pg_event_trigger_ddl_commands() c WHERE c.objid IS NOT NULL", "");
	ListCell   *cell;

	foreach(cell, texts)
	{
		Touched    *touched = palloc0(sizeof(Touched));

		if (sscanf(lfirst(cell), "%u %u %63[^\n]", &touched->classid, &touched->objid, touched->tag) == 3)
			command->touched = lappend(command->touched, touched);
	}
}

/* The names an object had before the command, as far as it says so. */
static List *
old_names(Node *parsetree)
{
	List	   *names = NIL;

	if (parsetree == NULL)
		return NIL;
	if (IsA(parsetree, RenameStmt))
	{
		RenameStmt *stmt = (RenameStmt *) parsetree;

		if (stmt->relation)
			names = lappend(names, stmt->relation->relname);
		if (stmt->subname)
			names = lappend(names, stmt->subname);
		if (stmt->newname)
			names = lappend(names, stmt->newname);
		if (stmt->renameType == OBJECT_FUNCTION && stmt->object && IsA(stmt->object, ObjectWithArgs))
			names = lappend(names, strVal(llast(((ObjectWithArgs *) stmt->object)->objname)));
	}
	else if (IsA(parsetree, AlterTableStmt) && ((AlterTableStmt *) parsetree)->relation)
		names = list_make1(((AlterTableStmt *) parsetree)->relation->relname);
	else if (IsA(parsetree, AlterObjectSchemaStmt) && ((AlterObjectSchemaStmt *) parsetree)->relation)
		names = list_make1(((AlterObjectSchemaStmt *) parsetree)->relation->relname);
	return names;
}

static void
follow_renames(void *arg)
{
	wf_register_renamed();
}

/* A function that is not in our language (any more) has no workflow. */
static void
forget_other_language(void *arg)
{
	Oid			function = *(Oid *) arg;
	List	   *ids = wf_engine_ids("SELECT id::bigint FROM automation.workflow WHERE routine = $1 AND signature = $2",
									"ot", function, wf_routine_signature(function));
	ListCell   *cell;

	foreach(cell, ids)
	{
		int			id = (int) *(int64 *) lfirst(cell);
		List	   *relations = wf_watched_relations(id, false);

		wf_unregister(id);
		wf_arm_relations(relations, true);
	}
}

/* In restore mode a change of owner is not overlooked either. */
static void
follow_owner(void *arg)
{
	WorkflowRow *row = wf_workflow_by_routine(*(Oid *) arg);

	if (row == NULL || row->hold == NULL || strcmp(row->hold, "owner_changed") != 0)
		return;
	wf_register_owner(wf_workflow_stored(row->id), wf_routine_owner(row->routine));
}

static void
function_touched(const Touched *touched)
{
	Oid			function = touched->objid;

	if (!OidIsValid(wf_routine_owner(function)))
		(void) wf_guarded("forget a workflow", forget_other_language, &function);
	else if (restore_mode())
		(void) wf_guarded("follow a change of owner", follow_owner, &function);
	else
		wf_register(function, strcmp(touched->tag, "CREATE FUNCTION") == 0 ? REGISTER_CREATED : REGISTER_ALTERED);
}

static Oid
trigger_function(Oid trigger)
{
	Relation	rel = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			function = InvalidOid;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
	scan = systable_beginscan(rel, TriggerOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		function = ((Form_pg_trigger) GETSTRUCT(tuple))->tgfoid;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return function;
}

static void
bind_restored(void *arg)
{
	wf_reconcile_bindings();
}

/* pg_restore makes the capture triggers last: the rows can be bound now. */
static void
trigger_touched(const Touched *touched)
{
	Oid			function = trigger_function(touched->objid);

	if (restore_mode() && OidIsValid(function) && get_func_namespace(function) == wf_store_namespace() &&
		strcmp(get_func_name(function), "capture") == 0)
		(void) wf_guarded("bind restored workflows", bind_restored, NULL);
}

static void
restore_begins(void *arg)
{
	wf_restore_begins();
}

static void
restore_holds(void *arg)
{
	wf_restore_holds();
}

/* Is it a table of the outbox? */
static bool
is_outbox(Oid relation)
{
	char	   *name = get_rel_name(relation);

	return name && strncmp(name, "outgoing", strlen("outgoing")) == 0;
}

/* pg_restore --disable-triggers switches those of the engine's tables off, too,
 * that would notice it; when it switches them on, the rows are there. */
static void
relation_touched(const Touched *touched)
{
	if (!restore_mode() || get_rel_namespace(touched->objid) != wf_store_namespace())
		return;
	(void) wf_guarded("disarm the engine", restore_begins, NULL);
	if (is_outbox(touched->objid))
		(void) wf_guarded("hold restored messages", restore_holds, NULL);
}

static void
reconcile_quietly(void *arg)
{
	wf_reconcile_functions();
	wf_schedules_reconcile();
}

/* Another extension's script may have made or changed workflows, and scripts
 * run with check_function_bodies off. */
static void
extension_touched(void)
{
	if (!restore_mode())
		(void) wf_guarded("reconcile workflows with an extension", reconcile_quietly, NULL);
}

/* Those of the tables that are watched. */
static List *
watched_of(List *relations)
{
	List	   *watched = NIL;
	ListCell   *cell;

	foreach(cell, relations)
	{
		if (wf_engine_sql("SELECT FROM automation.source WHERE relation = $1::regclass", "o", lfirst_oid(cell)) > 0)
			watched = list_append_unique_oid(watched, lfirst_oid(cell));
	}
	return watched;
}

/* DROP COLUMN ... CASCADE drops a trigger that looks at the column. */
static void
rearm_changed(void *arg)
{
	wf_arm_relations(watched_of(((Command *) arg)->relations), true);
}

/* Does the command bring or take rows, or give them other values? */
static bool
replaces_rows(Node *parsetree)
{
	ListCell   *cell;

	if (!IsA(parsetree, AlterTableStmt))
		return false;
	foreach(cell, ((AlterTableStmt *) parsetree)->cmds)
	{
		switch (((AlterTableCmd *) lfirst(cell))->subtype)
		{
			case AT_AttachPartition:
			case AT_DetachPartition:
			case AT_DetachPartitionFinalize:
			case AT_AlterColumnType:
				return true;
			default:
				break;
		}
	}
	return false;
}

static void
look_at_replaced_rows(void *arg)
{
	ListCell   *cell;

	foreach(cell, ((Command *) arg)->relations)
		wf_capture_rows_replaced(lfirst_oid(cell));
}

/*
 * Names of functions and views through which a condition may look at one of these
 * objects: a body that is a text has names only, in any case of letters; a false
 * alarm costs one check.
 */
#define LOOKED_THROUGH \
	"WITH RECURSIVE o(class, id, name) AS (SELECT $1, $2, $3::text COLLATE pg_catalog.\"C\" UNION SELECT x.* FROM o, LATERAL (" \
	"SELECT 'pg_catalog.pg_class'::regclass::oid, c.oid, c.relname::text FROM pg_catalog.pg_depend d" \
	" JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid" \
	" JOIN pg_catalog.pg_class c ON c.oid = r.ev_class" \
	" WHERE d.refclassid = o.class AND d.refobjid = o.id AND c.relkind = 'v'" \
	" UNION ALL SELECT 'pg_catalog.pg_proc'::regclass::oid, p.oid, p.proname::text FROM pg_catalog.pg_depend d" \
	" JOIN pg_catalog.pg_proc p ON d.classid = 'pg_catalog.pg_proc'::regclass AND p.oid = d.objid" \
	" WHERE d.refclassid = o.class AND d.refobjid = o.id AND p.prosqlbody IS NOT NULL" \
	" UNION ALL SELECT 'pg_catalog.pg_proc'::regclass::oid, p.oid, p.proname::text FROM pg_catalog.pg_proc p" \
	" JOIN pg_catalog.pg_language l ON l.oid = p.prolang AND l.lanname = 'sql'" \
	" WHERE p.oid >= 16384 AND p.prosqlbody IS NULL" \
	" AND pg_catalog.strpos(pg_catalog.lower(p.prosrc), pg_catalog.lower(o.name)) > 0) x)" \
	" SELECT DISTINCT name FROM o"

static void
add_users_of(Command *command, Oid class, Oid object, const char *name)
{
	if (name != NULL)
		command->names = list_concat(command->names, wf_engine_texts(LOOKED_THROUGH, "oot", class, object, name));
}

static void
list_looked_through(void *arg)
{
	Command    *command = arg;
	ListCell   *cell;

	foreach(cell, command->relations)
		add_users_of(command, RelationRelationId, lfirst_oid(cell), get_rel_name(lfirst_oid(cell)));
	foreach(cell, command->functions)
		add_users_of(command, ProcedureRelationId, lfirst_oid(cell), get_func_name(lfirst_oid(cell)));
}

/* A type, schema, table, view or function changed: names first, then the definitions. */
static void
used_objects_touched(Command *command, bool everything)
{
	(void) wf_guarded("follow a rename", follow_renames, NULL);
	if (restore_mode() || wf_workflow_all() == NIL)
		return;
	if (!everything)
		(void) wf_guarded("find what looks through an object", list_looked_through, command);
	if (everything)
		wf_revalidate_users(NIL, NIL);
	else
		wf_revalidate_users(command->relations, command->names);
	(void) wf_guarded("set the triggers of a changed table", rearm_changed, command);
	if (replaces_rows(command->trigger->parsetree))
		(void) wf_guarded("look at the rows of a changed table", look_at_replaced_rows, command);
}

/*
 * The engine writes its own tables as a superuser, some of them by SQL: no
 * trigger of anybody else may run then, whoever has the privilege.  Asked also
 * while we are busy, for a definition that is checked may run code of its owner.
 */
static void
refuse_trigger_of_others(const Command *command)
{
	if (command->trigger->tag != CMDTAG_CREATE_TRIGGER || superuser() || IsBinaryUpgrade || !wf_store_present())
		return;
	if (wf_engine_sql("SELECT FROM pg_catalog.pg_event_trigger_ddl_commands() c"
					  " JOIN pg_catalog.pg_trigger t ON c.classid = 'pg_catalog.pg_trigger'::regclass AND t.oid = c.objid"
					  " JOIN pg_catalog.pg_class r ON r.oid = t.tgrelid WHERE r.relnamespace = $1",
					  "o", wf_store_namespace()) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only a superuser may create a trigger on a table of automation"),
				 errhint("A workflow may start from the rows of automation.goal_reached, by AFTER INSERT.")));
}

static void
ddl_end(Command *command)
{
	bool		renames = false;
	bool		everything = false;
	ListCell   *cell;

	if (!wf_guarded("list what a command did", list_touched, command))
		return;
	command->names = old_names(command->trigger->parsetree);
	foreach(cell, command->touched)
	{
		Touched    *touched = lfirst(cell);

		if (touched->classid == ProcedureRelationId)
		{
			function_touched(touched);
			if (!OidIsValid(wf_routine_owner(touched->objid)))
				command->functions = lappend_oid(command->functions, touched->objid);
		}
		else if (touched->classid == TriggerRelationId)
			trigger_touched(touched);
		else if (touched->classid == ExtensionRelationId)
			extension_touched();
		else if (touched->classid == RelationRelationId)
		{
			relation_touched(touched);
			command->relations = lappend_oid(command->relations, touched->objid);
		}
		else if (touched->classid == TypeRelationId)
			everything = true;
		else if (touched->classid == ForeignServerRelationId)
			wf_server_touched(touched->objid, restore_mode());
		else if (touched->classid == UserMappingRelationId)
			wf_mapping_touched(touched->objid, restore_mode());
		if (touched->classid == RelationRelationId || touched->classid == TypeRelationId ||
			touched->classid == NamespaceRelationId)
			renames = true;
	}
	if (renames || command->functions != NIL)
		used_objects_touched(command, everything);
}

Datum
wf_ddl_end(PG_FUNCTION_ARGS)
{
	Command		command = {event_trigger_data(fcinfo)};

	if (command.trigger->tag == CMDTAG_ALTER_TABLE)
		wf_born_altered();
	refuse_trigger_of_others(&command);
	if (!nothing_to_do())
		run_alone(ddl_end, &command);
	PG_RETURN_NULL();
}

/* ----------------------------------------------------------------
 * sql_drop
 * ----------------------------------------------------------------
 */

/* Workflows of dropped functions.  The OID alone could be that of a function
 * long gone; the signature decides, whatever quotes it was printed with. */
static List *
dropped_workflows(void)
{
	return wf_engine_ids("SELECT w.id::bigint FROM pg_catalog.pg_event_trigger_dropped_objects() d, automation.workflow w"
						 " WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND (w.signature = d.object_identity"
						 " OR w.routine = d.objid AND pg_catalog.replace(w.signature, '\"', '')"
						 " = pg_catalog.replace(d.object_identity, '\"', '')) ORDER BY 1", "");
}

static void
list_dropped_tables(Command *command)
{
	List	   *ids = wf_engine_ids("SELECT d.objid::bigint FROM pg_catalog.pg_event_trigger_dropped_objects() d"
									" WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0"
									" AND NOT d.is_temporary AND d.object_type IN"
									" ('table', 'view', 'materialized view', 'foreign table')", "");
	ListCell   *cell;

	foreach(cell, ids)
		command->relations = lappend_oid(command->relations, (Oid) *(int64 *) lfirst(cell));
	command->names = wf_engine_texts("SELECT d.object_name FROM pg_catalog.pg_event_trigger_dropped_objects() d"
									 " WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0"
									 " AND NOT d.is_temporary AND d.object_type IN"
									 " ('table', 'view', 'materialized view', 'foreign table')", "");
}

/* Rows first, all together: they are right even if a table is locked. */
static void
forget_dropped(void *arg)
{
	Command    *command = arg;
	List	   *watched = NIL;
	ListCell   *cell;

	foreach(cell, dropped_workflows())
	{
		int			id = (int) *(int64 *) lfirst(cell);

		watched = list_concat_unique_oid(watched, wf_watched_relations(id, false));
		wf_unregister(id);
	}
	list_dropped_tables(command);
	foreach(cell, command->relations)
		wf_unregister_table(lfirst_oid(cell));
	wf_arm_relations(watched, true);
}

/* Functions that named what was dropped. */
static void
list_left_behind(void *arg)
{
	Command    *command = arg;
	ListCell   *cell;

	foreach(cell, list_copy(command->names))
		add_users_of(command, InvalidOid, InvalidOid, lfirst(cell));
}

static void
sql_drop(Command *command)
{
	if (!wf_guarded("forget what was dropped", forget_dropped, command) || command->names == NIL ||
		restore_mode() || wf_workflow_all() == NIL)
		return;
	if (list_length(command->names) > NAMES_MAX)
		command->names = NIL;
	else
		(void) wf_guarded("find what looks through an object", list_left_behind, command);
	wf_revalidate_users(NIL, command->names);
}

Datum
wf_sql_drop(PG_FUNCTION_ARGS)
{
	Command		command = {event_trigger_data(fcinfo)};

	if (!nothing_to_do())
		run_alone(sql_drop, &command);
	PG_RETURN_NULL();
}

/* ----------------------------------------------------------------
 * ddl_command_start
 * ----------------------------------------------------------------
 */

static void
leave_cron(void *arg)
{
	wf_schedules_leave();
}

/* DROP EXTENSION automation: afterwards nobody knows which jobs in pg_cron were ours. */
Datum
wf_ddl_start(PG_FUNCTION_ARGS)
{
	EventTriggerData *trigger = event_trigger_data(fcinfo);
	DropStmt   *stmt = (DropStmt *) trigger->parsetree;
	ListCell   *cell;

	if (!IsA(stmt, DropStmt) || stmt->removeType != OBJECT_EXTENSION || nothing_to_do())
		PG_RETURN_NULL();
	foreach(cell, stmt->objects)
	{
		if (strcmp(strVal(lfirst(cell)), "automation") == 0 && superuser())
			(void) wf_guarded("delete its jobs in pg_cron", leave_cron, NULL);
	}
	PG_RETURN_NULL();
}
