-- SEND .. INTO: waits for what becomes of one message.
CREATE SCHEMA send_wait AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
CREATE SERVER wait_hooks TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://wait.send.example');
GRANT USAGE ON FOREIGN SERVER wait_hooks TO app;
\c - app
SET search_path = send_wait; SET timezone = 'UTC';

CREATE TABLE person (id int PRIMARY KEY, name text, stage int DEFAULT 1, gone boolean DEFAULT false);
CREATE TABLE log (what text);
CREATE FUNCTION logged() RETURNS SETOF text LANGUAGE sql AS $$
  WITH d AS (DELETE FROM log RETURNING what) SELECT what FROM d ORDER BY what $$;
CREATE FUNCTION hook(path text, options jsonb DEFAULT NULL) RETURNS automation.message LANGUAGE sql AS $$
  SELECT ROW('http', 'wait_hooks', path, NULL, '{}', NULL, options)::automation.message $$;
CREATE VIEW outbox AS
  SELECT id, subject, state, reason, target FROM automation.deliveries WHERE subject_table = 'person'::regclass ORDER BY id;
CREATE VIEW standing AS
  SELECT workflow, entry_key AS key, state, regexp_replace(waits_for, '\d+', 'n') AS waits_for,
         round(extract(epoch FROM wakes_at - automation.now()) / 3600, 1) AS hours
  FROM automation.enrollments WHERE signature LIKE 'send_wait.%' ORDER BY workflow, entry_key;

CREATE FUNCTION asks(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
  EXIT WHEN p.gone;
DECLARE
  reply automation.delivery;
BEGIN
  <<ask>>
  SEND hook('/ask/' || p.id) INTO reply TIMEOUT '2 hours';
  INSERT INTO log VALUES (p.id || ' ' || CASE WHEN found THEN 'found ' ELSE 'not found ' END
                          || concat_ws(' ', reply.state, reply.status, reply.body, reply.error));
END $$;
INSERT INTO person SELECT i, 'p' || i FROM generate_series(1, 6) i;
SELECT count(asks(p)) FROM person p;
CALL automation.run();
SELECT * FROM standing;
-- sent, dead, gone, suppressed by nobody, timeout, and one that is kept
SELECT automation.settle(id, 'sent', 200, '{"ok": true}') FROM outbox WHERE subject = 'person 1';
SELECT automation.settle(id, 'dead', 404, 'no', 'the server said no') FROM outbox WHERE subject = 'person 2';
CALL automation.run();
SELECT logged();
SELECT reason, what FROM automation.journal WHERE subject = 'person 1' AND workflow = 'asks' AND event = 'resumed';
UPDATE person SET gone = true WHERE id = 3;
DELETE FROM person WHERE id = 4;
CALL automation.run();
SELECT subject, state, reason FROM outbox WHERE state <> 'queued';
CALL automation.advance('1 hour 59 minutes');
SELECT * FROM standing;
SELECT automation.settle(id) FROM outbox WHERE subject = 'person 5';
CALL automation.advance('2 minutes');
SELECT logged();
SELECT subject, state, reason FROM outbox WHERE subject IN ('person 5', 'person 6');
SELECT reason FROM automation.journal WHERE subject = 'person 6' AND workflow = 'asks' AND event = 'resumed';
-- both at once: the answer came before anybody looked
SELECT count(asks(p)) FROM person p WHERE id = 6;
CALL automation.run();
SELECT automation.settle(id) FROM outbox WHERE subject = 'person 6' AND state = 'queued';
CALL automation.advance('3 hours');
SELECT logged();

-- On its way when the time is over: it is not taken back, v shows where it stands.
SELECT count(asks(p)) FROM person p WHERE id = 1;
CALL automation.run();
\c - postgres
SET search_path = send_wait;
WITH d AS (DELETE FROM automation.outgoing_due d USING outbox o WHERE d.id = o.id AND o.state = 'queued' RETURNING d.id)
INSERT INTO automation.inflight SELECT id, 1, automation.now() FROM d;
SELECT subject, state FROM outbox WHERE state = 'started';
\c - app
SET search_path = send_wait; SET timezone = 'UTC';
CALL automation.advance('3 hours');
SELECT logged();
SELECT count(*) FROM outbox WHERE reason = 'timeout' AND subject = 'person 1';
SELECT automation.settle(id) FROM outbox WHERE state = 'started';
-- nobody knows what became of it, until somebody says so; the enrollment has gone on
\c - postgres
SET search_path = send_wait;
UPDATE automation.outgoing o SET state = 'unknown', reason = 'connection_lost' FROM automation.inflight f WHERE f.id = o.id;
DELETE FROM automation.inflight;
\c - app
SET search_path = send_wait; SET timezone = 'UTC';
SELECT automation.settle(id, 'sent', 250) FROM outbox WHERE state = 'unknown';
CALL automation.run();
SELECT subject, state, reason FROM outbox WHERE reason = 'connection_lost' OR state IN ('started', 'unknown');

-- No message; skipped at once; two messages; no TIMEOUT.
CREATE FUNCTION at_once(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  reply automation.delivery;
BEGIN
  SELECT 1;
  SEND hook('/x') WHERE p.id > 100 INTO reply;
  INSERT INTO log VALUES ('no row: ' || found || ', ' || (reply IS NULL));
  SELECT 1;
  SEND NULL::automation.message INTO reply;
  INSERT INTO log VALUES ('NULL: ' || found || ', ' || (reply IS NULL));
  SELECT 1;
  SEND hook('/sms', '{"channel": "sms"}') INTO reply;
  INSERT INTO log VALUES ('skipped: ' || found || ', ' || reply.state || ' ' || reply.error);
  SEND hook('/two') FROM generate_series(1, p.stage) INTO reply;
  INSERT INTO log VALUES ('at last: ' || found || ', ' || reply.state);
END $$;
UPDATE person SET stage = 2 WHERE id = 2;
SELECT count(at_once(p)) FROM person p WHERE id = 2;
CALL automation.run();
SELECT logged();
SELECT state, error FROM automation.enrollments WHERE workflow = 'at_once';
UPDATE person SET stage = 1 WHERE id = 2;
SELECT automation.retry('at_once');
CALL automation.run();
SELECT logged();
SELECT * FROM standing;
CALL automation.advance('30 days');
SELECT * FROM standing;
SELECT automation.settle(id) FROM outbox WHERE state = 'queued';
CALL automation.run();
SELECT logged();

-- An error behind it does not send again, and the answer is still known.
CREATE FUNCTION stumbles(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  reply automation.delivery;
BEGIN
  SEND hook('/stumble') INTO reply TIMEOUT '1 day';
  INSERT INTO log VALUES (reply.body || ' ' || found || ' ' || 1 / p.stage);
END $$;
UPDATE person SET stage = 0 WHERE id = 1;
SELECT count(stumbles(p)) FROM person p WHERE id = 1;
CALL automation.run();
SELECT automation.settle(id, 'sent', 200, 'the answer') FROM outbox WHERE state = 'queued';
CALL automation.run();
SELECT workflow, state, error FROM automation.enrollments WHERE workflow = 'stumbles';
UPDATE person SET stage = 1 WHERE id = 1;
SELECT automation.retry('stumbles');
CALL automation.run();
SELECT logged();
SELECT count(*) FROM outbox WHERE target LIKE '%stumble';

-- Paused and held while the answer comes: it is looked at when they go on.
SELECT count(asks(p)) FROM person p WHERE id = 1;
CALL automation.run();
SELECT automation.pause('asks', true);
SELECT automation.settle(id, 'sent', 200, 'in the pause') FROM outbox WHERE state = 'queued';
CALL automation.run();
SELECT logged();
SELECT automation.resume('asks');
CALL automation.run();
SELECT logged();
SELECT count(asks(p)) FROM person p WHERE id = 1;
CALL automation.run();
SELECT automation.hold(id) FROM automation.enrollments WHERE workflow = 'asks';
CALL automation.run();
SELECT automation.settle(id, 'sent', 200, 'held') FROM outbox WHERE state = 'queued';
CALL automation.run();
SELECT automation.release(id) FROM automation.enrollments WHERE workflow = 'asks';
CALL automation.run();
SELECT logged();

-- Another version: it goes on waiting for the same message, with that one's limit.
SELECT count(asks(p)) FROM person p WHERE id IN (1, 2);
CALL automation.run();
CREATE OR REPLACE FUNCTION asks(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
DECLARE
  other text := 'new';
  reply automation.delivery;
BEGIN
  <<ask>>
  SEND hook('/ask/' || p.id) INTO reply TIMEOUT '5 hours';
  INSERT INTO log VALUES (other || ': ' || p.id || ' ' || found || ' ' || reply.state);
END $$;
SELECT count(*) FROM automation.migrate('asks', dry_run => false);
CALL automation.run();
SELECT * FROM standing;
SELECT automation.settle(id) FROM outbox WHERE state = 'queued' AND subject = 'person 1';
CALL automation.run();
SELECT logged();
CALL automation.advance('6 hours');
SELECT logged();
SELECT count(*), count(*) FILTER (WHERE reason = 'timeout') FROM outbox WHERE target LIKE '%/ask/2';
SELECT count(*) FROM automation.enrollments WHERE signature LIKE 'send_wait.%';

\c - postgres
SET client_min_messages = warning;
DROP SCHEMA send_wait CASCADE;
DROP SERVER wait_hooks;
