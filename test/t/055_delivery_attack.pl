# What somebody hostile could make of deliveries: answers that this database cannot
# hold, an outbox edited by hand, a restore that switches the guards off, a message
# that ends the process which sends it.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until server_up set_option);
use HttpStub;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $directory = PostgreSQL::Test::Utils::tempdir;
my $stub = HttpStub->new(dir => $directory);
my $node = new_server('hostile', "log_min_messages = warning\nmax_worker_processes = 24\n");
my $base = $stub->url;

my $poster = q{
CREATE TABLE post (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, path text, options jsonb);
CREATE FUNCTION send_post(p post) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SEND ROW('http', 'hook', p.path, NULL, '{}', NULL, p.options)::automation.message;
END $$;
};

# A server for the stub, which the workflow's owner may use.
sub hook
{
	my ($database) = @_;

	$node->safe_psql($database, "CREATE SERVER hook TYPE 'http' FOREIGN DATA WRAPPER automation"
		  . " OPTIONS (url '$base', allow_private 'on', rate '0', schedule '10ms'); GRANT USAGE ON FOREIGN SERVER hook TO alice");
	return AutomationTest::Session->new($node, $database, 'postgres');
}

# From a moment on the delivery worker begins nothing, or does so again.
sub egress
{
	my ($chief, $how) = @_;

	set_option($node, $chief, 'automation.egress', $how);
	return;
}

owner_database($node, 'home', 'alice', $poster);
my $chief = hook('home');

# --- an answer with characters that the database's encoding does not have ---

$node->safe_psql('postgres', "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
$node->safe_psql('latin', "CREATE EXTENSION automation; GRANT USAGE ON LANGUAGE workflow TO alice; CREATE SCHEMA alice AUTHORIZATION alice");
my $latin = hook('latin');
$node->safe_psql('latin', "SET search_path = alice; $poster", extra_params => [ '-U', 'alice' ]);
$stub->answer('/foreign', { body => '{"sid": "\u4e2d"}' });
$latin->query("INSERT INTO alice.post (path, options) VALUES ('/foreign', '{\"channel\": \"sms\", \"address\": \"+491701234567\"}'), ('/plain', NULL)");
ok(wait_until($latin, "SELECT count(*) = 2 FROM automation.outgoing WHERE state = 'sent' AND attempts = 1"),
	'an answer that cannot be read is an answer, and does not end the process');
is(scalar(() = $stub->requests('/foreign')), 1, 'so the request was sent once');
is($latin->query("SELECT provider_id FROM automation.outgoing WHERE target LIKE '%/foreign'"), '', 'what the service calls it is not known');

# --- an outbox that was edited ---

egress($chief, 'off');
$chief->query("INSERT INTO alice.post (path) SELECT '/edited/' || i FROM generate_series(1, 5) i");
ok(wait_until($chief, "SELECT count(*) = 5 FROM automation.outgoing WHERE state = 'queued'"), 'messages that cannot leave yet');
$chief->query("UPDATE automation.outgoing SET $_->[1] WHERE target LIKE '%/edited/$_->[0]'")
  for [ 1, "key = '[x'" ], [ 2, "uid = E'm\\r\\nX-Evil: 1'" ], [ 3, "uid = 'msg_a.1.b'" ], [ 4, "body = repeat('x', 70 * 1024 * 1024)" ];
is($chief->query('SELECT count(subject) FROM automation.deliveries'), '4', 'a key that is none does not hide the others');
egress($chief, 'guarded');
ok(wait_until($chief, "SELECT count(*) = 5 FROM automation.outgoing WHERE finished_at IS NOT NULL"), 'all are over');
is($chief->query("SELECT string_agg(right(target, 1) || ' ' || state || ' ' || coalesce(reason, '-'), ', ' ORDER BY target)"
	  . " FROM automation.outgoing"),
	'1 sent -, 2 dead invalid_message, 3 dead invalid_message, 4 dead invalid_message, 5 sent -',
	'ids that would be another header or be signed for another message, and what is too long to be loaded, are refused');
is(scalar(() = $stub->requests("/edited/$_")), 0, "nothing has left of message $_") for 2, 3, 4;

# --- schemas come and go while messages end ---

egress($chief, 'off');
$chief->query("INSERT INTO alice.post (path) SELECT '/nowhere' FROM generate_series(1, 2000)");
ok(wait_until($chief, "SELECT count(*) = 2000 FROM automation.outgoing WHERE state = 'queued'"), 'many messages');
my $started = $chief->query('SELECT pg_postmaster_start_time() || (SELECT min(backend_start)::text FROM pg_stat_activity WHERE backend_type = \'checkpointer\')');
my $ddl = AutomationTest::Session->new($node, 'home', 'postgres');
egress($chief, 'guarded');
$ddl->send('DROP SERVER hook CASCADE');
$ddl->send('CREATE SCHEMA storm; DROP SCHEMA storm;') for 1 .. 300;
$ddl->receive;
ok(wait_until($chief, "SELECT count(*) = 0 FROM automation.outgoing WHERE state = 'queued'"), 'all are over');
is($chief->query('SELECT pg_postmaster_start_time() || (SELECT min(backend_start)::text FROM pg_stat_activity WHERE backend_type = \'checkpointer\')'),
	$started, 'and no process has crashed');
cmp_ok($chief->query("SELECT count(*) FROM automation.outgoing WHERE reason = 'no_server'"), '>', 0, 'the server was gone');
$ddl->close;
$chief->close;
$chief = hook('home');

# --- a restore with triggers switched off ---

egress($chief, 'off');
$chief->query("INSERT INTO alice.post (path) VALUES ('/restored')");
ok(wait_until($chief, "SELECT count(*) = 1 FROM automation.outgoing WHERE state = 'queued'"), 'a message in the dump');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$directory/dump", $node->connstr('home') ], 'dumped');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'pg_restore', '--schema-only', '-d', $node->connstr('copy'), "$directory/dump" ], 'restored without data');
$node->command_ok([ 'pg_restore', '--data-only', '--disable-triggers', '-d', $node->connstr('copy'), "$directory/dump" ],
	'data alone, without triggers');
my $copy = AutomationTest::Session->new($node, 'copy', 'postgres');
is($copy->query("SELECT string_agg(m.state || ' ' || d.due, ', ') FROM automation.outgoing m JOIN automation.outgoing_due d USING (id)"),
	'held infinity', 'there the message is held');
is($copy->query('SELECT count(*) FROM automation.egress_node'), '0', 'and the node is not armed');
$copy->query('CALL automation.arm()');
$copy->query('SELECT automation.arm_egress()');
egress($chief, 'guarded');
ok(wait_until($chief, "SELECT count(*) = 0 FROM automation.outgoing WHERE state = 'queued'"), 'the original sends it');
$copy->query("INSERT INTO alice.post (path) VALUES ('/new')");
$stub->answer('/new', { status => 200 });
ok(wait_until($copy, "SELECT count(*) = 1 FROM automation.outgoing WHERE target LIKE '%/new' AND state = 'sent'"), 'the copy sends its own');
is(scalar(() = $stub->requests('/restored')), 1, 'but not what the original has sent');

# --- a message that ends the process again and again ---

$stub->answer("/orphan/$_", { hang => 1 }) for 1, 2;
$chief->query("INSERT INTO alice.post (path) SELECT '/orphan/' || i FROM generate_series(1, 2) i");
ok(wait_until($chief, "SELECT count(*) = 2 FROM automation.inflight"), 'two are on their way');
$chief->query("UPDATE automation.inflight SET attempt = 20 WHERE id = (SELECT min(id) FROM automation.inflight)");
$stub->answer("/orphan/$_", { status => 200 }) for 1, 2;
$node->stop('immediate');
$node->start;
$chief = server_up($node, 'home');
ok(wait_until($chief, "SELECT count(*) = 1 FROM automation.outgoing WHERE target LIKE '%/orphan/2' AND state = 'sent'"), 'the neighbour leaves at once');
is($chief->query("SELECT d.attempt || ' ' || (d.due > automation.now() + interval '10 minutes') FROM automation.outgoing m"
	  . " JOIN automation.outgoing_due d USING (id) WHERE m.target LIKE '%/orphan/1'"), '20 true', 'who was there each time waits');

$_->close for $chief, $latin, $copy;
$node->stop;
$stub->stop;
done_testing();
