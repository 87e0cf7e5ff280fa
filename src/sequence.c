/*
 * sequence.c -- draws from the engine's sequences without leaving a trace in
 * the user's session.
 *
 * The core's nextval remembers the last sequence of the session for lastval().
 * A client that inserts a row and asks lastval() for its id, as some drivers
 * do, would get the number of our event, or "permission denied", as soon as a
 * workflow watches the table.  So the value is drawn here from the same page,
 * by the same rules: values are logged ahead by the dozen, and anew after each
 * checkpoint, for only what WAL says survives a crash.  Numbers may be left
 * out, never given twice.
 *
 * Called in transactions of users and of the engine.  Needs no privilege, waits
 * for nothing but DDL on the sequence, keeps its lock to the transaction's end.
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
#include "utils/rel.h"

#include "compat.h"
#include "sequence.h"

#define LOG_AHEAD 32					/* values that one WAL record pays for */

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

/* Draws the next value. */
int64
wf_sequence_next(Oid relid)
{
	Relation	rel = relation_open(relid, RowExclusiveLock);
	Buffer		buffer = ReadBuffer(rel, 0);
	Page		page = BufferGetPage(buffer);
	Form_pg_sequence_data row;
	int64		value;
	int64		log_cnt;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	row = sequence_row(page);
	if (row->last_value >= PG_INT64_MAX - LOG_AHEAD)
		ereport(ERROR,
				(errcode(ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED),
				 errmsg("sequence \"%s\" is exhausted", RelationGetRelationName(rel))));
	value = row->is_called ? row->last_value + 1 : row->last_value;
	log_cnt = row->log_cnt - 1;
	if (log_cnt < 0 || !row->is_called || PageGetLSN(page) <= GetRedoRecPtr())
	{
		log_ahead(rel, buffer, value);
		log_cnt = LOG_AHEAD;
	}
	MarkBufferDirty(buffer);
	set_row(page, value, log_cnt);
	UnlockReleaseBuffer(buffer);
	relation_close(rel, NoLock);
	return value;
}
