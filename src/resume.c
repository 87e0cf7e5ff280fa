/*
 * resume.c -- what happens to an enrollment that exists: waking, retrying,
 * failing, being held, released, ended.
 *
 * Called by batch.c inside a batch, as the workflow's owner.  The states and
 * every transition are listed in src/README.md; this file makes all of them
 * but the first (enroll.c).
 *
 * Where a stored enrollment stands:
 *   waiting                      on the WAIT "statement"
 *   retrying, held, failed
 *     with "waiting" kept        on that WAIT: it is looked at again
 *   any, waiting to begin        at that statement, whatever it is
 *     statement = 0              at the very beginning
 *     a WAIT, no "waiting"       behind that WAIT, FOUND is decided
 *     anything else              at that statement
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "capture.h"
#include "change.h"
#include "compat.h"
#include "event.h"
#include "history.h"
#include "interp_wait.h"
#include "jump.h"
#include "outbox.h"
#include "owner.h"
#include "parked.h"
#include "ready.h"
#include "resume.h"
#include "settings.h"
#include "stat.h"

#define LOCKED_DELAY_MS 100				/* doubles up to ... */
#define LOCKED_DELAY_MAX_MS 5000

static bool decided = false;			/* the running item's wait is over */
static bool decided_found = false;

bool
wf_resume_decided(bool *found)
{
	*found = decided_found;
	return decided;
}

void
wf_resume_reset(void)
{
	decided = false;
}

/* --- ends and holds --- */

/* Ends it; whoever waits for it is told.  Unless it came to its end by itself, what it
 * sends and has not left yet is cancelled. */
void
wf_end(Enrollment *e, TimestampTz now, const char *reason)
{
	wf_stat_count(STAT_ENDED);
	wf_history_write(e, now, "ended", reason, NULL);
	if (strcmp(reason, "completed") != 0 && strcmp(reason, "exited") != 0)
		(void) wf_outgoing_cancel_enrollment(e->id, reason, now);
	wf_enrollment_end(e);
}

/* It is not waiting any more, but its wait is kept: so is when that began. */
static void
keep_start(Enrollment *e)
{
	if (e->state == STATE_WAITING && e->waiting != WAITING_NONE && e->started == 0)
		e->started = e->since;
}

/* Holds it; what it waits for is kept, its timer is not. */
void
wf_hold(Enrollment *e, TimestampTz now, const char *reason)
{
	wf_stat_count(STAT_HOLDS);
	keep_start(e);
	e->state = STATE_HELD;
	e->reason = pstrdup(reason);
	e->since = now;
	e->wake_at = 0;
	wf_enrollment_save(e);
	wf_history_write(e, now, "held", reason, NULL);
}

void
wf_hold_for(int64 id, const char *reason, const ItemOptions *options)
{
	Enrollment *e = wf_enrollment_load(id);

	if (e == NULL || e->owner != options->owner || e->state == STATE_FAILED ||
		(e->state == STATE_HELD && strcmp(e->reason ? e->reason : "", "paused") != 0))
		return;
	wf_hold(e, options->now, reason);
}

bool
wf_held_for_another(int64 id, const char *reason)
{
	static const char *const own[] = {"orphan", "variable", HELD_BY_HAND};
	Enrollment *e = wf_enrollment_load(id);

	if (e == NULL || e->state != STATE_HELD || e->reason == NULL)
		return false;
	for (int i = 0; i < lengthof(own); i++)
		if (strcmp(e->reason, own[i]) == 0)
			return reason == NULL || strcmp(reason, own[i]) != 0;
	return false;
}

/* --- failures --- */

/* Next attempt: base * 4^(attempt - 1), +-20 %; a lock: 100 ms doubling to 5 s. */
TimestampTz
wf_retry_at(TimestampTz now, int attempt, FailureKind kind)
{
	double		ms;
	int			shift = Min(Max(attempt - 1, 0), 12);

	if (kind == FAILURE_ERROR)
		ms = (double) wf_retry_delay * (1 << (2 * Min(shift, 10)));
	else
		ms = Min(LOCKED_DELAY_MS * (1 << Min(shift, 10)), LOCKED_DELAY_MAX_MS);
	ms *= 0.8 + 0.4 * pg_prng_double(&pg_global_prng_state);
	return now + (int64) (ms * 1000);
}

/* Stands behind its wait when that was over before the error. */
static void
note_position(Enrollment *e, const Failure *failure)
{
	if (e->state == STATE_NEW)
	{
		e->statement = 0;
		e->nvars = 0;
		e->vars = NULL;
		return;
	}
	if (!failure->decided)
		return;
	e->found = failure->found;
	wf_wait_clear(e);
	if (e->kept)
		wf_parked_forget(e->id);
	e->kept = false;
}

/*
 * Does an old version speak of what is not there any more?  It may have been
 * entered after everything was checked, by a change that was made before.
 */
static bool
is_outdated(const Enrollment *e)
{
	WorkflowRow *row = wf_workflow_load(e->workflow);
	JsonbValue	value;

	if (row == NULL || row->version == e->version || e->error == NULL ||
		getKeyJsonValueFromContainer(&e->error->root, "sqlstate", strlen("sqlstate"), &value) == NULL ||
		value.type != jbvString)
		return false;
	return value.val.string.len == 5 && strncmp(value.val.string.val, "42", 2) == 0;
}

/* Records a failure: another attempt later, at last "failed". */
void
wf_fail(Enrollment *e, TimestampTz now, const Failure *failure)
{
	bool		counts = failure->kind == FAILURE_ERROR;
	int			delays;

	note_position(e, failure);
	keep_start(e);
	if (failure->kind == FAILURE_CRASH)
	{
		wf_hold(e, now, "suspected_crash");
		return;
	}
	if (counts)
		e->attempt++;
	delays = counts ? e->attempt : failure->conflicts;
	e->error = failure->error;
	if (e->state != STATE_RETRYING)
		e->since = now;
	if (counts && e->attempt >= wf_max_attempts && is_outdated(e))
	{
		wf_hold(e, now, "definition_invalid");
		return;
	}
	if (counts && e->attempt >= wf_max_attempts)
	{
		wf_stat_count(STAT_FAILURES);
		e->state = STATE_FAILED;
		e->since = now;
		e->reason = "error";
		e->wake_at = 0;
		wf_enrollment_save(e);
		wf_history_write(e, now, "failed", "error", failure->error);
		return;
	}
	wf_stat_count(STAT_RETRIES);
	e->state = STATE_RETRYING;
	e->reason = counts ? "error" : "locked";
	e->wake_at = wf_retry_at(now, delays, failure->kind);
	wf_enrollment_save(e);
	if (counts)
		wf_history_write(e, now, "retrying", "error", failure->error);
}

/* --- waking --- */

static Run *
create_run(Program *program, Enrollment *e, const ItemOptions *options)
{
	Run		   *run;

	wf_cause_set(e->ncause, e->cause);	/* TIME ZONE is asked at once */
	run = wf_run_create(program, e, options->now);
	run->watchdog = options->watchdog;
	run->terminate = options->terminate;
	return run;
}

static bool
is_wait(const Instruction *ins)
{
	return ins->op == OP_WAIT_FOR || ins->op == OP_WAIT_UNTIL || ins->op == OP_WAIT_CHANGE;
}

/* Can a wait of this kind be that statement's? */
static bool
may_wait(const Instruction *ins, WaitingKind waiting)
{
	if (ins->op == OP_GOAL)
		return waiting == WAITING_CONDITION;
	if (ins->op == OP_SEND)
		return waiting == WAITING_DELIVERY;
	return is_wait(ins) && waiting != WAITING_DELIVERY && (ins->op == OP_WAIT_CHANGE) == (waiting == WAITING_CHANGE);
}

/* Goes on where it stands (see the head of the file). */
static void
run_on(Run *run)
{
	Program    *program = run->program;
	Enrollment *e = run->e;
	int			pc = 0;

	if (e->statement > 0)
	{
		pc = program->pc_of[e->statement];
		if (is_wait(&program->code[pc]))
			pc++;
	}
	wf_persist(run, wf_run_from(run, pc));
}

/* Its turn: the statement it stands on is run. */
static void
begin_here(Run *run)
{
	Enrollment *e = run->e;

	e->waiting = WAITING_NONE;
	wf_persist(run, wf_run_from(run, run->program->pc_of[e->statement]));
}

/*
 * Its wait is over: on behind it.  A delivery is over for good, and what became of
 * it goes into a variable: after an error it is looked at again.
 */
static void
resume_behind(Run *run, const char *why)
{
	Enrollment *e = run->e;

	decided = e->waiting != WAITING_DELIVERY;
	decided_found = e->found;
	wf_stat_count(STAT_RESUMED);
	wf_history_write(e, run->now, "resumed", why, NULL);
	wf_wait_clear(e);
	wf_persist(run, wf_run_from(run, run->program->pc_of[e->statement] + 1));
}

/* A goal has pulled it out of its wait.  The wait is not over for that: after an
 * error it is looked at again. */
static void
resume_pulled(Run *run)
{
	wf_stat_count(STAT_RESUMED);
	wf_wait_clear(run->e);
	wf_persist(run, wf_run_from(run, run->pc));
}

/* Words for the history: what ended the wait. */
static const char *
why_resumed(const Enrollment *e)
{
	if (e->waiting == WAITING_INTERVAL || (e->waiting == WAITING_MOMENT && e->found))
		return "time";
	if (e->waiting == WAITING_DELIVERY && (e->found || e->deadline == 0))
		return "delivery";
	if (!e->found)
		return "timeout";
	return e->waiting == WAITING_CHANGE ? "change" : "condition";
}

/*
 * The row is not under its key.  Who was woken by a change meets the next one
 * soon, be it a deletion or another key; who was woken by anything else makes
 * sure that it is not another key.
 */
static bool
end_is_announced(const Enrollment *e, WakeSource source)
{
	if (source != WAKE_BY_CHANGE)
		wf_event_await_key(e->owner, e->source, e->args[0]);
	return source == WAKE_BY_CHANGE;
}

/* After a pause: was its time so long ago that it is to end? */
static bool
is_too_late(const Enrollment *e, TimestampTz due)
{
	return e->too_late != 0 && due != 0 && due < e->too_late;
}

/* On a WAIT: decides whether it is over. */
static void
look_again(Run *run, WakeSource source, TimestampTz at)
{
	Enrollment *e = run->e;
	const char *reason = NULL;
	bool		stored_waiting = e->state == STATE_WAITING;
	TimestampTz due;

	if (!stored_waiting && e->pending != 0)
		at = e->pending;				/* what came in time does not lose to the deadline */
	e->pending = 0;
	switch (wf_run_wake(run, at, source == WAKE_BY_TIMER && stored_waiting, &reason))
	{
		case WAKE_ENDS:
			if (strcmp(reason, "subject_deleted") != 0 || !end_is_announced(e, source))
				wf_end(e, run->now, reason);
			break;
		case WAKE_RESUMES:
			if (e->found && e->waiting != WAITING_MOMENT)
				due = 0;				/* it has what it waits for */
			else
				due = e->found ? e->moment : e->deadline;
			if (is_too_late(e, due))
				wf_end(e, run->now, "too_late");
			else
				resume_behind(run, why_resumed(e));
			break;
		case WAKE_PULLED:
			resume_pulled(run);
			break;
		case WAKE_STAYS:
			if (stored_waiting && source != WAKE_BY_TIMER)
				break;
			/* a timer that came too early, or no longer held or retrying */
			/* FALLTHROUGH */
		case WAKE_MOVED:
			due = (e->moment != 0 && (e->deadline == 0 || e->moment < e->deadline)) ?
				e->moment : e->deadline;
			if (is_too_late(e, due))
			{
				wf_end(e, run->now, "too_late");
				break;
			}
			if (!stored_waiting)
			{
				e->since = run->now;
				wf_history_write(e, run->now, "released", NULL, NULL);
			}
			e->state = STATE_WAITING;
			e->reason = NULL;
			e->too_late = 0;
			e->attempt = 0;
			e->error = NULL;
			e->wake_at = due;			/* not the time of a retry */
			wf_enrollment_save(e);
			break;
	}
}

/* Does this source concern an enrollment in this state at all? */
static bool
concerns(const Enrollment *e, WakeSource source)
{
	switch (e->state)
	{
		case STATE_WAITING:
			return true;
		case STATE_RETRYING:
			return source == WAKE_BY_TIMER || source == WAKE_BY_COMMAND;
		case STATE_HELD:
		case STATE_FAILED:
			return source == WAKE_BY_COMMAND;
		default:
			return false;
	}
}

/*
 * A change that comes before the deadline counts, even if it can be looked at
 * only later: after an error, or when what holds the enrollment is over.  It may
 * have made the condition true, or moved the moment.
 */
static void
note_pending(Enrollment *e, WakeSource source, TimestampTz at)
{
	if (source != WAKE_BY_CHANGE || (e->waiting != WAITING_CONDITION && e->waiting != WAITING_MOMENT) ||
		e->pending != 0 || (e->deadline != 0 && at > e->deadline))
		return;
	e->pending = at;
	if (!concerns(e, source))
		wf_enrollment_save(e);
}

/* A restored row may say anything. */
static bool
stands_on_program(const Enrollment *e, const Program *program)
{
	if (e->statement < 0 || e->statement > program->tree->nstatements)
		return false;
	if (e->waiting == WAITING_BEGIN)
		return e->statement > 0;
	return e->waiting == WAITING_NONE || may_wait(&program->code[program->pc_of[e->statement]], e->waiting);
}

/* A change that can't be looked at now is kept until the enrollment goes on. */
static void
keep(Enrollment *e, const Event *change)
{
	if (change)
		wf_change_keep(e, change);
}

/* Wakes one that may be awake at all; change: of a WAIT FOR, or NULL. */
static void
wake(Enrollment *e, WakeSource source, TimestampTz at, const Event *change, const ItemOptions *options)
{
	WorkflowRow *row;
	const char *reason;
	Program    *program;
	Run		   *run;
	int			level;

	if (options->failure)
	{
		keep(e, change);
		wf_fail(e, options->now, options->failure);
		return;
	}
	program = wf_ready(e->workflow, e->version, &row, &reason);
	if (row == NULL)
	{
		wf_end(e, options->now, reason);
		return;
	}
	if (program && !stands_on_program(e, program))
	{
		program = NULL;
		reason = "definition_invalid";
	}
	if (program == NULL)
	{
		keep(e, change);
		if (e->state != STATE_HELD || strcmp(e->reason ? e->reason : "", reason) != 0)
			wf_hold(e, options->now, reason);
		return;
	}
	level = wf_config_enter(program->path, program->sig->config);
	if (source == WAKE_BY_COMMAND && e->state == STATE_HELD && strcmp(e->reason, "goto_limit") == 0)
		wf_jump_forget(&e->jumps, e->statement);	/* a person said "go on" */
	run = create_run(program, e, options);
	if (change)
		run->changes = list_make1(unconstify(Event *, change));
	else if (e->kept)
		run->changes = wf_change_take(e);
	if (e->waiting == WAITING_BEGIN)
		begin_here(run);
	else if (e->waiting != WAITING_NONE)
		look_again(run, source, at);
	else
		run_on(run);
	wf_cause_set(0, NULL);
	wf_config_leave(level);
}

/* Wakes an enrollment; see resume.h. */
void
wf_wake(int64 id, WakeSource source, TimestampTz at, int epoch, bool deleted, const ItemOptions *options)
{
	Enrollment *e = wf_enrollment_load(id);

	if (e == NULL || e->owner != options->owner || (source == WAKE_BY_TIMER && e->epoch != epoch))
		return;
	if (deleted)
	{
		wf_end(e, options->now, "subject_deleted");
		return;
	}
	note_pending(e, source, at);
	if (concerns(e, source))
		wake(e, source, at, NULL, options);
}

/* A change that a WAIT FOR may be waiting for, and that counts. */
static void
wake_by_change(Enrollment *e, const Event *change, const ItemOptions *options)
{
	if (concerns(e, WAKE_BY_CHANGE))
		wake(e, WAKE_BY_CHANGE, change->at, change, options);
	else
	{
		keep(e, change);
		wf_enrollment_save(e);
	}
}

/* Hands a change to an enrollment that may wait for it; see resume.h. */
void
wf_wake_change(int64 id, const Rule *rule, const Fired *fired, const EventGroup *group, const ItemOptions *options)
{
	Enrollment *e = wf_enrollment_load(id);
	Event		change;

	if (e && e->owner == options->owner && wf_change_part(e, rule, fired, group, &change))
		wake_by_change(e, &change, options);
}
