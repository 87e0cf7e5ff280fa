-- 26  A record of a custom object is made
--
-- An urgent help ticket: its owner, or else the team Support, is told. A purchase: two mails to its people. A registration for an event: a
-- reminder the day before.
--
-- Needs: a mail server (automation.mail_server); a team Support.

INSERT INTO team (name) VALUES ('Support') ON CONFLICT (name) DO NOTHING;
INSERT INTO custom_object_type (name, label) VALUES ('help ticket', 'Help ticket'), ('purchase', 'Purchase'), ('registration', 'Registration')
ON CONFLICT (name) DO NOTHING;

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('purchase: one', 'contact', 'transactional', 'Your {{ purchase.name }}', 'How to begin: https://example.com/begin'),
('purchase: two', 'contact', 'transactional', 'A week with your {{ purchase.name }}', 'Questions? Just answer this mail.'),
('registration: tomorrow', 'contact', 'transactional', 'Tomorrow: {{ registration.name }}', 'See you there.')
ON CONFLICT DO NOTHING;

CREATE FUNCTION urgent_ticket(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.type = 'help ticket' AND new.urgency = 'high';
BEGIN
  IF o.owner_id IS NOT NULL THEN
    SELECT notify(o.owner_id, 'urgent help ticket: ' || coalesce(o.name, 'no. ' || o.id));
  ELSE
    SELECT notify_team('Support', 'urgent help ticket: ' || coalesce(o.name, 'no. ' || o.id));
  END IF;
END $$;

CREATE FUNCTION purchase_series(o custom_object_record, c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON custom_object_link
    FOR SELECT r.id, new.contact_id FROM custom_object_record r WHERE r.id = new.record_id AND r.type = 'purchase';
  ENROLL ONCE PER o, c;
BEGIN
  SEND email('purchase: one', c, vars => jsonb_build_object('purchase', to_jsonb(o)));
  WAIT FOR '7 days';
  SEND email('purchase: two', c, vars => jsonb_build_object('purchase', to_jsonb(o)));
END $$;

CREATE FUNCTION registration_reminder(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.type = 'registration';
  EXIT WHEN o.status = 'cancelled';
BEGIN
  WAIT UNTIL (o.custom ->> 'starts_at')::timestamptz - interval '1 day';
  SEND email('registration: tomorrow', p, vars => jsonb_build_object('registration', to_jsonb(o))) FROM people_of(o) p;
END $$;
