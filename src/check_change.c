/*
 * check_change.c -- a change, as AFTER and WAIT FOR speak of it: its table,
 * its columns, its FROM and TO.
 *
 * Called by check_clause.c and check_statement.c, as the workflow's owner.
 * Input functions of the columns' types run here, for the literals; results
 * live in the current memory context.
 */
#include "postgres.h"
#include "compat.h"

#include "access/relation.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_type.h"
#include "check_internal.h"
#include "journal.h"
#include "nodes/makefuncs.h"
#include "owner.h"
#include "parser/parse_coerce.h"
#include "store.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

static int
table_location(const Change *change)
{
	return FRAGMENT_ABSENT(change->table) ? change->location : change->table.start;
}

/* Tables that can be looked up, but not watched. */
static void
check_table_form(Check *ck, const Change *change, Oid relation)
{
	if (get_rel_namespace(relation) == wf_store_namespace())
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a table of the engine", get_rel_name(relation)),
				 wf_errposition(ck->body, table_location(change))));
	if (get_rel_relispartition(relation))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a partition", get_rel_name(relation)),
				 errhint("Write ON %s.", wf_check_relation_name(wf_root_relation(relation))),
				 wf_errposition(ck->body, table_location(change))));
}

/* Rows are told apart by their key, from the event to the enrollment. */
static void
check_table_key(Check *ck, const Change *change, Oid relation)
{
	Relation	rel = relation_open(relation, AccessShareLock);
	KeyColumns	key;

	wf_key_columns(rel, &key);
	relation_close(rel, NoLock);
	if (key.natts == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("table %s has no primary key", get_rel_name(relation)),
				 errdetail("The changes of a row are told from those of others by its primary key."),
				 errhint("ALTER TABLE %s ADD PRIMARY KEY (...);", wf_check_relation_name(relation)),
				 wf_errposition(ck->body, table_location(change))));
}

static Oid
subject_table(Check *ck, const Change *change, const char *construct)
{
	const Signature *sig = ck->sig;

	if (sig->nargs == 0 || !sig->args[0].is_row)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("%s does not say which table", construct),
				 errhint("Add ON and its name: only a first argument of a table's row type makes it known."),
				 wf_errposition(ck->body, change->location)));
	return sig->args[0].relation;
}

/* Rows of a journal are written once, by the engine. */
static void
check_journal(Check *ck, const Change *change, const char *journal)
{
	if (change->operations != OP_INSERT)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("rows of automation.%s are only inserted", journal),
				 errhint("Write INSERT ON automation.%s.", journal),
				 wf_errposition(ck->body, change->location)));
}

/*
 * Table of a change: a table that can be watched, with the rights to do so.
 * A journal is the engine's and needs no right: its rows are shown to whom they
 * concern.
 */
Oid
wf_check_change_table(Check *ck, const Change *change, const char *construct)
{
	Oid			relation;

	if (FRAGMENT_ABSENT(change->table))
		relation = subject_table(ck, change, construct);
	else
		relation = wf_analyze_table(ck->body, change->table);
	if (wf_journal_name(relation))
	{
		check_journal(ck, change, wf_journal_name(relation));
		return relation;
	}
	check_table_form(ck, change, relation);
	wf_check_table_rights(ck, relation, table_location(change));
	check_table_key(ck, change, relation);
	if (change->operations & OP_DELETE)
		wf_check_row_security(ck, relation, table_location(change));
	return relation;
}

/* Names of a table's columns, for "perhaps you meant". */
static List *
column_names(Oid relation)
{
	List	   *names = NIL;
	Relation	rel = relation_open(relation, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		if (!TupleDescAttr(desc, i)->attisdropped)
			names = lappend(names, pstrdup(NameStr(TupleDescAttr(desc, i)->attname)));
	}
	relation_close(rel, NoLock);
	return names;
}

static void
refuse_column(Check *ck, const Word *column, Oid relation)
{
	char	   *table = get_rel_name(relation);
	const char *nearest = wf_nearest_name(column->name, column_names(relation));

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column %s.%s does not exist", table, column->name),
			 nearest ? errhint("Did you mean \"%s\"?", nearest) : 0,
			 wf_errposition(ck->body, column->location)));
}

static void
check_column(Check *ck, const Word *column, Oid relation)
{
	AttrNumber	attnum = get_attnum(relation, column->name);

	if (attnum <= 0)
		refuse_column(ck, column, relation);
	if (WF_COMPAT_IS_VIRTUAL(get_attgenerated(relation, attnum)))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("column %s is a virtual generated column", column->name),
				 errhint("Write UPDATE OF the columns it is made of."),
				 wf_errposition(ck->body, column->location)));
}

/*
 * Literals
 */

typedef struct LiteralContext
{
	ErrorContextCallback callback;
	const char *body;
	int			location;
} LiteralContext;

/* Whatever the type's input function says, it says it of the literal. */
static void
literal_callback(void *arg)
{
	LiteralContext *context = arg;

	if (geterrposition() <= 0 && getinternalerrposition() <= 0)
		wf_errposition(context->body, context->location);
}

/*
 * Literal of FROM or TO as a value of the column's type: its text read by the
 * type, so that a number never gets rounded to fit.  A bad one is an ERROR
 * that points at it.  A Const, but for domains with a check of their own.
 */
Node *
wf_check_literal(Check *ck, const Literal *literal, Oid type)
{
	Datum		text = literal->isnull ? (Datum) 0 : CStringGetDatum(literal->text);
	Const	   *con = makeConst(UNKNOWNOID, -1, InvalidOid, -2, text, literal->isnull, false);
	LiteralContext context;
	Node	   *node;

	context.body = ck->body;
	context.location = literal->location;
	context.callback.callback = literal_callback;
	context.callback.arg = &context;
	context.callback.previous = error_context_stack;
	error_context_stack = &context.callback;
	node = coerce_to_target_type(NULL, (Node *) con, UNKNOWNOID, type, -1, COERCION_ASSIGNMENT,
								 COERCE_IMPLICIT_CAST, -1);
	error_context_stack = context.callback.previous;
	if (node == NULL)
		elog(ERROR, "a literal can't be converted to type %u", type);
	return node;
}

static void
check_literals(Check *ck, const Change *change, Oid relation)
{
	Oid			type;

	if (!change->from.present && !change->to.present)
		return;
	Assert(list_length(change->columns) == 1);
	type = get_atttype(relation, get_attnum(relation, ((Word *) linitial(change->columns))->name));
	if (change->from.present)
		(void) wf_check_literal(ck, &change->from, type);
	if (change->to.present)
		(void) wf_check_literal(ck, &change->to, type);
}

/* UPDATE OF, FROM and TO against the table. */
void
wf_check_change_columns(Check *ck, const Change *change, Oid relation)
{
	ListCell   *lc;

	foreach(lc, change->columns)
		check_column(ck, lfirst(lc), relation);
	check_literals(ck, change, relation);
}

