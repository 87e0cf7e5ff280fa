/*
 * business.c -- business time: next_opening(), is_open(), add_business_time(),
 * business_time_between(), and when a message may leave, window_opening().
 *
 * SQL functions, called in workflows and elsewhere; what they count on is in
 * opening.c.  A calendar or zone that is NULL is the default one, the session's;
 * any other argument that is NULL gives NULL.  NULL as well: it does not open for
 * CALENDAR_PATIENCE days.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"

#include "compat.h"
#include "opening.h"

PG_FUNCTION_INFO_V1(wf_next_opening);
PG_FUNCTION_INFO_V1(wf_is_open);
PG_FUNCTION_INFO_V1(wf_add_business_time);
PG_FUNCTION_INFO_V1(wf_business_time_between);
PG_FUNCTION_INFO_V1(wf_window_opening);

/* So far business time can be counted. */
#define MAX_DAYS (100 * 36525 / 100)

/* Those who waited for a window leave within this time, or within this part of it. */
#define MAX_SPREAD (15 * USECS_PER_MINUTE)
#define SPREAD_PART 4

static char *
text_argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

static Calendar *
calendar_argument(FunctionCallInfo fcinfo, int i, int zone)
{
	return wf_calendar_load(text_argument(fcinfo, i), text_argument(fcinfo, zone));
}

static void
refuse_infinite(TimestampTz moment)
{
	if (TIMESTAMP_NOT_FINITE(moment))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("no opening comes after an infinite time")));
}

static void
check_days(int64 days)
{
	if (days > MAX_DAYS)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("business time out of range"),
				 errhint("It is counted over 100 years at most.")));
}

/* --- openings --- */

/* next_opening(calendar, zone, since) */
Datum
wf_next_opening(PG_FUNCTION_ARGS)
{
	Opening		opening;

	if (PG_ARGISNULL(2))
		PG_RETURN_NULL();
	refuse_infinite(PG_GETARG_TIMESTAMPTZ(2));
	if (!wf_opening_from(calendar_argument(fcinfo, 0, 1), PG_GETARG_TIMESTAMPTZ(2), &opening))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(opening.from);
}

/* is_open(at, calendar, zone) */
Datum
wf_is_open(PG_FUNCTION_ARGS)
{
	Calendar   *calendar;
	bool		at_end;
	bool		holds;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	calendar = calendar_argument(fcinfo, 1, 2);
	if (TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(0)))
		PG_RETURN_BOOL(false);
	holds = wf_opening_holds(calendar, PG_GETARG_TIMESTAMPTZ(0), &at_end);
	PG_RETURN_BOOL(holds && !at_end);
}

/* --- counting --- */

/* A moment outside opening hours is as good as the next opening, or, if time is
 * taken away, as the end of the last one. */
static bool
move_inside(const Calendar *calendar, bool backward, TimestampTz *moment)
{
	Opening		opening;
	bool		at_end;

	if (wf_opening_holds(calendar, *moment, &at_end))
		return true;
	if (!(backward ? wf_opening_upto(calendar, *moment, &opening) :
		  wf_opening_from(calendar, *moment, &opening)))
		return false;
	*moment = backward ? opening.to : opening.from;
	return true;
}

/* The same time of day, so many business days on; the moment is inside. */
static bool
add_days(const Calendar *calendar, int64 days, TimestampTz *moment)
{
	int			step = days < 0 ? -1 : 1;
	int64		left = days < 0 ? -days : days;
	int			idle = 0;
	int			walked;
	int64		time;
	DateADT		day;
	bool		at_end;

	(void) wf_opening_holds(calendar, *moment, &at_end);
	day = wf_opening_day(calendar, *moment, at_end, &time);
	check_days(left);
	for (walked = 0; left > 0; walked++)
	{
		CHECK_FOR_INTERRUPTS();
		check_days(walked);
		day += step;
		if (wf_opening_begins_on(calendar, day))
		{
			left--;
			idle = 0;
		}
		else if (++idle > CALENDAR_PATIENCE)
			return false;
	}
	*moment = wf_zone_moment(DATE_TIMESTAMP(day) + time, calendar->zone);
	return move_inside(calendar, days < 0, moment);
}

/* When so much opening time (microseconds) has passed, or was still to pass. */
static bool
add_time(const Calendar *calendar, int64 time, TimestampTz *moment)
{
	bool		backward = time < 0;
	uint64		left = backward ? -(uint64) time : (uint64) time;
	OpeningWalk walk;
	Opening		opening;

	wf_opening_walk(&walk, calendar, *moment, backward);
	while (wf_opening_next(&walk, &opening))
	{
		TimestampTz from = backward ? opening.from : Max(opening.from, *moment);
		TimestampTz to = backward ? Min(opening.to, *moment) : opening.to;

		check_days(walk.days);
		if (from >= to)
			continue;
		if (left <= (uint64) (to - from))
		{
			*moment = backward ? to - (int64) left : from + (int64) left;
			return true;
		}
		left -= to - from;
	}
	return false;
}

/* add_business_time(start, amount, calendar, zone) */
Datum
wf_add_business_time(PG_FUNCTION_ARGS)
{
	TimestampTz moment;
	Interval   *amount;
	Calendar   *calendar;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	moment = PG_GETARG_TIMESTAMPTZ(0);
	amount = PG_GETARG_INTERVAL_P(1);
	calendar = calendar_argument(fcinfo, 2, 3);
	if (amount->month != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("business time is counted in days and hours, not in months"),
				 errhint("Add months or years to the time from which it is counted.")));
	if (TIMESTAMP_NOT_FINITE(moment))
		PG_RETURN_TIMESTAMPTZ(moment);
	if (!move_inside(calendar, amount->day < 0 || (amount->day == 0 && amount->time < 0), &moment))
		PG_RETURN_NULL();
	if (amount->day != 0 && !add_days(calendar, amount->day, &moment))
		PG_RETURN_NULL();
	if (amount->time != 0 && !add_time(calendar, amount->time, &moment))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(moment);
}

/* Opening time between two moments, of which the second is not the earlier. */
static int64
time_between(const Calendar *calendar, TimestampTz from, TimestampTz to)
{
	OpeningWalk walk;
	Opening		opening;
	int64		total = 0;

	check_days((to - from) / USECS_PER_DAY);
	wf_opening_walk(&walk, calendar, from, false);
	while (wf_opening_next(&walk, &opening) && opening.from < to)
	{
		if (opening.to > from)
			total += Min(opening.to, to) - Max(opening.from, from);
	}
	return total;
}

/* business_time_between(a, b, calendar, zone) */
Datum
wf_business_time_between(PG_FUNCTION_ARGS)
{
	Interval   *result = palloc0(sizeof(Interval));
	Calendar   *calendar;
	TimestampTz a;
	TimestampTz b;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	a = PG_GETARG_TIMESTAMPTZ(0);
	b = PG_GETARG_TIMESTAMPTZ(1);
	calendar = calendar_argument(fcinfo, 2, 3);
	if (TIMESTAMP_NOT_FINITE(a) || TIMESTAMP_NOT_FINITE(b))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("cannot subtract infinite timestamps")));
	result->time = a <= b ? time_between(calendar, a, b) : -time_between(calendar, b, a);
	PG_RETURN_INTERVAL_P(result);
}

/* --- windows --- */

/* Length of the opening, joined with those that follow without a gap, as far as
 * it matters for the spread. */
static int64
joined_length(const Calendar *calendar, const Opening *first)
{
	Opening		joined = *first;
	Opening		next;

	while (joined.to - joined.from < MAX_SPREAD * SPREAD_PART &&
		   wf_opening_from(calendar, joined.to, &next) && next.from == joined.to)
		joined.to = next.to;
	return joined.to - joined.from;
}

static int64
spread(const char *key, int64 length)
{
	int64		most = Min(MAX_SPREAD, length / SPREAD_PART);

	if (key == NULL || most <= 0)
		return 0;
	return hash_bytes_extended((const unsigned char *) key, strlen(key), 0) % (uint64) most;
}

/* The opening at or after "since", somewhat later if it has yet to begin; 0: none. */
static TimestampTz
leave_at(const Calendar *calendar, TimestampTz since, const char *spread_key)
{
	Opening		opening;

	if (!wf_opening_from(calendar, since, &opening))
		return 0;
	if (opening.from > since)
		opening.from += spread(spread_key, joined_length(calendar, &opening));
	return opening.from;
}

TimestampTz
wf_opening_for_message(const char *window, const char *zone, TimestampTz since, const char *spread_key)
{
	return leave_at(wf_calendar_of_window(window, CALENDAR_DEFAULT, zone), since, spread_key);
}

/* window_opening(hours, calendar, zone, since, spread_key) */
Datum
wf_window_opening(PG_FUNCTION_ARGS)
{
	char	   *window = text_argument(fcinfo, 0);
	char	   *name = text_argument(fcinfo, 1);
	char	   *zone = text_argument(fcinfo, 2);
	Calendar   *calendar;
	TimestampTz since;

	if (PG_ARGISNULL(3))
		PG_RETURN_NULL();
	since = PG_GETARG_TIMESTAMPTZ(3);
	refuse_infinite(since);
	calendar = window ? wf_calendar_of_window(window, name, zone) : wf_calendar_load(name, zone);
	since = leave_at(calendar, since, text_argument(fcinfo, 4));
	if (since == 0)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(since);
}
