/*
 * check_call.c -- a workflow begins by being called: are the rows of FOR, or
 * the changed row alone, arguments it takes?
 *
 * Called by check_clause.c for AFTER, AT and EVERY.  Looks at analysed
 * queries and the signature only; results in the current memory context.
 */
#include "postgres.h"
#include "compat.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "check_internal.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

/* c contact, d deal */
char *
wf_check_argument_list(const Signature *sig)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < sig->nargs; i++)
		appendStringInfo(&list, "%s%s %s", i ? ", " : "", sig->args[i].name, format_type_be(sig->args[i].type));
	return list.data;
}

/* contact or bigint */
static char *
argument_takes(const Argument *arg)
{
	if (arg->is_row && arg->key.natts == 1)
		return psprintf("%s or %s", format_type_be(arg->type), format_type_be(arg->key.type[0]));
	return format_type_be(arg->type);
}

/* c (contact or its key bigint), what (text) */
static char *
arguments_wanted(const Signature *sig)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < sig->nargs; i++)
	{
		const Argument *arg = &sig->args[i];

		appendStringInfo(&list, "%s%s (%s", i ? ", " : "", arg->name, format_type_be(arg->type));
		if (arg->is_row && arg->key.natts == 1)
			appendStringInfo(&list, " or its key %s", format_type_be(arg->key.type[0]));
		appendStringInfoChar(&list, ')');
	}
	return list.data;
}

/* The columns FOR gives, without those that only sort. */
static List *
visible_targets(Query *query)
{
	List	   *targets = NIL;
	ListCell   *lc;

	foreach(lc, query->targetList)
	{
		TargetEntry *target = lfirst(lc);

		if (!target->resjunk)
			targets = lappend(targets, target);
	}
	return targets;
}

static int
target_location(const TargetEntry *target, Fragment f)
{
	int			location = exprLocation((Node *) target->expr);

	return f.start + Max(location, 0);
}

/*
 * Is the expression a column of a whole row (of a table in FROM, of old, of
 * new)?  Then the row's relation and the column's number.
 */
static bool
column_of_row(Query *query, Node *expr, Oid *relation, AttrNumber *attnum)
{
	if (IsA(expr, Var) && ((Var *) expr)->varlevelsup == 0)
	{
		RangeTblEntry *rte = rt_fetch(((Var *) expr)->varno, query->rtable);

		*attnum = ((Var *) expr)->varattno;
		*relation = rte->rtekind == RTE_RELATION ? rte->relid : InvalidOid;
		return OidIsValid(*relation) && *attnum > 0;
	}
	if (IsA(expr, FieldSelect) && IsA(((FieldSelect *) expr)->arg, Param))
	{
		*attnum = ((FieldSelect *) expr)->fieldnum;
		*relation = get_typ_typrelid(exprType((Node *) ((FieldSelect *) expr)->arg));
		return OidIsValid(*relation);
	}
	return false;
}

/* Do the targets from the i-th on spell out all columns of relation, as c.* does? */
static bool
spells_out_row(Query *query, List *targets, int first, Oid relation)
{
	Relation	rel = relation_open(relation, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	int			n = first;
	int			ncolumns = 0;
	bool		all = true;

	for (int i = 0; i < desc->natts && all; i++)
	{
		Oid			found;
		AttrNumber	attnum;

		if (TupleDescAttr(desc, i)->attisdropped)
			continue;
		ncolumns++;
		all = n < list_length(targets) &&
			column_of_row(query, (Node *) ((TargetEntry *) list_nth(targets, n))->expr, &found, &attnum) &&
			found == relation && attnum == i + 1;
		n++;
	}
	relation_close(rel, NoLock);
	return all && ncolumns > 1;
}

/* FOR SELECT c.* where the row itself is meant. */
static void
check_star(const Check *ck, Query *query, List *targets, Fragment f)
{
	for (int i = 0; i < ck->sig->nargs && i < list_length(targets); i++)
	{
		const Argument *arg = &ck->sig->args[i];
		TargetEntry *target = list_nth(targets, i);

		if (!arg->is_row || !spells_out_row(query, targets, i, arg->relation))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("FOR returns the %d columns of %s", list_length(targets) - i, format_type_be(arg->type)),
				 errhint("Return the row or its key instead of all its columns, as in SELECT %s, or SELECT %s.%s.",
						 arg->name, arg->name, quote_identifier(arg->key.name[0])),
				 wf_errposition(ck->body, target_location(target, f))));
	}
}

/* Fewer columns than arguments will do if the rest have defaults. */
static void
check_count(const Check *ck, List *targets, Fragment f)
{
	const Signature *sig = ck->sig;
	int			n = list_length(targets);

	if (n == sig->nargs || (n > 0 && n < sig->nargs && sig->args[n].has_default))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg_plural("FOR returns %d column, the workflow takes %s",
						   "FOR returns %d columns, the workflow takes %s",
						   n, n, wf_check_argument_list(sig)),
			 wf_errposition(ck->body, f.start)));
}

/* old is what was; a row argument is always what is. */
static void
check_not_old(const Check *ck, const TargetEntry *target, const Argument *arg, Fragment f)
{
	const Param *param = (const Param *) target->expr;

	if (!IsA(param, Param) || param->paramkind != PARAM_EXTERN || param->paramid != PARAM_OLD)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("\"old\" can't be passed to row argument %s, which shows the row as it is now", arg->name),
			 errhint("Pass the key (old.%s), and the old values you need as arguments of their own.",
					 quote_identifier(arg->key.name[0])),
			 wf_errposition(ck->body, target_location(target, f))));
}

static bool
can_assign(Oid from, Oid to)
{
	return from == to || can_coerce_type(1, &from, &to, COERCION_ASSIGNMENT);
}

static bool
argument_accepts(const Argument *arg, Oid type)
{
	if (!arg->is_row)
		return can_assign(type, arg->type);
	if (type == arg->type)
		return true;
	return arg->key.natts == 1 && type != RECORDOID && can_assign(type, arg->key.type[0]);
}

static void
check_types(const Check *ck, List *targets, Fragment f)
{
	for (int i = 0; i < list_length(targets); i++)
	{
		const Argument *arg = &ck->sig->args[i];
		const TargetEntry *target = list_nth(targets, i);
		Oid			type = exprType((Node *) target->expr);

		if (arg->is_row && type == arg->type)
			check_not_old(ck, target, arg, f);
		if (!argument_accepts(arg, type))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column %d of FOR is %s, argument %s takes %s",
							i + 1, format_type_be(type), arg->name, argument_takes(arg)),
					 wf_errposition(ck->body, target_location(target, f))));
	}
}

/* Are the columns of FOR the workflow's arguments? */
void
wf_check_call_query(const Check *ck, Query *query, Fragment f)
{
	List	   *targets = visible_targets(query);

	check_star(ck, query, targets, f);
	check_count(ck, targets, f);
	check_types(ck, targets, f);
}

/* The subject alone starts the workflow: a row, and defaults for the others. */
void
wf_check_call_subject(const Check *ck, const char *construct, int location)
{
	const Signature *sig = ck->sig;

	if (sig->nargs == 0 || !sig->args[0].is_row)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s starts the workflow for a row, but its first argument is none", construct),
				 wf_errposition(ck->body, location)));
	if (sig->nargs > 1 && !sig->args[1].has_default)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s passes %s alone, the workflow takes %s", construct, sig->args[0].name,
						wf_check_argument_list(sig)),
				 errhint("Give argument %s a default%s.", sig->args[1].name,
						 strcmp(construct, "AFTER") == 0 ? ", or add FOR with all arguments" : ""),
				 wf_errposition(ck->body, location)));
}

/* The first foreign key of one column to the subject's table, NULL: there is none. */
static char *
key_of_subject(const Signature *sig, Oid relation)
{
	Relation	rel;
	ListCell   *lc;
	char	   *column = NULL;

	if (sig->nargs == 0 || !sig->args[0].is_row || (sig->nargs > 1 && !sig->args[1].has_default))
		return NULL;
	rel = relation_open(relation, AccessShareLock);
	foreach(lc, RelationGetFKeyList(rel))
	{
		const ForeignKeyCacheInfo *key = lfirst(lc);

		if (key->confrelid == sig->args[0].relation && key->nkeys == 1)
		{
			column = get_attname(relation, key->conkey[0], false);
			break;
		}
	}
	relation_close(rel, AccessShareLock);
	return column;
}

/* FOR SELECT with c (contact or its key bigint): FOR SELECT new.contact_id */
static char *
for_wanted(const Signature *sig, const Change *change, Oid relation)
{
	char	   *column = key_of_subject(sig, relation);
	char	   *wanted = psprintf("FOR SELECT with %s", arguments_wanted(sig));

	if (column == NULL)
		return wanted;
	return psprintf("%s: FOR SELECT %s.%s", wanted, change->operations == OP_DELETE ? "old" : "new", quote_identifier(column));
}

/* AFTER without FOR: the changed row is the subject, if it is of its table. */
void
wf_check_call_after(const Check *ck, const Change *change, Oid relation)
{
	const Signature *sig = ck->sig;

	if (sig->nargs == 0 || !sig->args[0].is_row || sig->args[0].relation != relation)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("AFTER .. ON %s does not say whom to enroll", get_rel_name(relation)),
				 errhint("Add %s.", for_wanted(sig, change, relation)),
				 wf_errposition(ck->body, change->table.start)));
	wf_check_call_subject(ck, "AFTER", change->location);
}
