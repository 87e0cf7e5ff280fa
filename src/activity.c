/*
 * activity.c -- what a worker is doing, for pg_stat_activity.
 *
 * Called by the launcher, the coordinator and the executors; in a session that
 * runs automation.run() nothing is reported, its own statement stands there.
 * An executor reports once when a batch begins and once for each workflow it
 * meets in it, nothing per item.  No memory, no errors, no locks.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "utils/guc.h"

#include "activity.h"
#include "compat.h"

#define TEXT_SIZE 1024

static int	queued = 0;					/* changes, when the batch began */
static bool alone = false;

void
wf_activity_name(void)
{
	SetConfigOption("application_name", MyBgworkerEntry->bgw_type, PGC_USERSET, PGC_S_OVERRIDE);
}

void
wf_activity(bool running, const char *what)
{
	if (MyBgworkerEntry)
		pgstat_report_activity(running ? STATE_RUNNING : STATE_IDLE, what);
}

void
wf_activity_batch(int changes)
{
	queued = changes;
	alone = false;
}

void
wf_activity_alone(void)
{
	alone = true;
}

void
wf_activity_workflow(const char *signature)
{
	char		text[TEXT_SIZE];
	int			length;

	if (MyBgworkerEntry == NULL)
		return;
	if (alone)
		length = snprintf(text, sizeof(text), "automation: one item alone, workflow %s", signature);
	else if (queued > 0)
		length = snprintf(text, sizeof(text), "automation: batch, changes in the queue: %d, workflow %s", queued, signature);
	else
		length = snprintf(text, sizeof(text), "automation: batch of timers, workflow %s", signature);
	if (length >= sizeof(text))
		text[pg_mbcliplen(text, sizeof(text) - 1, sizeof(text) - 1)] = '\0';
	pgstat_report_activity(STATE_RUNNING, text);
}
