/*
 * rule_trigger.c -- makes a watched table's triggers fit its armed rules.
 *
 * Called by registration when rules of a table changed (rule.c) and by
 * reconciliation.  The triggers are ordinary ones, so they are dumped with
 * the table.  They have no WHEN: a condition on columns would make the core
 * refuse to drop or retype them, and the function compares them itself.
 *
 * Takes ShareRowExclusiveLock on the table and its partitions and keeps it to
 * the end of the transaction: no writer that began with the old rules can
 * commit after the new ones.  The session's lock_timeout applies.  Nothing here
 * sets off event triggers.
 */
#include "postgres.h"
#include "compat.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "ast.h"
#include "owner.h"
#include "rule.h"
#include "store.h"

/* One of the four triggers, as wanted or as found. */
typedef struct CaptureTrigger
{
	bool		exists;
	Oid			id;						/* found ones */
	char		enabled;				/* pg_trigger.tgenabled */
	bool		fits;					/* AFTER ... FOR EACH ROW of its operation, for every change; TRUNCATE: FOR EACH STATEMENT */
} CaptureTrigger;

enum
{
	ON_INSERT, ON_UPDATE, ON_DELETE, ON_TRUNCATE, NTRIGGERS
};

static const char *const trigger_names[NTRIGGERS] = {
	"automation_insert", "automation_update", "automation_delete", "automation_truncate"
};
static const int16 operation_types[NTRIGGERS] = {
	TRIGGER_TYPE_INSERT, TRIGGER_TYPE_UPDATE, TRIGGER_TYPE_DELETE, TRIGGER_TYPE_TRUNCATE
};

static int16
level_of(int i)
{
	return i == ON_TRUNCATE ? TRIGGER_TYPE_STATEMENT : TRIGGER_TYPE_ROW;
}

Oid
wf_capture_function(void)
{
	oidvector  *no_args = buildoidvector(NULL, 0);
	Oid			function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
										   CStringGetDatum("capture"), PointerGetDatum(no_args),
										   ObjectIdGetDatum(wf_store_namespace()));

	if (!OidIsValid(function))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function automation.capture() does not exist"),
				 errhint("The extension is damaged: restore it from a backup.")));
	return function;
}

/* ----------------------------------------------------------------
 * What is wanted
 * ----------------------------------------------------------------
 */

static void
want_triggers(CaptureTrigger *wanted, Relation rel, List *rules)
{
	bool		partitioned = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	ListCell   *lc;

	if (rules == NIL)
		return;
	for (int i = 0; i < NTRIGGERS; i++)
		wanted[i].exists = wanted[i].fits = true;
	wanted[ON_INSERT].exists = wanted[ON_TRUNCATE].exists = false;
	foreach(lc, rules)
	{
		Rule	   *rule = lfirst(lc);

		/* a row moved to another partition is a DELETE and an INSERT there */
		if ((rule->operations & OP_INSERT) ||
			(partitioned && (rule->kind == RULE_WAKE || (rule->operations & OP_UPDATE))))
			wanted[ON_INSERT].exists = true;
		if (rule->kind == RULE_TABLE && (rule->operations & OP_DELETE))
			wanted[ON_TRUNCATE].exists = true;
	}
}

/* ----------------------------------------------------------------
 * What is there
 * ----------------------------------------------------------------
 */

static void
find_trigger(CaptureTrigger *found, HeapTuple tuple, TupleDesc desc, int16 type)
{
	Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

	found->exists = true;
	found->id = form->oid;
	found->enabled = form->tgenabled;
	found->fits = form->tgattr.dim1 == 0 &&
		form->tgtype == (TRIGGER_TYPE_AFTER | type) &&
		heap_attisnull(tuple, Anum_pg_trigger_tgqual, desc);
}

/* A trigger of ours by name that calls something else is somebody else's:
 * left alone, and CREATE TRIGGER will say that the name is taken. */
static void
find_triggers(CaptureTrigger *found, Oid relation, Oid function)
{
	Relation	rel = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	scan = systable_beginscan(rel, TriggerRelidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

		for (int i = 0; i < NTRIGGERS; i++)
		{
			if (form->tgfoid == function && strcmp(NameStr(form->tgname), trigger_names[i]) == 0)
				find_trigger(&found[i], tuple, RelationGetDescr(rel), operation_types[i] | level_of(i));
		}
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static bool
same_trigger(const CaptureTrigger *wanted, const CaptureTrigger *found)
{
	if (!wanted->exists || !found->exists)
		return wanted->exists == found->exists;
	return wanted->fits == found->fits;
}

/* ----------------------------------------------------------------
 * The difference
 * ----------------------------------------------------------------
 */

/*
 * CREATE OR REPLACE TRIGGER, by the core's function instead of the command:
 * a command would set off event triggers, with our rights and a search_path in
 * which a temporary table of the user can stand in for what they write to.
 * What the table's owner chose by ENABLE or DISABLE outlives a replacement.
 */
static void
create_trigger(Oid relation, int i, const CaptureTrigger *found)
{
	CreateTrigStmt *stmt = makeNode(CreateTrigStmt);

	stmt->replace = found->exists;
	stmt->trigname = unconstify(char *, trigger_names[i]);
	stmt->relation = makeRangeVar(get_namespace_name(get_rel_namespace(relation)), get_rel_name(relation), -1);
	stmt->funcname = list_make2(makeString("automation"), makeString("capture"));
	stmt->row = level_of(i) == TRIGGER_TYPE_ROW;
	stmt->timing = TRIGGER_TYPE_AFTER;
	stmt->events = operation_types[i];
	(void) CreateTriggerFiringOn(stmt, NULL, relation, InvalidOid, InvalidOid, InvalidOid, InvalidOid, InvalidOid,
								 NULL, false, false, found->exists ? found->enabled : TRIGGER_FIRES_ON_ORIGIN);
}

static void
drop_trigger(const CaptureTrigger *found)
{
	ObjectAddress trigger;

	ObjectAddressSet(trigger, TriggerRelationId, found->id);
	performDeletion(&trigger, DROP_RESTRICT, 0);
}

/* Makes one trigger fit.  The relation must not be open: to drop a trigger one
 * must be its only user. */
static void
change_trigger(Oid relation, int i, const CaptureTrigger *wanted, const CaptureTrigger *found)
{
	UserScope	scope;

	wf_engine_enter(&scope);
	if (wanted->exists)
		create_trigger(relation, i, found);
	else
		drop_trigger(found);
	CommandCounterIncrement();
	wf_engine_leave(&scope);
}

/* Locks the table, its partitions too, and tells all sessions to read the
 * rules again.  Returns the root, or InvalidOid if it is gone. */
static Oid
lock_tree(Oid relation)
{
	Oid			root = wf_root_relation(relation);
	List	   *tree = list_make1_oid(root);
	ListCell   *lc;

	LockRelationOid(root, ShareRowExclusiveLock);
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(root)))
		return InvalidOid;
	if (get_rel_relkind(root) == RELKIND_PARTITIONED_TABLE)
		tree = find_all_inheritors(root, ShareRowExclusiveLock, NULL);
	foreach(lc, tree)
		CacheInvalidateRelcacheByRelid(lfirst_oid(lc));
	return root;
}

void
wf_rules_arm(Oid relation)
{
	CaptureTrigger wanted[NTRIGGERS] = {0};
	CaptureTrigger found[NTRIGGERS] = {0};
	Oid			root = lock_tree(relation);
	Relation	rel;
	int			source;

	if (!OidIsValid(root))
		return;
	rel = table_open(root, NoLock);
	source = wf_source_id(root, false);
	want_triggers(wanted, rel, source != 0 ? wf_rules_of_source(source, wf_store_snapshot()) : NIL);
	find_triggers(found, root, wf_capture_function());
	table_close(rel, NoLock);
	for (int i = 0; i < NTRIGGERS; i++)
	{
		if (!same_trigger(&wanted[i], &found[i]))
			change_trigger(root, i, &wanted[i], &found[i]);
	}
}
