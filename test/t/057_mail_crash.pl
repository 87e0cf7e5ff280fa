# Whoever dies, nobody gets an advertisement twice, and a mail that people wait for arrives.
# The receivers are a real mail server, and one that takes mails and hangs up before it
# says so; the dead are the delivery worker and the postmaster.  Mails are counted by
# their Message-ID, which is made of the id in the outbox.
#
# Processes are killed, not the machine: see 010_crash.pl.
#
# AUTOMATION_TEST_FULL=1: 60 deaths during 1,000 mails instead of 10 during 160.
# AUTOMATION_TEST_SEED repeats the dice of a run.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until);
use FindBin;
use lib "$FindBin::Bin/../perl";
use MailServer;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SmtpStub;
use Test::More;
use Time::HiRes qw(time usleep);
use Victims;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $full = $ENV{AUTOMATION_TEST_FULL};
my $deaths = $full ? 60 : 10;
my $mails = $full ? 1000 : 160;
my $patience = $PostgreSQL::Test::Utils::timeout_default;
my $seed = srand($ENV{AUTOMATION_TEST_SEED} // (time() * 1000) % 1000000);
note("seed $seed");

my $dir = PostgreSQL::Test::Utils::tempdir_short();
my $relay = MailServer->new(dir => $dir);
my $stub = SmtpStub->new(dir => $dir);
# one in three is taken without a word
$stub->answer(end => (map { rand() < 1 / 3 ? 'drop' : 'ok' } 1 .. $mails), 'ok');

my $node = new_server('mail_crash', q{
log_min_messages = warning
automation.retry_delay = '20ms'
});
my $schedule = join ', ', ('100ms') x 20;

# every third goes to the one that hangs up, every second is marketing
owner_database($node, 'work', 'app', q{
CREATE TABLE contact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ready boolean NOT NULL DEFAULT false);
CREATE FUNCTION tell(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SEND ROW('mail', CASE WHEN c.id % 3 = 0 THEN 'stub' ELSE 'relay' END, 'c' || c.id || '@example.test', 'Hello', 'Hello', NULL,
           jsonb_build_object('class', CASE WHEN c.id % 2 = 0 THEN 'marketing' ELSE 'transactional' END))::automation.message;
END $$;
});
for my $server ([ relay => $relay->url ], [ stub => $stub->url ])
{
	$node->safe_psql('work', qq{
SET client_min_messages = error;
CREATE SERVER $server->[0] TYPE 'smtp' FOREIGN DATA WRAPPER automation
  OPTIONS (url '$server->[1]', allow_private 'true', verify 'off', rate '0', concurrency '8', "from" 'shop\@example.test', unsubscribe_url 'https://example.test/u?t=', schedule '$schedule');
GRANT USAGE ON FOREIGN SERVER $server->[0] TO app;
});
}

# --- who dies ---

my $victims = Victims->new(node => $node, database => 'work', deaths => $deaths, rows => $mails, pause => 0.4,
	chances => [ postmaster => 0.25, delivery => 0.75 ],
	write => sub { return "SET ROLE app; INSERT INTO app.contact (ready) SELECT true FROM generate_series(1, $_[0]); RESET ROLE" },
	count => 'SELECT count(*) FROM app.contact');
my $session = $victims->happen;
is($victims->died, $deaths, $victims->killed);
is($victims->written, $mails, 'everything was written');

# --- all is over ---

my $over = "SELECT (SELECT count(*) FROM automation.outgoing) = $mails AND NOT EXISTS (SELECT FROM automation.outgoing WHERE state = 'queued')";

# the last of the dead may take the session along a moment later
$session = $victims->steady($session);
ok(wait_until($session, $over, $patience * 2), 'every mail reached its end');
is($session->query('SELECT (SELECT count(*) FROM automation.outgoing_due) + (SELECT count(*) FROM automation.inflight)'), '0', 'none is due or on its way');
is($session->query("SELECT count(*) FROM (SELECT enrollment FROM automation.outgoing GROUP BY 1 HAVING count(*) <> 1) x"), '0', 'each subject was written to once');
is($session->query("SELECT string_agg(DISTINCT state || coalesce(' ' || reason, ''), ', ') FROM automation.outgoing WHERE class = 'transactional'"), 'sent',
	'what people wait for is sent');
is($session->query("SELECT count(*) FROM automation.outgoing WHERE class = 'marketing' AND state || coalesce(' ' || reason, '') NOT IN ('sent', 'unknown connection_lost')"), '0',
	'the rest is sent, or nobody knows');

my (%state, %class);
for (split /\n/, $session->query("SELECT concat_ws(' ', uid, class, state) FROM automation.outgoing"))
{
	my ($uid, $class, $state) = split / /;
	($class{$uid}, $state{$uid}) = ($class, $state);
}

# The mail server writes what it has taken to the directory a moment later.
my (%times, $malformed);

sub count_mails
{
	(%times, $malformed) = ();
	for my $text ((map { $_->{text} } $relay->mails), (map { $_->{data} } $stub->mails))
	{
		my ($uid) = $text =~ /^Message-ID: <(msg_[0-9a-f]{32})\@example\.test>\r?$/m;

		$malformed++ if !$uid || !$state{$uid};
		$times{$uid}++ if $uid;
	}
	return grep { $state{$_} eq 'sent' && !$times{$_} } keys %state;
}

my $until = time() + $patience;
usleep(100_000) while count_mails() && time() < $until;
usleep(500_000);
is(scalar(my @missing = count_mails()), 0, 'what is sent has arrived');
is($malformed // 0, 0, 'every mail has a Message-ID of the outbox');
is(join(' ', grep { $times{$_} > 1 && $class{$_} eq 'marketing' } keys %times), '', 'no advertisement arrived twice');
note(sprintf 'of %d mails %d arrived, %d more than once; of %d advertisements nobody knows, %d of them arrived', $mails,
	scalar(keys %times), scalar(grep { $times{$_} > 1 } keys %times),
	scalar(grep { $state{$_} eq 'unknown' } keys %state), scalar(grep { $state{$_} eq 'unknown' && $times{$_} } keys %state));
is($session->query("SELECT count(*) FROM automation.outgoing m WHERE m.state = 'unknown'"
	  . " AND NOT EXISTS (SELECT FROM automation.dead_letter d WHERE d.message = m.id AND d.state = 'unknown')"), '0', 'somebody hears of those');

$session->close;
$node->stop('fast');
$stub->stop;
$relay->stop;
done_testing();
