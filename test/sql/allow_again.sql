-- automation.allow_again(): in once more.
CREATE SCHEMA again AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
\c - app
SET search_path = again; SET timezone = 'UTC';
CREATE TABLE person (id int PRIMARY KEY, email text);
CREATE TABLE deal (shop text, no int, title text, PRIMARY KEY (shop, no));
CREATE FUNCTION welcome(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
BEGIN
  WAIT FOR '1 day';
END $$;
CREATE VIEW log AS
  SELECT workflow, subject_key, event, reason, what FROM automation.journal WHERE workflow IN ('welcome', 'monthly', 'mailed', 'won', 'named', 'always') AND event NOT IN ('waiting', 'resumed')
  ORDER BY at, position;
INSERT INTO person VALUES (1, 'ann@example.com'), (2, 'bob@example.com');

-- Never in: nothing to allow.  Inside: no effect, and it says so.
SELECT automation.allow_again('welcome', p) FROM person p WHERE id = 1;
CALL automation.run();
SELECT * FROM log;
SELECT welcome(p) > 0 FROM person p;
CALL automation.run();
SELECT automation.allow_again('welcome', p) FROM person p WHERE id = 1;
CALL automation.run();
SELECT * FROM log;

-- Out again: by the row and by the key; once more, and only once more.
CALL automation.advance('2 days');
SELECT welcome(p) > 0 FROM person p;
CALL automation.run();
SELECT automation.allow_again('welcome', p) FROM person p WHERE id = 1;
SELECT automation.allow_again('welcome', 2);
CALL automation.run();
SELECT automation.allow_again('welcome', 2);
SELECT welcome(p) > 0 FROM person p;
CALL automation.advance('2 days');
SELECT welcome(p) > 0 FROM person p WHERE id = 1;
CALL automation.run();
SELECT * FROM log WHERE event <> 'entered' OR subject_key = '1' OFFSET 3;
SELECT entered FROM automation.workflows WHERE name = 'welcome';

-- In the order of the changes: what was caused before does not use it up.
SELECT welcome(p) > 0 FROM person p WHERE id = 2;
SELECT automation.allow_again('welcome', 2);
SELECT welcome(p) > 0 FROM person p WHERE id = 2;
CALL automation.run();
SELECT event, reason FROM log WHERE subject_key = '2' OFFSET 6;
SELECT automation.unenroll('welcome', 2);
SELECT automation.allow_again('welcome', 2);
SELECT welcome(p) > 0 FROM person p WHERE id = 2;
CALL automation.run();
SELECT event, reason FROM log WHERE subject_key = '2' OFFSET 9;

-- The pause of AGAIN AFTER; where nothing is remembered there is nothing to allow.
CREATE FUNCTION monthly(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN AFTER '30 days';
BEGIN
END $$;
CREATE FUNCTION always(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
END $$;
SELECT monthly(p) > 0, always(p) > 0 FROM person p WHERE id = 1;
CALL automation.run();
SELECT monthly(p) > 0 FROM person p WHERE id = 1;
CALL automation.run();
SELECT automation.allow_again('monthly', 1), automation.allow_again('always', 1);
SELECT monthly(p) > 0 FROM person p WHERE id = 1;
SELECT monthly(p) > 0 FROM person p WHERE id = 1;
CALL automation.run();
SELECT event, reason FROM log WHERE workflow IN ('monthly', 'always');

-- PER: what it gives; the subject, where it stands in it.
CREATE FUNCTION mailed(p person, how text) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE PER lower(p.email);
BEGIN
END $$;
CREATE FUNCTION won(p person, d deal, n int) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE PER d, p, n + 1;
BEGIN
END $$;
INSERT INTO deal VALUES ('north', 1, 'a'), ('north', 2, 'b'), ('south', 1, 'c');
SELECT mailed(p, 'post') > 0 FROM person p;
SELECT won(p, d, 5) > 0 FROM person p, deal d;
CALL automation.run();
SELECT automation.allow_again('mailed', 'ann@example.com'::text), automation.allow_again('mailed', 'eve@example.com'::text);
SELECT automation.allow_again('won', ROW(d, p, 6)), automation.allow_again('won', ROW(d, p.id, 7))
FROM deal d, person p WHERE d.no = 2 AND p.id = 1;
SELECT automation.allow_again('won', 2);
SELECT automation.allow_again('won', 3);
CALL automation.run();
SELECT mailed(p, 'post') > 0 FROM person p;
SELECT won(p, d, 5) > 0 FROM person p, deal d;
CALL automation.run();
SELECT workflow, subject_key, event FROM log WHERE workflow IN ('mailed', 'won') AND event = 'allowed_again' ORDER BY 1, 2;
SELECT workflow, subject_key, count(*) FROM log WHERE workflow IN ('mailed', 'won') AND event = 'entered' GROUP BY 1, 2 ORDER BY 1, 2;

-- No subject.
CREATE FUNCTION named(n bigint) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
BEGIN
END $$;
SELECT named(7), named(7) \g /dev/null
CALL automation.run();
SELECT automation.allow_again('named', 7), automation.allow_again('named', 8);
CALL automation.run();
SELECT named(7) \g /dev/null
CALL automation.run();
SELECT event, reason FROM log WHERE workflow = 'named';

-- Errors
SELECT automation.allow_again('welcom', 1);
SELECT automation.allow_again('welcome', d) FROM deal d LIMIT 1;
SELECT automation.allow_again('welcome', ROW(1, 2));
SELECT automation.allow_again('welcome', 'x'::text);
SELECT automation.allow_again('mailed', p) FROM person p LIMIT 1;
SELECT automation.allow_again('won', ROW(1, 2));
SELECT automation.allow_again('won', ROW(NULL::deal, 1, 2));
SELECT automation.allow_again('won', ROW(1, 2, 3));
SELECT automation.allow_again('named', p) FROM person p LIMIT 1;
SELECT automation.allow_again('welcome', NULL::int);

-- Only the owner, whoever may call the workflow.
GRANT USAGE ON SCHEMA again TO PUBLIC;
GRANT EXECUTE ON FUNCTION welcome(person) TO PUBLIC;
\c - postgres
CREATE ROLE again_guest LOGIN;
\c - again_guest
SELECT automation.allow_again('again.welcome', 1);
\c - postgres
DROP ROLE again_guest;
