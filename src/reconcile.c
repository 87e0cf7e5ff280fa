/*
 * reconcile.c -- bringing the engine's tables into line with the catalog.
 *
 * Called by the coordinator at its start, by CALL automation.reconcile() and
 * arm(), after an extension's script and REASSIGN OWNED.  Needed because event
 * triggers can be disabled, don't see everything (single-user mode,
 * pg_upgrade), and are silent during a restore.  Each function and each table
 * is a subtransaction of its own: one that can't be put right does not keep
 * the others.  Definitions are checked as their owners, but not by the
 * coordinator; nothing else here runs or reads user text.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "board.h"
#include "compat.h"
#include "enginesql.h"
#include "enrollment.h"
#include "event.h"
#include "outbox.h"
#include "owner.h"
#include "register.h"
#include "schedule.h"
#include "store.h"

#define ENGINE_ARMED	2

/* How long registering waits for a table when the session does not say. */
#define LOCK_PATIENCE	"2s"

PG_FUNCTION_INFO_V1(wf_reconcile_sql);
PG_FUNCTION_INFO_V1(wf_arm_sql);
PG_FUNCTION_INFO_V1(wf_announce);

bool
wf_engine_armed(void)
{
	Relation	rel = wf_store_open("engine", AccessShareLock);
	SysScanDesc scan = wf_store_scan(rel, NULL, wf_store_snapshot(), 0, NULL);
	HeapTuple	tuple = systable_getnext(scan);
	bool		isnull;
	bool		armed = false;

	if (HeapTupleIsValid(tuple))
		armed = DatumGetBool(heap_getattr(tuple, ENGINE_ARMED, RelationGetDescr(rel), &isnull));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return armed;
}

/* --- functions --- */

/* Is there nothing to do for this function?  Workflows on hold for a mistake
 * are looked at again, and, if definitions may be checked, those with conditions
 * on a table whose lock was not to be had. */
static bool
is_settled(const Routine *routine, bool check)
{
	return wf_engine_sql("SELECT FROM automation.workflow w, automation.workflow_version v, automation.owner o,"
						 " pg_catalog.pg_proc p WHERE w.signature = $1 AND w.routine = $2 AND p.oid = $2"
						 " AND v.workflow = w.id AND v.version = w.version AND o.id = w.owner"
						 " AND o.role::oid = p.proowner AND (w.hold = 'owner_changed' OR v.source = p.prosrc"
						 " AND (w.hold IS NULL OR w.hold NOT IN ('definition_invalid', 'function_missing')))"
						 " AND NOT ($3 AND EXISTS (SELECT FROM automation.rule r WHERE r.workflow = w.id AND r.version = w.version"
						 " AND r.kind = 'T' AND NOT r.armed AND NOT EXISTS (SELECT FROM automation.rule a WHERE a.workflow = w.id"
						 " AND a.version = w.version AND a.kind = 'T' AND a.clause = r.clause AND a.armed)))",
						 "tob", routine->signature, routine->function, check) > 0;
}

static void
reconcile_function(void *arg)
{
	wf_register(((Routine *) arg)->function, REGISTER_RECONCILED);
}

/* In the coordinator, which is superuser and must not run owners' code. */
static void
reconcile_unchecked(void *arg)
{
	Routine    *routine = arg;

	if (!wf_register_unchecked(routine->function))
		ereport(LOG,
				(errmsg("function %s in database \"%s\" is not registered as it is",
						routine->signature, get_database_name(MyDatabaseId)),
				 errhint("Its owner repeats CREATE OR REPLACE FUNCTION, or a superuser runs CALL automation.reconcile().")));
}

static void
reconcile_functions(bool check)
{
	ListCell   *cell;

	foreach(cell, wf_register_routines())
	{
		Routine    *routine = lfirst(cell);

		if (!is_settled(routine, check))
			(void) wf_guarded(psprintf("register workflow %s", routine->signature),
							  check ? reconcile_function : reconcile_unchecked, routine);
	}
}

/* Rows whose function went unseen.  restored: their OIDs are of another database. */
static void
hold_orphans(bool restored)
{
	ListCell   *cell;

	foreach(cell, wf_workflow_all())
	{
		WorkflowRow *row = lfirst(cell);

		if (OidIsValid(wf_routine_owner(row->routine)) &&
			strcmp(wf_routine_signature(row->routine), row->signature) == 0)
			continue;
		if (restored)
			wf_register_unbind(row);
		if (row->hold == NULL)
			wf_register_hold(row, "function_missing", "its function was dropped unseen, or not restored");
	}
}

/* Workflows whose signature another role took, once nobody is in them. */
static void
forget_displaced(void)
{
	List	   *ids = wf_engine_ids("SELECT w.id::bigint FROM automation.workflow w WHERE w.routine = 0"
									" AND w.signature LIKE '% #' || w.id AND NOT EXISTS"
									" (SELECT FROM automation.enrollment e WHERE e.workflow = w.id)", "");
	ListCell   *cell;

	foreach(cell, ids)
		wf_unregister((int) *(int64 *) lfirst(cell));
}

static void
bind_function(void *arg)
{
	Signature  *sig = wf_signature_load(((Routine *) arg)->function);

	if (sig != NULL)
		(void) wf_register_bind(sig);
}

void
wf_reconcile_functions(void)
{
	reconcile_functions(true);
}

static void
reconcile_changed(void *arg)
{
	reconcile_functions(true);
}

void
wf_reconcile_owners(void)
{
	if (check_function_bodies && wf_store_present() && wf_engine_armed())
		(void) wf_guarded("follow changes of owner", reconcile_changed, NULL);
}

void
wf_reconcile_bindings(void)
{
	ListCell   *cell;

	foreach(cell, wf_register_routines())
	{
		Routine    *routine = lfirst(cell);

		(void) wf_guarded(psprintf("bind workflow %s", routine->signature), bind_function, routine);
	}
}

/* --- tables --- */

static void
forget_lost_tables(void)
{
	List	   *lost = wf_engine_ids("SELECT s.relation::oid::bigint FROM automation.source s"
									 " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = s.relation)", "");
	ListCell   *cell;

	foreach(cell, lost)
		wf_unregister_table((Oid) *(int64 *) lfirst(cell));
}

/*
 * Tables that have rules but no capture trigger, or the other way round; all:
 * every watched table, for its triggers may not be those its rules want.
 */
static void
arm_tables(bool all)
{
	List	   *ids = wf_engine_ids("SELECT s.relation::oid::bigint FROM automation.source s WHERE $2 OR"
									" EXISTS (SELECT FROM automation.rule r WHERE r.source = s.id AND r.armed) <>"
									" EXISTS (SELECT FROM pg_catalog.pg_trigger t, pg_catalog.pg_proc p"
									" WHERE t.tgrelid = s.relation AND p.oid = t.tgfoid AND p.proname = 'capture'"
									" AND p.pronamespace = $1)", "ob", wf_store_namespace(), all);
	List	   *relations = NIL;
	ListCell   *cell;

	foreach(cell, ids)
		relations = lappend_oid(relations, (Oid) *(int64 *) lfirst(cell));
	wf_arm_relations(relations, true);
}

/* --- sequences --- */

/* Rows that made way for restored ones may have ids the sequences have yet to
 * give. */
static void
advance_sequences(void)
{
	static const char *const sequences[][2] = {
		{"automation.owner", "automation.owner_seq"},
		{"automation.source", "automation.source_seq"},
		{"automation.workflow", "automation.workflow_seq"},
		{"automation.rule", "automation.rule_seq"},
		{"automation.enrollment", "automation.enrollment_seq"},
		{"automation.parked", "automation.parked_seq"},
		{"automation.job", "automation.job_seq"},
		{"automation.schedule", "automation.schedule_seq"},
		{"automation.due", "automation.due_seq"}
	};

	for (int i = 0; i < lengthof(sequences); i++)
		wf_engine_sql(psprintf("SELECT pg_catalog.setval('%s', t.highest) FROM (SELECT max(id) AS highest FROM %s) t, %s s"
							   " WHERE t.highest > s.last_value", sequences[i][1], sequences[i][0], sequences[i][1]), "");
}

/* A dump without privileges leaves every function open to everybody. */
static void
close_functions(void)
{
	ListCell   *cell;

	foreach(cell, wf_register_routines())
		wf_register_close(((Routine *) lfirst(cell))->function);
}

static void
reconcile(bool thoroughly)
{
	bool		restored = !wf_engine_armed();

	reconcile_functions(thoroughly);
	hold_orphans(restored);
	if (restored)
		close_functions();
	forget_displaced();
	forget_lost_tables();
	arm_tables(thoroughly);
	if (thoroughly)
		advance_sequences();
	wf_schedules_reconcile();
}

/*
 * No row at all: either nothing is to be done, or a restore has made the
 * functions and their rows are about to come.  To register them now would be
 * in its way.
 */
static bool
restore_may_be_running(void)
{
	int			n;

	if (wf_workflow_all() != NIL)
		return false;
	n = list_length(wf_register_routines());
	if (n > 0)
		ereport(LOG,
				(errmsg("%d workflow functions in database \"%s\" are not registered",
						n, get_database_name(MyDatabaseId)),
				 errhint("If no restore is under way, a superuser runs CALL automation.reconcile() there.")));
	return true;
}

void
wf_reconcile(bool force)
{
	int			level;

	if (!wf_store_present())
		return;
	/* In this order: whose rows are to be seen has disarmed the engine before.
	 * The coordinator says so in the log. */
	if (!force && (restore_may_be_running() || !wf_engine_armed()))
		return;
	level = NewGUCNestLevel();
	if (LockTimeout == 0)
		(void) set_config_option("lock_timeout", LOCK_PATIENCE, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	reconcile(force);
	AtEOXact_GUC(false, level);
}

/* ----------------------------------------------------------------
 * SQL
 * ----------------------------------------------------------------
 */

/* What to tell the workers when the transaction under way has committed. */
static bool announce_at_commit = false;
static bool wake_at_commit = false;

static void
transaction_ended(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT && announce_at_commit)
		wf_board_announce();
	if (event == XACT_EVENT_COMMIT && wake_at_commit)
		wf_board_wake_all();
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		announce_at_commit = wake_at_commit = false;
}

static void
watch_transaction(void)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(transaction_ended, NULL);
	registered = true;
}

static void
require_superuser(const char *what)
{
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to %s", what)));
}

Datum
wf_reconcile_sql(PG_FUNCTION_ARGS)
{
	require_superuser("reconcile workflows");
	wf_reconcile(true);
	PG_RETURN_VOID();
}

void
wf_engine_wake(void)
{
	watch_transaction();
	wake_at_commit = true;
}

bool
wf_engine_disarm(void)
{
	if (wf_engine_sql("UPDATE automation.engine SET armed = false WHERE armed", "") == 0)
		return false;
	wf_engine_wake();
	return true;
}

/*
 * Who waits after a restore: the ties may be hashes of another machine or version,
 * and transactions are counted anew.  Everybody who is tied is looked at, after
 * the events that were restored, and every change that comes is one he waits for.
 */
static void
renew_waits(void)
{
	List	   *ids;
	ListCell   *cell;

	wf_engine_sql("UPDATE automation.enrollment SET waiting = waiting - 'snapshot' WHERE waiting ->> 'kind' = 'change'", "");
	ids = wf_engine_ids("SELECT id FROM automation.enrollment WHERE waiting ? 'ties' ORDER BY id", "");
	foreach(cell, ids)
	{
		Enrollment *e = wf_enrollment_load(*(int64 *) lfirst(cell));
		Event		event = {.kind = EVENT_WAKE,.owner = e->owner,.target = e->id};

		wf_event_append(&event);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * After a restore no message leaves by itself that was not over, even if triggers were
 * switched off meanwhile.  Those that were on their way when the dump was made have no
 * licence; they get one, too.
 */
static void
hold_messages(void)
{
	List	   *ids;
	ListCell   *cell;

	wf_engine_sql("UPDATE automation.outgoing o SET state = 'held' WHERE state = 'queued'"
				  " AND NOT EXISTS (SELECT FROM automation.inflight f WHERE f.id = o.id)", "");
	wf_engine_sql("UPDATE automation.outgoing_due SET due = 'infinity' WHERE due < 'infinity'", "");
	ids = wf_engine_ids("SELECT id FROM automation.outgoing o WHERE state = 'held'"
						" AND NOT EXISTS (SELECT FROM automation.outgoing_due d WHERE d.id = o.id)"
						" AND NOT EXISTS (SELECT FROM automation.inflight f WHERE f.id = o.id) ORDER BY id", "");
	foreach(cell, ids)
	{
		Outgoing   *o = wf_outgoing_load(*(int64 *) lfirst(cell));

		wf_outgoing_license(o, DT_NOEND, o->attempts);
		CHECK_FOR_INTERRUPTS();
	}
}

Datum
wf_arm_sql(PG_FUNCTION_ARGS)
{
	bool		restored = !wf_engine_armed();

	require_superuser("arm the engine");
	wf_reconcile(true);
	if (restored)
	{
		renew_waits();
		hold_messages();
	}
	wf_engine_sql("UPDATE automation.engine SET armed = true WHERE NOT armed", "");
	wf_engine_wake();
	announce_at_commit = true;
	PG_RETURN_VOID();
}

/* Last line of the extension's script: the launcher starts a coordinator. */
Datum
wf_announce(PG_FUNCTION_ARGS)
{
	watch_transaction();
	announce_at_commit = true;
	PG_RETURN_VOID();
}
