\qecho
\qecho '## Many callers'
\qecho
\qecho '16 sessions enroll at once. Floor: the same rows by plain SQL, into a table with the columns, index and sequence of the event log.'
\qecho
SELECT f.label AS "enrolled by", f.commits, l.label AS "what", pg_temp.shown(m.value, 0) AS "transactions/s",
	pg_temp.shown(r.value) AS "x floor", r.range, pg_temp.shown(m.cpu * 1e6, 1) AS "CPU us/transaction", pg_temp.shown(r.cpu) AS "x CPU"
FROM (VALUES ('callers insert on', 1, 'INSERT into a watched table', 'durable'), ('callers insert off', 2, 'INSERT into a watched table', 'not awaited'),
		('callers hand on', 3, 'calling the function', 'durable'), ('callers hand off', 4, 'calling the function', 'not awaited'))
		AS f (figure, position, label, commits)
	JOIN median m USING (figure)
	JOIN (VALUES ('floor', 1, 'plain SQL'), ('engine', 2, 'workflow')) AS l (variant, position, label) USING (variant)
	JOIN ratio r ON (r.figure, r.variant, r.floor) = (m.figure, m.variant, 'floor')
ORDER BY f.position, l.position;

INSERT INTO verdict (what, found, bar, met)
SELECT '16 sessions enrolling by ' || CASE WHEN figure LIKE '% insert %' THEN 'INSERT' ELSE 'hand' END || CASE WHEN figure LIKE '% on' THEN ', durable' ELSE ', not awaited' END,
	pg_temp.shown(value) || ' of plain appends (CPU ' || pg_temp.shown(cpu) || ')', 'at least 0.95', value >= 0.95
FROM ratio WHERE floor = 'floor' AND variant = 'engine' AND figure LIKE 'callers %' ORDER BY figure LIKE '% hand %', figure DESC;
