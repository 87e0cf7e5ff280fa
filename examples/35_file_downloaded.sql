-- 35  A file is downloaded
--
-- Somebody opens Proposal.pdf, which was attached to a mail: points, also for a score of its own name, a task to call, and a mail with more about
-- the product.
--
-- Needs: a mail server (automation.mail_server); downloads in file_download.

INSERT INTO automation.template (name, about, subject, body) VALUES
('product: more', 'contact', 'What is not in the proposal',
'More about it: https://example.com/product

{{ postal_address }}
No more mails: {{ unsubscribe_url }}')
ON CONFLICT DO NOTHING;

CREATE FUNCTION file_downloaded(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON file_download
    WHEN (SELECT a.file_name FROM email_attachment a WHERE a.id = new.attachment_id) = 'Proposal.pdf'
    FOR SELECT new.contact_id;
BEGIN
  SELECT adjust_score(c, 10);
  SELECT adjust_score(c, 'lead score', 10);
  SELECT add_task(c, name_of(c) || ' has read the proposal', now() + interval '1 day', type => 'call');
  SEND email('product: more', c);
END $$;
