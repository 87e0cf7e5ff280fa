-- Four workflows.  The waits are seconds, so that there is something to watch.

-- What their mails say.
INSERT INTO automation.template (name, about, class, subject, html) VALUES
    ('proposal', 'contact', 'transactional', 'Your proposal: {{ deal.title }}',
     '<p>Dear {{ contact.name }},</p><p>the proposal for <b>{{ deal.title }}</b> is on its way to you.</p>'),
    ('newsletter, short', 'contact', 'marketing', 'News for {{ contact.company | default: "you" }}',
     '<p>{{ contact.name }}, three things are new.</p><p><a href="{{ unsubscribe_url }}">No more news</a> - {{ postal_address }}</p>'),
    ('newsletter, long', 'contact', 'marketing', 'All the news for {{ contact.company | default: "you" }}',
     '<p>{{ contact.name }}, these twenty things are new.</p><p><a href="{{ unsubscribe_url }}">No more news</a> - {{ postal_address }}</p>');

-- A deal reaches the stage "proposal": one activity after the other, until it
-- moves on.  A deal that is won or lost leaves at once.
CREATE FUNCTION follow_up(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage TO 'proposal';
  ENROLL AGAIN;
  EXIT WHEN d.status <> 'open';
BEGIN
  INSERT INTO activity (contact_id, deal_id, type, subject, assignee_id, due_at)
  VALUES (d.contact_id, d.id, 'mail', 'Send the proposal', d.owner_id, now() + interval '1 day');
  SEND email('proposal', c, vars => jsonb_build_object('deal', d)) FROM contact c WHERE c.id = d.contact_id;

  WAIT FOR '2 seconds';
  INSERT INTO activity (contact_id, deal_id, type, subject, assignee_id, due_at)
  VALUES (d.contact_id, d.id, 'call', 'Has the proposal arrived?', d.owner_id, now() + interval '1 day');

  WAIT UNTIL d.stage = 'contract' TIMEOUT '3 seconds';
  IF FOUND THEN
    INSERT INTO activity (contact_id, deal_id, type, subject, assignee_id, due_at)
    VALUES (d.contact_id, d.id, 'meeting', 'Sign the contract', d.owner_id, now() + interval '7 days');
  ELSE
    INSERT INTO activity (contact_id, deal_id, type, subject, assignee_id, due_at)
    VALUES (d.contact_id, d.id, 'call', 'No answer: ask for the decision', d.owner_id, now() + interval '1 day');
  END IF;
END $$;

-- What a contact does is worth points; with enough of them a lead is qualified.
-- The wait lets more of it come in before somebody is sent to call.
CREATE FUNCTION scoring(c contact, a activity, points int) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON activity WHEN new.type = 'visit' FOR SELECT new.contact_id, new.id, 5;
  AFTER INSERT ON activity WHEN new.type = 'reply' FOR SELECT new.contact_id, new.id, 20;
  ENROLL ONCE PER a;
BEGIN
  UPDATE contact SET score = score + points WHERE id = c.id;
  WAIT FOR '2 seconds';
  IF c.lifecycle = 'lead' AND c.score >= 50 THEN
    UPDATE contact SET lifecycle = 'qualified' WHERE id = c.id;
    INSERT INTO activity (contact_id, type, subject, assignee_id, due_at)
    VALUES (c.id, 'call', 'Qualified with ' || c.score || ' points', c.owner_id, now() + interval '1 hour');
    SEND webhook('/contacts', c, 'contact.qualified', server => 'erp');
  END IF;
END $$;

-- A contact gets another owner: so do the open deals, and somebody says hello.
CREATE FUNCTION hand_over(c contact, before bigint) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF owner_id WHEN new.owner_id IS NOT NULL FOR SELECT new.id, old.owner_id;
  ENROLL AGAIN;
BEGIN
  UPDATE deal SET owner_id = c.owner_id WHERE contact_id = c.id AND status = 'open';
  IF FOUND THEN
    INSERT INTO activity (contact_id, type, subject, assignee_id, due_at)
    SELECT c.id, 'call', 'Say hello, you follow ' || b.name, c.owner_id, now() + interval '1 day'
    FROM colleague b WHERE b.id = before;
  END IF;
END $$;

-- Who reads a page gets one of two newsletters.  A reply is answered; whoever orders
-- goes straight to the end, from wherever he stands.  Nobody but leads is inside.
CREATE FUNCTION nurture(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON activity WHEN new.type = 'visit' FOR SELECT new.contact_id;
  EXIT WHEN c.lifecycle <> 'lead';
DECLARE
  style text;
BEGIN
  SPLIT style INTO short, long;
  INSERT INTO activity (contact_id, type, subject, assignee_id) VALUES (c.id, 'mail', 'Newsletter, ' || style, c.owner_id);
  SEND email('newsletter, ' || style, c);

  WAIT FOR INSERT ON activity WHEN new.contact_id = c.id AND new.type = 'reply' TIMEOUT '10 seconds';
  IF FOUND THEN
    INSERT INTO activity (contact_id, type, subject, assignee_id) VALUES (c.id, 'call', 'Answer the reply', c.owner_id);
  END IF;
  WAIT FOR '10 seconds';

  GOAL ordered WHEN EXISTS (SELECT FROM deal d WHERE d.contact_id = c.id AND d.created_at > entered_at()) OTHERWISE EXIT;
  INSERT INTO activity (contact_id, type, subject, assignee_id) VALUES (c.id, 'call', 'Say thank you for the order', c.owner_id);
END $$;
