-- From a changed row of any table to the enrollments that wait for it: who is
-- looked at, who is not, and that one row for many does not hold up the others.
CREATE SCHEMA wakes AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
CREATE ROLE wakes_other LOGIN;
GRANT USAGE ON LANGUAGE workflow TO wakes_other;
GRANT USAGE ON SCHEMA wakes TO wakes_other;
\c - app
SET search_path = wakes; SET timezone = 'UTC';

CREATE TABLE contact (id int PRIMARY KEY, email text, parent int);
CREATE TABLE sales_order (id int PRIMARY KEY, contact_id int, status text, total numeric, cart_id int, note text);
CREATE TABLE cart (id int PRIMARY KEY, session_id int, note text);
CREATE TABLE session (id int PRIMARY KEY, contact_id int);
CREATE TABLE log (seq int GENERATED ALWAYS AS IDENTITY, what text);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING what) SELECT what FROM d ORDER BY what $$;
-- What was looked at since the last time.
CREATE FUNCTION looks(OUT woken bigint, OUT rechecked bigint, OUT events bigint) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  SELECT s.woken, s.rechecked, s.events_done INTO woken, rechecked, events FROM automation.stat s WHERE s.owner = session_user::regrole;
  PERFORM automation.stat_reset(session_user::regrole);
END $$;

-- A column of the row is the tie; a row that does not meet the rest appends nothing.
CREATE FUNCTION paid(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM sales_order o WHERE o.contact_id = c.id AND o.status = 'paid') TIMEOUT '30 days';
  INSERT INTO log (what) VALUES (c.id || ' paid');
END $$;
INSERT INTO contact SELECT i, 'c' || i FROM generate_series(1, 9) i;
CALL automation.run();
SELECT looks();
INSERT INTO sales_order VALUES (1, 1, 'open', 10), (2, NULL, 'paid', 10), (3, 77, 'paid', 10), (4, 2, 'open', 10), (5, 3, 'paid', 10);
CALL automation.run();
SELECT logged();
SELECT looks();
UPDATE sales_order SET total = 11;
UPDATE sales_order SET status = 'late' WHERE id = 4;
CALL automation.run();
SELECT looks();
-- The row begins to meet it; the tie moves; both at once.
UPDATE sales_order SET status = 'paid' WHERE id = 1;
CALL automation.run();
SELECT logged();
UPDATE sales_order SET contact_id = 4 WHERE id = 3;
CALL automation.run();
SELECT logged();
UPDATE sales_order SET contact_id = 5, status = 'paid' WHERE id = 4;
CALL automation.run();
SELECT logged();
SELECT looks();
-- What a transaction makes of a row counts, not what it was meanwhile; what was rolled back is not heard of.
BEGIN;
INSERT INTO sales_order VALUES (6, 6, 'paid');
UPDATE sales_order SET contact_id = 7 WHERE id = 6;
SAVEPOINT s;
INSERT INTO sales_order VALUES (7, 8, 'paid');
ROLLBACK TO s;
COMMIT;
BEGIN;
INSERT INTO sales_order VALUES (8, 9, 'paid');
DELETE FROM sales_order WHERE id = 8;
COMMIT;
CALL automation.run();
SELECT logged();
SELECT looks();
-- A row that somebody is woken by goes away again before he looks.
INSERT INTO sales_order VALUES (9, 8, 'paid');
DELETE FROM sales_order WHERE id = 9;
CALL automation.run();
SELECT logged();
SELECT looks();
-- Many rows of one enrollment in one transaction: one look for each row.
INSERT INTO sales_order SELECT 100 + i, 8, 'paid' FROM generate_series(1, 3) i;
CALL automation.run();
SELECT logged();
SELECT looks();

-- EXIT WHEN, in the middle of another wait; NOT EXISTS: a row that goes away; TRUNCATE.
CREATE FUNCTION idle(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF email;
  EXIT WHEN EXISTS (SELECT FROM session s WHERE s.contact_id = c.id);
BEGIN
  WAIT FOR '1 year';
END $$;
CREATE FUNCTION free(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF parent;
BEGIN
  WAIT UNTIL NOT EXISTS (SELECT FROM sales_order o WHERE o.contact_id = c.id);
  INSERT INTO log (what) VALUES (c.id || ' free');
END $$;
UPDATE contact SET email = 'x', parent = 1 WHERE id IN (1, 8);
CALL automation.run();
SELECT looks();
INSERT INTO session VALUES (1, 1);
DELETE FROM sales_order WHERE contact_id = 1;
DELETE FROM sales_order WHERE id = 101;
CALL automation.run();
SELECT logged();
SELECT workflow, entry_key FROM automation.enrollments WHERE workflow IN ('idle', 'free') ORDER BY 1, 2;
TRUNCATE sales_order;
CALL automation.run();
SELECT logged();
SELECT looks();

-- Over other tables: two hops; rows on the way that change, or are gone.
CREATE FUNCTION shopped(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.id > 20;
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM sales_order o JOIN cart k ON k.id = o.cart_id JOIN session s ON s.id = k.session_id
                     WHERE s.contact_id = c.id AND o.status = 'shipped');
  INSERT INTO log (what) VALUES (c.id || ' shopped');
END $$;
CREATE FUNCTION alone(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.id > 20;
BEGIN
  WAIT UNTIL NOT EXISTS (SELECT FROM cart k JOIN session s ON s.id = k.session_id WHERE s.contact_id = c.id);
  INSERT INTO log (what) VALUES (c.id || ' alone');
END $$;
INSERT INTO session SELECT i, i FROM generate_series(21, 29) i;
INSERT INTO cart SELECT i, i FROM generate_series(21, 29) i;
INSERT INTO contact SELECT i, 'c' || i FROM generate_series(21, 29) i;
CALL automation.run();
SELECT looks();
INSERT INTO sales_order (id, cart_id, status) VALUES (21, 21, 'shipped'), (22, 22, 'open'), (23, NULL, 'shipped'), (24, 77, 'shipped');
CALL automation.run();
SELECT logged();
SELECT looks();
UPDATE sales_order SET status = 'shipped' WHERE id = 22;      -- begins to meet it
UPDATE sales_order SET cart_id = 23 WHERE id = 23;            -- another first link
CALL automation.run();
SELECT logged();
UPDATE cart SET session_id = 24 WHERE id = 21;                -- a link in the middle: 21 has no cart now
CALL automation.run();
SELECT logged();
UPDATE session SET contact_id = 25 WHERE id = 22;             -- the last one; who comes first is a matter of hashes
CALL automation.run();
SELECT logged() ORDER BY 1;
DELETE FROM cart WHERE id = 26;
DELETE FROM session WHERE id = 27;
CALL automation.run();
SELECT logged();
-- The way is gone with the row, in one transaction and in two.
BEGIN;
DELETE FROM cart WHERE id = 28;
DELETE FROM session WHERE id = 28;
COMMIT;
DELETE FROM cart WHERE id = 29;
DELETE FROM session WHERE id = 29;
CALL automation.run();
SELECT logged();
SELECT looks();

-- A partitioned table; a row that moves.
CREATE TABLE visit (id int, contact_id int, day int, kind text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE visit1 PARTITION OF visit FOR VALUES FROM (0) TO (10);
CREATE TABLE visit2 (kind text, day int NOT NULL, contact_id int, id int NOT NULL, PRIMARY KEY (id, day));
ALTER TABLE visit ATTACH PARTITION visit2 FOR VALUES FROM (10) TO (20);
CREATE FUNCTION visited(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF email TO 'visit';
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM visit v WHERE v.contact_id = c.id AND v.day > 5);
  INSERT INTO log (what) VALUES (c.id || ' visited');
END $$;
UPDATE contact SET email = 'visit' WHERE id IN (2, 3, 4);
INSERT INTO visit VALUES (1, 2, 1, 'a');
CALL automation.run();
SELECT logged();
INSERT INTO visit2 VALUES ('b', 15, 3, 2);
UPDATE visit SET day = 12 WHERE id = 1;
CALL automation.run();
SELECT logged();
UPDATE visit SET contact_id = 4, day = 6 WHERE id = 2;
CALL automation.run();
SELECT logged();

-- Rows that come with a partition, and go with it; a type whose values are hashed in another way.
CREATE TABLE visit3 (LIKE visit INCLUDING ALL);
INSERT INTO visit3 VALUES (3, 5, 25, 'c');
UPDATE contact SET email = 'visit' WHERE id IN (5, 6);
CALL automation.run();
ALTER TABLE visit ATTACH PARTITION visit3 FOR VALUES FROM (20) TO (30);
CALL automation.run();
SELECT logged();
ALTER TABLE visit ALTER contact_id TYPE numeric;
CALL automation.run();
SELECT looks();
INSERT INTO visit VALUES (4, 6, 25, 'd');
CALL automation.run();
SELECT logged();
SELECT looks();

-- Two owners: each hears of the same change, and only of his own waits.
CREATE TABLE theirs (what text);
GRANT SELECT, TRIGGER ON contact, sales_order TO wakes_other;
GRANT INSERT ON theirs TO wakes_other;
GRANT UPDATE (email) ON contact TO wakes_other;
CREATE FUNCTION mine(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF email TO 'two';
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM sales_order o WHERE o.contact_id = c.id AND o.status = 'two');
  INSERT INTO log (what) VALUES (c.id || ' two');
END $$;
\c - postgres
GRANT CREATE ON SCHEMA wakes TO wakes_other;
\c - wakes_other
SET search_path = wakes; SET client_min_messages = warning;
CREATE FUNCTION others(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF email TO 'two';
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM sales_order o WHERE o.contact_id = c.id AND o.status IN ('two', 'three'));
  INSERT INTO theirs (what) VALUES (c.id || ' ' || current_user);
END $$;
\c - app
SET search_path = wakes;
UPDATE contact SET email = 'two' WHERE id IN (5, 6);
CALL automation.run();
SELECT looks();
\c - wakes_other
SET search_path = wakes;
CALL automation.run();
\c - app
SET search_path = wakes;
INSERT INTO sales_order VALUES (201, 5, 'two'), (202, 6, 'three');
CALL automation.run();
SELECT logged();
SELECT woken FROM looks();
SELECT * FROM theirs;
\c - wakes_other
SET search_path = wakes;
CALL automation.run();
SELECT woken FROM automation.stat WHERE owner = 'wakes_other'::regrole;
\c - app
SET search_path = wakes; SET timezone = 'UTC';
SELECT * FROM theirs;
-- One of them gives his workflow to the other, while a change for it is unread.
UPDATE contact SET email = 'two' WHERE id = 7;
CALL automation.run();
SELECT looks();
\c - wakes_other
CALL automation.run();
\c - app
SET search_path = wakes; SET client_min_messages = warning;
INSERT INTO sales_order VALUES (203, 7, 'two');
\c - postgres
SET client_min_messages = warning;
ALTER FUNCTION wakes.others(wakes.contact) OWNER TO app;
SELECT owner FROM automation.workflows WHERE name = 'others';
\c - app
SET search_path = wakes;
SELECT automation.accept_versions('others');
CALL automation.run();
SELECT logged();
SELECT * FROM theirs;
DROP FUNCTION mine, others;
REVOKE CREATE ON SCHEMA wakes FROM wakes_other;

-- A row that many wait for: the others go on in between.
CREATE TABLE switch (name text PRIMARY KEY, is_on boolean);
INSERT INTO switch VALUES ('go', false);
CREATE FUNCTION waits_for_go(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.id > 1000;
BEGIN
  WAIT UNTIL (SELECT s.is_on FROM switch s WHERE s.name = 'go');
  INSERT INTO log (what) VALUES ('go');
END $$;
CREATE FUNCTION goes_at_once(s switch) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO log (what) VALUES ('at once');
END $$;
DROP FUNCTION paid, shopped, alone, free, idle;
INSERT INTO contact SELECT i, 'c' || i FROM generate_series(1001, 2000) i;
CALL automation.run();
SELECT looks();
UPDATE switch SET is_on = true WHERE name = 'go';
INSERT INTO switch VALUES ('other', true);
CALL automation.run();
SELECT count(*), count(*) < (SELECT 0.3 * count(*) FROM log) AS soon FROM log
WHERE seq < (SELECT seq FROM log WHERE what = 'at once');
SELECT what, count(*) FROM log GROUP BY what ORDER BY what;
SELECT woken FROM looks();
DELETE FROM log;

-- One row leads to many by way of others: more than one event takes.
CREATE TABLE seat (session_id int, contact_id int, PRIMARY KEY (session_id, contact_id));
CREATE FUNCTION seated(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF parent TO '7';
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM seat s JOIN cart k ON k.session_id = s.session_id WHERE s.contact_id = c.id AND k.note = 'open');
  INSERT INTO log (what) VALUES ('seated');
END $$;
INSERT INTO contact SELECT i, 'c' || i FROM generate_series(2001, 3200) i;
INSERT INTO seat SELECT 5000, i FROM generate_series(1001, 3200) i;
UPDATE contact SET parent = 7 WHERE id > 1000;
CALL automation.run();
SELECT looks();
INSERT INTO cart VALUES (5000, 5000, 'shut');
UPDATE cart SET note = 'open' WHERE id = 5000;
CALL automation.run();
SELECT what, count(*) FROM log GROUP BY what;
SELECT woken FROM looks();
DELETE FROM log;

-- The way can't be followed: all who wait there look for themselves.  Rights on a
-- table of the way fail as long as a sequence says so, which no rollback takes back.
CREATE SEQUENCE tries;
CREATE FUNCTION may_see() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF nextval('wakes.tries') <= 2 THEN
    RAISE EXCEPTION 'not now';
  END IF;
  RETURN true;
END $$;
CREATE FUNCTION stubborn(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF email TO 'stubborn';
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM seat s JOIN cart k ON k.session_id = s.session_id WHERE s.contact_id = c.id AND k.note = 'stubborn');
  INSERT INTO log (what) VALUES (c.id || ' stubborn');
END $$;
UPDATE contact SET email = 'stubborn' WHERE id IN (1001, 1002);
CALL automation.run();
SELECT looks();
ALTER TABLE seat ENABLE ROW LEVEL SECURITY;
ALTER TABLE seat FORCE ROW LEVEL SECURITY;
CALL automation.run();
SELECT looks();
CREATE POLICY seeing ON seat USING (may_see());
INSERT INTO cart VALUES (5001, 5000, 'stubborn');
CALL automation.run();
SELECT logged();
SELECT looks();
SELECT state, count(*) FROM automation.enrollments WHERE workflow = 'stubborn' GROUP BY state;
DROP POLICY seeing ON seat;
ALTER TABLE seat DISABLE ROW LEVEL SECURITY;

-- A condition that fails for one fails for him alone.
CREATE FUNCTION divides(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF email TO 'divide';
BEGIN
  WAIT UNTIL (SELECT coalesce(sum(o.total / (c.parent - 1)), 0) FROM sales_order o WHERE o.cart_id = 9000 AND o.total > 0) > 1;
  INSERT INTO log (what) VALUES (c.id || ' divides');
END $$;
UPDATE contact SET parent = id WHERE id < 10;
UPDATE contact SET email = 'divide' WHERE id < 5;
CALL automation.run();
SELECT looks();
INSERT INTO sales_order (id, cart_id, total) VALUES (9000, 9000, 100);
CALL automation.run();
SELECT logged();
SELECT entry_key, state, error ~ 'division by zero' AS as_expected FROM automation.enrollments WHERE workflow = 'divides';

-- A function of a row on the way: who is concerned is woken, and nobody else.
CREATE FUNCTION is_shipped(k cart) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM sales_order o WHERE o.cart_id = (k).id AND o.status = 'shipped');
CREATE FUNCTION gets(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM session s JOIN cart k ON k.session_id = s.id WHERE s.contact_id = c.id AND is_shipped(k));
  INSERT INTO log (what) VALUES (c.id || ' gets it');
END $$;
SELECT "table", tied_by, rechecked FROM automation.explain('gets');
INSERT INTO session SELECT i, i FROM generate_series(41, 44) i;
INSERT INTO cart SELECT i, i, 'shut' FROM generate_series(41, 44) i;
INSERT INTO contact SELECT i, 'c' || i FROM generate_series(41, 44) i;
CALL automation.run();
SELECT count(gets(c)) FROM contact c WHERE id BETWEEN 41 AND 44;
CALL automation.run();
SELECT looks() IS NOT NULL AS forgotten;
INSERT INTO sales_order (id, cart_id, status) VALUES (41, 41, 'shipped'), (42, 42, 'open');
CALL automation.run();
SELECT logged();
SELECT looks();
UPDATE sales_order SET status = 'shipped' WHERE id = 42;
UPDATE cart SET session_id = 44 WHERE id = 42;
CALL automation.run();
SELECT logged();

-- A type with a hash function of somebody's own: the one who changes a row does not run it.
\c - postgres
SET search_path = wakes; SET client_min_messages = error;
CREATE ROLE wakes_writer LOGIN;
GRANT USAGE ON SCHEMA wakes TO wakes_writer;
CREATE TYPE tag;
CREATE FUNCTION tag_in(cstring) RETURNS tag LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION tag_out(tag) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE tag (INPUT = tag_in, OUTPUT = tag_out, LIKE = text);
CREATE FUNCTION tag_eq(a tag, b tag) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  RETURN lower(a::text) = lower(b::text);
END $$;
CREATE FUNCTION tag_hash(a tag, seed bigint DEFAULT 0) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  IF session_user = 'wakes_writer' THEN
    RAISE EXCEPTION 'hashed by %', session_user;
  END IF;
  RETURN hashtextextended(lower(a::text), seed);
END $$;
CREATE FUNCTION tag_hash4(a tag) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS 'SELECT hashtext(lower(a::text))';
CREATE CAST (tag AS text) WITHOUT FUNCTION;
CREATE OPERATOR = (LEFTARG = tag, RIGHTARG = tag, FUNCTION = tag_eq, COMMUTATOR = =, HASHES);
CREATE OPERATOR CLASS tag_ops DEFAULT FOR TYPE tag USING hash AS OPERATOR 1 =, FUNCTION 1 tag_hash4(tag), FUNCTION 2 tag_hash(tag, bigint);
\c - app
SET search_path = wakes;
DROP FUNCTION divides, seated, stubborn;
CREATE TABLE tagged (id int PRIMARY KEY, tag tag);
GRANT INSERT ON tagged TO wakes_writer;
CREATE FUNCTION is_tagged(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF email TO 'tag';
DECLARE
  t tag := 'NEW';
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM tagged x WHERE x.tag = t);
  INSERT INTO log (what) VALUES (c.id || ' tagged');
END $$;
UPDATE contact SET email = 'tag' WHERE id = 1;
CALL automation.run();
SELECT looks();
\c - wakes_writer
INSERT INTO wakes.tagged VALUES (1, 'old'), (2, NULL);
\c - app
SET search_path = wakes;
CALL automation.run();
SELECT logged();
SELECT looks();
\c - wakes_writer
INSERT INTO wakes.tagged VALUES (3, 'nEw');
\c - app
SET search_path = wakes;
CALL automation.run();
SELECT logged();
SELECT looks();

\c - postgres
SET client_min_messages = warning;
DROP SCHEMA wakes CASCADE;
DROP OWNED BY wakes_other, wakes_writer;
DROP ROLE wakes_other, wakes_writer;
