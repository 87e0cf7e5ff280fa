/*
 * store.h -- access to the engine's own tables by table and index, in C.
 *
 * No SQL, no user, no privilege check, no trigger: the executor writes here
 * while it is authenticated as the workflows' owner, and user code never runs
 * in between.  Inserts, updates and deletes go through the catalog functions
 * (CatalogTupleInsert and kin), which keep unique indexes and raise ERROR on
 * a concurrent update: that ERROR is the licence check of the protocol.
 */
#ifndef WF_STORE_H
#define WF_STORE_H

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

/* Layout of the tables this library works with: automation.engine.abi. */
#define WF_ABI 1

/* From _PG_init. */
extern void wf_store_init(void);

/* OID of schema automation / of a relation in it; InvalidOid if absent. */
extern Oid	wf_store_namespace(void);
extern Oid	wf_store_relid(const char *name);

/* True if the extension is installed in this database. */
extern bool wf_store_present(void);

/* Holds off DROP EXTENSION for the transaction.  False: it is gone (*gone), or being dropped,
 * in which case waiting would be a deadlock. */
extern bool wf_store_hold(bool *gone);

/* Opens an engine table; ERROR with a hint if it is gone. */
extern Relation wf_store_open(const char *name, LOCKMODE mode);

/* OID of an index of ours; ERROR with a hint if it is gone. */
extern Oid	wf_store_index(const char *name);
/* Opens an index of an engine table for reading; ERROR with a hint if it is gone. */
extern Relation wf_store_open_index(const char *name);
/* The same but NULL if it is gone. */
extern Relation wf_store_try_open(const char *name, LOCKMODE mode);

/* tid (may be NULL) receives the new row's place. */
extern void wf_store_insert(Relation rel, Datum *values, bool *nulls, ItemPointer tid);
/* The same at the end of the batch at the latest; nobody may look for it before. */
extern void wf_store_insert_later(Relation rel, Datum *values, bool *nulls);
/* The same for tables whose rows are looked for: wf_store_scan() inserts first what
 * was put off of its table; other ways of looking call wf_store_show(), with
 * InvalidOid for all tables.  No more than STORE_PENDING rows of a table are put
 * off at a time. */
#define STORE_PENDING 256
extern void wf_store_insert_unseen(Relation rel, Datum *values, bool *nulls);
extern void wf_store_show(Oid relation);
/* Puts another row in the place of the last one put off; false if that one is
 * inserted already. */
extern bool wf_store_replace_last(Relation rel, Datum *values, bool *nulls);
/* Replaces the columns marked in replace[]; the new tuple's TID is put in *old->t_self. */
extern void wf_store_update(Relation rel, HeapTuple old, Datum *values, bool *nulls, bool *replace);
extern void wf_store_delete(Relation rel, ItemPointer tid);
/* The same with a tuple the caller has formed. */
extern void wf_store_insert_tuple(Relation rel, HeapTuple tuple);
extern void wf_store_update_tuple(Relation rel, ItemPointer tid, HeapTuple tuple);
/* The same if no indexed column changes. */
extern void wf_store_update_in_place(Relation rel, ItemPointer tid, HeapTuple tuple);

/*
 * Between begin and end, or forget after a rollback, the indexes of the tables
 * written stay open.  Begin in the (sub)transaction of the batch.
 */
extern void wf_store_batch_begin(void);
extern void wf_store_batch_end(void);
extern void wf_store_batch_forget(void);

/*
 * Scans by an index named "index" (in schema automation; NULL = heap scan)
 * under snapshot; keys are in table column numbers.  Ends with
 * systable_endscan(), yields by systable_getnext().
 */
extern SysScanDesc wf_store_scan(Relation rel, const char *index, Snapshot snapshot, int nkeys, ScanKey keys);

/* Next value of a sequence of ours, whoever asks. */
extern int64 wf_store_nextval(const char *sequence);

/* Latest snapshot for looking up engine rows, registered by the caller's
 * active snapshot stack: use inside a transaction only. */
extern Snapshot wf_store_snapshot(void);

#endif
