-- 02  Somebody leaves a list
--
-- Unsubscribed, or taken off the list News by whomever: points are taken from the contact and from the open deals, whoever
-- looks after the contact is told, and all other automations end for the contact.
--
-- Needs: nothing.

INSERT INTO mailing_list (name) VALUES ('News') ON CONFLICT (name) DO NOTHING;

CREATE FUNCTION left_list(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'active' TO 'unsubscribed' ON list_subscription WHEN new.list_id = list('News')
    FOR SELECT new.contact_id;
  AFTER DELETE ON list_subscription WHEN old.list_id = list('News') AND old.status = 'active' FOR SELECT old.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT adjust_score(c, -10);
  SELECT adjust_score(d, -5) FROM deal d JOIN deal_contact dc ON dc.deal_id = d.id WHERE dc.contact_id = c.id AND d.status = 'open';
  SELECT automation.unenroll_others(c);
  SELECT notify(c.owner_id, name_of(c) || ' left the newsletter');
END $$;
