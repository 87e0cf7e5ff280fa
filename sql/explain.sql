-- What wakes what: automation.explain().

CREATE FUNCTION automation.explain(workflow text,
    OUT line int, OUT clause text, OUT "table" text, OUT operations text, OUT columns text, OUT tied_by text,
    OUT conditions text, OUT rechecked text) RETURNS SETOF record
    LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'wf_explain';
COMMENT ON FUNCTION automation.explain(text) IS
    'What the current version of a workflow is started and woken by, a row for each table that a clause or statement hangs on. '
    'line: in its body; clause: AFTER, EXIT WHEN, WAIT UNTIL ...; table, operations, columns: the changes that matter; '
    'tied_by: what leads from a changed row to the enrollments that are looked at; conditions: what the trigger on the table '
    'decides by itself; rechecked: why it is looked at every automation.recheck_interval, too. '
    'Errors: 42883 no such workflow, 42501 the caller is not its owner';
