-- Tags: put on, taken off, asked for.  A tag that is taken off stays as a row with removed_at.

CREATE FUNCTION add_tag(contacts bigint[], name text) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    -- a statement of its own, so that the next one sees a tag that somebody else makes in this moment
    INSERT INTO tag (name)
    SELECT add_tag.name
    WHERE tag(add_tag.name) IS NULL AND EXISTS (SELECT FROM contact c WHERE c.id = ANY (contacts))
    ON CONFLICT DO NOTHING;
    WITH added AS (
        INSERT INTO contact_tag (contact_id, tag_id, source)
        SELECT c.id, tag(add_tag.name), 'automation' FROM contact c WHERE c.id = ANY (contacts) ORDER BY c.id
        ON CONFLICT (contact_id, tag_id) WHERE removed_at IS NULL DO NOTHING
        RETURNING id)
    SELECT count(*) FROM added;
END;
COMMENT ON FUNCTION add_tag(bigint[], text) IS
    'Puts a tag on all of these contacts, in one statement; returns how many did not have it. '
    'A tag of that name is made if there is none; ids of no contact are passed over (A42)';

CREATE FUNCTION add_tag(c contact, name text) RETURNS bigint LANGUAGE sql
RETURN add_tag(ARRAY[(c).id], add_tag.name);
COMMENT ON FUNCTION add_tag(contact, text) IS
    'Puts a tag on the contact. A tag of that name is made if there is none. '
    'Who has it already keeps it: no row is written, nothing fires. NULL contact: nothing happens. Returns 1 if it was put on, else 0 (A42)';

CREATE FUNCTION remove_tag(contacts bigint[], name text) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH removed AS (
        UPDATE contact_tag SET removed_at = automation.now()
        WHERE id IN (SELECT o.id FROM contact_tag o
                     WHERE o.contact_id = ANY (contacts) AND o.tag_id = tag(remove_tag.name) AND o.removed_at IS NULL
                     ORDER BY o.contact_id FOR NO KEY UPDATE)
        RETURNING id)
    SELECT count(*) FROM removed;
END;
COMMENT ON FUNCTION remove_tag(bigint[], text) IS
    'Takes a tag off all of these contacts, in one statement; returns how many had it. A tag that is not there is on nobody: no error (A43)';

CREATE FUNCTION remove_tag(c contact, name text) RETURNS bigint LANGUAGE sql
RETURN remove_tag(ARRAY[(c).id], remove_tag.name);
COMMENT ON FUNCTION remove_tag(contact, text) IS
    'Takes a tag off the contact: the row of contact_tag gets removed_at. Who does not have it, and a tag that is not there: nothing happens. Returns 1 if it was taken off, else 0 (A43)';

CREATE FUNCTION has_tag(c contact, name text) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM contact_tag ct JOIN tag t ON t.id = ct.tag_id
               WHERE ct.contact_id = (c).id AND t.name = has_tag.name AND ct.removed_at IS NULL);
COMMENT ON FUNCTION has_tag(contact, text) IS 'Whether the contact has the tag now; false for a tag that is not there and for NULL';
