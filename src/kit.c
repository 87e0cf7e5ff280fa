/*
 * kit.c -- CALL automation.install_crm(schema): makes the tables and functions of
 * a CRM in a schema of the caller's.
 *
 * The text is the file automation_crm.sql beside the extension's own scripts
 * (kit/ in the source).  The core's parser takes it apart; each statement makes one
 * object, or is a comment on one.  Everything is done as the caller, by SPI, so he
 * needs the rights he would need to type it, and owns what comes of it.
 *
 * What was made is noted in the schema's table kit_object, so the command can be repeated:
 * what is noted and there stays as it is, what is missing is made.  Before
 * anything is made all names are looked at; one that is there and not noted is
 * somebody else's, and then nothing is changed.  An advisory lock per schema,
 * held to the end of the transaction, makes two calls come one after the other.
 * Memory is the caller's context; an ERROR leaves nothing behind.
 */
#include "postgres.h"

#include <sys/stat.h>

#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/parse_type.h"
#include "parser/parser.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "kit.h"

PG_FUNCTION_INFO_V1(wf_install_crm);

#define KIT_FILE "automation_crm.sql"
#define KIT_LOCK 0x6b697400		/* first half of the advisory lock's key */

typedef enum KitKind
{
	KIT_TYPE, KIT_TABLE, KIT_VIEW, KIT_INDEX, KIT_FUNCTION, KIT_TRIGGER, KIT_COMMENT, KIT_KINDS
} KitKind;

static const char *const kind_names[KIT_KINDS] = {
	"type", "table", "view", "index", "function", "trigger", "comment"
};
static const char *const kind_plurals[KIT_KINDS] = {
	"types", "tables", "views", "indexes", "functions", "triggers", "comments"
};

/* One statement.  name is unique within its kind; a comment has its object's. */
typedef struct KitItem
{
	KitKind		kind;
	const char *name;
	const char *sql;
	Node	   *stmt;
	bool		noted;			/* in kit_object */
	bool		there;
	bool		made;			/* by this call */
} KitItem;

/* --- reading the file --- */

static char *
read_file(void)
{
	char		share[MAXPGPATH];
	char		path[MAXPGPATH];
	struct stat status;
	FILE	   *file;
	char	   *text;
	size_t		n;

	get_share_path(my_exec_path, share);
	snprintf(path, sizeof(path), "%s/extension/%s", share, KIT_FILE);
	file = AllocateFile(path, PG_BINARY_R);
	if (file == NULL || fstat(fileno(file), &status) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\": %m", path),
				 errhint("It is installed together with the extension.")));
	text = palloc(status.st_size + 1);
	n = fread(text, 1, status.st_size, file);
	if (n != (size_t) status.st_size)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read file \"%s\": %m", path)));
	text[n] = '\0';
	FreeFile(file);
	return pg_any_to_server(text, n, PG_UTF8);
}

/* name(type, type) of the arguments a call gives. */
static const char *
signature(List *name, List *types)
{
	StringInfoData text;
	const char *between = "";
	ListCell   *cell;

	initStringInfo(&text);
	appendStringInfo(&text, "%s(", strVal(llast(name)));
	foreach(cell, types)
	{
		const char *type = TypeNameToString(lfirst_node(TypeName, cell));

		if (strncmp(type, "pg_catalog.", 11) == 0)
			type += 11;
		appendStringInfo(&text, "%s%s", between, type);
		between = ", ";
	}
	appendStringInfoChar(&text, ')');
	return text.data;
}

static List *
input_types(List *parameters)
{
	List	   *types = NIL;
	ListCell   *cell;

	foreach(cell, parameters)
	{
		FunctionParameter *parameter = lfirst_node(FunctionParameter, cell);

		if (parameter->mode != FUNC_PARAM_OUT && parameter->mode != FUNC_PARAM_TABLE)
			types = lappend(types, parameter->argType);
	}
	return types;
}

static const char *
trigger_name(const char *trigger, const char *table)
{
	return psprintf("%s on %s", trigger, table);
}

/* What a comment is about, as an item of the kit is named. */
static const char *
comment_target(CommentStmt *stmt)
{
	switch (stmt->objtype)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_INDEX:
			return strVal(llast(castNode(List, stmt->object)));
		case OBJECT_COLUMN:
			return strVal(list_nth(castNode(List, stmt->object), list_length(castNode(List, stmt->object)) - 2));
		case OBJECT_TRIGGER:
			return trigger_name(strVal(llast(castNode(List, stmt->object))), strVal(linitial(castNode(List, stmt->object))));
		case OBJECT_TYPE:
			return strVal(llast(castNode(TypeName, stmt->object)->names));
		case OBJECT_FUNCTION:
			return signature(castNode(ObjectWithArgs, stmt->object)->objname,
							 castNode(ObjectWithArgs, stmt->object)->objargs);
		default:
			elog(ERROR, "comment on object type %d in %s", (int) stmt->objtype, KIT_FILE);
	}
}

static void
identify(KitItem *item)
{
	Node	   *stmt = item->stmt;

	switch (nodeTag(stmt))
	{
		case T_CreateEnumStmt:
			item->kind = KIT_TYPE;
			item->name = strVal(llast(((CreateEnumStmt *) stmt)->typeName));
			break;
		case T_CompositeTypeStmt:
			item->kind = KIT_TYPE;
			item->name = ((CompositeTypeStmt *) stmt)->typevar->relname;
			break;
		case T_CreateStmt:
			item->kind = KIT_TABLE;
			item->name = ((CreateStmt *) stmt)->relation->relname;
			break;
		case T_ViewStmt:
			item->kind = KIT_VIEW;
			item->name = ((ViewStmt *) stmt)->view->relname;
			break;
		case T_IndexStmt:
			item->kind = KIT_INDEX;
			item->name = ((IndexStmt *) stmt)->idxname;
			break;
		case T_CreateFunctionStmt:
			item->kind = KIT_FUNCTION;
			item->name = signature(((CreateFunctionStmt *) stmt)->funcname,
								   input_types(((CreateFunctionStmt *) stmt)->parameters));
			break;
		case T_CreateTrigStmt:
			item->kind = KIT_TRIGGER;
			item->name = trigger_name(((CreateTrigStmt *) stmt)->trigname, ((CreateTrigStmt *) stmt)->relation->relname);
			break;
		case T_CommentStmt:
			item->kind = KIT_COMMENT;
			item->name = comment_target((CommentStmt *) stmt);
			break;
		default:
			elog(ERROR, "statement of kind %d in %s: %.60s", (int) nodeTag(stmt), KIT_FILE, item->sql);
	}
	if (item->name == NULL)
		elog(ERROR, "statement without a name in %s: %.60s", KIT_FILE, item->sql);
}

/* The items, in the order of the file. */
static List *
read_items(void)
{
	char	   *text = read_file();
	List	   *items = NIL;
	ListCell   *cell;

	foreach(cell, raw_parser(text, RAW_PARSE_DEFAULT))
	{
		RawStmt    *raw = lfirst_node(RawStmt, cell);
		KitItem    *item = palloc0(sizeof(KitItem));
		int			length = raw->stmt_len > 0 ? raw->stmt_len : (int) strlen(text + raw->stmt_location);

		item->stmt = raw->stmt;
		item->sql = pnstrdup(text + raw->stmt_location, length);
		identify(item);
		items = lappend(items, item);
	}
	return items;
}

/* --- the schema --- */

/* Would what belongs to this role do the caller harm?  A superuser trusts other superusers only. */
static bool
is_ours(Oid role)
{
	return superuser() ? superuser_arg(role) : has_privs_of_role(GetUserId(), role);
}

static void
refuse_schema(const char *schema, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("the CRM can't be installed into schema \"%s\"", schema),
			 errhint("%s", hint)));
}

static void
check_schema(Oid oid, const char *schema)
{
	HeapTuple	tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(oid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for schema %u", oid);
	owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);
	if (OidIsValid(getExtensionOfObject(NamespaceRelationId, oid)))
		refuse_schema(schema, "It belongs to an extension. Choose a schema of your own: CALL automation.install_crm('crm').");
	if (!is_ours(owner))
		refuse_schema(schema, psprintf("It belongs to role %s, which has to call this itself.",
									   quote_identifier(GetUserNameFromId(owner, false))));
	if (wf_compat_schema_aclcheck(oid, ACL_ID_PUBLIC, ACL_CREATE) == ACLCHECK_OK)
		refuse_schema(schema, psprintf("Everybody can create objects in it, and so put them in place of the kit's. "
									   "REVOKE CREATE ON SCHEMA %s FROM PUBLIC.", quote_identifier(schema)));
}

/* Who may create in the schema could put functions of his own in place of the system's; so could who has. */
static void
check_others(Oid oid, const char *schema)
{
	Oid			types[1] = {OIDOID};
	Datum		values[1] = {ObjectIdGetDatum(oid)};

	if (SPI_execute_with_args("SELECT a.grantee, true FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a "
							  "WHERE n.oid OPERATOR(pg_catalog.=) $1 AND a.privilege_type OPERATOR(pg_catalog.=) 'CREATE' "
							  "UNION ALL SELECT p.proowner, false FROM pg_catalog.pg_proc p WHERE p.pronamespace OPERATOR(pg_catalog.=) $1 "
							  "UNION ALL SELECT o.oprowner, false FROM pg_catalog.pg_operator o WHERE o.oprnamespace OPERATOR(pg_catalog.=) $1 "
							  "UNION ALL SELECT t.typowner, false FROM pg_catalog.pg_type t WHERE t.typnamespace OPERATOR(pg_catalog.=) $1 "
							  "UNION ALL SELECT c.relowner, false FROM pg_catalog.pg_class c WHERE c.relnamespace OPERATOR(pg_catalog.=) $1",
							  1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look at schema \"%s\"", schema);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Oid			role = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
		bool		granted = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull));
		const char *name;

		if (superuser_arg(role) || is_ours(role))
			continue;
		name = quote_identifier(GetUserNameFromId(role, false));
		refuse_schema(schema, granted ?
					  psprintf("Role %s can create objects in it, and so put them in place of the kit's. "
							   "REVOKE CREATE ON SCHEMA %s FROM %s.", name, quote_identifier(schema), name) :
					  psprintf("There are objects of role %s in it. Drop them, or choose another schema.", name));
	}
}

static Oid
schema_for(const char *schema)
{
	Oid			oid;

	if (schema[0] == '\0' || strlen(schema) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" can't be the name of a schema", schema),
				 errhint("A name has 1 to %d bytes.", NAMEDATALEN - 1)));
	if (IsReservedName(schema) || strcmp(schema, "information_schema") == 0)
		refuse_schema(schema, "It belongs to the system. Choose a schema of your own: CALL automation.install_crm('crm').");
	DirectFunctionCall2(pg_advisory_xact_lock_int4, Int32GetDatum(KIT_LOCK),
						UInt32GetDatum(hash_bytes((const unsigned char *) schema, strlen(schema))));
	AcceptInvalidationMessages();
	oid = get_namespace_oid(schema, true);
	if (!OidIsValid(oid))
	{
		SPI_execute(psprintf("CREATE SCHEMA %s", quote_identifier(schema)), false, 0);
		return get_namespace_oid(schema, false);
	}
	check_schema(oid, schema);
	check_others(oid, schema);
	return oid;
}

/* --- what is there --- */

static bool
relation_is_there(Oid schema, const char *name)
{
	return OidIsValid(get_relname_relid(name, schema)) ||
		OidIsValid(GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name), ObjectIdGetDatum(schema)));
}

/* InvalidOid if there is none. */
static Oid
function_oid(Oid schema, CreateFunctionStmt *stmt)
{
	List	   *types = input_types(stmt->parameters);
	Oid			oids[FUNC_MAX_ARGS];
	int			n = 0;
	ListCell   *cell;

	foreach(cell, types)
	{
		Oid			type = LookupTypeNameOid(NULL, lfirst_node(TypeName, cell), true);

		if (!OidIsValid(type))
			return InvalidOid;
		oids[n++] = type;
	}
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(strVal(llast(stmt->funcname))),
						   PointerGetDatum(buildoidvector(oids, n)), ObjectIdGetDatum(schema));
}

static bool
is_there(Oid schema, KitItem *item)
{
	Oid			table;

	switch (item->kind)
	{
		case KIT_FUNCTION:
			return OidIsValid(function_oid(schema, (CreateFunctionStmt *) item->stmt));
		case KIT_TRIGGER:
			table = get_relname_relid(((CreateTrigStmt *) item->stmt)->relation->relname, schema);
			return OidIsValid(table) && OidIsValid(get_trigger_oid(table, ((CreateTrigStmt *) item->stmt)->trigname, true));
		default:
			return relation_is_there(schema, item->name);
	}
}

static KitItem *
find_item(List *items, const char *kind, const char *name)
{
	ListCell   *cell;

	foreach(cell, items)
	{
		KitItem    *item = lfirst(cell);

		if (strcmp(item->name, name) == 0 && strcmp(kind_names[item->kind], kind) == 0)
			return item;
	}
	return NULL;
}

/* Is the table of notes there, and made by somebody who may be believed? */
static bool
notes_are_ours(Oid schema)
{
	Oid			table = get_relname_relid("kit_object", schema);
	HeapTuple	tuple;
	bool		ours;

	if (!OidIsValid(table))
		return false;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	if (!HeapTupleIsValid(tuple))
		return false;
	ours = ((Form_pg_class) GETSTRUCT(tuple))->relkind == RELKIND_RELATION && is_ours(((Form_pg_class) GETSTRUCT(tuple))->relowner);
	ReleaseSysCache(tuple);
	return ours && get_attnum(table, "kind") == 1 && get_attnum(table, "name") == 2 && get_attnum(table, "version") == 3;
}

/* By the latest snapshot: whoever held the lock before us may be unknown to our transaction's. */
static void
read_notes(Oid schema, List *items)
{
	const char *sql = psprintf("SELECT kind::pg_catalog.text, name::pg_catalog.text FROM %s.kit_object",
							   quote_identifier(get_namespace_name(schema)));
	SPIPlanPtr	plan = SPI_prepare(sql, 0, NULL);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	if (plan == NULL || SPI_execute_snapshot(plan, NULL, NULL, snapshot, InvalidSnapshot, true, false, 0) < 0)
		elog(ERROR, "could not run \"%s\"", sql);
	UnregisterSnapshot(snapshot);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *kind = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		char	   *name = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2);
		KitItem    *item = kind && name ? find_item(items, kind, name) : NULL;

		if (item)
			item->noted = true;
	}
}

/* ERROR if one of the names is somebody else's. */
static void
look_around(Oid schema, List *items)
{
	StringInfoData taken;
	ListCell   *cell;

	initStringInfo(&taken);
	if (notes_are_ours(schema))
		read_notes(schema, items);
	foreach(cell, items)
	{
		KitItem    *item = lfirst(cell);

		if (item->kind == KIT_COMMENT)
			continue;
		item->there = is_there(schema, item);
		if (item->there && !item->noted)
			appendStringInfo(&taken, "%s%s %s", taken.len > 0 ? ", " : "", kind_names[item->kind], item->name);
	}
	if (taken.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("names of the CRM are taken in schema \"%s\"", get_namespace_name(schema)),
				 errdetail("There are, not made by install_crm(): %s.", taken.data),
				 errhint("Rename them, or choose another schema. Nothing was changed.")));
}

/* --- making --- */

static void
making_context(void *arg)
{
	KitItem    *item = arg;

	errcontext("making %s %s of the CRM", kind_names[item->kind], item->name);
}

static void
make(KitItem *item)
{
	ErrorContextCallback context;
	int			result;

	context.previous = error_context_stack;
	context.callback = making_context;
	context.arg = item;
	error_context_stack = &context;
	result = SPI_execute(item->sql, false, 0);
	if (result < 0)
		elog(ERROR, "could not run it: %s", SPI_result_code_string(result));
	item->made = true;
	error_context_stack = context.previous;
}

/* A comment belongs to what was made now: what is there keeps the one it has. */
static bool
target_was_made(List *items, KitItem *comment)
{
	ListCell   *cell;

	foreach(cell, items)
	{
		KitItem    *item = lfirst(cell);

		if (item->kind != KIT_COMMENT && strcmp(item->name, comment->name) == 0)
			return item->made;
	}
	elog(ERROR, "comment on %s, which %s does not make", comment->name, KIT_FILE);
}

static void
make_missing(List *items)
{
	ListCell   *cell;

	foreach(cell, items)
	{
		KitItem    *item = lfirst(cell);

		if (item->kind == KIT_COMMENT ? target_was_made(items, item) : !item->there)
			make(item);
		CHECK_FOR_INTERRUPTS();
	}
}

/* In the caller's nest level of settings. */
static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Functions made now that have a parsed body. */
static List *
parsed_functions(Oid schema, List *items)
{
	List	   *functions = NIL;
	ListCell   *cell;

	foreach(cell, items)
	{
		KitItem    *item = lfirst(cell);
		Oid			function;
		HeapTuple	tuple;

		if (!item->made || item->kind != KIT_FUNCTION)
			continue;
		function = function_oid(schema, (CreateFunctionStmt *) item->stmt);
		tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for function %u", function);
		if (!heap_attisnull(tuple, Anum_pg_proc_prosqlbody, NULL))
			functions = lappend_oid(functions, function);
		ReleaseSysCache(tuple);
	}
	return functions;
}

/* With an empty search_path, or names would be left short. */
static void
bodies_to_text(Oid schema, List *items, const char *path)
{
	List	   *functions = parsed_functions(schema, items);
	ListCell   *cell;

	set_local("search_path", "");
	foreach(cell, functions)
	{
		wf_kit_body_to_text(lfirst_oid(cell), path);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Notes what this call has made. */
static void
note(Oid schema, List *items)
{
	const char *sql = psprintf("INSERT INTO %s.kit_object (kind, name, version) "
							   "SELECT $1, $2, e.extversion FROM pg_catalog.pg_extension e WHERE e.extname OPERATOR(pg_catalog.=) 'automation' "
							   "ON CONFLICT (kind, name) DO UPDATE SET version = excluded.version",
							   quote_identifier(get_namespace_name(schema)));
	Oid			types[2] = {TEXTOID, TEXTOID};
	SPIPlanPtr	plan = SPI_prepare(sql, 2, types);
	ListCell   *cell;

	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", sql, SPI_result_code_string(SPI_result));
	foreach(cell, items)
	{
		KitItem    *item = lfirst(cell);
		Datum		values[2];

		if (!item->made || item->kind == KIT_COMMENT)
			continue;
		values[0] = CStringGetTextDatum(kind_names[item->kind]);
		values[1] = CStringGetTextDatum(item->name);
		SPI_execute_plan(plan, values, NULL, false, 0);
	}
}

/* --- the command --- */

static void
report(const char *schema, List *items)
{
	int			made[KIT_KINDS] = {0};
	int			there = 0;
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	foreach(cell, items)
	{
		KitItem    *item = lfirst(cell);

		if (item->kind == KIT_COMMENT)
			continue;
		made[item->kind] += item->made ? 1 : 0;
		there += item->there ? 1 : 0;
	}
	for (int kind = 0; kind < KIT_COMMENT; kind++)
		if (made[kind] > 0)
			appendStringInfo(&text, "%s%d %s", text.len > 0 ? ", " : "", made[kind],
							 made[kind] == 1 ? kind_names[kind] : kind_plurals[kind]);
	ereport(NOTICE,
			(errmsg("CRM in schema \"%s\": made %s; %d objects were there already",
					schema, text.len > 0 ? text.data : "nothing", there)));
	if (superuser())
		ereport(WARNING,
				(errmsg("the CRM in schema \"%s\" belongs to a superuser", schema),
				 errhint("A superuser can't own workflows. Let a role without superuser install the CRM, and own the workflows on it.")));
}

Datum
wf_install_crm(PG_FUNCTION_ARGS)
{
	char	   *schema;
	char	   *path;
	List	   *items;
	Oid			oid;
	int			level;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the CRM needs a schema"),
				 errhint("CALL automation.install_crm('crm').")));
	schema = text_to_cstring(PG_GETARG_TEXT_PP(0));
	SPI_connect();
	level = NewGUCNestLevel();
	/* what decides what the text means */
	set_local("standard_conforming_strings", "on");
	set_local("check_function_bodies", "on");
	set_local("transform_null_equals", "off");
	items = read_items();
	oid = schema_for(schema);
	path = psprintf("%s, pg_temp", quote_identifier(schema));
	set_local("search_path", path);
	look_around(oid, items);
	make_missing(items);
	bodies_to_text(oid, items, path);
	note(oid, items);
	report(schema, items);
	AtEOXact_GUC(false, level);
	SPI_finish();
	PG_RETURN_VOID();
}
