# Foreign servers: dump and restore of servers and user mappings, in every form that
# pg_dump has; a file of secrets; what is in neither log nor errors.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database);
use HttpStub;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

$ENV{PGUSER} = 'postgres';

my $node = PostgreSQL::Test::Cluster->new('servers');
$node->init(extra => [ '-U', 'postgres' ]);
$node->append_conf('postgresql.conf', "fsync = off\nlog_statement = none\n");
$node->start;
my $directory = PostgreSQL::Test::Utils::tempdir;

# ---------------------------------------------------------------------------
# A file of secrets
# ---------------------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE source');
$node->safe_psql('source', 'CREATE EXTENSION automation; CREATE ROLE anna LOGIN; CREATE ROLE emil LOGIN;'
	  . 'GRANT USAGE ON FOREIGN DATA WRAPPER automation TO anna');

my $secret = 'whsec_' . 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3';

# Writes the file, creates a server with it, drops that; what was said about it.
sub said_of
{
	my ($content, $mode, $path) = @_;
	my ($stdout, $stderr);

	$path //= "$directory/secret";
	if (defined $content)
	{
		unlink $path;
		open my $file, '>:raw', $path or die "$path: $!";
		print $file $content;
		close $file;
		chmod $mode // 0600, $path or die "$path: $!";
	}
	$node->psql('source',
		"CREATE SERVER filed FOREIGN DATA WRAPPER automation OPTIONS (url 'https://filed.example.com', secret_file '$path'); DROP SERVER filed",
		stdout => \$stdout, stderr => \$stderr);
	return $stderr =~ /WARNING:  (.*)/ ? $1 : '';
}

my $prefix = 'nothing can be sent to server "filed" for now: ';
is(said_of("# comment\n\nsecret = $secret\n  header=X-Key: canary \r\nheader = X-Other: a=b\nbearer = canary"), '', 'a good file');
is(said_of('', 0600), '', 'an empty file has no credentials');
is(said_of('bearer = canary', 0640), $prefix . 'secret_file may be read by others: its mode must be 0600', 'mode 0640');
is(said_of('bearer = canary', 0604), $prefix . 'secret_file may be read by others: its mode must be 0600', 'mode 0604');
is(said_of("bearer = a\ncanary canary\n"), $prefix . 'line 2 of secret_file is not a credential in the form name = value', 'a line without =');
is(said_of("canary = canary\n"), $prefix . 'line 1 of secret_file is not a credential in the form name = value', 'a name that is none');
is(said_of("secret = canary\n"), $prefix . 'line 1 of secret_file is not a credential in the form name = value', 'a secret that is none');
is(said_of("header = Host: canary\n"), $prefix . 'line 1 of secret_file is not a credential in the form name = value', 'a header that is not allowed');
is(said_of("bearer = a\0canary\n"), $prefix . 'secret_file has a NUL in it', 'a NUL');
is(said_of("bearer = \xff\xfe\n"), $prefix . 'secret_file is not valid in the encoding of the database', 'bytes that are no characters');
is(said_of('#' x (64 * 1024 + 1)), $prefix . 'secret_file is larger than 64 kB', 'a large file');
is(said_of("bearer = canary\nuser = canary\n"), $prefix . 'there are both a bearer token and a user', 'a contradiction');
is(said_of(undef, undef, "$directory/none"), $prefix . 'secret_file does not exist', 'no file');
is(said_of(undef, undef, $directory), $prefix . 'secret_file is not a regular file', 'a directory');
is(said_of(undef, undef, '/dev/zero'), $prefix . 'secret_file is not a regular file', 'a device');
unlike(slurp_file($node->logfile), qr/canary/, 'nothing of it in the log');

# ---------------------------------------------------------------------------
# Dump and restore
# ---------------------------------------------------------------------------

my ($ret, $stdout, $stderr) = $node->psql('source', qq{
CREATE SERVER hooks TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com', rate '600/min', schedule '5s, 5min');
CREATE SERVER inside TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'http://10.0.0.1:8080', allow_private 'on', secret_file '$directory/gone');
CREATE SERVER mail TYPE 'smtp' FOREIGN DATA WRAPPER automation OPTIONS (url 'smtps://mail.example.com', "from" 'news\@example.com');
CREATE SERVER handed FOREIGN DATA WRAPPER automation OPTIONS (url 'http://10.0.0.1:9090', allow_private 'on');
ALTER SERVER handed OWNER TO anna;
SET SESSION AUTHORIZATION anna;
CREATE SERVER annas FOREIGN DATA WRAPPER automation OPTIONS (url 'https://anna.example.com');
GRANT USAGE ON FOREIGN SERVER annas TO emil;
RESET SESSION AUTHORIZATION;
COMMENT ON SERVER hooks IS 'of the customer';
GRANT USAGE ON FOREIGN SERVER hooks, mail TO emil;
CREATE USER MAPPING FOR PUBLIC SERVER hooks OPTIONS (secret '$secret', header E'X-A: it''s\\nX-B: \\\\');
CREATE USER MAPPING FOR emil SERVER annas OPTIONS (bearer 'token');
});
like($stderr, qr/WARNING:  option "allow_private" of server "handed" does not count any more/, 'a new owner is told');

my $contents = q{
SELECT s.srvname, s.srvtype, s.srvowner::regrole, s.srvacl, o.options, obj_description(s.oid, 'pg_foreign_server')
FROM pg_foreign_server s, LATERAL (SELECT array_agg(option ORDER BY option) AS options FROM unnest(s.srvoptions) option) o ORDER BY 1};
my $mappings = 'SELECT srvname, usename, (SELECT array_agg(option ORDER BY option) FROM unnest(umoptions) option) FROM pg_user_mappings ORDER BY 1, 2';
my $wrapper = 'SELECT fdwacl FROM pg_foreign_data_wrapper';
my %expected = map { $_ => $node->safe_psql('source', $_) } $contents, $mappings, $wrapper;
is(scalar(split /\n/, $expected{$contents}), 5, 'five servers');

my %dumps = (
	plain => sub { $node->command_ok([ 'pg_dump', '-f', "$directory/plain.sql", $node->connstr('source') ], 'dump as a script'); },
	custom => sub { $node->command_ok([ 'pg_dump', '-Fc', '-f', "$directory/custom", $node->connstr('source') ], 'dump as an archive'); },
	jobs => sub { $node->command_ok([ 'pg_dump', '-Fd', '-j2', '-f', "$directory/jobs", $node->connstr('source') ], 'dump with two jobs'); },
);
my %restores = (
	plain => sub { return ('psql', '-X', '-v', 'ON_ERROR_STOP=1', '-f', "$directory/plain.sql", $node->connstr($_[0])); },
	custom => sub { return ('pg_restore', '--exit-on-error', '-d', $node->connstr($_[0]), "$directory/custom"); },
	jobs => sub { return ('pg_restore', '--exit-on-error', '-j2', '-d', $node->connstr($_[0]), "$directory/jobs"); },
);
foreach my $form (sort keys %dumps)
{
	$dumps{$form}->();
	$node->safe_psql('postgres', "CREATE DATABASE copy_$form");
	my ($out, $err);
	ok(IPC::Run::run([ $restores{$form}->("copy_$form") ], '>', \$out, '2>', \$err), "restore of form $form") or diag($err);
	unlike($err, qr/WARNING|ERROR/, "$form: without warnings");
	foreach my $query (sort keys %expected)
	{
		is($node->safe_psql("copy_$form", $query), $expected{$query}, "$form: the same as before");
	}
	is($node->safe_psql("copy_$form", "SELECT server FROM automation.server_for('emil', 'https://hooks.example.com/x')"),
		'hooks', "$form: and it is found");
	is($node->safe_psql("copy_$form", q{SELECT count(*) FROM pg_foreign_server s, pg_extension e, pg_depend d
		WHERE d.refobjid = e.oid AND d.objid = s.oid AND e.extname = 'automation'}), '0', "$form: servers are the user's, not the extension's");
}
unlike(slurp_file($node->logfile), qr/\Q$secret\E/, 'the secret is not in the log');

$node->stop;

# ---------------------------------------------------------------------------
# What is sent: by the file, by the mapping of the owner, by that FOR PUBLIC; a secret path
# ---------------------------------------------------------------------------

my $stub = HttpStub->new(dir => $directory);
my $live = new_server('live', "automation.egress = on\n");
my $url = $stub->url;
open my $file, '>', "$directory/live" or die $!;
print $file "bearer = of-the-file\nheader = X-File: yes\n";
close $file;
chmod 0600, "$directory/live" or die $!;
owner_database($live, 'shop', 'app', '');
$live->safe_psql('shop', qq{
CREATE SERVER filed FOREIGN DATA WRAPPER automation OPTIONS (url '$url/filed', allow_private 'on', secret_file '$directory/live');
CREATE SERVER mapped FOREIGN DATA WRAPPER automation OPTIONS (url '$url/mapped', allow_private 'on', secret_file '$directory/live');
CREATE SERVER hidden FOREIGN DATA WRAPPER automation OPTIONS (url '$url', allow_private 'on');
CREATE USER MAPPING FOR PUBLIC SERVER mapped OPTIONS (bearer 'of-the-public');
CREATE USER MAPPING FOR app SERVER mapped OPTIONS (bearer 'of-the-owner', header 'X-Mapping: yes');
CREATE USER MAPPING FOR PUBLIC SERVER hidden OPTIONS (path '/hidden/canary');
GRANT USAGE ON FOREIGN SERVER filed, mapped, hidden TO app;
SET SESSION AUTHORIZATION app;
SET search_path = app;
CREATE TABLE visitor (id int PRIMARY KEY);
CREATE FUNCTION tell(v visitor) RETURNS bigint LANGUAGE workflow AS \$\$
  AFTER INSERT;
BEGIN
  SEND http_request('POST', '/x', '{}', server => 'filed');
  SEND http_request('POST', '/x', '{}', server => 'mapped');
  SEND http_request('POST', '/', '{}', server => 'hidden');
  SEND http_request('POST', '/elsewhere', '{}', server => 'hidden');
END \$\$;
INSERT INTO visitor VALUES (1);
});
$stub->wait_for(3);
my ($filed) = $stub->requests('/filed/x');
is($filed->{headers}{authorization}, 'Bearer of-the-file', 'credentials of the file');
is($filed->{headers}{'x-file'}, 'yes', 'and its header');
my ($mapped) = $stub->requests('/mapped/x');
is($mapped->{headers}{authorization}, 'Bearer of-the-owner', 'what the mapping of the owner says goes before that FOR PUBLIC and the file');
is($mapped->{headers}{'x-mapping'} . $mapped->{headers}{'x-file'}, 'yesyes', 'headers of both');
my ($hidden) = $stub->requests('/hidden/canary');
is($hidden->{method}, 'POST', 'the secret path is sent to');
ok($live->poll_query_until('shop', q{SELECT count(*) = 3 FROM automation.outgoing WHERE state = 'sent'}), 'all three are sent');
# the fourth names another path than the secret one
ok($live->poll_query_until('shop', q{SELECT count(*) = 1 FROM automation.outgoing WHERE state = 'dead'}), 'and the other is not');
is($live->safe_psql('shop', q{SELECT string_agg(o::text, '') ~ 'canary' FROM automation.outgoing o}), 'f', 'the secret path is in no message');
is($stub->count, 3, 'nothing is sent past the secret path');

$live->stop;
$stub->stop;
done_testing();
