/*
 * sight.h -- does the caller see the row that he enrolls?
 */
#ifndef WF_SIGHT_H
#define WF_SIGHT_H

#include "signature.h"

/* ERROR unless the current user sees the row of this key, with his own privileges
 * and row security: a composite value proves nothing, anybody can write one.
 * text: of the key, for the message. */
extern void wf_sight_check(const Argument *arg, Datum *key, const char *text);

#endif
