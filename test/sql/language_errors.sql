-- Every mistake in a workflow is told at CREATE FUNCTION, at the word where it
-- is: one case for each message of the language.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS automation;
DROP ROLE IF EXISTS regress_author, regress_stranger, regress_powerful, regress_dba;
RESET client_min_messages;

CREATE ROLE regress_author;
CREATE ROLE regress_stranger;
CREATE ROLE regress_powerful BYPASSRLS IN ROLE regress_author, pg_read_server_files;
CREATE ROLE regress_dba SUPERUSER;
CREATE SCHEMA language_errors;
GRANT USAGE, CREATE ON SCHEMA language_errors TO regress_author;
GRANT USAGE ON LANGUAGE workflow TO regress_author;
SET search_path = language_errors;

CREATE TABLE sealed (id int PRIMARY KEY, note text);

SET ROLE regress_author;
CREATE TYPE deal_status AS ENUM ('open', 'won', 'lost');
CREATE DOMAIN stage AS int CHECK (VALUE > 0);
CREATE TABLE contact (
    id            bigint PRIMARY KEY,
    name          text,
    email         text,
    score         int,
    lifecycle     text,
    birthday      date,
    timeout       int,
    unsubscribed  boolean NOT NULL DEFAULT false
);
CREATE TABLE deal (
    id       bigint PRIMARY KEY,
    title    text,
    value    numeric,
    status   deal_status,
    stage    stage,
    contact  bigint
);
CREATE TABLE membership (contact bigint, list int, status text, PRIMARY KEY (contact, list));
CREATE TABLE keyless (contact bigint);
CREATE TABLE part (id int PRIMARY KEY, contact bigint) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE VIEW contact_view AS SELECT * FROM contact;
CREATE FUNCTION message(t text) RETURNS automation.message LANGUAGE sql AS
  $$ SELECT ROW('test', NULL, NULL, NULL, t, NULL, NULL)::automation.message $$;
CREATE FUNCTION is_known(contact) RETURNS boolean STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN true; END $$;


-- ---- The function itself ----

-- its attributes
CREATE OR REPLACE FUNCTION w(c contact) RETURNS text LANGUAGE workflow AS $$
  AFTER INSERT; BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS SETOF bigint LANGUAGE workflow AS $$
  AFTER INSERT; BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow STABLE AS $$
  AFTER INSERT; BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow SECURITY DEFINER AS $$
  AFTER INSERT; BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow STRICT AS $$
  AFTER INSERT; BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow PARALLEL SAFE AS $$
  AFTER INSERT; BEGIN END $$;
-- its arguments
CREATE OR REPLACE FUNCTION w(contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT; BEGIN END $$;
CREATE OR REPLACE FUNCTION w() RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact, OUT o bigint)  LANGUAGE workflow AS $$
  AFTER INSERT; BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact, VARIADIC v int[]) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT; BEGIN END $$;
CREATE OR REPLACE FUNCTION w(new contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT; BEGIN END $$;
CREATE OR REPLACE FUNCTION w(k keyless) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT; BEGIN END $$;
CREATE OR REPLACE FUNCTION w(v contact_view) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT; BEGIN END $$;

-- ---- Shape of the body ----

-- nothing, or not all of it
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT; $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '1 day'
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  IF c.score > 1 THEN
    EXIT;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT (1;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT 1);
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT 'x;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
END; more $$;
-- order of the parts
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
DECLARE
  n int;
  AFTER INSERT;
BEGIN
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  SELECT 1;
END $$;
-- who enters
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
BEGIN
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 9 * * 1' FOR SELECT id FROM contact;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
  ENROLL AGAIN;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL TWICE;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE AFTER '1 day';
BEGIN END $$;
-- words that are not ours
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  SUPPRESS c.unsubscribed;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ON INSERT;
BEGIN END $$;

-- ---- AFTER ----

-- the change
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER TRUNCATE;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR INSERT;
BEGIN END $$;
-- columns
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF emial;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF email, email;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF ctid;
BEGIN END $$;
-- FROM and TO
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT FROM 'lead';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT TO 'lead';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE TO 'lead';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle, score TO 'lead';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF lifecycle FROM 'lead';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER DELETE OR UPDATE OF lifecycle TO 'lead' FOR SELECT old.id;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead' OR 'customer';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO lower('LEAD');
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead' FROM 'customer';
BEGIN END $$;
-- a literal must be a value of the column
CREATE OR REPLACE FUNCTION w(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'wonn';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 'many';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score FROM 1.5;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score FROM 1 TO 99999999999;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF unsubscribed TO 7;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF birthday TO '2024-02-30';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage TO 'x';
BEGIN END $$;
-- names: the change is old and new
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN old.score > 1;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER DELETE WHEN new.score > 1 FOR SELECT old.id;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN c.email IS NOT NULL;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN email IS NOT NULL;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.emial IS NOT NULL;
BEGIN END $$;
-- WHEN
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.score;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.score > 'x';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN nothing(new.score);
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN count(*) > 1;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.score > 1, new.score < 5;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN (new.score > 1;
BEGIN END $$;
-- the table
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON deals FOR SELECT new.contact;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_view FOR SELECT new.id;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON pg_class FOR SELECT 1;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.event_0 FOR SELECT 1;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON part_1 FOR SELECT new.contact;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON keyless FOR SELECT new.contact;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sealed FOR SELECT 1;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(note text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  ENROLL ONCE PER note;
BEGIN END $$;

-- ---- FOR ----

-- whom to enroll
CREATE OR REPLACE FUNCTION w(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON deal;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER DELETE;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN END $$;
-- how many columns
CREATE OR REPLACE FUNCTION w(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON deal FOR SELECT new.contact;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON deal FOR SELECT new.contact, new.id, 3;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON deal FOR SELECT;
BEGIN END $$;
-- of which types
CREATE OR REPLACE FUNCTION w(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON deal FOR SELECT new.contact, new.title;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact, n int) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON deal FOR SELECT new.contact, new.title;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON deal FOR SELECT new;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(m membership) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON membership FOR SELECT new.contact;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON deal FOR SELECT (SELECT p FROM (SELECT 1, 2) p);
BEGIN END $$;
-- the row or its key, not all its columns
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON deal FOR SELECT c.* FROM contact c WHERE c.id = new.contact;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON deal FOR SELECT new.contact, new.*;
BEGIN END $$;
-- a row argument shows the row as it is
CREATE OR REPLACE FUNCTION w(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE ON deal FOR SELECT old.contact, old;
BEGIN END $$;
-- a query
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON deal FOR UPDATE deal SET value = 0;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON deal FOR WITH x AS (DELETE FROM deal RETURNING contact) SELECT contact FROM x;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON deal FOR SELECT new.contact WHEN new.value > 1;
BEGIN END $$;

-- ---- AT, EVERY, SEND DURING, TIME ZONE ----

-- AT takes a moment
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AT c.score;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AT c.unsubscribed;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(n int) RETURNS bigint LANGUAGE workflow AS $$
  AT '2030-01-01';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact, n int) RETURNS bigint LANGUAGE workflow AS $$
  AT c.birthday;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AT c.birthday FOR SELECT 1;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AT (SELECT max(o.birthday) FROM contact o WHERE o.id < c.id) WHEN c.score > (SELECT avg(score) FROM contact);
BEGIN END $$;
-- EVERY takes a schedule
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  EVERY 5 FOR SELECT id FROM contact;
  ENROLL AGAIN;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '* * * *' FOR SELECT id FROM contact;
  ENROLL AGAIN;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '61 * * * *' FOR SELECT id FROM contact;
  ENROLL AGAIN;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 9 * * mon-fry' FOR SELECT id FROM contact;
  ENROLL AGAIN;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 9 * * 1 2022' FOR SELECT id FROM contact;
  ENROLL AGAIN;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '*/0 * * * *' FOR SELECT id FROM contact;
  ENROLL AGAIN;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 9 * * 1' FOR SELECT name FROM contact;
  ENROLL AGAIN;
BEGIN END $$;
-- SEND DURING takes windows
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  SEND DURING 9;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  SEND DURING 'Mon-Fri';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  SEND DURING 'Mon-Fry 09:00-17:00';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  SEND DURING 'Mon 09:00-25:00';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  SEND DURING 'Mon 09:00-09:00';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  SEND DURING 'Mon 09:00-17:00,';
BEGIN END $$;
-- TIME ZONE takes a name
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  TIME ZONE 'Europe/Pariss';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  TIME ZONE c.score;
BEGIN END $$;

-- ---- ENROLL, EXIT WHEN ----

CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN AFTER 30;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN AFTER '30 dais';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE PER d;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE PER c.nmae;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE PER (c.name, c.email);
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE PER count(*);
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  EXIT WHEN c.score;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  EXIT WHEN new.unsubscribed;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  EXIT WHEN unsubscribed;
BEGIN END $$;

-- ---- DECLARE, assignment, INTO ----

-- types
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE n nothing; BEGIN
  
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE n record; BEGIN
  
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE n int := 'x'; BEGIN
  
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE n int := m; m int := 1; BEGIN
  
END $$;
-- names
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE c int; BEGIN
  
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE n int; n text; BEGIN
  
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE found boolean; BEGIN
  
END $$;
-- targets
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  n := 1;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  c := NULL;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE n int; BEGIN
  n := 'x';
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE n int; BEGIN
  n := c.birthday;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE n int; BEGIN
  n = 1;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  c.score := 1;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE n int; BEGIN
  SELECT 1 INTO m;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SELECT 1 INTO c;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE n int; BEGIN
  SELECT birthday FROM contact INTO n;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE d deal; BEGIN
  SELECT 1, 'x', birthday FROM contact INTO d;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE n int; BEGIN
  UPDATE contact SET score = 1 INTO n;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE n int; BEGIN
  SELECT 1 INTO STRICT n;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SELECT score INTO scores FROM contact;
END $$;

-- ---- Statements ----

-- SQL
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SELECT nothing(c);
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SELECT emial FROM contact;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SELECT c.emial;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SELECT id FROM contact c2, deal WHERE c.id = 1 AND name = title;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  UPDATE contact SET scor = 1;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SELECT $1;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  CREATE TABLE x (a int);
END $$;
-- not ours
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  PERFORM 1;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  RETURN;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  RETURN 1;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  GOTO x;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  LOOP
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WHILE true LOOP
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  FOR i IN 1..3 LOOP
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  RAISE NOTICE 'x';
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  COMMIT;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  ROLLBACK;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  EXECUTE 'x';
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  CALL x();
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  NULL;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  ON FAILURE SELECT 1;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SUPPRESS WHEN c.unsubscribed;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SELCT 1;
END $$;
-- waits
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT 3 days;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT '3 days';
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT FOR 3 days;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT FOR c.birthday;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT FOR '3 dais';
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT UNTIL c.score;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT UNTIL interval '1 day';
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT UNTIL new.score > 1;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT UNTIL c.unsubscribed TIMEOUT 3;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT UNTIL timeout > 3;
END $$;
-- a change must be tied to the enrollment
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT FOR INSERT ON deal TIMEOUT '1 day';
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT FOR INSERT ON deal WHEN new.value > 3;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT FOR UPDATE WHEN new.score > c.score;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT FOR DELETE ON deal WHEN new.contact = c.id;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT FOR INSERT ON nothing WHEN new.contact = c.id;
END $$;
-- IF
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  IF c.score THEN
  END IF;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  IF c.score > 1
    SELECT 1;
  END IF;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  IF c.score > 1 THEN
  ELSE
  ELSE
  END IF;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  END IF;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  ELSE
END $$;
-- GO TO
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  <<again>>
  WAIT FOR '1 day';
  GO TO agian;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  <<again>>
  SELECT 1;
  GO TO again;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  <<again>>
  WAIT FOR '1 day';
  <<again>>
  SELECT 1;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  <<again>>
  WAIT FOR '1 day';
  GO TO again AT MOST 0 TIMES;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  <<again>>
  WAIT FOR '1 day';
  GO TO again AT MOST 3 TIMES PER 5;
END $$;
-- flow
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  EXIT;
  SELECT 1;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  EXIT WHEN c.unsubscribed;
END $$;
-- SPLIT
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SPLIT style INTO a, b;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE n int; BEGIN
  SPLIT n INTO a, b;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE s deal_status; BEGIN
  SPLIT s INTO open, wonn;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE s text; BEGIN
  SPLIT s INTO a 50%, b 40%;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE s text; BEGIN
  SPLIT s INTO a 50%, b;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE s text; BEGIN
  SPLIT s INTO a, a;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE s text; BEGIN
  SPLIT s INTO a 30%, b 70%;
  SPLIT s INTO b 70%, a 30%;
  SPLIT s INTO a 70%, b 30%;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE s text; BEGIN
  SPLIT s INTO a, b;
  SPLIT s INTO a, b, z;
END $$;
-- GOAL
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  GOAL bought WHEN c.score;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  GOAL bought WHEN c.unsubscribed;
  GOAL bought WHEN c.unsubscribed;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  GOAL bought WHEN c.unsubscribed OTHERWISE STOP;
END $$;
-- SEND
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SEND 'hello';
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SEND message('a'), message('b');
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SEND SELECT message('a');
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SEND nothing('a', c);
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; DECLARE t text; BEGIN
  SEND message('a') INTO t;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SEND message('a') INTO reply;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SEND message('a') TIMEOUT '1 day';
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SEND DURING 'Mon-Fri 09:00-17:00';
END $$;

-- ---- Right, and what is next to it ----

CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '*/15 8-17 * jan-jun mon,wed' FOR SELECT id FROM contact;
  ENROLL AGAIN;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  SEND DURING 'Mon-Fri 09:00-17:00, Sat 22:00-02:00';
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  EXIT WHEN EXISTS (SELECT FROM deal d WHERE d.contact = c.id);
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  EXIT WHEN is_known(c);
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT FOR INSERT ON deal WHEN new.contact = c.id AND new.value > 3 TIMEOUT '1 day';
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT UNTIL (SELECT max(value) FROM deal) > 3;
END $$;
CREATE OR REPLACE FUNCTION w(n int) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR DELETE ON automation.goal_reached FOR SELECT 1;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(n int) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.enrollment FOR SELECT 1;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  GOAL bought WHEN c.score > 3;
  GOAL paid WHEN c.score > 4;
  GOAL bought WHEN c.score > 5;
END $$;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SEND message('hello ' || c.name);
END $$;
-- something else is wrong
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  SEND message(c2.name) FROM contact c2 ORDER BY c2.id;
  SELECT nothing();
END $$;

-- ---- Notices ----

CREATE OR REPLACE FUNCTION n1(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  ENROLL ONCE PER c.name;
BEGIN END $$;
-- a key that is no column, or that holds the row, is no surprise
CREATE OR REPLACE FUNCTION n1(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  ENROLL AGAIN PER c.name, lower(c.email);
BEGIN END $$;
CREATE OR REPLACE FUNCTION n1(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  ENROLL AGAIN PER c.name, c.email;
BEGIN END $$;
CREATE OR REPLACE FUNCTION n1(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  ENROLL AGAIN PER c.name, c.id;
BEGIN END $$;
CREATE OR REPLACE FUNCTION n1(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  EXIT WHEN c.birthday < now() - interval '18 years';
BEGIN END $$;
CREATE OR REPLACE FUNCTION n1(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  WAIT UNTIL c.score > 3 AND c.birthday <= current_date TIMEOUT '1 day';
END $$;
RESET ROLE;
GRANT SELECT, INSERT ON sealed TO regress_author;
ALTER TABLE sealed OWNER TO regress_stranger;
SET ROLE regress_author;
-- triggers of the table's owner will run as the workflow's
CREATE OR REPLACE FUNCTION n1(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  INSERT INTO sealed VALUES (1);
  INSERT INTO sealed VALUES (2);
END $$;

-- ---- Rights ----

RESET ROLE;
REVOKE INSERT ON sealed FROM regress_author;
SET ROLE regress_author;
-- SELECT alone does not let one watch
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sealed FOR SELECT 1;
BEGIN END $$;
CREATE OR REPLACE FUNCTION w(s sealed) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE; BEGIN
  
END $$;
RESET ROLE;
GRANT TRIGGER ON sealed TO regress_author;
ALTER TABLE sealed ENABLE ROW LEVEL SECURITY;
SET ROLE regress_author;
-- a policy can't be asked about a deleted row
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER DELETE ON sealed FOR SELECT 1;
BEGIN END $$;
CREATE OR REPLACE FUNCTION n1(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sealed FOR SELECT 1;
BEGIN END $$;
SET ROLE regress_dba;
-- never a superuser
CREATE OR REPLACE FUNCTION n3(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  AFTER UPDATE ON deal FOR SELECT new.contact;
BEGIN END $$;
SET ROLE regress_powerful;
-- nearly one
CREATE OR REPLACE FUNCTION n2(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN END $$;
RESET ROLE;
-- nobody else may create in a schema of the path
GRANT CREATE ON SCHEMA language_errors TO regress_stranger;
SET ROLE regress_author;
CREATE OR REPLACE FUNCTION n1(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN END $$;
RESET ROLE;
GRANT CREATE ON SCHEMA language_errors TO PUBLIC;
SET ROLE regress_author;
CREATE OR REPLACE FUNCTION w(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN END $$;

RESET ROLE;
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA language_errors CASCADE;
DROP OWNED BY regress_author;
DROP ROLE regress_author, regress_stranger, regress_powerful, regress_dba;
