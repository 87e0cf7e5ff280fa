/*
 * guard.c -- what must hold before a process works for somebody: the engine's
 * tables carry nothing that is not ours, and the owner may run workflows.
 *
 * Called by the coordinator, and by whoever executes an owner's items.  Reads
 * catalogs only, in the caller's transaction and context; AccessShareLock on
 * the engine's tables.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "commands/policy.h"
#include "commands/proclang.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/primnodes.h"
#include "postmaster/bgworker.h"
#include "rewrite/rowsecurity.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "compat.h"
#include "coordinator.h"
#include "journal.h"
#include "rule.h"
#include "store.h"

/* ----------------------------------------------------------------
 * Tables
 * ----------------------------------------------------------------
 */

static void
refuse(Relation rel, const char *kind, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("unexpected %s \"%s\" on table automation.%s", kind, name, RelationGetRelationName(rel)),
			 errdetail("Nothing but the extension may act on the engine's tables."),
			 errhint("Drop it; the coordinator starts again within five minutes, or when the configuration is reloaded.")));
}

/* A C function that came with the extension, other than capture(). */
static bool
is_our_function(Oid function)
{
	HeapTuple	tuple;
	bool		ours;

	if (getExtensionOfObject(ProcedureRelationId, function) != get_extension_oid("automation", true))
		return false;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(tuple))
		return false;
	ours = ((Form_pg_proc) GETSTRUCT(tuple))->prolang == ClanguageId &&
		strcmp(NameStr(((Form_pg_proc) GETSTRUCT(tuple))->proname), "capture") != 0;
	ReleaseSysCache(tuple);
	return ours;
}

/* A journal is watched like a user's table. */
static bool
is_our_trigger(Relation rel, Oid function)
{
	return is_our_function(function) ||
		(wf_journal_name(RelationGetRelid(rel)) && function == wf_capture_function());
}

/* Foreign keys that refer to our tables are triggers, too. */
static void
check_triggers(Relation rel)
{
	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
	{
		Trigger    *trigger = &rel->trigdesc->triggers[i];

		if (!is_our_trigger(rel, trigger->tgfoid))
			refuse(rel, "trigger", trigger->tgname);
	}
}

/* The policies of the install script. */
static const struct
{
	const char *table;
	const char *policy;
}			our_policies[] = {
	{"goal_reached", "goal_reached_members"},
	{"dead_letter", "dead_letter_members"},
	{"inbound", "inbound_members"},
	{"template", "template_members"},
	{"template", "template_users"},
};

static bool
is_our_policy(Relation rel, const char *policy)
{
	for (int i = 0; i < lengthof(our_policies); i++)
		if (strcmp(our_policies[i].table, RelationGetRelationName(rel)) == 0 &&
			strcmp(our_policies[i].policy, policy) == 0)
			return true;
	return false;
}

/* Has the table its own policies, and no others? */
static bool
has_its_policies(Relation rel)
{
	List	   *policies = rel->rd_rsdesc ? rel->rd_rsdesc->policies : NIL;
	int			expected = 0;
	ListCell   *lc;

	for (int i = 0; i < lengthof(our_policies); i++)
		expected += strcmp(our_policies[i].table, RelationGetRelationName(rel)) == 0 ? 1 : 0;
	foreach(lc, policies)
		if (!is_our_policy(rel, ((RowSecurityPolicy *) lfirst(lc))->policy_name))
			return false;
	return list_length(policies) == expected && rel->rd_rel->relrowsecurity == (expected > 0) &&
		(expected > 0 || !relation_has_policies(rel));
}

/* Row security makes no difference to us, but says that somebody was here.  Tables
 * that users read have it from the beginning. */
static void
check_rules(Relation rel)
{
	if (rel->rd_rules && rel->rd_rules->numLocks > 0)
		refuse(rel, "rule", "on the table");
	if (!has_its_policies(rel))
		refuse(rel, "policy", "row security");
}

/* Is the predicate no more than a column, or whether it is null?  It is read as it stands, since to
 * simplify an expression is to run what is constant in it. */
static bool
has_harmless_predicate(Relation index)
{
	bool		isnull;
	Datum		stored;
	Node	   *predicate;

	stored = SysCacheGetAttr(INDEXRELID, index->rd_indextuple, Anum_pg_index_indpred, &isnull);
	if (isnull)
		return true;
	predicate = stringToNode(TextDatumGetCString(stored));
	if (predicate && IsA(predicate, NullTest))
		predicate = (Node *) ((NullTest *) predicate)->arg;
	return predicate && IsA(predicate, Var);
}

/* Writing to the table runs what stands in an index; core's comparisons are
 * all that may. */
static void
check_index(Relation rel, Oid indexid)
{
	Relation	index = relation_open(indexid, AccessShareLock);
	bool		has_code = !heap_attisnull(index->rd_indextuple, Anum_pg_index_indexprs, NULL) ||
		!has_harmless_predicate(index);

	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
		has_code = has_code || index->rd_opfamily[i] >= FirstUnpinnedObjectId;
	if (has_code)
		refuse(rel, "index", RelationGetRelationName(index));
	relation_close(index, AccessShareLock);
}

static void
check_indexes(Relation rel)
{
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *lc;

	foreach(lc, indexes)
		check_index(rel, lfirst_oid(lc));
	list_free(indexes);
}

static void
check_relations(Relation rel)
{
	List	   *found = find_inheritance_children(RelationGetRelid(rel), NoLock);

	if (found != NIL)
		refuse(rel, "child table", get_rel_name(linitial_oid(found)));
	found = GetRelationPublications(RelationGetRelid(rel));
	if (found != NIL)
		refuse(rel, "publication", get_publication_name(linitial_oid(found), false));
}

static void
check_table(Oid relid)
{
	Relation	rel = relation_open(relid, AccessShareLock);

	check_triggers(rel);
	check_rules(rel);
	check_indexes(rel);
	check_relations(rel);
	relation_close(rel, AccessShareLock);
}

/* Tables in the engine's schema, as list of OIDs. */
static List *
engine_tables(void)
{
	Relation	rel = table_open(RelationRelationId, AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	List	   *tables = NIL;

	ScanKeyInit(&key, Anum_pg_class_relnamespace, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(wf_store_namespace()));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class class = (Form_pg_class) GETSTRUCT(tuple);

		if (class->relkind == RELKIND_RELATION)
			tables = lappend_oid(tables, class->oid);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return tables;
}

void
wf_tables_check(void)
{
	List	   *tables = engine_tables();
	ListCell   *lc;

	foreach(lc, tables)
		check_table(lfirst_oid(lc));
	list_free(tables);
}

/* ----------------------------------------------------------------
 * Owners
 * ----------------------------------------------------------------
 */

static bool
can_login(Oid role)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool		can;

	if (!HeapTupleIsValid(tuple))
		return false;
	can = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	return can;
}

static bool
may_connect(Oid role)
{
	return wf_compat_database_aclcheck(MyDatabaseId, role, ACL_CONNECT) == ACLCHECK_OK;
}

static bool
may_use_language(Oid role)
{
	Oid			language = get_language_oid("workflow", true);

	return OidIsValid(language) &&
		wf_compat_language_aclcheck(language, role, ACL_USAGE) == ACLCHECK_OK;
}

/* The off switches of a DBA, each with the way back. */
const char *
wf_owner_obstacle(Oid role, char **hint)
{
	const char *name;

	if (!OidIsValid(role) || !SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)))
	{
		*hint = pstrdup("Give the function to another role by ALTER FUNCTION ... OWNER TO.");
		return "owner_missing";
	}
	name = quote_identifier(GetUserNameFromId(role, false));
	if (superuser_arg(role))
	{
		*hint = psprintf("Workflows of superusers do not run: give the function to an ordinary role by ALTER FUNCTION ... OWNER TO, or run ALTER ROLE %s NOSUPERUSER.", name);
		return "owner_is_superuser";
	}
	if (WF_COMPAT_NEEDS_LOGIN && !can_login(role))
	{
		*hint = psprintf("Run ALTER ROLE %s LOGIN; a password is not needed.", name);
		return "owner_cannot_connect";
	}
	if (!may_connect(role))
	{
		*hint = psprintf("Run GRANT CONNECT ON DATABASE %s TO %s.",
						 quote_identifier(get_database_name(MyDatabaseId)), name);
		return "owner_cannot_connect";
	}
	if (!may_use_language(role))
	{
		*hint = psprintf("Run GRANT USAGE ON LANGUAGE workflow TO %s.", name);
		return "not_permitted";
	}
	return NULL;
}
