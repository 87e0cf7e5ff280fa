# One session of the author of workflows: defines an input, runs it, and judges
# what the server says.  What it finds is a list of hashes (kind, code, message).
#
# An input: schema, name, args, returns, attributes, body, quote (how the body is
# written), unchecked (defined with check_function_bodies off if it is refused),
# plan (what is done with it once it is accepted; see FuzzPlan).
package FuzzSession;

use strict;
use warnings;

use DBI;

use FuzzInvariant;
use FuzzOther;

# Patience for a definition and for a step of a run.  A definition has nothing to
# wait for; what a workflow does may take long by itself, and is cancelled.
use constant DEFINE_TIMEOUT => '30s';
use constant RUN_TIMEOUT => '20s';

# Errors of a definition that have no place in it: code, message with detail, why;
# "named": only if the signature has what the message quotes.
my @placeless = (
	[ '22021', qr/^invalid byte sequence/, 'the server refuses the bytes before it reads the statement' ],
	[ '54001', qr/^stack depth limit exceeded/, 'the core has no room left, wherever it stands' ],
	[ '54000', qr/^workflow is longer than/, 'it is the body as a whole' ],
	[ '42P13', qr/./, 'the signature: attributes, modes, names of arguments' ],
	[ '42704', qr/^type \S+ does not exist/, 'an argument\'s type: the core does not tell its place' ],
	[ '3F000', qr/^schema "(.*)" does not exist/, 'an argument\'s type, or the path', 'named' ],
	[ '42809', qr/^table pg_\w+ is a system catalog/, 'an argument\'s type' ],
	[ '42704', qr/^transform for type/, 'an attribute' ],
	[ '22023', qr/^ROWS is not applicable/, 'an attribute' ],
	[ '22023', qr/^invalid value for parameter "(.*)": /, 'an attribute SET', 'named' ],
	[ '0A000', qr/^invalid value for parameter "(client_encoding)": /, 'an attribute SET', 'named' ],
	[ '42501', qr/^permission denied for table (\w+)/, 'an argument\'s type', 'named' ],
	[ '42501', qr/^only superuser can define a leakproof function/, 'an attribute' ],
	[ '42809', qr/^"[^"]*" is not a table\nA row argument/, 'an argument\'s type' ],
	[ '42P16', qr/^table \S+ has no primary key\nA row argument/, 'an argument\'s type' ],
	[ '54023', qr/^functions cannot have more than/, 'the signature' ],
	[ '55000', qr/^EVERY needs pg_cron/, 'it is the server that lacks something' ],
	[ '42723', qr/already exists with same argument types/, 'another function has the signature' ],
);

# Internal errors that a plain statement of SQL raises as well.
my @core = (
	qr/^failed to find conversion function from unknown to text/,    # SELECT unknown('x'::text)
);

# connect: data source without the database's name.  The session speaks the
# database's encoding, so that nothing is converted.
sub new
{
	my ($class, $connect, $database, $user, $encoding) = @_;
	my $self = bless { source => "$connect;dbname=$database", user => $user, encoding => $encoding // 'UTF8', warnings => [] }, $class;

	$self->open or die "no connection: $DBI::errstr\n";
	$self->{invariant} = FuzzInvariant->new($self->{source});
	$self->{other} = FuzzOther->new($self->{source}, $user, $self->{invariant});
	return $self;
}

sub open
{
	my ($self) = @_;

	$self->{dbh} = DBI->connect("dbi:Pg:$self->{source}", $self->{user}, '',
		{ AutoCommit => 1, PrintError => 0, RaiseError => 0, PrintWarn => 1, pg_enable_utf8 => 0, pg_server_prepare => 0 })
	  or return 0;
	$self->{dbh}->do('SET client_min_messages = warning');
	$self->{dbh}->do("SET client_encoding = '$self->{encoding}'");
	$self->{path} = '';
	$self->{timeout} = '';
	$self->{pid} = $self->ask('SELECT pg_backend_pid()');
	return 1;
}

sub close
{
	my ($self) = @_;
	$self->{dbh}->disconnect if $self->{dbh};
	$self->{dbh} = undef;
	$self->{invariant}->close;
	return;
}

# One value, undef if there is none.
sub ask
{
	my ($self, $sql) = @_;
	my ($value) = $self->{dbh}->selectrow_array($sql);
	return $value;
}

# At most so many characters, whatever the encoding.
sub characters
{
	my ($text, $encoding) = @_;
	return $encoding eq 'UTF8' ? ($text =~ tr/\x00-\x7f\xc0-\xff//) : length $text;
}

# Seconds that the session's process has worked so far; 0 on another machine.
sub processor_time
{
	my ($self) = @_;
	CORE::open(my $in, '<', "/proc/$self->{pid}/stat") or return 0;
	my @field = split ' ', <$in> =~ s/^.*\)//sr;
	return ($field[11] + $field[12]) / 100;
}

sub is_internal
{
	my ($error) = @_;
	return $error->{code} =~ /^XX/ && !grep { $error->{message} =~ $_ } @core;
}

# Executes a statement.  Returns undef or the error, as a hash.
sub execute
{
	my ($self, $sql) = @_;
	my $dbh = $self->{dbh};
	local $SIG{__WARN__} = sub { push @{ $self->{warnings} }, $_[0] if $_[0] =~ /leak|alloc set|chunk|refcount|not owned|not closed/i; };

	my $before = $self->processor_time;

	return if defined $dbh->do($sql);
	my %error = (sql => $sql, code => $dbh->pg_error_field('state'), message => $dbh->pg_error_field('message_primary') // $dbh->errstr);
	# a copy of the name, for the driver writes into it
	$error{$_} = $dbh->pg_error_field("$_") for qw(statement_position internal_position internal_query context message_detail);
	$error{lost} = 1 if !defined $error{code} || $error{code} =~ /^(?:08|57P0[123])/ || $dbh->ping < 1;
	$error{code} //= '';
	$error{seconds} = $self->processor_time - $before if $error{code} eq '57014';
	return \%error;
}

sub set_path
{
	my ($self, $schema) = @_;
	return if $self->{path} eq $schema;
	$self->{dbh}->do("SET search_path = $schema");
	$self->{path} = $schema;
	return;
}

sub set_timeout
{
	my ($self, $timeout) = @_;
	return if $self->{timeout} eq $timeout;
	$self->{dbh}->do("SET statement_timeout = '$timeout'");
	$self->{timeout} = $timeout;
	return;
}

# A finding, from an error.
sub finding
{
	my ($kind, $error, $more) = @_;
	my %finding = map { $_ => $error->{$_} } qw(code message context sql seconds);

	return { %finding, kind => $kind, more => $more };
}

sub collect_warnings
{
	my ($self) = @_;
	my @findings = map { { kind => 'leak', code => '01000', message => $_ } } @{ $self->{warnings} };

	$self->{warnings} = [];
	return @findings;
}

# --- definition ---

sub statement
{
	my ($input, $replace) = @_;
	my $body = $input->{body};
	my $quote = $input->{quote} // 0;

	if ($quote == 1)
	{
		$body = "'" . ($body =~ s/'/''/gr) . "'";
	}
	elsif ($quote == 2)
	{
		$body = "E'" . ($body =~ s/([\\'])/$1$1/gr) . "'";
	}
	else
	{
		my $n = 0;
		my $tag = '$$';
		$tag = '$w' . ++$n . '$' while index("$body$tag", $tag) < length $body;
		$body = "$tag$body$tag";
	}
	return ($replace ? 'CREATE OR REPLACE' : 'CREATE') . " FUNCTION $input->{name}($input->{args}) RETURNS $input->{returns} LANGUAGE workflow"
	  . " $input->{attributes} AS $body";
}

sub has_place
{
	my ($self, $error) = @_;
	my ($at, $in) = ($error->{statement_position}, $error->{sql});

	($at, $in) = ($error->{internal_position}, $error->{internal_query}) unless $at;
	return $at && defined $in && $at <= characters($in, $self->{encoding}) + 1;
}

sub is_placeless
{
	my ($error, $input) = @_;
	my $text = "$error->{message}\n" . ($error->{message_detail} // '');
	my $signature = "$input->{args} $input->{returns} $input->{attributes}";

	for my $known (@placeless)
	{
		my ($code, $pattern, undef, $named) = @$known;
		return 1 if $error->{code} eq $code && $text =~ $pattern && (!$named || $signature =~ /\Q$1\E/i);
	}
	return 0;
}

# What is wrong with an error that a definition raised.
sub judge_definition
{
	my ($self, $error, $input) = @_;

	return finding('crash', $error) if $error->{lost};
	return finding('internal', $error) if is_internal($error);
	return finding('hang', $error) if $error->{code} eq '57014';
	return if is_placeless($error, $input) || $self->has_place($error);
	return finding('position', $error, "at " . ($error->{statement_position} // '-') . ", inside " . ($error->{internal_position} // '-'));
}

# Defines an input.  Returns (was it accepted, findings).
sub define
{
	my ($self, $input, $replace) = @_;
	my $error = $self->execute(statement($input, $replace));

	return (1) unless $error;
	$self->{last_error} = $error;
	return (0, $self->judge_definition($error, $input));
}

# --- what is done with it ---

# Errors of a run, by the kind of its step: what the engine itself does never
# fails, other statements fail cleanly.
sub judge_step
{
	my ($step, $error) = @_;

	return finding('crash', $error) if $error->{lost};
	return finding('internal', $error) if is_internal($error);
	# a statement of the workflow was slow by itself
	return if $error->{code} eq '57014' && ($error->{context} // '') =~ /\S/;
	# a moment that runs away from the time is looked at each time it should have come
	return if $error->{code} eq '57014' && $step->{endless};
	return finding('hang', $error) if $error->{code} eq '57014';
	return finding('engine', $error) if $step->{kind} eq 'engine';
	return finding('capture', $error) if $step->{kind} eq 'change' && $error->{code} !~ /^23/;
	return;
}

sub do_step
{
	my ($self, $step) = @_;

	if ($step->{define})
	{
		my ($accepted, @findings) = $self->define($step->{define}, 1);
		return @findings;
	}
	return $self->{other}->fault($step->{fault}, $self->{path}, sub { return $self->do_step({ kind => 'engine', endless => 1, sql => $_[0] }); }) if $step->{fault};
	my $error = $self->execute($step->{sql});
	return unless $error;
	$self->{slow}++ if $error->{code} eq '57014';
	return judge_step($step, $error);
}

# Internal errors that workflows met are in what the engine tells of them.
sub told_errors
{
	my ($self) = @_;
	my $told = $self->ask(q{SELECT string_agg(DISTINCT workflow || ' ' || state || ' ' || error, E'\n') FROM automation.enrollments WHERE error LIKE '%XX0%'});

	return unless defined $told;
	return { kind => 'internal', code => 'XX000', message => $told, more => 'in automation.enrollments' };
}

# Drops every workflow that the fixture did not make; nothing of it may remain.
sub drop_all
{
	my ($self) = @_;
	my $undo = delete $self->{undo} // [];
	my @findings;

	$self->execute($_) for @$undo;
	my $names = $self->ask(q{SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
		WHERE l.lanname = 'workflow' AND p.proname NOT IN ('base', 'e01_onboarding', 't86_mail', 'f27_onboard')});
	return unless defined $names;
	my $error = $self->execute("DROP ROUTINE $names");
	return finding($error->{lost} ? 'crash' : 'engine', $error) if $error;
	$error = $self->execute('CALL automation.run()');
	push @findings, judge_step({ kind => 'engine' }, $error) if $error;
	my $left = $self->ask(q{SELECT count(*) FROM automation.enrollments WHERE workflow NOT SIMILAR TO '(base|e01_onboarding|t86_mail|f27_onboard)%'});
	push @findings, { kind => 'engine', code => '', message => "$left enrollments are left of dropped workflows" } if $left;
	return @findings;
}

# Workflows that start each other can fill a table: what the fixture put there is
# enough for the next one.
sub trim_tables
{
	my ($self, $schema) = @_;

	for my $table ('contact', 'deal', 'log')
	{
		next if ($self->ask("SELECT count(*) FROM (SELECT FROM $table LIMIT 500) x") // 0) < 500;
		$self->execute($table eq 'log' ? 'DELETE FROM log' : "DELETE FROM $table WHERE id > 10");
		$self->execute("VACUUM $table");
	}
	return;
}

# --- an input, from beginning to end ---

# Returns (how it ended: refused, accepted, run; findings).
sub try_input
{
	my ($self, $input) = @_;
	my $how = 'refused';

	$self->set_path($input->{schema});
	$self->set_timeout(DEFINE_TIMEOUT);
	my ($accepted, @findings) = $self->define($input, $input->{replace});
	return ($how, @findings) if grep { $_->{kind} eq 'crash' } @findings;
	if (!$accepted && $input->{unchecked})
	{
		$self->execute('SET check_function_bodies = off');
		($accepted, my @more) = $self->define($input, $input->{replace});
		push @findings, @more;
		return ($how, @findings) if grep { $_->{kind} eq 'crash' } @more;
		$self->execute('SET check_function_bodies = on');
	}
	if ($accepted)
	{
		$how = 'accepted';
		if ($input->{plan})
		{
			$how = 'run';
			$self->set_timeout(RUN_TIMEOUT);
			$self->{undo} = $input->{undo};
			$self->{invariant}->begin;
			for my $step (@{ $input->{plan} })
			{
				push @findings, $self->do_step($step);
				return ($how, @findings) if grep { $_->{kind} eq 'crash' } @findings;
			}
			push @findings, $self->{invariant}->overlooked($self), $self->{invariant}->counted($input), $self->told_errors;
		}
		$self->set_path($input->{schema});
		push @findings, $self->drop_all;
		push @findings, $self->{invariant}->left unless grep { $_->{kind} eq 'crash' } @findings;
		$self->trim_tables($input->{schema});
	}
	return ($how, @findings, $self->collect_warnings);
}

# Bytes: of TopMemoryContext itself, of the core's caches, of everything else but
# what the core makes once, of the process.
sub memory
{
	my ($self) = @_;
	my ($top, $cache, $rest) = $self->{dbh}->selectrow_array(q{
		SELECT sum(total_bytes) FILTER (WHERE what = 'top'), sum(total_bytes) FILTER (WHERE what = 'cache'), sum(total_bytes) FILTER (WHERE what = 'rest')
		FROM (SELECT total_bytes, CASE
		          WHEN name = 'TopMemoryContext' THEN 'top'
		          WHEN name IN ('CacheMemoryContext', 'index info', 'relation rules', 'row security descriptor', 'partition key', 'partition descriptor',
		                        'CachedPlan', 'CachedPlanSource', 'CachedPlanQuery', 'SPI Plan') THEN 'cache'
		          WHEN name NOT IN ('Timezones', 'WAL record construction') THEN 'rest' END AS what
		      FROM pg_backend_memory_contexts) x});
	die "the memory could not be measured: " . $self->{dbh}->errstr . "\n" unless $rest;
	my $resident = 0;

	if (CORE::open(my $in, '<', "/proc/$self->{pid}/status"))
	{
		while (<$in>) { $resident = $1 * 1024 if /^RssAnon:\s+(\d+) kB/; }
		CORE::close($in);
	}
	return { top => $top, cache => $cache, rest => $rest, resident => $resident };
}

# The largest contexts, for the report of a leak.
sub memory_text
{
	my ($self) = @_;
	my $rows = $self->{dbh}->selectall_arrayref(q{
		SELECT name, count(*), sum(total_bytes) FROM pg_backend_memory_contexts GROUP BY 1 ORDER BY 3 DESC LIMIT 15}) // [];

	return join '', map { sprintf "%-40s %6d %12d\n", @$_ } @$rows;
}

1;
