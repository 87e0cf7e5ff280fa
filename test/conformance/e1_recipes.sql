-- The recipes of examples/, as they are there, each with real writes.

\ir recipes.sql

-- E01, joins a list: welcome mail, onboarding series; who has not confirmed gets none, who leaves no more
\ir ../../examples/01_welcome_series.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve, new_contact('Dan') AS dan \gset
INSERT INTO list_subscription (contact_id, list_id, status)
VALUES (:ann, list('News'), 'active'), (:bob, list('News'), 'unconfirmed'), (:eve, list('News'), 'active'), (:dan, list('News'), 'active');
CALL automation.run();
SELECT conformance.yes('E01', 'welcome', mails('welcome_series') = '{"news: welcome > ann@example.com","news: welcome > dan@example.com","news: welcome > eve@example.com"}');
UPDATE contact SET unsubscribed = true WHERE id = :dan;
CALL automation.advance('1 day');
SELECT conformance.no('E01', 'the series before its time', mails('onboarding_series') <> '{}');
CALL automation.advance('2 days');
CALL next_recipe();
SELECT unsubscribe(c, 'News', 'contact') FROM contact c WHERE id = :eve;
CALL automation.advance('3 days');
SELECT conformance.no('E01', 'the next one before its time', cardinality(mails('onboarding_series')) > 2);
CALL automation.advance('3 days');
SELECT conformance.yes('E01', 'the series', mails('onboarding_series') = '{"news: first steps > ann@example.com","news: first steps > eve@example.com","news: going further > ann@example.com"}');
SELECT conformance.no('E01', 'who has not confirmed', 'news: welcome > bob@example.com' = ANY (mails('welcome_series')));
SELECT conformance.no('E01', 'who has left the list', 'news: going further > eve@example.com' = ANY (mails('onboarding_series')));
CALL next_recipe();
SELECT new_contact('Fay') AS fay \gset
INSERT INTO list_subscription (contact_id, list_id, status) VALUES (:fay, list('Offers'), 'active');
UPDATE list_subscription SET status = 'unsubscribed' WHERE contact_id = :ann AND list_id = list('News');
CALL automation.run();
UPDATE list_subscription SET status = 'active' WHERE contact_id = :ann AND list_id = list('News');
SELECT onboarding_series(c) FROM contact c WHERE id = :ann;
CALL automation.advance('8 days');
SELECT conformance.no('E01', 'another list', 'news: welcome > fay@example.com' = ANY (mails('welcome_series')));
SELECT conformance.no('E01', 'all of it a second time', (SELECT count(*) FROM unnest(mails('welcome_series') || mails('onboarding_series')) m WHERE m LIKE '%ann@%') > 3);
CALL next_recipe();
DROP FUNCTION welcome_series, onboarding_series;

-- E02, leaves a list: points, a colleague, other automations end; another list does nothing
\ir ../../examples/02_left_list.sql
CREATE FUNCTION e02_other(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '5 days';
  SELECT conformance.hit('E02', c.id);
END $$;
SELECT new_contact('Ann', owner => 1) AS ann, new_contact('Bob', owner => 1) AS bob, new_contact('Eve', owner => 2) AS eve \gset
SELECT new_deal('Boat', 'Sales', 'New', :ann) AS boat, new_deal('Oar', 'Sales', 'New', :bob) AS oar \gset
INSERT INTO list_subscription (contact_id, list_id, status) SELECT c, l, 'active' FROM unnest(ARRAY[:ann, :bob, :eve]) c, unnest(ARRAY[list('News'), list('Offers')]) l;
CALL automation.run();
UPDATE list_subscription SET status = 'unsubscribed' WHERE contact_id = :ann AND list_id = list('News');
UPDATE list_subscription SET status = 'unsubscribed' WHERE contact_id = :bob AND list_id = list('Offers');
DELETE FROM list_subscription WHERE contact_id = :eve AND list_id = list('News');
CALL automation.run();
SELECT conformance.yes('E02', 'points of the contact and the deal', score(:ann) = -10 AND (SELECT score FROM deal WHERE id = :boat) = -5);
SELECT conformance.yes('E02', 'the colleague', told(1) = '{"Ann left the newsletter"}');
SELECT conformance.yes('E02', 'taken off the list', score(:eve) = -10 AND told(2) = '{"Eve left the newsletter"}');
CALL automation.advance('6 days');
SELECT conformance.yes('E02', 'other automations end', conformance.hits('E02') = ARRAY[:'bob']);
SELECT conformance.no('E02', 'another list', score(:bob) <> 0 OR (SELECT score FROM deal WHERE id = :oar) <> 0);
DELETE FROM list_subscription WHERE contact_id IN (:bob, :eve) AND list_id = list('Offers');
UPDATE list_subscription SET status = 'active' WHERE contact_id = :ann AND list_id = list('News');
INSERT INTO list_subscription (contact_id, list_id, status) VALUES (:eve, list('News'), 'unconfirmed');
CALL automation.run();
UPDATE list_subscription SET status = 'unconfirmed' WHERE contact_id = :bob AND list_id = list('News');
DELETE FROM list_subscription WHERE contact_id = :eve AND list_id = list('News');
UPDATE list_subscription SET status = 'unsubscribed' WHERE contact_id = :ann AND list_id = list('News');
CALL automation.run();
SELECT conformance.yes('E02', 'each time', score(:ann) = -20);
SELECT conformance.no('E02', 'off another list, who had not confirmed, who is to confirm again', score(:bob) <> 0 OR score(:eve) <> -10);
CALL next_recipe();
DROP FUNCTION left_list, e02_other;

-- E03, a form: reward, tag, points, when it is confirmed
\ir ../../examples/03_form_reward.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO form_submission (form_id, contact_id) VALUES (form('E-book'), :ann), (form('E-book'), :bob), (form('Demo'), :bob);
CALL automation.run();
SELECT conformance.no('E03', 'before the confirmation', mails('form_reward') <> '{}' OR score(:ann) <> 0);
UPDATE form_submission SET confirmed_at = automation.now() WHERE contact_id = :ann;
CALL automation.run();
SELECT conformance.yes('E03', 'the book', mails('form_reward') = '{"your e-book > ann@example.com"}');
SELECT conformance.yes('E03', 'interest and points', tagged(:ann, 'interest: databases') AND score(:ann) = 5);
SELECT conformance.no('E03', 'who has not confirmed, another form', tagged(:bob, 'interest: databases') OR score(:bob) <> 0);
CALL next_recipe();
DROP FUNCTION form_reward;

-- E04, a mail is opened: three scores, tag, follow-up, series; not by a program, not another campaign
\ir ../../examples/04_campaign_opened.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve, new_contact('Dan') AS dan \gset
SELECT new_deal('Boat', 'Sales', 'New', :ann) AS boat \gset
INSERT INTO email_message (class, direction, campaign_id) VALUES ('campaign', 'out', campaign('Spring sale')) RETURNING id AS sale \gset
INSERT INTO email_message (class, direction, campaign_id) VALUES ('campaign', 'out', campaign('Welcome series')) RETURNING id AS other \gset
INSERT INTO email_event (message_id, contact_id, kind, is_machine_open) VALUES (:sale, :ann, 'open', false), (:sale, :bob, 'open', true), (:other, :eve, 'open', false), (:sale, :dan, 'click', false);
CALL automation.run();
UPDATE contact SET unsubscribed = true WHERE id = :dan;
SELECT conformance.yes('E04', 'scores of the contact, of a name, of the deal', score(:ann) = 2 AND (SELECT score FROM deal WHERE id = :boat) = 1
    AND (SELECT score_of(c, 'lead score') FROM contact c WHERE id = :ann) = 2);
SELECT conformance.yes('E04', 'tag', tagged(:ann, 'engaged'));
CALL automation.advance('1 hour');
SELECT conformance.no('E04', 'follow-up at once', mails('campaign_opened') <> '{}');
CALL automation.advance('3 days');
SELECT conformance.no('E04', 'the series before its time', mails('interested_series') <> '{}');
CALL automation.advance('6 days');
SELECT conformance.no('E04', 'its second mail before its time', cardinality(mails('interested_series')) > 1);
CALL automation.advance('6 days');
SELECT conformance.yes('E04', 'follow-up', mails('campaign_opened') = '{"sale: follow-up > ann@example.com"}');
SELECT conformance.yes('E04', 'series', mails('interested_series') = '{"interested: one > ann@example.com","interested: two > ann@example.com"}');
SELECT conformance.no('E04', 'a program, another campaign', score(:bob) <> 0 OR score(:eve) <> 0 OR tagged(:bob, 'engaged') OR tagged(:eve, 'engaged'));
SELECT interested_series(c) FROM contact c WHERE id = :ann;
CALL automation.advance('15 days');
SELECT conformance.no('E04', 'the series a second time', (SELECT count(*) FROM unnest(mails('interested_series')) m WHERE m LIKE '%ann@%') > 2);
INSERT INTO email_event (message_id, contact_id, kind) VALUES (:sale, :bob, 'delivered');
CALL automation.run();
SELECT conformance.no('E04', 'a mail that has arrived is not read', score(:bob) <> 0);
CALL next_recipe();
DROP FUNCTION campaign_opened, interested_series;

-- E05, a link is clicked: tag, points, reminder about an unfinished sign-up; who signs up gets none
\ir ../../examples/05_link_clicked.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve \gset
INSERT INTO email_message (class, direction) VALUES ('campaign', 'out') RETURNING id AS mail \gset
INSERT INTO email_link (message_id, url) VALUES (:mail, 'https://example.com/webinar') RETURNING id AS webinar \gset
INSERT INTO email_link (message_id, url) VALUES (:mail, 'https://example.com/blog') RETURNING id AS blog \gset
INSERT INTO email_event (message_id, contact_id, kind, link_id) VALUES (:mail, :ann, 'click', :webinar), (:mail, :bob, 'click', :webinar), (:mail, :eve, 'click', :blog);
CALL automation.run();
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Webinar'), :bob);
CALL automation.advance('2 days');
SELECT conformance.yes('E05', 'interest and points', tagged(:ann, 'interest: webinar') AND tagged(:bob, 'interest: webinar') AND score(:ann) = 3);
SELECT conformance.yes('E05', 'the reminder', 'webinar: reminder > ann@example.com' = ANY (mails('link_clicked')));
SELECT conformance.no('E05', 'a reminder for who signed up', 'webinar: reminder > bob@example.com' = ANY (mails('link_clicked')));
SELECT conformance.no('E05', 'another link', tagged(:eve, 'interest: webinar') OR score(:eve) <> 0);
CALL next_recipe();
DROP FUNCTION link_clicked;

-- E06, a mail is shared: colleague, points, thanks; a second share within the month does nothing
\ir ../../examples/06_mail_shared.sql
SELECT new_contact('Ann', owner => 1) AS ann, new_contact('Bob', owner => 1) AS bob \gset
INSERT INTO email_event (contact_id, kind, network) VALUES (:ann, 'share', 'linkedin'), (:bob, 'open', NULL);
CALL automation.run();
INSERT INTO email_event (contact_id, kind, network) VALUES (:ann, 'share', 'facebook');
CALL automation.run();
SELECT conformance.yes('E06', 'the colleague', told(1) = '{"Ann shared our mail on linkedin"}');
SELECT conformance.yes('E06', 'points and thanks', score(:ann) = 10 AND mails('mail_shared') = '{"shared: thank you > ann@example.com"}');
SELECT conformance.no('E06', 'an open', score(:bob) <> 0);
CALL automation.advance('31 days');
INSERT INTO email_event (contact_id, kind, network) VALUES (:ann, 'share', 'facebook');
CALL automation.run();
SELECT conformance.yes('E06', 'the month after', score(:ann) = 20);
CALL next_recipe();
DROP FUNCTION mail_shared;

-- E07, a mail is forwarded: thanks and points
\ir ../../examples/07_mail_forwarded.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO email_event (contact_id, kind) VALUES (:ann, 'forward_form'), (:bob, 'click');
CALL automation.run();
SELECT conformance.yes('E07', 'thanks and points', score(:ann) = 10 AND mails('mail_forwarded') = '{"forwarded: thank you > ann@example.com"}');
SELECT conformance.no('E07', 'a click', score(:bob) <> 0);
CALL next_recipe();
DROP FUNCTION mail_forwarded;

-- E08, a mail is answered: task, stage, points; a closed deal is not moved, an answer to nothing of ours does not count
\ir ../../examples/08_mail_answered.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve \gset
SELECT new_deal('Boat', 'Sales', 'New', :ann) AS boat, new_deal('Oar', 'Sales', 'New', :bob) AS oar, new_deal('Sail', 'Sales', 'New', :eve) AS sail \gset
UPDATE deal SET status = 'won' WHERE id = :sail;
INSERT INTO email_message (class, direction, sent_from, deal_id, mailbox_id)
SELECT 'personal', 'out', 'deal', d, CASE WHEN d <> :oar THEN (SELECT min(id) FROM connected_mailbox) END FROM unnest(ARRAY[:boat, :oar, :sail]) d;
INSERT INTO email_message (class, direction, contact_id, deal_id, in_reply_to)
SELECT 'personal', 'in', dc.contact_id, m.deal_id, m.id FROM email_message m JOIN deal_contact dc USING (deal_id) WHERE m.sent_from = 'deal' AND m.deal_id IN (:boat, :oar, :sail);
CALL automation.run();
SELECT conformance.yes('E08', 'task', tasks(:boat) = '{"task: Answer Ann / Ada Bell"}');
SELECT conformance.yes('E08', 'stage and points', (SELECT stage_id = stage('Sales', 'In discussion') FROM deal WHERE id = :boat) AND score(:ann) = 15);
SELECT conformance.no('E08', 'a closed deal moves', (SELECT stage_id <> stage('Sales', 'New') FROM deal WHERE id = :sail));
SELECT conformance.no('E08', 'a mail of no mailbox', score(:bob) <> 0 OR tasks(:oar) <> '{}');
INSERT INTO email_message (class, direction, sent_from, contact_id, deal_id, in_reply_to) SELECT 'personal', 'out', 'deal', :ann, :boat, min(id) FROM email_message WHERE deal_id = :boat;
CALL automation.run();
SELECT conformance.no('E08', 'what we write ourselves', score(:ann) <> 15);
INSERT INTO email_message (class, direction, contact_id, deal_id, in_reply_to) SELECT 'personal', 'in', :ann, :boat, min(id) FROM email_message WHERE deal_id = :boat;
CALL automation.run();
SELECT conformance.yes('E08', 'the next answer', score(:ann) = 30 AND cardinality(tasks(:boat)) = 2);
CALL next_recipe();
DROP FUNCTION mail_answered;

-- E09, a tag: series, another one ends
\ir ../../examples/09_tag_series.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve, new_contact('Dan') AS dan \gset
UPDATE contact SET lifecycle = 'lead' WHERE id IN (:ann, :bob, :eve);
CALL automation.run();
SELECT conformance.yes('E09', 'leads get theirs', ARRAY['win: one > ann@example.com', 'win: one > bob@example.com'] <@ mails('win_series'));
CALL next_recipe();
SELECT add_tag(c, 'customer') FROM contact c WHERE id = :dan;
UPDATE contact SET unsubscribed = true WHERE id IN (:eve, :dan);
SELECT add_tag(c, 'customer') FROM contact c WHERE id = :ann;
SELECT add_tag(c, 'webinar') FROM contact c WHERE id = :bob;
CALL automation.advance('2 days');
SELECT conformance.no('E09', 'the second before its time', cardinality(mails('customer_series')) > 1 OR 'win: two > bob@example.com' = ANY (mails('win_series')));
CALL automation.advance('6 days');
SELECT conformance.no('E09', 'who wants no more mails', 'win: two > eve@example.com' = ANY (mails('win_series')));
SELECT conformance.yes('E09', 'series', mails('customer_series') = '{"customer: one > ann@example.com","customer: two > ann@example.com"}');
SELECT conformance.yes('E09', 'without the tag the other one goes on', 'win: two > bob@example.com' = ANY (mails('win_series')));
SELECT conformance.no('E09', 'the other one goes on', 'win: two > ann@example.com' = ANY (mails('win_series')));
SELECT new_contact('Fay') AS fay \gset
UPDATE contact SET lifecycle = 'subscriber' WHERE id = :fay;
CALL automation.run();
SELECT conformance.no('E09', 'who is no lead', 'win: one > fay@example.com' = ANY (mails('win_series')));
CALL next_recipe();
DROP FUNCTION win_series, customer_series;

-- E10, a tag is taken off: the series ends, points, a series; who has it again is left alone
\ir ../../examples/10_tag_removed.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve \gset
SELECT add_tag(ARRAY[:ann, :bob, :eve]::bigint[], 'vip');
CALL automation.run();
SELECT remove_tag(ARRAY[:ann, :eve]::bigint[], 'vip');
CALL automation.run();
SELECT add_tag(c, 'vip') FROM contact c WHERE id = :eve;
CALL automation.advance('10 days');
SELECT conformance.no('E10', 'the gift, or news, before their time', 'vip: a gift > ann@example.com' = ANY (mails('vip_lost')) OR mails('vip_series') <> '{}');
CALL automation.advance('21 days');
SELECT conformance.yes('E10', 'points and series', score(:ann) = -20
    AND ARRAY['vip: we miss you > ann@example.com', 'vip: a gift > ann@example.com'] <@ mails('vip_lost'));
SELECT conformance.no('E10', 'the series of the tag goes on', 'vip: news > ann@example.com' = ANY (mails('vip_series')));
SELECT conformance.yes('E10', 'it does for the others', ARRAY['vip: news > bob@example.com', 'vip: news > eve@example.com'] <@ mails('vip_series'));
CALL automation.advance('30 days');
SELECT conformance.yes('E10', 'and again', (SELECT count(*) FROM unnest(mails('vip_series')) m WHERE m = 'vip: news > bob@example.com') = 2);
SELECT conformance.no('E10', 'who has the tag again', 'vip: a gift > eve@example.com' = ANY (mails('vip_lost')) OR score(:bob) <> 0);
CALL next_recipe();
SELECT new_contact('Fay') AS fay \gset
SELECT add_tag(c, 'blog') FROM contact c WHERE id = :fay;
SELECT add_tag(c, 'vip') FROM contact c WHERE id = :ann;
CALL automation.run();
SELECT remove_tag(c, 'blog') FROM contact c WHERE id = :fay;
SELECT remove_tag(c, 'vip') FROM contact c WHERE id = :ann;
CALL automation.advance('31 days');
SELECT conformance.yes('E10', 'a second loss', score(:ann) = -40);
SELECT conformance.no('E10', 'another tag', score(:fay) <> 0 OR 'vip: news > fay@example.com' = ANY (mails('vip_series')));
CALL next_recipe();
DROP FUNCTION vip_series, vip_lost;

-- E11, a page: points, tag, mail, once in 30 days
\ir ../../examples/11_page_visit.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO page_view (contact_id, url) VALUES (:ann, 'https://example.com/pricing/teams'), (:ann, 'https://example.com/shop/prices.html'), (:bob, 'https://example.com/blog'), (NULL, 'https://example.com/pricing');
CALL automation.run();
CALL automation.advance('30 minutes');
SELECT conformance.no('E11', 'the mail at once', mails('page_visit') <> '{}');
CALL automation.advance('3 hours');
INSERT INTO page_view (contact_id, url) VALUES (:ann, 'https://example.com/pricing');
CALL automation.advance('3 hours');
SELECT conformance.yes('E11', 'points, interest, mail', score(:ann) = 3 AND tagged(:ann, 'interest: pricing') AND mails('page_visit') = '{"pricing: questions > ann@example.com"}');
SELECT conformance.no('E11', 'another page', score(:bob) <> 0 OR tagged(:bob, 'interest: pricing'));
CALL next_recipe();
DROP FUNCTION page_visit;

-- E12, a purchase: thanks, feedback, onboarding of a new customer; a failed payment
\ir ../../examples/12_purchase.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO sales_order (contact_id, status) VALUES (:ann, 'completed'), (:bob, 'failed');
CALL automation.run();
CALL automation.advance('1 hour');
SELECT conformance.no('E12', 'the first of the series at once', mails('new_customer_series') <> '{}');
SELECT conformance.yes('E12', 'thanks', mails('purchase') = '{"purchase: thank you > ann@example.com"}');
CALL automation.advance('2 days');
SELECT conformance.no('E12', 'the second before its time', cardinality(mails('new_customer_series')) > 1);
CALL automation.advance('3 days');
SELECT conformance.no('E12', 'the question before its time', cardinality(mails('purchase')) > 1);
SELECT conformance.yes('E12', 'onboarding', mails('new_customer_series') = '{"new customer: one > ann@example.com","new customer: two > ann@example.com"}');
INSERT INTO sales_order (contact_id, status) VALUES (:ann, 'completed');
CALL automation.advance('15 days');
SELECT conformance.yes('E12', 'feedback, for each order', (SELECT count(*) FROM unnest(mails('purchase')) m WHERE m = 'purchase: how was it > ann@example.com') = 2);
SELECT conformance.no('E12', 'onboarding at the second order', cardinality(mails('new_customer_series')) > 2);
SELECT conformance.no('E12', 'thanks for a failed payment', 'purchase: thank you > bob@example.com' = ANY (mails('purchase')));
SELECT new_customer_series(c) FROM contact c WHERE id = :ann;
UPDATE sales_order SET status = 'pending' WHERE contact_id = :ann;
CALL automation.run();
UPDATE sales_order SET status = 'completed' WHERE contact_id = :ann;
CALL automation.advance('20 days');
SELECT conformance.no('E12', 'an order twice, or the series', (SELECT count(*) FROM unnest(mails('purchase')) m WHERE m LIKE '%ann@%') > 4 OR cardinality(mails('new_customer_series')) > 2);
CALL next_recipe();
DROP FUNCTION purchase, new_customer_series;

-- E13, an abandoned cart: mail, tag, offer; one that is touched, ordered or small
\ir ../../examples/13_abandoned_cart.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve \gset
SELECT new_contact('Gil') AS gil \gset
INSERT INTO cart (contact_id, total) VALUES (:ann, 60), (:bob, 60), (:eve, 10), (:gil, 60);
CALL automation.run();
CALL automation.advance('50 minutes');
UPDATE cart SET total = 70, updated_at = automation.now() WHERE contact_id = :bob;
CALL automation.advance('20 minutes');
SELECT conformance.yes('E13', 'mail and tag', mails('abandoned_cart') = '{"cart: left > ann@example.com","cart: left > gil@example.com"}' AND tagged(:ann, 'abandoned cart'));
SELECT conformance.no('E13', 'one that was touched meanwhile', tagged(:bob, 'abandoned cart'));
CALL automation.advance('1 hour');
INSERT INTO sales_order (contact_id, cart_id) SELECT contact_id, id FROM cart WHERE contact_id = :bob;
UPDATE cart SET total = 70, updated_at = automation.now() WHERE contact_id = :gil;
SELECT conformance.no('E13', 'the offer at once', 'cart: offer > ann@example.com' = ANY (mails('abandoned_cart')));
CALL automation.advance('2 days');
SELECT conformance.yes('E13', 'the offer', 'cart: offer > ann@example.com' = ANY (mails('abandoned_cart')));
SELECT conformance.no('E13', 'who has ordered', 'cart: offer > bob@example.com' = ANY (mails('abandoned_cart')));
SELECT conformance.no('E13', 'who has come back to it', 'cart: offer > gil@example.com' = ANY (mails('abandoned_cart')));
SELECT conformance.no('E13', 'a small one', tagged(:eve, 'abandoned cart'));
SELECT new_contact('Dan') AS dan, new_contact('Fay') AS fay \gset
INSERT INTO cart (contact_id, total, currency, recovered_at) VALUES (:dan, 60, 'USD', NULL), (:fay, 60, 'EUR', automation.now());
CALL automation.advance('3 hours');
SELECT conformance.no('E13', 'another currency, one that was bought', tagged(:dan, 'abandoned cart') OR tagged(:fay, 'abandoned cart'));
CALL next_recipe();
DROP FUNCTION abandoned_cart;

-- E14, an order: thanks by text or mail, what goes with it, reminders of an event and lessons; an order that comes back gets no more
\ir ../../examples/14_order_created.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET phone = '+33160000011' WHERE id = :bob;
INSERT INTO product (name, category_id, starts_at) VALUES ('Fair', product_category('Events'), automation.now() + interval '15 days') RETURNING id AS fair \gset
INSERT INTO product (name, category_id) VALUES ('Course', product_category('Courses')) RETURNING id AS course \gset
INSERT INTO sales_order (contact_id) VALUES (:ann) RETURNING id AS first \gset
INSERT INTO sales_order (contact_id) VALUES (:bob) RETURNING id AS second \gset
INSERT INTO order_line (order_id, product_id) VALUES (:first, :fair), (:first, :course), (:second, :fair), (:second, :course), (:second, product('product 1'));
CALL automation.run();
SELECT conformance.yes('E14', 'thanks by mail', mails('order_created') = '{"order: thank you > ann@example.com"}');
SELECT conformance.yes('E14', 'thanks by text', texts('order_created') = '{33160000011}');
CALL automation.advance('1 hour');
SELECT conformance.yes('E14', 'the first lesson', mails('course_booked') = '{"course: lesson 1 > ann@example.com","course: lesson 1 > bob@example.com"}');
CALL next_recipe();
INSERT INTO sales_order (contact_id) VALUES (:bob) RETURNING id AS third \gset
INSERT INTO order_line (order_id, product_id) VALUES (:third, :fair), (:third, :course);
CALL automation.run();
CALL next_recipe();
UPDATE sales_order SET status = 'cancelled' WHERE id = :third;
CALL automation.advance('8 days');
SELECT conformance.no('E14', 'more before its time, or after it was cancelled', 'cross-sell > ann@example.com' = ANY (mails('order_created')) OR mails('event_booked') <> '{}'
    OR 'course: lesson 2 > bob@example.com' = ANY (mails('course_booked')) AND (SELECT count(*) FROM unnest(mails('course_booked')) m WHERE m LIKE '%lesson 2 > bob%') > 1);
CALL automation.advance('3 days');
CALL next_recipe();
UPDATE sales_order SET status = 'returned' WHERE id = :second;
CALL automation.advance('11 days');
SELECT conformance.yes('E14', 'what goes with it, and more', ARRAY['cross-sell > ann@example.com', 'cross-sell > bob@example.com', 'up-sell > ann@example.com'] <@ mails('order_created'));
SELECT conformance.yes('E14', 'the event', mails('event_booked') = '{"event: tomorrow > ann@example.com"}');
SELECT conformance.yes('E14', 'the course', 'course: lesson 2 > ann@example.com' = ANY (mails('course_booked')) AND (SELECT count(*) FROM unnest(mails('course_booked')) m WHERE m = 'course: lesson 1 > ann@example.com') = 1);
SELECT conformance.no('E14', 'after a return', 'up-sell > bob@example.com' = ANY (mails('order_created')));
CALL next_recipe();
DROP FUNCTION order_created, event_booked, course_booked;
ALTER TABLE product DROP COLUMN starts_at;

-- E15, an order goes from a status to another: returned, unpaid, completed
\ir ../../examples/15_order_updated.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve \gset
UPDATE contact SET phone = '+33160000012' WHERE id = :eve;
INSERT INTO sales_order (contact_id) VALUES (:ann), (:bob), (:eve);
CALL automation.run();
UPDATE sales_order SET status = 'completed' WHERE contact_id = :ann;
UPDATE sales_order SET status = 'returned' WHERE contact_id = :bob;
UPDATE sales_order SET status = 'failed' WHERE contact_id = :eve;
CALL automation.run();
SELECT conformance.no('E15', 'returned, but not from completed', mails('order_returned') <> '{}');
SELECT conformance.yes('E15', 'finish the purchase, by text', texts('order_unpaid') = '{33160000012}');
CALL automation.advance('1 hour');
SELECT conformance.no('E15', 'the mail, and what goes with it, at once', mails('order_unpaid') <> '{}' OR mails('order_completed') <> '{}');
INSERT INTO sales_order (contact_id, status) VALUES (:bob, 'failed') RETURNING id AS paid \gset
INSERT INTO sales_order (contact_id, status) VALUES (:bob, 'pending') RETURNING id AS back \gset
CALL automation.run();
SELECT conformance.yes('E15', 'by mail without a number', mails('order_unpaid') = '{"order: unpaid > bob@example.com"}');
CALL next_recipe();
UPDATE sales_order SET status = 'completed' WHERE id IN (:paid, :back);
CALL automation.run();
UPDATE sales_order SET status = 'returned' WHERE id IN (:paid, :back);
CALL automation.advance('4 days');
CALL next_recipe();
SELECT conformance.yes('E15', 'and again by mail', mails('order_unpaid') = '{"order: unpaid > bob@example.com","order: unpaid > eve@example.com"}');
SELECT conformance.yes('E15', 'what goes with it', mails('order_completed') = '{"order: goes with it > ann@example.com"}');
UPDATE sales_order SET status = 'returned' WHERE contact_id = :ann;
CALL automation.run();
SELECT conformance.yes('E15', 'from completed to returned', mails('order_returned') = '{"order: returned > ann@example.com","order: returned > bob@example.com","order: returned > bob@example.com"}');
INSERT INTO sales_order (contact_id, status) VALUES (:eve, 'completed') RETURNING id AS void \gset
CALL automation.run();
UPDATE sales_order SET status = 'cancelled' WHERE id = :void;
UPDATE sales_order SET status = 'pending' WHERE contact_id = :eve AND id <> :void;
CALL automation.run();
SELECT conformance.no('E15', 'cancelled is not returned', 'order: returned > eve@example.com' = ANY (mails('order_returned')));
UPDATE sales_order SET status = 'failed' WHERE contact_id = :eve AND id <> :void;
CALL automation.run();
SELECT conformance.yes('E15', 'a second failure', texts('order_unpaid') = '{33160000012,33160000012}');
CALL next_recipe();
DROP FUNCTION order_returned, order_unpaid, order_completed;

-- E16, a field goes from one value to one value: series, people, points
\ir ../../examples/16_becomes_customer.sql
SELECT new_contact('Ann', owner => 1) AS ann, new_contact('Bob', owner => 1) AS bob \gset
UPDATE contact SET lifecycle = 'lead' WHERE id = :ann;
CALL automation.run();
UPDATE contact SET lifecycle = 'customer' WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('E16', 'people', told(1) = '{"Ann is a customer now"}' AND told('Managers') = '{"Ann is a customer now"}');
CALL automation.advance('6 days');
SELECT conformance.no('E16', 'the second before its time', cardinality(mails('becomes_customer')) > 1);
CALL automation.advance('2 days');
SELECT conformance.yes('E16', 'points and series', score(:ann) = 50 AND mails('becomes_customer') = '{"became customer: one > ann@example.com","became customer: two > ann@example.com"}');
SELECT conformance.no('E16', 'who was no lead', score(:bob) <> 0);
SELECT new_contact('Dan') AS dan \gset
UPDATE contact SET lifecycle = 'lead' WHERE id = :dan;
CALL automation.run();
UPDATE contact SET lifecycle = 'lost' WHERE id = :dan;
CALL automation.run();
SELECT conformance.no('E16', 'another value', score(:dan) <> 0);
CALL next_recipe();
DROP FUNCTION becomes_customer;

-- E17, a goal: people, points, series
\ir ../../examples/17_goal_reached.sql
SELECT new_contact('Ann', owner => 1) AS ann, new_contact('Bob', owner => 1) AS bob, new_contact('Dan') AS dan \gset
UPDATE contact SET lifecycle = 'lead' WHERE id IN (:ann, :bob, :dan);
CALL automation.run();
SELECT conformance.yes('E17', 'an offer', ARRAY['offer: one > ann@example.com', 'offer: one > bob@example.com'] <@ mails('offer_series'));
CALL next_recipe();
UPDATE contact SET unsubscribed = true WHERE id = :dan;
INSERT INTO sales_order (contact_id, status) VALUES (:ann, 'completed');
CALL automation.run();
SELECT conformance.yes('E17', 'people and points', told(1) = '{"Ann has bought"}' AND score(:ann) = 20);
CALL automation.advance('6 days');
SELECT conformance.no('E17', 'what comes later', mails('bought_series') <> '{"bought: one > ann@example.com"}' OR 'offer: two > bob@example.com' = ANY (mails('offer_series')));
CALL automation.advance('9 days');
SELECT conformance.yes('E17', 'who has not bought waits on', EXISTS (SELECT FROM automation.enrollments WHERE workflow = 'offer_series' AND subject_key = :'bob'));
CALL automation.advance('15 days');
SELECT conformance.yes('E17', 'a second offer', 'offer: two > bob@example.com' = ANY (mails('offer_series')));
SELECT conformance.no('E17', 'an offer to who wants no more', 'offer: two > dan@example.com' = ANY (mails('offer_series')));
SELECT conformance.yes('E17', 'series', mails('bought_series') = '{"bought: one > ann@example.com","bought: two > ann@example.com"}');
SELECT conformance.no('E17', 'offers go on', 'offer: two > ann@example.com' = ANY (mails('offer_series')));
SELECT conformance.no('E17', 'who has not bought', score(:bob) <> 0 OR 'bought: one > bob@example.com' = ANY (mails('bought_series')));
SELECT new_contact('Fay') AS fay \gset
UPDATE contact SET lifecycle = 'subscriber' WHERE id = :fay;
SELECT bought_series(c) FROM contact c WHERE id = :ann;
CALL automation.run();
SELECT conformance.no('E17', 'who is no lead; the series a second time', 'offer: one > fay@example.com' = ANY (mails('offer_series')) OR cardinality(mails('bought_series')) > 2);
CALL next_recipe();
DROP FUNCTION offer_accepted, bought_series, offer_series;

-- E18, a feed: mail of the news, people; too few, or told of already
\ir ../../examples/18_blog_news.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT add_tag(c, 'blog') FROM contact c WHERE id = :ann;
CREATE PROCEDURE answer(items int) LANGUAGE sql AS $$
    SELECT automation.settle(d.id, 'sent', 200, '<rss version="2.0"><channel><title>Blog</title>'
        || (SELECT string_agg(format('<item><guid>g%s</guid><title>News %s</title><link>https://example.com/%s</link></item>', n, n, n), '') FROM generate_series(1, $1) n)
        || '</channel></rss>')
    FROM automation.deliveries d WHERE d.workflow = 'blog_news' AND d.kind = 'http' AND d.state = 'queued';
$$;
SELECT automation.schedule_next('*/15 * * * *', automation.now()) + interval '1 minute' - automation.now() AS gap \gset
CALL automation.advance(:'gap');
CALL answer(1);
CALL automation.run();
SELECT conformance.no('E18', 'one item is too few', mails('blog_news') <> '{}' OR told('Sales') <> '{}');
CALL automation.advance('15 minutes');
CALL answer(2);
CALL automation.run();
SELECT conformance.yes('E18', 'mail', mails('blog_news') = '{"blog: news > ann@example.com"}'
    AND EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'blog_news' AND title = 'New on our blog: News 1' AND body LIKE '%News 2: https://example.com/2%'));
SELECT conformance.yes('E18', 'people', told('Sales') = '{"new on the blog: News 1"}');
CALL automation.advance('15 minutes');
CALL answer(2);
CALL automation.run();
SELECT conformance.no('E18', 'the same again', cardinality(mails('blog_news')) > 1);
CALL next_recipe();
DROP FUNCTION blog_news;
DROP PROCEDURE answer;

-- E19, dates: event, payments, appointments
\ir ../../examples/19_dates.sql
INSERT INTO contact (first_name, email, demo_at) VALUES ('Ann', 'ann@example.com', automation.now() + interval '10 days') RETURNING id AS ann \gset
INSERT INTO contact (first_name, email, demo_at) VALUES ('Bob', 'bob@example.com', automation.now() + interval '2 days') RETURNING id AS bob \gset
INSERT INTO recurring_payment (contact_id, provider, amount, every) VALUES (:ann, 'paypal', 9, '1 month'), (:bob, 'paypal', 9, NULL);
INSERT INTO external_meeting (contact_id, type, scheduled_at) SELECT c, 'call', automation.now() + interval '3 days' FROM unnest(ARRAY[:ann, :bob]) c;
CALL automation.run();
CALL automation.advance('1 hour');
SELECT conformance.no('E19', 'anything at once', mails('demo_dates') <> '{}' OR mails('payment_reminder') <> '{}' OR mails('appointment_reminder') <> '{}');
UPDATE external_meeting SET cancelled_at = automation.now() WHERE contact_id = :bob;
CALL automation.advance('2 days 12 hours');
SELECT conformance.no('E19', 'the question before the demo is over by a day', 'demo: how was it > bob@example.com' = ANY (mails('demo_dates')) OR 'demo: in a week > ann@example.com' = ANY (mails('demo_dates')));
CALL automation.advance('1 day 12 hours');
SELECT conformance.yes('E19', 'appointment', mails('appointment_reminder') = '{"appointment: soon > ann@example.com"}');
SELECT conformance.yes('E19', 'event', mails('demo_dates') = '{"demo: how was it > bob@example.com","demo: in a week > ann@example.com","demo: tomorrow > bob@example.com"}');
SELECT conformance.no('E19', 'a reminder whose time was past', 'demo: in a week > bob@example.com' = ANY (mails('demo_dates')));
CALL next_recipe();
UPDATE contact SET demo_at = demo_at + interval '20 days' WHERE id = :ann;
CALL automation.advance('10 days');
SELECT conformance.no('E19', 'a reminder of the old date', 'demo: tomorrow > ann@example.com' = ANY (mails('demo_dates')));
CALL automation.advance('50 days');
CALL next_recipe();
UPDATE recurring_payment SET status = 'cancelled' WHERE contact_id = :ann;
UPDATE contact SET demo_at = automation.now() + interval '20 days' WHERE id = :bob;
CALL automation.run();
UPDATE contact SET demo_at = NULL WHERE id = :bob;
CALL automation.advance('40 days');
SELECT conformance.no('E19', 'who has no date any more is inside', EXISTS (SELECT FROM automation.enrollments WHERE workflow = 'demo_dates' AND subject_key = :'bob'));
SELECT conformance.no('E19', 'a payment that was ended', cardinality(mails('payment_reminder')) > 2);
SELECT conformance.yes('E19', 'the new date', ARRAY['demo: tomorrow > ann@example.com', 'demo: how was it > ann@example.com'] <@ mails('demo_dates'));
SELECT conformance.yes('E19', 'each payment', mails('payment_reminder') = '{"payment: soon > ann@example.com","payment: soon > ann@example.com"}');
SELECT conformance.yes('E19', 'a date that moves begins anew', (SELECT count(*) FROM unnest(mails('demo_dates')) m WHERE m = 'demo: in a week > ann@example.com') = 2);
CALL next_recipe();
DROP FUNCTION demo_dates, payment_reminder, appointment_reminder;

-- E20, a score: deal, tag
\ir ../../examples/20_ready_to_buy.sql
SELECT new_contact('Ann', owner => 1) AS ann, new_contact('Bob', owner => 1) AS bob \gset
SELECT set_score(c, 90) FROM contact c WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT adjust_score(c, CASE id WHEN :ann THEN 11 ELSE 10 END) FROM contact c WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('E20', 'deal', (SELECT array_agg(d.title || ' ' || d.status || ' ' || s.name) FROM deal d JOIN deal_contact dc ON dc.deal_id = d.id JOIN pipeline_stage s ON s.id = d.stage_id WHERE dc.contact_id = :ann) = '{"Ann open New"}');
SELECT conformance.yes('E20', 'tag and word', tagged(:ann, 'hot') AND told(1) = '{"Ann is ready to buy"}');
SELECT adjust_score(c, -50) FROM contact c WHERE id = :ann;
CALL automation.run();
SELECT adjust_score(c, 50) FROM contact c WHERE id = :ann;
CALL automation.advance('31 days');
SELECT conformance.yes('E20', 'the deal is stuck', 'the deal of Ann is stuck' = ANY (told(1)));
SELECT conformance.no('E20', 'a second deal', (SELECT count(*) FROM deal_contact WHERE contact_id = :ann) > 1);
SELECT conformance.no('E20', 'not above it', tagged(:bob, 'hot'));
INSERT INTO contact (first_name, score) VALUES ('Dan', 150) RETURNING id AS dan \gset
CALL automation.run();
SELECT adjust_score(c, 10) FROM contact c WHERE id = :dan;
CALL automation.run();
SELECT conformance.no('E20', 'above it already', tagged(:dan, 'hot'));
CALL next_recipe();
DROP FUNCTION ready_to_buy;

-- E21, site messages: tag, series
\ir ../../examples/21_site_messages.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO site_message_event (message_id, contact_id, kind) VALUES (site_message('intro 1'), :ann, 'dismissed_initial'), (site_message('intro 1'), :bob, 'shown');
CALL automation.run();
SELECT conformance.yes('E21', 'tag and second message', tagged(:ann, 'saw the introduction')
    AND EXISTS (SELECT FROM site_message_event WHERE contact_id = :ann AND message_id = site_message('intro 2') AND kind = 'queued'));
CALL automation.advance('5 days');
SELECT conformance.no('E21', 'the third before the second is closed', EXISTS (SELECT FROM site_message_event WHERE message_id = site_message('intro 3')));
INSERT INTO site_message_event (message_id, contact_id, kind) VALUES (site_message('intro 2'), :ann, 'dismissed');
CALL automation.run();
CALL automation.advance('1 hour');
SELECT conformance.no('E21', 'the third at once', EXISTS (SELECT FROM site_message_event WHERE message_id = site_message('intro 3')));
CALL automation.advance('2 days');
SELECT conformance.yes('E21', 'third message', EXISTS (SELECT FROM site_message_event WHERE contact_id = :ann AND message_id = site_message('intro 3') AND kind = 'queued'));
SELECT conformance.no('E21', 'shown is not closed', tagged(:bob, 'saw the introduction'));
INSERT INTO site_message_event (message_id, contact_id, kind) VALUES (site_message('intro 2'), :bob, 'dismissed_initial');
CALL automation.run();
SELECT conformance.no('E21', 'another message', tagged(:bob, 'saw the introduction'));
CALL next_recipe();
DROP FUNCTION site_messages;

-- E22, an event: mail, points
\ir ../../examples/22_app_event.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve \gset
INSERT INTO tracked_event (contact_id, event_type_id, value) VALUES (:ann, event_type('trial started'), 'pro'), (:bob, event_type('trial started'), NULL), (:eve, event_type('file exported'), 'pro');
CALL automation.run();
SELECT conformance.yes('E22', 'mail and points', score(:ann) = 40 AND score(:bob) = 20 AND mails('trial_started') = '{"trial: begin > ann@example.com","trial: begin > bob@example.com"}');
SELECT conformance.no('E22', 'another event', score(:eve) <> 0);
INSERT INTO tracked_event (contact_id, event_type_id) VALUES (:ann, event_type('trial started'));
CALL automation.run();
SELECT conformance.no('E22', 'a second trial', score(:ann) <> 40);
CALL next_recipe();
DROP FUNCTION trial_started;

-- E23, a conversion: colleague, follow-up on a working day, at nine where the contact is
\ir ../../examples/23_conversion.sql
SELECT new_contact('Ann', owner => 1) AS ann, new_contact('Bob', owner => 1) AS bob \gset
UPDATE contact SET time_zone = 'Asia/Tokyo' WHERE id = :ann;
INSERT INTO conversion_event (contact_id, type_id) VALUES (:ann, conversion_type('demo')), (:bob, conversion_type('purchase'));
CALL automation.run();
SELECT conformance.yes('E23', 'colleague', told(1) = '{"Ann has booked a demo"}');
SELECT conformance.no('E23', 'the mail at once', mails('conversion') <> '{}');
CALL automation.advance('4 days');
SELECT conformance.yes('E23', 'follow-up, on a working day at nine', mails('conversion') = '{"conversion: demo > ann@example.com"}'
    AND (SELECT extract(isodow FROM created_at AT TIME ZONE 'Asia/Tokyo') < 6 AND extract(hour FROM created_at AT TIME ZONE 'Asia/Tokyo') = 9 FROM automation.deliveries WHERE workflow = 'conversion'));
INSERT INTO conversion_event (contact_id, type_id) VALUES (:ann, conversion_type('demo'));
CALL automation.run();
SELECT conformance.no('E23', 'again in the same month', cardinality(told(1)) > 1);
CALL automation.advance('30 days');
INSERT INTO conversion_event (contact_id, type_id) VALUES (:ann, conversion_type('demo'));
CALL automation.run();
SELECT conformance.yes('E23', 'the month after', cardinality(told(1)) = 2);
CALL next_recipe();
DROP FUNCTION conversion;

-- E24, a recurring payment: welcome, recommendations, lessons
\ir ../../examples/24_subscription_started.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve \gset
UPDATE contact SET interests = '{boats,sails}' WHERE id = :ann;
INSERT INTO recurring_payment (contact_id, provider, amount, status) VALUES (:ann, 'paypal', 30, 'active'), (:bob, 'paypal', 30, 'active'), (:eve, 'paypal', 30, 'failed');
CALL automation.run();
SELECT conformance.yes('E24', 'welcome, with the details', mails('subscription_started') = '{"subscriber: welcome > ann@example.com","subscriber: welcome > bob@example.com"}'
    AND EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'subscription_started' AND body LIKE 'You pay 30.00 EUR.%ann@example.com%'));
CALL automation.advance('15 days');
CALL next_recipe();
UPDATE recurring_payment SET status = 'cancelled' WHERE contact_id = :bob;
CALL automation.advance('30 days');
SELECT conformance.yes('E24', 'personal recommendation', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'subscription_started' AND family = 'subscriber: for you' AND target = 'ann@example.com' AND body LIKE '%boats, sails%'));
SELECT conformance.yes('E24', 'three lessons', (SELECT array_agg(title ORDER BY id) FROM automation.deliveries WHERE workflow = 'subscription_started' AND family = 'subscriber: lesson' AND target = 'ann@example.com') = '{"Lesson 1","Lesson 2","Lesson 3"}');
SELECT conformance.no('E24', 'lessons after the end', (SELECT count(*) FROM automation.deliveries WHERE workflow = 'subscription_started' AND family = 'subscriber: lesson' AND target = 'bob@example.com') > 1);
SELECT conformance.no('E24', 'a payment that failed', 'subscriber: welcome > eve@example.com' = ANY (mails('subscription_started')));
CALL next_recipe();
DROP FUNCTION subscription_started;

-- E25, a recurring payment changes: failed, cancelled, larger
\ir ../../examples/25_subscription_changed.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve, new_contact('Dan') AS dan \gset
UPDATE contact SET phone = '+33160000013' WHERE id = :bob;
INSERT INTO recurring_payment (contact_id, provider, amount) SELECT c, 'paypal', 30 FROM unnest(ARRAY[:ann, :bob, :eve, :dan]) c;
CALL automation.run();
UPDATE recurring_payment SET status = 'failed' WHERE contact_id IN (:ann, :bob);
UPDATE recurring_payment SET status = 'cancelled' WHERE contact_id = :eve;
UPDATE recurring_payment SET amount = 50 WHERE contact_id = :dan;
CALL automation.run();
SELECT conformance.yes('E25', 'failed, by mail or text', mails('subscription_failed') = '{"subscription: failed > ann@example.com"}'
    AND texts('subscription_failed') = '{33160000013}');
CALL next_recipe();
UPDATE recurring_payment SET status = 'active' WHERE contact_id = :ann;
CALL automation.advance('1 day');
SELECT conformance.no('E25', 'a last word before its time', 'subscription: last word > bob@example.com' = ANY (mails('subscription_failed')));
CALL automation.advance('3 days');
SELECT conformance.yes('E25', 'a last word', 'subscription: last word > bob@example.com' = ANY (mails('subscription_failed')));
SELECT conformance.no('E25', 'a last word to who has paid', 'subscription: last word > ann@example.com' = ANY (mails('subscription_failed')));
SELECT conformance.yes('E25', 'cancelled, larger', mails('subscription_cancelled') = '{"subscription: cancelled > eve@example.com"}' AND mails('subscription_larger') = '{"subscription: larger > dan@example.com"}');
UPDATE recurring_payment SET amount = 40 WHERE contact_id = :dan;
CALL automation.run();
SELECT conformance.no('E25', 'smaller is not larger', cardinality(mails('subscription_larger')) > 1);
UPDATE recurring_payment SET status = 'failed' WHERE contact_id = :ann;
UPDATE recurring_payment SET status = 'paused' WHERE contact_id = :dan;
CALL automation.run();
SELECT conformance.yes('E25', 'a second failure', (SELECT count(*) FROM unnest(mails('subscription_failed')) m WHERE m = 'subscription: failed > ann@example.com') = 2);
UPDATE recurring_payment SET amount = 60 WHERE contact_id = :dan;
CALL automation.run();
SELECT conformance.no('E25', 'larger, but not active; paused is not failed', cardinality(mails('subscription_larger')) > 1 OR 'subscription: failed > dan@example.com' = ANY (mails('subscription_failed')));
UPDATE recurring_payment SET status = 'active' WHERE contact_id = :dan;
CALL automation.run();
UPDATE recurring_payment SET amount = 70 WHERE contact_id = :dan;
CALL automation.run();
SELECT conformance.yes('E25', 'larger once more', cardinality(mails('subscription_larger')) = 2);
CALL next_recipe();
DROP FUNCTION subscription_failed, subscription_cancelled, subscription_larger;
