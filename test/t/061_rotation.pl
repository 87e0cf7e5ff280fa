# Many who deal from one rotation at once: sessions that take single turns, sessions that deal batches of
# the same records, an executor whose workflow does. The deal is even to one turn, each record that was
# dealt has used one turn, and nobody meets a deadlock.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database wait_until server_up);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $rounds = 20;
my $users = 5;
my $node = new_server('rotation');

owner_database($node, 'work', 'app');
$node->safe_psql('work', 'GRANT CREATE ON DATABASE work TO app');
my @user = map { server_up($node, 'work', 'app') } 0 .. 4;
$user[0]->query("SET client_min_messages = warning; CALL automation.install_crm('crm')");
$_->query('SET search_path = crm') for @user;
is($user[0]->query(qq{
INSERT INTO app_user (name) SELECT 'user ' || n FROM generate_series(1, $users) n;
INSERT INTO team (name) VALUES ('Sales');
INSERT INTO team_member (team_id, user_id) SELECT 1, id FROM app_user;
CREATE FUNCTION lead(c contact) RETURNS bigint LANGUAGE workflow AS \$\$
  AFTER INSERT WHEN new.owner_id IS NULL AND new.lead_status = 'new';
BEGIN
  SELECT rotate_owner(c, 'Sales');
END \$\$;
SELECT 'made'}), 'made', 'a team, a workflow');

# In each round every session does its own at the same time as the others. The batches of the second and
# the third deal out the same records, in opposite orders; the last two write one record each.
my @write = (
	sub { "INSERT INTO contact (lead_status) SELECT 'new' FROM generate_series(1, 7)" },
	sub { "SELECT rotate_owners('deal', ARRAY(SELECT id FROM deal WHERE owner_id IS NULL AND title = 'round $_[0]' ORDER BY id), team => 'Sales')" },
	sub { "SELECT rotate_owners('deal', ARRAY(SELECT id FROM deal WHERE owner_id IS NULL AND title = 'round $_[0]' ORDER BY id DESC), team => 'Sales')" },
	sub { "UPDATE ticket SET owner_id = rotate('Sales') WHERE subject = 'round $_[0]' AND owner_id IS NULL" },
	sub { "SELECT rotate_owner(t, 'Sales') FROM ticket t WHERE subject = 'other $_[0]'" });
$user[0]->query("INSERT INTO deal (title) SELECT 'round ' || r FROM generate_series(1, $rounds) r, generate_series(1, 13);"
	. "INSERT INTO ticket (subject) SELECT w || ' ' || r FROM generate_series(1, $rounds) r, unnest('{round,other}'::text[]) w");
my @errors;
for my $round (1 .. $rounds)
{
	$user[$_]->send($write[$_]->($round)) for 0 .. $#user;
	for (@user)
	{
		my $answer = $_->receive;
		push @errors, $answer if $answer =~ /ERROR/;
	}
}
is("@errors", '', 'nobody met an error');

my $watch = server_up($node, 'work');
$watch->query('SET search_path = crm');
ok(wait_until($watch, 'SELECT NOT EXISTS (SELECT FROM contact WHERE owner_id IS NULL)'), 'the workflow dealt out its contacts');
my $records = $rounds * (7 + 13 + 1 + 1);
is($watch->query("SELECT count(*) FROM (SELECT owner_id FROM contact UNION ALL SELECT owner_id FROM deal UNION ALL SELECT owner_id FROM ticket) r WHERE owner_id IS NOT NULL"),
	$records, 'every record has an owner');
is($watch->query("SELECT turns FROM rotation_pool WHERE name = 'team:Sales'"), $records, 'and used one turn');
is($watch->query("SELECT count(*) || ' ' || sum(assigned) || ' ' || (max(assigned) - min(assigned) <= 1) FROM rotation_turn WHERE pool = 'team:Sales'"),
	"$users $records true", 'counts are even');
is($watch->query(qq{
SELECT max(n) - min(n) <= 1 FROM (SELECT count(*) AS n
FROM (SELECT owner_id FROM contact UNION ALL SELECT owner_id FROM deal UNION ALL SELECT owner_id FROM ticket) r GROUP BY owner_id) o}),
	't', 'so are the records');
is($watch->query("SELECT count(DISTINCT last_turn) FROM rotation_turn WHERE pool = 'team:Sales'"), $users, 'no turn was given twice');
is($watch->query("SELECT count(*) FROM automation.journal WHERE event IN ('retrying', 'failed')"), 0, 'no step failed');
$_->close for @user, $watch;
$node->stop;
unlike(slurp_file($node->logfile), qr/deadlock detected/, 'no deadlock');
done_testing();
