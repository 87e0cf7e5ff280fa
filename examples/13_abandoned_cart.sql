-- 13  An abandoned cart
--
-- Something worth at least 50 euros lies in a cart that nobody has touched for an hour: a mail and a tag; a day later an offer. Whoever orders,
-- or comes back to the cart, gets nothing more. Each change of the cart begins the hour anew.
--
-- Needs: a mail server (automation.mail_server); carts in cart, updated_at set when they change; an order with cart_id marks its cart as recovered.

INSERT INTO automation.template (name, about, subject, body) VALUES
('cart: left', 'contact', 'You left something behind',
'Your cart is waiting: https://example.com/cart

{{ postal_address }}
No more reminders: {{ unsubscribe_url }}'),
('cart: offer', 'contact', 'Ten per cent off, until tomorrow',
'With the code CART10: https://example.com/cart

{{ postal_address }}
No more reminders: {{ unsubscribe_url }}')
ON CONFLICT DO NOTHING;

CREATE FUNCTION abandoned_cart(k cart) RETURNS bigint LANGUAGE workflow AS $$
  AT k.updated_at + interval '1 hour'
    WHEN k.contact_id IS NOT NULL AND k.recovered_at IS NULL AND k.total >= 50 AND k.currency = 'EUR';
  EXIT WHEN k.recovered_at IS NOT NULL;
BEGIN
  SEND email('cart: left', p) FROM contact p WHERE p.id = k.contact_id;
  SELECT add_tag(p, 'abandoned cart') FROM contact p WHERE p.id = k.contact_id;
  WAIT UNTIL k.updated_at > entered_at() TIMEOUT '1 day';
  IF NOT FOUND THEN
    SEND email('cart: offer', p) FROM contact p WHERE p.id = k.contact_id;
  END IF;
END $$;
