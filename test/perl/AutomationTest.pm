# What the TAP tests share: servers with the extension preloaded, and sessions
# that stay open.  Nothing here sleeps for a fixed time: everything polls for a
# state, with the patience of PG_TEST_TIMEOUT_DEFAULT.
package AutomationTest;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

our @EXPORT_OK = qw(new_server owner_database set_option wait_until wait_for_log server_up executor_pid process_lives children kill_process);

# A server that preloads the library, started.  Further lines of configuration
# come last, so they win.
sub new_server
{
	my ($name, $conf) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(allows_streaming => 1, extra => [ '-U', 'postgres' ]);
	$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'automation'
max_worker_processes = 24
max_prepared_transactions = 5
restart_after_crash = on
log_statement = none
});
	$node->append_conf('postgresql.conf', $conf) if $conf;
	$node->start;
	return $node;
}

# A database with the extension, and a role that may write workflows and owns
# the schema named after it.  Both may be there already.
sub owner_database
{
	my ($node, $database, $role, $script) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $database")
	  unless $node->safe_psql('postgres', "SELECT 1 FROM pg_database WHERE datname = '$database'");
	$node->safe_psql('postgres', "CREATE ROLE $role LOGIN")
	  unless $node->safe_psql('postgres', "SELECT 1 FROM pg_roles WHERE rolname = '$role'");
	$node->safe_psql($database, qq{
CREATE EXTENSION IF NOT EXISTS automation;
GRANT USAGE ON LANGUAGE workflow TO $role;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO $role;
CREATE SCHEMA $role AUTHORIZATION $role;
});
	$node->safe_psql($database, "SET SESSION AUTHORIZATION $role; SET search_path = $role;\n$script")
	  if $script;
	return;
}

# Has a setting of the server in force everywhere.
sub set_option
{
	my ($node, $session, $name, $value) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET $name = '$value'");
	$node->reload;
	wait_until($session, "SELECT current_setting('$name') = '$value'") or return 0;
	# the postmaster takes connections again when it has told all of its processes
	$node->safe_psql('postgres', 'SELECT 1');
	return 1;
}

# Asks until the answer is "t"; in a session, so that it costs no process.
# $seconds: patience; returns whether it came true.
sub wait_until
{
	my ($session, $query, $seconds) = @_;
	my $end = Time::HiRes::time() + ($seconds // $PostgreSQL::Test::Utils::timeout_default);

	while (Time::HiRes::time() < $end)
	{
		my $answer = $session->query($query);
		return 1 if defined $answer && $answer eq 't';
		return 0 unless $session->alive;
		# lets others have the processor
		Time::HiRes::usleep(2000);
	}
	diag("last answer to \"$query\": " . ($session->query($query) // 'none'));
	return 0;
}

# Waits until the server's log has a line, from a position on.
sub wait_for_log
{
	my ($node, $pattern, $position) = @_;
	my $end = Time::HiRes::time() + $PostgreSQL::Test::Utils::timeout_default;

	while (Time::HiRes::time() < $end)
	{
		return 1 if substr(slurp_file($node->logfile), $position // 0) =~ $pattern;
		Time::HiRes::usleep(10000);
	}
	return 0;
}

# Waits until the server takes connections; a new session, undef if it does not.
sub server_up
{
	my ($node, $database, $role) = @_;
	my $end = Time::HiRes::time() + $PostgreSQL::Test::Utils::timeout_default;

	while (Time::HiRes::time() < $end)
	{
		my $session = AutomationTest::Session->new($node, $database, $role);
		my $answer = $session->query('SELECT 1');
		return $session if defined $answer && $answer eq '1';
		$session->close;
		Time::HiRes::usleep(10000);
	}
	return;
}

# Process id of a role's executor in a database, as soon as it lives.
sub executor_pid
{
	my ($session, $role) = @_;
	my $query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'automation executor of $role'"
	  . " AND datname = current_database()";

	return unless wait_until($session, "SELECT count(*) = 1 FROM ($query) x");
	return $session->query($query);
}

# A zombie, whom nobody has reaped yet, is dead.
sub process_lives
{
	my ($pid) = @_;

	open my $file, '<', "/proc/$pid/stat" or return 0;
	my $stat = <$file> // '';
	close $file;
	return $stat =~ /\) [^ZX] [^)]*$/ ? 1 : 0;
}

# Ends a process of the server's that can't say anything any more; returns when its parent knows.
# Who connects from then on meets the server that has recovered, not the one that is about to fall.
sub kill_process
{
	my ($pid) = @_;
	my $end = Time::HiRes::time() + $PostgreSQL::Test::Utils::timeout_default;

	return 0 unless kill 'KILL', $pid;
	while (-e "/proc/$pid")
	{
		return 0 if Time::HiRes::time() > $end;
		Time::HiRes::usleep(1000);
	}
	return 1;
}

# Title of each child of a process, by its pid; for a server that takes no
# connections at the moment.
sub children
{
	my ($parent) = @_;
	my %title;

	open my $list, '<', "/proc/$parent/task/$parent/children" or return;
	for my $pid (split ' ', <$list> // '')
	{
		open my $file, '<', "/proc/$pid/cmdline" or next;
		my $line = <$file>;
		close $file;
		# what has no title yet is about to get one
		$title{$pid} = $line =~ s/\0.*//sr if defined $line && process_lives($pid);
	}
	close $list;
	return %title;
}

# A psql that stays open.
package AutomationTest::Session;

use strict;
use warnings;

use IPC::Run ();

my $count = 0;

sub new
{
	my ($class, $node, $database, $role) = @_;
	my $self = bless { in => '', out => '', pending => [] }, $class;
	my $connection = $node->connstr($database) . ' user=' . ($role // 'postgres');

	$connection =~ s/user=postgres$// unless $role;
	$self->{timer} = IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default * 4);
	$self->{harness} = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $connection, '-f', '-' ],
		'<', \$self->{in}, '>', \$self->{out}, '2>&1', $self->{timer});
	return $self;
}

# Sends statements without waiting for them.
sub send
{
	my ($self, $sql) = @_;
	my $mark = 'done-' . ++$count;

	$self->{in} .= "$sql\n;\\echo $mark\n";
	push @{ $self->{pending} }, $mark;
	eval { $self->{harness}->pump_nb; };
	return;
}

# Waits for everything sent; output of the last statement sent, undef if the
# session has died.
sub receive
{
	my ($self) = @_;
	my $answer;

	while (defined(my $mark = shift @{ $self->{pending} }))
	{
		until ($self->{out} =~ /^$mark\n/m)
		{
			return unless eval { $self->{harness}->pumpable } && eval { $self->{harness}->pump; 1 };
		}
		$self->{out} =~ s/\A(.*?)^$mark\n//ms;
		$answer = $1;
		chomp $answer;
	}
	return $answer;
}

# Is an answer to everything sent here already?
sub answered
{
	my ($self) = @_;

	return 1 unless @{ $self->{pending} };
	eval { $self->{harness}->pump_nb; };
	return $self->{out} =~ /^$self->{pending}[-1]\n/m;
}

sub query
{
	my ($self, $sql) = @_;

	$self->send($sql);
	return $self->receive;
}

sub alive
{
	my ($self) = @_;
	return eval { $self->{harness}->pumpable } ? 1 : 0;
}

sub pid
{
	my ($self) = @_;
	return $self->query('SELECT pg_backend_pid()');
}

sub close
{
	my ($self) = @_;

	$self->{in} .= "\\q\n";
	eval { $self->{harness}->finish; };
	eval { $self->{harness}->kill_kill; };
	return;
}

1;
