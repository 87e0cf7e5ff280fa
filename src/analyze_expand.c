/*
 * analyze_expand.c -- a query with what it hides written out: functions of
 * LANGUAGE sql as their bodies, views and WITH queries as sub-selects.
 *
 * Called by analyze_ties.c, always as the workflow's owner with the workflow's
 * path: a body is looked at under the settings it would run with.  The result is
 * for looking at, not for running; what can't be looked through is left as it
 * is, and said why.  Errors in a body are raised, as calling the function would.
 * Results are in the current memory context; locks on what is named are kept to
 * the end of the transaction.
 */
#include "postgres.h"
#include "compat.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/functions.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/analyze.h"
#include "parser/parse_coerce.h"
#include "parser/parser.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "rewrite/rewriteManip.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "analyze_ties.h"
#include "owner.h"

/* Functions in functions: deeper than this nobody reads. */
#define MAX_DEPTH 16
/* Bodies, views and WITH queries written out for one condition. */
#define MAX_PIECES 200
/* Nodes written out for one condition: f(f(f(x))) doubles with each call if f uses
 * its argument twice. */
#define MAX_NODES 100000

typedef struct Expand
{
	List	   *stack;					/* OIDs of the functions being written out */
	List	   *queries;				/* Query *: those around the node, the innermost last */
	int			pieces;
	int			room;					/* nodes that may still be written out */
	int			flags;					/* of the text being looked at */
	int			location;				/* of the call in the fragment; unless it is its own text */
	List	   *untied;					/* of Untied */
	List	   *views;					/* OIDs of those looked through */
} Expand;

static Node *expand_mutator(Node *node, void *context);
static Query *expand_query(Query *query, Expand *x);

/* Where to point at: in a body of others at the call that led there. */
static int
place(const Expand *x, int location)
{
	return (x->flags & LEVEL_OTHER_TEXT) ? x->location : location;
}

static void
give_up(Expand *x, UntiedKind kind, int location, const char *reason)
{
	x->untied = wf_untied_add(x->untied, kind, place(x, location), reason);
}

/* Marks the query as one that was written out, and where. */
static void
mark(Query *query, const Expand *x)
{
	query->stmt_len = x->flags | (query->stmt_len & LEVEL_NO_COLUMNS);
	query->stmt_location = x->location;
}

/* Counts nodes down from *room; true: there are more. */
static bool
room_walker(Node *node, void *context)
{
	int		   *room = context;

	if (node == NULL)
		return false;
	if (--*room < 0)
		return true;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, room_walker, context, 0);
	return expression_tree_walker(node, room_walker, context);
}

/* Is there room for one more piece? */
static bool
has_room(Expand *x, Query *query)
{
	return x->pieces++ < MAX_PIECES && !room_walker((Node *) query, &x->room);
}

/* What a part has used up is gone for the others. */
static void
end_part(Expand *x, const Expand *outer)
{
	Expand		part = *x;

	*x = *outer;
	x->pieces = part.pieces;
	x->room = part.room;
	x->untied = part.untied;
	x->views = part.views;
}

/* Forgets what the fields that carry our marks held. */
static bool
clear_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		((Query *) node)->stmt_len = 0;
		((Query *) node)->stmt_location = -1;
		return query_tree_walker((Query *) node, clear_walker, context, 0);
	}
	return expression_tree_walker(node, clear_walker, context);
}

/* ----------------------------------------------------------------
 * Bodies
 * ----------------------------------------------------------------
 */

typedef struct BodyContext
{
	ErrorContextCallback callback;
	const char *name;
	const char *source;
} BodyContext;

/* A position in the body is none in the fragment. */
static void
body_callback(void *arg)
{
	BodyContext *context = arg;
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(context->source);
	}
	errcontext("SQL function \"%s\"", context->name);
}

static void
enter_body(BodyContext *context, const char *name, const char *source)
{
	context->name = name;
	context->source = source;
	context->callback.callback = body_callback;
	context->callback.arg = context;
	context->callback.previous = error_context_stack;
	error_context_stack = &context->callback;
}

static char *
text_attribute(HeapTuple tuple, AttrNumber attnum)
{
	bool		isnull;
	Datum		value = SysCacheGetAttr(PROCOID, tuple, attnum, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* BEGIN ATOMIC: statements as they are stored. */
static List *
stored_statements(const char *body)
{
	Node	   *node = stringToNode(body);
	List	   *statements = IsA(node, List) ? linitial_node(List, castNode(List, node)) : list_make1(node);
	ListCell   *lc;

	foreach(lc, statements)
		AcquireRewriteLocks(lfirst_node(Query, lc), true, false);
	return statements;
}

/* A body that is a text. */
static List *
analyzed_statements(HeapTuple tuple, const char *source, FuncExpr *call)
{
	SQLFunctionParseInfoPtr info = prepare_sql_fn_parse_info(tuple, (Node *) call, call->inputcollid);
	List	   *statements = NIL;
	ListCell   *lc;

	foreach(lc, raw_parser(source, RAW_PARSE_DEFAULT))
		statements = lappend(statements,
							 parse_analyze_withcb(lfirst_node(RawStmt, lc), source,
												  (ParserSetupHook) sql_fn_parser_setup, info, NULL));
	return statements;
}

/* Statements of a function, under its own settings. */
static List *
statements_of(HeapTuple tuple, FuncExpr *call)
{
	char	   *stored = text_attribute(tuple, Anum_pg_proc_prosqlbody);
	char	   *source = text_attribute(tuple, Anum_pg_proc_prosrc);
	bool		plain;
	Datum		config = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proconfig, &plain);
	BodyContext context;
	List	   *statements;
	int			level = 0;

	if (!plain)
		level = wf_config_enter(NULL, DatumGetArrayTypePCopy(config));
	enter_body(&context, NameStr(((Form_pg_proc) GETSTRUCT(tuple))->proname), source);
	statements = stored ? stored_statements(stored) : analyzed_statements(tuple, source, call);
	error_context_stack = context.callback.previous;
	if (!plain)
		wf_config_leave(level);
	return statements;
}

/* The SELECT whose result is the function's; NULL: it does something else. */
static Query *
result_query(List *statements)
{
	Query	   *last = NULL;
	ListCell   *lc;

	foreach(lc, statements)
	{
		last = lfirst_node(Query, lc);
		(void) clear_walker((Node *) last, NULL);
		if (last->commandType != CMD_SELECT || last->hasModifyingCTE || last->utilityStmt)
			return NULL;
	}
	return last;
}

/* ----------------------------------------------------------------
 * Arguments
 * ----------------------------------------------------------------
 */

typedef struct Substitution
{
	List	   *args;
	int			depth;					/* queries between the call and the node */
	int		   *room;
	bool		full;					/* it was not enough */
} Substitution;

/* The row that a scalar sub-select gives, if it is a row of one of its tables. */
static TargetEntry *
row_of_link(const SubLink *link)
{
	Query	   *query;
	TargetEntry *target;

	if (!IsA(link, SubLink) || link->subLinkType != EXPR_SUBLINK)
		return NULL;
	query = castNode(Query, link->subselect);
	if (query->setOperations || query->targetList == NIL)
		return NULL;
	target = linitial_node(TargetEntry, query->targetList);
	return target->ressortgroupref == 0 && IsA(target->expr, Var) ? target : NULL;
}

/*
 * A field of a row is a column: with a row of a table t for k, (k).id is t.id, and
 * (SELECT t FROM t ...).id is (SELECT t.id FROM t ...). What leads from row to row are
 * columns. field is changed.
 */
static Node *
column_of_row(FieldSelect *field)
{
	Var		   *row = (Var *) field->arg;
	TargetEntry *target = row_of_link((SubLink *) row);

	if (target)
	{
		field->arg = target->expr;
		target->expr = (Expr *) column_of_row(field);
		return (Node *) row;
	}
	if (!IsA(row, Var) || row->varattno != InvalidAttrNumber)
		return (Node *) field;
	return (Node *) makeVar(row->varno, field->fieldnum, field->resulttype, field->resulttypmod,
							field->resultcollid, row->varlevelsup);
}

static Node *
substitute_mutator(Node *node, void *context)
{
	Substitution *s = context;

	if (node == NULL)
		return NULL;
	if (IsA(node, FieldSelect))
		return column_of_row((FieldSelect *) expression_tree_mutator(node, substitute_mutator, context));
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXTERN)
	{
		int			id = ((Param *) node)->paramid;
		Node	   *arg;

		if (id < 1 || id > list_length(s->args))
			return node;
		s->full = s->full || room_walker(list_nth(s->args, id - 1), s->room);
		if (s->full)
			return node;
		arg = copyObject(list_nth(s->args, id - 1));
		if (s->depth > 0)
			IncrementVarSublevelsUp(arg, s->depth, 0);
		return arg;
	}
	if (IsA(node, Query))
	{
		Query	   *query;

		s->depth++;
		query = query_tree_mutator((Query *) node, substitute_mutator, s, 0);
		s->depth--;
		return (Node *) query;
	}
	return expression_tree_mutator(node, substitute_mutator, context);
}

/* The body over the arguments; depth: of the body under the call.  NULL: too big. */
static Query *
substitute(Expand *x, Query *body, List *args, int depth)
{
	Substitution s = {args, depth, &x->room, false};
	Query	   *query = query_tree_mutator(body, substitute_mutator, &s, 0);

	return s.full ? NULL : query;
}

/* ----------------------------------------------------------------
 * Functions
 * ----------------------------------------------------------------
 */

/* Is it only "SELECT expression"? */
static bool
is_bare(const Query *query)
{
	return query->rtable == NIL && query->cteList == NIL && query->setOperations == NULL &&
		query->jointree->fromlist == NIL && query->jointree->quals == NULL &&
		!query->hasAggs && !query->hasWindowFuncs && !query->hasTargetSRFs &&
		query->groupClause == NIL && query->groupingSets == NIL && query->havingQual == NULL &&
		query->limitOffset == NULL && query->limitCount == NULL && list_length(query->targetList) == 1;
}

/* Reads it any rows? */
static bool
reads_rows(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
		return ((RangeTblEntry *) node)->rtekind == RTE_RELATION || ((RangeTblEntry *) node)->rtekind == RTE_FUNCTION;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, reads_rows, context, QTW_EXAMINE_RTES_BEFORE);
	return expression_tree_walker(node, reads_rows, context);
}

/* A scalar result as the function's type. */
static void
coerce_result(Query *query, Oid type)
{
	TargetEntry *target = query->targetList ? linitial_node(TargetEntry, query->targetList) : NULL;
	Node	   *coerced;

	if (target == NULL || exprType((Node *) target->expr) == type || get_typtype(type) == TYPTYPE_COMPOSITE ||
		get_typtype(type) == TYPTYPE_PSEUDO)
		return;
	coerced = coerce_to_target_type(NULL, (Node *) target->expr, exprType((Node *) target->expr), type, -1,
									COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	if (coerced)
		target->expr = (Expr *) coerced;
}

/* Why it can't be looked through; NULL: it can. */
static const char *
obstacle(const Expand *x, HeapTuple tuple)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	const char *name = NameStr(form->proname);

	if (list_member_oid(x->stack, form->oid))
		return psprintf("Function %s calls itself.", name);
	if (list_length(x->stack) >= MAX_DEPTH || x->pieces >= MAX_PIECES)
		return psprintf("Function %s is too deep in other functions to be looked through.", name);
	if (form->prosecdef && form->proowner != GetUserId())
		return psprintf("What function %s reads is its owner's business: it is SECURITY DEFINER.", name);
	if (wf_compat_function_aclcheck(form->oid, GetUserId(), ACL_EXECUTE) != ACLCHECK_OK)
		return psprintf("Function %s may not be executed.", name);
	return NULL;
}

/*
 * The query of a call, not written out itself yet; NULL: it stays a call.
 * depth: of the query under the call.
 */
static Query *
query_of_call(Expand *x, FuncExpr *call, HeapTuple tuple, List *args)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	const char *reason = obstacle(x, tuple);
	UntiedKind	kind = UNTIED_PART;
	Query	   *query = NULL;

	if (reason == NULL)
	{
		FuncExpr   *resolved = copyObject(call);

		resolved->args = args;
		query = result_query(statements_of(tuple, resolved));
		if (query == NULL)
		{
			kind = UNTIED_VOLATILE;
			reason = psprintf("Function %s does not only select.", NameStr(form->proname));
		}
	}
	if (reason)
	{
		if (form->provolatile != PROVOLATILE_IMMUTABLE)
			give_up(x, kind, call->location, reason);
		return NULL;
	}
	if (form->provolatile == PROVOLATILE_IMMUTABLE && !query_tree_walker(query, reads_rows, NULL, QTW_EXAMINE_RTES_BEFORE))
		return NULL;
	coerce_result(query, call->funcresulttype);
	return query;
}

/* Writes the query of a call out, as what it is under the call.  NULL: it is too much,
 * and stays a call. */
static Query *
expand_body(Expand *x, FuncExpr *call, HeapTuple tuple, Query *query, List *args, int depth)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	Expand		outer = *x;

	x->location = place(x, call->location);
	x->flags |= LEVEL_OTHER_TEXT;
	if (!heap_attisnull(tuple, Anum_pg_proc_proconfig, NULL))
		x->flags |= LEVEL_OTHER_SETTINGS;
	x->stack = lappend_oid(list_copy(x->stack), form->oid);
	x->queries = NIL;
	/* the body first: what the arguments hold is another's text */
	query = has_room(x, query) ? substitute(x, expand_query(query, x), args, depth) : NULL;
	end_part(x, &outer);
	if (query == NULL)
		give_up(x, UNTIED_PART, call->location,
				psprintf("Function %s and what it calls are too big to be looked through.", NameStr(form->proname)));
	return query;
}

static bool
is_sql_function(Oid function)
{
	HeapTuple	tuple;
	bool		result;

	if (function < FirstNormalObjectId)
		return false;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_proc) GETSTRUCT(tuple))->prolang == SQLlanguageId &&
		((Form_pg_proc) GETSTRUCT(tuple))->prokind == PROKIND_FUNCTION;
	ReleaseSysCache(tuple);
	return result;
}

static SubLink *
make_sublink(Query *query, int location)
{
	SubLink    *link = makeNode(SubLink);

	link->subLinkType = EXPR_SUBLINK;
	link->subselect = (Node *) query;
	link->location = location;
	return link;
}

/* A call in an expression, its arguments written out already. */
static Node *
expand_call(Expand *x, FuncExpr *call)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(call->funcid));
	List	   *args = expand_function_arguments(call->args, false, call->funcresulttype, tuple);
	Query	   *query = query_of_call(x, call, tuple, args);
	Node	   *result = (Node *) call;

	if (query)
	{
		bool		bare = is_bare(query) && heap_attisnull(tuple, Anum_pg_proc_proconfig, NULL);

		query = expand_body(x, call, tuple, query, args, bare ? 0 : 1);
		if (query == NULL)
			result = (Node *) call;
		else if (bare)
			result = (Node *) linitial_node(TargetEntry, query->targetList)->expr;
		else
			result = (Node *) make_sublink(query, call->location);
	}
	ReleaseSysCache(tuple);
	return result;
}

/* An operator is a call of its function. */
static FuncExpr *
call_of_operator(const OpExpr *op)
{
	FuncExpr   *call = makeFuncExpr(op->opfuncid, op->opresulttype, op->args, op->opcollid, op->inputcollid,
									COERCE_EXPLICIT_CALL);

	call->funcretset = op->opretset;
	call->location = op->location;
	return call;
}

static Node *
expand_mutator(Node *node, void *context)
{
	Expand	   *x = context;

	if (node == NULL)
		return NULL;
	if (IsA(node, Query))
		return (Node *) expand_query((Query *) node, x);
	node = expression_tree_mutator(node, expand_mutator, context);
	if (IsA(node, FieldSelect))
		return column_of_row((FieldSelect *) node);
	if (IsA(node, FuncExpr) && is_sql_function(((FuncExpr *) node)->funcid))
		return expand_call(x, (FuncExpr *) node);
	if (IsA(node, OpExpr))
	{
		set_opfuncid((OpExpr *) node);
		if (is_sql_function(((OpExpr *) node)->opfuncid))
			return expand_call(x, call_of_operator((OpExpr *) node));
	}
	return node;
}

/* ----------------------------------------------------------------
 * Entries of a range table
 * ----------------------------------------------------------------
 */

static void
make_subquery(RangeTblEntry *rte, Query *query)
{
	rte->rtekind = RTE_SUBQUERY;
	rte->subquery = query;
}

/* Does a view read its tables with its owner's rights, which are not ours? */
static bool
has_other_rights(Relation view)
{
	return !RelationHasSecurityInvoker(view) && view->rd_rel->relowner != GetUserId();
}

static void
expand_view(Expand *x, RangeTblEntry *rte)
{
	Relation	view = table_open(rte->relid, AccessShareLock);
	Expand		outer = *x;
	Query	   *query;

	x->views = list_append_unique_oid(x->views, rte->relid);
	if (!has_room(x, get_view_query(view)))
		give_up(x, UNTIED_PART, -1, psprintf("View %s is too deep in others to be looked through.", RelationGetRelationName(view)));
	else
	{
		query = copyObject(get_view_query(view));
		AcquireRewriteLocks(query, true, false);
		(void) clear_walker((Node *) query, NULL);
		x->flags |= LEVEL_OTHER_TEXT;
		if (has_other_rights(view))
			x->flags |= LEVEL_OTHER_RIGHTS;
		x->queries = NIL;
		make_subquery(rte, expand_query(query, x));
	}
	table_close(view, NoLock);
	end_part(x, &outer);
}

/* WITH name AS (...): a copy for each use. */
static void
expand_cte(Expand *x, RangeTblEntry *rte)
{
	int			n = list_length(x->queries) - 1 - (int) rte->ctelevelsup;
	ListCell   *lc;
	Query	   *query;

	if (rte->self_reference || n < 0)
		return;
	foreach(lc, ((Query *) list_nth(x->queries, n))->cteList)
	{
		CommonTableExpr *cte = lfirst_node(CommonTableExpr, lc);

		if (strcmp(cte->ctename, rte->ctename) != 0)
			continue;
		if (!has_room(x, castNode(Query, cte->ctequery)))
		{
			give_up(x, UNTIED_PART, -1, psprintf("WITH query %s is too deep in others to be looked through.", rte->ctename));
			return;
		}
		query = copyObject(castNode(Query, cte->ctequery));
		if (rte->ctelevelsup > 0)
			IncrementVarSublevelsUp((Node *) query, rte->ctelevelsup, 1);
		if (cte->cterecursive)
			query->stmt_len |= LEVEL_NO_COLUMNS;	/* its rows lead to others of its rows */
		make_subquery(rte, query);		/* written out with the others */
	}
}

/* A function in FROM; its columns are those of its query, unless that gives one row value. */
static void
expand_from_call(Expand *x, RangeTblEntry *rte)
{
	RangeTblFunction *rtf = linitial_node(RangeTblFunction, rte->functions);
	FuncExpr   *call = (FuncExpr *) rtf->funcexpr;
	HeapTuple	tuple;
	List	   *args;
	Query	   *query;

	if (list_length(rte->functions) != 1 || !IsA(call, FuncExpr) || !is_sql_function(call->funcid))
		return;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(call->funcid));
	args = (List *) expand_mutator((Node *) expand_function_arguments(call->args, false, call->funcresulttype, tuple), x);
	query = query_of_call(x, call, tuple, args);
	if (query)
		query = expand_body(x, call, tuple, query, args, 1);
	if (query)
	{
		if (list_length(query->targetList) != list_length(rte->eref->colnames) || rte->funcordinality)
			query->stmt_len |= LEVEL_NO_COLUMNS;
		rte->functions = NIL;
		rte->funcordinality = false;
		make_subquery(rte, query);
	}
	ReleaseSysCache(tuple);
}

static void
expand_entry(Expand *x, RangeTblEntry *rte)
{
	if (rte->rtekind == RTE_RELATION && rte->relkind == RELKIND_VIEW)
		expand_view(x, rte);
	else if (rte->rtekind == RTE_CTE)
		expand_cte(x, rte);
	else if (rte->rtekind == RTE_FUNCTION)
		expand_from_call(x, rte);
}

/* Which entries are read?  The others are an old view's OLD and NEW. */
static void
used_entries(Node *node, Bitmapset **used)
{
	ListCell   *lc;

	if (node == NULL)
		return;
	if (IsA(node, RangeTblRef))
		*used = bms_add_member(*used, ((RangeTblRef *) node)->rtindex);
	else if (IsA(node, FromExpr))
	{
		foreach(lc, ((FromExpr *) node)->fromlist)
			used_entries(lfirst(lc), used);
	}
	else if (IsA(node, JoinExpr))
	{
		used_entries(((JoinExpr *) node)->larg, used);
		used_entries(((JoinExpr *) node)->rarg, used);
	}
}

static Query *
expand_query(Query *query, Expand *x)
{
	Bitmapset  *used = NULL;
	int			i = -1;

	if (query->stmt_len & LEVEL_EXPANDED)
		return query;
	check_stack_depth();
	mark(query, x);
	query->stmt_len |= LEVEL_EXPANDED;
	x->queries = lappend(list_copy(x->queries), query);
	used_entries((Node *) query->jointree, &used);
	while ((i = bms_next_member(used, i)) >= 0)
		expand_entry(x, rt_fetch(i, query->rtable));
	query = query_tree_mutator(query, expand_mutator, x, QTW_DONT_COPY_QUERY | QTW_IGNORE_CTE_SUBQUERIES);
	x->queries = list_delete_last(list_copy(x->queries));
	return query;
}

/* A copy of the query with everything written out; *untied: what could not be. */
Query *
wf_expand(Query *query, List **untied, List **views)
{
	Expand		x = {0};

	x.location = -1;
	x.room = MAX_NODES;
	query = copyObject(query);
	(void) clear_walker((Node *) query, NULL);
	query = expand_query(query, &x);
	*untied = x.untied;
	*views = x.views;
	return query;
}
