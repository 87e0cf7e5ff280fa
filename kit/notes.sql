-- Notes on a record.

CREATE FUNCTION add_note(c contact, body text, author bigint DEFAULT NULL) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO note (contact_id, body, author_id, source)
    SELECT (c).id, add_note.body, author, 'automation' WHERE (c).id IS NOT NULL RETURNING id;
END;
COMMENT ON FUNCTION add_note(contact, text, bigint) IS
    'Writes a note on the contact, in the name of a user or of nobody; returns its id. A body that is NULL is an error, a contact that is NULL has no notes (A45)';

CREATE FUNCTION add_note(d deal, body text, author bigint DEFAULT NULL) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO note (deal_id, body, author_id, source)
    SELECT (d).id, add_note.body, author, 'automation' WHERE (d).id IS NOT NULL RETURNING id;
END;
COMMENT ON FUNCTION add_note(deal, text, bigint) IS 'Writes a note on the deal; as add_note(contact, ...) (A79)';

CREATE FUNCTION add_note(a account, body text, author bigint DEFAULT NULL) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO note (account_id, body, author_id, source)
    SELECT (a).id, add_note.body, author, 'automation' WHERE (a).id IS NOT NULL RETURNING id;
END;
COMMENT ON FUNCTION add_note(account, text, bigint) IS 'Writes a note on the account; as add_note(contact, ...) (A83)';

CREATE FUNCTION add_note(t ticket, body text, author bigint DEFAULT NULL) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO note (ticket_id, body, author_id, source)
    SELECT (t).id, add_note.body, author, 'automation' WHERE (t).id IS NOT NULL RETURNING id;
END;
COMMENT ON FUNCTION add_note(ticket, text, bigint) IS 'Writes a note on the ticket; as add_note(contact, ...)';
