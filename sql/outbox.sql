-- The outbox: what SEND leaves for the delivery worker.  Written in the step's
-- transaction; from then on nothing of a message changes but what became of it.
--
-- A message that is to leave has a row in outgoing_due, one that is on its way a
-- row in inflight, one that is over neither.  The row in outgoing_due is the only
-- licence to send: who deletes it, sends the message or has cancelled it.

CREATE SEQUENCE automation.outgoing_seq;
CREATE TABLE automation.outgoing (
    id            bigint PRIMARY KEY,
    uid           text NOT NULL,             -- the same on all attempts: webhook-id, Message-ID; no dot in it
    owner         int NOT NULL,              -- automation.owner
    workflow      int NOT NULL,              -- 0 = none (feeds)
    version       int NOT NULL,
    enrollment    bigint NOT NULL,           -- 0 = none
    epoch         int NOT NULL,
    statement     int NOT NULL,
    source        int NOT NULL,              -- the subject's table and key, for views; 0, NULL = none
    key           text,
    created_at    timestamptz NOT NULL,      -- engine time, as every moment here
    kind          text NOT NULL,             -- http, mail
    server        text NOT NULL,             -- name of a foreign server
    target        text NOT NULL,             -- http: the URL, whole and in canonical form; mail: the mailbox of the recipient
    channel       text NOT NULL,             -- mail, sms, http ...: suppression is by channel
    address       text,                      -- of the recipient, normalized; NULL = none that could be suppressed
    class         text NOT NULL,             -- transactional, marketing, internal
    list          text,                      -- topic that one may unsubscribe from
    family        text,                      -- of messages that count as the same: the template's name
    variant       text,
    ordering_key  text,                      -- one after the other within server and key
    subject       text,
    body          text,                      -- http: the bytes to send; mail: the plain text part
    headers       jsonb,                     -- object of strings
    options       jsonb,                     -- the rest of what the kind needs
    awaited       boolean NOT NULL,          -- SEND .. INTO: the enrollment is woken when it is over
    send_window   text,                      -- SEND DURING; NULL = any time
    zone          text,                      -- of send_window
    expires_at    timestamptz,               -- not sent after that; NULL = never
    -- what became of it
    state         text NOT NULL,             -- queued, held; sent, dead, cancelled, skipped, unknown are final
    reason        text,                      -- code
    attempts      int NOT NULL,
    finished_at   timestamptz,
    status        int,                       -- of HTTP or SMTP, of the last attempt
    answer_headers jsonb,
    answer        text,
    error         text,                      -- in words, ours
    provider_id   text                       -- what the receiver calls it
) WITH (fillfactor = 40);                   -- room for what became of each row: nothing indexed changes then
CREATE INDEX outgoing_enrollment ON automation.outgoing (enrollment);
CREATE INDEX outgoing_address ON automation.outgoing (address, created_at);
CREATE INDEX outgoing_uid ON automation.outgoing (uid);
CREATE INDEX outgoing_provider ON automation.outgoing (provider_id);

CREATE TABLE automation.outgoing_due (
    id            bigint PRIMARY KEY,        -- automation.outgoing
    owner         int NOT NULL,
    workflow      int NOT NULL,
    enrollment    bigint NOT NULL,
    server        text NOT NULL,
    ordering_key  text,
    due           timestamptz NOT NULL,      -- engine time
    attempt       int NOT NULL,              -- how many there were
    xact          xid8 NOT NULL              -- that wrote the row
);
CREATE INDEX outgoing_due_xact ON automation.outgoing_due (xact);
CREATE INDEX outgoing_due_enrollment ON automation.outgoing_due (enrollment);

-- Committed, and flushed, before the connection is made.
CREATE TABLE automation.inflight (
    id            bigint PRIMARY KEY,
    attempt       int NOT NULL,              -- this one, from 1
    started_at    timestamptz NOT NULL
);

-- On their way when their enrollment or workflow ended: not sent again.
CREATE TABLE automation.outgoing_stop (
    message       bigint PRIMARY KEY,        -- automation.outgoing
    reason        text NOT NULL,
    at            timestamptz NOT NULL       -- engine time
);

-- Health of a server, as the delivery worker sees it.
CREATE TABLE automation.endpoint (
    server        text PRIMARY KEY,
    failures      int NOT NULL,              -- in a row
    failing_since timestamptz,
    open_until    timestamptz,               -- circuit breaker: nothing is sent before that, then one message to try
    disabled_at   timestamptz,
    reason        text                       -- why: gone (410), failing, by_hand
);

-- Which node may send: fingerprints of machine, data directory, cluster and
-- database.  Not dumped.
CREATE TABLE automation.egress_node (
    fingerprint   text PRIMARY KEY,
    name          text,
    armed_at      timestamptz NOT NULL
);

-- What is restored does not leave by itself.
CREATE TRIGGER restore BEFORE INSERT ON automation.outgoing FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.outgoing_due FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER adopt BEFORE INSERT ON automation.outgoing FOR EACH ROW EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER adopt BEFORE INSERT ON automation.outgoing_due FOR EACH ROW EXECUTE FUNCTION automation.adopt();
ALTER TABLE automation.outgoing ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.outgoing_due ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.outgoing ENABLE ALWAYS TRIGGER adopt;
ALTER TABLE automation.outgoing_due ENABLE ALWAYS TRIGGER adopt;

CREATE TRIGGER restore BEFORE INSERT ON automation.outgoing_stop FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
ALTER TABLE automation.outgoing_stop ENABLE ALWAYS TRIGGER restore;

SELECT pg_catalog.pg_extension_config_dump('automation.outgoing', '');
SELECT pg_catalog.pg_extension_config_dump('automation.outgoing_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.outgoing_due', '');
SELECT pg_catalog.pg_extension_config_dump('automation.outgoing_stop', '');

CREATE FUNCTION automation.settle(message bigint, state text DEFAULT 'sent', status int DEFAULT NULL, body text DEFAULT NULL,
                                  error text DEFAULT NULL)
    RETURNS boolean LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'wf_settle';
COMMENT ON FUNCTION automation.settle(bigint, text, int, text, text) IS
    'Says what became of a message that is queued, held, or of unknown outcome: sent or dead, with status and body of an answer. '
    'SEND .. INTO goes on with that. False: it is on its way, or over. Members of the role the message belongs to only. '
    'Errors: 42704 no such message of the caller''s, 22023 another state';
