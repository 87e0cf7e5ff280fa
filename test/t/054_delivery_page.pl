# The examples of doc/delivery.md: run in the order of the page on the tables of the
# CRM, each without an error, each with the output that the page shows below it. What
# the page says in <!-- before: ... -->, which readers don't see, a superuser runs first;
# so he does an example that begins with "-- as superuser". Nothing leaves the machine.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database);
use FindBin;
use PageExamples qw(examples plain);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my @examples = examples(slurp_file("$FindBin::Bin/../../doc/delivery.md"));
ok(@examples > 10, 'the page has examples');

my $node = new_server('delivery_page', q{
automation.egress = off
automation.executor_idle = 1h
shared_preload_libraries = 'automation, pg_cron'
cron.database_name = 'shop'
});
$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->safe_psql('shop', 'CREATE EXTENSION automation');
$node->safe_psql('shop', 'CREATE EXTENSION pg_cron');
$node->safe_psql('shop', slurp_file("$FindBin::Bin/../sql/crm.sql") =~ s/^\\set.*$//mgr);
# what stands there in the place of our constructor
$node->safe_psql('shop', q{
DROP FUNCTION crm.email(text, crm.contact, text, jsonb, bigint);
GRANT USAGE ON FOREIGN DATA WRAPPER automation TO app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
});

foreach my $example (@examples)
{
	my ($output, $errors);
	my $user = $example->{sql} =~ /\A-- as superuser/ ? 'postgres' : 'app';
	my $ok = IPC::Run::run(
		[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port, '-U', $user, '-d', 'shop', '-f', '-' ],
		'<', \"SET client_min_messages = error;\nSET search_path = crm, automation;\n$example->{sql}", '>', \$output, '2>', \$errors);
	ok($ok, "the example at line $example->{line}") || diag($errors);
	is(plain($output), plain($example->{shown}), "and what it shows") if $ok && defined $example->{shown};
}
is($node->safe_psql('shop', q{SELECT name, hold, note FROM automation.workflows WHERE hold IS NOT NULL}), '', 'no workflow of the page is held');

$node->stop;
done_testing();
