-- 24  A recurring payment begins
--
-- Welcome, and are these your details? A week later what we recommend to this very person, then three lessons, a week apart. Who stops
-- paying gets no more.
--
-- Needs: a mail server (automation.mail_server); recurring payments in recurring_payment.

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('subscriber: welcome', 'contact', 'transactional', 'Welcome, {{ contact.first_name | default: "subscriber" }}',
'You pay {{ amount }} {{ currency }}. Is all of this right? {{ contact.name | default: "-" }}, {{ contact.email }}, {{ contact.city | default: "-" }}'),
('subscriber: for you', 'contact', 'transactional', 'What may interest you',
'Because of your interest in {{ interests }}: https://example.com/for-you'),
('subscriber: lesson', 'contact', 'transactional', 'Lesson {{ lesson }}',
'It takes ten minutes: https://example.com/lesson/{{ lesson }}')
ON CONFLICT DO NOTHING;

CREATE FUNCTION subscription_started(c contact, r recurring_payment) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON recurring_payment WHEN new.status = 'active' FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER r;
  EXIT WHEN r.status <> 'active';
DECLARE
  lesson int := 0;
BEGIN
  SEND email('subscriber: welcome', c, vars => jsonb_build_object('amount', round(r.amount, 2), 'currency', r.currency));
  WAIT FOR '7 days';
  IF cardinality(c.interests) > 0 THEN
    SEND email('subscriber: for you', c, vars => jsonb_build_object('interests', array_to_string(c.interests, ', ')));
  END IF;
  <<next>>
  WAIT FOR '7 days';
  lesson := lesson + 1;
  SEND email('subscriber: lesson', c, vars => jsonb_build_object('lesson', lesson));
  GO TO next AT MOST 2 TIMES;
END $$;
