-- Attacks on servers: credentials that shall go where they don't belong, servers put in
-- front of others, options kept by a new owner, secrets read.
CREATE ROLE srv_alice LOGIN;
CREATE ROLE srv_bob LOGIN;
CREATE ROLE srv_clerk LOGIN;
CREATE ROLE srv_monitor LOGIN IN ROLE pg_monitor;
CREATE ROLE srv_reader LOGIN IN ROLE pg_read_all_data;
GRANT USAGE ON FOREIGN DATA WRAPPER automation TO srv_bob;
\set VERBOSITY terse

-- 1. Addresses that look like the server's and are another's; and those that are it
CREATE SERVER hooks FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com/crm');
CREATE SERVER loop FOREIGN DATA WRAPPER automation OPTIONS (url 'http://127.0.0.1:8080', allow_private 'on');
CREATE SERVER six FOREIGN DATA WRAPPER automation OPTIONS (url 'http://[2001:DB8:0:0::1]:8080');
CREATE SERVER idna FOREIGN DATA WRAPPER automation OPTIONS (url 'https://xn--bcher-kva.example');
GRANT USAGE ON FOREIGN SERVER hooks, loop, six, idna TO srv_alice;
SELECT url, f.server, f.address, f.problem FROM unnest(ARRAY[
  'https://hooks.example.com/crm',
  'https://hooks.example.com/crm/',
  'https://hooks.example.com/crm/contacts?x=1&y=a%2Fb',
  'HTTPS://HOOKS.EXAMPLE.COM/crm/a',
  'https://hooks.example.com./crm/a',
  'https://hooks.example.com:443/crm/a',
  'https://hooks.example.com:/crm/a',
  'https://hooks.example.com/x/../crm/a',
  'https://hooks.example.com/crm/./a',
  'https://hooks.example.com/crm/a//b',
  'https://hooks.example.com/crm?next=https://evil.example/',
  'https://hooks.example.com/crm/@evil.example',
  'https://hooks.example.com/crm/:80@evil.example/',
  -- another host
  'https://hooks.example.com.evil.example/crm/a',
  'https://hooks.example.com@evil.example/crm/a',
  'https://hooks.example.com:443@evil.example/crm/a',
  'https://hooks.example.com%40evil.example/crm/a',
  'https://hooks.example.com%2ecrm.evil.example/crm/a',
  'https://hooks.example.com%00.evil.example/crm/a',
  'https://user:password@hooks.example.com/crm/a',
  'https://@hooks.example.com/crm/a',
  'https://hooks.example.com\.evil.example/crm/a',
  'https://evil.example\@hooks.example.com/crm/a',
  'https://evil.example#@hooks.example.com/crm/a',
  'https://evil.example?@hooks.example.com/crm/a',
  'https://evil.example/hooks.example.com/crm/a',
  'https://evilhooks.example.com/crm/a',
  'https://example.com/crm/a',
  'https://hooks.example.co/crm/a',
  'https://hooks.example.com../crm/a',
  'https://.hooks.example.com/crm/a',
  'https://hooks.example.com;.evil.example/crm/a',
  'https://hooks.example.com,evil.example/crm/a',
  'https://[hooks.example.com]/crm/a',
  'https://hooks.example.com /crm/a',
  E'https://hooks.example.com\t.evil.example/crm/a',
  E'https://hooks.example.com/crm/a\r\nHost: evil.example',
  E'https://hooks.example.com/crm/\x7f',
  ' https://hooks.example.com/crm/a',
  -- another scheme or port
  'http://hooks.example.com/crm/a',
  'http://hooks.example.com:443/crm/a',
  'https://hooks.example.com:80/crm/a',
  'https://hooks.example.com:8443/crm/a',
  'https://hooks.example.com:65979/crm/a',
  'https://hooks.example.com:0x1bb/crm/a',
  'https://hooks.example.com:-443/crm/a',
  'https:/hooks.example.com/crm/a',
  'https:///hooks.example.com/crm/a',
  'https:hooks.example.com/crm/a',
  '//hooks.example.com/crm/a',
  'hooks.example.com/crm/a',
  'file:///etc/passwd',
  'ftp://hooks.example.com/crm/a',
  'gopher://hooks.example.com/crm/a',
  'smtp://hooks.example.com/crm/a',
  'javascript:alert(1)',
  'https+unix://hooks.example.com/crm/a',
  -- out of the path
  'https://hooks.example.com/crmx',
  'https://hooks.example.com/crm.evil',
  'https://hooks.example.com/CRM/a',
  'https://hooks.example.com/',
  'https://hooks.example.com/crm/../admin',
  'https://hooks.example.com/crm/a/../../admin',
  'https://hooks.example.com/crm/..',
  'https://hooks.example.com/crm/%2e%2e/admin',
  'https://hooks.example.com/crm/.%2E/admin',
  'https://hooks.example.com/crm/..%2Fadmin',
  'https://hooks.example.com/crm%2fa',
  'https://hooks.example.com/crm/..%5cadmin',
  'https://hooks.example.com/crm/..\admin',
  'https://hooks.example.com/crm/..;/admin',
  'https://hooks.example.com/crm/.;/..;x/admin',
  'https://hooks.example.com/%63rm/a',
  'https://hooks.example.com/crm/%zz',
  'https://hooks.example.com/crm/%00',
  'https://hooks.example.com/crm/a#part',
  'https://hooks.example.com/crm/ä',
  -- numbers
  'http://127.0.0.1:8080/x',
  'http://127.1:8080/x',
  'http://2130706433:8080/x',
  'http://0x7f000001:8080/x',
  'http://0177.0.0.1:8080/x',
  'http://127.0.0.1.:8080/x',
  'http://127.0.0.1.1:8080/x',
  'http://127.0.0.0x1:8080/x',
  'http://[::ffff:127.0.0.1]:8080/x',
  'http://[2001:db8::1]:8080/x',
  'http://[2001:0db8:0000:0000:0000:0000:0000:0001]:8080/x',
  'http://[2001:db8::1%25eth0]:8080/x',
  'http://[2001:db8::1]evil.example:8080/x',
  'http://[2001:db8::1:8080/x',
  'https://xn--bcher-kva.example/x',
  'https://XN--BCHER-KVA.example/x',
  'https://',
  'https://:443/crm/a',
  '']) WITH ORDINALITY u(url, n), automation.server_for('srv_alice', url) f ORDER BY n;
-- beyond ASCII: whether the name can be encoded here or not, it is nobody else's
SELECT url, f.server, f.address LIKE '%evil%' OR f.address LIKE '%hooks.example.com%' AS taken_for_it FROM unnest(ARRAY[
  'https://hooks.exаmple.com/crm/a',
  'https://hooks.example。com.evil.example/crm/a',
  'https://hooks.example.com／.evil.example/crm/a',
  'https://hooks.example.com＃.evil.example/crm/a',
  'https://evil.example＠hooks.example.com/crm/a',
  'https://hooks.example.com％2e.evil.example/crm/a']) WITH ORDINALITY u(url, n), automation.server_for('srv_alice', url) f ORDER BY n;
-- the canonical form is its own
SELECT count(*) AS compared, count(*) FILTER (WHERE g.address IS DISTINCT FROM f.address OR g.server IS DISTINCT FROM f.server) AS different
FROM unnest(ARRAY['HTTPS://HOOKS.EXAMPLE.COM.:443/x/../crm/a?b', 'http://2130706433:8080', 'http://[2001:DB8:0:0::1]:8080/a/./b', 'https://a.example?x']) url,
  automation.server_for('srv_alice', url) f, automation.server_for('srv_alice', f.address) g;
SELECT (automation.server_for('srv_alice', 'https://hooks.example.com/crm/' || repeat('a', 8000))).problem;

-- 2. A server with a longer url, for everybody
SET SESSION AUTHORIZATION srv_bob;
CREATE SERVER planted FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com/crm/contacts');
GRANT USAGE ON FOREIGN SERVER planted TO PUBLIC;
CREATE USER MAPPING FOR PUBLIC SERVER planted OPTIONS (secret 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3');
CREATE USER MAPPING FOR srv_alice SERVER planted OPTIONS (bearer 'mine');
RESET SESSION AUTHORIZATION;
SELECT role, f.server FROM unnest('{srv_alice,srv_bob,postgres}'::regrole[]) role,
  automation.server_for(role, 'https://hooks.example.com/crm/contacts/1') f;
-- not even if he may act for alice
GRANT srv_alice TO srv_bob;
SELECT server FROM automation.server_for('srv_alice', 'https://hooks.example.com/crm/contacts/1');
SELECT server FROM automation.server_for('srv_bob', 'https://hooks.example.com/crm/other');
REVOKE srv_alice FROM srv_bob;

-- 3. Options of superusers
SET SESSION AUTHORIZATION srv_bob;
\set VERBOSITY default
CREATE SERVER mine FOREIGN DATA WRAPPER automation OPTIONS (url 'http://127.0.0.1', allow_private 'on');
CREATE SERVER mine FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com', verify 'off');
CREATE SERVER mine FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com', secret_file '/etc/shadow');
CREATE SERVER mine FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com', ca_file '/tmp/ca.pem');
CREATE SERVER mine FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com', client_cert '/tmp/c', client_key '/tmp/k');
CREATE SERVER mine FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com', ports '22');
CREATE SERVER mine FOREIGN DATA WRAPPER automation OPTIONS (url 'http://hooks.example.com:22');
-- the names of those options are not even suggested to him
CREATE SERVER mine FOREIGN DATA WRAPPER automation OPTIONS (url 'http://hooks.example.com', something_else 'x');
\set VERBOSITY terse
CREATE SERVER mine FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com', proxy 'http://evil.example');
CREATE SERVER mine FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com', resolve 'x');
ALTER SERVER planted OPTIONS (ADD allow_private 'on');
-- in a mapping there are credentials and nothing else
ALTER USER MAPPING FOR srv_alice SERVER planted OPTIONS (ADD url 'https://evil.example');
ALTER USER MAPPING FOR srv_alice SERVER planted OPTIONS (ADD ca_file '/tmp/ca.pem');
ALTER USER MAPPING FOR srv_alice SERVER planted OPTIONS (ADD secret_file '/etc/shadow');
ALTER USER MAPPING FOR srv_alice SERVER planted OPTIONS (ADD allow_private 'on');
RESET SESSION AUTHORIZATION;

-- what a new owner does not keep: it is said, he can't change the server with it, and it does not count
CREATE SERVER handed FOREIGN DATA WRAPPER automation OPTIONS (url 'http://10.0.0.1:8080', allow_private 'on', ports '9090', secret_file '/nonexistent');
SELECT server FROM automation.server_for('postgres', 'http://10.0.0.1:9090/');
ALTER SERVER handed OWNER TO srv_bob;
SELECT server FROM automation.server_for('srv_bob', 'http://10.0.0.1:9090/');
SELECT server FROM automation.server_for('srv_bob', 'http://10.0.0.1:8080/');
SET SESSION AUTHORIZATION srv_bob;
ALTER SERVER handed OPTIONS (SET url 'http://10.0.0.2');
ALTER SERVER handed OPTIONS (SET url 'http://10.0.0.2', DROP allow_private, DROP ports, DROP secret_file);
RESET SESSION AUTHORIZATION;
-- the same if it is the role that changes
ALTER ROLE srv_bob SUPERUSER;
SET SESSION AUTHORIZATION srv_bob;
ALTER SERVER handed OPTIONS (ADD ports '9090');
RESET SESSION AUTHORIZATION;
SELECT server FROM automation.server_for('srv_bob', 'http://10.0.0.2:9090/');
SELECT server FROM automation.server_for('postgres', 'https://hooks.example.com/crm/contacts/1');
ALTER ROLE srv_bob NOSUPERUSER;
SELECT server FROM automation.server_for('srv_bob', 'http://10.0.0.2:9090/');
SELECT server FROM automation.server_for('postgres', 'https://hooks.example.com/crm/contacts/1');

-- 4. Who reads what
SET client_min_messages = error;
CREATE USER MAPPING FOR PUBLIC SERVER hooks OPTIONS (bearer 'canary-of-the-superuser');
CREATE USER MAPPING FOR srv_alice SERVER hooks OPTIONS (bearer 'canary-of-alice');
CREATE USER MAPPING FOR srv_alice SERVER loop OPTIONS (header 'X-Key: canary-of-alice');
RESET client_min_messages;
CREATE FUNCTION reading() RETURNS TABLE (source text, server text, of text, options text) LANGUAGE sql AS $$
SELECT 'pg_user_mappings', srvname::text, usename::text, umoptions::text FROM pg_user_mappings
WHERE umoptions IS NOT NULL AND srvname IN ('hooks', 'loop', 'planted')
UNION ALL SELECT 'information_schema', foreign_server_name::text, authorization_identifier::text, option_value::text
FROM information_schema.user_mapping_options
WHERE option_value IS NOT NULL AND foreign_server_name IN ('hooks', 'loop', 'planted')
ORDER BY 1, 2, 3 $$;
SET SESSION AUTHORIZATION srv_alice;
SELECT * FROM reading();
SET SESSION AUTHORIZATION srv_bob;
SELECT * FROM reading();
SET SESSION AUTHORIZATION srv_clerk;
SELECT * FROM reading();
SET SESSION AUTHORIZATION srv_monitor;
SELECT * FROM reading();
SELECT umoptions FROM pg_user_mapping;
SET SESSION AUTHORIZATION srv_reader;
SELECT * FROM reading();
-- who may read all tables reads this one, too, as he reads the passwords of pg_authid
SELECT count(*) FROM pg_user_mapping m JOIN pg_foreign_server s ON s.oid = m.umserver WHERE s.srvname IN ('hooks', 'loop', 'planted');
RESET SESSION AUTHORIZATION;
SELECT source, count(*) FROM reading() GROUP BY 1 ORDER BY 1;

DROP SERVER hooks, six, idna, planted, handed, loop CASCADE;
DROP FUNCTION reading;
REVOKE USAGE ON FOREIGN DATA WRAPPER automation FROM srv_bob;
DROP ROLE srv_alice, srv_bob, srv_clerk, srv_monitor, srv_reader;
