-- The data of a maker of sensors, in the tables of the kit: colleagues, 3,000 contacts of 140 companies,
-- 900 deals in a pipeline, 3,000 things done and seen, 1,800 orders.

CREATE TEMP TABLE csv_contact (id bigint, name text, email text, phone text, company text, city text, country text,
    owner_id bigint, lifecycle text, score int, created_at timestamptz);
CREATE TEMP TABLE csv_deal (id bigint, contact_id bigint, title text, value numeric, currency text, stage text, status deal_status,
    owner_id bigint, created_at timestamptz);
CREATE TEMP TABLE csv_activity (id bigint, contact_id bigint, deal_id bigint, type text, subject text, assignee_id bigint,
    due_at timestamptz, done_at timestamptz, created_at timestamptz);
CREATE TEMP TABLE csv_product (id bigint, category text, name text, price numeric);
\copy csv_contact FROM 'data/contact.csv' CSV HEADER
\copy csv_deal FROM 'data/deal.csv' CSV HEADER
\copy csv_activity FROM 'data/activity.csv' CSV HEADER
\copy csv_product FROM 'data/product.csv' CSV HEADER

-- what is loaded says that it was: workflows can tell
SET crm.source = 'import';

INSERT INTO app_user (id, name, email)
SELECT n, name, lower(split_part(name, ' ', 1)) || '@example.test'
FROM unnest(ARRAY['Ada Bell', 'Bruno Costa', 'Chiara Dahl', 'Emil Faure', 'Fatou Gaye']) WITH ORDINALITY u (name, n);
INSERT INTO team (name) VALUES ('Sales'), ('Managers');
INSERT INTO team_member (team_id, user_id) SELECT CASE WHEN id < 5 THEN team('Sales') ELSE team('Managers') END, id FROM app_user;

INSERT INTO account (name, domain) SELECT DISTINCT company, split_part(email, '@', 2) FROM csv_contact;
INSERT INTO contact (id, first_name, last_name, name, email, phone, company_name, city, country, owner_id, lifecycle, score, created_at)
SELECT id, split_part(name, ' ', 1), substr(name, strpos(name, ' ') + 1), name, email, phone, company, city, country, owner_id, lifecycle, score, created_at
FROM csv_contact;
INSERT INTO account_contact (account_id, contact_id, is_primary)
SELECT a.id, c.id, true FROM contact c JOIN account a ON a.name = c.company_name AND a.domain = split_part(c.email, '@', 2);

INSERT INTO pipeline (object_type, name) VALUES ('deal', 'Sales');
INSERT INTO pipeline_stage (pipeline_id, name, position)
SELECT pipeline('Sales'), name, n FROM unnest(ARRAY['New', 'Qualified', 'Demo', 'Proposal', 'Contract']) WITH ORDINALITY s (name, n);
INSERT INTO deal (id, title, value, currency, status, stage_id, owner_id, created_at)
SELECT id, title, value, currency, status, stage('Sales', initcap(stage)), owner_id, created_at FROM csv_deal;
INSERT INTO deal_contact (deal_id, contact_id, is_primary) SELECT id, contact_id, true FROM csv_deal;

INSERT INTO activity (type, title, status, assignee_id, contact_id, deal_id, due_at, completed_at, created_at)
SELECT type, subject, CASE WHEN done_at IS NULL THEN 'open' ELSE 'done' END::activity_status, assignee_id, contact_id, deal_id, due_at, done_at, created_at
FROM csv_activity WHERE type IN ('call', 'mail', 'meeting') ORDER BY id;
INSERT INTO page_view (contact_id, url, viewed_at)
SELECT contact_id, 'https://example.test/' || CASE subject WHEN 'Read the price page' THEN 'pricing' WHEN 'Read a case study' THEN 'cases/1' ELSE 'doc/' END, created_at
FROM csv_activity WHERE type = 'visit' ORDER BY id;

INSERT INTO product_category (name) SELECT DISTINCT category FROM csv_product;
INSERT INTO product (id, category_id, name, price) SELECT id, product_category(category), name, price FROM csv_product;
\copy sales_order (id, contact_id, status, total, placed_at) FROM 'data/order.csv' CSV HEADER
\copy order_line (order_id, product_id, quantity, unit_price) FROM 'data/order_line.csv' CSV HEADER

INSERT INTO mailing_list (name) VALUES ('News');
INSERT INTO list_subscription (contact_id, list_id, status, subscribed_at)
SELECT id, list('News'), 'active', created_at FROM contact WHERE id % 3 = 0;

SELECT setval(pg_get_serial_sequence(t::text, 'id'), 10000)
FROM unnest(ARRAY['app_user', 'contact', 'deal', 'product', 'sales_order']::regclass[]) t \g /dev/null
RESET crm.source;
ANALYZE account, contact, deal, activity, page_view, sales_order, order_line, list_subscription;

SELECT (SELECT count(*) FROM contact) AS contacts, (SELECT count(*) FROM account) AS accounts, (SELECT count(*) FROM deal) AS deals,
       (SELECT count(*) FROM activity) AS activities, (SELECT count(*) FROM page_view) AS "page views", (SELECT count(*) FROM sales_order) AS orders;
