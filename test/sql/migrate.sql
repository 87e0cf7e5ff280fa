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
         CASE WHEN wakes_at < '2099-01-01' THEN round(extract(epoch FROM wakes_at - automation.now()) / 86400, 1) END AS days
  FROM automation.enrollments
  WHERE workflow IN (SELECT name FROM automation.workflows WHERE schema = 'moving') ORDER BY workflow, subject_key::int;
-- What a migration says, without the job.
CREATE FUNCTION plan(workflow text, map jsonb DEFAULT NULL, from_version int DEFAULT NULL)
RETURNS TABLE (v int, line int, statement text, outcome text, reason text, to_line int, to_statement text, n bigint, hint text)
LANGUAGE sql AS $$
  SELECT m.version, m.line, m.statement, m.outcome, m.reason, m.to_line, m.to_statement, m.enrollments, m.hint
  FROM automation.migrate(workflow, map, true, from_version) m $$;

-- A wait is edited: by its label it is known, and the time already waited counts.
CREATE FUNCTION live_series(p person) RETURNS bigint LANGUAGE workflow AS $$
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
CALL automation.run();
CALL automation.advance('3 days');
INSERT INTO person (id) VALUES (2);
CALL automation.run();
CALL automation.advance('3 days');
INSERT INTO person (id) VALUES (3);
CALL automation.run();
CALL automation.advance('1 day');
SELECT * FROM standing;
SELECT logged();
CREATE OR REPLACE FUNCTION live_series(p person) RETURNS bigint LANGUAGE workflow AS $$
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
SELECT * FROM plan('live_series');
SELECT * FROM standing;
SELECT version, line, outcome, to_line, enrollments, job IS NOT NULL AS job FROM automation.migrate('live_series');
SELECT count(*) FROM automation.migrate('live_series', dry_run => true);
CALL automation.run();
SELECT * FROM standing;
SELECT kind, state, done, total, percent FROM automation.progress WHERE workflow = 'live_series';
SELECT logged();
SELECT event, reason, what, version FROM automation.journal WHERE workflow = 'live_series' AND event = 'migrated' ORDER BY at, position;
SELECT * FROM automation.migrate('live_series');
CALL automation.advance('4 days');
SELECT logged();
CALL automation.advance('9 days');
SELECT logged();
SELECT * FROM standing;
DROP FUNCTION live_series;

-- What a migration says and what it does are the same: everybody as he was before,
-- and what the counts are when it is over.
CREATE TABLE before (id bigint, v int, line int, statement text);
CREATE FUNCTION really(name text, map jsonb DEFAULT NULL, from_version int DEFAULT NULL) RETURNS SETOF text LANGUAGE sql AS $$
  DELETE FROM before;
  INSERT INTO before SELECT e.id, e.version, e.line, e.statement FROM automation.enrollments e, automation.workflows w
    WHERE e.workflow = $1 AND w.name = $1 AND e.version <> w.version AND e.version = coalesce(from_version, e.version);
  SELECT DISTINCT 'said as before: ' || (r IS NOT DISTINCT FROM p)
  FROM (SELECT array_agg(x ORDER BY x) AS r FROM (SELECT (version, line, statement, outcome, reason, to_line, to_statement, enrollments, hint)::text AS x
                                                  FROM automation.migrate(name, map, false, from_version)) s) r,
       (SELECT array_agg(x ORDER BY x) AS p FROM (SELECT plan(name, map, from_version)::text AS x) s) p $$;
CREATE FUNCTION counted() RETURNS TABLE (v int, line int, outcome text, reason text, to_line int, n bigint) LANGUAGE sql AS $$
  SELECT b.v, b.line,
         CASE WHEN e.id IS NULL THEN 'ends' WHEN e.version = b.v THEN 'orphan' ELSE h.reason END,
         CASE WHEN e.id IS NULL THEN h.reason WHEN e.version = b.v THEN e.reason END,
         CASE WHEN e.version <> b.v THEN e.line END, count(*)
  FROM before b LEFT JOIN automation.enrollments e USING (id)
       LEFT JOIN LATERAL (SELECT j.reason FROM automation.journal j
                          WHERE j.enrollment = b.id AND j.event = CASE WHEN e.id IS NULL THEN 'ended' ELSE 'migrated' END
                          ORDER BY at DESC, position DESC LIMIT 1) h ON true
  GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5 $$;

-- Branches: what stands in one is not what stands in the other; a label goes anywhere.
CREATE FUNCTION live_branches(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score WHEN new.score > 0;
  ENROLL AGAIN;
BEGIN
  IF p.score = 1 THEN
    WAIT FOR '1 day';
    INSERT INTO log VALUES (p.id || ' branch 1');
  ELSIF p.score = 2 THEN
    WAIT FOR '2 days';
    INSERT INTO log VALUES (p.id || ' branch 2');
  ELSE
    <<third>>
    WAIT FOR '3 days';
    INSERT INTO log VALUES (p.id || ' branch 3');
  END IF;
  WAIT UNTIL p.flag TIMEOUT '10 days';
  INSERT INTO log VALUES (p.id || ' found ' || found);
  <<old_name>>
  WAIT FOR '1 week';
  INSERT INTO log VALUES (p.id || ' behind a week');
  WAIT UNTIL p.due;
  INSERT INTO log VALUES (p.id || ' due');
END $$;
TRUNCATE person;
INSERT INTO person (id) SELECT generate_series(1, 6);
UPDATE person SET score = 1 WHERE id IN (4, 5, 6);
CALL automation.run();
CALL automation.advance('1 day');
UPDATE person SET flag = true WHERE id IN (5, 6);
CALL automation.run();
UPDATE person SET due = '2100-01-01' WHERE id = 6;
CALL automation.advance('1 week');
UPDATE person SET flag = true WHERE id = 5;
UPDATE person SET score = id WHERE id <= 3;
CALL automation.run();
CALL automation.advance('5 hours');
DELETE FROM log;
SELECT * FROM standing;
CREATE OR REPLACE FUNCTION live_branches(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score WHEN new.score > 0;
  ENROLL AGAIN;
BEGIN
  WAIT UNTIL p.due;
  INSERT INTO log VALUES (p.id || ' due, now first');
  IF p.score = 1 THEN
    WAIT FOR '1 day';
    INSERT INTO log VALUES (p.id || ' new branch 1');
    <<third>>
    WAIT FOR '4 days';
    INSERT INTO log VALUES (p.id || ' now in branch 1');
  ELSIF p.score = 2 THEN
    INSERT INTO log VALUES (p.id || ' new branch 2');
  ELSE
    INSERT INTO log VALUES (p.id || ' new branch 3');
    WAIT FOR '2 days';
  END IF;
  WAIT UNTIL p.flag TIMEOUT '3 days';
  INSERT INTO log VALUES (p.id || ' found ' || found);
  <<new_name>>
  WAIT FOR '1 week';
  INSERT INTO log VALUES (p.id || ' behind a week');
END $$;
SELECT * FROM plan('live_branches');
SELECT * FROM really('live_branches');
CALL automation.run();
SELECT * FROM counted();
SELECT * FROM standing;
SELECT logged();
-- Orphans stand still until a map says where they go; an end of a pause is none.
SELECT automation.pause('live_branches', true);
SELECT automation.resume('live_branches');
UPDATE person SET flag = true WHERE id = 4;
CALL automation.run();
SELECT * FROM standing WHERE state = 'held';
SELECT * FROM plan('live_branches', '{"9": "next", "16": 19}');
SELECT * FROM really('live_branches', '{"9": "next", "16": 19}');
CALL automation.run();
SELECT * FROM counted();
SELECT * FROM standing;
SELECT logged();
CALL automation.advance('30 days');
SELECT logged();
SELECT * FROM standing;
DROP FUNCTION live_branches;

-- A statement that meets an error, and what was passed: not run again, not skipped.
CREATE FUNCTION live_errs(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score WHEN new.score >= 10;
  ENROLL AGAIN;
DECLARE
  n int := 5;
  gone text := 'gone';
  word text;
BEGIN
  INSERT INTO log VALUES (p.id || ' first');
  word := CASE p.id WHEN 1 THEN '17' ELSE 'seventeen' END;
  WAIT FOR '1 day';
  INSERT INTO log VALUES (p.id || ' ' || 1 / (p.score - 10));
  WAIT FOR '1 day';
  INSERT INTO log VALUES (p.id || ' last ' || n);
END $$;
UPDATE person SET score = 10 + (id / 3) WHERE id <= 4;
CALL automation.run();
CALL automation.advance('1 day');
DELETE FROM log;
SELECT * FROM standing;
CREATE OR REPLACE FUNCTION live_errs(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score WHEN new.score >= 10;
  ENROLL AGAIN;
DECLARE
  fresh text := 'fresh ' || p.id;
  word int;
  n numeric := 6;
BEGIN
  INSERT INTO log VALUES (p.id || ' first of all');
  INSERT INTO log VALUES (p.id || ' first');
  WAIT FOR '1 day';
  WAIT FOR '1 day';
  INSERT INTO log VALUES (p.id || ' last ' || n || ' ' || fresh || coalesce(' ' || word, ''));
END $$;
SELECT * FROM plan('live_errs');
CREATE OR REPLACE FUNCTION live_errs(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score WHEN new.score >= 10;
  ENROLL AGAIN;
DECLARE
  fresh text := 'fresh ' || p.id;
  word varchar;
  n numeric := 6;
BEGIN
  INSERT INTO log VALUES (p.id || ' first of all');
  INSERT INTO log VALUES (p.id || ' first');
  WAIT FOR '1 day';
  INSERT INTO log VALUES (p.id || ' ' || 1.0 / (p.score - 10));
  WAIT FOR '1 day';
  INSERT INTO log VALUES (p.id || ' last ' || n || ' ' || fresh || coalesce(' ' || word, ''));
END $$;
SELECT * FROM really('live_errs');
CALL automation.run();
SELECT * FROM counted();
SELECT * FROM standing;
CALL automation.advance('2 days');
SELECT logged();
SELECT * FROM standing;
DROP FUNCTION live_errs;

-- GO TO: turns already made are counted, with another limit too.
CREATE FUNCTION live_turns(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
BEGIN
  <<again>>
  INSERT INTO log VALUES (p.id || ' turn');
  WAIT FOR '1 day';
  GO TO again AT MOST 5 TIMES;
  INSERT INTO log VALUES (p.id || ' out');
END $$;
UPDATE person SET name = 'x' WHERE id = 1;
CALL automation.run();
CALL automation.advance('2 days 1 hour');
SELECT logged();
CREATE OR REPLACE FUNCTION live_turns(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
BEGIN
  INSERT INTO log VALUES (p.id || ' before');
  <<again>>
  INSERT INTO log VALUES (p.id || ' new turn');
  WAIT FOR '1 day';
  GO TO again AT MOST 3 TIMES;
  INSERT INTO log VALUES (p.id || ' out');
END $$;
SELECT * FROM really('live_turns');
CALL automation.advance('5 days');
SELECT logged();
DROP FUNCTION live_turns;

-- EXIT WHEN of the new version applies at once; ends by the map; a map for several versions.
CREATE FUNCTION live_ends(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
BEGIN
  WAIT FOR '1 day'; WAIT FOR '2 days';
  <<last>>
  WAIT UNTIL p.flag IS NULL;
END $$;
UPDATE person SET name = 'y', flag = false WHERE id <= 4;
CALL automation.run();
CREATE OR REPLACE FUNCTION live_ends(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
BEGIN
  WAIT FOR '3 days';
  <<last>>
  WAIT UNTIL p.flag IS NULL;
END $$;
UPDATE person SET name = 'z' WHERE id = 5;
CALL automation.advance('4 days');
UPDATE person SET name = 'z' WHERE id = 6;
CALL automation.run();
CREATE OR REPLACE FUNCTION live_ends(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
  EXIT WHEN p.id IN (1, 5);
BEGIN
  <<start>>
  INSERT INTO log VALUES (p.id || ' starts');
  WAIT UNTIL p.flag IS NULL AND p.id > 0;
  <<last>>
  WAIT FOR '100 days';
END $$;
SELECT * FROM plan('live_ends');
SELECT * FROM plan('live_ends', '{"last": "end", "4": "end"}');
SELECT * FROM plan('live_ends', '{"last": "nowhere"}');
SELECT * FROM plan('live_ends', '{"lost": "end"}');
SELECT * FROM plan('live_ends', '{"4": "end"}', 1);
SELECT * FROM plan('live_ends', '[1]');
SELECT * FROM plan('live_ends', '{"last": []}');
SELECT * FROM plan('live_ends', '{}', 9);
SELECT * FROM plan('live_ends', '{"4.1": "end", "*": "next"}', 1);
SELECT * FROM really('live_ends', '{"last": "start", "4": "end"}', 2);
SELECT * FROM automation.migrate('live_ends');
CALL automation.run();
SELECT * FROM counted();
SELECT * FROM standing;
SELECT * FROM really('live_ends', '{"last": null}', 1);
CALL automation.run();
SELECT * FROM standing;
SELECT logged();
SELECT * FROM really('live_ends', '{"*": "next"}');
CALL automation.run();
SELECT * FROM counted();
SELECT logged();
DROP FUNCTION live_ends;

-- A wait for a change, a wait for a goal, a goal in another place: what came, what was had.
CREATE TABLE visit (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person int, page text);
CREATE FUNCTION live_kinds(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score WHEN new.score = 100;
BEGIN
  WAIT FOR INSERT ON visit WHEN new.person = p.id AND new.page = 'a' TIMEOUT '10 days';
  INSERT INTO log VALUES (p.id || ' visit ' || found);
  GOAL liked WHEN p.flag OTHERWISE WAIT;
  INSERT INTO log VALUES (p.id || ' liked');
  WAIT FOR '1 day';
END $$;
UPDATE person SET flag = false, score = 100 WHERE id <= 4;
CALL automation.run();
INSERT INTO visit (person, page) VALUES (3, 'a'), (4, 'a');
CALL automation.run();
UPDATE person SET flag = true WHERE id = 4;
CALL automation.advance('2 days');
SELECT logged();
SELECT * FROM standing;
UPDATE person SET flag = false, score = 100 WHERE id = 5;
CALL automation.run();
-- The third stands on the goal, the fifth comes there; the second has the new one at once.
INSERT INTO visit (person, page) VALUES (5, 'a');
CALL automation.run();
CREATE OR REPLACE FUNCTION live_kinds(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score WHEN new.score = 100;
BEGIN
  <<visit>>
  WAIT FOR INSERT ON visit WHEN new.person = p.id AND new.page = 'a' TIMEOUT '5 days';
  INSERT INTO log VALUES (p.id || ' new visit ' || found);
  GOAL liked WHEN p.flag OR p.id = 5 OTHERWISE WAIT;
  INSERT INTO log VALUES (p.id || ' new liked');
  WAIT FOR '1 day';
  GOAL second WHEN p.id = 2;
  INSERT INTO log VALUES (p.id || ' second');
  WAIT FOR '1 day';
END $$;
SELECT * FROM really('live_kinds', '{"4": "visit"}');
CALL automation.run();
SELECT * FROM counted();
SELECT * FROM standing;
SELECT logged();
INSERT INTO visit (person, page) VALUES (1, 'b');
UPDATE person SET flag = true WHERE id = 3;
CALL automation.run();
SELECT logged();
CALL automation.advance('4 days');
SELECT logged();
SELECT goal, outcome, subject FROM automation.goal_reached WHERE goal IN ('liked', 'second') ORDER BY id;
DROP FUNCTION live_kinds;

-- A newer version comes before the job is done: who is in that stays there.
CREATE FUNCTION live_newer(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
BEGIN
  WAIT FOR '1 day';
END $$;
UPDATE person SET name = 'n' WHERE id = 1;
CALL automation.run();
CREATE OR REPLACE FUNCTION live_newer(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
BEGIN
  WAIT FOR '1 day';
  WAIT FOR '2 days';
END $$;
SELECT * FROM really('live_newer');
CREATE OR REPLACE FUNCTION live_newer(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
BEGIN
  WAIT FOR '1 day';
  WAIT FOR '3 days';
END $$;
UPDATE person SET name = 'n' WHERE id = 2;
CALL automation.run();
SELECT * FROM standing;
DROP FUNCTION live_newer;

-- A version whose columns are gone: held, and brought away from it.
CREATE TABLE ids (id bigint);
GRANT SELECT ON ids TO PUBLIC;
CREATE FUNCTION live_columns(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
BEGIN
  WAIT FOR '1 day';
  INSERT INTO log VALUES (p.id || ' ' || p.due);
  WAIT FOR '2 days';
END $$;
UPDATE person SET name = 'c' WHERE id IN (1, 2);
CALL automation.run();
INSERT INTO ids SELECT id FROM automation.enrollments WHERE workflow = 'live_columns' AND subject_key = '2';
SELECT automation.hold(id) FROM automation.enrollments WHERE workflow = 'live_columns' AND subject_key = '2';
CREATE OR REPLACE FUNCTION live_columns(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
BEGIN
  WAIT FOR '1 day';
  INSERT INTO log VALUES (p.id || ' without');
END $$;
ALTER TABLE person DROP COLUMN due;
CALL automation.advance('2 days');
SELECT * FROM standing WHERE workflow = 'live_columns';
SELECT automation.retry('live_columns');
CALL automation.run();
SELECT * FROM standing WHERE workflow = 'live_columns';
SELECT * FROM really('live_columns');
CALL automation.run();
SELECT * FROM counted();
SELECT * FROM standing WHERE workflow = 'live_columns';
SELECT automation.release(id) FROM automation.enrollments WHERE workflow = 'live_columns';
CALL automation.run();
SELECT logged();
UPDATE person SET name = 'd' WHERE id = 3;
CALL automation.run();
TRUNCATE ids;
INSERT INTO ids SELECT id FROM automation.enrollments WHERE workflow = 'live_columns';
\c - postgres
CREATE ROLE moving_other;
GRANT USAGE ON SCHEMA moving TO moving_other;
SET ROLE moving_other;
SELECT * FROM automation.migrate('moving.live_columns');
\set VERBOSITY sqlstate
SELECT automation.hold(id), automation.release(id) FROM moving.ids;
\set VERBOSITY default
RESET ROLE;

-- A new owner who brings everybody to a version of his own need not accept the old one.
GRANT USAGE ON LANGUAGE workflow TO moving_other;
GRANT CREATE ON SCHEMA moving TO moving_other;
GRANT SELECT, TRIGGER ON moving.person TO moving_other;
GRANT SELECT, INSERT ON moving.log TO moving_other;
ALTER ROLE moving_other LOGIN;
ALTER FUNCTION moving.live_columns OWNER TO moving_other;
\c - moving_other
SET search_path = moving;
SELECT count(*) FROM automation.migrate('live_columns');
CREATE OR REPLACE FUNCTION live_columns(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
BEGIN
  WAIT FOR '1 day';
  INSERT INTO log VALUES (p.id || ' by ' || current_user);
END $$;
SELECT version, hold FROM automation.workflows WHERE name = 'live_columns';
SELECT version, outcome, enrollments FROM automation.migrate('live_columns');
CALL automation.run();
SELECT version, hold FROM automation.workflows WHERE name = 'live_columns';
SELECT version, state, reason FROM automation.enrollments WHERE workflow = 'live_columns';
\c - postgres
SET client_min_messages = warning;
DROP SCHEMA moving CASCADE;
REVOKE ALL ON LANGUAGE workflow FROM moving_other;
DROP ROLE moving_other;
