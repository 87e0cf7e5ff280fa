/*
 * parser_clause.c -- the clauses before BEGIN, and the change that AFTER and
 * WAIT FOR share.
 *
 * Called by parser.c and parser_statement.c; memory and errors as there.
 */
#include "postgres.h"

#include "compat.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/formatting.h"

#include "parser_private.h"

/*--------------------------------------------------------------------------
 * Changes
 *--------------------------------------------------------------------------*/

/* Does this token end a change, or continue it in the right order? */
static bool
ends_literal(const Token *token)
{
	static const char *const words[] = {"from", "to", "on", "when", "for", "timeout"};

	if (token->code == ';' || token->code == TOKEN_END)
		return true;
	for (int i = 0; i < lengthof(words); i++)
		if (wf_token_is(token, words[i]))
			return true;
	return false;
}

static void
not_one_literal(Parser *p)
{
	syntax_error(p, wf_parser_peek(p, 0).start,
				 errmsg("FROM and TO take one literal"),
				 errhint("For anything else write WHEN old.x = ... AND new.x = ...."));
}

/* The literal's kind; leaves the scanner at its last token. */
static int
literal_kind(Parser *p)
{
	Token		token = wf_parser_peek(p, 0);

	if (token.code == '-')
	{
		int			code = wf_parser_peek(p, 1).code;

		if (code != TOKEN_ICONST && code != TOKEN_FCONST)
			not_one_literal(p);
		wf_parser_next(p);
		return LITERAL_NUMBER;
	}
	if (token.code == TOKEN_ICONST || token.code == TOKEN_FCONST)
		return LITERAL_NUMBER;
	if (token.code == TOKEN_SCONST)
		return LITERAL_STRING;
	if (wf_token_is(&token, "true") || wf_token_is(&token, "false"))
		return LITERAL_BOOL;
	if (!wf_token_is(&token, "null"))
		not_one_literal(p);
	return LITERAL_NULL;
}

static void
parse_literal(Parser *p, Literal *literal)
{
	Token		last;
	Token		following;

	literal->location = wf_parser_peek(p, 0).start;
	literal->kind = literal_kind(p);
	last = wf_parser_next(p);
	literal->present = true;
	literal->isnull = literal->kind == LITERAL_NULL;
	if (literal->kind == LITERAL_NUMBER)
		literal->text = psprintf("%s%.*s", p->body[literal->location] == '-' ? "-" : "",
								 last.end - last.start, p->body + last.start);
	else if (!literal->isnull)
		literal->text = pstrdup(last.text);

	following = wf_parser_peek(p, 0);
	if (!ends_literal(&following))
		not_one_literal(p);
}

/* OF column, ... */
static void
parse_columns(Parser *p, Change *change)
{
	do
	{
		Word	   *column = palloc(sizeof(Word));
		ListCell   *lc;

		*column = wf_parser_name(p, "column name");
		foreach(lc, change->columns)
			if (strcmp(((Word *) lfirst(lc))->name, column->name) == 0)
				syntax_error(p, column->location, errmsg("column \"%s\" is listed twice", column->name));
		if (list_length(change->columns) >= MaxHeapAttributeNumber)
			ereport(ERROR,
					errcode(ERRCODE_TOO_MANY_COLUMNS),
					errmsg("UPDATE OF can list at most %d columns", MaxHeapAttributeNumber),
					wf_errposition(p->body, column->location));
		change->columns = lappend(change->columns, column);
	} while (wf_parser_peek(p, 0).code == ',' && wf_parser_next(p).code == ',');
}

static void
parse_event(Parser *p, Change *change)
{
	Token		token = wf_parser_peek(p, 0);
	int			operation;

	if (wf_token_is(&token, "insert"))
		operation = OP_INSERT;
	else if (wf_token_is(&token, "update"))
		operation = OP_UPDATE;
	else if (wf_token_is(&token, "delete"))
		operation = OP_DELETE;
	else
		wf_parser_unexpected(p, "INSERT, UPDATE or DELETE");
	if (change->operations & operation)
		syntax_error(p, token.start,
					 errmsg("%s is given twice", asc_toupper(token.text, strlen(token.text))));
	change->operations |= operation;
	wf_parser_next(p);
	if (operation != OP_UPDATE)
		return;
	change->update_location = token.start;
	if (wf_parser_accept(p, "of"))
		parse_columns(p, change);
}

/* The rules on where FROM and TO may stand; word is the one at location. */
static void
check_literal(Parser *p, const Change *change, const char *word, int location, bool is_from)
{
	if (change->operations & OP_DELETE)
		syntax_error(p, location,
					 errmsg("%s has no meaning for DELETE", word),
					 errhint("Write the deletion as a change of its own, with WHEN old.x = ...."));
	if (is_from && (change->operations & OP_INSERT))
		syntax_error(p, location,
					 errmsg("FROM has no meaning for INSERT"),
					 errhint("Write the two as changes of their own: INSERT ..., and UPDATE OF x FROM ...."));
	if (list_length(change->columns) != 1)
		syntax_error(p, location,
					 errmsg("%s needs UPDATE OF one column", word),
					 errhint("Write UPDATE OF x %s ..., or WHEN %s.x = ....", word, is_from ? "old" : "new"));
}

/* [ FROM literal ] [ TO literal ] */
static void
parse_literals(Parser *p, Change *change)
{
	int			location = wf_parser_peek(p, 0).start;

	if (wf_parser_accept(p, "from"))
	{
		check_literal(p, change, "FROM", location, true);
		parse_literal(p, &change->from);
		location = wf_parser_peek(p, 0).start;
	}
	if (wf_parser_accept(p, "to"))
	{
		check_literal(p, change, "TO", location, false);
		parse_literal(p, &change->to);
	}
	location = wf_parser_peek(p, 0).start;
	if (wf_parser_at(p, 0, "from"))
		syntax_error(p, location, change->from.present ? errmsg("FROM is given twice") :
					 errmsg("FROM comes before TO"));
	if (wf_parser_at(p, 0, "to"))
		syntax_error(p, location, errmsg("TO is given twice"));
}

/* A table's name, possibly with its schema. */
static Fragment
parse_table(Parser *p)
{
	Fragment	table;

	table.start = wf_parser_peek(p, 0).start;
	for (;;)
	{
		table.end = wf_parser_peek(p, 0).end;
		(void) wf_parser_name(p, "table name");
		if (wf_parser_peek(p, 0).code != '.')
			return table;
		wf_parser_next(p);
	}
}

/* What follows a change decides nothing here: WHEN, FOR, TIMEOUT are the caller's. */
void
wf_parser_change(Parser *p, Change *change)
{
	change->location = wf_parser_peek(p, 0).start;
	change->update_location = -1;
	do
		parse_event(p, change);
	while (wf_parser_accept(p, "or"));
	parse_literals(p, change);
	if (wf_parser_accept(p, "on"))
		change->table = parse_table(p);
}

/*--------------------------------------------------------------------------
 * Clauses
 *--------------------------------------------------------------------------*/

/* FOR query; the word FOR is next. */
static void
parse_for(Parser *p, Clause *clause)
{
	int			location = wf_parser_expect(p, "for");

	if (!wf_parser_at(p, 0, "select") && !wf_parser_at(p, 0, "values") && !wf_parser_at(p, 0, "with"))
		syntax_error(p, wf_parser_peek(p, 0).code == TOKEN_END ? location : wf_parser_peek(p, 0).start,
					 errmsg("FOR takes a query"),
					 errhint("It begins with SELECT, VALUES or WITH; its columns are the workflow's arguments."));
	clause->query = wf_parser_fragment(p, STOP_WHEN, "query", "FOR");
	if (wf_parser_at(p, 0, "when"))
		syntax_error(p, wf_parser_peek(p, 0).start, errmsg("WHEN comes before FOR"));
}

static void
parse_after(Parser *p, Clause *clause)
{
	Change	   *change = &clause->change;

	wf_parser_change(p, change);
	if (wf_parser_accept(p, "when"))
		change->when = wf_parser_fragment(p, STOP_FOR, "condition", "WHEN");
	if (wf_parser_at(p, 0, "for"))
		parse_for(p, clause);
	if (wf_parser_peek(p, 0).code != ';')
		wf_parser_unexpected(p, "ON, WHEN, FOR or \";\"");
	if ((change->operations & OP_DELETE) && FRAGMENT_ABSENT(clause->query))
		syntax_error(p, change->location,
					 errmsg("the deleted row can't be the subject"),
					 errhint("Add FOR SELECT old.contact_id, or whatever names the subject."));
}

static void
parse_at(Parser *p, Clause *clause)
{
	clause->expr = wf_parser_fragment(p, STOP_WHEN | STOP_FOR, "moment", "AT");
	if (wf_parser_accept(p, "when"))
		clause->when = wf_parser_fragment(p, STOP_FOR, "condition", "WHEN");
	if (wf_parser_at(p, 0, "for"))
		syntax_error(p, wf_parser_peek(p, 0).start,
					 errmsg("AT has no FOR"),
					 errhint("AT starts the workflow for its subject; to start it for other rows, let a second workflow call it."));
}

/* A string literal: the schedule of EVERY, the window of SEND DURING. */
static void
parse_text(Parser *p, Clause *clause, const char *message, const char *hint)
{
	Token		token = wf_parser_peek(p, 0);

	if (token.code != TOKEN_SCONST)
		syntax_error(p, token.start, errmsg("%s", message), errhint("%s", hint));
	clause->text = pstrdup(token.text);
	clause->text_location = token.start;
	wf_parser_next(p);
}

static void
parse_every(Parser *p, Clause *clause)
{
	parse_text(p, clause, "EVERY takes a schedule in quotes",
			   "For example EVERY '0 9 * * 1' FOR SELECT ....");
	if (!wf_parser_at(p, 0, "for"))
		wf_parser_unexpected(p, "FOR");
	parse_for(p, clause);
}

static void
parse_per(Parser *p, Clause *clause)
{
	do
	{
		Fragment   *expr = palloc(sizeof(Fragment));

		*expr = wf_parser_fragment(p, STOP_COMMA, "expression", "PER");
		clause->per = lappend(clause->per, expr);
	} while (wf_parser_peek(p, 0).code == ',' && wf_parser_next(p).code == ',');
}

static void
parse_enroll(Parser *p, Clause *clause)
{
	static const char *const policies[] = {"ONCE", "AGAIN", "REPLACE", NULL};
	Token		token = wf_parser_peek(p, 0);

	if (wf_parser_accept(p, "once"))
		clause->policy = ENROLL_ONCE;
	else if (wf_parser_accept(p, "again"))
		clause->policy = ENROLL_AGAIN;
	else if (wf_parser_accept(p, "replace"))
		clause->policy = ENROLL_REPLACE;
	else
	{
		const char *nearest = wf_parser_nearest_word(&token, policies);

		syntax_error(p, token.start,
					 errmsg("ENROLL takes ONCE, AGAIN or REPLACE"),
					 nearest == NULL ? 0 : errhint("Did you mean %s?", nearest));
	}
	if (wf_parser_at(p, 0, "after"))
	{
		if (clause->policy != ENROLL_AGAIN)
			syntax_error(p, wf_parser_peek(p, 0).start, errmsg("AFTER belongs to ENROLL AGAIN"));
		wf_parser_next(p);
		clause->after = wf_parser_fragment(p, STOP_PER, "interval", "AFTER");
	}
	if (wf_parser_accept(p, "per"))
		parse_per(p, clause);
}

static const struct
{
	ClauseKind	kind;
	const char *word;
	const char *second;					/* NULL: none */
}			clause_words[] = {
	{CLAUSE_AFTER, "after", NULL},
	{CLAUSE_AT, "at", NULL},
	{CLAUSE_EVERY, "every", NULL},
	{CLAUSE_ENROLL, "enroll", NULL},
	{CLAUSE_EXIT, "exit", "when"},
	{CLAUSE_SEND_DURING, "send", "during"},
	{CLAUSE_TIME_ZONE, "time", "zone"},
};

/* The word is none of a clause's. */
static void
unknown_clause(Parser *p)
{
	static const char *const known[] = {"AFTER", "AT", "EVERY", "ENROLL", "EXIT", "SEND", "TIME", "DECLARE", "BEGIN", NULL};
	static const char *const statements[] = {
		"select", "insert", "update", "delete", "merge", "values", "with", "wait", "if", "split", "go", "goal",
		"exit", "send",
	};
	Token		token = wf_parser_peek(p, 0);
	const char *nearest;

	if (token.code != TOKEN_IDENT || token.quoted)
		wf_parser_unexpected(p, "clause, DECLARE or BEGIN");
	for (int i = 0; i < lengthof(statements); i++)
		if (wf_token_is(&token, statements[i]))
			syntax_error(p, token.start,
						 errmsg("BEGIN is missing before \"%s\"", wf_parser_quote(p, token.start, token.end)),
						 errhint("Statements stand between BEGIN and END; the clauses before it are AFTER, AT, EVERY, ENROLL, EXIT WHEN, SEND DURING and TIME ZONE."));
	nearest = wf_parser_nearest_word(&token, known);
	if (wf_token_is(&token, "suppress"))
		nearest = "EXIT WHEN";
	else if (wf_token_is(&token, "on"))
		nearest = "AFTER";
	syntax_error(p, token.start,
				 errmsg("unknown clause %s", wf_parser_quote(p, token.start, token.end)),
				 nearest != NULL ? errhint("Did you mean %s?", nearest) :
				 errhint("Clauses are AFTER, AT, EVERY, ENROLL, EXIT WHEN, SEND DURING and TIME ZONE."));
}

/* Takes the clause's words and tells which it is. */
static ClauseKind
parse_clause_words(Parser *p)
{
	for (int i = 0; i < lengthof(clause_words); i++)
	{
		if (!wf_parser_at(p, 0, clause_words[i].word))
			continue;
		if (clause_words[i].second != NULL)
		{
			if (!wf_parser_at(p, 1, clause_words[i].second))
				break;
			wf_parser_next(p);
		}
		wf_parser_next(p);
		return clause_words[i].kind;
	}
	unknown_clause(p);
	pg_unreachable();
}

static Clause *
parse_clause(Parser *p)
{
	Clause	   *clause = palloc0(sizeof(Clause));

	clause->location = wf_parser_peek(p, 0).start;
	clause->kind = parse_clause_words(p);
	switch (clause->kind)
	{
		case CLAUSE_AFTER:
			parse_after(p, clause);
			break;
		case CLAUSE_AT:
			parse_at(p, clause);
			break;
		case CLAUSE_EVERY:
			parse_every(p, clause);
			break;
		case CLAUSE_ENROLL:
			parse_enroll(p, clause);
			break;
		case CLAUSE_EXIT:
			clause->expr = wf_parser_fragment(p, 0, "condition", "EXIT WHEN");
			break;
		case CLAUSE_SEND_DURING:
			parse_text(p, clause, "SEND DURING takes a window in quotes",
					   "For example SEND DURING 'Mon-Fri 09:00-17:00'.");
			break;
		case CLAUSE_TIME_ZONE:
			clause->expr = wf_parser_fragment(p, 0, "expression", "TIME ZONE");
			break;
	}
	wf_parser_semicolon(p);
	return clause;
}

/* The rules between clauses; the scanner is behind the last one. */
static void
check_clauses(Parser *p, const int *counts)
{
	ListCell   *lc;

	if (counts[CLAUSE_ENROLL] > 0)
		return;
	foreach(lc, p->wf->clauses)
	{
		Clause	   *clause = lfirst(lc);

		if (clause->kind == CLAUSE_EVERY)
			syntax_error(p, clause->location,
						 errmsg("EVERY needs an ENROLL clause"),
						 errhint("Write ENROLL AGAIN for each run, or ENROLL ONCE for the first only."));
	}
	if (counts[CLAUSE_AFTER] + counts[CLAUSE_AT] == 0)
		syntax_error(p, wf_parser_peek(p, 0).start,
					 errmsg("with no start clause, ENROLL must be written"),
					 errhint("Write ENROLL ONCE or ENROLL AGAIN, or say with AFTER, AT or EVERY who enters."));
}

void
wf_parser_clauses(Parser *p)
{
	int			counts[CLAUSE_TIME_ZONE + 1] = {0};

	while (!wf_parser_at(p, 0, "declare") && !wf_parser_at(p, 0, "begin"))
	{
		Clause	   *clause = parse_clause(p);

		clause->ordinal = ++counts[clause->kind];
		if (clause->ordinal > 1 && clause->kind == CLAUSE_ENROLL)
			syntax_error(p, clause->location, errmsg("ENROLL is given twice"));
		if (clause->ordinal > 1 && clause->kind == CLAUSE_TIME_ZONE)
			syntax_error(p, clause->location, errmsg("TIME ZONE is given twice"));
		p->wf->clauses = lappend(p->wf->clauses, clause);
	}
	check_clauses(p, counts);
}

/* AT could also declare a variable "at": it is a clause if what follows is
 * more than a type's name. */
static bool
at_looks_like_moment(Parser *p)
{
	int			n = 1;
	Token		token = wf_parser_peek(p, n);

	if (token.code != TOKEN_IDENT)
		return token.code != ';' && token.code != TOKEN_COLON_EQUALS;
	while (n + 2 < LOOKAHEAD_MAX && wf_parser_peek(p, n + 1).code == '.')
		n += 2;
	token = wf_parser_peek(p, n + 1);
	return token.code == '+' || token.code == '-' || wf_token_is(&token, "when");
}

bool
wf_parser_at_clause(Parser *p)
{
	static const struct
	{
		const char *word;
		const char *second;
	}			sure[] = {
		{"after", "insert"}, {"after", "update"}, {"after", "delete"},
		{"enroll", "once"}, {"enroll", "again"}, {"enroll", "replace"},
		{"exit", "when"}, {"send", "during"}, {"time", "zone"},
	};

	for (int i = 0; i < lengthof(sure); i++)
		if (wf_parser_at(p, 0, sure[i].word) && wf_parser_at(p, 1, sure[i].second))
			return true;
	if (wf_parser_at(p, 0, "every"))
		return wf_parser_peek(p, 1).code == TOKEN_SCONST;
	return wf_parser_at(p, 0, "at") && at_looks_like_moment(p);
}
