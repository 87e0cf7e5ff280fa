/*
 * enginesql.h -- SQL over the engine's own tables, for cold commands.
 *
 * Runs in engine scope, so the text is always a constant of ours with all
 * names qualified; what users gave comes as arguments.  One letter of "types"
 * per argument: i int4, l int8, o oid, b bool, t text (a NULL pointer is NULL).
 */
#ifndef WF_ENGINESQL_H
#define WF_ENGINESQL_H

#include "nodes/pg_list.h"

/* Runs one statement; returns the number of rows it processed. */
extern uint64 wf_engine_sql(const char *sql, const char *types,...);

/* First column (int8) of a query: list of palloc'd int64 *. */
extern List *wf_engine_ids(const char *sql, const char *types,...);

/* First column (text or name, cast in the query) of a query: list of char *,
 * NULL entry = NULL. */
extern List *wf_engine_texts(const char *sql, const char *types,...);

#endif
