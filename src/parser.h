/*
 * parser.h -- from a body to its tree: recursive descent over scanner.h.
 */
#ifndef WF_PARSER_H
#define WF_PARSER_H

#include "ast.h"

#define BODY_MAX (1024 * 1024)			/* bytes */
#define STATEMENTS_MAX 10000
#define DEPTH_MAX 100

/*
 * Parses body, or raises an ERROR whose internal position is in body (the
 * caller has set an error context that moves it into CREATE FUNCTION: see
 * wf_source_context_enter).  Result in the current memory context.
 */
extern Workflow *wf_parse(const char *body);

/* ereport auxiliary: internalerrposition + internalerrquery for a byte offset. */
extern int	wf_errposition(const char *body, int offset);

/* Nearest of candidates (List of char *) to name by edit distance, or NULL
 * when none is near: for hints. */
extern const char *wf_nearest_name(const char *name, List *candidates);

#endif
