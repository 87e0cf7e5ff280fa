# Workflows made from the grammar, over tables that both schemas have; most of
# them can be defined and run.  An @ stands before what is called otherwise in the
# other schema.
package FuzzGrammar;

use strict;
use warnings;

use Exporter 'import';
use FuzzText qw(pick chance nasty);

our @EXPORT_OK = qw(generate);

# Nothing that is there to be refused: more of what is made can be run.
our $calm = 0;

# What expressions of a type are made of.  %1 to %4 are expressions of the types
# named, E is one of any type.
my %leaf = (
	bool => [ 'true', 'false', 'NULL', 'found', 'c.unsubscribed', 'c IS NOT NULL', 'c.email IS NULL' ],
	int => [ '0', '1', '-1', '7', '100', '2147483647', 'NULL', 'c.score', 'n', 'c.id::int', 'length(c.name)' ],
	text => [ "'x'", "''", "'open'", "'\xc3\xa9'", 'NULL', 'c.name', 'c.email', 's', "'Europe/Paris'", "E'a\\'b'", '$q$d$q$', 'c.lifecycle' ],
	num => [ '0.5', '-1.25', '1e10', "'NaN'", 'NULL', 'c.score', 'n' ],
	interval => [ "'1 day'", "'3 days'", "'1 hour'", "'0'", "'-1 day'", "interval '1 month'", "'1 second'", 'NULL', 'i', "'90 minutes'", "'1 mon -3 days 02:00'",
		"'infinity'", "'100000 years'", 'c.@interval', 'c.@interval' ],
	moment => [ 'now()', 'entered_at()', 'current_timestamp', 'm', "'2030-01-01'", "timestamptz '2001-01-01 00:00+00'", "'infinity'", "'-infinity'", 'NULL', 'localtimestamp', 'c.@moment', 'c.@moment', 'now()::timestamp', 'c.birthday' ],
	date => [ 'current_date', 'c.birthday', "date '2024-02-29'", "date 'infinity'", "date '-infinity'", 'NULL', "date '5874897-12-31'", 'c.birthday + 8000' ],
);

my %branch = (
	bool => [
		'{int} > {int}', '{int} = {int}', '{text} = {text}', 'NOT ({bool})', '({bool}) AND ({bool})', '({bool}) OR ({bool})', '{bool} IS TRUE', '{text} IS NULL',
		'{moment} > {moment}', '{date} < {date}', '{int} BETWEEN {int} AND {int}', '{text} LIKE {text}', '{int} IN ({int}, {int})',
		'EXISTS (SELECT FROM deal d WHERE d.id = {int})', '{int} = ANY (ARRAY[{int}, {int}])', 'CASE WHEN {bool} THEN {bool} ELSE {bool} END',
		'{text} ~ {text}', '{int} IS DISTINCT FROM {int}', '({int}, {text}) = ({int}, {text})', '{interval} > {interval}', 'coalesce({bool}, {bool})',
		'(SELECT {bool})', '{num} < {num}', '{text} IN (SELECT d.title FROM deal d)', 'automation.finished({int})', 'c.email::bool',
	],
	int => [
		'{int} + {int}', '{int} * {int}', '{int} / {int}', '-({int})', 'abs({int})', 'coalesce({int}, {int})', 'CASE WHEN {bool} THEN {int} END',
		'(SELECT max(d.id)::int FROM deal d WHERE d.id > {int})', 'length({text})', 'c.email::int', 'greatest({int}, {int})', '(ARRAY[{int}, {int}])[{int}]',
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
		'(SELECT max(d.id) * interval \'1 day\' + now() FROM deal d)', 'c.email::timestamptz', "to_timestamp({num})",
	],
	date => [ '{date} + {int}', 'coalesce({date}, {date})', '({moment})::date', 'make_date(2024, 2, {int})', 'c.email::date', 'CASE WHEN {bool} THEN {date} END' ],
	ilit => [ "'1 day'", "'1 hour'", "'-1 hour'", "'1 month'" ],
);

# Conditions over rows of other tables: tied by an equality, by a chain of them, in
# views and functions, or by none.
my @condition = (
	"EXISTS (SELECT FROM fuzz.purchase o WHERE o.contact = c.id AND o.status = 'paid')",
	"EXISTS (SELECT FROM fuzz.purchase o WHERE o.contact = c.id AND (o.amount > {int} OR o.status = {text}))",
	'EXISTS (SELECT FROM fuzz.purchase o JOIN fuzz.cart k ON k.id = o.cart WHERE k.contact = c.id AND o.amount > {int})',
	"EXISTS (SELECT FROM fuzz.purchase o LEFT JOIN fuzz.cart k ON k.id = o.cart AND k.state = 'open' WHERE o.contact = c.id AND k.id IS NULL)",
	"NOT EXISTS (SELECT FROM fuzz.cart k WHERE k.contact = c.id AND k.state <> 'closed')",
	'(SELECT count(*) FROM fuzz.purchase o WHERE o.contact = c.id AND {bool}) > 1', '(SELECT max(o.amount) FROM fuzz.purchase o WHERE o.contact = c.id) > {int}',
	"c.id IN (SELECT k.contact FROM fuzz.cart k WHERE k.state = 'closed')", "c.id NOT IN (SELECT k.contact FROM fuzz.cart k WHERE k.state = 'open')",
	'c.id = ANY (ARRAY(SELECT k.contact FROM fuzz.cart k))', 'fuzz.has_paid(c.id)', 'fuzz.paid_total(c.id) > 5', 'NOT fuzz.has_paid(c.id) AND fuzz.paid_total(n) > 1',
	'EXISTS (SELECT FROM fuzz.paid p WHERE p.contact = c.id AND p.amount > 1)', "(SELECT state FROM fuzz.cart WHERE id = n) = 'closed'",
	'EXISTS (WITH q AS (SELECT * FROM fuzz.purchase WHERE amount > 1) SELECT FROM q WHERE q.contact = c.id)',
	"EXISTS (SELECT FROM fuzz.cart k WHERE k.contact = c.id AND k.state = 'closed' UNION ALL SELECT FROM fuzz.purchase o WHERE o.contact = c.id AND o.status = 'sent')",
	"(SELECT o.status FROM fuzz.purchase o WHERE o.contact = c.id ORDER BY o.id DESC LIMIT 1) = 'paid'", 'EXISTS (SELECT FROM fuzz.purchase o WHERE o.amount > c.score)',
	'EXISTS (SELECT FROM contact x WHERE x.id = c.id + 1 AND x.score > 30)', 'EXISTS (SELECT FROM fuzz.purchase o WHERE upper(o.status) = upper(c.lifecycle))',
	'is_open()', "is_open({moment}, 'default')", "(SELECT sum(o.amount) OVER () FROM fuzz.purchase o WHERE o.contact = c.id LIMIT 1) > 3");
push @{ $branch{bool} }, @condition;
push @{ $branch{moment} }, "next_time('Mon-Fri', '09:00')", "next_time('10:30')", 'next_time({text}, \'08:00\')', 'next_opening()', 'next_opening({text})',
  'add_business_time({moment}, {interval})', "next_anniversary({date}, '09:00')", "(SELECT max(o.at) FROM fuzz.purchase o WHERE o.contact = c.id)";
push @{ $branch{interval} }, 'business_time_between({moment}, {moment})', '(SELECT o.amount * interval \'1 hour\' FROM fuzz.purchase o WHERE o.contact = c.id LIMIT 1)';
push @{ $branch{date} }, 'next_anniversary({date})';

# What may not stand behind or before an expression.
my @excess = (' FROM contact x', ' WHERE true', ' ORDER BY 1', ' LIMIT 1', ' GROUP BY 1', ', 1', ' AS x', ' x', ' FOR UPDATE', ' UNION SELECT 1', ' OVER ()');
my @instead = ('count(*)', 'generate_series(1, 3)', 'row_number() OVER ()', 'DISTINCT 1', '*', 'c.*', 'c', 'new', 'ROW(1, 2)', '(SELECT 1, 2)',
	"(SELECT generate_series(1, 2))", 'many(2)', "fails('x')", "1 / 0", 'pg_sleep(0)', 'random()', 'clock_timestamp()', 'is_known(c)', 'w(c)', 'automation.now()',
	'txid_current()', "nextval('nosuch')", "(c).name", "c.name.x", 'w.c.name', '"c"."name"', 'C.NAME');

# An expression of a type; depth: of what is nested in it.
sub expression
{
	my ($type, $depth) = @_;
	return nasty() if !$calm && chance(90);
	return pick(@instead) if !$calm && chance(90);
	my $form = $type eq 'ilit' || ($depth > 0 && !chance(3)) ? pick(@{ $branch{$type} }) : pick(@{ $leaf{$type} });
	$form =~ s/\{(\w+)\}/expression($1, $depth - 1)/ge;
	$form .= pick(@excess) if !$calm && chance(150);
	return $form;
}

sub depth
{
	return $calm ? int(rand(2)) : chance(40) ? 6 : int(rand(4));
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

# A condition that waits for rows of another table.
sub condition
{
	my $text = pick(@condition);

	$text =~ s/\{(\w+)\}/expression($1, 1)/ge;
	return chance(5) ? "$text " . pick('AND ', 'OR ', 'AND NOT ') . pick('c.score > 30', 'c.unsubscribed', condition()) : $text;
}

# The same in clauses.
sub clause_condition
{
	my $text = condition();

	$text =~ s/(?<![.\w"'])(?:n|s|i|m|found)(?![\w.("'])/NULL/g;
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
		$what .= pick(" FROM 'open'", ' FROM NULL', " FROM '1' TO '2'") if $what =~ /^UPDATE OF/ && chance(4);
		$what .= pick(" TO 'open'", ' TO NULL', ' TO 5', " TO 'customer'") if $what =~ /OF (?!.* TO)/ && chance(4);
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
	$text .= '  AT ' . pick(clause_expression('moment'), 'c.@moment', "c.\@moment - interval '1 hour'", "next_anniversary(c.birthday, '09:00')", "c.birthday + time '10:00'")
	  . pick('', ' WHEN ' . clause_condition(), ' WHEN c.score > 30') . ";\n"
	  if chance(6);
	if (chance(10))
	{
		$text .= "  EVERY '" . pick('0 9 * * *', '@hourly', '*/20 * * * *', '30 6 * * mon', '0 0 1 * *', '61 * * * *', '@daily') . "' FOR "
		  . pick('SELECT id FROM contact WHERE id < 4', 'SELECT x FROM contact x WHERE x.id < 8', "SELECT contact FROM fuzz.purchase WHERE status = 'paid' LIMIT 3", 'SELECT NULL::bigint', "SELECT id FROM contact WHERE fails('x') > 0")
		  . ";\n";
		$text .= "  ENROLL AGAIN;\n" unless $text =~ /ENROLL/;
	}
	$text .= '  EXIT WHEN ' . pick(clause_expression('bool'), clause_condition(), clause_condition(), "c.lifecycle = 'customer'", 'c.unsubscribed', "c.score > 70 OR c.name LIKE '%!'",
		"now() > c.\@moment + interval '1 day'") . ";\n"
	  if chance(4);
	$text .= '  TIME ZONE ' . pick(clause_expression('text'), 'c.@zone', "'Europe/Paris'") . ";\n" if chance(8);
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
		'DELETE FROM deal WHERE deal.id > 5 AND ' . expression('bool', depth()),
		'DELETE FROM contact x WHERE x.id > 5 AND x.id = c.id',
		'WITH q AS (SELECT ' . expression('int', depth()) . ' AS one) SELECT one INTO n FROM q',
		'VALUES (' . expression('text', depth()) . ')',
		'MERGE INTO deal y USING (SELECT c.id) q ON y.id = q.id WHEN MATCHED THEN UPDATE SET title = ' . "coalesce(" . expression('text', 1) . ", '')",
		'SELECT automation.unenroll_others(c)',
		'SELECT @other(c) INTO n',
		"SELECT 1 / (n - n)",
	);
}

my @labels = qw(a b again done "Q");

# WAIT FOR a change.
sub change
{
	my $on = pick(' ON fuzz.purchase', ' ON fuzz.purchase', ' ON fuzz.cart', ' ON contact', '');
	my $column = { ' ON fuzz.purchase' => 'status', ' ON fuzz.cart' => 'state' }->{$on} // 'lifecycle';
	my $what = pick('INSERT', 'INSERT OR UPDATE', "UPDATE OF $column", "INSERT OR UPDATE OF $column TO 'paid'", "UPDATE OF $column FROM 'open'", 'DELETE');
	my $row = $what eq 'DELETE' ? 'old' : 'new';
	my $tie = $on =~ /fuzz/ ? "$row.contact = c.id" : "$row.id = c.id";

	$tie = pick($tie, $tie, $tie, "$row.id = n", "lower($row.$column) = lower(c.lifecycle)", condition());
	return "WAIT FOR $what$on WHEN $tie" . pick('', '', " AND $row.id > 0", ' AND ' . expression('bool', 1)) . pick('', " TIMEOUT '2 days'", ' TIMEOUT ' . expression('interval', 1)) . ';';
}

my @goals = qw(g h "G");

sub goal
{
	return 'GOAL ' . pick(@goals) . ' WHEN ' . pick(condition(), condition(), 'c.score > 30', expression('bool', 1)) . pick('', ' OTHERWISE CONTINUE', ' OTHERWISE WAIT', ' OTHERWISE EXIT') . ';';
}

sub split_statement
{
	return 'SPLIT ' . pick('s', 's', 't') . ' INTO ' . pick('a, b', 'a, b', 'a, b, c', 'a 20%, b 80%', 'a 0%, b 100%', 'a 50%, b 20%', '"A b", c') . ';';
}

# Whole figures that single statements seldom make together.
sub figure
{
	my $wait = pick("WAIT FOR '1 day';", "WAIT FOR '1 hour';", "WAIT FOR c.\@interval;", "WAIT UNTIL c.\@moment TIMEOUT '2 days';", "WAIT UNTIL c.score > 30 TIMEOUT '1 day';");
	my $jump = pick('', ' AT MOST 3 TIMES', " AT MOST 2 TIMES PER '1 day'", ' AT MOST 2 TIMES PER c.@interval', ' AT MOST 10000 TIMES');

	return pick(
		"WAIT UNTIL " . condition() . pick('', '', " TIMEOUT '2 days'") . ';', "WAIT UNTIL " . condition() . pick('', '', " TIMEOUT '2 days'") . ';',
		change(), change(), goal(), "$wait\n  " . goal(), split_statement() . "\n  $wait", split_statement() . "\n  IF s = 'a' THEN\n  " . change() . "\n  END IF;",
		"<<a>>\n  " . change() . "\n  INSERT INTO log VALUES ('change');\n  GO TO a AT MOST 5 TIMES;",
		"INSERT INTO fuzz.purchase (contact, status, amount) VALUES (c.id, 'paid', n);\n  WAIT UNTIL fuzz.paid_total(c.id) > n + 5;",
		"<<again>>\n  $wait\n  n := n + 1;\n  IF " . expression('bool', 1) . " THEN\n  GO TO again$jump;\n  END IF;",
		"<<again>>\n  n := n + 1;\n  IF n < " . pick(3, 30, 20000) . " THEN\n  GO TO again AT MOST " . pick(2, 100, 10000) . " TIMES;\n  END IF;",
		"SELECT " . pick('@other(c)', '@other(c)', 'w(c)') . " INTO n;\n  WAIT UNTIL automation.finished(n)" . pick('', " TIMEOUT '1 day'", ' OR c.score > 50') . ';',
		"SELECT " . pick('x', 'x.*', 'x.id, x.name', '*', 'x.id') . " INTO r FROM contact x WHERE x.id = c.id;\n  $wait\n  INSERT INTO contact (name) VALUES (r.name);",
		"SELECT 1, 'x' INTO p;\n  n := p.a;\n  $wait\n  s := p.b || (p).a;",
		"UPDATE contact SET lifecycle = 'customer', score = 60 WHERE id = c.id;\n  $wait\n  DELETE FROM contact x WHERE x.id = c.id AND x.id > 5;",
		"WAIT UNTIL " . pick('c.@moment', 'c.birthday', "c.birthday + time '09:00'", 'greatest(c.@moment, now() + interval \'1 day\')', "c.\@moment::timestamp",
			"coalesce(c.\@moment, m)", 'c.birthday > current_date', "c.name = 'new' AND now() > entered_at() + interval '1 hour'") . pick('', " TIMEOUT '3 days'", ' TIMEOUT c.@interval') . ';',
		"IF found THEN\n  EXIT;\n  END IF;\n  s := pg_typeof(r)::text || pg_typeof(c);",
		"a := ARRAY[n, c.score];\n  $wait\n  a := a || n;\n  n := a[1];",
		"k := " . pick('1', '0', 'n', "'x'", 'NULL') . ";\n  $wait\n  t := k;");
}

sub statement
{
	my ($depth) = @_;
	my $which = rand(20);

	return figure() if chance(6);
	return sql() . ';' if $which < 6;
	return pick('n := ' . expression('int', depth()), 's := ' . expression('text', depth()), 'i := ' . expression('interval', depth()), 'm := ' . expression('moment', depth())) . ';'
	  if $which < 9;
	return 'WAIT FOR ' . expression('interval', depth()) . ';' if $which < 11.5;
	return 'WAIT UNTIL ' . expression(pick('moment', 'bool', 'date'), depth()) . pick('', ' TIMEOUT ' . expression('interval', depth())) . ';' if $which < 14;
	return 'IF ' . expression('bool', depth()) . " THEN\n" . statements($depth - 1) . pick('', 'ELSIF ' . expression('bool', 1) . " THEN\n" . statements($depth - 1))
	  . pick('', "ELSE\n" . statements($depth - 1)) . 'END IF;'
	  if $which < 17 && $depth > 0;
	return 'GO TO ' . pick(@labels) . pick(' AT MOST 2 TIMES', ' AT MOST 2 TIMES', ' AT MOST 3 TIMES PER ' . expression('interval', 1)) . ';' if $which < 18;
	return 'IF ' . expression('bool', 1) . " THEN\n  " . pick('EXIT;', 'GO TO ' . pick(@labels) . ';') . "\n  END IF;" if $which < 18.6;
	return pick('EXIT;', 'GO TO ' . pick(@labels) . ';') if chance(20);
	return pick(chance(6) ? "SEND message('x');" : goal(), goal(),
		change(), split_statement())
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

# Sometimes of types that are copied, made up, or none.
sub declarations
{
	my @odd = (
		'fuzz.stage := 1', 'c.name%TYPE', 'contact.score%TYPE', 'n%TYPE := n', 'contact%ROWTYPE', 'c%TYPE', 'deal.id % TYPE', 'fuzz.contact.name%TYPE',
		'numeric(3,1) := 99.99', 'varchar(3) := \'long\'', 'double precision := 1.5', 'timestamp with time zone := now()', 'character varying(3) := NULL', 'int[] := \'{1,2}\'', 'jsonb := \'{"a": 1}\'', 'regclass := \'contact\'',
		'interval day to second', 'timestamptz(0) := now()', 'bytea', 'xml', 'contact[]', 'deal_status := \'open\'', 'bit(3) := B\'101\'', 'uuid', 'pg_class');
	my @wrong = (
		'nosuch%TYPE', 'c.nosuch%TYPE', 'nosuch.name%TYPE', 'int%TYPE', 'record', 'refcursor', 'SETOF int', 'anyelement', 'date DEFAULT now()', 'int = 5', 'constant int := 1',
		'int NOT NULL := 1', 'void', '"char"', 'int[3][]', 'nosuch', 'x.y.z.t', '%TYPE', 'int int');
	return "DECLARE\n  n int := " . pick('0', clause_expression('int')) . ";\n  s text" . pick('', " := 'x'") . ";\n  i interval := '1 day';\n  m timestamptz"
	  . pick('', ' := now()') . ";\n  r contact" . pick('', '', '%ROWTYPE', ' := c') . ";\n  p \@pair;\n  a int[];\n  k " . pick('int', '@stage') . ";\n"
	  . '  t ' . pick(!$calm && chance(12) ? @wrong : @odd) . ";\n";
}

# How the schemas call what stands behind an @.
my %name = (
	fuzz => { interval => 'wait', moment => 'at', zone => 'zone', other => 'base', pair => 'pair', stage => 'stage' },
	crm => { interval => "score * interval '1 hour'", moment => 'demo_at', zone => 'time_zone', other => 'e01_onboarding', pair => 'fuzz.pair', stage => 'fuzz.stage' },
);

# A workflow w.
sub generate
{
	my $schema = pick('fuzz', 'fuzz', 'crm');
	my $args = pick(('c contact') x 6, 'c contact, days int DEFAULT 7', "c contact, e text DEFAULT 'x' || now(), d deal DEFAULT NULL", 'c contact, b boolean DEFAULT now() > NULL',
		chance(10) ? 'c contact, dd deal DEFAULT ROW(1)' : 'c contact, e int[] DEFAULT ARRAY[1, 2]', "c contact, x numeric DEFAULT 1.0 / 3");
	my $body = clauses() . declarations() . "BEGIN\n" . (chance(3) ? "  INSERT INTO fuzz.trace VALUES (c.id);\n" : '') . statements(3) . statements(2) . 'END ';

	# jumps to labels that are nowhere would be most of the errors
	for my $label (@labels)
	{
		$body =~ s/END $/<<$label>>\nEND / if $body =~ /GO TO $label/ && $body !~ /<<$label>>/ && !chance(10);
	}
	# labels that come twice too
	my %seen;
	$body =~ s/(<<[^>]*>>)\n/$seen{$1}++ ? '' : "$1\n"/ge;
	$body =~ s/@(\w+)/$name{$schema}{$1} \/\/ "\@$1"/ge;
	return { schema => $schema, name => 'w', args => $args, returns => 'bigint', attributes => '', body => $body };
}

1;
