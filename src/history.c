/*
 * history.c -- automation.history_00..13: what happened, month by month.
 *
 * Written by the executor in the transaction of what it tells about.  A month
 * goes to table (months since year 0) modulo 14; the coordinator empties the
 * table of the month to come, so that at least twelve whole months are kept
 * and nothing is created or dropped at run time.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "compat.h"
#include "event_internal.h"
#include "history.h"
#include "key.h"
#include "store.h"

#define HISTORY_TABLES 14

enum
{
	COL_AT = 1, COL_OWNER, COL_WORKFLOW, COL_VERSION, COL_ENROLLMENT, COL_SOURCE, COL_KEY,
	COL_EVENT, COL_REASON, COL_STATEMENT, COL_DETAIL
};
#define HISTORY_COLUMNS COL_DETAIL

/* Months since year 0, in UTC. */
static int
month_of(TimestampTz at)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (TIMESTAMP_NOT_FINITE(at) || timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	return tm.tm_year * MONTHS_PER_YEAR + tm.tm_mon - 1;
}

/* Name of the table for a month. */
static char *
table_of(int month)
{
	return psprintf("history_%02d", ((month % HISTORY_TABLES) + HISTORY_TABLES) % HISTORY_TABLES);
}

/* Name of the table for a moment, until the next call: the rows of an item have the same. */
static const char *
table_of_moment(TimestampTz at)
{
	static TimestampTz last;
	static char name[NAMEDATALEN] = "";

	if (name[0] == '\0' || at != last)
	{
		strlcpy(name, table_of(month_of(at)), sizeof(name));
		last = at;
	}
	return name;
}

static void
set_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column - 1] = text == NULL;
	if (text)
		values[column - 1] = CStringGetTextDatum(text);
}

/*
 * Inserts a row.  Who enters and goes on within one item gets one row for both,
 * "entered+ended" or the like; all but the event is what the second would have,
 * for an entry has nothing to say of its own.  The view makes two of it.
 */
static void
insert_row(Relation rel, const Enrollment *e, TimestampTz at, const char *event, Datum *values, bool *nulls)
{
	static int64 entered = 0;			/* by the last row */
	static TimestampTz entered_at;
	bool		follows = entered != 0 && entered == e->id && entered_at == at;

	entered = strcmp(event, "entered") == 0 ? e->id : 0;
	entered_at = at;
	if (follows)
	{
		Datum		alone = values[COL_EVENT - 1];

		set_text(values, nulls, COL_EVENT, psprintf("entered+%s", event));
		if (wf_store_replace_last(rel, values, nulls))
			return;
		values[COL_EVENT - 1] = alone;
	}
	wf_store_insert_later(rel, values, nulls);
}

/* Writes a row; statement -1 = none. */
static void
write_row(const Enrollment *e, TimestampTz at, const char *event, const char *reason, int statement, Jsonb *detail)
{
	Relation	rel = wf_store_open(table_of_moment(at), RowExclusiveLock);
	int			natts = RelationGetDescr(rel)->natts;
	Datum	   *values = palloc0(natts * sizeof(Datum));
	bool	   *nulls = palloc0(natts * sizeof(bool));

	memset(nulls + HISTORY_COLUMNS, true, (natts - HISTORY_COLUMNS) * sizeof(bool));
	values[COL_AT - 1] = TimestampTzGetDatum(at);
	values[COL_OWNER - 1] = Int32GetDatum(e->owner);
	values[COL_WORKFLOW - 1] = Int32GetDatum(e->workflow);
	values[COL_VERSION - 1] = Int32GetDatum(e->version);
	nulls[COL_ENROLLMENT - 1] = e->id == 0;
	values[COL_ENROLLMENT - 1] = Int64GetDatum(e->id);
	nulls[COL_SOURCE - 1] = e->source == 0;
	values[COL_SOURCE - 1] = Int32GetDatum(e->source);
	set_text(values, nulls, COL_KEY, e->key ? wf_key_lookup(e->key) : NULL);
	set_text(values, nulls, COL_EVENT, event);
	set_text(values, nulls, COL_REASON, reason);
	nulls[COL_STATEMENT - 1] = statement < 0;
	values[COL_STATEMENT - 1] = Int32GetDatum(statement);
	nulls[COL_DETAIL - 1] = detail == NULL;
	values[COL_DETAIL - 1] = PointerGetDatum(detail);
	insert_row(rel, e, at, event, values, nulls);
	table_close(rel, NoLock);
}

/* Tells what happened to an enrollment, and at which statement. */
void
wf_history_write(const Enrollment *e, TimestampTz at, const char *event, const char *reason, Jsonb *detail)
{
	write_row(e, at, event, reason, e->statement, detail);
}

/* Tells why somebody did not enter; id 0 = no id was reserved. */
void
wf_history_refused(int owner, int workflow, int version, int64 id, int source, const char *key,
				   TimestampTz at, const char *reason, Jsonb *detail)
{
	Enrollment	e = {
		.owner = owner,.workflow = workflow,.version = version,.id = id,.source = source,
		.key = unconstify(char *, key)
	};

	write_row(&e, at, "not_entered", reason, -1, detail);
}

/* Tells whether the first row there is belongs to a month long past. */
static bool
is_outdated(Relation rel, int month)
{
	SysScanDesc scan = wf_store_scan(rel, NULL, wf_store_snapshot(), 0, NULL);
	HeapTuple	tuple = systable_getnext(scan);
	bool		outdated = true;		/* nothing but dead rows */
	bool		isnull;

	if (HeapTupleIsValid(tuple))
		outdated = month_of(DatumGetTimestampTz(heap_getattr(tuple, COL_AT, RelationGetDescr(rel), &isnull))) <
			month - MONTHS_PER_YEAR;
	systable_endscan(scan);
	return outdated;
}

/*
 * Empties the table that the coming month will use.  Should that month begin
 * while we look, its first rows are there before we have the lock.
 */
void
wf_history_recycle(void)
{
	int			month = month_of(wf_clock_now());
	Oid			relid = wf_store_relid(table_of(month + 1));
	Relation	rel;

	if (!OidIsValid(relid) || !ConditionalLockRelationOid(relid, AccessShareLock))
		return;
	rel = try_relation_open(relid, NoLock);
	if (rel == NULL)
		return;
	if (RelationGetNumberOfBlocks(rel) > 0 && is_outdated(rel, month) &&
		ConditionalLockRelation(rel, AccessExclusiveLock) && month_of(wf_clock_now()) == month)
		(void) wf_table_empty(rel);
	table_close(rel, NoLock);
}
