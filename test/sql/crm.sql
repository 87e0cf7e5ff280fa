-- The CRM that the tests work on: the kit, and what they speak of by name.  Everything
-- belongs to an ordinary role, app.

\set ECHO none

SET client_min_messages = warning;
DROP ROLE IF EXISTS app;
RESET client_min_messages;

CREATE ROLE app LOGIN;
CREATE SCHEMA crm AUTHORIZATION app;
GRANT USAGE ON LANGUAGE workflow TO app;

SET SESSION AUTHORIZATION app;
SET search_path = crm;

SET client_min_messages = warning;
CALL automation.install_crm('crm');
RESET client_min_messages;
-- a workflow of the corpus does what this one does
ALTER TABLE email_message DISABLE TRIGGER ticket_status;

-- Stands in front of the extension's, so that the workflows need no templates.

CREATE FUNCTION email(template text, c contact, sender text DEFAULT NULL, vars jsonb DEFAULT NULL, thread bigint DEFAULT NULL)
RETURNS automation.message LANGUAGE sql STABLE
RETURN CASE WHEN (c).email IS NOT NULL AND NOT (c).unsubscribed THEN
    ROW('email', NULL, (c).email, template, template,
        jsonb_strip_nulls(jsonb_build_object('From', sender)),
        jsonb_strip_nulls(jsonb_build_object('vars', vars, 'thread', thread)))::automation.message END;

-- What the workflows and tests speak of by name

INSERT INTO app_user (id, name, email, phone)
SELECT n, (ARRAY['Ada Bell', 'Bruno Costa', 'Chiara Dahl', 'Dora Engel', 'Emil Faure', 'Fatou Gaye', 'Greta Holm'])[n],
       lower((ARRAY['ada', 'bruno', 'chiara', 'dora', 'emil', 'fatou', 'greta'])[n]) || '@crm.example', '+331000000' || n
FROM generate_series(1, 7) n;
INSERT INTO app_user (id, name, email) VALUES (42, 'Ines Juhl', 'ines@crm.example');
INSERT INTO team (name) VALUES ('Sales'), ('Senior sales'), ('Managers'), ('Support');
INSERT INTO team_member (team_id, user_id) SELECT 1, n FROM generate_series(1, 3) n;
INSERT INTO team_member (team_id, user_id) VALUES (2, 4), (2, 5), (3, 6), (4, 7);
INSERT INTO connected_mailbox (user_id, address, is_preferred) SELECT id, email, true FROM app_user;
INSERT INTO pipeline (object_type, name) VALUES ('deal', 'Sales'), ('deal', 'Enterprise'), ('ticket', 'Help'), ('project', 'Projects');
INSERT INTO pipeline_stage (pipeline_id, name, position, rotting_days)
SELECT p.id, s.name, s.position, 14
FROM (VALUES ('Sales', ARRAY['New', 'Qualified', 'Demo', 'Demo done', 'In discussion', 'Proposal', 'Contract']),
             ('Enterprise', ARRAY['New', 'Qualified', 'Contract']),
             ('Help', ARRAY['Open', 'Waiting on customer', 'Waiting on us']),
             ('Projects', ARRAY['Kick-off', 'Delivery', 'Review'])) v (pipeline, stages)
     JOIN pipeline p ON p.name = v.pipeline, unnest(v.stages) WITH ORDINALITY s (name, position);
INSERT INTO pipeline_stage (pipeline_id, name, position, is_open) VALUES (pipeline('Help'), 'Closed', 4, false);
INSERT INTO ticket_pipeline_setting
VALUES (pipeline('Help'), true, stage('Help', 'Waiting on customer'), true, stage('Help', 'Waiting on us'));
INSERT INTO mailing_list (name, double_opt_in) VALUES ('News', true), ('Offers', false), ('Prospects', false), ('Customers', false);
INSERT INTO form (name, double_opt_in) VALUES ('E-book', true), ('Webinar', false), ('Demo', false), ('Trial', false);
INSERT INTO tag (name) VALUES ('customer'), ('vip'), ('webinar'), ('early bird'), ('blog');
INSERT INTO label (name) VALUES ('API'), ('phone');
INSERT INTO event_type (name) VALUES ('trial started');
INSERT INTO conversion_type (name) VALUES ('sign-up'), ('demo'), ('purchase');
INSERT INTO site_message (name) VALUES ('intro 1'), ('intro 2');
INSERT INTO product_category (name) SELECT 'category ' || n FROM generate_series(1, 7) n;
INSERT INTO product (category_id, name, price) SELECT n % 7 + 1, 'product ' || n, n * 10 FROM generate_series(1, 12) n;

RESET SESSION AUTHORIZATION;
RESET search_path;
