-- 17  A goal is reached
--
-- A series wants people to buy. Whoever does is pulled out of it at once, and a second workflow starts from the goal: it tells who looks
-- after the contact, gives points, and begins the series for customers. Who comes to the end without having bought starts nothing.
--
-- Needs: a mail server (automation.mail_server); orders in sales_order.

INSERT INTO automation.template (name, about, subject, body) VALUES
('offer: one', 'contact', 'An offer',
'Until the end of the month: https://example.com/offer

{{ postal_address }}
No more offers: {{ unsubscribe_url }}'),
('offer: two', 'contact', 'The last week',
'Until Sunday: https://example.com/offer

{{ postal_address }}
No more offers: {{ unsubscribe_url }}')
ON CONFLICT DO NOTHING;
INSERT INTO automation.template (name, about, class, subject, body) VALUES
('bought: one', 'contact', 'transactional', 'A good choice',
'How to begin: https://example.com/begin'),
('bought: two', 'contact', 'transactional', 'A week later',
'Questions? Just answer this mail.')
ON CONFLICT DO NOTHING;

CREATE FUNCTION offer_series(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
  EXIT WHEN c.unsubscribed;
BEGIN
  SEND email('offer: one', c);
  WAIT FOR '14 days';
  SEND email('offer: two', c);
  WAIT FOR '14 days';
  GOAL bought WHEN EXISTS (SELECT FROM sales_order o
                           WHERE o.contact_id = c.id AND o.status = 'completed' AND o.placed_at > entered_at());
END $$;

CREATE FUNCTION bought_series(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
BEGIN
  SEND email('bought: one', c);
  WAIT FOR '7 days';
  SEND email('bought: two', c);
END $$;

CREATE FUNCTION offer_accepted(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.goal_reached
    WHEN new.workflow = 'offer_series' AND new.goal = 'bought' AND new.outcome = 'achieved'
    FOR SELECT new.subject::bigint;
BEGIN
  SELECT notify(c.owner_id, name_of(c) || ' has bought');
  SELECT adjust_score(c, 20);
  SELECT bought_series(c);
END $$;
