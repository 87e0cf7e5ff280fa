-- A corpus of workflows as CRM users write them.  Each is checked whole, with
-- every SQL fragment analysed over the schema of crm.sql.  Each has to be
-- accepted.

\set ECHO none
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
CREATE SERVER corpus TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://corpus.example');
GRANT USAGE ON FOREIGN SERVER corpus TO app;
SET SESSION AUTHORIZATION app;
SET search_path = crm;

CREATE TABLE defined (workflow text NOT NULL, code text NOT NULL, definition text NOT NULL);

-- Defines a workflow and tells how it went.
CREATE FUNCTION define(workflow text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    name text := substring(workflow FROM 'CREATE FUNCTION (\w+)');
    code text := 'ok';
    why text;
    hint text;
BEGIN
    BEGIN
        EXECUTE replace(workflow, 'CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION');
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, why = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    END;
    INSERT INTO defined VALUES (name, code, workflow);
    RETURN concat_ws(' ', name || ':', CASE WHEN code <> 'ok' THEN 'FAILED' END, code, why,
                     CASE WHEN code <> 'ok' AND hint <> '' THEN '(' || hint || ')' END);
END $$;

-- Workflows that others of the corpus call exist before these, whatever
-- becomes of their bodies.
CREATE FUNCTION e01_onboarding(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
BEGIN
END $$;
CREATE FUNCTION t86_mail(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN PER c, d;
BEGIN
END $$;
CREATE FUNCTION f27_onboard(c contact, days int DEFAULT 7) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
END $$;

-- joins a list: welcome mails, onboarding series (double opt-in: only an active subscription counts)
SELECT define($wf$
CREATE FUNCTION e01_welcome(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status ON list_subscription WHEN new.status = 'active' AND new.list_id = list('News')
    FOR SELECT new.contact_id;
  EXIT WHEN NOT EXISTS (SELECT FROM list_subscription s
                        WHERE s.contact_id = c.id AND s.list_id = list('News') AND s.status = 'active');
BEGIN
  SEND email('welcome', c);
  WAIT FOR '2 days';
  SEND email('first steps', c);
  WAIT FOR '5 days';
  SEND email('going further', c);
END $$;
$wf$);

-- leaves a list, by status or by deletion
SELECT define($wf$
CREATE FUNCTION e02_left(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'active' TO 'unsubscribed' ON list_subscription WHEN new.list_id = list('News')
    FOR SELECT new.contact_id;
  AFTER DELETE ON list_subscription WHEN old.list_id = list('News') AND old.status = 'active' FOR SELECT old.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT adjust_score(c, -10);
  SELECT automation.unenroll_others(c);
  SELECT notify(c.owner_id, c.name || ' left the newsletter');
END $$;
$wf$);

-- submits a form: reward, interest tag, score (double opt-in form: after the confirmation)
SELECT define($wf$
CREATE FUNCTION e03_ebook(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF confirmed_at ON form_submission
    WHEN new.form_id = form('E-book') AND new.confirmed_at IS NOT NULL FOR SELECT new.contact_id;
BEGIN
  SEND email('your e-book', c);
  SELECT add_tag(c, 'interest: databases');
  SELECT adjust_score(c, 5);
END $$;
$wf$);

-- opens a mail: scores, tag, follow-up; machine opens do not count
SELECT define($wf$
CREATE FUNCTION e04_opened(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event
    WHEN new.kind IN ('open', 'click') AND NOT new.is_machine_open
         AND EXISTS (SELECT FROM email_message m WHERE m.id = new.message_id AND m.class = 'campaign')
    FOR SELECT new.contact_id;
BEGIN
  SELECT adjust_score(c, 2);
  SELECT adjust_score(d, 1) FROM deal d JOIN deal_contact dc ON dc.deal_id = d.id WHERE dc.contact_id = c.id AND d.status = 'open';
  SELECT add_tag(c, 'engaged');
  WAIT FOR '1 day';
  SEND email('follow-up', c);
END $$;
$wf$);

-- clicks a link; reminder about an unfinished webinar sign-up: WAIT FOR sees only sign-ups from now on
SELECT define($wf$
CREATE FUNCTION e05_webinar(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event
    WHEN new.kind = 'click' AND (SELECT l.url FROM email_link l WHERE l.id = new.link_id) = 'https://example.com/webinar'
    FOR SELECT new.contact_id;
BEGIN
  SELECT add_tag(c, 'interest: webinar');
  WAIT FOR INSERT ON form_submission WHEN new.contact_id = c.id AND new.form_id = form('Webinar') TIMEOUT '1 day';
  IF NOT FOUND THEN
    SEND email('webinar reminder', c);
  END IF;
END $$;
$wf$);

-- shares a mail
SELECT define($wf$
CREATE FUNCTION e06_shared(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN new.kind = 'share' AND new.network = 'linkedin' FOR SELECT new.contact_id;
BEGIN
  SELECT adjust_score(c, 10);
  SELECT notify(c.owner_id, c.name || ' shared our mail');
  SEND email('thank you for sharing', c);
END $$;
$wf$);

-- forwards a mail
SELECT define($wf$
CREATE FUNCTION e07_forwarded(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN new.kind = 'forward_form' FOR SELECT new.contact_id;
BEGIN
  SELECT adjust_score(c, 10);
  SEND email('thank you', c);
END $$;
$wf$);

-- replies: task, move the deal of the mail, score
SELECT define($wf$
CREATE FUNCTION e08_replied(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_message
    WHEN new.direction = 'in' AND new.deal_id IS NOT NULL
         AND EXISTS (SELECT FROM email_message o WHERE o.id = new.in_reply_to AND o.class = 'personal'
                     AND o.sent_from IN ('automation', 'deal') AND o.mailbox_id IS NOT NULL)
    FOR SELECT new.contact_id, new.deal_id;
  ENROLL AGAIN PER c, d;
BEGIN
  INSERT INTO activity (type, title, due_at, deal_id, contact_id, assignee_id)
  VALUES ('task', 'Answer ' || c.name, now() + interval '1 day', d.id, c.id, d.owner_id);
  UPDATE deal SET stage_id = stage('Sales', 'In discussion') WHERE id = d.id AND status = 'open';
  SELECT adjust_score(c, 15);
END $$;
$wf$);

-- tag added: series; end another automation
SELECT define($wf$
CREATE FUNCTION e09_tagged(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('customer') FOR SELECT new.contact_id;
BEGIN
  SELECT automation.unenroll('nurture', c);
  SEND email('customer 1', c);
  WAIT FOR '3 days';
  SEND email('customer 2', c);
END $$;
$wf$);

-- tag removed
SELECT define($wf$
CREATE FUNCTION e10_untagged(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF removed_at FROM NULL ON contact_tag WHEN new.tag_id = tag('vip') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT automation.unenroll('vip_series', c);
  SELECT adjust_score(c, -20);
  SEND email('we miss you', c);
END $$;
$wf$);

-- page visit, wildcards are LIKE
SELECT define($wf$
CREATE FUNCTION e11_visit(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON page_view
    WHEN new.url LIKE 'https://example.com/pricing/%' OR new.url LIKE 'https://example.com/%/test.php'
    FOR SELECT new.contact_id;
  ENROLL AGAIN AFTER '30 days';
BEGIN
  SELECT adjust_score(c, 3);
  SELECT add_tag(c, 'interest: pricing');
  WAIT FOR '2 hours';
  SEND email('questions about pricing?', c);
END $$;
$wf$);

-- called by other workflows only
SELECT define($wf$
CREATE FUNCTION e01_onboarding(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
BEGIN
  SEND email('onboarding 1', c);
  WAIT FOR '2 days';
  SEND email('onboarding 2', c);
END $$;
$wf$);

-- purchase: thanks, feedback, onboarding of a new customer; failed payments get no thanks
SELECT define($wf$
CREATE FUNCTION e12_purchase(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status ON sales_order WHEN new.status = 'completed' FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SEND email('thank you', c);
  IF (SELECT count(*) FROM sales_order o WHERE o.contact_id = c.id AND o.status = 'completed') = 1 THEN
    SELECT e01_onboarding(c);
  END IF;
  WAIT FOR '14 days';
  SEND email('how was it?', c);
END $$;
$wf$);

-- abandoned cart: 1 h of silence, a category, a value. AT is recomputed whenever the cart changes
SELECT define($wf$
CREATE FUNCTION e13_cart(k cart) RETURNS bigint LANGUAGE workflow AS $$
  AT k.updated_at + interval '1 hour'
    WHEN k.recovered_at IS NULL AND k.total >= 50 AND k.currency = 'EUR'
         AND EXISTS (SELECT FROM cart_line l JOIN product p ON p.id = l.product_id WHERE l.cart_id = k.id AND p.category_id = 7);
  EXIT WHEN k.recovered_at IS NOT NULL;
  EXIT WHEN EXISTS (SELECT FROM sales_order o WHERE o.cart_id = k.id);
BEGIN
  SEND email('your cart', p) FROM contact p WHERE p.id = k.contact_id;
  SELECT add_tag(p, 'abandoned cart') FROM contact p WHERE p.id = k.contact_id;
  WAIT FOR '1 day';
  SEND email('your cart, 10 % off', p) FROM contact p WHERE p.id = k.contact_id;
END $$;
$wf$);

-- order created: thanks by SMS or mail, cross-sell
SELECT define($wf$
CREATE FUNCTION e14_order(c contact, o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER o;
BEGIN
  IF c.phone IS NOT NULL THEN
    SEND sms(c.phone, 'Thank you for order ' || o.id);
  ELSE
    SEND email('thank you', c);
  END IF;
  WAIT FOR '10 days';
  SEND email('you may also like', c);
END $$;
$wf$);

-- order goes Completed -> Returned, or anything -> completed: FOR hands the body what started it
SELECT define($wf$
CREATE FUNCTION e15_order_updated(c contact, o sales_order, what text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'completed' TO 'returned' ON sales_order FOR SELECT new.contact_id, new.id, 'returned';
  AFTER UPDATE OF status TO 'completed' ON sales_order FOR SELECT new.contact_id, new.id, 'completed';
  ENROLL ONCE PER o, what;
BEGIN
  IF what = 'returned' THEN
    SEND email('sorry', c);
  ELSE
    WAIT FOR '3 days';
    SEND email('you may also like', c);
  END IF;
END $$;
$wf$);

-- contact field changes, from one value to one value
SELECT define($wf$
CREATE FUNCTION e16_field(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle FROM 'lead' TO 'customer';
BEGIN
  SELECT notify(c.owner_id, c.name || ' is a customer now');
  SELECT adjust_score(c, 50);
  SEND email('customer series 1', c);
END $$;
$wf$);

-- a goal of another workflow was reached
SELECT define($wf$
CREATE FUNCTION e17_goal(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.goal_reached
    WHEN new.workflow = 'f19_nurture' AND new.goal = 'bought' AND new.outcome = 'achieved'
    FOR SELECT new.subject::bigint;
BEGIN
  SELECT notify(c.owner_id, c.name || ' reached the goal');
  SELECT adjust_score(c, 20);
  SELECT e01_onboarding(c);
END $$;
$wf$);

-- RSS: fetch every 15 minutes; when at least n new items wait, mail a segment
SELECT define($wf$
CREATE FUNCTION e18_fetch(f rss_feed) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '*/15 * * * *' FOR SELECT id FROM rss_feed;
  ENROLL AGAIN;
DECLARE
  reply automation.delivery;
BEGIN
  SEND http_request('GET', f.url) INTO reply;
  INSERT INTO rss_item (feed_id, guid, title, link, published_at)
  SELECT f.id, i.guid, i.title, i.link, i.published_at FROM feed_items(reply.body) i
  ON CONFLICT DO NOTHING;
  IF (SELECT count(*) FROM rss_item i WHERE i.feed_id = f.id AND i.mailed_at IS NULL) >= f.min_new_items THEN
    SEND email('blog news', c) FROM contact c WHERE has_tag(c, 'blog');
    UPDATE rss_item SET mailed_at = now() WHERE feed_id = f.id AND mailed_at IS NULL;
  END IF;
END $$;
$wf$);

-- event reminders and follow-up around a date
SELECT define($wf$
CREATE FUNCTION e19_event(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF demo_at WHEN new.demo_at IS NOT NULL;
  ENROLL REPLACE;
BEGIN
  WAIT UNTIL c.demo_at - interval '7 days';
  SEND email('in one week', c);
  WAIT UNTIL c.demo_at - interval '1 day';
  SEND email('tomorrow', c);
  WAIT UNTIL c.demo_at + interval '1 day';
  SEND email('how was it?', c);
END $$;
$wf$);

-- score crosses 100: make a deal, tag, follow that deal
SELECT define($wf$
CREATE FUNCTION e20_ready(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score WHEN new.score > 100 AND old.score <= 100;
DECLARE
  deal_id bigint;
BEGIN
  INSERT INTO deal (title, status, stage_id, owner_id)
  VALUES (c.name, 'open', stage('Sales', 'New'), c.owner_id) RETURNING id INTO deal_id;
  INSERT INTO deal_contact (deal_id, contact_id, is_primary) VALUES (deal_id, c.id, true);
  SELECT add_tag(c, 'hot');
  WAIT UNTIL (SELECT d.status FROM deal d WHERE d.id = deal_id) <> 'open' TIMEOUT '30 days';
  IF NOT FOUND THEN
    SELECT notify(c.owner_id, 'deal of ' || c.name || ' is stuck');
  END IF;
END $$;
$wf$);

-- site message dismissed: tag, next message of the series
SELECT define($wf$
CREATE FUNCTION e21_dismissed(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON site_message_event WHEN new.kind = 'dismissed_initial' AND new.message_id = 1 FOR SELECT new.contact_id;
BEGIN
  SELECT add_tag(c, 'saw intro');
  SELECT show_site_message(c, 'intro 2');
END $$;
$wf$);

-- custom event
SELECT define($wf$
CREATE FUNCTION e22_event(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON tracked_event
    WHEN new.event_type_id = (SELECT id FROM event_type WHERE name = 'trial started') FOR SELECT new.contact_id;
BEGIN
  SEND email('trial', c);
  SELECT adjust_score(c, 20);
END $$;
$wf$);

-- conversion
SELECT define($wf$
CREATE FUNCTION e23_conversion(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON conversion_event WHEN new.type_id = 3 FOR SELECT new.contact_id;
BEGIN
  SELECT notify(c.owner_id, c.name || ' converted');
  SEND email('after conversion', c);
END $$;
$wf$);

-- recurring payment created
SELECT define($wf$
CREATE FUNCTION e24_subscription(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON recurring_payment WHEN new.provider = 'paypal' AND new.amount > 20 FOR SELECT new.contact_id;
BEGIN
  SEND email('welcome subscriber', c);
  WAIT FOR '7 days';
  SEND email('recommendations', c);
END $$;
$wf$);

-- recurring payment updated, as its own subject
SELECT define($wf$
CREATE FUNCTION e25_subscription_failed(c contact, r recurring_payment) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'active' TO 'failed' ON recurring_payment FOR SELECT new.contact_id, new.id;
  ENROLL AGAIN PER r;
  EXIT WHEN r.status = 'active';
BEGIN
  SEND email('payment failed', c);
  WAIT FOR '3 days';
  SEND email('last reminder', c);
END $$;
$wf$);

-- custom object created: urgent help ticket
SELECT define($wf$
CREATE FUNCTION e26_urgent(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.type = 'help ticket' AND new.urgency = 'high';
BEGIN
  SELECT notify(o.owner_id, 'urgent help ticket ' || o.id);
  SEND slack('#support', 'urgent help ticket ' || o.id);
END $$;
$wf$);

-- custom object updated: tell the owners of the deals of its contacts; remind all guests
SELECT define($wf$
CREATE FUNCTION e27_solved(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'solved' WHEN new.type = 'help ticket';
  ENROLL AGAIN;
BEGIN
  SELECT notify(d.owner_id, 'help ticket solved')
  FROM custom_object_link l JOIN deal_contact dc ON dc.contact_id = l.contact_id JOIN deal d ON d.id = dc.deal_id
  WHERE l.record_id = o.id;
  SEND email('solved', g) FROM custom_object_link l JOIN contact g ON g.id = l.contact_id WHERE l.record_id = o.id;
END $$;
$wf$);

-- account becomes a target account: mail its contacts in France; mark customers
SELECT define($wf$
CREATE FUNCTION e28_target(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF is_target FROM false TO true ON account WHEN new.industry = 'banking'
    FOR SELECT p.id FROM contact p JOIN account_contact ac ON ac.contact_id = p.id
         WHERE ac.account_id = new.id AND p.country = 'FR';
BEGIN
  SEND email('prospecting', c);
END $$;
$wf$);

-- a company's status reaches its contacts
SELECT define($wf$
CREATE FUNCTION e28_customer(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF customer_status TO 'customer';
BEGIN
  UPDATE contact SET status = 'current customer'
  WHERE id IN (SELECT contact_id FROM account_contact WHERE account_id = a.id);
  SELECT notify(a.owner_id, a.name || ' is a customer');
END $$;
$wf$);

-- deal moves Qualified -> Proposal: task for the account owner of the primary contact, mail to each contact
SELECT define($wf$
CREATE FUNCTION e29_proposal(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id WHEN old.stage_id = stage('Sales', 'Qualified') AND new.stage_id = stage('Sales', 'Proposal');
  ENROLL AGAIN;
  EXIT WHEN d.status = 'lost';
BEGIN
  INSERT INTO activity (type, title, deal_id, assignee_id, due_at, reminder_at)
  SELECT 'task', 'Send the proposal', d.id, a.owner_id, now() + interval '2 days', now() + interval '1 day'
  FROM deal_contact dc JOIN account_contact ac ON ac.contact_id = dc.contact_id AND ac.is_primary JOIN account a ON a.id = ac.account_id
  WHERE dc.deal_id = d.id AND dc.is_primary;
  SEND email('proposal', p) FROM contact p JOIN deal_contact dc ON dc.contact_id = p.id WHERE dc.deal_id = d.id;
END $$;
$wf$);

-- deal won: every contact of the deal, with the deal in hand and live
SELECT define($wf$
CREATE FUNCTION e30_won(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won' ON deal FOR SELECT dc.contact_id, dc.deal_id FROM deal_contact dc WHERE dc.deal_id = new.id;
  ENROLL ONCE PER c, d;
BEGIN
  SELECT add_tag(c, 'customer');
  SELECT add_note(c, 'won: ' || d.title);
  SEND webhook('https://help.example.com/accounts', jsonb_build_object('contact', to_jsonb(c), 'deal', to_jsonb(d)));
  WAIT FOR '30 days';
  SEND email('one month with us', c, sender => mailbox_of(d.owner_id));
END $$;
$wf$);

-- deal value changes (existing deals, one currency): note "from X to Y"
SELECT define($wf$
CREATE FUNCTION e31_value(d deal, before numeric) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF value WHEN new.currency = 'EUR' FOR SELECT new.id, old.value;
  ENROLL AGAIN;
BEGIN
  SELECT notify(d.owner_id, 'value changed: ' || d.title);
  SELECT add_note(d, 'value from ' || before || ' to ' || d.value);
  IF d.value > 100000 THEN
    UPDATE deal SET pipeline_id = pipeline('Enterprise'), stage_id = stage('Enterprise', 'New') WHERE id = d.id;
  END IF;
END $$;
$wf$);

-- deal owner changes
SELECT define($wf$
CREATE FUNCTION e32_owner(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF owner_id WHEN new.owner_id IS NOT NULL;
  ENROLL AGAIN;
BEGIN
  SELECT notify(d.owner_id, 'You own ' || d.title);
  INSERT INTO activity (type, title, deal_id, assignee_id, due_at) VALUES ('call', 'Introduce yourself', d.id, d.owner_id, now() + interval '1 day');
END $$;
$wf$);

-- deal enters a pipeline, by creation or by move
SELECT define($wf$
CREATE FUNCTION e33_pipeline(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF pipeline_id TO 2 ON deal
    FOR SELECT dc.contact_id FROM deal_contact dc WHERE dc.deal_id = new.id;
BEGIN
  SELECT automation.unenroll('f19_nurture', c);
  SEND email('shall we talk?', c);
END $$;
$wf$);

-- a field of a deal, told to its contacts
SELECT define($wf$
CREATE FUNCTION e34_close_date(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF expected_close_date ON deal WHEN new.value > 1000
    FOR SELECT dc.contact_id FROM deal_contact dc JOIN contact p ON p.id = dc.contact_id
         WHERE dc.deal_id = new.id AND p.email IS NOT NULL;
  ENROLL AGAIN;
BEGIN
  SEND email('new date', c);
END $$;
$wf$);

-- file downloaded
SELECT define($wf$
CREATE FUNCTION e35_download(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON file_download
    WHEN (SELECT a.file_name FROM email_attachment a WHERE a.id = new.attachment_id) = 'Proposal.doc'
    FOR SELECT new.contact_id;
BEGIN
  SELECT adjust_score(c, 10);
  INSERT INTO activity (type, title, contact_id, assignee_id) VALUES ('call', 'Has read the proposal', c.id, c.owner_id);
  SEND email('more about the product', c);
END $$;
$wf$);

-- task completed: points, next call, a row in a sheet
SELECT define($wf$
CREATE FUNCTION e36_done(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done' WHEN new.type = 'call';
BEGIN
  IF a.outcome = 'no answer' THEN
    INSERT INTO activity (type, title, contact_id, deal_id, assignee_id, due_at)
    VALUES ('call', a.title, a.contact_id, a.deal_id, a.assignee_id, now() + interval '1 day');
  ELSIF a.outcome = 'positive' THEN
    UPDATE contact SET score = score + 10 WHERE id = a.contact_id;
    SEND google_sheet_append('calls', to_jsonb(a));
  END IF;
END $$;
$wf$);

-- sentiment of a deal mail turns negative: the primary contact, with the deal
SELECT define($wf$
CREATE FUNCTION e37_sentiment(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF sentiment TO 'negative' ON email_message
    FOR SELECT dc.contact_id, dc.deal_id FROM deal_contact dc WHERE dc.deal_id = new.deal_id AND dc.is_primary;
  ENROLL AGAIN PER d;
BEGIN
  INSERT INTO activity (type, title, deal_id, assignee_id) VALUES ('task', 'Unhappy customer', d.id, d.owner_id);
  SELECT add_note(d, 'negative mail');
  SEND email('can we help?', c);
END $$;
$wf$);

-- an outside meeting: reminders, deal; once per contact is the default
SELECT define($wf$
CREATE FUNCTION e38_meeting(c contact, m external_meeting) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON external_meeting WHEN new.type = 'demo' FOR SELECT new.contact_id, new.id;
  EXIT WHEN m.cancelled_at IS NOT NULL;
BEGIN
  INSERT INTO deal (title, status, stage_id) VALUES ('Demo ' || c.name, 'open', stage('Sales', 'Demo'));
  WAIT UNTIL m.scheduled_at - interval '1 day';
  SEND email('demo tomorrow', c);
END $$;
$wf$);

-- new order: webhook makes a help-desk account, its answer is used
SELECT define($wf$
CREATE FUNCTION e39_helpdesk(o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  reply automation.delivery;
BEGIN
  SEND webhook('https://help.example.com/accounts', to_jsonb(o)) INTO reply;
  IF FOUND THEN
    UPDATE contact SET custom = custom || jsonb_build_object('helpdesk', reply.body::jsonb->>'id') WHERE id = o.contact_id;
  ELSE
    SELECT notify_team('Support', 'no help-desk account for order ' || o.id || ': ' || reply.error);
  END IF;
END $$;
$wf$);

-- order placed: from prospects to customers
SELECT define($wf$
CREATE FUNCTION e40_lists(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order FOR SELECT new.contact_id;
BEGIN
  SELECT unsubscribe(c, 'Prospects');
  SELECT subscribe(c, 'Customers');
END $$;
$wf$);

-- social share: promoter
SELECT define($wf$
CREATE FUNCTION e41_promoter(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN new.kind = 'share' FOR SELECT new.contact_id;
BEGIN
  UPDATE contact SET status = 'Promoter' WHERE id = c.id;
END $$;
$wf$);

-- associated contact buys: deals won
SELECT define($wf$
CREATE FUNCTION e42_won(o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status WHEN new.status = 'completed';
BEGIN
  UPDATE deal SET status = 'won'
  WHERE status = 'open' AND id IN (SELECT deal_id FROM deal_contact WHERE contact_id = o.contact_id);
END $$;
$wf$);

-- deal qualified: to a senior
SELECT define($wf$
CREATE FUNCTION e43_senior(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id WHEN new.stage_id = stage('Sales', 'Qualified') AND new.value > 50000;
BEGIN
  UPDATE deal SET owner_id = rotate('Senior sales') WHERE id = d.id;
END $$;
$wf$);

-- a form tells the lead's owner, or a manager
SELECT define($wf$
CREATE FUNCTION e44_form(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission WHEN new.form_id = form('Demo') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  IF c.owner_id IS NULL THEN
    SELECT notify_team('Managers', 'demo form of an unowned lead: ' || c.name);
  ELSE
    SELECT notify(c.owner_id, 'demo form: ' || c.name);
  END IF;
END $$;
$wf$);

-- reads the help pages
SELECT define($wf$
CREATE FUNCTION e44_help(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON page_view WHEN new.url LIKE '%/help/%' FOR SELECT new.contact_id;
  ENROLL AGAIN AFTER '1 day';
BEGIN
  SELECT notify_team('Support', c.name || ' reads the help pages');
END $$;
$wf$);

-- promotion mails on Tuesdays at 11:00
SELECT define($wf$
CREATE FUNCTION e45_promo(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
  ENROLL AGAIN;
BEGIN
  WAIT UNTIL next_time('Tuesday', '11:00');
  SEND email('promotion 1', c);
  WAIT UNTIL next_time('Tuesday', '11:00');
  SEND email('promotion 2', c);
END $$;
$wf$);

-- company industry
SELECT define($wf$
CREATE FUNCTION e46_industry(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF industry;
  ENROLL AGAIN;
BEGIN
  IF a.industry = 'Accounting' THEN
    UPDATE account SET is_accounting = 'YES' WHERE id = a.id;
  ELSE
    UPDATE account SET is_accounting = 'NO' WHERE id = a.id;
  END IF;
END $$;
$wf$);

-- a contact's field reaches its deals
SELECT define($wf$
CREATE FUNCTION e47_to_deals(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF country;
  ENROLL AGAIN;
BEGIN
  UPDATE deal SET custom = custom || jsonb_build_object('country', c.country)
  WHERE id IN (SELECT deal_id FROM deal_contact WHERE contact_id = c.id);
END $$;
$wf$);

-- a company's field reaches the deals of its contacts
SELECT define($wf$
CREATE FUNCTION e47_phone(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF phone;
  ENROLL AGAIN;
BEGIN
  UPDATE deal SET custom = custom || jsonb_build_object('company phone', a.phone)
  WHERE id IN (SELECT dc.deal_id FROM deal_contact dc JOIN account_contact ac USING (contact_id) WHERE ac.account_id = a.id);
END $$;
$wf$);

-- a deal's end clears a field of its contacts
SELECT define($wf$
CREATE FUNCTION e47_clear(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'lost';
BEGIN
  UPDATE contact SET lead_status = NULL WHERE id IN (SELECT contact_id FROM deal_contact WHERE deal_id = d.id);
END $$;
$wf$);

-- counts the orders of a company
SELECT define($wf$
CREATE FUNCTION e47_count(o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  UPDATE account SET order_count = order_count + 1
  WHERE id IN (SELECT account_id FROM account_contact WHERE contact_id = o.contact_id);
END $$;
$wf$);

-- user mails from a ticket: Waiting on customer, per pipeline setting
SELECT define($wf$
CREATE FUNCTION e48_waiting(t ticket) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_message WHEN new.direction = 'out' AND new.sent_from = 'ticket' AND NOT new.is_forward FOR SELECT new.ticket_id;
  ENROLL AGAIN;
BEGIN
  UPDATE ticket SET status_id = s.on_sent_status_id
  FROM ticket_pipeline_setting s WHERE s.pipeline_id = ticket.pipeline_id AND s.on_sent_enabled AND ticket.id = t.id;
END $$;
$wf$);

-- deal created by me: activity; next one when the first is done (one workflow instead of a chain)
SELECT define($wf$
CREATE FUNCTION e49_sequence(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.creator_id = 42 AND new.source <> 'import';
DECLARE
  first_call bigint;
BEGIN
  INSERT INTO activity (type, title, deal_id, assignee_id, status)
  VALUES ('call', 'First call', d.id, d.owner_id, 'open') RETURNING id INTO first_call;
  WAIT UNTIL (SELECT a.status FROM activity a WHERE a.id = first_call) = 'done';
  INSERT INTO activity (type, title, deal_id, assignee_id, status) VALUES ('mail', 'Send the summary', d.id, d.owner_id, 'open');
END $$;
$wf$);

-- API call makes a deal: label
SELECT define($wf$
CREATE FUNCTION e50_label(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.source = 'api';
BEGIN
  INSERT INTO deal_label (deal_id, label_id) VALUES (d.id, label('API')) ON CONFLICT DO NOTHING;
END $$;
$wf$);

-- one of several lists
SELECT define($wf$
CREATE FUNCTION t04_lists(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status ON list_subscription
    WHEN new.status = 'active' AND new.list_id IN (list('News'), list('Offers')) FOR SELECT new.contact_id;
BEGIN
  SEND email('welcome', c);
END $$;
$wf$);

-- tag removed and re-added starts again; an import counts
SELECT define($wf$
CREATE FUNCTION t15_again(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('webinar') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SEND email('webinar', c);
END $$;
$wf$);

-- tag from a double opt-in form waits for the confirmation
SELECT define($wf$
CREATE FUNCTION s15_confirmed(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('webinar') FOR SELECT new.contact_id;
BEGIN
  IF EXISTS (SELECT FROM form_submission f JOIN form ON form.id = f.form_id WHERE f.contact_id = c.id AND form.double_opt_in AND f.confirmed_at IS NULL) THEN
    WAIT UNTIL EXISTS (SELECT FROM form_submission f WHERE f.contact_id = c.id AND f.confirmed_at IS NOT NULL) TIMEOUT '30 days';
    IF NOT FOUND THEN EXIT; END IF;
  END IF;
  SEND email('webinar', c);
END $$;
$wf$);

-- opens a transactional mail: Postmark server, stream, tag, subject
SELECT define($wf$
CREATE FUNCTION t23_postmark(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event
    WHEN new.kind = 'open' AND NOT new.is_machine_open
          AND EXISTS (SELECT FROM email_message m WHERE m.id = new.message_id AND m.class = 'transactional'
                      AND (m.provider_server, m.provider_stream) = ('main', 'outbound')
                      AND m.provider_tag = 'invoice' AND m.subject ILIKE '%invoice%')
    FOR SELECT new.contact_id;
BEGIN
  SELECT add_tag(c, 'read the invoice');
END $$;
$wf$);

-- click in a personal mail, except the kinds that never fire
SELECT define($wf$
CREATE FUNCTION t41_click(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event
    WHEN new.kind = 'click' AND EXISTS (SELECT FROM email_message m WHERE m.id = new.message_id AND m.class = 'personal'
          AND (m.sent_from = 'automation' OR m.sent_from = 'deal') AND m.mailbox_id IS NOT NULL)
    FOR SELECT new.contact_id;
BEGIN
  SELECT notify(c.owner_id, c.name || ' clicked');
END $$;
$wf$);

-- called for each contact of a deal
SELECT define($wf$
CREATE FUNCTION t86_mail(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN PER c, d;
BEGIN
  SEND email('closing soon', c, vars => to_jsonb(d));
  WAIT FOR '2 days';
  SEND email('closing tomorrow', c, vars => to_jsonb(d));
END $$;
$wf$);

-- 3 days before a deal's date, every contact of the deal: AT knows only the subject, so two workflows
SELECT define($wf$
CREATE FUNCTION t86_deal_date(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AT d.expected_close_date - 3 WHEN d.status = 'open';
  ENROLL AGAIN;
BEGIN
  SELECT t86_mail(p, d) FROM contact p JOIN deal_contact dc ON dc.contact_id = p.id WHERE dc.deal_id = d.id;
END $$;
$wf$);

-- score crosses a level: AFTER is a change, the edge is written with old
SELECT define($wf$
CREATE FUNCTION t88_crossed(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF score WHEN new.score > 50 AND coalesce(old.score, 0) <= 50;
  ENROLL AGAIN;
BEGIN
  SELECT notify(c.owner_id, c.name || ' is hot');
END $$;
$wf$);

-- deal score below a level: all contacts of the deal
SELECT define($wf$
CREATE FUNCTION t91_deal_score(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score ON deal WHEN new.score < 10 AND old.score >= 10
    FOR SELECT dc.contact_id, dc.deal_id FROM deal_contact dc WHERE dc.deal_id = new.id;
  ENROLL AGAIN PER c, d;
BEGIN
  SEND email('still interested?', c, vars => to_jsonb(d));
END $$;
$wf$);

-- purchase of a given product: once per order, however many lines
SELECT define($wf$
CREATE FUNCTION t94_product(c contact, o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON order_line WHEN new.product_id = 12 FOR SELECT o.contact_id, o.id FROM sales_order o WHERE o.id = new.order_id;
  ENROLL ONCE PER o;
BEGIN
  SEND email('how to use product 12', c);
END $$;
$wf$);

-- cart abandoned after 1 h of silence, with REPLACE per cart
SELECT define($wf$
CREATE FUNCTION t98_cart(c contact, k cart) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF updated_at ON cart FOR SELECT new.contact_id, new.id;
  ENROLL REPLACE PER k;
  EXIT WHEN k.recovered_at IS NOT NULL;
BEGIN
  WAIT FOR '1 hour';
  SEND email('your cart', c, vars => to_jsonb(k));
END $$;
$wf$);

-- leaves stage X for any other
SELECT define($wf$
CREATE FUNCTION t121_left_stage(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id FROM 7 WHEN new.pipeline_id = 2;
  ENROLL AGAIN;
BEGIN
  SELECT notify(d.owner_id, 'moved on: ' || d.title);
END $$;
$wf$);

-- completed task, conditions on title and relation
SELECT define($wf$
CREATE FUNCTION t140_task(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done' WHEN new.deal_id IS NOT NULL AND new.title ILIKE 'demo%';
BEGIN
  UPDATE deal SET stage_id = stage('Sales', 'Demo done') WHERE id = a.deal_id;
END $$;
$wf$);

-- "whoever matches" is spelled as the list of events that can make it true
SELECT define($wf$
CREATE FUNCTION t151_criteria(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF country, lifecycle WHEN new.country = 'FR' AND new.lifecycle = 'lead' AND has_tag(new, 'webinar');
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('webinar')
    FOR SELECT p.id FROM contact p WHERE p.id = new.contact_id AND p.country = 'FR' AND p.lifecycle = 'lead';
BEGIN
  SEND email('bonjour', c);
END $$;
$wf$);

-- centred on a date property; a step whose moment is past is skipped
SELECT define($wf$
CREATE FUNCTION t154_centred(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF renewal_date WHEN new.renewal_date IS NOT NULL;
  ENROLL REPLACE;
BEGIN
  IF now() < c.renewal_date - interval '30 days' THEN
    WAIT UNTIL c.renewal_date - interval '30 days';
    SEND email('renewal in 30 days', c);
  END IF;
  IF now() < c.renewal_date - interval '7 days' THEN
    WAIT UNTIL c.renewal_date - interval '7 days';
    SEND email('renewal in 7 days', c);
  END IF;
END $$;
$wf$);

-- per-stage actions of a pipeline, as one workflow that waits for the next stage
SELECT define($wf$
CREATE FUNCTION t155_stages(p project) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF stage_id;
  ENROLL REPLACE;
BEGIN
  IF p.stage_id = stage('Projects', 'Kick-off') THEN
    INSERT INTO activity (type, title, project_id, assignee_id) VALUES ('task', 'Plan', p.id, p.owner_id);
  ELSIF p.stage_id = stage('Projects', 'Delivery') THEN
    SELECT notify(p.owner_id, 'delivery starts: ' || p.name);
    WAIT FOR '14 days';
    SELECT notify(p.owner_id, 'two weeks in delivery: ' || p.name);
  END IF;
END $$;
$wf$);

-- ticket: the client replies. All exceptions are SQL
SELECT define($wf$
CREATE FUNCTION t160_reply(t ticket) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_message
    WHEN new.direction = 'in' AND new.in_reply_to IS NOT NULL AND NOT new.is_forward AND new.sent_via IS DISTINCT FROM 'personal_mailbox'
          AND NOT EXISTS (SELECT FROM email_message o WHERE o.id = new.in_reply_to AND o.is_forward)
    FOR SELECT h.ticket_id FROM conversation_thread h JOIN ticket k ON k.id = h.ticket_id
         WHERE h.id = new.thread_id AND (h.is_creating_thread OR k.closed_at IS NOT NULL OR h.created_at > k.reopened_at);
  ENROLL AGAIN;
BEGIN
  IF t.closed_at IS NOT NULL THEN
    UPDATE ticket SET status_id = first_open_status(t.pipeline_id), closed_at = NULL, reopened_at = now() WHERE id = t.id;
  ELSE
    UPDATE ticket SET status_id = s.on_reply_status_id
    FROM ticket_pipeline_setting s WHERE s.pipeline_id = ticket.pipeline_id AND s.on_reply_enabled AND ticket.id = t.id;
  END IF;
END $$;
$wf$);

-- passive condition: tested, never starts
SELECT define($wf$
CREATE FUNCTION s06_passive(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id WHEN new.email_count > 5;
BEGIN
  SELECT add_note(d, 'many mails already');
END $$;
$wf$);

-- A/B test of one mail: the arm is a variable
SELECT define($wf$
CREATE FUNCTION a02_ab_mail(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  style text;
BEGIN
  SPLIT style INTO short, long;
  SEND email('welcome, ' || style, c);
END $$;
$wf$);

-- second mail in the thread of the first; wait for a reply to this mail
SELECT define($wf$
CREATE FUNCTION a05_thread(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
DECLARE
  mail automation.delivery;
BEGIN
  SEND email('hello', c) INTO mail;
  WAIT UNTIL EXISTS (SELECT FROM email_event e JOIN email_message m ON m.id = e.message_id
                     WHERE m.delivery_id = mail.id AND e.kind = 'reply') TIMEOUT '5 days';
  IF NOT FOUND THEN
    SEND email('did you see my mail?', c, thread => mail.id);
  END IF;
END $$;
$wf$);

-- internal SMS: stay until sent or failed, 72 h at most
SELECT define($wf$
CREATE FUNCTION a31_sms(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
DECLARE
  answer automation.delivery;
BEGIN
  SEND sms(u.phone, c.name || ' is a customer') FROM app_user u WHERE u.id = c.owner_id INTO answer TIMEOUT '72 hours';
  IF NOT FOUND THEN
    SELECT add_note(c, 'internal SMS not sent: ' || coalesce(answer.error, 'no status within 72 hours'));
  END IF;
  SEND email('welcome customer', c);
END $$;
$wf$);

-- mail to the contacts associated with the enrolled company, at most 100
SELECT define($wf$
CREATE FUNCTION a15_company_mail(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF customer_status TO 'customer';
BEGIN
  SEND email('welcome, all of you', p) FROM contact p JOIN account_contact ac ON ac.contact_id = p.id
    WHERE ac.account_id = a.id ORDER BY p.id LIMIT 100;
END $$;
$wf$);

-- internal mail to a user, a team, the owner
SELECT define($wf$
CREATE FUNCTION a25_internal(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SELECT notify(d.owner_id, 'won: ' || d.title);
  SELECT notify_team('Sales', 'won: ' || d.title);
END $$;
$wf$);

-- rotation among the main members of a team, owned records kept
SELECT define($wf$
CREATE FUNCTION a88_rotate(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.owner_id IS NULL;
BEGIN
  UPDATE contact SET owner_id = rotate('Sales') WHERE id = c.id;
  SELECT notify(c.owner_id, 'new lead: ' || c.name);
END $$;
$wf$);

-- reminder at the rotting date
SELECT define($wf$
CREATE FUNCTION a120_rotten(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF stage_id;
  ENROLL AGAIN;
BEGIN
  INSERT INTO activity (type, title, deal_id, assignee_id, due_at)
  SELECT 'task', 'Going stale', d.id, d.owner_id, now() + s.rotting_days * interval '1 day' FROM pipeline_stage s WHERE s.id = d.stage_id;
END $$;
$wf$);

-- wait until 2 days before a date field, at 09:00 in the contact's zone; moved when the date moves
SELECT define($wf$
CREATE FUNCTION f02_date_field(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  TIME ZONE c.time_zone;
BEGIN
  WAIT UNTIL c.renewal_date - 2 + time '09:00';
  SEND email('renewal', c);
END $$;
$wf$);

-- conditional wait without a limit: for ever
SELECT define($wf$
CREATE FUNCTION f07_wait(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL c.phone IS NOT NULL;
  INSERT INTO activity (type, title, contact_id, assignee_id) VALUES ('call', 'Call', c.id, c.owner_id);
END $$;
$wf$);

-- business hours bind SEND, nothing else
SELECT define($wf$
CREATE FUNCTION f12_during(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  SEND DURING 'Mon-Fri 09:00-17:00';
  TIME ZONE c.time_zone;
BEGIN
  INSERT INTO activity (type, title, contact_id) VALUES ('task', 'look at it', c.id);
  SEND email('hello', c);
END $$;
$wf$);

-- delay until an event: a page view from now on
SELECT define($wf$
CREATE FUNCTION f13_event(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission WHEN new.form_id = form('Trial') FOR SELECT new.contact_id;
BEGIN
  WAIT FOR INSERT ON page_view WHEN new.contact_id = c.id AND new.url = 'https://example.com/pricing' TIMEOUT '14 days';
  IF FOUND THEN
    SELECT notify(c.owner_id, c.name || ' looks at the prices');
  END IF;
END $$;
$wf$);

-- go-to with a cap: the 4th time it falls through
SELECT define($wf$
CREATE FUNCTION f17_loop(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  <<again>>
  SEND email('are you there?', c);
  WAIT UNTIL c.lifecycle = 'customer' TIMEOUT '7 days';
  IF NOT FOUND THEN
    GO TO again AT MOST 3 TIMES;
    SELECT notify(c.owner_id, 'gave up on ' || c.name);
  END IF;
END $$;
$wf$);

-- joins if/then branches, pointing into another branch
SELECT define($wf$
CREATE FUNCTION f18_join(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  IF c.country = 'FR' THEN
    SEND email('bonjour', c);
    GO TO offer;
  ELSE
    SEND email('hello', c);
    <<offer>>
    WAIT FOR '1 day';
    SEND email('offer', c);
  END IF;
END $$;
$wf$);

-- goal: pulled from any statement above; at entry too; OTHERWISE CONTINUE is the default
SELECT define($wf$
CREATE FUNCTION f19_nurture(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  SEND email('nurture 1', c);
  WAIT FOR '7 days';
  SEND email('nurture 2', c);
  WAIT FOR '7 days';
  GOAL bought WHEN EXISTS (SELECT FROM sales_order o WHERE o.contact_id = c.id AND o.placed_at > entered_at()) OTHERWISE EXIT;
  SEND email('thank you', c);
END $$;
$wf$);

-- workflow goal: the last statement
SELECT define($wf$
CREATE FUNCTION f19_workflow_goal(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  SEND email('one', c);
  WAIT FOR '7 days';
  SEND email('two', c);
  GOAL customer WHEN c.lifecycle = 'customer';
END $$;
$wf$);

-- even split over three paths
SELECT define($wf$
CREATE FUNCTION f23_even(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  path text;
BEGIN
  SPLIT path INTO a, b, z;
  IF path = 'a' THEN
    SEND email('a', c);
  ELSIF path = 'b' THEN
    SEND email('b', c);
    WAIT FOR '2 days';
    SEND email('b again', c);
  END IF;
END $$;
$wf$);

-- A/B test with a winner: the rule is a call, its metric is a GOAL
SELECT define($wf$
CREATE FUNCTION f24_winner(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  offer text;
BEGIN
  SPLIT offer INTO discount 50%, gift 50%;
  SEND email('offer: ' || offer, c);
  WAIT FOR '14 days';
  GOAL bought WHEN EXISTS (SELECT FROM sales_order o WHERE o.contact_id = c.id AND o.placed_at > entered_at());
END $$;
$wf$);

-- conditional split: one path until a condition holds, then the other: that is an IF
SELECT define($wf$
CREATE FUNCTION f25_conditional(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  IF (SELECT count(*) FROM contact_tag t WHERE t.tag_id = tag('early bird')) < 100 THEN
    SELECT add_tag(c, 'early bird');
    SEND email('early bird price', c);
  ELSE
    SEND email('normal price', c);
  END IF;
END $$;
$wf$);

-- sub-workflow with a parameter
SELECT define($wf$
CREATE FUNCTION f27_onboard(c contact, days int DEFAULT 7) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SEND email('onboarding 1', c);
  WAIT FOR days * interval '1 day';
  SEND email('onboarding 2', c);
END $$;
$wf$);

-- a call starts it and goes on; waiting for its end is said
SELECT define($wf$
CREATE FUNCTION f27_parent(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
DECLARE
  child bigint;
BEGIN
  SELECT f27_onboard(p, 3) INTO child FROM contact p JOIN deal_contact dc ON dc.contact_id = p.id WHERE dc.deal_id = d.id AND dc.is_primary;
  WAIT UNTIL automation.finished(child) TIMEOUT '60 days';
  SELECT notify(d.owner_id, 'onboarding over: ' || d.title);
END $$;
$wf$);

-- end one other, or all others
SELECT define($wf$
CREATE FUNCTION f28_stop(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF unsubscribed FROM false TO true;
BEGIN
  SELECT automation.unenroll('f19_nurture', c);
  SELECT automation.unenroll_others(c);
END $$;
$wf$);

-- already enrolled there: on to the next step
SELECT define($wf$
CREATE FUNCTION f33_enrolled(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SELECT e01_onboarding(c);
  SELECT add_note(c, 'sent to onboarding');
END $$;
$wf$);

-- runs once per order
SELECT define($wf$
CREATE FUNCTION s10_many(c contact, o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER o;
  EXIT WHEN o.status = 'returned';
BEGIN
  WAIT FOR '10 days';
  SEND email('rate your order', c, vars => to_jsonb(o));
END $$;
$wf$);

-- imports do not fire
SELECT define($wf$
CREATE FUNCTION s03_no_import(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.source IS DISTINCT FROM 'import' AND NOT is_test_address(new.email);
BEGIN
  SEND email('welcome', c);
END $$;
$wf$);

-- a user is deactivated: their deals go to others
SELECT define($wf$
CREATE FUNCTION s77_deactivated(u app_user) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF is_active FROM true TO false;
  ENROLL AGAIN;
BEGIN
  UPDATE deal SET owner_id = rotate('Sales') WHERE owner_id = u.id AND status = 'open';
  SELECT notify_team('Managers', u.name || ' left, deals handed over');
END $$;
$wf$);

-- multi-contact trigger narrowed to the primary contact
SELECT define($wf$
CREATE FUNCTION s34_primary(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'lost' ON deal
    FOR SELECT dc.contact_id FROM deal_contact dc WHERE dc.deal_id = new.id AND dc.is_primary;
  ENROLL AGAIN;
BEGIN
  WAIT FOR '90 days';
  SEND email('another try', c);
END $$;
$wf$);

-- approval with a time limit
SELECT define($wf$
CREATE FUNCTION x01_approval(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF value WHEN new.value > 100000;
  ENROLL AGAIN;
DECLARE
  request bigint;
  answer text;
BEGIN
  INSERT INTO approval (deal_id, asked_of) VALUES (d.id, 7) RETURNING id INTO request;
  SELECT notify(7, 'please approve ' || d.title);
  WAIT UNTIL (SELECT a.status FROM approval a WHERE a.id = request) <> 'pending' TIMEOUT '3 days';
  answer := (SELECT a.status FROM approval a WHERE a.id = request);
  IF answer = 'approved' THEN
    UPDATE deal SET stage_id = stage('Sales', 'Contract') WHERE id = d.id;
  ELSIF answer = 'pending' THEN
    SELECT notify(1, 'approval overdue: ' || d.title);
  END IF;
END $$;
$wf$);

-- birthday: the timer is armed again after it fired
SELECT define($wf$
CREATE FUNCTION x02_birthday(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AT next_anniversary(c.birthday) + interval '9 hours' WHEN NOT c.unsubscribed;
  ENROLL AGAIN;
BEGIN
  SEND email('happy birthday', c);
END $$;
$wf$);

-- weekly digest: EVERY demands an ENROLL clause
SELECT define($wf$
CREATE FUNCTION x03_digest(c contact) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 9 * * 1' FOR SELECT id FROM contact WHERE lifecycle = 'customer';
  ENROLL AGAIN;
BEGIN
  SEND email('digest', c);
END $$;
$wf$);

-- EXIT WHEN alone: nobody for whom it holds is inside
SELECT define($wf$
CREATE FUNCTION x04_suppress(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  EXIT WHEN c.email LIKE '%@competitor.example';
  EXIT WHEN c.unsubscribed;
BEGIN
  SEND email('hello', c);
END $$;
$wf$);

-- CASE..END, EXTRACT(.. FROM ..), SUBSTRING(.. FROM .. FOR ..), IS DISTINCT FROM, AT TIME ZONE, ON CONFLICT, interval fields
SELECT define($wf$
CREATE FUNCTION x05_sql(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF phone WHEN new.phone IS DISTINCT FROM old.phone AND SUBSTRING(new.phone FROM 1 FOR 3) = '+33';
  AT (c.demo_at AT TIME ZONE 'Europe/Paris')::date + time '08:00' WHEN CASE WHEN c.score > 5 THEN true ELSE false END;
BEGIN
  IF CASE WHEN EXTRACT(dow FROM now()) IN (0, 6) THEN true ELSE false END THEN
    WAIT UNTIL next_time('Monday', '09:00');
  ELSIF c.score IS DISTINCT FROM 3 AND now() AT TIME ZONE 'UTC' > '2026-01-01' THEN
    WAIT FOR interval '1' DAY;
  END IF;
  INSERT INTO deal_label (deal_id, label_id) SELECT dc.deal_id, label('phone') FROM deal_contact dc WHERE dc.contact_id = c.id
  ON CONFLICT (deal_id, label_id) DO UPDATE SET label_id = excluded.label_id;
  WAIT UNTIL CASE WHEN c.score > 5 THEN c.demo_at ELSE c.demo_at + interval '1 day' END TIMEOUT '10 days';
END $$;
$wf$);

-- a row is deleted: it can't be the subject, FOR says who is
SELECT define($wf$
CREATE FUNCTION x06_deleted(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER DELETE ON list_subscription WHEN old.status = 'active' FOR SELECT old.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT add_note(c, 'membership deleted');
END $$;
$wf$);

-- once per company, not per contact (NOTICE at definition: no row in the key)
SELECT define($wf$
CREATE FUNCTION x07_once_per_account(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  ENROLL ONCE PER c.company_name;
BEGIN
  SELECT notify_team('Sales', 'first contact of ' || c.company_name);
END $$;
$wf$);

-- FOUND is plpgsql's
SELECT define($wf$
CREATE FUNCTION x08_found(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  UPDATE deal SET status = 'won' WHERE status = 'open' AND id IN (SELECT deal_id FROM deal_contact WHERE contact_id = c.id);
  IF NOT FOUND THEN
    INSERT INTO deal (title, status) VALUES (c.name, 'won');
  END IF;
END $$;
$wf$);

-- two variables
SELECT define($wf$
CREATE FUNCTION x09_declare(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  n int := 0;
  who text;
BEGIN
  <<again>>
  n := n + 1;
  who := (SELECT u.name FROM app_user u WHERE u.id = c.owner_id);
  INSERT INTO note (body, contact_id) VALUES ('round ' || n || ' for ' || coalesce(who, 'nobody'), c.id);
  WAIT FOR '1 day';
  IF n < 5 THEN
    GO TO again;
  END IF;
END $$;
$wf$);

SELECT code, count(*) FROM defined GROUP BY code ORDER BY code;
SELECT workflow FROM defined WHERE code <> 'ok';

RESET search_path;
RESET SESSION AUTHORIZATION;
DROP SERVER corpus;

-- what some of them have to do at once is not left to the tests that follow
\c - app
CALL automation.run();
