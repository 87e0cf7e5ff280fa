/*
 * check_schedule.c -- the small languages inside two strings: the schedule of
 * EVERY and the opening hours of SEND DURING.
 *
 * Called by check_clause.c.  Pure functions of the text: no catalog, no
 * user code; an ERROR points at the string and names the part that is wrong.
 */
#include "postgres.h"
#include "compat.h"

#include "check_internal.h"
#include "hours.h"

typedef struct CronField
{
	const char *name;
	int			min;
	int			max;
	const char *const *words;	/* names that stand for numbers, from min on; or NULL */
} CronField;

static const char *const months[] = {
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL
};
static const char *const days[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

static const CronField cron_fields[] = {
	{"minute", 0, 59, NULL},
	{"hour", 0, 23, NULL},
	{"day of month", 1, 31, NULL},
	{"month", 1, 12, months},
	{"day of week", 0, 7, days}
};

/* Index of the three-letter word at *p, which is moved behind it; or -1. */
static int
read_word(const char **p, const char *const *words)
{
	for (int i = 0; words && words[i]; i++)
	{
		if (pg_strncasecmp(*p, words[i], 3) == 0 && !isalpha((unsigned char) (*p)[3]))
		{
			*p += 3;
			return i;
		}
	}
	return -1;
}

/* At most four digits at *p, which is moved behind them; or -1. */
static int
read_number(const char **p)
{
	int			value = 0;
	int			n = 0;

	for (; n < 4 && isdigit((unsigned char) **p); n++, (*p)++)
		value = value * 10 + (**p - '0');
	return n > 0 ? value : -1;
}

static int
cron_value(const CronField *field, const char **p)
{
	int			value = read_word(p, field->words);

	if (value >= 0)
		return field->min + value;
	value = read_number(p);
	return value >= field->min && value <= field->max ? value : -1;
}

/* One of the comma-separated parts of a field: *, 5, 1-5, each with /n. */
static bool
cron_part(const CronField *field, const char **p)
{
	if (**p == '*')
		(*p)++;
	else
	{
		int			from = cron_value(field, p);

		if (from < 0)
			return false;
		if (**p == '-')
		{
			(*p)++;
			if (cron_value(field, p) < from)
				return false;
		}
	}
	if (**p == '/')
	{
		(*p)++;
		return read_number(p) > 0;
	}
	return true;
}

static bool
cron_field(const CronField *field, const char **p)
{
	for (;;)
	{
		if (!cron_part(field, p))
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

/* ERROR unless text is a schedule of five fields. */
void
wf_check_schedule(const Check *ck, const char *text, int location)
{
	const char *p = skip_space(text);

	for (int i = 0; i < lengthof(cron_fields); i++)
	{
		if (*p == '\0')
			refuse_schedule(ck, text, location, "The %s is missing.", cron_fields[i].name);
		if (!cron_field(&cron_fields[i], &p))
			refuse_schedule(ck, text, location, "The %s is wrong.", cron_fields[i].name);
		p = skip_space(p);
	}
	if (*p != '\0')
		refuse_schedule(ck, text, location, "Too much: \"%s\".", p);
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
