-- Changes of records: contacts, accounts, deals, tasks, deal mails, custom objects.

-- T109, a contact's field changes, the kit's own or one that was added; the same value again is no change
ALTER TABLE contact ADD COLUMN IF NOT EXISTS favourite_colour text;
CREATE FUNCTION t109(c contact, field text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF city FOR SELECT new.id, 'city';
  AFTER UPDATE OF favourite_colour FOR SELECT new.id, 'colour';
  AFTER UPDATE OF custom WHEN new.custom ->> 'shoe size' IS DISTINCT FROM old.custom ->> 'shoe size' FOR SELECT new.id, 'shoe size';
  ENROLL AGAIN PER c, field;
BEGIN
  SELECT conformance.hit('T109', c.id, field);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dot') AS dot, new_contact('Eve') AS eve \gset
UPDATE contact SET city = 'Lyon' WHERE id IN (:ann, :bob);
UPDATE contact SET favourite_colour = 'red' WHERE id = :cid;
UPDATE contact SET custom = custom || '{"shoe size": 44}' WHERE id = :dot;
CALL automation.run();
UPDATE contact SET city = 'Lyon' WHERE id = :bob;
UPDATE contact SET country = 'FR', custom = custom || '{"hat": 58}' WHERE id IN (:bob, :dot, :eve);
CALL automation.run();
SELECT conformance.yes('T109', 'a field of the kit', conformance.hits('T109', :ann) = 1);
SELECT conformance.yes('T109', 'a column that was added', conformance.hits('T109', :cid) = 1);
SELECT conformance.yes('T109', 'a field in custom', conformance.hits('T109', :dot) = 1);
SELECT conformance.no('T109', 'the same value again', conformance.hits('T109', :bob) > 1);
SELECT conformance.no('T109', 'another field', conformance.hits('T109', :eve) > 0);
DROP FUNCTION t109;
ALTER TABLE contact DROP COLUMN favourite_colour;

-- T110, to any value: NULL is one, too
CREATE FUNCTION t110(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lead_status;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T110', c.id, coalesce(c.lead_status, 'none'));
END $$;
-- T111, to one value
CREATE FUNCTION t111(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lead_status TO 'working';
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T111', c.id);
END $$;
-- T112, from any value to any value: with both in hand
CREATE FUNCTION t112(c contact, before text, after text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lead_status FOR SELECT new.id, old.lead_status, new.lead_status;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T112', c.id, coalesce(before, '-') || ' to ' || coalesce(after, '-'));
END $$;
-- T113, from one value to one value
CREATE FUNCTION t113(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lead_status FROM 'new' TO 'working';
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T113', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dot') AS dot \gset
UPDATE contact SET lead_status = 'new' WHERE id IN (:ann, :bob, :dot);
CALL automation.run();
UPDATE contact SET lead_status = 'working' WHERE id IN (:ann, :cid);
UPDATE contact SET lead_status = 'lost' WHERE id = :dot;
CALL automation.run();
UPDATE contact SET lead_status = NULL WHERE id = :ann;
UPDATE contact SET city = 'Rome' WHERE id = :bob;
CALL automation.run();
SELECT conformance.yes('T110', 'each value, and none',
                       (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'T110' AND key = :'ann') = '{new,working,none}');
SELECT conformance.no('T110', 'another field', conformance.hits('T110', :bob) > 1);
SELECT conformance.yes('T111', 'that value, from wherever', conformance.hits('T111') = ARRAY[:'ann', :'cid']);
SELECT conformance.no('T111', 'another value', conformance.hits('T111') && ARRAY[:'bob', :'dot']);
SELECT conformance.yes('T112', 'each transition',
                       (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'T112' AND key = :'ann') = '{- to new,new to working,working to -}');
SELECT conformance.no('T112', 'no transition', conformance.hits('T112', :bob) > 1);
SELECT conformance.yes('T113', 'that transition', conformance.hits('T113', :ann) = 1);
SELECT conformance.no('T113', 'another value before, or after', conformance.hits('T113') && ARRAY[:'cid', :'dot']);
DROP FUNCTION t110, t111, t112, t113;

-- T114, an account's field changes: each of its contacts enters, with the account
CREATE FUNCTION t114(c contact, a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF is_target ON account
    FOR SELECT ac.contact_id, new.id FROM account_contact ac WHERE ac.account_id = new.id;
  AFTER UPDATE OF custom ON account WHEN new.custom ->> 'tier' IS DISTINCT FROM old.custom ->> 'tier'
    FOR SELECT ac.contact_id, new.id FROM account_contact ac WHERE ac.account_id = new.id;
  ENROLL AGAIN PER c, a;
BEGIN
  SELECT conformance.hit('T114', c.id, a.name);
END $$;
-- T115, what it was and what it is now
CREATE FUNCTION t115(c contact, a account, what text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF customer_status ON account
    FOR SELECT ac.contact_id, new.id, 'any' FROM account_contact ac WHERE ac.account_id = new.id;
  AFTER UPDATE OF customer_status TO 'customer' ON account
    FOR SELECT ac.contact_id, new.id, 'to one' FROM account_contact ac WHERE ac.account_id = new.id;
  AFTER UPDATE OF customer_status FROM 'prospect' TO 'customer' ON account
    FOR SELECT ac.contact_id, new.id, 'one to one' FROM account_contact ac WHERE ac.account_id = new.id;
  ENROLL AGAIN PER c, a, what;
BEGIN
  SELECT conformance.hit('T115', c.id, what);
END $$;
-- T116, a condition on the account; T117, one on the contacts
CREATE FUNCTION t116(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF is_target TO true ON account WHEN new.industry = 'banking'
    FOR SELECT ac.contact_id FROM account_contact ac WHERE ac.account_id = new.id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T116', c.id);
END $$;
CREATE FUNCTION t117(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF is_target TO true ON account
    FOR SELECT p.id FROM contact p JOIN account_contact ac ON ac.contact_id = p.id
         WHERE ac.account_id = new.id AND p.country = 'FR';
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T117', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dot') AS dot \gset
UPDATE contact SET country = CASE id WHEN :ann THEN 'FR' ELSE 'DE' END WHERE id IN (:ann, :bob, :cid);
INSERT INTO account (name, industry) VALUES ('Bank', 'banking') RETURNING id AS bank \gset
INSERT INTO account (name, industry) VALUES ('Farm', 'farming') RETURNING id AS farm \gset
INSERT INTO account (name, industry) VALUES ('Nobody', 'banking') RETURNING id AS nobody \gset
INSERT INTO account_contact (account_id, contact_id) VALUES (:bank, :ann), (:bank, :bob), (:farm, :cid);
CALL automation.run();
UPDATE account SET is_target = true WHERE id IN (:bank, :farm, :nobody);
UPDATE account SET customer_status = 'prospect' WHERE id = :bank;
CALL automation.run();
UPDATE account SET customer_status = 'customer' WHERE id IN (:bank, :farm);
UPDATE account SET name = 'Farm Ltd' WHERE id = :farm;
CALL automation.run();
SELECT conformance.yes('T114', 'each contact of each account', conformance.hits('T114') = ARRAY[:'ann', :'bob', :'cid']);
UPDATE account SET custom = '{"tier": "gold"}' WHERE id IN (:bank, :nobody);
CALL automation.run();
SELECT conformance.yes('T114', 'by a field of one''s own', conformance.hits('T114') = ARRAY[:'ann', :'ann', :'bob', :'bob', :'cid']);
SELECT conformance.no('T114', 'nobody for an account without contacts', conformance.hits('T114', :dot) > 0);
SELECT conformance.no('T114', 'another field', conformance.hits('T114', :cid) > 1);
SELECT conformance.yes('T115', 'any, to one, from one to one',
                       (SELECT array_agg(what ORDER BY what) FROM conformance.hit WHERE id = 'T115' AND key = :'ann') = '{any,any,one to one,to one}');
SELECT conformance.no('T115', 'another value before',
                      EXISTS (SELECT FROM conformance.hit WHERE id = 'T115' AND key = :'cid' AND what = 'one to one'));
UPDATE account SET is_target = false WHERE id IN (:bank, :farm);
CALL automation.run();
SELECT conformance.yes('T116', 'contacts of the bank', conformance.hits('T116') = ARRAY[:'ann', :'bob']);
SELECT conformance.no('T116', 'an account that is not meant, or the way back', conformance.hits('T116', :cid) > 0 OR conformance.hits('T116', :ann) > 1);
SELECT conformance.yes('T117', 'the contact in France', conformance.hits('T117') = ARRAY[:'ann']);
SELECT conformance.no('T117', 'a contact elsewhere', conformance.hits('T117', :bob) > 0);
DROP FUNCTION t114, t115, t116, t117;

-- T118 T119, a deal moves between stages of one pipeline: each of its contacts enters
CREATE FUNCTION t118(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id ON deal WHEN new.pipeline_id = pipeline('Sales') AND old.pipeline_id = new.pipeline_id
    FOR SELECT dc.contact_id, new.id FROM deal_contact dc WHERE dc.deal_id = new.id;
  ENROLL AGAIN PER c, d;
BEGIN
  SELECT conformance.hit('T118', c.id, d.title);
END $$;
CREATE FUNCTION t119(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id WHEN new.pipeline_id = pipeline('Enterprise') AND old.pipeline_id = new.pipeline_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T119', d.id);
END $$;
-- T120, from one stage to one stage
CREATE FUNCTION t120(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id
    WHEN old.stage_id = stage('Sales', 'Qualified') AND new.stage_id = stage('Sales', 'Proposal');
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T120', d.id);
END $$;
-- the same by the history, which knows each move, also those of one transaction
CREATE FUNCTION t120_history(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON stage_history
    WHEN new.from_stage_id = stage('Sales', 'Qualified') AND new.to_stage_id = stage('Sales', 'Proposal') FOR SELECT new.deal_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T120', d.id, 'history');
END $$;
-- T121, from one stage to any other of the pipeline
CREATE FUNCTION t121(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage_id WHEN old.stage_id = stage('Sales', 'Qualified') AND new.pipeline_id = pipeline('Sales');
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T121', d.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
SELECT new_deal('From elsewhere', 'Enterprise', 'New', :cid) AS elsewhere, new_deal('Straight', 'Sales', 'Qualified', :ann, :bob) AS straight, new_deal('Detour', 'Sales', 'Qualified') AS detour,
       new_deal('Away', 'Sales', 'Qualified') AS away, new_deal('Big', 'Enterprise', 'New', :bob) AS big, new_deal('New', 'Sales', 'New') AS fresh,
       new_deal('Detour at once', 'Sales', 'Qualified') AS at_once \gset
CALL automation.run();
SELECT conformance.no('T118', 'a deal that is made has not moved', conformance.hits('T118') <> '{}');
UPDATE deal SET stage_id = stage('Sales', 'Proposal') WHERE id = :straight;
UPDATE deal SET stage_id = stage('Sales', 'Demo') WHERE id IN (:detour, :fresh);
UPDATE deal SET stage_id = stage('Enterprise', 'New') WHERE id = :away;
UPDATE deal SET stage_id = stage('Sales', 'Qualified') WHERE id = :elsewhere;
UPDATE deal SET stage_id = stage('Enterprise', 'Qualified') WHERE id = :big;
BEGIN;
UPDATE deal SET stage_id = stage('Sales', 'Demo') WHERE id = :at_once;
UPDATE deal SET stage_id = stage('Sales', 'Proposal') WHERE id = :at_once;
COMMIT;
CALL automation.run();
UPDATE deal SET stage_id = stage('Sales', 'Proposal') WHERE id = :detour;
UPDATE deal SET title = 'Straight on' WHERE id = :straight;
CALL automation.run();
SELECT conformance.yes('T118', 'each contact of the deal', conformance.hits('T118') = ARRAY[:'ann', :'bob']);
SELECT conformance.no('T118', 'another pipeline, or out of it into this one', conformance.hits('T118', :bob) > 1 OR conformance.hits('T118', :cid) > 0);
SELECT conformance.yes('T119', 'the pipeline that is meant', conformance.hits('T119', :big) = 1);
SELECT conformance.no('T119', 'the other pipeline, or out of it into this one', conformance.hits('T119', :straight) > 0 OR conformance.hits('T119', :away) > 0);
SELECT conformance.yes('T120', 'straight from there to there', conformance.hits('T120', :straight) = 2);
SELECT conformance.no('T120', 'by way of another stage in one transaction',
                      EXISTS (SELECT FROM conformance.hit WHERE id = 'T120' AND key = :'at_once' AND what = 'history'));
SELECT conformance.no('T120', 'by way of another stage', conformance.hits('T120', :detour) > 0);
SELECT conformance.yes('T121', 'wherever to', conformance.hits('T121') = ARRAY[:'straight', :'detour', :'at_once']);
SELECT conformance.no('T121', 'from another stage', conformance.hits('T121', :fresh) > 0);
SELECT conformance.no('T121', 'into another pipeline', conformance.hits('T121', :away) > 0);
DROP FUNCTION t118, t119, t120, t120_history, t121;

-- T122, a deal's status changes
CREATE FUNCTION t122(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status ON deal FOR SELECT dc.contact_id, new.id FROM deal_contact dc WHERE dc.deal_id = new.id;
  ENROLL AGAIN PER c, d;
BEGIN
  SELECT conformance.hit('T122', c.id, d.status::text);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
SELECT new_deal('Won', 'Sales', 'New', :ann, :bob) AS won, new_deal('Open', 'Sales', 'New', :cid) AS open \gset
CALL automation.run();
UPDATE deal SET status = 'won' WHERE id = :won;
UPDATE deal SET status = 'open', stage_id = stage('Sales', 'Demo') WHERE id = :open;
CALL automation.run();
UPDATE deal SET status = 'lost' WHERE id = :won;
CALL automation.run();
UPDATE deal SET status = 'open' WHERE id = :won;
CALL automation.run();
SELECT conformance.yes('T122', 'won, lost, open again, for each contact',
                       (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'T122' AND key = :'bob') = '{won,lost,open}'
                       AND conformance.hits('T122', :ann) = 3);
SELECT conformance.no('T122', 'the status it had', conformance.hits('T122', :cid) > 0);
SELECT conformance.refused('T122', 'another word', format('UPDATE deal SET status = %L', 'paused'), 'invalid input value for enum deal_status%');
DROP FUNCTION t122;

-- T123, the value of a deal that exists changes: each of its contacts enters
CREATE FUNCTION t123(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF value ON deal FOR SELECT dc.contact_id, new.id FROM deal_contact dc WHERE dc.deal_id = new.id;
  ENROLL AGAIN PER c, d;
BEGIN
  SELECT conformance.hit('T123', c.id);
END $$;
-- T124, in one currency
CREATE FUNCTION t124(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF value WHEN new.currency = 'EUR';
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T124', d.id);
END $$;
-- T125, from one value; T126, to one value
CREATE FUNCTION t125(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF value FROM 1000;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T125', d.id, d.value::int::text);
END $$;
CREATE FUNCTION t126(d deal, before numeric) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF value TO 5000 FOR SELECT new.id, old.value;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T126', d.id, before::int::text);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT new_deal('One', 'Sales', 'New', :ann, :bob) AS one, new_deal('Two', 'Sales', 'New') AS two \gset
UPDATE deal SET currency = 'USD' WHERE id = :two;
CALL automation.run();
SELECT conformance.no('T123', 'the value a deal is made with', conformance.hits('T123') <> '{}');
UPDATE deal SET value = 2000 WHERE id IN (:one, :two);
CALL automation.run();
UPDATE deal SET value = 5000 WHERE id = :one;
UPDATE deal SET value = 7000 WHERE id = :two;
CALL automation.run();
SELECT conformance.yes('T123', 'each change, for each contact', conformance.hits('T123') = ARRAY[:'ann', :'ann', :'bob', :'bob']);
SELECT conformance.yes('T124', 'in euros', conformance.hits('T124', :one) = 2);
SELECT conformance.no('T124', 'in dollars', conformance.hits('T124', :two) > 0);
SELECT conformance.yes('T125', 'from that value to any', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'T125') = '{2000,2000}');
SELECT conformance.no('T125', 'from another value', conformance.hits('T125', :one) > 1);
SELECT conformance.yes('T126', 'from any value to that', (SELECT what FROM conformance.hit WHERE id = 'T126' AND key = :'one') = '2000');
SELECT conformance.no('T126', 'to another value', conformance.hits('T126', :two) > 0);
DROP FUNCTION t123, t124, t125, t126;

-- T127, a deal passes from one person to another: each contact enters
CREATE FUNCTION t127(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF owner_id ON deal FOR SELECT dc.contact_id, new.id FROM deal_contact dc WHERE dc.deal_id = new.id;
  ENROLL AGAIN PER c, d;
BEGIN
  SELECT conformance.hit('T127', c.id);
END $$;
-- T128, from one owner; T129, to one owner
CREATE FUNCTION t128(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF owner_id WHEN old.owner_id = app_user('Ada Bell');
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T128', d.id);
END $$;
CREATE FUNCTION t129(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF owner_id WHEN new.owner_id = app_user('Dora Engel');
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T129', d.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
SELECT new_deal('Given', 'Sales', 'New', :ann, :bob) AS given, new_deal('Kept', 'Sales', 'New', :cid) AS kept \gset
CALL automation.run();
UPDATE deal SET owner_id = 2 WHERE id = :given;
UPDATE deal SET owner_id = 1, title = 'Kept on' WHERE id = :kept;
CALL automation.run();
UPDATE deal SET owner_id = 4 WHERE id = :given;
CALL automation.run();
SELECT conformance.yes('T127', 'each time, for each contact', conformance.hits('T127') = ARRAY[:'ann', :'ann', :'bob', :'bob']);
SELECT conformance.no('T127', 'the same owner', conformance.hits('T127', :cid) > 0);
SELECT conformance.yes('T128', 'from Ada', conformance.hits('T128', :given) >= 1);
SELECT conformance.no('T128', 'from somebody else', conformance.hits('T128', :given) > 1);
SELECT conformance.yes('T129', 'to Dora', conformance.hits('T129', :given) >= 1);
SELECT conformance.no('T129', 'to somebody else', conformance.hits('T129', :given) > 1);
DROP FUNCTION t127, t128, t129;

-- T130, a deal enters a pipeline: made in it, or moved into it from another
CREATE FUNCTION t130(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF pipeline_id ON deal WHEN new.pipeline_id = pipeline('Enterprise')
    FOR SELECT dc.contact_id, new.id FROM deal_contact dc WHERE dc.deal_id = new.id;
  ENROLL AGAIN PER c, d;
BEGIN
  SELECT conformance.hit('T130', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
SELECT new_deal('Made', 'Enterprise', 'New', :ann) AS made, new_deal('Moved', 'Sales', 'New', :bob) AS moved, new_deal('Not', 'Sales', 'New', :cid) AS other \gset
CALL automation.run();
UPDATE deal SET stage_id = stage('Enterprise', 'New') WHERE id = :moved;
UPDATE deal SET stage_id = stage('Enterprise', 'Contract') WHERE id = :made;
CALL automation.run();
SELECT conformance.yes('T130', 'made in it, moved into it', conformance.hits('T130') = ARRAY[:'ann', :'bob']);
SELECT conformance.no('T130', 'a move within it', conformance.hits('T130', :ann) > 1);
SELECT conformance.no('T130', 'another pipeline', conformance.hits('T130', :cid) > 0);
DROP FUNCTION t130;

-- T131 T132, one field of a deal changes: any field of one's own, and of the kit's the expected close date
ALTER TABLE deal ADD COLUMN IF NOT EXISTS referred_by text;
CREATE FUNCTION t131(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF expected_close_date ON deal FOR SELECT dc.contact_id, new.id FROM deal_contact dc WHERE dc.deal_id = new.id;
  ENROLL AGAIN PER c, d;
BEGIN
  SELECT conformance.hit('T131', c.id);
END $$;
CREATE FUNCTION t132(d deal, field text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF referred_by FOR SELECT new.id, 'referred by';
  AFTER UPDATE OF custom WHEN new.custom -> 'region' IS DISTINCT FROM old.custom -> 'region' FOR SELECT new.id, 'region';
  AFTER UPDATE OF expected_close_date FOR SELECT new.id, 'close date';
  ENROLL AGAIN PER d, field;
BEGIN
  SELECT conformance.hit('T132', d.id, field);
END $$;
-- T133, what it was and what it is now
CREATE FUNCTION t133(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF expected_close_date FROM '2030-01-31' TO '2030-02-28';
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T133', d.id);
END $$;
-- T134, a condition on the deal; T135, one on the contacts
CREATE FUNCTION t134(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF expected_close_date ON deal WHEN new.value > 5000
    FOR SELECT dc.contact_id FROM deal_contact dc WHERE dc.deal_id = new.id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T134', c.id);
END $$;
CREATE FUNCTION t135(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF expected_close_date ON deal
    FOR SELECT p.id FROM deal_contact dc JOIN contact p ON p.id = dc.contact_id WHERE dc.deal_id = new.id AND p.country = 'FR';
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T135', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dot') AS dot \gset
UPDATE contact SET country = 'FR' WHERE id = :ann;
SELECT new_deal('Large', 'Sales', 'New', :ann, :bob) AS large, new_deal('Small', 'Sales', 'New', :cid) AS small,
       new_deal('Alone', 'Sales', 'New') AS alone, new_deal('Own fields', 'Sales', 'New', :dot) AS own \gset
UPDATE deal SET value = 9000 WHERE id = :large;
CALL automation.run();
UPDATE deal SET expected_close_date = '2030-01-31' WHERE id IN (:large, :small, :alone);
UPDATE deal SET referred_by = 'a friend', custom = '{"region": "south"}' WHERE id = :own;
CALL automation.run();
UPDATE deal SET expected_close_date = '2030-02-28' WHERE id = :large;
UPDATE deal SET expected_close_date = '2030-03-31' WHERE id = :alone;
UPDATE deal SET title = 'New title', custom = custom || '{"weight": 3}' WHERE id IN (:small, :own);
CALL automation.run();
SELECT conformance.yes('T131', 'each change, for each contact', conformance.hits('T131') = ARRAY[:'ann', :'ann', :'bob', :'bob', :'cid']);
SELECT conformance.no('T131', 'a deal without contacts, another field', conformance.hits('T131', :dot) > 0 OR conformance.hits('T131', :cid) > 1);
SELECT conformance.yes('T132', 'own columns and fields, and the close date',
                       (SELECT array_agg(what ORDER BY what) FROM conformance.hit WHERE id = 'T132' AND key = :'own') = '{referred by,region}'
                       AND (SELECT array_agg(what) FROM conformance.hit WHERE id = 'T132' AND key = :'small') = '{close date}');
SELECT conformance.no('T132', 'the title, another field in custom', conformance.hits('T132', :own) > 2 OR conformance.hits('T132', :small) > 1);
SELECT conformance.yes('T133', 'from that date to that', conformance.hits('T133', :large) = 1);
SELECT conformance.no('T133', 'from none, to another date', conformance.hits('T133', :small) + conformance.hits('T133', :alone) > 0);
SELECT conformance.yes('T134', 'contacts of the large deal', conformance.hits('T134') = ARRAY[:'ann', :'ann', :'bob', :'bob']);
SELECT conformance.no('T134', 'the small deal', conformance.hits('T134', :cid) > 0);
SELECT conformance.yes('T135', 'the contact in France', conformance.hits('T135', :ann) = 2);
SELECT conformance.no('T135', 'contacts elsewhere', conformance.hits('T135', :bob) + conformance.hits('T135', :cid) > 0);
DROP FUNCTION t131, t132, t133, t134, t135;
ALTER TABLE deal DROP COLUMN referred_by;

-- T136 T137, a task of a contact, or of a deal for each of its contacts, is completed
CREATE FUNCTION t136(c contact, a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status TO 'done' ON activity
    FOR SELECT new.contact_id, new.id WHERE new.contact_id IS NOT NULL
        UNION SELECT dc.contact_id, new.id FROM deal_contact dc WHERE dc.deal_id = new.deal_id;
  ENROLL AGAIN PER c, a;
BEGIN
  SELECT conformance.hit('T136', c.id, a.title);
END $$;
CREATE FUNCTION t137(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done';
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T137', a.id);
END $$;
-- T138, with a condition: T139 the outcome, T140 whether it is about a contact or a deal, T141 the title, T142 the type
CREATE FUNCTION t138(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done' WHEN new.outcome = 'no answer' AND new.deal_id IS NOT NULL AND new.type = 'call';
BEGIN
  SELECT conformance.hit('T138', a.id);
END $$;
CREATE FUNCTION t139(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done' WHEN new.outcome = 'no answer';
BEGIN
  SELECT conformance.hit('T139', a.id);
END $$;
CREATE FUNCTION t140(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done' WHEN new.deal_id IS NOT NULL;
BEGIN
  SELECT conformance.hit('T140', a.id, 'deal');
END $$;
CREATE FUNCTION t140_contact(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done' WHEN new.contact_id IS NOT NULL;
BEGIN
  SELECT conformance.hit('T140', a.id, 'contact');
END $$;
CREATE FUNCTION t141(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done' WHEN new.title ILIKE 'demo%';
BEGIN
  SELECT conformance.hit('T141', a.id);
END $$;
CREATE FUNCTION t142(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done' WHEN new.type = 'call';
BEGIN
  SELECT conformance.hit('T142', a.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dot') AS dot \gset
SELECT new_deal('Two people', 'Sales', 'New', :ann, :bob) AS deal \gset
INSERT INTO activity (type, title, contact_id) VALUES ('task', 'Send papers', :cid) RETURNING id AS papers \gset
INSERT INTO activity (type, title, deal_id) VALUES ('call', 'Demo by phone', :deal) RETURNING id AS demo \gset
INSERT INTO activity (type, title, contact_id) VALUES ('task', 'Not yet', :dot) RETURNING id AS later \gset
INSERT INTO activity (type, title) VALUES ('call', 'Ring') RETURNING id AS ring \gset
INSERT INTO activity (type, title, status, outcome, deal_id, contact_id) VALUES ('call', 'Demo, done too early', 'done', 'no answer', :deal, :cid) RETURNING id AS reopened \gset
CALL automation.run();
DELETE FROM conformance.hit WHERE id = 'T136';   -- of the one that was made done
UPDATE activity SET status = 'done' WHERE id = :papers;
UPDATE activity SET status = 'done', outcome = 'no answer' WHERE id IN (:demo, :ring);
UPDATE activity SET status = 'open' WHERE id = :reopened;
UPDATE activity SET title = 'Still not' WHERE id = :later;
CALL automation.run();
UPDATE activity SET title = 'Papers sent' WHERE id = :papers;
CALL automation.run();
SELECT conformance.yes('T136', 'the contact''s task, the deal''s for each contact', conformance.hits('T136') = ARRAY[:'ann', :'bob', :'cid']);
SELECT conformance.no('T136', 'a task that is edited only', conformance.hits('T136', :dot) > 0 OR conformance.hits('T136', :cid) > 1);
SELECT conformance.yes('T137', 'any task', conformance.hits('T137') = ARRAY[:'papers', :'demo', :'ring']);
SELECT conformance.no('T137', 'one that is open, or is opened again', conformance.hits('T137') && ARRAY[:'later', :'reopened']);
SELECT conformance.yes('T138', 'all conditions hold', conformance.hits('T138', :demo) = 1);
SELECT conformance.no('T138', 'one of them does not', conformance.hits('T138') && ARRAY[:'papers', :'ring', :'reopened']);
SELECT conformance.yes('T139', 'that outcome', conformance.hits('T139', :demo) = 1);
SELECT conformance.no('T139', 'no outcome, or opened again', conformance.hits('T139') && ARRAY[:'papers', :'reopened']);
SELECT conformance.yes('T140', 'a task of a deal, a task of a contact',
                       (SELECT array_agg(key || ' ' || what ORDER BY key::bigint) FROM conformance.hit WHERE id = 'T140') = ARRAY[:papers || ' contact', :demo || ' deal']);
SELECT conformance.no('T140', 'the one where the other is meant', EXISTS (SELECT FROM conformance.hit WHERE id = 'T140' AND (key, what) IN ((:'papers', 'deal'), (:'demo', 'contact'))));
SELECT conformance.yes('T141', 'the title begins so', conformance.hits('T141', :demo) = 1);
SELECT conformance.no('T141', 'another title, or opened again', conformance.hits('T141') && ARRAY[:'papers', :'reopened']);
SELECT conformance.yes('T142', 'a call', conformance.hits('T142', :demo) = 1);
SELECT conformance.no('T142', 'not a call, or opened again', conformance.hits('T142') && ARRAY[:'papers', :'reopened']);
DROP FUNCTION t136, t137, t138, t139, t140, t140_contact, t141, t142;

-- T143, the sentiment of a deal's mail changes: each contact of the deal
CREATE FUNCTION t143(c contact, d deal, feeling text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF sentiment ON email_message WHEN new.sentiment IS NOT NULL
    FOR SELECT dc.contact_id, dc.deal_id, new.sentiment::text FROM deal_contact dc WHERE dc.deal_id = new.deal_id;
  ENROLL AGAIN PER c, d;
BEGIN
  SELECT conformance.hit('T143', c.id, feeling);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
SELECT new_deal('Mail', 'Sales', 'New', :ann, :bob) AS deal \gset
INSERT INTO email_message (class, direction, deal_id, contact_id, sentiment) VALUES ('personal', 'in', :deal, :ann, 'neutral') RETURNING id AS mail \gset
INSERT INTO email_message (class, direction, contact_id, sentiment) VALUES ('personal', 'in', :cid, 'neutral') RETURNING id AS other \gset
CALL automation.run();
UPDATE email_message SET sentiment = 'negative' WHERE id IN (:mail, :other);
CALL automation.run();
UPDATE email_message SET sentiment = 'negative' WHERE id = :mail;
CALL automation.run();
UPDATE email_message SET sentiment = 'mixed' WHERE id = :mail;
CALL automation.run();
SELECT conformance.yes('T143', 'each change, for each contact of the deal',
                       conformance.hits('T143') = ARRAY[:'ann', :'ann', :'bob', :'bob']
                       AND (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'T143' AND key = :'bob') = '{negative,mixed}');
SELECT conformance.no('T143', 'a mail of no deal', conformance.hits('T143', :cid) > 0);
SELECT conformance.no('T143', 'the same sentiment again', conformance.hits('T143', :bob) > 2);
DROP FUNCTION t143;

-- T144, a record of one custom object is made
CREATE FUNCTION t144(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.type = 'help ticket';
BEGIN
  SELECT conformance.hit('T144', o.id);
END $$;
-- T145, one of its fields goes from one value to another; T146, from any; T147, to any
CREATE FUNCTION t145(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'open' TO 'solved' WHEN new.type = 'help ticket';
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T145', o.id);
END $$;
CREATE FUNCTION t146(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'solved' WHEN new.type = 'help ticket';
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T146', o.id);
END $$;
CREATE FUNCTION t147(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'open' WHEN new.type = 'help ticket';
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T147', o.id);
END $$;
INSERT INTO custom_object_record (type, name, status) VALUES ('help ticket', 'no light', 'open') RETURNING id AS light \gset
INSERT INTO custom_object_record (type, name, status) VALUES ('help ticket', 'no water', 'new') RETURNING id AS water \gset
INSERT INTO custom_object_record (type, name, status) VALUES ('boat', 'Santa Ana', 'open') RETURNING id AS boat \gset
CALL automation.run();
UPDATE custom_object_record SET status = 'solved' WHERE id IN (:light, :water, :boat);
CALL automation.run();
UPDATE custom_object_record SET status = 'open' WHERE id = :water;
CALL automation.run();
UPDATE custom_object_record SET status = 'closed' WHERE id = :water;
UPDATE custom_object_record SET urgency = 'high' WHERE id = :light;
CALL automation.run();
SELECT conformance.yes('T144', 'records of the object', conformance.hits('T144') = ARRAY[:'light', :'water']);
SELECT conformance.no('T144', 'a record of another object', conformance.hits('T144', :boat) > 0);
SELECT conformance.yes('T145', 'from open to solved', conformance.hits('T145') = ARRAY[:'light']);
SELECT conformance.no('T145', 'another object, another field', conformance.hits('T145', :boat) > 0 OR conformance.hits('T145', :light) > 1);
SELECT conformance.yes('T146', 'from any to solved', conformance.hits('T146') = ARRAY[:'light', :'water']);
SELECT conformance.no('T146', 'to another value', conformance.hits('T146', :water) > 1);
SELECT conformance.yes('T147', 'from open to any', conformance.hits('T147') = ARRAY[:'light', :'water']);
SELECT conformance.no('T147', 'from another value', conformance.hits('T147', :water) > 1);
DROP FUNCTION t144, t145, t146, t147;
