/*
 * owner.c -- the only file that switches users, and the ids by which the
 * engine's tables name roles and watched tables.
 *
 * Called by registration and commands (both scopes), by the executor for the
 * settings of a workflow (wf_config_enter), by capture and the event log for
 * ids.  A scope is a GUC nest level plus a switched user; both are undone by
 * the abort of the (sub)transaction they were entered in, so no caller needs
 * PG_TRY around one.  Nothing here allocates beyond the current context.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "owner.h"
#include "store.h"

#define OWNER_ID	1
#define OWNER_ROLE	2
#define SOURCE_ID	1
#define SOURCE_RELATION 2

/*
 * Settings that decide what a query of ours means.  Everything else a session
 * may have set changes at most how fast it runs.
 */
static const char *const engine_settings[][2] = {
	{"search_path", "pg_catalog, pg_temp"},
	{"DateStyle", "ISO, MDY"},
	{"IntervalStyle", "postgres"},
	{"TimeZone", "UTC"},
	{"extra_float_digits", "1"},
	{"bytea_output", "hex"},
	{"quote_all_identifiers", "off"},
	{"transform_null_equals", "off"},
	{"row_security", "on"}
};

/*
 * Settings of a workflow that would change who it is or switch triggers off:
 * they have no effect.
 */
static const char *const ignored_settings[] = {
	"role", "session_authorization", "session_replication_role"
};

static int	kept_level = 0;				/* of the batch that is running; 0 = none */
static int	entered = 0;				/* levels within it; too high after a caught error, which costs time only */

static bool
is_in_force(const char *path)
{
	return strcmp(namespace_search_path, path) == 0;
}

static void
set_local(const char *name, const char *value, GucContext context)
{
	(void) set_config_option(name, value, context, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

static bool
is_ignored(const char *name, const char *path)
{
	if (path != NULL && pg_strcasecmp(name, "search_path") == 0)
		return true;
	for (int i = 0; i < lengthof(ignored_settings); i++)
	{
		if (pg_strcasecmp(name, ignored_settings[i]) == 0)
			return true;
	}
	return false;
}

/* Applies what ALTER FUNCTION ... SET left, then the path, with the rights of
 * the current user. */
static void
apply_config(const char *path, ArrayType *config)
{
	GucContext	context = superuser() ? PGC_SUSET : PGC_USERSET;

	if (config != NULL)
	{
		Datum	   *items;
		bool	   *nulls;
		int			n;

		deconstruct_array(config, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
		for (int i = 0; i < n; i++)
		{
			char	   *name;
			char	   *value;

			if (nulls[i])
				continue;
			ParseLongOption(TextDatumGetCString(items[i]), &name, &value);
			if (value != NULL && !is_ignored(name, path))
				set_local(name, value, context);
		}
	}
	if (path != NULL)
		set_local("search_path", path, context);
}

void
wf_owner_enter(UserScope *scope, Oid role, const char *path, ArrayType *config)
{
	GetUserIdAndSecContext(&scope->user, &scope->context);
	scope->guc_level = NewGUCNestLevel();
	SetUserIdAndSecContext(role,
						   scope->context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	apply_config(path, config);
}

void
wf_owner_leave(UserScope *scope)
{
	/* false: what the workflow's code SET inside is lost, too */
	AtEOXact_GUC(false, scope->guc_level);
	SetUserIdAndSecContext(scope->user, scope->context);
}

/*
 * Not RESTRICTED: arming creates triggers, which is none of what that flag
 * forbids, but the flag would also defer nothing of ours.  It is kept if it
 * was set already.
 */
void
wf_engine_enter(UserScope *scope)
{
	GetUserIdAndSecContext(&scope->user, &scope->context);
	scope->guc_level = NewGUCNestLevel();
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, scope->context | SECURITY_LOCAL_USERID_CHANGE);
	for (int i = 0; i < lengthof(engine_settings); i++)
		set_local(engine_settings[i][0], engine_settings[i][1], PGC_SUSET);
}

void
wf_engine_leave(UserScope *scope)
{
	wf_owner_leave(scope);
}

/*
 * Many items of one workflow follow each other.  While a batch runs, its path
 * is set in a nest level around theirs, so that it need not be set anew for
 * each; what an item sets itself is lost at the end of its own level.
 */
int
wf_config_enter(const char *path, ArrayType *config)
{
	int			level;

	if (kept_level > 0 && entered == 0 && path != NULL && !is_in_force(path))
		set_local("search_path", path, PGC_USERSET);
	entered++;
	level = NewGUCNestLevel();
	if (config != NULL || path == NULL || !is_in_force(path))
		apply_config(path, config);
	return level;
}

void
wf_config_leave(int level)
{
	AtEOXact_GUC(false, level);
	if (entered > 0)
		entered--;
}

void
wf_config_keep(void)
{
	kept_level = NewGUCNestLevel();
	entered = 0;
}

void
wf_config_drop(void)
{
	AtEOXact_GUC(false, kept_level);
	kept_level = 0;
}

/* The abort has undone the levels. */
void
wf_config_forget(void)
{
	kept_level = 0;
}

/* ----------------------------------------------------------------
 * Ids
 * ----------------------------------------------------------------
 */

/* Id in a table of (id, oid) by its oid column; 0 = unknown. */
static int
id_of_oid(Relation rel, const char *index, AttrNumber column, Oid oid)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	int			id = 0;

	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
	scan = wf_store_scan(rel, index, wf_store_snapshot(), 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;

		id = DatumGetInt32(heap_getattr(tuple, OWNER_ID, RelationGetDescr(rel), &isnull));
	}
	systable_endscan(scan);
	return id;
}

/* The other way round; InvalidOid = unknown. */
static Oid
oid_of_id(const char *table, const char *index, AttrNumber column, int id)
{
	Relation	rel = wf_store_open(table, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			oid = InvalidOid;

	ScanKeyInit(&key, OWNER_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(id));
	scan = wf_store_scan(rel, index, wf_store_snapshot(), 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;

		oid = DatumGetObjectId(heap_getattr(tuple, column, RelationGetDescr(rel), &isnull));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return oid;
}

/*
 * Gives an oid a new id.  The lock lets only one session do it at a time, so
 * that none of them meets a unique violation; it is kept to the end of the
 * transaction, because until then the others can't see the row.
 */
static int
add_id(const char *table, const char *sequence, const char *index, AttrNumber column, Oid oid)
{
	Relation	rel = wf_store_open(table, ShareRowExclusiveLock);
	int			id = id_of_oid(rel, index, column, oid);

	if (id == 0)
	{
		Datum		values[2];
		bool		nulls[2] = {false, false};

		id = (int) wf_store_nextval(sequence);
		values[OWNER_ID - 1] = Int32GetDatum(id);
		values[column - 1] = ObjectIdGetDatum(oid);
		wf_store_insert(rel, values, nulls, NULL);
		CommandCounterIncrement();
	}
	table_close(rel, NoLock);
	return id;
}

int
wf_owner_id(Oid role, bool create)
{
	Relation	rel = wf_store_open("owner", AccessShareLock);
	int			id = id_of_oid(rel, "owner_role_key", OWNER_ROLE, role);

	table_close(rel, AccessShareLock);
	if (id == 0 && create)
		id = add_id("owner", "owner_seq", "owner_role_key", OWNER_ROLE, role);
	return id;
}

/* A dropped role leaves its row behind; its oid is then no role any more. */
Oid
wf_owner_role(int id)
{
	Oid			role = oid_of_id("owner", "owner_pkey", OWNER_ROLE, id);

	if (OidIsValid(role) && GetUserNameFromId(role, true) == NULL)
		return InvalidOid;
	return role;
}

int
wf_source_id(Oid relation, bool create)
{
	Oid			root = wf_root_relation(relation);
	Relation	rel = wf_store_open("source", AccessShareLock);
	int			id = id_of_oid(rel, "source_relation_key", SOURCE_RELATION, root);

	table_close(rel, AccessShareLock);
	if (id == 0 && create)
		id = add_id("source", "source_seq", "source_relation_key", SOURCE_RELATION, root);
	return id;
}

Oid
wf_source_relation(int id)
{
	Oid			relation = oid_of_id("source", "source_pkey", SOURCE_RELATION, id);

	if (OidIsValid(relation) && get_rel_name(relation) == NULL)
		return InvalidOid;
	return relation;
}

Oid
wf_root_relation(Oid relation)
{
	List	   *ancestors;
	Oid			root;

	if (!get_rel_relispartition(relation))
		return relation;
	ancestors = get_partition_ancestors(relation);
	root = ancestors == NIL ? relation : llast_oid(ancestors);
	list_free(ancestors);
	return root;
}
