-- Who is inside, as the ledger says: entering again and again, and after rows took
-- each other's keys.
CREATE SCHEMA reentry AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = reentry; SET timezone = 'UTC';

CREATE TABLE person (id int PRIMARY KEY, name text, v int DEFAULT 0);
CREATE TABLE visit (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person int);
CREATE FUNCTION again(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON visit FOR SELECT new.person;
  ENROLL AGAIN;
BEGIN
  WAIT UNTIL p.v > 0;
  UPDATE person SET v = 0 WHERE id = p.id;
END $$;
CREATE FUNCTION anew(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON visit FOR SELECT new.person;
  ENROLL REPLACE;
BEGIN
  WAIT FOR '1 hour';
END $$;
CREATE FUNCTION briefly(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON visit FOR SELECT new.person;
  ENROLL AGAIN;
BEGIN
  UPDATE person SET name = name WHERE id = p.id;
END $$;
CREATE VIEW inside AS
  SELECT e.workflow, e.subject_key, p.name, count(*) FROM automation.enrollments e JOIN person p ON p.id::text = e.subject_key
  WHERE e.workflow IN ('again', 'anew', 'briefly') GROUP BY 1, 2, 3 ORDER BY 1, 2;
CREATE VIEW tally AS
  SELECT workflow, event, reason, count(*) FROM automation.journal
  WHERE event IN ('entered', 'not_entered', 'ended') AND workflow IN ('again', 'anew', 'briefly') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;

INSERT INTO person (id, name) VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cid');

-- Three visits of one transaction: one is in, or the last one is in, or all were.
INSERT INTO visit (person) VALUES (1), (1), (1);
CALL automation.run();
SELECT * FROM inside;
SELECT * FROM tally;

-- Out and in again, twenty times; then once in one look.
SELECT command FROM generate_series(1, 20) i,
  (VALUES (1, 'UPDATE person SET v = 1 WHERE id = 1'), (2, 'CALL automation.run()'), (3, 'INSERT INTO visit (person) VALUES (1)'),
          (4, 'CALL automation.run()')) c (n, command) ORDER BY i, n \gexec
UPDATE person SET v = 1 WHERE id = 1;
INSERT INTO visit (person) VALUES (1);
CALL automation.run();
SELECT * FROM inside;
SELECT * FROM tally;

-- Ann and Bob take each other's numbers while both are inside; neither enters a
-- second time, and neither does when they change back.
INSERT INTO visit (person) VALUES (2);
CALL automation.run();
SELECT id AS bob FROM automation.enrollments WHERE workflow = 'again' AND subject_key = '2' \gset
SELECT id AS ann FROM automation.enrollments WHERE workflow = 'again' AND subject_key = '1' \gset
BEGIN;
UPDATE person SET id = 9 WHERE id = 1;
UPDATE person SET id = 1 WHERE id = 2;
UPDATE person SET id = 2 WHERE id = 9;
COMMIT;
CALL automation.run();
INSERT INTO visit (person) VALUES (2), (1);
CALL automation.run();
SELECT * FROM inside;
SELECT subject_key, id = :ann AS ann, id = :bob AS bob FROM automation.enrollments WHERE workflow = 'again' ORDER BY 1;
BEGIN;
UPDATE person SET id = 9 WHERE id = 1;
UPDATE person SET id = 1 WHERE id = 2;
UPDATE person SET id = 2 WHERE id = 9;
COMMIT;
CALL automation.run();
INSERT INTO visit (person) VALUES (2), (1);
CALL automation.run();
SELECT * FROM inside;
SELECT subject_key, id = :ann AS ann, id = :bob AS bob FROM automation.enrollments WHERE workflow = 'again' ORDER BY 1;

-- Cid gets a number that was Bob's, who is gone, and had entered before.
DELETE FROM person WHERE id = 2;
INSERT INTO visit (person) VALUES (3);
CALL automation.run();
UPDATE person SET id = 2 WHERE id = 3;
CALL automation.run();
SELECT * FROM inside;
INSERT INTO visit (person) VALUES (2);
CALL automation.run();
SELECT * FROM inside;
UPDATE person SET v = 1;
CALL automation.run();
CALL automation.advance('2 hours');
SELECT * FROM inside;
INSERT INTO visit (person) VALUES (1), (2);
CALL automation.run();
SELECT * FROM inside;

-- Each key has one row in the ledger.
\c - postgres
SELECT count(*) AS doubles FROM (SELECT FROM automation.ledger GROUP BY workflow, entry_key HAVING count(*) > 1) d;
SELECT count(*) AS doubles FROM (SELECT FROM automation.enrollment GROUP BY workflow, entry_key HAVING count(*) > 1) d;
SET client_min_messages = warning;
DROP SCHEMA reentry CASCADE;
