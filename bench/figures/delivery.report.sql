\qecho
\qecho '## Delivery'
\qecho
\qecho '20,000 messages that wait leave for a web server (nginx on the same machine) over 50 connections; marks of the start, answers and history are recorded.'
\qecho 'Floor: a bare curl_multi program that sends as many requests, to the same server over as many connections.'
\qecho
SELECT l.label AS "what", pg_temp.shown(m.value, 0) AS "requests/s", pg_temp.shown(r.value) AS "x floor", r.range
FROM (VALUES ('curl', 1, 'bare curl_multi'), ('sent', 2, 'delivered')) AS l (variant, position, label)
	JOIN median m ON m.figure = 'delivery' AND m.variant = l.variant
	JOIN ratio r ON (r.figure, r.variant, r.floor) = ('delivery', l.variant, 'curl')
ORDER BY l.position;

\qecho
\qecho 'Beside 50 requests to a server that takes connections and never answers:'
\qecho
SELECT l.label AS "what", pg_temp.shown(m.value, 0) AS "requests/s", pg_temp.shown(r.value) AS "x alone", r.range
FROM (VALUES ('alone', 1, 'alone'), ('beside', 2, 'beside who hangs')) AS l (variant, position, label)
	JOIN median m ON m.figure = 'delivery' AND m.variant = l.variant
	JOIN ratio r ON (r.figure, r.variant, r.floor) = ('delivery', l.variant, 'alone')
ORDER BY l.position;

\qecho
\qecho 'Memory of the delivery worker, the same process all the time (resident, shared buffers left out), after so many deliveries:'
\qecho
CREATE TEMP VIEW memory AS
SELECT r.round * pg_temp.noted('delivery memory', 'messages') AS deliveries, r.value AS kb, row_number() OVER (ORDER BY r.round) AS n, count(*) OVER () AS last
FROM result r WHERE (r.figure, r.variant) = ('delivery memory', 'kB');
SELECT pg_temp.shown(deliveries, 0) AS "deliveries", pg_temp.shown(kb, 0) AS "kB" FROM memory WHERE n IN (1, last / 2, last) ORDER BY n;

\qecho
\qecho 'From the commit of a row, on an idle server, to what follows:'
\qecho
SELECT l.label AS "what", pg_temp.shown(q.p50 * 1e6, 0) AS "p50 us", pg_temp.shown(q.p99 * 1e6, 0) AS "p99 us", pg_temp.shown(q.p50 / f.p50) AS "p50 x action"
FROM (VALUES ('action', 1, 'commit of an action'), ('request', 2, 'request received')) AS l (variant, position, label)
	JOIN quantile q ON q.figure = 'delivery latency' AND q.variant = l.variant
	JOIN quantile f ON f.figure = 'delivery latency' AND f.variant = 'action'
ORDER BY l.position;

INSERT INTO verdict (what, found, bar, met)
SELECT 'Delivery of a backlog, against bare curl_multi', pg_temp.shown(value) || ' of its throughput', '0.40', value >= 0.40
FROM ratio WHERE (figure, variant, floor) = ('delivery', 'sent', 'curl')
UNION ALL
SELECT 'Delivery beside a server that hangs', pg_temp.shown(value) || ' of the throughput alone', '0.90', value >= 0.90
FROM ratio WHERE (figure, variant, floor) = ('delivery', 'beside', 'alone')
UNION ALL
SELECT 'Memory of the delivery worker, from ' || pg_temp.shown(f.deliveries, 0) || ' to ' || pg_temp.shown(l.deliveries, 0) || ' deliveries',
	pg_temp.shown(l.kb - f.kb, 0) || ' kB more', '2,048', l.kb - f.kb <= 2048
FROM memory f JOIN memory l ON f.n = 1 AND l.n = l.last
UNION ALL
SELECT 'Latency, request received', pg_temp.shown(q.p50 / f.p50) || ' of the commit of an action (' || pg_temp.shown(q.p50 * 1e6, 0) || ' us)', '3', q.p50 / f.p50 <= 3
FROM quantile q JOIN quantile f ON (f.figure, f.variant) = ('delivery latency', 'action')
WHERE (q.figure, q.variant) = ('delivery latency', 'request');
