# Operating it: a day without a word in the log, what the workers say of
# themselves, numbers that outlive an executor, and the problems that only a
# server with workers has.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until server_up executor_pid);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $script = q{
CREATE TABLE contact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text, n int NOT NULL DEFAULT 1);
CREATE TABLE effect (contact bigint, what text);
CREATE FUNCTION greet(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'greet';
BEGIN
  INSERT INTO effect VALUES (c.id, 'hello');
  WAIT FOR '50 milliseconds';
  INSERT INTO effect VALUES (c.id, (10 / c.n)::text);
END $$;
};

# The problems a server has, in one line each.
sub ill
{
	my ($session) = @_;
	return $session->query('SELECT string_agg(severity || $$ $$ || code || $$: $$ || subject, $$; $$) FROM automation.health()');
}

sub has_problem
{
	my ($session, $code, $like, $name) = @_;
	return ok(wait_until($session, "SELECT count(*) > 0 FROM automation.health() WHERE code = '$code' AND problem || ' / ' || remedy LIKE '$like'"), $name)
	  || diag($session->query('SELECT * FROM automation.health()'));
}

sub is_well
{
	my ($session, $name) = @_;
	return ok(wait_until($session, 'SELECT count(*) = 0 FROM automation.health()'), $name)
	  || diag(ill($session));
}

sub activity
{
	my ($session, $type, $query, $state, $name) = @_;
	return ok(wait_until($session, "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = '$type' AND application_name = '$type'"
				. " AND state = '$state' AND query LIKE '$query'"), $name)
	  || diag($session->query("SELECT backend_type, application_name, state, query FROM pg_stat_activity WHERE backend_type LIKE 'automation%'"));
}

# A normal day

{
	my $node = new_server('day', q{
log_min_messages = warning
log_checkpoints = off
fsync = on
automation.retry_delay = '10ms'
});
	owner_database($node, 'work', 'app', $script);
	my $watch = server_up($node, 'work');
	my $user = server_up($node, 'work', 'app');
	$user->query('SET search_path = app');
	$user->query("INSERT INTO contact (kind, n) SELECT 'greet', 1 FROM generate_series(1, 100)");
	ok(wait_until($watch, 'SELECT count(*) = 200 FROM app.effect'), 'workflows run');
	$user->query("INSERT INTO contact (kind, n) VALUES ('greet', 0)");
	ok(wait_until($watch, "SELECT count(*) = 1 FROM automation.enrollments WHERE state = 'failed'"), 'a failing one fails');
	$user->query('UPDATE contact SET n = 1 WHERE n = 0');
	$user->query("SELECT automation.retry('greet')");
	ok(wait_until($watch, 'SELECT count(*) = 202 FROM app.effect'), 'and goes on when it is mended');
	$user->query("SELECT automation.pause('greet', hold => true)");
	$user->query("INSERT INTO contact (kind) VALUES ('greet')");
	$user->query("SELECT automation.resume('greet')");
	$user->query('ALTER TABLE contact ADD COLUMN note text');
	$user->query('CREATE OR REPLACE FUNCTION greet(c contact) RETURNS bigint LANGUAGE workflow AS $$ AFTER INSERT WHEN new.kind = \'greet\'; BEGIN WAIT FOR \'1 hour\'; END $$');
	$user->query('CALL automation.run()');
	$user->query("BEGIN; INSERT INTO contact (kind) VALUES ('greet'); PREPARE TRANSACTION 'p'");
	$user->query("COMMIT PREPARED 'p'");
	ok(wait_until($watch, "SELECT count(*) > 0 FROM automation.enrollments WHERE state = 'waiting'"), 'a new version and a prepared transaction');
	# one that is stopped in the middle of a step says so, like any session
	activity($watch, 'automation executor of app', 'automation: waits%', 'idle', 'the executor waits');
	$user->close;
	$watch->close;
	$node->restart;
	owner_database($node, 'other', 'app', $script);
	$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE other');
	$node->safe_psql('postgres', 'ALTER DATABASE copy RENAME TO copied');
	$node->safe_psql('copied', 'SET ROLE app; DROP FUNCTION app.greet');
	$node->safe_psql('copied', 'DROP EXTENSION automation CASCADE');
	$node->safe_psql('postgres', 'DROP DATABASE copied');
	$node->safe_psql('other', "INSERT INTO app.contact (kind) VALUES ('greet')");
	$node->safe_psql('postgres', 'DROP DATABASE other');
	$watch = server_up($node, 'work');
	is_well($watch, 'and nothing is wrong');
	$watch->close;
	$node->stop;

	my @said = grep {
		!/LOG:  (starting PostgreSQL|listening on|database system (was|is)|received (fast shutdown|SIGHUP)|aborting any active|shutting down|parameter )/
		  && !/LOG:  background worker "(logical replication launcher|automation launcher)" \(PID \d+\) exited with exit code 1/
	} split(/\n/, slurp_file($node->logfile));
	# what this test asks of psql before the server or a database is there
	@said = grep { !/FATAL:  (database "\w+" does not exist|the database system is (starting up|shutting down))/ } @said;
	is(join("\n", @said), '', 'the log says nothing');
}

# What the workers say of themselves

my $node = new_server('operations', q{
fsync = on
automation.event_segment_size = '1MB'
automation.step_timeout = '100s'
});
owner_database($node, 'work', 'app', $script . q{
CREATE TABLE control (nap boolean);
INSERT INTO control VALUES (true);
CREATE TABLE locked (contact bigint);
CREATE FUNCTION doze(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'doze';
BEGIN
  WAIT FOR '1 millisecond';
  INSERT INTO effect SELECT c.id, 'slept' FROM pg_sleep(CASE WHEN (SELECT nap FROM control) THEN 1000 ELSE 0 END);
  INSERT INTO locked VALUES (c.id);
END $$;
CREATE FUNCTION count(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF n;
  ENROLL AGAIN;
BEGIN
END $$;
});
my $watch = server_up($node, 'work');
my $user = server_up($node, 'work', 'app');
$user->query('SET search_path = app');
is_well($watch, 'a new server is well');
$user->query("INSERT INTO contact (kind) SELECT 'greet' FROM generate_series(1, 10)");
ok(wait_until($watch, 'SELECT count(*) = 20 FROM app.effect'), 'workflows run');
activity($watch, 'automation launcher', 'automation: starts coordinators%', 'idle', 'the launcher tells what it is');
activity($watch, 'automation coordinator', 'automation: waits for owners with work', 'idle', 'the coordinator waits');
activity($watch, 'automation executor of app', 'automation: waits for changes and timers', 'idle', 'the executor waits');
my $events = $watch->query("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'automation%' AND wait_event_type = 'Extension'");
is($events, 3, 'and all of them wait for an event of an extension');

# Numbers outlive an executor

my $counted = "SELECT entered || ' ' || ended || ' ' || waits_begun FROM automation.stat";
is($watch->query($counted), '10 10 10', 'entries, ends and waits are counted');
is($user->query($counted), '10 10 10', 'and shown to their owner');
my $executor = executor_pid($watch, 'app');
$watch->query("SELECT pg_terminate_backend($executor)");
$user->query("INSERT INTO contact (kind) VALUES ('greet')");
ok(wait_until($watch, "SELECT ($counted) = '11 11 11'"), 'the next executor counts on');
is($watch->query('SELECT executors_started FROM automation.stat_engine'), 2, 'executors are counted');
is($watch->query("SELECT bool_and(count = CASE kind WHEN 'event' THEN events_done WHEN 'item' THEN items WHEN 'batch' THEN batches ELSE 11 END)"
		. ' FROM automation.stat_latency JOIN automation.stat USING (owner)'), 't', 'the histograms agree');
$watch->query('SELECT automation.stat_reset()');
is($watch->query($counted), '0 0 0', 'and begin anew');
is($watch->query('SELECT sum(count) FROM automation.stat_histogram'), 0, 'with the histograms');

# An executor that is killed in the middle of an item

$user->query("INSERT INTO contact (kind) VALUES ('doze')");
activity($watch, 'automation executor of app', 'automation: batch of timers, workflow app.doze(app.contact)', 'active', 'the executor tells which workflow it is at');
$watch->query("BEGIN; LOCK TABLE app.locked IN SHARE MODE; PREPARE TRANSACTION 'lock'");
$executor = executor_pid($watch, 'app');
# who takes too long in company is cancelled and runs alone: that it sleeps is seen while it stands
my $sleeps = "SELECT query LIKE '%workflow app.doze(app.contact)' FROM pg_stat_activity WHERE pid = $executor";
for (1 .. 1000)
{
	kill 'STOP', $executor;
	last if $watch->query($sleeps) eq 't';
	kill 'CONT', $executor;
}
$watch->query('UPDATE app.control SET nap = false');
kill 'KILL', $executor;
$watch->close;
$user->close;
$watch = server_up($node, 'work');
has_problem($watch, 'suspect', 'the executor died while it ran%', 'what killed an executor is suspected');
ok(wait_until($watch, 'SELECT deaths = 1 AND conflicts > 0 FROM automation.stat'), 'the death is counted, and the locks it meets now');
$watch->query("COMMIT PREPARED 'lock'");
is_well($watch, 'and cleared when it has run');
is($watch->query("SELECT alone > 0 FROM automation.stat"), 't', 'alone');

# An owner who may not connect

$watch->query('REVOKE CONNECT ON DATABASE work FROM PUBLIC');
has_problem($watch, 'owner_cannot_connect', '%GRANT CONNECT ON DATABASE work TO app', 'an owner who may not connect');
$watch->query('GRANT CONNECT ON DATABASE work TO app');
is_well($watch, 'may again');

# A coordinator that refuses to work

$watch->query('CREATE RULE planted AS ON DELETE TO automation.wait DO ALSO NOTHING');
my $coordinator = $watch->query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'automation coordinator'");
$watch->query("SELECT pg_terminate_backend($coordinator)");
has_problem($watch, 'no_coordinator', '%something is wrong with the engine%SELECT pg_reload_conf()', 'no coordinator');
has_problem($watch, 'foreign_object', '%DROP RULE planted ON automation.wait', 'because of what somebody planted');
$watch->query('DROP RULE planted ON automation.wait');
$watch->query('SELECT pg_reload_conf()');
is_well($watch, 'which comes back when that is dropped');

# Who keeps the event log from being emptied

my $old = server_up($node, 'work');
my $pid = $old->pid;
$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
$old->query('SELECT count(*) FROM app.contact');
$watch->query("BEGIN; UPDATE app.contact SET n = n; PREPARE TRANSACTION 'forgotten'");
$user = server_up($node, 'work', 'app');
$user->query('CREATE TABLE app.many (id int PRIMARY KEY, n int)');
$user->query('CREATE FUNCTION app.watch_many(m app.many) RETURNS bigint LANGUAGE workflow AS $$ AFTER INSERT WHEN new.n < 0; BEGIN END $$');
$user->query('CREATE FUNCTION app.watch_all(m app.many) RETURNS bigint LANGUAGE workflow AS $$ AFTER INSERT; BEGIN END $$');
$user->query('INSERT INTO app.many SELECT i, i FROM generate_series(1, 15000) i');
ok(wait_until($watch, 'SELECT events = 0 FROM automation.stat', 600), 'many events are consumed');
has_problem($watch, 'log_held', "%keeps the event log%SELECT pg_terminate_backend($pid)", 'an old snapshot keeps the log');
has_problem($watch, 'log_held', "%ROLLBACK PREPARED ''forgotten''%", 'and a prepared transaction');
$watch->query("SELECT pg_terminate_backend($pid)");
$watch->query("ROLLBACK PREPARED 'forgotten'");
is_well($watch, 'the log is emptied when they have gone');
ok(wait_until($watch, 'SELECT rotations > 0 AND segments_emptied > 0 FROM automation.stat_engine'), 'which is counted')
  || diag($watch->query('SELECT * FROM automation.stat_engine'));

# A standby that reports its queries

$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\nwal_receiver_status_interval = 1s");
$standby->start;
my $reader = server_up($standby, 'work');
is_well($reader, 'a standby is well without workers');
$reader->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
$reader->query('SELECT count(*) FROM app.contact');
ok(wait_until($watch, 'SELECT count(backend_xmin) = 1 FROM pg_stat_replication'), 'a query on a standby');
$user->query('INSERT INTO app.many SELECT i, i FROM generate_series(15001, 35000) i');
ok(wait_until($watch, 'SELECT events = 0 FROM automation.stat', 600), 'many events are consumed');
has_problem($watch, 'log_held', '%keeps the event log%turn its hot_standby_feedback off', 'which keeps the log');
$reader->close;
is_well($watch, 'until it ends');
$standby->stop;

# Settings

$watch->query('ALTER SYSTEM SET fsync = off');
$watch->query('ALTER SYSTEM SET autovacuum = off');
$watch->query('ALTER SYSTEM SET automation.synchronous_commit = off');
$watch->query('ALTER SYSTEM SET automation.capture = off');
$watch->query('SELECT pg_reload_conf()');
ok(wait_until($watch, "SELECT array_agg(subject ORDER BY subject) = '{setting automation.capture,setting automation.synchronous_commit,setting autovacuum,setting fsync}'"
		. " FROM automation.health() WHERE code = 'setting'"), 'settings that are unsafe') || diag(ill($watch));
$watch->query('ALTER SYSTEM RESET ALL');
$watch->query('SELECT pg_reload_conf()');
is_well($watch, 'and safe again');

# Not enough worker processes.  The clock is moved, for nobody waits ten seconds.

$user->close;
$watch->close;
$node->append_conf('postgresql.conf', 'max_worker_processes = 2');
$node->restart;
$watch = server_up($node, 'work');
has_problem($watch, 'no_coordinator', '%raise max_worker_processes (now 2)%', 'no worker process for the coordinator');
$watch->close;
$node->append_conf('postgresql.conf', 'max_worker_processes = 3');
$node->restart;
$watch = server_up($node, 'work');
ok(wait_until($watch, "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'automation coordinator'"), 'one more');
$watch->query("INSERT INTO app.contact (kind) VALUES ('greet')");
$watch->query("CALL automation.advance('1 minute')");
has_problem($watch, 'no_executor', '%raise max_worker_processes (now 3)%', 'no worker process for the executor');
$watch->close;
$node->append_conf('postgresql.conf', 'max_worker_processes = 8');
$node->restart;
$watch = server_up($node, 'work');
ok(wait_until($watch, "SELECT count(*) = 0 FROM automation.health() WHERE code <> 'virtual_clock'"), 'enough of them') || diag(ill($watch));
$watch->close;
$node->stop;

done_testing();
