# A small HTTP/1.1 server on loopback for tests: takes down every request it gets and
# answers as it is told, badly too.
#
#   my $stub = HttpStub->new(dir => $directory);       # listens at once; or port => ..., host => '::1'
#   $stub->answer('/path', { status => 500 }, { status => 200, body => 'ok' });
#   ... something sends requests to $stub->url . '/path' ...
#   $stub->wait_for(2);                                # patience of PG_TEST_TIMEOUT_DEFAULT
#   my ($first, $second) = $stub->requests('/path');
#   is($first->{headers}{'content-type'}, 'application/json');
#   $stub->stop;
#
# A request is { number, connection, at, method, target (as it came), path (without the
# query), query, headers (names in lower case; what came twice is joined by ", "),
# body (bytes) }.  It is taken down when its body is there and before it is answered.
#
# The answers of a path are used one after the other, the last one for good; those of
# the path '*' are for all that have none; without any the answer is 200 and empty.  Keys
# of an answer:
#   status   number, 200 if not given
#   headers  { name => value }, a list of values makes several lines
#   body     bytes; or size => n: so many bytes of "x"
#   length   Content-Length to claim, if it is to be a lie; chunked => 1: none, but chunks
#   delay    seconds before the answer begins
#   drip     seconds between one byte and the next, from the status line on
#   hang     1: never answers, but keeps the connection
#   endless  bytes that are sent again and again, for good, in place of an answer, or behind what is given as start
#   wait     1: answers when the path is told another answer, with that
#   close    1: closes the connection after the answer
#   drop     'body': once the request is there it resets the connection without an answer;
#            'head': as soon as the head is there, before the body is read (and not taken
#            down); 'answer': in the middle of the answer
#
# The server is one process with one loop.  It ends by stop(), and by itself when the
# process that made it is gone, or after `life` seconds (900 if not given).
package HttpStub;

use strict;
use warnings;

use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use IO::Socket::IP;
use JSON::PP ();
use MIME::Base64 ();
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER SO_REUSEADDR);
use Time::HiRes ();

my $max_head = 256 * 1024;
my $max_body = 64 * 1024 * 1024;
my $json = JSON::PP->new->canonical->utf8;

# dir: of a directory for its two files; host: 127.0.0.1 if not given; port: a free one if not given;
# answers: { path => [ answer, ... ] }.
sub new
{
	my ($class, %option) = @_;
	my $host = $option{host} // '127.0.0.1';
	my $listener = IO::Socket::IP->new(
		LocalHost => $host,
		LocalPort => $option{port} // 0,
		Proto => 'tcp',
		Listen => 512,
		ReuseAddr => 1) or die "no socket on $host: $@";
	my $self = bless {
		host => $host,
		port => $listener->sockport,
		log => "$option{dir}/http_stub_" . $listener->sockport . '.log',
		rules => "$option{dir}/http_stub_" . $listener->sockport . '.answers',
		answers => $option{answers} // {},
		edition => 0,
		life => $option{life} // 900,
		maker => $$ }, $class;

	open my $log, '>', $self->{log} or die "$self->{log}: $!";
	close $log;
	$self->tell;
	pipe my $parent_lives, my $parent_end or die "no pipe: $!";
	my $pid = fork // die "no process: $!";
	if ($pid == 0)
	{
		close $parent_end;
		eval { HttpStub::Loop->new($self, $listener, $parent_lives)->run; };
		print STDERR "HttpStub: $@" if $@;
		# nothing of the test's is to be run, or printed, here
		POSIX::_exit(0);
	}
	close $parent_lives;
	close $listener;
	$self->{pid} = $pid;
	$self->{end} = $parent_end;
	return $self;
}

sub port { return $_[0]->{port}; }
sub pid { return $_[0]->{pid}; }

sub url
{
	my ($self) = @_;
	my $host = $self->{host} =~ /:/ ? "[$self->{host}]" : $self->{host};
	return "http://$host:$self->{port}";
}

# From the next request on the path is answered so.
sub answer
{
	my ($self, $path, @answers) = @_;

	$self->{answers}{$path} = \@answers;
	$self->tell;
	return;
}

# Writes the answers where the server looks for them: before each answer, so what was
# told before a request was sent counts for it.
sub tell
{
	my ($self) = @_;
	my $new = "$self->{rules}.new";

	# bytes, whatever they are
	my %coded = map {
		my $path = $_;
		$path => [ map { { %$_, defined $_->{body} ? (body => MIME::Base64::encode_base64($_->{body}, '')) : () } }
			  @{ $self->{answers}{$path} } ]
	} keys %{ $self->{answers} };
	open my $file, '>', $new or die "$new: $!";
	print $file $json->encode({ edition => ++$self->{edition}, answers => \%coded });
	close $file or die "$new: $!";
	rename $new, $self->{rules} or die "$self->{rules}: $!";
	return;
}

# What came so far, in order; of one path, or of all.
sub requests
{
	my ($self, $path) = @_;
	my @requests;

	open my $file, '<', $self->{log} or die "$self->{log}: $!";
	while (my $line = <$file>)
	{
		# the last line may be in the middle of being written
		last unless $line =~ /\n\z/;
		my $request = $json->decode($line);
		$request->{body} = MIME::Base64::decode_base64($request->{body});
		push @requests, $request if !defined $path || $request->{path} eq $path;
	}
	close $file;
	return @requests;
}

# How many came; cheaper than to read them.
sub count
{
	my ($self) = @_;
	my $count = 0;

	open my $file, '<', $self->{log} or die "$self->{log}: $!";
	$count += tr/\n// while <$file>;
	close $file;
	return $count;
}

# Waits until so many came; returns whether they did.
sub wait_for
{
	my ($self, $count, $path, $seconds) = @_;
	my $end = Time::HiRes::time() + ($seconds // $ENV{PG_TEST_TIMEOUT_DEFAULT} // 60);

	while (Time::HiRes::time() < $end)
	{
		return 1 if (defined $path ? scalar(my @r = $self->requests($path)) : $self->count) >= $count;
		Time::HiRes::usleep(5000);
	}
	return 0;
}

# Forgets what came.
sub forget
{
	my ($self) = @_;

	# the server appends: nothing else is to be done
	truncate $self->{log}, 0 or die "$self->{log}: $!";
	return;
}

sub stop
{
	my ($self) = @_;

	return if !$self->{pid} || $self->{maker} != $$;
	kill 'TERM', $self->{pid};
	local $?;
	waitpid $self->{pid}, 0;
	delete $self->{pid};
	close $self->{end};
	unlink $self->{rules};
	return;
}

sub DESTROY
{
	my ($self) = @_;
	$self->stop;
	return;
}

# The server's process.
package HttpStub::Loop;

use strict;
use warnings;

use IO::Select;
use Socket qw(SOL_SOCKET SO_LINGER);

sub new
{
	my ($class, $stub, $listener, $parent) = @_;

	open my $log, '>>', $stub->{log} or die "$stub->{log}: $!";
	$log->autoflush(1);
	$listener->blocking(0);
	return bless {
		%$stub,
		listener => $listener,
		parent => $parent,
		file => $log,
		connections => {},
		accepted => 0,
		taken => 0,
		used => {},
		loaded => 0 }, $class;
}

sub run
{
	my ($self) = @_;
	my $end = Time::HiRes::time() + $self->{life};

	$SIG{TERM} = sub { POSIX::_exit(0); };
	$SIG{PIPE} = 'IGNORE';
	$SIG{INT} = 'DEFAULT';
	while (Time::HiRes::time() < $end)
	{
		my @connections = values %{ $self->{connections} };
		my $now = Time::HiRes::time();
		my $readers = IO::Select->new($self->{listener}, $self->{parent}, map { $_->{socket} } @connections);
		my $writers = IO::Select->new(map { $_->{socket} } grep { length $_->{out} && $_->{from} <= $now } @connections);
		my $patience = 1;

		for my $c (@connections)
		{
			$patience = 0.05 if $c->{waiting} && $patience > 0.05;
			next unless length $c->{out} && $c->{from} > $now;
			$patience = $c->{from} - $now if $c->{from} - $now < $patience;
		}
		$self->look_again($_) for grep { $_->{waiting} } @connections;
		my ($readable, $writable) = IO::Select::select($readers, $writers, undef, $patience);
		for my $socket (@{ $readable // [] })
		{
			# its end has come when nobody is there to hold it
			return if $socket == $self->{parent};
			if ($socket == $self->{listener}) { $self->take_in; next; }
			my $c = $self->{connections}{ fileno $socket };
			$self->read_from($c) if $c;
		}
		for my $socket (@{ $writable // [] })
		{
			my $no = fileno $socket;
			my $c = defined $no ? $self->{connections}{$no} : undef;
			$self->write_to($c) if $c;
		}
	}
	return;
}

sub take_in
{
	my ($self) = @_;

	while (my $socket = $self->{listener}->accept)
	{
		$socket->blocking(0);
		$self->{connections}{ fileno $socket } = {
			socket => $socket,
			number => ++$self->{accepted},
			in => '',
			out => '',
			from => 0,
			after => '' };
	}
	return;
}

sub end
{
	my ($self, $c, $reset) = @_;

	setsockopt $c->{socket}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0) if $reset;
	delete $self->{connections}{ fileno $c->{socket} };
	close $c->{socket};
	return;
}

sub read_from
{
	my ($self, $c) = @_;
	my $got = sysread $c->{socket}, $c->{in}, 256 * 1024, length $c->{in};

	return if !defined $got && ($!{EAGAIN} || $!{EINTR});
	return $self->end($c) unless $got;
	# one answer after the other
	$self->serve($c) unless length $c->{out} || $c->{hung} || $c->{waiting};
	return;
}

# Takes the next request from what was read, if it is whole.
sub serve
{
	my ($self, $c) = @_;
	my $head_end = index $c->{in}, "\r\n\r\n";

	if ($head_end < 0)
	{
		$self->end($c) if length $c->{in} > $max_head;
		return;
	}
	my $request = parse_head(substr $c->{in}, 0, $head_end);
	return $self->reply($c, { status => 400, close => 1 }) unless $request;
	my $answer = $self->choose($request->{path}, 1);
	return $self->end($c, 1) if ($answer->{drop} // '') eq 'head' && $self->choose($request->{path});
	if (lc($request->{headers}{expect} // '') eq '100-continue' && !$c->{continued})
	{
		$c->{continued} = 1;
		syswrite $c->{socket}, "HTTP/1.1 100 Continue\r\n\r\n";
	}
	my ($body, $length) = take_body($request, substr $c->{in}, $head_end + 4);
	return $self->reply($c, { status => 413, close => 1 }) if $length > $max_body;
	return unless defined $body;
	substr $c->{in}, 0, $head_end + 4 + $length, '';
	delete $c->{continued};
	$answer = $self->choose($request->{path});
	$self->take_down($c, $request, $body);
	$answer = { %$answer, close => 1 } if lc($request->{headers}{connection} // '') eq 'close';
	$self->reply($c, $answer, $request);
	return;
}

# Of one that waits: has its path been told another answer?
sub look_again
{
	my ($self, $c) = @_;
	my $request = $c->{waiting};

	return if $self->choose($request->{path}, 1)->{wait};
	delete $c->{waiting};
	$self->reply($c, $self->choose($request->{path}), $request);
	return;
}

sub parse_head
{
	my ($head) = @_;
	my ($first, @lines) = split /\r\n/, $head;
	my ($method, $target) = ($first // '') =~ m{\A(\S+) (\S+) HTTP/1\.[01]\z} or return;
	my %headers;

	for my $line (@lines)
	{
		my ($name, $value) = $line =~ /\A([^:\s]+):[ \t]*(.*?)[ \t]*\z/s or return;
		$name = lc $name;
		$headers{$name} = exists $headers{$name} ? "$headers{$name}, $value" : $value;
	}
	my ($path, $query) = split /\?/, $target, 2;
	return { method => $method, target => $target, path => $path, query => $query, headers => \%headers };
}

# The body and how many bytes it took; undefined: there is more to come.
sub take_body
{
	my ($request, $rest) = @_;
	my $body = '';
	my $at = 0;

	if (lc($request->{headers}{'transfer-encoding'} // '') ne 'chunked')
	{
		my $length = $request->{headers}{'content-length'} // 0;
		return (length $rest < $length ? undef : substr($rest, 0, $length), $length);
	}
	while (substr($rest, $at) =~ /\A([0-9A-Fa-f]{1,8})[^\r\n]*\r\n/)
	{
		my ($head, $size) = (length $&, hex $1);
		return (undef, $max_body + 1) if length($body) + $size > $max_body;
		return (undef, 0) if length $rest < $at + $head + $size + 2;
		$body .= substr $rest, $at + $head, $size;
		$at += $head + $size + 2;
		return ($body, $at) if $size == 0;
	}
	return (undef, 0);
}

sub take_down
{
	my ($self, $c, $request, $body) = @_;

	# in one write, and only at the end of the file
	syswrite $self->{file}, $json->encode({
		%$request,
		number => ++$self->{taken},
		connection => $c->{number},
		at => Time::HiRes::time(),
		body => MIME::Base64::encode_base64($body, '') }) . "\n";
	return;
}

# What a request to the path gets; with $look nothing is used up.
sub choose
{
	my ($self, $path, $look) = @_;

	open my $file, '<', $self->{rules} or return {};
	my $told = $json->decode(do { local $/ = undef; <$file> });
	close $file;
	for my $key ($path, '*')
	{
		my $answers = $told->{answers}{$key} or next;
		next unless @$answers;
		# a path's answers begin anew when it is told new ones
		my $text = $json->encode($answers);
		$self->{used}{$key} = { text => $text, next => 0 } if ($self->{used}{$key}{text} // '') ne $text;
		my $used = $self->{used}{$key};
		my $answer = $answers->[ $used->{next} < @$answers ? $used->{next} : -1 ];
		$used->{next}++ unless $look;
		return $answer;
	}
	return {};
}

sub reply
{
	my ($self, $c, $answer, $request) = @_;
	my $method = $request->{method};
	my $status = $answer->{status} // 200;
	my $drop = $answer->{drop} // '';
	my $body = defined $answer->{body} ? MIME::Base64::decode_base64($answer->{body}) : 'x' x ($answer->{size} // 0);
	my $out = "HTTP/1.1 $status Told\r\n";

	return $self->end($c, 1) if $drop eq 'body' || $drop eq 'head';
	if ($answer->{wait})
	{
		$c->{waiting} = $request;
		return;
	}
	if ($answer->{hang})
	{
		$c->{hung} = 1;
		return;
	}
	$c->{endless} = defined $answer->{endless} ? $answer->{endless} x (1 + 65536 / length $answer->{endless}) : undef;
	for my $name (sort keys %{ $answer->{headers} // {} })
	{
		my $value = $answer->{headers}{$name};
		$out .= "$name: $_\r\n" for ref $value ? @$value : ($value);
	}
	if ($answer->{chunked})
	{
		$out .= "Transfer-Encoding: chunked\r\n";
		$body = sprintf("%x\r\n%s\r\n", length $body, $body) if length $body;
		$body .= "0\r\n\r\n";
	}
	elsif ($status != 204 && $status != 304)
	{
		$out .= 'Content-Length: ' . ($answer->{length} // length $body) . "\r\n";
	}
	$out .= "Connection: close\r\n" if $answer->{close};
	$out .= "\r\n";
	$out .= $body unless ($method // '') eq 'HEAD' || $status == 204 || $status == 304;
	$c->{out} = defined $c->{endless} ? ($answer->{start} // '') . $c->{endless} : $drop eq 'answer' ? substr($out, 0, length($out) / 2) : $out;
	$c->{after} = $drop eq 'answer' ? 'reset' : $answer->{close} ? 'close' : '';
	$c->{drip} = $answer->{drip};
	$c->{from} = Time::HiRes::time() + ($answer->{delay} // 0);
	$self->write_to($c) if $c->{from} <= Time::HiRes::time();
	return;
}

sub write_to
{
	my ($self, $c) = @_;
	my $now = Time::HiRes::time();

	return if !length $c->{out} || $c->{from} > $now;
	my $sent = syswrite $c->{socket}, $c->{out}, $c->{drip} ? 1 : length $c->{out};
	return if !defined $sent && ($!{EAGAIN} || $!{EINTR});
	return $self->end($c) unless $sent;
	substr $c->{out}, 0, $sent, '';
	$c->{out} .= $c->{endless} if defined $c->{endless} && length $c->{out} < 65536;
	$c->{from} = $now + $c->{drip} if $c->{drip};
	return if length $c->{out};
	return $self->end($c, $c->{after} eq 'reset') if $c->{after};
	# what came meanwhile
	$self->serve($c) if length $c->{in};
	return;
}

1;
