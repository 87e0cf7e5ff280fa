/*
 * pause.c -- pause and resume of a workflow.
 *
 * The commands check the caller's right and write the workflow's row.  What
 * resume() does with those who are late -- to spread them, to shift their time,
 * to let go of them -- is work on every enrollment, which only the owner's
 * executor writes: a job, and the workflow stays held until that is over, so
 * that nobody overtakes it.
 *
 * Deadlines and timers keep their absolute time while all stand still.  A wait
 * whose deadline passed in the pause takes its timeout branch, unless what it
 * waited for came before the deadline.  A piece evaluates nothing, so whether that
 * is so, or a moment has moved, is seen when they go on.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "commands.h"
#include "compat.h"
#include "enginesql.h"
#include "event.h"
#include "json_member.h"
#include "order.h"
#include "parked.h"
#include "pause.h"
#include "register.h"
#include "schedule.h"

PG_FUNCTION_INFO_V1(wf_pause);
PG_FUNCTION_INFO_V1(wf_resume);

#define ROWS_AT_ONCE 500				/* of automation.enrollment looked at between two looks at the clock */
#define PAUSED "paused"

/* ----------------------------------------------------------------
 * Those who are late
 * ----------------------------------------------------------------
 */

/* What resume() was told, from the job's args. */
typedef struct Resumption
{
	TimestampTz job_at;					/* when resume() was called */
	TimestampTz paused_at;
	bool		shift;
	int			rate;					/* of those that are late, per second; 0 = all at once */
	int64		tolerance;				/* microseconds; -1 = any */
	int64		slots;					/* given out */
} Resumption;

static int64
number_of(Jsonb *args, const char *name, int64 otherwise)
{
	JsonbValue	value;

	if (getKeyJsonValueFromContainer(&args->root, name, strlen(name), &value) == NULL || value.type != jbvNumeric)
		return otherwise;
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value.val.numeric)));
}

static bool
is_held_with_workflow(const Enrollment *e)
{
	return e->state == STATE_HELD && e->reason && strcmp(e->reason, PAUSED) == 0;
}

/* Something came that nobody could look at: what it waits for, perhaps. */
static bool
has_news(const Enrollment *e)
{
	return e->pending != 0 || e->kept;
}

/* When it would have gone on; 0 = by a change only. */
static TimestampTz
due_at(const Enrollment *e)
{
	if (e->waiting == WAITING_NONE || e->waiting == WAITING_BEGIN)
		return e->since;
	if (e->moment != 0 && (e->deadline == 0 || e->moment < e->deadline))
		return e->moment;
	return e->deadline;
}

/* The pause does not count: what counts from the beginning of the wait moves on
 * by it.  A moment that stands in a row stays what it is. */
static void
shift(Enrollment *e, const Resumption *r)
{
	TimestampTz started = e->started != 0 ? e->started : e->since;
	int64		by = r->job_at - Max(r->paused_at, started);

	if (e->waiting == WAITING_NONE || e->waiting == WAITING_BEGIN || by <= 0)
		return;
	e->started = started + by;
	if (e->deadline != 0)
		e->deadline += by;
	if (e->began != 0)
	{
		e->began += by;
		if (e->moment != 0)
			e->moment += by;
	}
	if (e->state == STATE_WAITING)
		e->wake_at = due_at(e);
	wf_enrollment_save(e);
}

/* Its turn among those that are late. */
static void
give_slot(Enrollment *e, Resumption *r)
{
	bool		looks_again = has_news(e) || e->waiting == WAITING_NONE || e->waiting == WAITING_BEGIN;

	if (e->state == STATE_HELD)
	{
		/* a timer does not ask what came in time: another attempt does */
		e->state = looks_again ? STATE_RETRYING : STATE_WAITING;
		e->reason = looks_again ? PAUSED : NULL;
		e->since = r->job_at;
	}
	e->wake_at = r->job_at + r->slots++ * USECS_PER_SEC / r->rate;
	wf_enrollment_save(e);
}

static void
resume_one(Enrollment *e, Resumption *r, TimestampTz now)
{
	TimestampTz due;

	if (e->state != STATE_WAITING && !is_held_with_workflow(e))
		return;
	if (r->shift)
	{
		shift(e, r);
		return;
	}
	due = due_at(e);
	if (!has_news(e) && (due == 0 || due > r->job_at))
		return;
	if (r->tolerance >= 0 && !has_news(e) && r->job_at - due > r->tolerance)
	{
		wf_end(e, now, "too_late");
		return;
	}
	if (r->tolerance >= 0 && has_news(e))
	{
		e->too_late = r->job_at - r->tolerance;
		wf_enrollment_save(e);
	}
	if (r->rate > 0)
		give_slot(e, r);
}

/* All have been looked at: the workflow goes on. */
static void
release(Job *job)
{
	WorkflowRow *row = wf_workflow_stored(job->workflow);

	if (row == NULL || row->hold == NULL || strcmp(row->hold, PAUSED) != 0)
		return;
	wf_register_release(row, PAUSED, false);
	wf_revalidate(row, false);
}

bool
wf_pause_piece(Job *job, const ItemOptions *options)
{
	Resumption	r = {
		.job_at = job->created_at,
		.paused_at = number_of(job->args, "paused_at", job->created_at),
		.shift = number_of(job->args, "shift", 0) != 0,
		.rate = (int) number_of(job->args, "rate", 0),
		.tolerance = number_of(job->args, "tolerance", -1)
	};
	int64		after = 0;
	bool		over;

	if (job->position)
		sscanf(job->position, INT64_FORMAT " " INT64_FORMAT, &after, &r.slots);
	do
	{
		List	   *ids;
		ListCell   *lc;

		over = !wf_enrollments_above(&after, job->workflow, ROWS_AT_ONCE, &ids);
		foreach(lc, ids)
			resume_one(wf_enrollment_load(*(int64 *) lfirst(lc)), &r, options->now);
		job->done += list_length(ids);
	} while (!over && !wf_job_time_over(job));
	job->position = psprintf(INT64_FORMAT " " INT64_FORMAT, after, r.slots);
	if (over)
		release(job);
	return over;
}

/* ----------------------------------------------------------------
 * The commands
 * ----------------------------------------------------------------
 */

static void
set_entry(const WorkflowRow *row, const char *entry)
{
	wf_engine_sql("UPDATE automation.workflow SET entry = $2 WHERE id = $1", "it", row->id, entry);
}

/* A resumption that is not over when the workflow is paused again. */
static void
cancel_resumption(const WorkflowRow *row)
{
	ListCell   *lc;

	foreach(lc, wf_engine_ids("SELECT id FROM automation.job WHERE workflow = $1 AND kind = 'R' AND finished_at IS NULL",
							  "i", row->id))
		wf_command_append(row, "cancel_job", psprintf(INT64_FORMAT, *(int64 *) lfirst(lc)), 0, 0, NULL);
}

static void
say_held(const WorkflowRow *row, const char *how)
{
	ereport(NOTICE,
			(errmsg("workflow %s is %s: %s", row->signature, how, row->hold),
			 row->hold_detail ? errdetail_internal("%s", row->hold_detail) : 0));
}

/* automation.pause(workflow, hold, queue) */
Datum
wf_pause(PG_FUNCTION_ARGS)
{
	WorkflowRow *row = wf_workflow_named(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	bool		hold = PG_GETARG_BOOL(1);

	wf_workflow_require_owner(row);
	cancel_resumption(row);
	set_entry(row, PG_GETARG_BOOL(2) ? "queued" : PAUSED);
	if (hold && row->hold == NULL)
	{
		wf_engine_sql("UPDATE automation.workflow SET paused_at = automation.now() WHERE id = $1", "i", row->id);
		wf_register_hold(row, PAUSED, NULL);
	}
	else if (hold && strcmp(row->hold, PAUSED) != 0)
		say_held(row, "held already");
	else if (hold)
		wf_register_hold(row, PAUSED, NULL);
	PG_RETURN_VOID();
}

/* resume() of those who are not to go on all at once. */
static void
start_job(WorkflowRow *row, const Resumption *r)
{
	JsonbParseState *state = NULL;
	Job			job = {0};

	if (wf_engine_sql("SELECT FROM automation.job WHERE workflow = $1 AND kind = 'R' AND finished_at IS NULL",
					  "i", row->id) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("workflow %s is being resumed already", row->signature),
				 errhint("See automation.progress.")));
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	wf_json_number(&state, "paused_at", r->paused_at);
	wf_json_number(&state, "rate", r->rate);
	wf_json_number(&state, "shift", r->shift ? 1 : 0);
	wf_json_number(&state, "tolerance", r->tolerance);
	job.args = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
	job.owner = row->owner;
	job.workflow = row->id;
	job.version = row->version;
	job.kind = JOB_RESUME;
	job.total = wf_engine_sql("SELECT FROM automation.enrollment WHERE workflow = $1", "i", row->id);
	(void) wf_job_insert(&job);
	wf_register_hold(row, PAUSED, "automation.resume() is at work, see automation.progress");
}

static void
invalid(const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", message)));
}

static int64
microseconds_of(const Interval *interval)
{
	return interval->time + (interval->day + (int64) interval->month * DAYS_PER_MONTH) * USECS_PER_DAY;
}

/* late, rate, skip_if_later_than. */
static void
read_mode(FunctionCallInfo fcinfo, Resumption *r)
{
	char	   *late = PG_ARGISNULL(1) ? "run" : text_to_cstring(PG_GETARG_TEXT_PP(1));
	bool		skips = strcmp(late, "skip") == 0;

	r->shift = strcmp(late, "shift") == 0;
	r->rate = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
	r->tolerance = PG_ARGISNULL(3) ? -1 : microseconds_of(PG_GETARG_INTERVAL_P(3));
	if (!skips && !r->shift && strcmp(late, "run") != 0)
		invalid("late is run, shift or skip");
	if (skips != !PG_ARGISNULL(3))
		invalid("late => 'skip' and skip_if_later_than belong together");
	if (!PG_ARGISNULL(3) && r->tolerance < 0)
		invalid("skip_if_later_than is negative");
	if (!PG_ARGISNULL(2) && (r->rate < 1 || r->shift))
		invalid("rate is a number of enrollments per second, and not for late => 'shift'");
}

/* What was queued or parked meanwhile. */
static void
release_entries(const WorkflowRow *row)
{
	wf_order_change(row->id);
	wf_parked_release(row->id, wf_clock_now());
	wf_command_append(row, "release", NULL, 0, 0, NULL);
}

/* automation.resume(workflow, late, rate, skip_if_later_than) */
Datum
wf_resume(PG_FUNCTION_ARGS)
{
	WorkflowRow *row;
	Resumption	r = {0};
	bool		paused;

	if (PG_ARGISNULL(0))
		PG_RETURN_VOID();
	row = wf_workflow_named(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	wf_workflow_require_owner(row);
	read_mode(fcinfo, &r);
	paused = row->hold != NULL && strcmp(row->hold, PAUSED) == 0;
	r.paused_at = row->paused_at;
	if (paused && (r.shift || r.rate > 0 || r.tolerance >= 0))
	{
		start_job(row, &r);
		set_entry(row, "open");
		if (strcmp(row->entry, PAUSED) == 0)
			wf_schedules_restart(row->id);
		PG_RETURN_VOID();
	}
	set_entry(row, "open");
	if (strcmp(row->entry, PAUSED) == 0)
		wf_schedules_restart(row->id);
	if (paused)
	{
		cancel_resumption(row);
		wf_register_release(row, PAUSED, false);
		wf_revalidate(row, true);
		PG_RETURN_VOID();
	}
	if (row->hold != NULL)
		say_held(row, "still held");
	release_entries(row);
	PG_RETURN_VOID();
}
