/*
 * capture.h -- the row trigger, and the cause of what the engine itself does.
 */
#ifndef WF_CAPTURE_H
#define WF_CAPTURE_H

extern void wf_capture_init(void);

/* After DDL that changes a table's rows without its triggers: who waits on rows of
 * the table, or of the one it is a partition of, looks again. */
extern void wf_capture_rows_replaced(Oid relation);

/*
 * While an item's SQL runs: the chain that events it appends will carry.
 * Process memory only; cleared at transaction end.  n = 0: none.
 */
extern void wf_cause_set(int n, const int64 *cause);
/* Current chain, for derived events and hand enrollments; NULL if none. */
extern const int64 *wf_cause_get(int *n);

#endif
