-- 45  A series on Tuesdays at eleven
--
-- Whoever becomes a lead, on whichever day, gets the three mails of a promotion on Tuesdays at eleven, in the time zone of the contact.
--
-- Needs: a mail server (automation.mail_server).

INSERT INTO automation.template (name, about, subject, body)
SELECT 'promotion ' || n, 'contact', 'Tuesday, part ' || n,
'https://example.com/tuesday/' || n || '

{{ postal_address }}
No more mails: {{ unsubscribe_url }}'
FROM generate_series(1, 3) n
ON CONFLICT DO NOTHING;

CREATE FUNCTION tuesday_promotion(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
  EXIT WHEN c.unsubscribed;
  TIME ZONE c.time_zone;
DECLARE
  part int := 0;
BEGIN
  <<next>>
  part := part + 1;
  WAIT UNTIL next_time('Tuesday', '11:00');
  SEND email('promotion ' || part, c);
  GO TO next AT MOST 2 TIMES;
END $$;
