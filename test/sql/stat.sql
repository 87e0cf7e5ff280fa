-- automation.stat and its kin: what is counted, when, and for whose eyes.
-- Without preload a session counts what its own automation.run() did.

\set VERBOSITY terse
CREATE ROLE stat_other LOGIN;
CREATE ROLE stat_owner LOGIN IN ROLE stat_other;
CREATE ROLE stat_monitor LOGIN IN ROLE pg_monitor;
CREATE SCHEMA stat AUTHORIZATION stat_owner;
GRANT USAGE ON LANGUAGE workflow TO stat_owner;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO stat_owner;

\c - stat_owner
SET search_path = stat;
CREATE TABLE person (id int PRIMARY KEY, n int NOT NULL DEFAULT 1);
CREATE TABLE effect (id int, result int, UNIQUE (id) DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION ring(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF n;
BEGIN
  INSERT INTO effect VALUES (p.id, 10 / p.n);
  WAIT FOR '1 day';
  UPDATE effect SET result = result + 1 WHERE id = p.id;
END $$;

SELECT counted_since, items FROM automation.stat WHERE owner = 'stat_owner'::regrole;

-- two enter and wait; a change of one of them is refused
INSERT INTO person VALUES (1), (2);
CALL automation.run();
UPDATE person SET n = 2 WHERE id = 1;
CALL automation.run();
SELECT events, waiting, events_done, items, entered, not_entered, ended, statements, waits_begun, waits_over, retries, failures, holds,
       set_aside, batches > 0 AS batches, rollbacks, conflicts, bisections, alone, cancels, deaths, counted_since <= now() AS counted
FROM automation.stat WHERE owner = 'stat_owner'::regrole \gx

-- their time comes
CALL automation.advance('1 day');
SELECT events_done, items, ended, statements, waits_over FROM automation.stat WHERE owner = 'stat_owner'::regrole;

-- one meets an error: what was rolled back is not counted, that it was is
INSERT INTO person VALUES (3, 1), (4, 0), (5, 1);
CALL automation.run();
SELECT events_done, entered, statements, retries, failures, rollbacks > 0 AS rollbacks, alone > 0 AS alone, conflicts
FROM automation.stat WHERE owner = 'stat_owner'::regrole;
CALL automation.advance('1 hour');
SELECT retries, failures FROM automation.stat WHERE owner = 'stat_owner'::regrole;

-- the end of a batch fails: it is done in halves
SELECT automation.stat_reset();
INSERT INTO effect VALUES (7, 7);
INSERT INTO person VALUES (6), (7), (8);
CALL automation.run();
SELECT entered, bisections > 0 AS bisections, retries FROM automation.stat WHERE owner = 'stat_owner'::regrole;

-- held, set aside, released
SELECT automation.pause('ring', hold => true);
INSERT INTO person VALUES (9);
CALL automation.run();
SELECT set_aside, entered FROM automation.stat WHERE owner = 'stat_owner'::regrole;
CALL automation.advance('1 day');
SELECT holds > 0 AS holds FROM automation.stat WHERE owner = 'stat_owner'::regrole;
SELECT automation.resume('ring');
CALL automation.run();

-- the histograms agree with the counts
SELECT l.kind, l.count = CASE l.kind WHEN 'item' THEN s.items WHEN 'batch' THEN s.batches WHEN 'timer' THEN l.count ELSE s.events_done END AS all,
       l.mean <= l.longest AS mean, l.p50 <= l.p90 AND l.p90 <= l.p99 AND l.p99 <= l.longest AS quantiles
FROM automation.stat_latency l JOIN automation.stat s USING (owner) WHERE owner = 'stat_owner'::regrole ORDER BY kind;
SELECT kind, count(*), bool_and(upto > before) AS rising, max(cumulative) = sum(count) AS cumulative, min(upto), max(upto)
FROM (SELECT h.*, lag(upto, 1, 0) OVER (PARTITION BY kind ORDER BY upto) AS before FROM automation.stat_histogram h
      WHERE owner = 'stat_owner'::regrole) h
GROUP BY kind ORDER BY kind;
-- whose eyes
SELECT count(*) FROM automation.stat_counters() WHERE owner IS NOT NULL;
SELECT automation.stat_reset('postgres');
SET ROLE stat_other;
SELECT count(*) FROM automation.stat WHERE owner = 'stat_owner'::regrole;
SELECT count(*) FROM automation.stat_counters() WHERE owner IS NOT NULL;
SELECT count(*) FROM automation.stat_buckets();
SELECT count(*) FROM automation.stat_latency;
SELECT count(*) FROM automation.stat_histogram;
SELECT automation.stat_reset('stat_owner');
SELECT automation.stat_reset();
RESET ROLE;
SELECT entered > 0 AS still_there FROM automation.stat WHERE owner = 'stat_owner'::regrole;
SELECT automation.stat_reset('stat_owner');
SELECT items, entered, batches FROM automation.stat WHERE owner = 'stat_owner'::regrole;
SELECT count(*) FROM automation.stat_engine;

-- another session did nothing
\c - stat_owner
SELECT counted_since, items FROM automation.stat WHERE owner = 'stat_owner'::regrole;
-- an event that waits for a day of the engine's time waits for a day
INSERT INTO stat.person VALUES (10);
\c - postgres
CALL automation.advance('1 day');
\c - stat_owner
CALL automation.run();
SELECT count, p50 BETWEEN 86400e3 AND 2 * 86400e3 AS a_day FROM automation.stat_latency WHERE kind = 'event' AND owner = 'stat_owner'::regrole;
\c - stat_monitor
SELECT owner, waiting, items FROM automation.stat WHERE owner = 'stat_owner'::regrole;

\c - postgres
SET client_min_messages = warning;
DROP SCHEMA stat CASCADE;
DROP OWNED BY stat_owner, stat_other;
DROP ROLE stat_owner, stat_other, stat_monitor;
