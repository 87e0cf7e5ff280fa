/*
 * align.c -- which statement of one version is which of another.
 *
 * Called by crossing.c.  Touches nothing but memory; results are palloc'd in
 * the current context.
 *
 * A statement is known by its label, wherever that stands in the other version;
 * without one, by its text, without comments and white space.  Texts repeat
 * ("WAIT FOR '3 days'"), so they are matched by a longest common subsequence
 * over both versions, nested statements included, which keeps the order; of
 * several longest ones it takes the one with the most neighbours that stay
 * neighbours, then the earliest.  What remains and has a text that is unique on
 * both sides was moved.  A statement without label never goes from one branch
 * of an IF to another of the same IF.
 *
 * GO TO is known by where it leads and GOAL by its name, so their counters and
 * outcomes survive another limit or condition.  An IF is known by its
 * conditions.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "align.h"
#include "parser.h"
#include "scanner.h"

/* Cells of the table of subsequences: 8 bytes each.  Above that only labels and
 * unique texts count. */
#define CELLS_MAX (4 * 1024 * 1024)
#define IMPOSSIBLE (-1000000000)

/* A text or label of one statement, to be given a number. */
typedef struct Key
{
	const char *text;
	int			side;					/* 0 from, 1 to */
	int			ordinal;
	int			number;					/* equal texts have equal ones */
} Key;

/* ----------------------------------------------------------------
 * One version
 * ----------------------------------------------------------------
 */

static void
add_statements(Side *side, List *statements, int parent, int branch, int after)
{
	ListCell   *lc;

	check_stack_depth();
	foreach(lc, statements)
	{
		Statement  *stmt = lfirst(lc);
		ListCell   *next = lnext(statements, lc);
		ListCell   *lb;
		int			n = 0;

		side->statement[stmt->ordinal] = stmt;
		side->parent[stmt->ordinal] = parent;
		side->branch[stmt->ordinal] = branch;
		side->next[stmt->ordinal] = next ? ((Statement *) lfirst(next))->ordinal : after;
		foreach(lb, stmt->branches)
			add_statements(side, ((Branch *) lfirst(lb))->statements, stmt->ordinal, n++, side->next[stmt->ordinal]);
	}
}

Side *
wf_side(const char *body)
{
	Side	   *side = palloc0(sizeof(Side));

	side->body = body;
	side->tree = wf_parse(body);
	side->n = side->tree->nstatements;
	side->statement = palloc0(sizeof(Statement *) * (side->n + 1));
	side->parent = palloc0(sizeof(int) * (side->n + 1));
	side->branch = palloc0(sizeof(int) * (side->n + 1));
	side->next = palloc0(sizeof(int) * (side->n + 1));
	add_statements(side, side->tree->statements, 0, 0, 0);
	return side;
}

int
wf_side_label(const Side *side, const char *label)
{
	for (int i = 1; i <= side->n; i++)
	{
		ListCell   *lc;

		foreach(lc, side->statement[i]->labels)
			if (strcmp(((Word *) lfirst(lc))->name, label) == 0)
				return i;
	}
	return 0;
}

/* ----------------------------------------------------------------
 * Keys
 * ----------------------------------------------------------------
 */

/* Tokens of a whole body. */
static Token *
tokens_of(const char *body, int *n)
{
	Scanner		scanner;
	Token	   *tokens = palloc(sizeof(Token) * 256);
	int			allocated = 256;

	*n = 0;
	wf_scanner_begin(&scanner, body);
	for (;;)
	{
		Token		token = wf_scanner_next(&scanner);

		if (token.code == TOKEN_END)
			break;
		if (*n == allocated)
		{
			allocated *= 2;
			tokens = repalloc_huge(tokens, sizeof(Token) * allocated);
		}
		tokens[(*n)++] = token;
	}
	wf_scanner_end(&scanner);
	return tokens;
}

/* Index of the first token at or behind a position. */
static int
token_at(const Token *tokens, int n, int position)
{
	int			low = 0;
	int			high = n;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (tokens[middle].start < position)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The tokens of a piece of the body, as written, a space between them. */
static void
append_piece(StringInfo text, const char *body, const Token *tokens, int n, int start, int end)
{
	for (int i = token_at(tokens, n, start); i < n && tokens[i].start < end; i++)
	{
		appendStringInfoChar(text, ' ');
		appendBinaryStringInfo(text, body + tokens[i].start, tokens[i].end - tokens[i].start);
	}
}

/* What a statement without label is known by. */
static char *
text_key(const Side *side, const Statement *stmt, const Token *tokens, int n)
{
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	appendStringInfo(&text, "%d", (int) stmt->kind);
	switch (stmt->kind)
	{
		case STMT_GOTO:
		case STMT_GOAL:
			appendStringInfo(&text, " %s", stmt->name.name);
			break;
		case STMT_IF:
			foreach(lc, stmt->branches)
			{
				Fragment	condition = ((Branch *) lfirst(lc))->condition;

				appendStringInfoString(&text, " |");
				if (!FRAGMENT_ABSENT(condition))
					append_piece(&text, side->body, tokens, n, condition.start, condition.end);
			}
			break;
		default:
			append_piece(&text, side->body, tokens, n, stmt->location, stmt->end);
	}
	return text.data;
}

static List *
add_key(List *keys, const char *text, int side, int ordinal)
{
	Key		   *key = palloc(sizeof(Key));

	key->text = text;
	key->side = side;
	key->ordinal = ordinal;
	key->number = 0;
	return lappend(keys, key);
}

static int
compare_keys(const ListCell *a, const ListCell *b)
{
	const Key  *left = lfirst(a);
	const Key  *right = lfirst(b);
	int			result = strcmp(left->text, right->text);

	if (result == 0)
		result = left->side - right->side;
	return result != 0 ? result : left->ordinal - right->ordinal;
}

/* Sorts keys and numbers them; returns how many different ones there are. */
static int
number_keys(List *keys)
{
	const Key  *last = NULL;
	int			number = 0;
	ListCell   *lc;

	list_sort(keys, compare_keys);
	foreach(lc, keys)
	{
		Key		   *key = lfirst(lc);

		if (last != NULL && strcmp(last->text, key->text) != 0)
			number++;
		key->number = number;
		last = key;
	}
	return keys == NIL ? 0 : number + 1;
}

static List *
label_keys(List *keys, const Side *side, int which)
{
	for (int i = 1; i <= side->n; i++)
	{
		ListCell   *lc;

		foreach(lc, side->statement[i]->labels)
			keys = add_key(keys, ((Word *) lfirst(lc))->name, which, i);
	}
	return keys;
}

static List *
text_keys(List *keys, const Side *side, int which)
{
	int			n;
	Token	   *tokens = tokens_of(side->body, &n);

	for (int i = 1; i <= side->n; i++)
		keys = add_key(keys, text_key(side, side->statement[i], tokens, n), which, i);
	return keys;
}

/* ----------------------------------------------------------------
 * Matching
 * ----------------------------------------------------------------
 */

static void
pair(Alignment *a, int from, int to)
{
	a->target[from] = to;
	a->source[to] = from;
}

/* The same label: the same statement, whatever became of it. */
static void
pair_labels(Alignment *a)
{
	List	   *keys = label_keys(label_keys(NIL, a->from, 0), a->to, 1);
	const Key  *last = NULL;
	ListCell   *lc;

	(void) number_keys(keys);
	foreach(lc, keys)
	{
		const Key  *key = lfirst(lc);

		if (last != NULL && last->number == key->number && last->side == 0 && key->side == 1 &&
			a->target[last->ordinal] == 0 && a->source[key->ordinal] == 0)
			pair(a, last->ordinal, key->ordinal);
		last = key;
	}
}

/* Texts as numbers, by ordinal. */
static int
number_texts(const Alignment *a, int *from, int *to)
{
	List	   *keys = text_keys(text_keys(NIL, a->from, 0), a->to, 1);
	int			n = number_keys(keys);
	ListCell   *lc;

	foreach(lc, keys)
	{
		const Key  *key = lfirst(lc);

		(key->side == 0 ? from : to)[key->ordinal] = key->number;
	}
	return n;
}

/* May these two be the same?  Labels have decided already for theirs. */
static bool
may_pair(const Alignment *a, const int *from, const int *to, int i, int j)
{
	if (a->target[i] != 0 || a->source[j] != 0)
		return a->target[i] == j;
	return from[i] == to[j];
}

/*
 * The best value of pairs among the first i and the first j statements, and of
 * those in which i and j are a pair.  A pair counts m + n, two pairs of
 * neighbours one more.
 */
typedef struct Cell
{
	int			best;
	int			paired;
} Cell;

static Cell *
fill_table(const Alignment *a, const int *from, const int *to)
{
	int			width = a->to->n + 1;
	Cell	   *cells = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Cell) * (a->from->n + 1) * width);
	int			weight = a->from->n + a->to->n;

	for (int i = 0; i <= a->from->n; i++)
		for (int j = 0; j <= a->to->n; j++)
		{
			Cell	   *cell = &cells[i * width + j];

			cell->best = 0;
			cell->paired = IMPOSSIBLE;
			if (i == 0 || j == 0)
				continue;
			if (may_pair(a, from, to, i, j))
				cell->paired = weight + Max(cell[-width - 1].best, cell[-width - 1].paired + 1);
			cell->best = Max(cell->paired, Max(cell[-width].best, cell[-1].best));
		}
	return cells;
}

/* Pairs along a longest common subsequence. */
static void
pair_in_order(Alignment *a, const int *from, const int *to)
{
	int			width = a->to->n + 1;
	Cell	   *cells = fill_table(a, from, to);
	int			i = a->from->n;
	int			j = a->to->n;
	bool		here = false;			/* i and j are a pair */

	while (i > 0 && j > 0)
	{
		Cell	   *cell = &cells[i * width + j];

		if (!here && cell[-width].best == cell->best)
			i--;
		else if (!here && cell[-1].best == cell->best)
			j--;
		else
		{
			here = cell[-width - 1].paired + 1 >= cell[-width - 1].best;
			pair(a, i--, j--);
		}
	}
	pfree(cells);
}

/* What was moved: a text that nobody else on either side has. */
static void
pair_moved(Alignment *a, const int *from, const int *to, int ntexts)
{
	int		   *place = palloc0(sizeof(int) * ntexts);	/* in "from"; -1 = several */

	for (int i = 1; i <= a->from->n; i++)
		place[from[i]] = place[from[i]] == 0 ? i : -1;
	for (int j = 1; j <= a->to->n; j++)
	{
		int			i = place[to[j]];

		if (i <= 0 || a->target[i] != 0 || a->source[j] != 0)
			continue;
		for (int k = 1; i > 0 && k <= a->to->n; k++)
			if (k != j && to[k] == to[j])
				i = 0;
		if (i > 0)
			pair(a, i, j);
	}
}

/* Do two statements stand in different branches of what is one IF? */
static bool
changed_branch(const Alignment *a, int i, int j)
{
	for (; a->from->parent[i] != 0; i = a->from->parent[i])
	{
		int			other = a->target[a->from->parent[i]];
		int			k;

		if (other == 0)
			continue;
		for (k = j; k != 0 && a->to->parent[k] != other; k = a->to->parent[k])
			;
		if (k != 0 && a->to->branch[k] != a->from->branch[i])
			return true;
	}
	return false;
}

static bool
have_common_label(const Statement *left, const Statement *right)
{
	ListCell   *a;
	ListCell   *b;

	foreach(a, left->labels)
		foreach(b, right->labels)
			if (strcmp(((Word *) lfirst(a))->name, ((Word *) lfirst(b))->name) == 0)
				return true;
	return false;
}

static void
part_what_changed_branch(Alignment *a)
{
	for (int i = 1; i <= a->from->n; i++)
	{
		int			j = a->target[i];

		if (j == 0 || have_common_label(a->from->statement[i], a->to->statement[j]) || !changed_branch(a, i, j))
			continue;
		a->target[i] = 0;
		a->source[j] = 0;
	}
}

Alignment *
wf_align(const Side *from, const Side *to)
{
	Alignment  *a = palloc0(sizeof(Alignment));
	int		   *from_text = palloc0(sizeof(int) * (from->n + 1));
	int		   *to_text = palloc0(sizeof(int) * (to->n + 1));
	int			ntexts;

	a->from = from;
	a->to = to;
	a->target = palloc0(sizeof(int) * (from->n + 1));
	a->source = palloc0(sizeof(int) * (to->n + 1));
	pair_labels(a);
	ntexts = number_texts(a, from_text, to_text);
	if ((int64) (from->n + 1) * (to->n + 1) <= CELLS_MAX)
		pair_in_order(a, from_text, to_text);
	pair_moved(a, from_text, to_text, ntexts);
	part_what_changed_branch(a);
	return a;
}

/* ----------------------------------------------------------------
 * What is gone
 * ----------------------------------------------------------------
 */

int
wf_align_next(const Alignment *a, int ordinal)
{
	for (int i = a->from->next[ordinal]; i != 0; i = a->from->next[i])
		if (a->target[i] != 0)
			return a->target[i];
	return 0;
}

int
wf_align_likely(const Alignment *a, int ordinal)
{
	const Side *from = a->from;
	StatementKind kind = from->statement[ordinal]->kind;
	int			first = ordinal - 1;
	int			last = ordinal + 1;
	int			found = 0;

	for (; first > 0 && a->target[first] == 0; first--)
		if (from->statement[first]->kind == kind)
			return 0;
	for (; last <= from->n && a->target[last] == 0; last++)
		if (from->statement[last]->kind == kind)
			return 0;
	first = first > 0 ? a->target[first] : 0;
	last = last <= from->n ? a->target[last] : a->to->n + 1;
	for (int j = first + 1; j < last; j++)
	{
		if (a->source[j] != 0 || a->to->statement[j]->kind != kind)
			continue;
		if (found != 0)
			return 0;
		found = j;
	}
	return found;
}
