-- Branches, splits, jumps, goals.

-- F14, if and else: one path for those who meet the conditions, another for those who do not; NULL is no
CREATE FUNCTION f14(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  IF c.country = 'FR' THEN
    SELECT conformance.hit('F14', c.id, 'yes');
  ELSE
    SELECT conformance.hit('F14', c.id, 'no');
  END IF;
  SELECT conformance.hit('F14', c.id, 'after');
END $$;
INSERT INTO contact (first_name, country) VALUES ('Ann', 'FR') RETURNING id AS ann \gset
INSERT INTO contact (first_name, country) VALUES ('Bob', 'DE') RETURNING id AS bob \gset
SELECT new_contact('Eve') AS eve \gset
CALL automation.run();
SELECT conformance.yes('F14', 'the yes path', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'F14' AND key = :'ann') = '{yes,after}');
SELECT conformance.yes('F14', 'the no path', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'F14' AND key = :'bob') = '{no,after}');
SELECT conformance.no('F14', 'nothing known is a yes', EXISTS (SELECT FROM conformance.hit WHERE id = 'F14' AND key = :'eve' AND what = 'yes'));
DROP FUNCTION f14;

-- F15, what a condition may use: tags, fields, pages, events, opens, deals, lists, what the workflow did itself
CREATE FUNCTION f15(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  IF EXISTS (SELECT FROM contact_tag t WHERE t.contact_id = c.id AND t.tag_id = tag('vip') AND t.removed_at IS NULL) THEN
    SELECT conformance.hit('F15', c.id, 'tag');
  END IF;
  IF c.score > 10 AND c.custom ->> 'size' = 'large' THEN
    SELECT conformance.hit('F15', c.id, 'field');
  END IF;
  IF (SELECT count(*) FROM page_view v WHERE v.contact_id = c.id AND v.viewed_at > now() - interval '30 days') >= 2 THEN
    SELECT conformance.hit('F15', c.id, 'page');
  END IF;
  IF EXISTS (SELECT FROM tracked_event e WHERE e.contact_id = c.id AND e.event_type_id = event_type('trial started') AND e.value = 'pro') THEN
    SELECT conformance.hit('F15', c.id, 'event');
  END IF;
  IF EXISTS (SELECT FROM email_event e WHERE e.contact_id = c.id AND e.kind = 'open' AND NOT e.is_machine_open) THEN
    SELECT conformance.hit('F15', c.id, 'open');
  END IF;
  IF EXISTS (SELECT FROM deal d JOIN deal_contact dc ON dc.deal_id = d.id WHERE dc.contact_id = c.id AND d.status = 'open') THEN
    SELECT conformance.hit('F15', c.id, 'deal');
  END IF;
  IF EXISTS (SELECT FROM list_subscription s WHERE s.contact_id = c.id AND s.list_id = list('News') AND s.status = 'active') THEN
    SELECT conformance.hit('F15', c.id, 'list');
  END IF;
  INSERT INTO note (contact_id, body) VALUES (c.id, 'looked at');
  IF EXISTS (SELECT FROM note n WHERE n.contact_id = c.id AND n.body = 'looked at') THEN
    SELECT conformance.hit('F15', c.id, 'action taken');
  END IF;
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET score = 20, custom = '{"size": "large"}' WHERE id = :ann;
INSERT INTO contact_tag (contact_id, tag_id) VALUES (:ann, tag('vip'));
INSERT INTO contact_tag (contact_id, tag_id, removed_at) VALUES (:bob, tag('vip'), automation.now());
INSERT INTO page_view (contact_id, url) VALUES (:ann, 'https://example.com/'), (:ann, 'https://example.com/blog'), (:bob, 'https://example.com/');
INSERT INTO tracked_event (contact_id, event_type_id, value) VALUES (:ann, event_type('trial started'), 'pro'), (:bob, event_type('trial started'), 'free');
INSERT INTO email_message (class, direction, contact_id) VALUES ('campaign', 'out', :ann) RETURNING id AS mail \gset
INSERT INTO email_event (message_id, contact_id, kind, is_machine_open) VALUES (:mail, :ann, 'open', false), (:mail, :bob, 'open', true);
SELECT new_deal('Boat', 'Sales', 'New', :ann) AS boat \gset
INSERT INTO list_subscription (contact_id, list_id, status) VALUES (:ann, list('News'), 'active'), (:bob, list('News'), 'unsubscribed');
UPDATE contact SET lifecycle = 'lead' WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('F15', 'all of it', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'F15' AND key = :'ann')
    = '{tag,field,page,event,open,deal,list,"action taken"}');
SELECT conformance.no('F15', 'what only looks like it: a removed tag, one page, another event, a machine, an ended subscription',
    (SELECT array_agg(what) FROM conformance.hit WHERE id = 'F15' AND key = :'bob') <> '{"action taken"}');
DROP FUNCTION f15;

-- F16, if and then by a property of the company: YES for one industry, NO otherwise
CREATE FUNCTION f16(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF industry;
  ENROLL AGAIN;
BEGIN
  IF a.industry = 'Accounting' THEN
    UPDATE account SET is_accounting = 'YES' WHERE id = a.id;
  ELSE
    UPDATE account SET is_accounting = 'NO' WHERE id = a.id;
  END IF;
END $$;
INSERT INTO account (name, industry) VALUES ('Sums Ltd', 'Accounting'), ('Boats Ltd', 'Shipping');
CALL automation.run();
SELECT conformance.yes('F16', 'the industry', (SELECT is_accounting FROM account WHERE name = 'Sums Ltd') = 'YES');
SELECT conformance.no('F16', 'another industry', (SELECT is_accounting FROM account WHERE name = 'Boats Ltd') = 'YES');
UPDATE account SET industry = 'Banking' WHERE name = 'Sums Ltd';
CALL automation.run();
SELECT conformance.yes('F16', 'it changes', (SELECT is_accounting FROM account WHERE name = 'Sums Ltd') = 'NO');
DROP FUNCTION f16;

-- F17, go to an earlier step: a loop.  At most ten runs of one GO TO in a day, then who loops is held, until somebody looks;
-- with AT MOST the flow goes on behind it
CREATE FUNCTION f17(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  <<again>>
  SELECT conformance.hit('F17', c.id, 'round');
  WAIT FOR '1 hour';
  GO TO again;
END $$;
CREATE FUNCTION f17_bounded(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  <<again>>
  SELECT conformance.hit('F17', c.id, 'round');
  WAIT FOR '1 hour';
  GO TO again AT MOST 3 TIMES;
  SELECT conformance.hit('F17', c.id, 'over');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET lifecycle = 'lead' WHERE id = :ann;
UPDATE contact SET lifecycle = 'customer' WHERE id = :bob;
CALL automation.run();
CALL automation.advance('9 hours 30 minutes');
SELECT conformance.yes('F17', 'goes round once an hour', conformance.hits('F17', :ann) = 10);
CALL automation.advance('10 hours');
SELECT conformance.yes('F17', 'ten jumps are made', conformance.hits('F17', :ann) = 11);
SELECT conformance.no('F17', 'an eleventh jump in a day', conformance.hits('F17', :ann) > 11);
SELECT conformance.yes('F17', 'and it is shown why', (SELECT state || ' ' || reason FROM automation.enrollments WHERE workflow = 'f17') = 'held goto_limit');
SELECT conformance.yes('F17', 'AT MOST 3 TIMES: four rounds and on', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'F17' AND key = :'bob')
    = '{round,round,round,round,over}');
CALL automation.advance('1 day');
SELECT automation.retry('f17');
CALL automation.advance('5 minutes');
SELECT conformance.yes('F17', 'released the next day it loops again', conformance.hits('F17', :ann) > 11);
DROP FUNCTION f17, f17_bounded;

-- F18, a jump that joins the branches of an IF; one that could run for ever is refused when the workflow is made
CREATE FUNCTION f18(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  IF c.country = 'FR' THEN
    SELECT conformance.hit('F18', c.id, 'bonjour');
    GO TO offer;
  ELSE
    SELECT conformance.hit('F18', c.id, 'hello');
    <<offer>>
    SELECT conformance.hit('F18', c.id, 'offer');
  END IF;
END $$;
INSERT INTO contact (first_name, country) VALUES ('Ann', 'FR') RETURNING id AS ann \gset
INSERT INTO contact (first_name, country) VALUES ('Bob', 'DE') RETURNING id AS bob \gset
CALL automation.run();
SELECT conformance.yes('F18', 'into the other branch', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'F18' AND key = :'ann') = '{bonjour,offer}');
SELECT conformance.yes('F18', 'the other branch itself', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'F18' AND key = :'bob') = '{hello,offer}');
SELECT conformance.no('F18', 'the beginning of the branch that was jumped into', EXISTS (SELECT FROM conformance.hit WHERE id = 'F18' AND key = :'ann' AND what = 'hello'));
SELECT conformance.refused('F18', 'a loop without a wait', $sql$
CREATE FUNCTION f18_loop(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  <<again>>
  UPDATE contact SET score = 0 WHERE id = c.id;
  GO TO again;
END $$ $sql$, '%loop without a wait%');
SELECT conformance.refused('F18', 'a target that is not there', $sql$
CREATE FUNCTION f18_nowhere(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  GO TO nowhere;
END $$ $sql$, '%label "nowhere" does not exist%');
DROP FUNCTION f18;

-- F19, a goal: who meets its conditions leaves his place and lands on it; at entry already, too.  F21, it records achieved or
-- skipped, and another workflow starts from that
CREATE FUNCTION f19(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.lifecycle IS NULL;
BEGIN
  SELECT conformance.hit('F19', c.id, 'one');
  WAIT FOR '7 days';
  SELECT conformance.hit('F19', c.id, 'two');
  GOAL customer WHEN c.status = 'customer';
  SELECT conformance.hit('F19', c.id, 'thank you');
END $$;
CREATE FUNCTION f21(c contact, what text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.goal_reached WHEN new.workflow = 'f19' AND new.goal = 'customer'
    FOR SELECT new.subject::bigint, new.outcome;
BEGIN
  SELECT conformance.hit('F21', c.id, what);
END $$;
CREATE FUNCTION f21_other(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF city;
BEGIN
  GOAL moved WHEN c.city = 'Lyon';
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Dan') AS dan \gset
INSERT INTO contact (first_name, status) VALUES ('Eve', 'customer') RETURNING id AS eve \gset
CALL automation.run();
UPDATE contact SET city = 'Lyon' WHERE id = :dan;
UPDATE contact SET status = 'customer' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('F19', 'from the wait straight to the goal', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'F19' AND key = :'ann') = '{one,"thank you"}');
SELECT conformance.yes('F19', 'at entry already', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'F19' AND key = :'eve') = '{"thank you"}');
SELECT conformance.no('F19', 'who does not meet it is not pulled', EXISTS (SELECT FROM conformance.hit WHERE id = 'F19' AND key = :'bob' AND what <> 'one'));
CALL automation.advance('8 days');
SELECT conformance.yes('F19', 'the flow comes to it', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'F19' AND key = :'bob') = '{one,two,"thank you"}');
SELECT conformance.no('F19', 'what was jumped over is done later', EXISTS (SELECT FROM conformance.hit WHERE id = 'F19' AND key IN (:'ann', :'eve') AND what = 'two'));
SELECT conformance.yes('F21', 'achieved', (SELECT array_agg(what) FROM conformance.hit WHERE id = 'F21' AND key = :'ann') = '{achieved}');
SELECT conformance.yes('F21', 'skipped', (SELECT array_agg(what) FROM conformance.hit WHERE id = 'F21' AND key = :'bob') = '{skipped}');
SELECT conformance.yes('F21', 'achieved at entry is told apart', (SELECT array_agg(what) FROM conformance.hit WHERE id = 'F21' AND key = :'eve') = '{"achieved at entry"}');
UPDATE contact SET status = 'customer' WHERE id = :bob;
CALL automation.run();
SELECT conformance.no('F21', 'an outcome twice', conformance.hits('F21', :bob) > 1);
SELECT conformance.no('F21', 'the goal of another automation', NOT EXISTS (SELECT FROM automation.goal_reached WHERE workflow = 'f21_other' AND subject = :'dan')
    OR EXISTS (SELECT FROM conformance.hit WHERE id = 'F21' AND key = :'dan' AND what <> 'skipped'));
DROP FUNCTION f19, f21, f21_other;

-- F20, what a goal serves: it starts another workflow, sends a message, changes scores of the contact and the deal, and places who enters at a step
CREATE FUNCTION f20_series(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
BEGIN
  SELECT conformance.hit('F20', c.id, 'series');
END $$;
CREATE FUNCTION f20(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON deal_contact FOR SELECT new.contact_id;
BEGIN
  WAIT FOR '30 days';
  GOAL bought WHEN EXISTS (SELECT FROM sales_order o WHERE o.contact_id = c.id AND o.status = 'completed') OTHERWISE EXIT;
  SELECT f20_series(c);
  SEND email('thank you', c);
  UPDATE contact SET score = score + 10 WHERE id = c.id;
  UPDATE deal SET score = score + 5 WHERE id IN (SELECT deal_id FROM deal_contact WHERE contact_id = c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT new_deal('Boat', 'Sales', 'New', :ann) AS boat, new_deal('Oar', 'Sales', 'New', :bob) AS oar \gset
CALL automation.run();
INSERT INTO sales_order (contact_id, status) VALUES (:ann, 'completed'), (:bob, 'failed');
CALL automation.run();
SELECT conformance.yes('F20', 'another automation', conformance.hits('F20', :ann) = 1);
SELECT conformance.yes('F20', 'a targeted message', (SELECT array_agg(target) FROM automation.deliveries WHERE workflow = 'f20') = '{ann@example.com}');
SELECT conformance.yes('F20', 'both scores', (SELECT c.score = 10 AND d.score = 5 FROM contact c, deal d WHERE c.id = :ann AND d.id = :boat));
CALL automation.advance('31 days');
SELECT conformance.no('F20', 'any of it for who did not buy', conformance.hits('F20', :bob) > 0
    OR EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'f20' AND target = 'bob@example.com')
    OR (SELECT c.score <> 0 OR d.score <> 0 FROM contact c, deal d WHERE c.id = :bob AND d.id = :oar));
SELECT automation.settle(id, 'sent') FROM automation.deliveries WHERE workflow = 'f20';
DROP FUNCTION f20, f20_series;

-- F22, a split for an A/B test: each gets a path and keeps it.  F23, evenly over the chosen number of paths
CREATE FUNCTION f22(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle;
  ENROLL AGAIN;
DECLARE
  path text;
BEGIN
  SPLIT path INTO a, b;
  SELECT conformance.hit('F22', c.id, path);
END $$;
CREATE FUNCTION f23(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle;
DECLARE
  path text;
BEGIN
  SPLIT path INTO red, green, blue;
  SELECT conformance.hit('F23', c.id, path);
END $$;
INSERT INTO contact (first_name) SELECT 'No. ' || n FROM generate_series(1, 9) n;
UPDATE contact SET lifecycle = 'lead' WHERE first_name LIKE 'No. %';
CALL automation.run();
UPDATE contact SET lifecycle = 'customer' WHERE first_name LIKE 'No. %';
CALL automation.run();
SELECT conformance.yes('F22', 'both paths are taken', (SELECT array_agg(DISTINCT what) FROM conformance.hit WHERE id = 'F22') = '{a,b}');
SELECT conformance.yes('F22', 'all came by twice', (SELECT count(*) FROM conformance.hit WHERE id = 'F22') = 18);
SELECT conformance.no('F22', 'another path the second time', EXISTS (SELECT FROM conformance.hit WHERE id = 'F22' GROUP BY key HAVING count(DISTINCT what) > 1));
SELECT conformance.yes('F23', 'three of nine each', (SELECT array_agg(what || ' ' || n ORDER BY what) FROM (SELECT what, count(*) AS n FROM conformance.hit WHERE id = 'F23' GROUP BY what) g)
    = '{"blue 3","green 3","red 3"}');
INSERT INTO contact (first_name) VALUES ('No. 10');
UPDATE contact SET lifecycle = 'lead' WHERE first_name = 'No. 10';
CALL automation.run();
SELECT conformance.no('F23', 'paths more than one apart', (SELECT max(n) - min(n) > 1 FROM (SELECT count(*) AS n FROM conformance.hit WHERE id = 'F23' GROUP BY what) g));
DROP FUNCTION f22, f23;

-- F24, an A/B test with a winner: who belongs to it is a condition, its measure a goal; then newcomers get the better path
CREATE FUNCTION offer_test(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.country = 'FR';
DECLARE
  offer text;
BEGIN
  SPLIT offer INTO discount, gift;
  SELECT conformance.hit('F24', c.id, offer);
  WAIT FOR '10 days';
  GOAL bought WHEN c.status = 'customer';
END $$;
SELECT automation.decide('offer_test', split => 'offer', goal => 'bought', after => '5 days', at_least => 20);
INSERT INTO contact (first_name, country) SELECT 'Test ' || n, 'FR' FROM generate_series(1, 40) n;
INSERT INTO contact (first_name, country) VALUES ('Dora', 'DE') RETURNING id AS dora \gset
CALL automation.run();
SELECT conformance.no('F24', 'who does not meet the conditions gets a path', conformance.hits('F24', :dora) > 0);
SELECT conformance.yes('F24', 'twenty on each path', (SELECT bool_and(people = 20) AND count(*) = 2 FROM automation.splits WHERE workflow = 'offer_test'));
UPDATE contact SET status = 'customer' WHERE id IN (SELECT key::bigint FROM conformance.hit WHERE id = 'F24' AND what = 'gift');
CALL automation.run();
SELECT conformance.no('F24', 'a winner before the time is over', EXISTS (SELECT FROM automation.splits WHERE workflow = 'offer_test' AND winner));
CALL automation.advance('6 days');
INSERT INTO contact (first_name, country) SELECT 'Later ' || n, 'FR' FROM generate_series(1, 4) n;
CALL automation.run();
SELECT conformance.yes('F24', 'the better path has won', (SELECT arm || ' ' || reason FROM automation.splits WHERE workflow = 'offer_test' AND winner) = 'gift significant');
SELECT conformance.yes('F24', 'newcomers get it', (SELECT array_agg(DISTINCT h.what) FROM conformance.hit h JOIN contact c ON c.id = h.key::bigint WHERE h.id = 'F24' AND c.first_name LIKE 'Later%') = '{gift}');
DROP FUNCTION offer_test;

-- F25, a conditional split: everybody takes one path until a condition holds, from then on the other, also when it holds no longer
CREATE FUNCTION f25(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  path text;
BEGIN
  SPLIT path INTO early 100%, normal 0%;
  SELECT conformance.hit('F25', c.id, path);
  IF path = 'early' THEN
    INSERT INTO contact_tag (contact_id, tag_id) VALUES (c.id, tag('early bird'));
  END IF;
END $$;
CREATE FUNCTION f25_switch(t contact_tag) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.tag_id = tag('early bird');
BEGIN
  IF (SELECT count(*) FROM contact_tag p WHERE p.tag_id = t.tag_id AND p.removed_at IS NULL) >= 3 THEN
    SELECT automation.decide('f25', split => 'path', winner => 'normal');
  END IF;
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cleo') AS cleo \gset
CALL automation.run();
SELECT new_contact('Dan') AS dan \gset
CALL automation.run();
SELECT conformance.yes('F25', 'the first three', (SELECT array_agg(what) FROM conformance.hit WHERE id = 'F25' AND key IN (:'ann', :'bob', :'cleo')) = '{early,early,early}');
SELECT conformance.yes('F25', 'then the other path', (SELECT what FROM conformance.hit WHERE id = 'F25' AND key = :'dan') = 'normal');
UPDATE contact_tag SET removed_at = automation.now() WHERE tag_id = tag('early bird');
SELECT new_contact('Eve') AS eve \gset
CALL automation.run();
SELECT conformance.no('F25', 'the first path again', (SELECT what FROM conformance.hit WHERE id = 'F25' AND key = :'eve') <> 'normal');
DROP FUNCTION f25, f25_switch;

-- F26, variants of one mail are the template's, paths are the split's: with variants all go the same way and have different mails
CREATE FUNCTION f26(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SEND email('demo', c);
  SELECT conformance.hit('F26', c.id, 'same path');
END $$;
INSERT INTO automation.template (name, variant, share, subject, body, class)
VALUES ('demo', 'short', 1, 'Demo', 'Is tomorrow', 'transactional'), ('demo', 'long', 1, 'Your demo is tomorrow', 'We look forward to it', 'transactional');
INSERT INTO contact (first_name, email) SELECT 'Reader ' || n, 'reader' || n || '@example.com' FROM generate_series(1, 30) n;
CALL automation.run();
SELECT conformance.yes('F26', 'two variants', (SELECT array_agg(DISTINCT variant || ': ' || title ORDER BY variant || ': ' || title) FROM automation.deliveries WHERE workflow = 'f26') = '{"long: Your demo is tomorrow","short: Demo"}');
SELECT conformance.yes('F26', 'one mail each, one path', (SELECT count(*) = 30 AND count(DISTINCT target) = 30 FROM automation.deliveries WHERE workflow = 'f26')
    AND (SELECT count(*) FROM conformance.hit WHERE id = 'F26') = 30);
SELECT conformance.no('F26', 'a split of paths', EXISTS (SELECT FROM automation.splits WHERE workflow = 'f26'));
SELECT automation.settle(id, 'sent') FROM automation.deliveries WHERE workflow = 'f26';
DROP FUNCTION f26;
