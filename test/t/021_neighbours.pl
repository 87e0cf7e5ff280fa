# Neighbours in one database: what an owner leaves in the process that works for
# him is not found by another, whose workflows go on however he loads the engine.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use AutomationTest qw(new_server owner_database wait_until);

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $node = new_server('neighbours', q{
automation.step_timeout = 300ms
automation.retry_delay = 100ms
automation.max_attempts = 2
automation.max_executors = 1
automation.batch_time = 5ms
});
my $database = 'work';

owner_database($node, $database, 'alice', q{
CREATE TABLE item (id int PRIMARY KEY, what text);
CREATE TABLE log (what text);
});
owner_database($node, $database, 'bob', q{
CREATE TABLE pulse (id int PRIMARY KEY);
CREATE TABLE beat (id int);
CREATE TABLE found (what text);
CREATE FUNCTION steady(p pulse) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '1 millisecond';
  INSERT INTO beat VALUES (p.id);
END $$;
});
my $watch = AutomationTest::Session->new($node, $database);
my $alice = AutomationTest::Session->new($node, $database, 'alice');
my $bob = AutomationTest::Session->new($node, $database, 'bob');
$alice->query('SET search_path = alice');
$bob->query('SET search_path = bob');
my $beats = 0;

sub becomes
{
	my ($query, $name) = @_;
	ok(wait_until($watch, "SELECT $query"), $name);
	return;
}

# bob's workflow carries a new row through.
sub neighbour_lives
{
	my ($name) = @_;
	$beats++;
	$bob->query("INSERT INTO pulse VALUES ($beats)");
	becomes("count(*) = 1 FROM bob.beat WHERE id = $beats", "neighbour lives: $name");
	return;
}

neighbour_lives('at first');

# What the session of an owner would keep beyond the transaction

my $has_dblink = $watch->query(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'dblink'});
$watch->query('CREATE EXTENSION dblink SCHEMA public; GRANT EXECUTE ON FUNCTION dblink_connect_u(text, text) TO alice')
  if $has_dblink;
my $connection = $node->connstr($database) . ' user=alice';
$alice->query(q{
CREATE SEQUENCE numbers;
CREATE FUNCTION attempt(command text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE command;
  INSERT INTO alice.log VALUES ('left: ' || split_part(command, ' ', 1) || ' ' || split_part(command, ' ', 2));
EXCEPTION WHEN OTHERS THEN
  INSERT INTO alice.log VALUES (SQLERRM);
END $$;
} . qq{
-- it may be begun again, alone, if it takes too long in company
CREATE FUNCTION leave() RETURNS int LANGUAGE plpgsql AS \$\$
BEGIN
  PERFORM alice.attempt(command) FROM unnest(ARRAY[
    \$c\$SELECT public.dblink_connect_u('alices', \$x\$$connection\$x\$)
        WHERE 'alices' <> ALL (coalesce(public.dblink_get_connections(), '{}'))\$c\$,
    'SELECT setseed(0.42)', 'DEALLOCATE ALL; PREPARE alices AS SELECT current_user', 'CREATE TEMP TABLE pulse (id int)',
    \$c\$SELECT nextval('alice.numbers')\$c\$, 'SELECT pg_advisory_lock(42)', 'LISTEN alices']) command
  WHERE $has_dblink > 0 OR command !~ 'dblink';
  INSERT INTO alice.log VALUES ('pid ' || pg_backend_pid());
  RETURN 1;
END \$\$;
} . q{
CREATE FUNCTION leaves(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.what = 'leave';
DECLARE
  n int;
BEGIN
  n := leave();
END $$;
INSERT INTO item VALUES (1, 'leave');
});
becomes("count(*) = 1 FROM alice.log WHERE what LIKE 'pid %'", 'a step leaves all sorts of things behind');
is( $watch->query(q{SELECT string_agg(what, ', ' ORDER BY what COLLATE "C") FROM alice.log WHERE what NOT LIKE 'pid %'}),
	'cannot execute LISTEN within a background process, left: CREATE TEMP, left: DEALLOCATE ALL;, '
	  . join(', ', map { "left: SELECT $_" } "nextval('alice.numbers')", 'pg_advisory_lock(42)',
		($has_dblink ? "public.dblink_connect_u('alices'," : ()), 'setseed(0.42)'),
	'each of them but one');
my $random = $watch->query('SELECT setseed(0.42); SELECT random()');
$bob->query(q{
CREATE FUNCTION look() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO bob.found VALUES ('random ' || random());
  INSERT INTO bob.found SELECT 'prepared' FROM pg_prepared_statements WHERE name = 'alices';
  INSERT INTO bob.found SELECT 'temporary' FROM pg_class WHERE relname = 'pulse' AND pg_table_is_visible(oid) AND relpersistence = 't';
  INSERT INTO bob.found SELECT 'lock' FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND pid = pg_backend_pid();
  INSERT INTO bob.found SELECT 'channel' FROM pg_listening_channels();
  BEGIN
    INSERT INTO bob.found VALUES ('lastval ' || lastval());
  EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL;
  END;
  IF to_regproc('public.dblink_get_connections') IS NOT NULL THEN
    EXECUTE 'INSERT INTO bob.found SELECT ''connection '' || c FROM unnest(public.dblink_get_connections()) c';
    BEGIN
      EXECUTE 'INSERT INTO bob.found SELECT who FROM public.dblink(''alices'', ''SELECT current_user'') AS t (who text)';
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END IF;
  INSERT INTO bob.found VALUES ('pid ' || pg_backend_pid());
  RETURN 1;
END $$;
CREATE FUNCTION looks(p pulse) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.id = 1000;
DECLARE
  n int;
BEGIN
  n := look();
END $$;
INSERT INTO pulse VALUES (1000);
});
becomes("count(*) = 1 FROM bob.found WHERE what LIKE 'pid %'", 'a step of the neighbour looks for it');
is($watch->query(q{SELECT string_agg(what, ', ') FROM bob.found WHERE what !~ '^(pid|random) '}), '', 'and finds nothing');
isnt($watch->query(q{SELECT what FROM bob.found WHERE what LIKE 'random %'}), "random $random", 'nor a random number known before');
is($watch->query('SELECT count(*) FROM alice.log JOIN bob.found USING (what)'), 0, 'it is another process');

# SQL that does not end by itself, in a step and in a condition

$alice->query(q{
CREATE FUNCTION endless(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF what WHEN new.what <> 'count early' OR (SELECT count(*) FROM (SELECT generate_series(1, 1000000000000)) x) > 0;
  ENROLL AGAIN PER i, i.what;
DECLARE
  n bigint;
BEGIN
  IF i.what = 'count' THEN
    SELECT count(*) FROM (SELECT generate_series(1, 1000000000000)) x INTO n;
  ELSIF i.what = 'rows' THEN
    INSERT INTO log SELECT 'never' FROM generate_series(1, 1000000000000) x;
  ELSIF i.what = 'pattern' THEN
    SELECT count(*) INTO n WHERE repeat('a', 20000) ~ '^(.*)(.*)(.*)(.*)\1x?\2\3\4a$';
  ELSIF i.what = 'recursion' THEN
    WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT -x FROM r) SELECT count(*) FROM r INTO n;
  END IF;
END $$;
});
for my $what ('count', 'rows', 'pattern', 'recursion')
{
	$alice->query("UPDATE item SET what = '$what'");
	becomes(qq{count(*) = 1 FROM automation.enrollments WHERE workflow = 'endless' AND state = 'failed'
		AND entry_key LIKE '%$what%' AND error LIKE '%57014 canceling statement due to automation.step_timeout'},
		"a step that does not end is cancelled and given up: $what");
}
$alice->query(q{UPDATE item SET what = 'count early'});
becomes(q{count(*) = 1 FROM automation.journal WHERE workflow = 'endless' AND event = 'not_entered' AND reason = 'entry_failed'},
	'and so is a condition');
is($watch->query(q{SELECT count(*) FROM alice.log WHERE what = 'never'}), 0, 'nothing is left of what they did');
neighbour_lives('after all that');

# One seat for two: who always has something to do does not keep it

$alice->query(q{
CREATE FUNCTION busy(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.what = 'busy';
DECLARE
  n text;
BEGIN
  SELECT pg_sleep(0.02)::text INTO n;
END $$;
INSERT INTO item SELECT i, 'busy' FROM generate_series(1000, 30000) i;
});
for (1 .. 3)
{
	neighbour_lives("while another one's queue is long");
}
is($watch->query(q{SELECT events > 1000 FROM automation.stat WHERE owner = 'alice'::regrole}), 't', 'it is long still');
$alice->query('DROP FUNCTION busy');
neighbour_lives('when it is dropped');

# A table somebody else keeps locked: CREATE FUNCTION waits no longer than its
# caller wants, and leaves nothing

my $locker = AutomationTest::Session->new($node, $database, 'alice');
$locker->query('BEGIN; LOCK TABLE alice.item IN SHARE UPDATE EXCLUSIVE MODE; INSERT INTO alice.item VALUES (-1)');
like($alice->query(q{SET lock_timeout = '100ms';
CREATE FUNCTION watches(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER DELETE ON item FOR SELECT NULL::int;
BEGIN
END $$;
}), qr/canceling statement due to lock timeout/, 'a table that is locked can not be watched');
is($watch->query(q{SELECT count(*) FROM automation.workflows WHERE name = 'watches'}), 0, 'and nothing is registered');
neighbour_lives('meanwhile');
$locker->query('ROLLBACK');
$locker->close;

# Who is it in a parallel worker?

$alice->query(q{
CREATE FUNCTION who() RETURNS text LANGUAGE plpgsql PARALLEL SAFE AS
  $$BEGIN RETURN concat_ws(' ', current_user, session_user, current_setting('is_superuser'), current_setting('role')); END$$;
CREATE FUNCTION asks(i item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.what = 'ask';
DECLARE
  name text;
BEGIN
  SELECT who() INTO name;
  INSERT INTO log VALUES ('who: ' || name);
END $$;
});
my $parallel = $watch->query(q{SELECT name FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query')});
$watch->query("ALTER ROLE alice SET $parallel = on");
neighbour_lives('so that the seat is free');
$alice->query(q{INSERT INTO item VALUES (-2, 'ask')});
becomes(q{count(*) = 1 FROM alice.log WHERE what LIKE 'who: %'}, 'a step runs with parallel workers');
is($watch->query(q{SELECT what FROM alice.log WHERE what LIKE 'who: %'}), 'who: alice alice off none', 'which are nobody else');
neighbour_lives('in the end');

$_->close foreach $watch, $alice, $bob;
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'nothing crashed');

done_testing();
