/*
 * template_finish.c -- what a template asks for and only SEND knows.
 *
 * email() runs before the message has an id and a server, so it writes a mark in
 * the place of {{ unsubscribe_url }} and {{ postal_address }}.  SEND calls
 * wf_template_finish() when both are known.  A mark has control characters in it,
 * which values lose when they are rendered and a template may not have.
 *
 * Current context; reads the catalogs of servers; ERROR if the server lacks what
 * is asked for.
 */
#include "postgres.h"

#include "server.h"
#include "suppression.h"
#include "template.h"

typedef struct Marks
{
	const char *server;
	char	   *unsubscribe;			/* NULL = the server has none */
	char	   *postal;
} Marks;

static void
marks_load(Marks *marks, const Outgoing *o)
{
	Server	   *server = wf_server_load(o->server);

	marks->server = o->server;
	marks->unsubscribe = server == NULL || server->unsubscribe_url == NULL ? NULL :
		psprintf("%s%s", server->unsubscribe_url, wf_token_make('u', o->id, o->uid));
	marks->postal = server == NULL ? NULL : server->postal_address;
}

static void
append_mark(StringInfo out, const Marks *marks, const char *value, const char *option, bool html)
{
	if (value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the message has {{ %s }} in it, but server \"%s\" has no option %s", option, marks->server, option),
				 errhint("Set it with ALTER SERVER %s OPTIONS (ADD %s '...').", marks->server, option)));
	if (html)
		wf_html_escape(out, value, strlen(value));
	else
		appendStringInfoString(out, value);
}

static char *
replace(const char *text, int length, const Marks *marks, bool html)
{
	const char *end = text + length;
	StringInfoData out;

	initStringInfo(&out);
	while (text < end)
	{
		const char *mark = memchr(text, TEMPLATE_MARK, end - text);

		if (mark == NULL)
			mark = end;
		appendBinaryStringInfo(&out, text, mark - text);
		text = mark;
		if (end - text >= strlen(TEMPLATE_MARK_UNSUBSCRIBE) &&
			memcmp(text, TEMPLATE_MARK_UNSUBSCRIBE, strlen(TEMPLATE_MARK_UNSUBSCRIBE)) == 0)
		{
			append_mark(&out, marks, marks->unsubscribe, "unsubscribe_url", html);
			text += strlen(TEMPLATE_MARK_UNSUBSCRIBE);
		}
		else if (end - text >= strlen(TEMPLATE_MARK_POSTAL) &&
				 memcmp(text, TEMPLATE_MARK_POSTAL, strlen(TEMPLATE_MARK_POSTAL)) == 0)
		{
			append_mark(&out, marks, marks->postal, "postal_address", html);
			text += strlen(TEMPLATE_MARK_POSTAL);
		}
		else if (text < end)
			text++;				/* means nothing: left out */
	}
	return out.data;
}

/* The options with another text in the place of html. */
static Jsonb *
with_html(Jsonb *options, const char *html)
{
	JsonbParseState *state = NULL;
	JsonbIterator *iterator = JsonbIteratorInit(&options->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	JsonbValue *whole = NULL;
	bool		is_html = false;
	int			level = 0;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		if (token == WJB_VALUE && is_html && level == 1)
		{
			value.type = jbvString;
			value.val.string.val = unconstify(char *, html);
			value.val.string.len = strlen(html);
		}
		if (token == WJB_BEGIN_OBJECT || token == WJB_BEGIN_ARRAY)
			level++;
		else if (token == WJB_END_OBJECT || token == WJB_END_ARRAY)
			level--;
		if (token == WJB_KEY && level == 1)
			is_html = value.val.string.len == strlen("html") && memcmp(value.val.string.val, "html", strlen("html")) == 0;
		whole = pushJsonbValue(&state, token, token < WJB_BEGIN_ARRAY ? &value : NULL);
	}
	return JsonbValueToJsonb(whole);
}

void
wf_template_finish(Outgoing *o)
{
	JsonbValue	buffer;
	JsonbValue *html = NULL;
	Marks		marks;

	if (strcmp(o->kind, "mail") != 0)
		return;
	if (o->options != NULL && JB_ROOT_IS_OBJECT(o->options))
		html = getKeyJsonValueFromContainer(&o->options->root, "html", strlen("html"), &buffer);
	if (html != NULL && (html->type != jbvString || memchr(html->val.string.val, TEMPLATE_MARK, html->val.string.len) == NULL))
		html = NULL;
	if (html == NULL && (o->body == NULL || strchr(o->body, TEMPLATE_MARK) == NULL))
		return;
	marks_load(&marks, o);
	if (html != NULL)
		o->options = with_html(o->options, replace(html->val.string.val, html->val.string.len, &marks, true));
	if (o->body != NULL)
		o->body = replace(o->body, strlen(o->body), &marks, false);
}
