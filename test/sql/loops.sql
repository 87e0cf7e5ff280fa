-- Workflows that start each other: who stops the circle, and that nobody else is
-- stopped with it.
CREATE SCHEMA loops AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = loops; SET timezone = 'UTC';

CREATE TABLE thing (id int PRIMARY KEY, a int DEFAULT 0, b int DEFAULT 0, c int DEFAULT 0);
CREATE TABLE log (n bigint GENERATED ALWAYS AS IDENTITY, what text);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING n, what) SELECT what FROM d ORDER BY n $$;
CREATE VIEW entries AS
  SELECT workflow, subject_key, event, reason FROM automation.journal
  WHERE event IN ('entered', 'not_entered')
    AND workflow IN (SELECT name FROM automation.workflows WHERE schema = 'loops')
  ORDER BY at, position;

-- Two that update each other's column; a third looks on.
CREATE FUNCTION ping(t thing) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF a;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log (what) VALUES ('ping ' || t.id);
  UPDATE thing SET b = b + 1 WHERE id = t.id;
END $$;
CREATE FUNCTION pong(t thing) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF b;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log (what) VALUES ('pong ' || t.id);
  UPDATE thing SET a = a + 1 WHERE id = t.id;
END $$;
CREATE FUNCTION third(t thing) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF a, b;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log (what) VALUES ('third sees ' || t.a || ' ' || t.b);
END $$;
INSERT INTO thing VALUES (1), (2);
UPDATE thing SET a = 1 WHERE id = 1;
CALL automation.run();
SELECT logged();
SELECT * FROM entries;
SELECT jsonb_array_length(detail -> 'chain') FROM automation.journal WHERE workflow = 'ping' AND reason = 'loop_guard';
-- The guard knows the chain over a wait too, and a user starts it anew each time.
UPDATE thing SET b = 10 WHERE id = 2;
CALL automation.run();
SELECT logged();
SELECT * FROM thing ORDER BY id;
DROP FUNCTION ping, pong, third;

-- Its own work does not bring it in again, over a wait neither.
CREATE FUNCTION own(t thing) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF c;
  ENROLL REPLACE;
BEGIN
  WAIT FOR '1 day';
  UPDATE thing SET c = c + 1 WHERE id = t.id;
  INSERT INTO log (what) VALUES ('c of ' || t.id || ' is ' || t.c);
END $$;
UPDATE thing SET c = 1 WHERE id = 1;
CALL automation.advance('5 days');
SELECT logged();
SELECT * FROM entries;
DROP FUNCTION own;

-- Each makes the next record: no key comes back, the chain has an end.
CREATE FUNCTION breed(t thing) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO thing VALUES (t.id + 1);
END $$;
INSERT INTO thing VALUES (100);
CALL automation.run();
SELECT count(*), max(id) FROM thing WHERE id >= 100;
SELECT * FROM entries WHERE event = 'not_entered';
DROP FUNCTION breed;

-- One key by the work of others: ten times a day.  Users are not counted.
CREATE FUNCTION source(t thing) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.id > 200;
BEGIN
  UPDATE thing SET a = a + 1 WHERE id = 2;
END $$;
CREATE FUNCTION target(t thing) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF a;
  ENROLL AGAIN;
BEGIN
  UPDATE thing SET c = c + 1 WHERE id = t.id;
END $$;
UPDATE thing SET c = 0 WHERE id = 2;
SELECT c FROM generate_series(201, 212) g,
       LATERAL (VALUES (format('INSERT INTO thing VALUES (%s)', g)), ('CALL automation.run()')) v (c) \gexec
SELECT c FROM thing WHERE id = 2;
UPDATE thing SET a = 0 WHERE id = 2;
CALL automation.run();
SELECT c FROM thing WHERE id = 2;
CALL automation.advance('1 day');
INSERT INTO thing VALUES (213);
CALL automation.run();
SELECT c FROM thing WHERE id = 2;
SELECT reason, count(*) FROM entries WHERE workflow = 'target' GROUP BY reason ORDER BY reason;
\c - postgres
SELECT l.entries, l.caused, l.refusals, l.reason
FROM automation.ledger l JOIN automation.workflow w ON w.id = l.workflow WHERE w.signature = 'loops.target(loops.thing)';
SET client_min_messages = warning;
DROP SCHEMA loops CASCADE;
