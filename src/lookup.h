/*
 * lookup.h -- one row by the columns of an index, again and again.
 */
#ifndef WF_LOOKUP_H
#define WF_LOOKUP_H

#include "access/skey.h"
#include "executor/tuptable.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

typedef struct Lookup Lookup;

/* In the batch's (sub)transaction; end closes what was kept open, forget is for
 * after an abort, which has closed everything. */
extern void wf_lookup_batch_begin(void);
extern void wf_lookup_batch_end(void);
extern void wf_lookup_batch_forget(void);

/* Are tables and indexes kept open from now on?  Not while an item runs alone. */
extern void wf_lookup_keep(bool keep);

/* Opens, or finds open.  The table is locked in AccessShareLock at least. */
extern Lookup *wf_lookup_open(Oid relation, Oid index);
extern Relation wf_lookup_table(Lookup *lookup);
extern Relation wf_lookup_index(Lookup *lookup);
/*
 * The first row whose index columns equal the keys, of which attribute numbers
 * are those of the index; NULL if there is none.  The snapshot is registered or
 * active.  The slot is valid until the next find or close.
 */
extern TupleTableSlot *wf_lookup_find(Lookup *lookup, int nkeys, ScanKey keys, Snapshot snapshot);
/* The same where no two rows that the snapshot sees have the same keys: all columns
 * of a primary key. */
extern TupleTableSlot *wf_lookup_find_unique(Lookup *lookup, int nkeys, ScanKey keys, Snapshot snapshot);
/* The next such row; the snapshot is still registered or active. */
extern TupleTableSlot *wf_lookup_next(Lookup *lookup);
extern void wf_lookup_close(Lookup *lookup);

#endif
