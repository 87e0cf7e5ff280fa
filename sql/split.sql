-- SPLIT: who got which arm, and which arm won.

-- A set of arms that people are divided over.  Other arms in a later version of
-- the workflow are another generation; other percentages are not.
CREATE TABLE automation.split (
    workflow    int NOT NULL,
    split       text COLLATE "C" NOT NULL,   -- the variable it sets
    generation  int NOT NULL,            -- from 1
    version     int NOT NULL,            -- of the workflow, the first one that has these arms
    even        boolean NOT NULL,        -- without percentages
    arms        text[] NOT NULL,         -- as written in that version
    people      bigint[] NOT NULL,       -- divided so far, by arm; not those who came after a decision
    begun_at    timestamptz NOT NULL,
    PRIMARY KEY (workflow, split, generation)
) WITH (fillfactor = 50);

-- Kept for ever: whoever comes again gets the arm he had.
CREATE TABLE automation.assignment (
    workflow    int NOT NULL,
    split       text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,   -- look-up form: of the subject, without one of the entry key
    arm         text COLLATE "C" NOT NULL,
    generation  int NOT NULL,            -- that gave the arm
    decided     boolean NOT NULL,        -- came after the decision and got the winner
    at          timestamptz NOT NULL,
    enrollment  bigint NOT NULL,         -- in which it was given
    PRIMARY KEY (workflow, split, key)
);

-- automation.decide(): how the winner is found.
CREATE TABLE automation.split_rule (
    workflow     int NOT NULL,
    split        text COLLATE "C" NOT NULL,
    goal         text NOT NULL,
    after        interval NOT NULL,      -- days count in UTC
    at_least     int NOT NULL,           -- people per arm whose time is over
    confidence   double precision NOT NULL,
    declared_at  timestamptz NOT NULL,
    declared_by  text NOT NULL,
    PRIMARY KEY (workflow, split)
);

-- Insert only: the last one of a generation counts.  All but the first are manual.
CREATE TABLE automation.decision (
    workflow    int NOT NULL,
    split       text COLLATE "C" NOT NULL,
    generation  int NOT NULL,
    number      int NOT NULL,            -- from 1
    winner      text NOT NULL,
    reason      text NOT NULL,           -- significant | inconclusive | tie | manual
    arms        jsonb,                   -- per arm: what it was decided by; NULL: manual
    goal        text,
    after       interval,
    at_least    int,
    confidence  double precision,
    at          timestamptz NOT NULL,
    version     int NOT NULL,            -- of the workflow, that asked
    decided_by  text NOT NULL,
    PRIMARY KEY (workflow, split, generation, number)
);

-- People whose time to reach the goal is over, and those of them who did in that
-- time: in the enrollment that gave them the arm, or in a later one of theirs.
CREATE VIEW automation.arm_result AS
SELECT a.workflow, a.split, a.generation, a.arm,
       pg_catalog.count(DISTINCT a.key) AS counted,
       pg_catalog.count(DISTINCT a.key) FILTER (WHERE g.id IS NOT NULL OR h.id IS NOT NULL) AS conversions
FROM automation.assignment a
     JOIN automation.split_rule r ON r.workflow = a.workflow AND r.split = a.split
     CROSS JOIN LATERAL (SELECT (a.at AT TIME ZONE 'UTC' + r.after) AT TIME ZONE 'UTC' AS over,
                                CASE WHEN a.key NOT LIKE '[%' THEN NULL
                                     WHEN pg_catalog.jsonb_array_length(a.key::jsonb) = 1 THEN a.key::jsonb ->> 0
                                     ELSE (SELECT pg_catalog.string_agg(coalesce(t.text, 'null'), ', ' ORDER BY t.n)
                                           FROM pg_catalog.jsonb_array_elements_text(a.key::jsonb) WITH ORDINALITY t (text, n))
                                END AS subject) k
     LEFT JOIN automation.goal_reached g
         ON g.workflow_id = a.workflow AND g.goal = r.goal AND g.outcome = 'achieved' AND g.enrollment = a.enrollment
            AND g.at >= a.at AND g.at < k.over
     LEFT JOIN automation.goal_reached h
         ON h.workflow_id = a.workflow AND h.goal = r.goal AND h.outcome = 'achieved' AND h.subject = k.subject
            AND h.at >= a.at AND h.at < k.over
WHERE NOT a.decided AND k.over <= automation.now()
GROUP BY a.workflow, a.split, a.generation, a.arm;
COMMENT ON VIEW automation.arm_result IS 'For the engine: see automation.splits';
COMMENT ON COLUMN automation.arm_result.workflow IS 'number of the workflow';
COMMENT ON COLUMN automation.arm_result.split IS 'variable that SPLIT sets';
COMMENT ON COLUMN automation.arm_result.generation IS 'generation of the split';
COMMENT ON COLUMN automation.arm_result.arm IS 'name of the arm';
COMMENT ON COLUMN automation.arm_result.counted IS 'people whose time to reach the goal is over';
COMMENT ON COLUMN automation.arm_result.conversions IS 'how many of them reached it';

CREATE TRIGGER restore BEFORE INSERT ON automation.split FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.assignment FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.split_rule FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.decision FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
ALTER TABLE automation.split_rule ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.decision ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.split ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.assignment ENABLE ALWAYS TRIGGER restore;

SELECT pg_catalog.pg_extension_config_dump('automation.split', '');
SELECT pg_catalog.pg_extension_config_dump('automation.assignment', '');
SELECT pg_catalog.pg_extension_config_dump('automation.split_rule', '');
SELECT pg_catalog.pg_extension_config_dump('automation.decision', '');

REVOKE ALL ON automation.split, automation.assignment, automation.split_rule, automation.decision, automation.arm_result FROM PUBLIC;

CREATE FUNCTION automation.decide(
    workflow text, split text, goal text DEFAULT NULL, after interval DEFAULT NULL, at_least int DEFAULT NULL,
    confidence double precision DEFAULT 0.95, winner text DEFAULT NULL) RETURNS text
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'wf_decide';
COMMENT ON FUNCTION automation.decide(text, text, text, interval, int, double precision, text) IS
    'Says how the winner of a SPLIT is found: by people who reached the goal within "after" of getting their arm, once at_least of each arm have had '
    'that time; the best arm wins if it beats each other one with this confidence, else the first. Decides if it is time, and returns the winner or NULL. '
    'Without a goal: asks again. With a winner: names it by hand. Owner of the workflow only. '
    'Errors: 42883, 42725, 42501; 42704 no such split, goal or arm; 22023 a value is missing or out of range; 55000 decided already, or nobody has an arm yet';

CREATE VIEW automation.splits WITH (security_barrier) AS
SELECT coalesce(p.proname::text, w.signature) AS workflow,
       s.split,
       s.generation,
       arm.name AS arm,
       s.people[arm.n] AS people,
       coalesce(c.counted, 0) AS counted,
       coalesce(c.conversions, 0) AS conversions,
       c.conversions::double precision / nullif(c.counted, 0) AS rate,
       r.goal,
       r.after,
       r.at_least,
       r.confidence,
       d.winner = arm.name AS winner,
       d.reason,
       (SELECT t.tested FROM automation.decision e, pg_catalog.jsonb_array_elements(e.arms) t (tested)
        WHERE e.workflow = s.workflow AND e.split = s.split AND e.generation = s.generation AND t.tested ->> 'arm' = arm.name) AS tested,
       d.at AS decided_at,
       d.decided_by,
       s.even,
       s.begun_at,
       s.version,
       w.signature,
       o.role AS owner
FROM automation.split s
     JOIN automation.workflow w ON w.id = s.workflow
     JOIN automation.owner o ON o.id = w.owner
     CROSS JOIN LATERAL pg_catalog.unnest(s.arms) WITH ORDINALITY arm (name, n)
     LEFT JOIN pg_catalog.pg_proc p ON p.oid = w.routine
     LEFT JOIN automation.split_rule r ON r.workflow = s.workflow AND r.split = s.split
     LEFT JOIN automation.arm_result c ON c.workflow = s.workflow AND c.split = s.split
         AND c.generation = s.generation AND c.arm = arm.name
     LEFT JOIN LATERAL (SELECT e.* FROM automation.decision e
                        WHERE e.workflow = s.workflow AND e.split = s.split AND e.generation = s.generation
                        ORDER BY e.number DESC LIMIT 1) d ON true
WHERE pg_catalog.pg_has_role(o.role, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE')
      OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');

COMMENT ON VIEW automation.splits IS 'Arms of SPLIT statements: how many got them, how many reached the goal, which one won';
COMMENT ON COLUMN automation.splits.workflow IS 'name of the workflow';
COMMENT ON COLUMN automation.splits.split IS 'variable that SPLIT sets';
COMMENT ON COLUMN automation.splits.generation IS 'counts up with each version of the workflow that has other arms';
COMMENT ON COLUMN automation.splits.arm IS 'name of the arm';
COMMENT ON COLUMN automation.splits.people IS 'how many got it from the split; those who got it as the winner are not among them';
COMMENT ON COLUMN automation.splits.counted IS 'people whose time to reach the goal is over; 0 before automation.decide() has said which goal';
COMMENT ON COLUMN automation.splits.conversions IS 'how many of the counted reached it in that time';
COMMENT ON COLUMN automation.splits.rate IS 'conversions / counted';
COMMENT ON COLUMN automation.splits.goal IS 'goal that decides';
COMMENT ON COLUMN automation.splits.after IS 'time to reach it, from getting the arm';
COMMENT ON COLUMN automation.splits.at_least IS 'people of each arm who must have had that time';
COMMENT ON COLUMN automation.splits.confidence IS 'confidence with which the best arm must beat each other one';
COMMENT ON COLUMN automation.splits.winner IS 'this arm has won; NULL: not decided';
COMMENT ON COLUMN automation.splits.reason IS 'significant, inconclusive or tie (then the first arm wins), manual';
COMMENT ON COLUMN automation.splits.tested IS 'what it was decided by: people, conversions, rate, and against the best arm z and p (times the number of comparisons)';
COMMENT ON COLUMN automation.splits.decided_at IS 'engine time of the decision';
COMMENT ON COLUMN automation.splits.decided_by IS 'role that decided: the owner, if the engine did';
COMMENT ON COLUMN automation.splits.even IS 'without percentages';
COMMENT ON COLUMN automation.splits.begun_at IS 'when the first one got an arm';
COMMENT ON COLUMN automation.splits.version IS 'first version of the workflow with these arms';
COMMENT ON COLUMN automation.splits.signature IS 'workflow with its argument types';
COMMENT ON COLUMN automation.splits.owner IS 'role the workflow runs as';

GRANT SELECT ON automation.splits TO PUBLIC;
