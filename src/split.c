/*
 * split.c -- SPLIT: which arm somebody gets, and keeps.
 *
 * Called by interp.c, inside the executor's batch, as the workflow's owner.  An
 * arm is given to a subject, or to an entry key where the workflow has no
 * subject, once and for ever (automation.assignment), under the name of the
 * variable: SPLIT statements of one variable are one split.
 *
 * Without percentages the arm that fewest got is next, of several the one that
 * is written first.  That is exact since one process at a time works for an
 * owner: what was counted is read once in a batch, kept in memory and written
 * when the batch ends, so a rollback takes the assignments and the counts back
 * together.  With percentages a hash of the key decides.  Nothing is drawn by
 * chance, so an item that is repeated comes to the same.
 *
 * Other arms, or percentages where there were none, are another generation: it
 * counts anew.  A generation belongs to the versions from the first that has its
 * arms to the next that has others, so who is still in an older version goes on
 * with that version's arms.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "key.h"
#include "lookup.h"
#include "parser.h"
#include "rekey.h"
#include "split.h"
#include "store.h"
#include "winner.h"

enum
{
	SPLIT_WORKFLOW = 1, SPLIT_NAME, SPLIT_GENERATION, SPLIT_VERSION, SPLIT_EVEN, SPLIT_ARMS, SPLIT_PEOPLE,
	SPLIT_BEGUN_AT
};
#define SPLIT_COLUMNS SPLIT_BEGUN_AT

enum
{
	ASSIGNMENT_WORKFLOW = 1, ASSIGNMENT_SPLIT, ASSIGNMENT_KEY, ASSIGNMENT_ARM, ASSIGNMENT_GENERATION,
	ASSIGNMENT_DECIDED, ASSIGNMENT_AT, ASSIGNMENT_ENROLLMENT
};
#define ASSIGNMENT_COLUMNS ASSIGNMENT_ENROLLMENT

/* A row of automation.split, and what the running batch adds to it. */
typedef struct Generation
{
	int			workflow;
	char	   *split;
	int			generation;
	int			version;
	bool		even;
	int			narms;
	char	  **arms;
	int64	   *people;
	bool		changed;
	bool		asked;					/* in this batch, for a winner */
	char	   *winner;					/* NULL: there is none */
	HeapTuple	tuple;
} Generation;

/* The generation a version of a workflow uses. */
typedef struct UsedGeneration
{
	int			workflow;
	int			version;
	const Statement *stmt;
	Generation *generation;
} UsedGeneration;

static MemoryContext batch_context = NULL;	/* NULL: no batch */
static List *generations = NIL;			/* of Generation *, in the batch's context */
static List *used = NIL;				/* of UsedGeneration *, likewise */

/* --- generations --- */

static char **
texts_of(Datum array, int *n)
{
	Datum	   *items;
	char	  **texts;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &items, NULL, n);
	texts = palloc(sizeof(char *) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
		texts[i] = TextDatumGetCString(items[i]);
	return texts;
}

/* A restored row may say anything: an arm without a count has none. */
static int64 *
counts_of(Datum array, int narms)
{
	int64	   *counts = palloc0(sizeof(int64) * Max(narms, 1));
	Datum	   *items;
	bool	   *nulls;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(array), INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &items, &nulls, &n);
	for (int i = 0; i < Min(n, narms); i++)
		counts[i] = nulls[i] ? 0 : DatumGetInt64(items[i]);
	return counts;
}

static Datum
array_of_texts(int n, char **texts)
{
	Datum	   *items = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		items[i] = CStringGetTextDatum(texts[i]);
	return PointerGetDatum(construct_array(items, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
array_of_counts(int n, const int64 *counts)
{
	Datum	   *items = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		items[i] = Int64GetDatum(counts[i]);
	return PointerGetDatum(construct_array(items, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static Generation *
from_row(HeapTuple tuple, TupleDesc desc)
{
	Generation *generation = palloc0(sizeof(Generation));
	bool		isnull;

	generation->workflow = DatumGetInt32(heap_getattr(tuple, SPLIT_WORKFLOW, desc, &isnull));
	generation->split = TextDatumGetCString(heap_getattr(tuple, SPLIT_NAME, desc, &isnull));
	generation->generation = DatumGetInt32(heap_getattr(tuple, SPLIT_GENERATION, desc, &isnull));
	generation->version = DatumGetInt32(heap_getattr(tuple, SPLIT_VERSION, desc, &isnull));
	generation->even = DatumGetBool(heap_getattr(tuple, SPLIT_EVEN, desc, &isnull));
	generation->arms = texts_of(heap_getattr(tuple, SPLIT_ARMS, desc, &isnull), &generation->narms);
	generation->people = counts_of(heap_getattr(tuple, SPLIT_PEOPLE, desc, &isnull), generation->narms);
	generation->tuple = heap_copytuple(tuple);
	return generation;
}

/* Reads what the batch has not met yet. */
static void
load_generations(int workflow, const char *split)
{
	Relation	rel;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	ListCell   *lc;

	foreach(lc, generations)
	{
		Generation *generation = lfirst(lc);

		if (generation->workflow == workflow && strcmp(generation->split, split) == 0)
			return;
	}
	rel = wf_store_open("split", AccessShareLock);
	ScanKeyInit(&keys[0], SPLIT_WORKFLOW, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(workflow));
	ScanKeyInit(&keys[1], SPLIT_NAME, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(split));
	scan = wf_store_scan(rel, "split_pkey", wf_store_snapshot(), 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		generations = lappend(generations, from_row(tuple, RelationGetDescr(rel)));
	systable_endscan(scan);
	table_close(rel, NoLock);
}

static Arm *
find_arm(const Statement *stmt, const char *name)
{
	ListCell   *lc;

	foreach(lc, stmt->arms)
	{
		Arm		   *arm = lfirst(lc);

		if (strcmp(arm->name.name, name) == 0)
			return arm;
	}
	return NULL;
}

static bool
is_even(const Statement *stmt)
{
	return ((Arm *) linitial(stmt->arms))->percent == NULL;
}

/* The same arms, in whatever order? */
static bool
has_arms_of(const Generation *generation, const Statement *stmt)
{
	if (generation->narms != list_length(stmt->arms) || generation->even != is_even(stmt))
		return false;
	for (int i = 0; i < generation->narms; i++)
		if (find_arm(stmt, generation->arms[i]) == NULL)
			return false;
	return true;
}

static void
insert_generation(Generation *generation, TimestampTz now)
{
	Relation	rel = wf_store_open("split", RowExclusiveLock);
	int			natts = RelationGetDescr(rel)->natts;
	Datum	   *values = palloc0(natts * sizeof(Datum));
	bool	   *nulls = palloc0(natts * sizeof(bool));

	memset(nulls + SPLIT_COLUMNS, true, (natts - SPLIT_COLUMNS) * sizeof(bool));
	values[SPLIT_WORKFLOW - 1] = Int32GetDatum(generation->workflow);
	values[SPLIT_NAME - 1] = CStringGetTextDatum(generation->split);
	values[SPLIT_GENERATION - 1] = Int32GetDatum(generation->generation);
	values[SPLIT_VERSION - 1] = Int32GetDatum(generation->version);
	values[SPLIT_EVEN - 1] = BoolGetDatum(generation->even);
	values[SPLIT_ARMS - 1] = array_of_texts(generation->narms, generation->arms);
	values[SPLIT_PEOPLE - 1] = array_of_counts(generation->narms, generation->people);
	values[SPLIT_BEGUN_AT - 1] = TimestampTzGetDatum(now);
	generation->tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	wf_store_insert_tuple(rel, generation->tuple);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

static Generation *
new_generation(const Program *program, const Statement *stmt, int number, TimestampTz now)
{
	Generation *generation = palloc0(sizeof(Generation));
	ListCell   *lc;

	generation->workflow = program->workflow;
	generation->split = pstrdup(stmt->name.name);
	generation->generation = number;
	generation->version = program->version;
	generation->even = is_even(stmt);
	generation->arms = palloc(sizeof(char *) * list_length(stmt->arms));
	generation->people = palloc0(sizeof(int64) * list_length(stmt->arms));
	foreach(lc, stmt->arms)
		generation->arms[generation->narms++] = pstrdup(((Arm *) lfirst(lc))->name.name);
	insert_generation(generation, now);
	generations = lappend(generations, generation);
	return generation;
}

/* The youngest generation that is no younger than the version, if it has its
 * arms; else a new one. */
static Generation *
find_generation(const Program *program, const Statement *stmt, TimestampTz now)
{
	Generation *found = NULL;
	int			last = 0;
	ListCell   *lc;

	load_generations(program->workflow, stmt->name.name);
	foreach(lc, generations)
	{
		Generation *generation = lfirst(lc);

		if (generation->workflow != program->workflow || strcmp(generation->split, stmt->name.name) != 0)
			continue;
		last = Max(last, generation->generation);
		if (generation->version <= program->version &&
			(found == NULL || generation->version > found->version ||
			 (generation->version == found->version && generation->generation > found->generation)))
			found = generation;
	}
	if (found && has_arms_of(found, stmt))
		return found;
	return new_generation(program, stmt, last + 1, now);
}

/* The same, once a batch for each statement. */
static Generation *
generation_of(const Program *program, const Statement *stmt, TimestampTz now)
{
	UsedGeneration *use;
	MemoryContext old;
	ListCell   *lc;

	foreach(lc, used)
	{
		use = lfirst(lc);
		if (use->stmt == stmt && use->workflow == program->workflow && use->version == program->version)
			return use->generation;
	}
	old = MemoryContextSwitchTo(batch_context);
	use = palloc(sizeof(UsedGeneration));
	use->workflow = program->workflow;
	use->version = program->version;
	use->stmt = stmt;
	use->generation = find_generation(program, stmt, now);
	used = lappend(used, use);
	MemoryContextSwitchTo(old);
	return use->generation;
}

/* --- the batch --- */

void
wf_split_batch_begin(void)
{
	wf_split_batch_forget();
	batch_context = CurTransactionContext;
}

static void
write_counts(Generation *generation)
{
	Relation	rel = wf_store_open("split", RowExclusiveLock);
	int			natts = RelationGetDescr(rel)->natts;
	Datum	   *values = palloc0(natts * sizeof(Datum));
	bool	   *nulls = palloc0(natts * sizeof(bool));
	bool	   *replace = palloc0(natts * sizeof(bool));
	HeapTuple	tuple;

	values[SPLIT_PEOPLE - 1] = array_of_counts(generation->narms, generation->people);
	replace[SPLIT_PEOPLE - 1] = true;
	tuple = heap_modify_tuple(generation->tuple, RelationGetDescr(rel), values, nulls, replace);
	wf_store_update_in_place(rel, &generation->tuple->t_self, tuple);
	table_close(rel, NoLock);
}

void
wf_split_batch_end(void)
{
	MemoryContext old = MemoryContextSwitchTo(batch_context);
	ListCell   *lc;

	PushActiveSnapshot(GetTransactionSnapshot());	/* storing a long value needs one */
	foreach(lc, generations)
	{
		Generation *generation = lfirst(lc);

		if (generation->changed)
			write_counts(generation);
	}
	PopActiveSnapshot();
	MemoryContextSwitchTo(old);
	wf_split_batch_forget();
}

void
wf_split_batch_forget(void)
{
	batch_context = NULL;
	generations = NIL;
	used = NIL;
}

/* --- assignments --- */

typedef struct Assignment
{
	char	   *arm;					/* NULL: there is none */
	ItemPointerData tid;
} Assignment;

static void
find_assignment(int workflow, const char *split, const char *key, Assignment *assignment)
{
	Lookup	   *lookup = wf_lookup_open(wf_store_relid("assignment"), wf_store_index("assignment_pkey"));
	TupleDesc	desc = RelationGetDescr(wf_lookup_table(lookup));
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData keys[3];
	TupleTableSlot *slot;
	bool		isnull;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(workflow));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(split));
	ScanKeyInit(&keys[2], 3, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(key));
	keys[1].sk_collation = TupleDescAttr(desc, ASSIGNMENT_SPLIT - 1)->attcollation;
	keys[2].sk_collation = TupleDescAttr(desc, ASSIGNMENT_KEY - 1)->attcollation;
	slot = wf_lookup_find(lookup, 3, keys, snapshot);
	assignment->arm = slot ? TextDatumGetCString(slot_getattr(slot, ASSIGNMENT_ARM, &isnull)) : NULL;
	if (slot)
		assignment->tid = slot->tts_tid;
	UnregisterSnapshot(snapshot);
	wf_lookup_close(lookup);
}

/* Whom the arm is for. */
static char *
key_of(const Enrollment *e)
{
	return wf_key_lookup(wf_rekey_plain(e->key ? e->key : e->entry_key));
}

/* Stores an arm; before: the row of one that is no more. */
static void
store_assignment(const Generation *generation, const char *key, const char *arm, bool decided,
				 const Enrollment *e, TimestampTz now, Assignment *before)
{
	Relation	rel = wf_store_open("assignment", RowExclusiveLock);
	int			natts = RelationGetDescr(rel)->natts;
	Datum	   *values = palloc0(natts * sizeof(Datum));
	bool	   *nulls = palloc0(natts * sizeof(bool));
	HeapTuple	tuple;

	memset(nulls + ASSIGNMENT_COLUMNS, true, (natts - ASSIGNMENT_COLUMNS) * sizeof(bool));
	values[ASSIGNMENT_WORKFLOW - 1] = Int32GetDatum(generation->workflow);
	values[ASSIGNMENT_SPLIT - 1] = CStringGetTextDatum(generation->split);
	values[ASSIGNMENT_KEY - 1] = CStringGetTextDatum(key);
	values[ASSIGNMENT_ARM - 1] = CStringGetTextDatum(arm);
	values[ASSIGNMENT_GENERATION - 1] = Int32GetDatum(generation->generation);
	values[ASSIGNMENT_DECIDED - 1] = BoolGetDatum(decided);
	values[ASSIGNMENT_AT - 1] = TimestampTzGetDatum(now);
	values[ASSIGNMENT_ENROLLMENT - 1] = Int64GetDatum(e->id);
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	if (before->arm)
		wf_store_update_in_place(rel, &before->tid, tuple);
	else
		wf_store_insert_tuple(rel, tuple);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* --- giving --- */

static int64 *
count_of(Generation *generation, const char *arm)
{
	for (int i = 0; i < generation->narms; i++)
		if (strcmp(generation->arms[i], arm) == 0)
			return &generation->people[i];
	return NULL;						/* not reached: the generation has the statement's arms */
}

/* The arm that fewest got. */
static char *
least_filled(Generation *generation, const Statement *stmt)
{
	char	   *least = NULL;
	ListCell   *lc;

	foreach(lc, stmt->arms)
	{
		char	   *arm = ((Arm *) lfirst(lc))->name.name;

		if (least == NULL || *count_of(generation, arm) < *count_of(generation, least))
			least = arm;
	}
	return least;
}

/*
 * The arm in whose part of 100 % the key's hash falls.  Another split, or another
 * generation, hashes otherwise.
 */
static char *
by_weight(const Generation *generation, const Statement *stmt, const char *key)
{
	char	   *text = psprintf("%s\n%s", generation->split, key);
	uint64		hash = hash_bytes_extended((const unsigned char *) text, strlen(text),
										   ((uint64) generation->workflow << 32) | (uint32) generation->generation);
	int64		place = (int64) (hash % SPLIT_WHOLE);
	ListCell   *lc;

	foreach(lc, stmt->arms)
	{
		Arm		   *arm = lfirst(lc);

		if (place < arm->share)
			return arm->name.name;
		place -= arm->share;
	}
	return ((Arm *) llast(stmt->arms))->name.name;	/* not reached: they add up to the whole */
}

/* The winner; NULL if there is none.  Asked once a batch. */
static char *
winner_of(Generation *generation, const Program *program, TimestampTz now)
{
	SplitTest	test = {
		.workflow = generation->workflow,.split = generation->split,.generation = generation->generation,
		.version = program->version,.narms = generation->narms,.arms = generation->arms,
		.people = generation->people
	};
	char	   *winner;

	if (generation->asked)
		return generation->winner;
	winner = wf_winner_due(&test, now);
	generation->winner = winner ? MemoryContextStrdup(batch_context, winner) : NULL;
	generation->asked = true;
	return generation->winner;
}

char *
wf_split_assign(const Program *program, const Statement *stmt, const Enrollment *e, TimestampTz now)
{
	char	   *key = key_of(e);
	Assignment	before;
	Generation *generation;
	char	   *arm;

	find_assignment(program->workflow, stmt->name.name, key, &before);
	if (before.arm && find_arm(stmt, before.arm))
		return before.arm;
	generation = generation_of(program, stmt, now);
	arm = winner_of(generation, program, now);
	if (arm && find_arm(stmt, arm))
	{
		store_assignment(generation, key, arm, true, e, now, &before);
		return pstrdup(arm);
	}
	arm = generation->even ? least_filled(generation, stmt) : by_weight(generation, stmt, key);
	store_assignment(generation, key, arm, false, e, now, &before);
	(*count_of(generation, arm))++;
	generation->changed = true;
	return pstrdup(arm);
}

/* --- keys that change --- */

/* Names of the workflow's splits. */
static List *
split_names(int workflow)
{
	Relation	rel = wf_store_open("split", AccessShareLock);
	List	   *names = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;

	ScanKeyInit(&key, SPLIT_WORKFLOW, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(workflow));
	scan = wf_store_scan(rel, "split_pkey", wf_store_snapshot(), 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		char	   *name = TextDatumGetCString(heap_getattr(tuple, SPLIT_NAME, RelationGetDescr(rel), &isnull));

		if (names == NIL || strcmp(llast(names), name) != 0)	/* the index has them in order */
			names = lappend(names, name);
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return names;
}

/* Another key for an assignment, unless it is NULL; false: there is none. */
static bool
move_assignment(Relation rel, int workflow, const char *split, const char *from, const char *to)
{
	TupleDesc	desc = RelationGetDescr(rel);
	Datum	   *values = palloc0(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc0(desc->natts * sizeof(bool));
	bool	   *replace = palloc0(desc->natts * sizeof(bool));
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], ASSIGNMENT_WORKFLOW, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(workflow));
	ScanKeyInit(&keys[1], ASSIGNMENT_SPLIT, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(split));
	ScanKeyInit(&keys[2], ASSIGNMENT_KEY, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(from));
	scan = wf_store_scan(rel, "assignment_pkey", wf_store_snapshot(), 3, keys);
	tuple = systable_getnext(scan);
	tuple = HeapTupleIsValid(tuple) ? heap_copytuple(tuple) : NULL;
	systable_endscan(scan);
	if (tuple == NULL)
		return false;
	if (to)
	{
		values[ASSIGNMENT_KEY - 1] = CStringGetTextDatum(to);
		replace[ASSIGNMENT_KEY - 1] = true;
		wf_store_update(rel, tuple, values, nulls, replace);
	}
	CommandCounterIncrement();
	return true;
}

void
wf_split_rekey(int workflow, const char *old_key, const char *new_key, const char *mark, bool taken)
{
	Relation	rel = wf_store_open("assignment", RowExclusiveLock);
	ListCell   *lc;

	foreach(lc, split_names(workflow))
	{
		const char *split = lfirst(lc);
		char	   *from = psprintf("%s%s", mark, old_key);

		if (!move_assignment(rel, workflow, split, from, NULL))
		{
			if (taken || !move_assignment(rel, workflow, split, old_key, NULL))
				continue;
			from = unconstify(char *, old_key);
		}
		(void) move_assignment(rel, workflow, split, new_key, psprintf("%s%s", mark, new_key));
		(void) move_assignment(rel, workflow, split, from, new_key);
	}
	table_close(rel, NoLock);
}
