-- 38  A meeting is booked in another application
--
-- Somebody books a demo: a deal, points, a reminder the day before; when it is over the deal moves on. If it is cancelled, all of that ends.
--
-- Needs: a mail server (automation.mail_server); meetings in external_meeting.

SELECT add_stages('Sales', ARRAY['New', 'Demo', 'Demo done', 'Proposal']);

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('meeting: tomorrow', 'contact', 'transactional', 'Tomorrow: your demo', 'At {{ at | date: "HH24:MI" }}.')
ON CONFLICT DO NOTHING;

CREATE FUNCTION booked_meeting(c contact, m external_meeting) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON external_meeting WHEN new.type = 'demo' FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER m;
  EXIT WHEN m.cancelled_at IS NOT NULL;
DECLARE
  made bigint;
BEGIN
  SELECT add_deal(c, 'Demo ' || name_of(c), 'Sales', 'Demo') INTO made;
  SELECT adjust_score(c, 10);
  IF now() < m.scheduled_at - interval '1 day' THEN
    WAIT UNTIL m.scheduled_at - interval '1 day';
    SEND email('meeting: tomorrow', c, vars => jsonb_build_object('at', m.scheduled_at));
  END IF;
  WAIT UNTIL m.scheduled_at + interval '1 hour';
  SELECT move_to_stage(d, 'Demo done', 'Sales') FROM deal d WHERE d.id = made AND d.stage_id = stage('Sales', 'Demo');
  SELECT adjust_score(c, 20);
END $$;
