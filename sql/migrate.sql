-- Live edits: running enrollments come to another version of their workflow.

CREATE FUNCTION automation.migrate(
    workflow text, map jsonb DEFAULT NULL, dry_run boolean DEFAULT false, from_version int DEFAULT NULL,
    OUT version int, OUT line int, OUT statement text, OUT outcome text, OUT reason text,
    OUT to_line int, OUT to_statement text, OUT enrollments bigint, OUT hint text, OUT job bigint) RETURNS SETOF record
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_migrate';
COMMENT ON FUNCTION automation.migrate(text, jsonb, boolean, int) IS
    'Brings those inside from all older versions, or from_version, to the current one, and says how many and where to. '
    'map: {"label or line of the old version": "label or line of the new one", next, end or null}; "*" stands for all statements that are gone. '
    'dry_run: only says it. Else a job of automation.progress does it. Outcomes: stays, moves, orphan (held until a map says where to), ends. '
    'Errors: 42883, 42725, 42501 as for pause, 22023 the map names something unknown, 55006 a migration is under way, '
    '55000 the current version is not valid or not accepted, 42704 no such version';
