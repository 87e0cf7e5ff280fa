# What the workers do by themselves: wake, survive, take the blame, give way.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until server_up executor_pid);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';
use Time::HiRes qw(time usleep);

my $node = new_server('workers', q{
automation.retry_delay = '20ms'
automation.max_attempts = 3
automation.max_executors = 3
automation.step_timeout = '100s'
});

my $tables = q{
CREATE TABLE contact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text, n int NOT NULL DEFAULT 0);
CREATE TABLE effect (contact bigint, what text, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE FUNCTION plain(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'plain';
BEGIN
  INSERT INTO effect VALUES (c.id, 'plain');
END $$;
};
owner_database($node, 'work', 'app', $tables . q{
CREATE FUNCTION nap(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'nap';
BEGIN
  INSERT INTO effect VALUES (c.id, 'before');
  WAIT FOR '1500 milliseconds';
  INSERT INTO effect VALUES (c.id, 'after');
END $$;
CREATE FUNCTION fails(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'fails';
BEGIN
  INSERT INTO effect VALUES (c.id, 'tried');
  INSERT INTO effect VALUES (c.id, (1 / c.n)::text);
END $$;
CREATE FUNCTION sleeps(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'sleeps';
BEGIN
  INSERT INTO effect SELECT c.id, 'slept' FROM pg_sleep(CASE WHEN c.n = 0 THEN 1000 ELSE 0 END);
END $$;
CREATE FUNCTION sleeps_late(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'sleeps late';
BEGIN
  WAIT FOR '10 milliseconds';
  INSERT INTO effect SELECT c.id, 'slept' FROM pg_sleep(CASE WHEN c.n = 0 THEN 1000 ELSE 0 END);
END $$;
CREATE FUNCTION drowsy(kind text) RETURNS boolean LANGUAGE plpgsql AS
'BEGIN IF kind = ''drowsy'' THEN PERFORM pg_sleep(1000); END IF; RETURN true; END';
CREATE FUNCTION sleeps_first(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind LIKE 'd%' AND drowsy(new.kind);
BEGIN
  INSERT INTO effect VALUES (c.id, 'awake');
END $$;
-- does not let itself be cancelled
CREATE FUNCTION stubborn() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  LOOP
    BEGIN
      PERFORM pg_sleep(1000);
    EXCEPTION WHEN query_canceled THEN
      NULL;
    END;
  END LOOP;
END $$;
CREATE FUNCTION resists(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'resists';
BEGIN
  INSERT INTO effect SELECT c.id, 'never' FROM stubborn();
END $$;
CREATE FUNCTION crosses(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF kind TO 'cross';
  ENROLL AGAIN;
BEGIN
  UPDATE contact SET n = n + 1 WHERE id = c.id;
  UPDATE contact SET n = n + 1 WHERE id = c.id - 1;
  INSERT INTO effect VALUES (c.id, 'crossed');
END $$;
});

my $watch = server_up($node, 'work');
my $user = server_up($node, 'work', 'app');
$user->query('SET search_path = app');

sub settings
{
	my %value = @_;

	$watch->query("ALTER SYSTEM SET $_ = '$value{$_}'") for keys %value;
	$node->reload;
	ok(wait_until($watch, "SELECT current_setting('$_') = '$value{$_}'"), "$_ = $value{$_}") for keys %value;
	return;
}

sub enter
{
	my ($kind) = @_;
	return $user->query("INSERT INTO contact (kind) VALUES ('$kind') RETURNING id");
}

sub has_effect
{
	my ($id, $what, $name) = @_;
	return ok(wait_until($watch, "SELECT count(*) = 1 FROM app.effect WHERE contact = $id AND what = '$what'"), $name);
}

# State and reason of an entry's only enrollment.
sub is_held
{
	my ($id, $state, $name) = @_;
	my $where = "FROM automation.enrollments WHERE subject_key LIKE '%$id%'";
	my $is = "SELECT state || ' ' || reason $where";

	return ok(wait_until($watch, "SELECT ($is) = '$state'"), $name)
	  || diag($watch->query("SELECT state, reason, error $where"));
}

# Kills the executor whenever it sleeps inside a step, until the condition
# holds; how many times.
sub kill_sleepers
{
	my ($signal, $condition) = @_;
	my $end = time() + $PostgreSQL::Test::Utils::timeout_default;
	my $kills = 0;

	while (time() < $end)
	{
		my $answer = $watch->query(qq{
SELECT CASE WHEN $condition THEN 'done' ELSE
  (SELECT pid::text FROM pg_stat_activity WHERE backend_type = 'automation executor of app' AND wait_event = 'PgSleep') END});

		if (!defined $answer || $answer !~ /^(\d+|done|)$/)
		{
			$watch->close;
			$watch = server_up($node, 'work');
			next;
		}
		last if $answer eq 'done';
		next unless $answer;
		$kills++ if kill $signal, $answer;
		# its death is the server's
		until (!defined $watch->query('SELECT 1')) { usleep(1000); }
	}
	$_->close for ($watch, $user);
	$watch = server_up($node, 'work');
	$user = server_up($node, 'work', 'app');
	$user->query('SET search_path = app');
	return $kills;
}

# A commit wakes

has_effect(enter('plain'), 'plain', 'the first change starts an executor');
my $executor = executor_pid($watch, 'app');
wait_until($watch, "SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $executor");
my $before = time();
my $last = enter('plain');
wait_until($watch, "SELECT count(*) = 1 FROM app.effect WHERE contact = $last");
my $seconds = time() - $before;
cmp_ok($seconds, '<', 2, 'a commit wakes a sleeping executor');
diag(sprintf('from the insert to the sight of its effect: %.1f ms', $seconds * 1000));

# A timer wakes

my $id = enter('nap');
has_effect($id, 'after', 'a timer wakes a sleeping executor');
my $late = $watch->query(qq{
SELECT extract(epoch FROM max(at) - min(at)) - 1.5 FROM app.effect WHERE contact = $id});
cmp_ok($late, '>=', -0.01, 'not too early');
cmp_ok($late, '<', 1, 'nor much too late');
diag(sprintf('timer: %.1f ms late', $late * 1000));
is(executor_pid($watch, 'app'), $executor, 'it is still the same executor');

$id = enter('nap');
has_effect($id, 'before', 'somebody waits');
$watch->query("SELECT pg_terminate_backend($executor)");
has_effect($id, 'after', 'and a timer starts an executor where none is');
$executor = executor_pid($watch, 'app');

# An error stops nobody

$user->query(q{
INSERT INTO contact (kind) SELECT CASE WHEN i % 10 = 5 THEN 'fails' ELSE 'plain' END FROM generate_series(1, 200) i});
ok(wait_until($watch, q{SELECT count(*) = 20 FROM automation.enrollments WHERE workflow = 'fails' AND state = 'failed'}),
	'items that raise errors fail after their attempts');
is($watch->query(q{
SELECT count(*) FROM app.contact c WHERE kind = 'plain'
AND (SELECT count(*) FROM app.effect e WHERE e.contact = c.id AND e.what = 'plain') <> 1}), 0,
	'their neighbours advanced, once each');
is($watch->query("SELECT count(*) FROM app.effect WHERE what = 'tried'"), 0, 'and left nothing behind');
is($watch->query(q{
SELECT DISTINCT attempt || ' ' || error FROM automation.enrollments WHERE workflow = 'fails'}),
	'3 line 5: 22012 division by zero', 'with the error and its place');
is(executor_pid($watch, 'app'), $executor, 'the executor survived');
$user->query("UPDATE contact SET n = 1 WHERE kind = 'fails'");
is($user->query("SELECT automation.retry('fails')"), 20, 'all are tried again');
ok(wait_until($watch, "SELECT count(*) = 20 FROM app.effect WHERE what = '1'"), 'and succeed');

# Who kills the server

my $killer = enter('sleeps');
my $neighbour = enter('nap');
my $kills = kill_sleepers('KILL', "EXISTS (SELECT FROM automation.enrollments WHERE workflow = 'sleeps' AND state = 'held')");
is_held($killer, 'held suspected_crash', 'who kills his process again and again is held');
cmp_ok($kills, '>=', 3, 'not before the third death alone');
cmp_ok($kills, '<=', 5, 'nor much later');
has_effect($neighbour, 'after', 'his neighbour goes on');
has_effect(enter('plain'), 'plain', 'new ones enter');
$user->query("UPDATE contact SET n = 1 WHERE id = $killer");
is($user->query("SELECT automation.retry(id) FROM automation.enrollments WHERE state = 'held'"), 't', 'he is tried again');
has_effect($killer, 'slept', 'and goes on');

$killer = enter('sleeps late');
$neighbour = enter('nap');
$kills = kill_sleepers('SEGV', "EXISTS (SELECT FROM automation.enrollments WHERE workflow = 'sleeps_late' AND state = 'held')");
is_held($killer, 'held suspected_crash', 'the same behind a wait');
cmp_ok($kills, '>=', 3, 'not before the third death alone');
cmp_ok($kills, '<=', 5, 'nor much later');
has_effect($neighbour, 'after', 'his neighbour goes on');
is($user->query("SELECT automation.unenroll(id) FROM automation.enrollments WHERE state = 'held'"), 't', 'he is taken out');
ok(wait_until($watch, 'SELECT count(*) = 0 FROM automation.enrollments'), 'and gone');

$killer = enter('drowsy');
$neighbour = enter('nap');
$kills = kill_sleepers('KILL', "EXISTS (SELECT FROM automation.journal WHERE event = 'not_entered' AND reason = 'suspected_crash')");
is($watch->query("SELECT count(*) FROM automation.journal WHERE event = 'not_entered' AND reason = 'suspected_crash'"),
	1, 'a condition that kills is given up at last');
diag("a condition that kills: $kills deaths");
has_effect($neighbour, 'after', 'his neighbour goes on');
has_effect(enter('dawn'), 'awake', 'and so does the workflow');

# Who does not end

settings('automation.step_timeout' => '200ms');
$executor = executor_pid($watch, 'app');
my $sleeper = enter('sleeps');
$neighbour = enter('plain');
has_effect($neighbour, 'plain', 'a step that sleeps holds up nobody');
is_held($sleeper, 'failed error', 'it is cancelled, tried again and fails');
is($watch->query("SELECT DISTINCT attempt || ' ' || error FROM automation.enrollments WHERE workflow = 'sleeps'"),
	'3 line 4: 57014 canceling statement due to automation.step_timeout', 'as the error says');
is(executor_pid($watch, 'app'), $executor, 'in the same executor');
$user->query("SELECT automation.unenroll(id) FROM automation.enrollments WHERE workflow = 'sleeps'");

enter('drowsy');
$neighbour = enter('plain');
has_effect($neighbour, 'plain', 'a condition that sleeps holds up nobody');
ok(wait_until($watch, "SELECT count(*) = 1 FROM automation.journal WHERE event = 'not_entered' AND reason = 'entry_failed'"),
	'and ends as an entry that failed');
is(executor_pid($watch, 'app'), $executor, 'in the same executor');

$sleeper = enter('resists');
is_held($sleeper, 'held suspected_crash', 'who swallows the cancellation loses his process, and is held');
isnt(executor_pid($watch, 'app'), $executor, 'which was another one');
has_effect(enter('plain'), 'plain', 'the others go on');
is($watch->query("SELECT pg_postmaster_start_time() < (SELECT min(backend_start) FROM pg_stat_activity WHERE backend_type = 'checkpointer')"),
	't', 'the server did not go down for it');
settings('automation.step_timeout' => '100s');
$user->query("SELECT automation.unenroll(id) FROM automation.enrollments");

# Locks: the worker gives way

$user->query("INSERT INTO contact (kind) SELECT 'pair' FROM generate_series(1, 40)");
my $first = $user->query("SELECT min(id) FROM contact WHERE kind = 'pair'");
my $other = server_up($node, 'work', 'app');
my $trouble = '';
$other->query('SET search_path = app');
for my $i (0 .. 19)
{
	my $low = $first + 2 * $i;
	my $high = $low + 1;

	# the executor locks "high", then wants "low"; the user has "low" and wants "high"
	$trouble .= $other->query("BEGIN; UPDATE contact SET n = n WHERE id = $low");
	$trouble .= $user->query("UPDATE contact SET kind = 'cross' WHERE id = $high");
	if ($i % 4 == 0)
	{
		wait_until($watch, "SELECT count(*) = 1 FROM automation.enrollments WHERE workflow = 'crosses' AND reason = 'locked'")
		  or $trouble .= 'nobody was locked out';
	}
	$trouble .= $other->query("UPDATE contact SET n = n WHERE id = $high; COMMIT");
}
is($trouble, '', 'a user never is the victim');
ok(wait_until($watch, "SELECT count(*) = 20 FROM app.effect WHERE what = 'crossed'"), 'all go on when the lock is gone');
is($watch->query("SELECT count(*) FROM app.contact WHERE id BETWEEN $first AND $first + 39 AND n <> 1"), 0, 'each row was changed once');
is($watch->query("SELECT count(*) FROM automation.enrollments"), 0, 'and nobody failed');

# A prepared transaction, over a restart

$user->query("BEGIN; INSERT INTO contact (kind) VALUES ('plain') RETURNING id; PREPARE TRANSACTION 'later'");
$id = $user->query("INSERT INTO contact (kind) VALUES ('nap') RETURNING id") - 1;
has_effect($id + 1, 'before', 'a later change is carried out before it');
$_->close for ($user, $watch, $other);
$node->restart;
$watch = server_up($node, 'work');
$user = server_up($node, 'work', 'app');
$user->query('SET search_path = app');
has_effect($id + 1, 'after', 'who waits goes on after a restart');
is($watch->query("SELECT count(*) FROM app.effect WHERE contact = $id"), 0, 'what is prepared has not happened');
$user->query("COMMIT PREPARED 'later'");
has_effect($id, 'plain', 'until it is committed');

# An executor that has nothing to do ends

settings('automation.executor_idle' => '1s');
ok(wait_until($watch, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'automation executor%'"),
	'an idle executor ends');
has_effect(enter('plain'), 'plain', 'and another one starts');
settings('automation.executor_idle' => '1h');

# More owners than seats

my @owners = map { "owner$_" } 1 .. 7;
owner_database($node, 'work', $_, $tables) for @owners;
for my $round (1 .. 3)
{
	$watch->query("INSERT INTO $_.contact (kind) SELECT 'plain' FROM generate_series(1, 5)") for @owners;
	for my $owner (@owners)
	{
		ok(wait_until($watch, "SELECT count(*) = 5 * $round FROM $owner.effect"), "round $round: $owner was served");
	}
}
cmp_ok($watch->query("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'automation executor%'"), '<=', 3,
	'never more executors than seats');

# Three that never rest, and a fourth
$watch->query(q{
CREATE FUNCTION restless(text) RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
  EXECUTE format($q$
SET search_path = %1$I;
CREATE TABLE rested (ball bigint);
CREATE TABLE ball (id bigint PRIMARY KEY, n int, on_move boolean DEFAULT true);
CREATE FUNCTION bounce(b ball) RETURNS bigint LANGUAGE workflow AS $w$
  AFTER INSERT;
BEGIN
  <<again>>
  UPDATE ball SET n = n + 1 WHERE id = b.id;
  INSERT INTO rested SELECT b.id FROM pg_sleep(0.01);
  WAIT FOR '1 millisecond';
  IF b.on_move THEN
    GO TO again AT MOST 10000 TIMES;
  END IF;
END $w$ $q$, $1);
END $f$});
for my $owner (@owners[ 0 .. 2 ])
{
	my $session = server_up($node, 'work', $owner);
	my $answer = $session->query("SELECT public.restless('$owner')");
	$answer .= $session->query("INSERT INTO $owner.ball SELECT i, 0 FROM generate_series(1, 20) i");
	is($answer, '', "$owner never rests");
	$session->close;
	ok(wait_until($watch, "SELECT sum(n) > 20 FROM $owner.ball"), "and is at it");
}
$before = time();
$watch->query("INSERT INTO owner7.contact (kind) VALUES ('plain')");
ok(wait_until($watch, "SELECT count(*) = 16 FROM owner7.effect"), 'one more owner is served beside owners that never rest');
diag(sprintf('after %.1f s', time() - $before));
for my $owner (@owners[ 0 .. 2 ])
{
	my $n = $watch->query("SELECT sum(n) FROM $owner.ball");
	ok(wait_until($watch, "SELECT sum(n) > $n FROM $owner.ball"), "$owner still is at it");
	$watch->query("UPDATE $owner.ball SET on_move = false");
}
ok(wait_until($watch, "SELECT count(*) = 0 FROM automation.enrollments WHERE workflow = 'bounce'"), 'all come to rest');

# Owners who may not connect

SKIP:
{
	skip 'from 17 on an owner needs no LOGIN', 3 if $node->pg_version >= 17;
	$watch->query('ALTER ROLE owner1 NOLOGIN');
	$watch->query("INSERT INTO owner1.contact (kind) VALUES ('plain')");
	ok(wait_until($watch, q{
SELECT hold = 'owner_cannot_connect' AND hold_detail LIKE '%ALTER ROLE owner1 LOGIN%' FROM automation.workflows
WHERE schema = 'owner1' AND name = 'plain'}), 'the workflows of a role without LOGIN are held, with a hint');
	$watch->query("INSERT INTO owner1.contact (kind) VALUES ('plain')");
	$watch->query('ALTER ROLE owner1 LOGIN');
	ok(wait_until($watch, q{SELECT hold IS NULL FROM automation.workflows WHERE schema = 'owner1' AND name = 'plain'}),
		'and released when he has it again');
	ok(wait_until($watch, 'SELECT count(*) = 17 FROM owner1.effect'), 'with all that was to do');
}
$watch->query('REVOKE CONNECT ON DATABASE work FROM PUBLIC');
$watch->query('GRANT CONNECT ON DATABASE work TO app, ' . join(', ', @owners[ 1 .. 6 ]));
$watch->query("INSERT INTO owner1.contact (kind) VALUES ('plain')");
ok(wait_until($watch, q{SELECT hold IS NOT NULL FROM automation.workflows WHERE schema = 'owner1' AND name = 'plain'}),
	'so are those of a role without CONNECT')
  or diag($watch->query('SELECT * FROM automation.workflows'));
diag($watch->query(q{SELECT hold, hold_detail FROM automation.workflows WHERE schema = 'owner1' AND name = 'plain'}));
$watch->query("INSERT INTO owner2.contact (kind) VALUES ('plain')");
ok(wait_until($watch, 'SELECT count(*) = 16 FROM owner2.effect'), 'others go on');
my $due = $watch->query('SELECT count(*) FROM owner1.contact');
$watch->query('GRANT CONNECT ON DATABASE work TO owner1');
ok(wait_until($watch, "SELECT count(*) = $due FROM owner1.effect"), 'until he has it again');

# Owners who go

$user->query("INSERT INTO contact (kind) SELECT 'plain' FROM generate_series(1, 100)");
like($watch->query('DROP ROLE owner3'), qr/cannot be dropped because some objects depend on it/, 'an owner of workflows cannot be dropped');
$watch->query("INSERT INTO owner3.contact (kind) SELECT 'plain' FROM generate_series(1, 3000)");
is($watch->query('DROP OWNED BY owner3 CASCADE'), '', 'DROP OWNED while his executor is busy');
is($watch->query('DROP ROLE owner3'), '', 'then he can be dropped');
$watch->query("INSERT INTO owner4.contact (kind) VALUES ('plain')");
ok(wait_until($watch, 'SELECT count(*) = 16 FROM owner4.effect'), 'others go on');
ok(wait_until($watch, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'automation executor of owner3'"),
	'his executor is gone');

# The extension goes, the database goes

my $coordinator = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'automation coordinator' AND datname = 'work'";
$user->query("INSERT INTO contact (kind) SELECT 'plain' FROM generate_series(1, 5000)");
like($watch->query('DROP EXTENSION automation CASCADE'), qr/^(NOTICE|DETAIL|and |drop cascades|psql|\s)*/, 'DROP EXTENSION while busy');
is($watch->query("SELECT count(*) FROM pg_extension WHERE extname = 'automation'"), 0, 'it is gone');
ok(wait_until($watch, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'automation%' AND datname = 'work'"),
	'and so are its processes');
$_->close for ($watch, $user);
owner_database($node, 'other', 'second', $tables);
$watch = server_up($node, 'other');
$watch->query("INSERT INTO second.contact (kind) VALUES ('plain')");
ok(wait_until($watch, 'SELECT count(*) = 1 FROM second.effect'), 'another database lives');
$watch->query("INSERT INTO second.contact (kind) SELECT 'plain' FROM generate_series(1, 10000)");
$watch->close;
$node->safe_psql('postgres', 'DROP DATABASE other');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_database WHERE datname = 'other'"), 0, 'DROP DATABASE while busy');

$node->stop;
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP/, 'nobody panicked');
unlike($log, qr/terminated by signal (?!9|11)/, 'and nobody died but those who were killed');

done_testing();
