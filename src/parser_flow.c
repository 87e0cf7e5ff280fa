/*
 * parser_flow.c -- follows the flow through a finished tree: GO TO must find
 * its label, no loop may run without a wait, every statement must be reached.
 *
 * Called by wf_parse() at its end.  Statements are nodes, numbered by their
 * ordinals; the node behind the last one is the end of the workflow.  Every
 * edge but that of a backward GO TO leads to a higher number.  All passes are
 * linear in the statements and branches.
 *
 * Memory: a context of its own, deleted at the end.  Errors as in parser.c.
 */
#include "postgres.h"

#include "compat.h"

#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "parser_private.h"

typedef struct Flow
{
	const char *body;
	int			n;						/* statements; n + 1 is the end */
	Statement **statements;				/* by ordinal */
	int		   *next;					/* where a statement falls through to */
	int		   *target;					/* of GO TO */
	HTAB	   *labels;					/* LabelEntry */
	List	   *goals;					/* of Statement */
} Flow;

typedef struct LabelEntry
{
	char		name[NAMEDATALEN];
	int			node;
} LabelEntry;

/*--------------------------------------------------------------------------
 * Nodes and labels
 *--------------------------------------------------------------------------*/

static void
add_labels(Flow *flow, List *labels, int node)
{
	ListCell   *lc;

	foreach(lc, labels)
	{
		Word	   *label = lfirst(lc);
		bool		found;
		LabelEntry *entry = hash_search(flow->labels, label->name, HASH_ENTER, &found);

		if (found)
			syntax_error(flow, label->location, errmsg("label \"%s\" is defined twice", label->name));
		entry->node = node;
	}
}

/* Enters a list of statements; "after" is the node behind it. */
static void
add_statements(Flow *flow, List *statements, List *end_labels, int after)
{
	ListCell   *lc;

	foreach(lc, statements)
	{
		Statement  *stmt = lfirst(lc);
		ListCell   *following = lnext(statements, lc);
		ListCell   *lb;

		flow->statements[stmt->ordinal] = stmt;
		flow->next[stmt->ordinal] = following == NULL ? after : ((Statement *) lfirst(following))->ordinal;
		add_labels(flow, stmt->labels, stmt->ordinal);
		if (stmt->kind == STMT_GOAL)
			flow->goals = lappend(flow->goals, stmt);
		foreach(lb, stmt->branches)
		{
			Branch	   *branch = lfirst(lb);

			add_statements(flow, branch->statements, branch->end_labels, flow->next[stmt->ordinal]);
		}
	}
	add_labels(flow, end_labels, after);
}

static void
unknown_label(Flow *flow, const Word *label)
{
	HASH_SEQ_STATUS status;
	LabelEntry *entry;
	List	   *names = NIL;
	const char *nearest;

	hash_seq_init(&status, flow->labels);
	while ((entry = hash_seq_search(&status)) != NULL)
		names = lappend(names, entry->name);
	nearest = wf_nearest_name(label->name, names);
	ereport(ERROR,
			errcode(ERRCODE_UNDEFINED_OBJECT),
			errmsg("label \"%s\" does not exist", label->name),
			nearest == NULL ? 0 : errhint("Did you mean \"%s\"?", nearest),
			wf_errposition(flow->body, label->location));
}

static void
resolve_labels(Flow *flow)
{
	for (int i = 1; i <= flow->n; i++)
	{
		Statement  *stmt = flow->statements[i];
		LabelEntry *entry;

		if (stmt->kind != STMT_GOTO)
			continue;
		entry = hash_search(flow->labels, stmt->name.name, HASH_FIND, NULL);
		if (entry == NULL)
			unknown_label(flow, &stmt->name);
		flow->target[i] = entry->node;
	}
}

static void
check_goal_names(Flow *flow)
{
	HTAB	   *names = wf_parser_names_create();
	ListCell   *lc;

	foreach(lc, flow->goals)
	{
		Word	   *name = &((Statement *) lfirst(lc))->name;

		if (!wf_parser_names_add(names, name->name))
			syntax_error(flow, name->location, errmsg("goal \"%s\" is defined twice", name->name));
	}
}

/*--------------------------------------------------------------------------
 * Edges
 *--------------------------------------------------------------------------*/

/* First node of a branch. */
static int
branch_node(const Flow *flow, int node, const Branch *branch)
{
	if (branch->statements == NIL)
		return flow->next[node];
	return ((Statement *) linitial(branch->statements))->ordinal;
}

/* The i-th branch, or what follows an IF without ELSE. */
static int
if_successor(const Flow *flow, int node, int i)
{
	List	   *branches = flow->statements[node]->branches;

	if (i < list_length(branches))
		return branch_node(flow, node, list_nth(branches, i));
	if (i == list_length(branches) && !FRAGMENT_ABSENT(((Branch *) llast(branches))->condition))
		return flow->next[node];
	return 0;
}

/* The i-th successor of a node, counted from 0; 0 = no more. */
static int
successor(const Flow *flow, int node, int i)
{
	Statement  *stmt;

	if (node > flow->n)
		return 0;
	stmt = flow->statements[node];
	switch (stmt->kind)
	{
		case STMT_EXIT:
			return 0;
		case STMT_IF:
			return if_successor(flow, node, i);
		case STMT_GOTO:
			if (i == 0)
				return flow->target[node];
			return i == 1 && stmt->at_most > 0 ? flow->next[node] : 0;
		default:
			return i == 0 ? flow->next[node] : 0;
	}
}

static bool
is_backward(const Flow *flow, int node)
{
	return flow->statements[node]->kind == STMT_GOTO && flow->target[node] <= node;
}

/* SEND .. INTO waits for its delivery. */
static bool
is_wait(const Statement *stmt)
{
	return stmt->kind == STMT_WAIT_FOR || stmt->kind == STMT_WAIT_CHANGE || stmt->kind == STMT_WAIT_UNTIL ||
		(stmt->kind == STMT_SEND && stmt->into != NIL);
}

/* As successor(), but no further than the next wait, and not back where AT
 * MOST bounds it. */
static int
unbounded_successor(const Flow *flow, int node, int i)
{
	if (node > flow->n || is_wait(flow->statements[node]))
		return 0;
	if (is_backward(flow, node) && flow->statements[node]->at_most > 0)
		return i == 0 ? flow->next[node] : 0;
	return successor(flow, node, i);
}

/*--------------------------------------------------------------------------
 * Loops without a wait
 *--------------------------------------------------------------------------*/

/* A cycle runs from path[from] to path[to] and back: its backward GO TO. */
static void
loop_without_wait(const Flow *flow, const int *path, int from, int to)
{
	for (int i = to; i >= from; i--)
	{
		Statement  *stmt = flow->statements[path[i]];

		if (!is_backward(flow, path[i]))
			continue;
		syntax_error(flow, stmt->location,
					 errmsg("loop without a wait: \"%s\"", stmt->name.name),
					 errhint("Put a WAIT into it, or bound it: GO TO %s AT MOST 3 TIMES.", stmt->name.name));
	}
	elog(ERROR, "cycle without a backward GO TO");
}

/*
 * Walks depth first from root along unbounded successors.  place[] holds 0 =
 * not seen, -1 = done, else 1 + the node's place in the current path.
 */
static void
find_loop(const Flow *flow, int root, int *place, int *path, int *edge)
{
	int			depth = 0;

	path[0] = root;
	edge[0] = 0;
	place[root] = 1;
	while (depth >= 0)
	{
		int			node = unbounded_successor(flow, path[depth], edge[depth]++);

		if (node == 0)
			place[path[depth--]] = -1;
		else if (place[node] > 0)
			loop_without_wait(flow, path, place[node] - 1, depth);
		else if (place[node] == 0)
		{
			path[++depth] = node;
			edge[depth] = 0;
			place[node] = depth + 1;
		}
	}
}

static void
check_loops(const Flow *flow)
{
	int		   *place = palloc0((flow->n + 2) * sizeof(int));
	int		   *path = palloc((flow->n + 2) * sizeof(int));
	int		   *edge = palloc((flow->n + 2) * sizeof(int));

	for (int i = 1; i <= flow->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (place[i] == 0)
			find_loop(flow, i, place, path, edge);
	}
}

/*--------------------------------------------------------------------------
 * Statements never reached
 *--------------------------------------------------------------------------*/

/* Marks what can be reached from root. */
static void
mark_reached(const Flow *flow, int root, bool *reached, int *stack)
{
	int			n = 0;

	if (reached[root])
		return;
	reached[root] = true;
	stack[n++] = root;
	while (n > 0)
	{
		int			node = stack[--n];
		int			to;

		for (int i = 0; (to = successor(flow, node, i)) != 0; i++)
		{
			if (reached[to])
				continue;
			reached[to] = true;
			stack[n++] = to;
		}
	}
}

/* A goal is reached from wherever an enrollment waits above it. */
static void
check_reached(const Flow *flow)
{
	bool	   *reached = palloc0((flow->n + 2) * sizeof(bool));
	int		   *stack = palloc((flow->n + 2) * sizeof(int));
	ListCell   *lc;

	mark_reached(flow, 1, reached, stack);
	foreach(lc, flow->goals)
		mark_reached(flow, ((Statement *) lfirst(lc))->ordinal, reached, stack);
	for (int i = 1; i <= flow->n; i++)
		if (!reached[i])
			syntax_error(flow, flow->statements[i]->location,
						 errmsg("statement is never reached"),
						 errhint("Nothing goes on past EXIT or GO TO: remove it, or lead to it by a label."));
}

void
wf_parser_check_flow(const char *body, Workflow *wf)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "workflow flow", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	HASHCTL		control = {.keysize = NAMEDATALEN,.entrysize = sizeof(LabelEntry),.hcxt = context};
	Flow		flow = {.body = body,.n = wf->nstatements};

	flow.statements = palloc0((flow.n + 2) * sizeof(Statement *));
	flow.next = palloc0((flow.n + 2) * sizeof(int));
	flow.target = palloc0((flow.n + 2) * sizeof(int));
	flow.labels = hash_create("workflow labels", 64, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	add_statements(&flow, wf->statements, wf->end_labels, flow.n + 1);
	resolve_labels(&flow);
	check_goal_names(&flow);
	check_loops(&flow);
	check_reached(&flow);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
