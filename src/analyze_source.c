/*
 * analyze_source.c -- positions of errors: from a fragment to the body, from
 * the body to the CREATE FUNCTION statement that holds it.
 *
 * A fragment is analysed as a text of its own, in which a part may be blank:
 * byte positions in its parse tree count from its start.  (A body can have ten
 * thousand fragments, so nothing here may cost as much as the body is long,
 * except for an error.)  Positions in messages count characters.  The callbacks
 * raise no errors and keep nothing; the contexts live on their callers' stacks.
 */
#include "postgres.h"

#include "catalog/pg_proc.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "analyze_internal.h"
#include "compat.h"
#include "parser.h"

/* Text of a fragment; blank_out (may be absent) is blank in it.  In the current context. */
char *
wf_fragment_text(const char *body, Fragment f, Fragment blank_out)
{
	char	   *text = pnstrdup(body + f.start, f.end - f.start);
	int			start = Max(blank_out.start, f.start);
	int			end = Min(blank_out.end, f.end);

	Assert(f.start >= 0 && f.start <= f.end);
	for (int i = start; i < end && !FRAGMENT_ABSENT(blank_out); i++)
		if (body[i] != '\n' && body[i] != '\r')
			text[i - f.start] = ' ';
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

/* An error without a place of its own, of the core or of a function that is
 * called, has the fragment's. */
static void
fragment_callback(void *arg)
{
	FragmentContext *context = arg;
	int			position = geterrposition();
	int			start = context->start;

	if (position <= 0 && getinternalerrposition() > 0)
		return;
	errposition(0);
	if (position > 0)
		start += byte_offset(context->text, position);
	wf_errposition(context->body, start);
}

/* Positions of the parser and its kin are moved into body from here on; text is
 * what begins at start there. */
void
wf_fragment_context_enter(FragmentContext *context, const char *text, const char *body, int start)
{
	context->text = text;
	context->body = body;
	context->start = start;
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

/*
 * Moves a position in the body into CREATE FUNCTION; true if it did.  The
 * error's query has no getter, hence the copy; a position in some other
 * function's text stays.
 */
static bool
transpose(const char *body)
{
	MemoryContext old;
	ErrorData  *error;
	bool		ours;

	if (getinternalerrposition() <= 0 || geterrposition() > 0)
		return false;
	old = MemoryContextSwitchTo(CurTransactionContext ? CurTransactionContext : TopMemoryContext);
	error = CopyErrorData();
	ours = error->internalquery && strcmp(error->internalquery, body) == 0;
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
