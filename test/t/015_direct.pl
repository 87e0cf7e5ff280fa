# Statements that run without the executor, beside other sessions: a row changed,
# locked or deleted between its look-up and its update, tables altered meanwhile.
# Nothing is lost, nothing is done twice.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until server_up);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

$ENV{PGUSER} = 'postgres';

# without preload nobody but run() works; one batch takes all rows
my $node = new_server('direct', "shared_preload_libraries = ''\nautomation.batch_time = 10s\n");

# gate() stands between the look-up of a target and its update: who has closed it
# may do something to the row the item has found already.
owner_database($node, 'work', 'app', q{
CREATE TABLE starter (id int PRIMARY KEY, n int);
CREATE TABLE target (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, m int NOT NULL DEFAULT 0);
CREATE TABLE effect (id int, found boolean);
CREATE FUNCTION gate(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  IF n = 5 THEN PERFORM pg_advisory_xact_lock(1); END IF;
  RETURN n;
END $$;
CREATE FUNCTION f(s starter) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  UPDATE target SET n = target.n + gate(s.n) WHERE id = s.id;
  INSERT INTO effect VALUES (s.id, FOUND);
END $$;
});

my $runner = server_up($node, 'work', 'app');
my $other = server_up($node, 'work', 'app');
my $watch = server_up($node, 'work');
$_->query('SET search_path = app') for $runner, $other;
my $runner_pid = $runner->pid;
my $base = 0;

# Eight rows, 1 to 8 beside the base.
sub rows
{
	$base += 1000;
	$other->query("INSERT INTO target (id) SELECT $base + g FROM generate_series(1, 8) g");
	$other->query("INSERT INTO starter SELECT $base + g, g FROM generate_series(1, 8) g");
	return $base + 5;
}

# run() up to the gate; there something is done; then it goes on to its end.
sub at_the_gate
{
	my ($what) = @_;

	$other->query('SELECT pg_advisory_lock(1)');
	$runner->send('CALL automation.run()');
	ok(wait_until($watch, "SELECT wait_event = 'advisory' FROM pg_stat_activity WHERE pid = $runner_pid"), 'run() stands at the gate');
	$what->();
	$other->query('SELECT pg_advisory_unlock(1)');
	return;
}

sub state
{
	my $last = $base + 8;
	return $other->query(qq{SELECT string_agg(n || CASE WHEN m > 0 THEN '/' || m ELSE '' END, ' ' ORDER BY id) FROM target WHERE id BETWEEN $base AND $last})
	  . '; not found: ' . $other->query(qq{SELECT coalesce(string_agg((id - $base)::text, ' '), '') FROM effect WHERE NOT found AND id > $base})
	  . '; effects: ' . $other->query(qq{SELECT count(*) || ' of ' || count(DISTINCT id) FROM effect WHERE id > $base});
}

# nobody disturbs
my $direct_before = 'SELECT statements_direct FROM automation.stat';
rows();
$runner->query('CALL automation.run()');
is(state(), '1 2 3 4 5 6 7 8; not found: ; effects: 8 of 8', 'nobody else');
is($runner->query($direct_before), 12, 'all but the first two rows went directly');

# another column and the same one changed
my $five = rows();
at_the_gate(sub { $other->query("UPDATE target SET n = n + 100, m = 9 WHERE id = $five"); });
$runner->receive;
is(state(), '1 2 3 4 105/9 6 7 8; not found: ; effects: 8 of 8', 'changed between look-up and update');

# changed twice, so that the row the item found is not the last version's neighbour
$five = rows();
at_the_gate(sub { $other->query("UPDATE target SET n = n + 100 WHERE id = $five") for 1 .. 3; });
$runner->receive;
is(state(), '1 2 3 4 305 6 7 8; not found: ; effects: 8 of 8', 'changed three times');

# deleted; deleted and made anew; another key
$five = rows();
at_the_gate(sub { $other->query("DELETE FROM target WHERE id = $five"); });
$runner->receive;
is(state(), '1 2 3 4 6 7 8; not found: 5; effects: 8 of 8', 'deleted');

$five = rows();
at_the_gate(sub { $other->query("UPDATE target SET id = id + 500 WHERE id = $five"); });
$runner->receive;
is(state(), '1 2 3 4 6 7 8; not found: 5; effects: 8 of 8', 'its key changed');

# the other one has not committed yet: it is waited for
for my $end ('COMMIT', 'ROLLBACK')
{
	$five = rows();
	$other->query("BEGIN; UPDATE target SET n = n + 100 WHERE id = $five");
	$runner->send('CALL automation.run()');
	ok(wait_until($watch, "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $runner_pid"), "run() waits for the row ($end)");
	$other->query($end);
	$runner->receive;
	is(state(), ($end eq 'COMMIT' ? '1 2 3 4 105 6 7 8' : '1 2 3 4 5 6 7 8') . '; not found: ; effects: 8 of 8', "waited for $end");
}

# repeatable read: the item fails, and does everything anew
$node->safe_psql('postgres', 'ALTER ROLE app SET default_transaction_isolation = "repeatable read"');
my $strict = server_up($node, 'work', 'app');
($runner, $strict) = ($strict, $runner);
$runner->query('SET search_path = app');
$runner_pid = $runner->pid;
$five = rows();
at_the_gate(sub { $other->query("UPDATE target SET n = n + 100 WHERE id = $five"); });
$runner->receive;
is(state(), '1 2 3 4 105 6 7 8; not found: ; effects: 8 of 8', 'repeatable read');
cmp_ok($runner->query('SELECT rollbacks FROM automation.stat'), '>', 0, 'after a serialization failure');
$node->safe_psql('postgres', 'ALTER ROLE app RESET default_transaction_isolation');
$runner->close;
$runner = $strict;
$runner_pid = $runner->pid;

# DDL of others waits for the batch, or does without its end
my $ddl = server_up($node, 'work', 'app');
my $ddl_pid = $ddl->pid;
$ddl->query('SET search_path = app');
rows();
at_the_gate(sub {
	$ddl->send('ALTER TABLE target ADD added int NOT NULL DEFAULT 7');
	ok(wait_until($watch, "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $ddl_pid"), 'ALTER TABLE waits for the batch');
});
$runner->receive;
$ddl->receive;
is(state(), '1 2 3 4 5 6 7 8; not found: ; effects: 8 of 8', 'before ALTER TABLE');
rows();
$runner->query('CALL automation.run()');
is(state(), '1 2 3 4 5 6 7 8; not found: ; effects: 8 of 8', 'after ALTER TABLE');
is($other->query('SELECT DISTINCT added FROM target'), 7, 'the added column is kept');

rows();
at_the_gate(sub {
	$ddl->send('CREATE INDEX CONCURRENTLY target_n ON target (n)');
	ok(wait_until($watch, "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $ddl_pid"), 'CREATE INDEX CONCURRENTLY waits for the batch');
});
$runner->receive;
$ddl->receive;
is(state(), '1 2 3 4 5 6 7 8; not found: ; effects: 8 of 8', 'while an index is built');
$other->query('SET enable_seqscan = off; SET enable_bitmapscan = off');
is($other->query("SELECT count(*) FROM target WHERE n = 7 AND id > $base"), 1, 'the index leads to what was written meanwhile');

rows();
at_the_gate(sub {
	is($ddl->query('ANALYZE target; ALTER TABLE target ALTER n SET STATISTICS 10; GRANT SELECT ON target TO PUBLIC; SELECT 1'), 1, 'ANALYZE and GRANT wait for nobody');
});
$runner->receive;
is(state(), '1 2 3 4 5 6 7 8; not found: ; effects: 8 of 8', 'while its statistics and rights change');

# who holds a lock for longer than that is come back to
$node->append_conf('postgresql.conf', 'automation.batch_time = 50ms');
$node->reload;
ok(wait_until($runner, "SELECT current_setting('automation.batch_time') = '50ms'"), 'locks are waited for shortly');
$five = rows();
$other->query("BEGIN; UPDATE target SET n = n + 100 WHERE id = $five");
$runner->query('CALL automation.run()');
is($watch->query("SELECT string_agg((id - $base)::text, ' ' ORDER BY id) FROM app.effect WHERE id > $base"), '1 2 3 4 6 7 8', 'the others are done');
$other->query('COMMIT');
$runner->query("CALL automation.advance('1 minute')");
is(state(), '1 2 3 4 105 6 7 8; not found: ; effects: 8 of 8', 'the one too, when the lock is gone');

$_->close for $runner, $other, $watch, $ddl;
$node->stop;

done_testing();
