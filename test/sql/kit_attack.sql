-- The CRM kit in hostile hands and careless ones: names that others have planted, numbers that are none,
-- columns that are called like arguments, locks, bodies.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP ROLE IF EXISTS kit_app, kit_evil;
CREATE ROLE kit_app LOGIN;
CREATE ROLE kit_evil LOGIN;
GRANT CREATE ON DATABASE regression TO kit_app;

-- 1. A schema that another role may create in, or has created in
CREATE SCHEMA kit_attack AUTHORIZATION kit_app;
GRANT USAGE, CREATE ON SCHEMA kit_attack TO kit_evil;
SET SESSION AUTHORIZATION kit_evil;
CREATE FUNCTION kit_attack.concat_ws(text, text, text) RETURNS text LANGUAGE sql RETURN 'evil';
SET SESSION AUTHORIZATION kit_app;
CALL automation.install_crm('kit_attack');
REVOKE CREATE ON SCHEMA kit_attack FROM kit_evil;
CALL automation.install_crm('kit_attack');
SET SESSION AUTHORIZATION kit_evil;
DROP FUNCTION kit_attack.concat_ws;
SET SESSION AUTHORIZATION kit_app;
CALL automation.install_crm('kit_attack');
-- a schema of the caller's path where anybody may create: functions that fit better than the system's are not taken
RESET SESSION AUTHORIZATION;
CREATE SCHEMA kit_open;
GRANT USAGE, CREATE ON SCHEMA kit_open TO PUBLIC;
GRANT USAGE ON SCHEMA kit_attack TO kit_evil;
SET SESSION AUTHORIZATION kit_evil;
CREATE FUNCTION kit_open.concat_ws(text, text, text) RETURNS text LANGUAGE sql RETURN 'evil';
CREATE FUNCTION kit_open.jsonb_build_object(text, jsonb, text, jsonb, text, jsonb) RETURNS jsonb LANGUAGE sql RETURN '"evil"'::jsonb;
CREATE FUNCTION kit_open.evil(kit_attack.subscription_status, kit_attack.subscription_status) RETURNS boolean LANGUAGE sql RETURN false;
CREATE OPERATOR kit_open.<> (FUNCTION = kit_open.evil, LEFTARG = kit_attack.subscription_status, RIGHTARG = kit_attack.subscription_status);
CREATE OPERATOR kit_open.= (FUNCTION = kit_open.evil, LEFTARG = kit_attack.subscription_status, RIGHTARG = kit_attack.subscription_status);
SET SESSION AUTHORIZATION kit_app;
SET search_path = kit_attack, kit_open;
SELECT full_name('Ann', 'Lee');
INSERT INTO mailing_list (name) VALUES ('News');
INSERT INTO contact (id, first_name, last_name) VALUES (20, 'Ann', 'Lee'), (21, 'Bob', NULL) RETURNING name;
SELECT subscribe(c, 'News'), tokens(c) -> 'contact' ->> 'name' AS token FROM contact c WHERE id = 20;
SELECT is_subscribed(c, 'News'), unsubscribe(c, 'News') FROM contact c WHERE id = 20;
SET search_path = kit_attack;
-- another role calls them with its own rights
SET SESSION AUTHORIZATION kit_evil;
SELECT kit_attack.add_tag('{20}'::bigint[], 'planted');
SELECT kit_attack.url_like('https://x.example/a', 'https://x.example/*');
SET SESSION AUTHORIZATION kit_app;

-- 2. What is no name, no number, no set
INSERT INTO app_user (id, name) SELECT n, 'user ' || n FROM generate_series(1, 3) n;
INSERT INTO team (id, name) VALUES (1, 'Sales');
INSERT INTO team_member (team_id, user_id) VALUES (1, 1), (1, 2);
SELECT add_pipeline('Sales', '{first,second}'), add_pipeline('Help', '{first,second}', 'ticket'), add_pipeline('Projects', '{first,second}', 'project') \g /dev/null
INSERT INTO deal (id, title, stage_id, owner_id) VALUES (30, 'Deal', stage('Sales', 'first'), 1);
INSERT INTO deal_contact VALUES (30, 20, true), (30, 21, false);
INSERT INTO product (name, price) VALUES ('Boat', 5);
SELECT add_tag('{20,20,NULL,-1,999}'::bigint[], 'twice') AS twice, add_tag('{}'::bigint[], 'none') AS none, add_tag(NULL::bigint[], 'none') AS "null",
       add_tag('{20}'::bigint[], 'x''"; DROP TABLE contact; -- %s%I') AS quoted, add_tag('{20}'::bigint[], repeat('ü', 5000)) AS long;
SELECT name FROM tag WHERE name LIKE 'n%' OR name LIKE 'x%';
SELECT add_tag('{20}'::bigint[], NULL);
SELECT set_score(c, 2147483647) FROM contact c WHERE id = 20;
SELECT adjust_score('{20,21}'::bigint[], 1);
SELECT id, score FROM contact ORDER BY id;
\set VERBOSITY terse
SELECT set_value(d, 'NaN') FROM deal d;
SELECT set_value(d, 'infinity') FROM deal d;
SELECT add_product(d, 'Boat', 'NaN') FROM deal d;
SELECT add_product(d, 'Boat', 'infinity') FROM deal d;
SELECT add_task(d, 'one day', 'infinity') IS NOT NULL AS made FROM deal d;
UPDATE team_member SET weight = 'NaN' WHERE user_id = 1;
SELECT * FROM rotate_turns('numbers', '{1,2}', '{NaN,1}');
SELECT * FROM rotate_turns('numbers', '{1,2}', '{Infinity,1}');
SELECT * FROM rotate_turns('numbers', '{1}', turns => 2147483647);
SELECT * FROM rotate_turns('numbers', '{1,NULL,1,99}', '{1,1,-1}', turns => 2);
-- custom is an object
UPDATE contact SET custom = '[]' WHERE id = 20;
SELECT set_property(c, 'custom.a''b"c%s%I%1$s', 'y''"%s') FROM contact c WHERE id = 20;
SELECT append_property(c, 'custom.l''%s%1$s', '{a,b,a}'), calculate_property(c, 'custom.n%s''', '+', 5) FROM contact c WHERE id = 20;
SELECT custom FROM contact WHERE id = 20;
SELECT set_property(c, 'city" = ''x'', "score', 'y') FROM contact c WHERE id = 20;
SELECT set_property(c, 'deal" d; --', 'title', 'y') FROM contact c WHERE id = 20;
SELECT url_like('a%', 'a%'), url_like('ab', 'a%'), url_like('a\b', 'a\b'), url_like('ab', 'a_'), url_like('a', 'a\');

\set VERBOSITY default
-- 3. All actions: what they lock, and their bodies. Columns that users add may be called as they like, such as the arguments of the functions
INSERT INTO account (id, name, owner_id) VALUES (10, 'Acme', 1);
INSERT INTO account_contact VALUES (10, 20, true);
INSERT INTO ticket (id, subject, status_id, owner_id) VALUES (40, 'Ticket', stage('Help', 'first'), 2);
INSERT INTO project (id, name, stage_id, deal_id) VALUES (50, 'Project', stage('Projects', 'first'), 30);
INSERT INTO custom_object_type (name) VALUES ('boat');
INSERT INTO custom_object_record (id, type, name) VALUES (60, 'boat', 'Boat');
INSERT INTO activity (type, deal_id) VALUES ('task', 30);
INSERT INTO email_message (class, direction, deal_id) VALUES ('personal', 'in', 30);
INSERT INTO rss_feed (url) VALUES ('https://x.example/feed');
INSERT INTO static_list (name) VALUES ('News');
INSERT INTO subscription_type (name) VALUES ('News');
INSERT INTO site_message (name) VALUES ('News');
INSERT INTO ad_audience (network, name) VALUES ('facebook', 'News');
INSERT INTO tracking_site (domain) VALUES ('x.example');
SELECT add_pipeline('Boats', '{first,second}', 'custom') \g /dev/null
UPDATE custom_object_type SET has_pipeline = true;
UPDATE contact SET score = 0;
CREATE TABLE calls (call text, result text, locks text);
-- a call with a value for each argument that has to have one
CREATE FUNCTION try_all() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    f record;
    problem text;
BEGIN
    DELETE FROM calls;
    FOR f IN
        SELECT p.oid::regprocedure::text AS name, format('SELECT %s.%I(%s)', p.pronamespace::regnamespace, p.proname, string_agg(CASE
            WHEN t.typrelid <> 0 AND t.typnamespace = p.pronamespace THEN format('(SELECT x FROM %s x ORDER BY x.id LIMIT 1)', t.oid::regtype)
            WHEN t.typtype = 'e' THEN format('(enum_range(NULL::%s))[2]', t.oid::regtype)
            WHEN a.name = 'pipeline' AND p.oid::regprocedure::text ~ 'custom' THEN '''Boats'''
            WHEN a.name = 'pipeline' AND p.oid::regprocedure::text ~ 'create_project|move_to_stage.project' THEN '''Projects'''
            WHEN a.name = 'pipeline' AND p.oid::regprocedure::text ~ 'ticket' THEN '''Help'''
            WHEN a.name = 'status' AND p.oid::regprocedure::text = 'set_status(project,text)' THEN '''completed'''
            WHEN a.name = 'name' AND p.proname IN ('known_stage', 'user_named') THEN CASE p.proname WHEN 'known_stage' THEN '''second''' ELSE '''user 1''' END
            WHEN a.name = 'team' AND p.proname = 'rotate_owners' THEN 'NULL'
            WHEN a.name = 'name' AND p.proname LIKE '%pipeline' THEN '''Sales two'''
            WHEN t.typname = 'anyelement' AND p.proname <> 'property_value' THEN '(SELECT x FROM contact x ORDER BY x.id LIMIT 1)'
            WHEN t.typname IN ('jsonb', 'message', 'delivery') THEN format('NULL::%s', t.oid::regtype)
            ELSE format('%s::%s', coalesce(v.value, CASE t.typcategory WHEN 'N' THEN '1' WHEN 'A' THEN '''{}''' WHEN 'D' THEN '''now''' WHEN 'B' THEN 'true' WHEN 'T' THEN '''1 hour''' ELSE '''News''' END),
                        CASE t.typname WHEN 'anycompatible' THEN 'text' WHEN 'anyelement' THEN 'text' ELSE t.oid::regtype::text END) END, ', ' ORDER BY a.n)) AS call
        FROM pg_proc p, LATERAL unnest(p.proargtypes::oid[], p.proargnames) WITH ORDINALITY a (type, name, n)
             JOIN pg_type t ON t.oid = a.type
             LEFT JOIN (VALUES ('pipeline', '''Sales'''), ('stage', '''second'''), ('status', '''second'''), ('team', '''Sales'''), ('product', '''Boat'''), ('contacts', '''{20,21}'''),
                        ('operator', '''+'''), ('kind', '''contact'''), ('ids', '''{20,21}'''), ('users', '''{1,2}'''), ('link', '''{}'''), ('if_owned', '''reassign'''), ('least_busy', '''deal'''),
                        ('url', '''https://x.example/a'''), ('assignee', '''owner'''), ('network', '''facebook'''), ('user_id', '1'), ('account', 'NULL'), ('name_of_user', 'NULL'), ('who', '''owner'''), ('email', '''new@x.example'''), ('weights', 'NULL'), ('message', 'NULL'), ('reply', 'NULL'),
                        ('relation', '''contact'''), ('object_type', '''deal'''), ('stages', '''{a,b}'''), ('closed', '''{b}'''), ('what', '''deal'''),
                        ('pipeline_id', '1'), ('cc', '''a@x.example'''), ('only_own', 'false'), ('added', '''{a}'''), ('delivery', 'NULL'), ('inbound', 'NULL'), ('private', 'false')) v (name, value)
                   ON v.name = a.name AND (t.typcategory <> 'N' OR v.value NOT LIKE '''%')
        WHERE p.pronamespace = 'kit_attack'::regnamespace AND p.prorettype <> 'trigger'::regtype AND p.pronargs > 0
              AND p.proname NOT IN ('try_all', 'no_such', 'no_stage', 'no_workload', 'not_connected', 'from_shop')
              AND p.proname NOT IN ('record_table', 'type_table', 'property_type', 'property_value', 'associated_ids', 'write_records', 'write_property', 'append_values', 'copied_value',
                                    'set_property', 'clear_property', 'append_property', 'copy_property', 'calculate_property', 'increase_property')
        GROUP BY p.oid ORDER BY p.oid::regprocedure::text COLLATE "C"
    LOOP
        problem := 'ok';
        BEGIN
            EXECUTE f.call;
        EXCEPTION WHEN OTHERS THEN
            problem := SQLERRM;
        END;
        INSERT INTO calls VALUES (f.name, problem, (SELECT string_agg(DISTINCT l.mode, ', ') FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                          WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')));
    END LOOP;
END $$;
SELECT try_all();
SELECT count(*) > 200 AS many, count(*) FILTER (WHERE locks IS NOT NULL) AS strong FROM calls;
SELECT call, result FROM calls WHERE result <> 'ok' ORDER BY call COLLATE "C";
CREATE TABLE before AS SELECT * FROM calls;
-- columns called as the arguments and variables are
DO $$
DECLARE
    t regclass;
    names text := (SELECT string_agg(DISTINCT format('ADD COLUMN IF NOT EXISTS %I int DEFAULT 7', n), ', ')
                   FROM pg_proc, unnest(coalesce(proargnames, '{}') || ARRAY['todo', 'written', 'found', 'word', 'col', 'result', 'its', 'moved', 'of_type', 'other', 'asked_for', 'found_type', 'new', 'now', 'key']) n
                   WHERE pronamespace = 'kit_attack'::regnamespace AND length(n) > 1);
BEGIN
    FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'kit_attack'::regnamespace AND relkind = 'r' AND relname NOT IN ('calls', 'before') LOOP
        EXECUTE format('ALTER TABLE %s %s', t, names);
    END LOOP;
END $$;
SELECT try_all();
SELECT call, c.result FROM calls c JOIN before b USING (call) WHERE c.result <> 'ok' AND b.result = 'ok' AND call NOT LIKE 'add_pipeline(%' ORDER BY call COLLATE "C";
INSERT INTO contact (first_name, last_name) VALUES ('Cay', 'Moss') RETURNING name;
INSERT INTO custom_object_record (type, name) VALUES ('boat', 'Second') RETURNING name;
UPDATE deal SET stage_id = stage('Sales', 'first') WHERE id = 30 RETURNING status;
SELECT set_property(c, 'city', 'Rome'), set_property(c, 'deal', 'title', 'Big'), append_property(c, 'interests', '{golf}'), copy_property(c, 'city', 'country') FROM contact c WHERE id = 20;
-- a column that is dropped, or renamed: an error that names it, of the functions that need it
ALTER TABLE contact DROP COLUMN score CASCADE;
ALTER TABLE deal RENAME COLUMN title TO heading;
SELECT adjust_score(c, 5) FROM contact c WHERE id = 20;
SELECT set_title(d, 'x') FROM deal d;
SELECT set_property(d, 'title', 'x') FROM deal d;
SELECT add_tag(c, 'still') FROM contact c WHERE id = 20;
-- one statement for each action; more than one where the first makes, or locks, what the next has to see made by others too: a tag, a named score, a name, an item
SELECT p.oid::regprocedure AS several FROM pg_proc p JOIN pg_language l ON l.oid = prolang
WHERE pronamespace = 'kit_attack'::regnamespace AND lanname = 'sql' AND btrim(prosrc, E' \n;') ~ E';\\s*\n' ORDER BY p.oid::regprocedure::text COLLATE "C";

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA kit_open CASCADE;
DROP SCHEMA kit_attack CASCADE;
DROP OWNED BY kit_app, kit_evil CASCADE;
DROP ROLE kit_app, kit_evil;
