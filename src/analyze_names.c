/*
 * analyze_names.c -- what a name in a fragment means: an argument, a
 * variable, found, old or new.
 *
 * PostgreSQL's own resolution comes first; a name that is both a column and
 * ours is the error plpgsql raises.  The hook is called by parse analysis for
 * every column reference, as the workflow's owner; it makes parameters in the
 * current context and raises errors with a position in the fragment's text.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "access/relation.h"

#include "analyze_internal.h"
#include "compat.h"
#include "parser.h"

/* A column reference taken apart: name [ "." field ], or name ".*" */
typedef struct Reference
{
	const char *name;
	const char *field;					/* NULL: the name alone, or with a star */
	int			location;
} Reference;

static Node *
make_param(int paramid, Oid type, int32 typmod, Oid collation, int location)
{
	Param	   *param = makeNode(Param);

	param->paramkind = PARAM_EXTERN;
	param->paramid = paramid;
	param->paramtype = type;
	param->paramtypmod = typmod;
	param->paramcollid = collation;
	param->location = location;
	return (Node *) param;
}

/* Number of the argument of this name, -1 if there is none. */
static int
argument_number(const Scope *scope, const char *name)
{
	int			i;

	for (i = 0; scope->sig && i < scope->sig->nargs; i++)
		if (strcmp(scope->sig->args[i].name, name) == 0)
			return i;
	return -1;
}

static int
variable_number(const Scope *scope, const char *name)
{
	int			i;

	for (i = 0; i < scope->nvars; i++)
		if (strcmp(scope->vars[i].name, name) == 0)
			return i;
	return -1;
}

/* "old" or "new" where the change can have such a row. */
static Node *
resolve_change(const Scope *scope, const Reference *ref)
{
	bool		is_old = strcmp(ref->name, "old") == 0;

	if (!scope->see_change || (!is_old && strcmp(ref->name, "new") != 0))
		return NULL;
	if (is_old ? !scope->has_old : !scope->has_new)
		return NULL;
	return make_param(is_old ? PARAM_OLD : PARAM_NEW, get_rel_type_id(scope->change_relation),
					  -1, InvalidOid, ref->location);
}

/* Parameter a name stands for, NULL if it is none of ours. */
static Node *
resolve_name(const Scope *scope, const Reference *ref)
{
	int			i;

	if (!scope->see_args)
		return resolve_change(scope, ref);
	i = argument_number(scope, ref->name);
	if (i >= 0)
		return make_param(PARAM_ARG(i), scope->sig->args[i].type, -1,
						  get_typcollation(scope->sig->args[i].type), ref->location);
	i = variable_number(scope, ref->name);
	if (i >= 0)
		return make_param(PARAM_VAR(scope->sig, i), scope->vars[i].type, scope->vars[i].typmod,
						  scope->vars[i].collation, ref->location);
	if (strcmp(ref->name, "found") == 0)
		return make_param(PARAM_FOUND, BOOLOID, -1, InvalidOid, ref->location);
	return resolve_change(scope, ref);
}

/* Names of a relation's columns, of char *. */
static List *
column_names(Oid relation)
{
	Relation	rel = try_relation_open(relation, AccessShareLock);
	List	   *names = NIL;
	int			i;

	if (rel == NULL)
		return NIL;
	for (i = 0; i < RelationGetNumberOfAttributes(rel); i++)
		if (!TupleDescAttr(RelationGetDescr(rel), i)->attisdropped)
			names = lappend(names, pstrdup(NameStr(TupleDescAttr(RelationGetDescr(rel), i)->attname)));
	relation_close(rel, AccessShareLock);
	return names;
}

/* Raises the error of a column that a row argument, old or new hasn't got. */
static void
no_such_column(ParseState *pstate, Oid type, const Reference *ref)
{
	Oid			relation = typeOrDomainTypeRelid(type);
	const char *nearest = wf_nearest_name(ref->field, column_names(relation));

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column %s.%s does not exist", get_rel_name(relation), ref->field),
			 nearest ? errhint("Did you mean \"%s\"?", nearest) : 0,
			 parser_errposition(pstate, ref->location)));
}

/*
 * The value of name[.field] over its parameter.  A missing field is an error
 * if must_exist, else NULL is returned.
 */
static Node *
select_field(ParseState *pstate, Node *param, const Reference *ref, bool must_exist)
{
	Oid			type = ((Param *) param)->paramtype;
	Node	   *result;

	if (ref->field == NULL)
		return param;
	if (!OidIsValid(typeOrDomainTypeRelid(type)))
		return NULL;
	result = ParseFuncOrColumn(pstate, list_make1(makeString(pstrdup(ref->field))), list_make1(param),
							   pstate->p_last_srf, NULL, false, ref->location);
	if (result == NULL && must_exist)
		no_such_column(pstate, type, ref);
	return result;
}

/* Takes fields from the first-th on apart; false: no form of ours. */
static bool
take_apart(const ColumnRef *cref, int first, Reference *ref)
{
	int			n = list_length(cref->fields) - first;
	Node	   *last;

	if (n < 1 || n > 2 || !IsA(list_nth(cref->fields, first), String))
		return false;
	ref->name = strVal(list_nth(cref->fields, first));
	ref->field = NULL;
	ref->location = cref->location;
	last = list_nth(cref->fields, first + n - 1);
	if (n == 2 && IsA(last, String))
		ref->field = strVal(last);
	return true;
}

/* "welcome.c" and "welcome.c.email", as in plpgsql: the way out of a name clash. */
static bool
is_qualified(const Scope *scope, const ColumnRef *cref)
{
	Node	   *first = linitial(cref->fields);

	return scope->see_args && scope->sig && list_length(cref->fields) >= 2 &&
		IsA(first, String) && strcmp(strVal(first), scope->sig->name) == 0 &&
		argument_number(scope, strVal(first)) < 0 && variable_number(scope, strVal(first)) < 0;
}

static const char *
change_hint(const Scope *scope, const Reference *ref)
{
	const char *row = scope->has_new ? "new" : "old";
	const char *which = scope->has_new ? (scope->has_old ? "\"old\" and \"new\"" : "\"new\"") : "\"old\"";

	if (ref->field)
		return psprintf("The change is %s: write %s.%s.", which, row, quote_identifier(ref->field));
	return psprintf("The change is %s.", which);
}

/* Names of the other scope: they say what was meant. */
static void
refuse_other_scope(ParseState *pstate, const Scope *scope, const Reference *ref)
{
	const char *construct = scope->construct ? scope->construct : "this expression";
	bool		is_change = strcmp(ref->name, "old") == 0 || strcmp(ref->name, "new") == 0;

	if (is_change && scope->see_change)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("%s %s has no \"%s\"", construct, scope->has_old ? "DELETE" : "INSERT", ref->name),
				 parser_errposition(pstate, ref->location)));
	if (is_change)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("\"%s\" is not known in %s", ref->name, construct),
				 errhint("It is known in AFTER and WAIT FOR, which speak of a change."),
				 parser_errposition(pstate, ref->location)));
	if (!scope->see_args && scope->see_change &&
		(argument_number(scope, ref->name) >= 0 || variable_number(scope, ref->name) >= 0))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("\"%s\" is not known in %s", ref->name, construct),
				 errhint("%s", change_hint(scope, ref)),
				 parser_errposition(pstate, ref->location)));
}

/* Who has a column of this name: "new", an argument; NULL if nobody. */
static const char *
row_with_column(const Scope *scope, const char *column)
{
	int			i;

	if (scope->see_change && get_attnum(scope->change_relation, column) > 0)
		return scope->has_new ? "new" : "old";
	for (i = 0; scope->see_args && scope->sig && i < scope->sig->nargs; i++)
		if (scope->sig->args[i].is_row && get_attnum(scope->sig->args[i].relation, column) > 0)
			return quote_identifier(scope->sig->args[i].name);
	return NULL;
}

/* A bare name that only a row of ours has: core's message, with the spelling. */
static void
refuse_bare_column(ParseState *pstate, const Scope *scope, const ColumnRef *cref, const Reference *ref)
{
	const char *row;

	if (list_length(cref->fields) != 1)
		return;
	row = row_with_column(scope, ref->name);
	if (row != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" does not exist", ref->name),
				 errhint("Write %s.%s.", row, quote_identifier(ref->name)),
				 parser_errposition(pstate, ref->location)));
}

/* p_post_columnref_hook; var is what core made of it, NULL: nothing. */
static Node *
post_columnref(ParseState *pstate, ColumnRef *cref, Node *var)
{
	const Scope *scope = pstate->p_ref_hook_state;
	Reference	ref;
	Node	   *result;

	if (!take_apart(cref, is_qualified(scope, cref) ? 1 : 0, &ref))
		return NULL;
	result = resolve_name(scope, &ref);
	if (result)
		result = select_field(pstate, result, &ref, var == NULL);
	else if (var == NULL)
	{
		refuse_other_scope(pstate, scope, &ref);
		refuse_bare_column(pstate, scope, cref, &ref);
	}
	if (result && var)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_COLUMN),
				 errmsg("column reference \"%s\" is ambiguous", NameListToString(cref->fields)),
				 errdetail("It could refer to either an argument or variable of the workflow or a table column."),
				 parser_errposition(pstate, cref->location)));
	return result;
}

/* p_paramref_hook: parameters have names here. */
static Node *
refuse_paramref(ParseState *pstate, ParamRef *pref)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_PARAMETER),
			 errmsg("there is no parameter $%d", pref->number),
			 errhint("Use the name of the argument."),
			 parser_errposition(pstate, pref->location)));
	return NULL;
}

void
wf_names_setup(ParseState *pstate, const Scope *scope)
{
	pstate->p_post_columnref_hook = post_columnref;
	pstate->p_paramref_hook = refuse_paramref;
	pstate->p_ref_hook_state = unconstify(Scope *, scope);
}

/* Is a query being analysed for a fragment of ours? */
bool
wf_names_present(const ParseState *pstate)
{
	return pstate->p_post_columnref_hook == post_columnref;
}

/* ParserSetupHook: scope must live as long as the plans made with it. */
void
wf_analyze_setup(ParseState *pstate, void *scope)
{
	wf_names_setup(pstate, (const Scope *) scope);
}
