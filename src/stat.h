/*
 * stat.h -- what the engine did, in numbers: counters, and how long it took.
 *
 * Whoever works bumps integers of its own process; once per batch they are
 * added to the owner's place in shared memory.  What a rollback takes back is
 * not counted, but for STAT_ROLLBACKS and those after it.
 */
#ifndef WF_STAT_H
#define WF_STAT_H

#include "datatype/timestamp.h"

/* In the order of the columns of automation.stat_counters(). */
typedef enum
{
	STAT_EVENTS,						/* of the log, consumed */
	STAT_ITEMS,
	STAT_ENTERED,
	STAT_REFUSED,
	STAT_ENDED,
	STAT_STATEMENTS,
	STAT_DIRECT,						/* of them, run without the executor (direct.c) */
	STAT_WAITS,							/* begun */
	STAT_RESUMED,						/* waits that were over */
	STAT_WOKEN,							/* enrollments looked at because of a row they are tied to */
	STAT_SWEPT,							/* enrollments looked at because time went by */
	STAT_RETRIES,						/* attempts put off to later, after an error */
	STAT_FAILURES,						/* no attempts left */
	STAT_HOLDS,
	STAT_PARKED,
	STAT_BATCHES,						/* committed, with at least one item */
	STAT_ROLLBACKS,
	STAT_CONFLICTS,						/* locks not to be had, deadlocks, serialization failures */
	STAT_BISECTIONS,					/* of a batch whose end failed */
	STAT_ALONE,							/* items that ran alone */
	STAT_CANCELS,						/* by the watchdog */
	STAT_DEATHS,						/* of processes, found in the blame file */
	/* of the database */
	STAT_ROTATIONS,
	STAT_EMPTIED,						/* segments of the log */
	STAT_EXECUTORS,						/* started */
	STAT_ATTEMPTS,						/* of messages, whatever came of them */
	STAT_SENT,							/* messages, as the others */
	STAT_REPEATED,						/* put down for another attempt */
	STAT_DEAD,
	STAT_UNKNOWN
} StatCounter;
#define STAT_COUNTERS (STAT_UNKNOWN + 1)
#define STAT_NOT_UNDONE STAT_ROLLBACKS

typedef enum
{
	LATENCY_EVENT,						/* from the append of the event to the commit of its item */
	LATENCY_TIMER,						/* from the time it was due to the commit of its item */
	LATENCY_ITEM,						/* from one item's begin to the next one's */
	LATENCY_BATCH						/* of committed batches with at least one item */
} StatLatency;
#define STAT_LATENCIES (LATENCY_BATCH + 1)

extern uint64 wf_stat_pending[STAT_COUNTERS];	/* of the batch that runs */

/* From _PG_init, with preload. */
extern void wf_stat_init(void);

/* A batch begins, in its transaction. */
extern void wf_stat_begin(int owner, TimestampTz started);
/* An item begins; engine time. */
extern void wf_stat_item(TimestampTz now);
/* What waits since "since", engine time, is over when the batch commits. */
extern void wf_stat_waited(StatLatency latency, TimestampTz since);
/* Outside any transaction of the batch. */
extern void wf_stat_committed(void);
extern void wf_stat_rolled_back(void);

/* Of the database, at once; in a transaction. */
extern void wf_stat_database(StatCounter counter);
/* The delivery worker is about to count; in a transaction. */
extern void wf_stat_delivering(void);
/* What it has counted since the last call, of the database: kept, or dropped after a
 * rollback.  Also outside of transactions. */
extern void wf_stat_delivered(bool committed);
/* A database that is gone gives its places back. */
extern void wf_stat_forget(Oid database);

static inline void
wf_stat_count(StatCounter counter)
{
	wf_stat_pending[counter]++;
}

static inline void
wf_stat_add(StatCounter counter, int n)
{
	wf_stat_pending[counter] += n;
}

#endif
