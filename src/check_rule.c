/*
 * check_rule.c -- what capture must watch for a change that is spoken of: the rule
 * of an AFTER clause or a WAIT FOR, split into conditions the row trigger can
 * decide from stored data (check_decide.c) and the rest, which only the executor
 * may evaluate.
 *
 * Called by check_clause.c and check_wake.c with analysed queries, as
 * the workflow's owner.
 */
#include "postgres.h"
#include "compat.h"

#include "analyze_internal.h"
#include "analyze_ties.h"
#include "check_decide.h"
#include "check_internal.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

/*
 * Rules of AFTER and WAIT FOR
 */

/* A rule without conditions yet; it outlives the clause's memory.  ordinal: of the
 * clause or the statement. */
CheckedRule *
wf_check_rule_start(Check *ck, char kind, int ordinal, const Change *change, Oid relation)
{
	CheckedRule *rule = MemoryContextAllocZero(ck->keep, sizeof(CheckedRule));
	ListCell   *lc;

	rule->kind = kind;
	rule->clause = ordinal;
	rule->relation = relation;
	rule->operations = change->operations;
	foreach(lc, change->columns)
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
	if (!wf_decide_is_plain(column.type) || !wf_decide_compares(column.type))
	{
		rule->residual = true;
		if (on_old)
			rule->image_old = wf_check_add_column(ck, rule->image_old, column.name);
		else
			rule->image_new = wf_check_add_column(ck, rule->image_new, column.name);
		return;
	}
	con = castNode(Const, wf_check_literal(ck, literal, column.type));
	wf_decide_append(conditions, &column, on_old ? "from" : "to",
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
	foreach(lc, wf_decide_conjuncts((Node *) ((TargetEntry *) linitial(when->targetList))->expr))
	{
		if (!wf_decide_conjunct(lfirst(lc), conditions))
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

/* What leads a change to those who wait for it. */
static void
set_tie(Check *ck, CheckedRule *rule, const ChangeTie *tie)
{
	MemoryContext old = MemoryContextSwitchTo(ck->keep);
	PathStep   *step;

	if (tie->plain)
		rule->ties = list_make1(pstrdup(tie->column));
	else
	{
		rule->has_path = true;
		if (tie->column)
		{
			step = palloc0(sizeof(PathStep));
			step->column = pstrdup(tie->column);
			rule->path = list_make1(step);
		}
	}
	MemoryContextSwitchTo(old);
}

/* The rule of a WAIT FOR, whose WHEN has the tie. */
void
wf_check_rule_change(Check *ck, const Statement *stmt, Oid relation, Query *when, const Scope *scope,
					 const ChangeTie *tie)
{
	const Change *change = &stmt->change;
	CheckedRule *rule = wf_check_rule_start(ck, RULE_CHANGE, stmt->ordinal, change, relation);
	StringInfoData conditions;

	initStringInfo(&conditions);
	wf_check_rule_literals(ck, rule, &conditions, change);
	wf_check_rule_when(ck, rule, &conditions, when, scope, change->when);
	set_tie(ck, rule, tie);
	wf_check_rule_finish(ck, rule, &conditions);
}

/* AT: the moment of a row is computed when it is made, and when one of these
 * columns (NULL: any) changes. */
void
wf_check_rule_at(Check *ck, const Clause *clause, List *columns)
{
	CheckedRule *rule = MemoryContextAllocZero(ck->keep, sizeof(CheckedRule));
	MemoryContext old;
	ListCell   *lc;

	rule->kind = RULE_AT;
	rule->clause = clause->ordinal;
	rule->relation = ck->sig->args[0].relation;
	rule->operations = columns == NIL ? OP_INSERT : OP_INSERT | OP_UPDATE;
	foreach(lc, columns)
		rule->columns = wf_check_add_column(ck, rule->columns, lfirst(lc));
	old = MemoryContextSwitchTo(ck->keep);
	ck->rules = lappend(ck->rules, rule);
	MemoryContextSwitchTo(old);
}
