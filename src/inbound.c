/*
 * inbound.c -- what comes back: unsubscribes, bounces, complaints, replies, opens, clicks.
 *
 * unsubscribe() is called by whatever answers the links in mails, record_inbound() by a
 * bridge that reads a mailbox or a provider's reports.  Both believe nobody: a message
 * is found by something that only who had it, or who carried it, can know -- a token,
 * the provider's id, the uid in its Message-ID -- or nothing is done.  The sender's
 * address alone is a guess, which is recorded as one and never acted upon.
 *
 * Rows of automation.inbound are written by SQL in the engine scope, so that its capture
 * trigger fires and workflows start from them or wait for them.  What the same message
 * can report once only is recorded once, however often it is reported.
 *
 * In the caller's transaction, results in the current context; waits for nothing but
 * somebody who is recording the same event.
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "compat.h"
#include "enginesql.h"
#include "inbound.h"
#include "owner.h"
#include "suppression.h"

PG_FUNCTION_INFO_V1(wf_unsubscribe);
PG_FUNCTION_INFO_V1(wf_record_inbound);
PG_FUNCTION_INFO_V1(wf_forget_address);

#define WEAK_DAYS 30					/* a reply without reference is to a message not older than that */
#define SOFT_BOUNCES "5"				/* so many messages ... */
#define SOFT_PERIOD "14 days"			/* ... within that, and no success since: no more of them */
#define UID_PREFIX "msg_"
#define UID_DIGITS 32
#define MAX_REFERENCES 100
#define MAX_TEXT 2000					/* bytes of an url, event, provider_id */
#define MAX_DETAIL (64 * 1024)

typedef enum
{
	KIND_DELIVERED, KIND_HARD_BOUNCE, KIND_SOFT_BOUNCE, KIND_COMPLAINT, KIND_UNSUBSCRIBE, KIND_REPLY, KIND_AUTO_REPLY,
	KIND_OPEN, KIND_CLICK
} Kind;

static const struct
{
	const char *name;
	bool		once;					/* a message has one such event at most */
	bool		arrived;				/* it means that the message has arrived */
}			kinds[] = {
	[KIND_DELIVERED] = {"delivered", true, true},
	[KIND_HARD_BOUNCE] = {"hard_bounce", true, false},
	[KIND_SOFT_BOUNCE] = {"soft_bounce", true, false},
	[KIND_COMPLAINT] = {"complaint", true, true},
	[KIND_UNSUBSCRIBE] = {"unsubscribe", true, true},
	[KIND_REPLY] = {"reply", false, true},
	[KIND_AUTO_REPLY] = {"auto_reply", false, true},
	[KIND_OPEN] = {"open", false, true},
	[KIND_CLICK] = {"click", false, true},
};

typedef struct Report
{
	Kind		kind;
	const char *matched;				/* how the message was found */
	const char *address;				/* of who replied; NULL: the recipient's */
	const char *url;
	const char *event;
	Jsonb	   *detail;
} Report;

#define MATCHED_TOKEN "token"
#define MATCHED_PROVIDER "provider_id"
#define MATCHED_REFERENCES "references"
#define MATCHED_SENDER "sender"
#define MATCHED_SERVER "server"

/* --- recording --- */

/* The row's id; 0: it was recorded before. */
static int64
record(const Outgoing *o, const Report *report, TimestampTz now)
{
	const char *event = report->event ? report->event : kinds[report->kind].once ? "" : NULL;
	char	   *detail = report->detail ? JsonbToCString(NULL, &report->detail->root, VARSIZE(report->detail)) : NULL;
	List	   *ids;

	ids = wf_engine_ids("INSERT INTO automation.inbound (kind, delivery, enrollment, address, url, matched, event, detail, owner, at)"
						" VALUES ($1, $2, nullif($3, 0), $4, $5, $6, $7, $8::jsonb, $9::regrole, $10)"
						" ON CONFLICT (delivery, kind, event) DO NOTHING RETURNING id", "tlltttttoz",
						kinds[report->kind].name, o->id, o->enrollment, report->address ? report->address : o->address,
						report->url, report->matched, event, detail, wf_owner_role(o->owner), now);
	return ids == NIL ? 0 : *(int64 *) linitial(ids);
}

/* --- acting --- */

/* Notes that the recipient gets no more such messages from the message's owner. */
static bool
suppress_recipient(const Outgoing *o, const char *class, const char *list, const char *reason)
{
	Oid			owner = wf_owner_role(o->owner);

	/* no role would mean everybody */
	if (!OidIsValid(owner) || o->address == NULL)
		return false;
	if (strncmp(o->address, ERASED, strlen(ERASED)) == 0)
		return wf_suppress_hash(owner, o->channel, o->address + strlen(ERASED), class, list, reason);
	return wf_suppress(owner, o->channel, o->address, class, list, reason);
}

static bool
bounced_too_often(const Outgoing *o, TimestampTz now)
{
	return wf_engine_sql("SELECT FROM automation.inbound i WHERE i.address = $1 AND i.owner = $2::regrole AND i.kind = 'soft_bounce'"
						 " AND i.at > greatest($3 - interval '" SOFT_PERIOD "', (SELECT pg_catalog.max(s.at) FROM automation.inbound s"
						 " WHERE s.address = $1 AND s.owner = $2::regrole AND s.kind IN ('delivered', 'open', 'click', 'reply')))"
						 " HAVING pg_catalog.count(DISTINCT i.delivery) >= " SOFT_BOUNCES, "toz",
						 o->address, wf_owner_role(o->owner), now) > 0;
}

/* A mail whose connection was lost has arrived after all, or has not. */
static void
settle(Outgoing *o, Kind kind, TimestampTz now)
{
	if (strcmp(o->state, OUTGOING_UNKNOWN) != 0)
		return;
	if (kinds[kind].arrived)
	{
		o->state = OUTGOING_SENT;
		o->reason = NULL;
	}
	else if (kind == KIND_HARD_BOUNCE)
	{
		o->state = OUTGOING_DEAD;
		o->reason = "bad_recipient";
	}
	else
		return;
	wf_outgoing_finish(o, now);
	wf_outgoing_journal(o, now, "reported");
}

/* What follows from an event whose message is known for certain. */
static void
act(Outgoing *o, Kind kind, TimestampTz now)
{
	switch (kind)
	{
		case KIND_HARD_BOUNCE:
			(void) suppress_recipient(o, NULL, NULL, "hard_bounce");
			break;
		case KIND_SOFT_BOUNCE:
			if (bounced_too_often(o, now))
				(void) suppress_recipient(o, NULL, NULL, "soft_bounces");
			break;
		case KIND_COMPLAINT:
			(void) suppress_recipient(o, CLASS_MARKETING, NULL, "complaint");
			break;
		case KIND_UNSUBSCRIBE:
			(void) suppress_recipient(o, CLASS_MARKETING, o->list, "unsubscribed");
			break;
		default:
			break;
	}
	settle(o, kind, now);
}

void
wf_inbound_bounce(const Outgoing *o, bool hard, TimestampTz now)
{
	Report		report = {.kind = hard ? KIND_HARD_BOUNCE : KIND_SOFT_BOUNCE,.matched = MATCHED_SERVER};

	if (o->address == NULL || !OidIsValid(wf_owner_role(o->owner)) || record(o, &report, now) == 0)
		return;
	if (hard)
		(void) suppress_recipient(o, NULL, NULL, "hard_bounce");
	else if (bounced_too_often(o, now))
		(void) suppress_recipient(o, NULL, NULL, "soft_bounces");
}

/* --- unsubscribe --- */

/* unsubscribe(token) */
Datum
wf_unsubscribe(PG_FUNCTION_ARGS)
{
	Report		report = {.kind = KIND_UNSUBSCRIBE,.matched = MATCHED_TOKEN};
	TimestampTz now = wf_clock_now();
	Outgoing   *o;
	int64		message;

	if (!wf_token_read('u', text_to_cstring(PG_GETARG_TEXT_PP(0)), &message))
		PG_RETURN_TEXT_P(cstring_to_text("invalid_token"));
	o = wf_sent_link_load(message);
	if (o == NULL || o->address == NULL || !OidIsValid(wf_owner_role(o->owner)))
		PG_RETURN_TEXT_P(cstring_to_text("invalid_token"));
	(void) record(o, &report, now);
	settle(o, KIND_UNSUBSCRIBE, now);
	if (!suppress_recipient(o, CLASS_MARKETING, o->list, "unsubscribed"))
		PG_RETURN_TEXT_P(cstring_to_text("already_unsubscribed"));
	PG_RETURN_TEXT_P(cstring_to_text("unsubscribed"));
}

/* --- finding the message --- */

static Outgoing *
load_latest(List *ids)
{
	return ids == NIL ? NULL : wf_outgoing_load(*(int64 *) linitial(ids));
}

static bool
is_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* The next uid in a text; NULL: there is none.  *from moves behind it. */
static char *
next_uid(const char **from)
{
	const char *at;

	while ((at = strstr(*from, UID_PREFIX)) != NULL)
	{
		const char *digits = at + strlen(UID_PREFIX);
		int			n = 0;

		while (n < UID_DIGITS && is_digit(digits[n]))
			n++;
		*from = digits + n;
		if (n == UID_DIGITS)
			return pnstrdup(at, strlen(UID_PREFIX) + UID_DIGITS);
	}
	return NULL;
}

/* The latest message of ours that In-Reply-To, References or Message-ID name. */
static Outgoing *
find_by_references(const char *refs)
{
	Outgoing   *latest = NULL;
	char	   *uid;
	int			n = 0;

	while (n++ < MAX_REFERENCES && (uid = next_uid(&refs)) != NULL)
	{
		Outgoing   *o = load_latest(wf_engine_ids("SELECT id FROM automation.outgoing WHERE uid = $1", "t", uid));

		if (o != NULL && (latest == NULL || o->id > latest->id))
			latest = o;
	}
	return latest;
}

static Outgoing *
find_by_token(const char *token, Kind kind)
{
	int64		message;

	if (wf_token_read('v', token, &message) ||
		(kind == KIND_UNSUBSCRIBE && wf_token_read('u', token, &message)))
		return wf_sent_link_load(message);
	return NULL;
}

/* Some providers call a message by its Message-ID. */
static Outgoing *
find_by_provider(const char *id)
{
	Outgoing   *o = load_latest(wf_engine_ids("SELECT id FROM automation.outgoing WHERE provider_id = $1 ORDER BY id DESC LIMIT 1",
											  "t", id));

	return o ? o : find_by_references(id);
}

/* The latest that went to who replies now. */
static Outgoing *
find_by_sender(const char *address, TimestampTz now)
{
	TimestampTz since = now - WEAK_DAYS * USECS_PER_DAY;

	return load_latest(wf_engine_ids("SELECT id FROM automation.outgoing WHERE address = $1 AND created_at > $2 AND created_at <= $3"
									 " AND channel = 'mail' AND state IN ('sent', 'unknown') ORDER BY created_at DESC, id DESC LIMIT 1",
									 "tzz", wf_address_normalize(CHANNEL_MAIL, address), since, now));
}

/* --- machines that answer --- */

static char *
text_of(const JsonbValue *value)
{
	return value->type == jbvString ? pnstrdup(value->val.string.val, value->val.string.len) : pstrdup("");
}

static bool
begins(const char *text, const char *prefix)
{
	return pg_strncasecmp(text, prefix, strlen(prefix)) == 0;
}

/* Is it a header that only machines write? */
static bool
is_of_machine(const char *name, const char *value)
{
	value += strspn(value, " \t");
	if (pg_strcasecmp(name, "Auto-Submitted") == 0)
		return !begins(value, "no");
	if (pg_strcasecmp(name, "Precedence") == 0)
		return begins(value, "bulk") || begins(value, "auto_reply") || begins(value, "junk");
	if (pg_strcasecmp(name, "Return-Path") == 0)
		return begins(value, "<>");
	if (pg_strcasecmp(name, "Content-Type") == 0)
		return begins(value, "multipart/report");
	return begins(name, "X-Autorepl") || begins(name, "X-Auto-Repl") || begins(name, "X-Autorespond") || begins(name, "X-Vacation");
}

static bool
is_automatic(Jsonb *headers)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *name = NULL;

	if (headers == NULL || !JB_ROOT_IS_OBJECT(headers))
		return false;
	iterator = JsonbIteratorInit(&headers->root);
	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		/* of a header that is there more than once an array may be given */
		if (token == WJB_KEY)
			name = text_of(&value);
		else if ((token == WJB_VALUE || token == WJB_ELEM) && is_of_machine(name, text_of(&value)))
			return true;
	}
	return false;
}

/* --- record_inbound --- */

static char *
text_argument(FunctionCallInfo fcinfo, int i)
{
	char	   *argument = PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));

	return argument == NULL || argument[0] == '\0' ? NULL : argument;
}

/* Of what a stranger sent no more is kept than this. */
static char *
short_argument(FunctionCallInfo fcinfo, int i)
{
	char	   *text = text_argument(fcinfo, i);

	if (text != NULL && strlen(text) > MAX_TEXT)
		text[pg_mbcliplen(text, strlen(text), MAX_TEXT)] = '\0';
	return text;
}

static Kind
kind_argument(FunctionCallInfo fcinfo, int i)
{
	const char *name = text_argument(fcinfo, i);

	for (int kind = 0; name != NULL && kind < lengthof(kinds); kind++)
		if (strcmp(kinds[kind].name, name) == 0)
			return (Kind) kind;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown kind of event"),
			 errhint("Kinds are delivered, hard_bounce, soft_bounce, complaint, unsubscribe, reply, auto_reply, open and click.")));
}

static Jsonb *
detail_argument(FunctionCallInfo fcinfo, int i)
{
	Jsonb	   *detail = PG_ARGISNULL(i) ? NULL : PG_GETARG_JSONB_P(i);

	if (detail != NULL && VARSIZE(detail) > MAX_DETAIL)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("detail has more than %d bytes", MAX_DETAIL),
				 errhint("Keep what is large in a table of your own.")));
	return detail;
}

/* Which message is meant, and how that is known; NULL: nobody can tell. */
static Outgoing *
find_message(FunctionCallInfo fcinfo, Kind kind, const char *sender, TimestampTz now, const char **matched)
{
	const char *token = text_argument(fcinfo, 1);
	const char *provider_id = short_argument(fcinfo, 2);
	const char *refs = text_argument(fcinfo, 4);
	Outgoing   *o = NULL;

	*matched = MATCHED_REFERENCES;
	if (refs != NULL)
		o = find_by_references(refs);
	if (o == NULL && token != NULL)
	{
		*matched = MATCHED_TOKEN;
		o = find_by_token(token, kind);
	}
	if (o == NULL && provider_id != NULL)
	{
		*matched = MATCHED_PROVIDER;
		o = find_by_provider(provider_id);
	}
	if (o == NULL && sender != NULL && (kind == KIND_REPLY || kind == KIND_AUTO_REPLY))
	{
		*matched = MATCHED_SENDER;
		o = find_by_sender(sender, now);
	}
	return o != NULL && OidIsValid(wf_owner_role(o->owner)) ? o : NULL;
}

/* What a person says holds each time: he may have signed up again in between. */
static bool
is_wish(Kind kind)
{
	return kind == KIND_UNSUBSCRIBE || kind == KIND_COMPLAINT;
}

/* record_inbound(kind, token, provider_id, address, refs, url, headers, event, detail) */
Datum
wf_record_inbound(PG_FUNCTION_ARGS)
{
	Report		report = {.kind = kind_argument(fcinfo, 0)};
	TimestampTz now = wf_clock_now();
	const char *sender = short_argument(fcinfo, 3);
	Outgoing   *o;
	int64		id;

	/* what a machine answers is no word of the recipient's */
	if ((report.kind == KIND_REPLY || report.kind == KIND_UNSUBSCRIBE) &&
		!PG_ARGISNULL(6) && is_automatic(PG_GETARG_JSONB_P(6)))
		report.kind = KIND_AUTO_REPLY;
	o = find_message(fcinfo, report.kind, sender, now, &report.matched);
	if (o == NULL)
		PG_RETURN_NULL();
	if (sender != NULL && (report.kind == KIND_REPLY || report.kind == KIND_AUTO_REPLY))
		report.address = wf_address_normalize(o->channel, sender);
	report.url = short_argument(fcinfo, 5);
	report.event = short_argument(fcinfo, 7);
	report.detail = detail_argument(fcinfo, 8);
	id = record(o, &report, now);
	if (strcmp(report.matched, MATCHED_SENDER) != 0 && (id != 0 || is_wish(report.kind)))
		act(o, report.kind, now);
	if (id == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(id);
}

/* --- erasure --- */

/* Messages to the address, of owners whose roles the caller has: $1 caller, $2 address, $3 channel. */
#define HIS_MESSAGES \
	" automation.outgoing m WHERE m.address = $2 AND m.channel = $3 AND EXISTS (SELECT FROM automation.owner o" \
	" WHERE o.id = m.owner AND pg_catalog.pg_has_role($1, o.role::oid, 'USAGE'))"

/* forget_address(address, channel) */
Datum
wf_forget_address(PG_FUNCTION_ARGS)
{
	char	   *channel = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *address = wf_address_normalize(channel, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	char	   *erased = psprintf("%s%s", ERASED, wf_address_hash(address));
	TimestampTz now = wf_clock_now();
	List	   *waiting;
	ListCell   *cell;
	uint64		messages;
	uint64		left;

	waiting = wf_engine_ids("SELECT m.id FROM" HIS_MESSAGES " AND m.state IN ('queued', 'held')", "ott",
							GetUserId(), address, channel);
	foreach(cell, waiting)
		(void) wf_outgoing_cancel(*(int64 *) lfirst(cell), "by_hand", now);
	/* of those that are over nothing but a late report changes anything */
	messages = wf_engine_sql("UPDATE automation.outgoing u SET address = $4, target = '', subject = NULL, body = NULL, headers = NULL,"
							 " options = NULL, ordering_key = NULL, answer_headers = NULL, answer = NULL"
							 " WHERE u.id IN (SELECT m.id FROM" HIS_MESSAGES ") AND u.address = $2 AND u.state NOT IN ('queued', 'held')",
							 "ottt", GetUserId(), address, channel, erased);
	wf_engine_sql("UPDATE automation.inbound i SET address = $3, url = NULL, detail = NULL"
				  " WHERE i.address = $2 AND pg_catalog.pg_has_role($1, i.owner::oid, 'USAGE')", "ott",
				  GetUserId(), address, erased);
	left = wf_engine_sql("SELECT FROM" HIS_MESSAGES, "ott", GetUserId(), address, channel);
	if (left > 0)
		ereport(WARNING,
				(errmsg(UINT64_FORMAT " messages to the address are on their way and were not erased", left),
				 errhint("Call it again when they have arrived.")));
	PG_RETURN_INT64((int64) messages);
}
