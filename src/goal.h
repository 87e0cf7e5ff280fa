/*
 * goal.h -- goals: which are still to come, which is reached, and that it was.
 */
#ifndef WF_GOAL_H
#define WF_GOAL_H

#include "interp.h"

/* Had by this enrollment: it pulls no more. */
extern bool wf_goal_is_had(const Enrollment *e, const char *name);

/* The next goal to come after program->goals[i] (-1: the first): it is below the
 * statement the enrollment stands on, or where it waits, and not had.  -1 = none. */
extern int	wf_goal_next(const Run *run, int i);

/* pc of the first goal to come whose condition holds; -1 = none. */
extern int	wf_goal_due(Run *run);

/* Writes down that it was reached; FOUND is true. */
extern void wf_goal_achieved(Run *run, const Instruction *ins);
/* ... or that the flow went past it. */
extern void wf_goal_skipped(Run *run, const Instruction *ins);

#endif
