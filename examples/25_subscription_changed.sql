-- 25  A recurring payment changes
--
-- It fails: by text message or mail, how to pay, and a last word three days later; as soon as it is paid, nothing more. It is cancelled:
-- we are sorry. It rises: thank you, and what the larger plan can do.
--
-- Needs: a mail server (automation.mail_server); the server twilio; recurring payments in recurring_payment.

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('subscription: failed', 'contact', 'transactional', 'Your payment failed', 'Here you can try again: https://example.com/pay'),
('subscription: last word', 'contact', 'transactional', 'Your subscription ends tomorrow', 'Unless you pay: https://example.com/pay'),
('subscription: cancelled', 'contact', 'transactional', 'We are sorry', 'Your subscription has ended. What did we do wrong? Just answer this mail.'),
('subscription: larger', 'contact', 'transactional', 'Thank you', 'What you can do now: https://example.com/larger')
ON CONFLICT DO NOTHING;

CREATE FUNCTION subscription_failed(c contact, r recurring_payment) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'active' TO 'failed' ON recurring_payment FOR SELECT new.contact_id, new.id;
  ENROLL AGAIN PER r;
  EXIT WHEN r.status <> 'failed';
BEGIN
  IF c.phone IS NOT NULL THEN
    SEND sms(c.phone, 'Your payment failed. Try again: https://example.com/pay', class => 'transactional');
  ELSE
    SEND email('subscription: failed', c);
  END IF;
  WAIT FOR '3 days';
  SEND email('subscription: last word', c);
END $$;

CREATE FUNCTION subscription_cancelled(c contact, r recurring_payment) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'cancelled' ON recurring_payment FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER r;
BEGIN
  SEND email('subscription: cancelled', c);
END $$;

CREATE FUNCTION subscription_larger(c contact, r recurring_payment) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF amount ON recurring_payment WHEN new.amount > old.amount AND new.status = 'active' FOR SELECT new.contact_id, new.id;
  ENROLL AGAIN PER r;
BEGIN
  SEND email('subscription: larger', c);
END $$;
