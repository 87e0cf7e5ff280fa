-- 49  One activity after the other
--
-- I make a deal: a call for its owner. When that is done, a mail to write. When that is done, a meeting. Deals of others, and those that are
-- imported, are not meant. I am the user whose db_role is the role that owns the workflow.
--
-- Needs: app_user.db_role of the owner of the workflow.

CREATE FUNCTION activity_chain(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.creator_id = me() AND new.source <> 'import';
  EXIT WHEN d.status <> 'open';
DECLARE
  step bigint;
BEGIN
  SELECT add_task(d, 'First call', now() + interval '1 day', type => 'call') INTO step;
  WAIT UNTIL (SELECT a.status FROM activity a WHERE a.id = step) = 'done';
  SELECT add_task(d, 'Send the summary', now() + interval '1 day', type => 'mail') INTO step;
  WAIT UNTIL (SELECT a.status FROM activity a WHERE a.id = step) = 'done';
  SELECT add_task(d, 'Demo', now() + interval '7 days', type => 'meeting');
END $$;
