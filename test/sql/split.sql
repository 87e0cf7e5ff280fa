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
