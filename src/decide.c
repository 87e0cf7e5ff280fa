/*
 * decide.c -- automation.decide(): how the winner of a SPLIT is found, or who it is.
 *
 * Called by SQL, with the rights of the caller, who must be the owner of the
 * workflow.  Names are looked up in the text of its current version.  What is
 * declared or decided takes effect when the transaction commits; meanwhile the
 * executor decides nothing about this workflow, but goes on dividing.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "commands.h"
#include "compat.h"
#include "enginesql.h"
#include "parser.h"
#include "signature.h"
#include "winner.h"

#define AFTER_MAX_YEARS 100

PG_FUNCTION_INFO_V1(wf_decide);

enum
{
	ARG_WORKFLOW, ARG_SPLIT, ARG_GOAL, ARG_AFTER, ARG_AT_LEAST, ARG_CONFIDENCE, ARG_WINNER
};

/* What the current version says. */
typedef struct Request
{
	WorkflowRow *row;
	const Statement *split;
	List	   *splits;					/* of char *: names of all splits */
	List	   *goals;					/* of char * */
} Request;

/* --- names --- */

static void
collect(Request *request, List *statements, const char *name)
{
	ListCell   *lc;
	ListCell   *lb;

	foreach(lc, statements)
	{
		Statement  *stmt = lfirst(lc);

		if (stmt->kind == STMT_GOAL)
			request->goals = lappend(request->goals, stmt->name.name);
		else if (stmt->kind == STMT_SPLIT)
		{
			request->splits = lappend(request->splits, stmt->name.name);
			if (strcmp(stmt->name.name, name) == 0)
				request->split = stmt;
		}
		foreach(lb, stmt->branches)
			collect(request, ((Branch *) lfirst(lb))->statements, name);
	}
}

static void
refuse_name(const Request *request, const char *what, const char *name, List *known)
{
	const char *nearest = wf_nearest_name(name, known);

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("workflow %s has no %s \"%s\"", request->row->signature, what, name),
			 nearest ? errhint("Did you mean \"%s\"?", nearest) :
			 known == NIL ? errhint("It has none at all.") : errhint("It has \"%s\".", (char *) linitial(known))));
}

static bool
is_among(const char *name, const List *names)
{
	ListCell   *lc;

	foreach(lc, names)
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	return false;
}

static char *
text_argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

static void
refuse_missing(const char *argument)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" is missing", argument)));
}

static void
load_request(Request *request, const char *workflow, const char *split)
{
	Signature  *sig;

	request->row = wf_workflow_named(workflow);
	wf_workflow_require_owner(request->row);
	sig = wf_signature_load(request->row->routine);
	if (sig == NULL)
		elog(ERROR, "function of workflow %d is gone", request->row->id);
	collect(request, wf_parse(sig->source)->statements, split);
	if (request->split == NULL)
		refuse_name(request, "split", split, request->splits);
}

/* --- the generation --- */

static List *
arm_names(const Statement *stmt)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, stmt->arms)
		names = lappend(names, ((Arm *) lfirst(lc))->name.name);
	return names;
}

/*
 * The generation that the current version divides people over: the youngest one
 * if it has the same arms.  False: nobody has got an arm of it yet.
 */
static bool
find_generation(const Request *request, SplitTest *test)
{
	const Statement *stmt = request->split;
	bool		even = ((Arm *) linitial(stmt->arms))->percent == NULL;
	List	   *names = arm_names(stmt);
	List	   *arms;
	List	   *ids = wf_engine_ids("SELECT s.generation::bigint FROM automation.split s"
									" WHERE s.workflow = $1 AND s.split = $2 AND s.version <= $3 AND s.even = $4"
									" AND s.generation = (SELECT t.generation FROM automation.split t WHERE t.workflow = $1"
									"  AND t.split = $2 AND t.version <= $3 ORDER BY t.version DESC, t.generation DESC LIMIT 1)",
									"itib", request->row->id, stmt->name.name, request->row->version, even);
	ListCell   *lc;

	if (ids == NIL)
		return false;
	test->workflow = request->row->id;
	test->split = stmt->name.name;
	test->generation = (int) *(int64 *) linitial(ids);
	test->version = request->row->version;
	arms = wf_engine_texts("SELECT pg_catalog.unnest(s.arms) FROM automation.split s"
						   " WHERE s.workflow = $1 AND s.split = $2 AND s.generation = $3", "iti",
						   test->workflow, test->split, test->generation);
	if (list_length(arms) != list_length(names))
		return false;
	test->arms = palloc(sizeof(char *) * list_length(arms));
	foreach(lc, arms)
	{
		if (!is_among(lfirst(lc), names))
			return false;
		test->arms[test->narms++] = lfirst(lc);
	}
	return true;
}

/* --- the rule --- */

static bool
same_rule(const SplitRule *one, const SplitRule *other)
{
	return strcmp(one->goal, other->goal) == 0 && one->at_least == other->at_least &&
		one->confidence == other->confidence &&
		DatumGetBool(DirectFunctionCall2(interval_eq, IntervalPGetDatum(one->after), IntervalPGetDatum(other->after)));
}

static void
check_rule(const Request *request, const SplitRule *rule)
{
	Interval	zero = {0, 0, 0};
	Interval	most = {.month = AFTER_MAX_YEARS * MONTHS_PER_YEAR};

	if (!is_among(rule->goal, request->goals))
		refuse_name(request, "goal", rule->goal, request->goals);
	if (list_length(request->split->arms) < 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("split \"%s\" has only one arm", request->split->name.name)));
	if (WF_COMPAT_INTERVAL_NOT_FINITE(rule->after) ||
		!DatumGetBool(DirectFunctionCall2(interval_gt, IntervalPGetDatum(rule->after), IntervalPGetDatum(&zero))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"after\" must be a time to pass")));
	/* automation.splits counts with it, for everybody */
	if (DatumGetBool(DirectFunctionCall2(interval_gt, IntervalPGetDatum(rule->after), IntervalPGetDatum(&most))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"after\" must be %d years at most", AFTER_MAX_YEARS)));
	if (rule->at_least < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"at_least\" must be at least 1")));
	if (!(rule->confidence >= 0.5 && rule->confidence < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"confidence\" must be from 0.5 to below 1, as 0.95")));
}

/* The rule that was given; NULL: none was. */
static SplitRule *
rule_of_arguments(FunctionCallInfo fcinfo)
{
	SplitRule  *rule;

	if (PG_ARGISNULL(ARG_GOAL))
	{
		if (!PG_ARGISNULL(ARG_AFTER) || !PG_ARGISNULL(ARG_AT_LEAST))
			refuse_missing("goal");
		return NULL;
	}
	if (PG_ARGISNULL(ARG_AFTER))
		refuse_missing("after");
	if (PG_ARGISNULL(ARG_AT_LEAST))
		refuse_missing("at_least");
	if (PG_ARGISNULL(ARG_CONFIDENCE))
		refuse_missing("confidence");
	if (!PG_ARGISNULL(ARG_WINNER))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a split is decided either by a goal or by naming the winner")));
	rule = palloc(sizeof(SplitRule));
	rule->goal = text_argument(fcinfo, ARG_GOAL);
	rule->after = PG_GETARG_INTERVAL_P(ARG_AFTER);
	rule->at_least = PG_GETARG_INT32(ARG_AT_LEAST);
	rule->confidence = PG_GETARG_FLOAT8(ARG_CONFIDENCE);
	return rule;
}

static void
refuse_decided(const Request *request, const char *winner)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("split \"%s\" of %s is decided: %s", request->split->name.name, request->row->signature, winner),
			 errhint("Other arms begin another test; winner => ... names another winner by hand.")));
}

/* Declares the rule, unless it is declared already; then asks. */
static char *
decide_by_rule(const Request *request, const SplitRule *given)
{
	SplitTest	test = {0};
	bool		begun = find_generation(request, &test);
	char	   *winner = begun ? wf_winner_known(&test) : NULL;
	SplitRule  *rule = wf_split_rule_load(request->row->id, request->split->name.name);

	if (given && winner && !(rule && same_rule(rule, given)))
		refuse_decided(request, winner);
	if (given && !(rule && same_rule(rule, given)))
		wf_split_rule_save(request->row->id, request->split->name.name, given);
	if (!given && !rule && !winner)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("nothing is said about how split \"%s\" is decided", request->split->name.name),
				 errhint("Write SELECT automation.decide(workflow, split, goal => ..., after => ..., at_least => ...).")));
	if (winner || !begun)
		return winner;
	return wf_winner_decide(&test, given ? given : rule, wf_clock_now());
}

static char *
decide_by_hand(const Request *request, char *winner)
{
	SplitTest	test = {0};
	List	   *names = arm_names(request->split);
	char	   *before;

	if (!is_among(winner, names))
		refuse_name(request, "arm", winner, names);
	if (!find_generation(request, &test))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("nobody has got an arm of split \"%s\" yet", request->split->name.name),
				 errhint("Give the arm 100 %% in the text of the workflow.")));
	before = wf_winner_known(&test);
	if (before == NULL || strcmp(before, winner) != 0)
		wf_winner_name(&test, winner, wf_clock_now());
	return winner;
}

Datum
wf_decide(PG_FUNCTION_ARGS)
{
	Request		request = {NULL};
	char	   *workflow = text_argument(fcinfo, ARG_WORKFLOW);
	char	   *split = text_argument(fcinfo, ARG_SPLIT);
	char	   *winner = text_argument(fcinfo, ARG_WINNER);
	SplitRule  *rule = rule_of_arguments(fcinfo);

	if (workflow == NULL)
		refuse_missing("workflow");
	if (split == NULL)
		refuse_missing("split");
	load_request(&request, workflow, split);
	if (rule)
		check_rule(&request, rule);
	(void) wf_winner_lock(request.row->id, true);
	winner = winner ? decide_by_hand(&request, winner) : decide_by_rule(&request, rule);
	if (winner == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(winner));
}
