-- Delivery as SQL sees it: views and commands.

CREATE VIEW automation.deliveries WITH (security_barrier) AS
SELECT m.id,
       CASE WHEN m.state <> 'queued' THEN m.state
            WHEN f.id IS NOT NULL THEN 'started'
            WHEN stop.reason IS NOT NULL THEN 'cancelled'
            WHEN d.attempt > 0 THEN 'retry'
            ELSE 'queued' END AS state,
       CASE WHEN stop.reason IS NOT NULL AND f.id IS NULL THEN 'suppressed' ELSE m.reason END AS reason,
       coalesce(p.proname::text, w.signature) AS workflow,
       s.relation::regclass::text || ' ' || k.subject AS subject,
       m.enrollment,
       m.kind,
       m.channel,
       m.server,
       m.target,
       m.address,
       m.class,
       m.list,
       m.family,
       m.variant,
       m.ordering_key,
       m.subject AS title,
       m.body,
       m.headers,
       m.options,
       m.created_at,
       CASE WHEN m.state = 'queued' AND f.id IS NULL THEN nullif(d.due, 'infinity') END AS due,
       m.expires_at,
       coalesce(f.attempt, d.attempt, m.attempts) AS attempts,
       f.started_at,
       m.finished_at,
       m.status,
       m.answer_headers,
       m.answer,
       m.error,
       m.provider_id,
       m.uid,
       m.awaited,
       s.relation AS subject_table,
       k.subject AS subject_key,
       m.version,
       o.role AS owner
FROM automation.outgoing m
     JOIN automation.owner o ON o.id = m.owner
     LEFT JOIN automation.workflow w ON w.id = m.workflow
     LEFT JOIN automation.source s ON s.id = m.source
     LEFT JOIN pg_catalog.pg_proc p ON p.oid = w.routine
     LEFT JOIN automation.outgoing_due d ON d.id = m.id
     LEFT JOIN automation.inflight f ON f.id = m.id
     CROSS JOIN LATERAL (SELECT (SELECT pg_catalog.string_agg(coalesce(t.text, 'null'), ', ' ORDER BY t.n)
                                 FROM pg_catalog.jsonb_array_elements_text(CASE WHEN m.key LIKE '[%' THEN automation.json_or_null(m.key) END)
                                      WITH ORDINALITY t (text, n)) AS subject) k
     LEFT JOIN LATERAL (SELECT automation.suppressed(m.address, m.channel, m.class, m.list, o.role) AS reason
                        WHERE m.state = 'queued' AND m.address IS NOT NULL) stop ON true
WHERE pg_catalog.pg_has_role(o.role, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE');
COMMENT ON VIEW automation.deliveries IS
    'Messages of workflows and what became of them: to members of the role the workflow runs as, and to pg_read_all_data';
COMMENT ON COLUMN automation.deliveries.id IS 'as in automation.delivery, automation.inbound and automation.dead_letter';
COMMENT ON COLUMN automation.deliveries.state IS
    'queued, started (on its way), retry (there will be another attempt), held (restored, waits for a decision); at last sent, dead, cancelled, skipped, unknown';
COMMENT ON COLUMN automation.deliveries.reason IS 'code: why it is over, or will be when its turn comes';
COMMENT ON COLUMN automation.deliveries.workflow IS 'name of the function that sent it; NULL: none, or it is gone';
COMMENT ON COLUMN automation.deliveries.subject IS 'table and primary key of the subject';
COMMENT ON COLUMN automation.deliveries.enrollment IS 'id as in automation.enrollments; 0 = none';
COMMENT ON COLUMN automation.deliveries.kind IS 'http, mail';
COMMENT ON COLUMN automation.deliveries.channel IS 'mail, sms, http ...: suppressions are by channel';
COMMENT ON COLUMN automation.deliveries.server IS 'foreign server it goes to';
COMMENT ON COLUMN automation.deliveries.target IS 'URL; of a mail the mailbox of the recipient';
COMMENT ON COLUMN automation.deliveries.address IS 'of the recipient, normalized; NULL: nobody who could be suppressed';
COMMENT ON COLUMN automation.deliveries.class IS 'transactional, marketing, internal';
COMMENT ON COLUMN automation.deliveries.list IS 'topic one may unsubscribe from';
COMMENT ON COLUMN automation.deliveries.family IS 'messages that count as the same: name of the template';
COMMENT ON COLUMN automation.deliveries.variant IS 'of the template';
COMMENT ON COLUMN automation.deliveries.ordering_key IS 'messages of a server and key leave one after the other';
COMMENT ON COLUMN automation.deliveries.title IS 'subject of a mail';
COMMENT ON COLUMN automation.deliveries.body IS 'of a request; of a mail the plain text';
COMMENT ON COLUMN automation.deliveries.headers IS 'as the message gave them';
COMMENT ON COLUMN automation.deliveries.options IS 'as the message gave them';
COMMENT ON COLUMN automation.deliveries.created_at IS 'when SEND made it, engine time as every moment here';
COMMENT ON COLUMN automation.deliveries.due IS 'from when on it may leave; NULL: it is over, on its way, or held';
COMMENT ON COLUMN automation.deliveries.expires_at IS 'it is not sent after that';
COMMENT ON COLUMN automation.deliveries.attempts IS 'how many there were, the running one too';
COMMENT ON COLUMN automation.deliveries.started_at IS 'of the running attempt';
COMMENT ON COLUMN automation.deliveries.finished_at IS 'when it was over';
COMMENT ON COLUMN automation.deliveries.status IS 'of HTTP or SMTP, of the last attempt';
COMMENT ON COLUMN automation.deliveries.answer_headers IS 'of the last answer';
COMMENT ON COLUMN automation.deliveries.answer IS 'body of the last answer, perhaps cut off';
COMMENT ON COLUMN automation.deliveries.error IS 'what went wrong, in words';
COMMENT ON COLUMN automation.deliveries.provider_id IS 'what the receiver calls it';
COMMENT ON COLUMN automation.deliveries.uid IS 'what the receiver knows it by: webhook-id, left part of the Message-ID; the same on all attempts';
COMMENT ON COLUMN automation.deliveries.awaited IS 'an enrollment waits, or has waited, for it: SEND .. INTO';
COMMENT ON COLUMN automation.deliveries.subject_table IS 'table of the subject';
COMMENT ON COLUMN automation.deliveries.subject_key IS 'its primary key as text; several columns are separated by commas';
COMMENT ON COLUMN automation.deliveries.version IS 'of the workflow';
COMMENT ON COLUMN automation.deliveries.owner IS 'role the workflow runs as';
GRANT SELECT ON automation.deliveries TO PUBLIC;


-- Messages that could not be delivered and will not be sent again by themselves.
-- Written by the delivery worker, by SQL, so that AFTER INSERT ON
-- automation.dead_letter starts workflows.  Each row is shown to the members of the
-- role its message belongs to and to pg_read_all_data, by row security.

CREATE TABLE automation.dead_letter (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message        bigint NOT NULL,
    uid            text NOT NULL,
    workflow       text,
    enrollment     bigint,
    subject        text,
    subject_table  regclass,
    kind           text NOT NULL,
    server         text NOT NULL,
    channel        text NOT NULL,
    class          text NOT NULL,
    state          text NOT NULL,
    reason         text,
    status         int,
    error          text,
    attempts       int NOT NULL,
    owner          regrole NOT NULL,
    at             timestamptz NOT NULL
);
CREATE INDEX dead_letter_message ON automation.dead_letter (message);
COMMENT ON TABLE automation.dead_letter IS
    'Messages that ended as dead or of unknown outcome, one row for each time; AFTER INSERT ON automation.dead_letter starts workflows';
COMMENT ON COLUMN automation.dead_letter.id IS 'number of the row';
COMMENT ON COLUMN automation.dead_letter.message IS 'id as in automation.deliveries';
COMMENT ON COLUMN automation.dead_letter.uid IS 'what the receiver knows it by: webhook-id, left part of the Message-ID';
COMMENT ON COLUMN automation.dead_letter.workflow IS 'workflow that sent it, with its argument types; NULL: none';
COMMENT ON COLUMN automation.dead_letter.enrollment IS 'id as in automation.enrollments and automation.journal; NULL: none';
COMMENT ON COLUMN automation.dead_letter.subject IS 'primary key of the subject as text; several columns are separated by commas';
COMMENT ON COLUMN automation.dead_letter.subject_table IS 'table of the subject; NULL: none';
COMMENT ON COLUMN automation.dead_letter.kind IS 'http, mail';
COMMENT ON COLUMN automation.dead_letter.server IS 'foreign server it was for';
COMMENT ON COLUMN automation.dead_letter.channel IS 'mail, sms, http ...';
COMMENT ON COLUMN automation.dead_letter.class IS 'transactional, marketing, internal';
COMMENT ON COLUMN automation.dead_letter.state IS 'dead, unknown';
COMMENT ON COLUMN automation.dead_letter.reason IS 'code, as in automation.deliveries';
COMMENT ON COLUMN automation.dead_letter.status IS 'of HTTP or SMTP, of the last attempt; NULL: there was no answer';
COMMENT ON COLUMN automation.dead_letter.error IS 'in words, without anything of the message';
COMMENT ON COLUMN automation.dead_letter.attempts IS 'how many there were';
COMMENT ON COLUMN automation.dead_letter.owner IS 'role the workflow runs as';
COMMENT ON COLUMN automation.dead_letter.at IS 'engine time';

ALTER TABLE automation.dead_letter ENABLE ROW LEVEL SECURITY;
CREATE POLICY dead_letter_members ON automation.dead_letter FOR SELECT
    USING (pg_catalog.pg_has_role(owner::oid, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE'));
GRANT SELECT ON automation.dead_letter TO PUBLIC;

-- Whose role or table is gone is a number, which elsewhere may be somebody else's.
SELECT pg_catalog.pg_extension_config_dump('automation.dead_letter',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = owner)'
    ' AND (subject_table IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = subject_table))');
SELECT pg_catalog.pg_extension_config_dump('automation.dead_letter_id_seq', '');

-- Which nodes send

CREATE FUNCTION automation.egress_fingerprint() RETURNS text
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'wf_egress_fingerprint';
COMMENT ON FUNCTION automation.egress_fingerprint() IS
    'What tells this node from its copies: a hash over machine, data directory, cluster and database. Works on a standby, too; superusers only';

CREATE FUNCTION automation.arm_egress(fingerprint text DEFAULT NULL, name text DEFAULT NULL) RETURNS void
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'wf_arm_egress';
COMMENT ON FUNCTION automation.arm_egress(text, text) IS
    'Messages may leave from the node of that fingerprint, NULL: from this one. For a standby call it on the primary, with what automation.egress_fingerprint() says on the standby. Superusers only';

CREATE FUNCTION automation.disarm_egress(fingerprint text DEFAULT NULL) RETURNS boolean
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'wf_disarm_egress';
COMMENT ON FUNCTION automation.disarm_egress(text) IS
    'Messages no longer leave from the node of that fingerprint, NULL: from this one; they wait. True if they could. Superusers only';

-- Sending

CREATE PROCEDURE automation.deliver()
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_deliver';
COMMENT ON PROCEDURE automation.deliver() IS
    'Sends what is due, of all owners, and returns when nothing is due or on its way: for servers without preload, and for tests. '
    'With a delivery worker it waits until that has done so. Superusers only';

-- What becomes of those that did not arrive

CREATE FUNCTION automation.replay(message bigint DEFAULT NULL, workflow text DEFAULT NULL, server text DEFAULT NULL, reason text DEFAULT NULL,
                                  since timestamptz DEFAULT NULL, rate int DEFAULT NULL, new_id boolean DEFAULT false) RETURNS bigint
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'wf_replay';
COMMENT ON FUNCTION automation.replay(bigint, text, text, text, timestamptz, int, boolean) IS
    'Sends messages again that are dead or of unknown outcome: those that meet all filters given, at least one; returns how many. '
    'rate: so many a minute, NULL: at once. new_id: the receiver does not know them as repetitions. '
    'For members of the role the messages belong to. Errors: 22023 no filter, 42704 the message is none of those';

CREATE FUNCTION automation.discard(message bigint DEFAULT NULL, workflow text DEFAULT NULL, server text DEFAULT NULL, reason text DEFAULT NULL,
                                   since timestamptz DEFAULT NULL) RETURNS bigint
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'wf_discard';
COMMENT ON FUNCTION automation.discard(bigint, text, text, text, timestamptz) IS
    'Gives messages up that are held, dead or of unknown outcome: cancelled, by_hand. Filters, errors and rights as with automation.replay(); returns how many';

CREATE FUNCTION automation.release_deliveries(message bigint DEFAULT NULL, workflow text DEFAULT NULL, server text DEFAULT NULL, reason text DEFAULT NULL,
                                              since timestamptz DEFAULT NULL, rate int DEFAULT NULL) RETURNS bigint
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'wf_release_deliveries';
COMMENT ON FUNCTION automation.release_deliveries(bigint, text, text, text, timestamptz, int) IS
    'Messages that a restore has held may leave; those that meet all filters given, without any: all of one''s own. Rest as with automation.replay()';

CREATE FUNCTION automation.enable_server(server text) RETURNS void
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'wf_enable_server';
COMMENT ON FUNCTION automation.enable_server(text) IS
    'Messages to the server leave again: it is neither disabled nor is its circuit breaker open. For the server''s owner';

CREATE FUNCTION automation.disable_server(server text) RETURNS void
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'wf_disable_server';
COMMENT ON FUNCTION automation.disable_server(text) IS
    'Messages to the server wait until automation.enable_server(). For the server''s owner';

-- the node the extension is created on; a restore takes that back
SELECT automation.arm_egress();
