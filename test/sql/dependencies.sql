-- What conditions hang on: automation.explain(), the rules that follow from it, and
-- what becomes of them when a function or a view is replaced.
CREATE ROLE dep_owner LOGIN;
CREATE ROLE dep_other LOGIN;
GRANT USAGE ON LANGUAGE workflow TO dep_owner;
CREATE SCHEMA dep AUTHORIZATION dep_owner;
CREATE FOREIGN DATA WRAPPER dep_wrapper;
CREATE SERVER dep_server FOREIGN DATA WRAPPER dep_wrapper;
CREATE FOREIGN TABLE dep.far (contact_id int, n int) SERVER dep_server;
GRANT SELECT ON dep.far TO dep_owner;
CREATE COLLATION dep.loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE dep.secret (id int PRIMARY KEY, contact_id int);
GRANT SELECT ON dep.secret TO dep_owner;
CREATE TABLE dep.lent (id int PRIMARY KEY, contact_id int, n int);
CREATE VIEW dep.borrowed AS SELECT * FROM dep.lent;
GRANT SELECT ON dep.borrowed TO dep_owner;
GRANT SELECT, TRIGGER ON dep.lent TO dep_owner;
CREATE FUNCTION dep.definer(int) RETURNS boolean LANGUAGE sql SECURITY DEFINER AS
  'SELECT EXISTS (SELECT FROM dep.secret WHERE contact_id = $1)';

SET SESSION AUTHORIZATION dep_owner;
SET search_path = dep;
CREATE TYPE kind AS ENUM ('call', 'mail');
CREATE DOMAIN word AS text;
CREATE TABLE contact (id int PRIMARY KEY, parent bigint, email text, score int, tags text[]);
CREATE TABLE cart (id int PRIMARY KEY, contact_id int, status varchar(9));
CREATE TABLE sale (id bigint PRIMARY KEY, contact_id bigint, cart_id smallint, status word, amount numeric, at timestamptz);
CREATE TABLE activity (id int PRIMARY KEY, contact_id int, kind kind, title text COLLATE loose);
CREATE TABLE bare (contact_id int, n int);
CREATE TABLE parts (id int PRIMARY KEY, contact_id int NOT NULL) PARTITION BY LIST (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parent (id int PRIMARY KEY, contact_id int);
CREATE TABLE heir () INHERITS (parent);
CREATE TABLE guarded (id int PRIMARY KEY, contact_id int, tenant text);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON guarded USING (tenant = 'a');
CREATE MATERIALIZED VIEW stale AS SELECT id, contact_id FROM cart;
CREATE VIEW open_sale AS SELECT s.*, k.status AS cart_status FROM sale s LEFT JOIN cart k ON k.id = s.cart_id WHERE s.status = 'open';
CREATE VIEW anything AS SELECT contact_id::bigint, id::bigint FROM cart UNION ALL SELECT contact_id, id FROM sale;

CREATE FUNCTION has_sale(c contact, s text) RETURNS boolean LANGUAGE sql AS
  'SELECT EXISTS (SELECT FROM sale WHERE contact_id = c.id AND status = s)';
CREATE FUNCTION has_sale(c contact) RETURNS boolean LANGUAGE sql STABLE
  BEGIN ATOMIC SELECT has_sale(c, 'open') OR c.score > 10; END;
CREATE FUNCTION sales_of(who bigint, low numeric DEFAULT 5) RETURNS SETOF sale LANGUAGE sql STABLE AS
  'SELECT * FROM sale WHERE contact_id = who AND amount >= low';
CREATE FUNCTION first_of(anyelement, anyelement) RETURNS anyelement LANGUAGE sql STABLE AS 'SELECT coalesce($1, $2)';
CREATE FUNCTION norm(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
CREATE FUNCTION again(n int) RETURNS int LANGUAGE sql STABLE AS 'SELECT n';
CREATE OR REPLACE FUNCTION again(n int) RETURNS int LANGUAGE sql STABLE AS 'SELECT CASE WHEN n > 0 THEN again(n - 1) END';
CREATE FUNCTION opaque(c contact) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN true; END';
CREATE FUNCTION writes(c contact) RETURNS boolean LANGUAGE sql AS 'INSERT INTO bare VALUES (c.id); SELECT true';
CREATE FUNCTION clocked() RETURNS boolean LANGUAGE sql STABLE AS 'SELECT now() > ''2020-01-01''';

-- of a row
CREATE FUNCTION is_paid(k cart) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM sale s WHERE s.cart_id = (k).id AND s.status = 'paid');
CREATE FUNCTION is_called(o open_sale) RETURNS boolean LANGUAGE sql STABLE AS
  'SELECT EXISTS (SELECT FROM activity a WHERE a.contact_id = o.contact_id AND a.kind = ''call'')';
CREATE FUNCTION cart_of(s sale) RETURNS cart LANGUAGE sql STABLE RETURN (SELECT k FROM cart k WHERE k.id = (s).cart_id);

CREATE FUNCTION show(condition text) RETURNS TABLE (line text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS %L',
                 'ENROLL AGAIN; DECLARE v int; BEGIN WAIT UNTIL ' || condition || '; END');
  RETURN QUERY SELECT concat_ws(' | ', e."table", e.columns, e.tied_by, e.conditions, 'every 10 min: ' || e.rechecked)
               FROM automation.explain('w') e;
END $$;
SET client_min_messages = warning;

-- One table: the column, a variable, several values; what the trigger decides
SELECT show($$ c.score > 3 $$);
SELECT show($$ EXISTS (SELECT FROM sale s WHERE s.contact_id = c.id AND s.status = 'won' AND s.amount > 100) $$);
SELECT show($$ (SELECT k.status FROM cart k WHERE k.id = v) = 'done' $$);
SELECT show($$ (SELECT count(*) FROM activity a WHERE a.contact_id IN (c.id, v) AND a.kind = 'call') > 3 $$);
SELECT show($$ NOT EXISTS (SELECT FROM sale s WHERE s.contact_id = c.id AND s.at > entered_at()) $$);
SELECT show($$ EXISTS (SELECT FROM contact p WHERE p.id = c.parent) $$);
SELECT show($$ c.id IN (SELECT contact_id FROM sale) $$);
-- Ways over other tables
SELECT show($$ EXISTS (SELECT FROM sale s JOIN cart k ON k.id = s.cart_id WHERE k.contact_id = c.id AND k.status = 'x') $$);
SELECT show($$ EXISTS (SELECT FROM sale s WHERE s.cart_id IN (SELECT k.id FROM cart k WHERE k.contact_id = c.id)) $$);
SELECT show($$ EXISTS (SELECT FROM cart k WHERE EXISTS (SELECT FROM sale s WHERE s.cart_id = k.id AND s.contact_id = c.id)) $$);
SELECT show($$ EXISTS (SELECT FROM sale s LEFT JOIN cart k ON k.id = s.cart_id AND k.status = 'x' WHERE s.contact_id = c.id AND k.status IS NULL) $$);
SELECT show($$ EXISTS (SELECT FROM sale s FULL JOIN cart k ON k.id = s.cart_id WHERE s.contact_id = c.id) $$);
SELECT show($$ EXISTS (SELECT FROM sale s FULL JOIN cart k ON k.id = s.cart_id WHERE s.contact_id = c.id OR k.contact_id = c.id) $$);
-- Sub-selects in FROM: an equality outside counts inside, unless others' rows decide
SELECT show($$ EXISTS (SELECT FROM (SELECT contact_id, count(*) AS n FROM sale GROUP BY 1) x WHERE x.contact_id = c.id AND n > 3) $$);
SELECT show($$ EXISTS (SELECT FROM (SELECT DISTINCT contact_id FROM sale) x WHERE x.contact_id = c.id) $$);
SELECT show($$ EXISTS (SELECT FROM (SELECT contact_id FROM sale ORDER BY id LIMIT 3) x WHERE x.contact_id = c.id) $$);
SELECT show($$ EXISTS (SELECT FROM (SELECT contact_id, row_number() OVER (ORDER BY id) AS n FROM sale) x WHERE x.contact_id = c.id) $$);
SELECT show($$ EXISTS (WITH s AS (SELECT * FROM sale WHERE status = 'open') SELECT FROM s WHERE s.contact_id = c.id) $$);
SELECT show($$ EXISTS (SELECT FROM open_sale o WHERE o.contact_id = c.id AND o.amount > 3) $$);
SELECT show($$ EXISTS (SELECT FROM anything a WHERE a.contact_id = c.id AND a.id > 3) $$);
SELECT show($$ EXISTS (SELECT FROM (SELECT contact_id FROM cart EXCEPT SELECT contact_id FROM activity) x WHERE x.contact_id = c.id) $$);
SELECT show($$ EXISTS (WITH RECURSIVE r AS (SELECT id, parent FROM contact WHERE id = c.id UNION ALL
  SELECT p.id, p.parent FROM contact p JOIN r ON p.id = r.parent) SELECT FROM r WHERE id = 7) $$);
-- Functions: overloaded, in functions, with defaults, of any type
SELECT show($$ has_sale(c, 'won') $$);
SELECT show($$ has_sale(c) $$);
SELECT show($$ EXISTS (SELECT FROM sales_of(c.id)) $$);
SELECT show($$ EXISTS (SELECT FROM cart k WHERE k.contact_id = first_of(c.id, 3)) $$);
SELECT show($$ EXISTS (SELECT FROM sale s WHERE s.status = norm(c.email)) $$);
SELECT show($$ EXISTS (SELECT FROM cart k WHERE k.contact_id = c.id AND is_paid(k)) $$);
SELECT show($$ EXISTS (SELECT FROM activity a LEFT JOIN cart k ON k.contact_id = a.contact_id WHERE a.contact_id = c.id AND is_paid(k)) $$);
SELECT show($$ EXISTS (SELECT FROM open_sale o WHERE o.contact_id = c.id AND is_called(o)) $$);
SELECT show($$ EXISTS (SELECT FROM sale s WHERE s.contact_id = c.id AND is_paid(cart_of(s))) $$);
SELECT show($$ EXISTS (SELECT FROM sale s WHERE s.id = c.id AND EXISTS (SELECT FROM activity a WHERE a.id = (cart_of(s)).contact_id)) $$);
SELECT show($$ again(c.score) IS NULL $$);
SELECT show($$ opaque(c) AND EXISTS (SELECT FROM cart k WHERE k.contact_id = c.id) $$);
SELECT show($$ writes(c) $$);
SELECT show($$ clocked() AND now() > '2020-01-01' $$);
SELECT show($$ random() > 2 $$);
-- Types: a collation under which different bytes are equal is hashed by the executor
SELECT show($$ EXISTS (SELECT FROM activity a WHERE a.title = c.email COLLATE loose) $$);
SELECT show($$ EXISTS (SELECT FROM activity a WHERE a.title = c.email COLLATE "C") $$);
SELECT show($$ EXISTS (SELECT FROM sale s WHERE s.amount = c.id) $$);
SELECT show($$ EXISTS (SELECT FROM sale s WHERE s.contact_id + 0 = c.id) $$);
-- What can't be watched
SELECT show($$ EXISTS (SELECT FROM secret x WHERE x.contact_id = c.id) $$);
SELECT show($$ definer(c.id) $$);
SELECT show($$ EXISTS (SELECT FROM borrowed x WHERE x.contact_id = c.id) $$);
SELECT show($$ EXISTS (SELECT FROM sale s JOIN borrowed x ON x.id = s.cart_id WHERE x.contact_id = c.id) $$);
SELECT show($$ EXISTS (SELECT FROM far x WHERE x.contact_id = c.id) $$);
SELECT show($$ EXISTS (SELECT FROM stale x WHERE x.contact_id = c.id) $$);
SELECT show($$ EXISTS (SELECT FROM parent x WHERE x.contact_id = c.id) $$);
SELECT show($$ EXISTS (SELECT FROM heir x WHERE x.contact_id = c.id) $$);
SELECT show($$ EXISTS (SELECT FROM bare x WHERE x.contact_id = c.id) $$);
SELECT show($$ EXISTS (SELECT FROM parts_1 x WHERE x.contact_id = c.id) $$);
SELECT show($$ EXISTS (SELECT FROM guarded x WHERE x.contact_id = c.id) $$);
SELECT show($$ EXISTS (SELECT FROM pg_class x WHERE x.oid = c.id) $$);
RESET client_min_messages;

-- The NOTICE, and no trigger where one may not be
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
  EXIT WHEN c.score > 3 AND EXISTS (SELECT FROM secret x WHERE x.contact_id = c.id);
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM cart k WHERE k.contact_id = c.id);
END $$;
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgname LIKE 'automation%' AND tgrelid IN ('secret'::regclass, 'cart'::regclass) ORDER BY 1, 2;

-- The whole of a workflow
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score WHEN new.score > 3;
  EXIT WHEN has_sale(c);
BEGIN
  WAIT UNTIL (SELECT max(s.at) FROM sale s WHERE s.contact_id = c.id) + '1 day';
  WAIT FOR INSERT ON activity WHEN new.contact_id = c.id AND new.kind = 'call' TIMEOUT '1 day';
  WAIT FOR UPDATE OF status TO 'x' ON cart WHEN new.contact_id IN (c.id, c.parent);
  WAIT FOR INSERT ON activity WHEN new.title = c.email COLLATE loose;
  WAIT FOR INSERT ON activity WHEN norm(new.title COLLATE "C") = norm(c.email);
  IF c.score > 3 THEN
    WAIT FOR make_interval(days => c.score);
  END IF;
  GOAL bought WHEN EXISTS (SELECT FROM cart k WHERE k.contact_id = c.id);
END $$;
SELECT line, clause, "table", operations, columns, tied_by, conditions, rechecked FROM automation.explain('w');
SELECT automation.explain('nobody');
\c - dep_other
SELECT * FROM automation.explain('dep.w');

-- A function or a view that is replaced: other rows matter, to those inside, too
\c - dep_owner
SET search_path = dep;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  WAIT UNTIL has_sale(c);
END $$;
CREATE FUNCTION w2(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM anything WHERE contact_id = c.id);
END $$;
INSERT INTO contact VALUES (1, NULL, 'a@b', 1), (2, NULL, 'c@d', 1);
SELECT count(w(c)), count(w2(c)) FROM contact c;
CALL automation.run();
SELECT workflow, subject_key, state FROM automation.enrollments ORDER BY workflow, subject_key;
CREATE OR REPLACE FUNCTION has_sale(c contact, s text) RETURNS boolean LANGUAGE sql AS
  'SELECT EXISTS (SELECT FROM activity WHERE contact_id = c.id)';
CREATE OR REPLACE VIEW anything AS SELECT contact_id::bigint, id::bigint FROM activity WHERE kind = 'call';
SELECT clause, "table", columns, tied_by, conditions, rechecked FROM automation.explain('w');
INSERT INTO activity VALUES (1, 1, 'mail'), (2, 2, 'call');
CALL automation.run();
SELECT workflow, subject_key, state FROM automation.enrollments ORDER BY workflow, subject_key;
ALTER FUNCTION has_sale(contact, text) RENAME TO had_sale;
\c - postgres
RESET client_min_messages;
DROP SCHEMA dep CASCADE;
DROP SERVER dep_server;
DROP FOREIGN DATA WRAPPER dep_wrapper;
DROP OWNED BY dep_owner;
DROP ROLE dep_owner, dep_other;
