/*
 * claim.c -- taking a message out of the queue, and whether it may leave.
 *
 * Called by the delivery worker.  Two transactions: the first deletes the licence
 * and marks the message as on its way, which is flushed before anything else is
 * done; the second looks, under a snapshot taken after that, for whatever forbids to
 * send.  So what was committed before the mark is always heeded, and what the mark
 * says is true whenever the process dies.
 *
 * Nothing here waits for a row.  An ERROR of the second part is the message's: the
 * caller runs it in a subtransaction.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "delivery_internal.h"
#include "event_internal.h"
#include "mail.h"
#include "message.h"
#include "opening.h"
#include "owner.h"
#include "stat.h"
#include "store.h"
#include "suppression.h"

#define INFLIGHT_COLUMNS 3
#define UID_MAX 64						/* characters */

/* --- the licence --- */

/* The row is looked at once more: the snapshot then keeps its place from being
 * cleared, which the deletion would not survive. */
static ClaimResult
take_licence(const DueMessage *message)
{
	Relation	rel = wf_store_open("outgoing_due", RowExclusiveLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	ItemPointerData tid = message->tid;
	TM_FailureData failure;
	TM_Result	result = TM_Deleted;
	bool		isnull;

	if (wf_fetch_row(rel, tid, SnapshotSelf, slot) && DatumGetInt64(slot_getattr(slot, 1, &isnull)) == message->id)
		result = table_tuple_delete(rel, &tid, GetCurrentCommandId(true), InvalidSnapshot, InvalidSnapshot,
									false, &failure, false);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	if (result == TM_Ok)
		return CLAIM_OK;
	return result == TM_BeingModified || result == TM_WouldBlock ? CLAIM_BUSY : CLAIM_GONE;
}

static void
mark(Flight *flight, TimestampTz now)
{
	Relation	rel = wf_store_open("inflight", RowExclusiveLock);
	Datum		values[INFLIGHT_COLUMNS] = {Int64GetDatum(flight->id), Int32GetDatum(flight->attempt), TimestampTzGetDatum(now)};
	bool		nulls[INFLIGHT_COLUMNS] = {0};

	wf_store_insert(rel, values, nulls, &flight->tid);
	table_close(rel, NoLock);
}

ClaimResult
wf_claim(const DueMessage *message, MemoryContext parent, TimestampTz now, Flight **flight)
{
	ClaimResult result = take_licence(message);
	MemoryContext context;

	if (result != CLAIM_OK)
		return result;
	context = AllocSetContextCreate(parent, "automation flight", ALLOCSET_START_SMALL_SIZES);
	*flight = MemoryContextAllocZero(context, sizeof(Flight));
	(*flight)->context = context;
	(*flight)->id = message->id;
	(*flight)->attempt = message->attempt + 1;
	(*flight)->endpoint = message->lane->endpoint;
	(*flight)->chain = message->chain;
	(*flight)->claimed_at = GetCurrentTimestamp();
	mark(*flight, now);
	return CLAIM_OK;
}

/* --- may it leave? --- */

static void
end_as(Verdict *verdict, const char *state, const char *reason, const char *error)
{
	verdict->kind = VERDICT_END;
	verdict->state = state;
	verdict->reason = reason;
	verdict->error = error;
}

static void
put_back(Verdict *verdict, TimestampTz due)
{
	verdict->kind = VERDICT_BACK;
	verdict->due = due;
}

/* A copy that is kept until the end: what is sent is not in it. */
static Outgoing *
keep(const Flight *flight, const Outgoing *o)
{
	MemoryContext old = MemoryContextSwitchTo(flight->context);
	Outgoing   *kept = palloc(sizeof(Outgoing));

	*kept = *o;
	kept->target = kept->subject = kept->body = kept->send_window = kept->zone = NULL;
	kept->headers = kept->options = kept->answer_headers = NULL;
	kept->uid = kept->family = kept->variant = kept->list = kept->reason = NULL;
	kept->answer = kept->error = kept->provider_id = NULL;
	kept->key = o->key ? pstrdup(o->key) : NULL;
	kept->kind = pstrdup(o->kind);
	kept->server = pstrdup(o->server);
	kept->channel = pstrdup(o->channel);
	kept->address = o->address ? pstrdup(o->address) : NULL;
	kept->class = pstrdup(o->class);
	kept->ordering_key = o->ordering_key ? pstrdup(o->ordering_key) : NULL;
	kept->state = pstrdup(o->state);
	MemoryContextSwitchTo(old);
	return kept;
}

static bool
allows_class(const Server *server, const char *class)
{
	ListCell   *lc;

	foreach(lc, server->classes)
		if (strcmp(lfirst(lc), class) == 0)
			return true;
	return server->classes == NIL;
}

/* Is the server still the one it was made for, and may the owner still use it? */
static bool
judge_server(const Server *server, const Outgoing *o, Oid role, Verdict *verdict)
{
	bool		mail = strcmp(o->kind, "mail") == 0;
	const char *problem = NULL;

	if (server == NULL)
		end_as(verdict, OUTGOING_DEAD, "no_server", "the server is not there");
	else if (!OidIsValid(role) || !wf_server_usable(server, role))
		end_as(verdict, OUTGOING_DEAD, "not_permitted", "the owner of the workflow may not use the server");
	else if (!allows_class(server, o->class))
		end_as(verdict, OUTGOING_DEAD, "not_permitted", "the server does not take messages of this class");
	else if (mail != (server->type == SERVER_SMTP))
		end_as(verdict, OUTGOING_DEAD, "server_changed", "the server is of another type now");
	else if (!mail && wf_server_url(server, o->target, &problem) == NULL)
		end_as(verdict, OUTGOING_DEAD, "server_changed", "the server does not cover the address any more");
	return verdict->kind == VERDICT_SEND;
}

/* As drawn: it is signed, and part of headers and boundaries.  A dump may say otherwise. */
static bool
is_uid(const char *uid)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
	size_t		length = strlen(uid);

	return length > 0 && length <= UID_MAX && strspn(uid, allowed) == length;
}

static bool
judge_message(const Outgoing *o, Verdict *verdict)
{
	Message		message = {
		.kind = strcmp(o->kind, "mail") == 0 ? MESSAGE_MAIL : MESSAGE_HTTP,.server = o->server,.target = o->target,
		.subject = o->subject,.body = o->body,.headers = o->headers,.options = o->options
	};

	if (strcmp(o->kind, "mail") != 0 && strcmp(o->kind, "http") != 0)
		end_as(verdict, OUTGOING_DEAD, "invalid_message", "the kind of the message is not known");
	else if (!is_uid(o->uid) || wf_message_problem(&message) != NULL)
		end_as(verdict, OUTGOING_DEAD, "invalid_message", "the message is not such as may leave");
	return verdict->kind == VERDICT_SEND;
}

/* In its window now?  Otherwise when the next one opens. */
static void
judge_window(const Outgoing *o, TimestampTz now, Verdict *verdict)
{
	Opening		opening;

	if (o->send_window == NULL)
		return;
	if (!wf_opening_from(wf_calendar_of_window(o->send_window, NULL, o->zone), now, &opening))
		end_as(verdict, OUTGOING_DEAD, "expired", "its window does not open any more");
	else if (opening.from > now)
		put_back(verdict, opening.from);
}

static bool
is_suppressed(const Outgoing *o, Oid role)
{
	return o->address && wf_suppressed(role, o->channel, o->address, o->class, o->list) != NULL;
}

static void
judge(Flight *flight, const Outgoing *o, Oid role, TimestampTz now, Verdict *verdict)
{
	const char *stopped = wf_outgoing_stopped(o->id);
	TimestampTz until;

	if (stopped)
		end_as(verdict, OUTGOING_CANCELLED, stopped, NULL);
	else if (is_suppressed(o, role))
		end_as(verdict, OUTGOING_CANCELLED, "suppressed", NULL);
	else if (o->expires_at != 0 && o->expires_at <= now)
		end_as(verdict, OUTGOING_DEAD, "expired", NULL);
	else if (judge_server(flight->endpoint->server, o, role, verdict) && judge_message(o, verdict))
		judge_window(o, now, verdict);
	if (verdict->kind == VERDICT_SEND && wf_endpoint_rests(flight->endpoint, now, &until))
		put_back(verdict, TIMESTAMP_IS_NOEND(until) ? now : until);
}

static Size
size_of(const Outgoing *o)
{
	return (o->body ? strlen(o->body) : 0) + (o->options ? VARSIZE(o->options) : 0);
}

void
wf_claim_judge(Flight *flight, TimestampTz now, bool send, int *owner, Oid *role, Verdict *verdict)
{
	Outgoing   *o = wf_outgoing_load(flight->id);

	*verdict = (Verdict) {.kind = VERDICT_SEND,.o = o};
	if (o == NULL || strcmp(o->state, OUTGOING_QUEUED) != 0)
	{
		verdict->kind = VERDICT_FORGET;
		return;
	}
	if (flight->o == NULL)
		flight->o = keep(flight, o);
	flight->o->tid = o->tid;
	flight->bytes = size_of(o);
	if (!OidIsValid(*role) || *owner != o->owner)
	{
		*role = wf_owner_role(o->owner);
		*owner = o->owner;
	}
	if (!send)
		put_back(verdict, now);
	else
		judge(flight, o, *role, now, verdict);
	if (verdict->kind == VERDICT_SEND)
		wf_mail_drop_copies(o, *role);
}

void
wf_claim_drop(Flight *flight, const Verdict *verdict, TimestampTz now)
{
	Outgoing   *o = flight->o;

	wf_inflight_delete(&flight->tid);
	if (verdict->kind == VERDICT_BACK)
		wf_outgoing_license(o, verdict->due, flight->attempt - 1);
	if (verdict->kind != VERDICT_END)
		return;
	o->state = unconstify(char *, verdict->state);
	o->reason = unconstify(char *, verdict->reason);
	o->error = unconstify(char *, verdict->error);
	o->attempts = flight->attempt - 1;
	wf_outgoing_finish(o, now);
	wf_outgoing_journal(o, now, verdict->reason);
	if (strcmp(o->state, OUTGOING_DEAD) == 0)
	{
		wf_dead_letter(o->id, now);
		wf_stat_count(STAT_DEAD);
	}
}
