-- Attacks by what stands in templates: data that looks like a token, that leaves the
-- place it is put into, or that is a header; templates, and privileges on them, of others.
SET client_min_messages = warning;
CREATE ROLE carol LOGIN;
CREATE ROLE mallory LOGIN;
CREATE ROLE marketing;
GRANT marketing TO carol;
CREATE SCHEMA carol AUTHORIZATION carol;
\set VERBOSITY terse

\c - carol
SET search_path = carol;
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE TABLE contact (id int PRIMARY KEY, email text, first_name text, ssn text, site text);
INSERT INTO contact VALUES (1, 'x@example.com', '', '123-45-6789', '');

-- 1. Data is data.  A name that is a token, or what a mark of ours is made of, in all parts
INSERT INTO automation.template (name, subject, html, about) VALUES ('hello', 'Hi {{ contact.first_name }}',
  '<p title="{{ contact.first_name }}">{{ contact.first_name }}</p><a href="{{ contact.site }}">site</a><a href="https://a.example/p/{{ contact.first_name }}?n={{ contact.first_name }}">n</a> {{ postal_address }} <a href="{{ unsubscribe_url }}">stop</a>', 'contact');
UPDATE automation.template SET on_missing_token = 'empty';
CREATE FUNCTION arrives(name text, site text DEFAULT '') RETURNS TABLE (subject text, html text, body text) LANGUAGE sql AS $$
  UPDATE contact SET first_name = name, site = arrives.site;
  SELECT m.subject, m.options ->> 'html', m.body FROM (SELECT (automation.email('hello', c)).* FROM contact c) m;
$$;
\x on
SELECT * FROM arrives('{{ contact.ssn }}');
SELECT * FROM arrives('{{ contact.ssn | raw }}{% x %}');
SELECT * FROM arrives(E'\x01unsubscribe_url\x01\x02' || '0' || E'\x03');
SELECT * FROM arrives('"><img src=x onerror=alert(1)>', 'javascript:alert(1)');
SELECT * FROM arrives(''' onmouseover=''alert(1)', E' java\nscript:alert(1)');
SELECT * FROM arrives('</p><script>alert(1)</script>', 'data:text/html,<script>');
SELECT * FROM arrives('&lt;b&gt;', 'HTTPS://a.example/"onclick="x');
SELECT * FROM arrives('../../admin?x=1#y', '//evil.example');
SELECT * FROM arrives(E'Eve\r\nBcc: all@example.com\r\n\r\n<b>', 'https://a.example/' || E'\r\nX: y');
\x off
-- marks that change the direction of writing are no part of a subject or a name
SELECT octet_length(subject) FROM arrives(U&'a\202Eb\2066c\0085d\2028e\200Bf');
UPDATE contact SET first_name = E'Eve\r\nBcc: x@example.com' || U&'\202E';
SELECT (automation.email('hello', c)).options ->> 'to_name' AS to_name FROM contact c;
SELECT (automation.mail('x@example.com', E'Hi\r\nBcc: all@example.com', 'text', sender => E'Eve\r\nBcc: <eve@example.com>')).subject;

-- 2. raw only where a superuser allowed it
UPDATE automation.template SET html = '<p>{{ contact.first_name | raw }}</p>', class = 'internal';
UPDATE automation.template SET raw_allowed = true;
INSERT INTO automation.template (name, subject, body, class, raw_allowed) VALUES ('raw', 'x', 'x', 'internal', true);
\c - postgres
SET client_min_messages = warning;
\set VERBOSITY terse
UPDATE automation.template SET raw_allowed = true WHERE owner = 'carol'::regrole;
SET ROLE carol;
SET search_path = carol;
UPDATE automation.template SET html = '<p title="{{ contact.first_name | raw }}">', class = 'internal';
UPDATE automation.template SET html = '<p>{{ contact.first_name | raw }}</p>', class = 'internal';
SELECT * FROM arrives(E'<b>\x01unsubscribe_url\x01 &amp; {{ contact.ssn }}</b>');
RESET ROLE;
UPDATE automation.template SET raw_allowed = false WHERE owner = 'carol'::regrole;
RESET search_path;

-- 3. Templates belong to somebody
\c - mallory
SET client_min_messages = warning;
\set VERBOSITY terse
SELECT count(*) FROM automation.template;
SELECT automation.email('hello', 'victim@example.com');
SELECT automation.email('hello', 'victim@example.com', owner => 'carol');
INSERT INTO automation.template (owner, name, subject, body, class) VALUES ('carol', 'other', 'x', 'x', 'internal');
INSERT INTO automation.template (owner, name, subject, body, class) VALUES ('postgres', 'hello', 'x', 'x', 'internal');
UPDATE automation.template SET subject = 'phished';
DELETE FROM automation.template;
-- under names that are free or taken, for carol to use: she does not unless she says so
INSERT INTO automation.template (name, subject, body, class, users)
VALUES ('hello', 'phished', 'x', 'internal', '{carol,-}'), ('welcome', 'phished', 'x', 'internal', '{carol,-}');
UPDATE automation.template SET owner = 'carol';
\c - carol
SET search_path = carol;
SET client_min_messages = warning;
\set VERBOSITY terse
SELECT (automation.email('hello', 'x@example.com')).subject;
SELECT automation.email('welcome', 'x@example.com');
SELECT (automation.email('welcome', 'x@example.com', owner => 'mallory')).subject;
UPDATE automation.template SET subject = 'x' WHERE owner = 'mallory'::regrole;
DELETE FROM automation.template WHERE owner = 'mallory'::regrole;
SELECT owner, name, subject FROM automation.template ORDER BY owner::text, name;

-- her group's, and who is among the users
INSERT INTO automation.template (owner, name, subject, body, class) VALUES ('marketing', 'news', 'ours', 'x', 'internal');
SELECT automation.email('news', 'x@example.com');
SELECT (automation.email('news', 'x@example.com', owner => 'marketing')).subject;
UPDATE automation.template SET users = '{mallory}' WHERE name = 'news';
\c - mallory
SET client_min_messages = warning;
\set VERBOSITY terse
SELECT owner, name, subject FROM automation.template ORDER BY owner::text, name;
SELECT (automation.email('news', 'x@example.com', owner => 'marketing')).subject;
UPDATE automation.template SET subject = 'x' WHERE name = 'news';
-- a superuser's that is shared is found by its name; one that is not is not
\c - postgres
SET client_min_messages = warning;
\set VERBOSITY terse
INSERT INTO automation.template (name, subject, body, class, users) VALUES ('house', 'style of the house', 'x', 'internal', '{carol}');
\c - carol
\set VERBOSITY terse
SELECT (automation.email('house', 'x@example.com')).subject;
\c - mallory
\set VERBOSITY terse
SELECT automation.email('house', 'x@example.com');

-- 4. The trigger function is of no use elsewhere, and the view shows one's own
CREATE TEMP TABLE copy (owner regrole);
CREATE TRIGGER t BEFORE INSERT ON copy FOR EACH ROW EXECUTE FUNCTION automation.template_check();
SELECT automation.template_check();
SELECT * FROM automation.template_results;

\c - postgres
SET client_min_messages = warning;
DELETE FROM automation.template;
DROP SCHEMA carol CASCADE;
DROP ROLE carol, mallory, marketing;
