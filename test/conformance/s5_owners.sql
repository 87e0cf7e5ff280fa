-- Who owns what: rotation, access, users who leave.

-- S71, of a team only those have turns whose main team it is
SELECT team_users('Sales') AS before \gset
INSERT INTO team_member (team_id, user_id, is_main) VALUES (1, 4, false), (1, 7, false);
INSERT INTO contact (first_name) SELECT 'lead ' || n FROM generate_series(1, 6) n;
SELECT rotate_owners('contact', ARRAY(SELECT id FROM contact), team => 'Sales') \g /dev/null
SELECT conformance.yes('S71', 'two each', (SELECT array_agg(owner_id || ':' || n ORDER BY owner_id) = '{1:2,2:2,3:2}' FROM (SELECT owner_id, count(*) n FROM contact GROUP BY 1) o));
SELECT conformance.no('S71', 'those of other teams', EXISTS (SELECT FROM contact WHERE owner_id IN (4, 7)));
SELECT rotate_owners('contact', ARRAY(SELECT id FROM contact), team => 'Sales', if_owned => 'reassign', main_only => false, pool => 'all of sales') \g /dev/null
SELECT conformance.yes('S71', 'unless all are wanted', (SELECT count(DISTINCT owner_id) = 5 FROM contact));
DELETE FROM team_member WHERE team_id = 1 AND NOT is_main;

-- S72, owners are added: counts begin anew, if that is wanted; else who is new begins where the others are
INSERT INTO app_user (id, name) VALUES (8, 'Hugo Ibsen');
SELECT rotate(ARRAY[1, 2, 3], pool => 'reset', reset_on_edit => true), rotate(ARRAY[1, 2, 3], pool => 'level') FROM generate_series(1, 30) \g /dev/null
SELECT array_agg(rotate(ARRAY[1, 2, 3, 8], pool => 'reset', reset_on_edit => true)) AS reset, array_agg(rotate(ARRAY[1, 2, 3, 8], pool => 'level')) AS level
FROM generate_series(1, 8) \gset
SELECT conformance.yes('S72', 'all begin anew: spread evenly over all four', (SELECT array_agg(user_id || ':' || assigned ORDER BY user_id) = '{1:2,2:2,3:2,8:2}' FROM rotation_turn WHERE pool = 'reset')
                       AND (SELECT reset_at IS NOT NULL FROM rotation_pool WHERE name = 'reset'));
SELECT conformance.yes('S72', 'or go on: he begins where they are', (SELECT array_agg(user_id || ':' || assigned ORDER BY user_id) = '{1:12,2:12,3:12,8:12}' FROM rotation_turn WHERE pool = 'level')
                       AND (SELECT count(*) = 2 FROM unnest(:'level'::bigint[]) u WHERE u = 8));
SELECT conformance.no('S72', 'he who is new gets all that others had before him', (SELECT count(*) > 2 FROM unnest(:'reset'::bigint[]) u WHERE u = 8));
SELECT array_agg(rotate(ARRAY[1, 2, 3, 8], pool => 'reset', reset_on_edit => true)) FROM generate_series(1, 4) \g /dev/null
SELECT conformance.no('S72', 'nothing was edited: counts go on', (SELECT min(assigned) <> 3 FROM rotation_turn WHERE pool = 'reset'));
-- who was away and comes back is not flooded either, whichever way
UPDATE app_user SET away_until = automation.now() + interval '7 days' WHERE id = 8;
SELECT rotate(ARRAY[1, 2, 3, 8], pool => 'level') FROM generate_series(1, 30) \g /dev/null
SELECT conformance.no('S72', 'who is away gets anything', (SELECT assigned <> 12 FROM rotation_turn WHERE pool = 'level' AND user_id = 8));
CALL automation.advance('8 days');
SELECT array_agg(rotate(ARRAY[1, 2, 3, 8], pool => 'level')) AS back FROM generate_series(1, 8) \gset
SELECT conformance.yes('S72', 'back again, with an equal share', (SELECT count(*) = 2 FROM unnest(:'back'::bigint[]) u WHERE u = 8));

-- in a workflow
CREATE FUNCTION s72(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.owner_id IS NULL AND new.source <> 'import';
BEGIN
  SELECT rotate_owner(c, 'Sales', pool => 'new contacts', reset_on_edit => true);
END $$;
INSERT INTO contact (first_name) SELECT 'many ' || n FROM generate_series(1, 9) n;
CALL automation.run();
INSERT INTO team_member (team_id, user_id) VALUES (1, 8);
INSERT INTO contact (first_name) SELECT 'more ' || n FROM generate_series(1, 4) n;
CALL automation.run();
SELECT conformance.yes('S72', 'one for each after the edit', (SELECT array_agg(owner_id ORDER BY owner_id) = '{1,2,3,8}' FROM contact WHERE first_name LIKE 'more%'));
SELECT conformance.no('S72', 'more for who is new', (SELECT assigned > 1 FROM rotation_turn WHERE pool = 'new contacts' AND user_id = 8));
DELETE FROM team_member WHERE user_id = 8;
DROP FUNCTION s72;

-- S73, another system writes the former owner back: it is seen, and can be put right
ALTER TABLE contact ADD COLUMN given_to bigint;
CREATE FUNCTION s73(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF owner_id WHEN new.given_to IS NOT NULL AND new.owner_id IS DISTINCT FROM new.given_to;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S73', c.id);
  IF NOT has_tag(c, 'owner by sync') THEN
    SELECT set_owner(c, c.given_to);
  END IF;
END $$;
SELECT new_contact('Ann', owner => 6) AS ann, new_contact('Bob', owner => 6) AS bob, new_contact('Cid', owner => 6) AS cid \gset
SELECT rotate_owner(c, 'Sales', if_owned => 'reassign') FROM contact c WHERE id IN (:ann, :bob, :cid) \g /dev/null
UPDATE contact SET given_to = owner_id WHERE id IN (:ann, :bob, :cid);
SELECT add_tag(c, 'owner by sync') FROM contact c WHERE id = :bob;
CALL automation.run();
UPDATE contact SET owner_id = 6 WHERE id IN (:ann, :bob);
SELECT conformance.yes('S73', 'the former owner is back', (SELECT bool_and(owner_id = 6) FROM contact WHERE id IN (:ann, :bob)));
CALL automation.run();
SELECT conformance.yes('S73', 'put right where that is wanted', (SELECT owner_id = given_to FROM contact WHERE id = :ann) AND (SELECT owner_id = 6 FROM contact WHERE id = :bob));
SELECT conformance.no('S73', 'again and again, or where nothing was written back', conformance.hits('S73', :ann) <> 1 OR conformance.hits('S73', :cid) > 0);
DROP FUNCTION s73;
ALTER TABLE contact DROP COLUMN given_to;

-- S74, turns are for paid users; nobody is left: the fallback, or nobody, and somebody is told
CREATE FUNCTION s74(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.owner_id IS NULL;
BEGIN
  SELECT rotate_owner(d, 'Senior sales');
  IF d.owner_id IS NULL THEN
    SELECT notify_team('Managers', 'nobody for ' || d.title);
    WAIT UNTIL anyone_available('Senior sales');
    SELECT rotate_owner(d, 'Senior sales');
  END IF;
END $$;
UPDATE app_user SET is_paid = false WHERE id = 4;
INSERT INTO deal (title) VALUES ('first'), ('second') RETURNING NULL \g /dev/null
CALL automation.run();
SELECT conformance.yes('S74', 'the paid one', (SELECT count(*) = 2 FROM deal WHERE owner_id = 5));
SELECT conformance.no('S74', 'the other one', EXISTS (SELECT FROM deal WHERE owner_id = 4));
UPDATE app_user SET is_paid = false WHERE id = 5;
INSERT INTO deal (title) VALUES ('third') RETURNING id AS third \gset
CALL automation.run();
SELECT conformance.no('S74', 'an owner who may not be one', (SELECT owner_id IS NOT NULL FROM deal WHERE id = :third));
SELECT conformance.yes('S74', 'somebody is told', EXISTS (SELECT FROM notification WHERE body = 'nobody for third'));
SELECT conformance.yes('S74', 'the fallback', (SELECT rotate('Senior sales', fallback => 6) = 6));
UPDATE app_user SET is_paid = true WHERE id IN (4, 5);
CALL automation.run();
SELECT conformance.yes('S74', 'given when somebody may', (SELECT owner_id IN (4, 5) FROM deal WHERE id = :third));
DROP FUNCTION s74;

-- S75, who has an owner is left, unless the box is ticked; a turn that is not used is not counted
SELECT new_deal('Mine') AS mine \gset
INSERT INTO deal (title) VALUES ('Nobody''s') RETURNING id AS nobodys \gset
SELECT rotate_owners('deal', ARRAY[:mine, :nobodys]::bigint[], team => 'Support', pool => 's75') AS written \gset
SELECT conformance.yes('S75', 'the one without', (SELECT owner_id = 7 FROM deal WHERE id = :nobodys) AND :written = 1);
SELECT conformance.no('S75', 'the one with an owner', (SELECT owner_id <> 1 FROM deal WHERE id = :mine));
SELECT conformance.no('S75', 'a turn for him who keeps his owner', (SELECT turns <> 1 FROM rotation_pool WHERE name = 's75'));
SELECT rotate_owner(d, 'Support', if_owned => 'reassign') FROM deal d WHERE id = :mine \g /dev/null
SELECT conformance.yes('S75', 'with the box', (SELECT owner_id = 7 FROM deal WHERE id = :mine));
SELECT conformance.refused('S75', 'another word', $q$ SELECT rotate_owners('deal', '{1}', team => 'Support', if_owned => 'replace') $q$, 'if_owned cannot be ''replace''');

-- S76, a task is given to who may work on the deal's pipeline
INSERT INTO pipeline_permission (pipeline_id, user_id) VALUES (pipeline('Enterprise'), 4);
CREATE FUNCTION s76(d deal, who text) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SELECT add_task(d, 'Check', assignee => who);
END $$;
SELECT new_deal('Closed to most', 'Enterprise') AS closed, new_deal('Open to all', 'Sales') AS open \gset
SELECT s76(d, 'Dora Engel') FROM deal d WHERE id = :closed \g /dev/null
SELECT s76(d, 'Emil Faure') FROM deal d WHERE id = :open \g /dev/null
CALL automation.run();
SELECT conformance.yes('S76', 'who may, and anybody where nobody is named', (SELECT assignee_id = 4 FROM activity WHERE deal_id = :closed) AND (SELECT assignee_id = 5 FROM activity WHERE deal_id = :open));
SELECT s76(d, 'Emil Faure') FROM deal d WHERE id = :closed \g /dev/null
CALL automation.run();
SELECT conformance.no('S76', 'who may not', EXISTS (SELECT FROM activity WHERE deal_id = :closed AND assignee_id = 5));
SELECT conformance.yes('S76', 'he is told who looks', (SELECT error LIKE '%Emil Faure may not be given work of pipeline "Enterprise"%' FROM automation.enrollments WHERE workflow = 's76'));
DROP FUNCTION s76;

-- S77, a user is deactivated: the workflows that are his go on, those that work for him, too; he is only given nothing new
-- S78, unless an administrator stops them: a role that is a member of the one that owns them
UPDATE app_user SET db_role = 'app' WHERE id = 1;
CREATE FUNCTION follow_up(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.owner_id IS NOT NULL;
BEGIN
  WAIT FOR '1 day';
  SELECT conformance.hit('S77', d.id);
END $$;
CREATE FUNCTION handover(u app_user) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF is_active FROM true TO false;
  ENROLL AGAIN;
BEGIN
  SELECT rotate_owners('deal', ARRAY(SELECT d.id FROM deal d WHERE d.owner_id = u.id AND d.status = 'open'), team => 'Sales', if_owned => 'reassign');
  SELECT notify_team('Managers', u.name || ' left, deals handed over');
END $$;
SELECT new_deal('One') AS one, new_deal('Two') AS two, new_deal('Won') AS won \gset
SELECT set_status(d, 'won') FROM deal d WHERE id = :won;
CALL automation.run();
UPDATE app_user SET is_active = false WHERE id = 1;
CALL automation.advance('2 days');
SELECT conformance.yes('S77', 'they are his', (SELECT w.owner = 'app'::regrole AND NOT u.is_active FROM automation.workflows w, app_user u WHERE w.name = 'follow_up' AND u.id = me()));
SELECT conformance.yes('S77', 'it went on', conformance.hits('S77', :one) = 1 AND conformance.hits('S77', :two) = 1);
SELECT conformance.yes('S77', 'his open deals are with others', (SELECT bool_and(owner_id IN (2, 3)) FROM deal WHERE id IN (:one, :two)));
SELECT conformance.no('S77', 'those that are won', (SELECT owner_id <> 1 FROM deal WHERE id = :won));
SELECT conformance.no('S77', 'he gets anything new', EXISTS (SELECT FROM generate_series(1, 4) n WHERE rotate('Sales') = 1));
SELECT new_deal('Three') AS three \gset
CALL automation.run();
SELECT conformance.yes('S77', 'it takes whom it took before', EXISTS (SELECT FROM automation.enrollments WHERE workflow = 'follow_up' AND subject_key = :'three'));
\c - administrator
SET search_path = try, crm;
SELECT automation.pause('follow_up', hold => true);
\c - app
SET search_path = try, crm;
SELECT new_deal('Four') AS four \gset
CALL automation.advance('2 days');
SELECT conformance.yes('S78', 'it stands still', (SELECT w.entry = 'paused' FROM automation.workflows w WHERE w.name = 'follow_up') AND conformance.hits('S77', :three) = 0);
SELECT conformance.no('S78', 'anybody enters', conformance.hits('S77', :four) > 0 OR EXISTS (SELECT FROM automation.enrollments WHERE workflow = 'follow_up' AND subject_key = :four::text));
\c - stranger
SET search_path = try, crm;
DO $$
BEGIN
    PERFORM automation.resume('follow_up');
    RAISE 'was not refused';
EXCEPTION WHEN insufficient_privilege OR undefined_function OR undefined_object THEN
END $$;
\c - app
SET search_path = try, crm;
SELECT conformance.no('S78', 'a stranger switches it on again', (SELECT w.entry <> 'paused' FROM automation.workflows w WHERE w.name = 'follow_up'));
\c - administrator
SET search_path = try, crm;
SELECT automation.resume('follow_up');
\c - app
SET search_path = try, crm;
CALL automation.advance('2 days');
SELECT conformance.yes('S78', 'switched on again it goes on', conformance.hits('S77', :three) = 1);
DROP FUNCTION follow_up;
DROP FUNCTION handover;
UPDATE app_user SET is_active = true, db_role = NULL;

-- S79, me: the user who works as the role that owns the workflow
UPDATE app_user SET db_role = 'app' WHERE id = 3;
UPDATE app_user SET db_role = 'stranger' WHERE id = 2;
CREATE FUNCTION s79(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.creator_id = me();
BEGIN
  SELECT conformance.hit('S79', d.id);
END $$;
INSERT INTO deal (title, creator_id) VALUES ('mine', 3) RETURNING id AS mine \gset
INSERT INTO deal (title, creator_id) VALUES ('another''s', 2) RETURNING id AS anothers \gset
INSERT INTO deal (title) VALUES ('nobody''s') RETURNING id AS nobodys \gset
CALL automation.run();
SELECT conformance.yes('S79', 'made by me', conformance.hits('S79', :mine) = 1);
SELECT conformance.no('S79', 'made by somebody else, or by nobody', conformance.hits('S79', :anothers) + conformance.hits('S79', :nobodys) > 0);
DROP FUNCTION s79;
