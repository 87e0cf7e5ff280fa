-- What other applications are asked to do.

-- A111, a webhook: a new order makes an account at the help desk, and its number is kept; what fails is told
CREATE FUNCTION a111(o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  reply automation.delivery;
BEGIN
  SEND webhook('https://hooks.example.com/accounts', o, type => 'order.created') INTO reply TIMEOUT '1 day';
  IF FOUND THEN
    SELECT note_external(c, 'helpdesk', 'account', reply_json(reply) ->> 'id') FROM contact c WHERE c.id = o.contact_id;
  ELSE
    SELECT notify_team('Support', format('no help-desk account for order %s: %s', o.id, reply.error));
  END IF;
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO sales_order (contact_id, total) VALUES (:ann, 99) RETURNING id AS first \gset
INSERT INTO sales_order (contact_id, total) VALUES (:bob, 5) RETURNING id AS second \gset
CALL automation.run();
SELECT conformance.yes('A111', 'the order, to the address', (SELECT target = 'https://hooks.example.com/accounts' AND options ->> 'method' = 'POST' AND body::jsonb ->> 'type' = 'order.created'
    AND (body::jsonb #>> '{data,total}')::numeric = 99 AND body::jsonb #>> '{data,contact_id}' = :ann::text
FROM automation.deliveries WHERE workflow = 'a111' AND subject_key = :first::text));
SELECT automation.settle(id, 'sent', 201, '{"id": 4711}') FROM automation.deliveries WHERE workflow = 'a111' AND subject_key = :first::text;
SELECT automation.settle(id, 'dead', 503, error => 'the service is down') FROM automation.deliveries WHERE workflow = 'a111' AND subject_key = :second::text;
CALL automation.run();
SELECT conformance.yes('A111', 'the answer is used', (SELECT external_id(c, 'helpdesk', 'account') = '4711' FROM contact c WHERE id = :ann));
SELECT conformance.yes('A111', 'somebody hears of what did not work', EXISTS (SELECT FROM notification WHERE body LIKE 'no help-desk account for order ' || :second || ':%'));
SELECT conformance.no('A111', 'an account that was not made', (SELECT external_id(c, 'helpdesk', 'account') IS NOT NULL FROM contact c WHERE id = :bob));
DROP FUNCTION a111;

-- A112, the contact becomes one in Salesforce, once
CREATE FUNCTION a112(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
  ENROLL AGAIN;
DECLARE
  reply automation.delivery;
BEGIN
  SEND salesforce_contact(coalesce(c.last_name, c.name), c.first_name, c.email, c.phone)
    WHERE external_id(c, 'salesforce') IS NULL INTO reply TIMEOUT '1 day';
  SELECT note_external(c, 'salesforce', 'contact', reply_json(reply) ->> 'id');
END $$;
SELECT new_contact('Ann') AS ann \gset
UPDATE contact SET last_name = 'Ode', phone = '+33611223344' WHERE id = :ann;
UPDATE contact SET lifecycle = 'customer' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('A112', 'its fields', (SELECT target = 'https://example.my.salesforce.com/services/data/v60.0/sobjects/Contact' AND options ->> 'method' = 'POST'
    AND body::jsonb = '{"LastName": "Ode", "FirstName": "Ann", "Email": "ann@example.com", "Phone": "+33611223344"}'
FROM automation.deliveries WHERE workflow = 'a112'));
SELECT automation.settle(id, 'sent', 201, '{"id": "003A1", "success": true}') FROM automation.deliveries WHERE workflow = 'a112';
CALL automation.run();
SELECT conformance.yes('A112', 'its id is kept', (SELECT external_id(c, 'salesforce') = '003A1' FROM contact c WHERE id = :ann));
UPDATE contact SET lifecycle = 'lead' WHERE id = :ann;
UPDATE contact SET lifecycle = 'customer' WHERE id = :ann;
CALL automation.run();
SELECT conformance.no('A112', 'made a second time', (SELECT count(*) <> 1 FROM automation.deliveries WHERE workflow = 'a112'));
DROP FUNCTION a112;

-- A113, or a lead, which wants a company
CREATE FUNCTION a113(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lead_status TO 'qualified';
DECLARE
  reply automation.delivery;
BEGIN
  SEND salesforce_lead(c.name, coalesce(c.company_name, 'unknown'), email => c.email, fields => '{"LeadSource": "CRM"}') INTO reply TIMEOUT '1 day';
  SELECT note_external(c, 'salesforce', 'lead', reply_json(reply) ->> 'id');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET company_name = 'ACME', lead_status = 'qualified' WHERE id = :ann;
UPDATE contact SET lead_status = 'qualified' WHERE id = :bob;
CALL automation.run();
SELECT conformance.yes('A113', 'a lead', (SELECT target LIKE '%/sobjects/Lead' AND body::jsonb = '{"LastName": "Ann", "Company": "ACME", "Email": "ann@example.com", "LeadSource": "CRM"}'
FROM automation.deliveries WHERE workflow = 'a113' AND subject_key = :ann::text));
SELECT automation.settle(id, 'sent', 201, '{"id": "00QA1"}') FROM automation.deliveries WHERE workflow = 'a113' AND subject_key = :ann::text;
SELECT automation.settle(id, 'dead', 400, '[{"errorCode": "DUPLICATES_DETECTED"}]') FROM automation.deliveries WHERE workflow = 'a113' AND subject_key = :bob::text;
CALL automation.run();
SELECT conformance.yes('A113', 'its id is kept', (SELECT external_id(c, 'salesforce', 'lead') = '00QA1' FROM contact c WHERE id = :ann));
SELECT conformance.no('A113', 'that of a lead that was refused', (SELECT external_id(c, 'salesforce', 'lead') IS NOT NULL FROM contact c WHERE id = :bob));
SELECT conformance.no('A113', 'a lead counts as a contact there', (SELECT external_id(c, 'salesforce') IS NOT NULL FROM contact c WHERE id = :ann));
DROP FUNCTION a113;

-- A114, into a campaign of Salesforce: as a contact or a lead of it, whichever he is there
CREATE FUNCTION a114(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('webinar') FOR SELECT new.contact_id;
BEGIN
  SEND salesforce_campaign_member('701C1', contact => external_id(c, 'salesforce'), lead => external_id(c, 'salesforce', 'lead'))
    WHERE coalesce(external_id(c, 'salesforce'), external_id(c, 'salesforce', 'lead')) IS NOT NULL;
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dan') AS dan \gset
SELECT note_external(c, 'salesforce', 'contact', '003B') FROM contact c WHERE id = :ann;
SELECT note_external(c, 'salesforce', 'contact', '003D'), add_tag(c, 'blog') FROM contact c WHERE id = :dan;
SELECT note_external(c, 'salesforce', 'lead', '00QB') FROM contact c WHERE id = :bob;
SELECT add_tag(c, 'webinar') FROM contact c WHERE id IN (:ann, :bob, :cid);
CALL automation.run();
SELECT conformance.yes('A114', 'a contact', (SELECT target LIKE '%/sobjects/CampaignMember' AND body::jsonb = '{"CampaignId": "701C1", "ContactId": "003B"}'
FROM automation.deliveries WHERE workflow = 'a114' AND subject_key = :ann::text));
SELECT conformance.yes('A114', 'a lead', (SELECT body::jsonb = '{"CampaignId": "701C1", "LeadId": "00QB"}'
FROM automation.deliveries WHERE workflow = 'a114' AND subject_key = :bob::text));
SELECT conformance.no('A114', 'somebody Salesforce does not know, or with another tag', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a114' AND subject_key IN (:'cid', :'dan')));
DROP FUNCTION a114;

-- A115, actions of applications: a line of a sheet, a text message, a contact of Zendesk Sell; what is not connected says so
CREATE FUNCTION a115(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SEND google_sheet_append('customers', jsonb_build_array(c.name, c.email, c.score), spreadsheet => '1AbC', server => 'google_sheets');
  SEND sms(c.phone, 'Welcome, ' || c.first_name, class => 'transactional');
  SEND zendesk_contact(c.name, c.email, phone => c.phone);
END $$;
SET client_min_messages = error;   -- it warns that there is no such server
CREATE FUNCTION a115_not_connected(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SEND http_request('POST', '/boards', '{}', server => 'miro');
END $$;
RESET client_min_messages;
SELECT new_contact('Ann') AS ann \gset
UPDATE contact SET phone = '+33611223344', score = 7, lifecycle = 'customer' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('A115', 'Google Sheets', (SELECT body::jsonb = '{"values": [["Ann", "ann@example.com", 7]]}' AND target LIKE '%/1AbC/values/customers:append%'
FROM automation.deliveries WHERE workflow = 'a115' AND server = 'google_sheets'));
SELECT conformance.yes('A115', 'Twilio', (SELECT body LIKE 'To=%2B33611223344&Body=Welcome%2C%20Ann&From=%' FROM automation.deliveries WHERE workflow = 'a115' AND server = 'twilio'));
SELECT conformance.yes('A115', 'Zendesk Sell: made, or changed if he is there', (SELECT target LIKE '%/contacts/upsert?email=ann%40example.com'
    AND body::jsonb = '{"data": {"last_name": "Ann", "email": "ann@example.com", "phone": "+33611223344"}}'
FROM automation.deliveries WHERE workflow = 'a115' AND server = 'zendesk_sell'));
SELECT conformance.no('A115', 'sent to what is not connected', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a115_not_connected'));
SELECT conformance.yes('A115', 'the step says what is missing', EXISTS (SELECT FROM automation.enrollments WHERE workflow = 'a115_not_connected' AND error LIKE '%miro%'));
DROP FUNCTION a115, a115_not_connected;
