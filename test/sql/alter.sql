-- Types that change under what is stored: under changes not yet looked at, and
-- under the variables of those who wait. Whoever reads them gets the right value,
-- or the workflow is held; no value is ever taken for one of another type.
CREATE SCHEMA alter_types AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = alter_types; SET timezone = 'UTC';

CREATE TYPE pair AS (a text, b text);
CREATE TYPE nested AS (n int, p pair, ps pair[]);
CREATE TABLE item (id int PRIMARY KEY, n bigint, t text, x text, p pair, y text);
CREATE TABLE log (what text);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING what) SELECT what FROM d ORDER BY what $$;
CREATE VIEW flows AS
  SELECT name, hold, waiting, held FROM automation.workflows WHERE schema = 'alter_types' ORDER BY name;
CREATE VIEW inside AS
  SELECT workflow, subject_key AS id, state, reason, left(error, 90) AS error
  FROM automation.enrollments WHERE signature LIKE 'alter_types.%' ORDER BY workflow, subject_key;
CREATE VIEW not_entered AS
  SELECT workflow, subject_key, event, reason, detail ->> 'message' AS error FROM automation.journal
  WHERE event = 'not_entered' AND workflow IN (SELECT name FROM flows) ORDER BY workflow, subject_key, detail ->> 'message';

-- Changes that wait to be looked at. "any" is right with every type, "number"
-- and "word" only with theirs; "constant" has what capture compares.
CREATE FUNCTION w_any(i item, what text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE FOR SELECT new.id, concat_ws(' ', old.n, old.t, old.x, old.p, '>', new.n, new.t, new.x, new.p);
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES ('any ' || i.id || ': ' || what);
END $$;
CREATE FUNCTION w_number(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF n WHEN new.n > old.n + 1;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES ('number ' || i.id || ': ' || i.n);
END $$;
CREATE FUNCTION w_word(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF t WHEN new.t LIKE '4%';
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES ('word ' || i.id || ': ' || i.t);
END $$;
CREATE FUNCTION w_constant(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF n FROM 10 TO 20;
  AFTER UPDATE OF t FROM '41' TO '42';
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES ('constant ' || i.id);
END $$;
INSERT INTO item VALUES (1, 10, '41', 'x1', ('a', 'b')), (2, 9223372036854775806, '-2147483648', 'x2', ('c', 'd')), (3, 3, '3', 'x3', NULL);
CALL automation.run();
UPDATE item SET n = 20, t = '42', p.a = 'A' WHERE id = 1;
UPDATE item SET n = 9223372036854775807, t = '2147483647' WHERE id = 2;
ALTER TABLE item ALTER n TYPE text, ALTER t TYPE int USING t::int;
SELECT * FROM flows;
-- the same session captures with the new types
UPDATE item SET n = '3' || repeat('0', 300), t = 42 WHERE id = 3;
CALL automation.run();
SELECT left(logged, 60) FROM logged();
SELECT * FROM inside;
-- back: what could not be read before is read now
UPDATE item SET n = '7' WHERE id = 3;
ALTER TABLE item ALTER n TYPE bigint USING n::bigint, ALTER t TYPE text;
SELECT * FROM flows;
CALL automation.run();
SELECT left(logged, 60) FROM logged();

-- Within one transaction: captured with one type and with the other
UPDATE item SET n = 2, t = '2' WHERE id = 2;
CALL automation.run();
SELECT logged();
BEGIN;
UPDATE item SET n = 20, t = '41' WHERE id = 3;
ALTER TABLE item ALTER n TYPE numeric(30, 2), ALTER t TYPE varchar(12);
UPDATE item SET n = 10, t = '42' WHERE id = 3;
ALTER TABLE item ALTER n TYPE int, ADD COLUMN z int DEFAULT 5;
UPDATE item SET n = n + 10, z = 6 WHERE id = 3;
COMMIT;
CALL automation.run();
SELECT logged();

-- rewritten by ALTER TABLE, rows are no new ones; those made afterwards are
CREATE FUNCTION w_born(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  AFTER UPDATE OF y;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES ('born ' || i.id || ' ' || i.y);
END $$;
BEGIN;
UPDATE item SET y = 'first' WHERE id = 1;
ALTER TABLE item ALTER z TYPE bigint;
UPDATE item SET y = 'second' WHERE id = 2;
INSERT INTO item (id, y) VALUES (4, 'made'), (5, 'made');
UPDATE item SET y = 'third' WHERE id IN (1, 4);
DELETE FROM item WHERE id = 5;
UPDATE item SET y = NULL WHERE id = 2;
COMMIT;
CALL automation.run();
SELECT logged FROM logged() WHERE logged LIKE 'born%';
DELETE FROM item WHERE id = 4;
DROP FUNCTION w_born;

-- what never fitted into a bigint is not in the log, but the journal has it
CALL automation.advance('1 hour');
SELECT logged();
SELECT workflow, subject_key, event, reason, left(error, 80) AS error FROM not_entered;

-- A column goes, another of its name comes; one in front of others goes.
UPDATE item SET x = 'old', p = ('e', 'f') WHERE id = 1;
ALTER TABLE item DROP COLUMN x;
ALTER TABLE item ADD COLUMN x text[] DEFAULT '{new}';
SELECT * FROM flows;
UPDATE item SET x = '{newer}' WHERE id = 2;
CALL automation.run();
SELECT logged();
SELECT workflow, subject, state FROM automation.enrollments WHERE signature LIKE 'alter_types.%';
ALTER TABLE item DROP COLUMN x;
ALTER TABLE item ADD COLUMN x text;
CALL automation.advance('1 hour');
SELECT logged();
SELECT * FROM flows;

-- The type of a column loses an attribute and gets another.
UPDATE item SET p = ('g', 'h') WHERE id = 1;
ALTER TYPE pair DROP ATTRIBUTE a;
ALTER TYPE pair ADD ATTRIBUTE c text;
UPDATE item SET p.c = 'i' WHERE id = 2;
CALL automation.run();
SELECT logged();
CALL automation.advance('1 hour');
SELECT logged();
SELECT workflow, subject_key, reason, error FROM not_entered WHERE subject_key = '1';
DROP FUNCTION w_any, w_number, w_word, w_constant;

-- Variables and arguments of those who wait: of the table's type, of types of their own.
CREATE DOMAIN full_pair AS pair CHECK ((value).b IS NOT NULL);
CREATE FUNCTION pair_of(b text, c text) RETURNS pair LANGUAGE plpgsql AS $$
  DECLARE p pair; BEGIN p.b := b; p.c := c; RETURN p; END $$;
CREATE FUNCTION nested_of(n int, p pair) RETURNS nested LANGUAGE plpgsql AS $$
  DECLARE d nested; BEGIN d.n := n; d.p := p; d.ps := ARRAY[[p], [p]]; RETURN d; END $$;
CREATE FUNCTION sleeps(i item, given pair) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF n FOR SELECT new.id, pair_of('given b', 'given c');
  ENROLL AGAIN;
DECLARE
  row_of item;
  one pair := pair_of('B', 'C');
  many pair[] := ARRAY[pair_of('B1', 'C1'), NULL, pair_of('B "2"', NULL)];
  deep nested := nested_of(1, pair_of('B', 'C'));
  dom full_pair := pair_of('B', 'C');
  nothing pair;
BEGIN
  SELECT * INTO row_of FROM item WHERE id = i.id;
  WAIT UNTIL i.y = 'go' TIMEOUT '1 day';
  INSERT INTO log SELECT concat_ws(' ', 'row', i.id, row_of.id, row_of.n, row_of.t, row_of.p);
  INSERT INTO log SELECT concat_ws(' ', 'var', i.id, 'one', one, 'many', many, 'deep', deep, 'dom', dom, 'nothing', nothing, 'given', given);
END $$;
UPDATE item SET y = 'stay', n = 100 + id;
CALL automation.run();
SELECT * FROM not_entered;
SELECT vars -> 1 AS one, vars -> 2 AS many FROM automation.enrollments WHERE signature LIKE 'alter_types.%' AND subject_key = '1';
-- as it was
UPDATE item SET y = 'go' WHERE id = 1;
CALL automation.run();
SELECT logged();
-- columns and attributes of other types, in other places, fewer, more
ALTER TABLE item DROP COLUMN t, ALTER n TYPE text, DROP COLUMN z;
SELECT * FROM flows;
ALTER TYPE pair ADD ATTRIBUTE d int;
ALTER TYPE nested ALTER ATTRIBUTE n TYPE text;
ALTER TABLE item ADD COLUMN t text DEFAULT 'not what was';
SELECT * FROM flows;
UPDATE item SET y = 'go' WHERE id = 2;
CALL automation.run();
SELECT logged();
SELECT * FROM inside;
-- an attribute with a new name, or another one in its place: nobody guesses which
ALTER TYPE pair RENAME ATTRIBUTE c TO cc;
ALTER TABLE item DROP COLUMN x, ADD COLUMN later int DEFAULT 1;
UPDATE item SET y = 'go' WHERE id = 3;
CALL automation.run();
SELECT * FROM inside;
ALTER TYPE pair RENAME ATTRIBUTE cc TO c;
CALL automation.advance('1 hour');
SELECT * FROM inside;
ALTER TABLE item DROP COLUMN later;
SELECT automation.retry('sleeps');
CALL automation.run();
SELECT logged();
SELECT * FROM inside;
\c - postgres
SET client_min_messages = warning;
DROP SCHEMA alter_types CASCADE;
