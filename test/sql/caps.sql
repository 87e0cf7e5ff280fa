-- The limits of text messages and of mails to the contacts of a company, to the message: 72 hours,
-- 1,000 of a month, 100 of one SEND.
\pset null -
CREATE SCHEMA caps AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
CREATE SERVER caps_sms TYPE 'http' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'https://sms.caps.example/2010-04-01/Accounts/AC0', "from" '+4915100', rate '0', monthly_cap '1000', expires '72 hours');
CREATE SERVER caps_mail TYPE 'smtp' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'smtp://mail.caps.example', "from" '@caps.example', recipients '100', unsubscribe_mail 'leave@caps.example');
GRANT USAGE ON FOREIGN SERVER caps_sms, caps_mail TO app;
\c - app
SET search_path = caps; SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on
-- half an hour before a month begins
CALL automation.advance(date_trunc('month', automation.now()) + interval '1 month' - interval '30 minutes' - automation.now());
SELECT to_char(automation.now() + interval '30 minutes', 'DD HH24:MI');

CREATE TABLE texting (id int PRIMARY KEY, people int NOT NULL);
CREATE FUNCTION texts(t texting) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SEND sms('+4915' || 1000000 + i, 'Hello', server => 'caps_sms', class => 'internal') FROM generate_series(1, t.people) i;
END $$;
CREATE VIEW texted AS
SELECT coalesce(reason, state) AS what, count(*), min(address) AS first, max(address) AS last
FROM automation.deliveries WHERE server = 'caps_sms' AND workflow = 'texts' GROUP BY 1, to_char(created_at, 'MM') ORDER BY to_char(min(created_at), 'YYYYMM'), 2 DESC;

-- the 1,000th goes, the 1,001st does not
INSERT INTO texting VALUES (1, 1001);
CALL automation.run();
SELECT * FROM texted;
-- until the month ends; the next one has room for 1,000 again
CALL automation.advance('20 minutes');
INSERT INTO texting VALUES (2, 1);
CALL automation.run();
SELECT * FROM texted;
CALL automation.advance('10 minutes');
INSERT INTO texting VALUES (3, 999);
CALL automation.run();
INSERT INTO texting VALUES (4, 3);
CALL automation.run();
SELECT * FROM texted;
SELECT regexp_replace(what, '\d+', 'N'), count(*) FROM automation.journal WHERE workflow = 'texts' AND event = 'delivery' GROUP BY 1;

-- 72 hours from when it may leave: of the constructor, of the server, of the message
CREATE TABLE moment (id int PRIMARY KEY);
CREATE FUNCTION expires(m moment) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  reply automation.delivery;
BEGIN
  SEND sms('+4915', 'Hello', server => 'caps_sms', class => 'internal');
  SEND sms('+4915', 'Hello', server => 'caps_sms', class => 'internal', expires => NULL);
  SEND sms('+4915', 'Hello', server => 'caps_sms', class => 'internal', expires => '1 hour');
END $$;
CALL automation.advance('31 days');
INSERT INTO moment VALUES (1);
CALL automation.run();
SELECT expires_at - due FROM automation.deliveries WHERE workflow = 'expires' ORDER BY id;
CREATE FUNCTION opens(m moment) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
  TIME ZONE 'UTC';
  SEND DURING 'Mon-Fri 09:00-17:00';
BEGIN
  SEND sms('+4915', 'Hello', server => 'caps_sms', class => 'internal');
END $$;
-- on a Saturday
CALL automation.advance(date_trunc('week', automation.now()) + interval '12 days 12 hours' - automation.now());
SELECT opens(m) IS NOT NULL FROM moment m;
CALL automation.run();
SELECT to_char(due, 'Dy HH24'), expires_at - due FROM automation.deliveries WHERE workflow = 'opens';
-- the flow goes on after 72 hours
CREATE FUNCTION goes_on(m moment) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  reply automation.delivery;
BEGIN
  SEND sms('+4915', 'Hello', server => 'caps_sms', class => 'internal') INTO reply TIMEOUT '72 hours';
  WAIT FOR '1 day';
END $$;
SELECT goes_on(m) IS NOT NULL FROM moment m;
CALL automation.run();
CALL automation.advance('71 hours 50 minutes');
SELECT state FROM automation.deliveries WHERE workflow = 'goes_on';
CALL automation.advance('10 minutes');
SELECT state, reason FROM automation.deliveries WHERE workflow = 'goes_on';
SELECT state, waits_for FROM automation.enrollments WHERE workflow = 'goes_on';

-- the contacts of a company: the 100th gets his mail, the 101st does not; each SEND counts for itself,
-- and who gets none anyway takes nobody's place
CREATE TABLE company (id int PRIMARY KEY);
CREATE TABLE contact (id int PRIMARY KEY, company_id int, email text);
CREATE FUNCTION tells(c company) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SEND mail(p.email, 'Hello', 'Text', sender => 'news@caps.example', server => 'caps_mail') FROM contact p WHERE p.company_id = c.id ORDER BY p.id;
END $$;
INSERT INTO contact SELECT 1000 + i, 1, 'a' || i || '@one.example' FROM generate_series(1, 100) i;
INSERT INTO contact SELECT 2000 + i, 2, 'b' || i || '@two.example' FROM generate_series(1, 101) i;
INSERT INTO contact SELECT 3000 + i, 3, 'c' || i || '@three.example' FROM generate_series(1, 101) i;
SELECT automation.suppress('c7@three.example');
INSERT INTO company VALUES (1), (2), (3);
CALL automation.run();
SELECT subject, coalesce(reason, state), count(*), CASE WHEN count(*) = 1 THEN min(address) END
FROM automation.deliveries WHERE workflow = 'tells' GROUP BY 1, 2 ORDER BY 1, 3 DESC;
SELECT failed FROM automation.workflows WHERE name = 'tells';

DROP FUNCTION texts, expires, opens, goes_on, tells;
SELECT automation.unsuppress('c7@three.example');
SET client_min_messages = warning;
DROP SCHEMA caps CASCADE;
\c - postgres
SET client_min_messages = warning;
DROP SERVER caps_sms, caps_mail;
