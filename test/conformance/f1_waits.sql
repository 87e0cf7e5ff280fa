-- Waits and delays.  The clock stands at noon, UTC, of some day.
SELECT automation.now()::date + 1 + time '12:00' - automation.now() AS gap \gset
CALL automation.advance(:'gap');

-- F01, a wait for a set time: on to the next step after it, not before
CREATE FUNCTION f01(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '3 days';
  SELECT conformance.hit('F01', c.id);
END $$;
SELECT new_contact('Ann') AS ann \gset
CALL automation.run();
CALL automation.advance('2 days 23 hours');
SELECT conformance.no('F01', 'goes on before its time', conformance.hits('F01', :ann) > 0);
CALL automation.advance('2 hours');
SELECT conformance.yes('F01', 'goes on after three days', conformance.hits('F01', :ann) = 1);
DROP FUNCTION f01;

-- F02, a date field of the contact, of the deal or of the account: until that day; an empty one waits, a past one does not
CREATE FUNCTION f02_contact(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL (c.custom ->> 'visit')::date + time '09:00';
  SELECT conformance.hit('F02', c.id, 'contact');
END $$;
CREATE FUNCTION f02_deal(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON deal_contact FOR SELECT new.contact_id, new.deal_id;
BEGIN
  WAIT UNTIL d.expected_close_date + time '09:00';
  SELECT conformance.hit('F02', c.id, 'deal');
END $$;
CREATE FUNCTION f02_account(c contact, a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON account_contact FOR SELECT new.contact_id, new.account_id;
BEGIN
  WAIT UNTIL (a.custom ->> 'renewal')::date + time '09:00';
  SELECT conformance.hit('F02', c.id, 'account');
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve \gset
UPDATE contact SET custom = jsonb_build_object('visit', automation.now()::date + 4) WHERE id = :ann;
UPDATE contact SET custom = jsonb_build_object('visit', automation.now()::date - 40) WHERE id = :eve;
SELECT new_deal('Boat', 'Sales', 'New', :ann) AS boat \gset
UPDATE deal SET expected_close_date = automation.now()::date + 6 WHERE id = :boat;
INSERT INTO account (name, custom) VALUES ('Bell Ltd', jsonb_build_object('renewal', automation.now()::date + 8)) RETURNING id AS bell \gset
INSERT INTO account_contact (account_id, contact_id) VALUES (:bell, :ann);
CALL automation.run();
SELECT conformance.yes('F02', 'a past date does not wait', conformance.hits('F02', :eve) = 1);
CALL automation.advance('4 days');
SELECT conformance.yes('F02', 'date of the contact', (SELECT array_agg(what) FROM conformance.hit WHERE id = 'F02' AND key = :'ann') = '{contact}');
CALL automation.advance('2 days');
SELECT conformance.yes('F02', 'date of the deal', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'F02' AND key = :'ann') = '{contact,deal}');
CALL automation.advance('2 days');
SELECT conformance.yes('F02', 'date of the account', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'F02' AND key = :'ann') = '{contact,deal,account}');
SELECT conformance.no('F02', 'an empty date', conformance.hits('F02', :bob) > 0);
SELECT conformance.yes('F02', 'who waits for an empty date is shown with it',
    (SELECT state = 'waiting' AND wakes_at IS NULL FROM automation.enrollments WHERE workflow = 'f02_contact' AND subject_key = :'bob'));
UPDATE contact SET custom = jsonb_build_object('visit', automation.now()::date + 1) WHERE id = :bob;
CALL automation.run();
CALL automation.advance('1 day');
SELECT conformance.yes('F02', 'the date that was filled in', conformance.hits('F02', :bob) = 1);
DROP FUNCTION f02_contact, f02_deal, f02_account;

-- F03, on the date; F04, days before it; F05, days after it: nobody the day before; a date that moves takes along who waits for it
CREATE FUNCTION f03(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL c.renewal_date;
  SELECT conformance.hit('F03', c.id);
END $$;
CREATE FUNCTION f04(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL c.renewal_date - 2;
  SELECT conformance.hit('F04', c.id);
END $$;
CREATE FUNCTION f05(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL c.renewal_date + 3;
  SELECT conformance.hit('F05', c.id);
END $$;
INSERT INTO contact (first_name, renewal_date) VALUES ('Ann', automation.now()::date + 5) RETURNING id AS ann \gset
CALL automation.run();
CALL automation.advance('2 days');
SELECT conformance.no('F04', 'the day before', conformance.hits('F04', :ann) > 0);
CALL automation.advance('1 day');
SELECT conformance.yes('F04', 'two days before the date', conformance.hits('F04', :ann) = 1);
CALL automation.advance('1 day');
SELECT conformance.no('F03', 'the day before', conformance.hits('F03', :ann) > 0);
CALL automation.advance('1 day');
SELECT conformance.yes('F03', 'on the date', conformance.hits('F03', :ann) = 1);
UPDATE contact SET renewal_date = renewal_date + 2 WHERE id = :ann;
CALL automation.advance('4 days');
SELECT conformance.no('F05', 'three days after the date that was', conformance.hits('F05', :ann) > 0);
CALL automation.advance('1 day');
SELECT conformance.yes('F05', 'three days after the date as it is now', conformance.hits('F05', :ann) = 1);
DROP FUNCTION f03, f04, f05;

-- F06, a time of day goes with the date, in the zone of the contact: nine in Tokyo is midnight in London
CREATE FUNCTION f06(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  TIME ZONE c.time_zone;
BEGIN
  WAIT UNTIL c.renewal_date + time '09:00';
  SELECT conformance.hit('F06', c.id);
END $$;
SELECT automation.now()::date + 1 + time '12:00' - automation.now() AS gap \gset
CALL automation.advance(:'gap');
INSERT INTO contact (first_name, renewal_date, time_zone) VALUES ('Aiko', automation.now()::date + 2, 'Asia/Tokyo') RETURNING id AS aiko \gset
INSERT INTO contact (first_name, renewal_date, time_zone) VALUES ('Bob', automation.now()::date + 2, 'UTC') RETURNING id AS bob \gset
CALL automation.run();
CALL automation.advance('1 day 11 hours');
SELECT conformance.no('F06', 'before nine anywhere', conformance.hits('F06') <> '{}');
CALL automation.advance('2 hours');
SELECT conformance.yes('F06', 'nine in Tokyo', conformance.hits('F06') = ARRAY[:'aiko']);
SELECT conformance.no('F06', 'not nine in UTC yet', conformance.hits('F06', :bob) > 0);
CALL automation.advance('9 hours');
SELECT conformance.yes('F06', 'nine in UTC', conformance.hits('F06', :bob) = 1);
DROP FUNCTION f06;
CALL automation.advance('14 hours');

-- F07, until conditions hold, whatever makes them true: a behaviour, or a field that is filled in; half of them is not enough
CREATE FUNCTION f07(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL c.phone IS NOT NULL
             AND EXISTS (SELECT FROM page_view v WHERE v.contact_id = c.id AND v.url LIKE 'https://example.com/pricing%');
  SELECT conformance.hit('F07', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
CALL automation.run();
UPDATE contact SET phone = '+33199' WHERE id IN (:ann, :bob);
INSERT INTO page_view (contact_id, url) VALUES (:bob, 'https://example.com/blog');
CALL automation.run();
SELECT conformance.no('F07', 'goes on though only half is true', conformance.hits('F07') <> '{}');
INSERT INTO page_view (contact_id, url) VALUES (:ann, 'https://example.com/pricing/teams');
CALL automation.run();
SELECT conformance.yes('F07', 'the condition has come true', conformance.hits('F07', :ann) = 1);
CALL automation.advance('300 days');
SELECT conformance.no('F07', 'without a limit the others wait on', conformance.hits('F07', :bob) > 0);
SELECT conformance.yes('F07', 'they are inside', EXISTS (SELECT FROM automation.enrollments WHERE workflow = 'f07' AND subject_key = :'bob' AND state = 'waiting'));
DROP FUNCTION f07;

-- F08, with a limit: after it on to the next step all the same, and the flow can tell the two apart
CREATE FUNCTION f08(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL c.phone IS NOT NULL TIMEOUT '5 days';
  IF FOUND THEN
    SELECT conformance.hit('F08', c.id, 'has a phone');
  ELSE
    SELECT conformance.hit('F08', c.id, 'no phone');
  END IF;
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
CALL automation.run();
UPDATE contact SET phone = '+33199' WHERE id = :ann;
CALL automation.advance('4 days');
SELECT conformance.no('F08', 'the limit before its time', conformance.hits('F08', :bob) > 0);
CALL automation.advance('2 days');
SELECT conformance.yes('F08', 'the condition came', (SELECT what FROM conformance.hit WHERE id = 'F08' AND key = :'ann') = 'has a phone');
SELECT conformance.yes('F08', 'the limit came', (SELECT what FROM conformance.hit WHERE id = 'F08' AND key = :'bob') = 'no phone');
UPDATE contact SET phone = '+33198' WHERE id = :bob;
CALL automation.run();
SELECT conformance.no('F08', 'what comes after the limit counts', conformance.hits('F08', :bob) > 1);
DROP FUNCTION f08;

-- F09, a mail is scheduled by the wait before it: until then there is no message
CREATE FUNCTION f09(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '2 days';
  SEND email('welcome', c);
END $$;
SELECT new_contact('Ann') AS ann \gset
CALL automation.advance('1 day');
SELECT conformance.no('F09', 'a message before the wait is over', EXISTS (SELECT FROM automation.deliveries WHERE workflow = 'f09'));
CALL automation.advance('1 day 1 hour');
SELECT conformance.yes('F09', 'the mail', (SELECT array_agg(target || ' ' || title) FROM automation.deliveries WHERE workflow = 'f09') = '{"ann@example.com Welcome, Ann"}');
SELECT automation.settle(id, 'sent') FROM automation.deliveries WHERE workflow = 'f09';
DROP FUNCTION f09;

-- F10, days, hours and minutes in any mix
CREATE FUNCTION f10(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '1 day 2 hours 30 minutes';
  SELECT conformance.hit('F10', c.id);
END $$;
SELECT new_contact('Ann') AS ann \gset
CALL automation.run();
CALL automation.advance('1 day 2 hours 20 minutes');
SELECT conformance.no('F10', 'ten minutes early', conformance.hits('F10', :ann) > 0);
CALL automation.advance('11 minutes');
SELECT conformance.yes('F10', 'a day, two hours and a half', conformance.hits('F10', :ann) = 1);
DROP FUNCTION f10;

-- F11, centred on a date: delays are counted from the date, not from the enrolment; what is past at enrolment is left out.
-- A date that moves takes the delays along; who has no date is not enrolled
CREATE FUNCTION f11(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF renewal_date WHEN new.renewal_date IS NOT NULL;
  ENROLL REPLACE;
BEGIN
  IF now() < c.renewal_date - 7 THEN
    WAIT UNTIL c.renewal_date - 7;
    SELECT conformance.hit('F11', c.id, 'a week before');
  END IF;
  WAIT UNTIL c.renewal_date + 1;
  SELECT conformance.hit('F11', c.id, 'the day after');
END $$;
INSERT INTO contact (first_name, renewal_date) VALUES ('Ann', automation.now()::date + 10) RETURNING id AS ann, renewal_date AS day \gset
CALL automation.advance('5 days');
SELECT conformance.yes('F11', 'a week before the date', (SELECT max(what) FROM conformance.hit WHERE id = 'F11' AND key = :'ann') = 'a week before');
INSERT INTO contact (first_name, renewal_date) VALUES ('Bob', :'day') RETURNING id AS bob \gset
CALL automation.advance('5 days');
SELECT conformance.no('F11', 'the delay is counted from the enrolment', conformance.hits('F11', :bob) > 0);
CALL automation.advance('1 day');
SELECT conformance.yes('F11', 'both the day after, whenever they came', (SELECT array_agg(key) FROM conformance.hit WHERE id = 'F11' AND what = 'the day after') @> ARRAY[:'ann', :'bob']);
SELECT conformance.no('F11', 'a step that was past at enrolment', EXISTS (SELECT FROM conformance.hit WHERE id = 'F11' AND key = :'bob' AND what = 'a week before'));
INSERT INTO contact (first_name, renewal_date) VALUES ('Eve', automation.now()::date + 10) RETURNING id AS eve \gset
SELECT new_contact('Dan') AS dan \gset
CALL automation.advance('5 days');
UPDATE contact SET renewal_date = renewal_date + 20 WHERE id = :eve;
CALL automation.advance('10 days');
SELECT conformance.no('F11', 'the day after the date that was', EXISTS (SELECT FROM conformance.hit WHERE id = 'F11' AND key = :'eve' AND what = 'the day after'));
CALL automation.advance('17 days');
SELECT conformance.yes('F11', 'the delays begin anew from the date that is', (SELECT array_agg(what ORDER BY n) FROM conformance.hit WHERE id = 'F11' AND key = :'eve')
    = '{"a week before","a week before","the day after"}');
SELECT conformance.no('F11', 'who has no date', EXISTS (SELECT FROM automation.enrollments WHERE workflow = 'f11' AND subject_key = :'dan'));
DROP FUNCTION f11;

-- F12, until a day of the week and a time of day
CREATE FUNCTION f12(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL next_time('Tuesday', '11:00');
  SELECT conformance.hit('F12', c.id);
END $$;
SELECT new_contact('Ann') AS ann \gset
CALL automation.run();
SELECT automation.next_time('Tuesday', '11:00') - interval '1 minute' - automation.now() AS gap \gset
CALL automation.advance(:'gap');
SELECT conformance.no('F12', 'before Tuesday at eleven', conformance.hits('F12', :ann) > 0);
CALL automation.advance('2 minutes');
SELECT conformance.yes('F12', 'Tuesday at eleven', conformance.hits('F12', :ann) = 1
    AND to_char((SELECT at FROM conformance.hit WHERE id = 'F12'), 'FMDay HH24') = 'Tuesday 11');
DROP FUNCTION f12;

-- F13, until an event happens from now on: a page view, a form; what happened before, or to another, does not count
CREATE FUNCTION f13_page(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR INSERT ON page_view WHEN new.contact_id = c.id AND new.url = 'https://example.com/pricing';
  SELECT conformance.hit('F13', c.id, 'page');
END $$;
CREATE FUNCTION f13_form(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR INSERT ON form_submission WHEN new.contact_id = c.id AND new.form_id = form('Demo') TIMEOUT '14 days';
  IF FOUND THEN
    SELECT conformance.hit('F13', c.id, 'form');
  END IF;
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Eve') AS eve \gset
INSERT INTO page_view (contact_id, url) VALUES (:bob, 'https://example.com/pricing');
CALL automation.run();
INSERT INTO page_view (contact_id, url) VALUES (:ann, 'https://example.com/pricing'), (:eve, 'https://example.com/blog');
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Demo'), :ann), (form('Trial'), :bob);
CALL automation.run();
SELECT conformance.yes('F13', 'the page and the form', (SELECT array_agg(what ORDER BY what) FROM conformance.hit WHERE id = 'F13' AND key = :'ann') = '{form,page}');
SELECT conformance.no('F13', 'a view before the wait, another form', conformance.hits('F13', :bob) > 0);
SELECT conformance.no('F13', 'another page', conformance.hits('F13', :eve) > 0);
CALL automation.advance('15 days');
INSERT INTO form_submission (form_id, contact_id) VALUES (form('Demo'), :eve);
CALL automation.run();
SELECT conformance.no('F13', 'a form after the limit', conformance.hits('F13', :eve) > 0);
DROP FUNCTION f13_page, f13_form;
