# README.md: the SQL of "A first workflow" and of "Messages" is run in the order of
# the page, by the roles it names, each example without an error and with the output
# that the page shows below it; then what a newcomer meets who goes on from there: hints
# that say what to add. Nothing leaves the machine.
use strict;
use warnings;

use AutomationTest qw(new_server);
use FindBin;
use PageExamples qw(examples plain);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $node = new_server('readme', q{
automation.egress = off
automation.executor_idle = 1h
});
$node->safe_psql('postgres', 'CREATE DATABASE shop');

# Output and errors of a script, in a session of this role.
sub run_as
{
	my ($role, $script) = @_;
	my ($output, $errors);
	my $ok = IPC::Run::run(
		[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port, '-U', $role, '-d', 'shop', '-f', '-' ],
		'<', \"SET client_min_messages = warning;\n$script", '>', \$output, '2>', \$errors);

	return ($ok, $output, $errors);
}

# The examples below a heading of the page.
my $page = slurp_file("$FindBin::Bin/../../README.md");

sub section
{
	my ($title) = @_;
	my ($text) = $page =~ /^## \Q$title\E\n(.*?)(?=^## |\z)/ms;

	return examples($text // '');
}

# what the reader's session has set so far
my $settings = '';
my $shown = 0;

foreach my $title ('A first workflow', 'Messages')
{
	my @examples = section($title);

	cmp_ok(scalar(@examples), '>', 1, "$title: there are examples");
	foreach my $example (@examples)
	{
		my $as_superuser = $example->{sql} =~ /\A-- as superuser/;
		my ($ok, $output, $errors) =
		  run_as($as_superuser ? 'postgres' : 'app', $as_superuser ? $example->{sql} : $settings . $example->{sql});

		ok($ok, "$title: the example at line $example->{line} of it") || diag($errors);
		$settings .= "$_\n" foreach $as_superuser ? () : $example->{sql} =~ /^(SET .*;)$/mg;
		next if !defined $example->{shown};
		is(plain($output), plain($example->{shown}), 'and what it shows');
		$shown++;
	}
}
is($shown, 1, 'the page shows what comes out');

# Whatever the page shows: the deal that was not lost has a task of its owner, the other none
is($node->safe_psql('shop', q{
SELECT d.title, u.name, count(a.id) FROM crm.deal d JOIN crm.app_user u ON u.id = d.owner_id
LEFT JOIN crm.activity a ON a.deal_id = d.id AND a.assignee_id = d.owner_id GROUP BY 1, 2 ORDER BY 1}),
	"Migration|Ada Bell|0\nRoll-out|Ada Bell|1", 'one task, for the owner of the deal that was not lost');
is($node->safe_psql('shop', q{
SELECT d.title, h.event, h.reason FROM automation.history h JOIN crm.deal d ON d.id = (h.key::jsonb ->> 0)::bigint
WHERE h.event IN ('entered', 'ended') ORDER BY h.position}),
	"Roll-out|entered|\nMigration|entered|\nMigration|ended|exit_when\nRoll-out|ended|completed", 'both have entered, and the lost one has left');

# A name that is not there, as the page says
my (undef, $known) = run_as('app', $settings . q{
SELECT * FROM unknown_names('proposal_sent') \g (format=unaligned tuples_only=on)
});
is($known, '', 'all names of the workflow are known');
my (undef, $unknown) = run_as('app', $settings . q{
CREATE FUNCTION misspelt(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF stage_id WHEN new.stage_id = stage('Sales', 'Proposl');
BEGIN
  SELECT add_task(d, 'Call');
END $$;
SELECT * FROM unknown_names('misspelt') \g (format=unaligned tuples_only=on)
DROP FUNCTION misspelt;
});
like($unknown, qr/Proposl/, 'the name that is not there is told');

# Another table than the subject's: the hint has the clause, as its foreign key says
my ($ok, undef, $errors) = run_as('app', $settings . q{
CREATE FUNCTION vip(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('vip');
BEGIN
  SELECT add_task(c, 'Call');
END $$;
});
ok(!$ok, 'a clause on another table needs FOR');
like($errors, qr/HINT:  Add FOR SELECT with c \(contact or its key bigint\): FOR SELECT new\.contact_id\./, 'the hint has the clause');

# The mail of the page leaves by its server; without one the error says what to do
($ok, undef, $errors) = run_as('app', $settings . q{
CREATE FUNCTION greet(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('vip') FOR SELECT new.contact_id;
BEGIN
  SEND email('welcome', c);
END $$;
CREATE FUNCTION greet_from_nowhere(c contact) RETURNS bigint LANGUAGE workflow SET automation.mail_server = '' AS $$
  AFTER INSERT ON contact_tag WHEN new.tag_id = tag('vip') FOR SELECT new.contact_id;
BEGIN
  SEND email('welcome', c);
END $$;
INSERT INTO contact (first_name, email) VALUES ('Ann', 'ann@example.com');
SELECT add_tag(c, 'vip') FROM contact c;
CALL automation.advance('1 hour');
});
ok($ok, 'a contact gets a tag') || diag($errors);
is($node->safe_psql('shop', q{SELECT workflow, server, target, title FROM automation.deliveries}),
	'greet|mail|ann@example.com|Welcome, Ann', 'the mail of the page is on its way');
is($node->safe_psql('shop', q{SELECT workflow, state, error FROM automation.enrollments}),
	'greet_from_nowhere|failed|line 4: 22023 no server for mail is named HINT: Name one in the message, or set automation.mail_server.',
	'the error has its hint');

$node->stop;
done_testing();
