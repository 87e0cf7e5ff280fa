\qecho
\qecho '## Runs of EVERY'
\qecho
\qecho 'All rows of a table enter a workflow that waits at once. Floor: INSERT ... SELECT of the same enrollments into a table with the same columns and indexes.'
\qecho
SELECT l.label AS "what", pg_temp.shown(s.value / m.value, 0) AS "rows/s", pg_temp.shown(r.value) AS "x floor", r.range,
	pg_temp.shown(m.cpu / s.value * 1e6, 1) AS "CPU us/row", pg_temp.shown(r.cpu) AS "x CPU"
FROM median m
	JOIN (VALUES ('floor', 1, 'INSERT ... SELECT'), ('engine', 2, 'EVERY')) AS l (variant, position, label) USING (variant)
	JOIN ratio r ON (r.figure, r.variant, r.floor) = (m.figure, m.variant, 'floor')
	CROSS JOIN (SELECT value FROM median WHERE figure = 'schedule size') s
WHERE m.figure = 'schedule' ORDER BY l.position;

INSERT INTO verdict (what, found, bar, met)
SELECT 'a run of EVERY over ' || (SELECT value FROM median WHERE figure = 'schedule size') || ' rows',
	pg_temp.shown(value) || ' of INSERT ... SELECT (CPU ' || pg_temp.shown(cpu) || ')', 'at most 2', value <= 2
FROM ratio WHERE floor = 'floor' AND variant = 'engine' AND figure = 'schedule';
