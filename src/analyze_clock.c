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

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/analyze.h"
#include "parser/parse_func.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "analyze_internal.h"
#include "compat.h"
#include "store.h"

static post_parse_analyze_hook_type previous_hook = NULL;

/* Is the function in schema automation? */
bool
wf_is_own(Oid function)
{
	return function >= FirstNormalObjectId && get_func_namespace(function) == wf_store_namespace();
}

/* Is it the function of this name there? */
bool
wf_is_own_function(Oid function, const char *name)
{
	char	   *actual;

	if (!wf_is_own(function))
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

/*
 * Functions of ours that ask for the time by an argument: one that is not given
 * is automation.now(), which becomes the parameter like any other call of it.
 */
static FuncExpr *
with_default_arguments(const FuncExpr *node)
{
	FuncExpr   *result = (FuncExpr *) node;
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(node->funcid));
	Form_pg_proc proc;

	if (!HeapTupleIsValid(tuple))
		return result;
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	if (proc->pronargdefaults > 0 && proc->pronargs > list_length(node->args))
	{
		result = makeNode(FuncExpr);
		*result = *node;
		result->args = expand_function_arguments(node->args, false, node->funcresulttype, tuple);
	}
	ReleaseSysCache(tuple);
	return result;
}

/* Those that have one argument only are called by the name of their twin. */
static FuncExpr *
with_time_argument(const FuncExpr *node)
{
	static const char *const twins[][2] = {
		{"next_time", "next_time_after"},
		{"next_anniversary", "next_anniversary_after"}
	};
	Oid			types[2] = {InvalidOid, TIMESTAMPTZOID};
	FuncExpr   *result;
	Node	   *argument;

	if (list_length(node->args) != 1)
		return with_default_arguments(node);
	for (int i = 0; i < lengthof(twins); i++)
	{
		if (!wf_is_own_function(node->funcid, twins[i][0]))
			continue;
		argument = linitial(node->args);
		if (IsA(argument, NamedArgExpr))
			argument = (Node *) ((NamedArgExpr *) argument)->arg;
		types[0] = exprType(argument);
		result = makeNode(FuncExpr);
		*result = *node;
		result->funcid = LookupFuncName(list_make2(makeString("automation"), makeString(unconstify(char *, twins[i][1]))),
										2, types, false);
		result->args = list_make2(argument, time_param(PARAM_NOW, node->location));
		return result;
	}
	return with_default_arguments(node);
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
		if (wf_is_own(((FuncExpr *) node)->funcid))
			node = (Node *) with_time_argument((FuncExpr *) node);
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
