-- Shops: purchases, carts, orders, recurring payments.

CREATE FUNCTION who(case_id text) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(c.first_name ORDER BY c.first_name, h.n), '{}') FROM conformance.hit h JOIN contact c ON c.id = h.key::bigint WHERE h.id = case_id AND h.what IS DISTINCT FROM 'reminded';
$$;
-- An order with its lines, as a connected shop writes it; a cart.
CREATE FUNCTION new_order(who text, shop text DEFAULT 'Shop', status text DEFAULT 'completed', total numeric DEFAULT 10, products text[] DEFAULT '{product 1}', currency text DEFAULT 'EUR')
RETURNS bigint LANGUAGE sql AS $$
    WITH o AS (INSERT INTO sales_order (contact_id, store_id, status, total, currency) VALUES (new_contact(who), store(shop), status, total, currency) RETURNING id),
         l AS (INSERT INTO order_line (order_id, product_id) SELECT o.id, product(p) FROM o, unnest(products) p)
    SELECT id FROM o;
$$;
CREATE FUNCTION new_cart(who text, shop text DEFAULT 'Shop', total numeric DEFAULT 10, products text[] DEFAULT '{product 1}', currency text DEFAULT 'EUR')
RETURNS bigint LANGUAGE sql AS $$
    WITH k AS (INSERT INTO cart (contact_id, store_id, total, currency) VALUES (new_contact(who), store(shop), total, currency) RETURNING id),
         l AS (INSERT INTO cart_line (cart_id, product_id) SELECT k.id, product(p) FROM k, unnest(products) p)
    SELECT id FROM k;
$$;
INSERT INTO store_connection (name, provider, deep_data, status) VALUES
    ('Till', 'api', false, 'connected'), ('Old shop', 'shopify', true, 'disconnected'), ('Third shop', 'bigcommerce', true, 'connected'), ('PayPal', 'paypal', true, 'connected');

-- T92, T93, a purchase: any order of a connected shop; T95, whatever its status
CREATE FUNCTION t92(c contact, o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order WHEN from_shop(new.store_id) FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER o;
BEGIN
  SELECT conformance.hit('T92', c.id);
  SELECT conformance.hit('T93', c.id);
  SELECT conformance.hit('T95', c.id, o.status);
END $$;
-- thanks only for what is paid, now or later
CREATE FUNCTION t95_paid(c contact, o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status TO 'completed' ON sales_order FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER o;
BEGIN
  SELECT conformance.hit('T95', c.id, 'paid');
END $$;
-- T94, a product
CREATE FUNCTION t94(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order WHEN from_shop(new.store_id) AND has_product(new, product('product 2')) FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T94', c.id);
END $$;
-- the same of a shop that sends the lines later than the order
CREATE FUNCTION t94_line(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON order_line WHEN new.product_id = product('product 3')
    FOR SELECT o.contact_id FROM sales_order o WHERE o.id = new.order_id AND from_shop(o.store_id);
BEGIN
  SELECT conformance.hit('T94', c.id, 'line');
END $$;
SELECT new_order('paid') AS paid \gset
SELECT new_order('waiting', status => 'pending') AS waiting \gset
SELECT new_order('failed', status => 'failed');
SELECT new_order('two things', products => '{product 1,product 2}');
SELECT new_order('at the till', 'Till') AS till \gset
SELECT new_order('of the old shop', 'Old shop', products => '{product 2}');
SELECT new_cart('only looks', products => '{product 2}') AS looks \gset
INSERT INTO sales_order (store_id) VALUES (store('Shop'));
CALL automation.run();
SELECT conformance.yes('T92', 'an order of a connected shop', who('T92') @> '{paid}');
SELECT conformance.no('T92', 'no connected shop, no order', who('T92') && '{"at the till","of the old shop","only looks"}');
SELECT conformance.yes('T93', 'any order', who('T93') = '{failed,paid,"two things",waiting}');
SELECT conformance.no('T93', 'an order of nobody we know', cardinality(conformance.hits('T93')) > 4);
SELECT conformance.yes('T94', 'with the product', who('T94') = '{"two things"}');
SELECT conformance.no('T94', 'without it, or in a cart', who('T94') && '{paid,"only looks","of the old shop"}');
INSERT INTO order_line (order_id, product_id) VALUES (:paid, product('product 3')), (:till, product('product 3'));
CALL automation.run();
SELECT conformance.yes('T94', 'a line that comes later', (SELECT count(*) = 1 FROM conformance.hit WHERE id = 'T94' AND what = 'line'));
SELECT conformance.no('T94', 'a later line of no connected shop', who('T94') && '{"at the till"}');
SELECT conformance.yes('T95', 'paid, pending, failed', (SELECT array_agg(DISTINCT what) FROM conformance.hit WHERE id = 'T95' AND what <> 'paid') = '{completed,failed,pending}');
SELECT conformance.no('T95', 'thanks for what is not paid', EXISTS (SELECT FROM conformance.hit h JOIN contact c ON c.id = h.key::bigint
    WHERE h.id = 'T95' AND what = 'paid' AND c.first_name IN ('waiting', 'failed')));
UPDATE sales_order SET status = 'completed' WHERE id = :waiting;
CALL automation.run();
SELECT conformance.yes('T95', 'thanks when it is paid', EXISTS (SELECT FROM conformance.hit h JOIN contact c ON c.id = h.key::bigint
    WHERE h.id = 'T95' AND what = 'paid' AND c.first_name = 'waiting'));
SELECT conformance.no('T92', 'the same order again', (SELECT count(*) FROM unnest(who('T92')) n WHERE n = 'waiting') > 1);
DELETE FROM cart WHERE id = :looks;
DROP FUNCTION t92, t94, t94_line, t95_paid;

-- T96, a cart is left: nothing happened to it for an hour, and nothing was bought
CREATE FUNCTION t96(k cart) RETURNS bigint LANGUAGE workflow AS $$
  AT k.updated_at + interval '1 hour' WHEN is_abandoned(k);
  EXIT WHEN NOT is_abandoned(k);
BEGIN
  SELECT conformance.hit('T96', k.contact_id);
  WAIT FOR '1 day';
  SELECT conformance.hit('T96', k.contact_id, 'reminded');
END $$;
-- T97, in one shop
CREATE FUNCTION t97(k cart) RETURNS bigint LANGUAGE workflow AS $$
  AT k.updated_at + interval '1 hour' WHEN is_abandoned(k) AND k.store_id = store('Second shop');
BEGIN
  SELECT conformance.hit('T97', k.contact_id);
END $$;
-- T98, with a product
CREATE FUNCTION t98(k cart) RETURNS bigint LANGUAGE workflow AS $$
  AT k.updated_at + interval '1 hour' WHEN is_abandoned(k) AND has_product(k, product('product 2'));
BEGIN
  SELECT conformance.hit('T98', k.contact_id);
END $$;
-- T99, with something of a category
CREATE FUNCTION t99(k cart) RETURNS bigint LANGUAGE workflow AS $$
  AT k.updated_at + interval '1 hour' WHEN is_abandoned(k) AND has_category(k, product_category('category 4'));
BEGIN
  SELECT conformance.hit('T99', k.contact_id);
END $$;
-- T100, of a value
CREATE FUNCTION t100(k cart) RETURNS bigint LANGUAGE workflow AS $$
  AT k.updated_at + interval '1 hour' WHEN is_abandoned(k) AND k.total >= 50 AND k.currency = 'EUR';
BEGIN
  SELECT conformance.hit('T100', k.contact_id);
END $$;
SELECT new_cart('leaves');
SELECT new_cart('second shop', 'Second shop');
SELECT new_cart('second product', products => '{product 2}');
SELECT new_cart('category', products => '{product 1,product 3}');
SELECT new_cart('fifty', total => 50);
SELECT new_cart('dollars', total => 80, currency => 'USD');
-- bought, come back to, empty, at the till; anonymous
SELECT new_cart('buys') AS buys, new_cart('goes on') AS goes_on, new_cart('comes back', 'Second shop', 100, '{product 2,product 3}') AS back \gset
SELECT new_cart('empty', products => '{}');
SELECT new_cart('till', 'Till');
INSERT INTO cart (store_id, total) VALUES (store('Shop'), 100) RETURNING id AS nobody \gset
INSERT INTO cart_line (cart_id, product_id) VALUES (:nobody, product('product 2'));
CALL automation.run();
CALL automation.advance('50 minutes');
SELECT conformance.no('T96', 'before the hour is over', cardinality(conformance.hits('T96')) > 0);
INSERT INTO sales_order (contact_id, store_id, cart_id, status) SELECT contact_id, store_id, id, 'pending' FROM cart WHERE id = :buys;
INSERT INTO cart_line (cart_id, product_id) VALUES (:goes_on, product('product 5'));
UPDATE cart SET recovered_at = automation.now() WHERE id = :back;
CALL automation.run();
SELECT conformance.yes('T96', 'the order ends the cart', (SELECT recovered_at IS NOT NULL FROM cart WHERE id = :buys));
SELECT conformance.no('T96', 'something put into it does', (SELECT recovered_at IS NOT NULL FROM cart WHERE id = :goes_on));
CALL automation.advance('20 minutes');
SELECT conformance.yes('T96', 'an hour later', who('T96') = '{category,dollars,fifty,leaves,"second product","second shop"}');
SELECT conformance.no('T96', 'bought, come back to, empty, of no connected shop', who('T96') && '{buys,"comes back",empty,till}');
SELECT conformance.no('T96', 'put something in meanwhile', who('T96') && '{"goes on"}');
SELECT conformance.yes('T97', 'the shop', who('T97') = '{"second shop"}');
SELECT conformance.no('T97', 'another shop', who('T97') && '{leaves,fifty}');
SELECT conformance.yes('T98', 'the product', who('T98') = '{"second product"}');
SELECT conformance.no('T98', 'another product', who('T98') && '{leaves,category}');
SELECT conformance.yes('T99', 'the category', who('T99') = '{category}');
SELECT conformance.no('T99', 'another category', who('T99') && '{leaves,"second product"}');
SELECT conformance.yes('T100', 'the value', who('T100') = '{fifty}');
SELECT conformance.no('T100', 'less, or another currency', who('T100') && '{leaves,dollars}');
CALL automation.advance('50 minutes');
SELECT conformance.no('T97', 'a cart that somebody has come back to', who('T97') && '{"comes back"}');
SELECT conformance.no('T98', 'a cart that somebody has come back to', who('T98') && '{"comes back"}');
SELECT conformance.no('T99', 'a cart that somebody has come back to', who('T99') && '{"comes back"}');
SELECT conformance.no('T100', 'a cart that somebody has come back to', who('T100') && '{"comes back"}');
SELECT conformance.yes('T96', 'an hour after the last thing was put in', who('T96') @> '{"goes on"}');
SELECT conformance.no('T96', 'bought, an hour after the order', who('T96') && '{buys}');
-- who buys after all is left alone, the others hear of it again
INSERT INTO sales_order (contact_id, store_id, cart_id) SELECT k.contact_id, k.store_id, k.id FROM cart k JOIN contact c ON c.id = k.contact_id WHERE c.first_name = 'fifty';
CALL automation.run();
CALL automation.advance('1 day');
SELECT conformance.yes('T96', 'reminded a day later', (SELECT count(*) FROM conformance.hit WHERE id = 'T96' AND what = 'reminded') = cardinality(who('T96')) - 1);
SELECT conformance.no('T96', 'reminded after the order', EXISTS (SELECT FROM conformance.hit h JOIN contact c ON c.id = h.key::bigint
    WHERE h.id = 'T96' AND what = 'reminded' AND c.first_name = 'fifty'));
DROP FUNCTION t96, t97, t98, t99, t100;

-- T101, T102, an order is created: all orders of a Shopify or WooCommerce shop
CREATE FUNCTION t101(c contact, o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order WHEN from_shop(new.store_id, 'shopify', 'woocommerce') FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER o;
BEGIN
  SELECT conformance.hit('T101', c.id);
  SELECT conformance.hit('T102', c.id);
END $$;
-- T103, orders of a segment
CREATE FUNCTION t103(c contact, o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order
    WHEN from_shop(new.store_id, 'shopify', 'woocommerce') AND new.total > 100 AND new.currency = 'EUR'
         AND has_category(new, product_category('category 2'))
    FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER o;
BEGIN
  SELECT conformance.hit('T103', c.id);
END $$;
SELECT new_order('shopify') AS shopify \gset
SELECT new_order('woocommerce', 'Second shop', 'pending');
SELECT new_order('large', total => 200);
SELECT new_order('large, other things', total => 200, products => '{product 2}');
SELECT new_order('third shop', 'Third shop', total => 200);
SELECT new_order('large, in dollars', total => 200, currency => 'USD');
CALL automation.run();
UPDATE sales_order SET total = 300 WHERE id = :shopify;
CALL automation.run();
SELECT conformance.yes('T101', 'both kinds of shop', who('T101') @> '{shopify,woocommerce}');
SELECT conformance.no('T101', 'another kind of shop', who('T101') && '{"third shop"}');
SELECT conformance.yes('T102', 'all orders', who('T102') = '{large,"large, in dollars","large, other things",shopify,woocommerce}');
SELECT conformance.no('T102', 'a change of an order', (SELECT count(*) FROM unnest(who('T102')) n WHERE n = 'shopify') > 1);
SELECT conformance.yes('T103', 'the segment', who('T103') = '{large}');
SELECT conformance.no('T103', 'too small, other things, another currency, another shop', who('T103') && '{shopify,"large, other things","large, in dollars","third shop"}');
DROP FUNCTION t101, t103;

-- T104, an order goes from one status to another
CREATE FUNCTION t104(c contact, o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'completed' TO 'returned' ON sales_order WHEN from_shop(new.store_id, 'shopify', 'woocommerce')
    FOR SELECT new.contact_id, new.id;
  ENROLL AGAIN PER o;
BEGIN
  SELECT conformance.hit('T104', c.id);
END $$;
SELECT new_order('returns') AS returns, new_order('returns unpaid', status => 'pending') AS unpaid, new_order('keeps') AS keeps,
       new_order('returns to the third', 'Third shop') AS third, new_order('returned at once', status => 'returned') AS born,
       new_order('cancels') AS cancels \gset
CALL automation.run();
UPDATE sales_order SET status = 'returned' WHERE id IN (:returns, :unpaid, :third);
UPDATE sales_order SET total = 0 WHERE id = :keeps;
UPDATE sales_order SET status = 'cancelled' WHERE id = :cancels;
CALL automation.run();
SELECT conformance.yes('T104', 'from completed to returned', who('T104') = '{returns}');
SELECT conformance.no('T104', 'from or to another status, another field, another kind of shop, or new', who('T104')
    && '{"returns unpaid",keeps,cancels,"returns to the third","returned at once"}');
UPDATE sales_order SET status = 'completed' WHERE id = :returns;
UPDATE sales_order SET status = 'returned' WHERE id = :returns;
UPDATE sales_order SET status = 'returned' WHERE id = :returns;
CALL automation.run();
SELECT conformance.yes('T104', 'the same way again', who('T104') = '{returns,returns}');
DROP FUNCTION t104;

-- T105, T106, a recurring payment is created: any, of the services that have them
CREATE FUNCTION t105(c contact, r recurring_payment) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON recurring_payment WHEN new.provider IN ('paypal', 'woocommerce', 'api') FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER r;
BEGIN
  SELECT conformance.hit('T105', c.id);
  SELECT conformance.hit('T106', c.id);
END $$;
-- T107, of a segment
CREATE FUNCTION t107(c contact, r recurring_payment) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON recurring_payment WHEN new.amount >= 20 AND new.currency = 'EUR' AND new.every = '1 month' FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER r;
BEGIN
  SELECT conformance.hit('T107', c.id);
END $$;
-- T108, it goes from one status to another
CREATE FUNCTION t108(c contact, r recurring_payment) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status FROM 'active' TO 'failed' ON recurring_payment FOR SELECT new.contact_id, new.id;
  ENROLL AGAIN PER r;
BEGIN
  SELECT conformance.hit('T108', c.id);
END $$;
CREATE FUNCTION pays(who text, provider text, amount numeric, every interval DEFAULT '1 month', status text DEFAULT 'active') RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO recurring_payment (contact_id, provider, amount, every, status) VALUES (new_contact(who), provider, amount, every, status) RETURNING id;
$$;
SELECT pays('paypal', 'paypal', 20) AS paypal, pays('yearly', 'woocommerce', 200, '1 year') AS yearly, pays('small', 'api', 5) AS small,
       pays('elsewhere', 'stripe', 5) AS elsewhere, pays('failed at once', 'paypal', 5, status => 'failed') AS born \gset
CALL automation.run();
SELECT conformance.yes('T105', 'a new one', who('T105') @> '{paypal,yearly}');
SELECT conformance.no('T105', 'of another service', who('T105') && '{elsewhere}');
SELECT conformance.yes('T106', 'each', who('T106') = '{"failed at once",paypal,small,yearly}');
SELECT conformance.yes('T107', 'the segment', who('T107') = '{paypal}');
SELECT conformance.no('T107', 'less, or yearly', who('T107') && '{small,yearly}');
UPDATE recurring_payment SET status = 'failed' WHERE id IN (:paypal, :elsewhere);
UPDATE recurring_payment SET status = 'cancelled' WHERE id = :yearly;
UPDATE recurring_payment SET amount = 6 WHERE id = :small;
UPDATE recurring_payment SET status = 'failed' WHERE id = :born;
CALL automation.run();
SELECT conformance.yes('T108', 'from active to failed', who('T108') = '{elsewhere,paypal}');
SELECT conformance.no('T108', 'another end, another field, no change', who('T108') && '{yearly,small,"failed at once"}');
SELECT conformance.no('T106', 'a change of one', cardinality(conformance.hits('T106')) > 4);
UPDATE recurring_payment SET status = 'active' WHERE id = :paypal;
CALL automation.run();
SELECT conformance.no('T108', 'the way back', cardinality(conformance.hits('T108')) > 2);
DROP FUNCTION t105, t107, t108;
