-- Steps that give records an owner, make records, and reach other services.

-- A88, whoever enters is given to the users of a team in turn
-- A89, of the team those whose main team it is
-- A91, who has an owner keeps him, unless another one is wanted
CREATE FUNCTION a88(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT rotate_owner(c, 'Sales');
END $$;
INSERT INTO team_member (team_id, user_id, is_main) VALUES (1, 7, false);
INSERT INTO contact (first_name, owner_id) SELECT 'lead ' || n, CASE WHEN n = 10 THEN 6 END FROM generate_series(1, 10) n;
CALL automation.run();
SELECT conformance.yes('A88', 'nine leads among three', (SELECT array_agg(owner_id || ':' || n ORDER BY owner_id) = '{1:3,2:3,3:3}'
                       FROM (SELECT owner_id, count(*) n FROM contact WHERE owner_id <> 6 GROUP BY 1) o));
UPDATE app_user SET is_paid = false WHERE id = 2;
INSERT INTO contact (first_name) SELECT 'late ' || n FROM generate_series(1, 4) n;
CALL automation.run();
SELECT conformance.no('A88', 'who has no paid seat', EXISTS (SELECT FROM contact WHERE first_name LIKE 'late%' AND (owner_id = 2 OR owner_id IS NULL)));
SELECT conformance.yes('A89', 'its main members', (SELECT array_agg(DISTINCT owner_id) = '{1,2,3}' FROM contact WHERE first_name LIKE 'lead%' AND first_name <> 'lead 10'));
SELECT conformance.no('A89', 'another member', EXISTS (SELECT FROM contact WHERE owner_id = 7));
SELECT conformance.refused('A89', 'a team that is not there', $q$ SELECT rotate_owner(c, 'Sails', 'reassign') FROM contact c LIMIT 1 $q$, 'there is no team "Sails"');
SELECT conformance.no('A91', 'an owner that is there', (SELECT owner_id <> 6 FROM contact WHERE first_name = 'lead 10'));
SELECT rotate_owner(c, 'Sales', if_owned => 'reassign') FROM contact c WHERE first_name = 'lead 10' \g /dev/null
SELECT conformance.yes('A91', 'another one in his place', (SELECT owner_id IN (1, 3) FROM contact WHERE first_name = 'lead 10'));
DROP FUNCTION a88;
UPDATE app_user SET is_paid = true WHERE id = 2;

-- A90, among users who are named; or whom a query finds
CREATE FUNCTION a90(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.owner_id IS NULL;
BEGIN
  IF d.currency = 'USD' THEN
    SELECT rotate_owner(d, ARRAY[app_user('Dora Engel'), app_user('Emil Faure')]);
  ELSE
    SELECT rotate_owner(d, ARRAY(SELECT u.id FROM app_user u WHERE u.time_zone = 'Europe/Paris'), pool => 'Paris');
  END IF;
END $$;
UPDATE app_user SET time_zone = 'Europe/Paris' WHERE id IN (3, 7);
INSERT INTO deal (title, currency) SELECT 'deal ' || n, CASE WHEN n <= 6 THEN 'USD' ELSE 'EUR' END FROM generate_series(1, 10) n;
CALL automation.run();
SELECT conformance.yes('A90', 'even among those named', (SELECT array_agg(owner_id || ':' || n ORDER BY owner_id) = '{4:3,5:3}'
                       FROM (SELECT owner_id, count(*) n FROM deal WHERE currency = 'USD' GROUP BY 1) o));
SELECT conformance.yes('A90', 'even among those found', (SELECT array_agg(owner_id || ':' || n ORDER BY owner_id) = '{3:2,7:2}'
                       FROM (SELECT owner_id, count(*) n FROM deal WHERE currency = 'EUR' GROUP BY 1) o));
SELECT conformance.no('A90', 'anybody else', EXISTS (SELECT FROM deal WHERE owner_id IN (1, 2, 6) OR owner_id IS NULL));
DROP FUNCTION a90;

-- A92, a deal for the contact, linked as it is asked for; A93, a ticket; A94, a task
CREATE FUNCTION a92(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'opportunity';
  ENROLL AGAIN;
DECLARE
  deal_id bigint;
BEGIN
  SELECT create_deal(c, 'Deal of ' || c.name, 'Enterprise', 'Qualified', value => 900, currency => 'USD') INTO deal_id;
  SELECT create_deal(c, 'Only his', 'Sales', link => '{contact}');
  SELECT create_ticket(c, 'Set up ' || c.name, 'Help', priority => 'high');
  SELECT create_activity(c, 'task', 'Welcome ' || c.name, now() + interval '1 day', 'account owner');
  SELECT add_note(d, 'made for ' || c.name) FROM deal d WHERE d.id = deal_id;
END $$;
SELECT new_contact('Ann', owner => 2) AS ann, new_contact('Bob') AS bob \gset
SELECT add_contact_to_account(c, 'Acme') AS acme FROM contact c WHERE id = :ann \gset
UPDATE account SET owner_id = 6 WHERE id = :acme;
UPDATE contact SET lifecycle = CASE id WHEN :ann THEN 'opportunity' ELSE 'lead' END WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('A92', 'the deal, of the contact and his account',
    (SELECT (d.stage_id, d.owner_id, d.value, d.currency, d.account_id, dc.is_primary) = (stage('Enterprise', 'Qualified'), 2::bigint, 900::numeric, 'USD', :acme::bigint, true)
     FROM deal d JOIN deal_contact dc ON dc.deal_id = d.id WHERE d.title = 'Deal of Ann' AND dc.contact_id = :ann)
    AND EXISTS (SELECT FROM note n JOIN deal d ON d.id = n.deal_id WHERE d.title = 'Deal of Ann'));
SELECT conformance.no('A92', 'a link that is not asked for', (SELECT account_id IS NOT NULL FROM deal WHERE title = 'Only his'));
SELECT conformance.no('A92', 'somebody else', EXISTS (SELECT FROM deal_contact WHERE contact_id = :bob));
SELECT conformance.yes('A93', 'the ticket, of the contact and his account',
    (SELECT (t.status_id, t.priority, t.owner_id, t.account_id) = (stage('Help', 'New'), 'high', 2::bigint, :acme::bigint)
     FROM ticket t JOIN ticket_contact tc ON tc.ticket_id = t.id WHERE tc.contact_id = :ann AND t.subject = 'Set up Ann'));
SELECT conformance.refused('A93', 'a pipeline that is not of tickets', format($q$ SELECT create_ticket(c, 'x', 'Sales') FROM contact c WHERE id = %s $q$, :ann),
                           'there is no pipeline "Sales" of tickets');
SELECT conformance.yes('A94', 'the task, of the contact and his account',
    (SELECT (type, assignee_id, contact_id, account_id) = ('task', 6::bigint, :ann::bigint, :acme::bigint) AND due_at > automation.now() AND reminder_at < due_at
     FROM activity WHERE title = 'Welcome Ann'));
SELECT conformance.refused('A94', 'a link that there is not', format($q$ SELECT create_activity(c, 'task', 'x', link => '{contacts}') FROM contact c WHERE id = %s $q$, :ann),
                           'nothing can be linked to "contacts"');
DROP FUNCTION a92;

-- A94, of a project that enters a stage; A110, several actions of a stage
CREATE FUNCTION a110(p project) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF stage_id;
  ENROLL REPLACE;
BEGIN
  IF p.stage_id = stage('Projects', 'Delivery') THEN
    SEND internal_mail(p.owner_id, p.name || ' is being delivered', 'It entered the stage just now.');
    SELECT add_task(p, 'Prepare the review of ' || p.name, now() + interval '7 days');
    SELECT add_task(p, 'Ask the customer', assignee => 'deal owner', type => 'call');
  END IF;
END $$;
SELECT new_deal('Rollout', 'Sales', 'Contract', :ann) AS rollout \gset
SELECT create_project(d, 'Rollout', 'Projects', owner => 3) AS project FROM deal d WHERE id = :rollout \gset
CALL automation.run();
SELECT conformance.no('A110', 'in another stage', EXISTS (SELECT FROM activity WHERE project_id = :project) OR EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a110'));
SELECT move_to_stage(p, 'Delivery') FROM project p WHERE id = :project;
CALL automation.run();
SELECT conformance.yes('A94', 'of a project in its stage', (SELECT assignee_id = 3 AND type = 'task' FROM activity WHERE project_id = :project AND title LIKE 'Prepare%'));
SELECT conformance.yes('A110', 'a mail to a colleague and two tasks',
    (SELECT count(*) = 1 AND min(target) = 'chiara@example.com' AND min(title) = 'Rollout is being delivered' FROM automation.deliveries WHERE workflow = 'a110')
    AND (SELECT array_agg(assignee_id ORDER BY assignee_id) = '{1,3}' FROM activity WHERE project_id = :project));
DROP FUNCTION a110;

-- A104, a task in Salesforce: of the contact's owner, or of who connected it
CREATE FUNCTION a104(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SEND salesforce_task('Call ' || c.name, who => external_id(c, 'salesforce'), owner => external_owner(c, 'salesforce'), priority => 'High')
    WHERE external_id(c, 'salesforce') IS NOT NULL;
END $$;
SELECT new_contact('Cid', owner => 2) AS cid, new_contact('Dot', owner => 3) AS dot, new_contact('Eve') AS eve \gset
INSERT INTO app_connection (app, installed_by) VALUES ('salesforce', 6), ('asana', 6);
SELECT note_external(u, 'salesforce', 'user', '005' || u.id) FROM app_user u WHERE u.id IN (2, 6) \g /dev/null
SELECT note_external(c, 'salesforce', 'contact', '003' || c.name) FROM contact c WHERE c.id IN (:cid, :dot) \g /dev/null
UPDATE contact SET lifecycle = 'customer' WHERE id IN (:cid, :dot, :eve);
CALL automation.run();
SELECT conformance.yes('A104', 'the contact''s owner', (SELECT target LIKE '%/sobjects/Task' AND body::jsonb = '{"Subject": "Call Cid", "WhoId": "003Cid", "OwnerId": "0052", "Priority": "High"}'
                        FROM automation.deliveries WHERE workflow = 'a104' AND subject_key = :cid::text));
SELECT conformance.yes('A104', 'who connected it', (SELECT body::jsonb ->> 'OwnerId' = '0056' FROM automation.deliveries WHERE workflow = 'a104' AND subject_key = :dot::text));
SELECT conformance.no('A104', 'whom Salesforce does not know', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a104' AND subject_key = :eve::text));
DROP FUNCTION a104;

-- A105, onto a campaign in Salesforce, once; a second membership would be refused
CREATE FUNCTION a105(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('webinar') FOR SELECT new.contact_id;
  ENROLL ONCE;
BEGIN
  SEND salesforce_campaign_member('701C', contact => external_id(c, 'salesforce'), status => 'Responded') WHERE external_id(c, 'salesforce') IS NOT NULL;
END $$;
SELECT add_tag(c, 'webinar') FROM contact c WHERE id IN (:cid, :eve);
SELECT add_tag(c, 'blog') FROM contact c WHERE id = :dot;
CALL automation.run();
SELECT remove_tag(c, 'webinar'), add_tag(c, 'webinar') FROM contact c WHERE id = :cid;
CALL automation.run();
SELECT conformance.yes('A105', 'its member', (SELECT count(*) = 1 AND min(target) LIKE '%/sobjects/CampaignMember'
                       AND bool_and(body::jsonb = '{"CampaignId": "701C", "ContactId": "003Cid", "Status": "Responded"}') FROM automation.deliveries WHERE workflow = 'a105'));
SELECT conformance.no('A105', 'whom Salesforce does not know, or another tag', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a105' AND subject_key IN (:'eve', :'dot')));
DROP FUNCTION a105;

-- A106, a task in Asana, while it is connected; its number is kept
CREATE FUNCTION a106(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
DECLARE
  reply automation.delivery;
BEGIN
  SEND asana_task('Onboard ' || d.title, project => '1204', assignee => u.email, due => current_date + 7)
    FROM app_user u WHERE u.id = d.owner_id AND is_connected('asana') INTO reply TIMEOUT '1 day';
  IF FOUND THEN
    SELECT note_external(d, 'asana', 'task', reply_json(reply) #>> '{data,gid}');
  END IF;
END $$;
SELECT new_deal('Big', 'Sales', 'Contract', :cid) AS big, new_deal('Late', 'Sales', 'Contract', :cid) AS late \gset
SELECT set_status(d, 'won') FROM deal d WHERE id = :big;
CALL automation.run();
SELECT conformance.yes('A106', 'the task', (SELECT target = 'https://app.asana.com/api/1.0/tasks' AND body::jsonb #>> '{data,name}' = 'Onboard Big'
                        AND body::jsonb #>> '{data,assignee}' = 'ada@example.com' AND body::jsonb #> '{data,projects}' = '["1204"]' FROM automation.deliveries WHERE workflow = 'a106'));
SELECT automation.settle(id, 'sent', 201, '{"data": {"gid": "998"}}') FROM automation.deliveries WHERE workflow = 'a106';
CALL automation.run();
SELECT conformance.yes('A106', 'its number', (SELECT external_id(d, 'asana', 'task') = '998' FROM deal d WHERE id = :big));
UPDATE app_connection SET status = 'disconnected' WHERE app = 'asana';
SELECT set_status(d, 'won') FROM deal d WHERE id = :late;
CALL automation.run();
SELECT conformance.no('A106', 'not connected', (SELECT count(*) <> 1 FROM automation.deliveries WHERE workflow = 'a106'));
DROP FUNCTION a106;

-- A107, a webhook with what is known of the company; what the other side refuses is not tried for ever
CREATE FUNCTION a107(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF customer_status TO 'customer';
DECLARE
  reply automation.delivery;
BEGIN
  SEND webhook('https://hooks.example.com/companies', a) INTO reply TIMEOUT '2 days';
  IF NOT FOUND THEN
    SELECT add_note(a, 'not known there: ' || reply.error);
  END IF;
END $$;
SELECT add_contact_to_account(c, 'Globe') AS globe FROM contact c WHERE id = :bob \gset
UPDATE account SET customer_status = 'customer' WHERE id IN (:acme, :globe);
CALL automation.run();
SELECT conformance.yes('A107', 'the company as JSON', (SELECT target = 'https://hooks.example.com/companies' AND (body::jsonb #>> '{data,name}', body::jsonb #>> '{data,customer_status}') = ('Acme', 'customer')
                        FROM automation.deliveries WHERE workflow = 'a107' AND subject_key = :acme::text));
SELECT automation.settle(id, CASE subject_key WHEN :acme::text THEN 'sent' ELSE 'dead' END, CASE subject_key WHEN :acme::text THEN 200 ELSE 400 END,
                         error => CASE subject_key WHEN :acme::text THEN NULL ELSE 'no such field' END) FROM automation.deliveries WHERE workflow = 'a107';
CALL automation.run();
SELECT conformance.yes('A107', 'refused: the flow goes on', EXISTS (SELECT FROM note WHERE account_id = :globe AND body = 'not known there: no such field'));
SELECT conformance.no('A107', 'delivered', EXISTS (SELECT FROM note WHERE account_id = :acme));
DROP FUNCTION a107;

-- A108, the status of a ticket follows what is mailed about it, by the settings of its pipeline, or by a step
INSERT INTO ticket_pipeline_setting (pipeline_id, on_sent_enabled, on_sent_status_id) VALUES (pipeline('Help'), true, stage('Help', 'Waiting on contact'));
SELECT create_ticket(c, 'It does not work', 'Help') AS ticket, create_ticket(c, 'Nor does this', 'Help') AS second FROM contact c WHERE id = :cid \gset
INSERT INTO email_message (class, direction, sent_from, contact_id, ticket_id) VALUES ('personal', 'out', 'ticket', :cid, :ticket);
SELECT conformance.yes('A108', 'we wrote: waiting on the contact', (SELECT status_id = stage('Help', 'Waiting on contact') FROM ticket WHERE id = :ticket)
                       AND EXISTS (SELECT FROM stage_history WHERE ticket_id = :ticket AND to_stage_id = stage('Help', 'Waiting on contact')));
UPDATE ticket_pipeline_setting SET on_sent_enabled = false;
INSERT INTO email_message (class, direction, sent_from, contact_id, ticket_id) VALUES ('personal', 'out', 'ticket', :cid, :second);
SELECT conformance.no('A108', 'switched off', (SELECT status_id <> stage('Help', 'New') FROM ticket WHERE id = :second));
UPDATE ticket_pipeline_setting SET on_reply_enabled = true, on_reply_status_id = stage('Help', 'Waiting on us');
INSERT INTO conversation_thread (ticket_id, is_creating_thread, channel) VALUES (:ticket, true, 'email') RETURNING id AS thread \gset
INSERT INTO email_message (class, direction, contact_id, thread_id) VALUES ('personal', 'in', :cid, :thread) RETURNING id AS asked \gset
INSERT INTO email_message (class, direction, contact_id, thread_id, in_reply_to) VALUES ('personal', 'in', :cid, :thread, :asked);
SELECT conformance.yes('A108', 'the contact answered: waiting on us', (SELECT status_id = stage('Help', 'Waiting on us') FROM ticket WHERE id = :ticket));
SELECT set_ticket_status(t, 'Closed') FROM ticket t WHERE id = :second;
SELECT conformance.yes('A108', 'by a step', (SELECT status_id = stage('Help', 'Closed') AND closed_at IS NOT NULL FROM ticket WHERE id = :second));
SELECT conformance.refused('A108', 'a status that is not there', format($q$ SELECT set_ticket_status(t, 'Done') FROM ticket t WHERE id = %s $q$, :second), 'pipeline "Help" has no stage "Done"');

-- A109, a workflow of tickets has all that others have: waits, branches, messages, CRM steps, data steps
CREATE FUNCTION a109(t ticket) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status_id WHEN new.status_id = stage('Help', 'Waiting on contact');
  ENROLL AGAIN;
  EXIT WHEN t.closed_at IS NOT NULL;
BEGIN
  WAIT UNTIL t.status_id <> stage('Help', 'Waiting on contact') TIMEOUT '3 days';
  IF FOUND THEN
    EXIT;
  END IF;
  SEND email('thank you', p) FROM people_of(t) p;
  SELECT add_task(t, 'Call about ' || t.subject);
  SELECT set_property(t, 'custom.reminded', 'yes');
  WAIT FOR '7 days';
  SELECT set_ticket_status(t, 'Closed');
END $$;
SELECT create_ticket(c, 'Silent', 'Help', 'Waiting on contact') AS silent, create_ticket(c, 'Answered', 'Help', 'Waiting on contact') AS answered,
       create_ticket(c, 'Not begun', 'Help') AS fresh FROM contact c WHERE id = :dot \gset
CALL automation.run();
CALL automation.advance('1 day');
SELECT set_ticket_status(t, 'Waiting on us') FROM ticket t WHERE id = :answered;
CALL automation.advance('2 days');
SELECT conformance.yes('A109', 'a message, a task, a field', (SELECT count(*) = 1 AND min(target) = 'dot@example.com' FROM automation.deliveries WHERE workflow = 'a109')
                       AND EXISTS (SELECT FROM activity WHERE ticket_id = :silent AND assignee_id = 3) AND (SELECT custom->>'reminded' = 'yes' FROM ticket WHERE id = :silent));
CALL automation.advance('7 days');
SELECT conformance.yes('A109', 'closed after a wait', (SELECT status_id = stage('Help', 'Closed') FROM ticket WHERE id = :silent));
SELECT conformance.no('A109', 'one in another status', EXISTS (SELECT FROM automation.journal WHERE workflow = 'a109' AND subject = 'ticket ' || :fresh)
                      OR EXISTS (SELECT FROM activity WHERE ticket_id = :fresh));
SELECT conformance.no('A109', 'one that was answered', EXISTS (SELECT FROM activity WHERE ticket_id = :answered)
                      OR (SELECT status_id <> stage('Help', 'Waiting on us') FROM ticket WHERE id = :answered));
DROP FUNCTION a109;
