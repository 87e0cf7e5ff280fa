/*
 * direct.c -- INSERT of one row and UPDATE of one row by its primary key, run
 * again and again without setting the executor up each time.
 *
 * Called by interp.c for statements whose result nobody looks at, as the
 * workflow's owner, SPI not connected.  Who is not served here is run through
 * SPI, with the same effect: everything but INSERT ... VALUES of one row and
 * UPDATE ... WHERE primary key = ... of an ordinary table; tables with
 * triggers other than foreign keys' and capture's, with row security, generated
 * columns, partitions, children; the first statements of each batch, since
 * setting up costs as much as two runs; and items that run alone.
 *
 * What is set up belongs to the batch's transaction: rights are checked when it
 * is made, the plan's own invalidation ends it.  The tables stay open until
 * then, so a step that alters one of them by a function meets "being used by
 * active queries"; the item then runs alone, where nothing is kept open.
 *
 * Row by row and in the order of the program, as SPI does: each run has its own
 * snapshot and command, and a row that somebody changed meanwhile is left to
 * the executor, which knows how to look again.  ERRORs are those of the core's
 * functions, with the same context line.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "direct.h"
#include "lookup.h"
#include "rule.h"
#include "stat.h"

#define ORDINARY_RUNS 2					/* in a batch, before setting up pays */

/* A statement set up for the rest of the batch. */
typedef struct Direct
{
	SqlPlan    *sql;
	CachedPlanSource *source;
	CachedPlan *plan;					/* pinned */
	Oid			user;					/* whose rights were checked */
	uint64		invalidations;			/* valid as long as there were no more */
	EState	   *estate;
	ResultRelInfo *result;
	TupleTableSlot *row;				/* to be stored */
	ProjectionInfo *projection;			/* makes it */
	/* UPDATE only */
	TupleTableSlot *old;
	ExprState  *where;					/* the whole of it */
	int			own;					/* argument whose row it is, -1 = not known */
	Lookup	   *lookup;					/* by the primary key */
	int			nkeys;
	ScanKeyData keys[INDEX_MAX_KEYS];
	ExprState  *values[INDEX_MAX_KEYS];
} Direct;

/* What an UPDATE's plan says of its row, while it is examined. */
typedef struct Target
{
	List	   *where;					/* of Expr */
	List	   *columns;				/* of TargetEntry, as many as colnos */
	List	   *colnos;
	Oid			equals[INDEX_MAX_KEYS]; /* operator "column = value", by key column of the index */
	Expr	   *values[INDEX_MAX_KEYS];
} Target;

static List *directs = NIL;				/* of Direct *, in the batch's context */
static MemoryContext batch_context = NULL;	/* NULL: no batch */
static ResourceOwner batch_owner = NULL;
static uint64 batch_number = 0;
static bool is_allowed = false;
static uint64 invalidations = 0;		/* of rights and functions, seen by this process */

/* --- the batch --- */

/* Syscache callback.  Rights and functions that the plan does not name, as in a
 * CHECK constraint, are asked about when a statement is set up. */
static void
invalidated(Datum arg, int cacheid, uint32 hashvalue)
{
	invalidations++;
}

static void
register_callbacks(void)
{
	static bool registered = false;

	if (registered)
		return;
	CacheRegisterSyscacheCallback(PROCOID, invalidated, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, invalidated, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, invalidated, (Datum) 0);
	registered = true;
}

void
wf_direct_batch_begin(void)
{
	register_callbacks();
	directs = NIL;
	batch_context = CurTransactionContext;
	batch_owner = CurrentResourceOwner;
	batch_number++;
	is_allowed = false;
}

/* Closes what was opened, in the resource owner it was opened in. */
static void
close_direct(Direct *direct)
{
	ResourceOwner owner = CurrentResourceOwner;

	CurrentResourceOwner = batch_owner;
	if (direct->lookup)
		wf_lookup_close(direct->lookup);
	if (direct->old)
		ExecDropSingleTupleTableSlot(direct->old);
	if (direct->row)
		ExecDropSingleTupleTableSlot(direct->row);
	if (direct->result)
	{
		Relation	rel = direct->result->ri_RelationDesc;

		ExecResetTupleTable(direct->estate->es_tupleTable, false);	/* of the triggers */
		ExecCloseResultRelations(direct->estate);
		table_close(rel, NoLock);
	}
	if (direct->estate)
		FreeExecutorState(direct->estate);
	ReleaseCachedPlan(direct->plan, batch_owner);
	direct->sql->direct = NULL;
	pfree(direct);
	CurrentResourceOwner = owner;
}

void
wf_direct_batch_end(void)
{
	ListCell   *lc;

	foreach(lc, directs)
		close_direct(lfirst(lc));
	directs = NIL;
	batch_context = NULL;
}

/* The abort has freed everything, the list included. */
void
wf_direct_batch_forget(void)
{
	directs = NIL;
	batch_context = NULL;
}

void
wf_direct_allow(bool allowed)
{
	is_allowed = allowed;
}

void
wf_direct_drop(SqlPlan *sql)
{
	if (sql == NULL || sql->direct == NULL || batch_context == NULL || sql->direct_batch != batch_number)
		return;
	directs = list_delete_ptr(directs, sql->direct);
	close_direct(sql->direct);
}

/* --- is it of a kind known here? --- */

/* Does it change rows that refer to the changed one, and with them, by their
 * triggers, whatever else? */
static bool
changes_others(const Trigger *trigger)
{
	return trigger->tgfoid == F_RI_FKEY_CASCADE_UPD || trigger->tgfoid == F_RI_FKEY_SETNULL_UPD ||
		trigger->tgfoid == F_RI_FKEY_SETDEFAULT_UPD;
}

/* Only foreign keys' and capture's triggers, after each row. */
static bool
triggers_fit(const TriggerDesc *triggers, CmdType operation)
{
	Oid			capture = wf_capture_function();

	if (triggers == NULL)
		return true;
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (!trigger->tgisinternal && trigger->tgfoid != capture)
			return false;
		if (operation == CMD_UPDATE && changes_others(trigger))
			return false;
		if (!TRIGGER_FOR_ROW(trigger->tgtype) || !TRIGGER_FOR_AFTER(trigger->tgtype) ||
			TRIGGER_USES_TRANSITION_TABLE(trigger->tgnewtable) || TRIGGER_USES_TRANSITION_TABLE(trigger->tgoldtable))
			return false;
	}
	return true;
}

static bool
table_fits(Relation rel, CmdType operation)
{
	const TupleConstr *constraints = RelationGetDescr(rel)->constr;

	return rel->rd_rel->relkind == RELKIND_RELATION && !IsCatalogRelation(rel) && !rel->rd_rel->relispartition &&
		!rel->rd_rel->relhassubclass && !rel->rd_rel->relhasrules &&
		!rel->rd_rel->relrowsecurity &&
		!(constraints && (constraints->has_generated_stored || WF_COMPAT_HAS_VIRTUAL(constraints))) &&
		triggers_fit(rel->trigdesc, operation);
}

/* The plan's only node of interest; NULL if there is more to it. */
static ModifyTable *
plain_modification(const CachedPlan *plan)
{
	const PlannedStmt *stmt = linitial_node(PlannedStmt, plan->stmt_list);
	ModifyTable *node;

	if (list_length(plan->stmt_list) != 1 || !stmt->canSetTag)
		return NULL;					/* a view's rules have made something else of it */
	if (stmt->planTree == NULL || !IsA(stmt->planTree, ModifyTable) || stmt->subplans != NIL ||
		stmt->rowMarks != NIL || stmt->hasModifyingCTE)
		return NULL;
	node = (ModifyTable *) stmt->planTree;
	if ((node->operation != CMD_INSERT && node->operation != CMD_UPDATE) ||
		list_length(node->resultRelations) != 1 || node->returningLists != NIL || node->rowMarks != NIL ||
		node->withCheckOptionLists != NIL || node->onConflictAction != ONCONFLICT_NONE ||
		node->fdwDirectModifyPlans != NULL || node->rootRelation != 0)
		return NULL;
	return node;
}

/* INSERT ... VALUES of one row: a value for each column of the table. */
static bool
is_one_row(const ModifyTable *node, Relation rel)
{
	Plan	   *plan = outerPlan(node);

	return IsA(plan, Result) && outerPlan(plan) == NULL && ((Result *) plan)->resconstantqual == NULL &&
		plan->qual == NIL && list_length(plan->targetlist) == RelationGetDescr(rel)->natts;
}

static Node *
strip_relabel(Node *node)
{
	while (node && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node;
}

/* "column = value" over the index's column number, either way round; the
 * operator with the column at its left, or InvalidOid if it is not that. */
static Oid
key_equality(OpExpr *op, int varno, Relation index, int column, Expr **value)
{
	for (int side = 0; side < 2; side++)
	{
		Node	   *var = strip_relabel(list_nth(op->args, side));
		Node	   *other = list_nth(op->args, 1 - side);
		Oid			opno = side == 0 ? op->opno : get_commutator(op->opno);

		if (!IsA(var, Var) || ((Var *) var)->varno != varno ||
			((Var *) var)->varattno != index->rd_index->indkey.values[column])
			continue;
		if (!OidIsValid(opno) ||
			get_op_opfamily_strategy(opno, index->rd_opfamily[column]) != BTEqualStrategyNumber ||
			contain_var_clause(other) || contain_volatile_functions(other) ||
			(OidIsValid(index->rd_indcollation[column]) && index->rd_indcollation[column] != op->inputcollid))
			continue;
		*value = (Expr *) other;
		return opno;
	}
	return InvalidOid;
}

/* Is each column of the index compared with a value? */
static bool
finds_keys(Target *target, int varno, Relation index)
{
	ListCell   *lc;

	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
	{
		target->equals[i] = InvalidOid;
		foreach(lc, target->where)
		{
			OpExpr	   *op = lfirst(lc);

			if (IsA(op, OpExpr) && list_length(op->args) == 2 && !OidIsValid(target->equals[i]))
				target->equals[i] = key_equality(op, varno, index, i, &target->values[i]);
		}
		if (!OidIsValid(target->equals[i]))
			return false;
	}
	return true;
}

/* Does it change the key?  Then an argument's row is not to be found by its key
 * for the rest of the item, here as elsewhere. */
static bool
changes_key(const Target *target, Relation index)
{
	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
		if (list_member_int(target->colnos, index->rd_index->indkey.values[i]))
			return true;
	return false;
}

/* Finds it one row at most, under any snapshot? */
static bool
index_fits(Relation index)
{
	return index->rd_rel->relam == BTREE_AM_OID && index->rd_index->indimmediate && !index->rd_index->indcheckxmin;
}

/* UPDATE of one row by its key; the plan may find it in any way. */
static bool
read_target(const ModifyTable *node, Target *target)
{
	Plan	   *plan = outerPlan(node);
	ListCell   *lc;

	if (IsA(plan, IndexScan))
		target->where = list_concat_copy(((IndexScan *) plan)->indexqualorig, plan->qual);
	else if (IsA(plan, BitmapHeapScan))
		target->where = list_concat_copy(((BitmapHeapScan *) plan)->bitmapqualorig, plan->qual);
	else if (IsA(plan, SeqScan))
		target->where = list_copy(plan->qual);
	else
		return false;
	if (((Scan *) plan)->scanrelid != linitial_int(node->resultRelations))
		return false;
	target->columns = NIL;
	foreach(lc, plan->targetlist)
		if (!lfirst_node(TargetEntry, lc)->resjunk)
			target->columns = lappend(target->columns, lfirst(lc));
	target->colnos = linitial(node->updateColnosLists);
	return list_length(target->columns) == list_length(target->colnos);
}

/* The argument of which all key values are columns: "id = c.id"; else -1. */
static int
argument_of_keys(const Target *target, Relation rel, Relation index, const Signature *sig)
{
	int			argument = -1;

	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
	{
		FieldSelect *field = (FieldSelect *) target->values[i];
		Param	   *param;
		int			here;

		if (!IsA(field, FieldSelect) || field->fieldnum != index->rd_index->indkey.values[i] ||
			!IsA(field->arg, Param))
			return -1;
		param = (Param *) field->arg;
		here = param->paramid - PARAM_ARG(0);
		if (param->paramkind != PARAM_EXTERN || here < 0 || here >= sig->nargs || !sig->args[here].is_row ||
			sig->args[here].relation != RelationGetRelid(rel) || (i > 0 && here != argument))
			return -1;
		argument = here;
	}
	return argument;
}

/* --- setting up --- */

static void
prepare_insert(Direct *direct, const ModifyTable *node)
{
	direct->row = table_slot_create(direct->result->ri_RelationDesc, NULL);
	direct->projection = ExecBuildProjectionInfo(outerPlan(node)->targetlist, GetPerTupleExprContext(direct->estate),
												 direct->row, NULL, NULL);
}

/* Prepares the look-up by the primary key. */
static void
prepare_keys(Direct *direct, const Target *target)
{
	Relation	index = wf_lookup_index(direct->lookup);

	direct->nkeys = IndexRelationGetNumberOfKeyAttributes(index);
	for (int i = 0; i < direct->nkeys; i++)
	{
		int			strategy;
		Oid			left;
		Oid			right;				/* declared, which may be anyenum, anyarray ... */

		get_op_opfamily_properties(target->equals[i], index->rd_opfamily[i], false, &strategy, &left, &right);
		ScanKeyEntryInitialize(&direct->keys[i], 0, i + 1, strategy, right,
							   index->rd_indcollation[i], get_opcode(target->equals[i]), (Datum) 0);
		direct->values[i] = ExecPrepareExpr(target->values[i], direct->estate);
	}
}

/* False if the row can't be found by a primary key. */
static bool
prepare_update(Direct *direct, const ModifyTable *node, const Signature *sig)
{
	Relation	rel = direct->result->ri_RelationDesc;
	Oid			indexid = wf_compat_primary_key_index(rel);
	Relation	index;
	Target		target;

	if (!OidIsValid(indexid) || !read_target(node, &target))
		return false;
	direct->lookup = wf_lookup_open(RelationGetRelid(rel), indexid);
	index = wf_lookup_index(direct->lookup);
	if (!index_fits(index) || changes_key(&target, index) ||
		!finds_keys(&target, linitial_int(node->resultRelations), index))
		return false;
	direct->own = argument_of_keys(&target, rel, index, sig);
	direct->old = table_slot_create(rel, NULL);
	direct->row = table_slot_create(rel, NULL);
	direct->where = ExecPrepareQual(target.where, direct->estate);
	direct->projection = ExecBuildUpdateProjection(target.columns, true, target.colnos, RelationGetDescr(rel),
												   GetPerTupleExprContext(direct->estate), direct->row, NULL);
	prepare_keys(direct, &target);
	return true;
}

/* Opens the table and makes everything that lives as long as the batch; false
 * if the statement is of another kind. */
static bool
prepare(Direct *direct, const Signature *sig)
{
	PlannedStmt *stmt = linitial_node(PlannedStmt, direct->plan->stmt_list);
	ModifyTable *node = plain_modification(direct->plan);
	ResultRelInfo *result;
	Relation	rel;
	int			rtindex;

	if (node == NULL)
		return false;
	rtindex = linitial_int(node->resultRelations);
	rel = table_open(rt_fetch(rtindex, stmt->rtable)->relid, RowExclusiveLock);
	direct->estate = CreateExecutorState();
	MemoryContextSwitchTo(direct->estate->es_query_cxt);	/* the caller switches back */
	direct->estate->es_plannedstmt = stmt;
	direct->estate->es_sourceText = direct->source->query_string;
	wf_compat_init_range_table(direct->estate, stmt);
	result = makeNode(ResultRelInfo);
	InitResultRelInfo(result, rel, rtindex, NULL, 0);
	direct->estate->es_opened_result_relations = lappend(direct->estate->es_opened_result_relations, result);
	direct->result = result;
	if (!table_fits(rel, node->operation) || (node->operation == CMD_INSERT && !is_one_row(node, rel)))
		return false;
	wf_compat_check_permissions(stmt);
	wf_compat_check_result_rel(result, node->operation);
	ExecOpenIndices(result, false);
	if (node->operation == CMD_UPDATE)
		return prepare_update(direct, node, sig);
	prepare_insert(direct, node);
	return true;
}

/* The line SPI would add to an error. */
static void
statement_context(void *arg)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(((SqlPlan *) arg)->plan));

	errcontext("SQL statement \"%s\"", source->query_string);
}

static void
push_context(ErrorContextCallback *callback, SqlPlan *sql)
{
	callback->callback = statement_context;
	callback->arg = sql;
	callback->previous = error_context_stack;
	error_context_stack = callback;
}

/* Pins the statement's generic plan; NULL if it has none. */
static CachedPlan *
pin_plan(SqlPlan *sql)
{
	CachedPlan *plan;

	SPI_connect();
	plan = SPI_plan_get_cached_plan(sql->plan);
	SPI_finish();
	return plan;
}

/* Sets the statement up; NULL, and remembered for this plan, if it does not fit. */
static Direct *
open_direct(SqlPlan *sql, const Signature *sig)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(sql->plan));
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext context;
	CachedPlan *plan;
	Direct	   *direct;
	ErrorContextCallback callback;

	if (sql->unfit != 0 && source->is_valid && source->gplan && source->gplan->is_valid &&
		source->gplan->generation == sql->unfit)
		return NULL;
	CurrentResourceOwner = batch_owner;
	plan = pin_plan(sql);
	if (plan)
	{
		context = MemoryContextSwitchTo(batch_context);
		direct = palloc0(sizeof(Direct));
		direct->sql = sql;
		direct->source = source;
		direct->plan = plan;
		direct->user = GetUserId();
		direct->invalidations = invalidations;
		sql->unfit = plan->generation;
		push_context(&callback, sql);
		PushActiveSnapshot(GetTransactionSnapshot());
		if (prepare(direct, sig))
		{
			MemoryContextSwitchTo(batch_context);
			directs = lappend(directs, direct);
			sql->direct = direct;
			sql->unfit = 0;
		}
		else
		{
			MemoryContextSwitchTo(batch_context);
			close_direct(direct);
		}
		PopActiveSnapshot();
		error_context_stack = callback.previous;
		MemoryContextSwitchTo(context);
	}
	CurrentResourceOwner = owner;
	return sql->direct;
}

/* --- running --- */

/* Finds the row by its argument, which was just read. */
static TupleTableSlot *
find_own(Direct *direct, Frame *frame)
{
	FrameRow   *own;

	if (direct->own < 0 || !wf_frame_row_exists(frame, direct->own))
		return NULL;
	own = &frame->rows[direct->own];
	if (!ItemPointerIsValid(&own->tid) ||
		!table_tuple_fetch_row_version(direct->result->ri_RelationDesc, &own->tid,
									   direct->estate->es_snapshot, direct->old))
		return NULL;
	return direct->old;
}

/* Finds the row by the primary key's index. */
static TupleTableSlot *
find_by_key(Direct *direct, ExprContext *econtext)
{
	TupleTableSlot *found;

	for (int i = 0; i < direct->nkeys; i++)
	{
		bool		isnull;

		direct->keys[i].sk_argument = ExecEvalExpr(direct->values[i], econtext, &isnull);
		if (isnull)
			return NULL;
	}
	found = wf_lookup_find(direct->lookup, direct->nkeys, direct->keys, direct->estate->es_snapshot);
	if (found == NULL)
		return NULL;
	/* a row argument of the same table, read while the new row is made, is looked up there too */
	ExecCopySlot(direct->old, found);
	direct->old->tts_tableOid = found->tts_tableOid;
	return direct->old;
}

/* What the frame knows of the changed row needs no reading. */
static void
hand_over(Direct *direct, Frame *frame, const ItemPointerData *before)
{
	Oid			relation = RelationGetRelid(direct->result->ri_RelationDesc);
	bool		free_tuple;
	HeapTuple	tuple = NULL;

	for (int i = 0; i < frame->sig->nargs; i++)
	{
		FrameRow   *row = &frame->rows[i];

		if (!row->fresh || !row->exists || frame->sig->args[i].relation != relation ||
			!ItemPointerEquals(&row->tid, unconstify(ItemPointerData *, before)))
		{
			row->fresh = false;
			continue;
		}
		if (tuple == NULL)
			tuple = ExecFetchSlotHeapTuple(direct->row, true, &free_tuple);
		wf_frame_replace(frame, i, tuple, RelationGetDescr(direct->result->ri_RelationDesc), &direct->row->tts_tid);
	}
}

static void
fire_triggers(Direct *direct, ItemPointer before, List *recheck)
{
	AfterTriggerBeginQuery();
	if (before)
		ExecARUpdateTriggers(direct->estate, direct->result, NULL, NULL, before, NULL, direct->row, recheck,
							 NULL, false);
	else
		ExecARInsertTriggers(direct->estate, direct->result, direct->row, recheck, NULL);
	AfterTriggerEndQuery(direct->estate);
	if (direct->result->ri_TrigOldSlot)
		ExecClearTuple(direct->result->ri_TrigOldSlot);
}

/* Makes the new row and checks it. */
static void
make_row(Direct *direct)
{
	Relation	rel = direct->result->ri_RelationDesc;

	(void) ExecProject(direct->projection);
	ExecMaterializeSlot(direct->row);	/* constraints are not to see values that may be changed in place */
	direct->row->tts_tableOid = RelationGetRelid(rel);
	if (RelationGetDescr(rel)->constr)
		ExecConstraints(direct->result, direct->row, direct->estate);
}

static void
run_insert(Direct *direct)
{
	ResultRelInfo *result = direct->result;
	List	   *recheck = NIL;

	make_row(direct);
	table_tuple_insert(result->ri_RelationDesc, direct->row, direct->estate->es_output_cid, 0, NULL);
	if (result->ri_NumIndices > 0)
		recheck = wf_compat_insert_index_tuples(result, direct->row, direct->estate);
	if (result->ri_TrigDesc)
		fire_triggers(direct, NULL, recheck);
}

/* Functions in the statement have changed the row that it is to change. */
static void
refuse_changed_row(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("tuple to be updated was already modified by an operation triggered by the current command"),
			 errhint("Consider using an AFTER trigger instead of a BEFORE trigger to propagate changes to other rows.")));
}

/* False: somebody else has changed the row. */
static bool
run_update(Direct *direct, Frame *frame, uint64 *processed)
{
	ResultRelInfo *result = direct->result;
	ExprContext *econtext = GetPerTupleExprContext(direct->estate);
	wf_compat_update_indexes update_indexes;
	List	   *recheck = NIL;
	TupleTableSlot *old = find_own(direct, frame);
	ItemPointerData before;
	TM_FailureData failure;
	LockTupleMode lockmode;
	TM_Result	done;

	*processed = 0;
	if (old == NULL && (old = find_by_key(direct, econtext)) == NULL)
		return true;
	econtext->ecxt_scantuple = old;
	if (!ExecQual(direct->where, econtext))
		return true;
	before = old->tts_tid;
	make_row(direct);
	done = table_tuple_update(result->ri_RelationDesc, &before, direct->row, direct->estate->es_output_cid,
							  direct->estate->es_snapshot, InvalidSnapshot, true, &failure, &lockmode,
							  &update_indexes);
	if (done == TM_SelfModified)
		refuse_changed_row();
	if (done != TM_Ok)
		return false;
	if (result->ri_NumIndices > 0)
		recheck = wf_compat_update_index_tuples(result, direct->row, direct->estate, update_indexes);
	hand_over(direct, frame, &before);
	if (result->ri_TrigDesc)
		fire_triggers(direct, &before, recheck);
	*processed = 1;
	return true;
}

static bool
run(Direct *direct, Frame *frame, uint64 *processed)
{
	EState	   *estate = direct->estate;
	MemoryContext context;
	bool		done = true;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	estate->es_snapshot = GetActiveSnapshot();
	estate->es_output_cid = GetCurrentCommandId(true);
	estate->es_param_list_info = frame->params;
	GetPerTupleExprContext(estate)->ecxt_param_list_info = frame->params;
	context = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));
	if (direct->old)
	{
		done = run_update(direct, frame, processed);
		if (*processed == 0)
			wf_frame_touch(frame);		/* a function in the condition may have changed rows */
	}
	else
	{
		run_insert(direct);
		wf_frame_touch(frame);
		*processed = 1;
	}
	ExecClearTuple(direct->row);
	if (direct->old)
		ExecClearTuple(direct->old);
	MemoryContextSwitchTo(context);
	ResetPerTupleExprContext(estate);
	PopActiveSnapshot();
	CommandCounterIncrement();			/* the next one to look sees it, with whatever snapshot */
	return done;
}

/* Is what was set up still what the statement means? */
static bool
is_valid(const Direct *direct)
{
	return direct->user == GetUserId() && direct->invalidations == invalidations &&
		direct->plan->is_valid && direct->source->is_valid && direct->source->gplan == direct->plan &&
		wf_compat_search_path_matches(direct->source->search_path);
}

/* Runs a statement; see direct.h. */
bool
wf_direct_run(SqlPlan *sql, Frame *frame, uint64 *processed)
{
	ErrorContextCallback callback;
	bool		done;

	if (sql->direct_batch != batch_number)
	{
		sql->direct_batch = batch_number;
		sql->direct = NULL;
		sql->runs = 0;
	}
	if (!is_allowed || batch_context == NULL || ++sql->runs <= ORDINARY_RUNS || sql->plan == NULL ||
		XactReadOnly || ExecutorCheckPerms_hook != NULL)
		return false;
	if (sql->direct && !is_valid(sql->direct))
		wf_direct_drop(sql);
	if (sql->direct == NULL && open_direct(sql, frame->sig) == NULL)
		return false;
	push_context(&callback, sql);
	done = run(sql->direct, frame, processed);
	error_context_stack = callback.previous;
	if (done)
		wf_stat_count(STAT_DIRECT);
	return done;
}
