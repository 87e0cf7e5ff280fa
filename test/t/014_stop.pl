# Getting out of the way: the server stops, databases, the extension and roles
# are dropped, renamed, copied and moved, owners change, all while executors are
# at work.  Nobody crashes, nothing is left behind, and the others go on: another
# database, and another owner in the same one.
#
# AUTOMATION_TEST_FULL=1: 20 stops instead of 5, of each kind.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until server_up children process_lives);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';
use Time::HiRes qw(time usleep);

my $stops = $ENV{AUTOMATION_TEST_FULL} ? 20 : 5;
my $patience = 30;				# seconds in which a server must stop; it takes a fraction of one
my $node = new_server('stop', 'log_min_messages = warning');

# "load" never rests: each of its subjects goes round and round.
my $tables = q{
CREATE TABLE ball (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int NOT NULL DEFAULT 0, on_move boolean NOT NULL DEFAULT true);
CREATE TABLE trace (ball bigint, n int);
CREATE FUNCTION bounce(b ball) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  <<again>>
  INSERT INTO trace VALUES (b.id, b.n);
  UPDATE ball SET n = n + 1 WHERE id = b.id;
  WAIT FOR '1 millisecond';
  IF b.on_move THEN
    GO TO again AT MOST 10000 TIMES;
  END IF;
END $$;
CREATE TABLE pulse (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
CREATE TABLE beat (pulse bigint);
CREATE FUNCTION steady(p pulse) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '1 millisecond';
  INSERT INTO beat VALUES (p.id);
END $$;
};

my $watch;

# A database where its owners' executors are busy; with a neighbour elsewhere,
# whose executor is not.
sub busy_database
{
	my ($database, @owners) = @_;

	owner_database($node, $database, $_, $tables) for @owners;
	$node->safe_psql($database, "INSERT INTO $_.ball (n) SELECT 0 FROM generate_series(1, 30)") for @owners;
	is_busy($database, $_) for @owners;
	return;
}

# A session each time: the others may not be connected.
sub becomes
{
	my ($database, $query, $name) = @_;
	my $session = server_up($node, $database);
	my $result = ok($session && wait_until($session, $query), $name);

	$session->close if $session;
	return $result;
}

sub is_busy
{
	my ($database, $owner) = @_;
	my $n = $node->safe_psql($database, "SELECT coalesce(sum(n), 0) FROM $owner.ball");
	return becomes($database, "SELECT sum(n) > $n + 30 FROM $owner.ball", "$owner is busy in $database");
}

# A new subject is carried through.
sub advances
{
	my ($database, $owner, $name) = @_;
	my $id = $node->safe_psql($database, "INSERT INTO $owner.pulse DEFAULT VALUES RETURNING id");
	return becomes($database, "SELECT count(*) = 1 FROM $owner.beat WHERE pulse = $id", $name);
}

sub neighbours_advance
{
	my ($name) = @_;

	advances('calm', 'neighbour', "another database goes on: $name");
	return;
}

# No turn was lost or done twice: each ball's trace is 0, 1, 2 ... n - 1.
sub unbroken
{
	my ($database, $owner, $name) = @_;
	is($node->safe_psql($database, qq{
SELECT count(*) FROM $owner.ball b WHERE (SELECT coalesce(array_agg(t.n ORDER BY t.n), '{}') FROM $owner.trace t WHERE t.ball = b.id)
  <> ARRAY(SELECT generate_series(0, b.n - 1))}), 0, $name);
	return;
}

sub workers_in
{
	my ($database) = @_;
	return "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'automation %' AND datname = '$database'";
}

sub command_works
{
	my ($database, $command, $name) = @_;
	my ($ret, $out, $err) = $node->psql($database, $command);

	return is($err =~ s/^psql:.*?NOTICE:.*\n(?:DETAIL:.*\n(?:(?:and|drop|trigger|function|event|table|view)\b.*\n)*)?//mgr, '', $name)
	  && is($ret, 0, "$name: succeeds");
}

# Rows of the registry and of the executors that belong to nobody, and triggers
# without a rule.
sub no_orphans
{
	my ($database, $name) = @_;
	my $orphans = q{
SELECT 'timer', count(*) FROM automation.timer t WHERE NOT EXISTS (SELECT FROM automation.enrollment e WHERE e.id = t.enrollment AND e.epoch = t.epoch AND e.owner = t.owner) HAVING count(*) > 0
UNION ALL SELECT 'argument', count(*) FROM automation.argument t WHERE NOT EXISTS (SELECT FROM automation.enrollment e WHERE e.id = t.enrollment) HAVING count(*) > 0
UNION ALL SELECT 'wait', count(*) FROM automation.wait t WHERE NOT EXISTS (SELECT FROM automation.enrollment e WHERE e.id = t.enrollment) HAVING count(*) > 0
UNION ALL SELECT 'enrollment', count(*) FROM automation.enrollment t WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = t.workflow AND w.owner = t.owner) HAVING count(*) > 0
UNION ALL SELECT 'ledger', count(*) FROM automation.ledger t WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = t.workflow) HAVING count(*) > 0
UNION ALL SELECT 'rule', count(*) FROM automation.rule t WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = t.workflow) HAVING count(*) > 0
UNION ALL SELECT 'version', count(*) FROM automation.workflow_version t WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = t.workflow) HAVING count(*) > 0
UNION ALL SELECT 'workflow', count(*) FROM automation.workflow w WHERE NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = w.routine) HAVING count(*) > 0
UNION ALL SELECT 'source', count(*) FROM automation.source s WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.relation) HAVING count(*) > 0
UNION ALL SELECT 'parked', count(*) FROM automation.parked p WHERE p.workflow IS NOT NULL AND NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = p.workflow) HAVING count(*) > 0
UNION ALL SELECT 'trigger', count(*) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE p.proname = 'capture' AND p.pronamespace = 'automation'::regnamespace
  AND NOT EXISTS (SELECT FROM automation.source s JOIN automation.rule r ON r.source = s.id WHERE s.relation = t.tgrelid AND r.armed) HAVING count(*) > 0};

	becomes($database, "SELECT NOT EXISTS ($orphans)", "$name: no row or trigger is left over")
	  or diag($node->safe_psql($database, $orphans));
	return;
}

owner_database($node, 'calm', 'neighbour', $tables);
busy_database('work', 'app', 'zoe');

# The server stops

sub stop_and_start
{
	my ($mode) = @_;
	my %before = children($node->{_pid});
	my $start = time();

	$node->stop($mode);
	my $seconds = time() - $start;
	is(scalar(grep { process_lives($_) } keys %before), 0, "$mode: no process is left");
	$node->start;
	return $seconds;
}

for my $mode ('fast', 'immediate')
{
	my @seconds;

	for my $i (1 .. $stops)
	{
		push @seconds, stop_and_start($mode);
		is_busy('work', 'app');
		usleep(rand(100000));
	}
	@seconds = sort { $a <=> $b } @seconds;
	cmp_ok($seconds[-1], '<', $patience, "$mode: the server stops under load");
	diag(sprintf('%d stops, %s, under load: median %.2f s, longest %.2f s', $stops, $mode, $seconds[ $#seconds / 2 ], $seconds[-1]));
}
is_busy('work', 'zoe');

# Smart: as long as a client is connected the server lives, and so do the workers
# (the core stops its own background workers only when the last client has gone).
my $client = server_up($node, 'work');
my $position = -s $node->logfile;
my $stopper = IPC::Run::start([ 'pg_ctl', '-D', $node->data_dir, '-m', 'smart', '-t', 120, 'stop' ], '>', \my $said, '2>&1');
ok(wait_until($client, "SELECT pg_read_file('@{[$node->logfile]}', $position, 1000000) LIKE '%smart shutdown request%'"), 'a smart stop is asked for');
is($client->query('SELECT 1'), '1', 'who is connected goes on');
my ($ret, $out, $err) = $node->psql('work', 'SELECT 1');
like($err, qr/the database system is shutting down/, 'nobody else gets in');
my $n = $client->query('SELECT sum(n) FROM app.ball');
ok(wait_until($client, "SELECT sum(n) > $n + 30 FROM app.ball"), 'workflows run as long as somebody is there');
my $start = time();
$client->close;
IPC::Run::finish($stopper);
is($stopper->result(0), 0, 'when he has gone the server stops');
diag(sprintf('smart: %.2f s after the last client', time() - $start));
$node->{_pid} = undef;
$node->start;
is_busy('work', 'app');
unbroken('work', $_, "$_: no turn was lost or done twice over all this") for ('app', 'zoe');

# Databases

command_works('postgres', 'ALTER DATABASE work RENAME TO renamed', 'ALTER DATABASE RENAME');
is_busy('renamed', 'app');
neighbours_advance('RENAME');
mkdir $node->basedir . '/space';
command_works('postgres', "CREATE TABLESPACE space LOCATION '@{[$node->basedir]}/space'", 'CREATE TABLESPACE');
command_works('postgres', 'ALTER DATABASE renamed SET TABLESPACE space', 'ALTER DATABASE SET TABLESPACE');
is_busy('renamed', 'zoe');
neighbours_advance('SET TABLESPACE');
command_works('postgres', 'CREATE DATABASE copy TEMPLATE renamed', 'CREATE DATABASE TEMPLATE');
is_busy('renamed', 'app');
is_busy('copy', 'app');
is_busy('copy', 'zoe');
advances('copy', 'zoe', 'new subjects enter the copy');
unbroken('copy', $_, "$_: no turn was lost or done twice in the copy") for ('app', 'zoe');
neighbours_advance('TEMPLATE');

# A client keeps the database; the workers come back.
$client = server_up($node, 'copy');
($ret, $out, $err) = $node->psql('postgres', 'DROP DATABASE copy');
like($err, qr/is being accessed by other users/, 'DROP DATABASE while a client is connected is refused');
is_busy('copy', 'app');
$client->close;
my $oid = $node->safe_psql('postgres', "SELECT oid FROM pg_database WHERE datname = 'copy'");
command_works('postgres', 'DROP DATABASE copy', 'DROP DATABASE when he has gone');
is($node->safe_psql('postgres', workers_in('copy')), 0, 'no worker is left');
$client = server_up($node, 'renamed');
command_works('postgres', 'CREATE DATABASE copy TEMPLATE calm', 'its name is used again');
advances('copy', 'neighbour', 'and workflows run there');
command_works('postgres', 'DROP DATABASE renamed WITH (FORCE)', 'DROP DATABASE WITH (FORCE), with a client');
is($client->query('SELECT 1'), undef, 'who has lost his connection');
$client->close;
is($node->safe_psql('postgres', workers_in('renamed')), 0, 'no worker is left');
neighbours_advance('DROP DATABASE');
is( $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'automation %' AND datid NOT IN (SELECT oid FROM pg_database)"),
	0, 'no worker works for a database that is gone');

# A dropped database leaves no place taken in shared memory, which has 64.
if ($ENV{AUTOMATION_TEST_FULL})
{
	for my $i (1 .. 70)
	{
		$node->safe_psql('postgres', 'CREATE DATABASE fleeting TEMPLATE calm');
		becomes('postgres', "SELECT (@{[workers_in('fleeting')]}) > 0", "a database comes: $i");
		$node->safe_psql('postgres', 'DROP DATABASE fleeting');
	}
	neighbours_advance('many databases');
}

# Roles

busy_database('work', 'app', 'zoe');
owner_database($node, 'work', 'bystander', $tables);
$node->safe_psql('postgres', 'CREATE ROLE heir LOGIN; CREATE ROLE member LOGIN');
$node->safe_psql('work', 'GRANT USAGE ON LANGUAGE workflow TO heir; GRANT USAGE, CREATE ON SCHEMA app, zoe TO heir');
($ret, $out, $err) = $node->psql('postgres', 'DROP ROLE app');
like($err, qr/role "app" cannot be dropped because some objects depend on it/, 'DROP ROLE of an owner at work is refused');
is_busy('work', 'app');
command_works('postgres', 'ALTER ROLE app RENAME TO renamed_app', 'ALTER ROLE RENAME');
is_busy('work', 'app');
$node->safe_psql('postgres',
	"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'automation executor of app'");
is_busy('work', 'app');
becomes('work', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'automation executor of renamed_app'",
	'the next executor has the new name');
advances('work', 'bystander', 'another owner goes on');
command_works('postgres', 'ALTER ROLE renamed_app RENAME TO app', 'and back');

# LOGIN and CONNECT are looked at at once, not only now and then; without
# anything else to wake the coordinator.
SKIP:
{
	skip 'from 17 on an owner needs no LOGIN', 3 if $node->pg_version >= 17;
	command_works('work', 'ALTER ROLE zoe NOLOGIN', 'ALTER ROLE NOLOGIN');
	becomes('work', "SELECT bool_and(hold = 'owner_cannot_connect') FROM automation.workflows WHERE owner = 'zoe'::regrole",
		'his workflows are held');
	command_works('work', 'ALTER ROLE zoe LOGIN', 'ALTER ROLE LOGIN');
	is_busy('work', 'zoe');
}
command_works('work', 'REVOKE CONNECT ON DATABASE work FROM PUBLIC; GRANT CONNECT ON DATABASE work TO app, bystander, heir', 'REVOKE CONNECT');
becomes('work', "SELECT bool_and(hold = 'owner_cannot_connect') FROM automation.workflows WHERE owner = 'zoe'::regrole", 'his workflows are held');
advances('work', 'bystander', 'another owner goes on');
command_works('work', 'GRANT CONNECT ON DATABASE work TO zoe', 'GRANT CONNECT');
is_busy('work', 'zoe');

command_works('work', 'REASSIGN OWNED BY zoe TO heir', 'REASSIGN OWNED');
becomes('work', "SELECT bool_and(owner = 'heir'::regrole AND hold = 'owner_changed') FROM automation.workflows WHERE schema = 'zoe'",
	'the workflows belong to the heir, who must accept them');
advances('work', 'bystander', 'another owner goes on');
$n = $node->safe_psql('work', 'SELECT sum(n) FROM zoe.ball');
command_works('work', "SET client_min_messages = warning; SET SESSION AUTHORIZATION heir; SELECT automation.accept_versions('zoe.bounce'); SELECT automation.accept_versions('zoe.steady')",
	'he does');
is_busy('work', 'zoe');
advances('work', 'zoe', 'as the heir');
unbroken('work', 'zoe', 'and no turn was lost or done twice');
becomes('work', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'automation executor of heir' AND usename = 'heir'", 'by his executor');
no_orphans('work', 'REASSIGN OWNED');
command_works('work', 'DROP OWNED BY zoe CASCADE', 'DROP OWNED BY the former owner');
is_busy('work', 'zoe');
command_works('postgres', 'REVOKE CONNECT ON DATABASE work FROM zoe', 'his last right is revoked');
command_works('work', 'DROP ROLE zoe', 'DROP ROLE when he owns nothing any more');
advances('work', 'zoe', 'his schema lives on');

command_works('work', 'DROP OWNED BY heir CASCADE', 'DROP OWNED BY an owner at work');
becomes('work', "SELECT count(*) = 0 FROM automation.workflows WHERE owner = 'heir'::regrole", 'his workflows are gone');
no_orphans('work', 'DROP OWNED');
command_works('work', 'REVOKE ALL ON DATABASE work FROM heir; DROP ROLE heir', 'he can be dropped');
advances('work', 'bystander', 'another owner goes on');
becomes('work', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'automation executor of heir'", 'his executor is gone');
is_busy('work', 'app');

# The extension

my $before = $node->safe_psql('work', q{
SELECT string_agg(tgrelid::regclass::text || '.' || tgname, ' ') FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE p.proname = 'capture'});
like($before, qr/app\.ball/, 'watched tables have triggers');
$node->psql('work', 'DROP EXTENSION automation');
is_busy('work', 'app');
command_works('work', 'SET client_min_messages = warning; DROP EXTENSION automation CASCADE', 'DROP EXTENSION CASCADE');
is($node->safe_psql('work', q{
SELECT (SELECT count(*) FROM pg_trigger t WHERE NOT tgisinternal) || ' ' || (SELECT count(*) FROM pg_namespace WHERE nspname = 'automation')
 || ' ' || (SELECT count(*) FROM pg_language WHERE lanname = 'workflow') || ' ' || (SELECT count(*) FROM pg_event_trigger)
 || ' ' || (SELECT count(*) FROM pg_depend d WHERE d.refclassid = 'pg_extension'::regclass AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.oid = d.refobjid))
 || ' ' || (SELECT count(*) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE l.lanname = 'workflow')}),
	'0 0 0 0 0 0', 'no trigger, schema, language, event trigger, dependency or workflow is left');
becomes('work', "SELECT (@{[workers_in('work')]}) = 0", 'no worker is left');
is($node->safe_psql('work', 'INSERT INTO app.ball (n) VALUES (0); SELECT 1'), 1, 'its former tables can be written to');
neighbours_advance('DROP EXTENSION');
command_works('work', "CREATE EXTENSION automation; GRANT USAGE ON LANGUAGE workflow TO app", 'CREATE EXTENSION again');
command_works('work', q{SET SESSION AUTHORIZATION app; SET search_path = app;
CREATE FUNCTION steady(p pulse) RETURNS bigint LANGUAGE workflow AS 'AFTER INSERT; BEGIN INSERT INTO beat VALUES (p.id); END'}, 'a workflow is made anew');
advances('work', 'app', 'and runs');
no_orphans('work', 'CREATE EXTENSION again');
advances('work', 'app', 'workflows run in the end');
neighbours_advance('in the end');

$node->stop;
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP:|terminated by signal/, 'nobody crashed')
  or diag(join "\n", ($log =~ /^.*(?:PANIC|TRAP:|terminated by signal).*$/mg)[ 0 .. 4 ]);
done_testing();
