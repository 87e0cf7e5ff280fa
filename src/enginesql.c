/*
 * enginesql.c -- SQL over the engine's own tables, for cold commands.
 *
 * Called by registration and commands, and where a row is written by SQL so that
 * its triggers fire.  Each call enters and leaves engine
 * scope and SPI; results are palloc'd in the caller's context.  An ERROR is
 * undone with the caller's (sub)transaction.
 */
#include "postgres.h"

#include <stdarg.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "enginesql.h"
#include "owner.h"

#define ARGUMENTS_MAX 12

typedef struct Arguments
{
	int			n;
	Oid			types[ARGUMENTS_MAX];
	Datum		values[ARGUMENTS_MAX];
	char		nulls[ARGUMENTS_MAX];
} Arguments;

static void
add_text(Arguments *arguments, int i, const char *text)
{
	arguments->types[i] = TEXTOID;
	if (text == NULL)
		arguments->nulls[i] = 'n';
	else
		arguments->values[i] = CStringGetTextDatum(text);
}

static void
collect(Arguments *arguments, const char *types, va_list list)
{
	arguments->n = strlen(types);
	Assert(arguments->n <= ARGUMENTS_MAX);
	for (int i = 0; i < arguments->n; i++)
	{
		arguments->nulls[i] = ' ';
		switch (types[i])
		{
			case 'i':
				arguments->types[i] = INT4OID;
				arguments->values[i] = Int32GetDatum(va_arg(list, int));
				break;
			case 'l':
				arguments->types[i] = INT8OID;
				arguments->values[i] = Int64GetDatum(va_arg(list, int64));
				break;
			case 'o':
				arguments->types[i] = OIDOID;
				arguments->values[i] = ObjectIdGetDatum(va_arg(list, Oid));
				break;
			case 'b':
				arguments->types[i] = BOOLOID;
				arguments->values[i] = BoolGetDatum(va_arg(list, int) != 0);
				break;
			case 'z':
				arguments->types[i] = TIMESTAMPTZOID;
				arguments->values[i] = TimestampTzGetDatum(va_arg(list, TimestampTz));
				break;
			case 't':
				add_text(arguments, i, va_arg(list, const char *));
				break;
			default:
				elog(ERROR, "unknown argument type \"%c\"", types[i]);
		}
	}
}

/* Leaves SPI connected, for the result. */
static void
run(UserScope *scope, const char *sql, Arguments *arguments)
{
	int			result;

	wf_engine_enter(scope);
	SPI_connect();
	result = SPI_execute_with_args(sql, arguments->n, arguments->types, arguments->values,
								   arguments->nulls, false, 0);
	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", sql, SPI_result_code_string(result));
}

static void
done(UserScope *scope)
{
	SPI_finish();
	wf_engine_leave(scope);
}

uint64
wf_engine_sql(const char *sql, const char *types,...)
{
	Arguments	arguments;
	UserScope	scope;
	va_list		list;
	uint64		processed;

	va_start(list, types);
	collect(&arguments, types, list);
	va_end(list);
	run(&scope, sql, &arguments);
	processed = SPI_processed;
	done(&scope);
	return processed;
}

/* The same statement again and again: its plan is kept by the process. */
uint64
wf_engine_sql_kept(SPIPlanPtr *plan, const char *sql, const char *types,...)
{
	Arguments	arguments;
	UserScope	scope;
	va_list		list;
	uint64		processed;
	int			result;

	va_start(list, types);
	collect(&arguments, types, list);
	va_end(list);
	wf_engine_enter(&scope);
	SPI_connect();
	if (*plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare(sql, arguments.n, arguments.types);

		if (prepared == NULL)
			elog(ERROR, "could not prepare \"%s\": %s", sql, SPI_result_code_string(SPI_result));
		SPI_keepplan(prepared);
		*plan = prepared;
	}
	result = SPI_execute_plan(*plan, arguments.values, arguments.nulls, false, 0);
	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", sql, SPI_result_code_string(result));
	processed = SPI_processed;
	done(&scope);
	return processed;
}

List *
wf_engine_ids(const char *sql, const char *types,...)
{
	MemoryContext caller = CurrentMemoryContext;
	Arguments	arguments;
	UserScope	scope;
	va_list		list;
	List	   *ids = NIL;

	va_start(list, types);
	collect(&arguments, types, list);
	va_end(list);
	run(&scope, sql, &arguments);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);
		MemoryContext spi = MemoryContextSwitchTo(caller);
		int64	   *id = palloc(sizeof(int64));

		*id = isnull ? 0 : DatumGetInt64(value);
		ids = lappend(ids, id);
		MemoryContextSwitchTo(spi);
	}
	done(&scope);
	return ids;
}

List *
wf_engine_texts(const char *sql, const char *types,...)
{
	MemoryContext caller = CurrentMemoryContext;
	Arguments	arguments;
	UserScope	scope;
	va_list		list;
	List	   *texts = NIL;

	va_start(list, types);
	collect(&arguments, types, list);
	va_end(list);
	run(&scope, sql, &arguments);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *text = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		MemoryContext spi = MemoryContextSwitchTo(caller);

		texts = lappend(texts, text ? pstrdup(text) : NULL);
		MemoryContextSwitchTo(spi);
	}
	done(&scope);
	return texts;
}
