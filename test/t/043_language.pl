# The examples of doc/language.md: run in the order of the page, each without an
# error, each with the output that the page shows below it.
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

my $page = slurp_file("$FindBin::Bin/../../doc/language.md");
my @examples = examples($page);
ok(@examples > 8, 'the page has examples');

my $node = new_server('language', q{
automation.executor_idle = 1h
shared_preload_libraries = 'automation, pg_cron'
cron.database_name = 'shop'
});
owner_database($node, 'shop', 'app');
$node->safe_psql('shop', 'CREATE EXTENSION pg_cron');
foreach my $example (@examples)
{
	my ($output, $errors);
	my $ok = IPC::Run::run(
		[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port, '-U', 'app', '-d', 'shop', '-f', '-' ],
		'<', \"SET search_path = app;\n$example->{sql}", '>', \$output, '2>', \$errors);
	ok($ok, "the example at line $example->{line}") || diag($errors);
	is(plain($output), plain($example->{shown}), "and what it shows") if $ok && defined $example->{shown};
}

# Clauses and statements, each in some example
my $all = join("\n", map { $_->{sql} } @examples);
my ($refused) = $page =~ /^## Not supported yet\n(.*?)(?=^## |\z)/ms;
foreach my $word ('AFTER', 'AT', 'EVERY', 'ENROLL', 'EXIT WHEN', 'TIME ZONE', 'DECLARE', 'WAIT FOR', 'WAIT UNTIL', 'IF', 'SPLIT', 'GO TO', 'GOAL', 'SEND', 'SEND DURING', 'EXIT')
{
	next if defined $refused && $refused =~ /`$word`/;
	like($all, qr/^\s*$word\b/m, "there is an example of $word");
}
is($node->safe_psql('shop', q{SELECT name, hold, note FROM automation.workflows WHERE hold IS NOT NULL}), '', 'no workflow of the page is held');
is($node->safe_psql('shop', q{SELECT workflow, error FROM automation.enrollments WHERE error <> ''}), '', 'none met an error');

$node->stop;
done_testing();
