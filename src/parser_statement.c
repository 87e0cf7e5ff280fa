/*
 * parser_statement.c -- the statements between BEGIN and END.
 *
 * Called by parser.c; memory and errors as there.  Recursion: once per nested
 * IF, at most DEPTH_MAX deep.
 */
#include "postgres.h"

#include "compat.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "parser_private.h"

#define ARMS_MAX 100
#define AT_MOST_MAX 10000

/*--------------------------------------------------------------------------
 * SQL
 *--------------------------------------------------------------------------*/

/* Word of a variable that receives a value: never a column or an element. */
static Word *
parse_target(Parser *p)
{
	Word	   *target = palloc(sizeof(Word));

	*target = wf_parser_name(p, "variable name");
	if (wf_parser_peek(p, 0).code == '.' || wf_parser_peek(p, 0).code == '[')
		syntax_error(p, target->location,
					 errmsg("INTO takes whole variables"),
					 errhint("Declare a variable for the value."));
	return target;
}

/* INTO name, ...; the word INTO is next. */
static void
parse_into(Parser *p, Statement *stmt)
{
	Token		into = wf_parser_next(p);

	if (stmt->into != NIL)
		syntax_error(p, into.start, errmsg("INTO is given twice"));
	if (wf_parser_at(p, 0, "strict") && wf_parser_peek(p, 1).code == TOKEN_IDENT)
		syntax_error(p, wf_parser_peek(p, 0).start,
					 errmsg("INTO STRICT is not supported"),
					 errhint("Use INTO, then IF NOT FOUND."));
	stmt->into_clause.start = into.start;
	do
	{
		stmt->into_clause.end = wf_parser_peek(p, 0).end;
		stmt->into = lappend(stmt->into, parse_target(p));
	} while (wf_parser_peek(p, 0).code == ',' && wf_parser_next(p).code == ',');
}

/* Is the next token an INTO that names variables, not a table? */
static bool
at_into(Parser *p, const Nesting *nesting)
{
	if (nesting->nopen > 0 || nesting->previous.code == '.')
		return false;
	if (wf_token_is(&nesting->previous, "insert") || wf_token_is(&nesting->previous, "merge"))
		return false;
	return wf_parser_at(p, 0, "into");
}

static void
parse_sql(Parser *p, Statement *stmt)
{
	Nesting		nesting;
	Token		token;

	stmt->kind = STMT_SQL;
	stmt->sql.start = stmt->location;
	wf_nesting_begin(&nesting);
	for (;;)
	{
		token = wf_parser_peek(p, 0);
		if (token.code == ';' || token.code == TOKEN_END)
			break;
		if (at_into(p, &nesting))
		{
			parse_into(p, stmt);
			stmt->sql.end = stmt->into_clause.end;
			nesting.previous.code = TOKEN_IDENT;
			nesting.previous.quoted = true;
			continue;
		}
		wf_nesting_step(p, &nesting);
		stmt->sql.end = token.end;
	}
	wf_nesting_end(p, &nesting);
	if (token.code == TOKEN_END)
		syntax_error(p, stmt->location, errmsg("missing \";\" at end of statement"));
}

static void
parse_assign(Parser *p, Statement *stmt)
{
	stmt->kind = STMT_ASSIGN;
	stmt->name = wf_parser_name(p, "variable name");
	wf_parser_next(p);
	stmt->expr = wf_parser_fragment(p, 0, "expression", ":=");
}

static void
parse_send(Parser *p, Statement *stmt)
{
	stmt->kind = STMT_SEND;
	if (wf_parser_at(p, 0, "during") && wf_parser_peek(p, 1).code == TOKEN_SCONST)
		syntax_error(p, stmt->location, errmsg("SEND DURING is a clause"), errhint("Put it before BEGIN."));
	if (wf_parser_at(p, 0, "select"))
		syntax_error(p, wf_parser_peek(p, 0).start,
					 errmsg("SEND takes what may follow SELECT"),
					 errhint("Leave out the word SELECT."));
	stmt->sql = wf_parser_fragment(p, STOP_INTO | STOP_TIMEOUT, "message", "SEND");
	if (wf_parser_at(p, 0, "into"))
	{
		parse_into(p, stmt);
		if (list_length(stmt->into) > 1)
			syntax_error(p, ((Word *) lsecond(stmt->into))->location, errmsg("SEND .. INTO takes one variable"));
	}
	else if (wf_parser_at(p, 0, "timeout"))
		syntax_error(p, wf_parser_peek(p, 0).start,
					 errmsg("TIMEOUT needs INTO"),
					 errhint("Only SEND .. INTO waits for the delivery."));
	if (wf_parser_accept(p, "timeout"))
		stmt->timeout = wf_parser_fragment(p, 0, "interval", "TIMEOUT");
	else if (stmt->into != NIL && wf_parser_peek(p, 0).code != ';')
		wf_parser_unexpected(p, "TIMEOUT or \";\"");
}

/*--------------------------------------------------------------------------
 * WAIT
 *--------------------------------------------------------------------------*/

/* Text from the next token to the end of the statement, for a hint. */
static char *
rest_of_statement(Parser *p)
{
	int			start = wf_parser_peek(p, 0).start;
	int			end = start;

	while (p->body[end] != ';' && p->body[end] != '\0')
		end++;
	return wf_parser_quote(p, start, end);
}

static bool
at_number(Parser *p)
{
	int			code = wf_parser_peek(p, 0).code;

	return code == TOKEN_ICONST || code == TOKEN_FCONST;
}

/* WAIT 3 days, WAIT '3 days', WAIT until_noon() */
static void
wait_for_what(Parser *p, int location)
{
	char	   *rest = rest_of_statement(p);

	if (at_number(p))
		syntax_error(p, location, errmsg("WAIT %s", rest), errhint("Write WAIT FOR '%s'.", rest));
	if (wf_parser_peek(p, 0).code == TOKEN_SCONST)
		syntax_error(p, location, errmsg("WAIT %s", rest), errhint("Write WAIT FOR %s.", rest));
	syntax_error(p, wf_parser_peek(p, 0).start,
				 errmsg("WAIT needs FOR or UNTIL"),
				 errhint("Write WAIT FOR an interval or a change, WAIT UNTIL a moment or a condition."));
}

static void
parse_timeout(Parser *p, Statement *stmt)
{
	if (wf_parser_accept(p, "timeout"))
		stmt->timeout = wf_parser_fragment(p, 0, "interval", "TIMEOUT");
}

/* Do the next words begin a change, not an expression? */
static bool
at_change(Parser *p)
{
	int			following = wf_parser_peek(p, 1).code;

	if (following == '.' || following == '(')
		return false;
	return wf_parser_at(p, 0, "insert") || wf_parser_at(p, 0, "update") || wf_parser_at(p, 0, "delete");
}

static void
parse_wait_change(Parser *p, Statement *stmt)
{
	stmt->kind = STMT_WAIT_CHANGE;
	wf_parser_change(p, &stmt->change);
	if (wf_parser_accept(p, "when"))
		stmt->change.when = wf_parser_fragment(p, STOP_TIMEOUT, "condition", "WHEN");
	parse_timeout(p, stmt);
	if (wf_parser_peek(p, 0).code != ';')
		wf_parser_unexpected(p, "ON, WHEN, TIMEOUT or \";\"");
}

static void
parse_wait_for(Parser *p, Statement *stmt)
{
	if (at_change(p))
	{
		parse_wait_change(p, stmt);
		return;
	}
	if (at_number(p) && wf_parser_peek(p, 1).code == TOKEN_IDENT)
	{
		char	   *rest = rest_of_statement(p);

		syntax_error(p, stmt->location, errmsg("WAIT FOR %s", rest), errhint("Write WAIT FOR '%s'.", rest));
	}
	stmt->kind = STMT_WAIT_FOR;
	stmt->expr = wf_parser_fragment(p, 0, "interval or change", "WAIT FOR");
}

static void
parse_wait(Parser *p, Statement *stmt)
{
	if (wf_parser_accept(p, "for"))
	{
		parse_wait_for(p, stmt);
		return;
	}
	if (!wf_parser_accept(p, "until"))
		wait_for_what(p, stmt->location);
	stmt->kind = STMT_WAIT_UNTIL;
	stmt->expr = wf_parser_fragment(p, STOP_TIMEOUT, "moment or condition", "WAIT UNTIL");
	parse_timeout(p, stmt);
}

/*--------------------------------------------------------------------------
 * IF
 *--------------------------------------------------------------------------*/

/* One branch; "word" was taken at location and has a condition unless it is ELSE. */
static Branch *
parse_branch(Parser *p, const char *word, int location)
{
	Branch	   *branch = palloc0(sizeof(Branch));

	branch->location = location;
	if (strcmp(word, "ELSE") != 0)
	{
		branch->condition = wf_parser_fragment(p, STOP_THEN, "condition", word);
		if (!wf_parser_accept(p, "then"))
			syntax_error(p, location, errmsg("%s has no THEN", word));
	}
	branch->statements = wf_parser_statements(p, &branch->end_labels);
	return branch;
}

static void
parse_if(Parser *p, Statement *stmt)
{
	check_stack_depth();
	if (++p->depth > DEPTH_MAX)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("IF is nested deeper than %d", DEPTH_MAX),
				wf_errposition(p->body, stmt->location));
	stmt->kind = STMT_IF;
	stmt->branches = list_make1(parse_branch(p, "IF", stmt->location));
	while (wf_parser_at(p, 0, "elsif") || wf_parser_at(p, 0, "elseif"))
		stmt->branches = lappend(stmt->branches, parse_branch(p, "ELSIF", wf_parser_next(p).start));
	if (wf_parser_at(p, 0, "else"))
	{
		stmt->branches = lappend(stmt->branches, parse_branch(p, "ELSE", wf_parser_next(p).start));
		if (!wf_parser_at(p, 0, "end") && wf_parser_peek(p, 0).code != TOKEN_END)
			syntax_error(p, wf_parser_peek(p, 0).start,
						 errmsg("%s after ELSE", wf_parser_quote(p, wf_parser_peek(p, 0).start, wf_parser_peek(p, 0).end)));
	}
	if (!wf_parser_at(p, 0, "end") || !wf_parser_at(p, 1, "if"))
		syntax_error(p, stmt->location, errmsg("IF has no END IF"));
	wf_parser_next(p);
	wf_parser_next(p);
	p->depth--;
}

/*--------------------------------------------------------------------------
 * SPLIT
 *--------------------------------------------------------------------------*/

/* Millionths of a percent in a number's text; -1 if it is none or above 100. */
static int64
parse_percent(const char *text)
{
	int64		value = 0;
	int64		unit = PERCENT_SCALE;
	bool		fraction = false;

	for (; *text != '\0'; text++)
	{
		if (*text == '.' && !fraction)
		{
			fraction = true;
			continue;
		}
		if (*text < '0' || *text > '9')
			return -1;
		if (fraction)
			unit /= 10;
		if (unit == 0)
			return -1;
		value = fraction ? value + (*text - '0') * unit : value * 10 + (int64) (*text - '0') * PERCENT_SCALE;
		if (value > SPLIT_WHOLE)
			return -1;
	}
	return value;
}

/* The sum as people write it: 90, 99.5 */
static char *
percent_text(int64 value)
{
	char	   *text = psprintf("%d.%06d", (int) (value / PERCENT_SCALE), (int) (value % PERCENT_SCALE));
	char	   *end = text + strlen(text);

	while (end[-1] == '0')
		*--end = '\0';
	if (end[-1] == '.')
		*--end = '\0';
	return text;
}

/* name [ n % ]; adds to the sum. */
static Arm *
parse_arm(Parser *p, int64 *sum)
{
	Arm		   *arm = palloc0(sizeof(Arm));
	Token		number;
	int64		percent;

	arm->name = wf_parser_name(p, "arm's name");
	if (!at_number(p))
		return arm;
	number = wf_parser_next(p);
	arm->percent = pnstrdup(p->body + number.start, number.end - number.start);
	percent = parse_percent(arm->percent);
	if (percent < 0)
		syntax_error(p, number.start,
					 errmsg("percentage of an arm must be a number from 0 to 100"),
					 errdetail("It can have six decimals."));
	arm->share = percent;
	*sum += percent;
	if (wf_parser_peek(p, 0).code != '%')
		wf_parser_unexpected(p, "\"%\"");
	wf_parser_next(p);
	return arm;
}

/* The rule on a new arm beside those that are there. */
static void
check_arm(Parser *p, const List *arms, const Arm *arm)
{
	ListCell   *lc;

	if (list_length(arms) >= ARMS_MAX)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("SPLIT can have at most %d arms", ARMS_MAX),
				wf_errposition(p->body, arm->name.location));
	foreach(lc, arms)
	{
		Arm		   *other = lfirst(lc);

		if (strcmp(other->name.name, arm->name.name) == 0)
			syntax_error(p, arm->name.location, errmsg("arm \"%s\" is listed twice", arm->name.name));
		if ((other->percent == NULL) != (arm->percent == NULL))
			syntax_error(p, arm->name.location,
						 errmsg("either all arms have a percentage or none has"),
						 errhint("Without percentages the split is even."));
	}
}

static void
parse_split(Parser *p, Statement *stmt)
{
	int64		sum = 0;

	stmt->kind = STMT_SPLIT;
	stmt->name = wf_parser_name(p, "variable name");
	wf_parser_expect(p, "into");
	do
	{
		Arm		   *arm = parse_arm(p, &sum);

		check_arm(p, stmt->arms, arm);
		stmt->arms = lappend(stmt->arms, arm);
	} while (wf_parser_peek(p, 0).code == ',' && wf_parser_next(p).code == ',');
	if (((Arm *) linitial(stmt->arms))->percent != NULL && sum != SPLIT_WHOLE)
		syntax_error(p, ((Arm *) linitial(stmt->arms))->name.location,
					 errmsg("arms add up to %s %%", percent_text(sum)),
					 errhint("They must add up to 100 %%; without percentages the split is even."));
}

/*--------------------------------------------------------------------------
 * GO TO, GOAL, EXIT
 *--------------------------------------------------------------------------*/

static void
parse_goto(Parser *p, Statement *stmt)
{
	Token		number;

	stmt->kind = STMT_GOTO;
	wf_parser_expect(p, "to");
	stmt->name = wf_parser_name(p, "label");
	if (!wf_parser_accept(p, "at"))
		return;
	wf_parser_expect(p, "most");
	number = wf_parser_peek(p, 0);
	if (number.code != TOKEN_ICONST || number.number < 1 || number.number > AT_MOST_MAX)
		syntax_error(p, number.start, errmsg("AT MOST takes a number from 1 to %d", AT_MOST_MAX));
	stmt->at_most = number.number;
	wf_parser_next(p);
	wf_parser_expect(p, "times");
	if (wf_parser_accept(p, "per"))
		stmt->per = wf_parser_fragment(p, 0, "interval", "PER");
}

static void
parse_goal(Parser *p, Statement *stmt)
{
	stmt->kind = STMT_GOAL;
	stmt->name = wf_parser_name(p, "name of the goal");
	wf_parser_expect(p, "when");
	stmt->expr = wf_parser_fragment(p, STOP_OTHERWISE, "condition", "WHEN");
	stmt->otherwise = OTHERWISE_CONTINUE;
	if (!wf_parser_accept(p, "otherwise"))
		return;
	if (wf_parser_accept(p, "wait"))
		stmt->otherwise = OTHERWISE_WAIT;
	else if (wf_parser_accept(p, "exit"))
		stmt->otherwise = OTHERWISE_EXIT;
	else if (!wf_parser_accept(p, "continue"))
		wf_parser_unexpected(p, "CONTINUE, WAIT or EXIT");
}

static void
parse_exit(Parser *p, Statement *stmt)
{
	stmt->kind = STMT_EXIT;
	if (wf_parser_at(p, 0, "when"))
		syntax_error(p, stmt->location,
					 errmsg("EXIT WHEN is a clause"),
					 errhint("Put it before BEGIN, or write IF ... THEN EXIT; END IF;"));
	if (wf_parser_peek(p, 0).code == TOKEN_IDENT && !wf_parser_at(p, 0, "end"))
		syntax_error(p, wf_parser_peek(p, 0).start,
					 errmsg("EXIT leaves the workflow"),
					 errhint("To leave a loop, write GO TO a label behind it."));
}

/*--------------------------------------------------------------------------
 * What is no statement
 *--------------------------------------------------------------------------*/

#define HINT_LOOP "Write a label and GO TO label AT MOST n TIMES."
#define HINT_FUNCTION "Put it into a function and call that with SELECT."
#define HINT_TRANSACTION "It is not allowed: the engine commits at each wait."
#define HINT_CLAUSE "It is a clause: put it before BEGIN."

static const struct
{
	const char *word;
	const char *hint;
}			other_words[] = {
	{"perform", "Write SELECT."},
	{"call", "Write SELECT, with a function."},
	{"execute", HINT_FUNCTION},
	{"return", "Write EXIT."},
	{"goto", "Write GO TO."},
	{"loop", HINT_LOOP},
	{"while", HINT_LOOP},
	{"for", HINT_LOOP},
	{"foreach", HINT_LOOP},
	{"repeat", HINT_LOOP},
	{"continue", HINT_LOOP},
	{"raise", "To leave a note, INSERT it into a table."},
	{"assert", "Write IF ... THEN EXIT; END IF;"},
	{"commit", HINT_TRANSACTION},
	{"rollback", HINT_TRANSACTION},
	{"savepoint", HINT_TRANSACTION},
	{"abort", HINT_TRANSACTION},
	{"start", HINT_TRANSACTION},
	{"begin", "There are no nested blocks: leave out BEGIN and its END."},
	{"declare", "Variables are declared before BEGIN."},
	{"exception", "A failed statement is repeated, then the enrollment fails; SEND .. INTO and IF NOT FOUND tell a failed delivery."},
	{"on", "Write SEND .. INTO a variable, then IF NOT FOUND THEN."},
	{"suppress", "Write the clause EXIT WHEN before BEGIN."},
	{"case", "Write IF .. ELSIF .. END IF."},
	{"null", "Leave it out: a branch may be empty."},
	{"sleep", "Write WAIT FOR."},
	{"email", "Write SEND email(...)."},
	{"create", HINT_FUNCTION},
	{"drop", HINT_FUNCTION},
	{"alter", HINT_FUNCTION},
	{"truncate", HINT_FUNCTION},
	{"grant", HINT_FUNCTION},
	{"revoke", HINT_FUNCTION},
	{"copy", HINT_FUNCTION},
	{"lock", HINT_FUNCTION},
	{"set", HINT_FUNCTION},
	{"notify", "Write SELECT pg_notify(...)."},
	{"do", HINT_FUNCTION},
	{"refresh", HINT_FUNCTION},
	{"explain", "Leave out EXPLAIN."},
	{"after", HINT_CLAUSE},
	{"at", HINT_CLAUSE},
	{"every", HINT_CLAUSE},
	{"enroll", HINT_CLAUSE},
	{"time", HINT_CLAUSE},
};

/* Hint for a word that begins no statement, or NULL. */
static const char *
hint_for_word(Parser *p, const Token *token)
{
	static const char *const known[] = {
		"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "WITH", "WAIT", "IF", "SPLIT", "GOAL", "SEND", "EXIT",
		"ELSIF", "ELSE", "END", NULL
	};
	const char *nearest;

	for (int i = 0; i < lengthof(other_words); i++)
		if (wf_token_is(token, other_words[i].word))
			return other_words[i].hint;
	nearest = wf_parser_nearest_word(token, known);
	return nearest == NULL ? NULL : psprintf("Did you mean %s?", nearest);
}

/* x = 1, c.x := 1: assignments, but not to a variable or not with := */
static void
check_strange_assignment(Parser *p, const Token *token)
{
	int			n = 1;

	if (wf_parser_peek(p, 1).code == '=')
	{
		char	   *text = rest_of_statement(p);
		char	   *value = strchr(text, '=') + 1;

		syntax_error(p, token->start,
					 errmsg("unknown statement %s", text),
					 errhint("Write %s := %s.", quote_identifier(token->text), value + strspn(value, " \t")));
	}
	while (n + 2 < LOOKAHEAD_MAX && wf_parser_peek(p, n).code == '.')
		n += 2;
	if (n > 1 && (wf_parser_peek(p, n).code == TOKEN_COLON_EQUALS || wf_parser_peek(p, n).code == '='))
		syntax_error(p, token->start,
					 errmsg("only a variable can be assigned"),
					 errhint("Change a row by UPDATE."));
}

static void
unknown_statement(Parser *p)
{
	Token		token = wf_parser_peek(p, 0);
	int			end = token.end;
	const char *hint;

	if (token.code != TOKEN_IDENT)
		wf_parser_unexpected(p, "statement");
	check_strange_assignment(p, &token);
	if (wf_token_is(&token, "on") && wf_parser_at(p, 1, "failure"))
		end = wf_parser_peek(p, 1).end;
	hint = hint_for_word(p, &token);
	syntax_error(p, token.start,
				 errmsg("unknown statement %s", wf_parser_quote(p, token.start, end)),
				 hint == NULL ? 0 : errhint("%s", hint));
}

/*--------------------------------------------------------------------------
 * Statements
 *--------------------------------------------------------------------------*/

static bool
at_sql(Parser *p)
{
	static const char *const verbs[] = {"select", "insert", "update", "delete", "merge", "values", "with"};

	for (int i = 0; i < lengthof(verbs); i++)
		if (wf_parser_at(p, 0, verbs[i]))
			return true;
	return false;
}

/* A statement but for its ";".  A name before := is a variable whatever it is. */
static void
parse_statement_body(Parser *p, Statement *stmt)
{
	if (wf_parser_peek(p, 0).code == TOKEN_IDENT && wf_parser_peek(p, 1).code == TOKEN_COLON_EQUALS)
		parse_assign(p, stmt);
	else if (at_sql(p))
		parse_sql(p, stmt);
	else if (wf_parser_accept(p, "wait"))
		parse_wait(p, stmt);
	else if (wf_parser_accept(p, "if"))
		parse_if(p, stmt);
	else if (wf_parser_accept(p, "split"))
		parse_split(p, stmt);
	else if (wf_parser_accept(p, "go"))
		parse_goto(p, stmt);
	else if (wf_parser_accept(p, "goal"))
		parse_goal(p, stmt);
	else if (wf_parser_accept(p, "send"))
		parse_send(p, stmt);
	else if (wf_parser_accept(p, "exit"))
		parse_exit(p, stmt);
	else
		unknown_statement(p);
}

static int
next_line(Parser *p, int location)
{
	for (; p->line_offset < location; p->line_offset++)
		if (p->body[p->line_offset] == '\n')
			p->line++;
	return p->line;
}

static Statement *
parse_statement(Parser *p, List *labels)
{
	Statement  *stmt = palloc0(sizeof(Statement));

	stmt->location = wf_parser_peek(p, 0).start;
	stmt->line = next_line(p, stmt->location);
	stmt->ordinal = ++p->wf->nstatements;
	stmt->labels = labels;
	if (stmt->ordinal > STATEMENTS_MAX)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("workflow has more than %d statements", STATEMENTS_MAX),
				wf_errposition(p->body, stmt->location));
	parse_statement_body(p, stmt);
	stmt->end = wf_parser_semicolon(p);
	return stmt;
}

static bool
at_operator(Parser *p, const char *operator)
{
	Token		token = wf_parser_peek(p, 0);

	return token.code == TOKEN_OP && strcmp(token.text, operator) == 0;
}

/* << name >> ..., right before a statement or the end of a list */
static List *
parse_labels(Parser *p)
{
	List	   *labels = NIL;

	while (at_operator(p, "<<"))
	{
		Word	   *label = palloc(sizeof(Word));

		wf_parser_next(p);
		*label = wf_parser_name(p, "label");
		if (at_operator(p, ">><<"))
			syntax_error(p, wf_parser_peek(p, 0).start,
						 errmsg("\">>\" expected at or near \">><<\""),
						 errhint("Put white space between the two labels."));
		if (!at_operator(p, ">>"))
			wf_parser_unexpected(p, "\">>\"");
		wf_parser_next(p);
		labels = lappend(labels, label);
	}
	return labels;
}

static bool
at_list_end(Parser *p)
{
	static const char *const words[] = {"end", "else", "elsif", "elseif"};

	if (wf_parser_peek(p, 0).code == TOKEN_END)
		return true;
	if (wf_parser_peek(p, 1).code == TOKEN_COLON_EQUALS)
		return false;
	for (int i = 0; i < lengthof(words); i++)
		if (wf_parser_at(p, 0, words[i]))
			return true;
	return false;
}

List *
wf_parser_statements(Parser *p, List **end_labels)
{
	List	   *statements = NIL;

	for (;;)
	{
		List	   *labels = parse_labels(p);

		if (at_list_end(p))
		{
			*end_labels = labels;
			return statements;
		}
		statements = lappend(statements, parse_statement(p, labels));
	}
}
