/*
 * timer.c -- automation.timer, and the heap of the timers that come next.
 *
 * Timer rows are inserted and deleted, never updated, and only by the executor
 * that holds the owner's seat.  It keeps those below a horizon in memory, each
 * with its place in the table; the scan for more begins at the horizon and so
 * never meets the rows that were consumed.
 *
 * The heap is a cache of rows: a stale or double entry does no harm, for a
 * timer fires only if its row can be deleted, and only for its epoch.  What is
 * popped or inserted counts in the heap from the commit on: the executor says
 * wf_timer_heap_committed() or wf_timer_heap_rolled_back().  Heap memory is in
 * a context of its own below the given parent; rows are read under the latest
 * snapshot; each writing function ends with a command counter increment.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "compat.h"
#include "event_internal.h"
#include "store.h"
#include "timer.h"

#define TIMER_OWNER 1
#define TIMER_AT 2
#define TIMER_ENROLLMENT 3
#define TIMER_EPOCH 4

/* Microseconds: how far a fill reads, and how early the next one comes. */
#define HORIZON (60 * USECS_PER_SEC)
#define REFILL (30 * USECS_PER_SEC)

#define FILL_LIMIT 100000				/* rows in one fill */

/* A growing array of timers. */
typedef struct TimerList
{
	DueTimer   *items;
	int			n;
	int			size;
} TimerList;

struct TimerHeap
{
	MemoryContext context;
	int			owner;
	uint64		generation;				/* of the clock at the last fill */
	TimestampTz horizon;				/* all rows before (horizon, horizon_enrollment) ... */
	int64		horizon_enrollment;		/* ... are in the heap */
	TimerList	timers;					/* binary heap, the earliest at 0 */
	TimerList	popped;					/* since the last commit or rollback */
	TimerList	inserted;				/* likewise; they enter the heap at commit */
};

/* The heap of this process's seat, if it has one. */
static TimerHeap *fed = NULL;

/* Orders by moment, then by enrollment, as the index does. */
static bool
earlier(const DueTimer *a, const DueTimer *b)
{
	return a->at != b->at ? a->at < b->at : a->enrollment < b->enrollment;
}

/* Makes room for one more item. */
static void
reserve(TimerList *list, MemoryContext context)
{
	if (list->n == list->size)
	{
		int			size = Max(64, list->size * 2);

		list->items = list->items ? repalloc_huge(list->items, size * sizeof(DueTimer)) :
			MemoryContextAllocHuge(context, size * sizeof(DueTimer));
		list->size = size;
	}
}

static void
append(TimerList *list, MemoryContext context, const DueTimer *timer)
{
	reserve(list, context);
	list->items[list->n++] = *timer;
}

/* Adds a timer to the heap. */
static void
push(TimerHeap *heap, const DueTimer *timer)
{
	TimerList  *list = &heap->timers;
	int			i;

	reserve(list, heap->context);
	i = list->n++;
	while (i > 0 && earlier(timer, &list->items[(i - 1) / 2]))
	{
		list->items[i] = list->items[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	list->items[i] = *timer;
}

/* Takes the earliest timer off the heap, which is not empty. */
static void
pop(TimerList *list, DueTimer *timer)
{
	DueTimer	last = list->items[--list->n];
	int			i = 0;
	int			child;

	*timer = list->items[0];
	while ((child = 2 * i + 1) < list->n)
	{
		if (child + 1 < list->n && earlier(&list->items[child + 1], &list->items[child]))
			child++;
		if (!earlier(&list->items[child], &last))
			break;
		list->items[i] = list->items[child];
		i = child;
	}
	if (list->n > 0)
		list->items[i] = last;
}

/* Creates the heap of an owner's seat; wf_timer_insert() feeds it. */
TimerHeap *
wf_timer_heap_create(MemoryContext parent, int owner)
{
	MemoryContext context = AllocSetContextCreate(parent, "automation timers", ALLOCSET_DEFAULT_SIZES);
	TimerHeap  *heap = MemoryContextAllocZero(context, sizeof(TimerHeap));

	heap->context = context;
	heap->owner = owner;
	wf_timer_heap_forget(heap);
	fed = heap;
	return heap;
}

/* Frees a heap. */
void
wf_timer_heap_destroy(TimerHeap *heap)
{
	if (fed == heap)
		fed = NULL;
	MemoryContextDelete(heap->context);
}

/* Empties the heap; the next fill begins with the earliest row. */
void
wf_timer_heap_forget(TimerHeap *heap)
{
	heap->timers.n = heap->popped.n = heap->inserted.n = 0;
	heap->horizon = DT_NOBEGIN;
	heap->horizon_enrollment = PG_INT64_MIN;
	heap->generation = wf_clock_generation();
}

/* Reads a row of the table. */
static void
from_row(DueTimer *timer, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;

	timer->at = DatumGetTimestampTz(heap_getattr(tuple, TIMER_AT, desc, &isnull));
	timer->enrollment = DatumGetInt64(heap_getattr(tuple, TIMER_ENROLLMENT, desc, &isnull));
	timer->epoch = DatumGetInt32(heap_getattr(tuple, TIMER_EPOCH, desc, &isnull));
	timer->tid = tuple->t_self;
}

/*
 * Pushes the rows that a scan yields, in index order.  Stops at the limit, but
 * never between rows of the same moment and enrollment; false then, and the
 * horizon is the row that was left.
 */
static bool
push_rows(TimerHeap *heap, Relation rel, int nkeys, ScanKey keys, int *count)
{
	SysScanDesc scan = wf_store_scan(rel, "timer_at", wf_store_snapshot(), nkeys, keys);
	DueTimer	last = {0};
	DueTimer	timer;
	HeapTuple	tuple;
	bool		complete = true;

	while (complete && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		CHECK_FOR_INTERRUPTS();
		from_row(&timer, tuple, RelationGetDescr(rel));
		if (*count >= FILL_LIMIT && earlier(&last, &timer))
		{
			heap->horizon = timer.at;
			heap->horizon_enrollment = timer.enrollment;
			complete = false;
		}
		else
			push(heap, &timer);
		last = timer;
		(*count)++;
	}
	systable_endscan(scan);
	return complete;
}

/*
 * Reads what lies between the horizon and a minute from now: first the rest of
 * the horizon's own moment, then what is later.
 */
static void
read_ahead(TimerHeap *heap, TimestampTz end)
{
	Relation	rel = wf_store_open("timer", AccessShareLock);
	ScanKeyData keys[3];
	int			count = 0;
	bool		complete;

	ScanKeyInit(&keys[0], TIMER_OWNER, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(heap->owner));
	ScanKeyInit(&keys[1], TIMER_AT, BTEqualStrategyNumber, F_TIMESTAMPTZ_EQ, TimestampTzGetDatum(heap->horizon));
	ScanKeyInit(&keys[2], TIMER_ENROLLMENT, BTGreaterEqualStrategyNumber, F_INT8GE,
				Int64GetDatum(heap->horizon_enrollment));
	complete = push_rows(heap, rel, 3, keys, &count);
	if (complete)
	{
		ScanKeyInit(&keys[1], TIMER_AT, BTGreaterStrategyNumber, F_TIMESTAMPTZ_GT,
					TimestampTzGetDatum(heap->horizon));
		ScanKeyInit(&keys[2], TIMER_AT, BTLessStrategyNumber, F_TIMESTAMPTZ_LT, TimestampTzGetDatum(end));
		complete = push_rows(heap, rel, 3, keys, &count);
	}
	if (complete)
	{
		heap->horizon = end;
		heap->horizon_enrollment = PG_INT64_MIN;
	}
	table_close(rel, NoLock);
}

/*
 * Fills the heap when its horizon is near.  Should the read fail, the heap has
 * some entries twice after the next one, and the second of each is stale.
 */
void
wf_timer_heap_fill(TimerHeap *heap, TimestampTz now)
{
	if (heap->generation != wf_clock_generation())
		wf_timer_heap_forget(heap);
	if (now + REFILL >= heap->horizon)
		read_ahead(heap, Max(now + HORIZON, heap->horizon));
}

/* When the executor has something to do with its timers. */
TimestampTz
wf_timer_heap_next(TimerHeap *heap)
{
	TimestampTz refill = TIMESTAMP_NOT_FINITE(heap->horizon) ? heap->horizon : heap->horizon - REFILL;

	return heap->timers.n > 0 ? Min(heap->timers.items[0].at, refill) : refill;
}

/* Takes the earliest due timer off the heap. */
bool
wf_timer_heap_pop(TimerHeap *heap, TimestampTz now, DueTimer *timer)
{
	if (heap->timers.n == 0 || heap->timers.items[0].at > now)
		return false;
	reserve(&heap->popped, heap->context);
	pop(&heap->timers, timer);
	heap->popped.items[heap->popped.n++] = *timer;
	return true;
}

/* Puts back the timer that was popped last: its item did not fit the batch. */
void
wf_timer_heap_unpop(TimerHeap *heap, const DueTimer *timer)
{
	push(heap, timer);
	heap->popped.n--;
}

/* The transaction is committed: what was inserted below the horizon comes in. */
void
wf_timer_heap_committed(TimerHeap *heap)
{
	DueTimer	bound = {.at = heap->horizon, .enrollment = heap->horizon_enrollment};

	heap->popped.n = 0;
	while (heap->inserted.n > 0)
	{
		DueTimer   *timer = &heap->inserted.items[heap->inserted.n - 1];

		if (earlier(timer, &bound))
			push(heap, timer);
		heap->inserted.n--;
	}
}

/* The transaction was rolled back: what was popped is due again. */
void
wf_timer_heap_rolled_back(TimerHeap *heap)
{
	heap->inserted.n = 0;
	while (heap->popped.n > 0)
	{
		push(heap, &heap->popped.items[heap->popped.n - 1]);
		heap->popped.n--;
	}
}

/* Is it behind the horizon, where the next fill will read it? */
static bool
is_far(int owner, const DueTimer *timer)
{
	DueTimer	bound;

	if (fed == NULL || fed->owner != owner)
		return false;
	bound.at = fed->horizon;
	bound.enrollment = fed->horizon_enrollment;
	return !earlier(timer, &bound);
}

/* Inserts a timer. */
void
wf_timer_insert(int owner, TimestampTz at, int64 enrollment, int epoch)
{
	Relation	rel = wf_store_open("timer", RowExclusiveLock);
	DueTimer	timer = {.at = at, .enrollment = enrollment, .epoch = epoch};
	Datum		values[4];
	bool		nulls[4] = {0};

	values[TIMER_OWNER - 1] = Int32GetDatum(owner);
	values[TIMER_AT - 1] = TimestampTzGetDatum(at);
	values[TIMER_ENROLLMENT - 1] = Int64GetDatum(enrollment);
	values[TIMER_EPOCH - 1] = Int32GetDatum(epoch);
	if (is_far(owner, &timer))
		wf_store_insert_unseen(rel, values, nulls);
	else
	{
		wf_store_insert(rel, values, nulls, &timer.tid);
		CommandCounterIncrement();
		if (fed && fed->owner == owner)
			append(&fed->inserted, fed->context, &timer);
	}
	table_close(rel, NoLock);
}

/* Fills keys for the rows of an enrollment at a moment. */
static void
init_keys(ScanKey keys, int owner, TimestampTz at, int64 enrollment)
{
	ScanKeyInit(&keys[0], TIMER_OWNER, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(owner));
	ScanKeyInit(&keys[1], TIMER_AT, BTEqualStrategyNumber, F_TIMESTAMPTZ_EQ, TimestampTzGetDatum(at));
	ScanKeyInit(&keys[2], TIMER_ENROLLMENT, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(enrollment));
}

/* Deletes the rows of an enrollment at a moment, of one epoch or (-1) of all. */
static bool
delete_rows(Relation rel, int owner, TimestampTz at, int64 enrollment, int epoch)
{
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;
	DueTimer	timer;
	bool		deleted = false;

	init_keys(keys, owner, at, enrollment);
	scan = wf_store_scan(rel, "timer_at", wf_store_snapshot(), 3, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		from_row(&timer, tuple, RelationGetDescr(rel));
		if (epoch != -1 && timer.epoch != epoch)
			continue;
		wf_store_delete(rel, &tuple->t_self);
		deleted = true;
	}
	systable_endscan(scan);
	return deleted;
}

/* Deletes the timer of a wait that was left early, if it is still there. */
void
wf_timer_delete(int owner, TimestampTz at, int64 enrollment)
{
	Relation	rel = wf_store_open("timer", RowExclusiveLock);

	delete_rows(rel, owner, at, enrollment, -1);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* Tells whether the timer's row is still in its place. */
static bool
in_place(Relation rel, const DueTimer *timer)
{
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	bool		found = wf_fetch_row(rel, timer->tid, SnapshotSelf, slot);

	if (found)
	{
		slot_getallattrs(slot);
		found = DatumGetTimestampTz(slot->tts_values[TIMER_AT - 1]) == timer->at &&
			DatumGetInt64(slot->tts_values[TIMER_ENROLLMENT - 1]) == timer->enrollment &&
			DatumGetInt32(slot->tts_values[TIMER_EPOCH - 1]) == timer->epoch;
	}
	ExecDropSingleTupleTableSlot(slot);
	return found;
}

/*
 * Deletes a popped timer's row: the licence to act on it.  VACUUM FULL moves
 * rows, so one that is not in its place is looked for.
 */
bool
wf_timer_consume(const DueTimer *timer)
{
	Relation	rel = wf_store_open("timer", RowExclusiveLock);
	ItemPointerData tid = timer->tid;
	bool		deleted = true;

	PushActiveSnapshot(GetTransactionSnapshot());	/* keeps its place from being cleared */
	if (in_place(rel, timer))
		wf_store_delete(rel, &tid);
	else
		deleted = fed && delete_rows(rel, fed->owner, timer->at, timer->enrollment, timer->epoch);
	PopActiveSnapshot();
	table_close(rel, NoLock);
	CommandCounterIncrement();
	return deleted;
}

/* The earliest timer of an owner; 0 if there is none. */
TimestampTz
wf_timer_earliest(int owner)
{
	Relation	rel = wf_store_open("timer", AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	DueTimer	timer = {0};

	ScanKeyInit(&key, TIMER_OWNER, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(owner));
	scan = wf_store_scan(rel, "timer_at", wf_store_snapshot(), 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		from_row(&timer, tuple, RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, NoLock);
	return timer.at;
}
