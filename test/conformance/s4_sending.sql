-- Who gets what: rules of sending.

-- S51, without an address there is no mail, and the flow goes on
CREATE FUNCTION s51(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  SEND email('thank you', c);
  SELECT conformance.hit('S51', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
UPDATE contact SET email = NULL WHERE id = :bob;
UPDATE contact SET email = '' WHERE id = :cid;
UPDATE contact SET lifecycle = 'lead' WHERE id IN (:ann, :bob, :cid);
CALL automation.run();
SELECT conformance.yes('S51', 'who has one gets it', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's51' AND subject_key = :ann::text AND state = 'queued'));
SELECT conformance.yes('S51', 'the others go on', conformance.hits('S51') @> ARRAY[:'bob', :'cid']);
SELECT conformance.no('S51', 'a mail to nobody', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's51' AND subject_key <> :ann::text AND (state <> 'skipped' OR reason <> 'no_address')));
DROP FUNCTION s51;

-- S52, campaigns are for those who are on the list, not for who has not confirmed yet or has left; S53, personal mails for all
UPDATE email_campaign SET template = 'welcome';
INSERT INTO automation.template (name, about, class, subject, body) VALUES ('personal', 'crm.contact', 'transactional', 'Shall we talk?', 'Tomorrow?');
CREATE FUNCTION s52(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  SEND campaign_mail('Spring sale', c);
  SEND personal_mail('personal', c, 'ada@example.com');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dot') AS dot, new_contact('Eve') AS eve \gset
SELECT subscribe(c, 'Offers') FROM contact c WHERE id IN (:ann, :bob);
SELECT unsubscribe(c, 'Offers') FROM contact c WHERE id = :bob;
INSERT INTO list_subscription (contact_id, list_id, status) VALUES (:cid, list('Offers'), 'unconfirmed');
SELECT subscribe(c, 'News') FROM contact c WHERE id = :dot;
UPDATE contact SET lifecycle = 'lead' WHERE id IN (:ann, :bob, :cid, :dot, :eve);
CALL automation.run();
SELECT conformance.yes('S52', 'who is on it', array_agg(address) = '{ann@example.com}') FROM automation.deliveries WHERE workflow = 's52' AND family = 'welcome' AND state = 'queued';
SELECT conformance.no('S52', 'who left, has not confirmed, is on another list, on none',
    (SELECT count(*) <> 4 OR bool_or(reason <> 'not_subscribed') FROM automation.deliveries WHERE workflow = 's52' AND family = 'welcome' AND subject_key <> :ann::text));
SELECT conformance.yes('S53', 'all five', count(*) = 5 AND bool_and(state = 'queued')) FROM automation.deliveries WHERE workflow = 's52' AND family = 'personal';
SELECT automation.suppress('gone@example.com', class => NULL, reason => 'hard_bounce');
SELECT new_contact('Gus', 'gone@example.com') AS gus \gset
UPDATE contact SET lifecycle = 'lead' WHERE id = :gus;
CALL automation.run();
SELECT conformance.no('S53', 'an address that does not work', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's52' AND subject_key = :gus::text AND state <> 'skipped'));
DROP FUNCTION s52;

-- S52 too: who unsubscribes by the link in the mail leaves the list that it names, by himself, until he wants to be on it again
CREATE FUNCTION what_came_back(inbound bigint) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.inbound FOR SELECT new.id;
BEGIN
  SELECT note_inbound(inbound);
END $$;
CREATE FUNCTION s52_news(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF city;
  ENROLL AGAIN;
BEGIN
  SEND campaign_mail('Spring sale', c);
END $$;
SELECT new_contact('Fay', 'fay@example.com') AS fay \gset
SELECT subscribe(c, list) FROM contact c, unnest('{Offers,News}'::text[]) list WHERE id = :fay;
UPDATE contact SET city = 'Lyon' WHERE id = :fay;
CALL automation.run();
SELECT automation.settle(id) FROM automation.deliveries WHERE workflow = 's52_news';
SELECT conformance.yes('S52', 'the link works', (SELECT automation.unsubscribe(automation.delivery_token(id)) = 'unsubscribed' FROM automation.deliveries WHERE workflow = 's52_news'));
CALL automation.run();
SELECT conformance.yes('S52', 'off that list, by himself',
    (SELECT status = 'unsubscribed' AND unsubscribe_source = 'contact' FROM list_subscription WHERE contact_id = :fay AND list_id = list('Offers')));
SELECT conformance.no('S52', 'off the other one', (SELECT status <> 'active' FROM list_subscription WHERE contact_id = :fay AND list_id = list('News')));
UPDATE contact SET city = 'Nice' WHERE id = :fay;
CALL automation.run();
SELECT conformance.no('S52', 'the next mail', (SELECT count(*) <> 1 FROM automation.deliveries WHERE workflow = 's52_news' AND state <> 'skipped'));
SELECT subscribe(c, 'Offers', resubscribe => true), allow_mail(c, 'Offers') FROM contact c WHERE id = :fay;
UPDATE contact SET city = 'Metz' WHERE id = :fay;
CALL automation.run();
SELECT conformance.yes('S52', 'once he is on it again', (SELECT state = 'queued' FROM automation.deliveries WHERE workflow = 's52_news' ORDER BY id DESC LIMIT 1));
DROP FUNCTION what_came_back, s52_news;

-- S52 too: a mail that could not be written is not sent because the contact is on the list
INSERT INTO automation.template (name, about, class, on_missing_token, subject, body)
VALUES ('of your city', 'crm.contact', 'marketing', 'skip', 'News of {{ contact.city }}', '{{ contact.city }} {{ unsubscribe_url }} {{ postal_address }}');
UPDATE email_campaign SET template = 'of your city' WHERE name = 'Spring sale';
CREATE FUNCTION s52_city(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  SEND campaign_mail('Spring sale', c);
END $$;
SELECT new_contact('Gil') AS gil, new_contact('Hal') AS hal \gset
SELECT subscribe(c, 'Offers') FROM contact c WHERE id IN (:gil, :hal);
UPDATE contact SET city = 'Lyon' WHERE id = :hal;
UPDATE contact SET lifecycle = 'lead' WHERE id IN (:gil, :hal);
CALL automation.run();
SELECT conformance.yes('S52', 'written', (SELECT state = 'queued' AND title = 'News of Lyon' FROM automation.deliveries WHERE workflow = 's52_city' AND subject_key = :'hal'));
SELECT conformance.no('S52', 'without its text', (SELECT state <> 'skipped' OR reason <> 'missing_token' FROM automation.deliveries WHERE workflow = 's52_city' AND subject_key = :'gil'));
DROP FUNCTION s52_city;

-- S54, messages on the site are for those who opted in, also if they do so later
INSERT INTO tracking_site (domain) VALUES ('example.com') ON CONFLICT DO NOTHING;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET site_message_opt_in = true WHERE id = :ann;
SELECT show_site_message(c, 'intro 1') FROM contact c WHERE id IN (:ann, :bob);
SELECT conformance.yes('S54', 'shown', EXISTS (SELECT FROM contact c, page_messages(c, 'https://example.com/') WHERE c.id = :ann));
SELECT conformance.no('S54', 'to others', EXISTS (SELECT FROM contact c, page_messages(c, 'https://example.com/') WHERE c.id = :bob));
UPDATE contact SET site_message_opt_in = true WHERE id = :bob;
SELECT conformance.yes('S54', 'shown once he opts in', EXISTS (SELECT FROM contact c, page_messages(c, 'https://example.com/') WHERE c.id = :bob));

-- S55, the deal's owner as sender: his preferred mailbox; not where there is no deal
CREATE FUNCTION s55(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SEND personal_mail('personal', c, sender_of(d, otherwise => 'ada@example.com')) FROM people_of(d) c;
END $$;
SELECT new_contact('Ann') AS ann \gset
SELECT new_deal('Big', 'Sales', 'New', :ann) AS big, new_deal('Small', 'Sales', 'New', :ann) AS small \gset
INSERT INTO connected_mailbox (user_id, address) VALUES (3, 'aaa@example.com');
UPDATE deal SET owner_id = 3 WHERE id = :big;
UPDATE deal SET owner_id = NULL WHERE id = :small;
UPDATE deal SET status = 'won' WHERE id IN (:big, :small);
CALL automation.run();
SELECT conformance.yes('S55', 'the preferred one; another that is named, if nobody owns the deal', array_agg(options ->> 'from' ORDER BY subject_key::int) = '{chiara@example.com,ada@example.com}')
FROM automation.deliveries WHERE workflow = 's55';
SELECT conformance.refused('S55', 'where there is no deal', $sql$
    CREATE FUNCTION s55_list(c contact) RETURNS bigint LANGUAGE workflow AS $$
      AFTER INSERT ON list_subscription FOR SELECT new.contact_id;
    BEGIN
      SEND personal_mail('personal', c, sender_of(c));
    END $$ $sql$, 'function sender_of(contact) does not exist');
DROP FUNCTION s55;

-- S56, the ready-made mails of tickets are transactional: for everybody. S57, any other is for marketing contacts. S58, one may make transactional ones
SELECT ticket_templates();
INSERT INTO automation.template (name, about, class, subject, body) VALUES ('receipt', 'crm.contact', 'transactional', 'Your receipt', 'Attached.');
CREATE FUNCTION s56(t ticket) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SEND automated_mail('Ticket received', c, tokens(t)) FROM people_of(t) c;
  SEND automated_mail('welcome', c, tokens(t)) FROM people_of(t) c;
  SEND automated_mail('receipt', c, tokens(t)) FROM people_of(t) c;
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
UPDATE contact SET is_marketing = false WHERE id = :bob;
UPDATE contact SET unsubscribed = true WHERE id = :cid;
INSERT INTO ticket (subject, pipeline_id) VALUES ('Login', pipeline('Help')) RETURNING id AS login \gset
INSERT INTO ticket_contact VALUES (:login, :ann), (:login, :bob), (:login, :cid);
CALL automation.run();
SELECT conformance.yes('S56', 'all three', array_agg(address ORDER BY address) = '{ann@example.com,bob@example.com,cid@example.com}' AND bool_and(class = 'transactional'))
FROM automation.deliveries WHERE workflow = 's56' AND family = 'Ticket received' AND state = 'queued';
SELECT conformance.no('S56', 'with a link to unsubscribe, as marketing has it', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's56' AND family = 'Ticket received' AND body LIKE '%example.com/u/%'));
SELECT conformance.yes('S57', 'the marketing contact', array_agg(address) = '{ann@example.com}') FROM automation.deliveries WHERE workflow = 's56' AND family = 'welcome' AND state = 'queued';
SELECT conformance.no('S57', 'others', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's56' AND family = 'welcome' AND state <> 'skipped' AND address <> 'ann@example.com'));
SELECT conformance.yes('S57', 'and why', array_agg(reason ORDER BY address) = '{not_marketing,not_subscribed}') FROM automation.deliveries WHERE workflow = 's56' AND family = 'welcome' AND state = 'skipped';
SELECT conformance.yes('S58', 'one''s own reaches all three', count(*) = 3) FROM automation.deliveries WHERE workflow = 's56' AND family = 'receipt' AND state = 'queued';
-- who is left to send marketing only, by the options of his server, cannot pass it off as transactional
CREATE FUNCTION s58(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  SEND email('receipt', c, server => 'newsletters');
END $$;
UPDATE contact SET lifecycle = 'lead' WHERE id = :bob;
CALL automation.run();
SELECT conformance.no('S58', 'by a server for marketing', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's58'));
SELECT conformance.yes('S58', 'which says so', EXISTS (SELECT FROM automation.enrollments WHERE workflow = 's58' AND error LIKE '%newsletters%transactional%'));
DROP FUNCTION s56, s58;

-- S59, what moves tickets does not count chats, unless an automation asks for them
INSERT INTO ticket_pipeline_setting (pipeline_id, on_reply_enabled, on_reply_status_id) VALUES (pipeline('Help'), true, stage('Help', 'Waiting on us'));
SELECT new_contact('Ann') AS ann \gset
INSERT INTO ticket (subject, pipeline_id, status_id, channel)
VALUES ('By mail', pipeline('Help'), stage('Help', 'Waiting on contact'), 'email') RETURNING id AS mailed \gset
INSERT INTO ticket (subject, pipeline_id, status_id, channel)
VALUES ('By chat', pipeline('Help'), stage('Help', 'Waiting on contact'), 'chat') RETURNING id AS chatted \gset
INSERT INTO conversation_thread (ticket_id, channel, is_creating_thread) VALUES (:mailed, 'email', true) RETURNING id AS mails \gset
INSERT INTO conversation_thread (ticket_id, channel, is_creating_thread) VALUES (:chatted, 'chat', true) RETURNING id AS chat \gset
INSERT INTO email_message (class, direction, sent_from, contact_id, thread_id) VALUES ('personal', 'out', 'ticket', :ann, :mails) RETURNING id AS mail_asked \gset
INSERT INTO email_message (class, direction, sent_from, contact_id, thread_id) VALUES ('personal', 'out', 'ticket', :ann, :chat) RETURNING id AS chat_asked \gset
INSERT INTO email_message (class, direction, contact_id, thread_id, in_reply_to) VALUES ('personal', 'in', :ann, :mails, :mail_asked), ('personal', 'in', :ann, :chat, :chat_asked);
CALL automation.run();
SELECT conformance.yes('S59', 'the answer by mail moves its ticket', (SELECT status_id = stage('Help', 'Waiting on us') FROM ticket WHERE id = :mailed));
SELECT conformance.no('S59', 'the one in the chat does', (SELECT status_id <> stage('Help', 'Waiting on contact') FROM ticket WHERE id = :chatted));
CREATE FUNCTION s59(t ticket) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_message WHEN new.direction = 'in'
    FOR SELECT h.ticket_id FROM conversation_thread h WHERE h.id = new.thread_id AND h.channel = 'chat';
  ENROLL AGAIN;
BEGIN
  UPDATE ticket SET status_id = stage('Help', 'Waiting on us') WHERE id = t.id;
END $$;
UPDATE ticket SET status_id = stage('Help', 'Waiting on contact') WHERE id = :mailed;
UPDATE ticket_pipeline_setting SET on_reply_enabled = false;
INSERT INTO email_message (class, direction, sent_from, contact_id, thread_id) VALUES ('personal', 'out', 'ticket', :ann, :chat);
CALL automation.run();
SELECT conformance.no('S59', 'what we write in the chat', (SELECT status_id <> stage('Help', 'Waiting on contact') FROM ticket WHERE id = :chatted));
INSERT INTO email_message (class, direction, contact_id, thread_id, in_reply_to) VALUES ('personal', 'in', :ann, :mails, :mail_asked), ('personal', 'in', :ann, :chat, :chat_asked);
CALL automation.run();
SELECT conformance.yes('S59', 'an automation that asks for chats moves it', (SELECT status_id = stage('Help', 'Waiting on us') FROM ticket WHERE id = :chatted));
SELECT conformance.no('S59', 'that of the mail, by the automation for chats', (SELECT status_id <> stage('Help', 'Waiting on contact') FROM ticket WHERE id = :mailed));
DROP FUNCTION s59;

-- S60, what one sees of an internal text message: initiated, sent, or a failure. S61, at most 72 hours. S70, until then the enrollment stays there
CREATE FUNCTION s60(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
DECLARE
  answer automation.delivery;
BEGIN
  SEND internal_sms(u, c.name || ' is a customer') FROM owner_of(c) u INTO answer TIMEOUT '72 hours';
  SELECT conformance.hit('S60', c.id, coalesce(answer.error, answer.state));
END $$;
SELECT new_contact('Ann', owner => 1) AS ann, new_contact('Bob', owner => 2) AS bob, new_contact('Cid', owner => 3) AS cid \gset
UPDATE contact SET lifecycle = 'customer' WHERE id IN (:ann, :bob, :cid);
CALL automation.run();
SELECT conformance.yes('S60', 'initiated', count(*) = 3) FROM sms_message WHERE workflow = 's60' AND status = 'Action initiated';
SELECT conformance.yes('S70', 'they stay', count(*) = 3) FROM automation.enrollments WHERE workflow = 's60';
SELECT automation.settle(id, 'sent', 201) FROM automation.deliveries WHERE workflow = 's60' AND subject_key = :ann::text;
SELECT automation.settle(id, 'dead', 400, error => 'number out of service') FROM automation.deliveries WHERE workflow = 's60' AND subject_key = :bob::text;
CALL automation.run();
SELECT conformance.yes('S60', 'sent', (SELECT to_number = '+3310000001' FROM sms_message WHERE workflow = 's60' AND status = 'SMS notification sent'));
SELECT conformance.yes('S60', 'not to be sent, and why', (SELECT to_number = '+3310000002' AND error = 'number out of service' FROM sms_message WHERE workflow = 's60' AND status = 'Unable to send'));
SELECT conformance.yes('S60', 'the history has it', EXISTS (SELECT FROM automation.journal WHERE workflow = 's60' AND subject_key = :bob::text AND event = 'delivery' AND what LIKE 'message % is dead%'));
SELECT conformance.no('S60', 'a failure ends the enrollment before its next action', (SELECT what <> 'number out of service' FROM conformance.hit WHERE id = 'S60' AND key = :'bob'));
SELECT conformance.yes('S70', 'who has an answer has gone on, at once', conformance.hits('S60') @> ARRAY[:'ann', :'bob']);
SELECT conformance.no('S70', 'who has none has', conformance.hits('S60', :cid) > 0);
CALL automation.advance('71 hours');
SELECT conformance.no('S61', 'goes on before the 72 hours', conformance.hits('S60', :cid) > 0);
CALL automation.advance('1 hour');
SELECT conformance.yes('S61', 'goes on then', (SELECT what = 'timeout' FROM conformance.hit WHERE id = 'S60' AND key = :'cid'));
SELECT conformance.no('S61', 'it may be sent still', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's60' AND state NOT IN ('sent', 'dead', 'cancelled')));
DROP FUNCTION s60;

-- S62, a thousand in a month; the count begins anew with the next
CALL automation.advance('31 days');
CREATE FUNCTION s62(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'many';
  ENROLL AGAIN;
BEGIN
  SEND internal_sms('+3361' || n, c.name || ' has news', server => 'sms_of_account') FROM generate_series(1000000, 1000000 + c.score) n ORDER BY n;
END $$;
SELECT new_contact('Ann') AS ann \gset
UPDATE contact SET score = 1000, lifecycle = 'many' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('S62', 'the thousandth', count(*) = 1000) FROM automation.deliveries WHERE workflow = 's62' AND state = 'queued';
SELECT conformance.no('S62', 'the thousand and first', (SELECT state <> 'skipped' FROM automation.deliveries WHERE workflow = 's62' AND address = '33611001000'));
SELECT conformance.yes('S62', 'one sees that it was not sent', (SELECT status = 'Unable to send' FROM sms_message WHERE workflow = 's62' AND reason = 'monthly_cap'));
CALL automation.advance('31 days');
UPDATE contact SET score = 0, lifecycle = 'few' WHERE id = :ann;
UPDATE contact SET lifecycle = 'many' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('S62', 'the next month', count(*) = 1) FROM automation.deliveries WHERE workflow = 's62' AND state = 'queued' AND created_at > automation.now() - interval '1 hour';
DROP FUNCTION s62;

-- S63, names of channels; S64, nobody's record gets none; S65, in the name of whom Slack was installed by, as long as he is there
CREATE FUNCTION s63(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
  ENROLL AGAIN;
BEGIN
  SEND open_slack_channel(d, d.title);
END $$;
INSERT INTO app_connection (app, installed_by) VALUES ('slack', 1) ON CONFLICT (app) DO UPDATE SET installed_by = 1;
SELECT new_deal('a-deal_of-2030') AS good, new_deal(repeat('x', 80)) AS longest, new_deal(repeat('y', 81)) AS too_long, new_deal('Capital') AS capital,
       new_deal('with blank') AS blank, new_deal('nobodys') AS nobodys \gset
UPDATE deal SET owner_id = NULL WHERE id = :nobodys;
UPDATE deal SET status = 'won' WHERE id IN (:good, :longest, :too_long, :capital, :blank, :nobodys);
CALL automation.run();
SELECT conformance.yes('S63', 'what Slack allows, up to 80', array_agg(subject_key::int ORDER BY subject_key::int) = ARRAY[:good, :longest]) FROM automation.deliveries WHERE workflow = 's63';
SELECT conformance.no('S63', 'capitals, blanks, more than 80', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's63' AND subject_key::int IN (:too_long, :capital, :blank)));
SELECT conformance.yes('S63', 'the step says why', count(*) = 3) FROM automation.enrollments WHERE workflow = 's63' AND error LIKE '%at_most_80_of_a_to_z%';
SELECT conformance.refused('S63', 'it is the name', $$ SELECT open_slack_channel(d, 'Big deal') FROM deal d WHERE title = 'Capital' $$, '%at_most_80_of_a_to_z_digits_hyphens_and_underscores%');
SELECT conformance.yes('S64', 'somebody owns it', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's63' AND subject_key = :good::text));
SELECT conformance.no('S64', 'nobody does', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's63' AND subject_key = :nobodys::text));
SELECT conformance.yes('S65', 'who has installed it', array_agg(name) = '{Ada Bell}') FROM slack_installer();
UPDATE app_user SET is_active = false WHERE id = 1;
SELECT new_deal('after-he-left') AS late \gset
UPDATE deal SET owner_id = 2, status = 'won' WHERE id = :late;
CALL automation.run();
SELECT conformance.no('S65', 'a channel when he is gone', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's63' AND subject_key = :late::text));
UPDATE app_connection SET installed_by = 2 WHERE app = 'slack';
UPDATE deal SET status = 'open' WHERE id = :late;
UPDATE deal SET status = 'won' WHERE id = :late;
CALL automation.run();
SELECT conformance.yes('S65', 'when somebody else has installed it', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's63' AND subject_key = :late::text));
UPDATE app_user SET is_active = true WHERE id = 1;
DROP FUNCTION s63;

-- S66, he is invited to the channel when it is there
CREATE FUNCTION s66(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
DECLARE
  reply automation.delivery;
BEGIN
  SEND open_slack_channel(d, slack_channel_name(d.title)) INTO reply TIMEOUT '1 day';
  SEND slack_invite_installer(reply_json(reply) #>> '{channel,id}');
END $$;
UPDATE app_user SET slack_id = 'U042' WHERE id = 2;
SELECT new_deal('Good') AS good, new_deal('Taken') AS taken \gset
UPDATE deal SET status = 'won' WHERE id IN (:good, :taken);
CALL automation.run();
SELECT automation.settle(id, 'sent', 200, CASE subject_key WHEN :good::text THEN '{"ok": true, "channel": {"id": "C7"}}' ELSE '{"ok": false, "error": "name_taken"}' END)
FROM automation.deliveries WHERE workflow = 's66';
CALL automation.run();
SELECT conformance.yes('S66', 'invited', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's66' AND subject_key = :good::text
    AND target = 'https://slack.com/api/conversations.invite' AND body::jsonb = '{"channel": "C7", "users": "U042"}'));
SELECT conformance.no('S66', 'to a channel that was not made', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's66' AND subject_key = :taken::text AND target LIKE '%invite'));
DROP FUNCTION s66;

-- S67, an audience that is made is a customer list; S68, workflows may be kept to audiences that a workflow made
CREATE FUNCTION s67(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
  ENROLL AGAIN;
DECLARE
  reply automation.delivery;
BEGIN
  SEND create_audience('Buyers', '1234') INTO reply TIMEOUT '1 day';
  SELECT audience_created('Buyers', reply) WHERE FOUND;
  SEND add_to_audience(c, 'Buyers', only_own => true);
END $$;
CREATE FUNCTION s68(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SEND add_to_audience(c, 'By hand', only_own => true);
END $$;
INSERT INTO ad_audience (network, name, external_id) VALUES ('facebook', 'By hand', '77');
SELECT new_contact('Ann') AS ann \gset
UPDATE contact SET lifecycle = 'customer' WHERE id = :ann;
CALL automation.run();
SELECT automation.settle(id, 'sent', 200, '{"id": "4242"}') FROM automation.deliveries WHERE workflow = 's67';
CALL automation.run();
SELECT conformance.yes('S67', 'of that sub-type, here and there', (SELECT subtype = 'customer_list' AND external_id = '4242' FROM ad_audience WHERE name = 'Buyers')
    AND EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's67' AND target LIKE '%/act_1234/customaudiences'
                AND body::jsonb @> '{"name": "Buyers", "subtype": "CUSTOM", "customer_file_source": "USER_PROVIDED_ONLY"}'));
SELECT conformance.yes('S68', 'into the one it made', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's67' AND target LIKE '%/4242/users'));
SELECT conformance.no('S68', 'into one made by hand', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's68')
    OR EXISTS (SELECT FROM ad_audience_member m JOIN ad_audience a ON a.id = m.audience_id WHERE a.name = 'By hand'));
SELECT conformance.refused('S68', 'it says why', format($$ SELECT add_to_audience(c, 'By hand', only_own => true) FROM contact c WHERE id = %s $$, :ann), 'audience "By hand" was not made by a workflow');
UPDATE contact SET lifecycle = 'lead' WHERE id = :ann;
UPDATE contact SET lifecycle = 'customer' WHERE id = :ann;
CALL automation.run();
SELECT conformance.no('S67', 'made twice', (SELECT count(*) <> 1 FROM automation.deliveries WHERE workflow = 's67' AND target LIKE '%/customaudiences'));
DROP FUNCTION s67, s68;

-- S69, as many prompts as were bought for the month: the cap of the server; who may not use it has none
CREATE FUNCTION s69(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  SEND ai_prompt('Guess the industry of ' || c.email, server => 'ai_bought');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
UPDATE contact SET lifecycle = 'lead' WHERE id IN (:ann, :bob, :cid);
CALL automation.run();
SELECT conformance.yes('S69', 'two of two', count(*) = 2) FROM automation.deliveries WHERE workflow = 's69' AND state = 'queued';
SELECT conformance.no('S69', 'a third', (SELECT count(*) <> 1 FROM automation.deliveries WHERE workflow = 's69' AND state = 'skipped' AND reason = 'monthly_cap'));
DROP FUNCTION s69;
