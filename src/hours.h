/*
 * hours.h -- days of the week and hours of the day, as texts.
 *
 *   hours  ::= item [, item ...]
 *   item   ::= days | days range | range
 *   days   ::= Mon | Mon-Fri            three letters or the whole name, any case
 *   range  ::= 09:00-17:00              to a time that is not later: the day after
 *
 * Days without a range belong to the next item, as in 'Mon, Wed 09:00-12:00'; a
 * range without days is for those of the one before, as in
 * 'Mon-Fri 09:00-12:00, 13:00-17:00'.
 */
#ifndef WF_HOURS_H
#define WF_HOURS_H

#define HOURS_EVERY_DAY 127			/* bit 0 = Sunday */
#define HOURS_MINUTES_A_DAY (24 * 60)

typedef struct HoursRange
{
	int			days;				/* on which it begins: bits */
	int			opens;				/* minute of the day */
	int			closes;				/* the first minute after it, counted from the same midnight; 1 .. 2880 */
} HoursRange;

typedef struct Hours
{
	int			nranges;
	HoursRange *ranges;				/* as they were written; they may overlap */
} Hours;

/* Reads hours of the week, or of one day (then days are an error), into the
 * current context.  False: it is not what it should be, or empty. */
extern bool wf_hours_read(const char *text, bool of_day, Hours *hours);

/* Reads days of the week: 'Tuesday', 'Mon-Fri', 'Mon, Wed', '*'. */
extern bool wf_hours_read_days(const char *text, int *days);

#endif
