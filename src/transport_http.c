/*
 * transport_http.c -- a message of kind http as a request, and its answer as a result.
 *
 * Called by transfer.c.  Everything that is sent is made here: the request line
 * from a URL that the server's covers, the header from names and values that are
 * looked at once more, the body as it was frozen.  What must not leave so is
 * refused, without a connection.
 *
 * The answer counts once its header is complete: then the other side has decided, and its
 * status is the verdict, even when the body is longer than the server's limit or
 * breaks off.  To send again because of that would make the other side act twice.
 */
#include "postgres.h"

#include <time.h>

#include "common/base64.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "message.h"
#include "sign.h"
#include "transport_internal.h"

#define RETRY_AFTER_MAX (24 * 60 * 60)	/* seconds */
#define PROVIDER_ID_MAX 200				/* bytes */
#define USER_AGENT "automation (PostgreSQL)"

typedef struct HttpState
{
	CURLU	   *url;
	char	   *text;					/* of it; its path may be secret */
	bool		handed_on;				/* the receiver is to hand it on: channel sms and such */
	bool		complete;				/* header of the final answer */
	int			status;					/* of the status line seen last */
	long		patience;				/* seconds that an answer may stand still */
} HttpState;

extern Datum wf_json_or_null(PG_FUNCTION_ARGS);	/* webtext.c */

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};

/* Of the connection and of ours. */
static const char *const reserved[] = {
	"host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade",
	"expect", "te", "trailer"
};
static const char *const reserved_prefixes[] = {"proxy-", "webhook-"};

/* --- the request --- */

static bool
is_reserved(const char *name)
{
	for (int i = 0; i < lengthof(reserved); i++)
		if (pg_strcasecmp(name, reserved[i]) == 0)
			return true;
	for (int i = 0; i < lengthof(reserved_prefixes); i++)
		if (pg_strncasecmp(name, reserved_prefixes[i], strlen(reserved_prefixes[i])) == 0)
			return true;
	return false;
}

static bool
has_header(const Transfer *t, const char *name)
{
	size_t		length = strlen(name);

	for (const struct curl_slist *i = t->headers; i != NULL; i = i->next)
		if (pg_strncasecmp(i->data, name, length) == 0 && (i->data[length] == ':' || i->data[length] == ';'))
			return true;
	return false;
}

static char *
option(const Outgoing *o, const char *name)
{
	return o->options != NULL ? wf_message_option(o->options, name) : NULL;
}

/* What leaves is UTF-8; other encodings cannot be converted outside of transactions, so there it is ASCII. */
static bool
is_sendable(const char *body)
{
	if (body == NULL || GetDatabaseEncoding() == PG_UTF8)
		return true;
	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		return pg_verify_mbstr(PG_UTF8, body, strlen(body), true);
	for (const char *c = body; *c != '\0'; c++)
		if (IS_HIGHBIT_SET(*c))
			return false;
	return true;
}

/* Where to, by parts: no text of a URL is pasted together here. */
static bool
set_url(Transfer *t, const Outgoing *o, const Server *server, const Credentials *credentials, TransferResult *result)
{
	HttpState  *state = t->state;
	const char *problem = NULL;
	char	   *url = wf_server_address(server, credentials, o->target, &problem);
	char	   *scheme = NULL;
	bool		allowed;

	if (url == NULL)
		return wf_transfer_refuse(result, "not_permitted",
								  problem != NULL ? problem : "the URL is not one of the server's");
	state->text = url;
	state->url = curl_url();
	if (state->url == NULL ||
		curl_url_set(state->url, CURLUPART_URL, url, CURLU_DISALLOW_USER | CURLU_PATH_AS_IS) != CURLUE_OK ||
		curl_url_get(state->url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		return wf_transfer_refuse(result, "invalid_message", "the URL is not valid");
	allowed = strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0;
	if (allowed)
	{
		curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, scheme);
		curl_easy_setopt(t->easy, CURLOPT_CURLU, state->url);
		curl_easy_setopt(t->easy, CURLOPT_PATH_AS_IS, 1L);
	}
	curl_free(scheme);
	return allowed || wf_transfer_refuse(result, "invalid_message", "the URL is neither http nor https");
}

static bool
set_method(Transfer *t, const Outgoing *o, const char *body, TransferResult *result)
{
	char	   *method = option(o, "method");
	bool		known = method == NULL;

	if (method == NULL)
		method = "POST";
	for (int i = 0; i < lengthof(methods); i++)
		known = known || strcmp(method, methods[i]) == 0;
	if (!known)
		return wf_transfer_refuse(result, "invalid_message", "the method is not one of those that are sent");
	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
	else if (body != NULL || strcmp(method, "POST") == 0)
	{
		t->similar = strcmp(method, "POST") == 0;
		curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) (body != NULL ? strlen(body) : 0));
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, body != NULL ? body : "");
		if (!t->similar)
			curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
	}
	else if (strcmp(method, "GET") == 0)
		curl_easy_setopt(t->easy, CURLOPT_HTTPGET, 1L);
	else
		curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
	return true;
}

/* Basic: made here, so that curl keeps no copy that nobody overwrites. */
static bool
add_basic(Transfer *t, const Credentials *c)
{
	char	   *plain = psprintf("%s:%s", c->user, c->password != NULL ? c->password : "");
	int			length = (int) strlen(plain);
	int			room = pg_b64_enc_len(length);
	char	   *value = palloc0(strlen("Basic ") + room + 1);
	bool		added;

	strcpy(value, "Basic ");
	added = pg_b64_encode((void *) plain, length, value + strlen("Basic "), room) >= 0 &&
		wf_transfer_add_header(t, "Authorization", value);
	explicit_bzero(plain, length);
	explicit_bzero(value, strlen(value));
	return added;
}

static bool
add_bearer(Transfer *t, const Credentials *c)
{
	char	   *value = psprintf("Bearer %s", c->bearer);
	bool		added = wf_transfer_add_header(t, "Authorization", value);

	explicit_bzero(value, strlen(value));
	return added;
}

/* "Name: value" of the user mapping. */
static bool
add_line(Transfer *t, const char *line)
{
	char	   *name = pstrdup(line);
	char	   *value = strchr(name, ':');
	size_t		length = strlen(name);
	bool		added = false;

	if (value != NULL)
	{
		*value++ = '\0';
		added = !is_reserved(name) && wf_transfer_add_header(t, name, value + strspn(value, " \t"));
	}
	explicit_bzero(name, length);
	return added;
}

static bool
add_credentials(Transfer *t, const Credentials *c)
{
	ListCell   *lc;

	if (c == NULL)
		return true;
	if (c->bearer != NULL && !add_bearer(t, c))
		return false;
	if (c->bearer == NULL && c->user != NULL && !add_basic(t, c))
		return false;
	foreach(lc, c->headers)
		if (!add_line(t, lfirst(lc)))
			return false;
	return true;
}

/* The message's; what the server's credentials say stays. */
static bool
add_message_headers(Transfer *t, const Outgoing *o)
{
	JsonbIterator *it;
	JsonbValue	v;
	JsonbIteratorToken token;
	char	   *name = NULL;

	if (o->headers == NULL)
		return true;
	it = JsonbIteratorInit(&((Jsonb *) o->headers)->root);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			name = pnstrdup(v.val.string.val, v.val.string.len);
			if (is_reserved(name))
				return false;
		}
		else if (token == WJB_VALUE)
		{
			if (name == NULL || v.type != jbvString)
				return false;
			if (!has_header(t, name) &&
				!wf_transfer_add_header(t, name, pnstrdup(v.val.string.val, v.val.string.len)))
				return false;
		}
	}
	return true;
}

/* Who sends what, and that it is the same however often it comes. */
static bool
add_ours(Transfer *t, const Outgoing *o, const char *body)
{
	char	   *type = option(o, "content_type");

	if (body == NULL)
		type = "";
	else if (type == NULL)
		type = "application/json";
	if (!has_header(t, "Content-Type"))
	{
		/* without a value curl leaves it out, and does not invent one */
		struct curl_slist *longer = *type == '\0' ? curl_slist_append(t->headers, "Content-Type:") : NULL;

		if (*type == '\0' ? longer == NULL : !wf_transfer_add_header(t, "Content-Type", type))
			return false;
		if (longer != NULL)
			t->headers = longer;
	}
	if (!has_header(t, "User-Agent") && !wf_transfer_add_header(t, "User-Agent", USER_AGENT))
		return false;
	if (!has_header(t, "Idempotency-Key") && !wf_transfer_add_header(t, "Idempotency-Key", o->uid))
		return false;
	return wf_transfer_add_header(t, "webhook-id", o->uid);
}

/* With both secrets while receivers change over; the time is the world's, not the engine's. */
static bool
add_signature(Transfer *t, const Outgoing *o, const Credentials *c, const char *body)
{
	char	   *sign = option(o, "sign");
	int64		now = (int64) time(NULL);
	int			length = body != NULL ? (int) strlen(body) : 0;
	char	   *signature;

	if (c == NULL || c->secret == NULL || (sign != NULL && strcmp(sign, "false") == 0))
		return true;
	signature = wf_sign(c->secret, o->uid, now, body != NULL ? body : "", length);
	if (signature != NULL && c->previous_secret != NULL)
	{
		char	   *second = wf_sign(c->previous_secret, o->uid, now, body != NULL ? body : "", length);

		signature = second != NULL ? psprintf("%s %s", signature, second) : NULL;
	}
	return signature != NULL &&
		wf_transfer_add_header(t, "webhook-timestamp", psprintf(INT64_FORMAT, now)) &&
		wf_transfer_add_header(t, "webhook-signature", signature);
}

/* Once the answer has begun, it must go on; how long it takes to begin is bounded by the whole. */
static size_t
on_line(char *line, size_t size, size_t n, void *transfer)
{
	Transfer   *t = transfer;
	HttpState  *state = t->state;
	size_t		length = size * n;

	if (++t->head_lines > TRANSFER_HEAD_LINES)
	{
		t->head_full = true;
		return 0;
	}
	if (state->complete)
		return length;					/* trailers */
	if (length >= 5 && memcmp(line, "HTTP/", 5) == 0)
	{
		long		status = 0;

		curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
		if (t->head.length == 0)
		{
			curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_LIMIT, 16L);
			curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_TIME, state->patience);
		}
		state->status = (int) status;
	}
	if (!wf_bytes_append(&t->head, line, length))
	{
		t->head_full = true;
		return 0;
	}
	if (state->status >= 200 && (line[0] == '\r' || line[0] == '\n'))
		state->complete = true;
	return length;
}

static bool
http_prepare(Transfer *t, const Outgoing *o, const Server *server,
			 const Credentials *credentials, TransferResult *result)
{
	HttpState  *state = palloc0(sizeof(HttpState));
	char	   *body = o->body != NULL ? pstrdup(o->body) : NULL;

	t->state = state;
	state->handed_on = o->channel != NULL && strcmp(o->channel, "http") != 0;
	state->patience = Max(1, (server->timeout + 1999) / 2000);
	if (!is_sendable(body))
		return wf_transfer_refuse(result, "invalid_message", "the body is to be UTF-8; in a database of another encoding, ASCII");
	if (!set_url(t, o, server, credentials, result) || !set_method(t, o, body, result))
		return false;
	if (!add_credentials(t, credentials))
		return wf_transfer_refuse(result, "credentials", "the user mapping's options do not make a valid header");
	if (!add_message_headers(t, o) || !add_ours(t, o, body))
		return wf_transfer_refuse(result, "invalid_message", "a header is not allowed");
	if (!add_signature(t, o, credentials, body))
		return wf_transfer_refuse(result, "credentials", "the secret in the user mapping is not valid");
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_line);
	if (server->http2)
	{
		curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS);
		curl_easy_setopt(t->easy, CURLOPT_PIPEWAIT, 1L);
	}
	return true;
}

static void
http_release(Transfer *t)
{
	HttpState  *state = t->state;

	if (state != NULL && state->text != NULL)
		explicit_bzero(state->text, strlen(state->text));
	if (state != NULL && state->url != NULL)
	{
		/* the handle must not look at it again */
		curl_easy_setopt(t->easy, CURLOPT_CURLU, NULL);
		curl_url_cleanup(state->url);
	}
}

/* --- the answer --- */

typedef struct Line
{
	char	   *name;					/* in lower case */
	char	   *value;
} Line;

/* Lines of the last answer; those before it were interim ones. */
static List *
head_lines(const Transfer *t)
{
	const char *at = t->head.data;
	const char *end = at + t->head.length;
	List	   *lines = NIL;

	while (at < end)
	{
		const char *next = memchr(at, '\n', end - at);
		const char *colon;

		next = next != NULL ? next + 1 : end;
		colon = memchr(at, ':', next - at);
		if (next - at >= 5 && memcmp(at, "HTTP/", 5) == 0)
			lines = NIL;
		else if (colon != NULL)
		{
			Line	   *line = palloc(sizeof(Line));
			const char *from = colon + 1;
			const char *to = next;

			while (from < to && (*from == ' ' || *from == '\t'))
				from++;
			while (to > from && strchr(" \t\r\n", to[-1]) != NULL)
				to--;
			line->name = wf_remote_text(at, colon - at, 0);
			for (char *c = line->name; *c != '\0'; c++)
				*c = pg_ascii_tolower(*c);
			line->value = wf_remote_text(from, to - from, 0);
			lines = lappend(lines, line);
		}
		at = next;
	}
	return lines;
}

static char *
value_of(List *lines, const char *name)
{
	ListCell   *lc;

	foreach(lc, lines)
	{
		Line	   *line = lfirst(lc);

		if (strcmp(line->name, name) == 0)
			return line->value;
	}
	return NULL;
}

/* Those of one name become one, as the protocol has it.  Cookies are secrets of the other side. */
static Jsonb *
headers_of(List *lines)
{
	List	   *merged = NIL;
	JsonbParseState *state = NULL;
	JsonbValue	v;
	JsonbValue *object;
	ListCell   *lc;

	foreach(lc, lines)
	{
		Line	   *line = lfirst(lc);
		Line	   *same = NULL;
		ListCell   *m;

		if (strncmp(line->name, "set-cookie", strlen("set-cookie")) == 0)
			continue;
		foreach(m, merged)
			if (strcmp(((Line *) lfirst(m))->name, line->name) == 0)
				same = lfirst(m);
		if (same != NULL)
			same->value = psprintf("%s, %s", same->value, line->value);
		else
			merged = lappend(merged, line);
	}
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	v.type = jbvString;
	foreach(lc, merged)
	{
		Line	   *line = lfirst(lc);

		v.val.string.val = line->name;
		v.val.string.len = strlen(line->name);
		pushJsonbValue(&state, WJB_KEY, &v);
		v.val.string.val = line->value;
		v.val.string.len = strlen(line->value);
		pushJsonbValue(&state, WJB_VALUE, &v);
	}
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(object);
}

/* Microseconds; -1: nothing one could go by.  Seconds or a date; never more than a day. */
static int64
retry_after_of(const char *value)
{
	int64		seconds = 0;

	if (value == NULL || *value == '\0')
		return -1;
	if (strspn(value, "0123456789") == strlen(value))
	{
		for (const char *c = value; *c != '\0' && seconds < RETRY_AFTER_MAX; c++)
			seconds = seconds * 10 + (*c - '0');
	}
	else
	{
		time_t		date = curl_getdate(value, NULL);

		if (date == (time_t) -1)
			return -1;
		seconds = (int64) date - (int64) time(NULL);
	}
	return Min(Max(seconds, 0), RETRY_AFTER_MAX) * USECS_PER_SEC;
}

/* The answer as an object of JSON; NULL: it is none. */
static Jsonb *
object_of(const char *answer)
{
	LOCAL_FCINFO(fcinfo, 1);
	Datum		value;

	if (answer == NULL || answer[strspn(answer, " \t\r\n")] != '{')
		return NULL;
	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = CStringGetTextDatum(answer);
	fcinfo->args[0].isnull = false;
	value = wf_json_or_null(fcinfo);
	return fcinfo->isnull ? NULL : DatumGetJsonbP(value);
}

/* What the receiver calls the message: services that hand it on to a person say so, and speak of it later. */
static char *
provider_id_of(const HttpState *state, List *lines, const char *answer)
{
	static const char *const names[] = {"sid", "message_id", "messageId", "id"};
	char	   *id = value_of(lines, "x-message-id");
	Jsonb	   *object = NULL;

	if (id == NULL && state->handed_on)
		object = object_of(answer);
	for (int i = 0; object != NULL && id == NULL && i < lengthof(names); i++)
		id = wf_message_option(object, names[i]);
	return id != NULL && *id != '\0' && strlen(id) <= PROVIDER_ID_MAX ? id : NULL;
}

static void
http_judge(Transfer *t, CURLcode ended, TransferResult *result)
{
	HttpState  *state = t->state;
	List	   *lines;

	if (!state->complete)
	{
		wf_transfer_failed(t, ended, t->connected, result);
		return;
	}
	result->end = TRANSFER_ANSWERED;
	result->status = state->status;
	if (t->answer_full)
	{
		result->code = "too_large";
		result->error = psprintf("the answer is longer than %zu bytes and was cut", t->answer.limit);
	}
	else if (ended != CURLE_OK)
	{
		result->code = "incomplete";
		result->error = pstrdup("the answer broke off or stood still behind its header");
	}
	lines = head_lines(t);
	result->headers = headers_of(lines);
	result->answer = wf_remote_text(t->answer.data, t->answer.length, t->answer.limit);
	result->retry_after = retry_after_of(value_of(lines, "retry-after"));
	result->provider_id = provider_id_of(state, lines, result->answer);
}

const TransferKind wf_transfer_http = {.prepare = http_prepare,.judge = http_judge,.release = http_release};
