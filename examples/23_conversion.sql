-- 23  A conversion
--
-- Somebody books a demo, wherever that is counted: whoever looks after the contact is told, and the next morning, unless it is a weekend,
-- a mail follows that fits.
--
-- Needs: a mail server (automation.mail_server); conversions in conversion_event.

INSERT INTO conversion_type (name) VALUES ('demo') ON CONFLICT (name) DO NOTHING;

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('conversion: demo', 'contact', 'transactional', 'Before your demo',
'Three questions, so that we show you what matters: https://example.com/before')
ON CONFLICT DO NOTHING;

CREATE FUNCTION conversion(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON conversion_event WHEN new.type_id = conversion_type('demo') FOR SELECT new.contact_id;
  ENROLL AGAIN AFTER '30 days';
  TIME ZONE c.time_zone;
BEGIN
  SELECT notify(c.owner_id, name_of(c) || ' has booked a demo');
  WAIT UNTIL next_time('Mon-Fri', '09:00');
  SEND email('conversion: demo', c);
END $$;
