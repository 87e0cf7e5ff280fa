-- Pause: entries that queue, what becomes of those whose time came meanwhile, and
-- one enrollment that stands still by itself.
CREATE SCHEMA pausing AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = pausing; SET timezone = 'UTC';

CREATE TABLE item (id int PRIMARY KEY, n int DEFAULT 0, due timestamptz);
CREATE TABLE log (what text);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING what) SELECT what FROM d ORDER BY what $$;
CREATE VIEW standing AS
  SELECT subject_key::int AS id, state, reason, statement,
         round(extract(epoch FROM wakes_at - automation.now()) / 3600, 1) AS hours
  FROM automation.enrollments
  WHERE workflow IN (SELECT name FROM automation.workflows WHERE schema = 'pausing') ORDER BY workflow, subject_key::int;
CREATE VIEW happened AS
  SELECT subject_key AS id, event, reason FROM automation.journal
  WHERE workflow IN (SELECT name FROM automation.workflows WHERE schema = 'pausing')
    AND event IN ('not_entered', 'ended') ORDER BY length(subject_key), subject_key, at, position;

CREATE FUNCTION stop_and_go(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  ENROLL AGAIN;
BEGIN
  WAIT FOR '10 hours';
  INSERT INTO log VALUES (i.id || ' after 10 hours');
  WAIT UNTIL i.n = 1 TIMEOUT '10 hours';
  INSERT INTO log VALUES (i.id || ' found ' || found);
END $$;

-- Entries in a pause are missed, or queue; also where all stand still.
SELECT automation.pause('stop_and_go');
INSERT INTO item VALUES (1);
CALL automation.run();
SELECT automation.pause('stop_and_go', queue => true);
INSERT INTO item VALUES (2);
CALL automation.run();
SELECT name, active, entry, hold, note FROM automation.workflows WHERE schema = 'pausing';
SELECT automation.pause('stop_and_go', hold => true);
INSERT INTO item VALUES (3);
CALL automation.run();
SELECT automation.pause('stop_and_go', hold => true, queue => true);
INSERT INTO item VALUES (4);
CALL automation.run();
SELECT * FROM standing;
SELECT * FROM happened;
SELECT automation.resume('stop_and_go');
CALL automation.run();
SELECT * FROM standing;
SELECT * FROM happened;

-- run: all at once, or so many per second.
INSERT INTO item SELECT g FROM generate_series(5, 8) g;
CALL automation.run();
SELECT automation.pause('stop_and_go', true);
CALL automation.advance('1 day');
SELECT * FROM standing;
SELECT automation.resume('stop_and_go', rate => 2);
SELECT active, hold, hold_detail FROM automation.workflows WHERE schema = 'pausing';
SELECT automation.resume('stop_and_go', rate => 3);
CALL automation.run();
SELECT id, state, reason FROM standing;
SELECT kind, state, done, total FROM automation.progress WHERE workflow = 'stop_and_go';
SELECT active, hold, hold_detail FROM automation.workflows WHERE schema = 'pausing';
CALL automation.advance('1 minute');
SELECT count(*), bool_and(j.at >= p.created_at + (j.n - 1) * interval '0.5 s') AS spread
FROM (SELECT at, row_number() OVER (ORDER BY at, position) AS n FROM automation.journal
      WHERE workflow = 'stop_and_go' AND event = 'resumed' AND reason = 'time') j, automation.progress p
WHERE p.workflow = 'stop_and_go';
SELECT logged();
SELECT id, state, statement, hours FROM standing;

-- shift: the pause does not count.
CALL automation.advance('4 hours');
UPDATE item SET n = 1 WHERE id = 2;
CALL automation.run();
SELECT logged();
SELECT * FROM standing;
SELECT automation.pause('stop_and_go', true);
CALL automation.advance('20 hours');
UPDATE item SET n = 1 WHERE id = 4;
CALL automation.run();
SELECT logged();
SELECT automation.resume('stop_and_go', late => 'shift');
CALL automation.run();
SELECT logged();
SELECT * FROM standing;
CALL automation.advance('7 hours');
SELECT logged();
SELECT * FROM standing;

-- skip: who is later than that ends, but not who had what he waited for in time.
INSERT INTO item SELECT g FROM generate_series(11, 13) g;
CALL automation.run();
CALL automation.advance('5 hours');
INSERT INTO item SELECT g FROM generate_series(21, 23) g;
CALL automation.advance('5 hours');
SELECT logged();
UPDATE item SET n = 1 WHERE id = 13;
SELECT automation.pause('stop_and_go', true);
UPDATE item SET n = 1 WHERE id = 12;
CALL automation.advance('11 hours');
SELECT * FROM standing;
SELECT automation.resume('stop_and_go', late => 'skip', skip_if_later_than => '2 hours');
CALL automation.run();
SELECT logged();
SELECT * FROM standing;
SELECT id, reason FROM happened WHERE event = 'ended' AND id LIKE '__';

-- Paused again before resume() is through.
INSERT INTO item VALUES (31);
CALL automation.run();
SELECT automation.pause('stop_and_go', true);
CALL automation.advance('11 hours');
SELECT automation.resume('stop_and_go', rate => 1);
SELECT automation.pause('stop_and_go', true);
CALL automation.run();
SELECT hold, hold_detail FROM automation.workflows WHERE schema = 'pausing';
SELECT id, state, reason FROM standing;
SELECT automation.resume('stop_and_go');
CALL automation.run();
SELECT logged();

-- One enrollment.
DELETE FROM item;
INSERT INTO item VALUES (41), (42), (43);
CALL automation.run();
SELECT automation.hold(id) FROM automation.enrollments WHERE subject_key IN ('41', '42') ORDER BY id;
SELECT automation.hold(0), automation.release(0);
CALL automation.run();
SELECT automation.hold(id) FROM automation.enrollments WHERE subject_key = '41';
SELECT * FROM standing;
CALL automation.advance('11 hours');
SELECT logged();
-- neither retry nor the end of a pause lets it go
SELECT automation.retry(id) FROM automation.enrollments WHERE subject_key = '41';
SELECT automation.retry('stop_and_go');
SELECT automation.pause('stop_and_go', true);
SELECT automation.resume('stop_and_go');
CALL automation.run();
SELECT id, state, reason FROM standing;
SELECT automation.release(id) FROM automation.enrollments WHERE subject_key IN ('41', '43') ORDER BY id;
CALL automation.run();
SELECT logged();
SELECT id, state, reason FROM standing;

-- What does not fit.
SELECT automation.resume('stop_and_go', 'later');
SELECT automation.resume('stop_and_go', 'skip');
SELECT automation.resume('stop_and_go', skip_if_later_than => '1 hour');
SELECT automation.resume('stop_and_go', 'shift', rate => 1);
SELECT automation.resume('stop_and_go', rate => 0);
SELECT automation.resume('stop_and_go', 'skip', skip_if_later_than => '-1 hour');

\c - postgres
SET client_min_messages = warning;
DROP SCHEMA pausing CASCADE;
