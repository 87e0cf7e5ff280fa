-- What a clause says in a word: of which mail an event tells and whether it counts, which pages an address
-- with a * means, what is in a cart or an order, whose feed has news.  For WHEN, AT and FOR of workflows; none
-- of them writes, but for record_page_view() and read_feed().  Rules: a cart is changed by what is put into it,
-- and bought by an order.

-- Mails

CREATE FUNCTION mail_of(e email_event) RETURNS email_message LANGUAGE sql STABLE
RETURN (SELECT m FROM email_message m WHERE m.id = (e).message_id);
COMMENT ON FUNCTION mail_of(email_event) IS
    'The mail that was opened, clicked, shared: (mail_of(new)).campaign_id, (mail_of(new)).subject ... NULL: it is gone (T20, T24, T25, T27, T28, T31, T47)';

CREATE FUNCTION mail_of(reply email_message) RETURNS email_message LANGUAGE sql STABLE
RETURN (SELECT m FROM email_message m WHERE m.id = (reply).in_reply_to);
COMMENT ON FUNCTION mail_of(email_message) IS
    'The mail that a mail answers: (mail_of(new)).campaign_id, (mail_of(new)).name ... NULL: it answers none (T54, T60)';

CREATE FUNCTION mail_of(d file_download) RETURNS email_message LANGUAGE sql STABLE
RETURN (SELECT m FROM email_attachment a JOIN email_message m ON m.id = a.message_id WHERE a.id = (d).attachment_id);
COMMENT ON FUNCTION mail_of(file_download) IS 'The mail that the file was attached to (T62)';

CREATE FUNCTION link_url(e email_event) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT l.url FROM email_link l WHERE l.id = (e).link_id);
COMMENT ON FUNCTION link_url(email_event) IS 'The address of the link that was clicked; NULL: it is not known (T38, T45)';

CREATE FUNCTION file_name(d file_download) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT a.file_name FROM email_attachment a WHERE a.id = (d).attachment_id);
COMMENT ON FUNCTION file_name(file_download) IS 'Name of the file that was downloaded, with its extension (T64)';

CREATE FUNCTION sent_to_list(m email_message, list bigint DEFAULT NULL) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM campaign_list l
               WHERE l.campaign_id = (m).campaign_id AND l.list_id = coalesce(sent_to_list.list, l.list_id));
COMMENT ON FUNCTION sent_to_list(email_message, bigint) IS
    'Did the mail''s campaign go to this mailing list; without one: to any list: sent_to_list(mail_of(new), list(''News'')) (T21, T22, T36, T37, T48, T55, T56)';

CREATE FUNCTION is_tracked(m email_message) RETURNS boolean LANGUAGE sql STABLE
RETURN CASE (m).class
    WHEN 'campaign' THEN coalesce((SELECT c.link_tracking FROM email_campaign c WHERE c.id = (m).campaign_id), true)
    WHEN 'personal' THEN (m).sent_from IN ('automation', 'deal') AND (m).mailbox_id IS NOT NULL
    ELSE false END;
COMMENT ON FUNCTION is_tracked(email_message) IS
    'Do clicks of this mail count: those of a campaign, unless its link tracking is off, and of a personal mail that a workflow or a deal sent through a connected mailbox. Not those sent from a contact, the overview, or without a mailbox (T40, T41, T46)';

CREATE FUNCTION counts_as_open(e email_event, class text DEFAULT NULL) RETURNS boolean LANGUAGE sql STABLE
RETURN CASE (e).kind
    WHEN 'open' THEN NOT (e).is_machine_open
    WHEN 'click' THEN NOT EXISTS (SELECT FROM email_event f
                                  WHERE f.message_id = (e).message_id AND f.contact_id = (e).contact_id AND f.id < (e).id
                                        AND (f.kind = 'click' OR f.kind = 'open' AND NOT f.is_machine_open))
    ELSE false END
  AND EXISTS (SELECT FROM email_message m
              WHERE m.id = (e).message_id AND m.class IN ('campaign', 'transactional', 'personal') AND m.class = coalesce(counts_as_open.class, m.class));
COMMENT ON FUNCTION counts_as_open(email_event, text) IS
    'Is it an opened campaign, transactional or personal mail, one of these classes if it is given: an open that is not a mail program''s own, or the first click of a mail that nobody was seen to open (T17, T18, T23, T29)';

CREATE FUNCTION counts_as_click(e email_event, class text DEFAULT NULL) RETURNS boolean LANGUAGE sql STABLE
RETURN (e).kind = 'click' AND is_tracked(mail_of(e)) AND (counts_as_click.class IS NULL OR counts_as_click.class = (mail_of(e)).class);
COMMENT ON FUNCTION counts_as_click(email_event, text) IS
    'Is it a click that counts (see is_tracked()), in a mail of a class (campaign, personal) if one is given. The unsubscribe link is none (T32, T33, T40, T41)';

CREATE FUNCTION counts_as_share(e email_event) RETURNS boolean LANGUAGE sql STABLE
RETURN (e).kind = 'share' AND (mail_of(e)).class = 'campaign' AND is_tracked(mail_of(e));
COMMENT ON FUNCTION counts_as_share(email_event) IS 'Is it a share of a campaign''s mail whose links are tracked (T46)';

CREATE FUNCTION counts_as_reply(m email_message, class text DEFAULT NULL) RETURNS boolean LANGUAGE sql STABLE
RETURN (m).direction = 'in'
   AND EXISTS (SELECT FROM email_message o
               WHERE o.id = (m).in_reply_to AND o.direction = 'out'
                     AND (o.class = 'campaign' OR o.class = 'personal' AND o.sent_from IN ('automation', 'deal') AND o.mailbox_id IS NOT NULL)
                     AND o.class = coalesce(counts_as_reply.class, o.class));
COMMENT ON FUNCTION counts_as_reply(email_message, text) IS
    'Is it an answer that counts: to a campaign, or to a personal mail that a workflow or a deal sent through a connected mailbox; class: to one of these two only. Not to those sent from a contact, the overview, or without a mailbox (T51, T52, T57, T58)';

CREATE FUNCTION counts_as_reply(e email_event, class text DEFAULT NULL) RETURNS boolean LANGUAGE sql STABLE
RETURN (e).kind = 'reply'
   AND EXISTS (SELECT FROM email_message o
               WHERE o.id = (e).message_id
                     AND (o.class = 'campaign' OR o.class = 'personal' AND o.sent_from IN ('automation', 'deal') AND o.mailbox_id IS NOT NULL)
                     AND o.class = coalesce(counts_as_reply.class, o.class));
COMMENT ON FUNCTION counts_as_reply(email_event, text) IS
    'The same of a reply that is known by its event only, without its text (T52)';

CREATE FUNCTION counts_as_download(d file_download) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM email_attachment a JOIN email_message m ON m.id = a.message_id
               WHERE a.id = (d).attachment_id AND m.class = 'personal' AND m.sent_from IN ('contact', 'account', 'deal') AND m.mailbox_id IS NOT NULL);
COMMENT ON FUNCTION counts_as_download(file_download) IS
    'Is it a file of a personal mail that was sent from a contact, account or deal through a connected mailbox (T62)';

-- Pages

CREATE FUNCTION url_like(url text, pattern text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT
RETURN url LIKE replace(replace(replace(replace(pattern, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%');
COMMENT ON FUNCTION url_like(text, text) IS
    'Is the address of a page this one, where each * in the pattern stands for any text: https://example.com/shop/*, https://example.com/*/test.php. Nothing else is special in it (T66, T69, T70)';

CREATE FUNCTION record_page_view(contact bigint, url text) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO page_view (contact_id, site_id, url)
    SELECT record_page_view.contact, s.id, record_page_view.url
    FROM tracking_site s, lower(substring(record_page_view.url FROM '^[A-Za-z][A-Za-z0-9+.-]*://([^/:?#]+)')) host
    WHERE host = lower(s.domain) OR right(host, length(s.domain) + 1) = '.' || lower(s.domain)
    ORDER BY length(s.domain) DESC, s.id LIMIT 1
    RETURNING id;
END;
COMMENT ON FUNCTION record_page_view(bigint, text) IS
    'Notes that a page was seen, by a contact (id) or by nobody known (NULL), if its host, or a domain above it, is in tracking_site. '
    'Returns the id of the page_view, NULL if nothing was noted (T66)';

-- Shops

CREATE FUNCTION from_shop(store bigint, VARIADIC providers text[] DEFAULT '{}') RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM store_connection s
               WHERE s.id = from_shop.store AND s.deep_data AND s.status = 'connected'
                     AND (cardinality(providers) = 0 OR s.provider = ANY (providers)));
COMMENT ON FUNCTION from_shop(bigint, text[]) IS
    'Is this store (id) connected, with all its data, and of one of the providers if any are given: from_shop(new.store_id, ''shopify'', ''woocommerce'') (T92, T96, T101, T104)';

CREATE FUNCTION has_product(o sales_order, product bigint) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM order_line l WHERE l.order_id = (o).id AND l.product_id = has_product.product);
COMMENT ON FUNCTION has_product(sales_order, bigint) IS 'Is the product (id) in the order (T94, T103)';

CREATE FUNCTION has_product(k cart, product bigint) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM cart_line l WHERE l.cart_id = (k).id AND l.product_id = has_product.product);
COMMENT ON FUNCTION has_product(cart, bigint) IS 'Is the product (id) in the cart (T98)';

CREATE FUNCTION has_category(o sales_order, category bigint) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM order_line l JOIN product p ON p.id = l.product_id WHERE l.order_id = (o).id AND p.category_id = has_category.category);
COMMENT ON FUNCTION has_category(sales_order, bigint) IS 'Is something of the product category (id) in the order (T103)';

CREATE FUNCTION has_category(k cart, category bigint) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM cart_line l JOIN product p ON p.id = l.product_id WHERE l.cart_id = (k).id AND p.category_id = has_category.category);
COMMENT ON FUNCTION has_category(cart, bigint) IS 'Is something of the product category (id) in the cart (T99)';

CREATE FUNCTION is_abandoned(k cart) RETURNS boolean LANGUAGE sql STABLE
RETURN (k).contact_id IS NOT NULL AND (k).recovered_at IS NULL AND from_shop((k).store_id)
   AND EXISTS (SELECT FROM cart_line l WHERE l.cart_id = (k).id)
   AND NOT EXISTS (SELECT FROM sales_order o WHERE o.cart_id = (k).id);
COMMENT ON FUNCTION is_abandoned(cart) IS
    'Is the cart a contact''s, of a connected shop, with something in it, and neither ordered nor recovered. For how long is for the clause to say: AT k.updated_at + interval ''1 hour'' WHEN is_abandoned(k); EXIT WHEN NOT is_abandoned(k) (T96)';

CREATE FUNCTION cart_touched() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE cart SET updated_at = automation.now()
    WHERE id IN (SELECT k.id FROM cart k WHERE k.id IN (SELECT l.cart_id FROM changed l) ORDER BY k.id FOR NO KEY UPDATE);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION cart_touched() IS 'Trigger of cart_line: what is put into a cart or taken out of it is a change of the cart, whose updated_at says when (T96)';
CREATE TRIGGER cart_touched AFTER INSERT ON cart_line REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION cart_touched();
CREATE TRIGGER cart_touched_again AFTER UPDATE ON cart_line REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION cart_touched();
CREATE TRIGGER cart_emptied AFTER DELETE ON cart_line REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION cart_touched();

CREATE FUNCTION cart_bought() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE cart SET recovered_at = automation.now() WHERE id = NEW.cart_id AND recovered_at IS NULL;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION cart_bought() IS 'Trigger of sales_order: the cart that the order was made from was bought after all, whatever the order''s status (T96)';
CREATE TRIGGER cart_bought AFTER INSERT ON sales_order FOR EACH ROW WHEN (NEW.cart_id IS NOT NULL) EXECUTE FUNCTION cart_bought();
CREATE TRIGGER cart_bought_later AFTER UPDATE OF cart_id ON sales_order
    FOR EACH ROW WHEN (NEW.cart_id IS DISTINCT FROM OLD.cart_id AND NEW.cart_id IS NOT NULL) EXECUTE FUNCTION cart_bought();

-- Feeds

CREATE FUNCTION feed_due(f rss_feed) RETURNS boolean LANGUAGE sql STABLE
RETURN (f).last_checked_at IS NULL OR (f).last_checked_at + (f).check_interval * 0.95 <= automation.now();
COMMENT ON FUNCTION feed_due(rss_feed) IS
    'Is it time to look at the feed again, by its check_interval; a twentieth of it early is in time, since a schedule is not exact to the second (T78)';

CREATE FUNCTION read_feed(f rss_feed, body text, asked_at timestamptz DEFAULT automation.now()) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO rss_item (feed_id, guid, title, link, published_at)
    SELECT (f).id, i.guid, i.title, i.link, i.published_at FROM automation.feed_items(body) i
    ON CONFLICT DO NOTHING;
    UPDATE rss_feed SET last_checked_at = asked_at WHERE id = (f).id;
END;
COMMENT ON FUNCTION read_feed(rss_feed, text, timestamptz) IS
    'Keeps the items of a feed that are new, out of the body of its answer, and notes when it was looked at: read_feed(f, reply.body, entered_at()). Of what is no feed, or NULL, there are no items (T77)';

CREATE FUNCTION has_news(f rss_feed) RETURNS boolean LANGUAGE sql STABLE
RETURN (SELECT count(*) FROM rss_item i WHERE i.feed_id = (f).id AND i.mailed_at IS NULL) >= (f).min_new_items;
COMMENT ON FUNCTION has_news(rss_feed) IS
    'Are as many items waiting as the feed asks for (min_new_items). Who tells of them sets their mailed_at (T79)';
