-- Custom objects.

-- S47, the trigger of a custom object is the only one of its workflow; records may be put in by hand besides
CREATE FUNCTION s47(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.type = 'help ticket';
BEGIN
  SELECT conformance.hit('S47', o.id);
END $$;
SELECT conformance.refused('S47', 'another trigger beside it, that has no such record to enroll', $cmd$
  CREATE FUNCTION s47_two(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
    AFTER INSERT WHEN new.type = 'help ticket';
    AFTER UPDATE OF status TO 'won' ON deal;
  BEGIN
    SELECT 1;
  END $$ $cmd$, '%does not say whom to enroll%');
SELECT conformance.refused('S47', 'a trigger of contacts that enrolls them', $cmd$
  CREATE FUNCTION s47_two(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
    AFTER INSERT WHEN new.type = 'help ticket';
    AFTER UPDATE OF city ON contact FOR SELECT new;
  BEGIN
    SELECT 1;
  END $$ $cmd$, '%is contact, argument o takes custom_object_record%');
INSERT INTO custom_object_record (type, name) VALUES ('help ticket', 'no light') RETURNING id AS light \gset
INSERT INTO custom_object_record (type, name) VALUES ('boat', 'Santa Ana') RETURNING id AS boat \gset
INSERT INTO custom_object_record (type, name) VALUES ('boat', 'Santa Rosa') RETURNING id AS other \gset
CALL automation.run();
SELECT s47(o) FROM custom_object_record o WHERE o.id = :boat \gset
CALL automation.run();
SELECT conformance.yes('S47', 'its trigger, and by hand', conformance.hits('S47') = ARRAY[:'light', :'boat']);
SELECT conformance.no('S47', 'who is neither', conformance.hits('S47', :other) > 0);
-- what those who drew that line wanted to keep out is kept out by the type of the record; another trigger that finds such records is none of it
CREATE FUNCTION s47_both(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.type = 'boat';
  AFTER UPDATE OF lifecycle TO 'customer' ON contact FOR SELECT l.record_id FROM custom_object_link l WHERE l.contact_id = new.id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('S47', o.id, 'both');
END $$;
INSERT INTO custom_object_record (type, name) VALUES ('boat', 'Santa Fe') RETURNING id AS fe \gset
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO custom_object_link (record_id, contact_id) VALUES (:other, :ann);
UPDATE contact SET lifecycle = 'customer' WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('S47', 'beside it, one that says which records of the kind', (SELECT array_agg(key ORDER BY key::bigint) FROM conformance.hit WHERE id = 'S47' AND what = 'both') = ARRAY[:'other', :'fe']);
DROP FUNCTION s47, s47_both;

-- S48, accounts and deals are no custom objects, and have triggers of their own
CREATE FUNCTION s48(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT conformance.hit('S48', d.id);
END $$;
SELECT new_deal('One', 'Sales', 'New') AS deal \gset
CALL automation.run();
SELECT conformance.yes('S48', 'a deal starts workflows of deals', conformance.hits('S48') = ARRAY[:'deal']);
SELECT conformance.refused('S48', 'a custom object named account', $$INSERT INTO custom_object_type (name) VALUES ('account')$$, '%violates check constraint%');
SELECT conformance.refused('S48', 'a custom object named Deal', $$INSERT INTO custom_object_type (name) VALUES ('Deal')$$, '%violates check constraint%');
DROP FUNCTION s48;

-- S49, where an object comes from: the API and the data page, or an app
INSERT INTO custom_object_type (name, origin) VALUES ('shipment', 'app'), ('parcel', 'api');
CREATE FUNCTION s49_objects(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN EXISTS (SELECT FROM custom_object_type k WHERE k.name = new.type AND k.origin IN ('api', 'manage_data'));
BEGIN
  SELECT conformance.hit('S49', o.id, 'objects');
END $$;
CREATE FUNCTION s49_apps(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN EXISTS (SELECT FROM custom_object_type k WHERE k.name = new.type AND k.origin = 'app');
BEGIN
  SELECT conformance.hit('S49', o.id, 'apps');
END $$;
INSERT INTO custom_object_record (type) VALUES ('boat') RETURNING id AS boat \gset
INSERT INTO custom_object_record (type) VALUES ('parcel') RETURNING id AS parcel \gset
INSERT INTO custom_object_record (type) VALUES ('shipment') RETURNING id AS shipment \gset
CALL automation.run();
SELECT conformance.yes('S49', 'objects, and those of apps',
                       (SELECT array_agg(key || ' ' || what ORDER BY key::bigint) FROM conformance.hit WHERE id = 'S49')
                       = ARRAY[:'boat' || ' objects', :'parcel' || ' objects', :'shipment' || ' apps']);
SELECT conformance.refused('S49', 'another origin', $$INSERT INTO custom_object_type (name, origin) VALUES ('crate', 'lorry')$$, '%violates check constraint%');
DROP FUNCTION s49_objects, s49_apps;

-- S50, an object has stages if its type may have a pipeline, and those of its own pipeline
INSERT INTO pipeline (object_type, name, custom_object_type_id) SELECT 'custom', 'Harbour', id FROM custom_object_type WHERE name = 'boat';
INSERT INTO pipeline_stage (pipeline_id, name, position) VALUES (pipeline('Harbour'), 'At sea', 1), (pipeline('Harbour'), 'Moored', 2);
CREATE FUNCTION s50(o custom_object_record) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF stage_id WHEN new.stage_id = stage('Harbour', 'Moored');
BEGIN
  SELECT conformance.hit('S50', o.id);
END $$;
INSERT INTO custom_object_record (type, name) VALUES ('boat', 'Santa Clara') RETURNING id AS boat \gset
INSERT INTO custom_object_record (type, name) VALUES ('boat', 'Santa Lucia') RETURNING id AS other \gset
SELECT conformance.refused('S50', 'without a pipeline', format('UPDATE custom_object_record SET stage_id = stage(%L, %L) WHERE id = %s', 'Harbour', 'At sea', :boat),
                           'custom object "boat" has no pipeline');
UPDATE custom_object_type SET has_pipeline = true WHERE name = 'boat';
UPDATE custom_object_record SET stage_id = stage('Harbour', 'At sea') WHERE id IN (:boat, :other);
CALL automation.run();
UPDATE custom_object_record SET stage_id = stage('Harbour', 'Moored') WHERE id = :boat;
CALL automation.run();
SELECT conformance.yes('S50', 'with one', conformance.hits('S50') = ARRAY[:'boat']);
SELECT conformance.no('S50', 'in another stage', conformance.hits('S50', :other) > 0);
SELECT conformance.refused('S50', 'the pipeline of another object',
                           $$INSERT INTO custom_object_record (type, stage_id) VALUES ('help ticket', stage('Harbour', 'Moored'))$$,
                           'pipeline "Harbour" is not for the custom object "help ticket"');
DROP FUNCTION s50;
