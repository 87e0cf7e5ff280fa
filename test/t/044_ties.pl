# Nobody who waits is overlooked: random conditions over a few tables, views and
# functions, random changes of the rows. With automation.recheck_interval so long that
# no wait is looked at by the clock, nobody may wait whose condition holds when
# everything is read. Conditions that can't be tied to rows are left out. How many
# were looked at in vain is told, not judged. Another seed: TIES_SEED; more:
# TIES_ROUNDS, TIES_CONDITIONS.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database server_up);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{TIES_SEED} // 7;
my $rounds = $ENV{TIES_ROUNDS} // 30;
my $wanted = $ENV{TIES_CONDITIONS} // 70;
my $people = 5;

$ENV{PGUSER} = 'postgres';
my $node = new_server('ties', "shared_preload_libraries = ''\nautomation.recheck_interval = 24h\nautomation.batch_time = 10s\nfsync = off\n");
owner_database($node, 'work', 'app', q{
CREATE TYPE kind AS ENUM ('call', 'mail');
CREATE DOMAIN number AS int CHECK (VALUE > -100);
CREATE TABLE contact (id int PRIMARY KEY, other bigint, name text, score int);
CREATE TABLE cart (id bigint PRIMARY KEY, contact_id int, other smallint, name varchar(9), score int);
CREATE TABLE sale (id int PRIMARY KEY, contact_id bigint, cart_id int, other number, name text COLLATE "C", score int);
CREATE TABLE act (id int PRIMARY KEY, contact_id int NOT NULL, sale_id int, other int, kind kind, name text, score int)
  PARTITION BY RANGE (id);
CREATE TABLE act_1 PARTITION OF act FOR VALUES FROM (0) TO (4);
CREATE TABLE act_2 PARTITION OF act FOR VALUES FROM (4) TO (100);
CREATE TABLE tag (contact_id int, name text, score int, PRIMARY KEY (contact_id, name));
CREATE VIEW wanted AS SELECT s.id, s.contact_id, k.other, s.name, k.score FROM sale s LEFT JOIN cart k ON k.id = s.cart_id WHERE s.score > 1;
CREATE VIEW either AS SELECT id, contact_id, other::int, name::text, score FROM cart UNION ALL SELECT id, contact_id::int, other::int, name, score FROM sale;
CREATE VIEW busy AS SELECT contact_id, contact_id AS other, count(*)::int AS score, max(name) AS name, min(id) AS id FROM act GROUP BY contact_id;
CREATE FUNCTION has_tag(c contact, t text) RETURNS boolean LANGUAGE sql AS
  $$ SELECT EXISTS (SELECT FROM tag WHERE contact_id = c.id AND name = t) $$;
CREATE FUNCTION sales_of(who bigint) RETURNS SETOF sale LANGUAGE sql STABLE AS
  $$ SELECT * FROM sale WHERE contact_id = who $$;
CREATE FUNCTION total(c contact) RETURNS int LANGUAGE sql STABLE
  BEGIN ATOMIC SELECT coalesce(sum(s.score), 0) FROM sales_of(c.id) s JOIN cart k ON k.id = s.cart_id WHERE k.score > 0; END;
CREATE FUNCTION nice(c contact) RETURNS boolean LANGUAGE sql STABLE AS
  $$ SELECT has_tag(c, 'a') OR total(c) > 3 $$;
INSERT INTO contact SELECT i, i % 3, 'n', i FROM generate_series(1, 8) i;
});
my $session = server_up($node, 'work', 'app');
srand($seed);

sub pick { return $_[ int(rand(@_)) ]; }
sub chance { return rand() < $_[0]; }

my $aliases;
my @tables = qw(cart cart sale sale sale act act tag contact wanted either busy);
my %numbers = (
	contact => [qw(id other score)], cart => [qw(id contact_id other score)], sale => [qw(id contact_id cart_id other score)],
	act => [qw(id contact_id sale_id other score)], tag => [qw(contact_id score)], wanted => [qw(id contact_id other score)],
	either => [qw(id contact_id other score)], busy => [qw(id contact_id score)], derived => [qw(id contact_id score)]);

# A column of one of the rows, or a value of the enrollment
sub column { my $r = pick(@_); return "$r->[0]." . pick(@{ $numbers{ $r->[1] } }); }
sub own { return pick('c.id', 'c.id', 'c.id', 'c.other', 'v', 'v', 'c.id + 0'); }
sub key { my $r = shift; return "$r->[0]." . pick(grep { $_ ne 'score' } @{ $numbers{ $r->[1] } }); }

# Something to equate a row with: mostly what makes sense
sub equality
{
	my ($r, @others) = @_;
	return key($r) . ' = ' . key(pick(@others)) if @others && chance(0.5);
	return key($r) . ' IN (c.id, v)' if chance(0.07);
	return (grep { $_ eq 'contact_id' } @{ $numbers{ $r->[1] } }) && chance(0.7) ? "$r->[0].contact_id = " . own() : key($r) . ' = ' . own();
}

sub filter
{
	my ($depth, @rows) = @_;
	my $r = pick(@rows);
	my $x = rand();

	return column(@rows) . pick(' > ', ' = ', ' <> ', ' <= ') . int(rand(5)) if $x < 0.45;
	return column(@rows) . pick(' IS NULL', ' IS NOT NULL') if $x < 0.55;
	return "$r->[0].name = " . pick(q{'a'}, q{'b'}) if $x < 0.65 && $r->[1] ne 'derived';
	return column(@rows) . ' IN (1, 2)' if $x < 0.70;
	return '(' . filter($depth, @rows) . ' OR ' . filter($depth, @rows) . ')' if $x < 0.77;
	return 'NOT (' . filter($depth, @rows) . ')' if $x < 0.80;
	return pick('', 'NOT ') . 'EXISTS (' . query($depth - 1, @rows) . ')' if $depth > 0 && $x < 0.90;
	return key($r) . pick(' IN', ' NOT IN', ' = ANY') . ' (' . query_of($depth - 1, @rows) . ')' if $depth > 0;
	return 'true';
}

# One of the rows in FROM
sub source
{
	my ($depth, @outer) = @_;
	my $name = 't' . ++$aliases;
	my $table = pick(@tables);

	if ($depth > 0 && chance(0.2))
	{
		my $inner = 't' . ++$aliases;
		my $of = pick(qw(cart sale act either));
		my $where = chance(0.5) ? ' WHERE ' . equality([ $inner, $of ]) : '';
		my $sub = pick(
			"SELECT $inner.id, $inner.contact_id, $inner.score FROM $of $inner$where",
			"SELECT DISTINCT $inner.id, $inner.contact_id, $inner.score FROM $of $inner$where",
			"SELECT max($inner.id) AS id, $inner.contact_id, count(*) AS score FROM $of $inner$where GROUP BY $inner.contact_id",
			"SELECT $inner.id, $inner.contact_id, $inner.score FROM $of $inner$where ORDER BY $inner.score, $inner.id LIMIT 2",
			"SELECT $inner.id, $inner.contact_id, k.score FROM $of $inner LEFT JOIN cart k ON k.id = $inner.other$where",
			"SELECT id, contact_id, score FROM sale UNION SELECT id, contact_id, score FROM act",
			"SELECT id, contact_id, score FROM act EXCEPT SELECT id, contact_id, score FROM sale",
			"WITH RECURSIVE r AS (SELECT id, contact_id, 0 AS score FROM act" . (chance(0.7) ? ' WHERE contact_id = ' . own() : '') . " UNION SELECT s.id, s.contact_id::int, 1 FROM sale s JOIN r ON s.cart_id = r.id) SELECT * FROM r",
			"SELECT $inner.id, $inner.contact_id, row_number() OVER (PARTITION BY $inner.contact_id ORDER BY $inner.id) AS score FROM $of $inner$where");
		return ([ $name, 'derived' ], "($sub) $name");
	}
	return ([ $name, 'sale' ], 'sales_of(' . pick('c.id', 'v') . ") $name") if chance(0.05);
	return ([ $name, $table ], "$table $name");
}

# FROM and WHERE
sub rest
{
	my ($depth, $first, $from, @outer) = @_;
	my @rows = ($first);
	my @where;

	push @where, equality($first, @outer) if chance(0.85);
	for (1 .. pick(0, 0, 1, 1, 2))
	{
		my ($row, $text) = source($depth, @outer);
		my $on = equality($row, @rows) . (chance(0.2) ? ' AND ' . filter(0, $row, @rows) : '');

		if (@rows == 1 && chance(0.2)) { $from .= ", $text"; push @where, $on; }
		else { $from .= ' ' . pick('JOIN', 'JOIN', 'LEFT JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN') . " $text ON $on"; }
		push @rows, $row;
	}
	push @where, filter($depth, @rows) for 1 .. pick(0, 1, 1, 2);
	return (\@rows, "FROM $from" . (@where ? ' WHERE ' . join(' AND ', @where) : ''));
}

sub query
{
	my ($depth, @outer) = @_;
	my ($first, $from) = source($depth, @outer);
	my ($rows, $text) = rest($depth, $first, $from, @outer);

	return "SELECT $text";
}

sub query_of
{
	my ($depth, @outer) = @_;
	my ($first, $from) = source($depth, @outer);
	my ($rows, $text) = rest($depth, $first, $from, @outer);

	return 'SELECT ' . key($first) . " $text";
}

sub condition
{
	my $x = rand();

	$aliases = 0;
	return 'NOT EXISTS (' . query(2) . ')' if $x < 0.25;
	return 'EXISTS (' . query(2) . ')' if $x < 0.45;
	return own() . pick(' IN', ' NOT IN') . ' (' . query_of(2) . ')' if $x < 0.60;
	if ($x < 0.80)
	{
		my ($first, $from) = source(2);
		my ($rows, $text) = rest(2, $first, $from);
		my $limited = key($first);
		return '(SELECT ' . pick('count(*)', 'count(*)', 'max(' . column(@$rows) . ')', 'coalesce(sum(' . column(@$rows) . '), 0)') . " $text) " . pick('>', '<', '=') . ' ' . int(rand(4));
	}
	return "(WITH w AS (" . query_of(1) . ") SELECT count(*) FROM w) " . pick('> 1', '= 0') if $x < 0.85;
	return pick(q{has_tag(c, 'b')}, q{NOT has_tag(c, 'a')}, 'nice(c)', 'NOT nice(c)', 'total(c) = 2') if $x < 0.90;
	return condition() . pick(' AND ', ' OR ') . condition();
}

# A row of a table, with values that others have, too
sub values_of
{
	my ($table) = @_;
	my %row;

	$row{$_} = chance(0.1) && $_ ne 'contact_id' ? 'NULL' : int(rand(6)) for @{ $numbers{$table} };
	$row{contact_id} = 1 + int(rand($people)) if exists $row{contact_id};
	$row{name} = pick(q{'a'}, q{'b'});
	$row{kind} = pick(q{'call'}, q{'mail'}) if $table eq 'act';
	$row{id} = 1 + int(rand(8)) if exists $row{id};
	return \%row;
}

sub change
{
	my $table = pick(qw(cart sale sale act act tag contact));
	my $row = values_of($table);
	my @names = sort keys %$row;

	return "UPDATE contact SET " . pick('other', 'score') . " = " . int(rand(5)) . " WHERE id = " . (1 + int(rand(8))) if $table eq 'contact';
	return "INSERT INTO $table (" . join(', ', @names) . ') VALUES (' . join(', ', @$row{@names}) . ') ON CONFLICT DO NOTHING' if chance(0.45);
	return "DELETE FROM $table WHERE " . ($table eq 'tag' ? 'contact_id' : 'id') . " = " . (1 + int(rand(8))) if chance(0.3);
	my $set = $table eq 'tag' ? 'score' : pick(grep { $_ ne 'id' || $table eq 'act' } @names);
	return "UPDATE $table SET $set = $row->{$set} WHERE " . ($table eq 'tag' ? 'contact_id' : 'id') . " = " . (1 + int(rand(8)))
	  . ($set eq 'id' ? " AND NOT EXISTS (SELECT FROM $table o WHERE o.id = $row->{id})" : '');
}

# Workflows whose conditions are tied to rows
my (@conditions, $swept, $wrong);
$swept = $wrong = 0;
$session->query("SET client_min_messages = error");
for (my $tries = 0; @conditions < $wanted && $tries < $wanted * 12; $tries++)
{
	my $text = condition();
	my $name = 'w' . @conditions;
	my $made = $session->query(chance(0.6) ? qq{CREATE FUNCTION $name(c contact, number int) RETURNS bigint LANGUAGE workflow AS \$w\$
  ENROLL AGAIN;
DECLARE
  v int := number;
BEGIN
  WAIT UNTIL $text;
END \$w\$} : chance(0.5) ? qq{CREATE FUNCTION $name(c contact, v int) RETURNS bigint LANGUAGE workflow AS \$w\$
  ENROLL AGAIN;
  EXIT WHEN $text;
BEGIN
  WAIT FOR '10 years';
END \$w\$} : qq{CREATE FUNCTION $name(c contact, v int) RETURNS bigint LANGUAGE workflow AS \$w\$
  ENROLL AGAIN;
BEGIN
  WAIT FOR '10 years';
  GOAL reached WHEN $text;
END \$w\$});

	if ($made =~ /ERROR/)
	{
		$wrong++;
		diag("$made\n$text") unless $made =~ /invalid reference to FROM-clause entry/;
		next;
	}
	if ($session->query("EXPLAIN SELECT FROM contact c CROSS JOIN LATERAL (SELECT c.id % 4 AS v) o WHERE ($text)") =~ /ERROR/)
	{
		$wrong++;						# some a FULL JOIN can't do
		$session->query("DROP FUNCTION $name");
		next;
	}
	if ($session->query("SELECT count(rechecked) FROM automation.explain('$name')") ne '0')
	{
		$swept++;
		$session->query("DROP FUNCTION $name");
		next;
	}
	push @conditions, $text;
}
note(scalar(@conditions) . " conditions; $swept can't be tied to rows, $wrong are no SQL");
cmp_ok(scalar(@conditions), '>=', $wanted * 0.8, 'there are conditions that are tied to rows');

# Whose condition holds, of those who wait
my $waiting = "(SELECT workflow, subject_key::int AS id FROM automation.enrollments WHERE state = 'waiting')";
my @checks = map {
	"SELECT 'w$_' AS workflow, c.id FROM contact c CROSS JOIN LATERAL (SELECT c.id % 4 AS v) o"
	  . " WHERE c.id IN (SELECT w.id FROM waiting w WHERE w.workflow = 'w$_') AND ($conditions[$_])"
} 0 .. $#conditions;
my $said = $session->query("PREPARE overlooked AS WITH waiting AS MATERIALIZED $waiting SELECT string_agg(workflow || ' of ' || id, ', ') FROM ("
  . join("\nUNION ALL ", @checks) . ') h');
is($said, '', 'and they can be asked together');

my (%failed, @log);
my $waits = 0;
for my $round (1 .. $rounds)
{
	$session->query("SELECT w$_(c, c.id % 4) FROM contact c WHERE id <= $people AND NOT EXISTS (SELECT FROM $waiting w WHERE w.id = c.id AND workflow = 'w$_')")
	  for grep { $round == 1 || chance(0.15) } 0 .. $#conditions;
	$session->query('CALL automation.run()');
	$waits += $session->query("SELECT count(*) FROM $waiting w");
	@log = ();
	for (1 .. pick(1, 1, 2, 3))
	{
		push @log, join(";\n", 'BEGIN', (map { change() } 1 .. pick(1, 1, 2, 3)), pick('COMMIT', 'COMMIT', 'COMMIT', 'COMMIT', 'ROLLBACK'));
		my $said = $session->query($log[-1]);
		diag($said) if $said =~ /ERROR/ && $said !~ /duplicate key|aborted/;
	}
	$said = $session->query('CALL automation.run()');
	diag($said) if $said;
	for (split(/, /, $session->query('EXECUTE overlooked')))
	{
		my ($w) = /^w(\d+) of/ or die "what is $_";
		diag("round $round: $_\n$conditions[$w]\n" . $session->query("SELECT * FROM automation.explain('w$w')") . "\nafter\n" . join("\n", @log)) unless $failed{$w}++;
	}
}
is(join(', ', map { "w$_" } sort keys %failed), '', 'nobody waits whose condition holds');
is($session->query("SELECT string_agg(DISTINCT workflow || ': ' || error, ', ') FROM automation.enrollments WHERE state NOT IN ('waiting')"), '', 'nobody has met an error');
my ($woken, $resumed) = split(/\|/, $session->query(q{SELECT woken, (SELECT count(*) FROM automation.journal WHERE event IN ('resumed') OR event = 'ended' AND reason IN ('exit_when')) FROM automation.stat}));
note("$woken looked at because of a row, $resumed went on");
note("$waits waits looked at; journal: " . $session->query("SELECT string_agg(event || ' ' || n, ', ') FROM (SELECT event || coalesce(' ' || reason, '') AS event, count(*) AS n FROM automation.journal GROUP BY 1) j"));
note('counters: ' . $session->query("SELECT s::text FROM automation.stat s"));
$session->close;
$node->stop;
done_testing();
