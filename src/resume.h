/*
 * resume.h -- what happens to an enrollment that exists: waking, retrying,
 * failing, being held, released, ended.
 */
#ifndef WF_RESUME_H
#define WF_RESUME_H

#include "enroll.h"
#include "event.h"
#include "start.h"

typedef enum
{
	WAKE_BY_TIMER,
	WAKE_BY_CHANGE,
	WAKE_BY_SWEEP,
	WAKE_BY_COMMAND						/* retry, release */
} WakeSource;

/* Why an item could not be done. */
typedef enum
{
	FAILURE_ERROR,						/* counts as an attempt */
	FAILURE_LOCKED,						/* somebody else's lock: does not */
	FAILURE_CONFLICT,					/* serialization, deadlock */
	FAILURE_CRASH						/* killed its process again and again */
} FailureKind;

typedef struct Failure
{
	FailureKind kind;
	Jsonb	   *error;
	bool		decided;				/* the wait was over: go on behind it */
	bool		found;
	int			conflicts;				/* in a row */
} Failure;

/* Wakes; epoch: of the timer (0 = not a timer).  deleted: the subject's row was. */
extern void wf_wake(int64 id, WakeSource source, TimestampTz at, int epoch, bool deleted,
					const ItemOptions *options);

/*
 * A change that WAIT FOR asks for, as far as capture could tell, for an enrollment
 * that stands on the rule's statement (in whatever state).  Whether it counts: by
 * xact and seq of the group's last event; xact invalid = that was decided before.
 * What can't be looked at now is kept (change.h).
 */
extern void wf_wake_change(int64 id, const Rule *rule, const Fired *fired, const EventGroup *group,
						   const ItemOptions *options);

/* Ends it by command: unenroll, REPLACE. */
extern void wf_end(Enrollment *e, TimestampTz now, const char *reason);

/* Holds it; what it waits for is kept. */
extern void wf_hold(Enrollment *e, TimestampTz now, const char *reason);

/* By command: holds what waits or retries, or is held with its workflow. */
extern void wf_hold_for(int64 id, const char *reason, const ItemOptions *options);
/* Is it held for a reason of its own, which a command with this one does not end? */
extern bool wf_held_for_another(int64 id, const char *reason);

/* Records a failure: retrying with backoff, at last failed. */
extern void wf_fail(Enrollment *e, TimestampTz now, const Failure *failure);

/* Moment of the next attempt, with backoff and jitter. */
extern TimestampTz wf_retry_at(TimestampTz now, int attempt, FailureKind kind);

/* Did the running item's wait end already (for Failure)?  Reset per item. */
extern bool wf_resume_decided(bool *found);
extern void wf_resume_reset(void);

#endif
