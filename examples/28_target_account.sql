-- 28  A field of a company changes
--
-- A bank becomes a target account: its people in France get a mail, and its owner is told. A company is marked as customer and has a deal that
-- is won: all of its people become current customers, and its owner is told; in whichever order the two happen.
--
-- Needs: a mail server (automation.mail_server).

INSERT INTO automation.template (name, about, subject, body) VALUES
('prospecting', 'contact', 'What banks do with it',
'Three examples: https://example.com/banks

{{ postal_address }}
No more mails: {{ unsubscribe_url }}')
ON CONFLICT DO NOTHING;

CREATE FUNCTION target_account(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF is_target FROM false TO true WHEN new.industry = 'banking';
BEGIN
  SEND email('prospecting', p) FROM people_of(a) p WHERE p.country = 'FR' AND NOT p.unsubscribed;
  SELECT notify(a.owner_id, a.name || ' is a target account');
END $$;

CREATE FUNCTION account_is_customer(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF customer_status TO 'customer';
  EXIT WHEN a.customer_status IS DISTINCT FROM 'customer';
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM deal d WHERE d.account_id = a.id AND d.status = 'won');
  UPDATE contact SET status = 'current customer'
  WHERE id IN (SELECT contact_id FROM account_contact WHERE account_id = a.id) AND status IS DISTINCT FROM 'current customer';
  SELECT notify(a.owner_id, a.name || ' is a customer');
END $$;
