/*
 * transfer.c -- one transfer: what is set on every handle of curl, what its
 * callbacks leave, and what a failure means.
 *
 * Called by transport.c; transport_http.c and transport_mail.c add what their kind needs.
 * curl can do far more than a delivery needs, and its defaults trust the
 * environment: wf_transfer_prepare() is the one place that says what it may do.
 *
 * Where a connection leads is looked at twice: when its socket is opened, and when
 * a request is about to go out on it, since a connection that is used again was
 * opened for somebody else.
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "address.h"
#include "compat.h"
#include "transport_internal.h"

#define KEPT_BYTES (64 * 1024)			/* of a buffer, for the next transfer */
#define NAMES_SECONDS 60L				/* answers of DNS are believed for that long */
#define CONNECTION_IDLE_SECONDS 50L		/* not used again after that */
#define CONNECTION_LIFE_SECONDS 300L	/* nor after that: names may lead elsewhere */
#define CA_SECONDS 60L

/* --- bytes --- */

bool
wf_bytes_append(Bytes *bytes, const char *data, size_t length)
{
	size_t		room = bytes->limit - bytes->length;
	size_t		taken = Min(length, room);

	if (bytes->length + taken > bytes->allocated)
	{
		size_t		wanted = Min(Max(bytes->length + taken, Max(1024, 2 * bytes->allocated)), bytes->limit);
		char	   *grown = realloc(bytes->data, wanted);

		if (grown == NULL)
		{
			bytes->full = true;
			return false;
		}
		bytes->data = grown;
		bytes->allocated = wanted;
	}
	if (taken > 0)
		memcpy(bytes->data + bytes->length, data, taken);
	bytes->length += taken;
	if (taken < length)
		bytes->full = true;
	return taken == length;
}

static void
empty_bytes(Bytes *bytes)
{
	if (bytes->allocated > KEPT_BYTES)
	{
		free(bytes->data);
		bytes->data = NULL;
		bytes->allocated = 0;
	}
	bytes->length = 0;
	bytes->full = false;
}

/* -1: not valid.  If it was cut, a character at the end that is in two does not count. */
static int
valid_length(const char *text, int length, bool cut)
{
	int			valid = pg_encoding_verifymbstr(GetDatabaseEncoding(), text, length);

	if (valid == length)
		return length;
	/* what follows may be the beginning of a character, if it is too short to be one */
	if (cut && length - valid < pg_database_encoding_max_length() &&
		valid + pg_encoding_mblen(GetDatabaseEncoding(), text + valid) > length)
		return valid;
	return -1;
}

char *
wf_remote_text(const char *data, size_t length, size_t max)
{
	/* what has that many bytes may have had more */
	bool		cut = max > 0 && length >= max;
	char	   *text = palloc((cut ? max : length) + 1);
	StringInfoData escaped;
	int			n = 0;
	int			valid;

	if (cut)
		length = max;
	for (size_t i = 0; i < length; i++)
		if (data[i] != '\0')
			text[n++] = data[i];
	text[n] = '\0';
	valid = valid_length(text, n, cut);
	if (valid >= 0)
	{
		text[valid] = '\0';
		return text;
	}
	initStringInfo(&escaped);
	for (int i = 0; i < n; i++)
	{
		if (IS_HIGHBIT_SET(text[i]))
			appendStringInfo(&escaped, "\\x%02x", (unsigned char) text[i]);
		else
			appendStringInfoChar(&escaped, text[i]);
	}
	pfree(text);
	return escaped.data;
}

/* --- headers --- */

/* Overwrites, then frees. */
static void
forget_list(struct curl_slist *list)
{
	for (struct curl_slist *i = list; i != NULL; i = i->next)
		explicit_bzero(i->data, strlen(i->data));
	curl_slist_free_all(list);
}

static bool
is_token(const char *name)
{
	if (*name == '\0')
		return false;
	for (const char *c = name; *c != '\0'; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
			  strchr("!#$%&'*+-.^_`|~", *c) != NULL))
			return false;
	return true;
}

static bool
is_line(const char *value)
{
	for (const char *c = value; *c != '\0'; c++)
		if (((unsigned char) *c < 0x20 && *c != '\t') || *c == 0x7f)
			return false;
	return true;
}

bool
wf_transfer_add_header(Transfer *t, const char *name, const char *value)
{
	struct curl_slist *longer;
	char	   *line;

	if (!is_token(name) || !is_line(value))
		return false;
	/* a header without a value is written with a semicolon: curl would leave it out */
	line = value[strspn(value, " \t")] == '\0' ? psprintf("%s;", name) : psprintf("%s: %s", name, value);
	longer = curl_slist_append(t->headers, line);
	explicit_bzero(line, strlen(line));
	pfree(line);
	if (longer == NULL)
		return false;
	t->headers = longer;
	return true;
}

/* --- callbacks: within curl, so nothing of PostgreSQL's that could raise an error --- */

static curl_socket_t
on_open(void *transfer, curlsocktype purpose, struct curl_sockaddr *address)
{
	Transfer   *t = transfer;
	int			fd;

	if (!t->allow_private && wf_address_refused(&address->addr))
	{
		t->refused++;
		return CURL_SOCKET_BAD;
	}
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	t->opened++;
	wf_transport_opened(fd);
	return fd;
}

static int
on_close(void *nothing, curl_socket_t fd)
{
	wf_transport_closed(fd);
	return close(fd);
}

/* The connection is there; the request is not on its way yet. */
static int
on_ready(void *transfer, char *address, char *local_address, int port, int local_port)
{
	Transfer   *t = transfer;

	if (!t->allow_private && wf_address_text_refused(address))
	{
		t->refused++;
		return CURL_PREREQFUNC_ABORT;
	}
	t->connected = true;
	return CURL_PREREQFUNC_OK;
}

static size_t
on_head(char *line, size_t size, size_t n, void *transfer)
{
	Transfer   *t = transfer;

	if (++t->head_lines > TRANSFER_HEAD_LINES || !wf_bytes_append(&t->head, line, size * n))
	{
		t->head_full = true;
		return 0;
	}
	return size * n;
}

static size_t
on_answer(char *data, size_t size, size_t n, void *transfer)
{
	Transfer   *t = transfer;

	if (!wf_bytes_append(&t->answer, data, size * n))
	{
		t->answer_full = true;
		return 0;
	}
	return size * n;
}

/* --- its life --- */

Transfer *
wf_transfer_new(void)
{
	Transfer   *t;
	CURL	   *easy = curl_easy_init();

	if (easy == NULL)
		return NULL;
	t = MemoryContextAllocZero(TopMemoryContext, sizeof(Transfer));
	t->easy = easy;
	t->talk_socket = -1;
	t->context = AllocSetContextCreate(TopMemoryContext, "automation transfer", ALLOCSET_SMALL_SIZES);
	t->head.limit = TRANSFER_HEAD_BYTES;
	return t;
}

void
wf_transfer_free(Transfer *t)
{
	curl_easy_cleanup(t->easy);
	free(t->head.data);
	free(t->answer.data);
	MemoryContextDelete(t->context);
	pfree(t);
}

/* Of a handle that goes on to a transfer of the same kind: what was this one's. */
static void
forget_message(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) 0);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 0L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, 0L);
}

void
wf_transfer_clean(Transfer *t)
{
	if (t->kind != NULL)
		t->kind->release(t);
	t->kind = NULL;
	if (t->similar)
		forget_message(t->easy);
	else
	{
		curl_easy_reset(t->easy);
		t->kept_timeout = t->kept_connect_timeout = 0;
	}
	t->similar = false;
	forget_list(t->headers);
	t->headers = NULL;
	t->state = NULL;
	t->opened = t->refused = t->head_lines = 0;
	t->talk_socket = -1;
	t->talk_ready = t->talk_writes = false;
	t->connected = t->head_full = t->answer_full = false;
	empty_bytes(&t->head);
	empty_bytes(&t->answer);
	t->error[0] = '\0';
	MemoryContextReset(t->context);
}

/* --- what every handle has --- */

static void
set_bounds(CURL *easy, const Server *server)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) server->timeout);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) server->connect_timeout);
	curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, NAMES_SECONDS);
	/* else curl, and all others with it, would wait for the thread that a name server keeps waiting */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, CONNECTION_IDLE_SECONDS);
	curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, CONNECTION_LIFE_SECONDS);
}

/* Nothing but the server that is named, by the way that is named. */
static void
set_ways(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "");		/* the kind says which one */
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	curl_easy_setopt(easy, CURLOPT_UNRESTRICTED_AUTH, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, NULL);
}

static void
set_tls(CURL *easy, const Server *server)
{
	bool		verify = server->verify || !server->trusted;

	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
	curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, CA_SECONDS);
	if (!server->trusted)
		return;
	if (server->ca_file != NULL)
	{
		/* these alone, not those of the system as well */
		curl_easy_setopt(easy, CURLOPT_CAINFO, server->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	if (server->client_cert != NULL)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, server->client_cert);
	if (server->client_key != NULL)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, server->client_key);
}

static void
set_callbacks(Transfer *t)
{
	CURL	   *easy = t->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *) t);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, (void *) t);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);	/* the connection may outlive t */
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, (void *) t);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, (void *) t);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, (void *) t);
}

/*
 * An error here is one of this message's data, which is never to stop the
 * deliveries of others: it is refused.  Nothing outside t has been touched.
 */
static bool
prepare_kind(Transfer *t, const Outgoing *o, const Server *server, const Credentials *credentials,
			 TransferResult *result)
{
	MemoryContext outer = MemoryContextSwitchTo(t->context);
	volatile bool prepared = false;

	PG_TRY();
	{
		prepared = t->kind->prepare(t, o, server, credentials, result);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(outer);
		if (geterrcode() == ERRCODE_OUT_OF_MEMORY)
			PG_RE_THROW();
		FlushErrorState();
		prepared = wf_transfer_refuse(result, "invalid_message", "the message cannot be made into a request");
	}
	PG_END_TRY();
	MemoryContextSwitchTo(outer);
	return prepared;
}

bool
wf_transfer_prepare(Transfer *t, const Outgoing *o, const Server *server,
					const Credentials *credentials, TransferResult *result)
{
	t->kind = strcmp(o->kind, "mail") == 0 ? &wf_transfer_mail : &wf_transfer_http;
	t->allow_private = server->trusted && server->allow_private;
	t->answer.limit = server->answer_limit;
	if (t->kept_timeout != 0 &&
		(t->kind != &wf_transfer_http || t->kept_timeout != server->timeout || t->kept_connect_timeout != server->connect_timeout))
	{
		curl_easy_reset(t->easy);
		t->kept_timeout = 0;
	}
	if (t->kept_timeout == 0)
	{
		/* handles are their pool's: what else a server says is the same for all of it */
		set_bounds(t->easy, server);
		set_ways(t->easy);
		set_tls(t->easy, server);
		set_callbacks(t);
		t->kept_timeout = server->timeout;
		t->kept_connect_timeout = server->connect_timeout;
	}
	return prepare_kind(t, o, server, credentials, result);
}

/*
 * What the kind makes of the end.  An answer is the other side's: an error that it
 * causes here must not end the process, which would send the message again and again.
 * What the result says by then stands.
 */
static void
judge_kind(Transfer *t, CURLcode ended, TransferResult *result)
{
	MemoryContext context = CurrentMemoryContext;

	result->end = TRANSFER_BROKEN;
	result->code = "failed";
	PG_TRY();
	{
		t->kind->judge(t, ended, result);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		result->code = "invalid_answer";
		result->error = pstrdup("the answer could not be understood");
	}
	PG_END_TRY();
}

TransferResult *
wf_transfer_judge(Transfer *t, CURLcode ended)
{
	TransferResult *result = palloc0(sizeof(TransferResult));
	curl_off_t	microseconds = 0;

	result->id = t->id;
	result->attempt = t->attempt;
	result->retry_after = -1;
	judge_kind(t, ended, result);
	/* who speaks himself has measured himself */
	if (t->kind->talk == NULL && curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME_T, &microseconds) == CURLE_OK)
		result->milliseconds = (int) (microseconds / 1000);
	return result;
}

/* --- what a failure means --- */

bool
wf_transfer_refuse(TransferResult *result, const char *code, const char *words)
{
	result->end = TRANSFER_REFUSED;
	result->code = code;
	result->error = pstrdup(words);
	return false;
}

static const struct
{
	CURLcode	ended;
	const char *code;
	const char *words;
}			failures[] =
{
	{CURLE_COULDNT_RESOLVE_HOST, "dns", "the host name could not be resolved"},
	{CURLE_COULDNT_CONNECT, "refused", "no connection could be made"},
	{CURLE_OPERATION_TIMEDOUT, "timeout", "it took too long"},
	{CURLE_SSL_CONNECT_ERROR, "tls", "the TLS handshake failed"},
	{CURLE_PEER_FAILED_VERIFICATION, "tls", "the certificate was not accepted"},
	{CURLE_SSL_ISSUER_ERROR, "tls", "the certificate was not accepted"},
	{CURLE_SSL_INVALIDCERTSTATUS, "tls", "the certificate was not accepted"},
	{CURLE_SSL_CACERT_BADFILE, "tls", "the file of option ca_file could not be used"},
	{CURLE_SSL_CERTPROBLEM, "tls", "the file of option client_cert or client_key could not be used"},
	{CURLE_SSL_CIPHER, "tls", "no cipher is known to both sides"},
	{CURLE_SSL_CLIENTCERT, "tls", "the server wants a client certificate"},
	{CURLE_SSL_SHUTDOWN_FAILED, "tls", "the TLS connection was not closed in order"},
	{CURLE_USE_SSL_FAILED, "tls", "the server does not offer STARTTLS"},
	{CURLE_LOGIN_DENIED, "login_denied", "the server did not accept user and password"},
	{CURLE_SEND_ERROR, "reset", "the connection was closed while sending"},
	{CURLE_RECV_ERROR, "reset", "the connection was closed before the answer was complete"},
	{CURLE_GOT_NOTHING, "reset", "the connection was closed without an answer"},
	{CURLE_PARTIAL_FILE, "reset", "the connection was closed before the answer was complete"},
	{CURLE_HTTP2, "reset", "the HTTP/2 connection failed"},
	{CURLE_HTTP2_STREAM, "reset", "the HTTP/2 stream was closed before the answer was complete"},
	{CURLE_WEIRD_SERVER_REPLY, "invalid_answer", "the answer could not be understood"},
	{CURLE_UNSUPPORTED_PROTOCOL, "invalid_answer", "the answer could not be understood"},
	{CURLE_OUT_OF_MEMORY, "no_memory", "there was no memory"}
};

void
wf_transfer_failed(Transfer *t, CURLcode ended, bool received, TransferResult *result)
{
	result->end = received ? TRANSFER_BROKEN : TRANSFER_NOT_SENT;
	result->code = "failed";
	result->error = NULL;
	for (int i = 0; i < lengthof(failures); i++)
	{
		if (failures[i].ended != ended)
			continue;
		result->code = failures[i].code;
		result->error = pstrdup(failures[i].words);
		break;
	}
	if (!t->connected && t->refused > 0 && (t->opened == 0 || ended == CURLE_ABORTED_BY_CALLBACK))
	{
		result->code = "address_refused";
		result->error = pstrdup("the host name leads to an address that is loopback, private, reserved, or this machine's");
	}
	else if (t->head_full || (ended == CURLE_OUT_OF_MEMORY && t->connected))
	{
		/* a line that is longer than curl's own limit is said to be lack of memory */
		result->code = "too_large";
		result->error = psprintf("the answer's header is longer than %d lines or %d bytes",
								 TRANSFER_HEAD_LINES, TRANSFER_HEAD_BYTES);
	}
	else if (ended == CURLE_OPERATION_TIMEDOUT && !t->connected)
	{
		result->code = "connect_timeout";
		result->error = pstrdup("no connection could be made in time");
	}
	if (result->error == NULL)
		result->error = psprintf("the transfer failed (libcurl: %s)", curl_easy_strerror(ended));
	else if (strcmp(result->code, "tls") == 0 && t->error[0] != '\0')
		/* about certificates and protocols, nothing of the message */
		result->error = psprintf("%s (libcurl: %s)", result->error,
								 wf_remote_text(t->error, strlen(t->error), 200));
}
