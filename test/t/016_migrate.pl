# Live edits with many inside: a step is deleted, one is moved, one has another
# label, one waits longer.  What the dry run says is what happens, to each exactly
# once, while the executor is killed in the middle and while changes, entries and
# commands come that concern those who are on their way.
#
# AUTOMATION_TEST_FULL=1: 100,000 waiting instead of 4,000, and more deaths.
# AUTOMATION_TEST_SEED repeats the dice of a run.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until server_up);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';
use Time::HiRes qw(time usleep);

my $full = $ENV{AUTOMATION_TEST_FULL};
my $people = $full ? 100_000 : 4_000;
my $deaths = $full ? 8 : 3;
my $patience = 4 * $PostgreSQL::Test::Utils::timeout_default;
my $seed = srand($ENV{AUTOMATION_TEST_SEED} // (time() * 1000) % 1000000);
note("seed $seed");

# short batches: a migration is many pieces
my $node = new_server('migrate', q{
log_min_messages = warning
automation.batch_time = '2ms'
automation.retry_delay = '20ms'
autovacuum_naptime = 1s
});

owner_database($node, 'work', 'app', q{
CREATE TABLE contact (id bigint PRIMARY KEY, place int, flag boolean NOT NULL DEFAULT false, due timestamptz);
CREATE TABLE effect (contact bigint, what text);
CREATE FUNCTION journey(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO effect VALUES (c.id, 'enter');
  IF c.place = 2 THEN GO TO two; END IF;
  IF c.place = 3 THEN GO TO three; END IF;
  IF c.place = 4 THEN GO TO four; END IF;
  IF c.place = 5 THEN GO TO five; END IF;
  WAIT FOR '10 days';
  INSERT INTO effect VALUES (c.id, 'one');
  <<two>>
  WAIT FOR '20 days';
  INSERT INTO effect VALUES (c.id, 'two');
  <<three>>
  WAIT UNTIL c.flag;
  INSERT INTO effect VALUES (c.id, 'three');
  <<four>>
  WAIT UNTIL c.due;
  INSERT INTO effect VALUES (c.id, 'four');
  <<five>>
  WAIT FOR '50 days';
  INSERT INTO effect VALUES (c.id, 'five');
END $$;
});

my $db = server_up($node, 'work', 'app');
my $root = server_up($node, 'work');

# The same workflow with two deleted, three moved behind five, four renamed, five longer.
my $edited = q{
CREATE OR REPLACE FUNCTION journey(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  INSERT INTO effect VALUES (c.id, 'enter, edited');
  WAIT FOR '10 days';
  INSERT INTO effect VALUES (c.id, 'one');
  <<vier>>
  WAIT UNTIL c.due;
  INSERT INTO effect VALUES (c.id, 'four');
  <<five>>
  WAIT FOR '60 days';
  INSERT INTO effect VALUES (c.id, 'five');
  <<three>>
  WAIT UNTIL c.flag;
  INSERT INTO effect VALUES (c.id, 'three, the last');
END $$};

# Says how long it took; the query is for what it took it for.
sub timed
{
	my ($what, $code) = @_;
	my $start = time();
	my $result = $code->();

	note(sprintf('%s: %.2f s', $what, time() - $start));
	return $result;
}

# Kills the executor again and again, until the job is over.
sub kill_until_over
{
	my ($during) = @_;
	my $killed = 0;
	my $end = time() + $patience;

	while (time() < $end)
	{
		my $over = $root->query("SELECT count(*) = 0 FROM automation.progress WHERE finished_at IS NULL") // '';
		my $pid;

		if ($over eq '')
		{
			$root->close;
			$root = server_up($node, 'work');
			$db->close;
			$db = server_up($node, 'work', 'app');
			next;
		}
		last if $over eq 't';
		$during->() if $during;
		next if $killed >= $deaths;
		usleep(int(rand(40_000)));
		$pid = $root->query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'automation executor of app'") // '';
		$killed += kill('KILL', $pid) if $pid =~ /^\d+$/;
	}
	# the last death may not have been noticed
	$root->close;
	$root = server_up($node, 'work');
	$db->close;
	$db = server_up($node, 'work', 'app');
	note("killed $killed times");
	return wait_until($root, "SELECT count(*) = 0 FROM automation.progress WHERE finished_at IS NULL", $patience);
}

sub quiet
{
	return wait_until($root, "SELECT events = 0 FROM automation.stat WHERE owner = 'app'::regrole", $patience);
}

my $plan = "SELECT coalesce(string_agg(x::text, E'\\n' ORDER BY x), '') FROM (SELECT (version, line, outcome, coalesce(reason, ''), to_line, enrollments) AS x";

sub dry_run
{
	my ($map) = @_;
	return timed("dry run over $people", sub {
		$db->query("$plan FROM automation.migrate('journey', $map, dry_run => true)) s") });
}

# What has become of those who were inside, in the words of the dry run.
my $counts = q{SELECT coalesce(string_agg(x::text, E'\n' ORDER BY x), '') FROM (
  SELECT (v, line, outcome, reason, to_line, count(*)) AS x FROM (
    SELECT b.version AS v, b.line,
           CASE WHEN e.id IS NULL THEN 'ends' WHEN e.version = b.version THEN 'orphan' ELSE h.reason END AS outcome,
           CASE WHEN e.id IS NULL THEN h.reason WHEN e.version = b.version THEN e.reason ELSE '' END AS reason,
           CASE WHEN e.version <> b.version THEN e.line END AS to_line
    FROM before b LEFT JOIN automation.enrollments e USING (id)
         LEFT JOIN (SELECT DISTINCT ON (enrollment) enrollment, reason FROM automation.journal
                    WHERE event IN ('migrated', 'ended') ORDER BY enrollment, at DESC, position DESC) h ON h.enrollment = b.id) r
  GROUP BY v, line, outcome, reason, to_line) s};

sub remember
{
	$db->query('CREATE TABLE IF NOT EXISTS before (id bigint, version int, line int); TRUNCATE before');
	$db->query(q{INSERT INTO before SELECT id, version, line FROM automation.enrollments
		WHERE version < (SELECT version FROM automation.workflows WHERE name = 'journey')});
	return;
}

timed("$people enter", sub {
	$db->query("INSERT INTO contact SELECT g, 1 + g % 5 FROM generate_series(1, $people) g");
	wait_until($root, "SELECT coalesce(sum(waiting), 0) = $people FROM automation.workflows", $patience) });
is($db->query('SELECT count(*) FROM automation.enrollments'), $people, 'all wait');
$db->query($edited);

# The dry run, and then the deed, with deaths in between.
my $said = dry_run('NULL');
note("the dry run says\n$said");
remember();
timed('migration with deaths', sub {
	$db->query("SELECT count(*) FROM automation.migrate('journey')");
	ok(kill_until_over(), 'the migration is over') });
ok(quiet(), 'and what it told everybody is read');
is($db->query($counts), $said, 'what has happened is what the dry run said');
is($db->query('SELECT count(*) FROM automation.enrollments'), $people, 'nobody is lost');
is($db->query("SELECT count(*) FROM automation.journal WHERE event = 'migrated' GROUP BY enrollment HAVING count(*) > 1"),
	'', 'nobody came over twice');
is($db->query("SELECT count(*) FROM automation.enrollments WHERE version = 1 AND (state, reason) IS DISTINCT FROM ('held', 'orphan')"),
	0, 'who stands on the old version is held');
is($db->query("SELECT what, count(*) FROM effect GROUP BY 1"), "enter|$people", 'nothing that was passed ran again, nothing new ran');
is($db->query(q{SELECT bool_and(wakes_at - entered_at BETWEEN interval '60 days' AND interval '61 days')
	FROM automation.enrollments WHERE statement LIKE '%60 days%'}), 't', 'the time that was waited counts');

# The orphans, by a map, while the others are told things and executors die.
my $map = q{'{"two": "next"}'};
$said = dry_run($map);
note("with a map\n$said");
remember();
my $next = $people;
timed('migration of the orphans', sub {
	$db->query("SELECT count(*) FROM automation.migrate('journey', $map)");
	ok(kill_until_over(sub {
		my $id = 1 + int(rand($people));

		# one of each place: an answer, a date, out, a new one
		$root->query("UPDATE app.contact SET flag = true, due = '2000-01-02' WHERE id = $id");
		$root->query('INSERT INTO app.contact VALUES (' . ++$next . ', 1)');
	}), 'the migration of the orphans is over') });
ok(quiet(), 'and what it told everybody is read');
is($db->query("SELECT count(*) FROM automation.enrollments WHERE version = 1"), 0, 'nobody is left behind');
is($db->query("SELECT count(*) FROM automation.journal WHERE event = 'migrated' GROUP BY enrollment HAVING count(*) > 1"),
	'', 'nobody came over twice');

# All go to the end: each effect once.
my $inside = $db->query('SELECT count(*) FROM contact');
$db->query("UPDATE contact SET flag = true, due = '2000-01-02'");
ok(wait_until($root, "SELECT count(*) = 0 FROM automation.enrollments WHERE statement LIKE '%c.due%'", $patience), 'dates are known');
ok(quiet(), 'quiet');
is($db->query('SELECT count(*) FROM (SELECT contact, what FROM effect GROUP BY 1, 2 HAVING count(*) > 1) twice'), 0, 'no effect twice');
is($db->query(q{SELECT count(*) FROM contact c WHERE place = 4 AND id <= } . $people .
	q{ AND NOT EXISTS (SELECT FROM effect e WHERE e.contact = c.id AND e.what = 'four')}), 0,
	'who stood on the renamed step went on there');
is($db->query(q{SELECT count(*) FROM contact c WHERE place IN (2, 3) AND id <= } . $people .
	q{ AND NOT EXISTS (SELECT FROM effect e WHERE e.contact = c.id AND e.what = 'three, the last')}), 0,
	'who stood on the moved one went on there, and who stood on the deleted one before it');
is($db->query("SELECT count(*) FROM effect WHERE what IN ('two', 'three')"), 0, 'and the old version does nothing more');

$db->close;
$root->close;
$node->stop('fast');
done_testing();
