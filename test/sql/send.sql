-- SEND: rows become messages, each with a server its owner may use; and what
-- becomes of those that have not left.
CREATE SCHEMA send AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
CREATE SERVER send_hooks TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.send.example/in');
CREATE SERVER send_mail TYPE 'smtp' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'smtp://mail.send.example', "from" 'news@send.example, @team.send.example', class 'marketing, transactional',
           unsubscribe_url 'https://send.example/u/');
CREATE SERVER send_secret TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://secret.send.example');
GRANT USAGE ON FOREIGN SERVER send_hooks, send_mail TO app;
\c - app
SET search_path = send; SET timezone = 'UTC';

CREATE TABLE person (id int PRIMARY KEY, name text, email text, stage int DEFAULT 0, gone boolean DEFAULT false);
CREATE TABLE log (what text);
-- What the outbox has of these workflows.
CREATE VIEW outbox AS
  SELECT d.workflow, d.subject, d.state, d.reason, d.kind, d.server, d.target, d.class, d.title, d.body
  FROM automation.deliveries d WHERE d.owner::text = 'app' AND d.subject_table = 'person'::regclass ORDER BY d.id;
-- A message by hand, as constructors make it.
CREATE FUNCTION hook(target text, body text, options jsonb DEFAULT NULL, server text DEFAULT NULL, headers jsonb DEFAULT NULL)
RETURNS automation.message LANGUAGE sql AS $$
  SELECT ROW('http', server, target, NULL, body, headers, options)::automation.message $$;
CREATE FUNCTION mail(target text, subject text, options jsonb DEFAULT NULL, server text DEFAULT 'send_mail')
RETURNS automation.message LANGUAGE sql AS $$
  SELECT ROW('mail', server, target, subject, 'Hello', NULL, options)::automation.message $$;

-- By URL, by name and path, mail, no message, several.
CREATE FUNCTION all_kinds(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SELECT 1;
  SEND hook('https://hooks.send.example/in/new?id=' || p.id, '{}');
  SEND hook('/path', 'text', '{"content_type": "text/plain"}', 'send_hooks');
  SEND mail(p.email, 'Welcome, ' || p.name);
  SEND NULL::automation.message;
  SEND hook('/none', '') WHERE false;
  SEND hook('/each/' || o.id, '', NULL, 'send_hooks') FROM person o WHERE o.id <> p.id ORDER BY o.id;
  INSERT INTO log VALUES ('found ' || found);
END $$;
INSERT INTO person VALUES (1, 'Ann', 'ann@send.example'), (2, 'Bob', 'Bob@Send.Example'), (3, 'Cid', NULL);
SELECT all_kinds(p) > 0 FROM person p WHERE id = 1;
CALL automation.run();
SELECT * FROM outbox;
SELECT * FROM log;
-- the id of a message is one of nobody's guess, its attempts are none, it may leave at once
SELECT count(DISTINCT uid), min(length(uid)), bool_and(uid ~ '^msg_[0-9a-f]{32}$'), min(attempts), max(attempts), bool_and(due = created_at)
FROM automation.deliveries WHERE subject_table = 'person'::regclass;
-- what is entered is entered for good; who has no address is skipped, and the flow goes on
SELECT all_kinds(p) > 0 FROM person p WHERE id = 3;
CALL automation.run();
UPDATE person SET email = 'other@send.example';
SELECT state, reason, address FROM automation.deliveries WHERE subject_table = 'person'::regclass AND kind = 'mail' ORDER BY id;
SELECT event, reason, regexp_replace(what, '\d+', 'n') FROM automation.journal WHERE subject_table = 'person'::regclass AND event = 'delivery' AND reason = 'no_address';
SELECT count(*) FROM automation.enrollments WHERE workflow = 'all_kinds';

-- What became of one is said by hand, once.
SELECT automation.settle(max(id), 'sent', 200, 'thank you') FROM automation.deliveries WHERE subject_table = 'person'::regclass AND kind = 'http';
SELECT automation.settle(max(id), 'dead') FROM automation.deliveries WHERE subject_table = 'person'::regclass AND kind = 'http';
SELECT state, status, answer, attempts, finished_at IS NOT NULL FROM automation.deliveries
WHERE subject_table = 'person'::regclass AND state = 'sent';
SELECT automation.settle(min(id), 'dead', 500, error => 'no answer') FROM automation.deliveries WHERE subject_table = 'person'::regclass AND state = 'queued';
SELECT state, reason, status, error FROM automation.deliveries WHERE subject_table = 'person'::regclass AND state = 'dead';
SELECT kind, state, reason, status, error, attempts FROM automation.dead_letter WHERE subject_table = 'person'::regclass;
SELECT automation.settle(0);
SELECT automation.settle(1, 'queued');
SELECT automation.settle(NULL);
TRUNCATE log;

-- Nothing of a step that fails is sent.
CREATE FUNCTION fails(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SEND hook('/first', '', NULL, 'send_hooks');
  SEND hook('/second', '', NULL, 'send_hooks');
  SELECT 1 / p.stage;
END $$;
SELECT fails(p) > 0 FROM person p WHERE id = 1;
CALL automation.run();
SELECT state, error FROM automation.enrollments WHERE workflow = 'fails';
SELECT count(*) FROM outbox WHERE workflow = 'fails';
UPDATE person SET stage = 1;
SELECT automation.retry('fails');
CALL automation.run();
SELECT target, state FROM outbox WHERE workflow = 'fails';

-- Each round of a loop sends a message of its own.
CREATE FUNCTION loops(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  <<again>>
  SEND hook('/loop', 'round', NULL, 'send_hooks');
  WAIT FOR '1 hour';
  GO TO again AT MOST 2 TIMES;
END $$;
SELECT loops(p) > 0 FROM person p WHERE id = 1;
CALL automation.run();
CALL automation.advance('5 hours');
SELECT count(*), count(DISTINCT uid) FROM automation.deliveries WHERE workflow = 'loops';

-- Who ends otherwise than by himself takes along what has not left.
CREATE FUNCTION leaves(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL REPLACE;
  EXIT WHEN p.gone;
BEGIN
  SEND hook('/leaves/' || p.id, '', NULL, 'send_hooks');
  SEND hook('/leaves/' || p.id, 'second', NULL, 'send_hooks');
  WAIT FOR '1 day';
  SEND hook('/left/' || p.id, '', NULL, 'send_hooks');
END $$;
SELECT leaves(p) > 0 FROM person p;
CALL automation.run();
SELECT automation.settle(min(id)) FROM automation.deliveries WHERE workflow = 'leaves' AND state = 'queued';
UPDATE person SET gone = true WHERE id = 1;
DELETE FROM person WHERE id = 2;
SELECT leaves(p) > 0 FROM person p WHERE id = 3;
CALL automation.run();
SELECT target, body, state, reason FROM outbox WHERE workflow = 'leaves';
SELECT automation.unenroll(id) FROM automation.enrollments WHERE workflow = 'leaves';
CALL automation.run();
SELECT target, body, state, reason FROM outbox WHERE workflow = 'leaves' AND subject = 'person 3';
SELECT reason, regexp_replace(what, '\d+', 'n') FROM automation.journal WHERE subject_table = 'person'::regclass AND event = 'delivery' AND reason = 'manual';
-- who comes to the end leaves them be
SELECT leaves(p) > 0 FROM person p WHERE id = 3;
CALL automation.run();
CALL automation.advance('2 days');
SELECT count(*) FROM automation.enrollments WHERE workflow = 'leaves';
SELECT target, state FROM outbox WHERE workflow = 'leaves' AND subject = 'person 3' AND state = 'queued';
-- EXIT WHEN is asked before each SEND, whoever made it true
CREATE FUNCTION asked(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
  EXIT WHEN EXISTS (SELECT FROM log WHERE what = 'stop ' || p.id);
BEGIN
  SEND hook('/one', '', NULL, 'send_hooks');
  INSERT INTO log VALUES ('stop ' || p.id);
  SEND hook('/two', '', NULL, 'send_hooks');
END $$;
SELECT asked(p) > 0 FROM person p WHERE id = 3;
CALL automation.run();
SELECT target, state, reason FROM outbox WHERE workflow = 'asked';

-- Whoever must not be written to is not, and the view says so at once.
CREATE FUNCTION news(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SEND mail(p.email, 'News');
END $$;
INSERT INTO person VALUES (4, 'Dan', 'dan@send.example'), (5, 'Eve', 'Eve@SEND.example');
SELECT automation.suppress('eve@send.example');
SELECT news(p) > 0 FROM person p WHERE id IN (4, 5) ORDER BY id;
CALL automation.run();
SELECT subject, state, reason FROM outbox WHERE workflow = 'news';
SELECT automation.suppress('dan@send.example');
SELECT subject, state, reason FROM outbox WHERE workflow = 'news';
SELECT automation.unsuppress('dan@send.example'), automation.unsuppress('eve@send.example');

-- Another owner: what has not left is his.
\c - postgres
SET search_path = send;
CREATE ROLE send_heir;
GRANT send_heir TO app;
GRANT ALL ON SCHEMA send TO send_heir;
GRANT USAGE ON LANGUAGE workflow TO send_heir;
GRANT ALL ON ALL TABLES IN SCHEMA send TO send_heir;
SET client_min_messages = error;
ALTER FUNCTION loops OWNER TO send_heir;
RESET client_min_messages;
SELECT owner, state, count(*) FROM automation.deliveries WHERE workflow = 'loops' GROUP BY 1, 2;
SELECT count(*) FROM automation.outgoing_due d JOIN automation.outgoing o USING (id) WHERE d.owner <> o.owner;
-- Dropped: it is cancelled.
DROP FUNCTION loops;
SELECT state, reason, count(*) FROM automation.deliveries WHERE owner = 'send_heir'::regrole GROUP BY 1, 2;
-- Every message that is not over has its licence, the others have none.
SELECT count(*) FROM automation.outgoing o FULL JOIN automation.outgoing_due d USING (id)
WHERE (o.state IN ('queued', 'held')) IS DISTINCT FROM (d.id IS NOT NULL);
-- Others see nothing of it and settle nothing.
CREATE ROLE send_stranger;
SET ROLE send_stranger;
SELECT count(*) FROM automation.deliveries;
SELECT automation.settle(o.id) FROM generate_series(1, 1) o (id);
SELECT count(*) FROM automation.outgoing;
SELECT count(*) FROM automation.outgoing_due;
RESET ROLE;

-- Ten thousand rows of one SEND.
\c - app
SET search_path = send;
CREATE FUNCTION many(n int) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN PER n;
BEGIN
  SEND hook('/many/' || i, 'x', NULL, 'send_hooks') FROM generate_series(1, n) i;
END $$;
SELECT many(10000) > 0;
CALL automation.run();
SELECT count(*), count(DISTINCT target) FROM automation.deliveries WHERE workflow = 'many' AND state = 'queued';
DROP FUNCTION many;
SELECT count(*) FROM automation.deliveries WHERE target LIKE '%/many/%' AND state = 'cancelled' AND reason = 'workflow_gone';

\c - postgres
SET client_min_messages = warning;
DROP SCHEMA send CASCADE;
DROP SERVER send_hooks, send_mail, send_secret;
DROP OWNED BY send_heir;
DROP ROLE send_heir, send_stranger;
