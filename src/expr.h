/*
 * expr.h -- values of an item's parameters, and evaluating fragments over them.
 *
 * Always as the workflow's owner with its path (the caller has seen to that).
 */
#ifndef WF_EXPR_H
#define WF_EXPR_H

#include "analyze.h"
#include "executor/spi.h"
#include "storage/itemptr.h"
#include "nodes/execnodes.h"
#include "nodes/params.h"

/* A fragment ready to be evaluated; lives as long as its program. */
typedef enum
{
	EXPR_CONDITION,						/* boolean; NULL is false */
	EXPR_UNTIL,							/* boolean or a moment */
	EXPR_INTERVAL,
	EXPR_VALUE							/* target type, or as it is */
} ExprKind;

typedef struct Expression
{
	const Scope *scope;
	Fragment	fragment;
	ExprKind	kind;
	const char *construct;				/* for messages */
	Oid			target;					/* EXPR_VALUE; InvalidOid = as it is */
	int32		target_typmod;
	MemoryContext context;				/* the program's */
	bool		tied;					/* EXPR_VALUE: what it depends on matters, too */

	/* filled at first use */
	bool		ready;
	UntilKind	until;
	Dependencies *deps;					/* with functions and views written out */
	List	   *ties;					/* of TieSource: rows of tables it depends on */
	bool		swept;					/* depends on more than rows can show: look again and again */
	Oid			type;					/* of the result, after coercion */
	Expr	   *simple;					/* planned; NULL: run as a query */
	bool		needs_snapshot;
	SPIPlanPtr	plan;
	Oid			raw_type;				/* of the query's column, before coercion */
	ExprState  *state;					/* of "simple"; at most one batch old */
	uint64		state_batch;
} Expression;

/* Rows of a table whose column equals a value of the enrollment: their change is
 * a reason to look at the expression again. */
typedef struct TieSource
{
	int64		tie;					/* unless TIE_SWEPT the tie itself; the rest is not set */
	int			source;
	char	   *column;
	Expression *value;					/* over the parameters */
	Oid			collation;				/* of the value */
	bool		array;					/* each element of the value */
} TieSource;

/* A statement or query ready to be run through SPI. */
typedef struct SqlPlan
{
	const Scope *scope;
	Fragment	fragment;
	Fragment	blank_out;
	FragmentKind kind;
	SPIPlanPtr	plan;					/* NULL until first use */

	/* direct.c's */
	struct Direct *direct;				/* set up for the batch; NULL = not */
	uint64		direct_batch;			/* the batch that the rest is about */
	int			runs;
	int			unfit;					/* generation of the plan that is of another kind */
} SqlPlan;

/* A row argument as read for this item. */
typedef struct FrameRow
{
	bool		fresh;					/* read since the last statement that could change it */
	bool		exists;
	char	   *key;					/* whole; NULL: no row */
	Datum		row;
	ItemPointerData tid;				/* where it was read; invalid = by SQL */
	MemoryContext context;				/* holds row; reset at each read */
} FrameRow;

/* The parameters of one running item. */
typedef struct Frame
{
	const Signature *sig;
	int			nvars;
	const Variable *vars;
	ParamListInfo params;
	FrameRow   *rows;					/* by argument; unused for values */
	uint64	   *shapes;					/* by variable: of the row type its value has; 0 = no row */
	MemoryContext context;				/* the item's */
	bool		not_visible;			/* a row exists but its owner's rights hide it */
} Frame;

extern Frame *wf_frame_create(const Signature *sig, int nvars, const Variable *vars, TimestampTz now);
extern void wf_frame_set(Frame *frame, int paramid, Oid type, Datum value, bool isnull);
/* All rows are read anew at their next use. */
extern void wf_frame_touch(Frame *frame);
/* The row of argument i was just changed to this tuple, now at tid. */
extern void wf_frame_replace(Frame *frame, int arg, HeapTuple tuple, TupleDesc desc, ItemPointer tid);
/* Does the row of argument i exist (as far as the owner may see it)? */
extern bool wf_frame_row_exists(Frame *frame, int arg);

/* Called once a batch: ExprStates of earlier ones are dropped. */
extern void wf_expr_new_batch(void);

/* Result in the current memory context. */
extern Datum wf_expr_eval(Expression *expr, Frame *frame, bool *isnull);
extern bool wf_expr_true(Expression *expr, Frame *frame);
/* Analysed, so that until and deps are known. */
extern void wf_expr_prepare(Expression *expr);

/* Ties of the values of now (int64 *, in the current context). */
extern List *wf_expr_ties(Expression *expr, Frame *frame);
/* For wf_expr_prepare: fills ties, swept and deps (expr_ties.c). */
extern void wf_expr_tie(Expression *expr, Query *query);

/* Runs a statement; returns SPI's result code, SPI_processed and SPI_tuptable
 * are set (not when rows are discarded).  SPI is connected by the caller. */
extern int	wf_sql_run(SqlPlan *sql, Frame *frame, long limit, bool discard);

/* The same, sends the rows of a query to a receiver. */
extern void wf_sql_send(SqlPlan *sql, Frame *frame, DestReceiver *receiver);

extern void wf_expr_free(Expression *expr);
extern void wf_sql_free(SqlPlan *sql);

/* Value of one type as another, by assignment cast (plpgsql's rules). */
extern Datum wf_cast_value(Datum value, bool *isnull, Oid from, int32 from_typmod, Oid to, int32 to_typmod);

#endif
