/*
 * crossing.c -- from one version of a workflow to another: where each
 * enrollment comes to stand, and what it takes along.
 *
 * Called by migrate.c, in a session that only counts and in the executor that
 * does it: both ask the same question, so they get the same answer.  Results
 * are palloc'd in the current context; a Crossing lives as long as that.
 *
 * Nobody is ever put anywhere by a guess.  Whose statement the new version has
 * stays on it; whose statement is gone is an orphan, unless the map says where
 * he goes.  What was passed is not run again, what was added above is not run.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "compat.h"
#include "crossing.h"
#include "enginesql.h"
#include "jump.h"
#include "owner.h"
#include "signature.h"
#include "stored.h"

static const char *const outcome_words[] =
{
	[CROSSING_STAYS] = "stays",
	[CROSSING_MOVES] = "moves",
	[CROSSING_ORPHAN] = "orphan",
	[CROSSING_ENDS] = "ends"
};

const char *
wf_crossing_word(CrossingOutcome outcome)
{
	return outcome_words[outcome];
}

/* ----------------------------------------------------------------
 * The map
 * ----------------------------------------------------------------
 */

/* The statement that a line means: the n-th that begins there, or the only
 * one; 0 = none. */
static int
statement_of_line(const Side *side, const char *word, int version)
{
	char	   *rest;
	long		line = strtol(word, &rest, 10);
	long		n = *rest == '.' ? strtol(rest + 1, &rest, 10) : 0;
	int			found = 0;
	int			count = 0;

	if (rest == word || *rest != '\0' || !isdigit((unsigned char) *word))
		return 0;
	for (int i = 1; i <= side->n; i++)
		if (side->statement[i]->line == line && (++count == n || (n == 0 && found == 0)))
			found = i;
	if (n == 0 && count > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("line %ld of version %d has %d statements", line, version, count),
				 errhint("Write %ld.1 for the first of them, %ld.2 for the second.", line, line)));
	return found;
}

static int
statement_of_word(const Side *side, const char *word, int version)
{
	int			ordinal = wf_side_label(side, word);

	return ordinal != 0 ? ordinal : statement_of_line(side, word, version);
}

static char *
text_of(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return numeric_normalize(value->val.numeric);
		default:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a value of the map is neither text, number nor null")));
	}
	return NULL;
}

static MapEntry
entry_of_value(const Crossing *crossing, const JsonbValue *value)
{
	MapEntry	entry = {MAP_ORPHAN, 0};
	char	   *word;

	if (value->type == jbvNull)
		return entry;
	word = text_of(value);
	entry.word = MAP_STATEMENT;
	entry.statement = statement_of_word(crossing->alignment->to, word, crossing->to);
	if (entry.statement != 0)
		return entry;
	if (strcmp(word, "next") == 0)
		entry.word = MAP_NEXT;
	else if (strcmp(word, "end") == 0)
		entry.word = MAP_END;
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("version %d has no label \"%s\", nor a statement in that line", crossing->to, word),
				 errhint("A value is a label or line of the new version, next, end, or null.")));
	return entry;
}

static void
read_map(Crossing *crossing, Jsonb *map)
{
	const Side *from = crossing->alignment->from;
	JsonbIterator *it;
	JsonbValue	value;
	JsonbIteratorToken token;
	char	   *key = NULL;

	crossing->entries = palloc0(sizeof(MapEntry) * (from->n + 1));
	if (map == NULL)
		return;
	it = JsonbIteratorInit(&map->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			key = pnstrdup(value.val.string.val, value.val.string.len);
		else if (token == WJB_VALUE)
		{
			MapEntry	entry = entry_of_value(crossing, &value);
			int			ordinal = strcmp(key, "*") == 0 ? 0 : statement_of_word(from, key, crossing->from);

			if (ordinal == 0 && strcmp(key, "*") != 0)
				continue;
			crossing->entries[ordinal] = entry;
			crossing->used = lappend(crossing->used, key);
		}
	}
}

/* ----------------------------------------------------------------
 * Variables
 * ----------------------------------------------------------------
 */

/* Text of a type as declared, white space folded. */
static char *
type_text(const Side *side, const Declaration *declaration)
{
	char	   *text = pnstrdup(side->body + declaration->type.start, declaration->type.end - declaration->type.start);
	char	   *to = text;

	for (const char *from = text; *from; from++)
		if (!isspace((unsigned char) *from))
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	*to = '\0';
	return text;
}

/* By name. */
static void
match_variables(Crossing *crossing)
{
	const Side *from = crossing->alignment->from;
	const Side *to = crossing->alignment->to;
	ListCell   *new;
	int			i = 0;

	crossing->nvars = list_length(to->tree->declarations);
	crossing->old_var = palloc(sizeof(int) * Max(crossing->nvars, 1));
	crossing->retyped = palloc0(sizeof(bool) * Max(crossing->nvars, 1));
	foreach(new, to->tree->declarations)
	{
		const Declaration *mine = lfirst(new);
		ListCell   *old;
		int			j = 0;

		crossing->old_var[i] = -1;
		foreach(old, from->tree->declarations)
		{
			const Declaration *theirs = lfirst(old);

			if (strcmp(mine->name.name, theirs->name.name) == 0)
			{
				crossing->old_var[i] = j;
				crossing->retyped[i] = strcmp(type_text(to, mine), type_text(from, theirs)) != 0;
			}
			j++;
		}
		i++;
	}
}

/* As the owner, with the workflow's path. */
static void
read_value(Crossing *crossing, int var, const char *text)
{
	Signature  *sig = wf_signature_load(crossing->row->routine);
	const Side *to = crossing->alignment->to;
	UserScope	scope;
	int			n;

	if (sig == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("the function of workflow %s is gone", crossing->row->signature)));
	wf_owner_enter(&scope, wf_owner_role(crossing->row->owner), crossing->path, sig->config);
	if (crossing->vars == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(crossing));

		crossing->vars = wf_analyze_declarations(to->tree, to->body, sig, &n);
		MemoryContextSwitchTo(old);
	}
	(void) wf_stored_in(text, crossing->vars[var].type, crossing->vars[var].typmod);
	wf_owner_leave(&scope);
}

/* Can the new type read the old value? */
static bool
value_fits(Crossing *crossing, int var, const char *text)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool fits = true;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		read_value(crossing, var, text);
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		int			code = geterrcode();

		if (code == ERRCODE_QUERY_CANCELED || code == ERRCODE_ADMIN_SHUTDOWN ||
			ERRCODE_TO_CATEGORY(code) == ERRCODE_INSUFFICIENT_RESOURCES)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		fits = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return fits;
}

static bool
values_fit(Crossing *crossing, const Enrollment *e)
{
	for (int i = 0; i < crossing->nvars; i++)
	{
		int			j = crossing->old_var[i];

		if (j >= 0 && j < e->nvars && crossing->retyped[i] && e->vars[j] != NULL &&
			!value_fits(crossing, i, e->vars[j]))
			return false;
	}
	return true;
}

/* Its variables in the order of the new version; new ones get their initial
 * value when it goes on. */
static void
carry_variables(const Crossing *crossing, Enrollment *e)
{
	List	   *fresh = NIL;
	char	  **vars;

	if (e->vars == NULL)
		return;							/* it has not begun */
	vars = palloc0(sizeof(char *) * Max(crossing->nvars, 1));
	for (int i = 0; i < crossing->nvars; i++)
	{
		int			j = crossing->old_var[i];

		if (j >= 0 && j < e->nvars)
		{
			vars[i] = e->vars[j];
			if (list_member_int(e->fresh, j))
				fresh = lappend_int(fresh, i);
		}
		else
			fresh = lappend_int(fresh, i);
	}
	e->fresh = fresh;
	e->vars = vars;
	e->nvars = crossing->nvars;
}

/* ----------------------------------------------------------------
 * Crossing
 * ----------------------------------------------------------------
 */

/* Source and path of a version. */
static List *
version_texts(const WorkflowRow *row, int version)
{
	List	   *texts = wf_engine_texts("SELECT pg_catalog.unnest(ARRAY[source, path]) FROM automation.workflow_version"
										" WHERE workflow = $1 AND version = $2", "ii", row->id, version);

	if (list_length(texts) != 2)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("workflow %s has no version %d", row->signature, version)));
	return texts;
}

Crossing *
wf_crossing(const WorkflowRow *row, int from, int to, Jsonb *map)
{
	Crossing   *crossing = palloc0(sizeof(Crossing));
	List	   *new = version_texts(row, to);

	crossing->row = row;
	crossing->from = from;
	crossing->to = to;
	crossing->path = lsecond(new);
	crossing->alignment = wf_align(wf_side(linitial(version_texts(row, from))), wf_side(linitial(new)));
	read_map(crossing, map);
	match_variables(crossing);
	return crossing;
}

static Verdict
verdict(CrossingOutcome outcome, const char *reason, int statement, bool afresh)
{
	Verdict		result = {outcome, reason, statement, afresh};

	return result;
}

static bool
can_wait(const Statement *stmt)
{
	switch (stmt->kind)
	{
		case STMT_WAIT_FOR:
		case STMT_WAIT_CHANGE:
		case STMT_WAIT_UNTIL:
		case STMT_GOAL:
		case STMT_SEND:
			return true;
		default:
			return false;
	}
}

/* As the map says. */
static Verdict
follow(const Crossing *crossing, MapEntry entry, const Statement *stmt)
{
	int			next;

	switch (entry.word)
	{
		case MAP_STATEMENT:
			return verdict(CROSSING_MOVES, NULL, entry.statement,
						   stmt->kind != crossing->alignment->to->statement[entry.statement]->kind || !can_wait(stmt));
		case MAP_NEXT:
			next = wf_align_next(crossing->alignment, stmt->ordinal);
			if (next != 0)
				return verdict(CROSSING_MOVES, NULL, next, true);
			return verdict(CROSSING_ENDS, "completed", 0, false);
		case MAP_END:
			return verdict(CROSSING_ENDS, "step_removed", 0, false);
		default:
			return verdict(CROSSING_ORPHAN, "orphan", 0, false);
	}
}

/* Where the statement it stands on is now. */
static Verdict
place(const Crossing *crossing, int ordinal)
{
	const Alignment *a = crossing->alignment;
	const Statement *stmt = a->from->statement[ordinal];
	int			target = a->target[ordinal];
	MapEntry	entry = crossing->entries[ordinal];
	bool		same = target != 0 && a->to->statement[target]->kind == stmt->kind;

	if (entry.word == MAP_SILENT && !same)
		entry = crossing->entries[0];
	if (entry.word == MAP_SILENT && !same)
		return verdict(CROSSING_ORPHAN, "orphan", 0, false);
	if (entry.word == MAP_SILENT || (entry.word == MAP_STATEMENT && same && entry.statement == target))
		return verdict(CROSSING_STAYS, NULL, target, false);
	return follow(crossing, entry, stmt);
}

Verdict
wf_crossing_decide(Crossing *crossing, const Enrollment *e)
{
	Verdict		result = verdict(CROSSING_STAYS, NULL, 0, false);

	if (e->statement < 0 || e->statement > crossing->alignment->from->n)
		return verdict(CROSSING_ORPHAN, "orphan", 0, false);
	if (e->statement > 0)
		result = place(crossing, e->statement);
	if (result.outcome != CROSSING_ORPHAN && result.outcome != CROSSING_ENDS && !values_fit(crossing, e))
		return verdict(CROSSING_ORPHAN, "variable", 0, false);
	return result;
}

/* Who has waited goes on waiting: for the rest of the new version's time. */
static void
carry_wait(Enrollment *e, bool afresh)
{
	if (!afresh && (e->waiting == WAITING_NONE || e->waiting == WAITING_BEGIN))
		return;
	if (!afresh)
	{
		if (e->started == 0)
			e->started = e->since;
		e->taken_over = true;
		return;
	}
	if (e->state == STATE_RETRYING)
		e->state = STATE_WAITING;		/* what met the error is not where it goes on */
	e->waiting = WAITING_BEGIN;
	e->deadline = e->moment = e->began = e->started = e->pending = e->too_late = 0;
	e->taken_over = e->swept = false;
	e->ties = NIL;
	e->waits_for = NULL;
	e->delivery = 0;					/* what is sent is sent */
	if (e->state != STATE_WAITING)
		return;
	e->reason = NULL;
	e->error = NULL;
	e->attempt = 0;
	e->wake_at = 0;
}

void
wf_crossing_apply(const Crossing *crossing, const Verdict *to, Enrollment *e)
{
	wf_jump_renumber(&e->jumps, crossing->alignment->from->n, crossing->alignment->target);
	carry_variables(crossing, e);
	carry_wait(e, to->afresh);
	e->version = crossing->to;
	e->statement = to->statement;
}
