-- 06  A mail is shared
--
-- Somebody shares a mail on a network: whoever looks after the contact is told, the contact gets points and a mail to say thank you,
-- the mail once a month at most.
--
-- Needs: a mail server (automation.mail_server); shares in email_event.

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('shared: thank you', 'contact', 'transactional', 'Thank you for sharing',
'Dear {{ contact.first_name | default: "friend" }},

we saw that you passed our mail on. Thank you.')
ON CONFLICT DO NOTHING;

CREATE FUNCTION mail_shared(c contact, network text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN new.kind = 'share' FOR SELECT new.contact_id, coalesce(new.network, 'the web');
  ENROLL AGAIN AFTER '30 days' PER c;
BEGIN
  SELECT notify(c.owner_id, name_of(c) || ' shared our mail on ' || network);
  SELECT adjust_score(c, 10);
  SEND email('shared: thank you', c);
END $$;
