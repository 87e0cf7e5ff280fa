-- Attacks by size, time and format: huge and odd values, moments that no
-- calendar has, forged errors, settings that change how values are written.
SET client_min_messages = warning;
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
CREATE ROLE app_user LOGIN;
CREATE SCHEMA alice AUTHORIZATION alice;
CREATE SCHEMA bob AUTHORIZATION bob;
GRANT USAGE ON LANGUAGE workflow TO alice, bob;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO alice, bob;
\c - bob
SET search_path = bob;
CREATE TABLE pulse (id int PRIMARY KEY);
CREATE TABLE beat (id int);
CREATE FUNCTION steady(p pulse) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO beat VALUES (p.id);
  WAIT FOR '1 hour';
  INSERT INTO beat VALUES (p.id * 10);
END $$;

-- 1. Sizes
\c - alice
\set VERBOSITY terse
SET search_path = alice;
SET client_min_messages = warning;
CREATE TABLE doc (id text PRIMARY KEY, body text, n int);
CREATE TABLE log (what text);
CREATE FUNCTION read_it(d doc) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF body WHEN length(new.body) > 0 OR new.n > 1;
  ENROLL AGAIN PER d.id, repeat('k', 5000);
DECLARE
  copy text;
BEGIN
  copy := repeat(d.body, 2);
  INSERT INTO log VALUES (length(d.id) || ' ' || length(d.body) || ' ' || length(copy));
  WAIT FOR '1 hour';
  INSERT INTO log VALUES ('then ' || length(copy));
END $$;
INSERT INTO doc SELECT string_agg(chr(33 + (i * 7919) % 90), ''), 'long key' FROM generate_series(1, 2500) i;
INSERT INTO doc VALUES ('big', repeat('x', 100000000)), ('quote "\ ''', '"\{}[]'), (E'tab\tnl\ncr\r', 'y'), ('', 'empty key'), ('é€😀', 'y');
CALL automation.run();
SELECT * FROM log ORDER BY 1;
SELECT event, reason, left(subject_key, 10) AS key FROM automation.journal WHERE workflow = 'read_it' AND event NOT IN ('entered', 'waiting') ORDER BY 3;
TRUNCATE log;
UPDATE doc SET id = 'short' WHERE length(id) > 1000;
UPDATE doc SET id = repeat('long', 600) WHERE id = 'big';
CALL automation.advance('2 hours');
SELECT * FROM log ORDER BY 1;
SELECT count(*) FROM automation.enrollments;
CREATE FUNCTION by_hand(t text, n numeric DEFAULT 'NaN', f float8 DEFAULT '-Infinity', j jsonb DEFAULT '{"a": null}', b bytea DEFAULT '\x00ff',
                        r int4range DEFAULT 'empty', a text[] DEFAULT '{NULL,"NULL",""}', i interval DEFAULT '1 mon -3 days', d date DEFAULT '4713-01-01 BC')
RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN PER t, n, f, j, b, r, a, i, d;
BEGIN
  WAIT FOR '1 hour';
  INSERT INTO log VALUES (concat_ws(' ', 'hand', length(t), n, f, j, b, r, a, i, d));
END $$;
SELECT by_hand(repeat('x', 60000000)) IS NOT NULL AS enrolled, by_hand('') IS NOT NULL, by_hand(NULL) IS NOT NULL,
       by_hand('all', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) IS NOT NULL;
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'sql_standard';
SET extra_float_digits = -15;
SET bytea_output = 'escape';
SET TimeZone = 'Pacific/Kiritimati';
SELECT by_hand('styled', 1e-10, 0.1::float8 + 0.2::float8, '1', '\xdead', '[1,2)', '{a}', '-1 year 1 day -00:00:01', '2024-02-01') IS NOT NULL AS enrolled;
RESET ALL;
SET search_path = alice;
TRUNCATE log;
CALL automation.advance('2 hours');
SELECT * FROM log ORDER BY 1;
SELECT subject, event, reason FROM automation.journal WHERE workflow = 'by_hand' AND event = 'not_entered' ORDER BY at, position;
DROP FUNCTION by_hand, read_it;

-- 2. Moments
CREATE TABLE moment (id int PRIMARY KEY, at timestamptz, day date, i interval);
CREATE FUNCTION wait_at(m moment) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.at IS NOT NULL;
BEGIN
  WAIT UNTIL m.at TIMEOUT '1 day';
  INSERT INTO log VALUES ('at ' || m.id || ' ' || found);
END $$;
CREATE FUNCTION wait_day(m moment) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.day IS NOT NULL;
BEGIN
  WAIT UNTIL m.day TIMEOUT '1 day';
  INSERT INTO log VALUES ('day ' || m.id || ' ' || found);
END $$;
CREATE FUNCTION wait_for(m moment) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.i IS NOT NULL;
BEGIN
  WAIT FOR m.i;
  INSERT INTO log VALUES ('for ' || m.id || ' ' || found);
END $$;
CREATE FUNCTION wait_out(m moment) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.i IS NOT NULL;
BEGIN
  WAIT UNTIL m.day > '2999-01-01' TIMEOUT m.i;
  INSERT INTO log VALUES ('out ' || m.id || ' ' || found);
END $$;
CREATE FUNCTION come_back(m moment) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF day WHEN new.i IS NOT NULL;
  ENROLL AGAIN AFTER m.i;
BEGIN
  INSERT INTO log VALUES ('back ' || m.id);
END $$;
TRUNCATE log;
INSERT INTO moment (id, at) VALUES (1, 'infinity'), (2, '-infinity'), (3, '2000-01-01 00:00+00'), (4, '294276-12-31 23:59:59+00'), (5, '4713-01-02 00:00+00 BC');
INSERT INTO moment (id, day) VALUES (11, 'infinity'), (12, '-infinity'), (13, '5874897-12-31'), (14, '4713-01-01 BC'), (15, '2000-01-01');
INSERT INTO moment (id, i) VALUES (21, '-1 day'), (22, '0'), (23, '290000 years'), (24, '-290000 years'), (25, '178000000 years'), (26, '-1 mon 40 days');
SET TimeZone = 'Asia/Kathmandu';
CALL automation.run();
RESET TimeZone;
SELECT what FROM log ORDER BY 1;
UPDATE moment SET day = '2001-01-01' WHERE id IN (21, 22, 23, 24, 25);
CALL automation.advance('2 days');
SELECT what FROM log ORDER BY 1;
SELECT workflow, subject_key, state, reason, attempt, error FROM automation.enrollments ORDER BY 1, 2;
SELECT workflow, subject_key, event, reason, detail ->> 'message' AS message FROM automation.journal
WHERE workflow = 'come_back' AND event <> 'entered' AND reason <> 'completed' ORDER BY subject_key;
CALL automation.advance('-1 day');
CALL automation.advance('300000 years');
CALL automation.advance(NULL);
SELECT automation.now() < now() + interval '1 year' AS clock_is_sane;
DROP FUNCTION wait_at, wait_day, wait_for, wait_out, come_back;

-- 3. Forged errors end after their attempts, whatever they say they are
CREATE TABLE forger (code text PRIMARY KEY);
CREATE TABLE tries (code text);
CREATE FUNCTION forge(code text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'forged %', repeat('é', 5000) USING ERRCODE = code, DETAIL = repeat('d', 5000), HINT = 'h';
END $$;
CREATE SEQUENCE attempts;
CREATE FUNCTION forges(f forger) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  n int;
BEGIN
  SELECT nextval('attempts') INTO n;
  SELECT forge(f.code) INTO n;
END $$;
INSERT INTO forger VALUES ('40001'), ('40P01'), ('57P01'), ('57014'), ('XX000'), ('57P02'), ('P0001'), ('53200');
CALL automation.run();
CALL automation.advance('10 days');
SELECT subject_key, state, reason, attempt, length(error) < 3000 AS cut FROM automation.enrollments WHERE workflow = 'forges' ORDER BY 1;
-- at least once for each attempt that counts; how often more depends on which retries fall together
SELECT last_value BETWEEN 40 AND 160 AS bounded FROM attempts;
SELECT max(octet_length(detail::text)) < 10000 AS cut FROM automation.journal WHERE workflow = 'forges';
-- a lock that never was, for ever: given up as well
INSERT INTO forger VALUES ('55P03');
CALL automation.advance('1 hour');
SELECT state, reason FROM automation.enrollments WHERE subject_key = '55P03';
DROP FUNCTION forges;

-- 4. What a commit breaks: the error comes when the transaction ends
CREATE TABLE breaker (id int PRIMARY KEY);
CREATE FUNCTION late_error() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 'DECLARE held CURSOR WITH HOLD FOR SELECT 1 / x FROM generate_series(-1, 1) x';
  RETURN 1;
END $$;
CREATE FUNCTION breaks(b breaker) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  n int;
BEGIN
  IF b.id = 2 THEN
    SELECT late_error() INTO n;
  END IF;
  INSERT INTO log VALUES ('broke ' || b.id);
END $$;
INSERT INTO breaker VALUES (1), (2), (3);
CALL automation.run();
SELECT what FROM log WHERE what LIKE 'broke%' ORDER BY 1;
SELECT subject_key, state, reason, error FROM automation.enrollments WHERE workflow = 'breaks';
DROP FUNCTION breaks;

-- The neighbour lives
\c - bob
SET search_path = bob;
INSERT INTO pulse VALUES (1);
CALL automation.run();
CALL automation.advance('1 hour');
SELECT * FROM beat ORDER BY 1;
\c - postgres
SET client_min_messages = warning;
DROP SCHEMA alice, bob CASCADE;
DROP OWNED BY alice, bob;
DROP ROLE alice, bob, app_user;
