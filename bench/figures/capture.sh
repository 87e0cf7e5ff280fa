# What watching a table costs an UPDATE of all its rows.
#
# Floor: a C row trigger that does nothing, for the row trigger is the price of
# being told at all. Bars: no workflow matches, watched column changed: 1.1 of the
# floor, not changed: 1.05; every row matches, so that every row appends an event:
# 2.5 microseconds a row more, 4 if the event carries columns.
# Time is that of the clock; CPU that of the session, which neighbours disturb less.

capture_rows=$(size 50000 200000)
capture_rounds=7

# Matches are rolled back: nobody but the trigger shall work.
capture_round()
{
	local tab round=$1
	for tab in none noop w1 w10 w100 w1000; do
		echo "VACUUM $tab;"
		timed unchanged $tab $round "UPDATE $tab SET score = score + 1"
	done
	for tab in none noop w1 w10 w100 w1000 when1 when10 when100; do
		echo "VACUUM $tab;"
		timed changed $tab $round "UPDATE $tab SET stage = 'round $round'"
	done
	for tab in noop w1 w1000 image; do
		echo "VACUUM $tab; BEGIN;"
		timed matched $tab $round "UPDATE $tab SET stage = 'stage 1'" | sed 's/^INSERT/ROLLBACK; INSERT/'
	done
}

figure_capture()
{
	local tab round
	for tab in none noop w1 w10 w100 w1000 image when1 when10 when100; do
		sql -c "INSERT INTO $tab SELECT * FROM sample(1, $capture_rows)" -c "VACUUM ANALYZE $tab"
	done
	for ((round = 0; round <= capture_rounds; round++)); do
		capture_round $round
	done | sql
	sql -c "INSERT INTO result VALUES ('capture size', 'rows', 1, $capture_rows)"
}
