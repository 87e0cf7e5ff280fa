/*
 * wait.h -- automation.wait: waits that no subject's change will find.
 */
#ifndef WF_WAIT_H
#define WF_WAIT_H

#include "nodes/pg_list.h"
#include "tie.h"

typedef struct Waiter
{
	int			owner;
	int64		enrollment;
} Waiter;

extern void wf_wait_insert(int64 tie, int owner, int64 enrollment);
extern void wf_wait_delete(int64 tie, int owner, int64 enrollment);
/* Waiter * of a tie, under the latest snapshot. */
extern List *wf_waiters(int64 tie);
/* Enrollment ids (int64 *) of an owner's waits for a tie above "after", at most limit, in order. */
extern List *wf_wait_tied(int64 tie, int owner, int64 after, int limit);
/* Enrollment ids (int64 *) of an owner's swept waits above "after", at most limit. */
extern List *wf_wait_swept(int owner, int64 after, int limit);

#endif
