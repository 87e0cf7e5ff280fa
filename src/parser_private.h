/*
 * parser_private.h -- what the files of the parser share; nobody else
 * includes it.
 *
 * parser.c reads the frame of a body and holds the helpers, parser_clause.c
 * the clauses and changes, parser_statement.c the statements, parser_flow.c
 * follows the flow through the finished tree.
 */
#ifndef WF_PARSER_PRIVATE_H
#define WF_PARSER_PRIVATE_H

#include "compat.h"

#include "ast.h"
#include "parser.h"
#include "scanner.h"

typedef struct Parser
{
	const char *body;
	Scanner		scanner;
	Workflow   *wf;
	int			depth;					/* IFs around the current statement */
	int			line;					/* of line_offset; statements come in order */
	int			line_offset;
} Parser;

/* Raises a syntax error at a byte offset of the body: errmsg(..), errhint(..). */
#define syntax_error(p, location, ...) \
	ereport(ERROR, errcode(ERRCODE_SYNTAX_ERROR), __VA_ARGS__, wf_errposition((p)->body, location))

/* What ends a fragment, besides ";". */
#define STOP_WHEN		(1 << 0)
#define STOP_FOR		(1 << 1)
#define STOP_THEN		(1 << 2)
#define STOP_TIMEOUT	(1 << 3)
#define STOP_OTHERWISE	(1 << 4)
#define STOP_INTO		(1 << 5)
#define STOP_PER		(1 << 6)
#define STOP_DEFAULT	(1 << 7)
#define STOP_COMMA		(1 << 8)
#define STOP_ASSIGN		(1 << 9)		/* := and = */

/* Parentheses, brackets and CASE .. END that are open while SQL is skipped. */
typedef struct Nesting
{
	int		   *open;					/* byte offsets of open ( and [ */
	int			nopen;
	int			size;
	int			ncases;					/* CASEs open outside parentheses */
	int			case_location;			/* of the outermost */
	Token		previous;				/* code -1 before the first token */
	bool		takes_assign;			/* := ends it, so none is a sign of a missing ; */
} Nesting;

/* Look at and take tokens. */
extern Token wf_parser_peek(Parser *p, int n);
extern Token wf_parser_next(Parser *p);
extern bool wf_parser_at(Parser *p, int n, const char *word);
extern bool wf_parser_accept(Parser *p, const char *word);
extern int	wf_parser_expect(Parser *p, const char *word);	/* returns its location */
extern int	wf_parser_semicolon(Parser *p);		/* returns the offset behind it */
extern Word wf_parser_name(Parser *p, const char *what);
/* "x expected" at the next token. */
pg_noreturn extern void wf_parser_unexpected(Parser *p, const char *expected);
/* Text of [start, end) for a message: one line, at most 40 bytes. */
extern char *wf_parser_quote(Parser *p, int start, int end);
/* Hint "Did you mean WORD?" for an unquoted word out of a NULL-ended array, or NULL. */
extern const char *wf_parser_nearest_word(const Token *token, const char *const *words);

/* SQL inside the body. */
extern Fragment wf_parser_fragment(Parser *p, int stops, const char *what, const char *after);
extern void wf_nesting_begin(Nesting *nesting);
extern void wf_nesting_step(Parser *p, Nesting *nesting);	/* takes the next token */
extern void wf_nesting_end(Parser *p, Nesting *nesting);	/* ERROR if something is open */

/* Names seen once. */
extern struct HTAB *wf_parser_names_create(void);
/* false if the name is there already */
extern bool wf_parser_names_add(struct HTAB *names, const char *name);

/* parser_clause.c */
extern void wf_parser_clauses(Parser *p);
extern void wf_parser_change(Parser *p, Change *change);
/* Do the next words begin a clause, whatever else they could be? */
extern bool wf_parser_at_clause(Parser *p);

/* parser_statement.c: statements up to END, ELSE, ELSIF or the end of the body */
extern List *wf_parser_statements(Parser *p, List **end_labels);

/* parser_flow.c: labels, loops without a wait, statements never reached */
extern void wf_parser_check_flow(const char *body, Workflow *wf);

#endif
