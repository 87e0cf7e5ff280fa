\qecho
\qecho '## Waiting for rows of another table'
\qecho
\qecho 'Each waits for a row of its own: `WAIT UNTIL EXISTS (SELECT FROM sales_order o WHERE o.contact_id = c.id AND o.status = ''paid'')`.'
\qecho
SELECT what, value
FROM (VALUES
	(1, 'waiting enrollments, put to waiting by the engine', pg_temp.shown(pg_temp.noted('waiters', 'count'), 0)),
	(2, 'rows inserted that match nothing', pg_temp.shown(pg_temp.noted('waiters', 'count'), 0)),
	(3, 'events of them', pg_temp.shown(pg_temp.noted('waiters', 'unmatched events'), 0)),
	(4, 'enrollments looked at meanwhile', pg_temp.shown(pg_temp.noted('waiters', 'unmatched woken') + pg_temp.noted('waiters', 'unmatched rechecked'), 0))
) AS t (position, what, value)
ORDER BY position;

SELECT l.label AS "what", pg_temp.shown(q.p50 * 1e6, 0) AS "p50 us", pg_temp.shown(q.p99 * 1e6, 0) AS "p99 us",
	pg_temp.shown(q.p50 / f.p50) AS "p50 x floor", pg_temp.shown(q.p99 / f.p99) AS "p99 x floor"
FROM (VALUES ('commit', 1, 'durable commit of one row'), ('start', 2, 'a change that starts a workflow, to its action'),
		('wake', 3, 'a row that one enrollment waits for, to its action')) AS l (variant, position, label)
	JOIN quantile q ON q.figure = 'waiters' AND q.variant = l.variant
	JOIN quantile f ON f.figure = 'waiters' AND f.variant = 'commit'
ORDER BY l.position;

SELECT l.label AS "a transaction inserts", pg_temp.shown(m.value, 0) AS "transactions/s", pg_temp.shown(r.value) AS "x floor",
	pg_temp.shown(m.cpu * 1e6, 1) AS "CPU us/transaction", pg_temp.shown(r.cpu) AS "x CPU"
FROM (VALUES ('plain', 1, 'a row of a table with nothing on it'), ('open', 2, 'a row that matters to nobody'), ('paid', 3, 'a row that is noted'),
		('started', 4, 'the same of a table that starts a workflow')) AS l (variant, position, label)
	JOIN median m ON m.figure = 'waiters writer' AND m.variant = l.variant
	JOIN ratio r ON (r.figure, r.variant, r.floor) = ('waiters writer', l.variant, 'plain')
ORDER BY l.position;

INSERT INTO verdict (what, found, bar, met)
SELECT 'One of ' || pg_temp.shown(pg_temp.noted('waiters', 'count'), 0) || ' waiters, woken by a row, ' || b.what,
	pg_temp.shown(b.ratio) || ' of a ' || b.floor || ' (' || pg_temp.shown(b.us, 0) || ' us)', pg_temp.shown(b.bar, 1), b.ratio <= b.bar
FROM quantile q JOIN quantile f ON (f.figure, f.variant) = (q.figure, 'commit') JOIN quantile s ON (s.figure, s.variant) = (q.figure, 'start'),
	LATERAL (VALUES (1, 'p50', 'durable commit', q.p50 / f.p50, q.p50 * 1e6, 3.0), (2, 'p99', 'durable commit', q.p99 / f.p99, q.p99 * 1e6, 10.0),
		(3, 'p50', 'start by a change', q.p50 / s.p50, q.p50 * 1e6, 1.3)) AS b (position, what, floor, ratio, us, bar)
WHERE (q.figure, q.variant) = ('waiters', 'wake')
ORDER BY b.position;
INSERT INTO verdict (what, found, bar, met)
SELECT 'Waiters, who inserts ' || CASE variant WHEN 'open' THEN 'a row that matters to nobody' ELSE 'a row that is noted' END,
	pg_temp.shown(cpu) || ' of the CPU (throughput with the executor''s work on the same cores ' || pg_temp.shown(value) || ')', '1.3', cpu <= 1.3
FROM ratio WHERE figure = 'waiters writer' AND floor = 'plain' AND variant IN ('open', 'paid') ORDER BY variant;
INSERT INTO verdict (what, found, bar, met)
SELECT 'Waiters, rows that match nothing',
	pg_temp.shown(pg_temp.noted('waiters', 'unmatched events'), 0) || ' events, ' ||
		pg_temp.shown(pg_temp.noted('waiters', 'unmatched woken') + pg_temp.noted('waiters', 'unmatched rechecked'), 0) || ' looks', 'none',
	pg_temp.noted('waiters', 'unmatched events') + pg_temp.noted('waiters', 'unmatched woken') + pg_temp.noted('waiters', 'unmatched rechecked') = 0
WHERE pg_temp.noted('waiters', 'count') IS NOT NULL;
