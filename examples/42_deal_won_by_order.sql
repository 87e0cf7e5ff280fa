-- 42  An order wins the deals
--
-- Somebody pays an order: all open deals about this person are won. Lost ones stay lost.
--
-- Needs: orders in sales_order.

CREATE FUNCTION deal_won_by_order(c contact, o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status TO 'completed' ON sales_order FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER o;
BEGIN
  SELECT set_deal_status(c, 'won');
END $$;
