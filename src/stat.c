/*
 * stat.c -- what the engine did, in numbers: counters, and how long it took.
 *
 * Called by whoever executes items and by the coordinator; read by the views
 * automation.stat, stat_engine, stat_latency and stat_histogram.
 *
 * Each owner of each database has a place in shared memory, made at his first
 * batch.  Its numbers are atomic: who adds, reads or resets waits for nobody,
 * and a reader may see a batch's numbers half added.  The lock is for taking
 * and giving back places only.  Places are told apart by the engine's table as
 * well, since the owners' numbers begin anew with each CREATE EXTENSION.
 *
 * Nothing is written to disk: the numbers outlive processes, not the server.
 * Without preload each process has places of its own and sees what its own
 * automation.run() did.  The functions called in a batch raise no errors.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "port/pg_bitutils.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "compat.h"
#include "owner.h"
#include "stat.h"
#include "store.h"

#define TRANCHE "automation statistics"
#define SHARED_PLACES 512				/* per server; further owners are not counted */
#define LOCAL_PLACES 16
#define OF_DATABASE 0					/* instead of an owner's number */

/* Bucket i holds what took less than 16 << i microseconds, the last one the rest. */
#define FIRST_BOUND 16
#define BUCKETS 36

typedef struct Place
{
	Oid			database;				/* invalid: free */
	Oid			installation;			/* OID of automation.engine */
	int			owner;
	pg_atomic_uint64 since;				/* counted since; server's clock */
	pg_atomic_uint64 counters[STAT_COUNTERS];
	pg_atomic_uint64 buckets[STAT_LATENCIES][BUCKETS];
	pg_atomic_uint64 total[STAT_LATENCIES]; /* microseconds */
} Place;

typedef struct Statistics
{
	LWLock	   *lock;
	Place		places[SHARED_PLACES];
} Statistics;

/* Something that is over when the batch commits. */
typedef struct Waited
{
	StatLatency latency;
	TimestampTz since;
} Waited;

uint64		wf_stat_pending[STAT_COUNTERS];

static Statistics *shared = NULL;
static Place *local = NULL;				/* without preload */
static Place *my_place = NULL;			/* of the owner worked for; NULL = none */

/* the batch that runs */
static uint64 pending_buckets[STAT_LATENCIES][BUCKETS];
static uint64 pending_total[STAT_LATENCIES];
static bool items_pending = false;		/* any of the two above */
static TimestampTz item_since = 0;		/* engine time; 0 = none */
static TimestampTz batch_since = 0;		/* server's clock; 0 = not in a batch */
static Waited *waited = NULL;
static int	nwaited = 0;
static int	max_waited = 0;

static shmem_request_hook_type next_request = NULL;
static shmem_startup_hook_type next_startup = NULL;

PG_FUNCTION_INFO_V1(wf_stat_counters);
PG_FUNCTION_INFO_V1(wf_stat_buckets);
PG_FUNCTION_INFO_V1(wf_stat_reset);
extern PGDLLEXPORT Datum wf_stat_counters(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum wf_stat_buckets(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum wf_stat_reset(PG_FUNCTION_ARGS);

/* ----------------------------------------------------------------
 * Places
 * ----------------------------------------------------------------
 */

static void
init_place(Place *place)
{
	place->database = InvalidOid;
	pg_atomic_init_u64(&place->since, 0);
	for (int i = 0; i < STAT_COUNTERS; i++)
		pg_atomic_init_u64(&place->counters[i], 0);
	for (int i = 0; i < STAT_LATENCIES; i++)
	{
		pg_atomic_init_u64(&place->total[i], 0);
		for (int j = 0; j < BUCKETS; j++)
			pg_atomic_init_u64(&place->buckets[i][j], 0);
	}
}

static void
request(void)
{
	if (next_request)
		next_request();
	RequestAddinShmemSpace(sizeof(Statistics));
	RequestNamedLWLockTranche(TRANCHE, 1);
}

static void
startup(void)
{
	bool		found;

	if (next_startup)
		next_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct(TRANCHE, sizeof(Statistics), &found);
	if (!found)
	{
		shared->lock = &GetNamedLWLockTranche(TRANCHE)->lock;
		for (int i = 0; i < SHARED_PLACES; i++)
			init_place(&shared->places[i]);
	}
	LWLockRelease(AddinShmemInitLock);
}

/* From _PG_init() under shared_preload_libraries. */
void
wf_stat_init(void)
{
	next_request = shmem_request_hook;
	shmem_request_hook = request;
	next_startup = shmem_startup_hook;
	shmem_startup_hook = startup;
}

/* All places of the server, or of this process; NULL: no memory. */
static Place *
all_places(int *n)
{
	*n = shared ? SHARED_PLACES : LOCAL_PLACES;
	if (shared)
		return shared->places;
	if (local == NULL)
	{
		local = MemoryContextAllocExtended(TopMemoryContext, LOCAL_PLACES * sizeof(Place), MCXT_ALLOC_NO_OOM);
		for (int i = 0; local && i < LOCAL_PLACES; i++)
			init_place(&local[i]);
	}
	return local;
}

static void
lock_places(LWLockMode mode)
{
	if (shared)
		LWLockAcquire(shared->lock, mode);
}

static void
unlock_places(void)
{
	if (shared)
		LWLockRelease(shared->lock);
}

static bool
is_place_of(const Place *place, Oid installation, int owner)
{
	return place->database == MyDatabaseId && place->installation == installation && place->owner == owner;
}

static void
clear(Place *place)
{
	pg_atomic_write_u64(&place->since, (uint64) GetCurrentTimestamp());
	for (int i = 0; i < STAT_COUNTERS; i++)
		pg_atomic_write_u64(&place->counters[i], 0);
	for (int i = 0; i < STAT_LATENCIES; i++)
	{
		pg_atomic_write_u64(&place->total[i], 0);
		for (int j = 0; j < BUCKETS; j++)
			pg_atomic_write_u64(&place->buckets[i][j], 0);
	}
}

/* A place nobody has, or one of an extension that this database no longer has. */
static bool
is_free(const Place *place, Oid installation)
{
	return !OidIsValid(place->database) ||
		(place->database == MyDatabaseId && place->installation != installation);
}

/* Finds or takes an owner's place; NULL if there is none left. */
static Place *
take_place(Oid installation, int owner)
{
	int			n;
	Place	   *places = all_places(&n);
	Place	   *place = NULL;

	if (places == NULL || !OidIsValid(installation))
		return NULL;
	lock_places(LW_EXCLUSIVE);
	for (int i = 0; i < n && place == NULL; i++)
		if (is_place_of(&places[i], installation, owner))
			place = &places[i];
	for (int i = 0; i < n && place == NULL; i++)
	{
		if (!is_free(&places[i], installation))
			continue;
		place = &places[i];
		clear(place);
		place->installation = installation;
		place->owner = owner;
		place->database = MyDatabaseId;
	}
	unlock_places();
	return place;
}

void
wf_stat_forget(Oid database)
{
	if (shared == NULL)
		return;
	lock_places(LW_EXCLUSIVE);
	for (int i = 0; i < SHARED_PLACES; i++)
		if (shared->places[i].database == database)
			shared->places[i].database = InvalidOid;
	unlock_places();
}

/* ----------------------------------------------------------------
 * Counting
 * ----------------------------------------------------------------
 */

static int
bucket_of(uint64 microseconds)
{
	if (microseconds < FIRST_BOUND)
		return 0;
	return Min(pg_leftmost_one_pos64(microseconds / FIRST_BOUND) + 1, BUCKETS - 1);
}

static void
note(StatLatency latency, TimestampTz from, TimestampTz to)
{
	uint64		microseconds = to > from ? (uint64) (to - from) : 0;	/* clocks may be set back */

	pending_buckets[latency][bucket_of(microseconds)]++;
	pending_total[latency] += microseconds;
	items_pending = true;
}

void
wf_stat_begin(int owner, TimestampTz started)
{
	Oid			installation = wf_store_relid("engine");

	if (my_place == NULL || !is_place_of(my_place, installation, owner))
		my_place = take_place(installation, owner);
	batch_since = started;
	item_since = 0;
}

void
wf_stat_item(TimestampTz now)
{
	if (item_since != 0)
		note(LATENCY_ITEM, item_since, now);
	item_since = now;
}

/* Without memory for it, it is not counted. */
void
wf_stat_waited(StatLatency latency, TimestampTz since)
{
	if (nwaited == max_waited)
	{
		int			size = Max(2 * max_waited, 1024);
		Waited	   *larger = MemoryContextAllocExtended(TopMemoryContext, size * sizeof(Waited), MCXT_ALLOC_NO_OOM);

		if (larger == NULL)
			return;
		if (waited)
		{
			memcpy(larger, waited, nwaited * sizeof(Waited));
			pfree(waited);
		}
		waited = larger;
		max_waited = size;
	}
	waited[nwaited].latency = latency;
	waited[nwaited++].since = since;
}

static void
publish_counters(void)
{
	for (int i = 0; i < STAT_COUNTERS; i++)
	{
		if (wf_stat_pending[i] == 0)
			continue;
		if (my_place)
			pg_atomic_fetch_add_u64(&my_place->counters[i], wf_stat_pending[i]);
		wf_stat_pending[i] = 0;
	}
}

static void
publish_latencies(void)
{
	for (int i = 0; my_place && items_pending && i < STAT_LATENCIES; i++)
	{
		if (pending_total[i] != 0)
			pg_atomic_fetch_add_u64(&my_place->total[i], pending_total[i]);
		for (int j = 0; j < BUCKETS; j++)
			if (pending_buckets[i][j] != 0)
				pg_atomic_fetch_add_u64(&my_place->buckets[i][j], pending_buckets[i][j]);
	}
}

/* Whatever is left of the batch. */
static void
forget_batch(void)
{
	if (items_pending)
	{
		memset(pending_buckets, 0, sizeof(pending_buckets));
		memset(pending_total, 0, sizeof(pending_total));
	}
	items_pending = false;
	item_since = batch_since = 0;
	nwaited = 0;
}

void
wf_stat_committed(void)
{
	if (wf_stat_pending[STAT_ITEMS] > 0 || nwaited > 0)
	{
		TimestampTz now = GetCurrentTimestamp();
		TimestampTz engine_now = now + wf_clock_shift();

		if (item_since != 0)
			note(LATENCY_ITEM, item_since, engine_now);
		if (batch_since != 0)
		{
			note(LATENCY_BATCH, batch_since, now);
			wf_stat_count(STAT_BATCHES);
		}
		for (int i = 0; i < nwaited; i++)
			note(waited[i].latency, waited[i].since, engine_now);
	}
	publish_counters();
	publish_latencies();
	forget_batch();
}

void
wf_stat_rolled_back(void)
{
	for (int i = 0; i < STAT_NOT_UNDONE; i++)
		wf_stat_pending[i] = 0;
	wf_stat_count(STAT_ROLLBACKS);
	publish_counters();
	forget_batch();
}

void
wf_stat_database(StatCounter counter)
{
	Place	   *place = take_place(wf_store_relid("engine"), OF_DATABASE);

	if (place)
		pg_atomic_fetch_add_u64(&place->counters[counter], 1);
}

/* Of which installation wf_stat_delivered() is to be: catalogs are read in transactions only,
 * without one the process would crash, and the cluster with it. */
static Oid	delivering = InvalidOid;

void
wf_stat_delivering(void)
{
	delivering = wf_store_relid("engine");
}

void
wf_stat_delivered(bool committed)
{
	Place	   *place = NULL;

	for (int i = STAT_ATTEMPTS; i <= STAT_UNKNOWN; i++)
	{
		if (wf_stat_pending[i] == 0)
			continue;
		if (committed && place == NULL)
			place = take_place(delivering, OF_DATABASE);
		if (place)
			pg_atomic_fetch_add_u64(&place->counters[i], wf_stat_pending[i]);
		wf_stat_pending[i] = 0;
	}
}

/* ----------------------------------------------------------------
 * Showing
 * ----------------------------------------------------------------
 */

/* The same rule as in the views; numbers of the database are for all. */
static bool
may_see(int owner, Oid role)
{
	if (owner == OF_DATABASE)
		return true;
	return OidIsValid(role) && (has_privs_of_role(GetUserId(), role) ||
								has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_DATA) ||
								has_privs_of_role(GetUserId(), ROLE_PG_MONITOR));
}

typedef void (*ShowFunction) (ReturnSetInfo *result, Place *place, Oid role);

/* Calls a function for each place of this database that the user may see. */
static void
show_places(FunctionCallInfo fcinfo, ShowFunction show)
{
	Oid			installation = wf_store_relid("engine");
	int			n;
	Place	   *places = all_places(&n);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; places && i < n; i++)
	{
		int			owner = places[i].owner;
		Oid			role;

		if (!is_place_of(&places[i], installation, owner))
			continue;
		role = owner == OF_DATABASE ? InvalidOid : wf_owner_role(owner);
		if (may_see(owner, role))
			show((ReturnSetInfo *) fcinfo->resultinfo, &places[i], role);
	}
}

static void
show_counters(ReturnSetInfo *result, Place *place, Oid role)
{
	Datum		values[2 + STAT_COUNTERS];
	bool		nulls[2 + STAT_COUNTERS] = {0};

	nulls[0] = !OidIsValid(role);
	values[0] = ObjectIdGetDatum(role);
	values[1] = TimestampTzGetDatum((TimestampTz) pg_atomic_read_u64(&place->since));
	for (int i = 0; i < STAT_COUNTERS; i++)
		values[2 + i] = Int64GetDatum((int64) pg_atomic_read_u64(&place->counters[i]));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* automation.stat_counters(): owner (NULL: the database), since, the counters. */
Datum
wf_stat_counters(PG_FUNCTION_ARGS)
{
	show_places(fcinfo, show_counters);
	return (Datum) 0;
}

static void
show_buckets(ReturnSetInfo *result, Place *place, Oid role)
{
	static const char *const names[STAT_LATENCIES] = {"event", "timer", "item", "batch"};
	Datum		values[6];
	bool		nulls[6] = {0};

	for (int i = 0; OidIsValid(role) && i < STAT_LATENCIES; i++)
	{
		values[0] = ObjectIdGetDatum(role);
		values[1] = CStringGetTextDatum(names[i]);
		values[5] = Float8GetDatum((double) pg_atomic_read_u64(&place->total[i]) / USECS_PER_SEC);
		for (int j = 0; j < BUCKETS; j++)
		{
			double		upto = j == BUCKETS - 1 ? INFINITY : (double) ((uint64) FIRST_BOUND << j) / USECS_PER_SEC;

			values[2] = Int32GetDatum(j);
			values[3] = Float8GetDatum(upto);
			values[4] = Int64GetDatum((int64) pg_atomic_read_u64(&place->buckets[i][j]));
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		}
	}
}

/* automation.stat_buckets(): owner, kind, bucket, upper bound and total in seconds. */
Datum
wf_stat_buckets(PG_FUNCTION_ARGS)
{
	show_places(fcinfo, show_buckets);
	return (Datum) 0;
}

/* automation.stat_reset(owner): of one's own; NULL: of all one may, as superuser
 * the database's, too. */
Datum
wf_stat_reset(PG_FUNCTION_ARGS)
{
	Oid			wanted = PG_ARGISNULL(0) ? InvalidOid : PG_GETARG_OID(0);
	Oid			installation = wf_store_relid("engine");
	int			n;
	Place	   *places = all_places(&n);

	if (OidIsValid(wanted) && !has_privs_of_role(GetUserId(), wanted))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to reset statistics of another role")));
	for (int i = 0; places && i < n; i++)
	{
		int			owner = places[i].owner;
		Oid			role;

		if (!is_place_of(&places[i], installation, owner))
			continue;
		role = owner == OF_DATABASE ? InvalidOid : wf_owner_role(owner);
		if (OidIsValid(wanted) ? role == wanted :
			owner == OF_DATABASE ? superuser() : (OidIsValid(role) && has_privs_of_role(GetUserId(), role)))
			clear(&places[i]);
	}
	PG_RETURN_VOID();
}
