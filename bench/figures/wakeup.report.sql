\qecho
\qecho '## Waking the executor'
\qecho
\qecho '16 sessions, each transaction appends an event and waits for the disk. Floor: the executor is busy, no commit wakes it, and it takes no CPU.'
\qecho 'Woken, it also reads and deletes the events, on the same cores; the sessions'' own CPU shows what the wake-up takes from them.'
\qecho
SELECT l.label AS "executor", pg_temp.shown(m.value, 0) AS "transactions/s", pg_temp.shown(r.value) AS "x floor", r.range,
	pg_temp.shown(m.cpu * 1e6, 1) AS "CPU us/transaction", pg_temp.shown(r.cpu) AS "x CPU",
	CASE l.variant WHEN 'woken' THEN (SELECT pg_temp.shown(value) FROM median WHERE figure = 'wakeup executor') ELSE '0.00' END AS "executor, cores"
FROM (VALUES ('floor', 1, 'busy'), ('woken', 2, 'woken by commits')) AS l (variant, position, label)
	JOIN median m ON m.figure = 'wakeup' AND m.variant = l.variant
	JOIN ratio r ON (r.figure, r.variant, r.floor) = ('wakeup', l.variant, 'floor')
ORDER BY l.position;

INSERT INTO verdict (what, found, bar, met)
SELECT '16 committing sessions, executor woken', pg_temp.shown(cpu) || ' of their CPU for a transaction (throughput with the executor''s work on the same cores '
	|| pg_temp.shown(value) || ')', '1.03', cpu <= 1.03
FROM ratio WHERE (figure, variant, floor) = ('wakeup', 'woken', 'floor');
