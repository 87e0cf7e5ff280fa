# The delivery worker against a small HTTP server of ours: what leaves, how often, in
# which order and how fast, and what becomes of it when something ends in between.
# Messages are put into the outbox as SEND does it.
use strict;
use warnings;

use AutomationTest qw(new_server wait_until set_option kill_process);
use FindBin;
use lib "$FindBin::Bin/../perl";
use HttpStub;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

$ENV{PGUSER} = 'postgres';
my $races = $ENV{AUTOMATION_RACES} // 100;

my $node = new_server('delivery', "automation.shutdown_wait = '20s'\n");
my $stub = HttpStub->new(dir => PostgreSQL::Test::Utils::tempdir);
my $url = $stub->url;

# A database with servers, and put(): messages to a path of one of them.
sub setup
{
	my ($database) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, qq{
SET client_min_messages = error;
CREATE EXTENSION automation;
ALTER TABLE automation.owner DISABLE TRIGGER USER;
ALTER TABLE automation.outgoing DISABLE TRIGGER USER;
ALTER TABLE automation.outgoing_due DISABLE TRIGGER USER;
DO \$\$ BEGIN CREATE ROLE alice LOGIN; EXCEPTION WHEN duplicate_object THEN END \$\$;
INSERT INTO automation.owner (id, role) VALUES (1, 'alice');
CREATE FUNCTION server(name text, more text DEFAULT '') RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
  EXECUTE format('CREATE SERVER %I TYPE ''http'' FOREIGN DATA WRAPPER automation OPTIONS (url %L, allow_private ''true'' %s)',
    name, '$url/' || name, more);
  EXECUTE format('GRANT USAGE ON FOREIGN SERVER %I TO alice', name);
END \$\$;
CREATE FUNCTION put(n int, server text, path text, key text DEFAULT NULL, due interval DEFAULT '0', kind text DEFAULT 'http',
                    expires timestamptz DEFAULT NULL, body text DEFAULT '{}', address text DEFAULT NULL) RETURNS SETOF bigint
LANGUAGE plpgsql AS \$\$
DECLARE m bigint;
BEGIN
  FOR i IN 1 .. n LOOP
    INSERT INTO automation.outgoing (id, uid, owner, workflow, version, enrollment, epoch, statement, source, created_at, kind, server,
        target, channel, class, body, options, awaited, state, attempts, ordering_key, expires_at, address)
      VALUES (nextval('automation.outgoing_seq'), 'msg_' || md5(random()::text), 1, i % 3, 0, 0, 0, 0, 0, automation.now(), kind, server,
        '$url/' || server || path, CASE WHEN address IS NULL THEN 'http' ELSE 'mail' END, 'internal', body, '{}', false, 'queued', 0, key,
        expires, address)
      RETURNING id INTO m;
    INSERT INTO automation.outgoing_due (id, owner, workflow, enrollment, server, due, attempt, xact, ordering_key)
      VALUES (m, 1, i % 3, 0, server, automation.now() + due, 0, pg_current_xact_id(), key);
    RETURN NEXT m;
  END LOOP;
END \$\$;
SELECT server('web', ', rate ''0'', concurrency ''20'', schedule ''1h, 1h''');
});
	return AutomationTest::Session->new($node, $database, 'postgres');
}

my $db = setup('main');

sub state_of
{
	my ($id) = @_;
	return $db->query("SELECT concat_ws(' ', state, reason, attempts, status) FROM automation.outgoing WHERE id = $id");
}

# CALL of a procedure that commits can't be in a session's implicit block of several statements.
sub advance
{
	my ($by, $database) = @_;
	$node->safe_psql($database // 'main', "CALL automation.advance('$by')");
	return;
}

sub settled
{
	my ($what) = @_;
	return wait_until($db, 'SELECT NOT EXISTS (SELECT FROM automation.inflight) AND NOT EXISTS'
		  . ' (SELECT FROM automation.outgoing_due WHERE due <= automation.now())');
}

sub worker
{
	my ($session) = @_;
	return $session->query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'automation delivery' AND datname = current_database()");
}

# --- Once

$db->query("SELECT count(put) FROM put(50, 'web', '/once')");
ok(wait_until($db, "SELECT count(*) = 50 FROM automation.outgoing WHERE state = 'sent'"), 'the messages are sent');
my %times;
$times{ $_->{headers}{'webhook-id'} // $_->{headers}{'idempotency-key'} // '' }++ for $stub->requests('/web/once');
is(join(' ', sort values %times), join(' ', (1) x 50), 'each was received once');
is($db->query('SELECT (SELECT count(*) FROM automation.inflight) + (SELECT count(*) FROM automation.outgoing_due)'), '0', 'nothing is left of them');
is($db->query("SELECT count(*) FROM automation.history WHERE event = 'delivery'"), '50', 'the history has a line for each');
ok(wait_until($db, 'SELECT messages_sent = 50 FROM automation.stat_engine'), 'and they are counted');
like($db->query("SELECT query FROM pg_stat_activity WHERE backend_type = 'automation delivery'"), qr/^automation: /, 'the worker says what it does');

# --- Again, by the schedule

$stub->answer('/web/again', { status => 500 }, { status => 503 }, { status => 200 });
my $id = $db->query("SELECT put(1, 'web', '/again')");
ok(wait_until($db, "SELECT count(*) = 1 FROM automation.outgoing_due WHERE attempt = 1"), 'a failure is tried again');
is($db->query("SELECT due - automation.now() BETWEEN '47 min' AND '73 min' FROM automation.outgoing_due WHERE id = $id"), 't',
	'when the schedule says, about');
advance('73 min');
ok(wait_until($db, "SELECT count(*) = 1 FROM automation.outgoing_due WHERE attempt = 2"), 'and again');
advance('73 min');
ok(wait_until($db, "SELECT state = 'sent' FROM automation.outgoing WHERE id = $id"), 'until it is taken');
is(state_of($id), 'sent 3 200', 'that took three attempts');
my @again = $stub->requests('/web/again');
is(scalar(@again), 3, 'three requests');
is(scalar(keys %{ { map { $_->{headers}{'webhook-id'} // $_->{headers}{'idempotency-key'} => 1 } @again } }), 1, 'with one id');

$stub->answer('/web/never', { status => 500 });
$id = $db->query("SELECT put(1, 'web', '/never')");
for my $attempt (1, 2)
{
	wait_until($db, "SELECT count(*) = 1 FROM automation.outgoing_due WHERE id = $id AND attempt = $attempt");
	advance('73 min');
}
ok(wait_until($db, "SELECT state = 'dead' FROM automation.outgoing WHERE id = $id"), 'a schedule comes to its end');
is(state_of($id), 'dead attempts 3 500', 'with a reason');
is($db->query("SELECT concat_ws(' ', message = $id, state, reason, status, attempts, owner) FROM automation.dead_letter"), 't dead attempts 500 3 alice',
	'and a dead letter');

$stub->answer('/web/404', { status => 404 });
$id = $db->query("SELECT put(1, 'web', '/404')");
ok(wait_until($db, "SELECT state = 'dead' FROM automation.outgoing WHERE id = $id"), 'what is refused');
is(state_of($id), 'dead status 1 404', 'is not tried again');

$stub->answer('/web/later', { status => 429, headers => { 'Retry-After' => 10800 } });
$id = $db->query("SELECT put(1, 'web', '/later')");
ok(wait_until($db, "SELECT count(*) = 1 FROM automation.outgoing_due WHERE id = $id AND attempt = 1"), 'a receiver that has too much');
is($db->query("SELECT due - automation.now() BETWEEN '2:59' AND '3:00:01' FROM automation.outgoing_due WHERE id = $id"), 't', 'says when it is to come');
advance('6 min');

# --- Expired, unreadable, replay and discard

$id = $db->query("SELECT put(1, 'web', '/x', NULL, '0', 'http', automation.now() - interval '1 s')");
ok(wait_until($db, "SELECT state = 'dead' FROM automation.outgoing WHERE id = $id"), 'a message that has expired');
is(state_of($id), 'dead expired 0', 'does not leave');
$node->safe_psql('main', 'CREATE EXTENSION pg_surgery');
my $bad = $db->query("SELECT put(1, 'web', '/toast', body => (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) i), due => '1 h')");
my $toast = $db->query("SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 'automation.outgoing'::regclass");
$node->safe_psql('main', "SELECT heap_force_kill('$toast', (SELECT array_agg(ctid) FROM $toast))");
my $good = $db->query("SELECT put(1, 'web', '/x', due => '1 h')");
advance('61 min');
ok(wait_until($db, "SELECT count(*) = 2 FROM automation.outgoing WHERE id IN ($bad, $good) AND state IN ('dead', 'sent')"),
	'a message that can\'t be read does not stop the others');
is($db->query("SELECT concat_ws(' ', state, reason) FROM automation.outgoing WHERE id = $bad"), 'dead invalid_message', 'and ends');

is($db->query("SELECT automation.replay(server => 'web', reason => 'expired')"), '1', 'dead ones are sent again');
ok(wait_until($db, "SELECT state = 'sent' FROM automation.outgoing WHERE id = $id"), 'on request');
is($db->query("SELECT automation.discard(reason => 'status')"), '1', 'or given up');
is($db->query("SELECT string_agg(concat_ws(' ', state, reason), ', ') FROM automation.outgoing WHERE reason = 'by_hand'"), 'cancelled by_hand', 'for good');

# --- One after the other

$stub->answer('/web/ordered', { status => 500 }, { status => 200 });
$db->query("SELECT put(3, 'web', '/ordered', 'k')");
ok($stub->wait_for(1, '/web/ordered'), 'the first of several with one key leaves');
$db->query("SELECT put(1, 'web', '/other', 'l')");
ok($stub->wait_for(1, '/web/other'), 'that of another key, too');
wait_until($db, "SELECT count(*) = 1 FROM automation.outgoing_due WHERE ordering_key = 'k' AND attempt = 1");
is(scalar(my @o = $stub->requests('/web/ordered')), 1, 'those behind it wait for its next attempt');
advance('73 min');
ok($stub->wait_for(4, '/web/ordered'), 'then they leave');
settled();
is($db->query("SELECT bool_and(finished_at >= before) FROM (SELECT finished_at, lag(finished_at) OVER (ORDER BY id) AS before"
		. " FROM automation.outgoing WHERE ordering_key = 'k') m WHERE before IS NOT NULL"), 't', 'in their order');

# --- Rate

$db->query("SELECT server('slow', ', rate ''2/hour'', burst ''3''')");
$db->query("SELECT put(6, 'slow', '/rate')");
ok($stub->wait_for(3, '/slow/rate'), 'a burst leaves at once');
wait_until($db, "SELECT count(*) = 3 FROM automation.outgoing WHERE server = 'slow' AND state = 'sent'");
advance('1 second');
wait_until($db, "SELECT NOT EXISTS (SELECT FROM automation.inflight)");
is(scalar(@o = $stub->requests('/slow/rate')), 3, 'and no more');
advance('61 min');
ok(wait_until($db, "SELECT count(*) = 5 FROM automation.outgoing WHERE server = 'slow' AND state = 'sent'"), 'the others at its rate');
is(scalar(@o = $stub->requests('/slow/rate')), 5, 'exactly');

# --- Circuit breaker, 410

$db->query("SELECT server('ill', ', rate ''0'', concurrency ''1'', schedule ''10h''')");
$stub->answer('/ill/x', { status => 500 });
$db->query("SELECT put(8, 'ill', '/x')");
ok(wait_until($db, "SELECT open_until > automation.now() FROM automation.endpoint WHERE server = 'ill'"), 'after some failures in a row nothing is sent');
is(scalar(@o = $stub->requests('/ill/x')), 5, 'five of them');
like($db->query("SELECT problem FROM automation.health() WHERE code = 'server_failing'"), qr/it fails since/, 'health() says so');
advance('31 seconds');
ok($stub->wait_for(6, '/ill/x'), 'one tries whether it is back');
ok(wait_until($db, "SELECT open_until > automation.now() + interval '30 seconds' FROM automation.endpoint WHERE server = 'ill'"), 'it is not, so it takes longer');
is(scalar(@o = $stub->requests('/ill/x')), 6, 'and only one tried');
$stub->answer('/ill/x', { status => 200 });
advance('61 seconds');
ok(wait_until($db, "SELECT count(*) = 2 FROM automation.outgoing WHERE server = 'ill' AND state = 'sent'"), 'when it is back all leave');
is($db->query("SELECT count(*) FROM automation.endpoint WHERE server = 'ill'"), '0', 'and all is well');

$db->query("SELECT server('gone', ', rate ''0'', concurrency ''1''')");
$stub->answer('/gone/x', { status => 410 });
$id = $db->query("SELECT min(put) FROM put(3, 'gone', '/x')");
ok(wait_until($db, "SELECT disabled_at IS NOT NULL FROM automation.endpoint WHERE server = 'gone'"), 'one that is gone is disabled');
wait_until($db, "SELECT NOT EXISTS (SELECT FROM automation.inflight)");
is($db->query("SELECT string_agg(concat_ws(' ', state, reason), ', ' ORDER BY state) FROM automation.outgoing WHERE server = 'gone'"),
	'dead gone, queued, queued', 'its messages wait');
is($db->query("SELECT remedy FROM automation.health() WHERE code = 'server_disabled'"),
	q{when it works again: SELECT automation.enable_server('gone')}, 'health() says what to do');
$stub->answer('/gone/x', { status => 200 });
$db->query("SELECT automation.enable_server('gone')");
ok(wait_until($db, "SELECT count(*) = 2 FROM automation.outgoing WHERE server = 'gone' AND state = 'sent'"), 'which helps');

# --- What may not be sent any more

$db->query("SELECT server('theirs', ', rate ''0''')");
my $first = $db->query("SELECT put(1, 'theirs', '/x', due => '1 h')");
$db->query('REVOKE USAGE ON FOREIGN SERVER theirs FROM alice');
advance('61 min');
ok(wait_until($db, "SELECT state = 'dead' FROM automation.outgoing WHERE id = $first"), 'without USAGE');
is(state_of($first), 'dead not_permitted 0', 'nothing leaves');
$db->query('GRANT USAGE ON FOREIGN SERVER theirs TO alice');
$stub->answer('/theirs/hang', { delay => 3 });
my $flying = $db->query("SELECT put(1, 'theirs', '/hang')");
my $waiting = $db->query("SELECT put(1, 'theirs', '/x', due => '1 h')");
ok($stub->wait_for(1, '/theirs/hang'), 'one is on its way');
$db->query('DROP SERVER theirs CASCADE');
ok(wait_until($db, "SELECT state <> 'queued' FROM automation.outgoing WHERE id = $flying"), 'when the server is dropped');
is(state_of($flying), 'sent 1 200', 'it arrives');
advance('61 min');
ok(wait_until($db, "SELECT state = 'dead' FROM automation.outgoing WHERE id = $waiting"), 'one that had not left');
is(state_of($waiting), 'dead no_server 0', 'does not leave');
is(scalar(@o = $stub->requests('/theirs/x')), 0, 'indeed');

# --- Suppression: committed before the mark, so never sent.  A lock keeps the worker from
# making marks until all suppressions are there, the messages are due meanwhile.

my $holder = AutomationTest::Session->new($node, 'main', 'postgres');
$holder->query('BEGIN');
$holder->query('LOCK TABLE automation.inflight IN SHARE MODE');
$db->query("SELECT count(put) FROM (SELECT put(1, 'web', '/suppressed', address => format('a%s\@example.com', i)) FROM generate_series(1, $races) i) m");
usleep(1000);
$db->query("SELECT count(automation.suppress(format('A%s\@example.com', i), class => NULL, for_owner => 'alice')) FROM generate_series(1, $races) i");
is($db->query("SELECT count(*) FROM automation.deliveries WHERE address LIKE 'a%\@example.com' AND state = 'cancelled' AND reason = 'suppressed'"), $races,
	'the view shows at once whom nobody will write to');
$holder->query('COMMIT');
$holder->close;
ok(wait_until($db, "SELECT count(*) = $races FROM automation.outgoing WHERE address LIKE 'a%\@example.com' AND state = 'cancelled' AND reason = 'suppressed'"),
	'then they are cancelled');
is(scalar(@o = $stub->requests('/web/suppressed')), 0, 'none was sent');

# --- One that hangs beside one that does not

$db->query("SELECT server('hung', ', rate ''0'', concurrency ''40'', timeout ''60s''')");
$stub->answer('/hung/x', { hang => 1 });
$db->query("SELECT count(put) FROM put(60, 'hung', '/x')");
ok($stub->wait_for(40, '/hung/x'), 'as many as may be are on their way to one that does not answer');
$db->query("SELECT count(put) FROM put(100, 'web', '/beside')");
ok(wait_until($db, "SELECT count(*) = 100 FROM automation.outgoing WHERE target LIKE '%/beside' AND state = 'sent'"), 'the messages of another are sent');
is($db->query("SELECT count(*) FROM automation.outgoing WHERE server = 'hung' AND state = 'queued'"), '60', 'meanwhile');

# --- The worker is killed, the server restarted: all of those are sent again, with their ids

my $pid = worker($db);
my $before = $db->query("SELECT string_agg(uid, ' ' ORDER BY uid) FROM automation.outgoing WHERE server = 'hung' AND id IN (SELECT id FROM automation.inflight)");
$stub->answer('/hung/x', { status => 200 });
kill_process($pid);
$db->close;
$db = AutomationTest::server_up($node, 'main', 'postgres');
ok(wait_until($db, "SELECT count(*) = 60 FROM automation.outgoing WHERE server = 'hung' AND state = 'sent'"), 'after a crash all are sent');
%times = ();
$times{ $_->{headers}{'webhook-id'} // $_->{headers}{'idempotency-key'} }++ for $stub->requests('/hung/x');
is(join(' ', sort grep { $times{$_} == 2 } keys %times), $before, 'twice those that were on their way, by the same ids');
is(scalar(keys %times), 60, 'and none is missing');
is($db->query("SELECT count(*) > 0 FROM automation.history WHERE event = 'delivery' AND reason = 'connection_lost' AND detail ->> 'state' = 'unknown'"), 't',
	'the history says that nobody knows of the first attempt');

# --- Asked to end, it waits for what is on its way

$stub->answer('/web/slow', { delay => 2 });
$id = $db->query("SELECT put(1, 'web', '/slow')");
ok($stub->wait_for(1, '/web/slow'), 'a slow one is on its way');
$pid = worker($db);
kill 'TERM', $pid;
$db->query("SELECT put(1, 'web', '/after')");
ok(wait_until($db, "SELECT state = 'sent' FROM automation.outgoing WHERE id = $id"), 'it is waited for');
is(state_of($id), 'sent 1 200', 'and recorded');
ok(wait_until($db, "SELECT state = 'sent' FROM automation.outgoing WHERE target LIKE '%/after'"), 'the next worker goes on');
isnt(worker($db), $pid, 'another one');
$node->restart;
$db->close;
$db = AutomationTest::server_up($node, 'main', 'postgres');
$db->query("SELECT put(1, 'web', '/restarted')");
ok($stub->wait_for(1, '/web/restarted'), 'after a restart it goes on as well');

# --- Egress

sub egress
{
	my ($value) = @_;
	ok(set_option($node, $db, 'automation.egress', $value), "egress is $value");
	return;
}

settled();
egress('off');
$db->query("SELECT put(1, 'web', '/egress')");
ok(wait_until($db, "SELECT count(*) = 1 FROM automation.health() WHERE code = 'egress_off'"), 'with egress off messages wait, and health() says so');
egress('guarded');
ok($stub->wait_for(1, '/web/egress'), 'then they leave');
settled();
$db->query('SELECT automation.disarm_egress()');
$db->query("SELECT put(1, 'web', '/egress')");
ok(wait_until($db, "SELECT count(*) = 1 FROM automation.health() WHERE code = 'egress_unarmed'"), 'a node that is not armed');
is(scalar(@o = $stub->requests('/web/egress')), 1, 'sends nothing');
$db->query('SELECT automation.arm_egress()');
ok($stub->wait_for(2, '/web/egress'), 'until it is');
settled();

$db->query("SELECT put(1, 'web', '/copied', due => '1 h')");
$node->backup('copy');
my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($node, 'copy');
$copy->start;
$copy->safe_psql('main', "CALL automation.advance('61 min')");
my $there = AutomationTest::Session->new($copy, 'main', 'postgres');
ok(wait_until($there, "SELECT count(*) = 1 FROM automation.health() WHERE code = 'egress_unarmed'"), 'a copy of the data directory is not armed');
$copy->safe_psql('main', 'CALL automation.deliver()');
is(scalar(@o = $stub->requests('/web/copied')), 0, 'and sends nothing');
is($there->query("SELECT automation.egress_fingerprint() NOT IN (SELECT fingerprint FROM automation.egress_node)"), 't', 'since it has another fingerprint');
$there->close;
$copy->stop('immediate');
$db->query('SELECT 1');
$db->close;
$node->safe_psql('postgres', 'CREATE DATABASE twin TEMPLATE main');
$node->safe_psql('twin', "CALL automation.advance('61 min')");
$there = AutomationTest::Session->new($node, 'twin', 'postgres');
ok(wait_until($there, "SELECT count(*) = 1 FROM automation.health() WHERE code = 'egress_unarmed'"), 'nor is a copy of the database');
$there->close;
is(scalar(@o = $stub->requests('/web/copied')), 0, 'which sends nothing either');

# --- In the foreground

$db = AutomationTest::server_up($node, 'main', 'postgres');
advance('61 min');
$node->safe_psql('main', 'CALL automation.deliver()');
is($db->query("SELECT state FROM automation.outgoing WHERE target LIKE '%/copied'"), 'sent', 'deliver() returns when what is due is sent');
$db->close;

# --- With nothing to do it leaves, also when what it sent last had waited for another attempt

$db = setup('idle');
$stub->answer('/web/idle', { status => 500 }, { status => 200 });
$db->query("SELECT put(1, 'web', '/idle')");
ok(wait_until($db, "SELECT count(*) = 1 FROM automation.outgoing_due WHERE attempt = 1"), 'one that failed');
advance('73 min', 'idle');
ok(wait_until($db, "SELECT state = 'sent' FROM automation.outgoing"), 'is sent');
ok(set_option($node, $db, 'automation.executor_idle', '1s'), 'who is idle leaves soon');
ok(wait_until($db, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'automation delivery' AND datname = 'idle'"), 'and so it does');
$db->close;
$node->safe_psql('postgres', 'ALTER SYSTEM RESET automation.executor_idle');
$node->reload;

# --- It is no hindrance

$db = setup('dropped');
$db->query("SELECT server('hung', ', rate ''0''')");
$stub->answer('/hung/x', { hang => 1 });
$stub->forget;
$db->query("SELECT put(1, 'hung', '/x')");
ok($stub->wait_for(1, '/hung/x'), 'while one is on its way');
$node->safe_psql('dropped', 'DROP EXTENSION automation CASCADE');
ok(wait_until($db, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'automation delivery' AND datname = 'dropped'"), 'the extension can be dropped');
$db->close;
$db = setup('dropped_too');
$db->query("SELECT server('hung', ', rate ''0''')");
$db->query("SELECT put(1, 'hung', '/x')");
ok($stub->wait_for(2, '/hung/x'), 'and while another one is');
$db->close;
$node->safe_psql('postgres', 'DROP DATABASE dropped_too');
pass('the database can be dropped');

$stub->stop;
$node->stop;
done_testing();
