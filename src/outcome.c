/*
 * outcome.c -- what became of an attempt: done, to be tried again, or over.
 *
 * Called by the delivery worker in the transaction that takes the mark of
 * automation.inflight away, so that a message is either on its way, or may leave
 * again, or is over.  Decides by what the transport says and writes: the message or
 * its new licence, a line of the history, what the attempt says about the endpoint,
 * and for dead messages and those of unknown outcome a row of automation.dead_letter.
 *
 * An ERROR is undone with the transaction; everything is in the current context.
 */
#include "postgres.h"

#include "access/table.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "delivery_internal.h"
#include "enginesql.h"
#include "event.h"
#include "inbound.h"
#include "owner.h"
#include "stat.h"
#include "store.h"
#include "suppression.h"

#define ORPHAN_AT_ONCE 3				/* attempts */
#define ORPHAN_LONGEST (15 * USECS_PER_MINUTE)

/* What is to be done. */
typedef struct Decision
{
	const char *state;					/* NULL: another attempt */
	const char *reason;					/* of the end, or of the failure of this attempt */
	int64		retry_after;
} Decision;

void
wf_inflight_delete(ItemPointer tid)
{
	Relation	rel = wf_store_open("inflight", RowExclusiveLock);

	wf_store_delete(rel, tid);
	table_close(rel, NoLock);
}

static bool
is_mail(const Outgoing *o)
{
	return strcmp(o->kind, "mail") == 0;
}

static bool
is_marketing_mail(const Outgoing *o)
{
	return is_mail(o) && strcmp(o->class, CLASS_MARKETING) == 0;
}

/* --- deciding --- */

static Decision
ends(const char *state, const char *reason)
{
	return (Decision) {.state = state,.reason = reason,.retry_after = -1};
}

static Decision
again(const char *reason, int64 retry_after)
{
	return (Decision) {.reason = reason,.retry_after = retry_after};
}

/* Statuses that say "later", beside all from 500 on. */
static bool
is_passing(int status)
{
	static const int passing[] = {408, 409, 423, 425, 429};

	for (int i = 0; i < lengthof(passing); i++)
		if (passing[i] == status)
			return true;
	return status >= 500 || status < 200;
}

static Decision
judge_http(const Server *server, const TransferResult *result)
{
	int			status = result->status;

	if (status >= 200 && status < 300)
		return ends(OUTGOING_SENT, NULL);
	if (status == 410)
		return ends(OUTGOING_DEAD, "gone");
	if (is_passing(status) || (status >= 300 && status < 400) || (server && server->retry_4xx))
		return again("status", result->retry_after);
	return ends(OUTGOING_DEAD, "status");
}

static Decision
judge_mail(const TransferResult *result)
{
	if (result->status >= 200 && result->status < 300)
		return ends(OUTGOING_SENT, NULL);
	if (result->bad_recipient)
		return ends(OUTGOING_DEAD, "bad_recipient");
	if (result->status >= 500)
		return ends(OUTGOING_DEAD, "rejected");
	return again("status", -1);
}

static Decision
judge(const Outgoing *o, const Server *server, const TransferResult *result)
{
	const char *code = result->code ? result->code : "failed";

	switch (result->end)
	{
		case TRANSFER_ANSWERED:
			return is_mail(o) ? judge_mail(result) : judge_http(server, result);
		case TRANSFER_REFUSED:
			return ends(OUTGOING_DEAD, code);
		case TRANSFER_BROKEN:
			/* it may have been received, and nobody wants the same advertisement twice */
			if (is_marketing_mail(o))
				return ends(OUTGOING_UNKNOWN, "connection_lost");
			break;
		case TRANSFER_NOT_SENT:
			break;
	}
	return again(code, result->retry_after);
}

/* What the attempt says about the endpoint, whatever it says about the message. */
static void
note_endpoint(Endpoint *endpoint, const Outgoing *o, const TransferResult *result, TimestampTz now)
{
	int			status = result->status;
	bool		mail = is_mail(o);

	if (result->end == TRANSFER_REFUSED)
		return;
	if (!mail && (status == 429 || status == 502 || status == 504))
		wf_endpoint_slow_down(endpoint, now, wf_retry_after(result->retry_after));
	else if (!mail && status == 503 && result->retry_after > 0)
		wf_endpoint_slow_down(endpoint, now, wf_retry_after(result->retry_after));
	if (!mail && status == 410)
		wf_endpoint_disable(endpoint, now, "gone");
	else if (result->end != TRANSFER_ANSWERED || (mail ? status == 421 : status >= 500 || status == 408))
		wf_endpoint_failed(endpoint, now);
	else if (status != 429)
		wf_endpoint_answered(endpoint);
}

/* --- writing --- */

static void
write_dead_letter(int64 message, bool readable, TimestampTz now)
{
	static SPIPlanPtr plan = NULL;

	wf_engine_sql_kept(&plan, "INSERT INTO automation.dead_letter (message, uid, workflow, enrollment, subject, subject_table,"
					   " kind, server, channel, class, state, reason, status, error, attempts, owner, at)"
					   " SELECT m.id, m.uid, w.signature, nullif(m.enrollment, 0),"
					   " (SELECT pg_catalog.string_agg(coalesce(k.text, 'null'), ', ' ORDER BY k.n)"
					   " FROM pg_catalog.jsonb_array_elements_text(CASE WHEN m.key LIKE '[%' AND $3 THEN automation.json_or_null(m.key) END)"
					   " WITH ORDINALITY k (text, n)),"
					   " s.relation, m.kind, m.server, m.channel, m.class, m.state, m.reason, m.status, m.error, m.attempts, o.role, $2"
					   " FROM automation.outgoing m JOIN automation.owner o ON o.id = m.owner"
					   " LEFT JOIN automation.workflow w ON w.id = m.workflow"
					   " LEFT JOIN automation.source s ON s.id = m.source WHERE m.id = $1", "lzb", message, now, readable);
}

void
wf_dead_letter(int64 message, TimestampTz now)
{
	write_dead_letter(message, true, now);
}

static void
count_end(const char *state)
{
	if (strcmp(state, OUTGOING_SENT) == 0)
		wf_stat_count(STAT_SENT);
	else if (strcmp(state, OUTGOING_DEAD) == 0)
		wf_stat_count(STAT_DEAD);
	else if (strcmp(state, OUTGOING_UNKNOWN) == 0)
		wf_stat_count(STAT_UNKNOWN);
}

static void
write_end(Outgoing *o, const char *state, const char *reason, TimestampTz now)
{
	o->state = unconstify(char *, state);
	o->reason = unconstify(char *, reason);
	wf_outgoing_finish(o, now);
	wf_outgoing_journal(o, now, reason);
	count_end(state);
	if (strcmp(state, OUTGOING_DEAD) == 0 || strcmp(state, OUTGOING_UNKNOWN) == 0)
		wf_dead_letter(o->id, now);
}

/* Another attempt, if the schedule has one and it comes in time. */
static void
write_retry(Outgoing *o, const Endpoint *endpoint, const Decision *decision, TimestampTz now)
{
	const char *stopped = wf_outgoing_stopped(o->id);
	TimestampTz due;

	if (stopped)
	{
		write_end(o, OUTGOING_CANCELLED, stopped, now);
		return;
	}
	if (endpoint->server == NULL)
	{
		write_end(o, OUTGOING_DEAD, "no_server", now);
		return;
	}
	if (!wf_delivery_retry_at(endpoint->server, is_mail(o), o->attempts, decision->retry_after, now, &due))
	{
		write_end(o, OUTGOING_DEAD, "attempts", now);
		return;
	}
	if (o->expires_at != 0 && due >= o->expires_at)
	{
		write_end(o, OUTGOING_DEAD, "expired", now);
		return;
	}
	wf_outgoing_license(o, due, o->attempts);
	o->state = STATE_RETRY;
	wf_outgoing_journal(o, now, decision->reason);
	wf_stat_count(STAT_REPEATED);
}

void
wf_outcome(Flight *flight, const TransferResult *result, TimestampTz now)
{
	Outgoing	o = *flight->o;			/* if this is rolled back it is done again */
	Decision	decision = judge(&o, flight->endpoint->server, result);

	wf_inflight_delete(&flight->tid);
	note_endpoint(flight->endpoint, &o, result, now);
	o.attempts = flight->attempt;
	o.status = result->status;
	o.answer_headers = result->headers;
	o.answer = result->answer;
	o.error = result->error;
	o.provider_id = result->provider_id;
	wf_stat_count(STAT_ATTEMPTS);
	if (decision.state)
		write_end(&o, decision.state, decision.reason, now);
	else
		write_retry(&o, flight->endpoint, &decision, now);
	if (result->bad_recipient && is_mail(&o))
		wf_inbound_bounce(&o, true, now);	/* who does not exist is not written to again */
}

/* By SQL, which leaves the columns that can't be read as they are. */
void
wf_outcome_unreadable(Flight *flight, TimestampTz now)
{
	List	   *ids;

	wf_inflight_delete(&flight->tid);
	wf_engine_sql("UPDATE automation.outgoing SET state = 'dead', reason = 'invalid_message', attempts = $2, finished_at = $3,"
				  " error = 'the message can''t be read' WHERE id = $1 AND state = 'queued'",
				  "liz", flight->id, flight->attempt - 1, now);
	ids = wf_engine_ids("SELECT enrollment FROM automation.outgoing WHERE id = $1 AND awaited AND enrollment <> 0"
						" UNION ALL SELECT owner FROM automation.outgoing WHERE id = $1 AND awaited AND enrollment <> 0", "l", flight->id);
	if (list_length(ids) == 2)
	{
		Event		event = {.kind = EVENT_WAKE,.owner = (int) *(int64 *) lsecond(ids),.target = *(int64 *) linitial(ids)};

		wf_event_append(&event);
	}
	write_dead_letter(flight->id, false, now);
	wf_stat_count(STAT_DEAD);
}

/* What ends the process again and again waits longer each time; who happened to be on its way
 * beside it once or twice does not. */
static TimestampTz
orphan_due(int attempt, TimestampTz now)
{
	if (attempt <= ORPHAN_AT_ONCE)
		return now;
	return now + Min(USECS_PER_SEC << Min(attempt - ORPHAN_AT_ONCE, 10), ORPHAN_LONGEST);
}

/*
 * A process died while the message was on its way: nobody can tell whether it was
 * received.  A receiver of requests knows a repetition by its id; a mail would be
 * there twice, which is worse for an advertisement than that it is missing.
 */
void
wf_outcome_orphan(int64 id, int attempt, ItemPointer tid, TimestampTz now)
{
	Outgoing   *o = wf_outgoing_load(id);

	wf_inflight_delete(tid);
	if (o == NULL || strcmp(o->state, OUTGOING_QUEUED) != 0)
		return;
	o->attempts = attempt;
	if (is_marketing_mail(o))
	{
		write_end(o, OUTGOING_UNKNOWN, "connection_lost", now);
		return;
	}
	wf_outgoing_license(o, orphan_due(attempt, now), attempt);
	o->state = OUTGOING_UNKNOWN;		/* of this attempt */
	wf_outgoing_journal(o, now, "connection_lost");
	wf_stat_count(STAT_REPEATED);
}
