/*
 * event_internal.h -- what the files of the event log share (event.c,
 * event_row.c, event_head.c, event_scan.c, event_read.c, event_rotate.c), and
 * their neighbours enrollment.c, timer.c, parked.c and history.c with them.
 */
#ifndef WF_EVENT_INTERNAL_H
#define WF_EVENT_INTERNAL_H

#include "access/transam.h"
#include "executor/tuptable.h"
#include "storage/block.h"
#include "storage/itemptr.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "event.h"

/*
 * Segments the pointer moves over.  Appenders that find these locked go on to
 * the others; readers and the rotation look at all EVENT_SEGMENTS.
 */
#define EVENT_SEGMENTS_RUN 2

/* Columns of automation.event_N. */
#define EVENT_SEQ		1
#define EVENT_XACT		2
#define EVENT_AT		3
#define EVENT_KIND		4
#define EVENT_HEAD		5
#define EVENT_OWNER		6
#define EVENT_SOURCE	7
#define EVENT_KEY		8
#define EVENT_OLD_KEY	9
#define EVENT_TARGET	10
#define EVENT_HITS		11
#define EVENT_PRINTS	12
#define EVENT_TIES		13
#define EVENT_OLD		14
#define EVENT_NEW		15
#define EVENT_ARGS		16
#define EVENT_CAUSE		17
#define EVENT_COLUMNS	17		/* those an appender fills */
#define EVENT_ORIGIN	18

/* Where the bytes of the first columns are: none of them is ever null. */
typedef struct EventStart
{
	int64		seq;
	uint64		xact;
	TimestampTz at;
	char		kind;
	bool		head;
	char		padding[2];
	int32		owner;
} EventStart;

/* A block of a segment where this transaction has put a head for an owner. */
typedef struct EventHead
{
	Oid			relid;					/* InvalidOid: none */
	BlockNumber block;
} EventHead;

/* The row of an event, and where a row's first columns are. */
extern HeapTuple wf_event_form(const Event *event);
#define EVENT_START(row) ((EventStart *) ((char *) (row) + (row)->t_hoff))

/* Puts a row into a segment, and into its index if it has to be; see
 * event_head.c.  Fills the column "head" and *head. */
extern void wf_event_insert(Relation rel, HeapTuple tuple, EventHead *head);

/* source .. cause: the same columns in the same order in automation.parked. */
#define EVENT_BODY_COLUMNS 11

/* Fills or reads the EVENT_BODY_COLUMNS from "source" on; reading copies
 * everything into the current context. */
extern void wf_event_put_body(const Event *event, Datum *values, bool *nulls);
extern void wf_event_get_body(Event *event, const Datum *values, const bool *nulls);

/* bigint[] columns: NULL for n = 0. */
extern Datum wf_int64_array(int n, const int64 *items, bool *isnull);
extern int64 *wf_int64_items(Datum array, bool isnull, int *n);

/* Names, in the engine's schema, of a segment and of its index by xact. */
extern const char *wf_event_segment_name(int segment);
extern const char *wf_event_index_name(int segment);

/* The segment the pointer names, as of now; false if that can't be read without waiting. */
extern bool wf_event_current(int *segment);

/*
 * Fetches the row version at tid that the snapshot sees.  False if there is
 * none, also if the table has become shorter since tid was noted.
 */
extern bool wf_fetch_row(Relation rel, ItemPointerData tid, Snapshot snapshot, TupleTableSlot *slot);

/* 64-bit form of an xid that is older than, or not much newer than, "next". */
extern FullTransactionId wf_full_xid(FullTransactionId next, TransactionId xid);

/*
 * Empties a table of ours that no longer holds anything of use: new storage
 * for heap, toast and indexes, dropped or kept by the transaction's end.  The
 * caller holds AccessExclusiveLock on it.  False, and nothing is done, if its
 * toast table is in use.
 */
extern bool wf_table_empty(Relation rel);

#endif
