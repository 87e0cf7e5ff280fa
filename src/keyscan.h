/*
 * keyscan.h -- the rows of a table in the order of their primary key.
 */
#ifndef WF_KEYSCAN_H
#define WF_KEYSCAN_H

#include "signature.h"

/* Keys (char *) of the next rows that the current user sees, behind "after"
 * (NULL: from the first on). */
extern List *wf_keyscan(const Argument *arg, const char *after, int limit);
/* About how many rows the table has; -1 = not known. */
extern int64 wf_keyscan_estimate(Oid relation);

#endif
