/*
 * job.h -- work on many records at once, done in pieces between other work.
 */
#ifndef WF_JOB_H
#define WF_JOB_H

#include "enroll.h"
#include "program.h"
#include "resume.h"

#define JOB_AT			'A'				/* moments of an AT clause for the rows there are */
#define JOB_BACKFILL	'B'				/* automation.backfill() */
#define JOB_EVERY		'E'				/* a run of EVERY */
#define JOB_MIGRATE		'M'				/* automation.migrate() */
#define JOB_RESUME		'R'				/* automation.resume(): those who are late */

/* A row of automation.job.  Strings and args live in the context it was loaded
 * in.  A piece may change position, done, total, args and next_at; what it
 * leaves there is written with its effects. */
typedef struct Job
{
	int64		id;
	int			owner;
	int			workflow;
	int			version;
	char		kind;
	int			clause;					/* ordinal of the clause it is for; 0 = none */
	char	   *state;					/* waiting, running, done, failed, cancelled */
	char	   *position;				/* where it stands, to be read by its kind; NULL = before the first piece */
	int64		done;					/* rows looked at */
	int64		total;					/* estimate; -1 = not known */
	int			rate;					/* rows per second; 0 = as fast as it goes */
	TimestampTz at;						/* nominal moment of what it does; 0 = none */
	TimestampTz next_at;				/* engine time of the next piece; infinity when it is over */
	int			attempt;				/* at the piece that comes next */
	Jsonb	   *args;
	Jsonb	   *error;					/* of the last failure */
	TimestampTz created_at;
	TimestampTz started_at;				/* 0 = not yet */
	TimestampTz finished_at;			/* 0 = not yet */

	/* for the piece that runs */
	Program    *program;				/* of its version, ready to run */
	bool		paused;					/* nobody enters the workflow now */
	int			limit;					/* rows at most */
	TimestampTz until;					/* server clock: the piece's time is over */
} Job;

/* --- job.c: rows --- */

/*
 * Writes a job; in any session.  Given: owner, workflow, version, kind, clause,
 * at, args, rate, total, next_at (0 = now).  Fills the rest; returns its id.
 * The owner's executor is woken at commit.
 */
extern int64 wf_job_insert(Job *job);
/* Has the transaction under way inserted one?  It has no pieces yet then: should
 * one fail, the job would be gone with it, and come again as another. */
extern bool wf_job_inserted(void);
/* NULL if there is none. */
extern Job *wf_job_load(int64 id);
/* Writes back what a piece may change, and state, attempt, error, moments. */
extern void wf_job_save(Job *job);
/* Ends it; the oldest finished ones of its workflow make room. */
extern void wf_job_finish(Job *job, const char *state, TimestampTz now);
/* The latest of a kind for a clause that is not over; NULL if there is none. */
extern Job *wf_job_open(int workflow, char kind, int clause);
/* The one whose piece is due longest; 0 = none. */
extern int64 wf_job_due(int owner, TimestampTz now);
/* Moment of the next piece of any; 0 = none. */
extern TimestampTz wf_job_next(int owner);
/* Makes the jobs of a workflow due that wait for its release. */
extern void wf_job_release(int workflow, TimestampTz now);

/* --- job_run.c: pieces --- */

/*
 * A kind's piece: does rows from job->position on, at most job->limit of them
 * and until wf_job_time_over(), and moves the position.  True: the job is over.
 * Runs as the owner, under the path and settings of the version, in the batch's
 * transaction and the item's memory context.
 *
 * options->failure: the same piece has failed.  Kinds that take their rows apart
 * (JobKind.apart) append an event for each row now, which then fails for itself,
 * and move on; the others are not asked.
 */
typedef bool (*JobPiece) (Job *job, const ItemOptions *options);

/* Does a piece; true when the job is over. */
extern bool wf_job_piece(Job *job, const ItemOptions *options);
/* The item of batch.c. */
extern void wf_job_run(int64 id, const ItemOptions *options);
/* The piece failed alone: its rows are taken apart, or it is tried again later. */
extern void wf_job_settle(int64 id, const Failure *failure, const ItemOptions *options);
/* Even that failed: tried again later, or the job has failed. */
extern void wf_job_put_off(int64 id, const Failure *failure, TimestampTz now);
/* By command: ends what is not over. */
extern void wf_job_cancel(int64 id, int workflow, TimestampTz now);
extern bool wf_job_time_over(const Job *job);

#endif
