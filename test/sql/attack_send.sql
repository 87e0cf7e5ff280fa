-- What could be made of SEND: headers of somebody else's, second recipients, servers that
-- are not one's own. The constructors are no boundary: everything here is a ROW by hand.
CREATE SCHEMA attack_send AUTHORIZATION app;
CREATE SERVER attack_hooks TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://attack.send.example/in');
CREATE SERVER attack_bank TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://bank.send.example');
CREATE SERVER attack_mail TYPE 'smtp' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'smtp://mail.send.example', "from" 'news@send.example', class 'marketing', unsubscribe_mail 'bye@send.example');
GRANT USAGE ON FOREIGN SERVER attack_hooks, attack_mail TO app;
\c - app
SET search_path = attack_send; SET client_min_messages = error;
\pset format unaligned
\pset tuples_only on

CREATE TABLE try (id int PRIMARY KEY, what text, message automation.message);
CREATE FUNCTION tries(t try) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SEND t.message;
END $$;
CREATE FUNCTION http(target text DEFAULT '/x', headers text DEFAULT NULL, options text DEFAULT NULL, server text DEFAULT 'attack_hooks',
                     body text DEFAULT '{}') RETURNS automation.message LANGUAGE sql AS $$
  SELECT ROW('http', server, target, NULL, body, headers, options)::automation.message $$;
CREATE FUNCTION mail(target text DEFAULT 'ann@send.example', subject text DEFAULT 'Hello', options text DEFAULT NULL, headers text DEFAULT NULL,
                     body text DEFAULT 'text') RETURNS automation.message LANGUAGE sql AS $$
  SELECT ROW('mail', 'attack_mail', target, subject, body, headers, options)::automation.message $$;

INSERT INTO try (id, what, message) SELECT row_number() OVER (), * FROM (VALUES
  -- headers
  ('CR LF in a value', http(headers => '{"X-A": "a\r\nHost: evil"}')),
  ('LF in a value', http(headers => '{"X-A": "a\nb"}')),
  ('CR in a value', http(headers => '{"X-A": "a\rb"}')),
  ('tab in a value', http(headers => '{"X-A": "a\tb"}')),
  ('DEL in a value', http(headers => '{"X-A": "a\u007fb"}')),
  ('8-bit in a value', http(headers => '{"X-A": "äb"}')),
  ('CR LF in a name', http(headers => '{"X-A\r\nHost": "evil"}')),
  ('colon in a name', http(headers => '{"X-A: b": "evil"}')),
  ('space in a name', http(headers => '{"X A": "evil"}')),
  ('8-bit in a name', http(headers => '{"X-Ä": "evil"}')),
  ('empty name', http(headers => '{"": "evil"}')),
  ('Host', http(headers => '{"hOst": "evil"}')),
  ('Content-Length', http(headers => '{"Content-Length": "0"}')),
  ('Transfer-Encoding', http(headers => '{"transfer-encoding": "chunked"}')),
  ('Connection', http(headers => '{"Connection": "close"}')),
  ('Expect', http(headers => '{"Expect": "100-continue"}')),
  ('Proxy-Authorization', http(headers => '{"Proxy-Authorization": "Basic eDp5"}')),
  ('webhook-id', http(headers => '{"Webhook-Id": "msg_1"}')),
  ('webhook-signature', http(headers => '{"webhook-signature": "v1,x"}')),
  ('value is no string', http(headers => '{"X-A": {"b": "c"}}')),
  ('headers are no object', http(headers => '["X-A: b"]')),
  ('101 headers', http(headers => (SELECT jsonb_object_agg('h' || i, 'x')::text FROM generate_series(1, 101) i))),
  ('100 kB of headers', http(headers => jsonb_build_object('h', repeat('x', 100000))::text)),
  -- method, type
  ('CONNECT', http(options => '{"method": "CONNECT"}')),
  ('method with CR LF', http(options => '{"method": "GET / HTTP/1.1\r\nX: "}')),
  ('method in lower case', http(options => '{"method": "get"}', body => NULL)),
  ('method is a list', http(options => '{"method": ["GET"]}')),
  ('GET with a body', http(options => '{"method": "GET"}')),
  ('content type with LF', http(options => '{"content_type": "text/plain\nX: y"}')),
  ('no content type', http(options => '{"content_type": "text"}')),
  -- URL
  ('LF in the URL', http(E'/x\nX: y')),
  ('space in the URL', http('/x y')),
  ('8-bit in the URL', http('/ä')),
  ('another host by //', http('//bank.send.example/x')),
  ('file', http('file:///etc/passwd')),
  ('gopher', http('gopher://attack.send.example/x')),
  ('no URL', http(NULL)),
  ('path without server', http('/x', server => NULL)),
  ('long URL', http('/' || repeat('x', 9000))),
  ('above the server''s URL', http('https://attack.send.example/other')),
  ('out by ..', http('https://attack.send.example/in/../out')),
  ('another host', http('https://bank.send.example/x')),
  ('another port', http('https://attack.send.example:8443/in/x')),
  ('user in the URL', http('https://attack.send.example@bank.send.example/in')),
  ('http for https', http('http://attack.send.example/in/x')),
  -- servers
  ('a server that is not his', http(server => 'attack_bank')),
  ('a URL of that server', http('https://bank.send.example/x', server => NULL)),
  ('no such server', http(server => 'nowhere')),
  ('a server of the other kind', http(server => 'attack_mail')),
  ('mail over http', ROW('mail', 'attack_hooks', 'ann@send.example', 'x', 'y', NULL, NULL)::automation.message),
  ('no kind', ROW(NULL, 'attack_hooks', '/x', NULL, NULL, NULL, NULL)::automation.message),
  ('another kind', ROW('exec', 'attack_hooks', '/x', NULL, NULL, NULL, NULL)::automation.message),
  -- sizes, options
  ('big body', http(body => repeat('x', 1024 * 1024 + 1))),
  ('options are no object', http(options => '"x"')),
  ('another class', http(options => '{"class": "urgent"}')),
  ('expires never', http(options => '{"expires": "-1 hour"}')),
  ('expires is no interval', http(options => '{"expires": "soon"}')),
  ('long key', http(options => jsonb_build_object('ordering_key', repeat('x', 1000))::text)),
  ('channel with a space', http(options => '{"channel": "s m s"}')),
  ('channel in capitals', http(options => '{"channel": "SMS"}')),
  ('channel that is a list', http(options => '{"channel": ["sms"]}')),
  ('class that is a list', http(options => '{"class": ["marketing"]}')),
  -- mail
  ('mail by another name', mail(options => '{"channel": "letter"}')),
  ('subject with CR LF', mail(subject => E'Hello\r\nBcc: bob@send.example')),
  ('subject with tab', mail(subject => E'Hello\tAnn')),
  ('bcc of marketing', mail(options => '{"bcc": ["bob@send.example"]}')),
  ('cc of two in one', mail(options => '{"class": "transactional", "cc": ["a@send.example, b@send.example"]}')),
  ('cc is no list', mail(options => '{"class": "transactional", "cc": "a@send.example"}')),
  ('from with LF', mail(options => '{"from": "news@send.example\nX: y"}')),
  ('sender of others', mail(options => '{"from": "boss@bank.example"}')),
  ('name with LF', mail(options => '{"from_name": "News\nX: y"}')),
  ('header From', mail(headers => '{"From": "boss@bank.example"}')),
  ('header Bcc', mail(headers => '{"bcc": "bob@send.example"}')),
  ('header Content-Type', mail(headers => '{"Content-Type": "text/html"}')),
  ('header with LF', mail(headers => '{"X-A": "b\nBcc: c@d.example"}')),
  ('class the server does not send', mail(options => '{"class": "transactional"}')),
  ('attachment is no base64', mail(options => '{"attachments": [{"name": "a", "content": "%%%"}]}')),
  ('attachment without name', mail(options => '{"attachments": [{"content": "YQ=="}]}')),
  ('attachment of a path', mail(options => '{"attachments": [{"name": "../a", "content": "YQ=="}]}')),
  ('attachment with LF', mail(options => '{"attachments": [{"name": "a\nb", "content": "YQ=="}]}')),
  ('type of an attachment', mail(options => '{"attachments": [{"name": "a", "content": "YQ==", "type": "a/b\r\nX: y"}]}')),
  ('inline id', mail(options => '{"attachments": [{"name": "a", "content": "YQ==", "inline": "a> <b"}]}')),
  ('no text', mail(body => NULL)),
  ('thread of words', mail(options => '{"thread": "1; x"}')),
  -- sizes of what nobody looks at
  ('options beside those there are', http(options => jsonb_build_object('other', repeat('x', 100000))::text)),
  ('subject of a request', ROW('http', 'attack_hooks', '/x', repeat('x', 1000), '{}', NULL, NULL)::automation.message)
) t (what, message);

SELECT count(tries(t)) FROM try t;
CALL automation.run();
-- Each has failed, with words that repeat no value of the message.
SELECT t.what || ': ' || regexp_replace(e.error, '^line \d+: ', '') FROM try t LEFT JOIN automation.enrollments e
  ON e.workflow = 'tries' AND e.entry_key = t.id::text ORDER BY t.id;
SELECT count(*) FROM automation.deliveries WHERE workflow = 'tries';
-- Who has no proper address is passed over, and the others are not: each row a message.
CREATE FUNCTION blast(t try) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SEND mail(a) FROM unnest(ARRAY['ann@send.example', 'ann@send.example, bob@send.example', E'ann@send.example\r\nBcc: bob@send.example',
    'Ann <ann@send.example>', 'n/a', '"a@b"@send.example', repeat('x', 1000) || '@send.example', NULL, 'cal@send.example']) WITH ORDINALITY u (a, n) ORDER BY n;
END $$;
SELECT count(blast(t)) FROM try t WHERE id = 1;
CALL automation.run();
SELECT state, reason, left(target, 40), length(target) FROM automation.deliveries WHERE workflow = 'blast' ORDER BY id;
-- The same values in the right place are no crime.
TRUNCATE try;
INSERT INTO try VALUES
  (1001, 'headers', http(headers => '{"X-A": "b, c; d=\"e\"", "Idempotency-Key": "7", "Authorization": "x"}')),
  (1002, 'PUT', http(options => '{"method": "PUT", "content_type": "text/plain; charset=utf-8"}')),
  (1003, 'GET', http(options => '{"method": "GET"}', body => NULL)),
  (1004, 'query', http('https://attack.send.example/in/x?a=b&c=%C3%A4')),
  (1005, 'mail', mail(subject => 'Grüße', options => '{"from": "news@send.example", "from_name": "Größe", "expires": "3 days", "attachments": [{"name": "a b.txt", "content": "YWJj\nZA==", "type": "text/plain"}]}',
                      headers => '{"X-Campaign": "Grüße"}'));
SELECT count(tries(t)) FROM try t;
CALL automation.run();
SELECT t.what || ': ' || d.state || ' ' || d.target FROM try t LEFT JOIN automation.deliveries d
  ON d.workflow = 'tries' AND d.subject_key = t.id::text ORDER BY t.id;

-- A server that was taken away meanwhile sends nothing any more, under no other name either.
\c - postgres
REVOKE USAGE ON FOREIGN SERVER attack_hooks FROM app;
\c - app
SET search_path = attack_send; SET client_min_messages = error;
\pset format unaligned
\pset tuples_only on
SELECT count(tries(t)) FROM try t WHERE id = 1004;
CALL automation.run();
SELECT error FROM automation.enrollments WHERE workflow = 'tries' AND entry_key = '1004';
-- The outbox is nobody's to write.
INSERT INTO automation.outgoing_due SELECT 1, 1, 1, 1, 'attack_bank', NULL, now(), 0, pg_current_xact_id();
UPDATE automation.outgoing SET server = 'attack_bank';
DELETE FROM automation.outgoing_due;
UPDATE automation.deliveries SET server = 'attack_bank';
SELECT nextval('automation.outgoing_seq');

\c - postgres
SET client_min_messages = warning;
DROP SCHEMA attack_send CASCADE;
DROP SERVER attack_hooks, attack_bank, attack_mail;
