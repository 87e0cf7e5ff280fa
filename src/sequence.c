/*
 * sequence.c -- draws from the engine's sequences without leaving a trace in
 * the user's session.
 *
 * The core's nextval remembers the last sequence of the session for lastval().
 * A client that inserts a row and asks lastval() for its id, as some drivers
 * do, would get the number of our event, or "permission denied", as soon as a
 * workflow watches the table.  So the value is drawn here from the same page,
 * by the same rules: values are logged ahead, hundreds at once, and anew after each
 * checkpoint, for only what WAL says survives a crash.  Numbers may be left
 * out, never given twice.
 *
 * Called in transactions of users and of the engine, for each row of a bulk
 * change: what it found out about a sequence, whose lock it keeps to the
 * transaction's end, it remembers as long.  Needs no privilege, waits for nothing
 * but DDL on the sequence.
 */
#include "postgres.h"

#include "access/generic_xlog.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "commands/sequence.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/inval.h"
#include "utils/rel.h"

#include "compat.h"
#include "sequence.h"

#define LOG_AHEAD 256					/* values that one WAL record pays for */

/* The sequence this transaction has locked and drawn from. */
typedef struct KnownSequence
{
	Oid			relid;					/* InvalidOid: none */
	WfCompatLocator locator;
	Buffer		buffer;					/* where its page was */
} KnownSequence;

static KnownSequence known;

static void
forget(void)
{
	known.relid = InvalidOid;
}

static void
end_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		forget();
}

/* A rolled back savepoint takes along the locks of its time. */
static void
end_subtransaction(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		forget();
}

/* Other storage, or another sequence of the same OID, can only be this
 * transaction's own doing. */
static void
invalidated(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == known.relid)
		forget();
}

/* From _PG_init(). */
void
wf_sequence_init(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
	CacheRegisterRelcacheCallback(invalidated, (Datum) 0);
}

/* The sequence's row on its page. */
static Form_pg_sequence_data
sequence_row(Page page)
{
	HeapTupleHeader row = (HeapTupleHeader) PageGetItem(page, PageGetItemId(page, FirstOffsetNumber));

	return (Form_pg_sequence_data) ((char *) row + row->t_hoff);
}

static void
set_row(Page page, int64 last_value, int64 log_cnt)
{
	Form_pg_sequence_data row = sequence_row(page);

	row->last_value = last_value;
	row->is_called = true;
	row->log_cnt = log_cnt;
}

/*
 * Logs the page as it will be when the values paid for are used up.  A whole
 * image, because what a standby or a crash has of the page differs by values
 * that were drawn without a record.
 */
static void
log_ahead(Relation rel, Buffer buffer, int64 value)
{
	GenericXLogState *state;

	(void) GetTopTransactionId();		/* the record must be flushed at commit */
	state = GenericXLogStart(rel);
	set_row(GenericXLogRegisterBuffer(state, buffer, GENERIC_XLOG_FULL_IMAGE), value + LOG_AHEAD, 0);
	GenericXLogFinish(state);
}

/* Are no values left that are paid for? */
static bool
must_log(Page page)
{
	Form_pg_sequence_data row = sequence_row(page);

	return row->log_cnt < 1 || !row->is_called || PageGetLSN(page) <= GetRedoRecPtr();
}

/* Pins the sequence's page. */
static Buffer
pin_page(Oid relid)
{
	Relation	rel;

	if (known.relid == relid && ReadRecentBuffer(known.locator, MAIN_FORKNUM, 0, known.buffer))
		return known.buffer;
	rel = relation_open(relid, RowExclusiveLock);
	known.buffer = ReadBuffer(rel, 0);
	known.locator = wf_compat_locator(rel);
	known.relid = relid;
	relation_close(rel, NoLock);
	return known.buffer;
}

/*
 * Locks the page.  Returns the relation, open, if a record has to be written:
 * that is seen under the lock, but opening can't be done there.  The answer is
 * the caller's, too: a checkpoint that begins a moment later would change it.
 */
static Relation
lock_page(Oid relid, Buffer buffer)
{
	Relation	rel = NULL;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	while (rel == NULL && must_log(BufferGetPage(buffer)))
	{
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
		rel = relation_open(relid, NoLock);
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	}
	return rel;
}

/* Draws the next value. */
int64
wf_sequence_next(Oid relid)
{
	Buffer		buffer = pin_page(relid);
	Relation	rel = lock_page(relid, buffer);
	Page		page = BufferGetPage(buffer);
	Form_pg_sequence_data row = sequence_row(page);
	int64		value;
	int64		log_cnt = row->log_cnt - 1;

	if (row->last_value >= PG_INT64_MAX - LOG_AHEAD)
		ereport(ERROR,
				(errcode(ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED),
				 errmsg("a sequence of the extension is exhausted")));
	value = row->is_called ? row->last_value + 1 : row->last_value;
	if (rel != NULL)
	{
		log_ahead(rel, buffer, value);
		log_cnt = LOG_AHEAD;
	}
	MarkBufferDirty(buffer);
	set_row(page, value, log_cnt);
	UnlockReleaseBuffer(buffer);
	if (rel != NULL)
		relation_close(rel, NoLock);
	return value;
}
