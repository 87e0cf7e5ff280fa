/*
 * change.h -- WAIT FOR a change: what counts, what matches, what is kept for later.
 */
#ifndef WF_CHANGE_H
#define WF_CHANGE_H

#include "event.h"
#include "interp.h"
#include "start.h"

/* The wait begins: the enrollment keeps what tells earlier changes from later ones. */
extern void wf_change_begin(Enrollment *e);

/* What is waited for, in words: "an INSERT on page_view". */
extern char *wf_change_words(const Start *change);

/*
 * A change that has set off the rule of a WAIT FOR, as an event (kind W) for one
 * enrollment alone.  false: the enrollment does not wait for it, or it was
 * committed before the wait began, or after its deadline.
 */
extern bool wf_change_part(const Enrollment *e, const Rule *rule, const Fired *fired, const EventGroup *group,
						   Event *event);

/* FROM, TO and WHEN of the statement, over the rows of the event. */
extern bool wf_change_matches(Run *run, const Instruction *ins, const Event *event);

/* Kept until the enrollment goes on; taken back, oldest first (Event *). */
extern void wf_change_keep(Enrollment *e, const Event *event);
extern List *wf_change_take(Enrollment *e);

#endif
