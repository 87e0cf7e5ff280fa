-- Services that are connected: what they are asked to do is a delivery, what they tell us is a row that their bridge writes.

-- I01, an integration is a function that makes its messages, and a connection; without the one it can't be used, without the other it does nothing
SELECT conformance.refused('I01', 'an action of what is not installed', $sql$
    CREATE FUNCTION i01(d deal) RETURNS bigint LANGUAGE workflow AS $$
      AFTER UPDATE OF status TO 'won';
    BEGIN
      SEND trello_card('L1', d.title) WHERE is_connected('trello');
    END $$ $sql$, 'function trello_card(unknown, text) does not exist');
CREATE FUNCTION trello_card(list text, name text, server text DEFAULT 'trello') RETURNS automation.message LANGUAGE sql STABLE
RETURN automation.http_request('POST', '/cards', jsonb_build_object('idList', list, 'name', name)::text, server => server);
CREATE FUNCTION i01(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SEND trello_card('L1', d.title) WHERE is_connected('trello');
END $$;
SELECT new_deal('Before') AS before, new_deal('After') AS after \gset
UPDATE deal SET status = 'won' WHERE id = :before;
CALL automation.run();
SELECT conformance.no('I01', 'before it is connected', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'i01'));
INSERT INTO app_connection (app) VALUES ('trello');
UPDATE deal SET status = 'won' WHERE id = :after;
CALL automation.run();
SELECT conformance.yes('I01', 'then', target = 'https://api.trello.com/1/cards' AND body::jsonb = '{"idList": "L1", "name": "After"}') FROM automation.deliveries WHERE workflow = 'i01';
DROP FUNCTION i01;

-- I02, projects: one is made, and its fields are written; who was not given the table has no access
CREATE FUNCTION i02(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SELECT create_project(d, 'Deliver ' || d.title, 'Projects');
END $$;
CREATE FUNCTION i02_done(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done' WHEN new.project_id IS NOT NULL;
BEGIN
  UPDATE project SET stage_id = stage('Projects', 'Delivery'), custom = custom || '{"started": true}' WHERE id = a.project_id;
END $$;
SELECT new_deal('Big') AS big, new_deal('Lost') AS lost \gset
UPDATE deal SET status = 'won' WHERE id = :big;
UPDATE deal SET status = 'lost' WHERE id = :lost;
CALL automation.run();
SELECT conformance.yes('I02', 'made', EXISTS (SELECT FROM project WHERE deal_id = :big AND name = 'Deliver Big' AND stage_id = stage('Projects', 'Kick-off')));
INSERT INTO activity (type, title, project_id) SELECT 'task', 'Kick-off', id FROM project WHERE deal_id = :big RETURNING id AS task \gset
UPDATE activity SET status = 'done' WHERE id = :task;
CALL automation.run();
SELECT conformance.yes('I02', 'its fields are written', EXISTS (SELECT FROM project WHERE deal_id = :big AND stage_id = stage('Projects', 'Delivery') AND custom @> '{"started": true}'));
SELECT conformance.no('I02', 'for a deal that is lost', EXISTS (SELECT FROM project WHERE deal_id = :lost));
SELECT conformance.no('I02', 'by somebody without access', has_table_privilege('stranger', 'crm.project', 'INSERT') OR has_table_privilege('stranger', 'crm.project', 'UPDATE'));
DROP FUNCTION i02, i02_done;

-- I03, what comes by an interface or a web form starts automations; what is imported does not, where a clause says so
CREATE FUNCTION i03(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.source <> 'import';
BEGIN
  SELECT conformance.hit('I03', d.id, d.source::text);
END $$;
SET crm.source = 'api';
SELECT new_deal('by interface') AS api \gset
SET crm.source = 'web_form';
SELECT new_deal('by form') AS form \gset
SET crm.source = 'import';
SELECT new_deal('imported') AS import \gset
RESET crm.source;
CALL automation.run();
SELECT conformance.yes('I03', 'interface and form', conformance.hits('I03') = ARRAY[:'api', :'form']);
SELECT conformance.no('I03', 'an import', conformance.hits('I03', :import) > 0);
DROP FUNCTION i03;

-- I04, Postmark: sends transactional mails, and tells of opens, which can be told apart by server, stream, tag, subject
CREATE FUNCTION what_came_back(inbound bigint) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.inbound FOR SELECT new.id;
BEGIN
  SELECT note_inbound(inbound);
END $$;
CREATE FUNCTION i04(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order FOR SELECT new.contact_id;
BEGIN
  SEND email('thank you', c, server => 'postmark', headers => '{"X-PM-Message-Stream": "outbound", "X-PM-Tag": "order"}');
END $$;
CREATE FUNCTION i04_opened(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event
    WHEN counts_as_open(new, 'transactional') AND (mail_of(new)).provider_server = 'postmark' AND (mail_of(new)).provider_stream = 'outbound'
         AND (mail_of(new)).provider_tag = 'order' AND (mail_of(new)).subject LIKE 'Thank you%'
    FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('I04', c.id);
END $$;
CREATE FUNCTION i04_other(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON page_view FOR SELECT new.contact_id;
BEGIN
  SEND email('thank you', c, server => 'postmark', headers => '{"X-PM-Message-Stream": "outbound", "X-PM-Tag": "visit"}');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO sales_order (contact_id, total) VALUES (:ann, 10);
INSERT INTO page_view (contact_id, url) VALUES (:bob, 'https://example.com/');
CALL automation.run();
SELECT conformance.yes('I04', 'sent by it', count(*) = 2) FROM automation.deliveries WHERE workflow LIKE 'i04%' AND server = 'postmark' AND class = 'transactional' AND state = 'queued';
SELECT automation.settle(id) FROM automation.deliveries WHERE workflow LIKE 'i04%';
SELECT automation.record_inbound('open', token => automation.delivery_token(id, 'return')) FROM automation.deliveries WHERE workflow LIKE 'i04%';
CALL automation.run();
SELECT conformance.yes('I04', 'opened, with this tag', conformance.hits('I04') = ARRAY[:'ann']);
SELECT conformance.no('I04', 'with another one', conformance.hits('I04', :bob) > 0);
DROP FUNCTION i04, i04_opened, i04_other;

-- I05, mails through connected mailboxes: their clicks and answers count, those of mails without a mailbox do not
CREATE FUNCTION i05_send(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id WHEN new.stage_id = stage('Sales', 'Proposal');
BEGIN
  SEND personal_mail('thank you', c, sender_of(d)) FROM people_of(d) c;
  SEND mail(c, 'By the way', 'https://example.com/offer', class => 'transactional') FROM people_of(d) c;
END $$;
CREATE FUNCTION i05(c contact, what text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_click(new, 'personal') FOR SELECT new.contact_id, 'click on ' || link_url(new);
  AFTER INSERT ON email_event WHEN counts_as_reply(new, 'personal') FOR SELECT new.contact_id, 'reply';
  ENROLL AGAIN PER c, what;
BEGIN
  SELECT conformance.hit('I05', c.id, what);
END $$;
SELECT new_contact('Ann') AS ann \gset
SELECT new_deal('Big', 'Sales', 'New', :ann) AS big \gset
UPDATE deal SET stage_id = stage('Sales', 'Proposal') WHERE id = :big;
CALL automation.run();
SELECT automation.settle(id) FROM automation.deliveries WHERE workflow = 'i05_send';
SELECT id AS by_the_way FROM automation.deliveries WHERE workflow = 'i05_send' AND title = 'By the way' \gset
SELECT id AS personal FROM automation.deliveries WHERE workflow = 'i05_send' AND id <> :by_the_way \gset
SELECT automation.record_inbound('click', token => automation.delivery_token(:by_the_way, 'return'), url => 'https://example.com/offer');
SELECT automation.record_inbound('reply', token => automation.delivery_token(:by_the_way, 'return'));
CALL automation.run();
SELECT conformance.no('I05', 'of a mail without a mailbox', conformance.hits('I05', :ann) > 0);
SELECT automation.record_inbound('click', token => automation.delivery_token(:personal, 'return'), url => 'https://example.com/thanks');
SELECT automation.record_inbound('reply', token => automation.delivery_token(:personal, 'return'));
SELECT automation.record_inbound('auto_reply', token => automation.delivery_token(:personal, 'return'));
CALL automation.run();
SELECT conformance.yes('I05', 'a click and an answer', array_agg(what ORDER BY what) = '{click on https://example.com/thanks,reply}') FROM conformance.hit WHERE id = 'I05';
SELECT conformance.no('I05', 'an answer of a machine is one', (SELECT count(*) > 1 FROM email_event e JOIN email_message m ON m.id = e.message_id
                                                             WHERE m.delivery_id = :personal AND e.kind = 'reply'));
DROP FUNCTION i05_send, i05;

-- I06, shops hand over all their data, or not; I07, Shopify: orders; I08, WooCommerce: orders and recurring payments
INSERT INTO store_connection (name, provider, deep_data) VALUES ('Thin shop', 'shopify', false);
INSERT INTO store_connection (name, provider, status) VALUES ('Closed shop', 'shopify', 'disconnected');
INSERT INTO store_connection (name, provider) VALUES ('Own shop', 'api'), ('PayPal', 'paypal');
CREATE FUNCTION i06(c contact, what text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order WHEN from_shop(new.store_id) FOR SELECT new.contact_id, 'order';
  AFTER INSERT ON cart WHEN from_shop(new.store_id) FOR SELECT new.contact_id, 'cart';
  ENROLL AGAIN PER c, what;
BEGIN
  SELECT conformance.hit('I06', c.id, what);
END $$;
CREATE FUNCTION i07(c contact, o sales_order, what text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order WHEN from_shop(new.store_id, 'shopify') FOR SELECT new.contact_id, new.id, 'created';
  AFTER UPDATE OF status ON sales_order WHEN from_shop(new.store_id, 'shopify') FOR SELECT new.contact_id, new.id, new.status;
  ENROLL ONCE PER o, what;
BEGIN
  SELECT conformance.hit('I07', c.id, what);
END $$;
CREATE FUNCTION i08(c contact, what text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order WHEN from_shop(new.store_id, 'woocommerce') FOR SELECT new.contact_id, 'order';
  AFTER UPDATE OF status ON sales_order WHEN from_shop(new.store_id, 'woocommerce') FOR SELECT new.contact_id, 'order ' || new.status;
  AFTER INSERT ON recurring_payment WHEN new.provider = 'woocommerce' FOR SELECT new.contact_id, 'payment';
  AFTER UPDATE OF status ON recurring_payment WHEN new.provider = 'woocommerce' FOR SELECT new.contact_id, 'payment ' || new.status;
  ENROLL AGAIN PER c, what;
BEGIN
  SELECT conformance.hit('I08', c.id, what);
END $$;
-- I09, PayPal, and I10, shops that are connected by an interface: recurring payments
CREATE FUNCTION i09(c contact, provider text, what text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON recurring_payment WHEN new.provider IN ('paypal', 'api') FOR SELECT new.contact_id, new.provider, 'created';
  AFTER UPDATE OF status, amount ON recurring_payment WHEN new.provider IN ('paypal', 'api') FOR SELECT new.contact_id, new.provider, new.status || ' ' || round(new.amount);
  ENROLL AGAIN PER c, provider, what;
BEGIN
  SELECT conformance.hit(CASE provider WHEN 'paypal' THEN 'I09' ELSE 'I10' END, c.id, what);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dot') AS dot, new_contact('Eve') AS eve \gset
INSERT INTO sales_order (contact_id, store_id, total) VALUES (:ann, store('Shop'), 10), (:bob, store('Second shop'), 10), (:cid, store('Thin shop'), 10), (:cid, store('Closed shop'), 10);
INSERT INTO cart (contact_id, store_id) VALUES (:ann, store('Shop')), (:cid, store('Thin shop'));
INSERT INTO recurring_payment (contact_id, store_id, provider, amount) VALUES
    (:bob, store('Second shop'), 'woocommerce', 20), (:dot, store('PayPal'), 'paypal', 30), (:eve, store('Own shop'), 'api', 40);
CALL automation.run();
UPDATE sales_order SET status = 'completed';
UPDATE recurring_payment SET status = 'cancelled' WHERE provider <> 'api';
UPDATE recurring_payment SET amount = 50 WHERE provider = 'api';
CALL automation.run();
SELECT conformance.yes('I06', 'orders and carts', array_agg(DISTINCT what) = '{cart,order}') FROM conformance.hit WHERE id = 'I06' AND key = :'ann';
SELECT conformance.no('I06', 'of a shop without all its data, or one that is disconnected', conformance.hits('I06', :cid) > 0);
SELECT conformance.yes('I07', 'made and changed', array_agg(what ORDER BY n) = '{created,completed}') FROM conformance.hit WHERE id = 'I07';
SELECT conformance.no('I07', 'of another shop', EXISTS (SELECT FROM conformance.hit WHERE id = 'I07' AND key <> :'ann'));
SELECT conformance.yes('I08', 'orders and payments, made and changed', array_agg(what ORDER BY what) = '{order,"order completed",payment,"payment cancelled"}')
FROM conformance.hit WHERE id = 'I08' AND key = :'bob';
SELECT conformance.no('I08', 'of another shop', EXISTS (SELECT FROM conformance.hit WHERE id = 'I08' AND key <> :'bob'));
SELECT conformance.yes('I09', 'made and changed', array_agg(what ORDER BY n) = '{created,"cancelled 30"}') FROM conformance.hit WHERE id = 'I09' AND key = :'dot';
SELECT conformance.no('I09', 'of others', EXISTS (SELECT FROM conformance.hit WHERE id = 'I09' AND key <> :'dot'));
SELECT conformance.yes('I10', 'made and changed', array_agg(what ORDER BY n) = '{created,"active 50"}') FROM conformance.hit WHERE id = 'I10' AND key = :'eve';
SELECT conformance.no('I10', 'of others', EXISTS (SELECT FROM conformance.hit WHERE id = 'I10' AND key <> :'eve'));
DROP FUNCTION i06, i07, i08, i09;

-- I11, Calendly: its bridge writes the meeting, and when it is called off
CREATE FUNCTION i11(c contact, m external_meeting) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON external_meeting WHEN new.provider = 'calendly' AND new.type = 'demo' AND is_connected('calendly') FOR SELECT new.contact_id, new.id;
  ENROLL AGAIN PER m;
  EXIT WHEN m.cancelled_at IS NOT NULL;
BEGIN
  WAIT UNTIL m.scheduled_at - interval '1 day';
  SEND email('thank you', c);
END $$;
INSERT INTO app_connection (app) VALUES ('calendly');
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
INSERT INTO external_meeting (contact_id, type, scheduled_at) VALUES (:ann, 'demo', automation.now() + interval '3 days'), (:bob, 'demo', automation.now() + interval '3 days'),
    (:cid, 'coffee', automation.now() + interval '3 days');
CALL automation.run();
UPDATE external_meeting SET cancelled_at = automation.now() WHERE contact_id = :bob;
CALL automation.advance('2 days');
SELECT conformance.yes('I11', 'a reminder, the day before', array_agg(subject_key) = ARRAY[:'ann']) FROM automation.deliveries WHERE workflow = 'i11';
SELECT conformance.no('I11', 'of one that is called off, or of another type', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'i11' AND subject_key <> :'ann'));
DROP FUNCTION i11;

-- I12, Typeform, I13, Unbounce: their bridges write what was submitted, with the number that their form has there
INSERT INTO form (name, provider, external_id) VALUES ('Survey', 'typeform', 'tf1'), ('Landing page', 'unbounce', 'ub1');
CREATE FUNCTION i12(c contact, provider text, answer text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission FOR SELECT new.contact_id, f.provider, new.data ->> 'answer' FROM form f WHERE f.id = new.form_id AND f.provider IN ('typeform', 'unbounce');
  ENROLL AGAIN PER c, provider;
BEGIN
  SELECT conformance.hit(CASE provider WHEN 'typeform' THEN 'I12' ELSE 'I13' END, c.id, answer);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
INSERT INTO form_submission (form_id, contact_id, data) SELECT f.id, :ann, '{"answer": "blue"}' FROM form f WHERE f.provider = 'typeform' AND f.external_id = 'tf1';
INSERT INTO form_submission (form_id, contact_id, data) SELECT f.id, :bob, '{"answer": "yes"}' FROM form f WHERE f.provider = 'unbounce' AND f.external_id = 'ub1';
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Webinar'), :cid);
CALL automation.run();
SELECT conformance.yes('I12', 'what was answered', array_agg(key || ' ' || what) = ARRAY[:'ann' || ' blue']) FROM conformance.hit WHERE id = 'I12';
SELECT conformance.no('I12', 'other forms', conformance.hits('I12') && ARRAY[:'bob', :'cid']);
SELECT conformance.yes('I13', 'what was answered', array_agg(key || ' ' || what) = ARRAY[:'bob' || ' yes']) FROM conformance.hit WHERE id = 'I13';
SELECT conformance.no('I13', 'other forms', conformance.hits('I13') && ARRAY[:'ann', :'cid']);
DROP FUNCTION i12;

-- I14, a list of the contacts with completed tasks of deals, in a sheet. I15, a contact as a line of a sheet
CREATE FUNCTION i14(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done' WHEN new.type = 'task' AND new.deal_id IS NOT NULL;
BEGIN
  SEND google_sheet_append('done', jsonb_build_array(c.name, c.email, d.title, a.title), spreadsheet => '1AbC')
    FROM deal d, people_of(d) c WHERE d.id = a.deal_id AND is_connected('google_sheets');
END $$;
CREATE FUNCTION i15(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SEND google_sheet_append('customers!A:C', json_build_object('name', c.name, 'email', c.email, 'since', now()::date), spreadsheet => '1AbC');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('=HYPERLINK("x")', 'bob@example.com') AS bob \gset
SELECT new_deal('Big', 'Sales', 'New', :ann) AS big \gset
INSERT INTO activity (type, title, deal_id) VALUES ('task', 'Send contract', :big) RETURNING id AS first \gset
INSERT INTO activity (type, title, deal_id) VALUES ('task', 'Ask again', :big) RETURNING id AS second \gset
INSERT INTO activity (type, title, contact_id) VALUES ('task', 'Without a deal', :ann) RETURNING id AS third \gset
UPDATE activity SET status = 'done' WHERE id = :first;
CALL automation.run();
SELECT conformance.no('I14', 'before it is connected', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'i14'));
INSERT INTO app_connection (app) VALUES ('google_sheets');
UPDATE activity SET status = 'done' WHERE id IN (:second, :third);
UPDATE contact SET lifecycle = 'customer' WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('I14', 'a line', options ->> 'method' = 'POST' AND target LIKE 'https://sheets.googleapis.com/1AbC/values/done:append?%'
    AND body::jsonb = '{"values": [["Ann", "ann@example.com", "Big", "Ask again"]]}') FROM automation.deliveries WHERE workflow = 'i14';
SELECT conformance.no('I14', 'of a task without a deal', (SELECT count(*) <> 1 FROM automation.deliveries WHERE workflow = 'i14'));
SELECT conformance.yes('I15', 'the contact', body::jsonb #>> '{values,0,0}' = 'Ann' AND jsonb_array_length(body::jsonb #> '{values,0}') = 3)
FROM automation.deliveries WHERE workflow = 'i15' AND subject_key = :'ann';
SELECT conformance.no('I15', 'a name is taken for a formula', (SELECT target NOT LIKE '%valueInputOption=RAW%' FROM automation.deliveries WHERE workflow = 'i15' AND subject_key = :'bob'));
DROP FUNCTION i14, i15;

-- I16, a text message by Twilio; who has objected to texts gets none
CREATE FUNCTION i16(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SEND sms(c.phone, 'Welcome, ' || c.name);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET phone = '+33611000001' WHERE id = :ann;
UPDATE contact SET phone = '+33611000002' WHERE id = :bob;
SELECT automation.suppress('+33 6 11 00 00 02', 'sms');
UPDATE contact SET lifecycle = 'customer' WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('I16', 'its request', target = 'https://api.twilio.com/2010-04-01/Accounts/AC123/Messages.json' AND options ->> 'method' = 'POST'
    AND body = 'To=%2B33611000001&Body=Welcome%2C%20Ann&From=%2B15550100') FROM automation.deliveries WHERE workflow = 'i16' AND subject_key = :'ann';
SELECT conformance.no('I16', 'to who has objected', (SELECT state <> 'skipped' FROM automation.deliveries WHERE workflow = 'i16' AND subject_key = :'bob'));
DROP FUNCTION i16;

-- I17, Zendesk Sell: a contact is made, and changed when ours changes, by one request that makes no second one
CREATE FUNCTION i17(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF phone, last_name WHEN new.email IS NOT NULL;
  ENROLL AGAIN;
DECLARE
  reply automation.delivery;
BEGIN
  SEND zendesk_contact(coalesce(c.last_name, c.name), c.email, c.first_name, c.phone) INTO reply TIMEOUT '1 day';
  SELECT note_external(c, 'zendesk_sell', 'contact', reply_json(reply) #>> '{data,id}');
END $$;
SELECT new_contact('Ann') AS ann \gset
INSERT INTO contact (first_name) VALUES ('Nobody') RETURNING id AS nobody \gset
CALL automation.run();
SELECT automation.settle(id, 'sent', 200, '{"data": {"id": 77}}') FROM automation.deliveries WHERE workflow = 'i17';
CALL automation.run();
UPDATE contact SET phone = '+33611000003' WHERE id = :ann;
CALL automation.run();
SELECT automation.settle(id, 'sent', 200, '{"data": {"id": 77}}') FROM automation.deliveries WHERE workflow = 'i17';
CALL automation.run();
SELECT conformance.yes('I17', 'made, then changed', array_agg(coalesce(body::jsonb #>> '{data,phone}', '-') ORDER BY id) = '{-,+33611000003}'
    AND count(DISTINCT target) = 1 AND min(target) = 'https://api.getbase.com/v2/contacts/upsert?email=ann%40example.com') FROM automation.deliveries WHERE workflow = 'i17';
SELECT conformance.yes('I17', 'one contact of theirs', count(*) = 1 AND min(external_id) = '77') FROM external_record WHERE contact_id = :ann AND app = 'zendesk_sell';
SELECT conformance.no('I17', 'somebody without an address', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'i17' AND subject_key = :'nobody'));
DROP FUNCTION i17;

-- I18, Facebook: an audience is made, members come and go, as hashes
CREATE FUNCTION i18_make(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  reply automation.delivery;
BEGIN
  SEND create_audience('Leads', '1234') INTO reply TIMEOUT '1 day';
  SELECT audience_created('Leads', reply) WHERE FOUND;
END $$;
CREATE FUNCTION i18(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  SEND add_to_audience(c, 'Leads');
  WAIT UNTIL c.lifecycle = 'customer';
  SEND remove_from_audience(c, 'Leads');
END $$;
INSERT INTO account (name) VALUES ('ACME');
CALL automation.run();
SELECT automation.settle(id, 'sent', 200, '{"id": "900"}') FROM automation.deliveries WHERE workflow = 'i18_make';
CALL automation.run();
SELECT new_contact('Ann') AS ann \gset
UPDATE contact SET lifecycle = 'lead' WHERE id = :ann;
CALL automation.run();
UPDATE contact SET lifecycle = 'customer' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('I18', 'made', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'i18_make' AND target = 'https://graph.facebook.com/v19.0/act_1234/customaudiences'));
SELECT conformance.yes('I18', 'in, then out', array_agg(options ->> 'method' ORDER BY id) = '{POST,DELETE}' AND count(DISTINCT target) = 1
    AND min(target) = 'https://graph.facebook.com/v19.0/900/users' AND bool_and(body LIKE '%' || encode(sha256('ann@example.com'), 'hex') || '%')) FROM automation.deliveries WHERE workflow = 'i18';
SELECT conformance.no('I18', 'the address itself leaves', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'i18' AND body LIKE '%ann@%'));
SELECT conformance.no('I18', 'it stays a member', EXISTS (SELECT FROM ad_audience_member WHERE contact_id = :ann));
DROP FUNCTION i18_make, i18;

-- I19, Salesforce: a contact, a lead, a member of a campaign
CREATE FUNCTION i19(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
DECLARE
  reply automation.delivery;
BEGIN
  IF c.company_name IS NULL THEN
    SEND salesforce_contact(c.name, email => c.email, external_field => 'Crm_Id__c', external_id => c.id::text) INTO reply TIMEOUT '1 day';
    SELECT note_external(c, 'salesforce', 'contact', reply_json(reply) ->> 'id');
  ELSE
    SEND salesforce_lead(c.name, c.company_name, email => c.email) INTO reply TIMEOUT '1 day';
    SELECT note_external(c, 'salesforce', 'lead', reply_json(reply) ->> 'id');
  END IF;
  SEND salesforce_campaign_member('701', contact => external_id(c, 'salesforce'), lead => external_id(c, 'salesforce', 'lead'))
    WHERE coalesce(external_id(c, 'salesforce'), external_id(c, 'salesforce', 'lead')) IS NOT NULL;
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
UPDATE contact SET company_name = 'ACME' WHERE id IN (:bob, :cid);
UPDATE contact SET lifecycle = 'customer' WHERE id IN (:ann, :bob, :cid);
CALL automation.run();
SELECT conformance.yes('I19', 'a contact, by our number, so that a second request changes nothing', target LIKE '%/sobjects/Contact/Crm_Id__c/' || :ann AND options ->> 'method' = 'PATCH')
FROM automation.deliveries WHERE workflow = 'i19' AND subject_key = :'ann';
SELECT conformance.yes('I19', 'a lead', target LIKE '%/sobjects/Lead') FROM automation.deliveries WHERE workflow = 'i19' AND subject_key = :'bob';
SELECT automation.settle(id, 'sent', 201, format('{"id": "%s"}', CASE subject_key WHEN :'ann' THEN '003X' ELSE '00QX' END)) FROM automation.deliveries WHERE workflow = 'i19' AND subject_key IN (:'ann', :'bob');
SELECT automation.settle(id, 'dead', 401, error => 'session expired') FROM automation.deliveries WHERE workflow = 'i19' AND subject_key = :'cid';
CALL automation.run();
SELECT conformance.yes('I19', 'members of the campaign', array_agg((body::jsonb - 'CampaignId')::text ORDER BY id) = ARRAY['{"ContactId": "003X"}', '{"LeadId": "00QX"}'])
FROM automation.deliveries WHERE workflow = 'i19' AND target LIKE '%/CampaignMember';
SELECT conformance.no('I19', 'who did not get there', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'i19' AND subject_key = :'cid' AND target LIKE '%/CampaignMember'));
DROP FUNCTION i19;

-- I20, an application brings objects of its own along: they start automations as others do
INSERT INTO custom_object_type (name, label, origin) VALUES ('survey answer', 'Survey answer', 'app');
CREATE FUNCTION i20(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON custom_object_link
    FOR SELECT new.contact_id FROM custom_object_record r JOIN custom_object_type t ON t.name = r.type WHERE r.id = new.record_id AND t.origin = 'app';
BEGIN
  SELECT conformance.hit('I20', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SET crm.source = 'integration';
WITH r AS (INSERT INTO custom_object_record (type, name) VALUES ('survey answer', 'nine of ten') RETURNING id)
INSERT INTO custom_object_link (record_id, contact_id) SELECT r.id, :ann FROM r;
RESET crm.source;
WITH r AS (INSERT INTO custom_object_record (type, name) VALUES ('boat', 'Argo') RETURNING id)
INSERT INTO custom_object_link (record_id, contact_id) SELECT r.id, :bob FROM r;
CALL automation.run();
SELECT conformance.yes('I20', 'the application''s', conformance.hits('I20') = ARRAY[:'ann'] AND EXISTS (SELECT FROM custom_object_record WHERE type = 'survey answer' AND source = 'integration'));
SELECT conformance.no('I20', 'one of ours', conformance.hits('I20', :bob) > 0);
DROP FUNCTION i20;
