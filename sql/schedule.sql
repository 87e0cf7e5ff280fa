-- EVERY: schedules, driven by pg_cron.

-- One row per EVERY clause of a current version.  Written by registration, and
-- by the executor when it begins a run.
CREATE SEQUENCE automation.schedule_seq;
CREATE TABLE automation.schedule (
    id         bigint PRIMARY KEY,
    workflow   int NOT NULL,
    owner      int NOT NULL,
    clause     int NOT NULL,             -- ordinal of the EVERY clause from 1
    schedule   text NOT NULL,
    since      timestamptz NOT NULL,     -- times of the schedule up to here do not count
    last_run   timestamptz,              -- time of the schedule of the run that began last
    driver     text,                     -- what it began by: cron | start | coordinator | run
    cron_job   bigint                    -- cron.job.jobid
);
CREATE UNIQUE INDEX schedule_clause ON automation.schedule (workflow, clause);
CREATE INDEX schedule_owner ON automation.schedule (owner);

CREATE TRIGGER restore BEFORE INSERT ON automation.schedule FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
ALTER TABLE automation.schedule ENABLE ALWAYS TRIGGER restore;
CREATE TRIGGER adopt BEFORE INSERT ON automation.schedule FOR EACH ROW EXECUTE FUNCTION automation.adopt();
ALTER TABLE automation.schedule ENABLE ALWAYS TRIGGER adopt;

SELECT pg_catalog.pg_extension_config_dump('automation.schedule', '');
SELECT pg_catalog.pg_extension_config_dump('automation.schedule_seq', '');

CREATE FUNCTION automation.ddl_start() RETURNS event_trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_ddl_start';
COMMENT ON FUNCTION automation.ddl_start() IS 'Event trigger: DROP EXTENSION automation deletes its jobs in pg_cron';

CREATE PROCEDURE automation.tick(schedule bigint)
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_tick';
COMMENT ON PROCEDURE automation.tick(bigint) IS
    'What the jobs in pg_cron call: the schedule of this id (automation.schedules.id) is due. It leaves a note for the workflow''s executor '
    'and does nothing else; twice for the same time of the schedule counts once. Error 42704: the caller owns no workflow with such a schedule';

CREATE FUNCTION automation.schedule_next(schedule text, after timestamptz DEFAULT automation.now(), zone text DEFAULT NULL) RETURNS timestamptz
    LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'wf_schedule_next_sql';
COMMENT ON FUNCTION automation.schedule_next(text, timestamptz, text) IS
    'When EVERY with this schedule comes next; zone: a time zone, NULL: the one pg_cron uses (cron.timezone; GMT before pg_cron 1.5). '
    'NULL: never. Errors: 22023 the schedule is wrong, the time zone is not known';

CREATE FUNCTION automation.schedule_previous(schedule text, upto timestamptz DEFAULT automation.now(), zone text DEFAULT NULL) RETURNS timestamptz
    LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'wf_schedule_previous_sql';
COMMENT ON FUNCTION automation.schedule_previous(text, timestamptz, text) IS
    'When EVERY with this schedule came last, upto included; else as automation.schedule_next()';

CREATE FUNCTION automation.schedule_facts(OUT id bigint, OUT late_since timestamptz, OUT obstacle text) RETURNS SETOF record
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'wf_schedule_facts';
COMMENT ON FUNCTION automation.schedule_facts() IS
    'Internal: the schedules, since when each is overdue, and what keeps pg_cron from telling us';

CREATE VIEW automation.schedules WITH (security_barrier) AS
SELECT s.id,
       coalesce(p.proname::text, w.signature) AS workflow,
       s.schedule,
       s.last_run,
       CASE WHEN w.entry = 'open' AND w.hold IS NULL THEN automation.schedule_next(s.schedule) END AS next_run,
       s.cron_job,
       w.signature,
       o.role AS owner
FROM automation.schedule s
     JOIN automation.workflow w ON w.id = s.workflow
     JOIN automation.owner o ON o.id = s.owner
     LEFT JOIN pg_catalog.pg_proc p ON p.oid = w.routine
WHERE pg_catalog.pg_has_role(o.role, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON VIEW automation.schedules IS 'EVERY clauses: when they ran and will run';
COMMENT ON COLUMN automation.schedules.id IS 'what the job in pg_cron names: CALL automation.tick(id)';
COMMENT ON COLUMN automation.schedules.workflow IS 'name of the workflow';
COMMENT ON COLUMN automation.schedules.schedule IS 'the schedule as it was written';
COMMENT ON COLUMN automation.schedules.last_run IS 'time of the schedule that was the last one to be run';
COMMENT ON COLUMN automation.schedules.next_run IS 'when it comes next; NULL: the workflow is paused or held';
COMMENT ON COLUMN automation.schedules.cron_job IS 'its job in pg_cron: cron.job.jobid; NULL: it has none';
COMMENT ON COLUMN automation.schedules.signature IS 'workflow with its argument types';
COMMENT ON COLUMN automation.schedules.owner IS 'role that it runs as';
GRANT SELECT ON automation.schedules TO PUBLIC;
