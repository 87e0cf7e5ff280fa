-- Making and changing workflows, who may, what they are made of, what their history shows.

-- Somebody who may see the tables, and use what the cases grant him.
GRANT USAGE ON SCHEMA crm, conformance, try TO stranger;
GRANT CREATE ON SCHEMA try TO stranger;
GRANT INSERT ON conformance.seen TO stranger;
GRANT SELECT ON ALL TABLES IN SCHEMA crm TO stranger;

-- S80, switched off while it is edited, and on again: contacts enter again, and those inside go on
CREATE FUNCTION s80(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT conformance.hit('S80', c.id, 'first');
  <<days>>
  WAIT FOR '2 days';
  SELECT conformance.hit('S80', c.id, 'second');
END $$;
SELECT new_contact('Ann') AS ann \gset
CALL automation.run();
SELECT automation.pause('s80', hold => true);
CREATE OR REPLACE FUNCTION s80(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT conformance.hit('S80', c.id, 'first');
  <<days>>
  WAIT FOR '2 days';
  SELECT conformance.hit('S80', c.id, 'second');
  SELECT conformance.hit('S80', c.id, 'added');
END $$;
SELECT new_contact('Bob') AS bob \gset
CALL automation.advance('3 days');
SELECT conformance.no('S80', 'while it is off somebody enters', conformance.hits('S80', :bob) > 0);
SELECT conformance.no('S80', 'or goes on', conformance.hits('S80', :ann) > 1);
SELECT count(*) FROM automation.migrate('s80') \gset
CALL automation.run();
SELECT automation.resume('s80');
SELECT new_contact('Cleo') AS cleo \gset
CALL automation.advance('3 days');
SELECT conformance.yes('S80', 'on again: who is inside goes on, by the new version', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'S80' AND key = :'ann') = '{first,second,added}');
SELECT conformance.yes('S80', 'and contacts enter', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'S80' AND key = :'cleo') = '{first,second,added}');
DROP FUNCTION s80;

-- S81, two small automations in place of a big one: the tag at the end of the first starts the second, and each is changed for itself
CREATE FUNCTION s81_greet(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT conformance.hit('S81', c.id, 'greeted');
  SELECT add_tag(c, 'greeted');
END $$;
CREATE FUNCTION s81_offer(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('greeted') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('S81', c.id, 'offer');
END $$;
SELECT new_contact('Ann') AS ann \gset
CALL automation.run();
SELECT conformance.yes('S81', 'one hands over to the other', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'S81' AND key = :'ann') = '{greeted,offer}');
SELECT automation.pause('s81_offer');
SELECT new_contact('Bob') AS bob \gset
CALL automation.run();
SELECT conformance.yes('S81', 'the second is off, the first goes on', (SELECT array_agg(what) FROM conformance.hit WHERE id = 'S81' AND key = :'bob') = '{greeted}');
SELECT conformance.no('S81', 'the second by itself', (SELECT count(*) FROM automation.journal WHERE workflow = 's81_offer' AND event = 'entered') > 1);
DROP FUNCTION s81_greet, s81_offer;

-- S82
SELECT conformance.not_applicable('S82', 'The number of actions that a price includes; here there is no such number.');

-- S83, S96, what somebody is offered: workflows for those who may use the language.  Without it the boxes of a pipeline are there for who
-- may write them
CREATE FUNCTION s83(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  SELECT conformance.hit('S83', c.id);
END $$;
GRANT TRIGGER, UPDATE ON contact TO stranger;
GRANT SELECT, INSERT, UPDATE ON ticket_pipeline_setting TO stranger;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA try TO stranger;
GRANT INSERT ON conformance.hit TO stranger;
\connect - stranger
SET search_path = try, crm;
SELECT conformance.refused('S83', 'a workflow of a role that may not use the language', $sql$
CREATE FUNCTION s83_theirs(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  SELECT conformance.hit('S83', c.id, 'theirs');
END $$ $sql$, 'permission denied for language workflow');
SELECT conformance.refused('S96', 'the language, without the right to it', $sql$
CREATE FUNCTION s96(c contact) RETURNS bigint LANGUAGE workflow AS 'AFTER INSERT; BEGIN EXIT; END' $sql$, 'permission denied for language workflow');
INSERT INTO ticket_pipeline_setting (pipeline_id, on_sent_enabled, on_sent_status_id) VALUES (pipeline('Help'), true, stage('Help', 'Waiting on contact'));
\connect - app
INSERT INTO ticket (subject, status_id) VALUES ('Set by boxes', stage('Help', 'New')) RETURNING id AS t1 \gset
SELECT new_contact('Ann') AS ann \gset
INSERT INTO email_message (class, direction, sent_from, ticket_id, contact_id) VALUES ('personal', 'out', 'ticket', :t1, :ann);
SELECT conformance.yes('S96', 'the boxes of a pipeline work without it', (SELECT status_id = stage('Help', 'Waiting on contact') FROM ticket WHERE id = :t1));
GRANT USAGE ON LANGUAGE workflow TO stranger;
\connect - stranger
SET search_path = try, crm;
CREATE FUNCTION s83_theirs(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  SELECT conformance.hit('S83', c.id, 'theirs');
END $$;
\connect - app
UPDATE contact SET lifecycle = 'lead' WHERE id = :ann;
CALL automation.run();
\connect - stranger
CALL automation.run();
\connect - app
SELECT conformance.yes('S83', 'whoever may, has his own', (SELECT array_agg(coalesce(what, 'ours') ORDER BY n) FROM conformance.hit WHERE id = 'S83' AND key = :'ann') = '{ours,theirs}');
\connect - stranger
SET search_path = try, crm;
CREATE FUNCTION s96(c contact) RETURNS bigint LANGUAGE workflow AS 'ENROLL ONCE; BEGIN EXIT; END';
SELECT conformance.yes('S96', 'the whole language, with the right to it', (SELECT active FROM automation.workflows WHERE name = 's96'));
DROP FUNCTION s83_theirs, s96;
\connect - app
REVOKE USAGE ON LANGUAGE workflow FROM stranger;
DROP FUNCTION s83;

-- S84, an integration that is not connected: whoever makes the workflow is warned, the step fails and is tried again; connected, it works
CREATE FUNCTION s84(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SEND webhook('/cards', d, server => 'kanban');
  SELECT conformance.hit('S84', d.id);
END $$;
SELECT new_deal('Boat') AS boat \gset
UPDATE deal SET status = 'won' WHERE id = :boat;
CALL automation.run();
SELECT conformance.no('S84', 'a message to what is not there', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's84'));
SELECT conformance.yes('S84', 'it says what is missing', (SELECT error LIKE '%server "kanban" does not exist%' FROM automation.enrollments WHERE workflow = 's84'));
CREATE SERVER kanban TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://api.example.com/1');
CALL automation.advance('1 minute');
SELECT conformance.yes('S84', 'connected, the step that failed is done', (SELECT array_agg(state) FROM automation.deliveries WHERE workflow = 's84') = '{queued}' AND conformance.hits('S84', :boat) = 1);
DROP FUNCTION s84;
DROP SERVER kanban;

-- S85, a jump to what can't be a target is refused, with the nearest name
SELECT conformance.refused('S85', 'a label that is not there', $sql$
CREATE FUNCTION s85(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  IF c.country = 'FR' THEN
    GO TO ofer;
  END IF;
  <<offer>>
  SELECT conformance.hit('S85', c.id);
END $$ $sql$, 'label "ofer" does not exist%');
CREATE FUNCTION s85(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  IF c.country = 'FR' THEN
    GO TO offer;
  END IF;
  SELECT conformance.hit('S85', c.id, 'passed');
  <<offer>>
  SELECT conformance.hit('S85', c.id, 'offer');
END $$;
INSERT INTO contact (first_name, country) VALUES ('Ann', 'FR') RETURNING id AS ann \gset
CALL automation.run();
SELECT conformance.yes('S85', 'one that is', (SELECT array_agg(what) FROM conformance.hit WHERE id = 'S85' AND key = :'ann') = '{offer}');
DROP FUNCTION s85;

-- S86, the automation of a pipeline of deals is for those who may use the language, and the table; S87, that of tickets has a right of its own
\connect - stranger
SET search_path = try, crm;
SELECT conformance.refused('S86', 'who has neither', $sql$
CREATE FUNCTION s86(d deal) RETURNS bigint LANGUAGE workflow AS 'AFTER UPDATE OF stage_id; BEGIN UPDATE deal SET score = 1 WHERE id = d.id; END' $sql$, 'permission denied for language workflow');
\connect - app
GRANT USAGE ON LANGUAGE workflow TO stranger;
REVOKE INSERT, UPDATE ON ticket_pipeline_setting FROM stranger;
\connect - stranger
SET search_path = try, crm;
SELECT conformance.refused('S86', 'the language, but not the table', $sql$
CREATE FUNCTION s86(d deal) RETURNS bigint LANGUAGE workflow AS 'AFTER UPDATE OF stage_id; BEGIN UPDATE deal SET score = 1 WHERE id = d.id; END' $sql$, '%permission%deal%');
SELECT conformance.refused('S87', 'who may use the language, but not the settings of tickets',
                           $$UPDATE ticket_pipeline_setting SET on_reply_enabled = true, on_reply_status_id = stage('Help', 'Waiting on us')$$, 'permission denied for table ticket_pipeline_setting');
\connect - app
GRANT TRIGGER, UPDATE ON deal TO stranger;
REVOKE USAGE ON LANGUAGE workflow FROM stranger;
GRANT UPDATE ON ticket_pipeline_setting TO stranger;
\connect - stranger
SET search_path = try, crm;
UPDATE ticket_pipeline_setting SET on_reply_enabled = true, on_reply_status_id = stage('Help', 'Waiting on us');
SELECT conformance.yes('S87', 'the settings, without the language', (SELECT on_reply_enabled FROM ticket_pipeline_setting));
\connect - app
GRANT USAGE ON LANGUAGE workflow TO stranger;
\connect - stranger
SET search_path = try, crm;
CREATE FUNCTION s86(d deal) RETURNS bigint LANGUAGE workflow AS 'AFTER UPDATE OF stage_id; BEGIN UPDATE deal SET score = 86 WHERE id = d.id; END';
\connect - app
SELECT new_deal('Boat') AS boat \gset
UPDATE deal SET stage_id = stage('Sales', 'Demo') WHERE id = :boat;
CALL automation.run();
\connect - stranger
CALL automation.run();
SELECT conformance.yes('S86', 'who has both', (SELECT score = 86 FROM crm.deal WHERE id = :boat));
DROP FUNCTION try.s86;
\connect - app
REVOKE ALL ON deal, contact, ticket_pipeline_setting FROM stranger;
GRANT SELECT ON deal, contact, ticket_pipeline_setting TO stranger;
REVOKE USAGE ON LANGUAGE workflow FROM stranger;
DELETE FROM ticket_pipeline_setting;

-- S88, words for others: comments stay with the text, where they were written, and one for the whole
CREATE FUNCTION s88(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  -- Ada: legal wants these two days
  WAIT FOR '2 days';
  SELECT conformance.hit('S88', c.id);  -- SELECT conformance.hit('S88', c.id);
END $$;
COMMENT ON FUNCTION s88(contact) IS 'Bruno: ask Ada before you shorten the wait';
SELECT new_contact('Ann') AS ann \gset
CALL automation.run();
SELECT conformance.yes('S88', 'beside the action', (SELECT prosrc LIKE '%-- Ada: legal wants these two days' || E'\n' || '  WAIT FOR%' FROM pg_proc WHERE oid = 's88(contact)'::regprocedure));
SELECT conformance.yes('S88', 'on the whole', obj_description('s88(contact)'::regprocedure, 'pg_proc') LIKE 'Bruno:%');
CREATE OR REPLACE FUNCTION s88(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  -- Ada: they do no more
  WAIT FOR '2 days';
  SELECT conformance.hit('S88', c.id);
END $$;
SELECT conformance.no('S88', 'a comment makes another step of it', EXISTS (SELECT FROM automation.migrate('s88', dry_run => true) m WHERE m.outcome <> 'stays'));
CALL automation.advance('3 days');
SELECT conformance.no('S88', 'what stands in a comment is done', conformance.hits('S88', :ann) <> 1);
DROP FUNCTION s88;

-- S89, an action is edited: for those who come from then on, and for those inside if it is said
CREATE FUNCTION call_again(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '1 day';
  SELECT add_note(c, 'old words');
END $$;
SELECT new_contact('Ann') AS ann \gset
CALL automation.run();
CREATE OR REPLACE FUNCTION call_again(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '1 day';
  SELECT add_note(c, 'new words');
END $$;
SELECT new_contact('Bob') AS bob \gset
CALL automation.advance('2 days');
SELECT conformance.yes('S89', 'the edited action', (SELECT array_agg(body) FROM note WHERE contact_id = :bob) = '{new words}');
SELECT conformance.no('S89', 'under the feet of who was inside', EXISTS (SELECT FROM note WHERE contact_id = :ann AND body = 'new words'));
SELECT new_contact('Cleo') AS cleo \gset
CALL automation.run();
CREATE OR REPLACE FUNCTION call_again(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '1 day';
  SELECT add_note(c, 'newest words');
END $$;
SELECT statement, outcome, enrollments FROM automation.migrate('call_again', dry_run => true);
SELECT statement, outcome, enrollments FROM automation.migrate('call_again');
CALL automation.advance('2 days');
SELECT conformance.yes('S89', 'and for who was inside, if it is said', (SELECT array_agg(body) FROM note WHERE contact_id = :cleo) = '{newest words}');
DROP FUNCTION call_again;

-- S90, one action is taken out: the others stay, and who stood on it goes on with the next.  S91, it and all that follow
CREATE FUNCTION s90(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT conformance.hit('S90', c.id, '1');
  <<second>>
  WAIT FOR '1 day';
  SELECT conformance.hit('S90', c.id, '2');
  <<third>>
  WAIT FOR '1 day';
  SELECT conformance.hit('S90', c.id, '3');
END $$;
SELECT new_contact('Ann') AS ann \gset
CALL automation.run();
CREATE OR REPLACE FUNCTION s90(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT conformance.hit('S90', c.id, '1');
  <<third>>
  WAIT FOR '1 day';
  SELECT conformance.hit('S90', c.id, '3');
END $$;
SELECT count(*) FROM automation.migrate('s90', '{"second": "next"}') \gset
SELECT new_contact('Bob') AS bob \gset
CALL automation.advance('2 days');
SELECT conformance.yes('S90', 'the others, in their order', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'S90' AND key = :'bob') = '{1,3}');
SELECT conformance.yes('S90', 'who stood there goes on with the next', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'S90' AND key = :'ann') = '{1,3}');
SELECT conformance.no('S90', 'the one taken out', EXISTS (SELECT FROM conformance.hit WHERE id = 'S90' AND what = '2'));
SELECT new_contact('Cleo') AS cleo \gset
CALL automation.run();
CREATE OR REPLACE FUNCTION s90(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT conformance.hit('S90', c.id, '1');
END $$;
SELECT count(*) FROM automation.migrate('s90', '{"third": "next"}') \gset
SELECT new_contact('Dan') AS dan \gset
CALL automation.advance('2 days');
SELECT conformance.yes('S91', 'what is left', (SELECT array_agg(what) FROM conformance.hit WHERE id = 'S90' AND key = :'dan') = '{1}');
SELECT conformance.yes('S91', 'who stood there is out', NOT EXISTS (SELECT FROM automation.enrollments WHERE workflow = 's90'));
SELECT conformance.no('S91', 'what came after it', EXISTS (SELECT FROM conformance.hit WHERE id = 'S90' AND key IN (:'cleo', :'dan') AND what = '3'));
DROP FUNCTION s90;

-- S92, the switch: off, nobody enters; on, they do
CREATE FUNCTION s92(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT conformance.hit('S92', c.id);
END $$;
SELECT automation.pause('s92');
SELECT new_contact('Ann') AS ann \gset
CALL automation.run();
SELECT conformance.no('S92', 'off', conformance.hits('S92', :ann) > 0);
SELECT conformance.no('S92', 'and shown as on', (SELECT entry = 'open' FROM automation.workflows WHERE name = 's92'));
SELECT automation.resume('s92');
SELECT new_contact('Bob') AS bob \gset
CALL automation.run();
SELECT conformance.yes('S92', 'on', conformance.hits('S92') = ARRAY[:'bob']);
DROP FUNCTION s92;

-- The boxes of tickets.  A mail from the ticket to the contact; an answer in the ticket's thread.
CREATE FUNCTION new_ticket(subject text, status bigint) RETURNS bigint LANGUAGE sql AS $$
    WITH t AS (INSERT INTO crm.ticket (subject, status_id) VALUES ($1, $2) RETURNING id),
         h AS (INSERT INTO crm.conversation_thread (ticket_id, is_creating_thread) SELECT id, true FROM t)
    SELECT id FROM t;
$$;
CREATE FUNCTION mail_sent(ticket bigint, contact bigint, sent_from text DEFAULT 'ticket') RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO crm.email_message (class, direction, sent_from, ticket_id, contact_id, thread_id)
    SELECT 'personal', 'out', $3, $1, $2, h.id FROM crm.conversation_thread h WHERE h.ticket_id = $1 AND h.is_creating_thread RETURNING id;
$$;
CREATE FUNCTION mail_answered(message bigint) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO crm.email_message (class, direction, contact_id, thread_id, in_reply_to)
    SELECT 'personal', 'in', m.contact_id, m.thread_id, m.id FROM crm.email_message m WHERE m.id = $1 RETURNING id;
$$;
CREATE FUNCTION status_of(ticket bigint) RETURNS text LANGUAGE sql AS $$
    SELECT s.name FROM crm.ticket t JOIN crm.pipeline_stage s ON s.id = t.status_id WHERE t.id = $1;
$$;
INSERT INTO pipeline (object_type, name) VALUES ('ticket', 'Repairs');
INSERT INTO pipeline_stage (pipeline_id, name, position, is_open) SELECT pipeline('Repairs'), n, i, n <> 'Closed' FROM unnest(ARRAY['New', 'Asked', 'Answered', 'Closed']) WITH ORDINALITY u (n, i);
SELECT new_contact('Ann') AS ann \gset

-- S93, a box ticked and unticked, and its status edited
INSERT INTO ticket_pipeline_setting (pipeline_id, on_sent_enabled, on_sent_status_id, on_reply_enabled, on_reply_status_id)
VALUES (pipeline('Help'), true, stage('Help', 'Waiting on contact'), false, stage('Help', 'Waiting on us'));
SELECT new_ticket('One', stage('Help', 'New')) AS t1, new_ticket('Two', stage('Help', 'New')) AS t2 \gset
SELECT mail_sent(:t1, :ann) AS m1 \gset
SELECT conformance.yes('S93', 'ticked', status_of(:t1) = 'Waiting on contact');
SELECT mail_answered(:m1) \gset
SELECT conformance.no('S93', 'a box that is not ticked', status_of(:t1) = 'Waiting on us');
UPDATE ticket_pipeline_setting SET on_reply_enabled = true, on_sent_enabled = false;
SELECT mail_answered(:m1) \gset
SELECT conformance.yes('S93', 'ticked later', status_of(:t1) = 'Waiting on us');
SELECT mail_sent(:t2, :ann) AS m2 \gset
SELECT conformance.no('S93', 'unticked', status_of(:t2) <> 'New');

-- S94, with the boxes off the rule for closed tickets stays
UPDATE ticket_pipeline_setting SET on_reply_enabled = false;
SELECT mail_answered(:m2) \gset
SELECT conformance.no('S94', 'an open ticket, boxes off', status_of(:t2) <> 'New');
UPDATE ticket SET status_id = stage('Help', 'Closed') WHERE id = :t2;
SELECT mail_answered(:m2) \gset
SELECT conformance.yes('S94', 'a closed one is opened', status_of(:t2) = 'New');

-- S95, each pipeline has its own
UPDATE ticket_pipeline_setting SET on_sent_enabled = true;
SELECT new_ticket('A repair', stage('Repairs', 'New')) AS r1, new_ticket('A repair, too', stage('Repairs', 'New')) AS r2, new_ticket('Help', stage('Help', 'New')) AS t3 \gset
SELECT mail_sent(:r1, :ann), mail_sent(:t3, :ann) \gset
SELECT conformance.yes('S95', 'where it is set', status_of(:t3) = 'Waiting on contact');
SELECT conformance.no('S95', 'in another pipeline', status_of(:r1) <> 'New');
INSERT INTO ticket_pipeline_setting (pipeline_id, on_sent_enabled, on_sent_status_id) VALUES (pipeline('Repairs'), true, stage('Repairs', 'Asked'));
SELECT mail_sent(:r2, :ann) \gset
SELECT conformance.yes('S95', 'its own status there', status_of(:r2) = 'Asked');

-- S110, two rules: a reply to a closed ticket opens it; after a reopen threads that began since count as the first one does
UPDATE ticket_pipeline_setting SET on_sent_enabled = false, on_reply_enabled = true WHERE pipeline_id = pipeline('Help');
SELECT new_ticket('Closed and reopened', stage('Help', 'New')) AS t4, new_ticket('Never closed', stage('Help', 'New')) AS t5 \gset
SELECT mail_sent(:t4, :ann) AS m4 \gset
UPDATE ticket SET status_id = stage('Help', 'Closed') WHERE id = :t4;
SELECT mail_answered(:m4) \gset
SELECT conformance.yes('S110', 'closed: the first open status', status_of(:t4) = 'New' AND (SELECT closed_at IS NULL AND reopened_at IS NOT NULL FROM ticket WHERE id = :t4));
INSERT INTO conversation_thread (ticket_id) VALUES (:t4), (:t5);
INSERT INTO email_message (class, direction, contact_id, thread_id) SELECT 'personal', 'in', :ann, id FROM conversation_thread WHERE ticket_id IN (:t4, :t5) AND NOT is_creating_thread;
SELECT mail_answered(m.id) FROM email_message m JOIN conversation_thread h ON h.id = m.thread_id WHERE h.ticket_id IN (:t4, :t5) AND NOT h.is_creating_thread ORDER BY m.id;
SELECT conformance.yes('S110', 'reopened: a new thread counts', status_of(:t4) = 'Waiting on us');
SELECT conformance.no('S110', 'never closed: a new thread does not', status_of(:t5) <> 'New');

-- S111, which mails count: those sent from the ticket, and answers in the thread the ticket was made from
UPDATE ticket_pipeline_setting SET on_sent_enabled = true WHERE pipeline_id = pipeline('Help');
SELECT new_ticket('From the ticket', stage('Help', 'New')) AS t6, new_ticket('From the contact', stage('Help', 'New')) AS t7 \gset
SELECT mail_sent(:t6, :ann) AS m6, mail_sent(:t7, :ann, 'contact') AS m7 \gset
SELECT conformance.yes('S111', 'from the ticket', status_of(:t6) = 'Waiting on contact');
SELECT conformance.no('S111', 'from the contact''s record', status_of(:t7) <> 'New');
SELECT mail_answered(:m6) \gset
SELECT conformance.yes('S111', 'an answer in its thread', status_of(:t6) = 'Waiting on us');
SELECT conformance.no('S111', 'the status it has already counts as a change', (SELECT count(*) FROM stage_history WHERE ticket_id = :t6) <> 3);

-- S97, actions by their purpose, each with what it does, for who looks for one
CREATE VIEW actions AS
    SELECT p.proname AS name, obj_description(p.oid, 'pg_proc') AS about, p.pronargs
    FROM pg_proc p WHERE p.pronamespace IN ('crm'::regnamespace, 'automation'::regnamespace);
SELECT conformance.yes('S97', purpose, NOT EXISTS (SELECT FROM unnest(names) n WHERE n NOT IN (SELECT name FROM actions WHERE about <> '')))
FROM (VALUES ('sending options', '{campaign_mail,personal_mail,sms,show_site_message}'::text[]),
             ('conditions and workflow', '{ai_prompt,webhook,capitalise,unenroll,unenroll_others}'),
             ('contacts', '{subscribe,unsubscribe,add_tag,remove_tag,add_note,adjust_score,add_to_audience,record_conversion,set_property}'),
             ('Salesforce', '{salesforce_lead,salesforce_contact,salesforce_task,salesforce_campaign_member}'),
             ('CRM', '{create_deal,move_to_stage,set_status,set_owner,add_task,complete_task,rotate_owner,add_contact_to_account,add_account_note}'),
             ('apps', '{slack,google_sheet_append,asana_task,zendesk_contact}')) v (purpose, names);
SELECT conformance.no('S97', 'an action that does not say what it does', EXISTS (SELECT FROM actions WHERE coalesce(about, '') = ''));

-- S98, the same under other headings; what is part of the language is a statement
SELECT conformance.yes('S98', purpose, NOT EXISTS (SELECT FROM unnest(names) n WHERE n NOT IN (SELECT name FROM actions WHERE about <> '')))
FROM (VALUES ('internal communication', '{internal_mail,internal_sms,notify,notify_team,slack,open_slack_channel}'::text[]),
             ('external communication', '{automated_mail,people_of}'), ('integrations', '{webhook,asana_task,google_sheet_append,zendesk_contact}'),
             ('assignment', '{rotate_owner,set_owner}'), ('create', '{create_deal,create_ticket,create_project,add_task}'),
             ('property management', '{set_property,copy_property,clear_property,increase_property}'),
             ('for contacts', '{add_to_static_list,remove_from_static_list,add_to_audience,remove_from_audience,manage_subscription}')) v (purpose, names);
SELECT conformance.refused('S98', 'an action that is in no list', $$SELECT rotate_everything(c) FROM contact c$$, 'function rotate_everything(contact) does not exist');
DROP VIEW actions;

-- S99, actions for contacts only: they take a contact, so a workflow of deals can't have them, but for the deal's contacts
SELECT conformance.refused('S99', action, format($sql$
CREATE FUNCTION s99(r %s) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  %s;
END $$ $sql$, kind, action), '%does not exist%')
FROM unnest(ARRAY['account', 'deal', 'ticket', 'quote']) kind,
     unnest(ARRAY['SELECT add_to_static_list(r, ''Guests'')', 'SELECT remove_from_static_list(r, ''Guests'')', 'SEND add_to_audience(r, ''Buyers'')',
                  'SEND remove_from_audience(r, ''Buyers'')', 'SELECT manage_subscription(r, ''News'', ''active'')']) action;
CREATE FUNCTION s99(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SELECT add_to_static_list(c, 'Guests') FROM contact c JOIN deal_contact x ON x.contact_id = c.id WHERE x.deal_id = d.id;
END $$;
SELECT new_deal('Boat', 'Sales', 'New', :ann) AS boat \gset
UPDATE deal SET status = 'won' WHERE id = :boat;
CALL automation.run();
SELECT conformance.yes('S99', 'the deal''s contacts', (SELECT on_static_list(c, 'Guests') FROM contact c WHERE id = :ann));
DROP FUNCTION s99;

-- S100, an action is added
CREATE FUNCTION s100(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT add_tag(c, 'new');
END $$;
SELECT new_contact('Bob') AS bob \gset
CALL automation.run();
CREATE OR REPLACE FUNCTION s100(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT add_tag(c, 'new');
  SELECT add_note(c, 'Welcome');
END $$;
SELECT new_contact('Cleo') AS cleo \gset
CALL automation.run();
SELECT conformance.yes('S100', 'both actions', (SELECT has_tag(c, 'new') FROM contact c WHERE id = :cleo) AND EXISTS (SELECT FROM note WHERE contact_id = :cleo));
SELECT conformance.no('S100', 'for who came before', EXISTS (SELECT FROM note WHERE contact_id = :bob));
SELECT conformance.refused('S100', 'one that is not complete', $sql$
CREATE OR REPLACE FUNCTION s100(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT add_tag(c);
END $$ $sql$, 'function add_tag(contact) does not exist');
DROP FUNCTION s100;

-- S101, the history: errors with the step that had them, and what became of messages
CREATE FUNCTION s101(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score;
DECLARE
  answer automation.delivery;
BEGIN
  SEND internal_sms(c.phone, 'Hello') INTO answer TIMEOUT '1 hour';
  UPDATE contact SET custom = custom || jsonb_build_object('ratio', 100 / c.score) WHERE id = c.id;
END $$;
INSERT INTO contact (first_name, phone, score) VALUES ('Fine', '+33170000001', 1) RETURNING id AS fine \gset
INSERT INTO contact (first_name, phone, score) VALUES ('Wrong', '+33170000002', 1) RETURNING id AS wrong \gset
UPDATE contact SET score = CASE id WHEN :fine THEN 10 ELSE 0 END WHERE id IN (:fine, :wrong);
CALL automation.run();
SELECT automation.settle(id, CASE WHEN subject_key = :'fine' THEN 'sent' ELSE 'dead' END) FROM automation.deliveries WHERE workflow = 's101';
CALL automation.run();
SELECT conformance.yes('S101', 'an error, its step and its time', EXISTS (SELECT FROM automation.journal
    WHERE workflow = 's101' AND subject_key = :'wrong' AND event = 'retrying' AND statement LIKE 'UPDATE contact%' AND detail ->> 'message' = 'division by zero' AND at IS NOT NULL));
SELECT conformance.yes('S101', 'text messages', (SELECT array_agg(what ORDER BY what) FROM automation.journal WHERE workflow = 's101' AND event = 'delivery' AND what LIKE '%is sent%' OR workflow = 's101' AND what LIKE '%is dead%') IS NOT NULL
    AND (SELECT array_agg(status ORDER BY status) FROM sms_message WHERE workflow = 's101') = '{SMS notification sent,Unable to send}');
SELECT conformance.no('S101', 'an error of who had none', EXISTS (SELECT FROM automation.journal WHERE workflow = 's101' AND subject_key = :'fine' AND event = 'retrying'));
DROP FUNCTION s101;

-- S102, a property with several values: what an action writes is added, or put in the place of what was there
CREATE FUNCTION s102(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle;
BEGIN
  IF c.lifecycle = 'lead' THEN
    SELECT append_property(c, 'interests', '{golf,chess}');
  ELSE
    SELECT set_property(c, 'interests', '{golf,chess}');
  END IF;
END $$;
INSERT INTO contact (first_name, interests) VALUES ('Ann', '{sailing,golf}') RETURNING id AS ann \gset
INSERT INTO contact (first_name, interests) VALUES ('Bob', '{sailing,golf}') RETURNING id AS bob \gset
UPDATE contact SET lifecycle = CASE id WHEN :ann THEN 'lead' ELSE 'customer' END WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('S102', 'added', (SELECT interests = '{sailing,golf,chess}' FROM contact WHERE id = :ann));
SELECT conformance.yes('S102', 'replaced', (SELECT interests = '{golf,chess}' FROM contact WHERE id = :bob));
SELECT conformance.no('S102', 'a value twice', (SELECT cardinality(array_positions(interests, 'golf')) > 1 FROM contact WHERE id = :ann));
DROP FUNCTION s102;

-- S103, which properties a role may write, table by table and column by column
SELECT new_deal('Boat') AS boat \gset
GRANT UPDATE (lead_status) ON contact TO stranger;
\connect - stranger
SET search_path = try, crm;
UPDATE contact SET lead_status = 'contacted' WHERE id = :ann;
SELECT conformance.yes('S103', 'the one that is granted', (SELECT lead_status = 'contacted' FROM contact WHERE id = :ann));
SELECT conformance.refused('S103', 'another one', format('UPDATE contact SET score = 1 WHERE id = %s', :ann), 'permission denied for table contact');
SELECT conformance.refused('S103', 'those of another table', format($$SELECT set_property(d, 'title', 'Mine') FROM deal d WHERE id = %s$$, :boat), 'permission denied for table deal');
\connect - app
REVOKE UPDATE (lead_status) ON contact FROM stranger;

-- S104, a step puts one product on the deal: so many, at that price
CREATE FUNCTION s104(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SELECT add_product(d, 'product 1', 3, 9.50);
  SELECT add_product(d, 'product 2');
END $$;
UPDATE deal SET status = 'won' WHERE id = :boat;
CALL automation.run();
SELECT conformance.yes('S104', 'a step each', (SELECT array_agg(p.name || ' ' || l.quantity || ' ' || round(l.unit_price, 2) ORDER BY p.id) FROM deal_product l JOIN product p ON p.id = l.product_id WHERE l.deal_id = :boat)
    = '{product 1 3 9.50,product 2 1 20.00}');
SELECT conformance.refused('S104', 'two products in one step', format($$SELECT add_product(d, ARRAY['product 3', 'product 4']) FROM deal d WHERE id = %s$$, :boat), 'function add_product(deal, text[]) does not exist');
SELECT conformance.refused('S104', 'a product that is not there', format($$SELECT add_product(d, 'product 99') FROM deal d WHERE id = %s$$, :boat), '%product%99%');
DROP FUNCTION s104;

-- S105, automations in a chain, each with one thing to do
CREATE FUNCTION s105_call(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.title LIKE 'Chain%';
BEGIN
  SELECT add_task(d, 'Call', automation.now() + interval '1 day', d.owner_id);
END $$;
CREATE FUNCTION s105_meet(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done' WHEN new.title = 'Call';
BEGIN
  SELECT add_task(d, 'Meet', automation.now() + interval '7 days', d.owner_id) FROM deal d WHERE d.id = a.deal_id;
END $$;
CREATE FUNCTION s105_offer(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done' WHEN new.title = 'Meet';
BEGIN
  SELECT move_to_stage(d, 'Proposal') FROM deal d WHERE d.id = a.deal_id;
END $$;
SELECT new_deal('Chain one') AS one, new_deal('Chain two') AS two \gset
CALL automation.run();
UPDATE activity SET status = 'done' WHERE title = 'Call' AND deal_id IN (:one, :two);
CALL automation.run();
UPDATE activity SET status = 'done' WHERE title = 'Meet' AND deal_id = :one;
CALL automation.run();
SELECT conformance.yes('S105', 'to its end', (SELECT stage_id = stage('Sales', 'Proposal') FROM deal WHERE id = :one));
SELECT conformance.no('S105', 'beyond a link that is missing', (SELECT stage_id <> stage('Sales', 'New') FROM deal WHERE id = :two) OR (SELECT count(*) <> 2 FROM activity WHERE deal_id = :two));
DROP FUNCTION s105_call, s105_meet, s105_offer;

-- S106, projects are there when they have been set up: a pipeline for them
SELECT new_deal('Boat') AS boat \gset
CREATE FUNCTION s106(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SELECT create_project(d, 'Deliver ' || d.title, 'Deliveries');
END $$;
UPDATE deal SET status = 'won' WHERE id = :boat;
CALL automation.run();
SELECT conformance.no('S106', 'a project before', EXISTS (SELECT FROM project WHERE deal_id = :boat));
SELECT conformance.yes('S106', 'it says why', (SELECT error LIKE '%Deliveries%' FROM automation.enrollments WHERE workflow = 's106'));
SELECT add_pipeline('Deliveries', '{Pack,Ship}', 'project') > 0 AS made \gset
CALL automation.advance('1 minute');
SELECT conformance.yes('S106', 'a project, when there is a pipeline for them', (SELECT array_agg(name || ' ' || (stage_id = stage('Deliveries', 'Pack'))) FROM project WHERE deal_id = :boat) = '{Deliver Boat true}');
DROP FUNCTION s106;

-- S107, an action runs when somebody reaches it
CREATE FUNCTION s107(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT conformance.hit('S107', c.id, 'at once');
  WAIT UNTIL c.lifecycle = 'customer';
  SELECT conformance.hit('S107', c.id, 'reached');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
CALL automation.run();
UPDATE contact SET lifecycle = 'customer' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('S107', 'who has reached it', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'S107' AND key = :'ann') = '{at once,reached}');
SELECT conformance.no('S107', 'who has not', (SELECT count(*) > 1 FROM conformance.hit WHERE id = 'S107' AND key = :'bob'));
DROP FUNCTION s107;

-- S108, external actions are messages, that leave; internal ones write rows, start another automation, reach a goal
CREATE FUNCTION s108_next(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
BEGIN
  SELECT conformance.hit('S108', c.id, 'next');
END $$;
CREATE FUNCTION s108(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won' ON deal FOR SELECT x.contact_id, x.deal_id FROM deal_contact x WHERE x.deal_id = new.id;
BEGIN
  SELECT s108_next(c);
  SELECT adjust_score(c, 10);
  SELECT adjust_score(d, 5);
  GOAL scored WHEN d.score >= 5;
  IF c.country IS NOT NULL THEN
    SEND email('thank you', c);
    SEND sms(c.phone, 'Thank you', sender => '+33100000099', server => 'sms');
    SELECT show_site_message(c, 'intro 1');
  END IF;
END $$;
INSERT INTO contact (first_name, email, phone, country) VALUES ('Ann', 'ann@example.com', '+33180000001', 'FR') RETURNING id AS ann \gset
INSERT INTO contact (first_name, email, phone) VALUES ('Bob', 'bob@example.com', '+33180000002') RETURNING id AS bob \gset
SELECT new_deal('Boat', 'Sales', 'New', :ann) AS boat, new_deal('Oar', 'Sales', 'New', :bob) AS oar \gset
UPDATE deal SET status = 'won' WHERE id IN (:boat, :oar);
CALL automation.run();
SELECT conformance.yes('S108', 'internal', (SELECT score = 10 FROM contact WHERE id = :ann) AND (SELECT score = 5 FROM deal WHERE id = :boat) AND conformance.hits('S108') = ARRAY[:'ann', :'bob']
    AND (SELECT count(*) FROM automation.goal_reached WHERE workflow = 's108') = 2);
SELECT conformance.yes('S108', 'external', (SELECT array_agg(channel ORDER BY channel) FROM automation.deliveries WHERE workflow = 's108' AND subject_key = :'ann') = '{mail,sms}'
    AND EXISTS (SELECT FROM site_message_event WHERE contact_id = :ann AND kind = 'queued'));
SELECT conformance.no('S108', 'an internal action sends', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's108' AND subject_key = :'bob'));
DROP FUNCTION s108, s108_next;

-- S109, at most ten jumps back in 24 hours, for each record that travels; then it is held, and the others are not
CREATE FUNCTION s109(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  <<again>>
  SELECT conformance.hit('S109', c.id);
  WAIT FOR (c.custom ->> 'pace')::interval;
  GO TO again;
END $$;
INSERT INTO contact (first_name, custom) VALUES ('Hourly', '{"pace": "1 hour"}') RETURNING id AS hourly \gset
INSERT INTO contact (first_name, custom) VALUES ('Slow', '{"pace": "3 hours"}') RETURNING id AS slow \gset
UPDATE contact SET lifecycle = 'lead' WHERE id IN (:hourly, :slow);
CALL automation.advance('23 hours');
SELECT conformance.yes('S109', 'ten jumps', conformance.hits('S109', :hourly) = 11);
SELECT conformance.no('S109', 'an eleventh within 24 hours', (SELECT state || ' ' || reason <> 'held goto_limit' FROM automation.enrollments WHERE workflow = 's109' AND subject_key = :'hourly'));
CALL automation.advance('3 days');
SELECT conformance.yes('S109', 'who makes eight a day loops for ever', conformance.hits('S109', :slow) > 30 AND (SELECT state = 'waiting' FROM automation.enrollments WHERE workflow = 's109' AND subject_key = :'slow'));
DROP FUNCTION s109;

-- S112, quotes: workflows of their own, and their properties
CREATE FUNCTION s112(q quote) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'accepted';
BEGIN
  SELECT set_property(q, 'title', 'Accepted: ' || q.title);
  SELECT set_status(d, 'won') FROM deal d WHERE d.id = q.deal_id;
END $$;
SELECT new_deal('Boat') AS boat, new_deal('Oar') AS oar \gset
INSERT INTO quote (title, deal_id, amount, status) VALUES ('For the boat', :boat, 5000, 'sent') RETURNING id AS q1 \gset
INSERT INTO quote (title, deal_id, amount, status) VALUES ('For the oar', :oar, 50, 'sent') RETURNING id AS q2 \gset
UPDATE quote SET status = CASE id WHEN :q1 THEN 'accepted' ELSE 'refused' END;
CALL automation.run();
SELECT conformance.yes('S112', 'accepted', (SELECT title = 'Accepted: For the boat' FROM quote WHERE id = :q1) AND (SELECT status = 'won' FROM deal WHERE id = :boat));
SELECT conformance.no('S112', 'refused', (SELECT title <> 'For the oar' FROM quote WHERE id = :q2) OR (SELECT status = 'won' FROM deal WHERE id = :oar));
DROP FUNCTION s112;

-- S113, the ready-made mails of tickets are templates: edited beside their name, and the edit stays
SELECT ticket_templates() AS made \gset
CREATE FUNCTION s113(t ticket) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SEND automated_mail('Ticket received', c, vars => tokens(t)) FROM contact c JOIN ticket_contact x ON x.contact_id = c.id WHERE x.ticket_id = t.id;
END $$;
BEGIN;
SELECT new_ticket('Leak', stage('Help', 'New')) AS t1 \gset
INSERT INTO ticket_contact (ticket_id, contact_id) VALUES (:t1, :ann);
COMMIT;
CALL automation.run();
SELECT conformance.yes('S113', 'as it is made', (SELECT title FROM automation.deliveries WHERE workflow = 's113') = 'We have received your request: Leak');
UPDATE automation.template SET subject = 'Thank you for ticket {{ ticket.id }}' WHERE name = 'Ticket received';
SELECT ticket_templates() AS made \gset
BEGIN;
SELECT new_ticket('Still a leak', stage('Help', 'New')) AS t2 \gset
INSERT INTO ticket_contact (ticket_id, contact_id) VALUES (:t2, :ann);
COMMIT;
CALL automation.run();
SELECT conformance.yes('S113', 'as it was edited', (SELECT title FROM automation.deliveries WHERE workflow = 's113' ORDER BY id DESC LIMIT 1) = 'Thank you for ticket ' || :t2);
SELECT conformance.no('S113', 'the edit is undone when they are made again', :made > 0 OR (SELECT subject NOT LIKE 'Thank you%' FROM automation.template WHERE name = 'Ticket received'));
SELECT conformance.no('S113', 'the other one is edited with it', (SELECT subject NOT LIKE 'Your request is closed%' FROM automation.template WHERE name = 'Ticket closed'));
SELECT conformance.refused('S113', 'an edit that could not be sent', $$UPDATE automation.template SET subject = 'Thank you {{ contact.' WHERE name = 'Ticket closed'$$, '%');
DROP FUNCTION s113;

REVOKE ALL ON ALL TABLES IN SCHEMA crm FROM stranger;
REVOKE ALL ON SCHEMA crm, conformance FROM stranger;
