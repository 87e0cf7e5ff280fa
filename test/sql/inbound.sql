-- What comes back about messages: how the message is found, what follows, who sees it,
-- and workflows that wait for it. The messages are planted, as sent long ago.
CREATE SCHEMA inbound AUTHORIZATION app;
CREATE ROLE inbound_other LOGIN;
CREATE ROLE inbound_bridge LOGIN;
GRANT USAGE ON LANGUAGE workflow TO inbound_other;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
GRANT EXECUTE ON FUNCTION automation.record_inbound(text, text, text, text, text, text, jsonb, text, jsonb) TO inbound_bridge;
CREATE SCHEMA inbound_spy AUTHORIZATION inbound_other;
\c - inbound_other
SET search_path = inbound_spy;
CREATE TABLE seen (delivery bigint);
CREATE FUNCTION spies(delivery bigint) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.inbound FOR SELECT new.delivery;
BEGIN
  INSERT INTO inbound_spy.seen VALUES (delivery);
END $$;
\c - app
SET search_path = inbound; SET timezone = 'UTC';
CREATE TABLE contact (id int PRIMARY KEY, mail bigint);
CREATE TABLE log (n int GENERATED ALWAYS AS IDENTITY, what text);
CREATE FUNCTION offer(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR INSERT ON automation.inbound WHEN new.delivery = c.mail AND new.kind = 'click' TIMEOUT '3 days';
  INSERT INTO log (what) VALUES (c.id || ' clicked ' || found);
END $$;
CREATE FUNCTION bounces(delivery bigint, kind text) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.inbound WHEN new.kind IN ('hard_bounce', 'soft_bounce') FOR SELECT new.delivery, new.kind;
BEGIN
  INSERT INTO log (what) VALUES (kind || ' of ' || delivery);
END $$;
-- rows of a journal are inserted, no more
CREATE FUNCTION never(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
BEGIN
  WAIT FOR DELETE ON automation.inbound;
END $$;
INSERT INTO automation.inbound (kind) VALUES ('click');
SELECT automation.record_inbound('click');

\c - postgres
SET timezone = 'UTC';
ALTER TABLE automation.outgoing DISABLE TRIGGER ALL;
INSERT INTO automation.outgoing (id, uid, owner, workflow, version, enrollment, epoch, statement, source, created_at, kind, server, target,
                                 channel, address, class, list, subject, body, awaited, state, attempts, provider_id)
SELECT 900000 + i, 'msg_' || md5('inbound' || i), o.id, 0, 0, 0, 0, 0, 0, automation.now() - interval '1 hour', 'mail', 'relay', 'p' || i || '@x.example',
       'mail', 'p' || i || '@x.example', 'marketing', CASE WHEN i = 5 THEN 'news' END, 'subject', 'body', false,
       CASE WHEN i IN (6, 7) THEN 'unknown' ELSE 'sent' END, 1, 'provider-' || i
FROM generate_series(1, 30) i JOIN automation.owner o ON o.role = CASE WHEN i <= 20 THEN 'app' ELSE 'inbound_other' END::regrole;
-- soft bounces: seven messages to one
UPDATE automation.outgoing SET address = 'soft@x.example' WHERE id BETWEEN 900011 AND 900018;
ALTER TABLE automation.outgoing ENABLE ALWAYS TRIGGER ALL;
CREATE FUNCTION uid(i int) RETURNS text LANGUAGE sql AS $$ SELECT 'msg_' || md5('inbound' || i) $$;
CREATE FUNCTION token(i int, purpose text DEFAULT 'return') RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT automation.delivery_token(900000 + i, purpose) $$;
CREATE FUNCTION token_of(address text) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$
  SELECT automation.delivery_token(o.id, 'return') FROM automation.outgoing o WHERE o.address = token_of.address ORDER BY o.id DESC LIMIT 1 $$;
CREATE SERVER inbound_relay TYPE 'smtp' FOREIGN DATA WRAPPER automation OPTIONS (url 'smtp://127.0.0.1:2525', "from" '@x.example', unsubscribe_url 'https://x.example/u?token=', postal_address 'Street 1, Town');
GRANT USAGE ON FOREIGN SERVER inbound_relay TO app;
CREATE VIEW told AS SELECT i.kind, i.delivery - 900000 AS n, i.address, i.url, i.matched, i.event, i.detail, i.owner FROM automation.inbound i
  WHERE i.delivery BETWEEN 900001 AND 900030 ORDER BY i.id;
GRANT SELECT ON told TO PUBLIC;
CREATE VIEW stopped AS SELECT s.owner, p.i AS n, s.class, s.list, s.reason FROM automation.suppressions s
  JOIN (SELECT i, encode(sha256(convert_to(CASE WHEN i > 30 THEN 'soft' ELSE 'p' || i END || '@x.example', 'UTF8')), 'hex') AS hash FROM generate_series(1, 31) i) p
    ON p.hash = s.address_hash ORDER BY s.at, p.i, s.reason;

-- A workflow that waits
\c - app
SET search_path = inbound; SET timezone = 'UTC';
INSERT INTO contact VALUES (1, 900001), (2, 900002), (21, 900021);
CALL automation.run();
SELECT automation.record_inbound('click', provider_id => 'provider-1');

-- How a message is found
\c - inbound_bridge
SET timezone = 'UTC';
SELECT automation.record_inbound('click', token => public.token(1), url => 'https://x.example/a', event => 'evt1', detail => '{"agent": "x"}') > 0 AS token,
       automation.record_inbound('click', token => public.token(1), url => 'https://x.example/a', event => 'evt1') AS again,
       automation.record_inbound('click', token => public.token(1), url => 'https://x.example/a', event => 'evt2') > 0 AS another;
SELECT automation.record_inbound('open', provider_id => 'provider-2') > 0 AS provider_id,
       automation.record_inbound('open', provider_id => '<' || public.uid(3) || '@shop.example>') > 0 AS message_id,
       automation.record_inbound('open', provider_id => 'provider-999') AS unknown_id,
       automation.record_inbound('open', address => 'p4@x.example') AS address_alone,
       automation.record_inbound('open') AS nothing,
       automation.record_inbound('open', provider_id => '') AS empty;
-- the latest that a thread names; an address of its own
SELECT automation.record_inbound('reply', address => 'Private@Home.example', refs => format('<%s@s.example> <other@y> <%s@s.example>', public.uid(1), public.uid(4))) > 0 AS thread,
       automation.record_inbound('reply', token => public.token(3), address => 'p3@x.example', refs => '<none@y>') > 0 AS token_of_reply,
       automation.record_inbound('reply', address => ' P8@X.Example ') > 0 AS sender,
       automation.record_inbound('reply', address => 'stranger@x.example') AS stranger;
-- machines
SELECT automation.record_inbound('reply', token => public.token(9), headers => h) > 0 FROM unnest(ARRAY['{"Auto-Submitted": "auto-replied"}',
  '{"auto-submitted": ["auto-generated; x"]}', '{"PRECEDENCE": "bulk"}', '{"Precedence": "auto_reply"}', '{"X-Autoreply": "yes"}', '{"X-Vacation-Until": "x"}',
  '{"Return-Path": "<>"}', '{"Content-Type": "multipart/report; x"}']::jsonb[]) h;
SELECT automation.record_inbound('reply', token => public.token(10), headers => '{"Auto-Submitted": "no", "Precedence": "first-class", "Return-Path": "<p10@x.example>"}') > 0 AS person;
SELECT automation.record_inbound('unsubscribe', token => public.token(10, 'unsubscribe'), headers => '{"Auto-Submitted": "auto-replied"}') AS machine;
SELECT automation.record_inbound('unsubscribe', token => public.token(10), headers => '{"Auto-Submitted": "auto-replied"}') > 0 AS machine_of_return_path;
SELECT automation.record_inbound('bounce', token => public.token(1));
SELECT automation.record_inbound(NULL, token => public.token(1));
\c - postgres
SET timezone = 'UTC';
SELECT * FROM told;
SELECT count(*) AS none_so_far FROM stopped;

-- What follows
\c - inbound_bridge
SELECT automation.record_inbound('hard_bounce', token => public.token(1)) > 0 AS hard, automation.record_inbound('hard_bounce', provider_id => 'provider-1') AS again,
       automation.record_inbound('complaint', provider_id => 'provider-2') > 0 AS complaint,
       automation.record_inbound('unsubscribe', token => public.token(4, 'unsubscribe')) > 0 AS unsubscribe,
       automation.record_inbound('unsubscribe', token => public.token(5, 'unsubscribe')) > 0 AS of_list,
       automation.record_inbound('hard_bounce', token => public.token(21)) > 0 AS of_other;
-- the same message five times is one
SELECT automation.record_inbound('soft_bounce', token => public.token(11)) IS NOT NULL AS recorded FROM generate_series(1, 6);
SELECT automation.record_inbound('soft_bounce', token => public.token(i)) > 0 AS soft FROM generate_series(12, 14) i;
\c - postgres
SELECT * FROM stopped;
-- a success between them counts anew
\c - inbound_bridge
SELECT automation.record_inbound('delivered', token => public.token(18)) > 0 AS delivered;
SELECT automation.record_inbound('soft_bounce', token => public.token(15)) > 0 AS soft;
\c - postgres
SELECT count(*) AS soft_bounces FROM stopped WHERE reason = 'soft_bounces';
-- five, but long ago
UPDATE automation.inbound SET at = at - interval '15 days' WHERE address = 'soft@x.example';
\c - inbound_bridge
SELECT automation.record_inbound('soft_bounce', token => public.token(16)) > 0 AS soft;
\c - postgres
SELECT count(*) AS soft_bounces FROM stopped WHERE reason = 'soft_bounces';
DELETE FROM automation.inbound WHERE address = 'soft@x.example' AND kind = 'delivered';
UPDATE automation.inbound SET at = automation.now() - interval '13 days' WHERE address = 'soft@x.example';
\c - inbound_bridge
SELECT automation.record_inbound('soft_bounce', token => public.token(17)) > 0 AS soft;
\c - postgres
SELECT owner, class, list, reason FROM stopped WHERE reason = 'soft_bounces';

-- who signs up again may unsubscribe again, by the same mail; an old bounce told again does nothing
SELECT automation.unsuppress('p4@x.example', for_owner => 'app'), automation.unsuppress('p1@x.example', class => NULL, for_owner => 'app');
\c - inbound_bridge
SELECT automation.record_inbound('unsubscribe', token => public.token(4, 'unsubscribe')) AS told_before,
       automation.record_inbound('hard_bounce', token => public.token(1)) AS told_before;
\c - postgres
SELECT automation.suppressed('p4@x.example', for_owner => 'app') AS unsubscribed, automation.suppressed('p1@x.example', for_owner => 'app') AS bounced;

-- A mail of unknown outcome
\c - inbound_bridge
SELECT automation.record_inbound('delivered', provider_id => 'provider-6') > 0 AS delivered, automation.record_inbound('hard_bounce', provider_id => 'provider-7') > 0 AS bounced;
\c - postgres
SELECT id - 900000 AS n, state, reason, finished_at IS NOT NULL AS finished FROM automation.outgoing WHERE id IN (900006, 900007) ORDER BY id;

-- Who sees what, and what workflows made of it
\c - app
SET search_path = inbound; SET timezone = 'UTC';
SELECT owner, count(*) FROM automation.inbound GROUP BY owner;
CALL automation.run();
SELECT what FROM log ORDER BY n;
SELECT automation.delivery_token(900021);
SELECT automation.delivery_token(900999);
SELECT automation.delivery_token(900001, 'bounce');
\c - inbound_other
SET search_path = inbound_spy; SET timezone = 'UTC';
SELECT owner, count(*) FROM automation.inbound GROUP BY owner;
CALL automation.run();
SELECT * FROM seen;

-- A mail, and a click on what it says
\c - app
SET search_path = inbound; SET timezone = 'UTC';
CREATE TABLE person (id int PRIMARY KEY, email text, status text);
CREATE FUNCTION asks(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  mail automation.delivery;
BEGIN
  SEND automation.mail(p, 'An offer', 'https://x.example/offer', sender => 'news@x.example', server => 'inbound_relay') INTO mail;
  WAIT FOR INSERT ON automation.inbound WHEN new.delivery = mail.id AND new.kind = 'click' TIMEOUT '3 days';
  IF FOUND THEN
    UPDATE person SET status = 'interested' WHERE id = p.id;
  ELSE
    UPDATE person SET status = 'silent' WHERE id = p.id;
  END IF;
END $$;
INSERT INTO person VALUES (1, 'q1@x.example'), (2, 'q2@x.example');
CALL automation.run();
SELECT automation.settle(id, 'sent', 250) FROM automation.deliveries WHERE server = 'inbound_relay';
CALL automation.run();
\c - inbound_bridge
SELECT automation.record_inbound('click', token => public.token_of('q1@x.example')) > 0 AS click, automation.record_inbound('open', token => public.token_of('q2@x.example')) > 0 AS open;
\c - app
SET search_path = inbound; SET timezone = 'UTC';
CALL automation.run();
SELECT id, status FROM person ORDER BY id;
CALL automation.advance('4 days');
SELECT id, status FROM person ORDER BY id;

-- Unsubscribing, by anybody who has the token
\c - inbound_bridge
SELECT automation.unsubscribe(public.token(8, 'unsubscribe')) AS first, automation.unsubscribe(upper(public.token(8, 'unsubscribe'))) AS again,
       automation.unsubscribe(public.token(8)) AS return_path, automation.unsubscribe('') AS nothing, automation.unsubscribe(repeat('u', 10000)) AS long;
SELECT automation.unsubscribe(public.token(5, 'unsubscribe')) AS by_report_before;

-- Erasure: nothing of the person stays, the link and the suppression do
\c - app
SET timezone = 'UTC';
SELECT automation.forget_address('P8@x.example') AS own, automation.forget_address('p22@x.example') AS of_others, automation.forget_address('nobody@x.example') AS nobody;
\c - postgres
SET timezone = 'UTC';
SELECT id - 900000 AS n, target, left(address, 12) AS address, subject, body, state FROM automation.outgoing WHERE id IN (900008, 900022) ORDER BY id;
SELECT kind, n, left(address, 12) AS address, url, detail FROM told WHERE n = 8;
SELECT automation.unsubscribe(token(8, 'unsubscribe')), automation.suppressed('p8@x.example', for_owner => 'app');
SELECT automation.unsuppress('p8@x.example', for_owner => 'app');
SELECT automation.unsubscribe(token(8, 'unsubscribe')), automation.suppressed('p8@x.example', for_owner => 'app');

DELETE FROM automation.inbound WHERE delivery BETWEEN 900001 AND 900030;
DELETE FROM automation.outgoing WHERE id BETWEEN 900001 AND 900030;
DELETE FROM automation.suppression;
SET client_min_messages = warning;
DROP VIEW told, stopped;
DROP FUNCTION uid(int), token(int, text), token_of(text);
DROP SERVER inbound_relay CASCADE;
DROP SCHEMA inbound CASCADE;
DROP SCHEMA inbound_spy CASCADE;
DROP OWNED BY inbound_other, inbound_bridge;
DROP ROLE inbound_other, inbound_bridge;
