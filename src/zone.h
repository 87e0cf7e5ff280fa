/*
 * zone.h -- local times of a time zone and the moments they stand for.
 */
#ifndef WF_ZONE_H
#define WF_ZONE_H

#include "pgtime.h"
#include "utils/date.h"
#include "utils/timestamp.h"

/* The zone of that name, NULL: the session's TimeZone; ERROR with a hint. */
extern pg_tz *wf_zone(const char *name);

/*
 * The first moment at which clocks in the zone show a local time or a later
 * one: of a time that comes twice the first, of one that is left out the moment
 * when clocks are put forward.  Never falls when the local time rises.
 * Infinite as its argument is; ERROR if out of range.
 */
extern TimestampTz wf_zone_moment(Timestamp local, pg_tz *zone);

/* What clocks show at a moment, and the date of that.  ERROR as above; the moment
 * of a date is finite. */
extern Timestamp wf_zone_local(TimestampTz moment, pg_tz *zone);
extern DateADT wf_zone_date(TimestampTz moment, pg_tz *zone);

/* False: the zone has left the day out, as Pacific/Apia did 2011-12-30. */
extern bool wf_zone_has_date(DateADT date, pg_tz *zone);

/* Midnight at which a date begins, as a local time.  The date is within the range
 * of timestamps or some years outside. */
#define DATE_TIMESTAMP(date) ((Timestamp) (date) * USECS_PER_DAY)

#endif
