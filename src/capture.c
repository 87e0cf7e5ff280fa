/*
 * capture.c -- the row trigger automation.capture(): turns changes of watched
 * tables into events.
 *
 * Runs in every user's session, after each changed row, and after TRUNCATE.  It runs nobody's
 * code, waits for nothing but DDL on the extension, and raises no ERROR but
 * for being called by hand.  Trigger arguments are ignored and a table without
 * rules does nothing, so that attaching the function to a table gives nobody
 * anything.  All it allocates dies with the trigger's per-row context, but for
 * rows on their way to another partition (top transaction).
 *
 * One event per owner of a rule that the change concerns; each names only
 * that owner's rules.
 */
#include "postgres.h"
#include "compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/tupconvert.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "ast.h"
#include "capture.h"
#include "capture_born.h"
#include "capture_rules.h"
#include "event.h"
#include "image.h"
#include "owner.h"
#include "settings.h"

/* A row deleted from one partition whose insert into another is still to come. */
typedef struct Move
{
	Oid			partition;				/* where it was */
	Oid			root;
	int			depth;					/* of nested triggers */
	CommandId	command;
	SubTransactionId subid;
	HeapTuple	old;
	TupleDesc	desc;
	bool		own;					/* the old version is this transaction's */
	bool		born;					/* so is the row */
	struct Move *next;					/* of an outer trigger depth */
} Move;

static Move *moves = NULL;
static uint64 change_number = 0;

static int64 *cause = NULL;				/* TopMemoryContext */
static int	cause_room = 0;
static int	ncause = 0;

PG_FUNCTION_INFO_V1(wf_capture);
PGDLLEXPORT Datum wf_capture(PG_FUNCTION_ARGS);

/* ----------------------------------------------------------------
 * Cause
 * ----------------------------------------------------------------
 */

void
wf_cause_set(int n, const int64 *chain)
{
	if (n > cause_room)
	{
		ncause = 0;
		cause = cause ? repalloc(cause, n * sizeof(int64))
			: MemoryContextAlloc(TopMemoryContext, n * sizeof(int64));
		cause_room = n;
	}
	if (n > 0)
		memcpy(cause, chain, n * sizeof(int64));
	ncause = n;
}

const int64 *
wf_cause_get(int *n)
{
	*n = ncause;
	return ncause > 0 ? cause : NULL;
}

/* ----------------------------------------------------------------
 * Events
 * ----------------------------------------------------------------
 */

static Jsonb *
image(CaptureTable *table, HeapTuple tuple, TupleDesc desc, bool all, const ColumnSet *set)
{
	AttrNumber *attnums;
	int			n = 0;
	bool		any = all;

	for (int i = 0; i < table->nwords && !any; i++)
		any = set[i] != 0;
	if (tuple == NULL || !any)
		return NULL;
	if (all)
		return wf_image_of_tuple(tuple, desc, true, NULL, 0);
	attnums = palloc(sizeof(AttrNumber) * Max(table->natts, 1));
	for (int i = 0; i < table->natts; i++)
	{
		if (COLUMN_IN(set, i + 1))
			attnums[n++] = i + 1;
	}
	return wf_image_of_tuple(tuple, desc, false, attnums, n);
}

static void
append_event(RowChange *change, int owner, char *key, char *old_key)
{
	CaptureTable *table = change->table;
	OwnerHits  *hits = &change->hits[owner];
	Event		event = {0};

	event.kind = change->kind;
	event.owner = table->owners[owner].id;
	event.source = table->source;
	event.key = key;
	event.old_key = old_key;
	event.nhits = hits->nhits;
	event.hits = hits->hits;
	event.prints = hits->printed ? hits->prints : NULL;
	event.nties = hits->nties;
	event.ties = hits->ties;
	if (!change->born)
		event.old = image(table, change->old, change->desc, hits->all_old, hits->image_old);
	event.new = image(table, change->new, change->desc, hits->all_new, hits->image_new);
	event.ncause = ncause;
	event.cause = ncause > 0 ? cause : NULL;
	wf_event_append(&event);
}

static void
append_events(RowChange *change)
{
	HeapTuple	row = change->new ? change->new : change->old;
	char	   *key;
	char	   *old_key = NULL;

	if (change->hits == NULL)
		return;
	key = row != NULL ? wf_key_of_tuple(&change->table->key, row, change->desc) : NULL;
	if (change->key_changed)
		old_key = wf_key_of_tuple(&change->table->key, change->old, change->desc);
	for (int i = 0; i < change->table->nowners; i++)
	{
		if (change->hits[i].concerned)
			append_event(change, i, key, old_key);
	}
}

/* ----------------------------------------------------------------
 * Changes
 * ----------------------------------------------------------------
 */

/* Deforms as far as rules and key reach. */
static void
deform(CaptureTable *table, TupleTableSlot *slot)
{
	if (table->nwatched > 0)
		slot_getsomeattrs(slot, table->watched[table->nwatched - 1]);
}

static void
start_change(RowChange *change, CaptureTable *table, TupleDesc desc, char kind)
{
	change->table = table;
	change->desc = desc;
	change->kind = kind;
	change->old = change->new = NULL;
	change->old_slot = change->new_slot = NULL;
	change->key_changed = false;
	change->born = false;
	change->number = ++change_number;
	change->hits = NULL;
}

static void
set_old(RowChange *change, HeapTuple tuple, TupleTableSlot *slot)
{
	change->old = tuple;
	change->old_slot = slot;
	deform(change->table, slot);
}

static void
set_new(RowChange *change, HeapTuple tuple, TupleTableSlot *slot)
{
	change->new = tuple;
	change->new_slot = slot;
	deform(change->table, slot);
}

static void
capture_update(RowChange *change)
{
	if (change->born)
		wf_match_born(change);
	else
		wf_match_update(change);
	if (change->key_changed)
		wf_match_everybody(change);
	append_events(change);
}

/* Whether the row was inserted by this transaction costs an index look-up in
 * the worst case: asked only of versions that the transaction wrote. */
static void
capture_plain_update(TriggerData *trigger, CaptureTable *table)
{
	RowChange	change;
	bool		own;

	if (wf_match_same_bytes(table, RelationGetDescr(trigger->tg_relation), trigger->tg_trigtuple, trigger->tg_newtuple))
		return;
	own = wf_born_version_is_own(trigger->tg_trigtuple);
	start_change(&change, table, RelationGetDescr(trigger->tg_relation), EVENT_UPDATE);
	set_old(&change, trigger->tg_trigtuple, trigger->tg_trigslot);
	set_new(&change, trigger->tg_newtuple, trigger->tg_newslot);
	if (!wf_match_changed(&change))
		return;
	if (own)
	{
		change.born = wf_born_row_is_own(trigger->tg_relation, &table->key, change.old, change.old_slot);
		wf_born_remember(trigger->tg_relation, &change.new->t_self, change.born);
	}
	capture_update(&change);
}

static void
capture_insert(TriggerData *trigger, CaptureTable *table)
{
	RowChange	change;

	if (!(table->operations & OP_INSERT))
		return;
	start_change(&change, table, RelationGetDescr(trigger->tg_relation), EVENT_INSERT);
	set_new(&change, trigger->tg_trigtuple, trigger->tg_trigslot);
	wf_match_insert(&change);
	append_events(&change);
}

static void
capture_delete(CaptureTable *table, TupleDesc desc, HeapTuple old, TupleTableSlot *slot, bool own, bool born)
{
	RowChange	change;

	start_change(&change, table, desc, EVENT_DELETE);
	set_old(&change, old, slot);
	wf_match_delete(&change, own, born);
	append_events(&change);
}

/* One event for all rows: it has no key. */
static void
capture_truncate(CaptureTable *table, TupleDesc desc)
{
	RowChange	change;

	start_change(&change, table, desc, EVENT_DELETE);
	wf_match_truncate(&change);
	append_events(&change);
}

/* ----------------------------------------------------------------
 * Rows that move to another partition
 *
 * Such an UPDATE fires DELETE triggers in the one partition and then INSERT
 * triggers in the other; the deleted version says so.  The deletion is kept
 * until the insert, which comes next at the same trigger depth and of the same
 * command, and both are captured as the update they are.  If the insert never
 * comes (a BEFORE trigger of the new partition dropped the row), it was a
 * deletion.
 * ----------------------------------------------------------------
 */

static int
trigger_depth(void)
{
	LOCAL_FCINFO(fcinfo, 0);

	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	return DatumGetInt32(pg_trigger_depth(fcinfo));
}

static void
free_move(Move *move)
{
	heap_freetuple(move->old);
	FreeTupleDesc(move->desc);
	pfree(move);
}

static void
keep_move(TriggerData *trigger, CaptureTable *table, bool own, bool born)
{
	MemoryContext before = MemoryContextSwitchTo(TopTransactionContext);
	Move	   *move = palloc(sizeof(Move));

	move->partition = RelationGetRelid(trigger->tg_relation);
	move->root = table->root;
	move->depth = trigger_depth();
	move->command = HeapTupleHeaderGetCmax(trigger->tg_trigtuple->t_data);
	move->subid = GetCurrentSubTransactionId();
	move->old = heap_copytuple(trigger->tg_trigtuple);
	move->desc = CreateTupleDescCopy(RelationGetDescr(trigger->tg_relation));
	move->own = own;
	move->born = born;
	move->next = moves;
	moves = move;
	MemoryContextSwitchTo(before);
}

/* Can rows of the one be read by the other? */
static bool
same_layout(TupleDesc a, TupleDesc b)
{
	if (a->natts != b->natts)
		return false;
	for (int i = 0; i < a->natts; i++)
	{
		Form_pg_attribute one = TupleDescAttr(a, i);
		Form_pg_attribute other = TupleDescAttr(b, i);

		if (one->atttypid != other->atttypid || one->attlen != other->attlen ||
			one->attbyval != other->attbyval || one->attalign != other->attalign)
			return false;
	}
	return true;
}

/* The row went nowhere: a deletion after all.  Nobody hears of it if an ALTER
 * TABLE came in between: what was kept can't be read any more. */
static void
delete_move(Move *move)
{
	Relation	rel = try_relation_open(move->partition, AccessShareLock);
	TupleTableSlot *slot;

	if (rel == NULL)
		return;
	if (!same_layout(move->desc, RelationGetDescr(rel)))
	{
		relation_close(rel, NoLock);
		return;
	}
	slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsHeapTuple);
	ExecStoreHeapTuple(move->old, slot, false);
	capture_delete(wf_capture_table(rel), RelationGetDescr(rel), move->old, slot, move->own, move->born);
	ExecDropSingleTupleTableSlot(slot);
	relation_close(rel, NoLock);
}

/* Settles what is pending at this depth and below it.  Returns the move that
 * this insert completes, or NULL. */
static Move *
settle_moves(TriggerData *trigger, CaptureTable *table)
{
	int			depth = trigger_depth();

	while (moves != NULL && moves->depth >= depth)
	{
		Move	   *move = moves;

		moves = move->next;
		if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event) && move->depth == depth && move->root == table->root &&
			wf_born_version_is_own(trigger->tg_trigtuple) &&
			HeapTupleHeaderGetCmin(trigger->tg_trigtuple->t_data) == move->command)
			return move;
		delete_move(move);
		free_move(move);
	}
	return NULL;
}

static void
capture_move(TriggerData *trigger, CaptureTable *table, Move *move)
{
	Relation	rel = trigger->tg_relation;
	TupleConversionMap *map = convert_tuples_by_name(move->desc, RelationGetDescr(rel));
	HeapTuple	old = map ? execute_attr_map_tuple(move->old, map) : move->old;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsHeapTuple);
	RowChange	change;

	ExecStoreHeapTuple(old, slot, false);
	start_change(&change, table, RelationGetDescr(rel), EVENT_UPDATE);
	set_old(&change, old, slot);
	set_new(&change, trigger->tg_trigtuple, trigger->tg_trigslot);
	wf_born_moved(rel, &trigger->tg_trigtuple->t_self, move->born);
	change.born = move->born;
	if (wf_match_changed(&change))
		capture_update(&change);
	ExecDropSingleTupleTableSlot(slot);
	free_move(move);
}

/* DDL has brought or taken rows, or given them other values, without a trigger. */
void
wf_capture_rows_replaced(Oid relation)
{
	Relation	rel = try_relation_open(wf_root_relation(relation), AccessShareLock);
	CaptureTable *table;

	if (rel == NULL)
		return;
	table = wf_capture_table(rel);
	if (table->nrules > 0)
		capture_truncate(table, RelationGetDescr(rel));
	relation_close(rel, NoLock);
}

/* ----------------------------------------------------------------
 * The trigger
 * ----------------------------------------------------------------
 */

static void
check_call(FunctionCallInfo fcinfo)
{
	TriggerEvent event;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function automation.capture() was not called by a trigger")));
	event = ((TriggerData *) fcinfo->context)->tg_event;
	if (TRIGGER_FIRED_AFTER(event) && TRIGGER_FIRED_BY_TRUNCATE(event))
		return;
	if (!TRIGGER_FIRED_AFTER(event) || !TRIGGER_FIRED_FOR_ROW(event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function automation.capture() must be fired AFTER ... FOR EACH ROW")));
}

/*
 * A restore, or the table's owner, may go without.  It is the outer user who
 * must own the table: not the one that a SECURITY DEFINER function or a
 * foreign key's cascade put in his place.
 */
static bool
is_switched_off(CaptureTable *table)
{
	Oid			user = GetOuterUserId();

	if (SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA)
		return true;
	if (check_function_bodies && wf_capture_enabled)
		return false;
	return superuser_arg(user) || wf_compat_table_ownercheck(table->root, user);
}

static void
capture_row(TriggerData *trigger, CaptureTable *table)
{
	Move	   *move = moves ? settle_moves(trigger, table) : NULL;

	if (move != NULL)
		capture_move(trigger, table, move);
	else if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		capture_truncate(table, RelationGetDescr(trigger->tg_relation));
	else if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		capture_plain_update(trigger, table);
	else if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		capture_insert(trigger, table);
	else if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
	{
		HeapTuple	old = trigger->tg_trigtuple;
		bool		own = wf_born_version_is_own(old);
		bool		born = own && wf_born_row_is_own(trigger->tg_relation, &table->key, old, trigger->tg_trigslot);

		if (HeapTupleHeaderIndicatesMovedPartitions(old->t_data))
			keep_move(trigger, table, own, born);
		else
			capture_delete(table, RelationGetDescr(trigger->tg_relation), old, trigger->tg_trigslot, own, born);
	}
}

Datum
wf_capture(PG_FUNCTION_ARGS)
{
	TriggerData *trigger;
	CaptureTable *table;

	check_call(fcinfo);
	trigger = (TriggerData *) fcinfo->context;
	table = wf_capture_table(trigger->tg_relation);
	if (table->nrules > 0 && !is_switched_off(table))
		capture_row(trigger, table);
	return PointerGetDatum(NULL);
}

/* ----------------------------------------------------------------
 * Ends of transactions
 * ----------------------------------------------------------------
 */

/* At the end no snapshot is active; a long row needs one to be stored. */
static void
delete_pending_moves(void)
{
	if (moves == NULL)
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	while (moves != NULL)
	{
		Move	   *move = moves;

		moves = move->next;
		delete_move(move);
		free_move(move);
	}
	PopActiveSnapshot();
}

static void
transaction_ends(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			delete_pending_moves();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			moves = NULL;
			ncause = 0;
			wf_born_forget();
			break;
		default:
			break;
	}
}

/* A rolled back deletion is none; a released savepoint's belongs to its parent. */
static void
subtransaction_ends(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	Move	  **link = &moves;

	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	while (*link != NULL)
	{
		Move	   *move = *link;

		if (move->subid == subid && event == SUBXACT_EVENT_ABORT_SUB)
		{
			*link = move->next;
			continue;
		}
		if (move->subid == subid)
			move->subid = parent;
		link = &move->next;
	}
}

void
wf_capture_init(void)
{
	wf_capture_cache_init();
	RegisterXactCallback(transaction_ends, NULL);
	RegisterSubXactCallback(subtransaction_ends, NULL);
}
