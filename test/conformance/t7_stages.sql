-- Enrolment by criteria, workflows around a date, stages of pipelines, the status of tickets.

-- A ticket, and mails about it.
CREATE FUNCTION new_ticket(subject text, status text DEFAULT 'New', channel text DEFAULT 'email') RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO ticket (subject, status_id, channel) VALUES ($1, stage('Help', $2), $3) RETURNING id;
$$;
CREATE FUNCTION new_thread(ticket bigint, creating boolean DEFAULT false, channel text DEFAULT 'email') RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO conversation_thread (ticket_id, is_creating_thread, channel) VALUES ($1, $2, $3) RETURNING id;
$$;
CREATE FUNCTION first_mail(thread bigint, contact bigint, forwarded boolean DEFAULT false) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO email_message (class, direction, contact_id, thread_id, is_forward) VALUES ('personal', 'in', $2, $1, $3) RETURNING id;
$$;
CREATE FUNCTION reply_to(mail bigint, via text DEFAULT 'service') RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO email_message (class, direction, contact_id, thread_id, in_reply_to, sent_via)
    SELECT 'personal', 'in', m.contact_id, m.thread_id, m.id, $2 FROM email_message m WHERE m.id = $1 RETURNING id;
$$;
CREATE FUNCTION mail_from_ticket(ticket bigint, contact bigint, via text DEFAULT 'service', answers bigint DEFAULT NULL, forwarded boolean DEFAULT false)
RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO email_message (class, direction, sent_from, ticket_id, contact_id, sent_via, in_reply_to, is_forward)
    VALUES ('personal', 'out', 'ticket', $1, $2, $3, $4, $5) RETURNING id;
$$;
CREATE FUNCTION status_of(ticket bigint) RETURNS text LANGUAGE sql AS $$
    SELECT s.name FROM ticket t JOIN pipeline_stage s ON s.id = t.status_id WHERE t.id = $1;
$$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset

-- T151, who comes to meet the criteria is enrolled, and goes through the actions: each change that can make them true is named
CREATE FUNCTION t151(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF country, lifecycle
    WHEN new.country = 'FR' AND new.lifecycle = 'lead'
         AND EXISTS (SELECT FROM contact_tag g WHERE g.contact_id = new.id AND g.tag_id = tag('webinar') AND g.removed_at IS NULL);
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('webinar')
    FOR SELECT p.id FROM contact p WHERE p.id = new.contact_id AND p.country = 'FR' AND p.lifecycle = 'lead';
BEGIN
  SELECT conformance.hit('T151', c.id);
END $$;
SELECT new_contact('Cid') AS cid, new_contact('Dot') AS dot, new_contact('Eve') AS eve, new_contact('Jon') AS jon, new_contact('Kim') AS kim,
       new_contact('Lee') AS lee \gset
INSERT INTO contact_tag (contact_id, tag_id, removed_at) VALUES (:kim, tag('webinar'), automation.now());
INSERT INTO contact_tag (contact_id, tag_id) VALUES (:lee, tag('webinar'));
CALL automation.run();
UPDATE contact SET country = 'FR' WHERE id IN (:cid, :dot, :eve, :kim);
UPDATE contact SET lifecycle = 'lead' WHERE id IN (:cid, :eve, :jon, :kim, :lee);
INSERT INTO contact_tag (contact_id, tag_id) VALUES (:jon, tag('webinar'));
INSERT INTO contact_tag (contact_id, tag_id) VALUES (:cid, tag('webinar')), (:dot, tag('webinar')), (:eve, tag('blog'));
CALL automation.run();
SELECT conformance.yes('T151', 'the tag was the last thing missing', conformance.hits('T151') = ARRAY[:'cid']);
UPDATE contact SET lifecycle = 'lead' WHERE id = :dot;
CALL automation.run();
SELECT conformance.yes('T151', 'the lifecycle was', conformance.hits('T151') = ARRAY[:'cid', :'dot']);
SELECT conformance.no('T151', 'one of the criteria does not hold, or no longer', conformance.hits('T151') && ARRAY[:'eve', :'jon', :'kim', :'lee']);
UPDATE contact SET country = 'DE' WHERE id = :kim;
DROP FUNCTION t151;
-- those who meet them already, if they are asked for
CREATE FUNCTION t151(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF lifecycle WHEN new.country = 'FR' AND new.lifecycle = 'lead';
BEGIN
  SELECT conformance.hit('T151', c.id, 'was there');
END $$;
UPDATE contact SET lifecycle = CASE id WHEN :jon THEN 'customer' ELSE 'lead' END WHERE id IN (:jon, :kim);
UPDATE contact SET lifecycle = 'lead' WHERE id = :jon;
CALL automation.run();
SELECT conformance.no('T151', 'those who were there, unasked', EXISTS (SELECT FROM conformance.hit WHERE id = 'T151' AND what = 'was there'));
SELECT job FROM automation.backfill('t151', 'c.country = ''FR'' AND c.lifecycle = ''lead''') \gset
CALL automation.run();
SELECT conformance.yes('T151', 'those who were there', (SELECT array_agg(key ORDER BY key::bigint) FROM conformance.hit WHERE id = 'T151' AND what = 'was there') = ARRAY[:'cid', :'dot', :'eve']);
DROP FUNCTION t151;

-- with all that can be said of who enters, stays and leaves: again when out, those no longer who do not meet the criteria, nobody of a list that is
-- left out, messages in business hours
CREATE FUNCTION french_leads(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF country, lifecycle WHEN new.country = 'FR' AND new.lifecycle = 'lead';
  ENROLL AGAIN;
  EXIT WHEN c.lifecycle IS DISTINCT FROM 'lead';
  EXIT WHEN EXISTS (SELECT FROM static_list_member m WHERE m.contact_id = c.id AND m.list_id = static_list('Speakers'));
  SEND DURING 'Mon-Fri 09:00-17:00';
BEGIN
  SEND email('thank you', c);
  WAIT FOR '3 days';
  SELECT add_task(c, 'Call ' || c.name);
END $$;
SELECT new_contact('Fay') AS fay, new_contact('Guy') AS guy, new_contact('Hal') AS hal, new_contact('Ida') AS ida \gset
SELECT add_to_static_list(ARRAY[:guy], 'Speakers');
SELECT automation.pause('french_leads');
UPDATE contact SET country = 'FR', lifecycle = 'lead' WHERE id = :ida;
CALL automation.run();
SELECT automation.resume('french_leads');
UPDATE contact SET country = 'FR', lifecycle = 'lead' WHERE id IN (:fay, :guy, :hal);
UPDATE contact SET lifecycle = 'customer' WHERE id = :jon;
UPDATE contact SET lifecycle = 'lead' WHERE id = :jon;
CALL automation.run();
SELECT conformance.no('T151', 'who is left out or elsewhere enters, or who came while it was off', EXISTS (SELECT FROM automation.enrollments WHERE workflow = 'french_leads' AND subject_key IN (:'guy', :'ida', :'jon')));
SELECT conformance.yes('T151', 'the mail waits for the opening', (SELECT count(*) = 2 AND bool_and(state = 'queued' AND extract(isodow FROM due) < 6 AND extract(hour FROM due) BETWEEN 9 AND 16)
                       FROM automation.deliveries WHERE workflow = 'french_leads'));
UPDATE contact SET lifecycle = 'customer' WHERE id = :hal;
CALL automation.advance('4 days');
SELECT conformance.yes('T151', 'the call', EXISTS (SELECT FROM activity WHERE contact_id = :fay AND title = 'Call Fay'));
SELECT conformance.no('T151', 'a call of who does not meet them any more', EXISTS (SELECT FROM activity WHERE contact_id IN (:guy, :hal, :ida)));
UPDATE contact SET lifecycle = 'lead' WHERE id = :hal;
SELECT french_leads(c) FROM contact c WHERE c.first_name = 'Ida';
CALL automation.run();
SELECT conformance.yes('T151', 'again, and by hand', (SELECT count(*) = 2 FROM automation.enrollments WHERE workflow = 'french_leads' AND subject_key IN (:'hal', :'ida')));
SELECT automation.unenroll('french_leads', c) FROM contact c WHERE c.first_name = 'Ida';
SELECT automation.backfill('french_leads', 'c.country = ''FR'' AND c.lifecycle = ''lead''', rate => 100);
CALL automation.run();
SELECT conformance.yes('T151', 'those who meet them already, at a rate', (SELECT array_agg(subject_key ORDER BY subject_key::bigint) FROM automation.enrollments WHERE workflow = 'french_leads')
                       @> ARRAY[:'cid', :'dot', :'eve', :'fay', :'ida']);
SELECT conformance.no('T151', 'one of them who is left out', EXISTS (SELECT FROM automation.enrollments WHERE workflow = 'french_leads' AND subject_key = :'guy'));
SELECT at, subject, event, reason, statement FROM automation.journal WHERE workflow = 'french_leads' ORDER BY at, position;
SELECT conformance.yes('T151', 'the history says why', (SELECT array_agg(reason ORDER BY at, position) @> '{exit_when,exit_when_at_entry}' FROM automation.journal WHERE workflow = 'french_leads'));
DROP FUNCTION french_leads;

-- T152, a workflow is based on one type of record: contacts, companies, deals, tickets, quotes, or any other table
CREATE FUNCTION t152_contact(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF city;
BEGIN
  SELECT conformance.hit('T152', c.id, 'contact');
END $$;
CREATE FUNCTION t152_company(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF industry;
BEGIN
  SELECT conformance.hit('T152', a.id, 'company');
END $$;
CREATE FUNCTION t152_deal(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF value;
BEGIN
  SELECT conformance.hit('T152', d.id, 'deal');
END $$;
CREATE FUNCTION t152_ticket(t ticket) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF priority;
BEGIN
  SELECT conformance.hit('T152', t.id, 'ticket');
END $$;
CREATE FUNCTION t152_quote(q quote) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'accepted';
BEGIN
  SELECT conformance.hit('T152', q.id, 'quote');
END $$;
INSERT INTO account (name) VALUES ('Bank') RETURNING id AS bank \gset
SELECT new_deal('Loan') AS deal, new_ticket('No card') AS ticket \gset
INSERT INTO quote (title, deal_id, amount) VALUES ('Loan', :deal, 1000) RETURNING id AS quote \gset
CALL automation.run();
UPDATE contact SET city = 'Lyon' WHERE id = :ann;
UPDATE account SET industry = 'banking' WHERE id = :bank;
UPDATE deal SET value = 2000 WHERE id = :deal;
UPDATE ticket SET priority = 'high' WHERE id = :ticket;
UPDATE quote SET status = 'accepted' WHERE id = :quote;
CALL automation.run();
SELECT conformance.yes('T152', 'each by its own workflow',
                       (SELECT array_agg(what || ' ' || key ORDER BY what) FROM conformance.hit WHERE id = 'T152')
                       = ARRAY['company ' || :bank, 'contact ' || :ann, 'deal ' || :deal, 'quote ' || :quote, 'ticket ' || :ticket]);
SELECT conformance.refused('T152', 'a deal in the workflow of contacts', 'SELECT t152_contact(d) FROM deal d', 'function t152_contact(deal) does not exist');
DROP FUNCTION t152_contact, t152_company, t152_deal, t152_ticket, t152_quote;

-- T153, centred on a fixed date; a step whose time is past is left out
SELECT replace($wf$
CREATE FUNCTION t153(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON static_list_member WHEN new.list_id = static_list('Guests') FOR SELECT new.contact_id;
DECLARE
  fair date := '2031-06-01';
BEGIN
  IF now() < fair - 30 THEN
    WAIT UNTIL fair - 30;
    SELECT conformance.hit('T153', c.id, '30 days before');
  END IF;
  IF now() < fair - 7 THEN
    WAIT UNTIL fair - 7;
    SELECT conformance.hit('T153', c.id, '7 days before');
  END IF;
  WAIT UNTIL fair + 1;
  SELECT conformance.hit('T153', c.id, 'the day after');
END $$;
$wf$, '2031-06-01', (automation.now() + interval '40 days')::date::text) \gexec
INSERT INTO static_list_member (list_id, contact_id) VALUES (static_list('Guests'), :ann);
CALL automation.advance('20 days');
INSERT INTO static_list_member (list_id, contact_id) VALUES (static_list('Guests'), :bob), (static_list('Speakers'), :eve);
CALL automation.advance('16 days');
INSERT INTO static_list_member (list_id, contact_id) VALUES (static_list('Guests'), :dot);
CALL automation.advance('6 days');
SELECT conformance.yes('T153', 'before and after the date',
                       (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'T153' AND key = :'ann')
                       = '{30 days before,7 days before,the day after}');
SELECT conformance.no('T153', 'what is past for who comes later',
                      (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'T153' AND key = :'bob') <> '{7 days before,the day after}');
SELECT conformance.no('T153', 'what is past for who comes last',
                      (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'T153' AND key = :'dot') <> '{the day after}');
SELECT conformance.no('T153', 'who does not match', conformance.hits('T153', :eve) > 0);
DROP FUNCTION t153;

-- T154, centred on a date of each contact, wherever it moves; none: nothing is planned
CREATE FUNCTION t154(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF renewal_date WHEN new.renewal_date IS NOT NULL;
  ENROLL REPLACE;
  TIME ZONE c.time_zone;
BEGIN
  IF now() < c.renewal_date - 30 THEN
    WAIT UNTIL c.renewal_date - 30;
    SELECT conformance.hit('T154', c.id, '30 days before');
  END IF;
  IF now() < c.renewal_date - 7 THEN
    WAIT UNTIL c.renewal_date - 7;
    SELECT conformance.hit('T154', c.id, '7 days before');
  END IF;
END $$;
SELECT new_contact('Cid') AS cid, new_contact('Dot') AS dot, new_contact('Eve') AS eve \gset
UPDATE contact SET renewal_date = automation.now()::date + 40 WHERE id = :cid;
UPDATE contact SET renewal_date = automation.now()::date + 20 WHERE id = :dot;
CALL automation.advance('11 days');
SELECT conformance.yes('T154', '30 days before', conformance.hits('T154') = ARRAY[:'cid']);
UPDATE contact SET renewal_date = renewal_date + 10 WHERE id = :dot;
CALL automation.advance('15 days');
SELECT conformance.yes('T154', '7 days before the date as it is now', conformance.hits('T154') = ARRAY[:'cid', :'dot']
                       AND (SELECT at::date + 7 FROM conformance.hit WHERE id = 'T154' AND key = :'dot') = (SELECT renewal_date FROM contact WHERE id = :dot));
SELECT conformance.no('T154', 'no date', conformance.hits('T154', :eve) > 0);
DROP FUNCTION t154;

-- T155, actions of one stage of one pipeline of deals, with a switch
CREATE FUNCTION t155(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF stage_id WHEN new.stage_id = stage('Sales', 'Proposal');
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T155', d.id);
END $$;
SELECT new_deal('Moves', 'Sales', 'New') AS moves, new_deal('Made there', 'Sales', 'Proposal') AS made, new_deal('Elsewhere', 'Enterprise', 'New') AS away,
       new_deal('Late', 'Sales', 'New') AS late \gset
CALL automation.run();
UPDATE deal SET stage_id = stage('Sales', 'Proposal') WHERE id = :moves;
UPDATE deal SET stage_id = stage('Enterprise', 'Contract') WHERE id = :away;
CALL automation.run();
SELECT conformance.yes('T155', 'moved there, made there', conformance.hits('T155') = ARRAY[:'moves', :'made']);
SELECT conformance.no('T155', 'another pipeline', conformance.hits('T155', :away) > 0);
UPDATE deal SET stage_id = stage('Sales', 'Demo') WHERE id = :moves;
CALL automation.run();
UPDATE deal SET stage_id = stage('Sales', 'Proposal') WHERE id = :moves;
CALL automation.run();
SELECT conformance.yes('T155', 'there again', conformance.hits('T155', :moves) = 2);
SELECT automation.pause('t155') IS NOT NULL AS off \gset
UPDATE deal SET stage_id = stage('Sales', 'Proposal') WHERE id = :late;
CALL automation.run();
SELECT conformance.no('T155', 'switched off', conformance.hits('T155', :late) > 0);
DROP FUNCTION t155;

-- T156, the stages of a pipeline of projects: one workflow for all, which is where the project is
CREATE FUNCTION t156(p project) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF stage_id WHEN new.pipeline_id = pipeline('Projects');
  ENROLL REPLACE;
BEGIN
  IF p.stage_id = stage('Projects', 'Kick-off') THEN
    SELECT conformance.hit('T156', p.id, 'kick-off');
  ELSIF p.stage_id = stage('Projects', 'Delivery') THEN
    SELECT conformance.hit('T156', p.id, 'delivery');
    WAIT FOR '14 days';
    SELECT conformance.hit('T156', p.id, 'two weeks in delivery');
  END IF;
END $$;
INSERT INTO project (name, stage_id) VALUES ('Slow', stage('Projects', 'Kick-off')) RETURNING id AS slow \gset
INSERT INTO project (name, stage_id) VALUES ('Fast', stage('Projects', 'Kick-off')) RETURNING id AS fast \gset
CALL automation.run();
UPDATE project SET stage_id = stage('Projects', 'Delivery') WHERE id IN (:slow, :fast);
CALL automation.advance('5 days');
UPDATE project SET stage_id = stage('Projects', 'Review') WHERE id = :fast;
UPDATE project SET name = 'Very slow' WHERE id = :slow;
CALL automation.advance('10 days');
SELECT conformance.yes('T156', 'by stage',
                       (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'T156' AND key = :'slow')
                       = '{kick-off,delivery,two weeks in delivery}');
SELECT conformance.no('T156', 'actions of the stage it has left',
                      (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'T156' AND key = :'fast') <> '{kick-off,delivery}');
DROP FUNCTION t156;

-- T157, a custom object enters a stage; an object without a pipeline has none
CREATE FUNCTION t157(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF stage_id WHEN new.type = 'help ticket' AND new.stage_id = stage('Help desk', 'Solved');
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T157', o.id);
END $$;
INSERT INTO custom_object_record (type, name, stage_id) VALUES ('help ticket', 'no light', stage('Help desk', 'New')) RETURNING id AS light \gset
INSERT INTO custom_object_record (type, name, stage_id) VALUES ('help ticket', 'no water', stage('Help desk', 'New')) RETURNING id AS water \gset
CALL automation.run();
UPDATE custom_object_record SET stage_id = stage('Help desk', 'Solved') WHERE id = :light;
UPDATE custom_object_record SET stage_id = stage('Help desk', 'In progress') WHERE id = :water;
CALL automation.run();
SELECT conformance.yes('T157', 'the stage that is meant', conformance.hits('T157') = ARRAY[:'light']);
SELECT conformance.no('T157', 'another stage', conformance.hits('T157', :water) > 0);
SELECT conformance.refused('T157', 'an object that has no pipeline',
                           $$INSERT INTO custom_object_record (type, stage_id) VALUES ('boat', stage('Help desk', 'New'))$$, 'custom object "boat" has no pipeline');
DROP FUNCTION t157;

-- T158, a ticket reaches a status; chats are left out.  T165, chats only
CREATE FUNCTION t158(t ticket) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status_id
    WHEN new.status_id = stage('Help', 'Waiting on us') AND new.channel NOT IN ('chat', 'messenger');
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T158', t.id);
END $$;
CREATE FUNCTION t165(t ticket) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.channel IN ('chat', 'messenger');
BEGIN
  SELECT conformance.hit('T165', t.id);
END $$;
SELECT new_ticket('By mail') AS mail, new_ticket('By chat', 'New', 'chat') AS chat, new_ticket('By Messenger', 'New', 'messenger') AS messenger \gset
CALL automation.run();
UPDATE ticket SET status_id = stage('Help', 'Waiting on us') WHERE id IN (:mail, :chat);
UPDATE ticket SET status_id = stage('Help', 'Waiting on contact') WHERE id = :messenger;
CALL automation.run();
UPDATE ticket SET priority = 'high' WHERE id = :mail;
CALL automation.run();
SELECT conformance.yes('T158', 'the status', conformance.hits('T158', :mail) = 1);
SELECT conformance.no('T158', 'a chat, another status, another field',
                      conformance.hits('T158', :chat) > 0 OR conformance.hits('T158', :messenger) > 0 OR conformance.hits('T158', :mail) > 1);
SELECT conformance.yes('T165', 'chat and Messenger', conformance.hits('T165') = ARRAY[:'chat', :'messenger']);
SELECT conformance.no('T165', 'a mail', conformance.hits('T165', :mail) > 0);
DROP FUNCTION t158, t165;

-- What mails do to a ticket: a box and a status for each of the two, pipeline by pipeline
INSERT INTO ticket_pipeline_setting (pipeline_id, on_sent_enabled, on_sent_status_id, on_reply_enabled, on_reply_status_id)
VALUES (pipeline('Help'), true, stage('Help', 'Waiting on contact'), true, stage('Help', 'Waiting on us'));

-- T159, somebody of ours writes to a contact from the ticket
SELECT new_ticket('Sent from the ticket') AS t1, new_ticket('Sent from the contact') AS t2, new_ticket('Sent by a workflow') AS t3,
       new_ticket('To a colleague') AS t4, new_ticket('With a workflow') AS t5, new_ticket('To nobody we know') AS t6 \gset
CREATE FUNCTION t159(t ticket) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status_id WHEN new.status_id = stage('Help', 'Waiting on contact');
BEGIN
  SELECT conformance.hit('T159', t.id);
END $$;
SELECT mail_from_ticket(:t1, :ann), mail_from_ticket(:t5, :ann), mail_from_ticket(:t6, NULL) \gset
INSERT INTO email_message (class, direction, sent_from, ticket_id, contact_id) VALUES ('personal', 'out', 'contact', :t2, :ann), ('ticket_template', 'out', 'automation', :t3, :ann),
    ('internal', 'out', 'ticket', :t4, NULL);
SELECT conformance.yes('T159', 'takes the status at once', status_of(:t1) = 'Waiting on contact');
SELECT conformance.no('T159', 'a mail from the contact''s record', status_of(:t2) <> 'New');
SELECT conformance.no('T159', 'a mail of a workflow, one to a colleague, one to no contact', status_of(:t3) <> 'New' OR status_of(:t4) <> 'New' OR status_of(:t6) <> 'New');
CALL automation.run();
SELECT conformance.yes('T159', 'and the workflow of the status begins', conformance.hits('T159') = ARRAY[:'t1', :'t5']);
SELECT mail_from_ticket(:t1, :ann) \gset
CALL automation.run();
SELECT conformance.no('T159', 'the status it has already is no change', conformance.hits('T159', :t1) > 1);
DROP FUNCTION t159;

-- T160, a contact answers in the thread that the ticket was made from
SELECT new_ticket('Answered') AS t1, new_ticket('Answered elsewhere') AS t2 \gset
SELECT new_thread(:t1, true) AS h1, new_thread(:t2, true) AS h2, new_thread(:t2) AS other \gset
SELECT first_mail(:h1, :ann) AS m1, first_mail(:other, :bob) AS m2 \gset
SELECT conformance.no('T160', 'the mail that begins the thread', status_of(:t1) <> 'New');
SELECT reply_to(:m1), reply_to(:m2) \gset
SELECT conformance.yes('T160', 'takes the status', status_of(:t1) = 'Waiting on us');
SELECT conformance.no('T160', 'an answer in another thread', status_of(:t2) <> 'New');
SELECT new_ticket('By chat', 'New', 'chat') AS t3, new_ticket('Deleted') AS t4, new_ticket('Put there later') AS t5 \gset
UPDATE ticket SET deleted_at = automation.now() WHERE id = :t4;
SELECT new_thread(:t3, true, 'chat') AS h3, new_thread(:t4, true) AS h4, new_thread(:t5, true) AS h5 \gset
SELECT first_mail(:h3, :ann) AS m3, first_mail(:h4, :ann) AS m4, first_mail(NULL, :ann) AS m5 \gset
SELECT reply_to(:m3), reply_to(:m4), reply_to(:m5) AS later \gset
SELECT conformance.no('T160', 'a chat, a ticket that is deleted', status_of(:t3) <> 'New' OR status_of(:t4) <> 'New');
UPDATE email_message SET thread_id = :h5 WHERE id IN (:m5, :later);
SELECT conformance.no('T160', 'an answer in no thread', status_of(:t5) <> 'New');
SELECT move_ticket(m) FROM email_message m WHERE m.id = :later \gset moved_
SELECT conformance.yes('T160', 'one that is put into the thread later, when the application says so', status_of(:t5) = 'Waiting on us');

-- T161, a ticket that was closed and reopened: threads that began since then count, too
SELECT new_ticket('Reopened') AS t1, new_ticket('Never closed') AS t2 \gset
SELECT new_thread(:t1, true) AS h1, new_thread(:t1) AS before, new_thread(:t2, true) AS h2 \gset
CALL automation.advance('1 hour');
UPDATE ticket SET status_id = stage('Help', 'Closed') WHERE id = :t1;
CALL automation.advance('1 hour');
UPDATE ticket SET status_id = stage('Help', 'New') WHERE id = :t1;
CALL automation.advance('1 hour');
SELECT new_thread(:t1) AS since, new_thread(:t2) AS second \gset
SELECT first_mail(:before, :ann) AS m1, first_mail(:since, :ann) AS m2, first_mail(:second, :bob) AS m3 \gset
SELECT reply_to(:m1) \gset
SELECT conformance.no('T161', 'another thread from before it was reopened', status_of(:t1) <> 'New');
SELECT reply_to(:m2), reply_to(:m3) \gset
SELECT conformance.yes('T161', 'a thread that began since', status_of(:t1) = 'Waiting on us');
SELECT conformance.no('T161', 'a second thread of a ticket that was never closed', status_of(:t2) <> 'New');
UPDATE ticket SET status_id = stage('Help', 'New') WHERE id = :t1;
SELECT first_mail(:h1, :ann) AS m4 \gset
SELECT reply_to(:m4) \gset
SELECT conformance.yes('T161', 'the thread it was made from still does', status_of(:t1) = 'Waiting on us');

-- T162, a contact answers in a thread of a closed ticket: the first open status of its pipeline, whatever the boxes say
SELECT new_ticket('Closed, boxes on', 'Closed') AS t1, new_ticket('Closed, boxes off', 'Closed') AS t2, new_ticket('Open, boxes off') AS t3,
       new_ticket('Closed, a new mail', 'Closed') AS t4 \gset
SELECT new_thread(:t1) AS h1, new_thread(:t2, true) AS h2, new_thread(:t3, true) AS h3, new_thread(:t4, true) AS h4 \gset
SELECT first_mail(:h1, :ann) AS m1, first_mail(:h2, :ann) AS m2, first_mail(:h3, :ann) AS m3, first_mail(:h4, :ann) AS m4 \gset
SELECT reply_to(:m1) \gset
SELECT conformance.yes('T162', 'in any of its threads', status_of(:t1) = 'New');
UPDATE ticket_pipeline_setting SET on_sent_enabled = false, on_reply_enabled = false WHERE pipeline_id = pipeline('Help');
SELECT reply_to(:m2), reply_to(:m3), mail_from_ticket(:t3, :ann) \gset
SELECT conformance.yes('T162', 'with both boxes off', status_of(:t2) = 'New');
SELECT conformance.no('T162', 'an open ticket with both boxes off', status_of(:t3) <> 'New');
DELETE FROM ticket_pipeline_setting WHERE pipeline_id = pipeline('Help');
UPDATE ticket SET status_id = stage('Help', 'Closed') WHERE id = :t2;
SELECT reply_to(:m2) \gset
SELECT conformance.yes('T162', 'without settings', status_of(:t2) = 'New');
SELECT conformance.no('T162', 'a new mail is no answer', status_of(:t4) <> 'Closed');
INSERT INTO ticket_pipeline_setting (pipeline_id, on_sent_enabled, on_sent_status_id, on_reply_enabled, on_reply_status_id)
VALUES (pipeline('Help'), true, stage('Help', 'Waiting on contact'), true, stage('Help', 'Waiting on us'));

-- T163, whatever the boxes say: forwarded mails, answers to them, other mails of a contact, answers from a mailbox of one's own
SELECT new_ticket('Forwarded') AS t1, new_ticket('Answer to a forwarded mail') AS t2, new_ticket('Another mail') AS t3,
       new_ticket('Own mailbox') AS t4, new_ticket('Closed, forwarded', 'Closed') AS t5, new_ticket('Forwarded from the ticket') AS t6, new_ticket('Counts') AS t7, new_ticket('Imported') AS t8 \gset
SELECT new_thread(:t1, true) AS h1, new_thread(:t2, true) AS h2, new_thread(:t3, true) AS h3, new_thread(:t4, true) AS h4, new_thread(:t5, true) AS h5,
       new_thread(:t7, true) AS h7, new_thread(:t8, true) AS h8 \gset
SELECT first_mail(:h1, :ann) AS m1, first_mail(:h2, :ann, forwarded => true) AS m2, first_mail(:h4, :ann) AS m4, first_mail(:h5, :ann, forwarded => true) AS m5,
       first_mail(:h7, :ann) AS m7, first_mail(:h8, :ann) AS m8 \gset
INSERT INTO email_message (class, direction, contact_id, thread_id, in_reply_to, is_forward) VALUES ('personal', 'in', :ann, :h1, :m1, true);
SELECT reply_to(:m2), reply_to(:m5), reply_to(:m4, via => 'personal_mailbox'), reply_to(:m7) \gset
SELECT first_mail(:h3, :ann), first_mail(:h3, :ann) \gset
SELECT mail_from_ticket(:t4, :ann, via => 'personal_mailbox', answers => :m4), mail_from_ticket(:t6, :ann, forwarded => true) \gset
SET crm.source = 'import';
SELECT reply_to(:m8), mail_from_ticket(:t8, :ann) \gset
RESET crm.source;
SELECT conformance.no('T163', 'old mails that are imported', status_of(:t8) <> 'New');
SELECT conformance.no('T163', 'a forwarded mail', status_of(:t1) <> 'New');
SELECT conformance.no('T163', 'an answer to one', status_of(:t2) <> 'New');
SELECT conformance.no('T163', 'another mail', status_of(:t3) <> 'New');
SELECT conformance.no('T163', 'an answer from one''s own mailbox', status_of(:t4) <> 'New');
SELECT conformance.no('T163', 'an answer to a forwarded mail on a closed ticket', status_of(:t5) <> 'Closed');
SELECT conformance.no('T163', 'forwarded from the ticket', status_of(:t6) <> 'New');
SELECT conformance.yes('T163', 'an answer of no such kind', status_of(:t7) = 'Waiting on us');

-- T164, each of the two has its own status, one of the pipeline's
SELECT new_ticket('Sent') AS t1, new_ticket('Replied') AS t2 \gset
UPDATE ticket_pipeline_setting SET on_sent_status_id = stage('Help', 'Waiting on us'), on_reply_status_id = stage('Help', 'Waiting on contact')
WHERE pipeline_id = pipeline('Help');
SELECT new_thread(:t2, true) AS h2 \gset
SELECT first_mail(:h2, :ann) AS m2 \gset
SELECT mail_from_ticket(:t1, :ann), reply_to(:m2) \gset
SELECT conformance.yes('T164', 'each the status that is chosen', status_of(:t1) = 'Waiting on us' AND status_of(:t2) = 'Waiting on contact');
SELECT conformance.refused('T164', 'a status of another pipeline',
                           $$UPDATE ticket_pipeline_setting SET on_reply_status_id = stage('Help desk', 'New')$$, '%violates foreign key constraint%');
SELECT conformance.refused('T164', 'ticked without a status', $$UPDATE ticket_pipeline_setting SET on_sent_status_id = NULL$$, '%violates check constraint%');
