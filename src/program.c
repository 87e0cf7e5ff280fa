/*
 * program.c -- a version of a workflow as flat instructions.
 *
 * Called by batch.c and enroll.c.  A program is parsed from the source of its
 * version whenever this process first needs it: nothing compiled is stored, so
 * a dump or a newer library can't bring a program that does not fit.
 *
 * Each program has a memory context of its own under TopMemoryContext, named
 * after the workflow.  Invalidations only set a flag; programs are dropped
 * between batches (wf_program_new_batch), so a pointer stays valid in a batch.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "commands.h"
#include "compat.h"
#include "direct.h"
#include "owner.h"
#include "parser.h"
#include "program.h"
#include "store.h"

typedef struct ProgramKey
{
	int			workflow;
	int			version;
} ProgramKey;

typedef struct ProgramEntry
{
	ProgramKey	key;
	Program    *program;
} ProgramEntry;

static HTAB *programs = NULL;
static List *used_relations = NIL;		/* OIDs; TopMemoryContext */
static bool stale = false;				/* set by callbacks only */
static bool callbacks_registered = false;

/* --- building the code --- */

typedef struct Builder
{
	Program    *program;
	int			allocated;
	List	   *gotos;					/* pcs of OP_GOTO */
	List	   *labels;					/* of LabelPlace */
} Builder;

typedef struct LabelPlace
{
	char	   *name;
	int			pc;
} LabelPlace;

static Expression *
make_expression(Program *program, const Scope *scope, Fragment f, ExprKind kind, const char *construct)
{
	Expression *expr;

	if (FRAGMENT_ABSENT(f))
		return NULL;
	expr = palloc0(sizeof(Expression));
	expr->scope = scope;
	expr->fragment = f;
	expr->kind = kind;
	expr->construct = construct;
	expr->target = InvalidOid;
	expr->target_typmod = -1;
	expr->context = program->context;
	return expr;
}

static SqlPlan *
make_sql(const Scope *scope, Fragment f, Fragment blank_out, FragmentKind kind)
{
	SqlPlan    *sql = palloc0(sizeof(SqlPlan));

	sql->scope = scope;
	sql->fragment = f;
	sql->blank_out = blank_out;
	sql->kind = kind;
	return sql;
}

/* Appends an instruction and returns it; valid until the next one. */
static Instruction *
emit(Builder *b, OpCode op, Statement *stmt)
{
	Program    *program = b->program;
	Instruction *ins;

	if (program->ncode == b->allocated)
	{
		b->allocated *= 2;
		program->code = repalloc(program->code, sizeof(Instruction) * b->allocated);
	}
	ins = &program->code[program->ncode++];
	memset(ins, 0, sizeof(Instruction));
	ins->op = op;
	ins->stmt = stmt;
	return ins;
}

static int
variable_index(const Program *program, const char *name)
{
	int			i;

	for (i = 0; i < program->nvars; i++)
		if (strcmp(program->vars[i].name, name) == 0)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("variable \"%s\" is not declared", name)));
	return -1;
}

static void
note_labels(Builder *b, List *labels)
{
	ListCell   *lc;

	foreach(lc, labels)
	{
		LabelPlace *place = palloc(sizeof(LabelPlace));

		place->name = ((Word *) lfirst(lc))->name;
		place->pc = b->program->ncode;
		b->labels = lappend(b->labels, place);
	}
}

static void build_list(Builder *b, List *statements);

/* IF: each branch jumps over itself unless its condition holds, and to the end
 * when it is through. */
static void
build_if(Builder *b, Statement *stmt)
{
	Program    *program = b->program;
	List	   *exits = NIL;
	ListCell   *lc;

	foreach(lc, stmt->branches)
	{
		Branch	   *branch = lfirst(lc);
		int			skip = -1;

		if (!FRAGMENT_ABSENT(branch->condition))
		{
			Instruction *ins = emit(b, OP_JUMP_UNLESS, stmt);

			ins->expr = make_expression(program, &program->scope, branch->condition, EXPR_CONDITION, "IF");
			skip = program->ncode - 1;
		}
		build_list(b, branch->statements);
		note_labels(b, branch->end_labels);
		if (lnext(stmt->branches, lc))
		{
			emit(b, OP_JUMP, stmt);
			exits = lappend_int(exits, program->ncode - 1);
		}
		if (skip >= 0)
			program->code[skip].target = program->ncode;
	}
	foreach(lc, exits)
		program->code[lfirst_int(lc)].target = program->ncode;
}

static void
build_sql(Builder *b, Statement *stmt)
{
	Program    *program = b->program;
	Instruction *ins = emit(b, OP_SQL, stmt);
	ListCell   *lc;

	ins->sql = make_sql(&program->scope, stmt->sql, stmt->into_clause, FRAGMENT_STATEMENT);
	ins->vars = palloc(sizeof(int) * Max(list_length(stmt->into), 1));
	foreach(lc, stmt->into)
		ins->vars[ins->nvars++] = variable_index(program, ((Word *) lfirst(lc))->name);
}

static void
build_assign(Builder *b, Statement *stmt)
{
	Program    *program = b->program;
	int			var = variable_index(program, stmt->name.name);
	Instruction *ins = emit(b, OP_ASSIGN, stmt);

	ins->expr = make_expression(program, &program->scope, stmt->expr, EXPR_VALUE, ":=");
	ins->expr->target = program->vars[var].type;
	ins->expr->target_typmod = program->vars[var].typmod;
	ins->nvars = 1;
	ins->vars = palloc(sizeof(int));
	ins->vars[0] = var;
}

static void
build_split(Builder *b, Statement *stmt)
{
	Instruction *ins = emit(b, OP_SPLIT, stmt);

	ins->nvars = 1;
	ins->vars = palloc(sizeof(int));
	ins->vars[0] = variable_index(b->program, stmt->name.name);
}

static void
build_send(Builder *b, Statement *stmt)
{
	Program    *program = b->program;
	Fragment	none = {0, 0};
	Instruction *ins = emit(b, OP_SEND, stmt);

	ins->sql = make_sql(&program->scope, stmt->sql, none, FRAGMENT_SELECT_LIST);
	ins->timeout = make_expression(program, &program->scope, stmt->timeout, EXPR_INTERVAL, "TIMEOUT");
	ins->nvars = list_length(stmt->into);
	ins->vars = palloc(sizeof(int));
	if (ins->nvars > 0)
		ins->vars[0] = variable_index(program, ((Word *) linitial(stmt->into))->name);
}

/* The change of AFTER or WAIT FOR: its table, its rows, its WHEN. */
static void
build_change(Program *program, Start *start, const Change *change, const char *construct)
{
	start->change = change;
	if (FRAGMENT_ABSENT(change->table))
		start->relation = program->sig->args[0].relation;
	else
		start->relation = wf_analyze_table(program->body, change->table);
	start->scope = program->scope;
	start->scope.see_args = false;
	start->scope.see_change = true;
	start->scope.change_relation = start->relation;
	start->scope.has_old = (change->operations & (OP_UPDATE | OP_DELETE)) != 0;
	start->scope.has_new = (change->operations & (OP_INSERT | OP_UPDATE)) != 0;
	start->scope.construct = construct;
	start->has_from = change->from.present;
	start->has_to = change->to.present;
	start->when = make_expression(program, &start->scope, change->when, EXPR_CONDITION, construct);
}

static void
build_statement(Builder *b, Statement *stmt)
{
	Program    *program = b->program;
	const Scope *scope = &program->scope;
	Instruction *ins;

	note_labels(b, stmt->labels);
	program->pc_of[stmt->ordinal] = program->ncode;
	switch (stmt->kind)
	{
		case STMT_SQL:
			build_sql(b, stmt);
			break;
		case STMT_ASSIGN:
			build_assign(b, stmt);
			break;
		case STMT_WAIT_FOR:
			ins = emit(b, OP_WAIT_FOR, stmt);
			ins->expr = make_expression(program, scope, stmt->expr, EXPR_INTERVAL, "WAIT FOR");
			break;
		case STMT_WAIT_UNTIL:
			ins = emit(b, OP_WAIT_UNTIL, stmt);
			ins->expr = make_expression(program, scope, stmt->expr, EXPR_UNTIL, "WAIT UNTIL");
			ins->timeout = make_expression(program, scope, stmt->timeout, EXPR_INTERVAL, "TIMEOUT");
			break;
		case STMT_IF:
			build_if(b, stmt);
			break;
		case STMT_GOTO:
			ins = emit(b, OP_GOTO, stmt);
			ins->per = make_expression(program, scope, stmt->per, EXPR_INTERVAL, "PER");
			b->gotos = lappend_int(b->gotos, program->ncode - 1);
			break;
		case STMT_SPLIT:
			build_split(b, stmt);
			break;
		case STMT_EXIT:
			emit(b, OP_EXIT, stmt);
			break;
		case STMT_WAIT_CHANGE:
			ins = emit(b, OP_WAIT_CHANGE, stmt);
			ins->change = palloc0(sizeof(Start));
			build_change(program, ins->change, &stmt->change, "WAIT FOR");
			ins->change->scope.see_args = true;
			ins->change->scope.statement = stmt->ordinal;
			ins->timeout = make_expression(program, scope, stmt->timeout, EXPR_INTERVAL, "TIMEOUT");
			break;
		case STMT_GOAL:
			program->goals[program->ngoals++] = program->ncode;
			ins = emit(b, OP_GOAL, stmt);
			ins->expr = make_expression(program, scope, stmt->expr, EXPR_CONDITION, "GOAL");
			break;
		case STMT_SEND:
			build_send(b, stmt);
			break;
	}
}

static void
build_list(Builder *b, List *statements)
{
	ListCell   *lc;

	check_stack_depth();
	foreach(lc, statements)
		build_statement(b, lfirst(lc));
}

static void
resolve_gotos(Builder *b)
{
	ListCell   *lc;

	foreach(lc, b->gotos)
	{
		int			pc = lfirst_int(lc);
		Instruction *ins = &b->program->code[pc];
		ListCell   *lp;

		ins->target = -1;
		foreach(lp, b->labels)
		{
			LabelPlace *place = lfirst(lp);

			if (strcmp(place->name, ins->stmt->name.name) == 0)
				ins->target = place->pc;
		}
		if (ins->target < 0)
			ereport(ERROR,
					(errcode(ERRCODE_SYNTAX_ERROR),
					 errmsg("label \"%s\" does not exist", ins->stmt->name.name)));
		ins->backward = ins->target <= pc;
	}
}

static void
build_code(Program *program)
{
	Builder		b = {program, 64, NIL, NIL};

	program->code = palloc(sizeof(Instruction) * b.allocated);
	program->pc_of = palloc0(sizeof(int) * (program->tree->nstatements + 1));
	program->goals = palloc(sizeof(int) * (program->tree->nstatements + 1));
	build_list(&b, program->tree->statements);
	note_labels(&b, program->tree->end_labels);
	emit(&b, OP_END, NULL);
	resolve_gotos(&b);
}

/* --- building the clauses --- */

/* PER: a bare row argument stands for its primary key; see program.h. */
int
wf_per_argument(const Signature *sig, const char *body, Fragment f)
{
	int			i;

	for (i = 0; i < sig->nargs; i++)
	{
		const char *name = sig->args[i].name;
		int			len = strlen(name);
		const char *text = body + f.start;
		int			textlen = f.end - f.start;

		if (!sig->args[i].is_row)
			continue;
		if (textlen == len && pg_strncasecmp(text, name, len) == 0)
			return i;
		if (textlen == len + 2 && text[0] == '"' && strncmp(text + 1, name, len) == 0)
			return i;
	}
	return -1;
}

static void
build_enroll(Program *program, Clause *clause)
{
	ListCell   *lc;

	program->policy = clause->policy;
	program->again_after = make_expression(program, &program->scope, clause->after,
										   EXPR_INTERVAL, "ENROLL AGAIN AFTER");
	program->per = palloc0(sizeof(Expression *) * Max(list_length(clause->per), 1));
	program->per_arg = palloc0(sizeof(int) * Max(list_length(clause->per), 1));
	foreach(lc, clause->per)
	{
		Fragment	f = *(Fragment *) lfirst(lc);
		int			arg = wf_per_argument(program->sig, program->body, f);

		program->per_arg[program->nper] = arg;
		if (arg < 0)
			program->per[program->nper] = make_expression(program, &program->scope, f, EXPR_VALUE, "PER");
		program->nper++;
	}
}

static void
build_start(Program *program, Clause *clause)
{
	Start	   *start = &program->starts[program->nstarts++];
	Fragment	none = {0, 0};

	build_change(program, start, &clause->change, "AFTER");
	if (!FRAGMENT_ABSENT(clause->query))
		start->query = make_sql(&start->scope, clause->query, none, FRAGMENT_QUERY);
}

static void
build_every(Program *program, Clause *clause)
{
	Every	   *every = &program->everys[program->neverys++];
	Fragment	none = {0, 0};

	every->clause = clause;
	every->scope = program->scope;
	every->scope.nvars = 0;
	every->scope.see_args = false;
	every->scope.construct = "EVERY";
	every->query = make_sql(&every->scope, clause->query, none, FRAGMENT_QUERY);
}

static void
build_moment(Program *program, Clause *clause)
{
	Moment	   *moment = &program->moments[program->nmoments++];

	moment->clause = clause;
	moment->at = make_expression(program, &program->scope, clause->expr, EXPR_UNTIL, "AT");
	moment->when = make_expression(program, &program->scope, clause->when, EXPR_CONDITION, "WHEN");
}

static void
build_clauses(Program *program)
{
	int			n = list_length(program->tree->clauses);
	ListCell   *lc;

	program->policy = ENROLL_ONCE;
	program->starts = palloc0(sizeof(Start) * Max(n, 1));
	program->everys = palloc0(sizeof(Every) * Max(n, 1));
	program->moments = palloc0(sizeof(Moment) * Max(n, 1));
	program->exits = palloc0(sizeof(Expression *) * Max(n, 1));
	foreach(lc, program->tree->clauses)
	{
		Clause	   *clause = lfirst(lc);

		switch (clause->kind)
		{
			case CLAUSE_AFTER:
				build_start(program, clause);
				break;
			case CLAUSE_ENROLL:
				build_enroll(program, clause);
				break;
			case CLAUSE_EXIT:
				program->exits[program->nexits++] =
					make_expression(program, &program->scope, clause->expr, EXPR_CONDITION, "EXIT WHEN");
				break;
			case CLAUSE_TIME_ZONE:
				program->time_zone =
					make_expression(program, &program->scope, clause->expr, EXPR_VALUE, "TIME ZONE");
				program->time_zone->target = TEXTOID;
				program->time_zone->tied = true;
				break;
			case CLAUSE_AT:
				build_moment(program, clause);
				break;
			case CLAUSE_EVERY:
				build_every(program, clause);
				break;
			case CLAUSE_SEND_DURING:
				program->send_window = clause->text;
				break;
		}
	}
}

static void
build_inits(Program *program)
{
	ListCell   *lc;
	int			i = 0;

	program->inits = palloc0(sizeof(Expression *) * Max(program->nvars, 1));
	foreach(lc, program->tree->declarations)
	{
		Declaration *decl = lfirst(lc);
		Expression *init = make_expression(program, &program->scope, decl->init, EXPR_VALUE, "DECLARE");

		if (init)
		{
			init->target = program->vars[i].type;
			init->target_typmod = program->vars[i].typmod;
		}
		program->inits[i++] = init;
	}
}

/* --- loading --- */

/* Reads the version's row into the program; false if it is gone. */
static bool
load_version(Program *program)
{
	Relation	rel = wf_store_open("workflow_version", AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(program->workflow));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(program->version));
	scan = wf_store_scan(rel, "workflow_version_pkey", NULL, 2, keys);
	tuple = systable_getnext(scan);
	if (tuple)
	{
		TupleDesc	desc = RelationGetDescr(rel);

		program->author = DatumGetInt32(heap_getattr(tuple, 3, desc, &isnull));
		program->body = TextDatumGetCString(heap_getattr(tuple, 4, desc, &isnull));
		program->path = TextDatumGetCString(heap_getattr(tuple, 5, desc, &isnull));
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return tuple != NULL;
}

/* Everything in the program's own context, which is current. */
static void
build(Program *program, WorkflowRow *row)
{
	SourceContext source;
	int			level;

	if (!load_version(program))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("version %d of workflow %s does not exist", program->version, row->signature)));
	program->owner = row->owner;
	program->sig = wf_signature_load(row->routine);
	if (program->sig == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("workflow %s does not exist", row->signature),
				 errhint("CALL automation.reconcile().")));
	MemoryContextSetIdentifier(program->context, pstrdup(row->signature));
	level = wf_config_enter(program->path, program->sig->config);
	wf_source_context_enter(&source, program->body, program->sig->name);
	program->tree = wf_parse(program->body);
	program->vars = wf_analyze_declarations(program->tree, program->body, program->sig, &program->nvars);
	program->scope.body = program->body;
	program->scope.sig = program->sig;
	program->scope.nvars = program->nvars;
	program->scope.vars = program->vars;
	program->scope.see_args = true;
	program->scope.construct = "BEGIN";
	program->scope.workflow = program->workflow;
	program->scope.version = program->version;
	build_clauses(program);
	build_inits(program);
	build_code(program);
	wf_source_context_leave(&source);
	wf_config_leave(level);
}

/* --- invalidation --- */

static void
forget_by_syscache(Datum arg, int cacheid, uint32 hashvalue)
{
	stale = true;
}

/* A relation changed: only those a program knows as a row matter. */
static void
forget_by_relcache(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS scan;
	ProgramEntry *entry;

	if (programs == NULL || stale)
		return;
	if (!OidIsValid(relid) || list_member_oid(used_relations, relid))
	{
		stale = true;
		return;
	}
	hash_seq_init(&scan, programs);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		Program    *program = entry->program;
		int			i;

		for (i = 0; i < program->sig->nargs; i++)
			if (program->sig->args[i].relation == relid)
				stale = true;
		for (i = 0; i < program->nstarts; i++)
			if (program->starts[i].relation == relid)
				stale = true;
		for (i = 0; i < program->ncode; i++)
			if (program->code[i].change && program->code[i].change->relation == relid)
				stale = true;
	}
}

void
wf_program_uses(Oid relation)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	used_relations = list_append_unique_oid(used_relations, relation);
	MemoryContextSwitchTo(old);
}

static void
register_callbacks(void)
{
	if (callbacks_registered)
		return;
	CacheRegisterSyscacheCallback(PROCOID, forget_by_syscache, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, forget_by_syscache, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, forget_by_syscache, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, forget_by_syscache, (Datum) 0);
	CacheRegisterRelcacheCallback(forget_by_relcache, (Datum) 0);
	callbacks_registered = true;
}

static void
free_plans(Program *program)
{
	int			i;

	for (i = 0; i < program->ncode; i++)
	{
		wf_expr_free(program->code[i].expr);
		wf_expr_free(program->code[i].timeout);
		wf_expr_free(program->code[i].per);
		if (program->code[i].change)
			wf_expr_free(program->code[i].change->when);
		wf_direct_drop(program->code[i].sql);
		wf_sql_free(program->code[i].sql);
	}
	for (i = 0; i < program->nstarts; i++)
	{
		wf_expr_free(program->starts[i].when);
		wf_sql_free(program->starts[i].query);
	}
	for (i = 0; i < program->nmoments; i++)
	{
		wf_expr_free(program->moments[i].at);
		wf_expr_free(program->moments[i].when);
	}
	for (i = 0; i < program->nper; i++)
		wf_expr_free(program->per[i]);
	for (i = 0; i < program->nexits; i++)
		wf_expr_free(program->exits[i]);
	for (i = 0; i < program->nvars; i++)
		wf_expr_free(program->inits[i]);
	wf_expr_free(program->again_after);
	wf_expr_free(program->time_zone);
}

/* Drops every program if anything they depend on may have changed. */
void
wf_program_new_batch(void)
{
	HASH_SEQ_STATUS scan;
	ProgramEntry *entry;
	HTAB	   *old = programs;

	if (!stale || programs == NULL)
		return;
	programs = NULL;
	stale = false;
	list_free(used_relations);
	used_relations = NIL;
	hash_seq_init(&scan, old);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		free_plans(entry->program);
		MemoryContextDelete(entry->program->context);
	}
	hash_destroy(old);
}

/* Builds in a context that is kept only when everything went well. */
static Program *
build_program(WorkflowRow *row, int version)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "automation program",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Program    *program = palloc0(sizeof(Program));

	program->context = context;
	program->workflow = row->id;
	program->version = version;
	build(program, row);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, TopMemoryContext);
	return program;
}

/* Finds or builds the program of a version. */
Program *
wf_program_get(int workflow, int version)
{
	ProgramKey	key = {workflow, version};
	ProgramEntry *entry;
	Program    *program;
	WorkflowRow *row;
	bool		found;

	register_callbacks();
	if (programs == NULL)
	{
		HASHCTL		ctl;

		ctl.keysize = sizeof(ProgramKey);
		ctl.entrysize = sizeof(ProgramEntry);
		ctl.hcxt = TopMemoryContext;
		programs = hash_create("automation programs", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(programs, &key, HASH_FIND, NULL);
	if (entry)
		return entry->program;
	row = wf_workflow_load(workflow);
	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("workflow %d does not exist", workflow)));
	program = build_program(row, version);
	entry = hash_search(programs, &key, HASH_ENTER, &found);
	entry->program = program;
	return program;
}
