/*
 * engine.h -- the state of one process that works for one owner: an executor,
 * or a session in CALL automation.run().
 */
#ifndef WF_ENGINE_H
#define WF_ENGINE_H

#include "event.h"
#include "parked.h"
#include "timer.h"
#include "utils/hsearch.h"

typedef enum
{
	ITEM_GROUP,							/* a group of events of the log */
	ITEM_PARKED,
	ITEM_TIMER,
	ITEM_SWEEP,							/* a wait that has now() in its condition */
	ITEM_JOB							/* a piece of a job */
} ItemKind;

/* Identity of an item over several tries. */
typedef struct ItemKey
{
	int64		kind;					/* ItemKind */
	int64		id;						/* seq of the first event, parked id, enrollment, job */
} ItemKey;

typedef struct WorkItem
{
	ItemKey		key;
	EventGroup *group;					/* ITEM_GROUP */
	Parked	   *parked;					/* ITEM_PARKED */
	DueTimer	timer;					/* ITEM_TIMER; ITEM_SWEEP: its enrollment */
} WorkItem;

typedef struct Engine
{
	MemoryContext context;				/* lives as long as the engine */
	MemoryContext item_context;			/* reset after each item */
	int			owner;
	bool		foreground;				/* in a session, not in a worker */
	EventReader *reader;
	TimerHeap  *heap;
	HTAB	   *suspects;				/* items that run alone: by ItemKey */
	int			limit;					/* items of the next batch; 0 = no limit */
	TimestampTz next_sweep;
	int64		sweep_after;			/* enrollment id; the chunk goes on here */
	TimestampTz drained;				/* everything up to here was done */
	uint64		clock_generation;

	/* the batch that runs */
	int			nitems;
	bool		alone;
	bool		in_item;
	bool		committing;				/* foreground: in SPI_commit() */
	bool		blocked;
	WorkItem		item;					/* the current one */
	TimestampTz started;				/* server clock: the time budget */
	TimestampTz now;					/* engine time of the current item */
} Engine;

typedef enum
{
	BATCH_IDLE,							/* nothing was due */
	BATCH_DONE,							/* did something: ask again */
	BATCH_FAILED,						/* an item failed and was dealt with */
	BATCH_BLOCKED,						/* an item could not even be recorded: ask again in a moment */
	BATCH_STOP							/* disarmed or gone */
} BatchResult;

extern Engine *wf_engine_create(MemoryContext parent, int owner, bool foreground);
extern void wf_engine_destroy(Engine *engine);
/* The seat was lost for a moment: nothing remembered may be used. */
extern void wf_engine_forget(Engine *engine);
/* An item (ItemKey) that shall run alone; held instead, if it killed so many
 * processes that ran it alone (BLAME_MAX_DEATHS). */
extern void wf_engine_suspect(Engine *engine, int64 kind, int64 id, int deaths);
/* One transaction; never raises an error because of an item. */
extern BatchResult wf_batch(Engine *engine);
/* Earliest engine time at which there is something to do; 0 = only events.  In a transaction. */
extern TimestampTz wf_engine_next(Engine *engine);

#endif
