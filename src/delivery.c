/*
 * delivery.c -- the delivery worker: one process per database that sends what the
 * outbox holds.
 */
#include "postgres.h"

#include "access/xact.h"
#include "storage/ipc.h"

#include "board.h"
#include "compat.h"
#include "delivery.h"

static bool wake_at_commit = false;

static void
transaction_ended(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT && wake_at_commit)
		wf_board_wake_delivery();
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		wake_at_commit = false;
}

void
wf_delivery_wake_at_commit(void)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(transaction_ended, NULL);
	registered = true;
	wake_at_commit = true;
}

/* Entry point of the background worker. */
void
wf_delivery_main(Datum database)
{
	proc_exit(0);
}
