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
    entry        text NOT NULL,          -- open | paused
    hold         text,                   -- NULL or why nothing of it runs: paused, definition_invalid, owner_changed ...
    hold_detail  text,
    created_at   timestamptz NOT NULL
);
CREATE INDEX workflow_routine ON automation.workflow (routine);

CREATE TABLE automation.workflow_version (
    workflow    int NOT NULL,
    version     int NOT NULL,
    author      int NOT NULL,            -- automation.owner.id: the version runs as nobody else
    source      text NOT NULL,
    path        text NOT NULL,           -- search_path of definition time, ending in automation, pg_temp
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (workflow, version)
);

-- What capture watches. Immutable but for "armed": events refer to rules by id.
CREATE SEQUENCE automation.rule_seq AS int;
CREATE TABLE automation.rule (
    id          int PRIMARY KEY,
    workflow    int NOT NULL,
    version     int NOT NULL,
    clause      int NOT NULL,            -- ordinal of the AFTER clause from 1; 0 = wake rule of the row arguments
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
    residual    boolean NOT NULL         -- WHEN has a part only the executor may evaluate
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
    owner    int NOT NULL,
    source   int,
    key      text,                       -- primary key of the row, whole
    old_key  text,                       -- primary key before a key update
    target   bigint,                     -- enrollment
    hits     int[],                      -- rule << 2 | old side holds << 1 | new side holds
    prints   bigint[],                   -- two per hit: fingerprints of the UPDATE OF columns, old and new
    old      jsonb,
    new      jsonb,
    args     jsonb,
    cause    bigint[],                   -- root event, depth, then (workflow, entry key hash) pairs
    origin   xid8                        -- of a restored one: its transaction before; else NULL
) WITH (fillfactor = 100, autovacuum_enabled = off, toast.autovacuum_enabled = off);
ALTER TABLE automation.event_0 REPLICA IDENTITY FULL;
CREATE INDEX event_0_xact_idx ON automation.event_0 (xact);
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
    UNIQUE (workflow, entry_key)
) WITH (fillfactor = 90);
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
    old       jsonb,
    new       jsonb,
    args      jsonb,
    cause     bigint[]
);
CREATE INDEX parked_retry ON automation.parked (owner, retry_at);
CREATE INDEX parked_workflow ON automation.parked (workflow);

-- History: a ring of 14 months, truncated at reuse.
CREATE TABLE automation.history_00 (
    at          timestamptz NOT NULL,
    owner       int NOT NULL,
    workflow    int NOT NULL,
    version     int NOT NULL,
    enrollment  bigint,
    source      int,
    key         text,
    event       text NOT NULL,           -- entered, waiting, resumed, ended, failed, retrying, held, released, not_entered, statement ...
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
