-- 41  Who shares is a promoter
--
-- Somebody shares one of our mails: the field status becomes Promoter.
--
-- Needs: shares in email_event.

CREATE FUNCTION promoter(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN new.kind = 'share' FOR SELECT new.contact_id;
BEGIN
  SELECT set_property(c, 'status', 'Promoter');
END $$;
