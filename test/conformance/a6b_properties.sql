-- Properties of the record, and of all records associated with it.

-- A95, a contact becomes a customer: his own property, and that of all his deals
CREATE FUNCTION a95(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
  ENROLL AGAIN;
BEGIN
  SELECT set_property(c, 'lead_status', 'Closed');
  SELECT set_property(c, 'deal', 'status', 'won');
  SELECT set_property(c, 'boat', 'status', 'sold');
END $$;
CREATE FUNCTION a95_won(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('A95', d.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT new_deal('One', 'Sales', 'New', :ann, :bob) AS one, new_deal('Two', 'Sales', 'New', :bob, :ann) AS two, new_deal('His', 'Sales', 'New', :bob) AS his,
       new_deal('In the bin', 'Sales', 'New', :ann) AS bin, new_deal('Won before', 'Sales', 'New', :ann) AS before \gset
UPDATE deal SET deleted_at = automation.now() WHERE id = :bin;
UPDATE deal SET status = 'won' WHERE id = :before;
WITH r AS (INSERT INTO custom_object_record (type) VALUES ('boat'), ('help ticket') RETURNING id) INSERT INTO custom_object_link SELECT r.id, :ann FROM r;
CALL automation.run();
DELETE FROM conformance.hit WHERE id = 'A95';
UPDATE contact SET lifecycle = 'customer' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('A95', 'on the record', (SELECT lead_status = 'Closed' FROM contact WHERE id = :ann));
SELECT conformance.yes('A95', 'on all that are associated', (SELECT bool_and(status = 'won') FROM deal WHERE id IN (:one, :two)));
SELECT conformance.yes('A95', 'on custom objects, by the name of their type', (SELECT array_agg(type ORDER BY id) = '{boat}' FROM custom_object_record WHERE status = 'sold'));
SELECT conformance.no('A95', 'on the others', (SELECT bool_or(status <> 'open') FROM deal WHERE id IN (:his, :bin)) OR (SELECT lead_status IS NOT NULL FROM contact WHERE id = :bob));
SELECT conformance.no('A95', 'an event of one that has the value', conformance.hits('A95') <> ARRAY[:'one', :'two']);
SELECT conformance.refused('A95', 'a property that is not there', $$ SELECT set_property(c, 'deal', 'colour', 'red') FROM contact c $$, 'deal has no property "colour"');
SELECT conformance.refused('A95', 'a type that is not there', $$ SELECT set_property(c, 'deals', 'status', 'won') FROM contact c $$, 'there is no type of records "deals"');
SELECT conformance.refused('A95', 'a value that is not one of its values', $$ SELECT set_property(c, 'deal', 'status', 'gone') FROM contact c $$, 'invalid input value for enum deal_status: "gone"');
SELECT conformance.refused('A95', 'the id', $$ SELECT set_property(c, 'id', 7) FROM contact c $$, 'the id of a record cannot be changed');
DROP FUNCTION a95, a95_won;

-- A96, A97, several values: added to those that are there, or in their place
CREATE FUNCTION a96(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission WHEN new.form_id = form('Webinar') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT append_property(c, 'interests', ARRAY['sailing', 'golf']);
  SELECT append_property(c, 'deal', 'custom.topics', ARRAY['webinar']);
END $$;
CREATE FUNCTION a97(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission WHEN new.form_id = form('Demo') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT set_property(c, 'interests', ARRAY['demo']);
  SELECT set_property(c, 'deal', 'custom.topics', ARRAY['demo']);
END $$;
CREATE FUNCTION a96_changed(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF interests;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('A96', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT new_deal('Hers', 'Sales', 'New', :ann) AS hers, new_deal('His', 'Sales', 'New', :bob) AS his \gset
UPDATE contact SET interests = '{golf,chess}' WHERE id IN (:ann, :bob);
UPDATE deal SET custom = '{"topics": ["price"]}' WHERE id IN (:hers, :his);
CALL automation.run();
DELETE FROM conformance.hit WHERE id = 'A96';
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Webinar'), :ann);
CALL automation.run();
SELECT conformance.yes('A96', 'added, none twice', (SELECT interests = '{golf,chess,sailing}' FROM contact WHERE id = :ann));
SELECT conformance.yes('A96', 'on what is associated', (SELECT custom = '{"topics": ["price", "webinar"]}' FROM deal WHERE id = :hers));
SELECT conformance.no('A96', 'somebody else''s', (SELECT interests <> '{golf,chess}' FROM contact WHERE id = :bob) OR (SELECT custom <> '{"topics": ["price"]}' FROM deal WHERE id = :his));
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Webinar'), :ann);
CALL automation.run();
SELECT conformance.no('A96', 'an event where all are there', conformance.hits('A96', :ann) <> 1);
SELECT conformance.refused('A96', 'a property of one value', $$ SELECT append_property(c, 'city', ARRAY['Paris']) FROM contact c $$, 'property "city" of contact does not hold several values');
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Demo'), :ann);
CALL automation.run();
SELECT conformance.yes('A97', 'exactly those', (SELECT interests = '{demo}' FROM contact WHERE id = :ann) AND (SELECT custom = '{"topics": ["demo"]}' FROM deal WHERE id = :hers));
SELECT conformance.no('A97', 'somebody else''s', (SELECT interests <> '{golf,chess}' FROM contact WHERE id = :bob));
DROP FUNCTION a96, a97, a96_changed;

-- A98, the phone of the company on all its deals and contacts
CREATE FUNCTION a98(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF phone;
  ENROLL AGAIN;
BEGIN
  SELECT copy_property(a, 'phone', 'deal', 'custom.company phone');
  SELECT copy_property(a, 'phone', 'contact', 'phone');
  SELECT copy_property(a, 'phone', 'customer_status');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO account (name) VALUES ('Acme') RETURNING id AS acme \gset
INSERT INTO account_contact (account_id, contact_id) VALUES (:acme, :ann);
SELECT new_deal('One', 'Sales', 'New', :ann) AS one, new_deal('Two', 'Sales', 'New', :ann) AS two, new_deal('No company', 'Sales', 'New', :ann) AS three \gset
UPDATE deal SET account_id = :acme WHERE id IN (:one, :two);
UPDATE account SET phone = '+331' WHERE id = :acme;
CALL automation.run();
SELECT conformance.yes('A98', 'on all deals', (SELECT bool_and(custom = '{"company phone": "+331"}') FROM deal WHERE id IN (:one, :two)));
SELECT conformance.yes('A98', 'on the contact, and beside it on the company', (SELECT c.phone = '+331' AND a.customer_status = '+331' FROM contact c, account a WHERE c.id = :ann AND a.id = :acme));
SELECT conformance.no('A98', 'on what is not associated', (SELECT custom <> '{}' FROM deal WHERE id = :three) OR (SELECT phone IS NOT NULL FROM contact WHERE id = :bob));
UPDATE account SET phone = NULL WHERE id = :acme;
CALL automation.run();
SELECT conformance.yes('A98', 'an empty one empties', (SELECT bool_and(custom = '{}') FROM deal WHERE id IN (:one, :two)));
SELECT conformance.refused('A98', 'a pair that is not compatible', $$ SELECT copy_property(a, 'phone', 'deal', 'expected_close_date') FROM account a $$,
    'property "phone" of account, which is text, cannot be copied to property "expected_close_date" of deal, which is date');
SELECT conformance.yes('A98', 'a pair that is: a number as a text', (SELECT copy_property(a, 'order_count', 'industry') = 1 FROM account a WHERE id = :acme));
DROP FUNCTION a98;

-- A99, A100, several values copied to several: added, or in their place
ALTER TABLE deal ADD COLUMN topics text[];
CREATE FUNCTION a99(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF interests;
  ENROLL AGAIN;
BEGIN
  SELECT copy_property(c, 'interests', 'deal', 'topics', add => true);
  SELECT copy_property(c, 'interests', 'custom.ever', add => true);
  SELECT copy_property(c, 'interests', 'deal', 'custom.now');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT new_deal('Hers', 'Sales', 'New', :ann) AS hers, new_deal('His', 'Sales', 'New', :bob) AS his \gset
UPDATE deal SET topics = '{price}', custom = '{"now": ["price"]}' WHERE id IN (:hers, :his);
UPDATE contact SET interests = '{golf,price}' WHERE id = :ann;
CALL automation.run();
UPDATE contact SET interests = '{chess}' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('A99', 'to those that are there', (SELECT topics = '{price,golf,chess}' FROM deal WHERE id = :hers));
SELECT conformance.yes('A99', 'on the same record', (SELECT custom = '{"ever": ["golf", "price", "chess"]}' FROM contact WHERE id = :ann));
SELECT conformance.no('A99', 'on what is not associated', (SELECT topics <> '{price}' FROM deal WHERE id = :his));
SELECT conformance.refused('A99', 'to a property of one value', $$ SELECT copy_property(c, 'interests', 'city', add => true) FROM contact c $$, 'property "city" of contact does not hold several values');
SELECT conformance.yes('A100', 'in their place', (SELECT custom = '{"now": ["chess"]}' FROM deal WHERE id = :hers));
SELECT conformance.no('A100', 'on what is not associated', (SELECT custom <> '{"now": ["price"]}' FROM deal WHERE id = :his));
DROP FUNCTION a99;
ALTER TABLE deal DROP COLUMN topics;

-- A101, a deal is lost: the lead status of all its contacts is emptied, and so is a field of its own
CREATE FUNCTION a101(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'lost';
  ENROLL AGAIN;
BEGIN
  SELECT clear_property(d, 'contact', 'lead_status');
  SELECT clear_property(d, 'contact', 'interests');
  SELECT clear_property(d, 'expected_close_date');
  SELECT clear_property(d, 'custom.next step');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
SELECT new_deal('Lost', 'Sales', 'New', :ann, :bob) AS lost \gset
UPDATE contact SET lead_status = 'Open', city = 'Paris', interests = '{golf}' WHERE id IN (:ann, :bob, :cid);
UPDATE deal SET expected_close_date = '2026-12-31', custom = '{"next step": "call", "size": 3}' WHERE id = :lost;
UPDATE deal SET status = 'lost' WHERE id = :lost;
CALL automation.run();
SELECT conformance.yes('A101', 'of all contacts', (SELECT bool_and(lead_status IS NULL AND interests = '{}') FROM contact WHERE id IN (:ann, :bob)));
SELECT conformance.yes('A101', 'of the deal', (SELECT expected_close_date IS NULL AND custom = '{"size": 3}' FROM deal WHERE id = :lost));
SELECT conformance.no('A101', 'another property, another contact', (SELECT bool_or(city IS NULL) FROM contact WHERE id IN (:ann, :bob)) OR (SELECT lead_status IS NULL FROM contact WHERE id = :cid));
SELECT conformance.no('A101', 'a write where it is empty', (SELECT clear_property(d, 'contact', 'lead_status') + clear_property(d, 'custom.next step') > 0 FROM deal d WHERE id = :lost));
DROP FUNCTION a101;

-- A102, a counter of orders on the contact, who may have none yet
CREATE FUNCTION a102(c contact, o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER o;
BEGIN
  SELECT increase_property(c, 'custom.orders bought');
  SELECT increase_property(c, 'score', 10);
END $$;
CREATE FUNCTION a102_returned(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'returned' ON sales_order FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT increase_property(c, 'custom.orders bought', -1);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT new_deal('Hers', 'Sales', 'New', :ann) AS hers \gset
INSERT INTO sales_order (contact_id) VALUES (:ann), (:ann), (:ann);
CALL automation.run();
SELECT conformance.yes('A102', 'up', (SELECT custom = '{"orders bought": 3}' AND score = 30 FROM contact WHERE id = :ann));
UPDATE sales_order SET status = 'returned' WHERE id = (SELECT min(id) FROM sales_order WHERE contact_id = :ann);
CALL automation.run();
SELECT conformance.yes('A102', 'down', (SELECT custom = '{"orders bought": 2}' FROM contact WHERE id = :ann));
SELECT conformance.no('A102', 'another record, one that is associated', (SELECT custom <> '{}' OR score <> 0 FROM contact WHERE id = :bob) OR (SELECT score <> 0 FROM deal WHERE id = :hers));
SELECT conformance.refused('A102', 'a property of other records', $$ SELECT increase_property(c, 'deal.score') FROM contact c $$, 'contact has no property "deal.score"');
SELECT conformance.refused('A102', 'a property that is no number', $$ SELECT increase_property(c, 'birthday') FROM contact c $$, 'property "birthday" of contact is not a number');
DROP FUNCTION a102, a102_returned;

-- A103, the same for contacts, companies, deals, quotes, tickets; who may write which is a matter of rights
CREATE FUNCTION a103(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
  ENROLL AGAIN;
BEGIN
  SELECT set_property(c, 'account', 'customer_status', 'customer');
  SELECT set_property(c, 'deal', 'custom.of', 'a customer');
  SELECT set_property(c, 'ticket', 'priority', 'high');
  SELECT set_property(c, 'quote', 'status', 'accepted');
END $$;
SELECT new_contact('Ann') AS ann \gset
SELECT new_deal('Hers', 'Sales', 'New', :ann) AS hers \gset
INSERT INTO account (name) VALUES ('Acme') RETURNING id AS acme \gset
INSERT INTO account_contact (account_id, contact_id) VALUES (:acme, :ann);
INSERT INTO ticket (subject) VALUES ('Broken') RETURNING id AS ticket \gset
INSERT INTO ticket_contact VALUES (:ticket, :ann);
INSERT INTO quote (title) VALUES ('Offer') RETURNING id AS quote \gset
INSERT INTO quote_contact VALUES (:quote, :ann);
REVOKE UPDATE ON quote FROM app;
UPDATE contact SET lifecycle = 'customer' WHERE id = :ann;
CALL automation.run();
SELECT conformance.no('A103', 'anything of a step without the right to one of its parts', (SELECT priority IS NOT NULL FROM ticket WHERE id = :ticket));
SELECT conformance.refused('A103', 'quotes, without the right', $$ SELECT set_property(q, 'title', 'x') FROM quote q $$, 'permission denied for table quote');
GRANT UPDATE ON quote TO app;
CALL automation.advance('1 hour');
SELECT conformance.yes('A103', 'all types', (SELECT a.customer_status = 'customer' AND d.custom ->> 'of' = 'a customer' AND t.priority = 'high' AND q.status = 'accepted'
    FROM account a, deal d, ticket t, quote q WHERE a.id = :acme AND d.id = :hers AND t.id = :ticket AND q.id = :quote));
DROP FUNCTION a103;
