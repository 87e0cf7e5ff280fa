/*
 * outgoing_stop.c -- automation.outgoing_stop: messages that were on their way when what
 * sends them came to its end.
 *
 * One that has left can't be taken back, but it is not to be sent again.  Nobody but
 * the delivery worker writes a message it has taken, so who would cancel it leaves a row
 * here, and the worker ends the message instead of trying again.  It looks before it
 * grants another attempt, and again before it sends, under a snapshot taken after
 * the message was marked: so what was committed before that mark is heeded even where
 * the two pass each other.
 *
 * Rows of messages that are over mean nothing; wf_delivery_remove_old() clears them.
 * Called by outbox.c, unregister.c and the delivery worker.  Results are in the current
 * context; nothing here waits, but for somebody who writes the same row.
 */
#include "postgres.h"

#include "access/table.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "outbox.h"
#include "store.h"

enum
{
	STOP_MESSAGE = 1, STOP_REASON, STOP_AT
};
#define STOP_COLUMNS STOP_AT

char *
wf_outgoing_stopped(int64 message)
{
	Relation	rel = wf_store_open("outgoing_stop", AccessShareLock);
	char	   *reason = NULL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;

	ScanKeyInit(&key, STOP_MESSAGE, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(message));
	scan = wf_store_scan(rel, "outgoing_stop_pkey", NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		reason = TextDatumGetCString(heap_getattr(tuple, STOP_REASON, RelationGetDescr(rel), &isnull));
	systable_endscan(scan);
	table_close(rel, NoLock);
	return reason;
}

void
wf_outgoing_stop(int64 message, const char *reason, TimestampTz now)
{
	Relation	rel;
	Datum		values[STOP_COLUMNS] = {Int64GetDatum(message), CStringGetTextDatum(reason), TimestampTzGetDatum(now)};
	bool		nulls[STOP_COLUMNS] = {0};

	if (wf_outgoing_stopped(message))
		return;
	rel = wf_store_open("outgoing_stop", RowExclusiveLock);
	wf_store_insert(rel, values, nulls, NULL);
	table_close(rel, NoLock);
}
