-- 10  A tag is taken off
--
-- Somebody loses the tag vip: the series for these people ends, points are taken away, and a series that asks them back begins. Who gets
-- the tag again meanwhile is left alone.
--
-- Needs: a mail server (automation.mail_server).

INSERT INTO tag (name) VALUES ('vip') ON CONFLICT (name) DO NOTHING;

INSERT INTO automation.template (name, about, subject, body) VALUES
('vip: news', 'contact', 'For our best customers',
'Before all others: https://example.com/vip

{{ postal_address }}
No more mails: {{ unsubscribe_url }}'),
('vip: we miss you', 'contact', 'We miss you, {{ contact.first_name | default: "friend" }}',
'What would bring you back? Just answer this mail.

{{ postal_address }}
No more mails: {{ unsubscribe_url }}'),
('vip: a gift', 'contact', 'A gift',
'If you come back within the month: https://example.com/gift

{{ postal_address }}
No more mails: {{ unsubscribe_url }}')
ON CONFLICT DO NOTHING;

CREATE FUNCTION vip_series(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('vip') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  <<again>>
  WAIT FOR '30 days';
  SEND email('vip: news', c);
  GO TO again;
END $$;

CREATE FUNCTION vip_lost(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF removed_at FROM NULL ON contact_tag WHEN new.tag_id = tag('vip') FOR SELECT new.contact_id;
  ENROLL AGAIN;
  EXIT WHEN has_tag(c, 'vip');
BEGIN
  SELECT automation.unenroll('vip_series', c);
  SELECT adjust_score(c, -20);
  SEND email('vip: we miss you', c);
  WAIT FOR '14 days';
  SEND email('vip: a gift', c);
END $$;
