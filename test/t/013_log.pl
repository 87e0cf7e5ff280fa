# The event log as a reader who is at work sees it: he asks for what was added
# since he read last, and finds it by few index entries, one at least for each
# transaction, owner and block.  Nothing may be missing, whoever shares a block,
# whatever is rolled back, consumed or moved in between.
#
# A run() is kept waiting between two reads; what it has not carried out when it
# returns, it has not found.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until server_up);
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $rows = 5000;
my $node = new_server('log', q{
shared_preload_libraries = ''
automation.reader_limit = 1000
automation.batch_time = 10s
});

for my $role ('app', 'other')
{
	owner_database($node, 'work', $role, qq{
CREATE TABLE gate (id int PRIMARY KEY);
CREATE TABLE opened (id int);
CREATE TABLE passed (id int, what text);
CREATE TABLE effect (id int, state text);
CREATE FUNCTION pass(n int) RETURNS text LANGUAGE plpgsql AS \$\$
BEGIN
  PERFORM pg_advisory_xact_lock(n);
  WHILE NOT EXISTS (SELECT FROM $role.opened WHERE id = n) LOOP
    PERFORM pg_sleep(0.002);
  END LOOP;
  RETURN 'passed';
END \$\$;
CREATE FUNCTION gatekeeper(g gate) RETURNS bigint LANGUAGE workflow AS \$\$
  AFTER INSERT;
BEGIN
  INSERT INTO passed VALUES (g.id, pass(g.id));
END \$\$;
});
}
my $watch = server_up($node, 'work');
my %session = map { $_ => server_up($node, 'work', $_) } 'app', 'other';
$session{$_}->query("SET search_path = $_") for keys %session;

$session{app}->query(qq{
CREATE TABLE item (id int PRIMARY KEY, state text);
CREATE TABLE thing (id int PRIMARY KEY, state text);
INSERT INTO item SELECT i, 'new' FROM generate_series(1, $rows) i;
INSERT INTO thing SELECT i, 'new' FROM generate_series(1, $rows) i;
GRANT USAGE ON SCHEMA app TO other;
GRANT SELECT, TRIGGER ON item, thing TO other;
CREATE FUNCTION seen(i item) RETURNS bigint LANGUAGE workflow AS \$\$
  AFTER UPDATE OF state;
  ENROLL AGAIN;
BEGIN
  INSERT INTO effect VALUES (i.id, i.state);
END \$\$;
CREATE FUNCTION thing_seen(t thing) RETURNS bigint LANGUAGE workflow AS \$\$
  AFTER UPDATE OF state;
  ENROLL AGAIN;
BEGIN
  INSERT INTO effect VALUES (t.id, t.state);
END \$\$;
});
$session{other}->query(q{
CREATE FUNCTION seen_too(i app.item) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF state;
  ENROLL AGAIN;
BEGIN
  INSERT INTO effect VALUES (i.id, i.state);
END $$;
});

my $gate = 0;

# What happens between two reads of a role's run(); returns when that is done.
sub between_reads
{
	my ($role, $code) = @_;

	$gate++;
	$session{$role}->query("INSERT INTO gate VALUES ($gate)");
	$session{$role}->send('CALL automation.run()');
	wait_until($watch, "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = $gate)")
	  or BAIL_OUT('run() did not come to the gate');
	$code->();
	$watch->query("INSERT INTO $role.opened VALUES ($gate)");
	$session{$role}->receive;
	return;
}

sub effects
{
	my ($role, $state) = @_;
	return $watch->query("SELECT count(*) || ' ' || count(DISTINCT id) FROM $role.effect WHERE state = '$state'");
}

# Rows of a transaction for an owner in a block without a head: must be none.
sub headless
{
	return $watch->query(q{
SELECT count(*) FROM (SELECT 1 FROM automation.event_0 GROUP BY xact, owner, (ctid::text::point)[0] HAVING NOT bool_or(head)) x});
}

my $amcheck = $watch->query("SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'");
$watch->query('CREATE EXTENSION amcheck') if $amcheck;

sub index_is_sound
{
	my ($when) = @_;

  SKIP:
	{
		skip 'no amcheck', 1 unless $amcheck;
		is($watch->query(q{SELECT bt_index_check('automation.event_0_xact_idx', true)}), '', "the index is sound $when");
	}
	return;
}

# More than a reader keeps in mind, by one transaction

between_reads('app', sub {
	$watch->query("UPDATE app.item SET state = 'bulk'");
	is(headless(), 0, 'each block has a head');
	is($watch->query('SELECT count(*) FILTER (WHERE head) BETWEEN 1 AND count(*) / 10 FROM automation.event_0'), 't', 'heads are few');
	index_is_sound('with a change of many rows');
});
is(effects('app', 'bulk'), "$rows $rows", 'a change of many rows');
is($watch->query('SELECT count(*) FROM automation.event_0 WHERE owner = (SELECT id FROM automation.owner WHERE role = \'app\'::regrole)'),
	0, 'all are consumed');

# To the second owner the blocks look as if rows had been taken out of them.

between_reads('other', sub {
	$watch->query("UPDATE app.item SET state = 'both'");
	is(headless(), 0, 'each owner has heads of his own');
	$session{app}->query('CALL automation.run()');
});
is(effects('app', 'both'), "$rows $rows", 'the first of two owners');
is(effects('other', 'both'), "$rows $rows", 'the second, later');

# A savepoint takes its heads along.

between_reads('app', sub {
	$watch->query(q{BEGIN; UPDATE app.item SET state = 'before' WHERE id <= 10});
	$watch->query(q{SAVEPOINT s; UPDATE app.item SET state = 'undone' WHERE id BETWEEN 11 AND 300; ROLLBACK TO s});
	$watch->query(q{UPDATE app.item SET state = 'after' WHERE id BETWEEN 301 AND 310});
	$watch->query(q{SAVEPOINT s; UPDATE app.item SET state = 'released' WHERE id BETWEEN 311 AND 600; RELEASE s});
	$watch->query(q{UPDATE app.item SET state = 'end' WHERE id BETWEEN 601 AND 610; COMMIT});
	is(headless(), 0, 'what is left has heads');
});
is(join(' | ', map { "$_ " . effects('app', $_) } 'before', 'undone', 'after', 'released', 'end'),
	'before 10 10 | undone 0 0 | after 10 10 | released 290 290 | end 10 10', 'savepoints');

# Begun before the last read, prepared, and committed after it

$watch->query(q{BEGIN; UPDATE app.item SET state = 'prepared'; PREPARE TRANSACTION 'p'});
between_reads('app', sub {
	$watch->query(q{UPDATE app.thing SET state = 'meanwhile'});
	$watch->query(q{COMMIT PREPARED 'p'});
});
is(effects('app', 'prepared'), "$rows $rows", 'a prepared transaction');
is(effects('app', 'meanwhile'), "$rows $rows", 'and one beside it');

# Another owner gets the rows that others are found by.

between_reads('app', sub {
	$watch->query(q{
DO $$ BEGIN
  FOR i IN 1 .. 300 LOOP
    UPDATE app.thing SET state = 'moved' WHERE id BETWEEN 3 * i AND 3 * i + 2;
    UPDATE app.item SET state = 'stays' WHERE id = i;
  END LOOP;
END $$});
	is($watch->query('ALTER FUNCTION app.thing_seen(app.thing) OWNER TO other'), '', 'a workflow gets another owner');
	is(headless(), 0, 'what stays has heads');
	index_is_sound('after it');
});
is(effects('app', 'stays'), '300 300', 'what stays is found');

# Other storage: the same entries again, or more.

$watch->query(q{UPDATE app.item SET state = 'again'});
$watch->query('VACUUM FULL automation.event_0');
index_is_sound('in other storage');
$session{app}->query('CALL automation.run()');
is(effects('app', 'again'), "$rows $rows", 'what was there before VACUUM FULL');

$_->close for $watch, values %session;
$node->stop;
done_testing();
