/*
 * again.h -- automation.allow_again(): what ENROLL remembers of somebody is
 * forgotten, as far as it keeps him out.
 */
#ifndef WF_AGAIN_H
#define WF_AGAIN_H

#include "event.h"

/* Carries out the command, in the executor. */
extern void wf_again_run(const Event *event, int workflow, int owner, TimestampTz now);

#endif
