# Databases for the fuzzer: a template with the extension and the fixtures is
# made once per server, a copy of it for each epoch.
package FuzzDatabase;

use strict;
use warnings;

use DBI;

# connect: data source without the database; psql: program; top: of the project;
# encoding: of the databases.
sub new
{
	my ($class, $connect, $psql, $top, $encoding) = @_;
	my $self = bless { connect => $connect, psql => $psql, top => $top, encoding => $encoding // 'UTF8' }, $class;

	my $dbh = $self->superuser('postgres');
	$self->make_template($dbh) unless $dbh->selectrow_array(q{SELECT 1 FROM pg_database WHERE datname = 'fuzz_template'});
	$dbh->disconnect;
	return $self;
}

sub superuser
{
	my ($self, $database) = @_;
	return DBI->connect("dbi:Pg:$self->{connect};dbname=$database", 'postgres', '', { AutoCommit => 1, PrintError => 0, PrintWarn => 0, RaiseError => 1 });
}

sub make_template
{
	my ($self, $dbh) = @_;
	my $connection = $self->{connect} =~ tr/;/ /r;

	local $ENV{PGCLIENTENCODING} = 'UTF8';
	$dbh->do("CREATE DATABASE fuzz_loading ENCODING '$self->{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	for my $script ('CREATE EXTENSION automation', "$self->{top}/test/sql/crm.sql", "$self->{top}/test/fuzz/fixture.sql")
	{
		my @what = $script =~ m{/} ? ('-f', $script) : ('-c', $script);
		system($self->{psql}, '-Xq', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-d', "$connection dbname=fuzz_loading user=postgres", @what) == 0
		  or die "$script could not be loaded\n";
	}
	# nobody may be in a template, the engine's workers neither
	$dbh->do('ALTER DATABASE fuzz_loading ALLOW_CONNECTIONS false');
	$dbh->do(q{SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = 'fuzz_loading'});
	$dbh->do('ALTER DATABASE fuzz_loading RENAME TO fuzz_template');
	return;
}

# Name of a database just as the template.
sub fresh
{
	my ($self) = @_;
	my $dbh = $self->superuser('postgres');

	$dbh->do('DROP DATABASE IF EXISTS fuzz WITH (FORCE)');
	$dbh->do('CREATE DATABASE fuzz TEMPLATE fuzz_template');
	$dbh->disconnect;
	# a copied engine stands still until somebody says that it may go on
	$dbh = $self->superuser('fuzz');
	$dbh->do('CREATE EXTENSION pg_cron') if ($dbh->selectrow_array(q{SELECT current_setting('cron.database_name', true)}) // '') eq 'fuzz';
	$dbh->do('CALL automation.arm()');
	$dbh->disconnect;
	return 'fuzz';
}

1;
