# A small SMTP server on loopback for tests, which fails as it is told: refuses a command,
# hangs, hangs up, before the end of a message or after it.  It knows no TLS: for that
# there is a real one (MailServer).
#
#   my $stub = SmtpStub->new(dir => $directory, extensions => [ 'SIZE 1000000' ]);
#   $stub->answer(rcpt => '451 later', 'ok');         # the first time, from the second time on
#   $stub->answer('rcpt nobody@example.test' => '550 5.1.1 no such mailbox');
#   ... something sends mail to $stub->url ...
#   my ($mail) = $stub->mails;                        # { from, to => [ ... ], data => bytes as they came }
#   $stub->stop;
#
# Stations are connect, ehlo, helo, starttls, mail, rcpt, data and end (of the message).  An answer
# is a reply without its line end; 'ok': what one would say; 'hang': nothing, for good; 'wait': nothing
# until the station is told something else, then that; 'drip REPLY': a byte of it every half second;
# 'endless REPLY': that one, which is to go on (250-...), again and again; 'flood': bytes without an end of
# line, for good; 'drop': the connection is closed without a reply; at data 'drop half': closed when the first bytes of
# the message have come.  Several answers are used one after the other, the last one for good.
#
# What arrived and what was taken down is one line of a file each, written before the answer.
# Every connection has a process; all end by stop(), with the process that made the stub, or after
# an hour.
package SmtpStub;

use strict;
use warnings;

use Fcntl qw(:flock);
use IO::Socket::IP;
use JSON::PP ();
use POSIX ();
use Time::HiRes ();

my $json = JSON::PP->new->canonical->latin1;
my %usual = (
	connect => '220 stub.example.test ESMTP',
	helo => '250 stub.example.test',
	starttls => '454 no TLS here',
	mail => '250 sender ok',
	rcpt => '250 recipient ok',
	data => '354 go on',
	end => '250 2.0.0 Ok: queued as STUB4711',
	rset => '250 ok',
	quit => '221 bye');

sub new
{
	my ($class, %option) = @_;
	my $listener = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Proto => 'tcp', Listen => 100, ReuseAddr => 1)
	  or die "no socket: $@";
	my $port = $listener->sockport;
	my $self = bless {
		port => $port,
		log => "$option{dir}/smtp_stub_$port.log",
		rules => "$option{dir}/smtp_stub_$port.answers",
		answers => {},
		extensions => $option{extensions} // ['SIZE 10000000'],
		maker => $$ }, $class;

	open my $log, '>', $self->{log} or die "$self->{log}: $!";
	close $log;
	$self->tell;
	my $pid = fork // die "no process: $!";
	if ($pid == 0)
	{
		setpgrp 0, 0;
		eval { $self->serve($listener); };
		print STDERR "SmtpStub: $@" if $@;
		# nothing of the test's is to be run here
		POSIX::_exit(0);
	}
	$self->{pid} = $pid;
	return $self;
}

sub port { return $_[0]->{port}; }
sub url { return "smtp://127.0.0.1:$_[0]->{port}"; }

sub answer
{
	my ($self, $station, @answers) = @_;

	$self->{answers}{$station} = \@answers;
	$self->tell;
	return;
}

# What came is forgotten, and so is how often a station has answered.
sub forget
{
	my ($self) = @_;

	$self->{answers} = {};
	$self->tell;
	truncate $self->{log}, 0 or die "$self->{log}: $!";
	return;
}

sub tell
{
	my ($self) = @_;

	open my $file, '>', "$self->{rules}.new" or die "$self->{rules}: $!";
	print $file $json->encode($self->{answers});
	close $file or die "$self->{rules}: $!";
	rename "$self->{rules}.new", $self->{rules} or die "$self->{rules}: $!";
	return;
}

sub entries
{
	my ($self) = @_;

	open my $file, '<:raw', $self->{log} or die "$self->{log}: $!";
	my @lines = grep { /\n\z/ } <$file>;
	close $file;
	return map { $json->decode($_) } @lines;
}

# Mails that came to their end, whatever was answered then.
sub mails
{
	my ($self) = @_;
	return map { $_->{mail} } grep { $_->{mail} } $self->entries;
}

# Command lines, as they came.
sub commands
{
	my ($self) = @_;
	return map { $_->{line} } grep { defined $_->{line} } $self->entries;
}

sub stop
{
	my ($self) = @_;

	return if !$self->{pid} || $self->{maker} != $$;
	# the server and its connections
	kill 'TERM', -$self->{pid};
	local $?;
	waitpid $self->{pid}, 0;
	delete $self->{pid};
	return;
}

sub DESTROY
{
	my ($self) = @_;
	$self->stop;
	return;
}

# --- in the server's process ---

sub serve
{
	my ($self, $listener) = @_;
	my $end = Time::HiRes::time() + 3600;

	$SIG{TERM} = 'DEFAULT';
	$SIG{CHLD} = 'IGNORE';
	$listener->blocking(0);
	while (Time::HiRes::time() < $end && getppid() == $self->{maker})
	{
		my $ready = '';
		vec($ready, fileno $listener, 1) = 1;
		next unless select($ready, undef, undef, 1) > 0;
		my $socket = $listener->accept or next;
		my $pid = fork // next;
		if ($pid == 0)
		{
			close $listener;
			$socket->blocking(1);
			alarm 3600;
			eval { $self->converse($socket); };
			POSIX::_exit(0);
		}
		close $socket;
	}
	return;
}

# Takes an entry down; how many there were of its station before.
sub take_down
{
	my ($self, $entry) = @_;

	open my $log, '+>>:raw', $self->{log} or die "$self->{log}: $!";
	flock $log, LOCK_EX or die "$self->{log}: $!";
	seek $log, 0, 0;
	my $before = grep { $json->decode($_)->{station} eq $entry->{station} } <$log>;
	$log->autoflush(1);
	print $log $json->encode($entry) . "\n";
	close $log;
	return $before;
}

# What is to be said the next time at a station, which has several names.
sub told
{
	my ($self, $before, @names) = @_;

	open my $file, '<', $self->{rules} or die "$self->{rules}: $!";
	my $rules = $json->decode(do { local $/; <$file> });
	close $file;
	my ($answers) = grep { defined } map { $rules->{$_} } @names;
	return $answers ? $answers->[ $before < @$answers ? $before : -1 ] : 'ok';
}

# What to say at a station; ends the connection if that is to be.
sub reply
{
	my ($self, $socket, $usual, $entry, @names) = @_;
	my $before = $self->take_down($entry);

	my $answer;

	Time::HiRes::usleep(10000) while ($answer = $self->told($before, @names, $entry->{station})) eq 'wait';
	sleep 1000 if $answer eq 'hang';
	POSIX::_exit(0) if $answer eq 'drop';
	return $answer if $answer eq 'drop half';
	$answer = $usual if $answer eq 'ok';
	if ($answer =~ s/^drip //)
	{
		for my $byte (split //, "$answer\r\n")
		{
			syswrite $socket, $byte;
			Time::HiRes::usleep(500_000);
		}
		return $answer;
	}
	if ($answer =~ s/^endless (.*)|^flood$//)
	{
		my $part = defined $1 ? "$1\r\n" x 1000 : 'x' x 65536;
		# ends with the connection
		1 while syswrite $socket, $part;
		POSIX::_exit(0);
	}
	syswrite $socket, "$answer\r\n";
	return $answer;
}

sub converse
{
	my ($self, $socket) = @_;
	my ($from, @to);

	binmode $socket;
	my $first = $self->reply($socket, $usual{connect}, { station => 'connect' });
	return unless $first =~ /^2/;
	while (defined(my $line = <$socket>))
	{
		$line =~ s/\r\n\z//;
		my $station = lc($line =~ s/[ :].*//sr);
		my @names = $station eq 'rcpt' && $line =~ /<(.*)>/ ? "rcpt $1" : ();
		my $usual = $station eq 'ehlo' ? $self->greeting : $usual{$station} // '500 what?';
		my $answer = $self->reply($socket, $usual, { station => $station, line => $line }, @names);

		return if $station eq 'quit';
		($from, @to) = ($1) if $station eq 'mail' && $answer =~ /^2/ && $line =~ /<(.*?)>/;
		push @to, $1 if $station eq 'rcpt' && $answer =~ /^2/ && $line =~ /<(.*?)>/;
		next unless $station eq 'data' && $answer =~ /^(?:354|drop half)/;
		my $data = $self->read_message($socket, $answer eq 'drop half');
		$self->reply($socket, $usual{end}, { station => 'end', mail => { from => $from, to => [@to], data => $data } });
	}
	return;
}

sub greeting
{
	my ($self) = @_;
	my @lines = ('stub.example.test', @{ $self->{extensions} });
	my $last = pop @lines;
	return join('', map { "250-$_\r\n" } @lines) . "250 $last";
}

# As RFC 5321 ends a message and not otherwise; dots are left as they came.
sub read_message
{
	my ($self, $socket, $half) = @_;
	my $data = '';

	if ($half)
	{
		syswrite $socket, "$usual{data}\r\n";
		sysread $socket, $data, 1;
		POSIX::_exit(0);
	}
	while (defined(my $line = <$socket>))
	{
		$data .= $line;
		return $1 if $data =~ /\A(|.*\r\n)\.\r\n\z/s;
	}
	POSIX::_exit(0);
}

1;
