/*
 * analyze.c -- SQL fragments of a body, parsed and analysed.
 *
 * Called at definition (check.c) and by the executor (expr.c), always as the
 * workflow's owner with the workflow's path: types and functions are looked
 * up, literals converted.  Every error has its position in the body (see
 * analyze_source.c).  Results are in the current memory context; locks on the
 * tables named are kept to the end of the transaction, as by any parse
 * analysis.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "parser/analyze.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_type.h"
#include "parser/parser.h"
#include "parser/scansup.h"
#include "rewrite/rewriteManip.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"

#include "analyze_internal.h"
#include "compat.h"
#include "parser.h"

/* A fragment being analysed; lives on the stack of one call. */
typedef struct Analysis
{
	const Scope *scope;
	const char *construct;				/* for messages */
	char	   *text;
	ParseState *pstate;
	FragmentContext context;
} Analysis;

/* Makes an expression what its construct takes, or raises an error. */
typedef Node *(*Coercion) (Analysis *a, Node *expr, void *arg);

static const Fragment absent = {0, 0};

static void
begin_analysis(Analysis *a, const Scope *scope, Fragment f, Fragment blank_out, const char *construct)
{
	a->scope = scope;
	a->construct = construct ? construct : (scope->construct ? scope->construct : "expression");
	a->text = wf_fragment_text(scope->body, f, blank_out);
	a->pstate = make_parsestate(NULL);
	a->pstate->p_sourcetext = a->text;
	wf_names_setup(a->pstate, scope);
	wf_fragment_context_enter(&a->context, a->text, scope->body, f.start);
}

static void
end_analysis(Analysis *a)
{
	wf_fragment_context_leave(&a->context);
	free_parsestate(a->pstate);
}

/* ereport auxiliary: a byte offset in the fragment; -1 = its start. */
static int
place(Analysis *a, int location)
{
	return parser_errposition(a->pstate, Max(location, 0));
}

static int
place_of(Analysis *a, const Node *node)
{
	return place(a, node ? exprLocation(node) : -1);
}

/* --- statements --- */

/* The one statement of the fragment, which must end where the fragment does. */
static RawStmt *
parse_one(Analysis *a, RawParseMode mode)
{
	List	   *statements = raw_parser(a->text, mode);
	RawStmt    *raw;

	if (statements == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("%s expected", mode == RAW_PARSE_DEFAULT ? "statement" : "expression"),
				 place(a, -1)));
	raw = linitial_node(RawStmt, statements);
	if (list_length(statements) > 1 || raw->stmt_len != 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("syntax error at or near \"%s\"", ";"),
				 place(a, raw->stmt_location + raw->stmt_len)));
	return raw;
}

static void
refuse_utility(Analysis *a, Node *statement)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s is not allowed in a workflow", GetCommandTagName(CreateCommandTag(statement))),
			 errhint("A workflow's statements are SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES and WITH."),
			 place(a, -1)));
}

static void
check_statement_kind(Analysis *a, Node *statement, FragmentKind kind)
{
	switch (nodeTag(statement))
	{
		case T_SelectStmt:
			return;
		case T_InsertStmt:
		case T_UpdateStmt:
		case T_DeleteStmt:
		case T_MergeStmt:
			if (kind == FRAGMENT_STATEMENT)
				return;
			ereport(ERROR,
					(errcode(ERRCODE_SYNTAX_ERROR),
					 errmsg("%s takes a query, not %s", a->construct,
							GetCommandTagName(CreateCommandTag(statement))),
					 errhint("A query is SELECT, VALUES or WITH."),
					 place(a, -1)));
			return;
		default:
			refuse_utility(a, statement);
	}
}

/* What only the analysed statement shows. */
static void
check_query(Analysis *a, Query *query, FragmentKind kind)
{
	ListCell   *lc;

	if (query->commandType == CMD_UTILITY)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("SELECT INTO can't make a table in a workflow"),
				 errhint("INTO names declared variables, outside parentheses."),
				 place(a, -1)));
	if (kind == FRAGMENT_STATEMENT || !query->hasModifyingCTE)
		return;
	foreach(lc, query->cteList)
	{
		CommonTableExpr *cte = lfirst_node(CommonTableExpr, lc);

		if (castNode(Query, cte->ctequery)->commandType != CMD_SELECT)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("%s takes a query that changes nothing", a->construct),
					 place(a, cte->location)));
	}
}

/* The text of a bare alias behind an expression, or the fragment's start. */
static int
alias_location(Analysis *a, const char *alias)
{
	int			length = strlen(alias);
	int			start = (int) strlen(a->text) - length;

	if (start > 0 && pg_strncasecmp(a->text + start, alias, length) == 0)
		return start;
	return 0;
}

static void
refuse_clause(Analysis *a, const char *clause, int location)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("%s takes an expression, which has no %s", a->construct, clause),
			 errhint("Write a sub-select in parentheses."),
			 place(a, location)));
}

/* An expression is one value: what else may follow SELECT is a mistake here. */
static void
check_expression(Analysis *a, SelectStmt *select)
{
	ResTarget  *target;

	if (select->distinctClause != NIL)
		refuse_clause(a, "DISTINCT", -1);
	if (list_length(select->targetList) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("%s takes one expression", a->construct),
				 list_length(select->targetList) == 0 ? place(a, -1) :
				 place(a, lsecond_node(ResTarget, select->targetList)->location)));
	target = linitial_node(ResTarget, select->targetList);
	if (select->fromClause != NIL)
		refuse_clause(a, "FROM", exprLocation(linitial(select->fromClause)));
	if (select->whereClause)
		refuse_clause(a, "WHERE", exprLocation(select->whereClause));
	if (select->groupClause != NIL || select->havingClause || select->windowClause != NIL)
		refuse_clause(a, "GROUP BY, HAVING or WINDOW", -1);
	if (select->sortClause != NIL || select->limitCount || select->limitOffset || select->lockingClause != NIL)
		refuse_clause(a, "ORDER BY, LIMIT or FOR", -1);
	if (target->name)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("syntax error at or near \"%s\"", target->name),
				 place(a, alias_location(a, target->name))));
}

static Query *
transform(Analysis *a, FragmentKind kind, bool resolve_unknowns)
{
	bool		bare = (kind == FRAGMENT_EXPRESSION || kind == FRAGMENT_SELECT_LIST);
	RawStmt    *raw = parse_one(a, bare ? RAW_PARSE_PLPGSQL_EXPR : RAW_PARSE_DEFAULT);
	Query	   *query;

	check_statement_kind(a, raw->stmt, kind);
	if (kind == FRAGMENT_EXPRESSION)
		check_expression(a, castNode(SelectStmt, raw->stmt));
	a->pstate->p_resolve_unknowns = resolve_unknowns;
	query = transformTopLevelStmt(a->pstate, raw);
	check_query(a, query, kind);
	return query;
}

/* Analyses a fragment; ERROR with its place in the body. */
Query *
wf_analyze(const Scope *scope, Fragment f, FragmentKind kind, Fragment blank_out)
{
	Analysis	a;
	Query	   *query;

	begin_analysis(&a, scope, f, blank_out,
				   kind == FRAGMENT_QUERY ? "FOR" : kind == FRAGMENT_SELECT_LIST ? "SEND" : NULL);
	query = transform(&a, kind, true);
	wf_clock_rewrite(query);
	end_analysis(&a);
	return query;
}

/* --- expressions --- */

/* One value for one evaluation: no aggregates, window functions or sets. */
static void
check_single_value(Analysis *a, Query *query, Node *expr)
{
	if (query->hasAggs)
		ereport(ERROR,
				(errcode(ERRCODE_GROUPING_ERROR),
				 errmsg("aggregate functions are not allowed in %s", a->construct),
				 errhint("Write a sub-select in parentheses."),
				 place(a, locate_agg_of_level(expr, 0))));
	if (query->hasWindowFuncs)
		ereport(ERROR,
				(errcode(ERRCODE_WINDOWING_ERROR),
				 errmsg("window functions are not allowed in %s", a->construct),
				 place(a, locate_windowfunc(expr))));
	if (query->hasTargetSRFs)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-returning functions are not allowed in %s", a->construct),
				 place_of(a, expr)));
}

static Query *
analyze_expression(const Scope *scope, Fragment f, const char *construct, Coercion coerce, void *arg)
{
	Analysis	a;
	Query	   *query;
	TargetEntry *tle;

	begin_analysis(&a, scope, f, absent, construct);
	query = transform(&a, FRAGMENT_EXPRESSION, false);
	if (list_length(query->targetList) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("%s takes one expression", a.construct),
				 place(&a, -1)));
	tle = linitial_node(TargetEntry, query->targetList);
	check_single_value(&a, query, (Node *) tle->expr);
	tle->expr = (Expr *) coerce(&a, (Node *) tle->expr, arg);
	assign_expr_collations(a.pstate, (Node *) tle->expr);
	wf_clock_rewrite(query);
	end_analysis(&a);
	return query;
}

/* Implicit conversion to a type; NULL if there is none. */
static Node *
coerce_implicitly(Analysis *a, Node *expr, Oid target)
{
	return coerce_to_target_type(a->pstate, expr, exprType(expr), target, -1,
								 COERCION_IMPLICIT, COERCE_IMPLICIT_CAST, -1);
}

static Node *
coerce_condition(Analysis *a, Node *expr, void *arg)
{
	Node	   *result = coerce_implicitly(a, expr, BOOLOID);

	if (result == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s needs a condition, got %s", a->construct, format_type_be(exprType(expr))),
				 place_of(a, expr)));
	return result;
}

/* Expression fragment that is true, false or unknown. */
Query *
wf_analyze_condition(const Scope *scope, Fragment f, const char *construct)
{
	return analyze_expression(scope, f, construct, coerce_condition, NULL);
}

/* Kind of a type in UNTIL and AT; the type that goes with it in *target. */
static bool
until_kind(Oid type, UntilKind *kind, Oid *target)
{
	*target = getBaseType(type);
	switch (*target)
	{
		case BOOLOID:
			*kind = UNTIL_CONDITION;
			return true;
		case TIMESTAMPOID:
			*kind = UNTIL_TIMESTAMP;
			return true;
		case DATEOID:
			*kind = UNTIL_DATE;
			return true;
		case UNKNOWNOID:
			*target = TIMESTAMPTZOID;
			/* FALLTHROUGH */
		case TIMESTAMPTZOID:
			*kind = UNTIL_TIMESTAMPTZ;
			return true;
		default:
			return false;
	}
}

static Node *
coerce_until(Analysis *a, Node *expr, void *arg)
{
	UntilKind  *kind = arg;
	Oid			type = exprType(expr);
	Oid			target;

	if (!until_kind(type, kind, &target))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s needs a moment or a condition, got %s", a->construct, format_type_be(type)),
				 type == INTERVALOID ? errhint("WAIT FOR takes an interval.") : 0,
				 place_of(a, expr)));
	return coerce_implicitly(a, expr, target);
}

/* Expression fragment that is a moment or a condition; a bare string is a timestamptz. */
Query *
wf_analyze_until(const Scope *scope, Fragment f, const char *construct, UntilKind *kind)
{
	return analyze_expression(scope, f, construct, coerce_until, kind);
}

static Node *
coerce_interval(Analysis *a, Node *expr, void *arg)
{
	Node	   *result = coerce_implicitly(a, expr, INTERVALOID);

	if (result == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s needs an interval, got %s", a->construct, format_type_be(exprType(expr))),
				 place_of(a, expr)));
	return result;
}

Query *
wf_analyze_interval(const Scope *scope, Fragment f, const char *construct)
{
	return analyze_expression(scope, f, construct, coerce_interval, NULL);
}

typedef struct Target
{
	Oid			type;
	int32		typmod;
} Target;

/* Pseudo-types are no values that could be kept or compared. */
static Node *
coerce_value(Analysis *a, Node *expr, void *arg)
{
	const Target *target = arg;
	Oid			type = exprType(expr);
	Oid			wanted = OidIsValid(target->type) ? target->type : (type == UNKNOWNOID ? TEXTOID : type);
	Node	   *result = NULL;

	if (get_typtype(type) != TYPTYPE_PSEUDO || type == UNKNOWNOID || type == RECORDOID)
		result = coerce_to_target_type(a->pstate, expr, type, wanted, target->typmod,
									   COERCION_PLPGSQL, COERCE_IMPLICIT_CAST, -1);
	if (result == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s needs %s, got %s", a->construct,
						OidIsValid(target->type) ? format_type_be(target->type) : "a value",
						format_type_be(type)),
				 place_of(a, expr)));
	return result;
}

/* Expression fragment of any type, converted as plpgsql assigns it. */
Query *
wf_analyze_value(const Scope *scope, Fragment f, const char *construct, Oid target, int32 typmod)
{
	Target		wanted = {target, OidIsValid(target) ? typmod : -1};

	return analyze_expression(scope, f, construct, coerce_value, &wanted);
}

/* --- declarations --- */

/* Does the word (lower case) end the fragment behind a "%"?  Blanks both. */
static bool
take_percent(Analysis *a, const char *word)
{
	int			start = (int) strlen(a->text) - (int) strlen(word);
	int			percent = start - 1;

	if (start <= 0 || pg_strncasecmp(a->text + start, word, strlen(word)) != 0)
		return false;
	while (percent > 0 && scanner_isspace(a->text[percent]))
		percent--;
	if (a->text[percent] != '%')
		return false;
	memset(a->text + start, ' ', strlen(word));
	a->text[percent] = ' ';
	return true;
}

static void
set_type(Variable *var, Oid type, int32 typmod)
{
	var->type = type;
	var->typmod = typmod;
	var->collation = get_typcollation(type);
}

/* "name%TYPE": an argument's or an earlier variable's. */
static void
copy_type(Analysis *a, const TypeName *name, Variable *var)
{
	const Signature *sig = a->scope->sig;
	const char *source = strVal(linitial(name->names));
	int			i;

	for (i = 0; i < sig->nargs; i++)
		if (strcmp(sig->args[i].name, source) == 0)
		{
			set_type(var, sig->args[i].type, -1);
			return;
		}
	for (i = 0; i < a->scope->nvars; i++)
		if (strcmp(a->scope->vars[i].name, source) == 0)
		{
			set_type(var, a->scope->vars[i].type, a->scope->vars[i].typmod);
			return;
		}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("\"%s\" is neither an argument nor a variable declared before", source),
			 errhint("A column is written with its table: table.column%%TYPE."),
			 place(a, name->location)));
}

/* Relation that stands before ".column%TYPE": a row argument's or a table. */
static Oid
typed_relation(Analysis *a, List *names)
{
	const Signature *sig = a->scope->sig;
	int			i;

	for (i = 0; list_length(names) == 1 && i < sig->nargs; i++)
		if (sig->args[i].is_row && strcmp(sig->args[i].name, strVal(linitial(names))) == 0)
			return sig->args[i].relation;
	return RangeVarGetRelid(makeRangeVarFromNameList(names), AccessShareLock, true);
}

/* "table.column%TYPE". */
static void
column_type(Analysis *a, const TypeName *name, Variable *var)
{
	List	   *table = list_delete_last(list_copy(name->names));
	char	   *column = strVal(llast(name->names));
	Oid			relation = typed_relation(a, table);
	AttrNumber	attnum;

	if (!OidIsValid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s\" does not exist", NameListToString(table)),
				 place(a, name->location)));
	attnum = get_attnum(relation, column);
	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", column, NameListToString(table)),
				 place(a, name->location)));
	get_atttypetypmodcoll(relation, attnum, &var->type, &var->typmod, &var->collation);
}

/* Type of a declaration into var; %TYPE and %ROWTYPE as in plpgsql. */
static void
resolve_type(Analysis *a, Variable *var)
{
	bool		copied = take_percent(a, "type");
	TypeName   *name;

	if (!copied)
		(void) take_percent(a, "rowtype");	/* a table's name is its row type's */
	name = linitial_node(TypeName, raw_parser(a->text, RAW_PARSE_TYPE_NAME));
	if (name->setof)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("a variable can't be a set"),
				 place(a, name->location)));
	if (copied && list_length(name->names) == 1)
		copy_type(a, name, var);
	else if (copied)
		column_type(a, name, var);
	else
	{
		typenameTypeIdAndMod(a->pstate, name, &var->type, &var->typmod);
		var->collation = get_typcollation(var->type);
	}
	if (get_typtype(var->type) == TYPTYPE_PSEUDO)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("variable \"%s\" can't be of pseudo-type %s", var->name, format_type_be(var->type)),
				 place(a, name->location)));
}

/* A variable's name clashes with no argument and no word; of other variables the
 * parser has seen to that. */
static void
check_variable_name(Analysis *a, const Signature *sig, const Variable *vars, int n)
{
	const char *name = vars[n].name;
	int			i;

	if (strcmp(name, "old") == 0 || strcmp(name, "new") == 0 || strcmp(name, "found") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_RESERVED_NAME),
				 errmsg("a variable can't be named \"%s\"", name),
				 errdetail("The word has a meaning of its own in a workflow."),
				 wf_errposition(a->scope->body, vars[n].location)));
	for (i = 0; i < sig->nargs; i++)
		if (strcmp(name, sig->args[i].name) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_OBJECT),
					 errmsg("\"%s\" is an argument already", name),
					 wf_errposition(a->scope->body, vars[n].location)));
}

/* Variables of DECLARE, in order; array in the current context. */
Variable *
wf_analyze_declarations(const Workflow *wf, const char *body, const Signature *sig, int *nvars)
{
	Variable   *vars = palloc0(sizeof(Variable) * Max(list_length(wf->declarations), 1));
	Scope		scope = {.body = body, .sig = sig, .vars = vars, .construct = "DECLARE"};
	ListCell   *lc;

	*nvars = 0;
	foreach(lc, wf->declarations)
	{
		const Declaration *declaration = lfirst(lc);
		Variable   *var = &vars[*nvars];
		Analysis	a;

		var->name = declaration->name.name;
		var->location = declaration->name.location;
		begin_analysis(&a, &scope, declaration->type, absent, NULL);
		check_variable_name(&a, sig, vars, *nvars);
		resolve_type(&a, var);
		end_analysis(&a);
		scope.nvars = ++(*nvars);
	}
	return vars;
}

/* --- tables --- */

/* Qualified name of the fragment. */
static RangeVar *
parse_table_name(Analysis *a)
{
	char	   *text = pstrdup(a->text);
	List	   *parts;
	List	   *names = NIL;
	ListCell   *lc;

	if (!SplitIdentifierString(text, '.', &parts) || parts == NIL || list_length(parts) > 3)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("name of a table expected"),
				 place(a, -1)));
	foreach(lc, parts)
		names = lappend(names, makeString(pstrdup(lfirst(lc))));
	return makeRangeVarFromNameList(names);
}

static void
check_table(Analysis *a, Oid relation, const RangeVar *name)
{
	char		relkind = get_rel_relkind(relation);

	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", name->relname),
				 place(a, -1)));
	if (relation < FirstNormalObjectId)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a system catalog", name->relname),
				 place(a, -1)));
	if (get_rel_persistence(relation) == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" is temporary", name->relname),
				 errdetail("A workflow goes on when this session has ended."),
				 place(a, -1)));
}

/* Table named by a fragment; its AccessShareLock is kept. */
Oid
wf_analyze_table(const char *body, Fragment f)
{
	Scope		scope = {.body = body, .construct = "ON"};
	Analysis	a;
	ParseCallbackState callback;
	RangeVar   *name;
	Oid			relation;

	begin_analysis(&a, &scope, f, absent, NULL);
	name = parse_table_name(&a);
	setup_parser_errposition_callback(&callback, a.pstate, 0);
	relation = RangeVarGetRelid(name, AccessShareLock, false);
	cancel_parser_errposition_callback(&callback);
	check_table(&a, relation, name);
	end_analysis(&a);
	return relation;
}
