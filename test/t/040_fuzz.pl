# A short run of the fuzzer (test/fuzz): workflows with all kinds of mistakes and
# oddities are defined and run; each ends well or with an error that has a place,
# and the session does not grow.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../fuzz";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use FuzzCampaign;
use FuzzDatabase;

# another seed: FUZZ_SEED; more of it: FUZZ_INPUTS, or test/fuzz/run
my $seed = $ENV{FUZZ_SEED} // 15;
my $inputs = $ENV{FUZZ_INPUTS} // 3000;

$ENV{PGUSER} = 'postgres';
my $node = PostgreSQL::Test::Cluster->new('fuzzed');
$node->init(extra => [ '-U', 'postgres' ]);
$node->append_conf('postgresql.conf', "jit = off\nlog_statement = none\nlog_min_error_statement = panic\nrestart_after_crash = on\n"
	. "shared_preload_libraries = 'pg_cron'\ncron.database_name = 'fuzz'\ncron.log_run = off\ncron.log_statement = off\nautomation.recheck_interval = 24h\n");
$node->start;

my $connect = 'host=' . $node->host . ';port=' . $node->port;
my $databases = FuzzDatabase->new($connect, 'psql', "$FindBin::Bin/../..");
my $campaign = FuzzCampaign->new(
	top => "$FindBin::Bin/../..",
	connect => $connect,
	database => sub { return $databases->fresh; },
	seed => $seed,
	findings => $PostgreSQL::Test::Utils::tmp_check,
	say => sub { note($_[0]); });

note("seed $seed");
is($campaign->run(limit => $inputs, epoch => $inputs), 0, "$inputs inputs of seed $seed: nothing found");
note($campaign->summary);
my $count = $campaign->{count};
cmp_ok($count->{refused}, '>', $inputs / 4, 'many are refused');
cmp_ok($count->{run}, '>', $inputs / 50, 'many run');
is($campaign->{session}->ask(q{SELECT count(*) > 0 FROM automation.journal WHERE reason = 'completed'}), 1, 'some to their end');
$campaign->{session}->close;
$node->stop;

done_testing();
