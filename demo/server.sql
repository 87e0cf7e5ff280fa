-- Where messages go: a superuser says it once, workflows speak of servers by name.  Both are
-- on this machine, which is allowed because a superuser says that, too.

-- webhooks, signed
SELECT 'whsec_' || encode(sha256(convert_to(gen_random_uuid()::text, 'UTF8')), 'base64') AS secret \gset
CREATE SERVER erp TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url :'web_url', allow_private 'on');
CREATE USER MAPPING FOR PUBLIC SERVER erp OPTIONS (secret :'secret');
GRANT USAGE ON FOREIGN SERVER erp TO sales;

-- mails
CREATE SERVER mail TYPE 'smtp' FOREIGN DATA WRAPPER automation OPTIONS (
    url :'mail_url', allow_private 'on', ca_file :'ca_file', "from" 'sales@example.test',
    unsubscribe_url 'https://example.test/unsubscribe?token=', postal_address 'Example Ltd., 1 Main Street, Springfield');
CREATE USER MAPPING FOR PUBLIC SERVER mail OPTIONS (user 'sender', password 'secret');
GRANT USAGE ON FOREIGN SERVER mail TO sales;
ALTER DATABASE demo SET automation.mail_server = 'mail';
