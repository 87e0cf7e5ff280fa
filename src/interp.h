/*
 * interp.h -- runs a program from a statement to its next wait.
 *
 * Writes no engine table but the goals that are reached (goal.h): it fills in the
 * enrollment in memory and returns an outcome, which the caller persists.
 */
#ifndef WF_INTERP_H
#define WF_INTERP_H

#include "enrollment.h"
#include "program.h"

#define STATEMENTS_PER_ITEM 10000

typedef enum
{
	OUTCOME_WAITING,					/* e says what for */
	OUTCOME_ENDED,						/* reason */
	OUTCOME_HELD						/* reason */
} OutcomeKind;

typedef struct Outcome
{
	OutcomeKind kind;
	const char *reason;
} Outcome;

typedef struct Run
{
	Program    *program;
	Enrollment *e;
	Frame	   *frame;
	TimestampTz now;					/* engine time, constant within the item */
	int			watchdog;				/* ms per statement, 0 = none */
	bool		terminate;				/* end the process at three times that */
	bool		exits_due;				/* EXIT WHEN has to be looked at */
	bool		goals_due;				/* GOALs to come have to be looked at */
	bool		entering;				/* no statement has been run yet */
	int			pc;						/* WAKE_PULLED: where it goes on */
	List	   *changes;				/* of Event *: WAIT FOR a change has to look at these, in order */
	List	   *trace;					/* ordinals of statements run, when the history wants them */
	char	   *bad_zone;				/* TIME ZONE gave a name the server does not know */
} Run;

/* Frame with the enrollment's arguments and variables; ERROR by input functions. */
extern Run *wf_run_create(Program *program, Enrollment *e, TimestampTz now);

/* Runs from e->statement on (pc of that ordinal; 0 = from the start). */
extern Outcome wf_run_from(Run *run, int pc);

/* The wait e stands on is over (or not): what a timer or a change means.
 * at = when the deciding thing happened; timer: its timer fired.
 * Returns false if it goes on waiting: then e may have a new wake_at (*moved). */
typedef enum
{
	WAKE_STAYS,
	WAKE_MOVED,							/* stays, but e has to be saved */
	WAKE_RESUMES,
	WAKE_PULLED,						/* a goal is reached: goes on at run->pc */
	WAKE_ENDS							/* EXIT WHEN, subject gone: *reason */
} WakeResult;
extern WakeResult wf_run_wake(Run *run, TimestampTz at, bool timer, const char **reason);

/* What a moment is, asked at some time; 0 = NULL. */
extern TimestampTz wf_run_moment(Run *run, Expression *expr, TimestampTz now);

/* EXIT WHEN holds? */
extern bool wf_run_exits(Run *run);

/* FOUND, for the statements to come and for later. */
extern void wf_run_set_found(Run *run, bool found);

/* Where the running item stands: for error reports; NULL outside an item. */
extern const Instruction *wf_run_current(void);
extern void wf_run_clear(void);

/* automation.finished(id), asked in an item, answered "not yet": the wait that
 * asks is tied to it (interp_wait.c). */
extern void wf_run_asked_finished(int64 id);

/* Texts of arguments and variables back into e. */
extern void wf_run_store_values(Run *run);

#endif
