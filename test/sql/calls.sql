-- Enrollment by hand and by other workflows: ids, arguments, who may, waiting
-- for the end of a call, what refusals and ends tell the caller.
CREATE SCHEMA calls AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
CREATE ROLE calls_caller LOGIN;
CREATE ROLE calls_stranger LOGIN;
GRANT USAGE ON SCHEMA calls TO calls_caller, calls_stranger;
\c - app
SET search_path = calls; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';

CREATE TABLE item (id int PRIMARY KEY, name text, hidden boolean DEFAULT false);
CREATE TABLE log (what text);
-- The ids that calls returned, by a name.
CREATE TABLE call (name text PRIMARY KEY, id bigint);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING what) SELECT what FROM d ORDER BY what $$;
CREATE VIEW status AS SELECT name, automation.enrollment_status(id), automation.finished(id) FROM call ORDER BY name;
INSERT INTO item SELECT g, 'item ' || g FROM generate_series(1, 9) g;

CREATE FUNCTION child(i item, days int DEFAULT 2, note text DEFAULT 'plain', d date DEFAULT '2024-01-01') RETURNS bigint
LANGUAGE workflow AS $$
  EXIT WHEN i.name = 'bad';
  ENROLL ONCE;
BEGIN
  INSERT INTO log VALUES (concat_ws(' ', 'child', i.id, days, note, d));
  WAIT FOR days * interval '1 day';
  INSERT INTO log VALUES ('child ends ' || i.id);
END $$;

-- By hand: the id is known at once, the verdict comes later; calls are undone with their transaction.
INSERT INTO call SELECT 'a', child(i) FROM item i WHERE id = 1;
INSERT INTO call SELECT 'b', child(i, 5, note => 'named') FROM item i WHERE id = 2;
INSERT INTO call SELECT 'b again', child(i) FROM item i WHERE id = 2;
BEGIN;
SELECT child(i) > 0 FROM item i WHERE id = 3;
ROLLBACK;
SELECT * FROM status;
CALL automation.run();
SELECT logged();
SELECT * FROM status;
SELECT c.name, e.subject, e.args FROM automation.enrollments e JOIN call c USING (id) ORDER BY 1;
CALL automation.advance('2 days');
SELECT * FROM status;
SELECT automation.unenroll(id) FROM call WHERE name = 'b';
SELECT automation.unenroll(id), automation.unenroll(0) FROM call WHERE name = 'a';
CALL automation.run();
SELECT logged();
SELECT * FROM status;
-- No row, a row that is not in the table, a row of NULLs, arguments that are NULL.
SELECT child(NULL), child(ROW(NULL, 'nobody', false));
SELECT child(ROW(99, 'made up', false));
INSERT INTO call SELECT 'nulls', child(i, 1, NULL, NULL) FROM item i WHERE id = 4;
CALL automation.run();
SELECT logged();

-- From a workflow: the call goes on, the id can be waited for, with or without a limit.
CREATE FUNCTION parent(i item, limit_ interval DEFAULT '30 days') RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  c bigint;
BEGIN
  SELECT child(i, note => 'by parent') INTO c;
  INSERT INTO log VALUES ('parent called ' || i.id || ' ' || (c > 0));
  WAIT UNTIL automation.finished(c) TIMEOUT limit_;
  INSERT INTO log VALUES ('parent goes on ' || i.id || ' ' || found);
END $$;
UPDATE item SET name = 'bad' WHERE id = 6;
SELECT count(parent(i)) FROM item i WHERE id IN (5, 6);
SELECT parent(i, '1 day') > 0 FROM item i WHERE id = 7;
CALL automation.run();
SELECT logged();
SELECT subject_key, waits_for FROM automation.enrollments WHERE workflow = 'parent' ORDER BY 1;
CALL automation.advance('1 day');
SELECT logged();
CALL automation.advance('1 day');
SELECT logged();
-- A refused child is over at once; one that was taken out, whose row was deleted, or failed no longer or still waits.
SELECT count(parent(i)) FROM item i WHERE id IN (5, 8, 9);
CALL automation.run();
SELECT logged();
SELECT automation.unenroll('child', 8);
CALL automation.run();
SELECT logged();
DELETE FROM item WHERE id = 9;
CALL automation.run();
SELECT logged();
SELECT workflow, subject_key, reason FROM automation.journal
WHERE workflow IN ('parent', 'child') AND subject_key = '9' AND event = 'ended' ORDER BY 1;

-- A workflow that calls many at once, itself, and one with a value as its first argument.
CREATE FUNCTION no_subject(city text, n int) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE PER city;
BEGIN
  INSERT INTO log VALUES ('city ' || city || ' ' || n);
  WAIT FOR '1 day';
  IF n > 0 THEN
    SELECT no_subject(city || '!', n - 1);
  END IF;
END $$;
CREATE FUNCTION caller(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SELECT no_subject(c, 2) FROM unnest(ARRAY['Paris', 'Rome', NULL, 'Paris']) c;
  INSERT INTO log VALUES ('found ' || found);
END $$;
SELECT caller(i) > 0 FROM item i WHERE id = 1;
CALL automation.advance('10 days');
SELECT logged();
SELECT coalesce(subject_key, 'none') AS subject, event, reason, enrollment IS NOT NULL AS has_id FROM automation.journal
WHERE workflow = 'no_subject' AND event = 'not_entered' ORDER BY at, position;

-- INTO takes the first row, and a second call is not made.
CREATE FUNCTION first_of_all(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  c bigint;
BEGIN
  SELECT no_subject('first ' || x.id, 0) INTO c FROM item x ORDER BY x.id;
  INSERT INTO log VALUES ('one call ' || (c > 0));
END $$;
SELECT first_of_all(i) > 0 FROM item i WHERE id = 1;
CALL automation.run();
SELECT logged();

-- Who may: EXECUTE for the call, sight of the row; commands likewise, questions about one's own.
CREATE FUNCTION granted(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES ('granted ' || i.id || ' as ' || current_user);
  WAIT FOR '1 day';
END $$;
GRANT EXECUTE ON FUNCTION granted TO calls_caller;
GRANT SELECT ON item TO calls_caller, calls_stranger;
GRANT SELECT, INSERT ON call TO calls_caller, calls_stranger;
ALTER TABLE item ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON item TO calls_caller, calls_stranger USING (NOT hidden);
UPDATE item SET hidden = true WHERE id = 2;
TRUNCATE call;
\c - calls_caller
SET search_path = calls;
INSERT INTO call SELECT 'granted', granted(i) FROM item i WHERE id = 1;
INSERT INTO call VALUES ('hidden', granted(ROW(2, 'item 2', true)));
SELECT child(i) FROM item i WHERE id = 1;
SELECT name, automation.enrollment_status(id), automation.finished(id) FROM call;
CALL automation.run();
\c - app
SET search_path = calls; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';
CALL automation.run();
SELECT logged();
\c - calls_caller
SET search_path = calls;
SELECT name, automation.enrollment_status(id), automation.finished(id) FROM call;
\set VERBOSITY sqlstate
SELECT automation.retry(id) FROM call;
\set VERBOSITY default
SELECT automation.pause('calls.granted');
SELECT automation.unenroll('calls.child', 1);
SELECT count(*) FROM automation.enrollments;
\c - calls_stranger
SET search_path = calls;
\set VERBOSITY sqlstate
SELECT automation.enrollment_status(id) FROM call;
SELECT automation.finished(id) FROM call;
SELECT automation.unenroll(id) FROM call;
\set VERBOSITY default
SELECT automation.unenroll('calls.granted', 1);
SELECT granted(i) FROM item i WHERE id = 1;
\c - calls_caller
SET search_path = calls;
SELECT automation.unenroll(id) FROM call;
\c - app
SET search_path = calls; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';
CALL automation.run();
\c - calls_caller
SET search_path = calls;
SELECT name, automation.enrollment_status(id), automation.finished(id) FROM call;

-- A workflow of one owner waits for the end of another owner's.
\c - postgres
SET client_min_messages = warning;
DROP FUNCTION calls.granted, calls.child CASCADE;
GRANT USAGE ON LANGUAGE workflow TO calls_caller;
CREATE SCHEMA calls_other AUTHORIZATION calls_caller;
GRANT USAGE ON SCHEMA calls_other TO app;
GRANT TRIGGER ON calls.item TO calls_caller;
GRANT INSERT, SELECT ON calls.log TO calls_caller;
\c - calls_caller
SET search_path = calls_other;
CREATE FUNCTION theirs(i calls.item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  INSERT INTO calls.log VALUES ('theirs ' || i.id || ' as ' || current_user);
  WAIT UNTIL i.name = 'ready';
END $$;
GRANT EXECUTE ON FUNCTION theirs TO app;
\c - app
SET search_path = calls; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';
CREATE FUNCTION mine(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  c bigint;
BEGIN
  SELECT calls_other.theirs(i) INTO c;
  WAIT UNTIL automation.finished(c);
  INSERT INTO log VALUES ('mine ' || i.id || ' as ' || current_user || ' ' || found);
END $$;
SELECT count(mine(i)) FROM item i WHERE id <= 2;
CALL automation.run();
\c - calls_caller
CALL automation.run();
\c - app
SET search_path = calls; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';
CALL automation.run();
-- The second row is one its owner does not see: he refuses it.
SELECT logged();
UPDATE item SET name = 'ready' WHERE id = 1;
CALL automation.run();
SELECT logged();
\c - calls_caller
CALL automation.run();
\c - app
SET search_path = calls; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';
CALL automation.run();
SELECT logged();
-- A call that is queued ends with its workflow, and who waits for it goes on.
CREATE FUNCTION queued(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
END $$;
CREATE FUNCTION caller_of_queued(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  n bigint;
BEGIN
  SELECT queued(i) INTO n;
  WAIT UNTIL automation.finished(n);
  INSERT INTO log VALUES ('not queued any more ' || i.id);
END $$;
SELECT automation.pause('queued', queue => true);
SELECT count(caller_of_queued(i)) FROM item i WHERE id = 1;
CALL automation.run();
SELECT state FROM automation.enrollments WHERE workflow = 'caller_of_queued';
DROP FUNCTION queued;
CALL automation.run();
SELECT logged();

\c - postgres
SET client_min_messages = warning;
DROP SCHEMA calls, calls_other CASCADE;
REVOKE ALL ON LANGUAGE workflow FROM calls_caller;
DROP ROLE calls_caller, calls_stranger;
