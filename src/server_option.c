/*
 * server_option.c -- the options of a server in one table: name, default, what a
 * value looks like, and who may set it.
 *
 * The defaults are read by the same functions as what people write, and validator,
 * loader, automation.server_option() and the hints of errors all go by the
 * table.  Results are in the current context.  No errors, no locks, no
 * catalogs: also called in the delivery worker.
 */
#include "postgres.h"

#include <math.h>

#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "server_option.h"
#include "url.h"

#define RATE_MAX 1000000				/* messages a second */
#define COUNT_MAX 1000000000
#define CONCURRENCY_MAX 1000
#define ATTEMPTS_MAX 50
#define PAUSE_MAX (30 * USECS_PER_DAY)	/* between two attempts */
#define TIMEOUT_MAX (10 * USECS_PER_MINUTE)
#define ANSWER_MAX (1024 * 1024)
#define TEXT_MAX 1000					/* bytes */

/* ----------------------------------------------------------------
 * Words
 * ----------------------------------------------------------------
 */

static const char *
skip_spaces(const char *text)
{
	while (*text == ' ' || *text == '\t')
		text++;
	return text;
}

/* Digits, with a fraction perhaps; no sign, exponent or name. */
static bool
take_number(const char **text, double *number)
{
	const char *start = skip_spaces(*text);
	const char *end = start + strspn(start, "0123456789");

	if (end == start)
		return false;
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (end - start > 15)
		return false;
	*number = strtod(start, NULL);
	*text = end;
	return true;
}

static const struct
{
	const char *name;
	int64		length;
}			units[] = {
	{"ms", 1000},
	{"s", USECS_PER_SEC},
	{"sec", USECS_PER_SEC},
	{"second", USECS_PER_SEC},
	{"seconds", USECS_PER_SEC},
	{"m", USECS_PER_MINUTE},
	{"min", USECS_PER_MINUTE},
	{"minute", USECS_PER_MINUTE},
	{"minutes", USECS_PER_MINUTE},
	{"h", USECS_PER_HOUR},
	{"hour", USECS_PER_HOUR},
	{"hours", USECS_PER_HOUR},
	{"d", USECS_PER_DAY},
	{"day", USECS_PER_DAY},
	{"days", USECS_PER_DAY},
	{"week", 7 * USECS_PER_DAY},
	{"weeks", 7 * USECS_PER_DAY},
};

static bool
take_unit(const char **text, int64 *length)
{
	const char *start = skip_spaces(*text);
	size_t		n = 0;

	while ((start[n] >= 'a' && start[n] <= 'z') || (start[n] >= 'A' && start[n] <= 'Z'))
		n++;
	for (int i = 0; i < lengthof(units); i++)
	{
		if (strlen(units[i].name) == n && pg_strncasecmp(units[i].name, start, n) == 0)
		{
			*length = units[i].length;
			*text = start + n;
			return true;
		}
	}
	return false;
}

int64
wf_duration(const char *text)
{
	double		sum = 0;

	do
	{
		double		number;
		int64		unit;

		if (!take_number(&text, &number))
			return -1;
		if (!take_unit(&text, &unit))
		{
			/* zero is zero of anything */
			if (number != 0 || *skip_spaces(text) != '\0')
				return -1;
			break;
		}
		sum += number * unit;
		text = skip_spaces(text);
	} while (*text != '\0');
	return sum <= 3650.0 * USECS_PER_DAY ? (int64) rint(sum) : -1;
}

/* "10", "600/min", "3/day", "1/12 hours": how many in how long. */
static bool
take_rate(const char *value, double *number, int64 *period)
{
	double		times = 1;
	int64		unit;

	*period = USECS_PER_SEC;
	if (!take_number(&value, number) || *number > COUNT_MAX)
		return false;
	value = skip_spaces(value);
	if (*value == '\0')
		return true;
	if (*value++ != '/')
		return false;
	(void) take_number(&value, &times);
	if (!take_unit(&value, &unit) || *skip_spaces(value) != '\0')
		return false;
	if (times <= 0 || times * unit < 1 || times * unit > 366.0 * USECS_PER_DAY)
		return false;
	*period = (int64) (times * unit);
	return true;
}

static bool
take_int(const char *value, int min, int max, int *number)
{
	double		n;

	if (!take_number(&value, &n) || *skip_spaces(value) != '\0' || n != floor(n) || n < min || n > max)
		return false;
	*number = (int) n;
	return true;
}

static bool
is_plain(const char *value, size_t max)
{
	if (*value == '\0' || strlen(value) > max)
		return false;
	for (const unsigned char *c = (const unsigned char *) value; *c; c++)
	{
		if (*c < ' ' || *c == 0x7f)
			return false;
	}
	return true;
}

/* Parts between commas, without spaces around them; NIL if one is empty. */
static List *
split_list(const char *value)
{
	List	   *parts = NIL;

	for (;;)
	{
		const char *start = skip_spaces(value);
		const char *end = start + strcspn(start, ",");
		const char *last = end;

		while (last > start && (last[-1] == ' ' || last[-1] == '\t'))
			last--;
		if (last == start)
			return NIL;
		parts = lappend(parts, pnstrdup(start, last - start));
		if (*end == '\0')
			return parts;
		value = end + 1;
	}
}

/* ----------------------------------------------------------------
 * Values
 * ----------------------------------------------------------------
 */

static bool
read_url(Server *server, const char *value)
{
	const char *problem;
	Url		   *url = wf_url_parse(value, &problem);
	size_t		length;

	if (url == NULL || url->query != NULL)
		return false;
	server->type = strncmp(url->scheme, "smtp", 4) == 0 ? SERVER_SMTP : SERVER_HTTP;
	server->url = wf_url_text(url);
	length = strlen(server->url);
	while (server->url[length - 1] == '/')
		server->url[--length] = '\0';
	return true;
}

static bool
read_rate(Server *server, const char *value)
{
	double		number;
	int64		period;

	if (!take_rate(value, &number, &period))
		return false;
	server->rate = number * USECS_PER_SEC / period;
	return server->rate <= RATE_MAX;
}

static bool
read_burst(Server *server, const char *value)
{
	return take_int(value, 1, RATE_MAX, &server->burst);
}

static bool
read_concurrency(Server *server, const char *value)
{
	return take_int(value, 1, CONCURRENCY_MAX, &server->concurrency);
}

static bool
take_milliseconds(const char *value, int *milliseconds)
{
	int64		duration = wf_duration(value);

	*milliseconds = (int) (duration / 1000);
	return duration >= 1000 && duration <= TIMEOUT_MAX;
}

static bool
read_timeout(Server *server, const char *value)
{
	return take_milliseconds(value, &server->timeout);
}

static bool
read_connect_timeout(Server *server, const char *value)
{
	return take_milliseconds(value, &server->connect_timeout);
}

static bool
read_schedule(Server *server, const char *value)
{
	List	   *parts;
	ListCell   *cell;

	server->schedule = NIL;
	if (pg_strcasecmp(value, "none") == 0)
		return true;
	parts = split_list(value);
	if (parts == NIL || list_length(parts) > ATTEMPTS_MAX)
		return false;
	foreach(cell, parts)
	{
		int64	   *pause = palloc(sizeof(int64));

		*pause = wf_duration(lfirst(cell));
		if (*pause < 0 || *pause > PAUSE_MAX)
			return false;
		server->schedule = lappend(server->schedule, pause);
	}
	return true;
}

static bool
read_recipient_rate(Server *server, const char *value)
{
	return take_rate(value, &server->recipient_rate, &server->recipient_period) &&
		server->recipient_rate == floor(server->recipient_rate);
}

static bool
read_monthly_cap(Server *server, const char *value)
{
	return take_int(value, 0, COUNT_MAX, &server->monthly_cap);
}

static bool
read_recipients(Server *server, const char *value)
{
	return take_int(value, 0, COUNT_MAX, &server->recipients);
}

static bool
read_expires(Server *server, const char *value)
{
	server->expires = pg_strcasecmp(value, "never") == 0 ? 0 : wf_duration(value);
	return server->expires >= 0;
}

static bool
read_answer_limit(Server *server, const char *value)
{
	double		number;
	int			unit = 1;

	if (!take_number(&value, &number))
		return false;
	value = skip_spaces(value);
	if (pg_strcasecmp(value, "kB") == 0)
		unit = 1024;
	else if (pg_strcasecmp(value, "MB") == 0)
		unit = 1024 * 1024;
	else if (*value != '\0')
		return false;
	if (number * unit > ANSWER_MAX)
		return false;
	server->answer_limit = (int) (number * unit);
	return true;
}

static bool
read_class(Server *server, const char *value)
{
	ListCell   *cell;

	server->classes = split_list(value);
	foreach(cell, server->classes)
	{
		const char *class = lfirst(cell);

		if (strcmp(class, "transactional") != 0 && strcmp(class, "marketing") != 0 && strcmp(class, "internal") != 0)
			return false;
	}
	return server->classes != NIL;
}

/* Something like a mailbox: what exactly one may be is asked when a mail is made. */
static bool
is_mailbox(const char *value)
{
	const char *at = strchr(value, '@');

	return is_plain(value, 254) && at != NULL && at > value && at[1] != '\0' && strchr(at + 1, '@') == NULL &&
		strpbrk(value, " ,;<>\"()\\") == NULL;
}

static bool
read_from(Server *server, const char *value)
{
	ListCell   *cell;

	server->from = split_list(value);
	foreach(cell, server->from)
	{
		const char *sender = lfirst(cell);

		if (sender[0] == '@' ? strcspn(sender + 1, "@ <>\"") != strlen(sender + 1) || sender[1] == '\0' :
			strchr(sender, '@') ? !is_mailbox(sender) : !is_plain(sender, 64))
			return false;
	}
	return server->from != NIL;
}

static bool
read_retry_4xx(Server *server, const char *value)
{
	return parse_bool(value, &server->retry_4xx);
}

static bool
read_http_version(Server *server, const char *value)
{
	server->http2 = strcmp(value, "2") == 0;
	return server->http2 || strcmp(value, "1.1") == 0;
}

static bool
read_unsubscribe_url(Server *server, const char *value)
{
	const char *problem;
	Url		   *url = wf_url_parse(value, &problem);

	server->unsubscribe_url = pstrdup(value);
	return url != NULL && strncmp(url->scheme, "http", 4) == 0;
}

static bool
read_unsubscribe_mail(Server *server, const char *value)
{
	server->unsubscribe_mail = pstrdup(value);
	return is_mailbox(value);
}

static bool
read_bounce(Server *server, const char *value)
{
	server->bounce = pstrdup(value);
	return is_mailbox(value);
}

static bool
read_postal_address(Server *server, const char *value)
{
	server->postal_address = pstrdup(value);
	if (*value == '\0' || strlen(value) > TEXT_MAX)
		return false;
	for (const unsigned char *c = (const unsigned char *) value; *c; c++)
	{
		if ((*c < ' ' && *c != '\n') || *c == 0x7f)
			return false;
	}
	return true;
}

static bool
read_allow_private(Server *server, const char *value)
{
	return parse_bool(value, &server->allow_private);
}

static bool
read_verify(Server *server, const char *value)
{
	return parse_bool(value, &server->verify);
}

static bool
take_file(const char *value, char **file)
{
	*file = pstrdup(value);
	return value[0] == '/' && is_plain(value, TEXT_MAX);
}

static bool
read_ca_file(Server *server, const char *value)
{
	return take_file(value, &server->ca_file);
}

static bool
read_client_cert(Server *server, const char *value)
{
	return take_file(value, &server->client_cert);
}

static bool
read_client_key(Server *server, const char *value)
{
	return take_file(value, &server->client_key);
}

static bool
read_secret_file(Server *server, const char *value)
{
	return take_file(value, &server->secret_file);
}

static bool
read_ports(Server *server, const char *value)
{
	List	   *parts = split_list(value);
	ListCell   *cell;

	server->ports = NIL;
	foreach(cell, parts)
	{
		int			port;

		if (!take_int(lfirst(cell), 1, 65535, &port))
			return false;
		server->ports = lappend_int(server->ports, port);
	}
	return parts != NIL;
}

/* ----------------------------------------------------------------
 * The table
 * ----------------------------------------------------------------
 */

#define BOTH -1
#define A_TIME "a time from 1 ms to 10 minutes with its unit"
#define A_FILE "the absolute path of a file of the server's machine"

static const ServerOption options[] = {
	{"url", NULL, false, BOTH, read_url,
	"an address without user name, query and fragment, such as https://hooks.example.com/crm or smtp://mail.example.com:587"},
	{"rate", "10", false, BOTH, read_rate,
	"a number of messages per second, minute, hour or day, such as 10, 600/min or 0 for no limit"},
	{"burst", NULL, false, BOTH, read_burst,
	"how many messages may leave at once, a whole number from 1 on"},
	{"concurrency", "5", false, BOTH, read_concurrency,
	"a number of connections from 1 to 1000"},
	{"timeout", "30s", false, BOTH, read_timeout, A_TIME ", such as 30s"},
	{"connect_timeout", "3s", false, BOTH, read_connect_timeout, A_TIME ", such as 3s"},
	{"schedule", "5s, 5min, 30min, 2h, 5h, 10h, 14h, 20h, 24h", false, BOTH, read_schedule,
	"the pauses before the second, third ... attempt, up to 50 of at most 30 days each, such as 5s, 5min, 2h; or none"},
	{"recipient_rate", "3/day", false, BOTH, read_recipient_rate,
	"a whole number of messages to one recipient per time, such as 3/day, 1/12h or 0 for no limit"},
	{"monthly_cap", "0", false, BOTH, read_monthly_cap,
	"a number of messages per month, 0 for no limit"},
	{"recipients", "0", false, BOTH, read_recipients,
	"a number of messages that one SEND may make, 0 for no limit"},
	{"expires", "never", false, BOTH, read_expires,
	"a time with its unit after which a message does not leave any more, such as 2 days; or never"},
	{"answer_limit", "64kB", false, BOTH, read_answer_limit,
	"a number of bytes up to 1MB, such as 64kB"},
	{"class", "transactional, marketing, internal", false, BOTH, read_class,
	"a list of transactional, marketing and internal"},
	{"from", NULL, false, BOTH, read_from,
	"a list of senders: mailboxes and domains such as news@example.com, @example.com, or what another channel calls them"},
	{"retry_4xx", "off", false, SERVER_HTTP, read_retry_4xx, "on or off"},
	{"http_version", "1.1", false, SERVER_HTTP, read_http_version, "1.1 or 2"},
	{"unsubscribe_url", NULL, false, BOTH, read_unsubscribe_url,
	"an address that a token is appended to, such as https://example.com/unsubscribe?token="},
	{"unsubscribe_mail", NULL, false, BOTH, read_unsubscribe_mail,
	"a mailbox such as unsubscribe@example.com"},
	{"bounce", NULL, false, BOTH, read_bounce,
	"a mailbox such as bounce@example.com"},
	{"postal_address", NULL, false, BOTH, read_postal_address,
	"a text of at most 1000 bytes"},
	{"allow_private", "off", true, BOTH, read_allow_private, "on or off"},
	{"verify", "on", true, BOTH, read_verify, "on or off"},
	{"ca_file", NULL, true, BOTH, read_ca_file, A_FILE},
	{"client_cert", NULL, true, BOTH, read_client_cert, A_FILE},
	{"client_key", NULL, true, BOTH, read_client_key, A_FILE},
	{"secret_file", NULL, true, BOTH, read_secret_file, A_FILE},
	{"ports", NULL, true, BOTH, read_ports,
	"a list of further ports that URLs of messages may name, such as 8443, 9443"},
};

const ServerOption *
wf_server_option(const char *name)
{
	for (int i = 0; i < lengthof(options); i++)
	{
		if (strcmp(options[i].name, name) == 0)
			return &options[i];
	}
	return NULL;
}

List *
wf_server_option_names(bool privileged)
{
	List	   *names = NIL;

	for (int i = 0; i < lengthof(options); i++)
	{
		if (privileged || !options[i].superuser)
			names = lappend(names, pstrdup(options[i].name));
	}
	return names;
}

const ServerOption *
wf_server_options_take(Server *server, List *given)
{
	ListCell   *cell;

	for (int i = 0; i < lengthof(options); i++)
	{
		if (options[i].standard)
			(void) options[i].read(server, options[i].standard);
	}
	foreach(cell, given)
	{
		DefElem    *element = lfirst(cell);
		const ServerOption *option = wf_server_option(element->defname);

		if (option && !option->read(server, strVal(element->arg)))
			return option;
	}
	if (server->burst == 0)
		server->burst = Max(1, (int) ceil(server->rate));
	return NULL;
}
