-- Who enters a workflow, and who does not and why: policies, keys, arguments,
-- EXIT WHEN at entry, the limits of loops between workflows.
CREATE SCHEMA enroll AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = enroll; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';

CREATE TABLE person (id int PRIMARY KEY, name text, city text, score int DEFAULT 0, gone boolean DEFAULT false);
CREATE TABLE job (id int PRIMARY KEY, person int, title text, closed boolean DEFAULT false);
CREATE TABLE log (n bigint GENERATED ALWAYS AS IDENTITY, what text);

-- What was logged since the last look.
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING n, what) SELECT what FROM d ORDER BY n $$;
-- What the journal says of the workflows that exist.
CREATE VIEW entries AS
  SELECT workflow, subject_key, event, reason FROM automation.journal
  WHERE event IN ('entered', 'not_entered', 'ended')
    AND workflow IN (SELECT name FROM automation.workflows WHERE schema = 'enroll')
  ORDER BY at, position;

-- ONCE is the default: once for ever, whatever happened since.
CREATE FUNCTION once(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF name;
BEGIN
  INSERT INTO log (what) VALUES ('once ' || p.name);
  WAIT FOR '1 day';
END $$;
INSERT INTO person (id, name) VALUES (1, 'Ann'), (2, 'Bob');
CALL automation.run();
UPDATE person SET name = 'Anna' WHERE id = 1;
CALL automation.run();
UPDATE person SET name = 'Anne' WHERE id = 1;
CALL automation.run();
CALL automation.advance('2 days');
UPDATE person SET name = 'Ann' WHERE id = 1;
CALL automation.run();
UPDATE person SET name = 'Annie' WHERE id = 1;
CALL automation.run();
SELECT logged();
SELECT * FROM entries;
DROP FUNCTION once;

-- AGAIN: not while inside, afterwards yes.
CREATE FUNCTION again(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log (what) VALUES ('again ' || p.name);
  WAIT FOR '1 day';
END $$;
UPDATE person SET name = 'A1' WHERE id = 1;
CALL automation.run();
UPDATE person SET name = 'A2' WHERE id = 1;
CALL automation.run();
CALL automation.advance('1 day');
UPDATE person SET name = 'A3' WHERE id = 1;
CALL automation.run();
SELECT logged();
SELECT * FROM entries;
DROP FUNCTION again;

-- AGAIN AFTER counts from the last entry, not from the end.
CREATE FUNCTION pause(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
  ENROLL AGAIN AFTER '10 days';
BEGIN
  INSERT INTO log (what) VALUES ('pause ' || p.name);
  WAIT FOR '3 days';
END $$;
UPDATE person SET name = 'P1' WHERE id = 1;
CALL automation.run();
CALL automation.advance('9 days');
UPDATE person SET name = 'P2' WHERE id = 1;
CALL automation.run();
CALL automation.advance('1 day');
UPDATE person SET name = 'P3' WHERE id = 1;
CALL automation.run();
SELECT logged();
SELECT * FROM entries;
DROP FUNCTION pause;

-- REPLACE: the old one ends.
CREATE FUNCTION newest(p person, n int DEFAULT 7) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name FOR SELECT new.id, new.score;
  ENROLL REPLACE;
BEGIN
  WAIT FOR '2 days';
  INSERT INTO log (what) VALUES ('newest ' || n);
END $$;
UPDATE person SET name = 'R1', score = 1 WHERE id = 1;
CALL automation.advance('1 day');
UPDATE person SET name = 'R2', score = 2 WHERE id = 1;
CALL automation.advance('1 day');
CALL automation.advance('1 day');
SELECT logged();
SELECT * FROM entries;
DROP FUNCTION newest;

-- PER: several row arguments and expressions; a NULL in it.
CREATE FUNCTION per_job(p person, j job) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF title ON job FOR SELECT new.person, new.id;
  ENROLL ONCE PER p, j, lower(p.city);
BEGIN
  INSERT INTO log (what) VALUES (p.name || ' ' || j.title || ' ' || p.city);
END $$;
UPDATE person SET name = 'Ann', city = 'Paris' WHERE id = 1;
INSERT INTO job VALUES (1, 1, 'cook'), (2, 1, 'baker'), (3, 2, 'smith');
CALL automation.run();
UPDATE job SET title = title || '!';
CALL automation.run();
UPDATE person SET city = 'LONDON' WHERE id = 1;
UPDATE job SET title = title || '!';
CALL automation.run();
UPDATE person SET city = 'london' WHERE id = 1;
UPDATE job SET title = title || '!';
CALL automation.run();
SELECT logged();
SELECT * FROM entries;
SELECT entry_key FROM automation.enrollments;
DROP FUNCTION per_job;

-- The key's evaluation sees the row as it is now; without a row there is no key.
CREATE FUNCTION per_city(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score;
  ENROLL AGAIN PER p.city;
BEGIN
  INSERT INTO log (what) VALUES ('first of ' || p.city || ' ' || p.id);
  WAIT FOR '1 day';
END $$;
INSERT INTO person (id, name, city) VALUES (3, 'Cid', 'Rome'), (4, 'Dan', 'Rome'), (5, 'Eve', 'Oslo');
UPDATE person SET score = score + 1 WHERE id >= 3;
CALL automation.run();
SELECT logged();
SELECT entry_key, subject_key FROM automation.enrollments ORDER BY 1;
SELECT * FROM entries;
DROP FUNCTION per_city;

-- Several AFTER clauses bring their own arguments; what they leave out has defaults.
CREATE FUNCTION several(p person, n int DEFAULT 2 + 3, note text DEFAULT 'no note', day date DEFAULT NULL)
RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name TO 'go' WHEN new.score > 1000;
  AFTER UPDATE OF title ON job FOR SELECT new.person, new.id * 10;
  AFTER UPDATE OF closed TO true ON job FOR SELECT p, 1, new.title, date '2001-02-03' FROM person p WHERE p.id = new.person;
  AFTER DELETE ON job FOR VALUES (old.person, 0, old.title);
  ENROLL AGAIN;
BEGIN
  INSERT INTO log (what) VALUES (concat_ws(' ', p.id, n, note, coalesce(day::text, 'no day')));
END $$;
UPDATE person SET name = 'go' WHERE id = 1;
UPDATE person SET name = 'go', score = 1001 WHERE id = 2;
CALL automation.run();
UPDATE job SET title = 'chef' WHERE id = 1;
CALL automation.run();
UPDATE job SET closed = true WHERE id = 1;
CALL automation.run();
DELETE FROM job WHERE id = 1;
CALL automation.run();
-- A change that two clauses answer to enters once for each.
UPDATE job SET title = 'both', closed = true WHERE id = 2;
CALL automation.run();
-- By hand: the same defaults, the row or nothing.
SELECT several(p) > 0, several(p, 8, day => '2001-02-03') > 0 FROM person p WHERE id = 3;
SELECT several(NULL) > 0;
CALL automation.run();
SELECT logged();
SELECT * FROM entries WHERE event = 'not_entered';
DROP FUNCTION several;

-- EXIT WHEN: refused at entry, by hand as well, and taken out later.
CREATE FUNCTION leave(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score;
  EXIT WHEN p.gone;
  EXIT WHEN p.score > 100;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log (what) VALUES ('start ' || p.id);
  WAIT FOR '1 day';
  INSERT INTO log (what) VALUES ('next day ' || p.id);
  UPDATE person SET score = 101 WHERE id = p.id AND id = 5;
  INSERT INTO log (what) VALUES ('end ' || p.id);
END $$;
UPDATE person SET gone = true WHERE id = 3;
UPDATE person SET score = 50 WHERE id >= 3;
CALL automation.run();
SELECT leave(p) > 0 FROM person p WHERE id = 3;
CALL automation.run();
UPDATE person SET gone = true WHERE id = 4;
CALL automation.run();
CALL automation.advance('1 day');
SELECT logged();
SELECT * FROM entries;
DROP FUNCTION leave;

-- Subjects that are not there: none, deleted since, hidden by row security.
CREATE FUNCTION nobody(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON job FOR SELECT new.person;
  AFTER INSERT;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log (what) VALUES ('body ' || p.id);
END $$;
INSERT INTO job VALUES (10, NULL, 'none'), (11, 999, 'never was'), (12, 5, 'Eve');
INSERT INTO person (id) VALUES (6);
DELETE FROM person WHERE id = 6;
ALTER TABLE person ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON person USING (id <> 7) WITH CHECK (true);
INSERT INTO person (id) VALUES (7), (8);
CALL automation.run();
SELECT logged();
SELECT * FROM entries;
DROP POLICY p ON person;
ALTER TABLE person DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;

-- Entry paused: missed, not queued.
SELECT automation.pause('nobody');
INSERT INTO person (id) VALUES (9);
CALL automation.run();
SELECT automation.resume('nobody');
CALL automation.run();
SELECT logged();
SELECT * FROM entries WHERE subject_key = '9';
DROP FUNCTION nobody;

-- The same refusal again counts in the ledger and is not written twice.
CREATE FUNCTION counted(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name, score;
  EXIT WHEN p.gone;
BEGIN
  WAIT FOR '1 day';
END $$;
UPDATE person SET name = 'n1' WHERE id = 5;
UPDATE person SET gone = false WHERE id = 5;
UPDATE person SET score = 1 WHERE id = 5;
CALL automation.run();
UPDATE person SET score = 2 WHERE id = 5;
UPDATE person SET score = 3 WHERE id = 5;
UPDATE person SET score = 4 WHERE id = 5;
CALL automation.run();
UPDATE person SET score = 5, gone = true WHERE id = 5;
CALL automation.run();
UPDATE person SET score = 6 WHERE id = 5;
CALL automation.run();
SELECT * FROM entries;
\c - postgres
SELECT l.entries, l.refusals, l.reason
FROM automation.ledger l JOIN automation.workflow w ON w.id = l.workflow WHERE w.signature = 'enroll.counted(enroll.person)';
SET client_min_messages = warning;
DROP SCHEMA enroll CASCADE;
