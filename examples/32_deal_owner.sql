-- 32  A deal gets another owner
--
-- The new owner is told, and gets a task to say hello.
--
-- Needs: nothing.

CREATE FUNCTION deal_owner(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF owner_id WHEN new.owner_id IS NOT NULL;
  ENROLL AGAIN;
BEGIN
  SELECT notify(d.owner_id, 'you own ' || d.title || ' now');
  SELECT add_task(d, 'Say hello: ' || d.title, now() + interval '1 day', type => 'call');
END $$;
