/*
 * ready.h -- may a version of a workflow run now, for this owner?
 */
#ifndef WF_READY_H
#define WF_READY_H

#include "commands.h"
#include "program.h"

/* Forgets the verdicts of the last batch. */
extern void wf_ready_new_batch(void);

/*
 * Program of a version, or NULL with *reason = why it is held (paused,
 * definition_invalid, owner_changed, owner_is_superuser, not_permitted,
 * workflow_gone).  *row is always set unless the workflow is gone.
 */
extern Program *wf_ready(int workflow, int version, WorkflowRow **row, const char **reason);

#endif
