# Mail against a real SMTP server and against one that fails as it is told: what arrives,
# to whom, and what becomes of a delivery that does not.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until);
use FindBin;
use lib "$FindBin::Bin/../perl";
use IPC::Run ();
use JSON::PP ();
use MailServer;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SmtpStub;
use Test::More;

$ENV{PGUSER} = 'postgres';
my $dir = PostgreSQL::Test::Utils::tempdir_short();
my $node = new_server('mail');
my $relay = MailServer->new(dir => $dir);
my $elsewhere = MailServer->new(dir => $dir, certificate_name => 'mail.elsewhere.test');
my $stub = SmtpStub->new(dir => $dir);

owner_database($node, 'main', 'app', q{
CREATE TABLE post (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, server text, target text, subject text, body text, headers jsonb, options jsonb);
CREATE FUNCTION post(p post) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SEND ROW('mail', p.server, p.target, p.subject, p.body, p.headers, p.options)::automation.message;
END $$;
CREATE FUNCTION stays(p post) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SEND ROW('mail', p.server, p.target, p.subject, p.body, p.headers, p.options)::automation.message;
  WAIT FOR '1 day';
END $$;
CREATE FUNCTION course(p post) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  SEND ROW('mail', p.server, p.target, 'Lesson 1', 'one', NULL, '{"thread": "previous", "class": "internal"}')::automation.message;
  SEND ROW('mail', p.server, p.target, 'Lesson 2', 'two', NULL, '{"thread": "previous", "class": "internal"}')::automation.message;
  SEND ROW('mail', p.server, p.target, 'Re: Lesson 3', 'three', NULL, '{"thread": "first", "class": "internal"}')::automation.message;
END $$;
});
my $db = AutomationTest::Session->new($node, 'main', 'postgres');

sub literal
{
	my ($text) = @_;
	return defined $text ? "'" . ($text =~ s/'/''/gr) . "'" : 'NULL';
}

# name, url, further options, login
sub server
{
	my ($name, $url, $more, $login) = @_;

	$node->safe_psql('main', qq{
SET client_min_messages = error;
CREATE SERVER $name TYPE 'smtp' FOREIGN DATA WRAPPER automation OPTIONS (url '$url', allow_private 'true', rate '0', schedule '1h',
  "from" 'shop\@example.test, \@news.example.test', unsubscribe_url 'https://example.test/u?t=', unsubscribe_mail 'leave\@example.test' $more);
GRANT USAGE ON FOREIGN SERVER $name TO app;
} . ($login ? "CREATE USER MAPPING FOR app SERVER $name OPTIONS ($login);" : ''));
	return;
}

server('relay', $relay->url, ", ca_file '" . $relay->ca_file . "', bounce 'b\@example.test'", "user 'sender', password 'secret'");
server('relay_tls', $relay->tls_url, ", ca_file '" . $relay->ca_file . "'", "user 'sender', password 'secret'");
server('wrong_password', $relay->url, ", ca_file '" . $relay->ca_file . "'", "user 'sender', password 'guess'");
server('no_login', $relay->url, ", ca_file '" . $relay->ca_file . "'");
server('wrong_host', $elsewhere->url, ", ca_file '" . $elsewhere->ca_file . "'", "user 'sender', password 'secret'");
server('stranger', $relay->url, ", ca_file '" . $elsewhere->ca_file . "'", "user 'sender', password 'secret'");
server('stub', $stub->url);
server('impatient', $stub->url, ", timeout '1s'");
server('stripped', $stub->url, '', "user 'sender', password 'secret'");
server('local', $relay->url =~ s/127.0.0.1/localhost/r, ", ca_file '" . $relay->ca_file . "'", "user 'sender', password 'secret'");
$node->safe_psql('main', 'ALTER SERVER local OPTIONS (DROP allow_private)');

# Sends one message; its delivery as "state reason status code" when there was an attempt, and its id.
my $posted = 0;
my $last = 0;

sub attempt
{
	my (%message) = @_;
	my $options = $message{options} // '{"class": "internal"}';

	# others may have sent since the last one
	$last = $db->query("SELECT coalesce(max(id), 0) FROM automation.outgoing");
	$posted++;
	$message{target} //= "user$posted\@example.test";
	$db->query("INSERT INTO app.post (server, target, subject, body, headers, options) VALUES ("
		  . join(', ', map { literal($_) } $message{server}, $message{target}, $message{subject} // "case $posted",
			exists $message{body} ? $message{body} : 'Hello', $message{headers}, $options) . ')');
	$node->safe_psql('main', 'SET SESSION AUTHORIZATION app; SELECT app.post(p) FROM app.post p ORDER BY id DESC LIMIT 1');
	wait_until($db, "SELECT EXISTS (SELECT FROM automation.outgoing WHERE id > $last AND state <> 'queued')"
		  . " OR EXISTS (SELECT FROM automation.outgoing_due WHERE id > $last AND attempt > 0)"
		  . " OR EXISTS (SELECT FROM automation.enrollments WHERE error IS NOT NULL)");
	my $error = $db->query("SELECT max(error) FROM automation.enrollments");
	diag("step failed: $error") if $error;
	$last = $db->query("SELECT coalesce(max(id), $last) FROM automation.outgoing");
	return state_of($last);
}

# What the last attempt was noted as.
sub note_of
{
	my ($id, $what) = @_;
	return $db->query("SELECT $what FROM automation.history WHERE event = 'delivery' AND detail ->> 'message' = '$id' ORDER BY at DESC, position DESC LIMIT 1");
}

sub state_of
{
	my ($id) = @_;
	my $state = $db->query("SELECT concat_ws(' ', state, reason, status) FROM automation.outgoing WHERE id = $id");
	return $state eq 'queued' ? join(' ', grep { length } $state, note_of($id, "detail ->> 'status'")) : $state;
}

# What an independent reader makes of a mail: headers decoded, parts in order.
sub read_mail
{
	my ($text) = @_;
	my $file = "$dir/mail.eml";

	open my $out, '>:raw', $file or die "$file: $!";
	print $out $text;
	close $out;
	my $script = q{
import email, email.policy, json, sys
m = email.message_from_bytes(open(sys.argv[1], 'rb').read(), policy=email.policy.default)
parts = [{'type': p.get_content_type(), 'name': p.get_filename(), 'disposition': p.get_content_disposition(), 'cid': p['content-id'],
          'content': None if p.is_multipart() else p.get_payload(decode=True).decode('utf-8', 'backslashreplace')} for p in m.walk()]
print(json.dumps({'headers': {k.lower(): str(v) for k, v in m.items()}, 'parts': parts, 'defects': [str(d) for p in m.walk() for d in p.defects]}))
};
	my ($json, $error);
	IPC::Run::run([ 'python3', '-c', $script, $file ], '>', \$json, '2>', \$error) or die $error;
	return JSON::PP::decode_json($json);
}

# The last mail the relay has, read.
sub arrived
{
	my ($count) = @_;
	ok($relay->wait_for($count), "$count arrived");
	my @mails = $relay->mails;
	is(scalar @mails, $count, 'and no more');
	return map { { %$_, %{ read_mail($_->{text}) } } } @mails;
}

# --- what arrives ---

is( attempt(server => 'relay', target => 'ann@example.test', subject => "Grüße aus Zürich: " . ("sehr " x 20) . '你好',
		body => "Zeile eins\n.\nFrom here\n" . ('ü' x 50) . "\nEnde  ",
		headers => '{"X-Campaign": "frühling", "Precedence": "bulk"}',
		options => JSON::PP->new->ascii->encode({ html => "<p>Gr\x{fc}\x{df}e &amp; mehr</p><img src=\"cid:logo\">", class => 'transactional', from => 'jo@news.example.test', from_name => "J\x{f6}rg, \"Chef\"",
			to_name => 'Ann', reply_to => 'answers@example.test', cc => ['cc1@example.test', 'cc2@example.test'], bcc => ['hidden@example.test'],
			attachments => [ { name => 'a b.txt', type => 'text/plain', content => encode_base64('x' x 1000) },
				{ name => "Gr\x{fc}\x{df}e.bin", content => encode_base64("\0\1") },
				{ name => 'logo.png', type => 'image/png', content => encode_base64('PNG'), inline => 'logo' } ] })),
	'sent 250', 'a mail with everything');
my @mails = arrived(4);
is(join(' ', sort map { $_->{to} } @mails), 'ann@example.test cc1@example.test cc2@example.test hidden@example.test', 'to all of its recipients, once each');
my $mail = $mails[0];
unlike($mail->{text} =~ s/\AReturn-path.*?^Date:/Date:/smr, qr/hidden/, 'nobody sees who is in bcc');
is($mail->{headers}{subject}, "Gr\x{fc}\x{df}e aus Z\x{fc}rich: " . ("sehr " x 20) . "\x{4f60}\x{597d}", 'the subject in letters of all kinds');
is($mail->{headers}{from}, "\"J\x{f6}rg, \\\"Chef\\\"\" <jo\@news.example.test>", 'the sender with a name');
is($mail->{headers}{to}, 'Ann <ann@example.test>', 'the recipient with a name');
is($mail->{headers}{cc}, 'cc1@example.test, cc2@example.test', 'cc');
is($mail->{headers}{'reply-to'}, 'answers@example.test', 'reply_to');
is($mail->{headers}{'x-campaign'}, "fr\x{fc}hling", 'a header of its own');
my $uid = $db->query("SELECT uid FROM automation.outgoing WHERE id = $last");
is($mail->{headers}{'message-id'}, "<$uid\@news.example.test>", 'Message-ID is made of its id');
is_deeply([ map { $_->{type} } @{ $mail->{parts} } ],
	[ qw(multipart/mixed multipart/alternative text/plain multipart/related text/html image/png text/plain application/octet-stream) ], 'parts');
is($mail->{parts}[2]{content} =~ s/\r\n/\n/gr, "Zeile eins\n.\nFrom here\n" . ("\x{fc}" x 50) . "\nEnde  ", 'the text');
is($mail->{parts}[4]{content}, "<p>Gr\x{fc}\x{df}e &amp; mehr</p><img src=\"cid:logo\">", 'the HTML');
is($mail->{parts}[5]{cid}, '<logo>', 'a picture of the HTML');
is($mail->{parts}[6]{name} . ' ' . $mail->{parts}[6]{content}, 'a b.txt ' . ('x' x 1000), 'an attachment');
is($mail->{parts}[7]{name}, "Gr\x{fc}\x{df}e.bin", 'a name in letters of all kinds');
is_deeply($mail->{defects}, [], 'nothing is wrong with its form');
my ($length) = sort { $b <=> $a } map { length s/\r?\n\z//r } split /^/, $mail->{text} =~ s/\A.*?^Date:/Date:/smr;
cmp_ok($length, '<=', 76, 'no line is longer than 76 bytes');
like($mail->{from}, qr/\Ab\+[a-z0-9-]+\@example\.test\z/, 'the return path has a token');
like($db->query("SELECT provider_id FROM automation.outgoing WHERE id = $last"), qr/^[0-9A-Za-z]+-[0-9A-Za-z]+-[0-9A-Za-z]+$/, 'what the relay calls it');
like($relay->log, qr/id=$uid/, 'the relay has it by that id');
$relay->forget;

# marketing: the links to unsubscribe, and their token
is(attempt(server => 'relay', target => 'bob@example.test', body => undef, options => '{"html": "<p>Only <b>HTML</b></p>"}'), 'sent 250', 'marketing, HTML alone');
($mail) = arrived(1);
like($mail->{headers}{'list-unsubscribe'}, qr{\A\s*<https://example\.test/u\?t=([a-z0-9-]+)>,\s*<mailto:leave\@example\.test\?subject=\1>\z}, 'List-Unsubscribe');
is($mail->{headers}{'list-unsubscribe-post'}, 'List-Unsubscribe=One-Click', 'one click');
is(join(' ', map { $_->{type} } @{ $mail->{parts} }), 'multipart/alternative text/plain text/html', 'a text is made of the HTML');
like($mail->{parts}[1]{content}, qr/Only.*HTML/, 'and says the same');
is($mail->{headers}{from}, 'shop@example.test', 'without a sender it is the first of the server');
$relay->forget;

is(attempt(server => 'relay_tls'), 'sent 250', 'TLS from the beginning');
($mail) = arrived(1);
is($mail->{headers}{'auto-submitted'}, 'auto-generated', 'class internal says so');
ok(!exists $mail->{headers}{'list-unsubscribe'}, 'and there is nothing to unsubscribe from');
$relay->forget;

# threads
$db->query("INSERT INTO app.post (server, target) VALUES ('relay', 'thread\@example.test')");
$node->safe_psql('main', 'SET SESSION AUTHORIZATION app; SELECT app.course(p) FROM app.post p ORDER BY id DESC LIMIT 1');
my %lesson = map { $_->{headers}{subject} => $_->{headers} } arrived(3);
is(join(', ', sort keys %lesson), 'Lesson 1, Re: Lesson 2, Re: Lesson 3', 'subjects get Re: once');
my ($first, $second, $third) = @lesson{ 'Lesson 1', 'Re: Lesson 2', 'Re: Lesson 3' };
ok(!exists $first->{'in-reply-to'}, 'the first has nothing to refer to');
is($second->{'in-reply-to'}, $first->{'message-id'}, 'previous: the one before');
is($third->{'in-reply-to'}, $first->{'message-id'}, 'first: the first of the enrollment');
is($third->{references}, $first->{'message-id'}, 'references');
$last = $db->query('SELECT max(id) FROM automation.outgoing');
is(attempt(server => 'relay', target => 'thread@example.test', options => qq({"class": "internal", "thread": "$last"})), 'sent 250', 'a thread by id');
$relay->wait_for(4);
my ($answer) = grep { $_->{headers}{subject} =~ /case/ } map { read_mail($_->{text}) } $relay->mails;
is($answer->{headers}{references}, "$first->{'message-id'} $third->{'message-id'}", 'references grow');
$relay->forget;

# --- what would be another message, or another recipient ---

my $smuggled = "a\n.\nMAIL FROM:<evil\@x.test>\nRCPT TO:<victim\@example.test>\nDATA\nx\n.\n\r.\r\r\n.\r\n" . ('y' x 1000) . "\n..\n. \n";
is(attempt(server => 'relay', body => $smuggled), 'sent 250', 'a text full of ends of messages');
($mail) = arrived(1);
is($mail->{parts}[0]{content} =~ s/\r\n/\n/gr, $smuggled =~ s/\r\n|\r/\n/gr =~ s/\n\z//r . "\n" x ($mail->{parts}[0]{content} =~ /\n\z/ ? 1 : 0), 'arrives as it is');
$relay->forget;

sub refused
{
	my ($sql) = @_;
	my ($status, $out, $error) = $node->psql('main', "SET SESSION AUTHORIZATION app; SET search_path = app;\n$sql");
	return $error;
}

sub step_error
{
	my (%message) = @_;
	my ($out, $error, $status);

	$posted++;
	$db->query("INSERT INTO app.post (server, target, subject, body, headers, options) VALUES ("
		  . join(', ', map { literal($_) } 'stub', $message{target} // "user$posted\@example.test", $message{subject} // 'x', 'Hello',
			$message{headers}, $message{options} // '{"class": "internal"}') . ')');
	my $enrollment = $node->safe_psql('main', 'SET SESSION AUTHORIZATION app; SELECT app.post(p) FROM app.post p ORDER BY id DESC LIMIT 1');
	wait_until($db, "SELECT EXISTS (SELECT FROM automation.enrollments WHERE id = $enrollment AND error IS NOT NULL)");
	$error = $db->query("SELECT error FROM automation.enrollments WHERE id = $enrollment");
	$node->safe_psql("main", "SET SESSION AUTHORIZATION app; SELECT automation.unenroll('post', p) FROM app.post p ORDER BY p.id DESC LIMIT 1");
	return $error;
}

for my $address ('a@x.test, b@y.test', 'a@x.test b@y.test', "a\@x.test>\r\nRCPT TO:<b\@y.test", '"a@b"@c.test', 'Ann <a@x.test>', '<a@x.test>', 'a@x.test;b@y.test',
	'a@@x.test', '@x.test', 'a@', 'a', "a\@x.test\n", 'a@[127.0.0.1]', 'a@x..test', ('a' x 65) . '@x.test', "\x{fc}\@x.test", 'a(comment)@x.test')
{
	utf8::encode(my $bytes = $address);
	is(attempt(server => 'stub', target => $bytes, options => '{"class": "internal"}'), 'skipped invalid_address', 'no mailbox: ' . ($address =~ s/[^ -~]/?/gr));
}
like(step_error(subject => "x\r\nBcc: b\@y.test") // 'sent', qr/message|subject/, 'a line break in the subject');
like(step_error(headers => '{"X-A": "x\r\nBcc: b@y.test"}') // 'sent', qr/message|header/, 'a line break in a header');
like(step_error(headers => '{"Bcc": "b@y.test"}') // 'sent', qr/message|header/, 'a header that names recipients');
like(step_error(options => '{"from": "ceo@bank.test", "class": "internal"}') // 'sent', qr/from|sender/, 'a sender that is not the server\'s');
like(step_error(options => '{"from": "x@sub.news.example.test", "class": "internal"}') // 'sent', qr/from|sender/, 'nor of a domain below');
like(step_error(options => '{"cc": ["b@y.test"], "class": "marketing"}') // 'sent', qr/message|marketing/, 'marketing with copies');
like(step_error(options => '{"class": "marketing", "channel": "letters"}') // 'sent', qr/channel/, 'a mail that calls itself something else');
like(step_error(options => '{"class": ["transactional"]}') // 'sent', qr/class/, 'a class that is none');
is(scalar(my @none = $stub->mails), 0, 'none of them left');

# --- encryption and login ---

is(attempt(server => 'stripped'), 'queued', 'a login and no STARTTLS: nothing leaves');
like(note_of($last, "concat(reason, detail)"), qr/tls/, 'and it says why');
is(join(' ', map { s/ .*//r } $stub->commands), 'EHLO', 'not a word after the greeting');
for my $case ([ 'wrong_host', '', qr/tls/ ], [ 'stranger', '', qr/tls/ ], [ 'wrong_password', 535, qr/login_denied/ ])
{
	my ($name, $status, $words) = @$case;
	is(attempt(server => $name), join(' ', 'queued', $status || ()), "$name: tried again");
	like(note_of($last, "concat(reason, detail)"), $words, "$name: says why");
}
is(attempt(server => 'no_login', target => 'x@far.test'), 'dead rejected 550', 'who may not relay is no bad address');
is(attempt(server => 'no_login'), 'sent 250', 'without login, encrypted if offered');
like($relay->log, qr/P=esmtps .*id=@{[ $db->query("SELECT uid FROM automation.outgoing WHERE id = $last") ]}/, 'it was encrypted');
is(attempt(server => 'relay', target => 'nobody@example.test'), 'dead bad_recipient 550', 'a mailbox that is not there');
is(attempt(server => 'local'), 'queued', 'an address inside is not reached without leave');
like(note_of($last, "concat(reason, detail)"), qr/address_refused/, 'and it says why');

# --- a server that fails, at each command ---

for my $station (qw(connect ehlo mail rcpt data end))
{
	my $early = $station =~ /connect|ehlo/;
	for my $case ([ '451 4.3.0 later', 'queued 451' ], [ '554 5.3.0 never', $early ? 'queued 554' : 'dead rejected 554' ], [ 'drop', 'queued' ])
	{
		my ($answer, $expected) = @$case;
		$stub->forget;
		$stub->answer($station => $answer);
		$stub->answer(helo => $answer) if $station eq 'ehlo';
		$node->safe_psql('main', "SELECT automation.enable_server('stub')");
		is(attempt(server => 'stub', options => '{"class": "transactional"}'), $expected, "$station: $answer");
	}
}
for my $station (qw(connect mail data))
{
	$stub->forget;
	$stub->answer($station => 'hang');
	$node->safe_psql('main', "SELECT automation.enable_server('impatient')");
	is(attempt(server => 'impatient'), 'queued', "$station: hangs");
}
# replies a byte at a time, without an end, of a line that has none: they are given up
my $worker = $db->query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'automation delivery'");
my $rss = sub { my ($kb) = slurp_file("/proc/$worker/status") =~ /RssAnon:\s+(\d+) kB/; return $kb; };
my $kept = $rss->();
for my $answer ('drip 250 go on, but take your time', 'endless 250-more', 'flood')
{
	for my $station (qw(connect ehlo mail rcpt data end))
	{
		next if $station eq 'connect' && $answer =~ /endless/;
		$stub->forget;
		$stub->answer($station => $answer);
		$node->safe_psql('main', "SELECT automation.enable_server('impatient')");
		# the last reply may take ten minutes: who has said nothing yet may have taken the mail
		is(attempt(server => 'impatient', options => '{"class": "transactional"}'), "$station $answer" =~ /end drip/ ? 'sent 250' : 'queued', "$station: $answer");
	}
}
cmp_ok($rss->() - $kept, '<', 4096, 'and they leave no memory behind');
$stub->forget;
$stub->answer(end => 'drop');
$node->safe_psql('main', "SELECT automation.enable_server('stub')");
is(attempt(server => 'stub', options => '{"class": "marketing"}'), 'unknown connection_lost', 'no answer at the end: marketing is not sent again');

$stub->forget;
$stub->answer(end => '354 go on');
$node->safe_psql('main', "SELECT automation.enable_server('stub')");
is(attempt(server => 'stub', options => '{"class": "marketing"}'), 'unknown connection_lost 354', 'nor if the answer says neither yes nor no');

# sent again, it is the same mail
$stub->forget;
$stub->answer(end => 'drop', 'ok');
$node->safe_psql('main', "ALTER SERVER stub OPTIONS (SET schedule '1s, 1s'); SELECT automation.enable_server('stub')");
attempt(server => 'stub', options => '{"class": "transactional"}');
ok(wait_until($db, "SELECT state = 'sent' FROM automation.outgoing WHERE id = $last"), 'transactional is');
my @twice = $stub->mails;
is(scalar @twice, 2, 'the server has seen it twice');
is($twice[0]{data}, $twice[1]{data}, 'byte by byte the same');

# one refused copy
$stub->forget;
$stub->answer('rcpt bad@example.test' => '550 5.1.1 no');
is(attempt(server => 'stub', options => '{"class": "transactional", "cc": ["bad@example.test"], "bcc": ["good@example.test"]}'), 'sent 250', 'a copy that is refused');
is_deeply(($stub->mails)[0]{to}, [ "user$posted\@example.test", 'good@example.test' ], 'does not keep the others from theirs');
like($db->query("SELECT error FROM automation.outgoing WHERE id = $last"), qr/1 of 2/, 'and is counted');

# copies to whom nothing may be sent; advertisements only is another matter
$stub->forget;
$node->safe_psql('main', "SELECT automation.suppress('gone' || i || '\@example.test', class => NULL, for_owner => 'app') FROM generate_series(1, 2) i;"
	  . " SELECT automation.suppress('left\@example.test', for_owner => 'app')");
is(attempt(server => 'stub', options => '{"class": "transactional", "cc": ["Gone1@Example.test", "left@example.test"], "bcc": ["gone2@example.test"]}'), 'sent 250', 'copies to suppressed addresses');
is_deeply(($stub->mails)[0]{to}, [ "user$posted\@example.test", 'left@example.test' ], 'do not leave');
like(($stub->mails)[0]{data}, qr/^Cc: left\@example\.test\r$/m, 'and are not named');

# what sends ends while a mail is on its way: it is not sent again
$node->safe_psql('main', "ALTER SERVER stub OPTIONS (SET schedule '1s, 1s, 1s'); SELECT automation.enable_server('stub')");
my $flying = "SELECT count(*) = 1 FROM automation.outgoing m JOIN automation.inflight f USING (id) WHERE m.target = 'stays\@example.test'";
for my $case ([ 'manual', "SET SESSION AUTHORIZATION app; SELECT automation.unenroll('stays', p) FROM app.post p ORDER BY p.id DESC LIMIT 1" ],
	[ 'workflow_gone', 'DROP FUNCTION app.stays(app.post)' ])
{
	my ($reason, $sql) = @$case;

	$stub->forget;
	$stub->answer(data => 'wait');

	$db->query("INSERT INTO app.post (server, target, body, options) VALUES ('stub', 'stays\@example.test', 'x', '{\"class\": \"transactional\"}')");
	$node->safe_psql('main', 'SET SESSION AUTHORIZATION app; SELECT app.stays(p) FROM app.post p ORDER BY id DESC LIMIT 1');
	ok(wait_until($db, $flying), "$reason: a mail is on its way");
	$node->safe_psql('main', $sql);
	$stub->answer(data => '451 4.3.0 later');
	ok(wait_until($db, "SELECT state <> 'queued' FROM automation.outgoing WHERE target = 'stays\@example.test' ORDER BY id DESC LIMIT 1"), 'it ends');
	is($db->query("SELECT concat_ws(' ', state, reason, attempts) FROM automation.outgoing WHERE target = 'stays\@example.test' ORDER BY id DESC LIMIT 1"),
		"cancelled $reason 1", 'as what sent it did');
	is(scalar(my @attempts = grep { /^MAIL/ } $stub->commands), 1, 'after one attempt');
}

# who finds an old mail may still unsubscribe
$stub->forget;
$node->safe_psql('main', "SELECT automation.enable_server('stub')");
attempt(server => 'stub', target => 'Old@example.test', options => '{"class": "marketing"}');
my ($token) = ($stub->mails)[0]{data} =~ m{u\?t=([a-z0-9-]+)>};
$node->safe_psql('main', "CALL automation.advance('91 days')");
# the coordinator removes old messages every hour, and when it starts
$db->close;
$node->restart;
$db = AutomationTest::server_up($node, 'main', 'postgres');
ok(wait_until($db, "SELECT count(*) = 0 FROM automation.outgoing WHERE id = $last"), 'an old message is removed');
is($db->query("SELECT automation.unsubscribe('$token')"), 'unsubscribed', 'its link works');
is($db->query("SELECT automation.unsubscribe('$token')"), 'already_unsubscribed', 'once');
is($db->query("SELECT automation.suppressed('old\@example.test', for_owner => 'app')"), 'unsubscribed', 'and stops the next');

# no secret in the log
unlike(join('', grep { !/CREATE USER MAPPING/ } split /^/, slurp_file($node->logfile)), qr/'(?:secret|guess)'/, 'no password in the log');

$db->close;
$stub->stop;
$relay->stop;
$elsewhere->stop;
$node->stop;
done_testing();
