-- Whom not to write to, how often to write to one, and what comes back.

CREATE TABLE automation.suppression (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner         regrole,                   -- whose messages; NULL = everybody's
    channel       text NOT NULL,             -- mail, sms ...
    address_hash  text COLLATE "C" NOT NULL, -- SHA-256 of the normalized address, hexadecimal: outlives erasure
    class         text,                      -- marketing ...; NULL = all classes
    list          text,                      -- one list; NULL = all
    reason        text NOT NULL,
    at            timestamptz NOT NULL       -- engine time
);
CREATE INDEX suppression_address ON automation.suppression (address_hash);

-- Keys of the tokens in unsubscribe links and return paths; nobody may read them.
CREATE TABLE automation.token_key (
    id            int PRIMARY KEY,           -- drawn by chance
    key           bytea NOT NULL,            -- 32 bytes
    made_at       timestamptz NOT NULL       -- the latest signs, all verify
);

-- Messages of a family that somebody had, for those that are sent once.
CREATE TABLE automation.sent_once (
    owner         int NOT NULL,
    family        text NOT NULL,
    address       text COLLATE "C" NOT NULL, -- SHA-256 of the normalized address, hexadecimal
    message       bigint NOT NULL,
    PRIMARY KEY (owner, family, address)
);

-- Of marketing messages that were removed, what their links to unsubscribe need.
CREATE TABLE automation.sent_link (
    message       bigint PRIMARY KEY,
    uid           text NOT NULL,
    owner         int NOT NULL,              -- automation.owner
    enrollment    bigint NOT NULL,
    channel       text NOT NULL,
    address_hash  text NOT NULL,             -- SHA-256 of the normalized address, hexadecimal
    class         text NOT NULL,
    list          text,
    sent_at       timestamptz NOT NULL       -- engine time
);

-- How many messages went to a server in a month, for servers with a cap.  A row
-- per owner: executors do not wait for each other.
CREATE TABLE automation.monthly_count (
    server        text NOT NULL,
    month         date NOT NULL,             -- its first day; months of UTC
    owner         int NOT NULL,
    messages      bigint NOT NULL,
    PRIMARY KEY (server, month, owner)
);

-- What bridges report: bounces, complaints, replies, opens, clicks, unsubscribes.
-- Written by SQL, so that AFTER and WAIT FOR see it; shown as goal_reached is.
CREATE TABLE automation.inbound (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text NOT NULL,
    delivery      bigint,
    enrollment    bigint,
    address       text,
    url           text,
    matched       text NOT NULL,
    event         text,
    detail        jsonb,
    owner         regrole NOT NULL,
    at            timestamptz NOT NULL,
    UNIQUE (delivery, kind, event)
);
CREATE INDEX inbound_address ON automation.inbound (address, at);
COMMENT ON TABLE automation.inbound IS
    'What came back about messages; AFTER INSERT ON automation.inbound and WAIT FOR INSERT ON automation.inbound see it';
COMMENT ON COLUMN automation.inbound.kind IS
    'delivered, hard_bounce, soft_bounce, complaint, unsubscribe, reply, auto_reply, open or click';
COMMENT ON COLUMN automation.inbound.delivery IS 'message it is about, as in automation.deliveries';
COMMENT ON COLUMN automation.inbound.enrollment IS 'enrollment that sent it; NULL if there was none';
COMMENT ON COLUMN automation.inbound.address IS 'recipient of the message, normalized; NULL once erased';
COMMENT ON COLUMN automation.inbound.url IS 'of a click';
COMMENT ON COLUMN automation.inbound.matched IS
    'how the message was found: token, provider_id, references; server: it refused the recipient at once; sender: by the address alone, the latest message to it, which is a guess';
COMMENT ON COLUMN automation.inbound.event IS 'name the bridge gave to the event: reported twice, it is recorded once';
COMMENT ON COLUMN automation.inbound.detail IS 'what the bridge said besides';
COMMENT ON COLUMN automation.inbound.owner IS 'role that sent the message';
COMMENT ON COLUMN automation.inbound.at IS 'engine time';

ALTER TABLE automation.inbound ENABLE ROW LEVEL SECURITY;
CREATE POLICY inbound_members ON automation.inbound FOR SELECT
    USING (pg_catalog.pg_has_role(owner::oid, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE'));
GRANT SELECT ON automation.inbound TO PUBLIC;

CREATE FUNCTION automation.suppress(address text, channel text DEFAULT 'mail', class text DEFAULT 'marketing', list text DEFAULT NULL,
                                    reason text DEFAULT 'by_hand',
                                    for_owner regrole DEFAULT pg_catalog.quote_ident(current_user)::pg_catalog.regrole)
RETURNS boolean LANGUAGE c AS 'MODULE_PATHNAME', 'wf_suppress_address';
COMMENT ON FUNCTION automation.suppress(text, text, text, text, text, regrole) IS
    'No more messages of a channel and class to an address; class NULL: of no class; list: of that one only; for_owner: whose messages, the caller''s unless told, NULL everybody''s. False: it is so already. Error 42501 unless the caller is a member of for_owner, for NULL a superuser; 22023: no address';

CREATE FUNCTION automation.unsuppress(address text, channel text DEFAULT 'mail', class text DEFAULT 'marketing', list text DEFAULT NULL,
                                      for_owner regrole DEFAULT pg_catalog.quote_ident(current_user)::pg_catalog.regrole)
RETURNS boolean LANGUAGE c AS 'MODULE_PATHNAME', 'wf_unsuppress_address';
COMMENT ON FUNCTION automation.unsuppress(text, text, text, text, regrole) IS
    'Takes back the suppression with these very arguments. False: there is none. Errors as of suppress()';

CREATE FUNCTION automation.suppressed(address text, channel text DEFAULT 'mail', class text DEFAULT 'marketing', list text DEFAULT NULL,
                                      for_owner regrole DEFAULT pg_catalog.quote_ident(current_user)::pg_catalog.regrole)
RETURNS text LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'wf_suppressed_address';
COMMENT ON FUNCTION automation.suppressed(text, text, text, text, regrole) IS
    'Reason why messages like that are not sent to the address; NULL: none, or the caller is no member of for_owner';

CREATE VIEW automation.suppressions WITH (security_barrier) AS
SELECT s.owner, s.channel, s.address_hash, s.class, s.list, s.reason, s.at
FROM automation.suppression s
WHERE pg_catalog.pg_has_role(s.owner::oid, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE');
COMMENT ON VIEW automation.suppressions IS
    'Who is not written to, by hash of the address: to members of the role whose messages it is about, and to pg_read_all_data';
COMMENT ON COLUMN automation.suppressions.owner IS 'role whose messages are not sent; NULL = everybody''s';
COMMENT ON COLUMN automation.suppressions.channel IS 'mail, sms, or another one';
COMMENT ON COLUMN automation.suppressions.address_hash IS 'SHA-256 of the normalized address, hexadecimal';
COMMENT ON COLUMN automation.suppressions.class IS 'marketing, transactional, internal; NULL = all';
COMMENT ON COLUMN automation.suppressions.list IS 'one list; NULL = all';
COMMENT ON COLUMN automation.suppressions.reason IS 'by_hand, unsubscribed, hard_bounce, soft_bounces, complaint, or what suppress() was told';
COMMENT ON COLUMN automation.suppressions.at IS 'engine time';
GRANT SELECT ON automation.suppressions TO PUBLIC;

CREATE FUNCTION automation.rotate_token_key() RETURNS int LANGUAGE c AS 'MODULE_PATHNAME', 'wf_rotate_token_key';
COMMENT ON FUNCTION automation.rotate_token_key() IS
    'A new key for the tokens in links and return paths, returned is its id; those signed before go on being good. Superuser only (error 42501)';

CREATE FUNCTION automation.delivery_token(delivery bigint, purpose text DEFAULT 'unsubscribe') RETURNS text
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'wf_delivery_token';
COMMENT ON FUNCTION automation.delivery_token(bigint, text) IS
    'Token of a message (automation.deliveries.id), as its mail carries it: purpose unsubscribe, or return, of the return path. Error 42501 unless the caller is a member of the role that sent it; 22023: no such message or purpose';

CREATE FUNCTION automation.unsubscribe(token text) RETURNS text LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'wf_unsubscribe';
COMMENT ON FUNCTION automation.unsubscribe(text) IS
    'What the link in a mail does, on POST: no more marketing messages, or none of the list, from the sender to the recipient. unsubscribed; already_unsubscribed; invalid_token: nothing was done';

CREATE FUNCTION automation.record_inbound(kind text, token text DEFAULT NULL, provider_id text DEFAULT NULL, address text DEFAULT NULL,
                                          refs text DEFAULT NULL, url text DEFAULT NULL, headers jsonb DEFAULT NULL,
                                          event text DEFAULT NULL, detail jsonb DEFAULT NULL)
RETURNS bigint LANGUAGE c AS 'MODULE_PATHNAME', 'wf_record_inbound';
COMMENT ON FUNCTION automation.record_inbound(text, text, text, text, text, text, jsonb, text, jsonb) IS
    'What a bridge heard about a message: kind, and by which it is found: token, provider_id, refs (In-Reply-To, References, Message-ID); address: who replied. Returns automation.inbound.id, NULL if no message is found; nothing is done then. Error 22023: unknown kind';

CREATE FUNCTION automation.forget_address(address text, channel text DEFAULT 'mail') RETURNS bigint
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'wf_forget_address';
COMMENT ON FUNCTION automation.forget_address(text, text) IS
    'Erases address, content and answers of the messages to it that belong to roles of the caller, and what came back; those that have not left are cancelled. Suppressions stay, as hashes. Returns how many messages';

CREATE TRIGGER restore BEFORE INSERT ON automation.suppression FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.token_key FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.sent_once FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.monthly_count FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.sent_link FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
ALTER TABLE automation.sent_link ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.suppression ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.token_key ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.sent_once ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.monthly_count ENABLE ALWAYS TRIGGER restore;

-- Keys too: links in mails go on working after a restore.  Who may read a dump may make tokens.
SELECT pg_catalog.pg_extension_config_dump('automation.token_key', '');
SELECT pg_catalog.pg_extension_config_dump('automation.sent_once', '');
SELECT pg_catalog.pg_extension_config_dump('automation.monthly_count', '');
SELECT pg_catalog.pg_extension_config_dump('automation.sent_link', '');
-- Whose role is gone is a number, which elsewhere may be somebody else's.
SELECT pg_catalog.pg_extension_config_dump('automation.suppression',
    'WHERE owner IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = owner)');
SELECT pg_catalog.pg_extension_config_dump('automation.suppression_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.inbound', 'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = owner)');
SELECT pg_catalog.pg_extension_config_dump('automation.inbound_id_seq', '');
