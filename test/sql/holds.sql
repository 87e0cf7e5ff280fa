-- Holds: a new owner, columns that are renamed, dropped or retyped, rights that
-- are taken away; nothing is lost meanwhile, and it goes on when that is mended.
CREATE SCHEMA holds AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
CREATE ROLE holds_other LOGIN;
GRANT USAGE ON LANGUAGE workflow TO holds_other;
GRANT USAGE ON SCHEMA holds TO holds_other;
\c - app
SET search_path = holds; SET timezone = 'UTC';

CREATE TABLE item (id int PRIMARY KEY, name text, n int DEFAULT 1, extra text);
CREATE TABLE deal (id int PRIMARY KEY, item int, v int DEFAULT 0);
CREATE TABLE log (what text);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING what) SELECT what FROM d ORDER BY what $$;
CREATE VIEW standing AS
  SELECT workflow, subject_key AS id, version, state, reason FROM automation.enrollments
  WHERE workflow IN (SELECT name FROM automation.workflows WHERE schema = 'holds') ORDER BY workflow, subject_key;
CREATE VIEW flows AS
  SELECT name, owner, active, hold, hold_detail, version FROM automation.workflows WHERE schema = 'holds' ORDER BY name;
INSERT INTO item SELECT g, 'item ' || g FROM generate_series(1, 9) g;

CREATE FUNCTION flow(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF n WHEN new.name LIKE 'item%';
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES (i.name || ' begins as ' || current_user);
  WAIT FOR '1 day';
  INSERT INTO log VALUES (i.name || ' has ' || i.extra);
END $$;

-- A used column is renamed: a warning, the workflow is held, changes wait.
UPDATE item SET n = 2, extra = 'one' WHERE id = 1;
CALL automation.run();
ALTER TABLE item RENAME COLUMN extra TO surplus;
UPDATE item SET n = 2 WHERE id = 2;
CALL automation.advance('1 day');
SELECT logged();
SELECT * FROM flows;
SELECT * FROM standing;
ALTER TABLE item RENAME COLUMN surplus TO extra;
SELECT * FROM flows;
CALL automation.run();
SELECT logged();
SELECT * FROM standing;
CALL automation.advance('1 day');
-- Dropped; mended by a new version for those who enter, those inside need the column.
ALTER TABLE item DROP COLUMN extra;
SELECT * FROM flows;
UPDATE item SET n = 3 WHERE id = 3;
CALL automation.run();
CREATE OR REPLACE FUNCTION flow(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF n WHEN new.name LIKE 'item%';
  ENROLL AGAIN;
BEGIN
  INSERT INTO log VALUES ('item ' || i.id || ' begins anew as ' || current_user);
  WAIT FOR '1 day';
  INSERT INTO log VALUES ('item ' || i.id || ' has nothing');
END $$;
SELECT * FROM flows;
UPDATE item SET n = 4 WHERE id = 4;
CALL automation.run();
SELECT logged();
SELECT * FROM standing;
-- Whose version is not valid meets an error, and stands still in the end.
CALL automation.advance('2 days');
SELECT logged();
SELECT * FROM standing;
ALTER TABLE item ADD COLUMN extra text DEFAULT 'again';
SELECT automation.retry('flow');
CALL automation.run();
SELECT logged();
-- Another type for a watched column, one that fits and one that does not.
UPDATE item SET n = 5 WHERE id = 5;
ALTER TABLE item ALTER COLUMN n TYPE numeric;
SELECT * FROM flows;
UPDATE item SET n = 5.5 WHERE id = 6;
CALL automation.run();
SELECT logged();
ALTER TABLE item ALTER COLUMN name TYPE int USING id;
SELECT * FROM flows;
ALTER TABLE item ALTER COLUMN name TYPE text USING 'item ' || name;
SELECT * FROM flows;
UPDATE item SET n = 6 WHERE id = 7;
CALL automation.run();
SELECT logged();
CALL automation.advance('2 days');
SELECT count(*) FROM logged();

-- A new owner: what others wrote does not run as him until he has accepted it.
UPDATE item SET n = 7 WHERE id = 1;
CALL automation.run();
UPDATE item SET n = 7 WHERE id = 2;
\c - postgres
SET search_path = holds;
ALTER FUNCTION flow OWNER TO holds_other;
GRANT SELECT, TRIGGER, UPDATE ON item TO holds_other;
GRANT SELECT, INSERT ON log TO holds_other;
\c - app
SET search_path = holds; SET timezone = 'UTC';
CALL automation.advance('1 day');
SELECT logged();
SELECT automation.accept_versions('flow');
\c - holds_other
SET search_path = holds; SET timezone = 'UTC';
CALL automation.run();
SELECT name, owner, active, hold FROM automation.workflows;
SELECT workflow, subject_key, state, reason FROM automation.enrollments ORDER BY subject_key;
SELECT automation.accept_versions('flow');
CALL automation.run();
\c - app
SET search_path = holds; SET timezone = 'UTC';
SELECT logged();
CALL automation.advance('1 day');
\c - holds_other
SET search_path = holds;
CALL automation.run();
\c - app
SET search_path = holds; SET timezone = 'UTC';
SELECT logged();
\c - postgres
SET client_min_messages = warning;
DROP FUNCTION holds.flow;
RESET client_min_messages;
REVOKE ALL ON holds.item FROM holds_other;
GRANT SELECT, TRIGGER ON holds.item TO holds_other;

-- Rights that are taken away and given back.
\c - postgres
CREATE SCHEMA holds_theirs AUTHORIZATION holds_other;
GRANT SELECT, TRIGGER ON holds.deal TO holds_other;
\c - holds_other
SET search_path = holds_theirs; SET timezone = 'UTC';
CREATE FUNCTION theirs(i holds.item, d holds.deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON holds.deal FOR SELECT new.item, new.id;
  ENROLL ONCE PER d;
BEGIN
  WAIT UNTIL d.v = 1;
  INSERT INTO holds.log VALUES ('theirs ' || d.id);
END $$;
\c - app
SET search_path = holds; SET timezone = 'UTC';
INSERT INTO deal VALUES (1, 1), (2, 2);
\c - holds_other
CALL automation.run();
SELECT subject_key, entry_key, state, reason FROM automation.enrollments ORDER BY 2;
\c - app
SET search_path = holds;
REVOKE TRIGGER ON deal FROM holds_other;
UPDATE deal SET v = 1 WHERE id = 1;
INSERT INTO deal VALUES (3, 3);
\c - holds_other
CALL automation.run();
SELECT subject_key, entry_key, state, reason FROM automation.enrollments ORDER BY 2;
SELECT automation.retry('holds_theirs.theirs');
CALL automation.run();
SELECT subject_key, entry_key, state, reason FROM automation.enrollments ORDER BY 2;
\c - app
SET search_path = holds; SET timezone = 'UTC';
GRANT TRIGGER ON deal TO holds_other;
CALL automation.advance('1 hour');
\c - holds_other
SELECT automation.retry('holds_theirs.theirs');
CALL automation.run();
SELECT subject_key, entry_key, state, reason FROM automation.enrollments ORDER BY 2;
\c - app
SET search_path = holds; SET timezone = 'UTC';
SELECT logged();
REVOKE SELECT ON item FROM holds_other;
UPDATE deal SET v = 1;
\c - holds_other
CALL automation.run();
SELECT subject_key, entry_key, state, reason FROM automation.enrollments ORDER BY 2;
\c - app
SET search_path = holds; SET timezone = 'UTC';
GRANT SELECT ON item TO holds_other;
\c - postgres
REVOKE USAGE ON LANGUAGE workflow FROM holds_other;
\c - holds_other
SELECT automation.retry('holds_theirs.theirs');
CALL automation.run();
SELECT subject_key, entry_key, state, reason FROM automation.enrollments ORDER BY 2;
SELECT name, active, hold FROM automation.workflows;
\c - postgres
GRANT USAGE ON LANGUAGE workflow TO holds_other;
\c - holds_other
SELECT automation.retry('holds_theirs.theirs');
CALL automation.run();
SELECT subject_key, entry_key, state, reason FROM automation.enrollments ORDER BY 2;
\c - app
SET search_path = holds; SET timezone = 'UTC';
SELECT logged();
\c - postgres
SET client_min_messages = warning;
DROP SCHEMA holds, holds_theirs CASCADE;
REVOKE ALL ON LANGUAGE workflow FROM holds_other;
DROP ROLE holds_other;
