/*
 * transport.c -- libcurl behind a small door: pools, descriptor, timers.
 */
#include "postgres.h"

#include "compat.h"
#include "transport_internal.h"

void
wf_transport_init(void)
{
}

int
wf_transport_descriptor(void)
{
	return -1;
}

long
wf_transport_timeout(void)
{
	return -1;
}

bool
wf_transport_begin(const Outgoing *o, int attempt, const Server *server,
				   const Credentials *credentials, TimestampTz now, TransferResult *result)
{
	memset(result, 0, sizeof(*result));
	result->id = o->id;
	result->attempt = attempt;
	result->end = TRANSFER_NOT_SENT;
	result->code = "no_transport";
	result->retry_after = -1;
	return false;
}

List *
wf_transport_work(void)
{
	return NIL;
}

int
wf_transport_active(Oid server)
{
	return 0;
}

void
wf_transport_forget(Oid server)
{
}

void
wf_transport_shutdown(void)
{
}
