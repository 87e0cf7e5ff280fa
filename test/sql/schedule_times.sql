-- When a schedule comes: what the engine computes against what generate_series
-- and a condition in SQL say.
CREATE SCHEMA schedule_times;
SET search_path = schedule_times;
SET timezone = 'UTC';

CREATE TABLE expression (schedule text PRIMARY KEY, condition text NOT NULL);
INSERT INTO expression VALUES
  ('* * * * *', 'true'),
  ('*/15 * * * *', 'm IN (0, 15, 30, 45)'),
  ('7-50/20 * * * *', 'm IN (7, 27, 47)'),
  ('0,30 9-17 * * mon-fri', 'm IN (0, 30) AND h BETWEEN 9 AND 17 AND w BETWEEN 1 AND 5'),
  ('0 9 * * 1', 'm = 0 AND h = 9 AND w = 1'),
  ('0 9 * * 7', 'm = 0 AND h = 9 AND w = 0'),
  ('5 4 * * 5-7', 'm = 5 AND h = 4 AND w IN (5, 6, 0)'),
  ('5 4 * * sun,Sat', 'm = 5 AND h = 4 AND w IN (6, 0)'),
  ('15 10 1 * *', 'm = 15 AND h = 10 AND d = 1'),
  ('0 0 29 2 *', 'm = 0 AND h = 0 AND d = 29 AND mon = 2'),
  ('30 23 31 * *', 'm = 30 AND h = 23 AND d = 31'),
  ('0 12 13 * fri', 'm = 0 AND h = 12 AND (d = 13 OR w = 5)'),
  ('0 12 1-7 * 1', 'm = 0 AND h = 12 AND (d BETWEEN 1 AND 7 OR w = 1)'),
  ('0 12 */2 * 1', 'm = 0 AND h = 12 AND d % 2 = 1 AND w = 1'),
  ('0 12 1-7 * */3', 'm = 0 AND h = 12 AND d BETWEEN 1 AND 7 AND w IN (0, 3, 6)'),
  ('10 */6 * jan-mar/2 *', 'm = 10 AND h % 6 = 0 AND mon IN (1, 3)'),
  ('0 * 29 feb *', 'm = 0 AND d = 29 AND mon = 2'),
  ('@hourly', 'm = 0'),
  (' @daily ', 'm = 0 AND h = 0'),
  ('@weekly', 'm = 0 AND h = 0 AND w = 0'),
  ('@monthly', 'm = 0 AND h = 0 AND d = 1'),
  ('@yearly', 'm = 0 AND h = 0 AND d = 1 AND mon = 1');

CREATE TABLE minute AS
  SELECT at, extract(minute FROM at)::int AS m, extract(hour FROM at)::int AS h, extract(day FROM at)::int AS d,
         extract(month FROM at)::int AS mon, extract(dow FROM at)::int AS w
  FROM generate_series(timestamptz '2023-12-28', '2024-04-02', '1 minute') at;

-- Forwards from a moment within a minute, backwards from one.
CREATE FUNCTION forwards(schedule text, zone text, since timestamptz, upto timestamptz) RETURNS SETOF timestamptz LANGUAGE plpgsql AS $$
DECLARE
  t timestamptz := automation.schedule_next(schedule, since, zone);
BEGIN
  WHILE t <= upto LOOP
    RETURN NEXT t;
    t := automation.schedule_next(schedule, t, zone);
  END LOOP;
END $$;
CREATE FUNCTION backwards(schedule text, zone text, since timestamptz, upto timestamptz) RETURNS SETOF timestamptz LANGUAGE plpgsql AS $$
DECLARE
  t timestamptz := automation.schedule_previous(schedule, upto, zone);
BEGIN
  WHILE t > since LOOP
    RETURN NEXT t;
    t := automation.schedule_previous(schedule, t - interval '1 microsecond', zone);
  END LOOP;
END $$;
CREATE FUNCTION expected(condition text) RETURNS timestamptz[] LANGUAGE plpgsql AS $$
DECLARE
  times timestamptz[];
BEGIN
  EXECUTE 'SELECT coalesce(array_agg(at ORDER BY at), ''{}'') FROM minute WHERE at > ''2023-12-28 00:00:30'' AND (' || condition || ')' INTO times;
  RETURN times;
END $$;
SELECT schedule, cardinality(e.times) AS times,
       e.times = ARRAY(SELECT forwards(schedule, NULL, '2023-12-28 00:00:30', '2024-04-02')) AS forwards,
       e.times = ARRAY(SELECT t FROM backwards(schedule, NULL, '2023-12-28 00:00:30', '2024-04-02 00:00:59.9') t ORDER BY t) AS backwards
FROM expression, expected(condition) e (times) ORDER BY schedule COLLATE "C";

-- In a zone with summer time.  A schedule with hours means what clocks show: a
-- time that is left out comes when they are put forward, one that comes twice
-- comes the first time.
CREATE TABLE local AS
  SELECT at, at AT TIME ZONE 'Europe/Berlin' AS shown
  FROM (SELECT generate_series(timestamptz '2024-03-29', '2024-04-02', '1 minute')
        UNION ALL SELECT generate_series(timestamptz '2024-10-25', '2024-10-29', '1 minute')) g (at);
CREATE INDEX ON local (shown);
CREATE FUNCTION shown_first(wanted timestamp) RETURNS timestamptz LANGUAGE sql AS $$
  SELECT min(at) FROM local WHERE shown >= wanted AND shown < wanted + interval '2 hours' $$;
SELECT schedule, e.times = f.times AS forwards, e.times = b.times AS backwards
FROM (VALUES ('30 2 * * *', ARRAY['2:30']), ('0,59 1-3 * * *', ARRAY['1:00', '1:59', '2:00', '2:59', '3:00', '3:59']),
             ('0 0,23 * * *', ARRAY['0:00', '23:00'])) v (schedule, clock)
     CROSS JOIN (VALUES (timestamptz '2024-03-29 12:00', timestamptz '2024-04-01 12:00'), ('2024-10-25 12:00', '2024-10-28 12:00')) p (since, upto)
     CROSS JOIN LATERAL (SELECT array_agg(at ORDER BY at) AS times
                         FROM (SELECT DISTINCT shown_first(day::date + c::time) AS at
                               FROM generate_series(p.since::date, p.upto::date + 1, '1 day') day, unnest(clock) c) s
                         WHERE at > p.since AND at <= p.upto) e
     CROSS JOIN LATERAL (SELECT array_agg(t) AS times FROM forwards(schedule, 'Europe/Berlin', p.since, p.upto) t) f
     CROSS JOIN LATERAL (SELECT array_agg(t ORDER BY t) AS times FROM backwards(schedule, 'Europe/Berlin', p.since, p.upto) t) b;
SET timezone = 'Europe/Berlin';
SELECT forwards('30 2 * * *', 'Europe/Berlin', '2024-03-30', '2024-04-02');
SELECT forwards('30 2 * * *', 'Europe/Berlin', '2024-10-26', '2024-10-29');
-- One for every hour means the hours that pass.
SELECT forwards('30 * * * *', 'Europe/Berlin', '2024-03-31', '2024-03-31 04:00');
SELECT forwards('30 * * * *', 'Europe/Berlin', '2024-10-27', '2024-10-27 04:00');
-- No midnight: in 2018 clocks in Sao Paulo were put forward at 0:00.
SET timezone = 'America/Sao_Paulo';
SELECT forwards('@daily', 'America/Sao_Paulo', '2018-11-02', '2018-11-06');
SELECT backwards('0 * * * 0', 'America/Sao_Paulo', '2018-11-03 22:00', '2018-11-04 02:30');
-- Half an hour of summer time.
SET timezone = 'Australia/Lord_Howe';
SELECT forwards('*/30 * * * *', 'Australia/Lord_Howe', '2024-10-06 01:00', '2024-10-06 04:00');
SELECT forwards('15 2 * * *', 'Australia/Lord_Howe', '2024-10-05', '2024-10-08');

-- Far away, never, not known.
SET timezone = 'UTC';
SELECT automation.schedule_next('0 0 29 2 *', '2096-03-01'), automation.schedule_previous('0 * 29 2 *', '1904-02-28');
SELECT automation.schedule_next('0 0 30 2 *') IS NULL AS never, automation.schedule_next('* * * * *', 'infinity') IS NULL AS forever,
       automation.schedule_next(NULL) IS NULL AS unknown;
SELECT automation.schedule_next('0 9 * * 1', '2024-01-01', 'Asia/Tokyo');
SELECT automation.schedule_next('0 9 * * 1', '2024-01-01', 'Asia/Nowhere');
-- Wrong.
CREATE FUNCTION refused(schedule text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM automation.schedule_next(schedule);
  RETURN false;
EXCEPTION WHEN invalid_parameter_value THEN
  RETURN true;
END $$;
SELECT s AS accepted FROM unnest(ARRAY['', '* * * *', '60 * * * *', '* 24 * * *', '* * 0 * *', '* * * 13 *', '* * * * 8', '5/10 * * * *', '*/0 * * * *',
  '5-3 * * * *', '1,,2 * * * *', '* * * foo *', '* * * * * *', '@reboot', '30 seconds', '-1 * * * *', '* * * january *']) s
WHERE NOT refused(s);
DROP SCHEMA schedule_times CASCADE;
