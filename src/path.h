/*
 * path.h -- from a changed row to the ties of those who wait, where a session that
 * changes it can't make them: over other tables, or of a type with a hash function
 * of somebody's own.
 */
#ifndef WF_PATH_H
#define WF_PATH_H

#include "event.h"
#include "rule.h"

typedef void (*PathSink) (int64 tie, void *arg);

/*
 * Gives the ties that the rule's path leads to from the rows of the events that hit
 * it, old ones and new ones; some more than once.  Runs as the workflow's owner and
 * with his rights, under the current path: call it inside wf_config_enter().  False:
 * an image could not be kept, so nobody knows.  ERROR if a table can't be read or
 * does not fit any more.
 */
extern bool wf_path_walk(const Rule *rule, const EventGroup *group, PathSink sink, void *arg);

#endif
