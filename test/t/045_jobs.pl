# Jobs and moments: the executor is killed in the middle of a backfill, and the
# database dumped in the middle of another; each row enters exactly once.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database server_up);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $node = new_server('jobs', 'fsync = off');
owner_database($node, 'crm', 'app', q{
CREATE TABLE person (id int PRIMARY KEY, at timestamptz);
CREATE TABLE note (what text, id int);
INSERT INTO person SELECT i, NULL FROM generate_series(1, 5000) i;
CREATE FUNCTION flow(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  INSERT INTO note VALUES ('flow', p.id);
END $$;
});

# ---------------------------------------------------------------------------
# Killed
# ---------------------------------------------------------------------------

$node->safe_psql('crm', q{SELECT automation.backfill('app.flow', rate => 2500)}, extra_params => [ '-U', 'app' ]);
foreach my $n (500, 1500, 3000)
{
	ok($node->poll_query_until('crm', "SELECT count(*) >= $n FROM app.note"), "$n rows have entered");
	my $pid = $node->safe_psql('crm', q{SELECT pid FROM pg_stat_activity
		WHERE backend_type = 'automation executor of app' AND datname = current_database()});
	ok($pid && kill('KILL', $pid), 'the executor is killed');
	ok(server_up($node, 'crm'), 'the server is up again');
}
ok($node->poll_query_until('crm', q{SELECT bool_and(state = 'done') FROM automation.progress}), 'the job comes to its end');
is($node->safe_psql('crm', q{SELECT count(*), count(DISTINCT id) FROM app.note}), '5000|5000', 'each row has entered once');
is($node->safe_psql('crm', q{SELECT done FROM automation.progress}), '5000', 'and was looked at once');

# ---------------------------------------------------------------------------
# Dumped
# ---------------------------------------------------------------------------

$node->safe_psql('crm', q{
SET SESSION AUTHORIZATION app; SET search_path = app;
DELETE FROM note;
DELETE FROM person WHERE id > 400;
CREATE FUNCTION later(p person) RETURNS bigint LANGUAGE workflow AS $$
  AT p.at;
BEGIN
  INSERT INTO note VALUES ('later', p.id);
END $$;
UPDATE person SET at = clock_timestamp() + interval '1 day' WHERE id <= 100;
});
ok($node->poll_query_until('crm', q{SELECT count(*) = 100 FROM automation.moments}), 'moments are known');
$node->safe_psql('crm', q{SELECT automation.backfill('app.flow', rate => 40)}, extra_params => [ '-U', 'app' ]);
ok($node->poll_query_until('crm', q{SELECT count(*) > 20 FROM app.note}), 'the job is at work');
my $dump = PostgreSQL::Test::Utils::tempdir . '/crm.sql';
$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', $dump, 'crm' ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port, '-d', 'copy', '-f', $dump ], 'restored');
my $halfway = $node->safe_psql('copy', q{SELECT done FROM automation.progress WHERE kind = 'backfill' AND finished_at IS NULL});
cmp_ok($halfway, '>', 0, 'the restored job stands where it stood');
is($node->safe_psql('copy', 'SELECT count(*) FROM app.note'), $halfway, 'and its rows have entered');
is($node->safe_psql('copy', q{SELECT count(*), count(DISTINCT subject_key) FROM automation.moments WHERE at > now()}), '100|100', 'moments are restored');
$node->safe_psql('copy', 'CALL automation.arm()');
ok($node->poll_query_until($_, q{SELECT bool_and(state = 'done') FROM automation.progress}), "$_: the job comes to its end") foreach qw(crm copy);
$node->safe_psql($_, q{CALL automation.advance('2 days')}, extra_params => [ '-U', 'app' ]) foreach qw(crm copy);
foreach my $database (qw(crm copy))
{
	ok($node->poll_query_until($database, q{SELECT count(*) = 100 FROM app.note WHERE what = 'later'}), "$database: the moments come");
	is($node->safe_psql($database, q{SELECT what, count(*), count(DISTINCT id) FROM app.note GROUP BY 1 ORDER BY 1}),
		"flow|400|400\nlater|100|100", "$database: each row has entered once");
}

$node->stop;
done_testing();
