/*
 * rekey.h -- a primary key was updated: what is kept under the old one follows.
 */
#ifndef WF_REKEY_H
#define WF_REKEY_H

#include "nodes/pg_list.h"

/* xact: the transaction that did it. */
extern void wf_rekey(int owner, int source, uint64 xact, const char *old_key, const char *new_key);
/* Before the look-up key of an enrollment whose row has given its key to another
 * row, in a transaction that is not dealt with to its end yet. */
#define KEY_ASIDE '~'
extern const char *wf_rekey_plain(const char *key);

/* Ids (int64 *) of the enrollments that hold a row which is deleted. */
extern List *wf_rekey_holders(int source, const char *lookup);

#endif
