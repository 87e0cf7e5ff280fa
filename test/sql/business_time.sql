-- Business time: next_time(), next_anniversary(), calendars, windows.
-- First what they say about single days, then every half hour of two years in four
-- zones against the same arithmetic done on sets, from what AT TIME ZONE says.
SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';
CREATE SCHEMA business;
SET search_path = business, automation;

-- The next weekday and time of day, later than the moment given.
SELECT d, next_time(d, '11:00', since => '2026-03-03 11:00') AS next    -- a Tuesday
FROM unnest(ARRAY['Tuesday', 'tue', 'TUE', 'Wed', ' monday ', 'Mon-Fri', 'Sat - Mon', 'Mon, Thu', 'Fri,Sat-Sun', '*', NULL]) d;
SELECT next_time('Tue', '11:00', since => '2026-03-03 10:59:59.999999'), next_time('Tue', '11:00', since => '2026-03-03 11:00:00.000001');
SELECT next_time_after('11:00', '2026-03-03 11:00'), next_time('Tue', '24:00', since => '2026-03-03 11:00'), next_time('*', '00:00', since => '2026-03-03');
SELECT next_time('Tue', '11:00') > automation.now() AS tuesday, next_time('11:00') BETWEEN automation.now() AND automation.now() + interval '26 hours' AS daily,
       next_time(at => '11:00') = next_time('*', '11:00') AS named;
SELECT next_time('Tue', '11:00', 'Europe/Paris', '2026-03-03 10:00'), next_time('Tue', '11:00', 'Asia/Tokyo', '2026-03-03 10:00'),
       next_time('Tue', '11:00', 'UTC+3', '2026-03-03 10:00');
SET timezone = 'Europe/Paris';
SELECT next_time('Tue', '11:00', since => '2026-03-03 11:00'), next_time_after('02:30', '2026-03-28 12:00'), next_time_after('02:30', '2026-10-24 12:00');
SET timezone = 'UTC';
SELECT next_time(NULL, NULL), next_time('Tue', '11:00', since => NULL), next_time_after(NULL, now());
SELECT next_time('Tues', '11:00');
SELECT next_time('', '11:00');
SELECT next_time('Mon-', '11:00');
SELECT next_time('Mon,,Tue', '11:00');
SELECT next_time('Mon Tue', '11:00');
SELECT next_time('* ,Mon', '11:00');
SELECT next_time('Tue', '11:00', 'Europe/Atlantis');
SELECT next_time('Tue', '11:00', since => 'infinity');
SELECT next_time('Tue', '11:00', since => '294276-12-31 12:00');
SELECT next_time('Tue', '11:00', since => '0044-03-15 12:00 BC'), next_time('Tue', '11:00', since => '4713-01-01 00:00 BC'), next_time('Tue', '11:00', since => '294276-12-20');

-- Anniversaries: later than today; with a time of day, today's counts until then.
SELECT d, s, next_anniversary_after(d, s) AS next, next_anniversary(d, '09:00', since => s) AS at_nine
FROM (VALUES ('1984-03-03'::date, '2026-03-03 08:00'::timestamptz), ('1984-03-03', '2026-03-03 09:00'), ('1984-03-03', '2026-03-02 23:59'),
      ('1984-02-29', '2026-02-01'), ('1984-02-29', '2027-02-28 10:00'), ('1984-02-29', '2028-02-28 10:00'), ('1984-12-31', '2026-12-31 10:00'),
      ('2026-03-03', '2026-03-03'), ('2030-06-01', '2026-03-03'), ('0044-03-15 BC', '2026-03-03'), ('1984-03-03', '0044-03-03 10:00 BC'), ('0005-02-29 BC', '0001-02-28 10:00 BC'), (NULL, '2026-03-03'), ('infinity', '2026-03-03'), ('-infinity', '2026-03-03')) v (d, s);
SELECT next_anniversary('1984-02-29') > automation.now()::date AS later, next_anniversary(automation.now()::date - 1) - automation.now()::date > 360 AS next_year,
       next_anniversary(day => '1984-03-03') + interval '9 hours' = next_anniversary('1984-03-03') + time '09:00' AS plus;
SELECT next_anniversary('1984-03-03', '09:00', 'Pacific/Apia', '2026-03-02 21:00'), next_anniversary('1984-12-30', '09:00', 'Pacific/Apia', '2011-12-25');
SELECT next_anniversary('1984-03-03', NULL), next_anniversary('1984-03-03', '09:00', since => NULL);
SELECT next_anniversary('1984-03-03', '09:00', 'Europe/Atlantis');
SELECT next_anniversary_after('1984-03-03', 'infinity');
SELECT next_anniversary('300000-03-03', '09:00');
SELECT next_anniversary_after('5874897-03-03', now());

-- The calendar nobody has made is Mon-Fri 09:00-17:00.
SELECT next_opening(since => '2026-03-06 16:59:59'), next_opening(since => '2026-03-06 17:00'), is_open('2026-03-06 09:00'), is_open('2026-03-06 17:00');
SELECT is_open('infinity'), is_open(NULL), next_opening(since => NULL), next_opening(NULL, NULL, '2026-03-08');
SELECT next_opening() >= automation.now() - interval '1 minute' AS later, is_open() = (next_opening() < automation.now() + interval '1 second') AS same;
SELECT next_opening('shop');
SELECT next_opening(zone => 'Europe/Atlantis');
SELECT next_opening(since => 'infinity');

-- Who may write: whom the DBA lets.
INSERT INTO calendar (name, hours, zone, comment) VALUES
  ('shop', 'Mon-Fri 09:00-12:00, 14:00-18:00, saturday 9:00-12:30', NULL, 'two shifts'),
  ('bar', 'Wed, Thu 18:00-24:00, Fri-Sat 20:00-02:00', 'America/Santiago', NULL),
  ('always', 'Mon-Sun 00:00-24:00', NULL, NULL), ('nights', 'Mon-Fri 22:00-06:00, Sat 05:00-08:00', NULL, NULL), ('never', '', NULL, NULL);
INSERT INTO holiday (day, name) VALUES ('2026-12-25', 'Christmas');
INSERT INTO holiday (calendar, day, hours, name) VALUES ('shop', '2026-12-24', '09:00-11:00', 'Christmas Eve'), ('shop', '2026-12-25', '', 'Christmas'),
  ('nights', '2026-03-05', '', 'a Thursday'), ('nights', '2026-03-10', '12:00-13:00, 23:00-01:00', 'a Tuesday');
INSERT INTO calendar (name, hours) VALUES ('bad', 'Mon-Fri');
INSERT INTO calendar (name, hours) VALUES ('bad', '09:00-17:00');
INSERT INTO calendar (name, hours) VALUES ('bad', 'Mon 09:00-17:00; Tue 09:00-17:00');
INSERT INTO calendar (name, hours) VALUES ('bad', 'Mon 09:00-09:00');
INSERT INTO calendar (name, hours) VALUES ('bad', 'Mon 24:00-09:00');
INSERT INTO calendar (name, hours) VALUES ('bad', 'Mon 09:60-10:00');
INSERT INTO calendar (name, hours) VALUES ('bad', 'Mon 09:00-17:00,');
INSERT INTO calendar (name, hours) VALUES ('bad', NULL);
INSERT INTO calendar (name) VALUES ('');
UPDATE calendar SET zone = 'Europe/Atlantis' WHERE name = 'shop';
INSERT INTO holiday (calendar, day) VALUES ('shopp', '2026-12-24');
INSERT INTO holiday (calendar, day, hours) VALUES ('shop', '2026-12-26', 'Mon 09:00-11:00');
INSERT INTO holiday (calendar, day) VALUES ('shop', 'infinity');
CREATE ROLE business_reader; CREATE ROLE business_office;
GRANT SELECT, INSERT, UPDATE, DELETE ON automation.calendar, automation.holiday TO business_office;
SET ROLE business_reader;
SELECT count(*) FROM automation.calendar;
INSERT INTO automation.holiday (day) VALUES ('2026-12-26');
SELECT automation.next_opening('shop', since => '2026-12-24 11:00');
SET ROLE business_office;
INSERT INTO automation.holiday (calendar, day) VALUES ('shop', '2026-12-26');
SELECT automation.next_opening('shop', since => '2026-12-24 11:00');
DELETE FROM automation.holiday WHERE day = '2026-12-26';
CREATE TABLE pg_temp.mine (); CREATE TRIGGER t AFTER INSERT ON pg_temp.mine EXECUTE FUNCTION automation.calendar_changed();
RESET ROLE;

SELECT s AS since, next_opening('shop', since => s) AS shop, next_opening('bar', since => s) AS bar, next_opening('bar', 'UTC', s) AS bar_here,
       next_opening('nights', since => s) AS nights, next_opening('always', since => s) = s AS always, next_opening('never', since => s) AS never
FROM unnest(ARRAY['2026-03-04 12:00', '2026-03-04 23:00', '2026-03-05 03:00', '2026-03-07 04:30', '2026-03-10 05:00', '2026-12-24 11:00', '2026-12-25 09:00']::timestamptz[]) s;
-- A holiday takes away what begins on it, and ends what began the evening before.
SELECT business_time_between(d, d + 1, 'nights') AS nights, d FROM (SELECT date '2026-03-01' + i AS d FROM generate_series(0, 12) i) s;

-- Days are days on which it opens, at the same time of day; then hours.
SELECT s AS start, a AS amount, add_business_time(s, a) AS office, add_business_time(s, a, 'shop') AS shop, add_business_time(s, a, 'nights') AS nights
FROM (VALUES ('2026-03-02 10:00'::timestamptz, '0'::interval), ('2026-03-02 10:00', '1 day'), ('2026-03-02 10:00', '5 days'), ('2026-03-02 10:00', '8 hours'), ('2026-03-02 10:00', '1 day 8 hours'),
      ('2026-03-02 10:00', '-1 day'), ('2026-03-02 10:00', '-1 hour'), ('2026-03-02 10:00', '-3 hours'), ('2026-03-02 10:00', '100 hours'), ('2026-03-02 10:00', '1 day -2 hours'), ('2026-03-02 10:00', '-1 day 2 hours'),
      ('2026-03-07 12:00', '0'), ('2026-03-07 12:00', '1 day'), ('2026-03-07 12:00', '1 hour'), ('2026-03-07 12:00', '-1 day'), ('2026-03-07 12:00', '-1 hour'),
      ('2026-03-06 17:00', '0'), ('2026-03-06 17:00', '1 day'), ('2026-03-06 17:00', '1 microsecond'), ('2026-03-03 01:00', '1 day'), ('2026-03-03 01:00', '-1 day')) v (s, a);
SELECT add_business_time('2026-12-23 16:00', '1 day', 'shop') AS eve_is_short, add_business_time('2026-12-23 10:00', '2 days', 'shop') AS over_christmas,
       add_business_time('2026-03-02', '1 hour', 'never') AS never, add_business_time('2026-03-02', '-1 day', 'never') AS never_before,
       business_time_between('2026-12-21', '2026-12-28', 'shop') AS week, business_time_between('2026-12-28', '2026-12-21', 'shop') AS back;
SELECT add_business_time(NULL, '1 day'), add_business_time(now(), NULL), add_business_time('infinity', '1 day'), add_business_time('-infinity', '-1 day'),
       business_time_between(NULL, now()), business_time_between(now(), now());
SELECT add_business_time('2026-03-02', '1 month');
SELECT add_business_time('2026-03-02', '40000 days');
SELECT add_business_time('2026-03-02', '876576 hours', 'always'), add_business_time('2026-03-02', '200000 hours'), add_business_time('2026-03-02', '-20000 days');
SELECT add_business_time('2026-03-02', '300000 hours');
SELECT add_business_time('2026-03-02', '1000000 hours', 'always');
SELECT add_business_time('2026-03-02', '2562047788 hours');
SELECT add_business_time('2026-03-02', '-2562047788 hours');
SELECT add_business_time('2026-03-02', '1 hour', 'shopp');
SELECT business_time_between('-infinity', now());
SELECT business_time_between('2026-03-02', '2226-03-02');
SELECT add_business_time('0044-03-15 12:00 BC', '1 day 1 hour'), business_time_between('0044-03-10 BC', '0044-03-17 BC');
SELECT add_business_time('294276-12-30', '100 days');

-- Windows: at once, or when they begin and a little later.
SELECT s AS ready, window_opening('Mon-Fri 09:00-17:00', NULL, NULL, s, NULL) AS day, window_opening('Mon-Sun 22:00-06:00', NULL, NULL, s, NULL) AS night,
       window_opening('Mon-Fri 08:00-10:00', 'shop', NULL, s, NULL) AS with_holidays, window_opening(NULL, 'shop', NULL, s, NULL) AS shop, window_opening('Thu 09:00-10:00', NULL, 'Asia/Tokyo', s, NULL) AS tokyo
FROM unnest(ARRAY['2026-12-23 12:00', '2026-12-24 00:00', '2026-12-24 12:00', '2026-12-26 06:00']::timestamptz[]) s;
-- within a quarter of an hour, of the opening, all over it, the same for the same key
SELECT hours, min(d) >= '0' AS not_before, max(d) < most AS not_after, max(d) > 0.97 * most AS to_the_end, min(d) < 0.03 * most AS from_the_start,
       count(DISTINCT d) > 990 AS spread, bool_and(d = window_opening(hours, NULL, NULL, '2026-12-27', 'k' || k) - o) AS sticky
FROM (VALUES ('Mon-Fri 09:00-17:00', interval '15 min'), ('Mon 09:00-09:20', '5 min'), ('Mon 09:00-09:01', '15 s'), ('Mon 09:00-09:20, Mon 09:20-10:30', '15 min'), ('Mon 23:50-24:00, Tue 00:00-00:10', '5 min')) w (hours, most),
     generate_series(1, 1000) k,
     LATERAL (SELECT window_opening(hours, NULL, NULL, '2026-12-27', NULL) AS o) a, LATERAL (SELECT window_opening(hours, NULL, NULL, '2026-12-27', 'k' || k) - o AS d) b
GROUP BY hours, most ORDER BY hours;
SELECT window_opening('Mon 09:00-10:00', NULL, NULL, '2026-12-28 09:30', 'k') AS at_once, window_opening(NULL, 'never', NULL, now(), 'k') AS never, window_opening('Mon 09:00-10:00', NULL, NULL, NULL, 'k') AS unknown;
SELECT window_opening('Mon', NULL, NULL, now(), 'k');
SELECT window_opening('Mon 09:00-10:00', 'shopp', NULL, now(), 'k');

-- Every half hour of two years in four zones.  Clocks go forward and back by an hour in
-- three ways, by half an hour, and Samoa leaves out a Friday.
CREATE TABLE cell AS
  SELECT zone, t, t AT TIME ZONE zone AS local
  FROM (VALUES ('Europe/Paris', timestamptz '2023-01-01'), ('America/Santiago', '2023-01-01'), ('Australia/Lord_Howe', '2023-01-01'), ('Pacific/Apia', '2011-01-01')) z (zone, start),
       generate_series(start - interval '20 days', start + interval '2 years 20 days', '30 minutes') t;
CREATE UNIQUE INDEX ON cell (zone, t);
CREATE INDEX ON cell (zone, local);
ANALYZE cell;
CREATE TABLE day AS SELECT DISTINCT zone, d::date AS day, EXISTS (SELECT FROM cell c WHERE c.zone = z.zone AND c.local = d::date + time '12:00') AS exists FROM (SELECT zone, min(local) AS a, max(local) AS b FROM cell GROUP BY 1) z, generate_series(a + interval '2 days', b - interval '2 days', '1 day') d;
-- A local time is the first moment at which clocks show it or more.
CREATE TABLE moment AS
  SELECT zone, day, extract(dow FROM day)::int AS dow, at, exists,
         (SELECT t FROM cell c WHERE c.zone = d.zone AND c.t BETWEEN ((day + at) AT TIME ZONE 'UTC') - interval '14 hours' AND ((day + at) AT TIME ZONE 'UTC') + interval '30 hours'
          AND c.local >= day + at ORDER BY t LIMIT 1) AS t
  FROM day d, unnest(ARRAY['00:00', '01:00', '01:30', '02:00', '02:30', '03:00', '09:00', '12:00', '17:00', '22:00', '23:30', '24:00']::time[]) at;
CREATE INDEX ON moment (zone, at, t);
CREATE INDEX ON moment (zone, day, at);
ANALYZE moment;
-- On all other days that is what PostgreSQL says as well.
SELECT zone, count(*) FILTER (WHERE t <> (day + at) AT TIME ZONE zone) AS differ,
       count(*) FILTER (WHERE t AT TIME ZONE zone <> day + at) AS left_out, count(DISTINCT t AT TIME ZONE zone) FILTER (WHERE t <> (day + at) AT TIME ZONE zone) AS moments
FROM moment GROUP BY zone ORDER BY zone;

CREATE TABLE change AS
  SELECT zone, t, step - interval '30 minutes' AS by FROM (SELECT zone, t, local - lag(local) OVER (PARTITION BY zone ORDER BY t) AS step FROM cell) s WHERE step <> interval '30 minutes';
SELECT zone, t, t AT TIME ZONE zone AS local, by FROM change ORDER BY zone, t;
-- What is asked about: moments of every day, all those around a change.
CREATE TABLE since AS
  SELECT zone, t, t BETWEEN a + interval '15 days' AND b - interval '15 days' AS within, t < b - interval '370 days' AS first
  FROM cell JOIN (SELECT zone, min(t) + interval '20 days' AS a, max(t) - interval '20 days' AS b FROM cell GROUP BY 1) r USING (zone)
  WHERE t BETWEEN a AND b AND (extract(epoch FROM t)::bigint % 75600 = 7200
                               OR EXISTS (SELECT FROM change h WHERE h.zone = cell.zone AND cell.t BETWEEN h.t - interval '30 hours' AND h.t + interval '30 hours'));
ANALYZE since;
SELECT zone, count(*) > 1200 AS enough FROM since GROUP BY zone ORDER BY zone;

SELECT days, at, count(*) > 4000 AS enough,
       count(*) FILTER (WHERE next_time(days, at, s.zone, s.t) IS DISTINCT FROM
                        (SELECT min(m.t) FROM moment m WHERE m.zone = s.zone AND m.at = w.at AND m.t > s.t AND m.t < s.t + interval '16 days' AND m.exists AND m.dow = ANY (dows))) AS wrong
FROM since s, (VALUES ('*', time '02:00', '{0,1,2,3,4,5,6}'::int[]), ('Tuesday', '12:00', '{2}'), ('Sun', '00:00', '{0}'), ('Fri', '09:00', '{5}'), ('Fri-Sun', '24:00', '{5,6,0}'), ('Mon, Wed', '23:30', '{1,3}')) w (days, at, dows)
GROUP BY 1, 2 ORDER BY 1, 2;
-- once on each local date, in order
SELECT zone, at, count(*) = count(DISTINCT (t AT TIME ZONE zone)::date) AS once, bool_and(found) AS follows
FROM (SELECT m.*, next_time('*', at, zone, lag(t) OVER (PARTITION BY zone, at ORDER BY t)) IS NOT DISTINCT FROM CASE WHEN lag(t) OVER (PARTITION BY zone, at ORDER BY t) IS NOT NULL THEN t END AS found
      FROM moment m WHERE exists AND at IN ('00:00', '01:30', '02:30', '12:00')) s GROUP BY zone, at ORDER BY zone, at;

CREATE TABLE birthday AS
  SELECT birth, at, m.zone, m.t FROM unnest(ARRAY['1984-02-29', '1990-03-26', '1975-09-03', '2000-10-01', '1999-12-30']::date[]) birth, generate_series(5, 50) n,
         moment m WHERE m.at IN ('00:00', '02:30', '09:00') AND m.day = (birth + make_interval(years => n))::date;
SELECT b.at, count(*) > 5000 AS enough, count(*) FILTER (WHERE next_anniversary(birth, b.at, s.zone, s.t) IS DISTINCT FROM
                        (SELECT min(t) FROM birthday c WHERE (c.zone, c.birth, c.at) = (s.zone, b.birth, b.at) AND c.t > s.t)) AS wrong
FROM since s JOIN (SELECT DISTINCT zone, birth, at FROM birthday) b USING (zone) WHERE s.first GROUP BY b.at ORDER BY b.at;

-- A calendar with a shift over midnight and one in the small hours, when clocks change.
INSERT INTO calendar (name, hours) SELECT zone, 'Mon-Fri 09:00-12:00, Mon-Thu 22:00-01:30, Fri 23:30-03:00, Sun 02:30-17:00' FROM (SELECT DISTINCT zone FROM cell) z;
INSERT INTO holiday (calendar, day, hours, name)
  SELECT zone, day, CASE extract(day FROM day) % 3 WHEN 1 THEN '' WHEN 2 THEN '01:00-02:00' ELSE '12:00-17:00, 22:00-01:00' END, 'some day'
  FROM day WHERE extract(doy FROM day)::int % 11 = 0 OR day IN ('2023-03-26', '2023-09-02', '2024-10-06', '2011-12-29');
CREATE TABLE shift AS
  SELECT zone, day, opens, closes, over
  FROM (SELECT d.zone, d.day, w.opens, w.closes, w.closes < w.opens AS over FROM day d,
          (VALUES ('{1,2,3,4,5}'::int[], time '09:00', time '12:00'), ('{1,2,3,4}', '22:00', '01:30'), ('{5}', '23:30', '03:00'), ('{0}', '02:30', '17:00')) w (dows, opens, closes)
        WHERE extract(dow FROM day) = ANY (dows) AND NOT EXISTS (SELECT FROM holiday h WHERE h.calendar = d.zone AND h.day = d.day)
        UNION ALL
        SELECT calendar, day, split_part(range, '-', 1)::time, split_part(range, '-', 2)::time, split_part(range, '-', 2) < split_part(range, '-', 1)
        FROM holiday, regexp_split_to_table(hours, ', ') range WHERE hours <> '' AND calendar IN (SELECT zone FROM cell)) s;
ANALYZE shift; ANALYZE holiday;
-- as moments; a holiday the day after ends it at midnight
CREATE TABLE opening AS
  SELECT s.zone, s.day, a.t AS from, CASE WHEN over AND EXISTS (SELECT FROM holiday h WHERE h.calendar = s.zone AND h.day = s.day + 1) THEN c.t ELSE b.t END AS to
  FROM shift s JOIN moment a ON (a.zone, a.day, a.at) = (s.zone, s.day, opens) JOIN moment b ON (b.zone, b.day, b.at) = (s.zone, s.day + over::int, closes)
       JOIN moment c ON (c.zone, c.day, c.at) = (s.zone, s.day + 1, time '00:00');
DELETE FROM opening WHERE "from" >= "to";
CREATE INDEX ON opening (zone, "from"); ANALYZE opening;
CREATE TABLE open AS SELECT zone, t, row_number() OVER (PARTITION BY zone ORDER BY t) AS n
  FROM (SELECT DISTINCT zone, t FROM opening, generate_series("from", "to" - interval '30 minutes', '30 minutes') t) s;
CREATE UNIQUE INDEX ON open (zone, t); CREATE UNIQUE INDEX ON open (zone, n); ANALYZE open;

SELECT s.zone, count(*) FILTER (WHERE next_opening(s.zone, s.zone, s.t) IS DISTINCT FROM (SELECT o.t FROM open o WHERE o.zone = s.zone AND o.t >= s.t ORDER BY o.t LIMIT 1)) AS next_opening,
       count(*) FILTER (WHERE is_open(s.t, s.zone, s.zone) IS DISTINCT FROM EXISTS (SELECT FROM open o WHERE o.zone = s.zone AND o.t = s.t)) AS is_open,
       count(*) FILTER (WHERE window_opening(NULL, s.zone, s.zone, s.t, NULL) IS DISTINCT FROM next_opening(s.zone, s.zone, s.t)) AS window_opening
FROM since s GROUP BY s.zone ORDER BY s.zone;
-- hours: so many open half hours on, or back
SELECT amount, count(*) > 4000 AS enough, count(*) FILTER (WHERE add_business_time(s.t, amount, s.zone, s.zone) IS DISTINCT FROM
    CASE WHEN amount > '0' THEN (SELECT o.t + interval '30 minutes' FROM open o WHERE o.zone = s.zone AND o.n = b.n + (extract(epoch FROM amount) / 1800)::bigint)
         ELSE (SELECT o.t FROM open o WHERE o.zone = s.zone AND o.n = b.n + 1 + (extract(epoch FROM amount) / 1800)::bigint) END) AS wrong
FROM since s CROSS JOIN unnest(ARRAY['30 minutes', '8 hours', '40 hours', '-30 minutes', '-7:30', '-25 hours']::interval[]) amount
     CROSS JOIN LATERAL (SELECT coalesce((SELECT o.n FROM open o WHERE o.zone = s.zone AND o.t < s.t ORDER BY o.t DESC LIMIT 1), 0) AS n) b
WHERE s.within GROUP BY amount ORDER BY amount;
SELECT width, count(*) FILTER (WHERE business_time_between(s.t, s.t + width, s.zone, s.zone) IS DISTINCT FROM
    (SELECT count(*) FROM open o WHERE o.zone = s.zone AND o.t >= s.t AND o.t < s.t + width) * interval '30 minutes') AS wrong
FROM since s CROSS JOIN unnest(ARRAY['1 hour', '24 hours', '240 hours']::interval[]) width GROUP BY width ORDER BY width;
-- days: the shift's day and the time since its midnight; there, inside a shift or at its end, else the next one
CREATE TABLE workday AS SELECT zone, day, row_number() OVER (PARTITION BY zone ORDER BY day) AS n FROM (SELECT DISTINCT zone, day FROM opening) s;
CREATE UNIQUE INDEX ON workday (zone, day); CREATE UNIQUE INDEX ON workday (zone, n); ANALYZE workday;
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off;
CREATE TABLE target AS
  SELECT s.zone, s.t, days, (SELECT c.t FROM cell c WHERE c.zone = s.zone AND c.t BETWEEN (wanted AT TIME ZONE 'UTC') - interval '14 hours' AND (wanted AT TIME ZONE 'UTC') + interval '30 hours'
                             AND c.local >= wanted ORDER BY c.t LIMIT 1) AS same_time
  FROM since s JOIN opening o ON o.zone = s.zone AND s.t >= o.from AND s.t < o.to AND o.from > s.t - interval '2 days'
       JOIN workday w ON w.zone = o.zone AND w.day = o.day
       CROSS JOIN unnest(ARRAY[1, 3, 20]) days
       JOIN workday v ON v.zone = w.zone AND v.n = w.n + days
       CROSS JOIN LATERAL (SELECT v.day + (s.t AT TIME ZONE s.zone - o.day) AS wanted) l;
SELECT days, count(*) > 1500 AS enough, count(*) FILTER (WHERE add_business_time(t, make_interval(days => days), zone, zone) IS DISTINCT FROM
    CASE WHEN EXISTS (SELECT FROM opening o WHERE o.zone = g.zone AND same_time BETWEEN o.from AND o.to AND o.from BETWEEN same_time - interval '2 days' AND same_time) THEN same_time
         ELSE (SELECT o.t FROM open o WHERE o.zone = g.zone AND o.t >= same_time ORDER BY o.t LIMIT 1) END) AS wrong
FROM target g GROUP BY days ORDER BY days;
RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_seqscan;
RESET search_path;
\set VERBOSITY terse
DROP SCHEMA business CASCADE;
DROP OWNED BY business_office; DROP ROLE business_office, business_reader;
DELETE FROM automation.holiday; DELETE FROM automation.calendar;
