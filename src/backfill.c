/*
 * backfill.c -- automation.backfill(): rows that are there enter a workflow.
 *
 * The command checks who asks and the condition, and leaves a job; a dry run
 * counts in the caller's session instead.  The job (job_run.c) goes through the
 * subject's table in the order of its primary key, asks the condition of each
 * row, and enters it by the workflow's own policy, like any other entry.  Rows
 * that come later are not its business: the workflow's clauses see them.
 *
 * The condition is an SQL expression over the arguments, read as one in the
 * workflow's body is, and evaluated as the workflow's owner, whoever asks.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "backfill.h"
#include "capture.h"
#include "clock.h"
#include "commands.h"
#include "compat.h"
#include "due.h"
#include "event.h"
#include "history.h"
#include "json_member.h"
#include "key.h"
#include "keyscan.h"
#include "owner.h"
#include "start.h"
#include "subject.h"

PG_FUNCTION_INFO_V1(wf_backfill);

#define PIECE_ROWS 200
#define DRY_ROWS 1000
#define RATE_LAG (1 * USECS_PER_SEC)
#define RATE_MAX 1000000

/* --- the condition --- */

/* An expression of its own over the workflow's arguments; NULL = all rows. */
static Expression *
make_condition(Program *program, const char *text)
{
	Scope	   *scope;
	Expression *expr;

	if (text == NULL)
		return NULL;
	scope = palloc(sizeof(Scope));
	*scope = program->scope;
	scope->body = text;
	scope->nvars = 0;
	scope->vars = NULL;
	scope->construct = "where";
	expr = palloc0(sizeof(Expression));
	expr->scope = scope;
	expr->fragment.start = 0;
	expr->fragment.end = strlen(text);
	expr->kind = EXPR_CONDITION;
	expr->construct = scope->construct;
	expr->target_typmod = -1;
	expr->context = CurrentMemoryContext;
	wf_expr_prepare(expr);
	return expr;
}

static bool
holds(Expression *condition, const Look *look)
{
	return condition == NULL || wf_expr_true(condition, look->run->frame);
}

/* --- the job --- */

static char *
condition_text(const Job *job)
{
	JsonbValue	key;
	JsonbValue *value;

	key.type = jbvString;
	key.val.string.val = "where";
	key.val.string.len = strlen("where");
	value = job->args ? findJsonbValueFromContainer(&job->args->root, JB_FOBJECT, &key) : NULL;
	return value && value->type == jbvString ? pnstrdup(value->val.string.val, value->val.string.len) : NULL;
}

/* Enters a row for which the condition holds; true if it does. */
static bool
enter_row(const Job *job, Expression *condition, char *key, const ItemOptions *options)
{
	Look		look;
	bool		wanted;

	wf_look_begin(&look, job->program, key, options->now);
	(void) wf_chain_begin(0, 0, NULL, job->workflow);
	wanted = holds(condition, &look);
	wf_chain_end();
	if (wanted)
	{
		Entry		entry = {.program = job->program, .args = look.args, .at = options->now};

		wf_enroll(&entry, false, options);
	}
	wf_look_end(&look);
	return wanted;
}

/* --- a piece that has failed --- */

/* A lock, a cancel, a lack of memory say nothing about the row. */
static bool
is_passing(int sqlerrcode)
{
	return sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE || sqlerrcode == ERRCODE_QUERY_CANCELED ||
		sqlerrcode == ERRCODE_ADMIN_SHUTDOWN || ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_INSUFFICIENT_RESOURCES ||
		ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK;
}

static Jsonb *
error_detail(const ErrorData *error)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	wf_json_text(&state, "sqlstate", unpack_sql_state(error->sqlerrcode));
	wf_json_text(&state, "message", error->message);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* Asks the condition of one row; its error is that row's alone, and is told. */
static bool
ask_apart(const Job *job, Expression *condition, char *key, char ***args, const ItemOptions *options)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool wanted = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		Look		look;

		wf_look_begin(&look, job->program, key, options->now);
		wanted = holds(condition, &look);
		*args = look.args;
		wf_look_end(&look);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		if (is_passing(error->sqlerrcode))
			ReThrowError(error);
		wf_history_refused(job->owner, job->workflow, job->program->version, 0,
						   wf_subject_source(&job->program->sig->args[0]), key, options->now,
						   "entry_failed", error_detail(error));
		wanted = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return wanted;
}

/* Leaves the row to an event of its own, which fails and is tried again for itself. */
static bool
append_row(const Job *job, Expression *condition, char *key, const ItemOptions *options)
{
	Event		event = {0};
	char	  **args;

	if (!ask_apart(job, condition, key, &args, options))
		return false;
	event.kind = EVENT_HAND;
	event.owner = job->owner;
	event.source = wf_subject_source(&job->program->sig->args[0]);
	event.key = key;
	event.nhits = 1;
	event.hits = palloc(sizeof(int));
	event.hits[0] = job->workflow << 2;
	event.args = wf_start_args_to_jsonb(args, job->program->sig->nargs);
	wf_event_append(&event);
	return true;
}

/* The position is a key.  The rate is that of the rows that are to enter. */
bool
wf_backfill_piece(Job *job, const ItemOptions *options)
{
	Expression *condition = make_condition(job->program, condition_text(job));
	List	   *keys = wf_keyscan(&job->program->sig->args[0], job->position, PIECE_ROWS);
	ListCell   *lc;
	int64		wanted = 0;
	int			n = 0;

	foreach(lc, keys)
	{
		char	   *key = lfirst(lc);
		bool		is_wanted = options->failure ? append_row(job, condition, key, options) :
			enter_row(job, condition, key, options);

		wanted += is_wanted ? 1 : 0;
		job->position = key;
		job->done++;
		n++;
		if (wanted >= job->limit || wf_job_time_over(job))
			break;
	}
	if (condition)
		wf_expr_free(condition);
	if (job->rate > 0)
		job->next_at = Max(job->next_at + 1, options->now - RATE_LAG) + wanted * USECS_PER_SEC / job->rate;
	return n == list_length(keys) && n < PIECE_ROWS;
}

/* --- the command --- */

/* Counts what would be looked at, and what would enter. */
static void
count_rows(Program *program, Expression *condition, int64 *rows, int64 *entries)
{
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(outer, "automation backfill", ALLOCSET_DEFAULT_SIZES);
	TimestampTz now = wf_clock_now();
	HASHCTL		ctl = {.keysize = sizeof(int64), .entrysize = sizeof(int64), .hcxt = outer};
	HTAB	   *seen = hash_create("automation backfill keys", 1024, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	char	   *position = NULL;
	List	   *keys;

	do
	{
		ListCell   *lc;

		MemoryContextReset(context);
		MemoryContextSwitchTo(context);
		keys = wf_keyscan(&program->sig->args[0], position, DRY_ROWS);
		foreach(lc, keys)
		{
			Look		look;

			CHECK_FOR_INTERRUPTS();
			(*rows)++;
			wf_look_begin(&look, program, lfirst(lc), now);
			if (holds(condition, &look))
			{
				Entry		entry = {.program = program, .args = look.args, .at = now};
				char	   *key;
				bool		found = false;

				if (wf_enroll_refusal(&entry, now, &key) == NULL)
				{
					int64		hash = wf_key_hash(key);

					if (program->policy != ENROLL_REPLACE)
						(void) hash_search(seen, &hash, HASH_ENTER, &found);
					*entries += found ? 0 : 1;
				}
			}
			wf_look_end(&look);
		}
		MemoryContextSwitchTo(outer);
		if (keys != NIL)
			position = pstrdup(llast(keys));
	} while (list_length(keys) == DRY_ROWS);
	hash_destroy(seen);
	MemoryContextDelete(context);
}

/* The rows of its first argument's table have to be all that an entry needs. */
static void
require_subject(const Program *program, const WorkflowRow *row)
{
	if (program->sig->nargs == 0 || !program->sig->args[0].is_row)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("workflow %s has no subject", row->signature),
				 errhint("Call it for each value: SELECT ... FROM ...")));
	if (program->sig->nargs > 1 && !program->sig->args[1].has_default)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("workflow %s takes more than its subject", row->signature),
				 errhint("Give its other arguments defaults, or call it for each row: SELECT ... FROM ...")));
}

static Jsonb *
job_arguments(const char *where)
{
	JsonbParseState *state = NULL;

	if (where == NULL)
		return NULL;
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	wf_json_text(&state, "where", where);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static int64
make_job(const WorkflowRow *row, const Program *program, const char *where, int rate, int64 *rows)
{
	Job			job = {0};

	job.owner = row->owner;
	job.workflow = row->id;
	job.version = row->version;
	job.kind = JOB_BACKFILL;
	job.args = job_arguments(where);
	job.rate = rate;
	job.total = *rows = wf_keyscan_estimate(program->sig->args[0].relation);
	return wf_job_insert(&job);
}

/* A workflow's step has programs in hand that must not be dropped. */
static void
refuse_in_workflow(void)
{
	int			n;

	if (wf_cause_get(&n) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("backfill() can't be called by a workflow")));
}

static int
rate_argument(FunctionCallInfo fcinfo)
{
	int			rate = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);

	if (!PG_ARGISNULL(2) && (rate < 1 || rate > RATE_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rate must be between 1 and %d rows per second", RATE_MAX)));
	return rate;
}

/* automation.backfill(workflow, where, rate, dry_run) */
Datum
wf_backfill(PG_FUNCTION_ARGS)
{
	int			rate = rate_argument(fcinfo);
	bool		dry = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	char	   *where = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	Datum		values[3] = {0};
	bool		nulls[3] = {true, true, true};
	int64		rows = 0;
	int64		entries = 0;
	WorkflowRow *row;
	Program    *program;
	Expression *condition;
	UserScope	scope;
	TupleDesc	desc;
	int			level;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the workflow of backfill() is null")));
	refuse_in_workflow();
	row = wf_workflow_named(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	wf_workflow_require_owner(row);
	wf_workflow_require_author(row);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	wf_program_new_batch();
	wf_expr_new_batch();
	wf_subject_new_batch();
	wf_owner_enter(&scope, wf_owner_role(row->owner), NULL, NULL);
	program = wf_program_get(row->id, row->version);
	level = wf_config_enter(program->path, program->sig->config);
	require_subject(program, row);
	condition = make_condition(program, where);
	if (dry)
		count_rows(program, condition, &rows, &entries);
	if (condition)
		wf_expr_free(condition);
	wf_config_leave(level);
	wf_owner_leave(&scope);
	if (!dry)
	{
		values[0] = Int64GetDatum(make_job(row, program, where, rate, &rows));
		nulls[0] = false;
	}
	values[1] = Int64GetDatum(rows);
	nulls[1] = rows < 0;
	values[2] = Int64GetDatum(entries);
	nulls[2] = !dry;
	wf_expr_new_batch();
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
