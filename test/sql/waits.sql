-- WAIT FOR and WAIT UNTIL: what a wait ends by, and what FOUND says then.
-- The zones and the calendar are in clock.sql.
CREATE SCHEMA waits AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = waits; SET timezone = 'UTC';

CREATE TABLE person (id int PRIMARY KEY, pause interval, due timestamptz, day date, score int DEFAULT 0, flag boolean);
CREATE TABLE deal (id int PRIMARY KEY, person int, closes timestamptz, status text DEFAULT 'open');
CREATE TABLE log (what text);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING what) SELECT what FROM d ORDER BY what $$;
-- Where everybody stands; times in days from now, rounded.
CREATE VIEW standing AS
  SELECT workflow, entry_key AS key, state, statement, waits_for,
         round(extract(epoch FROM wakes_at - automation.now()) / 86400, 1) AS days
  FROM automation.enrollments
  WHERE workflow IN (SELECT name FROM automation.workflows WHERE schema = 'waits') ORDER BY workflow, entry_key;

-- WAIT FOR: a constant, a column, NULL, nothing, the past.
CREATE FUNCTION wait_for(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR p.pause;
  INSERT INTO log (what) VALUES (p.id || ' found ' || found);
  SELECT 1 WHERE false;
  WAIT FOR '12 hours';
  INSERT INTO log (what) VALUES (p.id || ' found ' || found);
END $$;
INSERT INTO person (id, pause) VALUES (1, '2 days'), (2, NULL), (3, '0'), (4, '-1 month');
CALL automation.run();
SELECT logged();
SELECT * FROM standing;
-- A known interval does not move any more; an unknown one counts from when the wait began.
UPDATE person SET pause = '5 days' WHERE id = 1;
CALL automation.advance('1 day');
UPDATE person SET pause = '1 day 6 hours' WHERE id = 2;
CALL automation.run();
SELECT * FROM standing;
CALL automation.advance('1 day');
SELECT logged();
SELECT * FROM standing;
CALL automation.advance('1 day');
SELECT logged();
DROP FUNCTION wait_for;

-- WAIT UNTIL a moment: past, future, moved, unknown.
CREATE FUNCTION moment(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score;
  ENROLL AGAIN;
BEGIN
  WAIT UNTIL p.due - interval '1 day';
  INSERT INTO log (what) VALUES (p.id || ' found ' || found);
END $$;
UPDATE person SET due = automation.now() + make_interval(days => id * 2) WHERE id < 4;
UPDATE person SET due = automation.now() - interval '1 hour' WHERE id = 3;
UPDATE person SET score = 1;
CALL automation.run();
SELECT logged();
SELECT * FROM standing;
UPDATE person SET due = due + interval '10 days' WHERE id = 1;
UPDATE person SET due = NULL WHERE id = 2;
UPDATE person SET due = automation.now() + interval '2 days' WHERE id = 4;
CALL automation.run();
SELECT * FROM standing;
-- A column it does not use moves nothing; a moment put into the past goes on at once.
UPDATE person SET flag = true;
UPDATE person SET due = automation.now() WHERE id = 2;
CALL automation.run();
SELECT logged();
CALL automation.advance('2 days');
SELECT logged();
SELECT * FROM standing;
CALL automation.advance('20 days');
SELECT logged();
DROP FUNCTION moment;

-- A moment and a time limit, whichever comes first.
CREATE FUNCTION limited(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score;
  ENROLL AGAIN;
BEGIN
  WAIT UNTIL p.due TIMEOUT '3 days';
  INSERT INTO log (what) VALUES (p.id || ' found ' || found);
END $$;
UPDATE person SET due = automation.now() + make_interval(days => id * 2) WHERE id < 4;
UPDATE person SET due = NULL WHERE id = 4;
UPDATE person SET score = 2;
CALL automation.run();
SELECT * FROM standing;
CALL automation.advance('2 days 1 hour');
SELECT logged();
CALL automation.advance('1 day');
SELECT logged();
DROP FUNCTION limited;

-- A wait of that length that has just begun is over after advance().
CREATE FUNCTION just(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score WHEN new.id = 1;
BEGIN
  WAIT FOR '3 days';
  INSERT INTO log (what) VALUES ('three days');
END $$;
UPDATE person SET score = 33 WHERE id = 1;
CALL automation.advance('3 days');
SELECT logged();
DROP FUNCTION just;

-- A condition: true already, becomes true, time limit, NULL is not true.
CREATE FUNCTION condition(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score;
  ENROLL AGAIN;
BEGIN
  WAIT UNTIL p.flag AND p.score > 10 TIMEOUT '2 days';
  INSERT INTO log (what) VALUES (p.id || ' found ' || found);
  WAIT UNTIL p.score = 0;
  INSERT INTO log (what) VALUES (p.id || ' is zero, found ' || found);
END $$;
UPDATE person SET flag = NULL, score = 3;
UPDATE person SET flag = true, score = 11 WHERE id = 1;
CALL automation.run();
SELECT logged();
SELECT * FROM standing;
UPDATE person SET flag = true WHERE id <> 4;
CALL automation.run();
UPDATE person SET score = 20 WHERE id = 2;
CALL automation.run();
SELECT logged();
-- Two changes before anybody looks: what counts is how the row is found.
UPDATE person SET score = 20 WHERE id = 3;
UPDATE person SET score = 5 WHERE id = 3;
CALL automation.run();
SELECT logged();
CALL automation.advance('2 days');
SELECT logged();
UPDATE person SET score = 0;
CALL automation.run();
SELECT logged();
SELECT * FROM standing;
DROP FUNCTION condition;

-- The deadline passed while nobody ran: a change made before it wins, one made after it loses.
CREATE FUNCTION deadline(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF pause;
  ENROLL AGAIN;
BEGIN
  WAIT UNTIL p.score > 10 TIMEOUT '2 days';
  INSERT INTO log (what) VALUES (p.id || ' found ' || found);
END $$;
UPDATE person SET pause = '1 second', score = 0;
CALL automation.run();
\c - postgres
SET search_path = waits; SET timezone = 'UTC';
-- The clock moves for all, but runs only what is the caller's own: nothing here.
CALL automation.advance('1 day');
UPDATE person SET score = 20 WHERE id = 1;
CALL automation.advance('1 day 1 hour');
UPDATE person SET score = 20 WHERE id = 2;
\c - app
SET search_path = waits; SET timezone = 'UTC';
CALL automation.run();
SELECT logged();
DROP FUNCTION deadline;

-- now() in a condition: looked at from time to time.
CREATE FUNCTION swept(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF pause WHEN new.id = 1;
  ENROLL AGAIN;
BEGIN
  WAIT UNTIL now() > p.due + interval '3 hours' TIMEOUT '10 days';
  INSERT INTO log (what) VALUES (p.id || ' found ' || found || ' at '
                                 || extract(hour FROM now() - entered_at() + interval '5 minutes') || ' h');
END $$;
UPDATE person SET due = automation.now(), pause = '2 seconds' WHERE id = 1;
CALL automation.run();
SELECT * FROM standing;
CALL automation.advance('1 day');
SELECT logged();
DROP FUNCTION swept;

-- Columns of another argument: wait, limit and EXIT WHEN look at them; NULL when its row is gone.
CREATE FUNCTION second(p person, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON deal FOR SELECT new.person, new.id;
  ENROLL ONCE PER d;
  EXIT WHEN d.status = 'lost';
BEGIN
  WAIT UNTIL d.closes - interval '1 day';
  INSERT INTO log (what) VALUES (d.id || ' closes tomorrow, found ' || found);
  WAIT UNTIL d.status = 'won' OR d.id IS NULL TIMEOUT '10 days';
  INSERT INTO log (what) VALUES (coalesce(d.id::text, 'gone') || ' ' || coalesce(d.status, '-') || ', found ' || found);
END $$;
INSERT INTO deal SELECT g, 1, automation.now() + interval '2 days' FROM generate_series(1, 5) g;
CALL automation.run();
UPDATE deal SET closes = closes + interval '1 day' WHERE id = 1;
UPDATE deal SET status = 'lost' WHERE id = 2;
CALL automation.run();
SELECT * FROM standing;
CALL automation.advance('1 day');
CALL automation.advance('1 day');
SELECT logged();
UPDATE deal SET status = 'won' WHERE id = 3;
DELETE FROM deal WHERE id = 4;
CALL automation.run();
SELECT logged();
DELETE FROM person WHERE id = 1;
CALL automation.run();
SELECT subject_key, reason, count(*) FROM automation.journal
WHERE workflow = 'second' AND event = 'ended' GROUP BY 1, 2 ORDER BY 1, 2;
\c - postgres
SET client_min_messages = warning;
DROP SCHEMA waits CASCADE;
