/*
 * calendar.h -- a calendar has changed: who waits for a moment it decides.
 */
#ifndef WF_CALENDAR_H
#define WF_CALENDAR_H

#include "c.h"

/* The owner's executor looks again at the waits for moments of calendars; "after" is
 * the enrollment it comes behind, for more than fit into one piece. */
extern void wf_calendar_wake(int owner, int64 after);

#endif
