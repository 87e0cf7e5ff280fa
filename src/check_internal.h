/*
 * check_internal.h -- what the check_*.c files share; nobody else includes it.
 *
 * check.c             driver, scopes
 * check_clause.c      clauses: AFTER, AT, EVERY, ENROLL, EXIT WHEN ...
 * check_change.c      a change: its table, columns, FROM and TO, WHEN
 * check_call.c        the columns of FOR against the workflow's arguments
 * check_statement.c   DECLARE and the statements
 * check_rule.c        what capture must watch: changes that are spoken of
 * check_decide.c      what of a condition a row trigger can decide
 * check_wake.c        what capture must watch for those who are inside
 * check_schedule.c    texts of EVERY and SEND DURING
 * check_path.c        privileges, superuser, safety of the path
 */
#ifndef WF_CHECK_INTERNAL_H
#define WF_CHECK_INTERNAL_H

#include "check.h"
#include "rule.h"
#include "lib/stringinfo.h"
#include "parser.h"

typedef struct Check
{
	const Signature *sig;
	const char *body;
	Workflow   *tree;
	bool		notices;
	MemoryContext keep;			/* lives as long as the result; the current one is reset often */
	int			nvars;
	Variable   *vars;
	List	   *rules;			/* of CheckedRule */
	int			nreads;			/* rules for other tables so far */
	List	  **watched;		/* per argument: columns (char *) that conditions depend on */
	List	   *splits;			/* of Statement *: the first SPLIT of each variable */
	List	   *noted;			/* OIDs of written tables the user was told about */
} Check;

/* check.c */
extern Scope wf_check_scope(const Check *ck, const char *construct, bool variables);
extern Scope wf_check_scope_change(const Check *ck, const Change *change, Oid relation, const char *construct);
extern List *wf_check_add_column(Check *ck, List *columns, const char *name);

/* check_clause.c */
extern void wf_check_clause(Check *ck, Clause *clause);

/* check_change.c */
extern Oid	wf_check_change_table(Check *ck, const Change *change, const char *construct);
extern void wf_check_change_columns(Check *ck, const Change *change, Oid relation);
extern Node *wf_check_literal(Check *ck, const Literal *literal, Oid type);

/* check_call.c */
extern char *wf_check_argument_list(const Signature *sig);
extern void wf_check_call_query(const Check *ck, Query *query, Fragment f);
extern void wf_check_call_subject(const Check *ck, const char *construct, int location);
extern void wf_check_call_after(const Check *ck, const Change *change, Oid relation);

/* check_statement.c */
extern void wf_check_declarations(Check *ck);
extern void wf_check_statements(Check *ck, List *statements);

/* check_rule.c */
extern CheckedRule *wf_check_rule_start(Check *ck, char kind, int ordinal, const Change *change, Oid relation);
extern void wf_check_rule_literals(Check *ck, CheckedRule *rule, StringInfo conditions, const Change *change);
extern void wf_check_rule_when(Check *ck, CheckedRule *rule, StringInfo conditions, Query *when, const Scope *scope,
							   Fragment f);
extern void wf_check_rule_query(Check *ck, CheckedRule *rule, Query *query, const Scope *scope);
extern void wf_check_rule_finish(Check *ck, CheckedRule *rule, StringInfo conditions);
struct ChangeTie;
extern void wf_check_rule_change(Check *ck, const Statement *stmt, Oid relation, Query *when, const Scope *scope,
								 const struct ChangeTie *tie);
extern void wf_check_rule_at(Check *ck, const Clause *clause, List *columns);

/* check_wake.c */
extern void wf_check_rule_wakes(Check *ck);
extern void wf_check_depends(Check *ck, Query *query, const Scope *scope, Fragment f, bool condition);

/* check_schedule.c */
extern void wf_check_schedule(const Check *ck, const char *text, int location);
extern void wf_check_window(const Check *ck, const char *text, int location);

/* check_server.c: WARNINGs for CREATE FUNCTION */
extern void wf_check_servers(Check *ck, Query *query);

/* check_path.c */
extern char *wf_check_relation_name(Oid relation);
extern void wf_check_owner(const Check *ck);
extern void wf_check_owner_warnings(const Check *ck);
extern void wf_check_table_rights(const Check *ck, Oid relation, int location);
extern void wf_check_arguments_rights(const Check *ck);
extern void wf_check_row_security(const Check *ck, Oid relation, int location);
extern void wf_check_written(Check *ck, Query *query);

#endif
