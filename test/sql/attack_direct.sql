-- Attacks on statements that are run without the executor, from their third run
-- in a batch on: each has at least twenty items, in one batch as far
-- as time allows, and what comes out must not depend on where the batches end.
SET client_min_messages = warning;
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
CREATE ROLE tina LOGIN;
CREATE ROLE crew;
GRANT crew TO alice;
CREATE SCHEMA alice AUTHORIZATION alice;
CREATE SCHEMA bob AUTHORIZATION bob;
CREATE SCHEMA tina AUTHORIZATION tina;
GRANT USAGE ON SCHEMA tina TO PUBLIC;
GRANT USAGE ON SCHEMA alice TO crew;
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

-- 1. A row argument that is read only while another row of the same table is
-- being changed
\c - alice
\set VERBOSITY terse
SET search_path = alice;
SET client_min_messages = warning;
CREATE TABLE go (id int PRIMARY KEY, what text);
CREATE TABLE log (what text);
CREATE TABLE person (id int PRIMARY KEY, name text, code int UNIQUE, boss int REFERENCES person (code) ON UPDATE CASCADE, n int);
INSERT INTO person SELECT i, 'n' || i || repeat('x', 500), i, NULL FROM generate_series(1, 40) i;
CREATE FUNCTION pairs(g go, b person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON go FOR SELECT new.id, 20 + new.id;
BEGIN
  INSERT INTO log VALUES ('pair');
  UPDATE person SET name = left(name, 3) || left(b.name, 3), n = b.id WHERE id = g.id AND (b.id > 20 OR name IS NULL);
  INSERT INTO log VALUES ('pair');
  UPDATE person SET n = coalesce(n, 0) + b.id WHERE id = g.id AND left(name, 6) <> '' AND b.name <> '';
END $$;
INSERT INTO go SELECT i FROM generate_series(1, 20) i;
CALL automation.run();
SELECT count(*) AS right_ones FROM person WHERE id <= 20 AND n = 2 * (id + 20) AND name LIKE left('n' || id || 'xx', 3) || left('n' || id + 20 || 'xx', 3) || '%';
SELECT count(*) AS others FROM person WHERE id > 20 AND n IS NULL AND length(name) > 500;
DROP FUNCTION pairs;

-- 2. A function in the condition changes the argument's row: it is not the old
-- one that the next statement sees.  Neither when a foreign key does it, nor
-- when the statement itself gives the row another key.
CREATE FUNCTION sneak(who int) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN UPDATE alice.person SET name = 'sneaked' WHERE id = who; RETURN false; END$$;
CREATE FUNCTION sneaks(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF n TO 1;
BEGIN
  UPDATE person SET n = -1 WHERE id = p.id AND sneak(p.id);
  INSERT INTO log VALUES ('sneaks: ' || p.name);
END $$;
UPDATE person SET n = 1 WHERE id <= 20;
CALL automation.run();
SELECT what, count(*) FROM log WHERE what LIKE 'sneaks%' GROUP BY 1;
UPDATE person SET boss = code WHERE id <= 20;
CREATE FUNCTION cascades(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF n TO 2;
BEGIN
  UPDATE person SET code = code + 1000 WHERE id = p.id;
  INSERT INTO log VALUES ('cascades: ' || (p.boss = p.code)::text || ' ' || (p.code - p.id));
END $$;
UPDATE person SET n = 2 WHERE id <= 20;
CALL automation.run();
SELECT what, count(*) FROM log WHERE what LIKE 'cascades%' GROUP BY 1;
CREATE FUNCTION moves(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF n TO 3;
BEGIN
  UPDATE person SET id = id + 1000 WHERE id = p.id;
  INSERT INTO log VALUES ('moves: ' || coalesce(p.name, 'gone'));
END $$;
UPDATE person SET n = 3 WHERE id <= 20;
CALL automation.run();
SELECT what, count(*) FROM log WHERE what LIKE 'moves%' GROUP BY 1;
SELECT count(*) FROM person WHERE id > 1000;
DROP FUNCTION sneaks, cascades, moves;

-- 3. Functions in constraints, indexes, defaults and domains: called, as the
-- owner, who does not become anybody else; their errors are the statement's
CREATE TABLE seen (place text, cur text, ses text, tried text);
CREATE FUNCTION probe(place text, v int) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  tried text := 'DONE';
BEGIN
  BEGIN
    EXECUTE 'ALTER ROLE alice SUPERUSER';
  EXCEPTION WHEN OTHERS THEN
    tried := SQLSTATE;
  END;
  IF v = 13 THEN
    RAISE EXCEPTION 'thirteen in %', place;
  END IF;
  INSERT INTO alice.seen VALUES (place, current_user, session_user, tried);
  RETURN true;
END $$;
CREATE FUNCTION pure(place text, v int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN alice.probe(place, v); END$$;
CREATE DOMAIN probed AS int CHECK (probe('domain', VALUE));
CREATE TABLE guarded (id int PRIMARY KEY, d probed DEFAULT CASE WHEN probe('default', 0) THEN 1 END, n int,
                      CONSTRAINT checked CHECK (probe('check', n)));
CREATE INDEX ON guarded (pure('index', n));
CREATE TABLE later (id int REFERENCES guarded DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION writes(g go) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF what TO 'write';
  ENROLL AGAIN;
BEGIN
  INSERT INTO later VALUES (g.id);
  INSERT INTO guarded (id, n) VALUES (g.id, g.id);
  UPDATE guarded SET n = n + 100, d = 2 WHERE id = g.id;
END $$;
UPDATE go SET what = 'write';
CALL automation.run();
CALL automation.advance('1 hour');
SELECT count(*), sum(n), sum(d) FROM guarded;
SELECT DISTINCT * FROM seen ORDER BY 1;
SELECT subject_key, state, error FROM automation.enrollments WHERE workflow = 'writes';
SELECT count(*) AS pairs FROM later JOIN guarded USING (id);
DROP FUNCTION writes;

-- 4. The owner of the table changes rights, triggers and policies in the middle
-- of a batch, by a function: from the next statement on it holds
\c - tina
SET search_path = tina;
CREATE TABLE safe (id int PRIMARY KEY, note text);
GRANT SELECT, INSERT, UPDATE ON safe TO alice;
CREATE FUNCTION act(what text) RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN EXECUTE what; RETURN 1; END$$;
CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.note := NEW.note || ', seen by the trigger'; RETURN NEW; END$$;
\c - alice
\set VERBOSITY terse
SET search_path = alice;
SET client_min_messages = warning;
CREATE FUNCTION insert_it(g go) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF what;
  ENROLL AGAIN;
DECLARE
  n int;
BEGIN
  INSERT INTO tina.safe VALUES (g.id, 'inserted');
  IF g.id = 10 THEN
    SELECT tina.act(g.what) INTO n;
  END IF;
END $$;
UPDATE go SET what = 'REVOKE INSERT ON tina.safe FROM alice';
CALL automation.run();
SELECT max(id), count(*) FROM tina.safe;
CALL automation.advance('1 day');
SELECT count(*), min(error) FROM automation.enrollments WHERE workflow = 'insert_it' AND state = 'failed';
DROP FUNCTION insert_it;
\c - tina
GRANT INSERT ON tina.safe TO alice;
INSERT INTO tina.safe SELECT i, '-' FROM generate_series(1, 20) i ON CONFLICT DO NOTHING;
\c - alice
\set VERBOSITY terse
SET search_path = alice;
SET client_min_messages = warning;
CREATE FUNCTION update_it(g go) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF what;
  ENROLL AGAIN;
DECLARE
  n int;
BEGIN
  UPDATE tina.safe SET note = 'updated' WHERE id = g.id;
  IF g.id = 10 THEN
    SELECT tina.act(g.what) INTO n;
  END IF;
END $$;
UPDATE go SET what = 'CREATE TRIGGER spoil BEFORE UPDATE ON tina.safe FOR EACH ROW EXECUTE FUNCTION tina.spoil()';
CALL automation.run();
SELECT note, min(id), max(id) FROM tina.safe GROUP BY 1 ORDER BY 2;
UPDATE go SET what = 'DROP TRIGGER spoil ON tina.safe; CREATE RULE off AS ON UPDATE TO tina.safe WHERE OLD.id > 15 DO INSTEAD NOTHING;
  CREATE POLICY p ON tina.safe USING (id > 12); ALTER TABLE tina.safe ENABLE ROW LEVEL SECURITY';
UPDATE tina.safe SET note = '-';
CALL automation.run();
\c - tina
SELECT note, min(id), max(id) FROM tina.safe GROUP BY 1 ORDER BY 2;
\c - alice
\set VERBOSITY terse
SET search_path = alice;
SELECT count(*) FROM automation.enrollments WHERE workflow = 'update_it';
DROP FUNCTION update_it;

-- 5. A step takes another role: what follows in the item runs with its rights,
-- what comes after the item does not
CREATE FUNCTION become(who text) RETURNS int LANGUAGE plpgsql AS $$BEGIN PERFORM set_config('role', who, false); RETURN 1; END$$;
CREATE TABLE mine (id int, who text DEFAULT current_user);
CREATE FUNCTION changes(g go) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF what TO 'role';
DECLARE
  n int;
BEGIN
  IF g.id = 10 THEN
    SELECT become('crew') INTO n;
  END IF;
  INSERT INTO alice.mine (id) VALUES (g.id);
END $$;
UPDATE go SET what = 'role';
CALL automation.run();
CALL automation.advance('1 hour');
SELECT who, count(*) FROM mine GROUP BY 1;
SELECT subject_key, state, error FROM automation.enrollments WHERE workflow = 'changes';

-- The neighbour lives
\c - bob
SET search_path = bob;
INSERT INTO pulse VALUES (1);
CALL automation.run();
CALL automation.advance('1 hour');
SELECT * FROM beat ORDER BY 1;
SELECT rolsuper FROM pg_roles WHERE rolname = 'alice';
\c - postgres
SET client_min_messages = warning;
DROP SCHEMA alice, bob, tina CASCADE;
DROP OWNED BY alice, bob, tina, crew;
DROP ROLE alice, bob, tina, crew;
