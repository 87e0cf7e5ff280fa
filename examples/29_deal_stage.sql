-- 29  A deal comes to a stage
--
-- Qualified: a task for its owner. Proposal: a task for the owner of the company, a mail to everybody it is about, and another one if it is
-- still there five days later. A deal that moves on, or back, leaves behind what was to come in the old stage.
--
-- Needs: a mail server (automation.mail_server).

SELECT add_stages('Sales', ARRAY['New', 'Qualified', 'Proposal', 'Contract']);

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('proposal', 'contact', 'transactional', 'Our proposal: {{ deal.title }}', 'You find it here: https://example.com/proposal/{{ deal.id }}'),
('proposal: questions', 'contact', 'transactional', 'Questions about our proposal?', 'Just answer this mail.')
ON CONFLICT DO NOTHING;

CREATE FUNCTION deal_stage(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF stage_id WHEN new.stage_id IN (stage('Sales', 'Qualified'), stage('Sales', 'Proposal'));
  ENROLL REPLACE;
  EXIT WHEN d.status <> 'open';
BEGIN
  IF d.stage_id = stage('Sales', 'Qualified') THEN
    SELECT add_task(d, 'Ask for the budget', now() + interval '2 days');
  ELSIF d.stage_id = stage('Sales', 'Proposal') THEN
    SELECT add_task(d, 'Send the proposal', now() + interval '2 days', assignee => 'account owner');
    SEND email('proposal', p, vars => jsonb_build_object('deal', to_jsonb(d))) FROM people_of(d) p;
    WAIT UNTIL d.stage_id <> stage('Sales', 'Proposal') TIMEOUT '5 days';
    IF NOT FOUND THEN
      SEND email('proposal: questions', p) FROM people_of(d) p;
    END IF;
  END IF;
END $$;
