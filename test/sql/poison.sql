-- Errors of every kind, one bad row among many: the others advance in the same run.
CREATE SCHEMA poison AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = poison; SET timezone = 'UTC';

CREATE TABLE item (id int PRIMARY KEY, kind text, note text);
CREATE TABLE child (item int REFERENCES item DEFERRABLE INITIALLY DEFERRED, note text NOT NULL, small smallint);
CREATE TABLE log (what text);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING what) SELECT what FROM d ORDER BY what $$;
CREATE VIEW standing AS
  SELECT workflow, subject_key AS id, state, attempt, error FROM automation.enrollments
  WHERE workflow IN (SELECT name FROM automation.workflows WHERE schema = 'poison') ORDER BY workflow, subject_key::int;
CREATE FUNCTION fail(code text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  IF code = 'mended' THEN
    RETURN code;
  END IF;
  RAISE 'failing with %', code USING ERRCODE = code, DETAIL = 'the detail', HINT = 'the hint';
END $$;

-- One poisoned row among two hundred, each with work of its own.
CREATE FUNCTION many(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'many';
BEGIN
  INSERT INTO child VALUES (i.id, i.note);
  WAIT FOR '1 day';
  INSERT INTO log (what) SELECT 'second ' || i.id WHERE i.id % 50 = 0;
  UPDATE child SET small = CASE i.id WHEN 111 THEN 70000 ELSE i.id END WHERE item = i.id;
END $$;
INSERT INTO item SELECT g, 'many', CASE WHEN g <> 77 THEN 'note' END FROM generate_series(1, 200) g;
CALL automation.run();
SELECT count(*), min(small) FROM child;
SELECT * FROM standing WHERE state <> 'waiting';
CALL automation.advance('1 day');
SELECT count(*), count(small) FROM child;
SELECT logged();
SELECT id, state, error FROM standing;
-- A constraint that was put off until COMMIT finds its culprit too.
CREATE FUNCTION deferred(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  INSERT INTO child VALUES (CASE WHEN i.id IN (3, 8) THEN -1 ELSE i.id END, 'deferred');
END $$;
SELECT count(deferred(i)) FROM item i WHERE id <= 10;
CALL automation.run();
SELECT count(*) FROM child WHERE note = 'deferred';
SELECT * FROM standing WHERE workflow = 'deferred';
CALL automation.advance('1 hour');
SELECT id, state, attempt FROM standing WHERE workflow = 'deferred';
INSERT INTO item VALUES (-1);
SELECT automation.retry('deferred');
CALL automation.run();
SELECT count(*) FROM child WHERE note = 'deferred';
SELECT * FROM standing WHERE workflow = 'deferred';
DROP FUNCTION many, deferred;

-- Codes: a conflict is tried again at once, a lock after a while, both end as errors
-- when they do not stop; a cancel that nobody asked for is an error like any.
CREATE FUNCTION codes(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  v text;
BEGIN
  INSERT INTO log VALUES ('in ' || i.kind);
  SELECT fail(i.kind) INTO v;
END $$;
TRUNCATE item, child;
INSERT INTO item VALUES (1, '40001'), (2, '40P01'), (3, '57014'), (4, '55P03'), (5, 'P0001'), (6, '23514'), (7, '57P01'), (8, 'XX000');
SELECT count(codes(i)) FROM item i;
CALL automation.run();
SELECT * FROM standing;
SELECT logged();
CALL automation.advance('1 hour');
SELECT * FROM standing;
SELECT id, count(*) AS retried, count(*) FILTER (WHERE j.event = 'failed') AS failed
FROM standing JOIN automation.journal j ON j.workflow = 'codes' AND j.subject_key = id
WHERE j.event IN ('retrying', 'failed') GROUP BY id ORDER BY id::int;
SELECT detail ->> 'detail' AS detail, detail ->> 'hint' AS hint, detail ->> 'context' AS context
FROM automation.journal WHERE workflow = 'codes' AND subject_key = '6' AND event = 'failed';
UPDATE item SET kind = 'mended' WHERE id = 5;
SELECT automation.retry(id) FROM automation.enrollments WHERE workflow = 'codes' AND subject_key = '5';
CALL automation.run();
SELECT id, attempt FROM standing;
DROP FUNCTION codes;

-- What a step may not do.
CREATE FUNCTION misbehave(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE what;
END $$;
CREATE FUNCTION misbehaves(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES ('in ' || i.note);
  SELECT misbehave(i.note);
  INSERT INTO log VALUES ('behind ' || i.note);
END $$;
INSERT INTO item (id, note) VALUES (21, 'COMMIT'), (22, 'ROLLBACK'), (23, 'SELECT pg_advisory_unlock_all()'),
  (24, 'SET CONSTRAINTS ALL DEFERRED'), (25, 'DROP TABLE nothing'), (26, 'SET ROLE postgres'), (27, 'SELECT 1');
SELECT count(misbehaves(i)) FROM item i WHERE id > 20;
CALL automation.run();
SELECT logged();
SELECT * FROM standing WHERE workflow = 'misbehaves';
SELECT current_user, session_user;
\c - postgres
SET client_min_messages = warning;
DROP SCHEMA poison CASCADE;
