-- 12  A purchase
--
-- An order is paid: a mail to say thank you, an onboarding series if it is the first one, and two weeks later the question how it was.
-- Payments that fail get no thanks; one that succeeds later does.
--
-- Needs: a mail server (automation.mail_server); orders in sales_order.

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('purchase: thank you', 'contact', 'transactional', 'Thank you for your order',
'Dear {{ contact.first_name | default: "customer" }},

your order {{ order.id }} is on its way.'),
('purchase: how was it', 'contact', 'transactional', 'How was it?',
'Two weeks ago you ordered from us (order {{ order.id }}). Are you content? Just answer this mail.'),
('new customer: one', 'contact', 'transactional', 'You are new here',
'Where to find what: https://example.com/first-order'),
('new customer: two', 'contact', 'transactional', 'If something does not fit',
'How to send it back: https://example.com/returns')
ON CONFLICT DO NOTHING;

CREATE FUNCTION new_customer_series(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
BEGIN
  WAIT FOR '1 day';
  SEND email('new customer: one', c);
  WAIT FOR '3 days';
  SEND email('new customer: two', c);
END $$;

CREATE FUNCTION purchase(c contact, o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status ON sales_order WHEN new.status = 'completed' FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER o;
BEGIN
  SEND email('purchase: thank you', c, vars => jsonb_build_object('order', to_jsonb(o)));
  IF (SELECT count(*) FROM sales_order p WHERE p.contact_id = c.id AND p.status = 'completed') = 1 THEN
    SELECT new_customer_series(c);
  END IF;
  WAIT FOR '14 days';
  SEND email('purchase: how was it', c, vars => jsonb_build_object('order', to_jsonb(o)));
END $$;
