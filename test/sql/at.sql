-- AT: moments of records, when they are computed, when they come, when not.
CREATE SCHEMA at AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = at; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';

CREATE TABLE person (id int PRIMARY KEY, name text, zone text, day date, at timestamptz, ok boolean DEFAULT true, n int DEFAULT 0);
CREATE TABLE log (what text, id int, at timestamptz DEFAULT automation.now());
-- The clock runs while the test does: moments are told from a day that is fixed at the start.
CREATE TABLE start AS SELECT date_trunc('day', automation.now()) + '1 day' AS day;
CREATE FUNCTION d(n float) RETURNS timestamptz LANGUAGE sql AS $$ SELECT day + n * interval '24 hours' FROM at.start $$;
CREATE FUNCTION told() RETURNS TABLE (what text, id int, day numeric) LANGUAGE sql AS $$
  WITH x AS (DELETE FROM at.log RETURNING *)
  SELECT what, id, round(extract(epoch FROM at - at.d(0)) / 86400, 2) FROM x ORDER BY 3, id $$;
CREATE FUNCTION moments() RETURNS TABLE (workflow text, key text, day numeric, fired numeric, asked_again boolean) LANGUAGE sql AS $$
  SELECT workflow, subject_key, round(extract(epoch FROM at - at.d(0)) / 86400, 2), round(extract(epoch FROM fired_at - at.d(0)) / 86400, 2),
         look_at IS NOT NULL FROM automation.moments ORDER BY 1, subject_key::int, 4, 3 $$;

-- To the start of the first day.
CREATE FUNCTION till(n float) RETURNS interval LANGUAGE sql AS $$ SELECT at.d(n) - automation.now() $$;
CALL automation.advance(till(0));

-- Rows that are there when the workflow is made, by a job; what is past never comes.
INSERT INTO person (id, name, at) SELECT i, 'p' || i, d(i) FROM generate_series(0, 3) i;
INSERT INTO person (id, name, at) VALUES (-3, 'past', d(-3));
INSERT INTO person (id, name) VALUES (10, 'not yet');
CREATE FUNCTION reminder(p person) RETURNS bigint LANGUAGE workflow AS $$
  AT p.at WHEN p.ok;
BEGIN
  INSERT INTO log VALUES ('reminder', p.id);
END $$;
SELECT workflow, kind, state, done, finished_at FROM automation.progress WHERE signature LIKE 'at.%';
SELECT * FROM moments();
CALL automation.run();
SELECT workflow, kind, state, done, percent, finished_at IS NOT NULL AS finished, error FROM automation.progress WHERE signature LIKE 'at.%';
SELECT * FROM moments();

-- They come one after the other, and the clock stops at each.
CALL automation.advance(till(2.5));
SELECT * FROM told();
SELECT * FROM moments();
-- entered_at() is the moment
SELECT subject_key, event, reason FROM automation.journal WHERE workflow = 'reminder' ORDER BY at, position;

-- NULL becomes known; a moment moves, to later, to earlier, into the past, to NULL.
UPDATE person SET at = d(4) WHERE id = 10;
INSERT INTO person (id, at) VALUES (20, d(4)), (21, d(9)), (22, d(5)), (23, d(5)), (24, d(-1)), (25, 'infinity');
UPDATE person SET at = d(4.5) WHERE id = 3;
CALL automation.run();
UPDATE person SET at = d(6) WHERE id = 20;
UPDATE person SET at = d(3.5) WHERE id = 21;
UPDATE person SET at = d(1) WHERE id = 22;
UPDATE person SET at = NULL WHERE id = 23;
-- what AT does not use moves nothing
UPDATE person SET name = 'x' WHERE id = 24;
CALL automation.run();
SELECT * FROM moments();
CALL automation.advance(till(10));
SELECT * FROM told();

-- WHEN is asked when the moment has come.
INSERT INTO person (id, at, ok) VALUES (30, d(11), true), (31, d(11), false), (32, d(11), NULL);
CALL automation.run();
UPDATE person SET ok = NOT ok WHERE id IN (30, 31);
CALL automation.advance(till(12));
SELECT * FROM told();

-- A row that is deleted, one whose key is updated, two that swap theirs.
INSERT INTO person (id, at) VALUES (40, d(13)), (41, d(13)), (42, d(13)), (43, d(14)), (44, d(15));
CALL automation.run();
DELETE FROM person WHERE id = 40;
UPDATE person SET id = 141 WHERE id = 41;
CALL automation.run();
BEGIN;
UPDATE person SET id = -9 WHERE id = 43;
UPDATE person SET id = 43 WHERE id = 44;
UPDATE person SET id = 44 WHERE id = -9;
COMMIT;
SELECT * FROM moments() WHERE day > 12;
CALL automation.run();
SELECT * FROM moments() WHERE day > 12;
CALL automation.advance(till(16));
SELECT * FROM told();
-- born, moved and deleted in one transaction
BEGIN;
INSERT INTO person (id, at) VALUES (45, d(17));
UPDATE person SET id = 46, at = d(18) WHERE id = 45;
DELETE FROM person WHERE id = 46;
INSERT INTO person (id, at) VALUES (47, d(17));
UPDATE person SET at = d(17.5) WHERE id = 47;
COMMIT;
CALL automation.run();
SELECT * FROM moments() WHERE day > 16;

-- Another expression: the current one decides; a workflow without AT has no moments.
INSERT INTO person (id, at, day) VALUES (50, d(17.2), (d(19))::date), (51, d(17.2), NULL);
CALL automation.run();
CREATE OR REPLACE FUNCTION reminder(p person) RETURNS bigint LANGUAGE workflow AS $$
  AT p.day + time '09:00' WHEN p.ok;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES ('by day', p.id);
END $$;
CALL automation.advance(till(18));
SELECT * FROM told();
SELECT * FROM moments() WHERE day > 16;
CALL automation.advance(till(20));
SELECT * FROM told();
CREATE OR REPLACE FUNCTION reminder(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
END $$;
CALL automation.run();
SELECT count(*) FROM moments();
SELECT kind, state, version FROM automation.progress WHERE signature LIKE 'at.%' ORDER BY job;
DROP FUNCTION reminder(person);
SELECT count(*) FROM automation.progress WHERE signature LIKE 'at.%';

-- A date is one in the zone of the record; when that moves, so does the moment.
DELETE FROM person;
CREATE FUNCTION zoned(p person) RETURNS bigint LANGUAGE workflow AS $$
  AT p.day WHEN p.ok;
  TIME ZONE p.zone;
BEGIN
  INSERT INTO log VALUES ('zoned', p.id);
END $$;
INSERT INTO person (id, day, zone)
  SELECT i, d(22)::date, z FROM unnest(ARRAY['UTC', 'Asia/Kathmandu', 'Etc/GMT+12', NULL, 'Asia/Tokyo']) WITH ORDINALITY t (z, i);
CALL automation.run();
SELECT * FROM moments();
UPDATE person SET zone = 'Etc/GMT+6' WHERE id = 5;
CALL automation.advance(till(23));
SELECT * FROM told();
DROP FUNCTION zoned(person);

-- Birthdays: armed again when they have come, year after year, also on a leap day.
CREATE FUNCTION birthday_of(day date, today date) RETURNS date LANGUAGE sql IMMUTABLE AS $$
  SELECT min(d) FROM (SELECT (day + make_interval(years => extract(year FROM today)::int - extract(year FROM day)::int + i))::date AS d
                      FROM generate_series(0, 1) i) x WHERE d >= today $$;
DELETE FROM person;
CREATE FUNCTION birthday(p person) RETURNS bigint LANGUAGE workflow AS $$
  AT birthday_of(p.day, current_date) + time '09:00' WHEN p.ok;
  ENROLL AGAIN;
BEGIN
  UPDATE person SET n = n + 1 WHERE id = p.id;
  INSERT INTO log VALUES ('birthday', p.id);
END $$;
INSERT INTO person (id, day) VALUES (1, (d(30) - interval '30 years')::date), (2, '2000-02-29'), (3, NULL), (4, d(23)::date - 7305);
CALL automation.run();
SELECT p.id, count(*) AS rows, bool_and(m.at > automation.now()) AS to_come
FROM automation.moments m JOIN person p ON p.id = m.subject_key::int GROUP BY 1 ORDER BY 1;
CALL automation.advance('4 years');
SELECT id, n FROM person ORDER BY id;
SELECT id, to_char(at, 'MM-DD HH24:MI') AS day, count(*) FROM log WHERE id = 2 GROUP BY 1, 2 ORDER BY 2;
SELECT id, count(DISTINCT to_char(at, 'YYYY')) AS years, count(DISTINCT to_char(at, 'MM-DD HH24:MI')) AS days FROM log WHERE id <> 2 GROUP BY 1 ORDER BY 1;
DROP FUNCTION birthday(person);
DELETE FROM log; DELETE FROM person;
UPDATE start SET day = date_trunc('day', automation.now()) + '1 day';
CALL automation.advance(till(0));

-- What a function looks at is not known: the promise stands, and then it is asked again.
CREATE FUNCTION later(at timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN at > automation.now() THEN at ELSE at + interval '1 day' END $$;
CREATE FUNCTION hidden(p person) RETURNS bigint LANGUAGE workflow AS $$
  AT later(p.at);
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES ('hidden', p.id);
END $$;
INSERT INTO person (id, at) VALUES (1, d(1));
CALL automation.advance(till(3));
SELECT * FROM told();
DROP FUNCTION hidden(person);

-- Every hour at half past, the same record again and again; entry paused in between, then held.
CREATE FUNCTION hourly(p person) RETURNS bigint LANGUAGE workflow AS $$
  AT date_trunc('hour', now()) + interval '30 minutes' WHEN p.ok;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES ('hourly', p.id);
END $$;
CALL automation.advance(till(3.125));
SELECT * FROM told();
SELECT automation.pause('hourly');
CALL automation.advance(till(3.25));
SELECT * FROM told();
SELECT automation.resume('hourly');
CALL automation.advance(till(3.3));
SELECT * FROM told();
SELECT automation.pause('hourly', true);
CALL automation.advance(till(3.5));
SELECT * FROM told();
SELECT automation.resume('hourly');
CALL automation.run();
SELECT * FROM told();
CALL automation.advance(till(3.6));
SELECT * FROM told();
SELECT event, reason, count(*) FROM automation.journal WHERE workflow = 'hourly' GROUP BY 1, 2 ORDER BY 1, 2;
DROP FUNCTION hourly(person);

-- An expression that fails for one record: the others have their moments, it is told.
DELETE FROM person;
INSERT INTO person (id, n) SELECT i, i - 3 FROM generate_series(1, 6) i;
CREATE FUNCTION divided(p person) RETURNS bigint LANGUAGE workflow AS $$
  AT d(4) + interval '1 day' / p.n WHEN 6 / (p.id - 5) <> 100;
BEGIN
  INSERT INTO log VALUES ('divided', p.id);
END $$;
CALL automation.run();
SELECT workflow, kind, state, done FROM automation.progress WHERE signature LIKE 'at.%';
SELECT * FROM moments();
CALL automation.advance('1 day');
SELECT * FROM told();
SELECT subject_key, event, reason, what FROM automation.journal WHERE workflow = 'divided' AND event = 'not_entered' ORDER BY at, position;
DROP FUNCTION divided(person);

-- Without a primary key, with a second argument, over other tables
CREATE FUNCTION bad(p person) RETURNS bigint LANGUAGE workflow AS $$ AT (SELECT min(at) FROM log l WHERE l.id = p.id); BEGIN END $$;
CREATE FUNCTION bad(p person, k int) RETURNS bigint LANGUAGE workflow AS $$ AT p.at; BEGIN END $$;
CREATE FUNCTION two(p person, k int DEFAULT 7) RETURNS bigint LANGUAGE workflow AS $$
  AT p.at;
  AT p.day + p.n WHEN k = 7 AND EXISTS (SELECT FROM log WHERE id = p.id);
  ENROLL AGAIN PER p, entered_at();
BEGIN
  INSERT INTO log VALUES ('two ' || k, p.id);
END $$;
DELETE FROM person;
INSERT INTO person (id, at, day, n) VALUES (1, d(6), d(6)::date, 1), (2, NULL, d(6)::date, 0);
CALL automation.run();
SELECT * FROM moments();
CALL automation.advance(till(8));
SELECT * FROM told();

-- A table is emptied; keys of two columns, one of them long; a partitioned table.
INSERT INTO person (id, at) VALUES (5, d(9));
CALL automation.run();
TRUNCATE person;
CALL automation.advance(till(10));
SELECT * FROM moments();
SELECT * FROM told();
DROP FUNCTION two(person, int);
CREATE TABLE pair (a text, b numeric, at timestamptz, PRIMARY KEY (a, b)) PARTITION BY LIST (a);
CREATE TABLE pair_x PARTITION OF pair FOR VALUES IN ('x');
CREATE TABLE pair_y PARTITION OF pair DEFAULT;
INSERT INTO pair SELECT CASE i % 3 WHEN 0 THEN 'x' WHEN 1 THEN repeat('y', 300) ELSE 'z"' END, i, d(11) FROM generate_series(1, 700) i;
CREATE FUNCTION paired(p pair) RETURNS bigint LANGUAGE workflow AS $$
  AT p.at;
BEGIN
  INSERT INTO log VALUES (left(p.a, 2), p.b);
END $$;
CALL automation.run();
SELECT state, done FROM automation.progress WHERE signature LIKE 'at.%';
INSERT INTO pair VALUES ('x', 1000, d(11));
UPDATE pair SET a = 'moved', at = d(11.5) WHERE a = 'x' AND b IN (3, 6);
CALL automation.advance(till(12));
SELECT what, count(*), count(DISTINCT id), round(extract(epoch FROM min(at) - at.d(0)) / 86400, 2) AS day FROM log GROUP BY 1 ORDER BY 1;
DROP FUNCTION paired(pair);
DELETE FROM log;

-- Another owner: held until he accepts; he sees other rows than the first one.
\c - postgres
SET client_min_messages = warning;
CREATE ROLE at_other LOGIN;
GRANT USAGE ON LANGUAGE workflow TO at_other;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO at_other;
GRANT ALL ON SCHEMA at TO at_other;
GRANT ALL ON ALL TABLES IN SCHEMA at TO at_other;
SET ROLE app;
SET search_path = at; SET timezone = 'UTC'; SET datestyle = 'ISO';
INSERT INTO person (id, at) VALUES (1, d(13)), (2, d(13)), (3, d(13));
CREATE FUNCTION owned(p person) RETURNS bigint LANGUAGE workflow AS $$
  AT p.at;
BEGIN
  INSERT INTO log VALUES ('owned', p.id);
END $$;
\c - app
SET search_path = at; SET timezone = 'UTC'; SET datestyle = 'ISO';
CALL automation.run();
\c - postgres
ALTER TABLE at.person ENABLE ROW LEVEL SECURITY;
CREATE POLICY other ON at.person TO at_other USING (id <> 2);
ALTER FUNCTION at.owned(at.person) OWNER TO at_other;
\c - at_other
SET search_path = at; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET client_min_messages = warning;
INSERT INTO person (id, at) VALUES (4, d(13));
CALL automation.advance(till(12.5));
SELECT * FROM moments();
SELECT automation.accept_versions('owned');
CALL automation.advance(till(14));
SELECT * FROM told();
SELECT subject_key, event, reason FROM automation.journal WHERE workflow = 'owned' ORDER BY at, position;
SELECT * FROM moments();
\c - postgres
SET client_min_messages = warning;
DROP SCHEMA at CASCADE;
SELECT count(*) AS due FROM automation.due d WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = d.workflow);
SELECT count(*) AS timers FROM automation.timer t WHERE enrollment < 0 AND NOT EXISTS (SELECT FROM automation.due d WHERE d.id = -t.enrollment);
SELECT count(*) AS jobs FROM automation.job j WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = j.workflow);
DROP OWNED BY at_other;
DROP ROLE at_other;
