/*
 * template_context.c -- where in the HTML a token stands.
 *
 * Values are escaped so that they can't leave the text or the quoted attribute value
 * they are put into; so the places of all tokens follow from the template's own text,
 * and are found once, when it is parsed. A token may stand in text and in quoted values
 * of attributes. In an address it may stand at the beginning, where its scheme is looked
 * at when it is rendered, and behind the host.
 *
 * Touches nothing but the tokens; ERROR by wf_template_error().
 */
#include "postgres.h"

#include <ctype.h>

#include "template.h"

#define WORD_SIZE 32

typedef enum
{
	AT_TEXT,
	AT_OPEN,							/* behind < */
	AT_BANG,							/* behind <! */
	AT_COMMENT,
	AT_DECLARATION,						/* to the next > */
	AT_TAG_NAME,
	AT_TAG,								/* between attributes */
	AT_NAME,							/* of an attribute */
	AT_AFTER_NAME,
	AT_BEFORE_VALUE,
	AT_QUOTED,
	AT_UNQUOTED,
	AT_CODE								/* of a script or style */
} Place;

typedef enum
{
	URL_START,
	URL_SCHEME,							/* or a path without a slash before it */
	URL_SLASH,							/* one at the beginning */
	URL_COLON,							/* of http and https, and slashes */
	URL_HOST,
	URL_PATH,
	URL_QUERY,
	URL_AFTER_TOKEN,					/* which was the beginning */
	URL_BAD
} UrlPlace;

typedef struct Machine
{
	Place		place;
	char		tag[WORD_SIZE];			/* lower case, cut */
	char		name[WORD_SIZE];		/* of the attribute */
	char		scheme[WORD_SIZE];
	bool		closing;				/* tag */
	char		quote;
	int			count;					/* characters of a comment, or matched of a closing tag */
	int			dashes;
	bool		is_url;
	UrlPlace	url;
} Machine;

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static void
add(char *word, char c)
{
	int			length = strlen(word);

	if (length < WORD_SIZE - 1)
	{
		word[length] = tolower((unsigned char) c);
		word[length + 1] = '\0';
	}
}

static bool
one_of(const char *word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

/* --- addresses --- */

static const char *const url_attributes[] = {
	"href", "src", "action", "formaction", "background", "poster", "cite", "longdesc", "xlink:href", "data", NULL
};
static const char *const url_schemes[] = {"http", "https", "mailto", "tel", "cid", NULL};

static UrlPlace
url_colon(const Machine *m)
{
	if (!one_of(m->scheme, url_schemes))
		return URL_BAD;
	return m->scheme[0] == 'h' ? URL_COLON : URL_PATH;
}

static void
url_step(Machine *m, char c)
{
	bool		query = c == '?' || c == '#';

	switch (m->url)
	{
		case URL_START:
			if (is_space(c))
				break;
			m->url = query ? URL_QUERY : c == '/' ? URL_SLASH : URL_SCHEME;
			if (m->url == URL_SCHEME)
				add(m->scheme, c);
			break;
		case URL_SCHEME:
			if (c == ':')
			{
				m->url = url_colon(m);
				m->count = 0;
			}
			else if (query || c == '/')
				m->url = query ? URL_QUERY : URL_PATH;
			else
				add(m->scheme, c);
			break;
		case URL_SLASH:
			m->url = query ? URL_QUERY : c == '/' || c == '\\' ? URL_HOST : URL_PATH;
			break;
		case URL_COLON:
			if (c != '/')
				m->url = URL_BAD;
			else if (++m->count == 2)
				m->url = URL_HOST;
			break;
		case URL_HOST:
		case URL_AFTER_TOKEN:
			if (query || c == '/')
				m->url = query ? URL_QUERY : URL_PATH;
			break;
		case URL_PATH:
			if (query)
				m->url = URL_QUERY;
			break;
		case URL_QUERY:
		case URL_BAD:
			break;
	}
}

/* --- tags --- */

static void
tag_begins(Machine *m, bool closing)
{
	m->place = AT_TAG_NAME;
	m->closing = closing;
	m->tag[0] = '\0';
}

static void
tag_ends(Machine *m)
{
	bool		code = !m->closing && (strcmp(m->tag, "script") == 0 || strcmp(m->tag, "style") == 0);

	m->place = code ? AT_CODE : AT_TEXT;
	m->count = 0;
}

static void
name_begins(Machine *m, char c)
{
	m->place = AT_NAME;
	m->name[0] = '\0';
	add(m->name, c);
}

static void
value_begins(Machine *m, char quote)
{
	m->place = AT_QUOTED;
	m->quote = quote;
	m->is_url = one_of(m->name, url_attributes);
	m->url = URL_START;
	m->scheme[0] = '\0';
}

/* In a tag, outside values. */
static void
tag_step(Machine *m, char c)
{
	if (c == '>')
		tag_ends(m);
	else if (m->place == AT_TAG_NAME)
	{
		if (is_space(c) || c == '/')
			m->place = AT_TAG;
		else
			add(m->tag, c);
	}
	else if (m->place == AT_BEFORE_VALUE)
	{
		if (c == '"' || c == '\'')
			value_begins(m, c);
		else if (!is_space(c))
			m->place = AT_UNQUOTED;
	}
	else if (m->place == AT_UNQUOTED)
	{
		if (is_space(c))
			m->place = AT_TAG;
	}
	else if (c == '=' && m->place != AT_TAG)
		m->place = AT_BEFORE_VALUE;
	else if (is_space(c))
		m->place = m->place == AT_NAME ? AT_AFTER_NAME : m->place;
	else if (c == '/')
		m->place = AT_TAG;
	else if (m->place == AT_NAME)
		add(m->name, c);
	else
		name_begins(m, c);
}

/* Behind <; true: the character is not yet dealt with. */
static bool
open_step(Machine *m, char c)
{
	if (isalpha((unsigned char) c))
	{
		tag_begins(m, false);
		add(m->tag, c);
	}
	else if (c == '/')
		tag_begins(m, true);
	else if (c == '!')
	{
		m->place = AT_BANG;
		m->count = 0;
	}
	else if (c == '?')
		m->place = AT_DECLARATION;
	else
	{
		m->place = AT_TEXT;
		return c == '<';
	}
	return false;
}

/* A comment that says [if is a condition of a mail program: what follows is HTML. */
static void
comment_step(Machine *m, char c)
{
	if (m->place == AT_BANG)
	{
		if (c == '-')
		{
			if (++m->count == 2)
			{
				m->place = AT_COMMENT;
				m->count = 0;
				m->dashes = 2;
			}
		}
		else
			m->place = c == '>' ? AT_TEXT : AT_DECLARATION;
		return;
	}
	if (m->count >= 0 && c == "[if"[m->count])
	{
		if (++m->count == 3)
			m->place = AT_DECLARATION;
	}
	else
		m->count = -1;
	if (c == '>' && m->dashes >= 2)
		m->place = AT_TEXT;
	m->dashes = c == '-' ? m->dashes + 1 : 0;
}

/* Of a script or style nothing but its closing tag matters. */
static void
code_step(Machine *m, char c)
{
	int			length = strlen(m->tag);
	char		wanted = m->count == 0 ? '<' : m->count == 1 ? '/' : m->tag[m->count - 2];

	if (m->count == length + 2)
	{
		if (is_space(c) || c == '/' || c == '>')
		{
			m->closing = true;
			m->place = AT_TAG;
			tag_step(m, c);
			return;
		}
		m->count = 0;
	}
	else if (tolower((unsigned char) c) == wanted)
	{
		m->count++;
		return;
	}
	m->count = c == '<' ? 1 : 0;
}

static void
step(Machine *m, char c)
{
	switch (m->place)
	{
		case AT_TEXT:
			if (c == '<')
				m->place = AT_OPEN;
			break;
		case AT_OPEN:
			if (open_step(m, c))
				m->place = AT_OPEN;
			break;
		case AT_BANG:
		case AT_COMMENT:
			comment_step(m, c);
			break;
		case AT_DECLARATION:
			if (c == '>')
				m->place = AT_TEXT;
			break;
		case AT_QUOTED:
			if (c == m->quote)
				m->place = AT_TAG;
			else if (m->is_url)
				url_step(m, c);
			break;
		case AT_CODE:
			code_step(m, c);
			break;
		default:
			tag_step(m, c);
	}
}

/* --- tokens --- */

static void
url_token(Machine *m, TemplateToken *token, const TemplateSpot *spot)
{
	const char *problem = NULL;

	switch (m->url)
	{
		case URL_START:
			token->context = CONTEXT_URL;
			m->url = URL_AFTER_TOKEN;
			break;
		case URL_SLASH:
		case URL_PATH:
			token->context = CONTEXT_URL_PATH;
			m->url = URL_PATH;
			break;
		case URL_QUERY:
			token->context = CONTEXT_URL_QUERY;
			break;
		case URL_BAD:
			problem = "a token stands in an address that is neither http, https, mailto nor tel";
			break;
		default:
			problem = "a token can't be part of the host of an address";
	}
	if (token->special != SPECIAL_NONE && (token->special != SPECIAL_UNSUBSCRIBE_URL || token->context != CONTEXT_URL))
		problem = "this token can't be part of an address";
	if (problem != NULL)
		wf_template_error(spot, token->offset, ERRCODE_SYNTAX_ERROR, problem,
						  "Let a token be the beginning of the address, host included, or stand in its path or behind the question mark.");
}

static bool
attribute_is_code(const Machine *m)
{
	static const char *const codes[] = {"style", "srcset", "srcdoc", "http-equiv", NULL};

	return one_of(m->name, codes) || strncmp(m->name, "on", 2) == 0 ||
		(strcmp(m->tag, "meta") == 0 && strcmp(m->name, "content") == 0);
}

static void
quoted_token(Machine *m, TemplateToken *token, const TemplateSpot *spot)
{
	if (attribute_is_code(m))
		wf_template_error(spot, token->offset, ERRCODE_SYNTAX_ERROR, psprintf("a token can't stand in the attribute %s", m->name),
						  "A mail program would read the value as code.");
	if (token->raw)
		wf_template_error(spot, token->offset, ERRCODE_SYNTAX_ERROR, "the filter raw can't be used in an attribute", "Remove it.");
	if (m->is_url)
		url_token(m, token, spot);
}

static void
token_found(Machine *m, TemplateToken *token, const TemplateSpot *spot)
{
	if (m->place == AT_QUOTED)
		quoted_token(m, token, spot);
	else if (m->place == AT_BEFORE_VALUE || m->place == AT_UNQUOTED)
		wf_template_error(spot, token->offset, ERRCODE_SYNTAX_ERROR, "the token stands in an attribute without quotes",
						  "Put the attribute's value in quotes.");
	else if (m->place != AT_TEXT)
		wf_template_error(spot, token->offset, ERRCODE_SYNTAX_ERROR, "a token can't stand here",
						  "It can stand in text and in quoted values of attributes, not in names, comments, scripts and styles.");
}

void
wf_template_contexts(TemplateText *text, const TemplateSpot *spot)
{
	Machine		m = {.place = AT_TEXT};

	for (int i = 0; i < text->npieces; i++)
	{
		const TemplatePiece *piece = &text->pieces[i];

		for (int j = 0; j < piece->length; j++)
			step(&m, piece->literal[j]);
		if (piece->token != NULL)
			token_found(&m, piece->token, spot);
	}
	if (m.place != AT_TEXT)
		wf_template_error(spot, strlen(spot->source), ERRCODE_SYNTAX_ERROR, "the HTML ends within a tag, a comment, a script or a style",
						  "Close it: mail programs would not show what follows.");
}
