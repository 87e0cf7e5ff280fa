# What must hold whatever was defined and done: nobody who waits is overlooked,
# nothing is done twice, and of dropped workflows nothing is left behind.  Looks at
# the engine's tables as superuser.
package FuzzInvariant;

use strict;
use warnings;

use DBI;

# Rows that lack what they belong to, by table.
my $no_enrollment = 'NOT EXISTS (SELECT FROM automation.enrollment e WHERE e.id = x.';
my $no_workflow = 'NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = x.workflow)';
my @orphan = (
	[ 'wait', "${no_enrollment}enrollment)" ],
	[ 'argument', "${no_enrollment}enrollment)" ],
	[ 'timer', "x.enrollment > 0 AND ${no_enrollment}enrollment)" ],
	[ 'timer', 'x.enrollment < 0 AND NOT EXISTS (SELECT FROM automation.due d WHERE d.id = -x.enrollment)' ],
	[ 'parked', "x.workflow IS NOT NULL AND $no_workflow" ],
	[ 'parked', "x.kind = 'W' AND x.target > 0 AND ${no_enrollment}target)" ],
	( map { [ $_, $no_workflow ] } qw(enrollment workflow_version rule due job split assignment split_rule decision schedule ledger) ),
	[ 'call', "${no_enrollment}id)" ]);

sub new
{
	my ($class, $source) = @_;
	return bless { source => $source }, $class;
}

# The superuser's session; anew after a crash.
sub dbh
{
	my ($self) = @_;

	return $self->{dbh} if $self->{dbh} && $self->{dbh}->ping > 0;
	$self->{dbh} = DBI->connect("dbi:Pg:$self->{source}", 'postgres', '', { AutoCommit => 1, PrintError => 0, RaiseError => 1, pg_server_prepare => 0 });
	return $self->{dbh};
}

sub close
{
	my ($self) = @_;
	$self->{dbh}->disconnect if $self->{dbh};
	$self->{dbh} = undef;
	return;
}

sub column
{
	my ($self, $sql) = @_;
	return @{ $self->dbh->selectcol_arrayref($sql) };
}

sub wrong
{
	my ($message, $more) = @_;
	return { kind => 'invariant', code => '', message => $message, more => $more };
}

# --- overlooked ---

# Whoever waits, and is not looked at by the clock anyhow, is held and released, and
# so looked at.  Who goes on then because a condition holds was overlooked before; what
# comes after that may be its consequence.
sub overlooked
{
	my ($self, $session) = @_;
	# twice, for there may be jobs and attempts
	$session->{dbh}->do('CALL automation.run()') or return for 1, 2;
	my @ids = $self->column(q{
		SELECT e.id FROM automation.enrollment e JOIN automation.workflow w ON w.id = e.workflow
		WHERE e.state = 'waiting' AND w.hold IS NULL AND w.version = e.version
		AND NOT EXISTS (SELECT FROM automation.wait x WHERE x.enrollment = e.id AND x.tie = 0) ORDER BY 1 LIMIT 50});
	return unless @ids;
	return if $self->column('SELECT 1 FROM automation.parked LIMIT 1');
	my ($at, $position) = $self->dbh->selectrow_array('SELECT at, position FROM automation.history ORDER BY at DESC, position DESC LIMIT 1');
	my $list = join ',', @ids;
	for my $what ('hold', 'release')
	{
		$session->{dbh}->do("SELECT automation.$what(id) FROM unnest('{$list}'::bigint[]) id") or return;
		$session->{dbh}->do('CALL automation.run()') or return;
	}
	my @first = $self->column(qq{
		SELECT concat_ws(' ', event, reason, 'of statement', statement, enrollment) FROM (SELECT *, enrollment = ANY ('{$list}') AS ours FROM automation.history
			WHERE (at, position) > ('$at', $position) AND event NOT IN ('held', 'released', 'waiting') ORDER BY at, position LIMIT 1) x
		WHERE ours AND (event = 'resumed' AND reason = 'condition' OR event = 'ended' AND reason = 'exit_when' OR event = 'goal')});
	return map { wrong('somebody was overlooked: ' . s/ \d+$//r, $_) } @first;
}

# --- twice, never ---

# Who came before, and no traces of them.
sub begin
{
	my ($self) = @_;

	$self->dbh->do('DELETE FROM fuzz.trace') if $self->column('SELECT 1 FROM fuzz.trace LIMIT 1');
	($self->{newest}) = $self->column('SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM automation.enrollment_seq');
	return;
}

# A first statement that leaves a trace ran once for each entry.
sub counted
{
	my ($self, $input) = @_;
	return unless $input->{body} =~ /^BEGIN\n  INSERT INTO fuzz\.trace VALUES \(c\.id\);/m
		&& 1 == (() = $input->{body} =~ /trace/g) && !grep { $_->{define} } @{ $input->{plan} };
	my ($traces, $entries, $other) = $self->dbh->selectrow_array(qq{
		SELECT (SELECT count(*) FROM fuzz.trace), count(*) FILTER (WHERE event = 'entered'),
			count(*) FILTER (WHERE event IN ('retrying', 'failed', 'held', 'goal') OR event = 'ended' AND reason NOT IN ('completed', 'exited'))
		FROM automation.history h WHERE enrollment > $self->{newest}
		AND NOT EXISTS (SELECT FROM automation.workflow w WHERE w.id = h.workflow AND w.signature ~ '(base|e01_onboarding|t86_mail|f27_onboard)\\(')});

	return wrong("more effects than entries", "$traces of $entries") if $traces > $entries;
	return if $other || grep { $_->{fault} } @{ $input->{plan} };
	return wrong("fewer effects than entries", "$traces of $entries") if $traces < $entries;
	return;
}

# --- left behind ---

sub left
{
	my ($self) = @_;
	my @findings;

	for my $orphan (@orphan)
	{
		my ($table, $condition) = @$orphan;
		my ($n, $one) = $self->dbh->selectrow_array("SELECT count(*), min(x::text) FROM automation.$table x WHERE $condition");
		next unless $n;
		push @findings, wrong("rows are left in automation.$table", "$n: $one");
		# told once
		$self->dbh->do("DELETE FROM automation.$table x WHERE $condition");
	}
	return @findings;
}

1;
