/*
 * seat.h -- the lock that makes one process at a time work for an owner.
 */
#ifndef WF_SEAT_H
#define WF_SEAT_H

/*
 * Session-level lock on (automation.owner, id), not of the user lock method, so
 * that no SQL function can release it.  The core releases it whenever the
 * session's transaction aborts: take it again before the next batch.
 */
#define SEAT_DELIVERY 0					/* instead of an owner: who sends for all of them */

extern bool wf_seat_lock(int owner, bool wait);
extern void wf_seat_unlock(int owner);
/* Does this session hold it now? */
extern bool wf_seat_held(int owner);

#endif
