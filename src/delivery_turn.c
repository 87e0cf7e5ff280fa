/*
 * delivery_turn.c -- one round of whoever delivers.
 *
 * Called by delivery.c, which has the transactions.  The first one of a turn reads
 * what is new, writes what has ended, and claims as much as limits allow; what was
 * claimed leaves when that is committed and a second one, under a new snapshot, has
 * found nothing against it.  Flights are remembered from the commit of their claim
 * to the commit of their outcome, so a rollback loses none.
 *
 * An error that belongs to one message is kept to it: after a rollback everything is
 * done once more, each message in a subtransaction of its own, and one that can't be
 * dealt with ends as unreadable.  Who meets a lock is not to blame: that error is the
 * caller's.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "compat.h"
#include "delivery_turn.h"
#include "owner.h"
#include "settings.h"
#include "stat.h"
#include "store.h"
#include "suppression.h"

#define PREPARED_MAX 50					/* messages whose bodies are in memory at a time, beside curl's */
#define BYTES_MAX ((Size) 256 * 1024 * 1024)	/* on their way, at a time */
#define AHEAD_MAX 256					/* messages marked for which there is no connection yet */
#define STALE (1 * USECS_PER_SEC)		/* nor for so long: they may wait as others do */
#define RESULTS_TOGETHER 128			/* as many are written down at once, while there is something that can begin ... */
#define RECORD_AFTER_MS 5				/* ... or those of that time */
#define CROWDED (1 * USECS_PER_SEC)		/* pause of a message that is beyond that */
#define BUSY (100 * INT64CONST(1000))		/* pause of one that somebody is about to cancel */

typedef struct FlightEntry
{
	int64		id;						/* hash key */
	Flight	   *flight;
} FlightEntry;

/* A message that may begin, with what it needs. */
typedef struct Prepared
{
	Flight	   *flight;
	Outgoing   *o;
	Credentials *credentials;			/* NULL: problem says why */
	const char *problem;
} Prepared;

Delivery *
wf_delivery_create(MemoryContext parent, bool foreground)
{
	MemoryContext context = AllocSetContextCreate(parent, "automation delivery", ALLOCSET_DEFAULT_SIZES);
	Delivery   *d = MemoryContextAllocZero(context, sizeof(Delivery));
	HASHCTL		control = {.keysize = sizeof(int64),.entrysize = sizeof(FlightEntry),.hcxt = context};

	d->context = context;
	dlist_init(&d->fresh);
	d->foreground = foreground;
	d->turn_context = AllocSetContextCreate(context, "automation delivery turn", ALLOCSET_DEFAULT_SIZES);
	d->results_context = AllocSetContextCreate(context, "automation delivery results", ALLOCSET_DEFAULT_SIZES);
	d->queue = wf_queue_create(context);
	d->flights = hash_create("automation flights", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return d;
}

int
wf_delivery_flights(const Delivery *d)
{
	return hash_get_num_entries(d->flights);
}

static Flight *
flight_of(const Delivery *d, int64 id)
{
	FlightEntry *entry = hash_search(d->flights, &id, HASH_FIND, NULL);

	return entry ? entry->flight : NULL;
}

static List *
keep_in(MemoryContext context, List *list, void *item)
{
	MemoryContext old = MemoryContextSwitchTo(context);

	list = lappend(list, item);
	MemoryContextSwitchTo(old);
	return list;
}

void
wf_delivery_collect(Delivery *d)
{
	MemoryContext old = MemoryContextSwitchTo(d->results_context);
	List	   *ended = wf_transport_work();
	ListCell   *lc;

	foreach(lc, ended)
	{
		Flight	   *flight = flight_of(d, ((TransferResult *) lfirst(lc))->id);

		if (flight == NULL)
			continue;
		flight->endpoint->sending--;
		d->sending--;
	}
	d->results = list_concat(d->results, ended);
	MemoryContextSwitchTo(old);
}

/* ----------------------------------------------------------------
 * One message by itself
 * ----------------------------------------------------------------
 */

static bool
is_lock_conflict(int sqlstate)
{
	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE || sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED ||
		sqlstate == ERRCODE_QUERY_CANCELED || sqlstate == ERRCODE_OUT_OF_MEMORY;
}

typedef void (*Deed) (void *argument);

/* Does something in a subtransaction.  False: it was undone because of an error that is
 * written to the log, if that is to be told; one that is not the message's goes on to the caller. */
static bool
alone(Deed deed, void *argument, bool tell)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		deed(argument);
		ReleaseCurrentSubTransaction();
		done = true;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		if (is_lock_conflict(geterrcode()))
			PG_RE_THROW();
		if (tell)
			EmitErrorReport();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return done;
}

typedef struct Unreadable
{
	Flight	   *flight;
	TimestampTz now;
} Unreadable;

static void
end_unreadable(void *argument)
{
	Unreadable *unreadable = argument;

	wf_outcome_unreadable(unreadable->flight, unreadable->now);
}

static void
drop_mark(void *argument)
{
	wf_inflight_delete(&((Flight *) argument)->tid);
}

/* Ends a message that can't be dealt with; if even that fails, nobody tries again. */
static void
give_up(Delivery *d, Flight *flight)
{
	Unreadable	unreadable = {flight, d->now};

	if (!alone(end_unreadable, &unreadable, true))
		(void) alone(drop_mark, flight, true);
}

/* ----------------------------------------------------------------
 * What has ended
 * ----------------------------------------------------------------
 */

/* Is no longer on its way, as soon as this is committed. */
static void
finish(Delivery *d, Flight *flight)
{
	flight->over = true;
	wf_endpoint_end(flight->endpoint);
	d->finished = keep_in(d->context, d->finished, flight);
}

typedef struct Ended
{
	Flight	   *flight;
	const TransferResult *result;
	TimestampTz now;
} Ended;

static void
write_outcome(void *argument)
{
	Ended	   *ended = argument;

	wf_outcome(ended->flight, ended->result, ended->now);
}

static void
write_results(Delivery *d)
{
	ListCell   *lc;

	foreach(lc, d->results)
	{
		TransferResult *result = lfirst(lc);
		Ended		ended = {flight_of(d, result->id), result, d->now};

		if (ended.flight == NULL || ended.flight->over)
			continue;
		if (!d->careful)
			write_outcome(&ended);
		else
		{
			Outgoing   *o = wf_outgoing_load(result->id);

			if (o)
				ended.flight->o->tid = o->tid;	/* somebody may have changed the row */
			if (!alone(write_outcome, &ended, true))
				give_up(d, ended.flight);
		}
		finish(d, ended.flight);
	}
}

/* ----------------------------------------------------------------
 * What is next
 * ----------------------------------------------------------------
 */

static Endpoint *
endpoint_of(Delivery *d, Lane *lane)
{
	if (lane->endpoint == NULL)
	{
		lane->endpoint = wf_endpoint_create(d->context, lane->server);
		d->endpoints = keep_in(d->context, d->endpoints, lane->endpoint);
	}
	return lane->endpoint;
}

/* Within automation.delivery_limit; a server that has none on its way always gets one, so
 * that those that hang do not stop the others. */
static bool
is_within_limit(int n, int of_endpoint)
{
	return n < wf_delivery_limit || (of_endpoint == 0 && n < 2 * wf_delivery_limit);
}

/* Is there room to mark another one: with a connection for it, or ahead? */
static bool
has_room(const Delivery *d, const Endpoint *endpoint)
{
	if (endpoint->server == NULL || endpoint->active < wf_endpoint_connections(endpoint))
		return is_within_limit(d->with_room, endpoint->active);
	return d->ahead < AHEAD_MAX;
}

static void
count_room(Delivery *d, const Endpoint *endpoint, int n)
{
	int			connections = endpoint->server ? Min(n, wf_endpoint_connections(endpoint)) : n;

	d->with_room += connections;
	d->ahead += n - connections;
}

static void
wake_at(Delivery *d, TimestampTz when)
{
	d->wake_at = Min(d->wake_at, when);
}

/* Claims the next message of a lane; false: there is none that may leave now. */
static bool
claim_next(Delivery *d, Lane *lane)
{
	Endpoint   *endpoint = lane->endpoint;
	DueMessage *message = wf_queue_next(lane, d->now);
	Flight	   *flight;
	TimestampTz when;

	if (message == NULL)
	{
		wake_at(d, wf_queue_due(lane));
		return false;
	}
	if (!has_room(d, endpoint))
		return false;
	if (!wf_endpoint_room(endpoint, d->now, &when))
	{
		wake_at(d, when);
		d->waits = d->waits || !(endpoint->disabled_at != 0 || endpoint->open_until > d->now ||
								 endpoint->pause_until > d->now);
		return false;
	}
	switch (wf_claim(message, d->context, d->now, &flight))
	{
		case CLAIM_OK:
			count_room(d, endpoint, -endpoint->active);
			wf_endpoint_begin(endpoint);
			count_room(d, endpoint, endpoint->active);
			d->claimed = keep_in(d->context, d->claimed, flight);
			wf_queue_remove(d->queue, message, true);
			return true;
		case CLAIM_BUSY:
			wf_queue_put_off(message, d->now + BUSY);
			d->waits = true;
			return true;
		case CLAIM_GONE:
			wf_queue_remove(d->queue, message, false);
			return true;
	}
	return false;
}

/* One message of each server after the other, until there is none or no room. */
static void
claim_messages(Delivery *d)
{
	List	   *lanes = wf_queue_lanes(d->queue);
	int			n = list_length(lanes);
	bool		any = n > 0;
	ListCell   *lc;

	d->with_room = d->ahead = 0;
	foreach(lc, d->endpoints)
	{
		wf_endpoint_measure(lfirst(lc));
		count_room(d, lfirst(lc), ((Endpoint *) lfirst(lc))->active);
	}
	d->first_lane = n > 0 ? (d->first_lane + 1) % n : 0;
	while (any)
	{
		any = false;
		for (int i = 0; i < n; i++)
			any |= claim_next(d, list_nth(lanes, (d->first_lane + i) % n));
	}
}

/* The endpoints of what is in the queue, as catalogs and table say. */
static void
load_endpoints(Delivery *d)
{
	ListCell   *lc;

	foreach(lc, wf_queue_lanes(d->queue))
		wf_endpoint_load(endpoint_of(d, lfirst(lc)));
	wf_endpoints_read(d->endpoints);
}

static void
open_chains(Delivery *d)
{
	ListCell   *lc;

	foreach(lc, d->opening)
		wf_queue_open(d->queue, lfirst(lc));
	list_free(d->opening);
	d->opening = NIL;
}

void
wf_delivery_record(Delivery *d, bool claim)
{
	ListCell   *lc;

	d->now = wf_clock_now();
	d->recorded_at = GetCurrentTimestamp();
	wf_stat_delivering();
	d->wake_at = DT_NOEND;
	d->waits = d->dropped = false;
	d->obstacle = wf_egress_obstacle();
	wf_queue_read(d->queue, d->now);
	open_chains(d);
	load_endpoints(d);
	if (!d->careful)
		wf_store_batch_begin();
	write_results(d);
	if (claim && d->obstacle == NULL)
		claim_messages(d);
	foreach(lc, d->endpoints)
		wf_endpoint_write(lfirst(lc));
	if (!d->careful)
		wf_store_batch_end();
	if (d->claimed != NIL)
		ForceSyncCommit();				/* on disk before anything leaves */
}

static void
no_longer_fresh(Flight *flight)
{
	if (flight->fresh)
		dlist_delete(&flight->node);
	flight->fresh = false;
}

static void
forget_flight(Delivery *d, Flight *flight)
{
	hash_search(d->flights, &flight->id, HASH_REMOVE, NULL);
	no_longer_fresh(flight);
	if (flight->chain)
		d->opening = keep_in(d->context, d->opening, flight->chain);
	MemoryContextDelete(flight->context);
}

static void
forget_finished(Delivery *d)
{
	ListCell   *lc;

	foreach(lc, d->finished)
		forget_flight(d, lfirst(lc));
	list_free(d->finished);
	d->finished = NIL;
}

void
wf_delivery_recorded(Delivery *d)
{
	ListCell   *lc;

	forget_finished(d);
	foreach(lc, d->claimed)
	{
		Flight	   *flight = lfirst(lc);
		FlightEntry *entry = hash_search(d->flights, &flight->id, HASH_ENTER, NULL);

		entry->flight = flight;
		flight->fresh = true;
		dlist_push_tail(&d->fresh, &flight->node);
	}
	list_free(d->claimed);
	d->claimed = NIL;
	d->results = NIL;
	MemoryContextReset(d->results_context);
	d->careful = false;
	wf_stat_delivered(true);
}

/* What was claimed never left; what has ended is still to be written. */
void
wf_delivery_rolled_back(Delivery *d)
{
	ListCell   *lc;

	wf_store_batch_forget();
	wf_queue_forget(d->queue);
	foreach(lc, d->claimed)
	{
		Flight	   *flight = lfirst(lc);

		wf_endpoint_end(flight->endpoint);
		if (flight->chain)
			wf_queue_open(d->queue, flight->chain);
		MemoryContextDelete(flight->context);
	}
	foreach(lc, d->finished)
	{
		Flight	   *flight = lfirst(lc);

		flight->over = false;
		flight->endpoint->active++;
	}
	list_free(d->claimed);
	list_free(d->finished);
	d->claimed = d->finished = NIL;
	d->careful = true;
	wf_stat_delivered(false);
}

/* ----------------------------------------------------------------
 * Beginning
 * ----------------------------------------------------------------
 */

typedef struct Judgement
{
	Flight	   *flight;
	bool		send;
	Verdict		verdict;
} Judgement;

/* Of several messages, by what they have in common. */
typedef struct Court
{
	Delivery   *d;
	List	   *judgements;
	int			owner;
	Oid			role;					/* of it; InvalidOid: none yet */
} Court;

static Size
bytes_on_their_way(const Delivery *d)
{
	HASH_SEQ_STATUS all;
	FlightEntry *entry;
	Size		bytes = 0;

	hash_seq_init(&all, d->flights);
	while ((entry = hash_seq_search(&all)) != NULL)
		bytes += entry->flight->begun ? entry->flight->bytes : 0;
	return bytes;
}

static void
judge(void *argument)
{
	Court	   *court = argument;
	ListCell   *lc;

	foreach(lc, court->judgements)
	{
		Judgement  *judgement = lfirst(lc);

		wf_claim_judge(judgement->flight, court->d->now, judgement->send, &court->owner, &court->role,
					   &judgement->verdict);
	}
}

typedef struct Dropped
{
	Judgement  *judgement;
	TimestampTz now;
} Dropped;

static void
drop_claim(void *argument)
{
	Dropped    *dropped = argument;

	wf_claim_drop(dropped->judgement->flight, &dropped->judgement->verdict, dropped->now);
}

/* All of them; those that can't be judged, end. */
static List *
judge_all(Delivery *d, List *judgements)
{
	Court		court = {d, judgements};
	List	   *judged = NIL;
	ListCell   *lc;

	if (alone(judge, &court, false))
		return judgements;
	foreach(lc, judgements)
	{
		Court		single = {d, list_make1(lfirst(lc))};

		if (alone(judge, &single, true))
			judged = lappend(judged, lfirst(lc));
		else
		{
			give_up(d, ((Judgement *) lfirst(lc))->flight);
			finish(d, ((Judgement *) lfirst(lc))->flight);
		}
	}
	return judged;
}

/* By this owner, to this server: asked once for all prepared together. */
static bool
has_credentials(Prepared *prepared, List *others)
{
	Endpoint   *endpoint = prepared->flight->endpoint;
	ListCell   *lc;

	foreach(lc, others)
	{
		Prepared   *other = lfirst(lc);

		if (other->flight->endpoint == endpoint && other->o->owner == prepared->o->owner)
		{
			prepared->credentials = other->credentials;
			prepared->problem = other->problem;
			return true;
		}
	}
	return false;
}

static void
find_credentials(void *argument)
{
	Prepared   *prepared = argument;

	prepared->credentials = wf_server_credentials(prepared->flight->endpoint->server, wf_owner_role(prepared->o->owner),
												  &prepared->problem);
}

/* The message and its credentials, in the current context. */
static List *
prepare_one(List *all, Flight *flight, Outgoing *o)
{
	Prepared   *prepared = palloc0(sizeof(Prepared));

	prepared->flight = flight;
	prepared->o = o;
	prepared->problem = "the credentials can't be read";
	if (!has_credentials(prepared, all) && !alone(find_credentials, prepared, true))
		prepared->credentials = NULL;
	return lappend(all, prepared);
}

/* Is there a connection for one more message to the endpoint, beside "more", to all, that are about to begin? */
static bool
can_begin(const Delivery *d, const Endpoint *endpoint, int more)
{
	if (endpoint->server == NULL)
		return true;
	return endpoint->sending + endpoint->beginning < wf_endpoint_connections(endpoint) &&
		is_within_limit(d->sending + more, endpoint->sending + endpoint->beginning);
}

/*
 * Up to "most" of those not yet begun for which there are connections, and those that have
 * waited for too long, which are not to be sent now: others may decide about them again.
 */
static List *
next_to_begin(Delivery *d, bool send, int most)
{
	List	   *next = NIL;
	int			more = 0;
	TimestampTz stale = GetCurrentTimestamp() - STALE;
	dlist_iter	iter;
	ListCell   *lc;

	foreach(lc, d->endpoints)
		((Endpoint *) lfirst(lc))->beginning = 0;
	dlist_foreach(iter, &d->fresh)
	{
		Flight	   *flight = dlist_container(Flight, node, iter.cur);
		bool		now = send && can_begin(d, flight->endpoint, more);
		Judgement  *judgement;

		if (list_length(next) == most)
			break;
		if (!now && send && flight->claimed_at > stale)
			continue;
		judgement = palloc0(sizeof(Judgement));
		judgement->flight = flight;
		judgement->send = now;
		next = lappend(next, judgement);
		if (!now)
			continue;
		flight->endpoint->beginning++;
		more++;
	}
	return next;
}

bool
wf_delivery_can_begin(Delivery *d, bool send)
{
	MemoryContext old = MemoryContextSwitchTo(d->turn_context);
	bool		can = next_to_begin(d, send, 1) != NIL;

	MemoryContextSwitchTo(old);
	return can;
}

long
wf_delivery_record_after(const Delivery *d)
{
	TimestampTz now = GetCurrentTimestamp();

	if (dlist_is_empty(unconstify(dlist_head *, &d->fresh)) || d->careful || d->dropped || d->opening != NIL ||
		list_length(d->results) >= RESULTS_TOGETHER)
		return 0;
	if (now < d->recorded_at || now - d->recorded_at >= RECORD_AFTER_MS * 1000)
		return 0;
	return RECORD_AFTER_MS - (long) ((now - d->recorded_at) / 1000);
}

/* Up to PREPARED_MAX of those not yet begun, in the turn's context. */
List *
wf_delivery_prepare(Delivery *d, bool send)
{
	List	   *prepared = NIL;
	Size		bytes = bytes_on_their_way(d);
	ListCell   *lc;

	d->now = wf_clock_now();
	d->obstacle = wf_egress_obstacle();
	wf_stat_delivering();
	wf_token_prepare();
	foreach(lc, judge_all(d, next_to_begin(d, send && d->obstacle == NULL, PREPARED_MAX)))
	{
		Judgement  *judgement = lfirst(lc);
		Flight	   *flight = judgement->flight;
		Dropped		dropped = {judgement, d->now};

		if (judgement->verdict.kind == VERDICT_SEND)
		{
			bytes += flight->bytes;
			if (bytes <= BYTES_MAX || bytes == flight->bytes)
			{
				prepared = prepare_one(prepared, flight, judgement->verdict.o);
				continue;
			}
			judgement->verdict.kind = VERDICT_BACK;
			judgement->verdict.due = d->now + CROWDED;
		}
		if (!alone(drop_claim, &dropped, true))
			give_up(d, flight);
		finish(d, flight);
	}
	return prepared;
}

static void
keep_result(Delivery *d, const TransferResult *result)
{
	MemoryContext old = MemoryContextSwitchTo(d->results_context);
	TransferResult *kept = palloc(sizeof(TransferResult));

	*kept = *result;
	kept->error = result->error ? pstrdup(result->error) : NULL;
	kept->headers = NULL;
	kept->answer = kept->provider_id = NULL;
	d->results = lappend(d->results, kept);
	MemoryContextSwitchTo(old);
}

static void
begin_one(Delivery *d, const Prepared *prepared)
{
	Flight	   *flight = prepared->flight;
	TransferResult result = {
		.id = flight->id,.attempt = flight->attempt,.end = TRANSFER_NOT_SENT,.code = "credentials",.retry_after = -1
	};

	flight->begun = true;
	no_longer_fresh(flight);
	if (prepared->credentials == NULL)
		result.error = unconstify(char *, prepared->problem);
	else if (wf_transport_begin(prepared->o, flight->attempt, flight->endpoint->server, prepared->credentials, d->now, &result))
	{
		flight->endpoint->sending++;
		d->sending++;
		return;
	}
	keep_result(d, &result);
}

/* The preparation is committed. */
void
wf_delivery_begin(Delivery *d, List *prepared)
{
	List	   *forgotten = NIL;
	ListCell   *lc;

	d->dropped = d->dropped || d->finished != NIL;
	forget_finished(d);
	foreach(lc, prepared)
		begin_one(d, lfirst(lc));
	foreach(lc, prepared)
	{
		Credentials *credentials = ((Prepared *) lfirst(lc))->credentials;

		if (credentials && !list_member_ptr(forgotten, credentials))
		{
			wf_credentials_forget(credentials);
			forgotten = lappend(forgotten, credentials);
		}
	}
	wf_stat_delivered(true);
}

/* ----------------------------------------------------------------
 * Orphans
 * ----------------------------------------------------------------
 */

static void
adopt_orphan(void *argument)
{
	Unreadable *orphan = argument;

	wf_outcome_orphan(orphan->flight->id, orphan->flight->attempt, &orphan->flight->tid, orphan->now);
}

bool
wf_delivery_adopt(Delivery *d, int limit)
{
	Relation	rel = wf_store_open("inflight", RowExclusiveLock);
	SysScanDesc scan = wf_store_scan(rel, NULL, wf_store_snapshot(), 0, NULL);
	List	   *orphans = NIL;
	HeapTuple	tuple;
	ListCell   *lc;

	d->now = wf_clock_now();
	while (list_length(orphans) < limit && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Flight	   *orphan = palloc0(sizeof(Flight));

		orphan->id = DatumGetInt64(heap_getattr(tuple, 1, RelationGetDescr(rel), &isnull));
		orphan->attempt = DatumGetInt32(heap_getattr(tuple, 2, RelationGetDescr(rel), &isnull));
		orphan->tid = tuple->t_self;
		if (flight_of(d, orphan->id) == NULL)
			orphans = lappend(orphans, orphan);
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	foreach(lc, orphans)
	{
		Unreadable	orphan = {lfirst(lc), d->now};

		if (!alone(adopt_orphan, &orphan, true))
			give_up(d, orphan.flight);
	}
	return list_length(orphans) == limit;
}
