# What 1,000 workflows cost UPDATEs of single rows: pgbench with two clients.
#
# Floor: the same table with nothing on it. Bar: 0.95 of its transactions. Commits
# do not wait for the disk, for then nothing else would show. Turns are short,
# since neighbours on the machine come and go.

single_rows=100000
single_rounds=$(size 5 7)
single_seconds=$(size 1 2)

figure_single()
{
	local round tab
	for tab in none noop w1000; do
		sql -c "INSERT INTO $tab SELECT * FROM sample(1, $single_rows)"
		printf '\\set id random(1, %s)\nUPDATE %s SET score = score + 1 WHERE id = :id;\n' $single_rows $tab > "$host/unchanged.$tab"
		printf '\\set id random(1, %s)\nUPDATE %s SET stage = :id WHERE id = :id;\n' $single_rows $tab > "$host/changed.$tab"
	done
	for ((round = 0; round <= single_rounds; round++)); do
		sql -c 'VACUUM none' -c 'VACUUM noop' -c 'VACUUM w1000'
		for tab in none noop w1000; do
			export PGOPTIONS='-c synchronous_commit=off'
			bench 'single unchanged' $tab $round "$host/unchanged.$tab" -c 2 -T $single_seconds
			bench 'single changed' $tab $round "$host/changed.$tab" -c 2 -T $single_seconds
			unset PGOPTIONS
		done
	done
}
