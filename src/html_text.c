/*
 * html_text.c -- HTML as plain text, for the text part of a mail.
 *
 * One pass over any bytes: broken HTML gives some text, never an error. What a
 * browser would not show is dropped (scripts, styles, the head, comments); a tag
 * that is never closed takes the rest with it, as in browsers, so nothing is read
 * twice. Lists are indented to a depth, beyond it no further.
 *
 * The result is in the current context; the encoding is the database's, of which
 * only bytes below 0x80 are looked at.
 */
#include "postgres.h"

#include <ctype.h>

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "compat.h"
#include "template.h"

#define MAX_LISTS 16
#define TAG_SIZE 16
#define LINK_SIZE 4096				/* bytes of an address that are shown */

typedef struct HtmlList
{
	bool		ordered;
	int			number;
} HtmlList;

typedef struct Reader
{
	const char *at;
	const char *end;
	StringInfoData out;
	int			newlines;				/* asked for before the next text */
	bool		space;					/* likewise */
	int			pre;					/* open <pre> */
	HtmlList	lists[MAX_LISTS];
	int			depth;					/* may be more than MAX_LISTS */
	char	   *link;					/* address of the open <a>, NULL = none */
	int			link_start;				/* where its text begins in out */
} Reader;

typedef struct Tag
{
	char		name[TAG_SIZE];			/* lower case; a longer one is cut */
	bool		closing;
	const char *attributes;
	const char *end;					/* of the attributes */
} Tag;

/* --- what is written --- */

static void
break_lines(Reader *r, int newlines)
{
	r->newlines = Max(r->newlines, newlines);
	r->space = false;
}

static void
indent(Reader *r)
{
	if (r->depth > 1)
		appendStringInfoSpaces(&r->out, 2 * (Min(r->depth, MAX_LISTS) - 1));
}

/* Line breaks and the space that were asked for. */
static void
settle(Reader *r)
{
	if (r->newlines > 0)
	{
		bool		first = r->out.len == 0;

		for (int i = 0; i < r->newlines && !first; i++)
			appendStringInfoChar(&r->out, '\n');
		indent(r);
		if (r->depth > 0)
			appendStringInfoString(&r->out, "  ");
	}
	else if (r->space && r->out.len > 0)
		appendStringInfoChar(&r->out, ' ');
	r->newlines = 0;
	r->space = false;
}

static void
put(Reader *r, const char *text, int length)
{
	settle(r);
	appendBinaryStringInfo(&r->out, text, length);
}

/* --- references --- */

static const struct
{
	const char *name;
	int			code;
}			entities[] = {
	{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}, {"nbsp", ' '},
	{"shy", 0}, {"zwnj", 0}, {"zwj", 0}, {"ensp", ' '}, {"emsp", ' '}, {"thinsp", ' '},
	{"copy", 0xa9}, {"reg", 0xae}, {"trade", 0x2122}, {"deg", 0xb0}, {"middot", 0xb7}, {"para", 0xb6}, {"sect", 0xa7},
	{"laquo", 0xab}, {"raquo", 0xbb}, {"lsquo", 0x2018}, {"rsquo", 0x2019}, {"sbquo", 0x201a}, {"ldquo", 0x201c},
	{"rdquo", 0x201d}, {"bdquo", 0x201e}, {"lsaquo", 0x2039}, {"rsaquo", 0x203a},
	{"ndash", 0x2013}, {"mdash", 0x2014}, {"hellip", 0x2026}, {"bull", 0x2022}, {"euro", 0x20ac}, {"pound", 0xa3},
	{"yen", 0xa5}, {"cent", 0xa2}, {"times", 0xd7}, {"divide", 0xf7}, {"plusmn", 0xb1}, {"frac12", 0xbd},
	{"frac14", 0xbc}, {"frac34", 0xbe}, {"larr", 0x2190}, {"uarr", 0x2191}, {"rarr", 0x2192}, {"darr", 0x2193},
	{"check", 0x2713}, {"hearts", 0x2665}, {"star", 0x2606}, {"iexcl", 0xa1}, {"iquest", 0xbf},
	{"auml", 0xe4}, {"ouml", 0xf6}, {"uuml", 0xfc}, {"Auml", 0xc4}, {"Ouml", 0xd6}, {"Uuml", 0xdc}, {"szlig", 0xdf},
	{"agrave", 0xe0}, {"aacute", 0xe1}, {"acirc", 0xe2}, {"atilde", 0xe3}, {"aring", 0xe5}, {"aelig", 0xe6}, {"ccedil", 0xe7},
	{"egrave", 0xe8}, {"eacute", 0xe9}, {"ecirc", 0xea}, {"euml", 0xeb}, {"igrave", 0xec}, {"iacute", 0xed}, {"icirc", 0xee},
	{"iuml", 0xef}, {"ntilde", 0xf1}, {"ograve", 0xf2}, {"oacute", 0xf3}, {"ocirc", 0xf4}, {"otilde", 0xf5}, {"oslash", 0xf8},
	{"ugrave", 0xf9}, {"uacute", 0xfa}, {"ucirc", 0xfb}, {"Agrave", 0xc0}, {"Aacute", 0xc1}, {"Aring", 0xc5}, {"AElig", 0xc6},
	{"Ccedil", 0xc7}, {"Egrave", 0xc8}, {"Eacute", 0xc9}, {"Ntilde", 0xd1}, {"Oslash", 0xd8}
};

/* Code of the reference at text, which begins with &; -1: it is none. */
static int
reference(const char *text, const char *end, int *length)
{
	const char *at = text + 1;
	const char *start;
	int			code = 0;

	if (at < end && *at == '#')
	{
		int			base = at + 1 < end && (at[1] == 'x' || at[1] == 'X') ? 16 : 10;

		at += base == 16 ? 2 : 1;
		for (start = at; at < end && at - start < 8 && isxdigit((unsigned char) *at) && (base == 16 || isdigit((unsigned char) *at)); at++)
			code = code * base + (isdigit((unsigned char) *at) ? *at - '0' : tolower((unsigned char) *at) - 'a' + 10);
		if (at == start)
			return -1;
		*length = (at < end && *at == ';' ? at + 1 : at) - text;
		return code;
	}
	for (start = at; at < end && at - start < 10 && isalnum((unsigned char) *at); at++)
		;
	if (at == end || *at != ';')
		return -1;
	for (int i = 0; i < lengthof(entities); i++)
		if (strlen(entities[i].name) == at - start && memcmp(entities[i].name, start, at - start) == 0)
		{
			*length = at + 1 - text;
			return entities[i].code;
		}
	return -1;
}

/* Appends the character a reference means, nothing for those that are not seen. */
static void
append_code(StringInfo out, int code)
{
	unsigned char utf8[MAX_MULTIBYTE_CHAR_LEN + 1];

	if (code == 0xa0)
		code = ' ';
	if (code < ' ' && code != '\n' && code != '\t')
		return;
	if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) || (code >= 0x7f && code < 0xa0) || code == 0xad ||
		(code >= 0x200b && code <= 0x200f) || code == 0xfeff)
		return;
	if (code < 0x80)
		appendStringInfoChar(out, (char) code);
	else if (GetDatabaseEncoding() == PG_UTF8)
	{
		unicode_to_utf8(code, utf8);
		appendBinaryStringInfo(out, (char *) utf8, pg_utf_mblen(utf8));
	}
	else
		appendStringInfoChar(out, '?');
}

/* --- tags --- */

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* The tag at r->at, which begins with <; r->at goes behind it. False: it is never closed. */
static bool
read_tag(Reader *r, Tag *tag)
{
	const char *at = r->at + 1;
	char		quote = 0;
	bool		value = false;			/* quotes count in values only */
	int			n = 0;

	tag->closing = at < r->end && *at == '/';
	if (tag->closing)
		at++;
	for (; at < r->end && !is_space(*at) && *at != '>' && *at != '/'; at++)
		if (n < TAG_SIZE - 1)
			tag->name[n++] = tolower((unsigned char) *at);
	tag->name[n] = '\0';
	tag->attributes = at;
	for (; at < r->end; at++)
	{
		if (quote != 0)
		{
			if (*at == quote)
				quote = 0;
		}
		else if (*at == '>')
			break;
		else if (value && (*at == '"' || *at == '\''))
			quote = *at;
		if (quote == 0 && !is_space(*at))
			value = *at == '=';
	}
	tag->end = at;
	r->at = at < r->end ? at + 1 : r->end;
	return at < r->end;
}

/* Value of an attribute with references resolved, NULL = not there. */
static char *
attribute(const Tag *tag, const char *name)
{
	const char *at = tag->attributes;

	while (at < tag->end)
	{
		const char *start;
		const char *stop;
		bool		found;
		StringInfoData value;

		while (at < tag->end && (is_space(*at) || *at == '/'))
			at++;
		for (start = at; at < tag->end && !is_space(*at) && *at != '=' && *at != '/'; at++)
			;
		found = at - start == strlen(name) && pg_strncasecmp(start, name, strlen(name)) == 0;
		if (at == start && at < tag->end && *at != '=')
			at++;
		while (at < tag->end && is_space(*at))
			at++;
		if (at >= tag->end || *at != '=')
			continue;
		for (at++; at < tag->end && is_space(*at); at++)
			;
		if (at < tag->end && (*at == '"' || *at == '\''))
		{
			start = at + 1;
			stop = memchr(start, *at, tag->end - start);
			if (stop == NULL)
				stop = tag->end;
			at = stop + 1;
		}
		else
		{
			for (start = at; at < tag->end && !is_space(*at); at++)
				;
			stop = at;
		}
		if (!found)
			continue;
		initStringInfo(&value);
		while (start < stop && value.len < LINK_SIZE)
		{
			int			length;
			int			code = *start == '&' ? reference(start, stop, &length) : -1;

			if (code >= 0)
				append_code(&value, code);
			else
			{
				length = 1;
				appendStringInfoChar(&value, *start);
			}
			start += length;
		}
		value.data[pg_mbcliplen(value.data, value.len, value.len)] = '\0';
		return value.data;
	}
	return NULL;
}

/* Goes behind the closing tag of an element whose content is not shown. */
static void
skip_element(Reader *r, const char *name)
{
	int			length = strlen(name);

	while (r->at < r->end)
	{
		const char *tag = memchr(r->at, '<', r->end - r->at);
		Tag			closing;

		if (tag == NULL)
			break;
		r->at = tag + 1;
		if (r->end - tag > length + 2 && tag[1] == '/' && pg_strncasecmp(tag + 2, name, length) == 0 &&
			!isalnum((unsigned char) tag[length + 2]))
		{
			r->at = tag;
			read_tag(r, &closing);
			return;
		}
	}
	r->at = r->end;
}

/* Behind <!-- ... -->, <!...>, <?...>. */
static void
skip_declaration(Reader *r)
{
	const char *at;

	if (r->end - r->at >= 4 && memcmp(r->at, "<!--", 4) == 0)
	{
		for (at = r->at + 4; (at = memchr(at, '>', r->end - at)) != NULL; at++)
			if (at - r->at >= 6 && at[-1] == '-' && at[-2] == '-')
				break;
	}
	else
		at = memchr(r->at, '>', r->end - r->at);
	r->at = at == NULL ? r->end : at + 1;
}

/* --- links --- */

static void
link_begins(Reader *r, const Tag *tag)
{
	r->link = attribute(tag, "href");
	if (r->link != NULL)
		settle(r);
	r->link_start = r->out.len;
}

static bool
starts_with(const char *text, const char *prefix)
{
	return pg_strncasecmp(text, prefix, strlen(prefix)) == 0;
}

/* What the text of a link does not say: where it leads. */
static void
link_ends(Reader *r)
{
	char	   *address = r->link;
	const char *text = r->out.data + r->link_start;
	const char *bare;
	bool		mail = false;
	int			shown;

	r->link = NULL;
	if (address == NULL)
		return;
	if (starts_with(address, "mailto:") || starts_with(address, "tel:"))
	{
		address = strchr(address, ':') + 1;
		address[strcspn(address, "?")] = '\0';
		mail = true;
	}
	/* \001, \002: what stands for an address; see template_finish.c and wf_template_plain() */
	else if (!starts_with(address, "http://") && !starts_with(address, "https://") && *address != TEMPLATE_MARK && *address != '\002')
		return;
	shown = r->out.len - r->link_start;
	if (*address == '\0' || (shown == strlen(address) && memcmp(text, address, shown) == 0))
		return;
	bare = mail ? NULL : strstr(address, "://");
	if (bare != NULL && shown == strlen(bare + 3) && memcmp(text, bare + 3, shown) == 0)
		return;					/* example.com for https://example.com */
	if (shown > 0)
		appendStringInfoString(&r->out, " (");
	appendStringInfoString(&r->out, address);
	if (shown > 0)
		appendStringInfoChar(&r->out, ')');
}

/* --- elements --- */

static bool
one_of(const char *name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

static const char *const paragraphs[] = {
	"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "table", "dl", "figure", NULL
};
static const char *const blocks[] = {
	"div", "tr", "section", "article", "header", "footer", "main", "nav", "aside", "address", "form", "fieldset",
	"dt", "dd", "thead", "tbody", "tfoot", "caption", "figcaption", "center", "html", "body", "option", NULL
};
static const char *const hidden[] = {
	"script", "style", "head", "title", "template", "noframes", "iframe", "object", "svg", "math", "textarea", "select", NULL
};

static void
list_item(Reader *r)
{
	HtmlList   *list = r->depth > 0 ? &r->lists[Min(r->depth, MAX_LISTS) - 1] : NULL;
	char		mark[16];
	int			depth = r->depth;

	break_lines(r, 1);
	if (list != NULL && list->ordered)
		snprintf(mark, sizeof(mark), "%d. ", ++list->number);
	else
		strlcpy(mark, "* ", sizeof(mark));
	/* the mark stands where the text of the list's lines would be indented to */
	r->depth = 0;
	settle(r);
	r->depth = depth;
	indent(r);
	appendStringInfoString(&r->out, mark);
}

static void
list_begins_or_ends(Reader *r, const Tag *tag)
{
	break_lines(r, r->depth > (tag->closing ? 1 : 0) ? 1 : 2);
	if (!tag->closing)
	{
		r->depth++;
		if (r->depth <= MAX_LISTS)
			r->lists[r->depth - 1] = (HtmlList) {.ordered = strcmp(tag->name, "ol") == 0};
	}
	else if (r->depth > 0)
		r->depth--;
}

/* Elements that are more than a line break. */
static void
element(Reader *r, const Tag *tag)
{
	const char *name = tag->name;
	char	   *text;

	if (strcmp(name, "br") == 0)
	{
		r->newlines = Min(r->newlines + 1, 3);
		r->space = false;
	}
	else if (strcmp(name, "a") == 0)
	{
		link_ends(r);
		if (!tag->closing)
			link_begins(r, tag);
	}
	else if (strcmp(name, "ul") == 0 || strcmp(name, "ol") == 0)
		list_begins_or_ends(r, tag);
	else if (strcmp(name, "li") == 0 && !tag->closing)
		list_item(r);
	else if ((strcmp(name, "td") == 0 || strcmp(name, "th") == 0) && !tag->closing)
		r->space = r->newlines == 0;
	else if (strcmp(name, "hr") == 0)
	{
		break_lines(r, 1);
		put(r, "---", 3);
		break_lines(r, 1);
	}
	else if (strcmp(name, "img") == 0 && (text = attribute(tag, "alt")) != NULL && *text != '\0')
		put(r, text, strlen(text));
	else if (strcmp(name, "pre") == 0)
		r->pre = tag->closing ? 0 : 1;
}

static void
tag_found(Reader *r)
{
	Tag			tag;

	if (!read_tag(r, &tag))
		return;
	if (!tag.closing && one_of(tag.name, hidden))
		skip_element(r, tag.name);
	else
	{
		if (one_of(tag.name, paragraphs))
			break_lines(r, 2);
		else if (one_of(tag.name, blocks))
			break_lines(r, 1);
		element(r, &tag);
	}
}

/* Text up to the next tag. */
static void
text_found(Reader *r)
{
	const char *start = r->at;

	while (r->at < r->end && *r->at != '<' && *r->at != '&' && !is_space(*r->at))
		r->at++;
	if (r->at > start)
		put(r, start, r->at - start);
	if (r->at < r->end && *r->at == '&')
	{
		int			length;
		int			code = reference(r->at, r->end, &length);

		settle(r);
		if (code >= 0)
			append_code(&r->out, code);
		else
			appendStringInfoChar(&r->out, '&');
		r->at += code >= 0 ? length : 1;
	}
	else if (r->at < r->end && is_space(*r->at))
	{
		if (r->pre > 0 && *r->at != '\r')
			put(r, r->at, 1);
		else if (r->newlines == 0)
			r->space = true;
		r->at++;
	}
}

char *
wf_html_text(const char *html, int length)
{
	Reader		r = {.at = html, .end = html + length};

	initStringInfo(&r.out);
	while (r.at < r.end)
	{
		CHECK_FOR_INTERRUPTS();
		if (*r.at != '<' || r.at + 1 >= r.end)
		{
			if (*r.at == '<')
			{
				put(&r, "<", 1);
				r.at++;
			}
			else
				text_found(&r);
		}
		else if (r.at[1] == '!' || r.at[1] == '?')
			skip_declaration(&r);
		else if (isalpha((unsigned char) r.at[1]) || (r.at[1] == '/' && r.at + 2 < r.end && isalpha((unsigned char) r.at[2])))
			tag_found(&r);
		else
		{
			put(&r, "<", 1);
			r.at++;
		}
	}
	link_ends(&r);
	while (r.out.len > 0 && is_space(r.out.data[r.out.len - 1]))
		r.out.data[--r.out.len] = '\0';
	return r.out.data;
}

PG_FUNCTION_INFO_V1(wf_html_to_text);
Datum
wf_html_to_text(PG_FUNCTION_ARGS)
{
	text	   *html = PG_GETARG_TEXT_PP(0);

	PG_RETURN_TEXT_P(cstring_to_text(wf_html_text(VARDATA_ANY(html), VARSIZE_ANY_EXHDR(html))));
}

PG_FUNCTION_INFO_V1(wf_html_escape_text);
Datum
wf_html_escape_text(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	StringInfoData out;

	initStringInfo(&out);
	wf_html_escape(&out, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}
