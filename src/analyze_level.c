/*
 * analyze_level.c -- the tables of an expanded query: their columns that are
 * looked at, and what a row of each must meet to matter at all.
 *
 * Called by analyze_ties.c.  A row that does not meet the WHERE of its own query is
 * as good as not there, whatever the query makes of the others.  In an outer
 * join the side that may be missing has to meet the ON clause, and of the WHERE
 * above only what says nothing about that side: its absence is a result, too.
 * Sub-selects in FROM are looked at column by column, as far as the query around
 * them does.  Reads the query and the catalog; results are in the current
 * context.
 */
#include "postgres.h"
#include "compat.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "analyze_internal.h"
#include "analyze_ties.h"
#include "check_decide.h"
#include "store.h"

typedef struct Walk
{
	Levels	   *levels;
	Level	   *level;
	Node	   *node;
} Walk;

static Level *enter(Levels *levels, Query *query, Level *parent, int entry, int location, bool optional);
static bool look_walker(Node *node, void *context);

List *
wf_untied_add(List *untied, UntiedKind kind, int location, const char *reason)
{
	Untied	   *entry;
	ListCell   *lc;

	foreach(lc, untied)
	{
		if (strcmp(((Untied *) lfirst(lc))->reason, reason) == 0)
			return untied;
	}
	entry = palloc(sizeof(Untied));
	entry->kind = kind;
	entry->location = location;
	entry->reason = reason;
	return lappend(untied, entry);
}

bool
wf_untied_matters(const Untied *untied, bool condition)
{
	return condition || (untied->kind != UNTIED_TIME && untied->kind != UNTIED_VOLATILE);
}

static void
look(Levels *levels, Level *level, Node *node)
{
	Walk		walk = {levels, level, NULL};

	(void) look_walker(node, &walk);
}

Level *
wf_level_up(Level *level, int n)
{
	while (n-- > 0 && level)
		level = level->parent;
	return level;
}

TargetEntry *
wf_level_target(const Query *query, int attno)
{
	ListCell   *lc;

	foreach(lc, query->targetList)
	{
		TargetEntry *target = lfirst_node(TargetEntry, lc);

		if (target->resno == attno && !target->resjunk)
			return target;
	}
	return NULL;
}

/* ----------------------------------------------------------------
 * Columns
 * ----------------------------------------------------------------
 */

static void demand_all(Levels *levels, Level *level);

/* Arms of a set operation. */
static void
demand_arms(Levels *levels, Level *level, int attno)
{
	for (int i = 1; i <= list_length(level->query->rtable); i++)
	{
		if (level->subs[i] == NULL)
			continue;
		if (attno == 0)
			demand_all(levels, level->subs[i]);
		else
		{
			Level	   *arm = level->subs[i];
			TargetEntry *target = wf_level_target(arm->query, attno);

			if (bms_is_member(attno, arm->demanded))
				continue;
			arm->demanded = bms_add_member(arm->demanded, attno);
			if (arm->query->setOperations)
				demand_arms(levels, arm, attno);
			else if (target)
				look(levels, arm, (Node *) target->expr);
		}
	}
}

/* A column of the query is looked at. */
static void
demand(Levels *levels, Level *level, int attno)
{
	TargetEntry *target = wf_level_target(level->query, attno);

	if (bms_is_member(attno, level->demanded))
		return;
	level->demanded = bms_add_member(level->demanded, attno);
	if (level->query->setOperations)
		demand_arms(levels, level, attno);
	else if (target)
		look(levels, level, (Node *) target->expr);
}

static void
demand_all(Levels *levels, Level *level)
{
	ListCell   *lc;

	foreach(lc, level->query->targetList)
		demand(levels, level, lfirst_node(TargetEntry, lc)->resno);
}

static void
look_at_entry(Levels *levels, Level *level, RangeTblEntry *rte, int entry, int attno)
{
	switch (rte->rtekind)
	{
		case RTE_RELATION:
			if (level->tables[entry] == NULL)
				break;
			if (attno > 0)
				level->tables[entry]->columns = bms_add_member(level->tables[entry]->columns, attno);
			else if (attno != TableOidAttributeNumber)
				level->tables[entry]->whole = true;
			break;
		case RTE_SUBQUERY:
			if (level->subs[entry] == NULL)
				break;
			if (attno > 0 && !(level->subs[entry]->flags & LEVEL_NO_COLUMNS))
				demand(levels, level->subs[entry], attno);
			else
				demand_all(levels, level->subs[entry]);
			break;
		case RTE_JOIN:
			if (attno > 0)
				look(levels, level, list_nth(rte->joinaliasvars, attno - 1));
			else
				look(levels, level, (Node *) rte->joinaliasvars);
			break;
		default:
			if (wf_compat_group_expr(rte, attno))
				look(levels, level, wf_compat_group_expr(rte, attno));
			break;
	}
}

static void
look_at_var(Walk *walk, Var *var)
{
	Level	   *level = wf_level_up(walk->level, var->varlevelsup);

	if (level && var->varno >= 1 && var->varno <= list_length(level->query->rtable))
		look_at_entry(walk->levels, level, rt_fetch(var->varno, level->query->rtable), var->varno, var->varattno);
}

/* ----------------------------------------------------------------
 * Functions
 * ----------------------------------------------------------------
 */

static void
give_up(Walk *walk, UntiedKind kind, const char *reason)
{
	Level	   *level = walk->level;
	int			location = (level->flags & LEVEL_OTHER_TEXT) || walk->node == NULL ? level->location : exprLocation(walk->node);

	walk->levels->untied = wf_untied_add(walk->levels->untied, kind, location, reason);
}

static void
note_time(Walk *walk)
{
	give_up(walk, UNTIED_TIME, "The time goes by without a change of any row.");
}

static Oid
language_of(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			language = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		language = ((Form_pg_proc) GETSTRUCT(tuple))->prolang;
		ReleaseSysCache(tuple);
	}
	return language;
}

/* Functions of the core that read the clock. */
static bool
reads_clock(Oid function)
{
	return function == F_NOW || function == F_TRANSACTION_TIMESTAMP || function == F_STATEMENT_TIMESTAMP ||
		function == F_CLOCK_TIMESTAMP || function == F_TIMEOFDAY ||
		function == F_AGE_TIMESTAMP || function == F_AGE_TIMESTAMPTZ;
}

/* check_function_callback: says of what can't be seen through that it can't be. */
static bool
judge_function(Oid function, void *context)
{
	Walk	   *walk = context;
	char		volatility = func_volatile(function);
	char	   *name = get_func_name(function);

	if (name == NULL)
		return false;
	if (reads_clock(function))
		note_time(walk);
	else if (volatility == PROVOLATILE_IMMUTABLE || wf_is_own_function(function, "finished"))
		return false;
	else if (function >= FirstNormalObjectId && get_func_namespace(function) == wf_store_namespace())
		note_time(walk);				/* business time and the like */
	else if (language_of(function) == SQLlanguageId && function >= FirstNormalObjectId)
		return false;					/* why it was not looked through is said already */
	else if (volatility == PROVOLATILE_VOLATILE)
		give_up(walk, UNTIED_VOLATILE, psprintf("Function %s is volatile: its value may change at any time.", name));
	else if (function >= FirstNormalObjectId)
		give_up(walk, UNTIED_PART,
				psprintf("What function %s reads can't be seen: it is neither immutable nor written in SQL.", name));
	return false;
}

/* ----------------------------------------------------------------
 * Expressions
 * ----------------------------------------------------------------
 */

/* Notes sub-selects in a condition that only ANDs and ORs are around. */
static void
note_positive(Levels *levels, Node *condition)
{
	ListCell   *lc;

	if (condition == NULL)
		return;
	if (IsA(condition, SubLink))
		levels->positive = lappend(levels->positive, condition);
	else if (is_andclause(condition) || is_orclause(condition))
	{
		foreach(lc, ((BoolExpr *) condition)->args)
			note_positive(levels, lfirst(lc));
	}
}

static void
look_at_sublink(Walk *walk, SubLink *link)
{
	Levels	   *levels = walk->levels;
	SubLevel   *sub = palloc(sizeof(SubLevel));

	look(levels, walk->level, link->testexpr);
	sub->link = link;
	sub->level = enter(levels, castNode(Query, link->subselect), walk->level, 0, link->location, false);
	sub->level->link = link;
	sub->level->positive = list_member_ptr(levels->positive, link);
	walk->level->sublinks = lappend(walk->level->sublinks, sub);
	if (link->subLinkType != EXISTS_SUBLINK)
		demand_all(levels, sub->level);
}

static bool
look_walker(Node *node, void *context)
{
	Walk	   *walk = context;

	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		look_at_var(walk, (Var *) node);
		return false;
	}
	if (IsA(node, SubLink))
	{
		look_at_sublink(walk, (SubLink *) node);
		return false;
	}
	if (IsA(node, Query))
		return false;
	if (!IsA(node, List) && !IsA(node, FromExpr) && !IsA(node, JoinExpr) && !IsA(node, RangeTblRef))
		walk->node = node;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXTERN && ((Param *) node)->paramid == PARAM_NOW)
		note_time(walk);
	if (IsA(node, SQLValueFunction) && ((SQLValueFunction *) node)->op <= SVFOP_LOCALTIMESTAMP_N)
		note_time(walk);
	if (IsA(node, NextValueExpr))
		give_up(walk, UNTIED_VOLATILE, "A sequence gives another value each time.");
	(void) check_functions_in_node(node, judge_function, walk);
	return expression_tree_walker(node, look_walker, context);
}

/* ----------------------------------------------------------------
 * FROM
 * ----------------------------------------------------------------
 */

static List *
conjuncts_of(Node *quals)
{
	return quals ? wf_decide_conjuncts(quals) : NIL;
}

/* Entries in a part of FROM, joins included. */
static Relids
entries_in(Node *node)
{
	Relids		entries = NULL;
	ListCell   *lc;

	if (IsA(node, RangeTblRef))
		return bms_make_singleton(((RangeTblRef *) node)->rtindex);
	if (IsA(node, FromExpr))
	{
		foreach(lc, ((FromExpr *) node)->fromlist)
			entries = bms_join(entries, entries_in(lfirst(lc)));
		return entries;
	}
	entries = bms_join(entries_in(((JoinExpr *) node)->larg), entries_in(((JoinExpr *) node)->rarg));
	if (((JoinExpr *) node)->rtindex > 0)
		entries = bms_add_member(entries, ((JoinExpr *) node)->rtindex);
	return entries;
}

/* Those that say nothing about the entries. */
static List *
about_others(List *quals, Relids entries)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, quals)
	{
		if (!bms_overlap(pull_varnos(NULL, lfirst(lc)), entries))
			result = lappend(result, lfirst(lc));
	}
	return result;
}

/* Kind of the join, given what its rows have to meet: a condition that no missing
 * row meets makes it an inner one. */
static JoinType
join_kind(const JoinExpr *join, List *quals)
{
	Relids		there = find_nonnullable_rels((Node *) quals);
	bool		left = bms_overlap(there, entries_in(join->larg));
	bool		right = bms_overlap(there, entries_in(join->rarg));

	switch (join->jointype)
	{
		case JOIN_LEFT:
			return right ? JOIN_INNER : JOIN_LEFT;
		case JOIN_RIGHT:
			return left ? JOIN_INNER : JOIN_RIGHT;
		case JOIN_FULL:
			if (left && right)
				return JOIN_INNER;
			return left ? JOIN_LEFT : (right ? JOIN_RIGHT : JOIN_FULL);
		default:
			return join->jointype;
	}
}

static void enter_from(Levels *levels, Level *level, Node *node, List *quals, bool sure);

/* sure: no join around may leave the rows out. */
static void
enter_join(Levels *levels, Level *level, JoinExpr *join, List *quals, bool sure)
{
	JoinType	kind = join_kind(join, quals);
	List	   *on = conjuncts_of(join->quals);
	List	   *left = quals;
	List	   *right = quals;

	if (kind == JOIN_INNER)
	{
		left = right = list_concat_copy(quals, on);
		if (sure)
			level->must = list_concat_copy(level->must, on);
	}
	else if (kind == JOIN_LEFT)
		right = list_concat(about_others(quals, entries_in(join->rarg)), on);
	else if (kind == JOIN_RIGHT)
		left = list_concat(about_others(quals, entries_in(join->larg)), on);
	else
		left = right = about_others(quals, entries_in((Node *) join));
	enter_from(levels, level, join->larg, left, sure && (kind == JOIN_INNER || kind == JOIN_LEFT));
	enter_from(levels, level, join->rarg, right, sure && (kind == JOIN_INNER || kind == JOIN_RIGHT));
}

static void
enter_table(Levels *levels, Level *level, RangeTblEntry *rte, int entry, bool optional)
{
	Table	   *table = palloc0(sizeof(Table));

	table->level = level;
	table->entry = entry;
	table->relation = rte->relid;
	table->inherits = rte->inh;
	table->optional = optional;
	level->tables[entry] = table;
	levels->tables = lappend(levels->tables, table);
	if (rte->tablesample)
		levels->untied = wf_untied_add(levels->untied, UNTIED_VOLATILE, level->location,
									   "TABLESAMPLE gives other rows each time.");
}

static void
enter_entry(Levels *levels, Level *level, int entry, bool sure)
{
	bool		optional = !sure || level->optional;
	RangeTblEntry *rte = rt_fetch(entry, level->query->rtable);

	if (rte->rtekind == RTE_RELATION)
		enter_table(levels, level, rte, entry, optional);
	else if (rte->rtekind == RTE_SUBQUERY)
		level->subs[entry] = enter(levels, rte->subquery, level, entry, level->location, optional);
}

static void
enter_from(Levels *levels, Level *level, Node *node, List *quals, bool sure)
{
	ListCell   *lc;

	check_stack_depth();
	if (IsA(node, RangeTblRef))
	{
		int			entry = ((RangeTblRef *) node)->rtindex;

		level->quals[entry] = quals;
		enter_entry(levels, level, entry, sure);
	}
	else if (IsA(node, FromExpr))
	{
		List	   *where = conjuncts_of(((FromExpr *) node)->quals);

		note_positive(levels, ((FromExpr *) node)->quals);
		if (sure)
			level->must = list_concat_copy(level->must, where);
		quals = list_concat_copy(quals, where);
		foreach(lc, ((FromExpr *) node)->fromlist)
			enter_from(levels, level, lfirst(lc), quals, sure);
	}
	else
		enter_join(levels, level, castNode(JoinExpr, node), quals, sure);
}

/* What the entries of FROM that are neither tables nor queries hold. */
static void
look_at_entries(Levels *levels, Level *level)
{
	ListCell   *lc;

	foreach(lc, level->query->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		look(levels, level, (Node *) rte->functions);
		look(levels, level, (Node *) rte->values_lists);
		look(levels, level, (Node *) rte->tablefunc);
		look(levels, level, (Node *) rte->tablesample);
	}
}

/* ----------------------------------------------------------------
 * Queries
 * ----------------------------------------------------------------
 */

/* Columns by which rows are grouped, made distinct, chosen or put into windows. */
static void
look_at_groups(Levels *levels, Level *level)
{
	Query	   *query = level->query;
	bool		order = query->limitCount || query->limitOffset || query->distinctClause != NIL;
	ListCell   *lc;

	if (query->groupClause == NIL && query->groupingSets == NIL && query->windowClause == NIL && !order)
		return;
	foreach(lc, query->targetList)
	{
		TargetEntry *target = lfirst_node(TargetEntry, lc);

		if (target->ressortgroupref != 0)
			look(levels, level, (Node *) target->expr);
	}
}

static bool
keeps_all_rows(Node *setop)
{
	SetOperationStmt *stmt = (SetOperationStmt *) setop;

	if (IsA(setop, RangeTblRef))
		return true;
	return stmt->op == SETOP_UNION && stmt->all && keeps_all_rows(stmt->larg) && keeps_all_rows(stmt->rarg);
}

static void
enter_arms(Levels *levels, Level *level, Node *setop)
{
	if (IsA(setop, RangeTblRef))
		enter_entry(levels, level, ((RangeTblRef *) setop)->rtindex, true);
	else
	{
		enter_arms(levels, level, ((SetOperationStmt *) setop)->larg);
		enter_arms(levels, level, ((SetOperationStmt *) setop)->rarg);
	}
}

/* Everything but its columns, which are looked at as far as they are asked for. */
static Level *
enter(Levels *levels, Query *query, Level *parent, int entry, int location, bool optional)
{
	Level	   *level = palloc0(sizeof(Level));
	int			n = list_length(query->rtable) + 1;

	check_stack_depth();
	query->jointree = (FromExpr *) wf_compat_flatten_join_vars(query, (Node *) query->jointree);
	level->parent = parent;
	level->query = query;
	level->flags = query->stmt_len;
	level->location = (level->flags & LEVEL_OTHER_TEXT) ? query->stmt_location : location;
	level->entry = entry;
	level->optional = optional;
	level->subs = palloc0(sizeof(Level *) * n);
	level->tables = palloc0(sizeof(Table *) * n);
	level->quals = palloc0(sizeof(List *) * n);
	enter_from(levels, level, (Node *) query->jointree, NIL, true);
	if (query->setOperations)
		enter_arms(levels, level, query->setOperations);
	look(levels, level, (Node *) query->jointree);
	look(levels, level, query->havingQual);
	look(levels, level, query->limitCount);
	look(levels, level, query->limitOffset);
	look(levels, level, (Node *) query->windowClause);
	look_at_entries(levels, level);
	look_at_groups(levels, level);
	if (query->distinctClause != NIL || query->hasTargetSRFs ||
		(query->setOperations && (query->limitCount || query->limitOffset || !keeps_all_rows(query->setOperations))))
		demand_all(levels, level);
	return level;
}

void
wf_levels_walk(Levels *levels, Query *query)
{
	Level	   *level = enter(levels, query, NULL, 0, -1, false);
	ListCell   *lc;

	foreach(lc, query->targetList)
		note_positive(levels, (Node *) lfirst_node(TargetEntry, lc)->expr);
	demand_all(levels, level);
}
