-- Business time: weekdays and times of day, anniversaries, calendars.  Zones: see
-- src/zone.h.  An argument "since" that is not given is, in the text of a workflow,
-- what now() is there (src/analyze_clock.c): so it is the last one, and its default
-- is automation.now().  Forms that leave no room for it have a twin of that name
-- with _after.

CREATE FUNCTION automation.next_time(day text, at time, zone text DEFAULT NULL, since timestamptz DEFAULT automation.now())
    RETURNS timestamptz
    LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_next_time';
COMMENT ON FUNCTION automation.next_time(text, time, text, timestamptz) IS
    'The first moment after "since" (engine time) on which it is that time of day in the zone (the session''s) on one of the '
    'days of the week: Tuesday, Tue, Mon-Fri, ''Mon, Wed'', * or NULL for every day. A time that clocks leave out is the moment when '
    'they are put forward, one that comes twice the first of both. Errors: 22023 day or zone is unknown';

CREATE FUNCTION automation.next_time(at time) RETURNS timestamptz
    LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_next_time_daily';
COMMENT ON FUNCTION automation.next_time(time) IS
    'The first moment after now (engine time) on which it is that time of day in the session''s zone';

CREATE FUNCTION automation.next_time_after(at time, since timestamptz) RETURNS timestamptz
    LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_next_time_daily_after';
COMMENT ON FUNCTION automation.next_time_after(time, timestamptz) IS
    'The first moment after "since" on which it is that time of day in the session''s zone';

CREATE FUNCTION automation.next_anniversary(day date) RETURNS date
    LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_next_anniversary';
COMMENT ON FUNCTION automation.next_anniversary(date) IS
    'The first date after today (engine time, in the session''s zone) that is some years after the day: the next birthday. '
    'It is 28 February for 29 February in years without it. NULL for an infinite day';

CREATE FUNCTION automation.next_anniversary_after(day date, since timestamptz) RETURNS date
    LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_next_anniversary_after';
COMMENT ON FUNCTION automation.next_anniversary_after(date, timestamptz) IS
    'The first date after that of "since" in the session''s zone that is some years after the day';

CREATE FUNCTION automation.next_anniversary(day date, at time, zone text DEFAULT NULL, since timestamptz DEFAULT automation.now())
    RETURNS timestamptz
    LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_next_anniversary_time';
COMMENT ON FUNCTION automation.next_anniversary(date, time, text, timestamptz) IS
    'The first moment after "since" (engine time) on which it is that time of day in the zone (the session''s) some years after the day. '
    'Today''s counts until that time. 28 February for 29 February in years without it. NULL for an infinite day. '
    'Errors: 22023 zone is unknown';
