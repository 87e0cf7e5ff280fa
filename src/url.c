/*
 * url.c -- addresses in one canonical form.
 *
 * Called wherever an address is given (options of a server, targets of messages)
 * and again before something leaves.  libcurl takes the text apart, as it will for
 * the transfer; what two programs could read in two ways is refused instead of
 * guessed: a user name, a fragment, a backslash, an encoded slash or dot, numbers
 * that are half an address.  So what is compared here is what is connected to.
 *
 * Results are in the current context.  No errors but for want of memory, no locks.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <curl/curl.h>

#include "compat.h"
#include "url.h"

#define HOST_MAX 253					/* characters of a host's name */
#define LABEL_MAX 63
#define TOKEN_LENGTH 24					/* characters of a part of a path that may be random */

static const struct
{
	const char *scheme;
	int			port;
}			schemes[] = {
	{"http", 80},
	{"https", 443},
	{"smtp", 25},
	{"smtps", 465},
};

static int
default_port(const char *scheme)
{
	for (int i = 0; i < lengthof(schemes); i++)
	{
		if (strcmp(schemes[i].scheme, scheme) == 0)
			return schemes[i].port;
	}
	return 0;
}

/* Letters as in ASCII, whatever the locale says. */
static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex(char c)
{
	return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}

/* ----------------------------------------------------------------
 * The text, before libcurl reads it
 * ----------------------------------------------------------------
 */

static const char *
scan_characters(const char *text)
{
	if (strlen(text) > URL_MAX)
		return "it is longer than 8000 bytes";
	for (const unsigned char *c = (const unsigned char *) text; *c; c++)
	{
		if (*c <= ' ' || *c == 0x7f)
			return "it has a space or a control character in it";
		if (*c == '\\')
			return "it has a backslash in it";
		if (*c == '#')
			return "it has a fragment (#)";
	}
	return NULL;
}

/* scheme://authority and the rest; *rest is where the authority ends. */
static const char *
scan_authority(const char *text, const char **rest)
{
	const char *at = strstr(text, "://");
	size_t		length;

	if (at == NULL)
		return "it has no scheme such as https://";
	for (const char *c = text; c < at; c++)
	{
		if (!(lower(*c) >= 'a' && lower(*c) <= 'z'))
			return "its scheme is none of http, https, smtp and smtps";
	}
	at += 3;
	length = strcspn(at, "/?");
	*rest = at + length;
	if (length == 0)
		return "it has no host";
	if (memchr(at, '@', length) != NULL)
		return "it has a user name or password in it";
	/* libcurl takes %41 for A in a host */
	if (memchr(at, '%', length) != NULL)
		return "it has a % in its host";
	return NULL;
}

static bool
is_encoded(const char *c, char high, char low)
{
	return lower(c[1]) == high && lower(c[2]) == low;
}

/* Path and query: ASCII, and nothing encoded that would be a separator. */
static const char *
scan_rest(const char *rest)
{
	bool		in_query = false;

	for (const char *c = rest; *c; c++)
	{
		if (*c & 0x80)
			return "it has characters in its path that are not ASCII and not encoded as %XX";
		if (*c == '?')
			in_query = true;
		if (*c == '%')
		{
			if (!is_hex(c[1]) || !is_hex(c[2]))
				return "it has a % without two hexadecimal digits behind it";
			if (is_encoded(c, '0', '0'))
				return "it has an encoded NUL (%00) in it";
			if (!in_query && (is_encoded(c, '2', 'e') || is_encoded(c, '2', 'f') || is_encoded(c, '5', 'c')))
				return "it has an encoded dot, slash or backslash (%2E, %2F, %5C) in its path";
		}
		/* some servers take "..;" for ".." */
		if (!in_query && *c == '/' && c[1] == '.' && (c[2] == ';' || (c[2] == '.' && c[3] == ';')))
			return "it has a dot segment with a parameter in its path";
	}
	return NULL;
}

/* ----------------------------------------------------------------
 * The parts, as libcurl reads them
 * ----------------------------------------------------------------
 */

/* A copy of a part, NULL if there is none. */
static char *
part(CURLU *handle, CURLUPart what, unsigned int flags)
{
	char	   *value = NULL;
	char	   *copy;

	if (curl_url_get(handle, what, &value, flags) != CURLUE_OK || value == NULL)
		return NULL;
	copy = MemoryContextAllocExtended(CurrentMemoryContext, strlen(value) + 1, MCXT_ALLOC_NO_OOM);
	if (copy)
		strcpy(copy, value);
	curl_free(value);
	if (copy == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	return copy;
}

/* "[::1]" in the shortest form; NULL if it is none. */
static char *
canonical_ipv6(const char *host)
{
	struct in6_addr address;
	char		text[INET6_ADDRSTRLEN];
	size_t		length = strlen(host);
	char	   *inner;

	if (length < 4 || host[length - 1] != ']')
		return NULL;
	inner = pnstrdup(host + 1, length - 2);
	if (inet_pton(AF_INET6, inner, &address) != 1 || inet_ntop(AF_INET6, &address, text, sizeof(text)) == NULL)
		return NULL;
	return psprintf("[%s]", text);
}

/*
 * A resolver may take a name whose last label is a number for an address: only
 * the form of four decimal numbers is let through.
 */
static bool
looks_numeric(const char *host)
{
	const char *last = strrchr(host, '.');

	last = last ? last + 1 : host;
	return is_digit(*last) && (strspn(last, "0123456789") == strlen(last) ||
							   (last[0] == '0' && lower(last[1]) == 'x'));
}

/* Labels of letters, digits, hyphen and underscore. */
static bool
valid_name(const char *host)
{
	int			label = 0;

	if (strlen(host) > HOST_MAX)
		return false;
	for (const char *c = host;; c++)
	{
		if (*c == '.' || *c == '\0')
		{
			if (label == 0 || label > LABEL_MAX)
				return false;
			label = 0;
			if (*c == '\0')
				return true;
		}
		else if ((*c >= 'a' && *c <= 'z') || is_digit(*c) || *c == '-' || *c == '_')
			label++;
		else
			return false;
	}
}

static bool
is_ascii(const char *text)
{
	for (; *text; text++)
	{
		if (*text & 0x80)
			return false;
	}
	return true;
}

static char *
canonical_host(char *host, const char **problem)
{
	struct in_addr address;
	size_t		length = strlen(host);

	for (char *c = host; *c; c++)
		*c = lower(*c);
	*problem = "its host is not valid";
	if (host[0] == '[')
		return canonical_ipv6(host);
	if (length > 1 && host[length - 1] == '.')
		host[length - 1] = '\0';
	if (!valid_name(host))
		return NULL;
	if (looks_numeric(host) && inet_pton(AF_INET, host, &address) != 1)
		return NULL;
	return host;
}

/* The host; names beyond ASCII as libcurl encodes them (xn--), where it can. */
static char *
read_host(CURLU *handle, const char **problem)
{
	char	   *host = part(handle, CURLUPART_HOST, 0);

	if (host && !is_ascii(host))
	{
#ifdef CURLU_PUNYCODE
		host = part(handle, CURLUPART_HOST, CURLU_PUNYCODE);
#endif
		if (host == NULL || !is_ascii(host))
		{
			*problem = "its host is not ASCII and cannot be encoded here: write it in its form xn--...";
			return NULL;
		}
	}
	*problem = "its host is not valid";
	return host ? canonical_host(host, problem) : NULL;
}

static bool
read_parts(CURLU *handle, Url *url, const char **problem)
{
	char	   *port;

	url->scheme = part(handle, CURLUPART_SCHEME, 0);
	*problem = "its scheme is none of http, https, smtp and smtps";
	if (url->scheme == NULL || default_port(url->scheme) == 0)
		return false;
	url->host = read_host(handle, problem);
	if (url->host == NULL)
		return false;
	port = part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	url->port = port ? atoi(port) : 0;
	*problem = "its port is not a number between 1 and 65535";
	if (url->port < 1 || url->port > 65535)
		return false;
	url->path = part(handle, CURLUPART_PATH, 0);
	if (url->path == NULL || url->path[0] != '/')
		url->path = pstrdup("/");
	url->query = part(handle, CURLUPART_QUERY, 0);
	return true;
}

Url *
wf_url_parse(const char *text, const char **problem)
{
	Url		   *url = palloc0(sizeof(Url));
	const char *rest = NULL;
	CURLU	   *handle;
	CURLUcode	code;
	bool		good = false;

	if ((*problem = scan_characters(text)) != NULL || (*problem = scan_authority(text, &rest)) != NULL ||
		(*problem = scan_rest(rest)) != NULL)
		return NULL;
	handle = curl_url();
	if (handle == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	*problem = "it is not a URL";
	PG_TRY();
	{
		code = curl_url_set(handle, CURLUPART_URL, text, CURLU_DISALLOW_USER);
		if (code == CURLUE_OK)
			good = read_parts(handle, url, problem);
		else if (code == CURLUE_BAD_PORT_NUMBER)
			*problem = "its port is not a number between 1 and 65535";
		else if (code == CURLUE_UNSUPPORTED_SCHEME || code == CURLUE_BAD_SCHEME)
			*problem = "its scheme is none of http, https, smtp and smtps";
		else if (code == CURLUE_BAD_HOSTNAME)	/* newer libraries find more that canonical_host() would */
			*problem = "its host is not valid";
	}
	PG_FINALLY();
	{
		curl_url_cleanup(handle);
	}
	PG_END_TRY();
	if (good)
		*problem = NULL;
	return good ? url : NULL;
}

char *
wf_url_text(const Url *url)
{
	char	   *port = url->port == default_port(url->scheme) ? "" : psprintf(":%d", url->port);

	return psprintf("%s://%s%s%s%s%s", url->scheme, url->host, port, url->path,
					url->query ? "?" : "", url->query ? url->query : "");
}

bool
wf_url_below(const Url *base, const Url *url)
{
	size_t		length = strlen(base->path);

	if (strcmp(base->scheme, url->scheme) != 0 || strcmp(base->host, url->host) != 0)
		return false;
	/* "/crm/" is written "/crm" here, and "/" is "" */
	while (length > 0 && base->path[length - 1] == '/')
		length--;
	return strncmp(base->path, url->path, length) == 0 &&
		(url->path[length] == '\0' || url->path[length] == '/');
}

/* ----------------------------------------------------------------
 * Secrets
 * ----------------------------------------------------------------
 */

/* A part of a path with letters and digits that nobody would choose. */
static bool
looks_random(const char *start, size_t length)
{
	bool		digit = false;
	bool		letter = false;

	for (size_t i = 0; i < length; i++)
	{
		digit |= start[i] >= '0' && start[i] <= '9';
		letter |= (start[i] >= 'a' && start[i] <= 'z') || (start[i] >= 'A' && start[i] <= 'Z');
	}
	return length >= TOKEN_LENGTH && digit && letter;
}

/* Whose addresses are all that one needs to write to them. */
static bool
has_secret_addresses(const char *host)
{
	static const char *const hosts[] = {"hooks.slack.com", "hooks.zapier.com", "api.telegram.org", ".webhook.office.com"};
	size_t		length = strlen(host);

	for (int i = 0; i < lengthof(hosts); i++)
	{
		size_t		n = strlen(hosts[i]);

		if (length >= n && strcmp(host + length - n, hosts[i]) == 0 &&
			(length == n || hosts[i][0] == '.'))
			return true;
	}
	return false;
}

bool
wf_url_looks_secret(const Url *url)
{
	/* hooks.slack.com/services alone says nothing yet */
	if (has_secret_addresses(url->host) && strchr(url->path + 1, '/') != NULL)
		return true;
	for (const char *part = url->path; *part == '/'; part += 1 + strcspn(part + 1, "/"))
	{
		if (looks_random(part + 1, strcspn(part + 1, "/")))
			return true;
	}
	return false;
}
