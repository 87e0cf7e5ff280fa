/*
 * clock.c -- engine time: the server's clock plus the shift in automation.clock.
 *
 * Called wherever a moment is stored or compared.  The shift is read once and
 * again after a relcache invalidation of the table, always with the latest
 * snapshot, so that a REPEATABLE READ transaction appends with the time all
 * others use.  Reading takes AccessShareLock on automation.clock to the end of
 * the transaction; moving it takes ShareRowExclusiveLock, so two movers add up.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "common/int.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/timestamp.h"

#include "board.h"
#include "clock.h"
#include "compat.h"
#include "store.h"
#include "zone.h"

#define SHIFT_COLUMN 1

static uint64 invalidations = 1;	/* seen so far */
static uint64 read_at = 0;		/* invalidations when the shift was read */
static Oid	clock_relid = InvalidOid;	/* invalid: not known, so any invalidation counts */
static int64 shift = 0;			/* microseconds */
static uint64 generation = 0;
static bool moved = false;		/* by the transaction under way */

static void
invalidated(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || !OidIsValid(clock_relid) || relid == clock_relid)
		invalidations++;
}

/* A sleeping process hears of the invalidation only when somebody wakes it. */
static void
transaction_ended(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT && moved)
		wf_board_wake_all();
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		moved = false;
}

/* From _PG_init(). */
void
wf_clock_init(void)
{
	CacheRegisterRelcacheCallback(invalidated, (Datum) 0);
	RegisterXactCallback(transaction_ended, NULL);
}

/* Copies the only row of automation.clock; NULL if there is none. */
static HeapTuple
read_row(Relation rel)
{
	SysScanDesc scan = wf_store_scan(rel, NULL, wf_store_snapshot(), 0, NULL);
	HeapTuple	tuple = systable_getnext(scan);

	if (tuple != NULL)
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}

static int64
shift_of(Relation rel, HeapTuple tuple)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, SHIFT_COLUMN, RelationGetDescr(rel), &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

static void
remember(int64 value)
{
	if (value != shift)
		generation++;
	shift = value;
}

/* Reads the shift if it may have changed; a database without the extension
 * has none. */
static void
refresh(void)
{
	Relation	rel;
	HeapTuple	tuple;
	uint64		before;

	if (read_at == invalidations || !IsTransactionState())
		return;
	before = invalidations;		/* another one may come while we read */
	rel = wf_store_try_open("clock", AccessShareLock);
	clock_relid = rel ? RelationGetRelid(rel) : InvalidOid;
	if (rel == NULL)
	{
		remember(0);
		read_at = before;
		return;
	}
	tuple = read_row(rel);
	remember(tuple ? shift_of(rel, tuple) : 0);
	if (tuple)
		heap_freetuple(tuple);
	relation_close(rel, NoLock);
	read_at = before;
}

/* Engine time now. */
TimestampTz
wf_clock_now(void)
{
	refresh();
	return GetCurrentTimestamp() + shift;
}

/* The shift in microseconds. */
int64
wf_clock_shift(void)
{
	refresh();
	return shift;
}

/* Number of changes of the shift seen by this process. */
uint64
wf_clock_generation(void)
{
	refresh();
	return generation;
}

/* The shift after a move by delta; ERROR if engine time would leave the
 * calendar. */
static int64
moved_shift(int64 old, int64 delta)
{
	int64		value;
	int64		now;

	if (delta < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the clock cannot be set back")));
	if (pg_add_s64_overflow(old, delta, &value) ||
		pg_add_s64_overflow(GetCurrentTimestamp(), value, &now) || !IS_VALID_TIMESTAMP(now))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	return value;
}

/* Moves the virtual clock forward; the own process sees it at once. */
void
wf_clock_advance(int64 delta)
{
	Relation	rel = wf_store_open("clock", ShareRowExclusiveLock);
	HeapTuple	tuple = read_row(rel);
	Datum		value;
	bool		null = false;
	bool		replace = true;

	if (tuple == NULL)
	{
		value = Int64GetDatum(moved_shift(0, delta));
		wf_store_insert(rel, &value, &null, NULL);
	}
	else
	{
		value = Int64GetDatum(moved_shift(shift_of(rel, tuple), delta));
		wf_store_update(rel, tuple, &value, &null, &replace);
	}
	CacheInvalidateRelcache(rel);
	moved = true;
	relation_close(rel, NoLock);
	CommandCounterIncrement();
}

/* --- local time --- */

/* See clock.h. */
TimestampTz
wf_clock_of_local(Timestamp local)
{
	return wf_zone_moment(local, session_timezone);
}

/* See clock.h. */
TimestampTz
wf_clock_plus(TimestampTz start, const Interval *interval)
{
	Interval	days = *interval;
	Timestamp	local;

	if ((interval->month == 0 && interval->day == 0) || WF_COMPAT_INTERVAL_NOT_FINITE(interval))
		return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(start),
													   IntervalPGetDatum(unconstify(Interval *, interval))));
	days.time = 0;
	local = DatumGetTimestamp(DirectFunctionCall1(timestamptz_timestamp, TimestampTzGetDatum(start)));
	local = DatumGetTimestamp(DirectFunctionCall2(timestamp_pl_interval, TimestampGetDatum(local),
												  IntervalPGetDatum(&days)));
	days = *interval;
	days.month = days.day = 0;
	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												   TimestampTzGetDatum(wf_clock_of_local(local)),
												   IntervalPGetDatum(&days)));
}
