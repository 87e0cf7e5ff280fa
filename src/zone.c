/*
 * zone.c -- local times of a time zone and the moments they stand for.
 *
 * Called by clock.c and by whoever counts days, dates and times of day.  Pure
 * functions of the server's zone data; what they allocate is the core's cache of
 * zones.  See zone.h for what is promised on the days on which clocks are
 * changed.
 */
#include "postgres.h"

#include "utils/datetime.h"

#include "compat.h"
#include "zone.h"

/* No zone is farther than this from Greenwich. */
#define FARTHEST (16 * SECS_PER_HOUR)

/* See zone.h. */
pg_tz *
wf_zone(const char *name)
{
	pg_tz	   *zone;

	if (name == NULL)
		return session_timezone;
	zone = pg_tzset(name);
	if (zone == NULL || !pg_tz_acceptable(zone))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" not recognized", name),
				 errhint("The names are in pg_timezone_names, for example Europe/Paris.")));
	return zone;
}

static void
check_range(TimestampTz moment)
{
	if (!IS_VALID_TIMESTAMP(moment))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
}

/* Second of a timestamp, rounded down. */
static pg_time_t
second_of(Timestamp timestamp)
{
	pg_time_t	second = timestamp / USECS_PER_SEC;

	if (timestamp % USECS_PER_SEC < 0)
		second--;
	return second + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (pg_time_t) SECS_PER_DAY;
}

/*
 * From change to change of the zone: the local time is in the first stretch in
 * which clocks come to show it, or was passed over at its beginning.
 */
TimestampTz
wf_zone_moment(Timestamp local, pg_tz *zone)
{
	pg_time_t	from = second_of(local) - FARTHEST;
	TimestampTz begins = DT_NOBEGIN;
	TimestampTz moment;

	if (TIMESTAMP_NOT_FINITE(local))
		return local;
	for (;;)
	{
		pg_time_t	change;
		long		before;
		long		after;
		int			isdst;
		int			found = pg_next_dst_boundary(&from, &before, &isdst, &change, &after, &isdst, zone);

		if (found < 0)
			elog(ERROR, "time zone \"%s\" has no offset", pg_get_timezone_name(zone));
		moment = Max(local - before * USECS_PER_SEC, begins);
		if (found == 0 || moment < time_t_to_timestamptz(change))
			break;
		begins = time_t_to_timestamptz(change);
		from = change;
	}
	check_range(moment);
	return moment;
}

/* See zone.h. */
Timestamp
wf_zone_local(TimestampTz moment, pg_tz *zone)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
	Timestamp	local;

	if (TIMESTAMP_NOT_FINITE(moment))
		return moment;
	if (timestamp2tm(moment, &offset, &tm, &fsec, NULL, zone) != 0 ||
		tm2timestamp(&tm, fsec, NULL, &local) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	return local;
}

/* See zone.h. */
DateADT
wf_zone_date(TimestampTz moment, pg_tz *zone)
{
	Timestamp	local = wf_zone_local(moment, zone);
	DateADT		date = local / USECS_PER_DAY;

	return local % USECS_PER_DAY < 0 ? date - 1 : date;
}

/* See zone.h. */
bool
wf_zone_has_date(DateADT date, pg_tz *zone)
{
	return wf_zone_moment(DATE_TIMESTAMP(date), zone) < wf_zone_moment(DATE_TIMESTAMP(date + 1), zone);
}
