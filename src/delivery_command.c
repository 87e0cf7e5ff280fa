/*
 * delivery_command.c -- what operators do with messages: replay, discard,
 * release_deliveries, enable_server, disable_server; and the removal of old ones.
 *
 * Called in the session of a user, who has to be a member of the role the messages
 * belong to; messages of others are as if they were not there.  The rows are found and
 * locked by SQL in engine scope and written as by anybody else (outbox.c), in the
 * caller's transaction.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "commands.h"
#include "compat.h"
#include "delivery.h"
#include "enginesql.h"
#include "inbound.h"
#include "outbox.h"
#include "server.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(wf_replay);
PG_FUNCTION_INFO_V1(wf_discard);
PG_FUNCTION_INFO_V1(wf_release_deliveries);
PG_FUNCTION_INFO_V1(wf_enable_server);
PG_FUNCTION_INFO_V1(wf_disable_server);
extern PGDLLEXPORT Datum wf_replay(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum wf_discard(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum wf_release_deliveries(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum wf_enable_server(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum wf_disable_server(PG_FUNCTION_ARGS);

/* By one step of the removal. */
#define LOOKED_AT_TOGETHER 2000

/* The arguments all three have in common, in this order. */
enum
{
	ARG_MESSAGE, ARG_WORKFLOW, ARG_SERVER, ARG_REASON, ARG_SINCE, ARG_RATE, ARG_NEW_ID
};

static char *
text_argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

static void
require_filter(FunctionCallInfo fcinfo, const char *command)
{
	for (int i = ARG_MESSAGE; i <= ARG_SINCE; i++)
		if (!PG_ARGISNULL(i))
			return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("automation.%s() needs to know which messages", command),
			 errhint("Name a message, a workflow, a server, a reason or a time since when: automation.%s(server => 'crm').", command)));
}

/*
 * Ids of the messages in one of the states ("|dead|unknown|") that the filters ask
 * for and the caller may decide about; their rows are locked.
 */
static List *
choose(FunctionCallInfo fcinfo, const char *states)
{
	char	   *workflow = text_argument(fcinfo, ARG_WORKFLOW);
	char	   *message = PG_ARGISNULL(ARG_MESSAGE) ? NULL : psprintf(INT64_FORMAT, PG_GETARG_INT64(ARG_MESSAGE));
	List	   *ids;

	ids = wf_engine_ids("SELECT m.id FROM automation.outgoing m JOIN automation.owner o ON o.id = m.owner"
						" WHERE $1 LIKE '%|' || m.state || '|%'"
						" AND EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = o.role"
						" AND pg_catalog.pg_has_role($2, r.oid, 'USAGE'))"
						" AND ($3 IS NULL OR m.id = $3::bigint) AND ($4 = 0 OR m.workflow = $4)"
						" AND ($5 IS NULL OR m.server = $5) AND ($6 IS NULL OR m.reason = $6)"
						" AND coalesce(m.finished_at, m.created_at) >= $7"
						" ORDER BY m.id FOR UPDATE OF m", "totittz", states, GetUserId(), message,
						workflow ? wf_workflow_named(workflow)->id : 0, text_argument(fcinfo, ARG_SERVER),
						text_argument(fcinfo, ARG_REASON), PG_ARGISNULL(ARG_SINCE) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(ARG_SINCE));
	if (ids == NIL && message)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("message %s is not one this can be done with", message),
				 errdetail("There is none, it is in another state, or it belongs to a role you are no member of."),
				 errhint("See automation.deliveries.")));
	return ids;
}

/* Microseconds from one message to the next, of so many a minute; NULL: none. */
static int64
pause_between(FunctionCallInfo fcinfo, int argument)
{
	int			rate = PG_ARGISNULL(argument) ? 0 : PG_GETARG_INT32(argument);

	if (!PG_ARGISNULL(argument) && rate <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the rate must be greater than zero"),
				 errhint("It is in messages a minute.")));
	return rate == 0 ? 0 : USECS_PER_MINUTE / rate;
}

/* They may leave again, one after the other; what they ended with is forgotten, and a limit
 * that is over does not count. */
static int64
queue_again(List *ids, int64 pause, bool new_id)
{
	TimestampTz now = wf_clock_now();
	int64		n = 0;
	ListCell   *lc;

	foreach(lc, ids)
	{
		int64		id = *(int64 *) lfirst(lc);
		int			attempts;

		CHECK_FOR_INTERRUPTS();
		(void) wf_outgoing_take(id, &attempts);	/* one that is held has a licence for the end of time */
		wf_engine_sql("UPDATE automation.outgoing SET state = 'queued', reason = NULL, attempts = 0, finished_at = NULL,"
					  " status = NULL, answer_headers = NULL, answer = NULL, error = NULL, provider_id = NULL,"
					  " expires_at = CASE WHEN expires_at > $2 THEN expires_at END, uid = coalesce($3, uid) WHERE id = $1",
					  "lzt", id, now, new_id ? wf_outgoing_new_uid() : NULL);
		wf_engine_sql("DELETE FROM automation.outgoing_stop WHERE message = $1", "l", id);
		wf_outgoing_license(wf_outgoing_load(id), now + n * pause, 0);
		n++;
	}
	return n;
}

/* automation.replay(message, workflow, server, reason, since, rate, new_id) */
Datum
wf_replay(PG_FUNCTION_ARGS)
{
	int64		pause = pause_between(fcinfo, ARG_RATE);
	bool		new_id = !PG_ARGISNULL(ARG_NEW_ID) && PG_GETARG_BOOL(ARG_NEW_ID);

	require_filter(fcinfo, "replay");
	PG_RETURN_INT64(queue_again(choose(fcinfo, "|dead|unknown|"), pause, new_id));
}

/* automation.release_deliveries(message, workflow, server, reason, since, rate) */
Datum
wf_release_deliveries(PG_FUNCTION_ARGS)
{
	int64		pause = pause_between(fcinfo, ARG_RATE);

	PG_RETURN_INT64(queue_again(choose(fcinfo, "|held|"), pause, false));
}

/* automation.discard(message, workflow, server, reason, since) */
Datum
wf_discard(PG_FUNCTION_ARGS)
{
	TimestampTz now = wf_clock_now();
	List	   *ids;
	ListCell   *lc;

	require_filter(fcinfo, "discard");
	ids = choose(fcinfo, "|held|dead|unknown|");
	foreach(lc, ids)
	{
		Outgoing   *o = wf_outgoing_load(*(int64 *) lfirst(lc));
		int			attempts;

		CHECK_FOR_INTERRUPTS();
		(void) wf_outgoing_take(o->id, &attempts);
		/* who waited for one that was over has been told */
		o->awaited = o->awaited && !wf_outgoing_is_over(o);
		o->state = OUTGOING_CANCELLED;
		o->reason = "by_hand";
		wf_outgoing_finish(o, now);
		wf_outgoing_journal(o, now, "by_hand");
	}
	PG_RETURN_INT64(list_length(ids));
}

/* --- servers --- */

/* Of a server one owns. */
static char *
server_argument(FunctionCallInfo fcinfo)
{
	char	   *name = text_argument(fcinfo, 0);
	Server	   *server = name ? wf_server_load(name) : NULL;

	if (server == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no server \"%s\" of the wrapper automation", name ? name : "")));
	if (!has_privs_of_role(GetUserId(), server->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of foreign server %s", server->name)));
	return server->name;
}

/* automation.enable_server(name): whatever was the matter is forgotten. */
Datum
wf_enable_server(PG_FUNCTION_ARGS)
{
	wf_engine_sql("DELETE FROM automation.endpoint WHERE server = $1", "t", server_argument(fcinfo));
	wf_delivery_wake_at_commit();
	PG_RETURN_VOID();
}

/* automation.disable_server(name) */
Datum
wf_disable_server(PG_FUNCTION_ARGS)
{
	wf_engine_sql("INSERT INTO automation.endpoint (server, failures, disabled_at, reason) VALUES ($1, 0, $2, 'by_hand')"
				  " ON CONFLICT (server) DO UPDATE SET disabled_at = excluded.disabled_at, reason = excluded.reason",
				  "tz", server_argument(fcinfo), wf_clock_now());
	wf_delivery_wake_at_commit();
	PG_RETURN_VOID();
}

/* --- keeping --- */

/*
 * Removes messages that are over for longer than automation.keep_messages; those
 * that somebody has to decide about stay.  Looks at some, in order of their ids, and
 * goes on there the next time, until those come that are younger.  True: there are more.
 */
bool
wf_delivery_remove_old(void)
{
	static int64 position = 0;
	TimestampTz until = wf_clock_now() - wf_keep_messages * USECS_PER_DAY;
	List	   *gone;
	List	   *ids;

	if (wf_keep_messages == 0)
		return false;
	if (position == 0)
	{
		wf_sent_link_remove_old(wf_clock_now());
		wf_engine_sql("DELETE FROM automation.outgoing_stop s WHERE NOT EXISTS (SELECT FROM automation.outgoing m"
					  " WHERE m.id = s.message AND m.state IN ('queued', 'held'))", "");
		wf_engine_sql("DELETE FROM automation.dead_letter d WHERE d.at < $1 AND NOT EXISTS (SELECT FROM automation.outgoing m"
					  " WHERE m.id = d.message AND m.state IN ('dead', 'unknown'))", "z", until);
	}
	gone = wf_engine_texts("SELECT pg_catalog.array_agg(m.id)::text FROM (SELECT * FROM automation.outgoing m WHERE m.id > $2 ORDER BY m.id LIMIT $3) m"
						   " WHERE m.finished_at < $1 AND m.state IN ('sent', 'cancelled', 'skipped')"
	/* of a family that is sent once: who did not get it may get it still */
						   " AND NOT (m.attempts = 0 AND m.family IS NOT NULL AND m.state <> 'sent' AND m.options @> '{\"once\": true}')",
						   "zli", until, position, LOOKED_AT_TOGETHER);
	ids = wf_engine_ids("SELECT max(id) FROM (SELECT m.id, m.created_at FROM automation.outgoing m WHERE m.id > $2 ORDER BY m.id LIMIT $3) m"
						" WHERE m.created_at < $1", "zli", until, position, LOOKED_AT_TOGETHER);
	if (gone != NIL && linitial(gone) != NULL)
	{
		wf_sent_link_keep(linitial(gone));
		wf_engine_sql("DELETE FROM automation.outgoing WHERE id = ANY ($1::bigint[])", "t", (char *) linitial(gone));
	}
	position = *(int64 *) linitial(ids);
	return position != 0;
}
