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

-- Calendars.  Rows are data of the users: plain INSERT, UPDATE and DELETE by whom the
-- DBA grants it.  No foreign key: pg_restore loads the two in any order.

CREATE TABLE automation.calendar (
    name     text COLLATE "C" PRIMARY KEY CHECK (name <> ''),
    hours    text NOT NULL DEFAULT 'Mon-Fri 09:00-17:00',
    zone     text,
    comment  text
);
COMMENT ON TABLE automation.calendar IS
    'When it is open: for next_opening(), add_business_time() and the like. Who names no calendar uses the one named default, '
    'which is Mon-Fri 09:00-17:00 as long as it has no row';
COMMENT ON COLUMN automation.calendar.name IS 'what the functions call it by';
COMMENT ON COLUMN automation.calendar.hours IS
    'days and times, as in ''Mon-Fri 09:00-12:00, 13:00-17:00, Sat 10:00-12:00''; to a time that is not later: until the day after. Empty: never';
COMMENT ON COLUMN automation.calendar.zone IS 'time zone of the hours; NULL: the session''s, in a workflow that of TIME ZONE';
COMMENT ON COLUMN automation.calendar.comment IS 'for people';

CREATE TABLE automation.holiday (
    calendar  text COLLATE "C" NOT NULL DEFAULT 'default',
    day       date NOT NULL CHECK (pg_catalog.isfinite(day)),
    hours     text NOT NULL DEFAULT '',
    name      text,
    PRIMARY KEY (calendar, day)
);
COMMENT ON TABLE automation.holiday IS
    'Days on which a calendar is closed, or open at other times. What would begin on the day does not; what began the evening before ends at midnight';
COMMENT ON COLUMN automation.holiday.calendar IS 'name of the calendar';
COMMENT ON COLUMN automation.holiday.day IS 'date in the calendar''s zone';
COMMENT ON COLUMN automation.holiday.hours IS 'times, as in ''10:00-12:00''; empty: closed';
COMMENT ON COLUMN automation.holiday.name IS 'for people';

SELECT pg_catalog.pg_extension_config_dump('automation.calendar', '');
SELECT pg_catalog.pg_extension_config_dump('automation.holiday', '');

CREATE FUNCTION automation.calendar_check() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_calendar_check';
COMMENT ON FUNCTION automation.calendar_check() IS
    'Trigger of automation.calendar and automation.holiday: refuses hours, zones and calendars that nobody could read (22023, 42704)';
CREATE FUNCTION automation.calendar_changed() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_calendar_changed';
COMMENT ON FUNCTION automation.calendar_changed() IS
    'Trigger of automation.calendar and automation.holiday: tells the executors, who then look again at what waits for a moment of a calendar';

CREATE TRIGGER calendar_check BEFORE INSERT OR UPDATE ON automation.calendar
    FOR EACH ROW EXECUTE FUNCTION automation.calendar_check();
CREATE TRIGGER calendar_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON automation.calendar
    FOR EACH STATEMENT EXECUTE FUNCTION automation.calendar_changed();
CREATE TRIGGER calendar_check BEFORE INSERT OR UPDATE ON automation.holiday
    FOR EACH ROW EXECUTE FUNCTION automation.calendar_check();
CREATE TRIGGER calendar_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON automation.holiday
    FOR EACH STATEMENT EXECUTE FUNCTION automation.calendar_changed();

CREATE FUNCTION automation.next_opening(calendar text DEFAULT 'default', zone text DEFAULT NULL, since timestamptz DEFAULT automation.now())
    RETURNS timestamptz
    LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_next_opening';
COMMENT ON FUNCTION automation.next_opening(text, text, timestamptz) IS
    '"since" (engine time) if the calendar is open then, else the moment it opens next. In the zone, else the calendar''s, else the session''s. '
    'NULL: it does not open for 400 days. Errors: 42704 no such calendar, 22023 zone is unknown';

CREATE FUNCTION automation.is_open(at timestamptz DEFAULT automation.now(), calendar text DEFAULT 'default', zone text DEFAULT NULL)
    RETURNS boolean
    LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_is_open';
COMMENT ON FUNCTION automation.is_open(timestamptz, text, text) IS
    'Is the calendar open at that time (engine time)? Errors: 42704 no such calendar, 22023 zone is unknown';

CREATE FUNCTION automation.add_business_time(start timestamptz, amount interval, calendar text DEFAULT 'default', zone text DEFAULT NULL)
    RETURNS timestamptz
    LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_add_business_time';
COMMENT ON FUNCTION automation.add_business_time(timestamptz, interval, text, text) IS
    'start plus business time, or minus if the amount is negative. Days are days on which the calendar opens, at the same time of day; '
    'then hours are counted while it is open. A time when it is closed is as good as the next opening (backwards: the last closing). '
    'NULL: it does not open for 400 days. Errors: 42704 no such calendar, 22023 zone is unknown or the amount has months, 22008 over 100 years';

CREATE FUNCTION automation.business_time_between(a timestamptz, b timestamptz, calendar text DEFAULT 'default', zone text DEFAULT NULL)
    RETURNS interval
    LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_business_time_between';
COMMENT ON FUNCTION automation.business_time_between(timestamptz, timestamptz, text, text) IS
    'How long the calendar is open from a to b, in hours; negative if b is earlier. Errors: 42704 no such calendar, 22023 zone is unknown, 22008 over 100 years';

CREATE FUNCTION automation.window_opening(hours text, calendar text, zone text, since timestamptz, spread_key text)
    RETURNS timestamptz
    LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_window_opening';
COMMENT ON FUNCTION automation.window_opening(text, text, text, timestamptz, text) IS
    'When a message may leave that is ready at "since": at once within the hours (NULL: the calendar''s) on a day that is no holiday of the calendar '
    '(NULL: none), else when they begin, plus 0 to 15 minutes, at most a quarter of the opening, by the hash of spread_key. NULL: not for 400 days';
