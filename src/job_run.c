/*
 * job_run.c -- a piece of a job.
 *
 * Called by batch.c and item.c, as the owner, in the batch's transaction.  What
 * a piece does and the position behind it commit together: after a crash the
 * job goes on where it stood, nothing is lost and nothing is done twice.
 *
 * A piece is short: PIECE_ROWS rows, and no longer than a batch.  After each
 * the job goes to the end of the queue of those that are due.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "backfill.h"
#include "clock.h"
#include "commands.h"
#include "compat.h"
#include "due.h"
#include "every.h"
#include "job.h"
#include "migrate.h"
#include "order.h"
#include "owner.h"
#include "pause.h"
#include "ready.h"
#include "settings.h"

#define PIECE_ROWS 200
#define RATE_LAG (1 * USECS_PER_SEC)	/* what a rate may catch up after a delay */

typedef struct JobKind
{
	char		kind;
	JobPiece	piece;
	bool		current;				/* for whatever version is current, not for its own */
	bool		enters;					/* waits while nobody may enter */
	bool		apart;					/* understands options->failure */
	bool		held;					/* goes on while the workflow is held; has no program */
} JobKind;

static const JobKind kinds[] = {
	{JOB_AT, wf_due_piece, true, false, true, false},
	{JOB_BACKFILL, wf_backfill_piece, true, true, true, false},
	{JOB_EVERY, wf_every_piece, true, true, true, false},
	{JOB_MIGRATE, wf_migrate_piece, false, false, false, true},
	{JOB_RESUME, wf_pause_piece, false, false, false, true}
};

static const JobKind *
kind_of(const Job *job)
{
	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (kinds[i].kind == job->kind && kinds[i].piece != NULL)
			return &kinds[i];
	}
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("unknown kind of job \"%c\"", job->kind)));
}

bool
wf_job_time_over(const Job *job)
{
	return GetCurrentTimestamp() >= job->until;
}

bool
wf_job_piece(Job *job, const ItemOptions *options)
{
	return kind_of(job)->piece(job, options);
}

/* Loads a job that is not over; NULL if there is nothing to do. */
static Job *
load_open(int64 id, const ItemOptions *options)
{
	Job		   *job = wf_job_load(id);

	return job && job->owner == options->owner && job->finished_at == 0 ? job : NULL;
}

/* Is the workflow ready for a piece?  If it is not, the job waits for its release. */
static bool
make_ready(Job *job, const ItemOptions *options)
{
	const JobKind *kind = kind_of(job);
	WorkflowRow *row = wf_workflow_load(job->workflow);
	const char *reason;

	if (row == NULL)
	{
		wf_job_finish(job, "cancelled", options->now);
		return false;
	}
	if (kind->held)
	{
		wf_order_use(job->workflow);
		return true;
	}
	job->program = wf_ready(job->workflow, kind->current ? row->version : job->version, &row, &reason);
	job->paused = strcmp(row->entry, "open") != 0;
	if (job->program != NULL && !(job->paused && kind->enters))
		return true;
	job->state = "waiting";
	job->next_at = options->now + (int64) wf_recheck_interval * 1000;
	wf_job_save(job);
	return false;
}

/* When the next piece may begin, after one that did so many rows. */
static TimestampTz
next_piece(const Job *job, int64 rows, TimestampTz now)
{
	if (job->rate == 0)
		return now;
	return Max(job->next_at, now - RATE_LAG) + rows * USECS_PER_SEC / job->rate;
}

/* A piece, and its place in the row. */
static void
do_piece(Job *job, const ItemOptions *options)
{
	int64		before = job->done;
	TimestampTz due = job->next_at;
	bool		over;
	int			level;

	if (job->started_at == 0)
		job->started_at = options->now;
	job->limit = job->rate > 0 ? Min(job->rate, PIECE_ROWS) : PIECE_ROWS;
	job->until = GetCurrentTimestamp() + (int64) wf_batch_time * 1000;
	level = job->program ? wf_config_enter(job->program->path, job->program->sig->config) : 0;
	over = wf_job_piece(job, options);
	if (job->program)
		wf_config_leave(level);
	job->attempt = 0;
	if (options->failure == NULL)
		job->error = NULL;
	if (over)
	{
		wf_job_finish(job, strcmp(job->state, "cancelled") == 0 ? job->state : "done", options->now);
		return;
	}
	job->state = "running";
	if (job->next_at == due)			/* a piece may say itself when the next one comes */
		job->next_at = next_piece(job, job->done - before, options->now);
	wf_job_save(job);
}

void
wf_job_run(int64 id, const ItemOptions *options)
{
	Job		   *job = load_open(id, options);

	if (job && make_ready(job, options))
		do_piece(job, options);
}

void
wf_job_settle(int64 id, const Failure *failure, const ItemOptions *options)
{
	Job		   *job = load_open(id, options);
	ItemOptions with = *options;

	if (job == NULL || !make_ready(job, options))
		return;
	if (failure->kind == FAILURE_LOCKED || failure->kind == FAILURE_CONFLICT || !kind_of(job)->apart)
	{
		wf_job_put_off(id, failure, options->now);
		return;
	}
	with.failure = unconstify(Failure *, failure);
	do_piece(job, &with);
}

void
wf_job_put_off(int64 id, const Failure *failure, TimestampTz now)
{
	Job		   *job = wf_job_load(id);
	bool		is_error = failure->kind == FAILURE_ERROR;

	if (job == NULL || job->finished_at != 0)
		return;
	if (is_error)
		job->attempt++;
	if (failure->error)
		job->error = failure->error;
	if (failure->kind == FAILURE_CRASH || (is_error && job->attempt >= wf_max_attempts))
	{
		wf_job_finish(job, "failed", now);
		return;
	}
	job->next_at = wf_retry_at(now, is_error ? job->attempt : failure->conflicts, failure->kind);
	wf_job_save(job);
}

void
wf_job_cancel(int64 id, int workflow, TimestampTz now)
{
	Job		   *job = wf_job_load(id);

	if (job && job->workflow == workflow && job->finished_at == 0)
		wf_job_finish(job, "cancelled", now);
}
