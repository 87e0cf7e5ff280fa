/*
 * ledger.h -- automation.ledger: who entered what, how often, and the last refusal.
 */
#ifndef WF_LEDGER_H
#define WF_LEDGER_H

#include "access/htup.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

typedef struct LedgerEntry
{
	int			workflow;
	char	   *entry_key;				/* look-up form */
	int			entries;
	TimestampTz first_at;				/* 0 = never */
	TimestampTz last_at;
	int			refusals;
	char	   *reason;
	int			caused;
	TimestampTz caused_since;
	int64		enrollment;				/* the last one that entered; 0 = none */
	bool		allowed;				/* the policy does not look at the entries before */
	bool		put_off;				/* a new row may be inserted with others: it is saved once in this batch */
	bool		stored;
	HeapTuple	tuple;
} LedgerEntry;

/* Never NULL: an unknown key gives an empty, unstored entry. */
extern LedgerEntry *wf_ledger_load(int workflow, const char *entry_key);
extern void wf_ledger_save(LedgerEntry *entry);
/*
 * So many are about to enter the workflow.  If it has no row yet, look-ups of keys
 * that are new need not look into the table, until expect_nothing(): to be called
 * when a batch was rolled back and when the owner's seat is taken.
 */
extern void wf_ledger_expect(int workflow, int64 entries);
extern void wf_ledger_expect_nothing(void);
/* Removes a stored entry. */
extern void wf_ledger_delete(LedgerEntry *entry);
/* Entry keys (char *, as kept) of a workflow.  Reads all of its rows. */
extern List *wf_ledger_keys(int workflow);

#endif
