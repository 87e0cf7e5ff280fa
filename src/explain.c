/*
 * explain.c -- automation.explain(): what starts and wakes the enrollments of a
 * workflow.
 *
 * Called in any session by the workflow's owner; the definition is analysed as
 * him, with the path of definition time, as at its definition.  A definition that
 * is not valid any more raises its error.  Writes nothing.
 */
#include "postgres.h"
#include "compat.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/tuplestore.h"

#include "analyze_ties.h"
#include "check.h"
#include "commands.h"
#include "enginesql.h"
#include "owner.h"
#include "parser.h"
#include "rule.h"

PG_FUNCTION_INFO_V1(wf_explain);

#define COLUMN_LINE		1
#define COLUMN_CLAUSE	2
#define COLUMN_TABLE	3
#define COLUMN_OPERATIONS 4
#define COLUMN_COLUMNS	5
#define COLUMN_TIED_BY	6
#define COLUMN_CONDITIONS 7
#define COLUMN_RECHECKED 8
#define COLUMNS 8

typedef struct Explain
{
	ReturnSetInfo *result;
	const Signature *sig;
	CheckedWorkflow *checked;
	Scope		scope;
	int			line;					/* of the clause or statement */
	const char *clause;
} Explain;

/* ----------------------------------------------------------------
 * Words
 * ----------------------------------------------------------------
 */

static char *
operations_text(int operations)
{
	StringInfoData text;

	initStringInfo(&text);
	if (operations & OP_INSERT)
		appendStringInfoString(&text, "INSERT");
	if (operations & OP_UPDATE)
		appendStringInfo(&text, "%sUPDATE", text.len ? ", " : "");
	if (operations & OP_DELETE)
		appendStringInfo(&text, "%sDELETE", text.len ? ", " : "");
	return text.data;
}

static char *
names_text(List *names)
{
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, names)
	{
		const char *name = lfirst(lc);

		appendStringInfo(&text, "%s%s", text.len ? ", " : "", strcmp(name, "*") == 0 ? "all" : quote_identifier(name));
	}
	return text.len ? text.data : NULL;
}

static char *
member_text(JsonbContainer *object, const char *name)
{
	JsonbValue	buf;
	JsonbValue *value = getKeyJsonValueFromContainer(object, name, strlen(name), &buf);

	return pnstrdup(value->val.string.val, value->val.string.len);
}

static void
append_values(StringInfo text, JsonbContainer *object)
{
	JsonbValue	buf;
	JsonbValue *values = getKeyJsonValueFromContainer(object, "values", strlen("values"), &buf);
	int			n = JsonContainerSize(values->val.binary.data);

	for (int i = 0; i < n; i++)
	{
		JsonbValue *value = getIthJsonbValueFromContainer(values->val.binary.data, i);

		appendStringInfo(text, "%s%s", i > 0 ? ", " : " ", value->type != jbvString ? "NULL" :
						 quote_literal_cstr(pnstrdup(value->val.string.val, value->val.string.len)));
	}
}

/* rule.conditions in words; rows: say whether it is old or new. */
static char *
conditions_text(Jsonb *conditions, bool rows)
{
	StringInfoData text;

	if (conditions == NULL || JB_ROOT_COUNT(conditions) == 0)
		return NULL;
	initStringInfo(&text);
	for (uint32 i = 0; i < JB_ROOT_COUNT(conditions); i++)
	{
		JsonbContainer *object = getIthJsonbValueFromContainer(&conditions->root, i)->val.binary.data;

		appendStringInfo(&text, "%s%s%s%s %s", i > 0 ? " AND " : "", rows ? member_text(object, "row") : "",
						 rows ? "." : "", quote_identifier(member_text(object, "column")), member_text(object, "op"));
		append_values(&text, object);
	}
	return text.data;
}

/* Name of a parameter as the body writes it. */
static const char *
parameter_name(const Explain *x, int id)
{
	int			arg = id - PARAM_ARG(0);
	int			var = id - PARAM_VAR(x->sig, 0);

	if (id == PARAM_ENTERED)
		return "entered_at()";
	if (id == PARAM_FOUND)
		return "found";
	if (arg >= 0 && arg < x->sig->nargs)
		return quote_identifier(x->sig->args[arg].name);
	if (var >= 0 && var < x->checked->nvars)
		return quote_identifier(x->checked->vars[var].name);
	return "?";
}

/* An expression over the parameters, these under their names. */
static char *
value_text(const Explain *x, Node *value)
{
	char	   *text = deparse_expression(value, NIL, true, false);
	StringInfoData result;

	initStringInfo(&result);
	for (const char *p = text; *p;)
	{
		bool		wrapped = p[0] == '(' && p[1] == '$';
		char	   *end;
		int			id;

		if (*p != '$' && !wrapped)
		{
			appendStringInfoChar(&result, *p++);
			continue;
		}
		id = (int) strtol(p + (wrapped ? 2 : 1), &end, 10);
		appendStringInfoString(&result, parameter_name(x, id));
		if (wrapped && *end != ')')
			wrapped = false;
		p = wrapped ? end + 1 : end;
	}
	return result.data;
}

/* "sales_order.cart_id -> cart.id: cart.contact_id = c.id" */
static char *
way_text(const Explain *x, const TableRead *read)
{
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, read->path)
	{
		const PathStep *step = lfirst(lc);

		if (!OidIsValid(step->relation))
			continue;
		if (lc == list_nth_cell(read->path, 1))
			appendStringInfo(&text, "%s", quote_identifier(read->column));
		appendStringInfo(&text, " -> %s.%s: %s", quote_identifier(get_rel_name(step->relation)),
						 quote_identifier(step->match), quote_identifier(step->column));
	}
	if (text.len == 0)
		appendStringInfoString(&text, quote_identifier(read->column));
	appendStringInfo(&text, read->array ? " = ANY (%s)" : " = %s", value_text(x, read->value));
	return text.data;
}

/* ----------------------------------------------------------------
 * Rows
 * ----------------------------------------------------------------
 */

static void
put(const Explain *x, Oid relation, int operations, List *columns, char *tied_by, char *conditions, const char *rechecked)
{
	const char *texts[COLUMNS + 1] = {NULL};
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];

	texts[COLUMN_CLAUSE] = x->clause;
	if (OidIsValid(relation))
	{
		texts[COLUMN_TABLE] = get_rel_name(relation);
		texts[COLUMN_OPERATIONS] = operations_text(operations);
		texts[COLUMN_COLUMNS] = names_text(columns);
	}
	texts[COLUMN_TIED_BY] = tied_by;
	texts[COLUMN_CONDITIONS] = conditions;
	texts[COLUMN_RECHECKED] = rechecked;
	for (int i = COLUMN_CLAUSE; i <= COLUMNS; i++)
	{
		nulls[i - 1] = texts[i] == NULL;
		values[i - 1] = texts[i] ? CStringGetTextDatum(texts[i]) : (Datum) 0;
	}
	values[COLUMN_LINE - 1] = Int32GetDatum(x->line);
	nulls[COLUMN_LINE - 1] = x->line == 0;
	tuplestore_putvalues(x->result->setResult, x->result->setDesc, values, nulls);
}

/* The row arguments whose columns it reads. */
static void
explain_arguments(const Explain *x, const Dependencies *deps)
{
	for (int i = 0; i < x->sig->nargs; i++)
	{
		const Argument *arg = &x->sig->args[i];
		List	   *columns = NIL;
		ListCell   *lc;

		foreach(lc, deps->columns)
		{
			const DependentColumn *column = lfirst(lc);

			if (column->param == PARAM_ARG(i))
				columns = lappend(columns, column->name ? column->name : "*");
		}
		if (columns != NIL)
			put(x, arg->relation, OP_UPDATE, columns, psprintf("the row of %s", arg->name), NULL, NULL);
	}
}

/* The other tables, and what no row shows. */
static void
explain_reads(const Explain *x, const Reads *reads, bool condition)
{
	ListCell   *lc;

	foreach(lc, reads->tables)
	{
		const TableRead *read = lfirst(lc);

		if (read->reason)
			put(x, read->relation, OP_INSERT | OP_UPDATE | OP_DELETE, read->columns, NULL, NULL, read->reason);
		else
			put(x, read->relation, OP_INSERT | OP_UPDATE | OP_DELETE, read->columns, way_text(x, read),
				conditions_text(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(read->conditions))), false),
				NULL);
	}
	foreach(lc, reads->untied)
	{
		const Untied *untied = lfirst(lc);

		if (untied->kind != UNTIED_TABLE && wf_untied_matters(untied, condition))
			put(x, InvalidOid, 0, NIL, NULL, NULL, untied->reason);
	}
}

static void
explain_query(const Explain *x, Query *query, bool condition)
{
	Reads	   *reads = wf_analyze_reads(query, &x->scope);

	explain_arguments(x, reads->deps);
	explain_reads(x, reads, condition);
}

/* Rules of one clause or statement. */
static void
explain_rule(const Explain *x, char kind, int ordinal, char *tied_by)
{
	ListCell   *lc;

	foreach(lc, x->checked->rules)
	{
		const CheckedRule *rule = lfirst(lc);

		if (rule->kind == kind && rule->clause == ordinal)
			put(x, rule->relation, rule->operations, rule->columns, tied_by, conditions_text(rule->conditions, true), NULL);
	}
}

/* ----------------------------------------------------------------
 * Clauses and statements
 * ----------------------------------------------------------------
 */

static void
at(Explain *x, int location, const char *clause)
{
	x->line = 1;
	for (const char *p = x->sig->source; p < x->sig->source + location; p++)
		x->line += *p == '\n';
	x->clause = clause;
	x->scope.construct = clause;
}

static void
explain_clause(Explain *x, const Clause *clause)
{
	UntilKind	kind;

	switch (clause->kind)
	{
		case CLAUSE_AFTER:
			at(x, clause->location, "AFTER");
			explain_rule(x, RULE_AFTER, clause->ordinal, NULL);
			break;
		case CLAUSE_AT:
			at(x, clause->location, "AT");
			explain_query(x, wf_analyze_until(&x->scope, clause->expr, "AT", &kind), false);
			break;
		case CLAUSE_EXIT:
			at(x, clause->location, "EXIT WHEN");
			explain_query(x, wf_analyze_condition(&x->scope, clause->expr, "EXIT WHEN"), true);
			break;
		case CLAUSE_TIME_ZONE:
			at(x, clause->location, "TIME ZONE");
			explain_query(x, wf_analyze_value(&x->scope, clause->expr, "TIME ZONE", InvalidOid, -1), false);
			break;
		case CLAUSE_EVERY:
		case CLAUSE_ENROLL:
		case CLAUSE_SEND_DURING:
			break;
	}
}

static char *
change_tie_text(Explain *x, const Statement *stmt, Oid relation)
{
	Scope		scope = x->scope;
	ChangeTie  *tie;

	scope.see_change = true;
	scope.change_relation = relation;
	scope.has_old = (stmt->change.operations & (OP_UPDATE | OP_DELETE)) != 0;
	scope.has_new = (stmt->change.operations & (OP_INSERT | OP_UPDATE)) != 0;
	tie = wf_analyze_change_tie(wf_analyze_condition(&scope, stmt->change.when, "WHEN"));
	if (tie == NULL || tie->column == NULL)
		return "nothing: everybody who waits there looks at every change";
	return psprintf(tie->array ? "%s = ANY (%s)" : "%s = %s", quote_identifier(tie->column), value_text(x, tie->value));
}

static void
explain_change(Explain *x, const Statement *stmt)
{
	ListCell   *lc;

	at(x, stmt->location, "WAIT FOR");
	foreach(lc, x->checked->rules)
	{
		const CheckedRule *rule = lfirst(lc);

		if (rule->kind == RULE_CHANGE && rule->clause == stmt->ordinal)
			put(x, rule->relation, rule->operations, rule->columns, change_tie_text(x, stmt, rule->relation),
				conditions_text(rule->conditions, true), NULL);
	}
}

static void explain_statements(Explain *x, List *statements);

static void
explain_statement(Explain *x, const Statement *stmt)
{
	UntilKind	kind;
	Query	   *query;
	ListCell   *lc;

	switch (stmt->kind)
	{
		case STMT_WAIT_FOR:
			at(x, stmt->location, "WAIT FOR");
			explain_query(x, wf_analyze_interval(&x->scope, stmt->expr, "WAIT FOR"), false);
			break;
		case STMT_WAIT_UNTIL:
			at(x, stmt->location, "WAIT UNTIL");
			query = wf_analyze_until(&x->scope, stmt->expr, "WAIT UNTIL", &kind);
			explain_query(x, query, kind == UNTIL_CONDITION);
			break;
		case STMT_WAIT_CHANGE:
			explain_change(x, stmt);
			break;
		case STMT_GOAL:
			at(x, stmt->location, "GOAL");
			explain_query(x, wf_analyze_condition(&x->scope, stmt->expr, "WHEN"), true);
			break;
		case STMT_IF:
			foreach(lc, stmt->branches)
				explain_statements(x, ((Branch *) lfirst(lc))->statements);
			break;
		default:
			break;
	}
}

static void
explain_statements(Explain *x, List *statements)
{
	ListCell   *lc;

	check_stack_depth();
	foreach(lc, statements)
		explain_statement(x, lfirst(lc));
}

static void
explain_workflow(Explain *x)
{
	ListCell   *lc;

	x->scope.body = x->sig->source;
	x->scope.sig = x->sig;
	x->scope.see_args = true;
	foreach(lc, x->checked->tree->clauses)
		explain_clause(x, lfirst(lc));
	x->scope.nvars = x->checked->nvars;
	x->scope.vars = x->checked->vars;
	explain_statements(x, x->checked->tree->statements);
}

/* Source and path of the current version, which the function may be ahead of. */
static char *
load_version(const WorkflowRow *row, Signature *sig)
{
	List	   *texts = wf_engine_texts("SELECT pg_catalog.unnest(ARRAY[source, path]) FROM automation.workflow_version"
										" WHERE workflow = $1 AND version = $2", "ii", row->id, row->version);

	if (texts == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("version %d of workflow %s does not exist", row->version, row->signature)));
	sig->source = linitial(texts);
	return lsecond(texts);
}

Datum
wf_explain(PG_FUNCTION_ARGS)
{
	WorkflowRow *row;
	Explain		x = {NULL};
	Signature  *sig;
	UserScope	scope;
	SourceContext source;
	char	   *path;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	row = wf_workflow_named(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	wf_workflow_require_owner(row);
	wf_workflow_require_author(row);
	InitMaterializedSRF(fcinfo, 0);
	x.result = (ReturnSetInfo *) fcinfo->resultinfo;
	sig = wf_signature_load(row->routine);
	path = load_version(row, sig);
	x.sig = sig;
	wf_owner_enter(&scope, sig->owner, path, sig->config);
	x.checked = wf_check(sig, false);
	wf_source_context_enter(&source, sig->source, sig->name);
	explain_workflow(&x);
	wf_source_context_leave(&source);
	wf_owner_leave(&scope);
	PG_RETURN_NULL();
}
