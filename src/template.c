/*
 * template.c -- texts with {{ tokens }}: the parser.
 *
 *     {{ path | filter: argument, argument | filter }}
 *
 * A path is names with dots between them; the filters are a fixed list. There are no
 * conditions, no loops and no SQL: what differs between recipients is a column, a
 * variable or another template.
 *
 * One pass over the text. Called when a template is saved and when it is first used in
 * a process; everything is in the current context. ERROR names part, line and column.
 */
#include "postgres.h"

#include <ctype.h>

#include "mb/pg_wchar.h"

#include "template.h"

#define MAX_DEPTH 8					/* names in a path */
#define MAX_FILTERS 8
#define MAX_TRUNCATE 100000

#define TOKEN_HINT "A token is {{ contact.first_name }} or {{ contact.first_name | default: \"there\" }}."

typedef struct Lexer
{
	const char *at;
	const TemplateSpot *spot;
} Lexer;

void
wf_template_error(const TemplateSpot *spot, int offset, int sqlstate, const char *message, const char *hint)
{
	int			line = 1;
	const char *start = spot->source;
	const char *at = spot->source + offset;
	const char *newline;

	while ((newline = memchr(start, '\n', at - start)) != NULL)
	{
		line++;
		start = newline + 1;
	}
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("template \"%s\", %s, line %d, column %d: %s", spot->name, spot->part, line,
					pg_mbstrlen_with_len(start, at - start) + 1, message),
			 hint == NULL ? 0 : errhint("%s", hint)));
}

static void
fail(const Lexer *lexer, const char *message, const char *hint)
{
	wf_template_error(lexer->spot, lexer->at - lexer->spot->source, ERRCODE_SYNTAX_ERROR, message, hint);
}

/* --- words --- */

static void
skip_space(Lexer *lexer)
{
	while (*lexer->at == ' ' || *lexer->at == '\t' || *lexer->at == '\n' || *lexer->at == '\r')
		lexer->at++;
}

static bool
accept(Lexer *lexer, char c)
{
	skip_space(lexer);
	if (*lexer->at != c)
		return false;
	lexer->at++;
	return true;
}

static bool
name_starts(char c)
{
	return isalpha((unsigned char) c) || c == '_' || IS_HIGHBIT_SET(c);
}

/* A text in quotes of either kind; quotes in it are of the other kind. */
static char *
quoted(Lexer *lexer)
{
	char		quote = *lexer->at;
	const char *end = strchr(lexer->at + 1, quote);
	char	   *text;

	if (end == NULL)
		fail(lexer, "the quote is not closed", "A text in quotes ends with the quote it begins with.");
	text = pnstrdup(lexer->at + 1, end - lexer->at - 1);
	lexer->at = end + 1;
	return text;
}

/* NULL = nothing special */
static const char *
reference_hint(const Lexer *lexer)
{
	if (strncmp(lexer->at, "&quot;", 6) != 0 && strncmp(lexer->at, "&#39;", 5) != 0)
		return NULL;
	return "An editor has turned a quote into a reference: write the quote itself.";
}

static char *
name(Lexer *lexer, const char *wanted)
{
	const char *start;

	skip_space(lexer);
	start = lexer->at;
	if (!name_starts(*lexer->at))
		fail(lexer, psprintf("%s expected", wanted),
			 reference_hint(lexer) ? reference_hint(lexer) : TOKEN_HINT);
	while (name_starts(*lexer->at) || isdigit((unsigned char) *lexer->at))
		lexer->at++;
	return pnstrdup(start, lexer->at - start);
}

/* --- filters --- */

static const struct
{
	const char *name;
	FilterKind	kind;
	int			least;					/* arguments */
	int			most;
	const char *form;
}			filters[] = {
	{"default", FILTER_DEFAULT, 1, 1, "default: \"there\""},
	{"upper", FILTER_UPPER, 0, 0, "upper"},
	{"lower", FILTER_LOWER, 0, 0, "lower"},
	{"capitalize", FILTER_CAPITALIZE, 0, 0, "capitalize"},
	{"date", FILTER_DATE, 1, 2, "date: \"DD Mon YYYY\" or date: \"DD Mon YYYY HH24:MI\", \"Europe/Paris\""},
	{"number", FILTER_NUMBER, 1, 1, "number: \"1,234.56\""},
	{"truncate", FILTER_TRUNCATE, 1, 1, "truncate: 40"},
	{"url_encode", FILTER_URL_ENCODE, 0, 0, "url_encode"},
	{"strip", FILTER_STRIP, 0, 0, "strip"},
	{"escape", FILTER_ESCAPE, 0, 0, "escape"},
	{"raw", FILTER_RAW, 0, 0, "raw"}
};

/* A text in quotes or a number. */
static char *
argument(Lexer *lexer)
{
	const char *start;

	skip_space(lexer);
	if (*lexer->at == '"' || *lexer->at == '\'')
		return quoted(lexer);
	start = lexer->at;
	while (isdigit((unsigned char) *lexer->at) || *lexer->at == '.' || (*lexer->at == '-' && lexer->at == start))
		lexer->at++;
	if (lexer->at == start)
		fail(lexer, "a text in quotes or a number expected", reference_hint(lexer));
	return pnstrdup(start, lexer->at - start);
}

/* Samples are 1234, 1,234.56, 1 234,5: what is between 1 and 234, and before the rest. */
static bool
is_sample(const char *sample)
{
	int			n;

	if (*sample++ != '1')
		return false;
	if (*sample != '2')
	{
		n = *sample == '\0' ? 0 : pg_mblen(sample);
		sample += n;
	}
	if (strncmp(sample, "234", 3) != 0)
		return false;
	sample += 3;
	if (*sample == '\0')
		return true;
	if (isalnum((unsigned char) *sample))
		return false;
	sample += pg_mblen(sample);
	n = strspn(sample, "0123456789");
	return n > 0 && n <= 10 && sample[n] == '\0';
}

static void
check_arguments(const Lexer *lexer, TemplateFilter *filter, const char *second)
{
	switch (filter->kind)
	{
		case FILTER_TRUNCATE:
			filter->count = strspn(filter->text, "0123456789") == strlen(filter->text) && strlen(filter->text) < 7 ? atoi(filter->text) : 0;
			if (filter->count < 1 || filter->count > MAX_TRUNCATE)
				fail(lexer, "truncate wants a number of characters from 1 to 100000", NULL);
			break;
		case FILTER_NUMBER:
			if (!is_sample(filter->text))
				fail(lexer, "number wants a sample of the form",
					 "Write how 1234.56 is to look: \"1234\", \"1,234.56\", \"1.234,5\".");
			break;
		case FILTER_DATE:
			if (strstr(filter->text, "TM") != NULL || strlen(filter->text) > 200)
				fail(lexer, "date has a form that can't be used", "It is that of to_char(), at most 200 characters, without TM: names of months and days are English.");
			filter->zone = second == NULL ? NULL : pg_tzset(second);
			if (second != NULL && filter->zone == NULL)
				fail(lexer, psprintf("time zone \"%s\" is not known", second), "Look in pg_timezone_names.");
			break;
		default:
			break;
	}
}

static TemplateFilter *
filter(Lexer *lexer)
{
	TemplateFilter *filter = palloc0(sizeof(TemplateFilter));
	char	   *second = NULL;
	char	   *word = name(lexer, "a filter");
	int			arguments = 0;
	int			i;

	for (i = 0; i < lengthof(filters) && strcmp(filters[i].name, word) != 0; i++)
		;
	if (i == lengthof(filters))
	{
		lexer->at -= strlen(word);
		fail(lexer, psprintf("there is no filter \"%s\"", word),
			 "Filters are default, upper, lower, capitalize, date, number, truncate, url_encode, strip, escape and raw.");
	}
	filter->kind = filters[i].kind;
	if (accept(lexer, ':'))
		do
		{
			char	   *value = argument(lexer);

			if (++arguments == 1)
				filter->text = value;
			else
				second = value;
		} while (arguments < 3 && accept(lexer, ','));
	if (arguments < filters[i].least || arguments > filters[i].most)
		fail(lexer, psprintf("filter \"%s\" has the wrong number of arguments", word), psprintf("Write %s.", filters[i].form));
	check_arguments(lexer, filter, second);
	return filter;
}

/* --- tokens --- */

static void
check_raw(const Lexer *lexer, TemplateToken *token)
{
	ListCell   *cell;

	foreach(cell, token->filters)
	{
		FilterKind	kind = ((TemplateFilter *) lfirst(cell))->kind;

		if (kind == FILTER_URL_ENCODE)
			token->encoded = true;
		if (kind != FILTER_RAW)
			continue;
		token->raw = true;
		if (!lexer->spot->raw_allowed)
			wf_template_error(lexer->spot, token->offset, ERRCODE_INSUFFICIENT_PRIVILEGE,
							  "this template may not use the filter raw",
							  "It puts data in as HTML. A superuser can allow it: UPDATE automation.template SET raw_allowed = true.");
	}
}

static void
find_special(const Lexer *lexer, TemplateToken *token, TemplateFormat format)
{
	const char *first = token->path == NIL ? "" : linitial(token->path);

	if (list_length(token->path) != 1)
		return;
	if (strcmp(first, "unsubscribe_url") == 0)
		token->special = SPECIAL_UNSUBSCRIBE_URL;
	else if (strcmp(first, "postal_address") == 0)
		token->special = SPECIAL_POSTAL_ADDRESS;
	if (token->special != SPECIAL_NONE && (token->filters != NIL || format == TEMPLATE_SUBJECT))
		wf_template_error(lexer->spot, token->offset, ERRCODE_SYNTAX_ERROR,
						  psprintf("{{ %s }} has no filters and stands in html or body", first), NULL);
}

static TemplateToken *
token_read(Lexer *lexer, TemplateFormat format)
{
	TemplateToken *token = palloc0(sizeof(TemplateToken));

	token->offset = lexer->at - lexer->spot->source;
	lexer->at += 2;
	skip_space(lexer);
	if (*lexer->at == '"' || *lexer->at == '\'')
		token->literal = quoted(lexer);
	else
		do
			token->path = lappend(token->path, name(lexer, "a name"));
		while (list_length(token->path) <= MAX_DEPTH && accept(lexer, '.'));
	while (accept(lexer, '|'))
		token->filters = lappend(token->filters, filter(lexer));
	if (list_length(token->path) > MAX_DEPTH || list_length(token->filters) > MAX_FILTERS)
		wf_template_error(lexer->spot, token->offset, ERRCODE_PROGRAM_LIMIT_EXCEEDED, "the token is too long",
						  "A path has up to 8 names, and there are up to 8 filters.");
	skip_space(lexer);
	if (strncmp(lexer->at, "}}", 2) != 0)
		fail(lexer, *lexer->at == '\0' ? "the token is not closed" : "unexpected character in a token",
			 TOKEN_HINT " For two braces as they are write {{ \"{{\" }}.");
	lexer->at += 2;
	check_raw(lexer, token);
	find_special(lexer, token, format);
	return token;
}

/* --- the text --- */

static void
check_source(const TemplateSpot *spot, TemplateFormat format)
{
	const char *at;

	if (strlen(spot->source) > TEMPLATE_MAX_TEXT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("template \"%s\": %s is longer than 1 MB", spot->name, spot->part)));
	for (at = spot->source; *at != '\0'; at++)
		if (((unsigned char) *at < ' ' && (format == TEMPLATE_SUBJECT || strchr("\t\n\r", *at) == NULL)) || *at == 0x7f)
			wf_template_error(spot, at - spot->source, ERRCODE_SYNTAX_ERROR,
							  format == TEMPLATE_SUBJECT ? "the subject has a line break or control character" : "control character",
							  "Remove it.");
}

/* Where the next token begins, or the end. */
static const char *
next_token(const TemplateSpot *spot, const char *at)
{
	while ((at = strchr(at, '{')) != NULL && at[1] != '{')
	{
		if (at[1] == '%')
			wf_template_error(spot, at - spot->source, ERRCODE_SYNTAX_ERROR, "there are no statements {% %} in templates",
							  "Make what differs a column or a variable, or write another template; for the characters as they are write {{ \"{%\" }}.");
		at++;
	}
	return at == NULL ? spot->source + strlen(spot->source) : at;
}

static void
append_piece(TemplateText *text, int *room, const char *literal, int length, TemplateToken *token)
{
	if (text->npieces == *room)
	{
		*room *= 2;
		text->pieces = repalloc(text->pieces, *room * sizeof(TemplatePiece));
	}
	text->pieces[text->npieces++] = (TemplatePiece) {pnstrdup(literal, length), length, token};
	text->size += length;
	if (token != NULL)
		text->specials[token->special] = true;
}

TemplateText *
wf_template_parse(const char *source, TemplateFormat format, TemplateSpot *spot)
{
	TemplateText *text = palloc0(sizeof(TemplateText));
	Lexer		lexer = {.at = source, .spot = spot};
	int			room = 8;

	spot->source = source;
	check_source(spot, format);
	text->format = format;
	text->pieces = palloc(room * sizeof(TemplatePiece));
	for (;;)
	{
		const char *literal = lexer.at;
		TemplateToken *token = NULL;
		int			length;

		lexer.at = next_token(spot, literal);
		length = lexer.at - literal;
		if (*lexer.at != '\0')
			token = token_read(&lexer, format);
		append_piece(text, &room, literal, length, token);
		if (token == NULL)
			break;
		if (text->npieces > TEMPLATE_MAX_TOKENS)
			fail(&lexer, "too many tokens", "A text has up to 10000.");
	}
	if (format == TEMPLATE_HTML)
		wf_template_contexts(text, spot);
	return text;
}

/*
 * Each token goes through the conversion as \002 NUMBER \003, which is text like any
 * other there, in links too.
 */
TemplateText *
wf_template_plain(const TemplateText *html)
{
	TemplateText *text = palloc0(sizeof(TemplateText));
	StringInfoData marked;
	int			room = html->npieces + 1;
	char	   *at;

	initStringInfo(&marked);
	for (int i = 0; i < html->npieces; i++)
	{
		appendBinaryStringInfo(&marked, html->pieces[i].literal, html->pieces[i].length);
		if (html->pieces[i].token != NULL)
			appendStringInfo(&marked, "\002%d\003", i);
	}
	at = wf_html_text(marked.data, marked.len);
	pfree(marked.data);
	text->format = TEMPLATE_PLAIN;
	text->pieces = palloc(room * sizeof(TemplatePiece));
	for (;;)
	{
		char	   *mark = strchr(at, '\002');
		char	   *end;
		int			number;

		if (mark == NULL)
			break;
		number = strtol(mark + 1, &end, 10);
		append_piece(text, &room, at, mark - at, html->pieces[number].token);
		at = end + 1;
	}
	append_piece(text, &room, at, strlen(at), NULL);
	return text;
}
