/*
 * rule.h -- rows of automation.rule in memory.
 *
 * conditions is a jsonb array; each element
 *   {"row": "old"|"new", "column": name, "op": op, "values": [text|null, ...]}
 * op: "from" and "to" (IS NOT DISTINCT FROM), "=", "<", "<=", ">", ">=", "<>",
 * "in", "is null", "is not null", "is true" ("values" holds the constants as
 * output text, read back by the column type's input function).  Those of a rule
 * of kind T are over "new", and say what a row that matters meets: a change counts if
 * all of them hold for the old row or all of them for the new one.
 *
 * path is a jsonb array, see automation.rule: [{"column": name}, {"table": source,
 * "match": name, "column": name}, ...]: from the column of the changed row to the rows
 * of the table whose column "match" equals it, to their "column", and so on; the
 * last one's table and column make the tie.  [{"column": name}] is the column
 * itself, hashed by the executor; [] is left to the program.
 */
#ifndef WF_RULE_H
#define WF_RULE_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/snapshot.h"

typedef enum
{
	RULE_OP_FROM, RULE_OP_TO, RULE_OP_EQ, RULE_OP_LT, RULE_OP_LE, RULE_OP_GT, RULE_OP_GE,
	RULE_OP_NE, RULE_OP_IN, RULE_OP_NULL, RULE_OP_NOTNULL, RULE_OP_TRUE
} RuleOp;

/* kinds */
#define RULE_AFTER	'A'					/* AFTER clause */
#define RULE_AT		'D'					/* AT clause: its moment is to be computed anew */
#define RULE_WAKE	'W'					/* rows that enrollments hold: deleted, or a column of theirs that counts has changed */
#define RULE_TABLE	'T'					/* another table that a condition reads */
#define RULE_CHANGE 'C'					/* WAIT FOR a change */

typedef struct RuleCondition
{
	bool		on_old;
	char	   *column;
	RuleOp		op;
	int			nvalues;
	char	  **values;					/* NULL entry = SQL NULL */
} RuleCondition;

typedef struct Rule
{
	int			id;
	int			workflow;
	int			version;
	char		kind;
	int			clause;					/* of the clause, the dependency (T) or the statement (C); 0 (W) */
	int			source;
	int			owner;
	bool		armed;
	int			operations;
	bool		any_column;
	List	   *columns;				/* of char * */
	List	   *conditions;				/* of RuleCondition */
	List	   *reads_old;
	List	   *reads_new;
	List	   *image_old;
	List	   *image_new;
	bool		residual;
	List	   *ties;					/* of char *: columns */
	Jsonb	   *path;					/* NULL: capture makes the ties */
} Rule;

/* Is it about enrollments that exist, not about new ones? */
static inline bool
wf_rule_kind_wakes(char kind)
{
	return kind == RULE_WAKE || kind == RULE_TABLE || kind == RULE_CHANGE;
}

static inline bool
wf_rule_wakes(const Rule *rule)
{
	return wf_rule_kind_wakes(rule->kind);
}

/* Rules of a source, armed ones only; in the current context. */
extern List *wf_rules_of_source(int source, Snapshot snapshot);
/* One rule, armed or not; NULL if it is gone. */
extern Rule *wf_rule_load(int id);

/* Is there an armed rule of kind T of the version that sees what these ask for?
 * tie or path; columns of char *. */
extern bool wf_rules_watch(int source, int workflow, int version, List *columns, Jsonb *conditions,
						   const char *tie, Jsonb *path);

struct CheckedRule;
/* Writes rules of a version (armed) and disarms those of the other versions'
 * AFTER clauses; wake rules of versions that have enrollments stay armed. */
extern void wf_rules_store(int workflow, int version, int owner, List *checked);
/* Writes rules of a version (armed), and nothing else. */
extern void wf_rules_add(int workflow, int version, int owner, List *checked);
extern void wf_rules_disarm(int workflow, bool wake_too);

/* automation.capture(), the trigger function; ERROR if it is missing. */
extern Oid	wf_capture_function(void);
/* Creates, rebuilds or drops the capture triggers of a watched table after
 * its armed rules, and invalidates every session's cached rules of it.
 * Takes ShareRowExclusiveLock on it with the session's lock_timeout. */
extern void wf_rules_arm(Oid relation);

#endif
