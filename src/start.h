/*
 * start.h -- from a change to entries: AFTER's conditions and FOR.
 */
#ifndef WF_START_H
#define WF_START_H

#include "enroll.h"
#include "event.h"
#include "nodes/pg_list.h"
#include "rule.h"

/* A rule that a group of events has set off, as far as capture could tell. */
typedef struct Fired
{
	Rule	   *rule;
	Event	   *first;					/* old side */
	Event	   *last;					/* new side */
} Fired;

/* Kept for the batch. */
extern Rule *wf_start_rule(int id);
extern void wf_start_new_batch(void);

/* Fired *: start rules of the group that its net change sets off. */
extern List *wf_start_fired(const EventGroup *group);
/* The same for rules of WAIT FOR. */
extern List *wf_start_awaited(const EventGroup *group);

/*
 * Whole WHEN and FOR for one rule; enters each row (or, with derive, appends
 * an E event for each instead of entering).  Parks when the workflow is held.
 */
extern void wf_start_rule_run(const Event *event, Rule *rule, bool derive, const ItemOptions *options);

/* E event with its arguments, and a call by hand. */
extern void wf_start_entry(const Event *event, const ItemOptions *options);

/* The event that stands for a fired rule alone (kind E, images kept). */
extern Event wf_start_derived(const Fired *fired, const EventGroup *group);

/* What AFTER and WAIT FOR share: old or new of an event in the frame (false: its image
 * could not be kept), FROM and TO, the row as it is now, and whether row security
 * hides it from the owner. */
extern bool wf_start_set_row(Frame *frame, int paramid, Jsonb *image, Oid rowtype);
extern bool wf_start_literals_hold(Frame *frame, const Start *start, const Rule *rule);
extern bool wf_start_row_now(const Event *event, const Start *start, Datum *value);
extern bool wf_start_is_hidden(const Event *event, const Start *start);
/* Arguments as an event keeps them. */
extern Jsonb *wf_start_args_to_jsonb(char **args, int n);
/* Arguments when the row is all that is given: the others have their defaults. */
extern char **wf_start_row_arguments(const Program *program, const char *key);

/* Arguments from a row of FOR: keys and texts, in the current context; and as an
 * event keeps them. */
extern char **wf_start_args(const Signature *sig, HeapTuple tuple, TupleDesc desc);
extern Jsonb *wf_start_args_to_jsonb(char **args, int n);

/* Puts an event aside until its workflow is released. */
extern void wf_start_park(const Event *event, int workflow, const char *reason, TimestampTz now);

#endif
