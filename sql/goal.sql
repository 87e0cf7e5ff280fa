-- Goals that enrollments reached, for reports and for other workflows to start from.

CREATE TABLE automation.goal_reached (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workflow  text NOT NULL,
    goal      text NOT NULL,
    outcome   text NOT NULL,
    subject   text,
    at        timestamptz NOT NULL,
    workflow_id  int,
    enrollment   bigint
);
COMMENT ON TABLE automation.goal_reached IS 'Goals that enrollments reached';
COMMENT ON COLUMN automation.goal_reached.workflow IS 'signature of the workflow';
COMMENT ON COLUMN automation.goal_reached.goal IS 'name in the GOAL statement';
COMMENT ON COLUMN automation.goal_reached.outcome IS 'reached, skipped, or achieved at entry';
COMMENT ON COLUMN automation.goal_reached.subject IS 'primary key of the first argument';
COMMENT ON COLUMN automation.goal_reached.at IS 'engine time';
COMMENT ON COLUMN automation.goal_reached.workflow_id IS 'for the engine';
COMMENT ON COLUMN automation.goal_reached.enrollment IS 'enrollment that reached it';
SELECT pg_catalog.pg_extension_config_dump('automation.goal_reached', '');
SELECT pg_catalog.pg_extension_config_dump('automation.goal_reached_id_seq', '');
