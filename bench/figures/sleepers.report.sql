\qecho
\qecho '## Sleepers'
\qecho
SELECT what, value
FROM (VALUES
	(1, 'waiting enrollments, put to sleep by the engine', pg_temp.shown(pg_temp.noted('sleepers', 'count'), 0)),
	(2, 'put to sleep per second', pg_temp.shown(pg_temp.noted('sleepers', 'count') / pg_temp.noted('sleepers', 'asleep'), 0)),
	(3, 'idle for, seconds', pg_temp.shown(pg_temp.noted('sleepers', 'idle_seconds'), 0)),
	(4, 'statements meanwhile', pg_temp.shown(pg_temp.noted('sleepers', 'idle statements'), 0)),
	(5, 'WAL meanwhile, bytes', pg_temp.shown(pg_temp.noted('sleepers', 'idle wal'), 0)),
	(6, 'CPU of coordinator and executor, cores', pg_temp.shown(pg_temp.noted('sleepers', 'idle cpu'), 5)),
	(7, 'memory of the executor, MB', pg_temp.shown(pg_temp.noted('sleepers', 'memory') / 1e6, 1)),
	(8, 'a timer''s lateness p50, us', (SELECT pg_temp.shown(p50 * 1e6, 0) FROM quantile WHERE (figure, variant) = ('sleepers', 'late'))),
	(9, 'a timer''s lateness p99, us', (SELECT pg_temp.shown(p99 * 1e6, 0) FROM quantile WHERE (figure, variant) = ('sleepers', 'late'))),
	(10, 'a durable commit p50, us', (SELECT pg_temp.shown(p50 * 1e6, 0) FROM quantile WHERE (figure, variant) = ('sleepers', 'commit'))),
	(11, 'a durable commit p99, us', (SELECT pg_temp.shown(p99 * 1e6, 0) FROM quantile WHERE (figure, variant) = ('sleepers', 'commit'))),
	(12, 'server restarted: until the first action, ms', pg_temp.shown(pg_temp.noted('sleepers', 'ready') * 1e3, 0)),
	(13, 'then: memory of the executor, MB', pg_temp.shown(pg_temp.noted('sleepers', 'memory after') / 1e6, 1))
) AS t (position, what, value)
ORDER BY position;

INSERT INTO verdict (what, found, bar, met)
VALUES ('Sleepers, statements and WAL while idle',
		pg_temp.shown(pg_temp.noted('sleepers', 'idle statements'), 0) || ' statements, ' || pg_temp.shown(pg_temp.noted('sleepers', 'idle wal'), 0) || ' bytes',
		'none', pg_temp.noted('sleepers', 'idle statements') = 0 AND pg_temp.noted('sleepers', 'idle wal') = 0),
	('Sleepers, CPU while idle', pg_temp.shown(pg_temp.noted('sleepers', 'idle cpu'), 5) || ' of a core', '0.00100', pg_temp.noted('sleepers', 'idle cpu') <= 0.001);
INSERT INTO verdict (what, found, bar, met)
SELECT 'Sleepers, lateness of a timer, ' || b.what, pg_temp.shown(b.ratio) || ' of a durable commit (' || pg_temp.shown(b.us, 0) || ' us)', pg_temp.shown(b.bar, 0), b.ratio <= b.bar
FROM quantile q JOIN quantile f ON (f.figure, f.variant) = (q.figure, 'commit'),
	LATERAL (VALUES ('p50', q.p50 / f.p50, q.p50 * 1e6, 3), ('p99', q.p99 / f.p99, q.p99 * 1e6, 10)) AS b (what, ratio, us, bar)
WHERE (q.figure, q.variant) = ('sleepers', 'late');
