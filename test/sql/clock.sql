-- The calendar: zones, days against hours, the days on which clocks are
-- changed; and the virtual clock itself.  Goes to the year 2040, so it runs last.
CREATE SCHEMA clock AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
CREATE ROLE clock_other LOGIN;
\c - app
SET search_path = clock; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';

CREATE TABLE person (id int PRIMARY KEY, zone text, due date, at timestamp, moment timestamptz, v int);
CREATE TABLE log (what text, at timestamptz DEFAULT automation.now(), zone text);
-- What was logged, to the minute, in UTC and in the zone of whom it is about.
CREATE FUNCTION logged() RETURNS TABLE (what text, utc timestamp, local timestamp) LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING *)
  SELECT what, date_trunc('minute', at AT TIME ZONE 'UTC'), date_trunc('minute', at AT TIME ZONE CASE WHEN zone LIKE 'Mars%' THEN 'UTC' ELSE coalesce(zone, 'UTC') END)
  FROM d ORDER BY 1, 2 $$;

-- Who may move it, and how.
CALL automation.advance('-1 day');
BEGIN;
CALL automation.advance('1 day');
ROLLBACK;
BEGIN;
CALL automation.run();
ROLLBACK;
CREATE TEMP TABLE t ();
CALL automation.run();
DROP TABLE t;
CALL automation.run();
\c - clock_other
CALL automation.advance('1 day');
CALL automation.run();
\c - postgres
SET ROLE app;
CALL automation.run();
\c - app
SET search_path = clock; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';
SELECT clock_timestamp() <= automation.now() AS never_behind;
CALL automation.advance(NULL);
CALL automation.advance('0');
-- In a transaction the clock goes on as clock_timestamp() does.
CALL automation.advance(timestamptz '2040-03-24 12:00+00' - automation.now());
SELECT date_trunc('minute', automation.now());

-- Days keep the local time of day, hours are hours; clocks go forward in Paris on 25 March
-- at 01:00 UTC, back by half an hour on Lord Howe on 31 March at 15:00 UTC.
CREATE FUNCTION waits(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF v;
  ENROLL AGAIN;
  TIME ZONE p.zone;
BEGIN
  IF p.v = 1 THEN
    WAIT FOR '1 day';
    INSERT INTO log (what, zone) VALUES (p.id || ' a day', p.zone);
    WAIT FOR '24 hours';
    INSERT INTO log (what, zone) VALUES (p.id || ' and 24 hours', p.zone);
    WAIT FOR '6 days 2 hours';
    INSERT INTO log (what, zone) VALUES (p.id || ' and 6 days, 2 hours', p.zone);
  ELSE
    WAIT UNTIL p.due;
    INSERT INTO log (what, zone) VALUES (p.id || ' due', p.zone);
    WAIT UNTIL p.due + time '17:30';
    INSERT INTO log (what, zone) VALUES (p.id || ' due at 17:30', p.zone);
    WAIT UNTIL p.at;
    INSERT INTO log (what, zone) VALUES (p.id || ' at', p.zone);
    WAIT UNTIL p.moment;
    INSERT INTO log (what, zone) VALUES (p.id || ' moment', p.zone);
    WAIT UNTIL '2040-04-20 12:00+02';
    INSERT INTO log (what, zone) VALUES (p.id || ' a string', p.zone);
  END IF;
END $$;
INSERT INTO person (id, zone) VALUES (1, 'UTC'), (2, 'Europe/Paris'), (3, 'Australia/Lord_Howe'), (4, NULL), (5, 'Mars/Olympus'), (6, 'UTC');
UPDATE person SET v = 1;
CALL automation.run();
-- He moves to Paris while he waits: his day ends with the day there.
UPDATE person SET zone = 'Europe/Paris' WHERE id = 6;
CALL automation.advance('20 days');
SELECT * FROM logged();
-- An unknown zone is told once for each entry.
SELECT workflow, subject_key, event, reason FROM automation.journal WHERE workflow = 'waits' AND event = 'warning';
SELECT date_trunc('minute', automation.now());
UPDATE person SET v = 2, due = '2040-04-15', at = '2040-04-16 08:00', moment = '2040-04-17 08:00+00' WHERE id <= 3;
CALL automation.run();
CALL automation.advance('10 days');
SELECT * FROM logged();

-- A zone that changes moves the waits that are about days.
UPDATE person SET v = 3, due = '2040-05-01' WHERE id = 2;
UPDATE person SET v = 1 WHERE id = 1;
CALL automation.run();
SELECT subject_key, date_trunc('minute', wakes_at) FROM automation.enrollments WHERE workflow = 'waits' ORDER BY 1;
UPDATE person SET zone = 'America/Santiago' WHERE id = 2;
UPDATE person SET zone = 'Europe/Paris' WHERE id = 1;
CALL automation.run();
SELECT subject_key, date_trunc('minute', wakes_at) FROM automation.enrollments WHERE workflow = 'waits' ORDER BY 1;
DROP FUNCTION waits;

-- A local time that does not exist is the moment at which clocks are put forward; one that
-- comes twice is the first: in October in Paris, in April on Lord Howe, where it is half an hour.
CREATE FUNCTION changes(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF at;
  ENROLL AGAIN;
  TIME ZONE p.zone;
BEGIN
  WAIT UNTIL p.at;
  INSERT INTO log (what, zone) VALUES (p.id || ' ' || p.at, p.zone);
  WAIT FOR '1 day';
  INSERT INTO log (what, zone) VALUES (p.id || ' ' || p.at || ' and a day', p.zone);
END $$;
INSERT INTO person (id, zone) VALUES (12, 'Europe/Paris'), (13, 'Australia/Lord_Howe');
UPDATE person SET at = '2040-10-27 02:30' WHERE id = 2 OR id = 12;
UPDATE person SET at = '2040-10-28 02:30', zone = 'Europe/Paris' WHERE id = 2;
UPDATE person SET at = '2040-10-06 02:10' WHERE id = 3;
UPDATE person SET at = '2040-10-07 02:10' WHERE id = 13;
CALL automation.advance('9 months');
SELECT * FROM logged();
UPDATE person SET at = '2041-03-31 02:30' WHERE id = 2;
UPDATE person SET at = '2041-03-30 02:30' WHERE id = 12;
UPDATE person SET at = '2041-04-07 01:40' WHERE id = 3;
UPDATE person SET at = '2041-04-06 01:40' WHERE id = 13;
CALL automation.advance('4 months');
SELECT * FROM logged();
DROP FUNCTION changes;

-- The zone of the function; current_date and the like are in it.
CREATE FUNCTION fixed(p person) RETURNS bigint LANGUAGE workflow SET timezone = 'Pacific/Kiritimati' AS $$
  AFTER UPDATE OF v;
  ENROLL AGAIN;
BEGIN
  WAIT UNTIL p.due;
  INSERT INTO log (what, zone) VALUES (current_date || ' ' || to_char(localtimestamp, 'HH24:MI') || ' ' || (current_date = p.due),
                                       'Pacific/Kiritimati');
END $$;
UPDATE person SET v = v + 1, due = automation.now()::date + 20 WHERE id = 1;
CALL automation.advance('1 month');
SELECT split_part(what, ' ', 2), split_part(what, ' ', 3), local::time FROM logged();
SHOW timezone;
-- advance() stops at each due moment: three waits of two days in a week.
CREATE FUNCTION steps(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF moment;
DECLARE
  began timestamptz := now();
  n int := 0;
BEGIN
  <<again>>
  WAIT FOR '2 days';
  n := n + 1;
  INSERT INTO log (what) VALUES (n || ' after ' || date_trunc('minute', now() - began) || ', entered ' || date_trunc('minute', now() - entered_at()));
  GO TO again AT MOST 3 TIMES;
END $$;
UPDATE person SET moment = now() WHERE id = 1;
CALL automation.advance('7 days');
SELECT what FROM logged();
\c - postgres
SET client_min_messages = warning;
DROP SCHEMA clock CASCADE;
DROP ROLE clock_other;
