/*
 * capture_cache.c -- a session's copy of the rules, one per table that fired
 * the row trigger.
 *
 * Called by capture.c.  Each copy lives in a memory context of its own below
 * CacheMemoryContext until it is found stale.  Relcache invalidation (arming,
 * ALTER TABLE, ATTACH PARTITION) only raises a flag, because it may come in
 * the middle of a load or of a decision; the next change refills.
 *
 * Rules are read with the latest snapshot whatever the transaction's isolation
 * is, by index and without a privilege check.  Constants are text that core
 * input functions read; a constant or column that no longer fits makes its
 * rule undecided (always appended, with whole rows) and never an ERROR: the
 * user's change is not to blame.
 */
#include "postgres.h"
#include "compat.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "ast.h"
#include "capture_rules.h"
#include "owner.h"
#include "store.h"
#include "tie.h"

#define SWEEP_ABOVE 256					/* copies; more, and stale ones are thrown away */
#define LOAD_TRIES 3

static HTAB *tables = NULL;
static uint64 epoch = 1;				/* + 1 when everything may be stale */
static bool grown = false;				/* since the last sweep */
static CaptureTable *last = NULL;		/* found last; an entry's memory is never given back */

/* A rule with what it was made of, while loading. */
typedef struct Binding
{
	CaptureRule *rule;
	Rule	   *from;
} Binding;

/* ----------------------------------------------------------------
 * Columns and their types
 * ----------------------------------------------------------------
 */

static bool
is_core_type(Oid type)
{
	char		typtype = get_typtype(type);

	return typtype == TYPTYPE_ENUM || (typtype == TYPTYPE_BASE && type < FirstUnpinnedObjectId);
}

static bool
core_function(Oid function, FmgrInfo *info, MemoryContext context)
{
	if (!OidIsValid(function) || function >= FirstUnpinnedObjectId)
		return false;
	fmgr_info_cxt(function, info, context);
	return true;
}

static bool
collation_is_plain(Oid collation)
{
	return !OidIsValid(collation) || get_collation_isdeterministic(collation);
}

/* Of the types most used: are two values equal exactly if their bytes are?  Of
 * oid it isn't so: a Datum of a row and one of an input function may differ. */
static bool
bytes_decide(Oid type)
{
	switch (type)
	{
		case BOOLOID:
		case CHAROID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case TEXTOID:
		case VARCHAROID:
			return true;
		default:
			return false;
	}
}

/* Finds the functions of the type's default operator classes. */
void
wf_capture_column(CaptureTable *table, AttrNumber attnum)
{
	CaptureColumn *column = &table->columns[attnum - 1];
	TypeCacheEntry *type;

	if (column->looked_up)
		return;
	column->looked_up = true;
	if (!is_core_type(column->type) || !collation_is_plain(column->collation))
		return;
	type = lookup_type_cache(column->type,
							 TYPECACHE_EQ_OPR | TYPECACHE_CMP_PROC | TYPECACHE_HASH_PROC);
	if (OidIsValid(type->eq_opr))
		column->equal_ok = core_function(get_opcode(type->eq_opr), &column->equal, table->context);
	column->compare_ok = core_function(type->cmp_proc, &column->compare, table->context);
	column->hash_ok = column->equal_ok &&
		core_function(type->hash_proc, &column->hash, table->context);
	column->plain = column->hash_ok && bytes_decide(column->type);
}

static AttrNumber
column_number(TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
			return att->attnum;
	}
	return InvalidAttrNumber;
}

static void
describe_columns(CaptureTable *table, TupleDesc desc)
{
	table->natts = desc->natts;
	table->nwords = COLUMN_WORDS(Max(desc->natts, 1));
	table->columns = palloc0(sizeof(CaptureColumn) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		CaptureColumn *column = &table->columns[i];

		column->live = !att->attisdropped && att->attgenerated != 'v';
		column->byval = att->attbyval;
		column->len = att->attlen;
		column->type = att->atttypid;
		column->collation = att->attcollation;
	}
}

static ColumnSet *
new_set(CaptureTable *table)
{
	return palloc0(sizeof(ColumnSet) * table->nwords);
}

/* Adds columns by name.  "*" sets *all.  False if one is gone or is not
 * stored: its changes can't be seen. */
static bool
add_names(CaptureTable *table, TupleDesc desc, ColumnSet *set, List *names, bool *all)
{
	bool		known = true;
	ListCell   *lc;

	foreach(lc, names)
	{
		const char *name = lfirst(lc);
		AttrNumber	attnum;

		if (strcmp(name, "*") == 0)
		{
			*all = true;
			continue;
		}
		attnum = column_number(desc, name);
		if (attnum != InvalidAttrNumber && table->columns[attnum - 1].live)
			COLUMN_ADD(set, attnum);
		else
			known = false;
	}
	return known;
}

/* ----------------------------------------------------------------
 * Conditions
 * ----------------------------------------------------------------
 */

static bool
op_fits(CaptureColumn *column, RuleCondition *from)
{
	switch (from->op)
	{
		case RULE_OP_NULL:
		case RULE_OP_NOTNULL:
			return true;
		case RULE_OP_TRUE:
			return column->type == BOOLOID;
		case RULE_OP_FROM:
		case RULE_OP_TO:
		case RULE_OP_EQ:
		case RULE_OP_NE:
			return from->nvalues == 1 && (from->values[0] == NULL || column->equal_ok);
		case RULE_OP_IN:
			return column->equal_ok;
		default:
			return from->nvalues == 1 && column->compare_ok;
	}
}

/* May raise an ERROR: a constant that the type doesn't take any more. */
static void
bind_values(CaptureCondition *to, RuleCondition *from, CaptureColumn *column, int32 typmod)
{
	to->nvalues = from->nvalues;
	to->values = palloc0(sizeof(Datum) * Max(from->nvalues, 1));
	to->nulls = palloc0(sizeof(bool) * Max(from->nvalues, 1));
	for (int i = 0; i < from->nvalues; i++)
	{
		to->nulls[i] = from->values[i] == NULL;
		if (!to->nulls[i])
			to->values[i] = wf_value_in(from->values[i], column->type, typmod);
	}
}

/* False if a condition can't be decided here. */
static bool
bind_conditions(CaptureTable *table, TupleDesc desc, CaptureRule *rule, Rule *from)
{
	ListCell   *lc;

	rule->conditions = palloc0(sizeof(CaptureCondition) * Max(list_length(from->conditions), 1));
	foreach(lc, from->conditions)
	{
		RuleCondition *condition = lfirst(lc);
		CaptureCondition *to = &rule->conditions[rule->nconditions];
		AttrNumber	attnum = column_number(desc, condition->column);

		if (attnum == InvalidAttrNumber || !table->columns[attnum - 1].live)
			return false;
		wf_capture_column(table, attnum);
		if (!op_fits(&table->columns[attnum - 1], condition))
			return false;
		to->attnum = attnum;
		to->op = condition->op;
		to->on_old = condition->on_old;
		to->endpoint = (rule->any_of || COLUMN_IN(rule->of, attnum)) &&
			(condition->on_old || (from->operations & OP_UPDATE));
		bind_values(to, condition, &table->columns[attnum - 1], -1);
		rule->nconditions++;
	}
	return true;
}

/* Appended whatever changes. */
static void
make_undecided(CaptureRule *rule)
{
	rule->undecided = true;
	rule->any = true;
	rule->any_of = true;
	rule->loose = true;
	rule->nconditions = 0;
	rule->old_ends = rule->new_ends = false;
	rule->never_inserts = rule->never_deletes = false;
	rule->reads_all = true;
	rule->all_old = rule->all_new = !rule->table;
	rule->path = true;
}

/*
 * Do endpoints decide which updates matter?  Only for a side that has some: if
 * all of them hold for the first (or last) row of a transaction, then the first
 * (or last) change of a rule column is appended.  A side that is read without
 * an endpoint needs every change.
 */
static void
classify(CaptureTable *table, CaptureRule *rule, bool reads_old, bool reads_new)
{
	for (int i = 0; i < rule->nconditions; i++)
	{
		CaptureCondition *condition = &rule->conditions[i];
		bool		missing_holds = wf_capture_holds(table, condition, NULL);

		COLUMN_ADD(rule->columns, condition->attnum);
		if (condition->on_old)
		{
			reads_old = true;
			rule->old_ends |= condition->endpoint;
			rule->never_inserts |= !missing_holds;
		}
		else
		{
			reads_new |= (rule->operations & OP_UPDATE) != 0;
			COLUMN_ADD(rule->reads, condition->attnum);
			rule->new_ends |= condition->endpoint;
			rule->never_deletes |= !missing_holds;
		}
	}
	rule->loose = (!rule->old_ends && !rule->new_ends) ||
		(reads_old && !rule->old_ends) || (reads_new && !rule->new_ends);
}

static void
bind_wake_rule(CaptureTable *table, TupleDesc desc, CaptureRule *rule, Rule *from)
{
	rule->wake = rule->loose = true;
	if (!add_names(table, desc, rule->columns, from->columns, &rule->any) ||
		!add_names(table, desc, rule->columns, from->reads_old, &rule->any) ||
		!add_names(table, desc, rule->columns, from->reads_new, &rule->any))
		rule->any = true;
}

/*
 * A rule without UPDATE is about whole rows: UPDATE OF is as good as all
 * columns.  To a DELETE rule, which hears of updates because the row before
 * the transaction counts, new is always missing and no endpoint.
 */
static bool
bind_after_rule(CaptureTable *table, TupleDesc desc, CaptureRule *rule, Rule *from)
{
	ColumnSet  *reads_old = new_set(table);
	bool		all_old = false;
	bool		all_new = false;
	bool		all_of = false;

	rule->any_of = from->any_column || !(from->operations & OP_UPDATE);
	rule->any = from->any_column && (from->operations & OP_UPDATE);
	if (!add_names(table, desc, rule->of, from->columns, &all_of) ||
		!add_names(table, desc, reads_old, from->reads_old, &all_old) ||
		!add_names(table, desc, rule->reads, from->reads_new, &all_new) ||
		!bind_conditions(table, desc, rule, from))
		return false;
	for (int i = 0; i < table->nwords; i++)
		rule->columns[i] |= rule->of[i] | reads_old[i] | rule->reads[i];
	rule->any |= all_old || all_new || all_of;
	rule->any_of |= all_of;
	rule->reads_all = all_new;
	classify(table, rule, from->reads_old != NIL, from->reads_new != NIL && (from->operations & OP_UPDATE));
	return true;
}

/*
 * Columns whose values are hashed here; false if one is gone or has a type by
 * now that not any session may hash.
 */
static bool
bind_ties(CaptureTable *table, TupleDesc desc, CaptureRule *rule, Rule *from)
{
	ListCell   *lc;

	rule->path = from->path != NULL;
	rule->ties = palloc0(sizeof(AttrNumber) * Max(list_length(from->ties), 1));
	foreach(lc, from->ties)
	{
		AttrNumber	attnum = column_number(desc, lfirst(lc));
		CaptureColumn *column;
		TypeCacheEntry *type;

		if (attnum == InvalidAttrNumber || !table->columns[attnum - 1].live)
			return false;
		column = &table->columns[attnum - 1];
		if (!wf_tie_is_plain(column->type, column->collation))
			return false;
		if (column->name == NULL)
		{
			type = lookup_type_cache(column->type, TYPECACHE_HASH_EXTENDED_PROC);
			fmgr_info_cxt(type->hash_extended_proc, &column->tie_hash, table->context);
			column->name = pstrdup(lfirst(lc));
		}
		COLUMN_ADD(rule->columns, attnum);
		COLUMN_ADD(rule->reads, attnum);
		rule->ties[rule->nties++] = attnum;
	}
	return true;
}

/*
 * Rows of a table that somebody's condition reads: there is no old and new but
 * one row at a time that meets the conditions or not, whichever row variable they name.
 */
static bool
bind_table_rule(CaptureTable *table, TupleDesc desc, CaptureRule *rule, Rule *from)
{
	rule->table = rule->loose = true;
	rule->any = from->any_column;
	if (!add_names(table, desc, rule->columns, from->columns, &rule->any) ||
		!add_names(table, desc, rule->columns, from->image_old, &rule->any) ||
		!add_names(table, desc, rule->columns, from->image_new, &rule->any) ||
		!bind_conditions(table, desc, rule, from))
		return false;
	for (int i = 0; i < rule->nconditions; i++)
	{
		rule->conditions[i].on_old = false;
		COLUMN_ADD(rule->columns, rule->conditions[i].attnum);
	}
	return bind_ties(table, desc, rule, from);
}

static void
bind_images(CaptureTable *table, TupleDesc desc, CaptureRule *rule, Rule *from)
{
	if (rule->table && rule->undecided)
		return;
	if (!add_names(table, desc, rule->image_old, from->image_old, &rule->all_old))
		rule->all_old = true;
	if (!add_names(table, desc, rule->image_new, from->image_new, &rule->all_new))
		rule->all_new = true;
}

static void
bind_rule(CaptureTable *table, TupleDesc desc, CaptureRule *rule, Rule *from)
{
	rule->id = from->id;
	rule->operations = from->operations;
	rule->columns = new_set(table);
	rule->of = new_set(table);
	rule->reads = new_set(table);
	rule->image_old = new_set(table);
	rule->image_new = new_set(table);
	if (from->kind == RULE_WAKE)
		bind_wake_rule(table, desc, rule, from);
	else if (from->kind == RULE_TABLE)
	{
		if (!bind_table_rule(table, desc, rule, from))
			make_undecided(rule);
	}
	else if (!bind_after_rule(table, desc, rule, from) || !bind_ties(table, desc, rule, from))
		make_undecided(rule);
	bind_images(table, desc, rule, from);
}

/*
 * Binds rules from "first" on in one subtransaction, so that the ERROR of an
 * input function is caught without a trace.  Returns the rule that raised it,
 * or the number of rules.
 */
static int
bind_rules_from(CaptureTable *table, TupleDesc desc, Binding *bindings, int first)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner resources = CurrentResourceOwner;
	volatile int i = first;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		for (; i < table->nrules; i++)
			bind_rule(table, desc, bindings[i].rule, bindings[i].from);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;
		int			code;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		code = error->sqlerrcode;
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = resources;
		if (code == ERRCODE_QUERY_CANCELED || code == ERRCODE_ADMIN_SHUTDOWN || code == ERRCODE_OUT_OF_MEMORY)
			ReThrowError(error);
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = resources;
	return i;
}

static void
bind_rules(CaptureTable *table, TupleDesc desc, Binding *bindings)
{
	int			failed = bind_rules_from(table, desc, bindings, 0);

	while (failed < table->nrules)
	{
		make_undecided(bindings[failed].rule);
		failed = bind_rules_from(table, desc, bindings, failed + 1);
	}
}

static int
owner_index(CaptureTable *table, int id)
{
	for (int i = 0; i < table->nowners; i++)
	{
		if (table->owners[i].id == id)
			return i;
	}
	table->owners[table->nowners].id = id;
	return table->nowners++;
}

/* ----------------------------------------------------------------
 * Loading
 * ----------------------------------------------------------------
 */

static void
load_rules(CaptureTable *table, TupleDesc desc, List *rules)
{
	Binding    *bindings = palloc(sizeof(Binding) * Max(list_length(rules), 1));
	ListCell   *lc;

	table->rules = palloc0(sizeof(CaptureRule) * list_length(rules));
	table->owners = palloc0(sizeof(CaptureOwner) * list_length(rules));
	foreach(lc, rules)
	{
		Rule	   *from = lfirst(lc);
		CaptureRule *rule = &table->rules[table->nrules];
		CaptureOwner *owner;

		bindings[table->nrules].rule = rule;
		bindings[table->nrules].from = from;
		rule->owner = owner_index(table, from->owner);
		owner = &table->owners[rule->owner];
		owner->keys |= from->kind != RULE_TABLE;
		if (from->kind == RULE_WAKE)
			owner->wake = table->wakes = true;
		else
			table->operations |= from->operations;
		if (from->kind != RULE_WAKE && from->kind != RULE_TABLE)
			owner->operations |= from->operations;
		table->nrules++;
	}
	bind_rules(table, desc, bindings);
	wf_capture_index(table);
}

/* Fills an empty copy; all in its context, what is needed only meanwhile in
 * one below it. */
static void
fill(CaptureTable *table, Relation rel)
{
	MemoryContext work = AllocSetContextCreate(table->context, "automation loading", ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(work);
	List	   *rules = NIL;

	table->root = wf_root_relation(table->relid);
	table->source = wf_source_id(table->root, false);
	if (table->source != 0)
		rules = wf_rules_of_source(table->source, wf_store_snapshot());
	MemoryContextSwitchTo(table->context);
	if (rules != NIL)
	{
		describe_columns(table, RelationGetDescr(rel));
		wf_key_columns(rel, &table->key);
		table->key_columns = new_set(table);
		for (int i = 0; i < table->key.natts; i++)
			COLUMN_ADD(table->key_columns, table->key.attnum[i]);
		load_rules(table, RelationGetDescr(rel), rules);
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(work);
}

/* Forgets the copy but not that the table exists. */
static void
clear(CaptureTable *table)
{
	MemoryContext context = table->context;
	Oid			relid = table->relid;

	memset(table, 0, sizeof(CaptureTable));
	table->relid = relid;
	table->stale = true;
	if (context != NULL)
		MemoryContextDelete(context);
}

/*
 * An invalidation that arrives while it is filled raises the flag again.  Where
 * they never cease, this change is judged by rules that were right when it began,
 * and the next one loads anew.
 */
static void
load(CaptureTable *table, Relation rel)
{
	int			tries = 0;

	do
	{
		clear(table);
		table->context = AllocSetContextCreate(CacheMemoryContext, "automation rules", ALLOCSET_SMALL_SIZES);
		MemoryContextCopyAndSetIdentifier(table->context, RelationGetRelationName(rel));
		table->stale = false;
		table->epoch = epoch;
		fill(table, rel);
		table->loaded = true;
	} while ((table->stale || table->epoch != epoch) && ++tries < LOAD_TRIES);
	grown = true;
}

static bool
is_current(CaptureTable *table)
{
	return table->loaded && !table->stale && table->epoch == epoch;
}

/* Partitions come and go; a long session need not remember them all.  At the
 * end of a transaction, when no copy is in use. */
static void
sweep(XactEvent event, void *arg)
{
	HASH_SEQ_STATUS status;
	CaptureTable *table;

	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	if (!grown || hash_get_num_entries(tables) <= SWEEP_ABOVE)
		return;
	grown = false;
	hash_seq_init(&status, tables);
	while ((table = hash_seq_search(&status)) != NULL)
	{
		if (is_current(table))
			continue;
		clear(table);
		hash_search(tables, &table->relid, HASH_REMOVE, NULL);
	}
}

CaptureTable *
wf_capture_table(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);
	CaptureTable *table;
	bool		found;

	if (last != NULL && last->relid == relid && is_current(last))
		return last;
	last = table = hash_search(tables, &relid, HASH_FIND, NULL);
	if (table != NULL && is_current(table))
		return table;
	table = hash_search(tables, &relid, HASH_ENTER, &found);
	if (!found)
	{
		memset(table, 0, sizeof(CaptureTable));
		table->relid = relid;
	}
	load(table, rel);
	return table;
}

/* Nothing but flags: a copy may be in use or being filled. */
static void
relation_changed(Datum arg, Oid relid)
{
	CaptureTable *table;

	if (!OidIsValid(relid))
		epoch++;
	else if ((table = hash_search(tables, &relid, HASH_FIND, NULL)) != NULL)
		table->stale = true;
}

void
wf_capture_cache_init(void)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(CaptureTable);
	control.hcxt = TopMemoryContext;
	tables = hash_create("automation watched tables", 32, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	RegisterXactCallback(sweep, NULL);
}
