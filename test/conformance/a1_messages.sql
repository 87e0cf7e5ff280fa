-- Messages to contacts.  Nothing leaves here: what SEND has put into the queue is looked at, and settled.

-- A01, an automated campaign, when its wait is over: for those on its list, by mail
CREATE FUNCTION a01(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  WAIT FOR '1 day';
  SEND campaign_mail('Welcome series', c);
END $$;
UPDATE email_campaign SET template = 'welcome' WHERE name = 'Welcome series';
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dan') AS dan \gset
SELECT subscribe(c, 'News') FROM contact c WHERE id IN (:ann, :cid);
INSERT INTO list_subscription (contact_id, list_id, status) VALUES (:dan, list('News'), 'unconfirmed');
SELECT subscribe(c, 'Offers') FROM contact c WHERE id = :bob;
UPDATE contact SET email = NULL WHERE id = :cid;
UPDATE contact SET lifecycle = 'lead' WHERE id IN (:ann, :bob, :cid, :dan);
CALL automation.run();
SELECT conformance.no('A01', 'sent before the wait is over', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a01'));
CALL automation.advance('1 day');
SELECT conformance.yes('A01', 'the mail of the campaign, with its list',
    EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a01' AND subject_key = :ann::text AND state = 'queued' AND address = 'ann@example.com'
            AND class = 'marketing' AND list = 'News' AND family = 'welcome' AND title = 'Welcome, Ann'));
SELECT conformance.yes('A01', 'somebody on another list is passed over, and one sees why',
    EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a01' AND subject_key = :bob::text AND state = 'skipped' AND reason = 'not_subscribed'));
SELECT conformance.no('A01', 'somebody who has not confirmed gets one',
    (SELECT count(*) <> 1 OR bool_or(state <> 'skipped') FROM automation.deliveries WHERE workflow = 'a01' AND subject_key = :dan::text));
SELECT conformance.no('A01', 'somebody without an address gets one',
    EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a01' AND subject_key = :cid::text AND state <> 'skipped'));
DROP FUNCTION a01;

-- A02, variants of one mail: each gets one of them, always the same, and a third of them the short one
INSERT INTO automation.template (name, variant, share, class, subject, body)
VALUES ('trial ends', 'short', 1, 'transactional', 'Your trial ends', 'Tomorrow.'),
       ('trial ends', 'long', 2, 'transactional', 'Your trial ends tomorrow', 'It was good to have you, {{ contact.first_name }}.');
CREATE FUNCTION a02(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'trial';
  ENROLL AGAIN;
BEGIN
  SEND email('trial ends', c);
END $$;
SELECT count(new_contact('v' || n)) FROM generate_series(1, 60) n;
UPDATE contact SET lifecycle = 'trial' WHERE first_name LIKE 'v%';
CALL automation.run();
UPDATE contact SET lifecycle = NULL WHERE first_name LIKE 'v%';
UPDATE contact SET lifecycle = 'trial' WHERE first_name LIKE 'v%';
CALL automation.run();
SELECT conformance.yes('A02', 'all got a mail, each time', count(*) = 120 AND count(DISTINCT subject_key) = 60)
FROM automation.deliveries WHERE workflow = 'a02' AND state = 'queued';
SELECT conformance.yes('A02', 'both variants, the short one less often',
    count(*) FILTER (WHERE variant = 'short') BETWEEN 1 AND count(*) FILTER (WHERE variant = 'long') - 1)
FROM automation.deliveries WHERE workflow = 'a02';
SELECT conformance.no('A02', 'somebody gets both',
    EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a02' GROUP BY subject_key HAVING count(DISTINCT variant) > 1));
DROP FUNCTION a02;

-- A03, a personal mail from a connected mailbox, to somebody who is on no list
INSERT INTO automation.template (name, about, class, subject, html) VALUES
    ('proposal', 'crm.contact', 'transactional', 'Your proposal, {{ contact.first_name }}', '<p>Have you had time to look at it?</p>'),
    ('reminder', 'crm.contact', 'transactional', 'Your proposal, {{ contact.first_name }}', '<p>Another word about it.</p>');
CREATE FUNCTION a03(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lead_status TO 'working';
DECLARE
  mail automation.delivery;
BEGIN
  SEND personal_mail('proposal', c, 'ada@example.com') INTO mail;
  SELECT note_mail(mail.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET lead_status = 'working' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('A03', 'from the mailbox, without a subscription',
    EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a03' AND subject_key = :ann::text AND state = 'queued'
            AND options ->> 'from' = 'ada@example.com' AND options ->> 'from_name' = 'Ada Bell' AND class = 'transactional' AND title = 'Your proposal, Ann'));
SELECT automation.settle(id) FROM automation.deliveries WHERE workflow = 'a03';
CALL automation.run();
SELECT conformance.yes('A03', 'it is among the mails of the contact',
    EXISTS (SELECT FROM email_message m JOIN connected_mailbox b ON b.id = m.mailbox_id
            WHERE m.contact_id = :ann AND m.class = 'personal' AND m.sent_via = 'personal_mailbox' AND b.address = 'ada@example.com'));
SELECT conformance.no('A03', 'others got one', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a03' AND subject_key <> :ann::text));
SELECT conformance.refused('A03', 'a mailbox that is not connected',
    format($$ SELECT personal_mail('proposal', c, 'zoe@example.com') FROM contact c WHERE id = %s $$, :bob), 'mailbox "zoe@example.com" is not connected');
DROP FUNCTION a03;

-- A04, the sender is the deal's owner, or a mailbox that is named; of what is no deal there is no such sender
CREATE FUNCTION a04(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id WHEN new.stage_id = stage('Sales', 'Proposal');
BEGIN
  SEND personal_mail('proposal', c, sender_of(d), tokens(d)) FROM people_of(d) c;
  SEND personal_mail('reminder', c, 'chiara@example.com', tokens(d)) FROM people_of(d) c;
END $$;
SELECT new_contact('Ann') AS ann \gset
SELECT new_deal('Big', 'Sales', 'New', :ann) AS big, new_deal('Nobody''s', 'Sales', 'New', :ann) AS nobodys \gset
UPDATE deal SET owner_id = app_user('Bruno Costa') WHERE id = :big;
UPDATE deal SET owner_id = NULL WHERE id = :nobodys;
UPDATE deal SET stage_id = stage('Sales', 'Proposal') WHERE id = :big;
CALL automation.run();
SELECT conformance.yes('A04', 'the owner''s mailbox, then the one that was chosen',
    array_agg(options ->> 'from' ORDER BY id) = '{bruno@example.com,chiara@example.com}')
FROM automation.deliveries WHERE workflow = 'a04' AND subject_key = :big::text;
SELECT conformance.refused('A04', 'a deal without an owner',
    format($$ SELECT personal_mail('proposal', c, sender_of(d)) FROM deal d, people_of(d) c WHERE d.id = %s $$, :nobodys), 'a personal mail has no sender');
SELECT conformance.refused('A04', 'in a workflow about something else', $sql$
    CREATE FUNCTION a04_contact(c contact) RETURNS bigint LANGUAGE workflow AS $$
      AFTER UPDATE OF city;
    BEGIN
      SEND personal_mail('proposal', c, sender_of(c));
    END $$ $sql$, 'function sender_of(contact) does not exist');
DROP FUNCTION a04;

-- A05, a second mail goes on in the thread of the first; another automation begins one of its own
CREATE FUNCTION a05(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lead_status TO 'proposed';
BEGIN
  SEND personal_mail('proposal', c, 'ada@example.com');
  WAIT FOR '3 days';
  SEND personal_mail('reminder', c, 'ada@example.com', thread => 'previous');
END $$;
CREATE FUNCTION a05_other(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lead_status TO 'lost';
BEGIN
  SEND personal_mail('reminder', c, 'ada@example.com', thread => 'previous');
END $$;
SELECT new_contact('Ann') AS ann \gset
UPDATE contact SET lead_status = 'proposed' WHERE id = :ann;
CALL automation.run();
SELECT automation.settle(id) FROM automation.deliveries WHERE workflow = 'a05';
CALL automation.advance('3 days');
UPDATE contact SET lead_status = 'lost' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('A05', 'an answer to the first mail',
    EXISTS (SELECT FROM automation.deliveries m JOIN automation.deliveries first ON first.workflow = 'a05' AND first.title = 'Your proposal, Ann'
            WHERE m.workflow = 'a05' AND m.title = 'Re: Your proposal, Ann' AND m.options ->> 'in_reply_to' = '<' || first.uid || '@example.com>'));
SELECT count(note_mails(c)) FROM contact c WHERE id = :ann;
SELECT conformance.yes('A05', 'it is so among the mails of the CRM',
    EXISTS (SELECT FROM email_message m JOIN email_message first ON first.id = m.in_reply_to
            WHERE m.contact_id = :ann AND m.name = 'reminder' AND first.name = 'proposal'));
SELECT conformance.no('A05', 'another automation goes on in the thread',
    (SELECT options ? 'in_reply_to' OR title LIKE 'Re:%' FROM automation.deliveries WHERE workflow = 'a05_other'));
DROP FUNCTION a05, a05_other;

-- A06, copies, open and blind, to addresses that are separated by commas
CREATE FUNCTION a06(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lead_status TO 'offer';
BEGIN
  SEND personal_mail('proposal', c, 'ada@example.com', cc => 'emil@example.com, fatou@example.com', bcc => c.custom ->> 'blind copy');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET custom = '{"blind copy": "archive@example.com"}' WHERE id = :ann;
UPDATE contact SET custom = '{"blind copy": "archive"}' WHERE id = :bob;
UPDATE contact SET lead_status = 'offer' WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('A06', 'cc and bcc', (SELECT options -> 'cc' = '["emil@example.com", "fatou@example.com"]' AND options -> 'bcc' = '["archive@example.com"]'
FROM automation.deliveries WHERE workflow = 'a06' AND subject_key = :ann::text));
SELECT conformance.no('A06', 'to what is no address', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a06' AND subject_key = :bob::text));
SELECT conformance.yes('A06', 'who made it is told', EXISTS (SELECT FROM automation.enrollments WHERE workflow = 'a06' AND error LIKE '%option bcc is an array of mail addresses%'));
DROP FUNCTION a06;

-- A07, tokens of contact, deal and company, in the subject and in the text
INSERT INTO automation.template (name, about, class, subject, html) VALUES
    ('deal update', 'crm.contact', 'transactional', '{{ deal.title }} for {{ account.name | default: "you" }}',
     '<p>{{ contact.first_name }}, {{ deal.title }} is worth {{ deal.value | number: "1,234" }}. {{ owner.name }}</p>');
CREATE FUNCTION a07(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF value;
BEGIN
  SEND personal_mail('deal update', c, sender_of(d), tokens(d)) FROM people_of(d) c;
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT new_contact('Cid') AS cid \gset
SELECT new_deal('Big', 'Sales', 'New', :ann, :cid) AS big, new_deal('Small', 'Sales', 'New', :bob) AS small \gset
WITH a AS (INSERT INTO account (name) VALUES ('ACME') RETURNING id) UPDATE deal SET account_id = a.id FROM a WHERE deal.id = :big;
UPDATE deal SET value = 25000 WHERE id IN (:big, :small);
CALL automation.run();
SELECT conformance.yes('A07', 'values of three records, of the contact who gets it', (SELECT array_agg(body ORDER BY body) = '{"Ann, Big is worth 25,000. Ada Bell","Cid, Big is worth 25,000. Ada Bell"}'
    AND bool_and(title = 'Big for ACME') FROM (SELECT rtrim(body, E'\n') AS body, title FROM automation.deliveries WHERE workflow = 'a07' AND subject_key = :big::text) d));
SELECT conformance.yes('A07', 'a value that is missing: the default', (SELECT title = 'Small for you'
FROM automation.deliveries WHERE workflow = 'a07' AND subject_key = :small::text));
SELECT conformance.no('A07', 'a token is left as it is', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a07' AND title || body LIKE '%{{%'));
DROP FUNCTION a07;

-- A08, bold, italic, underlined, links, lists; what a value brings stays text
INSERT INTO automation.template (name, about, class, subject, html) VALUES
    ('formatted', 'crm.contact', 'transactional', 'Agenda',
     '<p>Dear <b>{{ contact.first_name }}</b>, <i>please</i> <u>read</u> <a href="https://example.com/agenda">the agenda</a>:</p><ul><li>prices</li></ul><ol><li>questions</li></ol>');
CREATE FUNCTION a08(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lead_status TO 'meeting';
BEGIN
  SEND personal_mail('formatted', c, 'ada@example.com');
END $$;
SELECT new_contact('<s>Ann</s>', 'ann@example.com') AS ann \gset
UPDATE contact SET lead_status = 'meeting' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('A08', 'all of them', (SELECT options ->> 'html' LIKE '%<b>%</b>, <i>please</i> <u>read</u> <a href="https://example.com/agenda">the agenda</a>%<ul><li>prices</li></ul><ol><li>questions</li></ol>'
FROM automation.deliveries WHERE workflow = 'a08'));
SELECT conformance.yes('A08', 'and as plain text', (SELECT body LIKE '%the agenda (https://example.com/agenda)%* prices%1. questions%'
FROM automation.deliveries WHERE workflow = 'a08'));
SELECT conformance.no('A08', 'a name formats', (SELECT options ->> 'html' LIKE '%<s>%' FROM automation.deliveries WHERE workflow = 'a08'));
DROP FUNCTION a08;

-- A09, a user's preferred mailbox is the sender of all mails about his deals, from the moment he prefers it
CREATE FUNCTION a09(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF value;
  ENROLL AGAIN;
BEGIN
  SEND personal_mail('proposal', c, sender_of(d), tokens(d)) FROM people_of(d) c;
END $$;
SELECT new_contact('Ann') AS ann \gset
SELECT new_deal('Big', 'Sales', 'New', :ann) AS big \gset
UPDATE deal SET owner_id = app_user('Dora Engel') WHERE id = :big;
INSERT INTO connected_mailbox (user_id, address) VALUES (app_user('Dora Engel'), 'dora.engel@example.com');
UPDATE deal SET value = 1 WHERE id = :big;
CALL automation.run();
SELECT conformance.no('A09', 'a mailbox that is only connected', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a09' AND options ->> 'from' <> 'dora@example.com'));
UPDATE connected_mailbox SET is_preferred = false WHERE address = 'dora@example.com';
UPDATE connected_mailbox SET is_preferred = true WHERE address = 'dora.engel@example.com';
UPDATE deal SET value = 2 WHERE id = :big;
CALL automation.run();
SELECT conformance.yes('A09', 'the one he prefers now', array_agg(options ->> 'from' ORDER BY id) = '{dora@example.com,dora.engel@example.com}')
FROM automation.deliveries WHERE workflow = 'a09';
DROP FUNCTION a09;

-- A10, a text message to the contact; without a number nobody gets it
CREATE FUNCTION a10(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF demo_at WHEN new.demo_at IS NOT NULL;
BEGIN
  SEND sms(c.phone, 'See you on ' || to_char(c.demo_at, 'DD Mon'), class => 'transactional');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET phone = '+33611223344' WHERE id = :ann;
UPDATE contact SET demo_at = '2030-05-02 10:00Z' WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('A10', 'to the number, from the account''s',
    EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a10' AND subject_key = :ann::text AND state = 'queued' AND channel = 'sms' AND address = '33611223344'
            AND target = 'https://api.twilio.com/2010-04-01/Accounts/AC123/Messages.json'
            AND body LIKE '%To=%2B33611223344%' AND body LIKE '%See%20you%20on%2002%20May%' AND body LIKE '%From=%2B15550100%'));
SELECT conformance.no('A10', 'somebody without a number', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a10' AND subject_key = :bob::text AND state <> 'skipped'));
DROP FUNCTION a10;

-- A11, a transactional mail by Postmark, to whoever did not subscribe, too; the server takes nothing else
CREATE FUNCTION a11(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order FOR SELECT new.contact_id;
BEGIN
  SEND email('thank you', c, server => 'postmark', headers => '{"X-PM-Message-Stream": "outbound", "X-PM-Tag": "order"}');
END $$;
CREATE FUNCTION a11_news(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order FOR SELECT new.contact_id;
BEGIN
  SEND email('welcome', c, server => 'postmark');
END $$;
SELECT new_contact('Ann') AS ann \gset
UPDATE contact SET unsubscribed = true, is_marketing = false WHERE id = :ann;
INSERT INTO sales_order (contact_id, total) VALUES (:ann, 10);
CALL automation.run();
SELECT conformance.yes('A11', 'by Postmark, with stream and tag',
    EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a11' AND state = 'queued' AND server = 'postmark' AND class = 'transactional'
            AND headers = '{"X-PM-Message-Stream": "outbound", "X-PM-Tag": "order"}'));
SELECT conformance.no('A11', 'marketing on that way', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a11_news'));
SELECT conformance.yes('A11', 'and the step says why', (SELECT error LIKE '%marketing%' FROM automation.enrollments WHERE workflow = 'a11_news'));
DROP FUNCTION a11, a11_news;
SET client_min_messages = error;   -- it warns that there is no such server
CREATE FUNCTION a11_not_connected(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order FOR SELECT new.contact_id;
BEGIN
  SEND email('thank you', c, server => 'postmark_eu');
END $$;
RESET client_min_messages;
INSERT INTO sales_order (contact_id, total) VALUES (:ann, 10);
CALL automation.run();
SELECT conformance.no('A11', 'by what is not connected', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a11_not_connected'));
SELECT conformance.yes('A11', 'the step says what is missing', (SELECT error LIKE '%postmark_eu%' FROM automation.enrollments WHERE workflow = 'a11_not_connected'));
DROP FUNCTION a11_not_connected;

-- A12, a message on the site: shown at the next visit, once, to who has opted in, where the site is tracked
INSERT INTO tracking_site (domain) VALUES ('example.com');
CREATE FUNCTION a12(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('vip') FOR SELECT new.contact_id;
BEGIN
  SELECT show_site_message(c, 'intro 1');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET site_message_opt_in = true WHERE id = :ann;
SELECT add_tag(c, 'vip') FROM contact c WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.no('A12', 'on a site that is not tracked', EXISTS (SELECT FROM contact c, page_messages(c, 'https://elsewhere.example/') WHERE c.id = :ann));
SELECT conformance.yes('A12', 'shown', array_agg(m.name) = '{intro 1}') FROM contact c, page_messages(c, 'https://www.example.com/start') m WHERE c.id = :ann;
SELECT conformance.no('A12', 'shown again', EXISTS (SELECT FROM contact c, page_messages(c, 'https://www.example.com/start') WHERE c.id = :ann));
SELECT conformance.no('A12', 'to somebody who did not opt in', EXISTS (SELECT FROM contact c, page_messages(c, 'https://www.example.com/start') WHERE c.id = :bob));
DROP FUNCTION a12;

-- A13, on the page it is for; A14, on any
CREATE FUNCTION a13(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('blog') FOR SELECT new.contact_id;
BEGIN
  SELECT show_site_message(c, 'pricing help');
  SELECT show_site_message(c, 'intro 2');
END $$;
SELECT new_contact('Ann') AS ann \gset
UPDATE contact SET site_message_opt_in = true WHERE id = :ann;
SELECT add_tag(c, 'blog') FROM contact c WHERE id = :ann;
CALL automation.run();
SELECT string_agg(m.name, ', ') AS first FROM contact c, page_messages(c, 'https://example.com/blog/7') m WHERE c.id = :ann \gset
SELECT string_agg(m.name, ', ') AS second FROM contact c, page_messages(c, 'https://example.com/pricing?from=mail#top') m WHERE c.id = :ann \gset
SELECT conformance.yes('A13', 'on its page', :'second' = 'pricing help');
SELECT conformance.no('A13', 'on another page', :'first' LIKE '%pricing help%');
SELECT conformance.yes('A14', 'on the first page that is visited', :'first' = 'intro 2');
SELECT conformance.no('A14', 'shown twice', :'second' LIKE '%intro 2%');
DROP FUNCTION a13;

-- A15, an automated mail to the contacts of the record: at most 100, who is not for marketing gets none of it
CREATE FUNCTION a15(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF customer_status TO 'customer';
BEGIN
  SEND automated_mail('welcome', c) FROM people_of(a) c;
END $$;
INSERT INTO account (name) VALUES ('ACME') RETURNING id AS acme \gset
INSERT INTO account (name) VALUES ('Small') RETURNING id AS small \gset
INSERT INTO account_contact (account_id, contact_id) SELECT :acme, new_contact('p' || n) FROM generate_series(1, 101) n;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Binned') AS binned \gset
INSERT INTO account_contact (account_id, contact_id) VALUES (:small, :ann), (:small, :bob), (:small, :binned);
UPDATE contact SET deleted_at = automation.now() WHERE id = :binned;
UPDATE contact SET is_marketing = false WHERE id = :bob;
UPDATE account SET customer_status = 'customer' WHERE id IN (:acme, :small);
CALL automation.run();
SELECT conformance.yes('A15', 'a hundred of a hundred and one', count(*) = 100 AND count(DISTINCT address) = 100)
FROM automation.deliveries WHERE workflow = 'a15' AND subject_key = :acme::text AND state = 'queued';
SELECT conformance.no('A15', 'one in the bin', (SELECT count(*) <> 0 FROM people_of((SELECT a FROM account a WHERE a.id = :small)) p WHERE p.id = :binned)
    OR EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a15' AND address = 'binned@example.com'));
SELECT conformance.no('A15', 'the 101st', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a15' AND address = 'p101@example.com'));
SELECT conformance.yes('A15', 'who is for marketing', array_agg(address) = '{ann@example.com}')
FROM automation.deliveries WHERE workflow = 'a15' AND subject_key = :small::text AND state = 'queued';
DROP FUNCTION a15;

-- A16, a mail when a ticket comes in and one when it is closed
SELECT ticket_templates();
CREATE FUNCTION a16_received(t ticket) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SEND automated_mail('Ticket received', c, tokens(t)) FROM people_of(t) c;
END $$;
CREATE FUNCTION a16_closed(t ticket) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status_id WHEN new.status_id = stage('Help', 'Closed');
  ENROLL AGAIN;
BEGIN
  SEND automated_mail('Ticket closed', c, tokens(t)) FROM people_of(t) c;
END $$;
SELECT new_contact('Ann') AS ann \gset
INSERT INTO ticket (subject, pipeline_id, status_id) VALUES ('Login', pipeline('Help'), stage('Help', 'New')) RETURNING id AS login \gset
INSERT INTO ticket_contact VALUES (:login, :ann);
CALL automation.run();
SELECT conformance.yes('A16', 'received', array_agg(title) = '{We have received your request: Login}') FROM automation.deliveries WHERE workflow LIKE 'a16%';
UPDATE ticket SET status_id = stage('Help', 'Waiting on us') WHERE id = :login;
CALL automation.run();
SELECT conformance.no('A16', 'a mail at another status', (SELECT count(*) <> 1 FROM automation.deliveries WHERE workflow LIKE 'a16%'));
UPDATE ticket SET status_id = stage('Help', 'Closed') WHERE id = :login;
CALL automation.run();
SELECT conformance.yes('A16', 'closed', array_agg(title) = '{Your request is closed: Login}') FROM automation.deliveries WHERE workflow = 'a16_closed';
DROP FUNCTION a16_received, a16_closed;

-- A17, the same as an automation of one status, which mail is said there
CREATE FUNCTION a17(t ticket, template text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status_id WHEN new.status_id = stage('Help', 'New') FOR SELECT new.id, 'Ticket received';
  AFTER INSERT OR UPDATE OF status_id WHEN new.status_id = stage('Help', 'Closed') FOR SELECT new.id, 'Ticket closed';
  ENROLL AGAIN;
BEGIN
  SEND automated_mail(template, c, tokens(t)) FROM people_of(t) c;
END $$;
SELECT new_contact('Ann') AS ann \gset
INSERT INTO ticket (subject, pipeline_id, status_id) VALUES ('Invoice', pipeline('Help'), stage('Help', 'Waiting on us')) RETURNING id AS invoice \gset
INSERT INTO ticket_contact VALUES (:invoice, :ann);
CALL automation.run();
SELECT count(*) AS before FROM automation.deliveries WHERE workflow = 'a17' \gset
UPDATE ticket SET status_id = stage('Help', 'New') WHERE id = :invoice;
CALL automation.run();
UPDATE ticket SET status_id = stage('Help', 'Waiting on contact') WHERE id = :invoice;
CALL automation.run();
UPDATE ticket SET status_id = stage('Help', 'Closed') WHERE id = :invoice;
CALL automation.run();
SELECT conformance.yes('A17', 'at New and at Closed', array_agg(family ORDER BY id) = '{Ticket received,Ticket closed}') FROM automation.deliveries WHERE workflow = 'a17';
SELECT conformance.no('A17', 'at another one', :before <> 0 OR (SELECT count(*) <> 2 FROM automation.deliveries WHERE workflow = 'a17'));

-- A18, the ready-made mails can be edited, and stay so; they are transactional
UPDATE automation.template SET subject = 'Got it: {{ ticket.subject }}' WHERE name = 'Ticket received';
SELECT ticket_templates() AS made \gset
UPDATE ticket SET status_id = stage('Help', 'New') WHERE id = :invoice;
UPDATE contact SET is_marketing = false, unsubscribed = true WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('A18', 'as edited, and to somebody who is not for marketing',
    EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a17' AND state = 'queued' AND title = 'Got it: Invoice' AND class = 'transactional'));
SELECT conformance.no('A18', 'made anew over what was edited',
    :made <> 0 OR NOT EXISTS (SELECT FROM automation.template WHERE name = 'Ticket received' AND subject LIKE 'Got it%'));
DROP FUNCTION a17;

-- A19, an automated mail of one's own instead: one that is not transactional reaches marketing contacts only
CREATE FUNCTION a19(t ticket) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status_id WHEN new.status_id = stage('Help', 'Closed');
BEGIN
  SEND automated_mail('welcome', c, tokens(t)) FROM people_of(t) c;
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET is_marketing = false WHERE id = :bob;
INSERT INTO ticket (subject, status_id, pipeline_id) VALUES ('Printer', stage('Help', 'New'), pipeline('Help')) RETURNING id AS printer \gset
INSERT INTO ticket_contact VALUES (:printer, :ann), (:printer, :bob);
UPDATE ticket SET status_id = stage('Help', 'Closed') WHERE id = :printer;
CALL automation.run();
SELECT conformance.yes('A19', 'his own mail', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a19' AND state = 'queued' AND family = 'welcome' AND address = 'ann@example.com'));
SELECT conformance.no('A19', 'to one who is not for marketing', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a19' AND state <> 'skipped' AND address = 'bob@example.com'));
SELECT conformance.yes('A19', 'and one sees why', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a19' AND reason = 'not_marketing'));
DROP FUNCTION a19;

-- A20 to A23, consent to a type of communication: its status, the legal basis, why; one type, not the others
INSERT INTO subscription_type (name) VALUES ('Newsletter'), ('Events');
CREATE FUNCTION a20(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission WHEN new.form_id = form('Webinar') FOR SELECT new.contact_id;
BEGIN
  SELECT manage_subscription(c, 'Events', 'active', legal_basis => 'consent', explanation => 'asked for it when signing up for the webinar');
END $$;
CREATE FUNCTION a21(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'former customer';
BEGIN
  SELECT manage_subscription(c, 'Events', 'unsubscribed');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT manage_subscription(c, 'Newsletter', 'active', 'legitimate interest', 'customer') FROM contact c WHERE id IN (:ann, :bob);
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Webinar'), :ann), (form('Demo'), :bob);
CALL automation.run();
SELECT conformance.yes('A20', 'the contact is subscribed to it',
    EXISTS (SELECT FROM contact_subscription s JOIN subscription_type t ON t.id = s.type_id WHERE s.contact_id = :ann AND t.name = 'Events' AND s.status = 'active'));
SELECT conformance.no('A20', 'somebody who did not enter', (SELECT count(*) <> 1 FROM contact_subscription WHERE contact_id = :bob));
SELECT conformance.yes('A22', 'the legal basis', (SELECT legal_basis = 'consent' FROM contact_subscription s JOIN subscription_type t ON t.id = s.type_id
WHERE s.contact_id = :ann AND t.name = 'Events'));
SELECT conformance.yes('A23', 'why', (SELECT consent_explanation = 'asked for it when signing up for the webinar'
FROM contact_subscription s JOIN subscription_type t ON t.id = s.type_id WHERE s.contact_id = :ann AND t.name = 'Events'));
SELECT conformance.no('A22', 'that of another type', (SELECT legal_basis <> 'legitimate interest' FROM contact_subscription s JOIN subscription_type t ON t.id = s.type_id
WHERE s.contact_id = :ann AND t.name = 'Newsletter'));
SELECT conformance.no('A23', 'that of another type', (SELECT consent_explanation <> 'customer' FROM contact_subscription s JOIN subscription_type t ON t.id = s.type_id
WHERE s.contact_id = :ann AND t.name = 'Newsletter'));
UPDATE contact SET lifecycle = 'former customer' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('A21', 'another status of that type',
    EXISTS (SELECT FROM contact_subscription s JOIN subscription_type t ON t.id = s.type_id WHERE s.contact_id = :ann AND t.name = 'Events' AND s.status = 'unsubscribed'));
SELECT conformance.no('A21', 'of the other type', EXISTS (SELECT FROM contact_subscription s JOIN subscription_type t ON t.id = s.type_id
                                                         WHERE s.contact_id = :ann AND t.name = 'Newsletter' AND s.status <> 'active'));
-- what is not consented to is not sent
INSERT INTO automation.template (name, about, class, list, subject, body)
VALUES ('next events', 'crm.contact', 'marketing', 'Events', 'Our next events', 'Come! {{ unsubscribe_url }} {{ postal_address }}');
CREATE FUNCTION a21_mail(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF city;
BEGIN
  SEND automated_mail('next events', c);
END $$;
UPDATE contact SET city = 'Lyon' WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('A20', 'who has not said anything else gets mails of that type', (SELECT state = 'queued' AND list = 'Events' FROM automation.deliveries WHERE workflow = 'a21_mail' AND subject_key = :'bob'));
SELECT conformance.no('A21', 'who has unsubscribed from it', (SELECT state <> 'skipped' OR reason <> 'not_subscribed' FROM automation.deliveries WHERE workflow = 'a21_mail' AND subject_key = :'ann'));
DROP FUNCTION a21_mail;
SELECT conformance.refused('A21', 'a type that is not there',
    format($$ SELECT manage_subscription(c, 'Parties', 'active') FROM contact c WHERE id = %s $$, :ann), 'there is no subscription type "Parties"');
DROP FUNCTION a20, a21;
