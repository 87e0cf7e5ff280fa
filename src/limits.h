/*
 * limits.h -- how fast a server may be sent to, and whether at all: rate, burst,
 * connections, circuit breaker.
 */
#ifndef WF_LIMITS_H
#define WF_LIMITS_H

#include "server.h"

/* A foreign server as the delivery worker knows it; lives as long as its context. */
typedef struct Endpoint
{
	MemoryContext context;				/* holds this and server */
	char	   *name;
	Server	   *server;					/* NULL: there is none of that name */
	uint64		loaded;					/* when, in catalog changes */
	int			active;					/* messages marked as on their way */
	int			sending;				/* of them, those the transport has */
	int			beginning;				/* beside those: about to be handed to it */
	int			ahead;					/* messages that may be marked beside, before there is a connection for them */
	int			answers;				/* since "counted" */
	TimestampTz counted;				/* server's clock */
	double		tokens;
	TimestampTz filled;					/* engine time; 0 = never yet */
	double		pace;					/* part of rate and connections it takes now, up to 1 */
	TimestampTz pause_until;			/* it asked for that; 0 = no */
	/* as in automation.endpoint */
	int			failures;				/* in a row */
	TimestampTz failing_since;			/* 0 = does not */
	TimestampTz open_until;				/* circuit breaker: before that nothing is sent; 0 = closed */
	TimestampTz disabled_at;			/* 0 = enabled */
	const char *reason;					/* constant or in context */
	bool		changed;				/* the row is to be written */
} Endpoint;

extern Endpoint *wf_endpoint_create(MemoryContext parent, const char *name);
/* Loads the server anew if catalogs have changed.  In a transaction. */
extern void wf_endpoint_load(Endpoint *endpoint);

/* May a message leave now?  If not, *when is when to ask again; DT_NOEND: when something has
 * ended, or somebody enables it. */
extern bool wf_endpoint_room(Endpoint *endpoint, TimestampTz now, TimestampTz *when);
/* Connections it takes now; one, if it is asked whether it is back. */
extern int	wf_endpoint_connections(const Endpoint *endpoint);
/* Is it left alone now?  Until when (DT_NOEND: until somebody enables it). */
extern bool wf_endpoint_rests(const Endpoint *endpoint, TimestampTz now, TimestampTz *until);
/* Finds how many may be marked ahead: as many as it answers in a short while. */
extern void wf_endpoint_measure(Endpoint *endpoint);
/* One leaves. */
extern void wf_endpoint_begin(Endpoint *endpoint);
/* One that left is no longer on its way. */
extern void wf_endpoint_end(Endpoint *endpoint);

/* What an attempt says about the endpoint. */
extern void wf_endpoint_answered(Endpoint *endpoint);
extern void wf_endpoint_failed(Endpoint *endpoint, TimestampTz now);
extern void wf_endpoint_slow_down(Endpoint *endpoint, TimestampTz now, int64 pause);
extern void wf_endpoint_disable(Endpoint *endpoint, TimestampTz now, const char *reason);

/* Reads automation.endpoint; find gives the endpoint of a name, NULL: nobody knows it yet. */
extern void wf_endpoints_read(List *endpoints);
/* Writes what has changed.  In a transaction. */
extern void wf_endpoint_write(Endpoint *endpoint);

/* --- retry.c --- */

/* When to try again after so many attempts; false: the schedule is used up.  retry_after:
 * microseconds the receiver asked for, -1 = did not. */
extern bool wf_delivery_retry_at(const Server *server, bool mail, int attempts, int64 retry_after, TimestampTz now, TimestampTz *at);
/* What was asked for, as far as it is heeded. */
extern int64 wf_retry_after(int64 retry_after);

#endif
