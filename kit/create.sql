-- Records that actions make, linked to the record they are made for.

-- Whether a list such as '{contact,account}' has the word; a word that is not one of these is an error.
CREATE FUNCTION links_to(link text[], what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    word text := (SELECT w FROM pg_catalog.unnest(link) w WHERE w IS NULL OR w NOT IN ('contact', 'account', 'deal', 'ticket', 'project', 'record') LIMIT 1);
BEGIN
    IF word IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('nothing can be linked to "%s"', word),
            HINT = 'Links are contact, account, deal, ticket, project, record.';
    END IF;
    RETURN what OPERATOR(pg_catalog.=) ANY (link);
END $$;
COMMENT ON FUNCTION links_to(text[], text) IS 'Used by the functions create_...: whether the list of links has the word; an error if it has one that is not a link';

-- Deals

CREATE FUNCTION insert_deal(title text, pipeline text, stage text, value numeric, currency text, owner bigint, close_date date,
                            contacts bigint[], account bigint) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH made AS (
        INSERT INTO deal (title, pipeline_id, stage_id, value, currency, owner_id, expected_close_date, account_id, source)
        SELECT insert_deal.title, p.id, known_stage(p.id, insert_deal.stage), insert_deal.value, insert_deal.currency, owner, close_date, account, 'automation'
        FROM (SELECT known_pipeline(insert_deal.pipeline, 'deal')) p (id)
        RETURNING id
    ), linked AS (
        INSERT INTO deal_contact (deal_id, contact_id, is_primary)
        SELECT made.id, u.id, u.n = 1 FROM made, unnest(contacts) WITH ORDINALITY u (id, n))
    SELECT id FROM made;
END;
COMMENT ON FUNCTION insert_deal(text, text, text, numeric, text, bigint, date, bigint[], bigint) IS
    'Used by create_deal(): makes a deal of these contacts, the first of whom is the primary one, and of this account; returns its id';

CREATE FUNCTION create_deal(c contact, title text, pipeline text, stage text DEFAULT NULL, value numeric DEFAULT NULL, currency text DEFAULT 'EUR',
                            owner bigint DEFAULT NULL, close_date date DEFAULT NULL, link text[] DEFAULT '{contact,account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT insert_deal(create_deal.title, create_deal.pipeline, create_deal.stage, create_deal.value, create_deal.currency,
                       coalesce(owner, (c).owner_id), close_date,
                       CASE WHEN links_to(link, 'contact') THEN contacts_of(c) END, CASE WHEN links_to(link, 'account') THEN account_of(c) END)
    WHERE (c).id IS NOT NULL;
END;
COMMENT ON FUNCTION create_deal(contact, text, text, text, numeric, text, bigint, date, text[]) IS
    'Makes a deal for the contact, in a stage of the pipeline, the first one if NULL, of this owner or the contact''s; returns its id. '
    'link says what it is linked to: contact, who is its primary one, and account, his. Without a link it is there, but not seen from them. '
    'No such pipeline or stage: an error, and the hint names those there are (A92 A117 S41 S42)';

CREATE FUNCTION create_deal(a account, title text, pipeline text, stage text DEFAULT NULL, value numeric DEFAULT NULL, currency text DEFAULT 'EUR',
                            owner bigint DEFAULT NULL, close_date date DEFAULT NULL, link text[] DEFAULT '{account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT insert_deal(create_deal.title, create_deal.pipeline, create_deal.stage, create_deal.value, create_deal.currency,
                       coalesce(owner, (a).owner_id), close_date,
                       CASE WHEN links_to(link, 'contact') THEN contacts_of(a) END, CASE WHEN links_to(link, 'account') THEN account_of(a) END)
    WHERE (a).id IS NOT NULL;
END;
COMMENT ON FUNCTION create_deal(account, text, text, text, numeric, text, bigint, date, text[]) IS
    'Makes a deal for the account; link => ''{contact,account}'' puts all of its contacts on it. As create_deal(contact, ...) (A92)';

CREATE FUNCTION create_deal(d deal, title text, pipeline text, stage text DEFAULT NULL, value numeric DEFAULT NULL, currency text DEFAULT 'EUR',
                            owner bigint DEFAULT NULL, close_date date DEFAULT NULL, link text[] DEFAULT '{contact,account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT insert_deal(create_deal.title, create_deal.pipeline, create_deal.stage, create_deal.value, create_deal.currency,
                       coalesce(owner, (d).owner_id), close_date,
                       CASE WHEN links_to(link, 'contact') THEN contacts_of(d) END, CASE WHEN links_to(link, 'account') THEN account_of(d) END)
    WHERE (d).id IS NOT NULL;
END;
COMMENT ON FUNCTION create_deal(deal, text, text, text, numeric, text, bigint, date, text[]) IS
    'Makes another deal for the contacts and the account of a deal, such as a renewal; as create_deal(contact, ...) (A92)';

CREATE FUNCTION create_deal(t ticket, title text, pipeline text, stage text DEFAULT NULL, value numeric DEFAULT NULL, currency text DEFAULT 'EUR',
                            owner bigint DEFAULT NULL, close_date date DEFAULT NULL, link text[] DEFAULT '{contact,account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT insert_deal(create_deal.title, create_deal.pipeline, create_deal.stage, create_deal.value, create_deal.currency,
                       coalesce(owner, (t).owner_id), close_date,
                       CASE WHEN links_to(link, 'contact') THEN contacts_of(t) END, CASE WHEN links_to(link, 'account') THEN account_of(t) END)
    WHERE (t).id IS NOT NULL;
END;
COMMENT ON FUNCTION create_deal(ticket, text, text, text, numeric, text, bigint, date, text[]) IS
    'Makes a deal for the contacts and the account of a ticket; as create_deal(contact, ...) (A92)';

CREATE FUNCTION create_deal(r custom_object_record, title text, pipeline text, stage text DEFAULT NULL, value numeric DEFAULT NULL, currency text DEFAULT 'EUR',
                            owner bigint DEFAULT NULL, close_date date DEFAULT NULL, link text[] DEFAULT '{contact,account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT insert_deal(create_deal.title, create_deal.pipeline, create_deal.stage, create_deal.value, create_deal.currency,
                       coalesce(owner, (r).owner_id), close_date,
                       CASE WHEN links_to(link, 'contact') THEN contacts_of(r) END, CASE WHEN links_to(link, 'account') THEN account_of(r) END)
    WHERE (r).id IS NOT NULL;
END;
COMMENT ON FUNCTION create_deal(custom_object_record, text, text, text, numeric, text, bigint, date, text[]) IS
    'Makes a deal for the contacts of the record; as create_deal(contact, ...) (A92)';

CREATE FUNCTION add_deal(c contact, title text, pipeline text, stage text DEFAULT NULL, value numeric DEFAULT NULL, currency text DEFAULT 'EUR',
                         owner bigint DEFAULT NULL, close_date date DEFAULT NULL) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT create_deal(c, add_deal.title, add_deal.pipeline, add_deal.stage, add_deal.value, add_deal.currency, owner, close_date);
END;
COMMENT ON FUNCTION add_deal(contact, text, text, text, numeric, text, bigint, date) IS
    'Makes a deal with the contact as its primary one, of his account; as create_deal(contact, ...) (A67)';

-- Tickets

CREATE FUNCTION insert_ticket(subject text, pipeline text, status text, priority text, owner bigint, contacts bigint[], account bigint)
RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH made AS (
        INSERT INTO ticket (subject, pipeline_id, status_id, priority, owner_id, account_id, source)
        SELECT insert_ticket.subject, p.id, known_stage(p.id, insert_ticket.status), insert_ticket.priority, owner, account, 'automation'
        FROM (SELECT known_pipeline(insert_ticket.pipeline, 'ticket')) p (id)
        RETURNING id
    ), linked AS (
        INSERT INTO ticket_contact (ticket_id, contact_id) SELECT made.id, u.id FROM made, unnest(contacts) u (id))
    SELECT id FROM made;
END;
COMMENT ON FUNCTION insert_ticket(text, text, text, text, bigint, bigint[], bigint) IS
    'Used by create_ticket(): makes a ticket of these contacts and this account; returns its id';

CREATE FUNCTION create_ticket(c contact, subject text, pipeline text, status text DEFAULT NULL, priority text DEFAULT NULL,
                              owner bigint DEFAULT NULL, link text[] DEFAULT '{contact,account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT insert_ticket(create_ticket.subject, create_ticket.pipeline, create_ticket.status, create_ticket.priority, coalesce(owner, (c).owner_id),
                         CASE WHEN links_to(link, 'contact') THEN contacts_of(c) END, CASE WHEN links_to(link, 'account') THEN account_of(c) END)
    WHERE (c).id IS NOT NULL;
END;
COMMENT ON FUNCTION create_ticket(contact, text, text, text, text, bigint, text[]) IS
    'Makes a ticket for the contact, with a status of the pipeline, the first one if NULL, of this owner or the contact''s; returns its id. '
    'link says what it is linked to: contact and account, his. No such pipeline or status: an error, and the hint names those there are (A93 S41)';

CREATE FUNCTION create_ticket(a account, subject text, pipeline text, status text DEFAULT NULL, priority text DEFAULT NULL,
                              owner bigint DEFAULT NULL, link text[] DEFAULT '{account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT insert_ticket(create_ticket.subject, create_ticket.pipeline, create_ticket.status, create_ticket.priority, coalesce(owner, (a).owner_id),
                         CASE WHEN links_to(link, 'contact') THEN contacts_of(a) END, CASE WHEN links_to(link, 'account') THEN account_of(a) END)
    WHERE (a).id IS NOT NULL;
END;
COMMENT ON FUNCTION create_ticket(account, text, text, text, text, bigint, text[]) IS
    'Makes a ticket for the account; link => ''{contact,account}'' puts all of its contacts on it. As create_ticket(contact, ...) (A93)';

CREATE FUNCTION create_ticket(d deal, subject text, pipeline text, status text DEFAULT NULL, priority text DEFAULT NULL,
                              owner bigint DEFAULT NULL, link text[] DEFAULT '{contact,account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT insert_ticket(create_ticket.subject, create_ticket.pipeline, create_ticket.status, create_ticket.priority, coalesce(owner, (d).owner_id),
                         CASE WHEN links_to(link, 'contact') THEN contacts_of(d) END, CASE WHEN links_to(link, 'account') THEN account_of(d) END)
    WHERE (d).id IS NOT NULL;
END;
COMMENT ON FUNCTION create_ticket(deal, text, text, text, text, bigint, text[]) IS
    'Makes a ticket for the contacts and the account of the deal; as create_ticket(contact, ...) (A93)';

-- Projects

CREATE FUNCTION insert_project(name text, pipeline text, stage text, owner bigint, deal bigint, contacts bigint[], account bigint)
RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH made AS (
        INSERT INTO project (name, pipeline_id, stage_id, owner_id, deal_id, account_id, source)
        SELECT insert_project.name, p.id, known_stage(p.id, insert_project.stage), owner, deal, account, 'automation'
        FROM (SELECT known_pipeline(insert_project.pipeline, 'project')) p (id)
        RETURNING id
    ), linked AS (
        INSERT INTO project_contact (project_id, contact_id) SELECT made.id, u.id FROM made, unnest(contacts) u (id))
    SELECT id FROM made;
END;
COMMENT ON FUNCTION insert_project(text, text, text, bigint, bigint, bigint[], bigint) IS
    'Used by create_project(): makes a project of this deal, these contacts and this account; returns its id';

CREATE FUNCTION create_project(d deal, name text, pipeline text, stage text DEFAULT NULL, owner bigint DEFAULT NULL,
                               link text[] DEFAULT '{deal,contact,account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT insert_project(create_project.name, create_project.pipeline, create_project.stage, coalesce(owner, (d).owner_id), CASE WHEN links_to(link, 'deal') THEN (d).id END,
                          CASE WHEN links_to(link, 'contact') THEN contacts_of(d) END, CASE WHEN links_to(link, 'account') THEN account_of(d) END)
    WHERE (d).id IS NOT NULL;
END;
COMMENT ON FUNCTION create_project(deal, text, text, text, bigint, text[]) IS
    'Makes a project for the deal, in a stage of the pipeline, the first one if NULL, of this owner or the deal''s; returns its id. '
    'link says what it is linked to: the deal, its contacts, its account. No such pipeline or stage: an error, and the hint names those there are (A121 S41)';

CREATE FUNCTION create_project(c contact, name text, pipeline text, stage text DEFAULT NULL, owner bigint DEFAULT NULL,
                               link text[] DEFAULT '{contact,account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT insert_project(create_project.name, create_project.pipeline, create_project.stage, coalesce(owner, (c).owner_id), NULL::bigint,
                          CASE WHEN links_to(link, 'contact') THEN contacts_of(c) END, CASE WHEN links_to(link, 'account') THEN account_of(c) END)
    WHERE (c).id IS NOT NULL;
END;
COMMENT ON FUNCTION create_project(contact, text, text, text, bigint, text[]) IS
    'Makes a project for the contact; as create_project(deal, ...) (A121)';

CREATE FUNCTION create_project(a account, name text, pipeline text, stage text DEFAULT NULL, owner bigint DEFAULT NULL,
                               link text[] DEFAULT '{account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT insert_project(create_project.name, create_project.pipeline, create_project.stage, coalesce(owner, (a).owner_id), NULL::bigint,
                          CASE WHEN links_to(link, 'contact') THEN contacts_of(a) END, CASE WHEN links_to(link, 'account') THEN account_of(a) END)
    WHERE (a).id IS NOT NULL;
END;
COMMENT ON FUNCTION create_project(account, text, text, text, bigint, text[]) IS
    'Makes a project for the account; as create_project(deal, ...) (A121)';

-- Activities, seen from everything they have to do with

CREATE FUNCTION create_activity(d deal, type text, title text, due timestamptz DEFAULT NULL, assignee text DEFAULT 'owner',
                                remind interval DEFAULT '1 hour', link text[] DEFAULT '{deal,contact,account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO activity (type, title, due_at, reminder_at, assignee_id, source, deal_id, contact_id, account_id)
    SELECT create_activity.type, create_activity.title, due, due - remind, may_be_given(assignee(d, create_activity.assignee), (d).pipeline_id), 'automation',
           CASE WHEN links_to(link, 'deal') THEN (d).id END,
           CASE WHEN links_to(link, 'contact') THEN (contacts_of(d))[1] END,
           CASE WHEN links_to(link, 'account') THEN account_of(d) END
    WHERE (d).id IS NOT NULL RETURNING id;
END;
COMMENT ON FUNCTION create_activity(deal, text, text, timestamptz, text, interval, text[]) IS
    'Makes an activity: call, meeting, mail, task, ..., linked by default to the deal, its first contact and its account, so that it is seen from each. '
    'assignee is owner, creator, contact owner, account owner, or a user''s name, as in add_task(). link says what it is linked to; without a link it is there, but not seen from them. '
    'Returns its id (A94 A116 A120 S41 S42)';

CREATE FUNCTION create_activity(c contact, type text, title text, due timestamptz DEFAULT NULL, assignee text DEFAULT 'owner',
                                remind interval DEFAULT '1 hour', link text[] DEFAULT '{contact,account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO activity (type, title, due_at, reminder_at, assignee_id, source, contact_id, account_id)
    SELECT create_activity.type, create_activity.title, due, due - remind, assignee(c, create_activity.assignee), 'automation',
           CASE WHEN links_to(link, 'contact') THEN (c).id END,
           CASE WHEN links_to(link, 'account') THEN account_of(c) END
    WHERE (c).id IS NOT NULL RETURNING id;
END;
COMMENT ON FUNCTION create_activity(contact, text, text, timestamptz, text, interval, text[]) IS
    'Makes an activity linked to the contact and his account; as create_activity(deal, ...) (A94 A116)';

CREATE FUNCTION create_activity(a account, type text, title text, due timestamptz DEFAULT NULL, assignee text DEFAULT 'owner',
                                remind interval DEFAULT '1 hour', link text[] DEFAULT '{account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO activity (type, title, due_at, reminder_at, assignee_id, source, account_id)
    SELECT create_activity.type, create_activity.title, due, due - remind, assignee(a, create_activity.assignee), 'automation',
           CASE WHEN links_to(link, 'account') THEN account_of(a) END
    WHERE (a).id IS NOT NULL RETURNING id;
END;
COMMENT ON FUNCTION create_activity(account, text, text, timestamptz, text, interval, text[]) IS
    'Makes an activity linked to the account; as create_activity(deal, ...) (A94 A116)';

CREATE FUNCTION create_activity(t ticket, type text, title text, due timestamptz DEFAULT NULL, assignee text DEFAULT 'owner',
                                remind interval DEFAULT '1 hour', link text[] DEFAULT '{ticket,contact,account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO activity (type, title, due_at, reminder_at, assignee_id, source, ticket_id, contact_id, account_id)
    SELECT create_activity.type, create_activity.title, due, due - remind, may_be_given(assignee(t, create_activity.assignee), (t).pipeline_id), 'automation',
           CASE WHEN links_to(link, 'ticket') THEN (t).id END,
           CASE WHEN links_to(link, 'contact') THEN (contacts_of(t))[1] END,
           CASE WHEN links_to(link, 'account') THEN account_of(t) END
    WHERE (t).id IS NOT NULL RETURNING id;
END;
COMMENT ON FUNCTION create_activity(ticket, text, text, timestamptz, text, interval, text[]) IS
    'Makes an activity linked to the ticket, its first contact and its account; as create_activity(deal, ...) (A94 A109)';

CREATE FUNCTION create_activity(p project, type text, title text, due timestamptz DEFAULT NULL, assignee text DEFAULT 'owner',
                                remind interval DEFAULT '1 hour', link text[] DEFAULT '{project,deal,contact,account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO activity (type, title, due_at, reminder_at, assignee_id, source, project_id, deal_id, contact_id, account_id)
    SELECT create_activity.type, create_activity.title, due, due - remind, may_be_given(assignee(p, create_activity.assignee), (p).pipeline_id), 'automation',
           CASE WHEN links_to(link, 'project') THEN (p).id END,
           CASE WHEN links_to(link, 'deal') THEN (p).deal_id END,
           CASE WHEN links_to(link, 'contact') THEN (contacts_of(p))[1] END,
           CASE WHEN links_to(link, 'account') THEN account_of(p) END
    WHERE (p).id IS NOT NULL RETURNING id;
END;
COMMENT ON FUNCTION create_activity(project, text, text, timestamptz, text, interval, text[]) IS
    'Makes an activity linked to the project, its deal, first contact and account; as create_activity(deal, ...) (A94 A110)';

CREATE FUNCTION create_activity(r custom_object_record, type text, title text, due timestamptz DEFAULT NULL, assignee text DEFAULT 'owner',
                                remind interval DEFAULT '1 hour', link text[] DEFAULT '{record,contact,account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO activity (type, title, due_at, reminder_at, assignee_id, source, record_id, contact_id, account_id)
    SELECT create_activity.type, create_activity.title, due, due - remind, may_be_given(assignee(r, create_activity.assignee), (r).pipeline_id), 'automation',
           CASE WHEN links_to(link, 'record') THEN (r).id END,
           CASE WHEN links_to(link, 'contact') THEN (contacts_of(r))[1] END,
           CASE WHEN links_to(link, 'account') THEN account_of(r) END
    WHERE (r).id IS NOT NULL RETURNING id;
END;
COMMENT ON FUNCTION create_activity(custom_object_record, text, text, timestamptz, text, interval, text[]) IS
    'Makes an activity linked to the record, its first contact and account; as create_activity(deal, ...) (A94)';

-- Contacts

-- The contact with that email, or a new one.  Called while the email is locked.
CREATE FUNCTION contact_with(email text, first_name text, last_name text, owner bigint) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH there AS (
        SELECT min(c.id) AS id FROM contact c WHERE lower(c.email) = lower(contact_with.email) AND c.deleted_at IS NULL
    ), made AS (
        INSERT INTO contact (first_name, last_name, email, owner_id, source)
        SELECT contact_with.first_name, contact_with.last_name, contact_with.email, owner, 'automation' FROM there WHERE there.id IS NULL
        RETURNING id)
    SELECT coalesce(there.id, made.id) FROM there LEFT JOIN made ON true;
END;
COMMENT ON FUNCTION contact_with(text, text, text, bigint) IS 'Used by create_contact(): finds the contact by his email, or makes him';

CREATE FUNCTION create_contact(d deal, email text, first_name text DEFAULT NULL, last_name text DEFAULT NULL, owner bigint DEFAULT NULL,
                               link text[] DEFAULT '{deal,account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    -- two at once make one contact
    SELECT lock_name('contact ' || lower(create_contact.email));
    WITH one AS (
        SELECT contact_with(create_contact.email, create_contact.first_name, create_contact.last_name, coalesce(owner, (d).owner_id)) AS id
        WHERE (d).id IS NOT NULL
    ), of_deal AS (
        INSERT INTO deal_contact (deal_id, contact_id, is_primary)
        SELECT (d).id, one.id, NOT EXISTS (SELECT FROM deal_contact o WHERE o.deal_id = (d).id AND o.is_primary) FROM one WHERE links_to(link, 'deal')
        ON CONFLICT (deal_id, contact_id) DO NOTHING
    ), of_account AS (
        INSERT INTO account_contact (account_id, contact_id, is_primary)
        SELECT account_of(d), one.id, NOT EXISTS (SELECT FROM account_contact o WHERE o.contact_id = one.id AND o.is_primary)
        FROM one WHERE links_to(link, 'account') AND account_of(d) IS NOT NULL
        ON CONFLICT (account_id, contact_id) DO NOTHING)
    SELECT id FROM one;
END;
COMMENT ON FUNCTION create_contact(deal, text, text, text, bigint, text[]) IS
    'Makes a contact, or takes the one with that email, and links him to the deal, whose primary one he is if it had none, and to its account; '
    'returns his id. link says what he is linked to. The email is locked to the end of the transaction (lock_name()) (A117 S41 S42)';

CREATE FUNCTION create_contact(a account, email text, first_name text DEFAULT NULL, last_name text DEFAULT NULL, owner bigint DEFAULT NULL,
                               link text[] DEFAULT '{account}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    -- two at once make one contact
    SELECT lock_name('contact ' || lower(create_contact.email));
    WITH one AS (
        SELECT contact_with(create_contact.email, create_contact.first_name, create_contact.last_name, coalesce(owner, (a).owner_id)) AS id
        WHERE (a).id IS NOT NULL
    ), of_account AS (
        INSERT INTO account_contact (account_id, contact_id, is_primary)
        SELECT (a).id, one.id, NOT EXISTS (SELECT FROM account_contact o WHERE o.contact_id = one.id AND o.is_primary)
        FROM one WHERE links_to(link, 'account')
        ON CONFLICT (account_id, contact_id) DO NOTHING)
    SELECT id FROM one;
END;
COMMENT ON FUNCTION create_contact(account, text, text, text, bigint, text[]) IS
    'Makes a contact of the account, or takes the one with that email; as create_contact(deal, ...) (A117)';
