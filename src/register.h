/*
 * register.h -- from functions of LANGUAGE workflow to rows of the engine, and
 * back.  (register.c, unregister.c, validate.c, reconcile.c, ddl.c)
 */
#ifndef WF_REGISTER_H
#define WF_REGISTER_H

#include "commands.h"
#include "signature.h"

/* Why a function is looked at. */
typedef enum
{
	REGISTER_CREATED,					/* CREATE [OR REPLACE] FUNCTION: errors are the user's */
	REGISTER_ALTERED,					/* ALTER FUNCTION: as above, the path is kept */
	REGISTER_RECONCILED					/* found by reconcile(): a mistake holds the workflow */
} RegisterReason;

/* A function of our language as the catalog has it. */
typedef struct Routine
{
	Oid			function;
	char	   *signature;
} Routine;

/*
 * Runs fn(arg) in a subtransaction.  An ERROR becomes a WARNING "could not
 * <what>" with what it said, except for a cancelled query: DDL of users never
 * fails because of the engine.  False: it failed.
 */
extern bool wf_guarded(const char *what, void (*fn) (void *arg), void *arg);

/* --- register.c --- */

/* Registers, rebinds or updates the workflow of a function of our language. */
extern void wf_register(Oid function, RegisterReason reason);
/* What of that needs no look at the definition; false: the rest is missing. */
extern bool wf_register_unchecked(Oid function);
/* Row that belongs to a function, its routine and signature brought up to
 * date; NULL: the function is new.  While the engine is disarmed the row may
 * be recorded for another owner. */
extern WorkflowRow *wf_register_bind(const Signature *sig);
/* The row has no function. */
extern void wf_register_unbind(WorkflowRow *row);
/* Takes EXECUTE from PUBLIC if that came by default. */
extern void wf_register_close(Oid function);
/* The function belongs to another role now: ids change, the workflow is held. */
extern void wf_register_owner(WorkflowRow *row, Oid role);
/* All functions of our language: list of Routine *. */
extern List *wf_register_routines(void);
/* Rewrites signatures after a rename of anything they mention. */
extern void wf_register_renamed(void);
/* Sets hold and detail (NULL, NULL: none), and makes every process read the
 * workflow again. */
extern void wf_register_hold(WorkflowRow *row, const char *hold, const char *detail);
/* Ends the hold "owner_changed" if nobody is in a version of another author any more. */
extern void wf_register_settle_owner(WorkflowRow *row);
/* Ends a hold and lets what it held go on.  all: every enrollment is looked
 * at again, not only the held ones. */
extern void wf_register_release(WorkflowRow *row, const char *reason, bool all);

/* --- validate.c --- */

struct CheckedWorkflow;

/* Checks as the owner, under a stored path or (NULL) the session's; *path is
 * the one to store. */
extern struct CheckedWorkflow *wf_validate(Signature *sig, const char *stored, char **path);
/* The same in a subtransaction, for a limited time; NULL: *message says what is
 * wrong.  ERROR if a lock or the time kept it from finding out. */
extern struct CheckedWorkflow *wf_validate_quietly(Signature *sig, const char *stored, char **path,
												   char **message);
/* Replaces the rules of the current version if they say anything new. */
extern void wf_validate_rules(const WorkflowRow *row, struct CheckedWorkflow *checked, bool quietly);
/* Re-checks all versions that matter, after DDL on what they use: holds or
 * releases the workflow.  warn: emit the WARNING. */
extern void wf_revalidate(WorkflowRow *row, bool warn);
/* Of the old versions alone: which of them can't run any more. */
extern void wf_revalidate_old(WorkflowRow *row);
/* wf_revalidate for workflows that use one of the relations or of the names
 * (by argument, or by name in the text or path); both NIL: for all. */
extern void wf_revalidate_users(List *relations, List *names);

/* --- unregister.c --- */

/* Deletes a workflow and all that hangs on it, but for its history. */
extern void wf_unregister(int id);
/* After a table is gone: its id, rules and arguments. */
extern void wf_unregister_table(Oid relation);
/* Relations (OIDs) with a rule of this workflow. */
extern List *wf_watched_relations(int workflow, bool armed_only);
/* wf_rules_arm() for those that still exist.  quietly: each in a
 * subtransaction of its own, waiting 2 s for the lock unless the session has a
 * lock_timeout; a failure is a WARNING. */
extern List *wf_arm_relations(List *relations, bool quietly);

/* --- reconcile.c --- */

/*
 * Brings the engine's tables into line with the catalog: called by the
 * coordinator at its start, inside a transaction, and by CALL
 * automation.reconcile() and arm().  Unless forced, it does nothing while the
 * engine is disarmed or no workflow is registered: a restore may be running.
 * Not forced, it is cheap when nothing is wrong and reads no definition, for
 * that would run owners' code in the coordinator; forced, it checks definitions
 * and takes the lock of every watched table to look at its triggers.
 */
extern void wf_reconcile(bool force);
/* Registers functions that are not, or not as they are. */
extern void wf_reconcile_functions(void);
/* After REASSIGN OWNED.  Errors become WARNINGs. */
extern void wf_reconcile_owners(void);
/* Binds rows to functions, registers none: what a restore needs. */
extern void wf_reconcile_bindings(void);
extern bool wf_engine_armed(void);
/* Wakes all workers of this database when the transaction commits. */
extern void wf_engine_wake(void);
/* A restore has begun.  False: it had begun before. */
extern bool wf_engine_disarm(void);

/* --- adopt.c --- */

/* Disarms the engine and clears what stands in the way of a dump. */
extern void wf_restore_begins(void);
/* No message that has not left leaves before somebody says so. */
extern void wf_restore_holds(void);

#endif
