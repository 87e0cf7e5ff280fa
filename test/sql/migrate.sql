-- Live edits: those inside come to a new version of their workflow.
CREATE SCHEMA moving AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = moving; SET timezone = 'UTC';

CREATE TABLE person (id int PRIMARY KEY, name text, score int DEFAULT 0, due timestamptz, flag boolean DEFAULT false);
CREATE TABLE log (what text);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING what) SELECT what FROM d ORDER BY what $$;
-- Where everybody stands; times in days from now, rounded.
CREATE VIEW standing AS
  SELECT workflow, subject_key::int AS id, version AS v, state, reason, line, statement, waits_for,
         round(extract(epoch FROM wakes_at - automation.now()) / 86400, 1) AS days
  FROM automation.enrollments
  WHERE workflow IN (SELECT name FROM automation.workflows WHERE schema = 'moving') ORDER BY workflow, subject_key::int;
-- What a migration says, without the job.
CREATE FUNCTION plan(workflow text, map jsonb DEFAULT NULL, from_version int DEFAULT NULL)
RETURNS TABLE (v int, line int, statement text, outcome text, reason text, to_line int, to_statement text, n bigint, hint text)
LANGUAGE sql AS $$
  SELECT m.version, m.line, m.statement, m.outcome, m.reason, m.to_line, m.to_statement, m.enrollments, m.hint
  FROM automation.migrate(workflow, map, true, from_version) m $$;

-- A wait is edited: by its label it is known, and the time already waited counts.
CREATE FUNCTION series(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO log VALUES (p.id || ' one');
  <<first>>
  WAIT FOR '3 days';
  INSERT INTO log VALUES (p.id || ' two');
  WAIT FOR '3 days';
  INSERT INTO log VALUES (p.id || ' three');
  WAIT FOR '3 days';
END $$;
INSERT INTO person (id) VALUES (1);
CALL automation.advance('3 days');
INSERT INTO person (id) VALUES (2);
CALL automation.advance('3 days');
INSERT INTO person (id) VALUES (3);
CALL automation.advance('1 day');
SELECT * FROM standing;
SELECT logged();
CREATE OR REPLACE FUNCTION series(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO log VALUES ('new'), (p.id || ' zero');
  INSERT INTO log VALUES (p.id || ' one');  -- as before
  <<first>>
  WAIT FOR '5 days';
  INSERT INTO log
    VALUES (p.id || ' two');
  WAIT FOR /* still */ '3 days';
  INSERT INTO log VALUES (p.id || ' three and a half');
  WAIT FOR '3 days';
END $$;
SELECT * FROM plan('series');
SELECT * FROM standing;
SELECT version, line, outcome, to_line, enrollments, job IS NOT NULL AS job FROM automation.migrate('series');
SELECT count(*) FROM automation.migrate('series', dry_run => true);
CALL automation.run();
SELECT * FROM standing;
SELECT kind, state, done, total, percent FROM automation.progress WHERE workflow = 'series';
SELECT logged();
SELECT event, reason, what, version FROM automation.journal WHERE workflow = 'series' AND event = 'migrated' ORDER BY at, position;
SELECT * FROM automation.migrate('series');
CALL automation.advance('4 days');
SELECT logged();
CALL automation.advance('9 days');
SELECT logged();
SELECT * FROM standing;
