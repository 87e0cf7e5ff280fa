-- What is stated about the systems in passing.

-- S114, the status is a property of the ticket like any other, which a workflow reads, writes and waits for; its values are the stages of its pipeline
CREATE FUNCTION s114(t ticket) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.pipeline_id = pipeline('Help');
BEGIN
  SELECT set_ticket_status(t, 'Waiting on contact');
  WAIT UNTIL t.status_id = stage('Help', 'Waiting on us');
  SELECT conformance.hit('S114', t.id);
END $$;
INSERT INTO ticket (subject, pipeline_id) VALUES ('Leak', pipeline('Help')), ('No leak', pipeline('Help'));
SELECT id AS leak FROM ticket WHERE subject = 'Leak' \gset
SELECT id AS dry FROM ticket WHERE subject = 'No leak' \gset
CALL automation.run();
SELECT conformance.yes('S114', 'written', (SELECT status_id = stage('Help', 'Waiting on contact') FROM ticket WHERE id = :leak));
UPDATE ticket SET status_id = stage('Help', 'Waiting on us') WHERE id = :leak;
CALL automation.run();
SELECT conformance.yes('S114', 'waited for', conformance.hits('S114', :leak) = 1);
SELECT conformance.no('S114', 'another ticket', conformance.hits('S114', :dry) > 0);
SELECT conformance.refused('S114', 'a status of another pipeline', format($$UPDATE ticket SET status_id = stage('Sales', 'New') WHERE id = %s$$, :leak), 'pipeline "Sales" is for objects of type deal, not ticket');
DROP FUNCTION s114;

-- S115, users without a licence get no work from a rotation that asks for one
UPDATE app_user SET is_paid = false WHERE id = 2;
CREATE FUNCTION s115(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT rotate_owner(d, 'Sales', if_owned => 'reassign');
END $$;
INSERT INTO deal (title) SELECT 'S115 ' || n FROM generate_series(1, 6) n;
CALL automation.run();
SELECT conformance.yes('S115', 'those with one, in turn', (SELECT array_agg(DISTINCT owner_id) FROM deal WHERE title LIKE 'S115%') = '{1,3}');
SELECT conformance.no('S115', 'the one without', EXISTS (SELECT FROM deal WHERE title LIKE 'S115%' AND owner_id = 2));
UPDATE app_user SET is_paid = true WHERE id = 2;
DROP FUNCTION s115;

-- S116, the status of each criterion is edited for itself
CREATE FUNCTION status_of(ticket bigint) RETURNS text LANGUAGE sql AS $$
    SELECT s.name FROM crm.ticket t JOIN crm.pipeline_stage s ON s.id = t.status_id WHERE t.id = $1;
$$;
INSERT INTO ticket_pipeline_setting (pipeline_id, on_sent_enabled, on_sent_status_id, on_reply_enabled, on_reply_status_id)
VALUES (pipeline('Help'), true, stage('Help', 'Waiting on contact'), true, stage('Help', 'Waiting on us'));
UPDATE ticket_pipeline_setting SET on_reply_status_id = stage('Help', 'Closed');
SELECT new_contact('Ann') AS ann \gset
INSERT INTO ticket (subject, status_id) VALUES ('Leak', stage('Help', 'New')) RETURNING id AS t1 \gset
INSERT INTO conversation_thread (ticket_id, is_creating_thread) VALUES (:t1, true) RETURNING id AS h1 \gset
INSERT INTO email_message (class, direction, sent_from, ticket_id, contact_id, thread_id) VALUES ('personal', 'out', 'ticket', :t1, :ann, :h1) RETURNING id AS m1 \gset
SELECT conformance.no('S116', 'the other line', status_of(:t1) <> 'Waiting on contact');
INSERT INTO email_message (class, direction, contact_id, thread_id, in_reply_to) VALUES ('personal', 'in', :ann, :h1, :m1);
SELECT conformance.yes('S116', 'the edited one', status_of(:t1) = 'Closed');
DELETE FROM ticket_pipeline_setting;

-- S117, the workflow that others are enrolled in has to be active
CREATE FUNCTION s117_target(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S117', c.id, 'target');
END $$;
CREATE FUNCTION s117(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
DECLARE
  enrollment bigint;
BEGIN
  SELECT s117_target(c) INTO enrollment;
  WAIT UNTIL automation.finished(enrollment);
  SELECT conformance.hit('S117', c.id, 'over');
END $$;
SELECT new_contact('Bob') AS bob, new_contact('Cleo') AS cleo \gset
UPDATE contact SET lifecycle = 'lead' WHERE id = :bob;
CALL automation.run();
SELECT conformance.yes('S117', 'active', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'S117' AND key = :'bob') = '{target,over}');
SELECT automation.pause('s117_target');
UPDATE contact SET lifecycle = 'lead' WHERE id = :cleo;
CALL automation.run();
SELECT conformance.no('S117', 'not active', EXISTS (SELECT FROM conformance.hit WHERE id = 'S117' AND key = :'cleo' AND what = 'target'));
SELECT conformance.yes('S117', 'the history of the target has it', (SELECT array_agg(reason) FROM automation.journal WHERE workflow = 's117_target' AND event = 'not_entered') = '{missed_while_paused}');
DROP FUNCTION s117, s117_target;

-- S118, a token in the name of a channel has a default
INSERT INTO app_connection (app, installed_by) VALUES ('slack', 1);
CREATE FUNCTION s118(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SEND open_slack_channel(d, slack_channel_name('won ' || coalesce(d.custom ->> 'code name', 'no name')));
END $$;
INSERT INTO deal (title, owner_id, custom) VALUES ('Boat', 1, '{"code name": "Blue Whale"}') RETURNING id AS boat \gset
INSERT INTO deal (title, owner_id) VALUES ('Oar', 1) RETURNING id AS oar \gset
UPDATE deal SET status = 'won' WHERE id IN (:boat, :oar);
CALL automation.run();
SELECT conformance.yes('S118', 'an empty property: the default', (SELECT body::jsonb ->> 'name' FROM automation.deliveries WHERE workflow = 's118' AND subject_key = :'oar') = 'won-no-name');
SELECT conformance.no('S118', 'the default where there is a value', (SELECT body::jsonb ->> 'name' FROM automation.deliveries WHERE workflow = 's118' AND subject_key = :'boat') <> 'won-blue-whale');
DROP FUNCTION s118;

-- S119, what is copied has to be of a type that the target can hold
CREATE FUNCTION s119(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SELECT copy_property(d, 'expected_close_date', 'contact', 'renewal_date');
  SELECT copy_property(d, 'score', 'custom.points');
END $$;
SELECT new_deal('Sail', 'Sales', 'New', :ann) AS sail \gset
UPDATE deal SET expected_close_date = '2030-05-01', score = 7 WHERE id = :sail;
UPDATE deal SET status = 'won' WHERE id = :sail;
CALL automation.run();
SELECT conformance.yes('S119', 'a date to a date', (SELECT renewal_date = '2030-05-01' FROM contact WHERE id = :ann));
SELECT conformance.yes('S119', 'a number to a field without a type', (SELECT custom -> 'points' = '7' FROM deal WHERE id = :sail));
SELECT conformance.refused('S119', 'a date to a number', format($$SELECT copy_property(d, 'expected_close_date', 'score') FROM deal d WHERE id = %s$$, :sail), '%expected_close_date%score%');
SELECT conformance.refused('S119', 'a number to a date, of other records', format($$SELECT copy_property(d, 'score', 'contact', 'renewal_date') FROM deal d WHERE id = %s$$, :sail), '%score%renewal_date%');
DROP FUNCTION s119;

-- S120, webhooks to a server that one may use; to another one the workflow's owner is warned, and the step fails until he may
CREATE FUNCTION s120(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SEND webhook('/customers', c, server => 'hooks');
END $$;
CREATE FUNCTION s120_add_on(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SEND webhook('/customers', c, server => 'add_on');
  SELECT conformance.hit('S120', c.id);
END $$;
UPDATE contact SET lifecycle = 'customer' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('S120', 'the one that is granted', (SELECT array_agg(server || ' ' || state) FROM automation.deliveries WHERE workflow = 's120') = '{hooks queued}');
SELECT conformance.yes('S120', 'it says what is not', (SELECT error LIKE '%permission denied for foreign server add_on%' FROM automation.enrollments WHERE workflow = 's120_add_on'));
SELECT conformance.no('S120', 'the other one', EXISTS (SELECT FROM automation.deliveries WHERE server = 'add_on') OR conformance.hits('S120', :ann) > 0);
DROP FUNCTION s120, s120_add_on;

-- S121, where a personal mail is sent from decides what counts: opens from anywhere, clicks and answers with a connected mailbox, from a workflow or a deal
CREATE TABLE sent (id bigint, origin text);
WITH m AS (
    INSERT INTO email_message (class, direction, sent_from, contact_id, mailbox_id)
    SELECT 'personal', 'out', o.origin, :ann, CASE WHEN o.own THEN (SELECT id FROM connected_mailbox WHERE user_id = 1) END
    FROM (VALUES ('automation', true), ('deal', true), ('contact', true), ('overview', true), ('automation', false), ('deal', false)) o (origin, own)
    RETURNING id, sent_from || CASE WHEN mailbox_id IS NULL THEN ' without' ELSE '' END AS origin)
INSERT INTO sent SELECT * FROM m;
CREATE FUNCTION s121(c contact, message bigint, kind text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_open(new, 'personal') FOR SELECT new.contact_id, new.message_id, 'open';
  AFTER INSERT ON email_event WHEN counts_as_click(new, 'personal') FOR SELECT new.contact_id, new.message_id, 'click';
  AFTER INSERT ON email_message WHEN counts_as_reply(new, 'personal') FOR SELECT new.contact_id, new.in_reply_to, 'reply';
  ENROLL AGAIN PER c, message, kind;
BEGIN
  SELECT conformance.hit('S121', message, kind);
END $$;
INSERT INTO email_event (message_id, contact_id, kind) SELECT id, :ann, 'open' FROM sent;
CALL automation.run();
INSERT INTO email_event (message_id, contact_id, kind) SELECT id, :ann, 'click' FROM sent;
INSERT INTO email_message (class, direction, contact_id, in_reply_to) SELECT 'personal', 'in', :ann, id FROM sent;
CALL automation.run();
CREATE VIEW counted AS SELECT h.what, array_agg(s.origin ORDER BY s.origin) AS origins FROM conformance.hit h JOIN sent s ON s.id::text = h.key WHERE h.id = 'S121' GROUP BY h.what;
SELECT conformance.yes('S121', 'opens, wherever it was sent from', (SELECT origins FROM counted WHERE what = 'open') = '{automation,"automation without",contact,deal,"deal without",overview}');
SELECT conformance.yes('S121', 'clicks and answers, from a workflow or a deal', (SELECT bool_and(origins = '{automation,deal}') AND count(*) = 2 FROM counted WHERE what IN ('click', 'reply')));
SELECT conformance.no('S121', 'clicks and answers of the others', EXISTS (SELECT FROM counted WHERE what <> 'open' AND origins && '{contact,overview,"automation without","deal without"}'));
DROP FUNCTION s121;
DROP VIEW counted;
DROP TABLE sent;

-- S122, a change from one value to another: both ends, of a status, a value, an owner; of an order, a recurring payment, a custom object
CREATE FUNCTION s122(d deal, what text, before text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'open' TO 'won' FOR SELECT new.id, 'status', old.status;
  AFTER UPDATE OF value WHEN old.value < 1000 AND new.value >= 1000 FOR SELECT new.id, 'value', round(old.value)::text;
  AFTER UPDATE OF owner_id FROM 1 TO 2 FOR SELECT new.id, 'owner', old.owner_id::text;
  ENROLL AGAIN PER d, what;
BEGIN
  SELECT conformance.hit('S122', d.id, what || ' ' || before);
END $$;
INSERT INTO deal (title, value, owner_id) VALUES ('Right', 500, 1) RETURNING id AS right \gset
INSERT INTO deal (title, value, owner_id, status) VALUES ('Wrong', 1500, 3, 'lost') RETURNING id AS wrong \gset
INSERT INTO deal (title, value, owner_id) VALUES ('Elsewhere', 500, 1) RETURNING id AS elsewhere \gset
CALL automation.run();
UPDATE deal SET status = 'won', value = 2000, owner_id = 2 WHERE id IN (:right, :wrong);
UPDATE deal SET status = 'lost', value = 600, owner_id = 3 WHERE id = :elsewhere;
CALL automation.run();
SELECT conformance.yes('S122', 'the old value is known', (SELECT array_agg(what ORDER BY what) FROM conformance.hit WHERE id = 'S122' AND key = :'right') = '{"owner 1","status open","value 500"}');
SELECT conformance.no('S122', 'the same end from elsewhere', conformance.hits('S122', :wrong) > 0);
SELECT conformance.no('S122', 'another end', conformance.hits('S122', :elsewhere) > 0);
DROP FUNCTION s122;
CREATE FUNCTION s122_order(o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'completed' TO 'returned';
BEGIN
  SELECT conformance.hit('S122', 'order ' || o.id);
END $$;
CREATE FUNCTION s122_payment(r recurring_payment) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'active' TO 'failed';
BEGIN
  SELECT conformance.hit('S122', 'payment ' || r.id);
END $$;
CREATE FUNCTION s122_object(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'open' TO 'solved' WHEN new.type = 'help ticket';
BEGIN
  SELECT conformance.hit('S122', 'object ' || o.id);
END $$;
INSERT INTO sales_order (id, contact_id, status) VALUES (-1, :ann, 'completed'), (-2, :ann, 'pending'), (-3, :ann, 'completed');
INSERT INTO recurring_payment (id, contact_id, provider, amount, status) VALUES (-1, :ann, 'paypal', 9, 'active'), (-2, :ann, 'paypal', 9, 'paused'), (-3, :ann, 'paypal', 9, 'active');
INSERT INTO custom_object_record (id, type, status) VALUES (-1, 'help ticket', 'open'), (-2, 'help ticket', 'waiting'), (-3, 'help ticket', 'open');
CALL automation.run();
UPDATE sales_order SET status = CASE WHEN id = -3 THEN 'cancelled' ELSE 'returned' END WHERE id < 0;
UPDATE recurring_payment SET status = CASE WHEN id = -3 THEN 'cancelled' ELSE 'failed' END WHERE id < 0;
UPDATE custom_object_record SET status = CASE WHEN id = -3 THEN 'closed' ELSE 'solved' END WHERE id < 0;
CALL automation.run();
SELECT conformance.yes('S122', 'an order, a payment, an object', (SELECT array_agg(key ORDER BY key) FROM conformance.hit WHERE id = 'S122' AND key LIKE '% -1') = '{"object -1","order -1","payment -1"}');
SELECT conformance.no('S122', 'one of theirs with one end only', EXISTS (SELECT FROM conformance.hit WHERE id = 'S122' AND key LIKE '% -_' AND key NOT LIKE '% -1'));
DROP FUNCTION s122_order, s122_payment, s122_object;

-- S123, a recipe is there to be taken as it is: that of the call that is done
\ir ../../examples/36_task_completed.sql
SELECT add_task(c, 'Ask', due => automation.now(), type => 'call') AS call, add_task(c, 'Write', due => automation.now()) AS letter FROM contact c WHERE id = :ann \gset
SELECT score AS before FROM contact WHERE id = :ann \gset
SELECT complete_task(a, 'positive') FROM activity a WHERE id IN (:call, :letter);
CALL automation.run();
SELECT conformance.yes('S123', 'it works as it is', (SELECT score = :before + 10 FROM contact WHERE id = :ann));
SELECT conformance.no('S123', 'for another task, too', (SELECT score > :before + 10 FROM contact WHERE id = :ann));
DROP FUNCTION call_done;

-- S124, a goal takes people from where they stand
CREATE FUNCTION s124(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  SELECT conformance.hit('S124', c.id, 'start');
  WAIT FOR '30 days';
  SELECT conformance.hit('S124', c.id, 'reminded');
  GOAL bought WHEN EXISTS (SELECT FROM sales_order o WHERE o.contact_id = c.id AND o.placed_at >= entered_at());
  SELECT conformance.hit('S124', c.id, CASE WHEN found THEN 'bought' ELSE 'not bought' END);
END $$;
SELECT new_contact('Dan') AS dan, new_contact('Eve') AS eve \gset
UPDATE contact SET lifecycle = 'lead' WHERE id IN (:dan, :eve);
CALL automation.advance('2 days');
INSERT INTO sales_order (contact_id, status, total) VALUES (:dan, 'completed', 10);
CALL automation.run();
SELECT conformance.yes('S124', 'from the wait to the goal', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'S124' AND key = :'dan') = '{start,bought}');
SELECT conformance.no('S124', 'who does not meet it', conformance.hits('S124', :eve) > 1);
CALL automation.advance('30 days');
SELECT conformance.yes('S124', 'he goes the way', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'S124' AND key = :'eve') = '{start,reminded,not bought}');
DROP FUNCTION s124;

-- S125, actions are added to a stage: a workflow of the stage, then one more
CREATE FUNCTION s125(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF stage_id WHEN new.stage_id = stage('Sales', 'Proposal');
  ENROLL AGAIN;
BEGIN
  SELECT add_task(d, 'Write the proposal', automation.now() + interval '2 days', d.owner_id);
END $$;
SELECT new_deal('One') AS one, new_deal('Two') AS two, new_deal('Three') AS three \gset
UPDATE deal SET stage_id = stage('Sales', 'Proposal') WHERE id = :one;
CALL automation.run();
CREATE OR REPLACE FUNCTION s125(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF stage_id WHEN new.stage_id = stage('Sales', 'Proposal');
  ENROLL AGAIN;
BEGIN
  SELECT add_task(d, 'Write the proposal', automation.now() + interval '2 days', d.owner_id);
  SELECT notify_team('Managers', 'Proposal for ' || d.title, deal_id => d.id);
END $$;
UPDATE deal SET stage_id = stage('Sales', 'Proposal') WHERE id = :two;
UPDATE deal SET stage_id = stage('Sales', 'Contract') WHERE id = :three;
CALL automation.run();
SELECT conformance.yes('S125', 'the actions of the stage', (SELECT count(*) FROM activity WHERE deal_id IN (:one, :two) AND title = 'Write the proposal') = 2 AND (SELECT array_agg(deal_id) FROM notification WHERE body LIKE 'Proposal for%') = ARRAY[:two::bigint]);
SELECT conformance.no('S125', 'another stage', EXISTS (SELECT FROM activity WHERE deal_id = :three));
DROP FUNCTION s125;
