/*
 * next_time.c -- automation.next_time() and automation.next_anniversary(): the
 * next moment of a weekday and time of day, or of a day of the year.
 *
 * SQL functions, called in workflows and elsewhere.  "since" is the moment after
 * which the next one is wanted: engine time by default, and what now() means to a
 * workflow's own text (analyze_clock.c).  A time of day that clocks leave out is
 * the moment when they are put forward, one that comes twice the first of both.
 * Zone data only: no table is read.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datetime.h"

#include "clock.h"
#include "compat.h"
#include "hours.h"
#include "zone.h"

PG_FUNCTION_INFO_V1(wf_next_time);
PG_FUNCTION_INFO_V1(wf_next_time_daily);
PG_FUNCTION_INFO_V1(wf_next_time_daily_after);
PG_FUNCTION_INFO_V1(wf_next_anniversary);
PG_FUNCTION_INFO_V1(wf_next_anniversary_time);
PG_FUNCTION_INFO_V1(wf_next_anniversary_after);

/* Longest stretch of days in which every weekday comes: two weeks, since a zone
 * may leave out a day. */
#define DAYS_TO_LOOK 15

static pg_tz *
zone_argument(FunctionCallInfo fcinfo, int i)
{
	return wf_zone(PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i)));
}

static void
refuse_infinite(TimestampTz since)
{
	if (TIMESTAMP_NOT_FINITE(since))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("nothing comes after an infinite time")));
}

/* --- next_time --- */

static int
days_argument(FunctionCallInfo fcinfo, int i)
{
	int			days;
	char	   *names;

	if (PG_ARGISNULL(i))
		return HOURS_EVERY_DAY;
	names = text_to_cstring(PG_GETARG_TEXT_PP(i));
	if (!wf_hours_read_days(names, &days))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid day of the week: \"%s\"", names),
				 errhint("Write 'Tuesday', 'Mon-Fri', 'Mon, Wed' or '*'.")));
	return days;
}

static TimestampTz
next_time(int days, TimeADT at, pg_tz *zone, TimestampTz since)
{
	DateADT		date;
	DateADT		last;
	TimestampTz moment;

	refuse_infinite(since);
	date = wf_zone_date(since, zone) - 1;	/* clocks may go back over midnight */
	for (last = date + DAYS_TO_LOOK; date <= last; date++)
	{
		if ((days & (1 << j2day(date + POSTGRES_EPOCH_JDATE))) == 0)
			continue;
		moment = wf_zone_moment(DATE_TIMESTAMP(date) + at, zone);
		if (moment > since && wf_zone_has_date(date, zone))
			return moment;
	}
	elog(ERROR, "no such day in time zone \"%s\"", pg_get_timezone_name(zone));
}

/* next_time(day, at, zone, since) */
Datum
wf_next_time(PG_FUNCTION_ARGS)
{
	int			days;
	pg_tz	   *zone;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(3))
		PG_RETURN_NULL();
	days = days_argument(fcinfo, 0);
	zone = zone_argument(fcinfo, 2);
	PG_RETURN_TIMESTAMPTZ(next_time(days, PG_GETARG_TIMEADT(1), zone, PG_GETARG_TIMESTAMPTZ(3)));
}

/* next_time(at) */
Datum
wf_next_time_daily(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(next_time(HOURS_EVERY_DAY, PG_GETARG_TIMEADT(0), session_timezone, wf_clock_now()));
}

/* next_time_after(at, since) */
Datum
wf_next_time_daily_after(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(next_time(HOURS_EVERY_DAY, PG_GETARG_TIMEADT(0), session_timezone,
									PG_GETARG_TIMESTAMPTZ(1)));
}

/* --- next_anniversary --- */

static void
split_date(DateADT date, int *year, int *month, int *day)
{
	j2date(date + POSTGRES_EPOCH_JDATE, year, month, day);
}

/* The day's date in a year; 29 February is 28 February in a year without it. */
static DateADT
anniversary_in(DateADT of, int year)
{
	int			birth;
	int			month;
	int			day;
	DateADT		next;

	split_date(of, &birth, &month, &day);
	if (month == 2 && day == 29 && !isleap(year))
		day = 28;
	next = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	if (!IS_VALID_JULIAN(year, month, day) || !IS_VALID_DATE(next))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("date out of range")));
	return next;
}

/* The first year that can have an anniversary on a date or later. */
static int
first_year(DateADT of, DateADT date)
{
	int			birth;
	int			year;
	int			month;
	int			day;

	split_date(of, &birth, &month, &day);
	split_date(date, &year, &month, &day);
	return Max(birth + 1, year);
}

static DateADT
next_anniversary(DateADT of, TimestampTz since)
{
	DateADT		today;
	DateADT		next;
	int			year;

	refuse_infinite(since);
	today = wf_zone_date(since, session_timezone);
	year = first_year(of, today);
	next = anniversary_in(of, year);
	return next > today ? next : anniversary_in(of, year + 1);
}

static TimestampTz
next_anniversary_time(DateADT of, TimeADT at, pg_tz *zone, TimestampTz since)
{
	int			year;

	refuse_infinite(since);
	for (year = first_year(of, wf_zone_date(since, zone) - 1);; year++)
	{
		DateADT		next = anniversary_in(of, year);
		TimestampTz moment;

		if (next > TIMESTAMP_END_JULIAN - POSTGRES_EPOCH_JDATE)
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("timestamp out of range")));
		moment = wf_zone_moment(DATE_TIMESTAMP(next) + at, zone);
		if (moment > since)
			return moment;
	}
}

/* next_anniversary(day) */
Datum
wf_next_anniversary(PG_FUNCTION_ARGS)
{
	DateADT		of = PG_GETARG_DATEADT(0);

	if (DATE_NOT_FINITE(of))
		PG_RETURN_NULL();
	PG_RETURN_DATEADT(next_anniversary(of, wf_clock_now()));
}

/* next_anniversary_after(day, since) */
Datum
wf_next_anniversary_after(PG_FUNCTION_ARGS)
{
	DateADT		of = PG_GETARG_DATEADT(0);

	if (DATE_NOT_FINITE(of))
		PG_RETURN_NULL();
	PG_RETURN_DATEADT(next_anniversary(of, PG_GETARG_TIMESTAMPTZ(1)));
}

/* next_anniversary(day, at, zone, since) */
Datum
wf_next_anniversary_time(PG_FUNCTION_ARGS)
{
	DateADT		of;
	pg_tz	   *zone;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(3))
		PG_RETURN_NULL();
	of = PG_GETARG_DATEADT(0);
	zone = zone_argument(fcinfo, 2);
	if (DATE_NOT_FINITE(of))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(next_anniversary_time(of, PG_GETARG_TIMEADT(1), zone, PG_GETARG_TIMESTAMPTZ(3)));
}
