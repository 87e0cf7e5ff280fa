/*
 * interp.c -- runs a program from a statement to its next wait.
 *
 * Called by enroll.c with an enrollment in memory; nothing is written to an
 * engine table here but the arm of a SPLIT (split.c): the outcome says what the
 * caller has to persist.  Runs as
 * the workflow's owner with the workflow's path in force, inside the batch's
 * transaction, SPI not connected.
 *
 * Everything is allocated in the item's context (current at wf_run_create).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "clock.h"
#include "compat.h"
#include "direct.h"
#include "event.h"
#include "goal.h"
#include "interp.h"
#include "interp_wait.h"
#include "jump.h"
#include "send.h"
#include "settings.h"
#include "split.h"
#include "stat.h"
#include "stored.h"
#include "watchdog.h"

/* GO TO without AT MOST: this many jumps in a day, then the enrollment is held. */
#define GOTO_DEFAULT_MOST 10

static const Instruction *current = NULL;	/* where the running item stands */

const Instruction *
wf_run_current(void)
{
	return current;
}

void
wf_run_clear(void)
{
	current = NULL;
	wf_wait_forget_asked();
}

/* --- set-up --- */

/* TIME ZONE clause: the zone holds to the end of the item's nest level. */
static void
apply_time_zone(Run *run)
{
	bool		isnull;
	Datum		value;
	char	   *zone;

	if (run->program->time_zone == NULL)
		return;
	value = wf_expr_eval(run->program->time_zone, run->frame, &isnull);
	if (isnull)
		return;
	zone = TextDatumGetCString(value);
	if (pg_tzset(zone) == NULL)
	{
		run->bad_zone = zone;
		return;
	}
	(void) set_config_option("timezone", zone, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/* Prepares to run an enrollment; values are read by the input functions. */
Run *
wf_run_create(Program *program, Enrollment *e, TimestampTz now)
{
	Run		   *run = palloc0(sizeof(Run));
	const Signature *sig = program->sig;
	Frame	   *frame = wf_frame_create(sig, program->nvars, program->vars, now);
	int			i;

	run->program = program;
	run->e = e;
	run->frame = frame;
	run->now = now;
	run->exits_due = program->nexits > 0;
	run->goals_due = program->ngoals > 0;
	run->entering = e->statement == 0;
	wf_frame_set(frame, PARAM_ENTERED, TIMESTAMPTZOID, TimestampTzGetDatum(e->entered_at), false);
	wf_frame_set(frame, PARAM_FOUND, BOOLOID, BoolGetDatum(e->found), false);
	for (i = 0; i < sig->nargs && i < e->nargs; i++)
	{
		if (sig->args[i].is_row)
			frame->rows[i].key = e->args[i];
		else if (e->args[i])
			wf_frame_set(frame, PARAM_ARG(i), sig->args[i].type,
						 wf_stored_in(e->args[i], sig->args[i].type, -1), false);
	}
	for (i = 0; i < program->nvars && i < e->nvars; i++)
		if (e->vars[i])
			wf_frame_set(frame, PARAM_VAR(sig, i), program->vars[i].type,
						 wf_stored_in(e->vars[i], program->vars[i].type, program->vars[i].typmod), false);
	apply_time_zone(run);
	return run;
}

/* Writes the variables' texts back into the enrollment. */
void
wf_run_store_values(Run *run)
{
	Program    *program = run->program;
	Enrollment *e = run->e;
	int			i;

	e->nvars = program->nvars;
	e->vars = palloc0(sizeof(char *) * Max(program->nvars, 1));
	for (i = 0; i < program->nvars; i++)
	{
		ParamExternData *prm = &run->frame->params->params[PARAM_VAR(program->sig, i) - 1];

		if (!prm->isnull)
			e->vars[i] = wf_stored_out(prm->value, program->vars[i].type);
	}
}

/* DECLARE: initial values, in order. */
static void
init_variables(Run *run)
{
	Program    *program = run->program;
	int			i;

	for (i = 0; i < program->nvars; i++)
	{
		bool		isnull;
		Datum		value;

		if (program->inits[i] == NULL)
			continue;
		value = wf_expr_eval(program->inits[i], run->frame, &isnull);
		wf_frame_set(run->frame, PARAM_VAR(program->sig, i), program->vars[i].type, value, isnull);
	}
}

/* Variables that a new version has added, since it came to that. */
static void
init_fresh(Run *run)
{
	Program    *program = run->program;
	ListCell   *lc;

	foreach(lc, run->e->fresh)
	{
		int			i = lfirst_int(lc);
		bool		isnull;
		Datum		value;

		if (i < 0 || i >= program->nvars || program->inits[i] == NULL)
			continue;
		value = wf_expr_eval(program->inits[i], run->frame, &isnull);
		wf_frame_set(run->frame, PARAM_VAR(program->sig, i), program->vars[i].type, value, isnull);
	}
	run->e->fresh = NIL;
}

void
wf_run_set_found(Run *run, bool found)
{
	run->e->found = found;
	wf_frame_set(run->frame, PARAM_FOUND, BOOLOID, BoolGetDatum(found), false);
}

/* --- statements --- */

/* A row of several columns into one variable of a row type: by position. */
static Datum
row_into_composite(HeapTuple tuple, TupleDesc from, const Variable *var)
{
	TupleDesc	to = lookup_rowtype_tupdesc_copy(var->type, var->typmod);
	Datum	   *values = palloc0(sizeof(Datum) * to->natts);
	bool	   *nulls = palloc(sizeof(bool) * to->natts);
	int			source = 0;
	int			i;

	memset(nulls, true, sizeof(bool) * to->natts);
	for (i = 0; i < to->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(to, i);

		if (att->attisdropped || source >= from->natts)
			continue;
		values[i] = heap_getattr(tuple, source + 1, from, &nulls[i]);
		values[i] = wf_cast_value(values[i], &nulls[i], TupleDescAttr(from, source)->atttypid,
								  TupleDescAttr(from, source)->atttypmod, att->atttypid, att->atttypmod);
		source++;
	}
	return heap_copy_tuple_as_datum(heap_form_tuple(to, values, nulls), to);
}

/* Puts column "i" of the first row (or NULL) into a variable. */
static void
assign_column(Run *run, int column, int var)
{
	const Variable *variable = &run->program->vars[var];
	bool		isnull = true;
	Datum		value = (Datum) 0;

	if (SPI_processed > 0 && SPI_tuptable && column < SPI_tuptable->tupdesc->natts)
	{
		TupleDesc	desc = SPI_tuptable->tupdesc;

		value = heap_getattr(SPI_tuptable->vals[0], column + 1, desc, &isnull);
		value = wf_cast_value(value, &isnull, TupleDescAttr(desc, column)->atttypid,
							  TupleDescAttr(desc, column)->atttypmod, variable->type, variable->typmod);
	}
	if (!isnull)
	{
		MemoryContext old = MemoryContextSwitchTo(run->frame->context);

		value = datumCopy(value, get_typbyval(variable->type), get_typlen(variable->type));
		MemoryContextSwitchTo(old);
	}
	wf_frame_set(run->frame, PARAM_VAR(run->program->sig, var), variable->type, value, isnull);
}

static void
assign_into(Run *run, const Instruction *ins)
{
	const Variable *first = &run->program->vars[ins->vars[0]];
	int			i;

	if (ins->nvars == 1 && SPI_processed > 0 && SPI_tuptable &&
		type_is_rowtype(first->type) &&
		(SPI_tuptable->tupdesc->natts != 1 ||
		 !type_is_rowtype(TupleDescAttr(SPI_tuptable->tupdesc, 0)->atttypid)))
	{
		Datum		value = row_into_composite(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, first);
		MemoryContext old = MemoryContextSwitchTo(run->frame->context);

		value = datumCopy(value, false, -1);
		MemoryContextSwitchTo(old);
		wf_frame_set(run->frame, PARAM_VAR(run->program->sig, ins->vars[0]), first->type, value, false);
		return;
	}
	for (i = 0; i < ins->nvars; i++)
		assign_column(run, i, ins->vars[i]);
}

static uint64
exec_by_spi(Run *run, const Instruction *ins)
{
	int			rc;
	uint64		processed;

	SPI_connect();
	rc = wf_sql_run(ins->sql, run->frame, ins->nvars > 0 ? 2 : 0, ins->nvars == 0);
	processed = SPI_processed;
	if (ins->nvars > 0)
	{
		if (processed > 1 && rc != SPI_OK_SELECT)
			ereport(ERROR,
					(errcode(ERRCODE_TOO_MANY_ROWS),
					 errmsg("query returned more than one row"),
					 errhint("Make sure the query returns a single row.")));
		assign_into(run, ins);
	}
	SPI_finish();
	wf_frame_touch(run->frame);
	return processed;
}

static void
exec_sql(Run *run, const Instruction *ins)
{
	uint64		processed;

	if (ins->nvars > 0 || !wf_direct_run(ins->sql, run->frame, &processed))
		processed = exec_by_spi(run, ins);
	wf_run_set_found(run, processed > 0);
	run->exits_due = run->program->nexits > 0;
	run->goals_due = run->program->ngoals > 0;
}

static void
exec_assign(Run *run, const Instruction *ins)
{
	const Variable *variable = &run->program->vars[ins->vars[0]];
	bool		isnull;
	Datum		value = wf_expr_eval(ins->expr, run->frame, &isnull);

	wf_frame_set(run->frame, PARAM_VAR(run->program->sig, ins->vars[0]), variable->type, value, isnull);
}

/* SPLIT: the arm's name into the variable; FOUND stays. */
static void
exec_split(Run *run, const Instruction *ins)
{
	const Variable *variable = &run->program->vars[ins->vars[0]];
	char	   *arm = wf_split_assign(run->program, ins->stmt, run->e, run->now);

	wf_frame_set(run->frame, PARAM_VAR(run->program->sig, ins->vars[0]), variable->type,
				 wf_stored_in(arm, variable->type, variable->typmod), false);
}

/* GO TO: jumps, falls through, or runs into the cap (then *held). */
static int
exec_goto(Run *run, const Instruction *ins, int pc, bool *held)
{
	const Statement *stmt = ins->stmt;
	Interval	day = {0, 1, 0};
	Interval   *per = NULL;
	int			most = stmt->at_most > 0 ? stmt->at_most : GOTO_DEFAULT_MOST;

	*held = false;
	if (!ins->backward)
		return ins->target;
	if (stmt->at_most == 0)
		per = &day;
	else if (ins->per)
	{
		bool		isnull;
		Datum		value = wf_expr_eval(ins->per, run->frame, &isnull);

		if (!isnull)
			per = DatumGetIntervalP(value);
	}
	if (wf_jump_count(&run->e->jumps, stmt->ordinal, run->now, most, per))
		return ins->target;
	*held = (stmt->at_most == 0);
	return pc + 1;
}

static Outcome
outcome(OutcomeKind kind, const char *reason)
{
	Outcome		result = {kind, reason};

	return result;
}

/* GOAL, reached by the flow: met, or what OTHERWISE says. */
static int
exec_goal(Run *run, const Instruction *ins, int pc, Outcome *result)
{
	if (wf_goal_is_had(run->e, ins->stmt->name.name))
	{
		wf_run_set_found(run, true);
		return pc + 1;
	}
	if (wf_wait_ask(run, ins->expr))
	{
		wf_goal_achieved(run, ins);
		return pc + 1;
	}
	wf_run_set_found(run, false);
	switch (ins->stmt->otherwise)
	{
		case OTHERWISE_CONTINUE:
			wf_goal_skipped(run, ins);
			return pc + 1;
		case OTHERWISE_WAIT:
			wf_wait_begin_goal(run, ins);
			(void) wf_wait_tie(run, ins);
			*result = outcome(OUTCOME_WAITING, NULL);
			return -1;
		case OTHERWISE_EXIT:
			wf_goal_skipped(run, ins);
			*result = outcome(OUTCOME_ENDED, "exited");
			return -1;
	}
	return -1;
}

/* --- the loop --- */

/* Context line of every error inside an item. */
static void
statement_context(void *arg)
{
	Run		   *run = arg;

	if (current && current->stmt)
		errcontext("workflow %s, line %d", run->program->sig->name, current->stmt->line);
	else
		errcontext("workflow %s", run->program->sig->name);
}

bool
wf_run_exits(Run *run)
{
	int			i;

	run->exits_due = false;
	for (i = 0; i < run->program->nexits; i++)
		if (wf_wait_ask(run, run->program->exits[i]))
			return true;
	return false;
}

/* The subject was read and is gone. */
static bool
subject_gone(Run *run)
{
	return run->program->sig->args[0].is_row && run->frame->rows[0].fresh && !run->frame->rows[0].exists;
}

/* One instruction; returns the next pc, or -1 with *result set. */
static int
step(Run *run, int pc, Outcome *result)
{
	const Instruction *ins = &run->program->code[pc];
	bool		held;

	switch (ins->op)
	{
		case OP_SQL:
			exec_sql(run, ins);
			return pc + 1;
		case OP_ASSIGN:
			exec_assign(run, ins);
			return pc + 1;
		case OP_JUMP:
			return ins->target;
		case OP_JUMP_UNLESS:
			return wf_expr_true(ins->expr, run->frame) ? pc + 1 : ins->target;
		case OP_GOTO:
			pc = exec_goto(run, ins, pc, &held);
			if (!held)
				return pc;
			*result = outcome(OUTCOME_HELD, "goto_limit");
			return -1;
		case OP_SPLIT:
			exec_split(run, ins);
			return pc + 1;
		case OP_SEND:
			if (!wf_send_run(run, ins))
				return pc + 1;
			(void) wf_wait_tie(run, ins);
			*result = outcome(OUTCOME_WAITING, NULL);
			return -1;
		case OP_WAIT_FOR:
		case OP_WAIT_UNTIL:
		case OP_WAIT_CHANGE:
			if (!wf_wait_begin(run, ins))
				return pc + 1;
			(void) wf_wait_tie(run, ins);
			*result = outcome(OUTCOME_WAITING, NULL);
			return -1;
		case OP_GOAL:
			return exec_goal(run, ins, pc, result);
		case OP_EXIT:
			*result = outcome(OUTCOME_ENDED, "exited");
			return -1;
		case OP_END:
			*result = outcome(OUTCOME_ENDED, "completed");
			return -1;
	}
	return -1;
}

/* One boundary: what is looked at before each statement. */
static bool
stops_before(Run *run, Outcome *result)
{
	if (subject_gone(run))
	{
		if (!run->frame->not_visible)
			wf_event_await_key(run->e->owner, run->e->source, run->e->args[0]);
		*result = outcome(OUTCOME_ENDED, run->frame->not_visible ? "subject_not_visible" : "subject_deleted");
		return true;
	}
	if (run->exits_due && wf_run_exits(run))
	{
		*result = outcome(OUTCOME_ENDED, "exit_when");
		return true;
	}
	return false;
}

/* A goal further down is reached: *pc is behind it. */
static bool
is_pulled(Run *run, int *pc)
{
	int			goal;

	if (!run->goals_due || run->program->code[*pc].stmt == NULL)
		return false;
	goal = wf_goal_due(run);
	if (goal < 0)
		return false;
	wf_goal_achieved(run, &run->program->code[goal]);
	run->goals_due = true;				/* the next one may be, too */
	*pc = goal + 1;
	return true;
}

static Outcome
run_loop(Run *run, int pc)
{
	Outcome		result = {OUTCOME_ENDED, "completed"};
	int			executed = 0;

	while (pc >= 0)
	{
		CHECK_FOR_INTERRUPTS();
		current = &run->program->code[pc];
		if (current->op == OP_JUMP)
		{
			pc = current->target;		/* the end of a branch is no statement to stand on */
			continue;
		}
		if (current->stmt)
		{
			run->e->statement = current->stmt->ordinal;
			wf_stat_count(STAT_STATEMENTS);
			if (++executed > STATEMENTS_PER_ITEM)
				return outcome(OUTCOME_HELD, "runaway");
		}
		if (current->op == OP_SEND)
			run->exits_due = run->program->nexits > 0;	/* nobody is written to who is to be out */
		if (stops_before(run, &result))
			return result;
		if (is_pulled(run, &pc))
			continue;
		run->entering = false;
		if (wf_history_level == HISTORY_STATEMENTS && current->stmt && current->op != OP_JUMP)
			run->trace = lappend_int(run->trace, current->stmt->ordinal);
		if (run->watchdog > 0)		/* each statement has the whole time; the item's end stops it */
			wf_watchdog_start(run->watchdog, run->terminate);
		pc = step(run, pc, &result);
	}
	return result;
}

/* Runs from an instruction to the next wait or the end. */
Outcome
wf_run_from(Run *run, int pc)
{
	ErrorContextCallback callback;
	Outcome		result;

	callback.callback = statement_context;
	callback.arg = run;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	if (run->e->vars == NULL)
		init_variables(run);
	init_fresh(run);
	result = run_loop(run, pc);
	error_context_stack = callback.previous;
	wf_run_store_values(run);
	return result;
}

/* --- waking --- */

/* Decides what a change, a timer or a sweep means for a waiting enrollment. */
WakeResult
wf_run_wake(Run *run, TimestampTz at, bool timer, const char **reason)
{
	const Instruction *ins = &run->program->code[run->program->pc_of[run->e->statement]];
	ErrorContextCallback callback;
	WakeResult	result;
	int			goal;

	callback.callback = statement_context;
	callback.arg = run;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	current = ins;
	if (run->watchdog > 0)
		wf_watchdog_start(run->watchdog, run->terminate);
	if (run->e->fresh != NIL)
	{
		init_fresh(run);
		wf_run_store_values(run);
	}
	if (run->program->sig->args[0].is_row && !wf_frame_row_exists(run->frame, 0))
	{
		*reason = run->frame->not_visible ? "subject_not_visible" : "subject_deleted";
		result = WAKE_ENDS;
	}
	else if (wf_run_exits(run))
	{
		*reason = "exit_when";
		result = WAKE_ENDS;
	}
	else if ((goal = wf_goal_due(run)) >= 0)
	{
		wf_goal_achieved(run, &run->program->code[goal]);
		run->goals_due = true;			/* the next one may be, too */
		run->pc = goal + 1;
		result = WAKE_PULLED;
	}
	else if (run->e->taken_over)
		result = wf_wait_take_over(run, ins);
	else
		result = wf_wait_wake(run, ins, at, timer);
	error_context_stack = callback.previous;
	return result;
}
