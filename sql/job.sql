-- Work on many records at once, in pieces between other work: moments of AT,
-- automation.backfill(), the runs of EVERY.

CREATE SEQUENCE automation.job_seq;
CREATE TABLE automation.job (
    id           bigint PRIMARY KEY,
    owner        int NOT NULL,
    workflow     int NOT NULL,
    version      int NOT NULL,
    kind         "char" NOT NULL,        -- A moments of AT, B backfill, E a run of EVERY, M migrate, R resume
    clause       int NOT NULL,           -- ordinal of the clause it is for; 0 = none
    state        text NOT NULL,          -- waiting | running | done | failed | cancelled
    position     text,                   -- where it stands, in the words of its kind; NULL = at the beginning
    done         bigint NOT NULL,        -- rows looked at
    total        bigint,                 -- estimate; NULL = not known
    rate         int NOT NULL,           -- rows per second; 0 = as fast as it goes
    at           timestamptz,            -- nominal moment of what it does
    next_at      timestamptz NOT NULL,   -- of its next piece; infinity = it is over
    attempt      int NOT NULL,
    args         jsonb,
    error        jsonb,
    created_at   timestamptz NOT NULL,
    started_at   timestamptz,
    finished_at  timestamptz
) WITH (fillfactor = 80);
CREATE INDEX job_due ON automation.job (owner, next_at, id);
CREATE INDEX job_workflow ON automation.job (workflow, id);
REVOKE ALL ON automation.job, automation.job_seq FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('automation.job', '');
SELECT pg_catalog.pg_extension_config_dump('automation.job_seq', '');
CREATE TRIGGER restore BEFORE INSERT ON automation.job FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
ALTER TABLE automation.job ENABLE ALWAYS TRIGGER restore;

CREATE FUNCTION automation.cancel_job(job bigint) RETURNS boolean
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wf_cancel_job';
COMMENT ON FUNCTION automation.cancel_job(bigint) IS
    'Ends a job of automation.progress where it stands; what it has done stays done. False: there is none of that id that is not over. '
    'Error 42501: not the owner of its workflow';

CREATE VIEW automation.progress WITH (security_barrier) AS
SELECT j.id AS job,
       coalesce(p.proname::text, w.signature) AS workflow,
       CASE j.kind WHEN 'A' THEN 'at' WHEN 'B' THEN 'backfill' WHEN 'E' THEN 'every' WHEN 'M' THEN 'migrate' WHEN 'R' THEN 'resume' END AS kind,
       CASE WHEN r.sees_payload THEN
           CASE j.kind
               WHEN 'B' THEN coalesce(j.args ->> 'where', 'all rows')
               WHEN 'A' THEN 'moments of AT'
               WHEN 'E' THEN j.args ->> 'schedule'
           END END AS what,
       j.state,
       CASE WHEN j.finished_at IS NULL THEN coalesce(CASE WHEN j.kind NOT IN ('M', 'R') THEN w.hold END, CASE WHEN w.entry <> 'open' AND j.kind = 'B' THEN w.entry END) END AS waits_for,
       j.done,
       j.total,
       CASE WHEN j.state = 'done' THEN 100.0
            WHEN j.total > 0 THEN pg_catalog.round(100.0 * least(j.done, j.total) / j.total, 1) END AS percent,
       nullif(j.rate, 0) AS rate,
       j.at,
       j.started_at,
       CASE WHEN j.finished_at IS NULL AND j.done > 0 AND j.total >= j.done AND automation.now() > j.started_at
                 -- in 100 years at most
                 AND extract(epoch FROM automation.now() - j.started_at) * (j.total - j.done) / j.done < 3.15e9
            THEN automation.now() + (automation.now() - j.started_at) * ((j.total - j.done)::double precision / j.done) END AS eta,
       j.finished_at,
       j.attempt,
       CASE WHEN r.sees_payload THEN
           pg_catalog.concat_ws(' ', j.error ->> 'sqlstate', j.error ->> 'message', '(' || (j.error ->> 'detail') || ')') END AS error,
       w.signature,
       o.role AS owner,
       j.version,
       j.created_at
FROM automation.job j
     JOIN automation.owner o ON o.id = j.owner
     JOIN automation.workflow w ON w.id = j.workflow
     LEFT JOIN pg_catalog.pg_proc p ON p.oid = w.routine
     CROSS JOIN LATERAL (SELECT pg_catalog.pg_has_role(o.role, 'USAGE')
                                OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE') AS sees_payload) r
WHERE r.sees_payload OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');

COMMENT ON VIEW automation.progress IS 'Work on many records at once, done in pieces between other work; the last ones of each workflow that are over stay for a while';
COMMENT ON COLUMN automation.progress.job IS 'for automation.cancel_job()';
COMMENT ON COLUMN automation.progress.workflow IS 'name of the workflow';
COMMENT ON COLUMN automation.progress.kind IS 'at (moments of AT for rows that are there), backfill, every (a run of EVERY), migrate, resume';
COMMENT ON COLUMN automation.progress.what IS 'what it does, in the words of its kind';
COMMENT ON COLUMN automation.progress.state IS 'waiting (for its first piece, or its workflow is held), running, done, failed, cancelled';
COMMENT ON COLUMN automation.progress.waits_for IS 'hold of the workflow, for whose end it waits; NULL: it goes on';
COMMENT ON COLUMN automation.progress.done IS 'rows looked at';
COMMENT ON COLUMN automation.progress.total IS 'how many there are, an estimate; NULL: not known';
COMMENT ON COLUMN automation.progress.percent IS 'done of total';
COMMENT ON COLUMN automation.progress.rate IS 'rows per second at most; NULL: as fast as it goes';
COMMENT ON COLUMN automation.progress.at IS 'nominal moment of what it does, for every';
COMMENT ON COLUMN automation.progress.started_at IS 'when the first piece began';
COMMENT ON COLUMN automation.progress.eta IS 'when it will be over if it goes on like this';
COMMENT ON COLUMN automation.progress.finished_at IS 'when it was over; NULL: it is not';
COMMENT ON COLUMN automation.progress.attempt IS 'failed attempts at the piece that comes next';
COMMENT ON COLUMN automation.progress.error IS 'of the last attempt';
COMMENT ON COLUMN automation.progress.signature IS 'workflow with its argument types';
COMMENT ON COLUMN automation.progress.owner IS 'role it runs as';
COMMENT ON COLUMN automation.progress.version IS 'version of the workflow it was made for';
COMMENT ON COLUMN automation.progress.created_at IS 'when it was asked for';
GRANT SELECT ON automation.progress TO PUBLIC;

-- Moments of AT: a row for each subject that has one, or had.
CREATE SEQUENCE automation.due_seq;
CREATE TABLE automation.due (
    id        bigint PRIMARY KEY,
    owner     int NOT NULL,
    workflow  int NOT NULL,
    clause    int NOT NULL,              -- ordinal of the AT clause
    source    int NOT NULL,
    key       text COLLATE "C" NOT NULL, -- look-up form
    subject   text COLLATE "C",          -- whole key, if the look-up form is another
    at        timestamptz,               -- the moment; NULL = none that is to come
    look_at   timestamptz,               -- when it is asked for again; set only if "at" is not
    asked_at  timestamptz NOT NULL,      -- engine time for which "at" is the answer
    fired_at  timestamptz,               -- the moment that fired last
    epoch     int NOT NULL               -- of its timer, whose enrollment is -id
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX due_subject ON automation.due (source, key, workflow, clause);
CREATE INDEX due_workflow ON automation.due (workflow, id);
REVOKE ALL ON automation.due, automation.due_seq FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('automation.due', '');
SELECT pg_catalog.pg_extension_config_dump('automation.due_seq', '');
CREATE TRIGGER restore BEFORE INSERT ON automation.due FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
ALTER TABLE automation.due ENABLE ALWAYS TRIGGER restore;

CREATE VIEW automation.moments WITH (security_barrier) AS
SELECT coalesce(p.proname::text, w.signature) AS workflow,
       s.relation::regclass::text || ' ' || k.subject AS subject,
       d.at,
       d.look_at,
       d.fired_at,
       s.relation AS subject_table,
       k.subject AS subject_key,
       d.clause,
       w.signature,
       o.role AS owner
FROM automation.due d
     JOIN automation.owner o ON o.id = d.owner
     JOIN automation.workflow w ON w.id = d.workflow
     JOIN automation.source s ON s.id = d.source
     LEFT JOIN pg_catalog.pg_proc p ON p.oid = w.routine
     CROSS JOIN LATERAL (SELECT pg_catalog.string_agg(coalesce(t.text, 'null'), ', ' ORDER BY t.n) AS subject
                         FROM pg_catalog.jsonb_array_elements_text(coalesce(d.subject, d.key)::jsonb) WITH ORDINALITY t (text, n)) k
WHERE pg_catalog.pg_has_role(o.role, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE');
COMMENT ON VIEW automation.moments IS 'When subjects enter a workflow by its AT clause';
COMMENT ON COLUMN automation.moments.workflow IS 'name of the workflow';
COMMENT ON COLUMN automation.moments.subject IS 'table and primary key of the subject, to read';
COMMENT ON COLUMN automation.moments.at IS 'when it enters; NULL: no moment of it is to come';
COMMENT ON COLUMN automation.moments.look_at IS 'when it is asked for a moment again, as it depends on the time; NULL: when a column changes';
COMMENT ON COLUMN automation.moments.fired_at IS 'the moment that came last';
COMMENT ON COLUMN automation.moments.subject_table IS 'table of the first argument';
COMMENT ON COLUMN automation.moments.subject_key IS 'primary key of the first argument as text';
COMMENT ON COLUMN automation.moments.clause IS 'which AT clause of the workflow, from 1';
COMMENT ON COLUMN automation.moments.signature IS 'workflow with its argument types';
COMMENT ON COLUMN automation.moments.owner IS 'role it runs as';
GRANT SELECT ON automation.moments TO PUBLIC;

CREATE FUNCTION automation.backfill(workflow text, "where" text DEFAULT NULL, rate int DEFAULT NULL, dry_run boolean DEFAULT false,
                                    OUT job bigint, OUT rows bigint, OUT entries bigint) RETURNS record
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_backfill';
COMMENT ON FUNCTION automation.backfill(text, text, int, boolean) IS
    'Lets rows of the subject''s table that are there enter a workflow, by its own policy and in the order of their primary key; '
    'where: an SQL condition over its arguments, evaluated as its owner; rate: rows per second that are to enter. '
    'Returns the job, which automation.progress shows, and about how many rows there are; dry_run: nobody enters, '
    'rows is how many would be looked at, entries how many would enter. '
    'Errors: 42883, 42725 and 42501 as for pause, 42809 the workflow takes more than its subject, 22023 rate';
