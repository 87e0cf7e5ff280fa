-- Messages to colleagues, and to services that they work with.

-- A24, somebody of the company is told by mail when the step is reached
CREATE FUNCTION a24(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission WHEN new.form_id = form('Demo') FOR SELECT new.contact_id;
BEGIN
  SEND internal_mail('sales@example.com', 'Demo wanted', c.name || ' wants a demo');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Demo'), :ann), (form('Webinar'), :bob);
CALL automation.run();
SELECT conformance.yes('A24', 'he has it', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a24' AND state = 'queued' AND class = 'internal'
                                                  AND address = 'sales@example.com' AND title = 'Demo wanted' AND body = 'Ann wants a demo'));
SELECT conformance.no('A24', 'about somebody else', (SELECT count(*) <> 1 FROM automation.deliveries WHERE workflow = 'a24'));
DROP FUNCTION a24;

-- A25 to A28, mails to a user, a team, an owner: text with values of the record
CREATE FUNCTION a25(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SEND internal_mail(app_user('Fatou Gaye'), 'Won', d.title || ' is won');
  SEND internal_mail(u, 'Won: ' || d.title, format('%s, %s is worth %s', u.name, d.title, round(d.value))) FROM members_of('Senior sales') u;
  SEND internal_mail(u, 'Yours is won', d.title) FROM owner_of(d) u;
  SEND internal_mail(app_user('Emil Faure'), 'Won', 'he has left');
END $$;
SELECT new_deal('Big') AS big, new_deal('Nobody''s') AS nobodys, new_deal('Of who has left') AS left \gset
UPDATE app_user SET is_active = false WHERE name = 'Emil Faure';
UPDATE deal SET owner_id = app_user('Emil Faure') WHERE id = :left;
UPDATE deal SET owner_id = NULL WHERE id = :nobodys;
UPDATE deal SET status = 'won' WHERE id IN (:big, :nobodys, :left);
CALL automation.run();
SELECT conformance.yes('A25', 'internal mails, of text', count(*) = 3 AND bool_and(class = 'internal' AND state = 'queued' AND NOT options ? 'html'))
FROM automation.deliveries WHERE workflow = 'a25' AND subject_key = :big::text;
SELECT conformance.no('A25', 'a mail that somebody could have unsubscribed from', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a25' AND class = 'marketing'));
SELECT conformance.yes('A26', 'the user', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a25' AND subject_key = :big::text AND address = 'fatou@example.com' AND body = 'Big is won'));
SELECT conformance.no('A26', 'another user, or one who is no longer active', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a25' AND title = 'Won' AND address <> 'fatou@example.com'));
SELECT conformance.yes('A27', 'the team''s active members', array_agg(address) = '{dora@example.com}' AND min(body) = 'Dora Engel, Big is worth 1000')
FROM automation.deliveries WHERE workflow = 'a25' AND subject_key = :big::text AND title = 'Won: Big';
SELECT conformance.no('A27', 'who is no longer active, or of another team', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a25' AND address IN ('emil@example.com', 'bruno@example.com')));
SELECT conformance.refused('A27', 'a team that is not there', $$ SELECT internal_mail(u, 'Won', 'x') FROM members_of('Marketing') u $$, 'there is no team "Marketing"');
SELECT conformance.yes('A28', 'the owner', array_agg(address) = '{ada@example.com}') FROM automation.deliveries WHERE workflow = 'a25' AND title = 'Yours is won';
SELECT conformance.no('A28', 'anybody, of a deal without owner, or whose owner has left', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a25' AND subject_key IN (:'nobodys', :'left') AND title = 'Yours is won'));
UPDATE app_user SET is_active = true WHERE name = 'Emil Faure';
DROP FUNCTION a25;

-- A29, what can be spoken of is the record that the workflow is about
CREATE FUNCTION a29(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SEND internal_mail(u, 'New customer: ' || c.name, format('%s, %s', c.city, c.phone)) FROM owner_of(c) u;
END $$;
SELECT new_contact('Ann', owner => 1) AS ann \gset
UPDATE contact SET city = 'Lyon', phone = '+33611223344', lifecycle = 'customer' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('A29', 'values of the contact', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a29' AND title = 'New customer: Ann' AND body = 'Lyon, +33611223344'));
SELECT conformance.refused('A29', 'a deal, where there is none', $sql$
    CREATE FUNCTION a29_deal(c contact) RETURNS bigint LANGUAGE workflow AS $$
      AFTER UPDATE OF lifecycle TO 'customer';
    BEGIN
      SEND internal_mail(u, 'New customer', d.title) FROM owner_of(c) u;
    END $$ $sql$, '%"d"%');
SELECT conformance.refused('A29', 'a field that contacts do not have', $sql$
    CREATE FUNCTION a29_field(c contact) RETURNS bigint LANGUAGE workflow AS $$
      AFTER UPDATE OF lifecycle TO 'customer';
    BEGIN
      SEND internal_mail(u, 'New customer', c.expected_close_date::text) FROM owner_of(c) u;
    END $$ $sql$, 'column contact.expected_close_date does not exist');
DROP FUNCTION a29;

-- A30, an automated mail to other addresses: those that are given, or that a property of the contact holds
CREATE FUNCTION a30(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SEND m FROM internal_copy('thank you', c, 'desk@example.com, back office@example.com') m;
  SEND m FROM internal_copy('thank you', c, c.custom ->> 'account manager') m;
  SEND m FROM internal_copy('welcome', c, c.custom ->> 'account manager') m;
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET custom = '{"account manager": "manager@partner.example"}' WHERE id = :ann;
UPDATE contact SET lifecycle = 'customer' WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('A30', 'the mail as it is, to the address given and to that of the property',
    array_agg(address ORDER BY id) = '{desk@example.com,manager@partner.example,manager@partner.example}'
    AND bool_and(class = 'internal' AND body LIKE CASE family WHEN 'thank you' THEN 'Thank you, Ann.%' ELSE 'Dear Ann, welcome.%' END))
FROM automation.deliveries WHERE workflow = 'a30' AND subject_key = :ann::text AND state = 'queued';
SELECT conformance.yes('A30', 'what is no address is passed over, and one sees it',
    EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a30' AND subject_key = :ann::text AND state = 'skipped' AND reason = 'invalid_address'));
SELECT conformance.no('A30', 'to the contact, or for a property without an address',
    EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a30' AND (address IN ('ann@example.com', 'bob@example.com') OR state <> 'skipped' AND subject_key = :bob::text AND address <> 'desk@example.com')));
DROP FUNCTION a30;

-- A31, a text message to a colleague about the record; what became of it decides how it goes on. A32, to a user; A33, to a number
CREATE FUNCTION a31(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
DECLARE
  answer automation.delivery;
BEGIN
  SEND internal_sms('+33140000000', c.name || ' has bought');
  SEND internal_sms(u, c.name || ' is a customer') FROM owner_of(c) u INTO answer TIMEOUT '72 hours';
  IF FOUND THEN
    SELECT conformance.hit('A31', c.id, 'told');
  ELSE
    SELECT conformance.hit('A31', c.id, answer.error);
  END IF;
END $$;
SELECT new_contact('Ann', owner => 1) AS ann, new_contact('Bob', owner => 2) AS bob, new_contact('Cid') AS cid \gset
UPDATE contact SET lifecycle = 'customer' WHERE id IN (:ann, :bob, :cid);
CALL automation.run();
SELECT conformance.no('A31', 'it goes on before one knows', conformance.hits('A31', :ann) + conformance.hits('A31', :bob) > 0);
SELECT automation.settle(id, 'sent', 201, '{"sid": "SM1"}') FROM automation.deliveries WHERE workflow = 'a31' AND subject_key = :ann::text;
SELECT automation.settle(id, 'dead', 400, error => 'not a mobile number') FROM automation.deliveries WHERE workflow = 'a31' AND subject_key = :bob::text;
CALL automation.run();
SELECT conformance.yes('A31', 'sent, and failed', array_agg(what ORDER BY key::int) FILTER (WHERE key IN (:'ann', :'bob')) = '{told,"not a mobile number"}') FROM conformance.hit WHERE id = 'A31';
SELECT conformance.yes('A32', 'the owner''s number',
    (SELECT array_agg(address ORDER BY address) = '{3310000001,3310000002}' FROM automation.deliveries WHERE workflow = 'a31' AND body LIKE '%is%20a%20customer%'));
SELECT conformance.no('A32', 'of a contact without owner', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a31' AND subject_key = :cid::text AND body LIKE '%is%20a%20customer%'));
SELECT conformance.yes('A33', 'the number that is given', count(*) = 3) FROM automation.deliveries WHERE workflow = 'a31' AND address = '33140000000';
SELECT conformance.no('A33', 'as marketing, which the number could refuse', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a31' AND class <> 'internal'));
DROP FUNCTION a31;

-- A34, a notification inside the application, and a push: to a user, to a team
CREATE FUNCTION a34(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score WHEN new.score > 50 AND old.score <= 50;
BEGIN
  SELECT notify(c.owner_id, c.name || ' is hot', push => true, contact_id => c.id);
  SELECT notify_team('Managers', c.name || ' is hot');
  SELECT notify(c.owner_id, 'Look at ' || c.name);
END $$;
SELECT new_contact('Ann', owner => 2) AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET score = 60 WHERE id = :ann;
UPDATE contact SET score = 40 WHERE id = :bob;
CALL automation.run();
SELECT conformance.yes('A34', 'in the centre and on the telephone', array_agg(channel ORDER BY channel) = '{center,push}')
FROM notification WHERE user_id = 2 AND body = 'Ann is hot' AND contact_id = :ann AND read_at IS NULL;
SELECT conformance.yes('A34', 'the team', EXISTS (SELECT FROM notification WHERE team_id = team('Managers') AND channel = 'center' AND body = 'Ann is hot'));
SELECT conformance.no('A34', 'a push that is not asked for', (SELECT array_agg(channel) <> '{center}' FROM notification WHERE body = 'Look at Ann'));
SELECT conformance.no('A34', 'others, or about others', EXISTS (SELECT FROM notification WHERE body LIKE 'Bob%' OR user_id <> 2 OR team_id <> team('Managers')));
DROP FUNCTION a34;

-- A35, the same by mail as an automation of a stage
CREATE FUNCTION a35(t ticket) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status_id WHEN new.status_id = stage('Help', 'Waiting on us');
  ENROLL AGAIN;
BEGIN
  SEND internal_mail(u, 'Waits for us: ' || t.subject, 'Ticket ' || t.id) FROM members_of('Support') u;
END $$;
INSERT INTO ticket (subject, pipeline_id) VALUES ('Login', pipeline('Help')) RETURNING id AS login \gset
CALL automation.run();
SELECT conformance.no('A35', 'at another status', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a35'));
UPDATE ticket SET status_id = stage('Help', 'Waiting on us') WHERE id = :login;
CALL automation.run();
SELECT conformance.yes('A35', 'the mail', array_agg(address) = '{greta@example.com}' AND min(title) = 'Waits for us: Login') FROM automation.deliveries WHERE workflow = 'a35';
DROP FUNCTION a35;

-- A36, a message to Slack
CREATE FUNCTION a36(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SEND slack('#sales', format('*%s* is won: %s %s', d.title, round(d.value), d.currency));
END $$;
SELECT new_deal('Big') AS big, new_deal('Lost') AS lost \gset
UPDATE deal SET status = 'won' WHERE id = :big;
UPDATE deal SET status = 'lost' WHERE id = :lost;
CALL automation.run();
SELECT conformance.yes('A36', 'to the channel', (SELECT target = 'https://slack.com/api/chat.postMessage' AND body::jsonb = '{"channel": "#sales", "text": "*Big* is won: 1000 EUR"}'
FROM automation.deliveries WHERE workflow = 'a36'));
SELECT conformance.no('A36', 'about another deal', (SELECT count(*) <> 1 FROM automation.deliveries WHERE workflow = 'a36'));
DROP FUNCTION a36;

-- A37, a channel for a deal or a company. A38, its name has values in it, and something for those that are missing. A39, who may see it
INSERT INTO app_connection (app, installed_by) VALUES ('slack', 1);
CREATE FUNCTION a37(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id WHEN new.stage_id = stage('Sales', 'In discussion');
DECLARE
  reply automation.delivery;
BEGIN
  SEND open_slack_channel(d, slack_channel_name(format('deal-%s-%s', d.title, coalesce(nullif(primary_name, ''), 'nobody'))), private => d.value > 50000)
    FROM (SELECT (SELECT c.name FROM people_of(d, 1) c) AS primary_name) x INTO reply TIMEOUT '1 day';
  UPDATE deal SET custom = custom || jsonb_build_object('slack channel', reply_json(reply) #>> '{channel,id}')
    WHERE id = d.id AND reply_json(reply) ->> 'ok' = 'true';
END $$;
CREATE FUNCTION a37_company(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF customer_status TO 'customer';
BEGIN
  SEND open_slack_channel(a, slack_channel_name('customer-' || a.name));
END $$;
SELECT new_contact('Ann Ode', 'ann@example.com') AS ann \gset
SELECT new_deal('Big', 'Sales', 'New', :ann) AS big, new_deal('Huge') AS huge, new_deal('Nobody''s') AS nobodys \gset
UPDATE deal SET value = 60000 WHERE id = :huge;
UPDATE deal SET owner_id = NULL WHERE id = :nobodys;
INSERT INTO account (name, owner_id) VALUES ('ACME Ltd.', 3);
UPDATE deal SET stage_id = stage('Sales', 'In discussion') WHERE id IN (:big, :huge, :nobodys);
UPDATE account SET customer_status = 'customer';
CALL automation.run();
SELECT conformance.yes('A37', 'a channel for the deal', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a37' AND subject_key = :big::text AND target = 'https://slack.com/api/conversations.create'));
SELECT conformance.yes('A37', 'and for the company', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a37_company' AND body::jsonb ->> 'name' = 'customer-acme-ltd'));
SELECT conformance.no('A37', 'for a deal that nobody owns', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a37' AND subject_key = :nobodys::text));
SELECT conformance.refused('A37', 'for a contact', $sql$
    CREATE FUNCTION a37_contact(c contact) RETURNS bigint LANGUAGE workflow AS $$
      AFTER UPDATE OF lifecycle TO 'customer';
    BEGIN
      SEND open_slack_channel(c, 'customer');
    END $$ $sql$, 'function open_slack_channel(contact, unknown) does not exist');
SELECT conformance.yes('A38', 'the contact''s name', (SELECT body::jsonb ->> 'name' = 'deal-big-ann-ode' FROM automation.deliveries WHERE workflow = 'a37' AND subject_key = :big::text));
SELECT conformance.yes('A38', 'the default, where there is none', (SELECT body::jsonb ->> 'name' = 'deal-huge-nobody' FROM automation.deliveries WHERE workflow = 'a37' AND subject_key = :huge::text));
SELECT conformance.no('A38', 'a name with a gap', EXISTS (SELECT FROM automation.deliveries WHERE workflow LIKE 'a37%' AND body::jsonb ->> 'name' LIKE '%-'));
SELECT conformance.yes('A39', 'a private one', (SELECT body::jsonb -> 'is_private' = 'true' FROM automation.deliveries WHERE workflow = 'a37' AND subject_key = :huge::text));
SELECT conformance.no('A39', 'unless it is said', (SELECT body::jsonb -> 'is_private' <> 'false' FROM automation.deliveries WHERE workflow = 'a37' AND subject_key = :big::text));
SELECT automation.settle(id, 'sent', 200, '{"ok": true, "channel": {"id": "C042"}}') FROM automation.deliveries WHERE workflow = 'a37' AND subject_key = :big::text;
SELECT automation.settle(id, 'sent', 200, '{"ok": false, "error": "name_taken"}') FROM automation.deliveries WHERE workflow = 'a37' AND subject_key = :huge::text;
CALL automation.run();
SELECT conformance.yes('A37', 'the deal knows its channel', (SELECT custom ->> 'slack channel' = 'C042' FROM deal WHERE id = :big));
SELECT conformance.no('A37', 'one that Slack has refused', (SELECT custom ? 'slack channel' FROM deal WHERE id = :huge));
DROP FUNCTION a37, a37_company;
