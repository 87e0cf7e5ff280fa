\qecho
\qecho '## Runs of EVERY'
\qecho
\qecho 'All rows of a table enter a workflow that waits at once. Floor: INSERT ... SELECT of the same enrollments into a table with the same columns and indexes.'
\qecho 'An entry also is a row each in the ledger, the timers and the journal: "x all rows" is against INSERT ... SELECT of the four.'
\qecho
SELECT l.label AS "what", pg_temp.shown(s.value / m.value, 0) AS "rows/s", pg_temp.shown(r.value) AS "x floor", r.range,
	pg_temp.shown(m.cpu / s.value * 1e6, 1) AS "CPU us/row", pg_temp.shown(r.cpu) AS "x CPU",
	pg_temp.shown(w.value) AS "x all rows", pg_temp.shown(w.cpu) AS "x their CPU"
FROM median m
	JOIN (VALUES ('floor', 1, 'INSERT ... SELECT'), ('written', 2, 'INSERT ... SELECT of all rows'), ('engine', 3, 'EVERY')) AS l (variant, position, label) USING (variant)
	JOIN ratio r ON (r.figure, r.variant, r.floor) = (m.figure, m.variant, 'floor')
	JOIN ratio w ON (w.figure, w.variant, w.floor) = (m.figure, m.variant, 'written')
	CROSS JOIN (SELECT value FROM median WHERE figure = 'schedule size') s
WHERE m.figure = 'schedule' ORDER BY l.position;

INSERT INTO verdict (what, found, bar, met)
SELECT 'a run of EVERY over ' || (SELECT value FROM median WHERE figure = 'schedule size') || ' rows',
	pg_temp.shown(value) || ' of INSERT ... SELECT (CPU ' || pg_temp.shown(cpu) || ')' ||
	(SELECT '; ' || pg_temp.shown(w.value) || ' of that of all rows it writes (CPU ' || pg_temp.shown(w.cpu) || ')'
	 FROM ratio w WHERE w.floor = 'written' AND w.variant = 'engine' AND w.figure = 'schedule'),
	'at most 2', value <= 2
FROM ratio WHERE floor = 'floor' AND variant = 'engine' AND figure = 'schedule';
