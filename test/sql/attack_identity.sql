-- Attacks on identity: every way by which a step could become somebody else,
-- leave something behind for the next one, or read what is not its owner's.
-- Each part ends by showing that nothing was gained and that a neighbour's
-- enrollments go on.
SET client_min_messages = warning;
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
CREATE ROLE tina LOGIN;
CREATE ROLE chief LOGIN;
CREATE SCHEMA alice AUTHORIZATION alice;
CREATE SCHEMA bob AUTHORIZATION bob;
CREATE SCHEMA tina AUTHORIZATION tina;
GRANT USAGE ON LANGUAGE workflow TO alice, bob;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO alice, bob;

-- What is wrong with a session, told by whoever runs: one line per place.
CREATE SCHEMA gain;
GRANT USAGE ON SCHEMA gain TO PUBLIC;
CREATE TABLE gain.seen (n bigint GENERATED ALWAYS AS IDENTITY, place text, cur text, ses text, super text, tried text);
GRANT INSERT, SELECT ON gain.seen TO PUBLIC;
CREATE FUNCTION gain.try(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE command;
  RETURN 'DONE: ' || command;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;
CREATE FUNCTION gain.probe(place text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  tried text;
BEGIN
  tried := concat_ws(' ', gain.try('SET SESSION AUTHORIZATION postgres'), gain.try('SET ROLE postgres'),
                     gain.try('SET ROLE bob'), gain.try('ALTER ROLE alice SUPERUSER'));
  INSERT INTO gain.seen (place, cur, ses, super, tried)
    VALUES (place, current_user, session_user, current_setting('is_superuser'), tried);
  RETURN true;
END $$;
-- The same, telling the planner a lie.
CREATE FUNCTION gain.pure(place text, row_id int DEFAULT 0) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN gain.probe(place);
END $$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA gain TO PUBLIC;

-- The neighbour.
\c - bob
SET search_path = bob;
CREATE TABLE pulse (id int PRIMARY KEY);
CREATE TABLE beat (id int);
CREATE FUNCTION steady(p pulse) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '1 hour';
  INSERT INTO beat VALUES (p.id);
END $$;

-- 1. The probe in a step, a deferred trigger, a check, a policy, a default, a
-- condition, a loop guard's key and a cursor that outlives the transaction.
\c - alice
SET search_path = alice;
CREATE TABLE person (id int PRIMARY KEY, name text);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED,
                    d boolean DEFAULT gain.probe('default'), CHECK (gain.probe('check')));
ALTER TABLE child ENABLE ROW LEVEL SECURITY;
ALTER TABLE child FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON child USING (gain.probe('policy'));
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM gain.probe('deferred trigger'); RETURN NULL; END$$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON child DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
CREATE FUNCTION hold() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 'DECLARE h CURSOR WITH HOLD FOR SELECT gain.probe(''held cursor'') FROM generate_series(1, 1)';
  RETURN 1;
END $$;
CREATE FUNCTION all_places(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN gain.probe('when');
  ENROLL ONCE PER p.id, gain.probe('per');
  EXIT WHEN NOT gain.pure('exit') OR NOT gain.pure('exit of a row', p.id);
DECLARE
  n int := CASE WHEN gain.probe('declare') THEN 1 END;
BEGIN
  INSERT INTO child VALUES (p.id);
  INSERT INTO parent VALUES (p.id);
  SELECT hold() INTO n;
  WAIT FOR CASE WHEN gain.probe('wait') THEN interval '1 hour' END;
  WAIT UNTIL gain.pure('until', p.id);
  IF gain.probe('if') THEN
    n := 2;
  END IF;
END $$;
INSERT INTO person VALUES (1, 'Ann');
CALL automation.run();
CALL automation.advance('2 hours');
CLOSE ALL;
SELECT DISTINCT place, cur, ses, super, tried FROM gain.seen ORDER BY 1;
SELECT event, reason FROM automation.journal WHERE workflow = 'all_places' ORDER BY at, position;
SELECT * FROM child, parent WHERE child.id = parent.id;

-- 2. A function of somebody who trusts session_user, and a policy that does.
\c - postgres
CREATE TABLE gain.payroll (who name, amount int);
INSERT INTO gain.payroll VALUES ('alice', 1), ('postgres', 1000000);
ALTER TABLE gain.payroll ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gain.payroll USING (who = session_user);
GRANT SELECT ON gain.payroll TO alice;
CREATE FUNCTION gain.trusting() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN session_user = 'postgres' THEN 'the secret' ELSE 'nothing for ' || session_user END $$;
\c - alice
SET search_path = alice;
CREATE TABLE told (what text);
CREATE FUNCTION deceive(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
BEGIN
  INSERT INTO told SELECT gain.trusting();
  INSERT INTO told SELECT 'sum ' || sum(amount) FROM gain.payroll;
END $$;
UPDATE person SET name = 'Anna';
CALL automation.run();
SELECT * FROM told;
DROP FUNCTION deceive;

-- 3. run() as somebody else: after SET ROLE, in a SECURITY DEFINER procedure,
-- in a transaction, with temporary objects.
\c - postgres
GRANT alice TO chief;
CREATE PROCEDURE gain.run_as_definer() LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN CALL automation.run(); END$$;
\c - chief
SET ROLE alice;
CALL automation.run();
RESET ROLE;
SELECT gain.try('CALL gain.run_as_definer()');
BEGIN;
CALL automation.run();
ROLLBACK;
DO $$BEGIN CALL automation.run(); END$$;
CREATE TEMP TABLE pulse (id int);
CALL automation.run();
DROP TABLE pulse;
CALL automation.run();
CALL automation.advance('1 hour');
CALL automation.arm();
CALL automation.reconcile();
\c - postgres
SET SESSION AUTHORIZATION alice;
CALL automation.run();
RESET SESSION AUTHORIZATION;
CALL automation.run();

-- 4. What a step leaves behind is gone in the next one: settings, roles,
-- cursors.  Even if a deferred trigger did it.
\c - postgres
CREATE ROLE crew;
GRANT crew TO alice;
\c - alice
SET search_path = alice;
CREATE TABLE left_behind (step text, tenant text, role text, cursors bigint, path text, style text);
CREATE TABLE litter (id int);
CREATE FUNCTION dirty() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('role', 'crew', false), set_config('app.tenant', 'from the trigger', false);
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER dirty AFTER INSERT ON litter DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dirty();
CREATE FUNCTION soil() RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  c refcursor := 'mine';
BEGIN
  PERFORM set_config('app.tenant', 'theirs', false), set_config('search_path', 'tina', false),
          set_config('DateStyle', 'German', false), set_config('lock_timeout', '0', false);
  PERFORM pg_advisory_unlock_all();
  EXECUTE 'SET SESSION ROLE crew';
  RETURN 1;
END $$;
CREATE FUNCTION soils(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
  ENROLL AGAIN;
DECLARE
  n int;
BEGIN
  INSERT INTO alice.left_behind SELECT 'first of ' || p.id, current_setting('app.tenant', true), current_user,
    (SELECT count(*) FROM pg_cursors WHERE name = 'mine'), current_setting('search_path'), current_setting('DateStyle');
  INSERT INTO alice.litter VALUES (p.id);
  SELECT soil() INTO n;
END $$;
INSERT INTO person VALUES (2, 'Bea'), (3, 'Cid');
CALL automation.run();
UPDATE person SET name = name || '!';
CALL automation.run();
SELECT * FROM left_behind ORDER BY step;
SELECT current_user, session_user, current_setting('app.tenant', true) AS tenant;
SELECT event, reason, detail ->> 'message' AS message FROM automation.journal
WHERE workflow = 'soils' AND event NOT IN ('entered', 'ended') ORDER BY at, position;
DROP FUNCTION soils;

-- 5. A trojan trigger of the table's owner runs as the workflow's owner, who
-- was told; a superuser's workflow does not exist at all.
\c - tina
SET search_path = tina;
CREATE TABLE contact (id int PRIMARY KEY, name text);
CREATE FUNCTION trojan() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM gain.probe('trojan'); RETURN NEW; END$$;
CREATE TRIGGER trojan BEFORE UPDATE ON contact FOR EACH ROW EXECUTE FUNCTION trojan();
GRANT USAGE ON SCHEMA tina TO alice;
GRANT SELECT, UPDATE, INSERT, TRIGGER ON contact TO alice;
\c - alice
SET search_path = alice;
CREATE FUNCTION lured(c tina.contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  UPDATE tina.contact SET name = 'x' WHERE id = c.id;
END $$;
INSERT INTO tina.contact VALUES (1);
CALL automation.run();
SELECT place, cur, ses, super, tried FROM gain.seen WHERE place = 'trojan';
\c - postgres
SET search_path = tina;
CREATE FUNCTION by_super(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  UPDATE contact SET name = 'x' WHERE id = c.id;
END $$;
ALTER ROLE alice SUPERUSER;
\c - alice
SET search_path = alice;
INSERT INTO tina.contact VALUES (2);
CALL automation.run();
SELECT id, name FROM tina.contact ORDER BY id;
SELECT parked FROM automation.stat WHERE owner = 'alice'::regrole;
\c - postgres
ALTER ROLE alice NOSUPERUSER;
\c - alice
CALL automation.advance('1 hour');
SELECT id, name FROM tina.contact ORDER BY id;
\c - postgres
ALTER FUNCTION alice.lured(tina.contact) OWNER TO postgres;
SELECT name, owner, hold, active FROM automation.workflows WHERE name = 'lured';
\c - alice
INSERT INTO tina.contact VALUES (3);
CALL automation.run();
\c - postgres
CALL automation.run();
SELECT id, name FROM tina.contact ORDER BY id;

-- 6. Nothing was gained, and the neighbour's enrollments went on all the time.
\c - bob
SET search_path = bob;
INSERT INTO pulse VALUES (1);
CALL automation.run();
CALL automation.advance('1 hour');
SELECT * FROM beat;
SELECT count(*) AS gained FROM gain.seen WHERE cur <> 'alice' OR ses <> 'alice' OR super <> 'off' OR tried LIKE '%DONE%';

\c - postgres
SET client_min_messages = warning;
DROP SCHEMA alice, bob, tina, gain CASCADE;
DROP OWNED BY alice, bob, tina, chief, crew;
DROP ROLE alice, bob, tina, chief, crew;
