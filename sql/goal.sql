-- Goals that enrollments reached, for reports and for other workflows to start
-- from.  Written by the executor, by SQL: capture watches it like a user's table.
-- Each row is shown to the members of the role its workflow belongs to and to
-- pg_read_all_data: by row security, which holds for AFTER and WAIT FOR as well.

CREATE TABLE automation.goal_reached (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workflow       text NOT NULL,
    workflow_id    int NOT NULL,
    signature      text NOT NULL,
    goal           text NOT NULL,
    outcome        text NOT NULL,
    subject        text,
    subject_table  regclass,
    enrollment     bigint NOT NULL,
    version        int NOT NULL,
    owner          regrole NOT NULL,
    at             timestamptz NOT NULL
);
CREATE INDEX goal_reached_subject ON automation.goal_reached (workflow_id, goal, subject);
COMMENT ON TABLE automation.goal_reached IS
    'Goals that enrollments reached or went past; AFTER INSERT ON automation.goal_reached starts other workflows';
COMMENT ON COLUMN automation.goal_reached.id IS 'number of the row';
COMMENT ON COLUMN automation.goal_reached.workflow IS 'name of the workflow''s function, as in automation.workflows';
COMMENT ON COLUMN automation.goal_reached.workflow_id IS 'number of the workflow, whatever its name was or is';
COMMENT ON COLUMN automation.goal_reached.signature IS 'workflow with its argument types';
COMMENT ON COLUMN automation.goal_reached.goal IS 'name in the GOAL statement';
COMMENT ON COLUMN automation.goal_reached.outcome IS
    'achieved; skipped: the flow came to the GOAL before its condition was true; achieved at entry: it was true already, which is no conversion';
COMMENT ON COLUMN automation.goal_reached.subject IS 'primary key of the first argument as text; several columns are separated by commas';
COMMENT ON COLUMN automation.goal_reached.subject_table IS 'table of the first argument; NULL if that is a plain value';
COMMENT ON COLUMN automation.goal_reached.enrollment IS 'id as in automation.enrollments and automation.journal';
COMMENT ON COLUMN automation.goal_reached.version IS 'version of the workflow the enrollment ran';
COMMENT ON COLUMN automation.goal_reached.owner IS 'role the workflow runs as';
COMMENT ON COLUMN automation.goal_reached.at IS 'engine time';

ALTER TABLE automation.goal_reached ENABLE ROW LEVEL SECURITY;
CREATE POLICY goal_reached_members ON automation.goal_reached FOR SELECT
    USING (pg_catalog.pg_has_role(owner::oid, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE'));
GRANT SELECT ON automation.goal_reached TO PUBLIC;

-- Whose role or table is gone is a number, which elsewhere may be somebody else's.
SELECT pg_catalog.pg_extension_config_dump('automation.goal_reached',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = owner)'
    ' AND (subject_table IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = subject_table))');
SELECT pg_catalog.pg_extension_config_dump('automation.goal_reached_id_seq', '');
