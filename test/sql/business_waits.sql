-- Workflows that wait for business time: what "now" is in a moment, zones and
-- calendars that change while somebody waits.  Goes to the year 2037.
CREATE SCHEMA business AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
GRANT SELECT, INSERT, UPDATE, DELETE ON automation.calendar, automation.holiday TO app;
\c - app
SET search_path = business; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';

CREATE TABLE person (id int PRIMARY KEY, zone text, calendar text, birthday date, score int DEFAULT 0, v int);
CREATE TABLE log (what text, at timestamptz DEFAULT automation.now(), zone text);
-- What was logged, to the minute, in UTC and in the zone of whom it is about.
CREATE FUNCTION logged() RETURNS TABLE (what text, utc timestamp, local timestamp) LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING *)
  SELECT what, date_trunc('minute', at AT TIME ZONE 'UTC'), date_trunc('minute', at AT TIME ZONE coalesce(zone, 'UTC')) FROM d ORDER BY 1, 2 $$;
CREATE VIEW standing AS
  SELECT workflow, entry_key AS key, state, waits_for, wakes_at FROM automation.enrollments
  WHERE workflow IN (SELECT name FROM automation.workflows WHERE schema = 'business') ORDER BY workflow, entry_key;

-- A Tuesday.
CALL automation.advance('2031-03-18 12:00:00+00' - automation.now());
SELECT date_trunc('minute', automation.now()), to_char(automation.now(), 'Dy');
INSERT INTO person (id, zone) VALUES (1, 'UTC'), (2, 'Europe/Paris'), (3, 'Australia/Lord_Howe'), (4, 'America/Santiago'), (5, NULL), (6, 'UTC');

-- Twice the next Tuesday at eleven, over the change to summer time in Paris.
CREATE FUNCTION tuesday(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF v TO 1;
  TIME ZONE p.zone;
BEGIN
  WAIT UNTIL next_time('Tuesday', '11:00');
  INSERT INTO log (what, zone) VALUES (p.id || ' first', p.zone);
  WAIT UNTIL next_time('Tuesday', '11:00');
  INSERT INTO log (what, zone) VALUES (p.id || ' second', p.zone);
END $$;
UPDATE person SET v = 1;
CALL automation.run();
SELECT key, wakes_at, waits_for FROM standing;
-- He moves hours later, to where it was Tuesday morning when the wait began, and to
-- where it was Tuesday night: the moment is the one of then.
CALL automation.advance('3 hours');
UPDATE person SET zone = 'America/Los_Angeles' WHERE id = 1;
UPDATE person SET zone = 'Asia/Tokyo' WHERE id = 6;
CALL automation.run();
SELECT key, wakes_at FROM standing;
CALL automation.advance('6 hours');
SELECT * FROM logged();
-- To where the moment is past already.
UPDATE person SET zone = 'America/New_York' WHERE id = 6;
CALL automation.run();
SELECT * FROM logged();
CALL automation.advance('14 days');
SELECT * FROM logged();
SELECT * FROM standing;
DROP FUNCTION tuesday;

-- A time of day left out by the clocks of Paris on Sunday; all the forms.
CALL automation.advance('2032-03-22 12:00:00+00' - automation.now());
CREATE FUNCTION forms(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF v TO 2;
  TIME ZONE p.zone;
DECLARE
  start timestamptz := now();
  at timestamptz;
BEGIN
  WAIT UNTIL next_time('02:30');
  INSERT INTO log (what, zone) VALUES (p.id || ' daily', p.zone);
  WAIT UNTIL next_time(NULL, '00:00', 'Europe/Paris');
  INSERT INTO log (what, zone) VALUES (p.id || ' midnight in Paris', p.zone);
  WAIT UNTIL next_time(day => 'Sun', at => '02:30', since => entered_at());
  INSERT INTO log (what, zone) VALUES (p.id || ' Sunday', p.zone);
  at := next_time('Sun', '02:30');
  INSERT INTO log (what, zone) VALUES (p.id || ' would be next ' || to_char(at, 'YYYY-MM-DD HH24:MI'), p.zone);
  SELECT next_time_after('11:00', start) INTO at;
  INSERT INTO log (what, zone) SELECT p.id || ' was ' || (at < now()) || ' ' || (next_time('11:00') > now()) || ' ' || (next_time('11:00') < now() + interval '1 day 1 second'), p.zone;
END $$;
UPDATE person SET v = 2 WHERE id = 2;
CALL automation.advance('8 days');
SELECT * FROM logged();
DROP FUNCTION forms;

-- Birthdays: today's counts until its time of day; today's midnight is past.
CALL automation.advance('2033-02-27 08:00:00+00' - automation.now());
CREATE FUNCTION birthday(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF v TO 3;
  TIME ZONE p.zone;
BEGIN
  <<again>>
  WAIT UNTIL next_anniversary(p.birthday, '09:00');
  INSERT INTO log (what, zone) VALUES (p.id || ' happy birthday', p.zone);
  WAIT UNTIL next_anniversary(p.birthday) + interval '9 hours';
  INSERT INTO log (what, zone) VALUES (p.id || ' and again', p.zone);
  GO TO again;
END $$;
UPDATE person SET v = 3, birthday = CASE id WHEN 1 THEN '1984-02-29'::date WHEN 2 THEN '1990-02-27' WHEN 3 THEN '2001-10-07' WHEN 4 THEN '1970-09-06' END;
UPDATE person SET zone = 'UTC' WHERE id = 1;
CALL automation.run();
SELECT key, wakes_at, waits_for FROM standing;
UPDATE person SET birthday = '1999-02-28' WHERE id = 5;    -- becomes known
CALL automation.run();
SELECT key, wakes_at FROM standing WHERE key = '5';
UPDATE person SET birthday = '1999-03-28' WHERE id = 5;    -- was a mistake
CALL automation.advance('3 years 3 months');
SELECT * FROM logged();
DROP FUNCTION birthday;

-- Opening hours.  A Friday evening.
CALL automation.advance('2037-03-06 20:00:00+00' - automation.now());
INSERT INTO automation.calendar (name, hours, zone) VALUES ('shop', 'Mon-Sat 09:00-17:00', 'Europe/Paris'), ('closed', '', NULL);
CREATE FUNCTION opening(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF v TO 4;
  ENROLL AGAIN;
  TIME ZONE p.zone;
BEGIN
  WAIT UNTIL next_opening(p.calendar);
  INSERT INTO log (what, zone) VALUES (p.id || ' open ' || is_open(calendar => p.calendar) || found, p.zone);
  WAIT UNTIL add_business_time(now(), '7 hours', p.calendar) TIMEOUT '10 days';
  INSERT INTO log (what, zone) VALUES (p.id || ' seven hours ' || is_open(calendar => p.calendar) || found, p.zone);
END $$;
UPDATE person SET v = 4, calendar = CASE id WHEN 1 THEN 'shop' WHEN 3 THEN 'closed' WHEN 6 THEN 'shop' END;
CALL automation.run();
SELECT key, state, wakes_at, waits_for FROM standing;
-- Closed on Saturday; the wait moves when the engine looks, not in this transaction.
INSERT INTO automation.holiday (calendar, day, name) VALUES ('shop', '2037-03-07', 'stock taking');
SELECT key, wakes_at FROM standing WHERE key IN ('1', '6');
CALL automation.run();
SELECT key, wakes_at FROM standing WHERE key IN ('1', '6');
-- An hour later, on Sunday from ten; the default calendar gets a row and a holiday.
UPDATE automation.holiday SET hours = '' WHERE day = '2037-03-07';
UPDATE automation.calendar SET hours = 'Mon-Sun 10:00-18:00' WHERE name = 'shop';
INSERT INTO automation.calendar (name, hours) VALUES ('default', 'Mon-Fri 08:00-16:00');
INSERT INTO automation.holiday (day) VALUES ('2037-03-09');
CALL automation.run();
SELECT key, wakes_at FROM standing;
-- Rolled back: nothing.
BEGIN;
DELETE FROM automation.holiday;
ROLLBACK;
CALL automation.run();
SELECT key, wakes_at FROM standing WHERE key = '1';
-- What never opens is waited for until it does, and goes on at once if it is open.
UPDATE automation.calendar SET hours = 'Mon-Sun 00:00-24:00' WHERE name = 'closed';
CALL automation.run();
SELECT * FROM logged();
CALL automation.advance('1 day');
DELETE FROM automation.calendar WHERE name = 'default';
DELETE FROM automation.holiday WHERE calendar = 'default';
CALL automation.advance('6 days');
SELECT * FROM logged();
SELECT * FROM standing;


-- A calendar that is gone is an error, and a new one mends it.
UPDATE person SET v = 5, calendar = 'shopp' WHERE id = 1;
UPDATE person SET v = 4 WHERE id = 1;
CALL automation.run();
SELECT key, state FROM standing;
SELECT error FROM automation.enrollments WHERE workflow = 'opening';
INSERT INTO automation.calendar (name) VALUES ('shopp');
CALL automation.advance('10 minutes');
SELECT key, state, wakes_at > automation.now() AS later FROM standing;
DROP FUNCTION opening;

-- A condition with the time in it is looked at from time to time, and CREATE FUNCTION says so.
CREATE FUNCTION swept(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF v TO 6;
BEGIN
  WAIT UNTIL is_open(calendar => 'shop') AND p.score > 0;
  INSERT INTO log (what) VALUES (p.id || ' is open ' || is_open(calendar => 'shop'));
END $$;
DROP FUNCTION swept;
-- More waits than one piece: each is woken.
CREATE TABLE many (id int PRIMARY KEY);
CREATE FUNCTION crowd(m many) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL next_opening('crowd');
END $$;
INSERT INTO automation.calendar (name, hours) VALUES ('crowd', '');
INSERT INTO many SELECT generate_series(1, 2500);
CALL automation.run();
SELECT state, count(*), count(wakes_at) AS timers FROM standing GROUP BY 1;
UPDATE automation.calendar SET hours = 'Mon-Sun 00:00-24:00' WHERE name = 'crowd';
CALL automation.run();
SELECT count(*) FROM standing;
DROP FUNCTION crowd;
DELETE FROM automation.holiday; DELETE FROM automation.calendar;
CALL automation.run();
\c - postgres
SET client_min_messages = warning;
DROP SCHEMA business CASCADE;
REVOKE ALL ON automation.calendar, automation.holiday FROM app;
