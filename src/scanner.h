/*
 * scanner.h -- tokens of a body: PostgreSQL's own lexer with no keywords.
 *
 * Every word is TOKEN_IDENT; the parser compares words by name, so that no
 * word is reserved against the users' tables.
 */
#ifndef WF_SCANNER_H
#define WF_SCANNER_H

#include "parser/scanner.h"

/*
 * Codes of the core lexer; single characters stand for themselves.  gram.h,
 * which defines them, is not installed from PostgreSQL 16 on, but core
 * promises that every grammar over this lexer may declare them first and in
 * this order (see parser/scanner.h), so they start behind bison's own 257.
 */
typedef enum
{
	TOKEN_END = 0,
	TOKEN_IDENT = 258,
	TOKEN_UIDENT,
	TOKEN_FCONST,
	TOKEN_SCONST,
	TOKEN_USCONST,
	TOKEN_BCONST,
	TOKEN_XCONST,
	TOKEN_OP,
	TOKEN_ICONST,
	TOKEN_PARAM,
	TOKEN_TYPECAST,
	TOKEN_DOT_DOT,
	TOKEN_COLON_EQUALS,
	TOKEN_EQUALS_GREATER,
	TOKEN_LESS_EQUALS,
	TOKEN_GREATER_EQUALS,
	TOKEN_NOT_EQUALS
} TokenCode;

StaticAssertDecl(TOKEN_NOT_EQUALS == 274, "token codes must be those of core grammars");

typedef struct Token
{
	int			code;
	int			start;					/* byte offsets in the body */
	int			end;
	const char *text;					/* IDENT: folded name; SCONST: value; OP, FCONST: as written; else NULL */
	int			number;					/* ICONST */
	bool		quoted;					/* IDENT in double quotes: never a keyword */
} Token;

#define LOOKAHEAD_MAX 8

typedef struct Scanner
{
	const char *body;
	core_yyscan_t yyscanner;
	core_yy_extra_type extra;
	MemoryContext scratch;				/* texts of tokens: gone with wf_scanner_end */
	Token		ring[LOOKAHEAD_MAX];
	int			first;
	int			count;
	bool		ended;
	ErrorContextCallback callback;
} Scanner;

/* Until wf_scanner_end(), positions of the lexer's own errors become internal
 * positions in body. */
extern void wf_scanner_begin(Scanner *scanner, const char *body);
extern void wf_scanner_end(Scanner *scanner);

/* The n-th token ahead, 0 = the next one; n < LOOKAHEAD_MAX.  At the end of
 * the body it is TOKEN_END, again and again. */
extern Token wf_scanner_peek(Scanner *scanner, int n);
extern Token wf_scanner_next(Scanner *scanner);

/* Is it this word (lower case), not in double quotes? */
extern bool wf_token_is(const Token *token, const char *word);

#endif
