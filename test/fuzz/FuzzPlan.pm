# What is done with a workflow once it is defined: rows change, the engine runs,
# time passes, somebody pauses it, takes it back or puts another in its place.
package FuzzPlan;

use strict;
use warnings;

use Exporter 'import';
use FuzzText qw(pick chance mutate);

our @EXPORT_OK = qw(plan);

# Changes of rows, by table.  They fail at nothing but constraints.
my $contact = '(SELECT max(id) FROM contact)';
my $deal = '(SELECT max(id) FROM deal)';
my %changes = (
	crm => {
		contact => [
			"INSERT INTO contact (name, email, score, status, lifecycle, owner_id, time_zone, birthday, demo_at, renewal_date)"
			  . " VALUES ('new', 'new\@crm.example', 40, 'new', 'lead', 1, 'Asia/Tokyo', '2000-02-29', now() + interval '2 days', current_date + 3)",
			"UPDATE contact SET score = score % 1000 + 20, status = 'open', lifecycle = 'customer', owner_id = 2 WHERE id = $contact",
			"UPDATE contact SET unsubscribed = NOT unsubscribed, time_zone = 'Nowhere', lead_status = 'x', city = 'Paris', country = 'FR' WHERE id = $contact",
			"UPDATE contact SET score = 0, demo_at = NULL, birthday = 'infinity', custom = '{\"a\": 1}', source = 'import' WHERE id IN (1, $contact)",
			"DELETE FROM contact WHERE id = $contact AND id > 5",
		],
		deal => [
			"INSERT INTO deal (title, value, owner_id, pipeline_id, stage_id) VALUES ('new', 10, 1, 1, 1)",
			"UPDATE deal SET status = 'won', value = value * 2, stage_id = 2, pipeline_id = 1 WHERE id = $deal",
			"UPDATE deal SET status = 'open', owner_id = NULL, expected_close_date = current_date WHERE id IN (1, $deal)",
			"UPDATE deal SET status = 'lost', value = 'NaN', source = 'form' WHERE id = $deal",
			"DELETE FROM deal WHERE id = $deal AND id > 5",
		],
		deal_contact => [ "INSERT INTO deal_contact VALUES ($deal, $contact, false) ON CONFLICT DO NOTHING" ],
		account => [ "INSERT INTO account (name, domain) VALUES ('new', 'crm.example')", "UPDATE account SET is_target = true, customer_status = 'active', order_count = 1" ],
		list_subscription => [
			"INSERT INTO list_subscription (contact_id, list_id, status) VALUES ($contact, 1, 'active') ON CONFLICT DO NOTHING",
			"UPDATE list_subscription SET status = 'unsubscribed', unsubscribed_at = now() WHERE contact_id = $contact",
		],
		activity => [
			"INSERT INTO activity (type, title, contact_id, deal_id, assignee_id, due_at) VALUES ('call', 'new', $contact, $deal, 1, now() + interval '1 day')",
			"UPDATE activity SET status = 'done', outcome = 'reached', completed_at = now()",
		],
		ticket => [ "INSERT INTO ticket (subject, pipeline_id) VALUES ('new', 3)", "UPDATE ticket SET closed_at = now(), status_id = 11 WHERE id = (SELECT max(id) FROM ticket)" ],
		note => [ "INSERT INTO note (body, contact_id) VALUES ('new', $contact)" ],
		email_message => [
			"INSERT INTO email_message (class, direction, contact_id, deal_id, subject) VALUES ('personal', 'in', $contact, $deal, 'new')",
			"UPDATE email_message SET sentiment = 'negative' WHERE id = (SELECT max(id) FROM email_message)",
		],
		email_event => [ "INSERT INTO email_event (contact_id, kind, network) VALUES ($contact, 'click', 'linkedin'), ($contact, 'open', NULL)" ],
		approval => [ "INSERT INTO approval (deal_id, asked_of) VALUES ($deal, 1)", "UPDATE approval SET status = 'approved', decided_at = now()" ],
		project => [ "INSERT INTO project (name, pipeline_id) VALUES ('new', 4)", "UPDATE project SET status = 'done'" ],
		custom_object_record => [ "INSERT INTO custom_object_record (type, status, urgency) VALUES ('new', 'open', 'high')" ],
	},
	fuzz => {
		contact => [
			"INSERT INTO contact (name, email, score, lifecycle, birthday, wait, at) VALUES ('new', 'x', 60, 'lead', '2000-02-29', '1 day', now() + interval '1 day')",
			"INSERT INTO contact (name, email, score, birthday, wait, at) SELECT repeat('\xc3\xa9', n * 100), NULL, n, 'infinity', '-1 day', 'infinity' FROM generate_series(1, 3) n",
			"UPDATE contact SET score = score % 1000 + 20, lifecycle = 'customer', name = name || '!' WHERE id = $contact",
			"UPDATE contact SET score = NULL, unsubscribed = NOT unsubscribed, wait = NULL, at = NULL, timeout = 3 WHERE id IN (1, $contact)",
			"UPDATE contact SET id = id + 1000000 WHERE id = $contact",
			"DELETE FROM contact WHERE id = $contact AND id > 5",
		],
		deal => [
			"INSERT INTO deal (title, value, status, stage, contact) VALUES ('new', 10, 'open', 1, 1)",
			"UPDATE deal SET status = 'won', value = value + 1, stage = 2 WHERE id = $deal",
			"UPDATE deal SET status = NULL, value = 'NaN', title = NULL, parts = '{\"(1,x)\"}' WHERE id IN (1, $deal)",
			"DELETE FROM deal WHERE id = $deal AND id > 5",
		],
		membership => [
			"INSERT INTO membership VALUES ($contact, 1, 'active') ON CONFLICT DO NOTHING",
			"UPDATE membership SET status = 'left', list = list % 1000 + 1 WHERE contact = $contact", "DELETE FROM membership WHERE contact > 5",
		],
		moment => [ "INSERT INTO moment VALUES (clock_timestamp(), 'infinity', '1 day'), ('infinity', '-infinity', '-1 day') ON CONFLICT DO NOTHING", "DELETE FROM moment" ],
		part => [ "INSERT INTO part SELECT coalesce(max(id), 0) + 1, 1 FROM part", "UPDATE part SET contact = contact + 1", "DELETE FROM part WHERE id > 5" ],
		keyless => [ "INSERT INTO keyless VALUES (1)", "DELETE FROM keyless" ],
		guarded => [
			"INSERT INTO guarded VALUES (left(md5(random()::text), 4), 'new')", "UPDATE guarded SET note = note || 'x'", "INSERT INTO guarded VALUES (left(md5(random()::text), 4), 'hidden')",
			"DELETE FROM guarded WHERE id <> 'a'",
		],
		cited => [ "INSERT INTO cited VALUES (ROW((random() * 1000000)::int, 'x'), '[1,2)', 'a ')", "UPDATE cited SET c = c || 'x'", "DELETE FROM cited" ],
		sealed => [ "INSERT INTO sealed SELECT coalesce(max(id), 0) + 1, 'x' FROM sealed" ],
	},
);

# Rows that conditions of other workflows hang on: of a contact that is likely to wait.
my $somebody = "(SELECT id FROM contact ORDER BY id DESC OFFSET random() * 3 LIMIT 1)";
my @tied_changes = (
	"INSERT INTO fuzz.cart (contact, state) VALUES ($somebody, 'open')", "UPDATE fuzz.cart SET state = 'closed' WHERE contact = $somebody",
	"UPDATE fuzz.cart SET state = 'open', contact = $somebody WHERE id = (SELECT max(id) FROM fuzz.cart)", "DELETE FROM fuzz.cart WHERE contact = $somebody",
	"INSERT INTO fuzz.purchase (contact, cart, status, amount, at) SELECT $somebody, max(id), 'new', 10, now() FROM fuzz.cart",
	"INSERT INTO fuzz.purchase (contact, status, amount) VALUES ($somebody, 'paid', 100)", "UPDATE fuzz.purchase SET status = 'paid', amount = amount + 1 WHERE contact = $somebody",
	"UPDATE fuzz.purchase SET status = 'sent', cart = (SELECT max(id) FROM fuzz.cart) WHERE contact = $somebody", "DELETE FROM fuzz.purchase WHERE contact = $somebody",
	"UPDATE fuzz.purchase SET contact = $somebody WHERE id = (SELECT max(id) FROM fuzz.purchase)", 'TRUNCATE fuzz.purchase', 'TRUNCATE fuzz.cart, fuzz.purchase',
	"DO \$\$ BEGIN INSERT INTO fuzz.cart (contact, state) VALUES ($somebody, 'closed'); BEGIN DELETE FROM fuzz.cart; RAISE 'x'; EXCEPTION WHEN OTHERS THEN NULL; END; UPDATE fuzz.cart SET state = 'closed'; END \$\$",
	"MERGE INTO fuzz.purchase y USING (SELECT $somebody AS id) q ON y.contact = q.id WHEN MATCHED THEN UPDATE SET status = 'paid' WHEN NOT MATCHED THEN INSERT (contact, status, amount) VALUES (q.id, 'paid', 7)");

sub change
{
	my ($input) = @_;
	return { kind => 'change', sql => pick(@tied_changes) } if $input->{body} =~ /fuzz\.(?:purchase|cart|paid|has_paid)/ && !chance(3);
	my $tables = $changes{ $input->{schema} };
	my @named = grep { "$input->{args} $input->{body}" =~ /\b$_\b/ } sort keys %$tables;

	@named = ('contact') unless @named;
	return { kind => 'change', sql => pick(@{ $tables->{ pick(@named) } }) };
}

# A call by hand, with rows or values as the arguments want them.
sub hand_call
{
	my ($input) = @_;
	my $tables = $changes{ $input->{schema} };
	my @values;

	for my $arg (split /,\s*(?![^(]*\))/, $input->{args})
	{
		my ($type) = $arg =~ /^\s*\S+\s+(\w+)/;
		last if $arg =~ /DEFAULT/i && chance(2);
		push @values, defined $type && $tables->{$type} ? "(SELECT t FROM $type t ORDER BY random() LIMIT 1)" : pick('NULL', "'1'", '1', "'x'");
	}
	return { kind => 'command', sql => "SELECT $input->{name}(" . join(', ', @values) . ')' };
}

# Jobs, splits, live edits, and what else is done to those inside.
sub new_command
{
	my ($name, $enrollment) = @_;

	return { kind => 'command', sql => pick(
			"SELECT automation.pause($name, hold => true, queue => true)", "SELECT automation.pause($name, queue => true)", "SELECT automation.resume($name, 'shift')",
			"SELECT automation.resume($name, rate => 5)", "SELECT automation.resume($name, 'skip', skip_if_later_than => '1 hour')", "SELECT automation.hold($enrollment)",
			"SELECT automation.hold(id) FROM automation.enrollments LIMIT 3", "SELECT automation.release(id) FROM automation.enrollments", "SELECT automation.allow_again($name, t) FROM contact t LIMIT 2",
			"SELECT * FROM automation.backfill($name)", "SELECT * FROM automation.backfill($name, 'c.score > 10')", "SELECT * FROM automation.backfill($name, 'c.id < 4', dry_run => true)",
			"SELECT * FROM automation.backfill($name, rate => 2)", "SELECT * FROM automation.backfill($name, " . FuzzText::quoted(FuzzText::nasty()) . ')',
			"SELECT * FROM automation.migrate($name)", "SELECT * FROM automation.migrate($name)", "SELECT * FROM automation.migrate($name, dry_run => true)",
			"SELECT * FROM automation.migrate($name, '{\"*\": \"next\"}')", "SELECT * FROM automation.migrate($name, '{\"*\": \"end\", \"a\": \"again\"}')",
			"SELECT * FROM automation.migrate($name, '{\"12\": \"13\"}', from_version => 1)", "SELECT automation.decide($name, 's', goal => 'g', after => '1 hour', at_least => 1)",
			"SELECT automation.decide($name, 's', winner => 'a')", "SELECT automation.decide($name, 's')", "SELECT * FROM automation.explain($name)",
			"SELECT automation.cancel_job(job) FROM automation.progress", "DO \$\$ DECLARE i bigint; BEGIN FOR i IN SELECT id FROM automation.schedules LOOP CALL automation.tick(i); END LOOP; END \$\$",
			'CALL automation.tick(1)', "SELECT automation.retry($name)", "SELECT * FROM automation.health()") };
}

sub command
{
	my ($input) = @_;
	my $name = "'$input->{name}'";
	my $enrollment = '(SELECT max(id) FROM automation.enrollments)';

	return hand_call($input) if chance(3);
	return new_command($name, $enrollment) if chance(2);
	return { kind => 'command', sql => pick(
			"SELECT automation.pause($name)", "SELECT automation.pause($name, true)", "SELECT automation.resume($name)", "SELECT automation.retry($name)",
			"SELECT automation.retry($enrollment)", "SELECT automation.unenroll($enrollment)", "SELECT automation.unenroll($name, 1::bigint)",
			"SELECT automation.unenroll($name, t) FROM contact t LIMIT 2", "SELECT automation.unenroll_others(t) FROM contact t LIMIT 2",
			"SELECT automation.accept_versions($name)", "SELECT automation.finished($enrollment)", "SELECT automation.enrollment_status($enrollment)",
			"SELECT automation.statement_at(prosrc, 2) FROM pg_proc WHERE proname = $name", "ALTER FUNCTION $input->{name} RENAME TO renamed",
			"ALTER FUNCTION $input->{name} SET timezone = 'Asia/Tokyo'", "ALTER FUNCTION $input->{name} SET search_path = pg_catalog", "DROP ROUTINE $input->{name}",
			"SELECT automation.workflow_validator(oid) FROM pg_proc WHERE proname = $name",
			"SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = $name") };
}

sub engine
{
	return { kind => 'engine', sql => pick('CALL automation.run()', 'CALL automation.run()', "CALL automation.advance('1 day')", "CALL automation.advance('1 hour')",
			"CALL automation.advance('3 days')", "CALL automation.advance('8 days')") };
}

sub look
{
	return { kind => 'engine', sql => 'SELECT count(*) FROM (SELECT * FROM automation.' . pick('workflows', 'enrollments', 'stat', 'progress', 'moments', 'splits', 'schedules', 'journal', 'goal_reached', 'health()') . ') x' };
}

my $paid = "CREATE OR REPLACE VIEW fuzz.paid AS SELECT o.*, k.state FROM fuzz.purchase o LEFT JOIN fuzz.cart k ON k.id = o.cart WHERE o.status = 'paid'";
my $has_paid = "CREATE OR REPLACE FUNCTION fuzz.has_paid(who bigint) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM fuzz.paid WHERE contact = who)'";

# Somebody else in the way: a fault of another session while the engine runs there, or
# here. "there" is what the other session does first, "end" how it comes to an end.
sub fault
{
	return { kind => 'engine', fault => pick(
			{ there => 'CALL automation.run()', end => 'terminate' }, { there => 'CALL automation.run()', end => 'cancel' },
			{ there => "CALL automation.advance('1 day')", end => 'terminate' },
			{ there => 'LOCK TABLE contact', here => 'CALL automation.run()', end => 'rollback' }, { there => 'LOCK TABLE fuzz.purchase', here => 'CALL automation.run()', end => 'terminate' },
			{ there => 'UPDATE contact SET score = 50', here => 'CALL automation.run()', end => 'rollback' }, { there => "UPDATE fuzz.purchase SET status = 'paid'", here => 'CALL automation.run()', end => 'commit' },
			{ there => "INSERT INTO contact (name, score) VALUES ('other', 40)", here => "CALL automation.advance('1 hour')", end => pick('commit', 'terminate', 'rollback') }) };
}

# Takes a column or a type away under the workflow's feet, and gives it back.
sub alter
{
	my ($input) = @_;
	my ($there, $back) = @{ pick(
			[ 'ALTER TABLE contact RENAME COLUMN score TO score_', 'ALTER TABLE contact RENAME COLUMN score_ TO score' ],
			[ 'ALTER TABLE deal RENAME TO deal_', 'ALTER TABLE deal_ RENAME TO deal' ],
			[ 'ALTER TABLE contact ALTER COLUMN name TYPE varchar', 'ALTER TABLE contact ALTER COLUMN name TYPE text' ],
			[ 'ALTER TABLE fuzz.purchase RENAME COLUMN status TO status_', 'ALTER TABLE fuzz.purchase RENAME COLUMN status_ TO status' ],
			[ 'ALTER TABLE fuzz.purchase ALTER COLUMN contact TYPE bigint', 'SELECT 1' ],
			[ 'ALTER TABLE fuzz.cart RENAME TO cart_', 'ALTER TABLE fuzz.cart_ RENAME TO cart' ],
			[ 'ALTER TABLE fuzz.cart DROP COLUMN state CASCADE', "ALTER TABLE fuzz.cart ADD COLUMN IF NOT EXISTS state text; $paid" ],
			[ 'DROP VIEW fuzz.paid', $paid ],
			[ 'DROP FUNCTION fuzz.has_paid', $has_paid ],
			[ "CREATE OR REPLACE FUNCTION fuzz.has_paid(who bigint) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM fuzz.cart WHERE contact = who AND state = ''closed'')'", $has_paid ],
			[ 'CREATE OR REPLACE FUNCTION fuzz.has_paid(who bigint) RETURNS boolean LANGUAGE sql STABLE AS \'SELECT true\'', $has_paid ],
			[ "CREATE OR REPLACE FUNCTION fuzz.has_paid(who bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1 / 0 > 1; END'", $has_paid ],
			[ "CREATE OR REPLACE VIEW fuzz.paid AS SELECT o.*, NULL::text AS state FROM fuzz.purchase o WHERE o.amount > 50", $paid ],
			[ 'ALTER TABLE contact ADD COLUMN IF NOT EXISTS more int', 'SELECT 1' ]) };

	push @{ $input->{undo} }, $back;
	return { kind => 'command', sql => $there };
}

# Sets the plan of an input; steps: about twice as many as it has.
sub plan
{
	my ($input, $other, $steps) = @_;
	my @plan = map { change($input) } 1 .. 1 + int(rand(3));

	push @plan, hand_call($input) if chance(2);
	push @plan, { kind => 'engine', sql => 'CALL automation.run()' };
	for (1 .. int(rand($steps)))
	{
		my $which = rand(10);
		push @plan, $which < 3.5 ? change($input) : $which < 6 ? command($input) : $which < 8.6 ? engine() : $which < 9 ? look() : $which < 9.4 ? alter($input) : $which < 9.7 ? fault()
		  : { define => { %$input, body => chance(2) ? $other : mutate($input->{body}, $other) } };
	}
	push @plan, { kind => 'engine', sql => "CALL automation.advance('" . pick('1 day', '2 days', '4 days', '12 days') . "')" };
	# without the column or table, changes of rows may fail
	if ($input->{undo})
	{
		$_->{kind} = 'command' for grep { ($_->{kind} // '') eq 'change' } @plan;
	}
	if ($input->{body} =~ /\bAT [^;]*\b(?:now\(\)|current_|localtime|random|next_time|next_opening|clock_timestamp)/i)
	{
		$_->{endless} = 1 for @plan;
	}
	$input->{plan} = \@plan;
	return;
}

1;
