-- 48  A ticket follows its mails
--
-- One of us writes to the contact from the ticket: it takes the status Waiting on customer. The contact answers: Waiting on us. Both are rules of
-- the pipeline, which hold in the transaction that records the mail; here they are switched on for the pipeline Help desk tickets. The workflow
-- below is what they leave to you: nobody has answered the customer for two working days.
--
-- Needs: mails in email_message; a team Support.

INSERT INTO team (name) VALUES ('Support') ON CONFLICT (name) DO NOTHING;
SELECT add_stages('Help desk tickets', ARRAY['New', 'Waiting on customer', 'Waiting on us', 'Closed'], 'ticket', closed => ARRAY['Closed']);

INSERT INTO ticket_pipeline_setting (pipeline_id, on_sent_enabled, on_sent_status_id, on_reply_enabled, on_reply_status_id)
VALUES (pipeline('Help desk tickets'), true, stage('Help desk tickets', 'Waiting on customer'),
        true, stage('Help desk tickets', 'Waiting on us'))
ON CONFLICT (pipeline_id) DO NOTHING;

CREATE FUNCTION ticket_unanswered(t ticket) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status_id WHEN new.status_id = stage('Help desk tickets', 'Waiting on us');
  ENROLL REPLACE;
  EXIT WHEN t.status_id <> stage('Help desk tickets', 'Waiting on us');
BEGIN
  WAIT UNTIL add_business_time(now(), '2 days');
  SELECT notify_team('Support', 'nobody has answered: ' || t.subject);
END $$;
