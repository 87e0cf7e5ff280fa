-- 08  A mail about a deal is answered
--
-- Somebody answers a mail that a person sent about a deal: the owner of the deal gets a task to write back, the deal moves on to In
-- discussion if it is open, and the contact gets points. Answers to mails of no connected mailbox do not count.
--
-- Needs: mails in email_message.

SELECT add_stages('Sales', ARRAY['New', 'In discussion']);

CREATE FUNCTION mail_answered(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_message
    WHEN new.direction = 'in' AND new.deal_id IS NOT NULL
         AND EXISTS (SELECT FROM email_message o
                     WHERE o.id = new.in_reply_to AND o.class = 'personal' AND o.mailbox_id IS NOT NULL)
    FOR SELECT new.contact_id, new.deal_id;
  ENROLL AGAIN PER c, d;
BEGIN
  SELECT add_task(d, 'Answer ' || name_of(c), now() + interval '1 day');
  IF d.status = 'open' THEN
    SELECT move_to_stage(d, 'In discussion', 'Sales');
  END IF;
  SELECT adjust_score(c, 15);
END $$;
