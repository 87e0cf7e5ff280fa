/*
 * winner.c -- which arm of a SPLIT has won: rules, tests, decisions.
 *
 * Called by split.c in the executor, when somebody is to get an arm, and by
 * decide.c in a session of the workflow's owner.  Nobody decides before all arms
 * have at_least people whose time to reach the goal is over; whoever looks first
 * after that decides, once, by those people, whatever the numbers say.  So
 * looking often makes no false winner.
 *
 * The best arm is compared with each other one by the z-test of two proportions
 * with a pooled variance: of n1 people x1 reached the goal, of n2 people x2;
 *
 *   p = (x1 + x2) / (n1 + n2)
 *   z = (x1 / n1 - x2 / n2) / sqrt(p * (1 - p) * (1 / n1 + 1 / n2))
 *
 * The two-sided probability of z, erfc(|z| / sqrt(2)), is multiplied by the
 * number of comparisons (Bonferroni).  If each of the products is at most
 * 1 - confidence the best arm wins, else the first one.  It wins too if two arms
 * are best.
 *
 * Rows are written by the store: SQL that inserts into these tables is a restore.
 * They are never updated but for the rule, which may be replaced as long as
 * there is no decision.  Results are in the current memory context.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "commands.h"
#include "compat.h"
#include "enginesql.h"
#include "history.h"
#include "settings.h"
#include "store.h"
#include "winner.h"

enum
{
	RULE_WORKFLOW = 1, RULE_SPLIT, RULE_GOAL, RULE_AFTER, RULE_AT_LEAST, RULE_CONFIDENCE, RULE_DECLARED_AT,
	RULE_DECLARED_BY
};
#define RULE_COLUMNS RULE_DECLARED_BY

enum
{
	DECISION_WORKFLOW = 1, DECISION_SPLIT, DECISION_GENERATION, DECISION_NUMBER, DECISION_WINNER, DECISION_REASON,
	DECISION_ARMS, DECISION_GOAL, DECISION_AFTER, DECISION_AT_LEAST, DECISION_CONFIDENCE, DECISION_AT,
	DECISION_VERSION, DECISION_BY
};
#define DECISION_COLUMNS DECISION_BY

/* What came of one arm, and its comparison with the best one. */
typedef struct ArmResult
{
	int64		people;					/* whose time is over */
	int64		conversions;
	double		rate;
	double		z;
	double		p;						/* times the number of comparisons */
} ArmResult;

/* When a split may be looked at again. */
typedef struct NextLook
{
	int			key[3];					/* workflow, generation, hash of the split's name */
	TimestampTz at;						/* engine time */
	bool		running;
	int			failures;				/* in a row: in company, then alone */
} NextLook;

#define FAILURES_MAX 2

static HTAB *next_looks = NULL;			/* of this process; NULL: none */

/* --- rules --- */

static HeapTuple
find_rule(Relation rel, int workflow, const char *split)
{
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], RULE_WORKFLOW, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(workflow));
	ScanKeyInit(&keys[1], RULE_SPLIT, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(split));
	scan = wf_store_scan(rel, "split_rule_pkey", wf_store_snapshot(), 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}

SplitRule *
wf_split_rule_load(int workflow, const char *split)
{
	Relation	rel = wf_store_open("split_rule", AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	HeapTuple	tuple = find_rule(rel, workflow, split);
	SplitRule  *rule = NULL;
	bool		isnull;

	if (tuple)
	{
		rule = palloc(sizeof(SplitRule));
		rule->goal = TextDatumGetCString(heap_getattr(tuple, RULE_GOAL, desc, &isnull));
		rule->after = DatumGetIntervalP(heap_getattr(tuple, RULE_AFTER, desc, &isnull));
		rule->at_least = DatumGetInt32(heap_getattr(tuple, RULE_AT_LEAST, desc, &isnull));
		rule->confidence = DatumGetFloat8(heap_getattr(tuple, RULE_CONFIDENCE, desc, &isnull));
	}
	table_close(rel, NoLock);
	return rule;
}

static Datum
user_name(void)
{
	return CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
}

void
wf_split_rule_save(int workflow, const char *split, const SplitRule *rule)
{
	Relation	rel = wf_store_open("split_rule", RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);
	Datum	   *values = palloc0(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc0(desc->natts * sizeof(bool));
	HeapTuple	before = find_rule(rel, workflow, split);
	HeapTuple	tuple;

	memset(nulls + RULE_COLUMNS, true, (desc->natts - RULE_COLUMNS) * sizeof(bool));
	values[RULE_WORKFLOW - 1] = Int32GetDatum(workflow);
	values[RULE_SPLIT - 1] = CStringGetTextDatum(split);
	values[RULE_GOAL - 1] = CStringGetTextDatum(rule->goal);
	values[RULE_AFTER - 1] = IntervalPGetDatum(rule->after);
	values[RULE_AT_LEAST - 1] = Int32GetDatum(rule->at_least);
	values[RULE_CONFIDENCE - 1] = Float8GetDatum(rule->confidence);
	values[RULE_DECLARED_AT - 1] = TimestampTzGetDatum(wf_clock_now());
	values[RULE_DECLARED_BY - 1] = user_name();
	tuple = heap_form_tuple(desc, values, nulls);
	if (before)
		wf_store_update_tuple(rel, &before->t_self, tuple);
	else
		wf_store_insert_tuple(rel, tuple);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* --- decisions --- */

bool
wf_winner_lock(int workflow, bool wait)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, wf_store_relid("decision"), workflow, 0);
	return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

/* The last decision's winner and number; NULL and 0 if there is none. */
static char *
last_decision(const SplitTest *test, int *number)
{
	Relation	rel = wf_store_open("decision", AccessShareLock);
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;
	char	   *winner = NULL;

	*number = 0;
	ScanKeyInit(&keys[0], DECISION_WORKFLOW, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(test->workflow));
	ScanKeyInit(&keys[1], DECISION_SPLIT, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(test->split));
	ScanKeyInit(&keys[2], DECISION_GENERATION, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(test->generation));
	scan = wf_store_scan(rel, "decision_pkey", wf_store_snapshot(), 3, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		TupleDesc	desc = RelationGetDescr(rel);
		bool		isnull;
		int			n = DatumGetInt32(heap_getattr(tuple, DECISION_NUMBER, desc, &isnull));

		if (n <= *number)
			continue;
		*number = n;
		winner = TextDatumGetCString(heap_getattr(tuple, DECISION_WINNER, desc, &isnull));
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return winner;
}

char *
wf_winner_known(const SplitTest *test)
{
	int			number;

	return last_decision(test, &number);
}

/* A line in the journal. */
static void
tell(const SplitTest *test, const char *winner, const char *reason, TimestampTz now)
{
	WorkflowRow *row = wf_workflow_stored(test->workflow);
	StringInfoData detail;
	Enrollment	e = {.workflow = test->workflow,.version = test->version,.statement = -1};

	if (row == NULL)
		return;
	e.owner = row->owner;
	initStringInfo(&detail);
	appendStringInfoString(&detail, "{\"message\": ");
	escape_json(&detail, psprintf("%s: %s, %s", test->split, winner, reason));
	appendStringInfoChar(&detail, '}');
	wf_history_write(&e, now, "split_decided", NULL,
					 DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(detail.data))));
}

/* rule and arms NULL: by hand. */
static void
insert_decision(const SplitTest *test, const char *winner, const char *reason, const SplitRule *rule,
				Jsonb *arms, TimestampTz now)
{
	Relation	rel = wf_store_open("decision", RowExclusiveLock);
	int			natts = RelationGetDescr(rel)->natts;
	Datum	   *values = palloc0(natts * sizeof(Datum));
	bool	   *nulls = palloc0(natts * sizeof(bool));
	int			number;

	(void) last_decision(test, &number);
	memset(nulls + DECISION_COLUMNS, true, (natts - DECISION_COLUMNS) * sizeof(bool));
	values[DECISION_WORKFLOW - 1] = Int32GetDatum(test->workflow);
	values[DECISION_SPLIT - 1] = CStringGetTextDatum(test->split);
	values[DECISION_GENERATION - 1] = Int32GetDatum(test->generation);
	values[DECISION_NUMBER - 1] = Int32GetDatum(number + 1);
	values[DECISION_WINNER - 1] = CStringGetTextDatum(winner);
	values[DECISION_REASON - 1] = CStringGetTextDatum(reason);
	nulls[DECISION_ARMS - 1] = arms == NULL;
	values[DECISION_ARMS - 1] = PointerGetDatum(arms);
	for (int column = DECISION_GOAL; column <= DECISION_CONFIDENCE; column++)
		nulls[column - 1] = rule == NULL;
	if (rule)
	{
		values[DECISION_GOAL - 1] = CStringGetTextDatum(rule->goal);
		values[DECISION_AFTER - 1] = IntervalPGetDatum(rule->after);
		values[DECISION_AT_LEAST - 1] = Int32GetDatum(rule->at_least);
		values[DECISION_CONFIDENCE - 1] = Float8GetDatum(rule->confidence);
	}
	values[DECISION_AT - 1] = TimestampTzGetDatum(now);
	values[DECISION_VERSION - 1] = Int32GetDatum(test->version);
	values[DECISION_BY - 1] = user_name();
	wf_store_insert(rel, values, nulls, NULL);
	table_close(rel, NoLock);
	CommandCounterIncrement();
	tell(test, winner, reason, now);
}

void
wf_winner_name(const SplitTest *test, const char *winner, TimestampTz now)
{
	insert_decision(test, winner, "manual", NULL, NULL, now);
}

/* --- the test --- */

/* Reads what came of each arm. */
static ArmResult *
load_results(const SplitTest *test)
{
	ArmResult  *results = palloc0(sizeof(ArmResult) * test->narms);
	List	   *texts = wf_engine_texts("SELECT pg_catalog.format('%s %s %s', counted, conversions, arm)"
										" FROM automation.arm_result WHERE workflow = $1 AND split = $2 AND generation = $3",
										"iti", test->workflow, test->split, test->generation);
	ListCell   *lc;

	foreach(lc, texts)
	{
		char	   *rest = lfirst(lc);
		int64		people = strtoi64(rest, &rest, 10);
		int64		conversions = strtoi64(rest, &rest, 10);

		for (int i = 0; i < test->narms; i++)
			if (strcmp(test->arms[i], rest + 1) == 0)
			{
				results[i].people = people;
				results[i].conversions = conversions;
				results[i].rate = (double) conversions / Max(people, 1);
			}
	}
	return results;
}

/* The z-test of two proportions; 0 if there is nothing to tell them apart by. */
static double
z_of(const ArmResult *one, const ArmResult *other)
{
	double		n1 = one->people;
	double		n2 = other->people;
	double		p = (one->conversions + other->conversions) / (n1 + n2);
	double		variance = p * (1 - p) * (1 / n1 + 1 / n2);

	return variance > 0 ? (one->rate - other->rate) / sqrt(variance) : 0;
}

/* Compares the best arm with each other one and says which one wins. */
static int
find_winner(int narms, ArmResult *results, double confidence, const char **reason)
{
	int			best = 0;

	*reason = "significant";
	for (int i = 1; i < narms; i++)
		if (results[i].rate > results[best].rate)
			best = i;
	for (int i = 0; i < narms; i++)
	{
		if (i == best)
			continue;
		results[i].z = z_of(&results[best], &results[i]);
		results[i].p = Min(1.0, erfc(fabs(results[i].z) / sqrt(2.0)) * (narms - 1));
		if (results[i].rate == results[best].rate)
			*reason = "tie";
		else if (results[i].p > 1 - confidence && strcmp(*reason, "tie") != 0)
			*reason = "inconclusive";
	}
	return strcmp(*reason, "significant") == 0 ? best : 0;
}

/* The best arm is compared with itself: it has no z. */
static Jsonb *
results_as_jsonb(const SplitTest *test, const ArmResult *results)
{
	StringInfoData text;
	int			best = 0;

	for (int i = 1; i < test->narms; i++)
		if (results[i].rate > results[best].rate)
			best = i;
	initStringInfo(&text);
	for (int i = 0; i < test->narms; i++)
	{
		appendStringInfoString(&text, i == 0 ? "[{\"arm\": " : ", {\"arm\": ");
		escape_json(&text, test->arms[i]);
		appendStringInfo(&text, ", \"people\": " INT64_FORMAT ", \"conversions\": " INT64_FORMAT ", \"rate\": %.6g",
						 results[i].people, results[i].conversions, results[i].rate);
		if (i != best)
			appendStringInfo(&text, ", \"z\": %.6g, \"p\": %.6g", results[i].z, results[i].p);
		appendStringInfoChar(&text, '}');
	}
	appendStringInfoChar(&text, ']');
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data)));
}

/* Have enough people of each arm had their time?  Cheaper to find out than what
 * came of them. */
static bool
time_has_come(const SplitTest *test, const SplitRule *rule)
{
	return wf_engine_sql("SELECT FROM automation.split s, automation.split_rule r, pg_catalog.unnest(s.arms) arm (name)"
						 " WHERE s.workflow = $1 AND s.split = $2 AND s.generation = $3 AND r.workflow = $1 AND r.split = $2"
						 " AND (SELECT pg_catalog.count(*) FROM (SELECT FROM automation.assignment a"
						 "  WHERE a.workflow = $1 AND a.split = $2 AND a.generation = $3 AND a.arm = arm.name AND NOT a.decided"
						 "  AND (a.at AT TIME ZONE 'UTC' + r.after) AT TIME ZONE 'UTC' <= automation.now() LIMIT $4) t) < $4 LIMIT 1",
						 "itii", test->workflow, test->split, test->generation, rule->at_least) == 0;
}

char *
wf_winner_decide(const SplitTest *test, const SplitRule *rule, TimestampTz now)
{
	ArmResult  *results;
	const char *reason;
	int			winner;

	for (int i = 0; test->people && i < test->narms; i++)
		if (test->people[i] < rule->at_least)
			return NULL;
	if (!time_has_come(test, rule))
		return NULL;
	results = load_results(test);
	for (int i = 0; i < test->narms; i++)
		if (results[i].people < rule->at_least)
			return NULL;
	winner = find_winner(test->narms, results, rule->confidence, &reason);
	insert_decision(test, test->arms[winner], reason, rule, results_as_jsonb(test, results), now);
	return pstrdup(test->arms[winner]);
}

/* --- the executor --- */

/* When the split may be looked at. */
static NextLook *
next_look_of(const SplitTest *test)
{
	int			key[3] = {test->workflow, test->generation, (int) string_hash(test->split, NAMEDATALEN)};
	NextLook   *look;
	bool		found;

	if (next_looks == NULL)
	{
		HASHCTL		ctl;

		ctl.keysize = sizeof(key);
		ctl.entrysize = sizeof(NextLook);
		ctl.hcxt = TopMemoryContext;
		next_looks = hash_create("automation split tests", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	look = hash_search(next_looks, key, HASH_ENTER, &found);
	if (!found)
	{
		look->at = 0;
		look->running = false;
		look->failures = 0;
	}
	return look;
}

/* Have all arms so many people that it is worth a look? */
static bool
has_enough(const SplitTest *test, const SplitRule *rule)
{
	for (int i = 0; i < test->narms; i++)
		if (test->people[i] < rule->at_least)
			return false;
	return true;
}

char *
wf_winner_due(const SplitTest *test, TimestampTz now)
{
	char	   *winner = wf_winner_known(test);
	SplitRule  *rule;
	NextLook   *look;

	if (winner)
		return winner;
	rule = wf_split_rule_load(test->workflow, test->split);
	if (rule == NULL || !has_enough(test, rule))
		return NULL;
	look = next_look_of(test);
	if (look->at > now)
		return NULL;
	look->at = now + (int64) wf_recheck_interval * 1000;
	if (!wf_winner_lock(test->workflow, false))
		return NULL;
	winner = wf_winner_known(test);		/* by another session, meanwhile */
	if (winner)
		return winner;
	look->running = true;
	winner = wf_winner_decide(test, rule, now);
	look->running = false;
	look->failures = 0;
	return winner;
}

/* What was looked at may be undone.  A look that took too long, in company and
 * alone, is put off: dividing must not fail because deciding does. */
void
wf_winner_forget(void)
{
	HASH_SEQ_STATUS scan;
	NextLook   *look;

	if (next_looks == NULL)
		return;
	hash_seq_init(&scan, next_looks);
	while ((look = hash_seq_search(&scan)) != NULL)
	{
		if (!look->running)
			look->at = 0;
		else if (++look->failures < FAILURES_MAX)
			look->at = 0;
		else
			look->failures = 0;
		look->running = false;
	}
}
