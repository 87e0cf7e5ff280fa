/*
 * interp_wait.c -- the waits of a running program: how they begin, what ends
 * them, and whose changes wake the enrollment meanwhile.
 *
 * Called by interp.c, as the workflow's owner with the workflow's path in force.
 * Nothing is written to an engine table: what is waited for is put into the
 * enrollment in memory.  Everything is allocated in the item's context.
 *
 * A wait that is tied is asked again when a row it depends on changes.  First
 * the condition is evaluated with a snapshot taken now, then its ties are
 * registered, and both commit with the wait: a change that the evaluation did not
 * see is read by a later batch, which finds the ties.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "change.h"
#include "clock.h"
#include "compat.h"
#include "goal.h"
#include "interp_wait.h"
#include "owner.h"
#include "send.h"
#include "wait.h"

static List *asked_finished = NIL;		/* of int64 *: ids automation.finished() said "not yet" of in this item */
static MemoryContext asked_context = NULL;	/* set while a condition is asked */

/* --- asking --- */

/* automation.finished(id) was asked in an item and is not true yet. */
void
wf_run_asked_finished(int64 id)
{
	MemoryContext old;
	int64	   *copy;

	if (asked_context == NULL)
		return;
	old = MemoryContextSwitchTo(asked_context);
	copy = palloc(sizeof(int64));
	*copy = id;
	asked_finished = lappend(asked_finished, copy);
	MemoryContextSwitchTo(old);
}

void
wf_wait_forget_asked(void)
{
	asked_finished = NIL;
	asked_context = NULL;
}

bool
wf_wait_ask(Run *run, Expression *expr)
{
	bool		holds;

	asked_context = run->frame->context;
	holds = wf_expr_true(expr, run->frame);
	asked_context = NULL;
	return holds;
}

static void
set_found(Run *run, bool found)
{
	wf_run_set_found(run, found);
}

/* --- ties --- */

static int
compare_ties(const ListCell *a, const ListCell *b)
{
	int64		left = *(int64 *) lfirst(a);
	int64		right = *(int64 *) lfirst(b);

	return left < right ? -1 : left > right;
}

static bool
same_ties(const List *left, const List *right)
{
	const ListCell *a;
	const ListCell *b;

	if (list_length(left) != list_length(right))
		return false;
	forboth(a, left, b, right)
		if (*(int64 *) lfirst(a) != *(int64 *) lfirst(b))
			return false;
	return true;
}

static List *
add_tie(List *ties, int64 tie)
{
	int64	   *copy = palloc(sizeof(int64));

	*copy = tie;
	return lappend(ties, copy);
}

/* Ends of calls that were asked for in this item. */
static List *
finished_ties(void)
{
	List	   *ties = NIL;
	ListCell   *lc;

	foreach(lc, asked_finished)
		ties = add_tie(ties, wf_tie_finished(*(int64 *) lfirst(lc)));
	return ties;
}

/* Sorted, each once. */
static List *
in_order(List *ties)
{
	List	   *result = NIL;
	ListCell   *lc;

	list_sort(ties, compare_ties);
	foreach(lc, ties)
		if (result == NIL || *(int64 *) llast(result) != *(int64 *) lfirst(lc))
			result = lappend(result, lfirst(lc));
	return result;
}

/* Adds what a condition or a moment depends on. */
static void
add_ties(Run *run, Expression *expr)
{
	wf_expr_prepare(expr);
	if (expr->deps->calendar)
		run->e->ties = add_tie(run->e->ties, wf_tie_calendar());
	if (expr->ties != NIL)
		run->e->ties = list_concat(run->e->ties, wf_expr_ties(expr, run->frame));
	if (expr->swept)
		run->e->swept = true;
}

/* The expression that decides the wait; NULL: the time alone does. */
static Expression *
deciding_expression(const Run *run, const Instruction *ins)
{
	switch (run->e->waiting)
	{
		case WAITING_MOMENT:
		case WAITING_CONDITION:
			return ins->op == OP_GOAL ? NULL : ins->expr;	/* goals are asked besides */
		case WAITING_CHANGE:
			return ins->change->when;
		case WAITING_INTERVAL:
		case WAITING_DELIVERY:
		case WAITING_NONE:
		case WAITING_BEGIN:
			break;
	}
	return NULL;
}

bool
wf_wait_tie(Run *run, const Instruction *ins)
{
	Enrollment *e = run->e;
	List	   *ties = e->ties;
	bool		swept = e->swept;
	Expression *expr = deciding_expression(run, ins);

	e->ties = finished_ties();
	e->swept = false;
	if (expr)
		add_ties(run, expr);
	for (int i = 0; i < run->program->nexits; i++)
		add_ties(run, run->program->exits[i]);
	for (int i = wf_goal_next(run, -1); i >= 0; i = wf_goal_next(run, i))
		add_ties(run, run->program->code[run->program->goals[i]].expr);
	if (e->ties != NIL)
		e->ties = in_order(e->ties);
	return swept != e->swept || !same_ties(ties, e->ties);
}

/* --- beginning --- */

/* start + interval in the item's zone. */
static TimestampTz
after_interval(TimestampTz start, Datum interval)
{
	return wf_clock_plus(start, DatumGetIntervalP(interval));
}

/* Words for the views: the columns a wait depends on, of rows and of other tables. */
static char *
words_of(const Run *run, const Expression *expr)
{
	const Dependencies *deps = expr->deps;
	StringInfoData words;
	ListCell   *lc;

	initStringInfo(&words);
	foreach(lc, deps->columns)
	{
		DependentColumn *column = lfirst(lc);
		int			arg = column->param - PARAM_ARG(0);

		if (arg < 0 || arg >= run->program->sig->nargs)
			continue;
		appendStringInfo(&words, "%s%s%s%s", words.len ? ", " : "", run->program->sig->args[arg].name,
						 column->name ? "." : "", column->name ? column->name : "");
	}
	foreach(lc, expr->ties)
	{
		const TieSource *tie = lfirst(lc);
		char	   *table = get_rel_name(wf_source_relation(tie->source));

		if (table)
			appendStringInfo(&words, "%s%s.%s", words.len ? ", " : "", table, tie->column);
	}
	if (deps->finished)
		appendStringInfo(&words, "%sthe end of another enrollment", words.len ? ", " : "");
	return words.data;
}

/* Leaves no trace of the last wait. */
void
wf_wait_clear(Enrollment *e)
{
	e->waiting = WAITING_NONE;
	e->deadline = 0;
	e->moment = 0;
	e->began = 0;
	e->started = 0;
	e->taken_over = false;
	e->pending = 0;
	e->too_late = 0;
	e->swept = false;
	e->ties = NIL;
	e->waits_for = NULL;
	e->wake_at = 0;
	e->snapshot = NULL;
	e->change_xact = 0;
	e->change_seq = 0;
	e->delivery = 0;
}

/* Evaluates a moment; 0 = NULL. */
static TimestampTz
eval_moment(Run *run, Expression *expr)
{
	bool		isnull;
	Datum		value = wf_expr_eval(expr, run->frame, &isnull);
	TimestampTz moment;

	if (isnull)
		return 0;
	switch (expr->until)
	{
		case UNTIL_DATE:
			moment = wf_clock_of_local(DatumGetTimestamp(DirectFunctionCall1(date_timestamp, value)));
			break;
		case UNTIL_TIMESTAMP:
			moment = wf_clock_of_local(DatumGetTimestamp(value));
			break;
		default:
			moment = DatumGetTimestampTz(value);
			break;
	}
	return moment == 0 ? -1 : moment;	/* 2000-01-01 is long past, too */
}

/* The moment as it was meant when the wait began: now() + '1 day' does not move
 * on with the clock.  What stands in the rows, however, is as it is now. */
static TimestampTz
moment_since(Run *run, Expression *expr, TimestampTz began)
{
	TimestampTz moment;

	if (began == 0)
		return eval_moment(run, expr);
	wf_frame_set(run->frame, PARAM_NOW, TIMESTAMPTZOID, TimestampTzGetDatum(began), false);
	moment = eval_moment(run, expr);
	wf_frame_set(run->frame, PARAM_NOW, TIMESTAMPTZOID, TimestampTzGetDatum(run->now), false);
	return moment;
}

/* What a moment is, asked at some time; 0 = NULL. */
TimestampTz
wf_run_moment(Run *run, Expression *expr, TimestampTz now)
{
	TimestampTz moment;

	wf_frame_set(run->frame, PARAM_NOW, TIMESTAMPTZOID, TimestampTzGetDatum(now), false);
	moment = eval_moment(run, expr);
	wf_frame_set(run->frame, PARAM_NOW, TIMESTAMPTZOID, TimestampTzGetDatum(run->now), false);
	return moment;
}

/* When the timer of a wait has to fire: the moment or the deadline. */
static TimestampTz
wake_time(const Enrollment *e)
{
	if (e->moment != 0 && (e->deadline == 0 || e->moment < e->deadline))
		return e->moment;
	return e->deadline;
}

/* Days in a zone that is an expression: the end moves when the zone changes.  An
 * interval out of columns stays what it was when the wait began. */
static bool
end_depends_on_zone(const Run *run, const Instruction *ins, const Interval *interval)
{
	return run->program->time_zone && ins->expr->deps->columns == NIL &&
		(interval->day != 0 || interval->month != 0);
}

/* WAIT FOR interval: false = goes on at once. */
static bool
begin_wait_for(Run *run, const Instruction *ins)
{
	Enrollment *e = run->e;
	bool		isnull;
	Datum		interval = wf_expr_eval(ins->expr, run->frame, &isnull);

	wf_wait_clear(e);
	e->waits_for = words_of(run, ins->expr);
	if (isnull)
	{
		e->waiting = WAITING_MOMENT;	/* not known yet: decided by a change */
		e->began = run->now;
		return true;
	}
	if (end_depends_on_zone(run, ins, DatumGetIntervalP(interval)))
		e->began = run->now;
	e->deadline = after_interval(run->now, interval);
	e->waiting = WAITING_INTERVAL;
	e->wake_at = e->deadline;
	return e->deadline > run->now;
}

/* TIMEOUT, if there is one. */
static void
set_deadline_from(Run *run, const Instruction *ins, TimestampTz start)
{
	bool		isnull;
	Datum		interval;

	if (ins->timeout == NULL)
		return;
	interval = wf_expr_eval(ins->timeout, run->frame, &isnull);
	if (!isnull)
		run->e->deadline = after_interval(start, interval);
}

static void
set_deadline(Run *run, const Instruction *ins)
{
	set_deadline_from(run, ins, run->now);
}

/* WAIT UNTIL: false = goes on at once, FOUND is set. */
static bool
begin_wait_until(Run *run, const Instruction *ins)
{
	Enrollment *e = run->e;

	wf_wait_clear(e);
	wf_expr_prepare(ins->expr);
	e->waits_for = words_of(run, ins->expr);
	if (ins->expr->until == UNTIL_CONDITION)
	{
		if (wf_wait_ask(run, ins->expr))
			return false;
		e->waiting = WAITING_CONDITION;
	}
	else
	{
		if (ins->expr->deps->now)
			e->began = run->now;
		e->moment = eval_moment(run, ins->expr);
		if (e->moment != 0 && e->moment <= run->now)
			return false;
		e->waiting = WAITING_MOMENT;
	}
	set_deadline(run, ins);
	e->wake_at = wake_time(e);
	return true;
}

/* WAIT FOR a change: what is committed from now on counts. */
static bool
begin_wait_change(Run *run, const Instruction *ins)
{
	Enrollment *e = run->e;

	wf_wait_clear(e);
	e->waits_for = wf_change_words(ins->change);
	e->waiting = WAITING_CHANGE;
	wf_change_begin(e);
	set_deadline(run, ins);
	e->wake_at = e->deadline;
	return true;
}

static char *
goal_words(const Instruction *ins)
{
	return psprintf("goal %s", ins->stmt->name.name);
}

void
wf_wait_begin_goal(Run *run, const Instruction *ins)
{
	Enrollment *e = run->e;

	wf_wait_clear(e);
	e->waits_for = goal_words(ins);
	e->waiting = WAITING_CONDITION;
}

/* Begins the wait of a statement; see interp_wait.h. */
bool
wf_wait_begin(Run *run, const Instruction *ins)
{
	bool		waits;

	if (ins->op == OP_WAIT_FOR)
		waits = begin_wait_for(run, ins);
	else if (ins->op == OP_WAIT_UNTIL)
		waits = begin_wait_until(run, ins);
	else
		waits = begin_wait_change(run, ins);
	if (waits)
		return true;
	wf_wait_clear(run->e);
	set_found(run, true);
	return false;
}

/* --- waking --- */

/*
 * WAIT UNTIL condition.  What happened up to the deadline decides, however late
 * it is processed: a timer is looked at only after all earlier events, so the
 * condition is not asked again then, and a change after the deadline comes too
 * late.  A swept condition has no events, so it is asked once more.
 */
static WakeResult
wake_condition(Run *run, const Instruction *ins, TimestampTz at, bool timer)
{
	Enrollment *e = run->e;
	bool		late = e->deadline != 0 && at > e->deadline;
	bool		ask = ins->expr->swept || !(timer || late);

	if (ask && wf_wait_ask(run, ins->expr))
	{
		set_found(run, true);
		return WAKE_RESUMES;
	}
	if (e->deadline != 0 && run->now >= e->deadline && (timer || late))
	{
		set_found(run, false);
		return WAKE_RESUMES;
	}
	return WAKE_STAYS;
}

/* A moment that no row can move.  It is not asked for again, since there are
 * functions of the server's clock besides now(). */
static bool
is_settled(const Run *run, const Instruction *ins)
{
	return run->e->moment != 0 && run->program->time_zone == NULL &&
		ins->expr->deps->columns == NIL && !ins->expr->deps->sublink && !ins->expr->deps->calendar;
}

/*
 * WAIT UNTIL moment (or an interval that was unknown): it may have moved.  As with
 * a condition, what happened after the deadline does not move it any more.
 */
static WakeResult
wake_moment(Run *run, const Instruction *ins, TimestampTz at, bool timer)
{
	Enrollment *e = run->e;
	TimestampTz before = e->wake_at;
	bool		over = e->deadline != 0 && run->now >= e->deadline && (timer || at > e->deadline);

	if (ins->op == OP_WAIT_FOR)
	{
		bool		isnull;
		Datum		interval = wf_expr_eval(ins->expr, run->frame, &isnull);

		e->moment = isnull ? 0 : after_interval(e->began, interval);
	}
	else
	{
		wf_expr_prepare(ins->expr);
		if (!is_settled(run, ins) && (!over || ins->expr->swept))
			e->moment = moment_since(run, ins->expr, e->began);
	}
	if (e->moment != 0 && e->moment <= run->now && (e->deadline == 0 || e->moment <= e->deadline))
	{
		set_found(run, true);
		return WAKE_RESUMES;
	}
	if (over)
	{
		set_found(run, false);
		return WAKE_RESUMES;
	}
	e->wake_at = wake_time(e);
	return e->wake_at == before ? WAKE_STAYS : WAKE_MOVED;
}

/* WAIT FOR interval: is the time over? */
static WakeResult
wake_interval(Run *run, const Instruction *ins)
{
	Enrollment *e = run->e;
	TimestampTz before = e->deadline;

	if (e->began != 0)
	{
		bool		isnull;
		Datum		interval = wf_expr_eval(ins->expr, run->frame, &isnull);

		if (!isnull)
			e->deadline = after_interval(e->began, interval);
	}
	if (run->now >= e->deadline)
	{
		set_found(run, true);
		return WAKE_RESUMES;
	}
	e->wake_at = e->deadline;
	return e->deadline == before ? WAKE_STAYS : WAKE_MOVED;
}

/* WAIT FOR a change: one of those that came, oldest first, or the end of the time. */
static WakeResult
wake_change(Run *run, const Instruction *ins, TimestampTz at, bool timer)
{
	Enrollment *e = run->e;
	bool		late = e->deadline != 0 && at > e->deadline;
	ListCell   *lc;

	foreach(lc, run->changes)
	{
		if (!wf_change_matches(run, ins, lfirst(lc)))
			continue;
		set_found(run, true);
		return WAKE_RESUMES;
	}
	if (e->deadline != 0 && run->now >= e->deadline && (timer || late))
	{
		set_found(run, false);
		return WAKE_RESUMES;
	}
	return WAKE_STAYS;
}

/* Decides what a change, a timer or a sweep means for the wait; see interp_wait.h. */
WakeResult
wf_wait_wake(Run *run, const Instruction *ins, TimestampTz at, bool timer)
{
	WakeResult	result = WAKE_STAYS;

	switch (run->e->waiting)
	{
		case WAITING_INTERVAL:
			result = wake_interval(run, ins);
			break;
		case WAITING_MOMENT:
			result = wake_moment(run, ins, at, timer);
			break;
		case WAITING_CONDITION:
			if (ins->op != OP_GOAL)		/* else it was asked with the goals */
				result = wake_condition(run, ins, at, timer);
			break;
		case WAITING_CHANGE:
			result = wake_change(run, ins, at, timer);
			break;
		case WAITING_DELIVERY:
			result = wf_send_wake(run, ins);
			break;
		case WAITING_NONE:
		case WAITING_BEGIN:
			break;
	}
	if ((result == WAKE_STAYS || result == WAKE_MOVED) && !timer && wf_wait_tie(run, ins))
		result = WAKE_MOVED;
	return result;
}

/* --- from another version --- */

/* WAIT FOR interval of another version: what was waited already counts. */
static WakeResult
take_over_wait_for(Run *run, const Instruction *ins)
{
	Enrollment *e = run->e;
	bool		isnull;
	Datum		interval = wf_expr_eval(ins->expr, run->frame, &isnull);

	e->began = isnull || end_depends_on_zone(run, ins, DatumGetIntervalP(interval)) ? e->started : 0;
	e->waiting = isnull ? WAITING_MOMENT : WAITING_INTERVAL;
	e->deadline = isnull ? 0 : after_interval(e->started, interval);
	e->wake_at = e->deadline;
	if (isnull || e->deadline > run->now)
		return WAKE_MOVED;
	set_found(run, true);
	return WAKE_RESUMES;
}

/* WAIT UNTIL of another version: asked for anew, the limit counts from its beginning. */
static WakeResult
take_over_wait_until(Run *run, const Instruction *ins)
{
	Enrollment *e = run->e;
	bool		holds;

	e->began = 0;
	if (ins->expr->until == UNTIL_CONDITION)
	{
		e->waiting = WAITING_CONDITION;
		holds = wf_wait_ask(run, ins->expr);
	}
	else
	{
		e->waiting = WAITING_MOMENT;
		if (ins->expr->deps->now)
			e->began = e->started;
		e->moment = moment_since(run, ins->expr, e->began);
		holds = e->moment != 0 && e->moment <= run->now;
	}
	set_deadline_from(run, ins, e->started);
	e->wake_at = wake_time(e);
	if (!holds && (e->deadline == 0 || e->deadline > run->now))
		return WAKE_MOVED;
	set_found(run, holds);
	return WAKE_RESUMES;
}

/* WAIT FOR a change of another version: what came since its beginning counts. */
static WakeResult
take_over_wait_change(Run *run, const Instruction *ins)
{
	Enrollment *e = run->e;
	WakeResult	result;

	set_deadline_from(run, ins, e->started);
	e->wake_at = e->deadline;
	result = wake_change(run, ins, run->now, true);
	return result == WAKE_STAYS ? WAKE_MOVED : result;
}

static char *
words_for(Run *run, const Instruction *ins)
{
	if (ins->op == OP_WAIT_CHANGE)
		return wf_change_words(ins->change);
	if (ins->op == OP_GOAL)
		return goal_words(ins);
	if (ins->op == OP_SEND)
		return run->e->waits_for;
	wf_expr_prepare(ins->expr);
	return words_of(run, ins->expr);
}

/* The first look at a wait that began in another version. */
WakeResult
wf_wait_take_over(Run *run, const Instruction *ins)
{
	Enrollment *e = run->e;
	WakeResult	result = WAKE_MOVED;

	e->taken_over = false;
	e->waits_for = words_for(run, ins);
	e->moment = 0;
	e->deadline = 0;
	if (ins->op == OP_WAIT_FOR)
		result = take_over_wait_for(run, ins);
	else if (ins->op == OP_WAIT_UNTIL)
		result = take_over_wait_until(run, ins);
	else if (ins->op == OP_WAIT_CHANGE)
		result = take_over_wait_change(run, ins);
	else if (ins->op == OP_SEND)
		result = wf_send_take_over(run, ins);
	(void) wf_wait_tie(run, ins);
	return result;
}
