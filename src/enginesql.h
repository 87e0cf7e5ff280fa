/*
 * enginesql.h -- SQL over the engine's own tables, for cold commands.
 *
 * Runs in engine scope, so the text is always a constant of ours; what users
 * gave comes as arguments.  Tables and functions are written with their schema;
 * operators and types need none, for the path there is pg_catalog, then the
 * temporary schema, where functions and operators are never looked for.
 *
 * One letter of "types" per argument: i int4, l int8, o oid, b bool, z timestamptz,
 * t text (a NULL pointer is NULL).
 */
#ifndef WF_ENGINESQL_H
#define WF_ENGINESQL_H

#include "executor/spi.h"
#include "nodes/pg_list.h"

/* Runs one statement; returns the number of rows it processed. */
extern uint64 wf_engine_sql(const char *sql, const char *types,...);

/* The same, for a statement that runs often: *plan, NULL at first, is the
 * process's from then on. */
extern uint64 wf_engine_sql_kept(SPIPlanPtr *plan, const char *sql, const char *types,...);

/* First column (int8) of a query: list of palloc'd int64 *. */
extern List *wf_engine_ids(const char *sql, const char *types,...);

/* First column (text or name, cast in the query) of a query: list of char *,
 * NULL entry = NULL. */
extern List *wf_engine_texts(const char *sql, const char *types,...);

#endif
