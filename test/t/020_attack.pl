# Attacks that need living executors: who a worker is, what it keeps from one
# item to the next, how long and how often it can be held up, who may hinder its
# start.  A neighbour's workflows go on after each.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $node = PostgreSQL::Test::Cluster->new('attacked');
$node->init(extra => [ '-U', 'postgres' ]);
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'automation'
max_worker_processes = 24
automation.step_timeout = 300ms
automation.retry_delay = 100ms
automation.max_attempts = 2
log_statement = none
restart_after_crash = on
});
$node->start;

# SQL as a role, in the database of the test.
sub as
{
	my ($role, $sql) = @_;
	return $node->safe_psql('target', $sql, extra_params => [ '-U', $role ]);
}

my $beats = 0;

# bob's workflow carries a new row through.
sub neighbour_lives
{
	my ($name) = @_;
	$beats++;
	as('bob', "INSERT INTO bob.pulse VALUES ($beats)");
	ok($node->poll_query_until('target', "SELECT count(*) = 1 FROM bob.beat WHERE id = $beats"), "neighbour lives: $name");
	return;
}

sub becomes
{
	my ($query, $name) = @_;
	ok($node->poll_query_until('target', $query), $name);
	return;
}

# So many rows were carried through "harmless".  On a busy machine even they may
# exceed the short automation.step_timeout, both times: then once more.
sub harmless_go_on
{
	my ($n, $name) = @_;
	my $end = time() + 180;
	my $done;

	while (time() < $end)
	{
		$done = as('alice', q{SELECT count(*) FROM alice.found WHERE what = 'harmless'}) == $n;
		last if $done;
		as('alice', q{SELECT automation.retry(id) FROM automation.enrollments
WHERE workflow = 'harmless' AND state = 'failed' AND error LIKE '%57014%'});
		select(undef, undef, undef, 0.1);
	}
	ok($done, $name)
	  or diag(as('postgres', 'SELECT * FROM automation.stat; SELECT workflow, subject_key, state, reason, attempt, error, wakes_at FROM automation.enrollments;'
		  . ' SELECT at, workflow, subject, what FROM automation.journal ORDER BY at DESC LIMIT 20; SELECT * FROM automation.parked;'
		  . q{ SELECT pid, backend_type, backend_start, state, wait_event, query FROM pg_stat_activity WHERE backend_type LIKE 'automation%'}));
	return;
}

# Waits until alice's enrollment stands as expected.
sub ends_as
{
	my ($workflow, $state, $reason, $name) = @_;
	becomes("SELECT count(*) = 1 FROM automation.enrollments WHERE workflow = '$workflow' AND state = '$state' AND reason = '$reason'", $name);
	return;
}

# A schema that somebody made before the extension

$node->safe_psql('postgres', 'CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE dbo LOGIN; CREATE DATABASE target OWNER dbo');
as('dbo', 'CREATE SCHEMA automation');
my ($ret, $stdout, $stderr) = $node->psql('target', 'CREATE EXTENSION automation');
like($stderr, qr/schema "automation" already exists/, 'a schema made before is not adopted');
($ret, $stdout, $stderr) = $node->psql('target', 'CREATE EXTENSION automation SCHEMA automation');
isnt($ret, 0, 'not even by name');
as('dbo', 'DROP SCHEMA automation');
($ret, $stdout, $stderr) = $node->psql('target', 'CREATE EXTENSION automation', extra_params => [ '-U', 'dbo' ]);
like($stderr, qr/permission denied to create extension/, 'nor is it for the owner of the database');

# A hostile owner of the database: what he sets and plants meets no worker

as('dbo', q{
CREATE SCHEMA trap;
CREATE TABLE trap.sprung (who text);
CREATE FUNCTION trap.same(name, name) RETURNS boolean LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO trap.sprung VALUES (current_user); RETURN true; END$$;
CREATE OPERATOR trap.= (LEFTARG = name, RIGHTARG = name, FUNCTION = trap.same);
CREATE TABLE trap.pg_extension (extname name);
CREATE TABLE trap.workflow (id int);
GRANT USAGE ON SCHEMA trap TO PUBLIC;
ALTER DATABASE target SET search_path = trap, pg_catalog;
ALTER DATABASE target SET default_transaction_read_only = on;
ALTER DATABASE target SET default_transaction_isolation = 'serializable';
ALTER DATABASE target SET statement_timeout = '1ms';
ALTER DATABASE target SET lock_timeout = '1ms';
ALTER DATABASE target SET check_function_bodies = off;
ALTER DATABASE target SET synchronous_commit = off;
ALTER DATABASE target SET role = 'dbo';
ALTER DATABASE target SET DateStyle = 'SQL, DMY';
});
# what a client asks for comes before what the database says
$ENV{PGOPTIONS} = join ' ', map { "-c $_" } qw(search_path=pg_catalog role=none default_transaction_read_only=off
	statement_timeout=0 lock_timeout=0 check_function_bodies=on);
$node->safe_psql('target', "
CREATE EXTENSION automation;
GRANT USAGE ON LANGUAGE workflow TO alice, bob;
CREATE SCHEMA alice AUTHORIZATION alice;
CREATE SCHEMA bob AUTHORIZATION bob;
GRANT USAGE ON SCHEMA alice TO bob;");
$node->safe_psql('target', "SET search_path = bob;" . q{
CREATE TABLE pulse (id int PRIMARY KEY);
CREATE TABLE beat (id int);
CREATE FUNCTION steady(p pulse) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '1 millisecond';
  INSERT INTO beat VALUES (p.id);
END $$;
}, extra_params => [ '-U', 'bob' ]);
$node->safe_psql('target', "INSERT INTO bob.pulse VALUES (0)", extra_params => [ '-U', 'bob' ]);
my $steady = 0;
for (1 .. 300)
{
	$steady = $node->safe_psql('target', "SELECT count(*) FROM bob.beat WHERE id = 0");
	last if $steady;
	select(undef, undef, undef, 0.1);
}
is($steady, 1, 'workers do not mind what the owner of the database has set');
is($node->safe_psql('target', "SELECT count(*) FROM trap.sprung WHERE who = 'postgres'"), 0, 'nor run what he planted');
delete $ENV{PGOPTIONS};
$node->safe_psql('postgres', "ALTER DATABASE target RESET $_")
  foreach qw(search_path default_transaction_read_only default_transaction_isolation statement_timeout lock_timeout
	check_function_bodies synchronous_commit role DateStyle);
neighbour_lives('after the settings were reset');

# Who is it that runs?

$node->safe_psql('target', q{
CREATE TABLE alice.seen (n bigint GENERATED ALWAYS AS IDENTITY, place text, cur text, ses text, super text, tried text, pid int);
GRANT INSERT ON alice.seen TO PUBLIC;
ALTER TABLE alice.seen OWNER TO alice;
});
as('alice', q{
SET search_path = alice;
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE command;
  RETURN 'DONE: ' || command;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;
CREATE FUNCTION probe(place text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO alice.seen (place, cur, ses, super, tried, pid)
    SELECT place, current_user, session_user, current_setting('is_superuser'),
      concat_ws(' ', alice.attempt('SET SESSION AUTHORIZATION postgres'), alice.attempt('SET ROLE postgres'),
                alice.attempt('ALTER ROLE alice SUPERUSER')), pg_backend_pid();
  RETURN true;
END $$;
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM alice.probe('deferred'); RETURN NULL; END$$;
CREATE FUNCTION late_again() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO alice.later VALUES (1); PERFORM alice.probe('deferred twice'); RETURN NULL; END$$;
CREATE FUNCTION hold() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 'DECLARE h CURSOR WITH HOLD FOR SELECT alice.probe(''held cursor'') FROM generate_series(1, 1)';
  RETURN 1;
END $$;
CREATE TABLE person (id int PRIMARY KEY, name text);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED, CHECK (probe('check')));
CREATE TABLE later (id int);
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON later DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
CREATE CONSTRAINT TRIGGER late_again AFTER INSERT ON child DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late_again();
CREATE FUNCTION all_places(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN probe('when');
DECLARE
  n int;
BEGIN
  INSERT INTO child VALUES (p.id);
  INSERT INTO parent VALUES (p.id);
  SELECT hold() INTO n;
  WAIT FOR '1 millisecond';
  IF probe('if') THEN
    INSERT INTO person VALUES (-p.id, 'through');
  END IF;
END $$;
INSERT INTO person VALUES (1, 'Ann');
});
becomes('SELECT count(*) = 1 FROM alice.person WHERE id = -1', 'a step inserts into a table with a deferred foreign key');
is(as('postgres', q{SELECT string_agg(DISTINCT place, ', ' ORDER BY place) FROM alice.seen}),
	'check, deferred, deferred twice, if, when', 'code of the owner ran in the worker; a held cursor of a step ran nowhere');
is(as('postgres', q{SELECT DISTINCT cur || ' ' || ses || ' ' || super || ' ' || tried FROM alice.seen}),
	'alice alice off 42501 42501 42501', 'as the owner, who could not become anybody else');
my $pids = as('postgres', 'SELECT string_agg(DISTINCT pid::text, $$,$$) FROM alice.seen');
is( $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid IN ($pids) AND usename = 'alice' AND backend_type = 'automation executor of alice'"),
	$node->safe_psql('postgres', "SELECT count(DISTINCT pid) FROM pg_stat_activity WHERE pid IN ($pids)"), 'in an executor that is nobody else');
as('alice', 'DROP FUNCTION alice.all_places');
neighbour_lives('after the probes');

# What a step leaves in the process

as('alice', q{
SET search_path = alice;
CREATE TABLE found (id int, what text);
CREATE FUNCTION litter() RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  c refcursor := 'mine';
BEGIN
  PERFORM set_config('app.tenant', 'theirs', false), set_config('statement_timeout', '1', false), set_config('lock_timeout', '0', false),
    set_config('search_path', 'nowhere', false), set_config('transaction_read_only', 'on', false);
  RETURN 1;
END $$;
CREATE FUNCTION more_litter() RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  c refcursor := 'mine';
BEGIN
  OPEN c FOR SELECT 1;
  PERFORM alice.attempt('LISTEN alice_listens');
  PERFORM pg_advisory_lock(7), pg_advisory_unlock_all(), lo_create(0);
  PERFORM lo_open(oid, 262144) FROM pg_largeobject_metadata;
  EXECUTE 'CREATE TEMP TABLE IF NOT EXISTS person (id int, name text)';
  RETURN 1;
END $$;
CREATE FUNCTION litters(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name;
  ENROLL AGAIN;
DECLARE
  n int;
BEGIN
  INSERT INTO found SELECT p.id, concat_ws(' ', nullif(current_setting('app.tenant', true), ''), current_setting('statement_timeout'),
    (SELECT count(*) FROM pg_cursors WHERE name = 'mine'), (SELECT count(*) FROM pg_listening_channels()), current_setting('search_path'));
  SELECT more_litter() INTO n;
  WAIT FOR '1 millisecond';
  SELECT litter() INTO n;
END $$;
UPDATE person SET name = 'a';
});
becomes('SELECT count(*) = 2 FROM alice.found', 'a step leaves all sorts of things behind');
as('alice', q{UPDATE alice.person SET name = 'b'});
becomes('SELECT count(*) = 4 FROM alice.found', 'and the next ones run');
is(as('alice', q{SELECT string_agg(DISTINCT what, '; ') FROM alice.found}), '0 0 0 alice, automation, pg_temp', 'and find nothing of it');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'automation executor of alice'}),
	1, 'there is one executor still');
as('alice', 'DROP FUNCTION alice.litters');
neighbour_lives('after the litter');

# Time: SQL that does not end, wherever the owner may put it

as('alice', q{
SET search_path = alice;
CREATE TABLE slow (id int PRIMARY KEY, place text, n int);
CREATE TABLE slept (id int);
CREATE FUNCTION stubborn() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('statement_timeout', '0', false);
  LOOP
    BEGIN
      PERFORM pg_sleep(1000);
    EXCEPTION WHEN query_canceled THEN
      NULL;
    END;
  END LOOP;
END $$;
CREATE FUNCTION pause(place text, wanted text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF place = wanted THEN
    PERFORM pg_sleep(1000);
  END IF;
  RETURN true;
END $$;
CREATE FUNCTION deferred_pause() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(1000); RETURN NULL; END$$;
CREATE CONSTRAINT TRIGGER pause AFTER INSERT ON slept DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION deferred_pause();
CREATE FUNCTION sleeper(s slow) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN pause(new.place, 'when') FOR SELECT new.id WHERE pause(new.place, 'for');
  ENROLL ONCE PER s.id, pause(s.place, 'per');
DECLARE
  ok boolean := pause(s.place, 'declare');
BEGIN
  ok := pause(s.place, 'assign');
  IF s.place = 'deferred' THEN
    INSERT INTO slept VALUES (s.id);
  END IF;
  WAIT UNTIL s.n IS NULL TIMEOUT '1 millisecond';
END $$;
});
foreach my $place (qw(when for per declare assign deferred))
{
	as('alice', "INSERT INTO alice.slow VALUES ((SELECT count(*) FROM alice.slow), '$place')");
}
as('alice', q{INSERT INTO alice.slow VALUES (100, 'nowhere')});
becomes(q{SELECT count(*) = 1 FROM automation.journal WHERE workflow = 'sleeper' AND event = 'ended' AND subject_key = '100'},
	'a row that does not sleep is carried through among those that do');
neighbour_lives('while others sleep');
becomes(q{SELECT count(*) = 3 FROM automation.enrollments WHERE workflow = 'sleeper' AND state = 'failed'},
	'statements that sleep are cancelled and given up');
becomes(q{SELECT count(DISTINCT subject_key) = 3 FROM automation.journal WHERE workflow = 'sleeper' AND event = 'not_entered' AND reason = 'entry_failed'},
	'and so are conditions');
as('alice', 'DROP FUNCTION alice.sleeper');
as('alice', q{
SET search_path = alice;
CREATE FUNCTION swallower(s slow) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF n TO 1;
DECLARE
  ok boolean;
BEGIN
  ok := stubborn();
END $$;
CREATE FUNCTION harmless(s slow) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF n TO 2;
BEGIN
  INSERT INTO found VALUES (s.id, 'harmless');
END $$;
UPDATE slow SET n = 1 WHERE id = 1;
});
neighbour_lives('while a function swallows every cancel');
{
	local $PostgreSQL::Test::Utils::timeout_default = 180;
	ends_as('swallower', 'held', 'suspected_crash', 'a function that cannot be cancelled ends its process, and in the end is held');
}
as('alice', 'UPDATE alice.slow SET n = 2 WHERE id = 2');
harmless_go_on(1, 'other rows of its owner go on');
as('alice', 'DROP FUNCTION alice.swallower');

# A step that ends its own process, or kills it

as('alice', q{
SET search_path = alice;
CREATE FUNCTION ends_itself(s slow) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF n TO 5;
BEGIN
  INSERT INTO found SELECT 1, 'never' WHERE pg_terminate_backend(pg_backend_pid());
  INSERT INTO found SELECT 1, 'never' FROM pg_sleep(10);
END $$;
UPDATE slow SET n = 5 WHERE id = 3;
});
neighbour_lives('while a step ends its own process again and again');
as('alice', 'UPDATE alice.slow SET n = 2 WHERE id = 5');
harmless_go_on(2, 'other rows of its owner go on in the end');
as('alice', 'DROP FUNCTION alice.ends_itself');
$node->safe_psql('target', q{
CREATE FUNCTION alice.kill_me(how text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF how = 'terminate' THEN
    PERFORM pg_terminate_backend(pg_backend_pid());
  ELSE
    EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'kill -9 ' || pg_backend_pid());
  END IF;
  PERFORM pg_sleep(10);
END $$;
GRANT EXECUTE ON FUNCTION alice.kill_me TO alice;
});
as('alice', q{
SET search_path = alice;
CREATE FUNCTION suicide(s slow) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF n TO 3;
BEGIN
  INSERT INTO found SELECT 1, 'never' WHERE kill_me('kill') IS NULL;
END $$;
UPDATE slow SET n = 3 WHERE id = 3;
});
{
	local $PostgreSQL::Test::Utils::timeout_default = 180;
	my $held = 0;
	for (1 .. 600)
	{
		my ($ret, $out) = $node->psql('target',
			q{SELECT count(*) FROM automation.enrollments WHERE workflow = 'suicide' AND state = 'held' AND reason = 'suspected_crash'});
		$held = 1 if $ret == 0 && $out eq '1';
		last if $held;
		select(undef, undef, undef, 0.2);
	}
	ok($held, 'a step that kills its process with signal 9 is held after some deaths');
}
ok($node->poll_query_until('postgres', 'SELECT true'), 'the server is up');
neighbour_lives('after the crashes');
as('alice', 'UPDATE alice.slow SET n = 2 WHERE id = 4');
harmless_go_on(3, 'and other rows of the owner');
is(as('alice', q{SELECT count(*) FROM alice.found WHERE what = 'never'}), 0, 'what the step did was rolled back');
as('alice', 'DROP FUNCTION alice.suicide');

# Hindering the coordinator: it must not run owners' code when it starts

as('alice', q{
SET search_path = alice;
CREATE FUNCTION check_it(v text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE DOMAIN dom AS text CHECK (check_it(VALUE));
CREATE TABLE tagged (id int PRIMARY KEY, tags dom[]);
SET check_function_bodies = off;
CREATE FUNCTION unseen(t tagged) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.tags = '{x}'::dom[];
BEGIN
  INSERT INTO found VALUES (1, 'unseen');
END $$;
CREATE OR REPLACE FUNCTION check_it(v text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  PERFORM alice.stubborn();
  RETURN true;
END $$;
});
my $position = -s $node->logfile;
$node->restart;
neighbour_lives('after a restart with a definition that never stops being checked');
like(slurp_file($node->logfile, $position), qr/function alice\.unseen\(alice\.tagged\) in database "target" is not registered as it is/,
	'which the coordinator mentions and leaves alone');

# A lock on the table: nothing is lost, nothing is held for good

as('alice', q{
SET search_path = alice;
CREATE TABLE busy (id int PRIMARY KEY);
CREATE FUNCTION waits(b busy) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO found VALUES (b.id, 'busy');
  WAIT FOR '300 milliseconds';
  INSERT INTO found VALUES (b.id, 'not busy any more');
END $$;
INSERT INTO busy VALUES (1);
});
becomes(q{SELECT count(*) = 1 FROM alice.found WHERE what = 'busy'}, 'an enrollment waits');
my $locker = $node->background_psql('target', on_error_stop => 0) if PostgreSQL::Test::Cluster->can('background_psql');
SKIP:
{
	skip 'no background_psql that can be asked', 1 unless ref $locker && $locker->can('query_safe');
	$locker->query_safe('BEGIN');
	$locker->query_safe('LOCK TABLE alice.busy IN ACCESS EXCLUSIVE MODE');
	$locker->query_safe('SELECT pg_sleep(2)');
	$locker->query_safe('COMMIT');
	$locker->quit;
}
becomes(q{SELECT count(*) = 1 FROM alice.found WHERE what = 'not busy any more'}, 'and goes on when the lock is gone');
neighbour_lives('in the end');

$node->stop;
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|signal 11|signal 6/, 'nothing crashed but what was killed');

done_testing();
