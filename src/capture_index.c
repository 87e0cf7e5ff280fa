/*
 * capture_index.c -- from a changed column or a row's value to the rules that ask
 * for it, so that a change of no concern costs the same however many rules there are.
 *
 * Called by capture_cache.c while it fills a session's copy of the rules, in that
 * copy's memory context; the rules are bound already.  Calls hash and equality
 * functions of core types only; no locks, no errors of its own.
 */
#include "postgres.h"
#include "compat.h"

#include "ast.h"
#include "capture_rules.h"

static ColumnSet *
empty_set(CaptureTable *table)
{
	return palloc0(sizeof(ColumnSet) * table->nwords);
}

static void
init_lookup(CaptureTable *table, Lookup *lookup)
{
	uint32		n = 16;

	while (n < 2 * table->nrules)
		n *= 2;
	lookup->mask = n - 1;
	lookup->buckets = palloc0(sizeof(LookupEntry *) * n);
	lookup->columns = empty_set(table);
}

static void
add_entry(CaptureTable *table, Lookup *lookup, CaptureCondition *condition, Datum value, bool isnull,
		  CaptureRule *rule)
{
	AttrNumber	attnum = condition->attnum;
	uint32		hash = wf_capture_hash(table, attnum, value, isnull);
	LookupEntry **bucket = &lookup->buckets[hash & lookup->mask];
	LookupEntry *entry;

	for (entry = *bucket; entry != NULL; entry = entry->next)
	{
		if (entry->hash == hash && entry->attnum == attnum && entry->isnull == isnull &&
			(isnull || wf_capture_equal(table, attnum, entry->value, value)))
			break;
	}
	if (entry == NULL)
	{
		entry = palloc0(sizeof(LookupEntry));
		entry->hash = hash;
		entry->attnum = attnum;
		entry->isnull = isnull;
		entry->value = value;
		entry->next = *bucket;
		*bucket = entry;
	}
	if (entry->rules == NIL || llast(entry->rules) != rule)
		entry->rules = lappend(entry->rules, rule);
}

/* A condition that single values meet.  Column hashing uses the bool's own. */
static bool
asks_for_value(CaptureTable *table, CaptureCondition *condition)
{
	switch (condition->op)
	{
		case RULE_OP_FROM:
		case RULE_OP_TO:
		case RULE_OP_EQ:
		case RULE_OP_IN:
		case RULE_OP_NULL:
		case RULE_OP_TRUE:
			wf_capture_column(table, condition->attnum);
			return table->columns[condition->attnum - 1].hash_ok;
		default:
			return false;
	}
}

/* The first condition over old (or new) that asks for values; ends: among
 * endpoints.  Conditions of a rule with "table" are all over new. */
static CaptureCondition *
value_condition(CaptureTable *table, CaptureRule *rule, bool on_old, bool ends)
{
	for (int i = 0; i < rule->nconditions; i++)
	{
		CaptureCondition *condition = &rule->conditions[i];

		if (condition->on_old == on_old && (!ends || condition->endpoint) && asks_for_value(table, condition))
			return condition;
	}
	return NULL;
}

static void
add_condition(CaptureTable *table, Lookup *lookup, CaptureCondition *condition, CaptureRule *rule)
{
	COLUMN_ADD(lookup->columns, condition->attnum);
	if (condition->op == RULE_OP_NULL)
		add_entry(table, lookup, condition, (Datum) 0, true, rule);
	else if (condition->op == RULE_OP_TRUE)
		add_entry(table, lookup, condition, BoolGetDatum(true), false, rule);
	for (int i = 0; i < condition->nvalues; i++)
	{
		/* no value is equal to NULL, except for FROM and TO */
		if (!condition->nulls[i] || condition->op == RULE_OP_FROM || condition->op == RULE_OP_TO)
			add_entry(table, lookup, condition, condition->values[i], condition->nulls[i], rule);
	}
}

static void
index_insert_or_delete(CaptureTable *table, Lookup *lookup, CaptureRule *rule, bool on_old)
{
	CaptureCondition *condition = value_condition(table, rule, on_old, false);

	if (condition != NULL)
		add_condition(table, lookup, condition, rule);
	else
		lookup->others = lappend(lookup->others, rule);
}

/* Adds to what a change of one column leads to: the rule itself, or the
 * columns whose values lead to it. */
static void
add_to_column(CaptureTable *table, ColumnRules *column, CaptureRule *rule,
			  CaptureCondition *old, CaptureCondition *new)
{
	if (old == NULL && new == NULL)
		column->rules = lappend(column->rules, rule);
	if (old != NULL)
		COLUMN_ADD(column->probes, old->attnum);
	if (new != NULL)
		COLUMN_ADD(column->probes, new->attnum);
}

static void
index_update(CaptureTable *table, CaptureRule *rule)
{
	CaptureCondition *old = NULL;
	CaptureCondition *new = NULL;

	if (rule->table)
		new = value_condition(table, rule, false, false);
	else if (!rule->loose)
	{
		old = rule->old_ends ? value_condition(table, rule, true, true) : NULL;
		new = rule->new_ends ? value_condition(table, rule, false, true) : NULL;
		if ((rule->old_ends && old == NULL) || (rule->new_ends && new == NULL))
			old = new = NULL;
	}
	if (old != NULL)
		add_condition(table, &table->update, old, rule);
	if (new != NULL)
		add_condition(table, &table->update, new, rule);
	if (rule->any)
		add_to_column(table, &table->any, rule, old, new);
	for (int i = 0; i < table->natts && !rule->any; i++)
	{
		if (COLUMN_IN(rule->columns, i + 1))
			add_to_column(table, &table->by_column[i], rule, old, new);
	}
}

static void
index_rules(CaptureTable *table)
{
	init_lookup(table, &table->update);
	init_lookup(table, &table->insert);
	init_lookup(table, &table->delete);
	table->by_column = palloc0(sizeof(ColumnRules) * Max(table->natts, 1));
	table->any.probes = empty_set(table);
	for (int i = 0; i < table->natts; i++)
		table->by_column[i].probes = empty_set(table);
	for (int i = 0; i < table->nrules; i++)
	{
		CaptureRule *rule = &table->rules[i];

		bool		deletes = (rule->operations & OP_DELETE) && !rule->never_deletes;

		if (rule->wake || (rule->operations & OP_UPDATE) || deletes)
			index_update(table, rule);
		if (!rule->wake && (rule->operations & OP_INSERT) && !rule->never_inserts)
			index_insert_or_delete(table, &table->insert, rule, false);
		if (!rule->wake && deletes)
			index_insert_or_delete(table, &table->delete, rule, !rule->table);
	}
}

/* Columns to compare: those of the rules and of the key. */
static void
collect_watched(CaptureTable *table)
{
	bool		all = false;
	ColumnSet  *set = empty_set(table);

	for (int i = 0; i < table->nwords; i++)
		set[i] = table->key_columns[i];
	for (int i = 0; i < table->nrules; i++)
	{
		all |= table->rules[i].any || table->rules[i].reads_all;
		for (int j = 0; j < table->nwords; j++)
			set[j] |= table->rules[i].columns[j];
	}
	table->watched = palloc(sizeof(AttrNumber) * Max(table->natts, 1));
	for (int i = 0; i < table->natts; i++)
	{
		table->columns[i].watched = table->columns[i].live && (all || COLUMN_IN(set, i + 1));
		if (table->columns[i].watched)
			table->watched[table->nwatched++] = i + 1;
	}
}

void
wf_capture_index(CaptureTable *table)
{
	collect_watched(table);
	index_rules(table);
}
