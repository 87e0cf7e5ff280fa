/*
 * template_value.c -- values as they may stand in a text: escaped by the place.
 *
 * Control characters but tabs and line breaks are left out everywhere, so no value has
 * the marks of template_finish.c in it. Only bytes below 0x80 are looked at, which in
 * every encoding of a database are characters of their own.
 *
 * Appends to a buffer of the caller's; time linear in the value.
 */
#include "postgres.h"

#include <ctype.h>

#include "mb/pg_wchar.h"

#include "template.h"

static bool
is_control(char c)
{
	return ((unsigned char) c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
}

static const char *
reference(char c)
{
	switch (c)
	{
		case '&':
			return "&amp;";
		case '<':
			return "&lt;";
		case '>':
			return "&gt;";
		case '"':
			return "&quot;";
		case '\'':
			return "&#39;";
		default:
			return NULL;
	}
}

/* Runs that need nothing are copied whole. */
static void
append_escaped(StringInfo out, const char *value, int length, bool html)
{
	const char *end = value + length;
	const char *start = value;

	for (; value < end; value++)
	{
		const char *instead = html ? reference(*value) : NULL;

		if (instead == NULL && !is_control(*value))
			continue;
		appendBinaryStringInfo(out, start, value - start);
		if (instead != NULL)
			appendStringInfoString(out, instead);
		start = value + 1;
	}
	appendBinaryStringInfo(out, start, end - start);
}

void
wf_html_escape(StringInfo out, const char *value, int length)
{
	append_escaped(out, value, length, true);
}

static void
append_percent(StringInfo out, char c)
{
	appendStringInfo(out, "%%%02X", (unsigned char) c);
}

void
wf_template_url_encode(StringInfo out, const char *value, int length)
{
	char	   *utf8 = pg_server_to_any(value, length, PG_UTF8);

	if (utf8 != value)
		length = strlen(utf8);
	for (const char *end = utf8 + length; utf8 < end; utf8++)
	{
		if ((isalnum((unsigned char) *utf8) && !IS_HIGHBIT_SET(*utf8)) || (*utf8 != '\0' && strchr("-._~", *utf8) != NULL))
			appendStringInfoChar(out, *utf8);
		else if (!is_control(*utf8))
			append_percent(out, *utf8);
	}
}

/* --- addresses --- */

/* Is it one that a link or picture may lead to? */
static bool
url_allowed(const char *value, int length)
{
	static const char *const schemes[] = {"http://", "https://", "mailto:", "tel:"};

	for (int i = 0; i < lengthof(schemes); i++)
		if (length > strlen(schemes[i]) && pg_strncasecmp(value, schemes[i], strlen(schemes[i])) == 0)
			return true;
	return false;
}

/* Blanks, quotes, brackets and what is no character of an address become %XX; in a path
 * also what would end it. An address that is already encoded stays as it is. */
static void
append_url(StringInfo out, const char *value, int length, bool path, bool html)
{
	StringInfoData url;

	initStringInfo(&url);
	for (const char *end = value + length; value < end; value++)
	{
		if (is_control(*value) || *value == '\t' || *value == '\n' || *value == '\r')
			continue;
		if (strchr(path ? " \"<>\\^`{|}?#" : " \"<>\\^`{|}", *value) != NULL ||
			(*value == '%' && (end - value < 3 || !isxdigit((unsigned char) value[1]) || !isxdigit((unsigned char) value[2]))))
			append_percent(&url, *value);
		else
			appendStringInfoChar(&url, *value);
	}
	append_escaped(out, url.data, url.len, html);
	pfree(url.data);
}

void
wf_template_append_value(StringInfo out, const char *value, int length, TokenContext context, bool html, bool encoded)
{
	if (context != CONTEXT_TEXT)
		while (length > 0 && (unsigned char) *value <= ' ')
		{
			value++;
			length--;
		}
	switch (context)
	{
		case CONTEXT_TEXT:
			append_escaped(out, value, length, html);
			break;
		case CONTEXT_URL:
			if (url_allowed(value, length))
				append_url(out, value, length, false, html);
			break;
		case CONTEXT_URL_PATH:
			/* // would begin a host */
			while (length > 0 && out->len > 0 && out->data[out->len - 1] == '/' && (*value == '/' || *value == '\\'))
			{
				value++;
				length--;
			}
			append_url(out, value, length, true, html);
			break;
		case CONTEXT_URL_QUERY:
			if (encoded)
				append_url(out, value, length, true, html);
			else
				wf_template_url_encode(out, value, length);
			break;
	}
}

/* --- header fields --- */

/* C1 controls, line separators, and marks that turn the direction: length in UTF-8, 0 = none. */
static int
unseen(const unsigned char *at, int length)
{
	if (length >= 2 && at[0] == 0xc2 && at[1] < 0xa0)
		return 2;
	if (length < 3 || at[0] != 0xe2)
		return 0;
	if (at[1] == 0x80 && ((at[2] >= 0x8b && at[2] <= 0x8f) || (at[2] >= 0xa8 && at[2] <= 0xae)))
		return 3;				/* U+200B .. 200F, 2028 .. 202E */
	if (at[1] == 0x81 && at[2] >= 0xa0 && at[2] <= 0xaf)
		return 3;				/* U+2060 .. 206F */
	return 0;
}

char *
wf_template_one_line(const char *value, int length)
{
	bool		utf8 = GetDatabaseEncoding() == PG_UTF8;
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < length;)
	{
		int			skipped = utf8 ? unseen((const unsigned char *) value + i, length - i) : 0;

		if (skipped > 0)
			i += skipped;
		else
		{
			if (value[i] == '\n' || value[i] == '\t' || value[i] == '\r')
				appendStringInfoChar(&out, ' ');
			else if (!is_control(value[i]))
				appendStringInfoChar(&out, value[i]);
			i++;
		}
	}
	return out.data;
}
