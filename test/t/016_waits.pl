# Events around the moment a wait begins: four sessions write them while a live
# executor registers the waits.  None may be lost, none counted twice, and one that
# was committed before the wait began never ends a WAIT FOR.
#
# What is right is known exactly: a wait keeps the snapshot it began at, a visit the
# transaction that made it.  Who still waits in the end must have no visit that this
# snapshot does not see.
#
# AUTOMATION_TEST_FULL=1: 100,000 rounds instead of 2,000.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $rounds = $ENV{AUTOMATION_TEST_FULL} ? 100_000 : 2_000;
my $sessions = 4;

my $node = new_server('waits', q{
log_min_messages = warning
fsync = off
automation.recheck_interval = '1d'
});

# The kind of a person is id % 5:
#   0  a visit, committed; then the entry             WAIT FOR must not count it
#   1  both in one transaction, in either order       nor these
#   2  the entry, committed; then a visit, at a random moment; besides, visits of other
#      sessions, in transactions that are open for a while
#   3  as 2, but WAIT UNTIL EXISTS
#   4  a visit at a random moment, then the entry; WAIT UNTIL EXISTS
owner_database($node, 'work', 'app', q{
CREATE TABLE person (id int PRIMARY KEY);
CREATE TABLE visit (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, person int, xact xid8 DEFAULT pg_current_xact_id());
CREATE INDEX ON visit (person);
CREATE TABLE answer (person int, found boolean);
CREATE SEQUENCE people;
CREATE FUNCTION waits(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  IF p.id % 5 < 3 THEN
    WAIT FOR INSERT ON visit WHEN new.person = p.id;
  ELSE
    WAIT UNTIL EXISTS (SELECT FROM visit v WHERE v.person = p.id);
  END IF;
  INSERT INTO answer VALUES (p.id, found);
END $$;
CREATE PROCEDURE play() LANGUAGE plpgsql AS $$
DECLARE
  who int := nextval('people');
  other int := who / 5 * 5 + 2 - 5 * (random() * 2)::int;
BEGIN
  CASE who % 5
    WHEN 0 THEN
      INSERT INTO visit (person) VALUES (who);
      COMMIT;
      INSERT INTO person VALUES (who);
    WHEN 1 THEN
      INSERT INTO visit (person) VALUES (who);
      INSERT INTO person VALUES (who);
      INSERT INTO visit (person) VALUES (who);
    WHEN 2, 3 THEN
      INSERT INTO person VALUES (who);
      COMMIT;
      PERFORM pg_sleep(random() * random() * 0.003);
      INSERT INTO visit (person) VALUES (who);
    WHEN 4 THEN
      INSERT INTO visit (person) VALUES (who);
      PERFORM pg_sleep(random() * 0.001);
      COMMIT;
      INSERT INTO person VALUES (who);
  END CASE;
  COMMIT;
  IF other > 0 AND random() < 0.5 THEN
    INSERT INTO visit (person) VALUES (other);
    PERFORM pg_sleep(random() * 0.002);
    COMMIT;
  END IF;
END $$;
});

my $script = PostgreSQL::Test::Utils::tempdir . '/play.sql';
append_to_file($script, "CALL app.play();\n");
my $each = $rounds / $sessions;
$node->command_ok([ 'pgbench', '-n', '-U', 'app', '-h', $node->host, '-p', $node->port, '-c', $sessions,
	'-j', $sessions, '-t', $each, '-f', $script, 'work' ], "$rounds rounds by $sessions sessions");

# All is quiet when nothing is unread and everybody has come in.
my $session = AutomationTest::Session->new($node, 'work', 'postgres');
ok(wait_until($session, q{
SELECT (SELECT entered FROM automation.workflows WHERE name = 'waits') = (SELECT count(*) FROM app.person)
  AND NOT EXISTS (SELECT FROM automation.event_0) AND NOT EXISTS (SELECT FROM automation.event_1)
  AND NOT EXISTS (SELECT FROM automation.event_2) AND NOT EXISTS (SELECT FROM automation.event_3)}, 600),
	'everything was read');

sub number
{
	my ($sql) = @_;
	return $node->safe_psql('work', "SET search_path = app;\n$sql");
}

is(number('SELECT count(*) FROM person'), $rounds, 'everybody is there');
is(number('SELECT count(*) FROM (SELECT person FROM answer GROUP BY person HAVING count(*) > 1) d'), 0, 'nobody was answered twice');
is(number('SELECT count(*) FROM answer WHERE person % 5 IN (0, 1)'), 0, 'no visit of before counted for WAIT FOR');
is(number('SELECT count(*) FROM person p WHERE id % 5 > 2 AND NOT EXISTS (SELECT FROM answer a WHERE a.person = p.id AND a.found)'),
	0, 'no visit was lost for WAIT UNTIL');
is(number(q{SELECT count(*) FROM person p WHERE id % 5 < 3
  AND NOT EXISTS (SELECT FROM answer a WHERE a.person = p.id)
  AND NOT EXISTS (SELECT FROM automation.enrollment e WHERE e.args -> 0 ->> 0 = p.id::text AND e.state = 'waiting')}),
	0, 'who was not answered waits');
is(number(q{SELECT count(*) FROM automation.enrollment e JOIN visit v ON v.person = (e.args -> 0 ->> 0)::int
  WHERE NOT pg_visible_in_snapshot(v.xact, (e.waiting ->> 'snapshot')::pg_snapshot)}), 0, 'no visit was lost for WAIT FOR');
note('answered by WAIT FOR: ', number('SELECT count(*) FROM answer WHERE person % 5 = 2'), ' of ',
	number('SELECT count(*) FROM person WHERE id % 5 = 2'));
cmp_ok(number('SELECT count(*) FROM answer WHERE person % 5 = 2'), '>', 0, 'some visits came after their wait began');

# Who waits is answered by the next visit, and nothing is left of the waits.
number('INSERT INTO visit (person) SELECT (args -> 0 ->> 0)::int FROM automation.enrollment');
ok(wait_until($session, 'SELECT NOT EXISTS (SELECT FROM automation.enrollment)', 600), 'all are answered in the end');
is(number('SELECT count(*) FROM (SELECT person FROM answer WHERE found GROUP BY person HAVING count(*) = 1) d'), $rounds, 'each once');
is(number('SELECT (SELECT count(*) FROM automation.wait) + (SELECT count(*) FROM automation.timer) + (SELECT count(*) FROM automation.parked)'),
	0, 'nothing is left');
is(number("SELECT count(*) FROM automation.journal WHERE event IN ('retrying', 'failed', 'held')"), 0, 'nobody met an error');

# A writer whose transaction is open while the wait begins: when it commits, it counts
# for both; when it had committed before, for the condition alone.
my $writer = AutomationTest::Session->new($node, 'work', 'app');
$writer->query('SET search_path = app');
foreach my $case ([ 'open across', 900002, 900003, 't' ], [ 'rolled back', 900007, 900008, 'f' ])
{
	my ($what, $change, $condition, $counts) = @$case;

	$writer->query('BEGIN');
	$writer->query("INSERT INTO visit (person) VALUES ($change), ($condition)");
	number("INSERT INTO person VALUES ($change), ($condition)");
	ok(wait_until($session, "SELECT count(*) = 2 FROM automation.enrollments WHERE state = 'waiting' AND subject_key IN ('$change', '$condition')"),
		"$what: both wait");
	$writer->query($counts eq 't' ? 'COMMIT' : 'ROLLBACK');
	if ($counts eq 't')
	{
		ok(wait_until($session, "SELECT count(*) = 2 FROM app.answer WHERE person IN ($change, $condition)"), "$what: both are answered");
	}
	else
	{
		# whoever is entered afterwards has passed the log behind it
		number("INSERT INTO visit (person) VALUES ($condition)");
		ok(wait_until($session, "SELECT count(*) = 1 FROM app.answer WHERE person = $condition"), "$what: the next visit counts");
		is(number("SELECT count(*) FROM answer WHERE person = $change"), 0, "$what: and nothing else");
	}
}
$writer->close;

$session->close;
$node->stop;
done_testing();
