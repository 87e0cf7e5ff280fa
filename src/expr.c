/*
 * expr.c -- values of an item's parameters, and evaluating fragments over them.
 *
 * Called by interp.c and enroll.c, always as the workflow's owner with the
 * workflow's path in force.  An expression without sub-selects becomes one
 * ExprState; everything else runs as a saved SPI plan, which follows changes
 * of the catalog by itself.
 *
 * Lifetimes: an Expression and a SqlPlan live as long as their program; an
 * ExprState at most one batch (EXECUTE rights are checked when it is built);
 * a Frame lives in the item's context and dies with it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/scansup.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "compat.h"
#include "expr.h"
#include "store.h"
#include "subject.h"

/* A cast that this batch has used already. */
typedef struct CastKey
{
	Oid			from;
	int32		from_typmod;
	Oid			to;
	int32		to_typmod;
} CastKey;

typedef struct CastEntry
{
	CastKey		key;
	ExprState  *state;					/* NULL: no conversion needed */
} CastEntry;

static MemoryContext batch_context = NULL;	/* ExprStates, casts; reset per batch */
static ExprContext *batch_econtext = NULL;
static HTAB *batch_casts = NULL;
static uint64 batch_number = 1;

/* Drops what the last batch has built. */
void
wf_expr_new_batch(void)
{
	batch_number++;
	batch_econtext = NULL;
	batch_casts = NULL;
	if (batch_context == NULL)
		batch_context = AllocSetContextCreate(TopMemoryContext, "automation batch expressions",
											  ALLOCSET_DEFAULT_SIZES);
	else
		MemoryContextReset(batch_context);
}

/* Returns the batch's expression context, with the frame's parameters. */
static ExprContext *
econtext_of(Frame *frame)
{
	if (batch_econtext == NULL)
	{
		MemoryContext old;

		if (batch_context == NULL)
			wf_expr_new_batch();
		old = MemoryContextSwitchTo(batch_context);
		batch_econtext = CreateStandaloneExprContext();
		MemoryContextSwitchTo(old);
	}
	batch_econtext->ecxt_param_list_info = frame ? frame->params : NULL;
	return batch_econtext;
}

/* --- frames --- */

/* Reads a row argument into its parameter. */
static void
load_row(Frame *frame, int arg)
{
	FrameRow   *row = &frame->rows[arg];
	ParamExternData *prm = &frame->params->params[PARAM_ARG(arg) - 1];
	SubjectState state = SUBJECT_GONE;

	if (row->context == NULL)
		row->context = AllocSetContextCreate(frame->context, "automation row", ALLOCSET_SMALL_SIZES);
	else
		MemoryContextReset(row->context);
	if (row->key)
	{
		MemoryContext old = MemoryContextSwitchTo(row->context);

		state = wf_subject_fetch(&frame->sig->args[arg], row->key, &row->row, &row->tid);
		MemoryContextSwitchTo(old);
	}
	row->exists = (state == SUBJECT_FOUND);
	row->fresh = true;
	if (state == SUBJECT_NOT_VISIBLE)
		frame->not_visible = true;
	prm->value = row->exists ? row->row : (Datum) 0;
	prm->isnull = !row->exists;
}

/* Identifies the columns a row type has now; they may be altered by a step. */
static uint64
shape_of(Oid type)
{
	TypeCacheEntry *entry = lookup_type_cache(getBaseType(type), TYPECACHE_TUPDESC);

	return entry->tupDesc ? entry->tupDesc_identifier : 0;
}

/* A variable's value must not be read as a row of other columns. */
static void
check_shape(Frame *frame, int var)
{
	Oid			type = frame->vars[var].type;

	if (frame->shapes[var] != 0 && frame->shapes[var] != shape_of(type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("type %s of variable \"%s\" was altered while the workflow ran",
						format_type_be(type), frame->vars[var].name)));
}

/* ParamFetchHook: rows are read when somebody looks at them. */
static ParamExternData *
fetch_param(ParamListInfo params, int paramid, bool speculative, ParamExternData *workspace)
{
	Frame	   *frame = (Frame *) params->paramFetchArg;
	int			arg = paramid - PARAM_ARG(0);
	int			var = paramid - PARAM_VAR(frame->sig, 0);

	if (var >= 0 && var < frame->nvars)
		check_shape(frame, var);
	if (arg >= 0 && arg < frame->sig->nargs && frame->sig->args[arg].is_row && !frame->rows[arg].fresh)
		load_row(frame, arg);
	return &params->params[paramid - 1];
}

/*
 * Makes a frame in the current context: now is set, everything else is unset
 * or NULL of its type.
 */
Frame *
wf_frame_create(const Signature *sig, int nvars, const Variable *vars, TimestampTz now)
{
	Frame	   *frame = palloc0(sizeof(Frame));
	int			i;

	frame->sig = sig;
	frame->nvars = nvars;
	frame->vars = vars;
	frame->context = CurrentMemoryContext;
	frame->rows = palloc0(sizeof(FrameRow) * Max(sig->nargs, 1));
	frame->shapes = palloc0(sizeof(uint64) * Max(nvars, 1));
	frame->params = makeParamList(PARAM_VAR(sig, nvars) - 1);
	frame->params->paramFetch = fetch_param;
	frame->params->paramFetchArg = frame;
	for (i = 0; i < frame->params->numParams; i++)
	{
		frame->params->params[i].isnull = true;
		frame->params->params[i].pflags = PARAM_FLAG_CONST;
	}
	wf_frame_set(frame, PARAM_NOW, TIMESTAMPTZOID, TimestampTzGetDatum(now), false);
	wf_frame_set(frame, PARAM_ENTERED, TIMESTAMPTZOID, TimestampTzGetDatum(now), false);
	wf_frame_set(frame, PARAM_FOUND, BOOLOID, BoolGetDatum(false), false);
	for (i = 0; i < sig->nargs; i++)
		wf_frame_set(frame, PARAM_ARG(i), sig->args[i].type, (Datum) 0, true);
	for (i = 0; i < nvars; i++)
		wf_frame_set(frame, PARAM_VAR(sig, i), vars[i].type, (Datum) 0, true);
	return frame;
}

/* Sets a parameter; the value must live as long as the frame. */
void
wf_frame_set(Frame *frame, int paramid, Oid type, Datum value, bool isnull)
{
	ParamExternData *prm = &frame->params->params[paramid - 1];
	int			var = paramid - PARAM_VAR(frame->sig, 0);

	if (var >= 0 && var < frame->nvars)
		frame->shapes[var] = !isnull && type >= FirstNormalObjectId && type_is_rowtype(type) ? shape_of(type) : 0;
	prm->ptype = type;
	prm->value = value;
	prm->isnull = isnull;
	prm->pflags = PARAM_FLAG_CONST;
}

/* Forgets what was read of the rows. */
void
wf_frame_touch(Frame *frame)
{
	int			i;

	for (i = 0; i < frame->sig->nargs; i++)
		frame->rows[i].fresh = false;
}

/* Takes a changed row as it was stored; see expr.h. */
void
wf_frame_replace(Frame *frame, int arg, HeapTuple tuple, TupleDesc desc, ItemPointer tid)
{
	FrameRow   *row = &frame->rows[arg];
	MemoryContext old;

	MemoryContextReset(row->context);
	old = MemoryContextSwitchTo(row->context);
	row->row = heap_copy_tuple_as_datum(tuple, desc);
	MemoryContextSwitchTo(old);
	row->tid = *tid;
	row->exists = row->fresh = true;
	frame->params->params[PARAM_ARG(arg) - 1].value = row->row;
	frame->params->params[PARAM_ARG(arg) - 1].isnull = false;
}

bool
wf_frame_row_exists(Frame *frame, int arg)
{
	if (!frame->rows[arg].fresh)
		load_row(frame, arg);
	return frame->rows[arg].exists;
}

/* --- preparing --- */

/* Is it "SELECT <expression>" and nothing else? */
static bool
query_is_simple(Query *query)
{
	return query->commandType == CMD_SELECT &&
		query->rtable == NIL &&
		query->cteList == NIL &&
		query->jointree->fromlist == NIL &&
		query->jointree->quals == NULL &&
		!query->hasAggs && !query->hasWindowFuncs && !query->hasTargetSRFs &&
		!query->hasSubLinks && !query->hasForUpdate &&
		query->groupClause == NIL && query->groupingSets == NIL && query->havingQual == NULL &&
		query->windowClause == NIL && query->distinctClause == NIL && query->sortClause == NIL &&
		query->limitOffset == NULL && query->limitCount == NULL &&
		query->setOperations == NULL && list_length(query->targetList) == 1;
}

/* Text of a fragment, without the blanks at its end where INTO stood. */
static char *
runtime_text(const Scope *scope, Fragment f, Fragment blank_out)
{
	char	   *text = wf_fragment_text(scope->body, f, blank_out);
	int			end = f.end - f.start;

	while (end > 0 && scanner_isspace(text[end - 1]))
		end--;
	text[end] = '\0';
	return text;
}

static SPIPlanPtr
prepare_plan(const Scope *scope, Fragment f, Fragment blank_out, RawParseMode mode)
{
	SPIPrepareOptions options;
	SPIPlanPtr	plan;
	char	   *text = runtime_text(scope, f, blank_out);

	memset(&options, 0, sizeof(options));
	options.parserSetup = wf_analyze_setup;
	options.parserSetupArg = unconstify(Scope *, scope);
	options.parseMode = mode;
	plan = SPI_prepare_extended(text, &options);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_extended failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	pfree(text);
	return plan;
}

static Query *
analyze_expression(Expression *expr)
{
	switch (expr->kind)
	{
		case EXPR_CONDITION:
			return wf_analyze_condition(expr->scope, expr->fragment, expr->construct);
		case EXPR_UNTIL:
			return wf_analyze_until(expr->scope, expr->fragment, expr->construct, &expr->until);
		case EXPR_INTERVAL:
			return wf_analyze_interval(expr->scope, expr->fragment, expr->construct);
		case EXPR_VALUE:
			return wf_analyze_value(expr->scope, expr->fragment, expr->construct,
									expr->target, expr->target_typmod);
	}
	return NULL;
}

/* Depends its value on more than columns of arguments, so that it matters what? */
static bool
needs_ties(const Expression *expr, bool simple)
{
	if (expr->kind == EXPR_VALUE && !expr->tied)
		return false;
	if (expr->scope->see_change)
		return expr->scope->statement != 0;
	return !simple || expr->deps->now || expr->deps->volatile_function;
}

/* Analyses an expression at its first use; SPI need not be connected. */
void
wf_expr_prepare(Expression *expr)
{
	MemoryContext old;
	Query	   *query;
	TargetEntry *tle;

	if (expr->ready)
		return;
	old = MemoryContextSwitchTo(expr->context);
	query = analyze_expression(expr);
	tle = linitial_node(TargetEntry, query->targetList);
	expr->deps = wf_analyze_dependencies(query, expr->scope);
	expr->type = exprType((Node *) tle->expr);
	if (query_is_simple(query))
	{
		expr->simple = expression_planner((Expr *) copyObject(tle->expr));
		expr->needs_snapshot = contain_mutable_functions((Node *) expr->simple);
	}
	if (needs_ties(expr, expr->simple != NULL))
		wf_expr_tie(expr, query);
	MemoryContextSwitchTo(old);
	expr->ready = true;
}

void
wf_expr_free(Expression *expr)
{
	if (expr && expr->plan)
		SPI_freeplan(expr->plan);
	if (expr)
		expr->plan = NULL;
}

void
wf_sql_free(SqlPlan *sql)
{
	if (sql && sql->plan)
		SPI_freeplan(sql->plan);
	if (sql)
		sql->plan = NULL;
}

/* --- casts --- */

/* Builds the conversion, NULL if none is needed.  In the batch context. */
static ExprState *
build_cast(Oid from, int32 from_typmod, Oid to, int32 to_typmod)
{
	CaseTestExpr *input = makeNode(CaseTestExpr);
	Node	   *cast;

	input->typeId = from;
	input->typeMod = from_typmod;
	input->collation = get_typcollation(from);
	cast = (from == UNKNOWNOID) ? NULL :
		coerce_to_target_type(NULL, (Node *) input, from, to, to_typmod,
							  COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	if (cast == NULL)
	{
		CoerceViaIO *io = makeNode(CoerceViaIO);

		io->arg = (Expr *) input;
		io->resulttype = to;
		io->resultcollid = get_typcollation(to);
		io->coerceformat = COERCE_IMPLICIT_CAST;
		io->location = -1;
		cast = (Node *) io;
		if (to_typmod != -1)
			cast = coerce_to_target_type(NULL, cast, to, to, to_typmod,
										 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	}
	if (cast == (Node *) input)
		return NULL;
	return ExecInitExpr(expression_planner((Expr *) cast), NULL);
}

static CastEntry *
find_cast(Oid from, int32 from_typmod, Oid to, int32 to_typmod)
{
	CastKey		key = {from, from_typmod, to, to_typmod};
	CastEntry  *entry;
	bool		found;

	if (batch_casts == NULL)
	{
		HASHCTL		ctl;

		(void) econtext_of(NULL);
		ctl.keysize = sizeof(CastKey);
		ctl.entrysize = sizeof(CastEntry);
		ctl.hcxt = batch_context;
		batch_casts = hash_create("automation casts", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(batch_casts, &key, HASH_FIND, NULL);
	if (entry == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(batch_context);
		ExprState  *state = build_cast(from, from_typmod, to, to_typmod);

		MemoryContextSwitchTo(old);
		entry = hash_search(batch_casts, &key, HASH_ENTER, &found);
		entry->state = state;
	}
	return entry;
}

/* Converts by assignment cast, else by text; result in the current context. */
Datum
wf_cast_value(Datum value, bool *isnull, Oid from, int32 from_typmod, Oid to, int32 to_typmod)
{
	CastEntry  *entry;
	ExprContext *econtext;
	Datum		result;

	if (from == to && (to_typmod == -1 || to_typmod == from_typmod))
		return value;
	entry = find_cast(from, from_typmod, to, to_typmod);
	if (entry->state == NULL)
		return value;
	econtext = econtext_of(NULL);
	econtext->caseValue_datum = value;
	econtext->caseValue_isNull = *isnull;
	result = ExecEvalExprSwitchContext(entry->state, econtext, isnull);
	if (!*isnull)
		result = datumCopy(result, get_typbyval(to), get_typlen(to));
	ResetExprContext(econtext);
	return result;
}

/* --- evaluating --- */

static Datum
eval_simple(Expression *expr, Frame *frame, bool *isnull)
{
	ExprContext *econtext = econtext_of(frame);
	bool		pushed = false;
	Datum		result;

	if (expr->state == NULL || expr->state_batch != batch_number)
	{
		MemoryContext old = MemoryContextSwitchTo(batch_context);

		expr->state = ExecInitExprWithParams(expr->simple, frame->params);
		expr->state_batch = batch_number;
		MemoryContextSwitchTo(old);
	}
	if (expr->needs_snapshot)
	{
		wf_store_show(InvalidOid);
		CommandCounterIncrement();
		PushActiveSnapshot(GetTransactionSnapshot());
		pushed = true;
	}
	result = ExecEvalExprSwitchContext(expr->state, econtext, isnull);
	if (!*isnull)
		result = datumCopy(result, get_typbyval(expr->type), get_typlen(expr->type));
	ResetExprContext(econtext);
	if (pushed)
		PopActiveSnapshot();
	return result;
}

/* Type an expression's value is to have; InvalidOid = as it is. */
static Oid
wanted_type(const Expression *expr)
{
	if (expr->kind == EXPR_CONDITION)
		return BOOLOID;
	if (expr->kind == EXPR_INTERVAL)
		return INTERVALOID;
	return expr->type;
}

/* Runs an expression with sub-selects through SPI: one row or none. */
static Datum
eval_query(Expression *expr, Frame *frame, bool *isnull)
{
	MemoryContext caller = CurrentMemoryContext;
	SPIExecuteOptions options;
	Fragment	none = {0, 0};
	Datum		result = (Datum) 0;
	Oid			raw_type;
	int32		raw_typmod;
	int			rc;

	wf_store_show(InvalidOid);
	SPI_connect();
	if (expr->plan == NULL)
		expr->plan = prepare_plan(expr->scope, expr->fragment, none, RAW_PARSE_PLPGSQL_EXPR);
	memset(&options, 0, sizeof(options));
	options.params = frame->params;
	options.tcount = 2;
	rc = SPI_execute_plan_extended(expr->plan, &options);
	if (rc != SPI_OK_SELECT)
		elog(ERROR, "expression did not select: %s", SPI_result_code_string(rc));
	if (SPI_processed > 1)
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION),
				 errmsg("expression in %s returned more than one row", expr->construct)));
	*isnull = true;
	raw_type = SPI_gettypeid(SPI_tuptable->tupdesc, 1);
	raw_typmod = TupleDescAttr(SPI_tuptable->tupdesc, 0)->atttypmod;
	if (SPI_processed == 1)
		result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, isnull);
	result = wf_cast_value(result, isnull, raw_type, raw_typmod, wanted_type(expr), expr->target_typmod);
	if (!*isnull)
	{
		MemoryContext old = MemoryContextSwitchTo(caller);
		Oid			type = wanted_type(expr);

		result = datumCopy(result, get_typbyval(type), get_typlen(type));
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	return result;
}

/* Evaluates over the frame; result in the current context. */
Datum
wf_expr_eval(Expression *expr, Frame *frame, bool *isnull)
{
	wf_expr_prepare(expr);
	return expr->simple ? eval_simple(expr, frame, isnull) : eval_query(expr, frame, isnull);
}

/* A condition; NULL is false. */
bool
wf_expr_true(Expression *expr, Frame *frame)
{
	bool		isnull;
	Datum		value = wf_expr_eval(expr, frame, &isnull);

	return !isnull && DatumGetBool(value);
}

/* Does it only read, as far as its own rows go? */
static bool
plan_selects(SPIPlanPtr plan)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));
	ListCell   *lc;

	foreach(lc, source->query_list)
	{
		Query	   *query = lfirst_node(Query, lc);

		if (query->canSetTag)
			return query->commandType == CMD_SELECT;
	}
	return false;
}

static void
prepare_sql(SqlPlan *sql)
{
	wf_store_show(InvalidOid);
	if (sql->plan == NULL)
		sql->plan = prepare_plan(sql->scope, sql->fragment, sql->blank_out,
								 sql->kind == FRAGMENT_SELECT_LIST || sql->kind == FRAGMENT_EXPRESSION ?
								 RAW_PARSE_PLPGSQL_EXPR : RAW_PARSE_DEFAULT);
}

/*
 * Runs a statement through SPI (connected by the caller); limit 0 = all rows.
 * Of a SELECT whose first row alone is wanted no second one is made: functions in
 * it may do something.
 */
int
wf_sql_run(SqlPlan *sql, Frame *frame, long limit, bool discard)
{
	SPIExecuteOptions options;
	int			rc;

	prepare_sql(sql);
	memset(&options, 0, sizeof(options));
	options.params = frame->params;
	options.tcount = limit > 1 && plan_selects(sql->plan) ? 1 : limit;
	if (discard)
		options.dest = None_Receiver;
	rc = SPI_execute_plan_extended(sql->plan, &options);
	if (rc < 0)
		elog(ERROR, "SPI_execute_plan_extended failed: %s", SPI_result_code_string(rc));
	return rc;
}

/* The rows of a query, one by one, to a receiver; SPI is connected by the caller. */
void
wf_sql_send(SqlPlan *sql, Frame *frame, DestReceiver *receiver)
{
	SPIExecuteOptions options;
	int			rc;

	prepare_sql(sql);
	memset(&options, 0, sizeof(options));
	options.params = frame->params;
	options.dest = receiver;
	rc = SPI_execute_plan_extended(sql->plan, &options);
	if (rc < 0)
		elog(ERROR, "SPI_execute_plan_extended failed: %s", SPI_result_code_string(rc));
}
