-- 40  From one list to another
--
-- Somebody orders: off the list Prospects, onto the list Customers. Who has left Customers himself stays off it.
--
-- Needs: nothing.

INSERT INTO mailing_list (name) VALUES ('Prospects'), ('Customers') ON CONFLICT (name) DO NOTHING;

CREATE FUNCTION prospect_to_customer(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order FOR SELECT new.contact_id;
BEGIN
  SELECT unsubscribe(c, 'Prospects');
  SELECT subscribe(c, 'Customers');
END $$;
