-- Steps that make things, linked to what they have to do with.

-- A116, an activity linked to person, organisation and deal is seen from each; without a link it is there, but not seen
CREATE FUNCTION a116(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  IF d.title LIKE 'hidden%' THEN
    SELECT create_activity(d, 'call', 'Call about ' || d.title, link => '{}');
  ELSE
    SELECT create_activity(d, 'call', 'Call about ' || d.title, now() + interval '1 day');
  END IF;
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT add_contact_to_account(c, 'Acme') AS acme FROM contact c WHERE id = :ann \gset
SELECT new_deal('Big', 'Sales', 'New', :ann, :bob) AS big, new_deal('hidden', 'Sales', 'New', :ann) AS hidden \gset
CALL automation.run();
SELECT conformance.yes('A116', 'seen from deal, person and organisation',
    (SELECT (type, contact_id, account_id, assignee_id, source) = ('call', :ann::bigint, :acme::bigint, 1::bigint, 'automation'::record_source) FROM activity WHERE deal_id = :big));
SELECT conformance.yes('A116', 'without a link it is there', EXISTS (SELECT FROM activity WHERE title = 'Call about hidden'));
SELECT conformance.no('A116', 'and seen from nothing', (SELECT num_nonnulls(deal_id, contact_id, account_id, ticket_id, project_id, record_id) > 0 FROM activity WHERE title = 'Call about hidden'));
DROP FUNCTION a116;

-- A117, a deal and its person from an organisation; who is there by that address is not made again
CREATE FUNCTION a117(s form_submission) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission WHEN new.form_id = form('Trial');
DECLARE
  person bigint;
  deal_id bigint;
BEGIN
  SELECT create_contact(a, s.data ->> 'email', s.data ->> 'name') INTO person FROM account a WHERE a.name = s.data ->> 'company';
  SELECT create_deal(p, 'Trial of ' || p.name, 'Sales', 'Qualified') INTO deal_id FROM contact p WHERE p.id = person;
  SELECT create_contact(d, s.data ->> 'boss') FROM deal d WHERE d.id = deal_id AND s.data ? 'boss';
END $$;
INSERT INTO form_submission (form_id, data) VALUES
  (form('Trial'), '{"email": "zoe@acme.example", "name": "Zoe", "company": "Acme", "boss": "ANN@example.com"}'),
  (form('Trial'), '{"email": "yves@nowhere.example", "name": "Yves", "company": "Nowhere"}');
CALL automation.run();
SELECT conformance.yes('A117', 'the person, of the organisation', (SELECT account_of(c) = :acme AND source = 'automation' FROM contact c WHERE email = 'zoe@acme.example'));
SELECT conformance.yes('A117', 'the deal, of both', (SELECT d.account_id = :acme AND d.stage_id = stage('Sales', 'Qualified')
                        FROM deal d JOIN contact c ON c.id = primary_contact(d) WHERE d.title = 'Trial of Zoe' AND c.email = 'zoe@acme.example'));
SELECT conformance.yes('A117', 'somebody who was there, as a further one',
    (SELECT contacts_of(d) = ARRAY[(SELECT id FROM contact WHERE first_name = 'Zoe'), :ann] FROM deal d WHERE title = 'Trial of Zoe'));
SELECT create_deal(c, 'Of nobody', 'Sales', link => '{}') AS unlinked FROM contact c WHERE id = :ann \gset
SELECT conformance.no('A117', 'seen from the person, without a link', EXISTS (SELECT FROM deal_contact WHERE deal_id = :unlinked)
                      OR (SELECT account_id IS NOT NULL OR title <> 'Of nobody' FROM deal WHERE id = :unlinked));
SELECT conformance.no('A117', 'made again', (SELECT count(*) <> 1 FROM contact WHERE lower(email) = 'ann@example.com'));
SELECT conformance.no('A117', 'of a company that is not there', EXISTS (SELECT FROM contact WHERE first_name = 'Yves') OR EXISTS (SELECT FROM deal WHERE title = 'Trial of Yves'));
DROP FUNCTION a117;

-- A118, a product with its quantity and price; several are several steps
CREATE FUNCTION a118(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id WHEN new.stage_id = stage('Sales', 'Proposal');
BEGIN
  SELECT add_product(d, 'product 3', 5, 25);
  SELECT add_product(d, 'product 4');
END $$;
SELECT move_to_stage(d, 'Proposal') FROM deal d WHERE id = :big;
CALL automation.run();
SELECT conformance.yes('A118', 'quantity and price', (SELECT (quantity, unit_price) = (5::numeric, 25::numeric) FROM deal_product WHERE deal_id = :big AND product_id = product('product 3')));
SELECT conformance.yes('A118', 'one, at its own price', (SELECT (quantity, unit_price) = (1::numeric, 40::numeric) FROM deal_product WHERE deal_id = :big AND product_id = product('product 4')));
SELECT conformance.no('A118', 'a deal that did not get there', EXISTS (SELECT FROM deal_product WHERE deal_id = :hidden));
SELECT conformance.refused('A118', 'a product that is not there', format($q$ SELECT add_product(d, 'product 99') FROM deal d WHERE id = %s $q$, :big), 'there is no product "product 99"');
SELECT conformance.refused('A118', 'none of it', format($q$ SELECT add_product(d, 'product 5', 0) FROM deal d WHERE id = %s $q$, :big), '%deal_product_quantity_check%');
DROP FUNCTION a118;

-- A119, a label on each new deal that comes from outside
CREATE FUNCTION a119(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.source = 'api';
BEGIN
  SELECT add_label(d, 'API');
  SELECT add_label(d, 'look at it');
END $$;
SET crm.source = 'api';
SELECT new_deal('From outside') AS outside \gset
RESET crm.source;
SELECT new_deal('By hand') AS by_hand \gset
SELECT add_label(d, 'API') FROM deal d WHERE id = :outside \g /dev/null
CALL automation.run();
SELECT conformance.yes('A119', 'the label, and one that was not there', (SELECT has_label(d, 'API') AND has_label(d, 'look at it') FROM deal d WHERE id = :outside));
SELECT conformance.no('A119', 'twice', (SELECT count(*) <> 2 FROM deal_label WHERE deal_id = :outside));
SELECT conformance.no('A119', 'a deal made by hand', EXISTS (SELECT FROM deal_label WHERE deal_id = :by_hand));
SELECT remove_label(d, 'look at it'), remove_label(d, 'of no deal') FROM deal d WHERE id = :outside \g /dev/null
SELECT conformance.yes('A119', 'taken off again, and no other', (SELECT has_label(d, 'API') AND NOT has_label(d, 'look at it') FROM deal d WHERE id = :outside));
DROP FUNCTION a119;

-- A120, a reminder that is due when the deal goes stale; it moves with the deal
CREATE FUNCTION going_stale(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF stage_id;
  ENROLL REPLACE;
BEGIN
  UPDATE activity SET deleted_at = now() WHERE deal_id = d.id AND title = 'going stale' AND status = 'open' AND deleted_at IS NULL;
  SELECT create_activity(d, 'task', 'going stale', rotten_at(d)) WHERE rotten_at(d) IS NOT NULL;
END $$;
SELECT new_deal('Slow', 'Sales', 'New', :ann) AS slow \gset
INSERT INTO deal (title) VALUES ('Of no pipeline') RETURNING id AS loose \gset
CALL automation.run();
CALL automation.advance('10 days');
SELECT move_to_stage(d, 'Demo') FROM deal d WHERE id = :slow;
CALL automation.run();
SELECT conformance.yes('A120', 'due at the rotting date of its stage',
    (SELECT count(*) = 1 AND bool_and(a.due_at = rotten_at(d) AND a.due_at = d.stage_entered_at + interval '14 days' AND a.contact_id = :ann)
     FROM activity a JOIN deal d ON d.id = a.deal_id WHERE d.id = :slow AND a.deleted_at IS NULL));
SELECT conformance.no('A120', 'the one of the earlier stage', (SELECT count(*) <> 1 FROM activity WHERE deal_id = :slow AND deleted_at IS NOT NULL));
SELECT conformance.no('A120', 'a deal that cannot rot', EXISTS (SELECT FROM activity WHERE deal_id = :loose));
DROP FUNCTION going_stale;

-- A121, a project of the deal that is won; A122, its fields
CREATE FUNCTION a121(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SELECT create_project(d, 'Rollout of ' || d.title, 'Projects');
END $$;
CREATE FUNCTION a122(p project) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id WHEN new.stage_id = stage('Projects', 'Review');
BEGIN
  SELECT set_status(p, 'completed');
  SELECT set_owner(p, 6);
  SELECT set_property(p, 'custom.reviewed', 'yes');
  SELECT set_property(p, 'name', p.name || ', done');
END $$;
SELECT set_status(d, 'won') FROM deal d WHERE id = :big;
SELECT set_status(d, 'lost') FROM deal d WHERE id = :slow;
CALL automation.run();
SELECT conformance.yes('A121', 'the project, of the deal, its contacts and its account',
    (SELECT (p.name, p.stage_id, p.account_id, p.owner_id) = ('Rollout of Big', stage('Projects', 'Kick-off'), :acme::bigint, 1::bigint)
            AND contacts_of(p) = ARRAY[:ann, :bob]::bigint[] FROM project p WHERE p.deal_id = :big));
SELECT conformance.no('A121', 'a deal that is lost', EXISTS (SELECT FROM project WHERE deal_id = :slow));
SELECT conformance.refused('A121', 'no such pipeline', format($q$ SELECT create_project(d, 'x', 'Sales') FROM deal d WHERE id = %s $q$, :big), 'there is no pipeline "Sales" of projects');
SELECT create_project(d, 'Other', 'Projects', owner => 2) AS other FROM deal d WHERE id = :hidden \gset
SELECT move_to_stage(p, CASE p.id WHEN :other THEN 'Delivery' ELSE 'Review' END) FROM project p;
CALL automation.run();
SELECT conformance.yes('A122', 'status, owner, a field, the name', (SELECT (status, owner_id, custom->>'reviewed', name) = ('completed', 6::bigint, 'yes', 'Rollout of Big, done') FROM project WHERE deal_id = :big));
SELECT conformance.no('A122', 'another project', (SELECT (status, owner_id, name) <> ('open', 2::bigint, 'Other') FROM project WHERE id = :other));
SELECT conformance.refused('A122', 'a status that there is not', format($q$ SELECT set_status(p, 'paused') FROM project p WHERE id = %s $q$, :other), '%project_status_check%');
DROP FUNCTION a121;
DROP FUNCTION a122;

-- A123, a step of another service: while it is connected; one that is not installed is an error of the step
CREATE FUNCTION a123(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF owner_id;
  ENROLL AGAIN;
BEGIN
  SEND slack('#sales', d.title || ' has a new owner') WHERE is_connected('slack');
END $$;
INSERT INTO app_connection (app) VALUES ('slack');
SELECT set_owner(d, 3) FROM deal d WHERE id = :hidden;
CALL automation.run();
SELECT conformance.yes('A123', 'connected: it works', (SELECT count(*) = 1 AND min(server) = 'slack' FROM automation.deliveries WHERE workflow = 'a123'));
UPDATE app_connection SET status = 'disconnected';
SELECT set_owner(d, 2) FROM deal d WHERE id = :hidden;
CALL automation.run();
SELECT conformance.no('A123', 'disconnected: nothing is sent', (SELECT count(*) <> 1 FROM automation.deliveries WHERE workflow = 'a123'));
DROP FUNCTION a123;
CREATE FUNCTION a123(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF owner_id;
BEGIN
  SEND http_request('POST', '/cards', d.title, server => 'jira');
END $$;
SELECT set_owner(d, 3) FROM deal d WHERE id = :hidden;
CALL automation.run();
SELECT conformance.yes('A123', 'not installed: the step says so', (SELECT error LIKE '%"jira"%' FROM automation.enrollments WHERE workflow = 'a123'));
SELECT conformance.no('A123', 'not installed: nothing is sent', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'a123' AND server = 'jira'));
DROP FUNCTION a123;
