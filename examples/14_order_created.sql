-- 14  An order is made
--
-- Thank you, by text message where there is a number, by mail otherwise; then, ten days apart, a mail about what goes with it and one
-- about the next size. If there is a place at an event among the products, a reminder the day before; if there is a course, its first and
-- second lesson.
--
-- Needs: a mail server (automation.mail_server); the server twilio; orders in sales_order, their products in order_line.

INSERT INTO product_category (name) VALUES ('Events'), ('Courses') ON CONFLICT (name) DO NOTHING;
ALTER TABLE product ADD COLUMN IF NOT EXISTS starts_at timestamptz;     -- of an event

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('order: thank you', 'contact', 'transactional', 'Thank you for order {{ order.id }}',
'Dear {{ contact.first_name | default: "customer" }},

we have it and will tell you when it leaves.'),
('event: tomorrow', 'contact', 'transactional', 'Tomorrow: {{ event }}',
'See you there.'),
('course: lesson 1', 'contact', 'transactional', 'Lesson 1',
'It takes ten minutes: https://example.com/lesson/1'),
('course: lesson 2', 'contact', 'transactional', 'Lesson 2',
'It takes ten minutes: https://example.com/lesson/2')
ON CONFLICT DO NOTHING;
INSERT INTO automation.template (name, about, subject, body) VALUES
('cross-sell', 'contact', 'What goes with it',
'Others took this, too: https://example.com/goes-with

{{ postal_address }}
No more offers: {{ unsubscribe_url }}'),
('up-sell', 'contact', 'One size larger?',
'What you get for a little more: https://example.com/larger

{{ postal_address }}
No more offers: {{ unsubscribe_url }}')
ON CONFLICT DO NOTHING;

CREATE FUNCTION order_created(c contact, o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON sales_order FOR SELECT new.contact_id, new.id;
  ENROLL ONCE PER o;
  EXIT WHEN o.status IN ('returned', 'cancelled');
BEGIN
  IF c.phone IS NOT NULL THEN
    SEND sms(c.phone, 'Thank you for order ' || o.id, class => 'transactional');
  ELSE
    SEND email('order: thank you', c, vars => jsonb_build_object('order', to_jsonb(o)));
  END IF;
  WAIT FOR '10 days';
  SEND email('cross-sell', c);
  WAIT FOR '10 days';
  SEND email('up-sell', c);
END $$;

CREATE FUNCTION event_booked(c contact, o sales_order, event text, starts_at timestamptz) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON order_line
    FOR SELECT o.contact_id, o.id, p.name, p.starts_at
        FROM sales_order o, product p
        WHERE o.id = new.order_id AND p.id = new.product_id AND p.category_id = product_category('Events') AND p.starts_at IS NOT NULL;
  ENROLL ONCE PER o, event;
  EXIT WHEN o.status IN ('returned', 'cancelled');
BEGIN
  WAIT UNTIL starts_at - interval '1 day';
  IF now() < starts_at THEN
    SEND email('event: tomorrow', c, vars => jsonb_build_object('event', event));
  END IF;
END $$;

CREATE FUNCTION course_booked(c contact, o sales_order) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON order_line
    FOR SELECT o.contact_id, o.id FROM sales_order o, product p
        WHERE o.id = new.order_id AND p.id = new.product_id AND p.category_id = product_category('Courses');
  ENROLL ONCE PER o;
  EXIT WHEN o.status IN ('returned', 'cancelled');
BEGIN
  SEND email('course: lesson 1', c);
  WAIT FOR '7 days';
  SEND email('course: lesson 2', c);
END $$;
