/*
 * cron.h -- cron schedules: what EVERY takes, and the moments they mean.
 */
#ifndef WF_CRON_H
#define WF_CRON_H

#include "datatype/timestamp.h"
#include "pgtime.h"

/* A schedule taken apart; bit n of a field stands for the value n. */
typedef struct Cron
{
	uint64		minutes;
	uint32		hours;
	uint32		days;					/* of the month */
	uint32		months;
	uint32		weekdays;				/* 0 = Sunday */
	bool		either_day;				/* a day of the month or a day of the week will do */
} Cron;

/*
 * What pg_cron takes, but for @reboot and seconds: five fields, or @hourly,
 * @daily, @midnight, @weekly, @monthly, @yearly, @annually.  False: *field is
 * the name of the field that is missing (*rest is at the end) or wrong; NULL:
 * there is too much, beginning at *rest.
 */
extern bool wf_cron_parse(const char *text, Cron *cron, const char **field, const char **rest);

/* The zone that pg_cron reads its schedules in. */
extern pg_tz *wf_cron_zone(void);

/*
 * The first moment of the schedule after "after", the last one up to "upto"; 0 =
 * there is none (within forty years).
 *
 * A schedule that names hours means times of day: one that is left out when
 * clocks are put forward comes when that happens, one that comes twice comes the
 * first time.  One for all hours means what passes: each hour that there is.
 */
extern TimestampTz wf_cron_next(const Cron *cron, TimestampTz after, pg_tz *zone);
extern TimestampTz wf_cron_previous(const Cron *cron, TimestampTz upto, pg_tz *zone);

#endif
