/*
 * program.h -- a version of a workflow as flat instructions.
 *
 * Never stored: parsed anew from the source of the version.  Cached in the
 * process, dropped when the function, a type or a privilege it depends on
 * changed; a pointer is valid until the end of the batch.
 */
#ifndef WF_PROGRAM_H
#define WF_PROGRAM_H

#include "expr.h"

typedef enum
{
	OP_SQL,
	OP_ASSIGN,
	OP_WAIT_FOR,
	OP_WAIT_UNTIL,
	OP_WAIT_CHANGE,
	OP_GOAL,
	OP_JUMP,							/* end of a branch */
	OP_JUMP_UNLESS,						/* condition of IF, ELSIF */
	OP_GOTO,
	OP_SPLIT,
	OP_SEND,
	OP_EXIT,
	OP_END
} OpCode;

typedef struct Instruction
{
	OpCode		op;
	Statement  *stmt;					/* NULL: OP_END */
	int			target;					/* of jumps and GO TO */
	Expression *expr;
	Expression *timeout;
	Expression *per;					/* GO TO .. PER */
	SqlPlan    *sql;
	int			nvars;					/* INTO targets */
	int		   *vars;
	bool		backward;				/* GO TO */
	struct Start *change;				/* OP_WAIT_CHANGE */
} Instruction;

/* A change as AFTER (how an event becomes arguments) and WAIT FOR speak of it. */
typedef struct Start
{
	const Change *change;
	Scope		scope;
	Expression *when;					/* whole WHEN, or NULL */
	SqlPlan    *query;					/* FOR, or NULL: the changed row */
	bool		has_from;
	bool		has_to;
	Oid			relation;
} Start;

/* EVERY clause. */
typedef struct Every
{
	Clause	   *clause;
	Scope		scope;
	SqlPlan    *query;					/* FOR */
} Every;

/* AT clause. */
typedef struct Moment
{
	Clause	   *clause;
	Expression *at;						/* of the arguments */
	Expression *when;					/* or NULL */
} Moment;

typedef struct Program
{
	MemoryContext context;
	int			workflow;
	int			version;
	int			owner;
	int			author;
	char	   *path;
	Signature  *sig;
	const char *body;					/* of this version, not necessarily the function's current one */
	Workflow   *tree;
	int			nvars;
	Variable   *vars;
	Scope		scope;					/* arguments and variables */
	int			ncode;
	Instruction *code;
	int		   *pc_of;					/* by ordinal; 0 unused */
	Expression **inits;					/* by variable, NULL = none */
	int			nstarts;
	Start	   *starts;					/* by clause ordinal - 1 */
	int			neverys;
	Every	   *everys;					/* by clause ordinal - 1 */
	int			nmoments;
	Moment	   *moments;				/* by clause ordinal - 1 */
	EnrollPolicy policy;
	Expression *again_after;
	int			nper;
	Expression **per;					/* NULL entry: row argument per_arg[i] */
	int		   *per_arg;
	int			nexits;
	Expression **exits;
	int			ngoals;
	int		   *goals;					/* pcs of the GOAL statements, in source order */
	Expression *time_zone;
	const char *send_window;			/* SEND DURING; NULL = any time */
} Program;

/* Builds or finds it; ERROR if the version can't be parsed any more.  Must
 * run as the owner. */
extern Program *wf_program_get(int workflow, int version);

/* A relation that some expression looks through or hangs on: when it changes,
 * programs are built anew. */
extern void wf_program_uses(Oid relation);

/* Between batches: drops what an invalidation made stale. */
extern void wf_program_new_batch(void);

/* The row argument that an expression of PER is; -1: something else. */
extern int	wf_per_argument(const Signature *sig, const char *body, Fragment f);

#endif
