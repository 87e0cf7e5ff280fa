/*
 * item.c -- doing one item: a change, an entry, a wake, a timer, a command.
 *
 * Called by batch.c, inside its transaction, in the item's memory context.
 * Consuming the item (deleting its event, timer or parked row) and its effects
 * commit together.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "again.h"
#include "blame.h"
#include "calendar.h"
#include "commands.h"
#include "compat.h"
#include "due.h"
#include "every.h"
#include "history.h"
#include "item.h"
#include "job.h"
#include "key.h"
#include "ledger.h"
#include "rekey.h"
#include "rule.h"
#include "settings.h"
#include "start.h"
#include "stat.h"
#include "subject.h"
#include "tied.h"
#include "wait.h"

/* --- changes --- */

/* Is the row gone at the end of the group? */
static bool
row_dies(const EventGroup *group)
{
	return group->events[group->nevents - 1].kind == EVENT_DELETE;
}

/* Does the group say anything to enrollments that exist?  Start rules don't. */
static bool
concerns_enrollments(const EventGroup *group)
{
	int			i;
	int			j;

	if (row_dies(group))
		return true;
	for (i = 0; i < group->nevents; i++)
	{
		if (group->events[i].old_key)
			return true;
		for (j = 0; j < group->events[i].nhits; j++)
		{
			Rule	   *rule = wf_start_rule(HIT_RULE(group->events[i].hits[j]));

			if (rule && rule->kind == RULE_WAKE)
				return true;
		}
	}
	return false;
}

/* The key was updated: what is kept under the old one follows. */
static void
follow_keys(Engine *engine, const EventGroup *group, const ItemOptions *options)
{
	const Event *last = &group->events[group->nevents - 1];
	int			i;

	for (i = 0; i < group->nevents; i++)
		if (group->events[i].old_key)
		{
			wf_rekey(engine->owner, last->source, U64FromFullTransactionId(last->xact),
					 group->events[i].old_key, last->key);
			wf_due_rekey(last, group->events[i].old_key, options);
			break;						/* from the first key to the last */
		}
}

/* An enrollment that holds the changed row wakes, or ends with its subject. */
static void
wake_holder(Engine *engine, int64 id, const Event *last, const char *lookup, const ItemOptions *options)
{
	bool		deleted = false;

	if (last->kind == EVENT_DELETE)
	{
		Enrollment *e = wf_enrollment_load(id);

		if (e == NULL || e->owner != engine->owner)
			return;
		deleted = e->source == last->source && e->key && strcmp(wf_rekey_plain(e->key), lookup) == 0;
	}
	wf_wake(id, WAKE_BY_CHANGE, last->at, 0, deleted, options);
}

/* Enrollments that hold the row. */
static List *
holders(const EventGroup *group, char **lookup)
{
	const Event *last = &group->events[group->nevents - 1];

	if (last->key == NULL || !concerns_enrollments(group))
		return NIL;
	*lookup = wf_key_lookup(last->key);
	return row_dies(group) ? wf_rekey_holders(last->source, *lookup) :
		wf_enrollments_of_row(last->source, *lookup);
}

/* The event that stands for a rule of AT alone. */
static Event
moment_event(const EventGroup *group, const Rule *rule)
{
	Event		event = group->events[group->nevents - 1];

	event.kind = EVENT_ENTRY;
	event.owner = rule->owner;
	event.nhits = 1;
	event.hits = palloc(sizeof(int));
	event.hits[0] = rule->id << 2;
	event.prints = NULL;
	event.nties = 0;
	event.old = event.new = NULL;
	event.old_key = NULL;
	event.target = 0;
	event.args = NULL;
	return event;
}

/* Moments of AT that the change moves; with its row they go. */
static void
run_moments(Engine *engine, const EventGroup *group, const ItemOptions *options)
{
	const Event *last = &group->events[group->nevents - 1];
	ListCell   *lc;

	if (row_dies(group))
	{
		if (last->key)
			wf_due_row_gone(engine->owner, last->source, last->key);
		return;
	}
	foreach(lc, wf_due_rules(group))
	{
		Rule	   *rule = lfirst(lc);
		Event		event = moment_event(group, rule);

		if (rule->owner == engine->owner)
			wf_due_change(&event, rule, options);
		else
			wf_event_append(&event);
		CommandCounterIncrement();
	}
}

/* A change of a row: first those inside, who hold it and then who wait for it,
 * then those who enter. */
static void
run_change(Engine *engine, const EventGroup *group, const ItemOptions *options)
{
	const Event *last = &group->events[group->nevents - 1];
	char	   *lookup = NULL;
	List	   *ids;
	ListCell   *lc;

	follow_keys(engine, group, options);
	ids = holders(group, &lookup);
	foreach(lc, ids)
	{
		wake_holder(engine, *(int64 *) lfirst(lc), last, lookup, options);
		CommandCounterIncrement();
	}
	wf_tied_run(engine, group, ids, options);
	run_moments(engine, group, options);
	foreach(lc, wf_start_fired(group))
	{
		Fired	   *fired = lfirst(lc);
		Event		event = wf_start_derived(fired, group);

		if (fired->rule->owner == engine->owner)
			wf_start_rule_run(&event, fired->rule, false, options);
		else
			wf_event_append(&event);	/* the workflow has another owner now */
		CommandCounterIncrement();
	}
}

/* Appends a part of a change; one that may be a killer is known as such. */
static void
append_part(Engine *engine, Event *event, int deaths)
{
	wf_event_append(event);
	if (deaths > 0)
		wf_engine_suspect(engine, ITEM_GROUP, event->seq, deaths);
}

/*
 * A change that failed as a whole is taken apart: each rule and each wake
 * becomes an event of its own, so that only the culprit fails again.  deaths:
 * of processes that the parts begin with.
 */
static void
take_apart(Engine *engine, const EventGroup *group, int deaths, const ItemOptions *options)
{
	const Event *last = &group->events[group->nevents - 1];
	char	   *lookup = NULL;
	List	   *ids;
	ListCell   *lc;

	follow_keys(engine, group, options);
	ids = holders(group, &lookup);
	foreach(lc, ids)
	{
		Event		wake = *last;

		if (last->kind == EVENT_DELETE)
		{
			wake_holder(engine, *(int64 *) lfirst(lc), last, lookup, options);
			continue;
		}
		wake.kind = EVENT_WAKE;
		wake.target = *(int64 *) lfirst(lc);
		wake.nhits = 0;
		wake.prints = NULL;
		wake.nties = 0;
		wake.old = wake.new = NULL;
		append_part(engine, &wake, deaths);
	}
	wf_tied_apart(engine, group, deaths, options);
	if (row_dies(group))
		run_moments(engine, group, options);
	else
		foreach(lc, wf_due_rules(group))
		{
			Event		event = moment_event(group, lfirst(lc));

			append_part(engine, &event, deaths);
		}
	foreach(lc, wf_start_fired(group))
	{
		Event		event = wf_start_derived(lfirst(lc), group);

		append_part(engine, &event, deaths);
	}
}

/* --- commands --- */

static char *
field_of(Jsonb *args, const char *name)
{
	JsonbValue	key;
	JsonbValue *value;

	if (args == NULL)
		return NULL;
	key.type = jbvString;
	key.val.string.val = unconstify(char *, name);
	key.val.string.len = strlen(name);
	value = findJsonbValueFromContainer(&args->root, JB_FOBJECT, &key);
	if (value == NULL || value->type == jbvNull)
		return NULL;
	if (value->type == jbvNumeric)
		return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	return pnstrdup(value->val.string.val, value->val.string.len);
}

/* unenroll with a subject instead of an id. */
static void
unenroll_subject(Engine *engine, const Event *event, int workflow, const char *reason, TimestampTz now)
{
	WorkflowRow *row = wf_workflow_load(workflow);
	Signature  *sig = row ? wf_signature_load(row->routine) : NULL;
	ListCell   *lc;
	char	   *lookup;

	if (event->key == NULL || sig == NULL)
		return;
	lookup = wf_key_lookup(wf_subject_key(&sig->args[0], event->key));
	foreach(lc, wf_enrollments_of_row(event->source, lookup))
	{
		Enrollment *e = wf_enrollment_load(*(int64 *) lfirst(lc));

		if (e && e->owner == engine->owner && e->workflow == workflow &&
			e->source == event->source && strcmp(e->key, lookup) == 0)
			wf_end(e, now, reason);
	}
}

static void
run_command(Engine *engine, const Event *event, const ItemOptions *options)
{
	char	   *command = field_of(event->args, "command");
	char	   *reason = field_of(event->args, "reason");
	char	   *workflow = field_of(event->args, "workflow");

	if (command == NULL)
		return;
	if (strcmp(command, "tick") == 0)
	{
		if (event->key)
			wf_every_tick(event->key, reason, options);
		return;
	}
	if (strcmp(command, "cancel_job") == 0)
	{
		if (reason && workflow)
			wf_job_cancel(strtoi64(reason, NULL, 10), pg_strtoint32(workflow), options->now);
		return;
	}
	if (strcmp(command, "calendar") == 0)
	{
		char	   *after = field_of(event->args, "after");

		wf_calendar_wake(engine->owner, after ? strtoi64(after, NULL, 10) : 0);
		return;
	}
	if (strcmp(command, "release") == 0 && event->target == 0)
	{
		if (workflow)
			wf_job_release(pg_strtoint32(workflow), options->now);
		return;
	}
	if (strcmp(command, "allow_again") == 0)
	{
		if (workflow)
			wf_again_run(event, pg_strtoint32(workflow), engine->owner, options->now);
		return;
	}
	if (strcmp(command, "hold") == 0)
	{
		wf_hold_for(event->target, reason, options);
		return;
	}
	if (strcmp(command, "unenroll") != 0)
	{
		if (!wf_held_for_another(event->target, reason))
			wf_wake(event->target, WAKE_BY_COMMAND, options->now, 0, false, options);
		return;
	}
	if (event->target != 0)
	{
		Enrollment *e = wf_enrollment_load(event->target);

		if (e && e->owner == engine->owner)
			wf_end(e, options->now, reason ? reason : "manual");
	}
	else if (workflow)
		unenroll_subject(engine, event, pg_strtoint32(workflow), reason ? reason : "manual", options->now);
}

/* --- dispatch --- */

/* Whom an event is for now: a workflow may have changed hands since. */
static int
owner_now(const Event *event)
{
	if (event->kind == EVENT_ENTRY)
	{
		Rule	   *rule = wf_start_rule(HIT_RULE(event->hits[0]));

		return rule ? rule->owner : event->owner;
	}
	if (event->kind == EVENT_HAND)
	{
		WorkflowRow *row = wf_workflow_load(HIT_RULE(event->hits[0]));

		return row ? row->owner : event->owner;
	}
	if (event->target != 0)
	{
		Enrollment *e = wf_enrollment_load(event->target);

		return e ? e->owner : event->owner;
	}
	if (event->kind == EVENT_WAKE && event->nhits > 0)
	{
		Rule	   *rule = wf_start_rule(HIT_RULE(event->hits[0]));

		return rule ? rule->owner : event->owner;
	}
	return event->owner;
}

/* One event that stands alone: derived, by hand, wake, command. */
static void
run_event(Engine *engine, const Event *event, const ItemOptions *options)
{
	int			owner = owner_now(event);

	if (owner != engine->owner)
	{
		Event		forwarded = *event;

		forwarded.owner = owner;
		wf_event_append(&forwarded);
		return;
	}
	switch (event->kind)
	{
		case EVENT_ENTRY:
			if (event->args == NULL)
			{
				Rule	   *rule = wf_start_rule(HIT_RULE(event->hits[0]));

				if (rule && rule->kind == RULE_AT)
					wf_due_change(event, rule, options);
				else if (rule)
					wf_start_rule_run(event, rule, false, options);
				break;
			}
			/* FALLTHROUGH */
		case EVENT_HAND:
			wf_start_entry(event, options);
			break;
		case EVENT_WAKE:
			if (event->nhits > 0)
				wf_tied_event(engine, event, options);
			else
				wf_wake(event->target, WAKE_BY_CHANGE, event->at, 0, false, options);
			break;
		case EVENT_COMMAND:
			run_command(engine, event, options);
			break;
		default:
			elog(WARNING, "unknown kind of event \"%c\"", event->kind);
	}
}

static bool
is_change(const EventGroup *group)
{
	return group->events[0].kind == EVENT_INSERT || group->events[0].kind == EVENT_UPDATE ||
		group->events[0].kind == EVENT_DELETE;
}

/* The licence to act on the group. */
static void
consume_group(Engine *engine, EventGroup *group)
{
	wf_event_consume(engine->reader, group);
	wf_stat_add(STAT_EVENTS, group->nevents);
	wf_stat_waited(LATENCY_EVENT, group->events[0].at);
}

/* Put aside because its workflow was paused, and entries did not queue. */
static bool
is_missed(const Parked *parked)
{
	return strcmp(parked->reason, "paused") == 0;
}

/* Does the item and consumes it. */
void
wf_item_run(Engine *engine, const WorkItem *item, const ItemOptions *options)
{
	ItemOptions with = *options;

	switch ((ItemKind) item->key.kind)
	{
		case ITEM_GROUP:
			consume_group(engine, item->group);
			if (is_change(item->group))
				run_change(engine, item->group, options);
			else
				run_event(engine, &item->group->events[0], options);
			break;
		case ITEM_PARKED:
			wf_parked_delete(item->parked);
			with.missed = is_missed(item->parked);
			run_event(engine, &item->parked->event, &with);
			break;
		case ITEM_TIMER:
			if (wf_timer_consume(&item->timer))
			{
				wf_stat_waited(LATENCY_TIMER, item->timer.at);
				if (item->timer.enrollment < 0)
					wf_due_fire(&item->timer, options);
				else
					wf_wake(item->timer.enrollment, WAKE_BY_TIMER, item->timer.at, item->timer.epoch,
						false, options);
			}
			else
				engine->alone = false;	/* settled before: this proves nothing of a suspect */
			break;
		case ITEM_SWEEP:
			wf_stat_count(STAT_SWEPT);
			wf_wake(item->timer.enrollment, WAKE_BY_SWEEP, options->now, 0, false, options);
			break;
		case ITEM_JOB:
			wf_job_run(item->key.id, options);
			break;
	}
}

/* --- after a failure --- */

/* The last attempt is over: the event ends here, with a line in the history. */
static void
give_up(const Event *event, const Failure *failure, TimestampTz now)
{
	Rule	   *rule = event->kind == EVENT_ENTRY ? wf_start_rule(HIT_RULE(event->hits[0])) : NULL;
	int			workflow = rule ? rule->workflow : (event->nhits > 0 ? HIT_RULE(event->hits[0]) : 0);

	if (rule && rule->kind == RULE_AT)
		wf_due_give_up(event, now);
	wf_stat_count(STAT_REFUSED);
	wf_history_refused(event->owner, workflow, rule ? rule->version : 0,
					   event->kind == EVENT_HAND ? event->target : 0,
					   event->source, event->key, now,
					   failure->kind == FAILURE_CRASH ? "suspected_crash" : "entry_failed", failure->error);
	if (event->kind == EVENT_HAND)
		wf_call_close(event->target);
}

/* A moment that could not be computed, or asked about: nothing of the user's may
 * be evaluated if that killed. */
static void
settle_moment(const Event *event, const Rule *rule, const ItemOptions *with)
{
	if (with->failure->kind == FAILURE_CRASH)
		give_up(event, with->failure, with->now);
	else
		wf_due_change(event, rule, with);
}

/* A timer of AT has failed; its row is deleted. */
static void
settle_due(const DueTimer *timer, const ItemOptions *with)
{
	Event		event;

	if (with->failure->kind != FAILURE_CRASH)
		wf_due_fire(timer, with);
	else if (wf_due_event(timer, &event))
		give_up(&event, with->failure, with->now);
}

/* An event that stands alone has failed: taken apart once more, or recorded. */
static void
settle_event(Engine *engine, const Event *event, const ItemOptions *options)
{
	if (event->kind == EVENT_ENTRY && event->args == NULL)
	{
		Rule	   *rule = wf_start_rule(HIT_RULE(event->hits[0]));

		if (rule && rule->kind == RULE_AT)
			settle_moment(event, rule, options);
		else if (rule)
			wf_start_rule_run(event, rule, options->failure->kind != FAILURE_CRASH, options);
		return;
	}
	run_event(engine, event, options);
}

/* Is there only one enrollment or workflow that the change can be for? */
static bool
concerns_one(const EventGroup *group)
{
	char	   *lookup = NULL;

	return !wf_tied_concerns(group) &&
		list_length(holders(group, &lookup)) + list_length(wf_start_fired(group)) +
		(row_dies(group) ? 0 : list_length(wf_due_rules(group))) == 1;
}

/* A change that kills whoever runs it, and there is only one it can be for: that
 * one is held. */
static void
hold_culprit(Engine *engine, const EventGroup *group, const ItemOptions *with)
{
	char	   *lookup = NULL;
	List	   *ids = holders(group, &lookup);

	follow_keys(engine, group, with);
	if (ids != NIL)
		wake_holder(engine, *(int64 *) linitial(ids), &group->events[group->nevents - 1], lookup, with);
	else
	{
		List	   *fired = wf_start_fired(group);
		Event		event = fired != NIL ? wf_start_derived(linitial(fired), group) :
			moment_event(group, linitial(wf_due_rules(group)));

		settle_event(engine, &event, with);
	}
}

/* A change that failed, or killed: then each part is held at its first death. */
static void
settle_change(Engine *engine, const EventGroup *group, const ItemOptions *with)
{
	ItemOptions without = *with;

	without.failure = NULL;
	if (with->failure->kind != FAILURE_CRASH)
		take_apart(engine, group, 0, &without);
	else if (concerns_one(group))
		hold_culprit(engine, group, with);
	else
		take_apart(engine, group, BLAME_MAX_DEATHS - 1, &without);
}

/* Has a lock kept a part of a change from finding out whom it is for? */
static bool
is_locked_out(const WorkItem *item, const Failure *failure)
{
	if (failure->kind != FAILURE_LOCKED)
		return false;
	return (item->key.kind == ITEM_GROUP && wf_tied_walks(&item->group->events[0])) ||
		(item->key.kind == ITEM_PARKED && wf_tied_walks(&item->parked->event));
}

/* Settles a failed item; see item.h. */
void
wf_item_settle(Engine *engine, const WorkItem *item, const Failure *failure, const ItemOptions *options)
{
	ItemOptions with = *options;

	if (is_locked_out(item, failure))
	{
		wf_item_park(engine, item, failure, options->now);
		return;
	}
	with.failure = unconstify(Failure *, failure);
	switch ((ItemKind) item->key.kind)
	{
		case ITEM_GROUP:
			consume_group(engine, item->group);
			if (is_change(item->group))
				settle_change(engine, item->group, &with);
			else
				settle_event(engine, &item->group->events[0], &with);
			break;
		case ITEM_PARKED:
			wf_parked_delete(item->parked);
			with.missed = is_missed(item->parked);
			settle_event(engine, &item->parked->event, &with);
			break;
		case ITEM_TIMER:
			if (!wf_timer_consume(&item->timer))
				break;
			if (item->timer.enrollment < 0)
				settle_due(&item->timer, &with);
			else
				wf_wake(item->timer.enrollment, WAKE_BY_TIMER, item->timer.at, item->timer.epoch,
						false, &with);
			break;
		case ITEM_SWEEP:
			wf_wake(item->timer.enrollment, WAKE_BY_SWEEP, options->now, 0, false, &with);
			break;
		case ITEM_JOB:
			wf_job_settle(item->key.id, failure, options);
			break;
	}
}

/* An entry ends here; what is for an enrollment holds it, which evaluates nothing. */
static void
drop_event(Engine *engine, const Event *event, const Failure *failure, const ItemOptions *options)
{
	ItemOptions with = *options;

	with.failure = unconstify(Failure *, failure);
	if (event->kind == EVENT_ENTRY || event->kind == EVENT_HAND)
		give_up(event, failure, options->now);
	else
		run_event(engine, event, &with);
}

/*
 * An enrollment whose new state can't be written, as when its row is damaged:
 * it is asked again when the longest pause between two attempts is over, and
 * does not stand in the way of the others.
 */
static void
postpone(Engine *engine, const WorkItem *item, const Failure *failure, TimestampTz now)
{
	bool		is_error = failure->kind == FAILURE_ERROR;
	TimestampTz at = wf_retry_at(now, is_error ? wf_max_attempts : failure->conflicts, failure->kind);

	if (item->key.kind == ITEM_SWEEP)
		engine->sweep_after = item->timer.enrollment;
	else if (wf_timer_consume(&item->timer))
		wf_timer_insert(engine->owner, at, item->timer.enrollment, item->timer.epoch);
	if (is_error)
		ereport(LOG,
				(errmsg("automation could neither run an enrollment nor record its error"),
				 errdetail("Enrollment %lld in database \"%s\".", (long long) item->timer.enrollment,
						   get_database_name(MyDatabaseId))));
}

/* Puts an event aside; see item.h. */
void
wf_item_park(Engine *engine, const WorkItem *item, const Failure *failure, TimestampTz now)
{
	Parked		parked;
	int			attempt = 0;

	memset(&parked, 0, sizeof(parked));
	if (item->key.kind == ITEM_GROUP)
	{
		if (is_change(item->group))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg_internal("a change is taken apart, not put aside")));
		parked.event = item->group->events[0];
		consume_group(engine, item->group);
	}
	else if (item->key.kind == ITEM_PARKED)
	{
		parked.id = item->parked->id;	/* by which it is known how often it met a lock */
		parked.event = item->parked->event;
		attempt = item->parked->attempt;
		wf_parked_delete(item->parked);
	}
	else if (item->key.kind == ITEM_TIMER && item->timer.enrollment < 0)
	{
		if (!wf_timer_consume(&item->timer) || !wf_due_event(&item->timer, &parked.event))
			return;
	}
	else
	{
		if (item->key.kind == ITEM_JOB)
			wf_job_put_off(item->key.id, failure, now);
		else
			postpone(engine, item, failure, now);
		return;
	}
	if (failure->kind == FAILURE_ERROR && ++attempt >= wf_max_attempts)
	{
		give_up(&parked.event, failure, now);
		return;
	}
	parked.attempt = attempt;
	parked.retry_at = wf_retry_at(now, failure->kind == FAILURE_ERROR ? attempt : failure->conflicts,
								  failure->kind);
	parked.reason = failure->kind == FAILURE_ERROR ? "error" : "locked";
	parked.error = failure->error;
	wf_parked_insert(&parked);
}

/* Drops an item unseen; see item.h. */
void
wf_item_discard(Engine *engine, const WorkItem *item, const Failure *failure, const ItemOptions *options)
{
	if (item->key.kind == ITEM_GROUP)
	{
		consume_group(engine, item->group);
		if (is_change(item->group))
			take_apart(engine, item->group,
					   concerns_one(item->group) ? BLAME_MAX_DEATHS + 1 : BLAME_MAX_DEATHS - 1, options);
		else
			drop_event(engine, &item->group->events[0], failure, options);
	}
	else if (item->key.kind == ITEM_PARKED)
	{
		wf_parked_delete(item->parked);
		drop_event(engine, &item->parked->event, failure, options);
	}
	else if (item->key.kind == ITEM_JOB)
		wf_job_put_off(item->key.id, failure, options->now);
	else
		wf_item_settle(engine, item, failure, options);		/* evaluates nothing */
}
