-- WAIT FOR a change: which changes count, which match, what is kept for later.
CREATE SCHEMA wait_change AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = wait_change; SET timezone = 'UTC';

CREATE TABLE person (id int PRIMARY KEY, email text, score int DEFAULT 0, zero int DEFAULT 1);
CREATE TABLE view (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, person int, url text);
CREATE TABLE deal (id int PRIMARY KEY, person int, status text DEFAULT 'open', value int DEFAULT 0, note text);
CREATE TABLE log (n int GENERATED ALWAYS AS IDENTITY, what text);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING n, what) SELECT what FROM d ORDER BY n $$;
CREATE VIEW standing AS SELECT workflow, entry_key AS key, state, reason, waits_for FROM automation.enrollments ORDER BY id;
INSERT INTO person (id, email) VALUES (1, 'One@x'), (2, 'two@x'), (3, 'three@x');

-- Before and after the wait began; by whom it is tied; a part only the executor knows.
CREATE FUNCTION looks(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 1;
BEGIN
  WAIT FOR INSERT ON view WHEN new.person = p.id AND new.url LIKE '%/price%' TIMEOUT '14 days';
  INSERT INTO log (what) VALUES (p.id || ' looks ' || found);
END $$;
INSERT INTO view (person, url) VALUES (1, '/price');
BEGIN;
INSERT INTO view (person, url) VALUES (1, '/price');
UPDATE person SET score = 1;
INSERT INTO view (person, url) VALUES (1, '/price');
COMMIT;
CALL automation.run();
SELECT * FROM standing;
INSERT INTO view (person, url) VALUES (1, '/home'), (2, '/price'), (9, '/price');
UPDATE view SET url = '/price' WHERE person = 1;
CALL automation.run();
SELECT logged();
INSERT INTO view (person, url) VALUES (1, '/price');
CALL automation.run();
SELECT logged();
CALL automation.advance('14 days');
SELECT logged();
SELECT subject_key, event, reason, what FROM automation.journal
  WHERE workflow = 'looks' AND event NOT IN ('entered', 'ended') ORDER BY subject_key::int, at, position;

-- A statement of the same batch counts: of an item that comes after, not of itself.
CREATE FUNCTION both_ways(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 2;
BEGIN
  INSERT INTO view (person, url) VALUES (3 - p.id, 'ping');
  WAIT FOR INSERT ON view WHEN new.person = p.id AND new.url = 'ping' TIMEOUT '1 day';
  INSERT INTO log (what) VALUES (p.id || ' pinged ' || found);
END $$;
UPDATE person SET score = 2 WHERE id = 1;
UPDATE person SET score = 2 WHERE id = 2;
CALL automation.run();
SELECT logged();
CALL automation.advance('1 day');
SELECT logged();

-- Old and new, FROM and TO, several operations, the net change of a transaction.
CREATE FUNCTION deals(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 3;
BEGIN
  WAIT FOR UPDATE OF status FROM 'open' TO 'won' ON deal WHEN old.person = p.id;
  INSERT INTO log (what) VALUES (p.id || ' won ' || found);
  WAIT FOR UPDATE OF value ON deal WHEN new.person = p.id AND new.value > 2 * old.value;
  INSERT INTO log (what) VALUES (p.id || ' doubled');
  WAIT FOR DELETE ON deal WHEN old.person = p.id AND old.value >= 100;
  INSERT INTO log (what) VALUES (p.id || ' lost');
  WAIT FOR INSERT OR UPDATE ON deal WHEN new.person = p.id AND EXISTS (SELECT FROM deal d WHERE d.person = p.id AND d.id <> new.id);
  INSERT INTO log (what) VALUES (p.id || ' has two');
END $$;
UPDATE person SET score = 3 WHERE id = 1;
CALL automation.run();
SELECT waits_for FROM standing;
INSERT INTO deal VALUES (1, 1, 'won'), (2, 1, 'open'), (3, 1, 'lost');
UPDATE deal SET status = 'won' WHERE id = 3;
BEGIN; UPDATE deal SET status = 'won' WHERE id = 2; UPDATE deal SET status = 'open' WHERE id = 2; COMMIT;
CALL automation.run();
SELECT logged();
BEGIN; UPDATE deal SET status = 'maybe' WHERE id = 2; UPDATE deal SET status = 'won' WHERE id = 2; COMMIT;
CALL automation.run();
SELECT logged();
SELECT waits_for FROM standing;
UPDATE deal SET value = 50 WHERE id = 2;
CALL automation.run();
UPDATE deal SET value = 99 WHERE id = 2;
UPDATE deal SET value = 200 WHERE id = 2;
CALL automation.run();
SELECT logged();
SELECT waits_for FROM standing;
DELETE FROM deal WHERE id = 1;
CALL automation.run();
DELETE FROM deal;
CALL automation.run();
SELECT logged();
SELECT waits_for FROM standing;
INSERT INTO deal VALUES (5, 1);
CALL automation.run();
SELECT logged();
INSERT INTO deal VALUES (6, 1);
CALL automation.run();
SELECT logged();

-- The tie moves with a column of the argument; the change side may be an expression.
CREATE FUNCTION mails(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 4;
BEGIN
  WAIT FOR INSERT ON view WHEN lower(new.url) = lower(p.email);
  INSERT INTO log (what) VALUES (p.id || ' mailed');
END $$;
UPDATE person SET score = 4 WHERE id < 3;
CALL automation.run();
UPDATE person SET email = 'zwei@x' WHERE id = 2;
CALL automation.run();
INSERT INTO view (url) VALUES ('ONE@X'), ('two@x');
CALL automation.run();
SELECT logged();
INSERT INTO view (url) VALUES ('Zwei@x');
CALL automation.run();
SELECT logged();

-- Held: kept, and looked at in its order when it goes on, before the deadline.
CREATE FUNCTION held(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 5;
BEGIN
  WAIT FOR INSERT ON view WHEN new.person = p.id AND new.url <> '/home' TIMEOUT '2 days';
  INSERT INTO log (what) VALUES (p.id || ' found ' || found);
END $$;
UPDATE person SET score = 5;
CALL automation.run();
SELECT automation.pause('held', hold => true);
INSERT INTO view (person, url) VALUES (1, '/home'), (1, '/x'), (1, '/y'), (2, '/home');
CALL automation.run();
SELECT * FROM standing;
CALL automation.advance('3 days');
INSERT INTO view (person, url) VALUES (2, '/too late');
SELECT automation.resume('held');
CALL automation.run();
SELECT logged();
-- unenrolled while something is kept: away with it
CREATE FUNCTION gone(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 6;
BEGIN
  WAIT FOR INSERT ON view WHEN new.person = p.id;
END $$;
UPDATE person SET score = 6 WHERE id = 1;
CALL automation.run();
SELECT automation.pause('gone', hold => true);
INSERT INTO view (person) VALUES (1), (1);
CALL automation.run();
SELECT automation.unenroll('gone', p) FROM person p WHERE id = 1;
CALL automation.run();
\c - postgres
SELECT count(*) FROM automation.parked;
\c - app
SET search_path = wait_change;

-- Failing: the rest of WHEN raises an error; after the cause is gone the same change counts.
CREATE FUNCTION fails(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 7;
BEGIN
  WAIT FOR INSERT ON view WHEN new.person = p.id AND new.id / p.zero > 0 TIMEOUT '1 hour';
  INSERT INTO log (what) VALUES (p.id || ' found ' || found);
END $$;
UPDATE person SET score = 7, zero = 0 WHERE id = 1;
CALL automation.run();
INSERT INTO view (person) VALUES (1);
CALL automation.run();
SELECT key, state, reason FROM standing;
CALL automation.advance('5 hours');
SELECT key, state, reason FROM standing;
UPDATE person SET zero = 1 WHERE id = 1;
SELECT automation.retry('fails');
CALL automation.run();
SELECT logged();

-- The deadline: at it, and a microsecond after it; read late.
CREATE FUNCTION limited(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 8;
BEGIN
  WAIT FOR INSERT ON view WHEN new.person = p.id TIMEOUT '1 hour';
  INSERT INTO log (what) VALUES (p.id || ' in time ' || found);
END $$;
\c - postgres
SET search_path = wait_change;
CREATE FUNCTION happened(after interval) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE deadline timestamptz := (SELECT wake_at FROM automation.enrollment WHERE state = 'waiting');
BEGIN
  FOR i IN 0..3 LOOP
    EXECUTE format('UPDATE automation.event_%s SET at = $1', i) USING deadline + after;
  END LOOP;
  UPDATE automation.clock SET shift = shift + 7200000000;
END $$;
\c - app
SET search_path = wait_change;
UPDATE person SET score = 8 WHERE id = 1;
CALL automation.run();
INSERT INTO view (person) VALUES (1);
SELECT happened('0');
\c - app
SET search_path = wait_change;
CALL automation.run();
SELECT logged();
UPDATE person SET score = 8 WHERE id = 2;
CALL automation.run();
INSERT INTO view (person) VALUES (2);
SELECT happened('1 microsecond');
\c - app
SET search_path = wait_change;
CALL automation.run();
SELECT logged();

-- A row too big to be kept: as it is now, or nothing if it is gone.
CREATE FUNCTION big(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 9;
BEGIN
  WAIT FOR INSERT ON deal WHEN new.person = p.id AND length(new.note) > 1000000;
  INSERT INTO log (what) VALUES (p.id || ' big');
END $$;
UPDATE person SET score = 9 WHERE id < 3;
CALL automation.run();
INSERT INTO deal (id, person, note) VALUES (11, 1, repeat('x', 1100000)), (12, 2, repeat('y', 1100000));
DELETE FROM deal WHERE id = 12;
CALL automation.run();
SELECT logged();
SELECT subject_key, event, reason FROM automation.journal WHERE workflow = 'big' AND event = 'warning';

-- A goal pulls out of it; the journal of goals can be waited for, too.
CREATE FUNCTION pulled(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 10;
BEGIN
  WAIT FOR INSERT ON view WHEN new.person = p.id;
  GOAL g WHEN p.score = 11;
  INSERT INTO log (what) VALUES (p.id || ' pulled ' || found);
END $$;
CREATE FUNCTION watches(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 10;
BEGIN
  WAIT FOR INSERT ON automation.goal_reached WHEN new.subject = p.id::text AND new.outcome = 'achieved' TIMEOUT '1 day';
  INSERT INTO log (what) VALUES (p.id || ' saw the goal ' || found);
END $$;
UPDATE person SET score = 10 WHERE id = 3;
CALL automation.run();
UPDATE person SET score = 11 WHERE id = 3;
CALL automation.run();
CALL automation.run();
SELECT logged();

-- A row that row security hides from the owner says nothing.
\c - postgres
CREATE TABLE wait_change.secret (id int PRIMARY KEY, person int, open boolean);
GRANT SELECT, TRIGGER ON wait_change.secret TO app;
ALTER TABLE wait_change.secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY open ON wait_change.secret USING (open);
\c - app
SET search_path = wait_change;
CREATE FUNCTION secrets(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 12;
BEGIN
  WAIT FOR INSERT ON secret WHEN new.person = p.id;
  INSERT INTO log (what) VALUES (p.id || ' sees it');
END $$;
UPDATE person SET score = 12 WHERE id = 1;
CALL automation.run();
\c - postgres
INSERT INTO wait_change.secret VALUES (1, 1, false);
\c - app
SET search_path = wait_change;
CALL automation.run();
SELECT logged();
\c - postgres
INSERT INTO wait_change.secret VALUES (2, 1, true);
\c - app
SET search_path = wait_change;
CALL automation.run();
SELECT logged();

\c - postgres
SET client_min_messages = warning;
DROP SCHEMA wait_change CASCADE;
SELECT count(*) FROM automation.wait;
SELECT count(*) FROM automation.parked;
