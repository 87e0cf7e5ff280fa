/*
 * watchdog.h -- a time limit on a user's SQL that the SQL cannot lift.
 */
#ifndef WF_WATCHDOG_H
#define WF_WATCHDOG_H

/*
 * Cancels what runs after ms, again a step_timeout later, and one more later it
 * ends the process if terminate.  Not nested: one that runs starts anew.
 */
extern void wf_watchdog_start(int ms, bool terminate);
/* Idempotent; also after an error. */
extern void wf_watchdog_stop(void);
/* User SQL may be running. */
extern bool wf_watchdog_running(void);
/* It cancelled something since the last start: never ask the SQLSTATE. */
extern bool wf_watchdog_fired(void);
/* The SQL ends its process by itself: as bad as if it had to be ended. */
extern void wf_watchdog_blame(void);
/* It ends this process. */
extern bool wf_watchdog_terminates(void);

#endif
