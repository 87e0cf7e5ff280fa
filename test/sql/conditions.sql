-- WAIT UNTIL and EXIT WHEN over other tables: who is woken by which row, and what the
-- deadline decides.  Nothing here waits long enough to be swept.
CREATE SCHEMA conditions AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = conditions; SET timezone = 'UTC';

CREATE TABLE person (id int PRIMARY KEY, code text, score int DEFAULT 0);
CREATE TABLE visit (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, person int, url text, at timestamptz DEFAULT automation.now());
CREATE TABLE cart (id int PRIMARY KEY, person int);
CREATE TABLE sale (id int PRIMARY KEY, cart int, paid boolean DEFAULT false);
CREATE TABLE log (n int GENERATED ALWAYS AS IDENTITY, what text);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING n, what) SELECT what FROM d ORDER BY n $$;
CREATE VIEW standing AS SELECT entry_key AS key, state, waits_for FROM automation.enrollments ORDER BY id;
-- what the journal knows of waking: one line per look that ended a wait
CREATE VIEW told AS SELECT subject_key AS key, event, reason FROM automation.journal
  WHERE event IN ('resumed', 'ended', 'failed', 'held') AND workflow = 'visits' AND at >= (SELECT min(created_at) FROM automation.workflows WHERE schema = 'conditions')
  ORDER BY at, position;

-- EXISTS: by insert, by an update that ties the row, with a condition of its own.
CREATE FUNCTION visits(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM visit v WHERE v.person = p.id AND v.url LIKE '/price%') TIMEOUT '10 days';
  INSERT INTO log (what) VALUES (p.id || ' priced ' || found);
END $$;
INSERT INTO person VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd');
CALL automation.run();
SELECT * FROM standing;
INSERT INTO visit (person, url) VALUES (1, '/home'), (2, '/prices');
CALL automation.run();
SELECT logged();
UPDATE visit SET url = '/price/1' WHERE person = 1;
CALL automation.run();
SELECT logged();
UPDATE visit SET person = 3 WHERE person = 2;
CALL automation.run();
SELECT logged();
CALL automation.advance('10 days');
SELECT logged();
SELECT * FROM told;

-- NOT EXISTS: by deletion, by an update away.  A variable ties, too.
CREATE FUNCTION empty(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 1;
DECLARE
  word text;
BEGIN
  word := '/' || p.code;
  WAIT UNTIL NOT EXISTS (SELECT FROM visit v WHERE v.url = word);
  INSERT INTO log (what) VALUES (p.id || ' no visit to ' || word);
END $$;
TRUNCATE visit;
INSERT INTO visit (person, url) VALUES (9, '/a'), (9, '/a'), (9, '/b');
UPDATE person SET score = 1 WHERE id < 3;
CALL automation.run();
SELECT logged();
DELETE FROM visit WHERE id = (SELECT min(id) FROM visit WHERE url = '/a');
CALL automation.run();
SELECT logged();
DELETE FROM visit WHERE url = '/a';
UPDATE visit SET url = '/elsewhere';
CALL automation.run();
SELECT logged();

-- Two hops; a row argument's column inside the tie moves the tie.
CREATE FUNCTION paid(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 2;
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM sale s JOIN cart t ON t.id = s.cart WHERE t.person = p.id AND s.paid);
  INSERT INTO log (what) VALUES (p.id || ' paid');
  WAIT UNTIL EXISTS (SELECT FROM visit v WHERE v.url = p.code);
  INSERT INTO log (what) VALUES (p.id || ' was at ' || p.code);
END $$;
TRUNCATE visit;
INSERT INTO cart VALUES (10, 1), (20, 2);
INSERT INTO sale VALUES (100, 10), (200, 20), (300, 30);
UPDATE person SET score = 2 WHERE id < 3;
CALL automation.run();
UPDATE sale SET paid = true WHERE id IN (100, 300);
CALL automation.run();
SELECT logged();
INSERT INTO cart VALUES (30, 2);
CALL automation.run();
SELECT logged();
UPDATE person SET code = 'new' WHERE id = 1;
CALL automation.run();
INSERT INTO visit (url) VALUES ('a'), ('b'), ('new');
CALL automation.run();
SELECT logged();
DELETE FROM visit;

-- A moment that is looked up in another table moves with it; unknown, then known.
CREATE FUNCTION moment(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 3;
BEGIN
  WAIT UNTIL (SELECT max(v.at) FROM visit v WHERE v.person = p.id) + interval '2 days' TIMEOUT '30 days';
  INSERT INTO log (what) VALUES (p.id || ' two days quiet ' || found);
END $$;
UPDATE person SET score = 3 WHERE id = 1;
CALL automation.run();
SELECT * FROM standing WHERE key = '1' AND waits_for LIKE '%known%';
INSERT INTO visit (person) VALUES (1);
CALL automation.run();
CALL automation.advance('1 day');
INSERT INTO visit (person) VALUES (1);
CALL automation.advance('1 day 12 hours');
SELECT logged();
CALL automation.advance('12 hours');
SELECT logged();

-- EXIT WHEN: at entry, while it waits, after a statement of its own.
CREATE FUNCTION leaves(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 4;
  EXIT WHEN EXISTS (SELECT FROM visit v WHERE v.person = p.id AND v.url = 'out');
BEGIN
  WAIT FOR '5 days';
  INSERT INTO visit (person, url) VALUES (p.id, 'out');
  INSERT INTO log (what) VALUES (p.id || ' must not be here');
END $$;
DELETE FROM visit;
INSERT INTO visit (person, url) VALUES (1, 'out');
UPDATE person SET score = 4 WHERE id < 4;
CALL automation.run();
INSERT INTO visit (person, url) VALUES (2, 'out');
CALL automation.run();
CALL automation.advance('5 days');
SELECT logged();
SELECT subject_key, event, reason FROM automation.journal WHERE workflow = 'leaves' AND event <> 'waiting' ORDER BY subject_key, at, position;

-- The deadline, to the microsecond: what was committed up to it counts, however
-- late it is looked at.
CREATE FUNCTION limited(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 5;
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM visit v WHERE v.person = p.id AND v.url = 'in time') TIMEOUT '1 hour';
  INSERT INTO log (what) VALUES (p.id || ' in time ' || found);
END $$;
\c - postgres
SET search_path = conditions;
CREATE FUNCTION deadline_of(who text) RETURNS timestamptz LANGUAGE sql SECURITY DEFINER AS
  $$SELECT wake_at FROM automation.enrollment WHERE entry_key LIKE '%' || who || '%' AND state = 'waiting' AND wake_at IS NOT NULL$$;
-- the events that are unread happened at that moment
CREATE FUNCTION happened(moment timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  FOR i IN 0..3 LOOP
    EXECUTE format('UPDATE automation.event_%s SET at = $1', i) USING moment;
  END LOOP;
END $$;
-- time passes, and nobody runs
CREATE FUNCTION passes(t interval) RETURNS void LANGUAGE sql SECURITY DEFINER AS
  $$UPDATE automation.clock SET shift = shift + extract(epoch FROM t) * 1000000$$;
\c - app
SET search_path = conditions;
UPDATE person SET score = 5 WHERE id = 1;
CALL automation.run();
INSERT INTO visit (person, url) VALUES (1, 'in time');
SELECT happened(deadline_of('1')), passes('2 hours');
\c - app
SET search_path = conditions;
CALL automation.run();
SELECT logged();
UPDATE person SET score = 5 WHERE id = 2;
CALL automation.run();
INSERT INTO visit (person, url) VALUES (2, 'in time');
SELECT happened(deadline_of('2') + interval '1 microsecond'), passes('2 hours');
\c - app
SET search_path = conditions;
CALL automation.run();
SELECT logged();
UPDATE person SET score = 5 WHERE id = 3;
CALL automation.run();
INSERT INTO visit (person, url) VALUES (3, 'in time');
SELECT happened(deadline_of('3') - interval '1 microsecond'), passes('2 hours');
\c - app
SET search_path = conditions;
CALL automation.run();
SELECT logged();

-- Nothing is left behind.
\c - postgres
SELECT count(*) FROM automation.wait w WHERE NOT EXISTS (SELECT FROM automation.enrollment e WHERE e.id = w.enrollment);
SET client_min_messages = warning;
DROP SCHEMA conditions CASCADE;
SELECT count(*) FROM automation.wait;
