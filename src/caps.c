/*
 * caps.c -- how many messages may go out: of one SEND, to one recipient, of a family,
 * to a server in a month.
 *
 * Called by send.c for each message that nothing else stops, as the workflow's owner,
 * inside the executor's batch; what is noted here is rolled back with the batch.
 *
 * Nothing is counted where two executors would wait for each other: messages to a
 * recipient are counted by reading the outbox, and those of a month in a row per
 * owner.  So within an owner caps are exact.  Owners who share a server do not see what
 * the others are just entering: a cap may be passed by what is in their running
 * batches.
 *
 * Memory: the current context, but for what the process remembers of the running
 * transaction (static, some kB).  Locks: AccessShareLock, RowExclusiveLock on what is
 * written.
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "caps.h"
#include "compat.h"
#include "event_internal.h"
#include "lookup.h"
#include "store.h"
#include "suppression.h"

/* Columns of automation.outgoing that are looked at, by outgoing_address. */
#define OUTGOING_SERVER 13
#define OUTGOING_CHANNEL 15
#define OUTGOING_CLASS 17
#define OUTGOING_STATE 30
#define ADDRESS_INDEX_ADDRESS 1
#define ADDRESS_INDEX_CREATED_AT 2

enum
{
	ONCE_OWNER = 1, ONCE_FAMILY, ONCE_ADDRESS, ONCE_MESSAGE
};
#define ONCE_COLUMNS ONCE_MESSAGE

enum
{
	COUNT_SERVER = 1, COUNT_MONTH, COUNT_OWNER, COUNT_MESSAGES
};
#define COUNT_COLUMNS COUNT_MESSAGES

/* --- messages to a recipient --- */

/* Recipients of the messages that were let through last: only of these there may be rows
 * that the batch has put off. */
static uint64 lately[STORE_PENDING];
static int	next_lately = 0;

static uint64
hash_of(const char *address)
{
	return hash_bytes_extended((const unsigned char *) address, strlen(address), 0);
}

static void
note_recipient(const char *address)
{
	lately[next_lately] = hash_of(address);
	next_lately = (next_lately + 1) % STORE_PENDING;
}

static bool
was_lately(const char *address)
{
	uint64		hash = hash_of(address);

	for (int i = 0; i < STORE_PENDING; i++)
		if (lately[i] == hash)
			return true;
	return false;
}

static bool
says(TupleTableSlot *slot, int column, const char *word)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, column, &isnull);

	return !isnull && strcmp(TextDatumGetCString(value), word) == 0;
}

/* Did it go, or will it, by the same server, and is it of the same class? */
static bool
counts(TupleTableSlot *slot, const Outgoing *o)
{
	return says(slot, OUTGOING_SERVER, o->server) && says(slot, OUTGOING_CHANNEL, o->channel) &&
		says(slot, OUTGOING_CLASS, o->class) &&
		!says(slot, OUTGOING_STATE, OUTGOING_SKIPPED) && !says(slot, OUTGOING_STATE, OUTGOING_CANCELLED);
}

/* How many went to the recipient since then; the count ends at the limit. */
static int
count_messages(const Outgoing *o, TimestampTz since, int limit)
{
	Oid			relid = wf_store_relid("outgoing");
	Lookup	   *lookup;
	Snapshot	snapshot;
	ScanKeyData keys[2];
	int			n = 0;

	if (was_lately(o->address))
		wf_store_show(relid);
	lookup = wf_lookup_open(relid, wf_store_index("outgoing_address"));
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyInit(&keys[0], ADDRESS_INDEX_ADDRESS, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(o->address));
	keys[0].sk_collation = wf_lookup_index(lookup)->rd_indcollation[0];
	ScanKeyInit(&keys[1], ADDRESS_INDEX_CREATED_AT, BTGreaterStrategyNumber, F_TIMESTAMPTZ_GT, TimestampTzGetDatum(since));
	for (TupleTableSlot *slot = wf_lookup_find(lookup, 2, keys, snapshot);
		 slot != NULL && n < limit;
		 slot = wf_lookup_next(lookup))
		n += counts(slot, o);
	UnregisterSnapshot(snapshot);
	wf_lookup_close(lookup);
	return n;
}

/*
 * Has the recipient had what he may have?  The option is about marketing.  Transactional
 * messages, which people wait for, have room for ten times that: enough for everybody,
 * and not for a flood of sign-ups in a victim's name.  Internal ones go to one's own people.
 */
static bool
is_frequent(const Outgoing *o, const Server *server)
{
	double		rate = server->recipient_rate;

	if (o->address == NULL || rate <= 0 || server->recipient_period <= 0 || strcmp(o->class, CLASS_INTERNAL) == 0)
		return false;
	if (strcmp(o->class, CLASS_MARKETING) != 0)
		rate *= TRANSACTIONAL_RATE;
	if (rate >= PG_INT32_MAX)
		return false;
	return count_messages(o, o->created_at - server->recipient_period, (int) ceil(rate)) >= rate;
}

/* --- one of a family --- */

/* A message that was cancelled or skipped before anything of it left gives its place back. */
static bool
gave_way(int64 message)
{
	Outgoing   *earlier;

	wf_store_show(wf_store_relid("outgoing"));
	earlier = wf_outgoing_load(message);
	return earlier != NULL && earlier->attempts == 0 &&
		(strcmp(earlier->state, OUTGOING_CANCELLED) == 0 || strcmp(earlier->state, OUTGOING_SKIPPED) == 0);
}

static HeapTuple
find_once(Relation rel, const Outgoing *o, const char *hash)
{
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], ONCE_OWNER, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(o->owner));
	ScanKeyInit(&keys[1], ONCE_FAMILY, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(o->family));
	keys[1].sk_collation = TupleDescAttr(RelationGetDescr(rel), ONCE_FAMILY - 1)->attcollation;
	ScanKeyInit(&keys[2], ONCE_ADDRESS, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(hash));
	keys[2].sk_collation = TupleDescAttr(RelationGetDescr(rel), ONCE_ADDRESS - 1)->attcollation;
	scan = wf_store_scan(rel, "sent_once_pkey", wf_store_snapshot(), 3, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}

/* Notes that the recipient has the family; false: he has had it.  A second row is refused by
 * the primary key, whoever writes it. */
static bool
note_once(const Outgoing *o)
{
	Relation	rel = wf_store_open("sent_once", RowExclusiveLock);
	const char *hash = wf_address_hash(wf_address_normalize(o->channel, o->address));
	HeapTuple	tuple = find_once(rel, o, hash);
	Datum		values[ONCE_COLUMNS];
	bool		nulls[ONCE_COLUMNS] = {0};
	bool		isnull;
	bool		noted = true;

	values[ONCE_OWNER - 1] = Int32GetDatum(o->owner);
	values[ONCE_FAMILY - 1] = CStringGetTextDatum(o->family);
	values[ONCE_ADDRESS - 1] = CStringGetTextDatum(hash);
	values[ONCE_MESSAGE - 1] = Int64GetDatum(o->id);
	if (tuple == NULL)
		wf_store_insert(rel, values, nulls, NULL);
	else if (gave_way(DatumGetInt64(heap_getattr(tuple, ONCE_MESSAGE, RelationGetDescr(rel), &isnull))))
		wf_store_update_tuple(rel, &tuple->t_self, heap_form_tuple(RelationGetDescr(rel), values, nulls));
	else
		noted = false;
	table_close(rel, NoLock);
	if (noted)
		CommandCounterIncrement();
	return noted;
}

/* --- messages of a month --- */

/* What the running transaction knows of a server's month. */
static struct
{
	FullTransactionId xact;				/* that of another one: nothing is known */
	char		server[NAMEDATALEN];
	DateADT		month;
	int			owner;
	int64		others;					/* of other owners, when it was read */
	ItemPointerData own;				/* the owner's row */
} known;

/* First day of the month of UTC. */
static DateADT
month_of(TimestampTz at)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	return date2j(tm.tm_year, tm.tm_mon, 1) - POSTGRES_EPOCH_JDATE;
}

static int64
messages_of(Relation rel, HeapTuple tuple)
{
	bool		isnull;

	return DatumGetInt64(heap_getattr(tuple, COUNT_MESSAGES, RelationGetDescr(rel), &isnull));
}

static bool
is_of_owner(Relation rel, HeapTuple tuple, int owner)
{
	bool		isnull;

	return DatumGetInt32(heap_getattr(tuple, COUNT_OWNER, RelationGetDescr(rel), &isnull)) == owner;
}

static bool
is_row_of(Relation rel, HeapTuple tuple, const Outgoing *o, DateADT month)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;

	return is_of_owner(rel, tuple, o->owner) &&
		DatumGetDateADT(heap_getattr(tuple, COUNT_MONTH, desc, &isnull)) == month &&
		strcmp(TextDatumGetCString(heap_getattr(tuple, COUNT_SERVER, desc, &isnull)), o->server) == 0;
}

/* Reads the rows of all owners; the own one is returned, NULL if there is none. */
static HeapTuple
read_month(Relation rel, const Outgoing *o, DateADT month)
{
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	HeapTuple	own = NULL;

	known.xact = GetTopFullTransactionId();
	strlcpy(known.server, o->server, NAMEDATALEN);
	known.month = month;
	known.owner = o->owner;
	known.others = 0;
	ItemPointerSetInvalid(&known.own);
	ScanKeyInit(&keys[0], COUNT_SERVER, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(o->server));
	keys[0].sk_collation = TupleDescAttr(RelationGetDescr(rel), COUNT_SERVER - 1)->attcollation;
	ScanKeyInit(&keys[1], COUNT_MONTH, BTEqualStrategyNumber, F_DATE_EQ, DateADTGetDatum(month));
	scan = wf_store_scan(rel, "monthly_count_pkey", wf_store_snapshot(), 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (is_of_owner(rel, tuple, o->owner))
			own = heap_copytuple(tuple);
		else
			known.others += messages_of(rel, tuple);
	}
	systable_endscan(scan);
	return own;
}

/*
 * The owner's row where this transaction has written it; NULL: it is not there, or not
 * known.  The index leads to every version that the transaction has made of it.
 */
static HeapTuple
own_row(Relation rel, const Outgoing *o, DateADT month)
{
	TupleTableSlot *slot;
	HeapTuple	tuple = NULL;

	if (!FullTransactionIdEquals(known.xact, GetTopFullTransactionId()) || strcmp(known.server, o->server) != 0 ||
		known.month != month || known.owner != o->owner || !ItemPointerIsValid(&known.own))
		return NULL;
	slot = table_slot_create(rel, NULL);
	if (wf_fetch_row(rel, known.own, SnapshotSelf, slot))
		tuple = ExecCopySlotHeapTuple(slot);
	ExecDropSingleTupleTableSlot(slot);
	/* where a savepoint was rolled back another row may lie */
	return tuple && is_row_of(rel, tuple, o, month) ? tuple : NULL;
}

/* Counts the message; false: the month is full. */
static bool
count_in_month(const Outgoing *o, const Server *server)
{
	Relation	rel = wf_store_open("monthly_count", RowExclusiveLock);
	DateADT		month = month_of(o->created_at);
	HeapTuple	old = own_row(rel, o, month);
	HeapTuple	tuple;
	Datum		values[COUNT_COLUMNS];
	bool		nulls[COUNT_COLUMNS] = {0};
	int64		own;

	if (old == NULL)
		old = read_month(rel, o, month);
	own = old ? messages_of(rel, old) : 0;
	if (known.others + own >= server->monthly_cap)
	{
		table_close(rel, NoLock);
		return false;
	}
	values[COUNT_SERVER - 1] = CStringGetTextDatum(o->server);
	values[COUNT_MONTH - 1] = DateADTGetDatum(month);
	values[COUNT_OWNER - 1] = Int32GetDatum(o->owner);
	values[COUNT_MESSAGES - 1] = Int64GetDatum(own + 1);
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	if (old)
		wf_store_update_in_place(rel, &old->t_self, tuple);
	else
		wf_store_insert_tuple(rel, tuple);
	known.own = tuple->t_self;
	table_close(rel, NoLock);
	CommandCounterIncrement();
	return true;
}

/* --- */

const char *
wf_caps_reason(const Outgoing *o, const Server *server, int nth, bool once)
{
	if (server->recipients > 0 && nth > server->recipients)
		return REASON_RECIPIENT_CAP;
	if (is_frequent(o, server))
		return REASON_FREQUENCY_CAP;
	if (once && o->family != NULL && o->address != NULL && !note_once(o))
		return REASON_ALREADY_SENT;
	if (server->monthly_cap > 0 && !count_in_month(o, server))
		return REASON_MONTHLY_CAP;
	if (o->address != NULL)
		note_recipient(o->address);
	return NULL;
}
