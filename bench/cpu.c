/*
 * cpu.c -- the CPU time this backend has used so far, in seconds: what a shared
 * machine takes from others is not in it.
 *
 * Built by bench/run alone; no part of the extension.
 */
#include "postgres.h"

#include <sys/resource.h>

#include "fmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(bench_cpu);
PGDLLEXPORT Datum bench_cpu(PG_FUNCTION_ARGS);

static double
seconds(struct timeval t)
{
	return t.tv_sec + t.tv_usec / 1e6;
}

Datum
bench_cpu(PG_FUNCTION_ARGS)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	PG_RETURN_FLOAT8(seconds(usage.ru_utime) + seconds(usage.ru_stime));
}
