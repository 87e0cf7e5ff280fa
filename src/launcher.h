/*
 * launcher.h -- the one process of the server that starts coordinators, and the
 * hook that keeps workers out of the way of DDL on whole databases.
 */
#ifndef WF_LAUNCHER_H
#define WF_LAUNCHER_H

#define WF_LIBRARY "$libdir/automation" /* where the server finds our workers */

extern void wf_launcher_init(void);		/* from _PG_init when preloading */

/* Entry point of the background worker. */
extern PGDLLEXPORT void wf_launcher_main(Datum arg);

#endif
