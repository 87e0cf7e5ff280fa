# What it takes to find, among a million enrollments that wait for a row of another
# table, the one whose row it is; and what that costs those who write the rows.
#
# The engine itself put them to waiting:
#     WAIT UNTIL EXISTS (SELECT FROM sales_order o WHERE o.contact_id = c.id AND o.status = 'paid')
# Latency: from the commit of the row that one of them waits for to the commit of its
# action, in turns with the figure "latency" (a change that starts a workflow) and
# with a durable commit. Bars: those of that figure, 3 and 10 commits, and 1.3 of
# its median. The writer: one session's transactions of one inserted row, with commits
# that do not wait for the disk; floor: the same table with nothing on it. Bar: 1.3 of
# its CPU, for a row that matters to nobody and for one that is noted (its contact does
# not exist: the executor looks for who waits, on another core, and finds nobody).
# Beside them one that is noted because it starts a workflow. And
# rows that match nothing, as many as there are enrollments, in one statement:
# nothing may be noted, nobody looked at.

waiters=$(size 100000 1000000)
waiters_chunk=20000
waiters_turns=$(size 300 1000)
waiters_rounds=$(size 5 7)
waiters_transactions=$(size 10000 20000)

begin_to_wait()
{
	local first until
	for ((first = 1; first <= waiters; first += waiters_chunk)); do
		sql -c "INSERT INTO waiting_contact SELECT generate_series($first, least($first + $waiters_chunk - 1, $waiters))"
	done
	until=$((SECONDS + 1200))
	until [ "$(super -Atc "SELECT last_value >= $waiters FROM automation.enrollment_seq")" = t ] &&
			[ "$(super -Atc 'SELECT count(*) FROM automation.wait')" -ge "$waiters" ]; do
		[ $SECONDS -lt $until ] || die "waiters: not waiting after 20 minutes"
		sleep 1
	done
	super -c 'VACUUM ANALYZE' -c CHECKPOINT
}

waiters_latency()
{
	local spread=$((waiters / waiters_turns))
	sql -c "INSERT INTO alone SELECT * FROM sample(1, $waiters_turns)" \
		-c "INSERT INTO late_contact SELECT * FROM sample(1, $waiters_turns)" \
		-c 'VACUUM ANALYZE alone, late_contact' \
		-c "CALL take_turns(1, $waiters_turns, $spread)"
	await 30 "SELECT count(*) = $waiters_turns FROM bought"
	await 30 "SELECT count(*) = $waiters_turns FROM late_activity"
	# the first turns warm up: what is compiled and cached
	sql -c "INSERT INTO result SELECT 'waiters', variant, id, seconds FROM latency WHERE id > 20" \
		-c "DELETE FROM result WHERE figure = 'waiters' AND variant = 'commit' AND round <= 20"
}

# Nothing of these rows is noted, so that nobody is woken
waiters_unmatched()
{
	super -c 'SELECT automation.stat_reset()' > /dev/null
	sql -c "INSERT INTO sales_order SELECT i, i, 'open', 1 FROM generate_series(1, $waiters) i" -c 'VACUUM ANALYZE sales_order'
	sleep 2
	sql -c "INSERT INTO result SELECT 'waiters', c.what, 1, c.n FROM automation.stat s,
		LATERAL (VALUES ('unmatched events', s.events + coalesce(s.events_done, 0)), ('unmatched woken', coalesce(s.woken, 0)),
			('unmatched rechecked', coalesce(s.rechecked, 0))) c (what, n)"
}

waiters_writers()
{
	local round tab status=open
	for tab in plain started; do
		sql -c "INSERT INTO ${tab}_order SELECT * FROM sales_order" -c "VACUUM ANALYZE ${tab}_order"
	done
	for tab in plain open paid started; do
		[ $tab = plain ] || [ $tab = open ] || status=paid
		case $tab in
			open | paid) table=sales_order ;;
			*) table=${tab}_order ;;
		esac
		printf '\\set id random(10000000, 1000000000000)\nINSERT INTO %s VALUES (:id::bigint, -1, %s, 1);\n' "$table" "'$status'" > "$host/order.$tab"
	done
	export PGOPTIONS='-c synchronous_commit=off'
	for ((round = 0; round <= waiters_rounds; round++)); do
		for tab in plain open paid started; do
			bench 'waiters writer' $tab $round "$host/order.$tab" -c 1 -t $waiters_transactions
			await 60 "SELECT events = 0 FROM automation.stat"
		done
	done
	unset PGOPTIONS
}

figure_waiters()
{
	begin_to_wait
	waiters_unmatched
	waiters_latency
	waiters_writers
	sql -c "INSERT INTO result VALUES ('waiters', 'count', 1, $waiters)"
}
