/*
 * rekey.c -- a primary key was updated: what is kept under the old one follows.
 *
 * Called by item.c for each change that carries an old key, as the owner.
 * Enrollments are found by the old key of any of their rows; their arguments
 * and their entry keys are rewritten.  Ledger rows follow where the row stands
 * in the entry key: by PER, and by default as the subject; so do the arms of
 * splits.
 *
 * Rows may swap their keys in one transaction, but are dealt with one after the
 * other.  Who still stands on a key that another row takes steps aside: he is
 * kept under the key with a '~' before it until his own change comes.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "commands.h"
#include "compat.h"
#include "enrollment.h"
#include "key.h"
#include "ledger.h"
#include "owner.h"
#include "ready.h"
#include "rekey.h"
#include "rule.h"
#include "split.h"

typedef struct KeyChange
{
	int			owner;
	int			source;
	const char *old_key;
	const char *new_key;
	char	   *old_lookup;
	char	   *new_lookup;
	char	   *mark;					/* of who steps aside in a split; of the transaction */
	bool		taken;					/* the old key is another row's since an earlier change of the transaction */
} KeyChange;

/* A key that a row got in the transaction whose changes were followed last. */
typedef struct TakenKey
{
	uint64		hash;					/* of owner, source and look-up key */
	int64		order;					/* of the change that gave it */
} TakenKey;

static HTAB *taken_keys = NULL;
static uint64 taken_xact = 0;
static int64 taken_count = 0;

static bool
is_row_of(const Signature *sig, int arg, int source)
{
	return sig->args[arg].is_row && wf_source_id(sig->args[arg].relation, false) == source;
}

/* Arms are kept under the subject's key, else under the entry key. */
static bool
has_subject(const Signature *sig)
{
	return sig->nargs > 0 && sig->args[0].is_row;
}

/* --- entry keys --- */

/* Does the row alone make the entry key? */
static bool
row_is_entry_key(const Program *program, int source)
{
	if (program->nper == 0)
		return is_row_of(program->sig, 0, source);
	return program->nper == 1 && program->per_arg[0] >= 0 && is_row_of(program->sig, program->per_arg[0], source);
}

static bool
row_is_in_entry_key(const Program *program, int source)
{
	for (int i = 0; i < program->nper; i++)
		if (program->per_arg[i] >= 0 && is_row_of(program->sig, program->per_arg[i], source))
			return true;
	return false;
}

/* Puts the new key's columns in the place of the old one's; false: others stand there. */
static bool
replace_parts(char **parts, const KeyChange *change)
{
	int			n;
	char	  **old_parts = wf_key_split(change->old_key, &n);
	char	  **new_parts = wf_key_split(change->new_key, &n);

	for (int i = 0; i < n; i++)
		if (parts[i] == NULL || strcmp(parts[i], old_parts[i]) != 0)
			return false;
	memcpy(parts, new_parts, sizeof(char *) * n);
	return true;
}

/* An entry key after the change; NULL if it stays as it is.  One that is kept
 * as a hash can't be taken apart, and stays unless it is the row's own. */
static char *
changed_entry_key(const Program *program, const char *entry_key, const KeyChange *change)
{
	char	  **parts;
	int			n;
	int			place = 0;
	bool		changed = false;

	if (row_is_entry_key(program, change->source))
		return strcmp(entry_key, change->old_lookup) == 0 ? change->new_lookup : NULL;
	if (entry_key[0] != '[' || !row_is_in_entry_key(program, change->source))
		return NULL;
	parts = wf_key_split(entry_key, &n);
	for (int i = 0; i < program->nper; i++)
	{
		int			arg = program->per_arg[i];
		int			width = arg >= 0 ? program->sig->args[arg].key.natts : 1;

		if (place + width > n)
			return NULL;				/* made by another definition */
		if (arg >= 0 && is_row_of(program->sig, arg, change->source))
			changed |= replace_parts(parts + place, change);
		place += width;
	}
	return changed ? wf_key_lookup(wf_key_make(n, (const char *const *) parts)) : NULL;
}

/* --- enrollments --- */

static char *
aside(const char *key)
{
	return psprintf("%c%s", KEY_ASIDE, key);
}

/* The owner's enrollments that hold a row. */
static List *
load_holders(const KeyChange *change, const char *lookup)
{
	List	   *holders = NIL;
	ListCell   *lc;

	foreach(lc, wf_enrollments_of_row(change->source, lookup))
	{
		Enrollment *e = wf_enrollment_load(*(int64 *) lfirst(lc));

		if (e && e->owner == change->owner)
			holders = lappend(holders, e);
	}
	return holders;
}

/* The columns by which it is found. */
static void
set_lookups(Enrollment *e, int source, const char *from, char *to)
{
	ListCell   *lc;

	if (e->source == source && e->key && strcmp(e->key, from) == 0)
		e->key = to;
	foreach(lc, e->row_args)
	{
		RowArgument *row = lfirst(lc);

		if (row->source == source && strcmp(row->key, from) == 0)
			row->key = to;
	}
}

static void
step_aside(const KeyChange *change)
{
	ListCell   *lc;

	foreach(lc, load_holders(change, change->new_lookup))
	{
		Enrollment *e = lfirst(lc);

		set_lookups(e, change->source, change->new_lookup, aside(change->new_lookup));
		if (e->entry_key[0] != KEY_ASIDE)
			e->entry_key = aside(e->entry_key);
		wf_enrollment_save(e);
	}
}

static void
move_enrollment(Enrollment *e, const KeyChange *change, const char *from)
{
	WorkflowRow *row;
	const char *reason;
	Program    *program = wf_ready(e->workflow, e->version, &row, &reason);
	Signature  *sig = program ? program->sig : (row ? wf_signature_load(row->routine) : NULL);
	char	   *entry_key;

	for (int i = 0; sig && i < e->nargs && i < sig->nargs; i++)
		if (e->args[i] && is_row_of(sig, i, change->source) && strcmp(e->args[i], change->old_key) == 0)
			e->args[i] = pstrdup(change->new_key);
	set_lookups(e, change->source, from, change->new_lookup);
	e->entry_key = unconstify(char *, wf_rekey_plain(e->entry_key));
	if (program)
		entry_key = changed_entry_key(program, e->entry_key, change);
	else
		entry_key = strcmp(e->entry_key, change->old_lookup) == 0 ? change->new_lookup : NULL;
	if (entry_key)
		e->entry_key = entry_key;
	wf_enrollment_save(e);
}

/* Returns those that moved. */
static List *
move_enrollments(const KeyChange *change)
{
	char	   *from = aside(change->old_lookup);
	List	   *holders = load_holders(change, from);
	ListCell   *lc;

	if (holders == NIL)
	{
		from = change->old_lookup;
		holders = load_holders(change, from);
	}
	step_aside(change);
	foreach(lc, holders)
		move_enrollment(lfirst(lc), change, from);
	return holders;
}

/* --- ledger --- */

/* What the new key has already is added to; then the old one stays too, for it
 * may be another row's by now. */
static void
move_ledger(int workflow, const char *old_key, const char *new_key)
{
	LedgerEntry *from = wf_ledger_load(workflow, old_key);
	LedgerEntry *to;
	bool		taken;

	if (!from->stored)
		return;
	to = wf_ledger_load(workflow, new_key);
	taken = to->stored;
	to->entries += from->entries;
	if (to->first_at == 0 || (from->first_at != 0 && from->first_at < to->first_at))
		to->first_at = from->first_at;
	if (from->last_at > to->last_at)
		to->last_at = from->last_at;
	if (!taken)
	{
		to->enrollment = from->enrollment;
		to->allowed = from->allowed;
	}
	wf_ledger_save(to);
	if (!taken)
		wf_ledger_delete(from);
}

/* What is kept under an entry key. */
static void
move_entry(const Program *program, const char *old_key, const char *new_key, const KeyChange *change)
{
	move_ledger(program->workflow, old_key, new_key);
	if (!has_subject(program->sig))
		wf_split_rekey(program->workflow, old_key, new_key, change->mark, change->taken);
}

static void
move_ledgers(int workflow, int version, const KeyChange *change)
{
	WorkflowRow *row;
	const char *reason;
	Program    *program = wf_ready(workflow, version, &row, &reason);
	Signature  *sig = program ? program->sig : (row ? wf_signature_load(row->routine) : NULL);
	ListCell   *lc;

	if (sig && has_subject(sig) && is_row_of(sig, 0, change->source))
		wf_split_rekey(workflow, change->old_lookup, change->new_lookup, change->mark, change->taken);
	if (program == NULL)
	{
		if (sig && sig->nargs > 0 && is_row_of(sig, 0, change->source))
			move_ledger(workflow, change->old_lookup, change->new_lookup);
	}
	else if (row_is_entry_key(program, change->source))
		move_entry(program, change->old_lookup, change->new_lookup, change);
	else if (row_is_in_entry_key(program, change->source))
		foreach(lc, wf_ledger_keys(workflow))
		{
			char	   *new_key = changed_entry_key(program, lfirst(lc), change);

			if (new_key)
				move_entry(program, lfirst(lc), new_key, change);
		}
}

/* The entry key's row says who is inside. */
static void
take_ledger(const Enrollment *e)
{
	LedgerEntry *ledger = wf_ledger_load(e->workflow, e->entry_key);

	if (!ledger->stored || ledger->enrollment == e->id)
		return;
	ledger->enrollment = e->id;
	wf_ledger_save(ledger);
}

/* --- splits --- */

static uint64
hash_of_key(const KeyChange *change, const char *lookup)
{
	return hash_bytes_extended((const unsigned char *) lookup, strlen(lookup),
							   ((uint64) change->owner << 32) | (uint32) change->source);
}

static void
forget_taken(uint64 xact)
{
	HASHCTL		ctl;

	if (taken_keys)
		hash_destroy(taken_keys);
	ctl.keysize = sizeof(uint64);
	ctl.entrysize = sizeof(TakenKey);
	ctl.hcxt = TopMemoryContext;
	taken_keys = hash_create("automation taken keys", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	taken_xact = xact;
	taken_count = 0;
}

/*
 * Has another row of the transaction got the old key?  A change that comes once
 * more, after a rollback, takes its place in the order again.  Remembered in this
 * process only: with it is lost at most the arm of one who swapped keys with
 * somebody who has none.
 */
static bool
is_taken(const KeyChange *change, uint64 xact)
{
	uint64		old_hash = hash_of_key(change, change->old_lookup);
	uint64		new_hash = hash_of_key(change, change->new_lookup);
	TakenKey   *taken;
	TakenKey   *before;
	bool		again;

	if (taken_keys == NULL || taken_xact != xact)
		forget_taken(xact);
	taken = hash_search(taken_keys, &new_hash, HASH_ENTER, &again);
	if (!again)
		taken->order = taken_count;
	taken_count = taken->order + 1;
	before = hash_search(taken_keys, &old_hash, HASH_FIND, NULL);
	return before && before->order < taken->order;
}

/* Follows a key update; see rekey.h. */
void
wf_rekey(int owner, int source, uint64 xact, const char *old_key, const char *new_key)
{
	KeyChange	change = {owner, source, old_key, new_key, wf_key_lookup(old_key), wf_key_lookup(new_key)};
	List	   *moved;
	List	   *done = NIL;
	ListCell   *lc;

	if (strcmp(old_key, new_key) == 0)
		return;
	change.mark = psprintf("%c" UINT64_FORMAT "%c", KEY_ASIDE, xact, KEY_ASIDE);
	change.taken = is_taken(&change, xact);
	moved = move_enrollments(&change);
	foreach(lc, wf_rules_of_source(source, NULL))
	{
		Rule	   *rule = lfirst(lc);

		if (rule->owner != owner || rule->kind != RULE_WAKE || list_member_int(done, rule->workflow))
			continue;
		done = lappend_int(done, rule->workflow);
		move_ledgers(rule->workflow, rule->version, &change);
	}
	foreach(lc, moved)
		take_ledger(lfirst(lc));
	CommandCounterIncrement();
}

/* A look-up key without the mark of one who stepped aside. */
const char *
wf_rekey_plain(const char *key)
{
	return key[0] == KEY_ASIDE ? key + 1 : key;
}

/* Enrollments of a row that dies: of the one that stepped aside, if one did. */
List *
wf_rekey_holders(int source, const char *lookup)
{
	List	   *ids = wf_enrollments_of_row(source, aside(lookup));

	return ids != NIL ? ids : wf_enrollments_of_row(source, lookup);
}
