\qecho
\qecho '## Latency'
\qecho
\qecho 'From the commit of a row to the commit of the first action; idle server. Floor: a durable commit of one row.'
\qecho
SELECT l.label AS "what", pg_temp.shown(q.p50 * 1e6, 0) AS "p50 us", pg_temp.shown(q.p99 * 1e6, 0) AS "p99 us",
	pg_temp.shown(q.p50 / f.p50) AS "p50 x floor", pg_temp.shown(q.p99 / f.p99) AS "p99 x floor"
FROM (VALUES ('commit', 1, 'durable commit of one row'), ('action', 2, 'action, executor alive'), ('cold', 3, 'action, executor is started first'))
		AS l (variant, position, label)
	JOIN quantile q ON q.figure = 'latency' AND q.variant = l.variant
	JOIN quantile f ON f.figure = 'latency' AND f.variant = 'commit'
ORDER BY l.position;

INSERT INTO verdict (what, found, bar, met)
SELECT 'Latency, ' || b.what, pg_temp.shown(b.ratio) || ' of a durable commit (' || pg_temp.shown(b.us, 0) || ' us)', pg_temp.shown(b.bar, 0), b.ratio <= b.bar
FROM quantile q JOIN quantile f ON (f.figure, f.variant) = (q.figure, 'commit'),
	LATERAL (VALUES ('p50', q.p50 / f.p50, q.p50 * 1e6, 3), ('p99', q.p99 / f.p99, q.p99 * 1e6, 10)) AS b (what, ratio, us, bar)
WHERE (q.figure, q.variant) = ('latency', 'action');
