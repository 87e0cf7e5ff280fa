/*
 * change.c -- WAIT FOR a change: what counts, what matches, what is kept for later.
 *
 * Called by interp_wait.c and resume.c inside an item, as the workflow's owner.
 *
 * A wait begins at the snapshot of the batch that registers it.  A change counts
 * if and only if its transaction is not visible in that snapshot, and, if it is of
 * the transaction that registers the wait, if it was made after that: numbers of
 * events are drawn in the order of what a process does.  A restored enrollment has
 * no snapshot: every event that is restored with it counts.
 *
 * A change that comes while its enrollment is held, retrying or failed is kept in
 * automation.parked, never due by time, and looked at before anything else when
 * the enrollment goes on.
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "change.h"
#include "compat.h"
#include "history.h"
#include "interp_wait.h"
#include "json_member.h"
#include "parked.h"
#include "sequence.h"
#include "store.h"

#define WAIT_NUMBER "wait"				/* member of the event's args: the wait it is for */

/* --- what counts --- */

void
wf_change_begin(Enrollment *e)
{
	e->snapshot = OidOutputFunctionCall(F_PG_SNAPSHOT_OUT, OidFunctionCall0(F_PG_CURRENT_SNAPSHOT));
	e->change_xact = (int64) U64FromFullTransactionId(GetTopFullTransactionId());
	e->change_seq = wf_sequence_next(wf_store_relid("event_seq"));
}

/* Was it committed after the wait began? */
static bool
counts(const Enrollment *e, const Event *event)
{
	Datum		snapshot;

	if (e->snapshot == NULL || !FullTransactionIdIsValid(event->xact))
		return true;
	if ((int64) U64FromFullTransactionId(event->xact) == e->change_xact)
		return event->seq > e->change_seq;
	snapshot = DirectFunctionCall1(pg_snapshot_in, CStringGetDatum(e->snapshot));
	return !DatumGetBool(DirectFunctionCall2(pg_visible_in_snapshot, FullTransactionIdGetDatum(event->xact), snapshot));
}

/* {"wait": number}: an enrollment may stand on the same statement again. */
static Jsonb *
args_of(const Enrollment *e)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	wf_json_number(&state, WAIT_NUMBER, e->change_seq);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

bool
wf_change_part(const Enrollment *e, const Rule *rule, const Fired *fired, const EventGroup *group, Event *event)
{
	if (e->waiting != WAITING_CHANGE || e->workflow != rule->workflow || e->version != rule->version ||
		e->statement != rule->clause || !counts(e, fired->last) ||
		(e->deadline != 0 && fired->last->at > e->deadline))
		return false;
	*event = wf_start_derived(fired, group);
	event->kind = EVENT_WAKE;
	event->owner = e->owner;
	event->target = e->id;
	event->args = args_of(e);
	return true;
}

/* Is what was kept for the wait the enrollment stands on now? */
static bool
is_for(const Enrollment *e, const Event *event)
{
	JsonbValue *value;

	if (e->waiting != WAITING_CHANGE || event->args == NULL || !JB_ROOT_IS_OBJECT(event->args))
		return false;
	value = getKeyJsonValueFromContainer(&event->args->root, WAIT_NUMBER, strlen(WAIT_NUMBER), NULL);
	return value && value->type == jbvNumeric &&
		DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value->val.numeric))) == e->change_seq;
}

/* --- what matches --- */

/* Old and new; false: an image could not be kept, and the row is no longer there. */
static bool
set_rows(Run *run, const Start *change, const Event *event)
{
	Oid			rowtype = get_rel_type_id(change->relation);
	Datum		now;

	if (!wf_start_set_row(run->frame, PARAM_OLD, event->old, rowtype))
		return false;
	if (wf_start_set_row(run->frame, PARAM_NEW, event->new, rowtype))
		return true;
	if (!wf_start_row_now(event, change, &now))
		return false;
	wf_frame_set(run->frame, PARAM_NEW, rowtype, now, false);
	return true;
}

bool
wf_change_matches(Run *run, const Instruction *ins, const Event *event)
{
	const Start *change = ins->change;
	Rule	   *rule = event->nhits > 0 ? wf_start_rule(HIT_RULE(event->hits[0])) : NULL;

	if (rule == NULL || wf_start_is_hidden(event, change))
		return false;
	if (!set_rows(run, change, event))
	{
		wf_history_write(run->e, run->now, "warning", "too_big", NULL);
		return false;
	}
	return wf_start_literals_hold(run->frame, change, rule) && wf_wait_ask(run, change->when);
}

/* --- what is kept --- */

void
wf_change_keep(Enrollment *e, const Event *event)
{
	Parked		parked = {.retry_at = DT_NOEND,.reason = PARKED_KEPT,.event = *event};

	parked.event.owner = e->owner;
	wf_parked_insert(&parked);
	e->kept = true;
}

List *
wf_change_take(Enrollment *e)
{
	List	   *events = NIL;
	ListCell   *lc;

	if (!e->kept)
		return NIL;
	foreach(lc, wf_parked_kept(e->id))
	{
		Parked	   *parked = lfirst(lc);

		wf_parked_delete(parked);
		if (is_for(e, &parked->event))
			events = lappend(events, &parked->event);
	}
	e->kept = false;
	return events;
}

/* --- words --- */

static void
append_literal(StringInfo words, const char *which, const Literal *literal)
{
	if (!literal->present)
		return;
	if (literal->isnull)
		appendStringInfo(words, " %s NULL", which);
	else if (literal->kind == LITERAL_STRING)
		appendStringInfo(words, " %s %s", which, quote_literal_cstr(literal->text));
	else
		appendStringInfo(words, " %s %s", which, literal->text);
}

char *
wf_change_words(const Start *start)
{
	const Change *change = start->change;
	const char *table = get_rel_name(start->relation);
	StringInfoData words;
	ListCell   *lc;

	initStringInfo(&words);
	if (change->operations & OP_INSERT)
		appendStringInfoString(&words, "an INSERT");
	if (change->operations & OP_UPDATE)
		appendStringInfo(&words, "%san UPDATE", words.len ? " or " : "");
	foreach(lc, change->columns)
		appendStringInfo(&words, "%s%s", foreach_current_index(lc) > 0 ? ", " : " of ", ((Word *) lfirst(lc))->name);
	if (change->operations & OP_DELETE)
		appendStringInfo(&words, "%sa DELETE", words.len ? " or " : "");
	append_literal(&words, "from", &change->from);
	append_literal(&words, "to", &change->to);
	appendStringInfo(&words, " on %s", table ? table : "a table");
	return words.data;
}
