/*
 * crossing.h -- from one version of a workflow to another: where each
 * enrollment comes to stand, and what it takes along.
 */
#ifndef WF_CROSSING_H
#define WF_CROSSING_H

#include "align.h"
#include "analyze.h"
#include "commands.h"
#include "enrollment.h"

typedef enum
{
	CROSSING_STAYS,						/* on the same statement */
	CROSSING_MOVES,						/* the map sends it to another one */
	CROSSING_ORPHAN,					/* its statement is gone: held, on its old version */
	CROSSING_ENDS
} CrossingOutcome;

typedef struct Verdict
{
	CrossingOutcome outcome;
	const char *reason;					/* of an orphan or an end; else NULL */
	int			statement;				/* in the new version; 0 = its beginning */
	bool		afresh;					/* the statement is run: a wait begins; else it stands as before */
} Verdict;

/* What the map says of one old statement. */
typedef enum
{
	MAP_SILENT,
	MAP_STATEMENT,
	MAP_NEXT,
	MAP_END,
	MAP_ORPHAN
} MapWord;

typedef struct MapEntry
{
	MapWord		word;
	int			statement;				/* MAP_STATEMENT */
} MapEntry;

typedef struct Crossing
{
	const WorkflowRow *row;
	int			from;					/* versions */
	int			to;
	Alignment  *alignment;
	MapEntry   *entries;				/* by old ordinal; 0: of all that are gone */
	List	   *used;					/* of char *: keys of the map this version knows */
	int			nvars;					/* of the new version */
	int		   *old_var;				/* its place in the old one; -1 = none */
	bool	   *retyped;				/* declared with another type */
	Variable   *vars;					/* of the new version; NULL until asked for */
	char	   *path;					/* of the new version */
} Crossing;

/*
 * map: {"label or line of the old version": "label or line of the new one",
 * "next", "end" or null}, NULL = none; the key "*" is for all that are gone.
 * ERROR if a version can't be parsed or a value names nothing.
 */
extern Crossing *wf_crossing(const WorkflowRow *row, int from, int to, Jsonb *map);

/* Evaluates nothing but input functions of types, as the owner. */
extern Verdict wf_crossing_decide(Crossing *crossing, const Enrollment *e);

/* Puts an enrollment that stays or moves on the new version, in memory. */
extern void wf_crossing_apply(const Crossing *crossing, const Verdict *verdict, Enrollment *e);

extern const char *wf_crossing_word(CrossingOutcome outcome);

#endif
