/*
 * goal.c -- goals: which are still to come, which is reached, and that it was.
 *
 * Called by interp.c inside an item, as the workflow's owner.  A goal pulls every
 * enrollment that stands above it, once; the enrollment remembers which it had,
 * and which it went past.
 *
 * automation.goal_reached is written by SQL, in the engine's scope: its capture
 * trigger fires like a user table's, so that other workflows start from a row of
 * it, with the chain of causes of this item.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "enginesql.h"
#include "goal.h"
#include "history.h"
#include "interp_wait.h"
#include "json_member.h"
#include "stat.h"

static bool
is_member(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	return false;
}

bool
wf_goal_is_had(const Enrollment *e, const char *name)
{
	return is_member(e->goals, name);
}

/* Is it where a wait for it stands, or, at entry, the very first statement? */
static bool
counts_here(const Run *run)
{
	return run->entering || run->e->waiting != WAITING_NONE;
}

int
wf_goal_next(const Run *run, int i)
{
	const Program *program = run->program;

	for (i++; i < program->ngoals; i++)
	{
		const Statement *stmt = program->code[program->goals[i]].stmt;

		if (stmt->ordinal < run->e->statement || (stmt->ordinal == run->e->statement && !counts_here(run)))
			continue;
		if (!wf_goal_is_had(run->e, stmt->name.name))
			return i;
	}
	return -1;
}

int
wf_goal_due(Run *run)
{
	run->goals_due = false;
	for (int i = wf_goal_next(run, -1); i >= 0; i = wf_goal_next(run, i))
		if (wf_wait_ask(run, run->program->code[run->program->goals[i]].expr))
			return run->program->goals[i];
	return -1;
}

/* Detail of the history: {"goal": name}. */
static Jsonb *
goal_detail(const char *name)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	wf_json_text(&state, "goal", name);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* A row of automation.goal_reached and a line of the history. */
static void
record(Run *run, const Instruction *ins, const char *outcome, const char *reason)
{
	static SPIPlanPtr plan = NULL;
	Enrollment *e = run->e;
	const char *name = ins->stmt->name.name;

	e->statement = ins->stmt->ordinal;
	wf_engine_sql_kept(&plan, "INSERT INTO automation.goal_reached (workflow, workflow_id, signature, goal, outcome, subject,"
					   " subject_table, enrollment, version, owner, at)"
					   " SELECT coalesce(p.proname, w.signature), w.id, w.signature, $2, $3,"
					   " (SELECT pg_catalog.string_agg(coalesce(k.text, 'null'), ', ' ORDER BY k.n)"
					   " FROM pg_catalog.jsonb_array_elements_text($4::pg_catalog.jsonb) WITH ORDINALITY k (text, n)),"
					   " (SELECT s.relation FROM automation.source s WHERE s.id = $5), $6, $7, o.role, $8"
					   " FROM automation.workflow w JOIN automation.owner o ON o.id = w.owner"
					   " LEFT JOIN pg_catalog.pg_proc p ON p.oid = w.routine"
					   " WHERE w.id = $1", "itttiliz",
					   e->workflow, name, outcome, e->source != 0 ? e->args[0] : NULL, e->source, e->id, e->version, run->now);
	wf_history_write(e, run->now, "goal", reason, goal_detail(name));
}

void
wf_goal_achieved(Run *run, const Instruction *ins)
{
	bool		entering = run->entering;

	wf_run_set_found(run, true);
	run->e->goals = lappend(run->e->goals, ins->stmt->name.name);
	record(run, ins, entering ? "achieved at entry" : "achieved", entering ? "achieved_at_entry" : "achieved");
}

/* Only the first time: the flow may come here again. */
void
wf_goal_skipped(Run *run, const Instruction *ins)
{
	if (is_member(run->e->goals_skipped, ins->stmt->name.name))
		return;
	run->e->goals_skipped = lappend(run->e->goals_skipped, ins->stmt->name.name);
	record(run, ins, "skipped", "skipped");
}
