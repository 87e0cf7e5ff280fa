/*
 * ast.h -- what the parser makes of a body: clauses, declarations,
 * statements.  No catalog look-up has happened yet.
 *
 * All positions are byte offsets in the body.  Everything is palloc'd in the
 * context that was current when wf_parse() was called.
 */
#ifndef WF_AST_H
#define WF_AST_H

#include "nodes/pg_list.h"

/* A piece of SQL inside the body: [start, end), no surrounding white space. */
typedef struct Fragment
{
	int			start;
	int			end;					/* start == end: absent */
} Fragment;
#define FRAGMENT_ABSENT(f) ((f).end <= (f).start)

typedef struct Word
{
	char	   *name;					/* folded unless quoted */
	int			location;
} Word;

/* literal of FROM and TO */
typedef struct Literal
{
	bool		present;
	bool		isnull;
	char	   *text;					/* input text: 'lead', -3, true */
	enum {LITERAL_STRING, LITERAL_NUMBER, LITERAL_BOOL, LITERAL_NULL} kind;
	int			location;
} Literal;

#define OP_INSERT 1
#define OP_UPDATE 2
#define OP_DELETE 4

typedef struct Change
{
	int			operations;				/* OP_* */
	List	   *columns;				/* of Word: UPDATE OF; NIL = any column */
	Literal		from;
	Literal		to;
	Fragment	table;					/* ON: possibly qualified name; absent = the subject's */
	Fragment	when;
	int			location;
	int			update_location;		/* of the word UPDATE, -1 */
} Change;

typedef enum
{
	CLAUSE_AFTER, CLAUSE_AT, CLAUSE_EVERY, CLAUSE_ENROLL, CLAUSE_EXIT,
	CLAUSE_SEND_DURING, CLAUSE_TIME_ZONE
} ClauseKind;

typedef enum
{
	ENROLL_ONCE, ENROLL_AGAIN, ENROLL_REPLACE
} EnrollPolicy;

typedef struct Clause
{
	ClauseKind	kind;
	int			location;				/* of its first word */
	int			ordinal;				/* among the clauses of its kind, from 1 */
	Change		change;					/* AFTER */
	Fragment	expr;					/* AT moment, EXIT condition, TIME ZONE expr */
	Fragment	when;					/* AT .. WHEN */
	Fragment	query;					/* FOR */
	char	   *text;					/* EVERY schedule, SEND DURING window */
	int			text_location;
	EnrollPolicy policy;
	Fragment	after;					/* AGAIN AFTER interval */
	List	   *per;					/* of Fragment * (palloc'd), one per expression */
} Clause;

typedef struct Declaration
{
	Word		name;
	Fragment	type;
	Fragment	init;					/* := expr */
} Declaration;

typedef enum
{
	STMT_SQL, STMT_ASSIGN, STMT_WAIT_FOR, STMT_WAIT_CHANGE, STMT_WAIT_UNTIL,
	STMT_IF, STMT_SPLIT, STMT_GOTO, STMT_GOAL, STMT_SEND, STMT_EXIT
} StatementKind;

typedef struct Branch
{
	Fragment	condition;				/* absent: ELSE */
	int			location;				/* of IF, ELSIF, ELSE */
	List	   *statements;
	List	   *end_labels;				/* of Word: labels after its last statement; they name what follows the IF */
} Branch;

typedef struct Arm
{
	Word		name;
	char	   *percent;				/* NULL: none given */
	int64		share;					/* of SPLIT_WHOLE */
} Arm;

#define PERCENT_SCALE 1000000			/* percentages are added as millionths */
#define SPLIT_WHOLE (INT64CONST(100) * PERCENT_SCALE)

typedef struct Statement
{
	StatementKind kind;
	int			ordinal;				/* 1.. in source order, nested ones included */
	int			location;
	int			end;					/* just behind its ";" */
	int			line;					/* 1.. in the body */
	List	   *labels;					/* of Word: labels right before it */
	Fragment	sql;					/* SQL: whole text with INTO still in it; SEND: what follows SEND */
	Fragment	into_clause;			/* SQL: "INTO a, b", to be blanked out */
	List	   *into;					/* of Word */
	Fragment	expr;					/* ASSIGN, WAIT FOR interval, WAIT UNTIL, GOAL condition */
	Fragment	timeout;				/* WAIT .., SEND INTO .. TIMEOUT */
	Change		change;					/* WAIT FOR change */
	List	   *branches;				/* IF: of Branch; the ELSE one last */
	Word		name;					/* ASSIGN, SPLIT variable, GOAL name, GO TO label */
	List	   *arms;					/* SPLIT: of Arm */
	int			at_most;				/* GO TO .. AT MOST n TIMES; 0 = none */
	Fragment	per;					/* .. PER interval */
	enum {OTHERWISE_CONTINUE, OTHERWISE_WAIT, OTHERWISE_EXIT} otherwise;
} Statement;

typedef struct Workflow
{
	List	   *clauses;				/* of Clause, in order */
	List	   *declarations;			/* of Declaration */
	List	   *statements;				/* of Statement, top level */
	List	   *end_labels;				/* of Word: labels after the last statement (GO TO the end) */
	int			nstatements;			/* highest ordinal */
} Workflow;

#endif
