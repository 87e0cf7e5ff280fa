/*
 * commands.h -- rows of automation.workflow in memory, and resolving what
 * users name in automation.pause('welcome') etc.  (workflow.c, commands.c)
 */
#ifndef WF_COMMANDS_H
#define WF_COMMANDS_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "signature.h"

/* Row of automation.workflow in memory. */
typedef struct WorkflowRow
{
	int			id;
	char	   *signature;
	Oid			routine;				/* InvalidOid: no function is bound to it */
	int			owner;
	int			version;
	char	   *entry;
	char	   *hold;
	char	   *hold_detail;
	TimestampTz paused_at;				/* of the hold "paused"; 0 = none */
} WorkflowRow;

/*
 * NULL if there is none.  The function is looked at, too: if it is not the one
 * the row means, routine is InvalidOid and hold says function_missing; if it
 * belongs to another role than recorded, hold says owner_changed.
 */
extern WorkflowRow *wf_workflow_load(int id);
extern WorkflowRow *wf_workflow_by_routine(Oid function);
/* The same, but as stored: for registration, which repairs it. */
extern WorkflowRow *wf_workflow_stored(int id);
/* Is an old version marked as one that can't run any more? */
extern bool wf_version_invalid(int workflow, int version);
/* WorkflowRow * of all, as stored. */
extern List *wf_workflow_all(void);

/* Signature text of a function whatever quote_all_identifiers says; NULL if
 * it is gone. */
extern char *wf_routine_signature(Oid function);
/* Owner of a function of our language; InvalidOid for any other. */
extern Oid	wf_routine_owner(Oid function);

/* 'welcome', 'crm.welcome' or 'welcome(contact)': function OID, or ERROR
 * (unknown, several) with a hint. */
extern Oid	wf_workflow_resolve(const char *name);
/* The same, and registered; ERROR with a hint if it is not. */
extern WorkflowRow *wf_workflow_named(const char *name);

/* May the current user act as the owner of the workflow's function? */
extern bool wf_workflow_owned(const WorkflowRow *row);
/* ERROR unless he may. */
extern void wf_workflow_require_owner(const WorkflowRow *row);
extern void wf_workflow_require_author(const WorkflowRow *row);

/* --- commands.c --- */

/* Key of a row argument from a row of its table, or from the value of a key of
 * one column; ERROR if it is neither. */
extern char *wf_command_row_key(const Argument *arg, const WorkflowRow *row, Datum value, Oid type);

/*
 * Appends a command to the log of the workflow's owner: "unenroll", "retry",
 * "allow_again" or "release", with the reason of the hold that ends (NULL: none).  For one
 * enrollment (target), or for a subject (source and its whole key).  Target 0
 * without a key: the workflow was released, look at what waits for it.
 */
extern void wf_command_append(const WorkflowRow *row, const char *command, const char *reason,
							  int64 target, int source, const char *key);

#endif
