-- The views: what they say about each state, and who sees what.

\set VERBOSITY terse
CREATE ROLE views_owner LOGIN;
CREATE ROLE views_other LOGIN;
CREATE ROLE views_monitor LOGIN IN ROLE pg_monitor;
CREATE ROLE views_auditor LOGIN IN ROLE pg_read_all_data;
CREATE SCHEMA views AUTHORIZATION views_owner;
CREATE SCHEMA views_other AUTHORIZATION views_other;
GRANT USAGE ON LANGUAGE workflow TO views_owner;

\c - views_owner
SET search_path = views;
CREATE TABLE person (
    id        int PRIMARY KEY,
    name      text,
    status    text NOT NULL DEFAULT 'new',
    call_on   date,
    divisor   int NOT NULL DEFAULT 1
);
CREATE FUNCTION ring(p person, note text DEFAULT 'by hand') RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'called' FOR SELECT new.id, 'was ' || old.status;
  EXIT WHEN p.name IS NULL;
DECLARE
  share int;
BEGIN
  share := 10 / p.divisor;
  WAIT UNTIL p.call_on;
  WAIT UNTIL p.status = 'done' TIMEOUT '7 days';
END $$;
INSERT INTO person (id, name, call_on, divisor) VALUES
    (1, 'Ann', '2001-01-01', 1), (2, 'Bob', NULL, 1), (3, 'Cid', '2001-01-01', 0), (4, NULL, NULL, 1), (5, 'Eve', '2001-01-01', 1);
UPDATE person SET status = 'called' WHERE id <> 3;
CALL automation.run();
UPDATE person SET status = 'done' WHERE id = 5;
UPDATE person SET status = 'new' WHERE id = 1;
UPDATE person SET status = 'called' WHERE id IN (1, 3);
CALL automation.run();

SELECT name, schema, signature, owner, active, entry, hold, version, entered, waiting, retrying, held, failed, note
FROM automation.workflows WHERE owner = 'views_owner'::regrole \gx
SELECT workflow, subject, subject_table, subject_key, entry_key, state, reason, line, statement, waits_for,
       wakes_at IS NOT NULL AS wakes, attempt, error, args, vars
FROM automation.enrollments WHERE owner = 'views_owner'::regrole ORDER BY subject_key \gx
SELECT subject_key, event, reason, what FROM automation.journal
WHERE owner = 'views_owner'::regrole ORDER BY subject_key, at, position;
SELECT owner, events, waiting, retrying, held, failed, overdue, parked FROM automation.stat WHERE owner = 'views_owner'::regrole;

-- a command changes what they say
SELECT automation.pause('ring');
SELECT name, active, entry, hold, note FROM automation.workflows WHERE owner = 'views_owner'::regrole;
SELECT automation.pause('ring', hold => true);
SELECT name, active, entry, hold, note FROM automation.workflows WHERE owner = 'views_owner'::regrole;

-- nothing for others, whatever they try
\c - views_other
SELECT count(*) FROM automation.workflows WHERE schema = 'views';
SELECT count(*) FROM automation.enrollments WHERE owner = 'views_owner'::regrole;
SELECT count(*) FROM automation.journal WHERE owner = 'views_owner'::regrole;
SELECT count(*) FROM automation.stat WHERE owner = 'views_owner'::regrole;
CREATE FUNCTION views_other.leak(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
    RAISE NOTICE 'seen: %', value;
    RETURN true;
END $$;
SELECT id FROM automation.enrollments WHERE views_other.leak(args::text);
SELECT at FROM automation.journal WHERE views_other.leak(what);
SELECT name FROM automation.workflows WHERE views_other.leak(signature);
SELECT owner FROM automation.stat WHERE views_other.leak(owner::text);
SELECT * FROM automation.enrollment;
SELECT * FROM automation.history;
SELECT * FROM automation.event_0;

-- counts for pg_monitor, no keys and no values
\c - views_monitor
SELECT name, waiting, retrying, hold_detail FROM automation.workflows WHERE schema = 'views';
SELECT count(*) FROM automation.enrollments;
SELECT count(*) FROM automation.journal;
SELECT owner, waiting FROM automation.stat WHERE owner = 'views_owner'::regrole;

-- everything for pg_read_all_data
\c - views_auditor
SELECT subject_key, vars FROM automation.enrollments WHERE owner = 'views_owner'::regrole ORDER BY subject_key;

\c - postgres
SET client_min_messages = warning;
DROP SCHEMA views, views_other CASCADE;
DROP OWNED BY views_owner, views_other;
DROP ROLE views_owner, views_other, views_monitor, views_auditor;
SELECT count(*) FROM automation.workflows WHERE name = 'ring';

-- every column of a view has a comment
SELECT a.attrelid::regclass, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'automation'::regnamespace AND c.relkind = 'v' AND a.attnum > 0
      AND c.relname NOT IN ('history', 'problem') AND col_description(a.attrelid, a.attnum) IS NULL;
