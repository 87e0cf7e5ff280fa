/*
 * analyze_internal.h -- what the files of the analysis share with each other.
 */
#ifndef WF_ANALYZE_INTERNAL_H
#define WF_ANALYZE_INTERNAL_H

#include "analyze.h"

/*
 * Error context of one fragment: turns a position in its text into one in the
 * body; one without a position has the fragment's start.  The texts must
 * outlive it.
 */
typedef struct FragmentContext
{
	ErrorContextCallback callback;
	const char *text;
	const char *body;
	int			start;				/* of the text in the body, bytes */
} FragmentContext;
extern void wf_fragment_context_enter(FragmentContext *context, const char *text, const char *body, int start);
extern void wf_fragment_context_leave(FragmentContext *context);

/* Sets parser hooks only (analyze_names.c); true if they are ours. */
extern void wf_names_setup(ParseState *pstate, const Scope *scope);
extern bool wf_names_present(const ParseState *pstate);

/* Replaces now() and kin by parameters, in place (analyze_clock.c). */
extern void wf_clock_rewrite(Query *query);

/* Is the function in schema automation; is it the one of this name there? */
extern bool wf_is_own(Oid function);
extern bool wf_is_own_function(Oid function, const char *name);

#endif
