/*
 * template_filter.c -- the filters of tokens.
 *
 * A filter makes a text of a text; NULL is a value that is missing, before and after.
 * What a filter can't read (date of "soon") is missing, too: data never raises an
 * error here. Nothing depends on the session's settings: dates are read in the form
 * of ISO 8601, as they are in JSON, and written with English names; numbers as the
 * sample says. Upper and lower case are those of the database's locale.
 *
 * Results are in the current context.
 */
#include "postgres.h"

#include <ctype.h>

#include "catalog/pg_collation.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/formatting.h"
#include "utils/numeric.h"

#include "compat.h"
#include "template.h"
#include "zone.h"

#define MAX_NUMBER 1000				/* characters */

/* --- dates --- */

/* A number of so many digits; text goes behind it. */
static bool
digits(const char **text, int least, int most, int *number)
{
	int			n = 0;

	*number = 0;
	while (n < most && isdigit((unsigned char) **text))
	{
		*number = *number * 10 + (**text - '0');
		(*text)++;
		n++;
	}
	return n >= least;
}

static bool
separator(const char **text, const char *any)
{
	if (**text == '\0' || strchr(any, **text) == NULL)
		return false;
	(*text)++;
	return true;
}

/* Time of day, to the microsecond. */
static bool
read_time(const char **text, struct pg_tm *tm, fsec_t *fsec)
{
	int			unit = 100000;

	if (!digits(text, 2, 2, &tm->tm_hour) || !separator(text, ":") || !digits(text, 2, 2, &tm->tm_min))
		return false;
	if (separator(text, ":") && !digits(text, 2, 2, &tm->tm_sec))
		return false;
	if (separator(text, ".,"))
		for (; isdigit((unsigned char) **text); (*text)++, unit /= 10)
			*fsec += unit * (**text - '0');
	return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 60;
}

/* Seconds east of Greenwich. */
static bool
read_offset(const char **text, int *seconds)
{
	int			sign = **text == '-' ? -1 : 1;
	int			hours;
	int			minutes = 0;

	*seconds = 0;
	if (separator(text, "Z"))
		return true;
	if (!separator(text, "+-") || !digits(text, 2, 2, &hours))
		return false;
	if (separator(text, ":") || isdigit((unsigned char) **text))
		if (!digits(text, 2, 2, &minutes))
			return false;
	*seconds = sign * (hours * SECS_PER_HOUR + minutes * SECS_PER_MINUTE);
	return hours < 24 && minutes < 60;
}

/* What clocks in the zone show at a moment; a date or a local time is as it is. */
static bool
read_date(const char *text, pg_tz *zone, Timestamp *local)
{
	struct pg_tm tm = {0};
	fsec_t		fsec = 0;
	int			offset;

	text += strspn(text, " ");
	if (!digits(&text, 4, 6, &tm.tm_year) || !separator(&text, "-") || !digits(&text, 2, 2, &tm.tm_mon) ||
		!separator(&text, "-") || !digits(&text, 2, 2, &tm.tm_mday))
		return false;
	if (tm.tm_year < 1 || tm.tm_year > 9999 || tm.tm_mon < 1 || tm.tm_mon > MONTHS_PER_YEAR || tm.tm_mday < 1 ||
		tm.tm_mday > day_tab[isleap(tm.tm_year)][tm.tm_mon - 1])
		return false;
	if (separator(&text, "T ") && !read_time(&text, &tm, &fsec))
		return false;
	if (tm2timestamp(&tm, fsec, NULL, local) != 0)
		return false;
	if (*text == '\0')
		return true;
	if (!read_offset(&text, &offset) || *text != '\0')
		return false;
	*local = wf_zone_local(*local - offset * USECS_PER_SEC, zone);
	return true;
}

static char *
date(const char *value, const char *form, pg_tz *zone)
{
	Timestamp	local;

	if (!read_date(value, zone, &local))
		return NULL;
	return text_to_cstring(DatumGetTextPP(DirectFunctionCall2Coll(timestamp_to_char, C_COLLATION_OID,
																  TimestampGetDatum(local), CStringGetTextDatum(form))));
}

/* --- numbers --- */

/* What stands before 234 and before the decimals of a sample, and how many there are. */
static void
read_sample(const char *sample, char *group, char *point, int *decimals)
{
	int			n;

	group[0] = point[0] = '\0';
	*decimals = 0;
	sample++;
	if (*sample != '2')
	{
		n = pg_mblen(sample);
		memcpy(group, sample, n);
		group[n] = '\0';
		sample += n;
	}
	sample += 3;
	if (*sample != '\0')
	{
		n = pg_mblen(sample);
		memcpy(point, sample, n);
		point[n] = '\0';
		*decimals = strlen(sample + n);
	}
}

static bool
is_number(const char *value)
{
	int			n = *value == '-' ? 1 : 0;
	int			whole = strspn(value + n, "0123456789");

	n += whole;
	if (value[n] == '.')
		n += 1 + strspn(value + n + 1, "0123456789");
	return whole > 0 && value[n] == '\0' && n <= MAX_NUMBER;
}

static char *
number(char *value, const char *sample)
{
	char		group[MAX_MULTIBYTE_CHAR_LEN + 1];
	char		point[MAX_MULTIBYTE_CHAR_LEN + 1];
	int			decimals;
	StringInfoData out;
	Datum		rounded;
	char	   *text;
	int			whole;

	if (!is_number(value))
		return NULL;
	read_sample(sample, group, point, &decimals);
	rounded = DirectFunctionCall3(numeric_in, CStringGetDatum(value), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	rounded = DirectFunctionCall2(numeric_round, rounded, Int32GetDatum(decimals));
	text = DatumGetCString(DirectFunctionCall1(numeric_out, rounded));
	initStringInfo(&out);
	if (*text == '-')
		appendStringInfoChar(&out, *text++);
	whole = strcspn(text, ".");
	for (int i = 0; i < whole; i++)
	{
		if (i > 0 && (whole - i) % 3 == 0)
			appendStringInfoString(&out, group);
		appendStringInfoChar(&out, text[i]);
	}
	if (text[whole] == '.')
		appendStringInfo(&out, "%s%s", point, text + whole + 1);
	return out.data;
}

/* --- texts --- */

static char *
strip(char *value)
{
	int			length = strlen(value);

	while (length > 0 && isspace((unsigned char) value[length - 1]) && !IS_HIGHBIT_SET(value[length - 1]))
		length--;
	while (length > 0 && isspace((unsigned char) *value) && !IS_HIGHBIT_SET(*value))
	{
		value++;
		length--;
	}
	return pnstrdup(value, length);
}

/* At most so many characters, the last of which says that there were more. */
static char *
truncated(char *value, int count)
{
	int			length = strlen(value);

	if (pg_mbstrlen_with_len(value, length) <= count)
		return value;
	if (GetDatabaseEncoding() == PG_UTF8)
		return psprintf("%.*s\xe2\x80\xa6", pg_mbcharcliplen(value, length, count - 1), value);
	return psprintf("%.*s...", pg_mbcharcliplen(value, length, Max(count - 3, 0)), value);
}

static char *
capitalized(char *value)
{
	int			first = *value == '\0' ? 0 : pg_mblen(value);

	return psprintf("%s%s", str_toupper(value, first, DEFAULT_COLLATION_OID), value + first);
}

static char *
collected(void (*append) (StringInfo, const char *, int), const char *value)
{
	StringInfoData out;

	initStringInfo(&out);
	append(&out, value, strlen(value));
	return out.data;
}

static bool
is_blank(const char *value)
{
	return value[strspn(value, " \t\n\r\f\v")] == '\0';
}

char *
wf_template_filter(const TemplateFilter *filter, char *value, pg_tz *zone)
{
	if (filter->kind == FILTER_DEFAULT)
		return value == NULL || is_blank(value) ? filter->text : value;
	if (value == NULL)
		return NULL;
	switch (filter->kind)
	{
		case FILTER_UPPER:
			return str_toupper(value, strlen(value), DEFAULT_COLLATION_OID);
		case FILTER_LOWER:
			return str_tolower(value, strlen(value), DEFAULT_COLLATION_OID);
		case FILTER_CAPITALIZE:
			return capitalized(value);
		case FILTER_DATE:
			return date(value, filter->text, filter->zone != NULL ? filter->zone : zone);
		case FILTER_NUMBER:
			return number(value, filter->text);
		case FILTER_TRUNCATE:
			return truncated(value, filter->count);
		case FILTER_URL_ENCODE:
			return collected(wf_template_url_encode, value);
		case FILTER_STRIP:
			return strip(value);
		default:
			return value;		/* escape and raw say how it is put in */
	}
}
