# Dump and restore of messages of every state, and of what belongs to them: servers and
# credentials, templates, suppressions, keys of tokens, counts of caps, what came back. A
# restored database sends nothing before somebody says so, and then each once, under the id it had.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until);
use HttpStub;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SmtpStub;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $dir = PostgreSQL::Test::Utils::tempdir_short();
my $stub = HttpStub->new(dir => $dir);
my $relay = SmtpStub->new(dir => $dir);
my $url = $stub->url;
my $conf = "automation.max_attempts = 1\nfsync = off\n";
my $source = new_server('source', $conf);
my $target = new_server('target', $conf);
# other numbers than where the dump was made
$target->safe_psql('postgres', 'CREATE ROLE nobody; CREATE ROLE app LOGIN');

sub as_app
{
	my ($node, $database, $sql) = @_;
	return $node->safe_psql($database, "SET search_path = app, automation;\n$sql", extra_params => [ '-U', 'app' ]);
}

owner_database($source, 'shop', 'app');
$source->safe_psql('shop', qq{
SET client_min_messages = error;
CREATE SERVER web TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url '$url/web', allow_private 'on', rate '0', schedule '5h', monthly_cap '100');
CREATE SERVER shut TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url '$url/shut', allow_private 'on', rate '0');
CREATE SERVER mail TYPE 'smtp' FOREIGN DATA WRAPPER automation OPTIONS (url '${\ $relay->url}', allow_private 'on', rate '0', schedule '5h',
  "from" 'shop\@example.test', unsubscribe_url 'https://example.test/u?t=', postal_address 'Street 1');
CREATE USER MAPPING FOR PUBLIC SERVER web OPTIONS (bearer 'of-the-public');
CREATE USER MAPPING FOR app SERVER shut OPTIONS (header 'X-Own: of app');
GRANT USAGE ON FOREIGN SERVER web, shut, mail TO app;
SELECT automation.disable_server('shut');
SELECT automation.suppress('everybody\@example.test', for_owner => NULL, reason => 'of all');
});
as_app($source, 'shop', q{
CREATE TABLE post (id int PRIMARY KEY, server text, target text);
CREATE TABLE note (id int, what text);
CREATE FUNCTION posts(p post) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.server <> 'mail';
DECLARE
  reply automation.delivery;
BEGIN
  SEND http_request('POST', p.target, '{}', server => p.server) INTO reply;
  INSERT INTO note VALUES (p.id, concat_ws(' ', found, reply.state, reply.status));
END $$;
CREATE FUNCTION mails(p post) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.server = 'mail';
BEGIN
  SEND email('hello', p.target, server => 'mail', vars => jsonb_build_object('number', p.id));
END $$;
CREATE FUNCTION clicks(p post) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.inbound WHEN new.kind = 'click' FOR SELECT 1;
  ENROLL AGAIN;
BEGIN
  INSERT INTO note VALUES (p.id, 'click');
END $$;
INSERT INTO automation.template (name, subject, body, once) VALUES ('hello', 'Hello {{ number }}', 'To you. {{ unsubscribe_url }} {{ postal_address }}', true);
SELECT automation.suppress('left@example.test', reason => 'left');
});
$stub->answer('/web/refused', { status => 404 });
$stub->answer('/web/later', { status => 503 });
$stub->answer('/web/flies', { hang => 1 });
$relay->answer('rcpt unknown@example.test' => 'ok');
my $db = AutomationTest::Session->new($source, 'shop', 'postgres');

# one after the other, so that numbers are what they are; the last but one is on its way when the dump is made
my @posts = (
	[ 1, 'web', '/sent', "state = 'sent'" ], [ 2, 'web', '/refused', "state = 'dead'" ],
	[ 3, 'mail', 'ann@example.test', "state = 'sent'" ], [ 4, 'mail', 'left@example.test', "state = 'skipped'" ],
	[ 5, 'mail', 'ANN@example.test', "state = 'skipped'" ], [ 6, 'mail', 'everybody@example.test', "state = 'skipped'" ],
	[ 7, 'mail', 'unknown@example.test', "state = 'unknown'" ],
	[ 8, 'web', '/later', 'EXISTS (SELECT FROM automation.outgoing_due d WHERE d.id = o.id AND attempt = 1)' ],
	[ 9, 'shut', '/waits', "state = 'queued'" ], [ 10, 'shut', '/settled', "state = 'queued'" ], [ 11, 'shut', '/given-up', "state = 'queued'" ],
	[ 12, 'web', '/flies', 'EXISTS (SELECT FROM automation.inflight f WHERE f.id = o.id)' ]);
for my $post (@posts)
{
	my ($id, $server, $to, $state) = @$post;

	$relay->answer(end => $id == 7 ? 'drop' : 'ok');
	as_app($source, 'shop', "INSERT INTO post VALUES ($id, '$server', '$to')");
	ok(wait_until($db, "SELECT count(*) = 1 FROM automation.outgoing o WHERE key::jsonb ->> 0 = '$id' AND $state"), "$id, to $to: " . ($state =~ s/^state = //r));
}
my $token = $db->query("SELECT automation.delivery_token((SELECT id FROM automation.outgoing WHERE key::jsonb ->> 0 = '3'), 'unsubscribe')");
ok($db->query("SELECT automation.record_inbound('open', refs => uid, event => 'e1') FROM automation.outgoing WHERE key::jsonb ->> 0 = '3'"), 'an event is recorded');
ok(wait_until($db, "SELECT count(*) = 0 FROM automation.event_0 WHERE owner <> 0"), 'nothing is left to do');

# --- what must come through as it was ---

my $same = q{
SELECT 'message', to_jsonb(o) - 'state' FROM automation.outgoing o ORDER BY o.id;
SELECT 'over', id, state FROM automation.outgoing WHERE state NOT IN ('queued', 'held') ORDER BY id;
SELECT 'licence', id, owner, workflow, enrollment, server, attempt FROM automation.outgoing_due WHERE id NOT IN (SELECT id FROM automation.outgoing WHERE target LIKE '%/flies') ORDER BY id;
SELECT 'server', srvname, srvowner::regrole, srvtype, (SELECT array_agg(o ORDER BY o) FROM unnest(srvoptions) o), srvacl FROM pg_foreign_server ORDER BY 2;
SELECT 'mapping', srvname, usename, (SELECT array_agg(o ORDER BY o) FROM unnest(umoptions) o) FROM pg_user_mappings ORDER BY 2;
SELECT 'template', t FROM automation.template t;
SELECT 'suppression', s FROM automation.suppression s ORDER BY id;
SELECT 'key', k FROM automation.token_key k ORDER BY id;
SELECT 'once', s FROM automation.sent_once s ORDER BY address;
SELECT 'month', m FROM automation.monthly_count m ORDER BY server;
SELECT 'inbound', i FROM automation.inbound i ORDER BY id;
SELECT 'dead', d FROM automation.dead_letter d ORDER BY id;
SELECT 'waits', id, waiting ->> 'kind', waiting ->> 'delivery' FROM automation.enrollment ORDER BY id;
SELECT 'next', nextval('automation.outgoing_seq') > (SELECT max(id) FROM automation.outgoing);
};
my $before = $source->safe_psql('shop', $same);
my %uid = map { split /\|/ } split /\n/, $source->safe_psql('shop', "SELECT key::jsonb ->> 0, uid FROM automation.outgoing");
like($before, qr/^key\|/m, 'there is a key');
like($before, qr/^month\|/m, 'there is a count');

$source->command_ok([ 'pg_dump', '-Fc', '-d', $source->connstr('shop'), '-f', "$dir/custom" ], 'pg_dump -Fc');
$source->command_ok([ 'pg_dump', '-d', $source->connstr('shop'), '-f', "$dir/plain.sql" ], 'pg_dump');
$source->command_ok([ 'pg_dump', '-s', '-d', $source->connstr('shop'), '-f', "$dir/schema.sql" ], 'pg_dump -s');
$source->command_ok([ 'pg_dump', '-a', '-d', $source->connstr('shop'), '-f', "$dir/data.sql" ], 'pg_dump -a');
$db->close;
$source->stop;
$stub->answer("/$_", { status => 200 }) for qw(web/later web/flies);

my @psql = ('psql', '-Xq', '-v', 'ON_ERROR_STOP=1');
my %restore = (
	custom => [ [ 'pg_restore', '-e', '-d', $target->connstr('custom'), "$dir/custom" ] ],
	single => [ [ 'pg_restore', '-1', '-d', $target->connstr('single'), "$dir/custom" ] ],
	plain => [ [ @psql, '-d', $target->connstr('plain'), '-f', "$dir/plain.sql" ] ],
	apart => [ map { [ @psql, '-d', $target->connstr('apart'), '-f', "$dir/$_.sql" ] } qw(schema data) ]);

for my $how (sort keys %restore)
{
	$target->safe_psql('postgres', "CREATE DATABASE $how");
	$target->command_ok($_, "$how: restored") for @{ $restore{$how} };
	$stub->forget;
	$relay->forget;
	my $there = AutomationTest::Session->new($target, $how, 'postgres');

	is($target->safe_psql($how, $same), $before, "$how: everything came as it was");
	is($there->query(q{SELECT string_agg(key::jsonb ->> 0, ' ' ORDER BY id) FROM automation.outgoing WHERE state = 'held'}), '8 9 10 11 12',
		"$how: what was not over is held");
	is($there->query(q{SELECT count(*) FROM automation.outgoing_due WHERE due <> 'infinity'}) . $there->query('SELECT count(*) FROM automation.inflight'), '00',
		"$how: nothing may leave");
	is($there->query('SELECT count(*) FROM automation.egress_node'), '0', "$how: from no node");

	# workflows go on, messages do not
	$there->query('CALL automation.arm()');
	as_app($target, $how, "INSERT INTO post VALUES (20, 'web', '/new')");
	ok(wait_until($there, q{SELECT count(*) = 1 FROM automation.deliveries WHERE subject_key = '20' AND state = 'queued'}), "$how: a new message waits as well");
	like($there->query(q{SELECT string_agg(code, ' ') FROM automation.health()}), qr/egress_unarmed/, "$how: health() says why");

	# what the templates, suppressions, keys and counts are for
	as_app($target, $how, "INSERT INTO post VALUES (21, 'mail', 'left\@example.test'), (22, 'mail', 'ann\@example.test'), (23, 'mail', 'new\@example.test')");
	ok(wait_until($there, q{SELECT count(*) = 3 FROM automation.outgoing WHERE key::jsonb ->> 0 IN ('21', '22', '23')}), "$how: mails are made");
	is($there->query(q{SELECT string_agg(concat_ws(' ', state, reason, CASE state WHEN 'queued' THEN subject END), ', ' ORDER BY id) FROM automation.outgoing WHERE key::jsonb ->> 0 IN ('21', '22', '23')}),
		'skipped suppressed, skipped already_sent, queued Hello 23', "$how: by the template, past nobody who objected or had it");
	is($there->query("SELECT automation.unsubscribe('$token')"), 'unsubscribed', "$how: the link in a mail from before works");
	is($there->query(q{SELECT automation.suppressed('ann@example.test', for_owner => 'app')}), 'unsubscribed', "$how: for whom it was sent to");
	is($there->query(q{SELECT sum(messages) FROM automation.monthly_count WHERE server = 'web'}), '5', "$how: the month goes on counting");

	# what became of one while the original was still running; one that nobody wants any more
	is($there->query(q{SELECT automation.settle(id, 'sent', 200, 'by the original') FROM automation.outgoing WHERE key::jsonb ->> 0 = '10'}), 't', "$how: one is settled");
	is(as_app($target, $how, q{SELECT automation.discard(id) FROM automation.deliveries WHERE subject_key = '11'}), '1', "$how: one is given up");
	ok(wait_until($there, q{SELECT count(*) = 2 FROM app.note WHERE id IN (10, 11)}), "$how: who waited for them goes on");
	is($stub->count . ' ' . scalar(my @none = $relay->mails), '0 0', "$how: nothing has left until now");

	# from here on it is the one that sends
	$there->query('SELECT automation.arm_egress()');
	ok(wait_until($there, q{SELECT count(*) = 2 FROM automation.outgoing WHERE state = 'sent' AND key::jsonb ->> 0 IN ('20', '23')}), "$how: armed, new ones leave");
	is($there->query(q{SELECT count(*) FROM automation.outgoing WHERE state = 'held'}), '3', "$how: what came with the dump does not");
	is(as_app($target, $how, 'SELECT automation.release_deliveries()'), '3', "$how: until somebody says so");
	ok(wait_until($there, q{SELECT count(*) = 3 FROM automation.outgoing WHERE state = 'sent' AND key::jsonb ->> 0 IN ('8', '9', '12')}), "$how: then they leave");
	ok(wait_until($there, q{SELECT count(*) = 6 FROM app.note WHERE id >= 8}), "$how: and those who waited go on");
	is($there->query(q{SELECT string_agg(id || ' ' || what, ', ' ORDER BY id) FROM app.note WHERE id >= 8}),
		'8 t sent 200, 9 t sent 200, 10 t sent 200, 11 f cancelled, 12 t sent 200, 20 t sent 200', "$how: each once, knowing what became of it");
	my %got = map { $_->{path} => $_->{headers}{'webhook-id'} } $stub->requests;
	is_deeply(\%got, { '/web/later' => $uid{8}, '/shut/waits' => $uid{9}, '/web/flies' => $uid{12}, '/web/new' => $got{'/web/new'} },
		"$how: under the ids they had");
	is($stub->count, 4, "$how: each once");
	is(($stub->requests('/shut/waits'))[0]{headers}{'x-own'}, 'of app', "$how: with the credentials they had");

	# one of unknown outcome can still be decided
	is($there->query(q{SELECT automation.record_inbound('delivered', refs => uid) IS NOT NULL FROM automation.outgoing WHERE key::jsonb ->> 0 = '7'}), 't', "$how: a late report");
	is($there->query(q{SELECT state FROM automation.outgoing WHERE key::jsonb ->> 0 = '7'}), 'sent', "$how: decides what was unknown");
	$there->close;
}

$target->stop;
$stub->stop;
$relay->stop;
unlike(slurp_file($_->logfile), qr/PANIC|terminated by signal/, 'nothing crashed') foreach $source, $target;
done_testing();
