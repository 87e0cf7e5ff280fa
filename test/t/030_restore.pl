# Dump and restore of 1,000 enrollments in flight, in every form pg_dump has; and of
# some of every other kind: waits for rows of other tables and for changes, goals,
# moments, jobs in their middle, arms of a split.
#
# The restored database runs nothing until CALL automation.arm(); then every
# enrollment goes on exactly once, as it does in the database that was dumped:
# that one is continued by the same script, and what the steps wrote (to a table
# without any key) is compared.
use strict;
use warnings;

use AutomationTest qw(owner_database wait_for_log);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

# whoever runs the tests
$ENV{PGUSER} = 'postgres';

my $conf = q{
automation.retry_delay = '1h'
max_worker_processes = 24
fsync = off
};

# The source and some copies live on a server without preload: run() works there.
my $source = PostgreSQL::Test::Cluster->new('source');
$source->init(extra => [ '-U', 'postgres' ]);
$source->append_conf('postgresql.conf', $conf);
$source->start;

# Others have live executors.
my $live = PostgreSQL::Test::Cluster->new('live');
$live->init(extra => [ '-U', 'postgres' ]);
$live->append_conf('postgresql.conf', "shared_preload_libraries = 'automation'\n$conf");
$live->start;

my $directory = PostgreSQL::Test::Utils::tempdir;

# Runs SQL as a role, in its schema.
sub as
{
	my ($role, $node, $database, $sql) = @_;
	return $node->safe_psql($database, "SET search_path = $role;\n$sql", extra_params => [ '-U', $role ]);
}

# One statement of its own transaction each.
sub run_both
{
	my ($node, $database) = @_;
	as($_, $node, $database, 'CALL automation.run()') foreach qw(app other);
	return;
}

# ---------------------------------------------------------------------------
# The database that is dumped
# ---------------------------------------------------------------------------

my $workflows = q{
CREATE TABLE contact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind text, score int NOT NULL DEFAULT 0, stage text NOT NULL DEFAULT 'lead', extra int);
CREATE TABLE deal (id int PRIMARY KEY, amount int NOT NULL DEFAULT 0);
CREATE TABLE note (workflow text, contact bigint, step text);
GRANT SELECT, TRIGGER ON contact TO other;
GRANT INSERT ON note TO other;
GRANT USAGE ON SCHEMA app TO other;

-- stands on timers
CREATE FUNCTION drip(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'timer';
BEGIN
  INSERT INTO note VALUES ('drip', c.id, 'start');
  WAIT FOR '3 days';
  INSERT INTO note VALUES ('drip', c.id, 'second');
  WAIT FOR '4 days';
  INSERT INTO note VALUES ('drip', c.id, 'end');
END $$;

-- stands on conditions
CREATE FUNCTION rate(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'condition';
DECLARE
  n int := 7;
BEGIN
  n := n + c.id::int;
  INSERT INTO note VALUES ('rate', c.id, 'start');
  WAIT UNTIL c.score > 50 TIMEOUT '20 days';
  INSERT INTO note VALUES ('rate', c.id, 'found ' || found || ' ' || n);
END $$;

-- retries
CREATE FUNCTION divide(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'divide';
BEGIN
  INSERT INTO note VALUES ('divide', c.id, 'start');
  WAIT FOR '0 seconds';
  INSERT INTO note VALUES ('divide', c.id, 'quotient ' || 100 / c.score);
END $$;

-- has a second row argument
CREATE FUNCTION haggle(c contact, d deal) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL ONCE PER c, d;
BEGIN
  WAIT UNTIL d.amount > 10;
  INSERT INTO note VALUES ('haggle', c.id, 'amount ' || d.amount);
END $$;

-- waits for another
CREATE FUNCTION child(c contact, days int) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  WAIT FOR days * interval '1 day';
  INSERT INTO note VALUES ('child', c.id, 'end');
END $$;
CREATE FUNCTION parent(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'parent';
DECLARE
  call bigint;
BEGIN
  SELECT child(c, 5) INTO call;
  WAIT UNTIL automation.finished(call);
  INSERT INTO note VALUES ('parent', c.id, 'end');
END $$;

-- its entry fails: parked events
CREATE FUNCTION welcome(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage TO 'customer' FOR SELECT c FROM contact c WHERE c.id = new.id AND 100 / c.score > 0;
BEGIN
  INSERT INTO note VALUES ('welcome', c.id, 'start');
  WAIT FOR '1 day';
  INSERT INTO note VALUES ('welcome', c.id, 'end');
END $$;

-- is held: events parked until it is released
CREATE FUNCTION measure(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage TO 'extra';
BEGIN
  INSERT INTO note VALUES ('measure', c.id, 'extra ' || coalesce(c.extra, -1));
END $$;

-- comes to its end at once: only the ledger knows
CREATE FUNCTION once(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage TO 'once';
BEGIN
  INSERT INTO note VALUES ('once', c.id, 'only');
END $$;
CREATE FUNCTION every(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage TO 'trial';
  ENROLL AGAIN;
DECLARE
  arm text;
  side text;
BEGIN
  SPLIT arm INTO left, right, middle;
  SPLIT side INTO heads 40%, tails 60%;
  INSERT INTO note VALUES ('every', c.id, 'once more, ' || arm || ', ' || side);
END $$;
};

# Those that hang on other tables, and on time.
my $of_persons = q{
CREATE TABLE person (id int PRIMARY KEY, does text, meets timestamptz);
CREATE TABLE cart (id int PRIMARY KEY, person_id int);
CREATE TABLE sale (id int PRIMARY KEY, person_id int, cart_id int, status text NOT NULL DEFAULT 'new');

-- waits for a row that leads to it, and for one that does so by way of another
CREATE FUNCTION pays(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.does = 'pays';
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM sale s WHERE s.person_id = p.id AND s.status = 'paid') TIMEOUT '20 days';
  INSERT INTO note VALUES ('pays', p.id, 'found ' || found);
END $$;
CREATE FUNCTION shops(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.does = 'shops';
  EXIT WHEN EXISTS (SELECT FROM sale s WHERE s.person_id = p.id AND s.status = 'void');
BEGIN
  WAIT UNTIL (SELECT count(*) FROM sale s JOIN cart k ON k.id = s.cart_id WHERE k.person_id = p.id) > 1 TIMEOUT '20 days';
  INSERT INTO note VALUES ('shops', p.id, 'found ' || found);
END $$;

-- waits for a change, three times; so does one that is held when it comes
CREATE FUNCTION hears(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.does = 'hears';
BEGIN
  <<again>>
  WAIT FOR INSERT OR UPDATE OF status TO 'paid' ON sale WHEN new.person_id = p.id TIMEOUT '10 days';
  INSERT INTO note VALUES ('hears', p.id, 'found ' || found);
  GO TO again AT MOST 2 TIMES;
END $$;
CREATE FUNCTION keeps(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.does = 'keeps';
BEGIN
  WAIT FOR INSERT ON sale WHEN new.person_id = p.id TIMEOUT '20 days';
  INSERT INTO note VALUES ('keeps', p.id, 'found ' || found);
END $$;

-- is pulled to its goal, which starts another
CREATE FUNCTION sells(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.does = 'sells';
BEGIN
  WAIT FOR '2 days';
  INSERT INTO note VALUES ('sells', p.id, 'offer');
  WAIT FOR '20 days';
  GOAL bought WHEN EXISTS (SELECT FROM sale s WHERE s.person_id = p.id AND s.status = 'paid') OTHERWISE EXIT;
  INSERT INTO note VALUES ('sells', p.id, 'bought');
END $$;
CREATE FUNCTION thanks(p person) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON automation.goal_reached
    WHEN new.workflow = 'sells' AND new.outcome = 'achieved' FOR SELECT new.subject::int;
BEGIN
  INSERT INTO note VALUES ('thanks', p.id, 'start');
  WAIT FOR '1 day';
  INSERT INTO note VALUES ('thanks', p.id, 'end');
END $$;

-- begins at a moment of the row's own
CREATE FUNCTION meets(p person) RETURNS bigint LANGUAGE workflow AS $$
  AT p.meets WHEN p.does = 'meets';
  ENROLL AGAIN;
BEGIN
  INSERT INTO note VALUES ('meets', p.id, 'now');
END $$;

-- takes in whoever is there
CREATE FUNCTION fills(p person) RETURNS bigint LANGUAGE workflow AS $$
  ENROLL AGAIN;
BEGIN
  INSERT INTO note VALUES ('fills', p.id, 'in');
END $$;
};

# A workflow of another owner on the same table.
my $of_other = q{
CREATE FUNCTION watch(c app.contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT WHEN new.kind = 'timer';
BEGIN
  INSERT INTO app.note VALUES ('watch', c.id, 'start');
  WAIT FOR '2 days';
  INSERT INTO app.note VALUES ('watch', c.id, 'end');
END $$;
};

$source->safe_psql('postgres', 'CREATE DATABASE origin');
owner_database($source, 'origin', 'other');
owner_database($source, 'origin', 'app');
$source->safe_psql('origin', q{INSERT INTO automation.calendar (name, hours, zone) VALUES ('shop', 'Mon-Sat 10:00-20:00', 'Europe/Paris')});
as('app', $source, 'origin', $workflows);
as('app', $source, 'origin', $of_persons);
as('other', $source, 'origin', $of_other);
# a second version, so that numbers are not all 1
as('app', $source, 'origin', q{
CREATE OR REPLACE FUNCTION once(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF stage TO 'once';
BEGIN
  INSERT INTO note VALUES ('once', c.id, 'the second version');
END $$;
GRANT EXECUTE ON FUNCTION child(contact, int) TO other;
});

# a role that had workflows once: its number may be somebody else's elsewhere
owner_database($source, 'origin', 'gone', 'CREATE TABLE thing (id int PRIMARY KEY); CREATE FUNCTION gone(t thing) RETURNS bigint LANGUAGE workflow AS $$ AFTER INSERT; BEGIN INSERT INTO thing VALUES (-1); END $$');
$source->safe_psql('origin', q{INSERT INTO automation.holiday (calendar, day, hours) VALUES ('shop', '2026-12-24', '10:00-12:00'), ('default', '2026-12-25', '')});
$source->safe_psql('origin', 'DROP OWNED BY gone');
$source->safe_psql('origin', 'DROP ROLE gone');
like($source->safe_psql('origin', 'SELECT string_agg(role::text, \' \' ORDER BY id) FROM automation.owner'), qr/^app other \d+$/, 'a dropped role is remembered');

as('app', $source, 'origin', q{
INSERT INTO contact (kind) SELECT 'timer' FROM generate_series(1, 250);
INSERT INTO contact (kind) SELECT 'condition' FROM generate_series(1, 250);
INSERT INTO contact (kind) SELECT 'divide' FROM generate_series(1, 100);
INSERT INTO contact (kind) SELECT 'parent' FROM generate_series(1, 50);
INSERT INTO contact (kind) SELECT 'plain' FROM generate_series(1, 100);
INSERT INTO deal SELECT generate_series(1, 60);
SELECT count(haggle(c, d)) FROM contact c JOIN deal d ON d.id + 650 = c.id WHERE d.id <= 50;
UPDATE contact SET stage = 'once' WHERE id BETWEEN 651 AND 690;
UPDATE contact SET stage = 'trial' WHERE id BETWEEN 651 AND 690;
});
run_both($source, 'origin');
as('app', $source, 'origin', "SELECT automation.decide('every', 'side', winner => 'heads')");
is( $source->safe_psql('origin', 'SELECT count(*) FROM automation.enrollments'),
	1000, '1,000 enrollments are in flight');
as('app', $source, 'origin', q{
ALTER TABLE contact DROP COLUMN extra;
UPDATE contact SET stage = 'customer' WHERE id BETWEEN 691 AND 720;
UPDATE contact SET stage = 'extra' WHERE id BETWEEN 721 AND 730;
});
run_both($source, 'origin');
is( $source->safe_psql('origin', "SELECT string_agg(DISTINCT state, ', ') FROM automation.enrollments"),
	'retrying, waiting', 'they wait and retry');
is( $source->safe_psql('origin', 'SELECT count(*) FILTER (WHERE workflow IS NULL) || \' \' || count(workflow) FROM automation.parked'),
	'30 10', 'events are parked, for an error and for a held workflow');

# Of the persons 1 to 10 of each kind, 3 and 7 have done what is waited for already.
# Moments: of 61 and 62 it has come, those of 63 to 65 will, that of 66 is not known.
as('app', $source, 'origin', q{
INSERT INTO person SELECT k * 10 + i, (ARRAY['pays', 'shops', 'hears', 'keeps', 'sells'])[k + 1] FROM generate_series(0, 4) k, generate_series(1, 10) i;
INSERT INTO cart SELECT id, id FROM person;
});
run_both($source, 'origin');
as('app', $source, 'origin', q{
INSERT INTO person SELECT i, 'meets', CASE WHEN i <= 62 THEN automation.now() + '1 second' WHEN i < 66 THEN automation.now() + '2 days' END FROM generate_series(61, 66) i;
SELECT count(automation.hold(id)) FROM automation.enrollments WHERE workflow = 'keeps' AND subject_key::int > 35;
INSERT INTO sale SELECT id, id, id, CASE id % 10 WHEN 3 THEN 'paid' WHEN 7 THEN 'paid' ELSE 'new' END FROM person WHERE id % 10 IN (3, 7, 8) AND does <> 'meets';
});
run_both($source, 'origin');
for (1 .. 600)
{
	last if $source->safe_psql('origin', q{SELECT count(*) FROM app.note WHERE workflow = 'meets'}) eq '2';
	Time::HiRes::usleep(10000);
	run_both($source, 'origin');
}
as('app', $source, 'origin', q{SELECT automation.backfill('fills', rate => 1)});
run_both($source, 'origin');
is( $source->safe_psql('origin', q{SELECT string_agg(workflow || ' ' || n, ', ' ORDER BY workflow) FROM
	(SELECT workflow, count(*) AS n FROM automation.enrollments WHERE subject_table = 'app.person'::regclass GROUP BY 1) x}),
	'hears 10, keeps 9, pays 8, sells 8, shops 10, thanks 2', 'persons are in flight');
is( $source->safe_psql('origin', q{SELECT string_agg(DISTINCT waiting ->> 'kind', ' ') FROM automation.enrollment WHERE waiting ? 'ties'}),
	'change condition interval', 'tied are waits of every kind');
is( $source->safe_psql('origin', q{SELECT count(*) FROM automation.parked p WHERE p.target IS NOT NULL}), '2', 'changes are kept for those who are held');
is( $source->safe_psql('origin', q{SELECT count(at) || ' ' || count(fired_at) || ' ' || count(*) FROM automation.moments}), '3 2 5', 'moments are known, and have come');
like( $source->safe_psql('origin', q{SELECT state || ' ' || done FROM automation.progress WHERE kind = 'backfill'}), qr/^(waiting|running) [1-9]$/, 'a job is in its middle');
is( $source->safe_psql('origin', q{SELECT count(*) FROM automation.goal_reached}), '2', 'goals are reached');

# Unread events.  Of one row there are several, in transactions of their own:
# taken together they would be no change at all.
as('app', $source, 'origin', q{
INSERT INTO contact (kind) SELECT 'timer' FROM generate_series(1, 20);
INSERT INTO contact (kind) SELECT 'condition' FROM generate_series(1, 20);
SELECT count(haggle(c, d)) FROM contact c JOIN deal d ON d.id + 650 = c.id WHERE d.id > 50;
SELECT automation.unenroll('drip', 1::bigint);
UPDATE contact SET stage = 'trial' WHERE id BETWEEN 731 AND 740;
UPDATE contact SET stage = 'lead' WHERE id BETWEEN 731 AND 740;
UPDATE contact SET stage = 'trial' WHERE id BETWEEN 731 AND 735;
UPDATE contact SET stage = 'lead' WHERE id BETWEEN 731 AND 735;
INSERT INTO sale SELECT id + 100, id, id, 'paid' FROM person WHERE id % 10 IN (4, 8) AND does <> 'meets';
INSERT INTO sale SELECT id + 200, id, id FROM person WHERE does = 'hears' AND id % 10 IN (4, 5);
UPDATE sale SET status = 'void' WHERE id = 18;
UPDATE person SET meets = meets + interval '1 day' WHERE id = 64;
INSERT INTO person VALUES (70, 'hears'), (71, 'pays');
SELECT automation.backfill('fills', $w$p.does = 'pays'$w$);
});
isnt($source->safe_psql('origin', 'SELECT count(*) FROM automation.event_0'), 0, 'the log has unread events');

# ---------------------------------------------------------------------------
# What is compared
# ---------------------------------------------------------------------------

# Everything that must come through a dump as it was: ids, versions, owners.
my $identity = q{
SELECT 'workflow', w.id, signature, o.role, version, entry, hold FROM automation.workflow w JOIN automation.owner o ON o.id = w.owner ORDER BY 2;
SELECT 'owner', id, role FROM automation.owner WHERE EXISTS (SELECT FROM pg_roles r WHERE r.oid = role) ORDER BY 2;
SELECT 'nobody', count(*) FROM automation.owner WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = role) AND current_database() <> 'origin';
SELECT 'source', id, relation FROM automation.source ORDER BY 2;
SELECT 'version', workflow, version, author, md5(source), path, created_at FROM automation.workflow_version ORDER BY 2, 3;
SELECT 'rule', r FROM automation.rule r ORDER BY r.id;
SELECT 'enrollment', to_jsonb(e) FROM automation.enrollment e ORDER BY e.id;
SELECT 'argument', a FROM automation.argument a ORDER BY enrollment, source, key;
SELECT 'timer', t FROM automation.timer t ORDER BY enrollment, at;
SELECT 'wait', w FROM automation.wait w ORDER BY enrollment, tie;
SELECT 'ledger', l FROM automation.ledger l ORDER BY workflow, entry_key;
SELECT 'split', s FROM automation.split s ORDER BY workflow, split, generation;
SELECT 'assignment', a FROM automation.assignment a ORDER BY workflow, split, key;
SELECT 'split_rule', s FROM automation.split_rule s ORDER BY workflow, split;
SELECT 'due', d FROM automation.due d ORDER BY d.id;
SELECT 'job', j FROM automation.job j ORDER BY j.id;
SELECT 'goal', g FROM automation.goal_reached g ORDER BY g.id;
SELECT 'decision', d FROM automation.decision d ORDER BY workflow, split, generation, number;
SELECT 'call', c FROM automation.call c ORDER BY id;
SELECT 'calendar', c FROM automation.calendar c ORDER BY name;
SELECT 'holiday', h FROM automation.holiday h ORDER BY calendar, day;
SELECT 'parked', p FROM automation.parked p ORDER BY p.id;
SELECT 'event', seq, at, kind, owner, source, key, old_key, target, hits, prints, ties, old, new, args, cause FROM automation.event_0 ORDER BY seq;
SELECT 'history', count(*) FROM automation.history;
SELECT 'trigger', tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE tgfoid = 'automation.capture'::regproc ORDER BY 2, 3;
SELECT 'routine', w.routine = p.oid, proacl FROM automation.workflow w LEFT JOIN pg_proc p ON p.oid = w.routine ORDER BY w.id;
};

# Those of it that must be there before arm(): functions need not be bound yet, and
# pg_dump leaves triggers of an extension's tables to the extension.
my $identity_disarmed = $identity =~ s/^SELECT 'routine'.*$//mr
  =~ s/(automation\.capture'::regproc)/$1 AND tgrelid <> 'automation.goal_reached'::regclass/r;

# What arm() adds: whoever is tied is looked at once more, after everything that came
# with the dump, so that he is tied anew; and all changes that come now are such as
# were made after his wait began..
my $to_be_looked_at = q{
SELECT 'look', 'W', e.owner, e.id FROM automation.enrollment e WHERE waiting ? 'ties' ORDER BY e.id;
};
my $looks = q{
SELECT 'look', kind, owner, target FROM automation.event_0 WHERE seq > %s AND num_nulls(source, key, old_key, hits, prints, ties, old, new, args, cause, origin) = 11 ORDER BY target;
};

# Everything else is as it was.
sub armed_identity
{
	my ($last) = @_;
	my $sql = $identity;

	$sql =~ s/to_jsonb\(e\)/to_jsonb(e) #- CASE WHEN waiting ->> 'kind' = 'change' THEN '{waiting,snapshot}'::text[] ELSE '{}' END/ or die;
	$sql =~ s/(FROM automation\.event_0)/$1 WHERE seq <= $last/ or die;
	return $sql;
}

sub describe
{
	my ($node, $database, $sql) = @_;
	return $node->safe_psql($database, "SET search_path = pg_catalog;\n$sql");
}

# What the steps did, who is inside still, and who did not enter.
my $effects = q{
SELECT workflow, contact, step, count(*) FROM app.note GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT workflow, subject, state, reason, line FROM automation.enrollments ORDER BY 1, 2, id;
SELECT signature, owner, version, entered, active, hold FROM automation.workflows ORDER BY 1;
SELECT workflow, event, reason, count(*) FROM automation.journal WHERE event <> 'retrying' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT 'moment', subject_key, at IS NULL, fired_at IS NULL FROM automation.moments ORDER BY 2;
SELECT 'job', kind, state, done FROM automation.progress ORDER BY job;
SELECT 'goal', workflow, goal, outcome, subject, count(*) FROM automation.goal_reached GROUP BY 2, 3, 4, 5 ORDER BY 5;
SELECT 'arm', split, key, arm FROM automation.assignment ORDER BY 2, 3;
SELECT 'left', (SELECT count(*) FROM automation.parked), (SELECT count(*) FROM automation.timer), (SELECT count(*) FROM automation.call);
};

# Compares two descriptions; tells the lines that differ.
sub same
{
	my ($got, $wanted, $name) = @_;
	my (%got, %wanted);

	$got{$_}++ foreach split /\n/, $got;
	$wanted{$_}++ foreach split /\n/, $wanted;
	my @differences = (
		(map { "+$_" } grep { ($wanted{$_} // 0) < $got{$_} } sort keys %got),
		(map { "-$_" } grep { ($got{$_} // 0) < $wanted{$_} } sort keys %wanted));
	ok(!@differences, $name)
	  or diag(join("\n", scalar(@differences) . ' lines differ', @differences[ 0 .. ($#differences < 20 ? $#differences : 20) ]));
	return;
}

# Lets it all go on, to the end.  Meanwhile people work, too: they change what
# is waited for, and try to enter twice.
sub go_on
{
	my ($node, $database) = @_;

	run_both($node, $database);
	as('app', $node, $database, q{
UPDATE contact SET score = 60 WHERE kind = 'condition' AND id % 2 = 0;
UPDATE contact SET score = 4 WHERE kind IN ('divide', 'plain');
UPDATE contact SET stage = 'lead' WHERE kind = 'plain';
UPDATE contact SET stage = 'once' WHERE id BETWEEN 651 AND 690;
UPDATE contact SET stage = 'trial' WHERE id BETWEEN 651 AND 690;
UPDATE deal SET amount = 10 + id;
SELECT count(haggle(c, d)) FROM contact c JOIN deal d ON d.id + 650 = c.id;
INSERT INTO contact (kind, score) SELECT k, 5 FROM generate_series(1, 10), unnest('{timer,condition,divide,parent}'::text[]) k;
SELECT count(automation.release(id)) FROM automation.enrollments WHERE workflow = 'keeps' AND state = 'held';
INSERT INTO sale SELECT id + 300, id, id, CASE WHEN id % 2 = 0 THEN 'paid' ELSE 'new' END FROM person WHERE id % 10 IN (1, 2) AND does <> 'meets';
UPDATE sale SET status = 'paid' WHERE id IN (213, 303, 323, 343);
UPDATE sale SET status = 'void' WHERE id = 11;
UPDATE cart SET person_id = 19 WHERE person_id = 12;
INSERT INTO person VALUES (80, 'pays'), (81, 'hears'), (82, 'sells');
UPDATE person SET meets = automation.now() + interval '3 days' WHERE id IN (65, 66);
UPDATE person SET does = 'nothing' WHERE id = 63;
});
	run_both($node, $database);
	as('app', $node, $database, 'ALTER TABLE contact ADD COLUMN extra int');
	foreach my $step ('1 hour', '1 day', '40 days')
	{
		as('app', $node, $database, "CALL automation.advance('$step')");
		run_both($node, $database);
	}
	return describe($node, $database, $effects);
}

my $before_disarmed = describe($source, 'origin', $identity_disarmed);
my $last = $source->safe_psql('origin', 'SELECT max(seq) FROM automation.event_0');
my $armed_identity = armed_identity($last);
my $before_armed = describe($source, 'origin', $armed_identity);
my $wanted_looks = describe($source, 'origin', $to_be_looked_at);
my $notes = $source->safe_psql('origin', 'SELECT count(*) FROM app.note');

# ---------------------------------------------------------------------------
# Dumps
# ---------------------------------------------------------------------------

my @dump = ('pg_dump', '-d', $source->connstr('origin'));
command_ok([ @dump, '-f', "$directory/plain.sql" ], 'pg_dump, plain');
command_ok([ @dump, '-Fc', '-f', "$directory/custom" ], 'pg_dump -Fc');
command_ok([ @dump, '-Fd', '-j2', '-f', "$directory/directory" ], 'pg_dump -Fd -j2');
command_ok([ @dump, '--inserts', '--quote-all-identifiers', '-f', "$directory/inserts.sql" ], 'pg_dump --inserts');
command_ok([ @dump, '-s', '-f', "$directory/schema.sql" ], 'pg_dump -s');
command_ok([ @dump, '-a', '-f', "$directory/data.sql" ], 'pg_dump -a');

my $expected = go_on($source, 'origin');
is(($expected =~ /^(every\|731\|.*)$/m)[0], 'every|731|once more, right, heads|2', 'the dumped database itself: changes in transactions of their own count each');
is(($expected =~ /^(once\|651\|.*)$/m)[0], 'once|651|the second version|1', 'nobody enters twice');
is(($expected =~ /^(left\|.*)$/m)[0], 'left|0|0|0', 'everything has come to its end');

# ---------------------------------------------------------------------------
# Restores
# ---------------------------------------------------------------------------

# What a restored database is like before somebody arms it.
sub check_disarmed
{
	my ($node, $database, $how) = @_;

	same(describe($node, $database, $identity_disarmed), $before_disarmed, "$how: all rows came as they were");
	foreach my $role (qw(app other postgres))
	{
		my ($ret, $stdout, $stderr) = $node->psql($database, 'CALL automation.run()', extra_params => [ '-U', $role ]);
		like($stderr, qr/ERROR:  the engine is disarmed\n.*HINT:  .*CALL automation\.arm\(\)/s, "$how: run() says that the engine is disarmed, to $role");
	}
	is( as('app', $node, $database, 'SELECT DISTINCT active, note FROM automation.workflows'),
		'f|the engine is disarmed, for example after a restore: CALL automation.arm()', "$how: so does the view");
	is($node->safe_psql($database, 'SELECT count(*) FROM app.note'), $notes, "$how: nothing has run");
	is( $node->safe_psql($database, q{
SELECT count(*) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE lanname = 'workflow' AND has_function_privilege('public', p.oid, 'EXECUTE')}),
		0, "$how: PUBLIC may not execute workflows");
	return;
}

sub check_armed
{
	my ($node, $database, $how) = @_;

	is( $node->safe_psql($database, q{
SELECT string_agg(name, ', ') FROM (
	SELECT 'owner' AS name, max(id) > (SELECT last_value FROM automation.owner_seq) AS bad FROM automation.owner UNION ALL
	SELECT 'source', max(id) > (SELECT last_value FROM automation.source_seq) FROM automation.source UNION ALL
	SELECT 'workflow', max(id) > (SELECT last_value FROM automation.workflow_seq) FROM automation.workflow UNION ALL
	SELECT 'rule', max(id) > (SELECT last_value FROM automation.rule_seq) FROM automation.rule UNION ALL
	SELECT 'enrollment', max(id) > (SELECT last_value FROM automation.enrollment_seq) FROM automation.enrollment UNION ALL
	SELECT 'call', max(id) > (SELECT last_value FROM automation.enrollment_seq) FROM automation.call UNION ALL
	SELECT 'parked', max(id) > (SELECT last_value FROM automation.parked_seq) FROM automation.parked UNION ALL
	SELECT 'event', max(seq) > (SELECT last_value FROM automation.event_seq) FROM automation.event_0) x WHERE bad}),
		'', "$how: sequences are beyond what they gave");
	return;
}

# Without preload
sub check_restored
{
	my ($node, $database, $how) = @_;

	check_disarmed($node, $database, $how);
	$node->safe_psql($database, 'CALL automation.arm()');
	same(describe($node, $database, $armed_identity), $before_armed, "$how: arm() binds functions, forgets when waits for changes began, and changes nothing else");
	is( $node->safe_psql($database, "SELECT count(*) FROM automation.enrollment WHERE waiting ? 'snapshot'"), '0', "$how: not one is left out");
	same(describe($node, $database, sprintf($looks, $last)), $wanted_looks, "$how: arm() has everybody who is tied looked at, and nobody else");
	is( $node->safe_psql($database, "SELECT count(*) FROM automation.event_0 WHERE seq > $last"), scalar(split(/\n/, $wanted_looks)), "$how: and appends nothing else");
	check_armed($node, $database, $how);
	same(go_on($node, $database), $expected, "$how: all go on exactly once");
	return;
}

# With preload: executors start by themselves.
sub check_restored_live
{
	my ($node, $database, $how) = @_;
	my $mine = "FROM pg_stat_activity WHERE backend_type LIKE 'automation %' AND datname = '$database'";

	ok( wait_for_log($node, qr/LOG:  workflows in database "$database" are disarmed\n[^\n]*HINT:[^\n]*CALL automation\.arm\(\)/),
		"$how: the log says that it is disarmed");
	is($node->safe_psql('postgres', "SELECT backend_type $mine"), 'automation coordinator', "$how: no executor runs");
	check_disarmed($node, $database, $how);
	$node->safe_psql($database, 'CALL automation.arm()');
	check_armed($node, $database, $how);
	ok( $node->poll_query_until('postgres', "SELECT count(*) = 2 $mine AND backend_type LIKE 'automation executor of %'"),
		"$how: executors start when it is armed");
	same(go_on($node, $database), $expected, "$how: all go on exactly once");
	return;
}

# Plain SQL, into the same cluster under a new name
foreach my $database (qw(plain inserts))
{
	$source->safe_psql('postgres', "CREATE DATABASE $database");
	$source->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $source->connstr($database), '-f', "$directory/$database.sql" ],
		"$database: restored");
	check_restored($source, $database, $database);
}

# Where hashes of values are other ones than where the dump was made: whoever is tied
# is found all the same, by the dump's events and by what comes.
$source->safe_psql('postgres', 'CREATE DATABASE elsewhere');
$source->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $source->connstr('elsewhere'), '-f', "$directory/plain.sql" ], 'elsewhere: restored');
isnt($source->safe_psql('elsewhere', q{
WITH w AS (UPDATE automation.wait SET tie = tie # 1 RETURNING 1),
	e AS (UPDATE automation.enrollment SET waiting = jsonb_set(waiting, '{ties}', (SELECT jsonb_agg(t::bigint # 1) FROM jsonb_array_elements_text(waiting -> 'ties') t)) WHERE waiting ? 'ties'),
	v AS (UPDATE automation.event_0 SET ties = (SELECT array_agg(t # 1) FROM unnest(ties) t) WHERE ties IS NOT NULL)
SELECT count(*) FROM w}), 0, 'elsewhere: ties are other ones');
$source->safe_psql('elsewhere', 'CALL automation.arm()');
same(go_on($source, 'elsewhere'), $expected, 'elsewhere: all go on exactly once');

# Into another cluster, where the roles have other OIDs
$live->safe_psql('postgres', 'CREATE ROLE nobody; CREATE ROLE app LOGIN; CREATE ROLE other LOGIN');

$live->safe_psql('postgres', 'CREATE DATABASE single');
$live->command_ok([ 'pg_restore', '-1', '-d', $live->connstr('single'), "$directory/custom" ], 'custom -1: restored');
check_restored_live($live, 'single', 'custom -1');

$live->safe_psql('postgres', 'CREATE DATABASE parallel');
$live->command_ok([ 'pg_restore', '-j2', '-e', '-d', $live->connstr('parallel'), "$directory/directory" ], 'directory -j2: restored');
check_restored_live($live, 'parallel', 'directory -j2');

$source->safe_psql('postgres', 'CREATE DATABASE custom');
$source->command_ok([ 'pg_restore', '-e', '-d', $source->connstr('custom'), "$directory/custom" ], 'custom: restored');
check_restored($source, 'custom', 'custom');

# Schema and data apart.  Between the two somebody registers the functions, in
# another order than they were made in.
foreach my $registered (0, 1)
{
	my $database = $registered ? 'apart_registered' : 'apart';

	$source->safe_psql('postgres', "CREATE DATABASE $database");
	$source->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $source->connstr($database), '-f', "$directory/schema.sql" ],
		"$database: schema restored");
	$source->safe_psql($database, 'CALL automation.reconcile()') if $registered;
	is( $source->safe_psql($database, 'SELECT count(*) FROM automation.workflows'),
		$registered ? 19 : 0, "$database: workflows that are registered before the data comes");
	$source->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $source->connstr($database), '-f', "$directory/data.sql" ],
		"$database: data restored");
	check_restored($source, $database, $database);
}

$source->stop;
$live->stop;
unlike(slurp_file($_->logfile), qr/PANIC|terminated by signal/, 'nothing crashed') foreach $source, $live;

done_testing();
