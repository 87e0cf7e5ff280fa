/*
 * hours.c -- reads days of the week and hours of the day; hours.h has the grammar.
 *
 * Called for SEND DURING when a workflow is made, for calendars and for the days
 * of next_time().  Pure functions of the text, the result is in the current
 * context; no errors, the caller knows what was asked for.
 */
#include "postgres.h"

#include "compat.h"
#include "hours.h"

static const char *const day_names[] = {
	"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"
};

static void
skip_space(const char **p)
{
	while (isspace((unsigned char) **p))
		(*p)++;
}

/* Index of the day at *p, which is moved behind it; or -1. */
static int
read_day(const char **p)
{
	int			length = 0;

	while (isalpha((unsigned char) (*p)[length]))
		length++;
	for (int i = 0; i < lengthof(day_names); i++)
	{
		if (pg_strncasecmp(*p, day_names[i], length) == 0 && (length == 3 || length == strlen(day_names[i])))
		{
			*p += length;
			return i;
		}
	}
	return -1;
}

/* One day, or from one to another, perhaps over the end of the week. */
static bool
read_days(const char **p, int *days)
{
	int			day = read_day(p);
	int			last = day;

	skip_space(p);
	if (day >= 0 && **p == '-')
	{
		(*p)++;
		skip_space(p);
		last = read_day(p);
		skip_space(p);
	}
	if (day < 0 || last < 0)
		return false;
	*days |= 1 << last;
	for (; day != last; day = (day + 1) % 7)
		*days |= 1 << day;
	return true;
}

/* At most two digits. */
static int
read_number(const char **p, int min_digits)
{
	int			value = 0;
	int			n = 0;

	for (; n < 2 && isdigit((unsigned char) **p); n++, (*p)++)
		value = value * 10 + (**p - '0');
	return n >= min_digits ? value : -1;
}

/* H:MM or HH:MM in minutes, 24:00 included; or -1. */
static int
read_time(const char **p)
{
	int			hour = read_number(p, 1);
	int			minute;

	if (hour < 0 || **p != ':')
		return -1;
	(*p)++;
	minute = read_number(p, 2);
	skip_space(p);
	if (minute < 0 || minute > 59 || hour * 60 + minute > HOURS_MINUTES_A_DAY)
		return -1;
	return hour * 60 + minute;
}

static bool
read_range(const char **p, HoursRange *range)
{
	range->opens = read_time(p);
	if (range->opens < 0 || range->opens == HOURS_MINUTES_A_DAY || **p != '-')
		return false;
	(*p)++;
	skip_space(p);
	range->closes = read_time(p);
	if (range->closes < 0 || range->closes == range->opens)
		return false;
	if (range->closes < range->opens)
		range->closes += HOURS_MINUTES_A_DAY;
	return true;
}

static void
add_range(Hours *hours, const HoursRange *range)
{
	hours->ranges = hours->nranges == 0 ? palloc(sizeof(HoursRange)) :
		repalloc(hours->ranges, sizeof(HoursRange) * (hours->nranges + 1));
	hours->ranges[hours->nranges++] = *range;
}

/* See hours.h. */
bool
wf_hours_read(const char *text, bool of_day, Hours *hours)
{
	const char *p = text;
	HoursRange	range = {0};
	int			waiting = 0;		/* days that have no range yet */

	hours->nranges = 0;
	hours->ranges = NULL;
	if (of_day)
		range.days = HOURS_EVERY_DAY;
	for (;; p++)
	{
		skip_space(&p);
		if (isalpha((unsigned char) *p) && (of_day || !read_days(&p, &waiting)))
			return false;
		if (isdigit((unsigned char) *p))
		{
			if (waiting != 0)
				range.days = waiting;
			waiting = 0;
			if (!read_range(&p, &range) || range.days == 0)
				return false;
			add_range(hours, &range);
		}
		else if (waiting == 0)
			return false;
		if (*p != ',')
			return *p == '\0' && waiting == 0;
	}
}

/* See hours.h. */
bool
wf_hours_read_days(const char *text, int *days)
{
	const char *p = text;

	*days = 0;
	skip_space(&p);
	if (*p == '*')
	{
		*days = HOURS_EVERY_DAY;
		p++;
		skip_space(&p);
		return *p == '\0';
	}
	while (read_days(&p, days))
	{
		if (*p != ',')
			return *p == '\0';
		p++;
		skip_space(&p);
	}
	return false;
}
