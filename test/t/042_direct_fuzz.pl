# Statements that run without the executor, against the ordinary way: random tables
# and workflows twice, once with all rows in one batch and once with a batch for each
# row, where no statement is run often enough to be run directly. What is stored and
# what is said of errors must be the same. Rows keep out of each other's way: one that
# fails is tried again behind the others. Another seed: DIRECT_SEED; more rounds:
# DIRECT_ROUNDS.
use strict;
use warnings;

use AutomationTest qw(new_server owner_database server_up);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{DIRECT_SEED} // 15;
my $rounds = $ENV{DIRECT_ROUNDS} // 25;
my $rows = 10;

$ENV{PGUSER} = 'postgres';
# a plan of its own for each run may compute, and refuse, values that no row needs
my $node = new_server('fuzzed', "shared_preload_libraries = ''\nautomation.batch_time = 10s\nfsync = off\nplan_cache_mode = force_generic_plan\n");
owner_database($node, 'work', 'app', q{
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN small AS int CHECK (VALUE < 90);
CREATE TABLE ref (id int PRIMARY KEY);
INSERT INTO ref SELECT generate_series(1, 8);
CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION changed(a int[]) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN a[1] := -1; RETURN true; END $$;
});
$node->safe_psql('work', 'GRANT CREATE ON DATABASE work TO app');
my $session = server_up($node, 'work', 'app');
srand($seed);

sub pick { return $_[ int(rand(@_)) ]; }
sub chance { return rand() < $_[0]; }

# A value of a type out of the starting row s, or of the changed row's columns.
sub value
{
	my ($type, $columns) = @_;
	my @same = grep { $_->{type} eq $type } @{ $columns // [] };

	return 'NULL' if chance(0.04);
	return pick(@same)->{name} if @same && chance(0.15);
	my $other = @same ? pick(@same)->{name} : undef;
	return pick('s.n', 's.n * 7', 's.id % 4', '5', '(s.n - 3) * 20', 's.other', '12 / (s.n - 9)', $other ? "$other + 1" : 's.n + 1') if $type =~ /^(int|bigint|small)$/;
	return pick('s.n / 3.0', "'1.005'", 's.n * 10000', $other ? "$other * 2" : '2') if $type =~ /^numeric/;
	return pick('s.t', "'x' || s.n", 'repeat(s.t, 3)', 's.big', "''", $other ? "$other || s.n" : 'upper(s.t)', "left(s.big, s.n * 300)") if $type eq 'text';
	return pick('s.t', "'v' || s.n", "repeat('w', s.n)") if $type =~ /^varchar/;
	return pick('s.n > 4', 'true', 's.t IS NULL') if $type eq 'boolean';
	return pick("'2020-02-01'::date + s.n", "DATE '1999-12-31'") if $type eq 'date';
	return pick('ARRAY[s.n, 2]', "'{}'", $other ? "array_append($other, s.n)" : 'ARRAY[NULL, s.n]') if $type eq 'int[]';
	return pick("'ok'", "(CASE WHEN s.n > 5 THEN 'sad' ELSE 'happy' END)::mood") if $type eq 'mood';
	return pick("jsonb_build_object('n', s.n)", 'to_jsonb(s.big)', "'[1]'") if $type eq 'jsonb';
	return 'NULL';
}

my @types = ('int', 'bigint', 'small', 'numeric(8,2)', 'text', 'text', 'varchar(6)', 'boolean', 'date', 'int[]', 'mood', 'jsonb');

sub make_column
{
	my ($number) = @_;
	my $column = { name => "c$number", type => pick(@types), extra => '' };

	$column->{extra} .= ' NOT NULL' if chance(0.1);
	$column->{extra} .= ' DEFAULT ' . { int => '3', text => "'default'", date => "'2001-01-01'" }->{ $column->{type} }
	  if chance(0.4) && $column->{type} =~ /^(int|text|date)$/;
	$column->{extra} .= " CHECK (c$number < 60)" if $column->{type} =~ /^(int|bigint)$/ && chance(0.2);
	$column->{extra} .= " CHECK (changed(c$number))" if $column->{type} eq 'int[]' && chance(0.5);
	$column->{extra} .= pick('', ' DEFERRABLE INITIALLY DEFERRED', ' DEFERRABLE') =~ s/^/, UNIQUE (k, c$number)/r if $column->{type} =~ /^(int|text|bigint|date)$/ && chance(0.2);
	$column->{extra} .= pick(' REFERENCES ref', ' REFERENCES ref ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED') if $column->{type} eq 'int' && $column->{extra} !~ /UNIQUE/ && chance(0.2);
	return $column;
}

# Key: its columns, how row number g has it, and how a statement finds it.
my @keys = (
	[ 'k int', 'g', 'k = s.id', 'k' ],
	[ 'k int', 'g', 's.id::bigint = k', 'k' ],
	[ 'k bigint', 'g', 'k = s.id', 'k' ],
	[ 'k smallint', 'g', 'k = s.other', 'k' ],
	[ 'k text', "'k' || g", "k = 'k' || s.id", 'k' ],
	[ 'k varchar(9)', "'k' || g", "k = ('k' || s.id)::varchar AND k <> 'k3'", 'k' ],
	[ 'k numeric', 'g', 'k = (s.id || \'.0\')::numeric', 'k' ],
	[ 'k uuid', 'md5(g::text)::uuid', 'k = md5(s.id::text)::uuid', 'k' ],
	[ 'k int[]', 'ARRAY[g, 1]', 'k = ARRAY[s.id, 1]', 'k' ],
	[ 'l mood, k int', "'ok', g", "k = s.id AND l = 'ok'", 'k, l' ],
	[ 'l text, k int', "'l' || g, g", "'l' || s.id = l AND s.other = k", 'l, k' ],
	[ 'k date', "DATE '2020-01-01' + g", "k = TIMESTAMP '2020-01-01' + s.id * interval '1 day'", 'k' ]);

sub make_table
{
	my ($name) = @_;
	my $key = pick(@keys);
	my $table = { name => $name, key => $key, columns => [ map { make_column($_) } 1 .. 2 + int(rand(5)) ] };
	my @late = grep { !$_->{extra} } splice(@{ $table->{columns} }, -1);
	my @sql = ('CREATE ' . (chance(0.1) ? 'UNLOGGED ' : '') . "TABLE $name (" . join(', ', $key->[0], 'gone int',
		map { "$_->{name} $_->{type}$_->{extra}" } @{ $table->{columns} }) . ", PRIMARY KEY ($key->[3]))" . (chance(0.3) ? ' WITH (fillfactor = 40)' : ''));

	push @sql, "INSERT INTO $name (" . join(', ', map { (split ' ')[0] } split(/, (?=\w+ \w)/, $key->[0])) . ") SELECT $key->[1] FROM generate_series(1, 7) g"
	  unless grep { $_->{extra} =~ /NOT NULL(?! DEFAULT)/ } @{ $table->{columns} };
	push @sql, "ALTER TABLE $name DROP gone" if chance(0.5);
	for my $column (@late)
	{
		push @sql, "ALTER TABLE $name ADD $column->{name} $column->{type}";
		push @{ $table->{columns} }, $column;
	}
	my $column = pick(@{ $table->{columns} });
	push @sql, "CREATE INDEX ON $name ($column->{name})" if chance(0.3) && $column->{type} ne 'jsonb';
	push @sql, "CREATE INDEX ON $name (($column->{name} IS NULL)) WHERE $column->{name} IS NOT NULL" if chance(0.2);
	push @sql, "CREATE TRIGGER t BEFORE UPDATE ON $name FOR EACH ROW EXECUTE FUNCTION spoil()" if chance(0.08);
	push @sql, "ALTER TABLE $name ADD generated text GENERATED ALWAYS AS (md5(k::text)) STORED" if chance(0.05) && $key->[0] =~ /k (int|bigint|text)$/;
	push @sql, "CREATE VIEW v$name AS SELECT * FROM $name";
	$table->{sql} = \@sql;
	return $table;
}

sub make_statement
{
	my ($table) = @_;
	my $name = chance(0.1) ? "v$table->{name}" : $table->{name};
	my @columns = grep { chance(0.5) } @{ $table->{columns} };

	return 'UPDATE starter SET ' . join(', ', map { "$_->[0] = " . value($_->[1], [ { name => "starter.$_->[0]", type => $_->[1] } ]) }
		pick([ [ 't', 'text' ] ], [ [ 'n', 'int' ], [ 'big', 'text' ] ], [ [ 'other', 'int' ] ])->@*) . ' WHERE id = s.id' . (chance(0.2) ? ' AND s.n > 3' : '') if chance(0.25);
	if (chance(0.4))
	{
		my @names = map { (split ' ')[0] } split(/, (?=\w+ \w)/, $table->{key}[0]);
		my $k = $table->{key}[1] =~ s/\bg\b/(s.id + pick_offset)/gr;
		my $offset = pick(0, 100);
		$k =~ s/pick_offset/$offset/g;
		return "INSERT INTO $name (" . join(', ', @names, map { $_->{name} } @columns) . ") VALUES (" . join(', ', $k, map { value($_->{type}) } @columns) . ')';
	}
	@columns = $table->{columns}[0] unless @columns;
	return "UPDATE $name SET " . join(', ', map { "$_->{name} = " . value($_->{type}, $table->{columns}) } @columns) . " WHERE $table->{key}[2]"
	  . (chance(0.2) ? ' AND ' . pick('s.n <> 4', 's.t IS NOT NULL', "$columns[0]{name} IS NULL") : '');
}

# What both ways have in common; the schema is the path.
sub make_round
{
	my @tables = map { make_table($_) } 'a', 'b';
	my @body = map {
		my $statement = '  ' . make_statement(pick(@tables)) . ';';
		chance(0.2) ? ($statement, "  IF FOUND AND s.n < 8 THEN\n  " . make_statement(pick(@tables)) . ";\n  END IF;") : $statement;
	} 1 .. 2 + int(rand(4));

	return join(";\n", 'CREATE TABLE starter (id int PRIMARY KEY, n int, other int, t text, big text)', map { @{ $_->{sql} } } @tables)
	  . ";\nCREATE FUNCTION f(s starter) RETURNS bigint LANGUAGE workflow AS \$f\$\n  AFTER INSERT;\nBEGIN\n" . join("\n", @body) . "\nEND \$f\$;\n";
}

sub start
{
	my ($i) = @_;
	return "INSERT INTO starter VALUES ($i, $i, 11 - $i, CASE WHEN $i <> 6 THEN 't$i' END, (SELECT string_agg(md5('$i' || g), '') FROM generate_series(1, 120) g));\n";
}

# Tables and errors after a way, as text.
my $result = q{SELECT md5(string_agg(r, E'\n' ORDER BY r)) || E'\n' || string_agg(left(r, 300), E'\n' ORDER BY r) FROM (
  SELECT 'a ' || a::text AS r FROM a UNION ALL SELECT 'b ' || b::text FROM b UNION ALL SELECT 's ' || s::text FROM starter s UNION ALL
  SELECT concat_ws(' ', 'j', subject_key, event, reason, detail ->> 'sqlstate', detail ->> 'message', detail ->> 'detail', detail ->> 'context')
  FROM automation.journal WHERE subject_table = 'starter'::regclass) r};

sub go
{
	my ($schema, $script, $together) = @_;
	my $run = "CALL automation.run();\n";
	my $steps = $together ? 'BEGIN; ' . join('', map { start($_) } 1 .. $rows) . "COMMIT;\n$run" : join('', map { start($_) . $run } 1 .. $rows);
	my $before = $session->query("SET client_min_messages = error; SELECT coalesce(max(statements_direct), 0) FROM automation.stat");
	my $said = $session->query("CREATE SCHEMA $schema; SET search_path = $schema, app; $script $steps");
	my $direct = ($session->query('SELECT coalesce(max(statements_direct), 0) FROM automation.stat') // 0) - ($before // 0);
	my $stored = $session->query($result);

	$session->query("SET search_path = app; SET client_min_messages = error; DROP SCHEMA $schema CASCADE");
	return ($said, $direct, $stored);
}

my ($found, $direct, $errors, $wrong) = (0, 0, 0, 0);
for my $round (1 .. $rounds)
{
	my $script = make_round();
	my ($said, $alone, $apart) = go("w$round", $script, 0);
	if (!defined $apart || $said =~ /ERROR/)
	{
		$wrong++;
		note("round $round is no program: $said\n$script") if $ENV{DIRECT_VERBOSE};
		next;
	}
	my ($also_said, $directly, $together) = go("w$round", $script, 1);
	$direct += $directly // 0;
	$errors++ if $apart =~ /^j .* retrying /m;
	next if defined $together && $together eq $apart && $alone == 0;
	$found++;
	diag("round $round of seed $seed, $alone directly:\n$script\n--- apart\n$apart\n--- together\n" . ($together // 'nothing'));
	last unless $session->alive;
}
is($found, 0, "$rounds rounds of seed $seed: no difference");
cmp_ok($direct, '>', $rounds * 5, "$direct statements went directly");
cmp_ok($wrong, '<', $rounds / 4, "$wrong rounds were no programs");
note("$errors rounds with errors");

$session->close;
$node->stop;

done_testing();
