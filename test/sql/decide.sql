-- automation.decide(): which arm of a SPLIT has won.
CREATE SCHEMA decide AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = decide; SET timezone = 'UTC';
CREATE TABLE person (id int PRIMARY KEY, bought boolean DEFAULT false);
CREATE VIEW arms AS
  SELECT generation AS gen, arm, people, counted, conversions AS conv, round(rate::numeric, 4) AS rate, winner, reason, tested, decided_by
  FROM automation.splits WHERE workflow = 'letter' ORDER BY generation, arm;
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
SELECT event, what FROM automation.journal WHERE workflow = 'letter' AND event = 'split_decided' ORDER BY at, position;
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
SELECT * FROM arms;

-- By a goal: declared before the first one comes.
CREATE FUNCTION offer(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.id >= 1000;
  ENROLL AGAIN;
DECLARE
  style text;
BEGIN
  SPLIT style INTO plain, bold, loud;
  WAIT FOR '60 days';
  GOAL bought WHEN p.bought;
END $$;
CREATE VIEW offers AS
  SELECT arm, people, counted, conversions AS conv, round(rate::numeric, 4) AS rate, winner, reason, tested FROM automation.splits WHERE workflow = 'offer' ORDER BY arm;
SELECT automation.decide('offer', 'style', goal => 'bought', after => '14 days', at_least => 100);
INSERT INTO person SELECT generate_series(1000, 1299);
CALL automation.run();
SELECT * FROM offers;
-- plain: 20 of 100 buy in time, bold 40, loud 22; ten of each later
CALL automation.advance('1 day');
UPDATE person SET bought = true WHERE id >= 1000 AND id % 3 = 1 AND id < 1060;
UPDATE person SET bought = true WHERE id >= 1000 AND id % 3 = 2 AND id < 1120;
UPDATE person SET bought = true WHERE id >= 1000 AND id % 3 = 0 AND id < 1066;
CALL automation.run();
-- one comes a second time, and then buys: he counts for the arm he has
SELECT automation.unenroll('offer', 1298);
CALL automation.run();
SELECT offer(p) > 0 FROM person p WHERE id = 1298;
CALL automation.run();
UPDATE person SET bought = true WHERE id = 1298;
-- thirty come so late that their time is not over; one of them bought before: no arm
INSERT INTO person SELECT i, i = 1400 FROM generate_series(1400, 1430) i;
CALL automation.advance('12 days');
-- not before their time is over, however clear it seems
SELECT automation.decide('offer', 'style');
INSERT INTO person VALUES (1500);
CALL automation.advance('23 hours');
SELECT * FROM offers;
SELECT automation.decide('offer', 'style') IS NULL AS not_yet;
CALL automation.advance('2 hours');
UPDATE person SET bought = true WHERE id BETWEEN 1200 AND 1229;
CALL automation.run();
SELECT goal, outcome, count(*) FROM automation.goal_reached WHERE workflow = 'offer' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM offers;
-- the next one to get an arm makes the engine decide
INSERT INTO person VALUES (1501), (1502), (1503);
CALL automation.run();
SELECT * FROM offers;
SELECT reason, goal, after, at_least, confidence, decided_by, even FROM automation.splits WHERE workflow = 'offer' AND winner;
SELECT subject_key, vars ->> 0 AS arm FROM automation.enrollments WHERE workflow = 'offer' AND subject_key LIKE '150_' ORDER BY 1;
-- the arithmetic, by hand: z, and the probability by an integral of the normal curve
WITH arm AS (
  SELECT arm, (tested ->> 'people')::float8 AS n, (tested ->> 'conversions')::float8 AS x, (tested ->> 'z')::float8 AS z, (tested ->> 'p')::float8 AS p
  FROM offers
), test AS (
  SELECT o.arm, o.z, o.p, (b.x / b.n - o.x / o.n) / sqrt((b.x + o.x) / (b.n + o.n) * (1 - (b.x + o.x) / (b.n + o.n)) * (1 / b.n + 1 / o.n)) AS by_hand
  FROM arm o, arm b WHERE b.arm = 'bold' AND o.arm <> 'bold'
)
SELECT arm, z, abs(z - by_hand) < 1e-5 AS z_is_right,
  abs(p - 2 * 2 * (0.5 - (SELECT sum(exp(-x * x / 2)) * by_hand / 10000 / sqrt(2 * pi())
                          FROM generate_series(0, 9999) i, LATERAL (SELECT (i + 0.5) * by_hand / 10000) m (x)))) < 1e-6 AS p_is_right
FROM test ORDER BY 1;

-- A decision stands.  The rule can't be changed any more, nor do later buyers count.
SELECT automation.decide('offer', 'style', 'bought', '14 days', 100);
SELECT automation.decide('offer', 'style', 'bought', '14 days', 50);
SELECT automation.decide('offer', 'style');
CALL automation.advance('20 days');
UPDATE person SET bought = true WHERE id >= 1000 AND id % 3 = 1;
CALL automation.run();
INSERT INTO person VALUES (1504);
CALL automation.run();
SELECT * FROM offers;
SELECT vars ->> 0 AS arm FROM automation.enrollments WHERE workflow = 'offer' AND subject_key = '1504';
-- but it can be overridden by hand, and that is recorded as such
SELECT automation.decide('offer', 'style', winner => 'loud');
SELECT arm, winner, reason, decided_by, tested ->> 'conversions' AS conv FROM automation.splits WHERE workflow = 'offer' ORDER BY arm;

-- A tie, or a difference that proves nothing: the first arm.  Asked by hand.
CREATE FUNCTION even(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
DECLARE
  a text;
  b text;
  d text;
BEGIN
  SPLIT a INTO first, second;
  SPLIT b INTO second, third, first;
  SPLIT d INTO first, second;
  WAIT FOR '60 days';
  GOAL bought WHEN p.bought;
  WAIT FOR '1 day';
  GOAL returned WHEN p.id < 0;
END $$;
INSERT INTO person SELECT generate_series(2000, 2119);
SELECT count(even(p)) FROM person p WHERE id BETWEEN 2000 AND 2119;
CALL automation.run();
UPDATE person SET bought = true WHERE id BETWEEN 2001 AND 2049;
CALL automation.advance('10 days');
SELECT automation.decide('even', 'a', 'bought', '7 days', 60), automation.decide('even', 'b', 'bought', '7 days', 40),
  automation.decide('even', 'd', 'returned', '7 days', 60);
SELECT split, arm, people, counted, conversions, winner, reason, tested - 'people' - 'arm' AS tested FROM automation.splits WHERE workflow = 'even' ORDER BY split, arm;

-- It looks at most every automation.recheck_interval, here 10 minutes.
CREATE FUNCTION quick(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
DECLARE
  a text;
BEGIN
  SPLIT a INTO x, y;
  WAIT FOR '60 days';
  GOAL bought WHEN p.bought;
END $$;
SELECT automation.decide('quick', 'a', 'bought', '5 minutes', 1, confidence => 0.9);
SELECT count(quick(p)) FROM person p WHERE id BETWEEN 2000 AND 2001;
CALL automation.run();
SELECT count(quick(p)) FROM person p WHERE id BETWEEN 2060 AND 2062;
CALL automation.run();
SELECT count(quick(p)) FROM person p WHERE id = 2063;
CALL automation.advance('6 minutes');
SELECT count(quick(p)) FROM person p WHERE id = 2064;
CALL automation.run();
SELECT arm, people, counted, winner FROM automation.splits WHERE workflow = 'quick' ORDER BY arm;
CALL automation.advance('5 minutes');
SELECT count(quick(p)) FROM person p WHERE id = 2065;
CALL automation.run();
SELECT arm, people, counted, winner FROM automation.splits WHERE workflow = 'quick' ORDER BY arm;

-- Errors
SELECT automation.decide('leter', 'style');
SELECT automation.decide('letter', 'stile');
SELECT automation.decide('letter', 'style');
SELECT automation.decide('letter', 'style', winner => 'lng');
SELECT automation.decide('letter', 'style', 'bought', '1 day', 3);
SELECT automation.decide('even', 'a', 'bougt', '1 day', 3);
SELECT automation.decide('even', 'a', 'bought', '0', 3);
SELECT automation.decide('even', 'a', 'bought', '-1 day', 3);
SELECT automation.decide('even', 'a', 'bought', '1 day', 0);
SELECT automation.decide('even', 'a', 'bought', '1 day', 3, 1);
SELECT automation.decide('even', 'a', 'bought', '1 day', 3, 'NaN');
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
DROP FUNCTION decide.letter, decide.offer, decide.even, decide.quick;
SELECT (SELECT count(*) FROM automation.assignment a WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = a.workflow)) AS assignments,
  (SELECT count(*) FROM automation.split a WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = a.workflow)) AS splits,
  (SELECT count(*) FROM automation.decision a WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = a.workflow)) AS decisions;
