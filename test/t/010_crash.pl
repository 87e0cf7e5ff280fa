# Exactly once, whoever dies: executor, coordinator, client or postmaster are
# killed at random moments, while subjects enter, wait and go on.  The steps
# write to a table without any key, so a step that ran twice shows.
#
# AUTOMATION_TEST_FULL=1: 100 deaths over 5,000 enrollments instead of 30 over
# 1,000.  AUTOMATION_TEST_SEED repeats the dice of a run.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until server_up executor_pid);
use POSIX qw(ceil);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';
use Time::HiRes qw(time usleep);

my $full = $ENV{AUTOMATION_TEST_FULL};
my $deaths = $full ? 100 : 30;
my $subjects = $full ? 5000 : 1000;
my $steps = 3;
my $seed = srand($ENV{AUTOMATION_TEST_SEED} // (time() * 1000) % 1000000);
note("seed $seed");

my $node = new_server('crash', "log_min_messages = warning\nautovacuum = off");

owner_database($node, 'work', 'app', q{
CREATE TABLE contact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
CREATE TABLE effect (contact bigint, step int);
-- takes its time, so that a death falls into a step
CREATE FUNCTION toil(step int) RETURNS int LANGUAGE plpgsql AS
'DECLARE n int := 0; BEGIN FOR i IN 1..20000 LOOP n := n + i % 7; END LOOP; RETURN step; END';
CREATE FUNCTION travel(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO effect SELECT c.id, toil(1);
  WAIT FOR (c.id % 5) * interval '100 milliseconds';
  INSERT INTO effect SELECT c.id, toil(2);
  WAIT FOR interval '100 milliseconds';
  INSERT INTO effect SELECT c.id, toil(3);
END $$;
});

my %killed = (executor => 0, coordinator => 0, client => 0, postmaster => 0);
my $retried = 0;
my $watch = server_up($node, 'work');
my ($client, $client_pid);

# Rows that are there; the client may have died before or after its commit.
sub entered
{
	return $watch->query('SELECT count(*) FROM app.contact');
}

sub new_client
{
	$client = server_up($node, 'work', 'app') or die 'the server does not come back';
	$client_pid = $client->pid;
	return;
}

# Sends so many subjects, in small transactions, without waiting for them.
sub enter
{
	my ($n) = @_;

	$client->send("INSERT INTO app.contact (name) SELECT 'x' FROM generate_series(1, 3)") for 1 .. int($n / 3);
	$client->send("INSERT INTO app.contact (name) VALUES ('x')") for 1 .. $n % 3;
	return;
}

# A person's part: who was held as a suspect is tried again, once each.
sub retry_suspects
{
	my $n = $watch->query(q{
SELECT count(*) FROM automation.enrollments WHERE state = 'held' AND reason = 'suspected_crash'});

	return unless $n;
	my $session = server_up($node, 'work', 'app');
	$session->query(q{
SELECT automation.retry(id) FROM automation.enrollments WHERE state = 'held' AND reason = 'suspected_crash'});
	$session->close;
	$retried += $n;
	return;
}

# Whom: the executor most of the time, for it has the most to lose.
sub choose_victim
{
	my $dice = int(rand(20));
	return $dice < 11 ? 'executor' : $dice < 14 ? 'coordinator' : $dice < 17 ? 'client' : 'postmaster';
}

sub pid_of
{
	my ($victim) = @_;

	return $client_pid if $victim eq 'client';
	return executor_pid($watch, 'app') if $victim eq 'executor';
	wait_until($watch, "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'automation coordinator'");
	return $watch->query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'automation coordinator'");
}

# A random moment: so many effects further, if there are as many to come.
sub wait_for_progress
{
	my $before = $watch->query('SELECT count(*) FROM app.effect');
	my $target = $before + int(rand(1.5 * $steps * $subjects / $deaths));

	wait_until($watch, qq{
SELECT (SELECT count(*) FROM app.effect) >= $target OR (SELECT sum(events + parked + waiting + retrying) = 0 FROM automation.stat)});
	return;
}

# The postmaster is dead; its children end when they notice.
sub restart
{
	my $end = time() + $PostgreSQL::Test::Utils::timeout_default;

	until ($node->start(fail_ok => 1))
	{
		# of the dead one, from its lock file
		$node->{_pid} = undef;
		die 'the server did not start again' if time() > $end;
		usleep(20000);
	}
	return;
}

sub strike
{
	my ($left) = @_;
	my $victim = choose_victim();

	# what is missing, spread over the deaths to come
	enter(ceil(($subjects - entered()) / $left));
	if ($victim eq 'postmaster')
	{
		wait_for_progress();
		$node->kill9;
		$_->close for ($watch, $client);
		restart();
	}
	else
	{
		my $pid = pid_of($victim);

		unless ($pid)
		{
			diag($watch->query('SELECT pid, backend_type, state, wait_event, query FROM pg_stat_activity'));
			diag($watch->query('TABLE automation.stat'));
			die "no $victim to kill";
		}
		wait_for_progress();
		kill 'KILL', $pid;
		# the others are told to go before the server recovers
		until (!$watch->alive || !defined $watch->query('SELECT 1')) { usleep(1000); }
		$_->close for ($watch, $client);
	}
	$killed{$victim}++;
	$watch = server_up($node, 'work') or die 'the server does not come back';
	new_client();
	retry_suspects();
	return;
}

new_client();
my $start = time();
strike($_) for reverse 1 .. $deaths;
my $struck = time();

# All have entered; then everybody travels to the end.
while ((my $missing = $subjects - entered()) > 0)
{
	enter($missing);
	$client->receive;
}
retry_suspects();
ok(wait_until($watch, q{
SELECT NOT EXISTS (SELECT FROM automation.enrollment) AND sum(events + parked) = 0 FROM automation.stat}),
	'everybody arrived, nothing is left')
  or diag($watch->query(q{SELECT state, reason, count(*) FROM automation.enrollment GROUP BY 1, 2}));
my $ended = time();

is($watch->query('SELECT count(*) FROM app.contact'), $subjects, 'all subjects are there');
is($watch->query("SELECT count(*) FROM app.effect"), $steps * $subjects, 'each has all its effects');
is($watch->query(q{
SELECT count(*) FROM (SELECT FROM app.effect GROUP BY contact, step HAVING count(*) > 1) twice}),
	0, 'no effect twice');
is($watch->query(qq{
SELECT count(*) FROM app.contact c, generate_series(1, $steps) s
WHERE NOT EXISTS (SELECT FROM app.effect e WHERE e.contact = c.id AND e.step = s)}),
	0, 'no effect lost');
is($watch->query("SELECT count(*) FROM automation.journal WHERE event = 'entered'"), $subjects,
	'each entered once, says the history');
is($watch->query("SELECT count(*) FROM automation.journal WHERE event = 'ended' AND reason = 'completed'"),
	$subjects, 'and completed once');
is($watch->query('SELECT count(*) || \' \' || sum(entries) FROM automation.ledger'), "$subjects $subjects",
	'one entry each in the ledger');
is($watch->query('SELECT count(*) FROM automation.timer'), 0, 'no timer is left');

diag(sprintf(
	"%d deaths (%s) in %.1f s, %.2f a second; %d enrollments, %d suspects retried; %.1f s to the end",
	$deaths, join(', ', map { "$_ $killed{$_}" } sort keys %killed),
	$struck - $start, $deaths / ($struck - $start), $subjects, $retried, $ended - $struck));

$_->close for ($watch, $client);
$node->stop;
done_testing();
