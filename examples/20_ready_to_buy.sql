-- 20  A score says: ready to buy
--
-- The score of a contact rises above 100: a deal in the pipeline Sales, a tag, and a word to whoever looks after the contact. If the deal is still
-- open after 30 days, another word. Going up and down around 100 makes no second deal.
--
-- Needs: nothing.

SELECT add_stages('Sales', ARRAY['New']);

CREATE FUNCTION ready_to_buy(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score WHEN new.score > 100 AND old.score <= 100;
DECLARE
  made bigint;
BEGIN
  SELECT add_deal(c, coalesce(c.company_name, name_of(c)), 'Sales', 'New') INTO made;
  SELECT add_tag(c, 'hot');
  SELECT notify(c.owner_id, name_of(c) || ' is ready to buy');
  WAIT UNTIL (SELECT d.status FROM deal d WHERE d.id = made) <> 'open' TIMEOUT '30 days';
  IF NOT FOUND THEN
    SELECT notify(c.owner_id, 'the deal of ' || name_of(c) || ' is stuck');
  END IF;
END $$;
