# Another session of the same role, which is in the way: it runs the engine or holds
# locks, and is cancelled, terminated, or ends by itself meanwhile.
package FuzzOther;

use strict;
use warnings;

use DBD::Pg ':async';
use DBI;
use Time::HiRes ();

# Longest that it may take to go away, in seconds.
use constant PATIENCE => 60;

# source: data source; user; invariant: whose superuser's session ends it.
sub new
{
	my ($class, $source, $user, $invariant) = @_;
	return bless { source => $source, user => $user, invariant => $invariant }, $class;
}

sub wait_for
{
	my ($dbh) = @_;
	my $end = Time::HiRes::time() + PATIENCE;

	while (!$dbh->pg_ready)
	{
		return { kind => 'hang', code => '57014', message => 'another session does not end', seconds => PATIENCE } if Time::HiRes::time() > $end;
		Time::HiRes::usleep(2000);
	}
	return;
}

# Does a fault (see FuzzPlan); here: callback for the statement of the session itself,
# whose time may pass while it waits for a lock.
# Returns findings.
sub fault
{
	my ($self, $fault, $path, $here) = @_;
	my $dbh = DBI->connect("dbi:Pg:$self->{source}", $self->{user}, '', { AutoCommit => 1, PrintError => 0, RaiseError => 0, PrintWarn => 0, pg_server_prepare => 0 })
	  or return { kind => 'crash', code => '', message => "no other session: $DBI::errstr" };
	my $pid = $dbh->selectrow_array('SELECT pg_backend_pid()');
	my @findings;

	$dbh->do("SET client_min_messages = error; SET search_path = $path; SET statement_timeout = '30s'");
	if ($fault->{here})
	{
		$dbh->do("BEGIN; $fault->{there}");
		push @findings, $here->($fault->{here});
		$self->end($fault->{end}, $pid, 5000) if $fault->{end} eq 'terminate';
		$dbh->do($fault->{end}) if $fault->{end} ne 'terminate';
	}
	else
	{
		$dbh->do($fault->{there}, { pg_async => PG_ASYNC });
		Time::HiRes::usleep(int(rand(15000)));
		$self->end($fault->{end}, $pid, 0);
		push @findings, wait_for($dbh);
		$dbh->pg_result unless @findings;
	}
	my $state = $dbh->state // '';
	push @findings, { kind => 'internal', code => $state, message => $dbh->errstr } if $state =~ /^XX/;
	$dbh->disconnect;
	# whose seat it had can be taken once it is gone
	$self->{invariant}->dbh->do("SELECT pg_terminate_backend($pid, 5000) FROM pg_stat_activity WHERE pid = $pid");
	return @findings;
}

sub end
{
	my ($self, $how, $pid, $patience) = @_;

	$self->{invariant}->dbh->do($how eq 'cancel' ? "SELECT pg_cancel_backend($pid)" : "SELECT pg_terminate_backend($pid, $patience)");
	return;
}

1;
