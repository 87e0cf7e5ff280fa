/*
 * delivery_turn.h -- one round of whoever delivers: writes down what has ended,
 * claims what is next, lets it begin.  Between delivery.c and delivery_turn.c only.
 */
#ifndef WF_DELIVERY_TURN_H
#define WF_DELIVERY_TURN_H

#include "nodes/pg_list.h"
#include "utils/hsearch.h"

#include "delivery_internal.h"

typedef struct Delivery
{
	MemoryContext context;				/* lives as long as this */
	MemoryContext turn_context;			/* reset after each turn */
	MemoryContext results_context;		/* reset when none is left */
	bool		foreground;				/* CALL automation.deliver() */
	DeliveryQueue *queue;
	List	   *endpoints;
	HTAB	   *flights;				/* FlightEntry: what is committed as on its way */
	dlist_head	fresh;					/* Flight: of them, those not yet begun, oldest first */
	int			sending;				/* of them, those the transport has */
	TimestampTz recorded_at;			/* server's clock: the last first part of a turn */
	List	   *results;				/* TransferResult *: ended, not yet written */
	List	   *opening;				/* struct Chain *: to be opened after the next read */
	bool		dropped;				/* claims were, since: there is room for others */
	bool		woken;					/* by its latch, since the last turn */
	bool		careful;				/* each message by itself, after an error */
	bool		adopted;				/* orphans of former processes are dealt with */
	const char *obstacle;				/* why nothing may leave; NULL = it may */
	TimestampTz now;					/* engine time of the turn */
	TimestampTz wake_at;				/* engine time; DT_NOEND: only if woken */
	bool		waits;					/* for room or time: what is due has not left yet */
	int			first_lane;				/* each in its turn */
	int			with_room;				/* messages marked for which there are connections */
	int			ahead;					/* the others */

	/* the transaction that runs */
	List	   *claimed;				/* Flight * */
	List	   *finished;				/* Flight *: no longer on their way */
} Delivery;

extern Delivery *wf_delivery_create(MemoryContext parent, bool foreground);

/* Within a transaction that has not written yet: results, and new claims if there may be any. */
extern void wf_delivery_record(Delivery *delivery, bool claim);
/* It has committed, or was rolled back. */
extern void wf_delivery_recorded(Delivery *delivery);
extern void wf_delivery_rolled_back(Delivery *delivery);

/* Is it time to write down what has ended, and to claim?  Milliseconds until it is (-1: not before
 * something happens). */
extern long wf_delivery_record_after(const Delivery *delivery);
/* Is there one not yet begun that can begin, or has waited for too long? */
extern bool wf_delivery_can_begin(Delivery *delivery, bool send);

/* Some of those not yet begun: in a transaction, what is to be known; after it, their beginning. */
extern List *wf_delivery_prepare(Delivery *delivery, bool send);
extern void wf_delivery_begin(Delivery *delivery, List *prepared);

/* Marks that are not this process's: up to "limit" of them; false: there were no more. */
extern bool wf_delivery_adopt(Delivery *delivery, int limit);

/* Takes what the transport has done. */
extern void wf_delivery_collect(Delivery *delivery);
extern int	wf_delivery_flights(const Delivery *delivery);

#endif
