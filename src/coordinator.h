/*
 * coordinator.h -- one process per database: starts and stops executors,
 * rotates, keeps the engine's tables in line.  Runs no user code.
 */
#ifndef WF_COORDINATOR_H
#define WF_COORDINATOR_H

/* Entry point of the background worker; arg is the database's OID. */
extern PGDLLEXPORT void wf_coordinator_main(Datum arg);

/*
 * Why an owner's workflows may not run: the hold to set, or NULL; *hint (in
 * the current context) says what to do.  In a transaction.
 */
extern const char *wf_owner_obstacle(Oid role, char **hint);

/* ERROR if somebody put a trigger, rule, policy, index with code, child table
 * or publication on an engine table.  In a transaction. */
extern void wf_tables_check(void);

#endif
