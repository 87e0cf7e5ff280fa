/*
 * describe.h -- words for the views: the statement an enrollment stands on.
 */
#ifndef WF_DESCRIBE_H
#define WF_DESCRIBE_H

#include "ast.h"

/* Statement of an ordinal in the tree; NULL if there is none. */
extern Statement *wf_statement_find(Workflow *wf, int ordinal);

/* First line of a statement's text, at most 80 characters, white space folded. */
extern char *wf_statement_text(const char *body, const Statement *stmt);

#endif
