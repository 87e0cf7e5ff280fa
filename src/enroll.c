/*
 * enroll.c -- entering a workflow: the order of checks, the policy, the first run.
 *
 * Called by batch.c, as the workflow's owner, with the program's path in force.
 * The order is fixed: the subject exists; entry is not paused; EXIT WHEN; the
 * key; the policy; the loop guard.  Each "no" has a reason code in the history;
 * the same "no" for the same key again only counts in the ledger.
 *
 * One executor works for an owner at a time, and items run one after another,
 * so nobody can enter between the look at the ledger and the write.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "capture.h"
#include "compat.h"
#include "enroll.h"
#include "history.h"
#include "json_member.h"
#include "ledger.h"
#include "resume.h"
#include "stat.h"
#include "subject.h"

#define CAUSE_HEADER 2					/* root event, depth */
#define LOOP_DEPTH_MAX 16
#define RUN_LATE (10 * USECS_PER_MINUTE)	/* by so much one run of EVERY may begin later than another */
#define CAUSED_ENTRIES_MAX 10			/* per key in a day, events with a cause only */

/* --- saying no --- */

static const char *
subject_text(const Entry *entry)
{
	return entry->args[0] ? entry->args[0] : NULL;
}

/* Writes a non-entry; with a key only when it is news, or when somebody asked for it by id. */
static void
refuse(const Entry *entry, LedgerEntry *ledger, const char *reason, TimestampTz now, Jsonb *detail)
{
	Program    *program = entry->program;
	bool		news = true;
	int			source = 0;

	wf_stat_count(STAT_REFUSED);
	if (ledger)
	{
		news = ledger->reason == NULL || strcmp(ledger->reason, reason) != 0;
		ledger->refusals = news ? 1 : ledger->refusals + 1;
		ledger->reason = unconstify(char *, reason);
		wf_ledger_save(ledger);
	}
	if (program->sig->args[0].is_row)
		source = wf_subject_source(&program->sig->args[0]);
	if (news || entry->id != 0)
		wf_history_refused(program->owner, program->workflow, program->version, entry->id, source,
						   subject_text(entry), now, reason, detail);
	if (entry->id != 0)
		wf_call_close(entry->id);
}

/* --- key --- */

/* Adds a row argument's key columns; false if it has no row. */
static bool
add_row_key(const Entry *entry, int arg, List **texts)
{
	int			n;
	char	  **parts;
	int			i;

	if (entry->args[arg] == NULL)
		return false;
	parts = wf_key_split(entry->args[arg], &n);
	for (i = 0; i < n; i++)
	{
		if (parts[i] == NULL)
			return false;
		*texts = lappend(*texts, parts[i]);
	}
	return true;
}

/* PER, by default the first argument; NULL if a part of it is NULL. */
static char *
entry_key(const Entry *entry, Run *run)
{
	Program    *program = entry->program;
	List	   *texts = NIL;
	const char **array;
	ListCell   *lc;
	int			i;

	if (program->nper == 0)
	{
		if (entry->args[0] == NULL)
			return NULL;
		if (program->sig->args[0].is_row)
			return pstrdup(entry->args[0]);
		texts = list_make1(entry->args[0]);
	}
	for (i = 0; i < program->nper; i++)
	{
		bool		isnull;
		Datum		value;

		if (program->per_arg[i] >= 0)
		{
			if (!add_row_key(entry, program->per_arg[i], &texts))
				return NULL;
			continue;
		}
		value = wf_expr_eval(program->per[i], run->frame, &isnull);
		if (isnull)
			return NULL;
		texts = lappend(texts, wf_value_out(value, program->per[i]->type));
	}
	array = palloc(sizeof(char *) * Max(list_length(texts), 1));
	i = 0;
	foreach(lc, texts)
		array[i++] = lfirst(lc);
	return wf_key_make(i, array);
}

/* --- policy --- */

/* ENROLL AGAIN AFTER: has the pause since the last entry passed? */
static bool
pause_over(const Entry *entry, Run *run, const LedgerEntry *ledger)
{
	TimestampTz at = entry->at;
	bool		isnull;
	Datum		interval;

	if (entry->program->again_after == NULL || ledger->last_at == 0 || ledger->allowed)
		return true;
	if (entry->run != ENTRY_ALONE)
		at += RUN_LATE;
	interval = wf_expr_eval(entry->program->again_after, run->frame, &isnull);
	if (isnull)
		return true;
	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												   TimestampTzGetDatum(ledger->last_at),
												   interval)) <= at;
}

/* The enrollment of the entry key that is inside; NULL if nobody is. */
static Enrollment *
who_is_inside(const LedgerEntry *ledger)
{
	Enrollment *e = ledger->enrollment != 0 ? wf_enrollment_load(ledger->enrollment) : NULL;

	return e && e->workflow == ledger->workflow && strcmp(e->entry_key, ledger->entry_key) == 0 ? e : NULL;
}

/* NULL = may enter; REPLACE: *replaced is the one to end first. */
static const char *
policy_refuses(const Entry *entry, Run *run, const LedgerEntry *ledger, Enrollment **replaced)
{
	Enrollment *active = who_is_inside(ledger);

	*replaced = NULL;
	if (entry->run != ENTRY_ALONE && ledger->last_at == entry->at)
		return "same_run";
	switch (entry->program->policy)
	{
		case ENROLL_ONCE:
			if (active)
				return "already_active";
			return ledger->entries > 0 && !ledger->allowed ? "already_entered" : NULL;
		case ENROLL_AGAIN:
			if (active)
				return "already_active";
			return pause_over(entry, run, ledger) ? NULL : "too_soon";
		case ENROLL_REPLACE:
			*replaced = active;
			return NULL;
	}
	return NULL;
}

/* --- loop guard --- */

/* The chain as history detail. */
static Jsonb *
chain_detail(const Entry *entry)
{
	JsonbParseState *state = NULL;
	JsonbValue	value;
	int			i;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	wf_json_key(&state, "chain");
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (i = 0; i < entry->ncause; i++)
	{
		value.type = jbvNumeric;
		value.val.numeric = int64_to_numeric(entry->cause[i]);
		pushJsonbValue(&state, WJB_ELEM, &value);
	}
	pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/*
 * Looks for a loop in the chain that led here; NULL = none.  A chain is
 * [root event, depth, (workflow, entry key hash) ...]; users' own changes have
 * none and are never limited.
 */
static const char *
loop_refuses(const Entry *entry, const Run *run, LedgerEntry *ledger)
{
	int64		hash = wf_key_hash(run->e->entry_key);
	int			i;

	if (entry->ncause < CAUSE_HEADER)
		return NULL;
	for (i = CAUSE_HEADER; i + 1 < entry->ncause; i += 2)
		if (entry->cause[i] == entry->program->workflow && entry->cause[i + 1] == hash)
			return "loop_guard";
	if (entry->cause[1] >= LOOP_DEPTH_MAX)
		return "loop_depth";
	if (ledger->caused_since == 0 || ledger->caused_since + USECS_PER_DAY <= run->now)
	{
		ledger->caused = 0;
		ledger->caused_since = run->now;
	}
	if (ledger->caused >= CAUSED_ENTRIES_MAX)
		return "entry_rate";
	ledger->caused++;
	return NULL;
}

/* A chain with one more part: whoever does what comes next, in a workflow for an
 * entry key. */
static int64 *
longer_chain(int64 seq, int ncause, const int64 *cause, int workflow, int64 hash, int *n)
{
	int			before = Max(ncause, CAUSE_HEADER);
	int64	   *chain = palloc(sizeof(int64) * (before + 2));

	if (ncause >= CAUSE_HEADER)
	{
		memcpy(chain, cause, sizeof(int64) * before);
		chain[1]++;
	}
	else
	{
		chain[0] = seq;
		chain[1] = 1;
	}
	chain[before] = workflow;
	chain[before + 1] = hash;
	*n = before + 2;
	return chain;
}

/* The chain that everything this enrollment does will carry. */
static void
extend_chain(const Entry *entry, Enrollment *e)
{
	e->cause = longer_chain(entry->seq, entry->ncause, entry->cause, entry->program->workflow,
							wf_key_hash(e->entry_key), &e->ncause);
}

/*
 * What WHEN, FOR and PER do is of the chain too, though nobody has entered yet.
 * false: it is so long that they may do nothing any more; an entry is refused
 * before that.
 */
bool
wf_chain_begin(int64 seq, int ncause, const int64 *cause, int workflow)
{
	int			n;
	int64	   *chain;

	if (ncause >= CAUSE_HEADER && cause[1] > LOOP_DEPTH_MAX)
		return false;
	chain = longer_chain(seq, ncause, cause, workflow, 0, &n);
	wf_cause_set(n, chain);
	pfree(chain);
	return true;
}

void
wf_chain_end(void)
{
	wf_cause_set(0, NULL);
}

/* --- entering --- */

/* Whoever gave the keys, changes of the rows will speak of them as they are stored. */
static void
take_stored_keys(const Entry *entry)
{
	const Signature *sig = entry->program->sig;

	for (int i = 0; i < sig->nargs; i++)
		if (sig->args[i].is_row && entry->args[i])
			entry->args[i] = wf_subject_key(&sig->args[i], entry->args[i]);
}

static Enrollment *
new_enrollment(const Entry *entry, TimestampTz now)
{
	Program    *program = entry->program;
	const Signature *sig = program->sig;
	Enrollment *e = palloc0(sizeof(Enrollment));
	int			i;

	e->workflow = program->workflow;
	e->version = program->version;
	e->owner = program->owner;
	e->nargs = sig->nargs;
	e->args = entry->args;
	e->state = STATE_NEW;
	e->entered_at = entry->at;
	e->since = now;
	for (i = 0; i < sig->nargs; i++)
	{
		RowArgument *row;

		if (!sig->args[i].is_row || entry->args[i] == NULL)
			continue;
		row = palloc(sizeof(RowArgument));
		row->source = wf_subject_source(&sig->args[i]);
		row->key = wf_key_lookup(entry->args[i]);
		if (i == 0)
		{
			e->source = row->source;
			e->key = row->key;
		}
		else
			e->row_args = lappend(e->row_args, row);
	}
	return e;
}

/* Checks 1 to 4: what can be said before the ledger is read. */
static const char *
subject_refuses(const Entry *entry, Run *run, bool paused)
{
	if (entry->program->sig->args[0].is_row)
	{
		if (entry->args[0] == NULL)
			return "no_subject";
		if (!wf_frame_row_exists(run->frame, 0))
			return run->frame->not_visible ? "subject_not_visible" : "subject_deleted";
	}
	if (paused)
		return "missed_while_paused";
	if (wf_run_exits(run))
		return "exit_when_at_entry";
	return NULL;
}

static void
note_entry(LedgerEntry *ledger, int64 id, TimestampTz at)
{
	ledger->entries++;
	ledger->enrollment = id;
	ledger->allowed = false;
	if (ledger->first_at == 0)
		ledger->first_at = at;
	if (ledger->last_at < at)
		ledger->last_at = at;
	ledger->refusals = 0;
	ledger->reason = NULL;
	wf_ledger_save(ledger);
}

/* A name TIME ZONE gave that the server does not know is worth a line. */
static void
note_zone(const Run *run)
{
	if (run->bad_zone)
		wf_history_write(run->e, run->now, "warning", "unknown_time_zone", NULL);
}

const char *
wf_enroll_refusal(const Entry *entry, TimestampTz now, char **key)
{
	Enrollment *e = new_enrollment(entry, now);
	Enrollment *replaced;
	Run		   *run;
	const char *reason;

	(void) wf_chain_begin(0, 0, NULL, entry->program->workflow);
	run = wf_run_create(entry->program, e, now);
	reason = subject_refuses(entry, run, false);
	*key = entry_key(entry, run);
	if (reason == NULL && *key == NULL)
		reason = "key_null";
	if (reason == NULL)
	{
		*key = e->entry_key = wf_key_lookup(*key);
		reason = policy_refuses(entry, run, wf_ledger_load(entry->program->workflow, e->entry_key), &replaced);
	}
	wf_chain_end();
	return reason;
}

/* Enters, or says why not; see enroll.h. */
void
wf_enroll(const Entry *entry, bool paused, const ItemOptions *options)
{
	Enrollment *e;
	Run		   *run;
	Enrollment *replaced = NULL;
	LedgerEntry *ledger = NULL;
	const char *reason;
	char	   *key;

	take_stored_keys(entry);
	e = new_enrollment(entry, options->now);
	if (!wf_chain_begin(entry->seq, entry->ncause, entry->cause, entry->program->workflow))
	{
		refuse(entry, NULL, "loop_depth", options->now, chain_detail(entry));
		return;
	}
	run = wf_run_create(entry->program, e, options->now);
	run->watchdog = options->watchdog;
	run->terminate = options->terminate;
	reason = subject_refuses(entry, run, paused);
	key = entry_key(entry, run);
	if (reason == NULL && key == NULL)
		reason = "key_null";
	if (key)
	{
		e->entry_key = wf_key_lookup(key);
		ledger = wf_ledger_load(entry->program->workflow, e->entry_key);
		if (entry->run == ENTRY_RUN_AGAIN && ledger->last_at >= entry->at)
		{
			wf_chain_end();
			return;						/* has entered since the run began */
		}
	}
	if (reason == NULL)
		reason = policy_refuses(entry, run, ledger, &replaced);
	wf_chain_end();
	if (reason == NULL)
		reason = loop_refuses(entry, run, ledger);
	if (reason)
	{
		bool		loop = strncmp(reason, "loop", 4) == 0 || strcmp(reason, "entry_rate") == 0;

		refuse(entry, ledger, reason, options->now, loop ? chain_detail(entry) : NULL);
		return;
	}
	if (replaced)
		wf_end(replaced, options->now, "replaced");
	e->uncalled = (entry->id == 0);
	e->id = e->uncalled ? wf_enrollment_new_id() : entry->id;
	e->put_off = ledger->put_off = entry->run != ENTRY_ALONE;
	note_entry(ledger, e->id, entry->at);
	extend_chain(entry, e);
	wf_stat_count(STAT_ENTERED);
	wf_history_write(e, options->now, "entered", NULL, NULL);
	note_zone(run);
	if (options->failure)
	{
		wf_fail(e, options->now, options->failure);
		return;
	}
	wf_cause_set(e->ncause, e->cause);
	wf_persist(run, wf_run_from(run, 0));
	wf_cause_set(0, NULL);
}

/* automation.history = statements: a line for each statement that was run. */
static void
write_trace(Run *run)
{
	Enrollment *e = run->e;
	int			stands_on = e->statement;
	ListCell   *lc;

	foreach(lc, run->trace)
	{
		e->statement = lfirst_int(lc);
		wf_history_write(e, run->now, "statement", NULL, NULL);
	}
	e->statement = stands_on;
}

/* Writes what a run came to; the enrollment is written once. */
void
wf_persist(Run *run, Outcome outcome)
{
	Enrollment *e = run->e;

	e->attempt = 0;
	e->error = NULL;
	e->reason = NULL;
	e->since = run->now;
	write_trace(run);
	switch (outcome.kind)
	{
		case OUTCOME_WAITING:
			e->state = STATE_WAITING;
			wf_stat_count(STAT_WAITS);
			wf_enrollment_save(e);
			wf_history_write(e, run->now, "waiting", NULL, NULL);
			break;
		case OUTCOME_HELD:
			wf_hold(e, run->now, outcome.reason);
			break;
		case OUTCOME_ENDED:
			wf_end(e, run->now, outcome.reason);
			break;
	}
}
