# How fast steps run: UPDATE of the own row, IF, INSERT, for enrollments that one
# UPDATE starts, which is in the time.
#
# Floor: a plpgsql loop in one transaction that makes the same changes on equal
# tables and reads each row anew. Bar: 1.5 of its time. The loop gives no
# guarantees: a crash loses all of it, an error too. The other floor is a loop
# that commits each step and waits for the disk, with fewer rows; what it takes for
# a step is set against what the engine takes.

steps_enrollments=$(size 20000 100000)
steps_rounds=$(size 5 5)
steps_committed=$(size 500 2000)

fill_loop()
{
	echo "TRUNCATE loop_contact, loop_activity; INSERT INTO loop_contact SELECT * FROM sample($1, $2); VACUUM ANALYZE loop_contact;"
}

steps_loop()
{
	{
		fill_loop $2 $3
		timed steps loop $1 'CALL steps_by_loop()'
	} | sql
}

# New rows each time: everybody enters once. CPU is the executor's and the UPDATE's.
steps_engine()
{
	local before after
	sql -c 'TRUNCATE run_contact, run_activity' -c "INSERT INTO run_contact SELECT * FROM sample($2, $3)" -c 'VACUUM ANALYZE run_contact'
	executor=$(worker 'automation executor%')
	before=$(cpu_of "${executor:-self}")
	sql <<-SQL
		SELECT coalesce((SELECT last_value FROM run_activity_id_seq WHERE is_called), 0) AS first \gset
		SELECT clock_timestamp() AS started, cpu() AS cpu \gset
		UPDATE run_contact SET stage = 'go';
		SELECT cpu() - :cpu AS cpu \gset
		CALL await_activities(:first, $steps_enrollments, NULL) \gset
		INSERT INTO result VALUES ('steps', 'engine', $1, extract(epoch FROM timestamptz :'ended' - :'started'), :cpu);
	SQL
	[ -n "$executor" ] || return 0
	after=$(cpu_of "$executor")
	sql -c "UPDATE result SET cpu = cpu + ($after - $before) / 1e6 WHERE (figure, variant, round) = ('steps', 'engine', $1)"
}

figure_steps()
{
	local round first last executor
	for ((round = 0; round <= steps_rounds; round++)); do
		first=$((round * steps_enrollments + 1)) last=$(((round + 1) * steps_enrollments))
		if ((round % 2)); then
			steps_engine $round $first $last
			steps_loop $round $first $last
		else
			steps_loop $round $first $last
			steps_engine $round $first $last
		fi
		{
			fill_loop 1 $steps_committed
			timed steps commits $round 'CALL steps_by_commits()'
		} | sql
	done
	sql -c "INSERT INTO result VALUES ('steps size', 'enrollments', 1, $steps_enrollments), ('steps size', 'committed', 1, $steps_committed)"
}
