-- Audiences of advertising networks, and conversions.  Who is in an audience is kept in ad_audience_member; for
-- Facebook the functions give the message that tells the network, to be sent: SEND add_to_audience(c, 'Buyers').

-- Internal: the audience, for actions.
CREATE FUNCTION audience_of(name text, network text, only_own boolean DEFAULT false) RETURNS ad_audience
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    a ad_audience;
BEGIN
    SELECT * INTO a FROM ad_audience x WHERE x.network = audience_of.network AND x.name = audience_of.name;
    IF a.id IS NULL THEN
        RAISE EXCEPTION 'there is no audience % on %', coalesce('"' || name || '"', 'without a name'), network
            USING ERRCODE = 'undefined_object', HINT = 'Make it: SEND create_audience(name, account).';
    ELSIF only_own AND NOT a.created_in_workflow THEN
        RAISE EXCEPTION 'audience "%" was not made by a workflow', name
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Leave out only_own, or choose an audience that create_audience() made.';
    END IF;
    RETURN a;
END $$;
COMMENT ON FUNCTION audience_of(text, text, boolean) IS
    'Internal: the audience of that name; errors: there is none, or only_own and no workflow made it';

CREATE FUNCTION create_audience(name text, account text DEFAULT NULL, network text DEFAULT 'facebook') RETURNS automation.message LANGUAGE sql
BEGIN ATOMIC
    WITH made AS (
        INSERT INTO ad_audience (name, network, created_in_workflow) VALUES (create_audience.name, create_audience.network, true)
        ON CONFLICT DO NOTHING
        RETURNING ad_audience.name, ad_audience.network)
    SELECT automation.facebook_audience_create(account, made.name) FROM made WHERE made.network = 'facebook';
END;
COMMENT ON FUNCTION create_audience(text, text, text) IS
    'Makes an audience of the sub-type customer_list, marked as made by a workflow, and is for Facebook the message that makes it there: '
    'SEND create_audience(''Buyers'', ''1234'') INTO reply; then audience_created(''Buyers'', reply). account: number of the advertising '
    'account, without act_. An audience of that name is there: nothing happens, no message (A49 A53)';

CREATE FUNCTION audience_created(name text, reply automation.delivery, network text DEFAULT 'facebook') RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE ad_audience SET external_id = automation.reply_json(reply) ->> 'id'
    WHERE id = (audience_of(audience_created.name, audience_created.network)).id
      AND external_id IS DISTINCT FROM automation.reply_json(reply) ->> 'id';
END;
COMMENT ON FUNCTION audience_created(text, automation.delivery, text) IS
    'Keeps the id that the network gave the audience, out of the answer to create_audience(). No audience of that name: an error (A49)';

CREATE FUNCTION add_to_audience(c contact, audience text, network text DEFAULT 'facebook', only_own boolean DEFAULT false)
    RETURNS automation.message LANGUAGE sql
BEGIN ATOMIC
    WITH a AS (
        SELECT (x).id, (x).external_id FROM (SELECT audience_of(audience, add_to_audience.network, only_own) AS x) o
    ), added AS (
        INSERT INTO ad_audience_member (audience_id, contact_id) SELECT a.id, (c).id FROM a WHERE (c).id IS NOT NULL
        ON CONFLICT DO NOTHING
        RETURNING audience_id)
    SELECT automation.facebook_audience_add(a.external_id, (c).email, (c).phone)
    FROM a JOIN added ON added.audience_id = a.id WHERE add_to_audience.network = 'facebook' AND a.external_id IS NOT NULL;
END;
COMMENT ON FUNCTION add_to_audience(contact, text, text, boolean) IS
    'Puts the contact into an audience, and is the message that tells Facebook: SEND add_to_audience(c, ''Buyers''). Who is in it already, an '
    'audience whose id is not known yet, another network: no message. only_own: refuses audiences that no workflow made. '
    'No audience of that name: an error (A49 A53)';

CREATE FUNCTION remove_from_audience(c contact, audience text, network text DEFAULT 'facebook', only_own boolean DEFAULT false)
    RETURNS automation.message LANGUAGE sql
BEGIN ATOMIC
    WITH a AS (
        SELECT (x).id, (x).external_id FROM (SELECT audience_of(audience, remove_from_audience.network, only_own) AS x) o
    ), removed AS (
        DELETE FROM ad_audience_member WHERE contact_id = (c).id AND audience_id = (SELECT a.id FROM a)
        RETURNING audience_id)
    SELECT automation.facebook_audience_remove(a.external_id, (c).email, (c).phone)
    FROM a JOIN removed ON removed.audience_id = a.id WHERE remove_from_audience.network = 'facebook' AND a.external_id IS NOT NULL;
END;
COMMENT ON FUNCTION remove_from_audience(contact, text, text, boolean) IS
    'Takes the contact out of an audience, and is the message that tells Facebook: SEND remove_from_audience(c, ''Buyers''). Who is not in it: '
    'no message. only_own: refuses audiences that no workflow made. No audience of that name: an error (A50 A54)';

CREATE FUNCTION audience_members(audience text, network text DEFAULT 'facebook') RETURNS SETOF automation.message LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT automation.facebook_audience_add(a.external_id, c.email, c.phone)
    FROM audience_of(audience, audience_members.network) a JOIN ad_audience_member m ON m.audience_id = a.id JOIN contact c ON c.id = m.contact_id
    WHERE a.network = 'facebook' AND a.external_id IS NOT NULL
    ORDER BY c.id;
END;
COMMENT ON FUNCTION audience_members(text, text) IS
    'A message for each member of a Facebook audience, for those who came in before its id was known: SEND audience_members(''Buyers''). '
    'Facebook takes no notice of whom it has already (A49)';

-- Conversions

CREATE FUNCTION record_conversion(c contact, name text, value numeric DEFAULT NULL) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO conversion_type (name)
    SELECT record_conversion.name WHERE conversion_type(record_conversion.name) IS NULL AND (c).id IS NOT NULL
    ON CONFLICT DO NOTHING;
    INSERT INTO conversion_event (contact_id, type_id, source, value)
    SELECT (c).id, conversion_type(record_conversion.name), 'automation', record_conversion.value WHERE (c).id IS NOT NULL
    RETURNING id;
END;
COMMENT ON FUNCTION record_conversion(contact, text, numeric) IS
    'The contact converts: makes a row of conversion_event and returns its id. value: what it is worth. '
    'A conversion type of that name is made if there is none (A55)';
