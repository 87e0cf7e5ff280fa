-- Which changes AFTER answers to: operations, columns, FROM and TO, WHEN and
-- FOR over old and new; what a transaction does counts by its net result.
CREATE SCHEMA capture AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
CREATE ROLE capture_guest LOGIN;
GRANT USAGE ON SCHEMA capture TO capture_guest;
\c - app
SET search_path = capture; SET timezone = 'UTC';

CREATE TYPE state AS ENUM ('new', 'open', 'done');
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE DOMAIN word AS text;
CREATE TABLE item (id int PRIMARY KEY, n numeric, b boolean, s state, d date, t text, p positive, w word,
                   twice numeric GENERATED ALWAYS AS (n * 2) STORED);
CREATE TABLE part (id int PRIMARY KEY, item int, name text);
CREATE TABLE log (what text);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING what) SELECT what FROM d ORDER BY what $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON item, part TO capture_guest;

-- One workflow with a clause for each; the second argument says which one it was.
CREATE FUNCTION seen(i item, what text, o text DEFAULT '-') RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT FOR SELECT new.id, 'insert';
  AFTER UPDATE FOR SELECT new.id, 'update';
  AFTER UPDATE OF n, t FOR SELECT new.id, 'update of n, t', concat_ws('>', old.n, old.t, new.n, new.t);
  AFTER UPDATE OF n TO 10 FOR SELECT new.id, 'n to 10';
  AFTER UPDATE OF n FROM 10 FOR SELECT new.id, 'n from 10';
  AFTER UPDATE OF n FROM 10 TO 20.0 FOR SELECT new.id, 'n from 10 to 20.0';
  AFTER UPDATE OF n FROM -1.50 TO NULL FOR SELECT new.id, 'n from -1.50 to null';
  AFTER UPDATE OF b FROM NULL TO true FOR SELECT new.id, 'b from null to true';
  AFTER UPDATE OF b TO FALSE FOR SELECT new.id, 'b to false';
  AFTER UPDATE OF s FROM 'new' TO 'done' FOR SELECT new.id, 's from new to done';
  AFTER INSERT OR UPDATE OF s TO 'open' FOR SELECT new.id, 's to open, insert too';
  AFTER UPDATE OF d TO '2024-02-29' FOR SELECT new.id, 'd to 29 February';
  AFTER UPDATE OF t FROM 'it''s' TO '' FOR SELECT new.id, 't from it''s to nothing';
  AFTER UPDATE OF p TO 7 FOR SELECT new.id, 'p to 7';
  AFTER UPDATE OF w FROM 'Ä' TO 'ä' FOR SELECT new.id, 'w from Ä to ä';
  AFTER UPDATE OF twice TO 8 FOR SELECT new.id, 'twice to 8';
  AFTER UPDATE OF n WHEN new.n > 50 FOR SELECT new.id, 'n above 50';
  AFTER UPDATE OF n WHEN new.n > 50 AND old.n <= 50 FOR SELECT new.id, 'n rises above 50';
  AFTER INSERT OR UPDATE WHEN old.n IS NULL AND new.n = 3 FOR SELECT new.id, 'old n null, new 3';
  AFTER UPDATE OF n WHEN length(new.t) > length(old.t) FOR SELECT new.id, 'n, while t grows';
  AFTER UPDATE WHEN new.s > old.s AND new.b FOR SELECT new.id, 's forward with b';
  AFTER DELETE WHEN old.n > 0 FOR SELECT id, 'delete of ' || old.id || ' in a nearby one' FROM item WHERE id = old.id + 1;
  AFTER INSERT ON part FOR SELECT new.item, 'part ' || new.name;
  AFTER UPDATE OF name OR DELETE ON part FOR SELECT id, 'part of all ' || old.name, coalesce(new.name, 'gone') FROM item;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES (concat_ws(': ', coalesce(i.id, 0), what, nullif(o, '-')));
END $$;

INSERT INTO item (id, n) VALUES (1, 1), (2, 3);
CALL automation.run();
SELECT logged();
INSERT INTO item (id, s) VALUES (3, 'open');
UPDATE item SET n = 10 WHERE id = 1;
CALL automation.run();
SELECT logged();
UPDATE item SET n = 20 WHERE id = 1;
UPDATE item SET b = true WHERE id = 2;
UPDATE item SET s = 'open' WHERE id = 2;
CALL automation.run();
SELECT logged();
UPDATE item SET n = -1.5, b = false, s = 'new', t = 'it''s', w = 'Ä' WHERE id = 3;
UPDATE item SET n = 20.00, t = NULL WHERE id = 1;
CALL automation.run();
SELECT logged();
UPDATE item SET n = NULL, s = 'done', d = '2024-02-29', t = '', p = 7, w = 'ä' WHERE id = 3;
CALL automation.run();
SELECT logged();
UPDATE item SET n = 60, t = 'a' WHERE id = 1;
CALL automation.run();
UPDATE item SET n = 70, t = 'ab' WHERE id = 1;
UPDATE item SET n = 4 WHERE id = 2;
CALL automation.run();
SELECT logged();

-- FOR gives no row, one, many.
INSERT INTO part VALUES (1, 1, 'bolt'), (2, NULL, 'nut'), (3, 99, 'ghost');
CALL automation.run();
SELECT logged();
UPDATE part SET name = 'screw' WHERE item = 1;
CALL automation.run();
SELECT logged();
DELETE FROM part WHERE item = 1;
DELETE FROM item WHERE id = 2;
CALL automation.run();
DELETE FROM item WHERE id = 3;
CALL automation.run();
SELECT logged();
TRUNCATE item, part;

-- Net results: several changes of one row in one transaction are one.
BEGIN;
INSERT INTO item (id, n, t) VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c'), (4, 4, 'd');
UPDATE item SET n = 10 WHERE id = 1;
UPDATE item SET n = 11, s = 'open' WHERE id = 1;
DELETE FROM item WHERE id = 2;
COMMIT;
CALL automation.run();
SELECT logged();
BEGIN;
UPDATE item SET n = 10 WHERE id = 3;
UPDATE item SET n = 3 WHERE id = 3;
UPDATE item SET n = 60, t = 'x' WHERE id = 4;
UPDATE item SET n = 61, t = 'y' WHERE id = 4;
UPDATE item SET n = 62, t = 'd' WHERE id = 4;
COMMIT;
CALL automation.run();
SELECT logged();
-- Updated and deleted: a delete, with the row as it was before both.
INSERT INTO item (id) VALUES (2);
BEGIN;
UPDATE item SET n = -8 WHERE id = 1;
DELETE FROM item WHERE id = 1;
COMMIT;
CALL automation.run();
SELECT logged();
-- A savepoint that was rolled back; a transaction that was.
BEGIN;
UPDATE item SET n = 34 WHERE id = 3;
SAVEPOINT a;
UPDATE item SET n = 10 WHERE id = 3;
INSERT INTO item (id) VALUES (5);
ROLLBACK TO a;
INSERT INTO item (id) VALUES (6);
RELEASE a;
COMMIT;
BEGIN;
INSERT INTO item (id) VALUES (7);
ROLLBACK;
CALL automation.run();
SELECT logged();
-- An update to the same values is no change.
UPDATE item SET n = n, t = t;
CALL automation.run();
SELECT logged();
DROP FUNCTION seen;

-- Other ways to write: COPY, ON CONFLICT, MERGE, a data-modifying WITH, a trigger.
CREATE FUNCTION ways(i item, what text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT FOR SELECT new.id, 'insert ' || new.n;
  AFTER UPDATE OF n FOR SELECT new.id, 'update ' || concat_ws('>', old.n, new.n);
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES (i.id || ': ' || what);
END $$;
COPY item (id, n) FROM stdin;
10	1
11	2
\.
INSERT INTO item (id, n) VALUES (11, 5), (12, 6) ON CONFLICT (id) DO UPDATE SET n = excluded.n * 10;
INSERT INTO item (id, n) VALUES (11, 5), (13, 7) ON CONFLICT DO NOTHING;
MERGE INTO item USING (VALUES (12, 1), (14, 8)) v (id, n) ON item.id = v.id
  WHEN MATCHED THEN UPDATE SET n = v.n WHEN NOT MATCHED THEN INSERT (id, n) VALUES (v.id, v.n);
WITH a AS (INSERT INTO item (id, n) VALUES (15, 9) RETURNING n) UPDATE item SET n = a.n FROM a WHERE id = 10;
CALL automation.run();
SELECT logged();

-- Capture is switched off by the table's owner, not by others.
SET automation.capture = off;
INSERT INTO item (id, n) VALUES (20, 1);
RESET automation.capture;
\c - capture_guest
SET search_path = capture;
SET automation.capture = off;
SET check_function_bodies = off;
INSERT INTO item (id, n) VALUES (21, 1);
\c - postgres
SET session_replication_role = replica;
INSERT INTO capture.item (id, n) VALUES (22, 1);
\c - app
SET search_path = capture; SET timezone = 'UTC';
CALL automation.run();
SELECT logged();
-- Prepared: seen at COMMIT PREPARED.
BEGIN;
INSERT INTO item (id, n) VALUES (30, 1);
PREPARE TRANSACTION 'capture';
INSERT INTO item (id, n) VALUES (31, 1);
CALL automation.run();
SELECT logged();
COMMIT PREPARED 'capture';
CALL automation.run();
SELECT logged();
\c - postgres
SET client_min_messages = warning;
DROP SCHEMA capture CASCADE;
DROP ROLE capture_guest;
