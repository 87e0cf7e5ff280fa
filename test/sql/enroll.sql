-- Who enters a workflow, and who does not and why: policies, keys, arguments,
-- EXIT WHEN at entry, the limits of loops between workflows.
CREATE SCHEMA enroll AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = enroll;

CREATE TABLE person (id int PRIMARY KEY, name text, city text, score int DEFAULT 0, gone boolean DEFAULT false);
CREATE TABLE job (id int PRIMARY KEY, person int, title text, closed boolean DEFAULT false);
CREATE TABLE log (n bigint GENERATED ALWAYS AS IDENTITY, what text);

-- What was logged since the last look.
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING n, what) SELECT what FROM d ORDER BY n $$;
-- What the journal says of entries, and the ledger by its counts.
CREATE VIEW entries AS
  SELECT workflow, subject_key, event, reason FROM automation.journal
  WHERE event IN ('entered', 'not_entered', 'ended') ORDER BY at, position;

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
CREATE FUNCTION replace(p person, n int DEFAULT 7) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name FOR SELECT new.id, new.score;
  ENROLL REPLACE;
BEGIN
  WAIT FOR '2 days';
  INSERT INTO log (what) VALUES ('replace ' || n);
END $$;
UPDATE person SET name = 'R1', score = 1 WHERE id = 1;
CALL automation.advance('1 day');
UPDATE person SET name = 'R2', score = 2 WHERE id = 1;
CALL automation.advance('1 day');
CALL automation.advance('1 day');
SELECT logged();
SELECT * FROM entries;
DROP FUNCTION replace;

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
