/*
 * retry.c -- when a message is tried again.
 *
 * By the server's schedule, up to a fifth earlier or later, so that those that
 * failed together do not come back together; never earlier than the receiver asked
 * for.  No memory, no errors.
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "limits.h"

#define LONGEST_RETRY_AFTER USECS_PER_DAY
#define MAIL_PATIENCE (3 * USECS_PER_DAY)	/* all pauses together */
#define JITTER 0.2

int64
wf_retry_after(int64 retry_after)
{
	return Min(retry_after, LONGEST_RETRY_AFTER);
}

bool
wf_delivery_retry_at(const Server *server, bool mail, int attempts, int64 retry_after, TimestampTz now, TimestampTz *at)
{
	int64		pause = 0;
	int64		so_far = 0;
	int			n = 0;
	ListCell   *lc;

	if (attempts > list_length(server->schedule))
		return false;
	foreach(lc, server->schedule)
	{
		pause = *(int64 *) lfirst(lc);
		if (++n == attempts)
			break;
		so_far += pause;
	}
	if (mail && so_far >= MAIL_PATIENCE)
		return false;
	pause *= 1 - JITTER + 2 * JITTER * pg_prng_double(&pg_global_prng_state);
	*at = now + Max(pause, wf_retry_after(retry_after));
	return true;
}
