/*
 * signature.c -- what pg_proc says about a workflow function.
 *
 * Called by the validator and the call handler (handler.c), by registration
 * and by the executor's programs.  A Signature is built in the current memory
 * context and is a copy: whoever keeps it listens for invalidations (call_site.c,
 * program.c).  Loading checks nothing and evaluates nothing of the user's; the
 * attributes are judged by wf_signature_check(), and only
 * wf_signature_default() runs user code, as the current user.
 * Locks: AccessShareLock on the tables of row arguments while they are looked
 * at.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/proclang.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "nodes/nodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "commands.h"
#include "compat.h"
#include "signature.h"
#include "stored.h"

/* OID of LANGUAGE workflow, InvalidOid if the extension is absent. */
Oid
wf_language_oid(void)
{
	return get_language_oid("workflow", true);
}

/* Relation whose row type this is; InvalidOid for values and free-standing composite types. */
static Oid
row_relation(Oid type)
{
	Oid			relation = get_typtype(type) == TYPTYPE_COMPOSITE ? get_typ_typrelid(type) : InvalidOid;

	if (OidIsValid(relation) && get_rel_relkind(relation) == RELKIND_COMPOSITE_TYPE)
		return InvalidOid;
	return relation;
}

static void
fill_argument(Argument *arg, Oid type, const char *name)
{
	Relation	rel;

	arg->name = pstrdup(name ? name : "");
	arg->type = type;
	arg->relation = row_relation(type);
	arg->is_row = OidIsValid(arg->relation);
	if (!arg->is_row)
		return;
	rel = try_relation_open(arg->relation, AccessShareLock);
	if (rel == NULL)
		return;
	if (rel->rd_rel->relkind == RELKIND_RELATION || rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		wf_key_columns(rel, &arg->key);
	relation_close(rel, AccessShareLock);
}

/* Arguments of the call: everything but OUT and TABLE columns. */
static void
fill_arguments(Signature *sig, HeapTuple tuple)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	Oid		   *types;
	char	  **names;
	char	   *modes;
	int			total = get_func_arg_info(tuple, &types, &names, &modes);
	int			i;

	sig->args = palloc0(sizeof(Argument) * Max(total, 1));
	for (i = 0; i < total; i++)
	{
		if (modes && (modes[i] == PROARGMODE_OUT || modes[i] == PROARGMODE_TABLE))
			continue;
		fill_argument(&sig->args[sig->nargs++], types[i], names ? names[i] : NULL);
	}
	for (i = Max(sig->nargs - form->pronargdefaults, 0); i < sig->nargs; i++)
		sig->args[i].has_default = true;
}

static Signature *
signature_of(HeapTuple tuple)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	Signature  *sig = palloc0(sizeof(Signature));
	bool		isnull;
	Datum		value;

	sig->function = form->oid;
	sig->owner = form->proowner;
	sig->nspace = form->pronamespace;
	sig->name = pstrdup(NameStr(form->proname));
	sig->text = wf_routine_signature(form->oid);
	value = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	sig->source = isnull ? pstrdup("") : TextDatumGetCString(value);
	value = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proconfig, &isnull);
	if (!isnull)
		sig->config = DatumGetArrayTypePCopy(value);
	fill_arguments(sig, tuple);
	return sig;
}

/* Loads a signature; NULL if the function is gone or not a workflow. */
Signature *
wf_signature_load(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Signature  *sig = NULL;
	Oid			language;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	language = wf_language_oid();
	if (OidIsValid(language) && ((Form_pg_proc) GETSTRUCT(tuple))->prolang == language)
		sig = signature_of(tuple);
	ReleaseSysCache(tuple);
	return sig;
}

/* See signature.h: for who asks about many functions, whose tables others may
 * have locked. */
bool
wf_signature_has_row(Oid function, List *relations)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		has = false;

	if (!HeapTupleIsValid(tuple))
		return false;
	for (int i = 0; i < ((Form_pg_proc) GETSTRUCT(tuple))->pronargs; i++)
		has = has || list_member_oid(relations, row_relation(((Form_pg_proc) GETSTRUCT(tuple))->proargtypes.values[i]));
	ReleaseSysCache(tuple);
	return has;
}

/* Raises the error of an attribute that a workflow can't have. */
static void
refuse(const char *message, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
			 errmsg_internal("%s", message),
			 detail ? errdetail_internal("%s", detail) : 0));
}

static void
check_attributes(const Signature *sig, HeapTuple tuple)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	bool		no_modes;

	if (form->prokind == PROKIND_PROCEDURE)
		refuse("a workflow is a function, not a procedure", NULL);
	if (form->prokind != PROKIND_FUNCTION)
		refuse("a workflow can't be a window or aggregate function", NULL);
	(void) SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proargmodes, &no_modes);
	if (!no_modes || OidIsValid(form->provariadic))
		refuse("a workflow takes IN arguments only", "OUT, INOUT, VARIADIC and TABLE are not possible.");
	if (form->proretset)
		refuse("a workflow can't return a set", "It returns bigint, the id of the enrollment.");
	if (form->prorettype != INT8OID)
		refuse("a workflow returns bigint", "It is the id of the enrollment.");
	if (form->provolatile != PROVOLATILE_VOLATILE)
		refuse("a workflow must be volatile", "Calling it enrolls.");
	if (form->prosecdef)
		refuse("a workflow can't be SECURITY DEFINER", "Its statements run as its owner in any case.");
	if (form->proleakproof)
		refuse("a workflow can't be LEAKPROOF", NULL);
	if (form->proparallel != PROPARALLEL_UNSAFE)
		refuse("a workflow must be PARALLEL UNSAFE", NULL);
	if (form->proisstrict)
		refuse("a workflow can't be STRICT", "A NULL subject is not enrolled in any case.");
	if (isTempNamespace(sig->nspace))
		refuse("a workflow can't be temporary", "It goes on when this session has ended.");
	if (sig->nargs == 0)
		refuse("a workflow needs an argument", "The first argument is the record that goes through it.");
}

/* Name of an argument: present, not a word of the language, used once. */
static void
check_name(const Signature *sig, int arg)
{
	const char *name = sig->args[arg].name;
	int			i;

	if (name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("name the argument"),
				 errdetail("Argument %d of type %s has no name.", arg + 1, format_type_be(sig->args[arg].type))));
	if (strcmp(name, "old") == 0 || strcmp(name, "new") == 0 || strcmp(name, "found") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("an argument can't be named \"%s\"", name),
				 errdetail("The word has a meaning of its own in a workflow.")));
	for (i = 0; i < arg; i++)
		if (strcmp(name, sig->args[i].name) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
					 errmsg("argument name \"%s\" used more than once", name)));
}

/* Row arguments are kept by primary key, so the relation must be a lasting table that has one. */
static void
check_row(const Argument *arg)
{
	char	   *table = get_rel_name(arg->relation);
	char		relkind = get_rel_relkind(arg->relation);

	if (table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the table of argument \"%s\" does not exist any more", arg->name)));
	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", table),
				 errdetail("A row argument is a row of a table, kept by its primary key.")));
	if (get_rel_persistence(arg->relation) == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table %s is temporary", table),
				 errdetail("A workflow goes on when this session has ended.")));
	if (arg->relation < FirstNormalObjectId)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table %s is a system catalog", table)));
	if (arg->key.natts == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("table %s has no primary key", table),
				 errdetail("A row argument is kept by its primary key.")));
}

/* ERROR unless everything CREATE FUNCTION said is possible for a workflow. */
void
wf_signature_check(const Signature *sig)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(sig->function));
	int			i;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("workflow %s does not exist any more", sig->text)));
	check_attributes(sig, tuple);
	ReleaseSysCache(tuple);
	for (i = 0; i < sig->nargs; i++)
	{
		check_name(sig, i);
		if (get_typtype(sig->args[i].type) == TYPTYPE_PSEUDO)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
					 errmsg("argument \"%s\" can't be of pseudo-type %s",
							sig->args[i].name, format_type_be(sig->args[i].type))));
		if (sig->args[i].is_row)
			check_row(&sig->args[i]);
	}
}

/* Default expression of an argument as pg_proc keeps it, NULL if there is none. */
static Node *
default_expression(const Signature *sig, int arg)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(sig->function));
	List	   *defaults;
	Datum		value;
	bool		isnull;
	int			which;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	value = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proargdefaults, &isnull);
	defaults = isnull ? NIL : castNode(List, stringToNode(TextDatumGetCString(value)));
	ReleaseSysCache(tuple);
	which = arg - (sig->nargs - list_length(defaults));
	return which < 0 ? NULL : list_nth(defaults, which);
}

/* Text of a default's value: of a row, its key. */
static char *
default_text(const Argument *arg, Datum value)
{
	HeapTupleHeader row;
	HeapTupleData tuple;
	TupleDesc	desc;
	char	   *key;

	if (!arg->is_row)
		return wf_stored_out(value, arg->type);
	row = DatumGetHeapTupleHeader(value);
	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row), HeapTupleHeaderGetTypMod(row));
	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = row;
	key = wf_key_of_tuple(&arg->key, &tuple, desc);
	ReleaseTupleDesc(desc);
	return key;
}

/*
 * Evaluates the default of an argument now, as the current user; an active
 * snapshot is the caller's business.  Row arguments give the row's key.
 */
char *
wf_signature_default(const Signature *sig, int arg, bool *isnull)
{
	MemoryContext caller = CurrentMemoryContext;
	Node	   *expr = default_expression(sig, arg);
	EState	   *estate;
	ExprState  *state;
	Datum		value;
	char	   *text = NULL;

	*isnull = true;
	if (expr == NULL)
		return NULL;
	estate = CreateExecutorState();
	state = ExecPrepareExpr((Expr *) expr, estate);
	value = ExecEvalExprSwitchContext(state, GetPerTupleExprContext(estate), isnull);
	MemoryContextSwitchTo(caller);
	if (!*isnull)
		text = default_text(&sig->args[arg], value);
	*isnull = (text == NULL);
	FreeExecutorState(estate);
	return text;
}
