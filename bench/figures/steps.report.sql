\qecho
\qecho '## Steps'
\qecho
\qecho 'UPDATE of the own row, IF, INSERT; all enrollments are started by one UPDATE, which is in the time. Floor: a plpgsql loop in one transaction.'
\qecho 'The loop that commits waits for the disk after each of its two writes; it runs fewer rows.'
\qecho
SELECT l.label AS "by", pg_temp.shown(s.n, 0) AS "rows", pg_temp.shown(m.value, 3) AS "seconds", pg_temp.shown(m.cpu, 3) AS "CPU seconds",
	pg_temp.shown(3 * s.n / m.value, 0) AS "steps/s", pg_temp.shown(r.value * f.n / s.n) AS "x loop, per step",
	CASE l.variant WHEN 'commits' THEN '' ELSE r.range END AS "range"
FROM (VALUES ('loop', 1, 'plpgsql loop, one transaction', 'enrollments'), ('engine', 2, 'workflow, executor', 'enrollments'),
		('commits', 3, 'plpgsql loop, a commit per step', 'committed')) AS l (variant, position, label, size)
	JOIN median m ON m.figure = 'steps' AND m.variant = l.variant
	JOIN LATERAL (SELECT pg_temp.noted('steps size', l.size) AS n) s ON true
	JOIN LATERAL (SELECT pg_temp.noted('steps size', 'enrollments') AS n) f ON true
	JOIN ratio r ON (r.figure, r.variant, r.floor) = ('steps', l.variant, 'loop')
ORDER BY l.position;

INSERT INTO verdict (what, found, bar, met)
SELECT 'Steps', pg_temp.shown(r.value) || ' of the time of a plpgsql loop in one transaction (CPU ' || pg_temp.shown(r.cpu) || '), '
		|| pg_temp.shown(3 * pg_temp.noted('steps size', 'enrollments') / m.value, 0) || ' steps/s', '1.50', r.value <= 1.5
FROM ratio r JOIN median m USING (figure, variant) WHERE r.figure = 'steps' AND r.floor = 'loop' AND r.variant = 'engine';
