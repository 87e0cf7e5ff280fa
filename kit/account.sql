-- Accounts: which one a record belongs to, who is of it, and what is done to it.

-- What belongs to what

CREATE FUNCTION account_of(c contact) RETURNS bigint LANGUAGE sql STABLE
RETURN (SELECT ac.account_id FROM account_contact ac JOIN account a ON a.id = ac.account_id AND a.deleted_at IS NULL
        WHERE ac.contact_id = (c).id ORDER BY ac.is_primary DESC, ac.account_id LIMIT 1);
COMMENT ON FUNCTION account_of(contact) IS
    'The account a contact belongs to: his primary one, or else the first; NULL if he has none (S37)';

CREATE FUNCTION primary_contact(d deal) RETURNS bigint LANGUAGE sql STABLE
RETURN (SELECT dc.contact_id FROM deal_contact dc WHERE dc.deal_id = (d).id AND dc.is_primary);
COMMENT ON FUNCTION primary_contact(deal) IS 'The primary contact of the deal; NULL if none is marked as such (S38)';

CREATE FUNCTION account_of(d deal) RETURNS bigint LANGUAGE sql STABLE
RETURN coalesce((d).account_id, (SELECT account_of(c) FROM contact c WHERE c.id = primary_contact(d)));
COMMENT ON FUNCTION account_of(deal) IS 'The account of the deal, or else that of its primary contact; NULL if there is neither';

CREATE FUNCTION account_of(a account) RETURNS bigint LANGUAGE sql STABLE
RETURN (a).id;
COMMENT ON FUNCTION account_of(account) IS 'The account itself';

CREATE FUNCTION account_of(t ticket) RETURNS bigint LANGUAGE sql STABLE
RETURN coalesce((t).account_id, (SELECT account_of(c) FROM contact c JOIN ticket_contact tc ON tc.contact_id = c.id
                                 WHERE tc.ticket_id = (t).id ORDER BY c.id LIMIT 1));
COMMENT ON FUNCTION account_of(ticket) IS 'The account of the ticket, or else that of its first contact; NULL if there is neither';

CREATE FUNCTION account_of(p project) RETURNS bigint LANGUAGE sql STABLE
RETURN coalesce((p).account_id, (SELECT account_of(d) FROM deal d WHERE d.id = (p).deal_id));
COMMENT ON FUNCTION account_of(project) IS 'The account of the project, or else that of its deal; NULL if there is neither';

CREATE FUNCTION account_of(r custom_object_record) RETURNS bigint LANGUAGE sql STABLE
RETURN (SELECT account_of(c) FROM contact c JOIN custom_object_link l ON l.contact_id = c.id
        WHERE l.record_id = (r).id ORDER BY c.id LIMIT 1);
COMMENT ON FUNCTION account_of(custom_object_record) IS 'The account of the record''s first contact; NULL if there is none';

CREATE FUNCTION contacts_of(c contact) RETURNS bigint[] LANGUAGE sql STABLE
RETURN ARRAY(SELECT (c).id WHERE (c).id IS NOT NULL);
COMMENT ON FUNCTION contacts_of(contact) IS 'The contact alone; as contacts_of(deal)';

CREATE FUNCTION contacts_of(d deal) RETURNS bigint[] LANGUAGE sql STABLE
RETURN ARRAY(SELECT dc.contact_id FROM deal_contact dc WHERE dc.deal_id = (d).id ORDER BY dc.is_primary DESC, dc.contact_id);
COMMENT ON FUNCTION contacts_of(deal) IS 'Ids of the deal''s contacts, the primary one first';

CREATE FUNCTION contacts_of(a account) RETURNS bigint[] LANGUAGE sql STABLE
RETURN ARRAY(SELECT ac.contact_id FROM account_contact ac WHERE ac.account_id = (a).id ORDER BY ac.is_primary DESC, ac.contact_id);
COMMENT ON FUNCTION contacts_of(account) IS 'Ids of the account''s contacts, those first whose primary account it is';

CREATE FUNCTION contacts_of(t ticket) RETURNS bigint[] LANGUAGE sql STABLE
RETURN ARRAY(SELECT tc.contact_id FROM ticket_contact tc WHERE tc.ticket_id = (t).id ORDER BY tc.contact_id);
COMMENT ON FUNCTION contacts_of(ticket) IS 'Ids of the ticket''s contacts';

CREATE FUNCTION contacts_of(p project) RETURNS bigint[] LANGUAGE sql STABLE
RETURN ARRAY(SELECT pc.contact_id FROM project_contact pc WHERE pc.project_id = (p).id ORDER BY pc.contact_id);
COMMENT ON FUNCTION contacts_of(project) IS 'Ids of the project''s contacts';

CREATE FUNCTION contacts_of(r custom_object_record) RETURNS bigint[] LANGUAGE sql STABLE
RETURN ARRAY(SELECT l.contact_id FROM custom_object_link l WHERE l.record_id = (r).id ORDER BY l.contact_id);
COMMENT ON FUNCTION contacts_of(custom_object_record) IS 'Ids of the record''s contacts';

CREATE FUNCTION account_owner(c contact) RETURNS bigint LANGUAGE sql STABLE
RETURN (SELECT a.owner_id FROM account a WHERE a.id = account_of(c));
COMMENT ON FUNCTION account_owner(contact) IS 'The owner of the contact''s account; NULL without an account';

CREATE FUNCTION account_owner(d deal) RETURNS bigint LANGUAGE sql STABLE
RETURN (SELECT account_owner(c) FROM contact c WHERE c.id = primary_contact(d));
COMMENT ON FUNCTION account_owner(deal) IS
    'The owner of the account of the deal''s primary contact; NULL without a primary contact or an account of his (A78 S38)';

-- What is done to the account of a contact

CREATE FUNCTION add_account_note(c contact, body text, author bigint DEFAULT NULL) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO note (account_id, body, author_id, source)
    SELECT a.id, add_account_note.body, author, 'automation' FROM account a WHERE a.id = account_of(c) RETURNING id;
END;
COMMENT ON FUNCTION add_account_note(contact, text, bigint) IS
    'Writes a note on the account the contact belongs to; returns its id, or NULL, and nothing happens, without an account (A83 S37)';

CREATE FUNCTION set_account_owner(c contact, owner bigint) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE account SET owner_id = owner WHERE id = account_of(c) AND owner_id IS DISTINCT FROM owner;
END;
COMMENT ON FUNCTION set_account_owner(contact, bigint) IS
    'Makes a user the owner of the account the contact belongs to. Without an account, or if he is: nothing happens (A84 S37)';

-- A contact becomes one of an account

CREATE FUNCTION add_contact_to_account(c contact, account bigint) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO account_contact (account_id, contact_id, is_primary)
    SELECT a.id, (c).id, NOT EXISTS (SELECT FROM account_contact o WHERE o.contact_id = (c).id AND o.is_primary)
    FROM account a WHERE a.id = add_contact_to_account.account AND (c).id IS NOT NULL
    ON CONFLICT (account_id, contact_id) DO NOTHING;
    SELECT a.id FROM account a WHERE a.id = add_contact_to_account.account;
END;
COMMENT ON FUNCTION add_contact_to_account(contact, bigint) IS
    'Makes the contact one of an account that is there; it is his primary one if he had none. Who is of it already stays so: nothing fires. '
    'Returns the account, NULL if there is none of that id (A85 A87)';

CREATE FUNCTION lock_name(name text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO name_lock (hash) SELECT md5(lock_name.name) WHERE lock_name.name IS NOT NULL;
    DELETE FROM name_lock WHERE hash = md5(lock_name.name);
END;
COMMENT ON FUNCTION lock_name(text) IS
    'Waits for other transactions that make something of this name, and lets others wait to the end of this one; used by what must not make a second one. NULL: nothing';

-- The account of that name, of several the oldest; made from what is known of the contact.  Called while
-- the name is locked.
CREATE FUNCTION account_named(c contact, name text) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO account (name, domain, owner_id, source)
    SELECT btrim(account_named.name),
           CASE WHEN (c).email !~* '@(gmail|googlemail|yahoo|hotmail|outlook|live|msn|icloud|gmx|aol|proton|protonmail)\.'
                THEN nullif(lower(split_part((c).email, '@', 2)), '') END,
           (c).owner_id, 'automation'
    WHERE NOT EXISTS (SELECT FROM account a WHERE lower(a.name) = lower(btrim(account_named.name)) AND a.deleted_at IS NULL);
    SELECT a.id FROM account a WHERE lower(a.name) = lower(btrim(account_named.name)) AND a.deleted_at IS NULL ORDER BY a.id LIMIT 1;
END;
COMMENT ON FUNCTION account_named(contact, text) IS 'Used by add_contact_to_account(contact, text): finds the account, or makes it';

CREATE FUNCTION add_contact_to_account(c contact, name text DEFAULT NULL) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    -- two contacts of a new company at once make one account
    SELECT lock_name('account ' || lower(btrim(coalesce(add_contact_to_account.name, (c).company_name))));
    SELECT add_contact_to_account(c, account_named(c, n.name))
    FROM (SELECT nullif(btrim(coalesce(add_contact_to_account.name, (c).company_name)), '')) n (name)
    WHERE n.name IS NOT NULL AND (c).id IS NOT NULL;
END;
COMMENT ON FUNCTION add_contact_to_account(contact, text) IS
    'Makes the contact one of the account of that name, in whatever case; without a name: that of his company_name. '
    'An account that is not there is made, with the domain of his email, unless that is of a provider for everybody, and his owner. '
    'Returns the account; no name and no company_name: nothing happens, NULL. The name is locked to the end of the transaction (lock_name()) (A85 A86)';
