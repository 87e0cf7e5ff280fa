-- Whom not to write to: what counts as the same address, whose messages, which class and
-- list; caps of recipients, families and months; erasure.
CREATE SCHEMA suppression AUTHORIZATION app;
CREATE ROLE supp_other LOGIN;
CREATE ROLE supp_team;
GRANT supp_team TO app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
CREATE SERVER supp_mail TYPE 'smtp' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'smtp://127.0.0.1:2525', "from" '@shop.example', unsubscribe_url 'https://shop.example/u?token=', postal_address 'Street 1, Town', recipient_rate '3/day');
CREATE SERVER supp_capped TYPE 'smtp' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'smtp://127.0.0.1:2526', "from" '@shop.example', unsubscribe_url 'https://shop.example/u?token=', postal_address 'Street 1, Town', recipients '2', monthly_cap '3', recipient_rate '0');
CREATE SERVER supp_plain TYPE 'smtp' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'smtp://127.0.0.1:2527', "from" '@shop.example', unsubscribe_url 'https://shop.example/u?token=', postal_address 'Street 1, Town', class 'transactional');
GRANT USAGE ON FOREIGN SERVER supp_mail, supp_capped, supp_plain TO app;
\c - app
SET search_path = suppression; SET timezone = 'UTC';

-- The same address
CREATE FUNCTION same(a text, b text, channel text DEFAULT 'mail') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  answer text;
BEGIN
  PERFORM automation.suppress(a, channel, reason => 'same');
  answer := coalesce(automation.suppressed(b, channel), 'another');
  PERFORM automation.unsuppress(a, channel);
  RETURN answer;
END $$;
SELECT same('ann@shop.example', 'Ann@SHOP.Example') AS "case", same('ann@shop.example.', 'ann@shop.example') AS dot,
       same(' ann@shop.example ', 'ann@shop.example') AS blanks, same('ann@shop.example', 'bob@shop.example') AS somebody,
       same('ann@shop.example', 'ann@shop.examples') AS domain, same('ann@shop.example', 'ann+x@shop.example') AS tag;
SELECT same(convert_from('\x616e6e4062c3bc636865722e6578616d706c65', 'UTF8'), 'ann@xn--bcher-kva.example') AS idna,
       same('ann@XN--BCHER-KVA.example', convert_from('\x416e6e4042c39c434845522e4578616d706c652e', 'UTF8')) AS idna_upper;
SELECT same('+49 (151) 23-45', '0049151.2345', 'sms') AS number, same('+49151', '49151', 'sms') AS plus,
       same('+49151', '49152', 'sms') AS another, same('U123', 'U123', 'slack') AS id, same('U123', 'u123', 'slack') AS id_case;
SELECT same('ann@shop.example', 'ann@shop.example', 'mail'), same('4915', '4915', 'sms');

-- What is no address, class, channel or right
SELECT automation.suppress('a@x.example, b@x.example');
SELECT automation.suppress('Ann <ann@x.example>');
SELECT automation.suppress('"a@b"@x.example');
SELECT automation.suppress(E'a@x.example\r\nRCPT TO:<b@x.example>');
SELECT automation.suppress('a@localhost');
SELECT automation.suppress('a@10.0.0.1');
SELECT automation.suppress(repeat('a', 65) || '@x.example');
SELECT automation.suppress('a@' || repeat(repeat('b', 63) || '.', 4) || 'example');
SELECT automation.suppress('nobody', 'sms');
SELECT automation.suppress('');
SELECT automation.suppress(NULL);
SELECT automation.suppress('ann@shop.example', class => 'news');
SELECT automation.suppress('ann@shop.example', channel => '');
SELECT automation.suppress('mail', 'ann@shop.example');
SELECT automation.suppress('ann@shop.example', for_owner => 'supp_other');
SELECT automation.suppress('ann@shop.example', for_owner => NULL);
SELECT automation.unsuppress('ann@shop.example', for_owner => NULL);
SELECT automation.suppressed('ann@shop.example', for_owner => 'supp_other') IS NULL AS not_his;

-- Once; for a role that one is a member of; by class and list
SELECT automation.suppress('ann@shop.example', reason => 'asked to'), automation.suppress('ANN@shop.example', reason => 'again');
SELECT automation.suppress('team@shop.example', for_owner => 'supp_team');
SELECT automation.suppressed('team@shop.example') AS mine, automation.suppressed('team@shop.example', for_owner => 'supp_team') AS of_the_team;
SELECT automation.suppressed('ann@shop.example') AS marketing, automation.suppressed('ann@shop.example', class => 'transactional') AS transactional,
       automation.suppressed('ann@shop.example', class => 'internal') AS internal, automation.suppressed('ann@shop.example', 'sms') AS sms;
SELECT automation.suppress('cid@shop.example', class => NULL, reason => 'hard'), automation.suppress('dee@shop.example', list => 'news', reason => 'topic');
SELECT automation.suppressed('cid@shop.example') AS marketing, automation.suppressed('cid@shop.example', class => 'transactional') AS transactional;
SELECT automation.suppressed('dee@shop.example') AS no_list, automation.suppressed('dee@shop.example', list => 'news') AS the_list,
       automation.suppressed('dee@shop.example', list => 'offers') AS another_list;
SELECT owner, channel, left(address_hash, 12) AS hash, class, list, reason FROM automation.suppressions ORDER BY reason, hash;
SELECT left(encode(sha256('ann@shop.example'), 'hex'), 12) AS ann;
SELECT automation.unsuppress('cid@shop.example'), automation.unsuppress('cid@shop.example', class => NULL), automation.unsuppress('cid@shop.example', class => NULL);
SELECT automation.unsuppress('dee@shop.example'), automation.unsuppress('dee@shop.example', list => 'news');

-- Others see none of it, and nobody the tables
\c - supp_other
SELECT count(*) FROM automation.suppressions;
SELECT automation.suppressed('ann@shop.example', for_owner => 'app') IS NULL AS hidden;
SELECT FROM automation.suppression;
SELECT FROM automation.token_key;
SELECT FROM automation.sent_once;
SELECT automation.rotate_token_key();
SELECT automation.suppress('ann@shop.example', for_owner => 'app');

-- Everybody's
\c - postgres
SELECT automation.suppress('everybody@shop.example', for_owner => NULL, reason => 'of all');
SELECT automation.suppressed('everybody@shop.example', for_owner => 'app'), automation.suppressed('everybody@shop.example', for_owner => 'supp_other');
SELECT automation.unsuppress('everybody@shop.example', for_owner => NULL);

-- SEND. Nobody delivers: what became of a message is what is settled by hand.
\c - app
SET search_path = suppression; SET timezone = 'UTC';
CREATE TABLE contact (id int PRIMARY KEY, email text, what text DEFAULT 'marketing', list text);
CREATE VIEW sent AS SELECT o.address, o.class, o.state, o.reason FROM automation.deliveries o WHERE o.server LIKE 'supp\_%' ORDER BY o.id;
CREATE FUNCTION writes(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SEND automation.mail(c, 'Hello', 'Text', sender => 'news@shop.example', server => 'supp_mail', class => c.what, list => c.list);
END $$;
INSERT INTO contact (id, email) VALUES (1, 'Ann@Shop.Example'), (3, 'bea@shop.example'), (4, NULL);
INSERT INTO contact VALUES (2, 'ann@shop.example', 'transactional');
CALL automation.run();
SELECT * FROM sent;
-- one that waits is shown as cancelled at once
SELECT automation.suppress('BEA@shop.example', reason => 'left');
SELECT * FROM sent WHERE address = 'bea@shop.example';
SELECT automation.unsuppress('bea@shop.example');
SELECT * FROM sent WHERE address = 'bea@shop.example';
-- three a day, each case counts as the same; ten times that for what people wait for; then again tomorrow
INSERT INTO contact SELECT 100 + i, CASE i % 2 WHEN 0 THEN 'Cap@' ELSE 'cap@' END || 'shop.example' FROM generate_series(1, 5) i;
INSERT INTO contact SELECT 200 + i, 'cap@shop.example', 'transactional' FROM generate_series(1, 32) i;
INSERT INTO contact SELECT 300 + i, 'cap@shop.example', 'internal' FROM generate_series(1, 32) i;
CALL automation.run();
SELECT class, state, reason, count(*) FROM sent WHERE address = 'cap@shop.example' GROUP BY 1, 2, 3 ORDER BY 1, 2;
CALL automation.advance('25 hours');
INSERT INTO contact SELECT 400 + i, 'cap@shop.example' FROM generate_series(1, 5) i;
CALL automation.run();
SELECT class, state, reason, count(*) FROM sent WHERE address = 'cap@shop.example' AND class = 'marketing' GROUP BY 1, 2, 3 ORDER BY 1, 2;
DROP FUNCTION writes(contact);

-- A flood, one message each: 5,000 rows for a victim
CREATE TABLE flood (id int PRIMARY KEY, email text);
CREATE FUNCTION floods(f flood) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SEND automation.mail(f.email, 'Hello', 'Text', sender => 'news@shop.example', server => 'supp_mail', class => 'transactional');
END $$;
INSERT INTO flood SELECT i, 'victim@shop.example' FROM generate_series(1, 5000) i;
CALL automation.run();
SELECT state, reason, count(*) FROM sent WHERE address = 'victim@shop.example' GROUP BY 1, 2 ORDER BY 1;

-- A SEND of many rows; a month
CREATE TABLE blast (id int PRIMARY KEY);
CREATE FUNCTION blasts(b blast) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SEND automation.mail('r' || i || '@month.example', 'Hello', 'Text', sender => 'news@shop.example', server => 'supp_capped') FROM generate_series(10 * b.id, 10 * b.id + 3) i;
END $$;
INSERT INTO blast VALUES (1);
CALL automation.run();
INSERT INTO blast VALUES (2), (3);
CALL automation.run();
SELECT * FROM sent WHERE address LIKE '%@month.example';
CALL automation.advance('31 days');
INSERT INTO blast VALUES (4);
CALL automation.run();
SELECT * FROM sent WHERE address LIKE 'r4%@month.example';

-- Once of a family; who was cancelled before it left gets it later
CREATE TABLE reader (id int PRIMARY KEY, email text, family text);
CREATE FUNCTION reads(r reader) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SEND automation.mail(r.email, 'Hello', 'Text', sender => 'news@shop.example', server => 'supp_mail', once => true, family => r.family);
  WAIT FOR '1 day';
END $$;
INSERT INTO reader VALUES (1, 'one@once.example', 'welcome'), (2, 'ONE@once.example', 'welcome'), (3, 'one@once.example', 'thanks'), (4, 'two@once.example', 'welcome');
CALL automation.run();
SELECT * FROM sent WHERE address LIKE '%@once.example';
SELECT automation.unenroll('reads', r) FROM reader r WHERE id = 4;
CALL automation.run();
INSERT INTO reader VALUES (5, 'two@once.example', 'welcome'), (6, 'two@once.example', 'welcome');
CALL automation.run();
SELECT * FROM sent WHERE address LIKE 'two@once.example';

-- A class that the server does not send
CREATE TABLE launder (id int PRIMARY KEY, class text);
CREATE FUNCTION launders(l launder) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SEND automation.mail('ann@shop.example', 'Hello', 'Text', sender => 'news@shop.example', server => 'supp_plain', class => l.class);
END $$;
INSERT INTO launder VALUES (1, 'marketing'), (2, 'internal'), (3, 'transactional'), (4, 'news');
CALL automation.run();
SELECT entry_key, state, error FROM automation.enrollments WHERE workflow = 'launders' ORDER BY entry_key;
SELECT class, state FROM automation.deliveries WHERE server = 'supp_plain';

-- Erasure cancels what has not left
SELECT automation.forget_address('One@once.example') AS erased;
SELECT automation.suppressed('one@once.example') IS NULL AS not_suppressed, count(*) AS left FROM sent WHERE address = 'one@once.example';

SET client_min_messages = warning;
DROP SCHEMA suppression CASCADE;
\c - postgres
SET client_min_messages = warning;
DROP SERVER supp_mail, supp_capped, supp_plain CASCADE;
DELETE FROM automation.suppression;
DROP OWNED BY supp_team, supp_other;
DROP ROLE supp_team, supp_other;
