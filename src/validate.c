/*
 * validate.c -- checking definitions as their owner: at registration, and
 * again after DDL on something a workflow uses.
 *
 * Called by register.c, reconcile.c and ddl.c.  The user's text is parsed and
 * analysed in owner scope only.  Quiet checks run in a subtransaction that is
 * rolled back: what the text causes there, locks included, is gone afterwards.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_inherits.h"
#include "catalog/partition.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/formatting.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "catalog/pg_collation.h"

#include "analyze_ties.h"
#include "check.h"
#include "compat.h"
#include "enginesql.h"
#include "owner.h"
#include "register.h"
#include "rule.h"
#include "watchdog.h"

/* A definition is checked in sessions of others, too, and input functions of
 * its owner's domains run then: for so long at most. */
#define PATIENCE_MS 2000

/* Somebody's DDL on one table must not wait for long for DDL on another one,
 * only because a workflow uses both.  Less than the default deadlock_timeout, so
 * that nobody else's deadlock check meets us. */
#define LOCK_PATIENCE "500ms"

/* ----------------------------------------------------------------
 * Subtransactions
 * ----------------------------------------------------------------
 */

/* Does somebody want the session's command to end?  The SQLSTATE doesn't tell:
 * a domain's check may have raised it. */
static bool
is_interrupt(const ErrorData *error)
{
	return error->funcname != NULL && strcmp(error->funcname, "ProcessInterrupts") == 0 &&
		error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE;
}

/* The error being handled, after the subtransaction it happened in.  limited:
 * the watchdog is ours, and what it cancelled is no reason to end. */
static ErrorData *
catch_error(MemoryContext context, ResourceOwner owner, bool limited)
{
	ErrorData  *error;

	if (limited)
		wf_watchdog_stop();
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (is_interrupt(error) && !(limited && wf_watchdog_fired()))
		ReThrowError(error);
	return error;
}

/* fn(arg) in a subtransaction; the error, or NULL.  limit: milliseconds for
 * code that is to leave no trace, locks and cursors included; 0 = none. */
static ErrorData *
attempt(void (*fn) (void *arg), void *arg, int limit)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;
	bool		limited = limit > 0 && !wf_watchdog_running();

	/* a subtransaction must not begin with invalidations pending */
	CommandCounterIncrement();
	CommandEndInvalidationMessages();
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		if (limited)
			wf_watchdog_start(limit, false);
		fn(arg);
		if (limited)
			wf_watchdog_stop();
		if (limit > 0)
			RollbackAndReleaseCurrentSubTransaction();
		else
			ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		error = catch_error(context, owner, limited);
	}
	PG_END_TRY();
	return error;
}

bool
wf_guarded(const char *what, void (*fn) (void *arg), void *arg)
{
	ErrorData  *error = attempt(fn, arg, 0);

	if (error == NULL)
		return true;
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("automation could not %s: %s", what, error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 errhint("A superuser repairs it by CALL automation.reconcile().")));
	FreeErrorData(error);
	return false;
}

/* ----------------------------------------------------------------
 * One definition
 * ----------------------------------------------------------------
 */

CheckedWorkflow *
wf_validate(Signature *sig, const char *stored, char **path)
{
	UserScope	scope;
	CheckedWorkflow *checked;

	*path = stored ? pstrdup(stored) : wf_check_path(sig, false);
	wf_owner_enter(&scope, sig->owner, *path, sig->config);
	checked = wf_check(sig, false);
	wf_owner_leave(&scope);
	return checked;
}

/* Does an error leave it open whether the definition is right? */
static bool
says_nothing(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE || error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED ||
		error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN ||
		ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INSUFFICIENT_RESOURCES;
}

typedef struct Validation
{
	Signature  *sig;
	const char *stored;
	char	   *path;
	CheckedWorkflow *checked;
} Validation;

static void
validate(void *arg)
{
	Validation *v = arg;

	v->checked = wf_validate(v->sig, v->stored, &v->path);
}

CheckedWorkflow *
wf_validate_quietly(Signature *sig, const char *stored, char **path, char **message)
{
	Validation	v = {sig, stored, NULL, NULL};
	int			level = NewGUCNestLevel();
	ErrorData  *error;

	if (LockTimeout == 0)
		(void) set_config_option("lock_timeout", LOCK_PATIENCE, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	error = attempt(validate, &v, PATIENCE_MS);
	AtEOXact_GUC(false, level);
	if (error != NULL && says_nothing(error))
		ereport(ERROR,
				(errcode(error->sqlerrcode),
				 errmsg_internal("%s", error->message)));
	if (error != NULL)
	{
		*message = error->message;
		return NULL;
	}
	*path = v.path;
	return v.checked;
}

/* ----------------------------------------------------------------
 * All versions of a workflow that matter
 * ----------------------------------------------------------------
 */

/* What rules say that a change of a column's type can change: as stored. */
static List *
stored_rules(const WorkflowRow *row, int version)
{
	return wf_engine_texts("SELECT pg_catalog.format('%s %s %s %s %s %s %s %s', kind, clause, source, residual,"
						   " conditions, pg_catalog.array_to_string(columns, ','),"
						   " pg_catalog.array_to_string(ties, ','), path)"
						   " FROM automation.rule WHERE workflow = $1 AND version = $2 AND armed ORDER BY id",
						   "ii", row->id, version);
}

static char *
jsonb_text(Jsonb *jsonb)
{
	return jsonb ? JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb)) : "";
}

/* As the server prints what it has stored. */
static char *
path_text(const CheckedRule *rule)
{
	Datum		path;

	if (!rule->has_path)
		return "";
	path = DirectFunctionCall1(jsonb_in, CStringGetDatum(wf_path_text(rule->path, false)));
	return jsonb_text(DatumGetJsonbP(path));
}

static char *
joined(List *names)
{
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	foreach(cell, names)
		appendStringInfo(&text, "%s%s", text.len > 0 ? "," : "", (char *) lfirst(cell));
	return text.data;
}

/* The same of rules just checked. */
static List *
checked_rules(List *rules)
{
	List	   *texts = NIL;
	ListCell   *cell;

	foreach(cell, rules)
	{
		CheckedRule *rule = lfirst(cell);

		texts = lappend(texts, psprintf("%c %d %d %s %s %s %s %s", rule->kind, rule->clause,
										wf_source_id(rule->relation, false), rule->residual ? "t" : "f",
										jsonb_text(rule->conditions), joined(rule->columns), joined(rule->ties),
										path_text(rule)));
	}
	return texts;
}

static bool
same_texts(List *a, List *b)
{
	ListCell   *ca;
	ListCell   *cb;

	if (list_length(a) != list_length(b))
		return false;
	forboth(ca, a, cb, b)
	{
		if (strcmp(lfirst(ca), lfirst(cb)) != 0)
			return false;
	}
	return true;
}

/* Those in a version, told to look whether they may go on, and what they wait for;
 * but not who has failed. */
static void
tell_inside(const WorkflowRow *row, int version, const char *command)
{
	ListCell   *cell;

	foreach(cell, wf_engine_ids("SELECT id FROM automation.enrollment WHERE workflow = $1 AND version = $2"
								" AND state <> 'failed' ORDER BY id", "ii", row->id, version))
		wf_command_append(row, command, "definition_invalid", *(int64 *) lfirst(cell), 0, NULL);
}

/* Rules of a version say something new: who waits is tied by them from now on.  Where
 * DDL on something else does not get the lock of a table, that is looked at now and
 * then: a change under the old rules may still be committed. */
static void
replace_rules(const WorkflowRow *row, int version, List *rules, bool current, bool quietly)
{
	List	   *watched = wf_watched_relations(row->id, true);
	ListCell   *cell;

	/* wake rules of a version with enrollments would stay beside the new ones */
	wf_engine_sql("UPDATE automation.rule SET armed = false WHERE workflow = $1 AND version = $2", "ii", row->id, version);
	if (current)
		wf_rules_store(row->id, version, row->owner, rules);
	else
		wf_rules_add(row->id, version, row->owner, rules);
	foreach(cell, wf_arm_relations(list_concat_unique_oid(watched, wf_watched_relations(row->id, true)), quietly))
		wf_engine_sql("UPDATE automation.rule SET armed = false WHERE workflow = $1 AND version = $2 AND kind = 'T' AND source = $3",
					  "iii", row->id, version, wf_source_id(lfirst_oid(cell), false));
	tell_inside(row, version, "look");
}

void
wf_validate_rules(const WorkflowRow *row, CheckedWorkflow *checked, bool quietly)
{
	if (!same_texts(stored_rules(row, row->version), checked_rules(checked->rules)))
		replace_rules(row, row->version, checked->rules, true, quietly);
}

/* The same for an old version: nobody enters it, but some may be inside. */
static void
validate_old_rules(const WorkflowRow *row, int version, CheckedWorkflow *checked)
{
	List	   *rules = NIL;
	ListCell   *cell;

	foreach(cell, checked->rules)
	{
		if (wf_rule_kind_wakes(((CheckedRule *) lfirst(cell))->kind))
			rules = lappend(rules, lfirst(cell));
	}
	if (!same_texts(stored_rules(row, version), checked_rules(rules)))
		replace_rules(row, version, rules, false, true);
}

typedef struct Version
{
	int			version;
	char	   *source;
	char	   *path;
} Version;

/* Versions that their owner may still run, the latest first. */
static List *
load_versions(const WorkflowRow *row)
{
	List	   *texts = wf_engine_texts("SELECT pg_catalog.unnest(ARRAY[v.version::text, v.source, v.path]) FROM"
										" (SELECT version, source, path FROM automation.workflow_version"
										" WHERE workflow = $1 AND author = $2 ORDER BY version DESC) v",
										"ii", row->id, row->owner);
	List	   *versions = NIL;

	for (int i = 0; i + 2 < list_length(texts); i += 3)
	{
		Version    *v = palloc(sizeof(Version));

		v->version = pg_strtoint32(list_nth(texts, i));
		v->source = list_nth(texts, i + 1);
		v->path = list_nth(texts, i + 2);
		versions = lappend(versions, v);
	}
	return versions;
}

/*
 * An old version that somebody is in: it is marked, and those inside are held
 * until it is valid again or automation.migrate() brings them away from it.
 */
static void
revalidate_old(WorkflowRow *row, Signature *sig, const Version *v, bool warn)
{
	char	   *path;
	char	   *message = NULL;
	CheckedWorkflow *checked;

	sig->source = v->source;
	if (wf_engine_sql("SELECT FROM automation.enrollment WHERE workflow = $1 AND version = $2 LIMIT 1",
					  "ii", row->id, v->version) == 0)
		return;
	checked = wf_validate_quietly(sig, v->path, &path, &message);
	if (checked != NULL)
	{
		validate_old_rules(row, v->version, checked);
		if (wf_engine_sql("UPDATE automation.workflow_version SET invalid = NULL"
						  " WHERE workflow = $1 AND version = $2 AND invalid IS NOT NULL", "ii", row->id, v->version) > 0)
			tell_inside(row, v->version, "release");
		return;
	}
	(void) wf_engine_sql("UPDATE automation.workflow_version SET invalid = $3 WHERE workflow = $1 AND version = $2",
						 "iit", row->id, v->version, message);
	tell_inside(row, v->version, "look");
	if (warn)
		ereport(WARNING,
				(errmsg("version %d of workflow %s is not valid any more, and has enrollments", v->version, row->signature),
				 errdetail("%s", message),
				 errhint("They are held. ALTER TABLE that makes it valid lets them go on, or automation.migrate() brings them to the current version.")));
}

static void
revalidate_current(WorkflowRow *row, Signature *sig, const Version *v, bool warn)
{
	bool		held = row->hold != NULL && strcmp(row->hold, "definition_invalid") == 0;
	char	   *path;
	char	   *message = NULL;
	CheckedWorkflow *checked;

	sig->source = v->source;
	checked = wf_validate_quietly(sig, v->path, &path, &message);
	if (checked != NULL)
	{
		wf_validate_rules(row, checked, true);
		if (held)
			wf_register_release(row, "definition_invalid", true);
		return;
	}
	if (held || row->hold == NULL)
		wf_register_hold(row, "definition_invalid", message);
	if (warn)
		ereport(WARNING,
				(errmsg("workflow %s is held: its definition is not valid any more", row->signature),
				 errdetail("%s", message),
				 errhint("It goes on by itself as soon as CREATE OR REPLACE FUNCTION or ALTER TABLE makes it valid.")));
}

static void
revalidate_versions(WorkflowRow *row, List *versions, bool warn)
{
	Signature  *sig = wf_signature_load(row->routine);
	ListCell   *cell;

	foreach(cell, versions)
	{
		Version    *v = lfirst(cell);

		if (sig == NULL)
			return;
		if (v->version == row->version)
			revalidate_current(row, sig, v, warn);
		else
			revalidate_old(row, sig, v, warn);
	}
}

void
wf_revalidate_old(WorkflowRow *row)
{
	Signature  *sig = wf_signature_load(row->routine);
	ListCell   *cell;

	foreach(cell, load_versions(row))
		if (sig != NULL && ((Version *) lfirst(cell))->version != row->version)
			revalidate_old(row, sig, lfirst(cell), true);
}

/* A workflow that runs under a role it was not accepted for is left alone. */
static bool
can_be_validated(const WorkflowRow *row)
{
	return OidIsValid(wf_routine_owner(row->routine)) &&
		(row->hold == NULL || strcmp(row->hold, "owner_changed") != 0);
}

void
wf_revalidate(WorkflowRow *row, bool warn)
{
	if (can_be_validated(row))
		revalidate_versions(row, load_versions(row), warn);
}

/* ----------------------------------------------------------------
 * Who uses a table
 * ----------------------------------------------------------------
 */

static bool
contains(const char *text, const char *name)
{
	return strstr(text, name) != NULL;
}

static char *
folded(const char *text)
{
	return str_tolower(text, strlen(text), DEFAULT_COLLATION_OID);
}

/* Tables a change of one of these may reach: their children and ancestors. */
static List *
family(List *relations)
{
	List	   *all = NIL;
	ListCell   *cell;

	foreach(cell, relations)
	{
		all = list_concat_unique_oid(all, find_all_inheritors(lfirst_oid(cell), NoLock, NULL));
		if (get_rel_relispartition(lfirst_oid(cell)))
			all = list_concat_unique_oid(all, get_partition_ancestors(lfirst_oid(cell)));
	}
	return all;
}

/* Does a version's text or path have one of the names in it?  In any case of
 * letters: a false alarm costs one check. */
static bool
mentions(List *versions, List *names)
{
	ListCell   *cv;
	ListCell   *cn;

	foreach(cv, versions)
	{
		Version    *v = lfirst(cv);
		char	   *text = folded(psprintf("%s %s", v->path, v->source));

		foreach(cn, names)
		{
			if (contains(text, lfirst(cn)))
				return true;
		}
	}
	return false;
}

static List *
names_of(List *relations, List *names)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, names)
		result = lappend(result, folded(lfirst(cell)));
	foreach(cell, relations)
	{
		char	   *name = get_rel_name(lfirst_oid(cell));

		if (name != NULL)
			result = lappend(result, folded(name));
	}
	return result;
}

typedef struct Users
{
	List	   *relations;
	List	   *names;
	WorkflowRow *row;
} Users;

static void
revalidate_user(void *arg)
{
	Users	   *users = arg;
	WorkflowRow *row = users->row;
	List	   *versions;

	if (!can_be_validated(row))
		return;
	versions = load_versions(row);
	if (users->names == NIL || mentions(versions, users->names) ||
		wf_signature_has_row(row->routine, users->relations))
		revalidate_versions(row, versions, true);
}

void
wf_revalidate_users(List *relations, List *names)
{
	Users		users;
	ListCell   *cell;

	users.relations = family(relations);
	users.names = names_of(users.relations, names);
	foreach(cell, wf_workflow_all())
	{
		users.row = lfirst(cell);
		(void) wf_guarded("check a workflow", revalidate_user, &users);
	}
}
