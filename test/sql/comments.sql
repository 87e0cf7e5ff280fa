-- Everything a user can see has a comment: what \df+, \d+ and \dx+ show.
-- Tables are the engine's own, and so are the views history and problem.
CREATE TEMP VIEW silent AS
WITH member AS (
    SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.refclassid = 'pg_extension'::regclass AND e.extname = 'automation' AND d.deptype = 'e'
), object AS (
    SELECT classid, objid, 0 AS objsubid FROM member
    WHERE classid IN ('pg_proc'::regclass, 'pg_language'::regclass, 'pg_namespace'::regclass, 'pg_event_trigger'::regclass)
       OR classid = 'pg_class'::regclass AND objid IN (SELECT oid FROM pg_class WHERE relkind IN ('v', 'm') OR relname IN ('goal_reached', 'dead_letter', 'inbound'))
       OR classid = 'pg_type'::regclass AND objid IN (SELECT t.oid FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
                                                     WHERE t.typelem = 0 AND (t.typtype <> 'c' OR c.relkind = 'c'))
    UNION ALL
    SELECT m.classid, m.objid, a.attnum FROM member m JOIN pg_class c ON c.oid = m.objid JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE m.classid = 'pg_class'::regclass AND a.attnum > 0 AND NOT a.attisdropped
          AND (c.relkind = 'v' AND c.relname NOT IN ('history', 'problem') OR c.relname IN ('goal_reached', 'dead_letter', 'inbound') AND a.attname <> 'id')
)
SELECT pg_describe_object(o.classid, o.objid, o.objsubid) AS without_comment
FROM object o LEFT JOIN pg_description d ON d.classoid = o.classid AND d.objoid = o.objid AND d.objsubid = o.objsubid
WHERE d.description IS NULL;
SELECT * FROM silent ORDER BY 1;
-- does it look everywhere?
BEGIN;
COMMENT ON SCHEMA automation IS NULL;
COMMENT ON LANGUAGE workflow IS NULL;
COMMENT ON FUNCTION automation.health() IS NULL;
COMMENT ON PROCEDURE automation.run() IS NULL;
COMMENT ON VIEW automation.stat IS NULL;
COMMENT ON COLUMN automation.stat.alone IS NULL;
COMMENT ON TYPE automation.message IS NULL;
COMMENT ON EVENT TRIGGER automation_ddl IS NULL;
COMMENT ON COLUMN automation.goal_reached.goal IS NULL;
SELECT * FROM silent ORDER BY 1;
ROLLBACK;
-- and each says something
SELECT pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description FROM pg_description d
     JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass
WHERE c.relnamespace = 'automation'::regnamespace AND length(d.description) < 8;
SELECT name FROM pg_settings WHERE name LIKE 'automation.%' AND (coalesce(short_desc, '') = '' OR coalesce(extra_desc, '') = '');
