/*
 * activity.h -- what a worker is doing, for pg_stat_activity.
 */
#ifndef WF_ACTIVITY_H
#define WF_ACTIVITY_H

/* After the worker connected: its name where sessions have theirs. */
extern void wf_activity_name(void);
/* Outside a batch; what is a constant. */
extern void wf_activity(bool running, const char *what);
/* A batch begins; how many changes are in the queue. */
extern void wf_activity_batch(int changes);
/* Its only item runs alone. */
extern void wf_activity_alone(void);
/* It comes to a workflow, for the first time in this batch. */
extern void wf_activity_workflow(const char *signature);

#endif
