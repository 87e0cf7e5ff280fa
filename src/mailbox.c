/*
 * mailbox.c -- what a mailbox may look like, and when two addresses are the same.
 *
 * Called by message.c before anything leaves, by suppression.c, caps.c and inbound.c.
 * Results are palloc'd in the caller's context.  No table, no lock; nothing raises an
 * error: what is no address is returned as it is, or is not valid.
 *
 * A mailbox is local@domain in ASCII: atoms with dots between them, so that there is
 * nothing in it a mail server could read as two addresses, a route, a comment or a
 * command.  Quoted local parts and addresses in brackets exist, but not for us.
 */
#include "postgres.h"

#include <locale.h>

#include <curl/curl.h>

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "compat.h"
#include "suppression.h"

#define MAX_LOCAL 64					/* bytes, RFC 5321 */
#define MAX_MAILBOX 254
#define MAX_LABEL 63

/* --- one mailbox --- */

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* A character of an atom (RFC 5322 atext, ASCII). */
static bool
is_atext(char c)
{
	return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Atoms with single dots between them. */
static bool
is_local_part(const char *text, size_t length)
{
	if (length == 0 || length > MAX_LOCAL)
		return false;
	for (size_t i = 0; i < length; i++)
	{
		if (text[i] == '.' ? i == 0 || i == length - 1 || text[i - 1] == '.' : !is_atext(text[i]))
			return false;
	}
	return true;
}

static bool
is_label(const char *text, size_t length)
{
	if (length == 0 || length > MAX_LABEL || text[0] == '-' || text[length - 1] == '-')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_alnum(text[i]) && text[i] != '-')
			return false;
	return true;
}

/* Labels with dots between them, at least two, the last one no number: not an IP address. */
static bool
is_domain(const char *text)
{
	const char *label = text;
	int			labels = 1;

	for (const char *dot = strchr(label, '.'); dot != NULL; label = dot + 1, dot = strchr(label, '.'))
	{
		if (!is_label(label, dot - label))
			return false;
		labels++;
	}
	return is_label(label, strlen(label)) && labels >= 2 && strspn(label, "0123456789") < strlen(label);
}

bool
wf_mailbox_valid(const char *mailbox)
{
	const char *at;

	if (mailbox == NULL || strlen(mailbox) > MAX_MAILBOX)
		return false;
	at = strchr(mailbox, '@');
	return at != NULL && is_local_part(mailbox, at - mailbox) && is_domain(at + 1);
}

/* --- the same recipient --- */

/* Without white space at both ends. */
static char *
trim(const char *text)
{
	static const char white[] = " \t\r\n\f\v";
	size_t		length;

	text += strspn(text, white);
	length = strlen(text);
	while (length > 0 && strchr(white, text[length - 1]) != NULL)
		length--;
	return pnstrdup(text, length);
}

static char *
lower_ascii(char *text)
{
	for (char *c = text; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	return text;
}

static bool
is_ascii(const char *text)
{
	for (; *text; text++)
		if (IS_HIGHBIT_SET(*text))
			return false;
	return true;
}

#ifdef CURLU_PUNYCODE
/* The host of a URL that has nothing else, in its xn-- form; NULL: it can't be. */
static char *
host_of(const char *url)
{
	CURLU	   *parts = curl_url();
	char	   *host = NULL;
	char	   *result = NULL;

	if (parts == NULL)
		return NULL;
	if (curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
		curl_url_get(parts, CURLUPART_HOST, &host, CURLU_PUNYCODE) == CURLUE_OK && is_ascii(host))
		result = MemoryContextStrdup(CurrentMemoryContext, host);
	curl_free(host);
	curl_url_cleanup(parts);
	return result;
}
#endif

/*
 * The xn-- form of a domain in letters beyond ASCII; the domain itself where nobody can tell.
 * libidn2 behind libcurl reads the locale's encoding, whatever the database's is: so for
 * this call the thread is in UTF-8.
 */
static char *
domain_in_ascii(char *domain)
{
#ifdef CURLU_PUNYCODE
	char	   *utf8 = (char *) pg_do_encoding_conversion((unsigned char *) domain, strlen(domain),
														  GetDatabaseEncoding(), PG_UTF8);
	char	   *url;
	char	   *host;
	locale_t	locale;
	locale_t	old;

	if (strpbrk(domain, "/?#@:[]\\% ") != NULL)
		return domain;
	locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t) 0);
	if (locale == (locale_t) 0)
		return domain;
	url = psprintf("http://%s/", utf8);
	old = uselocale(locale);
	host = host_of(url);
	uselocale(old);
	freelocale(locale);
	return host ? host : domain;
#else
	return domain;
#endif
}

static char *
normalize_mailbox(char *mailbox)
{
	char	   *at = strrchr(mailbox, '@');
	char	   *domain;
	size_t		length;

	lower_ascii(mailbox);
	if (at == NULL)
		return mailbox;
	domain = pstrdup(at + 1);
	*at = '\0';
	if (!is_ascii(domain))
		domain = lower_ascii(domain_in_ascii(domain));
	length = strlen(domain);
	if (length > 1 && domain[length - 1] == '.')
		domain[length - 1] = '\0';
	return psprintf("%s@%s", mailbox, domain);
}

/* Digits only: people write +49, 0049, blanks, dots and parentheses. */
static char *
normalize_number(char *number)
{
	char	   *to = number;
	bool		international = strncmp(number, "00", 2) == 0;

	for (const char *from = number; *from; from++)
		if (*from >= '0' && *from <= '9')
			*to++ = *from;
	*to = '\0';
	return international ? number + 2 : number;
}

char *
wf_address_normalize(const char *channel, const char *address)
{
	char	   *text = trim(address);

	if (strcmp(channel, CHANNEL_MAIL) == 0)
		return normalize_mailbox(text);
	if (strcmp(channel, CHANNEL_SMS) == 0)
		return normalize_number(text);
	return text;
}

char *
wf_address_hash(const char *normalized)
{
	pg_cryptohash_ctx *sha = pg_cryptohash_create(PG_SHA256);
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	char	   *text = palloc(2 * sizeof(digest) + 1);

	if (pg_cryptohash_init(sha) < 0 ||
		pg_cryptohash_update(sha, (const uint8 *) normalized, strlen(normalized)) < 0 ||
		pg_cryptohash_final(sha, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not compute a hash: %s", pg_cryptohash_error(sha));
	pg_cryptohash_free(sha);
	text[hex_encode((const char *) digest, sizeof(digest), text)] = '\0';
	return text;
}
