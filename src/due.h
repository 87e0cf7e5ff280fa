/*
 * due.h -- moments of AT clauses: one row of automation.due for each subject
 * that has one, with a timer of its own (enrollment = -id).
 */
#ifndef WF_DUE_H
#define WF_DUE_H

#include "commands.h"
#include "engine.h"
#include "job.h"
#include "rule.h"

typedef struct Due
{
	int64		id;						/* 0 = not stored */
	int			owner;
	int			workflow;
	int			clause;					/* ordinal of the AT clause */
	int			source;
	char	   *key;					/* look-up form */
	char	   *subject;				/* whole key */
	TimestampTz at;						/* the moment; 0 = none that is to come */
	TimestampTz look_at;				/* when to ask for one again; 0 = when a column changes */
	TimestampTz asked_at;				/* engine time for which "at" is the answer */
	TimestampTz fired_at;				/* the moment that fired last; 0 = none */
	int			epoch;					/* of its timer */
} Due;

/* A subject that is looked at: arguments, frame, and its time zone, which is in
 * force from begin to end.  Also for backfill.c. */
typedef struct Look
{
	Program    *program;
	char	  **args;
	Run		   *run;
	int			level;					/* GUC nest level */
	TimestampTz now;
} Look;

extern void wf_look_begin(Look *look, Program *program, const char *subject, TimestampTz now);
extern void wf_look_end(Look *look);

/* --- due.c: rows --- */

extern Due *wf_due_load(int64 id);
/* The subject's row of a clause; one that is not stored if there is none. */
extern Due *wf_due_find(int owner, int workflow, int clause, int source, const char *subject);
/* Due *: all of a subject that are the owner's. */
extern List *wf_due_of_row(int owner, int source, const char *lookup);
/* The next ones of a workflow, by id. */
extern List *wf_due_of_workflow(int workflow, int64 after, int limit);
/* Writes it, and its timer as "at" and "look_at" say. */
extern void wf_due_save(Due *due);
extern void wf_due_delete(Due *due);

/* --- at.c: when the moments come --- */

/* A row was made or has changed: its moments are computed anew.  The event names
 * a rule of AT; with a target it stands for a timer that could not fire. */
extern void wf_due_change(const Event *event, const Rule *rule, const ItemOptions *options);
/* The subject is gone, or has another key. */
extern void wf_due_row_gone(int owner, int source, const char *key);
extern void wf_due_rekey(const Event *event, const char *old_key, const ItemOptions *options);
/* A timer with a negative enrollment; its row is deleted already. */
extern void wf_due_fire(const DueTimer *timer, const ItemOptions *options);
/* The event that stands for a timer that failed; false: it is not needed any more. */
extern bool wf_due_event(const DueTimer *timer, Event *event);
/* The last attempt has failed: the moment counts as over. */
extern void wf_due_give_up(const Event *event, TimestampTz now);

/* Rules of AT that the group's changes name: Rule *. */
extern List *wf_due_rules(const EventGroup *group);
/* After a definition: a job for the rows there are, if the current version has
 * AT, or earlier ones had and their moments are to go. */
extern void wf_due_register(const WorkflowRow *row);
extern bool wf_due_piece(Job *job, const ItemOptions *options);

#endif
