/*
 * check_decide.h -- the parts of a condition that a row trigger can decide.
 */
#ifndef WF_CHECK_DECIDE_H
#define WF_CHECK_DECIDE_H

#include "analyze.h"
#include "lib/stringinfo.h"

/* A column of the changed row, as an expression reads it. */
typedef struct ChangedColumn
{
	bool		on_old;
	char	   *name;
	Oid			type;
	Oid			collation;
} ChangedColumn;

/* May the trigger read values of this type, compare them? */
extern bool wf_decide_is_plain(Oid type);
extern bool wf_decide_compares(Oid type);

/* The parts (Node *) that must all hold. */
extern List *wf_decide_conjuncts(Node *condition);

/* Notes a conjunct over columns of the parameters old and new as an element of
 * rule.conditions (rule.h), if the trigger can decide it; false: it can't.
 * Constants are computed for that, which may raise their errors. */
extern bool wf_decide_conjunct(Node *node, StringInfo conditions);

/* Adds one; values: of char *, NULL entry = SQL NULL. */
extern void wf_decide_append(StringInfo conditions, const ChangedColumn *column, const char *op, List *values);

#endif
