/*
 * opening.h -- calendars: when is it open.
 */
#ifndef WF_OPENING_H
#define WF_OPENING_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "hours.h"
#include "zone.h"

/* The calendar of whoever names none; without a row it has these hours. */
#define CALENDAR_DEFAULT "default"
#define CALENDAR_DEFAULT_HOURS "Mon-Fri 09:00-17:00"

/* So many days without an opening are as good as for ever. */
#define CALENDAR_PATIENCE 400

typedef struct Holiday
{
	DateADT		day;
	char	   *text;				/* as it is stored; NULL: hours was made from it */
	Hours		hours;				/* instead of those of the week; none: closed */
} Holiday;

typedef struct Calendar
{
	pg_tz	   *zone;
	Hours		week;
	int			nholidays;
	Holiday    *holidays;			/* in order of their days */
} Calendar;

/* A stretch in which it is open: from, and not at, to. */
typedef struct Opening
{
	TimestampTz from;
	TimestampTz to;
} Opening;

/*
 * The calendar of that name (NULL: the default one) as the active snapshot shows
 * it, in its own zone, or another one if that is given; in the current context.
 * ERROR with a hint if there is none.
 */
extern Calendar *wf_calendar_load(const char *name, const char *zone);

/* Hours of the week (window) in a zone, on days that are no holidays of the
 * calendar (NULL: there are none); on those, as far as it opens at all.  ERROR if
 * the text is wrong. */
extern Calendar *wf_calendar_of_window(const char *window, const char *name, const char *zone);

/* ERROR with a hint unless a row of automation.calendar, or automation.holiday, can be
 * read; known: the calendar of a holiday has to be there. */
extern void wf_calendar_check_row(HeapTuple tuple, TupleDesc desc);
extern void wf_holiday_check_row(HeapTuple tuple, TupleDesc desc, bool known);

/* Going through the openings, in order of time or against it. */
typedef struct OpeningWalk
{
	const Calendar *calendar;
	DateADT		day;				/* whose openings are being gone through */
	int			step;				/* 1 or -1 */
	int			days;				/* gone through */
	int			idle;				/* of them without opening, since the last one */
	int			nopenings;
	int			next;
	Opening    *openings;
} OpeningWalk;

/* From the day before a moment on (backward: after it), so that nothing is missed. */
extern void wf_opening_walk(OpeningWalk *walk, const Calendar *calendar, TimestampTz from, bool backward);
/* The next one; adjacent ones are not joined at midnight.  False: there is none for
 * CALENDAR_PATIENCE days. */
extern bool wf_opening_next(OpeningWalk *walk, Opening *opening);

/* The opening a moment is in, from that moment on, or the next one.  False: none. */
extern bool wf_opening_from(const Calendar *calendar, TimestampTz moment, Opening *opening);
/* The opening a moment is in or at whose end it is, up to that moment, or the last
 * one before.  False: none. */
extern bool wf_opening_upto(const Calendar *calendar, TimestampTz moment, Opening *opening);
/* When a message may leave that is ready at "since", in those hours of the week on days that are no
 * holidays of the default calendar; not all at once when they begin (by spread_key, which may be
 * NULL).  0: not for CALENDAR_PATIENCE days. */
extern TimestampTz wf_opening_for_message(const char *window, const char *zone, TimestampTz since, const char *spread_key);

/* Is the moment in an opening, or (*at_end) at the end of one? */
extern bool wf_opening_holds(const Calendar *calendar, TimestampTz moment, bool *at_end);

/* Does an opening begin on the day?  The night before does not count. */
extern bool wf_opening_begins_on(const Calendar *calendar, DateADT day);

/* The day on which the opening began that a moment is in (at_end: or at its end);
 * *time is what has passed since that day's midnight, on the clock. */
extern DateADT wf_opening_day(const Calendar *calendar, TimestampTz moment, bool at_end, int64 *time);

#endif
