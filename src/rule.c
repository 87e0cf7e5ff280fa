/*
 * rule.c -- rows of automation.rule: what capture watches.
 *
 * Written by registration (store, disarm, delete), read by capture when it
 * fills a session's cache and by the executor.  A rule never changes but for
 * "armed": events name it by id.  What is loaded is palloc'd in the current
 * memory context.  Reads go by index without a privilege check and run
 * nobody's code.  Nothing written here reaches other sessions before the caller
 * armed the table: the triggers are made in rule_trigger.c.
 */
#include "postgres.h"
#include "compat.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "analyze_ties.h"
#include "check.h"
#include "owner.h"
#include "rule.h"
#include "store.h"

/* columns of automation.rule */
#define RULE_ID			1
#define RULE_WORKFLOW	2
#define RULE_VERSION	3
#define RULE_KIND		4
#define RULE_CLAUSE		5
#define RULE_SOURCE		6
#define RULE_OWNER		7
#define RULE_ARMED		8
#define RULE_OPERATIONS 9
#define RULE_COLUMNS	10
#define RULE_CONDITIONS 11
#define RULE_READS_OLD	12
#define RULE_READS_NEW	13
#define RULE_IMAGE_OLD	14
#define RULE_IMAGE_NEW	15
#define RULE_RESIDUAL	16
#define RULE_TIES		17
#define RULE_PATH		18
#define RULE_NATTS		18

/* columns of automation.enrollment */
#define ENROLLMENT_WORKFLOW 2
#define ENROLLMENT_VERSION	3

/* How an operator is written, in the order of RuleOp. */
static const char *const op_names[] = {
	"from", "to", "=", "<", "<=", ">", ">=", "<>", "in", "is null", "is not null", "is true"
};

/* ----------------------------------------------------------------
 * Row to memory
 * ----------------------------------------------------------------
 */

static List *
names_of_array(Datum array)
{
	Datum	   *items;
	bool	   *nulls;
	int			n;
	List	   *names = NIL;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (!nulls[i])
			names = lappend(names, TextDatumGetCString(items[i]));
	}
	return names;
}

static Datum
array_of_names(List *names)
{
	Datum	   *items = palloc(sizeof(Datum) * Max(list_length(names), 1));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, names)
		items[n++] = CStringGetTextDatum((char *) lfirst(lc));
	return PointerGetDatum(construct_array(items, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
malformed_conditions(int id)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("malformed conditions of rule %d", id)));
}

static JsonbValue *
member(JsonbContainer *object, const char *name, JsonbValue *buf)
{
	return getKeyJsonValueFromContainer(object, name, strlen(name), buf);
}

static char *
string_member(JsonbContainer *object, const char *name, int id)
{
	JsonbValue	buf;
	JsonbValue *value = member(object, name, &buf);

	if (value == NULL || value->type != jbvString)
		malformed_conditions(id);
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static RuleOp
op_of_name(const char *name, int id)
{
	for (int i = 0; i < lengthof(op_names); i++)
	{
		if (strcmp(op_names[i], name) == 0)
			return (RuleOp) i;
	}
	malformed_conditions(id);
	return RULE_OP_FROM;				/* not reached */
}

static void
load_values(RuleCondition *condition, JsonbContainer *object, int id)
{
	JsonbValue	buf;
	JsonbValue *value = member(object, "values", &buf);

	condition->nvalues = 0;
	condition->values = NULL;
	if (value == NULL)
		return;
	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
		malformed_conditions(id);
	condition->nvalues = JsonContainerSize(value->val.binary.data);
	condition->values = palloc0(sizeof(char *) * Max(condition->nvalues, 1));
	for (int i = 0; i < condition->nvalues; i++)
	{
		JsonbValue *item = getIthJsonbValueFromContainer(value->val.binary.data, i);

		if (item->type == jbvString)
			condition->values[i] = pnstrdup(item->val.string.val, item->val.string.len);
		else if (item->type != jbvNull)
			malformed_conditions(id);
	}
}

static RuleCondition *
load_condition(JsonbValue *item, int id)
{
	RuleCondition *condition = palloc0(sizeof(RuleCondition));
	JsonbContainer *object = item->val.binary.data;

	if (item->type != jbvBinary || !JsonContainerIsObject(object))
		malformed_conditions(id);
	condition->on_old = strcmp(string_member(object, "row", id), "old") == 0;
	condition->column = string_member(object, "column", id);
	condition->op = op_of_name(string_member(object, "op", id), id);
	load_values(condition, object, id);
	return condition;
}

static List *
load_conditions(Jsonb *conditions, int id)
{
	List	   *result = NIL;

	if (!JB_ROOT_IS_ARRAY(conditions) || JB_ROOT_IS_SCALAR(conditions))
		malformed_conditions(id);
	for (uint32 i = 0; i < JB_ROOT_COUNT(conditions); i++)
		result = lappend(result, load_condition(getIthJsonbValueFromContainer(&conditions->root, i), id));
	return result;
}

static int
int_column(Datum *values, AttrNumber attnum)
{
	return DatumGetInt32(values[attnum - 1]);
}

static List *
names_column(Datum *values, bool *nulls, AttrNumber attnum)
{
	return nulls[attnum - 1] ? NIL : names_of_array(values[attnum - 1]);
}

static Rule *
load_rule(HeapTuple tuple, TupleDesc desc)
{
	Rule	   *rule = palloc0(sizeof(Rule));
	Datum		values[RULE_NATTS];
	bool		nulls[RULE_NATTS];

	heap_deform_tuple(tuple, desc, values, nulls);
	rule->id = int_column(values, RULE_ID);
	rule->workflow = int_column(values, RULE_WORKFLOW);
	rule->version = int_column(values, RULE_VERSION);
	rule->kind = DatumGetChar(values[RULE_KIND - 1]);
	rule->clause = int_column(values, RULE_CLAUSE);
	rule->source = int_column(values, RULE_SOURCE);
	rule->owner = int_column(values, RULE_OWNER);
	rule->armed = DatumGetBool(values[RULE_ARMED - 1]);
	rule->operations = int_column(values, RULE_OPERATIONS);
	rule->any_column = nulls[RULE_COLUMNS - 1] && rule->kind != RULE_WAKE;
	rule->columns = names_column(values, nulls, RULE_COLUMNS);
	if (!nulls[RULE_CONDITIONS - 1])
		rule->conditions = load_conditions(DatumGetJsonbP(values[RULE_CONDITIONS - 1]), rule->id);
	rule->reads_old = names_column(values, nulls, RULE_READS_OLD);
	rule->reads_new = names_column(values, nulls, RULE_READS_NEW);
	rule->image_old = names_column(values, nulls, RULE_IMAGE_OLD);
	rule->image_new = names_column(values, nulls, RULE_IMAGE_NEW);
	rule->residual = DatumGetBool(values[RULE_RESIDUAL - 1]);
	rule->ties = names_column(values, nulls, RULE_TIES);
	if (!nulls[RULE_PATH - 1])
		rule->path = DatumGetJsonbPCopy(values[RULE_PATH - 1]);
	return rule;
}

static int
by_id(const ListCell *a, const ListCell *b)
{
	const Rule *one = lfirst(a);
	const Rule *other = lfirst(b);

	return (one->id > other->id) - (one->id < other->id);
}

/* In the order they were made in, wherever vacuum has made room for their rows:
 * a change's workflows run in this order. */
List *
wf_rules_of_source(int source, Snapshot snapshot)
{
	Relation	rel = wf_store_open("rule", AccessShareLock);
	List	   *rules = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, RULE_SOURCE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(source));
	scan = wf_store_scan(rel, "rule_source", snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;

		if (DatumGetBool(heap_getattr(tuple, RULE_ARMED, RelationGetDescr(rel), &isnull)))
			rules = lappend(rules, load_rule(tuple, RelationGetDescr(rel)));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	list_sort(rules, by_id);
	return rules;
}

static bool
has_all(List *names, List *wanted)
{
	ListCell   *lw;
	ListCell   *ln;

	foreach(ln, names)
	{
		if (strcmp(lfirst(ln), "*") == 0)
			return true;
	}
	foreach(lw, wanted)
	{
		bool		found = false;

		foreach(ln, names)
			found |= strcmp(lfirst(ln), lfirst(lw)) == 0;
		if (!found)
			return false;
	}
	return true;
}

/* Is the jsonb column equal to this value (NULL: none)? */
static bool
same_json(HeapTuple tuple, TupleDesc desc, AttrNumber attnum, Jsonb *wanted)
{
	bool		isnull;
	Datum		stored = heap_getattr(tuple, attnum, desc, &isnull);

	if (isnull || wanted == NULL)
		return isnull && wanted == NULL;
	return compareJsonbContainers(&DatumGetJsonbP(stored)->root, &wanted->root) == 0;
}

bool
wf_rules_watch(int source, int workflow, int version, List *columns, Jsonb *conditions, const char *tie, Jsonb *path)
{
	Relation	rel = wf_store_open("rule", AccessShareLock);
	bool		found = false;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], RULE_WORKFLOW, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(workflow));
	ScanKeyInit(&keys[1], RULE_VERSION, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(version));
	scan = wf_store_scan(rel, "rule_workflow", wf_store_snapshot(), 2, keys);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Rule	   *rule = load_rule(tuple, RelationGetDescr(rel));

		found = rule->armed && rule->kind == RULE_TABLE && rule->source == source && has_all(rule->columns, columns) &&
			(tie == NULL ? rule->ties == NIL : rule->ties != NIL && strcmp(linitial(rule->ties), tie) == 0) &&
			same_json(tuple, RelationGetDescr(rel), RULE_CONDITIONS, conditions) &&
			same_json(tuple, RelationGetDescr(rel), RULE_PATH, path);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

Rule *
wf_rule_load(int id)
{
	Relation	rel = wf_store_open("rule", AccessShareLock);
	Rule	   *rule = NULL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, RULE_ID, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(id));
	scan = wf_store_scan(rel, "rule_pkey", wf_store_snapshot(), 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		rule = load_rule(tuple, RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return rule;
}

/* ----------------------------------------------------------------
 * Memory to row
 * ----------------------------------------------------------------
 */

static void
set_names(Datum *values, bool *nulls, AttrNumber attnum, List *names)
{
	nulls[attnum - 1] = names == NIL;
	if (names != NIL)
		values[attnum - 1] = array_of_names(names);
}

static void
insert_rule(Relation rel, int workflow, int version, int owner, CheckedRule *rule)
{
	Datum		values[RULE_NATTS] = {0};
	bool		nulls[RULE_NATTS] = {0};

	values[RULE_ID - 1] = Int32GetDatum((int32) wf_store_nextval("rule_seq"));
	values[RULE_WORKFLOW - 1] = Int32GetDatum(workflow);
	values[RULE_VERSION - 1] = Int32GetDatum(version);
	values[RULE_KIND - 1] = CharGetDatum(rule->kind);
	values[RULE_CLAUSE - 1] = Int32GetDatum(rule->clause);
	values[RULE_SOURCE - 1] = Int32GetDatum(wf_source_id(rule->relation, true));
	values[RULE_OWNER - 1] = Int32GetDatum(owner);
	values[RULE_ARMED - 1] = BoolGetDatum(true);
	values[RULE_OPERATIONS - 1] = Int32GetDatum(rule->operations);
	values[RULE_CONDITIONS - 1] = PointerGetDatum(rule->conditions);
	nulls[RULE_CONDITIONS - 1] = rule->conditions == NULL;
	set_names(values, nulls, RULE_COLUMNS, rule->columns);
	set_names(values, nulls, RULE_READS_OLD, rule->reads_old);
	set_names(values, nulls, RULE_READS_NEW, rule->reads_new);
	set_names(values, nulls, RULE_IMAGE_OLD, rule->image_old);
	set_names(values, nulls, RULE_IMAGE_NEW, rule->image_new);
	values[RULE_RESIDUAL - 1] = BoolGetDatum(rule->residual);
	set_names(values, nulls, RULE_TIES, rule->ties);
	nulls[RULE_PATH - 1] = !rule->has_path;
	if (rule->has_path)
		values[RULE_PATH - 1] = DirectFunctionCall1(jsonb_in, CStringGetDatum(wf_path_text(rule->path, true)));
	wf_store_insert(rel, values, nulls, NULL);
}

/* Has a version of a workflow enrollments?  Walks the workflow's enrollments
 * until it meets one of that version. */
static bool
version_is_used(int workflow, int version)
{
	Relation	rel = wf_store_open("enrollment", AccessShareLock);
	bool		found = false;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, ENROLLMENT_WORKFLOW, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(workflow));
	scan = wf_store_scan(rel, "enrollment_workflow", wf_store_snapshot(), 1, &key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;

		found = DatumGetInt32(heap_getattr(tuple, ENROLLMENT_VERSION, RelationGetDescr(rel), &isnull)) == version;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

typedef enum
{
	TOUCH_AFTER,						/* disarm what starts enrollments, leave what wakes them */
	TOUCH_OLD,							/* likewise, and what wakes those of unused versions */
	TOUCH_ALL							/* disarm everything */
} Touch;

static bool
is_touched(Rule *rule, Touch how)
{
	if (!rule->armed)
		return false;
	if (how == TOUCH_ALL || !wf_rule_wakes(rule))
		return true;
	return how == TOUCH_OLD && !version_is_used(rule->workflow, rule->version);
}

/* Disarms rules of a workflow.  Collects first: the writes must not
 * meet the scan. */
static void
touch_rules(int workflow, Touch how)
{
	Relation	rel = wf_store_open("rule", RowExclusiveLock);
	List	   *tuples = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	ListCell   *lc;

	ScanKeyInit(&key, RULE_WORKFLOW, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(workflow));
	scan = wf_store_scan(rel, "rule_workflow", wf_store_snapshot(), 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		tuples = lappend(tuples, heap_copytuple(tuple));
	systable_endscan(scan);
	foreach(lc, tuples)
	{
		Rule	   *rule = load_rule((HeapTuple) lfirst(lc), RelationGetDescr(rel));
		Datum		values[RULE_NATTS] = {0};
		bool		nulls[RULE_NATTS] = {0};
		bool		replace[RULE_NATTS] = {0};

		if (!is_touched(rule, how))
			continue;
		replace[RULE_ARMED - 1] = true;
		wf_store_update(rel, (HeapTuple) lfirst(lc), values, nulls, replace);
	}
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

void
wf_rules_add(int workflow, int version, int owner, List *checked)
{
	Relation	rel = wf_store_open("rule", RowExclusiveLock);
	ListCell   *lc;

	foreach(lc, checked)
		insert_rule(rel, workflow, version, owner, (CheckedRule *) lfirst(lc));
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

void
wf_rules_store(int workflow, int version, int owner, List *checked)
{
	touch_rules(workflow, TOUCH_OLD);
	wf_rules_add(workflow, version, owner, checked);
}

void
wf_rules_disarm(int workflow, bool wake_too)
{
	touch_rules(workflow, wake_too ? TOUCH_ALL : TOUCH_AFTER);
}

