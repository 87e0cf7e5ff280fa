-- The figures of bench/run; psql variables: rows, enrollments.

-- A variant, and how it compares with another one of the same round.
CREATE TEMP VIEW median AS
	SELECT figure, variant, percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS value
	FROM result WHERE round > 0 GROUP BY figure, variant;
CREATE TEMP VIEW ratio AS
	SELECT figure, r.variant, f.variant AS floor,
		round(percentile_cont(0.5) WITHIN GROUP (ORDER BY r.value / f.value)::numeric, 2) AS median,
		round(min(r.value / f.value)::numeric, 2) || ' .. ' || round(max(r.value / f.value)::numeric, 2) AS range,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY r.value - f.value) AS more
	FROM result r JOIN result f USING (figure, round)
	WHERE round > 0 GROUP BY figure, r.variant, f.variant;

SELECT count(*) FILTER (WHERE figure = 'unchanged') > 0 AS bulk,
	count(*) FILTER (WHERE figure = 'single') > 0 AS single,
	count(*) FILTER (WHERE figure = 'steps') > 0 AS steps,
	count(*) FILTER (WHERE figure = 'latency') > 0 AS latency
FROM result \gset

CREATE TEMP VIEW labels (variant, position, label) AS VALUES
	('none', 1, 'nothing'), ('noop', 2, 'no-op C trigger'), ('w1', 3, '1 workflow'),
	('w100', 4, '100 workflows'), ('w1000', 5, '1,000 workflows');

\if :bulk
\echo
\echo 'Capture, one UPDATE of all rows'
\echo
SELECT f.label AS "watched column", l.label AS "watched by",
	round((m.value / :rows * 1e6)::numeric, 2) AS "us/row",
	none.median AS "x nothing", none.range, noop.median AS "x no-op", noop.range,
	round((noop.more / :rows * 1e6)::numeric, 2) AS "us/row over no-op"
FROM (VALUES ('unchanged', 1, 'not changed'), ('changed', 2, 'changed, no match'), ('matched', 3, 'changed, each row matches'))
		AS f (figure, position, label)
	JOIN median m USING (figure)
	JOIN labels l USING (variant)
	JOIN ratio none ON (none.figure, none.variant, none.floor) = (m.figure, m.variant, 'none')
	JOIN ratio noop ON (noop.figure, noop.variant, noop.floor) = (m.figure, m.variant, 'noop')
ORDER BY f.position, l.position;
\endif

\if :single
\echo
\echo 'Capture, single-row UPDATEs (pgbench, one client, synchronous_commit = off)'
\echo
SELECT f.label AS "watched column", l.label AS "watched by", round(m.value) AS "transactions/s",
	none.median AS "x nothing", none.range
FROM (VALUES ('single', 1, 'not changed'), ('single changed', 2, 'changed, no match')) AS f (figure, position, label)
	JOIN median m USING (figure)
	JOIN labels l USING (variant)
	JOIN ratio none ON (none.figure, none.variant, none.floor) = (m.figure, m.variant, 'none')
ORDER BY f.position, l.position;
\endif

\if :steps
\echo
\echo 'Steps: UPDATE of the own row, IF, INSERT; all enrollments started by one UPDATE, which is included'
\echo
SELECT l.label AS "by", round(m.value::numeric, 3) AS "seconds", round(3 * :enrollments / m.value) AS "steps/s",
	floor.median AS "x loop", floor.range
FROM (VALUES ('loop', 1, 'plpgsql loop, one transaction'), ('engine', 2, 'workflow, executor')) AS l (variant, position, label)
	JOIN median m ON m.figure = 'steps' AND m.variant = l.variant
	JOIN ratio floor ON (floor.figure, floor.variant, floor.floor) = ('steps', l.variant, 'loop')
ORDER BY l.position;
\endif

\if :latency
\echo
\echo 'Latency: commit of a row to commit of the first action'
\echo
WITH quantile AS (
	SELECT variant, percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS p50,
		percentile_cont(0.99) WITHIN GROUP (ORDER BY value) AS p99
	FROM result WHERE figure = 'latency' GROUP BY variant
)
SELECT l.label AS "what", round((q.p50 * 1e6)::numeric) AS "p50 us", round((q.p99 * 1e6)::numeric) AS "p99 us",
	round((q.p50 / floor.p50)::numeric, 2) AS "p50 x commit", round((q.p99 / floor.p99)::numeric, 2) AS "p99 x commit"
FROM (VALUES ('commit', 1, 'durable commit of one row'), ('action', 2, 'commit to commit of the action'))
		AS l (variant, position, label)
	JOIN quantile q USING (variant)
	JOIN quantile floor ON floor.variant = 'commit'
ORDER BY l.position;
\endif
