# Deaths while work goes on: for the tests in which processes of a server are killed again and
# again, and the postmaster too, while rows are written.
#
#   my $victims = Victims->new(node => $node, database => 'work', deaths => 12, rows => 1200, pause => 0.15,
#       chances => [ postmaster => 0.15, delivery => 0.6, executor => 0.25 ],
#       write => sub { my ($n) = @_; return 'INSERT ...' }, count => 'SELECT count(*) FROM ...');
#   my $session = $victims->happen;              # of a superuser; undef if the server did not come back
#   is($victims->died, 12, $victims->killed);
#   is($victims->written, 1200);
#   $session = $victims->steady($session);       # when the last of the dead takes nobody along any more
#
# chances: kinds of processes as their titles say ("automation delivery"), and how often one of each
# is to die; they sum up to 1.  write: statement that writes so many rows, in one transaction: they are
# there or not, which is looked up after a crash.  pause: seconds at most between two deaths.
#
# The dice are Perl's: srand() before repeats a run.
package Victims;

use strict;
use warnings;

use AutomationTest qw(children kill_process process_lives server_up);
use PostgreSQL::Test::Utils;
use Time::HiRes ();

sub new
{
	my ($class, %option) = @_;
	return bless { %option, patience => $PostgreSQL::Test::Utils::timeout_default, died => 0, written => 0, killed => {} }, $class;
}

sub died { return $_[0]{died}; }
sub written { return $_[0]{written}; }

# Who died, in words.
sub killed
{
	my ($self) = @_;
	return 'so many died: ' . join(', ', map { "$_ $self->{killed}{$_}" } sort keys %{ $self->{killed} });
}

sub postmaster
{
	my ($self) = @_;

	open my $file, '<', $self->{node}->data_dir . '/postmaster.pid' or return 0;
	my $line = <$file> // '';
	close $file;
	return $line =~ /^(\d+)/ && process_lives($1) ? $1 : 0;
}

# Kind and pid of who dies next; nothing if there is no such process.
sub next_victim
{
	my ($self) = @_;
	my $die = rand;
	my @chances = @{ $self->{chances} };
	my $postmaster = $self->postmaster or return;
	my $kind;

	while (my ($next, $chance) = splice @chances, 0, 2)
	{
		$kind = $next;
		last if ($die -= $chance) < 0;
	}
	return ($kind, $postmaster) if $kind eq 'postmaster';
	my %title = children($postmaster);
	my ($pid) = grep { $title{$_} =~ /automation \Q$kind\E/ } keys %title;
	return $pid ? ($kind, $pid) : ();
}

sub start_again
{
	my ($self) = @_;
	my $end = Time::HiRes::time() + $self->{patience};

	# the dead one's children leave by themselves
	while (Time::HiRes::time() < $end)
	{
		$self->{node}{_pid} = undef;
		return 1 if $self->{node}->start(fail_ok => 1);
		Time::HiRes::usleep(100_000);
	}
	return 0;
}

# One dies; returns whether the server can go on.
sub kill_one
{
	my ($self, $session) = @_;
	my ($kind, $pid) = $self->next_victim;

	return 1 unless $pid && ($kind eq 'postmaster' ? kill('KILL', $pid) : kill_process($pid));
	$self->{died}++;
	$self->{killed}{$kind}++;
	return 1 if $kind ne 'postmaster';
	$session->close;
	return $self->start_again;
}

# All deaths, and everything written.
sub happen
{
	my ($self) = @_;
	my $session = server_up($self->{node}, $self->{database}, 'postgres');
	my $rows = int($self->{rows} / $self->{deaths});
	my $end = Time::HiRes::time() + $self->{patience} * 3;

	while (($self->{died} < $self->{deaths} || $self->{written} < $self->{rows}) && Time::HiRes::time() < $end)
	{
		my $left = $self->{rows} - $self->{written};

		$session->query($self->{write}->($rows < $left ? $rows : $left)) if $left > 0;
		Time::HiRes::usleep(int(rand($self->{pause} * 1e6)));
		$self->kill_one($session) or return if $self->{died} < $self->{deaths};
		unless (defined $session->query('SELECT 1'))
		{
			$session->close;
			$session = server_up($self->{node}, $self->{database}, 'postgres') or return;
		}
		$self->{written} = $session->query($self->{count}) // $self->{written};
	}
	return $session;
}

# A session that has answered for as long as a crash takes to reach it; undef: there is none.
sub steady
{
	my ($self, $session) = @_;
	my $until = Time::HiRes::time() + 1;

	while ($session && Time::HiRes::time() < $until)
	{
		unless (defined $session->query('SELECT 1'))
		{
			$session->close;
			$session = server_up($self->{node}, $self->{database}, 'postgres');
			$until = Time::HiRes::time() + 1;
		}
		Time::HiRes::usleep(20_000);
	}
	return $session;
}

1;
