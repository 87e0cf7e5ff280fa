-- 50  Deals that came by the API have a label
--
-- Whatever writes a deal says so: SET crm.source = 'api'. Such deals get the label API.
--
-- Needs: nothing.

CREATE FUNCTION label_api_deals(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.source = 'api';
BEGIN
  SELECT add_label(d, 'API');
END $$;
