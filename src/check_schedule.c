/*
 * check_schedule.c -- the small languages inside two strings: the schedule of
 * EVERY and the opening hours of SEND DURING.
 *
 * Called by check_clause.c.  Pure functions of the text: no catalog, no user
 * code; an ERROR points at the string and names the part that is wrong.  What
 * they mean is in cron.c and hours.c.
 */
#include "postgres.h"
#include "compat.h"

#include "check_internal.h"
#include "cron.h"
#include "hours.h"
#include "utils/timestamp.h"

static void
refuse_schedule(const Check *ck, const char *text, int location, const char *detail, const char *arg)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid schedule: \"%s\"", text),
			 errdetail(detail, arg),
			 errhint("Five fields: minute, hour, day of month, month, day of week, as in '0 9 * * 1'."),
			 wf_errposition(ck->body, location)));
}

/* ERROR unless text is a schedule that comes some time. */
void
wf_check_schedule(const Check *ck, const char *text, int location)
{
	Cron		cron;
	const char *field;
	const char *rest;

	if (!wf_cron_parse(text, &cron, &field, &rest))
	{
		if (field == NULL)
			refuse_schedule(ck, text, location, "Too much: \"%s\".", rest);
		refuse_schedule(ck, text, location, *rest == '\0' ? "The %s is missing." : "The %s is wrong.", field);
	}
	if (wf_cron_next(&cron, GetCurrentTimestamp(), wf_cron_zone()) == 0)
		refuse_schedule(ck, text, location, "There is no such day: %s.", text);
}

/* ERROR unless text lists windows of the week. */
void
wf_check_window(const Check *ck, const char *text, int location)
{
	Hours		hours;

	if (!wf_hours_read(text, false, &hours))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid window: \"%s\"", text),
				 errhint("Write days and times, as in 'Mon-Fri 09:00-17:00, Sat 10:00-12:00'."),
				 wf_errposition(ck->body, location)));
}
