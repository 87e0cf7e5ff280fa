/*
 * secret.c -- credentials of a server, for the delivery worker.
 */
#include "postgres.h"

#include "compat.h"
#include "server.h"

Credentials *
wf_server_credentials(const Server *server, Oid owner, const char **problem)
{
	return palloc0(sizeof(Credentials));
}

void
wf_credentials_forget(Credentials *credentials)
{
}
