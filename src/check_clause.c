/*
 * check_clause.c -- the clauses above DECLARE and BEGIN: who enters, how
 * often, who leaves.
 *
 * Called by check.c for each clause, as the workflow's owner, in a memory
 * context that is reset afterwards.  What capture must watch for a clause is
 * handed to check_rule.c.
 */
#include "postgres.h"
#include "compat.h"

#include "catalog/pg_type.h"
#include "check_internal.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

static Node *
first_expr(Query *query)
{
	return (Node *) ((TargetEntry *) linitial(query->targetList))->expr;
}

/*
 * AFTER
 */

static void
check_after(Check *ck, Clause *clause)
{
	Change	   *change = &clause->change;
	Oid			relation = wf_check_change_table(ck, change, "AFTER");
	CheckedRule *rule;
	StringInfoData conditions;
	Scope		scope;
	Query	   *query;

	wf_check_change_columns(ck, change, relation);
	scope = wf_check_scope_change(ck, change, relation, "AFTER");
	rule = wf_check_rule_start(ck, RULE_AFTER, clause->ordinal, change, relation);
	initStringInfo(&conditions);
	wf_check_rule_literals(ck, rule, &conditions, change);
	if (!FRAGMENT_ABSENT(change->when))
	{
		query = wf_analyze_condition(&scope, change->when, "WHEN");
		wf_check_rule_when(ck, rule, &conditions, query, &scope, change->when);
	}
	if (FRAGMENT_ABSENT(clause->query))
		wf_check_call_after(ck, change, relation);
	else
	{
		Fragment	none = {0, 0};

		query = wf_analyze(&scope, clause->query, FRAGMENT_QUERY, none);
		wf_check_call_query(ck, query, clause->query);
		wf_check_rule_query(ck, rule, query, &scope);
	}
	wf_check_rule_finish(ck, rule, &conditions);
}

/*
 * AT, EVERY, SEND DURING
 */

/* Columns of the first argument: names, NULL = the whole row. */
static List *
columns_of_subject(const Dependencies *deps)
{
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, deps->columns)
	{
		DependentColumn *column = lfirst(lc);

		if (column->param == PARAM_ARG(0))
			columns = lappend(columns, column->name);
	}
	return columns;
}

/* The same of TIME ZONE: a date is a moment in that zone. */
static List *
columns_of_zone(const Check *ck)
{
	ListCell   *lc;

	foreach(lc, ck->tree->clauses)
	{
		Clause	   *clause = lfirst(lc);
		Scope		scope = wf_check_scope(ck, "TIME ZONE", false);

		if (clause->kind == CLAUSE_TIME_ZONE)
			return columns_of_subject(wf_analyze_dependencies(wf_analyze_value(&scope, clause->expr, "TIME ZONE",
																			   InvalidOid, -1), &scope));
	}
	return NIL;
}

/* A row of another table would have to be followed to all the subjects whose
 * moment it moves. */
static void
refuse_other_tables(const Check *ck, const Clause *clause, const Dependencies *deps)
{
	if (deps->sublink)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("AT can use columns of the subject only"),
				 errhint("Keep the moment in a column of %s; WHEN may look into other tables.",
						 format_type_be(ck->sig->args[0].type)),
				 wf_errposition(ck->body, clause->expr.start + Max(deps->sublink_location, 0))));
}

/* What a user's function looks at is not known: a table, the server's clock. */
static void
note_hidden_clock(const Check *ck, const Clause *clause, const Dependencies *deps)
{
	if (!ck->notices || !deps->volatile_function)
		return;
	ereport(NOTICE,
			(errmsg("function %s may give another moment without a change of the row", deps->volatile_name),
			 errdetail("The moment is computed when a column that AT uses changes, and again when it has come."),
			 errhint("If the function depends on its arguments alone, declare it IMMUTABLE."),
			 wf_errposition(ck->body, clause->expr.start + Max(deps->volatile_location, 0))));
}

static void
check_at(Check *ck, Clause *clause)
{
	Scope		scope = wf_check_scope(ck, "AT", false);
	UntilKind	kind;
	Query	   *query = wf_analyze_until(&scope, clause->expr, "AT", &kind);
	Dependencies *deps;

	if (kind == UNTIL_CONDITION)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("AT takes a moment, not a condition"),
				 errhint("To enroll when a condition becomes true, write AFTER UPDATE .. WHEN."),
				 wf_errposition(ck->body, clause->expr.start)));
	if (!FRAGMENT_ABSENT(clause->when))
		(void) wf_analyze_condition(&scope, clause->when, "WHEN");
	wf_check_call_subject(ck, "AT", clause->location);
	deps = wf_analyze_dependencies(query, &scope);
	refuse_other_tables(ck, clause, deps);
	note_hidden_clock(ck, clause, deps);
	wf_check_rule_at(ck, clause, list_concat(columns_of_subject(deps), columns_of_zone(ck)));
}

static void
check_every(Check *ck, Clause *clause)
{
	Scope		scope = wf_check_scope(ck, "EVERY", false);
	Fragment	none = {0, 0};

	scope.see_args = false;
	wf_check_schedule(ck, clause->text, clause->text_location);
	wf_check_call_query(ck, wf_analyze(&scope, clause->query, FRAGMENT_QUERY, none), clause->query);
}

static void
check_send_during(Check *ck, Clause *clause)
{
	wf_check_window(ck, clause->text, clause->text_location);
}

/*
 * ENROLL
 */

/* Argument that an expression names as a whole; -1 if it is none. */
static int
whole_row(const Check *ck, Node *expr)
{
	int			arg;

	if (!IsA(expr, Param) || ((Param *) expr)->paramkind != PARAM_EXTERN)
		return -1;
	arg = ((Param *) expr)->paramid - PARAM_ARG(0);
	return arg >= 0 && arg < ck->sig->nargs && ck->sig->args[arg].is_row ? arg : -1;
}

/* A part of the key must have an output that identifies it. */
static void
check_per_type(const Check *ck, Node *expr, Fragment f)
{
	Oid			type = exprType(expr);

	if (whole_row(ck, expr) >= 0)
		return;
	if (type == RECORDOID || get_typtype(type) == TYPTYPE_PSEUDO)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("PER can't use a value of type %s", format_type_be(type)),
				 errhint("Separate the parts of the key by commas, without parentheses."),
				 wf_errposition(ck->body, f.start)));
}

/* What the parts of a key are made of. */
typedef struct KeyParts
{
	int			arg;			/* row argument of the first column; -1 = none */
	bool		others;			/* something that is no column of a row argument */
	Bitmapset  *columns;		/* attribute numbers of columns of arg */
} KeyParts;

static void
note_key_part(const Check *ck, Node *expr, KeyParts *parts)
{
	FieldSelect *field = (FieldSelect *) expr;
	int			arg = IsA(field, FieldSelect) ? whole_row(ck, (Node *) field->arg) : -1;

	if (arg < 0)
	{
		parts->others = true;
		return;
	}
	if (parts->arg < 0)
		parts->arg = arg;
	if (parts->arg == arg)
		parts->columns = bms_add_member(parts->columns, field->fieldnum);
}

/* Does the key hold the primary key of its row? */
static bool
holds_row(const Check *ck, const KeyParts *parts)
{
	const KeyColumns *key = &ck->sig->args[parts->arg].key;

	for (int i = 0; i < key->natts; i++)
	{
		if (!bms_is_member(key->attnum[i], parts->columns))
			return false;
	}
	return true;
}

/* A key of columns alone lets one of many rows in: often meant, sometimes not. */
static void
note_key(const Check *ck, const Clause *clause, const KeyParts *parts)
{
	const Fragment *first = linitial(clause->per);
	const Fragment *last = llast(clause->per);

	if (!ck->notices || parts->others || parts->arg < 0 || holds_row(ck, parts))
		return;
	ereport(NOTICE,
			(errmsg("the key is %.*s: of all rows of %s with one value only %s is enrolled",
					last->end - first->start, ck->body + first->start,
					format_type_be(ck->sig->args[parts->arg].type),
					clause->policy == ENROLL_ONCE ? "the first" : "one at a time"),
			 wf_errposition(ck->body, first->start)));
}

static void
check_enroll(Check *ck, Clause *clause)
{
	Scope		scope = wf_check_scope(ck, "ENROLL", false);
	KeyParts	parts = {-1, false, NULL};
	ListCell   *lc;

	if (!FRAGMENT_ABSENT(clause->after))
		(void) wf_analyze_interval(&scope, clause->after, "AGAIN AFTER");
	foreach(lc, clause->per)
	{
		Fragment	f = *(Fragment *) lfirst(lc);
		Node	   *expr = first_expr(wf_analyze_value(&scope, f, "PER", InvalidOid, -1));

		check_per_type(ck, expr, f);
		note_key_part(ck, expr, &parts);
	}
	if (clause->per != NIL)
		note_key(ck, clause, &parts);
}

/*
 * EXIT WHEN, TIME ZONE
 */

static void
check_exit(Check *ck, Clause *clause)
{
	Scope		scope = wf_check_scope(ck, "EXIT WHEN", false);
	Query	   *query = wf_analyze_condition(&scope, clause->expr, "EXIT WHEN");

	wf_check_depends(ck, query, &scope, clause->expr, true);
}

/* A zone that is a constant must be one that the server knows. */
static void
check_time_zone(Check *ck, Clause *clause)
{
	Scope		scope = wf_check_scope(ck, "TIME ZONE", false);
	Query	   *query = wf_analyze_value(&scope, clause->expr, "TIME ZONE", InvalidOid, -1);
	Node	   *expr = first_expr(query);
	char	   *zone;

	if (TypeCategory(exprType(expr)) != TYPCATEGORY_STRING)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("TIME ZONE needs text, got %s", format_type_be(exprType(expr))),
				 wf_errposition(ck->body, clause->expr.start)));
	wf_check_depends(ck, query, &scope, clause->expr, false);
	if (!IsA(expr, Const) || ((Const *) expr)->constisnull || ((Const *) expr)->consttype != TEXTOID)
		return;
	zone = TextDatumGetCString(((Const *) expr)->constvalue);
	if (pg_tzset(zone) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" not recognized", zone),
				 wf_errposition(ck->body, clause->expr.start)));
}

void
wf_check_clause(Check *ck, Clause *clause)
{
	switch (clause->kind)
	{
		case CLAUSE_AFTER:
			check_after(ck, clause);
			break;
		case CLAUSE_AT:
			check_at(ck, clause);
			break;
		case CLAUSE_EVERY:
			check_every(ck, clause);
			break;
		case CLAUSE_ENROLL:
			check_enroll(ck, clause);
			break;
		case CLAUSE_EXIT:
			check_exit(ck, clause);
			break;
		case CLAUSE_SEND_DURING:
			check_send_during(ck, clause);
			break;
		case CLAUSE_TIME_ZONE:
			check_time_zone(ck, clause);
			break;
	}
}
