/*
 * delivery.h -- the delivery worker: one process per database that sends what the
 * outbox holds.
 */
#ifndef WF_DELIVERY_H
#define WF_DELIVERY_H

#include "postgres.h"

/* Entry point of the background worker, started by the coordinator while there is something
 * to send. */
extern PGDLLEXPORT void wf_delivery_main(Datum database);

/* Something to send, or a change of what may be sent, is in this transaction: who
 * delivers is woken at its commit.  Raises nothing after the first call. */
extern void wf_delivery_wake_at_commit(void);

/* --- outcome.c --- */

/* A row of automation.dead_letter for a message that has ended as dead or unknown. */
extern void wf_dead_letter(int64 message, TimestampTz now);

/* --- delivery_command.c --- */

/* A small step of housekeeping; true: there may be more to do. */
extern bool wf_delivery_remove_old(void);

/* --- egress.c --- */

/* Reason why nothing may leave this node now (egress_off, egress_unarmed, disarmed); NULL = it
 * may.  In a transaction. */
extern const char *wf_egress_obstacle(void);
/* A restore has begun: no node may send until a superuser says so. */
extern void wf_egress_disarm(void);

#endif
