-- Delivery as SQL sees it: views and commands.


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
    LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'wf_egress_fingerprint';
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

-- the node the extension is created on; a restore takes that back
SELECT automation.arm_egress();
