/*
 * history.h -- automation.history_00..13: what happened, with a reason code
 * for every non-event.
 */
#ifndef WF_HISTORY_H
#define WF_HISTORY_H

#include "enrollment.h"

/* e may be unsaved.  reason, detail may be NULL. */
extern void wf_history_write(const Enrollment *e, TimestampTz at, const char *event, const char *reason, Jsonb *detail);
/* A non-entry without enrollment. */
extern void wf_history_refused(int owner, int workflow, int version, int64 id, int source, const char *key,
							   TimestampTz at, const char *reason, Jsonb *detail);
/* Empties the month tables that come next; a small step, never waits. */
extern void wf_history_recycle(void);

#endif
