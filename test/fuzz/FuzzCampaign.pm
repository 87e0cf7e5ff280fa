# Makes inputs, tries them in a session, and keeps what it finds: an input for
# each finding, as small as it gets.
#
# Input number n of a seed is the same whatever was tried before it, so a finding
# is repeated by its seed and number.  What was stored by those before it matters
# little: an epoch begins with a new database, and every input ends with DROP.
package FuzzCampaign;

use strict;
use warnings;

use Time::HiRes ();

use FuzzGrammar qw(generate);
use FuzzPlan qw(plan);
use FuzzSession;
use FuzzText qw(tokens pick chance read_seeds mutate mutate_signature);

# Runs that a finding's input may take while it is made smaller.
use constant MINIMIZE_RUNS => 400;
use constant MINIMIZE_RUNS_SLOW => 20;
# Of findings that look the same, so many are kept.
use constant SAME_MAX => 2;
# Inputs between two looks at the memory.
use constant MEASURE_EVERY => 250;
# How much it may grow in the second half of an epoch, in bytes.  The core's caches
# double their blocks and remember names that do not exist, so they may grow with
# the inputs; ours are bounded; what the allocator keeps for itself comes and goes
# with the largest bodies.
my %growth_max = (top => 256 * 1024, rest => 6 * 1024 * 1024, cache => 8 * 1024 * 1024, resident => 32 * 1024 * 1024);
my %growth_per_input = (top => 0, rest => 0, cache => 300, resident => 1000);

# top: directory of the project; connect: data source without the database;
# database: callback that makes a database anew and returns its name; encoding of
# it, if not UTF8; seed; language: only what the grammar makes, mostly without
# mistakes, is run, and at length;
# findings: directory for them; say: callback for lines.
sub new
{
	my ($class, %option) = @_;
	my $self = bless { %option, seen => {}, count => {}, inputs => 0, findings_count => 0 }, $class;

	$self->{measure_every} = $option{language} ? MEASURE_EVERY / 5 : MEASURE_EVERY;
	$self->{seeds} = [ read_seeds($option{top}) ];
	$self->{whole} = [ grep { !$_->{piece} } @{ $self->{seeds} } ];
	return $self;
}

sub say
{
	my ($self, $line) = @_;
	$self->{say}->($line);
	return;
}

# Input number n.
sub input
{
	my ($self, $n) = @_;
	my $from = $self->{whole};
	my $input;
	my $other;

	srand(($self->{seed} * 1000003 + $n * 7919) % 4294967291);
	rand() for 1 .. 3;
	$other = pick(@{ $self->{seeds} })->{body};
	local $FuzzGrammar::calm = $self->{language} || chance(3);
	if ($self->{language} || chance(4))
	{
		$input = generate();
		$input->{body} = mutate($input->{body}, $other) if !$FuzzGrammar::calm && chance(4);
	}
	else
	{
		$input = { %{ pick(@$from) } };
		$input->{name} = 'w' if $input->{name} =~ /^(?:base|e01_onboarding|t86_mail|f27_onboard)$/ || chance(2);
		$input->{schema} = $input->{schema} eq 'crm' ? 'fuzz' : 'crm' if chance(40);
		$input->{body} = mutate($input->{body}, $other) unless chance(25);
	}
	mutate_signature($input) if !$self->{language} && chance(12);
	$input->{quote} = chance(6) ? 1 + int(rand(2)) : 0;
	$input->{unchecked} = chance(6);
	$input->{replace} = chance(3);
	plan($input, pick(@{ $self->{seeds} })->{body}, $self->{language} ? 14 : 6) if $self->{language} || chance(2);
	$input->{number} = $n;
	return $input;
}

# --- findings ---

# What findings have in common that are the same one.
sub signature
{
	my ($finding) = @_;
	my $message = $finding->{message} // '';

	$message =~ s/"[^"]*"|'[^']*'/Q/g;
	$message =~ s/\d+/N/g;
	return join ' ', $finding->{kind}, $finding->{code} // '', substr($message, 0, 80);
}

# Does the input, tried alone, still show a finding of this signature?
sub shows
{
	my ($self, $input, $signature) = @_;
	my (undef, @findings) = $self->{session}->try_input($input);

	$self->recover if grep { $_->{kind} eq 'crash' } @findings;
	return grep { signature($_) eq $signature } @findings;
}

# Takes tokens out of the body, and steps out of the plan, while the finding stays.
sub minimize
{
	my ($self, $input, $signature) = @_;
	my $runs = $signature =~ /^hang/ ? MINIMIZE_RUNS_SLOW : MINIMIZE_RUNS;
	my $try = sub {
		my ($changed) = @_;
		return $runs-- > 0 && $self->shows($changed, $signature);
	};

	return (0, $input) unless $try->($input);
	for my $what ('body', 'plan', 'body')
	{
		my @parts = $what eq 'body' ? tokens($input->{body}) : @{ $input->{plan} // [] };
		my $make = sub { return $what eq 'body' ? { %$input, body => join('', @_) } : { %$input, plan => [@_] }; };

		for (my $size = int(@parts / 2) || 1; $size >= 1 && @parts; $size = int($size / 2))
		{
			for (my $i = 0; $i < @parts && $runs > 0;)
			{
				my @left = @parts;
				splice(@left, $i, $size);
				if ($try->($make->(@left))) { @parts = @left; }
				else { $i += $size; }
			}
		}
		$input = $make->(@parts);
	}
	return (1, $input);
}

# A finding as a script for psql.
sub script
{
	my ($self, $finding, $input, $alone) = @_;
	my $comment = sub { my ($text) = @_; $text =~ s/^/-- /gm; return "$text\n"; };
	my $text = $comment->("kind: $finding->{kind}\ncode: " . ($finding->{code} // '') . "\nmessage: " . ($finding->{message} // ''));

	$text .= $comment->("$_: $finding->{$_}") for grep { defined $finding->{$_} && length $finding->{$_} } qw(more seconds context);
	$text .= $comment->("statement: " . substr($finding->{sql}, 0, 500)) if defined $finding->{sql};
	$text .= "-- seed $self->{seed}, input $input->{number}" . ($alone ? "\n" : "; not repeated by this input alone\n");
	$text .= "SET search_path = $input->{schema};\n";
	$text .= "SET check_function_bodies = off;\n" if $input->{unchecked};
	$text .= FuzzSession::statement($input, $input->{replace}) . ";\n";
	$text .= ($_->{define} ? FuzzSession::statement($_->{define}, 1) : $_->{fault} ? '-- ' . join(', ', %{ $_->{fault} }) : $_->{sql}) . ";\n" for @{ $input->{plan} // [] };
	return $text;
}

sub keep
{
	my ($self, $finding, $input) = @_;
	my $signature = signature($finding);
	my $n = ++$self->{seen}{$signature};
	my $alone = 0;

	$self->{findings_count}++;
	return if $n > SAME_MAX;
	$self->say("FOUND $signature: seed $self->{seed}, input $input->{number}");
	# what a database remembers of a crash or a leak is not repeated
	($alone, $input) = $self->minimize($input, $signature) unless $finding->{kind} =~ /^(?:growth|leak)$/;
	my $name = sprintf '%s/%s-%s-%d.sql', $self->{findings}, $finding->{kind}, $self->{seed}, $input->{number};
	open(my $out, '>:raw', $name) or die "$name: $!\n";
	print $out $self->script($finding, $input, $alone);
	close $out;
	my $shown = $self->script($finding, $input, $alone);
	$self->say(length $shown > 3000 ? substr($shown, 0, 3000) . ' ...' : $shown);
	return;
}

# --- memory ---

sub measure
{
	my ($self) = @_;
	push @{ $self->{memory} }, $self->{session}->memory;
	return;
}

sub lowest
{
	my ($what, @measures) = @_;
	my ($low) = sort { $a <=> $b } map { $_->{$what} } @measures;
	return $low;
}

# Has it grown from the second to the last quarter of the epoch?  The lowest of
# each is compared: what comes and goes is no leak.
sub judge_memory
{
	my ($self) = @_;
	my @m = @{ $self->{memory} };
	my $quarter = int(@m / 4);

	return if $quarter < 2;
	my @early = @m[ $quarter .. 2 * $quarter - 1 ];
	my @late = @m[ -$quarter .. -1 ];
	my $inputs = (@m - 2 * $quarter) * $self->{measure_every};
	my %growth = map { $_ => lowest($_, @late) - lowest($_, @early) } qw(top cache rest resident);
	$self->say(sprintf 'memory over %d inputs: %s', $inputs,
		join ', ', map { sprintf '%s %.1f MB (%+.0f kB)', $_, lowest($_, @late) / 1048576, $growth{$_} / 1024 } qw(top cache rest resident));
	for my $what (sort keys %growth_max)
	{
		next if $growth{$what} <= $growth_max{$what} + $growth_per_input{$what} * $inputs;
		$self->keep({ kind => 'growth', code => '', message => "memory of $what has grown by $growth{$what} bytes in $inputs inputs", more => $self->{session}->memory_text },
			{ %{ $self->{last_input} } });
	}
	return;
}

# --- the loop ---

# A new session, and a server that is up, after a crash.
sub recover
{
	my ($self) = @_;
	my $end = Time::HiRes::time() + 120;

	$self->{memory} = [];
	while (Time::HiRes::time() < $end)
	{
		return if $self->{session}->open;
		Time::HiRes::usleep(200000);
	}
	die "the server does not come back\n";
}

sub begin_epoch
{
	my ($self) = @_;

	$self->{session}->close if $self->{session};
	$self->{session} = FuzzSession->new($self->{connect}, $self->{database}->(), 'app', $self->{encoding});
	$self->{memory} = [];
	return;
}

# A time limit that passed while the session did not work: the machine stood
# still, unless it happens again.
sub was_held_up
{
	my ($self, $finding, $input) = @_;

	return 0 if ($finding->{code} // '') ne '57014' || $finding->{seconds} > 1;
	return 0 if $self->shows($input, signature($finding));
	$self->say("not repeated: $finding->{kind} $finding->{message}, input $input->{number}");
	return 1;
}

sub try_one
{
	my ($self, $n) = @_;
	my $input = $self->input($n);
	my ($how, @findings) = $self->{session}->try_input($input);

	$self->{inputs}++;
	$self->{count}{$how}++;
	$self->{last_input} = $input;
	$self->{codes}{ $self->{session}{last_error}{code} }++ if $how eq 'refused';
	$self->recover if grep { $_->{kind} eq 'crash' } @findings;
	for my $finding (@findings)
	{
		$self->keep($finding, $input) unless $self->was_held_up($finding, $input);
	}
	return;
}

# Tries inputs from number "first" on: "limit" of them, or until "until" (epoch
# seconds); every "epoch" inputs in a new database and session.
sub run
{
	my ($self, %option) = @_;
	my $said = Time::HiRes::time();
	my $n = $option{first} // 1;
	my $last = $option{limit} ? $n + $option{limit} - 1 : undef;
	my $done = 0;

	while ((!defined $last || $n <= $last) && (!$option{until} || Time::HiRes::time() < $option{until}))
	{
		$self->begin_epoch if $done % $option{epoch} == 0;
		$self->try_one($n++);
		$self->measure if ++$done % $self->{measure_every} == 0;
		$self->judge_memory if $done % $option{epoch} == 0;
		if (Time::HiRes::time() > $said + 60)
		{
			$self->say($self->summary);
			$said = Time::HiRes::time();
		}
	}
	$self->judge_memory if $done % $option{epoch} != 0;
	return $self->{findings_count};
}

sub summary
{
	my ($self) = @_;
	my $count = $self->{count};

	return sprintf 'seed %s: %d inputs: %d refused, %d accepted, %d run (%d slow statements); %d findings of %d sorts', $self->{seed}, $self->{inputs},
	  $count->{refused} // 0, $count->{accepted} // 0, $count->{run} // 0, $self->{session}{slow} // 0, $self->{findings_count}, scalar keys %{ $self->{seen} };
}

1;
