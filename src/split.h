/*
 * split.h -- SPLIT: which arm somebody gets, and keeps.
 */
#ifndef WF_SPLIT_H
#define WF_SPLIT_H

#include "enrollment.h"
#include "program.h"

/* Around a batch, in its (sub)transaction: end writes the counts, before the
 * store's own end; forget is for after an abort. */
extern void wf_split_batch_begin(void);
extern void wf_split_batch_end(void);
extern void wf_split_batch_forget(void);

/*
 * Whoever was divided under the old key (look-up form) is so under the new one.
 * Who stands there steps aside: he is kept under the mark and his key, where he
 * is looked for first.  taken: the old key is another's by now, so nobody but who
 * stepped aside is meant.
 */
extern void wf_split_rekey(int workflow, const char *old_key, const char *new_key, const char *mark, bool taken);

/*
 * The arm of a SPLIT statement for an enrollment, palloc'd: the one its subject
 * had before, else the winner of a decision, else a new one, which is kept.
 */
extern char *wf_split_assign(const Program *program, const Statement *stmt, const Enrollment *e, TimestampTz now);

#endif
