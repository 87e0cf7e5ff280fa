/*
 * align.h -- which statement of one version is which of another.
 */
#ifndef WF_ALIGN_H
#define WF_ALIGN_H

#include "ast.h"

/* One version, its statements by ordinal (from 1; 0 is unused). */
typedef struct Side
{
	const char *body;
	Workflow   *tree;
	int			n;
	Statement **statement;
	int		   *parent;					/* ordinal of the IF around it; 0 = none */
	int		   *branch;					/* of that IF, from 0 */
	int		   *next;					/* what follows in the flow: in its list, else behind the IF; 0 = the end */
} Side;

typedef struct Alignment
{
	const Side *from;
	const Side *to;
	int		   *target;					/* by ordinal of "from": ordinal of "to"; 0 = gone */
	int		   *source;					/* the other way round */
} Alignment;

/* Parses a body; ERROR if it is none (any more). */
extern Side *wf_side(const char *body);

extern Alignment *wf_align(const Side *from, const Side *to);

/* The first statement after a gone one, in the flow of the old version, that
 * the new one has: its ordinal there; 0 = none before the end. */
extern int	wf_align_next(const Alignment *alignment, int ordinal);

/* The one new statement of its kind that stands where a gone one stood; 0 =
 * none, or several.  A guess, fit for a hint only. */
extern int	wf_align_likely(const Alignment *alignment, int ordinal);

/* The statement a label names; 0 = none. */
extern int	wf_side_label(const Side *side, const char *label);

#endif
