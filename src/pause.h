/*
 * pause.h -- pause and resume of a workflow.
 */
#ifndef WF_PAUSE_H
#define WF_PAUSE_H

#include "job.h"

/* A piece of automation.resume(): those who are late, in the order of their ids. */
extern bool wf_pause_piece(Job *job, const ItemOptions *options);

#endif
