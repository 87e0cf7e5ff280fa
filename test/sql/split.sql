-- SPLIT: even and by percentages, for ever, and what a new version changes.
CREATE SCHEMA split AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
CREATE VIEW public.split_arms AS
  SELECT w.signature, s.split, s.generation, s.version, s.even, s.arms, s.people
  FROM automation.split s JOIN automation.workflow w ON w.id = s.workflow;
CREATE VIEW public.split_assignments AS
  SELECT w.signature, a.* FROM automation.assignment a JOIN automation.workflow w ON w.id = a.workflow;
GRANT SELECT ON public.split_arms, public.split_assignments TO app;
\c - app
SET search_path = split, public; SET timezone = 'UTC';
CREATE TABLE person (id int PRIMARY KEY, bad boolean DEFAULT false, visits int DEFAULT 0);
CREATE TABLE got (id int, arm text, found boolean);

-- Even: one after the other, in the order they are written.
CREATE FUNCTION even(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  path text;
BEGIN
  SPLIT path INTO x, y, z;
  INSERT INTO got VALUES (p.id, path, FOUND);
  UPDATE person SET visits = visits + 1 / (CASE WHEN bad THEN 0 ELSE 1 END) WHERE id = p.id;
END $$;
INSERT INTO person VALUES (1), (2), (3), (4), (5);
CALL automation.run();
SELECT * FROM got ORDER BY id;
SELECT arms, people FROM split_arms;

-- Failures and rollbacks in between: what failed is not counted; tried again, it is.
INSERT INTO person SELECT i, i % 7 = 0 FROM generate_series(6, 200) i;
CALL automation.run();
SELECT arms, people FROM split_arms;
SELECT arm, count(*) FROM got GROUP BY 1 ORDER BY 1;
SELECT arm, count(*) FROM split_assignments GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM automation.enrollments WHERE workflow = 'even' AND state = 'retrying';
UPDATE person SET bad = false;
CALL automation.advance('1 day');
SELECT arms, people FROM split_arms;
SELECT arm, count(*) FROM got GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM got;

-- For ever: who comes again has the arm he had, and is not counted again.  FOUND
-- stays as it is; two statements of one variable are one split.
CREATE FUNCTION again(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  arm varchar(10);
  copy text;
BEGIN
  UPDATE person SET visits = visits WHERE id = p.id;
  SPLIT arm INTO a, "B c";
  copy := arm;
  arm := NULL;
  INSERT INTO got SELECT p.id, copy, FOUND;
  SPLIT arm INTO "B c", a;
  IF arm IS DISTINCT FROM copy THEN
    INSERT INTO got VALUES (p.id, 'wrong');
  END IF;
END $$;
TRUNCATE got;
SELECT again(p) > 0 AS called FROM person p WHERE id <= 3 ORDER BY id;
CALL automation.run();
SELECT again(p) > 0 AS called FROM person p WHERE id BETWEEN 2 AND 4 ORDER BY id DESC;
CALL automation.run();
SELECT id, count(*), min(arm), max(arm), bool_and(found) AS found FROM got GROUP BY 1 ORDER BY 1;
SELECT arms, people FROM split_arms WHERE signature LIKE '%.again(%';

-- What a new version changes.  First the percentages, for those who come anew.
CREATE TYPE flavour AS ENUM ('sweet', 'sour', 'bitter');
CREATE FUNCTION taste(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  f flavour;
BEGIN
  SPLIT f INTO sweet 100%, sour 0%;
  INSERT INTO got VALUES (p.id, f);
  WAIT FOR '1 day';
END $$;
TRUNCATE got;
SELECT taste(p) > 0 FROM person p WHERE id <= 4 \g /dev/null
CALL automation.run();
CREATE OR REPLACE FUNCTION taste(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  f flavour;
BEGIN
  WAIT FOR '1 hour';
  SPLIT f INTO sweet 0.000%, sour 100.000000%;
  INSERT INTO got VALUES (p.id, f);
  WAIT FOR '1 day';
END $$;
SELECT taste(p) > 0 FROM person p WHERE id BETWEEN 5 AND 8 \g /dev/null
CALL automation.advance('2 days');
SELECT taste(p) > 0 FROM person p WHERE id = 1 OR id BETWEEN 9 AND 10 \g /dev/null
CALL automation.run();
-- then the arms, while two are in the version before
CREATE OR REPLACE FUNCTION taste(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  f flavour;
BEGIN
  SPLIT f INTO bitter, sour;
  INSERT INTO got VALUES (p.id, f);
END $$;
SELECT taste(p) > 0 FROM person p WHERE id IN (2, 5) OR id BETWEEN 11 AND 13 ORDER BY id \g /dev/null
CALL automation.advance('2 days');
SELECT id, string_agg(arm, ', ') FROM (SELECT ctid, * FROM got ORDER BY ctid) g GROUP BY 1 ORDER BY 1;
SELECT generation, version, even, arms, people FROM split_arms WHERE signature LIKE '%.taste(%' ORDER BY 1;
SELECT key, arm, generation FROM split_assignments WHERE signature LIKE '%.taste(%' ORDER BY (key::jsonb ->> 0)::int;

-- Without a subject an arm belongs to the entry key.
CREATE FUNCTION plain(n int, team text) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN PER team;
DECLARE
  arm text;
BEGIN
  SPLIT arm INTO left, right;
  INSERT INTO got VALUES (n, arm);
END $$;
TRUNCATE got;
SELECT plain(i, 'team ' || i % 3) FROM generate_series(1, 9) i \g /dev/null
CALL automation.run();
SELECT n % 3 AS team, count(*), min(arm), max(arm) FROM got g (n, arm) GROUP BY 1 ORDER BY 1;
SELECT key, arm FROM split_assignments WHERE signature LIKE '%.plain(%' ORDER BY 1;

-- An arm follows its record to another key: 1 and 2 swap theirs, 3 and 999, who
-- has no arm, do; 4 takes the key of one who is gone.
TRUNCATE got;
SELECT again(p) > 0 FROM person p WHERE id IN (1, 2, 3, 4, 5) ORDER BY id \g /dev/null
CALL automation.run();
INSERT INTO person VALUES (999);
CALL automation.run();
SELECT key, arm FROM split_assignments WHERE signature LIKE '%.again(%' ORDER BY 1;
DELETE FROM person WHERE id = 5;
BEGIN;
UPDATE person SET id = -1 WHERE id = 1;
UPDATE person SET id = 1 WHERE id = 2;
UPDATE person SET id = 2 WHERE id = -1;
UPDATE person SET id = -3 WHERE id = 3;
UPDATE person SET id = 3 WHERE id = 999;
UPDATE person SET id = 999 WHERE id = -3;
UPDATE person SET id = 5 WHERE id = 4;
COMMIT;
CALL automation.run();
SELECT regexp_replace(key, '~\d+~', '~') AS key, arm FROM split_assignments WHERE signature LIKE '%.again(%' ORDER BY 1;
SELECT again(p) > 0 FROM person p WHERE id = 3 \g /dev/null
CALL automation.run();
UPDATE person SET id = 1000 WHERE id = 5;
CALL automation.run();
SELECT regexp_replace(key, '~\d+~', '~') AS key, arm FROM split_assignments WHERE signature LIKE '%.again(%' ORDER BY 1;

-- By percentages: 100,000 people, each arm within the interval that 999 of 1000
-- fair draws fall into (3.29 standard deviations). A workflow's number is part of the hash:
-- this one is always the same, else one run in some hundred would be a thousandth draw.
\c - postgres
SELECT setval('automation.workflow_seq', 1000000) > 0 AS set;
\c - app
SET search_path = split, public; SET timezone = 'UTC';
CREATE TABLE visitor (id int PRIMARY KEY, arm text);
CREATE FUNCTION weighted(v visitor) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  a text;
BEGIN
  SPLIT a INTO few 1.25%, some 20%, most 78.75%;
END $$;
INSERT INTO visitor SELECT generate_series(1, 100000);
CALL automation.run();
SELECT arm, share, abs(n - 100000 * share) < 3.29 * sqrt(100000 * share * (1 - share)) AS fair
FROM (SELECT arm, count(*) AS n FROM split_assignments WHERE signature LIKE '%.weighted(%' GROUP BY 1) g
  JOIN (VALUES ('few', 0.0125), ('some', 0.2), ('most', 0.7875)) s (arm, share) USING (arm) ORDER BY 2;
-- neither the order of the keys nor the neighbours matter
SELECT arm, share, abs(n - 50000 * share) < 3.29 * sqrt(50000 * share * (1 - share)) AS fair
FROM (SELECT arm, count(*) AS n FROM split_assignments WHERE signature LIKE '%.weighted(%'
      AND (key::jsonb ->> 0)::int % 2 = 0 GROUP BY 1) g
  JOIN (VALUES ('few', 0.0125), ('some', 0.2), ('most', 0.7875)) s (arm, share) USING (arm) ORDER BY 2;
SELECT sum(n) AS people FROM split_arms, unnest(people) n WHERE signature LIKE '%.weighted(%';

-- An arm that the variable does not take is an error of the step.
CREATE DOMAIN short AS text CHECK (length(VALUE) < 4);
CREATE FUNCTION narrow(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
DECLARE
  arm short;
BEGIN
  SPLIT arm INTO long;
END $$;
SELECT narrow(p) > 0 FROM person p WHERE id = 1 \g /dev/null
CALL automation.run();
SELECT state, error FROM automation.enrollments WHERE workflow = 'narrow';

-- Gone with the workflow.
DROP FUNCTION weighted, again, taste, plain, narrow, even;
SELECT count(*) FROM split_assignments;
\c - postgres
SELECT count(*) FROM automation.assignment a WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = a.workflow);
SELECT count(*) FROM automation.split a WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = a.workflow);
DROP VIEW split_arms, split_assignments;
