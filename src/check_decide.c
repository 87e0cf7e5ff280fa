/*
 * check_decide.c -- the parts of a condition that a row trigger can decide from
 * stored data.
 *
 * Called by check_rule.c and check_wake.c with analysed conditions, and by
 * analyze_ties.c, always as the workflow's owner.
 *
 * The trigger runs in sessions of strangers and must neither run the owner's
 * code nor fail.  So a part of a condition is its business only if it compares one
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
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "check_decide.h"
#include "key.h"

/*
 * Conditions as JSON
 */

void
wf_decide_append(StringInfo conditions, const ChangedColumn *column, const char *op, List *values)
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

bool
wf_decide_is_plain(Oid type)
{
	char		typtype = get_typtype(type);
	Oid			element;

	if (typtype == TYPTYPE_ENUM)
		return true;
	if (typtype != TYPTYPE_BASE || type >= FirstNormalObjectId || names_object(type))
		return false;
	element = get_element_type(type);
	return !OidIsValid(element) || wf_decide_is_plain(element);
}

bool
wf_decide_compares(Oid type)
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
	return OidIsValid(column->type) && wf_decide_is_plain(column->type);
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
	wf_decide_append(conditions, &column, name, list_make1(text));
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
		wf_decide_append(conditions, &column, "in", texts);
		return true;
	}
	if (nulls_in || texts == NIL)
		return false;
	foreach(lc, texts)
		wf_decide_append(conditions, &column, "<>", list_make1(lfirst(lc)));
	return true;
}

static bool
decide_null(NullTest *test, StringInfo conditions)
{
	ChangedColumn column;

	if (test->argisrow || !as_column((Node *) test->arg, &column))
		return false;
	wf_decide_append(conditions, &column, test->nulltesttype == IS_NULL ? "is null" : "is not null", NIL);
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
		wf_decide_append(conditions, &column, "is true", NIL);
	else
		wf_decide_append(conditions, &column, "=", list_make1("f"));
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
bool
wf_decide_conjunct(Node *node, StringInfo conditions)
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
List *
wf_decide_conjuncts(Node *node)
{
	List	   *parts = NIL;
	ListCell   *lc;

	if (!is_andclause(node))
		return list_make1(node);
	foreach(lc, ((BoolExpr *) node)->args)
		parts = list_concat(parts, wf_decide_conjuncts(lfirst(lc)));
	return parts;
}
