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
