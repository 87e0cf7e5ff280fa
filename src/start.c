/*
 * start.c -- from a change to entries: AFTER's conditions and FOR.
 *
 * Called by item.c, as the workflow's owner.  What capture could decide is in
 * the events' hits; here the net change of a transaction is judged, and what
 * only the owner may evaluate: the rest of WHEN, and FOR, over the rows as
 * they were captured.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/typcache.h"

#include "clock.h"
#include "compat.h"
#include "history.h"
#include "image.h"
#include "owner.h"
#include "parked.h"
#include "ready.h"
#include "settings.h"
#include "start.h"
#include "stat.h"
#include "stored.h"
#include "subject.h"

static HTAB *rules = NULL;				/* id -> Rule, for the batch */
static MemoryContext rules_context = NULL;

typedef struct RuleEntry
{
	int			id;
	Rule	   *rule;					/* NULL: gone */
} RuleEntry;

void
wf_start_new_batch(void)
{
	rules = NULL;
	if (rules_context == NULL)
		rules_context = AllocSetContextCreate(TopMemoryContext, "automation batch rules",
											  ALLOCSET_SMALL_SIZES);
	else
		MemoryContextReset(rules_context);
}

/* Rule of an id, NULL if it is gone. */
Rule *
wf_start_rule(int id)
{
	RuleEntry  *entry;
	bool		found;

	if (rules == NULL)
	{
		HASHCTL		ctl;

		if (rules_context == NULL)
			wf_start_new_batch();
		ctl.keysize = sizeof(int);
		ctl.entrysize = sizeof(RuleEntry);
		ctl.hcxt = rules_context;
		rules = hash_create("automation batch rules", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(rules, &id, HASH_ENTER, &found);
	if (!found)
	{
		MemoryContext old = MemoryContextSwitchTo(rules_context);

		entry->rule = NULL;
		entry->rule = wf_rule_load(id);
		MemoryContextSwitchTo(old);
	}
	return entry->rule;
}

/* --- the net change --- */

typedef struct Hit
{
	Event	   *event;
	int			index;					/* in the event's hits */
} Hit;

/* First and last event of the group that names the rule. */
static void
find_hits(const EventGroup *group, int rule, Hit *first, Hit *last)
{
	int			i;
	int			j;

	first->event = last->event = NULL;
	first->index = last->index = 0;
	for (i = 0; i < group->nevents; i++)
		for (j = 0; j < group->events[i].nhits; j++)
		{
			if (HIT_RULE(group->events[i].hits[j]) != rule)
				continue;
			if (first->event == NULL)
			{
				first->event = &group->events[i];
				first->index = j;
			}
			last->event = &group->events[i];
			last->index = j;
		}
}

/* Was the row made by this transaction?  An UPDATE of a row it has just
 * inserted carries the mark of the insert rule. */
static bool
born_here(const EventGroup *group, const Rule *rule, const Hit *first)
{
	if (group->events[0].kind == EVENT_INSERT)
		return true;
	return group->events[0].kind == EVENT_UPDATE && rule->operations == OP_INSERT &&
		HIT_OLD(first->event->hits[first->index]);
}

static bool
net_changed(const Hit *first, const Hit *last)
{
	if (first->event->prints == NULL || last->event->prints == NULL)
		return true;
	return first->event->prints[2 * first->index] != last->event->prints[2 * last->index + 1];
}

/* Does the transaction's net change of the row set the rule off? */
static bool
sets_off(const EventGroup *group, const Rule *rule, const Hit *first, const Hit *last)
{
	bool		born = born_here(group, rule, first);
	bool		dies = group->events[group->nevents - 1].kind == EVENT_DELETE;
	int			old_hit = first->event->hits[first->index];
	int			new_hit = last->event->hits[last->index];

	if (born && dies)
		return false;
	if (born)
		return (rule->operations & OP_INSERT) && HIT_NEW(new_hit);
	if (dies)
		return (rule->operations & OP_DELETE) && HIT_OLD(old_hit) && HIT_NEW(new_hit);
	return (rule->operations & OP_UPDATE) && HIT_OLD(old_hit) && HIT_NEW(new_hit) &&
		net_changed(first, last);
}

/* Collects the rules of a kind that the net change sets off. */
static List *
fired_rules(const EventGroup *group, char kind)
{
	List	   *seen = NIL;
	List	   *fired = NIL;
	int			i;
	int			j;

	for (i = 0; i < group->nevents; i++)
		for (j = 0; j < group->events[i].nhits; j++)
		{
			int			id = HIT_RULE(group->events[i].hits[j]);
			Rule	   *rule;
			Hit			first;
			Hit			last;

			if (list_member_int(seen, id))
				continue;
			seen = lappend_int(seen, id);
			rule = wf_start_rule(id);
			if (rule == NULL || rule->kind != kind)
				continue;
			find_hits(group, id, &first, &last);
			if (sets_off(group, rule, &first, &last))
			{
				Fired	   *f = palloc(sizeof(Fired));

				f->rule = rule;
				f->first = first.event;
				f->last = last.event;
				fired = lappend(fired, f);
			}
		}
	return fired;
}

List *
wf_start_fired(const EventGroup *group)
{
	return fired_rules(group, RULE_AFTER);
}

List *
wf_start_awaited(const EventGroup *group)
{
	return fired_rules(group, RULE_CHANGE);
}

Event
wf_start_derived(const Fired *fired, const EventGroup *group)
{
	Event		event = *fired->last;

	event.kind = EVENT_ENTRY;
	event.owner = fired->rule->owner;
	event.nhits = 1;
	event.hits = palloc(sizeof(int));
	event.hits[0] = fired->rule->id << 2;
	event.prints = NULL;
	event.nties = 0;
	event.old = group->events[0].kind == EVENT_INSERT ? NULL : fired->first->old;
	event.old_key = NULL;
	event.args = NULL;
	return event;
}

/* --- arguments --- */

/* Key text of a value that FOR gives for a row argument: the row or its key. */
static char *
row_argument_key(const Argument *arg, Datum value, bool isnull, Oid type, int32 typmod)
{
	const char *text;

	if (isnull)
		return NULL;
	if (type_is_rowtype(type))
	{
		HeapTupleHeader header = DatumGetHeapTupleHeader(value);
		HeapTupleData tuple;
		TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
												  HeapTupleHeaderGetTypMod(header));
		char	   *key;

		tuple.t_len = HeapTupleHeaderGetDatumLength(header);
		ItemPointerSetInvalid(&tuple.t_self);
		tuple.t_tableOid = InvalidOid;
		tuple.t_data = header;
		key = wf_key_of_tuple(&arg->key, &tuple, desc);
		ReleaseTupleDesc(desc);
		return key;
	}
	value = wf_cast_value(value, &isnull, type, typmod, arg->key.type[0], -1);
	if (isnull)
		return NULL;
	text = wf_value_out(value, arg->key.type[0]);
	return wf_key_make(1, &text);
}

/* Arguments that nobody gave: their defaults. */
static void
fill_defaults(const Signature *sig, char **args, int from)
{
	int			i;

	for (i = from; i < sig->nargs; i++)
	{
		bool		isnull = true;

		args[i] = sig->args[i].has_default ? wf_signature_default(sig, i, &isnull) : NULL;
		if (isnull)
			args[i] = NULL;
	}
}

/* One row of FOR. */
char **
wf_start_args(const Signature *sig, HeapTuple tuple, TupleDesc desc)
{
	char	  **args = palloc0(sizeof(char *) * Max(sig->nargs, 1));
	int			i;

	for (i = 0; i < sig->nargs && i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		bool		isnull;
		Datum		value = heap_getattr(tuple, i + 1, desc, &isnull);

		if (sig->args[i].is_row)
		{
			args[i] = row_argument_key(&sig->args[i], value, isnull, att->atttypid, att->atttypmod);
			continue;
		}
		value = wf_cast_value(value, &isnull, att->atttypid, att->atttypmod, sig->args[i].type, -1);
		args[i] = isnull ? NULL : wf_stored_out(value, sig->args[i].type);
	}
	fill_defaults(sig, args, i);
	return args;
}

/* All rows of FOR as argument arrays, in the caller's context. */
static List *
run_for(Program *program, Start *start, Frame *frame)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *rows = NIL;
	uint64		i;

	SPI_connect();
	wf_sql_run(start->query, frame, 0, false);
	for (i = 0; i < SPI_processed; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(caller);

		rows = lappend(rows, wf_start_args(program->sig, SPI_tuptable->vals[i], SPI_tuptable->tupdesc));
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	return rows;
}

/* --- evaluating --- */

/* Sets old or new in the frame; false if the image could not be kept. */
bool
wf_start_set_row(Frame *frame, int paramid, Jsonb *image, Oid rowtype)
{
	Datum		value = (Datum) 0;

	if (image && wf_image_to_row(image, rowtype, &value) == IMAGE_MISSING)
		return false;
	wf_frame_set(frame, paramid, rowtype, value, image == NULL);
	return true;
}

static void
refuse_change(const Event *event, const Program *program, const char *reason)
{
	wf_stat_count(STAT_REFUSED);
	wf_history_refused(program->owner, program->workflow, program->version, 0, event->source,
					   event->key, wf_clock_now(), reason, NULL);
}

static bool
rule_has_op(const Rule *rule, RuleOp op)
{
	ListCell   *lc;

	foreach(lc, rule->conditions)
		if (((RuleCondition *) lfirst(lc))->op == op)
			return true;
	return false;
}

/* IS NOT DISTINCT FROM between a column of the row and a literal of FROM or TO. */
static bool
literal_holds(Frame *frame, int paramid, const Word *column, const Literal *literal)
{
	ParamExternData *prm = &frame->params->params[paramid - 1];
	HeapTupleHeader row;
	TypeCacheEntry *type;
	TupleDesc	desc;
	AttrNumber	attnum = get_attnum(get_typ_typrelid(prm->ptype), column->name);
	Form_pg_attribute att;
	bool		isnull;
	bool		holds;
	Datum		value;

	if (prm->isnull || attnum == InvalidAttrNumber)
		return false;
	row = DatumGetHeapTupleHeader(prm->value);
	value = GetAttributeByNum(row, attnum, &isnull);
	if (isnull || literal->isnull)
		return isnull && literal->isnull;
	desc = lookup_rowtype_tupdesc(prm->ptype, -1);
	att = TupleDescAttr(desc, attnum - 1);
	type = lookup_type_cache(att->atttypid, TYPECACHE_EQ_OPR_FINFO);
	holds = OidIsValid(type->eq_opr_finfo.fn_oid) &&	/* ALTER TABLE may have given it another type */
		DatumGetBool(FunctionCall2Coll(&type->eq_opr_finfo, att->attcollation, value,
									   wf_value_in(literal->text, att->atttypid, att->atttypmod)));
	ReleaseTupleDesc(desc);
	return holds;
}

/* FROM and TO that capture could not compare: their type is not the core's. */
bool
wf_start_literals_hold(Frame *frame, const Start *start, const Rule *rule)
{
	const Change *change = start->change;

	if (start->has_from && !rule_has_op(rule, RULE_OP_FROM) &&
		!literal_holds(frame, PARAM_OLD, linitial(change->columns), &change->from))
		return false;
	if (start->has_to && !rule_has_op(rule, RULE_OP_TO) &&
		!literal_holds(frame, PARAM_NEW, linitial(change->columns), &change->to))
		return false;
	return true;
}

char **
wf_start_row_arguments(const Program *program, const char *key)
{
	char	  **args = palloc0(sizeof(char *) * program->sig->nargs);

	args[0] = unconstify(char *, key);
	fill_defaults(program->sig, args, 1);
	return args;
}

/* Argument arrays that the event gives for the start clause; NIL = none. */
static List *
evaluate(const Event *event, Program *program, const Rule *rule, TimestampTz now)
{
	Start	   *start = &program->starts[rule->clause - 1];
	Frame	   *frame = wf_frame_create(program->sig, 0, NULL, now);
	Oid			rowtype = get_rel_type_id(start->relation);
	List	   *rows;

	if (!wf_start_set_row(frame, PARAM_OLD, event->old, rowtype) ||
		!wf_start_set_row(frame, PARAM_NEW, event->new, rowtype))
	{
		refuse_change(event, program, "too_big");
		return NIL;
	}
	if (rule->residual && !wf_start_literals_hold(frame, start, rule))
		return NIL;
	if (!wf_chain_begin(event->seq, event->ncause, event->cause, program->workflow))
	{
		refuse_change(event, program, "loop_depth");
		return NIL;
	}
	if (rule->residual && start->when && !wf_expr_true(start->when, frame))
		rows = NIL;
	else if (start->query != NULL)
		rows = run_for(program, start, frame);
	else
		rows = list_make1(wf_start_row_arguments(program, event->key));
	wf_chain_end();
	return rows;
}

/* Arguments as they are kept in an event: texts, null. */
Jsonb *
wf_start_args_to_jsonb(char **args, int n)
{
	JsonbParseState *state = NULL;
	JsonbValue	value;
	int			i;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (i = 0; i < n; i++)
	{
		value.type = args[i] ? jbvString : jbvNull;
		if (args[i])
		{
			value.val.string.val = args[i];
			value.val.string.len = strlen(args[i]);
		}
		pushJsonbValue(&state, WJB_ELEM, &value);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

static char **
args_from_jsonb(Jsonb *jsonb, int n)
{
	char	  **args = palloc0(sizeof(char *) * Max(n, 1));
	int			i;

	for (i = 0; jsonb && i < n; i++)
	{
		JsonbValue *value = getIthJsonbValueFromContainer(&jsonb->root, i);

		if (value && value->type == jbvString)
			args[i] = pnstrdup(value->val.string.val, value->val.string.len);
	}
	return args;
}

/* Enters, or leaves an E event that will. */
static void
enter(const Event *event, Program *program, Rule *rule, char **args, bool paused, bool derive,
	  const ItemOptions *options)
{
	if (derive)
	{
		Event		derived = *event;

		derived.kind = EVENT_ENTRY;
		derived.hits = palloc(sizeof(int));
		derived.hits[0] = rule->id << 2;
		derived.nhits = 1;
		derived.prints = NULL;
		derived.nties = 0;
		derived.old = derived.new = NULL;
		derived.args = wf_start_args_to_jsonb(args, program->sig->nargs);
		wf_event_append(&derived);
	}
	else
	{
		Entry		entry = {program, args, event->at, event->seq, 0, event->ncause, event->cause};

		wf_enroll(&entry, paused, options);
	}
}

/*
 * Nobody enters now, but who asks does so when the workflow is resumed.  What is
 * put aside because all stand still has missed its time, unless entries queue.
 */
static bool
is_queued(const WorkflowRow *row)
{
	return strcmp(row->entry, "queued") == 0;
}

static const char *
why_parked(const WorkflowRow *row, const char *reason)
{
	return is_queued(row) ? "queued" : reason;
}

/* Puts an event aside until its workflow is released. */
void
wf_start_park(const Event *event, int workflow, const char *reason, TimestampTz now)
{
	Parked		parked;

	memset(&parked, 0, sizeof(parked));
	parked.retry_at = now + (int64) wf_recheck_interval * 1000;
	parked.reason = unconstify(char *, reason);
	parked.workflow = workflow;
	parked.event = *event;
	wf_parked_insert(&parked);
}

static bool
is_paused(const WorkflowRow *row, const ItemOptions *options)
{
	return options->missed || strcmp(row->entry, "paused") == 0;
}

/* The row as it is now; false: it is gone, or the owner may not see it. */
bool
wf_start_row_now(const Event *event, const Start *start, Datum *value)
{
	Argument	row;
	Relation	rel;

	memset(&row, 0, sizeof(row));
	row.relation = start->relation;
	row.type = get_rel_type_id(start->relation);
	rel = table_open(start->relation, AccessShareLock);
	wf_key_columns(rel, &row.key);
	table_close(rel, NoLock);
	return event->key != NULL && row.key.natts > 0 && wf_subject_fetch(&row, event->key, value, NULL) == SUBJECT_FOUND;
}

/*
 * Does row security keep the changed row from the owner?  What the event
 * carries of it he may not see then, nor learn that it changed.  A row that is
 * gone can't be asked about any more.
 */
bool
wf_start_is_hidden(const Event *event, const Start *start)
{
	Datum		value;

	return check_enable_rls(start->relation, InvalidOid, true) == RLS_ENABLED &&
		!wf_start_row_now(event, start, &value);
}

/* WHEN and FOR of one rule; see start.h. */
void
wf_start_rule_run(const Event *event, Rule *rule, bool derive, const ItemOptions *options)
{
	WorkflowRow *row;
	const char *reason;
	Program    *program = wf_ready(rule->workflow, rule->version, &row, &reason);
	List	   *entries;
	ListCell   *lc;
	int			level;

	if (row == NULL)
		return;
	if (program == NULL || is_queued(row))
	{
		wf_start_park(event, rule->workflow, why_parked(row, reason), options->now);
		return;
	}
	if (rule->kind != RULE_AFTER || rule->clause > program->nstarts || wf_start_is_hidden(event, &program->starts[rule->clause - 1]))
		return;
	level = wf_config_enter(program->path, program->sig->config);
	entries = evaluate(event, program, rule, options->now);
	if (options->failure && list_length(entries) > 1)
		derive = true;					/* which of them was it? */
	foreach(lc, entries)
		enter(event, program, rule, lfirst(lc), is_paused(row, options), derive, options);
	wf_config_leave(level);
}

/* An entry whose arguments are known: derived, or called by hand. */
void
wf_start_entry(const Event *event, const ItemOptions *options)
{
	bool		hand = event->kind == EVENT_HAND;
	WorkflowRow *row = NULL;
	const char *reason = NULL;
	Program    *program = NULL;
	int			workflow;
	int			level;

	if (hand)
	{
		WorkflowRow *current;

		workflow = HIT_RULE(event->hits[0]);
		current = wf_workflow_load(workflow);
		if (current)
			program = wf_ready(workflow, current->version, &row, &reason);
	}
	else
	{
		Rule	   *rule = wf_start_rule(HIT_RULE(event->hits[0]));

		workflow = rule ? rule->workflow : 0;
		if (rule)
			program = wf_ready(workflow, rule->version, &row, &reason);
	}
	if (row == NULL)
	{
		if (hand)
			wf_call_close(event->target);
		return;
	}
	if (program == NULL || is_queued(row))
	{
		wf_start_park(event, workflow, why_parked(row, reason), options->now);
		return;
	}
	level = wf_config_enter(program->path, program->sig->config);
	{
		Entry		entry = {program, args_from_jsonb(event->args, program->sig->nargs),
			event->at, event->seq, hand ? event->target : 0, event->ncause, event->cause};

		if (hand && event->nhits > 1)	/* taken out of a run of EVERY */
			entry.run = ENTRY_RUN;

		wf_enroll(&entry, is_paused(row, options), options);
	}
	wf_config_leave(level);
}
