-- Steps that are about deals, accounts and tasks.

-- A67, a deal is made for who scores high: in the pipeline's first stage, he is its primary contact, it is of his account
CREATE FUNCTION a67(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score WHEN new.score > 50 AND old.score <= 50;
BEGIN
  SELECT add_deal(c, 'Opportunity: ' || c.name, 'Sales', value => 5000);
END $$;
SELECT new_contact('Ann', owner => 2) AS ann, new_contact('Bob') AS bob \gset
SELECT add_contact_to_account(c, 'Acme') AS acme FROM contact c WHERE id = :ann \gset
UPDATE contact SET score = CASE id WHEN :ann THEN 60 ELSE 40 END WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('A67', 'the deal, in its place, with its owner and value',
    (SELECT (title, pipeline_id, stage_id, owner_id, value, account_id) = ('Opportunity: Ann', pipeline('Sales'), stage('Sales', 'New'), 2::bigint, 5000::numeric, :acme::bigint)
     FROM deal d JOIN deal_contact dc ON dc.deal_id = d.id WHERE dc.contact_id = :ann AND dc.is_primary));
SELECT conformance.no('A67', 'below the threshold', EXISTS (SELECT FROM deal_contact WHERE contact_id = :bob));
SELECT conformance.refused('A67', 'a pipeline that is not there', format($q$ SELECT add_deal(c, 'x', 'Sails') FROM contact c WHERE id = %s $q$, :ann),
                           'there is no pipeline "Sails" of deals');
DROP FUNCTION a67;

-- A68, a deal gets another title; the one it has is not written again
-- A71, another value
CREATE FUNCTION a68(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF account_id;
  ENROLL AGAIN;
BEGIN
  SELECT set_title(d, 'Renewal of ' || a.name) FROM account a WHERE a.id = d.account_id;
  SELECT set_value(d, 2500);
END $$;
CREATE FUNCTION a68_seen(d deal, what text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF title FOR SELECT new.id, 'A68';
  AFTER UPDATE OF value FOR SELECT new.id, 'A71';
  ENROLL AGAIN PER d, what;
BEGIN
  SELECT conformance.hit(what, d.id);
END $$;
INSERT INTO account (name) VALUES ('Zeta');
SELECT new_deal('Big') AS big, new_deal('Renewal of Acme') AS same, new_deal('Other') AS other \gset
UPDATE deal SET value = 2500 WHERE id = :same;
CALL automation.run();
DELETE FROM conformance.hit WHERE id = 'A71';
UPDATE deal SET account_id = :acme WHERE id IN (:big, :same);
SELECT xmin AS written FROM deal WHERE id = :same \gset
CALL automation.run();
SELECT conformance.yes('A68', 'the new title', (SELECT title = 'Renewal of Acme' FROM deal WHERE id = :big) AND conformance.hits('A68', :big) = 1);
SELECT conformance.no('A68', 'the title it has', conformance.hits('A68', :same) > 0 OR (SELECT xmin <> :'written'::xid FROM deal WHERE id = :same));
SELECT conformance.no('A68', 'another deal', (SELECT title <> 'Other' FROM deal WHERE id = :other));
SELECT conformance.yes('A71', 'the new value', (SELECT value = 2500 AND currency = 'EUR' FROM deal WHERE id = :big) AND conformance.hits('A71', :big) = 1);
SELECT conformance.no('A71', 'the value it has', conformance.hits('A71', :same) > 0 OR (SELECT xmin <> :'written'::xid FROM deal WHERE id = :same));
SELECT set_value(d, 2500, 'USD') FROM deal d WHERE id = :same;
SELECT conformance.yes('A71', 'in another currency', (SELECT value = 2500 AND currency = 'USD' FROM deal WHERE id = :same));
DROP FUNCTION a68;
DROP FUNCTION a68_seen;

-- A69, a contact buys: his open deals are won, lost ones stay lost
CREATE FUNCTION a69(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status ON sales_order WHEN new.status = 'completed' FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT set_deal_status(c, 'won');
END $$;
SELECT new_contact('Cid') AS cid, new_contact('Dot') AS dot \gset
SELECT new_deal('One', 'Sales', 'New', :cid) AS one, new_deal('Two', 'Sales', 'Proposal', :ann, :cid) AS two,
       new_deal('Three', 'Sales', 'New', :cid) AS three, new_deal('Four', 'Sales', 'New', :dot) AS four \gset
SELECT set_status(d, 'lost') FROM deal d WHERE id = :three;
INSERT INTO sales_order (contact_id, status) VALUES (:cid, 'completed'), (:dot, 'pending');
CALL automation.run();
SELECT conformance.yes('A69', 'all of his open deals', (SELECT bool_and(status = 'won' AND closed_at IS NOT NULL) FROM deal WHERE id IN (:one, :two)));
SELECT conformance.no('A69', 'one that is lost', (SELECT status <> 'lost' FROM deal WHERE id = :three));
SELECT conformance.no('A69', 'an order that is not complete', (SELECT status <> 'open' FROM deal WHERE id = :four));
SELECT set_status(d, 'open') FROM deal d WHERE id = :three;
SELECT conformance.yes('A69', 'opened again', (SELECT status = 'open' AND closed_at IS NULL FROM deal WHERE id = :three));
SELECT xmin AS written FROM deal WHERE id = :three \gset
SELECT set_status(d, 'open') FROM deal d WHERE id = :three;
SELECT conformance.no('A69', 'a write of the status it has', (SELECT xmin <> :'written'::xid FROM deal WHERE id = :three));
SELECT conformance.refused('A69', 'another word', format($q$ SELECT set_status(d, 'wonn') FROM deal d WHERE id = %s $q$, :three), 'invalid input value for enum deal_status: "wonn"');
DROP FUNCTION a69;

-- A70, a deal is handed over as it is qualified
CREATE FUNCTION a70(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id WHEN new.stage_id = stage('Sales', 'Qualified') AND new.value > 50000;
BEGIN
  SELECT set_owner(d, app_user('Dora Engel'));
END $$;
SELECT new_deal('Big') AS big, new_deal('Small') AS small \gset
UPDATE deal SET value = 60000 WHERE id = :big;
SELECT move_to_stage(d, 'Qualified') FROM deal d WHERE id IN (:big, :small);
CALL automation.run();
SELECT conformance.yes('A70', 'the new owner', (SELECT owner_id = 4 FROM deal WHERE id = :big));
SELECT conformance.no('A70', 'a small one', (SELECT owner_id <> 1 FROM deal WHERE id = :small));
SELECT xmin AS written FROM deal WHERE id = :big \gset
SELECT set_owner(d, 4) FROM deal d WHERE id = :big;
SELECT conformance.no('A70', 'a write of the owner it has', (SELECT xmin <> :'written'::xid FROM deal WHERE id = :big));
SELECT conformance.refused('A70', 'nobody of that id', format($q$ SELECT set_owner(d, 4711) FROM deal d WHERE id = %s $q$, :big), '%violates foreign key constraint "deal_owner_id_fkey"');
DROP FUNCTION a70;

-- A72, a deal moves on as its contact replies, and what is about stages starts; it is there already: nothing happens
CREATE FUNCTION a72(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_message WHEN new.direction = 'in' AND new.deal_id IS NOT NULL FOR SELECT new.deal_id;
  ENROLL AGAIN;
BEGIN
  SELECT move_to_stage(d, 'In discussion');
END $$;
CREATE FUNCTION a72_entered(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id WHEN new.stage_id = stage('Sales', 'In discussion');
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('A72', d.id);
END $$;
SELECT new_deal('Big', 'Sales', 'New', :ann) AS big, new_deal('Talks', 'Sales', 'In discussion', :ann) AS talks, new_deal('Quiet', 'Sales', 'New', :ann) AS quiet \gset
SELECT xmin AS written FROM deal WHERE id = :talks \gset
INSERT INTO email_message (class, direction, contact_id, deal_id) VALUES ('personal', 'in', :ann, :big), ('personal', 'in', :ann, :talks), ('personal', 'out', :ann, :quiet);
CALL automation.run();
SELECT conformance.yes('A72', 'moved, and seen', (SELECT stage_id = stage('Sales', 'In discussion') FROM deal WHERE id = :big) AND conformance.hits('A72', :big) = 1
                       AND EXISTS (SELECT FROM stage_history WHERE deal_id = :big AND from_stage_id = stage('Sales', 'New')));
SELECT conformance.no('A72', 'already there', conformance.hits('A72', :talks) > 0 OR (SELECT xmin <> :'written'::xid FROM deal WHERE id = :talks));
SELECT conformance.no('A72', 'no reply', (SELECT stage_id <> stage('Sales', 'New') FROM deal WHERE id = :quiet));
SELECT move_to_stage(d, 'Contract', 'Enterprise') FROM deal d WHERE id = :big;
SELECT conformance.yes('A72', 'into another pipeline', (SELECT (pipeline_id, stage_id) = (pipeline('Enterprise'), stage('Enterprise', 'Contract')) FROM deal WHERE id = :big));
SELECT conformance.refused('A72', 'a stage of another pipeline', format($q$ SELECT move_to_stage(d, 'Proposal') FROM deal d WHERE id = %s $q$, :big),
                           'pipeline "Enterprise" has no stage "Proposal"');
DROP FUNCTION a72;
DROP FUNCTION a72_entered;

-- A73, a field of deals that somebody added: written, copied, emptied
-- A74, written
-- A75, copied from the contact
-- A76, emptied
ALTER TABLE deal ADD COLUMN region text, ADD COLUMN channel text;
CREATE FUNCTION a73(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id ON deal WHEN new.stage_id = stage('Sales', 'Demo')
    FOR SELECT dc.contact_id, dc.deal_id FROM deal_contact dc WHERE dc.deal_id = new.id AND dc.is_primary;
  ENROLL AGAIN PER c, d;
BEGIN
  SELECT set_property(d, 'channel', 'demo');
  SELECT set_property(d, 'custom.demos', 1);
  SELECT set_property(d, 'region', c.country);
  WAIT FOR '1 day';
  SELECT clear_property(d, 'channel');
END $$;
SELECT new_contact('Eve') AS eve, new_contact('Fay') AS fay \gset
UPDATE contact SET country = 'FR' WHERE id = :eve;
SELECT new_deal('Big', 'Sales', 'New', :eve, :fay) AS big, new_deal('Other', 'Sales', 'New', :eve) AS other, new_deal('Nowhere', 'Sales', 'New', :fay) AS nowhere \gset
SELECT set_property(d, 'region', 'DE') FROM deal d WHERE id = :nowhere;
SELECT move_to_stage(d, CASE d.id WHEN :other THEN 'Qualified' ELSE 'Demo' END) FROM deal d WHERE id IN (:big, :nowhere, :other);
CALL automation.run();
SELECT conformance.yes('A73', 'all three', (SELECT (channel, region, custom->'demos') = ('demo', 'FR', '1') FROM deal WHERE id = :big));
SELECT conformance.refused('A73', 'a field that is not there', format($q$ SELECT set_property(d, 'colour', 'red') FROM deal d WHERE id = %s $q$, :big), 'deal has no property "colour"');
SELECT conformance.yes('A74', 'the value', (SELECT channel = 'demo' FROM deal WHERE id = :big));
SELECT conformance.no('A74', 'of another deal of his, in another stage', (SELECT channel IS NOT NULL FROM deal WHERE id = :other));
SELECT conformance.yes('A75', 'the contact''s', (SELECT region = 'FR' FROM deal WHERE id = :big));
SELECT conformance.no('A75', 'his field is empty: so is the copy', (SELECT region IS NOT NULL FROM deal WHERE id = :nowhere));
SELECT copy_property(c, 'country', 'deal', 'region') FROM contact c WHERE id = :eve;
SELECT conformance.yes('A75', 'to all of his deals', (SELECT region = 'FR' FROM deal WHERE id = :other));
CALL automation.advance('1 day');
SELECT conformance.yes('A76', 'empty', (SELECT channel IS NULL FROM deal WHERE id = :big));
SELECT conformance.no('A76', 'the other fields', (SELECT region IS NULL OR NOT custom ? 'demos' FROM deal WHERE id = :big));
DROP FUNCTION a73;
ALTER TABLE deal DROP COLUMN region, DROP COLUMN channel;

-- A77, a task as the deal changes its stage, of anybody who may work on the pipeline, with a reminder
-- A78, of the owner of the account of its primary contact
INSERT INTO pipeline_permission (pipeline_id, user_id) SELECT pipeline('Enterprise'), u FROM unnest(ARRAY[1, 3]) u;
CREATE FUNCTION a77(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id;
  ENROLL AGAIN;
BEGIN
  SELECT add_task(d, 'Send the proposal', now() + interval '2 days', 'Chiara Dahl', remind => '1 day');
  SELECT add_task(d, 'Tell the account owner', assignee => 'account owner');
END $$;
SELECT new_contact('Gil') AS gil, new_contact('Hal') AS hal \gset
SELECT add_contact_to_account(c, 'Globe') AS globe FROM contact c WHERE id = :gil \gset
UPDATE account SET owner_id = 1 WHERE id = :globe;
SELECT new_deal('Globe', 'Enterprise', 'New', :gil, :hal) AS deal, new_deal('Hal''s', 'Enterprise', 'New', :hal, :gil) AS hals \gset
SELECT move_to_stage(d, 'Contract') FROM deal d WHERE id IN (:deal, :hals);
CALL automation.run();
SELECT conformance.yes('A77', 'the task, its reminder, whose it is',
    (SELECT (type, assignee_id, due_at - reminder_at, status) = ('task', 3::bigint, interval '1 day', 'open'::activity_status) AND due_at > automation.now() + interval '1 day'
     FROM activity WHERE deal_id = :deal AND title = 'Send the proposal'));
SELECT conformance.refused('A77', 'who may not work on the pipeline', format($q$ SELECT add_task(d, 'x', now(), 'Bruno Costa') FROM deal d WHERE id = %s $q$, :deal),
                           'Bruno Costa may not be given work of pipeline "Enterprise"');
SELECT conformance.refused('A77', 'nobody of that name', format($q$ SELECT add_task(d, 'x', now(), 'Bruno') FROM deal d WHERE id = %s $q$, :deal), 'there is no app user "Bruno"');
SELECT conformance.yes('A78', 'the account''s owner', (SELECT assignee_id = 1 FROM activity WHERE deal_id = :deal AND title = 'Tell the account owner'));
SELECT conformance.no('A78', 'the primary contact has no account', (SELECT assignee_id IS NOT NULL FROM activity WHERE deal_id = :hals AND title = 'Tell the account owner'));
DROP FUNCTION a77;
DELETE FROM pipeline_permission;

-- A79, a note on the deal: not on its contacts
CREATE FUNCTION a79(d deal, before numeric) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF value FOR SELECT new.id, old.value;
  ENROLL AGAIN;
BEGIN
  SELECT add_note(d, 'value from ' || round(before) || ' to ' || round(d.value));
END $$;
SELECT set_value(d, 3000) FROM deal d WHERE id = :deal;
CALL automation.run();
SELECT conformance.yes('A79', 'the note', (SELECT body = 'value from 1000 to 3000' AND source = 'automation' FROM note WHERE deal_id = :deal));
SELECT conformance.no('A79', 'of a contact', EXISTS (SELECT FROM note WHERE contact_id IN (:gil, :hal)));
DROP FUNCTION a79;

-- A80, a task is done since the contact did something, and what is about done tasks starts; others stay open
CREATE FUNCTION a80(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission WHEN new.form_id = form('Demo') FOR SELECT dc.deal_id FROM deal_contact dc WHERE dc.contact_id = new.contact_id;
BEGIN
  SELECT complete_task(d, 'Offer a demo%', 'asked for it');
END $$;
CREATE FUNCTION a80_done(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done';
BEGIN
  SELECT conformance.hit('A80', a.id, a.outcome);
END $$;
SELECT new_deal('Demo', 'Sales', 'New', :gil) AS demo \gset
SELECT add_task(d, 'Offer a demo by phone') AS offer, add_task(d, 'Send the price list') AS price FROM deal d WHERE id = :demo \gset
SELECT add_task(d, 'Offer a demo, first time') AS earlier FROM deal d WHERE id = :demo \gset
UPDATE activity SET status = 'done', outcome = 'no answer', completed_at = '2020-01-01' WHERE id = :earlier;
SELECT add_task(d, 'Offer a demo, in the bin') AS bin FROM deal d WHERE id = :demo \gset
UPDATE activity SET deleted_at = automation.now() WHERE id = :bin;
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Webinar'), :gil);
CALL automation.run();
SELECT conformance.no('A80', 'by another form', (SELECT status <> 'open' FROM activity WHERE id = :offer));
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Demo'), :gil);
CALL automation.run();
SELECT conformance.yes('A80', 'done, with what came of it', (SELECT status = 'done' AND completed_at IS NOT NULL AND outcome = 'asked for it' FROM activity WHERE id = :offer)
                       AND conformance.hits('A80', :offer) = 1);
SELECT conformance.no('A80', 'another task, one in the bin', (SELECT bool_or(status <> 'open') FROM activity WHERE id IN (:price, :bin)));
SELECT conformance.no('A80', 'one that was done', (SELECT outcome <> 'no answer' OR completed_at <> '2020-01-01' FROM activity WHERE id = :earlier));
DROP FUNCTION a80;
DROP FUNCTION a80_done;

-- A81, the deal's score: up, down, to a value, to 0; not its contacts'
CREATE FUNCTION a81(d deal) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SELECT adjust_score(d, 10);
  SELECT adjust_score(d, -3);
  WAIT FOR '1 day';
  SELECT set_score(d, 40);
  WAIT FOR '1 day';
  SELECT reset_score(d);
END $$;
SELECT a81(d) FROM deal d WHERE id = :demo \g /dev/null
CALL automation.run();
SELECT conformance.yes('A81', 'up and down', (SELECT score = 7 FROM deal WHERE id = :demo));
SELECT xmin AS written FROM deal WHERE id = :demo \gset
SELECT adjust_score(d, 0), adjust_score(d, NULL) FROM deal d WHERE id = :demo;
SELECT conformance.no('A81', 'a write for no points', (SELECT xmin <> :'written'::xid FROM deal WHERE id = :demo));
CALL automation.advance('1 day');
SELECT conformance.yes('A81', 'to a value', (SELECT score = 40 FROM deal WHERE id = :demo));
CALL automation.advance('1 day');
SELECT conformance.yes('A81', 'back to 0', (SELECT score = 0 FROM deal WHERE id = :demo));
SELECT conformance.no('A81', 'the contact''s score', (SELECT score <> 0 FROM contact WHERE id = :gil));
DROP FUNCTION a81;

-- A82, a field of the contact's account; A83, a note on it; A84, its owner: without an account nothing happens
CREATE FUNCTION a82(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won' ON deal FOR SELECT dc.contact_id, dc.deal_id FROM deal_contact dc WHERE dc.deal_id = new.id;
  ENROLL AGAIN PER c, d;
BEGIN
  SELECT set_property(c, 'account', 'customer_status', 'customer');
  SELECT set_property(c, 'account', 'custom.last_deal', d.title);
  SELECT add_account_note(c, c.name || ' signed ' || d.title || ' for ' || a.name) FROM account a WHERE a.id = account_of(c);
  SELECT set_account_owner(c, app_user('Greta Holm'));
END $$;
SELECT new_contact('Ida') AS ida, new_contact('Jim') AS jim, new_contact('Kay') AS kay \gset
SELECT add_contact_to_account(c, 'Initech') AS initech FROM contact c WHERE id = :ida \gset
SELECT add_contact_to_account(c, 'Umbrella') AS umbrella FROM contact c WHERE id = :kay \gset
SELECT new_deal('Rollout', 'Sales', 'Contract', :ida, :jim) AS rollout \gset
SELECT set_status(d, 'won') FROM deal d WHERE id = :rollout;
CALL automation.run();
SELECT conformance.yes('A82', 'a standard field and one of custom', (SELECT customer_status = 'customer' AND custom->>'last_deal' = 'Rollout' FROM account WHERE id = :initech));
SELECT conformance.no('A82', 'another account', (SELECT customer_status IS NOT NULL FROM account WHERE id = :umbrella));
SELECT conformance.yes('A83', 'the note, with words of contact, deal and account', (SELECT body = 'Ida signed Rollout for Initech' FROM note WHERE account_id = :initech));
SELECT conformance.no('A83', 'who has no account', EXISTS (SELECT FROM note WHERE body LIKE 'Jim%') OR (SELECT count(*) <> 1 FROM note WHERE account_id IS NOT NULL));
SELECT conformance.yes('A84', 'the new owner', (SELECT owner_id = 7 FROM account WHERE id = :initech));
SELECT conformance.no('A84', 'another account, or he who has none is stuck',
    (SELECT owner_id IS NOT NULL FROM account WHERE id = :umbrella) OR EXISTS (SELECT FROM automation.enrollments WHERE workflow = 'a82'));
DROP FUNCTION a82;

-- A85, a contact becomes one of an account; A86, one that is made of what is known of him; A87, one that is there
CREATE FUNCTION a85(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT add_contact_to_account(c);
END $$;
INSERT INTO contact (first_name, email, company_name, owner_id) VALUES ('Lea', 'lea@hooli.example', 'Hooli', 3) RETURNING id AS lea \gset
CALL automation.run();
INSERT INTO contact (first_name, email, company_name) VALUES ('Max', 'max@gmail.com', ' hooli ') RETURNING id AS max \gset
INSERT INTO contact (first_name, email) VALUES ('Ned', 'ned@example.com') RETURNING id AS ned \gset
INSERT INTO contact (first_name, email, company_name) VALUES ('Ola', 'ola@gmail.com', 'Ola') RETURNING id AS ola \gset
CALL automation.run();
SELECT conformance.yes('A85', 'each is of an account, which is his primary one', (SELECT count(*) = 3 AND bool_and(is_primary) FROM account_contact WHERE contact_id IN (:lea, :max, :ola)));
SELECT conformance.no('A85', 'whose company is not known', EXISTS (SELECT FROM account_contact WHERE contact_id = :ned));
SELECT conformance.yes('A86', 'made of his data', (SELECT (a.name, a.domain, a.owner_id, a.source) = ('Hooli', 'hooli.example', 3::bigint, 'automation'::record_source)
                                                   FROM account a JOIN account_contact ac ON ac.account_id = a.id WHERE ac.contact_id = :lea));
SELECT conformance.no('A86', 'the domain of a provider for everybody', (SELECT domain IS NOT NULL FROM account WHERE name = 'Ola'));
SELECT conformance.no('A86', 'a second account of that name', (SELECT count(*) <> 1 FROM account WHERE lower(name) = 'hooli'));
SELECT conformance.yes('A87', 'the one that was there', (SELECT account_of(a) = account_of(b) FROM contact a, contact b WHERE a.id = :lea AND b.id = :max));
SELECT add_contact_to_account(c, :initech), add_contact_to_account(c, :initech) FROM contact c WHERE id = :lea \g /dev/null
SELECT conformance.yes('A87', 'a second account, by its id, is not the primary one',
    (SELECT count(*) = 1 AND bool_and(NOT is_primary) FROM account_contact WHERE contact_id = :lea AND account_id = :initech));
SELECT conformance.no('A87', 'an account that is not there', (SELECT add_contact_to_account(c, 4711) IS NOT NULL FROM contact c WHERE id = :ned));
DROP FUNCTION a85;
