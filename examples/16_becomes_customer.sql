-- 16  A field of a contact changes
--
-- The lifecycle goes from lead to customer: whoever looks after the contact and the managers are told, the contact gets points, and a
-- series begins. Other ways to become a customer are not meant.
--
-- Needs: a mail server (automation.mail_server); a team Managers.

INSERT INTO team (name) VALUES ('Managers') ON CONFLICT (name) DO NOTHING;

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('became customer: one', 'contact', 'transactional', 'Now you are one of us',
'Dear {{ contact.first_name | default: "customer" }},

this is how to reach us: https://example.com/contact'),
('became customer: two', 'contact', 'transactional', 'How are you getting on?',
'Just answer this mail.')
ON CONFLICT DO NOTHING;

CREATE FUNCTION becomes_customer(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle FROM 'lead' TO 'customer';
BEGIN
  SELECT notify(c.owner_id, name_of(c) || ' is a customer now');
  SELECT notify_team('Managers', name_of(c) || ' is a customer now');
  SELECT adjust_score(c, 50);
  SEND email('became customer: one', c);
  WAIT FOR '7 days';
  SEND email('became customer: two', c);
END $$;
