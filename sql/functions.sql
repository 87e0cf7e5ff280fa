-- Everything SQL sees of the engine but its tables and views: the language,
-- triggers, commands and questions.  Who may call what: grants.sql; every
-- function looks at its caller besides.

-- Written by a later version; here already, because workflows may read it.
CREATE TABLE automation.goal_reached (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workflow  text NOT NULL,
    goal      text NOT NULL,
    outcome   text NOT NULL,
    subject   text,
    at        timestamptz NOT NULL
);
COMMENT ON TABLE automation.goal_reached IS 'Goals that enrollments reached';
COMMENT ON COLUMN automation.goal_reached.workflow IS 'signature of the workflow';
COMMENT ON COLUMN automation.goal_reached.goal IS 'name in the GOAL statement';
COMMENT ON COLUMN automation.goal_reached.outcome IS 'reached, skipped, or achieved at entry';
COMMENT ON COLUMN automation.goal_reached.subject IS 'primary key of the first argument';
COMMENT ON COLUMN automation.goal_reached.at IS 'engine time';

-- The language

CREATE FUNCTION automation.workflow_call_handler() RETURNS language_handler
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_workflow_call_handler';
COMMENT ON FUNCTION automation.workflow_call_handler() IS 'Enrollment by hand: what SELECT my_workflow(row) runs';

CREATE FUNCTION automation.workflow_validator(function oid) RETURNS void
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wf_workflow_validator';
COMMENT ON FUNCTION automation.workflow_validator(oid) IS 'Checks a workflow at CREATE FUNCTION, as its owner';

CREATE TRUSTED LANGUAGE workflow
    HANDLER automation.workflow_call_handler
    VALIDATOR automation.workflow_validator;
COMMENT ON LANGUAGE workflow IS 'Workflows: who enters, how often, who leaves, and SQL with waits in between';

-- Triggers

CREATE FUNCTION automation.capture() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_capture';
COMMENT ON FUNCTION automation.capture() IS
    'Trigger that notes changes workflows wait for; the engine creates and drops it on the tables they watch';

CREATE FUNCTION automation.restamp() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_event_restamp';
COMMENT ON FUNCTION automation.restamp() IS 'Trigger of the event log: restored events belong to the transaction that restores them';

CREATE TRIGGER restamp BEFORE INSERT ON automation.event_0 FOR EACH ROW EXECUTE FUNCTION automation.restamp();
CREATE TRIGGER restamp BEFORE INSERT ON automation.event_1 FOR EACH ROW EXECUTE FUNCTION automation.restamp();
CREATE TRIGGER restamp BEFORE INSERT ON automation.event_2 FOR EACH ROW EXECUTE FUNCTION automation.restamp();
CREATE TRIGGER restamp BEFORE INSERT ON automation.event_3 FOR EACH ROW EXECUTE FUNCTION automation.restamp();
ALTER TABLE automation.event_0 ENABLE ALWAYS TRIGGER restamp;
ALTER TABLE automation.event_1 ENABLE ALWAYS TRIGGER restamp;
ALTER TABLE automation.event_2 ENABLE ALWAYS TRIGGER restamp;
ALTER TABLE automation.event_3 ENABLE ALWAYS TRIGGER restamp;

CREATE FUNCTION automation.adopt() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_adopt';
COMMENT ON FUNCTION automation.adopt() IS
    'Trigger of the engine''s tables: what comes by SQL is a restore, it disarms the engine, and rows of the registry take the place of what is there';

-- Each table of a dump: which one comes first depends on how it is restored.
CREATE TRIGGER restore BEFORE INSERT ON automation.argument FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.call FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.enrollment FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.event_0 FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.event_1 FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.event_2 FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.event_3 FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.ledger FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.owner FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.parked FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.rule FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.source FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.timer FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.wait FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.workflow FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.workflow_version FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
ALTER TABLE automation.argument ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.call ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.enrollment ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.event_0 ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.event_1 ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.event_2 ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.event_3 ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.ledger ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.owner ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.parked ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.rule ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.source ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.timer ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.wait ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.workflow ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.workflow_version ENABLE ALWAYS TRIGGER restore;

CREATE TRIGGER adopt BEFORE INSERT ON automation.owner FOR EACH ROW EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER adopt BEFORE INSERT ON automation.source FOR EACH ROW EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER adopt BEFORE INSERT ON automation.workflow FOR EACH ROW EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER adopt BEFORE INSERT ON automation.workflow_version FOR EACH ROW EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER adopt BEFORE INSERT ON automation.rule FOR EACH ROW EXECUTE FUNCTION automation.adopt();
ALTER TABLE automation.owner ENABLE ALWAYS TRIGGER adopt;
ALTER TABLE automation.source ENABLE ALWAYS TRIGGER adopt;
ALTER TABLE automation.workflow ENABLE ALWAYS TRIGGER adopt;
ALTER TABLE automation.workflow_version ENABLE ALWAYS TRIGGER adopt;
ALTER TABLE automation.rule ENABLE ALWAYS TRIGGER adopt;

CREATE FUNCTION automation.ddl_end() RETURNS event_trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_ddl_end';
COMMENT ON FUNCTION automation.ddl_end() IS
    'Event trigger: registers workflows, follows renames and changes of owner, checks workflows after changes of what they use';

CREATE FUNCTION automation.sql_drop() RETURNS event_trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_sql_drop';
COMMENT ON FUNCTION automation.sql_drop() IS 'Event trigger: forgets workflows and tables that were dropped';

-- Time

CREATE FUNCTION automation.now() RETURNS timestamptz
    LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_now';
COMMENT ON FUNCTION automation.now() IS
    'Engine time: the server''s clock, plus what automation.advance() moved it by';

CREATE FUNCTION automation.entered_at() RETURNS timestamptz
    LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'wf_entered_at';
COMMENT ON FUNCTION automation.entered_at() IS
    'In the text of a workflow: engine time of the change or call that started the enrollment. Elsewhere an error (55000)';

CREATE PROCEDURE automation.advance(step interval)
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_advance';
COMMENT ON PROCEDURE automation.advance(interval) IS
    'Moves the virtual clock of this database forward by step, from one due moment to the next, and does what is due. '
    'Errors: 22023 step is negative, 22008 out of range';

-- Running

CREATE PROCEDURE automation.run()
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_run';
COMMENT ON PROCEDURE automation.run() IS
    'Does what is due for the workflows of the current user and returns; with an executor alive it waits until that has done it. '
    'Not in a transaction block, not after SET ROLE, not with temporary tables. Error 55000: the engine is disarmed';

CREATE PROCEDURE automation.arm()
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_arm_sql';
COMMENT ON PROCEDURE automation.arm() IS
    'After a restore: reconciles and lets the engine run. Superuser only (error 42501)';

CREATE PROCEDURE automation.reconcile()
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_reconcile_sql';
COMMENT ON PROCEDURE automation.reconcile() IS
    'Brings the registry into line with the functions, tables and triggers there are. Superuser only (error 42501)';

CREATE FUNCTION automation.announce() RETURNS void
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_announce';
COMMENT ON FUNCTION automation.announce() IS 'Internal: asks the launcher for workers when the transaction commits';

-- Commands.  A workflow is named as 'welcome', 'crm.welcome' or 'welcome(contact)'.

CREATE FUNCTION automation.pause(workflow text, hold boolean DEFAULT false) RETURNS void
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wf_pause';
COMMENT ON FUNCTION automation.pause(text, boolean) IS
    'Nobody enters the workflow until automation.resume(); hold: those inside stand still as well. '
    'Errors: 42883 no such workflow, 42725 the name is not unique, 42501 not its owner';

CREATE FUNCTION automation.resume(workflow text) RETURNS void
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wf_resume';
COMMENT ON FUNCTION automation.resume(text) IS
    'Ends automation.pause(). Changes made meanwhile do not enter; timers that are due go on. '
    'Errors: 42883, 42725, 42501 as for pause';

CREATE FUNCTION automation.unenroll(workflow text, subject anyelement) RETURNS void
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wf_unenroll_subject';
COMMENT ON FUNCTION automation.unenroll(text, anyelement) IS
    'Takes a subject out of the workflow; subject: a row of its table, or the primary key if that is one column. '
    'Needs EXECUTE on the workflow. Errors: 42883, 42725, 42501, 42804 the subject is of another type';

CREATE FUNCTION automation.unenroll(enrollment bigint) RETURNS boolean
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wf_unenroll';
COMMENT ON FUNCTION automation.unenroll(bigint) IS
    'Ends one enrollment; false: there is none of that id. Needs EXECUTE on its workflow (error 42501)';

CREATE FUNCTION automation.unenroll_others(subject anyelement) RETURNS bigint
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wf_unenroll_others';
COMMENT ON FUNCTION automation.unenroll_others(anyelement) IS
    'Takes a row out of all workflows of the current user, but for the one that calls it; returns how many workflows were told. '
    'Error 42804: subject is not a row of a table';

CREATE FUNCTION automation.retry(enrollment bigint) RETURNS boolean
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wf_retry';
COMMENT ON FUNCTION automation.retry(bigint) IS
    'Tries a failed or held enrollment again at once; false: there is nothing to try again. Owner of the workflow only (error 42501)';

CREATE FUNCTION automation.retry(workflow text) RETURNS bigint
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wf_retry_workflow';
COMMENT ON FUNCTION automation.retry(text) IS
    'Tries all failed and held enrollments of a workflow again; returns their number. Errors: 42883, 42725, 42501';

CREATE FUNCTION automation.accept_versions(workflow text) RETURNS void
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wf_accept_versions';
COMMENT ON FUNCTION automation.accept_versions(text) IS
    'After a change of owner: shows the versions that others wrote (as NOTICEs) and lets them run as the new owner. '
    'Errors: 42883, 42725, 42501 not the new owner';

-- Questions

CREATE FUNCTION automation.finished(enrollment bigint) RETURNS boolean
    LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'wf_finished';
COMMENT ON FUNCTION automation.finished(bigint) IS
    'Is the enrollment that a workflow''s call returned over, or was it refused? Error 42501: neither your call nor your workflow';

CREATE FUNCTION automation.enrollment_status(enrollment bigint) RETURNS text
    LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'wf_enrollment_status';
COMMENT ON FUNCTION automation.enrollment_status(bigint) IS
    'queued, waiting, retrying, held: reason, failed: reason, then ended: reason or not_entered: reason; '
    'finished, if the caller may not know more. Error 42501: neither your call nor your workflow';

CREATE FUNCTION automation.statement_at(source text, ordinal int, OUT line int, OUT statement text) RETURNS record
    LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'wf_statement_at';
COMMENT ON FUNCTION automation.statement_at(text, int) IS
    'Line and first line of text of the statement with this number in the body of a workflow; for the views';

-- What is restored with the database.  Not dumped: engine (the script inserts
-- it), log (a hint), clock (virtual time belongs to the test that moved it).

-- Whose role or table is gone is a number, which elsewhere may be somebody else's.
SELECT pg_catalog.pg_extension_config_dump('automation.owner', 'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = role)');
SELECT pg_catalog.pg_extension_config_dump('automation.owner_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.source', 'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = relation)');
SELECT pg_catalog.pg_extension_config_dump('automation.source_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.workflow', '');
SELECT pg_catalog.pg_extension_config_dump('automation.workflow_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.workflow_version', '');
SELECT pg_catalog.pg_extension_config_dump('automation.rule', '');
SELECT pg_catalog.pg_extension_config_dump('automation.rule_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.event_0', '');
SELECT pg_catalog.pg_extension_config_dump('automation.event_1', '');
SELECT pg_catalog.pg_extension_config_dump('automation.event_2', '');
SELECT pg_catalog.pg_extension_config_dump('automation.event_3', '');
SELECT pg_catalog.pg_extension_config_dump('automation.event_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.enrollment', '');
SELECT pg_catalog.pg_extension_config_dump('automation.enrollment_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.argument', '');
SELECT pg_catalog.pg_extension_config_dump('automation.timer', '');
SELECT pg_catalog.pg_extension_config_dump('automation.wait', '');
SELECT pg_catalog.pg_extension_config_dump('automation.ledger', '');
SELECT pg_catalog.pg_extension_config_dump('automation.call', 'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = caller)');
SELECT pg_catalog.pg_extension_config_dump('automation.parked', '');
SELECT pg_catalog.pg_extension_config_dump('automation.parked_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.history_00', '');
SELECT pg_catalog.pg_extension_config_dump('automation.history_01', '');
SELECT pg_catalog.pg_extension_config_dump('automation.history_02', '');
SELECT pg_catalog.pg_extension_config_dump('automation.history_03', '');
SELECT pg_catalog.pg_extension_config_dump('automation.history_04', '');
SELECT pg_catalog.pg_extension_config_dump('automation.history_05', '');
SELECT pg_catalog.pg_extension_config_dump('automation.history_06', '');
SELECT pg_catalog.pg_extension_config_dump('automation.history_07', '');
SELECT pg_catalog.pg_extension_config_dump('automation.history_08', '');
SELECT pg_catalog.pg_extension_config_dump('automation.history_09', '');
SELECT pg_catalog.pg_extension_config_dump('automation.history_10', '');
SELECT pg_catalog.pg_extension_config_dump('automation.history_11', '');
SELECT pg_catalog.pg_extension_config_dump('automation.history_12', '');
SELECT pg_catalog.pg_extension_config_dump('automation.history_13', '');
SELECT pg_catalog.pg_extension_config_dump('automation.goal_reached', '');
SELECT pg_catalog.pg_extension_config_dump('automation.goal_reached_id_seq', '');

-- The views, which come next, are granted where they are made.
REVOKE ALL ON ALL TABLES IN SCHEMA automation FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA automation FROM PUBLIC;
