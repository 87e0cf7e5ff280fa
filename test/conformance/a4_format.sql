-- Values that are copied, extracted, formatted, calculated.

-- A58, a field of the contact into another of his, and into his deals
CREATE FUNCTION a58(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
  ENROLL AGAIN;
BEGIN
  SELECT copy_property(c, 'company_name', 'custom.bill to');
  SELECT copy_property(c, 'phone', 'deal', 'custom.phone');
END $$;
CREATE FUNCTION a58_changed(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF custom;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('A58', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
UPDATE contact SET company_name = 'Acme', phone = '+331' WHERE id IN (:ann, :bob);
SELECT new_deal('Hers', 'Sales', 'New', :ann) AS hers, new_deal('His', 'Sales', 'New', :bob) AS his \gset
UPDATE contact SET lifecycle = 'customer' WHERE id = :ann;
CALL automation.run();
SELECT conformance.yes('A58', 'on the contact', (SELECT custom = '{"bill to": "Acme"}' FROM contact WHERE id = :ann));
SELECT conformance.yes('A58', 'on the deal', (SELECT custom = '{"phone": "+331"}' FROM deal WHERE id = :hers));
SELECT conformance.no('A58', 'somebody else''s', (SELECT custom <> '{}' FROM contact WHERE id = :bob) OR (SELECT custom <> '{}' FROM deal WHERE id = :his));
UPDATE contact SET lifecycle = 'lead' WHERE id = :ann;
UPDATE contact SET lifecycle = 'customer' WHERE id = :ann;
CALL automation.run();
SELECT conformance.no('A58', 'an event where both are the same', conformance.hits('A58', :ann) <> 1);
SELECT conformance.refused('A58', 'a date into a number', $$ SELECT copy_property(c, 'birthday', 'score') FROM contact c $$,
    'property "birthday" of contact, which is date, cannot be copied to property "score" of contact, which is integer');
DROP FUNCTION a58, a58_changed;

-- A59, A60, A61, the number and the address out of a text, each written in one way
CREATE FUNCTION a59(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF custom WHEN new.custom ->> 'remarks' IS DISTINCT FROM old.custom ->> 'remarks';
  ENROLL AGAIN;
BEGIN
  IF extract_phone(c.custom ->> 'remarks') IS NOT NULL THEN
    SELECT set_property(c, 'phone', extract_phone(c.custom ->> 'remarks', country => '33'));
  END IF;
  IF extract_url(c.custom ->> 'remarks') IS NOT NULL THEN
    SELECT set_property(c, 'website', extract_url(c.custom ->> 'remarks'));
  END IF;
END $$;
CREATE FUNCTION a59_account(a account) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF phone WHEN extract_phone(new.phone, country => '33') <> new.phone;
  ENROLL AGAIN;
BEGIN
  SELECT set_property(a, 'phone', extract_phone(a.phone, country => '33'));
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob, new_contact('Cid') AS cid \gset
INSERT INTO account (name, phone) VALUES ('Acme', NULL) RETURNING id AS acme \gset
UPDATE contact SET phone = '+3399' WHERE id = :cid;
UPDATE contact SET custom = '{"remarks": "ring 01.23.45.67.89 (not before 9), see HTTPS://WWW.Acme.example/Team."}' WHERE id = :ann;
UPDATE contact SET custom = '{"remarks": "first met on 2026-01-15"}' WHERE id IN (:bob, :cid);
UPDATE account SET phone = '+33 (0)1 98 76 54 32' WHERE id = :acme;
CALL automation.run();
SELECT conformance.yes('A59', 'both, out of one text', (SELECT phone = '+33123456789' AND website = 'https://www.acme.example/Team' FROM contact WHERE id = :ann));
SELECT conformance.yes('A59', 'a field of the account, in place', (SELECT phone = '+33198765432' FROM account WHERE id = :acme));
SELECT conformance.no('A59', 'a date is no number', (SELECT phone IS NOT NULL OR website IS NOT NULL FROM contact WHERE id = :bob));
SELECT conformance.no('A59', 'the number that is there, where the text has none', (SELECT phone <> '+3399' FROM contact WHERE id = :cid));
SELECT conformance.yes('A60', 'numbers as people write them', (SELECT bool_and(extract_phone(said, '44') = '+442079460958')
    FROM unnest('{"+44 20 7946 0958", "tel: 0044 (20) 7946-0958", "Call 020 7946 0958.", "on 12.01.2026: 020-7946-0958", "+44 (0)20 7946 0958 or 0161 496 0000"}'::text[]) said));
SELECT conformance.yes('A60', 'no country, no guess', extract_phone('020 7946 0958') = '02079460958');
SELECT conformance.no('A60', 'what only looks like one', (SELECT bool_or(extract_phone(said) IS NOT NULL)
    FROM unnest('{"room 12345", "12/01/2026", "order A1234567", "https://acme.example/12345678", "12345678@acme.example", "12345678901234567", ""}'::text[]) said)
    OR extract_phone(NULL) IS NOT NULL);
SELECT conformance.yes('A61', 'addresses as people write them', (SELECT bool_and(extract_url(said) = 'https://www.acme.example/a?b=C')
    FROM unnest('{"https://www.acme.example/a?b=C", "Look (www.ACME.example/a?b=C)!", "<a href=\"HTTPS://www.Acme.example/a?b=C\">here</a>", "www.acme.example/a?b=C, and http://other.example"}'::text[]) said));
SELECT conformance.no('A61', 'what only looks like one', (SELECT bool_or(extract_url(said) IS NOT NULL)
    FROM unnest('{"ann@www.acme.example", "and so on...", "ftp://acme.example", ""}'::text[]) said) OR extract_url(NULL) IS NOT NULL);
DROP FUNCTION a59, a59_account;

-- A62, names in capitals, into the same field or into another
CREATE FUNCTION a62(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF last_name WHEN new.last_name IS NOT NULL;
  ENROLL AGAIN;
BEGIN
  SELECT set_property(c, 'last_name', capitalise(c.last_name));
  SELECT set_property(c, 'custom.sort by', upper(c.last_name));
END $$;
CREATE FUNCTION a62_deal(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SELECT set_property(d, 'title', upper(d.title));
END $$;
INSERT INTO contact (last_name) VALUES ('o''neil-smith') RETURNING id AS ann \gset
INSERT INTO contact (last_name) VALUES ('McAdam') RETURNING id AS bob \gset
INSERT INTO contact (first_name) VALUES ('cid') RETURNING id AS cid \gset
SELECT new_deal('big one') AS deal \gset
CALL automation.run();
SELECT conformance.yes('A62', 'the first letters, and all of them elsewhere', (SELECT last_name = 'O''Neil-Smith' AND custom ->> 'sort by' = 'O''NEIL-SMITH' FROM contact WHERE id = :ann));
SELECT conformance.yes('A62', 'a field of a deal', (SELECT title = 'BIG ONE' FROM deal WHERE id = :deal));
SELECT conformance.no('A62', 'letters that were capitals', (SELECT last_name <> 'McAdam' FROM contact WHERE id = :bob));
SELECT conformance.no('A62', 'another field, where this is empty', (SELECT first_name <> 'cid' OR custom <> '{}' FROM contact WHERE id = :cid));
DROP FUNCTION a62, a62_deal;

-- A63, days more and days less, from a date of the record or one that is given
CREATE FUNCTION a63(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'customer';
BEGIN
  SELECT set_property(c, 'custom.remind on', c.renewal_date - 14);
  SELECT set_property(c, 'renewal_date', c.renewal_date + 365);
  SELECT set_property(c, 'custom.trial until', date '2026-03-01' + 30);
  SELECT set_property(c, 'demo_at', c.demo_at + interval '2 days');
END $$;
CREATE FUNCTION a63_deal(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'lost';
BEGIN
  SELECT set_property(d, 'expected_close_date', d.expected_close_date + 90);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
SELECT new_deal('Late') AS deal \gset
UPDATE contact SET renewal_date = '2026-03-05', demo_at = '2026-02-27 10:00' WHERE id = :ann;
UPDATE deal SET expected_close_date = '2026-12-31', status = 'lost' WHERE id = :deal;
UPDATE contact SET lifecycle = 'customer' WHERE id IN (:ann, :bob);
CALL automation.run();
SELECT conformance.yes('A63', 'of the record', (SELECT renewal_date = '2027-03-05' AND demo_at = '2026-03-01 10:00' AND custom ->> 'remind on' = '2026-02-19' FROM contact WHERE id = :ann));
SELECT conformance.yes('A63', 'given', (SELECT custom ->> 'trial until' = '2026-03-31' FROM contact WHERE id = :ann));
SELECT conformance.yes('A63', 'of a deal', (SELECT expected_close_date = '2027-03-31' FROM deal WHERE id = :deal));
SELECT conformance.no('A63', 'days from a date that is not there', (SELECT renewal_date IS NOT NULL OR custom ? 'remind on' FROM contact WHERE id = :bob));
SELECT conformance.refused('A63', 'no date', $$ SELECT set_property(c, 'renewal_date', 'soon') FROM contact c $$, 'invalid input syntax for type date: "soon"');
DROP FUNCTION a63, a63_deal;

-- A64, calculations in place and from one field into another: of contacts, accounts, deals
CREATE FUNCTION a64(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'won';
BEGIN
  SELECT calculate_property(d, 'value', '*', 1.2);
  SELECT set_property(d, 'custom.commission', round(d.value * 0.05, 2));
  SELECT increase_property(a, 'order_count') FROM account a WHERE a.id = d.account_id;
  SELECT calculate_property(c, 'custom.spent', '+', d.value) FROM contact c JOIN deal_contact dc ON dc.contact_id = c.id WHERE dc.deal_id = d.id;
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO account (name, order_count) VALUES ('Acme', 2) RETURNING id AS acme \gset
SELECT new_deal('Big', 'Sales', 'New', :ann) AS big, new_deal('Small', 'Sales', 'New', :bob) AS small, new_deal('Unknown') AS unknown \gset
UPDATE deal SET account_id = :acme WHERE id = :big;
UPDATE deal SET value = NULL WHERE id = :unknown;
UPDATE deal SET status = 'won' WHERE id IN (:big, :unknown);
CALL automation.run();
SELECT conformance.yes('A64', 'of the deal', (SELECT value = 1200 AND custom = '{"commission": 60.00}' FROM deal WHERE id = :big));
SELECT conformance.yes('A64', 'of the account', (SELECT order_count = 3 FROM account WHERE id = :acme));
SELECT conformance.yes('A64', 'of the contact, where there was nothing', (SELECT custom = '{"spent": 1200}' FROM contact WHERE id = :ann));
SELECT conformance.no('A64', 'a deal that is not won', (SELECT value <> 1000 FROM deal WHERE id = :small));
SELECT conformance.no('A64', 'a product with what is not known', (SELECT value IS NOT NULL OR custom <> '{}' FROM deal WHERE id = :unknown));
SELECT conformance.refused('A64', 'a text', $$ SELECT calculate_property(c, 'city', '+', 1) FROM contact c $$, 'property "city" of contact is not a number');
DROP FUNCTION a64;

-- A65, the four operations; by nothing is not divided
CREATE FUNCTION a65(d deal, operator text, by numeric) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN PER d, operator;
BEGIN
  SELECT calculate_property(d, 'value', operator, by);
END $$;
SELECT new_deal('Plus') AS plus, new_deal('Minus') AS minus, new_deal('Times') AS times, new_deal('Over') AS over, new_deal('Nothing') AS nothing, new_deal('Power') AS power \gset
SELECT a65(d, o.operator, o.by) FROM deal d JOIN (VALUES ('Plus', '+', 250), ('Minus', '-', 250), ('Times', '*', 1.5), ('Over', '/', 8), ('Nothing', '/', 0), ('Power', '^', 2)) o (title, operator, by) USING (title);
CALL automation.run();
SELECT conformance.yes('A65', 'add, subtract, multiply, divide', (SELECT array_agg(value::int ORDER BY id) = '{1250,750,1500,125}' FROM deal WHERE id IN (:plus, :minus, :times, :over)));
SELECT conformance.no('A65', 'a division by 0', (SELECT value <> 1000 FROM deal WHERE id = :nothing));
SELECT conformance.no('A65', 'another operation', (SELECT value <> 1000 FROM deal WHERE id = :power));
SELECT conformance.yes('A65', 'and the step says so', (SELECT bool_or(detail::text LIKE '%there is no operator%') FROM automation.journal j WHERE workflow = 'a65' AND subject = 'deal ' || :power));
SELECT conformance.no('A65', 'a quotient of a division by 0', calculate(5, '/', 0) IS NOT NULL);
DROP FUNCTION a65;

-- A66, fields of deals are for those who may write deals
CREATE FUNCTION a66(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF owner_id;
  ENROLL AGAIN;
BEGIN
  SELECT calculate_property(d, 'score', '+', 1);
END $$;
SELECT new_contact('Ann') AS ann, new_deal('Big') AS big \gset
REVOKE UPDATE ON deal FROM app;
SELECT conformance.refused('A66', 'without the right', $$ SELECT calculate_property(d, 'value', '*', 2) FROM deal d $$, 'permission denied for table deal');
SELECT conformance.yes('A66', 'contacts are another matter', (SELECT calculate_property(c, 'score', '+', 1) = 1 FROM contact c WHERE id = :ann));
GRANT UPDATE ON deal TO app;
UPDATE deal SET owner_id = 2 WHERE id = :big;
REVOKE UPDATE ON deal FROM app;
CALL automation.run();
SELECT conformance.no('A66', 'a step without the right', (SELECT score <> 0 FROM deal WHERE id = :big));
GRANT UPDATE ON deal TO app;
CALL automation.advance('1 hour');
SELECT conformance.yes('A66', 'the step is tried again, with the right', (SELECT score = 1 FROM deal WHERE id = :big));
DROP FUNCTION a66;
