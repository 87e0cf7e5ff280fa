-- Attacks by text: code that runs while a definition is parsed or planned,
-- names planted on the path, bodies and attributes that no check saw, and
-- tables and types that change under a workflow's feet.
SET client_min_messages = warning;
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
CREATE SCHEMA alice AUTHORIZATION alice;
CREATE SCHEMA bob AUTHORIZATION bob;
CREATE SCHEMA dba;
GRANT USAGE ON LANGUAGE workflow TO alice, bob;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO alice, bob;

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

-- 1. Input functions of a domain are its owner's code, and run when a literal
-- is parsed.  It says who it is and tries to become more.
\c - alice
\set VERBOSITY terse
SET search_path = alice;
CREATE FUNCTION act() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  command text;
  result text := '';
BEGIN
  FOREACH command IN ARRAY ARRAY['ALTER ROLE alice SUPERUSER', 'SET ROLE postgres', 'SET SESSION AUTHORIZATION postgres',
                                 'CREATE TABLE dba.planted ()', 'DECLARE h CURSOR WITH HOLD FOR SELECT 1']
  LOOP
    BEGIN
      EXECUTE command;
      result := concat_ws(' ', result, 'DONE:', command);
    EXCEPTION WHEN OTHERS THEN
      result := concat_ws(' ', result, SQLSTATE);
    END;
  END LOOP;
  RETURN result;
END $$;
CREATE FUNCTION check_it(v text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF v = 'x' THEN
    RAISE NOTICE 'as %: %', current_user, alice.act();
  ELSIF v <> 'y' THEN
    RAISE EXCEPTION 'forged' USING ERRCODE = v;
  END IF;
  RETURN true;
END $$;
CREATE DOMAIN dom AS text CHECK (check_it(VALUE));
CREATE TYPE pair AS (d dom, n int);
CREATE TABLE person (id int PRIMARY KEY, name text, tags dom[], p pair);
CREATE TABLE log (what text);
CREATE FUNCTION eager(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF tags TO '{x}' WHEN new.tags = '{x}'::dom[] AND new.p IS DISTINCT FROM '(x,1)'::pair;
DECLARE
  v dom := 'y';
BEGIN
  INSERT INTO log SELECT 'in' WHERE p.tags = '{x}'::dom[];
END $$;
INSERT INTO person VALUES (1, 'Ann', '{y}', NULL);
UPDATE person SET tags = '{x}' WHERE id = 1;
CALL automation.run();
SELECT * FROM log;
-- DDL of a superuser makes it checked again, as its owner
\c - postgres
\set VERBOSITY terse
CREATE TYPE dba.mood AS ENUM ('good');
ALTER TYPE dba.mood ADD VALUE 'bad';
CREATE TABLE dba.person (id int);
ALTER TABLE dba.person ADD n int;
ALTER TABLE alice.person ADD n int;
CALL automation.reconcile();
SELECT rolsuper FROM pg_roles WHERE rolname = 'alice';
SELECT count(*) AS planted FROM pg_class WHERE relnamespace = 'dba'::regnamespace AND relname = 'planted';
SELECT count(*) AS cursors FROM pg_cursors WHERE name = 'h';
-- DDL that has nothing to do with it never fails: not by an error, not by one
-- that looks like a cancel, not by a lock
\c - alice
\set VERBOSITY terse
SET search_path = alice;
SET check_function_bodies = off;
CREATE OR REPLACE FUNCTION eager(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.tags = '{query_canceled}'::dom[];
BEGIN
END $$;
CREATE FUNCTION eager2(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.tags = '{lock_not_available}'::dom[];
BEGIN
END $$;
RESET check_function_bodies;
\c - postgres
\set VERBOSITY terse
CALL automation.reconcile();
\c - alice
SET search_path = alice;
CREATE OR REPLACE FUNCTION check_it(v text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OR REPLACE FUNCTION eager(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.tags = '{query_canceled}'::dom[];
BEGIN
END $$;
CREATE OR REPLACE FUNCTION check_it(v text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RAISE EXCEPTION 'forged' USING ERRCODE = v;
END $$;
\c - postgres
\set VERBOSITY terse
BEGIN;
ALTER TYPE dba.mood RENAME TO temper;
ALTER TYPE dba.temper RENAME TO mood;
ALTER TABLE dba.person ADD m int;
COMMIT;
\c - alice
SET search_path = alice;
SET client_min_messages = warning;
DROP FUNCTION eager, eager2;
DROP TABLE person, log;
DROP TYPE pair;
DROP DOMAIN dom;

-- 2. Names planted on the path
CREATE TABLE person (id int PRIMARY KEY, name varchar, email varchar);
CREATE TABLE log (what text);
\c - postgres
GRANT CREATE ON SCHEMA public TO PUBLIC;
\c - bob
CREATE FUNCTION public.lower(varchar) RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN 'planted, runs as ' || current_user; END$$;
CREATE FUNCTION public.same(varchar, varchar) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN RAISE WARNING 'planted, runs as %', current_user; RETURN true; END$$;
CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = public.same);
\c - alice
\set VERBOSITY terse
SET search_path = alice, public;
CREATE FUNCTION unsafe(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name TO 'Ann';
BEGIN
  INSERT INTO log VALUES (lower(p.name));
END $$;
SET automation.require_safe_path = off;
SET search_path = alice;
CREATE FUNCTION safe(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name TO 'Ann' WHEN new.email = 'a@x'::varchar;
BEGIN
  INSERT INTO log VALUES (lower(p.name));
END $$;
INSERT INTO person VALUES (1, 'Bob', 'a@x');
SET search_path = public, pg_catalog, alice;
UPDATE alice.person SET name = 'Ann';
CALL automation.run();
SELECT * FROM alice.log;
CREATE TEMP TABLE person (id int);
CALL automation.run();
DROP TABLE pg_temp.person;
\c - postgres
SET client_min_messages = warning;
SELECT v.path FROM automation.workflow_version v JOIN automation.workflow w ON w.id = v.workflow WHERE w.signature LIKE 'alice.safe(%';
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
DROP OPERATOR public.= (varchar, varchar);
DROP FUNCTION public.lower(varchar), public.same(varchar, varchar);
DROP FUNCTION alice.safe;

-- 3. What no check saw: bodies and attributes
\c - alice
\set VERBOSITY terse
SET search_path = alice;
SET check_function_bodies = off;
CREATE FUNCTION garbage(p person) RETURNS bigint LANGUAGE workflow AS 'not a workflow; $$ \x01 IF IF IF';
CREATE FUNCTION nobody(p person) RETURNS bigint LANGUAGE workflow AS '';
CREATE FUNCTION odd(a int, b int) RETURNS SETOF text LANGUAGE workflow IMMUTABLE STRICT AS 'BEGIN END';
CREATE PROCEDURE proc(p person) LANGUAGE workflow AS 'BEGIN END';
CREATE FUNCTION trig() RETURNS trigger LANGUAGE workflow AS 'BEGIN END';
CREATE FUNCTION noargs() RETURNS bigint LANGUAGE workflow AS 'BEGIN END';
RESET check_function_bodies;
SELECT garbage(p) FROM person p;
SELECT nobody(p) FROM person p;
SELECT odd(1, 2);
CALL proc(NULL);
SELECT noargs();
CREATE TRIGGER t BEFORE UPDATE ON person FOR EACH ROW EXECUTE FUNCTION trig();
UPDATE person SET name = 'x';
DROP TRIGGER t ON person;
SELECT automation.workflow_validator('garbage'::regproc);
SELECT automation.workflow_call_handler();
SELECT automation.capture();
CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION automation.ddl_end();
CREATE FUNCTION handler() RETURNS language_handler LANGUAGE c AS 'automation', 'wf_workflow_call_handler';
CREATE FUNCTION fine(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES ('fine ' || p.id);
END $$;
ALTER FUNCTION fine IMMUTABLE;
ALTER FUNCTION fine SECURITY DEFINER;
ALTER FUNCTION fine PARALLEL SAFE;
ALTER FUNCTION fine LEAKPROOF;
ALTER FUNCTION fine STRICT;
SET check_function_bodies = off;
ALTER FUNCTION fine IMMUTABLE SECURITY DEFINER PARALLEL SAFE;
RESET check_function_bodies;
SELECT fine(p) FROM person p;
SELECT set_config(name, 'on', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT fine(p) FROM person p;
SELECT set_config(name, 'off', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
CREATE INDEX ON person (fine(person));
ALTER FUNCTION fine VOLATILE SECURITY INVOKER PARALLEL UNSAFE;
SELECT fine(p) IS NOT NULL AS enrolled FROM person p;
BEGIN READ ONLY;
SELECT fine(p) FROM person p;
ROLLBACK;
CALL automation.run();
SELECT * FROM log WHERE what LIKE 'fine%';
-- a superuser looks at what is there: it is held, nothing falls over
\c - postgres
\set VERBOSITY terse
CALL automation.reconcile();
SELECT name, hold, hold_detail FROM automation.workflows WHERE schema = 'alice' ORDER BY 1;
\c - alice
\set VERBOSITY terse
SET search_path = alice;
SELECT garbage(p) IS NOT NULL AS enrolled FROM person p;
CALL automation.run();
SELECT workflow, event, reason FROM automation.journal WHERE workflow = 'garbage';
SELECT count(*) FROM automation.enrollments;
SELECT automation.statement_at(NULL, 1), automation.statement_at('', 1), automation.statement_at('BEGIN END', 2147483647),
       automation.statement_at('BEGIN x := 1; END', -5);
SELECT automation.statement_at('nonsense', 1);
SELECT automation.statement_at('BEGIN ' || repeat('IF true THEN ', 50000), 1);
SELECT automation.statement_at('BEGIN ' || repeat('<<a>> x := 1;', 50000) || ' END', 1);
SELECT automation.statement_at(repeat('(', 2000000), 1);
\c - postgres
SET client_min_messages = warning;
DROP FUNCTION alice.garbage, alice.nobody, alice.odd, alice.trig, alice.noargs, alice.fine;
DROP PROCEDURE alice.proc;

-- 4. Settings of the function do not change who it is, nor what is captured
\c - alice
SET search_path = alice;
CREATE FUNCTION configured(p person) RETURNS bigint LANGUAGE workflow SET role = 'bob' AS $$
  AFTER UPDATE OF name TO 'configured';
BEGIN
  INSERT INTO log VALUES (concat_ws(' ', 'configured', current_user, current_setting('role'), current_setting('session_replication_role'), current_setting('work_mem')));
END $$;
\c - postgres
GRANT bob TO alice;
\c - alice
SET search_path = alice;
CREATE FUNCTION configured(p person) RETURNS bigint LANGUAGE workflow SET role = 'bob' SET work_mem = '1MB' AS $$
  AFTER UPDATE OF name TO 'configured';
BEGIN
  INSERT INTO log VALUES (concat_ws(' ', 'configured', current_user, current_setting('role'), current_setting('session_replication_role'), current_setting('work_mem')));
END $$;
\c - postgres
ALTER FUNCTION alice.configured SET session_replication_role = replica;
\c - alice
\set VERBOSITY terse
SET search_path = alice;
UPDATE person SET name = 'configured';
CALL automation.run();
SELECT what FROM log WHERE what LIKE 'conf%';
SELECT event, detail ->> 'message' AS message FROM automation.journal WHERE workflow = 'configured' ORDER BY at, position;
DROP FUNCTION configured;
\c - postgres
REVOKE bob FROM alice;

-- 5. Tables and types change under its feet.  Bytes of one type are never read
-- as another's.
\c - alice
\set VERBOSITY terse
SET search_path = alice;
-- between two calls by hand of one statement
CREATE TABLE keyed (id text PRIMARY KEY);
INSERT INTO keyed VALUES ('7');
CREATE FUNCTION by_hand(k keyed) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES ('by hand ' || k.id);
END $$;
DO $$
DECLARE
  r keyed;
  x bigint;
BEGIN
  FOR i IN 1..3 LOOP
    SELECT * INTO r FROM keyed;
    x := by_hand(r);
    RAISE NOTICE 'call %: %', i, x IS NOT NULL;
    EXECUTE CASE i WHEN 1 THEN 'ALTER TABLE keyed ALTER id TYPE int8 USING id::int8'
                   WHEN 2 THEN 'ALTER TABLE keyed ALTER id TYPE text USING id::text' ELSE 'SELECT 1' END;
  END LOOP;
END $$;
CALL automation.run();
SELECT what FROM log WHERE what LIKE 'by hand%';
-- by a step, before another item of the same transaction
CREATE TABLE first (id int PRIMARY KEY);
CREATE TABLE second (id int8 PRIMARY KEY, n int8, v text);
CREATE FUNCTION retype() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 'ALTER TABLE second ALTER id TYPE text USING id::text, ALTER n TYPE text USING n::text';
  RETURN 1;
END $$;
CREATE FUNCTION retyper(f first) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  n int;
  s second;
BEGIN
  IF f.id = 2 THEN
    SELECT * INTO s FROM second LIMIT 1;
    SELECT retype() INTO n;
    INSERT INTO log VALUES ('still ' || s.n || s.v);
  END IF;
END $$;
CREATE FUNCTION victim(s second) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF n;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES ('victim ' || s.id || ' ' || s.n);
END $$;
INSERT INTO first VALUES (1);
INSERT INTO second VALUES (10, 11, 'v');
CALL automation.run();
INSERT INTO first VALUES (2);
UPDATE second SET n = 12;
CALL automation.run();
CALL automation.advance('1 hour');
SELECT what FROM log WHERE what LIKE 'victim%' OR what LIKE 'still%' ORDER BY 1;
-- a row on its way to a partition that does not take it
CREATE TABLE moving (id int, part int, v int8, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE moving1 PARTITION OF moving FOR VALUES IN (1);
CREATE TABLE moving2 PARTITION OF moving FOR VALUES IN (2);
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER swallow BEFORE INSERT ON moving2 FOR EACH ROW EXECUTE FUNCTION swallow();
CREATE FUNCTION gone(id int, v text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER DELETE ON moving FOR SELECT old.id, old.v::text;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES ('gone ' || id || ' ' || v);
END $$;
INSERT INTO moving VALUES (1, 1, 77), (2, 1, 78);
UPDATE moving SET part = 2 WHERE id = 1;
BEGIN;
UPDATE moving SET part = 2 WHERE id = 2;
ALTER TABLE moving ALTER v TYPE text USING v::text;
COMMIT;
CALL automation.run();
SELECT what FROM log WHERE what LIKE 'gone%' ORDER BY 1;
-- a waiting event, sleeping variables and literals
CREATE TYPE size AS (n int8, t text);
CREATE TABLE item (id int PRIMARY KEY, n int8, s size, w text);
CREATE FUNCTION sleeper(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.n > 0;
  AFTER UPDATE OF w FROM 'a' TO 'b';
DECLARE
  s size;
  n int8;
BEGIN
  n := i.n;
  SELECT i.s INTO s;
  WAIT FOR '1 day';
  INSERT INTO log VALUES (concat_ws(' ', 'sleeper', n, s.n, s.t));
END $$;
INSERT INTO item VALUES (1, 5, '(6,six)', 'a');
CALL automation.run();
ALTER TYPE size ADD ATTRIBUTE extra int;
ALTER TABLE item DROP s;
ALTER TYPE size ALTER ATTRIBUTE n TYPE text;
ALTER TABLE item ADD s size;
INSERT INTO item VALUES (2, 7, 'a');
ALTER TABLE item ALTER n TYPE text USING n::text;
ALTER TABLE item ALTER w TYPE json USING to_json(w);
UPDATE item SET w = '"b"';
CALL automation.advance('2 days');
SELECT name, hold FROM automation.workflows WHERE name = 'sleeper';
SELECT subject_key, state, reason FROM automation.enrollments WHERE workflow = 'sleeper';
ALTER TABLE item ALTER n TYPE int8 USING n::int8, ALTER w TYPE text;
CALL automation.advance('2 days');
CALL automation.advance('2 days');
SELECT what FROM log WHERE what LIKE 'sleeper%' ORDER BY 1;
SELECT subject_key, state, error FROM automation.enrollments WHERE workflow = 'sleeper';

-- 6. An event trigger of the DBA that writes to a table without naming its
-- schema: what the engine does to tables must not set it off with the engine's
-- rights, for a temporary table may stand in
\c - postgres
CREATE TABLE public.ddl_log (tag text, who name);
GRANT INSERT ON public.ddl_log TO PUBLIC;
CREATE FUNCTION public.audit() RETURNS event_trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO ddl_log VALUES (tg_tag, current_user); END$$;
CREATE EVENT TRIGGER audit ON ddl_command_end EXECUTE FUNCTION public.audit();
\c - alice
SET search_path = alice, public;
CREATE TABLE seen (who name);
CREATE TEMP TABLE ddl_log (tag text, who name);
CREATE FUNCTION spring() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO alice.seen VALUES (current_user); RETURN NEW; END$$;
CREATE TRIGGER spring BEFORE INSERT ON ddl_log FOR EACH ROW EXECUTE FUNCTION spring();
CREATE TABLE watched (id int PRIMARY KEY);
CREATE FUNCTION watch(w watched) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '1 day';
END $$;
CREATE OR REPLACE FUNCTION watch(w watched) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE;
BEGIN
  WAIT FOR '2 days';
END $$;
ALTER TABLE watched ADD n int;
DROP FUNCTION watch;
SELECT DISTINCT who FROM seen;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'watched'::regclass;
\c - postgres
DROP EVENT TRIGGER audit;
DROP FUNCTION public.audit();
DROP TABLE public.ddl_log;

-- The neighbour lives
\c - bob
SET search_path = bob;
INSERT INTO pulse VALUES (1);
CALL automation.run();
CALL automation.advance('1 hour');
SELECT * FROM beat;
\c - postgres
SET client_min_messages = warning;
SELECT rolname, rolsuper FROM pg_roles WHERE rolname IN ('alice', 'bob') ORDER BY 1;
DROP SCHEMA alice, bob, dba CASCADE;
DROP OWNED BY alice, bob;
DROP ROLE alice, bob;
