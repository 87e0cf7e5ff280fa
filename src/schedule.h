/*
 * schedule.h -- automation.schedule: the EVERY clauses and when they are due.
 * (schedule.c, schedule_job.c)
 */
#ifndef WF_SCHEDULE_H
#define WF_SCHEDULE_H

#include "access/htup.h"
#include "check.h"
#include "commands.h"
#include "datatype/timestamp.h"

/* Row of automation.schedule in memory. */
typedef struct Schedule
{
	int64		id;
	int			workflow;
	int			owner;
	int			clause;
	char	   *text;
	TimestampTz since;
	TimestampTz last_run;				/* 0 = never */
	int64		cron_job;				/* 0 = none */
	HeapTuple	tuple;
} Schedule;

/* A new one, whose times count from now. */
extern void wf_schedule_insert(const WorkflowRow *row, int clause, const char *text);
/* By id; NULL if there is none.  Current context. */
extern Schedule *wf_schedule_load(int64 id);
/* Schedule * of an owner (0: of all), by id. */
extern List *wf_schedules_of(int owner);

/* Time of the schedule that is due: the last one up to "now", unless it was run
 * or does not count; 0 = none. */
extern TimestampTz wf_schedule_due(const Schedule *schedule, TimestampTz now);

/* {"schedule": text, "at": moment}: what jobs and the journal say of a run. */
extern Jsonb *wf_schedule_detail(const Schedule *schedule, TimestampTz at);

/* The executor begins a run for a time of the schedule. */
extern void wf_schedule_ran(Schedule *schedule, TimestampTz at, const char *driver);

/* Appends a tick for each schedule of an owner (0: of all) that is due since
 * "late" microseconds at least and whose workflow is not held. */
extern void wf_schedules_mark(int owner, int64 late, const char *driver);

/* When the next of an owner's schedules comes; 0 = never.  In a transaction. */
extern TimestampTz wf_schedules_next(int owner);

/* --- schedule_job.c: registration, in the session of whoever does DDL --- */

/* Rows and jobs for the EVERY clauses of the current version.  demand: ERROR if
 * pg_cron can't be used; else a WARNING says so. */
extern void wf_schedules_store(const WorkflowRow *row, const CheckedWorkflow *checked, bool demand);
/* The workflow has another owner now. */
extern void wf_schedules_owner(const WorkflowRow *row);
/* It is dropped. */
extern void wf_schedules_drop(int workflow);
/* Times that pass unseen up to now do not count: the workflow was paused. */
extern void wf_schedules_restart(int workflow);
/* All jobs as they should be; WARNING for what can't be put right. */
extern void wf_schedules_reconcile(void);
/* The extension is about to be dropped. */
extern void wf_schedules_leave(void);

#endif
