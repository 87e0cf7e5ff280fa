-- 04  A campaign is opened
--
-- Somebody opens or clicks a mail of the campaign Spring sale: points for the contact, for the open deals and for a score of
-- its own name, a tag for the engaged, a mail that follows it up, and a place in the series for those who are interested. What a mail program
-- fetches by itself is not an open.
--
-- Needs: a mail server (automation.mail_server); what is opened and clicked in email_event.

INSERT INTO email_campaign (name) VALUES ('Spring sale') ON CONFLICT (name) DO NOTHING;

INSERT INTO automation.template (name, about, subject, body) VALUES
('sale: follow-up', 'contact', 'Still looking, {{ contact.first_name | default: "friend" }}?',
'The sale ends on Sunday: https://example.com/sale

{{ postal_address }}
No more offers: {{ unsubscribe_url }}'),
('interested: one', 'contact', 'What others have made of it',
'Three stories: https://example.com/stories

{{ postal_address }}
No more offers: {{ unsubscribe_url }}'),
('interested: two', 'contact', 'What does it cost?',
'All prices on one page: https://example.com/pricing

{{ postal_address }}
No more offers: {{ unsubscribe_url }}')
ON CONFLICT DO NOTHING;

CREATE FUNCTION interested_series(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
  EXIT WHEN c.unsubscribed;
BEGIN
  WAIT FOR '7 days';
  SEND email('interested: one', c);
  WAIT FOR '7 days';
  SEND email('interested: two', c);
END $$;

CREATE FUNCTION campaign_opened(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event
    WHEN new.kind IN ('open', 'click') AND NOT new.is_machine_open
         AND EXISTS (SELECT FROM email_message m WHERE m.id = new.message_id AND m.campaign_id = campaign('Spring sale'))
    FOR SELECT new.contact_id;
  EXIT WHEN c.unsubscribed;
BEGIN
  SELECT adjust_score(c, 2);
  SELECT adjust_score(c, 'lead score', 2);
  SELECT adjust_score(d, 1) FROM deal d JOIN deal_contact dc ON dc.deal_id = d.id WHERE dc.contact_id = c.id AND d.status = 'open';
  SELECT add_tag(c, 'engaged');
  SELECT interested_series(c);
  WAIT FOR '1 day';
  SEND email('sale: follow-up', c);
END $$;
