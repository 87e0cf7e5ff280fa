/*
 * analyze_deps.c -- what an analysed fragment depends on: columns of rows,
 * tables it reads, the clock, functions whose value may change by themselves.
 *
 * Called by the checks (may this be decided in the trigger, by row, or has it
 * to be looked at again and again?) and by the executor.  Reads the query and
 * the catalog only; the result is in the current context.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_proc.h"
#include "nodes/nodeFuncs.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "analyze_internal.h"
#include "compat.h"

typedef struct Walk
{
	Dependencies *deps;
	const Scope *scope;
	Node	   *node;					/* whose functions are being looked at */
} Walk;

/* Notes a column of a row parameter; name NULL: the whole row. */
static void
add_column(Dependencies *deps, int param, char *name)
{
	DependentColumn *column;
	ListCell   *lc;

	foreach(lc, deps->columns)
	{
		column = lfirst(lc);
		if (column->param == param &&
			(name ? column->name && strcmp(column->name, name) == 0 : column->name == NULL))
			return;
	}
	column = palloc(sizeof(DependentColumn));
	column->param = param;
	column->name = name;
	deps->columns = lappend(deps->columns, column);
}

/* Does the parameter stand for a row of a table that can change? */
static bool
is_row_param(const Scope *scope, const Param *param)
{
	int			arg = param->paramid - PARAM_ARG(0);

	if (param->paramkind != PARAM_EXTERN)
		return false;
	if (param->paramid == PARAM_OLD || param->paramid == PARAM_NEW)
		return true;
	return scope->sig && arg >= 0 && arg < scope->sig->nargs && scope->sig->args[arg].is_row;
}

static void
note_param(Walk *walk, const Param *param)
{
	if (param->paramkind != PARAM_EXTERN)
		return;
	if (param->paramid == PARAM_NOW)
		walk->deps->now = true;
	else if (param->paramid == PARAM_ENTERED)
		walk->deps->entered = true;
	else if (is_row_param(walk->scope, param))
		add_column(walk->deps, param->paramid, NULL);
}

/* Column of a row parameter: true if the node is one. */
static bool
note_field(Walk *walk, const FieldSelect *field)
{
	const Param *param = (const Param *) field->arg;

	if (!IsA(param, Param) || !is_row_param(walk->scope, param))
		return false;
	add_column(walk->deps, param->paramid,
			   get_attname(get_typ_typrelid(param->paramtype), field->fieldnum, false));
	return true;
}

static void
note_volatile(Walk *walk, const char *name)
{
	if (walk->deps->volatile_function)
		return;
	walk->deps->volatile_function = true;
	walk->deps->volatile_name = pstrdup(name);
	walk->deps->volatile_location = exprLocation(walk->node);
}

/*
 * Functions of ours whose value follows from their arguments, the zone, and, in the
 * second half, the calendars: if they ask for the time, it is an argument.
 */
static bool
is_time_function(Oid function, bool *reads_calendar)
{
	static const char *const names[] = {
		"next_time", "next_time_after", "next_anniversary", "next_anniversary_after",
		"next_opening", "is_open", "add_business_time", "business_time_between"
	};

	if (!wf_is_own(function))
		return false;
	for (int i = 0; i < lengthof(names); i++)
	{
		*reads_calendar = i >= 4;
		if (wf_is_own_function(function, names[i]))
			return true;
	}
	return false;
}

/* check_function_callback: judges one function; false = go on. */
static bool
note_function(Oid function, void *context)
{
	Walk	   *walk = context;
	char		volatility;
	bool		reads_calendar;

	if (function == F_AGE_TIMESTAMP || function == F_AGE_TIMESTAMPTZ || function == F_STATEMENT_TIMESTAMP)
		walk->deps->now = true;
	if (wf_is_own_function(function, "finished"))
	{
		walk->deps->finished = true;
		return false;
	}
	if (is_time_function(function, &reads_calendar))
	{
		walk->deps->calendar |= reads_calendar;
		return false;
	}
	volatility = func_volatile(function);
	if (volatility == PROVOLATILE_VOLATILE ||
		(volatility == PROVOLATILE_STABLE && function >= FirstNormalObjectId))
	{
		char	   *name = get_func_name(function);

		note_volatile(walk, name ? name : "?");
	}
	return false;
}

static void
note_table(Dependencies *deps, int location)
{
	if (!deps->sublink)
		deps->sublink_location = location;
	deps->sublink = true;
}

static bool
dependency_walker(Node *node, void *context)
{
	Walk	   *walk = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, dependency_walker, walk, QTW_EXAMINE_RTES_BEFORE);
	if (IsA(node, RangeTblEntry))
	{
		if (((RangeTblEntry *) node)->rtekind == RTE_RELATION)
			note_table(walk->deps, -1);
		return false;
	}
	if (IsA(node, SubLink))
		note_table(walk->deps, ((SubLink *) node)->location);
	if (IsA(node, Param))
		note_param(walk, (Param *) node);
	if (IsA(node, FieldSelect) && note_field(walk, (FieldSelect *) node))
		return false;
	walk->node = node;
	if (IsA(node, NextValueExpr))
		note_volatile(walk, "nextval");
	(void) check_functions_in_node(node, note_function, walk);
	return expression_tree_walker(node, dependency_walker, walk);
}

/* What the query depends on; in the current context. */
Dependencies *
wf_analyze_dependencies(Query *query, const Scope *scope)
{
	Walk		walk = {0};

	walk.deps = palloc0(sizeof(Dependencies));
	walk.deps->volatile_location = -1;
	walk.deps->sublink_location = -1;
	walk.scope = scope;
	(void) query_tree_walker(query, dependency_walker, &walk, QTW_EXAMINE_RTES_BEFORE);
	return walk.deps;
}
