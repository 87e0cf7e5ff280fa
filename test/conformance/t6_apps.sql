-- Apps: what they tell us is a row, once their connection is there; each starts a contact once.

-- T148, a Calendly meeting is booked: any, or one type
CREATE FUNCTION t148(c contact, m external_meeting) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON external_meeting
    WHEN new.provider = 'calendly' AND is_connected('calendly')
    FOR SELECT new.contact_id, new.id;
BEGIN
  SELECT conformance.hit('T148', c.id, m.type);
END $$;
CREATE FUNCTION t148_demo(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON external_meeting WHEN new.provider = 'calendly' AND new.type = 'demo' AND is_connected('calendly') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T148', c.id, 'one type');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dot') AS dot \gset
INSERT INTO external_meeting (contact_id, type, scheduled_at) VALUES (:dot, 'intro', automation.now() + interval '1 day'), (:dot, 'demo', automation.now() + interval '1 day');
CALL automation.run();
SELECT conformance.no('T148', 'nothing is connected', conformance.hits('T148', :dot) > 0);
INSERT INTO app_connection (app) VALUES ('calendly');
INSERT INTO external_meeting (contact_id, type, scheduled_at) VALUES (:ann, 'demo', automation.now() + interval '1 day'), (:bob, 'intro', automation.now() + interval '2 days');
INSERT INTO external_meeting (provider, contact_id, type, scheduled_at) VALUES ('teams', :cid, 'intro', automation.now() + interval '2 days'), ('teams', :cid, 'demo', automation.now() + interval '2 days');
CALL automation.run();
INSERT INTO external_meeting (contact_id, type, scheduled_at) VALUES (:ann, 'intro', automation.now() + interval '3 days');
CALL automation.run();
SELECT conformance.yes('T148', 'any meeting', EXISTS (SELECT FROM conformance.hit WHERE id = 'T148' AND key = :'bob' AND what = 'intro'));
SELECT conformance.yes('T148', 'one type', (SELECT array_agg(key) FROM conformance.hit WHERE id = 'T148' AND what = 'one type') = ARRAY[:'ann']);
SELECT conformance.no('T148', 'another calendar', conformance.hits('T148', :cid) > 0);
SELECT conformance.no('T148', 'the second meeting of a contact', EXISTS (SELECT FROM conformance.hit WHERE id = 'T148' AND key = :'ann' AND what = 'intro'));
DROP FUNCTION t148, t148_demo;

-- T149, a Typeform is submitted: any, or one form
INSERT INTO form (name, provider, external_id) VALUES ('Survey', 'typeform', 'tf1'), ('Quiz', 'typeform', 'tf2'), ('Landing page', 'unbounce', 'ub1'), ('Price page', 'unbounce', 'ub2');
CREATE FUNCTION t149(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission WHEN is_connected('typeform')
    FOR SELECT new.contact_id FROM form f WHERE f.id = new.form_id AND f.provider = 'typeform';
BEGIN
  SELECT conformance.hit('T149', c.id, 'any');
END $$;
CREATE FUNCTION t149_quiz(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission WHEN new.form_id = form('Quiz') AND is_connected('typeform') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T149', c.id, 'quiz');
END $$;
-- T150, an Unbounce page is: any, or one page
CREATE FUNCTION t150(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission WHEN is_connected('unbounce')
    FOR SELECT new.contact_id FROM form f WHERE f.id = new.form_id AND f.provider = 'unbounce';
BEGIN
  SELECT conformance.hit('T150', c.id, 'any');
END $$;
CREATE FUNCTION t150_page(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission WHEN is_connected('unbounce')
    FOR SELECT new.contact_id FROM form f WHERE f.id = new.form_id AND f.provider = 'unbounce' AND f.external_id = 'ub2';
BEGIN
  SELECT conformance.hit('T150', c.id, 'page');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid, new_contact('Dot') AS dot \gset
SELECT new_contact('Eve') AS eve \gset
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Survey'), :eve), (form('Quiz'), :eve), (form('Price page'), :eve);
CALL automation.run();
SELECT conformance.no('T149', 'nothing is connected', conformance.hits('T149', :eve) > 0);
SELECT conformance.no('T150', 'nothing is connected', conformance.hits('T150', :eve) > 0);
INSERT INTO app_connection (app) VALUES ('typeform'), ('unbounce');
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Survey'), :ann), (form('Quiz'), :bob), (form('Webinar'), :cid);
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Landing page'), :ann), (form('Price page'), :dot);
CALL automation.run();
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Quiz'), :bob), (form('Landing page'), :ann);
CALL automation.run();
SELECT conformance.yes('T149', 'any form', (SELECT array_agg(key ORDER BY length(key), key) FROM conformance.hit WHERE id = 'T149' AND what = 'any') = ARRAY[:'ann', :'bob']);
SELECT conformance.yes('T149', 'one form', (SELECT array_agg(key) FROM conformance.hit WHERE id = 'T149' AND what = 'quiz') = ARRAY[:'bob']);
SELECT conformance.no('T149', 'a form of our own', conformance.hits('T149', :cid) > 0);
SELECT conformance.no('T149', 'the second time', conformance.hits('T149', :bob) > 2);
SELECT conformance.refused('T149', 'a form that is not connected',
                           format('INSERT INTO form_submission (form_id, contact_id) VALUES (form(%L), %s)', 'Party', :dot), 'null value in column "form_id"%');
SELECT conformance.yes('T150', 'any page', (SELECT array_agg(key ORDER BY length(key), key) FROM conformance.hit WHERE id = 'T150' AND what = 'any') = ARRAY[:'ann', :'dot']);
SELECT conformance.yes('T150', 'one page', (SELECT array_agg(key) FROM conformance.hit WHERE id = 'T150' AND what = 'page') = ARRAY[:'dot']);
SELECT conformance.no('T150', 'a form of another app', conformance.hits('T150', :bob) > 0);
SELECT conformance.no('T150', 'the second time', conformance.hits('T150', :ann) > 1);
DROP FUNCTION t149, t149_quiz, t150, t150_page;
