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

CREATE TRIGGER restore BEFORE INSERT ON automation.split FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
CREATE TRIGGER restore BEFORE INSERT ON automation.assignment FOR EACH STATEMENT EXECUTE FUNCTION automation.adopt();
ALTER TABLE automation.split ENABLE ALWAYS TRIGGER restore;
ALTER TABLE automation.assignment ENABLE ALWAYS TRIGGER restore;

SELECT pg_catalog.pg_extension_config_dump('automation.split', '');
SELECT pg_catalog.pg_extension_config_dump('automation.assignment', '');
