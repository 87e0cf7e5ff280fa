/*
 * noop.c -- a row trigger that does nothing: the floor of any row trigger.
 *
 * Built by bench/run alone; no part of the extension.
 */
#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(bench_noop);
PGDLLEXPORT Datum bench_noop(PG_FUNCTION_ARGS);

Datum
bench_noop(PG_FUNCTION_ARGS)
{
	return PointerGetDatum(NULL);
}
