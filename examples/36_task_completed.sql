-- 36  A call is done
--
-- Nobody answered: another call tomorrow, three times at most. It went well: points for the contact and a line in a sheet.
--
-- Needs: the server google_sheets.

CREATE FUNCTION call_done(a activity) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF status TO 'done' WHEN new.type = 'call';
BEGIN
  IF a.outcome = 'no answer' AND (SELECT count(*) FROM activity b
                                  WHERE b.contact_id = a.contact_id AND b.title = a.title AND b.outcome = 'no answer') <= 3 THEN
    INSERT INTO activity (type, title, contact_id, deal_id, assignee_id, due_at, source)
    VALUES ('call', a.title, a.contact_id, a.deal_id, a.assignee_id, now() + interval '1 day', 'automation');
  ELSIF a.outcome = 'positive' THEN
    SELECT adjust_score(c, 10) FROM contact c WHERE c.id = a.contact_id;
    SEND google_sheet_append('Calls', jsonb_build_array(name_of(c), c.email, a.title, to_char(now(), 'YYYY-MM-DD')))
    FROM contact c WHERE c.id = a.contact_id;
  END IF;
END $$;
