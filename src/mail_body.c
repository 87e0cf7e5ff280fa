/*
 * mail_body.c -- the body of a mail: its parts, and the encodings they leave in.
 *
 *   multipart/mixed                  if there are attachments
 *     multipart/alternative          if there are text and HTML
 *       text/plain
 *       multipart/related            if the HTML shows attachments by cid:
 *         text/html
 *         inline attachments
 *     attachments
 *
 * Called by mail.c, in the worker, outside transactions.  A text is quoted-printable, or
 * base64 where that is shorter: lines of 76 bytes at most that end in CR LF, no other CR or LF,
 * no dot and no "From " at the beginning of a line, no spaces at its end.  So nothing
 * in a text can end the message for any server on the way, whatever it takes for the
 * end of a line.  Boundaries hold "=_", which neither encoding ever writes, and the
 * uid, so that they are the same on every attempt.  Raises nothing but out of memory.
 */
#include "postgres.h"

#include "common/base64.h"

#include "compat.h"
#include "mail.h"
#include "message.h"

/* What is written, and how many boundaries it has. */
typedef struct Writer
{
	StringInfo	to;
	const char *uid;
	int			boundaries;
	const char *problem;				/* NULL = none */
} Writer;

typedef struct Attachment
{
	char	   *name;
	char	   *type;
	char	   *content;				/* base64, perhaps with spaces and line breaks */
	char	   *cid;					/* NULL = not inline */
} Attachment;

/* --- encodings --- */

static void
append_soft_break(StringInfo to, int *column)
{
	appendStringInfoString(to, "=\r\n");
	*column = 0;
}

/* One byte; next is what follows it in its line, 0 = nothing. */
static void
append_quoted(StringInfo to, const char *at, char next, int *column)
{
	unsigned char c = *at;
	bool		plain = c > 0x20 && c < 0x7f && c != '=';
	bool		blank = c == ' ' || c == '\t';
	int			width;

	if (plain || (blank && next != '\0'))
		width = 1;
	else
		width = 3;
	/* one place is for the "=" of a soft break */
	if (*column + width > MAIL_LINE - 1)
		append_soft_break(to, column);
	if (*column == 0 && (c == '.' || (c == 'F' && strncmp(at, "From ", 5) == 0)))
		width = 3;
	if (width == 1)
		appendStringInfoChar(to, c);
	else
		appendStringInfo(to, "=%02X", c);
	*column += width;
}

static void
write_quoted_printable(StringInfo to, const char *text)
{
	int			column = 0;

	for (; *text; text++)
	{
		if (*text == '\r' || *text == '\n')
		{
			/* CR LF, CR and LF are all one line break */
			if (text[0] == '\r' && text[1] == '\n')
				text++;
			appendStringInfoString(to, "\r\n");
			column = 0;
		}
		else
			append_quoted(to, text, text[1] == '\r' || text[1] == '\n' ? '\0' : text[1], &column);
	}
	if (column > 0)
		appendStringInfoString(to, "\r\n");
}

/* Base64 digits in lines. */
static void
write_lines(StringInfo to, const char *digits, int len)
{
	for (int at = 0; at < len; at += MAIL_LINE)
	{
		appendBinaryStringInfo(to, digits + at, Min(MAIL_LINE, len - at));
		appendStringInfoString(to, "\r\n");
	}
}

static void
write_base64(StringInfo to, const char *bytes, int len)
{
	int			room = pg_b64_enc_len(len) + 1;
	char	   *digits = palloc(room);
	int			coded = pg_b64_encode((const void *) bytes, len, digits, room);

	write_lines(to, digits, Max(coded, 0));
	pfree(digits);
}

/* With CR LF at each end of a line, as a text in base64 has to be. */
static char *
with_line_ends(const char *text)
{
	StringInfoData out;

	initStringInfo(&out);
	for (; *text; text++)
	{
		if (*text != '\r' && *text != '\n')
			appendStringInfoChar(&out, *text);
		else
		{
			appendStringInfoString(&out, "\r\n");
			if (text[0] == '\r' && text[1] == '\n')
				text++;
		}
	}
	return out.data;
}

/* Quoted-printable takes three bytes where base64 takes four thirds. */
static bool
is_mostly_foreign(const char *text)
{
	size_t		foreign = 0;
	const char *at = text;

	for (; *at; at++)
		foreign += IS_HIGHBIT_SET(*at) ? 1 : 0;
	return foreign * 6 > (size_t) (at - text);
}

/* --- parts --- */

static char *
new_boundary(Writer *w)
{
	return psprintf("=_%s_%d", w->uid, ++w->boundaries);
}

static void
begin_multipart(Writer *w, const char *subtype, const char *boundary)
{
	appendStringInfo(w->to, "Content-Type: multipart/%s;\r\n boundary=\"%s\"\r\n\r\n", subtype, boundary);
}

static void
begin_part(Writer *w, const char *boundary)
{
	appendStringInfo(w->to, "--%s\r\n", boundary);
}

static void
end_multipart(Writer *w, const char *boundary)
{
	appendStringInfo(w->to, "--%s--\r\n", boundary);
}

static void
write_text(Writer *w, const char *subtype, const char *text)
{
	bool		base64 = is_mostly_foreign(text);

	appendStringInfo(w->to, "Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n",
					 subtype, base64 ? "base64" : "quoted-printable");
	if (base64)
	{
		char	   *lines = with_line_ends(text);

		write_base64(w->to, lines, strlen(lines));
		pfree(lines);
	}
	else
		write_quoted_printable(w->to, text);
}

/* RFC 2231, in pieces that fit a line; where the name is plain and short, as everybody reads it. */
static void
write_file_name(Writer *w, const char *name)
{
	bool		plain = strlen(name) < 50;
	int			piece = 0;

	for (const char *c = name; *c; c++)
		if ((unsigned char) *c < 0x20 || (unsigned char) *c > 0x7e || *c == '"' || *c == '\\')
			plain = false;
	if (plain)
	{
		appendStringInfo(w->to, ";\r\n filename=\"%s\"", name);
		return;
	}
	while (*name)
	{
		int			column = 0;

		appendStringInfo(w->to, ";\r\n filename*%d*=%s", piece, piece == 0 ? "UTF-8''" : "");
		piece++;
		for (; *name && column < 48; name++)
		{
			unsigned char c = *name;
			bool		as_is = c < 0x7f && (isalnum(c) || c == '.' || c == '-' || c == '_');

			column += as_is ? 1 : 3;
			if (as_is)
				appendStringInfoChar(w->to, c);
			else
				appendStringInfo(w->to, "%%%02X", c);
		}
	}
}

/* A type that may hold anything; parts of their own are not encoded, and so not allowed here. */
static const char *
safe_type(const char *type)
{
	if (type == NULL || pg_strncasecmp(type, "multipart/", 10) == 0 || pg_strncasecmp(type, "message/", 8) == 0)
		return "application/octet-stream";
	for (const char *c = type; *c; c++)
		if ((unsigned char) *c < 0x20 || (unsigned char) *c > 0x7e)
			return "application/octet-stream";
	return strchr(type, '/') && *type != '/' ? type : "application/octet-stream";
}

/* The digits without what stands between them; NULL: not base64. */
static char *
digits_of(const char *content, int *len)
{
	char	   *digits = palloc(strlen(content) + 1);
	int			n = 0;

	for (; *content; content++)
	{
		unsigned char c = *content;

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			continue;
		if (c > 0x7e || !(isalnum(c) || c == '+' || c == '/' || c == '='))
			return NULL;
		digits[n++] = c;
	}
	*len = n;
	return digits;
}

static void
write_attachment(Writer *w, const Attachment *a)
{
	int			len = 0;
	char	   *digits = a->content ? digits_of(a->content, &len) : NULL;

	if (digits == NULL)
	{
		w->problem = "the content of an attachment is not base64";
		return;
	}
	appendStringInfo(w->to, "Content-Type: %s\r\nContent-Transfer-Encoding: base64\r\n", safe_type(a->type));
	if (a->cid)
		appendStringInfo(w->to, "Content-ID: <%s>\r\n", a->cid);
	appendStringInfo(w->to, "Content-Disposition: %s", a->cid ? "inline" : "attachment");
	write_file_name(w, a->name);
	appendStringInfoString(w->to, "\r\n\r\n");
	write_lines(w->to, digits, len);
	pfree(digits);
}

static void
write_html(Writer *w, const char *html, List *inlines)
{
	char	   *boundary;
	ListCell   *lc;

	if (inlines == NIL)
	{
		write_text(w, "html", html);
		return;
	}
	boundary = new_boundary(w);
	begin_multipart(w, "related", boundary);
	begin_part(w, boundary);
	write_text(w, "html", html);
	foreach(lc, inlines)
	{
		begin_part(w, boundary);
		write_attachment(w, lfirst(lc));
	}
	end_multipart(w, boundary);
}

static void
write_alternatives(Writer *w, const char *text, const char *html, List *inlines)
{
	char	   *boundary;

	if (html == NULL)
		write_text(w, "plain", text ? text : "");
	else if (text == NULL)
		write_html(w, html, inlines);
	else
	{
		boundary = new_boundary(w);
		begin_multipart(w, "alternative", boundary);
		begin_part(w, boundary);
		write_text(w, "plain", text);
		begin_part(w, boundary);
		write_html(w, html, inlines);
		end_multipart(w, boundary);
	}
}

/* --- reading --- */

static char *
string_member(JsonbContainer *object, const char *name)
{
	JsonbValue *value = getKeyJsonValueFromContainer(object, name, strlen(name), NULL);

	return value && value->type == jbvString ? pnstrdup(value->val.string.val, value->val.string.len) : NULL;
}

/* Whether it may stand between quotes or brackets of a header. */
static bool
is_word(const char *text)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char) *c <= 0x20 || (unsigned char) *c > 0x7e || strchr("<>\"\\", *c))
			return false;
	return *text != '\0' && strlen(text) < 900;
}

static Attachment *
read_attachment(const JsonbValue *value)
{
	Attachment *a;

	if (value == NULL || value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		return NULL;
	a = palloc0(sizeof(Attachment));
	a->name = string_member(value->val.binary.data, "name");
	a->type = string_member(value->val.binary.data, "type");
	a->content = string_member(value->val.binary.data, "content");
	a->cid = string_member(value->val.binary.data, "inline");
	return a->name && (a->cid == NULL || is_word(a->cid)) ? a : NULL;
}

/* Those shown by HTML, and the others. */
static void
read_attachments(Writer *w, const Outgoing *o, bool html, List **inlines, List **others)
{
	JsonbValue *array;

	if (o->options == NULL || !JB_ROOT_IS_OBJECT(o->options))
		return;
	array = getKeyJsonValueFromContainer(&o->options->root, "attachments", 11, NULL);
	if (array == NULL || array->type == jbvNull)
		return;
	if (array->type != jbvBinary || !JsonContainerIsArray(array->val.binary.data))
	{
		w->problem = "option attachments is no array";
		return;
	}
	for (uint32 i = 0; i < JsonContainerSize(array->val.binary.data); i++)
	{
		Attachment *a = read_attachment(getIthJsonbValueFromContainer(array->val.binary.data, i));

		if (a == NULL)
		{
			w->problem = "an attachment has no name, or an inline id that is none";
			return;
		}
		if (a->cid && html)
			*inlines = lappend(*inlines, a);
		else
			*others = lappend(*others, a);
	}
}

bool
wf_mail_write_body(StringInfo to, const Outgoing *o, const char **problem)
{
	Writer		w = {to, o->uid, 0, NULL};
	char	   *html = wf_message_option(o->options, "html");
	List	   *inlines = NIL;
	List	   *others = NIL;
	char	   *boundary;
	ListCell   *lc;

	read_attachments(&w, o, html != NULL, &inlines, &others);
	appendStringInfoString(to, "MIME-Version: 1.0\r\n");
	if (others == NIL)
		write_alternatives(&w, o->body, html, inlines);
	else
	{
		boundary = new_boundary(&w);
		begin_multipart(&w, "mixed", boundary);
		begin_part(&w, boundary);
		write_alternatives(&w, o->body, html, inlines);
		foreach(lc, others)
		{
			begin_part(&w, boundary);
			write_attachment(&w, lfirst(lc));
		}
		end_multipart(&w, boundary);
	}
	*problem = w.problem;
	return w.problem == NULL;
}
