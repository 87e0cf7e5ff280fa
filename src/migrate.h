/*
 * migrate.h -- live edits: those inside come to another version.
 */
#ifndef WF_MIGRATE_H
#define WF_MIGRATE_H

#include "job.h"

/* A piece of automation.migrate(): enrollments in the order of their ids. */
extern bool wf_migrate_piece(Job *job, const ItemOptions *options);

#endif
