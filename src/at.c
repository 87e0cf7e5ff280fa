/*
 * at.c -- AT: when the moments of subjects come, and what happens then.
 *
 * Called by item.c and job_run.c, as the workflow's owner.  The moment of a
 * subject is computed when its row is made, when a column changes that AT or
 * TIME ZONE uses, and by a job for the rows that are there when the clause is
 * new; always by the current version.  It is armed if it lies behind the change
 * (not behind the time at which the executor comes to it), so a late executor
 * loses none, and what was past already never fires.
 *
 * When it comes it is computed again, for the time at which it was computed
 * first: another answer means that something changed unseen, and the new moment
 * counts.  Then WHEN is asked and the subject enters.  Whether there is a later
 * one is asked at the time it fired: a birthday comes again.
 *
 * An expression with now() in it may give a later moment at any time: if it
 * has none that is to come, it is asked again, a date or a timestamp at the next
 * midnight, anything else after automation.recheck_interval.
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "compat.h"
#include "due.h"
#include "enginesql.h"
#include "history.h"
#include "key.h"
#include "keyscan.h"
#include "owner.h"
#include "ready.h"
#include "settings.h"
#include "start.h"
#include "stat.h"
#include "subject.h"
#include "timer.h"

#define CLEAN_ROWS 1000
/* A moment of time that goes by does not come again sooner than this. */
#define MOMENTS_APART USECS_PER_SEC

void
wf_look_begin(Look *look, Program *program, const char *subject, TimestampTz now)
{
	Enrollment *e = palloc0(sizeof(Enrollment));

	look->program = program;
	look->args = wf_start_row_arguments(program, subject);
	look->now = now;
	look->level = NewGUCNestLevel();
	e->workflow = program->workflow;
	e->version = program->version;
	e->owner = program->owner;
	e->nargs = program->sig->nargs;
	e->args = look->args;
	e->entered_at = now;
	look->run = wf_run_create(program, e, now);
}

void
wf_look_end(Look *look)
{
	AtEOXact_GUC(true, look->level);
}

/* The moment, asked for a time; 0 = none. */
static TimestampTz
ask(const Look *look, const Moment *moment, TimestampTz asked_at)
{
	TimestampTz at = wf_run_moment(look->run, moment->at, asked_at);

	return TIMESTAMP_NOT_FINITE(at) ? 0 : at;
}

/* Does it look at what neither the row nor the engine's clock tells: what a
 * function of a user does? */
static bool
is_hidden(const Moment *moment)
{
	return moment->at->deps->volatile_function || moment->at->ties != NIL || (moment->at->swept && !moment->at->deps->now);
}

/* May it give another moment just because time goes by? */
static bool
goes_with_time(const Moment *moment)
{
	return moment->at->deps->now || moment->at->swept || is_hidden(moment);
}

/* When to ask again an expression that has no moment to come. */
static TimestampTz
next_look(const Moment *moment, TimestampTz now)
{
	Timestamp	local;

	if (!goes_with_time(moment))
		return 0;
	if (moment->at->until == UNTIL_TIMESTAMPTZ)
		return now + (int64) wf_recheck_interval * 1000;
	local = DatumGetTimestamp(DirectFunctionCall1(timestamptz_timestamp, TimestampTzGetDatum(now)));
	local -= ((local % USECS_PER_DAY) + USECS_PER_DAY) % USECS_PER_DAY;
	return Max(wf_clock_of_local(local + USECS_PER_DAY), now + 1);
}

/* Arms the moment if it lies behind "since". */
static void
arm(Due *due, const Look *look, const Moment *moment, TimestampTz since)
{
	TimestampTz at = ask(look, moment, look->now);
	TimestampTz look_at = 0;

	if (due->id != 0 && at != 0 && at == due->at)
		return;							/* it stands as it is, however late it is */
	if (at <= since || at <= due->fired_at)
	{
		at = 0;
		look_at = next_look(moment, look->now);
	}
	if (at == 0 && look_at == 0 && due->fired_at == 0)
	{
		wf_due_delete(due);
		return;
	}
	due->at = at;
	due->look_at = look_at;
	due->asked_at = look->now;
	wf_due_save(due);
}

/* All moments of a subject, by the current version. */
static void
compute(Program *program, int owner, int source, const char *subject, TimestampTz since, TimestampTz now)
{
	Look		look;

	wf_look_begin(&look, program, subject, now);
	if (!wf_frame_row_exists(look.run->frame, 0))
	{
		ListCell   *lc;

		foreach(lc, wf_due_of_row(owner, source, wf_key_lookup(subject)))
			if (((Due *) lfirst(lc))->workflow == program->workflow)
				wf_due_delete(lfirst(lc));
	}
	else
	{
		for (int i = 0; i < program->nmoments; i++)
			arm(wf_due_find(owner, program->workflow, i + 1, source, subject), &look, &program->moments[i], since);
	}
	wf_look_end(&look);
}

/* --- changes --- */

List *
wf_due_rules(const EventGroup *group)
{
	List	   *rules = NIL;

	for (int i = 0; i < group->nevents; i++)
		for (int j = 0; j < group->events[i].nhits; j++)
		{
			Rule	   *rule = wf_start_rule(HIT_RULE(group->events[i].hits[j]));

			if (rule && rule->kind == RULE_AT)
				rules = list_append_unique_ptr(rules, rule);
		}
	return rules;
}

static void fire(Due *due, Program *program, const WorkflowRow *row, const ItemOptions *options);

/* A timer that could not fire when its moment came. */
static void
fire_late(const Event *event, Program *program, const WorkflowRow *row, const ItemOptions *options)
{
	Due		   *due = wf_due_load(-event->target);

	if (due && due->owner == options->owner && due->at == event->at)
		fire(due, program, row, options);
}

/* That a rule's moment of the row is to be computed, as an event of its own. */
static Event
event_of_rule(const Event *event, const Rule *rule)
{
	Event		apart = *event;

	apart.kind = EVENT_ENTRY;
	apart.nhits = 1;
	apart.hits = palloc(sizeof(int));
	apart.hits[0] = rule->id << 2;
	apart.prints = NULL;
	apart.nties = 0;
	apart.old = apart.new = NULL;
	apart.old_key = NULL;
	return apart;
}

void
wf_due_change(const Event *event, const Rule *rule, const ItemOptions *options)
{
	WorkflowRow *row = wf_workflow_load(rule->workflow);
	const char *reason = NULL;
	Program    *program;
	int			level;

	if (row == NULL || event->key == NULL)
		return;
	program = wf_ready(rule->workflow, row->version, &row, &reason);
	if (row == NULL)
		return;
	if (program == NULL)
	{
		Event		parked = event_of_rule(event, rule);

		wf_start_park(&parked, rule->workflow, reason, options->now);
		return;
	}
	level = wf_config_enter(program->path, program->sig->config);
	if (event->target != 0)
		fire_late(event, program, row, options);
	else if (wf_chain_begin(event->seq, event->ncause, event->cause, program->workflow))
	{
		compute(program, options->owner, event->source, event->key, event->at, options->now);
		wf_chain_end();
	}
	wf_config_leave(level);
}

void
wf_due_row_gone(int owner, int source, const char *key)
{
	ListCell   *lc;

	foreach(lc, wf_due_of_row(owner, source, wf_key_lookup(key)))
		wf_due_delete(lfirst(lc));
}

/*
 * A key was updated.  Rows may have swapped theirs, so both keys are looked at:
 * whoever stands there now has the moments of it.  What has fired goes along
 * if nobody stands there yet.  Moments are computed by events of their own:
 * an error of the user's must not keep the key from being followed.
 */
void
wf_due_rekey(const Event *event, const char *old_key, const ItemOptions *options)
{
	char	   *new_lookup = wf_key_lookup(event->key);
	Event		copy;
	ListCell   *lc;

	if (wf_due_of_row(options->owner, event->source, new_lookup) == NIL)
	{
		foreach(lc, wf_due_of_row(options->owner, event->source, wf_key_lookup(old_key)))
		{
			Due		   *due = lfirst(lc);

			due->key = new_lookup;
			due->subject = event->key;
			wf_due_save(due);
		}
	}
	foreach(lc, wf_rules_of_source(event->source, NULL))
	{
		Rule	   *rule = lfirst(lc);

		if (rule->kind != RULE_AT || rule->owner != options->owner)
			continue;
		copy = event_of_rule(event, rule);
		copy.target = 0;
		copy.args = NULL;
		copy.key = unconstify(char *, old_key);
		wf_event_append(&copy);
		copy.key = event->key;
		wf_event_append(&copy);
	}
}

/* --- the moment has come --- */

/* Enters the subject, if WHEN holds. */
static void
enter(const Due *due, TimestampTz moment, Look *look, const WorkflowRow *row, const ItemOptions *options)
{
	Expression *when = look->program->moments[due->clause - 1].when;
	Entry		entry = {look->program, look->args, moment, 0, 0, 0, NULL};
	bool		holds = true;

	(void) wf_chain_begin(0, 0, NULL, look->program->workflow);
	if (when)
		holds = wf_expr_true(when, look->run->frame);
	wf_chain_end();
	if (holds)
		wf_enroll(&entry, strcmp(row->entry, "paused") == 0, options);
}

/*
 * Is it still the moment?  What a user's function says may have changed with the
 * clock it looks at: then the answer that was promised stands.
 */
static bool
still_holds(const Due *due, const Look *look, const Moment *moment)
{
	TimestampTz at = ask(look, moment, due->asked_at);

	return at == due->at || (is_hidden(moment) && at > due->at);
}

static void
fire(Due *due, Program *program, const WorkflowRow *row, const ItemOptions *options)
{
	Look		look;
	const Moment *moment;

	if (due->clause > program->nmoments)
	{
		wf_due_delete(due);				/* a clause of an earlier version */
		return;
	}
	moment = &program->moments[due->clause - 1];
	wf_look_begin(&look, program, due->subject, options->now);
	if (!wf_frame_row_exists(look.run->frame, 0))
	{
		if (look.run->frame->not_visible && due->at != 0)
			wf_history_refused(due->owner, due->workflow, program->version, 0, due->source, due->subject,
							   options->now, "subject_not_visible", NULL);
		wf_due_delete(due);
	}
	else if (due->at == 0 || !still_holds(due, &look, moment))
		arm(due, &look, moment, due->asked_at);
	else
	{
		TimestampTz at = due->at;

		due->fired_at = at;
		due->at = 0;
		/* one that is always just about to come would never let us go */
		arm(due, &look, moment, Max(at + MOMENTS_APART, options->now));
		enter(due, at, &look, row, options);
	}
	wf_look_end(&look);
}

/* The rule of AT that events of a workflow name; 0 = none. */
static int
rule_of(const Due *due)
{
	ListCell   *lc;

	foreach(lc, wf_rules_of_source(due->source, NULL))
	{
		Rule	   *rule = lfirst(lc);

		if (rule->kind == RULE_AT && rule->workflow == due->workflow)
			return rule->id;
	}
	return 0;
}

static void
make_event(const Due *due, int rule, Event *event)
{
	memset(event, 0, sizeof(Event));
	event->kind = EVENT_ENTRY;
	event->owner = due->owner;
	event->source = due->source;
	event->key = due->subject;
	event->target = -due->id;
	event->at = due->at;
	event->nhits = 1;
	event->hits = palloc(sizeof(int));
	event->hits[0] = rule << 2;
}

bool
wf_due_event(const DueTimer *timer, Event *event)
{
	Due		   *due = wf_due_load(-timer->enrollment);
	int			rule = due ? rule_of(due) : 0;

	if (due == NULL || due->epoch != timer->epoch)
		return false;
	if (rule == 0)
	{
		wf_due_delete(due);
		return false;
	}
	make_event(due, rule, event);
	return true;
}

void
wf_due_fire(const DueTimer *timer, const ItemOptions *options)
{
	Due		   *due = wf_due_load(-timer->enrollment);
	WorkflowRow *row = due ? wf_workflow_load(due->workflow) : NULL;
	const char *reason = NULL;
	Program    *program;
	int			level;

	if (row == NULL || due->owner != options->owner || due->epoch != timer->epoch)
		return;
	program = wf_ready(due->workflow, row->version, &row, &reason);
	if (row == NULL)
		return;
	if (program == NULL)
	{
		Event		event;

		if (wf_due_event(timer, &event))
			wf_start_park(&event, due->workflow, reason, options->now);
		return;
	}
	level = wf_config_enter(program->path, program->sig->config);
	fire(due, program, row, options);
	wf_config_leave(level);
}

void
wf_due_give_up(const Event *event, TimestampTz now)
{
	Due		   *due = event->target < 0 ? wf_due_load(-event->target) : NULL;

	if (due == NULL || due->at != event->at)
		return;
	due->fired_at = due->at;
	due->at = 0;
	due->look_at = now + USECS_PER_DAY;
	due->asked_at = now;
	wf_due_save(due);
}

/* --- rows that are there --- */

void
wf_due_register(const WorkflowRow *row)
{
	List	   *relations = wf_engine_ids("SELECT s.relation::oid::bigint FROM automation.rule r, automation.source s"
										  " WHERE r.workflow = $1 AND r.version = $2 AND r.kind = 'D' AND r.armed"
										  " AND s.id = r.source LIMIT 1", "ii", row->id, row->version);
	Job			job = {0};

	if (relations == NIL &&
		wf_engine_sql("SELECT FROM automation.due WHERE workflow = $1 LIMIT 1", "i", row->id) == 0 &&
		wf_engine_sql("SELECT FROM automation.job WHERE workflow = $1 AND kind = 'A' AND finished_at IS NULL LIMIT 1",
					  "i", row->id) == 0)
		return;
	job.owner = row->owner;
	job.workflow = row->id;
	job.version = row->version;
	job.kind = JOB_AT;
	job.total = relations == NIL ? -1 : wf_keyscan_estimate((Oid) *(int64 *) linitial(relations));
	wf_job_insert(&job);
}

/* Moments of clauses that the version has not got any more; true = no more of them. */
static bool
clean_up(Job *job)
{
	int64		after = strtoi64(job->position + 1, NULL, 10);
	List	   *rows = wf_due_of_workflow(job->workflow, after, CLEAN_ROWS);
	ListCell   *lc;

	foreach(lc, rows)
	{
		Due		   *due = lfirst(lc);

		after = due->id;
		if (due->clause > job->program->nmoments)
			wf_due_delete(due);
	}
	job->position = psprintf("#" INT64_FORMAT, after);
	return list_length(rows) < CLEAN_ROWS;
}

/* Leaves the moments of a row to an event of its own. */
static void
append_apart(const Job *job, int source, int rule, char *subject)
{
	Event		event = {0};

	event.kind = EVENT_ENTRY;
	event.owner = job->owner;
	event.source = source;
	event.key = subject;
	event.at = job->created_at;
	event.nhits = 1;
	event.hits = palloc(sizeof(int));
	event.hits[0] = rule << 2;
	wf_event_append(&event);
}

/* The position is a key, in its order; then "#" and the id of a moment. */
bool
wf_due_piece(Job *job, const ItemOptions *options)
{
	Program    *program = job->program;
	const Argument *subject = program->sig->nargs > 0 ? &program->sig->args[0] : NULL;
	int			source;
	Due			any = {0};
	int			rule;
	List	   *keys;
	ListCell   *lc;
	int			n = 0;

	if (job->version != program->version)
	{
		job->state = "cancelled";		/* a later version has a job of its own */
		return true;
	}
	if (job->position && job->position[0] == '#')
		return clean_up(job);
	source = subject && subject->is_row ? wf_subject_source(subject) : 0;
	any.source = source;
	any.workflow = job->workflow;
	rule = options->failure ? rule_of(&any) : 0;
	keys = program->nmoments > 0 ? wf_keyscan(subject, job->position, job->limit) : NIL;
	foreach(lc, keys)
	{
		char	   *key = lfirst(lc);

		if (rule != 0)
			append_apart(job, source, rule, key);
		else
			compute(program, job->owner, source, key, job->created_at, options->now);
		job->position = key;
		job->done++;
		n++;
		if (wf_job_time_over(job))
			break;
	}
	if (n == list_length(keys) && n < job->limit)
		job->position = "#0";
	return false;
}
