# Messages over HTTP, to a real server (nginx) and to one that misbehaves as it is
# told: what arrives, what becomes of each fault, where a request may lead, whom TLS
# trusts.  What a peer does costs bounded memory and nobody else his deliveries.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until);
use Digest::SHA ();
use HttpStub;
use JSON::PP ();
use MIME::Base64 ();
use Nginx;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $dir = $PostgreSQL::Test::Utils::tmp_check;
my $stub = HttpStub->new(dir => $dir);
# what takes it long to say keeps it from others
my $heavy = HttpStub->new(dir => $dir);
my $proxy = HttpStub->new(dir => $dir);
my $nginx = Nginx->new(dir => $dir);
my $base = $stub->url;

# What the server's environment says is not to matter.
$ENV{$_} = $proxy->url for qw(http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY);
$ENV{SSLKEYLOGFILE} = "$dir/keys.log";
$ENV{SSL_CERT_FILE} = $nginx->ca;
$ENV{CURL_HOME} = $dir;
append_to_file("$dir/.curlrc", 'proxy = "' . $proxy->url . "\"\n");
my $node = new_server('http', "log_min_messages = warning\n");
delete @ENV{qw(http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY SSLKEYLOGFILE SSL_CERT_FILE CURL_HOME)};

owner_database($node, 'http', 'maker', q{
CREATE TABLE post (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, server text, url text, method text DEFAULT 'POST', body text,
	headers jsonb, content_type text, sign boolean, options jsonb DEFAULT '{}');
CREATE FUNCTION send_post(p post) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
BEGIN
  SEND automation.with_options(automation.http_request(p.method, p.url, p.body, p.headers, p.server, p.content_type, p.sign), p.options);
END $$;
});
my $maker = AutomationTest::Session->new($node, 'http', 'maker');
my $chief = AutomationTest::Session->new($node, 'http', 'postgres');
$maker->query('SET search_path = maker');

# A server of a superuser; the options that are given stand over these.
sub server
{
	my ($name, $url, %option) = @_;
	my %all = (url => $url, allow_private => 'on', rate => '0', timeout => '20s', connect_timeout => '5s', schedule => '10ms', %option);

	delete $all{$_} for grep { !defined $all{$_} } keys %all;
	my $options = join ', ', map { "$_ '$all{$_}'" } sort keys %all;
	my $said = $chief->query("CREATE SERVER $name TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS ($options)") // '';
	$chief->query("GRANT USAGE ON FOREIGN SERVER $name TO maker");
	return $said;
}

sub mapping
{
	my ($name, %option) = @_;
	my $options = join ', ', map { "$_ '$option{$_}'" } sort keys %option;

	return $chief->query("CREATE USER MAPPING FOR maker SERVER $name OPTIONS ($options)");
}

sub literal
{
	my ($value) = @_;

	return 'NULL' unless defined $value;
	return "'" . ($value =~ s/'/''/gr) . "'";
}

# Has a message made; its number.
sub post
{
	my ($server, %column) = @_;
	my %all = (server => $server, url => '/', body => '{"a": 1}', %column);
	my @names = sort keys %all;

	return $maker->query("INSERT INTO post (" . join(', ', @names) . ') VALUES ('
		  . join(', ', map { literal($all{$_}) } @names) . ') RETURNING id');
}

# What became of it; waits until it is over.
sub outcome
{
	my ($id) = @_;

	wait_until($chief, "SELECT count(*) = 1 FROM automation.outgoing WHERE key::jsonb ->> 0 = '$id' AND finished_at IS NOT NULL")
	  or return {};
	return JSON::PP->new->utf8->decode(
		$chief->query("SELECT to_jsonb(o) FROM automation.outgoing o WHERE key::jsonb ->> 0 = '$id'"));
}

# --- what is refused before it leaves ---

{
	my $before = $stub->count;

	server('strict', "$base/strict");
	for my $case (
		[ 'CR LF in a value', headers => '{"X-A": "b\r\nX-B: c"}' ],
		[ 'LF in a value', headers => '{"X-A": "b\nX-B: c"}' ],
		[ '8-bit in a value', headers => "{\"X-A\": \"\x{c3}\x{a9}\"}" ],
		[ 'space in a name', headers => '{"X A": "b"}' ],
		[ 'colon in a name', headers => '{"X-A: b\r\nX-B": "c"}' ],
		[ '8-bit in a name', headers => "{\"X-\x{c3}\x{a9}\": \"b\"}" ],
		[ 'empty name', headers => '{"": "b"}' ],
		(map { [ "header $_", headers => "{\"$_\": \"1\"}" ] } 'Host', 'content-length', 'Transfer-Encoding', 'Connection', 'Expect', 'Proxy-X', 'webhook-id', 'Webhook-Signature'),
		[ 'method', method => "GET / HTTP/1.1\r\nX-A: b" ],
		[ 'unknown method', method => 'TRACE' ],
		[ 'CR LF in the URL', url => "/a\r\nX-A: b" ],
		[ 'a URL that leaves the server\'s', url => '/../other' ],
		[ 'the same, encoded', url => '/%2e%2e/other' ],
		[ 'another host', url => 'http://127.0.0.1.example.com/' ],
		[ 'a user in the URL', url => "http://x\@127.0.0.1:" . $stub->port . '/strict/' ],
		[ 'another scheme', url => 'file:///etc/passwd' ])
	{
		my ($name, %column) = @$case;
		my $id = post('strict', %column);

		# the step fails, or the message is dead: one of both, and nothing leaves
		like($id, qr/^\d+$/, "made: $name");
		ok(wait_until($chief, "SELECT EXISTS (SELECT FROM automation.outgoing WHERE key::jsonb ->> 0 = '$id' AND state = 'dead')"
				  . " OR EXISTS (SELECT FROM automation.enrollments WHERE subject_key = '$id' AND error <> '')"), "refused: $name");
	}
	is($stub->count, $before, 'nothing has left');
}


# --- what arrives ---

my $old_secret = 'whsec_' . MIME::Base64::encode_base64('o' x 24, '');
my $new_secret = 'whsec_' . MIME::Base64::encode_base64("\x00\xff" . 'n' x 62, '');

# An implementation of its own: which of the signatures are by the secret?
sub signatures_by
{
	my ($request, $secret) = @_;
	my $key = MIME::Base64::decode_base64($secret =~ s/^whsec_//r);
	my $expected = Digest::SHA::hmac_sha256_base64(
		join('.', $request->{headers}{'webhook-id'}, $request->{headers}{'webhook-timestamp'}, $request->{body}), $key);

	$expected .= '=' while length($expected) % 4;
	return scalar grep { $_ eq "v1,$expected" } split / /, $request->{headers}{'webhook-signature'} // '';
}

{
	server('signed', "$base/signed");
	mapping('signed', secret => $new_secret, previous_secret => $old_secret, bearer => 'the-token');
	my $id = post('signed', url => '/a?b=c', body => "{\"name\": \"Zo\x{c3}\x{ab}\"}", headers => '{"X-Own": "v", "X-Empty": ""}');
	my $o = outcome($id);
	my ($r) = $stub->requests('/signed/a');

	is($o->{state}, 'sent', '2xx: sent');
	is($o->{status}, 200, 'status is kept');
	is($r->{method}, 'POST', 'method');
	is($r->{target}, '/signed/a?b=c', 'path behind the server\'s, query');
	is($r->{body}, "{\"name\": \"Zo\x{c3}\x{ab}\"}", 'body, byte by byte');
	is($r->{headers}{'content-type'}, 'application/json', 'content type');
	is($r->{headers}{'webhook-id'}, $o->{uid}, 'webhook-id');
	is($r->{headers}{'idempotency-key'}, $o->{uid}, 'the same for services that have no webhook-id');
	is($r->{headers}{authorization}, 'Bearer the-token', 'credentials');
	is($r->{headers}{'x-own'}, 'v', 'header of the message');
	ok(exists $r->{headers}{'x-empty'}, 'also one without a value');
	cmp_ok(abs($r->{headers}{'webhook-timestamp'} - $r->{at}), '<', 60, 'time of the world');
	is(signatures_by($r, $new_secret), 1, 'signed with the secret');
	is(signatures_by($r, $old_secret), 1, 'and with the one before');
	is(signatures_by({ %$r, body => "$r->{body} " }, $new_secret), 0, 'another body has another signature');
	is(signatures_by({ %$r, headers => { %{ $r->{headers} }, 'webhook-id' => 'msg_x' } }, $new_secret), 0, 'another id as well');

	outcome(post('signed', url => '/unsigned', sign => 'f'));
	($r) = $stub->requests('/signed/unsigned');
	ok(!exists $r->{headers}{'webhook-signature'}, 'sign => false');

	server('basic', "$base/basic");
	mapping('basic', user => 'ann', password => 'pass:word');
	outcome(post('basic', headers => '{"Authorization": "of the message"}'));
	($r) = $stub->requests('/basic/');
	is($r->{headers}{authorization}, 'Basic ' . MIME::Base64::encode_base64('ann:pass:word', ''), 'what the mapping says stands');

	server('methods', "$base/methods");
	outcome(post('methods', url => "/$_", method => $_, body => $_ =~ /GET|HEAD|DELETE/ ? undef : 'text', content_type => 'text/plain'))
	  for qw(GET HEAD PUT PATCH DELETE);
	for my $method (qw(GET HEAD PUT PATCH DELETE))
	{
		($r) = $stub->requests("/methods/$method");
		is($r->{method}, $method, $method);
		is($r->{body}, $method =~ /PUT|PATCH/ ? 'text' : '', "$method: body");
		is($r->{headers}{'content-type'}, $method =~ /PUT|PATCH/ ? 'text/plain' : undef, "$method: content type");
	}
}

# --- faults ---

{
	my %fault = (
		wrong => [ { status => 500, body => 'oops' } ],
		interim => [ { endless => "HTTP/1.1 100 Continue\r\n\r\n" } ],
		hints => [ { endless => "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" } ],
		lineless => [ { endless => 'HTTP/1.1 200 OK' } ],
		trailer => [ { start => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", endless => "X-Trailer: v\r\n" } ],
		unasked => [ { start => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", endless => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno" } ],
		later => [ { status => 429, headers => { 'Retry-After' => '3600' } } ],
		date => [ { status => 503, headers => { 'Retry-After' => 'Wed, 21 Oct 2099 07:28:00 GMT' } } ],
		absurd => [ { status => 429, headers => { 'Retry-After' => '99999999999999999999' } } ],
		gone => [ { status => 410 } ],
		missing => [ { status => 404 } ],
		redirect => [ { status => 302, headers => { Location => "$base/hit" } } ],
		hang => [ { hang => 1 } ],
		drip => [ { drip => 0.5 } ],
		drop => [ { drop => 'body' } ],
		half => [ { drop => 'answer' } ],
		once => [ { drop => 'body' }, { status => 200 } ],
		big => [ { size => 20_000_000 } ],
		headers => [ { headers => { 'X-A' => [ ('v' x 50) x 500 ] } } ],
		line => [ { headers => { 'X-A' => 'v' x 200_000 } } ],
		bomb => [ { headers => { 'Content-Encoding' => 'gzip' }, body => "\x1f\x8b\x08\x00\x00\x00\x00\x00" . "\x00" x 100 } ],
		latin => [ { headers => { 'X-A' => "caf\xe9" }, body => "caf\xe9 a\x00b" } ],
		utf => [ { headers => { 'X-Two' => [ 'a', 'b' ], 'Set-Cookie' => 'session=1' }, body => "caf\xc3\xa9 a\x00b" } ],
		cut => [ { body => "\xc3\xa9" x 100 } ]);

	for my $name (sort keys %fault)
	{
		my $peer = $name =~ /big|headers|line|interim|hints|trailer|unasked/ ? $heavy : $stub;

		$peer->answer("/$name/", @{ $fault{$name} });
		server($name, $peer->url . "/$name", $name eq 'cut' ? (answer_limit => '11') : (), $name =~ /hang|drip/ ? (timeout => '1s') : ());
	}
	server('nobody', 'http://127.0.0.1:1');
	server('nowhere', 'http://no-such-host.invalid', allow_private => undef);

	my %id = map { $_ => post($_) } sort(keys %fault), 'nobody', 'nowhere';
	my %o = map { $_ => outcome($id{$_}) } grep { !/later|date|absurd/ } sort keys %id;

	is("$o{$_}{state} $o{$_}{reason} $o{$_}{attempts}", 'dead attempts 2', "$_: tried again, then given up")
	  for qw(wrong hang drip drop half headers line interim hints lineless nobody nowhere);
	is("$o{trailer}{state} $o{trailer}{status} $o{trailer}{attempts}", 'sent 200 1', 'trailers without end: an answer, which broke off');
	is("$o{unasked}{state} $o{unasked}{answer}", 'sent ok', 'what nobody has asked for is no answer');
	is($o{wrong}{status}, 500, '500: status');
	is($o{wrong}{answer}, 'oops', '500: answer');
	is("$o{gone}{state} $o{gone}{reason} $o{gone}{attempts}", 'dead gone 1', '410: given up at once');
	is("$o{missing}{state} $o{missing}{status} $o{missing}{attempts}", 'dead 404 1', '404: given up at once');
	is("$o{redirect}{state} $o{redirect}{reason} $o{redirect}{status}", 'dead attempts 302', 'redirect: an answer like others');
	is(scalar(my @hits = $stub->requests('/hit')), 0, 'and not followed');
	is("$o{once}{state} $o{once}{attempts}", 'sent 2', 'reset after the body: sent again');
	my @same = $stub->requests('/once/');
	is($same[0]{headers}{'webhook-id'}, $same[1]{headers}{'webhook-id'}, 'with the same id');

	for my $name (qw(later date absurd))
	{
		ok(wait_until($chief, "SELECT count(*) = 1 FROM automation.outgoing o JOIN automation.outgoing_due d USING (id)"
				  . " WHERE o.key::jsonb ->> 0 = '$id{$name}' AND d.attempt = 1"), "$name: waits for the next attempt");
		is($chief->query("SELECT d.due > o.created_at + interval '" . ($name eq 'later' ? '59 min' : '23 h') . "'"
				  . " AND d.due < now() + interval '" . ($name eq 'later' ? '2 h' : '26 h') . "'"
				  . " FROM automation.outgoing o JOIN automation.outgoing_due d USING (id) WHERE o.key::jsonb ->> 0 = '$id{$name}'"),
			't', "$name: as long as it was asked to, a day at most");
	}

	is("$o{big}{state} " . length($o{big}{answer} // ''), 'sent 65536', '20 MB: sent, the answer is cut');
	is("$o{cut}{state} $o{cut}{answer}", "sent \x{e9}\x{e9}\x{e9}\x{e9}\x{e9}", 'cut between characters');
	is($o{bomb}{state}, 'sent', 'compressed answer: sent');
	cmp_ok(length $o{bomb}{answer}, '<', 100, 'and not unpacked');
	is($o{latin}{answer}, 'caf\\xe9 ab', 'not valid in the encoding: escaped, no NUL');
	is($o{latin}{answer_headers}{'x-a'}, 'caf\\xe9', 'in headers, too');
	is($o{utf}{answer}, "caf\x{e9} ab", 'valid: as it is, no NUL');
	is($o{utf}{answer_headers}{'x-two'}, 'a, b', 'headers of one name become one');
	ok(!exists $o{utf}{answer_headers}{'set-cookie'}, 'cookies are not kept');
	like($o{nowhere}{error}, qr/could not be resolved/, 'no such host: says so');
}

# --- where a request may lead ---

{
	my $before = $stub->count;
	my $port = $stub->port;
	my @hosts = ('127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '[64:ff9b::7f00:1]', '2130706433', '0x7f000001', '127.1', '0', '0.0.0.0');
	my %id;
	my $n = 0;

	# a server with such an address cannot be made, or does not lead there
	for my $host (@hosts)
	{
		$n++;
		$id{$host} = post("inside$n") unless server("inside$n", "http://$host:$port", allow_private => undef) =~ /ERROR/;
	}
	ok(exists $id{localhost}, 'a name says nothing of itself');
	for my $host (sort keys %id)
	{
		my $o = outcome($id{$host});
		is($o->{state}, 'dead', "$host: not sent");
		like($o->{error}, qr/address/, "$host: says why");
	}
	is($stub->count, $before, 'nothing has arrived');

	# a connection that was allowed is not used when it no longer is
	server('former', "http://localhost:$port/former");
	is(outcome(post('former'))->{state}, 'sent', 'allowed: sent');
	$chief->query("ALTER SERVER former OPTIONS (DROP allow_private)");
	is(outcome(post('former'))->{state}, 'dead', 'no longer allowed: not sent');
	$chief->query("ALTER SERVER former OPTIONS (ADD allow_private 'on')");
	is(outcome(post('former'))->{state}, 'sent', 'allowed again: sent');
	$chief->query('GRANT USAGE ON FOREIGN DATA WRAPPER automation TO maker');
	$chief->query('ALTER SERVER former OWNER TO maker');
	is(outcome(post('former'))->{state}, 'dead', 'its owner is no superuser: not sent');
}

# --- TLS, nginx ---

{
	for my $service (qw(https http2 wrong expired stranger old))
	{
		server("tls_$service", $nginx->url($service), ca_file => $nginx->ca, http_version => $service eq 'http2' ? '2' : '1.1');
	}
	server('tls_default', $nginx->url('https'));
	server('tls_off', $nginx->url('stranger'), verify => 'off');
	server('plain', $nginx->url('http'), concurrency => 2);

	# an nginx that has too much, or closes the connection
	server('busy', $nginx->url('http'));
	my $busy = post('busy', url => '/busy');
	server('closing', $nginx->url('http'));
	my $dropped = post('closing', url => '/drop');
	ok(wait_until($chief, "SELECT count(*) = 1 FROM automation.outgoing o JOIN automation.outgoing_due d USING (id)"
			  . " WHERE o.key::jsonb ->> 0 = '$busy' AND d.attempt = 1 AND d.due BETWEEN o.created_at + interval '59 min' AND now() + interval '61 min'"),
		'429 with Retry-After: later');
	is(join(' ', @{ outcome($dropped) }{qw(state reason attempts)}), 'dead attempts 2', 'closed without an answer: tried again, then given up');
	server('limited', $nginx->url('http') . '/some', schedule => '1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s');
	my @limited = map { post('limited') } 1 .. 8;
	is(scalar(grep { outcome($_)->{state} eq 'sent' } @limited), 8, 'with a limit of requests: all arrive in the end');
	cmp_ok(scalar(grep { $_->{path} =~ m{^/some} && $_->{status} eq '429' } $nginx->requests), '>', 0, 'some were told to come later');

	my %id = map { $_ => post($_) } qw(tls_https tls_http2 tls_wrong tls_expired tls_stranger tls_old tls_default tls_off);
	my @plain = map { post('plain') } 1 .. 20;
	my %o = map { $_ => outcome($id{$_}) } sort keys %id;

	is($o{$_}{state}, 'sent', "$_: sent") for qw(tls_https tls_http2 tls_off);
	is($o{$_}{state}, 'dead', "$_: not sent") for qw(tls_wrong tls_expired tls_stranger tls_old tls_default);
	like($o{$_}{error}, qr/certificate/, "$_: says why") for qw(tls_wrong tls_expired tls_stranger tls_default);
	is(scalar(grep { outcome($_)->{state} eq 'sent' } @plain), 20, 'many to one server');

	ok($nginx->wait_for(35), 'it has taken all of them down');
	my @requests = $nginx->requests;
	my %protocol = map { $_->{service} => $_->{protocol} } grep { $_->{id} =~ /^msg_/ } @requests;
	is($protocol{https}, 'HTTP/1.1', 'HTTP/1.1 unless said otherwise');
	is($protocol{http2}, 'HTTP/2.0', 'HTTP/2');
	is(join(' ', grep { exists $protocol{$_} } qw(wrong expired old)), '', 'to the others no request came');
	my %connection = map { $_->{connection} => 1 } grep { $_->{service} eq 'http' && $_->{id} =~ /^msg_/ && $_->{path} eq '/' } @requests;
	cmp_ok(scalar keys %connection, '<=', 4, 'connections are used again');
	is($proxy->count, 0, 'proxies of the environment are not asked');
	ok(!-e "$dir/keys.log", 'keys are not written to the file that the environment names');
}

# --- what a peer costs ---

{
	my $pid = $chief->query("SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'automation delivery%' AND datname = 'http'");
	my $rss = sub { my ($kb) = slurp_file("/proc/$pid/status") =~ /VmRSS:\s+(\d+) kB/; return $kb; };
	my ($core) = slurp_file("/proc/$pid/limits") =~ /Max core file size\s+(\S+)/;

	is($core, 0, 'no core files of a process that knows passwords');
	outcome(post('big'));
	my $before = $rss->();
	outcome($_) for map { post($_) } qw(big headers line big headers line big headers line);
	cmp_ok($rss->() - $before, '<', 8 * 1024, 'answers without end leave no memory behind');

	# who hangs, hangs alone
	server('slow', "$base/hang", timeout => '120s', concurrency => 5);
	$stub->answer('/hang/', { hang => 1 });
	my @hanging = map { post('slow') } 1 .. 5;
	ok(wait_until($chief, "SELECT count(*) >= 5 FROM automation.inflight i JOIN automation.outgoing o USING (id) WHERE o.server = 'slow'"), 'five hang');
	my @healthy = map { post('plain') } 1 .. 50;
	is(scalar(grep { outcome($_)->{state} eq 'sent' } @healthy), 50, 'others are delivered');
	is($chief->query("SELECT count(*) FROM automation.outgoing WHERE server = 'slow' AND state = 'queued'"), 5, 'meanwhile they still hang');
}

$_->close for $maker, $chief;
$node->stop;
$stub->stop;
$proxy->stop;
$heavy->stop;
$nginx->stop;
done_testing();
