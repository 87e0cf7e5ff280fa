# The constructors through a real worker: what a service receives, byte by byte;
# webhooks as the reference library of Standard Webhooks sees them; the examples of the
# page.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until);
use Encode ();
use File::Path qw(make_path);
use FindBin;
use HttpStub;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

# Standard Webhooks, version 1, from npm, in the test's directory.
my $modules = "$ENV{TESTDATADIR}/npm";
make_path($modules);
$ENV{HOME} = $modules;
$ENV{npm_config_cache} = "$modules/cache";
# newer ones would leave theirs in /tmp
$ENV{NODE_DISABLE_COMPILE_CACHE} = 1;
my ($said, $why) = ('', '');
my $installed = eval {
	IPC::Run::run([ 'npm', 'install', '--prefix', $modules, '--no-save', '--no-audit', '--no-fund', 'standardwebhooks@1' ],
		'<', \undef, '>', \$said, '2>', \$why, IPC::Run::timeout(240));
};
BAIL_OUT("could not install standardwebhooks with npm, which the test verifies signatures with:\n$said\n$why\n" . ($@ // ''))
  unless $installed;
$ENV{NODE_PATH} = "$modules/node_modules";

my $stub = HttpStub->new(dir => PostgreSQL::Test::Utils::tempdir());
my $node = new_server('adapters');
owner_database($node, 'shop', 'app', q{
CREATE TABLE contact (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, email text, phone text, note text, done boolean NOT NULL DEFAULT false
);
});

my $secret = 'whsec_' . MIME::Base64::encode_base64('0123456789abcdef0123456789abcdef', '');
my $old_secret = 'whsec_' . MIME::Base64::encode_base64('abcdefghijklmnopqrstuvwxyz', '');
my $other_secret = 'whsec_' . MIME::Base64::encode_base64('ABCDEFGHIJKLMNOPQRSTUVWXYZ', '');

# A server that leads to the stub, and app's credentials.
sub make_server
{
	my ($name, $path, $mapping, $options) = @_;

	$node->safe_psql('shop', "CREATE SERVER $name TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url '"
		  . $stub->url . "$path', allow_private 'true', rate '1000', schedule '10ms, 10ms'" . ($options ? ", $options" : '') . ');'
		  . "GRANT USAGE ON FOREIGN SERVER $name TO app;"
		  . ($mapping ? "CREATE USER MAPPING FOR app SERVER $name OPTIONS ($mapping)" : ''));
	return;
}

make_server('hooks', '/hooks', "secret '$secret'");
make_server('rotating', '/rotating', "secret '$secret', previous_secret '$old_secret'");
make_server('twilio', '/2010-04-01/Accounts/AC1', "user 'AC1', password 'to:ken'", "from '+15005550006, +15005550007'");
make_server('slack', '/slack', "bearer 'xoxb-1'");
make_server('openai', '/v1', "bearer 'sk-1'");
make_server('facebook', '/graph', "bearer 'fb-1'");
make_server('salesforce', '/sf', "bearer 'sf-1'");
make_server('google_sheets', '/v4/spreadsheets/1AbC', "bearer 'go-1'");
make_server('asana', '/asana', "bearer 'as-1'");
make_server('zendesk_sell', '/sell', "bearer 'ze-1'");
make_server('vat', '/vat', undef);
make_server('blog', '/blog', undef);

my $app = AutomationTest::Session->new($node, 'shop', 'app');
$app->query('SET search_path = app');

# Each constructor's request

# what is sent: [ method, target, credentials, content type, body ]; INTO where there is an answer to use
my $basic = 'Basic ' . MIME::Base64::encode_base64('AC1:to:ken', '');
my @requests = (
	[ q{sms(c.phone, 'Welcome & thank you, ' || c.name)},
		'POST', '/2010-04-01/Accounts/AC1/Messages.json', $basic, 'application/x-www-form-urlencoded',
		'To=%2B491511234&Body=Welcome%20%26%20thank%20you%2C%20J%C3%BCrgen&From=%2B15005550006' ],
	[ q{slack('#sales', c.name || ' "is" here')},
		'POST', '/slack/chat.postMessage', 'Bearer xoxb-1', 'application/json; charset=utf-8',
		'{"text": "Jürgen \"is\" here", "channel": "#sales"}' ],
	[ q{slack_channel(slack_channel_name('Deal ' || c.id), private => true)},
		'POST', '/slack/conversations.create', 'Bearer xoxb-1', 'application/json; charset=utf-8', '{"name": "deal-1", "is_private": true}' ],
	[ q{facebook_audience_add('238', c.email, c.phone)},
		'POST', '/graph/238/users', 'Bearer fb-1', 'application/json',
		undef ],
	[ q{facebook_audience_remove('238', c.email)}, 'DELETE', '/graph/238/users', 'Bearer fb-1', 'application/json', undef ],
	[ q{facebook_audience_create('42', 'Customers')},
		'POST', '/graph/act_42/customaudiences', 'Bearer fb-1', 'application/json',
		'{"name": "Customers", "subtype": "CUSTOM", "customer_file_source": "USER_PROVIDED_ONLY"}' ],
	[ q{salesforce_contact(c.name, email => c.email)},
		'POST', '/sf/sobjects/Contact', 'Bearer sf-1', 'application/json', '{"Email": "ann@example.com", "LastName": "Jürgen"}' ],
	[ q{salesforce_contact(c.name, external_field => 'Crm_Id__c', external_id => 'crm ' || c.id)},
		'PATCH', '/sf/sobjects/Contact/Crm_Id__c/crm%201', 'Bearer sf-1', 'application/json', '{"LastName": "Jürgen"}' ],
	[ q{salesforce_lead(c.name, 'ACME')},
		'POST', '/sf/sobjects/Lead', 'Bearer sf-1', 'application/json', '{"Company": "ACME", "LastName": "Jürgen"}' ],
	[ q{salesforce_campaign_member('701', contact => '003')},
		'POST', '/sf/sobjects/CampaignMember', 'Bearer sf-1', 'application/json', '{"ContactId": "003", "CampaignId": "701"}' ],
	[ q{salesforce_task('Call', who => '003', due => '2026-03-01')},
		'POST', '/sf/sobjects/Task', 'Bearer sf-1', 'application/json', '{"WhoId": "003", "Subject": "Call", "ActivityDate": "2026-03-01"}' ],
	[ q{google_sheet_append('my calls', to_jsonb(ARRAY[c.name, '=1+1']))},
		'POST', '/v4/spreadsheets/1AbC/values/my%20calls:append?valueInputOption=RAW&insertDataOption=INSERT_ROWS', 'Bearer go-1', 'application/json',
		'{"values" : [["Jürgen", "=1+1"]]}' ],
	[ q{asana_task('Call ' || c.name, '120')},
		'POST', '/asana/tasks', 'Bearer as-1', 'application/json', '{"data": {"name": "Call Jürgen", "projects": ["120"]}}' ],
	[ q{zendesk_contact(c.name, c.email)},
		'POST', '/sell/contacts/upsert?email=ann%40example.com', 'Bearer ze-1', 'application/json',
		'{"data": {"email": "ann@example.com", "last_name": "Jürgen"}}' ],
	[ q{http_request('PUT', '/things/' || c.id, 'x', '{"X-Key": "7"}', server => 'vat', content_type => 'text/plain')},
		'PUT', '/vat/things/1', undef, 'text/plain', 'x' ],
	[ q{http_request('GET', '/things/' || c.id || '?a=b%20c', server => 'vat')}, 'GET', '/vat/things/1?a=b%20c', undef, undef, '' ],
	[ q{http_request('DELETE', '} . $stub->url . q{/vat/things/2')}, 'DELETE', '/vat/things/2', undef, undef, '' ],
);
$stub->answer('/v1/chat/completions', { body => '{"choices": [{"message": {"content": "Bonjour, J\u00fcrgen"}}]}' });
my $defined = $app->query(q{CREATE FUNCTION everything(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.email IS NOT NULL;
DECLARE
  answer automation.delivery;
BEGIN
} . join('', map { "  SEND $_->[0];\n" } @requests) . q{
  SEND ai_prompt('Say hello to ' || c.name, 'In French.') INTO answer;
  UPDATE contact SET note = ai_answer(answer), done = true WHERE id = c.id;
END $$});
is($defined, '', 'a workflow with all constructors is made');
is($app->query(q{INSERT INTO contact (name, email, phone) VALUES ('Jürgen', 'ann@example.com', '+491511234')}), '', 'and somebody enters');
ok(wait_until($app, q{SELECT bool_and(done) FROM contact}), 'it has gone through') or diag($app->query('SELECT state, error FROM automation.enrollments'));
is($app->query('SELECT note FROM contact'), 'Bonjour, Jürgen', 'with the answer of the language model');
ok($stub->wait_for(@requests + 1), 'everything has arrived');

my ($address_hash, $number_hash) = split /\n/, $app->query(q{SELECT automation.sha256_hex(v) FROM unnest(ARRAY['ann@example.com', '491511234']) WITH ORDINALITY u(v, n) ORDER BY n});
for my $expected (@requests)
{
	my ($call, $method, $target, $authorization, $type, $body) = @$expected;
	my ($name) = $call =~ /^(\w+)/;
	my @came = grep { $_->{method} eq $method && $_->{target} eq $target } $stub->requests;

	is(scalar @came, 1, "$name: one $method $target") or next;
	is($came[0]{headers}{authorization}, $authorization, '... with its credentials');
	is($came[0]{headers}{'content-type'}, $type, '... and content type');
	like($came[0]{headers}{'webhook-id'} // '', qr/^(msg_[0-9a-f]{32})?$/, '... and nothing odd as its id');
	$body = qq({"payload": {"data": [["$address_hash", "$number_hash"]], "schema": ["EMAIL", "PHONE"]}}) if $name eq 'facebook_audience_add';
	$body = qq({"payload": {"data": [["$address_hash"]], "schema": ["EMAIL"]}}) if $name eq 'facebook_audience_remove';
	is($came[0]{body}, $body, '... and body');
}
my ($prompt) = $stub->requests('/v1/chat/completions');
is($prompt->{body}, '{"model": "gpt-4o-mini", "messages": [{"role": "system", "content": "In French."}, {"role": "user", "content": "Say hello to Jürgen"}]}',
	'the prompt');
is($prompt->{headers}{authorization}, 'Bearer sk-1', '... with its credentials');
my ($thing) = grep { $_->{method} eq 'PUT' } $stub->requests('/vat/things/1');
is($thing->{headers}{'x-key'}, '7', 'a header of the message');
ok(wait_until($app, q{SELECT NOT EXISTS (SELECT FROM automation.deliveries WHERE state <> 'sent')}), 'all are sent');
is($app->query(q{SELECT channel || ' ' || class FROM automation.deliveries WHERE target LIKE '%Messages.json'}), 'sms marketing', 'a text message is of its own channel');

# Standard Webhooks

$stub->forget;
$stub->answer('/hooks/crm', { status => 500 }, { status => 200 });
$app->query(q{CREATE FUNCTION hooks(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF note TO 'hook';
BEGIN
  SEND webhook('/crm', c, 'contact.noted', server => 'hooks');
  SEND webhook('} . $stub->url . q{/rotating/crm', to_jsonb(c));
END $$});
$app->query(q{UPDATE contact SET note = 'hook'});
ok($stub->wait_for(3), 'webhooks arrive, one of them twice, since it was answered 500');
my ($first, $second) = $stub->requests('/hooks/crm');
my ($rotating) = $stub->requests('/rotating/crm');
is($second->{headers}{'webhook-id'}, $first->{headers}{'webhook-id'}, 'the second time with the same id');
is($second->{body}, $first->{body}, 'and the same body');
unlike($first->{headers}{'webhook-id'}, qr/\./, 'which has no point in it');
my $event = decode_json($first->{body});
is_deeply([ sort keys %$event ], [ 'data', 'timestamp', 'type' ], 'the body is an event');
is($event->{data}{email}, 'ann@example.com', 'with the row');
like($event->{timestamp}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, 'and its moment');
is(decode_json($rotating->{body})->{type}, 'event', 'what is no row is an event');

# Name, request, secret, and what is changed of it.
my @cases;
sub verify_later
{
	my ($name, $request, $with, %change) = @_;
	push @cases, {
		name => $name,
		secret => $with,
		headers => { map { $_ => $change{$_} // $request->{headers}{$_} } 'webhook-id', 'webhook-timestamp', 'webhook-signature' },
		body => Encode::decode('UTF-8', $change{body} // $request->{body}) };
	return;
}
verify_later('first', $first, $secret);
verify_later('second', $second, $secret);
verify_later('other secret', $first, $other_secret);
verify_later('previous secret', $first, $old_secret);
verify_later('id', $first, $secret, 'webhook-id' => 'msg_1');
verify_later('time', $first, $secret, 'webhook-timestamp' => $first->{headers}{'webhook-timestamp'} + 1);
verify_later('body', $first, $secret, body => "$first->{body} ");
verify_later('swapped', $first, $secret, 'webhook-signature' => $rotating->{headers}{'webhook-signature'});
verify_later('rotating, new', $rotating, $secret);
verify_later('rotating, old', $rotating, $old_secret);
verify_later('rotating, other', $rotating, $other_secret);
verify_later('rotating, body', $rotating, $old_secret, body => '{}');
my ($verdict, $errors) = ('', '');
IPC::Run::run([ 'node', "$FindBin::Bin/../node/verify_webhooks.js" ], '<', \encode_json(\@cases), '>', \$verdict, '2>', \$errors, IPC::Run::timeout(60));
is($verdict, q{first: ok contact.noted
second: ok contact.noted
other secret: refused No matching signature found
previous secret: refused No matching signature found
id: refused No matching signature found
time: refused No matching signature found
body: refused No matching signature found
swapped: refused No matching signature found
rotating, new: ok event
rotating, old: ok event
rotating, other: refused No matching signature found
rotating, body: refused No matching signature found
}, 'the reference library accepts what we sign, with both secrets while they change, and nothing else') or diag($errors);

# The examples of the page

$node->safe_psql('shop', 'CREATE SCHEMA page AUTHORIZATION app; CREATE SERVER trello TYPE \'http\' FOREIGN DATA WRAPPER automation OPTIONS (url \''
	  . $stub->url . q{/trello', allow_private 'true'); GRANT USAGE ON FOREIGN SERVER trello TO app;
CREATE USER MAPPING FOR app SERVER trello OPTIONS (header 'Authorization: OAuth oauth_consumer_key="1", oauth_token="2"')});
$app->query(q{SET search_path = page, automation;
CREATE TABLE app_user (id bigint PRIMARY KEY, phone text);
CREATE TABLE contact (id bigint PRIMARY KEY, name text, lifecycle text, owner_id bigint);
CREATE TABLE account (id bigint PRIMARY KEY, vat_number text, vat_valid boolean);
CREATE TABLE deal (id bigint PRIMARY KEY, title text, owner_id bigint, slack_channel text, trello_card text);
CREATE TABLE note (contact_id bigint, body text)});
my $page = slurp_file("$FindBin::Bin/../../doc/delivery.md");
my $examples = 0;
for my $section ('Messages: SEND and its constructors', 'Your own integration in ten lines of SQL')
{
	my ($text) = $page =~ /^## \Q$section\E\n(.*?)(?=^## |\z)/ms;
	while ($text =~ /^```sql\n(.*?)^```$/msg)
	{
		my $sql = $1;
		# EVERY wants pg_cron, which test/sql/feeds.sql has
		next if $sql =~ /^  EVERY/m;
		my $answer = $app->query($sql);
		unlike($answer // 'gone', qr/ERROR|WARNING|gone/, 'example ' . ++$examples . ' of the page') or diag($sql);
	}
}
cmp_ok($examples, '>=', 6, 'the page has examples');
my @functions = split /\n/, $node->safe_psql('shop', q{SELECT DISTINCT proname FROM pg_proc
WHERE pronamespace = 'automation'::regnamespace AND prorettype = 'automation.message'::regtype});
is(join(' ', grep { $page !~ /`$_\(/ } @functions), '', 'the page names every constructor');

$stub->forget;
$stub->answer('/trello/cards', { body => '{"id": "card7"}' });
$stub->answer('/slack/conversations.create', { body => '{"ok": true, "channel": {"id": "C7"}}' });
$stub->answer('/vat/vat/DE%201', { body => '{"valid": true}' });
$stub->answer('/2010-04-01/Accounts/AC1/Messages.json', { status => 400, body => '{"code": 21211, "message": "invalid To"}' });
$app->query(q{INSERT INTO app_user VALUES (1, '+4930');
INSERT INTO contact VALUES (1, 'Ann', 'lead', 1);
INSERT INTO account VALUES (1, 'DE 1');
INSERT INTO deal VALUES (7, 'ACME & Söhne', 1);
UPDATE contact SET lifecycle = 'customer'});
ok(wait_until($app, q{SELECT vat_valid FROM account}), 'an answer is used');
ok(wait_until($app, q{SELECT slack_channel = 'C7' AND trello_card = 'card7' FROM deal}), 'and two more');
ok(wait_until($app, q{SELECT count(*) = 1 FROM note}), 'a refused message is told');
like($app->query('SELECT body FROM note'), qr/^SMS not sent: \S/, 'with what is known');
my ($card) = $stub->requests('/trello/cards');
is($card->{body}, '{"name": "ACME & Söhne", "idList": "5abbe4b7ddc1b351ef961414"}', 'an integration of ten lines');
is($card->{headers}{authorization}, 'OAuth oauth_consumer_key="1", oauth_token="2"', '... with the header of its mapping');

$app->close;
$node->stop;
$stub->stop;
done_testing();
