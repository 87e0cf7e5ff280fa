-- 33  A deal enters a pipeline
--
-- A deal is made in the pipeline Sales, or moved there: what marketing sends to its people ends, they are invited to a call, and sales takes over
-- with a task and a word. A move between stages of it is none.
--
-- Needs: a mail server (automation.mail_server); a team Sales.

INSERT INTO team (name) VALUES ('Sales') ON CONFLICT (name) DO NOTHING;
SELECT add_stages('Sales', ARRAY['New', 'Qualified', 'Proposal', 'Contract']);

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('sales: a call', 'contact', 'transactional', 'Shall we talk?', 'Choose a time: https://example.com/call')
ON CONFLICT DO NOTHING;
INSERT INTO automation.template (name, about, subject, body) VALUES
('marketing: weekly', 'contact', 'This week',
'https://example.com/week

{{ postal_address }}
No more mails: {{ unsubscribe_url }}')
ON CONFLICT DO NOTHING;

-- What ends: each marketing automation is named.
CREATE FUNCTION marketing_series(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
  EXIT WHEN c.unsubscribed;
BEGIN
  <<again>>
  WAIT FOR '7 days';
  SEND email('marketing: weekly', c);
  GO TO again AT MOST 11 TIMES;
END $$;

CREATE FUNCTION enters_pipeline(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF pipeline_id WHEN new.pipeline_id = pipeline('Sales');
  ENROLL AGAIN;
BEGIN
  SELECT automation.unenroll('marketing_series', p) FROM people_of(d) p;
  SEND email('sales: a call', p) FROM people_of(d) p;
  SELECT add_task(d, 'Take over: ' || d.title, now() + interval '4 hours');
  SELECT notify_team('Sales', 'new in the pipeline: ' || d.title);
END $$;
