# Dumps under unusual circumstances: while the engine works, without owners and
# privileges, over what is there already, with triggers switched off; and
# pg_upgrade.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until server_up);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $directory = PostgreSQL::Test::Utils::tempdir;
my $live = new_server('live', "automation.event_segment_size = '1MB'\nautomation.retry_delay = '1h'\nfsync = off");

# Three steps for everybody, written to a table without any key.
my $travel = q{
CREATE TABLE contact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, stage text);
CREATE TABLE note (contact bigint, step int);
CREATE FUNCTION travel(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO note VALUES (c.id, 1);
  WAIT FOR '100 milliseconds';
  INSERT INTO note VALUES (c.id, 2);
  WAIT FOR '100 milliseconds';
  INSERT INTO note VALUES (c.id, 3);
END $$;
};

# Contacts, how many of them have not made each step exactly once, and notes of nobody.
my $wrong = q{
SELECT count(c.id) || ' ' || count(*) FILTER (WHERE c.id IS NOT NULL AND steps IS DISTINCT FROM '{1,2,3}') || ' ' || count(*) FILTER (WHERE c.id IS NULL)
FROM app.contact c FULL JOIN (SELECT contact, array_agg(step ORDER BY step) AS steps FROM app.note GROUP BY 1) n ON n.contact = c.id
};

sub as
{
	my ($role, $node, $database, $sql) = @_;
	return $node->safe_psql($database, "SET search_path = app;\n$sql", extra_params => [ '-U', $role ]);
}

sub restore
{
	my ($node, $database, $name, @command) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->command_ok([ @command, '-d', $node->connstr($database), "$directory/$name" ], "$database: restored");
	return;
}

# ---------------------------------------------------------------------------
# pg_dump while the engine works: what it sees is a moment between two commits
# ---------------------------------------------------------------------------

my $dumps = 3;

owner_database($live, 'busy', 'app', $travel);
my $busy = server_up($live, 'busy', 'app');
my $watch = server_up($live, 'busy');

# people and pg_dump are at work at the same time
$busy->send('SET search_path = app');
$busy->send("INSERT INTO contact (name) SELECT repeat('x', 200) FROM generate_series(1, 20)") foreach 1 .. 600;
foreach my $i (1 .. $dumps)
{
	my $notes = $watch->query('SELECT count(*) FROM app.note');
	wait_until($watch, "SELECT count(*) > $notes FROM app.note");
	command_ok([ 'pg_dump', '-Fc', '-d', $live->connstr('busy'), '-f', "$directory/busy_$i" ],
		"busy: dump $i" . ($busy->answered ? '' : ' while people work'));
}
$busy->receive;
ok(wait_until($watch, 'SELECT count(*) = 36000 FROM app.note'), 'busy: everybody arrives');
is($watch->query($wrong), '12000 0 0', 'busy: exactly once');

foreach my $i (1 .. $dumps)
{
	my $database = "busy_$i";

	restore($live, $database, $database, 'pg_restore', '-e');
	my $state = $live->safe_psql($database, q{SELECT (SELECT count(*) FROM automation.event_0) + (SELECT count(*) FROM automation.event_1) || ' unread, ' || (SELECT count(*) FROM automation.enrollment) || ' inside'});
	$live->safe_psql($database, 'CALL automation.arm()');
	as('app', $live, $database, "CALL automation.advance('1 minute')");
	like($live->safe_psql($database, $wrong), qr/^\d+ 0 0$/, "$database: nobody is lost, nothing is done twice ($state)");
}
ok( $watch->query(q{SELECT bool_or(current > 0) OR (SELECT pg_relation_size('automation.event_1') > 0) FROM automation.log}) eq 't' ||
	$watch->query(q{SELECT pg_relation_filenode('automation.event_0') <> 'automation.event_0'::regclass::oid}) eq 't',
	'busy: the log was rotated meanwhile');

# ---------------------------------------------------------------------------
# Without owners and privileges, and handed over to somebody else
# ---------------------------------------------------------------------------

owner_database($live, 'theirs', 'app', $travel . q{
CREATE FUNCTION once(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage TO 'once';
BEGIN
  INSERT INTO note VALUES (c.id, 10);
END $$;
CREATE FUNCTION later(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT FOR '3 days';
  INSERT INTO note VALUES (c.id, 20);
END $$;
});
my $theirs = server_up($live, 'theirs');
as('app', $live, 'theirs', "INSERT INTO contact (name) SELECT 'x' FROM generate_series(1, 10); UPDATE contact SET stage = 'once'");
ok( wait_until($theirs, "SELECT (SELECT count(*) FROM automation.enrollments) = 10 AND (SELECT count(*) FROM app.note) = 40"),
	'theirs: 10 are inside, 10 were once');
command_ok([ 'pg_dump', '-d', $live->connstr('theirs'), '--no-owner', '-x', '-f', "$directory/theirs.sql" ], 'theirs: dumped');
$theirs->close;

# The role that wrote the workflows exists (on this server), or does not (on another).
my $foreign = new_server('foreign', 'fsync = off');
foreach my $node ($live, $foreign)
{
	my $how = $node == $live ? 'other owner' : 'unknown owner';
	my $stop = $node == $live ? 1 : 0;

	$node->safe_psql('postgres', 'CREATE ROLE heir LOGIN; CREATE DATABASE mine');
	my ($ret, $stdout, $stderr) = $node->psql('mine', '', extra_params => [ '-v', "ON_ERROR_STOP=$stop", '-f', "$directory/theirs.sql" ]);
	like($stderr, $stop ? qr/^$/ : qr/ERROR:  role "app" does not exist/, "$how: restored by the superuser");

	# before arm() already people work, and superusers hand things over
	$node->safe_psql('mine', q{
INSERT INTO app.contact (name) VALUES ('while it is disarmed');
GRANT USAGE ON LANGUAGE workflow TO heir;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO heir;
ALTER SCHEMA app OWNER TO heir;
ALTER TABLE app.contact OWNER TO heir;
ALTER TABLE app.note OWNER TO heir;
ALTER FUNCTION app.travel(app.contact) OWNER TO heir;
});
	is($node->safe_psql('mine', 'SELECT count(*) FROM automation.event_0'), 1, "$how: changes are noted while it is disarmed");
	($ret, $stdout, $stderr) = $node->psql('mine', 'CALL automation.arm()');
	is(() = $stderr =~ /NOTICE:  EXECUTE on workflow app\.\w+\(app\.contact\) was revoked from PUBLIC/g, 3, "$how: arm() closes functions that came without privileges");
	is( $node->safe_psql('mine', q{
SELECT count(*) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE lanname = 'workflow' AND has_function_privilege('public', p.oid, 'EXECUTE')}),
		0, "$how: PUBLIC may not execute workflows");
	$node->safe_psql('mine', "ALTER FUNCTION app.$_(app.contact) OWNER TO heir") foreach qw(once later);
	is( as('heir', $node, 'mine', 'SELECT name, owner, version, hold FROM automation.workflows ORDER BY 1'),
		"later|heir|1|owner_changed\nonce|heir|1|owner_changed\ntravel|heir|1|owner_changed", "$how: the workflows are held");
	is( as('heir', $node, 'mine', 'SELECT count(*), min(owner::text), max(owner::text) FROM automation.enrollments'), '10|heir|heir', "$how: whoever is inside is the new owner's");
	as('heir', $node, 'mine', "CALL automation.advance('1 hour')");
	is($node->safe_psql('mine', 'SELECT count(*) FROM app.note'), 40, "$how: nothing runs");
	($ret, $stdout, $stderr) = $node->psql('mine', "SELECT automation.accept_versions('app.' || n) FROM unnest('{once,later,travel}'::text[]) n",
		extra_params => [ '-U', 'heir' ]);
	like($stderr, qr/NOTICE:.*INSERT INTO note VALUES \(c\.id, 20\)/s, "$how: accept_versions() shows what was written by the old owner");
	as('heir', $node, 'mine', "UPDATE contact SET stage = NULL; UPDATE contact SET stage = 'once' WHERE id <= 10; CALL automation.advance('5 days')");
	is( $node->safe_psql('mine', 'SELECT count(*), count(DISTINCT (contact, step)), count(*) FILTER (WHERE step = 10) FROM app.note'),
		'54|54|10', "$how: then all go on exactly once, and nobody enters twice");
	is($node->safe_psql('mine', "SELECT count(*) FROM app.note n WHERE contact NOT IN (SELECT id FROM app.contact WHERE id <= 10)"),
		4, "$how: the change made while it was disarmed has entered");
}
$foreign->stop;

# ---------------------------------------------------------------------------
# Over what is there already
# ---------------------------------------------------------------------------

owner_database($live, 'again', 'app', $travel);
as('app', $live, 'again', "INSERT INTO contact (name) SELECT 'x' FROM generate_series(1, 10)");
my $again = server_up($live, 'again');
ok(wait_until($again, 'SELECT count(*) = 30 FROM app.note'), 'again: live');
$again->close;
# some stand anywhere when the dump is made
as('app', $live, 'again', q{INSERT INTO contact (name) SELECT 'z' FROM generate_series(1, 100)});
command_ok([ 'pg_dump', '-Fc', '-d', $live->connstr('again'), '-f', "$directory/again" ], 'again: dumped');
$live->command_ok([ 'pg_restore', '-e', '--clean', '--if-exists', '-d', $live->connstr('again'), "$directory/again" ],
	'clean: restored over the living database');
like(($live->psql('again', 'CALL automation.run()'))[2], qr/the engine is disarmed/, 'clean: disarmed');
$live->safe_psql('again', 'CALL automation.arm()');
as('app', $live, 'again', q{INSERT INTO contact (name) SELECT 'y' FROM generate_series(1, 10); CALL automation.advance('1 hour')});
is($live->safe_psql('again', 'SELECT count(*), count(DISTINCT (contact, step)) FROM app.note'), '360|360', 'clean: all goes on');

# Data alone, with the triggers of all tables switched off, ours too
$live->safe_psql('postgres', 'CREATE DATABASE quiet');
$live->command_ok([ 'pg_restore', '-e', '-s', '-d', $live->connstr('quiet'), "$directory/again" ], 'quiet: schema restored');
$live->safe_psql('quiet', 'CALL automation.reconcile()');
$live->command_ok([ 'pg_restore', '-e', '-a', '--disable-triggers', '-d', $live->connstr('quiet'), "$directory/again" ], 'quiet: data restored, triggers off');
like(($live->psql('quiet', 'CALL automation.run()'))[2], qr/the engine is disarmed/, 'quiet: disarmed');
$live->safe_psql('quiet', 'CALL automation.arm()');
as('app', $live, 'quiet', q{INSERT INTO contact (name) SELECT 'y' FROM generate_series(1, 10); CALL automation.advance('1 hour')});
is($live->safe_psql('quiet', 'SELECT count(*), count(DISTINCT (contact, step)) FROM app.note'), '360|360', 'quiet: all goes on');

# ---------------------------------------------------------------------------
# pg_upgrade
# ---------------------------------------------------------------------------

my $old = PostgreSQL::Test::Cluster->new('old');
$old->init(extra => [ '-U', 'postgres' ]);
$old->append_conf('postgresql.conf', "shared_preload_libraries = 'automation'\nmax_worker_processes = 24\nfsync = off");
$old->start;
owner_database($old, 'shop', 'app', $travel . q{
CREATE FUNCTION later(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  WAIT UNTIL c.stage = 'customer' TIMEOUT '3 days';
  INSERT INTO note VALUES (c.id, 20 + found::int);
END $$;
});
as('app', $old, 'shop', "INSERT INTO contact (name) SELECT 'x' FROM generate_series(1, 100)");
my $shop = server_up($old, 'shop');
ok(wait_until($shop, 'SELECT (SELECT count(*) FROM app.note) = 300 AND (SELECT count(*) FROM automation.enrollments) = 100'),
	'upgrade: 100 are inside');
$shop->close;
# dropped and made again, so that its OID is not what it would be
as('app', $old, 'shop', 'CREATE FUNCTION nothing() RETURNS int LANGUAGE sql RETURN 1');
$old->stop;
# without executors some changes stay unread
$old->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$old->start;
as('app', $old, 'shop', "INSERT INTO contact (name) SELECT 'unread' FROM generate_series(1, 10)");
my $before = $old->safe_psql('shop', 'SELECT e FROM automation.enrollment e ORDER BY id');
$old->stop;
$old->append_conf('postgresql.conf', "shared_preload_libraries = 'automation'\nlog_min_messages = debug1");

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init(extra => [ '-U', 'postgres' ]);
$new->append_conf('postgresql.conf', "shared_preload_libraries = 'automation'\nmax_worker_processes = 24\nfsync = off\nlog_min_messages = debug1");

chdir $directory or die;
my $bindir = $old->config_data('--bindir');
$new->command_ok(
	[
		'pg_upgrade', '--no-sync', '--retain', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $bindir, '-B', $bindir,
		'-s', $new->host, '-p', $old->port, '-P', $new->port
	],
	'upgrade: pg_upgrade');
my @servers = slurp_dir($new->data_dir . '/pg_upgrade_output.d');
my ($run) = grep { !/^\./ } @servers;
my $said = slurp_file($new->data_dir . "/pg_upgrade_output.d/$run/log/pg_upgrade_server.log");
ok($said =~ /DEBUG:  loaded library "automation"/, 'upgrade: the servers say what they load and start');
ok($said !~ /worker (process )?"automation (launcher|coordinator|executor)/, 'upgrade: none of our workers, who would change what is being copied');
$new->start;
my $upgraded = server_up($new, 'shop');
ok(wait_until($upgraded, 'SELECT (SELECT count(*) FROM app.note) = 330'), 'upgrade: goes on by itself, and unread changes enter');
is( $upgraded->query("SELECT count(*) FROM ((SELECT e::text FROM automation.enrollment e) INTERSECT SELECT unnest(string_to_array(\$x\$$before\$x\$, E'\\n'))) x"),
	100, 'upgrade: those inside are as they were');
as('app', $new, 'shop', q{
UPDATE contact SET stage = 'customer' WHERE id <= 50;
INSERT INTO contact (name) SELECT 'y' FROM generate_series(1, 10);
CALL automation.advance('4 days')});
is( $upgraded->query('SELECT step, count(*), count(DISTINCT contact) FROM app.note GROUP BY 1 ORDER BY 1'),
	"1|120|120\n2|120|120\n3|120|120\n20|70|70\n21|50|50", 'upgrade: all go on exactly once, new rows enter');
is($upgraded->query('SELECT count(*) FILTER (WHERE note IS NULL AND active) FROM automation.workflows'), 2, 'upgrade: no workflow is held');
$upgraded->close;
$new->stop;

$_->close foreach $busy, $watch;
$live->stop;
unlike(slurp_file($_->logfile), qr/PANIC|terminated by signal/, 'nothing crashed') foreach $live, $foreign, $new;

done_testing();
