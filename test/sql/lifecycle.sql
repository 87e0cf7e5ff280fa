-- The life of a workflow and of those inside: versions, pauses, commands, new
-- names and schemas, the end.
CREATE SCHEMA lifecycle AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = lifecycle; SET timezone = 'UTC';

CREATE TABLE item (id int PRIMARY KEY, name text, n int DEFAULT 1, extra text);
CREATE TABLE log (what text);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING what) SELECT what FROM d ORDER BY what $$;
CREATE VIEW standing AS
  SELECT workflow, subject_key AS id, version, state, reason, statement FROM automation.enrollments
  WHERE signature LIKE 'lifecycle%' OR signature LIKE '%(lifecycle%' ORDER BY workflow, subject_key;
CREATE VIEW flows AS
  SELECT name, schema, owner, active, entry, hold, version, waiting, held FROM automation.workflows
  WHERE schema LIKE 'lifecycle%' ORDER BY name;
CREATE VIEW happened AS
  SELECT workflow, subject_key AS id, event, reason FROM automation.journal
  WHERE workflow IN (SELECT name FROM automation.workflows WHERE schema LIKE 'lifecycle%') AND event NOT IN ('waiting', 'resumed')
  ORDER BY at, position;
INSERT INTO item SELECT g, 'item ' || g FROM generate_series(1, 9) g;

-- Versions: who is inside stays on his, over many of them.
CREATE FUNCTION flow(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
  ENROLL AGAIN;
DECLARE
  v int := 1;
BEGIN
  WAIT FOR '1 day';
  INSERT INTO log VALUES (i.id || ' ends on the first, v ' || v);
END $$;
UPDATE item SET name = 'a' WHERE id = 1;
CALL automation.run();
CREATE OR REPLACE FUNCTION flow(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name WHEN new.n > 0;
  ENROLL AGAIN;
DECLARE
  first text := 'x';
  v text := 'two';
BEGIN
  INSERT INTO log VALUES (i.id || ' begins on the second');
  WAIT UNTIL i.extra = 'go';
  INSERT INTO log VALUES (i.id || ' ends on the second, v ' || v);
END $$;
UPDATE item SET name = 'b' WHERE id IN (1, 2);
CALL automation.run();
-- A change made under the second version and read under the third enters by the second.
UPDATE item SET name = 'c' WHERE id = 3;
CREATE OR REPLACE FUNCTION flow(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES (i.id || ' on the third');
END $$;
UPDATE item SET name = 'd' WHERE id = 4;
SELECT flow(i) > 0 FROM item i WHERE id = 5;
CALL automation.run();
SELECT * FROM standing;
UPDATE item SET extra = 'go' WHERE id <= 3;
CALL automation.advance('1 day');
SELECT logged();
SELECT * FROM happened;
-- A replacement that does not pass the check changes nothing.
CREATE OR REPLACE FUNCTION flow(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF nothing;
BEGIN
END $$;
SELECT name, version FROM flows;
DROP FUNCTION flow;

-- Pause: nobody enters; with hold, those inside stand still, timers too.
CREATE FUNCTION paused(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
  ENROLL AGAIN;
BEGIN
  WAIT UNTIL i.extra = 'on' TIMEOUT '2 days';
  INSERT INTO log VALUES (i.id || ' found ' || found);
END $$;
UPDATE item SET extra = NULL, name = 'p' WHERE id <= 3;
CALL automation.run();
SELECT automation.pause('paused');
UPDATE item SET name = 'q' WHERE id = 4;
UPDATE item SET extra = 'on' WHERE id = 1;
SELECT paused(i) > 0 FROM item i WHERE id = 5;
CALL automation.run();
SELECT logged();
SELECT * FROM flows;
-- Held: a change that comes before the deadline counts, though it is looked at afterwards.
SELECT automation.pause('paused', true);
UPDATE item SET extra = 'on' WHERE id = 2;
CALL automation.run();
CALL automation.advance('3 days');
SELECT logged();
SELECT * FROM flows;
SELECT * FROM standing;
SELECT automation.retry('paused');
SELECT automation.resume('paused');
CALL automation.run();
SELECT logged();
SELECT * FROM happened;
SELECT * FROM standing;
DROP FUNCTION paused;

-- Taken out by subject, by id, by another workflow; retry of what neither failed nor is held.
CREATE FUNCTION waiting(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
BEGIN
  WAIT UNTIL i.extra = 'never';
END $$;
CREATE FUNCTION other(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
BEGIN
  WAIT UNTIL i.n = 5;
  SELECT automation.unenroll_others(i);
  INSERT INTO log VALUES ('others of ' || i.id || ' are out');
  WAIT FOR '1 day';
END $$;
UPDATE item SET name = 'u' WHERE id <= 4;
CALL automation.run();
SELECT automation.unenroll('waiting', 1), automation.unenroll('lifecycle.waiting', i) FROM item i WHERE id = 2;
SELECT automation.unenroll(id) FROM automation.enrollments WHERE workflow = 'waiting' AND subject_key = '3';
SELECT automation.retry('waiting'), automation.retry(0);
UPDATE item SET n = 5 WHERE id = 4;
CALL automation.run();
SELECT logged();
SELECT * FROM happened WHERE event = 'ended';
SELECT automation.unenroll_others(i) FROM item i WHERE id = 1;
SELECT automation.unenroll('waiting', 'a'::text);
SELECT automation.unenroll('waiting', ROW('x')::log);
SELECT automation.unenroll('nowhere', 1);
SELECT automation.pause('flow(item)');
CALL automation.run();
SELECT * FROM standing;

-- Renamed, moved to another schema, its table renamed and moved: nobody notices.
\c - postgres
CREATE SCHEMA lifecycle_new AUTHORIZATION app;
\c - app
SET search_path = lifecycle, lifecycle_new; SET timezone = 'UTC';
ALTER FUNCTION other RENAME TO "Another one";
ALTER FUNCTION "Another one" SET SCHEMA lifecycle_new;
ALTER TABLE item RENAME TO thing;
ALTER TABLE thing SET SCHEMA lifecycle_new;
SELECT * FROM flows;
SELECT workflow, subject, state FROM automation.enrollments WHERE workflow = 'Another one' ORDER BY subject;
UPDATE thing SET n = 5 WHERE id = 2;
UPDATE thing SET name = 'v' WHERE id = 6;
CALL automation.run();
SELECT logged();
SELECT * FROM standing;
-- The end: function, table.
DROP FUNCTION waiting;
SELECT * FROM flows;
DROP TABLE thing CASCADE;
SELECT * FROM flows;
SELECT * FROM standing;
CALL automation.advance('1 month');
\c - postgres
SELECT count(*) AS left_behind FROM automation.enrollment e WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = e.workflow);
SELECT count(*) AS left_behind FROM automation.source s WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.relation);
SET client_min_messages = warning;
DROP SCHEMA lifecycle, lifecycle_new CASCADE;
