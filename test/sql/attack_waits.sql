-- Attacks by what a condition is made of, and by how much there is of it.
SET client_min_messages = notice;
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
CREATE SCHEMA alice AUTHORIZATION alice;
CREATE SCHEMA bob AUTHORIZATION bob;
GRANT USAGE ON LANGUAGE workflow TO alice, bob;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO alice;
\c - alice
\set VERBOSITY terse
SET search_path = alice;
CREATE TABLE contact (id int PRIMARY KEY, n int, lots int[]);
CREATE TABLE sales_order (id int PRIMARY KEY, contact_id int, status text);
CREATE TABLE log (what text);

-- 1. A function that uses its argument twice, in itself: written out it would be of
-- any size. It is not looked through, and says so.
CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql AS 'SELECT $1 + $1';
SELECT format('CREATE FUNCTION swells(c contact) RETURNS bigint LANGUAGE workflow AS
$$ AFTER INSERT; BEGIN WAIT UNTIL %sc.n%s > 5 TIMEOUT %L; INSERT INTO log VALUES (%L); END $$', repeat('twice(', 18), repeat(')', 18), '1 day', 'swelled') \gexec
\set VERBOSITY default
SELECT tied_by, rechecked FROM automation.explain('swells') WHERE clause = 'WAIT UNTIL';
INSERT INTO contact VALUES (1, 0);
CALL automation.run();
UPDATE contact SET n = 1;
CALL automation.run();
SELECT * FROM log;

-- 2. Whoever may watch automation.goal_reached may not put a trigger there, for the engine
-- writes it as a superuser; nor while the definition of his workflow is checked
\c - postgres
GRANT SELECT, TRIGGER ON automation.goal_reached TO bob;
\c - bob
\set VERBOSITY terse
SET search_path = bob;
CREATE FUNCTION evil() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE WARNING 'planted, as %', current_user; RETURN new; END$$;
CREATE TRIGGER evil BEFORE INSERT ON automation.goal_reached FOR EACH ROW EXECUTE FUNCTION evil();
CREATE CONSTRAINT TRIGGER evil AFTER INSERT ON automation.goal_reached FOR EACH ROW EXECUTE FUNCTION evil();
CREATE FUNCTION plant(x text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  CREATE TRIGGER evil BEFORE INSERT ON automation.goal_reached FOR EACH ROW EXECUTE FUNCTION bob.evil();
  RETURN true;
END$$;
CREATE DOMAIN seed AS text CHECK (bob.plant(VALUE));
CREATE TABLE field (id int PRIMARY KEY, t text);
CREATE FUNCTION grows(f field) RETURNS bigint LANGUAGE workflow AS $$ AFTER INSERT; BEGIN WAIT UNTIL f.t = ANY ('{x}'::bob.seed[]); END $$;
-- what he may do
CREATE FUNCTION grows(g automation.goal_reached) RETURNS bigint LANGUAGE workflow AS $$ AFTER INSERT; BEGIN INSERT INTO bob.field VALUES (g.id, 'seen'); END $$;
\c - alice
\set VERBOSITY terse
SET search_path = alice;
CREATE FUNCTION wins(c contact) RETURNS bigint LANGUAGE workflow AS $$ AFTER UPDATE OF n TO 9; BEGIN GOAL won WHEN c.n = 9; END $$;
UPDATE contact SET n = 9;
CALL automation.run();
SELECT goal, outcome FROM automation.goal_reached WHERE workflow = 'wins';
SELECT tgname FROM pg_trigger WHERE tgrelid = 'automation.goal_reached'::regclass AND tgfoid <> 'automation.capture'::regproc;

-- 3. The condition of a backfill is a text of the owner who gave it: it does not run as the next one,
-- who has accepted what he could see of the workflow
GRANT USAGE ON SCHEMA alice TO bob;
GRANT ALL ON log, contact TO bob;
TRUNCATE log;
CREATE FUNCTION peek() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN INSERT INTO alice.log VALUES ('peeks as ' || current_user); RETURN true; END$$;
CREATE FUNCTION moves(c contact) RETURNS bigint LANGUAGE workflow AS $$ ENROLL AGAIN; BEGIN INSERT INTO alice.log VALUES ('entered'); END $$;
SELECT job IS NOT NULL FROM automation.backfill('moves', 'alice.peek()');
SELECT job IS NOT NULL FROM automation.backfill('moves');
\c - postgres
SET client_min_messages = warning;
ALTER FUNCTION alice.moves OWNER TO bob;
\c - bob
SET client_min_messages = warning;
SELECT automation.accept_versions('alice.moves');
CALL automation.run();
SELECT kind, what, state, done, error, owner FROM automation.progress ORDER BY job;
SELECT * FROM alice.log;

-- 4. A moment that is always just about to come lets the others come, too
\c - alice
SET search_path = alice;
SET statement_timeout = '60s';
CREATE FUNCTION soon(c contact) RETURNS bigint LANGUAGE workflow AS $$ AT now() + '1 microsecond' WHEN c.n = 9; ENROLL AGAIN; BEGIN END $$;
CALL automation.run();
CALL automation.advance('1 second');
SELECT count(*) BETWEEN 1 AND 10 AS few FROM automation.journal WHERE workflow = 'soon' AND event = 'entered';

-- 5. A table on the way to those who wait gets another name, and its name another table
RESET statement_timeout;
DROP FUNCTION soon, swells, wins;
CREATE TABLE cart (id int PRIMARY KEY, contact_id int);
CREATE TABLE bought (id int PRIMARY KEY, cart_id int);
CREATE FUNCTION has_bought(contact int) RETURNS boolean STABLE LANGUAGE sql AS
$$SELECT EXISTS (SELECT FROM bought b JOIN cart k ON k.id = b.cart_id WHERE k.contact_id = $1)$$;
CREATE FUNCTION waits(c contact) RETURNS bigint LANGUAGE workflow AS $$ AFTER INSERT; BEGIN WAIT UNTIL has_bought(c.id) TIMEOUT '9 days'; END $$;
INSERT INTO contact SELECT i FROM generate_series(11, 13) i;
INSERT INTO cart SELECT i, i FROM generate_series(11, 13) i;
CALL automation.run();
INSERT INTO bought VALUES (1, 11);
CALL automation.run();
SELECT subject_key FROM automation.enrollments ORDER BY 1;
BEGIN;
ALTER TABLE cart RENAME TO basket;
CREATE TABLE cart (id int PRIMARY KEY, contact_id int);
CREATE OR REPLACE FUNCTION has_bought(contact int) RETURNS boolean STABLE LANGUAGE sql AS
$$SELECT EXISTS (SELECT FROM bought b JOIN basket k ON k.id = b.cart_id WHERE k.contact_id = $1)$$;
COMMIT;
CALL automation.run();
INSERT INTO bought VALUES (2, 12);
CALL automation.run();
SELECT subject_key FROM automation.enrollments ORDER BY 1;

-- 6. A table that a function names is dropped: nobody waits for what can't come
\set VERBOSITY terse
DROP TABLE bought;
SELECT hold FROM automation.workflows WHERE name = 'waits';
CREATE TABLE bought (id int PRIMARY KEY, cart_id int);
CREATE OR REPLACE FUNCTION has_bought(contact int) RETURNS boolean STABLE LANGUAGE sql AS
$$SELECT EXISTS (SELECT FROM bought b JOIN basket k ON k.id = b.cart_id WHERE k.contact_id = $1)$$;
SELECT hold FROM automation.workflows WHERE name = 'waits';
INSERT INTO bought VALUES (3, 13);
CALL automation.run();
SELECT subject_key FROM automation.enrollments ORDER BY 1;

-- 7. What another role wrote is not evaluated for the new owner's commands either, before he
-- has accepted it: neither keys nor the checks of domains, which reading a constant calls
DROP FUNCTION waits;
CREATE FUNCTION says(x text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE WARNING '% is read as %', x, current_user; RETURN x; END$$;
CREATE DOMAIN spoken AS text CHECK (alice.says(VALUE) IS NOT NULL);
SET client_min_messages = error;
CREATE FUNCTION talks(c contact) RETURNS bigint LANGUAGE workflow AS
$$ ENROLL AGAIN PER alice.says('key'); BEGIN WAIT UNTIL c.n::text = ANY ('{constant}'::alice.spoken[]); END $$;
\c - postgres
SET client_min_messages = error;
ALTER FUNCTION alice.talks OWNER TO bob;
\c - bob
SET client_min_messages = warning;
SELECT * FROM automation.backfill('alice.talks', dry_run => true);
SELECT * FROM automation.backfill('alice.talks', 'true');
SELECT * FROM automation.explain('alice.talks');
SELECT * FROM automation.migrate('alice.talks');
\c - postgres
SELECT * FROM automation.explain('alice.talks');

-- 8. A time that nobody can count with, in a view that everybody reads
\c - alice
SET search_path = alice;
SET client_min_messages = warning;
CREATE FUNCTION divides(c contact) RETURNS bigint LANGUAGE workflow AS
$$ ENROLL AGAIN; DECLARE arm text; BEGIN SPLIT arm INTO a, b; WAIT FOR '1 day'; GOAL g WHEN c.n = 8; END $$;
SELECT automation.decide('divides', 'arm', goal => 'g', after => '178000000 years', at_least => 1);
SELECT automation.decide('divides', 'arm', goal => 'g', after => '100 years', at_least => 1);
SELECT divides(c) IS NOT NULL FROM contact c WHERE id = 1;
CALL automation.run();
SELECT sum(people), sum(counted) FROM automation.splits WHERE workflow = 'divides';

\c - postgres
SET client_min_messages = warning;
DROP SCHEMA alice CASCADE;
DROP SCHEMA bob CASCADE;
DROP OWNED BY alice, bob;
DROP ROLE alice, bob;
