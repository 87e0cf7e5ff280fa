/*
 * calendar.c -- triggers of automation.calendar and automation.holiday.
 *
 * A BEFORE row trigger refuses hours and zones that nobody could read later.  An
 * AFTER statement trigger tells the executor of everybody who owns a workflow that
 * a calendar has changed: it appends a command to the event log and no more,
 * whoever changes it.  The executor then takes the waits that are tied to calendars,
 * some at a time, and appends a wake for each, so that one that fails hinders no
 * other.  It does so in the order of all events: a wait that began before with the
 * old calendar has its row by then, one that begins later knows the new one.
 *
 * During a restore nothing is told: what waits there was computed with the
 * calendar that comes with it.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/rel.h"

#include "calendar.h"
#include "compat.h"
#include "enginesql.h"
#include "event.h"
#include "opening.h"
#include "register.h"
#include "store.h"
#include "wait.h"

PG_FUNCTION_INFO_V1(wf_calendar_check);
PG_FUNCTION_INFO_V1(wf_calendar_changed);

/* Wakes appended by one item. */
#define PIECE 1000

static TriggerData *
trigger_of(FunctionCallInfo fcinfo, bool row)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || (TRIGGER_FIRED_FOR_ROW(trigger->tg_event) != 0) != row ||
		RelationGetNamespace(trigger->tg_relation) != wf_store_namespace())
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this function is a trigger of automation.calendar and automation.holiday")));
	return trigger;
}

/* --- checking --- */

Datum
wf_calendar_check(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_of(fcinfo, true);
	HeapTuple	tuple = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;

	if (strcmp(RelationGetRelationName(trigger->tg_relation), "calendar") == 0)
		wf_calendar_check_row(tuple, RelationGetDescr(trigger->tg_relation));
	else
		wf_holiday_check_row(tuple, RelationGetDescr(trigger->tg_relation), check_function_bodies);
	return PointerGetDatum(tuple);
}

/* --- telling --- */

static void
append_command(int owner, int64 after)
{
	Event		event = {0};
	char	   *args = psprintf("{\"command\": \"calendar\", \"after\": %lld}", (long long) after);

	event.kind = EVENT_COMMAND;
	event.owner = owner;
	event.args = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(args)));
	wf_event_append(&event);
}

Datum
wf_calendar_changed(PG_FUNCTION_ARGS)
{
	List	   *owners;
	ListCell   *lc;

	(void) trigger_of(fcinfo, false);
	if (!check_function_bodies || !wf_engine_armed())
		return PointerGetDatum(NULL);
	owners = wf_engine_ids("SELECT o.id::bigint FROM automation.owner o, pg_catalog.pg_roles r"
						   " WHERE r.oid = o.role AND EXISTS (SELECT FROM automation.workflow w WHERE w.owner = o.id)", "");
	foreach(lc, owners)
		append_command((int) *(int64 *) lfirst(lc), 0);
	return PointerGetDatum(NULL);
}

/* See calendar.h. */
void
wf_calendar_wake(int owner, int64 after)
{
	List	   *ids = wf_wait_tied(wf_tie_calendar(), owner, after, PIECE);
	ListCell   *lc;

	foreach(lc, ids)
	{
		Event		event = {0};

		event.kind = EVENT_WAKE;
		event.owner = owner;
		event.target = *(int64 *) lfirst(lc);
		wf_event_append(&event);
	}
	if (list_length(ids) == PIECE)
		append_command(owner, *(int64 *) llast(ids));
}
