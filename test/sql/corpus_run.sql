-- The workflows of the corpus that send nothing, carried out: each one alone, on the
-- same few rows, under the virtual clock.  What became of the rows is its outcome.
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = crm; SET timezone = 'UTC'; SET client_min_messages = warning;
\pset format unaligned
\pset tuples_only on

-- All that workflows do to the rows below, in words.
CREATE VIEW outcome (line) AS
SELECT 'tells ' || coalesce(u.name, 'team ' || t.name) || ': ' || n.body
FROM notification n LEFT JOIN app_user u ON u.id = n.user_id LEFT JOIN team t ON t.id = n.team_id
UNION ALL
SELECT 'notes on ' || coalesce(c.name, d.title) || ': ' || n.body
FROM note n LEFT JOIN contact c ON c.id = n.contact_id LEFT JOIN deal d ON d.id = n.deal_id
UNION ALL
SELECT concat_ws(' ', 'plans a', a.type, 'for ' || u.name || ':', a.title,
                 '(' || a.status || CASE WHEN a.due_at IS NOT NULL THEN ', with a date' ELSE '' END || ')')
FROM activity a LEFT JOIN app_user u ON u.id = a.assignee_id WHERE a.creator_id IS NULL
UNION ALL
SELECT 'tags ' || c.name || ': ' || t.name FROM contact_tag ct JOIN contact c ON c.id = ct.contact_id JOIN tag t ON t.id = ct.tag_id
WHERE ct.source = 'automation'
UNION ALL
SELECT concat_ws(' ', c.name, 'score ' || nullif(c.score, 0), c.status, c.lead_status, 'owner ' || nullif(c.owner_id, 1))
FROM contact c WHERE (c.score, c.owner_id) IS DISTINCT FROM (0, 1) OR c.status IS NOT NULL OR c.lead_status IS NOT NULL
UNION ALL
SELECT concat_ws(' ', d.title, d.status, 'in ' || p.name || ', ' || s.name, 'owner ' || nullif(d.owner_id, 1), nullif(d.custom, '{}'),
                 'labels ' || (SELECT string_agg(l.name, ', ' ORDER BY l.name) FROM deal_label dl JOIN label l ON l.id = dl.label_id WHERE dl.deal_id = d.id))
FROM deal d LEFT JOIN pipeline p ON p.id = d.pipeline_id LEFT JOIN pipeline_stage s ON s.id = d.stage_id
UNION ALL
SELECT concat_ws(' ', a.name, a.customer_status, 'accounting ' || a.is_accounting, 'orders ' || nullif(a.order_count, 0)) FROM account a
UNION ALL
SELECT concat_ws(' ', 'ticket', t.subject, s.name, CASE WHEN t.reopened_at IS NOT NULL THEN 'reopened' END)
FROM ticket t LEFT JOIN pipeline_stage s ON s.id = t.status_id
UNION ALL
SELECT c.name || ' on ' || l.name || ' ' || s.status
FROM list_subscription s JOIN contact c ON c.id = s.contact_id JOIN mailing_list l ON l.id = s.list_id
UNION ALL
SELECT 'shows ' || c.name || ': ' || m.name FROM site_message_event e JOIN contact c ON c.id = e.contact_id JOIN site_message m ON m.id = e.message_id
WHERE e.kind = 'queued'
UNION ALL
SELECT 'inside ' || e.workflow || ': ' || e.subject || coalesce(' waits for ' || nullif(e.waits_for, ''), ' ' || e.state) FROM automation.enrollments e
WHERE e.signature LIKE 'crm.%'
UNION ALL
SELECT 'trouble in ' || e.workflow || ': ' || e.error FROM automation.enrollments e WHERE e.signature LIKE 'crm.%' AND e.error <> '';

-- What changed since the last look, + came, - went.
CREATE TABLE seen (line text);
CREATE FUNCTION outcomes() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT x.line FROM (
        (SELECT '+ ' || line FROM (SELECT line FROM outcome EXCEPT ALL SELECT line FROM seen) a) UNION ALL
        (SELECT '- ' || line FROM (SELECT line FROM seen EXCEPT ALL SELECT line FROM outcome) b)) x (line)
    ORDER BY substr(x.line, 3) COLLATE "C", x.line COLLATE "C";
    DELETE FROM seen;
    INSERT INTO seen SELECT line FROM outcome;
END $$;

-- An empty stage with the usual rows, and these workflows.
CREATE PROCEDURE stage_of(VARIADIC names text[] DEFAULT '{}') LANGUAGE plpgsql AS $$
DECLARE
    routine regprocedure;
    name text;
BEGIN
    FOR routine IN SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
                   WHERE l.lanname = 'workflow' AND p.pronamespace = 'crm'::regnamespace LOOP
        EXECUTE 'DROP FUNCTION ' || routine;
    END LOOP;
    TRUNCATE contact, account, deal, ticket, project, activity, note, notification, cart, sales_order, page_view, approval RESTART IDENTITY CASCADE;
    DELETE FROM rotation_pool;
    UPDATE app_user SET is_active = true;
    INSERT INTO contact (name, email, owner_id, company_name, lifecycle)
    VALUES ('Ann', 'ann@buyer.example', 1, 'Acme', 'lead'), ('Bob', 'bob@buyer.example', 1, 'Acme', 'lead');
    INSERT INTO account (name, owner_id) VALUES ('Acme', 2);
    INSERT INTO account_contact VALUES (1, 1, true), (1, 2, false);
    INSERT INTO deal (title, value, owner_id, pipeline_id, stage_id)
    VALUES ('Big', 90000, 1, pipeline('Sales'), stage('Sales', 'New')), ('Small', 10, 1, pipeline('Sales'), stage('Sales', 'New'));
    INSERT INTO deal_contact VALUES (1, 1, true), (1, 2, false), (2, 2, true);
    INSERT INTO ticket (subject, pipeline_id, status_id) VALUES ('Help!', pipeline('Help'), stage('Help', 'Open'));
    FOREACH name IN ARRAY names LOOP
        EXECUTE (SELECT d.definition FROM defined d WHERE d.workflow = name);
    END LOOP;
    DELETE FROM seen;
    INSERT INTO seen SELECT line FROM outcome;
    RAISE INFO '%', array_to_string(names, ', ');
END $$;
\set VERBOSITY terse
SELECT count(*) FROM defined d WHERE d.definition !~ '\mSEND\M' AND d.code <> 'ok';

CALL stage_of('e02_left');
INSERT INTO list_subscription (contact_id, list_id, status) VALUES (1, list('News'), 'active'), (2, list('News'), 'active');
UPDATE list_subscription SET status = 'unsubscribed' WHERE contact_id = 1;
DELETE FROM list_subscription WHERE contact_id = 2;
CALL automation.run();
SELECT outcomes();

CALL stage_of('e08_replied');
INSERT INTO email_message (class, direction, sent_from, mailbox_id, contact_id, deal_id) VALUES ('personal', 'out', 'deal', 1, 1, 1);
INSERT INTO email_message (class, direction, contact_id, deal_id, in_reply_to) VALUES ('personal', 'in', 1, 1, 1), ('personal', 'in', 2, 1, NULL);
CALL automation.run();
SELECT outcomes();

-- A goal of another workflow: that one sends, so a short one of its name stands in for it.
CALL stage_of();
CREATE FUNCTION e01_onboarding(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
BEGIN
  SELECT add_note(c, 'onboarding');
END $$;
CREATE FUNCTION f19_nurture(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  WAIT FOR '14 days';
  GOAL bought WHEN EXISTS (SELECT FROM sales_order o WHERE o.contact_id = c.id AND o.placed_at > entered_at()) OTHERWISE EXIT;
  SELECT add_note(c, 'thank you');
END $$;
DO $$ BEGIN EXECUTE (SELECT definition FROM defined WHERE workflow = 'e17_goal'); END $$;
UPDATE contact SET lifecycle = 'customer';
CALL automation.run();
INSERT INTO sales_order (contact_id, placed_at) VALUES (1, automation.now());
CALL automation.run();
SELECT outcomes();
CALL automation.advance('15 days');
SELECT outcomes();
SELECT workflow, goal, outcome, subject FROM automation.goal_reached WHERE workflow = 'f19_nurture' ORDER BY id;

CALL stage_of('e20_ready');
UPDATE contact SET score = 101;
CALL automation.run();
SELECT outcomes();
UPDATE deal SET status = 'won' WHERE title = 'Ann';
CALL automation.run();
SELECT outcomes();
CALL automation.advance('31 days');
SELECT outcomes();

CALL stage_of('e21_dismissed');
INSERT INTO site_message_event (message_id, contact_id, kind) VALUES (1, 1, 'dismissed_initial'), (1, 2, 'shown');
CALL automation.run();
SELECT outcomes();

CALL stage_of('e28_customer');
UPDATE account SET customer_status = 'customer';
CALL automation.run();
SELECT outcomes();

CALL stage_of('e31_value');
UPDATE deal SET value = 150000 WHERE id = 1;
UPDATE deal SET value = 20, currency = 'USD' WHERE id = 2;
CALL automation.run();
SELECT outcomes();

CALL stage_of('e32_owner');
UPDATE deal SET owner_id = 3 WHERE id = 1;
UPDATE deal SET owner_id = NULL WHERE id = 2;
CALL automation.run();
SELECT outcomes();

CALL stage_of('e40_lists');
INSERT INTO list_subscription (contact_id, list_id, status) VALUES (1, list('Prospects'), 'active');
INSERT INTO sales_order (contact_id) VALUES (1);
CALL automation.run();
SELECT outcomes();

CALL stage_of('e41_promoter');
INSERT INTO email_event (contact_id, kind) VALUES (1, 'share'), (2, 'open');
CALL automation.run();
SELECT outcomes();

CALL stage_of('e42_won', 'e47_clear', 'a25_internal');
UPDATE contact SET lead_status = 'hot';
INSERT INTO sales_order (contact_id, status) VALUES (2, 'pending');
CALL automation.run();
UPDATE sales_order SET status = 'completed';
CALL automation.run();
SELECT outcomes();
UPDATE deal SET status = 'lost' WHERE id = 1;
CALL automation.run();
SELECT outcomes();

CALL stage_of('e43_senior');
UPDATE deal SET stage_id = stage('Sales', 'Qualified');
CALL automation.run();
SELECT outcomes();

CALL stage_of('e44_form', 'e44_help');
UPDATE contact SET owner_id = NULL WHERE id = 2;
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Demo'), 1), (form('Demo'), 2), (form('Trial'), 1);
INSERT INTO page_view (contact_id, url) VALUES (1, 'https://example.com/help/1'), (1, 'https://example.com/help/2'), (2, 'https://example.com/');
CALL automation.run();
SELECT outcomes();
CALL automation.advance('25 hours');
INSERT INTO page_view (contact_id, url) VALUES (1, 'https://example.com/help/3');
CALL automation.run();
SELECT outcomes();

CALL stage_of('e46_industry', 'e47_phone');
UPDATE account SET industry = 'Accounting', phone = '+331';
INSERT INTO account (name, industry) VALUES ('Bolt', 'Metal');
CALL automation.run();
SELECT outcomes();

CALL stage_of('e47_to_deals', 'e47_count');
UPDATE contact SET country = 'FR' WHERE id = 1;
INSERT INTO sales_order (contact_id) VALUES (1), (2);
CALL automation.run();
SELECT outcomes();

CALL stage_of('e48_waiting', 't160_reply');
INSERT INTO conversation_thread (ticket_id, is_creating_thread) VALUES (1, true);
INSERT INTO email_message (class, direction, sent_from, ticket_id, thread_id) VALUES ('personal', 'out', 'ticket', 1, 1);
CALL automation.run();
SELECT outcomes();
INSERT INTO email_message (class, direction, thread_id, in_reply_to)
SELECT 'personal', 'in', 1, max(id) FROM email_message;
CALL automation.run();
SELECT outcomes();
UPDATE ticket SET closed_at = automation.now(), status_id = stage('Help', 'Closed');
INSERT INTO email_message (class, direction, thread_id, in_reply_to)
SELECT 'personal', 'in', 1, max(id) FROM email_message;
CALL automation.run();
SELECT outcomes();

CALL stage_of('e49_sequence', 'e50_label');
INSERT INTO deal (title, creator_id, owner_id, source) VALUES ('From the API', 42, 1, 'api'), ('Imported', 42, 1, 'import');
CALL automation.run();
SELECT outcomes();
UPDATE activity SET status = 'done' WHERE title = 'First call';
CALL automation.run();
SELECT outcomes();

CALL stage_of('t23_postmark', 't41_click');
INSERT INTO email_message (class, direction, provider_server, provider_stream, provider_tag, subject, sent_from, mailbox_id)
VALUES ('transactional', 'out', 'main', 'outbound', 'invoice', 'Your Invoice', NULL, NULL), ('personal', 'out', NULL, NULL, NULL, NULL, 'deal', 1);
INSERT INTO email_event (contact_id, message_id, kind)
SELECT c, m.id, k FROM email_message m, (VALUES (1, 'open'), (2, 'click')) v (c, k);
CALL automation.run();
SELECT outcomes();

CALL stage_of();
CREATE FUNCTION t86_mail(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN PER c, d;
BEGIN
  SELECT add_note(c, 'mail about ' || d.title);
END $$;
DO $$ BEGIN EXECUTE (SELECT definition FROM defined WHERE workflow = 't86_deal_date'); END $$;
UPDATE deal SET expected_close_date = automation.now()::date + 10;
UPDATE deal SET status = 'lost' WHERE id = 2;
CALL automation.advance('6 days');
SELECT outcomes();
CALL automation.advance('1 day 1 minute');
SELECT outcomes();
UPDATE deal SET expected_close_date = expected_close_date + 10 WHERE id = 1;
CALL automation.advance('11 days');
SELECT outcomes();

CALL stage_of('t88_crossed');
UPDATE contact SET score = 51 WHERE id = 1;
CALL automation.run();
UPDATE contact SET score = 60;
CALL automation.run();
SELECT outcomes();

CALL stage_of('t121_left_stage');
UPDATE deal SET stage_id = 7, value = 1 WHERE id = 1;
UPDATE deal SET pipeline_id = 2, stage_id = stage('Enterprise', 'New') WHERE id = 1;
CALL automation.run();
SELECT outcomes();
UPDATE deal SET pipeline_id = 1, stage_id = 7 WHERE id = 1;
CALL automation.run();
UPDATE deal SET pipeline_id = 2, stage_id = stage('Enterprise', 'New') WHERE id = 1;
CALL automation.run();
SELECT outcomes();

CALL stage_of('t140_task');
INSERT INTO activity (type, title, deal_id, creator_id) VALUES ('task', 'Demo at noon', 1, 1), ('task', 'Lunch', 2, 1);
UPDATE activity SET status = 'done';
CALL automation.run();
SELECT outcomes();

CALL stage_of('t155_stages');
INSERT INTO project (name, owner_id, pipeline_id, stage_id) VALUES ('Roof', 1, pipeline('Projects'), stage('Projects', 'Kick-off'));
CALL automation.run();
UPDATE project SET stage_id = stage('Projects', 'Delivery');
CALL automation.run();
SELECT outcomes();
CALL automation.advance('15 days');
SELECT outcomes();

CALL stage_of('s06_passive');
INSERT INTO email_message (class, direction, deal_id) SELECT 'personal', 'in', d.id FROM deal d, generate_series(1, 6);
CALL automation.run();
UPDATE deal SET stage_id = stage('Sales', 'Demo') WHERE id = 1;
CALL automation.run();
SELECT outcomes();

CALL stage_of('a88_rotate');
INSERT INTO contact (name) VALUES ('Cyd'), ('Dee'), ('Eli'), ('Fay');
CALL automation.run();
SELECT outcomes();

CALL stage_of('a120_rotten');
UPDATE deal SET stage_id = stage('Sales', 'Demo') WHERE id = 1;
CALL automation.run();
SELECT outcomes();

CALL stage_of('f07_wait');
INSERT INTO contact (name, owner_id) VALUES ('Cyd', 2), ('Dee', 3);
CALL automation.run();
SELECT outcomes();
UPDATE contact SET phone = '+336' WHERE name = 'Cyd';
CALL automation.run();
SELECT outcomes();

CALL stage_of('f13_event');
INSERT INTO page_view (contact_id, url) VALUES (1, 'https://example.com/pricing');
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Trial'), 1), (form('Trial'), 2);
CALL automation.run();
SELECT outcomes();
INSERT INTO page_view (contact_id, url) VALUES (1, 'https://example.com/pricing'), (2, 'https://example.com/');
CALL automation.run();
SELECT outcomes();
CALL automation.advance('15 days');
SELECT outcomes();

CALL stage_of();
CREATE FUNCTION f27_onboard(c contact, days int DEFAULT 7) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SELECT add_note(c, 'onboarding');
  WAIT FOR days * interval '1 day';
  SELECT add_note(c, 'onboarded');
END $$;
DO $$ BEGIN EXECUTE (SELECT definition FROM defined WHERE workflow = 'f27_parent'); END $$;
UPDATE deal SET status = 'won' WHERE id = 1;
CALL automation.run();
SELECT outcomes();
CALL automation.advance('4 days');
SELECT outcomes();

CALL stage_of();
CREATE FUNCTION f19_nurture(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
BEGIN
  WAIT FOR '7 days';
END $$;
CREATE FUNCTION other_series(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
BEGIN
  WAIT FOR '7 days';
END $$;
DO $$ BEGIN EXECUTE (SELECT definition FROM defined WHERE workflow = 'f28_stop'); END $$;
SELECT count(f19_nurture(c)) + count(other_series(c)) FROM contact c;
CALL automation.run();
UPDATE contact SET unsubscribed = true WHERE id = 1;
CALL automation.run();
SELECT outcomes();

CALL stage_of();
CREATE FUNCTION e01_onboarding(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
BEGIN
  WAIT FOR '3 days';
END $$;
DO $$ BEGIN EXECUTE (SELECT definition FROM defined WHERE workflow = 'f33_enrolled'); END $$;
SELECT count(e01_onboarding(c)) FROM contact c WHERE id = 1;
CALL automation.run();
UPDATE contact SET lifecycle = 'customer';
CALL automation.run();
SELECT outcomes();

CALL stage_of('s77_deactivated');
UPDATE app_user SET is_active = false WHERE id = 1;
CALL automation.run();
SELECT outcomes();

CALL stage_of('x01_approval');
UPDATE deal SET value = 200000;
CALL automation.run();
SELECT outcomes();
UPDATE approval SET status = 'approved' WHERE deal_id = 1;
CALL automation.run();
SELECT outcomes();
CALL automation.advance('4 days');
SELECT outcomes();

CALL stage_of('x05_sql');
UPDATE contact SET score = 6, demo_at = automation.now() + interval '8 days', phone = '+336' WHERE id = 1;
UPDATE contact SET phone = '+49' WHERE id = 2;
CALL automation.run();
CALL automation.advance('5 days');
SELECT outcomes();
CALL automation.advance('4 days');
SELECT outcomes();

CALL stage_of('x06_deleted');
INSERT INTO list_subscription (contact_id, list_id, status) VALUES (1, list('News'), 'active'), (2, list('News'), 'unconfirmed');
DELETE FROM list_subscription;
CALL automation.run();
SELECT outcomes();

CALL stage_of('x07_once_per_account');
INSERT INTO contact (name, company_name) VALUES ('Cyd', 'Bolt'), ('Dee', 'Bolt'), ('Eli', NULL);
CALL automation.run();
SELECT outcomes();

CALL stage_of('x08_found', 'x09_declare');
INSERT INTO contact (name, owner_id) VALUES ('Cyd', 2);
CALL automation.run();
SELECT outcomes();
CALL automation.advance('6 days');
SELECT outcomes();

-- Every one of them was on stage.
CALL stage_of();
DROP PROCEDURE stage_of;
DROP FUNCTION outcomes;
DROP VIEW outcome;
DROP TABLE seen;
