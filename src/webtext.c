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
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/jsonfuncs.h"

#include "compat.h"

PG_FUNCTION_INFO_V1(wf_url_encode);
PG_FUNCTION_INFO_V1(wf_form_encode);
PG_FUNCTION_INFO_V1(wf_json_or_null);

/* Unreserved in RFC 3986. */
static bool
is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '-' || c == '.' || c == '_' || c == '~';
}

static void
append_encoded(StringInfo to, const char *value, int length)
{
	static const char digits[] = "0123456789ABCDEF";
	char	   *bytes = pg_server_to_any(value, length, PG_UTF8);

	if (bytes != value)
		length = strlen(bytes);
	for (int i = 0; i < length; i++)
	{
		unsigned char c = bytes[i];

		if (is_plain(c))
			appendStringInfoChar(to, c);
		else
		{
			appendStringInfoChar(to, '%');
			appendStringInfoChar(to, digits[c >> 4]);
			appendStringInfoChar(to, digits[c & 15]);
		}
	}
}

/* url_encode(value) */
Datum
wf_url_encode(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	StringInfoData encoded;

	initStringInfo(&encoded);
	append_encoded(&encoded, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(encoded.data, encoded.len));
}

/* What ->> gives. */
static char *
text_of(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		default:
			return JsonbToCString(NULL, value->val.binary.data, value->val.binary.len);
	}
}

/* form_encode(fields) */
Datum
wf_form_encode(PG_FUNCTION_ARGS)
{
	Jsonb	   *fields = PG_GETARG_JSONB_P(0);
	JsonbIterator *iterator = JsonbIteratorInit(&fields->root);
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	value;
	StringInfoData form;

	if (!JB_ROOT_IS_OBJECT(fields))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a form is made of a JSON object only")));
	initStringInfo(&form);
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		char	   *text;

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (value.type == jbvNull)
			continue;
		if (form.len > 0)
			appendStringInfoChar(&form, '&');
		append_encoded(&form, key.val.string.val, key.val.string.len);
		appendStringInfoChar(&form, '=');
		text = text_of(&value);
		append_encoded(&form, text, strlen(text));
	}
	if (form.len == 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(form.data, form.len));
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
