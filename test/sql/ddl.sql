-- Changes of what workflows use: nobody is hindered, nothing goes on silently.
CREATE DATABASE ddl;
CREATE ROLE ddl_ann LOGIN;
CREATE ROLE ddl_ben LOGIN;
\c ddl
CREATE EXTENSION automation;
GRANT USAGE ON LANGUAGE workflow TO ddl_ann, ddl_ben;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO ddl_ann, ddl_ben;
CREATE SCHEMA ddl AUTHORIZATION ddl_ann;
\c - ddl_ann
SET search_path = ddl;
CREATE TABLE contact (id int PRIMARY KEY, name text, score int DEFAULT 0, city text DEFAULT 'Rome', note text);
CREATE TABLE log (n int GENERATED ALWAYS AS IDENTITY, what text);

-- What was logged since the last look.
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING n, what) SELECT what FROM d ORDER BY n $$;
CREATE VIEW state AS
  SELECT name, version, hold, hold_detail, waiting, held FROM automation.workflows ORDER BY name;

-- Watches two columns and reads a third.
CREATE FUNCTION rate(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF city WHEN new.city = 'Rome';
BEGIN
  WAIT UNTIL c.score > 50;
  INSERT INTO log (what) VALUES ('score of ' || c.name);
END $$;
CREATE FUNCTION call(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '1 day';
  INSERT INTO log (what) VALUES ('name ' || upper(c.name));
END $$;
INSERT INTO contact VALUES (1, 'Ann'), (2, 'Bob');
CALL automation.run();
SELECT * FROM state;

-- A column nobody uses goes quietly, without CASCADE; so does adding one.
ALTER TABLE contact DROP COLUMN note;
ALTER TABLE contact ADD COLUMN note int;
ALTER TABLE contact ALTER COLUMN note TYPE bigint;
SELECT * FROM state;
UPDATE contact SET score = 60 WHERE id = 1;
CALL automation.run();
SELECT logged();

-- A watched column goes as well, with a warning for its user alone.
ALTER TABLE contact DROP COLUMN score;
SELECT * FROM state;
INSERT INTO contact VALUES (3, 'Cid');
UPDATE contact SET name = 'Bea' WHERE id = 2;
CALL automation.run();
SELECT workflow, subject, state, reason FROM automation.enrollments ORDER BY 1, 2;
-- time passes for the other one
CALL automation.advance('2 days');
SELECT logged();
-- the column comes back, and with it the workflow, nobody lost
ALTER TABLE contact ADD COLUMN score int DEFAULT 0;
SELECT * FROM state;
CALL automation.run();
UPDATE contact SET score = 60;
CALL automation.run();
SELECT logged();

-- A new type that fits is no matter; one that does not holds it.
INSERT INTO contact VALUES (4, 'Dan');
CALL automation.run();
ALTER TABLE contact ALTER COLUMN score TYPE numeric;
ALTER TABLE contact ALTER COLUMN city TYPE varchar(20);
SELECT * FROM state;
ALTER TABLE contact ALTER COLUMN score DROP DEFAULT, ALTER COLUMN score TYPE point USING NULL;
SELECT * FROM state;
UPDATE contact SET score = point(60, 60);
CALL automation.run();
SELECT logged();
-- a migration goes on with the function: the new version is for those who come
CREATE OR REPLACE FUNCTION rate(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF city WHEN new.city = 'Rome';
BEGIN
  WAIT UNTIL c.score[0] > 50;
  INSERT INTO log (what) VALUES ('point of ' || c.name);
END $$;
SELECT * FROM state;
INSERT INTO contact VALUES (5, 'Eve', 'Rome', NULL, point(70, 0)), (6, 'Fay', 'Rome', NULL, point(7, 0));
CALL automation.run();
SELECT logged();
SELECT workflow, subject, version, state, reason FROM automation.enrollments WHERE workflow = 'rate' ORDER BY 2;
-- whoever stands on a version that is not valid goes on when that is again
ALTER TABLE contact ALTER COLUMN score TYPE int USING 60;
SELECT * FROM state;
CALL automation.run();
SELECT logged();
CREATE OR REPLACE FUNCTION rate(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF city WHEN new.city = 'Rome';
BEGIN
  WAIT UNTIL c.score > 50;
  INSERT INTO log (what) VALUES ('again of ' || c.name);
END $$;
SELECT * FROM state;
CALL automation.run();
SELECT logged();

-- Renames: a column's is a change, a table's and a schema's are followed.
ALTER TABLE contact RENAME COLUMN city TO town;
SELECT * FROM state;
ALTER TABLE contact RENAME COLUMN town TO city;
SELECT * FROM state;
ALTER TABLE contact RENAME TO person;
SELECT name, signature, version, hold FROM automation.workflows ORDER BY 1;
ALTER FUNCTION call(person) RENAME TO shout;
SELECT name, signature, version, hold FROM automation.workflows ORDER BY 1;
INSERT INTO person (id, name) VALUES (7, 'Gil');
CALL automation.advance('1 day');
SELECT logged();

-- All of it is undone with the transaction.
BEGIN;
ALTER TABLE person DROP COLUMN city;
SELECT name, hold FROM automation.workflows ORDER BY 1;
ROLLBACK;
SELECT name, hold FROM automation.workflows ORDER BY 1;
BEGIN;
DROP TABLE person CASCADE;
SELECT name FROM automation.workflows ORDER BY 1;
ROLLBACK;
SELECT name, version, entered, waiting FROM automation.workflows ORDER BY 1;
INSERT INTO person (id, name, score) VALUES (8, 'Hal', 99);
CALL automation.run();
SELECT logged();

-- A helper function of a workflow
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE RETURN 2 * $1;
CREATE FUNCTION double(c person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score;
BEGIN
  INSERT INTO log (what) VALUES ('twice ' || twice(c.score));
END $$;
DROP FUNCTION twice(int);
UPDATE person SET score = 4 WHERE id = 8;
CALL automation.run();
SELECT name, hold FROM automation.workflows WHERE name = 'double';
SELECT workflow, state, error FROM automation.enrollments WHERE workflow = 'double';
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE RETURN 2 * $1;
CALL automation.run();
SELECT automation.retry(id) FROM automation.enrollments WHERE workflow = 'double';
CALL automation.run();
SELECT logged();

-- DROP OWNED: the workflows of one role go, with all that hangs on them; those
-- of others stay.
GRANT USAGE ON SCHEMA ddl TO ddl_ben;
GRANT SELECT, TRIGGER ON person TO ddl_ben;
GRANT INSERT ON log TO ddl_ben;
\c - postgres
CREATE SCHEMA ben AUTHORIZATION ddl_ben;
\c - ddl_ben
SET search_path = ben;
CREATE FUNCTION watch(p ddl.person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '1 day';
  INSERT INTO ddl.log (what) VALUES ('watched ' || p.name);
END $$;
\c - ddl_ann
SET search_path = ddl;
INSERT INTO person (id, name) VALUES (9, 'Ina');
CALL automation.run();
\c - ddl_ben
CALL automation.run();
SELECT workflow, subject FROM automation.enrollments;
\c - postgres
DROP OWNED BY ddl_ben;
SELECT workflow, subject FROM automation.enrollments WHERE owner = 'ddl_ben'::regrole;
SELECT signature FROM automation.workflow ORDER BY 1;
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgfoid = 'automation.capture'::regproc ORDER BY 2;
SELECT o.role, count(t) AS timers, count(r) AS rules FROM automation.owner o
LEFT JOIN automation.timer t ON t.owner = o.id LEFT JOIN automation.rule r ON r.owner = o.id
WHERE o.role = 'ddl_ben'::regrole GROUP BY 1;
DROP ROLE ddl_ben;
\c - ddl_ann
SET search_path = ddl;
CALL automation.advance('2 days');
SELECT logged();

-- DROP OWNED of the table's owner takes everything.
\c - postgres
DROP OWNED BY ddl_ann;
SELECT count(*) FROM automation.workflows;
SELECT (SELECT count(*) FROM automation.enrollment) AS enrollments, (SELECT count(*) FROM automation.timer) AS timers,
       (SELECT count(*) FROM automation.rule) AS rules, (SELECT count(*) FROM automation.source) AS sources,
       (SELECT count(*) FROM automation.ledger) AS ledger, (SELECT count(*) FROM automation.parked) AS parked;

-- DROP EXTENSION wants CASCADE, for workflows and triggers need it; then it is
-- as if it had never been there.
GRANT USAGE ON LANGUAGE workflow TO ddl_ann;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO ddl_ann;
CREATE SCHEMA ddl AUTHORIZATION ddl_ann;
\c - ddl_ann
SET search_path = ddl;
CREATE TABLE contact (id int PRIMARY KEY, name text);
CREATE TABLE log (n int GENERATED ALWAYS AS IDENTITY, what text);
CREATE FUNCTION hello(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO log (what) VALUES ('hello ' || c.name);
END $$;
INSERT INTO contact VALUES (1, 'Ann');
\c - postgres
DROP EXTENSION automation;
SET client_min_messages = warning;
DROP EXTENSION automation CASCADE;
RESET client_min_messages;
SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal;
SELECT count(*) FROM pg_event_trigger;
SELECT count(*) FROM pg_namespace WHERE nspname = 'automation';
INSERT INTO ddl.contact VALUES (2, 'Bob');
CREATE EXTENSION automation;
GRANT USAGE ON LANGUAGE workflow TO ddl_ann;
\c - ddl_ann
SET search_path = ddl;
CREATE FUNCTION hello(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO log (what) VALUES ('hello ' || c.name);
END $$;
INSERT INTO contact VALUES (3, 'Cid');
CALL automation.run();
SELECT what FROM log;

\c regression postgres
DROP DATABASE ddl;
DROP ROLE ddl_ann;
