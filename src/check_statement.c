/*
 * check_statement.c -- DECLARE and the statements: names, types, targets.
 *
 * Called by check.c, as the workflow's owner, in a memory context that this
 * file resets after every statement; what outlives a statement is put into
 * the check's own.
 */
#include "postgres.h"
#include "compat.h"

#include "access/htup_details.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "analyze_ties.h"
#include "check_internal.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "message.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

static const Fragment no_fragment = {0, 0};

/*
 * Variables
 */

static List *
variable_names(const Check *ck)
{
	List	   *names = NIL;

	for (int i = 0; i < ck->nvars; i++)
		names = lappend(names, ck->vars[i].name);
	return names;
}

static void
refuse_target(const Check *ck, const Word *target, const char *what)
{
	const char *nearest = wf_nearest_name(target->name, variable_names(ck));

	for (int i = 0; i < ck->sig->nargs; i++)
	{
		if (strcmp(ck->sig->args[i].name, target->name) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_ERROR_IN_ASSIGNMENT),
					 errmsg("argument %s can't be assigned to", target->name),
					 ck->sig->args[i].is_row ? errhint("It shows the row as it is now: UPDATE the table.") :
					 errhint("Assign to a variable of DECLARE."),
					 wf_errposition(ck->body, target->location)));
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("%s \"%s\" is not declared", what, target->name),
			 nearest ? errhint("Did you mean \"%s\"?", nearest) :
			 errhint("Declare it between DECLARE and BEGIN."),
			 wf_errposition(ck->body, target->location)));
}

static const Variable *
variable_of(const Check *ck, const Word *target, const char *what)
{
	for (int i = 0; i < ck->nvars; i++)
	{
		if (strcmp(ck->vars[i].name, target->name) == 0)
			return &ck->vars[i];
	}
	refuse_target(ck, target, what);
	return NULL;
}

/* Like plpgsql: by an assignment cast, or by text if the value is a string. */
static bool
is_assignable(Oid from, Oid to)
{
	return from == to || can_coerce_type(1, &from, &to, COERCION_ASSIGNMENT) ||
		TypeCategory(from) == TYPCATEGORY_STRING;
}

/*
 * The analysis converts anything by its text; what can only fail so, as a
 * date into an integer, is refused here.
 */
static void
check_conversion(const Check *ck, const Variable *target, Query *query, Fragment f)
{
	Node	   *expr = (Node *) ((TargetEntry *) linitial(query->targetList))->expr;
	Oid			from;

	if (IsA(expr, CoerceToDomain))
		expr = (Node *) ((CoerceToDomain *) expr)->arg;
	if (IsA(expr, FuncExpr) && ((FuncExpr *) expr)->funcformat == COERCE_IMPLICIT_CAST)
		expr = linitial(((FuncExpr *) expr)->args);
	if (!IsA(expr, CoerceViaIO) || ((CoerceViaIO *) expr)->coerceformat != COERCE_IMPLICIT_CAST)
		return;
	from = exprType((Node *) ((CoerceViaIO *) expr)->arg);
	if (!is_assignable(from, target->type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("variable \"%s\" is of type %s, the expression is of type %s",
						target->name, format_type_be(target->type), format_type_be(from)),
				 errhint("Cast the expression."),
				 wf_errposition(ck->body, f.start)));
}

/* Initial values; each sees the variables before it. */
void
wf_check_declarations(Check *ck)
{
	ListCell   *lc;

	foreach(lc, ck->tree->declarations)
	{
		const Declaration *declaration = lfirst(lc);
		int			i = foreach_current_index(lc);
		Scope		scope = wf_check_scope(ck, "DECLARE", true);

		if (FRAGMENT_ABSENT(declaration->init))
			continue;
		scope.nvars = i;
		check_conversion(ck, &ck->vars[i],
						 wf_analyze_value(&scope, declaration->init, "DECLARE", ck->vars[i].type, ck->vars[i].typmod),
						 declaration->init);
	}
}

/*
 * INTO
 */

/* The row a statement gives back, NULL if none: a SELECT's, or RETURNING's. */
static List *
returned_targets(Query *query)
{
	List	   *all = query->commandType == CMD_SELECT ? query->targetList : query->returningList;
	List	   *targets = NIL;
	ListCell   *lc;

	foreach(lc, all)
	{
		if (!((TargetEntry *) lfirst(lc))->resjunk)
			targets = lappend(targets, lfirst(lc));
	}
	return targets;
}

static void
check_assignable(const Check *ck, const Word *target, const TargetEntry *source, Oid type)
{
	Oid			from = exprType((Node *) source->expr);

	if (is_assignable(from, type))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("INTO target \"%s\" is of type %s, the column is of type %s",
					target->name, format_type_be(type), format_type_be(from)),
			 errhint("Cast the column: ...::%s.", format_type_be(type)),
			 wf_errposition(ck->body, target->location)));
}

/* One variable of a row type takes the columns as its fields, in order. */
static void
check_row_target(const Check *ck, const Word *target, List *sources, Oid type)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_copy(type, -1);
	int			n = 0;

	for (int i = 0; i < desc->natts && n < list_length(sources); i++)
	{
		if (!TupleDescAttr(desc, i)->attisdropped)
			check_assignable(ck, target, list_nth(sources, n++), TupleDescAttr(desc, i)->atttypid);
	}
}

static bool
is_row_type(Oid type)
{
	return get_typtype(getBaseType(type)) == TYPTYPE_COMPOSITE;
}

/* As in plpgsql: missing columns leave NULL, more columns than targets are dropped. */
static void
check_targets(const Check *ck, const Statement *stmt, List *sources)
{
	const Word *first = linitial(stmt->into);
	Oid			type = variable_of(ck, first, "INTO target")->type;
	ListCell   *lc;

	if (list_length(stmt->into) == 1 && is_row_type(type) &&
		(list_length(sources) != 1 || !type_is_rowtype(exprType((Node *) ((TargetEntry *) linitial(sources))->expr))))
	{
		check_row_target(ck, first, sources, getBaseType(type));
		return;
	}
	foreach(lc, stmt->into)
	{
		int			i = foreach_current_index(lc);
		const Word *target = lfirst(lc);

		type = variable_of(ck, target, "INTO target")->type;
		if (i < list_length(sources))
			check_assignable(ck, target, list_nth(sources, i), type);
	}
}

static void
check_into(const Check *ck, const Statement *stmt, Query *query)
{
	List	   *sources = returned_targets(query);

	if (query->commandType != CMD_SELECT && sources == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("INTO used with a command that cannot return data"),
				 errhint("Add RETURNING."),
				 wf_errposition(ck->body, stmt->into_clause.start)));
	check_targets(ck, stmt, sources);
}

static void
check_sql(Check *ck, const Statement *stmt)
{
	Scope		scope = wf_check_scope(ck, "a statement", true);
	Query	   *query = wf_analyze(&scope, stmt->sql, FRAGMENT_STATEMENT, stmt->into_clause);

	if (stmt->into != NIL)
		check_into(ck, stmt, query);
	wf_check_written(ck, query);
}

static void
check_assign(Check *ck, const Statement *stmt)
{
	Scope		scope = wf_check_scope(ck, ":=", true);
	const Variable *target = variable_of(ck, &stmt->name, "variable");

	check_conversion(ck, target, wf_analyze_value(&scope, stmt->expr, ":=", target->type, target->typmod), stmt->expr);
}

/*
 * Waits
 */

static void
check_timeout(Check *ck, const Statement *stmt)
{
	Scope		scope = wf_check_scope(ck, "TIMEOUT", true);

	if (!FRAGMENT_ABSENT(stmt->timeout))
		(void) wf_analyze_interval(&scope, stmt->timeout, "TIMEOUT");
}

static void
check_wait_for(Check *ck, const Statement *stmt)
{
	Scope		scope = wf_check_scope(ck, "WAIT FOR", true);
	Query	   *query = wf_analyze_interval(&scope, stmt->expr, "WAIT FOR");

	/* an interval that is NULL becomes known by a change */
	wf_check_depends(ck, query, &scope, stmt->expr, false);
}

static void
check_wait_until(Check *ck, const Statement *stmt)
{
	Scope		scope = wf_check_scope(ck, "WAIT UNTIL", true);
	UntilKind	kind;
	Query	   *query = wf_analyze_until(&scope, stmt->expr, "WAIT UNTIL", &kind);

	wf_check_depends(ck, query, &scope, stmt->expr, kind == UNTIL_CONDITION);
	check_timeout(ck, stmt);
}

static void
refuse_untied(Check *ck, const Statement *stmt, const Scope *scope, Oid relation)
{
	const Change *change = &stmt->change;
	const char *row = scope->has_new ? "new" : "old";
	const Argument *arg = ck->sig->nargs > 0 && ck->sig->args[0].is_row ? &ck->sig->args[0] : NULL;
	char	   *column = NULL;

	if (arg && arg->relation == relation)
		column = arg->key.name[0];
	else if (arg)
		column = psprintf("%s_%s", get_rel_name(arg->relation), arg->key.name[0]);
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("WAIT FOR needs an equality that ties %s to this enrollment", row),
			 arg ? errhint("Write WHEN with a part such as %s.%s = %s.%s.", row, quote_identifier(column),
						   arg->name, quote_identifier(arg->key.name[0])) : 0,
			 wf_errposition(ck->body, FRAGMENT_ABSENT(change->when) ? stmt->location : change->when.start)));
}

static void
check_wait_change(Check *ck, const Statement *stmt)
{
	const Change *change = &stmt->change;
	Oid			relation = wf_check_change_table(ck, change, "WAIT FOR");
	Scope		scope;
	Query	   *when = NULL;
	ChangeTie  *tie;

	wf_check_change_columns(ck, change, relation);
	scope = wf_check_scope_change(ck, change, relation, "WAIT FOR");
	scope.see_args = true;
	scope.nvars = ck->nvars;
	if (!FRAGMENT_ABSENT(change->when))
		when = wf_analyze_condition(&scope, change->when, "WHEN");
	tie = when ? wf_analyze_change_tie(when) : NULL;
	if (tie == NULL)
		refuse_untied(ck, stmt, &scope, relation);
	wf_check_rule_change(ck, stmt, relation, when, &scope, tie);
	check_timeout(ck, stmt);
}

/*
 * SPLIT, GO TO, GOAL
 */

static List *
enum_labels(Oid type)
{
	CatCList   *entries = SearchSysCacheList1(ENUMTYPOIDNAME, ObjectIdGetDatum(type));
	List	   *labels = NIL;

	for (int i = 0; i < entries->n_members; i++)
		labels = lappend(labels, pstrdup(NameStr(((Form_pg_enum) GETSTRUCT(&entries->members[i]->tuple))->enumlabel)));
	ReleaseCatCacheList(entries);
	return labels;
}

static void
check_arm(const Check *ck, const Word *arm, Oid type)
{
	List	   *labels = enum_labels(type);
	const char *nearest;
	ListCell   *lc;

	foreach(lc, labels)
	{
		if (strcmp(lfirst(lc), arm->name) == 0)
			return;
	}
	nearest = wf_nearest_name(arm->name, labels);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input value for enum %s: \"%s\"", format_type_be(type), arm->name),
			 nearest ? errhint("Did you mean \"%s\"?", nearest) : 0,
			 wf_errposition(ck->body, arm->location)));
}

/* Do both give every arm the same share? */
static bool
same_arms(const List *arms, const List *others)
{
	ListCell   *lc;
	ListCell   *lo;

	if (list_length(arms) != list_length(others))
		return false;
	foreach(lc, arms)
	{
		const Arm  *arm = lfirst(lc);
		bool		found = false;

		foreach(lo, others)
		{
			const Arm  *other = lfirst(lo);

			found |= strcmp(arm->name.name, other->name.name) == 0 && arm->share == other->share &&
				(arm->percent == NULL) == (other->percent == NULL);
		}
		if (!found)
			return false;
	}
	return true;
}

/* Who was split before keeps his arm, whichever statement did it. */
static void
check_same_split(Check *ck, const Statement *stmt)
{
	MemoryContext old;
	ListCell   *lc;

	foreach(lc, ck->splits)
	{
		const Statement *first = lfirst(lc);

		if (strcmp(first->name.name, stmt->name.name) != 0)
			continue;
		if (!same_arms(first->arms, stmt->arms))
			ereport(ERROR,
					(errcode(ERRCODE_SYNTAX_ERROR),
					 errmsg("SPLIT of \"%s\" is not the same as at line %d", stmt->name.name, first->line),
					 errhint("Two SPLIT statements of one variable are one split: write the same arms in both, or take another variable."),
					 wf_errposition(ck->body, stmt->name.location)));
		return;
	}
	old = MemoryContextSwitchTo(ck->keep);
	ck->splits = lappend(ck->splits, unconstify(Statement *, stmt));
	MemoryContextSwitchTo(old);
}

static void
check_split(Check *ck, const Statement *stmt)
{
	const Variable *variable = variable_of(ck, &stmt->name, "variable");
	Oid			type = getBaseType(variable->type);
	ListCell   *lc;

	if (type != TEXTOID && type != VARCHAROID && !type_is_enum(type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("SPLIT sets a variable of type text or an enum, \"%s\" is %s",
						variable->name, format_type_be(variable->type)),
				 wf_errposition(ck->body, stmt->name.location)));
	if (type_is_enum(type))
	{
		foreach(lc, stmt->arms)
			check_arm(ck, &((Arm *) lfirst(lc))->name, type);
	}
	check_same_split(ck, stmt);
}

static void
check_goto(Check *ck, const Statement *stmt)
{
	Scope		scope = wf_check_scope(ck, "GO TO", true);

	if (!FRAGMENT_ABSENT(stmt->per))
		(void) wf_analyze_interval(&scope, stmt->per, "PER");
}

static void
check_goal(Check *ck, const Statement *stmt)
{
	Scope		scope = wf_check_scope(ck, "GOAL", true);

	wf_check_depends(ck, wf_analyze_condition(&scope, stmt->expr, "WHEN"), &scope, stmt->expr, true);
}

/*
 * SEND
 */

static void
check_message(const Check *ck, const Statement *stmt, List *targets)
{
	const TargetEntry *target;
	int			location;

	if (list_length(targets) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("SEND wants one automation.message per row, got %d columns", list_length(targets)),
				 errhint("To send several messages write several SEND statements."),
				 wf_errposition(ck->body, stmt->sql.start)));
	target = linitial(targets);
	if (exprType((Node *) target->expr) == wf_message_type())
		return;
	location = exprLocation((Node *) target->expr);
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("SEND wants automation.message, got %s", format_type_be(exprType((Node *) target->expr))),
			 errhint("Use email(), webhook() or another function that makes a message."),
			 wf_errposition(ck->body, stmt->sql.start + Max(location, 0))));
}

static void
check_send(Check *ck, const Statement *stmt)
{
	Scope		scope = wf_check_scope(ck, "SEND", true);
	Query	   *query = wf_analyze(&scope, stmt->sql, FRAGMENT_SELECT_LIST, no_fragment);
	ListCell   *lc;

	check_message(ck, stmt, returned_targets(query));
	foreach(lc, stmt->into)
	{
		const Word *target = lfirst(lc);
		const Variable *variable = variable_of(ck, target, "INTO target");

		if (variable->type != wf_delivery_type())
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("SEND .. INTO takes a variable of type automation.delivery, \"%s\" is %s",
							target->name, format_type_be(variable->type)),
					 wf_errposition(ck->body, target->location)));
	}
	check_timeout(ck, stmt);
	wf_check_servers(ck, query);
}

/*
 * Statements
 */

static void
check_if(Check *ck, const Statement *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->branches)
	{
		const Branch *branch = lfirst(lc);
		Scope		scope = wf_check_scope(ck, "IF", true);

		if (!FRAGMENT_ABSENT(branch->condition))
			(void) wf_analyze_condition(&scope, branch->condition, "IF");
		wf_check_statements(ck, branch->statements);
	}
}

static void
check_statement(Check *ck, const Statement *stmt)
{
	switch (stmt->kind)
	{
		case STMT_SQL:
			check_sql(ck, stmt);
			break;
		case STMT_ASSIGN:
			check_assign(ck, stmt);
			break;
		case STMT_WAIT_FOR:
			check_wait_for(ck, stmt);
			break;
		case STMT_WAIT_CHANGE:
			check_wait_change(ck, stmt);
			break;
		case STMT_WAIT_UNTIL:
			check_wait_until(ck, stmt);
			break;
		case STMT_IF:
			check_if(ck, stmt);
			break;
		case STMT_SPLIT:
			check_split(ck, stmt);
			break;
		case STMT_GOTO:
			check_goto(ck, stmt);
			break;
		case STMT_GOAL:
			check_goal(ck, stmt);
			break;
		case STMT_SEND:
			check_send(ck, stmt);
			break;
		case STMT_EXIT:
			break;
	}
}

/* Each in memory of its own: branches nest, so a child context, not a reset. */
void
wf_check_statements(Check *ck, List *statements)
{
	MemoryContext scratch;
	MemoryContext old;
	ListCell   *lc;

	check_stack_depth();
	if (statements == NIL)
		return;
	scratch = AllocSetContextCreate(CurrentMemoryContext, "workflow statement", ALLOCSET_SMALL_SIZES);
	foreach(lc, statements)
	{
		CHECK_FOR_INTERRUPTS();
		old = MemoryContextSwitchTo(scratch);
		check_statement(ck, lfirst(lc));
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	MemoryContextDelete(scratch);
}
