/*
 * analyze_clock.c -- now() and its kin in fragments are the engine's clock.
 *
 * The post-analysis hook replaces them in every query that is analysed with
 * our parser hooks, at definition and whenever the plan cache analyses anew;
 * functions and views that a fragment uses keep the real clock.  entered_at()
 * becomes a parameter as well.  The query is changed in place; raises no
 * errors of its own.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "access/transam.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/analyze.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "analyze_internal.h"
#include "compat.h"
#include "store.h"

static post_parse_analyze_hook_type previous_hook = NULL;

/* Is it the function of this name in schema automation? */
bool
wf_is_own_function(Oid function, const char *name)
{
	char	   *actual;

	if (function < FirstNormalObjectId || get_func_namespace(function) != wf_store_namespace())
		return false;
	actual = get_func_name(function);
	return actual != NULL && strcmp(actual, name) == 0;
}

static Node *
time_param(int paramid, int location)
{
	Param	   *param = makeNode(Param);

	param->paramkind = PARAM_EXTERN;
	param->paramid = paramid;
	param->paramtype = TIMESTAMPTZOID;
	param->paramtypmod = -1;
	param->paramcollid = InvalidOid;
	param->location = location;
	return (Node *) param;
}

/* A cast of engine time; scale: the function that rounds, given a precision. */
static Node *
cast_now(const SQLValueFunction *node, Oid cast, Oid scale)
{
	Node	   *result = time_param(PARAM_NOW, node->location);

	if (OidIsValid(cast))
		result = (Node *) makeFuncExpr(cast, node->type, list_make1(result),
									   InvalidOid, InvalidOid, COERCE_EXPLICIT_CAST);
	if (OidIsValid(scale))
	{
		Const	   *precision = makeConst(INT4OID, -1, InvalidOid, sizeof(int32),
										  Int32GetDatum(node->typmod), false, true);

		result = (Node *) makeFuncExpr(scale, node->type, list_make2(result, precision),
									   InvalidOid, InvalidOid, COERCE_IMPLICIT_CAST);
	}
	return result;
}

/* CURRENT_DATE and the like; NULL: not about time. */
static Node *
rewrite_value_function(const SQLValueFunction *node)
{
	switch (node->op)
	{
		case SVFOP_CURRENT_DATE:
			return cast_now(node, F_DATE_TIMESTAMPTZ, InvalidOid);
		case SVFOP_CURRENT_TIME:
			return cast_now(node, F_TIMETZ_TIMESTAMPTZ, InvalidOid);
		case SVFOP_CURRENT_TIME_N:
			return cast_now(node, F_TIMETZ_TIMESTAMPTZ, F_TIMETZ_TIMETZ_INT4);
		case SVFOP_CURRENT_TIMESTAMP:
			return cast_now(node, InvalidOid, InvalidOid);
		case SVFOP_CURRENT_TIMESTAMP_N:
			return cast_now(node, InvalidOid, F_TIMESTAMPTZ_TIMESTAMPTZ_INT4);
		case SVFOP_LOCALTIME:
			return cast_now(node, F_TIME_TIMESTAMPTZ, InvalidOid);
		case SVFOP_LOCALTIME_N:
			return cast_now(node, F_TIME_TIMESTAMPTZ, F_TIME_TIME_INT4);
		case SVFOP_LOCALTIMESTAMP:
			return cast_now(node, F_TIMESTAMP_TIMESTAMPTZ, InvalidOid);
		case SVFOP_LOCALTIMESTAMP_N:
			return cast_now(node, F_TIMESTAMP_TIMESTAMPTZ, F_TIMESTAMP_TIMESTAMP_INT4);
		default:
			return NULL;
	}
}

/* Parameter a function call stands for; 0: none. */
static int
time_function(const FuncExpr *node)
{
	if (node->args != NIL || node->funcresulttype != TIMESTAMPTZOID)
		return 0;
	if (node->funcid == F_NOW || node->funcid == F_TRANSACTION_TIMESTAMP ||
		wf_is_own_function(node->funcid, "now"))
		return PARAM_NOW;
	if (wf_is_own_function(node->funcid, "entered_at"))
		return PARAM_ENTERED;
	return 0;
}

static Node *
rewrite_mutator(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Query))
		return (Node *) query_tree_mutator((Query *) node, rewrite_mutator, context, 0);
	if (IsA(node, SQLValueFunction))
	{
		Node	   *result = rewrite_value_function((SQLValueFunction *) node);

		if (result)
			return result;
	}
	if (IsA(node, FuncExpr))
	{
		int			paramid = time_function((FuncExpr *) node);

		if (paramid != 0)
			return time_param(paramid, ((FuncExpr *) node)->location);
	}
	return expression_tree_mutator(node, rewrite_mutator, context);
}

/* Replaces now() and kin by parameters, in place. */
void
wf_clock_rewrite(Query *query)
{
	if (query->commandType == CMD_UTILITY)
		return;
	(void) query_tree_mutator(query, rewrite_mutator, NULL, QTW_DONT_COPY_QUERY);
}

static void
post_analyze(ParseState *pstate, Query *query, JumbleState *jstate)
{
	if (wf_names_present(pstate))
		wf_clock_rewrite(query);
	if (previous_hook)
		previous_hook(pstate, query, jstate);
}

/* One-time set-up, when the library is loaded. */
void
wf_analyze_init(void)
{
	previous_hook = post_parse_analyze_hook;
	post_parse_analyze_hook = post_analyze;
}
