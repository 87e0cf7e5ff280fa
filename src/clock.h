/*
 * clock.h -- engine time: the server's clock plus the virtual clock's shift.
 * No other file calls GetCurrentTimestamp() for a stored moment.
 */
#ifndef WF_CLOCK_H
#define WF_CLOCK_H

#include "datatype/timestamp.h"

extern void wf_clock_init(void);

/* Engine time now.  Reads automation.clock after an invalidation, so call it
 * in a transaction (outside one it uses the last known shift). */
extern TimestampTz wf_clock_now(void);

/* The shift in microseconds, as last read. */
extern int64 wf_clock_shift(void);

/* Moves the virtual clock by delta microseconds (>= 0); in a transaction; the
 * other sessions see it after commit, by relcache invalidation. */
extern void wf_clock_advance(int64 delta);

/* Counts how often the shift changed in this process: timers must be re-read. */
extern uint64 wf_clock_generation(void);

/*
 * The moment at which clocks in the session's TimeZone show a local time.  A
 * time that is left out when they are put forward: when that happens; one that
 * comes twice: the first of both.
 */
extern TimestampTz wf_clock_of_local(Timestamp local);

/* start + interval; months and days keep the local time of day, see above. */
extern TimestampTz wf_clock_plus(TimestampTz start, const Interval *interval);

#endif
