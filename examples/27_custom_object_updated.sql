-- 27  A record of a custom object changes
--
-- A payment is paid: the team Billing is told. A help ticket is solved: whoever owns an open deal of its people is told, each once. A meeting
-- gets another time: its guests get a mail, and a reminder an hour before it.
--
-- Needs: a mail server (automation.mail_server); a team Billing.

INSERT INTO team (name) VALUES ('Billing') ON CONFLICT (name) DO NOTHING;
INSERT INTO custom_object_type (name, label) VALUES ('payment', 'Payment'), ('help ticket', 'Help ticket'), ('meeting', 'Meeting')
ON CONFLICT (name) DO NOTHING;

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('meeting: moved', 'contact', 'transactional', '{{ meeting.name }}: another time', 'It is now at {{ meeting.custom.starts_at | date: "DD Mon YYYY, HH24:MI" }}.'),
('meeting: soon', 'contact', 'transactional', '{{ meeting.name }} in an hour', 'See you.')
ON CONFLICT DO NOTHING;

CREATE FUNCTION payment_paid(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'paid' WHEN new.type = 'payment';
BEGIN
  SELECT notify_team('Billing', 'paid: ' || coalesce(o.name, 'payment ' || o.id));
END $$;

CREATE FUNCTION ticket_solved(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'solved' WHEN new.type = 'help ticket';
  ENROLL AGAIN;
BEGIN
  SELECT notify(w.owner_id, 'help ticket solved: ' || coalesce(o.name, 'no. ' || o.id))
  FROM (SELECT DISTINCT d.owner_id FROM custom_object_link l JOIN deal_contact dc ON dc.contact_id = l.contact_id JOIN deal d ON d.id = dc.deal_id
        WHERE l.record_id = o.id AND d.status = 'open') w;
END $$;

CREATE FUNCTION meeting_moved(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF custom WHEN new.type = 'meeting' AND new.custom ->> 'starts_at' <> old.custom ->> 'starts_at';
  ENROLL REPLACE;
BEGIN
  SEND email('meeting: moved', p, vars => jsonb_build_object('meeting', to_jsonb(o))) FROM people_of(o) p;
  WAIT UNTIL (o.custom ->> 'starts_at')::timestamptz - interval '1 hour';
  SEND email('meeting: soon', p, vars => jsonb_build_object('meeting', to_jsonb(o))) FROM people_of(o) p;
END $$;
