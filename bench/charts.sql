-- Data of the charts, for bench/chart.pl: series, x, y; psql variable: chart.
\pset format unaligned
\pset fieldsep '\t'
\pset tuples_only on

SELECT :'chart' = 'capture' AS capture, :'chart' = 'snapshot' AS snapshot, :'chart' = 'snapshot-cpu' AS cpu \gset

\if :capture
SELECT CASE WHEN m.variant LIKE 'when%' THEN 'native triggers with WHEN, column changed'
		WHEN m.figure = 'changed' THEN 'workflows, column changed' ELSE 'workflows, column not changed' END,
	substr(m.variant, CASE WHEN m.variant LIKE 'when%' THEN 5 ELSE 2 END), m.cpu / pg_temp.noted('capture size', 'rows') * 1e6
FROM median m
WHERE m.figure = 'changed' AND m.variant ~ '^(w|when)\d' OR m.figure = 'unchanged' AND m.variant ~ '^w\d'
ORDER BY m.variant LIKE 'when%', m.figure;
SELECT '=' || CASE m.variant WHEN 'none' THEN 'no trigger' ELSE 'a trigger that does nothing' END, 0, m.cpu / pg_temp.noted('capture size', 'rows') * 1e6
FROM median m WHERE m.figure = 'changed' AND m.variant IN ('none', 'noop');
\endif

-- Means of five seconds
\if :snapshot
SELECT CASE variant WHEN 'new' THEN 'new subjects' ELSE '1,000 subjects again and again' END, (round / 5) * 5, avg(value)
FROM result WHERE figure = 'snapshot' GROUP BY variant, round / 5 HAVING count(*) > 2 ORDER BY variant DESC, 2;
\endif
\if :cpu
SELECT CASE variant WHEN 'new' THEN 'new subjects' ELSE '1,000 subjects again and again' END, (round / 5) * 5, sum(value * cpu) / sum(value) * 1e6
FROM result WHERE figure = 'snapshot' GROUP BY variant, round / 5 HAVING count(*) > 2 ORDER BY variant DESC, 2;
\endif
