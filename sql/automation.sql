\echo Use "CREATE EXTENSION automation" to load this file. \quit

-- The engine's own tables. Written by C only (src/README.md says which file
-- writes which table); readable by nobody, shown through the views.
-- No foreign keys: pg_restore -j loads configuration tables in any order.

CREATE SCHEMA automation;
COMMENT ON SCHEMA automation IS 'Workflows as functions: the engine, its views and its commands';

-- One row; not dumped, so a restored database starts from the row inserted here.
CREATE TABLE automation.engine (
    one    boolean PRIMARY KEY,
    armed  boolean NOT NULL,
    abi    int NOT NULL
);
INSERT INTO automation.engine VALUES (true, true, 1);

-- Hint: the event segment to append to.
CREATE TABLE automation.log (current int NOT NULL);
INSERT INTO automation.log VALUES (0);

-- Virtual clock: microseconds added to the server's clock.
CREATE TABLE automation.clock (shift bigint NOT NULL);
INSERT INTO automation.clock VALUES (0);

CREATE SEQUENCE automation.owner_seq AS int;
CREATE TABLE automation.owner (
    id    int PRIMARY KEY,
    role  regrole NOT NULL UNIQUE
);

CREATE SEQUENCE automation.source_seq AS int;
CREATE TABLE automation.source (
    id        int PRIMARY KEY,
    relation  regclass NOT NULL UNIQUE
);

CREATE SEQUENCE automation.workflow_seq AS int;
CREATE TABLE automation.workflow (
    id           int PRIMARY KEY,
    signature    text NOT NULL UNIQUE,   -- schema-qualified, as format_procedure_qualified prints it
    routine      oid NOT NULL,           -- hint only: checked against signature, owner and language
    owner        int NOT NULL,           -- automation.owner.id
    version      int NOT NULL,           -- the current one
    entry        text NOT NULL,          -- open | paused | queued
    hold         text,                   -- NULL or why nothing of it runs: paused, definition_invalid, owner_changed ...
    hold_detail  text,
    created_at   timestamptz NOT NULL,
    paused_at    timestamptz             -- since when it is held as paused
);
CREATE INDEX workflow_routine ON automation.workflow (routine);

CREATE TABLE automation.workflow_version (
    workflow    int NOT NULL,
    version     int NOT NULL,
    author      int NOT NULL,            -- automation.owner.id: the version runs as nobody else
    source      text NOT NULL,
    path        text NOT NULL,           -- search_path of definition time, ending in automation, pg_temp
    created_at  timestamptz NOT NULL,
    invalid     text,                    -- of an old one: why it can't run any more
    PRIMARY KEY (workflow, version)
);

-- What capture watches. Immutable but for "armed": events refer to rules by id.
CREATE SEQUENCE automation.rule_seq AS int;
CREATE TABLE automation.rule (
    id          int PRIMARY KEY,
    workflow    int NOT NULL,
    version     int NOT NULL,
    kind        "char" NOT NULL,         -- A AFTER clause, D AT clause, W row arguments, T another table that a condition reads, C WAIT FOR a change
    clause      int NOT NULL,            -- ordinal: of the clause (A, D), of the dependency (T), of the statement (C); 0 (W)
    source      int NOT NULL,
    owner       int NOT NULL,
    armed       boolean NOT NULL,
    operations  int NOT NULL,            -- 1 INSERT | 2 UPDATE | 4 DELETE
    columns     text[],                  -- UPDATE OF; NULL = any column
    conditions  jsonb,                   -- in-trigger conjuncts, FROM and TO included: data, bound by the session
    reads_old   text[],                  -- columns WHEN and FOR read; {*} = all
    reads_new   text[],
    image_old   text[],                  -- columns to keep in the event; {*} = all
    image_new   text[],
    residual    boolean NOT NULL,        -- WHEN has a part only the executor may evaluate
    ties        text[],                  -- T, C: columns whose values lead to those who wait; see src/tie.c
    path        jsonb                    -- T, C: how the executor gets from the row to ties; NULL = capture makes them
);
CREATE INDEX rule_source ON automation.rule (source);
CREATE INDEX rule_workflow ON automation.rule (workflow, version);

-- Event log: four equal segments, rotated by TRUNCATE, never vacuumed.
CREATE SEQUENCE automation.event_seq;
CREATE TABLE automation.event_0 (
    seq      bigint NOT NULL,
    xact     xid8 NOT NULL,              -- top-level transaction in this cluster
    at       timestamptz NOT NULL,       -- engine time of the append
    kind     "char" NOT NULL,            -- I U D change, E entry, H by hand, W wake, C command
    head     boolean NOT NULL DEFAULT true,  -- has an index entry; see src/event_head.c
    owner    int NOT NULL,
    source   int,
    key      text,                       -- primary key of the row, whole
    old_key  text,                       -- primary key before a key update
    target   bigint,                     -- enrollment
    hits     int[],                      -- rule << 2 | old side holds << 1 | new side holds
    prints   bigint[],                   -- two per hit: fingerprints of the UPDATE OF columns, old and new
    ties     bigint[],                   -- of the old and the new row, for those who wait
    old      jsonb,
    new      jsonb,
    args     jsonb,
    cause    bigint[],                   -- root event, depth, then (workflow, entry key hash) pairs
    origin   xid8                        -- of a restored one: its transaction before; else NULL
) WITH (fillfactor = 100, autovacuum_enabled = off, toast.autovacuum_enabled = off);
ALTER TABLE automation.event_0 REPLICA IDENTITY FULL;
CREATE INDEX event_0_xact_idx ON automation.event_0 (xact) WHERE head;
CREATE TABLE automation.event_1 (LIKE automation.event_0 INCLUDING ALL)
    WITH (fillfactor = 100, autovacuum_enabled = off, toast.autovacuum_enabled = off);
ALTER TABLE automation.event_1 REPLICA IDENTITY FULL;
CREATE TABLE automation.event_2 (LIKE automation.event_0 INCLUDING ALL)
    WITH (fillfactor = 100, autovacuum_enabled = off, toast.autovacuum_enabled = off);
ALTER TABLE automation.event_2 REPLICA IDENTITY FULL;
CREATE TABLE automation.event_3 (LIKE automation.event_0 INCLUDING ALL)
    WITH (fillfactor = 100, autovacuum_enabled = off, toast.autovacuum_enabled = off);
ALTER TABLE automation.event_3 REPLICA IDENTITY FULL;

CREATE SEQUENCE automation.enrollment_seq;
CREATE TABLE automation.enrollment (
    id          bigint PRIMARY KEY,
    workflow    int NOT NULL,
    version     int NOT NULL,
    owner       int NOT NULL,
    source      int,                     -- of the first argument; NULL = no subject
    key         text COLLATE "C",        -- look-up form of its primary key
    entry_key   text COLLATE "C" NOT NULL,   -- look-up form
    args        jsonb NOT NULL,          -- per argument: array of key texts, text of a value, or null
    vars        jsonb,                   -- per variable: text or null
    found       boolean NOT NULL,
    statement   int NOT NULL,            -- ordinal: the wait it stands on, else the next statement to run
    epoch       int NOT NULL,            -- + 1 at each move; a timer of another epoch is stale
    state       text NOT NULL,           -- waiting | retrying | held | failed
    reason      text,                    -- of held and failed
    waiting     jsonb,                   -- what it waits for; kept while held
    jumps       jsonb,                   -- GO TO counters
    entered_at  timestamptz NOT NULL,    -- "at" of the event that started it
    since       timestamptz NOT NULL,    -- in this state since
    wake_at     timestamptz,             -- of its timer
    cause       bigint[],
    attempt     int NOT NULL,
    error       jsonb,                   -- sqlstate, message, detail, context, line
    goals       text[]                   -- names of goals had; after an empty one, of those skipped
) WITH (fillfactor = 90);
CREATE INDEX enrollment_workflow ON automation.enrollment (workflow);
CREATE INDEX enrollment_subject ON automation.enrollment (source, key);

-- Row arguments after the first: who is concerned by a change of that row.
CREATE TABLE automation.argument (
    source      int NOT NULL,
    key         text COLLATE "C" NOT NULL,
    enrollment  bigint NOT NULL
);
CREATE INDEX argument_row ON automation.argument (source, key, enrollment);
ALTER TABLE automation.argument REPLICA IDENTITY FULL;

-- Insert and delete only.
CREATE TABLE automation.timer (
    owner       int NOT NULL,
    at          timestamptz NOT NULL,
    enrollment  bigint NOT NULL,
    epoch       int NOT NULL
);
CREATE INDEX timer_at ON automation.timer (owner, at, enrollment);
ALTER TABLE automation.timer REPLICA IDENTITY FULL;

-- Waits that are not found by their subject: tie 0 = swept, else a tie's hash.
CREATE TABLE automation.wait (
    tie         bigint NOT NULL,
    owner       int NOT NULL,
    enrollment  bigint NOT NULL
);
CREATE INDEX wait_tie ON automation.wait (tie, owner, enrollment);
ALTER TABLE automation.wait REPLICA IDENTITY FULL;

-- Who entered what, how often. Survives everything but forget.
CREATE TABLE automation.ledger (
    workflow      int NOT NULL,
    entry_key     text COLLATE "C" NOT NULL,   -- look-up form
    entries       int NOT NULL,
    first_at      timestamptz,
    last_at       timestamptz,
    refusals      int NOT NULL,          -- non-entries of the same reason in a row
    reason        text,                  -- of the last non-entry
    caused        int NOT NULL,          -- entries by events of other workflows since caused_since
    caused_since  timestamptz,
    enrollment    bigint,                -- the last one that entered; inside as long as it has a row
    allowed       boolean NOT NULL,      -- automation.allow_again(): the policy does not look at the entries before
    PRIMARY KEY (workflow, entry_key)
) WITH (fillfactor = 80);

-- A call by hand or by a workflow, from SELECT wf(...) until it ended or was refused.
CREATE TABLE automation.call (
    id      bigint PRIMARY KEY,          -- enrollment id reserved for it
    caller  regrole NOT NULL
);

-- Events that could not be processed yet.
CREATE SEQUENCE automation.parked_seq;
CREATE TABLE automation.parked (
    id        bigint PRIMARY KEY,
    owner     int NOT NULL,
    retry_at  timestamptz NOT NULL,
    attempt   int NOT NULL,
    reason    text NOT NULL,
    workflow  int,                       -- set when it waits for that workflow to be released
    error     jsonb,
    at        timestamptz NOT NULL,
    kind      "char" NOT NULL,
    source    int,
    key       text,
    old_key   text,
    target    bigint,
    hits      int[],
    prints    bigint[],
    ties      bigint[],
    old       jsonb,
    new       jsonb,
    args      jsonb,
    cause     bigint[]
);
CREATE INDEX parked_retry ON automation.parked (owner, retry_at);
CREATE INDEX parked_workflow ON automation.parked (workflow);
CREATE INDEX parked_target ON automation.parked (target);

-- History: a ring of 14 months, truncated at reuse.
CREATE TABLE automation.history_00 (
    at          timestamptz NOT NULL,
    owner       int NOT NULL,
    workflow    int NOT NULL,
    version     int NOT NULL,
    enrollment  bigint,
    source      int,
    key         text,
    event       text NOT NULL,           -- entered, entered+waiting, entered+ended ..., waiting, resumed, ended, failed, retrying, held, released, not_entered, statement ...
    reason      text,
    statement   int,
    detail      jsonb
) WITH (fillfactor = 100);
CREATE INDEX history_00_enrollment_idx ON automation.history_00 (enrollment);
ALTER TABLE automation.history_00 REPLICA IDENTITY FULL;
DO $$
BEGIN
    FOR i IN 1..13 LOOP
        EXECUTE pg_catalog.format('CREATE TABLE automation.history_%1$s (LIKE automation.history_00 INCLUDING ALL) WITH (fillfactor = 100)',
                                  pg_catalog.lpad(i::text, 2, '0'));
        EXECUTE pg_catalog.format('ALTER TABLE automation.history_%1$s REPLICA IDENTITY FULL', pg_catalog.lpad(i::text, 2, '0'));
    END LOOP;
END $$;

-- The types a SEND statement speaks of.
CREATE TYPE automation.message AS (
    kind     text,
    server   text,
    target   text,
    subject  text,
    body     text,
    headers  jsonb,
    options  jsonb
);
COMMENT ON TYPE automation.message IS 'What SEND takes: made by email(), webhook() and the other constructors';
CREATE TYPE automation.delivery AS (
    id       bigint,
    state    text,
    status   int,
    headers  jsonb,
    body     text,
    error    text
);
COMMENT ON TYPE automation.delivery IS 'What SEND ... INTO gives back';

-- Everything SQL sees of the engine but its tables and views: the language,
-- triggers, commands and questions.  Who may call what: at the end; every
-- function looks at its caller besides.

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

CREATE FUNCTION automation.pause(workflow text, hold boolean DEFAULT false, queue boolean DEFAULT false) RETURNS void
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wf_pause';
COMMENT ON FUNCTION automation.pause(text, boolean, boolean) IS
    'Nobody enters the workflow until automation.resume(); hold: those inside stand still as well; '
    'queue: who would have entered meanwhile enters then. '
    'Errors: 42883 no such workflow, 42725 the name is not unique, 42501 not its owner';

CREATE FUNCTION automation.resume(workflow text, late text DEFAULT 'run', rate int DEFAULT NULL,
                                  skip_if_later_than interval DEFAULT NULL) RETURNS void
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_resume';
COMMENT ON FUNCTION automation.resume(text, text, int, interval) IS
    'Ends automation.pause(). Changes made meanwhile do not enter unless they were queued. late says what becomes of those inside whose time came meanwhile: '
    'run: they go on, at most rate of them per second; shift: nothing is late, for waits and time limits are longer by the pause; '
    'skip: who is later than skip_if_later_than ends as too_late, the others go on. '
    'With rate, shift or skip the workflow stays held until a job has looked at everybody. '
    'Errors: 42883, 42725, 42501 as for pause, 22023 arguments that do not fit together, 55006 it is being resumed';

CREATE FUNCTION automation.unenroll(workflow text, subject anyelement) RETURNS void
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wf_unenroll_subject';
COMMENT ON FUNCTION automation.unenroll(text, anyelement) IS
    'Takes a subject out of the workflow; subject: a row of its table, or the primary key if that is one column. '
    'Needs EXECUTE on the workflow. Errors: 42883, 42725, 42501, 42804 the subject is of another type';

CREATE FUNCTION automation.unenroll(enrollment bigint) RETURNS boolean
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wf_unenroll';
COMMENT ON FUNCTION automation.unenroll(bigint) IS
    'Ends one enrollment; false: there is none of that id. Needs EXECUTE on its workflow (error 42501)';

CREATE FUNCTION automation.allow_again(workflow text, subject anyelement) RETURNS boolean
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wf_allow_again';
COMMENT ON FUNCTION automation.allow_again(text, anyelement) IS
    'Lets somebody enter once more whom ENROLL ONCE or AGAIN AFTER keeps out; false: nothing keeps him out, or he is inside. '
    'Takes effect in the order of all other changes. subject: a row of its table or the primary key; '
    'with ENROLL .. PER what PER gives, several values as ROW(...), or the subject for all keys it stands in. '
    'Owner of the workflow only. Errors: 42883, 42725, 42501, 42804 it is of another type';

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

CREATE FUNCTION automation.hold(enrollment bigint) RETURNS boolean
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wf_hold_one';
COMMENT ON FUNCTION automation.hold(bigint) IS
    'One enrollment stands still until automation.release(); false: there is none of that id, or it has failed or is held by hand already. '
    'Owner of the workflow only (error 42501)';

CREATE FUNCTION automation.release(enrollment bigint) RETURNS boolean
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wf_release_one';
COMMENT ON FUNCTION automation.release(bigint) IS
    'Ends automation.hold(); a deadline that has passed meanwhile is over, unless what it waited for came before. '
    'False: it was not held by hand when this was called. Owner of the workflow only (error 42501)';

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

-- The views, which come next, are granted where they are made.
REVOKE ALL ON ALL TABLES IN SCHEMA automation FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA automation FROM PUBLIC;

-- What users see of the engine.  A row is shown to the members of the role it
-- belongs to and to pg_read_all_data; counts without any key or value to
-- pg_monitor as well.  The views read the tables with the rights of their
-- owner, who alone can; security_barrier keeps functions in a caller's WHERE
-- away from rows that are not his.  Every name is bound when the view is made.

CREATE VIEW automation.workflows WITH (security_barrier) AS
SELECT coalesce(p.proname::text, w.signature) AS name,
       n.nspname AS schema,
       w.signature,
       o.role AS owner,
       w.entry = 'open' AND w.hold IS NULL AND g.armed AS active,
       w.entry,
       w.hold,
       CASE WHEN r.sees_payload THEN w.hold_detail END AS hold_detail,
       w.version,
       w.created_at,
       coalesce((SELECT pg_catalog.sum(l.entries) FROM automation.ledger l WHERE l.workflow = w.id), 0)::bigint AS entered,
       e.waiting,
       e.retrying,
       e.held,
       e.failed,
       CASE
           WHEN NOT g.armed THEN 'the engine is disarmed, for example after a restore: CALL automation.arm()'
           WHEN w.hold = 'paused' THEN 'paused: automation.resume() lets it go on'
           WHEN w.hold = 'definition_invalid' THEN 'something it uses has changed: CREATE OR REPLACE FUNCTION shows what'
           WHEN w.hold = 'owner_changed' THEN 'it has versions by another author: automation.accept_versions() shows them and lets them run'
           WHEN w.hold = 'owner_is_superuser' THEN 'workflows do not run as superuser: ALTER FUNCTION ... OWNER TO an ordinary role'
           WHEN w.hold = 'owner_cannot_connect' THEN 'its owner cannot connect: ALTER ROLE ... LOGIN (no password is needed), GRANT CONNECT ON DATABASE'
           WHEN w.hold = 'owner_missing' THEN 'its owner was dropped: ALTER FUNCTION ... OWNER TO'
           WHEN w.hold = 'function_missing' THEN 'its function is not there: CREATE FUNCTION brings it back, CALL automation.reconcile() looks again'
           WHEN w.hold = 'not_permitted' THEN 'its owner may not use the language: GRANT USAGE ON LANGUAGE workflow'
           WHEN w.hold IS NOT NULL THEN pg_catalog.replace(w.hold, '_', ' ')
           WHEN w.entry = 'queued' THEN 'who would enter waits, those inside go on: automation.resume() lets them in'
           WHEN w.entry = 'paused' THEN 'nobody enters, those inside go on: automation.resume() opens it again'
           WHEN e.failed > 0 THEN 'some have failed: automation.enrollments shows the error, automation.retry() tries again'
       END AS note
FROM automation.workflow w
     JOIN automation.owner o ON o.id = w.owner
     CROSS JOIN automation.engine g
     CROSS JOIN LATERAL (SELECT pg_catalog.pg_has_role(o.role, 'USAGE')
                                OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE') AS sees_payload) r
     LEFT JOIN pg_catalog.pg_proc p ON p.oid = w.routine
     LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     LEFT JOIN LATERAL (SELECT pg_catalog.count(*) FILTER (WHERE s.state = 'waiting') AS waiting,
                               pg_catalog.count(*) FILTER (WHERE s.state = 'retrying') AS retrying,
                               pg_catalog.count(*) FILTER (WHERE s.state = 'held') AS held,
                               pg_catalog.count(*) FILTER (WHERE s.state = 'failed') AS failed
                        FROM automation.enrollment s WHERE s.workflow = w.id) e ON true
WHERE r.sees_payload OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');

COMMENT ON VIEW automation.workflows IS 'Workflows and how many are in them';
COMMENT ON COLUMN automation.workflows.name IS 'name of the function';
COMMENT ON COLUMN automation.workflows.schema IS 'schema of the function';
COMMENT ON COLUMN automation.workflows.signature IS 'function with its argument types';
COMMENT ON COLUMN automation.workflows.owner IS 'role that everything in it runs as';
COMMENT ON COLUMN automation.workflows.active IS 'records can enter and go on: entry is open, no hold, the engine is armed';
COMMENT ON COLUMN automation.workflows.entry IS 'open; paused: nobody enters, those inside go on; queued: who would enter does so at automation.resume()';
COMMENT ON COLUMN automation.workflows.hold IS 'why nothing of it runs; NULL: it runs';
COMMENT ON COLUMN automation.workflows.hold_detail IS 'more about the hold';
COMMENT ON COLUMN automation.workflows.version IS 'version that new entries take; those inside stay on theirs';
COMMENT ON COLUMN automation.workflows.created_at IS 'when it was first created';
COMMENT ON COLUMN automation.workflows.entered IS 'entries since it was created';
COMMENT ON COLUMN automation.workflows.waiting IS 'enrollments that wait for a time, a moment, a condition or a change';
COMMENT ON COLUMN automation.workflows.retrying IS 'enrollments whose last attempt met an error and that will be tried again';
COMMENT ON COLUMN automation.workflows.held IS 'enrollments that go on only after a command';
COMMENT ON COLUMN automation.workflows.failed IS 'enrollments that used up their attempts';
COMMENT ON COLUMN automation.workflows.note IS 'what is wrong and what to do about it';

CREATE VIEW automation.enrollments WITH (security_barrier) AS
SELECT e.id,
       coalesce(p.proname::text, w.signature) AS workflow,
       s.relation::regclass::text || ' ' || k.subject AS subject,
       s.relation AS subject_table,
       k.subject AS subject_key,
       k.entry AS entry_key,
       e.state,
       e.reason,
       place.line,
       place.statement,
       e.since,
       k.waits_for,
       e.wake_at AS wakes_at,
       e.attempt,
       pg_catalog.concat_ws(' ', 'line ' || (e.error ->> 'line') || ':', e.error ->> 'sqlstate', e.error ->> 'message',
                            '(' || (e.error ->> 'detail') || ')', 'HINT: ' || (e.error ->> 'hint')) AS error,
       e.entered_at,
       e.version,
       w.signature,
       o.role AS owner,
       e.args,
       e.vars
FROM automation.enrollment e
     JOIN automation.owner o ON o.id = e.owner
     JOIN automation.workflow w ON w.id = e.workflow
     LEFT JOIN automation.source s ON s.id = e.source
     LEFT JOIN automation.workflow_version v ON v.workflow = e.workflow AND v.version = e.version
     LEFT JOIN pg_catalog.pg_proc p ON p.oid = w.routine
     LEFT JOIN LATERAL automation.statement_at(v.source, coalesce((e.error ->> 'statement')::int, e.statement)) place ON true
     CROSS JOIN LATERAL (SELECT (SELECT pg_catalog.string_agg(coalesce(t.text, 'null'), ', ' ORDER BY t.n)
                                 FROM pg_catalog.jsonb_array_elements_text(CASE WHEN e.key LIKE '[%' THEN e.key::jsonb
                                                                                WHEN e.key IS NOT NULL THEN e.args -> 0 END)
                                      WITH ORDINALITY t (text, n)) AS subject,
                                coalesce((SELECT pg_catalog.string_agg(coalesce(t.text, 'null'), ', ' ORDER BY t.n)
                                          FROM pg_catalog.jsonb_array_elements_text(CASE WHEN e.entry_key LIKE '[%' THEN e.entry_key::jsonb END)
                                               WITH ORDINALITY t (text, n)), e.entry_key) AS entry,
                                CASE e.waiting ->> 'kind'
                                    WHEN 'interval' THEN 'a time to pass'
                                    WHEN 'moment' THEN 'a moment' || CASE WHEN e.waiting ? 'moment' THEN '' ELSE ' to be known' END
                                    WHEN 'condition' THEN 'a condition'
                                    WHEN 'change' THEN 'a change'
                                    WHEN 'delivery' THEN 'a delivery'
                                    WHEN 'begin' THEN 'its turn'
                                END || coalesce(': ' || nullif(e.waiting ->> 'waits_for', ''), '') AS waits_for) k
WHERE pg_catalog.pg_has_role(o.role, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE');

COMMENT ON VIEW automation.enrollments IS 'Who is in a workflow now, where, and what comes next; those that ended are in automation.journal';
COMMENT ON COLUMN automation.enrollments.id IS 'what SELECT workflow(...) returned';
COMMENT ON COLUMN automation.enrollments.workflow IS 'name of the workflow';
COMMENT ON COLUMN automation.enrollments.subject IS 'table and primary key of the first argument, to read';
COMMENT ON COLUMN automation.enrollments.subject_table IS 'table of the first argument; NULL if that is a plain value';
COMMENT ON COLUMN automation.enrollments.subject_key IS 'primary key of the first argument as text; several columns are separated by commas';
COMMENT ON COLUMN automation.enrollments.entry_key IS 'value of the ENROLL clause''s PER; without it the subject''s key';
COMMENT ON COLUMN automation.enrollments.state IS 'waiting, retrying (after an error), held (until a command), failed (no attempts left)';
COMMENT ON COLUMN automation.enrollments.reason IS 'reason code of held and failed';
COMMENT ON COLUMN automation.enrollments.line IS 'line in the body of its version';
COMMENT ON COLUMN automation.enrollments.statement IS 'the wait it stands on, the statement that met an error, or the one that comes next';
COMMENT ON COLUMN automation.enrollments.since IS 'when it came into this state';
COMMENT ON COLUMN automation.enrollments.waits_for IS 'what has to happen, with the columns it depends on';
COMMENT ON COLUMN automation.enrollments.wakes_at IS 'when it goes on or tries again if nothing happens before; NULL: only a change or a command wakes it';
COMMENT ON COLUMN automation.enrollments.attempt IS 'attempts at this statement that met an error';
COMMENT ON COLUMN automation.enrollments.error IS 'line, SQLSTATE and message of the last error';
COMMENT ON COLUMN automation.enrollments.entered_at IS 'when the change or call that started it happened';
COMMENT ON COLUMN automation.enrollments.version IS 'version of the workflow it runs';
COMMENT ON COLUMN automation.enrollments.signature IS 'workflow with its argument types';
COMMENT ON COLUMN automation.enrollments.owner IS 'role it runs as';
COMMENT ON COLUMN automation.enrollments.args IS 'arguments in order: primary key of a row, text of a value';
COMMENT ON COLUMN automation.enrollments.vars IS 'DECLAREd variables in order, as text';

-- The months of history as one; of use to the engine and the journal only.  A row
-- that tells of an entry and of what came next within it ("entered+ended") is two.
CREATE VIEW automation.history AS
SELECT ((stored.position::text::point)[0]::bigint * 65536 + (stored.position::text::point)[1]::bigint) * 2 + part.n AS position,
       stored.at, stored.owner, stored.workflow, stored.version, stored.enrollment, stored.source, stored.key,
       part.event,
       CASE WHEN part.last THEN stored.reason END AS reason,
       CASE WHEN part.last THEN stored.statement ELSE 0 END AS statement,
       CASE WHEN part.last THEN stored.detail END AS detail
FROM (
    SELECT ctid AS position, h.* FROM automation.history_00 h UNION ALL
    SELECT ctid AS position, h.* FROM automation.history_01 h UNION ALL
    SELECT ctid AS position, h.* FROM automation.history_02 h UNION ALL
    SELECT ctid AS position, h.* FROM automation.history_03 h UNION ALL
    SELECT ctid AS position, h.* FROM automation.history_04 h UNION ALL
    SELECT ctid AS position, h.* FROM automation.history_05 h UNION ALL
    SELECT ctid AS position, h.* FROM automation.history_06 h UNION ALL
    SELECT ctid AS position, h.* FROM automation.history_07 h UNION ALL
    SELECT ctid AS position, h.* FROM automation.history_08 h UNION ALL
    SELECT ctid AS position, h.* FROM automation.history_09 h UNION ALL
    SELECT ctid AS position, h.* FROM automation.history_10 h UNION ALL
    SELECT ctid AS position, h.* FROM automation.history_11 h UNION ALL
    SELECT ctid AS position, h.* FROM automation.history_12 h UNION ALL
    SELECT ctid AS position, h.* FROM automation.history_13 h
) stored
     CROSS JOIN LATERAL (VALUES
         (pg_catalog.split_part(stored.event, '+', 1), 0, pg_catalog.strpos(stored.event, '+') = 0),
         (nullif(pg_catalog.split_part(stored.event, '+', 2), ''), 1, true)
     ) part (event, n, last)
WHERE part.event IS NOT NULL;
COMMENT ON VIEW automation.history IS 'For the engine: see automation.journal';

CREATE VIEW automation.journal WITH (security_barrier) AS
SELECT h.at,
       coalesce(p.proname::text, w.signature, 'workflow ' || h.workflow) AS workflow,
       s.relation::regclass::text || ' ' || k.subject AS subject,
       h.enrollment,
       h.event,
       h.reason,
       place.statement,
       place.line,
       pg_catalog.concat_ws(' ',
           CASE h.event
               WHEN 'entered' THEN 'enters'
               WHEN 'delivery' THEN 'message ' || (h.detail ->> 'message')
                   || CASE h.detail ->> 'state' WHEN 'retry' THEN ' will be tried again' ELSE ' is ' || (h.detail ->> 'state') END
               WHEN 'goal' THEN 'goal ' || (h.detail ->> 'goal')
               WHEN 'not_entered' THEN 'does not enter'
               WHEN 'waiting' THEN 'waits'
               WHEN 'resumed' THEN 'goes on'
               WHEN 'ended' THEN 'ends'
               WHEN 'retrying' THEN 'met an error and will try again'
               WHEN 'failed' THEN 'has failed'
               WHEN 'held' THEN 'is held'
               WHEN 'released' THEN 'is released'
               WHEN 'migrated' THEN 'comes from version ' || (h.detail ->> 'from_version') || ' to version ' || h.version
               WHEN 'statement' THEN 'runs'
               WHEN 'allowed_again' THEN 'may enter again'
               WHEN 'not_allowed_again' THEN 'may not enter again'
               ELSE pg_catalog.replace(h.event, '_', ' ')
           END || coalesce(': ' || coalesce(said.words, words.words, nullif(pg_catalog.replace(h.reason, '_', ' '), 'error')), ''),
           CASE
               WHEN h.event IN ('waiting', 'statement') THEN 'at line ' || place.line || ': ' || place.statement
               WHEN h.event IN ('retrying', 'failed', 'held') THEN 'at line ' || place.line
           END,
           CASE WHEN h.event <> 'delivery' THEN '(' || (h.detail ->> 'message') || ')' END) AS what,
       s.relation AS subject_table,
       k.subject AS subject_key,
       h.version,
       o.role AS owner,
       h.position,
       h.detail
FROM automation.history h
     JOIN automation.owner o ON o.id = h.owner
     LEFT JOIN automation.workflow w ON w.id = h.workflow
     LEFT JOIN automation.source s ON s.id = h.source
     LEFT JOIN automation.workflow_version v ON v.workflow = h.workflow AND v.version = h.version
     LEFT JOIN pg_catalog.pg_proc p ON p.oid = w.routine
     LEFT JOIN LATERAL automation.statement_at(v.source, coalesce((h.detail ->> 'statement')::int, h.statement)) place ON true
     LEFT JOIN (VALUES
         ('time', 'the time has come'),
         ('condition', 'what it waited for is true'),
         ('change', 'the change it waited for has come'),
         ('delivery', 'what became of its message is known'),
         ('achieved', 'its condition is true'),
         ('achieved_at_entry', 'its condition was true already'),
         ('skipped', 'its condition was not true when it came there'),
         ('timeout', 'the time limit has passed'),
         ('completed', 'it has come to its end'),
         ('exited', 'an EXIT statement'),
         ('exit_when', 'an EXIT WHEN has become true'),
         ('exit_when_at_entry', 'an EXIT WHEN is true already'),
         ('manual', 'taken out by a command'),
         ('other_workflow', 'taken out by another workflow'),
         ('entry_failed', 'WHEN, FOR or the first statements met an error'),
         ('replaced', 'a newer entry takes its place'),
         ('already_active', 'it is inside'),
         ('already_entered', 'it was inside before, and ENROLL ONCE'),
         ('too_soon', 'ENROLL AGAIN AFTER: it is too early'),
         ('key_null', 'a part of its entry key is null'),
         ('no_subject', 'FOR gave no row'),
         ('subject_deleted', 'its row was deleted'),
         ('subject_not_visible', 'the owner may not see its row'),
         ('missed_while_paused', 'entry was paused'),
         ('same_run', 'this run of EVERY has entered it already'),
         ('still_running', 'the last run of EVERY is not over'),
         ('loop_guard', 'its own work led here again'),
         ('loop_depth', 'too long a chain of workflows led here'),
         ('entry_rate', 'workflows sent it in too often today'),
         ('orphan', 'the new version has no such statement'),
         ('variable', 'the new version''s type can''t read the value of a variable'),
         ('too_late', 'it was later than resume() allowed'),
         ('step_removed', 'its statement was taken out'),
         ('by_hand', 'by automation.hold()'),
         ('stays', 'on the same statement'),
         ('moves', 'on another statement'),
         ('locked', 'somebody else holds a lock'),
         ('goto_limit', 'too many turns of a loop'),
         ('runaway', '10,000 statements without a wait'),
         ('paused', 'the workflow is paused'),
         ('definition_invalid', 'something the workflow uses has changed'),
         ('owner_changed', 'the workflow has another owner'),
         ('owner_is_superuser', 'the workflow belongs to a superuser'),
         ('owner_cannot_connect', 'the owner of the workflow can''t connect'),
         ('owner_missing', 'the owner of the workflow was dropped'),
         ('function_missing', 'the function was dropped unseen'),
         ('not_permitted', 'the owner may no longer use the language or the function'),
         ('workflow_gone', 'the workflow was dropped'),
         ('suspected_crash', 'the server went down while it ran'),
         ('unknown_time_zone', 'TIME ZONE gave a name the server does not know')
     ) words (reason, words) ON words.reason = h.reason
     -- of messages
     LEFT JOIN (VALUES
         ('suppressed', 'nobody may write to the recipient'),
         ('no_address', 'there is nobody to send it to'),
         ('invalid_address', 'the recipient has no proper address'),
         ('missing_token', 'its template asks for a value that is not there'),
         ('not_subscribed', 'the recipient has not subscribed to such mails'),
         ('not_marketing', 'the recipient is not one for marketing'),
         ('already_sent', 'the recipient has had one of its family'),
         ('recipient_cap', 'its server takes no more of one SEND'),
         ('frequency_cap', 'the recipient has had as many as its server allows'),
         ('monthly_cap', 'its server takes no more this month'),
         ('timeout', 'it took too long'),
         ('by_hand', 'by a command'),
         ('reported', 'somebody has reported what became of it'),
         ('status', 'the answer was an error'),
         ('gone', 'the receiver wants no more of them'),
         ('attempts', 'that was the last attempt'),
         ('expired', 'it would be too late'),
         ('no_server', 'its server is gone'),
         ('not_permitted', 'its owner may not send it by that server'),
         ('server_changed', 'its server is for other messages now'),
         ('invalid_message', 'it is not such as may leave'),
         ('bad_recipient', 'the mail server does not take the recipient'),
         ('rejected', 'the mail server does not take it'),
         ('connection_lost', 'nobody can tell whether it was received'),
         ('address_refused', 'it would go to an address that may be inside'),
         ('credentials', 'the credentials of its server can''t be used'),
         ('login_denied', 'the mail server does not accept the login'),
         ('dns', 'the name of the host leads nowhere'),
         ('refused', 'there is no connection'),
         ('connect_timeout', 'there was no connection in time'),
         ('tls', 'TLS has failed'),
         ('reset', 'the connection broke'),
         ('too_large', 'the head of the answer is too large'),
         ('invalid_answer', 'the answer makes no sense'),
         ('no_memory', 'there is not enough memory'),
         ('at_connect', 'the mail server does not greet'),
         ('at_ehlo', 'the mail server does not go on after EHLO'),
         ('failed', 'something else has failed')
     ) said (reason, words) ON h.event = 'delivery' AND said.reason = h.reason
     CROSS JOIN LATERAL (SELECT coalesce((SELECT pg_catalog.string_agg(coalesce(t.text, 'null'), ', ' ORDER BY t.n)
                                          FROM pg_catalog.jsonb_array_elements_text(CASE WHEN h.key LIKE '[%' THEN h.key::jsonb END)
                                               WITH ORDINALITY t (text, n)), h.key) AS subject) k
WHERE pg_catalog.pg_has_role(o.role, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE');

COMMENT ON VIEW automation.journal IS 'What happened, in words: entries, waits, ends, errors, and why somebody did not enter; kept for 13 months';
COMMENT ON COLUMN automation.journal.at IS 'engine time at which it was done';
COMMENT ON COLUMN automation.journal.workflow IS 'name of the workflow';
COMMENT ON COLUMN automation.journal.subject IS 'table and primary key of the first argument, to read';
COMMENT ON COLUMN automation.journal.enrollment IS 'id as in automation.enrollments';
COMMENT ON COLUMN automation.journal.event IS 'entered, not_entered, waiting, resumed, delivery, goal, ended, retrying, failed, held, released, migrated, allowed_again, not_allowed_again, split_decided, warning, statement';
COMMENT ON COLUMN automation.journal.reason IS 'reason code, made to be compared; what says it in words';
COMMENT ON COLUMN automation.journal.statement IS 'statement it stood on or that met an error';
COMMENT ON COLUMN automation.journal.line IS 'line of that statement in the body of its version';
COMMENT ON COLUMN automation.journal.what IS 'the event in words';
COMMENT ON COLUMN automation.journal.subject_table IS 'table of the first argument';
COMMENT ON COLUMN automation.journal.subject_key IS 'primary key of the first argument as text';
COMMENT ON COLUMN automation.journal.version IS 'version of the workflow';
COMMENT ON COLUMN automation.journal.owner IS 'role the workflow runs as';
COMMENT ON COLUMN automation.journal.position IS 'ORDER BY at, position is the order in which it was written';
COMMENT ON COLUMN automation.journal.detail IS 'more about it, such as the parts of an error';

GRANT SELECT ON automation.workflows, automation.enrollments, automation.journal TO PUBLIC;
