-- Who enters: all contacts of a record or some of them, and what is done to the records that belong to one.

-- S33, each contact of the deal or account enters, by whichever trigger: one event, several enrolments
CREATE FUNCTION s33(c contact, what text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF expected_close_date ON deal FOR SELECT dc.contact_id, 'deal field' FROM deal_contact dc WHERE dc.deal_id = new.id;
  AFTER UPDATE OF score ON deal FOR SELECT dc.contact_id, 'deal score' FROM deal_contact dc WHERE dc.deal_id = new.id;
  AFTER UPDATE OF stage_id ON deal FOR SELECT dc.contact_id, 'stage' FROM deal_contact dc WHERE dc.deal_id = new.id;
  AFTER UPDATE OF pipeline_id ON deal FOR SELECT dc.contact_id, 'pipeline' FROM deal_contact dc WHERE dc.deal_id = new.id;
  AFTER UPDATE OF status ON deal FOR SELECT dc.contact_id, 'status' FROM deal_contact dc WHERE dc.deal_id = new.id;
  AFTER UPDATE OF value ON deal FOR SELECT dc.contact_id, 'value' FROM deal_contact dc WHERE dc.deal_id = new.id;
  AFTER UPDATE OF owner_id ON deal FOR SELECT dc.contact_id, 'owner' FROM deal_contact dc WHERE dc.deal_id = new.id;
  AFTER UPDATE OF industry ON account FOR SELECT ac.contact_id, 'account field' FROM account_contact ac WHERE ac.account_id = new.id;
  AFTER UPDATE OF status TO 'done' ON activity FOR SELECT dc.contact_id, 'task' FROM deal_contact dc WHERE dc.deal_id = new.deal_id;
  AFTER UPDATE OF sentiment ON email_message FOR SELECT dc.contact_id, 'sentiment' FROM deal_contact dc WHERE dc.deal_id = new.deal_id;
  ENROLL AGAIN PER c, what;
BEGIN
  SELECT conformance.hit('S33', c.id, what);
END $$;
CREATE FUNCTION s33_date(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AT d.expected_close_date - 3;
  ENROLL AGAIN;
BEGIN
  SELECT s33(c, 'deal date') FROM contact c JOIN deal_contact dc ON dc.contact_id = c.id WHERE dc.deal_id = d.id;
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dot') AS dot \gset
SELECT new_deal('Large', 'Sales', 'New', :ann, :bob, :cid) AS deal, new_deal('Another', 'Sales', 'New', :dot) AS other \gset
INSERT INTO account (name) VALUES ('Bank') RETURNING id AS bank \gset
INSERT INTO account_contact SELECT :bank, unnest(ARRAY[:ann, :bob, :cid]);
INSERT INTO activity (type, deal_id) VALUES ('task', :deal) RETURNING id AS task \gset
INSERT INTO email_message (class, direction, deal_id) VALUES ('personal', 'in', :deal) RETURNING id AS mail \gset
CALL automation.run();
UPDATE deal SET expected_close_date = automation.now()::date + 5, score = 10, value = 2000, owner_id = 2, status = 'won' WHERE id = :deal;
UPDATE account SET industry = 'banking' WHERE id = :bank;
UPDATE activity SET status = 'done' WHERE id = :task;
UPDATE email_message SET sentiment = 'positive' WHERE id = :mail;
CALL automation.run();
UPDATE deal SET stage_id = stage('Enterprise', 'New') WHERE id = :deal;
CALL automation.run();
SELECT conformance.yes('S33', 'by each trigger, all three',
    (SELECT array_agg(what || ' ' || n ORDER BY what) FROM (SELECT what, count(DISTINCT key) AS n FROM conformance.hit WHERE id = 'S33' GROUP BY what) x)
    = '{account field 3,deal field 3,deal score 3,owner 3,pipeline 3,sentiment 3,stage 3,status 3,task 3,value 3}');
CALL automation.advance('3 days');
SELECT conformance.yes('S33', 'by a date of the deal', (SELECT array_agg(key ORDER BY key::bigint) FROM conformance.hit WHERE id = 'S33' AND what = 'deal date') = ARRAY[:'ann', :'bob', :'cid']);
SELECT conformance.no('S33', 'a contact of another deal', conformance.hits('S33', :dot) > 0);
DROP FUNCTION s33_date, s33;

-- S34, the trigger says otherwise than all contacts.  S38, the primary one; and the owner of that one's account
CREATE FUNCTION s34(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'lost' ON deal
    FOR SELECT dc.contact_id FROM deal_contact dc WHERE dc.deal_id = new.id AND dc.is_primary;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S34', c.id);
END $$;
CREATE FUNCTION s38(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'lost';
BEGIN
  INSERT INTO activity (type, title, deal_id, contact_id, assignee_id)
  SELECT 'task', 'Ask why', d.id, primary_contact(d), account_owner(d);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT new_deal('Lost', 'Sales', 'New', :ann, :bob) AS deal \gset
INSERT INTO account (name, owner_id) VALUES ('Bank', 5) RETURNING id AS bank \gset
INSERT INTO account (name, owner_id) VALUES ('Farm', 6) RETURNING id AS farm \gset
INSERT INTO account_contact (account_id, contact_id, is_primary) VALUES (:bank, :ann, true), (:farm, :bob, true);
CALL automation.run();
UPDATE deal SET status = 'lost' WHERE id = :deal;
CALL automation.run();
SELECT conformance.yes('S34', 'the primary contact', conformance.hits('S34') = ARRAY[:'ann']);
SELECT conformance.no('S34', 'the other', conformance.hits('S34', :bob) > 0);
SELECT conformance.yes('S38', 'a task about the primary contact, for the owner of the account',
                       (SELECT array_agg(contact_id || ' ' || assignee_id) FROM activity WHERE deal_id = :deal) = ARRAY[:'ann' || ' 5']);
SELECT conformance.no('S38', 'for the owner of the other''s', EXISTS (SELECT FROM activity WHERE deal_id = :deal AND assignee_id = 6));
SELECT conformance.refused('S38', 'a second primary contact', format('UPDATE deal_contact SET is_primary = true WHERE deal_id = %s', :deal), 'duplicate key value%');
DROP FUNCTION s34, s38;

-- S35, a record without contacts starts nothing, and never for that change
CREATE FUNCTION s35(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF is_target TO true ON account FOR SELECT ac.contact_id FROM account_contact ac WHERE ac.account_id = new.id;
  AFTER UPDATE OF expected_close_date ON deal FOR SELECT dc.contact_id FROM deal_contact dc WHERE dc.deal_id = new.id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S35', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_deal('Alone', 'Sales', 'New') AS deal \gset
INSERT INTO account (name) VALUES ('Alone') RETURNING id AS alone \gset
INSERT INTO account (name) VALUES ('Bank') RETURNING id AS bank \gset
INSERT INTO account_contact (account_id, contact_id) VALUES (:bank, :ann);
CALL automation.run();
UPDATE account SET is_target = true WHERE id IN (:alone, :bank);
UPDATE deal SET expected_close_date = '2030-01-01' WHERE id = :deal;
CALL automation.run();
SELECT conformance.yes('S35', 'a record with a contact', conformance.hits('S35') = ARRAY[:'ann']);
INSERT INTO account_contact (account_id, contact_id) VALUES (:alone, :bob);
INSERT INTO deal_contact (deal_id, contact_id) VALUES (:deal, :bob);
CALL automation.advance('1 day');
SELECT conformance.no('S35', 'who comes to it later', conformance.hits('S35', :bob) > 0);
DROP FUNCTION s35;

-- S36, conditions on the record and on the contacts
CREATE FUNCTION s36(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF is_target TO true ON account WHEN new.industry = 'banking'
    FOR SELECT p.id FROM contact p JOIN account_contact ac ON ac.contact_id = p.id WHERE ac.account_id = new.id AND p.is_marketing;
  AFTER UPDATE OF expected_close_date ON deal WHEN new.value > 500
    FOR SELECT p.id FROM contact p JOIN deal_contact dc ON dc.contact_id = p.id WHERE dc.deal_id = new.id AND p.is_marketing;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S36', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dot') AS dot \gset
UPDATE contact SET is_marketing = false WHERE id = :bob;
INSERT INTO account (name, industry) VALUES ('Bank', 'banking') RETURNING id AS bank \gset
INSERT INTO account (name, industry) VALUES ('Farm', 'farming') RETURNING id AS farm \gset
INSERT INTO account_contact (account_id, contact_id) VALUES (:bank, :ann), (:bank, :bob), (:farm, :cid);
SELECT new_deal('Worth it', 'Sales', 'New', :bob, :dot) AS deal \gset
CALL automation.run();
UPDATE account SET is_target = true WHERE id IN (:bank, :farm);
UPDATE deal SET expected_close_date = '2030-01-01' WHERE id = :deal;
CALL automation.run();
SELECT conformance.yes('S36', 'both hold', conformance.hits('S36') = ARRAY[:'ann', :'dot']);
SELECT conformance.no('S36', 'the account is not meant, the contact is not', conformance.hits('S36', :bob) + conformance.hits('S36', :cid) > 0);
DROP FUNCTION s36;

-- S37, what is done to the account is done to the contact's account; none: nothing
CREATE FUNCTION s37(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SELECT add_account_note(c, 'a customer now');
  SELECT set_account_owner(c, 3);
  SELECT conformance.hit('S37', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO account (name, owner_id) VALUES ('Bank', 1) RETURNING id AS bank \gset
INSERT INTO account (name, owner_id) VALUES ('Farm', 1) RETURNING id AS farm \gset
INSERT INTO account_contact (account_id, contact_id, is_primary) VALUES (:bank, :ann, true);
CALL automation.run();
SELECT count(*) AS notes FROM note \gset
UPDATE contact SET lifecycle = 'customer' WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('S37', 'the account of the contact', EXISTS (SELECT FROM note WHERE account_id = :bank AND body = 'a customer now')
                       AND (SELECT owner_id FROM account WHERE id = :bank) = 3);
SELECT conformance.no('S37', 'another account', EXISTS (SELECT FROM note WHERE account_id = :farm) OR (SELECT owner_id FROM account WHERE id = :farm) <> 1);
SELECT conformance.no('S37', 'a contact without one: no effect, and it goes on', (SELECT count(*) FROM note) <> :notes + 1 OR conformance.hits('S37', :bob) <> 1);
DROP FUNCTION s37;

-- S39, set, copied, cleared on all the records of the other type that belong to it
CREATE FUNCTION s39(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SELECT set_property(c, 'deal', 'status', 'won');
  SELECT copy_property(c, 'country', 'account', 'industry');
  SELECT clear_property(c, 'ticket', 'priority');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET country = 'FR' WHERE id = :ann;
SELECT new_deal('First', 'Sales', 'New', :ann) AS d1, new_deal('Second', 'Enterprise', 'New', :bob, :ann) AS d2, new_deal('Third', 'Sales', 'New', :bob) AS d3 \gset
INSERT INTO account (name) VALUES ('One') RETURNING id AS a1 \gset
INSERT INTO account (name) VALUES ('Two') RETURNING id AS a2 \gset
INSERT INTO account_contact (account_id, contact_id) VALUES (:a1, :ann), (:a2, :ann);
INSERT INTO ticket (subject, priority) VALUES ('One', 'high') RETURNING id AS t1 \gset
INSERT INTO ticket (subject, priority) VALUES ('Two', 'high') RETURNING id AS t2 \gset
INSERT INTO ticket (subject, priority) VALUES ('Three', 'high') RETURNING id AS t3 \gset
INSERT INTO ticket_contact VALUES (:t1, :ann), (:t2, :ann), (:t3, :bob);
CALL automation.run();
UPDATE contact SET lifecycle = 'customer' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('S39', 'all deals, all accounts, all tickets',
                       (SELECT bool_and(status = 'won') FROM deal WHERE id IN (:d1, :d2))
                       AND (SELECT bool_and(industry = 'FR') FROM account WHERE id IN (:a1, :a2))
                       AND (SELECT bool_and(priority IS NULL) FROM ticket WHERE id IN (:t1, :t2)));
SELECT conformance.no('S39', 'those of others', (SELECT status FROM deal WHERE id = :d3) <> 'open' OR (SELECT priority FROM ticket WHERE id = :t3) IS NULL);
DROP FUNCTION s39;

-- S40, one mail reaches at most 100 records that belong to one
CREATE FUNCTION s40(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF customer_status TO 'customer';
BEGIN
  SEND email('thank you', p) FROM people_of(a) p;
END $$;
INSERT INTO account (name) VALUES ('Large') RETURNING id AS large \gset
WITH p AS (INSERT INTO contact (first_name, email) SELECT 'P' || n, 'p' || n || '@large.example.com' FROM generate_series(1, 103) n RETURNING id)
INSERT INTO account_contact (account_id, contact_id) SELECT :large, id FROM p;
CALL automation.run();
UPDATE account SET customer_status = 'customer' WHERE id = :large;
CALL automation.run();
SELECT conformance.yes('S40', 'a hundred of them', (SELECT count(DISTINCT address) FROM automation.deliveries WHERE workflow = 's40' AND state = 'queued') = 100);
SELECT conformance.no('S40', 'the one after those',
                      EXISTS (SELECT FROM automation.deliveries WHERE workflow = 's40' AND address IN ('p101@large.example.com', 'p102@large.example.com', 'p103@large.example.com')));
SELECT count(automation.settle(id, 'dead')) FROM automation.deliveries WHERE workflow = 's40' AND state = 'queued' \gset
-- all of them, where that is wanted
CREATE FUNCTION s40_all(a account) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SEND email('thank you', p) FROM people_of(a, at_most => NULL) p;
END $$;
SELECT s40_all(a) FROM account a WHERE a.id = :large \g /dev/null
CALL automation.run();
SELECT conformance.yes('S40', 'all, if it is said', (SELECT count(*) = 103 FROM automation.deliveries WHERE workflow = 's40_all' AND state = 'queued'));
SELECT count(automation.settle(id, 'dead')) FROM automation.deliveries WHERE workflow = 's40_all' AND state = 'queued' \gset
DROP FUNCTION s40, s40_all;

-- S41, what is made belongs to the record that is in the workflow, and to what else is chosen.  S42, it shows where it is linked
CREATE FUNCTION s41(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'opportunity';
DECLARE
  made bigint;
BEGIN
  SELECT create_deal(c, 'New business', 'Sales') INTO made;
  SELECT create_ticket(c, 'Set up', 'Help');
  SELECT create_activity(c, 'task', 'Call them');
  SELECT create_activity(d, 'task', 'Calculate', link => ARRAY['deal']) FROM deal d WHERE d.id = made;
END $$;
SELECT new_contact('Ann', owner => 1) AS ann, new_contact('Bob') AS bob \gset
INSERT INTO account (name) VALUES ('Bank') RETURNING id AS bank \gset
INSERT INTO account_contact (account_id, contact_id, is_primary) VALUES (:bank, :ann, true);
CALL automation.run();
UPDATE contact SET lifecycle = 'opportunity' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('S41', 'deal, ticket and task',
                       EXISTS (SELECT FROM association WHERE from_type = 'contact' AND from_id = :ann AND to_type = 'deal')
                       AND EXISTS (SELECT FROM association WHERE from_type = 'contact' AND from_id = :ann AND to_type = 'ticket')
                       AND EXISTS (SELECT FROM activity WHERE contact_id = :ann AND title = 'Call them'));
SELECT conformance.no('S41', 'somebody else''s', EXISTS (SELECT FROM association WHERE from_type = 'contact' AND from_id = :bob));
SELECT conformance.yes('S42', 'linked: it shows with the deal', EXISTS (SELECT FROM activity a JOIN deal d ON d.id = a.deal_id WHERE a.title = 'Calculate' AND d.title = 'New business'));
SELECT conformance.no('S42', 'not linked: it is there, but not with the contact', EXISTS (SELECT FROM activity WHERE title = 'Calculate' AND contact_id IS NOT NULL));
DROP FUNCTION s41;

-- S43, what was made last is on top of the list by creation
CREATE FUNCTION s43(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  SELECT create_deal(c, 'From a lead', 'Sales');
END $$;
SELECT new_contact('Ann') AS ann \gset
CALL automation.advance('1 hour');
SELECT new_deal('By hand before', 'Sales', 'New') \gset s43_
CALL automation.advance('1 hour');
UPDATE contact SET lifecycle = 'lead' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('S43', 'by time of creation', (SELECT title FROM deal ORDER BY created_at DESC, id DESC LIMIT 1) = 'From a lead'
                       AND (SELECT source FROM deal ORDER BY created_at DESC, id DESC LIMIT 1) = 'automation');
UPDATE deal SET value = 1 WHERE title = 'By hand before';
SELECT conformance.no('S43', 'what was changed last', (SELECT title FROM deal ORDER BY created_at DESC, id DESC LIMIT 1) = 'By hand before');
DROP FUNCTION s43;

-- S44, who is in the other workflow already is not enrolled again; it is in the journal, and the first goes on
CREATE FUNCTION s44_course(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S44', c.id, 'enrolled');
  WAIT FOR '5 days';
END $$;
CREATE FUNCTION s44(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SELECT s44_course(c);
  SELECT conformance.hit('S44', c.id, 'next step');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
CALL automation.run();
SELECT s44_course(c) FROM contact c WHERE c.id = :ann \gset
CALL automation.run();
UPDATE contact SET lifecycle = 'customer' WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('S44', 'the line in the journal, and the next step',
                       EXISTS (SELECT FROM automation.journal WHERE workflow = 's44_course' AND subject_key = :'ann' AND event = 'not_entered' AND reason = 'already_active')
                       AND (SELECT count(*) FROM conformance.hit WHERE id = 'S44' AND what = 'next step') = 2);
SELECT conformance.no('S44', 'enrolled twice', (SELECT count(*) FROM conformance.hit WHERE id = 'S44' AND what = 'enrolled' AND key = :'ann') > 1);
SELECT conformance.no('S44', 'who was not inside', NOT EXISTS (SELECT FROM conformance.hit WHERE id = 'S44' AND what = 'enrolled' AND key = :'bob'));
SELECT automation.unenroll('s44_course', c) FROM contact c WHERE c.id IN (:ann, :bob);
CALL automation.run();
DROP FUNCTION s44, s44_course;

-- S45, objects may have names of one's own: a view
CREATE VIEW company AS SELECT id, name, industry AS trade FROM account;
CREATE FUNCTION s45(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF industry;
  ENROLL AGAIN;
BEGIN
  UPDATE company SET name = name || ', ' || trade WHERE id = a.id AND trade IS NOT NULL;
  SELECT conformance.hit('S45', a.id);
END $$;
INSERT INTO company (name) VALUES ('Bank') RETURNING id AS bank \gset
CALL automation.run();
UPDATE company SET trade = 'banking' WHERE id = :bank;
CALL automation.run();
SELECT conformance.yes('S45', 'made, changed and read by its own name', conformance.hits('S45', :bank) = 2 AND (SELECT name FROM company WHERE id = :bank) = 'Bank, banking');
SELECT conformance.refused('S45', 'the table is what is watched', $cmd$
  CREATE FUNCTION s45_view(a company) RETURNS bigint LANGUAGE workflow AS $$ AFTER INSERT; BEGIN SELECT 1; END $$ $cmd$, '"company" is not a table');
DROP FUNCTION s45;

-- S46, one type of record per workflow, between workflows, too
CREATE FUNCTION s46_contacts(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
BEGIN
  SELECT conformance.hit('S46', c.id, 'contact');
END $$;
CREATE FUNCTION s46_deals(d deal) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
BEGIN
  SELECT conformance.hit('S46', d.id, 'deal');
END $$;
CREATE FUNCTION s46(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SELECT s46_deals(d);
END $$;
SELECT conformance.refused('S46', 'a deal into a workflow of contacts', $cmd$
  CREATE FUNCTION s46_wrong(d deal) RETURNS bigint LANGUAGE workflow AS $$ AFTER UPDATE OF status TO 'won'; BEGIN SELECT s46_contacts(d); END $$ $cmd$,
  'function s46_contacts(deal) does not exist');
SELECT new_deal('Won', 'Sales', 'New') AS deal \gset
CALL automation.run();
UPDATE deal SET status = 'won' WHERE id = :deal;
CALL automation.run();
SELECT conformance.yes('S46', 'a deal into a workflow of deals', (SELECT array_agg(what || ' ' || key) FROM conformance.hit WHERE id = 'S46') = ARRAY['deal ' || :deal]);
DROP FUNCTION s46, s46_deals, s46_contacts;
