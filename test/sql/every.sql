-- EVERY: runs at the times of its schedule, under the virtual clock.  Without
-- cron.timezone schedules are in GMT.
CREATE SCHEMA every AUTHORIZATION app;
CREATE ROLE every_other LOGIN;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
GRANT USAGE ON SCHEMA every TO every_other;
-- Runs whose rows the session keeps in memory.
CREATE FUNCTION every.kept() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS
  $$ SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'automation run of EVERY' $$;
\c - app
SET search_path = every; SET timezone = 'UTC';

CREATE TABLE person (id int PRIMARY KEY, grp text, active boolean DEFAULT true);
INSERT INTO person SELECT g, CASE WHEN g % 2 = 0 THEN 'even' ELSE 'odd' END FROM generate_series(1, 6) g;
CREATE TABLE log (at timestamptz DEFAULT automation.now(), what text);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING what) SELECT what FROM d ORDER BY what COLLATE "C" $$;
-- Moves the clock to a bit after the next time of a schedule; in the middle of a minute.
CREATE PROCEDURE forward_to(wanted timestamptz) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CALL automation.advance(%L)', wanted - automation.now());
END $$;
-- To 06:30 of the next day, from where the clock stands.
SELECT automation.schedule_next('30 6 * * *') - automation.now() + interval '10 seconds' AS step \gset
CALL automation.advance(:'step');
SELECT automation.now()::date AS today \gset

-- At its time everybody whom FOR gives enters, once for the time.
CREATE FUNCTION daily(p person) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 9 * * *' FOR SELECT id FROM person WHERE active ORDER BY id;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log (what) VALUES ('daily ' || p.id || ', ' || to_char(now() AT TIME ZONE 'UTC', 'HH24:MI') || ' ' || (now() >= entered_at()));
END $$;
SELECT workflow, schedule, last_run, next_run - :'today'::date AS next, cron_job IS NOT NULL AS job, owner FROM automation.schedules WHERE workflow = 'daily';
CALL automation.run();
SELECT logged();
CALL automation.advance('2 hours');
SELECT logged();
CALL automation.advance('30 minutes');
SELECT logged();
CALL automation.run();
SELECT logged();
SELECT last_run - :'today'::date AS last, next_run - :'today'::date AS next FROM automation.schedules WHERE workflow = 'daily';
SELECT workflow, kind, what, state, done, total, percent, at - :'today'::date AS at, started_at - at < '1 minute' AS soon
FROM automation.progress WHERE workflow = 'daily';
-- A day and more: each time is run.
UPDATE person SET active = id < 3;
CALL automation.advance('48 hours');
SELECT logged();
SELECT count(*), sum(done) FROM automation.progress WHERE workflow = 'daily';

-- ONCE: only the first time; somebody new enters the next time.
CREATE FUNCTION once(p person) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 10 * * *' FOR SELECT p FROM person p WHERE active;
  ENROLL ONCE;
BEGIN
  INSERT INTO log (what) VALUES ('once ' || p.id);
END $$;
CREATE FUNCTION renewed(p person) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 10 * * *' FOR SELECT id FROM person WHERE active;
  ENROLL REPLACE;
BEGIN
  INSERT INTO log (what) VALUES ('renewed ' || p.id);
  WAIT FOR '36 hours';
  INSERT INTO log (what) VALUES ('never, it is replaced before ' || p.id);
END $$;
DROP FUNCTION daily;
CALL automation.advance('24 hours');
SELECT logged();
UPDATE person SET active = true WHERE id = 3;
CALL automation.advance('24 hours');
SELECT logged();
SELECT subject_key, reason, count(*) FROM automation.journal
WHERE workflow IN ('once', 'renewed') AND event IN ('not_entered', 'ended') AND reason <> 'completed' GROUP BY 1, 2 ORDER BY 1, 2;
DROP FUNCTION once;
DROP FUNCTION renewed;

-- PER: one entry for each key in a run; null rows and null keys have their reasons.
CREATE FUNCTION grouped(p person, grp text) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 10 * * *' FOR VALUES (1, 'odd'), (2, 'even'), (3, 'odd'), (NULL, 'none'), (4, NULL), (99, 'gone');
  ENROLL AGAIN PER grp;
BEGIN
  INSERT INTO log (what) VALUES ('grouped ' || p.id || ' ' || grp);
END $$;
CALL automation.advance('48 hours');
SELECT logged();
SELECT subject_key, reason, what, count(*) FROM automation.journal WHERE workflow = 'grouped' AND event = 'not_entered' GROUP BY 1, 2, 3 ORDER BY 1, 2;
DROP FUNCTION grouped;

-- A pause that is a multiple of the schedule's own.
CREATE FUNCTION fortnight(p person) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 10 * * *' FOR SELECT 1;
  ENROLL AGAIN AFTER '2 days';
BEGIN
  INSERT INTO log (what) VALUES ('every other day');
END $$;
CALL automation.advance('5 days');
SELECT count(*) FROM logged();
DROP FUNCTION fortnight;

-- More rows than are inserted together, each given twice, first in the order in which they lie, which
-- some have left, then in another; who is inside already stays.
CREATE TABLE mass (id int PRIMARY KEY, v int);
INSERT INTO mass SELECT g, 0 FROM generate_series(1, 700) g;
UPDATE mass SET v = 1 WHERE id % 7 = 0;
DELETE FROM mass WHERE id % 50 = 0;
CREATE FUNCTION crowded(c mass) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 11 * * *' FOR SELECT id FROM (SELECT id, 1 AS part, id AS place FROM mass UNION ALL SELECT id, 2, id % 97 FROM mass) AS c ORDER BY part, place, id;
  ENROLL AGAIN;
  EXIT WHEN c.v = 2;
BEGIN
  WAIT FOR '23 hours 30 minutes';
END $$;
SELECT automation.schedule_next('0 11 * * *') - automation.now() + interval '10 seconds' AS step \gset
CALL automation.advance(:'step');
SELECT count(*), count(DISTINCT subject_key) FROM automation.enrollments WHERE workflow = 'crowded';
SELECT event, reason, count(*), count(DISTINCT subject_key) FROM automation.journal WHERE workflow = 'crowded' GROUP BY 1, 2 ORDER BY 1, 2;
INSERT INTO mass SELECT g, 0 FROM generate_series(701, 1000) g;
CALL automation.advance('24 hours');
SELECT count(*), count(DISTINCT subject_key) FROM automation.enrollments WHERE workflow = 'crowded';
SELECT event, reason, count(*), count(DISTINCT subject_key) FROM automation.journal WHERE workflow = 'crowded' GROUP BY 1, 2 ORDER BY 1, 2;
DROP FUNCTION crowded;

-- Two schedules, with a condition of leaving; no subject.
CREATE FUNCTION twice(n int) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 10 * * *' FOR SELECT 10;
  EVERY '30 10 * * *' FOR SELECT generate_series(30, 32);
  ENROLL AGAIN;
  EXIT WHEN n = 31;
BEGIN
  INSERT INTO log (what) VALUES ('twice ' || n);
END $$;
SELECT clause, schedule FROM (SELECT row_number() OVER (ORDER BY id) AS clause, schedule FROM automation.schedules WHERE workflow = 'twice') s;
CALL automation.advance('24 hours');
SELECT logged();

-- Replaced: another schedule, one less; its times count from now.
SELECT string_agg(id::text, ',' ORDER BY id) AS ids FROM automation.schedules WHERE workflow = 'twice' \gset
CREATE OR REPLACE FUNCTION twice(n int) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 12 * * *' FOR SELECT 12;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log (what) VALUES ('replaced ' || n);
END $$;
SELECT schedule, id = split_part(:'ids', ',', 1)::bigint AS same_id FROM automation.schedules WHERE workflow = 'twice';
CALL automation.advance('24 hours');
SELECT logged();
-- Renamed, paused, resumed.
ALTER FUNCTION twice RENAME TO other;
SELECT automation.pause('other');
SELECT next_run FROM automation.schedules WHERE workflow = 'other';
CALL automation.advance('24 hours');
SELECT logged();
SELECT event, reason, what, detail ->> 'schedule' AS schedule FROM automation.journal WHERE workflow = 'other' AND event = 'not_entered' AND reason = 'missed_while_paused';
SELECT automation.resume('other');
CALL automation.run();
SELECT logged();
CALL automation.advance('24 hours');
SELECT logged();

-- A tick: twice for one time counts once, between times it does nothing.
SELECT id AS schedule FROM automation.schedules WHERE workflow = 'other' \gset
CALL automation.tick(:schedule);
CALL automation.run();
SELECT logged();
\c - postgres
SET search_path = every; SET timezone = 'UTC';
-- As if nobody had run for days: one run, for the last time of the schedule.
UPDATE automation.schedule SET last_run = last_run - interval '5 days', since = since - interval '10 days' WHERE id = :schedule;
\c - app
SET search_path = every; SET timezone = 'UTC';
CALL automation.tick(:schedule);
CALL automation.tick(:schedule);
CALL automation.run();
SELECT logged();
CALL automation.tick(:schedule);
CALL automation.run();
SELECT logged();
-- Who owns none learns nothing.
\c - every_other
CALL automation.tick(:schedule);
CALL automation.tick(-1);
CALL automation.tick(NULL);
SELECT count(*) FROM automation.schedules;
\c - app
SET search_path = every; SET timezone = 'UTC';
DROP FUNCTION other;

-- FOR with an error: the run fails and says so, the next one goes on.
CREATE TABLE divisor (d int);
INSERT INTO divisor VALUES (0);
CREATE FUNCTION failing(p person) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 10 * * *' FOR SELECT 1 / d FROM divisor;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log (what) VALUES ('at last ' || p.id);
END $$;
SELECT automation.schedule_next('0 10 * * *') - automation.now() + interval '10 seconds' AS step \gset
CALL automation.advance(:'step');
SELECT state, done, total, attempt > 0 AS tried, error FROM automation.progress WHERE workflow = 'failing';
SELECT severity, code, subject, remedy FROM automation.health() WHERE code = 'run_failed';
CALL automation.advance('24 hours');
SELECT state, done, error FROM automation.progress WHERE workflow = 'failing' ORDER BY job;
SELECT kept();
UPDATE divisor SET d = 1;
CALL automation.advance('24 hours');
SELECT logged();
SELECT state, done, error FROM automation.progress WHERE workflow = 'failing' ORDER BY job;
DROP FUNCTION failing;

-- What is kept of a run that was cancelled goes with the next one.
CREATE TABLE crowd (id int PRIMARY KEY);
INSERT INTO crowd SELECT generate_series(1, 4000);
CREATE FUNCTION cancelled(c crowd) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 10 * * *' FOR SELECT id FROM crowd;
  ENROLL AGAIN;
BEGIN
  SELECT automation.cancel_job(job) FROM automation.progress WHERE workflow = 'cancelled' AND state = 'running';
END $$;
SELECT automation.schedule_next('0 10 * * *') - automation.now() + interval '10 seconds' AS step \gset
CALL automation.advance(:'step');
CALL automation.advance('24 hours');
CALL automation.advance('24 hours');
SELECT state, done < total AS in_the_middle FROM automation.progress WHERE workflow = 'cancelled' ORDER BY job;
SELECT kept();
DROP FUNCTION cancelled;

-- A row with an error: it alone is tried again.
CREATE FUNCTION choosy(p person) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 10 * * *' FOR SELECT id FROM person;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log (what) SELECT 'choosy ' || p.id || ' ' || 1 / (p.id - 3);
END $$;
SELECT automation.schedule_next('0 10 * * *') - automation.now() + interval '10 seconds' AS step \gset
CALL automation.advance(:'step');
SELECT logged();
SELECT subject_key, state, error FROM automation.enrollments WHERE workflow = 'choosy';
SELECT state, done FROM automation.progress WHERE workflow = 'choosy';
DROP FUNCTION choosy;

-- A workflow that is held for its definition: what comes meanwhile is run once afterwards.
CREATE TABLE prize (id int PRIMARY KEY, worth int);
INSERT INTO prize VALUES (1, 100);
CREATE FUNCTION giving(z prize) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 10 * * *' FOR SELECT id FROM prize;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log (what) VALUES ('giving ' || z.worth);
END $$;
ALTER TABLE prize RENAME COLUMN worth TO value;
CALL automation.advance('72 hours');
SELECT logged();
ALTER TABLE prize RENAME COLUMN value TO worth;
CALL automation.run();
SELECT logged();
DROP FUNCTION giving;

-- Its job in pg_cron.
\c - postgres
SET search_path = every; SET timezone = 'UTC';
GRANT every_other TO app;
GRANT CREATE, USAGE ON SCHEMA every TO every_other;
GRANT SELECT, TRIGGER ON person TO every_other; GRANT ALL ON log TO every_other;
GRANT USAGE ON LANGUAGE workflow TO every_other;
CREATE FUNCTION jobs(OUT due text, OUT schedule text, OUT ticks boolean, OUT database text, OUT username text, OUT active boolean)
RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY SELECT s.schedule, j.schedule, j.command = format('CALL automation.tick(%s)', s.id), j.database, j.username, j.active
    FROM automation.schedules s LEFT JOIN cron.job j ON j.jobid = s.cron_job ORDER BY s.id;
END $$;
SET ROLE app;
CREATE FUNCTION jobbed(p person) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '15 4 * * 1' FOR SELECT id FROM person;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log (what) VALUES ('jobbed ' || p.id || ' by ' || current_user);
END $$;
RESET ROLE;
SELECT * FROM jobs();
CREATE OR REPLACE FUNCTION jobbed(p person) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '15 5 * * 1' FOR SELECT id FROM person WHERE id = 2;
  ENROLL AGAIN;
BEGIN
  INSERT INTO log (what) VALUES ('jobbed ' || p.id || ' by ' || current_user);
END $$;
SELECT * FROM jobs();
ALTER FUNCTION jobbed OWNER TO every_other;
SELECT * FROM jobs();
SELECT count(*) FROM cron.job;
-- The new owner accepts what is there, and it runs as him.
\c - every_other
SET search_path = every;
SELECT automation.accept_versions('jobbed');
\c - postgres
SET search_path = every; SET timezone = 'UTC';
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO every_other;
\c - every_other
SET search_path = every;
CALL automation.advance('7 days');
SELECT what FROM log;
\c - postgres
SET search_path = every; SET timezone = 'UTC';
REVOKE EXECUTE ON PROCEDURE automation.advance(interval) FROM every_other;
-- What somebody does to the job is seen and mended.
SELECT code, subject, problem, remedy FROM automation.health() WHERE code = 'no_cron_job';
SELECT cron.unschedule(jobid) FROM cron.job;
SELECT code, severity, subject, problem, remedy FROM automation.health() WHERE code = 'no_cron_job';
CALL automation.reconcile();
SELECT * FROM jobs();
SELECT code FROM automation.health() WHERE code = 'no_cron_job';
UPDATE cron.job SET username = 'app', active = false;
INSERT INTO cron.job (schedule, command, database, username, jobname, nodeport)
VALUES ('0 0 1 1 *', 'CALL automation.tick(4711)', 'regression', 'every_other', 'automation regression 4711', 1), ('0 0 1 1 *', 'SELECT 1', 'regression', 'app', 'mine', 1);
CALL automation.reconcile();
SELECT * FROM jobs();
SELECT jobname, schedule FROM cron.job WHERE jobname NOT LIKE 'automation%';
SELECT count(*) FROM cron.job;
DELETE FROM cron.job WHERE jobname = 'mine';
-- The extension goes, and comes again.
DROP EXTENSION pg_cron;
SELECT code, remedy FROM automation.health() WHERE code = 'no_cron_job';
SET ROLE app;
CREATE FUNCTION without(p person) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '15 4 * * 1' FOR SELECT id FROM person;
  ENROLL AGAIN;
BEGIN
  EXIT;
END $$;
RESET ROLE;
CREATE EXTENSION pg_cron;
SELECT * FROM jobs();
-- A schema of that name is not the extension.
DROP EXTENSION pg_cron;
CREATE SCHEMA cron AUTHORIZATION app;
SET ROLE app;
CREATE FUNCTION cron.schedule_in_database(text, text, text, text, text, boolean) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'run by %', current_user;
END $$;
CREATE FUNCTION without(p person) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '15 4 * * 1' FOR SELECT id FROM person;
  ENROLL AGAIN;
BEGIN
  EXIT;
END $$;
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA cron CASCADE;
RESET client_min_messages;
CREATE EXTENSION pg_cron;
-- what pg_cron remembers of the one before ends with the session
\c - postgres
SET search_path = every; SET timezone = 'UTC';
-- Dropped with its schema, its owner, its workflow.
SELECT count(*) FROM cron.job;
SET client_min_messages = warning;
DROP FUNCTION jobbed;
SELECT count(*) FROM cron.job;
SELECT count(*) FROM automation.schedule;
CREATE SCHEMA inner_schema AUTHORIZATION app;
SET ROLE app;
CREATE FUNCTION inner_schema.jobbed(p person) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '15 4 * * 1' FOR SELECT id FROM person;
  ENROLL AGAIN;
BEGIN
  EXIT;
END $$;
SELECT count(*) FROM automation.schedules;
DROP SCHEMA inner_schema CASCADE;
RESET ROLE;
SELECT count(*) FROM cron.job;
SELECT count(*) FROM automation.schedule;
REVOKE every_other FROM app;
-- Dropped with all that its owner has.
SET ROLE every_other;
CREATE FUNCTION owned(p person) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '15 4 * * 1' FOR SELECT id FROM person;
  ENROLL AGAIN;
BEGIN
  EXIT;
END $$;
RESET ROLE;
SELECT count(*) FROM cron.job;
DROP OWNED BY every_other;
SELECT count(*) FROM cron.job;
DROP SCHEMA every CASCADE;
DROP ROLE every_other;
