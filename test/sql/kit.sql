-- CALL automation.install_crm(): what it makes, that it can be repeated, what it refuses; and the rules of
-- the tables that hold without any workflow.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP ROLE IF EXISTS kit, kit_other;
CREATE ROLE kit LOGIN;
CREATE ROLE kit_other LOGIN;
GRANT USAGE ON LANGUAGE workflow TO kit;
GRANT CREATE ON DATABASE regression TO kit;
-- 1. Where it is refused
CALL automation.install_crm(NULL);
CALL automation.install_crm('');
CALL automation.install_crm(repeat('x', 64));
CALL automation.install_crm('pg_temp');
CALL automation.install_crm('pg_catalog');
CALL automation.install_crm('information_schema');
CALL automation.install_crm('automation');
SET SESSION AUTHORIZATION kit_other;
CALL automation.install_crm('kit');
RESET SESSION AUTHORIZATION;
CREATE SCHEMA kit AUTHORIZATION kit;
SET SESSION AUTHORIZATION kit_other;
CALL automation.install_crm('kit');
RESET SESSION AUTHORIZATION;
-- nor does a superuser make functions of his in a schema where somebody else may have put some
CALL automation.install_crm('kit');
SET SESSION AUTHORIZATION kit;
GRANT CREATE ON SCHEMA kit TO PUBLIC;
CALL automation.install_crm('kit');
REVOKE CREATE ON SCHEMA kit FROM PUBLIC;
-- 2. Names that are taken: all are told at once, nothing is made
CREATE TABLE kit.contact (id int);
CREATE VIEW kit.tag AS SELECT 1 AS one;
CREATE TYPE kit.deal AS (a int);
CREATE FUNCTION kit.default_source() RETURNS int LANGUAGE sql RETURN 1;
CREATE FUNCTION kit.tag(name int) RETURNS int LANGUAGE sql RETURN 1;
CALL automation.install_crm('kit');
SELECT relname FROM pg_class WHERE relnamespace = 'kit'::regnamespace ORDER BY relname;
-- a table kit_object that somebody made says nothing
CREATE TABLE kit.kit_object (kind text, name text, note text);
INSERT INTO kit.kit_object VALUES ('table', 'contact'), ('table', 'kit_object');
CALL automation.install_crm('kit');
DROP TABLE kit.kit_object, kit.contact;
DROP VIEW kit.tag;
DROP TYPE kit.deal;
DROP FUNCTION kit.default_source();
-- 3. It makes a schema, its own things only, whatever the session's path leads to and whatever its settings are
CREATE TEMP TABLE contact (id text);
CREATE TEMP TABLE tag (id text, name text);
SET standard_conforming_strings = off;
SET transform_null_equals = on;
SET check_function_bodies = off;
CALL automation.install_crm('kit');
RESET standard_conforming_strings;
RESET transform_null_equals;
RESET check_function_bodies;
SHOW search_path;
SELECT (SELECT count(*) FROM kit.kit_object WHERE kind = 'table') > 70 AS tables, (SELECT count(*) FROM kit.kit_object WHERE kind = 'function') > 200 AS functions;
SELECT DISTINCT version = (SELECT extversion FROM pg_extension WHERE extname = 'automation') AS version FROM kit.kit_object;
-- what is there is noted, and what is noted is there; tag(int) is the user's
WITH made AS (
    SELECT CASE relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'i' THEN 'index' END AS kind, relname::text AS name
    FROM pg_class c WHERE relnamespace = 'kit'::regnamespace AND relkind IN ('r', 'v', 'i')
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x'))
    UNION ALL SELECT 'trigger', tgname || ' on ' || relname FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
    WHERE relnamespace = 'kit'::regnamespace AND NOT tgisinternal
    UNION ALL SELECT 'type', typname FROM pg_type WHERE typnamespace = 'kit'::regnamespace AND typtype = 'e')
SELECT coalesce(m.kind, o.kind) AS kind, coalesce(m.name, o.name) AS name, m.name IS NULL AS missing
FROM made m FULL JOIN (SELECT * FROM kit.kit_object WHERE kind NOT IN ('function')) o USING (kind, name) WHERE m.name IS NULL OR o.name IS NULL
ORDER BY 1, 2;
SELECT count(*) - (SELECT count(*) FROM kit.kit_object WHERE kind = 'function') AS others FROM pg_proc WHERE pronamespace = 'kit'::regnamespace;
-- all of it belongs to the caller, runs as who calls it, and reads names where it was made
SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace = 'kit'::regnamespace;
SELECT DISTINCT proowner::regrole, prosecdef FROM pg_proc WHERE pronamespace = 'kit'::regnamespace;
SELECT DISTINCT proconfig FROM pg_proc WHERE pronamespace = 'kit'::regnamespace AND proconfig IS NOT NULL;
-- what would read names where its caller says: bodies without a search_path of their own that are not SQL
SELECT p.oid::regprocedure, lanname FROM pg_proc p JOIN pg_language l ON l.oid = prolang
WHERE pronamespace = 'kit'::regnamespace AND proconfig IS NULL AND lanname <> 'sql' ORDER BY p.oid::regprocedure::text COLLATE "C";
-- functions hold on to no column: every table takes one with a default, and a column another type
DO $$
DECLARE t regclass;
BEGIN
  FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'kit'::regnamespace AND relkind = 'r' LOOP
    EXECUTE format('ALTER TABLE %s ADD COLUMN field_of_mine int NOT NULL DEFAULT 7', t);
  END LOOP;
END $$;
ALTER TABLE kit.contact ALTER COLUMN city TYPE varchar(50);
-- and go on after that; those in SQL say where everything is, so they are the same without any search_path
DO $$
DECLARE definition text;
BEGIN
  SET LOCAL search_path = '';
  FOR definition IN SELECT pg_catalog.pg_get_functiondef(p.oid) FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
                    WHERE p.pronamespace = 'kit'::regnamespace AND l.lanname = 'sql' AND p.proconfig IS NULL LOOP
    EXECUTE definition;
  END LOOP;
END $$;
SELECT count(*) FROM pg_depend d JOIN pg_class c ON c.oid = d.refobjid WHERE c.relnamespace = pg_my_temp_schema() AND d.classid = 'pg_proc'::regclass;
-- everything says what it is
SELECT oid::regclass AS uncommented FROM pg_class WHERE relnamespace = 'kit'::regnamespace AND relkind IN ('r', 'v') AND obj_description(oid, 'pg_class') IS NULL;
SELECT oid::regprocedure AS uncommented FROM pg_proc WHERE pronamespace = 'kit'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL AND oid <> 'kit.tag(int)'::regprocedure;
-- a foreign key without an index that begins with its columns makes deletions slow
SELECT conrelid::regclass, conname FROM pg_constraint k
WHERE connamespace = 'kit'::regnamespace AND contype = 'f'
  AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indpred IS NULL
                  AND (SELECT array_agg(u.a ORDER BY u.a) FROM unnest((i.indkey::int2[])[0:cardinality(k.conkey) - 1]) u (a))
                      = (SELECT array_agg(u.a ORDER BY u.a) FROM unnest(k.conkey) u (a)))
ORDER BY 1, 2;
-- every table has a primary key, by which a workflow may speak of its rows
SELECT oid::regclass AS keyless FROM pg_class c WHERE relnamespace = 'kit'::regnamespace AND relkind = 'r'
  AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary);
-- 4. Again: what was changed stays, what was lost is made
SET search_path = kit;
ALTER TABLE kit.contact ADD COLUMN shoe_size int;
INSERT INTO kit.contact (first_name, shoe_size) VALUES ('Ann', 38);
COMMENT ON TABLE kit.contact IS 'ours';
COMMENT ON TABLE kit.deal IS NULL;
CREATE OR REPLACE FUNCTION kit.full_name(first_name text, last_name text) RETURNS text LANGUAGE sql IMMUTABLE RETURN last_name || ', ' || first_name;
DROP INDEX kit.contact_email;
DROP TABLE kit.quote_contact CASCADE;
DROP TRIGGER deal_closed ON kit.deal;
DELETE FROM kit.kit_object WHERE kind = 'table' AND name = 'form';
CALL automation.install_crm('kit');
INSERT INTO kit.kit_object VALUES ('table', 'form', '0.1');
CALL automation.install_crm('kit');
SELECT to_regclass('kit.contact_email') IS NOT NULL AS "index", to_regclass('kit.quote_contact') IS NOT NULL AS "table", to_regclass('kit.association') IS NOT NULL AS view,
       EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'kit.deal'::regclass AND tgname = 'deal_closed') AS trigger,
       obj_description('kit.quote_contact'::regclass) AS comment;
SELECT first_name, shoe_size, full_name('Ann', 'Lee'), obj_description('kit.contact'::regclass) AS comment, obj_description('kit.deal'::regclass) AS none FROM kit.contact;
-- as part of a transaction, and taken back with it
BEGIN;
CALL automation.install_crm('kit_b');
SELECT to_regclass('kit_b.contact') IS NOT NULL AS there;
ROLLBACK;
SELECT to_regnamespace('kit_b');
-- a transaction that sees the past sees what was noted since
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM kit.tag;
\setenv PGOPTIONS '-c client_min_messages=warning'
\! psql -X -q -U kit -d regression -c "CALL automation.install_crm('kit_c')"
CALL automation.install_crm('kit_c');
COMMIT;
DROP SCHEMA kit_c CASCADE;
-- a superuser is told that no workflow can work on it
RESET SESSION AUTHORIZATION;
CALL automation.install_crm('kit_d');
DROP SCHEMA kit_d CASCADE;
SET SESSION AUTHORIZATION kit;
DROP TABLE contact, tag;
DROP FUNCTION kit.full_name CASCADE;
CALL automation.install_crm('kit');
SET search_path = kit;
-- 5. Rules of the tables.  A contact's name
INSERT INTO contact (first_name, last_name, name) VALUES ('Ann', 'Lee', NULL), (' ', NULL, NULL), ('Bob', NULL, 'Bobby') RETURNING name;
UPDATE contact SET last_name = 'Moss' WHERE name IN ('Ann Lee', 'Bobby') RETURNING name;
UPDATE contact SET name = NULL WHERE name = 'Bobby' RETURNING name;
-- stages and pipelines
INSERT INTO pipeline (id, object_type, name) VALUES (1, 'deal', 'Sales'), (2, 'deal', 'Enterprise'), (3, 'ticket', 'Help'), (4, 'project', 'Projects');
INSERT INTO pipeline_stage (id, pipeline_id, name, position, is_open, rotting_days) VALUES
    (10, 1, 'Lost leads', 1, false, NULL), (11, 1, 'New', 2, true, 10), (12, 1, 'Demo', 3, true, NULL), (21, 2, 'New', 1, true, NULL),
    (31, 3, 'New', 1, true, NULL), (32, 3, 'Closed', 2, false, NULL), (41, 4, 'Kick-off', 1, true, NULL);
INSERT INTO deal (id, title, stage_id) VALUES (1, 'by stage', 12) RETURNING pipeline_id, stage_entered_at >= created_at AS entered;
INSERT INTO deal (id, title, pipeline_id) VALUES (2, 'by pipeline', 1) RETURNING stage_id, rotten_at(deal) - stage_entered_at AS rots_in;
INSERT INTO deal (id, title, pipeline_id, stage_id) VALUES (9, 'they do not belong together', 2, 11);
INSERT INTO deal (id, title, stage_id) VALUES (9, 'a ticket''s', 31);
INSERT INTO deal (id, title) VALUES (3, 'neither') RETURNING pipeline_id, stage_id, stage_entered_at;
UPDATE deal SET stage_id = 21 WHERE id = 1 RETURNING pipeline_id;
UPDATE deal SET pipeline_id = 1 WHERE id = 1 RETURNING stage_id;
-- a pipeline that is written as it was says nothing; another one has to be the stage's
UPDATE deal SET stage_id = 21, pipeline_id = 1 WHERE id = 1 RETURNING pipeline_id;
UPDATE deal SET stage_id = 11, pipeline_id = 3 WHERE id = 1;
UPDATE deal SET stage_id = 11, title = 'same' WHERE id = 1;
SELECT deal_id, from_stage_id, to_stage_id, changed_by FROM stage_history ORDER BY id;
INSERT INTO project (name, pipeline_id) VALUES ('p', 4) RETURNING stage_id;
INSERT INTO custom_object_type (name, has_pipeline) VALUES ('boat', true);
INSERT INTO custom_object_record (type, stage_id) VALUES ('boat', 41);
SELECT project_id IS NOT NULL AS project, to_stage_id FROM stage_history WHERE deal_id IS NULL;
-- what is closed, done, decided, and opened again
UPDATE deal SET status = 'won' WHERE id IN (1, 2) RETURNING closed_at >= created_at AS closed, rotten_at(deal);
UPDATE deal SET status = 'lost', closed_at = '2020-01-01 UTC' WHERE id = 1 RETURNING closed_at = '2020-01-01 UTC' AS as_written;
UPDATE deal SET status = 'open' WHERE id IN (1, 2) RETURNING closed_at;
INSERT INTO deal (id, title, status) VALUES (4, 'was won', 'won') RETURNING closed_at IS NOT NULL AS closed;
INSERT INTO ticket (id, subject, pipeline_id) VALUES (1, 't', 3) RETURNING status_id, closed_at, reopened_at;
UPDATE ticket SET status_id = 32 RETURNING closed_at IS NOT NULL AS closed, reopened_at;
UPDATE ticket SET subject = 'still', status_id = 32 RETURNING closed_at IS NOT NULL AS closed, reopened_at;
UPDATE ticket SET status_id = 31 RETURNING closed_at, reopened_at IS NOT NULL AS reopened;
INSERT INTO activity (type, deal_id) VALUES ('task', 1) RETURNING completed_at;
UPDATE activity SET status = 'done' RETURNING completed_at IS NOT NULL AS done;
UPDATE activity SET status = 'open' RETURNING completed_at;
INSERT INTO app_user (id, name) VALUES (1, 'Ada');
INSERT INTO approval (deal_id, asked_of) VALUES (1, 1) RETURNING decided_at;
UPDATE approval SET status = 'approved' RETURNING decided_at IS NOT NULL AS decided;
-- updated_at: by a change
UPDATE contact SET updated_at = '2020-01-01 UTC';
UPDATE contact SET last_name = last_name, score = 0;
SELECT DISTINCT updated_at = '2020-01-01 UTC' AS untouched FROM contact;
UPDATE contact SET score = 1 WHERE first_name = 'Bob';
SELECT first_name, updated_at > '2020-01-01 UTC' AS changed FROM contact ORDER BY id;
-- mails of a deal are counted, and leave no trace on it
SELECT md5(d::text) AS deal FROM deal d WHERE id = 1 \gset
INSERT INTO email_message (class, direction, deal_id) VALUES ('personal', 'out', 1), ('personal', 'in', 1);
SELECT d.email_count, md5(d::text) = :'deal' AS unchanged FROM deal d WHERE id = 1;
-- forms: confirmed at once, or when the form asks for it; their actions once
INSERT INTO tag (id, name) VALUES (1, 'reader'), (2, 'guest');
INSERT INTO mailing_list (id, name, double_opt_in) VALUES (1, 'News', false), (2, 'Club', true);
INSERT INTO form (id, name, double_opt_in) VALUES (1, 'Plain', false), (2, 'Asks', true);
INSERT INTO form_action (form_id, tag_id, list_id) VALUES (1, 1, NULL), (1, NULL, 1), (1, NULL, 2), (2, 2, NULL), (2, NULL, 1), (2, NULL, 2);
INSERT INTO contact (id, first_name) VALUES (100, 'Plain'), (200, 'Asked'), (300, 'Left');
INSERT INTO list_subscription (contact_id, list_id, status, unsubscribe_source) VALUES (300, 1, 'unsubscribed', 'contact');
CREATE VIEW forms AS
    SELECT c.id, (SELECT string_agg(t.name, ',') FROM contact_tag x JOIN tag t ON t.id = x.tag_id WHERE x.contact_id = c.id) AS tags,
           (SELECT string_agg(l.name || ' ' || s.status || CASE WHEN s.confirmed_at IS NULL THEN '' ELSE ' confirmed' END, ', ' ORDER BY l.id)
            FROM list_subscription s JOIN mailing_list l ON l.id = s.list_id WHERE s.contact_id = c.id) AS lists
    FROM contact c WHERE c.id >= 100 ORDER BY id;
INSERT INTO form_submission (id, form_id, contact_id) VALUES (1, 1, 100), (2, 2, 200), (3, 2, 300), (4, 1, NULL) RETURNING id, confirmed_at IS NOT NULL AS confirmed;
SELECT * FROM forms;
UPDATE form_submission SET confirmed_at = submitted_at WHERE confirmed_at IS NULL;
SELECT * FROM forms;
UPDATE contact_tag SET removed_at = added_at;
UPDATE form_submission SET confirmed_at = confirmed_at + interval '1 hour', data = '{"a": 1}';
SELECT count(*) FROM contact_tag WHERE removed_at IS NULL;
-- whose submission it is turns out later
UPDATE form_submission SET contact_id = 200 WHERE id = 4;
SELECT name FROM contact_tag JOIN tag ON tag.id = tag_id WHERE removed_at IS NULL;
-- where a record comes from
SELECT DISTINCT source FROM contact_tag;
SET crm.source = 'import';
INSERT INTO contact (first_name) VALUES ('Imported') RETURNING source;
SET crm.source = 'nowhere';
INSERT INTO contact (first_name) VALUES ('Nobody');
RESET crm.source;
-- who belongs to whom, both ways
INSERT INTO deal_contact (deal_id, contact_id) VALUES (1, 100);
UPDATE project SET deal_id = 1;
SELECT from_type, to_type, to_id = 100 AS "100", from_id = 100 AS from_100 FROM association ORDER BY 1, 2;
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA kit CASCADE;
REVOKE CREATE ON DATABASE regression FROM kit;
REVOKE USAGE ON LANGUAGE workflow FROM kit;
DROP ROLE kit, kit_other;
