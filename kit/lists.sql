-- Mailing lists, consent by type of communication, static lists, audiences of advertising networks.

-- Mailing lists

CREATE FUNCTION subscribe(contacts bigint[], list_name text, resubscribe boolean DEFAULT false) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH l AS (
        SELECT id, CASE WHEN double_opt_in THEN 'unconfirmed' ELSE 'active' END::subscription_status AS status
        FROM mailing_list WHERE id = (SELECT coalesce(list(list_name), no_such('mailing_list', list_name)))
    ), subscribed AS (
        INSERT INTO list_subscription AS s (contact_id, list_id, status, source, subscribed_at)
        SELECT c.id, l.id, l.status, 'automation', automation.now() FROM l, contact c WHERE c.id = ANY (contacts) ORDER BY c.id
        ON CONFLICT (contact_id, list_id) DO UPDATE
        SET status = CASE WHEN s.confirmed_at IS NULL THEN excluded.status ELSE 'active' END,
            subscribed_at = excluded.subscribed_at, unsubscribed_at = NULL, unsubscribe_source = NULL
        WHERE s.status = 'unsubscribed' AND (resubscribe OR s.unsubscribe_source IS DISTINCT FROM 'contact')
        RETURNING id)
    SELECT count(*) FROM subscribed;
END;
COMMENT ON FUNCTION subscribe(bigint[], text, boolean) IS
    'Puts all of these contacts on a mailing list, in one statement; returns how many it concerned. As subscribe(contact, ...) (A40)';

CREATE FUNCTION subscribe(c contact, list_name text, resubscribe boolean DEFAULT false) RETURNS bigint LANGUAGE sql
RETURN subscribe(ARRAY[(c).id], list_name, resubscribe);
COMMENT ON FUNCTION subscribe(contact, text, boolean) IS
    'Puts the contact on a mailing list: active, or unconfirmed if the list asks for double opt-in and was never confirmed. '
    'Who is on it, or waits for his confirmation, stays as he is: nothing fires. Who took himself off '
    '(unsubscribe_source contact) stays off, unless resubscribe. Returns 1 if a row was written, else 0. No list of that name: an error (A40)';

CREATE FUNCTION confirm_subscription(c contact, list_name text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE list_subscription SET status = 'active', confirmed_at = automation.now()
    WHERE contact_id = (c).id AND list_id = (SELECT coalesce(list(list_name), no_such('mailing_list', list_name))) AND status = 'unconfirmed';
END;
COMMENT ON FUNCTION confirm_subscription(contact, text) IS
    'The contact has confirmed (double opt-in): an unconfirmed subscription becomes active. Any other stays as it is. '
    'No list of that name: an error (A40)';

CREATE FUNCTION unsubscribe(contacts bigint[], list_name text, by unsubscribe_source DEFAULT 'automation') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH unsubscribed AS (
        UPDATE list_subscription SET status = 'unsubscribed', unsubscribed_at = automation.now(), unsubscribe_source = by
        WHERE id IN (SELECT s.id FROM list_subscription s
                     WHERE s.contact_id = ANY (contacts) AND s.status <> 'unsubscribed'
                       AND s.list_id = (SELECT coalesce(list(list_name), no_such('mailing_list', list_name)))
                     ORDER BY s.contact_id FOR NO KEY UPDATE)
        RETURNING id)
    SELECT count(*) FROM unsubscribed;
END;
COMMENT ON FUNCTION unsubscribe(bigint[], text, unsubscribe_source) IS
    'Takes all of these contacts off a mailing list, in one statement; returns how many were on it. As unsubscribe(contact, ...) (A41)';

CREATE FUNCTION unsubscribe(c contact, list_name text, by unsubscribe_source DEFAULT 'automation') RETURNS bigint LANGUAGE sql
RETURN unsubscribe(ARRAY[(c).id], list_name, by);
COMMENT ON FUNCTION unsubscribe(contact, text, unsubscribe_source) IS
    'Takes the contact off a mailing list; by says on whose account: automation, user, or contact, if he asked for it himself. '
    'Who is not on it: nothing happens. Returns 1 if he was, else 0. No list of that name: an error (A41)';

CREATE FUNCTION is_subscribed(c contact, list_name text) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM list_subscription s JOIN mailing_list l ON l.id = s.list_id
               WHERE s.contact_id = (c).id AND l.name = list_name AND s.status = 'active');
COMMENT ON FUNCTION is_subscribed(contact, text) IS 'Whether the contact is an active member of the mailing list; false for a list that is not there';

-- contact.status is what the subscriptions come to, whoever writes them, unless something else was written there.
CREATE FUNCTION contact_status_follows() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    -- who is taken off two lists by two transactions at once is on none: the second waits, and then sees what the first wrote
    PERFORM FROM contact c WHERE c.id IN (SELECT contact_id FROM changed) ORDER BY c.id FOR NO KEY UPDATE;
    UPDATE contact c SET status = n.status
    FROM (SELECT c.id, s.status
          FROM contact c,
               LATERAL (SELECT CASE WHEN bool_or(s.status = 'active') THEN 'active'
                                    WHEN bool_or(s.status = 'unconfirmed') THEN 'unconfirmed'
                                    ELSE 'unsubscribed' END AS status
                        FROM list_subscription s WHERE s.contact_id = c.id) s
          WHERE c.id IN (SELECT contact_id FROM changed)
            AND (c.status IS NULL OR c.status IN ('active', 'unconfirmed', 'unsubscribed')) AND c.status IS DISTINCT FROM s.status) n
    WHERE c.id = n.id;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION contact_status_follows() IS
    'Trigger of list_subscription: contact.status becomes active, unconfirmed or unsubscribed, the first of these that holds for one of '
    'the contact''s subscriptions; another word that stands there, such as Promoter, stays (A57)';
CREATE TRIGGER contact_status_insert AFTER INSERT ON list_subscription
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION contact_status_follows();
CREATE TRIGGER contact_status_update AFTER UPDATE ON list_subscription
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION contact_status_follows();

-- Consent

CREATE FUNCTION manage_subscription(c contact, type text, status subscription_status,
                                    legal_basis text DEFAULT NULL, explanation text DEFAULT NULL) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO contact_subscription AS s (contact_id, type_id, status, legal_basis, consent_explanation)
    SELECT (c).id, coalesce(t.id, no_such('subscription_type', manage_subscription.type)),
           manage_subscription.status, manage_subscription.legal_basis, explanation
    FROM (SELECT) one LEFT JOIN subscription_type t ON t.name = manage_subscription.type
    WHERE (c).id IS NOT NULL
    ON CONFLICT (contact_id, type_id) DO UPDATE
    SET status = excluded.status, legal_basis = coalesce(excluded.legal_basis, s.legal_basis),
        consent_explanation = coalesce(excluded.consent_explanation, s.consent_explanation), changed_at = automation.now()
    WHERE (s.status, s.legal_basis, s.consent_explanation) IS DISTINCT FROM
          (excluded.status, coalesce(excluded.legal_basis, s.legal_basis), coalesce(excluded.consent_explanation, s.consent_explanation));
END;
COMMENT ON FUNCTION manage_subscription(contact, text, subscription_status, text, text) IS
    'Sets the contact''s status (active, unconfirmed, unsubscribed) for a type of communication of subscription_type, with the legal basis and '
    'the explanation of the consent; NULL keeps those that are there. The same again writes nothing. '
    'No type of that name: an error (A20 A21 A22 A23)';

-- Static lists

CREATE FUNCTION add_to_static_list(contacts bigint[], list_name text) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH l AS (
        SELECT coalesce(static_list(list_name), no_such('static_list', list_name)) AS id
    ), added AS (
        INSERT INTO static_list_member (list_id, contact_id)
        SELECT l.id, c.id FROM l, contact c WHERE c.id = ANY (contacts) ORDER BY c.id
        ON CONFLICT DO NOTHING
        RETURNING contact_id)
    SELECT count(*) FROM added;
END;
COMMENT ON FUNCTION add_to_static_list(bigint[], text) IS
    'Puts all of these contacts on a static list, in one statement; returns how many were not on it. No list of that name: an error (A51)';

CREATE FUNCTION add_to_static_list(c contact, list_name text) RETURNS bigint LANGUAGE sql
RETURN add_to_static_list(ARRAY[(c).id], list_name);
COMMENT ON FUNCTION add_to_static_list(contact, text) IS
    'Puts the contact on a static list. Who is on it stays on it: nothing fires. Returns 1 if he was put on it, else 0. No list of that name: an error (A51)';

CREATE FUNCTION remove_from_static_list(contacts bigint[], list_name text) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH removed AS (
        DELETE FROM static_list_member m
        USING (SELECT o.list_id, o.contact_id FROM static_list_member o
               WHERE o.contact_id = ANY (contacts) AND o.list_id = (SELECT coalesce(static_list(list_name), no_such('static_list', list_name)))
               ORDER BY o.contact_id FOR UPDATE) o
        WHERE m.list_id = o.list_id AND m.contact_id = o.contact_id
        RETURNING m.contact_id)
    SELECT count(*) FROM removed;
END;
COMMENT ON FUNCTION remove_from_static_list(bigint[], text) IS
    'Takes all of these contacts off a static list, in one statement; returns how many were on it. No list of that name: an error (A52)';

CREATE FUNCTION remove_from_static_list(c contact, list_name text) RETURNS bigint LANGUAGE sql
RETURN remove_from_static_list(ARRAY[(c).id], list_name);
COMMENT ON FUNCTION remove_from_static_list(contact, text) IS
    'Takes the contact off a static list. Who is not on it: nothing happens. Returns 1 if he was, else 0. No list of that name: an error (A52)';

CREATE FUNCTION on_static_list(c contact, list_name text) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM static_list_member m JOIN static_list l ON l.id = m.list_id
               WHERE m.contact_id = (c).id AND l.name = list_name);
COMMENT ON FUNCTION on_static_list(contact, text) IS 'Whether the contact is on the static list; false for a list that is not there';
