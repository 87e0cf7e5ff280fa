-- Attacks on rights: reading rows by enrolling, evading capture, forging
-- events, seeing what is somebody else's, running old code under a new name.
SET client_min_messages = warning;
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
CREATE ROLE tina LOGIN;
CREATE ROLE finance LOGIN;
CREATE ROLE clerk LOGIN;
CREATE SCHEMA alice AUTHORIZATION alice;
CREATE SCHEMA bob AUTHORIZATION bob;
CREATE SCHEMA tina AUTHORIZATION tina;
GRANT USAGE ON SCHEMA tina TO PUBLIC;
GRANT USAGE ON SCHEMA alice TO bob, clerk;
GRANT USAGE ON LANGUAGE workflow TO alice, bob, tina, finance;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO alice, bob, tina, finance;

CREATE FUNCTION tina.state_of(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE command;
  RETURN 'done';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;

-- 1. What everybody may call, and what everybody may read
SELECT p.oid::regprocedure FROM pg_proc p
WHERE p.pronamespace = 'automation'::regnamespace AND has_function_privilege('clerk', p.oid, 'EXECUTE')
ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT p.oid::regprocedure, prosecdef, l.lanname, proconfig FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = 'automation'::regnamespace
  AND (prosecdef OR l.lanname <> 'c' OR 'internal'::regtype = ANY (proargtypes) OR prorettype = 'internal'::regtype)
ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT relname, relkind FROM pg_class
WHERE relnamespace = 'automation'::regnamespace AND relkind IN ('r', 'v', 'S', 'm', 'f', 'p')
  AND (CASE WHEN relkind = 'S' THEN has_sequence_privilege('clerk', oid, 'USAGE, SELECT, UPDATE')
            ELSE has_table_privilege('clerk', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
              OR has_any_column_privilege('clerk', oid, 'SELECT, INSERT, UPDATE, REFERENCES') END)
ORDER BY relname COLLATE "C";
SELECT has_schema_privilege('clerk', 'automation', 'CREATE') AS create,
       has_schema_privilege('clerk', 'automation', 'USAGE') AS usage, has_language_privilege('clerk', 'workflow', 'USAGE') AS language;
SELECT relname FROM pg_class WHERE relnamespace = 'automation'::regnamespace AND relkind = 'v'
  AND has_table_privilege('clerk', oid, 'SELECT') AND NOT 'security_barrier=true' = ANY (coalesce(reloptions, '{}'));
SELECT name, context FROM pg_settings WHERE name LIKE 'automation.%' AND context = 'user';

\c - bob
SET search_path = bob;
CREATE TABLE pulse (id int PRIMARY KEY, secret text);
CREATE TABLE beat (id int);
CREATE FUNCTION steady(p pulse) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  s text := 'variable of ' || p.secret;
BEGIN
  INSERT INTO beat VALUES (p.id);
  WAIT FOR '1 hour';
  INSERT INTO beat VALUES (p.id * 10);
END $$;
INSERT INTO pulse VALUES (1, 'secret of bob');
CALL automation.run();

-- 2. Rows of a table one may not read
\c - tina
SET search_path = tina;
CREATE TABLE pay (id int PRIMARY KEY, who text, amount int);
INSERT INTO pay VALUES (1, 'ceo', 1000000), (2, 'alice', 10);
\c - alice
\set VERBOSITY terse
SET search_path = alice;
CREATE TABLE loot (what text);
CREATE FUNCTION steal(p tina.pay) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  INSERT INTO loot VALUES (p.who || p.amount);
END $$;
\c - tina
GRANT SELECT (id) ON tina.pay TO alice;
GRANT TRIGGER ON tina.pay TO alice;
\c - alice
\set VERBOSITY terse
SET search_path = alice;
CREATE FUNCTION steal(p tina.pay) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  INSERT INTO loot VALUES (p.who || p.amount);
END $$;
CREATE FUNCTION spy(id int, t text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE ON tina.pay FOR SELECT new.id, new.who || new.amount;
  ENROLL AGAIN;
BEGIN
  INSERT INTO loot VALUES (t);
END $$;
\c - tina
GRANT SELECT ON tina.pay TO alice;
ALTER TABLE tina.pay ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tina.pay USING (who = current_user);
\c - alice
\set VERBOSITY terse
SET search_path = alice;
CREATE FUNCTION mourn(t text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER DELETE ON tina.pay FOR SELECT old.who || old.amount;
BEGIN
  INSERT INTO loot VALUES (t);
END $$;
CREATE FUNCTION steal(p tina.pay) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  INSERT INTO loot VALUES (p.who || p.amount);
END $$;
-- a row that is hidden, one that is made up, one that may be seen
SELECT steal(ROW(1, 'ceo', 1)::tina.pay);
SELECT steal(ROW(3, 'nobody', 1)::tina.pay);
SELECT steal(ROW(2, 'ceo', 7)::tina.pay) IS NOT NULL AS enrolled;
SELECT steal(NULL), steal(ROW(NULL, NULL, NULL)::tina.pay);
CALL automation.run();
SELECT * FROM loot;
TRUNCATE loot;
-- by an event: the row is read under the policies
CREATE FUNCTION spy(p tina.pay) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF amount;
  ENROLL AGAIN;
BEGIN
  INSERT INTO loot VALUES ('spied ' || p.who || p.amount);
END $$;
\c - tina
UPDATE tina.pay SET amount = amount + 1;
\c - alice
SET search_path = alice;
CALL automation.run();
SELECT * FROM loot;
TRUNCATE loot;
-- by what the event itself carries
CREATE FUNCTION spy2(id int, t text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF amount ON tina.pay FOR SELECT new.id, 'captured ' || new.who || new.amount;
  ENROLL AGAIN;
BEGIN
  INSERT INTO loot VALUES (t);
END $$;
\c - tina
UPDATE tina.pay SET amount = amount + 1;
\c - alice
SET search_path = alice;
CALL automation.run();
SELECT * FROM loot WHERE what NOT LIKE 'spied%';
-- and by which rows set a condition off
CREATE FUNCTION oracle(p tina.pay) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF amount WHEN new.amount > 1000;
  ENROLL AGAIN;
BEGIN
END $$;
\c - tina
UPDATE tina.pay SET amount = amount + 1;
\c - alice
CALL automation.run();
SELECT event, reason, subject_key FROM automation.journal WHERE workflow = 'oracle';
DROP FUNCTION alice.oracle;
-- after a REVOKE nothing more
\c - tina
REVOKE SELECT ON tina.pay FROM alice;
UPDATE tina.pay SET amount = amount + 1;
\c - alice
SET search_path = alice;
TRUNCATE loot;
CALL automation.run();
CALL automation.advance('1 hour');
SELECT * FROM loot;
SELECT steal(ROW(2, 'ceo', 7)::tina.pay);
\c - postgres
SET client_min_messages = warning;
DROP FUNCTION alice.steal, alice.spy, alice.spy2;

-- 3. Evading capture; calling by hand without the right
\c - alice
SET search_path = alice;
CREATE TABLE invoice (id int PRIMARY KEY, amount int);
CREATE TABLE approval (id int);
CREATE FUNCTION approve(i invoice) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO approval VALUES (i.id);
END $$;
GRANT SELECT, INSERT ON invoice TO clerk;
\c - postgres
SELECT max(id) AS bobs FROM automation.enrollments WHERE owner = 'bob'::regrole \gset
\c - clerk
\set VERBOSITY terse
SET check_function_bodies = off;
SET automation.capture = off;
SET session_replication_role = replica;
INSERT INTO alice.invoice VALUES (1, 1000000);
CREATE FUNCTION pg_temp.quietly() RETURNS void LANGUAGE sql SET check_function_bodies = off SET automation.capture = off
  AS 'INSERT INTO alice.invoice VALUES (2, 1000000)';
SELECT pg_temp.quietly();
SELECT alice.approve(i) FROM alice.invoice i;
SELECT automation.unenroll('alice.approve', 1);
SELECT automation.pause('alice.approve');
SELECT automation.retry('alice.approve');
SELECT automation.accept_versions('alice.approve');
SELECT command, tina.state_of(format('SELECT automation.%s(%s)', command, :bobs))
FROM unnest(ARRAY['unenroll', 'retry', 'enrollment_status', 'finished']) command;
SELECT automation.unenroll_others(i) FROM alice.invoice i;
SELECT automation.pause('nothing.here'), 1;
SELECT automation.pause('');
SELECT automation.pause('a.b.c.d');
SELECT automation.pause('pg_catalog.now()');
SELECT automation.pause(repeat('x', 100000) || '(');
SELECT automation.unenroll('alice.approve', ARRAY[1]);
SELECT automation.unenroll('alice.approve', NULL::int);
SELECT automation.finished(NULL), automation.finished(-1), automation.finished(9223372036854775807);
SET automation.batch_time = 1;
SET automation.cause = '{1}';
CALL automation.arm();
CALL automation.reconcile();
CALL automation.advance('1 day');
SELECT automation.announce();
\c - alice
SET search_path = alice;
CALL automation.run();
SELECT * FROM approval ORDER BY 1;
GRANT EXECUTE ON FUNCTION approve(invoice) TO clerk;
\c - clerk
\set VERBOSITY terse
SELECT alice.approve(ROW(99, 1)::alice.invoice);
SELECT alice.approve(i) IS NOT NULL AS enrolled FROM alice.invoice i WHERE id = 1;

-- 4. Forged events
\c - bob
\set VERBOSITY terse
SET search_path = bob;
CREATE TABLE mine (id int PRIMARY KEY, amount int);
CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON mine FOR EACH ROW EXECUTE FUNCTION automation.capture('1', 'alice.invoice');
CREATE TRIGGER b BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION automation.capture();
CREATE TRIGGER r BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION automation.restamp();
CREATE TRIGGER t BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION automation.adopt();
INSERT INTO mine VALUES (7, 7);
DROP TRIGGER b ON mine;
INSERT INTO mine VALUES (7, 7);
UPDATE mine SET id = 8;
DELETE FROM mine;
CREATE TABLE child () INHERITS (alice.invoice);
CREATE TRIGGER x AFTER INSERT ON alice.invoice FOR EACH ROW EXECUTE FUNCTION automation.capture();
DO $$
DECLARE
  t text;
  r text := '';
BEGIN
  FOR t IN SELECT relname FROM pg_class WHERE relnamespace = 'automation'::regnamespace AND relkind IN ('r', 'S') ORDER BY 1 LOOP
    BEGIN
      EXECUTE format('SELECT * FROM automation.%I', t);
      r := concat_ws(' ', r, 'READ', t);
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END;
    BEGIN
      EXECUTE format('INSERT INTO automation.%I DEFAULT VALUES', t);
      r := concat_ws(' ', r, 'WROTE', t);
    EXCEPTION WHEN insufficient_privilege OR wrong_object_type OR undefined_table THEN NULL;
      WHEN invalid_parameter_value THEN r := concat_ws(' ', r, 'MAY WRITE HIS OWN ROWS OF', t);
    END;
    BEGIN
      EXECUTE format('LOCK TABLE automation.%I IN ACCESS SHARE MODE', t);
      r := concat_ws(' ', r, 'LOCKED', t);
    EXCEPTION WHEN insufficient_privilege OR wrong_object_type THEN NULL;
    END;
  END LOOP;
  RAISE NOTICE 'done: %', r;
END $$;
CREATE TABLE refers (id int REFERENCES automation.workflow);
CREATE FUNCTION automation.email(text) RETURNS text LANGUAGE sql AS 'SELECT 1::text';
CREATE VIEW over AS SELECT * FROM automation.enrollments;
\c - alice
CALL automation.run();
SELECT * FROM alice.approval ORDER BY 1;

-- 5. Who sees what: nothing of bob's, not even through a function that tells
\c - alice
\set VERBOSITY terse
SET search_path = alice;
CREATE FUNCTION tell(VARIADIC anyarray) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
  IF $1::text !~ 'alice' THEN
    RAISE NOTICE 'told: %', $1;
  END IF;
  RETURN true;
END $$;
SELECT count(*) FROM automation.enrollments e WHERE tell(e.owner::text, e.subject, e.subject_key, e.error, e.vars::text, e.args::text);
SELECT count(*) FROM automation.journal j WHERE tell(j.workflow, j.subject, j.owner::text) AND j.owner <> 'alice'::regrole;
SELECT count(*) FROM automation.workflows w WHERE tell(w.name::text, w.hold_detail, w.owner::text);
SELECT count(*) FROM automation.stat s WHERE tell(s.owner::text, s.events::text);
\c - clerk
SELECT (SELECT count(*) FROM automation.enrollments) AS enrollments, (SELECT count(*) FROM automation.journal) AS journal,
       (SELECT count(*) FROM automation.workflows) AS workflows, (SELECT count(*) FROM automation.stat) AS stat;
SELECT count(*) FROM pg_stats WHERE schemaname = 'automation';
SELECT attname, most_common_vals FROM pg_stats WHERE schemaname = 'automation';
-- a view of bob's over ours shows what its owner may see, if he says so
\c - bob
GRANT USAGE ON SCHEMA bob TO clerk;
GRANT SELECT ON bob.over TO clerk;
\c - clerk
SELECT count(*) FROM bob.over;

-- 6. Laundering: evil waiting version, harmless new one, then a new owner
\c - alice
\set VERBOSITY terse
SET search_path = alice;
CREATE TABLE evil (who text, version text);
GRANT SELECT, INSERT ON evil TO PUBLIC;
GRANT USAGE ON SCHEMA alice TO finance;
GRANT SELECT, TRIGGER ON invoice TO finance;
GRANT CREATE, USAGE ON SCHEMA alice TO finance;
CREATE FUNCTION bill(i invoice) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  ENROLL AGAIN;
BEGIN
  WAIT FOR '1 day';
  INSERT INTO alice.evil VALUES (current_user, 'v1');
END $$;
INSERT INTO invoice VALUES (10, 10);
CALL automation.run();
CREATE OR REPLACE FUNCTION bill(i invoice) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  ENROLL AGAIN;
BEGIN
  WAIT FOR '1 day';
END $$;
-- and another body that no check has seen
SET check_function_bodies = off;
CREATE OR REPLACE FUNCTION bill(i invoice) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  ENROLL AGAIN;
BEGIN
  INSERT INTO alice.evil VALUES (current_user, 'unseen');
END $$;
\c - postgres
ALTER FUNCTION alice.bill(alice.invoice) OWNER TO finance;
INSERT INTO alice.invoice VALUES (11, 11);
CALL automation.reconcile();
\c - finance
\set VERBOSITY terse
CALL automation.advance('2 days');
SELECT * FROM alice.evil;
SELECT name, hold FROM automation.workflows;
SELECT automation.resume('alice.bill');
SELECT automation.retry('alice.bill');
CALL automation.run();
SELECT * FROM alice.evil;
\c - alice
SELECT automation.accept_versions('alice.bill');
\c - finance
SELECT automation.accept_versions('alice.bill');
CALL automation.run();
SELECT * FROM alice.evil ORDER BY 2;
\c - postgres
SET client_min_messages = warning;
DROP FUNCTION alice.bill;

-- a signature created again by somebody else inherits nothing
\c - alice
SET search_path = alice;
CREATE FUNCTION again(i invoice) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  ENROLL AGAIN;
BEGIN
  WAIT FOR '1 day';
  INSERT INTO alice.evil VALUES (current_user, 'again');
END $$;
INSERT INTO invoice VALUES (12, 12);
CALL automation.run();
\c - postgres
ALTER EVENT TRIGGER automation_drop DISABLE;
ALTER EVENT TRIGGER automation_ddl DISABLE;
DROP FUNCTION alice.again(alice.invoice);
\c - finance
CREATE FUNCTION alice.again(i alice.invoice) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  ENROLL AGAIN;
BEGIN
  WAIT FOR '1 day';
  INSERT INTO alice.evil VALUES (current_user, 'of finance');
END $$;
\c - postgres
ALTER EVENT TRIGGER automation_drop ENABLE ALWAYS;
ALTER EVENT TRIGGER automation_ddl ENABLE ALWAYS;
CALL automation.reconcile();
SELECT regexp_replace(signature, '#\d+', '#') AS signature, owner, hold FROM automation.workflows WHERE signature LIKE '%again%' ORDER BY 1;
\c - alice
CALL automation.advance('2 days');
\c - finance
CALL automation.run();
SELECT * FROM alice.evil WHERE version NOT IN ('v1', 'unseen');
SELECT count(*) FROM automation.enrollments;

-- The neighbour lives
\c - bob
SET search_path = bob;
CALL automation.run();
INSERT INTO pulse VALUES (2, 'x');
CALL automation.run();
CALL automation.advance('1 hour');
SELECT * FROM beat ORDER BY 1;
\c - postgres
SET client_min_messages = warning;
DROP SCHEMA alice, bob, tina CASCADE;
DROP OWNED BY alice, bob, tina, finance, clerk;
DROP ROLE alice, bob, tina, finance, clerk;
CALL automation.reconcile();
