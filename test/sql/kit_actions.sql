-- Actions of the CRM kit on each kind of record: what is made and what it is linked to, whose work it is, who
-- gets the next turn of a rotation. What the catalogue's cases show of them is not shown again.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP ROLE IF EXISTS kit_app;
CREATE ROLE kit_app LOGIN;
GRANT CREATE ON DATABASE regression TO kit_app;
SET SESSION AUTHORIZATION kit_app;
CALL automation.install_crm('kit_actions');
SET search_path = kit_actions;
RESET client_min_messages;

INSERT INTO app_user (id, name) SELECT n, 'user ' || n FROM generate_series(1, 6) n;
INSERT INTO team (id, name) VALUES (1, 'Sales');
INSERT INTO team_member (team_id, user_id) VALUES (1, 1), (1, 2), (1, 3);
INSERT INTO custom_object_type (name, has_pipeline) VALUES ('boat', true);
INSERT INTO pipeline (id, object_type, name) VALUES (1, 'deal', 'Sales'), (2, 'ticket', 'Help'), (3, 'project', 'Projects'), (4, 'custom', 'Boats');
UPDATE pipeline SET custom_object_type_id = 1 WHERE id = 4;
INSERT INTO pipeline_stage (pipeline_id, name, position) SELECT p, s, n FROM generate_series(1, 4) p, unnest(ARRAY['first', 'second']) WITH ORDINALITY x (s, n) ORDER BY p, n;
INSERT INTO account (id, name, owner_id) VALUES (10, 'Acme', 4);
INSERT INTO contact (id, first_name, email, owner_id) VALUES (20, 'Ann', 'ann@acme.example', 1), (21, 'Bob', 'bob@acme.example', 2);
INSERT INTO account_contact VALUES (10, 20, true), (10, 21, true);
INSERT INTO deal (id, title, stage_id, owner_id, creator_id) VALUES (30, 'Deal', 1, 3, 6);
INSERT INTO deal_contact VALUES (30, 21, true), (30, 20, false);
INSERT INTO ticket (id, subject, status_id, owner_id) VALUES (40, 'Ticket', 3, 2);
INSERT INTO ticket_contact VALUES (40, 20), (40, 21);
INSERT INTO project (id, name, stage_id, deal_id, owner_id) VALUES (50, 'Project', 5, 30, 5);
INSERT INTO project_contact VALUES (50, 21);
INSERT INTO custom_object_record (id, type, name, stage_id, owner_id) VALUES (60, 'boat', 'Boat', 7, 1);
INSERT INTO custom_object_link VALUES (60, 21);

-- 1. What a record belongs to
SELECT account_of(a) AS account, account_of(c) AS contact, account_of(d) AS deal, account_of(t) AS ticket, account_of(p) AS project, account_of(r) AS record
FROM account a, contact c, deal d, ticket t, project p, custom_object_record r WHERE c.id = 20;
SELECT contacts_of(a) AS account, contacts_of(c) AS contact, contacts_of(d) AS deal, contacts_of(t) AS ticket, contacts_of(p) AS project, contacts_of(r) AS record
FROM account a, contact c, deal d, ticket t, project p, custom_object_record r WHERE c.id = 20;
SELECT account_of(NULL::contact), contacts_of(NULL::contact), contacts_of(NULL::deal), primary_contact(NULL);

-- 2. Activities, linked to all of it; tasks, which are of the record alone
SELECT create_activity(c, 'call', 'contact') FROM contact c WHERE id = 20;
SELECT create_activity(a, 'call', 'account') FROM account a;
SELECT create_activity(d, 'call', 'deal', assignee => 'creator') FROM deal d;
SELECT create_activity(t, 'call', 'ticket', assignee => 'account owner') FROM ticket t;
SELECT create_activity(p, 'call', 'project', assignee => 'deal owner') FROM project p;
SELECT create_activity(r, 'call', 'record', assignee => 'user 6') FROM custom_object_record r;
SELECT add_task(c, 'contact', NULL, 5), add_task(a, 'account'), add_task(d, 'deal', assignee => 'contact owner'), add_task(t, 'ticket', type => 'mail'),
       add_task(p, 'project', assignee => 'account owner'), add_task(r, 'record', '2030-01-01 12:00+00', remind => '2 hours')
FROM account a, contact c, deal d, ticket t, project p, custom_object_record r WHERE c.id = 20;
SELECT type, title, assignee_id AS assignee, contact_id AS contact, account_id AS account, deal_id AS deal, ticket_id AS ticket, project_id AS project, record_id AS record,
       due_at AT TIME ZONE 'UTC' AS due, due_at - reminder_at AS remind FROM activity ORDER BY id;
SELECT add_task(NULL::deal, 'of nothing'), create_activity(NULL::contact, 'call', 'of nothing');
SELECT complete_task(c) AS contact, complete_task(a, 'acc%') AS account, complete_task(t, type => 'call') AS ticket, complete_task(p, outcome => 'ok') AS project
FROM account a, contact c, ticket t, project p WHERE c.id = 20;
SELECT title, type, status, outcome FROM activity WHERE status = 'done' ORDER BY id;
-- nobody's; a word that is not one of an account's
SELECT add_task(d, 'of nobody', assignee => NULL) IS NOT NULL AS made FROM deal d;
SELECT assignee_id FROM activity WHERE title = 'of nobody';
SELECT add_task(a, 'x', assignee => 'creator') FROM account a;

-- 3. Records that are made
SELECT create_deal(a, 'of the account', 'Sales') AS account, create_deal(a, 'of all of it', 'Sales', link => '{contact,account}') AS all,
       create_deal(d, 'renewal', 'Sales', 'second', 7, 'USD', 5, '2030-01-01') AS deal, create_deal(t, 'of the ticket', 'Sales') AS ticket,
       create_deal(r, 'of the record', 'Sales') AS record, create_deal(NULL::contact, 'of nobody', 'Sales') AS nothing
FROM account a, deal d, ticket t, custom_object_record r WHERE d.id = 30 \g /dev/null
SELECT d.title, s.name AS stage, d.value, d.currency, d.owner_id AS owner, d.expected_close_date AS close, d.account_id AS account, contacts_of(d) AS contacts, primary_contact(d) AS "primary", d.source
FROM deal d JOIN pipeline_stage s ON s.id = d.stage_id ORDER BY d.id;
SELECT create_ticket(a, 'of the account', 'Help'), create_ticket(d, 'of the deal', 'Help', 'second') FROM account a, deal d WHERE d.id = 30 \g /dev/null
SELECT t.subject, s.name AS status, t.owner_id AS owner, t.account_id AS account, contacts_of(t) AS contacts FROM ticket t JOIN pipeline_stage s ON s.id = t.status_id ORDER BY t.id;
SELECT create_project(c, 'of the contact', 'Projects'), create_project(a, 'of the account', 'Projects') FROM account a, contact c WHERE c.id = 20 \g /dev/null
SELECT p.name, s.name AS stage, p.owner_id AS owner, p.deal_id AS deal, p.account_id AS account, contacts_of(p) AS contacts FROM project p JOIN pipeline_stage s ON s.id = p.stage_id ORDER BY p.id;
SELECT move_to_stage(r, 'second'), set_owner(r, 2), set_owner(t, 3), set_owner(a, 3), set_owner(c, NULL) FROM custom_object_record r, ticket t, account a, contact c WHERE t.id = 40 AND c.id = 20 \g /dev/null
SELECT r.stage_id, r.owner_id, t.owner_id, a.owner_id, c.owner_id FROM custom_object_record r, ticket t, account a, contact c WHERE t.id = 40 AND c.id = 20;
SELECT create_deal(c, 'x', 'Boats') FROM contact c WHERE id = 20;
SELECT create_deal(c, 'x', 'Sales', 'third') FROM contact c WHERE id = 20;
SELECT create_project(c, 'x', NULL) FROM contact c WHERE id = 20;
SELECT create_ticket(c, 'x', 'Help', link => '{contact,people}') FROM contact c WHERE id = 20;
INSERT INTO deal (id, title) VALUES (31, 'of no pipeline');
SELECT move_to_stage(d, 'first') FROM deal d WHERE id = 31;
SELECT move_to_stage(d, NULL, 'Sales') FROM deal d WHERE id = 31;
SELECT stage_id FROM deal WHERE id = 31;

-- 4. Turns: in proportion to weights
UPDATE team_member SET weight = 2 WHERE user_id = 1;
SELECT array_agg(rotate('Sales') ORDER BY n) FROM generate_series(1, 8) n;
SELECT array_agg(user_id ORDER BY turn) FROM rotate_turns('weights', '{1,2,3}', '{3,1,0}', 8);
-- who joins begins where the others are, by his weight; who is asked for twice counts once
SELECT array_agg(user_id ORDER BY turn) FROM rotate_turns('weights', '{1,2,4,4}', '{3,1,2}', 6);
SELECT user_id, assigned, last_turn FROM rotation_turn WHERE pool = 'weights' ORDER BY user_id;
-- by what each has to do: 3 has two tickets already
SELECT user_id, count(*) FROM rotate_turns('busy', '{1,2,3}', turns => 7, least_busy => 'ticket') GROUP BY 1 ORDER BY 1;
SELECT u.id, array_agg(what || ' ' || workload(u.id, what) ORDER BY what) FILTER (WHERE workload(u.id, what) > 0)
FROM app_user u, unnest(ARRAY['deal', 'ticket', 'project', 'task', 'contact', 'account', 'custom_object_record']) what GROUP BY u.id ORDER BY u.id;
-- nobody is there; who is away is back when the time is over
UPDATE app_user SET is_active = false WHERE id IN (1, 2);
UPDATE app_user SET away_until = '2000-01-01' WHERE id = 3;
SELECT rotate('Sales'), anyone_available('Sales'), anyone_available('{1,2}'::bigint[]), anyone_available('Nobody');
UPDATE app_user SET away_until = 'infinity' WHERE id = 3;
SELECT rotate('Sales'), rotate('Sales', 6), anyone_available('Sales');
UPDATE app_user SET is_active = true, away_until = NULL;
SELECT count(*) FROM rotate_turns('none', '{1,2}', turns => 0);
SELECT count(*) FROM rotate_turns('none', NULL), rotation_pool WHERE name = 'none';

-- 5. Owners of each kind of record
UPDATE contact SET owner_id = NULL;
SELECT rotate_owner(c, 'Sales', pool => 'kinds'), rotate_owner(c, ARRAY[5], if_owned => 'reassign') FROM contact c WHERE id = 20;
SELECT rotate_owner(d, ARRAY[4], 'reassign'), rotate_owner(a, ARRAY[4], 'reassign'), rotate_owner(t, ARRAY[4], 'reassign'), rotate_owner(p, ARRAY[4], 'reassign'),
       rotate_owner(r, ARRAY[4], 'reassign') FROM deal d, account a, ticket t, project p, custom_object_record r WHERE d.id = 30 AND t.id = 40 AND p.id = 50;
SELECT d.owner_id, a.owner_id, t.owner_id, p.owner_id, r.owner_id FROM deal d, account a, ticket t, project p, custom_object_record r WHERE d.id = 30 AND t.id = 40 AND p.id = 50;
SELECT rotate_owners('contact', '{20,21,99}', users => '{6}', fallback => 1), rotate_owners('contact', '{}', team => 'Sales'), rotate_owners('contact', NULL, team => 'Sales');
SELECT id, owner_id FROM contact ORDER BY id;
UPDATE app_user SET is_paid = false WHERE id = 6;
SELECT rotate_owners('contact', '{20,21}', users => '{6}', if_owned => 'reassign') AS nobody, rotate_owners('contact', '{20,21}', users => '{6}', if_owned => 'reassign', fallback => 2) AS fallback;
SELECT rotate_owners('note', '{1}', team => 'Sales');
SELECT rotate_owners('contact', '{1}');
SELECT rotate_owners('contact', '{1}', team => 'Sales', users => '{1}');
SELECT rotate_owners('contact', '{20}', team => 'Sails', if_owned => 'reassign');
SELECT rotate('Sales', least_busy => 'mail');

SET client_min_messages = warning;
RESET SESSION AUTHORIZATION;
DROP OWNED BY kit_app CASCADE;
DROP ROLE kit_app;
