/*
 * direct.h -- the two statements workflows are made of, without the executor.
 */
#ifndef WF_DIRECT_H
#define WF_DIRECT_H

#include "expr.h"

/* In the batch's (sub)transaction; end closes what was opened, forget is for
 * after an abort, which has closed everything. */
extern void wf_direct_batch_begin(void);
extern void wf_direct_batch_end(void);
extern void wf_direct_batch_forget(void);

/* An item that runs alone runs everything the ordinary way. */
extern void wf_direct_allow(bool allowed);

/*
 * Runs the statement if it is of a kind known here and was run before in this
 * batch; false: nothing was done, the caller runs it through SPI.  Rows of the
 * frame are marked to be read anew, except what is known of the changed one.
 */
extern bool wf_direct_run(SqlPlan *sql, Frame *frame, uint64 *processed);

/* The statement's plan is about to be freed. */
extern void wf_direct_drop(SqlPlan *sql);

#endif
