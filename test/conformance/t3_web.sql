-- The web: pages, messages on the site, events, conversions, goals, feeds; dates; scores.

CREATE FUNCTION who(case_id text) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(c.first_name ORDER BY c.first_name, h.n), '{}') FROM conformance.hit h JOIN contact c ON c.id = h.key::bigint WHERE h.id = case_id;
$$;

-- T66, a page is seen by somebody known, on a site that is tracked
CREATE FUNCTION t66(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON page_view WHEN url_like(new.url, 'https://example.com/pricing*') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T66', c.id);
END $$;
-- T67, one page
CREATE FUNCTION t67(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON page_view WHEN new.url = 'https://example.com/pricing' FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T67', c.id);
END $$;
-- T68, any page
CREATE FUNCTION t68(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON page_view FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T68', c.id);
END $$;
-- T69, all pages below a path
CREATE FUNCTION t69(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON page_view WHEN url_like(new.url, 'https://example.com/spring_shop/*') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T69', c.id);
END $$;
-- T70, a file in whichever folder
CREATE FUNCTION t70(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON page_view WHEN url_like(new.url, 'https://example.com/*/test.php') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T70', c.id);
END $$;
INSERT INTO tracking_site (domain) VALUES ('example.com');
SELECT record_page_view(new_contact('Ann'), 'https://example.com/pricing');
SELECT record_page_view(new_contact('Bob'), 'https://example.com/pricing/teams');
SELECT record_page_view(new_contact('Cid'), 'https://example.com/spring_shop/shoes/red');
SELECT record_page_view(new_contact('Dan'), 'https://example.com/springtshop/shoes');
SELECT record_page_view(new_contact('Eva'), 'https://example.com/a/test.php');
SELECT record_page_view(new_contact('Fay'), 'https://example.com/a/b/test.php');
SELECT record_page_view(new_contact('Gus'), 'https://example.com/a/test.php?x=1');
SELECT record_page_view(new_contact('Hal'), 'https://example.com/test.php');
SELECT record_page_view(new_contact('Ida'), 'https://shop.example.com/pricing');
-- nobody known, and a site that is not tracked
SELECT record_page_view(NULL, 'https://example.com/pricing');
SELECT conformance.no('T66', 'a page of a site without tracking', record_page_view(new_contact('Jon'), 'https://elsewhere.example/pricing') IS NOT NULL);
SELECT conformance.no('T66', 'a domain that only ends alike', record_page_view(new_contact('Kim'), 'https://notexample.com/pricing') IS NOT NULL);
CALL automation.run();
SELECT conformance.yes('T66', 'a page, a group of pages', who('T66') = '{Ann,Bob}');
SELECT conformance.no('T66', 'nobody known', cardinality(conformance.hits('T66')) > 2);
SELECT conformance.yes('T66', 'the journal says that nobody was there to enter', (SELECT count(*) = 1 FROM automation.journal
    WHERE workflow = 't66' AND event = 'not_entered' AND subject IS NULL));
SELECT conformance.yes('T67', 'the page', who('T67') = '{Ann}');
SELECT conformance.no('T67', 'a page below it, the page of another host', who('T67') && '{Bob,Ida}');
SELECT conformance.yes('T68', 'every page', who('T68') = '{Ann,Bob,Cid,Dan,Eva,Fay,Gus,Hal,Ida}');
SELECT conformance.no('T68', 'not tracked', who('T68') && '{Jon,Kim}');
SELECT conformance.yes('T69', 'below the path, however deep', who('T69') = '{Cid}');
SELECT conformance.no('T69', 'a path that looks alike: nothing but * is special', who('T69') && '{Dan,Ann}');
SELECT conformance.yes('T70', 'one folder, or several', who('T70') = '{Eva,Fay}');
SELECT conformance.no('T70', 'something behind it, no folder', who('T70') && '{Gus,Hal}');
DROP FUNCTION t66, t67, t68, t69, t70;

-- T71, a message on the site is dismissed at its first view; the next one of the series follows
CREATE FUNCTION t71(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON site_message_event
    WHEN new.kind = 'dismissed_initial' AND new.message_id = site_message('intro 1') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T71', c.id);
  SELECT show_site_message(c, 'intro 2');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dan') AS dan \gset
INSERT INTO site_message_event (message_id, contact_id, kind) VALUES
    (site_message('intro 1'), :ann, 'shown'), (site_message('intro 1'), :ann, 'dismissed_initial'),
    (site_message('intro 1'), :bob, 'shown'), (site_message('intro 1'), :bob, 'dismissed'),
    (site_message('intro 2'), :cid, 'dismissed_initial'), (site_message('intro 1'), :dan, 'shown');
CALL automation.run();
SELECT conformance.yes('T71', 'the first view is closed', conformance.hits('T71') = ARRAY[:'ann']);
SELECT conformance.no('T71', 'a later view, another message, only shown', conformance.hits('T71') && ARRAY[:'bob', :'cid', :'dan']);
SELECT conformance.yes('T71', 'the next one waits', EXISTS (
    SELECT FROM site_message_event WHERE contact_id = :ann AND message_id = site_message('intro 2') AND kind = 'queued'));
DROP FUNCTION t71;

-- T72, an event of a site or an application
CREATE FUNCTION t72(c contact, plan text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON tracked_event WHEN new.event_type_id = event_type('trial started') FOR SELECT new.contact_id, new.value;
BEGIN
  SELECT conformance.hit('T72', c.id, plan);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO tracked_event (contact_id, event_type_id, value) VALUES (:ann, event_type('trial started'), 'team'), (:bob, event_type('file exported'), 'pdf');
CALL automation.run();
SELECT conformance.yes('T72', 'the event, with its value', (SELECT array_agg(key || ' ' || what) FROM conformance.hit WHERE id = 'T72') = ARRAY[:'ann' || ' team']);
SELECT conformance.no('T72', 'another event', conformance.hits('T72', :bob) > 0);
SELECT conformance.refused('T72', 'an event nobody has defined',
    format($$INSERT INTO tracked_event (contact_id, event_type_id) VALUES (%s, event_type('trial begun'))$$, :ann), 'null value in column "event_type_id"%');
SELECT conformance.no('T72', 'a name that is defined is not known', EXISTS (SELECT FROM unknown_names('t72')));
DROP FUNCTION t72;
-- who makes a workflow asks whether all the names in it are there: a condition with another one holds for nothing
CREATE FUNCTION t72_misspelt(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON tracked_event WHEN new.event_type_id = event_type('trial begun') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T72', c.id);
END $$;
SELECT conformance.yes('T72', 'the name that nobody has defined', (SELECT array_agg(kind || ' ' || name) FROM unknown_names('t72_misspelt')) = '{event_type trial begun}');
DROP FUNCTION t72_misspelt;

-- T73, a conversion
CREATE FUNCTION t73(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON conversion_event WHEN new.type_id = conversion_type('sign-up') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T73', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO conversion_event (contact_id, type_id) VALUES (:ann, conversion_type('sign-up')), (:bob, conversion_type('demo'));
CALL automation.run();
SELECT conformance.yes('T73', 'the conversion', conformance.hits('T73') = ARRAY[:'ann']);
SELECT conformance.no('T73', 'another conversion', conformance.hits('T73', :bob) > 0);
SELECT conformance.refused('T73', 'a conversion nobody has defined',
    format($$INSERT INTO conversion_event (contact_id, type_id) VALUES (%s, conversion_type('signing'))$$, :ann), 'null value in column "type_id"%');
CREATE FUNCTION t73_several(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON conversion_event WHEN new.type_id IN (conversion_type('sign-up'), conversion_type('signing')) FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T73', c.id, CASE WHEN list('It''s') IS NULL AND stage('Sales', 'Nowhere') IS NULL AND stage('Sales', 'New') IS NOT NULL THEN '' END);
END $$;
SELECT conformance.yes('T73', 'the names that are not there, and no others', (SELECT array_agg(kind || ': ' || name ORDER BY kind) FROM unknown_names('t73_several'))
    = '{conversion_type: signing,list: It''s,"stage: Sales, Nowhere"}');
DROP FUNCTION t73_several;
DROP FUNCTION t73;

-- T74, a goal of another workflow, whatever became of it
CREATE FUNCTION nurture(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  WAIT FOR '7 days';
  GOAL bought WHEN EXISTS (SELECT FROM sales_order o WHERE o.contact_id = c.id);
  WAIT FOR '1 day';
  GOAL upgraded WHEN c.score > 1000;
END $$;
-- another workflow, whose goal has the same name
CREATE FUNCTION nurture_again(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'former customer';
BEGIN
  GOAL bought WHEN c.score > 1000;
END $$;
CREATE FUNCTION t74(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.goal_reached WHEN new.workflow = 'nurture' AND new.goal = 'bought' FOR SELECT new.subject::bigint;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T74', c.id);
END $$;
-- T75, it was achieved
CREATE FUNCTION t75(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.goal_reached
    WHEN new.workflow = 'nurture' AND new.goal = 'bought' AND new.outcome = 'achieved' FOR SELECT new.subject::bigint;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T75', c.id);
END $$;
-- with those who met its conditions before they entered
CREATE FUNCTION t75_all(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.goal_reached
    WHEN new.workflow = 'nurture' AND new.goal = 'bought' AND new.outcome IN ('achieved', 'achieved at entry') FOR SELECT new.subject::bigint;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T75', c.id, 'all');
END $$;
-- T76, it was skipped: passed without being met
CREATE FUNCTION t76(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.goal_reached
    WHEN new.workflow = 'nurture' AND new.goal = 'bought' AND new.outcome = 'skipped' FOR SELECT new.subject::bigint;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T76', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dan') AS dan, new_contact('Eva') AS eva, new_contact('Fay') AS fay \gset
UPDATE contact SET score = 2000 WHERE id = :eva;
INSERT INTO sales_order (contact_id, status) VALUES (:fay, 'completed');
UPDATE contact SET lifecycle = 'lead' WHERE id IN (:ann, :bob, :fay);
UPDATE contact SET lifecycle = 'former customer' WHERE id IN (:dan, :eva);
CALL automation.run();
INSERT INTO sales_order (contact_id, status) VALUES (:ann, 'completed'), (:cid, 'completed');
CALL automation.run();
SELECT conformance.yes('T75', 'at once, not when the wait is over', (SELECT array_agg(key) FROM conformance.hit WHERE id = 'T75' AND what IS NULL) = ARRAY[:'ann']);
SELECT conformance.yes('T75', 'and who had met it before he came', (SELECT array_agg(key ORDER BY key::bigint) FROM conformance.hit WHERE id = 'T75' AND what = 'all') = ARRAY[:'ann', :'fay']);
SELECT conformance.no('T76', 'before the goal is passed', cardinality(conformance.hits('T76')) > 0);
SELECT conformance.no('T74', 'who is not in that workflow', conformance.hits('T74', :cid) > 0);
CALL automation.advance('7 days 1 hour');
UPDATE contact SET score = 2000 WHERE id = :bob;
CALL automation.advance('2 days');
SELECT conformance.yes('T74', 'achieved or skipped', conformance.hits('T74') = ARRAY[:'ann', :'bob', :'fay']);
SELECT conformance.no('T74', 'twice, by another goal, or by one of that name elsewhere', cardinality(conformance.hits('T74')) > 3);
SELECT conformance.no('T75', 'skipped, or another goal achieved', conformance.hits('T75', :bob) > 0);
SELECT conformance.no('T75', 'the goal of another workflow', conformance.hits('T75', :eva) > 0);
SELECT conformance.no('T76', 'the goal of another workflow', conformance.hits('T76', :dan) > 0);
SELECT conformance.yes('T74', 'the other goal, and the other workflow''s, came to pass', (SELECT array_agg(DISTINCT subject || ' ' || workflow || ' ' || goal || ' ' || outcome) @>
    ARRAY[:'bob' || ' nurture upgraded achieved', :'dan' || ' nurture_again bought skipped', :'eva' || ' nurture_again bought achieved at entry'] FROM automation.goal_reached));
SELECT conformance.yes('T76', 'skipped', conformance.hits('T76') = ARRAY[:'bob']);
SELECT conformance.no('T76', 'achieved, then passed', conformance.hits('T76') && ARRAY[:'ann', :'fay']);
DROP FUNCTION nurture, nurture_again, t74, t75, t75_all, t76;

-- T77, a feed has something new; T78, how often it is looked at; T79, how much there has to be; T80, who enters
CREATE FUNCTION blog_news(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T80', c.id);
END $$;
CREATE FUNCTION t77(f rss_feed) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '*/15 * * * *' FOR SELECT f.id FROM rss_feed f WHERE feed_due(f);
  ENROLL AGAIN;
DECLARE
  reply automation.delivery;
BEGIN
  SEND http_request('GET', f.url) INTO reply TIMEOUT '10 minutes';
  SELECT read_feed(f, reply.body, entered_at());
  IF has_news(f) THEN
    SELECT conformance.hit('T77', f.id);
    SELECT blog_news(c) FROM contact c WHERE has_tag(c, 'blog');
    UPDATE rss_item SET mailed_at = now() WHERE feed_id = f.id AND mailed_at IS NULL;
  END IF;
END $$;
CREATE FUNCTION rss(VARIADIC numbers int[]) RETURNS text LANGUAGE sql AS $$
    SELECT '<rss version="2.0"><channel>'
        || string_agg(format('<item><guid>g%s</guid><title>T%1$s</title><link>https://b/%1$s</link></item>', n), '' ORDER BY n) || '</channel></rss>'
    FROM unnest(numbers) n $$;
-- A quarter of an hour later all that is asked for answers so.
CREATE PROCEDURE answer(body text, state text DEFAULT 'sent') LANGUAGE plpgsql AS $$
BEGIN
    CALL automation.advance('15 minutes');
    PERFORM automation.settle(d.id, answer.state, CASE answer.state WHEN 'sent' THEN 200 ELSE 404 END, answer.body)
    FROM automation.deliveries d WHERE d.workflow = 't77' AND d.state = 'queued';
    CALL automation.run();
END $$;
-- a minute past a quarter, so that none comes by itself
SELECT date_bin('15 minutes', automation.now(), '2000-01-01') + interval '16 minutes' - automation.now() AS step \gset
CALL automation.advance(:'step');
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT add_tag(c, 'blog') FROM contact c WHERE c.id = :ann;
INSERT INTO rss_feed (url, check_interval, min_new_items) VALUES
    ('https://hooks.example.com/blog.xml', '15 minutes', 2), ('https://hooks.example.com/press.xml', '1 hour', 1);
SELECT b.id AS blog, p.id AS press FROM rss_feed b, rss_feed p WHERE b.url LIKE '%blog.xml' AND p.url LIKE '%press.xml' \gset
CALL answer(rss(1, 2));
SELECT conformance.yes('T77', 'both feeds have news', conformance.hits('T77') = ARRAY[:'blog', :'press']);
SELECT conformance.yes('T78', 'both were looked at', (SELECT count(*) = 2 FROM automation.deliveries WHERE workflow = 't77'));
SELECT conformance.yes('T80', 'those with the tag', conformance.hits('T80') = ARRAY[:'ann', :'ann']);
SELECT conformance.no('T80', 'the others', conformance.hits('T80', :bob) > 0);
-- nothing new; an answer that is no feed; no answer
CALL answer(rss(1, 2));
CALL answer('<html>');
CALL answer(NULL, 'dead');
SELECT conformance.no('T77', 'nothing new, no feed, no answer', cardinality(conformance.hits('T77')) > 2);
SELECT conformance.no('T78', 'the one that is looked at every hour, before the hour is over', (SELECT count(*) FROM automation.deliveries
    WHERE workflow = 't77' AND target LIKE '%press.xml') > 1);
SELECT conformance.yes('T78', 'the other one each quarter', (SELECT count(*) = 4 FROM automation.deliveries WHERE workflow = 't77' AND target LIKE '%blog.xml'));
-- one item is enough for the one, not for the other; it is not lost
CALL answer(rss(1, 2, 3));
SELECT conformance.yes('T78', 'after the hour again', (SELECT count(*) = 2 FROM automation.deliveries WHERE workflow = 't77' AND target LIKE '%press.xml'));
SELECT conformance.yes('T79', 'one new item where one is enough', conformance.hits('T77', :press) = 2);
SELECT conformance.no('T79', 'one new item where two are asked for', conformance.hits('T77', :blog) > 1);
CALL answer(rss(2, 3, 4));
SELECT conformance.yes('T79', 'with the next one it is two', conformance.hits('T77', :blog) = 2);
DROP FUNCTION t77;
-- all contacts
CREATE FUNCTION t77(f rss_feed) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '*/15 * * * *' FOR SELECT f.id FROM rss_feed f WHERE f.min_new_items = 2;
  ENROLL AGAIN;
DECLARE
  reply automation.delivery;
BEGIN
  SEND http_request('GET', f.url) INTO reply TIMEOUT '10 minutes';
  SELECT read_feed(f, reply.body, entered_at());
  IF has_news(f) THEN
    SELECT blog_news(c) FROM contact c;
    UPDATE rss_item SET mailed_at = now() WHERE feed_id = f.id AND mailed_at IS NULL;
  END IF;
END $$;
CALL answer(rss(5, 6));
SELECT conformance.yes('T80', 'all contacts', conformance.hits('T80', :bob) = 1 AND (SELECT count(DISTINCT h.key) FROM conformance.hit h WHERE h.id = 'T80') = (SELECT count(*) FROM contact));
DROP FUNCTION t77, blog_news;

-- T81, by a date: everybody whose date it is, whenever it was written
CREATE FUNCTION t81(c contact) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 6 * * *' FOR SELECT id FROM contact WHERE renewal_date = current_date + 14;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T81', c.id);
END $$;
-- T82, T85, before the date of a contact's field
CREATE FUNCTION t82(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AT c.renewal_date - 7 + time '09:00';
BEGIN
  SELECT conformance.hit('T82', c.id);
  SELECT conformance.hit('T85', c.id);
END $$;
-- T83, on the day
CREATE FUNCTION t83(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AT c.renewal_date + time '09:00';
BEGIN
  SELECT conformance.hit('T83', c.id);
END $$;
-- T84, after it
CREATE FUNCTION t84(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AT c.renewal_date + 3 + time '09:00';
BEGIN
  SELECT conformance.hit('T84', c.id);
END $$;
-- T86, of a deal: its contacts enter, each with the deal; one clause narrows them down
CREATE FUNCTION t86_contact(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE PER c, d;
BEGIN
  SELECT conformance.hit('T86', c.id, d.title);
END $$;
CREATE FUNCTION t86(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AT d.expected_close_date - 7 + time '09:00' WHEN d.status = 'open';
BEGIN
  SELECT t86_contact(c, d) FROM contact c JOIN deal_contact dc ON dc.contact_id = c.id WHERE dc.deal_id = d.id;
END $$;
CREATE FUNCTION t86_primary(c contact) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 9 * * *' FOR SELECT dc.contact_id FROM deal d JOIN deal_contact dc ON dc.deal_id = d.id
                        WHERE d.status = 'open' AND dc.is_primary AND d.expected_close_date = current_date + 7;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T86', c.id, 'primary');
END $$;
-- to the middle of a day, so that no step ends on a moment
SELECT date_trunc('day', automation.now()) + interval '36 hours' - automation.now() AS step \gset
CALL automation.advance(:'step');
SELECT automation.now()::date AS today \gset
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dan') AS dan \gset
UPDATE contact SET renewal_date = :'today'::date + 15 WHERE id = :ann;
UPDATE contact SET renewal_date = :'today'::date + 40 WHERE id = :bob;
UPDATE contact SET renewal_date = :'today'::date + 15 WHERE id = :dan;
SELECT new_deal('Closing', 'Sales', 'New', :ann, :bob) AS closing, new_deal('Lost', 'Sales', 'New', :cid) AS lost, new_deal('Undated', 'Sales', 'New', :dan) AS undated \gset
UPDATE deal SET expected_close_date = :'today'::date + 10 WHERE id IN (:closing, :lost);
UPDATE deal SET status = 'lost' WHERE id = :lost;
CALL automation.run();
CALL automation.advance('2 days');
SELECT conformance.yes('T81', 'two weeks before', conformance.hits('T81') = ARRAY[:'ann', :'dan']);
SELECT conformance.no('T81', 'another date, no date', conformance.hits('T81') && ARRAY[:'bob', :'cid']);
SELECT conformance.no('T86', 'before its moment', cardinality(conformance.hits('T86')) > 0);
-- the date is put off
UPDATE contact SET renewal_date = :'today'::date + 60 WHERE id = :dan;
CALL automation.advance('5 days');
SELECT conformance.yes('T86', 'all contacts of the deal', (SELECT array_agg(key ORDER BY length(key), key) FROM conformance.hit WHERE id = 'T86' AND what = 'Closing') = ARRAY[:'ann', :'bob']);
SELECT conformance.yes('T86', 'the primary one, where that is asked', (SELECT array_agg(key) FROM conformance.hit WHERE id = 'T86' AND what = 'primary') = ARRAY[:'ann']);
SELECT conformance.no('T86', 'a deal that is lost, or has no date', conformance.hits('T86') && ARRAY[:'cid', :'dan']);
SELECT conformance.no('T82', 'more than seven days before', cardinality(conformance.hits('T82')) > 0);
CALL automation.advance('2 days');
SELECT conformance.yes('T82', 'seven days before', conformance.hits('T82') = ARRAY[:'ann']);
SELECT conformance.no('T82', 'put off meanwhile', conformance.hits('T82', :dan) > 0);
SELECT conformance.yes('T85', 'by the contact''s field', conformance.hits('T85') = ARRAY[:'ann']);
SELECT conformance.no('T85', 'who has no date there', conformance.hits('T85', :cid) > 0);
SELECT conformance.no('T83', 'before the day', cardinality(conformance.hits('T83')) > 0);
CALL automation.advance('6 days');
SELECT conformance.yes('T83', 'on the day', conformance.hits('T83') = ARRAY[:'ann']);
SELECT conformance.yes('T83', 'at nine of that day', (SELECT at - :'today'::timestamptz BETWEEN interval '15 days 9 hours' AND interval '15 days 10 hours' FROM conformance.hit WHERE id = 'T83'));
SELECT conformance.no('T84', 'on the day', cardinality(conformance.hits('T84')) > 0);
CALL automation.advance('3 days');
SELECT conformance.yes('T84', 'three days after it', conformance.hits('T84') = ARRAY[:'ann']);
-- a date that is long past when it is written
UPDATE contact SET renewal_date = :'today'::date - 30 WHERE id = :cid;
CALL automation.advance('1 day');
SELECT conformance.no('T84', 'a date that is long past', conformance.hits('T84', :cid) > 0);
SELECT conformance.no('T81', 'twice', cardinality(conformance.hits('T81')) > 2);
DROP FUNCTION t81, t82, t83, t84, t86, t86_contact, t86_primary;

-- T87, T88, T90, a contact's score rises above a level
CREATE FUNCTION t88(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF score WHEN new.score > 100 AND coalesce(old.score, 0) <= 100;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T87', c.id);
  SELECT conformance.hit('T88', c.id);
  SELECT conformance.hit('T90', c.id);
END $$;
-- T89, or falls below one
CREATE FUNCTION t89(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score WHEN new.score < 50 AND old.score >= 50;
BEGIN
  SELECT conformance.hit('T89', c.id);
END $$;
-- a score that has a name
CREATE FUNCTION t90_named(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF value ON record_score
    WHEN new.definition_id = (SELECT s.id FROM score_definition s WHERE s.object_type = 'contact' AND s.name = 'fit')
         AND new.value > 10 AND coalesce(old.value, 0) <= 10
    FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T90', c.id, 'fit');
END $$;
-- T91, a deal's score: all its contacts enter, or the primary one
CREATE FUNCTION t91(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score ON deal WHEN new.score > 20 AND old.score <= 20
    FOR SELECT dc.contact_id FROM deal_contact dc WHERE dc.deal_id = new.id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T91', c.id);
END $$;
CREATE FUNCTION t91_primary(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score ON deal WHEN new.score > 20 AND old.score <= 20
    FOR SELECT dc.contact_id FROM deal_contact dc WHERE dc.deal_id = new.id AND dc.is_primary;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T91', c.id, 'primary');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dan') AS dan \gset
SELECT new_deal('Warm', 'Sales', 'New', :ann, :bob) AS warm, new_deal('Cold', 'Sales', 'New', :cid) AS cold \gset
SELECT adjust_score(c, 101) FROM contact c WHERE c.id = :ann;
SELECT adjust_score(c, 100) FROM contact c WHERE c.id = :bob;
SELECT adjust_score(d, 21) FROM deal d WHERE d.id = :warm;
SELECT adjust_score(d, 20) FROM deal d WHERE d.id = :cold;
SELECT adjust_score(c, 'fit', 11) FROM contact c WHERE c.id = :dan;
SELECT adjust_score(c, 'fit', 10) FROM contact c WHERE c.id = :bob;
SELECT adjust_score(c, 'heat', 11) FROM contact c WHERE c.id = :cid;
CALL automation.run();
SELECT conformance.yes('T87', 'the level is passed', conformance.hits('T87') = ARRAY[:'ann']);
SELECT conformance.no('T87', 'no score, or not that high', conformance.hits('T87') && ARRAY[:'bob', :'cid', :'dan']);
SELECT conformance.no('T88', 'exactly the level', conformance.hits('T88', :bob) > 0);
SELECT conformance.yes('T90', 'the contact''s score, and the one with a name', conformance.hits('T90') = ARRAY[:'ann', :'dan']);
SELECT conformance.no('T90', 'a score of another name, the score of a deal', conformance.hits('T90') && ARRAY[:'bob', :'cid']);
SELECT conformance.yes('T91', 'the contacts of the deal', (SELECT array_agg(key ORDER BY length(key), key) FROM conformance.hit WHERE id = 'T91' AND what IS NULL) = ARRAY[:'ann', :'bob']);
SELECT conformance.yes('T91', 'the primary one', (SELECT array_agg(key) FROM conformance.hit WHERE id = 'T91' AND what = 'primary') = ARRAY[:'ann']);
SELECT conformance.no('T91', 'exactly the level', conformance.hits('T91', :cid) > 0);
-- higher still; and down, not far enough; down to below 50, from there further down
SELECT adjust_score(c, 10) FROM contact c WHERE c.id IN (:ann, :bob);
SELECT adjust_score(d, 10) FROM deal d WHERE d.id = :warm;
CALL automation.run();
SELECT conformance.no('T91', 'a deal that was above it already', cardinality(conformance.hits('T91')) > 3);
SELECT conformance.yes('T88', 'upwards', conformance.hits('T88') = ARRAY[:'ann', :'bob']);
SELECT conformance.no('T88', 'who was above it already', conformance.hits('T88', :ann) > 1);
SELECT set_score(c, 50) FROM contact c WHERE c.id = :ann;
SELECT set_score(c, 49) FROM contact c WHERE c.id = :bob;
SELECT set_score(c, 20) FROM contact c WHERE c.id = :cid;
CALL automation.run();
SELECT conformance.yes('T89', 'downwards', conformance.hits('T89') = ARRAY[:'bob']);
SELECT conformance.no('T89', 'exactly the level, or never above it', conformance.hits('T89') && ARRAY[:'ann', :'cid']);
SELECT adjust_score(c, 100) FROM contact c WHERE c.id = :bob;
CALL automation.run();
SELECT conformance.yes('T88', 'upwards again', conformance.hits('T88', :bob) = 2);
DROP FUNCTION t88, t89, t90_named, t91, t91_primary;
