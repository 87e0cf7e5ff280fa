/*
 * analyze.h -- names and types of SQL fragments: parser hooks that resolve
 * arguments, variables, old and new to parameters, and now() to engine time.
 *
 * Used at definition (check.c) and at run time (expr.c), always as the owner
 * with the workflow's path.  Positions of errors are those of the body: a
 * fragment is analysed in a copy of the body in which all else is blank.
 */
#ifndef WF_ANALYZE_H
#define WF_ANALYZE_H

#include "ast.h"
#include "nodes/parsenodes.h"
#include "parser/parse_node.h"
#include "signature.h"

/* Parameter numbers (Param.paramid) */
#define PARAM_NOW		1				/* timestamptz: engine time of the item */
#define PARAM_ENTERED	2				/* timestamptz: entered_at() */
#define PARAM_FOUND		3				/* bool */
#define PARAM_OLD		4				/* composite */
#define PARAM_NEW		5				/* composite */
#define PARAM_ARG(i)	(6 + (i))
#define PARAM_VAR(sig, j) (6 + (sig)->nargs + (j))

typedef struct Variable
{
	char	   *name;
	Oid			type;
	int32		typmod;
	Oid			collation;
	int			location;
} Variable;

/* Names visible to a fragment. */
typedef struct Scope
{
	const char *body;
	const Signature *sig;
	int			nvars;
	Variable   *vars;
	bool		see_args;				/* arguments, variables, found */
	bool		see_change;				/* old and new of change_relation */
	Oid			change_relation;
	bool		has_old;				/* false: "old" is the error of message 2 */
	bool		has_new;
	const char *construct;				/* "AFTER", "WAIT FOR" ...: for messages */
	int			workflow;				/* whose version runs; 0: a definition is being checked */
	int			version;
	int			statement;				/* of WAIT FOR: whose change it is */
} Scope;

typedef enum
{
	FRAGMENT_EXPRESSION,				/* an expression */
	FRAGMENT_SELECT_LIST,				/* what may follow SELECT */
	FRAGMENT_QUERY,						/* SELECT, VALUES, WITH */
	FRAGMENT_STATEMENT					/* SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES, WITH */
} FragmentKind;

/* One-time set-up of the post-analysis hook that rewrites now(). */
extern void wf_analyze_init(void);

/* ParserSetupHook for SPI_prepare_extended / plan cache: arg is a Scope *. */
extern void wf_analyze_setup(ParseState *pstate, void *scope);

/* Text of a fragment; blank_out (may be absent) is blanked: an INTO clause. */
extern char *wf_fragment_text(const char *body, Fragment f, Fragment blank_out);

/* Analysed query of a fragment; exactly one statement; ERROR with position.
 * Locations in it and in all that follow count from the fragment's start. */
extern Query *wf_analyze(const Scope *scope, Fragment f, FragmentKind kind, Fragment blank_out);

/* Expression fragments, coerced; the result is "SELECT <expr>" with one
 * target entry. */
extern Query *wf_analyze_condition(const Scope *scope, Fragment f, const char *construct);
typedef enum
{
	UNTIL_CONDITION,
	UNTIL_TIMESTAMPTZ,
	UNTIL_TIMESTAMP,
	UNTIL_DATE
} UntilKind;
extern Query *wf_analyze_until(const Scope *scope, Fragment f, const char *construct, UntilKind *kind);
extern Query *wf_analyze_interval(const Scope *scope, Fragment f, const char *construct);
/* Any value; target = InvalidOid: as it is (unknown becomes text). */
extern Query *wf_analyze_value(const Scope *scope, Fragment f, const char *construct, Oid target, int32 typmod);

/* Variables of DECLARE: types resolved; errors positioned. */
extern Variable *wf_analyze_declarations(const Workflow *wf, const char *body, const Signature *sig, int *nvars);

/* Relation named by a Fragment (ON table); ERROR positioned. */
extern Oid	wf_analyze_table(const char *body, Fragment f);

/* What an analysed query depends on. */
typedef struct Dependencies
{
	List	   *columns;				/* of DependentColumn */
	bool		sublink;				/* reads tables */
	bool		now;					/* uses PARAM_NOW */
	bool		entered;
	bool		finished;				/* calls automation.finished() */
	bool		calendar;				/* asks for opening hours, holidays */
	bool		volatile_function;		/* a function that is neither immutable nor core-stable nor the above */
	char	   *volatile_name;
	int			volatile_location;		/* these count from the fragment's start, too; -1: unknown */
	int			sublink_location;
} Dependencies;

typedef struct DependentColumn
{
	int			param;					/* PARAM_OLD, PARAM_NEW or PARAM_ARG(i) */
	char	   *name;					/* NULL: the whole row */
} DependentColumn;

extern Dependencies *wf_analyze_dependencies(Query *query, const Scope *scope);

/* Error context that transposes positions into the CREATE FUNCTION text when
 * there is one.  Push before, pop after parsing and analysing. */
typedef struct SourceContext
{
	ErrorContextCallback callback;
	const char *body;
	const char *name;
} SourceContext;
extern void wf_source_context_enter(SourceContext *context, const char *body, const char *name);
extern void wf_source_context_leave(SourceContext *context);

#endif
