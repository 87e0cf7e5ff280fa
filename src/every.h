/*
 * every.h -- runs of EVERY: from a tick to entries.
 */
#ifndef WF_EVERY_H
#define WF_EVERY_H

#include "event.h"
#include "job.h"

/* A tick: begins a run, if the schedule (its id, as text) is due; "driver" saw it. */
extern void wf_every_tick(const char *schedule, const char *driver, const ItemOptions *options);

/* JobPiece of JOB_EVERY: first what FOR gives, then entries, some at a time. */
extern bool wf_every_piece(Job *job, const ItemOptions *options);

/* The batch is committed, or rolled back: where the next piece begins. */
extern void wf_every_committed(void);
extern void wf_every_rolled_back(void);

#endif
