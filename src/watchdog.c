/*
 * watchdog.c -- a time limit on a user's SQL that the SQL cannot lift.
 *
 * Armed by whoever executes around each item, and anew at each statement of a
 * workflow, so that nothing of the user's runs without it.  statement_timeout
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
#include "settings.h"
#include "watchdog.h"

#define LAST_STRIKE 3

static TimeoutId timer;
static bool registered = false;
static volatile sig_atomic_t running = false;
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
	wf_watchdog_stop();
	strikes = 0;
	terminate_at_last = terminate;
	running = true;
	enable_timeout_every(timer, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms),
						 Max(ms, wf_step_timeout));
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
wf_watchdog_running(void)
{
	return running;
}

bool
wf_watchdog_fired(void)
{
	return strikes > 0;
}

/* Signal handler's context. */
void
wf_watchdog_blame(void)
{
	terminating = true;
}

bool
wf_watchdog_terminates(void)
{
	return terminating;
}
