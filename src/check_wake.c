/*
 * check_wake.c -- what capture must watch for those who are inside: the rows of
 * row arguments, and rows of other tables that conditions and moments read.
 *
 * Called by check.c, check_clause.c and check_statement.c with analysed queries, as
 * the workflow's owner.  What no change of a row shows is looked at again and
 * again; a NOTICE says what that is.
 */
#include "postgres.h"
#include "compat.h"

#include "analyze_internal.h"
#include "analyze_ties.h"
#include "check_internal.h"
#include "nodes/nodeFuncs.h"
#include "settings.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"

/*
 * Columns of the arguments
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

/*
 * Other tables
 */

static bool
same_name(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_path(List *a, List *b)
{
	ListCell   *la;
	ListCell   *lb;

	if (list_length(a) != list_length(b))
		return false;
	forboth(la, a, lb, b)
	{
		const PathStep *one = lfirst(la);
		const PathStep *other = lfirst(lb);

		if (one->relation != other->relation || !same_name(one->match, other->match) ||
			!same_name(one->column, other->column))
			return false;
	}
	return true;
}

static bool
same_conditions(Jsonb *a, Jsonb *b)
{
	return compareJsonbContainers(&a->root, &b->root) == 0;
}

/* Does the rule lead from the table by the same way, under the same conditions? */
static bool
is_rule_of(const CheckedRule *rule, const TableRead *read, Jsonb *conditions)
{
	if (rule->kind != RULE_TABLE || rule->relation != read->relation || rule->has_path != (read->path != NIL))
		return false;
	if (rule->has_path ? !same_path(rule->path, read->path) : strcmp(linitial(rule->ties), read->column) != 0)
		return false;
	return same_conditions(rule->conditions, conditions);
}

static List *
copy_path(List *path)
{
	List	   *copy = NIL;
	ListCell   *lc;

	foreach(lc, path)
	{
		const PathStep *step = lfirst(lc);
		PathStep   *to = palloc(sizeof(PathStep));

		to->relation = step->relation;
		to->match = step->match ? pstrdup(step->match) : NULL;
		to->column = pstrdup(step->column);
		copy = lappend(copy, to);
	}
	return copy;
}

static CheckedRule *
make_table_rule(Check *ck, const TableRead *read, Jsonb *conditions)
{
	MemoryContext old = MemoryContextSwitchTo(ck->keep);
	CheckedRule *rule = palloc0(sizeof(CheckedRule));

	rule->kind = RULE_TABLE;
	rule->clause = ++ck->nreads;
	rule->relation = read->relation;
	rule->operations = OP_INSERT | OP_UPDATE | OP_DELETE;
	rule->conditions = (Jsonb *) DatumGetPointer(datumCopy(JsonbPGetDatum(conditions), false, -1));
	rule->has_path = read->path != NIL;
	rule->path = copy_path(read->path);
	if (!rule->has_path)
		rule->ties = list_make1(pstrdup(read->column));
	else
	{
		rule->image_old = list_make1(pstrdup(read->column));
		rule->image_new = list_make1(pstrdup(read->column));
	}
	ck->rules = lappend(ck->rules, rule);
	MemoryContextSwitchTo(old);
	return rule;
}

/* Has the table watched for the condition that reads it. */
static void
watch_table(Check *ck, const TableRead *read)
{
	Jsonb	   *conditions = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(read->conditions)));
	CheckedRule *rule = NULL;
	ListCell   *lc;

	foreach(lc, ck->rules)
	{
		if (is_rule_of(lfirst(lc), read, conditions))
			rule = lfirst(lc);
	}
	if (rule == NULL)
		rule = make_table_rule(ck, read, conditions);
	foreach(lc, read->columns)
		rule->columns = wf_check_add_column(ck, rule->columns, lfirst(lc));
}

/*
 * What can't be watched
 */

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

static void
note_untied(const Check *ck, const Untied *untied, Fragment f)
{
	if (!ck->notices)
		return;
	ereport(NOTICE,
			(errmsg("condition can't be tied to rows: rechecked every %s", duration_text(wf_recheck_interval)),
			 errdetail_internal("%s", untied->reason),
			 wf_errposition(ck->body, f.start + Max(untied->location, 0))));
}

/*
 * What a condition or a moment depends on: columns of the arguments and rows of
 * other tables are watched; anything else is looked at again and again.  The
 * clock is no reason to move a moment.
 */
void
wf_check_depends(Check *ck, Query *query, const Scope *scope, Fragment f, bool condition)
{
	FragmentContext context;
	Reads	   *reads;
	ListCell   *lc;

	wf_fragment_context_enter(&context, "", ck->body, f.start);
	reads = wf_analyze_reads(query, scope);
	wf_fragment_context_leave(&context);
	watch_columns(ck, reads->deps);
	foreach(lc, reads->tables)
	{
		if (((TableRead *) lfirst(lc))->reason == NULL)
			watch_table(ck, lfirst(lc));
	}
	foreach(lc, reads->untied)
	{
		const Untied *untied = lfirst(lc);

		if (!wf_untied_matters(untied, condition))
			continue;
		note_untied(ck, untied, f);
		break;
	}
}

/*
 * Row arguments
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
