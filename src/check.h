/*
 * check.h -- everything that can be wrong with a workflow, found at
 * definition; and what capture must watch for it.
 */
#ifndef WF_CHECK_H
#define WF_CHECK_H

#include "analyze.h"
#include "utils/jsonb.h"

/* A row of automation.rule, but for its ids. */
typedef struct CheckedRule
{
	char		kind;					/* see rule.h */
	int			clause;
	Oid			relation;
	int			operations;
	List	   *columns;				/* of char *: UPDATE OF; NIL = any (AFTER), none but the key (wake) */
	Jsonb	   *conditions;				/* array, see rule.h */
	List	   *reads_old;				/* of char *; "*" = all */
	List	   *reads_new;
	List	   *image_old;
	List	   *image_new;
	bool		residual;
	List	   *ties;					/* of char * */
	bool		has_path;
	List	   *path;					/* of PathStep, see analyze_ties.h */
} CheckedRule;

typedef struct CheckedWorkflow
{
	Workflow   *tree;
	int			nvars;
	Variable   *vars;
	List	   *rules;					/* of CheckedRule */
} CheckedWorkflow;

/*
 * Checks everything; must run as the owner with the workflow's path.
 * Privileges, superuser, path safety included.  notices: emit NOTICEs and
 * WARNINGs (CREATE FUNCTION), or stay silent (re-validation).  ERROR at the
 * first mistake.
 */
extern CheckedWorkflow *wf_check(const Signature *sig, bool notices);

/* Path to store: the function's SET search_path, else the current one, $user
 * resolved, temporary, missing and unusable schemas dropped, ending in
 * "automation, pg_temp".  ERROR with hint if everybody may create in one of its
 * schemas; WARNING (notices) if a role may that the owner is no member of. */
extern char *wf_check_path(const Signature *sig, bool notices);

#endif
