-- Whom not to write to: what counts as the same address, whose messages, which class and
-- list; caps of recipients, families and months; erasure.
CREATE SCHEMA suppression AUTHORIZATION app;
CREATE ROLE supp_other LOGIN;
CREATE ROLE supp_team;
GRANT supp_team TO app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
CREATE SERVER supp_mail TYPE 'smtp' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'smtp://127.0.0.1:2525', "from" '@shop.example', recipient_rate '3/day');
CREATE SERVER supp_capped TYPE 'smtp' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'smtp://127.0.0.1:2526', "from" '@shop.example', recipients '2', monthly_cap '3', recipient_rate '0');
CREATE SERVER supp_plain TYPE 'smtp' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'smtp://127.0.0.1:2527', "from" '@shop.example', class 'transactional');
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
