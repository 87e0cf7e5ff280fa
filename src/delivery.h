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

/* Reason why nothing may leave this node now; NULL = it may. */
extern const char *wf_egress_obstacle(void);

#endif
