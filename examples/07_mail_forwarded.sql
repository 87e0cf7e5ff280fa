-- 07  A mail is forwarded
--
-- Somebody passes a mail on to a friend, by the form for that: thank you, and points.
--
-- Needs: a mail server (automation.mail_server); forwards in email_event.

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('forwarded: thank you', 'contact', 'transactional', 'Thank you for telling others',
'Dear {{ contact.first_name | default: "friend" }},

you passed our mail on. Thank you.')
ON CONFLICT DO NOTHING;

CREATE FUNCTION mail_forwarded(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN new.kind = 'forward_form' FOR SELECT new.contact_id;
BEGIN
  SELECT adjust_score(c, 10);
  SEND email('forwarded: thank you', c);
END $$;
