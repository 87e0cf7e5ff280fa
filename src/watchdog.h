/*
 * watchdog.h -- a time limit on a user's SQL that the SQL cannot lift.
 */
#ifndef WF_WATCHDOG_H
#define WF_WATCHDOG_H

/*
 * Cancels what runs at ms, again at 2 * ms, and ends the process at 3 * ms if
 * terminate.  Not nested.
 */
extern void wf_watchdog_start(int ms, bool terminate);
/* Idempotent; also after an error. */
extern void wf_watchdog_stop(void);
/* It cancelled something since the last start: never ask the SQLSTATE. */
extern bool wf_watchdog_fired(void);
/* It ends this process. */
extern bool wf_watchdog_terminates(void);

#endif
