/*
 * enroll.h -- entering a workflow: the order of checks, the policy, the first run.
 */
#ifndef WF_ENROLL_H
#define WF_ENROLL_H

#include "enrollment.h"
#include "interp.h"

/* How the batch wants items to be run. */
typedef struct ItemOptions
{
	TimestampTz now;					/* engine time of the item */
	int			owner;					/* whose enrollments this process carries */
	int			watchdog;				/* ms per statement */
	bool		terminate;
	struct Failure *failure;			/* not NULL: don't run, record this failure instead */
	bool		missed;					/* the event came while nobody could enter */
} ItemOptions;

/* Is an entry one of many of a run of EVERY? */
typedef enum
{
	ENTRY_ALONE,
	ENTRY_RUN,
	ENTRY_RUN_AGAIN						/* whose rows are gone through once more: some have entered */
} EntryRun;

/* One request to enter, with everything already evaluated but the policy. */
typedef struct Entry
{
	Program    *program;
	char	  **args;					/* row: whole key; value: text; NULL = null */
	TimestampTz at;						/* of the event that asks */
	int64		seq;					/* of that event: root of a new chain */
	int64		id;						/* reserved by a call, or 0 */
	int			ncause;
	int64	   *cause;
	EntryRun	run;					/* then "at" is when the run began */
} Entry;

/* Enters and runs to the first wait, or writes down why not. */
extern void wf_enroll(const Entry *entry, bool paused, const ItemOptions *options);

/* Why it could not enter now, for a dry run: nothing is written.  NULL: it could,
 * under *key.  Pauses and loops are not looked at. */
extern const char *wf_enroll_refusal(const Entry *entry, TimestampTz now, char **key);

/* Persists what a run came to. */
extern void wf_persist(Run *run, Outcome outcome);

/* Around what is evaluated before anybody enters; false: the chain of causes is
 * too long, nothing may be evaluated.  An error ends it with the batch. */
extern bool wf_chain_begin(int64 seq, int ncause, const int64 *cause, int workflow);
extern void wf_chain_end(void);

#endif
