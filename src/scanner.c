/*
 * scanner.c -- tokens of a body, by the core lexer.
 *
 * Called by the parser only.  The lexer is given an empty keyword list, so
 * every word comes back as an identifier; nothing here knows the language.
 *
 * Memory: what the lexer allocates lives in a scratch context below the one
 * that was current at wf_scanner_begin(), deleted by wf_scanner_end() or with
 * its parent after an error.  Whoever keeps a token's text copies it.
 *
 * Errors: the lexer reports positions as if the body were the statement the
 * client sent.  A context callback turns them into internal positions, the
 * form in which all our errors travel.
 */
#include "postgres.h"

#include "compat.h"

#include "common/kwlookup.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "parser.h"
#include "scanner.h"

/* Squares of the lengths of runs of operator characters, added up: lines of
 * dashes stay far below, and what passes is scanned within a second. */
#define OPERATOR_WORK_MAX INT64CONST(1000000000)

/* With a longest keyword of 0 bytes the look-up ends before it needs a hash. */
static const ScanKeywordList no_keywords = {.num_keywords = 0,.max_kw_len = 0};
static const uint16 no_tokens[1] = {0};

/* Moves the lexer's error position into the body. */
static void
move_error_position(void *arg)
{
	Scanner    *scanner = arg;
	int			position = geterrposition();

	if (position <= 0)
		return;
	errposition(0);
	internalerrposition(position);
	internalerrquery(scanner->body);
}

/*
 * The lexer looks at the rest of a run of operator characters anew for every
 * token or comment that begins in it: "/" "*" repeated a hundred thousand
 * times would keep it busy for many minutes, and it can't be interrupted.
 */
static void
check_operator_runs(const char *body)
{
	static const char *const operators = "~!@#^&|`?+-*/%<>=";
	const char *from = body;
	int64		work = 0;

	while (*from != '\0')
	{
		int64		run = strspn(from, operators);

		work += run * run;
		if (work > OPERATOR_WORK_MAX)
			ereport(ERROR,
					errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					errmsg("workflow has too many operator characters in a row"),
					wf_errposition(body, from - body));
		from += run;
		from += strcspn(from, operators);
	}
}

void
wf_scanner_begin(Scanner *scanner, const char *body)
{
	MemoryContext old;

	check_operator_runs(body);
	memset(scanner, 0, sizeof(Scanner));
	scanner->body = body;
	scanner->scratch = AllocSetContextCreate(CurrentMemoryContext, "workflow tokens", ALLOCSET_DEFAULT_SIZES);

	scanner->callback.callback = move_error_position;
	scanner->callback.arg = scanner;
	scanner->callback.previous = error_context_stack;
	error_context_stack = &scanner->callback;

	old = MemoryContextSwitchTo(scanner->scratch);
	scanner->yyscanner = scanner_init(body, &scanner->extra, &no_keywords, no_tokens);
	MemoryContextSwitchTo(old);

	/*
	 * A stored body must mean the same in every session, whatever its
	 * settings; and warnings about escapes come from the analysis of the SQL
	 * inside, not twice.
	 */
	scanner->extra.standard_conforming_strings = true;
	scanner->extra.escape_string_warning = false;
}

void
wf_scanner_end(Scanner *scanner)
{
	error_context_stack = scanner->callback.previous;
	scanner_finish(scanner->yyscanner);
	MemoryContextDelete(scanner->scratch);
}

/* Fills in what the lexer's value means for this code. */
static void
set_token_value(Scanner *scanner, Token *token, const core_YYSTYPE *value)
{
	switch (token->code)
	{
		case TOKEN_IDENT:
			token->text = value->str;
			token->quoted = scanner->body[token->start] == '"';
			break;
		case TOKEN_UIDENT:
		case TOKEN_FCONST:
		case TOKEN_SCONST:
		case TOKEN_USCONST:
		case TOKEN_BCONST:
		case TOKEN_XCONST:
		case TOKEN_OP:
			token->text = value->str;
			break;
		case TOKEN_ICONST:
		case TOKEN_PARAM:
			token->number = value->ival;
			break;
		default:
			break;
	}
}

/* Reads one token from the lexer. */
static Token
read_token(Scanner *scanner)
{
	Token		token = {0};
	core_YYSTYPE value;
	YYLTYPE		location = 0;
	MemoryContext old;

	if (scanner->ended)
	{
		token.start = token.end = strlen(scanner->body);
		return token;
	}

	CHECK_FOR_INTERRUPTS();

	old = MemoryContextSwitchTo(scanner->scratch);
	value.str = NULL;
	token.code = core_yylex(&value, &location, scanner->yyscanner);
	MemoryContextSwitchTo(old);

	token.start = location;
	/* flex keeps a zero byte behind the token it has just returned */
	token.end = location + strlen(scanner->extra.scanbuf + location);
	scanner->ended = token.code == TOKEN_END;
	set_token_value(scanner, &token, &value);
	return token;
}

Token
wf_scanner_peek(Scanner *scanner, int n)
{
	Assert(n < LOOKAHEAD_MAX);
	while (scanner->count <= n)
	{
		scanner->ring[(scanner->first + scanner->count) % LOOKAHEAD_MAX] = read_token(scanner);
		scanner->count++;
	}
	return scanner->ring[(scanner->first + n) % LOOKAHEAD_MAX];
}

Token
wf_scanner_next(Scanner *scanner)
{
	Token		token = wf_scanner_peek(scanner, 0);

	scanner->first = (scanner->first + 1) % LOOKAHEAD_MAX;
	scanner->count--;
	return token;
}

bool
wf_token_is(const Token *token, const char *word)
{
	return token->code == TOKEN_IDENT && !token->quoted && strcmp(token->text, word) == 0;
}
