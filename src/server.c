/*
 * server.c -- foreign servers of the wrapper "automation": loads them, says who may
 * use which and where a message goes.
 */
#include "postgres.h"

#include "compat.h"
#include "server.h"

Server *
wf_server_load(const char *name)
{
	return NULL;
}

bool
wf_server_usable(const Server *server, Oid role)
{
	return false;
}

char *
wf_server_for(Oid role, const char *url)
{
	return NULL;
}

char *
wf_server_url(const Server *server, const char *target, const char **problem)
{
	*problem = "no server";
	return NULL;
}

char *
wf_server_default_mail(void)
{
	return NULL;
}
