# Exactly once, whoever dies.  Subjects of two owners enter three workflows, wait
# for times, moments and conditions, meet errors that pass, and change their own
# rows, while processes are killed at random moments: executors, coordinator,
# launcher, clients, the server's own processes, the postmaster, all at once;
# also while the server recovers, workers start, the event log rotates, and DDL
# or reconciliation runs.  Steps write to a table without any key, and count, so
# that a step that ran twice shows.  What must hold at every moment is checked
# again and again, not only at the end.
#
# Processes are killed, not the machine: the kernel keeps what was written, so
# the server runs with fsync off, as test servers do.
#
# AUTOMATION_TEST_FULL=1: 1,000 deaths over 10,000 enrollments instead of 40
# over 600.  AUTOMATION_TEST_SEED repeats the dice of a run.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database children process_lives);
use POSIX qw(ceil);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';
use Time::HiRes qw(time usleep);

my $full = $ENV{AUTOMATION_TEST_FULL};
my $deaths = $full ? 1000 : 40;
# of each owner; a tour takes three of them
my $subjects = $full ? 1650 : 100;
my $check_every = $full ? 25 : 10;
my @owners = qw(app zoe);
my $patience = $PostgreSQL::Test::Utils::timeout_default;
my $seed = srand($ENV{AUTOMATION_TEST_SEED} // (time() * 1000) % 1000000);
note("seed $seed");

my $node = new_server('crash', q{
log_min_messages = warning
autovacuum_naptime = 1s
automation.event_segment_size = 1MB
automation.retry_delay = '20ms'
automation.max_attempts = 8
});

my $tables = q{
CREATE TABLE tour (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, started boolean NOT NULL DEFAULT false);
CREATE TABLE contact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tour bigint, stage text, due timestamptz,
  answered boolean NOT NULL DEFAULT false, laps int NOT NULL DEFAULT 0, name text);
CREATE TABLE ballast (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, load text);
CREATE TABLE effect (workflow text, subject bigint, step int);
-- takes its time, so that a death falls into a step
CREATE FUNCTION toil(step int) RETURNS int LANGUAGE plpgsql AS
'DECLARE n int := 0; BEGIN FOR i IN 1..10000 LOOP n := n + i % 7; END LOOP; RETURN step; END';
-- an error, one time in ten
CREATE FUNCTION risky(step int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT step / (random() > 0.1)::int';

CREATE FUNCTION travel(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO effect SELECT 'travel', c.id, toil(1);
  WAIT FOR (c.id % 5) * interval '50 milliseconds';
  INSERT INTO effect SELECT 'travel', c.id, toil(2);
  -- its own row, which starts "guide"; that ends by an answer
  UPDATE contact SET stage = 'half' WHERE id = c.id;
  WAIT UNTIL c.answered TIMEOUT '1 day';
  INSERT INTO effect SELECT 'travel', c.id, 3 WHERE FOUND;
  INSERT INTO effect SELECT 'travel', c.id, risky(4);
  WAIT FOR interval '20 milliseconds';
  INSERT INTO effect SELECT 'travel', c.id, 5;
END $$;

CREATE FUNCTION guide(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage TO 'half';
BEGIN
  INSERT INTO effect SELECT 'guide', c.id, 1;
  <<again>>
  UPDATE contact SET laps = laps + 1 WHERE id = c.id;
  WAIT FOR interval '20 milliseconds';
  IF c.laps < 3 THEN
    GO TO again AT MOST 10 TIMES;
  END IF;
  INSERT INTO effect SELECT 'guide', c.id, toil(2);
  UPDATE contact SET due = now() + interval '100 milliseconds' WHERE id = c.id;
  WAIT UNTIL c.due;
  INSERT INTO effect SELECT 'guide', c.id, 3;
  INSERT INTO effect SELECT 'guide', c.id, risky(4);
  UPDATE contact SET answered = true WHERE id = c.id;
  WAIT FOR interval '10 milliseconds';
  INSERT INTO effect SELECT 'guide', c.id, 5;
END $$;

-- one change, several subjects; a condition on the second argument
CREATE FUNCTION ride(c contact, t tour) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON tour FOR SELECT x.id, new.id FROM contact x WHERE x.tour = new.id;
  ENROLL ONCE PER c, t;
BEGIN
  INSERT INTO effect SELECT 'ride', c.id, toil(1);
  INSERT INTO effect SELECT 'ride', c.id, 2;
  WAIT UNTIL t.started TIMEOUT '1 day';
  INSERT INTO effect SELECT 'ride', c.id, 3 WHERE FOUND;
  WAIT FOR (c.id % 3) * interval '30 milliseconds';
  INSERT INTO effect SELECT 'ride', c.id, risky(4);
  INSERT INTO effect SELECT 'ride', c.id, 5;
END $$;

-- fills the event log and enters nobody
CREATE FUNCTION never(b ballast) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.load LIKE 'never%';
BEGIN
  INSERT INTO effect VALUES ('never', b.id, 1);
END $$;
};
owner_database($node, 'work', $_, $tables) for @owners;

my @workflows = qw(travel guide ride);
my $steps = 5;
my %killed;
my %occasions;
my ($retried, $checks, $under_load, $rotations, $restarts, $recoveries, $slow_ends) = (0) x 7;
my $prepared = 0;
my $segment = 'SELECT current FROM automation.log';
my $last_segment = 0;
my %client;
my $watch;

# ----------------------------------------------------------------
# Sessions, which die all the time
# ----------------------------------------------------------------

sub hang_up
{
	$_->close for grep { defined } ($watch, values %client);
	$watch = undef;
	%client = ();
	return;
}

# A session, of a server that may have to be started first.
sub session
{
	my ($role) = @_;
	my $end = time() + 2 * $patience;

	while (time() < $end)
	{
		restart() unless process_lives(postmaster());
		my $session = AutomationTest::Session->new($node, 'work', $role);
		my $answer = $session->query('SELECT 1');
		return $session if defined $answer && $answer eq '1';
		$session->close;
		usleep(5000);
	}
	die 'the server does not come back';
}

# An answer, from the next server if need be.
sub ask
{
	my ($sql) = @_;
	my $end = time() + 2 * $patience;

	while (time() < $end)
	{
		$watch //= session();
		my $answer = $watch->query($sql);
		return $answer if defined $answer && $answer !~ /^(psql:|FATAL|WARNING|server closed|connection to server)/m;
		die "$sql: $answer" if defined $answer && $answer =~ /ERROR:/;
		$watch->close;
		$watch = undef;
	}
	die "no answer to: $sql";
}

sub wait_for
{
	my ($query, $seconds) = @_;
	my $end = time() + ($seconds // $patience);

	while (time() < $end)
	{
		return 1 if ask($query) eq 't';
		usleep(2000);
	}
	return 0;
}

# A session of an owner; what becomes of its statements is seen in the tables.
sub client
{
	my ($owner) = @_;

	if ($client{$owner} && !$client{$owner}->alive)
	{
		$client{$owner}->close;
		$client{$owner} = undef;
	}
	return $client{$owner} //= session($owner);
}

# ----------------------------------------------------------------
# What happens besides the deaths
# ----------------------------------------------------------------

sub in_all_schemas
{
	my ($query) = @_;
	return join(' UNION ALL ', map { $query =~ s/\bOWNER\b/$_/gr } @owners);
}

# So many subjects enter, three in a transaction, a tour with them.  One time in
# twenty the transaction is prepared, and committed after a death.
sub enter
{
	my ($owner, $n) = @_;
	my $insert = "WITH t AS (INSERT INTO $owner.tour DEFAULT VALUES RETURNING id)
INSERT INTO $owner.contact (tour) SELECT t.id FROM t, generate_series(1, 3)";

	for (1 .. ceil($n / 3))
	{
		my $name = $prepared < 4 && rand(20) < 1 ? 'p' . int(rand(1e9)) : undef;
		client($owner)->send($name ? "BEGIN; $insert; PREPARE TRANSACTION '$name'" : $insert);
		$prepared++ if $name;
	}
	# nobody rides before the tour is there
	client($owner)->send("UPDATE $owner.tour SET started = true WHERE NOT started");
	return;
}

# What is missing, spread over the deaths to come.
sub enter_share
{
	my ($left) = @_;

	my $now = ask($segment);
	$rotations++ if $now != $last_segment;
	$last_segment = $now;
	my @ids = split /\n/, ask('SELECT gid FROM pg_prepared_xacts');
	$watch->query("COMMIT PREPARED '$_'") for @ids;
	$prepared = 0;
	for my $owner (@owners)
	{
		my $missing = $subjects - ask("SELECT count(*) FROM $owner.contact");
		# three at least, so not each time
		enter($owner, $missing / $left) if $missing > 0 && rand() < $missing / $left / 3;
	}
	return;
}

# A person's part: who was held as a suspect is tried again, once each.
sub retry_suspects
{
	my $held = "FROM automation.enrollments WHERE state = 'held' AND reason = 'suspected_crash' AND owner = ";

	for my $owner (@owners)
	{
		next unless ask("SELECT count(*) $held '$owner'::regrole");
		my $n = client($owner)->query("SELECT count(automation.retry(id)) $held '$owner'::regrole");
		$retried += $n if defined $n && $n =~ /^\d+$/;
	}
	return;
}

sub ddl
{
	my $owner = $owners[ rand @owners ];
	my @commands = (
		"SET check_function_bodies = on; DO \$do\$ BEGIN EXECUTE (SELECT pg_get_functiondef('$owner.ride'::regproc)); END \$do\$",
		"ALTER TABLE $owner.contact ADD COLUMN IF NOT EXISTS extra int DEFAULT 1; ALTER TABLE $owner.contact DROP COLUMN extra",
		"CREATE INDEX IF NOT EXISTS extra ON $owner.contact (name); DROP INDEX $owner.extra",
		"CREATE FUNCTION $owner.extra(c $owner.contact) RETURNS bigint LANGUAGE workflow AS 'AFTER UPDATE OF name; BEGIN END'",
		"DROP FUNCTION IF EXISTS $owner.extra",
		"BEGIN; ALTER FUNCTION $owner.toil RENAME TO toil_2; ALTER FUNCTION $owner.toil_2 RENAME TO toil; COMMIT");

	client($owner)->send("SET search_path = $owner; " . $commands[ rand @commands ]);
	return;
}

# ----------------------------------------------------------------
# Deaths
# ----------------------------------------------------------------

# Whom: those of the engine most of the time, for they have the most to lose.
my @victims = (
	(['executor', qr/automation executor/]) x 9,
	(['coordinator', qr/automation coordinator/]) x 4,
	(['launcher', qr/automation launcher/]) x 2,
	(['client', qr/: (app|zoe|postgres) work \[local\]/]) x 3,
	['checkpointer', qr/: checkpointer/],
	['walwriter', qr/: walwriter/],
	['background writer', qr/: background writer/],
	['autovacuum', qr/: autovacuum/],
	['postmaster'], ['postmaster'],
	['everybody']);

sub postmaster
{
	return $node->{_pid};
}

# The pid of one of a kind, undef if there is none for a while.
sub find_victim
{
	my ($pattern, $seconds) = @_;
	my $end = time() + $seconds;

	while (time() < $end)
	{
		my %children = children(postmaster());
		my @found = grep { $children{$_} =~ $pattern } keys %children;
		return $found[ rand @found ] if @found;
		last unless process_lives(postmaster());
		usleep(1000);
	}
	return;
}

# After the postmaster's death its children end when they notice.
sub restart
{
	my $end = time() + $patience;

	$restarts++;
	# its lock file counts as long as nobody has reaped it, which may be long
	unlink $node->data_dir . '/postmaster.pid' unless process_lives(postmaster());
	$node->{_pid} = undef;
	until ($node->start(fail_ok => 1))
	{
		$node->{_pid} = undef;
		die 'the server did not start again' if time() > $end;
		usleep(10000);
	}
	return;
}

# The server has noticed: all who lived are dead.
sub have_ended
{
	my (@pids) = @_;
	my $end = time() + 10;

	while (grep { process_lives($_) } @pids)
	{
		return 0 if time() > $end;
		usleep(500);
	}
	return 1;
}

# Kills; returns false if there was nobody, or he was about to end by himself.
sub death
{
	my ($name, $pattern) = @_;
	my %before = children(postmaster());

	if ($name eq 'postmaster' || $name eq 'everybody')
	{
		kill 'KILL', postmaster(), $name eq 'everybody' ? keys %before : ();
		$slow_ends++ unless have_ended(postmaster(), keys %before);
		restart();
	}
	else
	{
		my $pid = find_victim($pattern, 2);

		return 0 unless $pid && process_lives($pid) && kill 'KILL', $pid;
		# or it would be met on its way down
		return 0 unless have_ended($pid, grep { $before{$_} !~ /startup/ } keys %before);
	}
	$killed{$name}++;
	return 1;
}

# The server recovers, and dies again: whoever appears first.  One whose
# recovery is killed gives up, and is started again by whoever needs it.
sub die_again
{
	my ($pattern) = @_;
	my $pid = find_victim($pattern, 2);

	return 0 unless $pid;
	usleep(rand(20000));
	my %before = children(postmaster());
	my $title = $before{$pid};
	return 0 unless $title && process_lives($pid) && kill('KILL', $pid) && have_ended(keys %before);
	$killed{ $title =~ /: (?:automation )?(startup|executor|coordinator|launcher)/ ? $1 : 'starting' }++;
	$recoveries++;
	return 1;
}

# ----------------------------------------------------------------
# Moments
# ----------------------------------------------------------------

my $busy = 'SELECT sum(events + parked + waiting + retrying) > 0 FROM automation.stat';
my $effects = 'SELECT sum(n) FROM (' . in_all_schemas('SELECT count(*) AS n FROM OWNER.effect') . ') x';

my %moments = (
	# so many effects further
	progress => sub {
		my $target = ask($effects) + int(rand(1.5 * @workflows * $steps * @owners * $subjects / $deaths));
		wait_for("SELECT ($effects) >= $target OR NOT ($busy)", 3);
	},
	delay => sub { usleep(rand(200000)); },
	startup => sub { },
	ddl => sub { ddl(); usleep(rand(30000)); },
	rotation => sub {
		my $before = ask($segment);
		client($owners[0])->send("INSERT INTO app.ballast (load) SELECT (SELECT string_agg(md5(i::text || j), '')"
			  . ' FROM generate_series(1, 50) j) FROM generate_series(1, 700) i');
		# wakes the coordinator, which looks at the size of the log then
		client($owners[0])->receive;
		$watch->send('CALL automation.arm()') if $watch;
		wait_for("SELECT ($segment) <> $before", 3);
		usleep(rand(5000));
	},
	reconcile => sub {
		my $command = rand() < 0.5 ? 'CALL automation.reconcile()' : 'CALL automation.arm()';
		$watch->send($command) if $watch;
		usleep(rand(50000));
	});
my @dice = (('progress') x 9, ('delay') x 3, ('startup') x 2, ('ddl') x 3, ('rotation') x 1, ('reconcile') x 1);

# One death, or two.
sub strike
{
	my ($left) = @_;
	my $moment = $dice[ rand @dice ];
	my ($name, $pattern) = @{ $victims[ rand @victims ] };

	if ($moment eq 'rotation')
	{
		($name, $pattern) = ('coordinator', qr/automation coordinator/) if rand() < 0.7;
	}
	enter_share($left);
	my $somebody = ask($busy) eq 't';
	$moments{$moment}->();
	return 0 unless death($name, $pattern);
	$under_load++ if $somebody;
	$occasions{$moment}++;
	hang_up();
	return 1 unless $left > 1 && rand(8) < 1;
	return 1 + die_again(rand() < 0.4 ? qr/: startup|automation/ : qr/automation (executor|coordinator|launcher)/);
}

# ----------------------------------------------------------------
# What must hold
# ----------------------------------------------------------------

# Each query returns who offends.
my %laws = (
	'no effect twice' => q{
SELECT workflow, subject, step FROM OWNER.effect GROUP BY 1, 2, 3 HAVING count(*) > 1},
	'no step before the one before' => q{
SELECT e.workflow, e.subject, e.step FROM OWNER.effect e WHERE e.step > 1
AND NOT EXISTS (SELECT FROM OWNER.effect b WHERE b.workflow = e.workflow AND b.subject = e.subject AND b.step = e.step - 1)},
	'each lap once' => q{
SELECT 'guide', c.id, c.laps FROM OWNER.contact c LEFT JOIN OWNER.effect e ON e.workflow = 'guide' AND e.subject = c.id AND e.step = 2
WHERE c.laps > 3 OR e.step = 2 AND c.laps <> 3},
	'a change is to be done, or was done' => q{
SELECT 'travel', c.id, 0 FROM OWNER.contact c WHERE CASE
  WHEN EXISTS (SELECT FROM OWNER.effect e WHERE e.workflow = 'travel' AND e.subject = c.id AND e.step = 1)
  THEN EXISTS (SELECT FROM log l WHERE l.relation = 'OWNER.contact'::regclass AND l.key = format('["%s"]', c.id) AND l.kind = 'I')
  ELSE NOT EXISTS (SELECT FROM log l WHERE l.relation = 'OWNER.contact'::regclass AND l.key = format('["%s"]', c.id) AND l.kind IN ('I', 'E'))
    AND NOT EXISTS (SELECT FROM inside i WHERE i.signature LIKE 'OWNER.travel%' AND i.key = format('["%s"]', c.id)) END},
	'nobody is lost inside' => q{
SELECT w.name, c.id, (SELECT count(*) FROM OWNER.effect e WHERE e.workflow = w.name AND e.subject = c.id)::int
FROM OWNER.contact c, (SELECT name, signature FROM automation.workflows WHERE schema = 'OWNER' AND name = ANY ('{travel,guide,ride}')) w
WHERE EXISTS (SELECT FROM OWNER.effect e WHERE e.workflow = w.name AND e.subject = c.id AND e.step = 1)
AND (EXISTS (SELECT FROM inside i WHERE i.signature = w.signature AND i.key = format('["%s"]', c.id)))
  = (EXISTS (SELECT FROM OWNER.effect e WHERE e.workflow = w.name AND e.subject = c.id AND e.step = 5))},
	'one timer for each who waits for a time' => q{
SELECT 'timer', e.id, e.epoch FROM automation.enrollment e JOIN automation.owner o ON o.id = e.owner
WHERE o.role = 'OWNER'::regrole AND e.state IN ('waiting', 'retrying') AND e.wake_at IS NOT NULL
AND (SELECT count(*) FROM automation.timer t WHERE t.enrollment = e.id AND t.epoch = e.epoch) <> 1},
	'nobody waits for nothing' => q{
SELECT e.state, e.id, e.statement FROM automation.enrollment e JOIN automation.owner o ON o.id = e.owner
WHERE o.role = 'OWNER'::regrole AND (e.state IN ('retrying', 'waiting') AND e.wake_at IS NULL OR e.state = 'failed' OR
  e.state = 'held' AND e.reason <> 'suspected_crash')});

# All in one snapshot each.
sub check_laws
{
	my ($when) = @_;
	my $with = q{
WITH log AS MATERIALIZED (SELECT s.relation, l.key, l.kind FROM (SELECT source, key, kind FROM automation.event_0 UNION ALL
  SELECT source, key, kind FROM automation.event_1 UNION ALL SELECT source, key, kind FROM automation.event_2 UNION ALL
  SELECT source, key, kind FROM automation.event_3 UNION ALL SELECT source, key, kind FROM automation.parked) l
  JOIN automation.source s ON s.id = l.source),
inside AS MATERIALIZED (SELECT w.signature, e.key FROM automation.enrollment e JOIN automation.workflow w ON w.id = e.workflow)};
	my $broken = '';

	for my $law (sort keys %laws)
	{
		my $offenders = ask("$with SELECT * FROM (" . in_all_schemas("($laws{$law})") . ') x LIMIT 5');
		$broken .= "$law: $offenders\n" if $offenders ne '';
	}
	$checks++;
	is($broken, '', "what must hold, $when") if $broken ne '';
	return $broken eq '';
}

# ----------------------------------------------------------------

my $start = time();
my $done = 0;
my $next_check = $check_every;
my $lawful = 1;
while ($done < $deaths)
{
	$done += strike($deaths - $done);
	retry_suspects();
	next if $done < $next_check;
	$next_check += $check_every;
	$lawful = 0 unless check_laws("after $done deaths");
	note(sprintf('%d deaths, %.1f s', $done, time() - $start));
	last unless $lawful;
}
my $struck = time();
ok($lawful, "nothing that must hold was found broken, $checks looks");

# All have entered; then everybody travels to the end.
for my $owner (@owners)
{
	while (1)
	{
		enter_share(1);
		$client{$_} && $client{$_}->receive for @owners;
		last if ask("SELECT count(*) FROM $owner.contact") >= $subjects;
	}
}
enter_share(1);
client($_)->query("UPDATE $_.tour SET started = true WHERE NOT started") for @owners;
retry_suspects();
my $quiet = 'SELECT NOT EXISTS (SELECT FROM automation.enrollment) AND sum(events + parked) = 0 FROM automation.stat';
ok(wait_for($quiet, 2 * $patience), 'everybody arrived, nothing is left')
  or diag(ask('SELECT workflow, state, reason, count(*) FROM automation.enrollments GROUP BY 1, 2, 3'),
	ask('TABLE automation.stat'));
my $ended = time();
check_laws('at the end');

my $enrollments = 0;
for my $owner (@owners)
{
	my $n = ask("SELECT count(*) FROM $owner.contact");

	cmp_ok($n, '>=', $subjects, "$owner: all subjects are there");
	for my $workflow (@workflows)
	{
		is(ask("SELECT count(*) || ' ' || count(DISTINCT (subject, step)) FROM $owner.effect WHERE workflow = '$workflow'"),
			$steps * $n . ' ' . $steps * $n, "$owner.$workflow: each has all its effects, once");
		my $journal = "SELECT count(*) || ' ' || count(DISTINCT h.enrollment) FROM automation.history h
JOIN automation.workflow w ON w.id = h.workflow WHERE w.signature LIKE '$owner.$workflow(%'";
		is(ask("$journal AND h.event = 'entered'"), "$n $n", 'each entered once, says the history');
		is(ask("$journal AND h.event = 'ended' AND h.reason = 'completed'"), "$n $n", 'and completed once');
		is(ask("SELECT count(*) || ' ' || sum(entries) FROM automation.ledger l JOIN automation.workflow w ON w.id = l.workflow
WHERE w.signature LIKE '$owner.$workflow(%'"), "$n $n", 'one entry each in the ledger');
		$enrollments += $n;
	}
	is(ask("SELECT count(*) FROM $owner.contact WHERE laps <> 3 OR NOT answered OR stage <> 'half'"), 0,
		"$owner: each row was changed as often as it should");
}
is(ask('SELECT count(*) FROM automation.timer'), 0, 'no timer is left');
is(ask('SELECT count(*) FROM automation.argument'), 0, 'no argument');
is(ask('SELECT count(*) FROM automation.wait'), 0, 'no tie');
is(ask("SELECT count(*) FROM automation.workflows WHERE hold IS NOT NULL"), 0, 'no workflow is on hold')
  or diag(ask('SELECT signature, hold, hold_detail FROM automation.workflows WHERE hold IS NOT NULL'));

hang_up();
$node->stop;
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP:|terminated by signal (?!9)/, 'nobody panicked')
  or diag(join "\n", ($log =~ /^.*(?:PANIC|TRAP:|terminated by signal (?!9)).*$/mg)[ 0 .. 4 ]);

diag(sprintf("%d deaths (%s) in %.1f s, %.2f a second, seed %d; at %d of %d somebody was inside; moments: %s; %d during the "
	  . 'recovery from another; %d cold starts of the server; %d rotations',
	$done, join(', ', map { "$_ $killed{$_}" } sort keys %killed), $struck - $start, $done / ($struck - $start), $seed,
	$under_load, $done - $recoveries, join(', ', map { "$_ $occasions{$_}" } sort keys %occasions), $recoveries, $restarts, $rotations, $slow_ends));
diag(sprintf('%d enrollments, %d suspects retried; laws looked at %d times; %.1f s to the end',
	$enrollments, $retried, $checks, $ended - $struck));
done_testing();
