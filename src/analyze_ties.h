/*
 * analyze_ties.h -- which rows of which tables a condition's value hangs on, and
 * by what a changed row is led to those who wait for it.
 * (analyze_expand.c, analyze_level.c, analyze_ties.c)
 */
#ifndef WF_ANALYZE_TIES_H
#define WF_ANALYZE_TIES_H

#include "analyze.h"

/* What cannot be tied to rows, and has to be looked at again and again. */
typedef enum
{
	UNTIED_TIME,						/* the clock */
	UNTIED_VOLATILE,					/* another value at each evaluation */
	UNTIED_TABLE,						/* a table */
	UNTIED_PART							/* a function, or the like */
} UntiedKind;

typedef struct Untied
{
	UntiedKind	kind;
	int			location;				/* from the fragment's start; -1: unknown */
	const char *reason;					/* a sentence */
} Untied;

/* Must it be looked at again and again for that?  Moments, intervals and zones are
 * computed once and follow only what is stored. */
extern bool wf_untied_matters(const Untied *untied, bool condition);
extern List *wf_untied_add(List *untied, UntiedKind kind, int location, const char *reason);

/* One step on the way from a changed row to a tie: rows of the table whose
 * "match" equals what the step before gave, and their "column".  The first
 * step has only the column of the changed row. */
typedef struct PathStep
{
	Oid			relation;
	char	   *match;
	char	   *column;
} PathStep;

/* The rows of one table that a condition reads. */
typedef struct TableRead
{
	Oid			relation;				/* the root of a partition tree */
	int			location;				/* from the fragment's start; -1: unknown */
	List	   *columns;				/* of char *: those read; "*" = all */
	char	   *conditions;				/* rule.conditions as text: a row that matters meets them */
	const char *reason;					/* NULL, or why it can't be tied: the rest is not set */
	char	   *column;					/* of the changed row, whose value is tied */
	List	   *path;					/* of PathStep: NIL = the column's value itself is the tie */
	Oid			end_relation;			/* what is registered: table and column */
	char	   *end_column;
	Node	   *value;					/* ... and what it is compared with: over the parameters */
	bool		array;					/* ... each element of it */
} TableRead;

typedef struct Reads
{
	Dependencies *deps;					/* with everything written out */
	List	   *tables;					/* of TableRead, untied ones included */
	List	   *untied;					/* of Untied; tables that can't be tied included */
	List	   *relations;				/* OIDs: tables read and views looked through */
} Reads;

/* As the owner, with the workflow's path; in the current context. */
extern Reads *wf_analyze_reads(Query *query, const Scope *scope);

/* The path as rule.path holds it; create: its tables get ids, else those without
 * have 0. */
extern char *wf_path_text(List *path, bool create);

/* What ties a change to the enrollment that waits for it. */
typedef struct ChangeTie
{
	char	   *column;					/* of old or new; NULL: an expression over them */
	bool		plain;					/* any session can hash it */
	Node	   *value;					/* what it is compared with: over arguments and variables */
	bool		array;					/* ... each element of it */
} ChangeTie;

/* The best one in the WHEN of a WAIT FOR; NULL: there is none. */
extern ChangeTie *wf_analyze_change_tie(Query *when);

/* --- between the files of the analysis --- */

/* Have values that the operator finds equal the same hash, as hashed for these
 * types under these collations? */
extern bool wf_ties_hash_alike(Oid operator, Oid collation, Oid left, Oid left_collation, Oid right,
							   Oid right_collation);

/* Flags of a query that was written out, in Query.stmt_len; the place of the call
 * that led there is in stmt_location. */
#define LEVEL_EXPANDED		1
#define LEVEL_OTHER_TEXT	2			/* positions are not the fragment's */
#define LEVEL_OTHER_RIGHTS	4			/* tables are read with other rights */
#define LEVEL_OTHER_SETTINGS 8			/* a function with SET clauses */
#define LEVEL_NO_COLUMNS	16			/* nothing follows inside from what is asked of its columns */

extern Query *wf_expand(Query *query, List **untied, List **views);

/* A query with those around it. */
typedef struct Level
{
	struct Level *parent;
	Query	   *query;
	int			flags;
	int			location;				/* in the fragment, of what led there; -1: unknown */
	int			entry;					/* of the parent's range table; 0: a sub-select in an expression */
	bool		optional;				/* its rows may be missing: it is in an outer join */
	SubLink    *link;					/* ... this one */
	bool		positive;				/* ... whose being unknown is as good as false */
	struct Level **subs;				/* by entry: a sub-select in FROM */
	struct Table **tables;				/* by entry: a table */
	List	  **quals;					/* by entry: what a row must meet to matter (Node *, of this level) */
	List	   *must;					/* what each row of the query has met */
	List	   *sublinks;				/* of SubLevel */
	Bitmapset  *demanded;				/* columns that are looked at */
} Level;

typedef struct SubLevel
{
	SubLink    *link;
	Level	   *level;
} SubLevel;

/* A table in FROM. */
typedef struct Table
{
	Level	   *level;
	int			entry;
	Oid			relation;
	bool		inherits;				/* not ONLY */
	bool		optional;				/* a row may be missing: the table is in an outer join */
	bool		whole;					/* all columns are read */
	Bitmapset  *columns;				/* attribute numbers */
} Table;

typedef struct Levels
{
	const Scope *scope;
	List	   *tables;					/* of Table */
	List	   *untied;
	List	   *positive;				/* of SubLink: unknown is as good as false */
} Levels;

/* Walks an expanded query: tables, columns, what rows must meet. */
extern void wf_levels_walk(Levels *levels, Query *query);

/* The level a Var is of; NULL if it is beyond. */
extern Level *wf_level_up(Level *level, int n);
/* The target of this number, NULL if there is none. */
extern TargetEntry *wf_level_target(const Query *query, int attno);

#endif
