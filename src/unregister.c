/*
 * unregister.c -- removing workflows and tables from the engine, and arming
 * what remains.
 *
 * Called by ddl.c (DROP, CREATE OR REPLACE in another language) and
 * reconcile.c.  History stays; events of rules that are gone are the reader's
 * business.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "clock.h"
#include "compat.h"
#include "enginesql.h"
#include "event.h"
#include "order.h"
#include "outbox.h"
#include "owner.h"
#include "register.h"
#include "rule.h"
#include "schedule.h"
#include "wait.h"

#define LOCK_PATIENCE	"2s"

/* Calls that will never end otherwise, whether they have entered or are queued:
 * tell who waits for them. */
static void
close_calls(int workflow)
{
	List	   *calls = wf_engine_ids("DELETE FROM automation.call c USING"
									  " (SELECT id FROM automation.enrollment WHERE workflow = $1 UNION ALL"
									  "  SELECT target FROM automation.parked WHERE workflow = $1 AND kind = 'H') e"
									  " WHERE c.id = e.id RETURNING c.id", "i", workflow);
	ListCell   *call;
	ListCell   *waiter;

	foreach(call, calls)
	{
		foreach(waiter, wf_waiters(wf_tie_finished(*(int64 *) lfirst(call))))
		{
			Event		event = {0};

			event.kind = EVENT_WAKE;
			event.owner = ((Waiter *) lfirst(waiter))->owner;
			event.target = ((Waiter *) lfirst(waiter))->enrollment;
			wf_event_append(&event);
		}
	}
}

/* What it sends and has not left is not to leave any more. */
static void
cancel_messages(int workflow)
{
	TimestampTz now = wf_clock_now();
	/* one snapshot: each of them is in one of the two tables */
	List	   *ids = wf_engine_ids("SELECT id FROM automation.outgoing_due WHERE workflow = $1"
									" UNION ALL SELECT m.id FROM automation.inflight f JOIN automation.outgoing m ON m.id = f.id"
									" WHERE m.workflow = $1 ORDER BY id", "i", workflow);
	ListCell   *lc;

	foreach(lc, ids)
	{
		CHECK_FOR_INTERRUPTS();
		if (!wf_outgoing_cancel_quietly(*(int64 *) lfirst(lc), "workflow_gone", now))
			wf_outgoing_stop(*(int64 *) lfirst(lc), "workflow_gone", now);
	}
}

void
wf_unregister(int id)
{
	static const char *const by_enrollment[] = {
		"DELETE FROM automation.timer t USING automation.enrollment e WHERE e.workflow = $1"
		" AND t.owner = e.owner AND t.at = e.wake_at AND t.enrollment = e.id",
		"DELETE FROM automation.wait w USING automation.enrollment e WHERE e.workflow = $1 AND w.enrollment = e.id",
		"DELETE FROM automation.argument a USING automation.enrollment e WHERE e.workflow = $1 AND a.enrollment = e.id",
		"DELETE FROM automation.parked p USING automation.enrollment e WHERE e.workflow = $1 AND p.target = e.id"
	};
	static const char *const by_workflow[] = {
		"DELETE FROM automation.enrollment WHERE workflow = $1",
		"DELETE FROM automation.parked WHERE workflow = $1",
		"DELETE FROM automation.timer t USING automation.due d WHERE d.workflow = $1"
		" AND t.owner = d.owner AND t.at = coalesce(d.at, d.look_at) AND t.enrollment = -d.id",
		"DELETE FROM automation.due WHERE workflow = $1",
		"DELETE FROM automation.job WHERE workflow = $1",
		"DELETE FROM automation.ledger WHERE workflow = $1",
		"DELETE FROM automation.assignment WHERE workflow = $1",
		"DELETE FROM automation.split WHERE workflow = $1",
		"DELETE FROM automation.split_rule WHERE workflow = $1",
		"DELETE FROM automation.decision WHERE workflow = $1",
		"DELETE FROM automation.rule WHERE workflow = $1",
		"DELETE FROM automation.workflow_version WHERE workflow = $1",
		"DELETE FROM automation.workflow WHERE id = $1"
	};

	wf_order_change(id);
	close_calls(id);
	cancel_messages(id);
	wf_schedules_drop(id);
	if (wf_engine_sql("SELECT FROM automation.enrollment WHERE workflow = $1 LIMIT 1", "i", id) > 0)
	{
		for (int i = 0; i < lengthof(by_enrollment); i++)
			wf_engine_sql(by_enrollment[i], "i", id);
	}
	for (int i = 0; i < lengthof(by_workflow); i++)
		wf_engine_sql(by_workflow[i], "i", id);
}

void
wf_unregister_table(Oid relation)
{
	int			source = wf_source_id(relation, false);

	if (source == 0)
		return;
	wf_engine_sql("DELETE FROM automation.rule WHERE source = $1", "i", source);
	wf_engine_sql("DELETE FROM automation.argument WHERE source = $1", "i", source);
	wf_engine_sql("DELETE FROM automation.timer t USING automation.due d WHERE d.source = $1"
				  " AND t.owner = d.owner AND t.at = coalesce(d.at, d.look_at) AND t.enrollment = -d.id", "i", source);
	wf_engine_sql("DELETE FROM automation.due WHERE source = $1", "i", source);
	wf_engine_sql("DELETE FROM automation.source WHERE id = $1", "i", source);
}

List *
wf_watched_relations(int workflow, bool armed_only)
{
	List	   *ids = wf_engine_ids("SELECT DISTINCT s.relation::oid::bigint FROM automation.rule r, automation.source s"
									" WHERE r.workflow = $1 AND s.id = r.source AND (r.armed OR NOT $2) ORDER BY 1",
									"ib", workflow, armed_only);
	List	   *relations = NIL;
	ListCell   *cell;

	foreach(cell, ids)
		relations = lappend_oid(relations, (Oid) *(int64 *) lfirst(cell));
	return relations;
}

static void
arm(void *arg)
{
	UserScope	scope;

	wf_engine_enter(&scope);
	wf_rules_arm(*(Oid *) arg);
	wf_engine_leave(&scope);
}

/* Waiting for the lock keeps all writers of the table waiting behind us: what
 * is not asked for by name does so for a moment only. */
static void
arm_briefly(void *arg)
{
	int			level = NewGUCNestLevel();

	if (LockTimeout == 0)
		(void) set_config_option("lock_timeout", LOCK_PATIENCE, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	arm(arg);
	AtEOXact_GUC(false, level);
}

/* Those whose triggers could not be set, if "quietly". */
List *
wf_arm_relations(List *relations, bool quietly)
{
	List	   *failed = NIL;
	ListCell   *cell;

	list_sort(relations, list_oid_cmp); /* one order for all: no deadlocks */
	foreach(cell, relations)
	{
		Oid			relation = lfirst_oid(cell);
		char	   *name = get_rel_name(relation);

		if (name == NULL)
			continue;
		if (!quietly)
			arm(&relation);
		else if (!wf_guarded(psprintf("set the triggers of table %s", name), arm_briefly, &relation))
		{
			CacheInvalidateRelcacheByRelid(relation);	/* the rules at least are read again */
			failed = lappend_oid(failed, relation);
		}
	}
	return failed;
}
