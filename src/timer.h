/*
 * timer.h -- automation.timer and the heap of the timers that come next.
 */
#ifndef WF_TIMER_H
#define WF_TIMER_H

#include "datatype/timestamp.h"
#include "storage/itemptr.h"

typedef struct DueTimer
{
	TimestampTz at;
	int64		enrollment;
	int			epoch;
	ItemPointerData tid;
} DueTimer;

typedef struct TimerHeap TimerHeap;

/* Heap of one owner; it becomes the one wf_timer_insert() feeds. */
extern TimerHeap *wf_timer_heap_create(MemoryContext parent, int owner);
extern void wf_timer_heap_destroy(TimerHeap *heap);
/* H := -infinity, heap empty: start, seat regained, clock moved. */
extern void wf_timer_heap_forget(TimerHeap *heap);
/* Reads [H, now + 60 s) when now + 30 s >= H; at most 100k rows a call. In a transaction. */
extern void wf_timer_heap_fill(TimerHeap *heap, TimestampTz now);
/* When to wake: earliest of the heap's minimum and H - 30 s. */
extern TimestampTz wf_timer_heap_next(TimerHeap *heap);
/* Takes the earliest timer with at <= now off the heap (kept aside until
 * committed or rolled back). */
extern bool wf_timer_heap_pop(TimerHeap *heap, TimestampTz now, DueTimer *timer);
/* Puts one back that was popped but not looked at. */
extern void wf_timer_heap_unpop(TimerHeap *heap, const DueTimer *timer);
/* Deletes a popped timer's row; false if it is gone already (left early). */
extern bool wf_timer_consume(const DueTimer *timer);
extern void wf_timer_heap_committed(TimerHeap *heap);
extern void wf_timer_heap_rolled_back(TimerHeap *heap);

/* Rows.  insert also feeds the heap of this process, after commit. */
extern void wf_timer_insert(int owner, TimestampTz at, int64 enrollment, int epoch);
extern void wf_timer_delete(int owner, TimestampTz at, int64 enrollment);
/* Earliest timer of an owner, by one index descent; 0 = none. */
extern TimestampTz wf_timer_earliest(int owner);

#endif
