/*
 * check.c -- everything that can be wrong with a workflow, found at its
 * definition.
 *
 * Called by the validator and by re-validation, as the workflow's owner with
 * the workflow's path: what it analyses is the owner's text.  The order is
 * syntax, owner, names and types, rights; what the engine does not run yet is
 * refused last, so that a body that passes everything else is known to be
 * right.  Nothing is written and no user table is locked for longer than the
 * analysis takes.
 *
 * The result lives in the caller's memory context.  A body has up to 10,000
 * statements, so the work itself is done in a context that is reset after
 * every clause and statement.
 */
#include "postgres.h"
#include "compat.h"

#include "check_internal.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* Scope of clauses (no variables yet) and of statements. */
Scope
wf_check_scope(const Check *ck, const char *construct, bool variables)
{
	Scope		scope = {0};

	scope.body = ck->body;
	scope.sig = ck->sig;
	scope.nvars = variables ? ck->nvars : 0;
	scope.vars = ck->vars;
	scope.see_args = true;
	scope.construct = construct;
	return scope;
}

/*
 * Scope of the WHEN and FOR of a change: old and new, as far as one of its
 * operations has them.
 */
Scope
wf_check_scope_change(const Check *ck, const Change *change, Oid relation, const char *construct)
{
	Scope		scope = wf_check_scope(ck, construct, false);

	scope.see_args = false;
	scope.see_change = true;
	scope.change_relation = relation;
	scope.has_old = (change->operations & (OP_UPDATE | OP_DELETE)) != 0;
	scope.has_new = (change->operations & (OP_INSERT | OP_UPDATE)) != 0;
	return scope;
}

/* Adds a column to a set of names that outlives the statement; NULL or "*"
 * stands for all and swallows the others. */
List *
wf_check_add_column(Check *ck, List *columns, const char *name)
{
	MemoryContext old;
	ListCell   *lc;

	foreach(lc, columns)
	{
		if (strcmp(lfirst(lc), "*") == 0 || (name && strcmp(lfirst(lc), name) == 0))
			return columns;
	}
	old = MemoryContextSwitchTo(ck->keep);
	if (name == NULL || strcmp(name, "*") == 0)
		columns = list_make1(pstrdup("*"));
	else
		columns = lappend(columns, pstrdup(name));
	MemoryContextSwitchTo(old);
	return columns;
}

static void
check_clauses(Check *ck, MemoryContext scratch)
{
	ListCell   *lc;

	foreach(lc, ck->tree->clauses)
	{
		MemoryContext old = MemoryContextSwitchTo(scratch);

		CHECK_FOR_INTERRUPTS();
		wf_check_clause(ck, lfirst(lc));
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
}

/* Names, types and rights, in source order. */
static void
check_body(Check *ck)
{
	MemoryContext scratch;

	scratch = AllocSetContextCreate(ck->keep, "workflow check", ALLOCSET_DEFAULT_SIZES);
	check_clauses(ck, scratch);
	ck->vars = wf_analyze_declarations(ck->tree, ck->body, ck->sig, &ck->nvars);
	MemoryContextSwitchTo(scratch);
	wf_check_declarations(ck);
	wf_check_statements(ck, ck->tree->statements);
	wf_check_rule_wakes(ck);
	MemoryContextSwitchTo(ck->keep);
	MemoryContextDelete(scratch);
}

static CheckedWorkflow *
result_of(const Check *ck)
{
	CheckedWorkflow *result = palloc0(sizeof(CheckedWorkflow));

	result->tree = ck->tree;
	result->nvars = ck->nvars;
	result->vars = ck->vars;
	result->rules = ck->rules;
	return result;
}

CheckedWorkflow *
wf_check(const Signature *sig, bool notices)
{
	SourceContext context;
	Check		ck = {0};

	wf_signature_check(sig);
	ck.sig = sig;
	ck.body = sig->source;
	ck.notices = notices;
	ck.keep = CurrentMemoryContext;
	ck.watched = palloc0(sizeof(List *) * Max(sig->nargs, 1));

	wf_source_context_enter(&context, sig->source, sig->name);
	ck.tree = wf_parse(sig->source);
	wf_check_owner(&ck);
	(void) wf_check_path(sig, notices);
	check_body(&ck);
	wf_check_arguments_rights(&ck);
	wf_check_owner_warnings(&ck);
	wf_source_context_leave(&context);
	return result_of(&ck);
}
