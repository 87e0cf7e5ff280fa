-- Start, stop, enrol; order of steps; what becomes of steps that fail.

-- F27, a step starts another automation for the contact and goes on
CREATE FUNCTION f27_series(c contact, days int DEFAULT 3) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  WAIT FOR days * interval '1 day';
  SELECT conformance.hit('F27', c.id, 'series');
END $$;
CREATE FUNCTION f27(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  IF c.country = 'FR' THEN
    SELECT f27_series(c);
  END IF;
  SELECT conformance.hit('F27', c.id, 'on');
END $$;
INSERT INTO contact (first_name, country) VALUES ('Ann', 'FR') RETURNING id AS ann \gset
INSERT INTO contact (first_name, country) VALUES ('Bob', 'DE') RETURNING id AS bob \gset
CALL automation.run();
SELECT conformance.yes('F27', 'goes on at once', (SELECT array_agg(what) FROM conformance.hit WHERE id = 'F27' AND key = :'ann') = '{on}');
CALL automation.advance('4 days');
SELECT conformance.yes('F27', 'the other one runs', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'F27' AND key = :'ann') = '{on,series}');
SELECT conformance.no('F27', 'for who does not come by the step', EXISTS (SELECT FROM conformance.hit WHERE id = 'F27' AND key = :'bob' AND what = 'series'));
DROP FUNCTION f27, f27_series;

-- F28, a step takes the contact out of others; F29, of the chosen one; F30, of all, but not of the one it stands in
CREATE FUNCTION f28_nurture(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '2 days';
  SELECT conformance.hit('F28', c.id, 'nurture');
END $$;
CREATE FUNCTION f28_news(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '2 days';
  SELECT conformance.hit('F28', c.id, 'news');
END $$;
CREATE FUNCTION f29_stop(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SELECT automation.unenroll('f28_nurture', c);
END $$;
CREATE FUNCTION f30_stop(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lost';
BEGIN
  SELECT automation.unenroll_others(c);
  WAIT FOR '1 day';
  SELECT conformance.hit('F30', c.id, 'still here');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve \gset
CALL automation.run();
UPDATE contact SET lifecycle = 'customer' WHERE id = :ann;
UPDATE contact SET lifecycle = 'lost' WHERE id = :bob;
CALL automation.run();
SELECT conformance.yes('F28', 'out, and the journal says who did it',
    (SELECT array_agg(reason) FROM automation.journal WHERE workflow = 'f28_nurture' AND event = 'ended' AND subject_key = :'ann') = '{other_workflow}');
CALL automation.advance('3 days');
SELECT conformance.yes('F28', 'those it did not concern', (SELECT array_agg(what ORDER BY what) FROM conformance.hit WHERE id = 'F28' AND key = :'eve') = '{news,nurture}');
SELECT conformance.no('F28', 'a step after the end', EXISTS (SELECT FROM conformance.hit WHERE id = 'F28' AND key = :'ann' AND what = 'nurture'));
SELECT conformance.yes('F29', 'the chosen one only', (SELECT array_agg(what) FROM conformance.hit WHERE id = 'F28' AND key = :'ann') = '{news}');
SELECT conformance.no('F29', 'others are ended', (SELECT count(*) FROM automation.journal WHERE workflow = 'f28_news' AND reason = 'other_workflow' AND subject_key = :'ann') > 0);
SELECT conformance.no('F30', 'any of the others goes on', EXISTS (SELECT FROM conformance.hit WHERE id = 'F28' AND key = :'bob'));
SELECT conformance.yes('F30', 'the one it stands in goes on', conformance.hits('F30', :bob) = 1);
DROP FUNCTION f28_nurture, f28_news, f29_stop, f30_stop;

-- F31, into another workflow, which has to be active: one that is paused takes nobody, and the caller goes on
CREATE FUNCTION f31_target(d deal) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('F31', d.id, 'target');
END $$;
CREATE FUNCTION f31(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SELECT f31_target(d);
  SELECT conformance.hit('F31', d.id, 'on');
END $$;
SELECT new_deal('Boat') AS boat, new_deal('Oar') AS oar \gset
UPDATE deal SET status = 'won' WHERE id = :boat;
CALL automation.run();
SELECT conformance.yes('F31', 'the current record', (SELECT array_agg(what ORDER BY what) FROM conformance.hit WHERE id = 'F31' AND key = :'boat') = '{on,target}');
SELECT automation.pause('f31_target');
UPDATE deal SET status = 'won' WHERE id = :oar;
CALL automation.run();
SELECT conformance.no('F31', 'into a workflow that is not active', EXISTS (SELECT FROM conformance.hit WHERE id = 'F31' AND key = :'oar' AND what = 'target'));
SELECT conformance.yes('F31', 'the caller goes on', conformance.hits('F31', :oar) = 1);
DROP FUNCTION f31, f31_target;

-- F32, only into a workflow of the same type of record
CREATE FUNCTION thank_contact(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('F32', c.id);
END $$;
SELECT conformance.refused('F32', 'a deal into a workflow of contacts', $sql$
CREATE FUNCTION f32(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT thank_contact(d);
END $$ $sql$, '%function thank_contact(deal) does not exist%');
CREATE FUNCTION f32(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SELECT thank_contact(c) FROM contact c JOIN deal_contact dc ON dc.contact_id = c.id WHERE dc.deal_id = d.id;
END $$;
SELECT new_contact('Ann') AS ann \gset
SELECT new_deal('Boat', 'Sales', 'New', :ann) AS boat \gset
UPDATE deal SET status = 'won' WHERE id = :boat;
CALL automation.run();
SELECT conformance.yes('F32', 'the contacts of the deal are of the right type', conformance.hits('F32', :ann) = 1);
DROP FUNCTION f32, thank_contact;

-- F33, who is in the target already is not enrolled again; the history says so, and the record goes on with the next step
CREATE FUNCTION f33_target(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('F33', c.id, 'target');
  WAIT FOR '5 days';
END $$;
CREATE FUNCTION f33(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle;
  ENROLL AGAIN;
BEGIN
  SELECT f33_target(c);
  SELECT conformance.hit('F33', c.id, 'next step');
END $$;
SELECT new_contact('Ann') AS ann \gset
UPDATE contact SET lifecycle = 'lead' WHERE id = :ann;
CALL automation.run();
UPDATE contact SET lifecycle = 'customer' WHERE id = :ann;
CALL automation.run();
SELECT conformance.no('F33', 'enrolled a second time', (SELECT count(*) FROM conformance.hit WHERE id = 'F33' AND what = 'target') > 1);
SELECT conformance.yes('F33', 'the history of the target says why', (SELECT array_agg(reason) FROM automation.journal WHERE workflow = 'f33_target' AND event = 'not_entered') = '{already_active}');
SELECT conformance.yes('F33', 'on to the next step both times', (SELECT count(*) FROM conformance.hit WHERE id = 'F33' AND what = 'next step') = 2);
DROP FUNCTION f33, f33_target;

-- F34, by hand, whatever starts it otherwise: one record, or those of a query; the policy holds for them, too
CREATE FUNCTION f34(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.type = 'boat' AND new.urgency = 'high';
  ENROLL ONCE;
BEGIN
  SELECT conformance.hit('F34', o.id);
END $$;
INSERT INTO custom_object_record (type, name) VALUES ('boat', 'Swift') RETURNING id AS swift \gset
INSERT INTO custom_object_record (type, name) VALUES ('boat', 'Slow') RETURNING id AS slow \gset
CALL automation.run();
SELECT f34(o) FROM custom_object_record o WHERE o.name = 'Swift';
CALL automation.run();
SELECT conformance.yes('F34', 'by hand', conformance.hits('F34', :swift) = 1);
SELECT conformance.no('F34', 'who was not added', conformance.hits('F34', :slow) > 0);
SELECT f34(o) FROM custom_object_record o WHERE o.name = 'Swift';
CALL automation.run();
SELECT conformance.no('F34', 'twice, though once is what the workflow says', conformance.hits('F34', :swift) > 1);
DROP FUNCTION f34;

-- F35, several triggers: any of them starts it
CREATE FUNCTION f35(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('webinar') FOR SELECT new.contact_id;
  AFTER INSERT ON form_submission WHEN new.form_id = form('Webinar') FOR SELECT new.contact_id;
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  SELECT conformance.hit('F35', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cleo') AS cleo, new_contact('Dan') AS dan \gset
INSERT INTO contact_tag (contact_id, tag_id) VALUES (:ann, tag('webinar')), (:dan, tag('blog'));
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Webinar'), :bob), (form('Trial'), :dan);
UPDATE contact SET lifecycle = 'lead' WHERE id = :cleo;
UPDATE contact SET lifecycle = 'subscriber' WHERE id = :dan;
CALL automation.run();
SELECT conformance.yes('F35', 'the tag, the form, the field', conformance.hits('F35') = ARRAY[:'ann', :'bob', :'cleo']);
SELECT conformance.no('F35', 'none of them', conformance.hits('F35', :dan) > 0);
DROP FUNCTION f35;

-- F36, a chain, each step an automation of its own: the deal is created, an activity; that is done, the next one
CREATE FUNCTION f36_first(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.creator_id = 2;
BEGIN
  INSERT INTO activity (type, title, deal_id, assignee_id) VALUES ('call', 'First call', d.id, d.owner_id);
END $$;
CREATE FUNCTION f36_next(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done' WHEN new.title = 'First call' AND new.deal_id IS NOT NULL;
BEGIN
  INSERT INTO activity (type, title, deal_id, assignee_id) VALUES ('mail', 'Send the summary', a.deal_id, a.assignee_id);
END $$;
INSERT INTO deal (title, creator_id, owner_id) VALUES ('Mine', 2, 1) RETURNING id AS mine \gset
INSERT INTO deal (title, creator_id, owner_id) VALUES ('Theirs', 3, 1) RETURNING id AS theirs \gset
CALL automation.run();
SELECT conformance.yes('F36', 'the first activity', (SELECT array_agg(title) FROM activity WHERE deal_id = :mine) = '{"First call"}');
SELECT conformance.no('F36', 'a deal somebody else made', EXISTS (SELECT FROM activity WHERE deal_id = :theirs));
UPDATE activity SET due_at = automation.now() WHERE deal_id = :mine;
CALL automation.run();
SELECT conformance.no('F36', 'the next one before the first is done', (SELECT count(*) FROM activity WHERE deal_id = :mine) > 1);
UPDATE activity SET status = 'done' WHERE deal_id = :mine;
CALL automation.run();
SELECT conformance.yes('F36', 'the next one', (SELECT array_agg(title ORDER BY id) FROM activity WHERE deal_id = :mine) = '{"First call","Send the summary"}');
INSERT INTO activity (type, title, deal_id, status) VALUES ('call', 'First call', :theirs, 'done');
CALL automation.run();
UPDATE activity SET status = 'open' WHERE deal_id = :theirs;
CALL automation.run();
SELECT conformance.no('F36', 'one that is opened again', (SELECT count(*) > 1 FROM activity WHERE deal_id = :theirs));
DROP FUNCTION f36_first, f36_next;

-- F37, event, condition, actions: without the condition no action
CREATE FUNCTION big_deal_won(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won' WHEN new.value >= 1000;
BEGIN
  INSERT INTO activity (type, title, deal_id) VALUES ('task', 'Set up', d.id);
  INSERT INTO note (deal_id, body) VALUES (d.id, 'won');
END $$;
SELECT new_deal('Big') AS big, new_deal('Small') AS small, new_deal('Lost') AS lost \gset
UPDATE deal SET value = 10 WHERE id = :small;
UPDATE deal SET status = 'won' WHERE id IN (:big, :small);
UPDATE deal SET status = 'lost' WHERE id = :lost;
CALL automation.run();
SELECT conformance.yes('F37', 'all actions', EXISTS (SELECT FROM activity WHERE deal_id = :big) AND EXISTS (SELECT FROM note WHERE deal_id = :big));
SELECT conformance.no('F37', 'an action without the condition', EXISTS (SELECT FROM activity WHERE deal_id = :small) OR EXISTS (SELECT FROM note WHERE deal_id = :small));
SELECT conformance.no('F37', 'an action without the event', EXISTS (SELECT FROM activity WHERE deal_id = :lost) OR EXISTS (SELECT FROM note WHERE deal_id = :lost));
DROP FUNCTION big_deal_won;

-- F38, steps in their order, each when the contact arrives at it; F39, delays too, for all records that travel through it
CREATE FUNCTION f38(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT conformance.hit('F38', c.id, '1');
  SELECT conformance.hit('F38', c.id, '2');
  WAIT FOR '1 day';
  SELECT conformance.hit('F38', c.id, '3');
  WAIT FOR '1 day';
  SELECT conformance.hit('F38', c.id, '4');
END $$;
SELECT new_contact('Ann') AS ann \gset
CALL automation.run();
SELECT conformance.yes('F38', 'one after the other', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'F38' AND key = :'ann') = '{1,2}');
SELECT conformance.no('F38', 'a step it has not arrived at', EXISTS (SELECT FROM conformance.hit WHERE id = 'F38' AND what IN ('3', '4')));
CALL automation.advance('12 hours');
SELECT new_contact('Bob') AS bob \gset
CALL automation.run();
CALL automation.advance('13 hours');
SELECT conformance.yes('F39', 'each where it has come to', (SELECT max(what) FROM conformance.hit WHERE id = 'F38' AND key = :'ann') = '3' AND (SELECT max(what) FROM conformance.hit WHERE id = 'F38' AND key = :'bob') = '2');
CALL automation.advance('3 days');
SELECT conformance.yes('F39', 'all of it, in order', (SELECT bool_and(steps = '{1,2,3,4}') AND count(*) = 2 FROM (SELECT array_agg(what ORDER BY n) AS steps FROM conformance.hit WHERE id = 'F38' GROUP BY key) g));
SELECT conformance.no('F39', 'a delay that is left out', EXISTS (SELECT FROM conformance.hit a JOIN conformance.hit b USING (id, key) WHERE a.id = 'F38' AND a.what = '2' AND b.what = '3' AND b.at - a.at < '23 hours 59 minutes'));
DROP FUNCTION f38;

-- F40, what a stage does is a workflow like any other: its text is there to be read, and a new version adds actions
CREATE FUNCTION f40(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF stage_id WHEN new.stage_id = stage('Sales', 'Qualified');
  ENROLL AGAIN;
BEGIN
  INSERT INTO activity (type, title, deal_id, assignee_id) VALUES ('task', 'Ask for the budget', d.id, d.owner_id);
END $$;
SELECT new_deal('Boat') AS boat, new_deal('Oar') AS oar, new_deal('Sail') AS sail \gset
UPDATE deal SET stage_id = stage('Sales', 'Qualified') WHERE id = :boat;
CALL automation.run();
SELECT conformance.yes('F40', 'its text', (SELECT prosrc LIKE '%Ask for the budget%' FROM pg_proc WHERE oid = 'f40(deal)'::regprocedure));
CREATE OR REPLACE FUNCTION f40(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF stage_id WHEN new.stage_id = stage('Sales', 'Qualified');
  ENROLL AGAIN;
BEGIN
  INSERT INTO activity (type, title, deal_id, assignee_id) VALUES ('task', 'Ask for the budget', d.id, d.owner_id);
  WAIT FOR '2 days';
  INSERT INTO note (deal_id, body) VALUES (d.id, 'two days in Qualified');
END $$;
UPDATE deal SET stage_id = stage('Sales', 'Qualified') WHERE id = :oar;
UPDATE deal SET stage_id = stage('Sales', 'Demo') WHERE id = :sail;
CALL automation.run();
CALL automation.advance('3 days');
SELECT conformance.yes('F40', 'the old action, and the new ones', EXISTS (SELECT FROM activity WHERE deal_id = :oar) AND EXISTS (SELECT FROM note WHERE deal_id = :oar));
SELECT conformance.yes('F40', 'who came before had the actions of then', EXISTS (SELECT FROM activity WHERE deal_id = :boat) AND NOT EXISTS (SELECT FROM note WHERE deal_id = :boat));
SELECT conformance.no('F40', 'another stage', EXISTS (SELECT FROM activity WHERE deal_id = :sail));
DROP FUNCTION f40;

-- F41, a text message holds the record until it has succeeded or failed, 72 hours at most.  F42, then on with the next step in any case
CREATE FUNCTION f41(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
DECLARE
  answer automation.delivery;
BEGIN
  SEND sms(c.phone, 'Welcome, ' || c.first_name, sender => '+33100000099', server => 'sms') INTO answer TIMEOUT '72 hours';
  SELECT conformance.hit('F41', c.id, CASE WHEN found THEN 'sent' ELSE coalesce(answer.state, 'nothing') END);
END $$;
INSERT INTO contact (first_name, phone) SELECT n, '+3316000000' || i FROM unnest(ARRAY['Ann', 'Bob', 'Cleo']) WITH ORDINALITY u (n, i);
SELECT id AS ann FROM contact WHERE phone = '+33160000001' \gset
SELECT id AS bob FROM contact WHERE phone = '+33160000002' \gset
SELECT id AS cleo FROM contact WHERE phone = '+33160000003' \gset
UPDATE contact SET lifecycle = 'customer' WHERE id IN (:ann, :bob, :cleo);
CALL automation.run();
SELECT conformance.yes('F41', 'three messages', (SELECT count(*) FROM automation.deliveries WHERE workflow = 'f41' AND channel = 'sms' AND state = 'queued') = 3);
CALL automation.advance('71 hours');
SELECT conformance.no('F41', 'goes on before it is known', conformance.hits('F41') <> '{}');
SELECT automation.settle(id, 'sent') FROM automation.deliveries WHERE workflow = 'f41' AND subject_key = :'ann';
SELECT automation.settle(id, 'dead') FROM automation.deliveries WHERE workflow = 'f41' AND subject_key = :'bob';
CALL automation.run();
SELECT conformance.yes('F41', 'sent', (SELECT what FROM conformance.hit WHERE id = 'F41' AND key = :'ann') = 'sent');
SELECT conformance.no('F41', 'the third is still held', conformance.hits('F41', :cleo) <> 0);
SELECT conformance.yes('F42', 'a failed message: on', (SELECT what FROM conformance.hit WHERE id = 'F41' AND key = :'bob') = 'dead');
CALL automation.advance('2 hours');
SELECT conformance.yes('F41', 'after 72 hours', (SELECT what FROM conformance.hit WHERE id = 'F41' AND key = :'cleo') = 'cancelled');
SELECT conformance.yes('F42', 'a message nobody knows of: on', conformance.hits('F41', :cleo) = 1);
SELECT conformance.no('F42', 'somebody is stuck at the step', EXISTS (SELECT FROM automation.enrollments WHERE workflow = 'f41'));
DROP FUNCTION f41;

-- F42, the enrolment into another workflow that is refused: on, too
CREATE FUNCTION f42_target(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
  EXIT WHEN c.unsubscribed;
BEGIN
  SELECT conformance.hit('F42', c.id, 'target');
END $$;
CREATE FUNCTION f42(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  SELECT f42_target(c);
  SELECT conformance.hit('F42', c.id, 'next');
END $$;
INSERT INTO contact (first_name, unsubscribed) VALUES ('Dan', true) RETURNING id AS dan \gset
UPDATE contact SET lifecycle = 'lead' WHERE id = :dan;
CALL automation.run();
SELECT conformance.yes('F42', 'a refused enrolment: on', (SELECT array_agg(what) FROM conformance.hit WHERE id = 'F42' AND key = :'dan') = '{next}');
SELECT conformance.yes('F42', 'and it is on record', (SELECT array_agg(reason) FROM automation.journal WHERE workflow = 'f42_target') = '{exit_when_at_entry}');
DROP FUNCTION f42, f42_target;
