-- 31  The value of a deal changes
--
-- Its owner is told, a note keeps what it was and what it is, and a large one moves to the pipeline Enterprise. Deals in euros only.
--
-- Needs: nothing.

SELECT add_stages('Enterprise', ARRAY['New', 'Qualified', 'Contract']);

CREATE FUNCTION deal_value(d deal, before numeric) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF value WHEN new.currency = 'EUR' FOR SELECT new.id, old.value;
  ENROLL AGAIN;
BEGIN
  SELECT notify(d.owner_id, 'value of ' || d.title || ': ' || coalesce(round(d.value)::text, 'none'));
  SELECT add_note(d, 'value from ' || coalesce(round(before)::text, 'none') || ' to ' || coalesce(round(d.value)::text, 'none'));
  IF d.value > 100000 AND d.pipeline_id IS DISTINCT FROM pipeline('Enterprise') THEN
    SELECT move_to_stage(d, 'New', 'Enterprise');
  END IF;
END $$;
