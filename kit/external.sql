-- What other services call our records: kept when they have made one, asked for when they are to do more with it.

CREATE FUNCTION external_id(c contact, app text, kind text DEFAULT 'contact') RETURNS text LANGUAGE sql STABLE
RETURN (SELECT x.external_id FROM external_record x
        WHERE x.contact_id = (c).id AND x.app = external_id.app AND x.kind = external_id.kind ORDER BY x.id DESC LIMIT 1);
COMMENT ON FUNCTION external_id(contact, text, text) IS
    'What a service (salesforce, zendesk_sell ...) calls the contact; kind: contact, lead ...; NULL: it does not know him (A112 to A115)';

CREATE FUNCTION external_id(d deal, app text, kind text DEFAULT 'deal') RETURNS text LANGUAGE sql STABLE
RETURN (SELECT x.external_id FROM external_record x
        WHERE x.deal_id = (d).id AND x.app = external_id.app AND x.kind = external_id.kind ORDER BY x.id DESC LIMIT 1);
COMMENT ON FUNCTION external_id(deal, text, text) IS 'What a service calls the deal; kind: deal, task, row ...; NULL: it does not know it';

CREATE FUNCTION note_external(c contact, app text, kind text, id text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO external_record AS x (app, kind, external_id, contact_id)
    SELECT note_external.app, note_external.kind, note_external.id, (c).id WHERE note_external.id IS NOT NULL AND (c).id IS NOT NULL
    ON CONFLICT (app, kind, external_id) DO UPDATE SET contact_id = excluded.contact_id, account_id = NULL, deal_id = NULL, ticket_id = NULL, user_id = NULL
    WHERE x.contact_id IS DISTINCT FROM excluded.contact_id;
END;
COMMENT ON FUNCTION note_external(contact, text, text, text) IS
    'Keeps what a service calls the contact: SEND ... INTO reply; SELECT note_external(c, ''salesforce'', ''lead'', reply_json(reply) ->> ''id''). '
    'An id that is known already belongs to this contact from now on. NULL id: nothing happens (A112 to A115)';

CREATE FUNCTION note_external(d deal, app text, kind text, id text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO external_record AS x (app, kind, external_id, deal_id)
    SELECT note_external.app, note_external.kind, note_external.id, (d).id WHERE note_external.id IS NOT NULL AND (d).id IS NOT NULL
    ON CONFLICT (app, kind, external_id) DO UPDATE SET deal_id = excluded.deal_id, account_id = NULL, contact_id = NULL, ticket_id = NULL, user_id = NULL
    WHERE x.deal_id IS DISTINCT FROM excluded.deal_id;
END;
COMMENT ON FUNCTION note_external(deal, text, text, text) IS 'The same of a deal';

CREATE FUNCTION external_id(u app_user, app text, kind text DEFAULT 'user') RETURNS text LANGUAGE sql STABLE
RETURN (SELECT x.external_id FROM external_record x
        WHERE x.user_id = (u).id AND x.app = external_id.app AND x.kind = external_id.kind ORDER BY x.id DESC LIMIT 1);
COMMENT ON FUNCTION external_id(app_user, text, text) IS 'What a service calls one of our users; NULL: it does not know him (A104)';

CREATE FUNCTION note_external(u app_user, app text, kind text, id text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO external_record AS x (app, kind, external_id, user_id)
    SELECT note_external.app, note_external.kind, note_external.id, (u).id WHERE note_external.id IS NOT NULL AND (u).id IS NOT NULL
    ON CONFLICT (app, kind, external_id) DO UPDATE
    SET user_id = excluded.user_id, contact_id = NULL, account_id = NULL, deal_id = NULL, ticket_id = NULL
    WHERE x.user_id IS DISTINCT FROM excluded.user_id;
END;
COMMENT ON FUNCTION note_external(app_user, text, text, text) IS 'The same of one of our users';

CREATE FUNCTION external_owner(c contact, app text) RETURNS text LANGUAGE sql STABLE
RETURN coalesce((SELECT external_id(u, external_owner.app) FROM app_user u WHERE u.id = (c).owner_id),
                (SELECT external_id(u, external_owner.app) FROM app_connection a JOIN app_user u ON u.id = a.installed_by WHERE a.app = external_owner.app));
COMMENT ON FUNCTION external_owner(contact, text) IS
    'Who gets work on the contact in a service, by the id he has there: the contact''s owner, or else the user who connected it '
    '(app_connection.installed_by); NULL if it knows neither (A104)';

CREATE FUNCTION is_connected(app text) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM app_connection a WHERE a.app = is_connected.app AND a.status = 'connected');
COMMENT ON FUNCTION is_connected(text) IS 'Whether the service is connected: app_connection says so (A106 A123)';
