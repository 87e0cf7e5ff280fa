-- Feeds: what of them is read, and what is nobody's feed.
\pset null -
SET SESSION AUTHORIZATION app;
SET search_path = '';
SET timezone = 'UTC';
SET datestyle = 'SQL, DMY';
SET xmloption = content;

-- moments
SELECT v AS written, automation.feed_time(v) AS moment
FROM unnest(ARRAY['Sat, 21 Nov 2026 10:00:00 +0100', '21 Nov 26 10:00 GMT', 'Sat, 07 Sep 2002 00:00:01 EST', 'Mon, 1 Sept 2025 5:07:09 PDT',
                  'Thu, 01 Jan 70 00:00:00 -0000', 'Tue, 02 Dec 2025 05:07:09 XYZ', '2026-11-21T10:00:00Z', '2026-11-21T10:00:00.123456789-05:30',
                  ' 2026-11-21 ', '2026-11-21 10:00', '31 Feb 2026 10:00:00 GMT', 'nonsense', '2026-13-01', '2026-11-21T24:00:00Z', '0000-01-01',
                  '99999-01-01', '']) WITH ORDINALITY u(v, n) ORDER BY n;

-- RSS 2.0, with the modules that come with it
SELECT * FROM automation.feed_items($x$<?xml version="1.0" encoding="ISO-8859-1"?>
<!-- made by hand -->
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:atom="http://www.w3.org/2005/Atom"
     xmlns:media="http://search.yahoo.com/mrss/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel><title>Blog</title><link>https://b.example</link><atom:link href="https://b.example/feed" rel="self"/>
<item><title>One &amp; two</title><link>https://b.example/1</link><guid isPermaLink="false">g1</guid><pubDate>Sat, 21 Nov 2026 10:00:00 +0100</pubDate>
      <description><![CDATA[<p>first</p>]]></description><dc:creator>Ann</dc:creator></item>
<item><media:title>not this</media:title><title>Two</title><atom:link href="https://b.example/self" rel="self"/><link> https://b.example/2 </link>
      <content:encoded>long</content:encoded><author>bob@example.com</author></item>
<item><description>without a name</description></item>
<item/>
</channel></rss>$x$);

-- Atom
SELECT * FROM automation.feed_items($x$<feed xmlns="http://www.w3.org/2005/Atom"><id>f</id><title>Blog</title><author><name>All</name></author>
<entry><id>urn:1</id><title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">a <b>bold</b> word</div></title>
<link rel="self" href="https://b.example/self"/><link rel="alternate" href="https://b.example/1"/>
<updated>2026-11-21T10:00:00Z</updated><author><name>Ann</name><email>ann@example.com</email></author><content type="html">&lt;b&gt;</content></entry>
<entry><id>urn:2</id><title>Two</title><link href="https://b.example/2"/><published>2026-11-20T10:00:00+02:00</published><updated>2026-11-21T10:00:00Z</updated></entry>
</feed>$x$);

-- RDF, and what came before there were namespaces
SELECT * FROM automation.feed_items($x$<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
  xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="x"><title>Blog</title></channel>
<item rdf:about="https://b.example/1"><title>One</title><link>https://b.example/1</link><dc:date>2026-01-01T00:00:00+02:00</dc:date></item></rdf:RDF>$x$);
SELECT guid, title FROM automation.feed_items($x$<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://127.0.0.1:1/rss-0.91.dtd">
<rss version="0.91"><channel><item><title>Old</title><link>https://b.example/1</link></item></channel></rss>$x$);

-- none of these is one; nothing is an error, and nothing is read from anywhere
SELECT n, automation.feed_problem(v) AS problem, (SELECT count(*) FROM automation.feed_items(v)) AS items
FROM unnest(ARRAY[NULL, '', ' ', 'not found', '<html><body/></html>', '<html><body>', '<rss><channel><item></channel></rss>',
                  '<!DOCTYPE rss [<!ENTITY a "b">]><rss><channel><item><title>&a;</title></item></channel></rss>',
                  E'\uFEFF<?xml version="1.0"?>\n<!-- [ --><!DOCTYPE rss SYSTEM "file:///etc/passwd" [\n<!ENTITY c SYSTEM "file:///etc/passwd">]>\n'
                  || '<rss><channel><item><title>&c;</title></item></channel></rss>',
                  '<rss><channel><item><title>&c;</title></item></channel></rss>',
                  '<!DOCTYPE l [<!ENTITY a "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
                  || '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]><rss>&d;</rss>',
                  repeat('<a>', 20000),
                  E'\uFEFF<?xml version="1.0"?><rss><channel/></rss>']) WITH ORDINALITY u(v, n) ORDER BY n;
RESET SESSION AUTHORIZATION;

-- Starts on a feed with at least three new items, looked at every quarter of an hour.
CREATE SCHEMA feeds AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
CREATE SERVER feeds_blog TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://blog.feeds.example');
CREATE SERVER feeds_slack TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://slack.feeds.example/api');
GRANT USAGE ON FOREIGN SERVER feeds_blog, feeds_slack TO app;
\c - app
SET search_path = feeds; SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on
-- a minute past a quarter, so that none comes by itself
CALL automation.advance(date_bin('15 minutes', automation.now(), '2000-01-01') + interval '16 minutes' - automation.now());
CREATE TABLE feed (id bigint PRIMARY KEY, path text NOT NULL, at_least int NOT NULL DEFAULT 3);
CREATE TABLE feed_item (feed_id bigint NOT NULL REFERENCES feed, guid text NOT NULL, title text, link text, told boolean NOT NULL DEFAULT false,
                        PRIMARY KEY (feed_id, guid));
CREATE FUNCTION watch_feed(f feed) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '*/15 * * * *' FOR SELECT id FROM feed;
  ENROLL AGAIN;
DECLARE
  reply automation.delivery;
BEGIN
  SEND http_request('GET', f.path, server => 'feeds_blog') INTO reply TIMEOUT '10 minutes';
  INSERT INTO feed_item (feed_id, guid, title, link)
  SELECT f.id, i.guid, i.title, i.link FROM feed_items(reply.body) i ON CONFLICT DO NOTHING;
  IF (SELECT count(*) FROM feed_item i WHERE i.feed_id = f.id AND NOT i.told) >= f.at_least THEN
    SEND slack('#news', string_agg(i.title || ' ' || i.link, E'\n' ORDER BY i.guid), server => 'feeds_slack')
      FROM feed_item i WHERE i.feed_id = f.id AND NOT i.told;
    UPDATE feed_item SET told = true WHERE feed_id = f.id AND NOT told;
  END IF;
END $$;
INSERT INTO feed VALUES (1, '/rss.xml');
CREATE FUNCTION rss(VARIADIC numbers int[]) RETURNS text LANGUAGE sql AS $$
  SELECT '<rss version="2.0"><channel>' || string_agg(format('<item><guid>g%s</guid><title>T%1$s</title><link>https://b/%1$s</link></item>', n), '' ORDER BY n)
         || '</channel></rss>' FROM unnest(numbers) n $$;
-- A quarter of an hour later the blog answers so.
CREATE PROCEDURE answer(status int, body text) LANGUAGE plpgsql AS $$
BEGIN
  CALL automation.advance('15 minutes');
  PERFORM automation.settle(id, CASE WHEN answer.status = 200 THEN 'sent' ELSE 'dead' END, answer.status, answer.body)
  FROM automation.deliveries WHERE workflow = 'watch_feed' AND server = 'feeds_blog' AND state = 'queued';
  CALL automation.run();
END $$;
CREATE VIEW posted AS SELECT body FROM automation.deliveries WHERE workflow = 'watch_feed' AND server = 'feeds_slack' ORDER BY id;
CALL answer(200, rss(1, 2));
SELECT * FROM posted;
CALL answer(200, rss(2, 3));
SELECT * FROM posted;
-- what is no feed, or no answer, has no items and stops nobody
CALL answer(200, '<html>');
CALL answer(404, 'not here');
CALL automation.advance('15 minutes');
CALL automation.advance('15 minutes');
CALL answer(200, rss(3, 4, 5));
SELECT count(*) FROM posted;
CALL answer(200, rss(6, 5, 4));
SELECT * FROM posted;
SELECT state, reason, count(*) FROM automation.deliveries WHERE workflow = 'watch_feed' AND server = 'feeds_blog' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT failed FROM automation.workflows WHERE name = 'watch_feed';
DROP FUNCTION watch_feed;

-- The same by what the server said last: one workflow asks, the other starts when enough of it is new.
DELETE FROM feed_item;
CREATE FUNCTION fetch_feed(f feed) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '*/15 * * * *' FOR SELECT id FROM feed;
  ENROLL AGAIN;
BEGIN
  SEND http_request('GET', f.path, server => 'feeds_blog', expires => '10 minutes');
END $$;
CREATE FUNCTION news(f feed) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '5-59/15 * * * *' FOR
    SELECT f.id FROM feed f
    WHERE f.at_least <= (SELECT count(*) FROM feed_items('feeds_blog', f.path) i
                         WHERE NOT EXISTS (SELECT FROM feed_item s WHERE s.feed_id = f.id AND s.guid = i.guid));
  ENROLL AGAIN;
BEGIN
  INSERT INTO feed_item (feed_id, guid, title, link)
  SELECT f.id, i.guid, i.title, i.link FROM feed_items('feeds_blog', f.path) i ON CONFLICT DO NOTHING;
  SEND slack('#news', string_agg(i.title, ' ' ORDER BY i.guid), server => 'feeds_slack') FROM feed_item i WHERE i.feed_id = f.id AND NOT i.told;
  UPDATE feed_item SET told = true WHERE feed_id = f.id AND NOT told;
END $$;
-- At the quarter the blog answers so, five minutes later the other one looks.
CREATE PROCEDURE blog(status int, body text) LANGUAGE plpgsql AS $$
BEGIN
  CALL automation.advance('10 minutes');
  PERFORM automation.settle(id, CASE WHEN blog.status = 200 THEN 'sent' ELSE 'dead' END, blog.status, blog.body)
  FROM automation.deliveries WHERE workflow = 'fetch_feed' AND state = 'queued';
  CALL automation.advance('5 minutes');
END $$;
CREATE VIEW told AS SELECT count(*), (array_agg(body::json ->> 'text' ORDER BY id DESC))[1] AS last FROM automation.deliveries WHERE workflow = 'news';
UPDATE feed SET path = '/news/../atom.xml?a=1';
-- from now on a minute past when the other one looks
CALL automation.advance('5 minutes');
SELECT count(*) FROM automation.feed_items('feeds_blog', '/atom.xml?a=1');
CALL blog(200, rss(1, 2));
SELECT * FROM told;
CALL blog(200, rss(1, 2, 3));
SELECT * FROM told;
CALL blog(200, rss(2, 3, 4, 5));
SELECT * FROM told;
-- an error hides nothing, and what is no feed has no items
CALL blog(500, 'oops');
SELECT string_agg(guid, ' ') FROM automation.feed_items('feeds_blog', '/atom.xml?a=1');
CALL blog(200, '<html>');
SELECT count(*) FROM automation.feed_items('feeds_blog', '/atom.xml?a=1');
CALL blog(200, rss(3, 4, 5, 6));
SELECT * FROM told;
-- the address as SEND brings it into its form, and no other
SELECT address, (SELECT string_agg(guid, ' ') FROM automation.feed_items('feeds_blog', address)) AS items
FROM unnest(ARRAY['/atom.xml?a=1', '/./x/../atom.xml?a=1', 'HTTPS://Blog.Feeds.Example:443/atom.xml?a=1', '/atom.xml', '/rss.xml', '/ATOM.xml?a=1'])
     WITH ORDINALITY u(address, n) ORDER BY n;
SELECT count(*) FROM automation.feed_items(NULL, '/atom.xml?a=1');
SELECT count(*) FROM automation.feed_items('feeds_none', '/atom.xml');
SELECT count(*) FROM automation.feed_items('feeds_blog', 'https://elsewhere.example/atom.xml');
-- what was asked otherwise is no answer to a GET, and one without a status is none
CREATE FUNCTION ask(f feed, method text) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SEND http_request(method, '/asked', server => 'feeds_blog');
END $$;
SELECT count(ask(f, m)) FROM feed f, unnest(ARRAY['POST', 'HEAD', 'GET']) m;
CALL automation.run();
SELECT options ->> 'method', automation.settle(id, 'sent', CASE options ->> 'method' WHEN 'GET' THEN 304 ELSE 200 END, options ->> 'method')
FROM automation.deliveries WHERE workflow = 'ask' ORDER BY id;
SELECT automation.last_answer('feeds_blog', '/asked');
SELECT ask(f, 'GET') IS NOT NULL FROM feed f;
CALL automation.run();
SELECT automation.settle(id, 'sent', 206, 'a part') FROM automation.deliveries WHERE workflow = 'ask' AND state = 'queued';
SELECT automation.last_answer('feeds_blog', '/asked');
-- nobody reads what was answered to others
\c - postgres
CREATE ROLE feeds_stranger LOGIN;
CREATE ROLE feeds_friend LOGIN IN ROLE app;
CREATE ROLE feeds_distant LOGIN NOINHERIT IN ROLE app;
GRANT USAGE ON FOREIGN SERVER feeds_blog TO feeds_stranger;
SET ROLE feeds_stranger;
SELECT automation.last_answer('feeds_blog', '/asked');
SELECT count(*) FROM automation.feed_items('feeds_blog', '/atom.xml?a=1');
SET ROLE feeds_distant;
SELECT automation.last_answer('feeds_blog', '/asked');
SET ROLE feeds_friend;
SELECT automation.last_answer('feeds_blog', '/asked');
SELECT string_agg(guid, ' ') FROM automation.feed_items('feeds_blog', '/atom.xml?a=1');
RESET ROLE;
REVOKE USAGE ON FOREIGN SERVER feeds_blog FROM feeds_stranger;
DROP ROLE feeds_stranger, feeds_friend, feeds_distant;
DROP FUNCTION feeds.fetch_feed, feeds.news, feeds.ask;
