/*
 * interp_wait.h -- the waits of a running program: how they begin, what ends them.
 */
#ifndef WF_INTERP_WAIT_H
#define WF_INTERP_WAIT_H

#include "interp.h"

/* Leaves no trace of the last wait in the enrollment. */
extern void wf_wait_clear(Enrollment *e);

/* A WAIT statement: true = the enrollment says what for; false = it is over
 * already, FOUND is true. */
extern bool wf_wait_begin(Run *run, const Instruction *ins);

/* A GOAL that is reached too early and waits for its condition. */
extern void wf_wait_begin_goal(Run *run, const Instruction *ins);

/* Is the wait over?  See wf_run_wake(). */
extern WakeResult wf_wait_wake(Run *run, const Instruction *ins, TimestampTz at, bool timer);

/* The first look at a wait that began in another version of the workflow. */
extern WakeResult wf_wait_take_over(Run *run, const Instruction *ins);

/*
 * Whose changes wake the enrollment: the union of what the wait, EXIT WHEN and the
 * goals to come depend on, into e->ties and e->swept.  True if that has changed.
 */
extern bool wf_wait_tie(Run *run, const Instruction *ins);

/* Asks a condition of a wait, an EXIT WHEN or a GOAL, and notes which calls it
 * would have to see the end of. */
extern bool wf_wait_ask(Run *run, Expression *expr);

/* Between items. */
extern void wf_wait_forget_asked(void);

#endif
