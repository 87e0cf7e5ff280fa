-- Foreign servers: options and their errors, credentials, addresses, which server a
-- message goes to.

CREATE ROLE server_owner LOGIN;
CREATE ROLE server_user LOGIN;
CREATE ROLE server_stranger LOGIN;
\set VERBOSITY default

-- 1. Nobody may create a server until it is granted
SET SESSION AUTHORIZATION server_owner;
CREATE SERVER crm FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com');
RESET SESSION AUTHORIZATION;
SELECT fdwacl IS NULL AS nothing_granted, fdwhandler, fdwvalidator::regproc FROM pg_foreign_data_wrapper WHERE fdwname = 'automation';
GRANT USAGE ON FOREIGN DATA WRAPPER automation TO server_owner;

-- 2. Options: what is missing, unknown, mistyped, in the wrong place
CREATE SERVER crm FOREIGN DATA WRAPPER automation;
CREATE SERVER crm FOREIGN DATA WRAPPER automation OPTIONS (ulr 'https://hooks.example.com');
CREATE SERVER crm FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com', something_else 'x');
CREATE SERVER crm FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com', bearer 'canary');
CREATE SERVER crm FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com', rate '10', rate '11');
CREATE SERVER crm TYPE 'smtp' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com');
CREATE SERVER crm TYPE 'webhook' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com');
CREATE SERVER crm FOREIGN DATA WRAPPER automation OPTIONS (url 'smtp://mail.example.com:587', http_version '2');
CREATE SERVER crm FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com', client_cert '/etc/cert.pem');
ALTER FOREIGN DATA WRAPPER automation OPTIONS (rate '10');

-- values: each once, with what it should have been; the value is not repeated
CREATE FUNCTION try_option(name text, value text, url text DEFAULT 'https://hooks.example.com') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  hint text;
BEGIN
  EXECUTE format('CREATE SERVER tried FOREIGN DATA WRAPPER automation OPTIONS (url %L, %I %L)', url, name, value);
  DROP SERVER tried;
  RETURN 'taken';
EXCEPTION WHEN invalid_parameter_value THEN
  GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
  RETURN SQLERRM || ': ' || hint;
END $$;
SELECT name, value, try_option(name, value) FROM (VALUES
  ('rate', '10'), ('rate', ' 600 / min '), ('rate', '0.5'), ('rate', '0'), ('rate', '-1'), ('rate', 'ten'), ('rate', '10/fortnight'),
  ('rate', '1e9'), ('rate', 'inf'), ('rate', '10/0 min'), ('rate', ''),
  ('burst', '1'), ('burst', '0'), ('burst', '1.5'),
  ('concurrency', '1000'), ('concurrency', '1001'), ('concurrency', '0x10'),
  ('timeout', '1 min 30 s'), ('timeout', '30'), ('timeout', '11 min'), ('timeout', '0s'), ('timeout', '-5s'), ('timeout', '00:00:30'),
  ('connect_timeout', '500ms'), ('connect_timeout', 'soon'),
  ('schedule', '5s, 5min, 2 hours'), ('schedule', 'none'), ('schedule', ''), ('schedule', '5s,,5s'), ('schedule', '5s, 31 days'),
  ('recipient_rate', '3/day'), ('recipient_rate', '1/12h'), ('recipient_rate', '2/7 days'), ('recipient_rate', '0'), ('recipient_rate', '1.5/day'),
  ('monthly_cap', '10000'), ('monthly_cap', '-1'), ('recipients', '500'), ('recipients', 'all'),
  ('expires', '2 days'), ('expires', 'never'), ('expires', 'tomorrow'),
  ('answer_limit', '64kB'), ('answer_limit', '1MB'), ('answer_limit', '2MB'), ('answer_limit', '10 bytes'),
  ('class', 'transactional, marketing'), ('class', 'spam'),
  ('from', 'news@example.com, @example.com'), ('from', '+4915112345678'), ('from', 'News <news@example.com>'), ('from', 'a@b@c'),
  ('retry_4xx', 'on'), ('retry_4xx', 'maybe'), ('http_version', '2'), ('http_version', '3'),
  ('unsubscribe_url', 'https://example.com/u?token='), ('unsubscribe_url', 'mailto:u@example.com'),
  ('unsubscribe_mail', 'u@example.com'), ('unsubscribe_mail', 'u'), ('bounce', 'bounce@example.com'), ('bounce', E'b@x\nRCPT'),
  ('postal_address', E'Example Ltd\n1 Road'), ('postal_address', E'x\ry'),
  ('allow_private', 'on'), ('allow_private', 'for me'), ('verify', 'off'), ('ca_file', '/etc/ca.pem'), ('ca_file', 'ca.pem'),
  ('ports', '8443, 9443'), ('ports', '0'), ('ports', '')) v(name, value);
SELECT url, try_option('rate', '1', url) FROM (VALUES ('https://hooks.example.com/crm/'), ('HTTP://Hooks.Example.Com.:8080'), ('smtp://mail.example.com:587'),
  ('smtps://mail.example.com'), ('ftp://example.com'), ('hooks.example.com'), ('https://user:canary@example.com'),
  ('https://example.com/?canary'), ('https://example.com/#canary'), ('https://example.com:0'), ('')) v(url);

-- 3. Servers, and what an option is
CREATE SERVER crm TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://Hooks.Example.com:443/', rate '600/min', class 'internal');
CREATE SERVER mail TYPE 'smtp' FOREIGN DATA WRAPPER automation OPTIONS (url 'smtp://mail.example.com:587', "from" 'news@example.com', allow_private 'on');
\des+ crm|mail
SELECT name, automation.server_option('crm', name) FROM unnest('{url,rate,burst,concurrency,timeout,connect_timeout,schedule,recipient_rate,
  monthly_cap,recipients,expires,answer_limit,class,from,retry_4xx,http_version,unsubscribe_url,allow_private,verify,secret_file}'::text[]) name;
SELECT automation.server_option('mail', 'from'), automation.server_option(NULL, 'from') IS NULL AS strict;
SELECT automation.server_option('crm', 'rat');
SELECT automation.server_option('crm', 'password');
SELECT automation.server_option('nowhere', 'rate');
CREATE FOREIGN DATA WRAPPER another;
CREATE SERVER other FOREIGN DATA WRAPPER another OPTIONS (url 'https://hooks.example.com');
SELECT automation.server_option('other', 'url');
DROP FOREIGN DATA WRAPPER another CASCADE;
SET SESSION AUTHORIZATION server_stranger;
SELECT automation.server_option('crm', 'rate');
SELECT automation.server_option('mail', 'allow_private');
SELECT automation.server_for('server_stranger', 'https://hooks.example.com/');
RESET SESSION AUTHORIZATION;
CREATE FOREIGN TABLE rows_of_crm (id int) SERVER crm;
ALTER SERVER crm OPTIONS (SET url 'smtp://mail.example.com');
ALTER SERVER crm OPTIONS (DROP url);
ALTER SERVER crm OPTIONS (SET rate '5', ADD burst '20');
SELECT automation.server_option('crm', 'rate'), automation.server_option('crm', 'burst');

-- 4. Credentials: their form, and who is told that somebody reads them
GRANT USAGE ON FOREIGN SERVER crm TO server_user;
CREATE USER MAPPING FOR PUBLIC SERVER crm OPTIONS (secret 'canary');
CREATE USER MAPPING FOR PUBLIC SERVER crm OPTIONS (header 'Host: canary.example.com');
CREATE USER MAPPING FOR PUBLIC SERVER crm OPTIONS (header 'webhook-id: canary');
CREATE USER MAPPING FOR PUBLIC SERVER crm OPTIONS (header E'X-A: 1\rX-B: canary');
CREATE USER MAPPING FOR PUBLIC SERVER crm OPTIONS (header E'X-A: 1\nno header');
CREATE USER MAPPING FOR PUBLIC SERVER crm OPTIONS ("user" 'a:b', password 'canary');
CREATE USER MAPPING FOR PUBLIC SERVER crm OPTIONS (bearer 'two words');
CREATE USER MAPPING FOR PUBLIC SERVER crm OPTIONS (password 'canary');
CREATE USER MAPPING FOR PUBLIC SERVER crm OPTIONS ("user" 'a', password 'b', bearer 'canary');
CREATE USER MAPPING FOR PUBLIC SERVER crm OPTIONS (previous_secret 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3');
CREATE USER MAPPING FOR PUBLIC SERVER crm OPTIONS (path 'no/slash');
CREATE USER MAPPING FOR PUBLIC SERVER crm OPTIONS (passwort 'canary');
CREATE USER MAPPING FOR PUBLIC SERVER crm OPTIONS (secret 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3', header E'X-Api-Key: canary\nX-Other: canary');
CREATE USER MAPPING FOR server_user SERVER crm OPTIONS (bearer 'canary');
ALTER USER MAPPING FOR server_user SERVER crm OPTIONS (SET bearer 'canary2');
DROP USER MAPPING FOR server_user SERVER crm;
CREATE SERVER plain FOREIGN DATA WRAPPER automation OPTIONS (url 'http://plain.example.com');
CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (bearer 'canary');
CREATE SERVER slack FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.slack.com/services/T0/B0/canary');
CREATE SERVER long FOREIGN DATA WRAPPER automation OPTIONS (url 'https://api.example.com/in/0a1b2c3d4e5f60718293a4b5');
CREATE SERVER file FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com', secret_file '/nonexistent/secret');
-- in a restore nobody is to be warned
SET check_function_bodies = off;
CREATE USER MAPPING FOR server_user SERVER crm OPTIONS (bearer 'canary');
ALTER SERVER slack OPTIONS (ADD rate '1');
RESET check_function_bodies;
DROP SERVER plain, slack, long, file CASCADE;

-- 5. Which server: the closest url of those of superusers and the role's own
CREATE SERVER crm_contacts FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com/crm/contacts');
CREATE SERVER crm_all FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com/crm', ports '8443');
GRANT USAGE ON FOREIGN SERVER crm_all, crm_contacts TO server_user;
SELECT url, f.* FROM unnest(ARRAY['https://hooks.example.com', 'https://hooks.example.com/x', 'https://hooks.example.com/crm', 'https://hooks.example.com/crmx',
  'https://hooks.example.com/crm?a=b', 'https://hooks.example.com/crm/contacts/1', 'https://hooks.example.com:8443/crm/contacts/1',
  'https://hooks.example.com:8443/', 'http://hooks.example.com/', 'https://example.com/', 'smtp://mail.example.com:587', '/crm', 'no address']) url,
  automation.server_for('server_user', url) f;
REVOKE USAGE ON FOREIGN SERVER crm_contacts FROM server_user;
SELECT server FROM automation.server_for('server_user', 'https://hooks.example.com/crm/contacts/1');
SELECT server FROM automation.server_for('server_stranger', 'https://hooks.example.com/crm/contacts/1');
SET SESSION AUTHORIZATION server_owner;
CREATE SERVER own FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com/crm');
RESET SESSION AUTHORIZATION;
GRANT USAGE ON FOREIGN SERVER crm_all TO server_owner;
-- of two with the same url the role's own
SELECT server FROM automation.server_for('server_owner', 'https://hooks.example.com/crm/contacts/1');
ALTER SERVER crm_all RENAME TO crm_renamed;
SELECT server FROM automation.server_for('server_user', 'https://hooks.example.com/crm/contacts/1');

-- 6. The default server of mails is a setting of each role's own
SHOW automation.mail_server;
SET automation.mail_server = 'mail';
RESET automation.mail_server;

-- 7. CREATE FUNCTION says what a SEND would not find; what is known at run time only, it does not
\set VERBOSITY default
CREATE SCHEMA servers AUTHORIZATION server_user;
GRANT USAGE ON LANGUAGE workflow TO server_user;
SET SESSION AUTHORIZATION server_user;
SET search_path = servers;
CREATE TABLE visitor (id int PRIMARY KEY, name text);
-- creates the function, shows what is said about it, and drops it
CREATE PROCEDURE define(send text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE FUNCTION hello(v visitor) RETURNS bigint LANGUAGE workflow AS %L', 'AFTER INSERT; BEGIN ' || send || '; END');
  DROP FUNCTION hello(visitor);
EXCEPTION WHEN feature_not_supported THEN
  NULL;
END $$;
CALL define($$SEND webhook('https://hooks.example.com/x', v)$$);
CALL define($$SEND webhook('https://elsewhere.example.com/x?canary', v)$$);
CALL define($$SEND webhook('https://user:canary@hooks.example.com/x', v)$$);
CALL define($$SEND webhook('https://hooks.slack.com/services/T0/B0/canary', v)$$);
CALL define($$SEND webhook('/x', v, server => 'crm')$$);
CALL define($$SEND webhook('/x', v, server => 'crm_contacts')$$);
CALL define($$SEND webhook('/x', v, server => 'nowhere')$$);
CALL define($$SEND webhook(data => v, server => 'crm', url => 'https://elsewhere.example.com')$$);
CALL define($$SEND http_request('GET', 'https://elsewhere.example.com/', server => v.name)$$);
CALL define($$SEND webhook('https://elsewhere.example.com/' || v.name, v)$$);
-- the default of the argument counts
CALL define($$SEND slack('#channel', 'hello')$$);
RESET SESSION AUTHORIZATION;
REVOKE USAGE ON FOREIGN SERVER crm, crm_renamed FROM server_user;
SET SESSION AUTHORIZATION server_user;
CALL define($$SEND webhook('https://hooks.example.com/x', v)$$);
-- it is said once in a session
CALL define($$SEND webhook('https://hooks.example.com/x', v)$$);
RESET SESSION AUTHORIZATION;
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA servers CASCADE;
REVOKE USAGE ON LANGUAGE workflow FROM server_user;
RESET client_min_messages;

DROP SERVER crm, crm_renamed, crm_contacts, mail, own CASCADE;
DROP FUNCTION try_option;
REVOKE USAGE ON FOREIGN DATA WRAPPER automation FROM server_owner;
DROP ROLE server_owner, server_user, server_stranger;
