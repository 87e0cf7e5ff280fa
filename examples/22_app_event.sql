-- 22  Something happens in your application
--
-- Your application writes down that a trial was started: a mail with what to do first, and points; for a trial of the plan pro more of them.
--
-- Needs: a mail server (automation.mail_server); events in tracked_event.

INSERT INTO event_type (name) VALUES ('trial started') ON CONFLICT (name) DO NOTHING;

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('trial: begin', 'contact', 'transactional', 'Your trial',
'Dear {{ contact.first_name | default: "friend" }},

you have 14 days. What to do first: https://example.com/first')
ON CONFLICT DO NOTHING;

CREATE FUNCTION trial_started(c contact, plan text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON tracked_event WHEN new.event_type_id = event_type('trial started') FOR SELECT new.contact_id, new.value;
  ENROLL ONCE PER c;
BEGIN
  SEND email('trial: begin', c);
  IF plan = 'pro' THEN
    SELECT adjust_score(c, 40);
  ELSE
    SELECT adjust_score(c, 20);
  END IF;
END $$;
