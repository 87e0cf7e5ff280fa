-- backfill(): rows that are there enter; jobs: progress, rate, pause, cancel, failures, rights.
CREATE SCHEMA backfill AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
CREATE ROLE backfill_other LOGIN;
\c - app
SET search_path = backfill; SET timezone = 'UTC';
CREATE VIEW jobs AS SELECT kind, what, state, waits_for, done, total, rate, attempt, error FROM automation.progress
  WHERE signature LIKE 'backfill.%' ORDER BY job;
CREATE TABLE person (id int PRIMARY KEY, score int, gone boolean DEFAULT false);
CREATE TABLE log (id int, at timestamptz DEFAULT automation.now());
INSERT INTO person SELECT i, i % 10, i % 50 = 0 FROM generate_series(1, 1000) i;
ANALYZE person;
CREATE FUNCTION flow(p person, k int DEFAULT 1) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  EXIT WHEN p.gone;
BEGIN
  INSERT INTO log VALUES (p.id);
END $$;

-- A dry run counts what the run does.
SELECT flow(person, 1) IS NOT NULL AS called FROM person WHERE id IN (17, 18);
CALL automation.run();
SELECT job IS NULL AS no_job, rows, entries FROM automation.backfill('flow', dry_run => true);
SELECT job IS NULL AS no_job, rows, entries FROM automation.backfill('flow', 'p.score = 7 AND k = 1', dry_run => true);
SELECT count(*) FROM log;
SELECT job IS NOT NULL AS job, rows, entries FROM automation.backfill('flow', 'p.score = 7 AND k = 1');
SELECT * FROM jobs;
CALL automation.run();
SELECT * FROM jobs;
SELECT count(*), count(DISTINCT id) FROM log WHERE id <> 18;
SELECT rows, entries FROM automation.backfill('flow', 'p.score = 7', dry_run => true);
SELECT rows FROM automation.backfill('flow');
CALL automation.run();
SELECT count(*), count(DISTINCT id) FROM log;
SELECT reason, count(*) FROM automation.journal WHERE workflow = 'flow' AND event = 'not_entered' GROUP BY 1 ORDER BY 1;
DROP FUNCTION flow(person, int);

-- A rate: ten a second.
DELETE FROM log;
CREATE FUNCTION flow(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES (p.id);
END $$;
SELECT rows FROM automation.backfill('flow', 'p.score < 5', 10);
CALL automation.advance('10 seconds');
SELECT count(*) BETWEEN 80 AND 130 AS about_a_hundred FROM log;
SELECT state, rate, done < 300 AS on_its_way FROM jobs;
-- paused it waits, and goes on
SELECT automation.pause('flow');
CALL automation.advance('1 minute');
SELECT count(*) < 140 AS stands FROM log;
SELECT state, waits_for FROM jobs;
SELECT automation.resume('flow');
CALL automation.advance('5 seconds');
SELECT count(*) BETWEEN 120 AND 210 AS goes_on FROM log;
-- cancelled it stops where it is
SELECT automation.cancel_job(max(job)) FROM automation.progress WHERE signature LIKE 'backfill.%';
CALL automation.advance('1 hour');
SELECT count(*) BETWEEN 120 AND 210 AS stopped FROM log;
SELECT state FROM jobs;
SELECT automation.cancel_job(max(job)) FROM automation.progress WHERE signature LIKE 'backfill.%';
SELECT automation.cancel_job(-1);

-- Poison: in the condition, in the first step. The others enter; each failure is its own row's.
DELETE FROM log;
CREATE OR REPLACE FUNCTION flow(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES (p.id / (CASE WHEN p.id IN (5, 505) THEN 0 ELSE 1 END));
END $$;
SELECT rows FROM automation.backfill('flow', '1 / (p.id - 300) < 2');
CALL automation.run();
SELECT state, done, attempt FROM jobs WHERE state = 'done';
SELECT count(*), count(DISTINCT id) FROM log;
SELECT subject_key, state FROM automation.enrollments WHERE workflow = 'flow' ORDER BY 1;
SELECT subject_key, reason FROM automation.journal WHERE workflow = 'flow' AND event = 'not_entered';
UPDATE person SET id = 1005 WHERE id = 5;
UPDATE person SET id = 1505 WHERE id = 505;
CALL automation.advance('1 day');
SELECT count(*), count(DISTINCT id) FROM log;

-- Mistakes
SELECT automation.backfill('flow', 'p.scoer = 1');
SELECT automation.backfill('flow', 'true); DROP TABLE person; --');
SELECT automation.backfill('flow', 'p.score');
SELECT automation.backfill('flow', rate => 0);
SELECT automation.backfill('nothing');
SELECT automation.backfill(NULL);
CREATE FUNCTION plain(n int) RETURNS bigint LANGUAGE workflow AS $$ ENROLL AGAIN; BEGIN END $$;
CREATE FUNCTION two(p person, n int) RETURNS bigint LANGUAGE workflow AS $$ ENROLL AGAIN; BEGIN END $$;
SELECT automation.backfill('plain');
SELECT automation.backfill('two');
CREATE FUNCTION inner_call(p person) RETURNS bigint LANGUAGE workflow AS $$ ENROLL AGAIN; BEGIN SELECT automation.backfill('flow'); END $$;
SELECT inner_call(person) IS NOT NULL AS called FROM person WHERE id = 1;
CALL automation.run();
SELECT error FROM automation.enrollments WHERE workflow = 'inner_call';
-- Somebody else: neither starts, nor stops, nor sees.
SELECT rows IS NOT NULL AS started FROM automation.backfill('flow');
GRANT USAGE ON SCHEMA backfill TO backfill_other;
GRANT EXECUTE ON FUNCTION flow(person) TO backfill_other;
CALL automation.run();
SELECT max(job) AS job FROM automation.progress WHERE signature LIKE 'backfill.%' \gset
\c - backfill_other
SELECT automation.backfill('backfill.flow');
SELECT automation.backfill('backfill.flow', dry_run => true);
SELECT count(*) FROM automation.progress;
SELECT automation.cancel_job(:job);
-- The superuser's condition runs as the owner.
\c - postgres
SELECT rows, entries FROM automation.backfill('backfill.flow', 'current_user = ''app'' AND NOT p.gone', dry_run => true);
SET client_min_messages = warning;
DROP SCHEMA backfill CASCADE;
DROP OWNED BY backfill_other;
DROP ROLE backfill_other;
SELECT count(*) FROM automation.job j WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = j.workflow);
