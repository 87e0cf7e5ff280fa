# Two at a time: the same subject, run() beside run(), run() and the clock beside
# a live executor.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until server_up executor_pid);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';
use Time::HiRes qw(time);

my $races = 1000;
# no second attempt by itself, however slow the machine is
my $node = new_server('race', "automation.retry_delay = '1h'");

owner_database($node, 'work', 'app', qq{
CREATE TABLE contact (id bigint PRIMARY KEY, state text NOT NULL DEFAULT 'new', touched int NOT NULL DEFAULT 0, go boolean);
CREATE TABLE visit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, contact bigint);
CREATE TABLE effect (contact bigint, what text, at timestamptz DEFAULT automation.now());
INSERT INTO contact (id) SELECT generate_series(1, $races);
-- by a row of another table: two transactions can start it at the same time
CREATE FUNCTION by_visit(c contact) RETURNS bigint LANGUAGE workflow AS \$\$
  AFTER INSERT ON visit FOR SELECT new.contact;
BEGIN
  INSERT INTO effect VALUES (c.id, 'visit');
  WAIT UNTIL c.go;
  INSERT INTO effect VALUES (c.id, 'gone');
END \$\$;
-- by the row itself: the second waits for the first one's row lock
CREATE FUNCTION by_update(c contact) RETURNS bigint LANGUAGE workflow AS \$\$
  AFTER UPDATE OF touched;
BEGIN
  INSERT INTO effect VALUES (c.id, 'touch');
  WAIT UNTIL c.go;
END \$\$;
CREATE TABLE pulse (id bigint PRIMARY KEY);
CREATE FUNCTION beat(p pulse) RETURNS bigint LANGUAGE workflow AS \$\$
  AFTER INSERT;
BEGIN
  INSERT INTO effect VALUES (p.id, 'pulse');
  WAIT FOR '1 hour';
  INSERT INTO effect VALUES (p.id, 'hour');
  WAIT FOR '1 hour';
  INSERT INTO effect VALUES (p.id, 'second hour');
END \$\$;
});

my $watch = server_up($node, 'work');
my @user = map { server_up($node, 'work', 'app') } 0 .. 1;
$_->query('SET search_path = app') for @user;

# The same subject, twice at once

# Both sessions are sent the same statement and answer when they have committed.
my $start = time();
for my $id (1 .. $races)
{
	$_->send("INSERT INTO visit (contact) VALUES ($id); UPDATE contact SET touched = touched + 1 WHERE id = $id") for @user;
	$_->receive for @user;
}
my $seconds = time() - $start;
ok(wait_until($watch, "SELECT sum(events + parked) = 0 FROM automation.stat"), 'all changes were carried out');

for my $workflow ('by_visit', 'by_update')
{
	is($watch->query("SELECT count(*) || ' ' || count(DISTINCT subject_key) FROM automation.enrollments WHERE workflow = '$workflow'"),
		"$races $races", "$workflow: one active enrollment each");
	is($watch->query(qq{
SELECT count(*) || ' ' || sum(l.entries) FROM automation.ledger l JOIN automation.workflow w ON w.id = l.workflow
WHERE w.signature LIKE '%$workflow%'}),
		"$races $races", "$workflow: one ledger entry each");
	is($watch->query("SELECT sum(l.refusals) FROM automation.ledger l JOIN automation.workflow w ON w.id = l.workflow
WHERE w.signature LIKE '%$workflow%'"), $races, "$workflow: the other one was refused");
}
is($watch->query("SELECT count(*) || ' ' || count(DISTINCT contact) FROM app.effect WHERE what = 'visit'"),
	"$races $races", 'one effect each');
diag(sprintf('%d races in %.1f s', $races, $seconds));

# Two change the row on which one waits: it goes on once.
for my $id (1 .. 200)
{
	$_->send("UPDATE contact SET go = true WHERE id = $id") for @user;
	$_->receive for @user;
}
ok(wait_until($watch, "SELECT count(*) = $races - 200 FROM automation.enrollments WHERE workflow = 'by_visit'"),
	'who was woken twice has gone');
is($watch->query("SELECT count(*) || ' ' || count(DISTINCT contact) FROM app.effect WHERE what = 'gone'"),
	'200 200', 'once each');

# run() beside a live executor

my $executor = executor_pid($watch, 'app');
ok($executor, 'an executor lives');
for my $id (1 .. 50)
{
	$_->send("INSERT INTO pulse VALUES ($id * 10 + $_->{number}); CALL automation.run()")
	  for map { $user[$_]{number} = $_; $user[$_] } 0 .. 1;
	my @answers = map { $_->receive } @user;
	is("@answers", ' ', 'run() beside an executor') if "@answers" ne ' ';
	my $done = $user[0]->query("SELECT count(*) FROM effect WHERE what = 'pulse' AND contact / 10 = $id");
	is($done, 2, "what was committed before run() is done after it, round $id") if $done != 2;
}
is($watch->query("SELECT count(*) || ' ' || count(DISTINCT contact) FROM app.effect WHERE what = 'pulse'"),
	'100 100', 'run() beside a live executor: all done when it returns, once');
is(executor_pid($watch, 'app'), $executor, 'by the executor, which still lives');

# The clock beside a live executor

my $answer = $user[0]->query("CALL automation.advance('90 minutes')");
is($answer, '', 'the clock is moved beside a live executor');
is($watch->query("SELECT count(*) || ' ' || count(DISTINCT contact) FROM app.effect WHERE what = 'hour'"),
	'100 100', 'which did what became due before advance() returned');
is($watch->query(q{
SELECT count(*) FROM app.effect a JOIN app.effect b USING (contact)
WHERE a.what = 'pulse' AND b.what = 'hour' AND b.at - a.at NOT BETWEEN '59 minutes' AND '61 minutes'}),
	0, 'at its time, not at the end of the jump')
  or diag($watch->query(q{
SELECT contact, a.at, b.at, b.at - a.at FROM app.effect a JOIN app.effect b USING (contact)
WHERE a.what = 'pulse' AND b.what = 'hour' AND b.at - a.at NOT BETWEEN '59 minutes' AND '61 minutes'}));
$_->send("CALL automation.advance('20 minutes')") for @user;
is(join(' ', map { $_->receive } @user), ' ', 'two move it at once');
is($watch->query("SELECT count(*) || ' ' || count(DISTINCT contact) FROM app.effect WHERE what = 'second hour'"),
	'100 100', 'and the second hour is over, once');
is(executor_pid($watch, 'app'), $executor, 'the executor lives still');
$_->close for (@user, $watch);

# run() in two sessions, without any worker

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
$watch = server_up($node, 'work');
@user = map { server_up($node, 'work', 'app') } 0 .. 2;
$_->query('SET search_path = app') for @user;
for my $round (1 .. 30)
{
	$user[2]->query("INSERT INTO pulse SELECT $round * 1000 + i FROM generate_series(1, 20) i");
	$_->send('CALL automation.run()') for @user;
	is(join('', map { $_->receive } @user), '', 'run() in three sessions at once') if $round == 1;
	$_->receive for @user;
	my $done = $watch->query("SELECT count(*) FROM app.effect WHERE what = 'pulse' AND contact / 1000 = $round");
	is($done, 20, "done when all have returned, round $round") if $done != 20;
}
is($watch->query("SELECT count(*) || ' ' || count(DISTINCT contact) FROM app.effect WHERE what = 'pulse' AND contact >= 1000"),
	'600 600', 'three at once did everything, once');
is($watch->query("SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND mode = 'ExclusiveLock'"), 0,
	'no seat is left taken');

# Steps that fail: each abort releases the seat's lock, and the others are after it.
$user[0]->query(q{
CREATE TABLE risk (id bigint PRIMARY KEY, divisor int);
CREATE FUNCTION venture(r risk) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO effect VALUES (r.id, 'ventured');
  INSERT INTO effect SELECT r.id, 'won' WHERE 1 / r.divisor = 1;
END $$});
for my $round (1 .. 20)
{
	$user[2]->query("INSERT INTO risk SELECT $round * 1000 + i, i % 2 FROM generate_series(1, 20) i");
	$_->send('CALL automation.run()') for @user;
	my $answers = join('', map { $_->receive } @user);
	is($answers, '', "run() in three sessions at once, while steps fail, round $round") if $answers ne '';
}
is($watch->query("SELECT count(*) || ' ' || count(DISTINCT contact) FROM app.effect WHERE what = 'ventured'"),
	'200 200', 'steps that fail leave nothing, the others are done once');
is($watch->query("SELECT count(*) || ' ' || max(attempt) FROM automation.enrollments WHERE workflow = 'venture' AND state = 'retrying'"),
	'200 1', 'each failure counts once');
$user[0]->query('UPDATE risk SET divisor = 1');
$_->send("SELECT automation.retry('venture'); CALL automation.run()") for @user;
$_->receive for @user;
is($watch->query("SELECT count(*) || ' ' || count(DISTINCT contact) FROM app.effect WHERE what = 'won'"),
	'400 400', 'tried again by three at once, they are done once');

# One of them is killed by its user meanwhile: the seat is free again.
$user[0]->send("INSERT INTO pulse SELECT 100000 + i FROM generate_series(1, 2000) i; CALL automation.run()");
ok(wait_until($watch, "SELECT count(*) > 0 FROM app.effect WHERE contact > 100000"), 'one is in the middle of its work');
$watch->query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%CALL automation.run()%' AND state = 'active' AND pid <> pg_backend_pid()");
$answer = $user[0]->receive;
like($answer, qr/canceling statement|^$/, 'it is cancelled');
is($user[1]->query('CALL automation.run()'), '', 'another takes over');
is($watch->query("SELECT count(*) || ' ' || count(DISTINCT contact) FROM app.effect WHERE what = 'pulse' AND contact > 100000"),
	'2000 2000', 'and does the rest, once');

# A table of the engine is locked for a moment, as vacuum does to cut its end off:
# longer than a batch waits for a lock, so the batch is tried again.
my $vacuum = server_up($node, 'work');
my $waits = "FROM pg_locks WHERE relation = 'automation.parked'::regclass AND NOT granted";
$vacuum->query('BEGIN; LOCK TABLE automation.parked IN ACCESS EXCLUSIVE MODE');
$user[0]->send('CALL automation.run()');
ok(wait_until($watch, "SELECT count(*) > 0 $waits"), 'a table of ours is locked: run() waits');
my $first = $watch->query("SELECT max(virtualtransaction) $waits");
ok(wait_until($watch, "SELECT count(*) > 0 $waits AND virtualtransaction <> '$first'"), 'and waits again');
$vacuum->query('COMMIT');
is($user[0]->receive, '', 'and goes on');

$_->close for (@user, $watch, $vacuum);
$node->stop;
done_testing();
