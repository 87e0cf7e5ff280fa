/*
 * limits.c -- how fast a server may be sent to, and whether at all.
 *
 * Called by the delivery worker, which alone has these counts: a bucket of tokens
 * that fills at the server's rate, the messages on their way, a pace that goes down
 * when the server says it is too much and up with each success, and a circuit
 * breaker.  The breaker opens after BREAKER_FAILURES failures in a row, for longer
 * each time; then one message tries.  What must outlive the process -- since when it
 * fails, until when it is open, that it is disabled -- is a row of
 * automation.endpoint; without a row all is well.  Times are engine time.
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "limits.h"
#include "store.h"

#define BREAKER_FAILURES 5
#define BREAKER_FIRST (30 * USECS_PER_SEC)
#define BREAKER_LONGEST (15 * USECS_PER_MINUTE)
#define GIVE_UP (5 * USECS_PER_DAY)		/* of failures without a success: it is disabled */
#define AHEAD_TIME (20 * INT64CONST(1000))	/* microseconds: marked ahead is what it answers in that time */
#define AHEAD_MOST 256
#define LEAST_PACE (1.0 / 64)
#define LONGEST_PAUSE (5 * USECS_PER_MINUTE)	/* of the endpoint; the message itself may wait longer */

enum
{
	COL_SERVER = 1, COL_FAILURES, COL_FAILING_SINCE, COL_OPEN_UNTIL, COL_DISABLED_AT, COL_REASON
};
#define ENDPOINT_COLUMNS COL_REASON

static uint64 catalog_changes = 1;

static void
catalogs_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	catalog_changes++;
}

static void
watch_catalogs(void)
{
	static bool registered = false;

	if (registered)
		return;
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, catalogs_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(FOREIGNDATAWRAPPEROID, catalogs_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, catalogs_changed, (Datum) 0);
	registered = true;
}

Endpoint *
wf_endpoint_create(MemoryContext parent, const char *name)
{
	MemoryContext context = AllocSetContextCreate(parent, "automation endpoint", ALLOCSET_SMALL_SIZES);
	Endpoint   *endpoint = MemoryContextAllocZero(context, sizeof(Endpoint));

	watch_catalogs();
	endpoint->context = AllocSetContextCreate(context, "automation endpoint, server", ALLOCSET_SMALL_SIZES);
	endpoint->name = MemoryContextStrdup(context, name);
	endpoint->pace = 1;
	return endpoint;
}

void
wf_endpoint_load(Endpoint *endpoint)
{
	uint64		before = catalog_changes;
	MemoryContext old;

	if (endpoint->loaded == before)
		return;
	endpoint->server = NULL;
	endpoint->loaded = 0;
	MemoryContextReset(endpoint->context);
	old = MemoryContextSwitchTo(endpoint->context);
	endpoint->server = wf_server_load(endpoint->name);
	MemoryContextSwitchTo(old);
	endpoint->loaded = before;
}

/* --- how fast --- */

static double
rate_of(const Endpoint *endpoint)
{
	return endpoint->server->rate * endpoint->pace;
}

static void
fill(Endpoint *endpoint, TimestampTz now)
{
	double		most = Max(endpoint->server->burst, 1);

	if (endpoint->filled == 0)
		endpoint->tokens = most;
	else if (now > endpoint->filled)
		endpoint->tokens += (now - endpoint->filled) * rate_of(endpoint) / USECS_PER_SEC;
	endpoint->tokens = Min(endpoint->tokens, most);
	endpoint->filled = now;
}

static bool
has_token(Endpoint *endpoint, TimestampTz now, TimestampTz *when)
{
	if (endpoint->server->rate <= 0)
		return true;
	fill(endpoint, now);
	if (endpoint->tokens >= 1)
		return true;
	*when = now + (TimestampTz) ceil((1 - endpoint->tokens) / rate_of(endpoint) * USECS_PER_SEC);
	return false;
}

int
wf_endpoint_connections(const Endpoint *endpoint)
{
	if (endpoint->open_until != 0)
		return 1;
	return Max(1, (int) (endpoint->server->concurrency * endpoint->pace));
}

bool
wf_endpoint_rests(const Endpoint *endpoint, TimestampTz now, TimestampTz *until)
{
	*until = endpoint->disabled_at != 0 ? DT_NOEND : Max(endpoint->open_until, endpoint->pause_until);
	return *until > now;
}

/*
 * To mark a message costs a flush, whose time is nobody's: of an endpoint that answers
 * at once, more are marked together than it has connections, and begin as those become
 * free.  Not so with mail: what a crash finds marked there, may be lost.
 */
void
wf_endpoint_measure(Endpoint *endpoint)
{
	TimestampTz now = GetCurrentTimestamp();
	int64		elapsed = now - endpoint->counted;
	int			most;

	if (endpoint->counted == 0 || elapsed < 0)
		elapsed = AHEAD_TIME;
	most = (int) Min(endpoint->answers * AHEAD_TIME / Max(elapsed, AHEAD_TIME), AHEAD_MOST);
	if (elapsed >= AHEAD_TIME)
	{
		endpoint->ahead = most;
		endpoint->answers = 0;
		endpoint->counted = now;
	}
	else
		endpoint->ahead = Max(endpoint->ahead, most);
	if (endpoint->server == NULL || endpoint->server->type != SERVER_HTTP || endpoint->open_until != 0 || endpoint->pace < 1)
		endpoint->ahead = 0;
}

bool
wf_endpoint_room(Endpoint *endpoint, TimestampTz now, TimestampTz *when)
{
	*when = DT_NOEND;
	if (endpoint->server == NULL)
		return true;					/* its messages end without a connection */
	if (endpoint->disabled_at != 0)
		return false;
	if (endpoint->active >= wf_endpoint_connections(endpoint) + endpoint->ahead)
		return false;
	if (wf_endpoint_rests(endpoint, now, when))
		return false;
	return has_token(endpoint, now, when);
}

void
wf_endpoint_begin(Endpoint *endpoint)
{
	endpoint->active++;
	if (endpoint->server && endpoint->server->rate > 0)
		endpoint->tokens -= 1;
}

void
wf_endpoint_end(Endpoint *endpoint)
{
	endpoint->active--;
}

/* --- whether at all --- */

/* It works: whatever was the matter is over, but for what an operator said. */
void
wf_endpoint_answered(Endpoint *endpoint)
{
	endpoint->answers++;
	endpoint->pace = Min(1, endpoint->pace * 1.1);
	endpoint->failures = 0;
	if (endpoint->disabled_at != 0 || endpoint->failing_since == 0)
		return;
	endpoint->failing_since = endpoint->open_until = 0;
	endpoint->reason = NULL;
	endpoint->changed = true;
}

static int64
breaker_pause(int failures)
{
	int			times = Min(failures - BREAKER_FAILURES, 10);

	return Min(BREAKER_FIRST << times, BREAKER_LONGEST);
}

void
wf_endpoint_failed(Endpoint *endpoint, TimestampTz now)
{
	endpoint->failures++;
	if (endpoint->disabled_at != 0)
		return;
	if (endpoint->failing_since == 0)
	{
		endpoint->failing_since = now;
		endpoint->changed = true;
	}
	if (endpoint->failures < BREAKER_FAILURES || endpoint->open_until > now)
		return;							/* those that were on their way count once */
	endpoint->open_until = now + breaker_pause(endpoint->failures);
	endpoint->changed = true;
	if (now - endpoint->failing_since >= GIVE_UP)
		wf_endpoint_disable(endpoint, now, "failing");
}

void
wf_endpoint_slow_down(Endpoint *endpoint, TimestampTz now, int64 pause)
{
	endpoint->pace = Max(LEAST_PACE, endpoint->pace / 2);
	if (pause > 0)
		endpoint->pause_until = Max(endpoint->pause_until, now + Min(pause, LONGEST_PAUSE));
}

void
wf_endpoint_disable(Endpoint *endpoint, TimestampTz now, const char *reason)
{
	if (endpoint->disabled_at != 0)
		return;
	endpoint->disabled_at = now;
	endpoint->reason = reason;
	endpoint->changed = true;
}

/* --- automation.endpoint --- */

static Endpoint *
find_endpoint(List *endpoints, const char *name)
{
	ListCell   *lc;

	foreach(lc, endpoints)
		if (strcmp(((Endpoint *) lfirst(lc))->name, name) == 0)
			return lfirst(lc);
	return NULL;
}

static TimestampTz
time_column(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? 0 : DatumGetTimestampTz(value);
}

/* The row is as somebody, perhaps we, wrote it. */
static void
take_over(Endpoint *endpoint, HeapTuple tuple, TupleDesc desc)
{
	TimestampTz failing_since = time_column(tuple, desc, COL_FAILING_SINCE);
	TimestampTz open_until = time_column(tuple, desc, COL_OPEN_UNTIL);
	TimestampTz disabled_at = time_column(tuple, desc, COL_DISABLED_AT);
	bool		isnull;

	if (failing_since == endpoint->failing_since && open_until == endpoint->open_until &&
		disabled_at == endpoint->disabled_at)
		return;
	endpoint->failures = DatumGetInt32(heap_getattr(tuple, COL_FAILURES, desc, &isnull));
	endpoint->failing_since = failing_since;
	endpoint->open_until = open_until;
	endpoint->disabled_at = disabled_at;
	endpoint->reason = disabled_at != 0 ? "by_hand" : NULL;	/* kept as it is, while it is */
}

static void
is_well(Endpoint *endpoint)
{
	if (endpoint->failing_since == 0 && endpoint->disabled_at == 0 && endpoint->open_until == 0)
		return;
	endpoint->failures = 0;
	endpoint->failing_since = endpoint->open_until = endpoint->disabled_at = 0;
	endpoint->reason = NULL;
	endpoint->pause_until = 0;
	endpoint->pace = 1;
}

void
wf_endpoints_read(List *endpoints)
{
	Relation	rel = wf_store_open("endpoint", AccessShareLock);
	SysScanDesc scan = wf_store_scan(rel, NULL, wf_store_snapshot(), 0, NULL);
	List	   *with_row = NIL;
	HeapTuple	tuple;
	ListCell   *lc;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		char	   *name = TextDatumGetCString(heap_getattr(tuple, COL_SERVER, RelationGetDescr(rel), &isnull));
		Endpoint   *endpoint = find_endpoint(endpoints, name);

		if (endpoint)
		{
			take_over(endpoint, tuple, RelationGetDescr(rel));
			with_row = lappend(with_row, endpoint);
		}
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	foreach(lc, endpoints)
		if (!list_member_ptr(with_row, lfirst(lc)))
			is_well(lfirst(lc));
}

static HeapTuple
find_row(Relation rel, const char *name)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, COL_SERVER, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	scan = wf_store_scan(rel, "endpoint_pkey", NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}

static void
put_row(Relation rel, const Endpoint *endpoint, HeapTuple old)
{
	Datum		values[ENDPOINT_COLUMNS];
	bool		nulls[ENDPOINT_COLUMNS] = {0};
	bool		replace[ENDPOINT_COLUMNS] = {false, true, true, true, true, true};

	values[COL_SERVER - 1] = CStringGetTextDatum(endpoint->name);
	values[COL_FAILURES - 1] = Int32GetDatum(endpoint->failures);
	values[COL_FAILING_SINCE - 1] = TimestampTzGetDatum(endpoint->failing_since);
	nulls[COL_FAILING_SINCE - 1] = endpoint->failing_since == 0;
	values[COL_OPEN_UNTIL - 1] = TimestampTzGetDatum(endpoint->open_until);
	nulls[COL_OPEN_UNTIL - 1] = endpoint->open_until == 0;
	values[COL_DISABLED_AT - 1] = TimestampTzGetDatum(endpoint->disabled_at);
	nulls[COL_DISABLED_AT - 1] = endpoint->disabled_at == 0;
	nulls[COL_REASON - 1] = endpoint->reason == NULL;
	if (endpoint->reason)
		values[COL_REASON - 1] = CStringGetTextDatum(endpoint->reason);
	if (old)
		wf_store_update(rel, old, values, nulls, replace);
	else
		wf_store_insert(rel, values, nulls, NULL);
}

void
wf_endpoint_write(Endpoint *endpoint)
{
	Relation	rel;
	HeapTuple	old;

	if (!endpoint->changed)
		return;
	rel = wf_store_open("endpoint", RowExclusiveLock);
	old = find_row(rel, endpoint->name);
	if (endpoint->failing_since != 0 || endpoint->disabled_at != 0)
		put_row(rel, endpoint, old);
	else if (old)
		wf_store_delete(rel, &old->t_self);
	table_close(rel, NoLock);
	endpoint->changed = false;
}
