/*
 * blame.h -- who killed the server: a note of the item that runs, in a file
 * that outlives a crash.
 *
 * A process that ends in any orderly way, or because another one crashed, takes
 * its note back; so a note that is found was left by a process that died itself.
 * Without the file (disk full, read-only) everything here does nothing.
 */
#ifndef WF_BLAME_H
#define WF_BLAME_H

#include "nodes/pg_list.h"

/* An item: kind is the caller's, e.g. 'E' for an enrollment, 0 = none. */
typedef struct Suspect
{
	char		kind;
	int64		id;
	int			deaths;					/* while it ran alone */
	int			owner;
	int64		at;						/* last death; seconds since 1970 */
} Suspect;

#define BLAME_MAX_DEATHS 3				/* alone; then it is held */

/*
 * Takes a note's place for this process and turns what a dead one left for the
 * owner into suspects.  The caller holds the owner's lock, so no live process
 * is meant.  Until detach, also the SIGQUIT handler is ours.
 */
extern void wf_blame_attach(int owner);
extern void wf_blame_detach(void);

/* Before the item's SQL, after it. */
extern void wf_blame_item(char kind, int64 id, bool alone);
extern void wf_blame_clear(void);

/* Suspect *, of this database and the attached owner, in the current context. */
extern List *wf_blame_suspects(void);
/* Of every owner of this database, for whoever wants to know. */
extern List *wf_blame_all(void);
/* As if so many processes that ran it alone had died. */
extern void wf_blame_accuse(char kind, int64 id, int deaths);
/* It ran well alone, or is held. */
extern void wf_blame_forget(char kind, int64 id);

#endif
