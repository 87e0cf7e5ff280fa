-- Lists, forms, tags.

-- T13, the tag is added: by whatever; another tag is not meant
CREATE FUNCTION t13(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('vip') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T13', c.id);
END $$;
SELECT new_contact('Ann') AS ann, new_contact('Bob') AS bob \gset
INSERT INTO contact_tag (contact_id, tag_id) VALUES (:ann, tag('vip')), (:bob, tag('blog'));
CALL automation.run();
SELECT conformance.yes('T13', 'the tag', conformance.hits('T13', :ann) = 1);
SELECT conformance.no('T13', 'another tag', conformance.hits('T13', :bob) > 0);
DROP FUNCTION t13;
