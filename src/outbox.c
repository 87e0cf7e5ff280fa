/*
 * outbox.c -- automation.outgoing and outgoing_due: enqueue, load, cancel, finish.
 *
 * Called by send.c and resume.c inside the executor's batch, by commands in the
 * caller's session, and by the delivery worker.  Nothing here runs user code,
 * checks privileges or opens a table but the engine's own: who may cause what is
 * the callers' business.  Results are in the current context; an ERROR is out of
 * memory, a missing table, or that somebody else changed the same row meanwhile.
 *
 * The row in outgoing_due is the licence to send.  It is taken away by deleting it,
 * decided on the row as it is when its lock is got, never as it was read before:
 * the delivery worker may have taken it in between, and then the message has left.
 * Who has taken the licence alone writes the message's row.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "compat.h"
#include "delivery.h"
#include "event.h"
#include "event_internal.h"
#include "history.h"
#include "message.h"
#include "outbox.h"
#include "store.h"

enum
{
	COL_ID = 1, COL_UID, COL_OWNER, COL_WORKFLOW, COL_VERSION, COL_ENROLLMENT, COL_EPOCH, COL_STATEMENT, COL_SOURCE,
	COL_KEY, COL_CREATED_AT, COL_KIND, COL_SERVER, COL_TARGET, COL_CHANNEL, COL_ADDRESS, COL_CLASS, COL_LIST,
	COL_FAMILY, COL_VARIANT, COL_ORDERING_KEY, COL_SUBJECT, COL_BODY, COL_HEADERS, COL_OPTIONS, COL_AWAITED,
	COL_SEND_WINDOW, COL_ZONE, COL_EXPIRES_AT,
	COL_STATE, COL_REASON, COL_ATTEMPTS, COL_FINISHED_AT, COL_STATUS, COL_ANSWER_HEADERS, COL_ANSWER, COL_ERROR,
	COL_PROVIDER_ID
};
#define OUTGOING_COLUMNS COL_PROVIDER_ID
#define LONGEST_VALUE (64 * 1024 * 1024)	/* bytes */

enum
{
	DUE_ID = 1, DUE_OWNER, DUE_WORKFLOW, DUE_ENROLLMENT, DUE_SERVER, DUE_ORDERING_KEY, DUE_DUE, DUE_ATTEMPT, DUE_XACT
};
#define DUE_COLUMNS DUE_XACT

int64
wf_outgoing_new_id(void)
{
	return wf_store_nextval("outgoing_seq");
}

/* "msg_" and 128 bits nobody can guess. */
char *
wf_outgoing_new_uid(void)
{
	unsigned char bytes[16];
	char	   *uid = palloc(4 + 2 * sizeof(bytes) + 1);

	if (!pg_strong_random(bytes, sizeof(bytes)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	strcpy(uid, "msg_");
	for (int i = 0; i < sizeof(bytes); i++)
		snprintf(uid + 4 + 2 * i, 3, "%02x", bytes[i]);
	return uid;
}

/* --- rows --- */

typedef struct RowValues
{
	Datum	   *values;
	bool	   *nulls;
} RowValues;

/* Room for a row of the table; columns that this library does not know are NULL. */
static RowValues
row_values(Relation rel, int known)
{
	int			natts = RelationGetDescr(rel)->natts;
	RowValues	row = {palloc0(natts * sizeof(Datum)), palloc0(natts * sizeof(bool))};

	memset(row.nulls + known, true, (natts - known) * sizeof(bool));
	return row;
}

static void
put_text(RowValues row, int column, const char *text)
{
	row.nulls[column - 1] = text == NULL;
	if (text)
		row.values[column - 1] = CStringGetTextDatum(text);
}

static void
put_time(RowValues row, int column, TimestampTz at)
{
	row.nulls[column - 1] = at == 0;
	row.values[column - 1] = TimestampTzGetDatum(at);
}

static void
put_int(RowValues row, int column, int number, bool isnull)
{
	row.nulls[column - 1] = isnull;
	row.values[column - 1] = Int32GetDatum(number);
}

static void
put_json(RowValues row, int column, const Jsonb *json)
{
	row.nulls[column - 1] = json == NULL;
	row.values[column - 1] = PointerGetDatum(json);
}

/* What the message is. */
static void
put_message(RowValues row, const Outgoing *o)
{
	row.values[COL_ID - 1] = Int64GetDatum(o->id);
	put_text(row, COL_UID, o->uid);
	put_int(row, COL_OWNER, o->owner, false);
	put_int(row, COL_WORKFLOW, o->workflow, false);
	put_int(row, COL_VERSION, o->version, false);
	row.values[COL_ENROLLMENT - 1] = Int64GetDatum(o->enrollment);
	put_int(row, COL_EPOCH, o->epoch, false);
	put_int(row, COL_STATEMENT, o->statement, false);
	put_int(row, COL_SOURCE, o->source, false);
	put_text(row, COL_KEY, o->key);
	row.values[COL_CREATED_AT - 1] = TimestampTzGetDatum(o->created_at);
	put_text(row, COL_KIND, o->kind);
	put_text(row, COL_SERVER, o->server);
	put_text(row, COL_TARGET, o->target);
	put_text(row, COL_CHANNEL, o->channel);
	put_text(row, COL_ADDRESS, o->address);
	put_text(row, COL_CLASS, o->class);
	put_text(row, COL_LIST, o->list);
	put_text(row, COL_FAMILY, o->family);
	put_text(row, COL_VARIANT, o->variant);
	put_text(row, COL_ORDERING_KEY, o->ordering_key);
	put_text(row, COL_SUBJECT, o->subject);
	put_text(row, COL_BODY, o->body);
	put_json(row, COL_HEADERS, o->headers);
	put_json(row, COL_OPTIONS, o->options);
	row.values[COL_AWAITED - 1] = BoolGetDatum(o->awaited);
	put_text(row, COL_SEND_WINDOW, o->send_window);
	put_text(row, COL_ZONE, o->zone);
	put_time(row, COL_EXPIRES_AT, o->expires_at);
}

/* What became of it. */
static void
put_outcome(RowValues row, const Outgoing *o)
{
	put_text(row, COL_STATE, o->state);
	put_text(row, COL_REASON, o->reason);
	put_int(row, COL_ATTEMPTS, o->attempts, false);
	put_time(row, COL_FINISHED_AT, o->finished_at);
	put_int(row, COL_STATUS, o->status, o->status == 0);
	put_json(row, COL_ANSWER_HEADERS, o->answer_headers);
	put_text(row, COL_ANSWER, o->answer);
	put_text(row, COL_ERROR, o->error);
	put_text(row, COL_PROVIDER_ID, o->provider_id);
}

void
wf_outgoing_license(const Outgoing *o, TimestampTz due, int attempt)
{
	Relation	rel = wf_store_open("outgoing_due", RowExclusiveLock);
	RowValues	row = row_values(rel, DUE_COLUMNS);

	row.values[DUE_ID - 1] = Int64GetDatum(o->id);
	put_int(row, DUE_OWNER, o->owner, false);
	put_int(row, DUE_WORKFLOW, o->workflow, false);
	row.values[DUE_ENROLLMENT - 1] = Int64GetDatum(o->enrollment);
	put_text(row, DUE_SERVER, o->server);
	put_text(row, DUE_ORDERING_KEY, o->ordering_key);
	row.values[DUE_DUE - 1] = TimestampTzGetDatum(due);
	put_int(row, DUE_ATTEMPT, attempt, false);
	row.values[DUE_XACT - 1] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	wf_store_insert_unseen(rel, row.values, row.nulls);
	table_close(rel, NoLock);
	if (!TIMESTAMP_IS_NOEND(due))
		wf_delivery_wake_at_commit();
}

void
wf_outgoing_insert(const Outgoing *o, TimestampTz due)
{
	Relation	rel = wf_store_open("outgoing", RowExclusiveLock);
	RowValues	row = row_values(rel, OUTGOING_COLUMNS);

	put_message(row, o);
	put_outcome(row, o);
	wf_store_insert_unseen(rel, row.values, row.nulls);
	table_close(rel, NoLock);
	if (strcmp(o->state, OUTGOING_QUEUED) == 0)
		wf_outgoing_license(o, due, o->attempts);
}

/* --- loading --- */

typedef struct StoredRow
{
	HeapTuple	tuple;
	TupleDesc	desc;
} StoredRow;

/* SEND takes nothing that long, but a row may have come from a dump: a text that is packed
 * to a few pages must not cost whoever delivers all its memory. */
static void
check_length(Datum value, bool isnull)
{
	if (!isnull && toast_raw_datum_size(value) > LONGEST_VALUE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a message has a part of more than %d bytes", LONGEST_VALUE)));
}

static char *
get_text(StoredRow row, int column)
{
	bool		isnull;
	Datum		value = heap_getattr(row.tuple, column, row.desc, &isnull);

	check_length(value, isnull);
	return isnull ? NULL : TextDatumGetCString(value);
}

static int
get_int(StoredRow row, int column)
{
	bool		isnull;
	Datum		value = heap_getattr(row.tuple, column, row.desc, &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

static int64
get_int64(StoredRow row, int column)
{
	bool		isnull;
	Datum		value = heap_getattr(row.tuple, column, row.desc, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

static Jsonb *
get_json(StoredRow row, int column)
{
	bool		isnull;
	Datum		value = heap_getattr(row.tuple, column, row.desc, &isnull);

	check_length(value, isnull);
	return isnull ? NULL : DatumGetJsonbPCopy(value);
}

static void
get_message(StoredRow row, Outgoing *o)
{
	o->id = get_int64(row, COL_ID);
	o->uid = get_text(row, COL_UID);
	o->owner = get_int(row, COL_OWNER);
	o->workflow = get_int(row, COL_WORKFLOW);
	o->version = get_int(row, COL_VERSION);
	o->enrollment = get_int64(row, COL_ENROLLMENT);
	o->epoch = get_int(row, COL_EPOCH);
	o->statement = get_int(row, COL_STATEMENT);
	o->source = get_int(row, COL_SOURCE);
	o->key = get_text(row, COL_KEY);
	o->created_at = get_int64(row, COL_CREATED_AT);
	o->kind = get_text(row, COL_KIND);
	o->server = get_text(row, COL_SERVER);
	o->target = get_text(row, COL_TARGET);
	o->channel = get_text(row, COL_CHANNEL);
	o->address = get_text(row, COL_ADDRESS);
	o->class = get_text(row, COL_CLASS);
	o->list = get_text(row, COL_LIST);
	o->family = get_text(row, COL_FAMILY);
	o->variant = get_text(row, COL_VARIANT);
	o->ordering_key = get_text(row, COL_ORDERING_KEY);
	o->subject = get_text(row, COL_SUBJECT);
	o->body = get_text(row, COL_BODY);
	o->headers = get_json(row, COL_HEADERS);
	o->options = get_json(row, COL_OPTIONS);
	o->send_window = get_text(row, COL_SEND_WINDOW);
	o->zone = get_text(row, COL_ZONE);
	o->expires_at = get_int64(row, COL_EXPIRES_AT);
}

static void
get_outcome(StoredRow row, Outgoing *o)
{
	bool		isnull;

	o->awaited = DatumGetBool(heap_getattr(row.tuple, COL_AWAITED, row.desc, &isnull));
	o->state = get_text(row, COL_STATE);
	o->reason = get_text(row, COL_REASON);
	o->attempts = get_int(row, COL_ATTEMPTS);
	o->finished_at = get_int64(row, COL_FINISHED_AT);
	o->status = get_int(row, COL_STATUS);
	o->answer_headers = get_json(row, COL_ANSWER_HEADERS);
	o->answer = get_text(row, COL_ANSWER);
	o->error = get_text(row, COL_ERROR);
	o->provider_id = get_text(row, COL_PROVIDER_ID);
	o->tid = row.tuple->t_self;
}

Outgoing *
wf_outgoing_load(int64 id)
{
	Relation	rel = wf_store_open("outgoing", AccessShareLock);
	Outgoing   *o = NULL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, COL_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	scan = wf_store_scan(rel, "outgoing_pkey", NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		StoredRow	row = {tuple, RelationGetDescr(rel)};

		o = palloc0(sizeof(Outgoing));
		get_message(row, o);
		get_outcome(row, o);
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return o;
}

/* Was it a GET to that address, answered 2xx? */
static bool
is_answered_get(StoredRow row, const char *server, const char *target)
{
	Jsonb	   *options;
	const char *method;

	if (get_int(row, COL_STATUS) / 100 != 2 || strcmp(get_text(row, COL_STATE), OUTGOING_SENT) != 0 ||
		strcmp(get_text(row, COL_SERVER), server) != 0 || strcmp(get_text(row, COL_TARGET), target) != 0)
		return false;
	options = get_json(row, COL_OPTIONS);
	method = options ? wf_message_option(options, "method") : NULL;
	return method && strcmp(method, "GET") == 0;
}

/* Requests that are for nobody in particular are passed from the newest on. */
char *
wf_outgoing_last_answer(const char *server, const char *target, bool (*is_mine) (int owner))
{
	Relation	rel = wf_store_open("outgoing", AccessShareLock);
	Relation	index = index_open(wf_store_index("outgoing_address"), AccessShareLock);
	MemoryContext each = AllocSetContextCreate(CurrentMemoryContext, "automation answer", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = CurrentMemoryContext;
	char	   *answer = NULL;
	bool		found = false;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyEntryInitialize(&key, SK_ISNULL | SK_SEARCHNULL, COL_ADDRESS, InvalidStrategy, InvalidOid, InvalidOid, InvalidOid, (Datum) 0);
	scan = systable_beginscan_ordered(rel, index, GetActiveSnapshot(), 1, &key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext_ordered(scan, BackwardScanDirection)))
	{
		StoredRow	row = {tuple, RelationGetDescr(rel)};

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(each);
		MemoryContextSwitchTo(each);
		found = is_answered_get(row, server, target) && is_mine(get_int(row, COL_OWNER));
		MemoryContextSwitchTo(old);
		if (found)
			answer = get_text(row, COL_ANSWER);
	}
	systable_endscan_ordered(scan);
	MemoryContextDelete(each);
	index_close(index, NoLock);
	table_close(rel, NoLock);
	return answer;
}

bool
wf_outgoing_is_over(const Outgoing *o)
{
	return strcmp(o->state, OUTGOING_QUEUED) != 0 && strcmp(o->state, OUTGOING_HELD) != 0;
}

/* --- the end of a message --- */

/* A line of the history: {"message": id, "attempt": n, "status": n}. */
void
wf_outgoing_journal(const Outgoing *o, TimestampTz at, const char *reason)
{
	Enrollment	e = {
		.id = o->enrollment,.owner = o->owner,.workflow = o->workflow,.version = o->version,
		.statement = o->statement,.source = o->source,.key = o->key
	};
	char	   *status = o->status != 0 ? psprintf(", \"status\": %d", o->status) : "";
	char	   *detail = psprintf("{\"message\": " INT64_FORMAT ", \"state\": \"%s\", \"attempt\": %d%s}",
								  o->id, o->state, o->attempts, status);

	wf_history_write(&e, at, "delivery", reason,
					 DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(detail))));
}

/* The row as it was loaded, a copy; ERROR if it is another one by now. */
static HeapTuple
same_row(Relation rel, const Outgoing *o)
{
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	HeapTuple	tuple;
	bool		isnull;

	wf_store_show(RelationGetRelid(rel));
	if (!wf_fetch_row(rel, o->tid, SnapshotSelf, slot) || DatumGetInt64(slot_getattr(slot, COL_ID, &isnull)) != o->id)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("message " INT64_FORMAT " was changed by somebody else", o->id)));
	tuple = ExecCopySlotHeapTuple(slot);
	tuple->t_self = o->tid;
	ExecDropSingleTupleTableSlot(slot);
	return tuple;
}

/* Only what became of it is replaced; long texts stay where they are. */
static void
write_outcome(Outgoing *o)
{
	Relation	rel = wf_store_open("outgoing", RowExclusiveLock);
	RowValues	row = row_values(rel, OUTGOING_COLUMNS);
	bool	   *replace = palloc0(RelationGetDescr(rel)->natts * sizeof(bool));
	HeapTuple	tuple = same_row(rel, o);

	put_outcome(row, o);
	for (int column = COL_STATE; column <= COL_PROVIDER_ID; column++)
		replace[column - 1] = true;
	wf_store_update(rel, tuple, row.values, row.nulls, replace);
	o->tid = tuple->t_self;
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

static void
wake_enrollment(const Outgoing *o)
{
	Event		event = {.kind = EVENT_WAKE,.owner = o->owner,.target = o->enrollment};

	wf_event_append(&event);
}

/* Writes what became of it, and tells who waits for it. */
void
wf_outgoing_finish(Outgoing *o, TimestampTz now)
{
	o->finished_at = now;
	write_outcome(o);
	if (o->awaited && o->enrollment != 0)
		wake_enrollment(o);
}

/* --- the licence --- */

/* A licence that was found: whose, and where its row is. */
typedef struct Licence
{
	int64		id;
	int			attempt;
	ItemPointerData tid;
} Licence;

/*
 * Locks the licence as it is now, behind whoever is taking it.  False: it is gone.
 * Its place and attempt are as locked.
 */
static bool
lock_licence(Relation rel, Licence *licence)
{
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TM_FailureData failure;
	TM_Result	result;
	bool		isnull;

	PushActiveSnapshot(GetLatestSnapshot());
	result = table_tuple_lock(rel, &licence->tid, GetActiveSnapshot(), slot, GetCurrentCommandId(true),
							  LockTupleExclusive, LockWaitBlock, TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure);
	PopActiveSnapshot();
	if (result == TM_Ok)
	{
		licence->tid = slot->tts_tid;
		licence->attempt = DatumGetInt32(slot_getattr(slot, DUE_ATTEMPT, &isnull));
	}
	ExecDropSingleTupleTableSlot(slot);
	return result == TM_Ok;
}

/* Licences of a message or an enrollment, in the order of the index. */
static List *
find_licences(Relation rel, const char *index, int column, int64 id)
{
	List	   *licences = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	scan = wf_store_scan(rel, index, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		StoredRow	row = {tuple, RelationGetDescr(rel)};
		Licence    *licence = palloc(sizeof(Licence));

		licence->id = get_int64(row, DUE_ID);
		licence->attempt = get_int(row, DUE_ATTEMPT);
		licence->tid = tuple->t_self;
		licences = lappend(licences, licence);
	}
	systable_endscan(scan);
	return licences;
}

/* Takes a licence away; false: somebody else has taken it. */
static bool
take(Relation rel, Licence *licence)
{
	if (!lock_licence(rel, licence))
		return false;
	wf_store_delete(rel, &licence->tid);
	CommandCounterIncrement();
	return true;
}

bool
wf_outgoing_take(int64 id, int *attempts)
{
	Relation	rel = wf_store_open("outgoing_due", RowExclusiveLock);
	List	   *licences = find_licences(rel, "outgoing_due_pkey", DUE_ID, id);
	bool		taken = licences != NIL && take(rel, linitial(licences));

	table_close(rel, NoLock);
	if (taken)
		*attempts = ((Licence *) linitial(licences))->attempt;
	return taken;
}

/* The licence is taken: the message ends without having left. */
static void
cancel(int64 id, int attempts, const char *reason, TimestampTz now, bool tell)
{
	Outgoing   *o = wf_outgoing_load(id);

	if (o == NULL || wf_outgoing_is_over(o))
		return;							/* a row somebody wrote by SQL */
	o->state = OUTGOING_CANCELLED;
	o->reason = pstrdup(reason);
	o->attempts = attempts;
	if (!tell)
		o->awaited = false;				/* of this copy only: nobody is woken */
	wf_outgoing_finish(o, now);
	wf_outgoing_journal(o, now, reason);
}

bool
wf_outgoing_cancel(int64 id, const char *reason, TimestampTz now)
{
	int			attempts;

	if (!wf_outgoing_take(id, &attempts))
		return false;
	cancel(id, attempts, reason, now, true);
	return true;
}

bool
wf_outgoing_cancel_quietly(int64 id, const char *reason, TimestampTz now)
{
	int			attempts;

	if (!wf_outgoing_take(id, &attempts))
		return false;
	cancel(id, attempts, reason, now, false);
	return true;
}

/* What is still to be sent has no licence of ours: it is on its way. */
static void
stop_enrollment(int64 enrollment, const char *reason, TimestampTz now)
{
	Relation	rel = wf_store_open("outgoing", AccessShareLock);
	List	   *ids = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	ListCell   *lc;

	ScanKeyInit(&key, COL_ENROLLMENT, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(enrollment));
	scan = wf_store_scan(rel, "outgoing_enrollment", NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		StoredRow	row = {tuple, RelationGetDescr(rel)};
		int64	   *id;

		if (strcmp(get_text(row, COL_STATE), OUTGOING_QUEUED) != 0)
			continue;
		id = palloc(sizeof(int64));
		*id = get_int64(row, COL_ID);
		ids = lappend(ids, id);
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	foreach(lc, ids)
		wf_outgoing_stop(*(int64 *) lfirst(lc), reason, now);
}

/* All of an enrollment that ends, so nobody has to be told. */
int
wf_outgoing_cancel_enrollment(int64 enrollment, const char *reason, TimestampTz now)
{
	Relation	rel = wf_store_open("outgoing_due", RowExclusiveLock);
	List	   *licences = find_licences(rel, "outgoing_due_enrollment", DUE_ENROLLMENT, enrollment);
	int			cancelled = 0;
	ListCell   *lc;

	foreach(lc, licences)
	{
		Licence    *licence = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		if (!take(rel, licence))
			continue;
		cancel(licence->id, licence->attempt, reason, now, false);
		cancelled++;
	}
	table_close(rel, NoLock);
	stop_enrollment(enrollment, reason, now);
	return cancelled;
}
