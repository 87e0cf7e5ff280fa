/*
 * event_row.c -- forms the rows of the event log.
 *
 * Called by event.c for each event.  It does what heap_form_tuple() does, for
 * columns that are known here: a change of many rows writes an event for each,
 * and finding out again and again how a column is stored would cost as much as
 * deciding about the change.  The columns are those of automation.event_N up to
 * EVENT_COLUMNS in their order; later ones, "origin" among them, are left out
 * and read as null.
 *
 * Memory is taken from the current context; no locks, no errors of its own.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/array.h"

#include "compat.h"
#include "event_internal.h"

#define HEADER_SIZE MAXALIGN(SizeofHeapTupleHeader + BITMAPLEN(EVENT_COLUMNS))

/* What an array has between the length and its items. */
typedef struct ArrayStart
{
	int32		ndim;
	int32		dataoffset;
	Oid			elemtype;
	int32		dim;
	int32		lbound;
} ArrayStart;

/* A row being written. */
typedef struct Row
{
	bits8	   *present;				/* the null bitmap; a bit is set for a value */
	char	   *end;					/* of the data; what follows is zero */
} Row;

static void
set_present(Row *row, int column)
{
	row->present[(column - 1) / 8] |= 1 << ((column - 1) % 8);
}

static void
put_int32(Row *row, int column, int32 value)
{
	set_present(row, column);
	row->end = (char *) INTALIGN(row->end);
	memcpy(row->end, &value, sizeof(value));
	row->end += sizeof(value);
}

static void
put_int64(Row *row, int column, int64 value)
{
	set_present(row, column);
	row->end = (char *) DOUBLEALIGN(row->end);
	memcpy(row->end, &value, sizeof(value));
	row->end += sizeof(value);
}

/* Puts the length of a value of variable size; returns where its data go.
 * align: of a value too long for a length of one byte. */
static char *
put_size(Row *row, int column, Size size, Size align)
{
	char	   *data;

	set_present(row, column);
	if (size + VARHDRSZ_SHORT <= VARATT_SHORT_MAX)
	{
		SET_VARSIZE_SHORT(row->end, size + VARHDRSZ_SHORT);
		data = row->end + VARHDRSZ_SHORT;
	}
	else
	{
		row->end = (char *) TYPEALIGN(align, row->end);
		SET_VARSIZE(row->end, size + VARHDRSZ);
		data = row->end + VARHDRSZ;
	}
	row->end = data + size;
	return data;
}

static void
put_text(Row *row, int column, const char *text, Size size)
{
	if (text != NULL)
		memcpy(put_size(row, column, size, ALIGNOF_INT), text, size);
}

static void
put_array(Row *row, int column, Oid type, const void *items, Size size, int n)
{
	ArrayStart	start = {.ndim = 1,.elemtype = type,.dim = n,.lbound = 1};
	char	   *data;

	if (n == 0)
		return;
	data = put_size(row, column, sizeof(start) + size, type == INT8OID ? ALIGNOF_DOUBLE : ALIGNOF_INT);
	memcpy(data, &start, sizeof(start));
	memcpy(data + sizeof(start), items, size);
}

static Size
jsonb_size(const Jsonb *jsonb)
{
	return jsonb ? VARSIZE(jsonb) : 0;
}

static void
put_jsonb(Row *row, int column, const Jsonb *jsonb)
{
	if (jsonb != NULL)
		memcpy(put_size(row, column, VARSIZE(jsonb) - VARHDRSZ, ALIGNOF_INT), VARDATA(jsonb), VARSIZE(jsonb) - VARHDRSZ);
}

static HeapTuple
new_tuple(Size size)
{
	HeapTuple	tuple = palloc0(HEAPTUPLESIZE + HEADER_SIZE + size);

	tuple->t_data = (HeapTupleHeader) ((char *) tuple + HEAPTUPLESIZE);
	ItemPointerSetInvalid(&tuple->t_self);
	ItemPointerSetInvalid(&tuple->t_data->t_ctid);
	HeapTupleHeaderSetNatts(tuple->t_data, EVENT_COLUMNS);
	tuple->t_data->t_hoff = HEADER_SIZE;
	tuple->t_data->t_infomask = HEAP_HASNULL | HEAP_HASVARWIDTH;
	return tuple;
}

/* The row of an event; event_head.c decides about "head". */
HeapTuple
wf_event_form(const Event *event)
{
	Size		key = event->key ? strlen(event->key) : 0;
	Size		old_key = event->old_key ? strlen(event->old_key) : 0;
	Size		hits = event->nhits * sizeof(int);
	Size		prints = event->prints ? 2 * event->nhits * sizeof(int64) : 0;
	Size		ties = event->nties * sizeof(int64);
	Size		cause = event->ncause * sizeof(int64);
	EventStart	start = {event->seq, U64FromFullTransactionId(event->xact), event->at, event->kind, false, {0}, event->owner};
	HeapTuple	tuple;
	Row			row;

	/* at most so much for lengths and alignment: 8 for each column, 20 for an array */
	tuple = new_tuple(sizeof(start) + 8 * EVENT_COLUMNS + 4 * sizeof(ArrayStart) + key + old_key + hits + prints + ties +
					  cause + jsonb_size(event->old) + jsonb_size(event->new) + jsonb_size(event->args));
	row.present = tuple->t_data->t_bits;
	row.end = (char *) tuple->t_data + HEADER_SIZE;
	memcpy(row.end, &start, sizeof(start));
	row.end += sizeof(start);
	row.present[0] = (1 << EVENT_OWNER) - 1;
	if (event->source != 0)
		put_int32(&row, EVENT_SOURCE, event->source);
	put_text(&row, EVENT_KEY, event->key, key);
	put_text(&row, EVENT_OLD_KEY, event->old_key, old_key);
	if (event->target != 0)
		put_int64(&row, EVENT_TARGET, event->target);
	put_array(&row, EVENT_HITS, INT4OID, event->hits, hits, event->nhits);
	put_array(&row, EVENT_PRINTS, INT8OID, event->prints, prints, event->prints ? 2 * event->nhits : 0);
	put_array(&row, EVENT_TIES, INT8OID, event->ties, ties, event->nties);
	put_jsonb(&row, EVENT_OLD, event->old);
	put_jsonb(&row, EVENT_NEW, event->new);
	put_jsonb(&row, EVENT_ARGS, event->args);
	put_array(&row, EVENT_CAUSE, INT8OID, event->cause, cause, event->ncause);
	tuple->t_len = row.end - (char *) tuple->t_data;
	return tuple;
}
