# The pages for those who come from another system: doc/from-*.md.
#
# What they show is taken from files that make conformance runs: each line of an
# SQL block stands there so, next to the lines it stands next to here, and so does
# each piece of code within the text.  Each trigger, action and element of flow
# that the catalogue has of a system is in its page, and where the page says that
# a case is, there is one.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::Bin/../..";
my %system = (hubspot => 'HS', activecampaign => 'AC', pipedrive => 'PD');

# A text without what is put differently in a page: blanks.
sub lines
{
	my ($text) = @_;
	return join("\n", map { s/^\s+|\s+$//gr } split(/\n/, $text)) . "\n";
}

sub words
{
	my ($text) = @_;
	return $text =~ s/\s+/ /gr;
}

# What runs
my %source = map { substr($_, length("$top/")) => slurp_file($_) } glob("$top/test/conformance/*.sql $top/examples/*.sql");
ok(keys %source > 70, 'there are files that run');
my @lines = map { "\n" . lines($_) } values %source;
my $all = join("\n", map { words($_) } values %source);

# Rows of the catalogue, in its order
my (@ids, %of);
foreach my $row (split(/\n/, slurp_file("$top/test/conformance/catalogue.tsv")))
{
	my ($id, $systems) = split(/\t/, $row);
	push @ids, $id;
	$of{$id} = $systems;
}

# The ids in a text, with those within A01-A09.
sub ids
{
	my ($text) = @_;
	my @found;

	while ($text =~ /\b([TAFSIE])(\d+)(?:-\1(\d+))?\b/g)
	{
		my ($letter, $first, $last) = ($1, $2, $3 // $2);
		push @found, sprintf('%s%02d', $letter, $_) foreach $first .. $last;
	}
	return @found;
}

foreach my $name (sort keys %system)
{
	my $page = slurp_file("$top/doc/from-$name.md");
	my @blocks = $page =~ /^```sql\n(.*?)^```$/msg;
	my $text = $page =~ s/^```.*?^```$//msgr;

	# Blocks, in pieces between empty lines and dots
	ok(@blocks > 15, "$name: has examples");
	foreach my $piece (map { split(/^\s*(?:\.\.\.)?\s*\n/m) } @blocks)
	{
		next unless $piece =~ /\S/;
		my $wanted = lines($piece);
		ok(scalar(grep { index($_, "\n$wanted") >= 0 } @lines), "$name: it runs")
			|| diag("doc/from-$name.md has lines that no file in test/conformance or examples has like that, next to each other:\n$piece");
	}

	# Code in the text
	my @code = map { words(s/\\\|/|/gr) } $text =~ /`([^`]+)`/g;
	ok(@code > 40, "$name: has code in the text");
	is(join("\n", grep { index($all, $_) < 0 } @code), '', "$name: which runs, too");

	# Ids
	my %told = map { $_ => 1 } ids($text);
	is(join(' ', grep { !$of{$_} } sort keys %told), '', "$name: the catalogue has what it names");
	is(join(' ', grep { /^[TAF]/ && $of{$_} =~ /\b$system{$name}\b/ && !$told{$_} } @ids), '', "$name: names all triggers, actions and elements of flow");

	# Where the cases are
	my @links = $text =~ /\]\(([^)#]+)/g;
	is(join(' ', grep { !-e "$top/doc/$_" } @links), '', "$name: its links lead somewhere");
	foreach my $row (grep { /^\| / } split(/\n/, $text))
	{
		my @files = map { $source{$_} } $row =~ m{\]\(\.\./(test/conformance/\w+\.sql)\)}g or next;
		my @without = grep { my $id = $_; !grep { /conformance\.(?:yes|no|refused|not_applicable)\('$id'/ } @files } ids($row);
		is("@without", '', "$name: a case where it says") || diag($row);
	}
}

done_testing();
