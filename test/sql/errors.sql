-- Steps that fail: whoever is not the culprit goes on, the culprit is tried
-- again with growing pauses, then it has failed until automation.retry().
CREATE SCHEMA errors AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = errors; SET timezone = 'UTC';

CREATE TABLE item (id int PRIMARY KEY, n int DEFAULT 1, kind text, flag boolean);
CREATE TABLE log (n bigint GENERATED ALWAYS AS IDENTITY, what text NOT NULL);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING what) SELECT what FROM d ORDER BY what $$;
CREATE VIEW standing AS
  SELECT workflow, subject_key AS id, state, reason, attempt, statement, line, error FROM automation.enrollments
  WHERE workflow IN (SELECT name FROM automation.workflows WHERE schema = 'errors') ORDER BY workflow, length(subject_key), subject_key;
CREATE VIEW entries AS
  SELECT workflow, subject_key AS id, event, reason, line, detail ->> 'sqlstate' AS sqlstate, detail ->> 'message' AS message
  FROM automation.journal
  WHERE event IN ('entered', 'not_entered', 'retrying', 'failed', 'ended')
    AND workflow IN (SELECT name FROM automation.workflows WHERE schema = 'errors')
  ORDER BY workflow, subject_key, at, position;

-- In the first statements: nothing of them stays, the others are not held up.
CREATE FUNCTION first_step(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'first';
BEGIN
  INSERT INTO log (what) VALUES ('begins ' || i.id);
  INSERT INTO log (what)
  VALUES ('divided ' || 100 / i.n);
END $$;
INSERT INTO item (id, n, kind) VALUES (1, 1, 'first'), (2, 0, 'first'), (3, 2, 'first'), (4, 0, 'first');
CALL automation.run();
SELECT logged();
SELECT * FROM standing;
-- The pauses: 1 s, 4 s, 16 s, 64 s, each up to a fifth shorter or longer.
CALL automation.advance('2 seconds');
SELECT id, state, attempt FROM standing;
CALL automation.advance('5 seconds');
SELECT id, state, attempt FROM standing;
CALL automation.advance('1 hour');
SELECT * FROM standing;
SELECT logged();
-- A failed one counts as inside and stays so until somebody mends it and says so.
SELECT first_step(i) > 0 FROM item i WHERE id = 2;
UPDATE item SET n = 5 WHERE id = 2;
CALL automation.advance('1 day');
SELECT automation.retry(id) FROM automation.enrollments WHERE subject_key IN ('2', '4') ORDER BY subject_key;
CALL automation.run();
SELECT logged();
SELECT * FROM standing;
SELECT * FROM entries WHERE id IN ('2', '4') AND event <> 'retrying';
SELECT automation.retry('first_step');
SELECT automation.unenroll('first_step', 4);
CALL automation.run();
SELECT * FROM standing;
DROP FUNCTION first_step;

-- In a later step, in a branch, of a statement with several lines: what was before the wait stays.
CREATE FUNCTION later(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'later';
DECLARE
  v int := 7;
BEGIN
  INSERT INTO log (what) VALUES ('before ' || i.id);
  WAIT UNTIL i.flag TIMEOUT '1 day';
  v := v + 1;
  INSERT INTO log (what) VALUES ('after ' || i.id || ' found ' || found);
  IF i.n >= 0 THEN
    INSERT INTO log (what)
    SELECT 'late ' || i.id || ' ' || v
    WHERE i.flag OR 1 / i.n > 0;
  END IF;
  WAIT FOR '1 day';
  INSERT INTO log (what) VALUES ('end ' || i.id);
END $$;
INSERT INTO item (id, n, kind, flag) VALUES (11, 1, 'later', NULL), (12, 0, 'later', NULL), (13, 1, 'later', NULL);
CALL automation.run();
SELECT logged();
CALL automation.advance('1 day');
SELECT logged();
SELECT * FROM standing;
-- The wait is over and is not waited for again; FOUND is what it was.
UPDATE item SET n = 1 WHERE id = 12;
CALL automation.advance('1 hour');
SELECT logged();
SELECT id, state, attempt, statement FROM standing;
CALL automation.advance('2 days');
SELECT logged();
SELECT * FROM entries WHERE id = '12' AND event <> 'retrying';
DROP FUNCTION later;

-- Before anybody is inside: WHEN, FOR, PER, EXIT WHEN.
CREATE FUNCTION in_when(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'entry' AND 10 / new.n > 0;
BEGIN
  INSERT INTO log (what) VALUES ('in_when ' || i.id);
END $$;
CREATE FUNCTION in_for(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'entry' FOR SELECT id FROM item WHERE id = new.id AND 10 / n > 0;
BEGIN
  INSERT INTO log (what) VALUES ('in_for ' || i.id);
END $$;
CREATE FUNCTION in_per(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'entry';
  ENROLL ONCE PER i, 10 / i.n;
BEGIN
  INSERT INTO log (what) VALUES ('in_per ' || i.id);
END $$;
CREATE FUNCTION in_exit(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'entry';
  EXIT WHEN 10 / i.n > 100;
BEGIN
  INSERT INTO log (what) VALUES ('in_exit ' || i.id);
END $$;
CREATE FUNCTION well(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'entry';
BEGIN
  INSERT INTO log (what) VALUES ('well ' || i.id);
END $$;
INSERT INTO item (id, n, kind) VALUES (21, 1, 'entry'), (22, 0, 'entry'), (23, 2, 'entry');
CALL automation.run();
SELECT logged();
SELECT * FROM standing;
-- Mended before the attempts are used up: nothing is lost.
UPDATE item SET n = 3 WHERE id = 22;
CALL automation.advance('1 minute');
SELECT logged();
INSERT INTO item (id, n, kind) VALUES (24, 0, 'entry');
CALL automation.advance('1 hour');
SELECT logged();
SELECT * FROM standing;
SELECT * FROM entries WHERE id = '24';
DROP FUNCTION in_when, in_for, in_per, in_exit, well;

-- EXIT WHEN fails while somebody waits; mended, the wait is as it was.
CREATE FUNCTION exit_later(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'exit';
  EXIT WHEN 10 / i.n > 100;
BEGIN
  WAIT UNTIL i.flag TIMEOUT '3 days';
  INSERT INTO log (what) VALUES ('exit_later ' || i.id || ' ' || found);
END $$;
INSERT INTO item (id, n, kind) VALUES (31, 1, 'exit'), (32, 1, 'exit'), (33, 1, 'exit');
CALL automation.run();
UPDATE item SET n = 0 WHERE id IN (31, 33);
CALL automation.run();
SELECT id, state, attempt, statement, error FROM standing;
UPDATE item SET n = 2 WHERE id = 31;
CALL automation.advance('1 day');
SELECT id, state, attempt, statement, error FROM standing;
UPDATE item SET flag = true WHERE id = 31;
CALL automation.run();
SELECT logged();
CALL automation.advance('3 days');
SELECT logged();
UPDATE item SET n = 2, flag = true WHERE id = 33;
SELECT automation.retry('exit_later');
CALL automation.run();
SELECT logged();
DROP FUNCTION exit_later;

-- What is long is kept as well, and found again by the history's index.
CREATE FUNCTION refuse(why text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%', why USING DETAIL = why, HINT = why;
END $$;
CREATE FUNCTION long(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'long';
BEGIN
  INSERT INTO log (what) SELECT errors.refuse(repeat(i.kind || ' ', 1000));
END $$;
INSERT INTO item (id, kind) SELECT 40 + g, 'long' FROM generate_series(1, 4) g;
CALL automation.advance('1 hour');
SELECT id, state, attempt FROM standing;
\c - postgres
SET client_min_messages = warning;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
CREATE TEMP TABLE stored AS SELECT enrollment AS id, count(*) AS lines FROM automation.history WHERE enrollment IS NOT NULL GROUP BY 1;
RESET enable_indexscan;
SET enable_seqscan = off;
SELECT count(*) AS not_found FROM stored WHERE lines <> (SELECT count(*) FROM automation.history WHERE enrollment = stored.id);
DROP SCHEMA errors CASCADE;
