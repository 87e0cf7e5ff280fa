/*
 * secret.c -- credentials of a server: from user mappings and from a file.
 *
 * Called by the delivery worker before an attempt, and where credentials are entered
 * (server_check.c), for their form.  A mapping of the message's owner counts, else that
 * FOR PUBLIC; what it does not say is taken from the server's secret_file, which
 * must belong to the user the server runs as, and be nobody else's to read.
 *
 * Nothing here shows a value: problems are sentences of ours.  Results are in the
 * current context, until wf_credentials_forget() overwrites them.  Raises no errors but
 * for want of memory.  The mapping is read from the catalog: in a transaction.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "catalog/pg_user_mapping.h"
#include "mb/pg_wchar.h"
#include "nodes/parsenodes.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "compat.h"
#include "secret.h"
#include "sign.h"
#include "url.h"

#define VALUE_MAX 8000					/* bytes */
#define HEADERS_MAX 20
#define FILE_MAX (64 * 1024)			/* bytes of a secret_file */

/* ----------------------------------------------------------------
 * Forms
 * ----------------------------------------------------------------
 */

static bool
is_plain(const char *value)
{
	if (*value == '\0' || strlen(value) > VALUE_MAX)
		return false;
	for (const unsigned char *c = (const unsigned char *) value; *c; c++)
	{
		if (*c < ' ' || *c == 0x7f)
			return false;
	}
	return true;
}

static bool
take_user(Credentials *credentials, const char *value)
{
	credentials->user = pstrdup(value);
	/* a colon ends it in the header of HTTP */
	return is_plain(value) && strchr(value, ':') == NULL;
}

static bool
take_password(Credentials *credentials, const char *value)
{
	credentials->password = pstrdup(value);
	return is_plain(value);
}

static bool
take_bearer(Credentials *credentials, const char *value)
{
	credentials->bearer = pstrdup(value);
	return is_plain(value) && strchr(value, ' ') == NULL;
}

/* What the transfer itself writes, and what would change where it ends. */
static bool
is_reserved(const char *name, size_t length)
{
	static const char *const reserved[] = {"host", "content-length", "transfer-encoding", "connection", "expect",
	"te", "trailer", "upgrade", "keep-alive"};

	for (int i = 0; i < lengthof(reserved); i++)
	{
		if (strlen(reserved[i]) == length && pg_strncasecmp(name, reserved[i], length) == 0)
			return true;
	}
	return (length >= 6 && pg_strncasecmp(name, "proxy-", 6) == 0) ||
		(length >= 8 && pg_strncasecmp(name, "webhook-", 8) == 0);
}

static bool
is_token(const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++)
	{
		char		c = name[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			  (c && strchr("!#$%&'*+-.^_`|~", c))))
			return false;
	}
	return length > 0;
}

/* One line "Name: value", in its one form. */
static bool
take_header_line(Credentials *credentials, const char *line, size_t length)
{
	const char *colon = memchr(line, ':', length);
	const char *value;
	char	   *text;
	char	   *header;
	bool		good;

	if (colon == NULL || !is_token(line, colon - line) || is_reserved(line, colon - line))
		return false;
	value = colon + 1;
	while (value < line + length && (*value == ' ' || *value == '\t'))
		value++;
	while (length > 0 && line + length > value && (line[length - 1] == ' ' || line[length - 1] == '\r'))
		length--;
	text = pnstrdup(value, line + length - value);
	header = psprintf("%.*s: %s", (int) (colon - line), line, text);
	good = is_plain(text) && list_length(credentials->headers) < HEADERS_MAX;
	explicit_bzero(text, strlen(text));
	credentials->headers = lappend(credentials->headers, header);
	return good;
}

static bool
take_header(Credentials *credentials, const char *value)
{
	for (;;)
	{
		size_t		length = strcspn(value, "\n");

		if (!take_header_line(credentials, value, length))
			return false;
		value += length;
		if (*value == '\0' || *++value == '\0')
			return true;
	}
}

static bool
take_secret(Credentials *credentials, const char *value)
{
	credentials->secret = pstrdup(value);
	return wf_secret_valid(value);
}

static bool
take_previous_secret(Credentials *credentials, const char *value)
{
	credentials->previous_secret = pstrdup(value);
	return wf_secret_valid(value);
}

static bool
take_path(Credentials *credentials, const char *value)
{
	const char *problem;
	char	   *whole = psprintf("https://host%s", value);
	bool		good = value[0] == '/' && is_plain(value) && wf_url_parse(whole, &problem) != NULL;

	explicit_bzero(whole, strlen(whole));
	credentials->path = pstrdup(value);
	return good;
}

#define A_SECRET "whsec_ and the base64 form of 24 to 64 random bytes"

static const struct
{
	const char *name;
	bool		(*take) (Credentials *credentials, const char *value);
	const char *expected;
}			forms[] = {
	{"user", take_user, "a name without colon and control characters"},
	{"password", take_password, "a text without control characters"},
	{"bearer", take_bearer, "a token without spaces"},
	{"header", take_header, "a line such as X-Api-Key: value, or several; not one that the transfer writes itself, such as Host or webhook-id"},
	{"secret", take_secret, A_SECRET},
	{"previous_secret", take_previous_secret, A_SECRET},
	{"path", take_path, "the secret part of the address behind the server's url, beginning with a slash"},
};

static int
form_of(const char *name)
{
	for (int i = 0; i < lengthof(forms); i++)
	{
		if (strcmp(forms[i].name, name) == 0)
			return i;
	}
	return -1;
}

const char *
wf_secret_expected(const char *name)
{
	int			form = form_of(name);

	return form < 0 ? NULL : forms[form].expected;
}

List *
wf_secret_names(void)
{
	List	   *names = NIL;

	for (int i = 0; i < lengthof(forms); i++)
		names = lappend(names, pstrdup(forms[i].name));
	return names;
}

bool
wf_secret_take(Credentials *credentials, const char *name, const char *value)
{
	int			form = form_of(name);

	return form >= 0 && forms[form].take(credentials, value);
}

const char *
wf_secret_conflict(const Credentials *credentials)
{
	if (credentials->password && credentials->user == NULL)
		return "there is a password, but no user";
	if (credentials->bearer && credentials->user)
		return "there are both a bearer token and a user";
	if (credentials->previous_secret && credentials->secret == NULL)
		return "there is a previous secret, but no secret";
	return NULL;
}

/* ----------------------------------------------------------------
 * The file
 * ----------------------------------------------------------------
 */

static const char *
check_file(int file)
{
	struct stat st;

	if (fstat(file, &st) != 0 || !S_ISREG(st.st_mode))
		return "secret_file is not a regular file";
	if (st.st_uid != geteuid())
		return "secret_file does not belong to the user the server runs as";
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return "secret_file may be read by others: its mode must be 0600";
	if (st.st_size > FILE_MAX)
		return "secret_file is larger than 64 kB";
	return NULL;
}

/* Reads it whole; a NUL ends it.  The file may have grown meanwhile. */
static const char *
read_file(int file, char *buffer, size_t *length)
{
	*length = 0;
	for (;;)
	{
		ssize_t		n = read(file, buffer + *length, FILE_MAX + 1 - *length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return "secret_file cannot be read";
		if (n == 0)
			break;
		*length += n;
		if (*length > FILE_MAX)
			return "secret_file is larger than 64 kB";
	}
	buffer[*length] = '\0';
	if (strlen(buffer) != *length)
		return "secret_file has a NUL in it";
	if (!pg_verifymbstr(buffer, *length, true))
		return "secret_file is not valid in the encoding of the database";
	return NULL;
}

static char *
trim(char *text)
{
	char	   *end = text + strlen(text);

	while (end > text && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		*--end = '\0';
	return text + strspn(text, " \t");
}

/* "name = value"; false: it is something else. */
static bool
take_line(Credentials *credentials, char *line)
{
	char	   *equals;

	line = trim(line);
	if (*line == '\0' || *line == '#')
		return true;
	equals = strchr(line, '=');
	if (equals == NULL)
		return false;
	*equals = '\0';
	return wf_secret_take(credentials, trim(line), trim(equals + 1));
}

static const char *
take_lines(Credentials *credentials, char *text)
{
	for (int number = 1; text; number++)
	{
		char	   *end = strchr(text, '\n');

		if (end)
			*end++ = '\0';
		if (!take_line(credentials, text))
			return psprintf("line %d of secret_file is not a credential in the form name = value", number);
		text = end;
	}
	return NULL;
}

const char *
wf_secret_file(Credentials *credentials, const char *path)
{
	int			file = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | PG_BINARY);
	char	   *buffer;
	size_t		length = 0;
	const char *problem;

	if (file < 0)
		return errno == ENOENT ? "secret_file does not exist" : "secret_file cannot be opened";
	problem = check_file(file);
	if (problem == NULL)
	{
		buffer = palloc(FILE_MAX + 2);
		problem = read_file(file, buffer, &length);
		if (problem == NULL)
			problem = take_lines(credentials, buffer);
		explicit_bzero(buffer, FILE_MAX + 2);
		pfree(buffer);
	}
	CloseTransientFile(file);
	return problem;
}

/* ----------------------------------------------------------------
 * What counts for a message
 * ----------------------------------------------------------------
 */

/* Options of the role's mapping, else of that FOR PUBLIC; of DefElem *. */
static List *
mapping_options(Oid server, Oid role)
{
	HeapTuple	tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(role), ObjectIdGetDatum(server));
	List	   *options = NIL;
	Datum		value;
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(server));
	if (!HeapTupleIsValid(tuple))
		return NIL;
	value = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &isnull);
	if (!isnull)
		options = untransformRelOptions(value);
	ReleaseSysCache(tuple);
	return options;
}

static void
forget(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
}

static const char *
take_mapping(Credentials *credentials, List *options)
{
	const char *problem = NULL;
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *element = lfirst(cell);

		if (!wf_secret_take(credentials, element->defname, strVal(element->arg)))
			problem = psprintf("option %s of the user mapping is not valid", element->defname);
		forget(strVal(element->arg));
	}
	return problem;
}

/* What the mapping does not say, the file does.  Who may be logged in as is one thing: of
 * user, password and bearer the mapping's are all that counts if it has one. */
static void
fill_up(Credentials *credentials, const Credentials *more)
{
	if (credentials->user == NULL && credentials->bearer == NULL)
	{
		credentials->user = more->user;
		credentials->password = more->password;
		credentials->bearer = more->bearer;
	}
	if (credentials->secret == NULL)
	{
		credentials->secret = more->secret;
		credentials->previous_secret = more->previous_secret;
	}
	if (credentials->path == NULL)
		credentials->path = more->path;
	credentials->headers = list_concat(credentials->headers, more->headers);
}

Credentials *
wf_server_credentials(const Server *server, Oid owner, const char **problem)
{
	Credentials *credentials = palloc0(sizeof(Credentials));
	Credentials more = {0};

	*problem = server->secret_lost ? "secret_file counts only while a superuser owns the server" : NULL;
	if (*problem == NULL)
		*problem = take_mapping(credentials, mapping_options(server->oid, owner));
	if (*problem == NULL && server->secret_file)
		*problem = wf_secret_file(&more, server->secret_file);
	if (*problem == NULL)
	{
		fill_up(credentials, &more);
		*problem = wf_secret_conflict(credentials);
	}
	if (*problem == NULL)
		return credentials;
	wf_credentials_forget(credentials);
	wf_credentials_forget(&more);
	return NULL;
}

void
wf_credentials_forget(Credentials *credentials)
{
	ListCell   *cell;

	if (credentials == NULL)
		return;
	forget(credentials->user);
	forget(credentials->password);
	forget(credentials->bearer);
	forget(credentials->secret);
	forget(credentials->previous_secret);
	forget(credentials->path);
	foreach(cell, credentials->headers)
		forget(lfirst(cell));
	explicit_bzero(credentials, sizeof(Credentials));
}
