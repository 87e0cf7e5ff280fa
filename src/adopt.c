/*
 * adopt.c -- rows of the engine's tables that come by SQL: a restore.
 *
 * The engine's own inserts fire no triggers.  A BEFORE INSERT statement trigger
 * of every table that is dumped disarms the engine, so that nothing runs before
 * all is loaded, and clears the registrations that nobody has used: they were
 * made from the restored functions alone, and arm() makes again those the dump
 * does not bring.  It is the first statement that does so, whichever table it is
 * for: what comes later is the dump's.  ddl.c does the same for a restore that
 * switches triggers off.
 *
 * A row trigger of automation.workflow, workflow_version, rule, schedule, owner
 * and source then gives the dump its way: what stands in the way of a row is taken
 * over or moved to another id.  One of outgoing and outgoing_due sees to it that no
 * message leaves from here that the original may have sent.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "delivery.h"
#include "enginesql.h"
#include "outbox.h"
#include "register.h"
#include "store.h"

PG_FUNCTION_INFO_V1(wf_adopt);

/*
 * Where ids of a kind stand.  First the highest one, then the columns, the
 * table's own first.
 */
static const char *const workflow_columns[] = {
	"SELECT max(id)::bigint FROM automation.workflow",
	"UPDATE automation.workflow SET id = $2 WHERE id = $1",
	"UPDATE automation.workflow_version SET workflow = $2 WHERE workflow = $1",
	"UPDATE automation.rule SET workflow = $2 WHERE workflow = $1",
	"UPDATE automation.enrollment SET workflow = $2 WHERE workflow = $1",
	"UPDATE automation.ledger SET workflow = $2 WHERE workflow = $1",
	"UPDATE automation.goal_reached SET workflow_id = $2 WHERE workflow_id = $1",
	"UPDATE automation.assignment SET workflow = $2 WHERE workflow = $1",
	"UPDATE automation.split SET workflow = $2 WHERE workflow = $1",
	"UPDATE automation.split_rule SET workflow = $2 WHERE workflow = $1",
	"UPDATE automation.decision SET workflow = $2 WHERE workflow = $1",
	"UPDATE automation.parked SET workflow = $2 WHERE workflow = $1",
	"UPDATE automation.job SET workflow = $2 WHERE workflow = $1",
	"UPDATE automation.schedule SET workflow = $2 WHERE workflow = $1",
	"UPDATE automation.due SET workflow = $2 WHERE workflow = $1",
	"UPDATE automation.outgoing SET workflow = $2 WHERE workflow = $1",
	"UPDATE automation.outgoing_due SET workflow = $2 WHERE workflow = $1",
	NULL
};

static const char *const owner_columns[] = {
	"SELECT max(id)::bigint FROM automation.owner",
	"UPDATE automation.owner SET id = $2 WHERE id = $1",
	"UPDATE automation.workflow SET owner = $2 WHERE owner = $1",
	"UPDATE automation.workflow_version SET author = $2 WHERE author = $1",
	"UPDATE automation.rule SET owner = $2 WHERE owner = $1",
	"UPDATE automation.enrollment SET owner = $2 WHERE owner = $1",
	"UPDATE automation.timer SET owner = $2 WHERE owner = $1",
	"UPDATE automation.wait SET owner = $2 WHERE owner = $1",
	"UPDATE automation.parked SET owner = $2 WHERE owner = $1",
	"UPDATE automation.job SET owner = $2 WHERE owner = $1",
	"UPDATE automation.schedule SET owner = $2 WHERE owner = $1",
	"UPDATE automation.due SET owner = $2 WHERE owner = $1",
	"UPDATE automation.sent_once SET owner = $2 WHERE owner = $1",
	"UPDATE automation.monthly_count SET owner = $2 WHERE owner = $1",
	"UPDATE automation.sent_link SET owner = $2 WHERE owner = $1",
	"UPDATE automation.outgoing SET owner = $2 WHERE owner = $1",
	"UPDATE automation.outgoing_due SET owner = $2 WHERE owner = $1",
	NULL
};

static const char *const source_columns[] = {
	"SELECT max(id)::bigint FROM automation.source",
	"UPDATE automation.source SET id = $2 WHERE id = $1",
	"UPDATE automation.rule SET source = $2 WHERE source = $1",
	"UPDATE automation.enrollment SET source = $2 WHERE source = $1",
	"UPDATE automation.argument SET source = $2 WHERE source = $1",
	"UPDATE automation.parked SET source = $2 WHERE source = $1",
	"UPDATE automation.due SET source = $2 WHERE source = $1",
	"UPDATE automation.outgoing SET source = $2 WHERE source = $1",
	NULL
};

static const char *const rule_columns[] = {
	"SELECT max(id)::bigint FROM automation.rule",
	"UPDATE automation.rule SET id = $2 WHERE id = $1",
	NULL
};

static void
renumber(const char *const *columns, int from, int to)
{
	for (columns++; *columns != NULL; columns++)
		wf_engine_sql(*columns, "ii", from, to);
}

/*
 * Gives the id to nobody: its holder gets a new one.  The sequence lags behind
 * while a dump is loaded; arm() sets it right.
 */
static void
vacate(const char *const *columns, const char *sequence, int id)
{
	int64		highest = *(int64 *) linitial(wf_engine_ids(columns[0], ""));

	renumber(columns, id, (int) Max(highest + 1, wf_store_nextval(sequence)));
}

/* --- the first statement --- */

/* Sessions may have rules and workflows in memory that are gone now. */
static void
forget_cached_rules(void)
{
	List	   *relations = wf_engine_ids("SELECT s.relation::oid::bigint FROM automation.source s, pg_catalog.pg_class c"
										  " WHERE c.oid = s.relation", "");
	ListCell   *cell;

	foreach(cell, relations)
		CacheInvalidateRelcacheByRelid((Oid) *(int64 *) lfirst(cell));
	CacheInvalidateRelcacheByRelid(wf_store_relid("workflow"));	/* call_site.c */
}

static void
clear_unused(void)
{
	static const char *const steps[] = {
		"DELETE FROM automation.workflow w WHERE NOT EXISTS (SELECT FROM automation.enrollment e WHERE e.workflow = w.id)"
		" AND NOT EXISTS (SELECT FROM automation.ledger l WHERE l.workflow = w.id)"
		" AND NOT EXISTS (SELECT FROM automation.parked p WHERE p.workflow = w.id)"
		" AND NOT EXISTS (SELECT FROM automation.split_rule s WHERE s.workflow = w.id)"
		" AND NOT EXISTS (SELECT FROM automation.outgoing o WHERE o.workflow = w.id)"
		" AND NOT EXISTS (SELECT FROM automation.due d WHERE d.workflow = w.id)",
		"DELETE FROM automation.workflow_version v"
		" WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = v.workflow)",
		"DELETE FROM automation.job j WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = j.workflow)",
		"DELETE FROM automation.rule r WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = r.workflow)",
		"DELETE FROM automation.schedule s WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = s.workflow)",
		"DELETE FROM automation.owner o WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.owner = o.id)"
		" AND NOT EXISTS (SELECT FROM automation.workflow_version v WHERE v.author = o.id)"
		" AND NOT EXISTS (SELECT FROM automation.outgoing m WHERE m.owner = o.id)"
		" AND NOT EXISTS (SELECT FROM automation.sent_link l WHERE l.owner = o.id)",
		"DELETE FROM automation.source s WHERE NOT EXISTS (SELECT FROM automation.rule r WHERE r.source = s.id)"
		" AND NOT EXISTS (SELECT FROM automation.enrollment e WHERE e.source = s.id)"
		" AND NOT EXISTS (SELECT FROM automation.argument a WHERE a.source = s.id)"
		" AND NOT EXISTS (SELECT FROM automation.due d WHERE d.source = s.id)"
		" AND NOT EXISTS (SELECT FROM automation.outgoing o WHERE o.source = s.id)",
		/* ids of rules are given anew */
		"DELETE FROM automation.event_0 WHERE NOT EXISTS (SELECT FROM automation.workflow)",
		"DELETE FROM automation.event_1 WHERE NOT EXISTS (SELECT FROM automation.workflow)",
		"DELETE FROM automation.event_2 WHERE NOT EXISTS (SELECT FROM automation.workflow)",
		"DELETE FROM automation.event_3 WHERE NOT EXISTS (SELECT FROM automation.workflow)"
	};

	forget_cached_rules();
	for (int i = 0; i < lengthof(steps); i++)
		wf_engine_sql(steps[i], "");
}

void
wf_restore_begins(void)
{
	if (wf_engine_disarm())
	{
		wf_egress_disarm();
		clear_unused();
	}
}

void
wf_restore_holds(void)
{
	wf_engine_sql("UPDATE automation.outgoing SET state = 'held' WHERE state = 'queued'", "");
	wf_engine_sql("UPDATE automation.outgoing_due SET due = 'infinity' WHERE due < 'infinity'", "");
}

/* --- each row --- */

static Datum
column(TriggerData *trigger, int attnum, bool *isnull)
{
	return heap_getattr(trigger->tg_trigtuple, attnum, RelationGetDescr(trigger->tg_relation), isnull);
}

/* NOT NULL is checked after us: a NULL counts as 0, which is no id. */
static int
int_column(TriggerData *trigger, int attnum)
{
	bool		isnull;
	Datum		value = column(trigger, attnum, &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

static void
adopt_workflow(TriggerData *trigger)
{
	int			id = int_column(trigger, 1);
	bool		isnull;
	Datum		value = column(trigger, 2, &isnull);
	char	   *signature = isnull ? "" : TextDatumGetCString(value);
	List	   *same = wf_engine_ids("SELECT id::bigint FROM automation.workflow WHERE signature = $1", "t", signature);

	if (same != NIL && *(int64 *) linitial(same) == id)
		wf_engine_sql("DELETE FROM automation.workflow WHERE id = $1", "i", id);
	else if (same != NIL)
		wf_unregister((int) *(int64 *) linitial(same));
	if (wf_engine_sql("SELECT FROM automation.workflow WHERE id = $1", "i", id) > 0)
		vacate(workflow_columns, "workflow_seq", id);
}

static void
adopt_version(TriggerData *trigger)
{
	wf_engine_sql("DELETE FROM automation.workflow_version WHERE workflow = $1 AND version = $2",
				  "ii", int_column(trigger, 1), int_column(trigger, 2));
}

static void
adopt_rule(TriggerData *trigger)
{
	int			id = int_column(trigger, 1);

	if (wf_engine_sql("SELECT FROM automation.rule WHERE id = $1", "i", id) > 0)
		vacate(rule_columns, "rule_seq", id);
}

/* What ticks for an id that changes is set right by arm(). */
static void
adopt_schedule(TriggerData *trigger)
{
	bool		isnull;
	int64		id = DatumGetInt64(column(trigger, 1, &isnull));

	wf_engine_sql("DELETE FROM automation.schedule WHERE workflow = $1 AND clause = $2",
				  "ii", int_column(trigger, 2), int_column(trigger, 4));
	wf_engine_sql("UPDATE automation.schedule SET id = greatest((SELECT max(id) FROM automation.schedule),"
				  " pg_catalog.nextval('automation.schedule_seq')) + 1 WHERE id = $1", "l", isnull ? 0 : id);
}

/* (id, oid) of automation.owner and source.  False: the row is there already. */
static bool
adopt_id(TriggerData *trigger, const char *find, const char *const *columns, const char *sequence)
{
	int			id = int_column(trigger, 1);
	bool		isnull;
	Datum		oid = column(trigger, 2, &isnull);
	List	   *same = isnull ? NIL : wf_engine_ids(find, "io", 0, DatumGetObjectId(oid));
	int			old = same == NIL ? 0 : (int) *(int64 *) linitial(same);

	if (old == id && old != 0)
		return false;
	if (wf_engine_ids(find, "io", id, InvalidOid) != NIL)
		vacate(columns, sequence, id);
	if (old == 0)
		return true;
	renumber(columns, old, id);
	return false;
}

/* The row with another value in one column. */
static HeapTuple
with_column(TriggerData *trigger, const char *column_name, Datum value)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	int			attnum = SPI_fnumber(desc, column_name);
	bool		isnull = false;

	return heap_modify_tuple_by_cols(trigger->tg_trigtuple, desc, 1, &attnum, &value, &isnull);
}

/* The original may have sent it meanwhile, or the copy may be for tests: a message that was
 * not over leaves only if somebody says so. */
static HeapTuple
adopt_message(TriggerData *trigger)
{
	bool		isnull;
	int			attnum = SPI_fnumber(RelationGetDescr(trigger->tg_relation), "state");
	Datum		state = column(trigger, attnum, &isnull);

	if (isnull || strcmp(TextDatumGetCString(state), OUTGOING_QUEUED) != 0)
		return trigger->tg_trigtuple;
	return with_column(trigger, "state", CStringGetTextDatum(OUTGOING_HELD));
}

/* Its licence: for no moment. */
static HeapTuple
adopt_licence(TriggerData *trigger)
{
	return with_column(trigger, "due", TimestampTzGetDatum(DT_NOEND));
}

Datum
wf_adopt(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	const char *table;
	bool		keep = true;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ||
		RelationGetNamespace(trigger->tg_relation) != wf_store_namespace())
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function adopt() is a BEFORE INSERT trigger of the engine's tables")));
	if (TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
	{
		wf_restore_begins();
		return PointerGetDatum(NULL);
	}
	table = RelationGetRelationName(trigger->tg_relation);
	if (strcmp(table, "outgoing") == 0)
		return PointerGetDatum(adopt_message(trigger));
	if (strcmp(table, "outgoing_due") == 0)
		return PointerGetDatum(adopt_licence(trigger));
	if (strcmp(table, "workflow") == 0)
		adopt_workflow(trigger);
	else if (strcmp(table, "workflow_version") == 0)
		adopt_version(trigger);
	else if (strcmp(table, "rule") == 0)
		adopt_rule(trigger);
	else if (strcmp(table, "schedule") == 0)
		adopt_schedule(trigger);
	else if (strcmp(table, "owner") == 0)
		keep = adopt_id(trigger, "SELECT id::bigint FROM automation.owner WHERE id = $1 OR role = $2::regrole",
						owner_columns, "owner_seq");
	else if (strcmp(table, "source") == 0)
		keep = adopt_id(trigger, "SELECT id::bigint FROM automation.source WHERE id = $1 OR relation = $2::regclass",
						source_columns, "source_seq");
	return PointerGetDatum(keep ? trigger->tg_trigtuple : NULL);
}
