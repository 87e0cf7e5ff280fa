-- GOAL: who is pulled, from where, once; what OTHERWISE does; automation.goal_reached
-- and the workflows that start from it.
CREATE SCHEMA goals AUTHORIZATION app;
CREATE ROLE goals_other LOGIN;
GRANT USAGE ON LANGUAGE workflow TO goals_other;
GRANT USAGE ON SCHEMA goals TO goals_other;
CREATE SCHEMA goals_spy AUTHORIZATION goals_other;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = goals; SET timezone = 'UTC';

CREATE TABLE person (id int PRIMARY KEY, score int DEFAULT 0);
CREATE TABLE purchase (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, person int, amount int DEFAULT 1);
CREATE TABLE log (n int GENERATED ALWAYS AS IDENTITY, what text);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING n, what) SELECT what FROM d ORDER BY n $$;
CREATE VIEW reached AS SELECT workflow, goal, outcome, subject, subject_table, owner FROM automation.goal_reached
  WHERE signature LIKE 'goals.%' ORDER BY id;
CREATE VIEW standing AS
  SELECT entry_key AS key, state, statement, waits_for FROM automation.enrollments ORDER BY id;

-- Pulled out of a wait by a row of another table; others are not; the timer is gone.
CREATE FUNCTION nurture(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '10 days';
  INSERT INTO log (what) VALUES (p.id || ' mail');
  WAIT FOR '10 days';
  GOAL bought WHEN EXISTS (SELECT FROM purchase u WHERE u.person = p.id);
  INSERT INTO log (what) VALUES (p.id || ' thanks ' || found);
  WAIT FOR '1 day';
  INSERT INTO log (what) VALUES (p.id || ' end');
END $$;
INSERT INTO person VALUES (1), (2), (3);
CALL automation.run();
SELECT * FROM standing;
INSERT INTO purchase (person) VALUES (2);
CALL automation.run();
SELECT logged();
SELECT * FROM standing;
-- once: another purchase, and its deletion, change nothing
INSERT INTO purchase (person) VALUES (2);
DELETE FROM purchase;
CALL automation.run();
SELECT * FROM standing;
-- the flow comes to it: not true
CALL automation.advance('20 days');
SELECT logged();
CALL automation.advance('1 day');
SELECT logged();
SELECT * FROM reached;
SELECT event, reason, line, what FROM automation.journal WHERE workflow = 'nurture' AND subject_key = '2' ORDER BY at, position;

-- At entry: no conversion, and it begins behind the last one that is true.
CREATE FUNCTION at_entry(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score;
BEGIN
  INSERT INTO log (what) VALUES (p.id || ' first');
  GOAL low WHEN p.score > 10;
  INSERT INTO log (what) VALUES (p.id || ' after low ' || found);
  GOAL middle WHEN p.score > 100;
  INSERT INTO log (what) VALUES (p.id || ' after middle ' || found);
  GOAL high WHEN p.score % 1000 = 500;
  INSERT INTO log (what) VALUES (p.id || ' after high ' || found);
END $$;
TRUNCATE purchase;
UPDATE person SET score = CASE id WHEN 1 THEN 5 WHEN 2 THEN 50 ELSE 500 END;
CALL automation.run();
SELECT logged();
SELECT * FROM reached WHERE workflow = 'at_entry';
DROP FUNCTION at_entry;

-- OTHERWISE WAIT and EXIT; a statement of its own makes a goal true; a variable, too.
CREATE FUNCTION otherwise(p person, kind text) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN PER p, kind;
DECLARE
  n int := 0;
BEGIN
  IF kind = 'wait' THEN
    GOAL waited WHEN EXISTS (SELECT FROM purchase u WHERE u.person = p.id) OTHERWISE WAIT;
    INSERT INTO log (what) VALUES ('waited ' || found);
  ELSIF kind = 'exit' THEN
    GOAL left WHEN p.score < 0 OTHERWISE EXIT;
    INSERT INTO log (what) VALUES ('not left ' || found);
  ELSIF kind = 'own' THEN
    UPDATE person SET score = -7 WHERE id = p.id;
    INSERT INTO log (what) VALUES ('jumped over');
    GOAL own WHEN p.score = -7;
    INSERT INTO log (what) VALUES ('own ' || found);
  ELSIF kind = 'variable' THEN
    n := 3;
    INSERT INTO log (what) VALUES ('jumped over');
    GOAL variable WHEN n = 3;
    INSERT INTO log (what) VALUES ('variable ' || found);
  END IF;
END $$;
SELECT otherwise(p, 'wait') > 0, otherwise(p, 'exit') > 0 FROM person p WHERE id = 1;
CALL automation.run();
SELECT * FROM standing WHERE statement LIKE 'GOAL%';
SELECT logged();
INSERT INTO purchase (person) VALUES (1);
CALL automation.run();
SELECT logged();
TRUNCATE purchase;
SELECT otherwise(p, 'own') > 0 FROM person p WHERE id = 1;
CALL automation.run();
SELECT otherwise(p, 'variable') > 0 FROM person p WHERE id = 2;
CALL automation.run();
SELECT logged();
SELECT goal, outcome, subject FROM reached WHERE workflow = 'otherwise';
DROP FUNCTION otherwise;
TRUNCATE purchase;

-- In a branch: the jump skips the IF's condition.  After GO TO back it is had.
CREATE FUNCTION around(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 77;
  ENROLL AGAIN;
BEGIN
  <<again>>
  INSERT INTO log (what) VALUES (p.id || ' round');
  WAIT FOR '1 day';
  IF false THEN
    INSERT INTO log (what) VALUES ('never');
    GOAL inside WHEN EXISTS (SELECT FROM purchase u WHERE u.person = p.id);
    INSERT INTO log (what) VALUES (p.id || ' inside ' || found);
  END IF;
  GOAL skipped WHEN p.score = 1;
  GO TO again AT MOST 2 TIMES;
END $$;
UPDATE person SET score = 77 WHERE id = 1;
CALL automation.run();
INSERT INTO purchase (person) VALUES (1);
CALL automation.run();
SELECT logged();
INSERT INTO purchase (person) VALUES (1);
CALL automation.advance('3 days');
SELECT logged();
SELECT goal, outcome FROM reached WHERE workflow = 'around';

-- Held and failed: pulled when it goes on.
CREATE FUNCTION late(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 78;
BEGIN
  WAIT FOR '10 days';
  INSERT INTO log (what) VALUES ('too late');
  GOAL bought WHEN EXISTS (SELECT FROM purchase u WHERE u.person = p.id AND u.amount > 10);
  INSERT INTO log (what) VALUES (p.id || ' bought ' || found);
END $$;
UPDATE person SET score = 78 WHERE id = 2;
CALL automation.run();
SELECT automation.pause('late', hold => true);
INSERT INTO purchase (person, amount) VALUES (2, 11);
CALL automation.run();
SELECT * FROM standing WHERE statement LIKE 'WAIT FOR ''10 days%';
SELECT automation.resume('late');
CALL automation.run();
SELECT logged();

-- EXIT WHEN comes before a goal, both over other tables.
CREATE FUNCTION exits(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 79;
  EXIT WHEN EXISTS (SELECT FROM purchase u WHERE u.person = p.id AND u.amount < 0);
BEGIN
  WAIT FOR '10 days';
  GOAL sold WHEN EXISTS (SELECT FROM purchase u WHERE u.person = p.id AND u.amount < 0);
  INSERT INTO log (what) VALUES ('not here');
END $$;
UPDATE person SET score = 79 WHERE id = 3;
CALL automation.run();
INSERT INTO purchase (person, amount) VALUES (3, -1);
CALL automation.run();
SELECT logged();
SELECT event, reason FROM automation.journal WHERE workflow = 'exits' ORDER BY at, position;
SELECT goal FROM reached WHERE workflow = 'exits';

-- Other workflows start from it, with the chain of causes; those of another owner see nothing.
CREATE FUNCTION thank(p person, at timestamptz) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.goal_reached WHEN new.workflow = 'source' AND new.goal = 'bought' AND new.outcome = 'achieved'
    FOR SELECT new.subject::int, new.at;
BEGIN
  INSERT INTO log (what) VALUES (p.id || ' thanked ' || (at <= automation.now()));
END $$;
CREATE FUNCTION source(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 80;
BEGIN
  WAIT FOR '10 days';
  GOAL bought WHEN EXISTS (SELECT FROM purchase u WHERE u.person = p.id AND u.amount = 80);
END $$;
\c - goals_other
SET search_path = goals_spy;
CREATE TABLE spy (what text);
CREATE FUNCTION spying(n text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.goal_reached FOR SELECT new.goal;
BEGIN
  INSERT INTO spy VALUES (n);
END $$;
SELECT count(*) FROM automation.goal_reached;
INSERT INTO automation.goal_reached (workflow) VALUES ('x');
\c - app
SET search_path = goals;
UPDATE person SET score = 80 WHERE id = 1;
CALL automation.run();
INSERT INTO purchase (person, amount) VALUES (1, 80);
CALL automation.run();
CALL automation.run();
SELECT logged();
SELECT event, reason FROM automation.journal WHERE workflow = 'thank' ORDER BY at, position;
\c - goals_other
SET search_path = goals_spy;
CALL automation.run();
SELECT * FROM spy;
SELECT event, reason FROM automation.journal WHERE workflow = 'spying';

-- The rows follow the workflow to another owner, and stay when it is dropped.
\c - postgres
SET search_path = goals;
GRANT SELECT, TRIGGER ON person TO goals_other;
GRANT ALL ON purchase TO goals_other;
ALTER FUNCTION source(person) OWNER TO goals_other;
\c - goals_other
SELECT goal, outcome, owner FROM automation.goal_reached;
\c - app
SELECT count(*) FROM automation.goal_reached WHERE workflow = 'source';
\c - postgres
DROP FUNCTION goals.source;
SELECT owner, count(*) FROM automation.goal_reached WHERE owner IN ('app'::regrole, 'goals_other'::regrole) AND workflow IN ('source', 'late') GROUP BY 1 ORDER BY 1;
SET client_min_messages = warning;
DROP SCHEMA goals CASCADE;
DROP SCHEMA goals_spy CASCADE;
DROP OWNED BY goals_other;
DROP ROLE goals_other;
