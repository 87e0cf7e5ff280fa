/*
 * analyze_change.c -- by what the WHEN of a WAIT FOR ties a changed row to an
 * enrollment: new.contact_id = c.id, or the like.
 *
 * Called at definition (check_rule.c) and at run time (expr_ties.c), as the
 * workflow's owner.  A column is best, one that any session can hash if there is
 * the choice: capture then leads the change to those who wait for it.  If an
 * expression of the row is compared, whoever waits on the statement looks at
 * every change that the rest of the rule lets through.  Reads the query and the
 * catalog; results are in the current context.
 */
#include "postgres.h"
#include "compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"

#include "analyze_ties.h"
#include "check_decide.h"
#include "tie.h"

/* What one side of a comparison is about. */
typedef struct Sides
{
	bool		change;					/* old or new */
	bool		enrollment;				/* an argument or a variable */
	bool		other;					/* tables, the clock */
} Sides;

static bool
sides_walker(Node *node, void *context)
{
	Sides	   *sides = context;

	if (node == NULL)
		return false;
	if (IsA(node, SubLink))
	{
		sides->other = true;
		return false;
	}
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXTERN)
	{
		int			id = ((Param *) node)->paramid;

		sides->change |= id == PARAM_OLD || id == PARAM_NEW;
		sides->enrollment |= id >= PARAM_ARG(0);
		sides->other |= id == PARAM_NOW;
	}
	return expression_tree_walker(node, sides_walker, context);
}

static bool
is_about_change(Node *node)
{
	Sides		sides = {false, false, false};

	(void) sides_walker(node, &sides);
	return sides.change && !sides.enrollment && !sides.other && !contain_volatile_functions(node);
}

static bool
is_about_enrollment(Node *node)
{
	Sides		sides = {false, false, false};

	(void) sides_walker(node, &sides);
	return sides.enrollment && !sides.change && !sides.other && !contain_volatile_functions(node);
}

static Node *
bare(Node *node)
{
	while (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node;
}

/* Name of the column of old or new; NULL: it is none. */
static char *
column_of(Node *node, Oid *collation)
{
	FieldSelect *field = (FieldSelect *) bare(node);
	Oid			relation;
	Oid			type;
	int32		typmod;

	if (!IsA(field, FieldSelect) || !IsA(field->arg, Param))
		return NULL;
	relation = get_typ_typrelid(((Param *) field->arg)->paramtype);
	if (!OidIsValid(relation))
		return NULL;
	get_atttypetypmodcoll(relation, field->fieldnum, &type, &typmod, collation);
	return get_attname(relation, field->fieldnum, false);
}

/* The tie an equality makes; NULL: none. */
static ChangeTie *
tie_of(Oid operator, Oid collation, Node *row, Node *value, bool array)
{
	ChangeTie  *tie;
	Oid			row_type = exprType(bare(row));
	Oid			row_collation = exprCollation(bare(row));
	Oid			value_type = exprType(bare(value));

	if (!is_about_change(row) || !is_about_enrollment(value))
		return NULL;
	if (array)
		value_type = get_element_type(getBaseType(value_type));
	tie = palloc0(sizeof(ChangeTie));
	tie->value = bare(value);
	tie->array = array;
	if (OidIsValid(value_type) &&
		wf_ties_hash_alike(operator, collation, row_type, row_collation, value_type, exprCollation(bare(value))))
		tie->column = column_of(row, &row_collation);
	tie->plain = tie->column && wf_tie_is_plain(row_type, row_collation);
	return tie;
}

static ChangeTie *
tie_of_equality(OpExpr *expr)
{
	Node	   *left;
	Node	   *right;
	ChangeTie  *tie;

	if (list_length(expr->args) != 2 || !op_mergejoinable(expr->opno, exprType(linitial(expr->args))))
		return NULL;
	left = linitial(expr->args);
	right = lsecond(expr->args);
	tie = tie_of(expr->opno, expr->inputcollid, left, right, false);
	return tie ? tie : tie_of(get_commutator(expr->opno), expr->inputcollid, right, left, false);
}

static ChangeTie *
tie_of_array(ScalarArrayOpExpr *expr)
{
	if (!expr->useOr || !op_mergejoinable(expr->opno, exprType(linitial(expr->args))))
		return NULL;
	return tie_of(expr->opno, expr->inputcollid, linitial(expr->args), lsecond(expr->args), true);
}

static int
rank_of(const ChangeTie *tie)
{
	return tie->plain ? 0 : (tie->column ? 1 : 2);
}

ChangeTie *
wf_analyze_change_tie(Query *when)
{
	ChangeTie  *best = NULL;
	ListCell   *lc;

	foreach(lc, wf_decide_conjuncts((Node *) linitial_node(TargetEntry, when->targetList)->expr))
	{
		Node	   *part = lfirst(lc);
		ChangeTie  *tie = NULL;

		if (IsA(part, OpExpr))
			tie = tie_of_equality((OpExpr *) part);
		else if (IsA(part, ScalarArrayOpExpr))
			tie = tie_of_array((ScalarArrayOpExpr *) part);
		if (tie && (best == NULL || rank_of(tie) < rank_of(best)))
			best = tie;
	}
	return best;
}
