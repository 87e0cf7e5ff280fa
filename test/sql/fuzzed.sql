-- What the fuzzer found, each in its smallest form.
SET client_min_messages = warning;
CREATE ROLE fuzzed_author LOGIN;
CREATE SCHEMA fuzzed AUTHORIZATION fuzzed_author;
GRANT USAGE ON LANGUAGE workflow TO fuzzed_author;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO fuzzed_author;
\c - fuzzed_author
SET search_path = fuzzed;
CREATE TABLE person (id int PRIMARY KEY, name text, born date, zone text, due timestamptz);
CREATE TABLE log (what text);

-- An error of a fragment that ends too early is at the fragment's end
CREATE FUNCTION w(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO log SELECT 'é', 1 + ;
  INSERT INTO log VALUES ('afterwards');
END $$;
CREATE FUNCTION w(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  IF p.name = ('é' || ) THEN EXIT; END IF;
END $$;
CREATE FUNCTION w(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  ENROLL AGAIN PER p, 1 +;
BEGIN
END $$;

-- An error that the core tells no place of is at the fragment
CREATE FUNCTION w(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  i int;
  x elsewhere.fuzzed.person;
BEGIN
END $$;
CREATE FUNCTION w(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.id > 0 AND make_date(2024, 2, 0) < new.born;
BEGIN
END $$;

-- Types of several words before :=, which tells no missing semicolon there
CREATE FUNCTION types(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  a double precision := 1;
  b timestamp with time zone := now();
  c p.name%TYPE := p.name;
  d person.born % TYPE := current_date;
  e character varying := a;
BEGIN
END $$;
DROP FUNCTION types;
CREATE FUNCTION types(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  a int;
BEGIN
  SELECT 1
  a := 2;
END $$;

-- Very many statements, and a mistake in the last one
DO $do$
DECLARE
  body text := 'ENROLL AGAIN; BEGIN' || repeat(E'\n INSERT INTO log VALUES (''é'' || p.name || ''a long text to fill the body up to its limit of one megabyte, nearly'');', 8000);
BEGIN
  EXECUTE format('CREATE FUNCTION big(p person) RETURNS bigint LANGUAGE workflow AS %L', body || ' END');
  BEGIN
    EXECUTE format('CREATE FUNCTION bad(p person) RETURNS bigint LANGUAGE workflow AS %L', body || ' SELECT nosuch; END');
  EXCEPTION WHEN undefined_column THEN
    RAISE WARNING '%', SQLERRM;
  END;
END $do$;
DROP FUNCTION big;

-- A moment out of now() is one of when the wait began: it comes
CREATE FUNCTION later(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL now() + interval '1 day';
  INSERT INTO log VALUES (p.id || ' now ' || (now() >= entered_at() + interval '1 day'));
  WAIT UNTIL current_date + 1 TIMEOUT '30 days';
  INSERT INTO log VALUES (p.id || ' date ' || found);
  WAIT UNTIL statement_timestamp() + interval '400 days';
  INSERT INTO log VALUES (p.id || ' server ' || found);
END $$;
-- what stands in the row moves it
CREATE FUNCTION moved(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL greatest(p.due, now() + interval '1 day');
  INSERT INTO log VALUES (p.id || ' moved to the ' || extract(day FROM now() - entered_at()) || '. day');
END $$;
-- the zone as well
CREATE FUNCTION zoned(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  TIME ZONE p.zone;
BEGIN
  WAIT UNTIL current_date + 1 TIMEOUT '30 days';
  INSERT INTO log VALUES (p.id || ' zoned ' || found);
END $$;
INSERT INTO person VALUES (1, 'a', NULL, NULL), (2, 'b', NULL, 'Asia/Tokyo');
UPDATE person SET due = automation.now() + interval '5 days 2 hours' WHERE id = 2;
CALL automation.run();
CALL automation.advance('3 days');
UPDATE person SET zone = 'America/Lima' WHERE id = 2;
SELECT what FROM log ORDER BY what;
TRUNCATE log;
CALL automation.advance('500 days');
SELECT what FROM log ORDER BY what;
SELECT workflow, state, statement FROM automation.enrollments;

DROP FUNCTION later, moved, zoned;

-- What WHEN, FOR, PER and the others do before anybody has entered is of the
-- chain of causes as well: no circle goes on for ever
CREATE TABLE thing (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
CREATE FUNCTION make(t thing) RETURNS int LANGUAGE sql AS $$ INSERT INTO fuzzed.thing DEFAULT VALUES; SELECT t.id $$;
CREATE VIEW circle AS
  SELECT workflow, event, reason, count(*) FROM automation.journal
  WHERE workflow LIKE 'circle%' AND event <> 'ended' GROUP BY 1, 2, 3 ORDER BY 1, 2;
CREATE FUNCTION circle_per(t thing) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN PER t, (circle_per(t))::text;
BEGIN
END $$;
INSERT INTO thing DEFAULT VALUES;
SELECT circle_per(t) IS NOT NULL AS called FROM thing t;
CALL automation.run();
SELECT * FROM circle;
DROP FUNCTION circle_per;
CREATE FUNCTION circle_when(t thing) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN make(new) > 0;
BEGIN
END $$;
INSERT INTO thing DEFAULT VALUES;
CALL automation.run();
SELECT * FROM circle;
DROP FUNCTION circle_when;
CREATE FUNCTION circle_for(t thing) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT FOR SELECT make(new);
BEGIN
END $$;
INSERT INTO thing DEFAULT VALUES;
CALL automation.run();
SELECT * FROM circle;
DROP FUNCTION circle_for;
CREATE FUNCTION circle_zone(t thing) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  TIME ZONE 'UTC' || left(make(t)::text, 0);
BEGIN
END $$;
INSERT INTO thing DEFAULT VALUES;
CALL automation.run();
SELECT * FROM circle;
DROP FUNCTION circle_zone;

-- A time limit of the session is one of CALL automation.run(), not of the step
-- that it finds: nothing has failed
CREATE FUNCTION slow(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
BEGIN
  SELECT pg_sleep(CASE WHEN EXISTS (SELECT FROM log) THEN 0 ELSE 1000 END);
  INSERT INTO log VALUES ('slow ' || p.id);
END $$;
TRUNCATE log;
UPDATE person SET name = 'slow' WHERE id = 1;
SET statement_timeout = '200ms';
\set VERBOSITY terse
CALL automation.run();
\set VERBOSITY default
RESET statement_timeout;
SELECT workflow, state, error FROM automation.enrollments;
INSERT INTO log VALUES ('fast');
CALL automation.run();
SELECT what FROM log ORDER BY what;

-- It also ends what is done about an item that has failed
CREATE SEQUENCE attempt;
CREATE FUNCTION key_of(int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  IF nextval('attempt') = 1 THEN
    RAISE EXCEPTION 'no key';
  END IF;
  PERFORM pg_sleep(1000);
  RETURN $1;
END $$;
CREATE FUNCTION keyed(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN PER key_of(p.id);
BEGIN
END $$;
SELECT count(keyed(p)) FROM person p WHERE id = 1;
SET statement_timeout = '200ms';
\set VERBOSITY terse
CALL automation.run();
\set VERBOSITY default
RESET statement_timeout;
SELECT last_value FROM attempt;
DROP FUNCTION keyed;

-- A moment that can't be computed does not keep a new key from being followed
CREATE FUNCTION ill_timed(p person) RETURNS bigint LANGUAGE workflow AS $$
  AT p.name::timestamptz;
BEGIN
  INSERT INTO log VALUES ('ill-timed');
END $$;
INSERT INTO person (id, name) VALUES (70, '2100-01-01 00:00+00');
CALL automation.run();
UPDATE person SET id = 71, name = 'never' WHERE id = 70;
SET statement_timeout = '10s';
CALL automation.run();
RESET statement_timeout;
SELECT subject FROM automation.moments WHERE workflow = 'ill_timed' AND subject LIKE '%7_';
DROP FUNCTION ill_timed;
-- what was put off is looked at once more, and is gone
CALL automation.advance('1 hour');

\c - postgres
SET client_min_messages = warning;
DROP SCHEMA fuzzed CASCADE;
DROP OWNED BY fuzzed_author;
DROP ROLE fuzzed_author;
