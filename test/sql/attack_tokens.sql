-- Attacks on tokens, suppressions and caps: forged tokens and reports do nothing; who
-- writes marketing as something else, or an address in another way, gets no further.
CREATE SCHEMA tokens AUTHORIZATION app;
CREATE ROLE tokens_rival LOGIN;
GRANT USAGE ON LANGUAGE workflow TO tokens_rival;
GRANT EXECUTE ON FUNCTION automation.record_inbound(text, text, text, text, text, text, jsonb, text, jsonb) TO tokens_rival;
\c - app
SET search_path = tokens;
CREATE TABLE contact (id int PRIMARY KEY, email text);
CREATE FUNCTION owns(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '1 day';
END $$;
\c - postgres
SET timezone = 'UTC';
ALTER TABLE automation.outgoing DISABLE TRIGGER ALL;
INSERT INTO automation.outgoing (id, uid, owner, workflow, version, enrollment, epoch, statement, source, created_at, kind, server, target,
                                 channel, address, class, awaited, state, attempts, provider_id)
SELECT 910000 + i, 'msg_' || md5('tokens' || i), o.id, 0, 0, 0, 0, 0, 0, automation.now() - interval '1 hour', 'mail', 'relay', 'p' || i || '@y.example',
       'mail', 'p' || i || '@y.example', 'marketing', false, 'sent', 1, 'tok-' || i
FROM generate_series(1, 123) i JOIN automation.owner o ON o.role = 'app'::regrole;
ALTER TABLE automation.outgoing ENABLE ALWAYS TRIGGER ALL;
CREATE FUNCTION attempts(tokens text[]) RETURNS TABLE (many boolean, effects bigint, recorded bigint, suppressed bigint) LANGUAGE plpgsql AS $$
DECLARE
  token text;
BEGIN
  many := cardinality(tokens) > 40;
  effects := 0;
  FOREACH token IN ARRAY tokens LOOP
    IF automation.unsubscribe(token) <> 'invalid_token' THEN effects := effects + 1; END IF;
    IF automation.record_inbound('hard_bounce', token => token) IS NOT NULL THEN effects := effects + 1; END IF;
    IF automation.record_inbound('unsubscribe', token => token) IS NOT NULL THEN effects := effects + 1; END IF;
  END LOOP;
  SELECT count(*) INTO recorded FROM automation.inbound WHERE delivery BETWEEN 910001 AND 910123;
  SELECT count(*) INTO suppressed FROM automation.suppression;
  RETURN NEXT;
END $$;
CREATE VIEW token AS SELECT automation.delivery_token(910012) AS u, automation.delivery_token(910012, 'return') AS v, automation.delivery_token(910123) AS other;

-- Each bit of each byte turned, each byte left out, one more everywhere
SELECT a.* FROM token, attempts((SELECT array_agg(overlay(t.x PLACING chr(ascii(substr(t.x, i, 1)) # (1 << b)) FROM i)) FROM (VALUES (u), (v)) t (x),
  generate_series(1, length(t.x)) i, generate_series(0, 6) b WHERE ascii(substr(t.x, i, 1)) # (1 << b) > 0
  AND lower(overlay(t.x PLACING chr(ascii(substr(t.x, i, 1)) # (1 << b)) FROM i)) <> t.x)) a;
SELECT a.* FROM token, attempts((SELECT array_agg(left(t.x, i - 1) || substr(t.x, i + 1)) FROM (VALUES (u), (v)) t (x), generate_series(1, length(t.x)) i)) a;
SELECT a.* FROM token, attempts((SELECT array_agg(left(t.x, i) || c || substr(t.x, i + 1)) FROM (VALUES (u), (v)) t (x),
  generate_series(0, length(t.x)) i, unnest(ARRAY['0', '-', 'a', ' ', '%', E'\t']) c)) a;
-- Cut short at each length, twice, empty, of another message, of another purpose, fields shifted
SELECT a.* FROM token, attempts((SELECT array_agg(left(u, i)) FROM generate_series(0, length(u) - 1) i)) a;
SELECT a.* FROM token, attempts(ARRAY[u || u, u || '-', '-' || u, u || v, repeat(u, 100)]) a;
SELECT a.* FROM token, LATERAL (SELECT split_part(u, '-', 1) AS key, split_part(u, '-', 2) AS message, split_part(u, '-', 3) AS mac, split_part(v, '-', 3) AS vmac,
  split_part(other, '-', 2) AS omessage, split_part(other, '-', 3) AS omac) f,
  attempts(ARRAY[key || '-' || omessage || '-' || mac, key || '-' || message || '-' || omac, key || '-' || message || '-' || vmac, 'v' || substr(key, 2) || '-' || message || '-' || mac,
    key || '-0' || message || '-' || mac, key || '--' || message || '-' || mac, key || '-+' || message || '-' || mac, key || '-' || left(message, -1) || '-' || right(message, 1) || mac,
    key || '0-' || message || '-' || mac, 'u-' || message || '-' || mac, 'u0-' || message || '-' || mac, 'u7fffffff-' || message || '-' || mac,
    key || right(message, 1) || '-' || left(message, -1) || '-' || mac, key || '-' || message || '-', key || '-' || message, key || '-ffffffffffffffff-' || mac,
    key || '-ffffffffffffffffffffffffffff-' || mac, key || '--1-' || mac, 'x' || substr(u, 2), mac, '910012', '', repeat('0', 1000000)]) a;
-- 20,000 guesses
SELECT a.* FROM token, attempts((SELECT array_agg(left(u, -32) || md5(i::text)) FROM generate_series(1, 20000) i)) a;
SELECT automation.unsubscribe(NULL);
SELECT automation.unsubscribe(convert_from('\xc3bc', 'UTF8'));

-- The uid is signed: the number given again after a restore is another message
UPDATE automation.outgoing SET uid = 'msg_' || md5('another') WHERE id = 910123;
CREATE TABLE old AS SELECT other FROM token;
UPDATE automation.outgoing SET uid = 'msg_' || md5('tokens123') WHERE id = 910123;
SELECT a.* FROM old, attempts(ARRAY[other]) a;
DROP TABLE old;

-- A new key signs, an old one verifies and never signs again; a deleted one does neither
CREATE TABLE old AS SELECT * FROM token;
SELECT automation.rotate_token_key() > 0 AS rotated;
SELECT old.u <> token.u AS signs, split_part(old.u, '-', 1) <> split_part(token.u, '-', 1) AS another_key FROM old, token;
SELECT automation.unsubscribe(old.u) AS old, automation.unsubscribe(token.u) AS new FROM old, token;
SELECT a.effects FROM old, token, attempts(ARRAY[split_part(token.u, '-', 1) || substr(old.u, length(split_part(old.u, '-', 1)) + 1),
  split_part(old.u, '-', 1) || substr(token.u, length(split_part(token.u, '-', 1)) + 1)]) a;
SELECT count(*) >= 2 AS keys, min(length(key)) AS bytes FROM automation.token_key;
BEGIN;
DELETE FROM automation.token_key k USING old WHERE k.id = ('x' || lpad(substr(split_part(old.u, '-', 1), 2), 8, '0'))::bit(32)::int;
SELECT automation.unsubscribe(old.u) AS old, automation.unsubscribe(token.u) AS new FROM old, token;
ROLLBACK;
SELECT automation.unsuppress('p12@y.example', for_owner => 'app');
DELETE FROM automation.inbound WHERE delivery = 910012;

-- Forged reports: a rival may report, but knows no token and no id; an address proves nothing
\c - tokens_rival
SELECT automation.record_inbound('hard_bounce', address => 'p1@y.example') AS address, automation.record_inbound('hard_bounce', provider_id => '910001') AS number,
       automation.record_inbound('hard_bounce', refs => 'p1@y.example') AS refs, automation.record_inbound('complaint', address => 'p1@y.example') AS complaint,
       automation.record_inbound('unsubscribe', address => 'p1@y.example') AS unsubscribe, automation.record_inbound('hard_bounce', provider_id => 'msg_%') AS pattern,
       automation.record_inbound('hard_bounce', provider_id => $$tok-1' OR 'x' = 'x$$) AS sql;
-- a reply by the address alone is a guess: recorded, no effect
SELECT automation.record_inbound('reply', address => 'p2@y.example', headers => '{"X-Complaint": "hard_bounce"}') > 0 AS guess;
SELECT count(*) FROM automation.inbound;
SELECT automation.delivery_token(910001);
SELECT automation.forget_address('p1@y.example');
SELECT automation.suppress('p1@y.example', for_owner => 'app');
INSERT INTO automation.token_key VALUES (1, '\x00', now());
UPDATE automation.suppression SET owner = NULL;
UPDATE automation.suppressions SET owner = NULL;
DELETE FROM automation.inbound;
UPDATE automation.inbound SET owner = 'tokens_rival';
\c - postgres
SELECT matched, kind FROM automation.inbound WHERE delivery BETWEEN 910001 AND 910123;
SELECT count(*) FROM automation.suppression;
SELECT count(*) FROM automation.outgoing WHERE id BETWEEN 910001 AND 910123 AND address LIKE 'p%@y.example';

DELETE FROM automation.inbound WHERE delivery BETWEEN 910001 AND 910123;
DELETE FROM automation.outgoing WHERE id BETWEEN 910001 AND 910123;
SET client_min_messages = warning;
DROP VIEW token;
DROP TABLE old;
DROP FUNCTION attempts(text[]);
DROP SCHEMA tokens CASCADE;
DROP OWNED BY tokens_rival;
DROP ROLE tokens_rival;
