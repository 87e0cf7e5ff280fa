-- 18  News of a blog
--
-- Every quarter of an hour the feeds are fetched. As soon as a feed has as many new items as it asks for (rss_feed.min_new_items), those
-- with the tag blog get them by mail, and the team Sales is told. Each item is told of once.
--
-- Needs: a mail server (automation.mail_server); pg_cron; a server whose url covers the feed's; a team Sales.

INSERT INTO team (name) VALUES ('Sales') ON CONFLICT (name) DO NOTHING;
INSERT INTO tag (name) VALUES ('blog') ON CONFLICT (name) DO NOTHING;
INSERT INTO rss_feed (url, min_new_items) VALUES ('https://hooks.example.com/blog.xml', 2) ON CONFLICT (url) DO NOTHING;

INSERT INTO automation.template (name, about, list, subject, body) VALUES
('blog: news', 'contact', 'blog', 'New on our blog: {{ first }}',
'{{ items }}

{{ postal_address }}
No more of these: {{ unsubscribe_url }}')
ON CONFLICT DO NOTHING;

CREATE FUNCTION blog_news(f rss_feed) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '*/15 * * * *' FOR SELECT id FROM rss_feed;
  ENROLL AGAIN;
DECLARE
  reply automation.delivery;
  first text;
  items text;
BEGIN
  SEND http_request('GET', f.url) INTO reply TIMEOUT '10 minutes';
  INSERT INTO rss_item (feed_id, guid, title, link, published_at)
  SELECT f.id, i.guid, i.title, i.link, i.published_at FROM feed_items(reply.body) i
  ON CONFLICT DO NOTHING;
  IF (SELECT count(*) FROM rss_item i WHERE i.feed_id = f.id AND i.mailed_at IS NULL) >= f.min_new_items THEN
    SELECT (array_agg(i.title ORDER BY i.id))[1], string_agg(i.title || ': ' || i.link, E'\n' ORDER BY i.id) INTO first, items
    FROM rss_item i WHERE i.feed_id = f.id AND i.mailed_at IS NULL;
    SEND email('blog: news', c, vars => jsonb_build_object('first', first, 'items', items))
    FROM contact c WHERE has_tag(c, 'blog') AND NOT c.unsubscribed;
    SELECT notify_team('Sales', 'new on the blog: ' || first);
    UPDATE rss_item SET mailed_at = now() WHERE feed_id = f.id AND mailed_at IS NULL;
  END IF;
END $$;
