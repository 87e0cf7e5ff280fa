-- Items and their events: what begins an automation, what can't, and how else to begin.

-- T166, right after an event, if the conditions hold; what was there before is never picked up
SELECT new_deal('Before', 'Sales', 'New') AS before \gset
CREATE FUNCTION t166(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.value >= 1000 AND new.owner_id IS NOT NULL;
BEGIN
  SELECT conformance.hit('T166', d.id);
END $$;
SELECT new_deal('After', 'Sales', 'New') AS after \gset
INSERT INTO deal (title, value, owner_id) VALUES ('Small', 10, 1) RETURNING id AS small \gset
INSERT INTO deal (title, value) VALUES ('Nobody''s', 5000) RETURNING id AS nobodys \gset
CALL automation.run();
SELECT conformance.yes('T166', 'the event and the conditions', conformance.hits('T166') = ARRAY[:'after']);
SELECT conformance.no('T166', 'a condition does not hold', conformance.hits('T166', :small) + conformance.hits('T166', :nobodys) > 0);
SELECT conformance.no('T166', 'what was there before', conformance.hits('T166', :before) > 0);
DROP FUNCTION t166;

-- T167, a deal is made; an import does not count.  T168, by me: whoever the workflow runs as
UPDATE app_user SET db_role = CASE id WHEN 1 THEN current_user END;
CREATE FUNCTION t167(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.source <> 'import';
BEGIN
  SELECT conformance.hit('T167', d.id);
END $$;
CREATE FUNCTION t168(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.creator_id = me();
BEGIN
  SELECT conformance.hit('T168', d.id);
END $$;
INSERT INTO deal (title, creator_id) VALUES ('Mine', 1) RETURNING id AS mine \gset
INSERT INTO deal (title, creator_id) VALUES ('Another''s', 2) RETURNING id AS anothers \gset
INSERT INTO deal (title) VALUES ('Of nobody') RETURNING id AS nobodys \gset
SET crm.source = 'import';
INSERT INTO deal (title, creator_id) VALUES ('Imported', 2) RETURNING id AS imported \gset
RESET crm.source;
CALL automation.run();
SELECT conformance.yes('T167', 'deals that are made', conformance.hits('T167') = ARRAY[:'mine', :'anothers', :'nobodys']);
SELECT conformance.no('T167', 'an import', conformance.hits('T167', :imported) > 0);
SELECT conformance.yes('T168', 'I made it', conformance.hits('T168', :mine) = 1);
SELECT conformance.no('T168', 'somebody else did, nobody knows who', conformance.hits('T168', :anothers) + conformance.hits('T168', :nobodys) > 0);
DROP FUNCTION t167, t168;

-- T169, an activity changes.  T170, its status has become done
CREATE FUNCTION t169(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T169', a.id);
END $$;
CREATE FUNCTION t170(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done';
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T170', a.id);
END $$;
INSERT INTO activity (type, title) VALUES ('call', 'First call') RETURNING id AS call \gset
INSERT INTO activity (type, title, status) VALUES ('call', 'Done before', 'done') RETURNING id AS before \gset
INSERT INTO activity (type, title) VALUES ('call', 'Left alone') RETURNING id AS alone \gset
INSERT INTO activity (type, title, status) VALUES ('call', 'Opened again', 'done') RETURNING id AS again \gset
CALL automation.run();
SELECT conformance.no('T169', 'an activity that is made', conformance.hits('T169') <> '{}');
UPDATE activity SET status = 'done' WHERE id = :call;
UPDATE activity SET title = 'Done long before' WHERE id = :before;
UPDATE activity SET status = 'open' WHERE id = :again;
CALL automation.run();
UPDATE activity SET due_at = automation.now() WHERE id = :call;
CALL automation.run();
SELECT conformance.yes('T169', 'any field', conformance.hits('T169') = ARRAY[:'call', :'call', :'before', :'again']);
SELECT conformance.no('T169', 'another activity', conformance.hits('T169', :alone) > 0);
SELECT conformance.yes('T170', 'has become done', conformance.hits('T170', :call) = 1);
SELECT conformance.no('T170', 'was done before and is edited, or is done no longer', conformance.hits('T170') && ARRAY[:'before', :'again'] OR conformance.hits('T170', :call) > 1);
DROP FUNCTION t169, t170;

-- T171, the day a deal goes stale starts nothing; an activity that is due on that day does
SELECT conformance.refused('T171', 'the rotting date as a trigger', $cmd$
  CREATE FUNCTION t171(d deal) RETURNS bigint LANGUAGE workflow AS $$ AFTER UPDATE OF rotten_at; BEGIN SELECT 1; END $$ $cmd$, '%rotten_at%');
CREATE FUNCTION t171_remind(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF stage_id WHEN new.status = 'open';
  ENROLL AGAIN;
BEGIN
  INSERT INTO activity (type, title, deal_id, assignee_id, due_at) VALUES ('task', 'going stale', d.id, d.owner_id, rotten_at(d));
END $$;
CREATE FUNCTION t171(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AT a.due_at WHEN a.title = 'going stale' AND a.status = 'open';
BEGIN
  SELECT conformance.hit('T171', a.deal_id);
END $$;
SELECT new_deal('Stale', 'Sales', 'New') AS stale, new_deal('Looked after', 'Sales', 'New') AS kept \gset
CALL automation.advance('13 days');
UPDATE activity SET status = 'done' WHERE deal_id = :kept;
SELECT conformance.no('T171', 'before that day', conformance.hits('T171') <> '{}');
CALL automation.advance('2 days');
SELECT conformance.yes('T171', 'the activity that is due then', conformance.hits('T171') = ARRAY[:'stale']);
SELECT conformance.no('T171', 'one that was done before', conformance.hits('T171', :kept) > 0);
DROP FUNCTION t171, t171_remind;

-- T172, what a web form makes; T173, what an outside API makes
CREATE FUNCTION t172(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.source = 'web_form';
BEGIN
  SELECT conformance.hit('T172', d.id);
END $$;
CREATE FUNCTION t173(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.source = 'api';
BEGIN
  INSERT INTO deal_label (deal_id, label_id) VALUES (d.id, label('API')) ON CONFLICT DO NOTHING;
END $$;
SET crm.source = 'web_form';
INSERT INTO deal (title) VALUES ('By a form') RETURNING id AS form \gset
SET crm.source = 'api';
INSERT INTO deal (title) VALUES ('By an API') RETURNING id AS api \gset
RESET crm.source;
INSERT INTO deal (title) VALUES ('By hand') RETURNING id AS hand \gset
CALL automation.run();
SELECT conformance.yes('T172', 'by a form', conformance.hits('T172') = ARRAY[:'form']);
SELECT conformance.no('T172', 'by hand', conformance.hits('T172', :hand) > 0);
SELECT conformance.yes('T173', 'by an API: it gets its label', (SELECT array_agg(deal_id) FROM deal_label WHERE label_id = label('API')) = ARRAY[:api]::bigint[]);
SELECT conformance.no('T173', 'another source', EXISTS (SELECT FROM deal_label WHERE deal_id IN (:hand, :form)));
DROP FUNCTION t172, t173;

-- T174, by hand, whatever else starts it
CREATE FUNCTION t174(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.type = 'help ticket';
BEGIN
  SELECT conformance.hit('T174', o.id);
END $$;
INSERT INTO custom_object_record (type) VALUES ('boat') RETURNING id AS boat \gset
INSERT INTO custom_object_record (type) VALUES ('boat') RETURNING id AS other \gset
CALL automation.run();
SELECT t174(o) FROM custom_object_record o WHERE o.id = :boat \gset
CALL automation.run();
SELECT conformance.yes('T174', 'who is put in by hand', conformance.hits('T174') = ARRAY[:'boat']);
SELECT t174(o) FROM custom_object_record o WHERE o.id = :boat \gset
CALL automation.run();
SELECT conformance.no('T174', 'twice, where once is the rule', conformance.hits('T174', :boat) > 1);
SELECT conformance.no('T174', 'somebody else', conformance.hits('T174', :other) > 0);
DROP FUNCTION t174;

-- T175, by another workflow
CREATE FUNCTION t175(c contact, why text) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T175', c.id, why);
END $$;
CREATE FUNCTION t175_parent(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle;
BEGIN
  IF c.lifecycle = 'customer' THEN
    SELECT t175(c, 'a customer now');
  END IF;
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
CALL automation.run();
UPDATE contact SET lifecycle = CASE id WHEN :ann THEN 'customer' ELSE 'lead' END WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('T175', 'whom the other sends', (SELECT array_agg(key || ' ' || what) FROM conformance.hit WHERE id = 'T175') = ARRAY[:'ann' || ' a customer now']);
SELECT conformance.no('T175', 'whom it does not', conformance.hits('T175', :bob) > 0);
DROP FUNCTION t175_parent, t175;
