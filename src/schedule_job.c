/*
 * schedule_job.c -- rows of automation.schedule, and the jobs in pg_cron that
 * tick for them.
 *
 * Called by registration (CREATE, ALTER, DROP of a workflow) and reconcile(), in
 * the caller's transaction.  A job's command is the constant
 * CALL automation.tick(id), with a number of ours; it is run as the workflow's
 * owner.  Functions of pg_cron are called in engine scope, and only when they
 * belong to that extension: whoever may create a schema named cron must not
 * have his code run by us.
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "clock.h"
#include "compat.h"
#include "cron.h"
#include "enginesql.h"
#include "owner.h"
#include "register.h"
#include "schedule.h"
#include "store.h"

PG_FUNCTION_INFO_V1(wf_schedule_facts);

#define LATE (5 * USECS_PER_MINUTE)		/* what health() calls overdue */

/* --- is pg_cron there? --- */

typedef enum
{
	CRON_HERE,
	CRON_NOT_LOADED,
	CRON_ELSEWHERE,						/* in the database named */
	CRON_NOT_CREATED
} CronState;

static const char *const cron_states[] = {
	[CRON_HERE] = NULL,
	[CRON_NOT_LOADED] = "not_loaded",
	[CRON_ELSEWHERE] = "elsewhere",
	[CRON_NOT_CREATED] = "not_created"
};

static CronState
cron_state(char **database)
{
	/* of a setting that no library defines pg_settings knows nothing */
	List	   *names = wf_engine_texts("SELECT setting FROM pg_catalog.pg_settings WHERE name = 'cron.database_name'", "");

	if (names == NIL)
		return CRON_NOT_LOADED;
	*database = linitial(names);
	if (strcmp(*database, get_database_name(MyDatabaseId)) != 0)
		return CRON_ELSEWHERE;
	if (wf_engine_sql("SELECT FROM pg_catalog.pg_extension e, pg_catalog.pg_depend d, pg_catalog.pg_proc p, pg_catalog.pg_namespace n"
					  " WHERE e.extname = 'pg_cron' AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid"
					  " AND d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'e' AND p.oid = d.objid"
					  " AND n.oid = p.pronamespace AND n.nspname = 'cron' AND p.proname = 'schedule_in_database'"
					  " AND p.proargtypes = '25 25 25 25 25 16'", "") == 0)
		return CRON_NOT_CREATED;
	return CRON_HERE;
}

static void
report_not_loaded(int level)
{
	const char *database = get_database_name(MyDatabaseId);

	ereport(level,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("EVERY needs pg_cron, which is not loaded"),
			 errhint("In postgresql.conf add pg_cron to shared_preload_libraries and set cron.database_name = '%s', restart the server, "
					 "and run as superuser: CREATE EXTENSION pg_cron.  On Debian it is in the package postgresql-%d-cron.",
					 database, PG_VERSION_NUM / 10000)));
}

static void
report_elsewhere(int level, const char *where)
{
	const char *database = get_database_name(MyDatabaseId);

	ereport(level,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("EVERY needs pg_cron in this database, but it works in database \"%s\"", where),
			 errhint("Set cron.database_name = '%s' in postgresql.conf, restart the server, and run as superuser: CREATE EXTENSION pg_cron.  "
					 "Or leave EVERY out and let a job there call the workflow: "
					 "SELECT cron.schedule_in_database('name', 'schedule', 'SELECT workflow(t) FROM table t', '%s', 'owner').",
					 database, database)));
}

/* Says what is missing; true if nothing is. */
static bool
check_cron(int level)
{
	char	   *database;

	switch (cron_state(&database))
	{
		case CRON_HERE:
			return true;
		case CRON_NOT_LOADED:
			report_not_loaded(level);
			break;
		case CRON_ELSEWHERE:
			report_elsewhere(level, database);
			break;
		case CRON_NOT_CREATED:
			ereport(level,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("EVERY needs the extension pg_cron, version 1.4 or later"),
					 errhint("Run as superuser: CREATE EXTENSION pg_cron, or ALTER EXTENSION pg_cron UPDATE.")));
			break;
	}
	return false;
}

static bool
cron_is_here(void)
{
	char	   *database;

	return cron_state(&database) == CRON_HERE;
}

/* --- jobs --- */

static char *
command_of(int64 schedule)
{
	return psprintf("CALL automation.tick(" INT64_FORMAT ")", schedule);
}

static char *
owner_name(int owner)
{
	return GetUserNameFromId(wf_owner_role(owner), true);
}

/* Deletes a schedule's job.  Its number alone proves nothing: after a restore it
 * may be that of another one. */
static void
delete_job(const Schedule *schedule)
{
	wf_engine_sql("SELECT cron.unschedule(j.jobid) FROM cron.job j WHERE j.jobid = $1 AND j.command = $2",
				  "lt", schedule->cron_job, command_of(schedule->id));
}

static void
delete_job_of(void *arg)
{
	delete_job(arg);
}

/* Whatever pg_cron says, what our own tables say must come true. */
static void
delete_jobs(List *schedules)
{
	ListCell   *lc;

	foreach(lc, schedules)
		(void) wf_guarded("delete a job in pg_cron", delete_job_of, lfirst(lc));
}

static bool
has_its_job(const Schedule *schedule, const char *owner)
{
	return wf_engine_sql("SELECT FROM cron.job j WHERE j.jobid = $1 AND j.schedule = $2 AND j.command = $3"
						 " AND j.database = pg_catalog.current_database() AND j.username = $4 AND j.active",
						 "lttt", schedule->cron_job, schedule->text, command_of(schedule->id), owner) > 0;
}

/* Brings the job of a schedule in line with its row. */
static void
set_job(const Schedule *schedule)
{
	const char *owner = owner_name(schedule->owner);
	List	   *jobs;

	if (owner == NULL || has_its_job(schedule, owner))
		return;
	if (wf_engine_sql("SELECT FROM pg_catalog.pg_roles WHERE rolname = $1 AND rolcanlogin", "t", owner) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("EVERY needs an owner who may log in, for pg_cron runs no jobs of others"),
				 errhint("ALTER ROLE %s LOGIN; it needs no password.", quote_identifier(owner))));
	delete_job(schedule);
	jobs = wf_engine_ids("SELECT cron.schedule_in_database(pg_catalog.format('automation %s %s', pg_catalog.current_database(), $1),"
						 " $2, $3, pg_catalog.current_database()::text, $4, true)",
						 "lttt", schedule->id, schedule->text, command_of(schedule->id), owner);
	wf_engine_sql("UPDATE automation.schedule SET cron_job = $2 WHERE id = $1",
				  "ll", schedule->id, *(int64 *) linitial(jobs));
}

static void
set_job_of(void *arg)
{
	set_job(arg);
}

/* Schedules of a workflow, by clause. */
static List *
schedules_of_workflow(int workflow)
{
	List	   *ids = wf_engine_ids("SELECT id FROM automation.schedule WHERE workflow = $1 ORDER BY clause", "i", workflow);
	List	   *schedules = NIL;
	ListCell   *lc;

	foreach(lc, ids)
		schedules = lappend(schedules, wf_schedule_load(*(int64 *) lfirst(lc)));
	return schedules;
}

/* --- registration --- */


/* Rows as the clauses say; the times of a new schedule count from now. */
static void
store_rows(const WorkflowRow *row, const CheckedWorkflow *checked)
{
	ListCell   *lc;
	int			clause = 0;

	foreach(lc, checked->tree->clauses)
	{
		Clause	   *every = lfirst(lc);

		if (every->kind != CLAUSE_EVERY)
			continue;
		clause++;
		if (wf_engine_sql("SELECT FROM automation.schedule WHERE workflow = $1 AND clause = $2", "ii", row->id, clause) > 0)
			wf_engine_sql("UPDATE automation.schedule SET schedule = $3, since = automation.now()"
						  " WHERE workflow = $1 AND clause = $2 AND schedule <> $3", "iit", row->id, clause, every->text);
		else
			wf_schedule_insert(row, clause, every->text);
	}
}

static int
count_clauses(const CheckedWorkflow *checked)
{
	ListCell   *lc;
	int			n = 0;

	foreach(lc, checked->tree->clauses)
		n += ((Clause *) lfirst(lc))->kind == CLAUSE_EVERY;
	return n;
}

void
wf_schedules_store(const WorkflowRow *row, const CheckedWorkflow *checked, bool demand)
{
	int			n = count_clauses(checked);
	List	   *schedules = schedules_of_workflow(row->id);
	bool		usable;
	ListCell   *lc;

	if (n == 0 && schedules == NIL)
		return;
	usable = n > 0 ? check_cron(demand ? ERROR : WARNING) : cron_is_here();
	foreach(lc, schedules)
	{
		Schedule   *schedule = lfirst(lc);

		if (schedule->clause <= n)
			continue;
		if (usable)
			delete_job(schedule);
		wf_engine_sql("DELETE FROM automation.schedule WHERE id = $1", "l", schedule->id);
	}
	store_rows(row, checked);
	if (!usable)
		return;
	foreach(lc, schedules_of_workflow(row->id))
		set_job(lfirst(lc));
}

void
wf_schedules_owner(const WorkflowRow *row)
{
	List	   *schedules = schedules_of_workflow(row->id);
	ListCell   *lc;

	if (schedules == NIL || !check_cron(WARNING))
		return;
	foreach(lc, schedules)
		(void) wf_guarded("change a job in pg_cron", set_job_of, lfirst(lc));
}

void
wf_schedules_drop(int workflow)
{
	List	   *schedules = schedules_of_workflow(workflow);

	if (schedules == NIL)
		return;
	if (cron_is_here())
		delete_jobs(schedules);
	wf_engine_sql("DELETE FROM automation.schedule WHERE workflow = $1", "i", workflow);
}

void
wf_schedules_restart(int workflow)
{
	wf_engine_sql("UPDATE automation.schedule SET since = automation.now() WHERE workflow = $1", "i", workflow);
}

/* --- reconciling --- */

/* Jobs of ours that no schedule knows, as after a restore of cron.job alone. */
static void
delete_orphans(void *arg)
{
	wf_engine_sql("SELECT cron.unschedule(j.jobid) FROM cron.job j WHERE j.database = pg_catalog.current_database()"
				  " AND j.jobname LIKE 'automation %' AND j.command ~ '^CALL automation\\.tick\\(\\d+\\)$'"
				  " AND NOT EXISTS (SELECT FROM automation.schedule s WHERE s.cron_job = j.jobid)", "");
}

void
wf_schedules_reconcile(void)
{
	List	   *schedules = wf_schedules_of(0);
	ListCell   *lc;

	if (schedules == NIL || !check_cron(WARNING))
		return;
	foreach(lc, schedules)
	{
		Schedule   *schedule = lfirst(lc);

		(void) wf_guarded(psprintf("set the job of schedule " INT64_FORMAT, schedule->id), set_job_of, schedule);
	}
	(void) wf_guarded("delete jobs of schedules that are gone", delete_orphans, NULL);
}

void
wf_schedules_leave(void)
{
	if (cron_is_here())
		delete_jobs(wf_schedules_of(0));
}

/* --- health --- */

/* Why pg_cron will not tick for a schedule; NULL: it will. */
static const char *
obstacle_of(const Schedule *schedule, CronState state)
{
	const char *owner = owner_name(schedule->owner);

	if (state != CRON_HERE)
		return cron_states[state];
	return owner == NULL || has_its_job(schedule, owner) ? NULL : "no_job";
}

/* Since when a schedule should have been run; 0: it is not late. */
static TimestampTz
late_since(const Schedule *schedule)
{
	return wf_schedule_due(schedule, wf_clock_now() - LATE);
}

/* automation.schedule_facts() */
Datum
wf_schedule_facts(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	List	   *schedules = wf_schedules_of(0);
	CronState	state;
	char	   *database;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	if (schedules == NIL)
		return (Datum) 0;
	state = cron_state(&database);
	foreach(lc, schedules)
	{
		Schedule   *schedule = lfirst(lc);
		TimestampTz late = late_since(schedule);
		const char *obstacle = obstacle_of(schedule, state);
		Datum		values[3] = {Int64GetDatum(schedule->id), TimestampTzGetDatum(late), (Datum) 0};
		bool		nulls[3] = {false, late == 0, obstacle == NULL};

		if (obstacle)
			values[2] = CStringGetTextDatum(obstacle);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
