-- SEND DURING: messages wait for hours, in the workflow's zone; nothing else does.
CREATE SCHEMA send_during AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
CREATE SERVER during_hooks TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://during.send.example', expires '2 days');
GRANT USAGE ON FOREIGN SERVER during_hooks TO app;
\c - app
SET search_path = send_during; SET timezone = 'UTC';

CREATE TABLE person (id int PRIMARY KEY, zone text);
CREATE TABLE log (what text);
CREATE FUNCTION hook(path text, options jsonb DEFAULT NULL) RETURNS automation.message LANGUAGE sql AS $$
  SELECT ROW('http', 'during_hooks', path, NULL, '{}', NULL, options)::automation.message $$;
INSERT INTO person VALUES (1, 'Europe/Berlin'), (2, 'America/New_York'), (3, 'Asia/Tokyo');
-- the next Monday, 12:00 in Berlin: before opening in New York, after closing in Tokyo
SELECT (date_trunc('week', automation.now() AT TIME ZONE 'Europe/Berlin' + interval '7 days') + interval '12 hours')
         AT TIME ZONE 'Europe/Berlin' - automation.now() AS ahead \gset
CALL automation.advance(:'ahead');

CREATE FUNCTION during(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
  SEND DURING 'Mon-Fri 09:00-17:00';
  TIME ZONE p.zone;
DECLARE
  reply automation.delivery;
BEGIN
  INSERT INTO log VALUES (p.id || ' is told at once');
  SEND hook('/during', '{"expires": "6 hours"}');
  SEND hook('/during/asked') INTO reply TIMEOUT '1 hour';
  INSERT INTO log VALUES (p.id || ' ' || found || ' ' || reply.state);
END $$;
SELECT count(during(p)) FROM person p;
CALL automation.run();
SELECT what FROM log ORDER BY what;
-- one is not all: who waits for the hours leaves somewhat after they begin
SELECT subject_key AS person, state, due AT TIME ZONE p.zone >= opens AND due AT TIME ZONE p.zone <= opens + interval '15 minutes' AS in_time,
       expires_at - due AS expires
FROM automation.deliveries d JOIN person p ON p.id::text = d.subject_key
     CROSS JOIN LATERAL (SELECT date_trunc('day', due AT TIME ZONE p.zone) + interval '9 hours' AS opens) o
WHERE subject_table = 'person'::regclass AND p.id > 1 ORDER BY d.id;
SELECT subject_key AS person, due = created_at AS at_once, expires_at - due AS expires FROM automation.deliveries
WHERE subject_table = 'person'::regclass AND subject_key = '1' ORDER BY id;
SELECT subject_key AS person, extract(isodow FROM due AT TIME ZONE p.zone) AS day, extract(hour FROM due AT TIME ZONE p.zone) AS hour
FROM automation.deliveries d JOIN person p ON p.id::text = d.subject_key WHERE subject_table = 'person'::regclass ORDER BY d.id;
-- The limit counts from the moment the message may leave.
SELECT entry_key, wakes_at - d.due AS after FROM automation.enrollments e JOIN automation.deliveries d ON d.enrollment = e.id AND d.awaited
WHERE e.workflow = 'during' ORDER BY 1;
CALL automation.advance('2 hours');
SELECT what FROM log WHERE what NOT LIKE '%told%' ORDER BY what;
CALL automation.advance('2 days');
SELECT what FROM log WHERE what NOT LIKE '%told%' ORDER BY what;

-- Holidays of the default calendar are none of those days.
\c - postgres
SELECT (date_trunc('day', automation.now()) + interval '1 day')::date AS tomorrow \gset
INSERT INTO automation.holiday (calendar, day) VALUES ('default', :'tomorrow');
\c - app
SET search_path = send_during; SET timezone = 'UTC';
CREATE FUNCTION daily(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
  SEND DURING 'Mon-Sun 00:00-00:30';
BEGIN
  SEND hook('/daily');
END $$;
SELECT count(daily(p)) FROM person p WHERE id = 1;
CALL automation.run();
SELECT (due AT TIME ZONE 'UTC')::date - :'tomorrow'::date AS days FROM automation.deliveries WHERE workflow = 'daily';
\c - postgres
SET client_min_messages = warning;
DELETE FROM automation.holiday WHERE day = :'tomorrow';
DROP SCHEMA send_during CASCADE;
DROP SERVER during_hooks;
