/*
 * message.c -- what a message must be like to leave.
 *
 * Called by send.c for what SEND selects and by the delivery worker for what it is
 * about to send.  The constructors are no boundary: anybody can write a
 * ROW(...)::automation.message, and a row of the outbox may come from a dump.  So
 * everything that ends up on the wire is looked at here: a line break in a header
 * is a header of somebody else's, a second address a second recipient.
 *
 * wf_message_problem() raises nothing but out of memory; its words never repeat a
 * value of the message, since they go to errors and logs.  Results are in the
 * current context.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "message.h"
#include "store.h"
#include "suppression.h"

#define MAX_URL 8192					/* bytes, as all of these */
#define MAX_HEADERS 100
#define MAX_HEADER_BYTES (64 * 1024)	/* of all headers together */
#define MAX_SUBJECT 998
#define MAX_WORD 200					/* names, keys, topics */
#define MAX_COPIES 50					/* cc and bcc together */
#define MAX_ATTACHMENTS 20
#define MAX_MAIL (25 * MESSAGE_MAX_BODY)
#define MAX_MAIL_OPTIONS (2 * MAX_MAIL)	/* all of them, as stored: parts are in base64 there */
#define MAX_HTTP_OPTIONS (64 * 1024)

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
static const char *const classes[] = {"transactional", "marketing", "internal"};

/* Headers that the connection, the signature or the protocol needs to be its own. */
static const char *const http_own[] = {
	"Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "Keep-Alive", "TE", "Trailer", "Upgrade",
	"Proxy-*", "webhook-*", ":*"
};

/* Headers of a mail that are made from its parts. */
static const char *const mail_own[] = {
	"From", "Sender", "To", "Cc", "Bcc", "Subject", "Date", "Message-ID", "Reply-To", "Return-Path", "Received",
	"In-Reply-To", "References", "MIME-Version", "Content-*", "Resent-*"
};

/* --- reading --- */

/* A type of ours. */
static Oid
own_type(const char *name)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name),
						   ObjectIdGetDatum(wf_store_namespace()));
}

Oid
wf_message_type(void)
{
	return own_type("message");
}

Oid
wf_delivery_type(void)
{
	return own_type("delivery");
}

static char *
text_field(HeapTupleHeader row, int number)
{
	bool		isnull;
	Datum		value = GetAttributeByNum(row, number, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static Jsonb *
json_field(HeapTupleHeader row, int number)
{
	bool		isnull;
	Datum		value = GetAttributeByNum(row, number, &isnull);

	return isnull ? NULL : DatumGetJsonbPCopy(value);
}

Message *
wf_message_read(Datum composite)
{
	HeapTupleHeader row = DatumGetHeapTupleHeader(composite);
	Message    *message = palloc0(sizeof(Message));
	char	   *kind = text_field(row, 1);

	if (kind && strcmp(kind, "http") == 0)
		message->kind = MESSAGE_HTTP;
	else if (kind && strcmp(kind, "mail") == 0)
		message->kind = MESSAGE_MAIL;
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a message is of kind http or mail"),
				 errhint("Use email(), webhook() or another function that makes a message.")));
	message->server = text_field(row, 2);
	message->target = text_field(row, 3);
	message->subject = text_field(row, 4);
	message->body = text_field(row, 5);
	message->headers = json_field(row, 6);
	message->options = json_field(row, 7);
	return message;
}

/* A member of an object; NULL if it is not there, null, or the object is none. */
static JsonbValue *
member_of(const Jsonb *object, const char *name)
{
	JsonbValue *value;

	if (object == NULL || !JB_ROOT_IS_OBJECT(object))
		return NULL;
	value = getKeyJsonValueFromContainer(unconstify(JsonbContainer *, &object->root), name, strlen(name), NULL);
	return value && value->type == jbvNull ? NULL : value;
}

/* A member of an object inside a value. */
static JsonbValue *
member_of_value(const JsonbValue *object, const char *name)
{
	JsonbValue *value;

	if (object->type != jbvBinary || !JsonContainerIsObject(object->val.binary.data))
		return NULL;
	value = getKeyJsonValueFromContainer(object->val.binary.data, name, strlen(name), NULL);
	return value && value->type == jbvNull ? NULL : value;
}

static char *
string_of(const JsonbValue *value)
{
	return value && value->type == jbvString ? pnstrdup(value->val.string.val, value->val.string.len) : NULL;
}

/* Text of an option (a string, number or boolean), NULL if it is not there. */
char *
wf_message_option(const Jsonb *options, const char *name)
{
	JsonbValue *value = member_of(options, name);

	if (value == NULL)
		return NULL;
	switch (value->type)
	{
		case jbvString:
			return string_of(value);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
		case jbvBool:
			return value->val.boolean ? "true" : "false";
		default:
			return NULL;
	}
}

/* --- characters --- */

bool
wf_has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char) *text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

/* Visible ASCII and spaces only. */
static bool
is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char) *text < 0x20 || (unsigned char) *text > 0x7e)
			return false;
	return true;
}

/* A token of RFC 9110. */
static bool
is_token(const char *text, int len)
{
	if (len == 0)
		return false;
	for (int i = 0; i < len; i++)
		if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
			  (text[i] >= '0' && text[i] <= '9') || (text[i] != '\0' && strchr("!#$%&'*+-.^_`|~", text[i]))))
			return false;
	return true;
}

/* Names compare without case; one that ends in * means all that begin so. */
static bool
is_listed(const char *name, const char *const *list, int n)
{
	for (int i = 0; i < n; i++)
	{
		int			len = strlen(list[i]);

		if (list[i][len - 1] == '*' ? pg_strncasecmp(name, list[i], len - 1) == 0 : pg_strcasecmp(name, list[i]) == 0)
			return true;
	}
	return false;
}

static bool
is_one_of(const char *text, const char *const *list, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(text, list[i]) == 0)
			return true;
	return false;
}

/* type/subtype, perhaps with parameters. */
static bool
is_media_type(const char *text)
{
	int			type = strcspn(text, "/");
	int			subtype;

	if (strlen(text) > MAX_WORD || !is_printable(text) || text[type] != '/')
		return false;
	subtype = strcspn(text + type + 1, "; ");
	return is_token(text, type) && is_token(text + type + 1, subtype);
}

/* Decoded bytes of base64; -1: it is none.  Line breaks and spaces may be in it. */
static int64
base64_bytes(const char *text)
{
	int64		digits = 0;
	int			pad = 0;

	for (; *text; text++)
	{
		if (strchr(" \t\r\n", *text))
			continue;
		if (*text == '=')
			pad++;
		else if (pad > 0 || !((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
							  (*text >= '0' && *text <= '9') || *text == '+' || *text == '/'))
			return -1;
		else
			digits++;
	}
	if (pad > 2 || (digits + pad) % 4 != 0)
		return -1;
	return (digits + pad) / 4 * 3 - pad;
}

/* --- headers --- */

static char *
header_problem(const char *name, const char *value, bool mail)
{
	if (!is_token(name, strlen(name)) || strlen(name) > MAX_WORD)
		return "the name of a header has characters that are not allowed there";
	if (mail ? is_listed(name, mail_own, lengthof(mail_own)) : is_listed(name, http_own, lengthof(http_own)))
		return psprintf("header %s is not the message's to set", name);
	if (mail ? wf_has_control(value) : !is_printable(value))
		return psprintf("the value of header %s has characters that are not allowed there", name);
	return NULL;
}

static char *
headers_problem(const Message *message)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *name = NULL;
	char	   *problem;
	int64		bytes = 0;
	int			n = 0;

	if (message->headers == NULL)
		return NULL;
	if (!JB_ROOT_IS_OBJECT(message->headers))
		return "headers are an object of strings";
	iterator = JsonbIteratorInit(&message->headers->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = string_of(&value);
		if (token != WJB_VALUE)
			continue;
		if (value.type != jbvString)
			return "headers are an object of strings";
		problem = header_problem(name, string_of(&value), message->kind == MESSAGE_MAIL);
		if (problem)
			return problem;
		bytes += strlen(name) + value.val.string.len + 4;
		if (++n > MAX_HEADERS || bytes > MAX_HEADER_BYTES)
			return psprintf("more than %d headers, or more than %d bytes of them", MAX_HEADERS, MAX_HEADER_BYTES);
	}
	return NULL;
}

/* --- options --- */

static bool
is_interval(const char *text)
{
	/* as interval_in() reads it, but without its ERROR */
	struct pg_itm_in itm;
	char	   *field[MAXDATEFIELDS];
	int			ftype[MAXDATEFIELDS];
	char		work[256];
	int			nf;
	int			dtype;
	int			dterr;

	dterr = ParseDateTime(text, work, sizeof(work), field, ftype, MAXDATEFIELDS, &nf);
	if (dterr == 0)
		dterr = DecodeInterval(field, ftype, nf, INTERVAL_FULL_RANGE, &dtype, &itm);
	return dterr == 0 && dtype == DTK_DELTA && (itm.tm_usec > 0 || itm.tm_mday > 0 || itm.tm_mon > 0 || itm.tm_year > 0);
}

/* In one way only: suppressions are found by it. */
static bool
is_channel(const char *text)
{
	return is_token(text, strlen(text)) && strlen(text) <= 30 && strpbrk(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL;
}

/* Options of both kinds. */
static char *
options_problem(const Message *message)
{
	static const char *const words[] = {"ordering_key", "family", "variant", "list", "type", "address"};
	const char *text;

	if (message->options == NULL)
		return NULL;
	if (!JB_ROOT_IS_OBJECT(message->options))
		return "options are an object";
	/* also those that nobody asks for: whoever delivers has them in memory */
	if (VARSIZE(message->options) > (message->kind == MESSAGE_MAIL ? MAX_MAIL_OPTIONS : MAX_HTTP_OPTIONS))
		return psprintf("its options have more than %d bytes together",
						message->kind == MESSAGE_MAIL ? MAX_MAIL_OPTIONS : MAX_HTTP_OPTIONS);
	for (int i = 0; i < lengthof(words); i++)
	{
		text = wf_message_option(message->options, words[i]);
		if (text ? wf_has_control(text) || strlen(text) > MAX_WORD * 2 || *text == '\0' : member_of(message->options, words[i]) != NULL)
			return psprintf("option %s is a text of at most %d bytes without control characters", words[i], MAX_WORD * 2);
	}
	text = wf_message_option(message->options, "class");
	if (text ? !is_one_of(text, classes, lengthof(classes)) : member_of(message->options, "class") != NULL)
		return "option class is transactional, marketing or internal";
	text = wf_message_option(message->options, "channel");
	if (text ? !is_channel(text) : member_of(message->options, "channel") != NULL)
		return "option channel is a word in small letters";
	/* under another name it would get round what stands against its recipient */
	if (text && message->kind == MESSAGE_MAIL && strcmp(text, CHANNEL_MAIL) != 0)
		return "the channel of a mail is mail";
	text = wf_message_option(message->options, "expires");
	if (text && !is_interval(text))
		return "option expires is an interval longer than nothing";
	return NULL;
}

/* --- http --- */

static char *
http_problem(const Message *message)
{
	const char *method = wf_message_option(message->options, "method");
	const char *type = wf_message_option(message->options, "content_type");
	const char *url = message->target;

	if (url == NULL || *url == '\0')
		return "it has no URL";
	if (strlen(url) > MAX_URL || !is_printable(url) || strchr(url, ' '))
		return psprintf("its URL has characters that are not allowed there, or more than %d bytes", MAX_URL);
	if (pg_strncasecmp(url, "http://", 7) != 0 && pg_strncasecmp(url, "https://", 8) != 0 &&
		(url[0] != '/' || url[1] == '/' || message->server == NULL))
		return "its URL is neither a whole one of http or https nor a path on a server that is named";
	if (method ? !is_one_of(method, methods, lengthof(methods)) : member_of(message->options, "method") != NULL)
		return "option method is GET, HEAD, POST, PUT, PATCH or DELETE";
	if (message->body && *message->body && method && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0))
		return "a request of method GET or HEAD has no body";
	if (message->subject && strlen(message->subject) > MAX_SUBJECT)
		return psprintf("its subject has more than %d bytes", MAX_SUBJECT);
	if (message->body && strlen(message->body) > MESSAGE_MAX_BODY)
		return psprintf("its body has more than %d bytes", MESSAGE_MAX_BODY);
	if (type && !is_media_type(type))
		return "option content_type is no media type";
	return NULL;
}

/* --- mail --- */

static char *
attachment_problem(const JsonbValue *attachment, int64 *bytes)
{
	const char *name = string_of(member_of_value(attachment, "name"));
	const char *type = string_of(member_of_value(attachment, "type"));
	const char *content = string_of(member_of_value(attachment, "content"));
	JsonbValue *inline_id = member_of_value(attachment, "inline");
	int64		size;

	if (name == NULL || *name == '\0' || strlen(name) > MAX_WORD || wf_has_control(name) || strpbrk(name, "/\\"))
		return "an attachment needs a name without slashes and control characters";
	if (type && !is_media_type(type))
		return "the type of an attachment is no media type";
	size = content ? base64_bytes(content) : -1;
	if (size < 0)
		return "the content of an attachment is not base64";
	if (inline_id)
	{
		const char *id = string_of(inline_id);

		if (id == NULL || !is_printable(id) || strpbrk(id, " <>\"") || strlen(id) > MAX_WORD || *id == '\0')
			return "the inline id of an attachment has characters that are not allowed there";
	}
	*bytes += size;
	return NULL;
}

/* The elements of an array option; 0 and *problem false if it is absent. */
static int
array_option(const Message *message, const char *name, JsonbContainer **array, bool *wrong)
{
	JsonbValue *value = member_of(message->options, name);

	*wrong = false;
	if (value == NULL)
		return 0;
	*wrong = value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data);
	if (*wrong)
		return 0;
	*array = value->val.binary.data;
	return JsonContainerSize(*array);
}

static char *
attachments_problem(const Message *message, int64 *bytes)
{
	JsonbContainer *array = NULL;
	bool		wrong;
	int			n = array_option(message, "attachments", &array, &wrong);

	if (wrong || n > MAX_ATTACHMENTS)
		return psprintf("option attachments is an array of at most %d", MAX_ATTACHMENTS);
	for (int i = 0; i < n; i++)
	{
		char	   *problem = attachment_problem(getIthJsonbValueFromContainer(array, i), bytes);

		if (problem)
			return problem;
	}
	return NULL;
}

static char *
copies_problem(const Message *message)
{
	static const char *const names[] = {"cc", "bcc"};
	const char *class = wf_message_option(message->options, "class");
	int			copies = 0;

	for (int i = 0; i < lengthof(names); i++)
	{
		JsonbContainer *array = NULL;
		bool		wrong;
		int			n = array_option(message, names[i], &array, &wrong);

		for (int k = 0; k < n && !wrong; k++)
		{
			char	   *mailbox = string_of(getIthJsonbValueFromContainer(array, k));

			wrong = mailbox == NULL || !wf_mailbox_valid(mailbox);
		}
		if (wrong)
			return psprintf("option %s is an array of mail addresses, one each", names[i]);
		copies += n;
	}
	if (copies > MAX_COPIES)
		return psprintf("more than %d recipients in cc and bcc", MAX_COPIES);
	if (copies > 0 && (class == NULL || strcmp(class, "marketing") == 0))
		return "a mail of class marketing has one recipient, no cc and bcc";
	return NULL;
}

static char *
addresses_problem(const Message *message)
{
	static const char *const mailboxes[] = {"from", "reply_to"};
	static const char *const names[] = {"from_name", "to_name"};

	for (int i = 0; i < lengthof(mailboxes); i++)
	{
		const char *mailbox = wf_message_option(message->options, mailboxes[i]);

		if (mailbox ? !wf_mailbox_valid(mailbox) : member_of(message->options, mailboxes[i]) != NULL)
			return psprintf("option %s is not exactly one mail address", mailboxes[i]);
	}
	for (int i = 0; i < lengthof(names); i++)
	{
		const char *name = wf_message_option(message->options, names[i]);

		if (name ? wf_has_control(name) || strlen(name) > MAX_WORD : member_of(message->options, names[i]) != NULL)
			return psprintf("option %s is a text of at most %d bytes without control characters", names[i], MAX_WORD);
	}
	return NULL;
}

static char *
mail_problem(const Message *message)
{
	const char *html = wf_message_option(message->options, "html");
	const char *thread = wf_message_option(message->options, "thread");
	int64		bytes = (message->body ? strlen(message->body) : 0) + (html ? strlen(html) : 0);
	char	   *problem = addresses_problem(message);

	if (problem == NULL)
		problem = copies_problem(message);
	if (problem == NULL && message->subject && (wf_has_control(message->subject) || strlen(message->subject) > MAX_SUBJECT))
		problem = psprintf("its subject has control characters, or more than %d bytes", MAX_SUBJECT);
	if (problem == NULL && message->body == NULL && html == NULL)
		problem = "it has neither a text nor HTML";
	if (problem == NULL && thread && strcmp(thread, "first") != 0 && strcmp(thread, "previous") != 0 &&
		(strspn(thread, "0123456789") != strlen(thread) || *thread == '\0' || strlen(thread) > 18))
		problem = "option thread is first, previous or the id of a delivery";
	if (problem == NULL)
		problem = attachments_problem(message, &bytes);
	if (problem == NULL && bytes > MAX_MAIL)
		problem = psprintf("its parts have more than %d bytes together", MAX_MAIL);
	return problem;
}

/* What is wrong, in words; NULL: nothing. */
char *
wf_message_problem(const Message *message)
{
	char	   *problem = options_problem(message);

	if (problem == NULL)
		problem = headers_problem(message);
	if (problem == NULL)
		problem = message->kind == MESSAGE_HTTP ? http_problem(message) : mail_problem(message);
	return problem;
}

void
wf_message_check(const Message *message)
{
	char	   *problem = wf_message_problem(message);

	if (problem)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("this message can't be sent: %s", problem),
				 errhint("Look at what the function that made it was given.")));
}
