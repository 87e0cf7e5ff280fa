/*
 * rekey.c -- a primary key was updated: what is kept under the old one follows.
 *
 * Called by item.c for each change that carries an old key.  Enrollments and
 * their arguments are found by the old key; ledger rows by the entry key that
 * is the row's own key (the default).  A key made by PER from several parts
 * is rewritten where the old key's columns stand in it side by side.
 */
#include "postgres.h"

#include "access/xact.h"

#include "compat.h"
#include "enrollment.h"
#include "key.h"
#include "ledger.h"
#include "owner.h"
#include "rekey.h"
#include "rule.h"

/* Replaces the key where an argument holds it. */
static void
rewrite_arguments(Enrollment *e, int source, const char *old_key, const char *new_key)
{
	char	   *old_lookup = wf_key_lookup(old_key);
	char	   *new_lookup = wf_key_lookup(new_key);
	ListCell   *lc;
	int			i;

	for (i = 0; i < e->nargs; i++)
		if (e->args[i] && strcmp(e->args[i], old_key) == 0)
			e->args[i] = pstrdup(new_key);
	if (e->source == source && e->key && strcmp(e->key, old_lookup) == 0)
		e->key = new_lookup;
	foreach(lc, e->row_args)
	{
		RowArgument *row = lfirst(lc);

		if (row->source == source && strcmp(row->key, old_lookup) == 0)
			row->key = new_lookup;
	}
	if (strcmp(e->entry_key, old_lookup) == 0)
		e->entry_key = new_lookup;
}

/* Moves a ledger row to the new key; what the new key has already wins. */
static void
move_ledger(int workflow, const char *old_lookup, const char *new_lookup)
{
	LedgerEntry *from = wf_ledger_load(workflow, old_lookup);
	LedgerEntry *to;

	if (!from->stored)
		return;
	to = wf_ledger_load(workflow, new_lookup);
	to->entries += from->entries;
	if (to->first_at == 0 || (from->first_at != 0 && from->first_at < to->first_at))
		to->first_at = from->first_at;
	if (from->last_at > to->last_at)
		to->last_at = from->last_at;
	wf_ledger_save(to);
	wf_ledger_delete(from);
}

/* Follows a key update; see rekey.h. */
void
wf_rekey(int owner, int source, const char *old_key, const char *new_key)
{
	char	   *old_lookup = wf_key_lookup(old_key);
	char	   *new_lookup = wf_key_lookup(new_key);
	List	   *done = NIL;
	ListCell   *lc;

	foreach(lc, wf_enrollments_of_row(source, old_lookup))
	{
		Enrollment *e = wf_enrollment_load(*(int64 *) lfirst(lc));

		if (e == NULL || e->owner != owner)
			continue;
		rewrite_arguments(e, source, old_key, new_key);
		wf_enrollment_save(e);
	}
	foreach(lc, wf_rules_of_source(source, NULL))
	{
		Rule	   *rule = lfirst(lc);

		if (rule->owner != owner || rule->clause != 0 || list_member_int(done, rule->workflow))
			continue;
		done = lappend_int(done, rule->workflow);
		move_ledger(rule->workflow, old_lookup, new_lookup);
	}
	CommandCounterIncrement();
}
