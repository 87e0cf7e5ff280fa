-- 21  A message on the site is closed
--
-- Whoever closes the first message of a series gets a tag and, at the next visit, the second message; who closes that one, a day later, the third.
--
-- Needs: a site that shows what page_messages() gives and notes in site_message_event what is closed.

INSERT INTO site_message (name, body) VALUES
('intro 1', 'New here? This is where to begin.'),
('intro 2', 'Did you know? There is a search.'),
('intro 3', 'Write to us, we read everything.')
ON CONFLICT (name) DO NOTHING;

CREATE FUNCTION site_messages(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON site_message_event
    WHEN new.kind = 'dismissed_initial' AND new.message_id = site_message('intro 1') FOR SELECT new.contact_id;
BEGIN
  SELECT add_tag(c, 'saw the introduction');
  SELECT show_site_message(c, 'intro 2');
  WAIT UNTIL EXISTS (SELECT FROM site_message_event e
                     WHERE e.contact_id = c.id AND e.message_id = site_message('intro 2') AND e.kind IN ('dismissed_initial', 'dismissed'));
  WAIT FOR '1 day';
  SELECT show_site_message(c, 'intro 3');
END $$;
