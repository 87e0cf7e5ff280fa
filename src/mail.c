/*
 * mail.c -- what a mail must be like, what of it is settled when it is entered, and
 * its bytes, checked when they are there.
 *
 * wf_mail_complete() is called by send.c in the owner's transaction, the rest by send.c and
 * by the delivery worker, which is outside of transactions.  Results are in the
 * current context.  Only wf_mail_complete() raises errors.
 */
#include "postgres.h"

#include "access/table.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "mail.h"
#include "message.h"
#include "store.h"
#include "suppression.h"
#include "template.h"

#define MAX_LINE 998					/* RFC 5321, without its end */
#define MAX_LOCAL_PART 64
#define MAX_THREAD 20					/* ids in References: the last ones */

/* columns of automation.outgoing */
#define ID 1
#define ENROLLMENT 6

const char *const wf_mail_no_key = "there is no key for the link to unsubscribe";

/* --- addresses --- */

static const char *
domain_of(const char *mailbox)
{
	const char *at = strrchr(mailbox, '@');

	return at ? at + 1 : mailbox;
}

static bool
is_mail(const Outgoing *o)
{
	return strcmp(o->kind, "mail") == 0;
}

char *
wf_mail_sender(const Outgoing *o, const Server *server)
{
	char	   *from = wf_message_option(o->options, "from");
	ListCell   *lc;

	if (from || server == NULL)
		return from;
	foreach(lc, server->from)
		if (*(char *) lfirst(lc) != '@')
			return lfirst(lc);
	return NULL;
}

char *
wf_mail_message_id(const char *uid, const char *sender)
{
	return psprintf("<%s@%s>", uid, domain_of(sender));
}

/* The local part is the other domain's business: compared as it is. */
static bool
may_send_from(const Server *server, const char *sender)
{
	const char *domain = domain_of(sender);
	int			local = domain - sender;
	ListCell   *lc;

	foreach(lc, server->from)
	{
		const char *allowed = lfirst(lc);
		const char *its_domain = domain_of(allowed);
		int			its_local = its_domain - allowed;

		if (pg_strcasecmp(its_domain, domain) == 0 &&
			(*allowed == '@' || (its_local == local && memcmp(allowed, sender, local) == 0)))
			return true;
	}
	return false;
}

List *
wf_mail_copies(const Outgoing *o, const char *option)
{
	JsonbValue *array;
	List	   *mailboxes = NIL;

	if (o->options == NULL || !JB_ROOT_IS_OBJECT(o->options))
		return NIL;
	array = getKeyJsonValueFromContainer(&o->options->root, option, strlen(option), NULL);
	if (array == NULL || array->type != jbvBinary || !JsonContainerIsArray(array->val.binary.data))
		return NIL;
	for (uint32 i = 0; i < JsonContainerSize(array->val.binary.data); i++)
	{
		JsonbValue *value = getIthJsonbValueFromContainer(array->val.binary.data, i);

		/* what is no string is no mailbox, and found to be none */
		mailboxes = lappend(mailboxes, value->type != jbvString ? "" : pnstrdup(value->val.string.val, value->val.string.len));
	}
	return mailboxes;
}

static bool
all_mailboxes(List *mailboxes)
{
	ListCell   *lc;

	foreach(lc, mailboxes)
		if (!wf_mailbox_valid(lfirst(lc)))
			return false;
	return true;
}

/* --- what may leave --- */

static bool
is_utf8(const char *text)
{
	return text == NULL || pg_verify_mbstr(PG_UTF8, text, strlen(text), true);
}

/* Mails are written in UTF-8; a database of another encoding has only what is ASCII in both. */
static bool
is_ascii(const char *text)
{
	for (; text && *text; text++)
		if (IS_HIGHBIT_SET(*text))
			return false;
	return true;
}

static char *
encoding_problem(const Outgoing *o)
{
	int			encoding = GetDatabaseEncoding();
	const char *texts[] = {o->subject, o->body, wf_message_option(o->options, "html"),
		wf_message_option(o->options, "from_name"), wf_message_option(o->options, "to_name")};

	for (int i = 0; i < lengthof(texts); i++)
	{
		if (encoding == PG_SQL_ASCII ? !is_utf8(texts[i]) : encoding != PG_UTF8 && !is_ascii(texts[i]))
			return "letters beyond ASCII need a database with encoding UTF8";
	}
	return NULL;
}

static char *
sender_problem(const Outgoing *o, const Server *server)
{
	char	   *sender = wf_mail_sender(o, server);

	if (sender == NULL)
		return "it has no sender: neither option from, nor an address in option \"from\" of the server";
	if (!wf_mailbox_valid(sender))
		return "its sender is not exactly one mail address";
	if (!may_send_from(server, sender))
		return "its sender is not among the addresses and domains in option \"from\" of the server";
	return NULL;
}

static char *
recipients_problem(const Outgoing *o)
{
	List	   *cc = wf_mail_copies(o, "cc");
	List	   *bcc = wf_mail_copies(o, "bcc");
	char	   *reply_to = wf_message_option(o->options, "reply_to");

	if (o->target == NULL || !wf_mailbox_valid(o->target))
		return "its recipient is not exactly one mail address";
	if (!all_mailboxes(cc) || !all_mailboxes(bcc))
		return "an element of cc or bcc is not exactly one mail address";
	if (reply_to && !wf_mailbox_valid(reply_to))
		return "option reply_to is not exactly one mail address";
	if ((cc || bcc) && strcmp(o->class, "marketing") == 0)
		return "a mail of class marketing has one recipient, no cc and bcc";
	return NULL;
}

static bool
is_https(const char *url)
{
	return url && pg_strncasecmp(url, "https://", 8) == 0;
}

/*
 * What keeps the mail from leaving by the server, in words without data of the
 * message, in the current context; NULL = nothing, or no mail.  Besides
 * wf_message_problem().  Raises nothing but out of memory.
 */
static char *
mail_problem(const Outgoing *o, const Server *server)
{
	char	   *problem;

	if (!is_mail(o))
		return NULL;
	if (server->type != SERVER_SMTP)
		return "its server is none for mail";
	problem = recipients_problem(o);
	if (problem == NULL)
		problem = sender_problem(o, server);
	if (problem == NULL)
		problem = encoding_problem(o);
	if (problem == NULL && strcmp(o->class, "marketing") == 0 && !is_https(server->unsubscribe_url) && !server->unsubscribe_mail)
		problem = "a mail of class marketing needs a way to unsubscribe:"
			" option unsubscribe_url (https) or unsubscribe_mail of the server";
	return problem;
}

/* --- settling --- */

static void
set_option(Outgoing *o, const char *name, const char *value)
{
	StringInfoData json;
	Datum		member;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	escape_json(&json, name);
	appendStringInfoChar(&json, ':');
	escape_json(&json, value);
	appendStringInfoChar(&json, '}');
	member = DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
	if (o->options)
		member = DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(o->options), member);
	o->options = DatumGetJsonbP(member);
}

static bool
same_recipient(const char *one, const char *other)
{
	return strcmp(wf_address_normalize("mail", one), wf_address_normalize("mail", other)) == 0;
}

/* The first or the last mail of the enrollment to the recipient before this one; NULL = none. */
static Outgoing *
of_enrollment(const Outgoing *o, bool first)
{
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;
	ScanKeyData key;
	List	   *ids = NIL;
	Outgoing   *found = NULL;
	ListCell   *lc;

	if (o->enrollment == 0)
		return NULL;
	rel = wf_store_open("outgoing", AccessShareLock);
	ScanKeyInit(&key, ENROLLMENT, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(o->enrollment));
	scan = wf_store_scan(rel, "outgoing_enrollment", wf_store_snapshot(), 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		int64	   *id = palloc(sizeof(int64));

		*id = DatumGetInt64(heap_getattr(tuple, ID, RelationGetDescr(rel), &isnull));
		if (*id < o->id)
			ids = lappend(ids, id);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	foreach(lc, ids)
	{
		int64		id = *(int64 *) lfirst(lc);
		Outgoing   *other;

		if (found && (first ? id > found->id : id < found->id))
			continue;
		other = wf_outgoing_load(id);
		if (other && is_mail(other) && other->owner == o->owner && strcmp(other->state, OUTGOING_SKIPPED) != 0 &&
			strcmp(other->state, OUTGOING_CANCELLED) != 0 && same_recipient(other->target, o->target))
			found = other;
	}
	return found;
}

/* What option thread names; ERROR if that is no business of this mail. */
static Outgoing *
parent_of(const Outgoing *o, const char *thread)
{
	Outgoing   *parent;

	if (strcmp(thread, "first") == 0 || strcmp(thread, "previous") == 0)
		return of_enrollment(o, *thread == 'f');
	parent = wf_outgoing_load(strtoll(thread, NULL, 10));
	if (parent == NULL || parent->owner != o->owner || !is_mail(parent) || !same_recipient(parent->target, o->target))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option thread does not name a mail of the same owner to the same recipient"),
				 errhint("Use the id of a delivery, 'first' or 'previous'.")));
	return parent;
}

/* "<a> <b>" and one more, without the oldest if they are too many. */
static char *
references_of(const Outgoing *parent, const char *parent_id)
{
	char	   *ids = wf_message_option(parent->options, "references");
	int			n = 1;

	if (ids == NULL)
		return pstrdup(parent_id);
	for (const char *c = ids; *c; c++)
		n += *c == '<';
	while (n-- > MAX_THREAD && strchr(ids, ' '))
		ids = strchr(ids, ' ') + 1;
	return psprintf("%s %s", ids, parent_id);
}

static void
join_thread(Outgoing *o, const Server *server, const char *thread)
{
	Outgoing   *parent = parent_of(o, thread);
	char	   *sender = parent ? wf_mail_sender(parent, server) : NULL;
	char	   *id;

	/* the first of a thread has nothing to refer to */
	if (sender == NULL)
		return;
	id = wf_mail_message_id(parent->uid, sender);
	set_option(o, "in_reply_to", id);
	set_option(o, "references", references_of(parent, id));
	if (o->subject == NULL || *o->subject == '\0')
		o->subject = parent->subject;
	if (o->subject && pg_strncasecmp(o->subject, "re:", 3) != 0)
		o->subject = psprintf("Re: %s", o->subject);
}

void
wf_mail_complete(Outgoing *o, const Server *server)
{
	char	   *problem;
	char	   *html;
	char	   *thread;

	if (!is_mail(o))
		return;
	problem = mail_problem(o, server);
	if (problem)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a mail cannot leave by server \"%s\" because %s", server->name, problem)));
	wf_template_finish(o);
	html = wf_message_option(o->options, "html");
	if (o->body == NULL && html)
		o->body = wf_html_text(html, strlen(html));
	set_option(o, "from", wf_mail_sender(o, server));
	thread = wf_message_option(o->options, "thread");
	if (thread)
		join_thread(o, server, thread);
}

/* --- copies nobody may get --- */

/* The option without them; NULL: there are none such. */
static char *
without_suppressed(const Outgoing *o, Oid owner, const char *option)
{
	List	   *mailboxes = wf_mail_copies(o, option);
	StringInfoData json;
	bool		dropped = false;
	ListCell   *lc;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"%s\": [", option);
	foreach(lc, mailboxes)
	{
		if (wf_suppressed(owner, CHANNEL_MAIL, lfirst(lc), o->class, o->list))
		{
			dropped = true;
			continue;
		}
		if (json.data[json.len - 1] != '[')
			appendStringInfoChar(&json, ',');
		escape_json(&json, lfirst(lc));
	}
	appendStringInfoString(&json, "]}");
	return dropped ? json.data : NULL;
}

void
wf_mail_drop_copies(Outgoing *o, Oid owner)
{
	static const char *const options[] = {"cc", "bcc"};

	if (!is_mail(o))
		return;
	for (int i = 0; i < lengthof(options); i++)
	{
		char	   *json = without_suppressed(o, owner, options[i]);

		if (json)
			o->options = DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(o->options),
															DirectFunctionCall1(jsonb_in, CStringGetDatum(json))));
	}
}

/* --- leaving --- */

/* Links to unsubscribe of this mail; false: there is no key to sign with.  In a part of a URL:
 * tokens are letters, digits and hyphens. */
static bool
make_links(const Outgoing *o, const Server *server, MailLinks *links)
{
	char	   *token;

	links->url = links->mailto = NULL;
	if (strcmp(o->class, "marketing") != 0 || (!server->unsubscribe_url && !server->unsubscribe_mail))
		return true;
	token = wf_token_make('u', o->id, o->uid);
	if (token == NULL)
		return false;
	if (is_https(server->unsubscribe_url))
		links->url = psprintf("%s%s", server->unsubscribe_url, token);
	if (server->unsubscribe_mail)
		links->mailto = psprintf("mailto:%s?subject=%s", server->unsubscribe_mail, token);
	return true;
}

/* Where it comes back to; with a token behind a plus, if that fits a local part. */
static char *
return_path(const Outgoing *o, const Server *server, const char *sender)
{
	const char *domain;
	char	   *token;
	int			local;

	if (server->bounce == NULL)
		return pstrdup(sender);
	domain = domain_of(server->bounce);
	local = domain - server->bounce - 1;
	token = wf_token_make('v', o->id, o->uid);
	if (token == NULL || local + 1 + strlen(token) > MAX_LOCAL_PART)
		return pstrdup(server->bounce);
	return psprintf("%.*s+%s@%s", local, server->bounce, token, domain);
}

/*
 * The finished message, byte by byte: whatever went in, no line ends but by CR LF, none
 * is longer than servers take, none begins with a dot, and nothing is but ASCII.
 */
static bool
is_clean(const char *data, int len)
{
	int			start = 0;

	for (int i = 0; i < len; i++)
	{
		unsigned char c = data[i];

		if (c == '\r')
		{
			if (i + 1 >= len || data[i + 1] != '\n' || i - start > MAX_LINE)
				return false;
			i++;
			start = i + 1;
		}
		else if ((c < 0x20 && c != '\t') || c > 0x7e || (c == '.' && i == start))
			return false;
	}
	return len > 0 && start == len;
}

Mail *
wf_mail_build(const Outgoing *o, const Server *server, const char **problem)
{
	Mail	   *mail = palloc0(sizeof(Mail));
	StringInfoData data;
	MailLinks	links;

	*problem = mail_problem(o, server);
	if (*problem)
		return NULL;
	if (!make_links(o, server, &links))
	{
		*problem = wf_mail_no_key;
		return NULL;
	}
	initStringInfo(&data);
	if (!wf_mail_write_headers(&data, o, server, &links, problem) || !wf_mail_write_body(&data, o, problem))
		return NULL;
	if (!is_clean(data.data, data.len))
	{
		*problem = "its headers can't be written in lines of mail";
		return NULL;
	}
	mail->return_path = return_path(o, server, wf_mail_sender(o, server));
	/* the message is its caller's, and gone before the mail is */
	mail->recipients = list_concat(list_make1(pstrdup(o->target)), list_concat(wf_mail_copies(o, "cc"), wf_mail_copies(o, "bcc")));
	mail->data = data.data;
	mail->length = data.len;
	if (!wf_mailbox_valid(mail->return_path))
	{
		*problem = "option \"bounce\" of the server is no mail address";
		return NULL;
	}
	return mail;
}
