-- When an automation begins, and when it does not.

-- S01, not for what is there already
SELECT new_deal('Before', 'Sales', 'New') AS before \gset
CREATE FUNCTION s01(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF value WHEN new.value >= 1000;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S01', d.id);
END $$;
SELECT new_deal('After', 'Sales', 'New') AS after \gset
CALL automation.run();
SELECT conformance.yes('S01', 'what happens from now on', conformance.hits('S01') = ARRAY[:'after']);
SELECT conformance.no('S01', 'what was there', conformance.hits('S01', :before) > 0);
SELECT automation.pause('s01') IS NOT NULL AS off \gset
UPDATE deal SET value = 3000 WHERE id = :before;
CALL automation.run();
SELECT automation.resume('s01') IS NOT NULL AS on \gset
CALL automation.run();
SELECT conformance.no('S01', 'what happened while it was off', conformance.hits('S01', :before) > 0);
UPDATE deal SET value = 4000 WHERE id = :before;
CALL automation.run();
SELECT conformance.yes('S01', 'an event of one that was there', conformance.hits('S01', :before) = 1);
DROP FUNCTION s01;

-- S02, right after the event; a condition that becomes true without one starts nothing
CREATE FUNCTION s02(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF value WHEN new.owner_id = 2;
BEGIN
  SELECT conformance.hit('S02', d.id);
END $$;
SELECT new_deal('One', 'Sales', 'New') AS one, new_deal('Two', 'Sales', 'New') AS two \gset
UPDATE deal SET owner_id = 2 WHERE id = :two;
CALL automation.run();
UPDATE deal SET value = 2000 WHERE id = :two;
UPDATE deal SET value = 2000 WHERE id = :one;
CALL automation.run();
UPDATE deal SET owner_id = 2 WHERE id = :one;
CALL automation.advance('1 day');
SELECT conformance.yes('S02', 'the condition holds at the event', conformance.hits('S02') = ARRAY[:'two']);
SELECT conformance.no('S02', 'it holds later, without an event', conformance.hits('S02', :one) > 0);
DROP FUNCTION s02;

-- S03, imports start nothing here; S04, there an imported tag does.  S05, an API and a form do
CREATE FUNCTION s03(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.source <> 'import';
BEGIN
  INSERT INTO deal_label (deal_id, label_id) VALUES (d.id, label('API'));
  SELECT conformance.hit('S03', d.id, d.source::text);
END $$;
CREATE FUNCTION s04(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('vip') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('S04', c.id);
END $$;
CREATE FUNCTION s05(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.source IN ('api', 'web_form') AND new.value > 100;
BEGIN
  SELECT conformance.hit('S05', d.id, d.source::text);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SET crm.source = 'import';
INSERT INTO deal (title, value) SELECT 'Imported ' || n, 1000 FROM generate_series(1, 50) n;
INSERT INTO contact_tag (contact_id, tag_id) VALUES (:ann, tag('vip')), (:bob, tag('blog'));
SET crm.source = 'api';
INSERT INTO deal (title, value) VALUES ('By an API', 1000) RETURNING id AS api \gset
INSERT INTO deal (title, value) VALUES ('Too small', 10) RETURNING id AS small \gset
SET crm.source = 'web_form';
INSERT INTO deal (title, value) VALUES ('By a form', 1000) RETURNING id AS form \gset
RESET crm.source;
CALL automation.run();
SELECT conformance.yes('S03', 'what is made one by one', conformance.hits('S03') = ARRAY[:'api', :'small', :'form']);
SELECT conformance.no('S03', 'imported deals stay without labels',
                      EXISTS (SELECT FROM deal_label l JOIN deal d ON d.id = l.deal_id WHERE d.source = 'import'));
SELECT conformance.yes('S04', 'an imported tag', conformance.hits('S04') = ARRAY[:'ann']);
SELECT conformance.no('S04', 'another imported tag', conformance.hits('S04', :bob) > 0);
SELECT conformance.yes('S05', 'by an API, by a form', conformance.hits('S05') = ARRAY[:'api', :'form']);
SELECT conformance.no('S05', 'whose conditions do not hold', conformance.hits('S05', :small) > 0);
DROP FUNCTION s03, s04, s05;

-- S06, a passive condition is tested and never starts anything.  S07, no mail starts the automation of a deal
CREATE FUNCTION s06(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id WHEN email_count(new) >= 2;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S06', d.id);
END $$;
CREATE FUNCTION s07(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S07', d.id);
END $$;
SELECT new_contact('Ann') AS ann \gset
SELECT new_deal('Much mail', 'Sales', 'New', :ann) AS much, new_deal('Little mail', 'Sales', 'New', :ann) AS little \gset
CALL automation.run();
INSERT INTO email_message (class, direction, deal_id, contact_id) VALUES ('personal', 'out', :much, :ann), ('personal', 'in', :much, :ann), ('personal', 'out', :little, :ann);
INSERT INTO email_message (class, direction, contact_id) VALUES ('personal', 'in', :ann) RETURNING id AS mail \gset
UPDATE email_message SET deal_id = :much WHERE id = :mail;
CALL automation.run();
SELECT conformance.no('S06', 'the mails themselves', conformance.hits('S06') <> '{}');
SELECT conformance.no('S07', 'sending, receiving and linking a mail', conformance.hits('S07') <> '{}');
UPDATE deal SET stage_id = stage('Sales', 'Demo') WHERE id IN (:much, :little);
CALL automation.run();
SELECT conformance.yes('S06', 'at another event it is checked', conformance.hits('S06') = ARRAY[:'much']);
SELECT conformance.yes('S07', 'a change of the deal', conformance.hits('S07') = ARRAY[:'much', :'little']);
DROP FUNCTION s06, s07;

-- S08, the rotting date is no column that could change; an activity with the same date is the way round
SELECT conformance.refused('S08', 'as a trigger', $cmd$
  CREATE FUNCTION s08(d deal) RETURNS bigint LANGUAGE workflow AS $$ AFTER UPDATE OF rotten_at TO NULL; BEGIN SELECT 1; END $$ $cmd$, '%rotten_at%');
CREATE FUNCTION s08(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AT a.due_at WHEN a.title = 'going stale' AND a.status = 'open';
BEGIN
  SELECT conformance.hit('S08', a.deal_id);
END $$;
SELECT new_deal('With an activity', 'Sales', 'New') AS with, new_deal('Without', 'Sales', 'New') AS without \gset
INSERT INTO activity (type, title, deal_id, due_at) SELECT 'task', 'going stale', d.id, rotten_at(d) FROM deal d WHERE d.id = :with;
CALL automation.advance('15 days');
SELECT conformance.yes('S08', 'the activity of that date', conformance.hits('S08') = ARRAY[:'with']);
SELECT conformance.no('S08', 'a deal that goes stale by itself', conformance.hits('S08', :without) > 0);
DROP FUNCTION s08;

-- S09, several triggers: any of them
CREATE FUNCTION s09(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status TO 'active' ON list_subscription WHEN new.list_id IN (list('News'), list('Offers')) FOR SELECT new.contact_id;
  AFTER INSERT ON form_submission WHEN new.form_id = form('Demo') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('S09', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dot') AS dot \gset
INSERT INTO list_subscription (contact_id, list_id, status) VALUES (:ann, list('News'), 'active'), (:bob, list('Offers'), 'active'), (:dot, list('Prospects'), 'active');
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Demo'), :cid), (form('Demo'), :ann);
CALL automation.run();
SELECT conformance.yes('S09', 'any of three, and once', conformance.hits('S09') = ARRAY[:'ann', :'bob', :'cid']);
SELECT conformance.no('S09', 'a fourth list', conformance.hits('S09', :dot) > 0);
DROP FUNCTION s09;

-- S10, once, or each time.  S11, a tag has to be removed before it can be added again
CREATE FUNCTION s10_once(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON page_view FOR SELECT new.contact_id;
  ENROLL ONCE;
BEGIN
  SELECT conformance.hit('S10', c.id, 'once');
END $$;
CREATE FUNCTION s10_many(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON page_view FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S10', c.id, 'many');
END $$;
CREATE FUNCTION s11(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('webinar') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S11', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO page_view (contact_id, url) VALUES (:ann, 'https://example.com/');
SELECT add_tag(c, 'webinar') FROM contact c WHERE c.id IN (:ann, :bob);
CALL automation.run();
INSERT INTO page_view (contact_id, url) VALUES (:ann, 'https://example.com/');
SELECT add_tag(c, 'webinar') FROM contact c WHERE c.id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.no('S11', 'the tag they have', conformance.hits('S11') <> ARRAY[:'ann', :'bob']);
SELECT remove_tag(c, 'webinar') FROM contact c WHERE c.id = :ann;
CALL automation.run();
SELECT add_tag(c, 'webinar') FROM contact c WHERE c.id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('S10', 'each time', (SELECT count(*) FROM conformance.hit WHERE id = 'S10' AND what = 'many') = 2);
SELECT conformance.no('S10', 'once', (SELECT count(*) FROM conformance.hit WHERE id = 'S10' AND what = 'once') > 1);
SELECT conformance.yes('S11', 'added, removed, added', conformance.hits('S11', :ann) = 2);
SELECT conformance.no('S11', 'added twice', conformance.hits('S11', :bob) > 1);
DROP FUNCTION s10_once, s10_many, s11;

-- S12, an app's trigger lets a contact in once per automation
CREATE FUNCTION s12(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON external_meeting WHEN new.provider = 'calendly' FOR SELECT new.contact_id;
  ENROLL ONCE;
BEGIN
  SELECT conformance.hit('S12', c.id);
END $$;
CREATE FUNCTION s12_other(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON external_meeting WHEN new.provider = 'calendly' FOR SELECT new.contact_id;
  ENROLL ONCE;
BEGIN
  SELECT conformance.hit('S12', c.id, 'other');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO external_meeting (contact_id, type, scheduled_at) VALUES (:ann, 'demo', automation.now());
CALL automation.run();
INSERT INTO external_meeting (contact_id, type, scheduled_at) VALUES (:ann, 'demo', automation.now()), (:bob, 'demo', automation.now());
INSERT INTO external_meeting (contact_id, provider, type, scheduled_at) SELECT new_contact('Cid'), 'another app', 'demo', automation.now();
CALL automation.run();
SELECT conformance.yes('S12', 'each contact, in each automation', conformance.hits('S12') = ARRAY[:'ann', :'ann', :'bob', :'bob']);
SELECT conformance.no('S12', 'the second meeting', conformance.hits('S12', :ann) > 2);
DROP FUNCTION s12, s12_other;

-- Double opt-in holds: S13, who joins a list; S14, who submits a form; S15, who gets a tag by that form
CREATE FUNCTION s13(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status TO 'active' ON list_subscription WHEN new.list_id = list('Club') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('S13', c.id);
END $$;
CREATE FUNCTION s14(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF confirmed_at ON form_submission WHEN new.form_id = form('E-book') AND new.confirmed_at IS NOT NULL
    FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('S14', c.id);
END $$;
CREATE FUNCTION s15(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('blog') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('S15', c.id);
END $$;
INSERT INTO form_action (form_id, tag_id) VALUES (form('E-book'), tag('blog'));
INSERT INTO form_action (form_id, list_id) VALUES (form('E-book'), list('Club'));
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO form_submission (form_id, contact_id) VALUES (form('E-book'), :ann), (form('E-book'), :bob);
CALL automation.run();
SELECT conformance.no('S13', 'not confirmed', conformance.hits('S13') <> '{}');
SELECT conformance.no('S14', 'not confirmed', conformance.hits('S14') <> '{}');
SELECT conformance.no('S15', 'not confirmed', conformance.hits('S15') <> '{}');
UPDATE form_submission SET confirmed_at = automation.now() WHERE contact_id = :ann;
CALL automation.run();
SELECT confirm_subscription(c, 'Club') FROM contact c WHERE c.id = :ann;
CALL automation.run();
SELECT conformance.yes('S13', 'confirmed', conformance.hits('S13') = ARRAY[:'ann']);
SELECT conformance.yes('S14', 'confirmed', conformance.hits('S14') = ARRAY[:'ann']);
SELECT conformance.yes('S15', 'confirmed', conformance.hits('S15') = ARRAY[:'ann']);
SELECT conformance.no('S15', 'the other is still waited for',
                      conformance.hits('S13', :bob) + conformance.hits('S14', :bob) + conformance.hits('S15', :bob) > 0);
DROP FUNCTION s13, s14, s15;
DELETE FROM form_action;

-- S16, a mail program that fetches the images has not opened anything; a click shows that somebody did
CREATE FUNCTION s16(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_open(new) FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S16', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
INSERT INTO email_message (class, direction, contact_id, campaign_id) VALUES ('campaign', 'out', :ann, campaign('Spring sale')) RETURNING id AS m1 \gset
INSERT INTO email_message (class, direction, contact_id, campaign_id) VALUES ('campaign', 'out', :bob, campaign('Spring sale')) RETURNING id AS m2 \gset
INSERT INTO email_message (class, direction, contact_id, campaign_id) VALUES ('campaign', 'out', :cid, campaign('Spring sale')) RETURNING id AS m3 \gset
INSERT INTO email_event (message_id, contact_id, kind, is_machine_open, user_agent) VALUES (:m1, :ann, 'open', true, 'Apple Mail 15'), (:m3, :cid, 'open', true, 'Apple Mail 15');
INSERT INTO email_event (message_id, contact_id, kind) VALUES (:m2, :bob, 'open');
CALL automation.run();
INSERT INTO email_event (message_id, contact_id, kind) VALUES (:m3, :cid, 'click');
CALL automation.run();
SELECT conformance.yes('S16', 'an open, and a click after a machine''s', conformance.hits('S16') = ARRAY[:'bob', :'cid']);
SELECT conformance.no('S16', 'a machine', conformance.hits('S16', :ann) > 0);
DROP FUNCTION s16;

-- S17, who came by a list leaves with it: the workflow says so.  Who came by a tag stays
CREATE FUNCTION s17(c contact, via text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status TO 'active' ON list_subscription WHEN new.list_id = list('News') FOR SELECT new.contact_id, 'list';
  AFTER INSERT ON form_submission WHEN new.form_id = form('Webinar') FOR SELECT new.contact_id, 'form';
  AFTER INSERT ON email_event WHEN new.kind IN ('open', 'click', 'reply', 'share', 'forward_form') AND sent_to_list(mail_of(new), list('News'))
    FOR SELECT new.contact_id, new.kind;
  ENROLL AGAIN PER c, via;
  EXIT WHEN NOT is_subscribed(c, 'News');
BEGIN
  WAIT FOR '3 days';
  SELECT conformance.hit('S17', c.id, via);
END $$;
CREATE FUNCTION s17_left(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'active' TO 'unsubscribed' ON list_subscription WHEN new.list_id = list('News') FOR SELECT new.contact_id;
  EXIT WHEN is_subscribed(c, 'News');
BEGIN
  WAIT FOR '2 days';
  SELECT conformance.hit('S17', c.id, 'left');
END $$;
CREATE FUNCTION s17_tag(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('vip') FOR SELECT new.contact_id;
BEGIN
  WAIT FOR '3 days';
  SELECT conformance.hit('S17', c.id, 'tag');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
INSERT INTO campaign_list VALUES (campaign('Spring sale'), list('News'));
SELECT subscribe(c, 'News') FROM contact c WHERE c.id IN (:ann, :bob);
SELECT add_tag(c, 'vip') FROM contact c WHERE c.id = :bob;
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Webinar'), :ann), (form('Webinar'), :bob), (form('Webinar'), :cid);
INSERT INTO email_message (class, direction, contact_id, campaign_id) VALUES ('campaign', 'out', :ann, campaign('Spring sale')) RETURNING id AS mail \gset
INSERT INTO email_event (message_id, contact_id, kind) SELECT :mail, p, k FROM unnest(ARRAY['open', 'click', 'reply', 'share', 'forward_form']) k, unnest(ARRAY[:ann, :bob]) p;
CALL automation.advance('1 day');
SELECT unsubscribe(c, 'News', 'contact') FROM contact c WHERE c.id = :bob;
CALL automation.advance('3 days');
SELECT conformance.yes('S17', 'who stays on the list, by each of the ways',
                       (SELECT array_agg(what ORDER BY what) FROM conformance.hit WHERE id = 'S17' AND key = :'ann') = '{click,form,forward_form,list,open,reply,share}');
SELECT conformance.yes('S17', 'who came by a tag, who came by leaving', (SELECT array_agg(what ORDER BY what) FROM conformance.hit WHERE id = 'S17' AND key = :'bob') = '{left,tag}');
SELECT conformance.no('S17', 'who left the list', EXISTS (SELECT FROM conformance.hit WHERE id = 'S17' AND key = :'bob' AND what NOT IN ('left', 'tag')));
SELECT conformance.no('S17', 'who was never on it', conformance.hits('S17', :cid) > 0);
-- another list, another form, a mail that went to another list, who has not confirmed: no way in
SELECT new_contact('Dot') AS dot, new_contact('Eve') AS eve \gset
SELECT subscribe(c, 'News') FROM contact c WHERE c.id = :dot;
CALL automation.advance('4 days');
SELECT subscribe(c, 'Offers') FROM contact c WHERE c.id = :dot;
INSERT INTO list_subscription (contact_id, list_id, status) VALUES (:eve, list('News'), 'unconfirmed');
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Trial'), :dot);
INSERT INTO email_message (class, direction, contact_id, campaign_id) VALUES ('campaign', 'out', :dot, campaign('Spring sale')) RETURNING id AS news \gset
DELETE FROM campaign_list WHERE campaign_id = campaign('Spring sale') AND list_id = list('News');
INSERT INTO email_event (message_id, contact_id, kind) VALUES (:news, :dot, 'click');
CALL automation.advance('4 days');
SELECT conformance.no('S17', 'by what has nothing to do with the list', (SELECT array_agg(what) <> '{list}' FROM conformance.hit WHERE id = 'S17' AND key = :'dot') OR conformance.hits('S17', :eve) > 0);
DROP FUNCTION s17, s17_left, s17_tag;

-- S18, a date takes everybody who has it, those who were there before, too
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dot') AS dot \gset
UPDATE contact SET renewal_date = automation.now()::date + 5 WHERE id IN (:ann, :bob);
UPDATE contact SET lifecycle = 'customer' WHERE id IN (:ann, :cid, :dot);
CALL automation.run();
CREATE FUNCTION s18(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AT c.renewal_date - 2 WHEN c.lifecycle = 'customer';
BEGIN
  SELECT conformance.hit('S18', c.id);
END $$;
UPDATE contact SET renewal_date = automation.now()::date + 6 WHERE id = :cid;
CALL automation.advance('7 days');
SELECT conformance.yes('S18', 'who was there and who came', conformance.hits('S18') = ARRAY[:'ann', :'cid']);
SELECT conformance.no('S18', 'who does not match, who has no date', conformance.hits('S18', :bob) + conformance.hits('S18', :dot) > 0);
DROP FUNCTION s18;

-- S19, a score comes above a level, or below one; of a contact or of a deal
CREATE FUNCTION s19(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF score WHEN new.score > 50 AND coalesce(old.score, 0) <= 50;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S19', c.id, 'above');
END $$;
CREATE FUNCTION s19_deal(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score WHEN new.score < 10 AND old.score >= 10;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S19', d.id, 'below');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_deal('Cold', 'Sales', 'New') AS cold \gset
UPDATE contact SET score = 50 WHERE id IN (:ann, :bob);
UPDATE deal SET score = 20 WHERE id = :cold;
CALL automation.run();
SELECT adjust_score(c, 1) FROM contact c WHERE c.id = :ann;
SELECT adjust_score(d, -15) FROM deal d WHERE d.id = :cold;
CALL automation.run();
SELECT adjust_score(c, 10) FROM contact c WHERE c.id = :ann;
SELECT adjust_score(d, -3) FROM deal d WHERE d.id = :cold;
CALL automation.run();
SELECT conformance.yes('S19', 'above', (SELECT array_agg(key) FROM conformance.hit WHERE id = 'S19' AND what = 'above') = ARRAY[:'ann']);
SELECT conformance.yes('S19', 'below', (SELECT array_agg(key) FROM conformance.hit WHERE id = 'S19' AND what = 'below') = ARRAY[:'cold']);
SELECT conformance.no('S19', 'at the level', EXISTS (SELECT FROM conformance.hit WHERE id = 'S19' AND what = 'above' AND key = :'bob'));
DROP FUNCTION s19, s19_deal;

-- S20, the trigger on a goal covers achieved and skipped
CREATE FUNCTION s20_offer(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  WAIT FOR '2 days';
  GOAL bought WHEN EXISTS (SELECT FROM sales_order o WHERE o.contact_id = c.id) OTHERWISE CONTINUE;
  WAIT FOR '1 day';
END $$;
CREATE FUNCTION s20(c contact, outcome text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.goal_reached
    WHEN new.workflow = 's20_offer' AND new.goal = 'bought' AND new.outcome IN ('achieved', 'skipped')
    FOR SELECT new.subject::bigint, new.outcome;
BEGIN
  SELECT conformance.hit('S20', c.id, outcome);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
CALL automation.run();
UPDATE contact SET lifecycle = 'lead' WHERE id IN (:ann, :bob);
CALL automation.run();
INSERT INTO sales_order (contact_id) VALUES (:ann);
CALL automation.run();
SELECT conformance.yes('S20', 'achieved', (SELECT array_agg(key) FROM conformance.hit WHERE id = 'S20' AND what = 'achieved') = ARRAY[:'ann']);
UPDATE contact SET lifecycle = 'lead' WHERE id = :cid;
CALL automation.advance('2 days 1 hour');
SELECT conformance.yes('S20', 'skipped', EXISTS (SELECT FROM conformance.hit WHERE id = 'S20' AND what = 'skipped' AND key = :'bob'));
SELECT conformance.no('S20', 'who achieved it has not skipped it', conformance.hits('S20', :ann) > 1);
DROP FUNCTION s20, s20_offer;

-- S21, a purchase is one whatever becomes of the payment
CREATE FUNCTION s21(c contact, o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER o;
BEGIN
  SELECT conformance.hit('S21', c.id, o.status);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO sales_order (contact_id, status) VALUES (:ann, 'failed'), (:ann, 'pending'), (:ann, 'completed');
CALL automation.run();
UPDATE sales_order SET status = 'completed' WHERE contact_id = :ann;
CALL automation.run();
SELECT conformance.yes('S21', 'failed, too', (SELECT array_agg(what ORDER BY what) FROM conformance.hit WHERE id = 'S21') = '{completed,failed,pending}');
SELECT conformance.no('S21', 'the payment that comes later is no purchase', conformance.hits('S21', :ann) > 3 OR conformance.hits('S21', :bob) > 0);
DROP FUNCTION s21;

-- S22, a * at the end of an address, or within it
CREATE FUNCTION s22(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON page_view WHEN url_like(new.url, 'https://example.com/shop/*') OR url_like(new.url, 'https://example.com/*/prices')
    FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S22', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
INSERT INTO page_view (contact_id, url) VALUES (:ann, 'https://example.com/shop/red-shoes'), (:bob, 'https://example.com/fr/prices'),
    (:cid, 'https://example.com/shops'), (:cid, 'https://example.com/fr/prices/old'), (:cid, 'https://example_com/shop/x');
CALL automation.run();
SELECT conformance.yes('S22', 'at the end, in the middle', conformance.hits('S22') = ARRAY[:'ann', :'bob']);
SELECT conformance.no('S22', 'addresses that look alike', conformance.hits('S22', :cid) > 0);
DROP FUNCTION s22;

-- S23, the name of a file in full.  S24, a file that was mailed through a connected mailbox
CREATE FUNCTION s23(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON file_download WHEN file_name(new) = 'offer.pdf' FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('S23', c.id);
END $$;
CREATE FUNCTION s24(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON file_download WHEN counts_as_download(new) FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('S24', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO email_message (class, direction, sent_from, contact_id, mailbox_id)
SELECT 'personal', 'out', 'deal', :ann, id FROM connected_mailbox WHERE user_id = 1 RETURNING id AS connected \gset
INSERT INTO email_message (class, direction, sent_from, contact_id) VALUES ('personal', 'out', 'deal', :bob) RETURNING id AS elsewhere \gset
INSERT INTO email_attachment (message_id, file_name) VALUES (:connected, 'offer.pdf') RETURNING id AS f1 \gset
INSERT INTO email_attachment (message_id, file_name) VALUES (:elsewhere, 'offer') RETURNING id AS f2 \gset
INSERT INTO file_download (attachment_id, contact_id) VALUES (:f1, :ann), (:f2, :bob);
CALL automation.run();
SELECT conformance.yes('S23', 'with the extension', conformance.hits('S23') = ARRAY[:'ann']);
SELECT conformance.no('S23', 'a part of the name', conformance.hits('S23', :bob) > 0);
SELECT conformance.yes('S24', 'by a connected mailbox', conformance.hits('S24') = ARRAY[:'ann']);
SELECT conformance.no('S24', 'by another address', conformance.hits('S24', :bob) > 0);
DROP FUNCTION s23, s24;

-- S25, recurring payments: offered from the first one that was synced; here the workflow may be there before
CREATE FUNCTION s25(p recurring_payment) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.provider = 'paypal';
BEGIN
  SELECT conformance.hit('S25', p.id);
END $$;
CREATE VIEW s25_offered AS SELECT DISTINCT provider FROM recurring_payment;
SELECT new_contact('Ann') AS ann \gset
SELECT conformance.no('S25', 'offered before the first one', EXISTS (SELECT FROM s25_offered));
INSERT INTO recurring_payment (contact_id, provider, amount) VALUES (:ann, 'paypal', 10) RETURNING id AS first \gset
CALL automation.run();
SELECT conformance.yes('S25', 'the first one starts it, and is the one that shows', conformance.hits('S25') = ARRAY[:'first']
                       AND (SELECT array_agg(provider) FROM s25_offered) = '{paypal}');
INSERT INTO recurring_payment (contact_id, provider, amount) VALUES (:ann, 'api', 10) RETURNING id AS other \gset
CALL automation.run();
SELECT conformance.no('S25', 'another provider''s', conformance.hits('S25', :other) > 0);
DROP FUNCTION s25;

-- S26, a shop that tells everything about its orders, of the right make
CREATE FUNCTION s26(o sales_order, what text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order WHEN from_shop(new.store_id) FOR SELECT new.id, 'purchase';
  AFTER INSERT ON sales_order WHEN from_shop(new.store_id, 'shopify', 'woocommerce') FOR SELECT new.id, 'order';
  ENROLL ONCE PER o, what;
BEGIN
  SELECT conformance.hit('S26', o.id, what);
END $$;
INSERT INTO store_connection (name, provider, deep_data) VALUES ('By API', 'api', true), ('Shallow', 'shopify', false);
SELECT new_contact('Ann') AS ann \gset
INSERT INTO sales_order (contact_id, store_id) VALUES (:ann, store('Shop')) RETURNING id AS shopify \gset
INSERT INTO sales_order (contact_id, store_id) VALUES (:ann, store('By API')) RETURNING id AS api \gset
INSERT INTO sales_order (contact_id, store_id) VALUES (:ann, store('Shallow')) RETURNING id AS shallow \gset
CALL automation.run();
SELECT conformance.yes('S26', 'purchases of any such shop, orders of some',
                       (SELECT array_agg(key || ' ' || what ORDER BY key::bigint, what) FROM conformance.hit WHERE id = 'S26')
                       = ARRAY[:'shopify' || ' order', :'shopify' || ' purchase', :'api' || ' purchase']);
SELECT conformance.no('S26', 'a shop without deep data', conformance.hits('S26', :shallow) > 0);
DROP FUNCTION s26;

-- S27, pages of a site that is tracked
CREATE FUNCTION s27(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON page_view FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S27', c.id);
END $$;
INSERT INTO tracking_site (domain) VALUES ('example.com') ON CONFLICT DO NOTHING;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT record_page_view(:ann, 'https://example.com/prices'), record_page_view(:bob, 'https://example.net/prices') \gset s27_
CALL automation.run();
SELECT conformance.yes('S27', 'a site that is tracked', conformance.hits('S27') = ARRAY[:'ann']);
SELECT conformance.no('S27', 'another site: nothing is noted', EXISTS (SELECT FROM page_view WHERE contact_id = :bob));
DROP FUNCTION s27;

-- S28, a series of site messages: who dismisses one is shown the next
CREATE FUNCTION s28(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON site_message_event WHEN new.kind = 'dismissed_initial' AND new.message_id = site_message('intro 1')
    FOR SELECT new.contact_id;
BEGIN
  SELECT show_site_message(c, 'intro 2');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET site_message_opt_in = true WHERE id IN (:ann, :bob);
INSERT INTO site_message_event (message_id, contact_id, kind) VALUES (site_message('intro 1'), :ann, 'dismissed_initial'), (site_message('intro 1'), :bob, 'shown');
CALL automation.run();
SELECT conformance.yes('S28', 'dismissed: the next', EXISTS (SELECT FROM site_message_event WHERE contact_id = :ann AND message_id = site_message('intro 2') AND kind = 'queued'));
SELECT conformance.no('S28', 'shown only', EXISTS (SELECT FROM site_message_event WHERE contact_id = :bob AND message_id = site_message('intro 2')));
DROP FUNCTION s28;

-- S29, a conversion that has been set up
CREATE FUNCTION s29(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON conversion_event WHEN new.type_id = conversion_type('demo') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('S29', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO conversion_event (contact_id, type_id) VALUES (:ann, conversion_type('demo')), (:bob, conversion_type('sign-up'));
CALL automation.run();
SELECT conformance.yes('S29', 'that conversion', conformance.hits('S29') = ARRAY[:'ann']);
SELECT conformance.no('S29', 'another', conformance.hits('S29', :bob) > 0);
SELECT conformance.refused('S29', 'one that was never set up',
                           format('INSERT INTO conversion_event (contact_id, type_id) VALUES (%s, conversion_type(%L))', :bob, 'renewal'), 'null value in column "type_id"%');
DROP FUNCTION s29;

-- S30, tasks of deals and of contacts
CREATE FUNCTION s30(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done' WHEN new.deal_id IS NOT NULL OR new.contact_id IS NOT NULL;
BEGIN
  SELECT conformance.hit('S30', a.id);
END $$;
SELECT new_contact('Ann') AS ann, new_deal('One', 'Sales', 'New') AS one \gset
INSERT INTO activity (type, deal_id) VALUES ('task', :one) RETURNING id AS of_deal \gset
INSERT INTO activity (type, contact_id) VALUES ('task', :ann) RETURNING id AS of_contact \gset
INSERT INTO activity (type) VALUES ('task') RETURNING id AS of_nobody \gset
CALL automation.run();
UPDATE activity SET status = 'done' WHERE id IN (:of_deal, :of_contact, :of_nobody);
CALL automation.run();
SELECT conformance.yes('S30', 'of a deal, of a contact', conformance.hits('S30') = ARRAY[:'of_deal', :'of_contact']);
SELECT conformance.no('S30', 'of neither', conformance.hits('S30', :of_nobody) > 0);
DROP FUNCTION s30;

-- S31, the value of a deal that exists
CREATE FUNCTION s31(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF value;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S31', d.id);
END $$;
SELECT new_deal('One', 'Sales', 'New') AS one \gset
BEGIN;
INSERT INTO deal (title, value) VALUES ('In one go', 100) RETURNING id AS two \gset
UPDATE deal SET value = 200 WHERE id = :two;
COMMIT;
CALL automation.run();
UPDATE deal SET value = 1500 WHERE id = :one;
CALL automation.run();
SELECT conformance.yes('S31', 'a deal that exists', conformance.hits('S31') = ARRAY[:'one']);
SELECT conformance.no('S31', 'while it is being made', conformance.hits('S31', :two) > 0);
DROP FUNCTION s31;

-- S32, four sentiments, of the mail of a deal
CREATE FUNCTION s32(d deal, feeling text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF sentiment ON email_message FOR SELECT new.deal_id, new.sentiment::text WHERE new.deal_id IS NOT NULL;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S32', d.id, feeling);
END $$;
SELECT new_deal('One', 'Sales', 'New') AS one \gset
INSERT INTO email_message (class, direction, deal_id) VALUES ('personal', 'in', :one) RETURNING id AS of_deal \gset
INSERT INTO email_message (class, direction) VALUES ('personal', 'in') RETURNING id AS of_none \gset
CALL automation.run();
UPDATE email_message SET sentiment = 'positive' WHERE id IN (:of_deal, :of_none);
CALL automation.run();
UPDATE email_message SET sentiment = 'negative' WHERE id = :of_deal;
CALL automation.run();
UPDATE email_message SET sentiment = 'neutral' WHERE id = :of_deal;
CALL automation.run();
UPDATE email_message SET sentiment = 'mixed' WHERE id = :of_deal;
CALL automation.run();
SELECT conformance.yes('S32', 'each of the four', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'S32') = '{positive,negative,neutral,mixed}');
SELECT conformance.refused('S32', 'another word', format('UPDATE email_message SET sentiment = %L WHERE id = %s', 'angry', :of_deal), 'invalid input value for enum sentiment%');
DROP FUNCTION s32;
