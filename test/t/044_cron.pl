# EVERY with the real pg_cron and the workers: where it is missing, its tick, runs
# that the server's death interrupts, times that passed while it was down, and
# what a run keeps others from (nothing).
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until server_up executor_pid process_lives);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';
my $subjects = 20000;

# Without pg_cron, and with pg_cron in another database: what to do is said.
my $definition = q{CREATE FUNCTION app.hourly(n int) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 * * * *' FOR SELECT 1;
  ENROLL AGAIN;
BEGIN
  EXIT;
END $$;};
my $plain = new_server('plain');
owner_database($plain, 'crm', 'app', 'SELECT 1');
my ($ret, $stdout, $stderr) = $plain->psql('crm', "SET SESSION AUTHORIZATION app; $definition", on_error_stop => 0);
like($stderr, qr/ERROR:  EVERY needs pg_cron, which is not loaded/, 'pg_cron is not loaded');
like($stderr, qr/HINT:  .*shared_preload_libraries and set cron.database_name = 'crm', restart .*CREATE EXTENSION pg_cron/, 'and what to do');
# a placeholder is not the setting
(undef, undef, $stderr) = $plain->psql('crm', "SET SESSION AUTHORIZATION app; SET cron.database_name = 'crm'; $definition", on_error_stop => 0);
like($stderr, qr/not loaded/, 'whoever sets the name');
(undef, undef, $stderr) = $plain->psql('crm', "SET SESSION AUTHORIZATION app; SET check_function_bodies = off; $definition", on_error_stop => 0);
is($stderr, '', 'a restore raises nothing');
(undef, undef, $stderr) = $plain->psql('crm', "DROP EXTENSION automation CASCADE", on_error_stop => 0);
unlike($stderr, qr/WARNING|ERROR/, 'the extension goes without pg_cron, too');
$plain->stop;

my $node = new_server('cron', q{
shared_preload_libraries = 'automation, pg_cron'
cron.database_name = 'crm'
cron.use_background_workers = on
log_min_messages = warning
});
owner_database($node, 'other', 'app', 'SELECT 1');
(undef, undef, $stderr) = $node->psql('other', "SET SESSION AUTHORIZATION app; $definition", on_error_stop => 0);
like($stderr, qr/ERROR:  EVERY needs pg_cron in this database, but it works in database "crm"/, 'pg_cron is elsewhere');
like($stderr, qr/cron.database_name = 'other'.*cron.schedule_in_database/, 'and what to do');

owner_database($node, 'crm', 'app', 'SELECT 1');
(undef, undef, $stderr) = $node->psql('crm', "SET SESSION AUTHORIZATION app; $definition", on_error_stop => 0);
like($stderr, qr/ERROR:  EVERY needs the extension pg_cron/, 'the extension is not there');
$node->safe_psql('crm', 'CREATE EXTENSION pg_cron');

# The real tick.
$node->safe_psql('crm', q{SET SESSION AUTHORIZATION app; SET search_path = app;
CREATE TABLE subject (id int PRIMARY KEY, touched int NOT NULL DEFAULT 0);
CREATE TABLE effect (workflow text, subject int);
CREATE FUNCTION minutely(n int) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '* * * * *' FOR SELECT 7;
  ENROLL AGAIN;
BEGIN
  INSERT INTO effect VALUES ('minutely', n);
END $$;});
my $session = AutomationTest::Session->new($node, 'crm');
ok(wait_until($session, "SELECT count(*) > 0 FROM app.effect", 150), 'a job of every minute ticks, and the run is done');
is($session->query("SELECT driver FROM automation.schedule"), 'cron', 'by the tick of pg_cron');
is($session->query("SELECT count(*) FROM automation.schedule s JOIN automation.job j ON j.workflow = s.workflow WHERE j.at <> date_trunc('minute', j.at)"),
	'0', 'for times of the schedule');
ok(wait_until($session, "SELECT bool_and(state = 'done') AND count(*) = count(DISTINCT at) FROM automation.job"), 'each once');
is($session->query("SELECT string_agg(DISTINCT username, ',') FROM cron.job"), 'app', 'as its owner');
is($session->query("SELECT count(*) FROM automation.health() WHERE code IN ('no_cron_job', 'no_tick', 'schedule_late', 'run_failed')"), '0', 'and all is well');
$node->safe_psql('crm', 'SET SESSION AUTHORIZATION app; DROP FUNCTION app.minutely');
is($session->query("SELECT count(*) FROM cron.job"), '0', 'the job goes with the workflow');

# A large run is killed in its middle, twice: each subject enters once, also who has ended.
$node->safe_psql('crm', qq{SET SESSION AUTHORIZATION app; SET search_path = app; TRUNCATE effect;
INSERT INTO subject SELECT g FROM generate_series(1, $subjects) g;
CREATE FUNCTION large(s subject) RETURNS bigint LANGUAGE workflow AS \$\$
  EVERY '0 0 1 1 *' FOR SELECT id FROM subject;
  ENROLL AGAIN;
BEGIN
  INSERT INTO effect VALUES ('large', s.id);
  IF s.id % 2 = 0 THEN
    WAIT FOR '1 year';
  END IF;
END \$\$;});
my $due = "UPDATE automation.schedule SET since = '2000-01-01', last_run = NULL";
my $id = $session->query("SELECT id FROM automation.schedule");
$session->query($due);
my $writer = AutomationTest::Session->new($node, 'crm', 'app');
$session->query("CALL automation.tick($id)");
for my $part (4, 2)
{
	ok(wait_until($session, "SELECT done > $subjects / $part FROM automation.job WHERE kind = 'E' ORDER BY id DESC LIMIT 1"), 'the run has begun');
	my $pid = executor_pid($session, 'app');
	kill 'KILL', $pid;
	$session->close;
	$session = server_up($node, 'crm', 'postgres');
	ok(defined $session, 'the server is up again');
}
ok(wait_until($session, "SELECT state = 'done' FROM automation.job WHERE kind = 'E' ORDER BY id DESC LIMIT 1"), 'the run is done');
is($session->query("SELECT count(*), count(DISTINCT subject) FROM app.effect"), "$subjects|$subjects", 'each subject once');
is($session->query("SELECT count(*), count(DISTINCT key) FROM automation.enrollment"), $subjects / 2 . '|' . $subjects / 2, 'half of them wait');
is($session->query("SELECT count(*) FROM automation.ledger WHERE entries <> 1"), '0', 'and have entered once');
is($session->query("SELECT count(*), sum(done) IS NOT NULL FROM automation.job WHERE kind = 'E'"), '1|t', 'in one run');
$writer->close;

# Nobody who writes the subjects is kept waiting: a lock that is not free at once is an error here.
$session->query("DELETE FROM automation.enrollment; DELETE FROM automation.timer; TRUNCATE app.effect; $due");
$writer = AutomationTest::Session->new($node, 'crm', 'app');
$writer->query("SET lock_timeout = '1ms'");
# until the executor has read the tick, the last run is the one before
my $before = $session->query("SELECT max(id) FROM automation.job WHERE kind = 'E'");
$session->query("CALL automation.tick($id)");
my ($updates, $locks, $over) = (0, 0, 0);
my $patience = time + 3 * $PostgreSQL::Test::Utils::timeout_default;
while (!$over && time < $patience)
{
	my $key = $updates * 97 % $subjects + 1;
	my $answer = $writer->query("UPDATE app.subject SET touched = touched + 1 WHERE id = $key RETURNING 'ok'");
	$updates++;
	is($answer, 'ok', "writing subject $key") if ($answer // '') ne 'ok';
	$locks++ if $session->query("SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.backend_type LIKE 'automation executor%'"
		. " AND l.relation = 'app.subject'::regclass AND l.mode NOT IN ('AccessShareLock'))") eq 't';
	$over = $session->query("SELECT EXISTS (SELECT FROM automation.job WHERE kind = 'E' AND id > $before AND state = 'done')") eq 't';
}
ok($over && $updates > 3, "a writer with a lock_timeout of 1 ms wrote $updates subjects during the run");
is($locks, 0, 'on which the executor had no lock but that of reading');
is($session->query("SELECT count(*), count(DISTINCT subject) FROM app.effect"), "$subjects|$subjects", 'and each entered once');

# Times that passed while the server was down: one run, by nobody's tick.
$session->query("UPDATE cron.job SET active = false");
$session->query("DELETE FROM automation.enrollment; TRUNCATE app.effect");
$node->safe_psql('crm', q{SET SESSION AUTHORIZATION app; SET search_path = app;
CREATE FUNCTION missed(n int) RETURNS bigint LANGUAGE workflow AS $$
  EVERY '0 * * * *' FOR SELECT 1;
  ENROLL AGAIN;
BEGIN
  INSERT INTO effect VALUES ('missed', n);
END $$;});
$session->query("UPDATE automation.schedule SET since = now() - interval '5 hours' WHERE schedule = '0 * * * *'");
$session->close;
$node->restart;
$session = AutomationTest::Session->new($node, 'crm');
ok(wait_until($session, "SELECT count(*) = 1 FROM app.effect WHERE workflow = 'missed'"), 'what was missed is run at the start');
is($session->query("SELECT driver, last_run = date_trunc('hour', now()) FROM automation.schedule WHERE schedule = '0 * * * *'"), 'start|t', 'once, for the last time of the schedule');
is($session->query("SELECT count(*) FROM automation.job j JOIN automation.workflow w ON w.id = j.workflow WHERE w.signature LIKE '%missed%'"), '1', 'in one run');

# The extension takes its jobs with it.
$session->query("DROP EXTENSION automation CASCADE");
is($session->query("SELECT count(*) FROM cron.job"), '0', 'DROP EXTENSION leaves no job behind');
$session->close;
$node->stop;
done_testing();
