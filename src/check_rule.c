/*
 * check_rule.c -- what capture must watch: the rule of an AFTER clause, split
 * into conditions the row trigger can decide from stored data and the rest,
 * which only the executor may evaluate; and the wake rules of row arguments.
 *
 * Called by check_clause.c and check_statement.c with analysed queries, as
 * the workflow's owner.
 *
 * The trigger runs in sessions of strangers and must neither run the owner's
 * code nor fail.  So a part of WHEN is its business only if it compares one
 * column of a built-in type (or an enum) with constants, by an operator of
 * that type's default btree class; constants go into the rule as text.  A
 * constant is folded only when no function of a user is in it: such a
 * function may be replaced while the rule stays.
 */
#include "postgres.h"
#include "compat.h"

#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/transam.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_type.h"
#include "analyze_internal.h"
#include "check_internal.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "settings.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* A column of the changed row, as an expression reads it. */
typedef struct ChangedColumn
{
	bool		on_old;
	char	   *name;
	Oid			type;
	Oid			collation;
} ChangedColumn;

/*
 * Conditions as JSON
 */

static void
append_condition(StringInfo conditions, const ChangedColumn *column, const char *op, List *values)
{
	ListCell   *lc;

	appendStringInfo(conditions, "%s{\"row\": \"%s\", \"column\": ", conditions->len ? ", " : "",
					 column->on_old ? "old" : "new");
	escape_json(conditions, column->name);
	appendStringInfo(conditions, ", \"op\": \"%s\", \"values\": [", op);
	foreach(lc, values)
	{
		if (foreach_current_index(lc) > 0)
			appendStringInfoString(conditions, ", ");
		if (lfirst(lc) == NULL)
			appendStringInfoString(conditions, "null");
		else
			escape_json(conditions, lfirst(lc));
	}
	appendStringInfoString(conditions, "]}");
}

/*
 * Types the trigger can read and compare without running anybody's code
 */

/* Types whose input looks into catalogs: it can fail when an object is gone. */
static bool
names_object(Oid type)
{
	switch (type)
	{
		case REGPROCOID:
		case REGPROCEDUREOID:
		case REGOPEROID:
		case REGOPERATOROID:
		case REGCLASSOID:
		case REGTYPEOID:
		case REGROLEOID:
		case REGNAMESPACEOID:
		case REGCONFIGOID:
		case REGDICTIONARYOID:
		case REGCOLLATIONOID:
			return true;
		default:
			return false;
	}
}

static bool
is_plain_type(Oid type)
{
	char		typtype = get_typtype(type);
	Oid			element;

	if (typtype == TYPTYPE_ENUM)
		return true;
	if (typtype != TYPTYPE_BASE || type >= FirstNormalObjectId || names_object(type))
		return false;
	element = get_element_type(type);
	return !OidIsValid(element) || is_plain_type(element);
}

static bool
has_btree_class(Oid type)
{
	return OidIsValid(lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf);
}

/*
 * Parts of an expression
 */

static bool
is_users_function(Oid function, void *context)
{
	return function >= FirstNormalObjectId;
}

static bool
runs_users_code(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, CoerceToDomain) || IsA(node, SubLink))
		return true;
	if (check_functions_in_node(node, is_users_function, context))
		return true;
	return expression_tree_walker(node, runs_users_code, context);
}

/* The constant an expression comes to; NULL if it is none. */
static Const *
as_constant(Node *node)
{
	if (runs_users_code(node, NULL))
		return NULL;
	node = eval_const_expressions(NULL, copyObject(node));
	return IsA(node, Const) ? (Const *) node : NULL;
}

static void
fill_column(ChangedColumn *column, const Param *row, AttrNumber attnum)
{
	Oid			relation = get_typ_typrelid(row->paramtype);
	HeapTuple	tuple;
	Form_pg_attribute form;

	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relation), Int16GetDatum(attnum));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for attribute %d of relation %u", attnum, relation);
	form = (Form_pg_attribute) GETSTRUCT(tuple);
	column->on_old = row->paramid == PARAM_OLD;
	column->name = pstrdup(NameStr(form->attname));
	column->type = WF_COMPAT_IS_VIRTUAL(form->attgenerated) ? InvalidOid : form->atttypid;
	column->collation = form->attcollation;
	ReleaseSysCache(tuple);
}

/* Is it a column of old or new, of a type the trigger can read? */
static bool
as_column(Node *node, ChangedColumn *column)
{
	const FieldSelect *field;
	const Param *row;

	while (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	if (!IsA(node, FieldSelect))
		return false;
	field = (FieldSelect *) node;
	row = (Param *) field->arg;
	if (!IsA(row, Param) || row->paramkind != PARAM_EXTERN ||
		(row->paramid != PARAM_OLD && row->paramid != PARAM_NEW))
		return false;
	fill_column(column, row, field->fieldnum);
	return OidIsValid(column->type) && is_plain_type(column->type);
}

/*
 * Operators
 */

static const char *const strategy_names[] = {NULL, "<", "<=", "=", ">=", ">"};

/*
 * Name of an operator of the column type's default btree family, NULL if it is none.
 */
static const char *
operator_name(Oid operator, Oid type)
{
	Oid			family = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	int			strategy;

	if (!OidIsValid(family))
		return NULL;
	strategy = get_op_opfamily_strategy(operator, family);
	if (strategy >= BTLessStrategyNumber && strategy <= BTGreaterStrategyNumber)
		return strategy_names[strategy];
	operator = get_negator(operator);
	if (OidIsValid(operator) && get_op_opfamily_strategy(operator, family) == BTEqualStrategyNumber)
		return "<>";
	return NULL;
}

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

/* Value of an integer constant as text, if a column of that type can hold it. */
static char *
integer_text(const Const *con, Oid column_type)
{
	int64		value;

	if (con->consttype == INT2OID)
		value = DatumGetInt16(con->constvalue);
	else if (con->consttype == INT4OID)
		value = DatumGetInt32(con->constvalue);
	else
		value = DatumGetInt64(con->constvalue);
	if ((column_type == INT2OID && (value < PG_INT16_MIN || value > PG_INT16_MAX)) ||
		(column_type == INT4OID && (value < PG_INT32_MIN || value > PG_INT32_MAX)))
		return NULL;
	return psprintf(INT64_FORMAT, value);
}

/*
 * Text of a constant that an operator of the column's own class compares with
 * the column; NULL if types differ in more than the width of an integer.
 */
static char *
constant_text(const Const *con, const ChangedColumn *column)
{
	Oid			opintype = lookup_type_cache(column->type, TYPECACHE_BTREE_OPFAMILY)->btree_opintype;

	if (is_integer(column->type) && is_integer(con->consttype))
		return integer_text(con, column->type);
	if (con->consttype != column->type &&
		(con->consttype != opintype || !IsBinaryCoercible(column->type, opintype)))
		return NULL;
	return wf_value_out(con->constvalue, con->consttype);
}

/* column op constant, constant op column */
static bool
decide_operator(OpExpr *expr, StringInfo conditions)
{
	Oid			operator = expr->opno;
	ChangedColumn column;
	Const	   *con;
	const char *name;
	char	   *text;

	if (list_length(expr->args) != 2)
		return false;
	if (as_column(linitial(expr->args), &column))
		con = as_constant(lsecond(expr->args));
	else if (as_column(lsecond(expr->args), &column))
	{
		con = as_constant(linitial(expr->args));
		operator = get_commutator(operator);
	}
	else
		return false;
	if (con == NULL || con->constisnull || !OidIsValid(operator) || expr->inputcollid != column.collation)
		return false;
	name = operator_name(operator, column.type);
	text = name ? constant_text(con, &column) : NULL;
	if (text == NULL)
		return false;
	append_condition(conditions, &column, name, list_make1(text));
	return true;
}

/* Texts of the elements of a constant array; false if one can't be used. */
static bool
array_texts(const Const *array, const ChangedColumn *column, bool *nulls_in, List **texts)
{
	ArrayType  *values = DatumGetArrayTypeP(array->constvalue);
	Const		element = {0};
	Datum	   *items;
	bool	   *nulls;
	int			n;
	int16		typlen;
	bool		typbyval;
	char		typalign;

	element.consttype = ARR_ELEMTYPE(values);
	get_typlenbyvalalign(element.consttype, &typlen, &typbyval, &typalign);
	deconstruct_array(values, element.consttype, typlen, typbyval, typalign, &items, &nulls, &n);
	*texts = NIL;
	*nulls_in = false;
	for (int i = 0; i < n; i++)
	{
		char	   *text;

		*nulls_in |= nulls[i];
		if (nulls[i])
			continue;
		element.constvalue = items[i];
		text = constant_text(&element, column);
		if (text == NULL)
			return false;
		*texts = lappend(*texts, text);
	}
	return true;
}

/* column IN (constants), column NOT IN (constants) */
static bool
decide_in(ScalarArrayOpExpr *expr, StringInfo conditions)
{
	ChangedColumn column;
	Const	   *array;
	const char *name;
	List	   *texts;
	ListCell   *lc;
	bool		nulls_in;

	if (!as_column(linitial(expr->args), &column) || expr->inputcollid != column.collation)
		return false;
	array = as_constant(lsecond(expr->args));
	name = operator_name(expr->opno, column.type);
	if (array == NULL || array->constisnull || name == NULL ||
		strcmp(name, expr->useOr ? "=" : "<>") != 0 || !array_texts(array, &column, &nulls_in, &texts))
		return false;
	if (expr->useOr)
	{
		append_condition(conditions, &column, "in", texts);
		return true;
	}
	if (nulls_in || texts == NIL)
		return false;
	foreach(lc, texts)
		append_condition(conditions, &column, "<>", list_make1(lfirst(lc)));
	return true;
}

static bool
decide_null(NullTest *test, StringInfo conditions)
{
	ChangedColumn column;

	if (test->argisrow || !as_column((Node *) test->arg, &column))
		return false;
	append_condition(conditions, &column, test->nulltesttype == IS_NULL ? "is null" : "is not null", NIL);
	return true;
}

/* column, NOT column */
static bool
decide_boolean(Node *node, bool value, StringInfo conditions)
{
	ChangedColumn column;

	if (!as_column(node, &column) || column.type != BOOLOID)
		return false;
	if (value)
		append_condition(conditions, &column, "is true", NIL);
	else
		append_condition(conditions, &column, "=", list_make1("f"));
	return true;
}

static bool
decide_boolean_test(BooleanTest *test, StringInfo conditions)
{
	if (test->booltesttype == IS_TRUE || test->booltesttype == IS_FALSE)
		return decide_boolean((Node *) test->arg, test->booltesttype == IS_TRUE, conditions);
	return false;
}

/* Notes a conjunct the trigger can decide; false: it can't. */
static bool
decide_conjunct(Node *node, StringInfo conditions)
{
	switch (nodeTag(node))
	{
		case T_OpExpr:
			return decide_operator((OpExpr *) node, conditions);
		case T_ScalarArrayOpExpr:
			return decide_in((ScalarArrayOpExpr *) node, conditions);
		case T_NullTest:
			return decide_null((NullTest *) node, conditions);
		case T_BooleanTest:
			return decide_boolean_test((BooleanTest *) node, conditions);
		case T_BoolExpr:
			return ((BoolExpr *) node)->boolop == NOT_EXPR &&
				decide_boolean(linitial(((BoolExpr *) node)->args), false, conditions);
		default:
			return decide_boolean(node, true, conditions);
	}
}

/* The parts that must all hold. */
static List *
conjuncts_of(Node *node)
{
	List	   *parts = NIL;
	ListCell   *lc;

	if (!is_andclause(node))
		return list_make1(node);
	foreach(lc, ((BoolExpr *) node)->args)
		parts = list_concat(parts, conjuncts_of(lfirst(lc)));
	return parts;
}

/*
 * Rules of AFTER
 */

/* A rule without conditions yet; it outlives the clause's memory. */
CheckedRule *
wf_check_rule_start(Check *ck, const Clause *clause, Oid relation)
{
	CheckedRule *rule = MemoryContextAllocZero(ck->keep, sizeof(CheckedRule));
	ListCell   *lc;

	rule->kind = RULE_AFTER;
	rule->clause = clause->ordinal;
	rule->relation = relation;
	rule->operations = clause->change.operations;
	foreach(lc, clause->change.columns)
		rule->columns = wf_check_add_column(ck, rule->columns, ((Word *) lfirst(lc))->name);
	return rule;
}

/* FROM or TO; if the trigger can't compare the type, the executor gets the column. */
static void
add_literal(Check *ck, CheckedRule *rule, StringInfo conditions, const Literal *literal, bool on_old)
{
	ChangedColumn column = {0};
	Const	   *con;

	column.on_old = on_old;
	column.name = linitial(rule->columns);
	column.type = get_atttype(rule->relation, get_attnum(rule->relation, column.name));
	if (!is_plain_type(column.type) || !has_btree_class(column.type))
	{
		rule->residual = true;
		if (on_old)
			rule->image_old = wf_check_add_column(ck, rule->image_old, column.name);
		else
			rule->image_new = wf_check_add_column(ck, rule->image_new, column.name);
		return;
	}
	con = castNode(Const, wf_check_literal(ck, literal, column.type));
	append_condition(conditions, &column, on_old ? "from" : "to",
					 list_make1(con->constisnull ? NULL : wf_value_out(con->constvalue, con->consttype)));
}

void
wf_check_rule_literals(Check *ck, CheckedRule *rule, StringInfo conditions, const Change *change)
{
	if (change->from.present)
		add_literal(ck, rule, conditions, &change->from, true);
	if (change->to.present)
		add_literal(ck, rule, conditions, &change->to, false);
}

/* Columns of old and new that a query reads, and those its evaluation needs in the event. */
static void
add_reads(Check *ck, CheckedRule *rule, Query *query, const Scope *scope, bool keep_images)
{
	Dependencies *deps = wf_analyze_dependencies(query, scope);
	ListCell   *lc;

	foreach(lc, deps->columns)
	{
		const DependentColumn *column = lfirst(lc);

		if (column->param == PARAM_OLD)
			rule->reads_old = wf_check_add_column(ck, rule->reads_old, column->name);
		else if (column->param == PARAM_NEW)
			rule->reads_new = wf_check_add_column(ck, rule->reads_new, column->name);
		if (keep_images && column->param == PARAM_OLD)
			rule->image_old = wf_check_add_column(ck, rule->image_old, column->name);
		else if (keep_images && column->param == PARAM_NEW)
			rule->image_new = wf_check_add_column(ck, rule->image_new, column->name);
	}
}

/* WHEN: what the trigger can decide goes into the conditions.  Constants are
 * computed for that; f is where an error of theirs is. */
void
wf_check_rule_when(Check *ck, CheckedRule *rule, StringInfo conditions, Query *when, const Scope *scope, Fragment f)
{
	FragmentContext context;
	bool		residual = false;
	ListCell   *lc;

	wf_fragment_context_enter(&context, "", ck->body, f.start);
	foreach(lc, conjuncts_of((Node *) ((TargetEntry *) linitial(when->targetList))->expr))
	{
		if (!decide_conjunct(lfirst(lc), conditions))
			residual = true;
	}
	wf_fragment_context_leave(&context);
	rule->residual |= residual;
	add_reads(ck, rule, when, scope, residual);
}

/* FOR runs in the executor, so the event must carry what it reads. */
void
wf_check_rule_query(Check *ck, CheckedRule *rule, Query *query, const Scope *scope)
{
	add_reads(ck, rule, query, scope, true);
}

void
wf_check_rule_finish(Check *ck, CheckedRule *rule, StringInfo conditions)
{
	MemoryContext old = MemoryContextSwitchTo(ck->keep);
	char	   *text = psprintf("[%s]", conditions->data);

	rule->conditions = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	ck->rules = lappend(ck->rules, rule);
	MemoryContextSwitchTo(old);
}

/*
 * Conditions over the arguments
 */

/* Columns of row arguments in a query: their change is a reason to look again. */
static void
watch_columns(Check *ck, const Dependencies *deps)
{
	ListCell   *lc;

	foreach(lc, deps->columns)
	{
		const DependentColumn *column = lfirst(lc);
		int			arg = column->param - PARAM_ARG(0);

		if (arg >= 0 && arg < ck->sig->nargs && ck->sig->args[arg].is_row)
			ck->watched[arg] = wf_check_add_column(ck, ck->watched[arg], column->name);
	}
}

void
wf_check_watch(Check *ck, Query *query, const Scope *scope)
{
	watch_columns(ck, wf_analyze_dependencies(query, scope));
}

/* Milliseconds as a person would say them. */
static char *
duration_text(int ms)
{
	if (ms % 3600000 == 0)
		return psprintf("%d h", ms / 3600000);
	if (ms % 60000 == 0)
		return psprintf("%d min", ms / 60000);
	if (ms % 1000 == 0)
		return psprintf("%d s", ms / 1000);
	return psprintf("%d ms", ms);
}

/* Location of the first use of the clock, through *context. */
static bool
find_now(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param) && ((Param *) node)->paramid == PARAM_NOW && ((Param *) node)->paramkind == PARAM_EXTERN)
	{
		*(int *) context = ((Param *) node)->location;
		return true;
	}
	return expression_tree_walker(node, find_now, context);
}

static void
note_untied(const Check *ck, Query *query, Fragment f)
{
	int			location = -1;

	if (!ck->notices)
		return;
	(void) find_now((Node *) ((TargetEntry *) linitial(query->targetList))->expr, &location);
	ereport(NOTICE,
			(errmsg("condition can't be tied to rows: rechecked every %s", duration_text(wf_recheck_interval)),
			 errdetail("The time goes by without a change of any row."),
			 wf_errposition(ck->body, f.start + Max(location, 0))));
}

/*
 * What a condition or a moment depends on: columns of the arguments are
 * watched, time is looked at again and again, anything else is not supported.
 */
void
wf_check_depends(Check *ck, Query *query, const Scope *scope, Fragment f, bool condition)
{
	Dependencies *deps = wf_analyze_dependencies(query, scope);

	watch_columns(ck, deps);
	if (deps->sublink)
		wf_check_unsupported(ck, f.start + Max(deps->sublink_location, 0),
							 "a condition over other tables");
	else if (deps->volatile_function)
		wf_check_unsupported(ck, f.start + Max(deps->volatile_location, 0),
							 "a condition over other tables");
	else if (condition && deps->now)
		note_untied(ck, query, f);
}

/*
 * Wake rules
 */

static CheckedRule *
wake_rule_of(Check *ck, Oid relation)
{
	CheckedRule *rule;
	ListCell   *lc;

	foreach(lc, ck->rules)
	{
		rule = lfirst(lc);
		if (rule->kind == RULE_WAKE && rule->relation == relation)
			return rule;
	}
	rule = MemoryContextAllocZero(ck->keep, sizeof(CheckedRule));
	rule->kind = RULE_WAKE;
	rule->relation = relation;
	rule->operations = OP_UPDATE | OP_DELETE;
	return rule;
}

/*
 * One rule per table of a row argument: its rows are deleted, change their
 * key, or change a column some condition is about.
 */
void
wf_check_rule_wakes(Check *ck)
{
	MemoryContext old;
	ListCell   *lc;

	for (int i = 0; i < ck->sig->nargs; i++)
	{
		CheckedRule *rule;

		if (!ck->sig->args[i].is_row)
			continue;
		rule = wake_rule_of(ck, ck->sig->args[i].relation);
		foreach(lc, ck->watched[i])
			rule->columns = wf_check_add_column(ck, rule->columns, lfirst(lc));
		old = MemoryContextSwitchTo(ck->keep);
		ck->rules = list_append_unique_ptr(ck->rules, rule);
		MemoryContextSwitchTo(old);
	}
}
