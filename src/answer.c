/*
 * answer.c -- automation.last_answer(): what a server said last to a GET.
 *
 * Called by user SQL in any session, and by automation.feed_items(server, path).
 * Reads automation.outgoing under the statement's snapshot and takes AccessShareLock;
 * the result is in the current context.  A message counts for the members of the role
 * it belongs to alone.  Errors: no such server, a path that it does not cover.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "compat.h"
#include "outbox.h"
#include "owner.h"
#include "server.h"

PG_FUNCTION_INFO_V1(wf_last_answer);

/* May the caller read messages of this owner? */
static bool
is_member(int owner)
{
	Oid			role = wf_owner_role(owner);

	return OidIsValid(role) && has_privs_of_role(GetUserId(), role);
}

/* The address as SEND keeps it. */
static char *
address(const char *name, const char *path)
{
	Server	   *server = wf_server_load(name);
	const char *problem = NULL;
	char	   *url;

	if (server == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no server \"%s\" of the wrapper automation", name),
				 errhint("\\des shows those there are.")));
	url = wf_server_url(server, path, &problem);
	if (url == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("server \"%s\" does not cover this path: %s", name, problem),
				 errhint("Look at the server's option url.")));
	return url;
}

/* last_answer(server, path) */
Datum
wf_last_answer(PG_FUNCTION_ARGS)
{
	char	   *server = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *answer = wf_outgoing_last_answer(server, address(server, text_to_cstring(PG_GETARG_TEXT_PP(1))), is_member);

	if (answer == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(answer));
}
