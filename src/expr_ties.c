/*
 * expr_ties.c -- what a waiting enrollment is tied to: the ties of the rows that
 * an expression's value hangs on, for the values the enrollment has now.
 *
 * Called by expr.c when an expression is prepared, and by whoever stores a
 * waiting enrollment, as the workflow's owner with the workflow's path in force.
 * A way from rows to the enrollment counts only if capture watches it, that is if
 * the armed rules of the version say the same; else the expression is swept, as
 * is one with parts that no change of a row shows.
 *
 * What is prepared lives as long as the expression, results are in the current
 * memory context.  Values may raise errors of the user's functions.
 */
#include "postgres.h"
#include "compat.h"

#include "optimizer/optimizer.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "analyze_ties.h"
#include "check.h"
#include "expr.h"
#include "owner.h"
#include "program.h"
#include "rule.h"
#include "tie.h"

/* An expression of a piece of an analysed query. */
static Expression *
expression_of(const Expression *whole, Node *node)
{
	Expression *expr = palloc0(sizeof(Expression));

	expr->scope = whole->scope;
	expr->fragment = whole->fragment;
	expr->kind = EXPR_VALUE;
	expr->construct = whole->construct;
	expr->target_typmod = -1;
	expr->context = whole->context;
	expr->deps = palloc0(sizeof(Dependencies));
	expr->type = exprType(node);
	expr->simple = expression_planner((Expr *) copyObject(node));
	expr->needs_snapshot = contain_mutable_functions((Node *) expr->simple);
	expr->ready = true;
	return expr;
}

static Jsonb *
json_of(const char *text)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

/* Does capture lead the table's changes to those who wait so? */
static bool
is_watched(const Scope *scope, const TableRead *read, int source)
{
	Jsonb	   *path = read->path ? json_of(wf_path_text(read->path, false)) : NULL;

	return source != 0 &&
		wf_rules_watch(source, scope->workflow, scope->version, read->columns, json_of(read->conditions),
					   read->path ? NULL : read->column, path);
}

static bool
is_same_source(const TieSource *a, const TieSource *b)
{
	return a->source == b->source && strcmp(a->column, b->column) == 0 && a->array == b->array &&
		equal(a->value->simple, b->value->simple);
}

static void
add_source(Expression *expr, const TableRead *read)
{
	TieSource  *tie = palloc0(sizeof(TieSource));
	ListCell   *lc;

	tie->source = wf_source_id(read->end_relation, false);
	tie->column = read->end_column;
	tie->collation = exprCollation(read->value);
	tie->value = expression_of(expr, read->value);
	tie->array = read->array;
	foreach(lc, expr->ties)
	{
		if (is_same_source(lfirst(lc), tie))
			return;
	}
	expr->ties = lappend(expr->ties, tie);
}

/* The WHEN of a WAIT FOR: what it says of the database is asked when a change comes. */
static void
tie_change(Expression *expr, Query *query)
{
	const Scope *scope = expr->scope;
	ChangeTie  *change = wf_analyze_change_tie(query);
	TieSource  *tie = palloc0(sizeof(TieSource));

	if (change && change->column)
	{
		tie->source = wf_source_id(scope->change_relation, false);
		tie->column = change->column;
		tie->collation = exprCollation(change->value);
		tie->value = expression_of(expr, change->value);
		tie->array = change->array;
	}
	else
		tie->tie = wf_tie_statement(scope->workflow, scope->version, scope->statement);
	expr->ties = list_make1(tie);
}

/* Moments do not move with the clock, they are waited for. */
static bool
has_untied(const Expression *expr, const Reads *reads)
{
	bool		condition = expr->kind == EXPR_CONDITION || (expr->kind == EXPR_UNTIL && expr->until == UNTIL_CONDITION);
	ListCell   *lc;

	foreach(lc, reads->untied)
	{
		if (wf_untied_matters(lfirst(lc), condition))
			return true;
	}
	return false;
}

/* Fills ties and swept, and makes deps those of what the expression looks through.
 * The expression's context is current. */
void
wf_expr_tie(Expression *expr, Query *query)
{
	Reads	   *reads;
	ListCell   *lc;

	if (expr->scope->see_change)
	{
		tie_change(expr, query);
		return;
	}
	reads = wf_analyze_reads(query, expr->scope);
	expr->deps = reads->deps;
	expr->swept = has_untied(expr, reads);
	foreach(lc, reads->relations)
		wf_program_uses(lfirst_oid(lc));
	foreach(lc, reads->tables)
	{
		const TableRead *read = lfirst(lc);

		if (read->reason)
			continue;
		if (is_watched(expr->scope, read, wf_source_id(read->relation, false)))
			add_source(expr, read);
		else
			expr->swept = true;
	}
}

static List *
add_tie(List *ties, int64 tie)
{
	int64	   *copy = palloc(sizeof(int64));

	*copy = tie;
	return lappend(ties, copy);
}

static List *
add_value(List *ties, const TieSource *source, Oid type, Datum value)
{
	return add_tie(ties, wf_tie(source->source, source->column, wf_tie_hash(type, source->collation, value)));
}

static List *
add_elements(List *ties, const TieSource *source, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	Oid			type = ARR_ELEMTYPE(array);
	Datum	   *items;
	bool	   *nulls;
	int			n;
	int16		len;
	bool		byval;
	char		align;

	get_typlenbyvalalign(type, &len, &byval, &align);
	deconstruct_array(array, type, len, byval, align, &items, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (!nulls[i])
			ties = add_value(ties, source, type, items[i]);
	}
	return ties;
}

/* Ties (int64 *) of the values the frame has now; a value that is NULL has none,
 * for no row equals it. */
List *
wf_expr_ties(Expression *expr, Frame *frame)
{
	List	   *ties = NIL;
	ListCell   *lc;

	wf_expr_prepare(expr);
	foreach(lc, expr->ties)
	{
		const TieSource *source = lfirst(lc);
		bool		isnull;
		Datum		value;

		if (source->tie != TIE_SWEPT)
		{
			ties = add_tie(ties, source->tie);
			continue;
		}
		value = wf_expr_eval(source->value, frame, &isnull);
		if (isnull)
			continue;
		if (source->array)
			ties = add_elements(ties, source, value);
		else
			ties = add_value(ties, source, source->value->type, value);
	}
	return ties;
}
