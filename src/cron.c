/*
 * cron.c -- cron schedules: reading them, and the moments they mean.
 *
 * Called by check_schedule.c at definition, and by schedule.c, which asks when a
 * schedule was due last and will be due next.  Pure functions of their arguments
 * and, for wf_cron_zone(), of pg_cron's settings: no catalog, no user code, no
 * memory.  The rules are pg_cron's, so that its ticks come when we expect them.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "cron.h"
#include "zone.h"

#define HOURS_ALL ((1U << HOURS_PER_DAY) - 1)
#define DAYS_LOOKED_AT (40 * 366)		/* a 29 February on a given weekday is 40 years away at most */

/* --- reading --- */

typedef struct CronField
{
	const char *name;
	int			min;
	int			max;
	const char *const *words;	/* names that stand for numbers, from min on; or NULL */
} CronField;

static const char *const month_words[] = {
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL
};
static const char *const day_words[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

enum
{
	CRON_MINUTE, CRON_HOUR, CRON_DAY, CRON_MONTH, CRON_WEEKDAY, CRON_FIELDS
};

static const CronField cron_fields[CRON_FIELDS] = {
	{"minute", 0, 59, NULL},
	{"hour", 0, 23, NULL},
	{"day of month", 1, 31, NULL},
	{"month", 1, 12, month_words},
	{"day of week", 0, 7, day_words}
};

static const struct
{
	const char *name;
	const char *fields;
}			nicknames[] =
{
	{"@hourly", "0 * * * *"},
	{"@daily", "0 0 * * *"},
	{"@midnight", "0 0 * * *"},
	{"@weekly", "0 0 * * 0"},
	{"@monthly", "0 0 1 * *"},
	{"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"}
};

/* The value at *p, a number or a word, which is moved behind it; or -1. */
static int
read_value(const CronField *field, const char **p)
{
	int			value = 0;
	int			n = 0;

	for (int i = 0; field->words && field->words[i]; i++)
	{
		if (pg_strncasecmp(*p, field->words[i], 3) == 0 && !isalpha((unsigned char) (*p)[3]))
		{
			*p += 3;
			return field->min + i;
		}
	}
	for (; n < 4 && isdigit((unsigned char) **p); n++, (*p)++)
		value = value * 10 + (**p - '0');
	return n > 0 && value >= field->min && value <= field->max ? value : -1;
}

/* The number behind a slash; 1 if there is none, -1 if it is wrong. */
static int
read_step(const char **p)
{
	static const CronField step = {"step", 1, 9999, NULL};

	if (**p != '/')
		return 1;
	(*p)++;
	return read_value(&step, p);
}

/* One of the comma-separated parts of a field: *, 5, 1-5; those that are more
 * than one value may have a step. */
static bool
read_part(const CronField *field, const char **p, uint64 *bits)
{
	int			from = field->min;
	int			upto = field->max;
	int			step = 1;

	if (**p == '*')
	{
		(*p)++;
		step = read_step(p);
	}
	else
	{
		from = upto = read_value(field, p);
		if (from >= 0 && **p == '-')
		{
			(*p)++;
			upto = read_value(field, p);
			step = read_step(p);
		}
	}
	if (from < 0 || upto < from || step < 0)
		return false;
	for (int i = from; i <= upto; i += step)
		*bits |= UINT64CONST(1) << i;
	return true;
}

static bool
read_field(const CronField *field, const char **p, uint64 *bits)
{
	*bits = 0;
	for (;;)
	{
		if (!read_part(field, p, bits))
			return false;
		if (**p != ',')
			return **p == '\0' || isspace((unsigned char) **p);
		(*p)++;
	}
}

static const char *
skip_space(const char *p)
{
	while (isspace((unsigned char) *p))
		p++;
	return p;
}

/* What a nickname stands for; the text itself if it is none. */
static const char *
fields_of(const char *text)
{
	const char *p = skip_space(text);

	for (int i = 0; i < lengthof(nicknames); i++)
	{
		int			n = strlen(nicknames[i].name);

		if (pg_strncasecmp(p, nicknames[i].name, n) == 0 && *skip_space(p + n) == '\0')
			return nicknames[i].fields;
	}
	return p;
}

bool
wf_cron_parse(const char *text, Cron *cron, const char **field, const char **rest)
{
	const char *p = fields_of(text);
	uint64		bits[CRON_FIELDS];
	bool		star[CRON_FIELDS];

	for (int i = 0; i < CRON_FIELDS; i++)
	{
		*field = cron_fields[i].name;
		*rest = p;
		star[i] = *p == '*';
		if (*p == '\0' || !read_field(&cron_fields[i], &p, &bits[i]))
			return false;
		p = skip_space(p);
	}
	*field = NULL;
	*rest = p;
	cron->minutes = bits[CRON_MINUTE];
	cron->hours = (uint32) bits[CRON_HOUR];
	cron->days = (uint32) bits[CRON_DAY];
	cron->months = (uint32) bits[CRON_MONTH];
	cron->weekdays = (uint32) ((bits[CRON_WEEKDAY] | bits[CRON_WEEKDAY] >> 7) & 0x7f);	/* 7 is Sunday, too */
	cron->either_day = !star[CRON_DAY] && !star[CRON_WEEKDAY];
	return *p == '\0';
}

/* --- the calendar --- */

/* cron.timezone came with pg_cron 1.5; before it was always GMT. */
pg_tz *
wf_cron_zone(void)
{
	const char *name = GetConfigOption("cron.timezone", true, false);
	pg_tz	   *zone = name && *name ? pg_tzset(name) : NULL;

	return zone ? zone : pg_tzset("GMT");
}

static bool
has_bit(uint64 bits, int bit)
{
	return (bits >> bit & 1) != 0;
}

/* Is a Julian day one of the schedule's? */
static bool
is_day(const Cron *cron, int julian)
{
	int			year;
	int			month;
	int			day;
	bool		in_month;
	bool		in_week;

	j2date(julian, &year, &month, &day);
	if (!has_bit(cron->months, month))
		return false;
	in_month = has_bit(cron->days, day);
	in_week = has_bit(cron->weekdays, j2day(julian));
	return cron->either_day ? in_month || in_week : in_month && in_week;
}

/* Julian day and minute of the day that clocks show at a moment. */
static int
local_day(TimestampTz at, pg_tz *zone, int *minute)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			tz;

	if (timestamp2tm(at, &tz, &tm, &fsec, NULL, zone) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	*minute = tm.tm_hour * MINS_PER_HOUR + tm.tm_min;
	return date2j(tm.tm_year, tm.tm_mon, tm.tm_mday);
}

static TimestampTz
moment_of(int julian, int minute, pg_tz *zone)
{
	Timestamp	local = (julian - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY + minute * USECS_PER_MINUTE;

	return wf_zone_moment(local, zone);
}

static bool
is_time(const Cron *cron, int minute)
{
	return has_bit(cron->hours, minute / MINS_PER_HOUR) && has_bit(cron->minutes, minute % MINS_PER_HOUR);
}

/* --- schedules that name hours --- */

/* In the order of "step" (1 or -1): the first time of a day that is after, or
 * not after, the bound; 0 if there is none. */
static TimestampTz
find_time(const Cron *cron, int julian, int step, TimestampTz bound, pg_tz *zone)
{
	int			minute = step > 0 ? 0 : MINS_PER_HOUR * HOURS_PER_DAY - 1;

	for (; minute >= 0 && minute < MINS_PER_HOUR * HOURS_PER_DAY; minute += step)
	{
		TimestampTz at;

		if (!is_time(cron, minute))
			continue;
		at = moment_of(julian, minute, zone);
		if (step > 0 ? at > bound : at <= bound)
			return at;
	}
	return 0;
}

/* Days one after the other, in the direction of step. */
static TimestampTz
find_by_time(const Cron *cron, int step, TimestampTz bound, pg_tz *zone)
{
	int			minute;
	int			julian = local_day(bound, zone, &minute) - step;	/* a day may be left out, or be two */

	for (int i = 0; i < DAYS_LOOKED_AT; i++, julian += step)
	{
		TimestampTz at;

		if (!is_day(cron, julian))
			continue;
		at = find_time(cron, julian, step, bound, zone);
		if (at != 0)
			return at;
	}
	return 0;
}

/* --- schedules for all hours --- */

/* Minutes that pass, but for days that are none of the schedule's. */
static TimestampTz
find_by_minute(const Cron *cron, int step, TimestampTz bound, pg_tz *zone)
{
	int64		past = bound % USECS_PER_MINUTE;
	TimestampTz at = bound - (past < 0 ? past + USECS_PER_MINUTE : past);
	int			days = 0;

	if (step > 0)
		at += USECS_PER_MINUTE;
	while (days < DAYS_LOOKED_AT)
	{
		int			minute;
		int			julian = local_day(at, zone, &minute);

		if (is_day(cron, julian))
		{
			if (is_time(cron, minute))
				return at;
			at += step * USECS_PER_MINUTE;
			continue;
		}
		days++;
		if (step > 0)
			at = Max(moment_of(julian + 1, 0, zone), at + USECS_PER_MINUTE);
		else
			at = Min(moment_of(julian, 0, zone), at) - USECS_PER_MINUTE;
	}
	return 0;
}

static TimestampTz
find(const Cron *cron, int step, TimestampTz bound, pg_tz *zone)
{
	if (TIMESTAMP_NOT_FINITE(bound))
		return 0;
	return cron->hours == HOURS_ALL ? find_by_minute(cron, step, bound, zone) :
		find_by_time(cron, step, bound, zone);
}

TimestampTz
wf_cron_next(const Cron *cron, TimestampTz after, pg_tz *zone)
{
	return find(cron, 1, after, zone);
}

TimestampTz
wf_cron_previous(const Cron *cron, TimestampTz upto, pg_tz *zone)
{
	return find(cron, -1, upto, zone);
}
