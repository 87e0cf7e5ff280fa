/*
 * journal.c -- tables of ours that workflows may start from.
 *
 * Called where a change is defined (check_change.c), judged (ready.c), and where
 * the engine's tables are looked at (guard.c).  Each has one policy, named after it:
 * <table>_members, by which the rows are for those whom they concern; so nobody
 * needs a privilege to watch it.  Reads names only.
 */
#include "postgres.h"

#include "compat.h"
#include "journal.h"
#include "store.h"

static const char *const journals[] = {"goal_reached", "dead_letter", "inbound"};

const char *
wf_journal_name(Oid relation)
{
	for (int i = 0; OidIsValid(relation) && i < lengthof(journals); i++)
		if (wf_store_relid(journals[i]) == relation)
			return journals[i];
	return NULL;
}
