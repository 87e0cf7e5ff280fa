/*
 * register.c -- from a function of LANGUAGE workflow to its row, versions and
 * rules.
 *
 * Called by ddl.c (CREATE and ALTER FUNCTION, as the user who runs it) and by
 * reconcile.c.  A workflow's identity is its signature's text, not an OID: the
 * text survives dump, restore and pg_upgrade.  A row is bound to a function
 * only if the function still belongs to the recorded owner; so nobody inherits
 * enrollments by creating a signature that another role once had.
 *
 * Everything is written in the caller's transaction.  Locks: the watched
 * tables' (wf_rules_arm), and rows of automation.workflow.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "check.h"
#include "clock.h"
#include "compat.h"
#include "due.h"
#include "enginesql.h"
#include "event.h"
#include "job.h"
#include "order.h"
#include "owner.h"
#include "parked.h"
#include "register.h"
#include "rule.h"
#include "schedule.h"
#include "store.h"

/* --- binding --- */

List *
wf_register_routines(void)
{
	List	   *functions = wf_engine_ids("SELECT oid::bigint FROM pg_catalog.pg_proc WHERE prolang = $1 ORDER BY oid",
										  "o", wf_language_oid());
	List	   *routines = NIL;
	ListCell   *cell;

	foreach(cell, functions)
	{
		Routine    *routine = palloc(sizeof(Routine));

		routine->function = (Oid) *(int64 *) lfirst(cell);
		routine->signature = wf_routine_signature(routine->function);
		if (routine->signature != NULL)
			routines = lappend(routines, routine);
	}
	return routines;
}

/* Is there a function of our language with this signature? */
static bool
signature_exists(List *routines, const char *signature)
{
	ListCell   *cell;

	foreach(cell, routines)
	{
		if (strcmp(((Routine *) lfirst(cell))->signature, signature) == 0)
			return true;
	}
	return false;
}

/* First row of a query for ids of automation.workflow. */
static WorkflowRow *
first_row(List *ids)
{
	return ids == NIL ? NULL : wf_workflow_stored((int) *(int64 *) linitial(ids));
}

static WorkflowRow *
row_of_signature(const char *signature)
{
	return first_row(wf_engine_ids("SELECT id::bigint FROM automation.workflow WHERE signature = $1", "t", signature));
}

static WorkflowRow *
row_of_routine(Oid function)
{
	return first_row(wf_engine_ids("SELECT id::bigint FROM automation.workflow WHERE routine = $1 ORDER BY id",
								   "o", function));
}

/*
 * Another role has a function of this signature now: the old workflow keeps
 * its enrollments under a text that no function can have, and stands still.
 */
static void
displace(WorkflowRow *row)
{
	List	   *watched = wf_watched_relations(row->id, true);

	wf_engine_sql("UPDATE automation.workflow SET signature = pg_catalog.format('%s #%s', signature, id), routine = 0,"
				  " hold = 'owner_changed', hold_detail = 'another role created a function of this signature'"
				  " WHERE id = $1", "i", row->id);
	wf_rules_disarm(row->id, true);
	wf_arm_relations(watched, true);
}

static void
set_routine(WorkflowRow *row, Oid function)
{
	wf_engine_sql("UPDATE automation.workflow SET routine = $2 WHERE id = $1", "io", row->id, function);
	row->routine = function;
}

static void
set_signature(WorkflowRow *row, char *signature)
{
	WorkflowRow *other = row_of_signature(signature);

	if (other != NULL && other->id != row->id)
		displace(other);
	wf_engine_sql("UPDATE automation.workflow SET signature = $2 WHERE id = $1", "it", row->id, signature);
	row->signature = signature;
}

/*
 * After a restore, and until somebody has armed the engine, OIDs are those of
 * another database, and roles may be others: the signature alone counts then.
 * It came with the dump, as did the function.
 */
WorkflowRow *
wf_register_bind(const Signature *sig)
{
	char	   *text = wf_routine_signature(sig->function);
	WorkflowRow *row = row_of_signature(text);
	bool		restored;

	if (row != NULL && row->routine == sig->function)
		return row;
	restored = !wf_engine_armed();
	if (row != NULL)
	{
		if (restored || wf_owner_role(row->owner) == sig->owner)
		{
			set_routine(row, sig->function);
			return row;
		}
		displace(row);
	}
	if (restored)
		return NULL;
	row = row_of_routine(sig->function);
	if (row == NULL || wf_owner_role(row->owner) != sig->owner ||
		signature_exists(wf_register_routines(), row->signature))
		return NULL;
	set_signature(row, text);
	return row;
}

void
wf_register_unbind(WorkflowRow *row)
{
	set_routine(row, InvalidOid);
}

void
wf_register_renamed(void)
{
	List	   *routines = NIL;
	ListCell   *cell;

	if (!wf_engine_armed())
		return;							/* the OIDs are of another database */
	foreach(cell, wf_workflow_all())
	{
		WorkflowRow *row = lfirst(cell);
		char	   *text;

		if (!OidIsValid(wf_routine_owner(row->routine)))
			continue;
		text = wf_routine_signature(row->routine);
		if (text == NULL || strcmp(text, row->signature) == 0)
			continue;
		if (routines == NIL)
			routines = wf_register_routines();
		if (!signature_exists(routines, row->signature))
			set_signature(row, text);
	}
}

/* --- holds --- */

/* Processes keep programs by the function's catalog row: tell them that it
 * changed, though only our tables did. */
static void
invalidate(Oid function)
{
	HeapTuple	tuple = SearchSysCacheCopy1(PROCOID, ObjectIdGetDatum(function));
	Relation	rel;

	if (!HeapTupleIsValid(tuple))
		return;
	rel = table_open(ProcedureRelationId, AccessShareLock);
	CacheInvalidateHeapTuple(rel, tuple, NULL);
	CommandEndInvalidationMessages();	/* a subtransaction may come next */
	table_close(rel, AccessShareLock);
	heap_freetuple(tuple);
}

void
wf_register_hold(WorkflowRow *row, const char *hold, const char *detail)
{
	wf_engine_sql("UPDATE automation.workflow SET hold = $2, hold_detail = $3,"
				  " paused_at = CASE WHEN $2 IS NOT NULL THEN paused_at END WHERE id = $1"
				  " AND (hold, hold_detail) IS DISTINCT FROM ($2, $3)", "itt", row->id, hold, detail);
	invalidate(row->routine);
	row->hold = hold == NULL ? NULL : pstrdup(hold);
	row->hold_detail = detail == NULL ? NULL : pstrdup(detail);
}

void
wf_register_release(WorkflowRow *row, const char *reason, bool all)
{
	List	   *held;
	ListCell   *cell;

	wf_order_change(row->id);		/* who was held or parked a moment ago is seen */
	wf_register_hold(row, NULL, NULL);
	held = wf_engine_ids("SELECT id FROM automation.enrollment WHERE workflow = $1"
						 " AND ($3 OR state = 'held' AND reason = $2) ORDER BY id", "itb", row->id, reason, all);
	foreach(cell, held)
		wf_command_append(row, "release", reason, *(int64 *) lfirst(cell), 0, NULL);
	if (held == NIL)
		wf_command_append(row, "release", reason, 0, 0, NULL);
	wf_parked_release(row->id, wf_clock_now());
	wf_job_release(row->id, wf_clock_now());
}

/* --- owners --- */

/* Versions of another author with somebody in them, or the current one. */
static bool
runs_foreign_versions(const WorkflowRow *row)
{
	return wf_engine_sql("SELECT FROM automation.workflow_version v WHERE v.workflow = $1 AND v.author <> $2"
						 " AND (v.version = $3 OR EXISTS (SELECT FROM automation.enrollment e"
						 " WHERE e.workflow = $1 AND e.version = v.version)) LIMIT 1",
						 "iii", row->id, row->owner, row->version) > 0;
}

/* Rows by which the executors find their work. */
static void
move_rows(int workflow, int owner)
{
	wf_engine_sql("UPDATE automation.timer t SET owner = $2 FROM automation.enrollment e WHERE e.workflow = $1"
				  " AND t.owner = e.owner AND t.at = e.wake_at AND t.enrollment = e.id", "ii", workflow, owner);
	wf_engine_sql("UPDATE automation.wait w SET owner = $2 FROM automation.enrollment e WHERE e.workflow = $1"
				  " AND w.owner = e.owner AND w.enrollment = e.id", "ii", workflow, owner);
	wf_engine_sql("UPDATE automation.parked p SET owner = $2 FROM automation.enrollment e WHERE e.workflow = $1"
				  " AND p.owner = e.owner AND p.target = e.id", "ii", workflow, owner);
	wf_engine_sql("UPDATE automation.parked SET owner = $2 WHERE workflow = $1", "ii", workflow, owner);
	wf_engine_sql("UPDATE automation.timer t SET owner = $2 FROM automation.due d WHERE d.workflow = $1"
				  " AND t.owner = d.owner AND t.at = coalesce(d.at, d.look_at) AND t.enrollment = -d.id", "ii", workflow, owner);
	wf_engine_sql("UPDATE automation.due SET owner = $2 WHERE workflow = $1", "ii", workflow, owner);
	/* a condition is a text of the old owner's, which nobody else has accepted */
	wf_engine_sql("UPDATE automation.job SET state = 'cancelled', finished_at = automation.now(), next_at = 'infinity',"
				  " error = pg_catalog.jsonb_build_object('message', 'the workflow got another owner, who did not write the condition')"
				  " WHERE workflow = $1 AND owner <> $2 AND kind = 'B' AND finished_at IS NULL AND args ? 'where'",
				  "ii", workflow, owner);
	wf_engine_sql("UPDATE automation.job SET owner = $2 WHERE workflow = $1", "ii", workflow, owner);
	wf_engine_sql("UPDATE automation.enrollment SET owner = $2 WHERE workflow = $1", "ii", workflow, owner);
	/* what has not left; the delivery worker finds the rows anew */
	wf_engine_sql("UPDATE automation.outgoing o SET owner = $2 FROM automation.outgoing_due d"
				  " WHERE d.workflow = $1 AND o.id = d.id", "ii", workflow, owner);
	wf_engine_sql("UPDATE automation.outgoing_due SET owner = $2, xact = pg_catalog.pg_current_xact_id()"
				  " WHERE workflow = $1", "ii", workflow, owner);
	wf_engine_sql("UPDATE automation.rule SET owner = $2 WHERE workflow = $1", "ii", workflow, owner);
	wf_engine_sql("UPDATE automation.goal_reached SET owner = o.role FROM automation.owner o"
				  " WHERE workflow_id = $1 AND o.id = $2", "ii", workflow, owner);
	wf_engine_sql("UPDATE automation.schedule SET owner = $2 WHERE workflow = $1", "ii", workflow, owner);
	wf_engine_sql("UPDATE automation.workflow SET owner = $2 WHERE id = $1", "ii", workflow, owner);
}

/* Events of the workflow, and changes that nothing of the old owner's waits for. */
#define MOVES \
	" WHERE e.owner = $1 AND CASE e.kind WHEN 'C' THEN e.args ->> 'workflow' = $3::text" \
	" WHEN 'H' THEN e.hits[1] >> 2 = $3" \
	" WHEN 'W' THEN EXISTS (SELECT FROM automation.enrollment n WHERE n.id = e.target AND n.workflow = $3)" \
	" OR e.target IS NULL AND EXISTS (SELECT FROM automation.rule r WHERE r.id = e.hits[1] >> 2 AND r.workflow = $3)" \
	" ELSE NOT EXISTS (SELECT FROM automation.rule r, pg_catalog.unnest(e.hits) h WHERE r.id = h >> 2 AND r.owner = $1) END"

/*
 * What is unread goes to the new owner: the old one's executor would pass it
 * on, but he may not have one any more.  To the new one's it is a change of
 * this transaction; the row keeps the transaction it was made in.  What stays
 * must not be found by a row that goes (event_head.c).  After move_rows().
 */
static void
move_events(int workflow, int old, int owner)
{
	for (int i = 0; i < EVENT_SEGMENTS; i++)
	{
		wf_engine_sql(psprintf("UPDATE automation.event_%d SET head = true WHERE owner = $1 AND NOT head", i), "i", old);
		wf_engine_sql(psprintf("UPDATE automation.event_%d e SET owner = $2, origin = coalesce(e.origin, e.xact),"
							   " xact = pg_catalog.pg_current_xact_id()" MOVES, i), "iii", old, owner, workflow);
	}
	wf_engine_sql("UPDATE automation.parked e SET owner = $2" MOVES, "iii", old, owner, workflow);
	wf_engine_wake();
}

static void keep_unseen_source(WorkflowRow *row);

/*
 * Whoever owns the function now did not write the versions that are running:
 * they stand still until he has seen and accepted them.
 */
void
wf_register_owner(WorkflowRow *row, Oid role)
{
	int			owner = wf_owner_id(role, true);
	int			old = row->owner;

	wf_order_change(row->id);
	keep_unseen_source(row);
	move_rows(row->id, owner);
	row->owner = owner;
	if (runs_foreign_versions(row))
		wf_register_hold(row, "owner_changed", "versions of another author: automation.accept_versions() lets them run");
	else if (row->hold != NULL && strcmp(row->hold, "owner_changed") == 0)
		wf_register_release(row, "owner_changed", true);
	wf_arm_relations(wf_watched_relations(row->id, true), true);
	move_events(row->id, old, owner);	/* no session adds more for the old one now */
	wf_schedules_owner(row);
	invalidate(row->routine);
}

/* --- new workflows and versions --- */

typedef struct StoredVersion
{
	int			author;
	char	   *source;
	char	   *path;
} StoredVersion;

/* Current version; NULL if its row is missing. */
static StoredVersion *
load_version(const WorkflowRow *row)
{
	List	   *texts = wf_engine_texts("SELECT pg_catalog.unnest(ARRAY[author::text, source, path])"
										" FROM automation.workflow_version WHERE workflow = $1 AND version = $2",
										"ii", row->id, row->version);
	StoredVersion *version;

	if (texts == NIL)
		return NULL;
	version = palloc(sizeof(StoredVersion));
	version->author = pg_strtoint32(linitial(texts));
	version->source = lsecond(texts);
	version->path = lthird(texts);
	return version;
}

static void
insert_version(const WorkflowRow *row, const char *source, const char *path)
{
	Relation	rel = wf_store_open("workflow_version", RowExclusiveLock);
	bool		nulls[7] = {[6] = true};
	Datum		values[7] = {
		Int32GetDatum(row->id),
		Int32GetDatum(row->version),
		Int32GetDatum(row->owner),
		CStringGetTextDatum(source),
		CStringGetTextDatum(path),
		TimestampTzGetDatum(wf_clock_now())
	};

	wf_store_insert(rel, values, nulls, NULL);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

static WorkflowRow *
insert_workflow(const Signature *sig)
{
	Relation	rel = wf_store_open("workflow", RowExclusiveLock);
	WorkflowRow *row = palloc0(sizeof(WorkflowRow));
	bool		nulls[10] = {0};
	Datum		values[10];

	row->id = (int) wf_store_nextval("workflow_seq");
	row->signature = wf_routine_signature(sig->function);
	row->routine = sig->function;
	row->owner = wf_owner_id(sig->owner, true);
	row->entry = "open";
	values[0] = Int32GetDatum(row->id);
	values[1] = CStringGetTextDatum(row->signature);
	values[2] = ObjectIdGetDatum(row->routine);
	values[3] = Int32GetDatum(row->owner);
	values[4] = Int32GetDatum(row->version);
	values[5] = CStringGetTextDatum(row->entry);
	values[6] = values[7] = (Datum) 0;
	nulls[6] = nulls[7] = true;
	values[8] = TimestampTzGetDatum(wf_clock_now());
	values[9] = (Datum) 0;
	nulls[9] = true;
	wf_store_insert(rel, values, nulls, NULL);
	table_close(rel, NoLock);
	CommandCounterIncrement();
	return row;
}

/* Makes the next version the current one. */
static void
add_version(WorkflowRow *row, const Signature *sig, const char *path)
{
	List	   *next = wf_engine_ids("SELECT coalesce(pg_catalog.max(version), 0)::bigint + 1"
									 " FROM automation.workflow_version WHERE workflow = $1", "i", row->id);

	row->version = (int) *(int64 *) linitial(next);
	insert_version(row, sig->source, path);
	wf_engine_sql("UPDATE automation.workflow SET version = $2 WHERE id = $1", "ii", row->id, row->version);
	invalidate(sig->function);
}

/*
 * A source that nobody registered (check_function_bodies was off) is the old
 * owner's when the function changes hands: it must not become a version of the
 * new one unseen.
 */
static void
keep_unseen_source(WorkflowRow *row)
{
	Signature  *sig = wf_signature_load(row->routine);
	StoredVersion *version = load_version(row);

	if (sig != NULL && version != NULL && strcmp(version->source, sig->source) != 0)
		add_version(row, sig, version->path);
}

static bool
has_default_acl(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		isnull = false;

	if (HeapTupleIsValid(tuple))
	{
		(void) SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proacl, &isnull);
		ReleaseSysCache(tuple);
	}
	return isnull;
}

/* Enrolling by hand is for whom the owner grants it. */
static void
revoke_from_public(const Signature *sig)
{
	GrantStmt  *stmt = makeNode(GrantStmt);
	ObjectWithArgs *function = makeNode(ObjectWithArgs);
	AccessPriv *execute = makeNode(AccessPriv);
	RoleSpec   *public = makeNode(RoleSpec);
	UserScope	scope;

	function->objname = list_make2(makeString(get_namespace_name(sig->nspace)), makeString(sig->name));
	for (int i = 0; i < sig->nargs; i++)
		function->objargs = lappend(function->objargs, makeTypeNameFromOid(sig->args[i].type, -1));
	execute->priv_name = "execute";
	public->roletype = ROLESPEC_PUBLIC;
	public->location = -1;
	stmt->is_grant = false;
	stmt->targtype = ACL_TARGET_OBJECT;
	stmt->objtype = OBJECT_FUNCTION;
	stmt->objects = list_make1(function);
	stmt->privileges = list_make1(execute);
	stmt->grantees = list_make1(public);
	stmt->behavior = DROP_RESTRICT;
	wf_engine_enter(&scope);
	ExecuteGrantStmt(stmt);
	CommandCounterIncrement();
	wf_engine_leave(&scope);
}

void
wf_register_close(Oid function)
{
	Signature  *sig = has_default_acl(function) ? wf_signature_load(function) : NULL;

	if (sig == NULL)
		return;
	revoke_from_public(sig);
	ereport(NOTICE,
			(errmsg("EXECUTE on workflow %s was revoked from PUBLIC", wf_routine_signature(function)),
			 errdetail("It had no privileges of its own, as after a restore without privileges.")));
}

/* A function that reconcile() finds may have been restored with its rights:
 * those somebody gave are kept. */
static WorkflowRow *
add_workflow(const Signature *sig, RegisterReason reason)
{
	WorkflowRow *row = insert_workflow(sig);

	if (reason != REGISTER_RECONCILED || has_default_acl(sig->function))
		revoke_from_public(sig);
	return row;
}

/* --- one function --- */

static bool
sets_path(const Signature *sig)
{
	Datum	   *items;
	bool	   *nulls;
	int			n;

	if (sig->config == NULL)
		return false;
	deconstruct_array(sig->config, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (!nulls[i] && pg_strncasecmp(TextDatumGetCString(items[i]), "search_path=", 12) == 0)
			return true;
	}
	return false;
}

/* The path a session of the owner would have: for functions that came without
 * one, by a restore of the schema alone. */
static char *
owner_path(Oid owner)
{
	List	   *paths = wf_engine_texts("SELECT pg_catalog.substr(c, 13) FROM pg_catalog.pg_db_role_setting s,"
										" pg_catalog.unnest(s.setconfig) c WHERE s.setrole IN ($1, 0) AND s.setdatabase IN"
										" ($2, 0) AND c LIKE 'search\\_path=%'"
										" ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC LIMIT 1",
										"oo", owner, MyDatabaseId);

	return paths == NIL ? "\"$user\", public" : linitial(paths);
}

/* The same, as it is stored. */
static char *
stored_owner_path(const Signature *sig)
{
	UserScope	scope;
	char	   *path;

	wf_owner_enter(&scope, sig->owner, owner_path(sig->owner), NULL);
	path = wf_check_path(sig, false);
	wf_owner_leave(&scope);
	return path;
}

/* Path to check under; NULL = that of the session, or the function's own. */
static const char *
path_to_check(const Signature *sig, const StoredVersion *version, RegisterReason reason)
{
	if (sets_path(sig) || reason == REGISTER_CREATED)
		return NULL;
	if (version != NULL)
		return version->path;
	return reason == REGISTER_RECONCILED ? stored_owner_path(sig) : NULL;
}

static bool
needs_version(const WorkflowRow *row, const Signature *sig, const StoredVersion *version,
			  const char *path, RegisterReason reason)
{
	if (version == NULL || strcmp(version->source, sig->source) != 0)
		return true;
	if (reason == REGISTER_CREATED && version->author != row->owner)
		return true;
	return (reason == REGISTER_CREATED || sets_path(sig)) && strcmp(version->path, path) != 0;
}

/* Found wrong where nobody can be told: the workflow exists, but is held. */
static void
store_invalid(WorkflowRow *row, const Signature *sig, const char *path, const char *message)
{
	if (row == NULL)
	{
		row = add_workflow(sig, REGISTER_RECONCILED);
		add_version(row, sig, path ? path : stored_owner_path(sig));
	}
	if (row->hold == NULL || strcmp(row->hold, "owner_changed") != 0)
		wf_register_hold(row, "definition_invalid", message);
}

void
wf_register_settle_owner(WorkflowRow *row)
{
	if (row->hold != NULL && strcmp(row->hold, "owner_changed") == 0 && !runs_foreign_versions(row))
		wf_register_release(row, "owner_changed", false);
}

/* A definition that is right ends the holds that say otherwise. */
static void
release_if_held(WorkflowRow *row)
{
	if (row->hold == NULL)
		return;
	if (strcmp(row->hold, "definition_invalid") == 0)
		wf_register_release(row, row->hold, true);	/* what they wait for may be true unnoticed */
	else if (strcmp(row->hold, "function_missing") == 0)
		wf_register_release(row, row->hold, false);
	else
		wf_register_settle_owner(row);
}

static void
store(WorkflowRow *row, const Signature *sig, const char *path, struct CheckedWorkflow *checked,
	  RegisterReason reason)
{
	StoredVersion *version = row ? load_version(row) : NULL;
	bool		changed;

	if (row == NULL)
		row = add_workflow(sig, reason);
	changed = reason == REGISTER_ALTERED || needs_version(row, sig, version, path, reason);
	if (needs_version(row, sig, version, path, reason))
		add_version(row, sig, path);
	wf_validate_rules(row, checked, false);
	wf_schedules_store(row, checked, reason == REGISTER_CREATED);
	if (row->hold != NULL && strcmp(row->hold, "definition_invalid") == 0)
		wf_revalidate_old(row);			/* what was not valid may be an old version now */
	if (changed)
		wf_due_register(row);			/* its SET clauses may say in which zone a date is */
	release_if_held(row);
}

bool
wf_register_unchecked(Oid function)
{
	Signature  *sig = wf_signature_load(function);
	WorkflowRow *row = sig ? wf_register_bind(sig) : NULL;
	StoredVersion *version;

	if (row == NULL)
		return sig == NULL;
	if (wf_owner_role(row->owner) != sig->owner)
	{
		wf_register_owner(row, sig->owner);
		return true;
	}
	version = load_version(row);
	if (version == NULL || strcmp(version->source, sig->source) != 0)
		return false;
	if (row->hold != NULL && strcmp(row->hold, "function_missing") == 0)
		wf_register_release(row, "function_missing", false);
	return true;
}

/* Who makes a function in a restored database must not get enrollments of another. */
static void
refuse_restored(const WorkflowRow *row)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("workflow %s was restored and belonged to another role", row->signature),
			 errhint("A superuser runs CALL automation.arm() first.")));
}

void
wf_register(Oid function, RegisterReason reason)
{
	Signature  *sig = wf_signature_load(function);
	WorkflowRow *row;
	StoredVersion *version;
	const char *stored;
	char	   *path = NULL;
	char	   *message = NULL;
	struct CheckedWorkflow *checked;

	if (sig == NULL)
		return;
	row = wf_register_bind(sig);
	if (row != NULL && wf_owner_role(row->owner) != sig->owner)
	{
		if (reason == REGISTER_CREATED && !wf_engine_armed())
			refuse_restored(row);
		wf_register_owner(row, sig->owner);
		if (reason != REGISTER_CREATED)
			return;
	}
	if (row != NULL && row->hold != NULL && strcmp(row->hold, "owner_changed") == 0 && reason != REGISTER_CREATED)
		return;
	version = row ? load_version(row) : NULL;
	stored = path_to_check(sig, version, reason);
	if (reason != REGISTER_RECONCILED)
		checked = wf_validate(sig, stored, &path);
	else
		checked = wf_validate_quietly(sig, stored, &path, &message);
	if (checked == NULL)
		store_invalid(row, sig, stored, message);
	else
		store(row, sig, path, checked, reason);
}
