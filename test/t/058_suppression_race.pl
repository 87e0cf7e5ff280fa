# A suppression that is committed before a message is marked as on its way stops it,
# however close the two are; who looks at the queue sees it at once.
#
# A procedure suppresses the recipient of whatever message is next in the queue, while the
# delivery worker takes messages out of its front.  Then it looks, in a snapshot of
# its own taken after the commit: if the licence is still there, or the message is not marked,
# the suppression was first, and the message must never leave.
#
# AUTOMATION_TEST_FULL=1: 1,000 races that the suppression has won instead of 60.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until);
use FindBin;
use lib "$FindBin::Bin/../perl";
use HttpStub;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $races = $ENV{AUTOMATION_TEST_FULL} ? 1000 : 60;
my $stub = HttpStub->new(dir => PostgreSQL::Test::Utils::tempdir());
my $url = $stub->url;
my $node = new_server('race');

owner_database($node, 'work', 'app', q{
CREATE TABLE contact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ready boolean);
CREATE FUNCTION tell(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SEND ROW('http', 'web', '/to/' || c.id, NULL, '{}', NULL,
           jsonb_build_object('channel', 'sms', 'class', 'marketing', 'address', 490000 + c.id))::automation.message;
END $$;
});
$node->safe_psql('work', qq{
CREATE SERVER web TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url '$url', allow_private 'true', rate '0', concurrency '2', recipient_rate '0');
GRANT USAGE ON FOREIGN SERVER web TO app;
CREATE TABLE race (id bigint PRIMARY KEY, first boolean, shown text);
CREATE PROCEDURE chase(races int) LANGUAGE plpgsql AS \$\$
DECLARE
  next record;
BEGIN
  WHILE (SELECT count(*) FROM race WHERE first) < races LOOP
    SELECT m.id, m.address INTO next FROM automation.outgoing_due d JOIN automation.outgoing m USING (id)
      WHERE NOT EXISTS (SELECT FROM race r WHERE r.id = m.id) ORDER BY m.id LIMIT 1;
    IF FOUND THEN
      PERFORM automation.suppress(next.address, 'sms', class => NULL, for_owner => 'app');
      COMMIT;
      -- one statement, one snapshot
      INSERT INTO race SELECT v.id, EXISTS (SELECT FROM automation.outgoing_due d WHERE d.id = v.id), v.state
        FROM automation.deliveries v WHERE v.id = next.id;
    ELSIF EXISTS (SELECT FROM automation.outgoing WHERE state = 'queued') OR EXISTS (SELECT FROM automation.enrollment) THEN
      PERFORM pg_sleep(0.001);
    ELSIF (SELECT count(*) FROM automation.outgoing) = (SELECT count(*) FROM app.contact) THEN
      INSERT INTO app.contact (ready) SELECT true FROM generate_series(1, 100);
    END IF;
    COMMIT;
  END LOOP;
END \$\$;
});
my $db = AutomationTest::Session->new($node, 'work', 'postgres');

$node->safe_psql('work', "SET statement_timeout = '" . 5 * $PostgreSQL::Test::Utils::timeout_default . "s'; CALL chase($races)");
ok(wait_until($db, "SELECT NOT EXISTS (SELECT FROM automation.outgoing WHERE state = 'queued') AND NOT EXISTS (SELECT FROM automation.enrollment)"),
	'all messages are over');
is($db->query("SELECT string_agg(DISTINCT shown, ', ') FROM race WHERE first"), 'cancelled', 'who looked saw what was stopped');
is($db->query("SELECT string_agg(DISTINCT concat_ws(' ', m.state, m.reason, m.attempts), ', ') FROM race r JOIN automation.outgoing m USING (id) WHERE r.first"),
	'cancelled suppressed 0', 'and so it ended');
is($db->query("SELECT count(*) FROM race r JOIN automation.outgoing m USING (id) WHERE NOT r.first AND concat_ws(' ', m.state, m.reason) NOT IN ('sent', 'cancelled suppressed')"), '0',
	'where the worker was first it was sent, or stopped after all');

my %sent;
$sent{$_}++ for map { $_->{path} =~ m{/to/(\d+)} } $stub->requests;
my @stopped = split /\n/, $db->query("SELECT m.address::bigint - 490000 FROM race r JOIN automation.outgoing m USING (id) WHERE r.first");
is(scalar(@stopped) >= $races ? 1 : 0, 1, 'so many races were won by the suppression');
is(scalar(grep { $sent{$_} } @stopped), 0, 'nothing of them was received');
is(scalar(grep { $_ > 1 } values %sent), 0, 'and nothing twice');
note(sprintf '%d races, %s by the worker; %d messages were received', $db->query('SELECT count(*) FROM race'),
	$db->query('SELECT count(*) FROM race WHERE NOT first'), scalar keys %sent);

$db->close;
$node->stop;
$stub->stop;
done_testing();
