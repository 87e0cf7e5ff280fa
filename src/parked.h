/*
 * parked.h -- automation.parked: events that could not be processed yet.
 */
#ifndef WF_PARKED_H
#define WF_PARKED_H

#include "event.h"
#include "nodes/pg_list.h"

typedef struct Parked
{
	int64		id;
	TimestampTz retry_at;
	int			attempt;
	char	   *reason;					/* locked, error, held ... */
	int			workflow;				/* 0 = not waiting for a release */
	Jsonb	   *error;
	Event		event;
	ItemPointerData tid;
} Parked;

/* reason of a change that is kept for an enrollment (change.c): never due by time */
#define PARKED_KEPT "kept"

extern void wf_parked_insert(Parked *parked);
/* Parked *: what is kept for an enrollment, oldest first; and without looking, away with it. */
extern List *wf_parked_kept(int64 target);
extern void wf_parked_forget(int64 target);
/* Parked * with retry_at <= now, oldest first. */
extern List *wf_parked_due(int owner, TimestampTz now, int limit);
extern void wf_parked_delete(const Parked *parked);
/* Earliest retry_at of an owner; 0 = none. */
extern TimestampTz wf_parked_next(int owner);
/* retry_at := now for everything that waits for this workflow. */
extern void wf_parked_release(int workflow, TimestampTz now);

#endif
