-- What the figures' reports share; psql reads it first, with all results in the
-- table "result". Each report prints its table and adds its lines to "verdict".

CREATE TEMP TABLE result (
	figure text NOT NULL,
	variant text NOT NULL,
	round integer NOT NULL,
	value double precision NOT NULL,
	cpu double precision
);
\copy result FROM pstdin

-- The lines of the first table: what was found, what is asked for
CREATE TEMP TABLE verdict (
	position serial,
	what text NOT NULL,
	found text NOT NULL,
	bar text NOT NULL,
	met boolean
);

-- A variant, and how it compares with another one of the same round
CREATE TEMP VIEW median AS
	SELECT figure, variant, percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS value,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu) AS cpu
	FROM result WHERE round > 0 GROUP BY figure, variant;
CREATE TEMP VIEW ratio AS
	SELECT figure, r.variant, f.variant AS floor,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY r.value / f.value) AS value,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY r.cpu / nullif(f.cpu, 0)) AS cpu,
		round(min(r.value / f.value)::numeric, 2) || ' .. ' || round(max(r.value / f.value)::numeric, 2) AS range,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY r.value - f.value) AS more,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY r.cpu - f.cpu) AS more_cpu
	FROM result r JOIN result f USING (figure, round)
	WHERE round > 0 GROUP BY figure, r.variant, f.variant;

-- A number as it stands in a table
CREATE FUNCTION pg_temp.shown(x float8, digits integer DEFAULT 2) RETURNS text LANGUAGE sql AS
	$$SELECT trim(to_char(x, CASE digits WHEN 0 THEN 'FM999,999,990' ELSE 'FM999,999,990.' || repeat('0', digits) END))$$;

-- A single number among the results
CREATE FUNCTION pg_temp.noted(figure text, variant text) RETURNS float8 LANGUAGE sql AS
	$$SELECT value FROM result r WHERE r.figure = $1 AND r.variant = $2 AND round = 1$$;

CREATE TEMP VIEW quantile AS
	SELECT figure, variant, percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS p50,
		percentile_cont(0.99) WITHIN GROUP (ORDER BY value) AS p99
	FROM result GROUP BY figure, variant;

CREATE TEMP VIEW labels (variant, position, label) AS VALUES
	('none', 1, 'nothing'), ('noop', 2, 'no-op C trigger'), ('w1', 3, '1 workflow'), ('w10', 4, '10 workflows'),
	('w100', 5, '100 workflows'), ('w1000', 6, '1,000 workflows'), ('image', 7, '1 workflow, columns in the event'),
	('when1', 8, '1 native trigger with WHEN'), ('when10', 9, '10 native triggers'), ('when100', 10, '100 native triggers');
