-- 43  A large deal goes to somebody with experience
--
-- A deal worth more than 50,000 is qualified: it gets an owner of the team Senior sales, each of whom has a turn. A deal that one of them owns stays
-- as it is.
--
-- Needs: a team Senior sales, with members.

INSERT INTO team (name) VALUES ('Senior sales') ON CONFLICT (name) DO NOTHING;
SELECT add_stages('Sales', ARRAY['New', 'Qualified', 'Proposal', 'Contract']);

CREATE FUNCTION senior_sales(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF stage_id WHEN new.stage_id = stage('Sales', 'Qualified') AND new.value > 50000;
BEGIN
  IF NOT EXISTS (SELECT FROM team_member m WHERE m.team_id = team('Senior sales') AND m.user_id = d.owner_id) THEN
    SELECT rotate_owner(d, 'Senior sales', if_owned => 'reassign');
    SELECT notify(d.owner_id, 'a large deal for you: ' || d.title);
  END IF;
END $$;
