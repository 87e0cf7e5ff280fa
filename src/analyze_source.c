/*
 * analyze_source.c -- positions of errors: from a fragment to the body, from
 * the body to the CREATE FUNCTION statement that holds it.
 *
 * A fragment is analysed in a copy of the body in which everything else is
 * blank, byte by byte: byte positions in parse trees are those of the body.
 * Positions in messages count characters, so they are converted where the
 * blanked part holds multibyte characters.  The callbacks raise no errors and
 * keep nothing; the contexts live on their callers' stacks.
 */
#include "postgres.h"

#include "catalog/pg_proc.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "analyze_internal.h"
#include "compat.h"

/* Overwrites [start, end) with blanks; line ends stay. */
static void
blank(char *text, int start, int end)
{
	int			i;

	for (i = start; i < end; i++)
		if (text[i] != '\n' && text[i] != '\r')
			text[i] = ' ';
}

/* Copy of body in which all but the fragment is blank; in the current context. */
char *
wf_fragment_text(const char *body, Fragment f, Fragment blank_out)
{
	char	   *text = pstrdup(body);
	int			length = strlen(text);

	Assert(f.start >= 0 && f.start <= f.end && f.end <= length);
	blank(text, 0, f.start);
	blank(text, f.end, length);
	if (!FRAGMENT_ABSENT(blank_out))
		blank(text, Max(blank_out.start, f.start), Min(blank_out.end, f.end));
	return text;
}

/* Byte offset of a 1-based character position. */
static int
byte_offset(const char *text, int position)
{
	const char *p = text;

	while (--position > 0 && *p)
		p += pg_mblen(p);
	return p - text;
}

/* Reports a character position of text as one of body. */
static void
report_in_body(const char *text, const char *body, int position)
{
	internalerrposition(pg_mbstrlen_with_len(body, byte_offset(text, position)) + 1);
	internalerrquery(body);
}

static void
fragment_callback(void *arg)
{
	FragmentContext *context = arg;
	int			position = geterrposition();

	if (position <= 0)
		return;
	errposition(0);
	report_in_body(context->text, context->body, position);
}

/* Positions of the parser and its kin are moved into body from here on. */
void
wf_fragment_context_enter(FragmentContext *context, const char *text, const char *body)
{
	context->text = text;
	context->body = body;
	context->callback.callback = fragment_callback;
	context->callback.arg = context;
	context->callback.previous = error_context_stack;
	error_context_stack = &context->callback;
}

void
wf_fragment_context_leave(FragmentContext *context)
{
	error_context_stack = context->callback.previous;
}

/* Is the text the body, or the body with blanks in it? */
static bool
is_blanked_copy(const char *text, const char *body)
{
	while (*text && (*text == *body || *text == ' '))
	{
		text++;
		body++;
	}
	return *text == '\0' && *body == '\0';
}

/*
 * Moves a position in the body, or in a blanked copy of it, into CREATE
 * FUNCTION (then true), or else shows the body as the query.  The error's query has no
 * getter, hence the copy; a position in some other function's text stays.
 */
static bool
transpose(const char *body)
{
	MemoryContext old;
	ErrorData  *error;
	int			position = getinternalerrposition();
	bool		ours;

	if (position <= 0 || geterrposition() > 0)
		return false;
	old = MemoryContextSwitchTo(CurTransactionContext ? CurTransactionContext : TopMemoryContext);
	error = CopyErrorData();
	ours = error->internalquery && is_blanked_copy(error->internalquery, body);
	if (ours)
		report_in_body(error->internalquery, body, position);
	FreeErrorData(error);
	MemoryContextSwitchTo(old);
	return ours && function_parse_error_transpose(body) && geterrposition() > 0;
}

static void
source_callback(void *arg)
{
	SourceContext *context = arg;

	if (!transpose(context->body) && geterrposition() <= 0 && context->name)
		errcontext("workflow %s", context->name);
}

/*
 * From here on errors in body show their place in CREATE FUNCTION, or body as
 * the query when there is no such statement.  name (may be NULL) is added as
 * context when the statement does not show it.
 */
void
wf_source_context_enter(SourceContext *context, const char *body, const char *name)
{
	context->body = body;
	context->name = name;
	context->callback.callback = source_callback;
	context->callback.arg = context;
	context->callback.previous = error_context_stack;
	error_context_stack = &context->callback;
}

void
wf_source_context_leave(SourceContext *context)
{
	error_context_stack = context->callback.previous;
}
