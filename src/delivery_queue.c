/*
 * delivery_queue.c -- what is to leave, as the delivery worker keeps it in mind.
 *
 * A cache of automation.outgoing_due, for one process: the delivery worker or a
 * session in automation.deliver().  The first read takes everything; each further
 * one takes what became visible since, by the difference of two snapshots on the
 * column xact, never by number.  Rows that are gone are noticed by whoever wants to
 * delete them.
 *
 * Within a server, workflows take turns; of a workflow the message that is due for
 * the longest time is first.  Messages of one ordering key form a chain: only its
 * first one, by id, is ready, and none while one is on its way or waits for another
 * attempt.
 *
 * Memory is bounded for each server: of more than LANE_LIMIT messages those that
 * are due first are kept, of those with an ordering key the oldest ones, whatever
 * they are due at, so that none overtakes another; the rest is read again when there
 * is room.  Everything is in the queue's context; an ERROR leaves a queue that is to
 * be forgotten.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "compat.h"
#include "delivery_queue.h"
#include "event_scan.h"
#include "store.h"

#define LANE_LIMIT 50000				/* of each kind; twice that for a moment */
#define FULL_READ_INTERVAL (60 * USECS_PER_SEC)	/* finds what came by strange means */

enum
{
	DUE_ID = 1, DUE_OWNER, DUE_WORKFLOW, DUE_ENROLLMENT, DUE_SERVER, DUE_ORDERING_KEY, DUE_DUE, DUE_ATTEMPT, DUE_XACT
};

/* A workflow's messages to a server that are not behind others. */
typedef struct Flow
{
	dlist_node	node;					/* in the lane, if there are messages */
	int			workflow;
	pairingheap *messages;				/* by due, id */
} Flow;

typedef struct FlowKey
{
	Lane	   *lane;
	int64		workflow;
} FlowKey;

typedef struct FlowEntry
{
	FlowKey		key;
	Flow	   *flow;
} FlowEntry;

typedef struct ChainKey
{
	Lane	   *lane;
	uint64		key;					/* hash of the ordering key */
} ChainKey;

typedef struct Chain
{
	ChainKey	key;
	int			closed;					/* messages of it that are on their way */
	pairingheap *messages;				/* by id */
} Chain;

typedef struct LaneEntry
{
	char		server[NAMEDATALEN];
	Lane	   *lane;
} LaneEntry;

struct DeliveryQueue
{
	MemoryContext context;				/* lanes, for ever */
	MemoryContext content;				/* the rest, until the queue is forgotten */
	HTAB	   *lane_names;
	List	   *lanes;
	HTAB	   *messages;				/* DueMessage */
	HTAB	   *flows;
	HTAB	   *chains;					/* Chain; in context, as they may be closed */
	Horizon		seen;
	TimestampTz full_at;				/* engine time of the last full read */
};

/* --- order --- */

static int
compare_due(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	const DueMessage *left = pairingheap_const_container(DueMessage, in_flow, a);
	const DueMessage *right = pairingheap_const_container(DueMessage, in_flow, b);

	if (left->due != right->due)
		return left->due < right->due ? 1 : -1;	/* the greatest one is on top */
	return left->id < right->id ? 1 : -1;
}

static int
compare_id(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	const DueMessage *left = pairingheap_const_container(DueMessage, in_chain, a);
	const DueMessage *right = pairingheap_const_container(DueMessage, in_chain, b);

	return left->id < right->id ? 1 : -1;
}

/* --- making --- */

static HTAB *
make_hash(const char *name, MemoryContext context, Size key, Size entry, int flags)
{
	HASHCTL		control = {.keysize = key,.entrysize = entry,.hcxt = context};

	return hash_create(name, 256, &control, HASH_ELEM | HASH_CONTEXT | flags);
}

static void
make_content(DeliveryQueue *queue)
{
	queue->messages = make_hash("automation messages", queue->content, sizeof(int64), sizeof(DueMessage), HASH_BLOBS);
	queue->flows = make_hash("automation flows", queue->content, sizeof(FlowKey), sizeof(FlowEntry), HASH_BLOBS);
}

DeliveryQueue *
wf_queue_create(MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "automation delivery queue", ALLOCSET_DEFAULT_SIZES);
	DeliveryQueue *queue = MemoryContextAllocZero(context, sizeof(DeliveryQueue));

	queue->context = context;
	queue->content = AllocSetContextCreate(context, "automation delivery queue, content", ALLOCSET_DEFAULT_SIZES);
	queue->lane_names = make_hash("automation lanes", context, NAMEDATALEN, sizeof(LaneEntry), HASH_STRINGS);
	queue->chains = make_hash("automation chains", context, sizeof(ChainKey), sizeof(Chain), HASH_BLOBS);
	make_content(queue);
	return queue;
}

/* Chains that nobody holds closed go, too. */
static void
clear_chains(DeliveryQueue *queue)
{
	HASH_SEQ_STATUS all;
	Chain	   *chain;

	hash_seq_init(&all, queue->chains);
	while ((chain = hash_seq_search(&all)) != NULL)
	{
		chain->messages = NULL;
		if (chain->closed == 0)
			hash_search(queue->chains, &chain->key, HASH_REMOVE, NULL);
	}
}

void
wf_queue_forget(DeliveryQueue *queue)
{
	ListCell   *lc;

	clear_chains(queue);
	foreach(lc, queue->lanes)
	{
		Lane	   *lane = lfirst(lc);

		dlist_init(&lane->flows);
		lane->nloose = lane->nkeyed = 0;
		lane->left_out_due = DT_NOEND;
		lane->keyed_upto = 0;
		lane->next_due = 0;
	}
	queue->seen.valid = false;
	MemoryContextReset(queue->content);
	make_content(queue);
}

static Lane *
lane_of(DeliveryQueue *queue, const char *server)
{
	char		name[NAMEDATALEN];
	LaneEntry  *entry;
	bool		found;
	MemoryContext old;

	strlcpy(name, server, sizeof(name));	/* a longer one is no server's */
	entry = hash_search(queue->lane_names, name, HASH_ENTER, &found);
	if (found)
		return entry->lane;
	old = MemoryContextSwitchTo(queue->context);
	entry->lane = palloc0(sizeof(Lane));
	entry->lane->server = pstrdup(name);
	entry->lane->left_out_due = DT_NOEND;
	dlist_init(&entry->lane->flows);
	queue->lanes = lappend(queue->lanes, entry->lane);
	MemoryContextSwitchTo(old);
	return entry->lane;
}

List *
wf_queue_lanes(DeliveryQueue *queue)
{
	return queue->lanes;
}

static Flow *
flow_of(DeliveryQueue *queue, Lane *lane, int workflow)
{
	FlowKey		key = {.lane = lane,.workflow = workflow};
	FlowEntry  *entry;
	bool		found;

	entry = hash_search(queue->flows, &key, HASH_ENTER, &found);
	if (!found)
	{
		entry->flow = MemoryContextAllocZero(queue->content, sizeof(Flow));
		entry->flow->workflow = workflow;
		entry->flow->messages = MemoryContextAlloc(queue->content, sizeof(pairingheap));
		*entry->flow->messages = (pairingheap) {.ph_compare = compare_due};
	}
	return entry->flow;
}

static Chain *
chain_of(DeliveryQueue *queue, Lane *lane, const char *key, int length)
{
	ChainKey	id = {.lane = lane,.key = DatumGetUInt64(hash_any_extended((const unsigned char *) key, length, 0))};
	Chain	   *chain;
	bool		found;

	chain = hash_search(queue->chains, &id, HASH_ENTER, &found);
	if (!found)
	{
		chain->closed = 0;
		chain->messages = NULL;
	}
	if (chain->messages == NULL)
	{
		chain->messages = MemoryContextAlloc(queue->content, sizeof(pairingheap));
		*chain->messages = (pairingheap) {.ph_compare = compare_id};
	}
	return chain;
}

/* --- ready or not --- */

static void
make_ready(DueMessage *message)
{
	Flow	   *flow = message->flow;

	if (message->ready)
		return;
	if (pairingheap_is_empty(flow->messages))
		dlist_push_tail(&message->lane->flows, &flow->node);
	pairingheap_add(flow->messages, &message->in_flow);
	message->ready = true;
	message->lane->next_due = 0;
}

static void
make_unready(DueMessage *message)
{
	if (!message->ready)
		return;
	pairingheap_remove(message->flow->messages, &message->in_flow);
	message->ready = false;
	message->lane->next_due = 0;		/* it may have been the next one */
	if (pairingheap_is_empty(message->flow->messages))
		dlist_delete(&message->flow->node);
}

static DueMessage *
first_of(Chain *chain)
{
	if (chain->messages == NULL || pairingheap_is_empty(chain->messages))
		return NULL;
	return pairingheap_container(DueMessage, in_chain, pairingheap_first(chain->messages));
}

/* One more behind the others, unless it is older than the first one. */
static void
join(DueMessage *message)
{
	Chain	   *chain = message->chain;
	DueMessage *first = first_of(chain);

	pairingheap_add(chain->messages, &message->in_chain);
	if (first_of(chain) != message)
		return;
	if (first)
		make_unready(first);
	if (chain->closed == 0)
		make_ready(message);
}

static void
forget_empty(DeliveryQueue *queue, Chain *chain)
{
	if (chain->closed == 0 && first_of(chain) == NULL)
	{
		if (chain->messages)
			pfree(chain->messages);
		hash_search(queue->chains, &chain->key, HASH_REMOVE, NULL);
	}
}

void
wf_queue_open(DeliveryQueue *queue, Chain *chain)
{
	chain->closed--;
	if (chain->closed == 0 && first_of(chain))
		make_ready(first_of(chain));
	forget_empty(queue, chain);
}

void
wf_queue_remove(DeliveryQueue *queue, DueMessage *message, bool close)
{
	Chain	   *chain = message->chain;

	make_unready(message);
	if (chain)
	{
		pairingheap_remove(chain->messages, &message->in_chain);
		message->lane->nkeyed--;
		chain->closed += close ? 1 : 0;
		if (chain->closed == 0 && first_of(chain))
			make_ready(first_of(chain));
		forget_empty(queue, chain);
	}
	else
		message->lane->nloose--;
	hash_search(queue->messages, &message->id, HASH_REMOVE, NULL);
}

void
wf_queue_put_off(DueMessage *message, TimestampTz due)
{
	make_unready(message);
	message->due = due;
	make_ready(message);
}

/* --- the next one --- */

DueMessage *
wf_queue_next(Lane *lane, TimestampTz now)
{
	TimestampTz earliest = DT_NOEND;
	dlist_node *last;

	if (lane->next_due > now || dlist_is_empty(&lane->flows))
		return NULL;
	last = dlist_tail_node(&lane->flows);
	for (;;)
	{
		dlist_node *node = dlist_pop_head_node(&lane->flows);
		Flow	   *flow = dlist_container(Flow, node, node);
		DueMessage *message = pairingheap_container(DueMessage, in_flow, pairingheap_first(flow->messages));

		dlist_push_tail(&lane->flows, node);	/* it had its turn */
		if (message->due <= now)
			return message;
		earliest = Min(earliest, message->due);
		if (node == last)
			break;
	}
	lane->next_due = earliest;
	return NULL;
}

TimestampTz
wf_queue_due(Lane *lane)
{
	TimestampTz due = DT_NOEND;
	dlist_iter	iter;

	if (lane->next_due != 0)
		due = lane->next_due;
	else
		dlist_foreach(iter, &lane->flows)
		{
			Flow	   *flow = dlist_container(Flow, node, iter.cur);

			due = Min(due, pairingheap_container(DueMessage, in_flow, pairingheap_first(flow->messages))->due);
		}
	return Min(due, lane->left_out_due);
}

/* --- reading --- */

static int
compare_messages(const void *a, const void *b)
{
	const DueMessage *left = *(DueMessage *const *) a;
	const DueMessage *right = *(DueMessage *const *) b;

	if (left->chain == NULL && left->due != right->due)
		return left->due < right->due ? -1 : 1;
	return left->id < right->id ? -1 : 1;
}

/* Keeps the first LANE_LIMIT messages of a lane, with or without ordering key. */
static void
shorten(DeliveryQueue *queue, Lane *lane, bool keyed)
{
	int			n = keyed ? lane->nkeyed : lane->nloose;
	DueMessage **all = MemoryContextAllocHuge(CurrentMemoryContext, n * sizeof(DueMessage *));
	HASH_SEQ_STATUS scan;
	DueMessage *message;
	int			found = 0;

	hash_seq_init(&scan, queue->messages);
	while ((message = hash_seq_search(&scan)) != NULL)
		if (message->lane == lane && (message->chain != NULL) == keyed && found < n)
			all[found++] = message;
	qsort(all, found, sizeof(DueMessage *), compare_messages);
	if (keyed)
		lane->keyed_upto = all[LANE_LIMIT - 1]->id;
	else
		lane->left_out_due = Min(lane->left_out_due, all[LANE_LIMIT]->due);
	for (int i = found - 1; i >= LANE_LIMIT; i--)
		wf_queue_remove(queue, all[i], false);
	pfree(all);
}

static Datum
column(HeapTuple tuple, TupleDesc desc, int number)
{
	bool		isnull;

	return heap_getattr(tuple, number, desc, &isnull);
}

static void
take_row(DeliveryQueue *queue, HeapTuple tuple, TupleDesc desc)
{
	int64		id = DatumGetInt64(column(tuple, desc, DUE_ID));
	Lane	   *lane = lane_of(queue, TextDatumGetCString(column(tuple, desc, DUE_SERVER)));
	bool		loose;
	Datum		key = heap_getattr(tuple, DUE_ORDERING_KEY, desc, &loose);
	DueMessage *message;
	text	   *keytext;

	if (!loose && lane->keyed_upto != 0 && id > lane->keyed_upto)
		return;							/* behind those that were left out */
	message = hash_search(queue->messages, &id, HASH_FIND, NULL);
	if (message)
		wf_queue_remove(queue, message, false); /* that licence is gone: this one may be due earlier */
	message = hash_search(queue->messages, &id, HASH_ENTER, NULL);
	message->tid = tuple->t_self;
	message->attempt = DatumGetInt32(column(tuple, desc, DUE_ATTEMPT));
	message->due = DatumGetTimestampTz(column(tuple, desc, DUE_DUE));
	message->lane = lane;
	message->flow = flow_of(queue, message->lane, DatumGetInt32(column(tuple, desc, DUE_WORKFLOW)));
	message->chain = NULL;
	message->ready = false;
	if (loose)
	{
		message->lane->nloose++;
		make_ready(message);
	}
	else
	{
		keytext = DatumGetTextPP(key);
		message->chain = chain_of(queue, message->lane, VARDATA_ANY(keytext), VARSIZE_ANY_EXHDR(keytext));
		message->lane->nkeyed++;
		join(message);
	}
	if ((loose ? message->lane->nloose : message->lane->nkeyed) >= 2 * LANE_LIMIT)
		shorten(queue, message->lane, !loose);
}

/* Rows with xact from one number on, or of one number. */
static void
read_range(DeliveryQueue *queue, Relation rel, Snapshot snapshot, FullTransactionId from, bool only)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, DUE_XACT, only ? BTEqualStrategyNumber : BTGreaterEqualStrategyNumber,
				only ? F_XID8EQ : F_XID8GE, FullTransactionIdGetDatum(from));
	scan = wf_store_scan(rel, "outgoing_due_xact", snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		take_row(queue, tuple, RelationGetDescr(rel));
	systable_endscan(scan);
}

static void
read_difference(DeliveryQueue *queue, Relation rel, Snapshot snapshot, const Horizon *to)
{
	for (int i = 0; i < queue->seen.nrunning; i++)
		if (wf_horizon_sees(to, queue->seen.running[i]))
			read_range(queue, rel, snapshot, queue->seen.running[i], true);
	read_range(queue, rel, snapshot, queue->seen.xmax, false);
}

static void
read_everything(DeliveryQueue *queue, Relation rel, Snapshot snapshot)
{
	SysScanDesc scan = wf_store_scan(rel, NULL, snapshot, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		take_row(queue, tuple, RelationGetDescr(rel));
	systable_endscan(scan);
}

/* Is there room again, and is it needed? */
static bool
wants_more(DeliveryQueue *queue, TimestampTz now)
{
	ListCell   *lc;

	foreach(lc, queue->lanes)
	{
		Lane	   *lane = lfirst(lc);

		if ((lane->left_out_due <= now && lane->nloose < LANE_LIMIT / 2) ||
			(lane->keyed_upto != 0 && lane->nkeyed < LANE_LIMIT / 2))
			return true;
	}
	return false;
}

void
wf_queue_read(DeliveryQueue *queue, TimestampTz now)
{
	Relation	rel = wf_store_open("outgoing_due", AccessShareLock);
	Snapshot	snapshot;
	Horizon		to;

	if (queue->seen.valid && (now - queue->full_at > FULL_READ_INTERVAL || now < queue->full_at || wants_more(queue, now)))
		wf_queue_forget(queue);
	PushActiveSnapshot(GetLatestSnapshot());
	snapshot = GetActiveSnapshot();
	wf_horizon_take(&to, snapshot);
	if (queue->seen.valid)
		read_difference(queue, rel, snapshot, &to);
	else
	{
		read_everything(queue, rel, snapshot);
		queue->full_at = now;
	}
	wf_horizon_keep(queue->context, &queue->seen, &to);
	PopActiveSnapshot();
	table_close(rel, NoLock);
}
