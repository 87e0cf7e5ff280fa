/*
 * delivery_internal.h -- what the files of the delivery worker share (delivery.c,
 * claim.c, outcome.c): messages that are on their way.
 */
#ifndef WF_DELIVERY_INTERNAL_H
#define WF_DELIVERY_INTERNAL_H

#include "lib/ilist.h"

#include "delivery.h"
#include "delivery_queue.h"
#include "limits.h"
#include "outbox.h"
#include "transport.h"

#define STATE_RETRY "retry"				/* in the history: not the end */

/* A message that this process has claimed: a row of automation.inflight is its own. */
typedef struct Flight
{
	int64		id;
	int			attempt;				/* this one, from 1 */
	ItemPointerData tid;				/* in automation.inflight */
	Endpoint   *endpoint;
	struct Chain *chain;				/* NULL: no ordering key */
	MemoryContext context;				/* holds this and o */
	Outgoing   *o;						/* without what was sent; NULL: not loaded */
	Size		bytes;					/* of what is sent */
	dlist_node	node;					/* in the list of those not yet begun */
	bool		fresh;					/* is in it */
	bool		begun;					/* the transport has, or had it */
	TimestampTz claimed_at;				/* server's clock */
	bool		over;					/* what became of it is written, in the transaction that runs */
} Flight;

/* --- claim.c --- */

typedef enum
{
	CLAIM_OK,
	CLAIM_GONE,							/* somebody has taken it away */
	CLAIM_BUSY							/* somebody is about to */
} ClaimResult;

/* Takes the licence, without waiting for anybody, and marks the message as on its way. */
extern ClaimResult wf_claim(const DueMessage *message, MemoryContext parent, TimestampTz now, Flight **flight);

typedef enum
{
	VERDICT_SEND,
	VERDICT_END,						/* without a connection: state and reason say how */
	VERDICT_BACK,						/* not now, but at "due"; it was no attempt */
	VERDICT_FORGET						/* it is over already */
} VerdictKind;

typedef struct Verdict
{
	VerdictKind kind;
	const char *state;
	const char *reason;
	const char *error;
	TimestampTz due;
	Outgoing   *o;						/* whole; in the current context */
} Verdict;

/* May a message that was claimed, and that is committed, leave?  Under a new snapshot.  role: who
 * owns the workflows of "owner", as it was found last; InvalidOid at first. */
extern void wf_claim_judge(Flight *flight, TimestampTz now, bool send, int *owner, Oid *role, Verdict *verdict);
/* Does what the verdict says, unless it is to be sent. */
extern void wf_claim_drop(Flight *flight, const Verdict *verdict, TimestampTz now);

/* --- outcome.c --- */

/* Writes down what became of an attempt. */
extern void wf_outcome(Flight *flight, const TransferResult *result, TimestampTz now);
/* Of a message that can't be read. */
extern void wf_outcome_unreadable(Flight *flight, TimestampTz now);
/* A row of automation.inflight of a process that has died. */
extern void wf_outcome_orphan(int64 id, int attempt, ItemPointer tid, TimestampTz now);
extern void wf_inflight_delete(ItemPointer tid);

#endif
