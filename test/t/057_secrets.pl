# What is secret or personal, put wherever it can be put: credentials of mappings and of a file,
# headers, URLs, bodies, subjects and recipients of messages, rows, texts of errors, answers of
# peers. It arrives where it is for, and is neither in the server's log, whatever that is told to
# log, nor in pg_stat_activity, nor in pg_stat_statements, nor in what other roles can read.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until);
use HttpStub;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SmtpStub;
use Test::More;
use Time::HiRes ();

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $dir = PostgreSQL::Test::Utils::tempdir_short();
my $stub = HttpStub->new(dir => $dir);
my $relay = SmtpStub->new(dir => $dir);
my $url = $stub->url;
my $secret = 'whsec_' . 'Q0FOQVJZY2FuYXJ5Q0FOQVJZY2FuYXJ5';

open my $file, '>', "$dir/secrets" or die $!;
print $file "bearer = canary-of-the-file\n";
close $file;
chmod 0600, "$dir/secrets" or die $!;

# What the mappings are made by is neither logged nor kept: that is what the page says to do.
my $node = new_server('secrets', "log_min_messages = debug1\nlog_statement = all\nlog_min_error_statement = debug1\n"
	  . "log_parameter_max_length = 0\nlog_parameter_max_length_on_error = 0\nautomation.retry_delay = '1h'\nautomation.max_attempts = 2\n"
	  . "track_activity_query_size = 64kB\nshared_preload_libraries = 'automation, pg_stat_statements'\npg_stat_statements.track = all\n");
owner_database($node, 'main', $_) for qw(app nosy);

# Logs nothing of it, from the first statement on.
sub quietly
{
	my ($role, $sql) = @_;
	$node->safe_psql('main', "SET SESSION AUTHORIZATION $role; SET search_path = $role;\n$sql",
		connstr => $node->connstr('main') . " options='-c log_statement=none -c log_min_messages=fatal -c log_min_error_statement=panic -c pg_stat_statements.track=none'");
	return;
}

quietly('postgres', qq{
SET client_min_messages = error;
CREATE SERVER web TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url '$url/web', allow_private 'on', rate '0', schedule '1h');
CREATE SERVER failing TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url '$url/failing', allow_private 'on', rate '0', schedule '1h');
CREATE SERVER resetting TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url '$url/resetting', allow_private 'on', rate '0', schedule '1h');
CREATE SERVER endless TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url '$url/endless', allow_private 'on', rate '0', schedule '1h');
CREATE SERVER path TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url '$url', allow_private 'on', rate '0', schedule '1h');
CREATE SERVER filed TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url '$url/filed', allow_private 'on', rate '0', secret_file '$dir/secrets');
CREATE SERVER relay TYPE 'smtp' FOREIGN DATA WRAPPER automation OPTIONS (url '${\ $relay->url}', allow_private 'on', rate '0', schedule '1h',
  "from" 'shop\@example.test');
CREATE SERVER lost TYPE 'smtp' FOREIGN DATA WRAPPER automation OPTIONS (url '${\ $relay->url}', allow_private 'on', rate '0', schedule '1h',
  "from" 'shop\@example.test');
CREATE USER MAPPING FOR PUBLIC SERVER web OPTIONS (user 'canary-user', password 'canary-password', header 'X-Own: canary-header', secret '$secret');
CREATE USER MAPPING FOR PUBLIC SERVER path OPTIONS (path '/canary-path');
CREATE USER MAPPING FOR PUBLIC SERVER lost OPTIONS (user 'canary-login', password 'canary-mail-password');
GRANT USAGE ON FOREIGN SERVER web, failing, resetting, endless, path, filed, relay, lost TO app, nosy;
});

# A row has all that the steps work with, so that the workflow itself has nothing secret in it.
quietly('app', q{
CREATE TABLE person (id int PRIMARY KEY, kind text, server text, mail text, words text);
CREATE TABLE seen (id int, what text);
CREATE FUNCTION complain(text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%', $1 || E'\nLOG:  canary-of-another-line' USING DETAIL = $1, HINT = $1;
END $$;
CREATE FUNCTION tells(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'tells';
DECLARE
  reply automation.delivery;
BEGIN
  SEND automation.http_request('POST', '/x/' || p.words || '?q=' || p.words, p.words, jsonb_build_object('X-Message', p.words), p.server) INTO reply;
  INSERT INTO seen VALUES (p.id, reply.body);
  SEND automation.http_request('POST', '/', p.words, server => 'path');
  SEND automation.http_request('POST', '/x', p.words, server => 'filed');
  SEND automation.mail(p.mail, p.words, p.words, class => 'internal', server => 'relay');
  SEND automation.mail(p.mail, p.words, p.words, class => 'internal', server => 'lost');
END $$;
CREATE FUNCTION fails(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'fails';
BEGIN
  INSERT INTO seen SELECT p.id WHERE complain(p.words);
END $$;
CREATE FUNCTION sends_wrongly(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'wrong';
BEGIN
  SEND automation.http_request('POST', '/' || p.words, p.words, jsonb_build_object('Host', p.words), 'web');
END $$;
CREATE FUNCTION divides(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'divides';
BEGIN
  INSERT INTO seen VALUES (p.words::int, p.words);
END $$;
});

$stub->answer('/failing/x/canary-row-1', { status => 500, headers => { 'X-Answer' => 'canary-answer-header' }, body => 'canary-answer' });
$stub->answer('/web/x/canary-row-2', { status => 200, body => 'canary-answer' });
$stub->answer('/resetting/x/canary-row-3', { drop => 'body' });
$stub->answer('/endless/x/canary-row-4', { headers => { 'X-A' => ('canary-answer' x 20_000) } });
$relay->answer('rcpt canary-gone@example.test' => '550 5.1.1 canary-reply');

my $db = AutomationTest::Session->new($node, 'main', 'postgres');
my %activity;
sub look
{
	my $rows = $db->query(q{SELECT coalesce(string_agg(concat_ws(' ', backend_type, application_name, query), E'\n'), '') FROM pg_stat_activity
		WHERE backend_type LIKE 'automation%'});
	$activity{$_} = 1 for split /\n/, $rows // '';
	return;
}

quietly('app', q{
INSERT INTO person SELECT i, 'tells', s, 'canary-to' || i || '@example.test', 'canary-row-' || i FROM unnest('{failing,web,resetting,endless}'::text[]) WITH ORDINALITY u(s, i);
INSERT INTO person VALUES (5, 'tells', 'web', 'canary-gone@example.test', 'canary-row-2');
INSERT INTO person SELECT 10 + i, k, 'web', NULL, 'canary-row-9' FROM unnest('{fails,wrong,divides}'::text[]) WITH ORDINALITY u(k, i);
});
ok( wait_until($db, q{SELECT count(*) = 3 FROM automation.enrollment WHERE state IN ('retrying', 'failed')}), 'three fail');
# two have been answered and have sent four messages more; each of these had its first attempt
my $tried = q{SELECT count(*) = 13 AND NOT EXISTS (SELECT FROM automation.outgoing_due WHERE attempt < 1)
	AND NOT EXISTS (SELECT FROM automation.inflight) FROM automation.outgoing};
for (1 .. 200)
{
	look();
	last if $db->query($tried) eq 't';
	Time::HiRes::usleep(10000);
}
ok(wait_until($db, $tried), 'all that could be sent so far was tried');
# a second attempt of those that failed
$node->safe_psql('main', q{CALL automation.advance('2 hours')}, extra_params => [ '-U', 'app' ]);
ok( wait_until($db, q{SELECT NOT EXISTS (SELECT FROM automation.outgoing_due WHERE attempt < 1) AND NOT EXISTS (SELECT FROM automation.inflight)
	AND (SELECT count(*) FILTER (WHERE state = 'dead') >= 3 FROM automation.outgoing)}), 'all have had their attempts');
look();
ok( wait_until($db, q{SELECT count(*) FILTER (WHERE state = 'sent') >= 16 FROM automation.outgoing}), 'what can arrive has arrived')
  or diag($db->query(q{SELECT string_agg(concat_ws(' ', id, kind, server, state, reason, attempts, error), E'\n' ORDER BY id) FROM automation.outgoing}));

# --- it arrived where it is for ---

my ($request) = $stub->requests('/web/x/canary-row-2');
is($request->{headers}{'x-own'} . ' ' . $request->{headers}{'x-message'} . ' ' . $request->{body}, 'canary-header canary-row-2 canary-row-2', 'headers and body');
like($request->{headers}{authorization}, qr/^Basic Y2FuYXJ5LXVzZXI6Y2FuYXJ5LXBhc3N3b3Jk/, 'user and password');
ok($request->{headers}{'webhook-signature'}, 'signed');
ok(scalar(my @hidden = $stub->requests('/canary-path')), 'the secret path');
is(($stub->requests('/filed/x'))[0]{headers}{authorization}, 'Bearer canary-of-the-file', 'the bearer of the file');
ok(scalar(grep { $_->{data} =~ /canary-row-2/ } $relay->mails), 'mails');
is($node->safe_psql('main', 'SELECT DISTINCT what FROM app.seen WHERE id = 2'), 'canary-answer', 'the workflow has the answer');
like($node->safe_psql('main', q{SET SESSION AUTHORIZATION app; SELECT string_agg(error, ' ') FROM automation.enrollments}), qr/canary-row-9/,
	'the owner reads what was wrong');

# --- and nowhere else ---

my $lines = qr/canary|Q0FOQVJZ|Y2FuYXJ5/i;
my $log = slurp_file($node->logfile);
my @said = grep { $_ =~ $lines } split /\n/, $log;
is(scalar @said, 0, 'nothing in the log') or diag(join("\n", @said[ 0 .. ($#said < 30 ? $#said : 30) ]));
like($log, qr/DEBUG:|statement: /, 'which has everything else');
is(join("\n", grep { $_ =~ $lines } sort keys %activity), '', 'nothing in pg_stat_activity');
ok(scalar(grep { /automation delivery/ } keys %activity), 'which has the delivery worker');

$node->safe_psql('main', 'CREATE EXTENSION pg_stat_statements');
my $statements = $node->safe_psql('main', q{SELECT string_agg(query, E'\n') FROM pg_stat_statements});
is(join("\n", grep { $_ =~ $lines } split /\n/, $statements), '', 'nothing in pg_stat_statements');
like($statements, qr/INSERT INTO seen/, 'which has the statements of workflows');

# every view, and every table that everybody may read, as somebody who may use the servers, too
my @readable = split /\n/, $node->safe_psql('main', q{
SET SESSION AUTHORIZATION nosy;
SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'automation'::regnamespace AND c.relkind IN ('r', 'v', 'p', 'm')
  AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1});
cmp_ok(scalar @readable, '>', 10, 'there is something to be read');
for my $relation (@readable, 'pg_stat_activity', 'pg_user_mappings', 'information_schema.user_mapping_options', 'pg_foreign_server', 'pg_prepared_statements')
{
	my $text = $node->safe_psql('main', "SET SESSION AUTHORIZATION nosy; SELECT string_agg(t::text, E'\\n') FROM $relation t");
	is(join("\n", grep { $_ =~ $lines } split /\n/, $text), '', "$relation: nothing for others");
}

# what everybody may call with an id or a server
for my $call ('automation.settle(id)', "automation.delivery_token(id, 'unsubscribe')", 'automation.replay(message => id)', 'automation.discard(message => id)')
{
	my ($id) = $node->safe_psql('main', 'SELECT max(id) FROM automation.outgoing');
	my ($status, $out, $error) = $node->psql('main', 'SET SESSION AUTHORIZATION nosy; SELECT ' . ($call =~ s/\bid\b(?!\w)/$id/r));
	unlike($out . $error, $lines, "$call: says nothing to others");
}
is($node->safe_psql('main', q{SET SESSION AUTHORIZATION nosy; SELECT automation.last_answer('web', '/x/canary-row-2?q=canary-row-2') IS NULL}), 't',
	'nor does last_answer()');
# the history of the owner himself has codes, not contents
unlike($node->safe_psql('main', q{SELECT coalesce(string_agg(h::text, E'\n'), '') FROM automation.history h WHERE event = 'delivery'}), $lines,
	'history of deliveries: codes only');
unlike($node->safe_psql('main', q{SELECT coalesce(string_agg(d::text, E'\n'), '') FROM automation.dead_letter d}), $lines, 'dead letters: likewise');
unlike($node->safe_psql('main', q{SET SESSION AUTHORIZATION nosy; SELECT coalesce(string_agg(h::text, E'\n'), '') FROM automation.health() h}), $lines,
	'health(): nothing for others');

$db->close;
$node->stop;
$stub->stop;
$relay->stop;
done_testing();
