# The life of the processes: who starts, who stops, who comes back, and who gets
# out of the way of DDL on whole databases.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1, extra => [ '-U', 'postgres' ]);
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'automation'
max_worker_processes = 24
max_prepared_transactions = 5
});
$node->start;

# Waits until so many processes of a kind live in a database.
sub processes
{
	my ($node, $kind, $database, $count, $name) = @_;
	my $where = $database ? "datname = '$database'" : 'datname IS NULL';
	ok( $node->poll_query_until('postgres',
			"SELECT count(*) = $count FROM pg_stat_activity WHERE backend_type LIKE 'automation $kind%' AND $where"),
		$name);
	return;
}

# A database with the extension, and a workflow of role app that notes names.
sub make_database
{
	my ($node, $database) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, q{
CREATE EXTENSION automation;
GRANT USAGE ON LANGUAGE workflow TO app;
CREATE SCHEMA app AUTHORIZATION app;
SET SESSION AUTHORIZATION app;
SET search_path = app;
CREATE TABLE contact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
CREATE TABLE note (name text);
CREATE TABLE work (done bigint);
CREATE FUNCTION greet(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO note VALUES (c.name);
END $$;
CREATE FUNCTION toil(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF name TO 'busy';
BEGIN
  INSERT INTO work SELECT count(*) FROM generate_series(1, 4000000);
  INSERT INTO work SELECT count(*) FROM generate_series(1, 4000000);
END $$;
});
	return;
}

# An insert is noticed and carried out.
sub works
{
	my ($node, $database, $name) = @_;
	my $who = $name =~ s/\W/_/gr;
	$node->safe_psql($database, "INSERT INTO app.contact (name) VALUES ('$who')");
	ok($node->poll_query_until($database, "SELECT count(*) = 1 FROM app.note WHERE name = '$who'"), $name);
	return;
}

sub make_busy
{
	my ($node, $database) = @_;
	$node->safe_psql($database, "INSERT INTO app.contact (name) VALUES ('quiet')");
	$node->safe_psql($database, "UPDATE app.contact SET name = 'busy' WHERE name = 'quiet'");
	ok( $node->poll_query_until('postgres', qq{
			SELECT count(*) = 1 FROM pg_stat_activity
			WHERE backend_type LIKE 'automation executor%' AND datname = '$database'}),
		"an executor lives in $database");
	return;
}

sub pid_of
{
	my ($node, $kind, $database) = @_;
	return $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'automation $kind%' AND datname = '$database'");
}

# Start

processes($node, 'launcher', undef, 1, 'the launcher lives');
processes($node, 'coordinator', 'postgres', 0, 'no coordinator without the extension');
$node->safe_psql('postgres', 'CREATE ROLE app LOGIN');
$node->safe_psql('postgres', "BEGIN; CREATE EXTENSION automation; ROLLBACK");
make_database($node, 'one');
processes($node, 'coordinator', 'one', 1, 'CREATE EXTENSION starts a coordinator');
processes($node, 'coordinator', 'postgres', 0, 'but not if it was rolled back');
works($node, 'one', 'the first insert is carried out');
processes($node, 'executor of app', 'one', 1, 'by an executor named after the owner');
is( $node->safe_psql('one', "SELECT DISTINCT usename FROM pg_stat_activity WHERE backend_type = 'automation executor of app'"),
	'app', 'which is authenticated as the owner');

# Restart, and deaths

$node->restart;
processes($node, 'coordinator', 'one', 1, 'the coordinator is back after a restart');
works($node, 'one', 'workflows run after a restart');

my $executor = pid_of($node, 'executor', 'one');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($executor)");
works($node, 'one', 'workflows run after an executor was terminated');

my $coordinator = pid_of($node, 'coordinator', 'one');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($coordinator)");
ok( $node->poll_query_until('postgres', qq{
		SELECT count(*) = 1 FROM pg_stat_activity
		WHERE backend_type = 'automation coordinator' AND datname = 'one' AND pid <> $coordinator}),
	'a terminated coordinator comes back');

my $launcher = $node->safe_psql('postgres',
	"SELECT pid FROM pg_stat_activity WHERE backend_type = 'automation launcher'");
$coordinator = pid_of($node, 'coordinator', 'one');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher)");
ok( $node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'automation launcher' AND pid <> $launcher"),
	'a terminated launcher comes back');
is(pid_of($node, 'coordinator', 'one'), $coordinator, 'and finds the coordinators that live');
works($node, 'one', 'workflows run under the new launcher');

# Somebody puts a trigger on an engine table

$node->safe_psql('one', q{
CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER planted BEFORE INSERT ON automation.timer FOR EACH ROW EXECUTE FUNCTION planted();
});
my $position = -s $node->logfile;
$node->restart;
ok($node->poll_query_until('postgres', "SELECT pg_read_file('@{[$node->logfile]}', $position, 1000000) LIKE '%unexpected trigger \"planted\" on table automation.timer%'"),
	'the coordinator refuses to work, naming the trigger');
processes($node, 'coordinator', 'one', 0, 'and ends');
$node->safe_psql('one', 'DROP TRIGGER planted ON automation.timer');
$node->reload;
processes($node, 'coordinator', 'one', 1, 'and works again when it is dropped');

# DDL on whole databases, with workers alive

$node->safe_psql('postgres', 'ALTER DATABASE one RENAME TO two');
processes($node, 'coordinator', 'two', 1, 'ALTER DATABASE RENAME, then the coordinator is back');
works($node, 'two', 'and workflows run');
$node->safe_psql('postgres', 'CREATE DATABASE three TEMPLATE two');
processes($node, 'coordinator', 'three', 1, 'a copied database gets a coordinator');
processes($node, 'coordinator', 'two', 1, 'and its template has it back');
works($node, 'two', 'workflows run in the template');
works($node, 'three', 'and in the copy');
make_busy($node, 'two');
$node->safe_psql('postgres', 'DROP DATABASE two');
ok(1, 'DROP DATABASE while an executor is busy');
make_busy($node, 'three');
$node->safe_psql('postgres', 'DROP DATABASE three WITH (FORCE)');
ok(1, 'DROP DATABASE WITH (FORCE) while an executor is busy');
make_database($node, 'four');
works($node, 'four', 'a new database works');
my ($ret, $stdout, $stderr) = $node->psql('four', 'DROP DATABASE four');
like($stderr, qr/cannot drop the currently open database/, 'a DROP DATABASE that fails');
processes($node, 'coordinator', 'four', 1, 'leaves the coordinator there, or lets it come back');
$node->safe_psql('four', 'CREATE ROLE nobody');
($ret, $stdout, $stderr) = $node->psql('postgres', 'SET ROLE nobody; DROP DATABASE four');
like($stderr, qr/must be owner of database four/, 'who may not drop a database does not stop its workers');
works($node, 'four', 'and workflows run');

# Prepared transactions have no commit callback of ours

$node->safe_psql('four', q{BEGIN; INSERT INTO app.contact (name) VALUES ('prepared'); PREPARE TRANSACTION 'p'});
$node->safe_psql('four', q{COMMIT PREPARED 'p'});
ok($node->poll_query_until('four', "SELECT count(*) = 1 FROM app.note WHERE name = 'prepared'"),
	'a prepared transaction is noticed');

# A standby

$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('flush'));
processes($standby, '', undef, 0, 'nobody works on a standby');
$standby->promote;
processes($standby, 'launcher', undef, 1, 'the launcher starts at promotion');
processes($standby, 'coordinator', 'four', 1, 'and the coordinator');
works($standby, 'four', 'workflows run on the promoted server');
$standby->stop;

# The end of the extension

$node->safe_psql('four', 'DROP EXTENSION automation CASCADE');
processes($node, '%', 'four', 0, 'DROP EXTENSION ends the workers');
$node->safe_psql('four', 'CREATE EXTENSION automation');
processes($node, 'coordinator', 'four', 1, 'and CREATE EXTENSION brings them back');
$node->stop;

my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|terminated by signal/, 'nothing crashed');

done_testing();
