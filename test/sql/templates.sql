-- Templates: what is refused when they are saved, what tokens and filters give, the
-- text part that is made from HTML, variants, and what email() and mail() make.
SET client_min_messages = warning;
SET timezone = 'America/New_York';
CREATE TABLE lead (id int PRIMARY KEY, email text, first_name text, last_name text, joined timestamptz, birthday date,
                   amount numeric, vip boolean, note text);
INSERT INTO lead VALUES
  (1, ' Ann@Example.com ', 'ann', 'Smith', '2024-03-04 23:30:00Z', '1990-02-01', 12345.675, true, E'two\nlines'),
  (2, 'bob@example.com', '   ', NULL, NULL, NULL, -999.5, false, 'a & b <i>'),
  (3, NULL, 'Cleo', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO automation.template (name, subject, body, class, about) VALUES
  ('plain', 'Hello', '-', 'transactional', 'lead');

-- A text of a template with a row, and the mail's parts
CREATE FUNCTION shows(body text, who int DEFAULT 1, vars jsonb DEFAULT NULL, policy text DEFAULT 'fail') RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  UPDATE automation.template SET body = shows.body, html = NULL, on_missing_token = policy WHERE name = 'plain';
  RETURN (SELECT (automation.email('plain', l, vars)).body FROM lead l WHERE id = who);
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
CREATE FUNCTION shows_html(html text, vars jsonb DEFAULT NULL, what text DEFAULT 'html') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  m automation.message;
BEGIN
  UPDATE automation.template SET html = shows_html.html, body = NULL, on_missing_token = 'fail' WHERE name = 'plain';
  m := (SELECT automation.email('plain', l, vars) FROM lead l WHERE id = 1);
  RETURN CASE what WHEN 'html' THEN m.options ->> 'html' ELSE m.body END;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ': ' || SQLERRM;
END $$;

-- 1. Tokens: columns under the name of the row's type, or recipient; variables
SELECT t AS template, shows(t, vars => '{"n": 7, "deal": {"title": "Big", "owner": {"name": "Eve"}}, "none": null, "blank": " ", "list": [1, "a"]}') AS gives
FROM unnest(ARRAY['{{ lead.first_name }}', '{{lead.first_name}}', '{{ recipient . id }}', '{{ lead.vip }}', '{{ lead.amount }}',
  '{{ lead.note }}', '{{ n }}', '{{ deal.title }} of {{ deal.owner.name }}', '{{ list }}', '{{ "{{" }} and }} and { {',
  '{{ none }}', '{{ blank }}', '{{ nothing }}', '{{ deal.nothing }}', '{{ deal.title.more }}',
  '{{ none | default: "a default" }}', '{{ blank | default: ''other quotes'' }}', '{{ nothing | default: "" }}.', '{{ nothing | default: 3 | number: "1234.0" }}']) t;
SELECT policy, shows('Dear {{ lead.first_name }}!', 2, policy => policy) AS gives FROM unnest(ARRAY['fail', 'empty', 'skip']) policy;
SELECT (m).target, (m).body, (m).options FROM (SELECT automation.email('plain', l) AS m FROM lead l WHERE id = 2) s;

-- 2. Filters.  Nothing depends on the session's settings
SET datestyle = 'German, DMY';
SELECT t AS filters, shows('{{ ' || t || ' }}') AS gives
FROM unnest(ARRAY['lead.first_name | upper', 'lead.last_name | lower', 'lead.first_name | capitalize', '"  a b  " | strip | upper',
  'lead.joined | date: "DD Mon YYYY HH24:MI"', 'lead.joined | date: "FMDay, DD FMMonth YYYY HH24:MI", "Europe/Berlin"',
  'lead.birthday | date: "DD.MM.YY"', '"2024-02-29T10:00:00.5+05:30" | date: "YYYY-MM-DD HH24:MI:SS.MS"', '"2023-02-29" | date: "DD" | default: "no date"',
  '"tomorrow" | date: "DD" | default: "no date"', '"infinity" | date: "DD" | default: "no date"', '"2024-01-01 10:00:00+99" | date: "DD" | default: "no date"',
  'lead.amount | number: "1,234.56"', 'lead.amount | number: "1.234,5"', 'lead.amount | number: "1 234"', 'lead.amount | number: "1234.5678"',
  '"-1234567.891" | number: "1,234.5"', '"12" | number: "1,234"', '"twelve" | number: "1,234" | default: "no number"',
  '"abcdef" | truncate: 4', '"abcd" | truncate: 4', '"Zürich & more" | url_encode', '"<b>" | escape']) t;
RESET datestyle;
UPDATE automation.template SET zone = 'Asia/Tokyo' WHERE name = 'plain';
SELECT shows('{{ lead.joined | date: "DD Mon HH24:MI" }}');

-- 3. What is refused when it is saved says where
\set VERBOSITY default
UPDATE automation.template SET body = E'Hi\nthere {{ lead.first_nam }}' WHERE name = 'plain';
UPDATE automation.template SET body = 'Dear {{ lead.first_name | defualt: "x" }}' WHERE name = 'plain';
UPDATE automation.template SET body = 'Dear {{ lead.first_name | default: &quot;x&quot; }}' WHERE name = 'plain';
UPDATE automation.template SET html = '<p>Dear {{ lead.first_name }}</p><a href={{ lead.note }}>', body = NULL WHERE name = 'plain';
\set VERBOSITY terse
SELECT t AS refused, CASE WHEN t LIKE '%<%' THEN shows_html(t) ELSE shows(t) END AS because
FROM unnest(ARRAY['{{', '{{ }}', '{{ lead.first_name', '{{ lead.first_name }', '{{ lead. }}', '{{ lead }}', '{{ 1 }}', '{{ "x }}', '{{ a.b.c.d.e.f.g.h.i }}',
  '{{ x | }}', '{{ x | default }}', '{{ x | default: a }}', '{{ x | default: "a", "b" }}', '{{ x | upper: 1 }}', '{{ x | truncate: 0 }}', '{{ x | truncate: "a" }}',
  '{{ x | date: "TMMon" }}', '{{ x | date: "DD", "Mars/Olympus" }}', '{{ x | number: "12" }}', '{{ x | number: "1,234." }}', '{{ x | raw }}',
  '{% if x %}', '{{ unsubscribe_url | upper }}', E'a\x01',
  '<p {{ x }}>', '<{{ x }}>', '<a title={{ x }}>', '<a title= {{ x }}>', '<!-- {{ x }} -->', '<script>{{ x }}</script>', '<style>p { color: {{ x }} }</style>',
  '<p style="color: {{ x }}">', '<p onclick="{{ x }}">', '<img srcset="{{ x }}">', '<meta content="{{ x }}">', '<p class="a', '<!-- a',
  '<a href="javascript:{{ x }}">', '<a href="{{ x }}{{ y }}">', '<a href="https://{{ x }}/">', '<a href="https://a.example{{ x }}">', '<a href="x{{ x }}">',
  '<a href="https://a.example/{{ unsubscribe_url }}">']) t;
UPDATE automation.template SET subject = E'a\nb' WHERE name = 'plain';
UPDATE automation.template SET subject = '{{ unsubscribe_url }}' WHERE name = 'plain';
UPDATE automation.template SET html = NULL, body = NULL WHERE name = 'plain';
UPDATE automation.template SET zone = 'Mars/Olympus' WHERE name = 'plain';
INSERT INTO automation.template (name, subject, body) VALUES ('', 'x', 'x');
INSERT INTO automation.template (name, subject, body) VALUES (E'a\nb', 'x', 'x');
INSERT INTO automation.template (name, subject, html) VALUES ('news', 'x', '<p>News');
INSERT INTO automation.template (name, subject, html) VALUES ('news', 'x', '<a href="{{ unsubscribe_url }}">stop</a>');
INSERT INTO automation.template (name, subject, html, body)
VALUES ('news', 'x', '<a href="{{ unsubscribe_url }}">stop</a> {{ postal_address }}', 'News');
INSERT INTO automation.template (name, subject, body, class, share) VALUES ('news', 'x', 'x', 'internal', 'NaN');

-- 4. HTML: places and what may stand there
SELECT t AS template, shows_html(t, '{"x": "a\"b''<c>&d", "u": "https://a.example/?q=a b&c=\"d", "p": "../a b/c?d#e", "bad": "javascript:alert(1)", "rel": "//evil.example"}') AS gives
FROM unnest(ARRAY['<p>{{ x }}</p>', '<p title="{{ x }}">', '<p title=''{{ x }}''>', '<a href="{{ u }}">', '<a href="{{ bad }}">', '<img src=" {{ rel }} ">',
  '<a href="https://a.example/{{ p }}?x={{ x }}#{{ x }}">', '<a href="/{{ rel }}">', '<a href="mailto:{{ x }}?subject={{ x }}">',
  '<a href="{{ u }}/more/{{ p }}">', '<!--[if mso]><p>{{ x }}</p><![endif]-->', '<script>"</p>"</script>{{ x }}', '<!-- <p "> -->{{ x }}', '<br/>{{ x }}',
  'a < b {{ x }}', '<A HREF="{{ bad }}">', '<a href="https://a.example/?q={{ x | url_encode }}">']) t;
SELECT shows_html('<p>Dear {{ lead.note }},</p><ul><li>one<li>two</ul><a href="{{ u }}">here</a> <a href="https://a.example/?q={{ x }}">{{ x }}</a>',
                  '{"x": "a&b", "u": "https://a.example/?a=1&b=2"}', 'text');
SELECT shows_html('<a href="{{ u }}">here</a>, <a href="{{ u }}">there</a>.', '{"u": "ftp://a.example/"}', 'text');

-- 5. HTML as text
SELECT automation.html_to_text(t) FROM unnest(ARRAY[
  '<html><head><title>no</title><style>p {}</style></head><body><h1>Title</h1><p>One &amp; two&nbsp;&euro;&#8364;&#x20AC; &unknown; &</p>line<br>break<hr>end</body></html>',
  '<p>See <a href="https://a.example/x">this</a>, <a href="https://a.example">https://a.example</a>, <a href="https://a.example">a.example</a>, <a href="mailto:a@b.c?subject=x">write</a>, <a href="#top">up</a>.</p>',
  '<ul><li>one</li><li>two<ol><li>first</li><li>second<br>line</li></ol></li></ul>after',
  '<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table><pre>  as
   it is</pre><img alt="a picture" src="x"><img src="y">',
  'a < b, 1 <2 <script>alert("</p>")</script><p title=">">shown</p><!-- <b>not</b> -->!', 'text <a href="never closed', '<', '<p', '</', '']) t;
SELECT length(automation.html_to_text(repeat('<ul><li>', 20000))) < 2000000 AS bounded, automation.html_escape('<a href="x">&''');

-- 6. Messages
UPDATE automation.template SET html = NULL, body = 'Dear {{ recipient.first_name | default: "you" }}' WHERE name = 'plain';
SELECT * FROM automation.email('plain', 'zoe@example.com', sender => '"Eve Smith" <eve@example.com>', reply_to => 'r@example.com', thread => 42,
  cc => '{c@example.com}', bcc => '{b@example.com,d@example.com}', attachments => '[{"name": "a"}]', headers => '{"X-A": "b"}', class => 'internal',
  list => 'l', server => 'relay', once => true, expires => '1 day', ordering_key => 'k');
SELECT (automation.email('plain', l, thread => 'previous', address => 'other@example.com')).* FROM lead l WHERE id = 3;
SELECT (automation.email('plain', l)).* FROM lead l WHERE id = 3;
SELECT (automation.email('plain', NULL::lead)).*;
SELECT automation.email('plain', ROW(1, 2));
SELECT automation.email('plain', 7);
SELECT automation.email('nothing', 'zoe@example.com');
SELECT automation.email(NULL, 'zoe@example.com');
SELECT automation.email('plain', l, vars => '[1]') FROM lead l WHERE id = 1;
UPDATE automation.template SET body = 'Dear {{ recipient.middle_name }}', about = NULL WHERE name = 'plain';
SELECT automation.email('plain', l) FROM lead l WHERE id = 1;
SELECT (automation.mail('zoe@example.com', E'{{ no }}\ntoken', html => '<p>{{ neither }} ' || automation.html_escape('<&>'))).*;
SELECT (automation.mail(l, 'Hi', body => 'text', class => 'internal', family => 'hi')).* FROM lead l WHERE id = 1;

-- 7. Variants: by their shares, always the same for an address, however it is written
INSERT INTO automation.template (name, variant, share, subject, body, class)
VALUES ('test', 'a', 1, 'A', '-', 'internal'), ('test', 'b', 3, 'B', '-', 'internal');
SELECT m.options ->> 'variant' AS variant, m.subject, round(count(*) / 50.0) * 50 AS about
FROM generate_series(1, 1000) n, automation.email('test', 'p' || n || '@example.com') m GROUP BY 1, 2 ORDER BY 1;
SELECT count(*) AS differ FROM generate_series(1, 100) n
WHERE (automation.email('test', 'p' || n || '@example.com')).subject <> (automation.email('test', ' P' || n || '@EXAMPLE.com')).subject;

-- 8. What is kept parsed is the row as it is now
SELECT (automation.email('test', 'p1@example.com')).body;
UPDATE automation.template SET body = 'changed' WHERE name = 'test';
SELECT (automation.email('test', 'p1@example.com')).body;
BEGIN;
UPDATE automation.template SET body = 'not for long' WHERE name = 'test';
SELECT (automation.email('test', 'p1@example.com')).body;
ROLLBACK;
SELECT (automation.email('test', 'p1@example.com')).body;

DELETE FROM automation.template;
DROP FUNCTION shows, shows_html;
DROP TABLE lead;
