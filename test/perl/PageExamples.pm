# The examples of a page of the documentation, for the tests that run them.
package PageExamples;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT_OK = qw(examples plain);

# Examples in order: line, statements, the output shown or undef.  What stands in
# <!-- before: ... --> is one, too, for a superuser.
sub examples
{
	my ($page) = @_;
	my @found;
	my $line = 1;

	foreach my $part (split(/^(```.*?^```\n|<!-- before:.*?-->\n)/ms, $page))
	{
		push(@found, { line => $line, sql => "-- as superuser\n$1" }) if $part =~ /\A<!-- before:(.*)-->\n\z/s;
		push(@found, { line => $line, sql => $1 }) if $part =~ /\A```sql\n(.*)^```\n\z/ms;
		$found[-1]->{shown} = $1 if @found && $part =~ /\A```text\n(.*)^```\n\z/ms;
		$line += ($part =~ tr/\n//);
	}
	return @found;
}

# Without what psql adds for the eye.
sub plain
{
	my ($text) = @_;
	return join("\n", map { s/\s+$//r } grep { /\S/ && !/^\(\d+ rows?\)$/ && !/^CALL$/ } split(/\n/, $text));
}

1;
