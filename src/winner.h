/*
 * winner.h -- which arm of a SPLIT has won: rules, tests, decisions.
 */
#ifndef WF_WINNER_H
#define WF_WINNER_H

#include "datatype/timestamp.h"

/* A generation of a split, as its row of automation.split has it. */
typedef struct SplitTest
{
	int			workflow;
	const char *split;
	int			generation;
	int			version;				/* of the workflow, that asks */
	int			narms;
	char	  **arms;
	const int64 *people;				/* by arm: divided so far; NULL = not known */
} SplitTest;

/* A row of automation.split_rule. */
typedef struct SplitRule
{
	char	   *goal;
	Interval   *after;
	int			at_least;
	double		confidence;
} SplitRule;

/* NULL if the split has none. */
extern SplitRule *wf_split_rule_load(int workflow, const char *split);
/* Writes the rule in the place of what there is. */
extern void wf_split_rule_save(int workflow, const char *split, const SplitRule *rule);

/* One decides at a time about the splits of a workflow, to the end of the
 * transaction; false: somebody else does (not with wait). */
extern bool wf_winner_lock(int workflow, bool wait);

/* Of the last decision; NULL if there is none. */
extern char *wf_winner_known(const SplitTest *test);
/* Decides by the rule if the time has come; NULL if not.  The lock is held. */
extern char *wf_winner_decide(const SplitTest *test, const SplitRule *rule, TimestampTz now);
/* Records a decision by hand.  The lock is held. */
extern void wf_winner_name(const SplitTest *test, const char *winner, TimestampTz now);

/*
 * In the executor: the winner that is known or can be decided now; NULL if there
 * is none yet.  Looks at most every automation.recheck_interval whether it can.
 */
extern char *wf_winner_due(const SplitTest *test, TimestampTz now);
/* After a rollback: looks again, unless looking is what failed. */
extern void wf_winner_forget(void);

#endif
