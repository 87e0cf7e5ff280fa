# How soon the first action follows: from the commit of the row to the commit of
# the action, on an idle server whose executor is alive.
#
# Floor: one durable commit of one row, in turns with it. Bars: median 3 times,
# 99th percentile 10 times the floor's. Both ends are the server's commit
# timestamps, taken before the wait for the disk: the first commit's flush is in
# the figure, the second's is not. Beside it the cold figure: the executor has
# ended for lack of work, and a process is started first.

latency_turns=$(size 500 2000)
latency_cold_turns=$(size 8 20)

latency_cold()
{
	local turn id
	database=postgres super -c "ALTER SYSTEM SET automation.executor_idle = '1s'" -c 'SELECT pg_reload_conf()' > /dev/null
	for ((turn = 1; turn <= latency_cold_turns; turn++)); do
		id=$((latency_turns + turn))
		await 30 "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'automation executor%'"
		sql -c "UPDATE late_contact SET stage = 'go' WHERE id = $id"
		await 30 "SELECT count(*) = 1 FROM late_activity WHERE contact_id = $id"
	done
	database=postgres super -c 'ALTER SYSTEM RESET automation.executor_idle' -c 'SELECT pg_reload_conf()' > /dev/null
}

figure_latency()
{
	sql -c "INSERT INTO alone SELECT * FROM sample(1, $latency_turns)" \
		-c "INSERT INTO late_contact SELECT * FROM sample(-100, $((latency_turns + latency_cold_turns)))" \
		-c 'VACUUM ANALYZE alone, late_contact' \
		-c "UPDATE late_contact SET stage = 'go' WHERE id <= 0"
	await 30 'SELECT count(*) = 101 FROM late_activity'
	sql -c "CALL take_turns($latency_turns)"
	await 30 "SELECT count(*) = 101 + $latency_turns FROM late_activity"
	sql -c "INSERT INTO result SELECT 'latency', 'action', id, seconds FROM latency WHERE id > 0"
	latency_cold
	sql -c "INSERT INTO result SELECT 'latency', 'cold', id, seconds FROM latency WHERE id > $latency_turns"
}
