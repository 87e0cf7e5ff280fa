-- Attacks by what is planted where the engine or a workflow will come along:
-- helpers of the same name, operators of other types, functions that claim to be
-- harmless, rights taken back between two batches, a publication of everything,
-- policies and defaults that call a workflow.
SET client_min_messages = warning;
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
CREATE ROLE tina LOGIN;
CREATE ROLE app_user LOGIN;
CREATE SCHEMA alice AUTHORIZATION alice;
CREATE SCHEMA bob AUTHORIZATION bob;
CREATE SCHEMA tina AUTHORIZATION tina;
GRANT USAGE ON SCHEMA alice TO app_user;
GRANT USAGE ON SCHEMA tina TO alice;
GRANT USAGE ON LANGUAGE workflow TO alice, bob;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO alice, bob;
CREATE EXTENSION citext SCHEMA tina;
\c - bob
SET search_path = bob;
CREATE TABLE pulse (id int PRIMARY KEY);
CREATE TABLE beat (id int);
CREATE FUNCTION steady(p pulse) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO beat VALUES (p.id);
  WAIT FOR '1 hour';
  INSERT INTO beat VALUES (p.id * 10);
END $$;

-- 1. A better match for a helper's name, in a schema that others may write to
\c - postgres
GRANT CREATE ON SCHEMA public TO bob;
CREATE SCHEMA helpers AUTHORIZATION alice;
\c - alice
SET search_path = helpers;
CREATE FUNCTION email(to_whom text) RETURNS text LANGUAGE sql AS $$SELECT 'sent to ' || to_whom$$;
\c - bob
CREATE FUNCTION public.email(varchar) RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN 'planted, as ' || current_user; END$$;
CREATE FUNCTION public.same(varchar, varchar) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN RAISE WARNING 'planted, as %', current_user; RETURN true; END$$;
CREATE OPERATOR public.<> (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = public.same);
\c - alice
\set VERBOSITY terse
SET search_path = alice;
CREATE TABLE log (what text);
CREATE TABLE person (id int PRIMARY KEY, address varchar, nick tina.citext, n int);
GRANT SELECT, INSERT, UPDATE ON person TO app_user;
-- a path with somebody else's schema is told; with one of everybody's it is refused
SET search_path = alice, helpers, public;
CREATE FUNCTION greets(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.address <> '';
BEGIN
  INSERT INTO alice.log VALUES (email(p.address));
END $$;
\c - postgres
GRANT CREATE ON SCHEMA public TO PUBLIC;
\c - alice
\set VERBOSITY terse
SET search_path = alice, helpers, public;
CREATE OR REPLACE FUNCTION greets(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.address <> '';
BEGIN
  INSERT INTO alice.log VALUES (email(p.address));
END $$;
DROP FUNCTION greets;
SET search_path = alice, helpers;
CREATE FUNCTION greets(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.address <> '';
BEGIN
  INSERT INTO alice.log VALUES (email(p.address));
END $$;
\c - app_user
SET search_path = public, alice;
INSERT INTO person VALUES (1, 'ann@x', 'Ann');
\c - alice
SET search_path = public, alice;
CALL automation.run();
SELECT * FROM log;
\c - postgres
SET client_min_messages = warning;
REVOKE CREATE ON SCHEMA public FROM PUBLIC, bob;
DROP OPERATOR public.<> (varchar, varchar);
DROP FUNCTION public.email, public.same;
DROP SCHEMA helpers CASCADE;
DROP FUNCTION IF EXISTS alice.greets;

-- 2. What claims to be harmless is not run in the writer's session: a function
-- marked leakproof by a superuser, an operator of another schema's type
\c - alice
\set VERBOSITY terse
SET search_path = alice, tina;
CREATE FUNCTION tell(t text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF current_user <> 'alice' THEN
    RAISE EXCEPTION 'ran as %', current_user;
  END IF;
  RETURN true;
END $$;
CREATE FUNCTION likes(a text, b text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN alice.tell(a); END$$;
CREATE OPERATOR ~~> (LEFTARG = text, RIGHTARG = text, FUNCTION = likes);
\c - postgres
ALTER FUNCTION alice.tell(text) LEAKPROOF;
ALTER FUNCTION alice.likes(text, text) LEAKPROOF;
\c - alice
\set VERBOSITY terse
SET search_path = alice, tina;
CREATE FUNCTION watches(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF nick FROM 'ann' TO 'BEA' WHEN tell(new.address) AND new.address ~~> 'x';
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES ('watched ' || p.nick);
END $$;
\c - app_user
UPDATE alice.person SET nick = 'ANN';
UPDATE alice.person SET nick = 'bea';
\c - alice
SET search_path = alice, tina;
CALL automation.run();
SELECT * FROM log WHERE what LIKE 'watched%';
DROP FUNCTION watches;

-- 3. Rights taken back between two batches of a workflow whose plans are kept
\c - tina
SET search_path = tina;
CREATE TABLE target (id int, note text);
CREATE FUNCTION helper(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(t)';
CREATE FUNCTION slow_helper(t text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN 'slow ' || t; END$$;
REVOKE EXECUTE ON FUNCTION helper, slow_helper FROM PUBLIC;
GRANT EXECUTE ON FUNCTION helper, slow_helper TO alice;
GRANT INSERT ON target TO alice;
\c - alice
\set VERBOSITY terse
SET search_path = alice;
CREATE FUNCTION uses(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF n;
  ENROLL AGAIN PER p, p.n;
BEGIN
  INSERT INTO tina.target VALUES (p.id, tina.helper(p.address) || tina.slow_helper('x'));
  IF tina.slow_helper('y') = 'slow y' THEN
    INSERT INTO log VALUES ('used ' || p.n);
  END IF;
END $$;
\c - tina
CREATE FUNCTION tina.after_each() RETURNS text LANGUAGE sql AS
  $$SELECT string_agg(id || ' ' || note, ', ') FROM tina.target$$;
\c - alice
CREATE FUNCTION alice.last_error() RETURNS text LANGUAGE sql AS
  $$SELECT detail ->> 'message' FROM automation.journal WHERE workflow = 'uses' AND event = 'retrying' ORDER BY at DESC, position DESC LIMIT 1$$;
UPDATE alice.person SET n = 1;
CALL automation.run();
\c - tina
SELECT after_each FROM tina.after_each();
REVOKE EXECUTE ON FUNCTION tina.slow_helper FROM alice;
\c - alice
UPDATE alice.person SET n = 2;
CALL automation.run();
SELECT last_error FROM alice.last_error();
\c - tina
REVOKE EXECUTE ON FUNCTION tina.helper FROM alice;
GRANT EXECUTE ON FUNCTION tina.slow_helper TO alice;
\c - alice
UPDATE alice.person SET n = 3;
CALL automation.run();
SELECT last_error FROM alice.last_error();
\c - tina
GRANT EXECUTE ON FUNCTION tina.helper TO alice;
REVOKE INSERT ON tina.target FROM alice;
\c - alice
UPDATE alice.person SET n = 4;
CALL automation.run();
SELECT last_error FROM alice.last_error();
SELECT what FROM alice.log WHERE what LIKE 'used%';
\c - tina
GRANT INSERT ON tina.target TO alice;
REVOKE USAGE ON SCHEMA tina FROM alice;
\c - alice
UPDATE alice.person SET n = 5;
CALL automation.run();
SELECT last_error FROM alice.last_error();
\c - tina
GRANT USAGE ON SCHEMA tina TO alice;
\c - alice
CALL automation.advance('1 day');
SELECT count(*) FROM automation.enrollments WHERE workflow = 'uses';
\c - tina
SELECT after_each FROM tina.after_each();
\c - alice
DROP FUNCTION alice.uses;

-- 4. A workflow called where nothing may be written or nobody expects it: in a
-- policy, a default, a check, a view, a trigger's condition, as a superuser
\c - alice
\set VERBOSITY terse
SET search_path = alice;
CREATE FUNCTION by_hand(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES (concat_ws(' ', 'by hand', current_user, session_user));
END $$;
CREATE VIEW calls AS SELECT by_hand(p) FROM person p;
CREATE TABLE lure (id int DEFAULT by_hand(NULL), n bigint GENERATED ALWAYS AS (by_hand(NULL)) STORED);
CREATE TABLE lure (id int, CHECK (by_hand(NULL) IS NULL));
CREATE POLICY lure ON lure USING ((SELECT by_hand(p) FROM person p LIMIT 1) IS NOT NULL);
ALTER TABLE lure ENABLE ROW LEVEL SECURITY;
INSERT INTO lure VALUES (1);
GRANT SELECT ON calls, lure TO app_user;
\c - app_user
\set VERBOSITY terse
SELECT count(*) FROM alice.lure;
SELECT by_hand IS NOT NULL FROM alice.calls;
\c - postgres
\set VERBOSITY terse
SELECT by_hand IS NOT NULL AS enrolled FROM alice.calls;
\c - alice
CALL automation.run();
SELECT what FROM alice.log WHERE what LIKE 'by hand%';

-- 5. A publication of everything: deletes and updates need an identity of each row
\c - postgres
SET client_min_messages = error;
CREATE PUBLICATION everything FOR ALL TABLES;
\c - alice
\set VERBOSITY terse
SET search_path = alice;
SET client_min_messages = warning;
CREATE FUNCTION waits(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF n;
  ENROLL AGAIN;
BEGIN
  WAIT UNTIL p.n > 100 TIMEOUT '1 hour';
  INSERT INTO log VALUES ('waited for ' || p.id);
END $$;
CREATE FUNCTION waits_too(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF n;
  ENROLL AGAIN;
BEGIN
  WAIT FOR '1 day';
END $$;
INSERT INTO person SELECT i FROM generate_series(2, 6) i;
UPDATE person SET n = 10;
CALL automation.run();
UPDATE person SET n = 101 WHERE id < 4;
SELECT automation.unenroll('waits', 5);
CALL automation.advance('2 hours');
UPDATE person SET n = 11 WHERE id = 6;
CALL automation.run();
ALTER FUNCTION waits_too RENAME TO still_waits;
UPDATE person SET n = 12 WHERE id = 6;
DROP FUNCTION still_waits;
CALL automation.run();
SELECT what FROM log WHERE what LIKE 'waited%' ORDER BY 1;
SELECT workflow, subject_key, state FROM automation.enrollments ORDER BY 1, 2;
\c - postgres
SET client_min_messages = warning;
ALTER FUNCTION alice.waits(alice.person) OWNER TO bob;
ALTER FUNCTION alice.waits(alice.person) OWNER TO alice;
CALL automation.reconcile();
DROP TABLE alice.person CASCADE;
DROP PUBLICATION everything;

-- 6. The engine itself tells nobody: a full queue of notifications is no matter
SELECT pg_notification_queue_usage() = 0 AS silent;

-- 7. Rows of the engine's own tables that somebody has damaged, in a dump perhaps:
-- the others of the same owner do not wait for them, nor does anything spin
\c - alice
SET search_path = alice;
SET client_min_messages = warning;
CREATE TABLE thing (id int PRIMARY KEY, n bigint);
CREATE FUNCTION waits_long(t thing) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  list int[] := '{1}';
BEGIN
  WAIT FOR '1 hour';
  INSERT INTO log VALUES ('thing ' || t.id || ' ' || list[1]);
  WAIT UNTIL extract(epoch FROM now()) > t.n TIMEOUT '20 days';
  INSERT INTO log VALUES ('thing again ' || t.id);
END $$;
INSERT INTO thing SELECT i, extract(epoch FROM automation.now()) + 40000 FROM generate_series(1, 14) i;
CALL automation.run();
\c - postgres
UPDATE automation.enrollment SET args = '"x"' WHERE key = '["1"]';
UPDATE automation.enrollment SET args = '[]' WHERE key = '["2"]';
UPDATE automation.enrollment SET args = '{"t": 1}' WHERE key = '["3"]';
UPDATE automation.enrollment SET key = 'garbage' WHERE key = '["4"]';
UPDATE automation.enrollment SET vars = '"x"' WHERE key = '["5"]';
UPDATE automation.enrollment SET vars = '["nonsense"]' WHERE key = '["6"]';
UPDATE automation.enrollment SET statement = 99999 WHERE key = '["7"]';
UPDATE automation.enrollment SET statement = -5 WHERE key = '["8"]';
UPDATE automation.enrollment SET version = 77 WHERE key = '["9"]';
UPDATE automation.enrollment SET waiting = '[1, {"for": 5}]', jumps = '"x"' WHERE key = '["10"]';
UPDATE automation.enrollment SET state = 'odd' WHERE key = '["11"]';
\c - alice
SET search_path = alice;
SET statement_timeout = '60s';
CALL automation.advance('2 hours');
SELECT what FROM log WHERE what ~ 'thing 1[234] ' ORDER BY 1;
-- and those that are looked at from time to time
\c - postgres
UPDATE automation.enrollment SET args = '"x"' WHERE key IN ('["12"]', '["13"]');
\c - alice
SET search_path = alice;
SET statement_timeout = '60s';
CALL automation.advance('1 day');
SELECT what FROM log WHERE what ~ 'thing again 1[234]';
SELECT count(*) > 5 AS still_there FROM automation.enrollments WHERE workflow = 'waits_long';
DROP FUNCTION waits_long;
CALL automation.run();
SELECT count(*) FROM automation.enrollments;

-- The neighbour lives
\c - bob
SET search_path = bob;
INSERT INTO pulse VALUES (1);
CALL automation.run();
CALL automation.advance('1 hour');
SELECT * FROM beat ORDER BY 1;
\c - postgres
SET client_min_messages = warning;
DROP SCHEMA alice, bob, tina CASCADE;
DROP OWNED BY alice, bob, tina, app_user;
DROP ROLE alice, bob, tina, app_user;
