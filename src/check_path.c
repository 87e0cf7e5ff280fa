/*
 * check_path.c -- may this workflow run at all: its owner, his rights on the
 * tables it watches, and a path on which nobody can plant a function.
 *
 * Called by check.c and, for the path to store, by the validator.  Looks at
 * roles and access lists only; takes no locks; runs no user code.
 */
#include "postgres.h"
#include "compat.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "check_internal.h"
#include "miscadmin.h"
#include "parser/parsetree.h"
#include "settings.h"
#include "store.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

/* Name of a table as it can be written in a statement here and now. */
char *
wf_check_relation_name(Oid relation)
{
	char	   *name = get_rel_name(relation);

	if (name == NULL)
		elog(ERROR, "cache lookup failed for relation %u", relation);
	if (RelationIsVisible(relation))
		return pstrdup(quote_identifier(name));
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), name);
}

/* Names of the tables a workflow watches, as a GRANT takes them. */
static char *
watched_tables(const Check *ck)
{
	StringInfoData tables;
	List	   *seen = NIL;
	ListCell   *lc;

	initStringInfo(&tables);
	for (int i = 0; i < ck->sig->nargs; i++)
	{
		const Argument *arg = &ck->sig->args[i];

		if (arg->is_row && !list_member_oid(seen, arg->relation))
		{
			seen = lappend_oid(seen, arg->relation);
			appendStringInfo(&tables, "%s%s", tables.len ? ", " : "", wf_check_relation_name(arg->relation));
		}
	}
	foreach(lc, ck->tree->clauses)
	{
		const Clause *clause = lfirst(lc);
		Fragment	f = clause->change.table;

		if (clause->kind == CLAUSE_AFTER && !FRAGMENT_ABSENT(f))
			appendStringInfo(&tables, "%s%.*s", tables.len ? ", " : "", f.end - f.start, ck->body + f.start);
	}
	return tables.data;
}

static char *
superuser_hint(const Check *ck)
{
	StringInfoData hint;
	char	   *tables = watched_tables(ck);

	initStringInfo(&hint);
	appendStringInfoString(&hint,
						   "Let an ordinary role own it:\n"
						   "CREATE ROLE app LOGIN;\n"
						   "GRANT USAGE ON LANGUAGE workflow TO app;\n");
	appendStringInfo(&hint, "GRANT USAGE, CREATE ON SCHEMA %s TO app;\n",
					 quote_identifier(get_namespace_name(ck->sig->nspace)));
	if (tables[0] != '\0')
		appendStringInfo(&hint, "GRANT SELECT, TRIGGER ON %s TO app;\n", tables);
	appendStringInfo(&hint,
					 "Then create it as that role, or hand over one that exists:\n"
					 "ALTER FUNCTION %s OWNER TO app;", ck->sig->text);
	return hint.data;
}

/*
 * A workflow runs other people's triggers, defaults and policies unattended,
 * at the wish of whoever changes a row: never with a superuser's rights.
 */
void
wf_check_owner(const Check *ck)
{
	if (!superuser_arg(ck->sig->owner))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("a workflow can't be owned by superuser %s",
					quote_identifier(GetUserNameFromId(ck->sig->owner, false))),
			 errdetail("Triggers and functions of others, fired by what it writes, would run as superuser."),
			 errhint("%s", superuser_hint(ck))));
}

static void
warn_owner(const Check *ck, const char *can)
{
	ereport(WARNING,
			(errmsg("workflow owner %s %s", quote_identifier(GetUserNameFromId(ck->sig->owner, false)), can),
			 errdetail("Triggers and functions of others, fired by what its workflows write, may do so too.")));
}

/* Roles that are superusers in all but name. */
void
wf_check_owner_warnings(const Check *ck)
{
	Oid			owner = ck->sig->owner;

	if (!ck->notices)
		return;
	if (is_member_of_role(owner, ROLE_PG_EXECUTE_SERVER_PROGRAM))
		warn_owner(ck, "can execute programs on the server");
	if (is_member_of_role(owner, ROLE_PG_WRITE_SERVER_FILES))
		warn_owner(ck, "can write files on the server");
	if (is_member_of_role(owner, ROLE_PG_READ_SERVER_FILES))
		warn_owner(ck, "can read files on the server");
	if (WF_COMPAT_CREATEROLE_IS_STRONG && has_createrole_privilege(owner))
		warn_owner(ck, "can create and alter roles");
	if (has_bypassrls_privilege(owner))
		warn_owner(ck, "bypasses row-level security");
}

/* The usual auxiliary of ereport, but without a position when there is none. */
static int
position(const Check *ck, int location)
{
	return location < 0 ? 0 : wf_errposition(ck->body, location);
}

/*
 * SELECT and TRIGGER on the whole table, for the owner: a change shows all of
 * a row, and watching costs those who write.
 */
void
wf_check_table_rights(const Check *ck, Oid relation, int location)
{
	Oid			owner = ck->sig->owner;
	Oid			schema = get_rel_namespace(relation);
	char	   *role = pstrdup(quote_identifier(GetUserNameFromId(owner, false)));
	char	   *table = wf_check_relation_name(relation);

	if (wf_compat_schema_aclcheck(schema, owner, ACL_USAGE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for schema %s", get_namespace_name(schema)),
				 errhint("GRANT USAGE ON SCHEMA %s TO %s;", quote_identifier(get_namespace_name(schema)), role),
				 position(ck, location)));
	if (pg_class_aclcheck(relation, owner, ACL_SELECT) != ACLCHECK_OK ||
		pg_class_aclcheck(relation, owner, ACL_TRIGGER) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for table %s", get_rel_name(relation)),
				 errdetail("Watching a table needs SELECT on all of it and TRIGGER."),
				 errhint("GRANT SELECT, TRIGGER ON %s TO %s;", table, role),
				 position(ck, location)));
}

void
wf_check_arguments_rights(const Check *ck)
{
	for (int i = 0; i < ck->sig->nargs; i++)
	{
		if (ck->sig->args[i].is_row)
			wf_check_table_rights(ck, ck->sig->args[i].relation, -1);
	}
}

/* A deleted row can't be looked up under the policies any more. */
void
wf_check_row_security(const Check *ck, Oid relation, int location)
{
	if (check_enable_rls(relation, ck->sig->owner, true) != RLS_ENABLED)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("row-level security of table %s forbids AFTER DELETE", get_rel_name(relation)),
			 errdetail("Whether the policies let %s see a row can't be told once it is deleted.",
					   quote_identifier(GetUserNameFromId(ck->sig->owner, false))),
			 position(ck, location)));
}

static void
note_written(Check *ck, Oid relation, int location)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			table_owner;
	MemoryContext old;

	if (!HeapTupleIsValid(tuple))
		return;
	table_owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	if (superuser_arg(table_owner) || has_privs_of_role(ck->sig->owner, table_owner) ||
		list_member_oid(ck->noted, relation))
		return;
	old = MemoryContextSwitchTo(ck->keep);
	ck->noted = lappend_oid(ck->noted, relation);
	MemoryContextSwitchTo(old);
	ereport(NOTICE,
			(errmsg("table %s belongs to %s, whose triggers on it will run with the rights of %s",
					get_rel_name(relation), quote_identifier(GetUserNameFromId(table_owner, false)),
					quote_identifier(GetUserNameFromId(ck->sig->owner, false))),
			 position(ck, location)));
}

/* NOTICE for each table that a statement writes and a stranger owns. */
void
wf_check_written(Check *ck, Query *query)
{
	ListCell   *lc;

	if (!ck->notices)
		return;
	if (query->resultRelation > 0)
		note_written(ck, rt_fetch(query->resultRelation, query->rtable)->relid, -1);
	foreach(lc, query->cteList)
	{
		Node	   *inner = ((CommonTableExpr *) lfirst(lc))->ctequery;

		if (IsA(inner, Query))
			wf_check_written(ck, (Query *) inner);
	}
}

/*
 * Path
 */

/* search_path of the function's SET clauses, else of the session. */
static char *
path_text(const Signature *sig)
{
	const char *path = NULL;

	if (sig->config)
	{
		Datum	   *items;
		int			n;

		deconstruct_array(sig->config, TEXTOID, -1, false, TYPALIGN_INT, &items, NULL, &n);
		for (int i = 0; i < n; i++)
		{
			char	   *item = TextDatumGetCString(items[i]);

			if (pg_strncasecmp(item, "search_path=", 12) == 0)
				path = item + 12;
		}
	}
	if (path == NULL)
		path = GetConfigOption("search_path", false, false);
	return pstrdup(path);
}

/* May this role plant something that the workflow's owner would run? */
static bool
is_stranger(Oid role, Oid owner)
{
	return !superuser_arg(role) && !is_member_of_role(owner, role);
}

/* pg_database_owner stands for the one who owns this database. */
static Oid
real_role(Oid role)
{
	HeapTuple	tuple;

	if (role != ROLE_PG_DATABASE_OWNER)
		return role;
	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
	if (HeapTupleIsValid(tuple))
	{
		role = ((Form_pg_database) GETSTRUCT(tuple))->datdba;
		ReleaseSysCache(tuple);
	}
	return role;
}

/* A role that may create in the schema and is no friend of owner; or InvalidOid. */
static Oid
schema_stranger(HeapTuple tuple, Oid owner)
{
	Oid			role = real_role(((Form_pg_namespace) GETSTRUCT(tuple))->nspowner);
	bool		isnull;
	Datum		datum;
	Acl		   *acl;

	if (is_stranger(role, owner))
		return role;
	datum = SysCacheGetAttr(NAMESPACEOID, tuple, Anum_pg_namespace_nspacl, &isnull);
	if (isnull)
		return InvalidOid;
	acl = DatumGetAclP(datum);
	for (int i = 0; i < ACL_NUM(acl); i++)
	{
		AclItem    *item = &ACL_DAT(acl)[i];

		role = real_role(item->ai_grantee);
		if ((ACLITEM_GET_PRIVS(*item) & ACL_CREATE) && role != ACL_ID_PUBLIC && is_stranger(role, owner))
			return role;
	}
	return InvalidOid;
}

static void
refuse_public(const char *schema)
{
	ereport(wf_require_safe_path ? ERROR : WARNING,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("everybody can create objects in schema %s of the workflow's search_path",
					quote_identifier(schema)),
			 errdetail("Anybody's function or operator of a fitting name would run as the workflow's owner."),
			 errhint("REVOKE CREATE ON SCHEMA %s FROM PUBLIC; or choose the path by CREATE FUNCTION ... SET search_path.",
					 quote_identifier(schema))));
}

/* ERROR if everybody may create in a schema of the path, WARNING if strangers may. */
static void
check_schema(Oid schema, const char *name, Oid owner, bool notices)
{
	HeapTuple	tuple;
	Oid			stranger;

	if (schema == PG_CATALOG_NAMESPACE)
		return;
	if (wf_compat_schema_aclcheck(schema, ACL_ID_PUBLIC, ACL_CREATE) == ACLCHECK_OK)
	{
		if (wf_require_safe_path || notices)
			refuse_public(name);
		return;
	}
	if (!notices)
		return;
	tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
	if (!HeapTupleIsValid(tuple))
		return;
	stranger = schema_stranger(tuple, owner);
	ReleaseSysCache(tuple);
	if (OidIsValid(stranger))
		ereport(WARNING,
				(errmsg("role %s can create objects in schema %s of the workflow's search_path",
						quote_identifier(GetUserNameFromId(stranger, false)), quote_identifier(name)),
				 errdetail("A function or operator of a fitting name would run as the workflow's owner.")));
}

/*
 * The schema an entry of the path means, NULL if none that counts: temporary
 * ones, ours (added last), missing ones and those the owner may not use.
 */
static const char *
path_entry(const char *entry, Oid owner, Oid *schema)
{
	if (strcmp(entry, "$user") == 0)
		entry = GetUserNameFromId(owner, false);
	if (strncmp(entry, "pg_temp", 7) == 0 || strcmp(entry, "automation") == 0)
		return NULL;
	*schema = get_namespace_oid(entry, true);
	if (!OidIsValid(*schema) || wf_compat_schema_aclcheck(*schema, owner, ACL_USAGE) != ACLCHECK_OK)
		return NULL;
	return entry;
}

char *
wf_check_path(const Signature *sig, bool notices)
{
	StringInfoData path;
	List	   *entries;
	List	   *seen = NIL;
	ListCell   *lc;

	if (!SplitIdentifierString(path_text(sig), ',', &entries))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid list syntax in parameter \"%s\"", "search_path")));
	initStringInfo(&path);
	foreach(lc, entries)
	{
		Oid			schema = InvalidOid;
		const char *name = path_entry(lfirst(lc), sig->owner, &schema);

		if (name == NULL || list_member_oid(seen, schema))
			continue;
		check_schema(schema, name, sig->owner, notices);
		seen = lappend_oid(seen, schema);
		appendStringInfo(&path, "%s, ", quote_identifier(name));
	}
	appendStringInfoString(&path, "automation, pg_temp");
	return path.data;
}
