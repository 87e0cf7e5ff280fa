-- Lists, tags, audiences, and what is written on a contact.

-- A40, an order puts its contact on a list, and that is a list join like any other; who took himself off stays off
CREATE FUNCTION a40(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT subscribe(c, 'Customers');
  SELECT subscribe(c, 'Club');
END $$;
CREATE FUNCTION a40_joined(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status TO 'active' ON list_subscription FOR SELECT new.contact_id WHERE new.list_id IN (list('Customers'), list('Club'));
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('A40', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
SELECT subscribe(c, 'Customers'), unsubscribe(c, 'Customers', by => 'contact') FROM contact c WHERE c.id = :bob;
CALL automation.run();
DELETE FROM conformance.hit WHERE id = 'A40';
INSERT INTO sales_order (contact_id) VALUES (:ann), (:bob);
CALL automation.run();
SELECT conformance.yes('A40', 'on the list, by the workflow', (SELECT status = 'active' AND source = 'automation' AND subscribed_at IS NOT NULL
    FROM list_subscription WHERE contact_id = :ann AND list_id = list('Customers')));
SELECT conformance.yes('A40', 'the list trigger', conformance.hits('A40', :ann) = 1);
SELECT conformance.no('A40', 'who never ordered', EXISTS (SELECT FROM list_subscription WHERE contact_id = :cid));
SELECT conformance.no('A40', 'who took himself off', (SELECT is_subscribed(c, 'Customers') FROM contact c WHERE id = :bob));
SELECT conformance.no('A40', 'a list that asks for a confirmation, before it', (SELECT is_subscribed(c, 'Club') FROM contact c WHERE id = :ann));
INSERT INTO sales_order (contact_id) VALUES (:ann);
CALL automation.run();
SELECT conformance.no('A40', 'somebody who is on the list already', conformance.hits('A40', :ann) > 1);
SELECT confirm_subscription(c, 'Customers') FROM contact c WHERE id = :bob;
SELECT conformance.no('A40', 'by a confirmation, who took himself off', (SELECT is_subscribed(c, 'Customers') FROM contact c WHERE id = :bob));
SELECT confirm_subscription(c, 'Club') FROM contact c WHERE id = :ann;
SELECT subscribe(c, 'Customers', resubscribe => true) FROM contact c WHERE id = :bob;
CALL automation.run();
SELECT conformance.yes('A40', 'confirmed', conformance.hits('A40', :ann) = 2);
SELECT conformance.yes('A40', 'asked to come back', conformance.hits('A40', :bob) = 1 AND (SELECT is_subscribed(c, 'Customers') FROM contact c WHERE id = :bob));
SELECT conformance.yes('A40', 'a whole segment in one statement', (SELECT subscribe(array_agg(id), 'Customers') = 1 FROM contact WHERE id IN (:ann, :bob, :cid)));
SELECT conformance.refused('A40', 'a list that is not there', $$ SELECT subscribe(c, 'Costumers') FROM contact c $$, 'there is no mailing list "Costumers"');
DROP FUNCTION a40, a40_joined;

-- A41, an order moves its contact from the prospects to the customers
CREATE FUNCTION a41(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order FOR SELECT new.contact_id;
BEGIN
  SELECT unsubscribe(c, 'Prospects');
  SELECT subscribe(c, 'Customers');
END $$;
CREATE FUNCTION a41_left(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'unsubscribed' ON list_subscription FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('A41', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT subscribe(ARRAY[:ann], 'Prospects'), subscribe(ARRAY[:ann], 'News');
INSERT INTO sales_order (contact_id) VALUES (:ann), (:bob);
CALL automation.run();
SELECT conformance.yes('A41', 'off one list, by the workflow', (SELECT status = 'unsubscribed' AND unsubscribe_source = 'automation' AND unsubscribed_at IS NOT NULL
    FROM list_subscription WHERE contact_id = :ann AND list_id = list('Prospects')));
SELECT conformance.yes('A41', 'on the other', (SELECT is_subscribed(c, 'Customers') FROM contact c WHERE id = :ann));
SELECT conformance.yes('A41', 'the trigger of those who leave', conformance.hits('A41') = ARRAY[:'ann']);
SELECT conformance.no('A41', 'off a third list', (SELECT NOT is_subscribed(c, 'News') FROM contact c WHERE id = :ann));
SELECT conformance.no('A41', 'a row for who never was on it', EXISTS (SELECT FROM list_subscription WHERE contact_id = :bob AND list_id = list('Prospects')));
SELECT conformance.refused('A41', 'a list that is not there', $$ SELECT unsubscribe(c, 'Prospekts') FROM contact c $$, 'there is no mailing list "Prospekts"');
DROP FUNCTION a41, a41_left;

-- A42, a tag for who sends the form; the one he has is not given again
CREATE FUNCTION a42(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission WHEN new.form_id = form('Webinar') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT add_tag(c, 'webinar');
  SELECT add_tag(c, 'spring 2026');
END $$;
CREATE FUNCTION a42_tagged(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('webinar') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('A42', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Webinar'), :ann), (form('Demo'), :bob);
CALL automation.run();
SELECT conformance.yes('A42', 'the tag, and one that was not known before', (SELECT has_tag(c, 'webinar') AND has_tag(c, 'spring 2026') FROM contact c WHERE id = :ann));
SELECT conformance.yes('A42', 'the trigger of the tag', conformance.hits('A42', :ann) = 1);
SELECT conformance.yes('A42', 'says it was the workflow', (SELECT bool_and(source = 'automation') FROM contact_tag WHERE contact_id = :ann));
SELECT conformance.no('A42', 'another form', (SELECT has_tag(c, 'webinar') FROM contact c WHERE id = :bob));
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Webinar'), :ann);
CALL automation.run();
SELECT conformance.no('A42', 'a second event for a tag that is there', conformance.hits('A42', :ann) > 1);
SELECT conformance.yes('A42', 'a whole segment in one statement', add_tag(ARRAY[:ann, :bob], 'webinar') = 1);
DROP FUNCTION a42, a42_tagged;

-- A43, who buys is no prospect any more; the row of the tag stays, for who wants to know when it went
CREATE FUNCTION a43(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order FOR SELECT new.contact_id;
BEGIN
  SELECT remove_tag(c, 'early bird');
  SELECT remove_tag(c, 'a tag that nobody made');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
SELECT add_tag(ARRAY[:ann, :cid], 'early bird'), add_tag(ARRAY[:ann], 'blog');
INSERT INTO sales_order (contact_id) VALUES (:ann), (:bob);
CALL automation.run();
SELECT conformance.yes('A43', 'the tag is off', (SELECT NOT has_tag(c, 'early bird') FROM contact c WHERE id = :ann));
SELECT conformance.yes('A43', 'its row stays', (SELECT count(*) = 1 AND bool_and(removed_at >= added_at) FROM contact_tag WHERE contact_id = :ann AND tag_id = tag('early bird')));
SELECT conformance.no('A43', 'taken off a second time', remove_tag(ARRAY[:ann], 'early bird') > 0);
SELECT conformance.no('A43', 'another tag', (SELECT NOT has_tag(c, 'blog') FROM contact c WHERE id = :ann));
SELECT conformance.no('A43', 'somebody else''s tag', (SELECT NOT has_tag(c, 'early bird') FROM contact c WHERE id = :cid));
SELECT conformance.no('A43', 'one who did not have it is stuck', (SELECT count(*) > 0 FROM automation.enrollments WHERE workflow = 'a43'));
SELECT conformance.no('A43', 'a tag made by its removal', tag('a tag that nobody made') IS NOT NULL);
DROP FUNCTION a43;

-- A44, who shares a mail becomes a promoter, in a field of one's own
CREATE FUNCTION a44(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN new.kind = 'share' FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT set_property(c, 'custom.status', 'Promoter');
  UPDATE contact SET lifecycle = 'evangelist' WHERE id = c.id;
END $$;
CREATE FUNCTION a44_changed(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF custom;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('A44', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET custom = '{"shoe size": 38}' WHERE id = :ann;
CALL automation.run();
DELETE FROM conformance.hit WHERE id = 'A44';
INSERT INTO email_event (contact_id, kind, network) VALUES (:ann, 'share', 'linkedin'), (:bob, 'open', NULL);
CALL automation.run();
SELECT conformance.yes('A44', 'the fields', (SELECT custom = '{"shoe size": 38, "status": "Promoter"}' AND lifecycle = 'evangelist' FROM contact WHERE id = :ann));
SELECT conformance.no('A44', 'who opened', (SELECT custom ? 'status' OR lifecycle IS NOT NULL FROM contact WHERE id = :bob));
INSERT INTO email_event (contact_id, kind, network) VALUES (:ann, 'share', 'facebook');
CALL automation.run();
SELECT conformance.no('A44', 'an event for the value that is there', conformance.hits('A44', :ann) > 1);
SELECT conformance.no('A44', 'a write of it', (SELECT set_property(c, 'custom.status', 'Promoter') + set_property(c, 'lifecycle', 'evangelist') > 0 FROM contact c WHERE id = :ann));
SELECT conformance.refused('A44', 'a field that is not there', $$ SELECT set_property(c, 'colour', 'red') FROM contact c $$, 'contact has no property "colour"');
DROP FUNCTION a44, a44_changed;

-- A45, a note on the contact, not on its deals
CREATE FUNCTION a45(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission WHEN new.form_id = form('Demo') FOR SELECT new.contact_id;
BEGIN
  SELECT add_note(c, c.first_name || ' asked for a demo');
END $$;
SELECT new_contact('Ann') AS ann \gset
SELECT new_deal('Big', 'Sales', 'New', :ann) AS deal \gset
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Demo'), :ann);
CALL automation.run();
SELECT conformance.yes('A45', 'the note', (SELECT count(*) = 1 AND min(body) = 'Ann asked for a demo' AND min(source::text) = 'automation' FROM note WHERE contact_id = :ann));
SELECT conformance.no('A45', 'a note on the deal', EXISTS (SELECT FROM note WHERE deal_id = :deal));
SELECT conformance.refused('A45', 'a note without a text', $$ SELECT add_note(c, NULL) FROM contact c $$, 'null value in column "body"%');
DROP FUNCTION a45;

-- A46, points for what one does, and points off, below nothing if need be
CREATE FUNCTION a46(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN new.kind = 'click' FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT adjust_score(c, 5);
  SELECT adjust_score(c, 'engagement', 1);
END $$;
CREATE FUNCTION a46_left(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'unsubscribed' ON list_subscription FOR SELECT new.contact_id;
BEGIN
  SELECT adjust_score(c, -20);
END $$;
CREATE FUNCTION a46_scored(c contact, before int) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score FOR SELECT new.id, old.score;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('A46', c.id, before || ' to ' || c.score);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO email_event (contact_id, kind) VALUES (:ann, 'click'), (:bob, 'open');
CALL automation.run();
INSERT INTO email_event (contact_id, kind) VALUES (:ann, 'click');
CALL automation.run();
SELECT adjust_score(c, 'heat', 50) FROM contact c WHERE id = :ann;
SELECT conformance.yes('A46', 'points for clicks', (SELECT score = 10 AND score_of(c, 'engagement') = 2 FROM contact c WHERE id = :ann));
SELECT conformance.no('A46', 'points for an open', (SELECT score <> 0 OR score_of(c, 'engagement') <> 0 FROM contact c WHERE id = :bob));
SELECT subscribe(ARRAY[:ann], 'News');
CALL automation.run();
SELECT unsubscribe(ARRAY[:ann], 'News');
CALL automation.run();
SELECT conformance.yes('A46', 'points off, below 0', (SELECT score = -10 FROM contact WHERE id = :ann));
SELECT conformance.yes('A46', 'each time the trigger of the score', (SELECT array_agg(what ORDER BY n) = '{0 to 5,5 to 10,10 to -10}' FROM conformance.hit WHERE id = 'A46'));
SELECT xmin AS written FROM contact WHERE id = :bob \gset
SELECT adjust_score(c, 0), adjust_score(c, NULL) FROM contact c WHERE id = :bob;
CALL automation.run();
SELECT conformance.no('A46', 'a write, or an event, for no points', (SELECT xmin <> :'written'::xid FROM contact WHERE id = :bob) OR conformance.hits('A46', :bob) > 0);
SELECT conformance.yes('A46', 'a whole segment in one statement', adjust_score(ARRAY[:ann, :bob], 3) = 2);
SELECT conformance.yes('A46', 'its points', (SELECT array_agg(score ORDER BY id) = '{-7,3}' FROM contact WHERE id IN (:ann, :bob)));
DROP FUNCTION a46, a46_left, a46_scored;

-- A47, the score is written, whatever it was
CREATE FUNCTION a47(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SELECT set_score(c, 100);
  SELECT set_score(c, 'engagement', 10);
END $$;
-- A48, back to nothing
CREATE FUNCTION a48(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lost';
  ENROLL AGAIN;
BEGIN
  SELECT reset_score(c);
END $$;
CREATE FUNCTION a48_scored(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('A48', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT set_score(ARRAY[:ann, :bob], 7), adjust_score(c, 'engagement', 99) FROM contact c WHERE id = :ann;
UPDATE contact SET lifecycle = 'customer' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('A47', 'the value', (SELECT score = 100 AND score_of(c, 'engagement') = 10 FROM contact c WHERE id = :ann));
SELECT conformance.no('A47', 'somebody else''s', (SELECT score <> 7 OR score_of(c, 'engagement') <> 0 FROM contact c WHERE id = :bob));
SELECT xmin AS written FROM contact WHERE id = :ann \gset
SELECT set_score(c, 100), set_score(c, NULL), set_score(c, 'engagement', NULL) FROM contact c WHERE id = :ann;
SELECT conformance.no('A47', 'a write of the value that is there', set_score(ARRAY[:ann], 100) > 0 OR (SELECT xmin <> :'written'::xid FROM contact WHERE id = :ann));
UPDATE contact SET lifecycle = 'lost' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('A48', 'zero', (SELECT score = 0 FROM contact WHERE id = :ann));
SELECT conformance.no('A48', 'somebody else''s', (SELECT score = 0 FROM contact WHERE id = :bob));
DELETE FROM conformance.hit WHERE id = 'A48';
UPDATE contact SET lifecycle = 'customer' WHERE id = :ann;
UPDATE contact SET lifecycle = 'lost' WHERE id = :ann;
CALL automation.run();
SELECT conformance.no('A48', 'an event where it is zero', conformance.hits('A48', :ann) > 0);
DROP FUNCTION a47, a48, a48_scored;

-- A49, buyers into an audience of Facebook, which the first of them makes; those who come meanwhile are told when it is there
CREATE FUNCTION a49(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order FOR SELECT new.contact_id;
  ENROLL AGAIN;
DECLARE
  reply automation.delivery;
BEGIN
  SEND create_audience('Buyers', '1234567890') INTO reply;
  IF FOUND THEN
    SELECT audience_created('Buyers', reply);
    SEND audience_members('Buyers');
  END IF;
  SEND add_to_audience(c, 'Buyers');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dan') AS dan \gset
INSERT INTO sales_order (contact_id) VALUES (:ann);
CALL automation.run();
INSERT INTO sales_order (contact_id) VALUES (:bob);
CALL automation.run();
SELECT conformance.yes('A49', 'one request to make it', (SELECT count(*) = 1 AND min(target) LIKE '%/act_1234567890/customaudiences' AND min(body)::jsonb ->> 'name' = 'Buyers'
    FROM automation.deliveries WHERE workflow = 'a49'));
SELECT conformance.yes('A49', 'made by a workflow, sub-type customer list', (SELECT created_in_workflow AND subtype = 'customer_list' AND external_id IS NULL FROM ad_audience WHERE name = 'Buyers'));
SELECT automation.settle(id, 'sent', 200, '{"id": "23850001"}') FROM automation.deliveries WHERE workflow = 'a49';
CALL automation.run();
INSERT INTO sales_order (contact_id) VALUES (:cid), (:ann);
CALL automation.run();
SELECT conformance.yes('A49', 'each told once, as hashes', (SELECT count(*) = 3 AND count(DISTINCT body) = 3 AND bool_and(target LIKE '%/23850001/users' AND body NOT LIKE '%@%')
    FROM automation.deliveries WHERE workflow = 'a49' AND state = 'queued'));
SELECT conformance.yes('A49', 'members', (SELECT array_agg(contact_id ORDER BY contact_id) = ARRAY[:ann, :bob, :cid]::bigint[] FROM ad_audience_member));
SELECT conformance.no('A49', 'who bought nothing', EXISTS (SELECT FROM ad_audience_member WHERE contact_id = :dan));
SELECT conformance.refused('A49', 'an audience that is not there', $$ SELECT add_to_audience(c, 'Bayers') FROM contact c $$, 'there is no audience "Bayers" on facebook');
DROP FUNCTION a49;

-- A50, who cancels leaves the audience; who is not in it is not spoken of
CREATE FUNCTION a50(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'former customer';
BEGIN
  SEND remove_from_audience(c, 'Buyers');
END $$;
UPDATE contact SET lifecycle = 'former customer' WHERE id IN (:ann, :dan);
CALL automation.run();
SELECT conformance.yes('A50', 'one request, of one member', (SELECT count(*) = 1 AND min(options ->> 'method') = 'DELETE' AND min(target) LIKE '%/23850001/users' AND min(subject) = 'contact ' || :ann
    FROM automation.deliveries WHERE workflow = 'a50'));
SELECT conformance.yes('A50', 'no member any more', NOT EXISTS (SELECT FROM ad_audience_member WHERE contact_id = :ann));
SELECT conformance.no('A50', 'the others go too', (SELECT count(*) <> 2 FROM ad_audience_member));
SELECT conformance.no('A50', 'a request for who was not in it', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a50' AND subject = 'contact ' || :dan));
DROP FUNCTION a50;

-- A51, A52, on a static list and off it again
CREATE FUNCTION a51(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission WHEN new.form_id = form('Webinar') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT add_to_static_list(c, 'Guests');
END $$;
CREATE FUNCTION a51_guest(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON static_list_member WHEN new.list_id = static_list('Guests') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('A51', c.id);
END $$;
CREATE FUNCTION a52(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF unsubscribed TO true;
BEGIN
  SELECT remove_from_static_list(c, 'Guests');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Webinar'), :ann), (form('Demo'), :bob);
CALL automation.run();
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Webinar'), :ann);
CALL automation.run();
SELECT conformance.yes('A51', 'on the list', (SELECT on_static_list(c, 'Guests') FROM contact c WHERE id = :ann));
SELECT conformance.yes('A51', 'the trigger of the list', conformance.hits('A51', :ann) = 1);
SELECT conformance.no('A51', 'another form', (SELECT on_static_list(c, 'Guests') FROM contact c WHERE id = :bob));
SELECT conformance.no('A51', 'another list', (SELECT on_static_list(c, 'Speakers') FROM contact c WHERE id = :ann));
SELECT conformance.refused('A51', 'a list that is not there', $$ SELECT add_to_static_list(c, 'Gests') FROM contact c $$, 'there is no static list "Gests"');
SELECT add_to_static_list(ARRAY[:ann, :bob], 'Speakers'), add_to_static_list(ARRAY[:bob], 'Guests');
UPDATE contact SET unsubscribed = true WHERE id IN (:ann, :cid);
CALL automation.run();
SELECT conformance.yes('A52', 'off the list', (SELECT NOT on_static_list(c, 'Guests') FROM contact c WHERE id = :ann));
SELECT conformance.no('A52', 'off another list', (SELECT NOT on_static_list(c, 'Speakers') FROM contact c WHERE id = :ann));
SELECT conformance.no('A52', 'somebody else', (SELECT NOT on_static_list(c, 'Guests') FROM contact c WHERE id = :bob));
SELECT conformance.no('A52', 'one who was not on it is stuck', (SELECT count(*) > 0 FROM automation.enrollments WHERE workflow = 'a52'));
SELECT conformance.refused('A52', 'a list that is not there', $$ SELECT remove_from_static_list(c, 'Gests') FROM contact c $$, 'there is no static list "Gests"');
DROP FUNCTION a51, a51_guest, a52;

-- A53, A54, audiences of whatever network, those only that a workflow made
CREATE FUNCTION a53(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  SEND create_audience('Leads', network => 'google');
  SEND add_to_audience(c, 'Leads', network => 'google', only_own => true);
END $$;
CREATE FUNCTION a54(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SEND remove_from_audience(c, 'Leads', network => 'google', only_own => true);
END $$;
INSERT INTO ad_audience (network, name) VALUES ('google', 'By hand');
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
UPDATE contact SET lifecycle = 'lead' WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('A53', 'a new audience, then the one that is there', (SELECT count(*) = 2 FROM ad_audience_member m JOIN ad_audience a ON a.id = m.audience_id
    WHERE a.name = 'Leads' AND a.network = 'google' AND a.created_in_workflow));
SELECT conformance.no('A53', 'no lead', EXISTS (SELECT FROM ad_audience_member WHERE contact_id = :cid));
SELECT conformance.no('A53', 'a message to Facebook', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a53'));
SELECT conformance.refused('A53', 'an audience that no workflow made', $$ SELECT add_to_audience(c, 'By hand', 'google', only_own => true) FROM contact c $$,
    'audience "By hand" was not made by a workflow');
UPDATE contact SET lifecycle = 'customer' WHERE id IN (:ann, :cid);
CALL automation.run();
SELECT conformance.yes('A54', 'out of the audience', NOT EXISTS (SELECT FROM ad_audience_member WHERE contact_id = :ann));
SELECT conformance.no('A54', 'somebody else', NOT EXISTS (SELECT FROM ad_audience_member WHERE contact_id = :bob));
SELECT conformance.refused('A54', 'an audience that no workflow made', $$ SELECT remove_from_audience(c, 'By hand', 'google', only_own => true) FROM contact c $$,
    'audience "By hand" was not made by a workflow');
DROP FUNCTION a53, a54;

-- A55, a won deal is a conversion of its contact, of a kind that may be new; others can wait for that
CREATE FUNCTION a55(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won' ON deal FOR SELECT dc.contact_id, new.id FROM deal_contact dc WHERE dc.deal_id = new.id AND dc.is_primary;
  ENROLL ONCE PER c, d;
BEGIN
  SELECT record_conversion(c, 'purchase', d.value);
  SELECT record_conversion(c, 'deal won');
END $$;
CREATE FUNCTION a55_converted(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON conversion_event WHEN new.type_id = conversion_type('purchase') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('A55', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT new_deal('Big', 'Sales', 'New', :ann, :bob) AS big, new_deal('Small', 'Sales', 'New', :bob) AS small \gset
UPDATE deal SET status = CASE id WHEN :big THEN 'won' ELSE 'lost' END::deal_status WHERE id IN (:big, :small);
CALL automation.run();
SELECT conformance.yes('A55', 'two conversions, one of a new type', (SELECT array_agg(t.name ORDER BY t.name) = '{deal won,purchase}' AND max(e.value) = 1000 AND min(e.source::text) = 'automation'
    FROM conversion_event e JOIN conversion_type t ON t.id = e.type_id WHERE e.contact_id = :ann));
SELECT conformance.yes('A55', 'the trigger of the conversion', conformance.hits('A55', :ann) = 1);
SELECT conformance.no('A55', 'a lost deal, a contact who is not the primary one', conformance.hits('A55', :bob) > 0);
DROP FUNCTION a55, a55_converted;

-- A56, a model sums up one field in another; without an answer nothing is written
CREATE FUNCTION a56(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF custom WHEN new.custom ->> 'feedback' IS NOT NULL AND NOT new.custom ? 'sentiment';
DECLARE
  reply automation.delivery;
BEGIN
  SEND ai_prompt(c.custom ->> 'feedback', system => 'Say positive, neutral or negative, and nothing else.', server => 'ai') INTO reply;
  IF FOUND THEN
    SELECT set_property(c, 'custom.sentiment', lower(ai_answer(reply)));
  END IF;
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
UPDATE contact SET custom = '{"feedback": "I love it"}' WHERE id = :ann;
UPDATE contact SET custom = '{"feedback": "It broke"}' WHERE id = :bob;
UPDATE contact SET custom = '{"shoe size": 38}' WHERE id = :cid;
CALL automation.run();
SELECT conformance.yes('A56', 'the question', (SELECT count(*) = 2 AND bool_and(target LIKE '%/v1/chat/completions') AND bool_or(body::jsonb #>> '{messages,1,content}' = 'I love it')
    FROM automation.deliveries WHERE workflow = 'a56'));
SELECT automation.settle(id, 'sent', 200, '{"choices": [{"message": {"role": "assistant", "content": "Positive"}}]}') FROM automation.deliveries
WHERE workflow = 'a56' AND subject = 'contact ' || :ann;
SELECT automation.settle(id, 'dead', 402, error => 'no credit') FROM automation.deliveries WHERE workflow = 'a56' AND subject = 'contact ' || :bob;
CALL automation.run();
SELECT conformance.yes('A56', 'the answer in another field', (SELECT custom = '{"feedback": "I love it", "sentiment": "positive"}' FROM contact WHERE id = :ann));
SELECT conformance.no('A56', 'a field without an answer', (SELECT custom <> '{"feedback": "It broke"}' FROM contact WHERE id = :bob));
SELECT conformance.no('A56', 'a question without a text', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a56' AND subject = 'contact ' || :cid));
DROP FUNCTION a56;

-- A57, the contact's status is what its subscriptions come to, whoever writes them; a word of somebody's own stays
CREATE FUNCTION a57(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  SELECT subscribe(c, 'News');
  SELECT subscribe(c, 'Offers');
END $$;
CREATE FUNCTION a57_active(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'active';
BEGIN
  SELECT conformance.hit('A57', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
UPDATE contact SET status = 'Promoter' WHERE id = :bob;
UPDATE contact SET lifecycle = 'lead' WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('A57', 'active', (SELECT status = 'active' FROM contact WHERE id = :ann));
SELECT conformance.yes('A57', 'a trigger for it', conformance.hits('A57', :ann) = 1);
SELECT conformance.no('A57', 'a word of somebody''s own', (SELECT status <> 'Promoter' FROM contact WHERE id = :bob));
SELECT conformance.no('A57', 'who is on no list', (SELECT status IS NOT NULL FROM contact WHERE id = :cid));
UPDATE list_subscription SET status = 'unsubscribed' WHERE contact_id = :ann AND list_id = list('News');
SELECT conformance.no('A57', 'off one of two lists', (SELECT status <> 'active' FROM contact WHERE id = :ann));
SELECT unsubscribe(ARRAY[:ann], 'Offers'), subscribe(ARRAY[:cid], 'Club');
SELECT conformance.yes('A57', 'off the last; before the confirmation', (SELECT array_agg(status ORDER BY id) = '{unsubscribed,unconfirmed}' FROM contact WHERE id IN (:ann, :cid)));
DROP FUNCTION a57, a57_active;
