-- Every kind of wait, and what may become of somebody who stands on it: what he waits for
-- comes, time passes, he is replaced, held, fails, comes to another version, is gone.
CREATE SCHEMA every_wait AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
-- Rows of enrollments that ended and of these workflows; what other tests left inside is theirs.
CREATE FUNCTION every_wait.left_behind() RETURNS TABLE (waits bigint, timers bigint, arguments bigint, parked bigint, calls bigint, due bigint, events bigint) LANGUAGE sql SECURITY DEFINER AS $$
  WITH me AS (SELECT id FROM automation.owner WHERE role = 'app'::regrole),
       foreign_workflow AS (SELECT id FROM automation.workflow WHERE signature NOT LIKE 'every_wait.%'),
       foreign_enrollment AS (SELECT id FROM automation.enrollment WHERE workflow IN (SELECT id FROM foreign_workflow)
                              UNION ALL SELECT -id FROM automation.due WHERE workflow IN (SELECT id FROM foreign_workflow)),
       event AS (SELECT owner FROM automation.event_0 UNION ALL SELECT owner FROM automation.event_1
                 UNION ALL SELECT owner FROM automation.event_2 UNION ALL SELECT owner FROM automation.event_3)
  SELECT (SELECT count(*) FROM automation.wait JOIN me ON me.id = owner WHERE enrollment NOT IN (SELECT id FROM foreign_enrollment)),
         (SELECT count(*) FROM automation.timer JOIN me ON me.id = owner WHERE enrollment NOT IN (SELECT id FROM foreign_enrollment)),
         (SELECT count(*) FROM automation.argument WHERE enrollment NOT IN (SELECT id FROM foreign_enrollment)),
         (SELECT count(*) FROM automation.parked p JOIN me ON me.id = owner
          WHERE coalesce(workflow, 0) NOT IN (SELECT id FROM foreign_workflow) AND coalesce(target, 0) NOT IN (SELECT id FROM foreign_enrollment)),
         (SELECT count(*) FROM automation.call WHERE caller = 'app'::regrole AND id NOT IN (SELECT id FROM foreign_enrollment)),
         (SELECT count(*) FROM automation.due d JOIN me ON me.id = owner WHERE workflow NOT IN (SELECT id FROM foreign_workflow)),
         (SELECT count(*) FROM event JOIN me ON me.id = owner) $$;
\c - app
SET search_path = every_wait, crm; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';

CREATE TABLE person (id int PRIMARY KEY, name text, score int DEFAULT 0, zone text, day date, at timestamptz, zero int DEFAULT 1);
CREATE TABLE offer (id int PRIMARY KEY, status text DEFAULT 'open', value int DEFAULT 0, ends timestamptz);
CREATE TABLE purchase (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, person int, amount int DEFAULT 1);
CREATE TABLE visit (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, person int, url text);
CREATE TABLE member (person int, offer int, role text, PRIMARY KEY (person, offer));
CREATE TABLE log (n int GENERATED ALWAYS AS IDENTITY, what text, at timestamptz DEFAULT automation.now());
-- Moments are told in days from one that is fixed at the start.
CREATE TABLE start AS SELECT date_trunc('day', automation.now()) + '1 day' AS day;
CREATE FUNCTION d(n float) RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT day + n * interval '24 hours' FROM every_wait.start $$;
CREATE FUNCTION till(n float) RETURNS interval LANGUAGE sql AS $$ SELECT every_wait.d(n) - automation.now() $$;
CREATE FUNCTION told() RETURNS TABLE (day numeric, what text) LANGUAGE sql AS $$
  WITH x AS (DELETE FROM every_wait.log RETURNING *)
  SELECT round(extract(epoch FROM at - every_wait.d(0)) / 86400, 2), what FROM x ORDER BY 1, what COLLATE "C" $$;
CREATE VIEW standing AS
  SELECT workflow, entry_key AS key, state, reason, statement, waits_for FROM automation.enrollments
  WHERE workflow IN (SELECT name FROM automation.workflows WHERE schema = 'every_wait') ORDER BY workflow, length(entry_key), entry_key;
CREATE FUNCTION happened(name text) RETURNS TABLE (key text, event text, reason text) LANGUAGE sql AS $$
  SELECT subject_key, event, reason FROM automation.journal WHERE workflow = name
  ORDER BY length(subject_key), subject_key, at, position $$;
-- A new day: the workflows of the last story go.
CREATE PROCEDURE next_story() LANGUAGE plpgsql AS $$
DECLARE routine regprocedure;
BEGIN
  FOR routine IN SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
                 WHERE l.lanname = 'workflow' AND p.pronamespace = 'every_wait'::regnamespace LOOP
    EXECUTE 'DROP FUNCTION ' || routine;
  END LOOP;
  DELETE FROM every_wait.person; DELETE FROM every_wait.offer; DELETE FROM every_wait.purchase; DELETE FROM every_wait.visit; DELETE FROM every_wait.member; DELETE FROM every_wait.log;
  UPDATE every_wait.start SET day = date_trunc('day', automation.now()) + '1 day';
END $$;

-- What each hangs on.
CREATE FUNCTION child(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  WAIT UNTIL p.score >= 100;
END $$;
CREATE FUNCTION kinds(p person, kind text) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL REPLACE PER kind;
  EXIT WHEN 1 / p.zero < 0;
DECLARE
  id bigint;
BEGIN
  -- first, or it would pull all the others
  IF kind = 'goal' THEN
    GOAL seven WHEN EXISTS (SELECT FROM purchase u WHERE u.person = p.id AND u.amount = 7) OTHERWISE WAIT;
  ELSIF kind = 'interval' THEN
    <<of_interval>>
    WAIT FOR '4 days';
  ELSIF kind = 'moment' THEN
    WAIT UNTIL p.at;
  ELSIF kind = 'far moment' THEN
    WAIT UNTIL (SELECT min(o.ends) FROM offer o JOIN member m ON m.offer = o.id WHERE m.person = p.id) TIMEOUT '8 days';
  ELSIF kind = 'own' THEN
    <<of_own>>
    WAIT UNTIL p.score = 7 TIMEOUT '4 days';
  ELSIF kind = 'row' THEN
    <<of_row>>
    WAIT UNTIL EXISTS (SELECT FROM purchase u WHERE u.person = p.id AND u.amount = 7) TIMEOUT '4 days';
  ELSIF kind = 'change' THEN
    <<of_change>>
    WAIT FOR INSERT ON visit WHEN new.person = p.id AND new.url = '/7' TIMEOUT '4 days';
  ELSIF kind = 'update' THEN
    <<of_update>>
    WAIT FOR UPDATE OF status FROM 'open' TO 'won' ON offer WHEN new.id = p.id TIMEOUT '4 days';
  ELSIF kind = 'delete' THEN
    <<of_delete>>
    WAIT FOR DELETE ON member WHEN old.person = p.id AND old.role = 'buyer' TIMEOUT '4 days';
  ELSIF kind = 'call' THEN
    SELECT child(p) INTO id;
    <<of_call>>
    WAIT UNTIL automation.finished(id) TIMEOUT '4 days';
  ELSIF kind = 'unknown' THEN
    WAIT FOR (SELECT max(o.value) FROM offer o WHERE o.id = p.id AND o.status <> 'open') * interval '1 day';
  END IF;
  INSERT INTO log (what) VALUES (kind || ' ' || found);
END $$;
CREATE TABLE kind (kind text PRIMARY KEY);
INSERT INTO kind VALUES ('interval'), ('moment'), ('far moment'), ('own'), ('row'), ('change'), ('update'), ('delete'), ('call'), ('unknown'), ('goal');
CREATE PROCEDURE all_enter() LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO every_wait.person (id, name, at, zero) VALUES (1, 'Ann', every_wait.d(4), 1)
    ON CONFLICT (id) DO UPDATE SET at = excluded.at, zero = 1, score = 0;
  INSERT INTO every_wait.offer (id, value, ends) VALUES (1, 2, every_wait.d(4)) ON CONFLICT (id) DO UPDATE SET status = 'open', value = 2, ends = every_wait.d(4);
  INSERT INTO every_wait.member VALUES (1, 1, 'buyer') ON CONFLICT DO NOTHING;
  DELETE FROM every_wait.purchase;
  PERFORM automation.unenroll('every_wait.child', p) FROM every_wait.person p;
  PERFORM every_wait.kinds(p, k.kind) FROM every_wait.person p, every_wait.kind k ORDER BY k.kind;
END $$;
-- What each of them waits for happens.
CREATE PROCEDURE all_come() LANGUAGE plpgsql AS $$
BEGIN
  UPDATE every_wait.person SET score = 7, at = automation.now() WHERE id = 1;
  UPDATE every_wait.offer SET ends = automation.now(), status = 'won', value = 0 WHERE id = 1;
  INSERT INTO every_wait.purchase (person, amount) VALUES (1, 7);
  INSERT INTO every_wait.visit (person, url) VALUES (1, '/7');
  DELETE FROM every_wait.member WHERE person = 1;
  PERFORM automation.unenroll('every_wait.child', p) FROM every_wait.person p;
END $$;
CALL automation.run();
SELECT * FROM left_behind();
CALL automation.advance(till(0));
CALL all_enter();
CALL automation.run();
SELECT key, waits_for FROM standing WHERE workflow = 'kinds' ORDER BY key COLLATE "C";
SELECT * FROM left_behind();
-- All are replaced: not a row more than before.
CALL automation.advance(till(1));
CALL all_enter();
CALL automation.run();
SELECT count(*) FROM standing;
SELECT * FROM left_behind();
SELECT reason, count(*) FROM automation.journal WHERE workflow = 'kinds' AND event = 'ended' GROUP BY 1;
-- What they wait for comes.
CALL all_come();
CALL automation.run();
CALL automation.run();
SELECT string_agg(what, ', ') FROM told();
SELECT * FROM standing;
CALL automation.advance(till(10));
SELECT * FROM told();
SELECT * FROM left_behind();

-- Held while all of it comes, before the limit; it goes on as if nobody had been held.
UPDATE start SET day = date_trunc('day', automation.now()) + '1 day';
CALL automation.advance(till(0));
CALL all_enter();
CALL automation.run();
SELECT automation.pause('kinds', hold => true);
CALL all_come();
CALL automation.advance(till(9));
SELECT count(*), max(reason) FROM standing WHERE state = 'held';
SELECT count(*) FROM told();
SELECT automation.resume('kinds');
CALL automation.run();
SELECT string_agg(what, ', ') FROM told();
SELECT * FROM standing;
SELECT * FROM left_behind();

-- Held while the limit passes; what comes after it is too late, if there is a limit.
UPDATE start SET day = date_trunc('day', automation.now()) + '1 day';
CALL automation.advance(till(0));
CALL all_enter();
CALL automation.run();
SELECT automation.pause('kinds', hold => true);
CALL automation.advance(till(4.5));
CALL all_come();
CALL automation.run();
CALL automation.advance(till(9));
SELECT count(*) FROM told();
SELECT automation.resume('kinds');
CALL automation.run();
SELECT string_agg(what, ', ') FROM told();
SELECT * FROM standing;
SELECT * FROM left_behind();

-- Late by the pause: shifted, everybody's time and limit is later by it; what comes in the pause counts.
UPDATE start SET day = date_trunc('day', automation.now()) + '1 day';
CALL automation.advance(till(0));
CALL all_enter();
CALL automation.advance(till(1));
SELECT automation.pause('kinds', hold => true);
CALL automation.advance(till(11));
SELECT automation.resume('kinds', late => 'shift');
CALL automation.run();
SELECT count(*) FROM told();
UPDATE person SET score = 100;
CALL automation.advance(till(30));
SELECT * FROM told();
CALL all_come();
CALL automation.run();
SELECT * FROM told();
SELECT * FROM left_behind();

-- Skipped, who is too late by more than a day; who had what he waited for in time is not.
UPDATE start SET day = date_trunc('day', automation.now()) + '1 day';
CALL automation.advance(till(0));
CALL all_enter();
CALL automation.advance(till(1));
SELECT automation.pause('kinds', hold => true);
CALL all_come();
CALL automation.advance(till(10));
SELECT automation.resume('kinds', late => 'skip', skip_if_later_than => '1 day');
CALL automation.run();
SELECT string_agg(what, ', ') FROM told();
SELECT * FROM standing;
SELECT reason, count(*) FROM automation.journal WHERE workflow = 'kinds' AND event = 'ended' AND reason = 'too_late' GROUP BY 1;
SELECT * FROM left_behind();

-- One by one.
UPDATE start SET day = date_trunc('day', automation.now()) + '1 day';
CALL automation.advance(till(0));
CALL all_enter();
CALL automation.run();
SELECT count(automation.hold(id)) FROM automation.enrollments WHERE workflow = 'kinds';
CALL automation.advance(till(1));
CALL all_come();
CALL automation.run();
SELECT count(automation.release(id)) FROM automation.enrollments WHERE workflow = 'kinds';
CALL automation.run();
SELECT string_agg(what, ', ') FROM told();
SELECT key, statement FROM standing;
CALL automation.advance(till(9));
SELECT * FROM told();
SELECT * FROM left_behind();

-- An error while they stand there: tried again, failed, and what came meanwhile counts when it is mended.
UPDATE start SET day = date_trunc('day', automation.now()) + '1 day';
CALL automation.advance(till(0));
CALL all_enter();
CALL automation.run();
UPDATE person SET zero = 0;
CALL automation.run();
SELECT state, count(*) FROM standing GROUP BY 1 ORDER BY 1;
CALL all_come();
CALL automation.run();
CALL automation.advance(till(3.5));
SELECT state, count(*) FROM standing GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM told();
UPDATE person SET zero = 1;
SELECT automation.retry('kinds');
CALL automation.run();
SELECT string_agg(what, ', ') FROM told();
SELECT key, statement FROM standing;
CALL automation.advance(till(9));
SELECT * FROM told();
SELECT * FROM left_behind();

-- Failed over the limit: not found.
UPDATE start SET day = date_trunc('day', automation.now()) + '1 day';
CALL automation.advance(till(0));
CALL all_enter();
CALL automation.run();
UPDATE person SET zero = 0;
CALL automation.advance(till(5));
SELECT state, count(*) FROM standing GROUP BY 1 ORDER BY 1;
CALL all_come();
UPDATE person SET zero = 1;
SELECT automation.retry('kinds');
CALL automation.run();
SELECT string_agg(what, ', ') FROM told();
SELECT key, statement FROM standing;
CALL automation.advance(till(9));
SELECT * FROM told();
SELECT * FROM left_behind();

-- To a new version, whose limit is another: the time already waited counts.
UPDATE start SET day = date_trunc('day', automation.now()) + '1 day';
CALL automation.advance(till(0));
CALL all_enter();
CALL automation.run();
CALL automation.advance(till(1));
DO $$ BEGIN
  EXECUTE (SELECT format('CREATE OR REPLACE FUNCTION every_wait.kinds(p every_wait.person, kind text) RETURNS bigint LANGUAGE workflow AS %L',
                         replace(replace(prosrc, '4 days', '6 days'), 'kind ||', E'''new '' || kind ||')) FROM pg_proc WHERE oid = 'every_wait.kinds'::regproc);
END $$;
SELECT outcome, sum(enrollments) FROM automation.migrate('kinds') GROUP BY 1;
CALL automation.run();
SELECT version, state, count(*), count(*) FILTER (WHERE wakes_at > d(5.9) AND wakes_at < d(6.1)) AS day_6 FROM automation.enrollments WHERE workflow = 'kinds' GROUP BY 1, 2;
CALL all_come();
CALL automation.run();
SELECT string_agg(what, ', ') FROM told();
SELECT key, statement FROM standing;
CALL automation.advance(till(9));
SELECT * FROM told();
SELECT * FROM left_behind();

-- The subject goes; one is taken out; the workflow goes.
UPDATE start SET day = date_trunc('day', automation.now()) + '1 day';
CALL automation.advance(till(0));
CALL all_enter();
CALL automation.run();
SELECT automation.hold(id) IS NOT NULL FROM automation.enrollments WHERE workflow = 'kinds' AND entry_key = 'change';
INSERT INTO visit (person, url) VALUES (1, '/7');
CALL automation.run();
SELECT parked FROM left_behind();
DELETE FROM person WHERE id = 1;
CALL automation.run();
SELECT reason, count(*) FROM automation.journal WHERE workflow = 'kinds' AND event = 'ended' GROUP BY 1 ORDER BY 1;
SELECT * FROM left_behind();
DELETE FROM member;
CALL all_enter();
CALL automation.run();
SELECT automation.hold(id) IS NOT NULL FROM automation.enrollments WHERE workflow = 'kinds' AND entry_key = 'change';
INSERT INTO visit (person, url) VALUES (1, '/7');
CALL automation.run();
SELECT count(*) FROM standing;
DROP FUNCTION kinds;
CALL automation.run();
SELECT workflow, count(*) FROM standing GROUP BY 1;
DROP FUNCTION child;
CALL automation.run();
SELECT * FROM left_behind();

-- A moment that moves while all are held: in time or not is judged by where it is now.
CALL next_story();
CREATE FUNCTION limited_moment(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL p.at TIMEOUT '4 days';
  INSERT INTO log (what) VALUES (format('%s: %s', p.id, found));
END $$;
CREATE FUNCTION moment_alone(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL p.at;
  INSERT INTO log (what) VALUES (p.id || ' alone');
END $$;
CALL automation.advance(till(0));
INSERT INTO person (id, at) VALUES (1, NULL), (2, d(2)), (3, d(2)), (4, d(2)), (5, d(6)), (6, d(2));
CALL automation.run();
SELECT automation.pause('limited_moment', hold => true), automation.pause('moment_alone', hold => true);
CALL automation.advance(till(1));
UPDATE person SET at = d(1.5) WHERE id = 1;
UPDATE person SET at = d(3) WHERE id = 2;
UPDATE person SET at = d(20) WHERE id = 3;
UPDATE person SET at = d(3.5) WHERE id = 5;
UPDATE person SET at = d(8.5) WHERE id = 6;
CALL automation.advance(till(9));
SELECT automation.resume('limited_moment'), automation.resume('moment_alone', 'skip', skip_if_later_than => '1 day');
CALL automation.run();
SELECT * FROM told();
SELECT workflow, key, state, waits_for FROM standing;
SELECT key, reason FROM happened('moment_alone') WHERE event = 'ended';

-- Nothing is left behind.
CALL next_story();
CALL automation.run();
SELECT * FROM left_behind();
\c - postgres
SELECT name, count(*) FROM (
  SELECT 'job', workflow FROM automation.job UNION ALL SELECT 'rule', workflow FROM automation.rule
  UNION ALL SELECT 'schedule', workflow FROM automation.schedule UNION ALL SELECT 'split', workflow FROM automation.split
  UNION ALL SELECT 'split_rule', workflow FROM automation.split_rule UNION ALL SELECT 'assignment', workflow FROM automation.assignment
  UNION ALL SELECT 'enrollment', workflow FROM automation.enrollment UNION ALL SELECT 'ledger', workflow FROM automation.ledger) x (name, workflow)
WHERE workflow NOT IN (SELECT id FROM automation.workflow WHERE signature NOT LIKE 'every_wait.%') GROUP BY 1;
SET client_min_messages = warning;
DROP SCHEMA every_wait CASCADE;
