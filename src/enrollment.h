/*
 * enrollment.h -- automation.enrollment, argument, call: load, write, end.
 */
#ifndef WF_ENROLLMENT_H
#define WF_ENROLLMENT_H

#include "access/htup.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"
#include "utils/jsonb.h"

/* What an enrollment waits for (jsonb "waiting"). */
typedef enum
{
	WAITING_NONE,
	WAITING_INTERVAL,					/* WAIT FOR: until deadline */
	WAITING_MOMENT,						/* WAIT UNTIL moment: wake_at moves with its columns; NULL moment: unknown yet */
	WAITING_CONDITION,					/* WAIT UNTIL condition, GOAL .. OTHERWISE WAIT */
	WAITING_CHANGE,						/* WAIT FOR a change */
	WAITING_DELIVERY,					/* SEND .. INTO: until the message is over; began = when it may leave */
	WAITING_BEGIN						/* for its turn: the statement it stands on has not been run */
} WaitingKind;

typedef enum
{
	STATE_NEW,							/* not stored yet */
	STATE_WAITING,
	STATE_RETRYING,
	STATE_HELD,
	STATE_FAILED
} EnrollmentState;

typedef struct Enrollment
{
	int64		id;
	bool		uncalled;				/* the id is new, so automation.call has no row of it */
	int			workflow;
	int			version;
	int			owner;
	int			source;					/* 0 = no subject */
	char	   *key;					/* look-up form, NULL = no subject */
	char	   *entry_key;				/* look-up form */
	int			nargs;
	char	  **args;					/* row: whole key; value: text; NULL = null */
	int			nvars;
	char	  **vars;					/* text, NULL = null */
	bool		found;
	int			statement;
	int			epoch;
	EnrollmentState state;
	char	   *reason;
	WaitingKind waiting;
	TimestampTz deadline;				/* TIMEOUT or WAIT FOR's end; 0 = none */
	TimestampTz moment;					/* WAITING_MOMENT: 0 = unknown */
	TimestampTz began;					/* of a WAIT FOR whose end may still move; 0 = none */
	TimestampTz started;				/* the wait, if that is not "since"; 0 = since */
	bool		taken_over;				/* from another version: its times and condition are to be asked for anew */
	List	   *fresh;					/* of int: variables that a new version added, not yet initialised */
	TimestampTz pending;				/* of a change that came in time but could not be looked at; 0 = none */
	TimestampTz too_late;				/* resume() with skip: whose time was before this ends, unless what came saves him; 0 = all go on */
	char	   *snapshot;				/* WAITING_CHANGE: of the batch it began in; NULL = every change counts */
	int64		change_xact;			/* ... its transaction (xid8) */
	int64		change_seq;				/* ... its number among that one's events; no other wait has it */
	int64		delivery;				/* WAITING_DELIVERY: the message */
	bool		kept;					/* changes are kept for it (automation.parked) */
	bool		swept;					/* something in it leaves no trace: looked at again and again */
	List	   *ties;					/* of int64 *: wait rows */
	char	   *waits_for;				/* words for the view, e.g. "c.renewal_date" */
	Jsonb	   *jumps;
	List	   *goals;					/* of char *: had */
	List	   *goals_skipped;			/* of char *: not had when the flow came to them */
	TimestampTz entered_at;
	TimestampTz since;
	TimestampTz wake_at;				/* 0 = no timer */
	int			ncause;
	int64	   *cause;
	int			attempt;
	Jsonb	   *error;
	bool		put_off;				/* its row may be inserted with others: it is saved once in this batch */
	bool		stored;					/* a row exists */
	HeapTuple	tuple;					/* as loaded */
	List	   *row_args;				/* of RowArgument *: for automation.argument */
} Enrollment;

/* Reason of who is held by automation.hold(). */
#define HELD_BY_HAND "by_hand"

typedef struct RowArgument
{
	int			source;
	char	   *key;					/* look-up form */
} RowArgument;

extern const char *wf_state_name(EnrollmentState state);

extern int64 wf_enrollment_new_id(void);
/* By id; NULL if there is none; current context. */
extern Enrollment *wf_enrollment_load(int64 id);
/* Ids (int64 *) of enrollments that hold this row as any argument. */
extern List *wf_enrollments_of_row(int source, const char *key);
/* Ids (int64 *) of a workflow's enrollments above *after, in their order, of
 * "limit" rows of whatever workflow; *after: the last of these.  False: there
 * are no more rows. */
extern bool wf_enrollments_above(int64 *after, int workflow, int limit, List **ids);
/* Inserts or updates; argument, timer and wait rows follow; epoch + 1. */
extern void wf_enrollment_save(Enrollment *e);
/* Deletes it with all that hangs on it; tells callers that wait for it. */
extern void wf_enrollment_end(Enrollment *e);

/* Calls by hand: row of automation.call. */
extern void wf_call_open(int64 id, Oid caller);
extern void wf_call_close(int64 id);
/* automation.finished(): true when neither call nor enrollment exists; locks
 * the call row when an item runs, and notes the tie (wait.h). */
extern bool wf_call_finished(int64 id, bool lock);

#endif
