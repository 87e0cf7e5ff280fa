# What a million waiting enrollments cost while nothing is due, and how punctually
# one of them wakes.
#
# The engine itself put them to sleep, for 30 days. Idle: statements by anybody but
# this script (pg_stat_statements, statements in functions and workers included),
# WAL records but for those the server writes by itself (checkpoints, running
# transactions), CPU of coordinator and executor. Bar: no statement, no WAL, less
# than a thousandth of a core. Punctual: from the moment that is due to the commit
# of the action, against a durable commit, with the bars of the figure "latency".
# Then a restart: how long from a server that takes connections to the action of a
# row inserted at once, and the executor's memory.

sleepers=$(size 100000 1000000)
sleepers_chunk=20000
sleepers_idle=$(size 15 40)

fall_asleep()
{
	local first started
	started=$(date +%s.%N)
	for ((first = 1; first <= sleepers; first += sleepers_chunk)); do
		sql -c "INSERT INTO sleeper (id) SELECT generate_series($first, least($first + $sleepers_chunk - 1, $sleepers))"
	done
	asleep
	note asleep "$(date +%s.%N) - $started"
	super -c 'VACUUM ANALYZE' -c CHECKPOINT
}

asleep()
{
	local until=$((SECONDS + 600))
	until [ "$(super -Atc "SELECT last_value >= $sleepers FROM automation.enrollment_seq")" = t ] &&
			[ "$(super -Atc "SELECT count(*) >= $sleepers FROM automation.timer")" = t ]; do
		[ $SECONDS -lt $until ] || die "sleepers: not asleep after 10 minutes"
		sleep 0.5
	done
}

# note VARIANT EXPRESSION: a result
note()
{
	sql -c "INSERT INTO result VALUES ('sleepers', '$1', 1, $(awk "BEGIN { printf \"%.9g\", $2 }"))"
}

# Bytes that no other process has
private_memory()
{
	awk '/^Private/ { n += $2 } END { print n * 1024 }' "/proc/$1/smaps_rollup"
}

idle()
{
	local executor coordinator from before after statements wal
	executor=$(worker 'automation executor%')
	coordinator=$(worker 'automation coordinator%')
	sleep 12		# past the coordinator's next look around
	super -Atc 'SELECT pg_stat_statements_reset()' > /dev/null
	from=$(super -Atc 'SELECT pg_current_wal_insert_lsn()')
	before=$(($(cpu_of "$executor") + $(cpu_of "$coordinator")))
	sleep "$sleepers_idle"
	after=$(($(cpu_of "$executor") + $(cpu_of "$coordinator")))
	wal=$(super -Atc "SELECT coalesce(sum(record_length), 0)
		FROM (SELECT '$from'::pg_lsn AS first, pg_current_wal_flush_lsn() AS last) l,
			LATERAL (SELECT * FROM pg_get_wal_records_info(first, last) WHERE first < last) r
		WHERE resource_manager NOT IN ('Standby', 'XLOG')")
	statements=$(super -Atc "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements
		WHERE query !~ 'pg_stat_statements|wal_insert_lsn|wal_records_info'")
	note 'idle cpu' "($after - $before) / 1e6 / $sleepers_idle"
	note 'idle statements' "$statements"
	note 'idle wal' "$wal"
	note memory "$(private_memory "$executor")"
}

punctual()
{
	sql -c 'CALL commit_alone()' \
		-c "INSERT INTO appointment SELECT i, now() + interval '3 s' + i * interval '53 ms' FROM generate_series(1, 100) i"
	await 60 'SELECT count(*) = 100 FROM woken'
	sql -c "INSERT INTO result SELECT 'sleepers', 'late', a.id, extract(epoch FROM pg_xact_commit_timestamp(w.xmin) - a.due)
		FROM appointment a JOIN woken w USING (id)"
}

after_restart()
{
	local before
	restart
	before=$(date +%s.%N)
	sql -c "INSERT INTO appointment VALUES (101, now())"
	await 120 'SELECT count(*) = 101 FROM woken'
	note ready "$(sql -Atc "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM woken WHERE id = 101") - $before"
	note 'memory after' "$(private_memory "$(worker 'automation executor%')")"
}

figure_sleepers()
{
	restart "shared_preload_libraries = 'automation, pg_stat_statements'"
	super -c 'CREATE EXTENSION pg_stat_statements' -c 'CREATE EXTENSION pg_walinspect' \
		-c "ALTER SYSTEM SET pg_stat_statements.track = 'all'" -c 'SELECT pg_reload_conf()' > /dev/null
	fall_asleep
	idle
	punctual
	after_restart
	note count "$sleepers"
	note idle_seconds "$sleepers_idle"
	super -c 'ALTER SYSTEM RESET pg_stat_statements.track'
	restart "shared_preload_libraries = 'automation'"
}
