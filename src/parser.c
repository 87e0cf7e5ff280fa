/*
 * parser.c -- the frame of a body (clauses, DECLARE, BEGIN .. END) and the
 * helpers of the whole parser: tokens, fragments of SQL, positions, hints.
 *
 * Called at definition and whenever a stored version is loaded; a stored body
 * is trusted no more than a new one.  Looks nothing up in the catalog and
 * evaluates nothing, so it may run as any user.
 *
 * Memory: the tree is in the context that was current at wf_parse(); all else
 * is in a context below it that is deleted at the end.  Errors: always ERROR
 * with an internal position in the body.  Limits on size, statements and depth
 * keep a hostile body from using more than its share; the lexer's loop lets
 * itself be interrupted at every token.
 *
 * Fragments.  SQL inside the body is not parsed here but cut out: a fragment
 * ends at the first stop word of its construct that is unquoted, not after a
 * dot, and outside parentheses, brackets and CASE .. END; ";" always ends it.
 */
#include "postgres.h"

#include "compat.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

#include "parser_private.h"

#define NEAR_MAX 3						/* edits between a name and the one a hint proposes */
#define NEAR_LENGTH_MAX 255				/* bytes; longer names get no proposal */

/*--------------------------------------------------------------------------
 * Positions and hints
 *--------------------------------------------------------------------------*/

int
wf_errposition(const char *body, int offset)
{
	if (offset < 0)
		return 0;
	/* positions count characters, from 1 */
	internalerrposition(pg_mbstrlen_with_len(body, offset) + 1);
	internalerrquery(body);
	return 0;
}

const char *
wf_nearest_name(const char *name, List *candidates)
{
	int			length = strlen(name);
	int			best_distance = Min(NEAR_MAX, length / 2);
	const char *best = NULL;
	ListCell   *lc;

	if (length > NEAR_LENGTH_MAX)
		return NULL;
	foreach(lc, candidates)
	{
		const char *candidate = lfirst(lc);
		int			candidate_length = strlen(candidate);
		int			distance;

		if (candidate_length > NEAR_LENGTH_MAX || abs(candidate_length - length) > best_distance)
			continue;
		distance = varstr_levenshtein_less_equal(name, length, candidate, candidate_length,
												 1, 1, 1, best_distance, true);
		if (distance > best_distance || (best != NULL && distance == best_distance))
			continue;
		best = candidate;
		best_distance = distance;
	}
	return best;
}

const char *
wf_parser_nearest_word(const Token *token, const char *const *words)
{
	List	   *candidates = NIL;
	const char *nearest;

	if (token->code != TOKEN_IDENT || token->quoted)
		return NULL;
	for (int i = 0; words[i] != NULL; i++)
		candidates = lappend(candidates, asc_tolower(words[i], strlen(words[i])));
	nearest = wf_nearest_name(token->text, candidates);
	return nearest == NULL ? NULL : asc_toupper(nearest, strlen(nearest));
}

char *
wf_parser_quote(Parser *p, int start, int end)
{
	int			length = 0;
	char	   *text;

	while (start + length < end && p->body[start + length] != '\n' && p->body[start + length] != '\r')
		length++;
	text = pnstrdup(p->body + start, length);
	if (length > 40)
		text[pg_mbcliplen(text, length, 40)] = '\0';
	return text;
}

/*--------------------------------------------------------------------------
 * Tokens
 *--------------------------------------------------------------------------*/

Token
wf_parser_peek(Parser *p, int n)
{
	return wf_scanner_peek(&p->scanner, n);
}

Token
wf_parser_next(Parser *p)
{
	return wf_scanner_next(&p->scanner);
}

bool
wf_parser_at(Parser *p, int n, const char *word)
{
	Token		token = wf_parser_peek(p, n);

	return wf_token_is(&token, word);
}

bool
wf_parser_accept(Parser *p, const char *word)
{
	if (!wf_parser_at(p, 0, word))
		return false;
	wf_parser_next(p);
	return true;
}

void
wf_parser_unexpected(Parser *p, const char *expected)
{
	Token		token = wf_parser_peek(p, 0);

	if (token.code == TOKEN_END)
		syntax_error(p, token.start, errmsg("%s expected at end of body", expected));
	syntax_error(p, token.start,
				 errmsg("%s expected at or near \"%s\"", expected, wf_parser_quote(p, token.start, token.end)));
}

int
wf_parser_expect(Parser *p, const char *word)
{
	if (!wf_parser_at(p, 0, word))
		wf_parser_unexpected(p, asc_toupper(word, strlen(word)));
	return wf_parser_next(p).start;
}

int
wf_parser_semicolon(Parser *p)
{
	if (wf_parser_peek(p, 0).code != ';')
		wf_parser_unexpected(p, "\";\"");
	return wf_parser_next(p).end;
}

Word
wf_parser_name(Parser *p, const char *what)
{
	Token		token = wf_parser_peek(p, 0);
	Word		name;

	if (token.code != TOKEN_IDENT)
		wf_parser_unexpected(p, what);
	wf_parser_next(p);
	name.name = pstrdup(token.text);
	name.location = token.start;
	return name;
}

HTAB *
wf_parser_names_create(void)
{
	HASHCTL		control = {.keysize = NAMEDATALEN,.entrysize = NAMEDATALEN,.hcxt = CurrentMemoryContext};

	return hash_create("workflow names", 64, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

bool
wf_parser_names_add(HTAB *names, const char *name)
{
	bool		found;

	(void) hash_search(names, name, HASH_ENTER, &found);
	return !found;
}

/*--------------------------------------------------------------------------
 * Fragments
 *--------------------------------------------------------------------------*/

void
wf_nesting_begin(Nesting *nesting)
{
	memset(nesting, 0, sizeof(Nesting));
	nesting->previous.code = -1;
}

static void
nesting_open(Nesting *nesting, int location)
{
	if (nesting->nopen == nesting->size)
	{
		nesting->size = Max(16, nesting->size * 2);
		if (nesting->open == NULL)
			nesting->open = palloc(nesting->size * sizeof(int));
		else
			nesting->open = repalloc(nesting->open, nesting->size * sizeof(int));
	}
	nesting->open[nesting->nopen++] = location;
}

/* Closes the innermost parenthesis or bracket, which must be of the same kind. */
static void
nesting_close(Parser *p, Nesting *nesting, const Token *token)
{
	char		opener = token->code == ')' ? '(' : '[';

	if (nesting->nopen == 0)
		syntax_error(p, token->start, errmsg("%c was never opened", token->code));
	if (p->body[nesting->open[nesting->nopen - 1]] != opener)
		syntax_error(p, nesting->open[nesting->nopen - 1],
					 errmsg("%c is not closed", p->body[nesting->open[nesting->nopen - 1]]));
	nesting->nopen--;
}

/*
 * Notices, at the top level of a fragment, what SQL can't have there: the
 * next part of the body.  Better said here than as a syntax error of the SQL
 * or a missing END, both far from the place.
 */
static void
check_missing_semicolon(Parser *p, const Nesting *nesting, const Token *token)
{
	bool		missing = false;

	if (nesting->previous.code == -1 || wf_token_is(&nesting->previous, "as"))
		return;
	if (wf_token_is(token, "else") || wf_token_is(token, "elsif") || wf_token_is(token, "elseif"))
		missing = true;
	else if (wf_token_is(token, "end"))
		missing = wf_parser_at(p, 1, "if") || wf_parser_peek(p, 1).code == TOKEN_END ||
			(wf_parser_peek(p, 1).code == ';' && wf_parser_peek(p, 2).code == TOKEN_END);
	else if (token->code == TOKEN_IDENT && !nesting->takes_assign)
		missing = wf_parser_peek(p, 1).code == TOKEN_COLON_EQUALS;
	if (missing)
		syntax_error(p, token->start,
					 errmsg("missing \";\" before \"%s\"", wf_parser_quote(p, token->start, token->end)));
}

void
wf_nesting_step(Parser *p, Nesting *nesting)
{
	Token		token = wf_parser_peek(p, 0);

	if (token.code == '(' || token.code == '[')
		nesting_open(nesting, token.start);
	else if (token.code == ')' || token.code == ']')
		nesting_close(p, nesting, &token);
	else if (nesting->nopen == 0 && nesting->previous.code != '.' && !wf_token_is(&nesting->previous, "as"))
	{
		if (wf_token_is(&token, "case"))
		{
			if (nesting->ncases++ == 0)
				nesting->case_location = token.start;
		}
		else if (nesting->ncases == 0)
			check_missing_semicolon(p, nesting, &token);
		else if (wf_token_is(&token, "end"))
			nesting->ncases--;
	}
	nesting->previous = wf_parser_next(p);
}

void
wf_nesting_end(Parser *p, Nesting *nesting)
{
	if (nesting->nopen > 0)
	{
		int			location = nesting->open[nesting->nopen - 1];

		syntax_error(p, location, errmsg("%c is not closed", p->body[location]));
	}
	if (nesting->ncases > 0)
		syntax_error(p, nesting->case_location, errmsg("CASE has no END"));
	if (nesting->open != NULL)
		pfree(nesting->open);
}

static const struct
{
	int			stop;
	const char *word;
}			stop_words[] = {
	{STOP_WHEN, "when"},
	{STOP_FOR, "for"},
	{STOP_THEN, "then"},
	{STOP_TIMEOUT, "timeout"},
	{STOP_OTHERWISE, "otherwise"},
	{STOP_INTO, "into"},
	{STOP_PER, "per"},
	{STOP_DEFAULT, "default"},
};

/* The stop that this token is, 0 = none. */
static int
stop_of(const Nesting *nesting, const Token *token, int stops)
{
	if (nesting->nopen > 0 || nesting->ncases > 0)
		return 0;
	if (token->code == ',')
		return stops & STOP_COMMA;
	if (token->code == TOKEN_COLON_EQUALS || token->code == '=')
		return stops & STOP_ASSIGN;
	if (token->code != TOKEN_IDENT || token->quoted || nesting->previous.code == '.')
		return 0;
	for (int i = 0; i < lengthof(stop_words); i++)
		if ((stops & stop_words[i].stop) && strcmp(token->text, stop_words[i].word) == 0)
			return stop_words[i].stop;
	return 0;
}

/* Words that join two operands, so that an expression neither ends before nor
 * begins with them. */
static bool
is_joining_word(const Token *token)
{
	static const char *const words[] = {
		"and", "or", "is", "in", "like", "ilike", "similar", "between", "as", "from", "where", "on", "by", "collate",
	};

	for (int i = 0; i < lengthof(words); i++)
		if (wf_token_is(token, words[i]))
			return true;
	return false;
}

static bool
ends_operand(const Token *token)
{
	switch (token->code)
	{
		case TOKEN_IDENT:
			return !is_joining_word(token) && !wf_token_is(token, "not") && !wf_token_is(token, "select");
		case TOKEN_UIDENT:
		case TOKEN_FCONST:
		case TOKEN_SCONST:
		case TOKEN_USCONST:
		case TOKEN_BCONST:
		case TOKEN_XCONST:
		case TOKEN_ICONST:
		case TOKEN_PARAM:
		case ')':
		case ']':
			return true;
		default:
			return false;
	}
}

static bool
begins_operand(const Token *token)
{
	switch (token->code)
	{
		case TOKEN_IDENT:
			return !is_joining_word(token);
		case ')':
		case ']':
			return false;
		case '(':
			return true;
		default:
			return ends_operand(token);
	}
}

/*
 * A bare TIMEOUT, OTHERWISE or PER can be meant as a column's name.  It was
 * when something is missing before or behind it.
 */
static void
check_bare_stop(Parser *p, const Nesting *nesting, int stop)
{
	Token		token = wf_parser_peek(p, 0);
	Token		following = wf_parser_peek(p, 1);

	if ((stop & (STOP_TIMEOUT | STOP_OTHERWISE | STOP_PER)) == 0)
		return;
	if (ends_operand(&nesting->previous) && begins_operand(&following))
		return;
	syntax_error(p, token.start,
				 errmsg("an expression ends at \"%s\"", token.text),
				 errhint("If it is a name, quote it or write it with its table."));
}

/* The body ends inside a fragment. */
static void
fragment_not_ended(Parser *p, const Nesting *nesting)
{
	Token		token = nesting->previous.code == -1 ? wf_parser_peek(p, 0) : nesting->previous;

	syntax_error(p, token.start, errmsg("missing \";\" at end of body"));
}

/*
 * Cuts out SQL up to a stop or ";", neither of which is taken.  "what" and
 * "after" name it if it is empty: condition expected after WHEN.
 */
Fragment
wf_parser_fragment(Parser *p, int stops, const char *what, const char *after)
{
	Nesting		nesting;
	Fragment	fragment;
	int			stop = 0;

	wf_nesting_begin(&nesting);
	nesting.takes_assign = (stops & STOP_ASSIGN) != 0;
	fragment.start = fragment.end = wf_parser_peek(p, 0).start;
	for (;;)
	{
		Token		token = wf_parser_peek(p, 0);

		stop = stop_of(&nesting, &token, stops);
		if (stop != 0 || token.code == ';' || token.code == TOKEN_END)
			break;
		wf_nesting_step(p, &nesting);
		fragment.end = token.end;
	}
	check_bare_stop(p, &nesting, stop);
	wf_nesting_end(p, &nesting);
	if (FRAGMENT_ABSENT(fragment))
		syntax_error(p, fragment.start, errmsg("%s expected after %s", what, after));
	if (wf_parser_peek(p, 0).code == TOKEN_END && (stops & STOP_THEN) == 0)
		fragment_not_ended(p, &nesting);
	return fragment;
}

/*--------------------------------------------------------------------------
 * DECLARE, BEGIN, END
 *--------------------------------------------------------------------------*/

/* name type [ := expr ] ; */
static Declaration *
parse_declaration(Parser *p)
{
	Declaration *declaration = palloc0(sizeof(Declaration));

	if (wf_parser_at_clause(p))
		syntax_error(p, wf_parser_peek(p, 0).start, errmsg("clauses come before DECLARE"));
	declaration->name = wf_parser_name(p, "variable name or BEGIN");
	declaration->type = wf_parser_fragment(p, STOP_ASSIGN | STOP_DEFAULT, "type", declaration->name.name);
	if (wf_parser_peek(p, 0).code == TOKEN_COLON_EQUALS)
	{
		wf_parser_next(p);
		declaration->init = wf_parser_fragment(p, 0, "expression", ":=");
	}
	else if (wf_parser_peek(p, 0).code != ';')
		syntax_error(p, wf_parser_peek(p, 0).start,
					 errmsg("\":=\" expected at or near \"%s\"",
							wf_parser_quote(p, wf_parser_peek(p, 0).start, wf_parser_peek(p, 0).end)),
					 errhint("Write %s %s := value.", declaration->name.name,
							 wf_parser_quote(p, declaration->type.start, declaration->type.end)));
	wf_parser_semicolon(p);
	return declaration;
}

static void
parse_declarations(Parser *p)
{
	HTAB	   *names;

	if (!wf_parser_accept(p, "declare"))
		return;
	names = wf_parser_names_create();
	while (!wf_parser_at(p, 0, "begin"))
	{
		Declaration *declaration;

		if (wf_parser_at(p, 0, "declare"))
			syntax_error(p, wf_parser_peek(p, 0).start, errmsg("DECLARE is given twice"));
		declaration = parse_declaration(p);
		if (!wf_parser_names_add(names, declaration->name.name))
			syntax_error(p, declaration->name.location,
						 errmsg("variable \"%s\" is declared twice", declaration->name.name));
		p->wf->declarations = lappend(p->wf->declarations, declaration);
	}
	hash_destroy(names);
}

/* Raises the error of what stands where END should. */
static void
end_missing(Parser *p, int begin_location)
{
	Token		token = wf_parser_peek(p, 0);

	if (token.code == TOKEN_END)
		syntax_error(p, begin_location, errmsg("BEGIN has no END"));
	syntax_error(p, token.start,
				 errmsg("%s without IF", asc_toupper(token.text, strlen(token.text))));
}

static void
parse_block(Parser *p)
{
	int			begin_location = wf_parser_expect(p, "begin");
	Token		rest;

	p->wf->statements = wf_parser_statements(p, &p->wf->end_labels);
	if (!wf_parser_at(p, 0, "end"))
		end_missing(p, begin_location);
	wf_parser_next(p);
	if (wf_parser_at(p, 0, "if"))
		syntax_error(p, wf_parser_peek(p, 0).start, errmsg("END IF without IF"));
	if (wf_parser_peek(p, 0).code == ';')
		wf_parser_next(p);
	rest = wf_parser_peek(p, 0);
	if (rest.code != TOKEN_END)
		syntax_error(p, rest.start,
					 errmsg("nothing may follow END, but there is \"%s\"",
							wf_parser_quote(p, rest.start, rest.end)));
}

Workflow *
wf_parse(const char *body)
{
	Parser		parser = {0};

	if (strlen(body) > BODY_MAX)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("workflow is longer than %d bytes", BODY_MAX));

	parser.body = body;
	parser.line = 1;
	parser.wf = palloc0(sizeof(Workflow));
	wf_scanner_begin(&parser.scanner, body);
	wf_parser_clauses(&parser);
	parse_declarations(&parser);
	parse_block(&parser);
	wf_parser_check_flow(body, parser.wf);
	wf_scanner_end(&parser.scanner);
	return parser.wf;
}
