/*
 * backfill.h -- automation.backfill(): rows that are there enter a workflow.
 */
#ifndef WF_BACKFILL_H
#define WF_BACKFILL_H

#include "job.h"

extern bool wf_backfill_piece(Job *job, const ItemOptions *options);

#endif
