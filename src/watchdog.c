/*
 * watchdog.c -- a time limit on a user's SQL that the SQL cannot lift.
 *
 * Armed by the executor around each statement of a workflow.  statement_timeout
 * can be SET by the statement itself and its error be caught; this timer is our
 * own, strikes again, and its third strike is a FATAL, which nothing catches.
 * A QUERY_CANCELED error may have other causes: the flag tells.  No memory, no
 * errors, no locks.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "watchdog.h"

#define LAST_STRIKE 3

static TimeoutId timer;
static bool registered = false;
static bool running = false;
static bool terminate_at_last = false;
static volatile sig_atomic_t strikes = 0;
static volatile sig_atomic_t terminating = false;

/* Signal handler's context. */
static void
strike(void)
{
	strikes++;
	InterruptPending = true;
	if (strikes >= LAST_STRIKE && terminate_at_last)
	{
		terminating = true;
		ProcDiePending = true;
	}
	else
		QueryCancelPending = true;
	SetLatch(MyLatch);
}

void
wf_watchdog_start(int ms, bool terminate)
{
	if (!registered)
		timer = RegisterTimeout(USER_TIMEOUT, strike);
	registered = true;
	strikes = 0;
	terminate_at_last = terminate;
	running = true;
	enable_timeout_every(timer, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms), ms);
}

/* A strike that came too late to cancel anything must not cancel our own work
 * that follows. */
void
wf_watchdog_stop(void)
{
	if (!running)
		return;
	running = false;
	disable_timeout(timer, false);
	if (strikes > 0 && !terminating)
		QueryCancelPending = false;
}

bool
wf_watchdog_fired(void)
{
	return strikes > 0;
}

bool
wf_watchdog_terminates(void)
{
	return terminating;
}
