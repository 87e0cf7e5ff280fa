-- 19  Around a date
--
-- A demo: reminders a week and a day before, a question the day after; all moves with the date, and what is past when the date becomes
-- known is left out. A payment that comes each month: a word three days before, every month. An appointment: a reminder two hours before,
-- unless it is cancelled.
--
-- Needs: a mail server (automation.mail_server); contact.demo_at, recurring_payment, external_meeting.

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('demo: in a week', 'contact', 'transactional', 'Your demo in a week', 'On {{ contact.demo_at | date: "DD Mon YYYY, HH24:MI" }}.'),
('demo: tomorrow', 'contact', 'transactional', 'Your demo tomorrow', 'At {{ contact.demo_at | date: "HH24:MI" }}.'),
('demo: how was it', 'contact', 'transactional', 'How was the demo?', 'Just answer this mail.'),
('payment: soon', 'contact', 'transactional', 'Your next payment', 'In three days we collect {{ amount }} {{ currency }}.'),
('appointment: soon', 'contact', 'transactional', 'Your appointment', 'In two hours, at {{ at | date: "HH24:MI" }}.')
ON CONFLICT DO NOTHING;

CREATE FUNCTION demo_dates(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF demo_at WHEN new.demo_at IS NOT NULL;
  ENROLL REPLACE;
  EXIT WHEN c.demo_at IS NULL;
BEGIN
  IF now() < c.demo_at - interval '7 days' THEN
    WAIT UNTIL c.demo_at - interval '7 days';
    SEND email('demo: in a week', c);
  END IF;
  IF now() < c.demo_at - interval '1 day' THEN
    WAIT UNTIL c.demo_at - interval '1 day';
    SEND email('demo: tomorrow', c);
  END IF;
  WAIT UNTIL c.demo_at + interval '1 day';
  SEND email('demo: how was it', c);
END $$;

CREATE FUNCTION payment_reminder(c contact, r recurring_payment) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON recurring_payment WHEN new.status = 'active' AND new.every IS NOT NULL FOR SELECT new.contact_id, new.id;
  ENROLL AGAIN PER r;
  EXIT WHEN r.status <> 'active';
DECLARE
  n int := 0;
BEGIN
  <<next>>
  n := n + 1;
  WAIT UNTIL r.started_at + n * r.every - interval '3 days';
  IF now() < r.started_at + n * r.every THEN
    SEND email('payment: soon', c, vars => jsonb_build_object('amount', round(r.amount, 2), 'currency', r.currency));
  END IF;
  GO TO next;
END $$;

CREATE FUNCTION appointment_reminder(c contact, m external_meeting) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON external_meeting FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER m;
  EXIT WHEN m.cancelled_at IS NOT NULL;
BEGIN
  WAIT UNTIL m.scheduled_at - interval '2 hours';
  IF now() < m.scheduled_at THEN
    SEND email('appointment: soon', c, vars => jsonb_build_object('at', m.scheduled_at));
  END IF;
END $$;
