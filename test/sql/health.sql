-- automation.health(): each state that can be made without a worker, what is
-- said of it, and that it goes away when one does what is said.  Other tests
-- leave the clock ahead, and the server runs without fsync.

\set VERBOSITY terse
SET client_min_messages = warning;
CREATE ROLE health_owner LOGIN;
CREATE ROLE health_other LOGIN;
CREATE ROLE health_monitor LOGIN IN ROLE pg_monitor;
CREATE SCHEMA health AUTHORIZATION health_owner;
GRANT USAGE ON LANGUAGE workflow TO health_owner, health_other;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO health_owner;
CREATE VIEW ill AS
SELECT severity, code, owner, subject, regexp_replace(problem, '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+\d\d', '...') AS problem,
       regexp_replace(remedy, '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+\d\d', '...') AS remedy
FROM automation.health() WHERE NOT (code = 'virtual_clock' OR subject = 'setting fsync');
GRANT SELECT ON ill TO PUBLIC;
\x on
SELECT * FROM ill;

-- nothing runs by itself here: seen when work has waited for a while
\c - health_owner
SET search_path = health, public;
CREATE TABLE item (id int PRIMARY KEY, n int NOT NULL DEFAULT 1, extra text);
CREATE TABLE effect (id int, n int);
CREATE FUNCTION flow(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF n;
  ENROLL AGAIN;
BEGIN
  INSERT INTO effect VALUES (i.id, 10 / i.n);
  WAIT UNTIL i.extra = 'go';
END $$;
INSERT INTO item VALUES (1);
SELECT * FROM ill;
\c - postgres
CALL automation.advance('1 minute');
SELECT * FROM ill;
\c - health_owner
SET search_path = health, public;
CALL automation.run();
SELECT * FROM ill;

-- paused, with and without those inside
SELECT automation.pause('flow');
SELECT * FROM ill;
SELECT automation.pause('flow', hold => true);
INSERT INTO item VALUES (2);
CALL automation.run();
SELECT * FROM ill;
SELECT automation.resume('health.flow(health.item)');
CALL automation.run();
SELECT * FROM ill;

-- failed, and held one by one
INSERT INTO item VALUES (3, 0);
CALL automation.run();
CALL automation.advance('1 hour');
SELECT * FROM ill;
UPDATE item SET n = 1 WHERE id = 3;
SELECT automation.retry('health.flow(health.item)');
CALL automation.run();
SELECT * FROM ill;
CREATE FUNCTION turn(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  <<again>>
  WAIT FOR '1 second';
  GO TO again;
END $$;
SELECT turn(i) IS NOT NULL AS enrolled FROM item i WHERE id = 1;
CALL automation.run();
CALL automation.advance('1 minute');
SELECT * FROM ill;
DROP FUNCTION turn;
SELECT * FROM ill;

-- a definition that is not valid any more
\set VERBOSITY terse
SET client_min_messages = error;
ALTER TABLE item RENAME COLUMN extra TO surplus;
SELECT * FROM ill;
ALTER TABLE item RENAME COLUMN surplus TO extra;
CALL automation.run();
SELECT * FROM ill;

-- an event that meets an error before anybody can enter
CREATE FUNCTION raises(n int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN 1 / n > 0; END $$;
CREATE FUNCTION picky(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF extra WHEN new.extra = 'pick' AND raises(new.n);
BEGIN
END $$;
INSERT INTO item VALUES (4, 1);
CALL automation.run();
UPDATE item SET n = 0, extra = 'pick' WHERE id = 4;
DELETE FROM item WHERE id = 4;
CALL automation.run();
SELECT * FROM ill;
CREATE OR REPLACE FUNCTION raises(n int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN n > 0; END $$;
CALL automation.advance('1 hour');
SELECT * FROM ill;
DROP FUNCTION picky;

-- capture triggers
ALTER TABLE item DISABLE TRIGGER automation_update;
SELECT * FROM ill;
ALTER TABLE health.item ENABLE TRIGGER automation_update;
SELECT * FROM ill;
DROP TRIGGER automation_insert ON item;
SELECT * FROM ill;
\c - postgres
SET search_path = public;
CALL automation.reconcile();
SELECT * FROM ill;

-- capture switched off for a role
ALTER ROLE health_owner SET automation.capture = off;
SELECT * FROM ill;
ALTER ROLE health_owner RESET automation.capture;
SELECT * FROM ill;

-- what a DBA can do to owners
REVOKE USAGE ON LANGUAGE workflow FROM health_owner;
SELECT * FROM ill;
GRANT USAGE ON LANGUAGE workflow TO health_owner;
ALTER ROLE health_owner SUPERUSER;
SELECT * FROM ill;
ALTER ROLE health_owner NOSUPERUSER;
SELECT * FROM ill;
GRANT ALL ON SCHEMA health TO health_other;
GRANT ALL ON ALL TABLES IN SCHEMA health TO health_other;
ALTER FUNCTION health.flow(health.item) OWNER TO health_other;
SELECT * FROM ill;
\c - health_other
SELECT automation.accept_versions('health.flow(health.item)');
SELECT * FROM ill;
\c - postgres
REVOKE ALL ON SCHEMA health FROM health_other;
SET search_path = public;
SET client_min_messages = error;
ALTER FUNCTION health.flow(health.item) OWNER TO health_owner;
\c - health_owner
SET client_min_messages = error;
SELECT automation.accept_versions('health.flow(health.item)');
CALL automation.run();
\c - postgres
SET client_min_messages = error;
SELECT * FROM ill;

-- the function dropped unseen
ALTER EVENT TRIGGER automation_drop DISABLE;
SELECT * FROM ill;
DROP FUNCTION health.flow(health.item);
ALTER EVENT TRIGGER automation_drop ENABLE ALWAYS;
CALL automation.reconcile();
SELECT * FROM ill;
\c - health_owner
SET search_path = health, public;
CREATE FUNCTION flow(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF n;
  ENROLL AGAIN;
BEGIN
  INSERT INTO effect VALUES (i.id, 10 / i.n);
END $$;
CALL automation.run();
\c - postgres
SET search_path = public;
SET client_min_messages = error;
CALL automation.reconcile();
SELECT * FROM ill;

-- disarmed
UPDATE automation.engine SET armed = false;
SELECT * FROM ill;
CALL automation.arm();
SELECT * FROM ill WHERE code = 'disarmed';
UPDATE automation.engine SET abi = abi + 1;
SELECT * FROM ill WHERE code = 'library_mismatch';
UPDATE automation.engine SET abi = abi - 1;
SELECT * FROM ill;

-- strangers on the engine's tables
CREATE FUNCTION health.planted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER planted BEFORE INSERT ON automation.timer FOR EACH ROW EXECUTE FUNCTION health.planted();
CREATE TABLE health.refers (id bigint REFERENCES automation.enrollment);
CREATE RULE planted AS ON DELETE TO automation.wait DO ALSO NOTHING;
CREATE POLICY planted ON automation.call;
ALTER TABLE automation.ledger ENABLE ROW LEVEL SECURITY;
CREATE INDEX planted ON automation.parked (upper(reason));
CREATE TABLE health.child () INHERITS (automation.argument);
CREATE PUBLICATION planted FOR TABLE automation.history_00;
\x off
SELECT subject, problem, remedy FROM ill WHERE code = 'foreign_object';
\t on
\a
SELECT remedy FROM ill WHERE remedy ~ '^(DROP|ALTER)' \gexec
\a
\t off
SELECT subject, remedy FROM ill WHERE code = 'foreign_object';
\x on

-- space
ALTER TABLE automation.enrollment SET (autovacuum_enabled = false);
SELECT * FROM ill;
ALTER TABLE automation.enrollment RESET (autovacuum_enabled);
INSERT INTO automation.history_00 (at, owner, workflow, version, event) VALUES (automation.now() - '2 years'::interval, 0, 0, 0, 'entered');
SELECT code, subject, problem, remedy ~ '^as superuser: DELETE FROM automation.history_00 WHERE at < ' AS remedy FROM ill;
SELECT substr(remedy, 15) AS mend FROM automation.health() WHERE code = 'journal_not_emptied' \gset
:mend;
SELECT * FROM ill;

-- settings
SELECT severity, code, subject, problem, remedy FROM automation.health() WHERE subject = 'setting fsync';
SELECT count(*), count(remedy) FROM automation.health() WHERE code = 'virtual_clock';

-- who sees what
\c - health_owner
SET search_path = health, public;
CREATE FUNCTION late(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF n TO 7;
BEGIN
  INSERT INTO effect VALUES (i.id, 10 / (i.n - 7));
END $$;
UPDATE item SET n = 7 WHERE id = 1;
CALL automation.run();
CALL automation.advance('1 hour');
SELECT code, subject, problem FROM automation.health() WHERE code <> 'virtual_clock';
\c - health_other
SELECT code, subject, problem FROM automation.health() WHERE code <> 'virtual_clock';
SELECT * FROM automation.problem;
SELECT automation.health_facts();
SELECT automation.suspects();
\c - health_monitor
SELECT code, subject, problem FROM automation.health() WHERE code <> 'virtual_clock';

\c - postgres
SET client_min_messages = warning;
DROP VIEW ill;
DROP SCHEMA health CASCADE;
DROP OWNED BY health_owner, health_other;
DROP ROLE health_owner, health_other, health_monitor;
CALL automation.reconcile();
\x off
SELECT code, subject FROM automation.health() WHERE NOT (code = 'virtual_clock' OR subject = 'setting fsync');
