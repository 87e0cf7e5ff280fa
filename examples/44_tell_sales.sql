-- 44  Who has to know of a form, or of a page
--
-- The form Demo: whoever looks after the contact is told; if nobody does, the managers. A page of the help: the team Support, once a day at most for each
-- person.
--
-- Needs: teams Managers and Support; visits of known contacts in page_view.

INSERT INTO team (name) VALUES ('Managers'), ('Support') ON CONFLICT (name) DO NOTHING;
INSERT INTO form (name) VALUES ('Demo') ON CONFLICT (name) DO NOTHING;

CREATE FUNCTION tell_sales(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON form_submission WHEN new.form_id = form('Demo') AND new.contact_id IS NOT NULL FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  IF c.owner_id IS NOT NULL THEN
    SELECT notify(c.owner_id, 'demo form: ' || name_of(c));
  ELSE
    SELECT notify_team('Managers', 'demo form of somebody nobody looks after: ' || name_of(c));
  END IF;
END $$;

CREATE FUNCTION tell_support(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON page_view WHEN new.contact_id IS NOT NULL AND new.url LIKE 'https://example.com/help/%' FOR SELECT new.contact_id;
  ENROLL AGAIN AFTER '1 day';
BEGIN
  SELECT notify_team('Support', name_of(c) || ' reads the help');
END $$;
