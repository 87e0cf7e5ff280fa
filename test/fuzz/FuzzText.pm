# Bodies of workflows as sequences of tokens: reading them from the tests, and
# changing them.  Everything is bytes; everything is decided by rand(), so the
# caller's srand() makes it repeatable.
package FuzzText;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT_OK = qw(tokens pick chance read_seeds mutate mutate_signature nasty);

sub pick
{
	return $_[ int(rand(@_)) ];
}

# True once in n times, on average.
sub chance
{
	my ($n) = @_;
	return rand($n) < 1;
}

# Cuts a text into tokens, each with the white space before it; joined they are
# the text again.  What PostgreSQL would refuse becomes tokens as well.
sub tokens
{
	my ($text) = @_;
	my @tokens;

	no warnings 'regexp';	# more quotes than a repetition can count end a token early
	while ($text =~ /\G(\s*+(?:
			--[^\n]*+
			| \/\*.*?(?:\*\/|\z)
			| \$(\w*)\$.*?(?:\$\2\$|\z)
			| (?:[eEbBxXnN]|[uU]&)?'[^']*+(?:''[^']*+)*+(?:'|\z)
			| (?:[uU]&)?"[^"]*+(?:""[^"]*+)*+(?:"|\z)
			| [A-Za-z_\x80-\xff][\w\x80-\xff\$]*+
			| \d+(?:\.\d+)?(?:[eE][+-]?\d+)?
			| <<|>>|::|:=|\.\.|<=|>=|<>|!=|\|\||->>|->|=>
			| \S
			| \z))/gcsx)
	{
		push @tokens, $1 if length $1;
		last if pos($text) >= length $text;
	}
	return @tokens;
}

sub slurp
{
	my ($file) = @_;
	open(my $in, '<:raw', $file) or die "$file: $!\n";
	local $/;
	return scalar <$in>;
}

# Every workflow that a file defines, as a hash.
sub read_file
{
	my ($file, $schema) = @_;
	my $text = slurp($file);
	my @seeds;

	while ($text =~ /CREATE \s+ (?:OR \s+ REPLACE \s+)? FUNCTION \s+ (\w+) \s* \( ((?:[^()]|\([^()]*\))*) \) \s*
			(?:RETURNS \s+ ((?:SETOF \s+)?\w+) \s+)? LANGUAGE \s+ workflow ([^\$']*?) \s* AS \s* (\$(\w*)\$)(.*?)\5/gsx)
	{
		push @seeds, { schema => $schema, name => $1, args => $2, returns => $3 // 'bigint', attributes => $4, body => $7 };
	}
	return @seeds;
}

# Lines of examples in a page of documentation: pieces to be spliced in.
sub read_examples
{
	my ($file) = @_;
	my @pieces;

	return unless -e $file;
	my $text = slurp($file);
	push @pieces, grep { /\S/ } split /\n/, $1 while $text =~ /^```sql\n(.*?)^```/gms;
	push @pieces, $1 while $text =~ /^    (\S.*)$/gm;
	push @pieces, $1 while $text =~ /`([^`\n]+)`/g;
	return map { { schema => 'fuzz', name => 'w', args => 'c contact', returns => 'bigint', attributes => '', piece => 1, body => $_ } } @pieces;
}

# The corpus: what there is below the top directory of the project.
sub read_seeds
{
	my ($top) = @_;
	my %schema = (corpus => 'crm', language_errors => 'fuzz');
	my @seeds;

	for my $file (sort glob("$top/test/sql/*.sql"), "$top/demo/workflows.sql")
	{
		my ($name) = $file =~ /(\w+)\.sql$/;
		push @seeds, read_file($file, $schema{$name} // 'fuzz') if -e $file;
	}
	die "no workflows found in $top/test/sql\n" unless @seeds > 100;
	push @seeds, read_examples("$top/doc/language.md");
	return @seeds;
}

# Values and words at the borders of what types, lexers and grammars take.
my @nasty = (
	"'infinity'", "'-infinity'", "interval '178000000 years'", "interval '-178000000 years'", "'1e1000 days'",
	"interval '9223372036854775807 us'", "'2147483647 days'", "interval '0'", "interval '-1 day'", "'0.0000001 s'",
	"timestamptz '294276-12-31 23:59:59+00'", "timestamptz '4713-01-01 00:00+00 BC'", "date '5874897-12-31'",
	"date 'infinity'", "'epoch'::timestamptz", "timestamp 'now'", "time '24:00'", "'25:61'", "make_interval(days => 2147483647)",
	'2147483647', '-2147483648', '2147483648', '9223372036854775807', '9223372036854775808', '1e308', '1e309', '1e-400', '.5', '1.', '0',
	'-0', '00', '1_000', '0x10', '123abc', "'NaN'::numeric", "'NaN'::float8", "1/0", "1.0/0", "repeat('x', 100000)", "'NaN'",
	'NULL', 'NULL::contact', 'NULL::interval', 'DEFAULT', 'true', 'unknown', "''", "' '", "'\\'", "E'\\000'", "E'\\x00'", "U&'\\0000'",
	"U&'\\+10FFFF'", "U&'\\D800'", "U&'!00e9' UESCAPE '!'", "E'\\u0000'", "E'\\377'", "E'\\'", "E'a\\nb'", "N'x'", "B'012'", "X'0g'", "B''",
	'$1', '$0', '$99999999999', '$$', '$a$', '$a$x$a$', '$_$;$_$', '"', '""', '"a"', '"a""b"', 'U&"\\0061"', "'", "''''", '/*', '*/',
	'/* /* */', '--', "--\n", ';', ';;', '(', ')', '[', ']', '((', '))', '{', '}', ',', '.', '..', '...', ':', '::', ':=', '=', '=>', '<<', '>>',
	'<< >>', '<<<<', '%', '%TYPE', '%ROWTYPE', '\\', '@', '#', '!', '~', '|', '?', '&', '`', '+', '-', '*', '/', '<', '>', '<>', '!=',
	"\xc3\xa9", "\xe2\x82\xac", "'\xf0\x9f\x98\x80'", "\xe2\x80\x8b", "\xc2\xa0", "\xef\xbb\xbf", "\"\xc3\xa9\xe2\x82\xac\"", "<<\xc3\xa9>>",
	"\xe2\x80\x9c", "\xd8\xa7", "\r", "\r\n", "\t", "\x0b", "\f", "\x01", "\x7f", "\n\n\n",
	"\xff", "\xc3", "'\xe2\x82'", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
);

# Words of the language and of SQL that change what stands around them.
my @words = (
	qw(AFTER INSERT UPDATE DELETE OF OR FROM TO ON WHEN FOR ENROLL ONCE AGAIN REPLACE PER EXIT TIME ZONE DECLARE BEGIN END IF THEN ELSIF
	  ELSE WAIT UNTIL TIMEOUT GO AT MOST TIMES INTO SELECT VALUES WITH MERGE USING MATCHED DO NOTHING SEND DURING EVERY GOAL OTHERWISE CONTINUE
	  SPLIT FOUND old new c d found NOT NULL IS AND IN EXISTS CASE AS DEFAULT RETURNING SET LIMIT OFFSET ORDER BY GROUP HAVING UNION ALL
	  DISTINCT RECURSIVE LATERAL WINDOW OVER FILTER COLLATE ARRAY ROW ANY CAST EXTRACT now entered_at current_date current_timestamp
	  localtime automation finished TRUNCATE CREATE DROP COPY CALL GRANT SAVEPOINT COMMIT ROLLBACK LISTEN EXPLAIN
	  contact deal name score value status email id birthday timeout interval timestamptz text int bigint numeric jsonb record void
	  any anyelement refcursor regclass oid xml ctid tableoid xmin pg_class sealed keyless part membership moment base w));

# A text as a literal of SQL.
sub quoted
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	return "'$text'";
}

sub nasty
{
	return pick(@nasty);
}

# One other token: of this text, of another one, a word, something nasty.
sub other_token
{
	my ($here, $there) = @_;
	my $which = rand(10);

	return pick(@$here) if $which < 3 && @$here;
	return pick(@$there) if $which < 5 && @$there;
	return ' ' . pick(@words) if $which < 8;
	return (chance(4) ? '' : ' ') . nasty();
}

sub range
{
	my ($n, $longest) = @_;
	my $start = int(rand($n));
	my $length = 1 + int(rand($longest));

	$length = $n - $start if $start + $length > $n;
	return ($start, $length);
}

# Where each statement or clause ends: indexes of the tokens ";".
sub semicolons
{
	my ($t) = @_;
	return grep { $t->[$_] =~ /^\s*;$/ } 0 .. $#$t;
}

# A whole clause or statement: (index, number of tokens).
sub sentence
{
	my ($t) = @_;
	my @ends = semicolons($t);

	return range(scalar @$t, 8) unless @ends > 1;
	my $i = int(rand(@ends - 1));
	return ($ends[$i] + 1, $ends[ $i + 1 ] - $ends[$i]);
}

# How many, most often few, seldom very many.
sub many
{
	my ($limit) = @_;
	my $n = int(exp(rand(log($limit))));
	return $n < 1 ? 1 : $n;
}

sub huge_text
{
	my $n = many(200000);
	my $unit = pick('x', "\xc3\xa9", 'ab ', "''", '\\', "\n", '$', '-', '/*', '(', 'a.', 'a,', '<', '{}', '"');
	return $unit x (1 + $n / length $unit);
}

# Each takes the tokens (changed in place) and those of another body.
my @operations = (
	sub {    # take some away
		my ($t) = @_;
		my ($i, $n) = range(scalar @$t, 3);
		splice(@$t, $i, $n);
	},
	sub {    # twice
		my ($t) = @_;
		my ($i, $n) = range(scalar @$t, 6);
		splice(@$t, $i, 0, @$t[ $i .. $i + $n - 1 ]);
	},
	sub {    # swap
		my ($t) = @_;
		my ($i, $j) = (int(rand(@$t)), int(rand(@$t)));
		@$t[ $i, $j ] = @$t[ $j, $i ];
	},
	sub {    # neighbours
		my ($t) = @_;
		return if @$t < 2;
		my $i = int(rand(@$t - 1));
		@$t[ $i, $i + 1 ] = @$t[ $i + 1, $i ];
	},
	sub {    # move
		my ($t) = @_;
		my ($i, $n) = range(scalar @$t, 8);
		my @moved = splice(@$t, $i, $n);
		splice(@$t, int(rand(@$t + 1)), 0, @moved);
	},
	(   sub {    # another token instead
			my ($t, $other) = @_;
			$t->[ int(rand(@$t)) ] = other_token($t, $other);
		}) x 3,
	(   sub {    # another token more
			my ($t, $other) = @_;
			splice(@$t, int(rand(@$t + 1)), 0, other_token($t, $other));
		}) x 2,
	sub {    # a piece of another body
		my ($t, $other) = @_;
		return unless @$other;
		my ($i, $n) = range(scalar @$other, 15);
		splice(@$t, int(rand(@$t + 1)), chance(2) ? int(rand(6)) : 0, @$other[ $i .. $i + $n - 1 ]);
	},
	(   sub {    # a sentence of another body
			my ($t, $other) = @_;
			return unless @$other;
			my ($i, $n) = sentence($other);
			my ($j, $m) = sentence($t);
			splice(@$t, $j, chance(2) ? $m : 0, @$other[ $i .. $i + $n - 1 ]);
		}) x 3,
	(   sub {    # a sentence goes, comes twice, or moves
			my ($t) = @_;
			my ($i, $n) = sentence($t);
			my @sentence = splice(@$t, $i, $n);
			return if chance(3);
			my ($j) = sentence($t);
			splice(@$t, $i, 0, @sentence) if chance(2);
			splice(@$t, $j, 0, @sentence);
		}) x 3,
	(   sub {    # a number or a string becomes another one
			my ($t) = @_;
			my @literals = grep { $t->[$_] =~ /^\s*(?:\d|')/ } 0 .. $#$t;
			$t->[ pick(@literals) ] = ' ' . (chance(2) ? nasty() : pick('0', '1', '3', "'1 day'", "'1 second'", "'x'", "'2001-01-01'", 'c.id', "'open'"))
			  if @literals;
		}) x 2,
	sub {    # a word becomes another word of the same body
		my ($t) = @_;
		my @at = grep { $t->[$_] =~ /^\s*[A-Za-z]\w*$/ } 0 .. $#$t;
		$t->[ pick(@at) ] = $t->[ pick(@at) ] if @at;
	},
	sub {    # an IF around a sentence, or hundreds
		my ($t) = @_;
		my ($i, $n) = sentence($t);
		my $depth = chance(10) ? many(300) : 1;
		my $if = ' IF ' . pick('true', 'NULL', 'c.id = 1', 'found', 'NOT found') . ' THEN';
		splice(@$t, $i + $n, 0, (chance(4) ? ' ELSE' : ''), (' END IF;') x $depth);
		splice(@$t, $i, 0, ($if) x $depth);
	},
	sub {    # parentheses, brackets, casts, CASE around a token, or thousands
		my ($t) = @_;
		my $i = int(rand(@$t));
		my $depth = chance(10) ? many(5000) : 1;
		my ($open, $close) = @{ pick([ '(', ')' ], [ '((', '))' ], [ '[', ']' ], [ ' CASE WHEN true THEN ', ' END' ], [ '(SELECT ', ')' ],
				[ '', '::text' ], [ ' NOT ', '' ], [ ' -', '' ], [ ' coalesce(', ', NULL)' ], [ 'ARRAY[', ']' ], [ 'ROW(', ')' ]) };
		$t->[$i] = ($open x $depth) . $t->[$i] . ($close x $depth);
	},
	sub {    # labels and jumps
		my ($t) = @_;
		my ($i) = sentence($t);
		my $label = pick('a', 'b', 'again', '"X"', "\xc3\xa9", 'l' x many(200));
		splice(@$t, $i, 0, " <<$label>>");
		($i) = sentence($t);
		splice(@$t, $i, 0, " GO TO $label" . pick('', ' AT MOST 2 TIMES', ' AT MOST 3 TIMES PER \'1 day\'', " AT MOST 2 TIMES PER " . nasty()) . ';');
	},
	sub {    # something open to the end
		my ($t) = @_;
		splice(@$t, int(rand(@$t + 1)), 0, pick(" '", ' "', ' /*', ' $x$', ' (', ' [', ' CASE', ' BEGIN', ' IF true THEN', " E'\\", ' U&"', ' <<', ' --'));
	},
	sub {    # cut off
		my ($t) = @_;
		my $i = int(rand(@$t));
		splice(@$t, $i);
	},
	sub {    # case and space
		my ($t) = @_;
		my $i = int(rand(@$t));
		$t->[$i] = pick(uc $t->[$i], lc $t->[$i], "\n$t->[$i]", "/**/$t->[$i]", "--\n$t->[$i]", $t->[$i] =~ s/^\s+//r);
	},
	sub {    # one token very long, seldom
		my ($t) = @_;
		return unless chance(8);
		my $i = int(rand(@$t));
		my $text = huge_text();
		$t->[$i] .= pick($text, " '$text'", " \"$text\"", " /*$text*/", ' <<' . 'l' x length($text) . '>>', ' ' . '9' x length($text), ' ' . '-' x length($text));
	},
	sub {    # a sentence very often, seldom
		my ($t) = @_;
		return unless chance(8);
		my ($i, $n) = sentence($t);
		my @sentence = @$t[ $i .. $i + $n - 1 ];
		splice(@$t, $i, 0, (@sentence) x many(300));
	},
);

# A changed body; others are pieces to take from.
sub mutate
{
	my ($body, $other) = @_;
	my @t = tokens($body);
	my @o = tokens($other);
	my $n = 1;

	$n++ while $n < 12 && chance(1.7);
	for (1 .. $n)
	{
		@t = (' BEGIN', ' END') unless @t;
		pick(@operations)->(\@t, \@o);
	}
	my $text = join '', @t;
	if (chance(25) && length $text)
	{    # single bytes
		substr($text, int(rand(length $text)), 1) = chr(1 + int(rand(255))) for 1 .. 1 + int(rand(4));
	}
	$text = substr($text, 0, 1100000) if length $text > 1100000;
	$text =~ tr/\0//d;
	return $text;
}

my @types = (
	qw(contact deal membership moment part part_1 guarded cited keyless sealed contact_view log pair stage deal_status int bigint text boolean numeric date timestamptz interval
	  jsonb uuid bytea float8 int[] contact[] record anyelement anyarray "any" void trigger internal cstring refcursor xml regclass oid
	  int4range point xid tid name char varchar(3) numeric(3) nosuchtype pg_catalog.pg_class automation.enrollment unknown money
	  information_schema.sql_identifier contact.id%TYPE timetz bit tsvector));

my @attributes = (
	'STABLE', 'IMMUTABLE', 'STRICT', 'SECURITY DEFINER', 'PARALLEL SAFE', 'PARALLEL RESTRICTED', 'COST 1', 'ROWS 10', 'WINDOW', 'LEAKPROOF', 'VOLATILE',
	'CALLED ON NULL INPUT', "SET search_path = fuzz", "SET search_path = ''", "SET search_path = public, fuzz", 'SET search_path = "$user", crm',
	"SET search_path = pg_temp, fuzz", "SET search_path FROM CURRENT", "SET timezone = 'Europe/Paris'", "SET timezone = 'Nowhere/Land'",
	"SET timezone = 'Pacific/Kiritimati'", "SET role = 'app'", "SET work_mem = '1MB'", "SET statement_timeout = 1", "SET DateStyle = 'German'",
	"SET IntervalStyle = 'iso_8601'", "SET standard_conforming_strings = off", "SET check_function_bodies = off", "SET automation.capture = off",
	"SET row_security = off", "SET client_encoding = 'LATIN1'", "SET session_authorization = 'app'", "SET default_transaction_read_only = on",
	"SET transform_null_equals = on", "SET xmloption = document", "SET client_min_messages = error", "SET array_nulls = off", "TRANSFORM FOR TYPE int");

# Changes the function around the body.
sub mutate_signature
{
	my ($input) = @_;
	my @args = split /,\s*(?![^(\[]*[)\]])/, $input->{args};
	my $which = int(rand(9));

	if ($which == 0) { @args = reverse @args; }
	elsif ($which == 1) { push @args, pick('x', 'c', '"X y"', 'found', 'old', 'now', 'automation', "\xc3\xa9", 'x' x many(100), '') . ' ' . pick(@types); }
	elsif ($which == 2) { pop @args; }
	elsif ($which == 3) { push @args, "x$_ " . pick(@types) for 1 .. many(110); }
	elsif ($which == 4 && @args)
	{
		$args[ int(rand(@args)) ] =~ s/\S+$/pick(@types)/e;
	}
	elsif ($which == 5 && @args)
	{
		$args[-1] .= ' DEFAULT ' . pick('NULL', '1', "'x'", nasty(), '(SELECT 1)', 'now()', '1/0', 'nosuch', 'ROW(1)', "'{}'");
	}
	elsif ($which == 6) { $args[ int(rand(@args || 1)) ] = pick('OUT o bigint', 'INOUT x int', 'VARIADIC v int[]', 'IN c contact', 'contact', '', 'int'); }
	elsif ($which == 7) { $input->{returns} = pick('SETOF bigint', 'int', 'void', 'trigger', 'TABLE (a bigint)', 'record', 'contact', 'numeric', grep { $_ ne 'unknown' } @types); }
	else { $input->{attributes} = join ' ', map { pick(@attributes) } 1 .. 1 + int(rand(2)); }
	$input->{args} = join ', ', map { $_ // '' } @args;
	$input->{signature_changed} = 1;
	return;
}

1;
