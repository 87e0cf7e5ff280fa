-- Delivery as SQL sees it: views and commands.


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
