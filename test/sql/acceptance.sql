-- What flow control promises, seen by who writes workflows: the statements together, each
-- scenario a small story whose outcome is asserted.  At the end nothing is left behind.
CREATE SCHEMA acceptance AUTHORIZATION app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
-- Rows of enrollments that ended and of these workflows; what other tests left inside is theirs.
CREATE FUNCTION acceptance.left_behind() RETURNS TABLE (waits bigint, timers bigint, arguments bigint, parked bigint, calls bigint, due bigint, events bigint) LANGUAGE sql SECURITY DEFINER AS $$
  WITH me AS (SELECT id FROM automation.owner WHERE role = 'app'::regrole),
       foreign_workflow AS (SELECT id FROM automation.workflow WHERE signature NOT LIKE 'acceptance.%'),
       foreign_enrollment AS (SELECT id FROM automation.enrollment WHERE workflow IN (SELECT id FROM foreign_workflow)
                              UNION ALL SELECT -id FROM automation.due WHERE workflow IN (SELECT id FROM foreign_workflow)),
       event AS (SELECT owner FROM automation.event_0 UNION ALL SELECT owner FROM automation.event_1
                 UNION ALL SELECT owner FROM automation.event_2 UNION ALL SELECT owner FROM automation.event_3)
  SELECT (SELECT count(*) FROM automation.wait JOIN me ON me.id = owner WHERE enrollment NOT IN (SELECT id FROM foreign_enrollment)),
         (SELECT count(*) FROM automation.timer JOIN me ON me.id = owner WHERE enrollment NOT IN (SELECT id FROM foreign_enrollment)),
         (SELECT count(*) FROM automation.argument WHERE enrollment NOT IN (SELECT id FROM foreign_enrollment)),
         (SELECT count(*) FROM automation.parked p JOIN me ON me.id = owner
          WHERE coalesce(workflow, 0) NOT IN (SELECT id FROM foreign_workflow) AND coalesce(target, 0) NOT IN (SELECT id FROM foreign_enrollment)),
         (SELECT count(*) FROM automation.call WHERE caller = 'app'::regrole AND id NOT IN (SELECT id FROM foreign_enrollment)),
         (SELECT count(*) FROM automation.due d JOIN me ON me.id = owner WHERE workflow NOT IN (SELECT id FROM foreign_workflow)),
         (SELECT count(*) FROM event JOIN me ON me.id = owner) $$;
\c - app
SET search_path = acceptance, crm; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';

CREATE TABLE person (id int PRIMARY KEY, name text, score int DEFAULT 0, zone text, day date, at timestamptz, zero int DEFAULT 1);
CREATE TABLE offer (id int PRIMARY KEY, status text DEFAULT 'open', value int DEFAULT 0, ends timestamptz);
CREATE TABLE purchase (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, person int, amount int DEFAULT 1);
CREATE TABLE visit (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, person int, url text);
CREATE TABLE member (person int, offer int, role text, PRIMARY KEY (person, offer));
CREATE TABLE log (n int GENERATED ALWAYS AS IDENTITY, what text, at timestamptz DEFAULT automation.now());
-- Moments are told in days from one that is fixed at the start.
CREATE TABLE start AS SELECT date_trunc('day', automation.now()) + '1 day' AS day;
CREATE FUNCTION d(n float) RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT day + n * interval '24 hours' FROM acceptance.start $$;
CREATE FUNCTION till(n float) RETURNS interval LANGUAGE sql AS $$ SELECT acceptance.d(n) - automation.now() $$;
CREATE FUNCTION told() RETURNS TABLE (day numeric, what text) LANGUAGE sql AS $$
  WITH x AS (DELETE FROM acceptance.log RETURNING *)
  SELECT round(extract(epoch FROM at - acceptance.d(0)) / 86400, 2), what FROM x ORDER BY 1, what COLLATE "C" $$;
CREATE VIEW standing AS
  SELECT workflow, entry_key AS key, state, reason, statement, waits_for FROM automation.enrollments
  WHERE workflow IN (SELECT name FROM automation.workflows WHERE schema = 'acceptance') ORDER BY workflow, length(entry_key), entry_key;
CREATE FUNCTION happened(name text) RETURNS TABLE (key text, event text, reason text) LANGUAGE sql AS $$
  SELECT subject_key, event, reason FROM automation.journal WHERE workflow = name
  ORDER BY length(subject_key), subject_key, at, position $$;
-- A new day: the workflows of the last story go.
CREATE PROCEDURE next_story() LANGUAGE plpgsql AS $$
DECLARE routine regprocedure;
BEGIN
  FOR routine IN SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
                 WHERE l.lanname = 'workflow' AND p.pronamespace = 'acceptance'::regnamespace LOOP
    EXECUTE 'DROP FUNCTION ' || routine;
  END LOOP;
  DELETE FROM acceptance.person; DELETE FROM acceptance.offer; DELETE FROM acceptance.purchase; DELETE FROM acceptance.visit; DELETE FROM acceptance.member; DELETE FROM acceptance.log;
  UPDATE acceptance.start SET day = date_trunc('day', automation.now()) + '1 day';
END $$;

-- A goal pulls out of a wait for a change that stands in a branch of a loop; the loop's
-- own turns are bounded, and who is not pulled goes round as often as it says.
CREATE FUNCTION courting(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  n int := 0;
BEGIN
  <<again>>
  n := n + 1;
  IF p.score > 0 THEN
    WAIT FOR INSERT ON visit WHEN new.person = p.id AND new.url LIKE '/price%' TIMEOUT '1 day';
    INSERT INTO log (what) VALUES (format('%s: turn %s, came %s', p.name, n, found));
  ELSE
    WAIT FOR '1 day';
  END IF;
  GO TO again AT MOST 3 TIMES;
  INSERT INTO log (what) VALUES (p.name || ': gave up');
  EXIT;
  GOAL bought WHEN EXISTS (SELECT FROM purchase u WHERE u.person = p.id AND u.amount > 10);
  INSERT INTO log (what) VALUES (format('%s: thanks in turn %s, %s', p.name, n, found));
END $$;
CALL automation.advance(till(0));
INSERT INTO person (id, name, score) VALUES (1, 'Ann', 1), (2, 'Bob', 1), (3, 'Cy', 0);
CALL automation.run();
SELECT * FROM standing;
INSERT INTO visit (person, url) VALUES (1, '/price'), (2, '/home');
CALL automation.run();
-- in the second turn, standing on the wait
INSERT INTO purchase (person, amount) VALUES (1, 10), (1, 11);
CALL automation.run();
SELECT * FROM told();
CALL automation.advance(till(2.5));
INSERT INTO purchase (person, amount) VALUES (3, 12);
CALL automation.advance(till(10));
SELECT * FROM told();
SELECT * FROM standing;
SELECT goal, outcome, subject FROM automation.goal_reached WHERE workflow = 'courting' ORDER BY id;

-- EXIT WHEN over another table while what an AT began waits for a moment.
CALL next_story();
CREATE FUNCTION appointment(p person) RETURNS bigint LANGUAGE workflow AS $$
  AT p.at - interval '1 day';
  EXIT WHEN EXISTS (SELECT FROM member m JOIN offer o ON o.id = m.offer WHERE m.person = p.id AND o.status = 'cancelled');
BEGIN
  INSERT INTO log (what) VALUES (p.name || ': tomorrow');
  WAIT UNTIL p.at + interval '2 days';
  INSERT INTO log (what) VALUES (p.name || ': how was it?');
END $$;
CALL automation.advance(till(0));
INSERT INTO offer VALUES (1, 'open'), (2, 'cancelled');
INSERT INTO person (id, name, at) VALUES (1, 'Ann', d(2)), (2, 'Bob', d(2)), (3, 'Cy', d(2)), (4, 'Di', d(1.5));
INSERT INTO member VALUES (1, 1), (2, 2), (3, 1);
CALL automation.run();
CALL automation.advance(till(1.25));
SELECT * FROM told();
SELECT * FROM standing;
-- Cy leaves the offer, and then it is cancelled; Di's appointment is moved
DELETE FROM member WHERE person = 3;
UPDATE person SET at = d(3) WHERE id = 4;
CALL automation.run();
UPDATE offer SET status = 'cancelled' WHERE id = 1;
CALL automation.run();
SELECT * FROM happened('appointment');
CALL automation.advance(till(6));
SELECT * FROM told();

-- A condition over the second argument and a join table, with a time limit, at the limit.
CALL next_story();
CREATE FUNCTION negotiation(p person, o offer) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON member FOR SELECT new.person, new.offer;
  ENROLL AGAIN PER p, o;
BEGIN
  WAIT UNTIL o.status <> 'open' AND EXISTS (SELECT FROM member m WHERE m.person = p.id AND m.offer = o.id AND m.role = 'buyer') TIMEOUT '2 days';
  INSERT INTO log (what) VALUES (format('%s, %s: %s', p.name, o.id, found));
END $$;
CALL automation.advance(till(0));
INSERT INTO offer VALUES (1), (2), (3);
INSERT INTO person (id, name) VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO member SELECT p, o FROM generate_series(1, 2) p, generate_series(1, 3) o;
CALL automation.run();
SELECT key, waits_for FROM standing;
UPDATE offer SET status = 'won' WHERE id IN (1, 2);
UPDATE member SET role = 'buyer' WHERE (person, offer) IN ((1, 1), (2, 3));
CALL automation.run();
SELECT what FROM told();
-- the offer is gone: its columns are NULL, the limit ends the wait
DELETE FROM offer WHERE id = 3;
CALL automation.run();
-- what was committed up to the limit counts, what came a microsecond later does not
\c - postgres
SET search_path = acceptance;
-- Whatever is unread happened that long after the limit of this one; and nobody ran meanwhile.
CREATE FUNCTION happens_after_limit(of text, later interval) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE deadline timestamptz := (SELECT e.wakes_at FROM automation.enrollments e WHERE e.state = 'waiting' AND e.entry_key = happens_after_limit.of);
BEGIN
  FOR i IN 0..3 LOOP
    EXECUTE format('UPDATE automation.event_%s SET at = $1', i) USING deadline + later;
  END LOOP;
  UPDATE automation.clock SET shift = shift + 3 * 86400000000;
END $$;
\c - app
SET search_path = acceptance, crm;
UPDATE member SET role = 'buyer' WHERE (person, offer) = (1, 2);
SELECT happens_after_limit('1, 2', '0');
\c - app
SET search_path = acceptance, crm; SET timezone = 'UTC';
CALL automation.run();
SELECT what FROM told();
INSERT INTO offer (id) VALUES (4);
INSERT INTO member VALUES (1, 4, 'buyer');
CALL automation.run();
UPDATE offer SET status = 'won' WHERE id = 4;
SELECT happens_after_limit('1, 4', '1 microsecond');
\c - app
SET search_path = acceptance, crm; SET timezone = 'UTC';
CALL automation.run();
SELECT what FROM told();
SELECT * FROM standing;

-- A split, a goal and its winner; who enters again has his arm, newcomers get the winner.
CALL next_story();
CREATE FUNCTION letters(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score WHEN new.score > old.score;
  ENROLL AGAIN;
DECLARE
  style text;
BEGIN
  SPLIT style INTO short, long;
  INSERT INTO log (what) VALUES (format('%s: %s letter', p.name, style));
  WAIT FOR '2 days';
  INSERT INTO log (what) VALUES (format('%s: %s reminder', p.name, style));
  GOAL bought WHEN EXISTS (SELECT FROM purchase u WHERE u.person = p.id AND u.amount >= 10 * p.score) OTHERWISE EXIT;
  INSERT INTO log (what) VALUES (format('%s: %s letter worked', p.name, style));
END $$;
CALL automation.advance(till(0));
INSERT INTO person (id, name) VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cy'), (4, 'Di');
SELECT automation.decide('letters', split => 'style', goal => 'bought', after => '5 days', at_least => 1);
UPDATE person SET score = 1 WHERE id = 1;
UPDATE person SET score = 1 WHERE id = 2;
CALL automation.run();
INSERT INTO purchase (person, amount) VALUES (2, 10);
CALL automation.run();
SELECT * FROM told();
CALL automation.advance(till(3));
SELECT * FROM told();
UPDATE person SET score = 2 WHERE id = 1;
CALL automation.run();
INSERT INTO purchase (person, amount) VALUES (1, 20);
CALL automation.run();
SELECT * FROM told();
SELECT goal, outcome, subject FROM automation.goal_reached WHERE workflow = 'letters' ORDER BY id;
CALL automation.advance(till(4));
SELECT automation.decide('letters', split => 'style', winner => 'long');
UPDATE person SET score = 5;
CALL automation.run();
SELECT * FROM told();

-- EVERY with a key of its own: the first of each key, each time, and instead of who is inside.
CALL next_story();
CREATE TABLE staff (person int PRIMARY KEY REFERENCES person, team text);
CREATE FUNCTION once_per_team(p person, team text) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 12 * * *' FOR SELECT s.person, s.team FROM staff s ORDER BY s.person;
  ENROLL ONCE PER team;
BEGIN
  INSERT INTO log (what) VALUES (format('once: %s of %s', p.name, team));
END $$;
CREATE FUNCTION again_per_team(p person, team text) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 12 * * *' FOR SELECT s.person, s.team FROM staff s ORDER BY s.person;
  ENROLL AGAIN AFTER '36 hours' PER team;
BEGIN
  INSERT INTO log (what) VALUES (format('again: %s of %s', p.name, team));
END $$;
CREATE FUNCTION replaced_per_team(p person, team text) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 12 * * *' FOR SELECT s.person, s.team FROM staff s ORDER BY s.person;
  ENROLL REPLACE PER team;
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM purchase u WHERE u.person = p.id) TIMEOUT '36 hours';
  INSERT INTO log (what) VALUES (format('replace: %s of %s %s', p.name, team, found));
END $$;
INSERT INTO person (id, name) VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cy'), (4, 'Di');
INSERT INTO staff VALUES (1, 'red'), (2, 'red'), (3, 'blue');
CALL automation.advance(till(1));
SELECT * FROM told();
SELECT workflow, key, state, waits_for FROM standing;
DELETE FROM staff WHERE person = 1;
INSERT INTO staff VALUES (4, 'green');
CALL automation.advance(till(2));
SELECT * FROM told();
SELECT workflow, key, state FROM standing;
-- Ann was replaced: her purchase is nobody's; Bob's is
INSERT INTO purchase (person) VALUES (1), (2);
CALL automation.run();
SELECT * FROM told();
CALL automation.advance(till(3));
SELECT * FROM told();
SELECT workflow, event, reason, count(*) FROM automation.journal WHERE workflow LIKE '%per_team' AND event IN ('entered', 'not_entered', 'ended') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
DELETE FROM staff;

-- The moment of AT and a day that is waited for are days of the record's zone; both move with it.
CALL next_story();
CREATE FUNCTION trip(p person) RETURNS bigint LANGUAGE workflow AS $$
  AT p.day - 1 + time '18:00' WHEN p.score >= 0;
  ENROLL AGAIN PER p, p.day;
  TIME ZONE p.zone;
BEGIN
  INSERT INTO log (what) VALUES (p.name || ': pack');
  WAIT UNTIL p.day + time '06:00';
  INSERT INTO log (what) VALUES (p.name || ': leave');
END $$;
CALL automation.advance(till(0));
INSERT INTO person (id, name, zone, day) SELECT i, n, z, d(3)::date FROM (VALUES (1, 'Ann', 'Etc/GMT-6'), (2, 'Bob', NULL), (3, 'Cy', 'Etc/GMT+6'), (4, 'Di', 'Nowhere/None')) v (i, n, z);
CALL automation.run();
SELECT subject_key, round(extract(epoch FROM at - d(0)) / 86400, 2) AS day FROM automation.moments ORDER BY 1;
-- before the moment, and between the two
UPDATE person SET zone = 'Etc/GMT-12' WHERE id = 3;
CALL automation.advance(till(2.8));
UPDATE person SET zone = 'Etc/GMT+6' WHERE id = 1;
CALL automation.run();
CALL automation.advance(till(4));
SELECT * FROM told();
-- another day, another key: again
UPDATE person SET day = d(6)::date WHERE id = 2;
CALL automation.advance(till(7));
SELECT * FROM told();

-- Waiting for the end of a call, or for something else that comes first; and for both.
CALL next_story();
CREATE FUNCTION visit_of(p person, days int) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM visit v WHERE v.person = p.id) TIMEOUT days * interval '1 day';
  GOAL visited WHEN EXISTS (SELECT FROM visit v WHERE v.person = p.id AND v.url = '/shop') OTHERWISE WAIT;
END $$;
CREATE FUNCTION either(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  child bigint;
BEGIN
  SELECT visit_of(p, 3) INTO child;
  WAIT UNTIL automation.finished(child) OR EXISTS (SELECT FROM purchase u WHERE u.person = p.id) TIMEOUT '9 days';
  INSERT INTO log (what) VALUES (format('%s: one of two %s', p.name, found));
  WAIT UNTIL automation.finished(child) AND EXISTS (SELECT FROM purchase u WHERE u.person = p.id);
  INSERT INTO log (what) VALUES (format('%s: both %s', p.name, found));
END $$;
CREATE FUNCTION told_by_goal(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR INSERT ON automation.goal_reached WHEN new.workflow = 'visit_of' AND new.subject = p.id::text AND new.goal = 'visited' TIMEOUT '9 days';
  INSERT INTO log (what) VALUES (format('%s: goal of another %s', p.name, found));
END $$;
CALL automation.advance(till(0));
INSERT INTO person (id, name) VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cy');
CALL automation.run();
SELECT workflow, key, waits_for FROM standing;
INSERT INTO visit (person, url) VALUES (1, '/shop');
INSERT INTO purchase (person) VALUES (2);
CALL automation.run();
CALL automation.run();
SELECT * FROM told();
INSERT INTO purchase (person) VALUES (1);
INSERT INTO visit (person, url) VALUES (2, '/shop');
CALL automation.run();
CALL automation.run();
SELECT * FROM told();
-- the third one's child stands on its goal, and is taken out
CALL automation.advance(till(4));
SELECT workflow, key, statement, waits_for FROM standing;
SELECT automation.unenroll('visit_of', p) FROM person p WHERE id = 3;
CALL automation.run();
CALL automation.run();
SELECT what FROM told();
INSERT INTO purchase (person) VALUES (3);
CALL automation.advance(till(10));
SELECT * FROM told();

-- Through views and functions in functions: who has a tag, who is a buyer of something open.
CALL next_story();
CREATE VIEW buyer AS SELECT m.person, o.id AS offer, o.value FROM member m JOIN offer o ON o.id = m.offer WHERE m.role = 'buyer' AND o.status = 'open';
CREATE FUNCTION worth(who person) RETURNS bigint LANGUAGE sql STABLE RETURN (SELECT coalesce(sum(b.value), 0) FROM buyer b WHERE b.person = (who).id);
CREATE FUNCTION is_big(who person, floor int DEFAULT 100) RETURNS boolean LANGUAGE sql STABLE RETURN worth(who) > floor;
CREATE FUNCTION customer(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  EXIT WHEN NOT EXISTS (SELECT FROM buyer b WHERE b.person = p.id);
BEGIN
  WAIT UNTIL is_big(p) TIMEOUT '5 days';
  INSERT INTO log (what) VALUES (format('%s: big %s', p.name, found));
  WAIT UNTIL is_big(p, 1000);
  INSERT INTO log (what) VALUES (p.name || ': bigger');
  WAIT UNTIL NOT is_big(p, 1000);
  INSERT INTO log (what) VALUES (p.name || ': smaller');
  WAIT FOR '1 year';
END $$;
CREATE FUNCTION tagged(c contact) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
  EXIT WHEN has_tag(c, 'customer');
BEGIN
  WAIT UNTIL has_tag(c, 'webinar') TIMEOUT '1 day';
  INSERT INTO acceptance.log (what) VALUES (format('%s: webinar %s', c.name, found));
  WAIT UNTIL has_tag(c, 'early bird');
  INSERT INTO acceptance.log (what) VALUES (format('%s: not here', c.name));
  GOAL vip WHEN has_tag(c, 'vip');
  INSERT INTO acceptance.log (what) VALUES (format('%s: vip %s', c.name, found));
  WAIT UNTIL NOT has_tag(c, 'vip');
  INSERT INTO acceptance.log (what) VALUES (format('%s: no vip %s', c.name, found));
END $$;
INSERT INTO contact (id, name) VALUES (-1, 'Eve'), (-2, 'Fay'), (-3, 'Gus');
CALL automation.advance(till(0));
INSERT INTO offer (id, value) VALUES (1, 60), (2, 60), (3, 1000);
INSERT INTO person (id, name) VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cy');
INSERT INTO member VALUES (1, 1, 'buyer'), (2, 1, 'buyer'), (2, 2, 'seller');
SELECT count(tagged(c)) FROM contact c WHERE id < 0;
CALL automation.run();
SELECT * FROM standing;
UPDATE member SET role = 'buyer' WHERE role = 'seller';
SELECT add_tag(c, 'webinar') FROM contact c WHERE id IN (-1, -2);
SELECT add_tag(c, 'customer') FROM contact c WHERE id = -3;
CALL automation.run();
SELECT what FROM told();
INSERT INTO member VALUES (2, 3, 'buyer');
SELECT add_tag(c, 'vip') FROM contact c WHERE id = -1;
CALL automation.run();
SELECT what FROM told();
UPDATE offer SET value = 900 WHERE id = 3;
UPDATE contact_tag SET removed_at = now() WHERE contact_id = -1 AND tag_id = tag('vip');
CALL automation.run();
SELECT what FROM told();
UPDATE offer SET value = 1 WHERE id IN (2, 3);
DELETE FROM member WHERE person = 1;
DELETE FROM contact_tag WHERE contact_id = -1;
CALL automation.run();
SELECT what FROM told();
UPDATE offer SET status = 'closed';
DELETE FROM contact WHERE id = -2;
CALL automation.run();
SELECT * FROM standing;
SELECT workflow, subject_key, reason FROM automation.journal WHERE workflow IN ('customer', 'tagged') AND event IN ('ended', 'not_entered') ORDER BY 1, 2::int;
SELECT goal, outcome, subject FROM automation.goal_reached WHERE workflow = 'tagged' ORDER BY id;
DELETE FROM contact_tag WHERE contact_id < 0; DELETE FROM contact WHERE id < 0;

-- Whoever matches enters, by whichever change makes him match; who did before does not.
CALL next_story();
INSERT INTO person (id, name, score) VALUES (9, 'Old', 9);
INSERT INTO member VALUES (9, 1, 'buyer');
CREATE FUNCTION matching(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF score, zone WHEN new.score > 5 AND new.zone IS NULL AND EXISTS (SELECT FROM member m WHERE m.person = new.id);
  AFTER INSERT ON member FOR SELECT p.id FROM person p WHERE p.id = new.person AND p.score > 5 AND p.zone IS NULL;
BEGIN
  INSERT INTO log (what) VALUES (p.name || ' matches');
END $$;
CALL automation.run();
INSERT INTO person (id, name, score) VALUES (1, 'Ann', 6), (2, 'Bob', 5), (3, 'Cy', 6);
INSERT INTO member VALUES (1, 1), (2, 1);
UPDATE person SET name = 'Olga' WHERE id = 9;
CALL automation.run();
SELECT what FROM told();
UPDATE person SET score = 6 WHERE id = 2;
BEGIN; UPDATE person SET score = 0 WHERE id = 9; UPDATE person SET score = 9 WHERE id = 9; COMMIT;
CALL automation.run();
SELECT what FROM told();
UPDATE person SET score = 60;
INSERT INTO member VALUES (3, 1), (1, 2);
CALL automation.run();
SELECT what FROM told();

-- A series around a date of the record: what is past when he enters is left out, and it moves with the date.
CALL next_story();
CREATE FUNCTION around(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF day WHEN new.day IS NOT NULL;
  ENROLL REPLACE;
DECLARE
  days int[] := '{-10, -2, 0, 3}';
  i int := 0;
BEGIN
  <<next>>
  i := i + 1;
  IF now() < p.day + days[i] + time '09:00' THEN
    WAIT UNTIL p.day + days[i] + time '09:00';
    INSERT INTO log (what) VALUES (format('%s: %s days', p.name, days[i]));
  END IF;
  GO TO next AT MOST 3 TIMES;
END $$;
CALL automation.advance(till(0));
INSERT INTO person (id, name, day) VALUES (1, 'Ann', d(20)::date), (2, 'Bob', d(1)::date), (3, 'Cy', NULL), (4, 'Di', d(20)::date);
CALL automation.advance(till(9));
UPDATE person SET day = d(12)::date WHERE id = 4;
CALL automation.advance(till(30));
SELECT * FROM told();
SELECT * FROM standing;

-- Everybody takes one way until so many have; then the other.
CALL next_story();
CREATE FUNCTION first_come(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  n bigint;
BEGIN
  SELECT count(*) INTO n FROM log WHERE what LIKE 'gift for %';
  IF n < 3 THEN
    INSERT INTO log (what) VALUES ('gift for ' || p.id);
  ELSE
    INSERT INTO log (what) VALUES ('card for ' || p.id);
  END IF;
END $$;
CALL automation.advance(till(0));
INSERT INTO person (id) SELECT generate_series(1, 5);
CALL automation.run();
SELECT what FROM told();

-- One workflow starts another: who is inside already, or may not enter, hinders nobody; one is
-- ended, then all others.
CALL next_story();
CREATE FUNCTION series(p person, what text DEFAULT 'plain') RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE;
BEGIN
  INSERT INTO log (what) VALUES (format('%s: %s series', p.name, series.what));
  WAIT FOR '10 days';
  INSERT INTO log (what) VALUES (format('%s: series over', p.name));
END $$;
CREATE FUNCTION another(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL p.score = 5;
  INSERT INTO log (what) VALUES (format('%s: not here', p.name));
END $$;
CREATE FUNCTION starts(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 1;
DECLARE
  id bigint;
BEGIN
  SELECT series(p, 'golden') INTO id;
  INSERT INTO log (what) VALUES (format('%s: sent there', p.name));
  WAIT UNTIL automation.finished(id) TIMEOUT '1 day';
  INSERT INTO log (what) VALUES (format('%s: over %s', p.name, found));
  WAIT FOR '20 days';
  INSERT INTO log (what) VALUES (format('%s: not here', p.name));
END $$;
CREATE FUNCTION ends(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF score TO 2;
BEGIN
  SELECT automation.unenroll('series', p);
  INSERT INTO log (what) VALUES (format('%s: series ended', p.name));
  WAIT FOR '1 day';
  SELECT automation.unenroll_others(p);
  WAIT FOR '1 day';
  INSERT INTO log (what) VALUES (format('%s: alone', p.name));
END $$;
CALL automation.advance(till(0));
INSERT INTO person (id, name) VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cy');
SELECT series(p) IS NOT NULL FROM person p WHERE id = 1;
CALL automation.run();
UPDATE person SET score = 1 WHERE id < 3;
CALL automation.run();
SELECT automation.pause('series');
UPDATE person SET score = 1 WHERE id = 3;
CALL automation.advance(till(1.5));
SELECT * FROM told();
SELECT workflow, key FROM standing;
UPDATE person SET score = 2 WHERE id = 2;
CALL automation.run();
SELECT workflow, key FROM standing WHERE key = '2';
CALL automation.advance(till(3));
SELECT workflow, key FROM standing;
CALL automation.advance(till(5));
SELECT * FROM told();
SELECT workflow, subject_key, event, reason FROM automation.journal WHERE workflow IN ('series', 'another', 'starts', 'ends') AND event IN ('ended', 'not_entered') ORDER BY 1, 2, 3;

-- A feed: who reads it enters as soon as two items are there that he was not told of.
CALL next_story();
CREATE TABLE item (id int PRIMARY KEY, feed int, title text);
CREATE TABLE reader (person int, feed int, told int DEFAULT 0, PRIMARY KEY (person, feed));
CREATE FUNCTION news(p person, feed int) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 * * * *' FOR SELECT r.person, r.feed FROM reader r WHERE (SELECT count(*) FROM item i WHERE i.feed = r.feed AND i.id > r.told) >= 2;
  ENROLL AGAIN PER p, feed;
BEGIN
  INSERT INTO log (what) SELECT p.name || ': ' || string_agg(i.title, ', ' ORDER BY i.id)
    FROM item i JOIN reader r ON r.feed = i.feed WHERE r.person = p.id AND i.feed = news.feed AND i.id > r.told;
  UPDATE reader SET told = (SELECT max(i.id) FROM item i WHERE i.feed = news.feed) WHERE person = p.id AND reader.feed = news.feed;
END $$;
CALL automation.advance(till(0.02));
INSERT INTO person (id, name) VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO reader VALUES (1, 1), (2, 1), (2, 2);
INSERT INTO item VALUES (1, 1, 'one'), (2, 2, 'zwei');
CALL automation.advance('1 hour');
SELECT count(*) FROM told();
INSERT INTO item VALUES (3, 1, 'three');
CALL automation.advance('1 hour');
SELECT what FROM told();
INSERT INTO item VALUES (4, 1, 'four'), (5, 2, 'fünf');
CALL automation.advance('3 hours');
SELECT what FROM told();
DROP FUNCTION news;
DROP TABLE item, reader;

-- A date of a deal brings in its people, before, on and after the day.
CALL next_story();
CREATE FUNCTION told_of_offer(p person, o offer, what text) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE PER p, o, what;
BEGIN
  INSERT INTO log (what) VALUES (format('%s: offer %s %s', p.name, o.id, told_of_offer.what));
END $$;
CREATE FUNCTION ending(o offer) RETURNS bigint LANGUAGE workflow AS $$
  AT o.ends - interval '2 days';
  ENROLL AGAIN;
BEGIN
  SELECT told_of_offer(p, o, 'soon') FROM person p JOIN member m ON m.person = p.id WHERE m.offer = o.id;
  WAIT UNTIL o.ends;
  SELECT told_of_offer(p, o, 'today') FROM person p JOIN member m ON m.person = p.id WHERE m.offer = o.id AND m.role = 'buyer';
  WAIT UNTIL o.ends + interval '1 day';
  SELECT told_of_offer(p, o, 'over') FROM person p JOIN member m ON m.person = p.id WHERE m.offer = o.id;
END $$;
CALL automation.advance(till(0));
INSERT INTO person (id, name) VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cy');
INSERT INTO offer (id, ends) VALUES (1, d(4)), (2, d(1)), (3, NULL);
INSERT INTO member VALUES (1, 1, 'buyer'), (2, 1, NULL), (3, 2, NULL), (3, 3, NULL);
CALL automation.advance(till(1));
UPDATE offer SET ends = d(5) WHERE id = 3;
INSERT INTO member VALUES (3, 1);
CALL automation.advance(till(10));
SELECT * FROM told();

-- The author takes steps away and puts some in while people are inside.
CALL next_story();
CREATE FUNCTION edited(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO log (what) VALUES (p.name || ': one');
  WAIT FOR '2 days';
  INSERT INTO log (what) VALUES (p.name || ': two');
  WAIT FOR INSERT ON visit WHEN new.person = p.id;
  INSERT INTO log (what) VALUES (p.name || ': three');
  WAIT UNTIL p.score = 3;
  INSERT INTO log (what) VALUES (p.name || ': four');
END $$;
CALL automation.advance(till(0));
INSERT INTO person (id, name) VALUES (1, 'Ann'), (2, 'Bob');
CALL automation.advance(till(3));
INSERT INTO visit (person) VALUES (1);
INSERT INTO person (id, name) VALUES (3, 'Cy');
CALL automation.run();
SELECT * FROM told();
-- only this step: those who stand on it go on; a new one stands before it
CREATE OR REPLACE FUNCTION edited(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO log (what) VALUES (p.name || ': one');
  -- the office asked for this one
  WAIT FOR '2 days';
  INSERT INTO log (what) VALUES (p.name || ': one and a half');
  INSERT INTO log (what) VALUES (p.name || ': two');
  INSERT INTO log (what) VALUES (p.name || ': three');
  WAIT UNTIL p.score = 3;
  INSERT INTO log (what) VALUES (p.name || ': four');
END $$;
CALL automation.run();
SELECT key, statement FROM standing;
SELECT line, statement, outcome, reason, to_line, enrollments FROM automation.migrate('edited') ORDER BY line;
CALL automation.run();
SELECT * FROM told();
SELECT * FROM standing;
-- who stood on it is asked for: by the map he goes on behind it
SELECT line, outcome, to_line, enrollments FROM automation.migrate('edited', '{"7": "next"}') ORDER BY line;
CALL automation.run();
SELECT * FROM told();
SELECT * FROM standing;
-- this step and all that follow
CREATE OR REPLACE FUNCTION edited(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO log (what) VALUES (p.name || ': one');
  WAIT FOR '2 days';
  INSERT INTO log (what) VALUES (p.name || ': two');
END $$;
SELECT line, statement, outcome, reason, to_line, enrollments FROM automation.migrate('edited') ORDER BY line;
CALL automation.run();
CALL automation.advance(till(6));
SELECT * FROM told();
SELECT * FROM standing;
SELECT line, outcome, reason, enrollments FROM automation.migrate('edited', '{"*": "end"}');
CALL automation.run();
SELECT * FROM standing;
SELECT * FROM happened('edited') WHERE event IN ('held', 'migrated', 'ended');

-- One transaction brings several things at once: gone before out, out before pulled, pulled before waited for.
CALL next_story();
CREATE FUNCTION at_once(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  EXIT WHEN p.score < 0;
BEGIN
  WAIT FOR INSERT ON visit WHEN new.person = p.id TIMEOUT '2 days';
  INSERT INTO log (what) VALUES (format('%s: visit %s', p.id, found));
  WAIT FOR INSERT ON visit WHEN new.person = p.id TIMEOUT '2 days';
  INSERT INTO log (what) VALUES (format('%s: another visit %s', p.id, found));
  GOAL bought WHEN EXISTS (SELECT FROM purchase u WHERE u.person = p.id);
  INSERT INTO log (what) VALUES (format('%s: bought %s', p.id, found));
END $$;
CALL automation.advance(till(0));
INSERT INTO person (id) SELECT generate_series(1, 6);
CALL automation.run();
BEGIN;
INSERT INTO visit (person) SELECT generate_series(1, 5);
INSERT INTO purchase (person) SELECT generate_series(1, 3);
UPDATE person SET score = -1 WHERE id < 3;
DELETE FROM person WHERE id = 1;
COMMIT;
-- before anybody looks: the second wait has not begun, so this one does not count for it
INSERT INTO visit (person) VALUES (4), (5), (6);
CALL automation.run();
INSERT INTO visit (person) VALUES (5);
CALL automation.run();
SELECT what FROM told();
SELECT * FROM happened('at_once') WHERE event IN ('resumed', 'ended', 'goal');
CALL automation.advance(till(5));
SELECT * FROM told();

-- One of several moments and units: days keep the time of day, hours do not; the first of two counts.
CALL next_story();
CREATE FUNCTION mixed(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '1 day 2 hours 30 minutes';
  INSERT INTO log (what) VALUES (p.id || ': a day and more');
  WAIT UNTIL least(p.at, p.day + time '12:00') TIMEOUT p.score * interval '1 day';
  INSERT INTO log (what) VALUES (format('%s: %s', p.id, found));
END $$;
CALL automation.advance(till(0));
INSERT INTO person (id, at, day, score) VALUES (1, d(4), d(5)::date, NULL), (2, d(8), d(5)::date, NULL), (3, NULL, d(5)::date, 2), (4, NULL, NULL, 3), (5, NULL, NULL, NULL);
CALL automation.advance(till(7));
SELECT * FROM told();
SELECT key, waits_for FROM standing;
UPDATE person SET day = d(9)::date WHERE id = 5;
CALL automation.advance(till(10));
SELECT * FROM told();

-- An old version waits in its own way while others enter the new one; entry paused, all held, gone.
CALL next_story();
CREATE FUNCTION versions(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM purchase u WHERE u.person = p.id) TIMEOUT '2 days';
  INSERT INTO log (what) VALUES (format('%s: first version %s', p.id, found));
END $$;
CALL automation.advance(till(0));
INSERT INTO person (id) VALUES (1), (2);
CALL automation.run();
CREATE OR REPLACE FUNCTION versions(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
  EXIT WHEN EXISTS (SELECT FROM purchase u WHERE u.person = p.id AND u.amount > 5);
BEGIN
  WAIT FOR INSERT ON purchase WHEN new.person = p.id TIMEOUT '1 day';
  INSERT INTO log (what) VALUES (format('%s: second version %s', p.id, found));
END $$;
INSERT INTO person (id) VALUES (3), (4), (5);
CALL automation.run();
INSERT INTO purchase (person, amount) VALUES (1, 9), (3, 9), (4, 1);
CALL automation.run();
SELECT what FROM told();
SELECT automation.pause('versions');
INSERT INTO person (id) VALUES (6);
CALL automation.advance(till(3));
SELECT * FROM told();
SELECT * FROM happened('versions') WHERE event IN ('not_entered', 'ended');
SELECT automation.resume('versions');
INSERT INTO person (id) VALUES (7);
CALL automation.run();
SELECT key, waits_for FROM standing;

-- Nothing is left behind: of those who are out no row, of workflows that are gone none either.
CALL next_story();
CALL automation.run();
SELECT * FROM left_behind();
\c - postgres
SELECT name, count(*) FROM (
  SELECT 'job', workflow FROM automation.job UNION ALL SELECT 'rule', workflow FROM automation.rule
  UNION ALL SELECT 'schedule', workflow FROM automation.schedule UNION ALL SELECT 'split', workflow FROM automation.split
  UNION ALL SELECT 'split_rule', workflow FROM automation.split_rule UNION ALL SELECT 'assignment', workflow FROM automation.assignment
  UNION ALL SELECT 'enrollment', workflow FROM automation.enrollment UNION ALL SELECT 'ledger', workflow FROM automation.ledger) x (name, workflow)
WHERE workflow NOT IN (SELECT id FROM automation.workflow WHERE signature NOT LIKE 'acceptance.%') GROUP BY 1;
SET client_min_messages = warning;
DROP SCHEMA acceptance CASCADE;
