/*
 * jump.h -- counters of GO TO, kept with the enrollment.
 */
#ifndef WF_JUMP_H
#define WF_JUMP_H

#include "datatype/timestamp.h"
#include "utils/jsonb.h"

/*
 * Counts one more jump of the statement "ordinal" unless "most" were made in
 * the window that the first of them opened (per microseconds; 0 = for ever).
 * Returns whether the jump may be made; *jumps is replaced by a new jsonb in
 * the current context when it was counted.
 */
extern bool wf_jump_count(Jsonb **jumps, int ordinal, TimestampTz now, int most, const Interval *per);

/* Forgets the jumps of one statement: its next one opens a new window. */
extern void wf_jump_forget(Jsonb **jumps, int ordinal);

/* Counters follow their statements to another version: target[] by ordinal, up
 * to n, 0 = gone. */
extern void wf_jump_renumber(Jsonb **jumps, int n, const int *target);

#endif
