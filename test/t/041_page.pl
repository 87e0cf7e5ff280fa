# doc/operations.md against what is there: settings, reason codes, codes of
# automation.health().
use strict;
use warnings;

use AutomationTest qw(new_server);
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $node = new_server('settings');
$node->safe_psql('postgres', 'CREATE EXTENSION automation');

my $page = slurp_file("$FindBin::Bin/../../doc/operations.md");
my @told = map { join('|', map { s/^\s+|\s+$//gr } (split(/\|/))[ 1 .. 6 ]) =~ s/`//gr } grep { /^\| `automation\.\w+` \|.*\|.*\|.*\|.*\|.*\|/ } split(/\n/, $page);
my $there = $node->safe_psql('postgres', q{
SELECT name, current_setting(name), unit, CASE WHEN vartype = 'integer' THEN min_val END, CASE WHEN vartype = 'integer' THEN max_val END,
       CASE context WHEN 'sighup' THEN 'reload' WHEN 'postmaster' THEN 'restart' WHEN 'user' THEN 'everybody' ELSE context END
FROM pg_settings WHERE name LIKE 'automation.%' ORDER BY name});
is(join("\n", @told), $there, 'the table of settings says what they are');

is($node->safe_psql('postgres', q{
SELECT string_agg(name, ' ') FROM pg_settings WHERE name LIKE 'automation.%'
  AND (short_desc !~ '^[A-Z].*\.$' OR extra_desc IS NULL OR extra_desc !~ '\.$')}),
	'', 'each has a description, short and long');
is($node->safe_psql('postgres', q{
SELECT string_agg(name, ' ') FROM pg_settings WHERE name LIKE 'automation.%'
  AND name ~ '_(time|timeout|delay|interval|idle|size)$' AND unit IS NULL}),
	'', 'and what is a time or a size has a unit');

# Codes

my $journal = $node->safe_psql('postgres', q{SELECT pg_get_viewdef('automation.journal')});
my %said;
$said{$1} = 1 while $page =~ /`(\w+)`/g;
my @codes = $journal =~ /\('(\w+)'(?:::text)?,\s*'/g;
ok(@codes > 30, 'the journal has words for reason codes');
is(join(' ', grep { !$said{$_} && !/^(locked|unknown_time_zone)$/ } @codes), '', 'the page has all of them');

my ($health) = $page =~ /^## Health\n(.*?)^## /ms;
my $problem = $node->safe_psql('postgres', q{SELECT pg_get_viewdef('automation.problem')});
my @rows = map { (split(/\|/))[1] } grep { /^\| `/ } split(/\n/, $health);
my @problems = map { /`(\w+)`/g } @rows;
ok(@problems > 25, 'the page lists problems');
is(join(' ', grep { $problem !~ /'$_'/ && !/^(goto_limit|runaway|suspected_crash|orphan|variable|by_hand)$/ } @problems), '', 'which automation.health() knows');

# A name nobody knows is a mistake, not a placeholder
my ($ret, $stdout, $stderr) = $node->psql('postgres', "SET automation.batch_tmie = 1");
like($stderr, qr/invalid configuration parameter name "automation.batch_tmie"/, 'a name that is not there is refused');

$node->stop;
done_testing();
