# A real SMTP server for tests: Exim as Debian has it, on loopback, owned by the user who
# runs the test, with STARTTLS and login.  It delivers to a directory and nowhere else; what
# it takes, and from whom, is said in scripts/mail_server.sh, which starts it.
#
#   my $server = MailServer->new(dir => $directory);          # or certificate_name => 'mail.elsewhere.test'
#   ... something sends mail to $server->url, or with TLS from the beginning to $server->tls_url ...
#   $server->wait_for(1);                                      # patience of PG_TEST_TIMEOUT_DEFAULT
#   my ($mail) = $server->mails;    # { from, to (of the envelope, one each), text (all of it) }
#   $server->stop;
package MailServer;

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use IO::Socket::IP;
use Time::HiRes ();

my $script = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../scripts/mail_server.sh');

# Ports nobody has at the moment.
sub free_ports
{
	my ($count) = @_;
	my @sockets = map { IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 1) // die "no socket: $@" } 1 .. $count;
	return map { $_->sockport } @sockets;
}

sub new
{
	my ($class, %option) = @_;
	my ($port, $tls_port) = free_ports(2);
	my $self = bless { dir => "$option{dir}/mail_server_$port", port => $port, tls_port => $tls_port, maker => $$ }, $class;

	local $ENV{CERT_NAME} = $option{certificate_name} // '';
	system($script, 'start', $self->{dir}, $port, $tls_port) == 0 or die "no mail server\n";
	return $self;
}

sub url { return "smtp://127.0.0.1:$_[0]->{port}"; }
sub tls_url { return "smtps://127.0.0.1:$_[0]->{tls_port}"; }
sub ca_file { return "$_[0]->{dir}/ca.pem"; }

sub count
{
	my ($self) = @_;
	return scalar(my @files = glob "$self->{dir}/mail/new/*");
}

# Waits until so many mails are there; returns whether they are.
sub wait_for
{
	my ($self, $count) = @_;
	my $end = Time::HiRes::time() + ($ENV{PG_TEST_TIMEOUT_DEFAULT} // 60);

	while (Time::HiRes::time() < $end)
	{
		return 1 if $self->count >= $count;
		Time::HiRes::usleep(10000);
	}
	return 0;
}

# In the order they came.
sub mails
{
	my ($self) = @_;
	my @mails;

	for my $name (sort { -M $b <=> -M $a } glob "$self->{dir}/mail/new/*")
	{
		open my $file, '<:raw', $name or die "$name: $!";
		my $text = do { local $/; <$file> };
		close $file;
		my ($from) = $text =~ /^Return-path: <(.*)>$/mi;
		my ($to) = $text =~ /^Envelope-to: (.*)$/mi;
		push @mails, { from => $from, to => $to, text => $text };
	}
	return @mails;
}

sub forget
{
	my ($self) = @_;
	unlink glob "$self->{dir}/mail/new/*";
	return;
}

# What it has written to its log.
sub log
{
	my ($self) = @_;
	open my $file, '<', "$self->{dir}/log/mainlog" or return '';
	local $/;
	return scalar <$file>;
}

sub stop
{
	my ($self) = @_;

	return if $self->{maker} != $$ || $self->{stopped}++;
	local $?;
	system $script, 'stop', $self->{dir};
	return;
}

sub DESTROY
{
	my ($self) = @_;
	$self->stop;
	return;
}

1;
