/*
 * tied.h -- who waits for a changed row of any table: found by ties (tie.h).
 */
#ifndef WF_TIED_H
#define WF_TIED_H

#include "engine.h"
#include "enroll.h"

/* Once a batch. */
extern void wf_tied_new_batch(void);

/*
 * Wakes those whose conditions may see the change of a row, and hands the change to
 * those who wait for it.  woken: ids (int64 *) of enrollments that were woken for
 * the group already.  So many that it would take long are left to later items.
 */
extern void wf_tied_run(Engine *engine, const EventGroup *group, List *woken, const ItemOptions *options);

/* The same, but evaluates nothing: each of them becomes an event of its own, which
 * begins with so many deaths of processes. */
extern void wf_tied_apart(Engine *engine, const EventGroup *group, int deaths, const ItemOptions *options);

/* Is the change for anybody of this kind, as far as can be told without looking? */
extern bool wf_tied_concerns(const EventGroup *group);

/*
 * A W event that names a rule: a part of a change.  With options->failure it is
 * taken apart further, or the failure recorded for its enrollment.
 */
extern void wf_tied_event(Engine *engine, const Event *event, const ItemOptions *options);

/* Must the tables on a rule's path be read for it?  That may meet locks. */
extern bool wf_tied_walks(const Event *event);

#endif
