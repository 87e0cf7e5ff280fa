-- 01  Welcome series
--
-- Somebody joins the list News: a welcome mail at once, then an onboarding series over a week. Where the list asks for
-- double opt-in, only the confirmation counts. Who leaves the list gets no more of it.
--
-- Needs: a mail server (automation.mail_server).

INSERT INTO mailing_list (name) VALUES ('News') ON CONFLICT (name) DO NOTHING;

INSERT INTO automation.template (name, about, list, subject, body) VALUES
('news: welcome', 'contact', 'News', 'Welcome, {{ contact.first_name | default: "friend" }}',
'Good to have you here. We write once a month.

{{ postal_address }}
No more news: {{ unsubscribe_url }}'),
('news: first steps', 'contact', 'News', 'First steps',
'Three things that most people begin with: https://example.com/start

{{ postal_address }}
No more news: {{ unsubscribe_url }}'),
('news: going further', 'contact', 'News', 'Going further',
'What people who are here for a week ask us: https://example.com/questions

{{ postal_address }}
No more news: {{ unsubscribe_url }}')
ON CONFLICT DO NOTHING;

-- The series is a workflow of its own, so that others can start it, too.
CREATE FUNCTION onboarding_series(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
  EXIT WHEN c.unsubscribed;
  EXIT WHEN NOT EXISTS (SELECT FROM list_subscription s
                        WHERE s.contact_id = c.id AND s.list_id = list('News') AND s.status = 'active');
BEGIN
  WAIT FOR '2 days';
  SEND email('news: first steps', c);
  WAIT FOR '5 days';
  SEND email('news: going further', c);
END $$;

CREATE FUNCTION welcome_series(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status ON list_subscription WHEN new.status = 'active' AND new.list_id = list('News')
    FOR SELECT new.contact_id;
BEGIN
  SEND email('news: welcome', c);
  SELECT onboarding_series(c);
END $$;
