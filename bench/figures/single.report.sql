\qecho
\qecho '## Capture: UPDATEs of single rows'
\qecho
\qecho 'pgbench, two clients, commits that do not wait for the disk. Floor: the same table with nothing on it.'
\qecho
SELECT f.label AS "watched column", l.label AS "watched by", pg_temp.shown(m.value, 0) AS "transactions/s",
	pg_temp.shown(r.value) AS "x floor", r.range, pg_temp.shown(m.cpu * 1e6, 1) AS "CPU us/transaction", pg_temp.shown(r.cpu) AS "x CPU"
FROM (VALUES ('single unchanged', 1, 'not changed'), ('single changed', 2, 'changed, no match')) AS f (figure, position, label)
	JOIN median m USING (figure)
	JOIN labels l USING (variant)
	JOIN ratio r ON (r.figure, r.variant, r.floor) = (m.figure, m.variant, 'none')
ORDER BY f.position, l.position;

INSERT INTO verdict (what, found, bar, met)
SELECT 'Single-row UPDATEs, 1,000 workflows, watched column ' || CASE figure WHEN 'single changed' THEN 'changed' ELSE 'not changed' END,
	pg_temp.shown(value) || ' of the unwatched table (CPU ' || pg_temp.shown(cpu) || ')', 'at least 0.95', value >= 0.95
FROM ratio WHERE floor = 'none' AND variant = 'w1000' AND figure LIKE 'single %' ORDER BY figure DESC;
