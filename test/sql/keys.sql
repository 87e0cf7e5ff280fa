-- Keys of every kind: of the subject, of other arguments, in PER, in commands;
-- rows that change their key; rows of partitioned tables.
CREATE SCHEMA keys AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = keys; SET timezone = 'UTC';

CREATE TABLE log (what text);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING what) SELECT what FROM d ORDER BY what $$;
CREATE VIEW standing AS
  SELECT workflow, left(subject, 60) AS subject, left(subject_key, 30) AS subject_key, left(entry_key, 30) AS entry_key, state
  FROM automation.enrollments
  WHERE workflow IN (SELECT name FROM automation.workflows WHERE schema = 'keys') ORDER BY workflow, enrollments.subject_key, enrollments.entry_key;
CREATE VIEW ends AS
  SELECT workflow, left(subject_key, 30) AS subject_key, event, reason FROM automation.journal
  WHERE event IN ('not_entered', 'ended') AND workflow IN (SELECT name FROM automation.workflows WHERE schema = 'keys')
  ORDER BY at, position;

CREATE TABLE by_bigint (id bigint PRIMARY KEY, v int);
CREATE TABLE by_uuid (id uuid PRIMARY KEY, v int);
CREATE TABLE by_text (id text PRIMARY KEY, v int);
CREATE TABLE by_date (id date PRIMARY KEY, v int);
CREATE TABLE by_time (id timestamptz PRIMARY KEY, v int);
CREATE TABLE by_two (b text, a int, v int, PRIMARY KEY (a, b));
CREATE TABLE by_number (id numeric PRIMARY KEY, v int);

-- The same for each of them: enter, wake by a change, take out, delete.
SELECT format('CREATE FUNCTION w_%1$s(r %1$s) RETURNS bigint LANGUAGE workflow AS $w$
  AFTER INSERT; ENROLL AGAIN; EXIT WHEN r.v < 0;
BEGIN
  INSERT INTO log VALUES (%1$L || left(%2$s, 40));
  WAIT UNTIL r.v > 5;
  INSERT INTO log VALUES (%1$L || left(%2$s, 40) || %3$L || r.v);
END $w$', t, key, ' has ') AS command
FROM (VALUES ('by_bigint', 'r.id::text'), ('by_uuid', 'r.id::text'), ('by_text', 'r.id'), ('by_date', 'r.id::text'),
             ('by_time', 'r.id::text'), ('by_two', 'r.a || r.b'), ('by_number', 'r.id::text')) x (t, key) \gexec
INSERT INTO by_bigint VALUES (-9223372036854775808, 0), (9223372036854775807, 0), (0, 0), (7, 0);
INSERT INTO by_uuid SELECT ('00000000-0000-0000-0000-00000000000' || g)::uuid, 0 FROM generate_series(1, 4) g;
INSERT INTO by_text VALUES ('it''s "quoted" \ [1, null], äöü ' || E'\t\n' || U&'\+01F600', 0), (repeat('long ', 100), 0),
  (repeat('long ', 100) || 'er', 0), ('', 0);
INSERT INTO by_date SELECT date '2024-02-28' + g, 0 FROM generate_series(1, 4) g;
INSERT INTO by_time SELECT timestamptz '2024-02-28 12:34:56.789012+00' + g * interval '1 day', 0 FROM generate_series(1, 4) g;
INSERT INTO by_two VALUES ('x', 1, 0), ('x, y', 2, 0), ('"', 3, 0), ('1', 1, 0);
INSERT INTO by_number VALUES (1.50, 0), (-0.001, 0), (1e20, 0), ('NaN', 0);
CALL automation.run();
SELECT count(*) FROM logged();
SELECT * FROM standing WHERE workflow <> 'w_by_text';
SELECT length(subject_key), length(entry_key), left(entry_key, 9) = '#' || left(encode(sha256(k.key), 'hex'), 8) AS hashed
FROM automation.enrollments, LATERAL (SELECT convert_to(jsonb_build_array(subject_key)::text, 'UTF8')) k (key)
WHERE workflow = 'w_by_text' ORDER BY 1;
SET datestyle = 'German';
SET timezone = 'Asia/Tokyo';
UPDATE by_bigint SET v = 6 WHERE id <> 0;
UPDATE by_uuid SET v = 6 WHERE id <> '00000000-0000-0000-0000-000000000001';
UPDATE by_text SET v = 6 WHERE id <> '';
UPDATE by_date SET v = 6 WHERE id <> '2024-02-29';
UPDATE by_time SET v = 6 WHERE id < '2024-03-02';
UPDATE by_two SET v = 6 WHERE b <> 'x';
UPDATE by_number SET v = 6 WHERE id <> 1e20;
SET datestyle = 'ISO';
CALL automation.run();
SET timezone = 'UTC';
SELECT count(*), min(what), max(what) FROM logged() what WHERE what LIKE '% has 6';
SELECT subject_key FROM standing ORDER BY 1;
-- Commands find them by row or key.
SELECT automation.unenroll('w_by_bigint', 0), automation.unenroll('w_by_uuid', '00000000-0000-0000-0000-000000000001'::uuid),
  automation.unenroll('w_by_text', ''::text), automation.unenroll('w_by_date', date '2024-02-29'),
  automation.unenroll('w_by_number', 100000000000000000000.0);
SELECT automation.unenroll('w_by_two', r), automation.unenroll('w_by_two', 1) FROM by_two r WHERE b = 'x';
SELECT automation.unenroll('w_by_two', r) FROM by_two r WHERE b = 'x';
CALL automation.run();
SELECT * FROM standing;
SELECT * FROM ends WHERE reason <> 'completed';
-- A numeric may be written in several ways; enrollments go by the one that is stored.
SELECT w_by_number(r) > 0 FROM by_number r WHERE id = 1.5;
UPDATE by_number SET v = 0;
CALL automation.run();
UPDATE by_number SET id = 1.5000 WHERE id = 1.5;
UPDATE by_number SET v = -1 WHERE id = 1.5;
CALL automation.run();
SELECT * FROM standing;
DROP TABLE by_bigint, by_uuid, by_text, by_date, by_time, by_two, by_number CASCADE;

-- A row changes its key: what is kept of it follows, its place in other workflows and in the ledger too.
CREATE TABLE person (id int PRIMARY KEY, name text, v int);
CREATE TABLE deal (id int PRIMARY KEY, person int, v int);
CREATE FUNCTION once(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF name;
BEGIN
  INSERT INTO log VALUES ('once ' || p.id);
  WAIT UNTIL p.v = 1;
  INSERT INTO log VALUES ('once has v ' || p.id);
END $$;
CREATE FUNCTION pairs(p person, d deal, n int DEFAULT 1) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF person ON deal FOR SELECT new.person, new.id;
  ENROLL ONCE PER p, d;
BEGIN
  INSERT INTO log VALUES (concat_ws(' ', 'pair', p.id, p.name, d.id, n));
  WAIT UNTIL d.v = 1;
  INSERT INTO log VALUES (concat_ws(' ', 'pair has v', p.id, p.name, d.id, n));
END $$;
INSERT INTO person VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO deal VALUES (1, 1), (2, 1), (3, 2);
CALL automation.run();
SELECT logged();
UPDATE person SET id = 11 WHERE id = 1;
UPDATE deal SET person = 11 WHERE person = 1;
CALL automation.run();
SELECT logged();
SELECT * FROM standing;
SELECT args FROM automation.enrollments WHERE workflow = 'pairs' ORDER BY args;
UPDATE deal SET id = 21 WHERE id = 2;
UPDATE deal SET v = 1;
UPDATE person SET v = 1, name = 'Anna' WHERE id = 11;
CALL automation.run();
SELECT logged();
-- They were in: not again under the new key; the old key is new.
UPDATE person SET name = 'Ann' WHERE id = 11;
INSERT INTO person VALUES (1, 'Al');
UPDATE deal SET person = 2 WHERE id = 21;
UPDATE deal SET person = 11 WHERE id = 21;
CALL automation.run();
SELECT logged();
SELECT * FROM ends WHERE event = 'not_entered';
-- Swapped by way of a third key, in one transaction.
UPDATE person SET v = NULL;
INSERT INTO person VALUES (5, 'Eve'), (6, 'Fay');
CALL automation.run();
SELECT logged();
BEGIN;
UPDATE person SET id = 7 WHERE id = 5;
UPDATE person SET id = 5 WHERE id = 6;
UPDATE person SET id = 6 WHERE id = 7;
COMMIT;
UPDATE person SET v = 1 WHERE name = 'Eve';
CALL automation.run();
SELECT logged();
SELECT * FROM standing WHERE workflow = 'once';
DROP TABLE person, deal CASCADE;

-- A partitioned table: its rows are one table's wherever they lie.
CREATE TABLE part (id int, region text, v int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_eu PARTITION OF part FOR VALUES IN ('eu');
CREATE TABLE part_us PARTITION OF part FOR VALUES IN ('us');
CREATE FUNCTION on_part(p part) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT FOR SELECT new;
  AFTER UPDATE OF v TO 3;
BEGIN
  INSERT INTO log VALUES (concat_ws(' ', p.id, p.region));
  WAIT UNTIL p.v = 1;
  INSERT INTO log VALUES (concat_ws(' ', p.id, p.region, 'has 1'));
END $$;
INSERT INTO part VALUES (1, 'eu'), (2, 'us');
INSERT INTO part_eu VALUES (3, 'eu');
CREATE TABLE part_as PARTITION OF part FOR VALUES IN ('as');
INSERT INTO part VALUES (4, 'as');
CALL automation.run();
SELECT logged();
-- A move to another partition is an update of the key, no delete and no insert.
UPDATE part SET region = 'us' WHERE id = 1;
UPDATE part SET region = 'eu', v = 1 WHERE id = 2;
UPDATE part_eu SET v = 1 WHERE id = 3;
CALL automation.run();
SELECT logged();
SELECT * FROM standing;
DELETE FROM part_us WHERE id = 1;
ALTER TABLE part DETACH PARTITION part_as;
UPDATE part_as SET v = 1;
CALL automation.run();
SELECT logged();
SELECT * FROM ends;
\c - postgres
SET client_min_messages = warning;
DROP SCHEMA keys CASCADE;
