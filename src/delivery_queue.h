/*
 * delivery_queue.h -- what is to leave, as the delivery worker keeps it in mind.
 */
#ifndef WF_DELIVERY_QUEUE_H
#define WF_DELIVERY_QUEUE_H

#include "datatype/timestamp.h"
#include "lib/ilist.h"
#include "lib/pairingheap.h"
#include "storage/itemptr.h"

struct Endpoint;

/* Messages of a server; lives as long as the queue. */
typedef struct Lane
{
	char	   *server;					/* name */
	struct Endpoint *endpoint;			/* limits.h; made by whoever asks first */
	dlist_head	flows;					/* of Flow that have messages, in turn */
	int			nloose;					/* messages without ordering key */
	int			nkeyed;
	TimestampTz left_out_due;			/* when the first one without ordering key that is in the table alone
										 * is due; DT_NOEND: there is none */
	int64		keyed_upto;				/* those with ordering key and a higher id are in the table alone; 0: none */
	TimestampTz next_due;				/* nothing is due before that; 0: not known */
} Lane;

/* A message that is to leave. */
typedef struct DueMessage
{
	int64		id;						/* hash key */
	ItemPointerData tid;				/* of its row in outgoing_due */
	int			attempt;				/* how many there were */
	TimestampTz due;
	Lane	   *lane;
	struct Flow *flow;					/* the workflow's part of the lane */
	struct Chain *chain;				/* NULL: no ordering key */
	bool		ready;					/* in the flow's heap: not behind another one */
	pairingheap_node in_flow;
	pairingheap_node in_chain;
} DueMessage;

typedef struct DeliveryQueue DeliveryQueue;

extern DeliveryQueue *wf_queue_create(MemoryContext parent);
/* Nothing is known any more; chains stay closed.  Lanes stay. */
extern void wf_queue_forget(DeliveryQueue *queue);

/* Takes in what became visible since the last call.  In a transaction that has not written. */
extern void wf_queue_read(DeliveryQueue *queue, TimestampTz now);

/* Lane * of all servers there were messages for. */
extern List *wf_queue_lanes(DeliveryQueue *queue);

/* The next message of a lane that is due, each workflow in its turn; NULL = none.  It stays. */
extern DueMessage *wf_queue_next(Lane *lane, TimestampTz now);
/* When a message of the lane will be due; DT_NOEND: never. */
extern TimestampTz wf_queue_due(Lane *lane);

/* It leaves: forgotten.  Those behind it wait until the chain is opened. */
extern void wf_queue_remove(DeliveryQueue *queue, DueMessage *message, bool close);
/* Not now, but then. */
extern void wf_queue_put_off(DueMessage *message, TimestampTz due);

/* The message of an ordering key that was on its way no longer is.  To be called after the
 * read that finds it again, if it is to be sent again. */
extern void wf_queue_open(DeliveryQueue *queue, struct Chain *chain);

#endif
