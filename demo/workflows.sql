-- A welcome series, a deal pipeline, an abandoned cart.  The waits are seconds, so that there is
-- something to watch.

-- What their mails say.
INSERT INTO automation.template (name, about, class, subject, html) VALUES
    ('welcome', 'contact', 'marketing', 'Welcome, {{ contact.first_name | default: "dear reader" }}',
     '<p>Dear {{ contact.first_name | default: "reader" }},</p><p>good to have you. Once a month we write what is new.</p>'
     '<p><a href="{{ unsubscribe_url }}">No more news</a> - {{ postal_address }}</p>'),
    ('first steps', 'contact', 'marketing', 'Which sensor is the right one, {{ contact.first_name | default: "dear reader" }}?',
     '<p>Three questions lead to the right sensor.</p><p><a href="{{ unsubscribe_url }}">No more news</a> - {{ postal_address }}</p>'),
    ('proposal', 'contact', 'transactional', 'Your proposal: {{ deal.title }}',
     '<p>Dear {{ contact.name }},</p><p>the proposal for <b>{{ deal.title }}</b> is on its way to you.</p>'),
    ('your cart', 'contact', 'transactional', 'Your cart waits for you',
     '<p>Dear {{ contact.first_name }},</p><p>{{ items }}: still in your cart, {{ total }} EUR in all.</p>'),
    ('your cart, 10 % off', 'contact', 'marketing', 'Your cart: 10 % off until tomorrow',
     '<p>{{ contact.first_name }}, take 10 % off.</p><p><a href="{{ unsubscribe_url }}">No more news</a> - {{ postal_address }}</p>');

-- Who joins the list is welcomed.  Who then looks at the prices is called, all others get a second mail.
-- Who leaves the list is out, wherever he stands.
CREATE FUNCTION welcome(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status ON list_subscription WHEN new.status = 'active' AND new.list_id = list('News')
    FOR SELECT new.contact_id;
  EXIT WHEN NOT is_subscribed(c, 'News');
BEGIN
  SEND email('welcome', c);
  SELECT add_tag(c, 'reader');
  WAIT FOR INSERT ON page_view WHEN new.contact_id = c.id AND new.url LIKE '%/pricing' TIMEOUT '3 seconds';
  IF FOUND THEN
    SELECT adjust_score(c, 20);
    SELECT add_task(c, 'Call: reads the prices', now() + interval '1 day');
  ELSE
    SEND email('first steps', c);
  END IF;
END $$;

-- A deal reaches the stage Proposal: one task after the other, until it moves on.
-- A deal that is won or lost leaves at once.
CREATE FUNCTION proposal(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF stage_id WHEN new.stage_id = stage('Sales', 'Proposal');
  ENROLL AGAIN;
  EXIT WHEN d.status <> 'open';
BEGIN
  SEND email('proposal', p, vars => jsonb_build_object('deal', d))
    FROM contact p JOIN deal_contact dc ON dc.contact_id = p.id WHERE dc.deal_id = d.id AND dc.is_primary;
  WAIT UNTIL d.stage_id = stage('Sales', 'Contract') TIMEOUT '2 seconds';
  IF FOUND THEN
    SELECT add_task(d, 'Sign the contract', now() + interval '7 days');
  ELSE
    SELECT add_task(d, 'No answer: ask for the decision', now() + interval '1 day');
  END IF;
END $$;

-- A deal is won: the resource planning gets to know it, by a signed webhook; so do the managers.
CREATE FUNCTION won(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SEND webhook('/deals', d, 'deal.won', thin => true, server => 'erp');
  SELECT add_note(d, 'won after ' || (now()::date - d.created_at::date) || ' days');
  SELECT notify_team('Managers', d.title || ' is won: ' || round(d.value) || ' ' || d.currency);
END $$;

-- A cart that nobody has touched for two seconds; what is ordered is not abandoned.
CREATE FUNCTION abandoned_cart(k cart) RETURNS bigint LANGUAGE workflow AS $$
  AT k.updated_at + interval '2 seconds' WHEN k.recovered_at IS NULL AND k.total >= 50;
  EXIT WHEN EXISTS (SELECT FROM sales_order o WHERE o.cart_id = k.id);
DECLARE
  items text;
BEGIN
  SELECT string_agg(p.name, ', ' ORDER BY p.id) INTO items FROM cart_line l JOIN product p ON p.id = l.product_id WHERE l.cart_id = k.id;
  SEND email('your cart', p, vars => jsonb_build_object('items', items, 'total', round(k.total, 2))) FROM contact p WHERE p.id = k.contact_id;
  SELECT add_tag(p, 'abandoned cart') FROM contact p WHERE p.id = k.contact_id;
  WAIT FOR '3 seconds';
  SEND email('your cart, 10 % off', p) FROM contact p WHERE p.id = k.contact_id;
END $$;
