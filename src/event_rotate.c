/*
 * event_rotate.c -- rotation of the event segments.
 *
 * Called again and again by the coordinator, and by run() where there is no
 * coordinator; each call does at most one small step in the caller's
 * transaction, which the caller commits.  It waits for nobody: every lock is
 * taken conditionally, and what can't be had now is tried another time.
 *
 * A segment is emptied only when nothing in it can be of use to anybody: every
 * row is dead to all, seen under AccessExclusiveLock.  Every appender keeps its
 * lock to the end of its transaction, prepared ones too, so with the lock held
 * no row is on its way.  That no open snapshot sees a row either is for pg_dump,
 * which takes its snapshot first and its locks later: an emptied table is empty
 * for everybody, and the events would be missing in the dump together with
 * their effects.
 *
 * Runs no user code and checks no privileges.  What it remembers between calls
 * is local to the process; forgetting it delays the rotation, nothing else.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/predicate.h"
#include "utils/inval.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "event_internal.h"
#include "settings.h"
#include "stat.h"
#include "store.h"

#define CHECK_INTERVAL_MS 1000
#define MAX_AGE_MS (10 * 60 * 1000)

/* What is remembered of a segment; void when its storage is another one. */
typedef struct SegmentState
{
	Oid			storage;				/* relfilenode */
	TimestampTz since;					/* server's clock: first seen non-empty */
	TimestampTz checked_at;				/* last look at its rows */
	ItemPointerData needed;				/* a row somebody may see, as of then, or invalid */
} SegmentState;

static SegmentState states[EVENT_SEGMENTS];

/* Our memory of a non-empty segment. */
static SegmentState *
state_of(int segment, Relation rel, TimestampTz now)
{
	SegmentState *state = &states[segment];

	if (state->storage != rel->rd_rel->relfilenode || state->since > now)
	{
		memset(state, 0, sizeof(SegmentState));
		ItemPointerSetInvalid(&state->needed);
		state->storage = rel->rd_rel->relfilenode;
		state->since = now;
	}
	return state;
}

/* Tells whether a table has any storage in use. */
static bool
is_empty(Relation rel)
{
	return RelationGetNumberOfBlocks(rel) == 0;
}

/* Tells whether the row at tid may be seen by somebody, now or later. */
static bool
is_needed(Relation rel, Snapshot snapshot, ItemPointerData tid)
{
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	bool		found = wf_fetch_row(rel, tid, snapshot, slot);

	ExecDropSingleTupleTableSlot(slot);
	return found;
}

/*
 * Looks for a row that somebody may see: alive, of a running transaction, or
 * deleted but not before every open snapshot, those of standbys and replication
 * slots included.  Begins with the row found last time, so that a segment which
 * a forgotten snapshot keeps is not read again and again.
 */
static bool
find_needed(Relation rel, SegmentState *state)
{
	SnapshotData snapshot;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	PushActiveSnapshot(GetLatestSnapshot());	/* the horizon is computed with one */
	InitNonVacuumableSnapshot(snapshot, GlobalVisTestFor(rel));
	found = ItemPointerIsValid(&state->needed) && is_needed(rel, &snapshot, state->needed);
	if (!found)
	{
		scan = wf_store_scan(rel, NULL, &snapshot, 0, NULL);
		tuple = systable_getnext(scan);
		found = HeapTupleIsValid(tuple);
		if (found)
			state->needed = tuple->t_self;
		systable_endscan(scan);
	}
	PopActiveSnapshot();
	return found;
}

/* New storage for heap, toast and indexes; see the header. */
bool
wf_table_empty(Relation rel)
{
	Oid			toast = rel->rd_rel->reltoastrelid;
	ReindexParams params = {0};

	if (OidIsValid(toast) && !ConditionalLockRelationOid(toast, AccessExclusiveLock))
		return false;
	CheckTableForSerializableConflictIn(rel);
	wf_compat_new_storage(rel);
	if (OidIsValid(toast))
	{
		Relation	toastrel = table_open(toast, NoLock);

		wf_compat_new_storage(toastrel);
		table_close(toastrel, NoLock);
	}
	wf_compat_reindex_relation(RelationGetRelid(rel), REINDEX_REL_PROCESS_TOAST, &params);
	pgstat_count_truncate(rel);
	return true;
}

/* Writes the pointer and tells all sessions; false if somebody else is at it. */
static bool
set_current(int segment)
{
	Relation	rel = wf_store_open("log", AccessShareLock);
	bool		done = false;

	if (ConditionalLockRelation(rel, ShareUpdateExclusiveLock))
	{
		SysScanDesc scan = wf_store_scan(rel, NULL, wf_store_snapshot(), 0, NULL);
		HeapTuple	tuple = systable_getnext(scan);
		Datum		value = Int32GetDatum(segment);
		bool		isnull = false;
		bool		replace = true;

		tuple = HeapTupleIsValid(tuple) ? heap_copytuple(tuple) : NULL;
		systable_endscan(scan);
		if (tuple)
			wf_store_update(rel, tuple, &value, &isnull, &replace);
		else
			wf_store_insert(rel, &value, &isnull, NULL);
		CacheInvalidateRelcache(rel);
		done = true;
	}
	table_close(rel, NoLock);
	return done;
}

/* Opens a segment for a look; NULL if that would mean waiting. */
static Relation
open_for_look(int segment)
{
	Oid			relid = wf_store_relid(wf_event_segment_name(segment));

	if (!OidIsValid(relid) || !ConditionalLockRelationOid(relid, AccessShareLock))
		return NULL;
	return try_relation_open(relid, NoLock);
}

/* The next running segment after this one that has no blocks; -1 = none. */
static int
find_empty(int current)
{
	for (int i = 1; i <= EVENT_SEGMENTS_RUN; i++)
	{
		int			segment = (current + i) % EVENT_SEGMENTS_RUN;
		Relation	rel = segment == current ? NULL : open_for_look(segment);
		bool		empty = rel && is_empty(rel);

		if (rel)
			table_close(rel, AccessShareLock);
		if (empty)
			return segment;
	}
	return -1;
}

/*
 * Moves the pointer when the current segment has grown large or old and there
 * is an empty one to go to; else the current one just grows.
 */
static bool
leave_current(int current, TimestampTz now)
{
	Relation	rel = open_for_look(current);
	bool		full = false;
	int			next;

	if (rel == NULL)
		return false;
	if (!is_empty(rel))
		full = (uint64) RelationGetNumberOfBlocks(rel) * (BLCKSZ / 1024) > (uint64) wf_event_segment_size ||
			TimestampDifferenceExceeds(state_of(current, rel, now)->since, now, MAX_AGE_MS);
	table_close(rel, AccessShareLock);
	if (!full)
		return false;
	next = find_empty(current);
	if (next < 0 || !set_current(next))
		return false;
	wf_stat_database(STAT_ROTATIONS);
	return true;
}

/* First look at a segment, without a lock that disturbs: at most once a second. */
static bool
seems_useless(Relation rel, SegmentState *state, TimestampTz now)
{
	if (state->checked_at <= now && !TimestampDifferenceExceeds(state->checked_at, now, CHECK_INTERVAL_MS))
		return false;
	state->checked_at = now;
	return !find_needed(rel, state);
}

/* Empties a segment that is not appended to any more, if it may be. */
static bool
empty_segment(int segment, TimestampTz now)
{
	Relation	rel = open_for_look(segment);
	SegmentState *state;
	bool		done = false;

	if (rel == NULL)
		return false;
	state = state_of(segment, rel, now);
	if (!is_empty(rel) && seems_useless(rel, state, now) &&
		ConditionalLockRelation(rel, AccessExclusiveLock))
	{
		done = !find_needed(rel, state) && wf_table_empty(rel);
		if (done)
			wf_stat_database(STAT_EMPTIED);
		else
			UnlockRelation(rel, AccessExclusiveLock);
	}
	table_close(rel, done ? NoLock : AccessShareLock);
	return done;
}

/* One step of the rotation: true if the caller has something to commit. */
bool
wf_event_rotate(void)
{
	TimestampTz now = GetCurrentTimestamp();
	int			current;

	if (!wf_event_current(&current))
		return false;
	if (leave_current(current, now))
		return true;
	for (int i = 0; i < EVENT_SEGMENTS; i++)
		if (i != current && empty_segment(i, now))
			return true;
	return false;
}
