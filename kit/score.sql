-- Scores: contact.score and deal.score, and as many named ones as wanted in record_score.

-- The score of the record

CREATE FUNCTION adjust_score(c contact, by int) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE contact SET score = contact.score + by WHERE contact.id = (c).id AND by <> 0;
END;
COMMENT ON FUNCTION adjust_score(contact, int) IS
    'Adds so many points to the contact''s score; negative ones take away, and it may fall below 0. 0 or NULL: nothing happens. '
    'Beyond what an int holds (2147483647): an error (A46)';

CREATE FUNCTION adjust_score(d deal, by int) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE deal SET score = deal.score + by WHERE deal.id = (d).id AND by <> 0;
END;
COMMENT ON FUNCTION adjust_score(deal, int) IS 'Adds so many points to the deal''s score; negative ones take away. 0 or NULL: nothing happens (A81)';

CREATE FUNCTION adjust_score(contacts bigint[], by int) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH adjusted AS (
        UPDATE contact SET score = contact.score + by
        WHERE contact.id IN (SELECT c.id FROM contact c WHERE c.id = ANY (contacts) ORDER BY c.id FOR NO KEY UPDATE) AND by <> 0
        RETURNING contact.id)
    SELECT count(*) FROM adjusted;
END;
COMMENT ON FUNCTION adjust_score(bigint[], int) IS
    'Adds so many points to the score of all of these contacts, in one statement; returns how many there are. '
    'If one of them would go beyond what an int holds: an error, and none is changed (A46)';

CREATE FUNCTION set_score(c contact, value int) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE contact SET score = value WHERE contact.id = (c).id AND contact.score <> value;
END;
COMMENT ON FUNCTION set_score(contact, int) IS 'Writes the contact''s score. The value it has, or NULL: nothing happens (A47)';

CREATE FUNCTION set_score(d deal, value int) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE deal SET score = set_score.value WHERE deal.id = (d).id AND deal.score <> set_score.value;
END;
COMMENT ON FUNCTION set_score(deal, int) IS 'Writes the deal''s score. The value it has, or NULL: nothing happens (A81)';

CREATE FUNCTION set_score(contacts bigint[], value int) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH written AS (
        UPDATE contact SET score = value
        WHERE contact.id IN (SELECT c.id FROM contact c WHERE c.id = ANY (contacts) AND c.score <> value ORDER BY c.id FOR NO KEY UPDATE)
        RETURNING contact.id)
    SELECT count(*) FROM written;
END;
COMMENT ON FUNCTION set_score(bigint[], int) IS
    'Writes the score of all of these contacts, in one statement; returns how many had another (A47)';

CREATE FUNCTION reset_score(c contact) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT set_score(c, 0);
END;
COMMENT ON FUNCTION reset_score(contact) IS 'Sets the contact''s score back to 0 (A48)';

CREATE FUNCTION reset_score(d deal) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT set_score(d, 0);
END;
COMMENT ON FUNCTION reset_score(deal) IS 'Sets the deal''s score back to 0 (A81)';

-- Named scores, one row of record_score for each record that has one

CREATE FUNCTION adjust_score(c contact, score text, by int) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO score_definition (object_type, name) SELECT 'contact', score WHERE (c).id IS NOT NULL ON CONFLICT DO NOTHING;
    INSERT INTO record_score AS r (definition_id, contact_id, value)
    SELECT s.id, (c).id, by FROM score_definition s
    WHERE s.object_type = 'contact' AND s.name = score AND (c).id IS NOT NULL AND by <> 0
    ON CONFLICT (definition_id, contact_id) DO UPDATE SET value = r.value + excluded.value;
END;
COMMENT ON FUNCTION adjust_score(contact, text, int) IS
    'Adds so many points to the contact''s score of that name, which begins at 0; a name that is not there is made. 0 or NULL: nothing happens (A46)';

CREATE FUNCTION adjust_score(d deal, score text, by int) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO score_definition (object_type, name) SELECT 'deal', score WHERE (d).id IS NOT NULL ON CONFLICT DO NOTHING;
    INSERT INTO record_score AS r (definition_id, deal_id, value)
    SELECT s.id, (d).id, by FROM score_definition s
    WHERE s.object_type = 'deal' AND s.name = score AND (d).id IS NOT NULL AND by <> 0
    ON CONFLICT (definition_id, deal_id) DO UPDATE SET value = r.value + excluded.value;
END;
COMMENT ON FUNCTION adjust_score(deal, text, int) IS
    'Adds so many points to the deal''s score of that name, which begins at 0; a name that is not there is made. 0 or NULL: nothing happens (A81)';

CREATE FUNCTION set_score(c contact, score text, value int) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO score_definition (object_type, name) SELECT 'contact', score WHERE (c).id IS NOT NULL ON CONFLICT DO NOTHING;
    INSERT INTO record_score AS r (definition_id, contact_id, value)
    SELECT s.id, (c).id, set_score.value FROM score_definition s
    WHERE s.object_type = 'contact' AND s.name = score AND (c).id IS NOT NULL AND set_score.value IS NOT NULL
    ON CONFLICT (definition_id, contact_id) DO UPDATE SET value = excluded.value WHERE r.value <> excluded.value;
END;
COMMENT ON FUNCTION set_score(contact, text, int) IS
    'Writes the contact''s score of that name; a name that is not there is made. The value it has, or NULL: nothing happens (A47)';

CREATE FUNCTION set_score(d deal, score text, value int) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO score_definition (object_type, name) SELECT 'deal', score WHERE (d).id IS NOT NULL ON CONFLICT DO NOTHING;
    INSERT INTO record_score AS r (definition_id, deal_id, value)
    SELECT s.id, (d).id, set_score.value FROM score_definition s
    WHERE s.object_type = 'deal' AND s.name = score AND (d).id IS NOT NULL AND set_score.value IS NOT NULL
    ON CONFLICT (definition_id, deal_id) DO UPDATE SET value = excluded.value WHERE r.value <> excluded.value;
END;
COMMENT ON FUNCTION set_score(deal, text, int) IS
    'Writes the deal''s score of that name; a name that is not there is made. The value it has, or NULL: nothing happens (A81)';

CREATE FUNCTION score_of(c contact, score text) RETURNS int LANGUAGE sql STABLE
RETURN coalesce((SELECT r.value FROM record_score r JOIN score_definition s ON s.id = r.definition_id
                 WHERE r.contact_id = (c).id AND s.object_type = 'contact' AND s.name = score), 0);
COMMENT ON FUNCTION score_of(contact, text) IS 'The contact''s score of that name; 0 if he has none';

CREATE FUNCTION score_of(d deal, score text) RETURNS int LANGUAGE sql STABLE
RETURN coalesce((SELECT r.value FROM record_score r JOIN score_definition s ON s.id = r.definition_id
                 WHERE r.deal_id = (d).id AND s.object_type = 'deal' AND s.name = score), 0);
COMMENT ON FUNCTION score_of(deal, text) IS 'The deal''s score of that name; 0 if it has none';
