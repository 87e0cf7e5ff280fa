# What changes while messages are on their way: the server gets another name, the workflow
# another owner, and a transaction that made them is prepared, and committed later or not at all.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until server_up);
use HttpStub;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $stub = HttpStub->new(dir => PostgreSQL::Test::Utils::tempdir());
my $node = new_server('changes');

owner_database($node, 'main', 'heir', '');
owner_database($node, 'main', 'app', q{
CREATE TABLE contact (id bigint PRIMARY KEY, kind text);
CREATE TABLE effect (id bigint, status int);
CREATE FUNCTION tells(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind <> 'asks';
BEGIN
  SEND automation.http_request('POST', '/' || c.kind || '/' || c.id, server => 'web');
END $$;
CREATE FUNCTION asks(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'asks';
DECLARE
  reply automation.delivery;
BEGIN
  SEND automation.http_request('POST', '/asks/' || c.id, server => 'web') INTO reply;
  INSERT INTO app.effect VALUES (c.id, reply.status);
END $$;
});
$node->safe_psql('main', "CREATE SERVER web TYPE 'http' FOREIGN DATA WRAPPER automation"
	  . " OPTIONS (url '${\ $stub->url}', allow_private 'on', rate '0', concurrency '1', timeout '5min', schedule '1h');"
	  . " GRANT USAGE ON FOREIGN SERVER web TO app, heir; GRANT USAGE ON SCHEMA app TO heir; GRANT ALL ON ALL TABLES IN SCHEMA app TO heir");
my $db = AutomationTest::Session->new($node, 'main', 'postgres');

sub states
{
	my ($kind) = @_;
	return $db->query("SELECT string_agg(concat_ws(' ', state, reason, status), ', ' ORDER BY id) FROM automation.outgoing WHERE target LIKE '%/$kind/%'");
}

# --- a server is renamed: who is on his way arrives, the others have no server of that name ---

$stub->answer('/named/1', { wait => 1 });
$db->query("INSERT INTO app.contact SELECT i, 'named' FROM generate_series(1, 3) i");
ok($stub->wait_for(1, '/named/1'), 'one is on its way');
ok(wait_until($db, "SELECT count(*) = 2 FROM automation.outgoing_due"), 'two wait for the connection');
$db->query('ALTER SERVER web RENAME TO net');
ok(wait_until($db, "SELECT count(*) = 2 FROM automation.outgoing WHERE state = 'dead'"), 'the server is renamed');
$stub->answer('/named/1', { status => 201 });
ok(wait_until($db, "SELECT NOT EXISTS (SELECT FROM automation.outgoing WHERE state = 'queued')"), 'all are over');
is(states('named'), 'sent 201, dead no_server, dead no_server', 'what had left has arrived, and what not, has not');
$db->query('ALTER SERVER net RENAME TO web');
is($db->query("SELECT automation.replay(reason => 'no_server')"), '2', 'under its old name');
ok(wait_until($db, "SELECT count(*) = 3 FROM automation.outgoing WHERE state = 'sent'"), 'they leave');
is(join(' ', sort map { $_->{path} } $stub->requests), '/named/1 /named/2 /named/3', 'each once');

# --- the workflow gets another owner while an answer is waited for ---

$stub->answer('/asks/10', { wait => 1 });
$db->query("INSERT INTO app.contact VALUES (10, 'asks')");
ok($stub->wait_for(1, '/asks/10'), 'an answer is waited for');
$db->query('ALTER FUNCTION app.asks(app.contact) OWNER TO heir');
$stub->answer('/asks/10', { status => 202 });
ok(wait_until($db, "SELECT state = 'sent' FROM automation.outgoing WHERE target LIKE '%/asks/10'"), 'the message arrives');
ok(wait_until($db, "SELECT state = 'held' AND reason = 'owner_changed' FROM automation.enrollment"), 'its enrollment is held');
is($db->query('SELECT count(*) FROM app.effect'), '0', 'and does nothing in the name of another');
is($db->query("SELECT o.role FROM automation.outgoing m JOIN automation.owner o ON o.id = m.owner WHERE target LIKE '%/asks/10'"), 'app',
	'the message stays that of whom it was sent for');
$db->query('ALTER FUNCTION app.asks(app.contact) OWNER TO app');
ok(wait_until($db, 'SELECT count(*) = 1 FROM app.effect'), 'when the owner is the old one it goes on');
is($db->query('SELECT id, status FROM app.effect'), '10|202', 'with the answer');
is(scalar(my @asked = $stub->requests('/asks/10')), 1, 'which was asked for once');

# --- prepared transactions ---

$db->query("BEGIN; INSERT INTO app.contact SELECT i, 'prepared' FROM generate_series(21, 23) i; PREPARE TRANSACTION 'kept'");
$db->query("BEGIN; INSERT INTO app.contact SELECT i, 'forgotten' FROM generate_series(31, 33) i; PREPARE TRANSACTION 'dropped'");
$db->query("INSERT INTO app.contact VALUES (40, 'meanwhile')");
ok(wait_until($db, "SELECT state = 'sent' FROM automation.outgoing WHERE target LIKE '%/meanwhile/40'"), 'what came later leaves before');
is(states('prepared'), '', 'what is prepared does not');
$db->close;
$node->restart;
$db = server_up($node, 'main', 'postgres');
$db->query("ROLLBACK PREPARED 'dropped'");
$db->query("COMMIT PREPARED 'kept'");
ok(wait_until($db, "SELECT count(*) = 3 FROM automation.outgoing WHERE target LIKE '%/prepared/%' AND state = 'sent'"), 'when it is committed, after a restart, it leaves');
ok(wait_until($db, 'SELECT count(*) = 0 FROM automation.enrollment'), 'all are through');
is($db->query("SELECT string_agg(key, ' ' ORDER BY key) FROM automation.history WHERE event LIKE 'entered%' AND key ~ '[23][123]'"), '["21"] ["22"] ["23"]',
	'each has entered once');
is(join(' ', sort map { $_->{path} } grep { $_->{path} =~ /prepared|forgotten/ } $stub->requests), '/prepared/21 /prepared/22 /prepared/23',
	'once each, and nothing of what was rolled back');

$db->close;
$node->stop;
$stub->stop;
done_testing();
