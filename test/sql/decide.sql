-- automation.decide(): which arm of a SPLIT has won.
CREATE SCHEMA decide AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = decide; SET timezone = 'UTC';
CREATE TABLE person (id int PRIMARY KEY, bought boolean DEFAULT false);
CREATE VIEW arms AS
  SELECT generation AS gen, arm, people, counted, conversions AS conv, round(rate::numeric, 4) AS rate, winner, reason, tested, decided_by
  FROM automation.splits WHERE workflow = 'letter';
CREATE FUNCTION letter(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  ENROLL AGAIN;
DECLARE
  style text;
BEGIN
  SPLIT style INTO short, long;
  WAIT FOR '30 days';
END $$;

-- By hand: not before somebody has an arm.
SELECT automation.decide('letter', 'style', winner => 'long');
INSERT INTO person SELECT generate_series(1, 5);
CALL automation.run();
SELECT * FROM arms;
SELECT automation.decide('letter', 'style', winner => 'long');
INSERT INTO person SELECT generate_series(6, 9);
CALL automation.run();
SELECT * FROM arms;
SELECT vars ->> 0 AS arm, count(*) FROM automation.enrollments WHERE workflow = 'letter' GROUP BY 1 ORDER BY 1;
-- the same again is nothing new; another one is
SELECT automation.decide('letter', 'style', winner => 'long'), automation.decide('letter', 'style');
SELECT automation.decide('letter', 'style', winner => 'short');
INSERT INTO person VALUES (10);
CALL automation.run();
SELECT vars ->> 0 AS arm, count(*) FROM automation.enrollments WHERE workflow = 'letter' GROUP BY 1 ORDER BY 1;
SELECT event, what FROM automation.journal WHERE event = 'split_decided' ORDER BY at, position;
-- who was divided before keeps his arm, whoever won
SELECT automation.unenroll('letter', 2);
CALL automation.run();
SELECT letter(p) > 0 FROM person p WHERE id = 2;
CALL automation.run();
SELECT vars ->> 0 AS arm FROM automation.enrollments WHERE workflow = 'letter' AND subject_key = '2';
-- other arms are another test
CREATE OR REPLACE FUNCTION letter(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  ENROLL AGAIN;
DECLARE
  style text;
BEGIN
  SPLIT style INTO short, long, none;
  WAIT FOR '30 days';
END $$;
SELECT automation.decide('letter', 'style', winner => 'none');
INSERT INTO person SELECT generate_series(11, 17);
CALL automation.run();
SELECT * FROM arms ORDER BY gen, arm;

-- Errors
SELECT automation.decide('leter', 'style');
SELECT automation.decide('letter', 'stile');
SELECT automation.decide('letter', 'style');
SELECT automation.decide('letter', 'style', winner => 'lng');
SELECT automation.decide('letter', 'style', 'bought', '1 day', 3);
SELECT automation.decide('letter', 'style', 'bought', at_least => 3);
SELECT automation.decide('letter', 'style', 'bought', '1 day');
SELECT automation.decide('letter', 'style', 'bought', '1 day', 3, NULL);
SELECT automation.decide('letter', 'style', 'bought', '1 day', 3, winner => 'long');
SELECT automation.decide('letter', 'style', after => '1 day');
SELECT automation.decide(NULL, 'style');
SELECT automation.decide('letter', NULL);

-- Only the owner; others do not see it either, but pg_monitor does.
GRANT USAGE ON SCHEMA decide TO PUBLIC;
GRANT EXECUTE ON FUNCTION letter(person) TO PUBLIC;
\c - postgres
CREATE ROLE decide_guest LOGIN;
\c - decide_guest
SELECT automation.decide('decide.letter', 'style', winner => 'long');
SELECT count(*) FROM automation.splits;
SELECT count(*) FROM automation.assignment;
SELECT count(*) FROM automation.split;
SELECT count(*) FROM automation.split_rule;
SELECT count(*) FROM automation.decision;
SELECT count(*) FROM automation.arm_result;
\c - postgres
GRANT pg_monitor TO decide_guest;
\c - decide_guest
SELECT count(*) FROM automation.splits WHERE workflow = 'letter';
\c - postgres
DROP ROLE decide_guest;

-- Gone with the workflow.
DROP FUNCTION decide.letter(decide.person);
SELECT (SELECT count(*) FROM automation.assignment a WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = a.workflow)) AS assignments,
  (SELECT count(*) FROM automation.split a WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = a.workflow)) AS splits,
  (SELECT count(*) FROM automation.decision a WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = a.workflow)) AS decisions;
