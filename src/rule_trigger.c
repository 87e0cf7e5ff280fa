/*
 * rule_trigger.c -- makes a watched table's triggers fit its armed rules.
 *
 * Called by registration when rules of a table changed (rule.c) and by
 * reconciliation.  The triggers are ordinary ones, so they are dumped with
 * the table.  They have no WHEN: a condition on columns would make the core
 * refuse to drop or retype them, and the function compares them itself.  Takes ShareRowExclusiveLock on the table and its partitions and
 * keeps it to the end of the transaction: no writer that began with the old
 * rules can commit after the new ones.  The session's lock_timeout applies.
 */
#include "postgres.h"
#include "compat.h"

#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "ast.h"
#include "owner.h"
#include "rule.h"
#include "store.h"

/* One of the three triggers, as wanted or as found. */
typedef struct CaptureTrigger
{
	bool		exists;
	Oid			id;						/* found ones */
	char		enabled;				/* pg_trigger.tgenabled */
	bool		fits;					/* AFTER ... FOR EACH ROW of its operation, for every change */
} CaptureTrigger;

#define NTRIGGERS 3

static const char *const trigger_names[NTRIGGERS] = {
	"automation_insert", "automation_update", "automation_delete"
};
static const char *const operation_names[NTRIGGERS] = {"INSERT", "UPDATE", "DELETE"};
static const int16 operation_types[NTRIGGERS] = {
	TRIGGER_TYPE_INSERT, TRIGGER_TYPE_UPDATE, TRIGGER_TYPE_DELETE
};

static Oid
capture_function(void)
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
	wanted[0].exists = false;
	foreach(lc, rules)
	{
		Rule	   *rule = lfirst(lc);

		/* a row moved to another partition is a DELETE and an INSERT there */
		if ((rule->operations & OP_INSERT) ||
			(partitioned && (rule->clause == 0 || (rule->operations & OP_UPDATE))))
			wanted[0].exists = true;
	}
}

/* ----------------------------------------------------------------
 * What is there
 * ----------------------------------------------------------------
 */

static void
find_trigger(CaptureTrigger *found, HeapTuple tuple, TupleDesc desc, int16 operation)
{
	Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

	found->exists = true;
	found->id = form->oid;
	found->enabled = form->tgenabled;
	found->fits = form->tgattr.dim1 == 0 &&
		form->tgtype == (TRIGGER_TYPE_ROW | TRIGGER_TYPE_AFTER | operation) &&
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
				find_trigger(&found[i], tuple, RelationGetDescr(rel), operation_types[i]);
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

static const char *
enabled_clause(char enabled)
{
	switch (enabled)
	{
		case TRIGGER_DISABLED:
			return "DISABLE";
		case TRIGGER_FIRES_ON_REPLICA:
			return "ENABLE REPLICA";
		case TRIGGER_FIRES_ALWAYS:
			return "ENABLE ALWAYS";
		default:
			return NULL;
	}
}

/* Adds the commands that make one trigger fit. */
static List *
change_trigger(List *commands, Relation rel, int i, const CaptureTrigger *wanted, const CaptureTrigger *found)
{
	const char *table = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
												   RelationGetRelationName(rel));
	StringInfoData sql;

	if (!wanted->exists)
		return lappend(commands, psprintf("DROP TRIGGER %s ON %s", trigger_names[i], table));
	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE %sTRIGGER %s AFTER %s ON %s FOR EACH ROW",
					 found->exists ? "OR REPLACE " : "", trigger_names[i], operation_names[i], table);
	appendStringInfoString(&sql, " EXECUTE FUNCTION automation.capture()");
	commands = lappend(commands, sql.data);
	/* what the table's owner chose outlives a replacement */
	if (found->exists && enabled_clause(found->enabled) != NULL)
		commands = lappend(commands, psprintf("ALTER TABLE %s %s TRIGGER %s", table,
											  enabled_clause(found->enabled), trigger_names[i]));
	return commands;
}

/* The relation must not be open: some commands insist on being its only user. */
static void
run_commands(List *commands)
{
	UserScope	scope;
	ListCell   *lc;

	wf_engine_enter(&scope);
	SPI_connect();
	foreach(lc, commands)
	{
		int			rc = SPI_execute((char *) lfirst(lc), false, 0);

		if (rc < 0)
			elog(ERROR, "SPI_execute returned %d for: %s", rc, (char *) lfirst(lc));
	}
	SPI_finish();
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
	List	   *commands = NIL;

	if (!OidIsValid(root))
		return;
	rel = table_open(root, NoLock);
	source = wf_source_id(root, false);
	want_triggers(wanted, rel, source != 0 ? wf_rules_of_source(source, wf_store_snapshot()) : NIL);
	find_triggers(found, root, capture_function());
	for (int i = 0; i < NTRIGGERS; i++)
	{
		if (!same_trigger(&wanted[i], &found[i]))
			commands = change_trigger(commands, rel, i, &wanted[i], &found[i]);
	}
	table_close(rel, NoLock);
	if (commands != NIL)
		run_commands(commands);
}
