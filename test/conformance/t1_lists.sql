-- Lists, forms, tags.

-- T01, a contact joins a list: the subscription becomes active, by a new row or by the confirmation
CREATE FUNCTION t01(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status TO 'active' ON list_subscription FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T01', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dan') AS dan \gset
INSERT INTO list_subscription (contact_id, list_id, status, subscribed_at)
VALUES (:ann, list('News'), 'active', automation.now()), (:bob, list('Club'), 'unconfirmed', automation.now()),
       (:cid, list('Club'), 'unconfirmed', automation.now()), (:dan, list('News'), 'unsubscribed', automation.now());
CALL automation.run();
SELECT conformance.yes('T01', 'a new subscription', conformance.hits('T01') = ARRAY[:'ann']);
SELECT conformance.no('T01', 'not confirmed yet, or never active', conformance.hits('T01') && ARRAY[:'bob', :'cid', :'dan']);
UPDATE list_subscription SET status = 'active', confirmed_at = automation.now() WHERE contact_id = :bob;
CALL automation.run();
SELECT conformance.yes('T01', 'the confirmation', conformance.hits('T01', :bob) = 1);
SELECT conformance.no('T01', 'who never confirms', conformance.hits('T01', :cid) > 0);
DROP FUNCTION t01;

-- T02, any list
CREATE FUNCTION t02(c contact, list_id bigint) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status TO 'active' ON list_subscription FOR SELECT new.contact_id, new.list_id;
  ENROLL AGAIN PER c, list_id;
BEGIN
  SELECT conformance.hit('T02', c.id, (SELECT l.name FROM mailing_list l WHERE l.id = list_id));
END $$;
-- T03, one list
CREATE FUNCTION t03(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status TO 'active' ON list_subscription WHEN new.list_id = list('News') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T03', c.id);
END $$;
-- T04, several lists: a clause for each; who joins both enters once, or as ENROLL says
CREATE FUNCTION t04(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status TO 'active' ON list_subscription WHEN new.list_id = list('News') FOR SELECT new.contact_id;
  AFTER INSERT OR UPDATE OF status TO 'active' ON list_subscription WHEN new.list_id = list('Offers') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T04', c.id);
END $$;
CREATE FUNCTION t04_again(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status TO 'active' ON list_subscription WHEN new.list_id = list('News') FOR SELECT new.contact_id;
  AFTER INSERT OR UPDATE OF status TO 'active' ON list_subscription WHEN new.list_id = list('Offers') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T04', c.id || ' again');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dan') AS dan \gset
INSERT INTO list_subscription (contact_id, list_id, status) VALUES (:dan, list('News'), 'unsubscribed'), (:dan, list('Offers'), 'unconfirmed');
SELECT subscribe(c, 'News') FROM contact c WHERE c.id = :ann;
SELECT subscribe(c, 'Offers') FROM contact c WHERE c.id = :bob;
SELECT subscribe(c, 'Customers') FROM contact c WHERE c.id = :cid;
CALL automation.run();
SELECT conformance.yes('T02', 'whichever list', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'T02') = '{News,Offers,Customers}');
UPDATE list_subscription SET subscribed_at = subscribed_at - interval '1 day' WHERE contact_id = :ann;
UPDATE list_subscription SET status = 'unsubscribed', unsubscribed_at = automation.now() WHERE contact_id = :cid;
CALL automation.run();
SELECT conformance.no('T02', 'a change that is no join', (SELECT count(*) FROM conformance.hit WHERE id = 'T02') > 3);
SELECT conformance.yes('T03', 'the list', conformance.hits('T03') = ARRAY[:'ann']);
SELECT conformance.no('T03', 'another list, or not active on it', conformance.hits('T03') && ARRAY[:'bob', :'cid', :'dan']);
SELECT conformance.yes('T04', 'the one list or the other', conformance.hits('T04', :ann) = 1 AND conformance.hits('T04', :bob) = 1);
SELECT conformance.no('T04', 'a third list, or not active on one', conformance.hits('T04') && ARRAY[:'cid', :'dan', :'dan' || ' again']);
SELECT subscribe(c, 'Offers') FROM contact c WHERE c.id = :ann;
CALL automation.run();
SELECT conformance.no('T04', 'twice, by both lists', conformance.hits('T04', :ann) > 1);
SELECT conformance.yes('T04', 'twice where that is wanted', conformance.hits('T04', :ann || ' again') = 2);
DROP FUNCTION t02, t03, t04, t04_again;

-- T05, a contact leaves a list, whoever caused it: by status or by deletion of the row
CREATE FUNCTION t05(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'active' TO 'unsubscribed' ON list_subscription WHEN new.list_id = list('News')
    FOR SELECT new.contact_id;
  AFTER DELETE ON list_subscription WHEN old.list_id = list('News') AND old.status = 'active' FOR SELECT old.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T05', c.id);
END $$;
-- T06, by the contact's own act
CREATE FUNCTION t06(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'active' TO 'unsubscribed' ON list_subscription WHEN new.unsubscribe_source = 'contact'
    FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T06', c.id);
END $$;
-- T07, by the business: an action of a workflow, or a colleague
CREATE FUNCTION t07(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'active' TO 'unsubscribed' ON list_subscription WHEN new.unsubscribe_source IN ('automation', 'user')
    FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T07', c.id);
END $$;
CREATE FUNCTION t07_sweep(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lost';
BEGIN
  SELECT unsubscribe(c, 'News');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dan') AS dan, new_contact('Eva') AS eva,
       new_contact('Fay') AS fay, new_contact('Gus') AS gus, new_contact('Hal') AS hal \gset
SELECT subscribe(ARRAY[:ann, :bob, :cid, :dan, :fay], 'News');
SELECT subscribe(ARRAY[:eva, :gus], 'Offers');
INSERT INTO list_subscription (contact_id, list_id, status) VALUES (:hal, list('News'), 'unconfirmed');
INSERT INTO email_message (class, direction, contact_id) VALUES ('campaign', 'out', :ann) RETURNING id AS mail \gset
CALL automation.run();
-- the link in the mail, a deletion, a colleague, a workflow, another list; one who never was on it
INSERT INTO email_event (message_id, contact_id, kind) VALUES (:mail, :ann, 'unsubscribe_click');
SELECT unsubscribe(c, 'News', by => 'contact') FROM contact c WHERE c.id = :ann;
DELETE FROM list_subscription WHERE contact_id IN (:bob, :gus);
UPDATE list_subscription SET status = 'unsubscribed', unsubscribe_source = 'user' WHERE contact_id = :hal;
SELECT unsubscribe(c, 'News', by => 'user') FROM contact c WHERE c.id = :cid;
UPDATE contact SET lifecycle = 'lost' WHERE id = :dan;
SELECT unsubscribe(c, 'Offers', by => 'contact') FROM contact c WHERE c.id = :eva;
CALL automation.run();
SELECT conformance.yes('T05', 'status or deletion', conformance.hits('T05') = ARRAY[:'ann', :'bob', :'cid', :'dan']);
SELECT conformance.no('T05', 'another list, still there, or never confirmed', conformance.hits('T05') && ARRAY[:'eva', :'fay', :'gus', :'hal']);
SELECT conformance.yes('T06', 'the link in a mail', conformance.hits('T06') = ARRAY[:'ann', :'eva']);
SELECT conformance.no('T06', 'done by others', conformance.hits('T06') && ARRAY[:'bob', :'cid', :'dan']);
SELECT conformance.yes('T07', 'a colleague, a workflow', conformance.hits('T07') = ARRAY[:'cid', :'dan']);
SELECT conformance.no('T07', 'the contact itself, or one who had never confirmed', conformance.hits('T07') && ARRAY[:'ann', :'eva', :'hal']);
-- who has left cannot leave again, and a deleted row that was not active is nobody's leaving
SELECT unsubscribe(ARRAY[:ann, :cid], 'News', by => 'user');
DELETE FROM list_subscription WHERE contact_id = :dan;
CALL automation.run();
SELECT conformance.no('T05', 'twice', cardinality(conformance.hits('T05')) > 4);
SELECT conformance.no('T07', 'twice', cardinality(conformance.hits('T07')) > 2);
DROP FUNCTION t05, t06, t07, t07_sweep;
-- two that undo each other do not go round for ever
CREATE FUNCTION t07_in(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'unsubscribed' ON list_subscription WHEN new.list_id = list('Customers') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T07', c.id || ' round');
  SELECT subscribe(c, 'Customers', resubscribe => true);
END $$;
CREATE FUNCTION t07_out(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'active' ON list_subscription WHEN new.list_id = list('Customers') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT unsubscribe(c, 'Customers');
END $$;
SELECT subscribe(ARRAY[:fay], 'Customers');
CALL automation.run();
SELECT unsubscribe(ARRAY[:fay], 'Customers');
CALL automation.run();
SELECT conformance.yes('T07', 'one workflow starts the other', conformance.hits('T07', :fay || ' round') >= 1);
SELECT conformance.no('T07', 'for ever', conformance.hits('T07', :fay || ' round') > 1);
SELECT conformance.yes('T07', 'the journal says why it ended', EXISTS (
    SELECT FROM automation.journal WHERE workflow IN ('t07_in', 't07_out') AND reason = 'loop_guard'));
DROP FUNCTION t07_in, t07_out;

-- T08, T09, a contact submits a form, whichever: at once, or when the confirmation comes where the form asks for it
CREATE FUNCTION t08(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF confirmed_at ON form_submission WHEN new.confirmed_at IS NOT NULL FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T08', c.id);
  SELECT conformance.hit('T09', c.id);
END $$;
-- T10, one form
CREATE FUNCTION t10(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF confirmed_at ON form_submission
    WHEN new.form_id = form('Webinar') AND new.confirmed_at IS NOT NULL FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T10', c.id);
END $$;
-- T11, several forms: a clause for each
CREATE FUNCTION t11(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission WHEN new.form_id = form('Webinar') FOR SELECT new.contact_id;
  AFTER INSERT ON form_submission WHEN new.form_id = form('Demo') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T11', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dan') AS dan \gset
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Webinar'), :ann), (form('Demo'), :bob), (form('Trial'), :cid), (form('E-book'), :dan);
CALL automation.run();
SELECT conformance.yes('T08', 'a submission', conformance.hits('T08') = ARRAY[:'ann', :'bob', :'cid']);
SELECT conformance.no('T08', 'a form with double opt-in, not confirmed', conformance.hits('T08', :dan) > 0);
SELECT conformance.yes('T10', 'the form', conformance.hits('T10') = ARRAY[:'ann']);
SELECT conformance.no('T10', 'another form', conformance.hits('T10') && ARRAY[:'bob', :'cid', :'dan']);
SELECT conformance.yes('T11', 'the one form or the other', conformance.hits('T11') = ARRAY[:'ann', :'bob']);
SELECT conformance.no('T11', 'a third form', conformance.hits('T11') && ARRAY[:'cid', :'dan']);
UPDATE form_submission SET confirmed_at = automation.now() WHERE contact_id = :dan;
UPDATE form_submission SET data = '{"seats": 2}' WHERE contact_id = :ann;
INSERT INTO form_submission (form_id) VALUES (form('Trial'));
CALL automation.run();
SELECT conformance.yes('T08', 'the confirmation', conformance.hits('T08', :dan) = 1);
SELECT conformance.yes('T09', 'whichever form', conformance.hits('T09') = ARRAY[:'ann', :'bob', :'cid', :'dan']);
SELECT conformance.no('T09', 'a change of an answer, or a form that nobody known sent', cardinality(conformance.hits('T09')) > 4);
DROP FUNCTION t08, t10, t11;

-- T12, a form acts by itself: its tag and its list start other workflows
CREATE FUNCTION t12_tag(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('webinar') AND new.source = 'form' FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T12', c.id, 'tag');
END $$;
CREATE FUNCTION t12_list(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status TO 'active' ON list_subscription WHEN new.list_id = list('Prospects') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T12', c.id, 'list');
END $$;
INSERT INTO form_action (form_id, tag_id) VALUES (form('Webinar'), tag('webinar')), (form('E-book'), tag('webinar'));
INSERT INTO form_action (form_id, list_id) VALUES (form('Webinar'), list('Prospects'));
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Webinar'), :ann), (form('Demo'), :bob), (form('E-book'), :cid);
CALL automation.run();
SELECT conformance.yes('T12', 'one submission, both workflows', (SELECT array_agg(what ORDER BY what) FROM conformance.hit WHERE id = 'T12' AND key = :'ann') = '{list,tag}');
SELECT conformance.no('T12', 'a form without actions, or before the confirmation', conformance.hits('T12') && ARRAY[:'bob', :'cid']);
UPDATE form_submission SET confirmed_at = automation.now() WHERE contact_id = :cid;
CALL automation.run();
SELECT conformance.yes('T12', 'at the confirmation', conformance.hits('T12', :cid) = 1);
DELETE FROM form_action;
DROP FUNCTION t12_tag, t12_list;

-- T13, the tag is added: by whatever; another tag is not meant
CREATE FUNCTION t13(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('vip') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T13', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO contact_tag (contact_id, tag_id) VALUES (:ann, tag('vip')), (:bob, tag('blog'));
CALL automation.run();
SELECT conformance.yes('T13', 'the tag', conformance.hits('T13', :ann) = 1);
SELECT conformance.no('T13', 'another tag', conformance.hits('T13', :bob) > 0);
DROP FUNCTION t13;

-- T14, every source counts: profile, import, automation, bulk edit, form, integration; one contact or many
CREATE FUNCTION t14(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('early bird') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T14', c.id, (SELECT t.source::text FROM contact_tag t WHERE t.contact_id = c.id AND t.tag_id = tag('early bird')));
END $$;
-- only what was not imported: a condition
CREATE FUNCTION t14_not_imported(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('early bird') AND new.source <> 'import' FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T14', c.id || ' not imported');
END $$;
CREATE FUNCTION t14_action(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SELECT add_tag(c, 'early bird');
END $$;
INSERT INTO form_action (form_id, tag_id) VALUES (form('Trial'), tag('early bird'));
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dan') AS dan, new_contact('Eva') AS eva,
       new_contact('Fay') AS fay, new_contact('Gus') AS gus \gset
SET crm.source = 'profile';
INSERT INTO contact_tag (contact_id, tag_id) VALUES (:ann, tag('early bird'));
SET crm.source = 'import';
INSERT INTO contact_tag (contact_id, tag_id) SELECT c.id, tag('early bird') FROM contact c WHERE c.id IN (:bob, :gus);
SET crm.source = 'bulk_edit';
INSERT INTO contact_tag (contact_id, tag_id) VALUES (:cid, tag('early bird'));
SET crm.source = 'integration';
INSERT INTO contact_tag (contact_id, tag_id) VALUES (:dan, tag('early bird'));
RESET crm.source;
UPDATE contact SET lifecycle = 'customer' WHERE id = :eva;
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Trial'), :fay);
CALL automation.run();
SELECT conformance.yes('T14', 'all six', (SELECT array_agg(DISTINCT what) FROM conformance.hit WHERE id = 'T14' AND what IS NOT NULL)
    = '{automation,bulk_edit,form,import,integration,profile}');
SELECT conformance.yes('T14', 'many at once', conformance.hits('T14', :bob) = 1 AND conformance.hits('T14', :gus) = 1);
SELECT conformance.no('T14', 'an import, where the clause leaves it out', conformance.hits('T14') && ARRAY[:'bob' || ' not imported', :'gus' || ' not imported']);
SELECT conformance.yes('T14', 'what is no import, there', conformance.hits('T14', :ann || ' not imported') = 1);
DELETE FROM form_action;
DROP FUNCTION t14, t14_not_imported, t14_action;

-- T15, several times: the tag has to go before it can come again
CREATE FUNCTION t15(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('vip') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T15', c.id);
END $$;
-- T16, the tag is removed
CREATE FUNCTION t16(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF removed_at FROM NULL ON contact_tag WHEN new.tag_id = tag('vip') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T16', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT add_tag(c, 'vip') FROM contact c WHERE c.id = :ann;
SELECT add_tag(c, 'blog') FROM contact c WHERE c.id = :bob;
CALL automation.run();
SELECT add_tag(c, 'vip') FROM contact c WHERE c.id = :ann;
CALL automation.run();
SELECT conformance.no('T15', 'the tag again, which the contact has; another tag', conformance.hits('T15', :ann) > 1 OR conformance.hits('T15', :bob) > 0);
-- neither a tag that the contact has not, nor another one
SELECT remove_tag(c, 'vip') FROM contact c WHERE c.id = :bob;
SELECT remove_tag(c, 'blog') FROM contact c WHERE c.id = :bob;
CALL automation.run();
SELECT conformance.no('T16', 'a tag the contact has not, another tag', cardinality(conformance.hits('T16')) > 0);
SELECT remove_tag(c, 'vip') FROM contact c WHERE c.id = :ann;
CALL automation.run();
SELECT conformance.yes('T16', 'the tag', conformance.hits('T16') = ARRAY[:'ann']);
SELECT add_tag(c, 'vip') FROM contact c WHERE c.id = :ann;
CALL automation.run();
SELECT conformance.yes('T15', 'the tag again after its removal', conformance.hits('T15', :ann) = 2);
DROP FUNCTION t15, t16;
