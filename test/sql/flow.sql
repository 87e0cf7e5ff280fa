-- What runs between two waits: branches, labels and jumps, INTO, variables,
-- FOUND, the engine's clock.
CREATE SCHEMA flow AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = flow; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (x int, y text);
CREATE TABLE item (id int PRIMARY KEY, n int, name text, at timestamptz DEFAULT automation.now());
CREATE TABLE log (n bigint GENERATED ALWAYS AS IDENTITY, what text);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING n, what) SELECT what FROM d ORDER BY n $$;
INSERT INTO item SELECT g, g, 'item ' || g FROM generate_series(1, 6) g;

-- IF: the first branch that holds, NULL does not hold, branches may be empty.
CREATE FUNCTION branches(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  path text := '';
BEGIN
  IF i.n = 1 THEN
    path := path || 'one';
    IF i.name LIKE 'item%' THEN path := path || '(item)'; ELSE path := path || '(other)'; END IF;
  ELSIF i.n = 2 THEN
  ELSIF i.n < 4 THEN
    path := path || 'three';
    WAIT FOR '1 hour';
    path := path || ' later';
  ELSEIF i.n IN (SELECT n FROM item WHERE id = 4) THEN
    path := path || 'four';
    EXIT;
  ELSE
    path := path || 'else';
  END IF;
  INSERT INTO log (what) VALUES (i.id || ': ' || path);
END $$;
UPDATE item SET n = NULL WHERE id = 6;
SELECT count(branches(i)) FROM item i;
CALL automation.run();
SELECT logged();
CALL automation.advance('1 hour');
SELECT logged();
SELECT subject_key, reason FROM automation.journal WHERE workflow = 'branches' AND event = 'ended' AND reason <> 'completed';
DROP FUNCTION branches;

-- Jumps: forward, backward, into a branch past its condition, out of one, to the end.
CREATE FUNCTION jumps(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  path text := 'a';
BEGIN
  IF i.n = 1 THEN
    GO TO inside;
  END IF;
  <<top>>
  path := path || 'b';
  IF false THEN
    path := path || 'never';
    <<inside>>
    path := path || 'c';
  ELSE
    path := path || 'd';
    GO TO out;
  END IF;
  path := path || 'e';
  GO TO top AT MOST 1 TIMES;
  <<out>>
  path := path || 'f';
  INSERT INTO log (what) VALUES (i.id || ' ' || path);
  IF i.n = 1 THEN
    GO TO finish;
  END IF;
  INSERT INTO log (what) VALUES ('only of 2');
  <<finish>>
END $$;
SELECT count(jumps(i)) FROM item i WHERE id <= 2;
CALL automation.run();
SELECT logged();
DROP FUNCTION jumps;

-- AT MOST falls through; PER opens a new window; one counter per GO TO.
CREATE FUNCTION at_most(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  a int := 0;
  b int := 0;
BEGIN
  <<a>>
  a := a + 1;
  GO TO a AT MOST 4 TIMES;
  <<b>>
  b := b + 1;
  WAIT FOR '10 hours';
  GO TO b AT MOST 2 TIMES PER '1 day';
  INSERT INTO log (what) VALUES (a || ' ' || b);
  WAIT FOR '1 day';
  IF b < 6 THEN
    GO TO b;
  END IF;
  INSERT INTO log (what) VALUES ('end ' || a || ' ' || b);
END $$;
SELECT count(at_most(i)) FROM item i WHERE id = 1;
CALL automation.advance('10 days');
SELECT logged();
DROP FUNCTION at_most;

-- Without AT MOST ten times a day; retry lets it go on.
CREATE FUNCTION endless(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  n int := 0;
BEGIN
  <<again>>
  n := n + 1;
  WAIT FOR '1 hour';
  GO TO again;
END $$;
CREATE VIEW endless_now AS
  SELECT state, reason, statement, line, vars, wakes_at IS NOT NULL AS wakes FROM automation.enrollments WHERE workflow = 'endless';
SELECT count(endless(i)) FROM item i WHERE id = 1;
CALL automation.advance('7 hours 30 minutes');
SELECT * FROM endless_now;
CALL automation.advance('2 days');
SELECT * FROM endless_now;
UPDATE item SET n = 100 WHERE id = 1;
CALL automation.advance('2 days');
SELECT * FROM endless_now;
SELECT automation.retry('endless');
CALL automation.run();
SELECT * FROM endless_now;
DROP FUNCTION endless CASCADE;

-- A loop without a wait: ten thousand statements, then it is held; retry goes on from there.
CREATE FUNCTION runaway(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  n int := 0;
BEGIN
  <<again>>
  n := n + 1;
  GO TO again AT MOST 9000 TIMES;
  INSERT INTO log (what) VALUES ('runaway ' || n);
END $$;
SELECT count(runaway(i)) FROM item i WHERE id = 1;
CALL automation.run();
SELECT state, reason, vars FROM automation.enrollments WHERE workflow = 'runaway';
SELECT automation.retry(id) FROM automation.enrollments WHERE workflow = 'runaway';
CALL automation.run();
SELECT state, reason, vars FROM automation.enrollments WHERE workflow = 'runaway';
SELECT logged();
DROP FUNCTION runaway;

-- INTO: the first row, none, several targets, a row variable, RETURNING; FOUND after each.
CREATE FUNCTION into_(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  a int := -1;
  b text := 'b';
  p pair;
  r item;
BEGIN
  INSERT INTO log (what) VALUES ('at first ' || found);
  SELECT n, name INTO a, b FROM item WHERE id < 4 ORDER BY id DESC;
  INSERT INTO log (what) VALUES (concat_ws(' ', 'select', a, b, found));
  a := 7;
  IF found THEN
  END IF;
  INSERT INTO log (what) SELECT 'not by := nor IF ' || found;
  SELECT n, name FROM item WHERE false INTO a, b;
  INSERT INTO log (what) VALUES (concat_ws(' ', 'no row', coalesce(a::text, '-'), coalesce(b, '-'), found));
  SELECT n, name INTO p FROM item WHERE id = 2;
  INSERT INTO log (what) VALUES (concat_ws(' ', 'pair', p.x, p.y, (p).x + 1, found));
  SELECT * INTO r FROM item WHERE id = 3;
  INSERT INTO log (what) VALUES (concat_ws(' ', 'row', r.id, r.name));
  SELECT x INTO r FROM item x WHERE id = 4;
  INSERT INTO log (what) VALUES (concat_ws(' ', 'row', r.id, r.name));
  UPDATE item SET n = n + 10 WHERE id = 5 RETURNING n, name INTO a, b;
  INSERT INTO log (what) VALUES (concat_ws(' ', 'update', a, b, found));
  UPDATE item SET n = n + 10 WHERE false;
  INSERT INTO log (what) VALUES ('update of nothing ' || found);
  DELETE FROM item WHERE id = 6 RETURNING * INTO r;
  INSERT INTO log (what) VALUES (concat_ws(' ', 'delete', r.id, r.name, found));
  WITH w AS (INSERT INTO item (id, name) VALUES (6, 'back') RETURNING *) SELECT name INTO b FROM w;
  INSERT INTO log (what) VALUES (concat_ws(' ', 'with', b, found));
  VALUES (1, 'v') INTO a, b;
  INSERT INTO log (what) VALUES (concat_ws(' ', 'values', a, b, found));
  MERGE INTO item t USING (VALUES (6)) s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = 'merged';
  SELECT name FROM item WHERE id = 6 INTO b;
  INSERT INTO log (what) VALUES (concat_ws(' ', b, found));
END $$;
SELECT count(into_(i)) FROM item i WHERE id = 1;
CALL automation.run();
SELECT logged();
DROP FUNCTION into_;

-- Variables: defaults, types and typmods, kept over waits.
CREATE FUNCTION variables(i item, base int DEFAULT 40) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  a int := base + 2;
  b numeric(6, 2) := a / 9.0;
  c text[] := ARRAY['x', 'y z', NULL, '"q"'];
  d jsonb := '{"k": [1, null, "ä"]}';
  e mood := 'ok';
  f pair := ROW(5, 'five, "quoted"');
  g timestamptz := timestamptz '2020-03-29 01:30:00+00';
  h varchar(4);
  k item;
  l date := '2024-02-29';
  m bytea := '\x00ff';
  o float8 := 0.1::float8 + 0.2::float8;
  q interval := '1 mon 2 days';
BEGIN
  h := 'ab';
  k := i;
  WAIT FOR '1 day';
  INSERT INTO log (what) VALUES (concat_ws(' | ', a, b, c, d, e, f, f.y));
  INSERT INTO log (what) VALUES (concat_ws(' | ', g AT TIME ZONE 'UTC', h, k.name, l + 1, m, o, q, o = 0.1::float8 + 0.2::float8));
  d := d || jsonb_build_object('n', b);
  e := 'happy';
  h := NULL;
  b := 1.005 + a;
  WAIT FOR '1 day';
  INSERT INTO log (what) VALUES (concat_ws(' | ', d, e > 'ok', coalesce(h, 'null'), b, k.name, i.name));
END $$;
SELECT count(variables(i)) FROM item i WHERE id = 1;
SET datestyle = 'German, DMY';
SET intervalstyle = 'sql_standard';
SET extra_float_digits = -10;
SET bytea_output = 'escape';
CALL automation.run();
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
RESET extra_float_digits;
RESET bytea_output;
UPDATE item SET name = 'renamed' WHERE id = 1;
CALL automation.advance('1 day');
CALL automation.advance('1 day');
SELECT logged();
DROP FUNCTION variables;

-- now() and its kin are the engine's clock, one moment from wait to wait.
CREATE FUNCTION times(i item) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  start timestamptz := now();
  same boolean;
BEGIN
  WAIT FOR '40 days';
  SELECT now() = current_timestamp AND current_date = now()::date AND localtimestamp = now()::timestamp
         AND current_time = now()::timetz AND localtime = now()::time AND transaction_timestamp() = now() INTO same;
  INSERT INTO log (what) VALUES (concat_ws(' ', date_trunc('hour', now() - start), same, now() = automation.now(),
                                           now() >= entered_at() + interval '40 days', now()::date - start::date));
  same := now() = (SELECT now() FROM pg_sleep(0));
  INSERT INTO log (what) VALUES ('same: ' || same);
END $$;
SELECT count(times(i)) FROM item i WHERE id = 1;
CALL automation.advance('40 days');
SELECT logged();
\c - postgres
SET client_min_messages = warning;
DROP SCHEMA flow CASCADE;
