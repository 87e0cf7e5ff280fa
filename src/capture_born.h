/*
 * capture_born.h -- was a row inserted by the current transaction?
 * For capture.c; wf_born_altered() for ddl.c.
 */
#ifndef WF_CAPTURE_BORN_H
#define WF_CAPTURE_BORN_H

#include "executor/tuptable.h"
#include "key.h"

/* Did the current transaction write this version? */
extern bool wf_born_version_is_own(HeapTuple tuple);
/* Given that: did it insert the row, or update one that was there before? */
extern bool wf_born_row_is_own(Relation rel, const KeyColumns *key, HeapTuple tuple, TupleTableSlot *slot);
/* What is known about a version just written. */
extern void wf_born_remember(Relation rel, ItemPointer tid, bool born);
/* The same about a version that came from another partition. */
extern void wf_born_moved(Relation rel, ItemPointer tid, bool born);
/* An ALTER TABLE has just ended. */
extern void wf_born_altered(void);
extern void wf_born_forget(void);

#endif
