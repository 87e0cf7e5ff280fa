# The CRM of install_crm(): two calls at the same time; dump and restore with what
# its user has added; what DROP EXTENSION leaves of it, and how that is mended; the examples
# of doc/crm.md.
use strict;
use warnings;

use FindBin;
use AutomationTest qw(owner_database wait_until);
use PageExamples qw(examples plain);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $node = PostgreSQL::Test::Cluster->new('kit');
$node->init(extra => [ '-U', 'postgres' ]);
$node->append_conf('postgresql.conf', q{
fsync = off
shared_preload_libraries = 'pg_cron'
cron.database_name = 'page'
});
$node->start;
owner_database($node, 'work', 'app');
$node->safe_psql('work', 'GRANT CREATE ON DATABASE work TO app');

# What a call says.
sub install
{
	my ($database) = @_;
	my ($ret, $stdout, $stderr) = $node->psql($database, "CALL automation.install_crm('crm')", extra_params => [ '-U', 'app' ]);

	is($ret, 0, "$database: install_crm()");
	$stderr =~ s/\Apsql:<stdin>:\d+: //;
	return $stderr;
}

# Lists with every definition that the kit's tables and functions have.
my $inventory = q{
SELECT * FROM (
	SELECT c.relname || '.' || a.attname || ' ' || format_type(atttypid, atttypmod) || ' ' || coalesce(pg_get_expr(adbin, adrelid), '')
		|| ' ' || coalesce(col_description(c.oid, attnum), '')
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = attnum
	WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'v') AND attnum > 0 AND NOT attisdropped
	UNION ALL SELECT pg_get_functiondef(oid) || obj_description(oid, 'pg_proc') FROM pg_proc WHERE pronamespace = 'crm'::regnamespace AND proname <> 'tall'
	UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE relnamespace = 'crm'::regnamespace AND NOT tgisinternal AND tgname NOT LIKE 'automation%'
	UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE relnamespace = 'crm'::regnamespace
	UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'crm'::regnamespace) x (line) ORDER BY line COLLATE "C"};

# Two lists are the same: shows what only one of them has.
sub same
{
	my ($got, $expected, $name) = @_;
	# a dump writes more parentheses, or fewer
	my %left = map { tr/()//dr => 1 } split /\n/, $got;
	my %right = map { tr/()//dr => 1 } split /\n/, $expected;

	is(join("\n", (map { "too much: $_" } grep { !$right{$_} } sort keys %left), (map { "missing: $_" } grep { !$left{$_} } sort keys %right)), '', $name);
	return;
}

# ---------------------------------------------------------------------------
# Two calls at the same time: the second waits, and finds everything done
# ---------------------------------------------------------------------------

my $watch = AutomationTest::Session->new($node, 'work', 'postgres');
my $first = AutomationTest::Session->new($node, 'work', 'app');
my $second = AutomationTest::Session->new($node, 'work', 'app');
my $elsewhere = AutomationTest::Session->new($node, 'work', 'app');
my $pid = $second->pid;

like($first->query("BEGIN; CALL automation.install_crm('crm');"), qr/CRM in schema "crm": made 6 types, \d+ tables, .* 0 objects were there already/, 'the first makes it');
$second->send("CALL automation.install_crm('crm');");
ok(wait_until($watch, "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $pid AND NOT granted AND locktype = 'advisory')"), 'the second waits for it');
like($elsewhere->query("BEGIN; CALL automation.install_crm('other');"), qr/CRM in schema "other": made 6 types/, 'one for another schema does not');
$elsewhere->query('ROLLBACK;');
$first->query('COMMIT;');
like($second->receive, qr/CRM in schema "crm": made nothing; \d{3,} objects were there already/, 'the second has nothing left to do');

# and if the first takes it back, the second makes it
$first->query('SET client_min_messages = warning; DROP SCHEMA crm CASCADE; RESET client_min_messages;');
$first->query("BEGIN; CALL automation.install_crm('crm');");
$second->send("CALL automation.install_crm('crm');");
ok(wait_until($watch, "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $pid AND NOT granted AND locktype = 'advisory')"), 'the second waits again');
$first->query('ROLLBACK;');
like($second->receive, qr/made 6 types/, 'taken back by the first, made by the second');
$_->close foreach $first, $second, $elsewhere;

# what is missing is told by its numbers
$node->safe_psql('work', 'DROP TABLE crm.quote_contact CASCADE', extra_params => [ '-U', 'app' ]);
like(install('work'), qr/CRM in schema "crm": made 1 table, 1 view, 1 index.*; \d+ objects were there already/, 'one table is made again, with what belonged to it');

# ---------------------------------------------------------------------------
# Dump and restore
# ---------------------------------------------------------------------------

$node->safe_psql('work', q{
SET search_path = crm;
ALTER TABLE contact ADD COLUMN shoe_size int;
INSERT INTO contact (first_name, last_name, shoe_size) VALUES ('Ann', 'Lee', 38);
UPDATE contact SET name = 'Annie', updated_at = '2020-01-01 UTC';
INSERT INTO pipeline (object_type, name) VALUES ('deal', 'Sales');
INSERT INTO pipeline_stage (pipeline_id, name, position) VALUES (1, 'New', 1), (1, 'Demo', 2);
INSERT INTO deal (title, stage_id) VALUES ('Boat', 1);
INSERT INTO form (name) VALUES ('Trial');
INSERT INTO form_submission (form_id, contact_id) VALUES (1, 1);
CREATE FUNCTION tall(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF shoe_size WHEN new.shoe_size > 40;
BEGIN
  SELECT add_tag(c, 'tall');
END $$;
}, extra_params => [ '-U', 'app' ]);

my $directory = PostgreSQL::Test::Utils::tempdir;
my %contents;
my @tables = split /\n/, $node->safe_psql('work', q{SELECT oid::regclass FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind = 'r' ORDER BY relname});
$contents{$_} = $node->safe_psql('work', "SELECT t.* FROM $_ t ORDER BY t::text") foreach @tables;
my $definitions = $node->safe_psql('work', $inventory);
foreach my $how ([ 'plain', '-Fp' ], [ 'custom', '-Fc' ])
{
	my ($name, $format) = @$how;
	my $file = "$directory/$name";

	command_ok([ 'pg_dump', $format, '-f', $file, $node->connstr('work') ], "pg_dump $format");
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	if ($format eq '-Fp')
	{
		command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($name), '-f', $file ], 'psql restores it');
	}
	else
	{
		command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr($name), $file ], 'pg_restore restores it');
	}
	same($node->safe_psql($name, $inventory), $definitions, "$name: tables, functions, triggers, indexes and constraints are the same");
	is($node->safe_psql($name, "SELECT t.* FROM $_ t ORDER BY t::text"), $contents{$_}, "$name: $_") foreach grep { $contents{$_} ne '' } @tables;
	like(install($name), qr/CRM in schema "crm": made nothing; \d+ objects were there already/, "$name: nothing is missing");
	is( $node->safe_psql($name, q{
SET search_path = crm;
UPDATE deal SET stage_id = 2;
INSERT INTO contact (first_name, shoe_size) VALUES ('Big', 47);
SELECT (SELECT count(*) FROM stage_history), (SELECT name FROM contact WHERE shoe_size = 47)}, extra_params => [ '-U', 'app' ]),
		'2|Big', "$name: the rules of the tables hold, ids go on");
	$node->safe_psql($name, 'CALL automation.arm()');
	$node->safe_psql($name, 'UPDATE crm.contact SET shoe_size = 48 WHERE shoe_size = 47', extra_params => [ '-U', 'app' ]);
	$node->safe_psql($name, 'CALL automation.run()', extra_params => [ '-U', 'app' ]);
	is($node->safe_psql($name, 'SELECT count(*) FROM crm.contact_tag'), 1, "$name: so do workflows on them");
}

# ---------------------------------------------------------------------------
# DROP EXTENSION
# ---------------------------------------------------------------------------

my ($ret, $stdout, $stderr) = $node->psql('custom', 'DROP EXTENSION automation');
like($stderr, qr/cannot drop extension automation because other objects depend on it/, 'the extension is not dropped from under the CRM');
$node->safe_psql('custom', 'SET client_min_messages = warning; DROP EXTENSION automation CASCADE');
is($node->safe_psql('custom', "SELECT count(*) FROM crm.contact WHERE name = 'Annie'"), 1, 'CASCADE leaves the tables with what is in them');
isnt($node->safe_psql('custom', $inventory), $definitions, 'but takes functions and defaults');
$node->safe_psql('custom', 'CREATE EXTENSION automation; GRANT USAGE ON LANGUAGE workflow TO app');
like(install('custom'), qr/made .*functions/, 'functions are made again');
# the query of doc/crm.md
my $page = slurp_file("$FindBin::Bin/../../doc/crm.md");
like($page, qr/```sql\n(SELECT format\('ALTER TABLE.*?\\gexec)\n```/s, 'the page says how defaults come back');
my ($mend) = $page =~ /```sql\n(SELECT format\('ALTER TABLE.*?\\gexec)\n```/s;
$node->safe_psql('custom', $mend, extra_params => [ '-U', 'app' ]);
same($node->safe_psql('custom', $inventory), $definitions, 'and then everything is as it was, but for the workflow');

# The page speaks of everything that is made
my $words = join ' ', $page =~ /(\w+)/g;
is( join("\n", grep { $words !~ /\b$_\b/ } split /\n/, $node->safe_psql('work', q{
SELECT relname FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'v') ORDER BY relname})),
	'', 'doc/crm.md names every table and view');
is( join("\n", grep { $words !~ /\b$_\b/ } split /\n/, $node->safe_psql('work', q{
SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'crm'::regnamespace AND prorettype <> 'trigger'::regtype
	AND obj_description(oid, 'pg_proc') !~ '^(Internal|Used by|For|Raises|Error)' ORDER BY 1})),
	'', 'and every function');

# Every action of the catalogue is named by what does it, or by the page where plain SQL does.
my %named;
my $comments = $node->safe_psql('work', q{SELECT string_agg(obj_description(oid, 'pg_proc'), ' ') FROM pg_proc
	WHERE pronamespace IN ('crm'::regnamespace, 'automation'::regnamespace)});
my $told = "$comments $page";
while ($told =~ /\bA(\d+)(?: to A(\d+))?\b/g)
{
	$named{ sprintf 'A%02d', $_ } = 1 for $1 .. $2 // $1;
}
is(join(' ', grep { !$named{$_} } slurp_file("$FindBin::Bin/../conformance/catalogue.tsv") =~ /^(A\d+)\t/mg), '', 'every action is named where it is');

# ... and its examples run, in their order
owner_database($node, 'page', 'app');
$node->safe_psql('page', 'CREATE EXTENSION pg_cron; GRANT CREATE ON DATABASE page TO app');
foreach my $example (examples($page))
{
	my ($output, $errors);
	my $user = $example->{sql} =~ /\A-- as superuser/ ? 'postgres' : 'app';
	my $ok = IPC::Run::run(
		[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port, '-U', $user, '-d', 'page', '-f', '-' ],
		'<', \"SET client_min_messages = error;\n$example->{sql}", '>', \$output, '2>', \$errors);
	ok($ok, "doc/crm.md: the example at line $example->{line}") || diag($errors);
	is(plain($output), plain($example->{shown}), 'and what it shows') if $ok && defined $example->{shown};
}
is($node->safe_psql('page', 'SELECT name, hold, note FROM automation.workflows WHERE hold IS NOT NULL'), '', 'no workflow of the page is held');

done_testing();
