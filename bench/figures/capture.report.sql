\qecho
\qecho '## Capture: one UPDATE of all rows'
\qecho
\qecho 'Floor: a C row trigger that does nothing. `x CPU`: CPU of the session against the floor''s.'
\qecho
SELECT f.label AS "watched column", l.label AS "watched by",
	pg_temp.shown(m.value / pg_temp.noted('capture size', 'rows') * 1e6) AS "us/row",
	pg_temp.shown(r.value) AS "x floor", r.range, pg_temp.shown(r.cpu) AS "x CPU",
	pg_temp.shown(r.more / pg_temp.noted('capture size', 'rows') * 1e6) AS "us/row more",
	pg_temp.shown(r.more_cpu / pg_temp.noted('capture size', 'rows') * 1e6) AS "CPU us/row more"
FROM (VALUES ('unchanged', 1, 'not changed'), ('changed', 2, 'changed, no match'), ('matched', 3, 'changed, each row matches'))
		AS f (figure, position, label)
	JOIN median m USING (figure)
	JOIN labels l USING (variant)
	JOIN ratio r ON (r.figure, r.variant, r.floor) = (m.figure, m.variant, 'noop')
ORDER BY f.position, l.position;

INSERT INTO verdict (what, found, bar, met)
SELECT 'Capture, watched column ' || CASE figure WHEN 'changed' THEN 'changed, no match' ELSE 'not changed' END || ', ' || label,
	pg_temp.shown(value) || ' of a no-op trigger (CPU ' || pg_temp.shown(cpu) || ')',
	CASE figure WHEN 'changed' THEN '1.10' ELSE '1.05' END, value <= CASE figure WHEN 'changed' THEN 1.10 ELSE 1.05 END
FROM ratio JOIN labels USING (variant)
WHERE floor = 'noop' AND figure IN ('unchanged', 'changed') AND variant IN ('w1', 'w100', 'w1000')
ORDER BY figure DESC, position;
INSERT INTO verdict (what, found, bar, met)
SELECT 'Capture, each row matches' || CASE variant WHEN 'image' THEN ', columns in the event' WHEN 'w1' THEN ', 1 workflow' ELSE ', 1,000 workflows' END,
	pg_temp.shown(us) || ' us a row more (CPU ' || pg_temp.shown(cpu) || ')', pg_temp.shown(bar, 1), us <= bar
FROM (SELECT variant, more / pg_temp.noted('capture size', 'rows') * 1e6 AS us, more_cpu / pg_temp.noted('capture size', 'rows') * 1e6 AS cpu,
		CASE variant WHEN 'image' THEN 4.0 ELSE 2.5 END AS bar
	FROM ratio WHERE floor = 'noop' AND figure = 'matched' AND variant IN ('w1', 'w1000', 'image')) m
ORDER BY variant = 'image', variant;
