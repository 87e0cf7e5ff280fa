-- 03  What was asked for, after a form
--
-- Somebody fills in the form E-book: the book by mail, a tag that tells what the interest is, and points. The form asks for
-- double opt-in, so it counts when it is confirmed, and not before.
--
-- Needs: a mail server (automation.mail_server).

INSERT INTO form (name, double_opt_in) VALUES ('E-book', true) ON CONFLICT (name) DO NOTHING;

INSERT INTO automation.template (name, about, class, subject, body) VALUES
('your e-book', 'contact', 'transactional', 'Your e-book',
'Dear {{ contact.first_name | default: "reader" }},

here it is: https://example.com/e-book.pdf')
ON CONFLICT DO NOTHING;

CREATE FUNCTION form_reward(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF confirmed_at ON form_submission
    WHEN new.form_id = form('E-book') AND new.confirmed_at IS NOT NULL FOR SELECT new.contact_id;
BEGIN
  SEND email('your e-book', c);
  SELECT add_tag(c, 'interest: databases');
  SELECT adjust_score(c, 5);
END $$;
