-- 11  A page is visited
--
-- Somebody looks at the prices: points, a tag for the interest, and two hours later a mail that offers help; all of that once in 30 days at
-- most, however many pages are looked at.
--
-- Needs: a mail server (automation.mail_server); visits of known contacts in page_view.

INSERT INTO automation.template (name, about, subject, body) VALUES
('pricing: questions', 'contact', 'Questions about the prices?',
'Just answer this mail, or look at https://example.com/questions

{{ postal_address }}
No more mails: {{ unsubscribe_url }}')
ON CONFLICT DO NOTHING;

CREATE FUNCTION page_visit(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON page_view
    WHEN new.contact_id IS NOT NULL AND (new.url LIKE 'https://example.com/pricing%' OR new.url LIKE 'https://example.com/%/prices.html')
    FOR SELECT new.contact_id;
  ENROLL AGAIN AFTER '30 days';
BEGIN
  SELECT adjust_score(c, 3);
  SELECT add_tag(c, 'interest: pricing');
  WAIT FOR '2 hours';
  SEND email('pricing: questions', c);
END $$;
