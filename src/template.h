/*
 * template.h -- texts with {{ tokens }}: parsed when saved, rendered with the
 * columns of a row and with variables.
 *
 * A template is the author's text; what tokens bring is data, which is never
 * looked through for tokens again and is escaped by the place it lands in.
 */
#ifndef WF_TEMPLATE_H
#define WF_TEMPLATE_H

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "pgtime.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "outbox.h"

#define TEMPLATE_MAX_TEXT (1024 * 1024) /* bytes of a text of a template */
#define TEMPLATE_MAX_TOKENS 10000	/* of a text */
#define TEMPLATE_MAX_RENDERED (25 * 1024 * 1024)	/* bytes */

typedef enum
{
	TEMPLATE_PLAIN,
	TEMPLATE_HTML,
	TEMPLATE_SUBJECT				/* one line */
} TemplateFormat;

/* Where a token stands, which says what becomes of its value. */
typedef enum
{
	CONTEXT_TEXT,					/* of a plain text, HTML text or an attribute in quotes */
	CONTEXT_URL,					/* begins an address: its scheme is looked at */
	CONTEXT_URL_PATH,
	CONTEXT_URL_QUERY				/* behind ? or # */
} TokenContext;

/* What only SEND knows; see wf_template_finish(). */
typedef enum
{
	SPECIAL_NONE,
	SPECIAL_UNSUBSCRIBE_URL,
	SPECIAL_POSTAL_ADDRESS
} TokenSpecial;

typedef enum
{
	FILTER_DEFAULT,
	FILTER_UPPER,
	FILTER_LOWER,
	FILTER_CAPITALIZE,
	FILTER_DATE,
	FILTER_NUMBER,
	FILTER_TRUNCATE,
	FILTER_URL_ENCODE,
	FILTER_STRIP,
	FILTER_ESCAPE,
	FILTER_RAW
} FilterKind;

typedef struct TemplateFilter
{
	FilterKind	kind;
	char	   *text;				/* first argument; NULL = none */
	int			count;				/* truncate: characters */
	pg_tz	   *zone;				/* date: NULL = the template's */
} TemplateFilter;

typedef struct TemplateToken
{
	List	   *path;				/* of char *; NIL: a literal */
	char	   *literal;
	TokenSpecial special;
	TokenContext context;
	List	   *filters;			/* of TemplateFilter * */
	bool		raw;				/* is HTML, or wants none of it */
	bool		encoded;			/* url_encode is among the filters */
	int			offset;				/* in the source */
	/* its value in the message being made, so that html and body ask once */
	uint64		known;				/* TemplateData.message */
	char	   *value;				/* NULL = missing */
	int			length;
} TemplateToken;

/* A piece of literal text and the token behind it (NULL at the end). */
typedef struct TemplatePiece
{
	char	   *literal;
	int			length;
	TemplateToken *token;
} TemplatePiece;

typedef struct TemplateText
{
	TemplateFormat format;
	int			npieces;
	TemplatePiece *pieces;
	int			size;				/* bytes of all literals */
	bool		specials[SPECIAL_POSTAL_ADDRESS + 1];	/* which ones there are */
} TemplateText;

/* Whose text it is, for errors and limits. */
typedef struct TemplateSpot
{
	const char *name;				/* of the template */
	const char *part;				/* subject, html, body */
	const char *source;				/* the text; set by wf_template_parse() */
	bool		raw_allowed;
} TemplateSpot;

/* Current context.  ERROR (42601) with part, line and column, and what to do. */
extern TemplateText *wf_template_parse(const char *source, TemplateFormat format, TemplateSpot *spot);

/* Sets the contexts of an HTML text's tokens; ERROR where a token can't stand. */
extern void wf_template_contexts(TemplateText *text, const TemplateSpot *spot);
/* Raised at a place of the source; hint may be NULL. */
pg_noreturn extern void wf_template_error(const TemplateSpot *spot, int offset, int sqlstate, const char *message, const char *hint);

/* The plain text of an HTML one, with the same tokens. */
extern TemplateText *wf_template_plain(const TemplateText *html);

typedef enum
{
	MISSING_FAIL,
	MISSING_EMPTY,
	MISSING_SKIP
} MissingPolicy;

typedef struct TemplateData
{
	const char *name;				/* of the template, for errors */
	uint64		message;			/* number of the message in this process, not 0 */
	const char *row_name;			/* of the recipient's type; NULL = has none */
	Jsonb	   *row;				/* NULL = none */
	Jsonb	   *vars;				/* NULL = none */
	pg_tz	   *zone;				/* of moments */
	MissingPolicy missing;
} TemplateData;

/*
 * Appends the text with its values.  False: a token is missing and the policy is to
 * skip.  ERROR if it is missing and that fails, or the recipient has no such column.
 */
extern bool wf_template_render(const TemplateText *text, const TemplateData *data, StringInfo out);

/* Applies a filter to a value; NULL = missing, before and after.  Current context. */
extern char *wf_template_filter(const TemplateFilter *filter, char *value, pg_tz *zone);
/* Appends a value as it may stand there.  html: & < > " ' are escaped. */
extern void wf_template_append_value(StringInfo out, const char *value, int length, TokenContext context, bool html, bool encoded);
/* Without control characters and what turns the direction of writing; one line. */
extern char *wf_template_one_line(const char *value, int length);
/* & < > " ' become references. */
extern void wf_html_escape(StringInfo out, const char *value, int length);
/* Everything but letters, digits and - . _ ~ becomes %XX of its UTF-8. */
extern void wf_template_url_encode(StringInfo out, const char *value, int length);

/* HTML as plain text: current context, time linear in its length, any input. */
extern char *wf_html_text(const char *html, int length);

/* A row of automation.template. */
typedef struct Template
{
	char	   *name;
	char	   *variant;			/* '' = none */
	TemplateText *subject;
	TemplateText *html;				/* NULL = none */
	TemplateText *body;				/* made of html if it is not there */
	char	   *class;
	char	   *list;				/* NULL = none */
	bool		once;
	pg_tz	   *zone;
	MissingPolicy missing;
} Template;

/*
 * The template of that name of the role, InvalidOid: the current user's, else a
 * superuser's he may use; of several variants the one whose part of the shares the
 * address (normalized) falls in. Read under the active snapshot, lives to the next
 * call. ERROR if there is none that the current user may use.
 */
extern const Template *wf_template_find(const char *name, Oid owner, const char *address);

/*
 * Puts in what was not known when the message was made: the address to unsubscribe
 * at, which has the message's id in it, and the postal address of its server.  From
 * SEND, once id and server are set and before the message is entered; changes body
 * and options.  ERROR with a hint if the server has no such option.
 */
extern void wf_template_finish(Outgoing *o);

/* What the constructors write for those; no value can bring these bytes. */
#define TEMPLATE_MARK '\001'
#define TEMPLATE_MARK_UNSUBSCRIBE "\001unsubscribe_url\001"
#define TEMPLATE_MARK_POSTAL "\001postal_address\001"

#endif
