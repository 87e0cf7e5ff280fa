/*
 * event_read.c -- the reader of the event log, and consumption.
 *
 * An executor reads the events of its owner; the coordinator (owner 0) reads
 * which owners have any.  Events are found by what became visible since the
 * last read, never by their number or their place: the reader keeps the
 * previous snapshot, and the next delta is every transaction id from its xmax
 * on plus those it saw running.  Such a transaction commits whole, so its
 * events become readable together.  The index tells in which blocks they are
 * (event_head.c); these are read whole.
 *
 * The queue is a cache of live rows.  A group is the events of one row in one
 * transaction; the deletion of its rows is the licence to act on it, and both
 * commit together.  An ERROR leaves the reader as it was before the call; the
 * caller then says wf_event_rolled_back().
 *
 * Segments are locked in AccessShare mode only while they are read, so that
 * the rotation finds its moment under load.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "compat.h"
#include "event_internal.h"
#include "event_scan.h"
#include "settings.h"
#include "store.h"

/* A full read finds what came by strange means (rows restored, xids reset). */
#define FULL_READ_INTERVAL_MS 60000

/* An event row that was read. */
typedef struct Entry
{
	int64		seq;
	uint64		xact;					/* transaction_of() */
	uint64		row;					/* hash of the row's key */
	uint64		old_row;				/* hash of its key before; valid if moved */
	int			source;
	int			group;					/* number in the batch of entries just read */
	ItemPointerData tid;
	uint8		segment;
	bool		alone;					/* E, H, W, C: a group of its own */
	bool		moved;					/* the key changed */
} Entry;

/* A growing array of entries. */
typedef struct EntryList
{
	Entry	   *items;
	int			n;
	int			size;
} EntryList;

/* A queued group: entries [first, first + n) of the reader's list. */
typedef struct Queued
{
	int64		seq;					/* of its first event */
	int			first;
	int			n;
	bool		consumed;				/* in the transaction that is running */
} Queued;

struct EventReader
{
	MemoryContext context;
	int			owner;					/* 0 = the coordinator's */
	Horizon		seen;					/* everything visible to it is read */
	Horizon		target;					/* valid: of the read that was capped */
	PlaceList	places;					/* target valid, no full read: where it reads on */
	TimestampTz full_at;				/* server's clock: of the last full read */
	bool		nonempty;				/* a segment had blocks at the last read */
	Oid			storage[EVENT_SEGMENTS];	/* relfilenode, 0 = empty or not seen yet */

	EntryList	entries;
	Queued	   *groups;					/* [head, ngroups) wait, oldest first */
	int			head;
	int			ngroups;
	int			maxgroups;
	int			consumed_first;			/* range of the consumed ones; empty: first > last */
	int			consumed_last;

	List	   *owners;					/* coordinator: of int, since the last call */
};

/* One read under way. */
typedef struct Delta
{
	EventReader *reader;
	Snapshot	snapshot;
	Horizon		from;					/* invalid: full read */
	Horizon		to;
	PlaceList	places;					/* where it reads, unless it is a full read */
	EntryList	list;
	int			limit;					/* entries to keep; INT_MAX: no limit */
	bool		capped;
	HTAB	   *whole;					/* not NULL: second pass, the rest of these transactions */
	int64		last;					/* capped: greatest number the first pass kept */
	List	   *owners;
} Delta;

/* Identity of a row while a delta is grouped. */
typedef struct RowId
{
	uint64		xact;
	uint64		row;
	int64		source;					/* 64 bits wide: no padding in a hash key */
} RowId;

typedef struct RowGroup
{
	RowId		id;
	int			group;
} RowGroup;

/* Creates a reader that has read nothing. */
EventReader *
wf_event_reader_create(MemoryContext parent, int owner)
{
	MemoryContext context = AllocSetContextCreate(parent, "automation event reader", ALLOCSET_DEFAULT_SIZES);
	EventReader *reader = MemoryContextAllocZero(context, sizeof(EventReader));

	reader->context = context;
	reader->owner = owner;
	wf_event_reader_forget(reader);
	return reader;
}

/* Drops the queue, keeps its arrays. */
static void
clear_queue(EventReader *reader)
{
	reader->entries.n = 0;
	reader->head = reader->ngroups = 0;
	reader->consumed_first = INT_MAX;
	reader->consumed_last = -1;
}

/* The next read takes everything that is there. */
void
wf_event_reader_forget(EventReader *reader)
{
	clear_queue(reader);
	reader->seen.valid = false;
	reader->target.valid = false;
	reader->nonempty = true;
	memset(reader->storage, 0, sizeof(reader->storage));
}

/* Makes room for one more entry; the array lives in the given context. */
static Entry *
add_entry(EntryList *list, MemoryContext context)
{
	if (list->n == list->size)
	{
		int			size = Max(1024, list->size * 2);

		list->items = list->items ? repalloc_huge(list->items, size * sizeof(Entry)) :
			MemoryContextAllocHuge(context, size * sizeof(Entry));
		list->size = size;
	}
	return &list->items[list->n++];
}

static int
compare_entries(const void *a, const void *b)
{
	int64		left = ((const Entry *) a)->seq;
	int64		right = ((const Entry *) b)->seq;

	return left < right ? -1 : left > right;
}

static void
sort_entries(EntryList *list)
{
	qsort(list->items, list->n, sizeof(Entry), compare_entries);
}

/* A column of the row, by number. */
static Datum
column(HeapTuple tuple, TupleDesc desc, int number, bool *isnull)
{
	return heap_getattr(tuple, number, desc, isnull);
}

/* Hash of a key column; 0 if it is null. */
static uint64
hash_of_key(HeapTuple tuple, TupleDesc desc, int number, bool *isnull)
{
	Datum		value = column(tuple, desc, number, isnull);
	text	   *key;
	uint64		hash;

	if (*isnull)
		return 0;
	key = DatumGetTextPP(value);
	hash = DatumGetUInt64(hash_any_extended((unsigned char *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), 0));
	if ((Pointer) key != DatumGetPointer(value))
		pfree(key);
	return hash;
}

/*
 * The transaction that made the change.  That of a restored event was another
 * cluster's, or of another time: marked by the highest bit.
 */
static uint64
transaction_of(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull = true;
	Datum		origin = (Datum) 0;

	if (desc->natts >= EVENT_ORIGIN)
		origin = column(tuple, desc, EVENT_ORIGIN, &isnull);
	if (!isnull)
		return U64FromFullTransactionId(DatumGetFullTransactionId(origin)) | (UINT64CONST(1) << 63);
	return U64FromFullTransactionId(DatumGetFullTransactionId(column(tuple, desc, EVENT_XACT, &isnull)));
}

/* Fills an entry from its row. */
static void
read_entry(Entry *entry, HeapTuple tuple, TupleDesc desc, int segment)
{
	bool		isnull;
	bool		nokey;
	char		kind;

	entry->seq = DatumGetInt64(column(tuple, desc, EVENT_SEQ, &isnull));
	entry->xact = transaction_of(tuple, desc);
	kind = DatumGetChar(column(tuple, desc, EVENT_KIND, &isnull));
	entry->source = DatumGetInt32(column(tuple, desc, EVENT_SOURCE, &isnull));
	entry->row = hash_of_key(tuple, desc, EVENT_KEY, &nokey);
	entry->old_row = hash_of_key(tuple, desc, EVENT_OLD_KEY, &isnull);
	entry->moved = !isnull;
	entry->alone = nokey || (kind != EVENT_INSERT && kind != EVENT_UPDATE && kind != EVENT_DELETE);
	entry->tid = tuple->t_self;
	entry->segment = segment;
	entry->group = 0;
}

/* Keeps the entries of the smallest numbers when the list has twice as many. */
static void
cap(Delta *delta)
{
	sort_entries(&delta->list);
	delta->list.n = delta->limit;
	delta->capped = true;
}

/* Takes one row that the snapshot sees. */
static void
take_row(void *arg, HeapTuple tuple, TupleDesc desc, int segment)
{
	Delta	   *delta = arg;
	bool		isnull;
	int			owner = DatumGetInt32(column(tuple, desc, EVENT_OWNER, &isnull));
	FullTransactionId xact = DatumGetFullTransactionId(column(tuple, desc, EVENT_XACT, &isnull));
	Entry	   *entry;

	if (delta->from.valid && wf_horizon_sees(&delta->from, xact))
		return;							/* read before */
	if (delta->reader->target.valid && !wf_horizon_sees(&delta->to, xact))
		return;							/* newer than the read that is being continued */
	if (delta->reader->owner == 0)
	{
		delta->owners = list_append_unique_int(delta->owners, owner);
		return;
	}
	if (owner != delta->reader->owner)
		return;
	entry = add_entry(&delta->list, CurrentMemoryContext);
	read_entry(entry, tuple, desc, segment);
	if (delta->whole)
	{
		if (entry->seq <= delta->last || !hash_search(delta->whole, &entry->xact, HASH_FIND, NULL))
			delta->list.n--;
	}
	else if (delta->list.n / 2 >= delta->limit)
		cap(delta);
}

/*
 * Decides where to read.  A read that was capped goes on where it was going to:
 * the heads of what it left may be consumed.
 */
static void
find_places(Delta *delta)
{
	if (!delta->from.valid)
		return;
	if (delta->reader->target.valid)
		delta->places = delta->reader->places;
	else
		wf_places_find(&delta->places, delta->snapshot, &delta->from, &delta->to);
}

/* Reads what the delta asks for. */
static void
scan(Delta *delta)
{
	wf_event_scan(delta->from.valid ? &delta->places : NULL, delta->snapshot, take_row, delta);
}

/*
 * Second pass of a capped read: transactions of which one event was kept are
 * read whole, else a group could be cut.
 */
static void
complete_transactions(Delta *delta)
{
	HASHCTL		control = {.keysize = sizeof(uint64), .entrysize = sizeof(uint64), .hcxt = CurrentMemoryContext};

	cap(delta);
	delta->last = delta->list.items[delta->list.n - 1].seq;
	delta->whole = hash_create("automation event transactions", 1024, &control,
							   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < delta->list.n; i++)
		hash_search(delta->whole, &delta->list.items[i].xact, HASH_ENTER, NULL);
	scan(delta);
	sort_entries(&delta->list);
	hash_destroy(delta->whole);
}

/*
 * Compares each segment's storage with the remembered one.  New storage means
 * TRUNCATE, VACUUM FULL or CLUSTER: rows may have moved, the queue is void.
 */
static bool
storage_changed(EventReader *reader, Oid *storage)
{
	bool		changed = false;

	reader->nonempty = false;
	for (int i = 0; i < EVENT_SEGMENTS; i++)
	{
		Relation	rel = wf_store_open(wf_event_segment_name(i), AccessShareLock);

		storage[i] = rel->rd_rel->relfilenode;
		changed |= reader->storage[i] != storage[i];
		reader->nonempty |= RelationGetNumberOfBlocks(rel) > 0;
		table_close(rel, AccessShareLock);
	}
	return changed;
}

/* Group of an entry's row; a new one gets the next number. */
static int
group_of_row(HTAB *rows, const Entry *entry, int *ngroups)
{
	RowId		id = {.xact = entry->xact,.source = entry->source};
	RowGroup   *row;
	bool		found;
	int			group;

	id.row = entry->moved ? entry->old_row : entry->row;
	row = hash_search(rows, &id, HASH_ENTER, &found);
	if (!found)
		row->group = (*ngroups)++;
	group = row->group;
	if (entry->moved && entry->old_row != entry->row)
	{
		/* From here on the row goes by its new key; the old one is free. */
		hash_search(rows, &id, HASH_REMOVE, NULL);
		id.row = entry->row;
		row = hash_search(rows, &id, HASH_ENTER, NULL);
		row->group = group;
	}
	return group;
}

/* Numbers the groups of entries in order of their first events; returns how many. */
static int
number_groups(EntryList *list)
{
	HASHCTL		control = {.keysize = sizeof(RowId),.entrysize = sizeof(RowGroup),.hcxt = CurrentMemoryContext};
	HTAB	   *rows;
	int			ngroups = 0;

	if (list->n < 2)
		return list->n;					/* numbered 0 already */
	rows = hash_create("automation event rows", list->n, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < list->n; i++)
	{
		Entry	   *entry = &list->items[i];

		entry->group = entry->alone ? ngroups++ : group_of_row(rows, entry, &ngroups);
	}
	hash_destroy(rows);
	return ngroups;
}

/*
 * After a capped read: drops the groups that begin after what the first pass
 * kept.  They came along with their transactions, and events of other
 * transactions that must precede them are not read yet.
 */
static int
drop_later_groups(Delta *delta)
{
	EntryList  *list = &delta->list;
	int			ngroups = 0;
	int			n = 0;

	for (int i = 0; i < list->n && list->items[i].seq <= delta->last; i++)
		ngroups = Max(ngroups, list->items[i].group + 1);
	for (int i = 0; i < list->n; i++)
		if (list->items[i].group < ngroups)
			list->items[n++] = list->items[i];
	list->n = n;
	return ngroups;
}

/* Drops entries of groups that left, when they are the greater part. */
static void
compact_entries(EventReader *reader)
{
	EntryList  *list = &reader->entries;
	Entry	   *old = list->items;
	int			nold = list->n;
	int			live = 0;

	for (int i = reader->head; i < reader->ngroups; i++)
		live += reader->groups[i].n;
	if (live == 0)
		list->n = 0;
	if (live == 0 || nold < 4096 || live > nold / 2)
		return;
	list->items = MemoryContextAllocHuge(reader->context, (Size) nold * sizeof(Entry));
	list->size = nold;
	list->n = 0;
	for (int i = reader->head; i < reader->ngroups; i++)
	{
		Queued	   *group = &reader->groups[i];

		memcpy(list->items + list->n, old + group->first, group->n * sizeof(Entry));
		group->first = list->n;
		list->n += group->n;
	}
	pfree(old);
}

static int
compare_groups(const void *a, const void *b)
{
	int64		left = ((const Queued *) a)->seq;
	int64		right = ((const Queued *) b)->seq;

	return left < right ? -1 : left > right;
}

/* Makes room for n more groups and n more entries, all that may fail in queueing. */
static void
reserve(EventReader *reader, int nentries, int ngroups)
{
	EntryList  *list = &reader->entries;

	if (list->n + nentries > list->size)
	{
		int			size = Max(list->n + nentries, list->size * 2);

		list->items = list->items ? repalloc_huge(list->items, (Size) size * sizeof(Entry)) :
			MemoryContextAllocHuge(reader->context, (Size) size * sizeof(Entry));
		list->size = size;
	}
	if (reader->head > 0)
	{
		memmove(reader->groups, reader->groups + reader->head, (reader->ngroups - reader->head) * sizeof(Queued));
		reader->ngroups -= reader->head;
		reader->head = 0;
	}
	if (reader->ngroups + ngroups > reader->maxgroups)
	{
		int			size = Max(reader->ngroups + ngroups, reader->maxgroups * 2);

		reader->groups = reader->groups ? repalloc_huge(reader->groups, (Size) size * sizeof(Queued)) :
			MemoryContextAllocHuge(reader->context, (Size) size * sizeof(Queued));
		reader->maxgroups = size;
	}
}

/*
 * Puts the entries, sorted and numbered, into the queue as groups.  Groups are
 * numbered by first event, so most deltas simply go to the end; a transaction
 * that committed late is sorted in.
 */
static void
queue_entries(EventReader *reader, EntryList *list, int ngroups)
{
	int			old = reader->ngroups;
	Queued	   *groups = reader->groups + old;
	int			base = reader->entries.n;
	int		   *place = MemoryContextAllocExtended(CurrentMemoryContext, ((Size) ngroups + 1) * sizeof(int),
												  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (int i = 0; i < list->n; i++)
	{
		Queued	   *group = &groups[list->items[i].group];

		if (place[list->items[i].group]++ == 0)
			*group = (Queued) {.seq = list->items[i].seq};
		group->n++;
	}
	for (int i = 0; i < ngroups; i++)
	{
		groups[i].first = base;
		place[i] = base;
		base += groups[i].n;
	}
	for (int i = 0; i < list->n; i++)
		reader->entries.items[place[list->items[i].group]++] = list->items[i];
	reader->entries.n = base;
	reader->ngroups += ngroups;
	if (old > reader->head && ngroups > 0 && groups[0].seq < reader->groups[old - 1].seq)
	{
		while (old > reader->head && reader->groups[old - 1].seq > groups[0].seq)
			old--;
		qsort(reader->groups + old, reader->ngroups - old, sizeof(Queued), compare_groups);
	}
	pfree(place);
}

/* Adds the owners that were seen to those not yet reported. */
static void
keep_owners(EventReader *reader, List *owners)
{
	MemoryContext old = MemoryContextSwitchTo(reader->context);
	ListCell   *lc;

	foreach(lc, owners)
		reader->owners = list_append_unique_int(reader->owners, lfirst_int(lc));
	MemoryContextSwitchTo(old);
}

/*
 * Takes a finished read over into the reader.  What is remembered as seen
 * moves last: should memory run out before, the same is read again.
 */
static void
finish_read(EventReader *reader, Delta *delta, const Oid *storage, TimestampTz now)
{
	int			ngroups = number_groups(&delta->list);

	if (delta->capped)
		ngroups = drop_later_groups(delta);
	keep_owners(reader, delta->owners);
	if (!delta->from.valid)
	{
		reader->seen.valid = false;
		clear_queue(reader);
	}
	compact_entries(reader);
	reserve(reader, delta->list.n, ngroups);
	queue_entries(reader, &delta->list, ngroups);
	if (delta->capped)
	{
		if (delta->places.items != reader->places.items)
			wf_places_keep(reader->context, &reader->places, &delta->places);
		wf_horizon_keep(reader->context, &reader->target, &delta->to);
	}
	else
	{
		wf_horizon_keep(reader->context, &reader->seen, &delta->to);
		reader->target.valid = false;
	}
	memcpy(reader->storage, storage, sizeof(reader->storage));
	if (!delta->from.valid)
		reader->full_at = now;
}

/*
 * Decides what to read.  A read that was capped is continued up to where it
 * was to go, before anything newer.  A full read takes everything anew: all
 * that is unconsumed is alive.
 */
static void
plan_read(EventReader *reader, Delta *delta, Oid *storage, TimestampTz now)
{
	bool		changed = storage_changed(reader, storage);
	bool		due = TimestampDifferenceExceeds(reader->full_at, now, FULL_READ_INTERVAL_MS) ||
		now < reader->full_at;

	wf_horizon_take(&delta->to, delta->snapshot);
	if (changed)
		reader->target.valid = false;
	if (reader->target.valid)
		delta->to = reader->target;
	delta->from = reader->seen;
	if (changed || (due && reader->nonempty && !reader->target.valid))
		delta->from.valid = false;
}

/*
 * Reads what became visible since the last read.  Works in a context of its
 * own: the reader changes only when the read is complete.
 */
int
wf_event_read(EventReader *reader)
{
	TimestampTz now = GetCurrentTimestamp();
	Oid			storage[EVENT_SEGMENTS];
	Delta		delta = {.reader = reader, .limit = reader->owner ? wf_reader_limit : INT_MAX};
	MemoryContext work;
	MemoryContext old;

	if (FullTransactionIdIsValid(GetTopFullTransactionIdIfAny()))
		elog(ERROR, "events must be read before the transaction writes");
	if (reader->target.valid && wf_event_queued(reader) > 0)
		return wf_event_queued(reader);

	work = AllocSetContextCreate(CurrentMemoryContext, "automation event read", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(work);
	PushActiveSnapshot(GetLatestSnapshot());
	delta.snapshot = GetActiveSnapshot();
	plan_read(reader, &delta, storage, now);
	find_places(&delta);
	scan(&delta);
	if (delta.capped)
		complete_transactions(&delta);
	else
		sort_entries(&delta.list);
	finish_read(reader, &delta, storage, now);
	PopActiveSnapshot();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
	return wf_event_queued(reader);
}

/* Groups in the queue, those consumed in the running transaction included. */
int
wf_event_queued(EventReader *reader)
{
	return reader->ngroups - reader->head;
}

/* Owners that got events since the last call; the list is the caller's. */
List *
wf_event_owners(EventReader *reader)
{
	List	   *owners = list_copy(reader->owners);

	list_free(reader->owners);
	reader->owners = NIL;
	return owners;
}

/* Fetches the row of an entry; false if another row, or none, is in its place. */
static bool
fetch_event(Relation rel, const Entry *entry, TupleTableSlot *slot)
{
	bool		isnull;

	return wf_fetch_row(rel, entry->tid, SnapshotSelf, slot) &&
		DatumGetInt64(slot_getattr(slot, EVENT_SEQ, &isnull)) == entry->seq;
}

/* The same for an entry that this transaction has loaded: under its lock the
 * table can't have become shorter, so its size is not asked for. */
static bool
fetch_loaded_event(Relation rel, const Entry *entry, TupleTableSlot *slot)
{
	ItemPointerData tid = entry->tid;
	bool		isnull;

	return table_tuple_fetch_row_version(rel, &tid, SnapshotSelf, slot) &&
		DatumGetInt64(slot_getattr(slot, EVENT_SEQ, &isnull)) == entry->seq;
}

/* Loads the row of an entry; false as above.  Rotation must not come between
 * reading and deleting, so the lock is kept. */
static bool
load_event(const Entry *entry, Event *event)
{
	Relation	rel = wf_store_open(wf_event_segment_name(entry->segment), RowExclusiveLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	bool		found = fetch_event(rel, entry, slot);

	if (found)
	{
		slot_getallattrs(slot);
		event->seq = entry->seq;
		event->xact = DatumGetFullTransactionId(slot->tts_values[EVENT_XACT - 1]);
		event->at = DatumGetTimestampTz(slot->tts_values[EVENT_AT - 1]);
		event->kind = DatumGetChar(slot->tts_values[EVENT_KIND - 1]);
		event->owner = DatumGetInt32(slot->tts_values[EVENT_OWNER - 1]);
		wf_event_get_body(event, slot->tts_values + EVENT_SOURCE - 1, slot->tts_isnull + EVENT_SOURCE - 1);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	return found;
}

/* Loads a queued group. */
EventGroup *
wf_event_load(EventReader *reader, int i)
{
	Queued	   *queued = &reader->groups[reader->head + i];
	EventGroup *group = palloc(sizeof(EventGroup));
	bool		found = true;

	if (i < 0 || i >= wf_event_queued(reader))
		elog(ERROR, "no event group at position %d", i);
	group->nevents = queued->n;
	group->events = palloc0(queued->n * sizeof(Event));
	group->index = i;
	PushActiveSnapshot(GetTransactionSnapshot());	/* detoasting needs one */
	for (int k = 0; k < queued->n && found; k++)
		found = load_event(&reader->entries.items[queued->first + k], &group->events[k]);
	PopActiveSnapshot();
	if (found)
		return group;
	wf_event_reader_forget(reader);
	return NULL;
}

/*
 * Deletes the row of an entry; whatever prevents it, somebody else was here.
 * The row is looked at once more: the caller's snapshot then keeps its place
 * from being cleared, which the deletion would not survive.
 */
static void
delete_event(EventReader *reader, const Entry *entry)
{
	Relation	rel = wf_store_open(wf_event_segment_name(entry->segment), RowExclusiveLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	ItemPointerData tid = entry->tid;
	TM_FailureData failure;
	bool		deleted = fetch_loaded_event(rel, entry, slot) &&
		table_tuple_delete(rel, &tid, GetCurrentCommandId(true), InvalidSnapshot, InvalidSnapshot,
						   false, &failure, false) == TM_Ok;

	ExecDropSingleTupleTableSlot(slot);
	if (!deleted)
	{
		wf_event_reader_forget(reader);
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("an event was consumed by another process")));
	}
	table_close(rel, NoLock);
}

/* Deletes the rows of a group: the licence to act on it. */
void
wf_event_consume(EventReader *reader, EventGroup *group)
{
	int			place = reader->head + group->index;
	Queued	   *queued = &reader->groups[place];

	if (group->index < 0 || group->index >= wf_event_queued(reader) || queued->consumed)
		elog(ERROR, "event group %d is not in the queue", group->index);
	PushActiveSnapshot(GetTransactionSnapshot());
	for (int i = 0; i < queued->n; i++)
		delete_event(reader, &reader->entries.items[queued->first + i]);
	PopActiveSnapshot();
	queued->consumed = true;
	reader->consumed_first = Min(reader->consumed_first, place);
	reader->consumed_last = Max(reader->consumed_last, place);
}

/*
 * The consumption is committed: the groups leave the queue.  Those in between
 * that were not consumed move up to the end of the range, the head follows.
 */
void
wf_event_committed(EventReader *reader)
{
	int			to = reader->consumed_last;

	if (reader->consumed_last < 0)
		return;
	for (int from = to; from >= reader->head; from--)
		if (!reader->groups[from].consumed)
			reader->groups[to--] = reader->groups[from];
	reader->head = to + 1;
	reader->consumed_first = INT_MAX;
	reader->consumed_last = -1;
}

/* The consumption was rolled back: the groups stay. */
void
wf_event_rolled_back(EventReader *reader)
{
	for (int i = reader->consumed_first; i <= reader->consumed_last; i++)
		reader->groups[i].consumed = false;
	reader->consumed_first = INT_MAX;
	reader->consumed_last = -1;
}
