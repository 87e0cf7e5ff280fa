/*
 * describe.c -- words for the views: the statement an enrollment stands on.
 *
 * Called by the views through automation.statement_at(), and by commands and
 * error contexts in C.  Results are in the current memory context.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "describe.h"
#include "parser.h"

#define TEXT_MAX 80						/* characters */

/* Body and tree of the last call of statement_at() in a query: a view asks
 * for many enrollments of few workflows. */
typedef struct ParsedBody
{
	MemoryContext context;
	char	   *body;
	Workflow   *tree;
} ParsedBody;

/* The last statement of the list that begins at or before an ordinal. */
static Statement *
statement_before(List *statements, int ordinal)
{
	int			low = 0;
	int			high = list_length(statements);

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (((Statement *) list_nth(statements, middle))->ordinal <= ordinal)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? NULL : list_nth(statements, low - 1);
}

/* The branch of an IF that holds an ordinal; NULL if none does. */
static Branch *
branch_holding(List *branches, int ordinal)
{
	Branch	   *result = NULL;
	ListCell   *lc;

	foreach(lc, branches)
	{
		Branch	   *branch = lfirst(lc);

		if (branch->statements == NIL)
			continue;
		if (((Statement *) linitial(branch->statements))->ordinal > ordinal)
			break;
		result = branch;
	}
	return result;
}

Statement *
wf_statement_find(Workflow *wf, int ordinal)
{
	Statement  *stmt = statement_before(wf->statements, ordinal);

	if (ordinal > wf->nstatements)
		return NULL;
	while (stmt != NULL && stmt->ordinal != ordinal)
	{
		Branch	   *branch = branch_holding(stmt->branches, ordinal);

		stmt = branch == NULL ? NULL : statement_before(branch->statements, ordinal);
	}
	return stmt;
}

char *
wf_statement_text(const char *body, const Statement *stmt)
{
	const char *from = body + stmt->location;
	const char *end = body + stmt->end;
	char	   *text = palloc(end - from + 1);
	char	   *to = text;
	bool		space = false;

	for (; from < end && *from != '\n' && *from != '\r'; from++)
	{
		if (*from == ' ' || *from == '\t' || *from == '\f' || *from == '\v')
		{
			space = true;
			continue;
		}
		if (space)
			*to++ = ' ';
		space = false;
		*to++ = *from;
	}
	*to = '\0';
	text[pg_mbcharcliplen(text, to - text, TEXT_MAX)] = '\0';
	return text;
}

/*
 * The tree, or NULL for a text that is none: one body that nobody checked must
 * not spoil a view.  Parsing touches nothing but memory, so its errors can be
 * caught without a subtransaction.
 */
static Workflow *
parse_or_null(const char *body)
{
	MemoryContext context = CurrentMemoryContext;
	Workflow   *volatile tree = NULL;

	PG_TRY();
	{
		tree = wf_parse(body);
	}
	PG_CATCH();
	{
		int			code = geterrcode();

		if (ERRCODE_TO_CATEGORY(code) != ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION &&
			ERRCODE_TO_CATEGORY(code) != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return tree;
}

/* Parses a body unless it is the one of the last call. */
static ParsedBody *
parse_cached(FmgrInfo *flinfo, text *source)
{
	ParsedBody *parsed = flinfo->fn_extra;
	MemoryContext old;

	if (parsed == NULL)
	{
		parsed = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(ParsedBody));
		parsed->context = AllocSetContextCreate(flinfo->fn_mcxt, "workflow body of a view", ALLOCSET_DEFAULT_SIZES);
		flinfo->fn_extra = parsed;
	}
	if (parsed->tree != NULL && strlen(parsed->body) == VARSIZE_ANY_EXHDR(source) &&
		memcmp(parsed->body, VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source)) == 0)
		return parsed;

	parsed->tree = NULL;
	MemoryContextReset(parsed->context);
	old = MemoryContextSwitchTo(parsed->context);
	parsed->body = text_to_cstring(source);
	parsed->tree = parse_or_null(parsed->body);
	MemoryContextSwitchTo(old);
	return parsed;
}

PG_FUNCTION_INFO_V1(wf_statement_at);
extern PGDLLEXPORT Datum wf_statement_at(PG_FUNCTION_ARGS);

/* automation.statement_at(source text, ordinal int, OUT line int, OUT statement text) */
Datum
wf_statement_at(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {false, false};
	ParsedBody *parsed;
	Statement  *stmt;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	parsed = parse_cached(fcinfo->flinfo, PG_GETARG_TEXT_PP(0));
	stmt = parsed->tree ? wf_statement_find(parsed->tree, PG_GETARG_INT32(1)) : NULL;
	if (stmt == NULL)
		PG_RETURN_NULL();

	values[0] = Int32GetDatum(stmt->line);
	values[1] = CStringGetTextDatum(wf_statement_text(parsed->body, stmt));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
