-- 37  A mail about a deal sounds unhappy
--
-- The sentiment of a mail becomes negative: a task for the owner of the deal, a note on it, and a mail to its primary contact, once a week at most.
--
-- Needs: a mail server (automation.mail_server); something that fills in email_message.sentiment.

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('can we help', 'contact', 'transactional', 'Can we help?',
'Dear {{ contact.first_name | default: "customer" }},

we are sorry. Somebody will call you today.')
ON CONFLICT DO NOTHING;

CREATE FUNCTION unhappy_mail(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF sentiment TO 'negative' ON email_message
    WHEN new.direction = 'in' AND new.deal_id IS NOT NULL FOR SELECT new.deal_id;
  ENROLL AGAIN AFTER '7 days';
BEGIN
  SELECT add_task(d, 'Unhappy: ' || d.title, now() + interval '2 hours');
  SELECT add_note(d, 'an unhappy mail came in');
  SEND email('can we help', p) FROM contact p WHERE p.id = primary_contact(d);
END $$;
