-- 34  A field of a deal changes
--
-- A field of your own, contract, becomes signed: a task for the owner of the deal, a word to the managers, and as soon as the deal is won, in
-- 30 days at most, a personal mail from the owner's mailbox to whom it is about.
--
-- Needs: a mail server (automation.mail_server) that may send as the owners (connected_mailbox); a team Managers.

INSERT INTO team (name) VALUES ('Managers') ON CONFLICT (name) DO NOTHING;

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('signed', 'contact', 'transactional', 'I look forward to it',
'Dear {{ contact.first_name | default: "customer" }},

thank you for signing. I am there for you.

{{ owner.name }}')
ON CONFLICT DO NOTHING;

CREATE FUNCTION contract_signed(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF custom WHEN new.custom ->> 'contract' = 'signed' AND old.custom ->> 'contract' IS DISTINCT FROM 'signed';
BEGIN
  SELECT add_task(d, 'File the contract of ' || d.title, now() + interval '2 days');
  SELECT notify_team('Managers', 'signed: ' || d.title);
  WAIT UNTIL d.status = 'won' TIMEOUT '30 days';
  IF FOUND THEN
    SEND personal_mail('signed', p, sender => sender_of(d), vars => tokens(d)) FROM people_of(d) p WHERE sender_of(d) IS NOT NULL;
  END IF;
END $$;
