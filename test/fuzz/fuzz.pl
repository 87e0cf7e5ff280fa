# The fuzzer's command line; test/fuzz/run starts a server and calls it.
#
#   --connect SOURCE    of DBD::Pg, without the database: host=/tmp;port=5432
#   --psql PROGRAM      that loads the fixtures
#   --seed N            of the first input; the same seed makes the same inputs
#   --minutes M         or --inputs N: how long
#   --first N           number of the first input; with --inputs 1 it repeats one
#   --findings DIR      where findings are kept
#   --language          only what the grammar makes, mostly without mistakes
#   --encoding NAME     of the databases, UTF8 if not said
#
# Ends with 1 if anything was found.
use strict;
use warnings;

use FindBin;
use Getopt::Long;
use lib $FindBin::Bin;

use FuzzCampaign;
use FuzzDatabase;

$| = 1;
my %option = (seed => time, minutes => 0, inputs => 0, first => 1, epoch => 10000, findings => '.', psql => 'psql', encoding => 'UTF8');
GetOptions(\%option, 'connect=s', 'psql=s', 'seed=i', 'minutes=f', 'inputs=i', 'first=i', 'epoch=i', 'findings=s', 'encoding=s', 'language') or exit 2;
die "--minutes or --inputs\n" unless $option{minutes} || $option{inputs};

my $top = "$FindBin::Bin/../..";
my $say = sub {
	my ($line) = @_;
	my ($second, $minute, $hour) = localtime;
	printf "%02d:%02d:%02d %s\n", $hour, $minute, $second, $line;
};
my $databases = FuzzDatabase->new($option{connect}, $option{psql}, $top, $option{encoding});
my $campaign = FuzzCampaign->new(
	top => $top,
	connect => $option{connect},
	database => sub { return $databases->fresh; },
	seed => $option{seed},
	encoding => $option{encoding},
	language => $option{language},
	findings => $option{findings},
	say => $say);

my $found = $campaign->run(
	first => $option{first},
	limit => $option{inputs},
	until => $option{minutes} ? time + $option{minutes} * 60 : 0,
	epoch => $option{epoch});
$say->($campaign->summary);
exit($found ? 1 : 0);
