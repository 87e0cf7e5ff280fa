\qecho
\qecho '## An old snapshot'
\qecho
\qecho 'Steady work while a REPEATABLE READ transaction stays open: an action, a wait of 1 ms, an action. Floor: the first fifth of the time.'
\qecho 'CPU is the executor''s, which neighbours on the machine disturb less than its throughput.'
\qecho
CREATE TEMP VIEW fifth AS
	SELECT variant, CASE WHEN round <= last / 5.0 THEN 'first' ELSE 'last' END AS part, avg(value) AS rate, sum(value * cpu) / sum(value) AS cpu, last
	FROM (SELECT *, max(round) OVER (PARTITION BY variant) AS last FROM result WHERE figure = 'snapshot') r
	WHERE round <= last / 5.0 OR round > last * 0.8
	GROUP BY variant, 2, last;
CREATE TEMP VIEW snapshot AS
	SELECT l.position, l.label, f.last + 1 AS seconds, f.rate AS first_rate, t.rate AS last_rate, f.cpu AS first_cpu, t.cpu AS last_cpu
	FROM (VALUES ('new', 1, 'new subjects'), ('again', 2, '1,000 subjects again and again')) AS l (variant, position, label)
		JOIN fifth f ON f.variant = l.variant AND f.part = 'first'
		JOIN fifth t ON t.variant = l.variant AND t.part = 'last';
SELECT label AS "enrollments of", seconds, pg_temp.shown(first_rate, 0) AS "first fifth: enrollments/s", pg_temp.shown(last_rate, 0) AS "last fifth",
	pg_temp.shown(last_rate / first_rate) AS "x floor", pg_temp.shown(first_cpu * 1e6, 1) AS "first fifth: CPU us/enrollment",
	pg_temp.shown(last_cpu * 1e6, 1) AS "last fifth", pg_temp.shown(last_cpu / first_cpu) AS "x CPU"
FROM snapshot ORDER BY position;

INSERT INTO verdict (what, found, bar, met)
SELECT 'Old snapshot of ' || seconds || ' s, ' || label,
	pg_temp.shown(last_rate / first_rate) || ' of the throughput (CPU an enrollment ' || pg_temp.shown(last_cpu / first_cpu) || ')', 'at least 0.90',
	last_rate / first_rate >= 0.9
FROM snapshot ORDER BY position;
