# Whoever dies, every message reaches its end: it is received at least once, every
# repetition has the same id, nothing is lost and nothing is resumed twice.  The
# receiver is nginx, which takes down the id of each request it answers and
# refuses some; the dead are the delivery worker, the executor, the coordinator
# and the postmaster.
#
# Processes are killed, not the machine: see 010_crash.pl.
#
# AUTOMATION_TEST_FULL=1: 100 deaths during 20,000 deliveries instead of 12 during
# 1,200.  AUTOMATION_TEST_SEED repeats the dice of a run.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);
use Victims;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $full = $ENV{AUTOMATION_TEST_FULL};
my $deaths = $full ? 100 : 12;
my $messages = $full ? 20000 : 1200;
my $patience = $PostgreSQL::Test::Utils::timeout_default;
my $seed = srand($ENV{AUTOMATION_TEST_SEED} // (time() * 1000) % 1000000);
note("seed $seed");

# --- the receiver ---

my $dir = PostgreSQL::Test::Utils::tempdir();
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $received = "$dir/received";
append_to_file("$dir/nginx.conf", qq{
daemon off;
pid $dir/nginx.pid;
error_log $dir/error.log;
worker_processes 1;
events { worker_connections 512; }
http {
	log_format ids '\$http_webhook_id \$status \$request_uri';
	access_log $received ids;
	client_body_temp_path $dir/body;
	proxy_temp_path $dir/proxy;
	fastcgi_temp_path $dir/fastcgi;
	uwsgi_temp_path $dir/uwsgi;
	scgi_temp_path $dir/scgi;
	split_clients "\$request_id" \$refused { 5% 1; * 0; }
	server {
		listen 127.0.0.1:$port;
		location / {
			if (\$refused) { return 503; }
			return 200 "{}";
		}
	}
}
});
my $nginx = IPC::Run::start([ 'nginx', '-e', "$dir/error.log", '-p', $dir, '-c', "$dir/nginx.conf" ]);

# --- the sender ---

my $node = new_server('crash', q{
log_min_messages = warning
autovacuum_naptime = 1s
automation.retry_delay = '20ms'
});
owner_database($node, 'work', 'app', q{
CREATE TABLE contact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ready boolean NOT NULL DEFAULT false);
CREATE TABLE effect (subject bigint, found boolean, state text);
CREATE FUNCTION tell(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT;
DECLARE
  reply automation.delivery;
BEGIN
  IF c.id % 4 = 0 THEN
    SEND ROW('http', 'peer', '/awaited/' || c.id, NULL, '{}', NULL, NULL)::automation.message INTO reply;
    INSERT INTO effect VALUES (c.id, FOUND, reply.state);
  ELSE
    SEND ROW('http', 'peer', '/sent/' || c.id, NULL, '{}', NULL, NULL)::automation.message;
  END IF;
END $$;
});
$node->safe_psql('work', qq{
CREATE SERVER peer TYPE 'http' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'http://127.0.0.1:$port', allow_private 'true', rate '0', concurrency '20', schedule '100ms, 100ms, 200ms, 200ms, 200ms, 500ms, 500ms, 500ms, 500ms, 500ms, 500ms, 500ms');
GRANT USAGE ON FOREIGN SERVER peer TO app;
});

# --- who dies ---

my $victims = Victims->new(node => $node, database => 'work', deaths => $deaths, rows => $messages, pause => 0.15,
	chances => [ postmaster => 0.15, delivery => 0.6, executor => 0.15, coordinator => 0.1 ],
	write => sub { return "SET ROLE app; INSERT INTO app.contact (ready) SELECT true FROM generate_series(1, $_[0]); RESET ROLE" },
	count => 'SELECT count(*) FROM app.contact');
my $session = $victims->happen;
is($victims->died, $deaths, $victims->killed);
is($victims->written, $messages, 'everything was written');

# --- all is over ---

# the last of the dead may take the session along a moment later
$session = $victims->steady($session);
ok(wait_until($session, "SELECT (SELECT count(*) FROM automation.outgoing) = $messages"
	  . " AND NOT EXISTS (SELECT FROM automation.outgoing WHERE state = 'queued')"
	  . " AND NOT EXISTS (SELECT FROM automation.enrollment)", $patience * 2), 'every message reached its end');
is($session->query("SELECT string_agg(state || ' ' || n, ', ' ORDER BY state) FROM (SELECT state, count(*) AS n FROM automation.outgoing GROUP BY 1) x"),
	"sent $messages", 'all are sent');
is($session->query('SELECT count(*) FROM automation.outgoing_due'), '0', 'none is due');
is($session->query('SELECT count(*) FROM automation.inflight'), '0', 'none is on its way');
is($session->query('SELECT count(*) FROM (SELECT enrollment FROM automation.outgoing GROUP BY 1 HAVING count(*) <> 1) x'), '0',
	'each subject sent one message');
is($session->query('SELECT count(*), count(DISTINCT subject), bool_and(found), min(state), max(state) FROM app.effect'),
	join('|', int($messages / 4), int($messages / 4), 't', 'sent', 'sent'), 'who waited went on once, and was told that it was sent');

my (%times, %answered, %ids, $malformed);

# nginx writes a line when it has answered: that of the last one may come after all is over here
sub read_received
{
	(%times, %answered, %ids, $malformed) = ();
	for my $line (map { /\n\z/ ? $_ : () } split /^/, slurp_file($received))
	{
		my ($id, $status, $path) = $line =~ m{^(msg_\w+) (\d+) (/\w+/\d+)$} or do { $malformed++; next };

		$times{$path}++;
		$answered{$path} = 1 if $status == 200;
		$ids{$path}{$id} = 1;
	}
	return scalar keys %answered;
}

my $until = time() + $patience;
usleep(100_000) while read_received() < $messages && time() < $until;
is($malformed // 0, 0, 'every request had an id');
is(scalar keys %answered, $messages, 'each was received, and accepted, at least once');
is(scalar(grep { keys %{ $ids{$_} } > 1 } keys %ids), 0, 'all repetitions have the same id');
my %known = map { $_ => 1 } split /\n/, $session->query('SELECT uid FROM automation.outgoing');
is(scalar(grep { !$known{$_} } map { keys %$_ } values %ids), 0, 'and it is the one in the outbox');
note('requests: ' . eval { my $n = 0; $n += $_ for values %times; $n } . " for $messages messages");

$session->close;
$node->stop('fast');
$nginx->signal('TERM');
$nginx->finish;
done_testing();
