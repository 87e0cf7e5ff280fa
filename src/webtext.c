/*
 * webtext.c -- text as the web writes it: percent-encoding, and JSON that somebody
 * else sent.
 *
 * For the functions of sql/adapters.sql; called by user SQL, in any session.  The
 * results are in the current context; no table, no lock.  Errors: encodings that
 * can't be converted.
 */
#include "postgres.h"

#include "common/jsonapi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/jsonfuncs.h"

#include "compat.h"

PG_FUNCTION_INFO_V1(wf_url_encode);
PG_FUNCTION_INFO_V1(wf_json_or_null);

/* Unreserved in RFC 3986. */
static bool
is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '-' || c == '.' || c == '_' || c == '~';
}

/* url_encode(value) */
Datum
wf_url_encode(PG_FUNCTION_ARGS)
{
	static const char digits[] = "0123456789ABCDEF";
	text	   *value = PG_GETARG_TEXT_PP(0);
	int			length = VARSIZE_ANY_EXHDR(value);
	char	   *bytes = pg_server_to_any(VARDATA_ANY(value), length, PG_UTF8);
	text	   *result;
	char	   *p;
	int			i;

	if (bytes != VARDATA_ANY(value))
		length = strlen(bytes);
	result = palloc(VARHDRSZ + (Size) length * 3);
	p = VARDATA(result);
	for (i = 0; i < length; i++)
	{
		unsigned char c = bytes[i];

		if (is_plain(c))
			*p++ = c;
		else
		{
			*p++ = '%';
			*p++ = digits[c >> 4];
			*p++ = digits[c & 15];
		}
	}
	SET_VARSIZE(result, p - (char *) result);
	PG_RETURN_TEXT_P(result);
}

/* Deeper than this, and longer than that, is nobody's answer but somebody's trick. */
#define MAX_DEPTH 500
#define MAX_DIGITS 1000
#define MAX_EXPONENT 1000

/* Brackets that are open at a time; the parser would recurse as often. */
static bool
is_shallow(const char *json, int length)
{
	int			depth = 0;
	bool		quoted = false;
	int			i;

	for (i = 0; i < length; i++)
	{
		if (quoted && json[i] == '\\')
			i++;
		else if (json[i] == '"')
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (json[i] == '[' || json[i] == '{')
		{
			if (++depth > MAX_DEPTH)
				return false;
		}
		else if (json[i] == ']' || json[i] == '}')
			depth--;
	}
	return true;
}

/* Called for each scalar: does the number fit into numeric? */
static wf_json_action
check_scalar(void *state, char *token, JsonTokenType type)
{
	bool	   *fits = state;

	if (type == JSON_TOKEN_NUMBER)
	{
		char	   *exponent = strpbrk(token, "eE");

		if (strlen(token) > MAX_DIGITS || (exponent && (strlen(exponent) > 8 || abs(atoi(exponent + 1)) > MAX_EXPONENT)))
			*fits = false;
	}
	WF_JSON_ACTION_DONE;
}

/* Is this text JSON that jsonb can hold?  Says so without an error. */
static bool
is_jsonb(text *value)
{
	bool		fits = true;
	JsonSemAction actions = {.semstate = &fits,.scalar = check_scalar};

	return is_shallow(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)) &&
		pg_parse_json(wf_compat_json_lexer(value), &actions) == JSON_SUCCESS && fits;
}

/* json_or_null(value) */
Datum
wf_json_or_null(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);

	if (!is_jsonb(value))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(text_to_cstring(value))));
}
