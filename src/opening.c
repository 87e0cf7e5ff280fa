/*
 * opening.c -- calendars: when is it open.
 *
 * Called by business.c.  A calendar is read from automation.calendar and
 * automation.holiday by their indexes, whoever asks: opening hours are no secret,
 * and what a condition sees must not depend on the rights of a workflow's owner.
 * It is read anew for each call, under the snapshot of the query that calls.
 *
 * An opening belongs to the day on which it begins.  A holiday replaces the
 * openings that begin on it, and ends at its midnight one of the evening before.
 * Openings are local times made moments by wf_zone_moment(), which never goes
 * back: they do not overlap, and one that clocks leave out is empty.
 *
 * All results are in the current context.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "opening.h"
#include "store.h"

#define CALENDAR_NAME 1
#define CALENDAR_HOURS 2
#define CALENDAR_ZONE 3

#define HOLIDAY_CALENDAR 1
#define HOLIDAY_DAY 2
#define HOLIDAY_HOURS 3

/* --- reading --- */

static bool
is_blank(const char *text)
{
	return text[strspn(text, " \t\n\r\f\v")] == '\0';
}

/* Blank is never. */
static void
read_hours(const char *text, bool of_day, Hours *hours)
{
	hours->nranges = 0;
	hours->ranges = NULL;
	if (!is_blank(text) && !wf_hours_read(text, of_day, hours))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid opening hours: \"%s\"", text),
				 of_day ? errhint("Write times, as in '10:00-12:00', or an empty text for a day on which it is closed.") :
				 errhint("Write days and times, as in 'Mon-Fri 09:00-17:00, Sat 10:00-12:00'.")));
}

static char *
text_column(HeapTuple tuple, int attnum, TupleDesc desc)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attnum, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static Snapshot
reading_snapshot(void)
{
	return ActiveSnapshotSet() ? GetActiveSnapshot() : wf_store_snapshot();
}

static SysScanDesc
scan_by_name(Relation rel, const char *index, int attnum, const char *name)
{
	ScanKeyData key;

	ScanKeyInit(&key, attnum, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	key.sk_collation = C_COLLATION_OID;
	return wf_store_scan(rel, index, reading_snapshot(), 1, &key);
}

/* Hours and zone of the calendar's row; false: there is none. */
static bool
read_calendar(const char *name, char **hours, char **zone)
{
	Relation	rel = wf_store_open("calendar", AccessShareLock);
	SysScanDesc scan = scan_by_name(rel, "calendar_pkey", CALENDAR_NAME, name);
	HeapTuple	tuple = systable_getnext(scan);

	if (HeapTupleIsValid(tuple))
	{
		*hours = text_column(tuple, CALENDAR_HOURS, RelationGetDescr(rel));
		*zone = text_column(tuple, CALENDAR_ZONE, RelationGetDescr(rel));
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return HeapTupleIsValid(tuple);
}

static int
compare_holidays(const void *a, const void *b)
{
	DateADT		left = ((const Holiday *) a)->day;
	DateADT		right = ((const Holiday *) b)->day;

	return left < right ? -1 : left > right;
}

static void
read_holidays(Calendar *calendar, const char *name)
{
	Relation	rel = wf_store_open("holiday", AccessShareLock);
	SysScanDesc scan = scan_by_name(rel, "holiday_pkey", HOLIDAY_CALENDAR, name);
	HeapTuple	tuple;
	bool		isnull;
	int			room = 16;

	calendar->holidays = palloc(sizeof(Holiday) * room);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Holiday    *holiday;

		if (calendar->nholidays == room)
			calendar->holidays = repalloc(calendar->holidays, sizeof(Holiday) * (room *= 2));
		holiday = &calendar->holidays[calendar->nholidays++];
		holiday->day = DatumGetDateADT(heap_getattr(tuple, HOLIDAY_DAY, RelationGetDescr(rel), &isnull));
		holiday->text = text_column(tuple, HOLIDAY_HOURS, RelationGetDescr(rel));
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	qsort(calendar->holidays, calendar->nholidays, sizeof(Holiday), compare_holidays);
}

static void
refuse_name(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("calendar \"%s\" does not exist", name),
			 errhint("Calendars are rows of automation.calendar.")));
}

/* See opening.h. */
Calendar *
wf_calendar_load(const char *name, const char *zone)
{
	Calendar   *calendar = palloc0(sizeof(Calendar));
	char	   *hours = CALENDAR_DEFAULT_HOURS;
	char	   *own_zone = NULL;

	if (name == NULL)
		name = CALENDAR_DEFAULT;
	if (!read_calendar(name, &hours, &own_zone) && strcmp(name, CALENDAR_DEFAULT) != 0)
		refuse_name(name);
	read_hours(hours, false, &calendar->week);
	calendar->zone = wf_zone(zone ? zone : own_zone);
	read_holidays(calendar, name);
	return calendar;
}

/* See opening.h.  NULLs are refused by the table. */
void
wf_calendar_check_row(HeapTuple tuple, TupleDesc desc)
{
	char	   *text = text_column(tuple, CALENDAR_HOURS, desc);
	Hours		hours;

	if (text)
		read_hours(text, false, &hours);
	(void) wf_zone(text_column(tuple, CALENDAR_ZONE, desc));
}

/* See opening.h. */
void
wf_holiday_check_row(HeapTuple tuple, TupleDesc desc, bool known)
{
	char	   *name = text_column(tuple, HOLIDAY_CALENDAR, desc);
	char	   *text = text_column(tuple, HOLIDAY_HOURS, desc);
	char	   *unused;
	Hours		hours;

	if (text)
		read_hours(text, true, &hours);
	if (known && name && strcmp(name, CALENDAR_DEFAULT) != 0 && !read_calendar(name, &unused, &unused))
		refuse_name(name);
}

/* --- the openings of a day, in minutes --- */

/* A range of a day, from 0 to 1440. */
typedef struct Minutes
{
	int			from;
	int			to;
} Minutes;

/* Most holidays of a calendar are not asked for: their hours are read here. */
static const Hours *
hours_of_holiday(Holiday *holiday)
{
	if (holiday->text)
		read_hours(holiday->text, true, &holiday->hours);
	holiday->text = NULL;
	return &holiday->hours;
}

static Holiday *
find_holiday(const Calendar *calendar, DateADT day)
{
	Holiday		wanted = {.day = day};

	return calendar->nholidays == 0 ? NULL :
		bsearch(&wanted, calendar->holidays, calendar->nholidays, sizeof(Holiday), compare_holidays);
}

/* The hours in force for openings that begin on the day; *weekday picks them. */
static const Hours *
hours_of(const Calendar *calendar, DateADT day, int *weekday)
{
	Holiday    *holiday = find_holiday(calendar, day);

	*weekday = 1 << j2day(day + POSTGRES_EPOCH_JDATE);
	return holiday ? hours_of_holiday(holiday) : &calendar->week;
}

static int
compare_minutes(const void *a, const void *b)
{
	return ((const Minutes *) a)->from - ((const Minutes *) b)->from;
}

/* Joins what overlaps or touches; returns how many are left. */
static int
join_minutes(Minutes *minutes, int n)
{
	int			joined = 0;

	qsort(minutes, n, sizeof(Minutes), compare_minutes);
	for (int i = 0; i < n; i++)
	{
		if (joined > 0 && minutes[i].from <= minutes[joined - 1].to)
			minutes[joined - 1].to = Max(minutes[joined - 1].to, minutes[i].to);
		else
			minutes[joined++] = minutes[i];
	}
	return joined;
}

/* When it is open on the day, whichever day that began on; sorted and apart. */
static int
minutes_of_day(const Calendar *calendar, DateADT day, Minutes **minutes)
{
	int			today;
	int			yesterday;
	const Hours *hours = hours_of(calendar, day, &today);
	const Hours *before = hours_of(calendar, day - 1, &yesterday);
	int			n = 0;

	*minutes = palloc(sizeof(Minutes) * (hours->nranges + before->nranges + 1));
	for (int i = 0; i < hours->nranges; i++)
	{
		if (hours->ranges[i].days & today)
			(*minutes)[n++] = (Minutes) {hours->ranges[i].opens, Min(hours->ranges[i].closes, HOURS_MINUTES_A_DAY)};
	}
	for (int i = 0; i < before->nranges && find_holiday(calendar, day) == NULL; i++)
	{
		if ((before->ranges[i].days & yesterday) && before->ranges[i].closes > HOURS_MINUTES_A_DAY)
			(*minutes)[n++] = (Minutes) {0, before->ranges[i].closes - HOURS_MINUTES_A_DAY};
	}
	return join_minutes(*minutes, n);
}

/* --- openings as moments --- */

static TimestampTz
moment_of(const Calendar *calendar, DateADT day, int minute)
{
	return wf_zone_moment(DATE_TIMESTAMP(day) + minute * USECS_PER_MINUTE, calendar->zone);
}

static bool
make_opening(const Calendar *calendar, DateADT day, int from, int to, Opening *opening)
{
	opening->from = moment_of(calendar, day, from);
	opening->to = moment_of(calendar, day, to);
	return opening->from < opening->to;
}

/* Openings of the walk's day. */
static void
load_day(OpeningWalk *walk)
{
	Minutes    *minutes;
	int			n = minutes_of_day(walk->calendar, walk->day, &minutes);

	if (walk->openings)
		pfree(walk->openings);
	walk->openings = palloc(sizeof(Opening) * Max(n, 1));
	walk->nopenings = 0;
	for (int i = 0; i < n; i++)
	{
		if (make_opening(walk->calendar, walk->day, minutes[i].from, minutes[i].to, &walk->openings[walk->nopenings]))
			walk->nopenings++;
	}
	pfree(minutes);
	walk->next = walk->step > 0 ? 0 : walk->nopenings - 1;
	walk->idle = walk->nopenings > 0 ? 0 : walk->idle + 1;
}

/* See opening.h. */
void
wf_opening_walk(OpeningWalk *walk, const Calendar *calendar, TimestampTz from, bool backward)
{
	memset(walk, 0, sizeof(OpeningWalk));
	walk->calendar = calendar;
	walk->step = backward ? -1 : 1;
	walk->day = wf_zone_date(from, calendar->zone) - walk->step;	/* clocks may go back over midnight */
	load_day(walk);
}

/* See opening.h. */
bool
wf_opening_next(OpeningWalk *walk, Opening *opening)
{
	while (walk->next < 0 || walk->next >= walk->nopenings)
	{
		CHECK_FOR_INTERRUPTS();
		if (walk->idle > CALENDAR_PATIENCE)
			return false;
		walk->day += walk->step;
		walk->days++;
		load_day(walk);
	}
	*opening = walk->openings[walk->next];
	walk->next += walk->step;
	return true;
}

/* See opening.h. */
bool
wf_opening_from(const Calendar *calendar, TimestampTz moment, Opening *opening)
{
	OpeningWalk walk;

	wf_opening_walk(&walk, calendar, moment, false);
	while (wf_opening_next(&walk, opening))
	{
		if (opening->to > moment)
		{
			opening->from = Max(opening->from, moment);
			return true;
		}
	}
	return false;
}

/* See opening.h. */
bool
wf_opening_upto(const Calendar *calendar, TimestampTz moment, Opening *opening)
{
	OpeningWalk walk;

	wf_opening_walk(&walk, calendar, moment, true);
	while (wf_opening_next(&walk, opening))
	{
		if (opening->from < moment)
		{
			opening->to = Min(opening->to, moment);
			return true;
		}
	}
	return false;
}

/* See opening.h. */
bool
wf_opening_holds(const Calendar *calendar, TimestampTz moment, bool *at_end)
{
	OpeningWalk walk;
	Opening		opening;

	*at_end = false;
	wf_opening_walk(&walk, calendar, moment, false);
	while (walk.days <= 2 && wf_opening_next(&walk, &opening) && opening.from <= moment)
	{
		if (opening.to > moment)
		{
			*at_end = false;
			return true;
		}
		*at_end = opening.to == moment;
	}
	return *at_end;
}

/* --- business days --- */

/* See opening.h. */
bool
wf_opening_begins_on(const Calendar *calendar, DateADT day)
{
	int			weekday;
	const Hours *hours = hours_of(calendar, day, &weekday);
	Opening		opening;

	for (int i = 0; i < hours->nranges; i++)
	{
		if ((hours->ranges[i].days & weekday) &&
			make_opening(calendar, day, hours->ranges[i].opens, hours->ranges[i].closes, &opening))
			return true;
	}
	return false;
}

/* Is the time, since the day's midnight, in a range that begins on the day? */
static bool
is_in_range_of(const Calendar *calendar, DateADT day, int64 time, bool at_end)
{
	int			weekday;
	const Hours *hours = hours_of(calendar, day, &weekday);

	for (int i = 0; i < hours->nranges; i++)
	{
		int64		opens = hours->ranges[i].opens * USECS_PER_MINUTE;
		int64		closes = hours->ranges[i].closes * USECS_PER_MINUTE;

		if ((hours->ranges[i].days & weekday) &&
			(at_end ? time > opens && time <= closes : time >= opens && time < closes))
			return true;
	}
	return false;
}

/* See opening.h. */
DateADT
wf_opening_day(const Calendar *calendar, TimestampTz moment, bool at_end, int64 *time)
{
	DateADT		day = wf_zone_date(moment, calendar->zone);

	*time = wf_zone_local(moment, calendar->zone) - DATE_TIMESTAMP(day);
	if (is_in_range_of(calendar, day, *time, at_end) ||
		!is_in_range_of(calendar, day - 1, *time + USECS_PER_DAY, at_end))
		return day;						/* neither: in the hour that comes twice */
	*time += USECS_PER_DAY;
	return day - 1;
}

/* --- windows --- */

/* The ranges of a holiday as far as the window is open on that day. */
static void
narrow_holiday(Holiday *holiday, const Hours *window)
{
	int			weekday = 1 << j2day(holiday->day + POSTGRES_EPOCH_JDATE);
	const Hours *hours = hours_of_holiday(holiday);
	Hours		both = {0};

	both.ranges = palloc(sizeof(HoursRange) * Max(hours->nranges * window->nranges, 1));
	for (int i = 0; i < hours->nranges; i++)
	{
		for (int j = 0; j < window->nranges; j++)
		{
			HoursRange	range = hours->ranges[i];

			range.opens = Max(range.opens, window->ranges[j].opens);
			range.closes = Min(range.closes, window->ranges[j].closes);
			if ((window->ranges[j].days & weekday) && range.opens < range.closes)
				both.ranges[both.nranges++] = range;
		}
	}
	holiday->hours = both;
}

/* See opening.h. */
Calendar *
wf_calendar_of_window(const char *window, const char *name, const char *zone)
{
	Calendar   *calendar = palloc0(sizeof(Calendar));
	char	   *hours;
	char	   *own_zone;

	if (!wf_hours_read(window, false, &calendar->week))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid window: \"%s\"", window),
				 errhint("Write days and times, as in 'Mon-Fri 09:00-17:00, Sat 10:00-12:00'.")));
	calendar->zone = wf_zone(zone);
	if (name == NULL)
		return calendar;
	if (!read_calendar(name, &hours, &own_zone) && strcmp(name, CALENDAR_DEFAULT) != 0)
		refuse_name(name);
	read_holidays(calendar, name);
	for (int i = 0; i < calendar->nholidays; i++)
		narrow_holiday(&calendar->holidays[i], &calendar->week);
	return calendar;
}
