# What 16 sessions that enroll at once lose to each other.
#
# Floor: 16 sessions that write the same rows by plain SQL, in one statement: the
# user's row, and one in a table with the columns, the index and the sequence of
# the event log; by hand likewise, with a table like that of calls. Bar: 95 % of
# the floor. The executor is inside a statement that sleeps, for its work is not
# the question here. Both with durable commits and without waiting for the disk,
# when nothing but CPU and locks is left.

callers_rounds=$(size 3 5)
callers_seconds=$(size 1 2)

callers_tables()
{
	super <<-'SQL'
		CREATE SEQUENCE bench.plain_seq;
		CREATE TABLE bench.plain_event (LIKE automation.event_0 INCLUDING INDEXES INCLUDING DEFAULTS) WITH (fillfactor = 100);
		CREATE SEQUENCE bench.plain_call_seq;
		CREATE TABLE bench.plain_call (LIKE automation.call INCLUDING INDEXES);
		GRANT ALL ON ALL TABLES IN SCHEMA bench TO app;
		GRANT ALL ON ALL SEQUENCES IN SCHEMA bench TO app;
	SQL
	cat > "$host/insert.floor" <<-'SQL'
		\set id random(1, 100000)
		WITH a AS (INSERT INTO plain_arrival (contact_id) VALUES (:id) RETURNING id)
		INSERT INTO plain_event (seq, xact, at, kind, owner, source, key, hits)
		SELECT nextval('plain_seq'), pg_current_xact_id(), clock_timestamp(), 'I', 1, 1, '["' || id || '"]', '{5}' FROM a;
	SQL
	cat > "$host/insert.engine" <<-'SQL'
		\set id random(1, 100000)
		INSERT INTO arrival (contact_id) VALUES (:id);
	SQL
	cat > "$host/hand.floor" <<-'SQL'
		\set id random(1, 100000)
		WITH c AS (INSERT INTO plain_call SELECT nextval('plain_call_seq'), current_user::regrole FROM contact WHERE id = :id RETURNING id)
		INSERT INTO plain_event (seq, xact, at, kind, owner, source, key, target, hits, args)
		SELECT nextval('plain_seq'), pg_current_xact_id(), clock_timestamp(), 'H', 1, 1, '["' || :id || '"]', id, '{1}', jsonb_build_array('["' || :id || '"]') FROM c
		RETURNING target;
	SQL
	cat > "$host/hand.engine" <<-'SQL'
		\set id random(1, 100000)
		SELECT called(c) FROM contact c WHERE id = :id;
	SQL
}

# Returns when the executor is in it; the events of the turn before are gone then.
callers_pause()
{
	sql -c "INSERT INTO pause (seconds) VALUES ($1)"
	await 300 "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type LIKE 'automation executor%' AND wait_event = 'PgSleep'"
	sleep 0.5		# it was cancelled by then, for it takes long, and runs again alone
}

figure_callers()
{
	local round kind durable who
	callers_tables
	for ((round = 0; round <= callers_rounds; round++)); do
		for durable in off on; do
			callers_pause $((callers_seconds * 4 + 3))
			for kind in insert hand; do
				for who in floor engine; do
					export PGOPTIONS="-c synchronous_commit=$durable"
					bench "callers $kind $durable" $who $round "$host/$kind.$who" -c 16 -j 2 -T $callers_seconds
					unset PGOPTIONS
				done
			done
		done
	done
}
