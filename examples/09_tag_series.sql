-- 09  A tag begins one series and ends another
--
-- Somebody gets the tag customer, by whom or what ever: no more mails that are meant to win, but a series for customers.
--
-- Needs: a mail server (automation.mail_server).

INSERT INTO tag (name) VALUES ('customer') ON CONFLICT (name) DO NOTHING;

INSERT INTO automation.template (name, about, subject, body) VALUES
('win: one', 'contact', 'Have you seen this?',
'What we can do for you: https://example.com/tour

{{ postal_address }}
No more mails: {{ unsubscribe_url }}'),
('win: two', 'contact', 'Shall we talk?',
'A quarter of an hour is enough: https://example.com/call

{{ postal_address }}
No more mails: {{ unsubscribe_url }}'),
('customer: one', 'contact', 'Good to have you, {{ contact.first_name | default: "friend" }}',
'How to get the most of it: https://example.com/guide

{{ postal_address }}
No more mails: {{ unsubscribe_url }}'),
('customer: two', 'contact', 'Who helps you',
'These are the people: https://example.com/team

{{ postal_address }}
No more mails: {{ unsubscribe_url }}')
ON CONFLICT DO NOTHING;

CREATE FUNCTION win_series(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
  EXIT WHEN c.unsubscribed;
BEGIN
  SEND email('win: one', c);
  WAIT FOR '7 days';
  SEND email('win: two', c);
END $$;

CREATE FUNCTION customer_series(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('customer') FOR SELECT new.contact_id;
  EXIT WHEN c.unsubscribed;
BEGIN
  SELECT automation.unenroll('win_series', c);
  SEND email('customer: one', c);
  WAIT FOR '3 days';
  SEND email('customer: two', c);
END $$;
