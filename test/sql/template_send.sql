-- SEND with templates: what only SEND knows is filled in, a mail that lacks a value is
-- skipped and the others are not, and results are counted by variant. Who makes a message
-- may say himself why it is not to be sent.
SET client_min_messages = warning;
CREATE ROLE dora LOGIN;
CREATE SCHEMA dora AUTHORIZATION dora;
GRANT USAGE ON LANGUAGE workflow TO dora;
GRANT USAGE ON FOREIGN DATA WRAPPER automation TO dora;
\c - dora
SET search_path = dora, automation;
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE SERVER dora_mail TYPE 'smtp' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'smtp://mail.example.com', "from" 'shop@example.com');
CREATE TABLE contact (id int PRIMARY KEY, email text, first_name text);
INSERT INTO automation.template (name, subject, html, about, on_missing_token)
VALUES ('news', 'For {{ contact.first_name }}',
        '<p>Dear {{ contact.first_name }}</p>{{ postal_address }} <a href="{{ unsubscribe_url }}">stop</a>', 'contact', 'skip');
CREATE FUNCTION tell(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SEND email('news', c, server => 'dora_mail');
END $$;
-- the server does not say what the template asks for
INSERT INTO contact VALUES (1, 'ann@example.com', 'Ann');
CALL automation.run();
SELECT state, error FROM automation.enrollments;
ALTER SERVER dora_mail OPTIONS (ADD unsubscribe_url 'https://example.com/u?a=1&t=', ADD postal_address E'Shop & Co\n1 Street');
DELETE FROM contact;
CALL automation.run();
INSERT INTO contact VALUES (2, 'ann@example.com', 'Ann'), (3, 'bob@example.com', ' '), (4, NULL, 'Cleo');
CALL automation.run();
\c - postgres
SET client_min_messages = warning;
SELECT state, reason, subject, regexp_replace(body, 't=[a-z0-9-]+', 't=TOKEN') AS body,
       regexp_replace(options ->> 'html', 't=[a-z0-9-]+', 't=TOKEN') AS html
FROM automation.outgoing ORDER BY id DESC LIMIT 3;
SET ROLE dora;
SELECT template, variant, messages, sent FROM automation.template_results;
\c - dora
SET search_path = dora, automation;
CREATE FUNCTION choose(c contact, skip text) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SEND with_options(mail(c, 'Hi', 'text', class => 'transactional', server => 'dora_mail'), jsonb_build_object('skip', skip));
END $$;
SELECT count(choose(c, s)) FROM contact c, unnest('{not_subscribed,not_marketing,something,null}'::text[]) WITH ORDINALITY u (s, n)
WHERE c.id = 2 + n % 2;
CALL automation.run();
SELECT workflow, options ->> 'skip' AS skip, state, reason FROM automation.deliveries WHERE workflow = 'choose' ORDER BY 2;
SELECT regexp_replace(what, '[0-9]+', 'N') AS what FROM automation.journal WHERE workflow = 'choose' AND event = 'delivery' ORDER BY 1;
\c - postgres
SET client_min_messages = warning;
DELETE FROM automation.template;
DROP SCHEMA dora CASCADE;
DROP SERVER dora_mail CASCADE;
