-- The recipes of examples/, as they are there, each with real writes: 26 to 50.

\ir recipes.sql

-- E26, a custom object is made: urgent ticket, series on a purchase, reminder of an event
\ir ../../examples/26_custom_object_created.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO custom_object_record (type, name, urgency, owner_id) VALUES ('help ticket', 'leak', 'high', 7), ('help ticket', 'fog', 'high', NULL), ('help ticket', 'rust', 'low', 7);
INSERT INTO custom_object_record (type, name) VALUES ('purchase', 'Boat') RETURNING id AS purchase \gset
INSERT INTO custom_object_record (type, name) VALUES ('boat', 'Swift') RETURNING id AS boat \gset
INSERT INTO custom_object_record (type, name, custom) VALUES ('registration', 'Fair', jsonb_build_object('starts_at', automation.now() + interval '5 days')) RETURNING id AS fair \gset
INSERT INTO custom_object_record (type, name, custom) VALUES ('registration', 'Ball', jsonb_build_object('starts_at', automation.now() + interval '5 days')) RETURNING id AS ball \gset
INSERT INTO custom_object_link (record_id, contact_id) VALUES (:purchase, :ann), (:fair, :ann), (:ball, :bob), (:boat, :bob);
CALL automation.run();
SELECT conformance.yes('E26', 'the manager, or the team', told(7) = '{"urgent help ticket: leak"}' AND told('Support') = '{"urgent help ticket: fog"}');
SELECT conformance.no('E26', 'what is not urgent', EXISTS (SELECT FROM notification WHERE body LIKE '%rust%'));
UPDATE custom_object_record SET status = 'cancelled' WHERE id = :ball;
CALL automation.advance('3 days');
SELECT conformance.no('E26', 'the reminder, or the second mail, too early', mails('registration_reminder') <> '{}' OR cardinality(mails('purchase_series')) > 1);
CALL automation.advance('5 days');
SELECT conformance.yes('E26', 'series', mails('purchase_series') = '{"purchase: one > ann@example.com","purchase: two > ann@example.com"}'
    AND EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'purchase_series' AND title = 'A week with your Boat'));
SELECT conformance.yes('E26', 'event', mails('registration_reminder') = '{"registration: tomorrow > ann@example.com"}');
CALL next_recipe();
INSERT INTO custom_object_record (type, name, urgency, owner_id, custom) VALUES ('boat', 'Swan', 'high', 7, jsonb_build_object('starts_at', automation.now() + interval '2 days')) RETURNING id AS swan \gset
INSERT INTO custom_object_link (record_id, contact_id) VALUES (:swan, :bob);
CALL automation.advance('3 days');
SELECT conformance.no('E26', 'a record of another type', told(7) <> '{}' OR 'registration: tomorrow > bob@example.com' = ANY (mails('registration_reminder')));
CALL next_recipe();
DROP FUNCTION urgent_ticket, purchase_series, registration_reminder;

-- E27, a custom object changes: billing, deal owners, guests
\ir ../../examples/27_custom_object_updated.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT new_deal('Boat', 'Sales', 'New', :ann) AS boat, new_deal('Sail', 'Sales', 'New', :ann) AS sail, new_deal('Oar', 'Sales', 'New', :bob) AS oar \gset
UPDATE deal SET owner_id = 2 WHERE id = :oar;
INSERT INTO custom_object_record (type, name) VALUES ('payment', 'May') RETURNING id AS may \gset
INSERT INTO custom_object_record (type, name) VALUES ('help ticket', 'leak') RETURNING id AS leak \gset
INSERT INTO custom_object_record (type, name, custom) VALUES ('meeting', 'Kick-off', jsonb_build_object('starts_at', automation.now() + interval '2 days')) RETURNING id AS meeting \gset
INSERT INTO custom_object_link (record_id, contact_id) VALUES (:leak, :ann), (:meeting, :ann), (:meeting, :bob);
CALL automation.run();
UPDATE custom_object_record SET status = 'paid' WHERE id IN (:may, :leak);
CALL automation.run();
SELECT conformance.yes('E27', 'billing', told('Billing') = '{"paid: May"}');
SELECT conformance.no('E27', 'a ticket that is paid, or not solved', cardinality(told('Billing')) > 1 OR told(1) <> '{}');
UPDATE custom_object_record SET status = 'solved' WHERE id = :leak;
UPDATE custom_object_record SET custom = jsonb_build_object('starts_at', automation.now() + interval '4 days') WHERE id = :meeting;
CALL automation.run();
SELECT conformance.yes('E27', 'deal owners, once', told(1) = '{"help ticket solved: leak"}');
SELECT conformance.no('E27', 'owners of other deals', told(2) <> '{}');
SELECT conformance.yes('E27', 'guests', mails('meeting_moved') = '{"meeting: moved > ann@example.com","meeting: moved > bob@example.com"}');
CALL automation.advance('3 days');
SELECT conformance.no('E27', 'a reminder of the old time', 'meeting: soon > ann@example.com' = ANY (mails('meeting_moved')));
CALL automation.advance('1 day');
SELECT conformance.yes('E27', 'a reminder', ARRAY['meeting: soon > ann@example.com', 'meeting: soon > bob@example.com'] <@ mails('meeting_moved'));
INSERT INTO custom_object_record (type, name, custom) VALUES ('boat', 'Swan', '{"starts_at": "2020-01-01"}') RETURNING id AS swan \gset
INSERT INTO custom_object_record (type, name) VALUES ('payment', 'June') RETURNING id AS june \gset
INSERT INTO custom_object_link (record_id, contact_id) VALUES (:swan, :ann);
CALL automation.run();
CALL next_recipe();
UPDATE custom_object_record SET status = 'solved', custom = '{"starts_at": "2020-01-02"}' WHERE id = :swan;
UPDATE custom_object_record SET status = 'refused' WHERE id = :june;
UPDATE custom_object_record SET status = 'open' WHERE id = :leak;
UPDATE custom_object_record SET custom = custom || '{"room": 7}' WHERE id = :meeting;
CALL automation.run();
SELECT conformance.no('E27', 'other types, other values', told(1) <> '{}' OR told('Billing') <> '{}' OR cardinality(mails('meeting_moved')) > 4);
UPDATE custom_object_record SET status = 'solved' WHERE id = :leak;
UPDATE custom_object_record SET custom = jsonb_build_object('starts_at', automation.now() + interval '3 days') WHERE id = :meeting;
CALL automation.run();
SELECT conformance.yes('E27', 'solved again', told(1) = '{"help ticket solved: leak"}');
CALL next_recipe();
UPDATE custom_object_record SET custom = jsonb_build_object('starts_at', automation.now() + interval '4 days') WHERE id = :meeting;
CALL automation.run();
SELECT conformance.yes('E27', 'moved again, and again', (SELECT count(*) FROM unnest(mails('meeting_moved')) m WHERE m = 'meeting: moved > ann@example.com') = 3);
CALL next_recipe();
DROP FUNCTION payment_paid, ticket_solved, meeting_moved;

-- E28, a field of an account: prospecting, current customers, people
\ir ../../examples/28_target_account.sql
INSERT INTO account (name, industry, owner_id) VALUES ('Bank Ltd', 'banking', 1) RETURNING id AS bank \gset
INSERT INTO account (name, industry, owner_id) VALUES ('Boats Ltd', 'shipping', 2) RETURNING id AS boats \gset
INSERT INTO contact (first_name, email, country) VALUES ('Ann', 'ann@example.com', 'FR') RETURNING id AS ann \gset
INSERT INTO contact (first_name, email, country) VALUES ('Bob', 'bob@example.com', 'DE') RETURNING id AS bob \gset
INSERT INTO contact (first_name, email, country) VALUES ('Eve', 'eve@example.com', 'FR') RETURNING id AS eve \gset
INSERT INTO account_contact (account_id, contact_id) VALUES (:bank, :ann), (:bank, :bob), (:boats, :eve);
UPDATE account SET is_target = true WHERE id IN (:bank, :boats);
CALL automation.run();
SELECT conformance.yes('E28', 'prospecting, and the owner', mails('target_account') = '{"prospecting > ann@example.com"}' AND told(1) = '{"Bank Ltd is a target account"}');
SELECT conformance.no('E28', 'another industry', told(2) <> '{}');
UPDATE account SET customer_status = 'customer' WHERE id IN (:bank, :boats);
CALL automation.run();
SELECT conformance.no('E28', 'marked, but no deal is won', EXISTS (SELECT FROM contact WHERE status = 'current customer'));
INSERT INTO account (name, customer_status, owner_id) VALUES ('Oars Ltd', 'prospect', 3) RETURNING id AS oars \gset
UPDATE account SET customer_status = 'customer' WHERE id = :oars;
CALL automation.run();
UPDATE account SET customer_status = 'prospect' WHERE id = :oars;
CALL automation.run();
INSERT INTO deal (title, account_id) VALUES ('Vault', :bank), ('Mast', :boats), ('Oar', :oars);
UPDATE deal SET status = 'won' WHERE title IN ('Vault', 'Oar');
CALL automation.run();
SELECT conformance.yes('E28', 'all contacts are current customers', (SELECT array_agg(id ORDER BY id) FROM contact WHERE status = 'current customer') = ARRAY[:ann, :bob]::bigint[]);
SELECT conformance.yes('E28', 'the owner', 'Bank Ltd is a customer' = ANY (told(1)));
SELECT conformance.no('E28', 'who is marked no longer when the deal is won', told(3) <> '{}');
CALL next_recipe();
DROP FUNCTION target_account, account_is_customer;

-- E29, a stage: tasks, messages that move the deal on; one that has moved gets none
\ir ../../examples/29_deal_stage.sql
INSERT INTO account (name, owner_id) VALUES ('Bell Ltd', 3) RETURNING id AS bell \gset
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve \gset
INSERT INTO account_contact (account_id, contact_id, is_primary) VALUES (:bell, :ann, true);
SELECT new_deal('Boat', 'Sales', 'New', :ann, :bob) AS boat, new_deal('Oar', 'Sales', 'New', :eve) AS oar, new_deal('Sail') AS sail, new_deal('Mast', 'Sales', 'New', :eve) AS mast \gset
UPDATE deal SET stage_id = stage('Sales', 'Qualified') WHERE id = :boat;
UPDATE deal SET stage_id = stage('Sales', 'Demo') WHERE id = :sail;
CALL automation.run();
SELECT conformance.yes('E29', 'task of the stage', tasks(:boat) = '{"task: Ask for the budget / Ada Bell"}');
UPDATE deal SET stage_id = stage('Sales', 'Proposal') WHERE id IN (:boat, :oar);
CALL automation.run();
SELECT conformance.yes('E29', 'task of the next stage, for the account owner', tasks(:boat) = '{"task: Ask for the budget / Ada Bell","task: Send the proposal / Chiara Dahl"}');
SELECT conformance.yes('E29', 'mail to each contact', mails('deal_stage') = '{"proposal > ann@example.com","proposal > bob@example.com","proposal > eve@example.com"}');
CALL next_recipe();
SELECT conformance.no('E29', 'a word at once', 'proposal: questions > ann@example.com' = ANY (mails('deal_stage')));
UPDATE deal SET stage_id = stage('Sales', 'Contract') WHERE id = :oar;
UPDATE deal SET stage_id = stage('Sales', 'Proposal') WHERE id = :mast;
CALL automation.run();
UPDATE deal SET status = 'lost' WHERE id = :mast;
CALL automation.advance('6 days');
SELECT conformance.yes('E29', 'a word to move it on', ARRAY['proposal: questions > ann@example.com', 'proposal: questions > bob@example.com'] <@ mails('deal_stage'));
SELECT conformance.no('E29', 'to a deal that has moved, or is lost', 'proposal: questions > eve@example.com' = ANY (mails('deal_stage')));
SELECT conformance.no('E29', 'a task of another stage', tasks(:sail) <> '{}');
CALL next_recipe();
DROP FUNCTION deal_stage;

-- E30, won or lost: tags, note, tasks, manager, webhook
\ir ../../examples/30_deal_closed.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve \gset
SELECT new_deal('Boat', 'Sales', 'New', :ann, :bob) AS boat, new_deal('Oar', 'Sales', 'New', :eve) AS oar \gset
UPDATE deal SET status = 'won' WHERE id = :boat;
UPDATE deal SET status = 'lost' WHERE id = :oar;
CALL automation.run();
SELECT conformance.yes('E30', 'won: tag, task, manager', tagged(:ann, 'customer') AND tagged(:bob, 'customer') AND tasks(:boat) = '{"task: Set up Boat / Ada Bell"}' AND told('Managers') = '{"won: Boat"}');
SELECT conformance.yes('E30', 'won: the help desk', (SELECT array_agg(target || ' ' || (body::jsonb ->> 'type') || ' ' || (body::jsonb #>> '{data,contacts,0,email}')) FROM automation.deliveries WHERE workflow = 'deal_won')
    = '{"https://hooks.example.com/accounts deal.won ann@example.com"}');
SELECT conformance.yes('E30', 'lost: note and tag', EXISTS (SELECT FROM note WHERE deal_id = :oar AND body LIKE 'lost on %') AND tagged(:eve, 'lost deal'));
SELECT conformance.no('E30', 'lost is not won', tagged(:eve, 'customer') OR tasks(:oar) <> '{}');
UPDATE deal SET status = 'open' WHERE id = :boat;
CALL automation.run();
UPDATE deal SET status = 'won' WHERE id = :boat;
CALL automation.run();
SELECT conformance.no('E30', 'twice', cardinality(told('Managers')) > 1);
SELECT conformance.no('E30', 'won is not lost', EXISTS (SELECT FROM note WHERE deal_id = :boat) OR tagged(:ann, 'lost deal'));
CALL next_recipe();
DROP FUNCTION deal_won, deal_lost;

-- E31, the value: sales person, note, pipeline; not in another currency
\ir ../../examples/31_deal_value.sql
SELECT new_deal('Boat') AS boat, new_deal('Oar') AS oar \gset
UPDATE deal SET currency = 'USD' WHERE id = :oar;
CALL automation.run();
UPDATE deal SET value = 5000 WHERE id IN (:boat, :oar);
CALL automation.run();
SELECT conformance.yes('E31', 'sales person and note', told(1) = '{"value of Boat: 5000"}' AND (SELECT array_agg(body) FROM note WHERE deal_id = :boat) = '{"value from 1000 to 5000"}');
SELECT conformance.no('E31', 'moved though it is small', (SELECT pipeline_id <> pipeline('Sales') FROM deal WHERE id = :boat));
UPDATE deal SET value = 200000 WHERE id IN (:boat, :oar);
CALL automation.run();
SELECT conformance.yes('E31', 'pipeline', (SELECT stage_id = stage('Enterprise', 'New') FROM deal WHERE id = :boat));
SELECT conformance.no('E31', 'another currency', EXISTS (SELECT FROM note WHERE deal_id = :oar) OR (SELECT pipeline_id <> pipeline('Sales') FROM deal WHERE id = :oar));
CALL next_recipe();
DROP FUNCTION deal_value;

-- E32, the owner: told, task
\ir ../../examples/32_deal_owner.sql
SELECT new_deal('Boat') AS boat, new_deal('Oar') AS oar \gset
CALL automation.run();
UPDATE deal SET owner_id = 2 WHERE id = :boat;
UPDATE deal SET owner_id = NULL WHERE id = :oar;
CALL automation.run();
SELECT conformance.yes('E32', 'told and task', told(2) = '{"you own Boat now"}' AND tasks(:boat) = '{"call: Say hello: Boat / Bruno Costa"}');
SELECT conformance.no('E32', 'the old owner; a deal that has none any more', told(1) <> '{}' OR tasks(:oar) <> '{}');
UPDATE deal SET owner_id = 3 WHERE id = :boat;
CALL automation.run();
SELECT conformance.yes('E32', 'the next owner', told(3) = '{"you own Boat now"}' AND cardinality(tasks(:boat)) = 2);
CALL next_recipe();
DROP FUNCTION deal_owner;

-- E33, enters a pipeline: invitation, marketing ends, sales takes over; a move within it does nothing
\ir ../../examples/33_enters_pipeline.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET lifecycle = 'lead' WHERE id IN (:ann, :bob);
SELECT new_deal('Boat', 'Enterprise', 'New', :ann) AS boat \gset
SELECT new_deal('Oar', 'Enterprise', 'New', :bob) AS oar \gset
CALL automation.run();
UPDATE deal SET pipeline_id = pipeline('Sales'), stage_id = stage('Sales', 'New') WHERE id = :boat;
UPDATE deal SET stage_id = stage('Enterprise', 'Qualified') WHERE id = :oar;
CALL automation.run();
UPDATE deal SET stage_id = stage('Sales', 'Qualified') WHERE id = :boat;
CALL automation.advance('8 days');
SELECT conformance.yes('E33', 'invitation', mails('enters_pipeline') = '{"sales: a call > ann@example.com"}');
SELECT conformance.yes('E33', 'task and word', tasks(:boat) = '{"task: Take over: Boat / Ada Bell"}' AND told('Sales') = '{"new in the pipeline: Boat"}');
SELECT conformance.yes('E33', 'marketing goes on for others', mails('marketing_series') = '{"marketing: weekly > bob@example.com"}');
CALL next_recipe();
CALL automation.advance('7 days');
SELECT conformance.yes('E33', 'each week', mails('marketing_series') = '{"marketing: weekly > bob@example.com","marketing: weekly > bob@example.com"}');
CALL next_recipe();
SELECT new_contact('Dan') AS dan \gset
UPDATE contact SET lifecycle = 'lead' WHERE id = :dan;
CALL automation.run();
UPDATE contact SET unsubscribed = true WHERE id = :dan;
CALL automation.advance('8 days');
SELECT conformance.no('E33', 'to who wants no more', 'marketing: weekly > dan@example.com' = ANY (mails('marketing_series')));
SELECT conformance.no('E33', 'another pipeline, a move within', tasks(:oar) <> '{}' OR cardinality(tasks(:boat)) > 1);
SELECT new_deal('Mast', 'Sales', 'New', :bob) AS mast \gset
CALL automation.run();
SELECT conformance.yes('E33', 'by creation', 'sales: a call > bob@example.com' = ANY (mails('enters_pipeline')));
CALL next_recipe();
SELECT new_contact('Fay') AS fay \gset
UPDATE contact SET lifecycle = 'subscriber' WHERE id = :fay;
UPDATE deal SET pipeline_id = pipeline('Enterprise'), stage_id = stage('Enterprise', 'New') WHERE id = :boat;
CALL automation.run();
UPDATE deal SET pipeline_id = pipeline('Sales'), stage_id = stage('Sales', 'New') WHERE id = :boat;
CALL automation.advance('8 days');
SELECT conformance.yes('E33', 'a deal that comes back', told('Sales') = '{"new in the pipeline: Boat"}');
SELECT conformance.no('E33', 'marketing to who is no lead', 'marketing: weekly > fay@example.com' = ANY (mails('marketing_series')));
CALL next_recipe();
DROP FUNCTION enters_pipeline, marketing_series;

-- E34, a field of a deal: task, people, personal mail once won
\ir ../../examples/34_deal_field.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT new_deal('Boat', 'Sales', 'New', :ann) AS boat, new_deal('Oar', 'Sales', 'New', :bob) AS oar \gset
UPDATE deal SET owner_id = 2 WHERE id = :boat;
CALL automation.run();
UPDATE deal SET custom = '{"contract": "signed"}' WHERE id = :boat;
UPDATE deal SET custom = '{"contract": "sent"}', status = 'won' WHERE id = :oar;
CALL automation.run();
SELECT conformance.yes('E34', 'task and people', tasks(:boat) = '{"task: File the contract of Boat / Bruno Costa"}' AND told('Managers') = '{"signed: Boat"}');
SELECT conformance.no('E34', 'the mail before it is won', mails('contract_signed') <> '{}');
UPDATE deal SET status = 'won' WHERE id = :boat;
CALL automation.run();
SELECT conformance.yes('E34', 'personal mail, from the owner', mails('contract_signed') = '{"signed > ann@example.com"}'
    AND EXISTS (SELECT FROM automation.deliveries d WHERE d.workflow = 'contract_signed' AND d.body LIKE '%Bruno Costa%' AND d.options::text LIKE '%bruno@example.com%'));
SELECT conformance.no('E34', 'another value', tasks(:oar) <> '{}' OR cardinality(told('Managers')) > 1);
SELECT new_deal('Mast', 'Sales', 'New', :bob) AS mast \gset
UPDATE deal SET custom = '{"contract": "signed"}' WHERE id = :mast;
CALL automation.advance('31 days');
UPDATE deal SET status = 'won' WHERE id = :mast;
CALL automation.run();
SELECT conformance.no('E34', 'won after more than 30 days', 'signed > bob@example.com' = ANY (mails('contract_signed')));
CALL next_recipe();
DROP FUNCTION contract_signed;

-- E35, a download: scores, task, product information; another file
\ir ../../examples/35_file_downloaded.sql
SELECT new_contact('Ann', owner => 1) AS ann, new_contact('Bob', owner => 1) AS bob \gset
INSERT INTO email_message (class, direction) VALUES ('personal', 'out') RETURNING id AS mail \gset
INSERT INTO email_attachment (message_id, file_name) VALUES (:mail, 'Proposal.pdf') RETURNING id AS proposal \gset
INSERT INTO email_attachment (message_id, file_name) VALUES (:mail, 'Terms.pdf') RETURNING id AS terms \gset
INSERT INTO file_download (attachment_id, contact_id) VALUES (:proposal, :ann), (:terms, :bob);
CALL automation.run();
SELECT conformance.yes('E35', 'scores', score(:ann) = 10 AND (SELECT score_of(c, 'lead score') FROM contact c WHERE id = :ann) = 10);
SELECT conformance.yes('E35', 'task and mail', EXISTS (SELECT FROM activity WHERE contact_id = :ann AND type = 'call' AND title = 'Ann has read the proposal' AND assignee_id = 1)
    AND mails('file_downloaded') = '{"product: more > ann@example.com"}');
SELECT conformance.no('E35', 'another file', score(:bob) <> 0 OR EXISTS (SELECT FROM activity WHERE contact_id = :bob));
CALL next_recipe();
DROP FUNCTION file_downloaded;

-- E36, a call is done: points and a line in a sheet, or another call
\ir ../../examples/36_task_completed.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT add_task(c, 'Call', type => 'call') FROM contact c WHERE id IN (:ann, :bob);
SELECT add_task(c, 'Write') FROM contact c WHERE id = :ann;
CALL automation.run();
SELECT complete_task(a, 'positive') FROM activity a WHERE contact_id = :ann;
SELECT complete_task(a, 'no answer') FROM activity a WHERE contact_id = :bob;
CALL automation.run();
SELECT conformance.yes('E36', 'points and sheet', score(:ann) = 10 AND (SELECT array_agg(target) FROM automation.deliveries WHERE workflow = 'call_done' AND body LIKE '%ann@example.com%')::text LIKE '%/values/Calls:append%');
SELECT conformance.yes('E36', 'another call', (SELECT array_agg(status ORDER BY id)::text FROM activity WHERE contact_id = :bob AND title = 'Call') = '{done,open}');
SELECT conformance.no('E36', 'points for a task that is no call, or no answer', score(:ann) > 10 OR score(:bob) <> 0);
SELECT complete_task(a, 'no answer') FROM activity a WHERE contact_id = :bob AND status = 'open';
CALL automation.run();
SELECT complete_task(a, 'no answer') FROM activity a WHERE contact_id = :bob AND status = 'open';
CALL automation.run();
SELECT complete_task(a, 'no answer') FROM activity a WHERE contact_id = :bob AND status = 'open';
CALL automation.run();
SELECT conformance.yes('E36', 'three more calls', (SELECT count(*) FROM activity WHERE contact_id = :bob AND title = 'Call') = 4);
SELECT conformance.no('E36', 'a fifth call', (SELECT count(*) FROM activity WHERE contact_id = :bob AND title = 'Call') > 4);
CALL next_recipe();
DROP FUNCTION call_done;

-- E37, sentiment: task, note, mail to the primary contact
\ir ../../examples/37_unhappy_mail.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT new_deal('Boat', 'Sales', 'New', :ann, :bob) AS boat, new_deal('Oar', 'Sales', 'New', :bob) AS oar \gset
INSERT INTO email_message (class, direction, contact_id, deal_id) VALUES ('personal', 'in', :bob, :boat), ('personal', 'in', :bob, :oar);
CALL automation.run();
UPDATE email_message SET sentiment = CASE deal_id WHEN :boat THEN 'negative' ELSE 'neutral' END::sentiment WHERE deal_id IN (:boat, :oar);
CALL automation.run();
SELECT conformance.yes('E37', 'task and note', tasks(:boat) = '{"task: Unhappy: Boat / Ada Bell"}' AND EXISTS (SELECT FROM note WHERE deal_id = :boat));
SELECT conformance.yes('E37', 'mail to the primary contact', mails('unhappy_mail') = '{"can we help > ann@example.com"}');
INSERT INTO email_message (class, direction, contact_id, deal_id, sentiment) VALUES ('personal', 'in', :ann, :boat, 'negative');
CALL automation.run();
SELECT conformance.no('E37', 'neutral; again in the same week', tasks(:oar) <> '{}' OR cardinality(tasks(:boat)) > 1);
INSERT INTO email_message (class, direction, contact_id, deal_id, sentiment) VALUES ('personal', 'out', :bob, :oar, 'negative');
CALL automation.advance('8 days');
SELECT conformance.no('E37', 'what we write ourselves', tasks(:oar) <> '{}');
INSERT INTO email_message (class, direction, contact_id, deal_id, sentiment) VALUES ('personal', 'in', :ann, :boat, 'negative');
CALL automation.run();
SELECT conformance.yes('E37', 'the week after', cardinality(tasks(:boat)) = 2);
CALL next_recipe();
DROP FUNCTION unhappy_mail;

-- E38, a meeting of another application: deal, points, reminder, the deal moves on; a cancelled one
\ir ../../examples/38_booked_meeting.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve \gset
INSERT INTO external_meeting (contact_id, type, scheduled_at) VALUES (:ann, 'demo', automation.now() + interval '3 days'), (:bob, 'demo', automation.now() + interval '3 days'), (:eve, 'lunch', automation.now() + interval '3 days');
CALL automation.run();
SELECT conformance.yes('E38', 'deal and points', score(:ann) = 10 AND (SELECT array_agg(d.title || ' ' || s.name) FROM deal d JOIN deal_contact dc ON dc.deal_id = d.id JOIN pipeline_stage s ON s.id = d.stage_id WHERE dc.contact_id = :ann) = '{"Demo Ann Demo"}');
UPDATE external_meeting SET cancelled_at = automation.now() WHERE contact_id = :bob;
CALL automation.advance('1 day');
SELECT conformance.no('E38', 'the reminder, or more points, before their time', mails('booked_meeting') <> '{}' OR score(:ann) > 10);
CALL automation.advance('1 day 12 hours');
SELECT conformance.no('E38', 'the deal moves on before the demo', score(:ann) > 10);
CALL automation.advance('1 day');
SELECT conformance.yes('E38', 'reminder', mails('booked_meeting') = '{"meeting: tomorrow > ann@example.com"}');
SELECT conformance.yes('E38', 'the deal moves on, more points', score(:ann) = 30 AND (SELECT array_agg(s.name) FROM deal d JOIN deal_contact dc ON dc.deal_id = d.id JOIN pipeline_stage s ON s.id = d.stage_id WHERE dc.contact_id = :ann) = '{"Demo done"}');
SELECT conformance.no('E38', 'a cancelled one', score(:bob) > 10);
SELECT conformance.no('E38', 'another kind of meeting', score(:eve) <> 0);
CALL next_recipe();
DROP FUNCTION booked_meeting;

-- E39, an order: webhook, its answer is used; no answer
\ir ../../examples/39_help_desk_account.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO sales_order (contact_id) VALUES (:ann), (:bob);
CALL automation.run();
SELECT automation.settle(id, 'sent', 201, '{"id": "H77"}') FROM automation.deliveries WHERE workflow = 'help_desk_account' AND subject_key = :'ann';
SELECT automation.settle(id, 'dead') FROM automation.deliveries WHERE workflow = 'help_desk_account' AND subject_key = :'bob';
INSERT INTO sales_order (contact_id) VALUES (:ann);
CALL automation.run();
SELECT conformance.yes('E39', 'the account', (SELECT custom ->> 'help desk' FROM contact WHERE id = :ann) = 'H77');
SELECT conformance.yes('E39', 'none: the team knows', told('Support')::text LIKE '%no account at the help desk for Bob%');
SELECT conformance.no('E39', 'a second account for the second order', (SELECT count(*) FROM automation.deliveries WHERE workflow = 'help_desk_account' AND subject_key = :'ann') > 1);
SELECT new_contact('Cid') AS cid \gset
INSERT INTO sales_order (contact_id) VALUES (:cid);
CALL automation.run();
CALL automation.advance('23 hours');
SELECT conformance.no('E39', 'the team knows before the day is over', told('Support')::text LIKE '%Cid%');
CALL automation.advance('2 hours');
SELECT conformance.yes('E39', 'no answer: the team knows', told('Support')::text LIKE '%no account at the help desk for Cid%');
CALL next_recipe();
DROP FUNCTION help_desk_account;

-- E40, an order: off one list, onto another; not who has left it himself
\ir ../../examples/40_prospect_to_customer.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve \gset
SELECT subscribe(ARRAY[:ann, :bob, :eve]::bigint[], 'Prospects'), subscribe(ARRAY[:bob]::bigint[], 'Customers');
SELECT unsubscribe(c, 'Customers', 'contact') FROM contact c WHERE id = :bob;
INSERT INTO sales_order (contact_id) VALUES (:ann), (:bob);
CALL automation.run();
SELECT conformance.yes('E40', 'off and onto', (SELECT is_subscribed(c, 'Customers') AND NOT is_subscribed(c, 'Prospects') FROM contact c WHERE id = :ann));
SELECT conformance.no('E40', 'back onto a list he has left', (SELECT is_subscribed(c, 'Customers') FROM contact c WHERE id = :bob));
SELECT conformance.no('E40', 'without an order', (SELECT NOT is_subscribed(c, 'Prospects') FROM contact c WHERE id = :eve));
CALL next_recipe();
DROP FUNCTION prospect_to_customer;

-- E41, a share: Promoter
\ir ../../examples/41_promoter.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO email_event (contact_id, kind, network) VALUES (:ann, 'share', 'facebook'), (:bob, 'click', NULL);
CALL automation.run();
SELECT conformance.yes('E41', 'a share', (SELECT status FROM contact WHERE id = :ann) = 'Promoter');
SELECT conformance.no('E41', 'a click', (SELECT status = 'Promoter' FROM contact WHERE id = :bob) IS NOT DISTINCT FROM true);
CALL next_recipe();
DROP FUNCTION promoter;

-- E42, an associated contact buys: the deals are won
\ir ../../examples/42_deal_won_by_order.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT new_deal('Boat', 'Sales', 'New', :ann) AS boat, new_deal('Oar', 'Sales', 'New', :bob, :ann) AS oar, new_deal('Sail', 'Sales', 'New', :ann) AS sail, new_deal('Mast', 'Sales', 'New', :bob) AS mast \gset
UPDATE deal SET status = 'lost' WHERE id = :sail;
INSERT INTO sales_order (contact_id, status) VALUES (:ann, 'pending'), (:bob, 'failed');
CALL automation.run();
SELECT conformance.no('E42', 'before it is paid', EXISTS (SELECT FROM deal WHERE status = 'won'AND id IN (:boat, :oar, :sail, :mast)));
UPDATE sales_order SET status = 'completed' WHERE contact_id = :ann;
CALL automation.run();
SELECT conformance.yes('E42', 'all open deals of the contact', (SELECT bool_and(status = 'won') FROM deal WHERE id IN (:boat, :oar)));
SELECT conformance.no('E42', 'lost ones, deals of others', (SELECT bool_or(status = 'won') FROM deal WHERE id IN (:sail, :mast)));
CALL next_recipe();
DROP FUNCTION deal_won_by_order;

-- E43, a large deal is qualified: somebody with experience, in turn
\ir ../../examples/43_senior_sales.sql
SELECT new_deal('Boat') AS boat, new_deal('Oar') AS oar, new_deal('Sail') AS sail, new_deal('Mast') AS mast \gset
UPDATE deal SET value = 60000 WHERE id IN (:boat, :oar, :mast);
UPDATE deal SET owner_id = 5 WHERE id = :mast;
CALL automation.run();
UPDATE deal SET stage_id = stage('Sales', 'Qualified') WHERE id IN (:boat, :oar, :sail, :mast);
CALL automation.run();
SELECT conformance.yes('E43', 'one each', (SELECT array_agg(owner_id ORDER BY owner_id) FROM deal WHERE id IN (:boat, :oar)) = '{4,5}');
SELECT conformance.yes('E43', 'told', cardinality(told(4)) = 1 AND cardinality(told(5)) = 1);
SELECT conformance.no('E43', 'a small deal', (SELECT owner_id <> 1 FROM deal WHERE id = :sail));
SELECT conformance.no('E43', 'one that a senior owns', (SELECT owner_id <> 5 FROM deal WHERE id = :mast));
SELECT new_deal('Keel') AS keel \gset
UPDATE deal SET value = 90000, stage_id = stage('Sales', 'Demo') WHERE id = :keel;
CALL automation.run();
SELECT conformance.no('E43', 'another stage', (SELECT owner_id <> 1 FROM deal WHERE id = :keel));
CALL next_recipe();
DROP FUNCTION senior_sales;

-- E44, a form, a page: sales, a manager, support
\ir ../../examples/44_tell_sales.sql
SELECT new_contact('Ann', owner => 2) AS ann, new_contact('Bob') AS bob \gset
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Demo'), :ann), (form('Demo'), :bob), (form('Trial'), :ann);
INSERT INTO page_view (contact_id, url) VALUES (:ann, 'https://example.com/help/start'), (:ann, 'https://example.com/help/more'), (:bob, 'https://example.com/blog');
CALL automation.run();
SELECT conformance.yes('E44', 'sales', told(2) = '{"demo form: Ann"}');
SELECT conformance.yes('E44', 'a manager', told('Managers') = '{"demo form of somebody nobody looks after: Bob"}');
SELECT conformance.yes('E44', 'support', told('Support') = '{"Ann reads the help"}');
SELECT conformance.no('E44', 'another form, another page, twice a day', cardinality(told(2)) > 1 OR cardinality(told('Support')) > 1);
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Demo'), :ann);
CALL automation.advance('2 days');
INSERT INTO page_view (contact_id, url) VALUES (:ann, 'https://example.com/help/start');
CALL automation.run();
SELECT conformance.yes('E44', 'the next form, the next day', cardinality(told(2)) = 2 AND cardinality(told('Support')) = 2);
CALL next_recipe();
DROP FUNCTION tell_sales, tell_support;

-- E45, Tuesdays at eleven
\ir ../../examples/45_tuesday_promotion.sql
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET time_zone = 'Europe/Paris' WHERE id = :ann;
SELECT new_contact('Dan') AS dan \gset
UPDATE contact SET lifecycle = 'lead' WHERE id IN (:ann, :dan);
CALL automation.run();
UPDATE contact SET unsubscribed = true WHERE id = :dan;
SELECT conformance.no('E45', 'at once', mails('tuesday_promotion') <> '{}');
CALL automation.advance('30 days');
SELECT conformance.yes('E45', 'three Tuesdays', mails('tuesday_promotion') = '{"promotion 1 > ann@example.com","promotion 2 > ann@example.com","promotion 3 > ann@example.com"}'
    AND (SELECT bool_and(to_char(created_at AT TIME ZONE 'Europe/Paris', 'FMDay HH24') = 'Tuesday 11') FROM automation.deliveries WHERE workflow = 'tuesday_promotion'));
SELECT conformance.yes('E45', 'a week apart', (SELECT count(DISTINCT created_at::date) = 3 AND max(created_at::date) - min(created_at::date) = 14 FROM automation.deliveries WHERE workflow = 'tuesday_promotion'));
SELECT conformance.no('E45', 'who is no lead', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'tuesday_promotion' AND target = 'bob@example.com'));
UPDATE contact SET lifecycle = 'subscriber' WHERE id = :bob;
CALL automation.advance('8 days');
SELECT conformance.no('E45', 'another value', 'promotion 1 > bob@example.com' = ANY (mails('tuesday_promotion')));
CALL next_recipe();
DROP FUNCTION tuesday_promotion;

-- E46, the industry
\ir ../../examples/46_industry.sql
INSERT INTO account (name, industry) VALUES ('Sums Ltd', 'Accounting'), ('Planks Ltd', 'Shipping'), ('New Ltd', NULL);
CALL automation.run();
SELECT conformance.yes('E46', 'YES', (SELECT is_accounting FROM account WHERE name = 'Sums Ltd') = 'YES');
SELECT conformance.yes('E46', 'NO, also if nothing is known', (SELECT bool_and(is_accounting = 'NO') FROM account WHERE name IN ('Planks Ltd', 'New Ltd')));
UPDATE account SET industry = 'Accounting' WHERE name = 'Planks Ltd';
CALL automation.run();
SELECT conformance.yes('E46', 'it changes', (SELECT is_accounting FROM account WHERE name = 'Planks Ltd') = 'YES');
SELECT conformance.no('E46', 'another industry', (SELECT is_accounting FROM account WHERE name = 'New Ltd') = 'YES');
CALL next_recipe();
DROP FUNCTION industry;

-- E47, values from one record to others
\ir ../../examples/47_cross_record_properties.sql
INSERT INTO account (name) VALUES ('Bell Ltd') RETURNING id AS bell \gset
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET lead_status = 'hot' WHERE id IN (:ann, :bob);
INSERT INTO account_contact (account_id, contact_id, is_primary) VALUES (:bell, :ann, true);
SELECT new_deal('Boat', 'Sales', 'New', :ann) AS boat, new_deal('Sail', 'Sales', 'New', :ann) AS sail, new_deal('Oar', 'Sales', 'New', :bob) AS oar \gset
UPDATE deal SET account_id = :bell WHERE id IN (:boat, :sail);
CALL automation.run();
UPDATE contact SET country = 'FR' WHERE id = :ann;
UPDATE account SET phone = '+33199' WHERE id = :bell;
UPDATE deal SET status = 'lost' WHERE id = :sail;
INSERT INTO sales_order (contact_id) VALUES (:ann), (:ann), (:bob);
CALL automation.run();
SELECT conformance.yes('E47', 'all deals of the contact', (SELECT bool_and(custom ->> 'country' = 'FR') FROM deal WHERE id IN (:boat, :sail)));
SELECT conformance.yes('E47', 'company phone to deals', (SELECT bool_and(custom ->> 'company_phone' = '+33199') FROM deal WHERE id IN (:boat, :sail)));
SELECT conformance.yes('E47', 'lead status is cleared', (SELECT lead_status IS NULL FROM contact WHERE id = :ann));
SELECT conformance.yes('E47', 'orders are counted', (SELECT order_count FROM account WHERE id = :bell) = 2);
SELECT conformance.no('E47', 'records of others', (SELECT custom <> '{}' FROM deal WHERE id = :oar) OR (SELECT lead_status IS NULL FROM contact WHERE id = :bob));
UPDATE deal SET status = 'won' WHERE id = :oar;
UPDATE contact SET country = 'DE', lead_status = 'warm' WHERE id = :ann;
UPDATE account SET phone = NULL WHERE id = :bell;
UPDATE deal SET status = 'open' WHERE id = :sail;
CALL automation.run();
UPDATE deal SET status = 'lost' WHERE id = :sail;
CALL automation.run();
SELECT conformance.yes('E47', 'the next change, too', (SELECT bool_and(custom ->> 'country' = 'DE' AND custom ->> 'company_phone' IS NULL) FROM deal WHERE id IN (:boat, :sail))
    AND (SELECT lead_status IS NULL FROM contact WHERE id = :ann));
SELECT conformance.no('E47', 'a deal that is won clears nothing', (SELECT lead_status IS NULL FROM contact WHERE id = :bob));
CALL next_recipe();
DROP FUNCTION country_to_deals, phone_to_deals, lost_lead, count_orders;

-- E48, a user mails from a ticket: Waiting on customer; a forwarded mail moves nothing
\ir ../../examples/48_ticket_waiting.sql
SELECT new_contact('Ann') AS ann \gset
INSERT INTO ticket (subject, status_id) VALUES ('leak', stage('Help desk tickets', 'New')) RETURNING id AS leak \gset
INSERT INTO ticket (subject, status_id) VALUES ('rust', stage('Help desk tickets', 'New')) RETURNING id AS rust \gset
INSERT INTO conversation_thread (ticket_id, is_creating_thread) VALUES (:leak, true) RETURNING id AS thread \gset
INSERT INTO email_message (class, direction, sent_from, contact_id, ticket_id, thread_id) VALUES ('personal', 'out', 'ticket', :ann, :leak, :thread) RETURNING id AS mail \gset
INSERT INTO email_message (class, direction, sent_from, contact_id, ticket_id, is_forward) VALUES ('personal', 'out', 'ticket', :ann, :rust, true);
CALL automation.run();
SELECT conformance.yes('E48', 'waiting on the customer', (SELECT status_id = stage('Help desk tickets', 'Waiting on customer') FROM ticket WHERE id = :leak));
SELECT conformance.no('E48', 'a forwarded mail', (SELECT status_id <> stage('Help desk tickets', 'New') FROM ticket WHERE id = :rust));
INSERT INTO email_message (class, direction, contact_id, ticket_id, thread_id, in_reply_to) VALUES ('personal', 'in', :ann, :leak, :thread, :mail);
CALL automation.run();
SELECT conformance.yes('E48', 'the answer: waiting on us', (SELECT status_id = stage('Help desk tickets', 'Waiting on us') FROM ticket WHERE id = :leak));
CALL automation.advance('1 hour');
SELECT conformance.no('E48', 'the word at once', told('Support') <> '{}');
INSERT INTO ticket (subject, status_id) VALUES ('fog', stage('Help desk tickets', 'New')) RETURNING id AS fog \gset
UPDATE ticket SET status_id = stage('Help desk tickets', 'Waiting on us') WHERE id = :fog;
CALL automation.run();
SELECT set_ticket_status(t, 'Closed') FROM ticket t WHERE id = :fog;
CALL automation.advance('5 days');
SELECT conformance.yes('E48', 'nobody has answered', told('Support') = '{"nobody has answered: leak"}');
SELECT conformance.no('E48', 'of a ticket that is closed', 'nobody has answered: fog' = ANY (told('Support')));
CALL next_recipe();
DROP FUNCTION ticket_unanswered;

-- E49, a deal I made: an activity, the next one when it is done; deals of others and imports
\ir ../../examples/49_activity_chain.sql
UPDATE app_user SET db_role = 'app' WHERE id = 2;
INSERT INTO deal (title, creator_id, owner_id) VALUES ('Boat', 2, 1) RETURNING id AS boat \gset
INSERT INTO deal (title, creator_id, owner_id) VALUES ('Oar', 3, 1) RETURNING id AS oar \gset
INSERT INTO deal (title, creator_id, owner_id, source) VALUES ('Sail', 2, 1, 'import') RETURNING id AS sail \gset
CALL automation.run();
SELECT conformance.yes('E49', 'the first', tasks(:boat) = '{"call: First call / Ada Bell"}');
SELECT conformance.no('E49', 'deals of others, imports', tasks(:oar) <> '{}' OR tasks(:sail) <> '{}');
CALL automation.advance('10 days');
SELECT conformance.no('E49', 'the next before the first is done', cardinality(tasks(:boat)) > 1);
SELECT complete_task(a) FROM activity a WHERE deal_id = :boat AND status = 'open';
CALL automation.run();
SELECT conformance.yes('E49', 'the next', tasks(:boat) = '{"call: First call / Ada Bell","mail: Send the summary / Ada Bell"}');
SELECT complete_task(a) FROM activity a WHERE deal_id = :boat AND status = 'open';
CALL automation.run();
SELECT conformance.yes('E49', 'and the last', cardinality(tasks(:boat)) = 3);
INSERT INTO deal (title, creator_id, owner_id) VALUES ('Mast', 2, 1) RETURNING id AS mast \gset
CALL automation.run();
UPDATE deal SET status = 'lost' WHERE id = :mast;
SELECT complete_task(a) FROM activity a WHERE deal_id = :mast AND status = 'open';
CALL automation.run();
SELECT conformance.no('E49', 'the next of a deal that is lost', cardinality(tasks(:mast)) > 1);
DROP FUNCTION activity_chain;

-- E50, a deal of the API: a label
\ir ../../examples/50_label_api_deals.sql
SET crm.source = 'api';
SELECT new_deal('Boat') AS boat \gset
RESET crm.source;
SELECT new_deal('Oar') AS oar \gset
CALL automation.run();
SELECT conformance.yes('E50', 'label', (SELECT has_label(d, 'API') FROM deal d WHERE id = :boat));
SELECT conformance.no('E50', 'made by hand', (SELECT has_label(d, 'API') FROM deal d WHERE id = :oar));
DROP FUNCTION label_api_deals;

-- All of them side by side in a kit without data: what a recipe needs is in its file
CALL automation.install_crm('shop');
SET search_path = shop;
\ir ../../examples/01_welcome_series.sql
\ir ../../examples/02_left_list.sql
\ir ../../examples/03_form_reward.sql
\ir ../../examples/04_campaign_opened.sql
\ir ../../examples/05_link_clicked.sql
\ir ../../examples/06_mail_shared.sql
\ir ../../examples/07_mail_forwarded.sql
\ir ../../examples/08_mail_answered.sql
\ir ../../examples/09_tag_series.sql
\ir ../../examples/10_tag_removed.sql
\ir ../../examples/11_page_visit.sql
\ir ../../examples/12_purchase.sql
\ir ../../examples/13_abandoned_cart.sql
\ir ../../examples/14_order_created.sql
\ir ../../examples/15_order_updated.sql
\ir ../../examples/16_becomes_customer.sql
\ir ../../examples/17_goal_reached.sql
\ir ../../examples/18_blog_news.sql
\ir ../../examples/19_dates.sql
\ir ../../examples/20_ready_to_buy.sql
\ir ../../examples/21_site_messages.sql
\ir ../../examples/22_app_event.sql
\ir ../../examples/23_conversion.sql
\ir ../../examples/24_subscription_started.sql
\ir ../../examples/25_subscription_changed.sql
\ir ../../examples/26_custom_object_created.sql
\ir ../../examples/27_custom_object_updated.sql
\ir ../../examples/28_target_account.sql
\ir ../../examples/29_deal_stage.sql
\ir ../../examples/30_deal_closed.sql
\ir ../../examples/31_deal_value.sql
\ir ../../examples/32_deal_owner.sql
\ir ../../examples/33_enters_pipeline.sql
\ir ../../examples/34_deal_field.sql
\ir ../../examples/35_file_downloaded.sql
\ir ../../examples/36_task_completed.sql
\ir ../../examples/37_unhappy_mail.sql
\ir ../../examples/38_booked_meeting.sql
\ir ../../examples/39_help_desk_account.sql
\ir ../../examples/40_prospect_to_customer.sql
\ir ../../examples/41_promoter.sql
\ir ../../examples/42_deal_won_by_order.sql
\ir ../../examples/43_senior_sales.sql
\ir ../../examples/44_tell_sales.sql
\ir ../../examples/45_tuesday_promotion.sql
\ir ../../examples/46_industry.sql
\ir ../../examples/47_cross_record_properties.sql
\ir ../../examples/48_ticket_waiting.sql
\ir ../../examples/49_activity_chain.sql
\ir ../../examples/50_label_api_deals.sql
SELECT conformance.yes('E50', 'all recipes side by side, in an empty kit', (SELECT count(*) = 76 AND bool_and(active) FROM automation.workflows WHERE schema = 'shop'));
-- a trigger on a name that is not there would never fire, and say nothing
SELECT array_agg(DISTINCT m[1]) AS names, count(DISTINCT m[1]) > 15 AS are_there
FROM pg_proc p, regexp_matches(p.prosrc, $$\y((?:stage|pipeline|tag|list|form|team|campaign|event_type|conversion_type|site_message|product_category)\('[^']+'(?:, '[^']+')?\))$$, 'g') m
WHERE p.pronamespace = 'shop'::regnamespace AND p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'workflow') \gset
SELECT conformance.yes('E50', 'names in conditions', :'are_there');
SELECT conformance.no('E50', 'a name that no recipe has made, though another had the pipeline already',
    EXISTS (SELECT FROM unnest(:'names'::text[]) n WHERE query_to_xml(format('SELECT shop.%s IS NULL AS missing', n), false, true, '')::text LIKE '%<missing>true%'));
SELECT conformance.no('E50', 'a stage that deals are moved to', EXISTS (SELECT FROM unnest('{New,In discussion,Demo,Demo done}'::text[]) n WHERE stage('Sales', n) IS NULL));
SELECT add_stages('Sales', '{New,Signed}') = pipeline('Sales') AS same \gset
SELECT conformance.yes('E50', 'what is missing comes behind what is there', :'same' AND (SELECT array_agg(name ORDER BY position) FROM pipeline_stage WHERE pipeline_id = pipeline('Sales'))
    = '{New,"In discussion",Qualified,Proposal,Contract,Demo,"Demo done",Signed}');
SELECT conformance.refused('E50', 'stages for tickets in a pipeline of deals', $$ SELECT add_stages('Sales', '{New}', 'ticket') $$, 'duplicate key value%pipeline_name_key%');
SET search_path = try, crm;
SET client_min_messages = warning;
DROP SCHEMA shop CASCADE;
RESET client_min_messages;
