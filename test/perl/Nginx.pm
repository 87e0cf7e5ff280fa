# A private nginx on loopback for tests, with a certificate authority of its own.
#
#   my $nginx = Nginx->new(dir => $directory);         # answers when this returns
#   $nginx->url('http');                               # http://localhost:PORT
#   $nginx->ca;                                        # file with the authority's certificate
#   my @requests = $nginx->requests;                   # { service, protocol, method, path, id, connection, status }
#   $nginx->wait_for(3);                               # messages; patience of PG_TEST_TIMEOUT_DEFAULT
#   $nginx->stop;
#
# Services, each on a port of its own; all of them answer 200 and "ok", but at /busy 429 with a Retry-After of
# an hour, at /some/ all but five requests a second with 429 and a Retry-After of a second, and at /drop by
# closing the connection:
#   http      plain
#   https     its certificate is for localhost; HTTP/1.1 only
#   http2     the same certificate; HTTP/2 and HTTP/1.1
#   wrong     its certificate is for another name
#   expired   its certificate was valid until yesterday
#   stranger  its certificate is by an authority that nobody knows
#   old       speaks nothing newer than TLS 1.1
#
# It runs as the user of the test, in the foreground of a process that ends with the test.
package Nginx;

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();
use Time::HiRes ();

my @services = qw(http https http2 wrong expired stranger old);
my %certificate = (
	https => 'good', http2 => 'good', wrong => 'wrong', expired => 'expired', stranger => 'stranger', old => 'good');

sub new
{
	my ($class, %option) = @_;
	my $dir = "$option{dir}/nginx";
	my $self = bless { dir => $dir, maker => $$, workers => $option{workers} // 1 }, $class;

	mkdir $_ or die "$_: $!" for $dir, "$dir/temp";
	$self->{port} = { free_ports(@services) };
	$self->make_certificates;
	write_file("$dir/nginx.conf", $self->configuration);
	my $pid = fork // die "no process: $!";
	if ($pid == 0)
	{
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', "$dir/output.log";
		open STDERR, '>&', \*STDOUT;
		$ENV{PATH} .= ':/usr/sbin';
		exec 'nginx', '-e', "$dir/error.log", '-p', $dir, '-c', "$dir/nginx.conf" or POSIX::_exit(127);
	}
	$self->{pid} = $pid;
	$self->wait_for_ports;
	return $self;
}

sub url
{
	my ($self, $service) = @_;
	return ($service eq 'http' ? 'http' : 'https') . "://localhost:$self->{port}{$service}";
}

sub port { return $_[0]{port}{ $_[1] }; }
sub ca { return "$_[0]{dir}/ca.pem"; }
sub pid { return $_[0]{pid}; }

sub stop
{
	my ($self) = @_;

	return if !$self->{pid} || $self->{maker} != $$;
	kill 'TERM', $self->{pid};
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

# What came so far, in the order of their ends.
sub requests
{
	my ($self) = @_;
	my @requests;

	open my $file, '<', "$self->{dir}/access.log" or return;
	while (my $line = <$file>)
	{
		# the last line may be in the middle of being written
		chomp $line or last;
		my %r;
		@r{qw(service protocol method path id connection status)} = split /\t/, $line;
		push @requests, \%r;
	}
	close $file;
	return @requests;
}

# Waits until so many messages have been taken down, which nginx does when it has answered; returns whether they are.
sub wait_for
{
	my ($self, $count) = @_;
	my $end = Time::HiRes::time() + ($ENV{PG_TEST_TIMEOUT_DEFAULT} // 60);

	while (Time::HiRes::time() < $end)
	{
		return 1 if (my @messages = grep { $_->{id} ne '-' } $self->requests) >= $count;
		Time::HiRes::usleep(10000);
	}
	return 0;
}

sub write_file
{
	my ($name, $text) = @_;

	open my $file, '>', $name or die "$name: $!";
	print $file $text;
	close $file or die "$name: $!";
	return;
}

sub free_ports
{
	my %socket = map { $_ => IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1, ReuseAddr => 1) // die "no port: $!" } @_;

	return map { $_ => $socket{$_}->sockport } @_;
}

sub openssl
{
	my ($self, @arguments) = @_;
	my $log = "$self->{dir}/openssl.log";
	my $pid = fork // die "no process: $!";

	if ($pid == 0)
	{
		chdir $self->{dir} or POSIX::_exit(126);
		open STDOUT, '>>', $log;
		open STDERR, '>&', \*STDOUT;
		exec 'openssl', @arguments or POSIX::_exit(127);
	}
	local $?;
	waitpid $pid, 0;
	die "openssl @arguments: see $log" if $?;
	return;
}

sub make_certificates
{
	my ($self) = @_;
	my @new_key = qw(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes);
	my %name = (good => 'localhost', wrong => 'elsewhere.example', expired => 'localhost', stranger => 'localhost');

	for my $authority (qw(ca unknown))
	{
		$self->openssl('req', '-x509', @new_key, '-keyout', "$authority.key", '-out', "$authority.pem",
			'-subj', "/CN=test $authority", '-days', 2);
	}
	for my $leaf (sort keys %name)
	{
		my $authority = $leaf eq 'stranger' ? 'unknown' : 'ca';
		$self->openssl('req', @new_key, '-keyout', "$leaf.key", '-out', "$leaf.csr", '-subj', "/CN=$name{$leaf}");
		write_file("$self->{dir}/$leaf.ext", "subjectAltName=DNS:$name{$leaf}\n");
		$self->openssl('x509', '-req', '-in', "$leaf.csr", '-CA', "$authority.pem", '-CAkey', "$authority.key",
			'-CAcreateserial', '-days', $leaf eq 'expired' ? -1 : 2, '-extfile', "$leaf.ext", '-out', "$leaf.pem");
	}
	return;
}

sub configuration
{
	my ($self) = @_;
	my $servers = '';

	for my $service (@services)
	{
		my $certificate = $certificate{$service};
		my $tls = $certificate ? ' ssl' . ($service eq 'http2' ? ' http2' : '') : '';
		my $protocols = $service eq 'old' ? "TLSv1.1;\n    ssl_ciphers DEFAULT:\@SECLEVEL=0" : 'TLSv1.2 TLSv1.3';

		$servers .= "  server {\n    listen 127.0.0.1:$self->{port}{$service}$tls;\n    set \$service $service;\n";
		$servers .= "    ssl_certificate $certificate.pem;\n    ssl_certificate_key $certificate.key;\n    ssl_protocols $protocols;\n"
		  if $certificate;
		$servers .= <<'LOCATIONS';
    location / { return 200 ok; }
    location /busy { add_header Retry-After 3600 always; return 429; }
    location /some/ { limit_req zone=some; limit_req_status 429; error_page 429 = @later; try_files /none @ok; }
    location @ok { return 200 ok; }
    location @later { add_header Retry-After 1 always; return 429; }
    location /drop { return 444; }
  }
LOCATIONS
	}
	return <<"CONF";
daemon off;
pid nginx.pid;
worker_processes $self->{workers};
events { worker_connections 1024; }
http {
  client_body_temp_path temp/body;
  proxy_temp_path temp/proxy;
  fastcgi_temp_path temp/fastcgi;
  uwsgi_temp_path temp/uwsgi;
  scgi_temp_path temp/scgi;
  keepalive_requests 1000000;
  keepalive_timeout 300;
  default_type text/plain;
  limit_req_zone \$binary_remote_addr zone=some:1m rate=5r/s;
  log_format plain '\$service\\t\$server_protocol\\t\$request_method\\t\$request_uri\\t\$http_webhook_id\\t\$connection\\t\$status';
  access_log access.log plain;
$servers}
CONF
}

sub wait_for_ports
{
	my ($self) = @_;
	my $end = Time::HiRes::time() + ($ENV{PG_TEST_TIMEOUT_DEFAULT} // 60);

	for my $service (@services)
	{
		until (IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}{$service}))
		{
			die "nginx does not answer: see $self->{dir}" if Time::HiRes::time() > $end || waitpid($self->{pid}, POSIX::WNOHANG()) > 0;
			Time::HiRes::usleep(10000);
		}
	}
	return;
}

1;
