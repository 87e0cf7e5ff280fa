# What 16 sessions that commit lose to waking the executor.
#
# All of them insert a row and with it an event, and wait for the disk. Floor: the
# same, while the executor is inside a statement that sleeps: it has been woken
# already, so no further commit wakes it, and it takes no CPU. In the other turn
# it is idle and every commit may be the one to wake it. It then also reads and
# deletes the events on the same cores, which takes throughput on a small machine,
# but not because of the wake-up. What the sessions lose to that is CPU of their own
# for each transaction. Bar: 1.03 of the floor's. The throughput stands beside it,
# with what the executor took.

wakeup_rounds=$(size 4 7)
wakeup_seconds=$(size 2 3)

# wakeup_pause SECONDS: returns when the executor is in it
wakeup_pause()
{
	sql -c "INSERT INTO pause (seconds) VALUES ($1)"
	await 60 "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type LIKE 'automation executor%' AND wait_event = 'PgSleep'"
	sleep 0.5		# it was cancelled by then, for it takes long, and runs again alone
}

wakeup_idle()
{
	await 120 "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type LIKE 'automation executor%' AND state = 'idle' AND now() - state_change > interval '0.2 s'"
}

figure_wakeup()
{
	local round executor before
	database=postgres super -c 'ALTER SYSTEM SET automation.synchronous_commit = off' -c 'SELECT pg_reload_conf()' > /dev/null
	echo "INSERT INTO arrival (kind) VALUES ('phone call');" > "$host/wakeup.sql"
	for ((round = 0; round <= wakeup_rounds; round++)); do
		wakeup_pause $((wakeup_seconds + 2))
		bench wakeup floor $round "$host/wakeup.sql" -c 16 -j 2 -T $wakeup_seconds
		wakeup_idle
		executor=$(worker 'automation executor%')
		before=$(cpu_of "$executor")
		bench wakeup woken $round "$host/wakeup.sql" -c 16 -j 2 -T $wakeup_seconds
		sql -c "INSERT INTO result VALUES ('wakeup executor', 'cores', $round, ($(cpu_of "$executor") - $before) / 1e6 / $wakeup_seconds)"
		wakeup_idle
	done
	database=postgres super -c 'ALTER SYSTEM RESET automation.synchronous_commit' -c 'SELECT pg_reload_conf()' > /dev/null
}
