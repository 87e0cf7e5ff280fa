-- 39  The first order opens an account elsewhere
--
-- A webhook tells the help desk, which answers with the number of the account; that is kept with the contact. If it does not answer within a day,
-- or refuses, the team Support is told.
--
-- Needs: a server whose url covers https://hooks.example.com; a team Support.

INSERT INTO team (name) VALUES ('Support') ON CONFLICT (name) DO NOTHING;

CREATE FUNCTION help_desk_account(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order FOR SELECT new.contact_id;
  ENROLL ONCE;
DECLARE
  reply automation.delivery;
BEGIN
  SEND webhook('https://hooks.example.com/accounts', c, type => 'customer.new') INTO reply TIMEOUT '1 day';
  IF FOUND AND reply_json(reply) ->> 'id' IS NOT NULL THEN
    UPDATE contact SET custom = custom || jsonb_build_object('help desk', reply_json(reply) ->> 'id') WHERE id = c.id;
  ELSE
    SELECT notify_team('Support', 'no account at the help desk for ' || name_of(c) || ': ' || coalesce(reply.error, 'no number'));
  END IF;
END $$;
