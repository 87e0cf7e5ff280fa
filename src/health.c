/*
 * health.c -- automation.health(): what is wrong, and what to do about it.
 *
 * Called by users and monitoring systems, every few seconds perhaps.  What is
 * to be said is in the view automation.problem, which reads the engine's tables
 * and everybody's processes.  It is read in engine scope, by a constant text
 * whose plan is kept for the session; then each row is given to him whom it
 * concerns.  Also here: the facts that the view cannot get at by itself.
 *
 * Memory: the result's; the plan lives as long as the session.  Locks:
 * AccessShareLock on the engine's tables, to the end of the transaction.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "blame.h"
#include "board.h"
#include "compat.h"
#include "owner.h"
#include "store.h"

PG_FUNCTION_INFO_V1(wf_health);
PG_FUNCTION_INFO_V1(wf_health_facts);
PG_FUNCTION_INFO_V1(wf_health_suspects);
extern PGDLLEXPORT Datum wf_health(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum wf_health_facts(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum wf_health_suspects(PG_FUNCTION_ARGS);

static const char *const problems =
"SELECT for_all, owner, severity, code, subject, problem, detail, remedy FROM automation.problem"
" ORDER BY CASE severity WHEN 'error' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END, code, subject, problem";

enum
{
	COL_FOR_ALL = 1, COL_OWNER, COL_SEVERITY, COL_CODE, COL_SUBJECT, COL_PROBLEM, COL_DETAIL, COL_REMEDY
};

static SPIPlanPtr plan = NULL;

/* Who asks. */
typedef struct Reader
{
	Oid			user;
	bool		sees_all;			/* counts and names */
	bool		sees_details;		/* error texts may quote values */
} Reader;

static Datum
field(HeapTuple tuple, TupleDesc desc, int column, bool *isnull)
{
	return SPI_getbinval(tuple, desc, column, isnull);
}

/* Appends the detail to the problem, in parentheses. */
static Datum
with_detail(Datum problem, Datum detail)
{
	return CStringGetTextDatum(psprintf("%s (%s)", TextDatumGetCString(problem), TextDatumGetCString(detail)));
}

static void
show(ReturnSetInfo *result, const Reader *reader, HeapTuple tuple, TupleDesc desc)
{
	Datum		values[6];
	bool		nulls[6] = {0};
	bool		isnull;
	bool		for_all = DatumGetBool(field(tuple, desc, COL_FOR_ALL, &isnull));
	Oid			owner = DatumGetObjectId(field(tuple, desc, COL_OWNER, &nulls[2]));
	bool		own = !nulls[2] && has_privs_of_role(reader->user, owner);
	Datum		detail;

	if (!for_all && !own && !reader->sees_all)
		return;
	values[0] = field(tuple, desc, COL_SEVERITY, &nulls[0]);
	values[1] = field(tuple, desc, COL_CODE, &nulls[1]);
	values[2] = ObjectIdGetDatum(owner);
	values[3] = field(tuple, desc, COL_SUBJECT, &nulls[3]);
	values[4] = field(tuple, desc, COL_PROBLEM, &nulls[4]);
	detail = field(tuple, desc, COL_DETAIL, &isnull);
	if (!isnull && !nulls[4] && (own || reader->sees_details))
		values[4] = with_detail(values[4], detail);
	values[5] = field(tuple, desc, COL_REMEDY, &nulls[5]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* In engine scope, SPI connected.  To compile the query would take seconds. */
static void
read_problems(void)
{
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (plan == NULL)
	{
		plan = SPI_prepare(problems, 0, NULL);
		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare \"%s\"", problems);
	}
	if (SPI_execute_plan(plan, NULL, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run \"%s\"", problems);
}

/* automation.health() */
Datum
wf_health(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Reader		reader;
	UserScope	scope;

	reader.user = GetUserId();
	reader.sees_details = has_privs_of_role(reader.user, ROLE_PG_READ_ALL_DATA);
	reader.sees_all = reader.sees_details || has_privs_of_role(reader.user, ROLE_PG_MONITOR);
	InitMaterializedSRF(fcinfo, 0);
	wf_engine_enter(&scope);
	SPI_connect();
	read_problems();
	for (uint64 i = 0; i < SPI_processed; i++)
		show(result, &reader, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	SPI_finish();
	wf_engine_leave(&scope);
	return (Datum) 0;
}

static const char *
coordinator_word(void)
{
	switch (wf_board_coordinator_state())
	{
		case COORDINATOR_LIVES:
			return "lives";
		case COORDINATOR_STOPPED:
			return "stopped";
		case COORDINATOR_REFUSED:
			return "refused";
		case COORDINATOR_ABSENT:
		case COORDINATOR_NONE:
			break;
	}
	return "none";
}

/* automation.health_facts(): is the library preloaded, the coordinator's state,
 * the tables' layout it knows. */
Datum
wf_health_facts(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {0};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = BoolGetDatum(wf_board_present());
	values[1] = CStringGetTextDatum(coordinator_word());
	values[2] = Int32GetDatum(WF_ABI);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* automation.suspects() */
Datum
wf_health_suspects(PG_FUNCTION_ARGS)
{
	static const char *const kinds[] = {"event", "parked event", "timer", "sweep", "job"};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, wf_blame_all())
	{
		Suspect    *suspect = lfirst(lc);
		int			kind = suspect->kind - 'a';
		Datum		values[5];
		bool		nulls[5] = {0};

		values[0] = Int32GetDatum(suspect->owner);
		values[1] = CStringGetTextDatum(kind >= 0 && kind < lengthof(kinds) ? kinds[kind] : "item");
		values[2] = Int64GetDatum(suspect->id);
		values[3] = Int32GetDatum(suspect->deaths);
		values[4] = TimestampTzGetDatum(time_t_to_timestamptz((pg_time_t) suspect->at));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
