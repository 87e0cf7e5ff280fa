-- Before each file: no workflow, nobody inside, an empty kit.  Connected as app.
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS try CASCADE;
CREATE SCHEMA try;
CALL automation.run();
DO $$
BEGIN
    EXECUTE (SELECT 'TRUNCATE ' || string_agg(format('crm.%I', c.relname), ', ')
             FROM pg_class c WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind = 'r' AND c.relname <> 'kit_object');
    DELETE FROM automation.template;
END $$;
RESET client_min_messages;
SET search_path = try, crm;

-- What the cases speak of by name.
INSERT INTO app_user (id, name, email, phone)
SELECT n, name, lower(split_part(name, ' ', 1)) || '@example.com', '+331000000' || n
FROM unnest(ARRAY['Ada Bell', 'Bruno Costa', 'Chiara Dahl', 'Dora Engel', 'Emil Faure', 'Fatou Gaye', 'Greta Holm']) WITH ORDINALITY u (name, n);
INSERT INTO team (id, name) VALUES (1, 'Sales'), (2, 'Senior sales'), (3, 'Managers'), (4, 'Support');
ALTER TABLE app_user ALTER id RESTART WITH 1001;
ALTER TABLE team ALTER id RESTART WITH 1001;
INSERT INTO team_member (team_id, user_id) VALUES (1, 1), (1, 2), (1, 3), (2, 4), (2, 5), (3, 6), (4, 7);
INSERT INTO connected_mailbox (user_id, address, is_preferred) SELECT id, email, true FROM app_user;
INSERT INTO custom_object_type (name, label, has_pipeline) VALUES ('help ticket', 'Help ticket', true), ('boat', 'Boat', false);
INSERT INTO pipeline (object_type, name) VALUES ('deal', 'Sales'), ('deal', 'Enterprise'), ('ticket', 'Help'), ('project', 'Projects'), ('custom', 'Help desk');
INSERT INTO pipeline_stage (pipeline_id, name, position, rotting_days)
SELECT p.id, s.name, s.position, 14
FROM (VALUES ('Sales', ARRAY['New', 'Qualified', 'Demo', 'Demo done', 'In discussion', 'Proposal', 'Contract']),
             ('Enterprise', ARRAY['New', 'Qualified', 'Contract']),
             ('Help', ARRAY['New', 'Waiting on contact', 'Waiting on us']),
             ('Projects', ARRAY['Kick-off', 'Delivery', 'Review']),
             ('Help desk', ARRAY['New', 'In progress', 'Solved'])) v (pipeline, stages)
     JOIN pipeline p ON p.name = v.pipeline, unnest(v.stages) WITH ORDINALITY s (name, position);
INSERT INTO pipeline_stage (pipeline_id, name, position, is_open) VALUES (pipeline('Help'), 'Closed', 4, false);
INSERT INTO mailing_list (name, double_opt_in) VALUES ('News', false), ('Offers', false), ('Prospects', false), ('Customers', false), ('Club', true);
INSERT INTO static_list (name) VALUES ('Guests'), ('Speakers');
INSERT INTO form (name, double_opt_in) VALUES ('Webinar', false), ('Demo', false), ('Trial', false), ('E-book', true);
INSERT INTO tag (name) VALUES ('customer'), ('vip'), ('webinar'), ('early bird'), ('blog');
INSERT INTO label (name) VALUES ('API'), ('phone');
INSERT INTO event_type (name) VALUES ('trial started'), ('file exported');
INSERT INTO conversion_type (name) VALUES ('sign-up'), ('demo'), ('purchase');
INSERT INTO site_message (name, url) VALUES ('intro 1', NULL), ('intro 2', NULL), ('pricing help', 'https://example.com/pricing');
INSERT INTO store_connection (name, provider) VALUES ('Shop', 'shopify'), ('Second shop', 'woocommerce');
INSERT INTO product_category (name) SELECT 'category ' || n FROM generate_series(1, 7) n;
INSERT INTO product (store_id, category_id, name, sku, price) SELECT store('Shop'), product_category('category ' || n % 7 + 1), 'product ' || n, 'P' || n, n * 10 FROM generate_series(1, 12) n;
INSERT INTO email_campaign (name, kind) VALUES ('Spring sale', 'one_off'), ('Welcome series', 'automated');
INSERT INTO campaign_list VALUES (campaign('Spring sale'), list('Offers')), (campaign('Welcome series'), list('News'));
INSERT INTO automation.template (name, about, class, subject, html) VALUES
    ('welcome', 'crm.contact', 'marketing', 'Welcome, {{ contact.first_name | default: "there" }}',
     '<p>Dear {{ contact.first_name | default: "reader" }}, welcome.</p><p><a href="{{ unsubscribe_url }}">No more news</a> - {{ postal_address }}</p>'),
    ('thank you', 'crm.contact', 'transactional', 'Thank you', '<p>Thank you, {{ contact.first_name | default: "friend" }}.</p>');

-- Somebody new.
CREATE FUNCTION new_contact(first_name text, email text DEFAULT NULL, owner bigint DEFAULT NULL) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO crm.contact (first_name, email, owner_id) VALUES ($1, coalesce($2, lower($1) || '@example.com'), $3) RETURNING id;
$$;
-- A deal in a stage, with whom it is about; the first is the primary one.
CREATE FUNCTION new_deal(title text, pipeline text DEFAULT 'Sales', stage text DEFAULT 'New', VARIADIC contacts bigint[] DEFAULT '{}') RETURNS bigint LANGUAGE sql AS $$
    WITH d AS (INSERT INTO crm.deal (title, value, stage_id, pipeline_id, owner_id)
               VALUES ($1, 1000, crm.stage($2, $3), crm.pipeline($2), 1) RETURNING id),
         c AS (INSERT INTO crm.deal_contact (deal_id, contact_id, is_primary)
               SELECT d.id, u.id, u.n = 1 FROM d, unnest($4) WITH ORDINALITY u (id, n))
    SELECT id FROM d;
$$;
