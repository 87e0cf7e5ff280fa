/*
 * settings.h -- the settings automation.*, with their units.
 */
#ifndef WF_SETTINGS_H
#define WF_SETTINGS_H

extern bool wf_capture_enabled;			/* automation.capture, USERSET; counts only for the table's owner */
extern int	wf_batch_time;				/* automation.batch_time, ms, SIGHUP, 20 */
extern int	wf_step_timeout;			/* automation.step_timeout, ms, SIGHUP, 30 s */
extern int	wf_max_attempts;			/* automation.max_attempts, SIGHUP, 5 */
extern int	wf_retry_delay;				/* automation.retry_delay, ms, SIGHUP, 1 s: base of the backoff, times 4 each */
extern int	wf_recheck_interval;		/* automation.recheck_interval, ms, SIGHUP, 10 min */
extern int	wf_max_executors;			/* automation.max_executors, POSTMASTER, 4: seats per database */
extern int	wf_executor_idle;			/* automation.executor_idle, ms, SIGHUP, 1 h */
extern int	wf_event_segment_size;		/* automation.event_segment_size, kB, SIGHUP, 64 MB */
extern int	wf_reader_limit;			/* automation.reader_limit, entries, SIGHUP, 100000 */
extern bool wf_synchronous_commit;		/* automation.synchronous_commit, SIGHUP, on */
extern bool wf_require_safe_path;		/* automation.require_safe_path, SUSET, on */

extern int	wf_shutdown_wait;			/* automation.shutdown_wait, ms, SIGHUP, 5 s: for transfers under way */
extern int	wf_delivery_limit;			/* automation.delivery_limit, SIGHUP, 200: transfers at a time, per database */
extern int	wf_keep_messages;			/* automation.keep_messages, days, SIGHUP, 90; 0 = for ever */

typedef enum
{
	EGRESS_OFF,							/* nothing leaves */
	EGRESS_GUARDED,						/* from a node that was armed */
	EGRESS_ON							/* from any */
} EgressSwitch;
extern int	wf_egress;					/* automation.egress, SIGHUP, guarded */

typedef enum
{
	HISTORY_TRANSITIONS,
	HISTORY_STATEMENTS
} HistoryLevel;
extern int	wf_history_level;			/* automation.history, SIGHUP, transitions */

extern char *wf_mail_server;			/* automation.mail_server, USERSET, empty: server of mails that name none */

extern void wf_settings_init(void);

/*
 * Fixes what a database owner could have set against us (search_path, role,
 * timeouts, read-only ...).  First call of every background worker after it
 * connected, before any query.
 */
extern void wf_settings_harden(void);

#endif
