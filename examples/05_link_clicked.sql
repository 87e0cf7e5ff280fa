-- 05  A link is clicked
--
-- Somebody clicks the link to the webinar: a tag for the interest, points, and, if no sign-up follows within a day, a reminder that
-- the sign-up was not finished. Only sign-ups after the click count.
--
-- Needs: a mail server (automation.mail_server); clicks in email_event, the addresses of links in email_link.

INSERT INTO form (name) VALUES ('Webinar') ON CONFLICT (name) DO NOTHING;

INSERT INTO automation.template (name, about, subject, body) VALUES
('webinar: reminder', 'contact', 'Your place in the webinar',
'You had a look, but there is no place in your name yet: https://example.com/webinar

{{ postal_address }}
No more invitations: {{ unsubscribe_url }}')
ON CONFLICT DO NOTHING;

CREATE FUNCTION link_clicked(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event
    WHEN new.kind = 'click' AND (SELECT l.url FROM email_link l WHERE l.id = new.link_id) = 'https://example.com/webinar'
    FOR SELECT new.contact_id;
BEGIN
  SELECT add_tag(c, 'interest: webinar');
  SELECT adjust_score(c, 3);
  WAIT FOR INSERT ON form_submission WHEN new.contact_id = c.id AND new.form_id = form('Webinar') TIMEOUT '1 day';
  IF NOT FOUND THEN
    SEND email('webinar: reminder', c);
  END IF;
END $$;
