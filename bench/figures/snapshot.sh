# Throughput while another session holds an old snapshot, with new subjects and
# with the same thousand again and again.
#
# Every enrollment: one action, a wait of a millisecond, one action. So event
# log, ledger, enrollment, timer and history all get dead rows that nobody can
# remove. The producer is the same all the time, and what it writes only grows.
# Bar: the last fifth of the time has 90 % of the first fifth's throughput.

snapshot_seconds=$(size 45 300)
snapshot_variants="new again"

# hold_snapshot, release_snapshot: in a session in the background
hold_snapshot()
{
	sql -At > /dev/null 2>&1 <<-SQL &
		BEGIN ISOLATION LEVEL REPEATABLE READ;
		SELECT count(*) FROM contact;
		SELECT pg_sleep(3600) AS old_snapshot;
	SQL
	holder=$!
	await 10 "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%AS old_snapshot%' AND pid <> pg_backend_pid()"
}

release_snapshot()
{
	database=postgres super -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE query LIKE '%AS old_snapshot%' AND pid <> pg_backend_pid()" > /dev/null
	wait $holder || true
}

# Samples of the executor's CPU and what was done until then become rows.
snapshot_results()
{
	sql <<-SQL
		DROP TABLE IF EXISTS sample;
		CREATE TABLE sample (at float8, cpu bigint);
		\copy sample FROM '$host/samples' (DELIMITER ' ')
		INSERT INTO result
		SELECT 'snapshot', '$1', second, enrollments / seconds, cpu / nullif(enrollments, 0) / 1e6
		FROM (SELECT row_number() OVER w AS second, at - lag(at) OVER w AS seconds, cpu - lag(cpu) OVER w AS cpu,
				done - lag(done) OVER w AS enrollments
			FROM (SELECT at, cpu, (SELECT sum(enrollments) FROM progress p WHERE p.at <= to_timestamp(s.at)) AS done FROM sample s) t
			WINDOW w AS (ORDER BY at)) u
		WHERE enrollments IS NOT NULL;
	SQL
}

figure_snapshot()
{
	local variant holder sampler
	database=postgres super -c 'ALTER SYSTEM SET autovacuum = on' -c 'SELECT pg_reload_conf()' > /dev/null
	for variant in $snapshot_variants; do
		sql -c "CALL work('$variant', 5)" -c 'TRUNCATE progress'
		hold_snapshot
		sample_cpu "$(worker 'automation executor%')" "$host/samples"
		sql -c "CALL work('$variant', $snapshot_seconds)"
		kill $sampler
		wait $sampler || true
		release_snapshot
		snapshot_results $variant
		[ "$(sql -Atc 'SELECT count(*) = 2 * ((SELECT count(*) FROM newcomer) + (SELECT count(*) FROM visit)) FROM activity')" = t ] ||
			die "snapshot: not every action was done exactly once"
	done
	database=postgres super -c 'ALTER SYSTEM RESET autovacuum' -c 'SELECT pg_reload_conf()' > /dev/null
}
