/*
 * item.h -- doing one item: a change, an entry, a wake, a timer, a command.
 */
#ifndef WF_ITEM_H
#define WF_ITEM_H

#include "engine.h"
#include "enroll.h"
#include "resume.h"

/* Does the item and consumes it, in the batch's transaction. */
extern void wf_item_run(Engine *engine, const WorkItem *item, const ItemOptions *options);

/*
 * The item failed while it ran alone.  In a new transaction: a change becomes
 * one event per rule and enrollment, an entry or a wake records the failure.
 */
extern void wf_item_settle(Engine *engine, const WorkItem *item, const Failure *failure, const ItemOptions *options);

/* Even settling it kills its process: consumed without evaluating anything of
 * the user's; an entry ends with a line in the history. */
extern void wf_item_discard(Engine *engine, const WorkItem *item, const Failure *failure, const ItemOptions *options);

/* Even that failed: the event is put aside, or the enrollment left for later,
 * and tried again.  Not for changes, which can be settled without evaluating anything. */
extern void wf_item_park(Engine *engine, const WorkItem *item, const Failure *failure, TimestampTz now);

#endif
