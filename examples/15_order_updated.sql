-- 15  An order goes from one status to another
--
-- Completed becomes returned: we are sorry. The payment failed: by text message or mail, how to finish the purchase, and once more after a
-- day if nothing happened. Something becomes completed: three days later what goes with it.
--
-- Needs: a mail server (automation.mail_server); the server twilio; orders in sales_order.

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('order: returned', 'contact', 'transactional', 'Your return of order {{ order.id }}',
'We have it back, and are sorry that it was not right.'),
('order: unpaid', 'contact', 'transactional', 'Your order {{ order.id }} is not paid yet',
'The payment did not go through. Here you can try again: https://example.com/pay/{{ order.id }}')
ON CONFLICT DO NOTHING;
INSERT INTO automation.template (name, about, subject, body) VALUES
('order: goes with it', 'contact', 'What goes with your order',
'Others took this, too: https://example.com/goes-with

{{ postal_address }}
No more offers: {{ unsubscribe_url }}')
ON CONFLICT DO NOTHING;

CREATE FUNCTION order_returned(c contact, o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'completed' TO 'returned' ON sales_order FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER o;
BEGIN
  SEND email('order: returned', c, vars => jsonb_build_object('order', to_jsonb(o)));
END $$;

CREATE FUNCTION order_unpaid(c contact, o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status TO 'failed' ON sales_order FOR SELECT new.contact_id, new.id;
  ENROLL AGAIN PER o;
  EXIT WHEN o.status <> 'failed';
BEGIN
  IF c.phone IS NOT NULL THEN
    SEND sms(c.phone, 'Your payment failed. Try again: https://example.com/pay/' || o.id, class => 'transactional');
  ELSE
    SEND email('order: unpaid', c, vars => jsonb_build_object('order', to_jsonb(o)));
  END IF;
  WAIT FOR '1 day';
  SEND email('order: unpaid', c, vars => jsonb_build_object('order', to_jsonb(o)));
END $$;

CREATE FUNCTION order_completed(c contact, o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'completed' ON sales_order FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER o;
  EXIT WHEN o.status = 'returned';
BEGIN
  WAIT FOR '3 days';
  SEND email('order: goes with it', c);
END $$;
