# Two at a time, of different kinds: entries, commands, changes of keys, DDL,
# prepared and rolled back transactions against a live executor.  Who comes
# first is left to chance; each race asserts what must be true in either case,
# once all is quiet.
#
# AUTOMATION_TEST_FULL=1: ten times as many rounds.  AUTOMATION_TEST_SEED repeats
# the dice of a run.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until server_up executor_pid);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';
use Time::HiRes qw(time usleep);

my $rounds = $ENV{AUTOMATION_TEST_FULL} ? 300 : 30;
my $seed = srand($ENV{AUTOMATION_TEST_SEED} // (time() * 1000) % 1000000);
note("seed $seed");

my $node = new_server('races', q{
log_min_messages = warning
automation.retry_delay = '20ms'
automation.max_attempts = 4
automation.event_segment_size = 1MB
max_prepared_transactions = 20
});

owner_database($node, 'work', 'zoe');
owner_database($node, 'work', 'app', q{
CREATE TABLE contact (id bigint PRIMARY KEY, kind text, go boolean NOT NULL DEFAULT false, n int NOT NULL DEFAULT 0);
CREATE TABLE effect (contact bigint, what text, who name DEFAULT current_user);
CREATE TABLE ballast (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, load text);
CREATE FUNCTION either(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF kind TO 'both';
BEGIN
  INSERT INTO effect VALUES (c.id, 'both');
  WAIT UNTIL c.go;
END $$;
CREATE FUNCTION nap(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'nap';
BEGIN
  INSERT INTO effect VALUES (c.id, 'nap');
  WAIT FOR '4 milliseconds';
  INSERT INTO effect VALUES (c.id, 'awake');
END $$;
CREATE FUNCTION risk(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'risk';
BEGIN
  WAIT FOR '1 millisecond';
  INSERT INTO effect VALUES (c.id, 'ventured');
  INSERT INTO effect SELECT c.id, 'won' WHERE 1 / c.n = 1;
END $$;
CREATE FUNCTION stop(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'stop';
BEGIN
  INSERT INTO effect VALUES (c.id, 'first');
  WAIT FOR '2 milliseconds';
  INSERT INTO effect VALUES (c.id, 'last');
END $$;
CREATE FUNCTION moves(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'moves';
BEGIN
  WAIT UNTIL c.go;
  INSERT INTO effect VALUES (abs(c.id), 'moved');
END $$;
CREATE FUNCTION plain(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'plain';
  AFTER UPDATE OF kind TO 'plain';
BEGIN
  INSERT INTO effect VALUES (c.id, 'plain');
END $$;
CREATE FUNCTION never(b ballast) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.load LIKE 'never%';
BEGIN
  INSERT INTO effect VALUES (b.id, 'never');
END $$;
});

my ($watch, @user);
my $next_id = 1;

sub connect_all
{
	$watch = server_up($node, 'work');
	@user = map { server_up($node, 'work', 'app') } 0 .. 2;
	$_->query('SET search_path = app') for @user;
	return;
}

# Ids for a race.
sub ids
{
	my ($n) = @_;
	my $first = $next_id;

	$next_id += $n;
	return ($first .. $first + $n - 1);
}

# Each of the first sessions is sent its statement at the same moment; their answers.
sub race
{
	my (@sql) = @_;

	$user[$_]->send($sql[$_]) for 0 .. $#sql;
	return map { $user[$_]->receive // 'died' } 0 .. $#sql;
}

sub quiet
{
	my ($name) = @_;

	ok(wait_until($watch, q{
SELECT sum(events + parked + retrying) = 0 AND NOT EXISTS (SELECT FROM automation.enrollment WHERE wake_at IS NOT NULL)
FROM automation.stat}), "$name: quiet again")
	  or diag($watch->query('TABLE automation.stat'),
		$watch->query('SELECT workflow, state, reason, error, count(*) FROM automation.enrollments GROUP BY 1, 2, 3, 4'));
	return;
}

sub answer_is
{
	my ($query, $expected, $name) = @_;
	return is($watch->query("SET search_path = app, public; $query"), $expected, $name);
}

# Nothing that belongs to nobody; a timer that nobody needs goes when it is due.
sub no_orphans
{
	my ($name) = @_;
	my $orphans = q{
SELECT 'timer', count(*) FROM automation.timer t WHERE NOT EXISTS (SELECT FROM automation.enrollment e WHERE e.id = t.enrollment AND e.epoch = t.epoch AND e.owner = t.owner) HAVING count(*) > 0
UNION ALL SELECT 'argument', count(*) FROM automation.argument t WHERE NOT EXISTS (SELECT FROM automation.enrollment e WHERE e.id = t.enrollment) HAVING count(*) > 0
UNION ALL SELECT 'wait', count(*) FROM automation.wait t WHERE NOT EXISTS (SELECT FROM automation.enrollment e WHERE e.id = t.enrollment AND e.owner = t.owner) HAVING count(*) > 0
UNION ALL SELECT 'call', count(*) FROM automation.call t WHERE NOT EXISTS (SELECT FROM automation.enrollment e WHERE e.id = t.id) HAVING count(*) > 0
UNION ALL SELECT 'enrollment', count(*) FROM automation.enrollment t WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = t.workflow AND w.owner = t.owner) HAVING count(*) > 0
UNION ALL SELECT 'ledger', count(*) FROM automation.ledger t WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = t.workflow) HAVING count(*) > 0
UNION ALL SELECT 'rule', count(*) FROM automation.rule t WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = t.workflow) HAVING count(*) > 0
UNION ALL SELECT 'version', count(*) FROM automation.workflow_version t WHERE NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = t.workflow) HAVING count(*) > 0
UNION ALL SELECT 'parked', count(*) FROM automation.parked HAVING count(*) > 0};

	ok(wait_until($watch, "SELECT NOT EXISTS ($orphans)"), "$name: nothing is left over") or diag($watch->query("$orphans; SELECT now(), * FROM automation.parked; TABLE automation.workflow; SELECT pid, backend_type, state, wait_event, query FROM pg_stat_activity"));
	return;
}

connect_all();
my $jitter = 'PERFORM pg_sleep(random() * 0.004)';

# The same key, by a change and by hand

my @answers;
my @ids = ids($rounds);
$user[0]->query("INSERT INTO contact (id) SELECT generate_series($ids[0], $ids[-1])");
for my $id (@ids)
{
	@answers = race("UPDATE contact SET kind = 'both' WHERE id = $id", "SELECT either(c) > 0 FROM contact c WHERE id = $id");
	is("@answers", ' t', "by change and by hand: $id") if "@answers" ne ' t';
}
quiet('by change and by hand');
answer_is("SELECT count(*) || ' ' || count(DISTINCT contact) FROM effect WHERE what = 'both'", "$rounds $rounds", 'one of them enters');
answer_is("SELECT count(*) || ' ' || count(DISTINCT subject_key) FROM automation.enrollments WHERE workflow = 'either'",
	"$rounds $rounds", 'and is inside');
answer_is("SELECT sum(entries) || ' ' || sum(refusals) FROM automation.ledger l JOIN automation.workflow w ON w.id = l.workflow
WHERE w.signature LIKE 'app.either(%'", "$rounds $rounds", 'the other one is refused');

# Two ends: a time and a command

@ids = ids($rounds);
for my $id (@ids)
{
	my $delay = rand(0.008);
	race("INSERT INTO contact (id, kind) VALUES ($id, 'nap')");
	race("SELECT pg_sleep($delay); SELECT automation.unenroll('nap', c) FROM contact c WHERE id = $id",
		"SELECT pg_sleep($delay); SELECT automation.unenroll(id) FROM automation.enrollments WHERE workflow = 'nap'");
}
quiet('unenroll and timer');
answer_is("SELECT count(*) FROM automation.enrollments WHERE workflow = 'nap'", 0, 'unenroll and timer: all are out');
answer_is("SELECT count(*) FROM effect WHERE what = 'nap'", $rounds, 'each began once');
answer_is("SELECT count(*) FROM effect WHERE what = 'awake'",
	$watch->query("SELECT count(*) FROM automation.journal WHERE workflow = 'nap' AND event = 'ended' AND reason = 'completed'"),
	'who awoke has completed, and who has not has not');
answer_is("SELECT count(*) || ' ' || count(DISTINCT enrollment) FROM automation.journal WHERE workflow = 'nap' AND event = 'ended'
AND reason IN ('completed', 'manual')", "$rounds $rounds", 'each ended once');
diag($watch->query("SELECT reason, count(*) FROM automation.journal WHERE workflow = 'nap' AND event = 'ended' GROUP BY 1") =~ s/\n/, /gr);

# Two beginnings: a time and a command

@ids = ids($rounds);
for my $id (@ids)
{
	race("INSERT INTO contact (id, kind) VALUES ($id, 'risk')");
	usleep(rand(30000));
	race("UPDATE contact SET n = 1 WHERE id = $id; SELECT automation.retry('risk')",
		'SELECT automation.retry(id) FROM automation.enrollments WHERE workflow = \'risk\'');
}
quiet('retry and timer');
# who failed between the two is tried again now
$user[0]->query("SELECT automation.retry('risk')");
quiet('retry and timer');
answer_is("SELECT count(*) || ' ' || count(DISTINCT contact) FROM effect WHERE what = 'won'", "$rounds $rounds",
	'retry and timer: each step is done once');
answer_is("SELECT count(*) || ' ' || count(DISTINCT contact) FROM effect WHERE what = 'ventured'", "$rounds $rounds",
	'and so is the one before, which was rolled back');
answer_is("SELECT count(*) FROM automation.enrollments WHERE workflow = 'risk'", 0, 'nobody is left inside');
no_orphans('retry and timer');

# A pause in the middle of everything

@ids = ids($rounds * 5);
for my $i (0 .. $rounds - 1)
{
	my $first = $ids[ $i * 5 ];
	race(join(';', map { "INSERT INTO contact (id, kind) VALUES ($_, 'stop')" } $first .. $first + 4),
		"SELECT automation.pause('stop', " . (rand() < 0.5 ? 'true' : 'false') . '); DO $$ BEGIN ' . $jitter
		  . "; END \$\$; SELECT automation.resume('stop')");
}
quiet('pause and resume');
answer_is("SELECT count(*) FROM automation.enrollments WHERE workflow = 'stop'", 0, 'nobody is held any more');
answer_is("SELECT (SELECT count(*) FROM effect WHERE what = 'first')
  + (SELECT count(DISTINCT subject_key) FROM automation.journal WHERE workflow = 'stop' AND event = 'not_entered' AND reason = 'missed_while_paused')",
	$rounds * 5, 'each entered or missed it');
answer_is("SELECT count(*) FROM (SELECT contact FROM effect WHERE what IN ('first', 'last') GROUP BY 1
HAVING count(*) <> 2 OR count(DISTINCT what) <> 2) x", 0, 'who entered did everything once');
diag($watch->query("SELECT event, reason, count(*) FROM automation.journal WHERE workflow = 'stop' AND event IN ('ended', 'not_entered') GROUP BY 1, 2") =~ s/\n/, /gr);

# New versions while people enter

sub versioned
{
	my ($k) = @_;
	return qq{CREATE OR REPLACE FUNCTION app.versioned(c app.contact) RETURNS bigint LANGUAGE workflow SET search_path = app AS \$\$
  AFTER INSERT WHEN new.kind = 'versioned';
BEGIN
  INSERT INTO effect VALUES (c.id, 'version $k');
  WAIT FOR '3 milliseconds';
  INSERT INTO effect VALUES (c.id, 'version $k');
  WAIT FOR '1 millisecond';
  INSERT INTO effect VALUES (c.id, 'version $k');
END \$\$};
}
$user[0]->query(versioned(0));
@ids = ids($rounds * 5);
for my $i (0 .. $rounds - 1)
{
	my $first = $ids[ $i * 5 ];
	@answers = race(join(';', map { "INSERT INTO contact (id, kind) VALUES ($_, 'versioned')" } $first .. $first + 4),
		versioned($i));
	is("@answers", ' ', "CREATE OR REPLACE beside a batch, $i") if "@answers" ne ' ';
}
quiet('CREATE OR REPLACE');
answer_is("SELECT count(*) || ' ' || count(DISTINCT contact) FROM effect WHERE what LIKE 'version %'",
	$rounds * 15 . ' ' . $rounds * 5, 'CREATE OR REPLACE: all entered and did everything');
answer_is("SELECT count(*) FROM (SELECT contact FROM effect WHERE what LIKE 'version %' GROUP BY contact
HAVING count(DISTINCT what) > 1) x", 0, 'each under one version');
diag($watch->query("SELECT count(DISTINCT what) FROM app.effect WHERE what LIKE 'version %'") . ' versions were entered');

# A workflow is dropped while people enter, and comes back

@ids = ids($rounds * 5);
for my $i (0 .. $rounds - 1)
{
	my $first = $ids[ $i * 5 ];
	@answers = race(join(';', map { "INSERT INTO contact (id, kind) VALUES ($_, 'versioned')" } $first .. $first + 4),
		'DO $$ BEGIN ' . $jitter . '; END $$; DROP FUNCTION app.versioned');
	is("@answers", ' ', "DROP FUNCTION beside a batch, $i") if "@answers" ne ' ';
	no_orphans("DROP FUNCTION, $i") if $i % 10 == 0;
	$user[0]->query(versioned('again'));
}
quiet('DROP FUNCTION');
no_orphans('DROP FUNCTION');
answer_is("SELECT max(n) <= 3 FROM (SELECT count(*) AS n FROM effect WHERE contact BETWEEN $ids[0] AND $ids[-1] GROUP BY contact) x", 't',
	'nobody did anything twice');
my ($one) = ids(1);
$user[0]->query("INSERT INTO contact (id, kind) VALUES ($one, 'versioned')");
ok(wait_until($watch, "SELECT count(*) = 3 FROM app.effect WHERE contact = $one"), 'and the last one of its name works');

# It goes to another owner and back

my $root = server_up($node, 'work');
my $zoe = server_up($node, 'work', 'zoe');
$root->query('GRANT USAGE ON SCHEMA app TO zoe; GRANT CREATE ON SCHEMA app TO zoe; GRANT app TO zoe');
@ids = ids($rounds * 5);
for my $i (0 .. $rounds - 1)
{
	my $first = $ids[ $i * 5 ];
	my ($to, $session) = $i % 2 ? ('app', $user[1]) : ('zoe', $zoe);

	$user[0]->send(join(';', map { "INSERT INTO contact (id, kind) VALUES ($_, 'versioned')" } $first .. $first + 4));
	$root->query('DO $$ BEGIN ' . $jitter . '; END $$');
	my $answer = $root->query("ALTER FUNCTION app.versioned OWNER TO $to");
	is($answer, '', "ALTER OWNER beside a batch, $i") if $answer ne '';
	$session->query("SELECT automation.accept_versions('app.versioned')");
	$answer = $user[0]->receive;
	is($answer, '', "the inserts beside it, $i") if $answer ne '';
}
quiet('ALTER OWNER');
answer_is("SELECT count(*) || ' ' || count(DISTINCT contact) FROM effect WHERE contact BETWEEN $ids[0] AND $ids[-1]",
	$rounds * 15 . ' ' . $rounds * 5, 'ALTER OWNER: all entered and did everything, once');
answer_is("SELECT count(*) FROM automation.enrollments WHERE workflow = 'versioned'", 0, 'nobody is held');
no_orphans('ALTER OWNER');
diag($watch->query("SELECT who, count(*) FROM app.effect WHERE contact BETWEEN $ids[0] AND $ids[-1] GROUP BY 1") =~ s/\n/, /gr);
$root->query('REVOKE ALL ON SCHEMA app FROM zoe; REVOKE app FROM zoe');
$_->close for ($root, $zoe);

# Keys move while somebody is woken by them

@ids = ids($rounds);
$user[0]->query("INSERT INTO contact (id, kind) SELECT generate_series($ids[0], $ids[-1]), 'moves'");
ok(wait_until($watch, "SELECT count(*) = $rounds FROM automation.enrollments WHERE workflow = 'moves'"), 'all wait');
for my $id (@ids)
{
	@answers = race("UPDATE contact SET id = -id WHERE id = $id", "UPDATE contact SET go = true WHERE id = $id OR id = -$id");
	is("@answers", ' ', "key update and wake-up: $id") if "@answers" ne ' ';
	# after a lock wait the old snapshot does not see the row under its new key
	$user[1]->query("UPDATE contact SET go = true WHERE id = -$id AND NOT go");
	$user[2]->send("UPDATE contact SET id = -id WHERE id = -$id") if $id % 3 == 0;
	$user[2]->receive;
}
quiet('key update and wake-up');
answer_is("SELECT count(*) || ' ' || count(DISTINCT contact) FROM effect WHERE what = 'moved'", "$rounds $rounds",
	'key update and wake-up: each goes on once')
  or diag($watch->query("SELECT event, reason, count(*) FROM automation.journal WHERE workflow = 'moves' GROUP BY 1, 2"));
answer_is("SELECT count(*) FROM automation.enrollments WHERE workflow = 'moves'", 0, 'nobody waits under a key that is gone');

# run() in two sessions, while executors come and go

@ids = ids($rounds);
for my $id (@ids)
{
	$watch->send(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'automation executor of app'})
	  if rand() < 0.3;
	@answers = race("INSERT INTO contact (id, kind) VALUES ($id, 'nap')", 'CALL automation.run()', 'CALL automation.run()');
	like("@answers", qr/^ +$/, "run() beside executors that come and go, $id") if "@answers" !~ /^ +$/;
	$watch->receive;
}
quiet('run() and executors');
answer_is("SELECT count(*) || ' ' || count(DISTINCT contact) FROM effect WHERE what = 'awake' AND contact BETWEEN $ids[0] AND $ids[-1]",
	"$rounds $rounds", 'run() and executors: each once');

# Subtransactions that are rolled back

@ids = ids($rounds * 3);
$user[0]->query("INSERT INTO contact (id) SELECT generate_series(-$ids[-1], -$ids[0])");
for my $i (0 .. $rounds - 1)
{
	my ($x, $y, $z) = @ids[ $i * 3 .. $i * 3 + 2 ];
	race("BEGIN; INSERT INTO contact (id, kind) VALUES ($x, 'plain'); SAVEPOINT s; INSERT INTO contact (id, kind) VALUES ($y, 'plain');
UPDATE contact SET kind = 'plain' WHERE id = -$x; ROLLBACK TO s; INSERT INTO contact (id, kind) VALUES ($z, 'plain'); COMMIT",
		"BEGIN; SAVEPOINT s; UPDATE contact SET kind = 'plain' WHERE id = -$y; RELEASE s; SAVEPOINT t; UPDATE contact SET kind = NULL WHERE id = -$y;
ROLLBACK TO t; UPDATE contact SET kind = 'plain' WHERE id = -$z; ROLLBACK TO t; COMMIT",
		'BEGIN; INSERT INTO contact (id, kind) VALUES (-9, \'plain\'); ROLLBACK');
}
quiet('subtransactions');
answer_is("SELECT count(*) || ' ' || count(DISTINCT contact) FROM effect WHERE what = 'plain' AND contact BETWEEN $ids[0] AND $ids[-1]",
	2 * $rounds . ' ' . 2 * $rounds, 'subtransactions: what was committed entered, once');
answer_is("SELECT count(*) FROM effect WHERE what = 'plain' AND (contact = -9 OR contact BETWEEN $ids[0] AND $ids[-1]
AND NOT EXISTS (SELECT FROM contact c WHERE c.id = effect.contact))", 0, 'and nothing that was rolled back');
answer_is("SELECT count(*) FROM effect WHERE what = 'plain' AND contact < 0", $rounds, 'a change kept in an inner transaction counts');

# Prepared transactions, ended by other sessions, over a restart

@ids = ids($rounds * 2);
for my $i (0 .. $rounds - 1)
{
	my ($x, $y) = @ids[ $i * 2, $i * 2 + 1 ];
	$user[0]->query("BEGIN; INSERT INTO contact (id, kind) VALUES ($x, 'plain'); PREPARE TRANSACTION 'x$x'");
	$user[0]->query("BEGIN; INSERT INTO contact (id, kind) VALUES ($y, 'plain'); SAVEPOINT s; UPDATE contact SET kind = 'nothing' WHERE id = $y; ROLLBACK TO s;
INSERT INTO contact (id, kind) VALUES (-$y - 1000000, 'plain'); PREPARE TRANSACTION 'x$y'");
	# the last ones wait for the restart
	next if $i >= $rounds - 5;
	@answers = race('SELECT 1', "COMMIT PREPARED 'x$x'", "ROLLBACK PREPARED 'x$y'");
	is("@answers", '1  ', "prepared transactions, $i") if "@answers" ne '1  ';
}
$_->close for ($watch, @user);
$node->stop(rand() < 0.5 ? 'fast' : 'immediate');
$node->start;
connect_all();
for my $i ($rounds - 5 .. $rounds - 1)
{
	my ($x, $y) = @ids[ $i * 2, $i * 2 + 1 ];
	@answers = race("COMMIT PREPARED 'x$x'", "ROLLBACK PREPARED 'x$y'");
	is("@answers", ' ', "prepared transactions, $i") if "@answers" ne ' ';
}
quiet('prepared transactions');
answer_is("SELECT count(*) || ' ' || count(DISTINCT contact) FROM effect WHERE what = 'plain' AND contact BETWEEN $ids[0] AND $ids[-1]",
	"$rounds $rounds", 'prepared transactions: what was committed entered, once, over a restart as well');
answer_is("SELECT count(*) FROM effect WHERE what = 'plain' AND contact < -1000000", 0, 'what was rolled back did not');

# The event log rotates under long transactions

my $segment = 'SELECT current FROM automation.log';
my $last_segment = $watch->query($segment);
my $switches = 0;
@ids = ids($rounds * 3);

# The end of a prepared transaction wakes the coordinator, too.
sub fill_log
{
	my ($rows) = @_;

	$user[2]->query("BEGIN; INSERT INTO ballast (load) SELECT (SELECT string_agg(md5(i::text || j), '') FROM generate_series(1, 50) j)
FROM generate_series(1, $rows) i; PREPARE TRANSACTION 'ballast'");
	$user[2]->query("COMMIT PREPARED 'ballast'");

	my $now = $watch->query($segment);
	$switches++ if $now != $last_segment;
	$last_segment = $now;
	return;
}

for my $i (0 .. $rounds - 1)
{
	my ($x, $y, $z) = @ids[ $i * 3 .. $i * 3 + 2 ];

	if ($i % 3 == 0)
	{
		$user[0]->query("BEGIN; INSERT INTO contact (id, kind) VALUES ($x, 'plain')");
		$user[1]->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM contact');
	}
	fill_log(350);
	$user[0]->query("INSERT INTO contact (id, kind) VALUES ($y, 'plain')");
	next if $i % 3 != 2;
	$user[1]->query("INSERT INTO contact (id, kind) VALUES ($z, 'plain'); COMMIT");
	$user[0]->query('COMMIT');
}
# an open snapshot may have kept the log where it was
for (1 .. 100 * $PostgreSQL::Test::Utils::timeout_default)
{
	last if $switches;
	fill_log(100);
	usleep(10000);
}
quiet('rotation');
answer_is("SELECT count(*) || ' ' || count(DISTINCT contact) FROM effect WHERE what = 'plain' AND contact BETWEEN $ids[0] AND $ids[-1]",
	join(' ', ($watch->query("SELECT count(*) FROM app.contact WHERE id BETWEEN $ids[0] AND $ids[-1]")) x 2), 'rotation: all entered, once');
answer_is("SELECT count(*) FROM effect WHERE what = 'never'", 0, 'and nobody else');
cmp_ok($switches, '>', 0, 'the log went to another segment');
diag("the log went to another segment $switches times");

# DDL on one table does not wait for a lock on another one, because of a workflow

$user[0]->query('BEGIN; LOCK TABLE effect IN ACCESS EXCLUSIVE MODE');
like($user[1]->query('ALTER TABLE contact ADD COLUMN later int'), qr/could not check a workflow: canceling statement due to lock timeout/,
	'DDL on another table says what could not be checked, and goes on');
is($user[1]->query("SELECT count(*) FROM pg_attribute WHERE attrelid = 'contact'::regclass AND attname = 'later'"), 1, 'it was done');
is($user[0]->query('COMMIT'), '', 'while the lock was held');
is($user[1]->query('ALTER TABLE contact DROP COLUMN later'), '', 'the next one checks everything');

# DDL beside DDL

my %said;
for my $i (0 .. $rounds - 1)
{
	my @ddl = (versioned(1000 + $i),
		versioned(2000 + $i),
		"CREATE FUNCTION app.extra$i(c app.contact) RETURNS bigint LANGUAGE workflow AS 'AFTER UPDATE OF n TO $i; BEGIN END'; DROP FUNCTION app.extra$i",
		"CREATE FUNCTION app.other$i(c app.contact) RETURNS bigint LANGUAGE workflow AS 'AFTER UPDATE OF n TO $i; BEGIN END'; DROP FUNCTION app.other$i",
		"ALTER TABLE app.contact ADD COLUMN extra int; ALTER TABLE app.contact DROP COLUMN extra",
		'ALTER TABLE app.ballast ADD COLUMN extra int; ALTER TABLE app.ballast DROP COLUMN extra',
		"ALTER FUNCTION app.plain RENAME TO plain2; ALTER FUNCTION app.plain2 RENAME TO plain");
	my @chosen = sort { rand() <=> 0.5 } 0 .. $#ddl;

	$user[0]->query("INSERT INTO contact (id, kind) VALUES ($_, 'versioned')") for ids(1);
	@answers = race(map { $ddl[$_] } @chosen[ 0 .. 2 ]);
	for my $answer (@answers)
	{
		$said{ $answer =~ s/\d+/N/gr }++ if $answer ne '';
	}
}
is(join("\n", map { "$said{$_}: $_" } sort keys %said), '', 'DDL waits for other DDL and says nothing');
quiet('DDL beside DDL');
answer_is('SELECT count(*) FROM automation.workflows WHERE hold IS NOT NULL', 0, 'no workflow is held');
no_orphans('DDL beside DDL');
($one) = ids(1);
$user[0]->query("INSERT INTO contact (id, kind) VALUES ($one, 'versioned')");
ok(wait_until($watch, "SELECT count(*) = 3 FROM app.effect WHERE contact = $one"), 'and they work');

$_->close for (@user, $watch);
$node->stop;
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP:|terminated by signal|tuple concurrently/, 'nothing crashed')
  or diag(join "\n", ($log =~ /^.*(?:PANIC|TRAP:|terminated by signal|tuple concurrently).*$/mg)[ 0 .. 4 ]);
done_testing();
