/*
 * rekey.h -- a primary key was updated: what is kept under the old one follows.
 */
#ifndef WF_REKEY_H
#define WF_REKEY_H

extern void wf_rekey(int owner, int source, const char *old_key, const char *new_key);

#endif
