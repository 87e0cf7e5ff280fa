# Bodies made from the grammar: whole workflows over the tables contact and deal
# (the columns that both schemas have), most of which can be defined and run.
package FuzzGrammar;

use strict;
use warnings;

use Exporter 'import';
use FuzzText qw(pick chance nasty);

our @EXPORT_OK = qw(generate);

# What expressions of a type are made of.  %1 to %4 are expressions of the types
# named, E is one of any type.
my %leaf = (
	bool => [ 'true', 'false', 'NULL', 'found', 'c.unsubscribed', 'c IS NOT NULL', 'c.email IS NULL' ],
	int => [ '0', '1', '-1', '7', '100', '2147483647', 'NULL', 'c.score', 'n', 'c.id::int', 'length(c.name)' ],
	text => [ "'x'", "''", "'open'", "'\xc3\xa9'", 'NULL', 'c.name', 'c.email', 's', "'Europe/Paris'", "E'a\\'b'", '$q$d$q$', 'c.lifecycle' ],
	num => [ '0.5', '-1.25', '1e10', "'NaN'", 'NULL', 'c.score', 'n' ],
	interval => [ "'1 day'", "'3 days'", "'1 hour'", "'0'", "'-1 day'", "interval '1 month'", "'1 second'", 'NULL', 'i', "'90 minutes'", "'1 mon -3 days 02:00'",
		"'infinity'", "'100000 years'" ],
	moment => [ 'now()', 'entered_at()', 'current_timestamp', 'm', "'2030-01-01'", "timestamptz '2001-01-01 00:00+00'", "'infinity'", "'-infinity'", 'NULL', 'localtimestamp' ],
	date => [ 'current_date', 'c.birthday', "date '2024-02-29'", "date 'infinity'", "date '-infinity'", 'NULL', "date '5874897-12-31'" ],
);

my %branch = (
	bool => [
		'{int} > {int}', '{int} = {int}', '{text} = {text}', 'NOT ({bool})', '({bool}) AND ({bool})', '({bool}) OR ({bool})', '{bool} IS TRUE', '{text} IS NULL',
		'{moment} > {moment}', '{date} < {date}', '{int} BETWEEN {int} AND {int}', '{text} LIKE {text}', '{int} IN ({int}, {int})',
		'EXISTS (SELECT FROM deal d WHERE d.id = {int})', '{int} = ANY (ARRAY[{int}, {int}])', 'CASE WHEN {bool} THEN {bool} ELSE {bool} END',
		'{text} ~ {text}', '{int} IS DISTINCT FROM {int}', '({int}, {text}) = ({int}, {text})', '{interval} > {interval}', 'coalesce({bool}, {bool})',
		'(SELECT {bool})', '{num} < {num}', '{text} IN (SELECT d.title FROM deal d)', 'automation.finished({int})', '({bool})::text::bool',
	],
	int => [
		'{int} + {int}', '{int} * {int}', '{int} / {int}', '-({int})', 'abs({int})', 'coalesce({int}, {int})', 'CASE WHEN {bool} THEN {int} END',
		'(SELECT max(d.id)::int FROM deal d WHERE d.id > {int})', 'length({text})', '({text})::int', 'greatest({int}, {int})', '(ARRAY[{int}, {int}])[{int}]',
		'extract(day FROM {moment})::int', '{date} - {date}', '(SELECT count(*)::int FROM contact x WHERE x.score = {int})', '({num})::int', '{int} % {int}',
	],
	text => [
		'{text} || {text}', 'upper({text})', 'coalesce({text}, {text})', 'left({text}, {int})', '({int})::text', "concat_ws(' ', {text}, {int})",
		'CASE {int} WHEN {int} THEN {text} ELSE {text} END', '(SELECT d.title FROM deal d WHERE d.id = {int})', 'to_char({moment}, {text})', "format('%s', {text})",
		'({moment})::text', '({interval})::text', "({text}) COLLATE \"C\"", 'substring({text} FROM {int})', 'nullif({text}, {text})', 'md5({text})', '({date})::text',
	],
	num => [ '{num} + {num}', '{num} / {num}', 'round({num}, 2)', '({int})::numeric', '{num} ^ {num}', 'ln({num})', 'extract(epoch FROM {interval})', '(SELECT sum(d.value) FROM deal d)' ],
	interval => [
		'({interval})::interval + {interval}', '({interval})::interval * {int}', 'make_interval(days => {int})', 'coalesce({interval}, {interval})',
		'CASE WHEN {bool} THEN {interval} ELSE {interval} END', '({int} || \' days\')::interval', '{moment} - now()', 'justify_days({interval})', '-({interval})::interval',
	],
	moment => [
		'now() + {interval}', '{moment} + interval {ilit}', 'coalesce({moment}, {moment})', "date_trunc('day', now())", 'greatest(now(), {moment})',
		"({moment})::timestamptz AT TIME ZONE {text}", '{date} + time \'09:00\'', 'CASE WHEN {bool} THEN {moment} END', '{date}', "make_timestamptz({int}, 1, 1, 0, 0, 0)",
		'(SELECT max(d.id) * interval \'1 day\' + now() FROM deal d)', '({text})::timestamptz', "to_timestamp({num})",
	],
	date => [ '{date} + {int}', 'coalesce({date}, {date})', '({moment})::date', 'make_date(2024, 2, {int})', '({text})::date', 'CASE WHEN {bool} THEN {date} END' ],
	ilit => [ "'1 day'", "'1 hour'", "'-1 hour'", "'1 month'" ],
);

# An expression; rows: what stands for c here, NULL where nothing is known.
sub expression
{
	my ($type, $depth) = @_;
	return nasty() if chance(60);
	my $form = $type eq 'ilit' || ($depth > 0 && !chance(3)) ? pick(@{ $branch{$type} }) : pick(@{ $leaf{$type} });
	$form =~ s/\{(\w+)\}/expression($1, $depth - 1)/ge;
	return $form;
}

sub depth
{
	return chance(40) ? 6 : int(rand(4));
}

# The same in a scope where "c" is called otherwise and variables are not known.
sub change_expression
{
	my ($type, $row) = @_;
	my $text = expression($type, depth());

	return $text if chance(30);
	$text =~ s/(?<![.\w"'])c(?=\.| IS)/$row/g;
	$text =~ s/(?<![.\w"'])(?:n|s|i|m|found)(?![\w.("'])/NULL/g;
	$text =~ s/entered_at\(\)/now()/g;
	return $text;
}

# In clauses, variables are not known yet.
sub clause_expression
{
	return change_expression($_[0], 'c');
}

sub after
{
	my $row = 'new';
	my $on = pick('', '', '', ' ON deal', ' ON contact');
	my $what;
	my $query = $on eq ' ON deal' ? ' FOR SELECT x.id FROM contact x WHERE x.id <= 2' : '';

	if (chance(6))
	{
		$row = 'old';
		$what = 'DELETE';
		$query = ' FOR SELECT x.id FROM contact x WHERE x.id > old.id LIMIT 1';
	}
	else
	{
		my $column = $on eq ' ON deal' ? pick('title', 'value', 'status') : pick('name', 'score', 'email', 'lifecycle');
		$what = pick('INSERT', 'UPDATE', 'INSERT OR UPDATE', "UPDATE OF $column", "INSERT OR UPDATE OF $column");
		$what .= pick(" FROM 'open'", ' FROM NULL', " TO 'x'", ' TO NULL', ' TO 5', " FROM '1' TO '2'") if $what =~ /OF/ && chance(4);
	}
	my $when = chance(2) ? ' WHEN ' . ($on eq ' ON deal' ? "$row.id > " . int(rand(3)) : change_expression('bool', $row)) : '';
	$query = ' FOR ' . pick('SELECT new.id', 'VALUES (new.id)', 'WITH q AS (SELECT 1 AS one) SELECT new.id FROM q', 'SELECT new.id UNION SELECT 2',
		'SELECT x FROM contact x WHERE x.id = new.id', 'SELECT NULL::bigint', 'SELECT x.id FROM contact x', 'SELECT new', 'SELECT new.id FROM generate_series(1, 3)')
	  if $row eq 'new' && $on ne ' ON deal' && chance(4);
	return "  AFTER $what$on$when$query;\n";
}

sub clauses
{
	my $text = '';

	$text .= after() for 1 .. (chance(5) ? 0 : 1 + int(rand(3)));
	$text .= '  ENROLL ' . pick('ONCE', 'AGAIN', 'AGAIN', 'AGAIN', 'REPLACE', 'AGAIN AFTER ' . clause_expression('interval'))
	  . pick('', '', ' PER c', ' PER c, ' . clause_expression('text'), ' PER ' . clause_expression('int')) . ";\n"
	  if $text eq '' || chance(1.5);
	$text .= '  EXIT WHEN ' . clause_expression('bool') . ";\n" if chance(5);
	$text .= '  TIME ZONE ' . clause_expression('text') . ";\n" if chance(12);
	$text .= "  SEND DURING 'Mon-Fri 09:00-17:00';\n" if chance(60);
	return $text;
}

sub sql
{
	return pick(
		'SELECT ' . expression(pick(qw(int text bool moment)), depth()),
		'SELECT ' . expression('int', depth()) . ' INTO n',
		'SELECT ' . expression('text', depth()) . ', ' . expression('int', 1) . ' INTO s, n',
		'UPDATE contact SET score = ' . expression('int', depth()) . ' WHERE id = c.id',
		'UPDATE contact SET name = ' . expression('text', depth()) . ' WHERE contact.id = c.id RETURNING id INTO n',
		'UPDATE deal SET title = coalesce(' . expression('text', depth()) . ", '') WHERE " . expression('bool', depth()),
		'INSERT INTO contact (name, score) SELECT ' . expression('text', depth()) . ', ' . expression('int', depth()) . ' WHERE ' . expression('bool', 1),
		'DELETE FROM deal d WHERE d.id > 5 AND ' . expression('bool', depth()),
		'DELETE FROM contact x WHERE x.id > 5 AND x.id = c.id',
		'WITH q AS (SELECT ' . expression('int', depth()) . ' AS a) SELECT a INTO n FROM q',
		'VALUES (' . expression('text', depth()) . ')',
		'MERGE INTO deal d USING (SELECT c.id) q ON d.id = q.id WHEN MATCHED THEN UPDATE SET title = ' . "coalesce(" . expression('text', 1) . ", '')",
		'SELECT automation.unenroll_others(c)',
		'SELECT w(c) INTO n',
		"SELECT 1 / (n - n)",
	);
}

my @labels = qw(a b again done "Q");

sub statement
{
	my ($depth) = @_;
	my $which = rand(20);

	return sql() . ';' if $which < 6;
	return pick('n := ' . expression('int', depth()), 's := ' . expression('text', depth()), 'i := ' . expression('interval', depth()), 'm := ' . expression('moment', depth())) . ';'
	  if $which < 9;
	return 'WAIT FOR ' . expression('interval', depth()) . ';' if $which < 11.5;
	return 'WAIT UNTIL ' . expression(pick('moment', 'bool', 'date'), depth()) . pick('', ' TIMEOUT ' . expression('interval', depth())) . ';' if $which < 14;
	return 'IF ' . expression('bool', depth()) . " THEN\n" . statements($depth - 1) . pick('', 'ELSIF ' . expression('bool', 1) . " THEN\n" . statements($depth - 1))
	  . pick('', "ELSE\n" . statements($depth - 1)) . 'END IF;'
	  if $which < 17 && $depth > 0;
	return 'GO TO ' . pick(@labels) . pick('', ' AT MOST 2 TIMES', ' AT MOST 3 TIMES PER ' . expression('interval', 1)) . ';' if $which < 18.3;
	return 'EXIT;' if $which < 18.7;
	return pick("SEND message('x');", "SEND message(c.name) INTO n TIMEOUT '1 day';", "GOAL g WHEN " . expression('bool', 1) . ';',
		"WAIT FOR INSERT ON deal WHEN new.id = c.id TIMEOUT '1 day';", "SPLIT x (a, b);")
	  if $which < 19;
	return 'WAIT FOR ' . pick("'1 day'", "'1 hour'", "'3 days'") . ';';
}

sub statements
{
	my ($depth) = @_;
	my $text = '';

	for (1 .. int(rand(5)))
	{
		$text .= '<<' . pick(@labels) . ">>\n" if chance(8);
		$text .= '  ' . statement($depth) . "\n";
	}
	return $text;
}

# A workflow w(c contact).
sub generate
{
	my $body = clauses();

	$body .= "DECLARE\n  n int := " . pick('0', clause_expression('int')) . ";\n  s text" . pick('', " := 'x'") . ";\n  i interval := '1 day';\n  m timestamptz"
	  . pick('', ' := now()') . ";\n";
	$body .= "BEGIN\n" . statements(3) . statements(2) . 'END ';
	# jumps to labels that are nowhere would be most of the errors
	for my $label (@labels)
	{
		$body =~ s/END $/<<$label>>\nEND / if $body =~ /GO TO $label/ && $body !~ /<<$label>>/ && !chance(10);
	}
	# labels that come twice too
	my %seen;
	$body =~ s/(<<[^>]*>>)\n/$seen{$1}++ ? '' : "$1\n"/ge;
	return { schema => pick('fuzz', 'crm'), name => 'w', args => 'c contact', returns => 'bigint', attributes => '', body => $body };
}

1;
