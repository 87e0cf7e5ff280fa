-- INSERT and UPDATE by primary key, run again and again in a batch, do without
-- the executor from their third run on.  Whatever they do must be what they do
-- when each row has a batch of its own, where everything runs the ordinary way.
\set VERBOSITY terse
CREATE ROLE direct_other LOGIN;
CREATE ROLE direct_user LOGIN NOINHERIT;
GRANT direct_other TO direct_user;
CREATE SCHEMA direct AUTHORIZATION direct_user;
CREATE SCHEMA direct_elsewhere AUTHORIZATION direct_user;
GRANT USAGE ON LANGUAGE workflow TO direct_user;
-- long enough for all rows of a round, however slow the machine
LOAD 'automation';
ALTER SYSTEM SET automation.batch_time = '10s';
SELECT pg_reload_conf();
\c - direct_user
SET search_path = direct; SET datestyle = 'ISO';
GRANT USAGE, CREATE ON SCHEMA direct TO direct_other;

-- Makes twelve rows, $1, one after another, each with a batch; then twelve more,
-- $1 + 100, all in one batch; and compares the effects of the two.
CREATE TABLE alone (effect text);
CREATE TABLE together (effect text);
CREATE FUNCTION direct_count() RETURNS bigint LANGUAGE sql AS $$
  SELECT coalesce(max(statements_direct), 0) FROM automation.stat WHERE owner = 'direct_user'::regrole $$;
CREATE PROCEDURE compare(setup text, effects text,
                      INOUT rows bigint DEFAULT 0, INOUT differ bigint DEFAULT 0,
                         INOUT direct_alone bigint DEFAULT 0, INOUT direct_together boolean DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE
  n bigint := direct_count();
BEGIN
  DELETE FROM alone;
  DELETE FROM together;
  FOR i IN 1..12 LOOP
    EXECUTE setup USING i;
    CALL automation.run();
  END LOOP;
  direct_alone := direct_count() - n;
  n := direct_count();
  EXECUTE 'INSERT INTO alone SELECT e::text FROM (' || effects || ') e' USING 0;
  FOR i IN 1..12 LOOP
    EXECUTE setup USING i + 100;
  END LOOP;
  CALL automation.run();
  direct_together := direct_count() > n;
  EXECUTE 'INSERT INTO together SELECT e::text FROM (' || effects || ') e' USING 100;
  rows := (SELECT count(*) FROM direct.together);
  differ := (SELECT count(*) FROM ((TABLE direct.alone EXCEPT ALL TABLE direct.together) UNION ALL
                                   (TABLE direct.together EXCEPT ALL TABLE direct.alone)) d);
END $$;
-- What the journal says of a round, errors included; rows are told by their number.
CREATE FUNCTION said(workflow text, base int)
  RETURNS TABLE (id text, what text, why text, line int, state text, message text, detail text, context text) LANGUAGE sql AS $$
  SELECT (j.subject_key::int - base)::text, j.event, j.reason, j.line, j.detail ->> 'sqlstate', j.detail ->> 'message',
         replace(j.detail ->> 'detail', j.subject_key, (j.subject_key::int - base)::text),
         regexp_replace(j.detail ->> 'context', '\nSQL statement "CALL automation.run.*', '')
  FROM automation.journal j WHERE j.workflow = $1 AND j.subject_key::int BETWEEN base + 1 AND base + 12 $$;
CREATE TABLE log (id int, what text, v int);

-- INSERT: defaults, identity, domains, type modifiers, dropped and added columns
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (x int, y text);
CREATE TABLE s1 (id int PRIMARY KEY, n int, name text);
CREATE TABLE made (nr bigint GENERATED ALWAYS AS IDENTITY, gone text, id int, at date DEFAULT '2020-02-02', p positive,
                   c char(5), v varchar(20), d numeric(6,2), a int[], m mood, r pair, j jsonb, s serial);
ALTER TABLE made DROP gone;
ALTER TABLE made ADD later text DEFAULT 'later';
CREATE FUNCTION f1(x s1) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO made (id, p, c, v, d, a, m, r, j) VALUES
    (x.id % 100, x.n, x.name, x.name || '!', x.n / 3.0, ARRAY[x.n, NULL], 'ok', (x.n, x.name), to_jsonb(x) - 'id');
  IF NOT FOUND THEN INSERT INTO log VALUES (x.id % 100, 'not found'); END IF;
  INSERT INTO made DEFAULT VALUES;
  INSERT INTO made (id, later) SELECT x.id % 100, NULL;
END $$;
CALL compare('INSERT INTO s1 VALUES ($1, $1 % 100, ''n'' || $1 % 100)',
          'SELECT id, at, p, c, v, d, a, m, r, j, later, (nr - 1) % 36, (s - 1) % 36 FROM made WHERE nr > $1 * 36 / 100');
SELECT * FROM made WHERE id = 6 ORDER BY nr;

-- errors: the same words at the same places, and none of the others is lost
CREATE TABLE s2 (id int PRIMARY KEY, n int, name text);
CREATE TABLE strict (id int, p positive NOT NULL, c varchar(3), u int UNIQUE DEFERRABLE, b box, r int REFERENCES s1 ON UPDATE CASCADE,
                     CHECK (p < 100), EXCLUDE USING gist (b WITH &&));
CREATE FUNCTION f2(x s2) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO strict (id, p, c, u, b, r) VALUES
    (x.id,
     CASE x.n WHEN 8 THEN NULL WHEN 9 THEN 0 WHEN 10 THEN 100 ELSE 8 / (x.n - 11) + 10 END,
     CASE x.n WHEN 12 THEN 'long' ELSE 'c' END, x.id, box(point(x.id, 0), point(x.id, 0)), 1);
END $$;
CALL compare('INSERT INTO s2 VALUES ($1, $1 % 100)', 'SELECT * FROM direct.said(''f2'', $1)');
SELECT * FROM said('f2', 100) WHERE what <> 'entered' AND what <> 'ended' ORDER BY id;
SELECT count(*) FROM strict;

-- the same for UPDATE of one's own row
CREATE TABLE s3 (id int PRIMARY KEY, n int, p positive NOT NULL DEFAULT 1, c varchar(3), u int UNIQUE, b box, r int REFERENCES s1,
                 CHECK (p < 100), EXCLUDE USING gist (b WITH &&));
INSERT INTO s3 (id, n, u, b) VALUES (0, 0, 0, box(point(0, 0), point(0, 0)));
CREATE FUNCTION f3(x s3) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  UPDATE s3 SET p = CASE x.n WHEN 5 THEN NULL WHEN 6 THEN 0 WHEN 7 THEN 100 WHEN 8 THEN 1 / (n - x.n) ELSE p END,
     c = CASE n WHEN 9 THEN 'long' ELSE 'c' END, u = CASE n WHEN 10 THEN 0 END,
     b = CASE n WHEN 11 THEN box(point(0, 0), point(0, 0)) END, r = CASE n WHEN 12 THEN -1 END
  WHERE id = x.id;
END $$;
CALL compare('INSERT INTO s3 VALUES ($1, $1 % 100)', 'SELECT * FROM direct.said(''f3'', $1)');
SELECT * FROM said('f3', 100) WHERE what <> 'entered' ORDER BY id;

-- an error in the third round of one item, with nobody before it in the batch
CREATE TABLE s4 (id int PRIMARY KEY, n int);
CREATE FUNCTION f4(x s4) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  <<again>>
  UPDATE s4 SET n = 10 / (3 - n) WHERE id = x.id;
  UPDATE s4 SET n = n - 3 WHERE id = x.id AND n > 3;
  INSERT INTO log VALUES (x.id % 100, 'round', x.n);
  GO TO again AT MOST 5 TIMES;
END $$;
CALL compare('INSERT INTO s4 VALUES ($1, $1 % 100)', 'SELECT * FROM direct.said(''f4'', $1)');
SELECT * FROM said('f4', 100) WHERE what <> 'entered' ORDER BY id;

-- rows: one's own, another's, both arguments the same, one changed through a
-- constant; each is seen as it is afterwards
CREATE TABLE s5 (id int PRIMARY KEY, n int, friend int, a int[], r pair, big text, note text);
CREATE FUNCTION f5(x s5, y s5) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  k int := x.id;
BEGIN
  INSERT INTO log VALUES (x.id, 'start', x.n);
  UPDATE s5 SET n = s5.n + y.n, note = 'of ' || y.n WHERE id = x.friend AND s5.n + y.n > 0;
  INSERT INTO log VALUES (x.id, 'mine', x.n * 1000 + y.n);
  UPDATE s5 SET n = 77, a[2] = x.n, r.y = x.note WHERE 1 + (x.id - 1) = id;
  INSERT INTO log VALUES (x.id, 'array ' || coalesce(x.a::text, '') || coalesce(x.r::text, ''), x.n);
  INSERT INTO log VALUES (y.id, 'y', y.n);
  UPDATE s5 SET note = x.note || y.note WHERE id = y.id AND n > 1000;
  INSERT INTO log VALUES (x.id, 'found', FOUND::int);
  UPDATE s5 SET note = left(x.big, 2) WHERE id = x.id::bigint;
  IF x.n = 77 THEN INSERT INTO log VALUES (x.id, 'big ' || length(x.big), y.n); END IF;
  UPDATE s5 SET note = 'by k' WHERE id = k;
  IF x.note <> 'by k' THEN INSERT INTO log VALUES (x.id, 'stale'); END IF;
  UPDATE s5 SET big = x.big || y.big WHERE id = x.id;
  INSERT INTO log VALUES (x.id, md5(x.big), length(x.big));
END $$;
CREATE FUNCTION s5_rows(i int) RETURNS void LANGUAGE sql AS $$
  INSERT INTO s5 (id, n, friend, a, big)
  SELECT k * 1000 + i, k * 10 + i % 100, 2000 + i, '{1,2,3}', (SELECT string_agg(md5(i % 100 || ' ' || g), '') FROM generate_series(1, 200) g)
  FROM generate_series(0, 2) k $$;
CREATE PROCEDURE start_f5(i int) LANGUAGE sql AS $$
  SELECT s5_rows(i);
  SELECT f5(x, y) FROM s5 x, s5 y WHERE x.id = i AND y.id IN (i, i + 1000) ORDER BY y.id;
$$;
CREATE FUNCTION ids(base int) RETURNS TABLE (id int, t text) LANGUAGE sql AS $$
  SELECT s.id - base, (to_jsonb(s) - 'id' - 'friend')::text FROM direct.s5 s WHERE s.id % 1000 BETWEEN base + 1 AND base + 12
  UNION ALL SELECT l.id - base, l.what || l.v FROM direct.log l WHERE l.id % 1000 BETWEEN base + 1 AND base + 12 $$;
DELETE FROM log;
CALL compare('CALL direct.start_f5($1)', 'SELECT id, t FROM direct.ids($1)');
SELECT id, n, a, r, length(big), note FROM s5 WHERE id % 1000 = 103 ORDER BY id;
SELECT what, v FROM log WHERE id % 1000 = 103 AND length(what) < 32;

-- keys of many types and comparisons
CREATE DOMAIN code AS text;
CREATE TABLE s6 (id int PRIMARY KEY, n int);
CREATE TABLE k_text (k text PRIMARY KEY, n int);
CREATE TABLE k_varchar (k varchar(20) PRIMARY KEY, n int);
CREATE TABLE k_char (k char(8) PRIMARY KEY, n int);
CREATE TABLE k_numeric (k numeric PRIMARY KEY, n int);
CREATE TABLE k_uuid (k uuid PRIMARY KEY, n int);
CREATE TABLE k_enum (k mood, m int, n int, PRIMARY KEY (m, k));
CREATE TABLE k_array (k int[] PRIMARY KEY, n int);
CREATE TABLE k_domain (k code PRIMARY KEY, n int);
CREATE TABLE k_small (k int2 PRIMARY KEY, n int);
CREATE TABLE k_date (k date PRIMARY KEY, n int);
CREATE TABLE k_three (a int, b text, c int, n int, PRIMARY KEY (c, a, b));
CREATE COLLATION direct_ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE k_ci (k text COLLATE direct_ci PRIMARY KEY, n int);
INSERT INTO k_text SELECT i, 0 FROM generate_series(1, 112) i;
INSERT INTO k_varchar SELECT k FROM k_text;
INSERT INTO k_char SELECT k FROM k_text;
INSERT INTO k_numeric SELECT k::numeric FROM k_text;
INSERT INTO k_uuid SELECT md5(k)::uuid FROM k_text;
INSERT INTO k_enum SELECT e, k::int FROM k_text, unnest(enum_range(NULL::mood)) e;
INSERT INTO k_array SELECT ARRAY[k::int, 5] FROM k_text;
INSERT INTO k_domain SELECT k FROM k_text;
INSERT INTO k_small SELECT k::int2 FROM k_text;
INSERT INTO k_date SELECT '2020-01-01'::date + k::int FROM k_text;
INSERT INTO k_three SELECT k::int, k, 0 FROM k_text;
INSERT INTO k_ci SELECT 'Key' || k FROM k_text;
CREATE FUNCTION f6(x s6) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  UPDATE k_text SET n = x.n WHERE k = x.id::text;
  UPDATE k_varchar SET n = x.n WHERE k = x.id::text::varchar;
  UPDATE k_char SET n = x.n WHERE k = x.id::text::char(12);
  UPDATE k_numeric SET n = x.n WHERE k = (x.id || '.00')::numeric;
  UPDATE k_uuid SET n = x.n WHERE k = md5(x.id::text)::uuid;
  UPDATE k_enum SET n = x.n WHERE k = 'ok' AND x.id = m;
  UPDATE k_enum SET n = x.n WHERE k = (CASE WHEN x.n > 4 THEN 'sad' ELSE 'happy' END)::mood AND x.id::bigint = m;
  UPDATE k_array SET n = x.n WHERE k = ARRAY[x.id, 5];
  UPDATE k_domain SET n = x.n WHERE k = x.id::text::code;
  UPDATE k_small SET n = x.n WHERE k = x.id AND k = x.id::bigint;
  UPDATE k_small SET n = n + 100 WHERE k = x.id::numeric;
  UPDATE k_date SET n = x.n WHERE k = '2020-01-01'::timestamp + x.id * interval '1 day';
  UPDATE k_three SET n = x.n WHERE a = x.id AND b = x.id::text AND c = 0 AND b <> '0';
  UPDATE k_ci SET n = x.n WHERE k = 'kEY' || x.id;
  UPDATE k_ci SET n = 0 WHERE k = ('KEY' || x.id) COLLATE "C";
  UPDATE k_text SET n = n + 1 WHERE k = NULL::text || x.id;
  UPDATE k_text SET n = n + 1 WHERE k = x.id::text AND n < 5;
  IF NOT FOUND THEN INSERT INTO log VALUES (x.id, 'large', x.n); END IF;
END $$;
CREATE FUNCTION keyed(base int) RETURNS TABLE (which text, n int) LANGUAGE sql AS $$
  SELECT t, n FROM (
    SELECT 'text' AS t, k::int AS i, n FROM direct.k_text UNION ALL SELECT 'varchar', k::int, n FROM direct.k_varchar UNION ALL
    SELECT 'char', k::int, n FROM direct.k_char UNION ALL SELECT 'numeric', k::int, n FROM direct.k_numeric UNION ALL
    SELECT 'enum ' || k, m, n FROM direct.k_enum UNION ALL SELECT 'array', k[1], n FROM direct.k_array UNION ALL
    SELECT 'domain', k::int, n FROM direct.k_domain UNION ALL SELECT 'small', k::int, n FROM direct.k_small UNION ALL
    SELECT 'date', k - '2020-01-01'::date, n FROM direct.k_date UNION ALL SELECT 'three', a, n FROM direct.k_three UNION ALL
    SELECT 'ci', substr(k, 4)::int, n FROM direct.k_ci UNION ALL SELECT 'log', id, v FROM direct.log UNION ALL
    SELECT 'uuid', t.k::int, u.n FROM direct.k_text t, direct.k_uuid u WHERE u.k = md5(t.k)::uuid) a
  WHERE i BETWEEN base + 1 AND base + 12 $$;
DELETE FROM log;
CALL compare('INSERT INTO s6 VALUES ($1, $1 % 100)', 'SELECT * FROM direct.keyed($1)');
SELECT which, count(n), sum(n) FROM keyed(100) GROUP BY 1 ORDER BY which COLLATE "C";

-- other ways of being a table: rules, views, triggers, row security, generated
-- columns, children, partitions, foreign keys that hand a change on
CREATE TABLE s7 (id int PRIMARY KEY, n int);
CREATE TABLE base (id int PRIMARY KEY, n int, m int CHECK (m < 1000));
CREATE VIEW plain_view AS SELECT n AS first, id AS second FROM base WHERE n >= 0;
CREATE VIEW checked_view AS SELECT * FROM base WHERE n < 5 WITH CHECK OPTION;
CREATE VIEW also_view AS SELECT * FROM base;
CREATE RULE also AS ON INSERT TO also_view DO ALSO INSERT INTO log VALUES (NEW.id, 'also inserted');
CREATE RULE also_updated AS ON UPDATE TO also_view DO ALSO INSERT INTO log VALUES (NEW.id, 'also updated');
CREATE VIEW instead_view AS SELECT * FROM base;
CREATE RULE instead AS ON INSERT TO instead_view DO INSTEAD UPDATE base SET m = 1 WHERE id = NEW.id;
CREATE VIEW trigger_view AS SELECT * FROM base;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO direct.log VALUES (NEW.id, TG_TABLE_NAME || ' ' || TG_WHEN || ' ' || TG_OP, NEW.n);
  RETURN NEW;
END $$;
CREATE TRIGGER t INSTEAD OF INSERT OR UPDATE ON trigger_view FOR EACH ROW EXECUTE FUNCTION note();
CREATE TABLE triggered (id int PRIMARY KEY, n int);
CREATE TRIGGER t BEFORE INSERT OR UPDATE ON triggered FOR EACH ROW EXECUTE FUNCTION note();
CREATE TABLE statement_triggered (id int PRIMARY KEY, n int);
CREATE FUNCTION note_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO direct.log SELECT id, TG_TABLE_NAME || ' all ' || TG_OP, n FROM added;
  RETURN NULL;
END $$;
CREATE TRIGGER t AFTER INSERT ON statement_triggered REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_all();
CREATE TABLE secured (id int PRIMARY KEY, n int CHECK (n > 0));
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
ALTER TABLE secured FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON secured USING (n < 7) WITH CHECK (n < 1000);
CREATE TABLE generated (id int PRIMARY KEY, n int, d int GENERATED ALWAYS AS (n * 2) STORED);
CREATE TABLE parent (id int PRIMARY KEY, n int);
CREATE TABLE child () INHERITS (parent);
CREATE TABLE parts (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (104);
CREATE TABLE part_2 PARTITION OF parts DEFAULT;
CREATE TABLE tree (id int PRIMARY KEY, n int UNIQUE, up int REFERENCES tree (n) ON UPDATE CASCADE);
CREATE TABLE leaf (id int, up int REFERENCES tree (n) ON UPDATE SET NULL);
CREATE TABLE late (id int PRIMARY KEY, up int REFERENCES tree DEFERRABLE INITIALLY DEFERRED, n int UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY, n int);
CREATE FUNCTION f7(x s7) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO plain_view VALUES (x.n, x.id);
  UPDATE plain_view SET first = first + 10 WHERE second = x.id;
  INSERT INTO also_view VALUES (x.id + 1000, x.n);
  UPDATE also_view SET n = n + 1 WHERE id = x.id;
  INSERT INTO instead_view VALUES (x.id + 1000);
  INSERT INTO log VALUES (x.id, 'instead found', FOUND::int);
  INSERT INTO trigger_view VALUES (x.id + 2000, x.n);
  UPDATE trigger_view SET n = -n WHERE id = x.id;
  INSERT INTO triggered VALUES (x.id, x.n);
  UPDATE triggered SET n = -n WHERE id = x.id;
  INSERT INTO statement_triggered VALUES (x.id, x.n);
  INSERT INTO secured VALUES (x.id, x.n);
  UPDATE secured SET n = 6 WHERE id = x.id;
  INSERT INTO log VALUES (x.id, 'secured found', FOUND::int);
  INSERT INTO generated VALUES (x.id, x.n);
  UPDATE generated SET n = n + 10 WHERE id = x.id;
  INSERT INTO child VALUES (x.id, x.n);
  UPDATE parent SET n = n + 10 WHERE id = x.id;
  INSERT INTO parts VALUES (x.id, x.n);
  UPDATE parts SET n = n + 10 WHERE id = x.id;
  INSERT INTO tree VALUES (x.id, x.id, x.id);
  INSERT INTO leaf VALUES (x.id, x.id);
  UPDATE tree SET n = n + 1000 WHERE id = x.id;
  INSERT INTO late VALUES (x.id, x.id + 5000, x.id % 2 - 1000);
  UPDATE late SET up = x.id, n = x.id + 200 WHERE id = x.id;
  INSERT INTO unlogged VALUES (x.id, x.n);
  UPDATE unlogged SET n = n + 10 WHERE id = x.id;
  IF x.n IN (3, 9) THEN INSERT INTO checked_view VALUES (-x.id, x.n); END IF;
END $$;
CREATE FUNCTION stored(base int) RETURNS TABLE (which text, id int, t text) LANGUAGE sql AS $$
  SELECT which, id - base, t FROM (
    SELECT 'base' AS which, id, n || ' ' || coalesce(m, 0) AS t FROM direct.base UNION ALL SELECT 'log', id, what || coalesce(v, 0) FROM direct.log UNION ALL
    SELECT 'triggered', id, n::text FROM direct.triggered UNION ALL SELECT 'generated', id, n || ' ' || d FROM direct.generated UNION ALL
    SELECT tableoid::regclass::text, id, n::text FROM direct.parent UNION ALL SELECT 'parts', id, n::text FROM direct.parts UNION ALL
    SELECT 'tree', id, n - base || ' ' || up - base FROM direct.tree UNION ALL SELECT 'leaf', id, coalesce(up, 0)::text FROM direct.leaf UNION ALL
    SELECT 'late', id, up - base || ' ' || n - base FROM direct.late UNION ALL SELECT 'unlogged', id, n::text FROM direct.unlogged UNION ALL
    SELECT 'statement_triggered', id, n::text FROM direct.statement_triggered UNION ALL SELECT 'secured', id, n::text FROM direct.secured) s
  WHERE id % 1000 BETWEEN base + 1 AND base + 12
  UNION ALL SELECT 'said', s.id::int, s::text FROM direct.said('f7', base) s $$;
DELETE FROM log;
CALL compare('INSERT INTO s7 VALUES ($1, $1 % 100)', 'SELECT * FROM direct.stored($1)');
SELECT which, count(*), min(t) FILTER (WHERE id = 3) FROM stored(100) WHERE which NOT IN ('said', 'log') GROUP BY 1 ORDER BY which COLLATE "C";
SELECT what, v FROM log WHERE id % 1000 = 103 ORDER BY what COLLATE "C";
SELECT id, state, message, detail FROM said('f7', 100) WHERE what = 'retrying' ORDER BY id;

-- functions that change the row the statement changes, and values changed in place
CREATE TABLE s8 (id int PRIMARY KEY, n int, a int[], note text);
CREATE FUNCTION meddle(k int, odd boolean) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  IF odd THEN UPDATE direct.s8 SET note = 'meddled' WHERE id = k; END IF;
  RETURN 50;
END $$;
CREATE FUNCTION empties(a int[]) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN a[1] := 0; RETURN true; END $$;
ALTER TABLE s8 ADD CHECK (empties(a));
CREATE FUNCTION f8(x s8) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  UPDATE s8 SET a = array_append(a, x.n) WHERE id = x.id;
  UPDATE s8 SET note = 'x' WHERE id = x.id AND meddle(x.id, x.n > 4) > 50;
  INSERT INTO log VALUES (x.id, x.note, x.n);
  UPDATE s8 SET n = meddle(x.id, x.n IN (5, 9)) WHERE id = x.id;
END $$;
DELETE FROM log;
CALL compare('INSERT INTO s8 VALUES ($1, $1 % 100, ''{7,8,9}'')',
          'SELECT 0, id - $1, n, a::text, note FROM direct.s8 WHERE id BETWEEN $1 + 1 AND $1 + 12 UNION ALL
           SELECT 1, id - $1, v, what, NULL FROM direct.log WHERE id BETWEEN $1 + 1 AND $1 + 12 UNION ALL
           SELECT 2, id::int, line, message, context FROM direct.said(''f8'', $1)');
SELECT * FROM s8 WHERE id > 100 ORDER BY id;
SELECT id, message FROM said('f8', 100) WHERE what = 'retrying' ORDER BY id;

-- who one is, where one looks, what one changes of the tables in the middle
CREATE TABLE s9 (id int PRIMARY KEY, n int);
CREATE TABLE target (id int, who text DEFAULT current_user);
CREATE TABLE direct_elsewhere.target (id int, who text DEFAULT 'elsewhere');
CREATE TABLE checked (id int PRIMARY KEY, n int);
CREATE FUNCTION below(n int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT n < 100';
ALTER TABLE checked ADD CHECK (below(n));
CREATE FUNCTION alters(n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  CASE n
    WHEN 4 THEN PERFORM set_config('role', 'direct_other', true);
    WHEN 5 THEN EXECUTE 'CREATE UNIQUE INDEX checked_n ON direct.checked (n)';
    WHEN 6 THEN EXECUTE 'ALTER TABLE direct.checked ADD extra int DEFAULT 4';
    WHEN 8 THEN PERFORM set_config('search_path', 'direct_elsewhere, direct', true);
    WHEN 9 THEN EXECUTE 'CREATE TRIGGER t BEFORE INSERT ON direct.checked FOR EACH ROW EXECUTE FUNCTION direct.note()';
    WHEN 11 THEN EXECUTE 'CREATE OR REPLACE FUNCTION direct.below(n int) RETURNS boolean LANGUAGE sql STABLE AS ''SELECT n < 12''';
    ELSE NULL;
  END CASE;
END $$;
CREATE FUNCTION f9(x s9) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO target VALUES (x.id);
  SELECT alters(x.n);
  INSERT INTO target VALUES (x.id + 1000);
  INSERT INTO checked VALUES (x.id, x.n);
  UPDATE checked SET n = x.n WHERE id = x.id;
END $$;
CREATE FUNCTION done(base int) RETURNS TABLE (which text, id int, t text) LANGUAGE sql AS $$
  SELECT which, id - base, t FROM (
    SELECT 'target' AS which, id, who AS t FROM direct.target UNION ALL SELECT 'elsewhere', id, who FROM direct_elsewhere.target UNION ALL
    SELECT 'checked', id, (to_jsonb(c) - 'id')::text FROM direct.checked c UNION ALL SELECT 'log', id, what FROM direct.log) s
  WHERE id % 1000 BETWEEN base + 1 AND base + 12
  UNION ALL SELECT 'said', s.id::int, s::text FROM direct.said('f9', base) s $$;
CREATE PROCEDURE fresh(i int) LANGUAGE plpgsql AS $$
BEGIN
  IF i % 100 = 1 THEN
    DELETE FROM direct.checked;
    DROP INDEX IF EXISTS direct.checked_n;
    DROP TRIGGER IF EXISTS t ON direct.checked;
    ALTER TABLE direct.checked DROP COLUMN IF EXISTS extra;
    CREATE OR REPLACE FUNCTION direct.below(n int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT n < 100';
  END IF;
  INSERT INTO direct.s9 VALUES (i, i % 100);
END $$;
DELETE FROM log;
SET client_min_messages = warning;
CALL compare('CALL direct.fresh($1)', 'SELECT which, id, t FROM direct.done($1)');
SELECT id, t FROM done(100) WHERE which = 'checked' ORDER BY id;
SELECT which, id, t FROM done(100) WHERE which <> 'checked' AND which <> 'said' ORDER BY which COLLATE "C", id;
SELECT id, message FROM said('f9', 100) WHERE what = 'retrying' ORDER BY id;

-- the first item of a batch alters what it keeps open itself
CREATE TABLE s10 (id int PRIMARY KEY, n int);
CREATE TABLE scratch (n int);
CREATE FUNCTION widen() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE direct.scratch;
  ALTER TABLE direct.s10 ADD IF NOT EXISTS added int;
END $$;
CREATE FUNCTION f10(x s10) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  <<again>>
  INSERT INTO scratch VALUES (x.n);
  GO TO again AT MOST 4 TIMES;
  SELECT widen();
  INSERT INTO scratch VALUES (x.n);
END $$;
CALL compare('INSERT INTO s10 VALUES ($1, $1 % 100)', 'SELECT n FROM direct.scratch WHERE $1 >= 0 UNION ALL SELECT count(*) FROM direct.said(''f10'', $1)');
SELECT * FROM scratch;

RESET client_min_messages;

-- rights taken away in the middle; columns that one may not write
CREATE TABLE s11 (id int PRIMARY KEY, n int);
SET ROLE direct_other;
CREATE TABLE others (id int PRIMARY KEY, n int DEFAULT 0, secret int DEFAULT 0);
GRANT INSERT (id), SELECT (id, n), UPDATE (n) ON others TO direct_user;
CREATE FUNCTION revoke_it(k int) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF k = 7 THEN REVOKE UPDATE (n) ON direct.others FROM direct_user; END IF;
  IF k <> 7 THEN GRANT UPDATE (n) ON direct.others TO direct_user; END IF;
END $$;
RESET ROLE;
CREATE FUNCTION f11(x s11) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO others VALUES (x.id);
  UPDATE others SET n = n + x.n WHERE id = x.id;
  SELECT revoke_it(x.n);
  UPDATE others SET n = n + x.n WHERE id = x.id;
  IF x.n = 4 THEN UPDATE others SET secret = 1 WHERE id = x.id; END IF;
END $$;
CALL compare('INSERT INTO s11 VALUES ($1, $1 % 100)',
          'SELECT id - $1, n, NULL, NULL FROM direct.others WHERE id BETWEEN $1 + 1 AND $1 + 12 UNION ALL
           SELECT id::int, line, message, context FROM direct.said(''f11'', $1)');
SELECT * FROM said('f11', 100) WHERE what = 'retrying' ORDER BY id;

-- one's own key: who changes it is not found any more
CREATE TABLE s12 (id int PRIMARY KEY, n int);
CREATE FUNCTION f12(x s12) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  UPDATE s12 SET id = id + 1000 WHERE id = x.id;
  INSERT INTO log VALUES (x.id, 'after the key', x.n);
END $$;
DELETE FROM log;
CALL compare('INSERT INTO s12 VALUES ($1, $1 % 100)',
          'SELECT 0, count(id), (count(*) / ($1 / 100 + 1))::text FROM direct.log UNION ALL
           SELECT line, -1, why || what FROM direct.said(''f12'', $1)');

-- a change made directly starts workflows and wakes who waits; it knows its cause
CREATE TABLE s13 (id int PRIMARY KEY, n int);
CREATE TABLE second (id int PRIMARY KEY, n int, stage int DEFAULT 0);
CREATE FUNCTION f13_second(y second) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF n;
BEGIN
  UPDATE second SET stage = stage + 1 WHERE id = y.id;
  WAIT UNTIL y.n > 1000;
  INSERT INTO log VALUES (y.id, 'woken', y.stage);
END $$;
CREATE FUNCTION f13(x s13) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO second VALUES (x.id, x.n);
END $$;
CREATE FUNCTION f13_third(y second) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage;
BEGIN
  UPDATE second SET n = n + 2000 WHERE id = y.id AND n < 1000;
END $$;
CREATE FUNCTION f13_loop(x s13) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE;
  ENROLL AGAIN;
BEGIN
  UPDATE s13 SET n = n + 1 WHERE id = x.id;
END $$;
DELETE FROM log;
CALL compare('INSERT INTO s13 VALUES ($1, $1 % 100)',
          'SELECT id - $1, n, stage, NULL FROM direct.second WHERE id BETWEEN $1 + 1 AND $1 + 12 UNION ALL
           SELECT id - $1, v, 0, what FROM direct.log WHERE id BETWEEN $1 + 1 AND $1 + 12 UNION ALL
           SELECT id - $1, n, 0, ''n'' FROM direct.s13 WHERE id BETWEEN $1 + 1 AND $1 + 12 UNION ALL
           SELECT id::int, line, 0, f || what || why FROM (VALUES (''f13''), (''f13_second''), (''f13_third''), (''f13_loop'')) AS f (f), direct.said(f, $1)');
SELECT count(*), sum(stage) FROM second;

-- indexes lead to what was written
CREATE TABLE s14 (id int PRIMARY KEY, n int);
CREATE TABLE many (id int PRIMARY KEY, n int, t text) WITH (fillfactor = 50);
CREATE INDEX many_n ON many (n);
CREATE INDEX many_part ON many (n) WHERE n > 4;
CREATE UNIQUE INDEX many_lower ON many (lower(t));
CREATE INDEX many_brin ON many USING brin (n);
CREATE INDEX many_gin ON many USING gin (to_tsvector('simple', t));
CREATE FUNCTION f14(x s14) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO many VALUES (x.id, 0, 'T' || x.id);
  UPDATE many SET n = x.n WHERE id = x.id AND n < 5;
  UPDATE many SET n = n WHERE id = x.id;
  UPDATE many SET t = 'U' || x.id WHERE id = x.id AND n > 3 AND true;
END $$;
CALL compare('INSERT INTO s14 VALUES ($1, $1 % 100)', 'SELECT id - $1, n, substr(t, 1, 1) FROM direct.many WHERE id BETWEEN $1 + 1 AND $1 + 12');
SET enable_seqscan = off;
SELECT count(*) FROM many WHERE n = 3;
SELECT count(*) FROM many WHERE n > 4;
SELECT count(*) FROM many WHERE lower(t) IN ('u108', 't103');
SELECT count(*) FROM many WHERE to_tsvector('simple', t) @@ 'u106';
RESET enable_seqscan;

\c - postgres
LOAD 'automation';
ALTER SYSTEM RESET automation.batch_time;
SELECT pg_reload_conf();
SET client_min_messages = warning;
DROP SCHEMA direct, direct_elsewhere CASCADE;
DROP OWNED BY direct_user, direct_other;
DROP ROLE direct_user, direct_other;
