-- INSERT and UPDATE by primary key, run again and again in a batch, do without
-- the executor from their third run on.  Whatever they do must be what they do
-- when each row has a batch of its own, where everything runs the ordinary way.
\set VERBOSITY terse
CREATE ROLE direct_other LOGIN;
CREATE ROLE direct_user LOGIN;
GRANT direct_other TO direct_user;
CREATE SCHEMA direct AUTHORIZATION direct_user;
CREATE SCHEMA direct_elsewhere AUTHORIZATION direct_user;
GRANT USAGE ON LANGUAGE workflow TO direct_user;
\c - direct_user
SET search_path = direct;
GRANT USAGE, CREATE ON SCHEMA direct TO direct_other;

-- Makes eight rows, $1, one after another, each with a batch; then eight more,
-- $1 + 100, all in one batch; and compares the effects of the two.
CREATE TABLE alone (effect text);
CREATE TABLE together (effect text);
CREATE FUNCTION direct_count() RETURNS bigint LANGUAGE sql AS $$
  SELECT coalesce(max(statements_direct), 0) FROM automation.stat WHERE owner = 'direct_user'::regrole $$;
CREATE PROCEDURE both(setup text, effects text,
                      OUT rows bigint, OUT differ bigint, OUT alone bigint, OUT together boolean) LANGUAGE plpgsql AS $$
DECLARE
  n bigint := direct_count();
BEGIN
  DELETE FROM alone;
  DELETE FROM together;
  FOR i IN 1..8 LOOP
    EXECUTE setup USING i;
    CALL automation.run();
  END LOOP;
  alone := direct_count() - n;
  n := direct_count();
  EXECUTE 'INSERT INTO alone SELECT e::text FROM (' || effects || ') e' USING 0;
  FOR i IN 1..8 LOOP
    EXECUTE setup USING i + 100;
  END LOOP;
  CALL automation.run();
  together := direct_count() > n;
  EXECUTE 'INSERT INTO together SELECT e::text FROM (' || effects || ') e' USING 100;
  rows := (SELECT count(*) FROM direct.together);
  differ := (SELECT count(*) FROM ((TABLE direct.alone EXCEPT ALL TABLE direct.together) UNION ALL
                                   (TABLE direct.together EXCEPT ALL TABLE direct.alone)) d);
END $$;
-- what the journal says of the rows of a round, errors included
CREATE FUNCTION said(base int) RETURNS TABLE (id int, what text, why text, at int, error text) LANGUAGE sql AS $$
  SELECT subject_key::jsonb ->> 0 AS id, event, reason, statement, replace(detail::text, '10', '') FROM automation.journal WHERE false $$;
