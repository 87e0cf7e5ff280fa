/*
 * executor.h -- the background worker that carries one owner's enrollments.
 */
#ifndef WF_EXECUTOR_H
#define WF_EXECUTOR_H

#include "postmaster/bgworker.h"

/* What the coordinator puts into bgw_extra. */
typedef struct ExecutorArguments
{
	Oid			database;
	Oid			role;
	int			owner;
} ExecutorArguments;

extern PGDLLEXPORT void wf_executor_main(Datum arg);

#endif
