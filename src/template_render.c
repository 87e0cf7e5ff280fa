/*
 * template_render.c -- a parsed text and data make a text.
 *
 * Values come from the recipient's row as JSON and from variables. NULL, '' and blanks
 * are missing. What a value brings is appended by template_value.c and not looked at
 * again. Everything is in the current context; time linear in the size of the result.
 *
 * ERROR if a token is missing and the template says so, if the row has no such column,
 * and beyond TEMPLATE_MAX_RENDERED. Errors name tokens, no values.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "template.h"

static char *
path_name(const TemplateToken *token)
{
	StringInfoData out;
	ListCell   *cell;

	initStringInfo(&out);
	foreach(cell, token->path)
		appendStringInfo(&out, "%s%s", out.len == 0 ? "" : ".", (char *) lfirst(cell));
	return out.data;
}

/* --- values --- */

static bool
is_row(const TemplateData *data, const char *name)
{
	return data->row != NULL && (strcmp(name, "recipient") == 0 || (data->row_name != NULL && strcmp(name, data->row_name) == 0));
}

static void
no_column(const TemplateData *data, const TemplateToken *token)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("template \"%s\": there is no %s", data->name, path_name(token)),
			 errhint("The recipient's row has no such column.")));
}

/* Follows names from a container; false: it does not lead to a value. */
static bool
follow(JsonbContainer *container, const List *path, int from, JsonbValue *value)
{
	for (int i = from; i < list_length(path); i++)
	{
		const char *name = list_nth(path, i);

		if (!JsonContainerIsObject(container) ||
			getKeyJsonValueFromContainer(container, name, strlen(name), value) == NULL)
			return false;
		if (i + 1 < list_length(path))
		{
			if (value->type != jbvBinary)
				return false;
			container = value->val.binary.data;
		}
	}
	return from < list_length(path);
}

static bool
find_value(const TemplateData *data, const TemplateToken *token, JsonbValue *value)
{
	const char *first = linitial(token->path);

	if (is_row(data, first))
	{
		const char *column = list_length(token->path) > 1 ? lsecond(token->path) : "";

		if (getKeyJsonValueFromContainer(&data->row->root, column, strlen(column), value) == NULL)
			no_column(data, token);
		return follow(&data->row->root, token->path, 1, value);
	}
	return data->vars != NULL && follow(&data->vars->root, token->path, 0, value);
}

static bool
is_blank(const char *value, int length)
{
	for (int i = 0; i < length; i++)
		if (strchr(" \t\n\r\f\v", value[i]) == NULL || value[i] == '\0')
			return false;
	return true;
}

/* Text of a value; NULL = missing. Not terminated. */
static char *
text_of(const JsonbValue *value, int *length)
{
	char	   *text;

	switch (value->type)
	{
		case jbvString:
			*length = value->val.string.len;
			return is_blank(value->val.string.val, *length) ? NULL : value->val.string.val;
		case jbvNumeric:
			text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
			break;
		case jbvBool:
			text = value->val.boolean ? "true" : "false";
			break;
		case jbvBinary:
			text = JsonbToCString(NULL, value->val.binary.data, value->val.binary.len);
			break;
		default:
			return NULL;
	}
	*length = strlen(text);
	return text;
}

/* The token's value with its filters; NULL = missing. */
static char *
token_value(const TemplateData *data, const TemplateToken *token, int *length)
{
	char	   *text = NULL;
	JsonbValue	value;
	ListCell   *cell;
	bool		given = token->path == NIL;

	if (token->path == NIL)
	{
		text = token->literal;
		*length = strlen(text);
	}
	else if (find_value(data, token, &value))
		text = text_of(&value, length);
	if (token->filters == NIL)
		return text;
	if (text != NULL)
		text = pnstrdup(text, *length);
	foreach(cell, token->filters)
	{
		const TemplateFilter *filter = lfirst(cell);

		text = wf_template_filter(filter, text, data->zone);
		given = given || (filter->kind == FILTER_DEFAULT && text == filter->text);
	}
	if (text == NULL)
		return NULL;
	*length = strlen(text);
	return is_blank(text, *length) && !given ? NULL : text;
}

/* The same, found once a message. */
static char *
known_value(const TemplateData *data, TemplateToken *token, int *length)
{
	if (token->known != data->message)
	{
		token->value = token_value(data, token, &token->length);
		token->known = data->message;
	}
	*length = token->length;
	return token->value;
}

/* --- the text --- */

static bool
missing(const TemplateData *data, const TemplateToken *token)
{
	if (data->missing == MISSING_FAIL)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("template \"%s\": {{ %s }} is missing", data->name, path_name(token)),
				 errhint("Give it a value or a default: {{ %s | default: \"...\" }}; or set on_missing_token of the template to skip or empty.",
						 path_name(token))));
	return data->missing == MISSING_EMPTY;
}

static void
append_token(const TemplateText *text, const TemplateToken *token, const char *value, int length, StringInfo out)
{
	bool		html = text->format == TEMPLATE_HTML;

	if (text->format == TEMPLATE_SUBJECT)
		appendStringInfoString(out, wf_template_one_line(value, length));
	else if (token->raw && html)
		wf_template_append_value(out, value, length, CONTEXT_TEXT, false, false);
	else if (token->raw)
	{
		char	   *plain = wf_html_text(value, length);

		wf_template_append_value(out, plain, strlen(plain), CONTEXT_TEXT, false, false);
	}
	else
		wf_template_append_value(out, value, length, token->context, html, token->encoded);
}

static void
check_size(const TemplateData *data, int64 size)
{
	if (size > TEMPLATE_MAX_RENDERED)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("template \"%s\": the text becomes longer than 25 MB", data->name),
				 errhint("Shorten long values with truncate.")));
}

/* A link without an address: the text part has no brackets for it either. Returns how
 * much of the next literal is to be left out. */
static int
drop_brackets(const TemplateText *text, const TemplatePiece *piece, StringInfo out)
{
	if (text->format != TEMPLATE_PLAIN || piece->token->context != CONTEXT_URL || piece->length < 2 ||
		memcmp(piece->literal + piece->length - 2, " (", 2) != 0 || piece[1].length == 0 || piece[1].literal[0] != ')')
		return 0;
	out->len -= 2;
	out->data[out->len] = '\0';
	return 1;
}

bool
wf_template_render(const TemplateText *text, const TemplateData *data, StringInfo out)
{
	int			start = out->len;
	int			skipped = 0;

	enlargeStringInfo(out, text->size + text->size / 4);
	for (int i = 0; i < text->npieces; i++)
	{
		const TemplatePiece *piece = &text->pieces[i];
		TemplateToken *token = piece->token;
		char	   *value;
		int			length = 0;
		int			before;

		appendBinaryStringInfo(out, piece->literal + skipped, piece->length - skipped);
		skipped = 0;
		before = out->len;
		if (token == NULL)
			continue;
		if (token->special == SPECIAL_UNSUBSCRIBE_URL)
			appendStringInfoString(out, TEMPLATE_MARK_UNSUBSCRIBE);
		else if (token->special == SPECIAL_POSTAL_ADDRESS)
			appendStringInfoString(out, TEMPLATE_MARK_POSTAL);
		else if ((value = known_value(data, token, &length)) != NULL)
		{
			check_size(data, (int64) out->len - start + length);
			append_token(text, token, value, length, out);
		}
		else if (!missing(data, token))
			return false;
		if (out->len == before)
			skipped = drop_brackets(text, piece, out);
		CHECK_FOR_INTERRUPTS();
	}
	check_size(data, out->len - start);
	return true;
}
