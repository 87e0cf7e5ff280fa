# How fast a run of EVERY enrolls: each row enters a workflow that waits at once.
#
# Floor: INSERT ... SELECT of the same enrollments into a table of the same shape
# with the same indexes. Bar: twice its time. An entry is more than that row: one
# each in the ledger, the timers and the journal, with three indexes more, and the
# subject's row is read and an EXIT WHEN asked. So there is a second floor, which
# moves no bar: INSERT ... SELECT of all four rows into four such tables, in one
# transaction. The time of a run is from the tick to its end, FOR included; another
# session writes subjects meanwhile with a lock_timeout of 1 ms.

schedule_rows=$(size 100000 1000000)
schedule_rounds=$(size 3 5)

schedule_setup()
{
	super -c 'CREATE EXTENSION pg_cron' -c "GRANT EXECUTE ON FUNCTION bench.cpu() TO app"
	sql <<-SQL
		CREATE TABLE subject (LIKE contact INCLUDING ALL);
		INSERT INTO subject SELECT * FROM sample(1, $schedule_rows);
		CREATE FUNCTION run(s subject) RETURNS bigint LANGUAGE workflow AS \$\$
		  EVERY '0 0 1 1 *' FOR SELECT id FROM subject;
		  ENROLL AGAIN;
		  EXIT WHEN s.unsubscribed;
		BEGIN
		  WAIT FOR '30 days';
		  UPDATE subject SET score = score + 1 WHERE id = s.id;
		END \$\$;
	SQL
	cat > "$host/write.sql" <<-SQL
		\set id random(1, $schedule_rows)
		SET lock_timeout = '1ms';
		UPDATE bench.subject SET score = score + 1 WHERE id = :id;
	SQL
}

schedule_run()
{
	local executor before after writer
	super -c 'TRUNCATE automation.enrollment, automation.timer, automation.ledger' -c 'DELETE FROM automation.job' \
		-c "DO 'BEGIN FOR i IN 0..13 LOOP EXECUTE format(''TRUNCATE automation.history_%s'', lpad(i::text, 2, ''0'')); END LOOP; END'" \
		-c "UPDATE automation.schedule SET since = '2000-01-01', last_run = NULL" -c 'VACUUM ANALYZE bench.subject' -c CHECKPOINT
	executor=$(worker 'automation executor%')
	before=0
	[ -z "$executor" ] || before=$(cpu_of "$executor")
	"$PG_BIN/pgbench" -n -h "$host" -U app -f "$host/write.sql" -T 600 -R 50 "$database" > "$host/write.log" 2>&1 &
	writer=$!
	sql -c "CALL automation.tick($(super -Atc 'SELECT id FROM automation.schedule'))"
	await 600 "SELECT state = 'done' FROM automation.progress ORDER BY job DESC LIMIT 1"
	kill -0 $writer || die "a writer of the subjects was kept waiting: $(tail -n 3 "$host/write.log")"
	kill $writer
	after=$(cpu_of "$(worker 'automation executor%')")
	sql -c "INSERT INTO result SELECT 'schedule', 'engine', $1, extract(epoch FROM finished_at - created_at), ($after - $before) / 1e6
		FROM automation.progress ORDER BY job DESC LIMIT 1"
}

schedule_floor()
{
	local history
	history=$(super -Atc "SELECT format('history_%s', lpad(((extract(year FROM m) * 12 + extract(month FROM m) - 1)::int % 14)::text, 2, '0'))
		FROM (SELECT now() AT TIME ZONE 'UTC' AS m) AS utc")
	super -c 'CREATE TABLE bench.plain (LIKE automation.enrollment INCLUDING ALL) WITH (fillfactor = 90)' \
		-c 'CREATE TABLE bench.plain_enrollment (LIKE automation.enrollment INCLUDING ALL) WITH (fillfactor = 90)' \
		-c 'CREATE TABLE bench.plain_ledger (LIKE automation.ledger INCLUDING ALL) WITH (fillfactor = 80)' \
		-c 'CREATE TABLE bench.plain_timer (LIKE automation.timer INCLUDING ALL)' \
		-c "CREATE TABLE bench.plain_history (LIKE automation.$history INCLUDING ALL)" -c CHECKPOINT
	{
		echo 'SET search_path = bench;'
		timed schedule floor $1 'INSERT INTO plain SELECT * FROM automation.enrollment'
		echo 'CHECKPOINT;'
		timed schedule written $1 "BEGIN;
			INSERT INTO plain_enrollment SELECT * FROM automation.enrollment;
			INSERT INTO plain_ledger SELECT * FROM automation.ledger;
			INSERT INTO plain_timer SELECT * FROM automation.timer;
			INSERT INTO plain_history SELECT * FROM automation.$history;
			COMMIT"
		echo 'DROP TABLE plain, plain_enrollment, plain_ledger, plain_timer, plain_history;'
	} | super
}

figure_schedule()
{
	local round
	schedule_setup
	for ((round = 0; round <= schedule_rounds; round++)); do
		schedule_run $round
		schedule_floor $round
	done
	sql -c "INSERT INTO result VALUES ('schedule size', 'rows', 1, $schedule_rows)"
}
