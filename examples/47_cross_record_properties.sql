-- 47  Values from one record to others
--
-- A contact moves to another country: all of its deals know. A company has another phone number: so have its deals. A deal is lost: its people
-- have no lead status any more. A contact orders: the company counts it.
--
-- Needs: nothing.

CREATE FUNCTION country_to_deals(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF country;
  ENROLL AGAIN;
BEGIN
  SELECT set_property(c, 'deal', 'custom.country', c.country);
END $$;

CREATE FUNCTION phone_to_deals(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF phone;
  ENROLL AGAIN;
BEGIN
  SELECT copy_property(a, 'phone', 'deal', 'custom.company_phone');
END $$;

CREATE FUNCTION lost_lead(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'lost';
  ENROLL AGAIN;
BEGIN
  SELECT clear_property(d, 'contact', 'lead_status');
END $$;

CREATE FUNCTION count_orders(o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT increase_property(a, 'order_count', 1)
  FROM account a JOIN account_contact ac ON ac.account_id = a.id WHERE ac.contact_id = o.contact_id;
END $$;
