/*
 * tied.c -- who waits for a changed row of any table.
 *
 * Capture leaves in an event the ties of the old and the new row (tie.c), and names
 * the rules that the row concerns: kind T, rows that some condition reads, and kind
 * C, changes that a WAIT FOR asks for.  automation.wait leads from a tie to
 * enrollments, always of one owner.  Of those, the ones whose version of a workflow
 * has such a rule are asked: by T, whether a condition of theirs holds now; by C,
 * whether this is their change.  A tie is a hash and several rules share a column:
 * most others are told apart without running anything.
 *
 * Called by item.c in a batch, as the owner.  A row may be tied to a million
 * enrollments, and no item may take long: after WAKES_PER_ITEM the rest becomes an
 * event of its own, which comes after what was committed meanwhile.  Such parts are
 * W events that name a rule in "hits":
 *
 *   ties                     those tied to the row; args.after: above this enrollment
 *   no ties, old and new     ties are to be found by the rule's path first
 *   no ties, hit says        nobody knows what it means: all of the rule's version
 *   neither old nor new      that wait are asked; args.after: above this one
 *   target                   for this enrollment: a change it may wait for
 *
 * Whether a change counts for a WAIT FOR depends on the transaction and the number
 * it had; parts keep both in args.  One without them counts: that was decided
 * before.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "blame.h"
#include "compat.h"
#include "json_member.h"
#include "owner.h"
#include "path.h"
#include "ready.h"
#include "resume.h"
#include "rule.h"
#include "start.h"
#include "stat.h"
#include "store.h"
#include "tie.h"
#include "tied.h"
#include "wait.h"

#define WAKES_PER_ITEM 200
#define TIES_PER_EVENT 1000
#define ROWS_PER_ITEM 5000				/* of enrollment, looked at for those of a version */
#define ASKED_MAX 64

/* columns of automation.enrollment */
#define ENROLLMENT_ID 1
#define ENROLLMENT_WORKFLOW 2
#define ENROLLMENT_VERSION 3

/* One search among those who wait. */
typedef struct Search
{
	Engine	   *engine;
	const ItemOptions *options;
	Event		part;					/* what parts are made of: W, no target, no rule */
	List	   *rules;					/* of Rule *: T, or the one C */
	const Fired *fired;					/* C */
	const EventGroup *group;			/* C */
	bool		apart;					/* evaluates nothing */
	int			deaths;					/* then: the events begin with */
	List	   *woken;					/* of int64 * */
	int			left;					/* to be woken in this item */
} Search;

/* Ties that a path leads to. */
typedef struct Collected
{
	Search	   *search;
	int			n;
	int64	   *ties;					/* room for TIES_PER_EVENT */
	bool		spilled;
} Collected;

/* Versions whose waits will be asked by an event of this batch: once is enough. */
typedef struct AskedVersion
{
	int			workflow;
	int			version;
} AskedVersion;

static AskedVersion asked[ASKED_MAX];
static int	nasked = 0;

void
wf_tied_new_batch(void)
{
	nasked = 0;
}

/* --- parts --- */

static void
push_number(JsonbParseState **state, const char *name, uint64 number)
{
	wf_json_text(state, name, psprintf(UINT64_FORMAT, number));
}

/* Member of an event's args; 0 = absent. */
static uint64
number_of(const Event *event, const char *name)
{
	JsonbValue	buf;
	JsonbValue *value;

	if (event->args == NULL || !JB_ROOT_IS_OBJECT(event->args))
		return 0;
	value = getKeyJsonValueFromContainer(&event->args->root, name, strlen(name), &buf);
	if (value == NULL || value->type != jbvString)
		return 0;
	return strtou64(pnstrdup(value->val.string.val, value->val.string.len), NULL, 10);
}

static Jsonb *
part_args(const Search *search, int64 after)
{
	JsonbParseState *state = NULL;
	const Event *last = search->fired ? &search->group->events[search->group->nevents - 1] : NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (after != 0)
		push_number(&state, "after", (uint64) after);
	if (last && FullTransactionIdIsValid(last->xact))
	{
		push_number(&state, "xact", U64FromFullTransactionId(last->xact));
		push_number(&state, "seq", (uint64) last->seq);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* What all parts of a change have in common. */
static Event
part_of(const Event *event)
{
	Event		part = *event;

	part.kind = EVENT_WAKE;
	part.old_key = NULL;
	part.target = 0;
	part.nhits = 0;
	part.hits = NULL;
	part.prints = NULL;
	part.nties = 0;
	part.ties = NULL;
	part.old = part.new = part.args = NULL;
	return part;
}

static void
name_rules(Event *part, List *rules)
{
	ListCell   *lc;

	part->nhits = 0;
	part->hits = palloc(sizeof(int) * Max(list_length(rules), 1));
	foreach(lc, rules)
		part->hits[part->nhits++] = ((Rule *) lfirst(lc))->id << 2 | 3;
}

/* The images of a WAIT FOR's change, as its net change has them. */
static void
keep_images(Event *part, const Search *search)
{
	Event		derived;

	if (search->fired == NULL)
		return;
	derived = wf_start_derived(search->fired, search->group);
	part->old = derived.old;
	part->new = derived.new;
}

static void
append(Search *search, Event *part)
{
	wf_event_append(part);
	if (search->deaths > 0)
		wf_engine_suspect(search->engine, ITEM_GROUP, part->seq, search->deaths);
}

/* The rest of the ties, from one enrollment of the first on. */
static void
append_rest(Search *search, int nties, const int64 *ties, int64 after)
{
	Event		part = search->part;

	name_rules(&part, search->rules);
	keep_images(&part, search);
	part.nties = nties;
	part.ties = unconstify(int64 *, ties);
	part.args = part_args(search, after);
	wf_event_append(&part);
}

/* One enrollment alone. */
static void
append_one(Search *search, int64 id)
{
	Event		part = search->part;

	part.target = id;
	if (search->fired)
	{
		name_rules(&part, search->rules);
		keep_images(&part, search);
		part.args = part_args(search, 0);
	}
	append(search, &part);
}

/* All who wait in a rule's version are asked, by an event of their own. */
static void
ask_all(Search *search, const Rule *rule)
{
	Event		part = search->part;
	int			hit = rule->id << 2;

	for (int i = 0; i < nasked; i++)
	{
		if (asked[i].workflow == rule->workflow && asked[i].version == rule->version)
			return;
	}
	if (nasked < ASKED_MAX)
		asked[nasked++] = (AskedVersion) {rule->workflow, rule->version};
	part.nhits = 1;
	part.hits = &hit;
	wf_event_append(&part);
}

/* --- one enrollment --- */

static bool
is_woken(const Search *search, int64 id)
{
	ListCell   *lc;

	foreach(lc, search->woken)
	{
		if (*(int64 *) lfirst(lc) == id)
			return true;
	}
	return false;
}

/* Does it run a version with one of the rules; stand on the rule's statement, of WAIT FOR? */
static bool
has_rule(const Search *search, const Enrollment *e)
{
	ListCell   *lc;

	foreach(lc, search->rules)
	{
		Rule	   *rule = lfirst(lc);

		if (rule->workflow == e->workflow && rule->version == e->version)
			return search->fired == NULL || (e->waiting != WAITING_NONE && e->statement == rule->clause);
	}
	return false;
}

/* Once is enough; but who has none of these rules may have one of the next path's. */
static void
wake(Search *search, int64 *at)
{
	int64		id = *at;
	Enrollment *e;

	if (is_woken(search, id))
		return;
	e = wf_enrollment_load(id);
	if (e == NULL || e->owner != search->engine->owner || !has_rule(search, e))
		return;
	search->woken = lappend(search->woken, at);
	if (search->apart)
		append_one(search, id);
	else if (search->fired)
		wf_wake_change(id, search->fired->rule, search->fired, search->group, search->options);
	else
		wf_wake(id, WAKE_BY_CHANGE, search->part.at, 0, false, search->options);
	if (!search->apart)
		wf_stat_count(STAT_WOKEN);
	CommandCounterIncrement();
}

/* --- by ties --- */

static void
look_up(Search *search, int nties, const int64 *ties, int64 after)
{
	for (int i = 0; i < nties; i++)
	{
		List	   *ids = wf_wait_tied(ties[i], search->engine->owner, i == 0 ? after : 0, search->left + 1);
		int64		last = i == 0 ? after : 0;
		ListCell   *lc;

		foreach(lc, ids)
		{
			int64	   *id = lfirst(lc);

			if (search->left == 0)
			{
				append_rest(search, nties - i, ties + i, last);
				return;
			}
			wake(search, id);
			search->left--;
			last = *id;
		}
	}
}

static int
by_number(const void *a, const void *b)
{
	int64		one = *(const int64 *) a;
	int64		other = *(const int64 *) b;

	return (one > other) - (one < other);
}

static int
distinct(int n, int64 *ties)
{
	int			kept = 0;

	qsort(ties, n, sizeof(int64), by_number);
	for (int i = 0; i < n; i++)
	{
		if (kept == 0 || ties[kept - 1] != ties[i])
			ties[kept++] = ties[i];
	}
	return kept;
}

/* The ties of all events of a group, each once. */
static int64 *
ties_of(const EventGroup *group, int *n)
{
	int			size = 0;
	int64	   *ties;

	for (int i = 0; i < group->nevents; i++)
		size += group->events[i].nties;
	ties = palloc(sizeof(int64) * Max(size, 1));
	size = 0;
	for (int i = 0; i < group->nevents; i++)
	{
		if (group->events[i].nties > 0)
			memcpy(ties + size, group->events[i].ties, group->events[i].nties * sizeof(int64));
		size += group->events[i].nties;
	}
	*n = distinct(size, ties);
	return ties;
}

/* --- by a path --- */

static void
spill(Collected *found)
{
	found->n = distinct(found->n, found->ties);
	if (found->n > 0)
		append_rest(found->search, found->n, found->ties, 0);
	found->n = 0;
	found->spilled = true;
}

static void
collect(int64 tie, void *arg)
{
	Collected  *found = arg;

	if (found->n == TIES_PER_EVENT)
		spill(found);
	found->ties[found->n++] = tie;
}

/* Part of the group that makes the executor walk a rule's path: for the same
 * rows, but alone. */
static Event
path_part(const Search *search, const Event *event, const int *hit)
{
	Event		part = search->part;

	part.nhits = 1;
	part.hits = unconstify(int *, hit);
	part.old = event->old;
	part.new = event->new;
	return part;
}

/* Calls fn for each of the rule's hits in the group. */
static void
each_path_part(Search *search, const EventGroup *group, const Rule *rule,
			   void (*fn) (Search *search, Event *part, const Rule *rule, void *arg), void *arg)
{
	for (int i = 0; i < group->nevents; i++)
	{
		const Event *event = &group->events[i];

		for (int j = 0; j < event->nhits; j++)
		{
			Event		part;

			if (HIT_RULE(event->hits[j]) != rule->id)
				continue;
			part = path_part(search, event, &event->hits[j]);
			fn(search, &part, rule, arg);
		}
	}
}

static void
append_path(Search *search, Event *part, const Rule *rule, void *arg)
{
	append(search, part);
}

static void
park_path(Search *search, Event *part, const Rule *rule, void *arg)
{
	wf_start_park(part, rule->workflow, arg, search->options->now);
}

/*
 * A workflow that is held may have an author whose operators are not to be run:
 * the change waits for its release.
 */
static void
walk(Search *search, const EventGroup *group, const Rule *rule)
{
	WorkflowRow *row;
	const char *reason;
	Program    *program = wf_ready(rule->workflow, rule->version, &row, &reason);
	Collected	found = {.search = search};
	bool		known;
	int			level;

	if (row == NULL)
		return;
	if (program == NULL)
	{
		each_path_part(search, group, rule, park_path, unconstify(char *, reason));
		return;
	}
	found.ties = palloc(sizeof(int64) * TIES_PER_EVENT);
	level = wf_config_enter(program->path, program->sig->config);
	known = wf_path_walk(rule, group, collect, &found);
	wf_config_leave(level);
	if (!known)
		ask_all(search, rule);
	else if (found.spilled)
		spill(&found);
	else
		look_up(search, distinct(found.n, found.ties), found.ties, 0);
}

/* --- all of a version --- */

/*
 * Ids of a version's enrollments above "after", in order; at most WAKES_PER_ITEM,
 * and from a part of the table.  *last: where to go on, 0 = that was all.
 */
static List *
enrollments_of(const Rule *rule, int64 after, int64 *last)
{
	Relation	rel = wf_store_open("enrollment", AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	int			rows = 0;
	List	   *ids = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	*last = 0;
	ScanKeyInit(&key, ENROLLMENT_ID, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(after));
	scan = wf_store_scan(rel, "enrollment_pkey", wf_store_snapshot(), 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		int64		id = DatumGetInt64(heap_getattr(tuple, ENROLLMENT_ID, desc, &isnull));

		if (rows++ == ROWS_PER_ITEM || list_length(ids) == WAKES_PER_ITEM)
		{
			*last = after;
			break;
		}
		after = id;
		if (DatumGetInt32(heap_getattr(tuple, ENROLLMENT_WORKFLOW, desc, &isnull)) == rule->workflow &&
			DatumGetInt32(heap_getattr(tuple, ENROLLMENT_VERSION, desc, &isnull)) == rule->version)
		{
			int64	   *item = palloc(sizeof(int64));

			*item = id;
			ids = lappend(ids, item);
		}
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return ids;
}

/* Those of a version who wait for something by ties. */
static void
ask_some(Search *search, const Rule *rule, int64 after)
{
	int64		last;
	List	   *ids = enrollments_of(rule, after, &last);
	ListCell   *lc;

	foreach(lc, ids)
	{
		int64	   *id = lfirst(lc);
		Enrollment *e = wf_enrollment_load(*id);

		if (e != NULL && e->ties != NIL)
			wake(search, id);
	}
	if (last != 0)
	{
		Event		part = search->part;
		int			hit = rule->id << 2;

		part.nhits = 1;
		part.hits = &hit;
		part.args = part_args(search, last);
		wf_event_append(&part);
	}
}

/* --- changes --- */

static Search
start_search(Engine *engine, const Event *event, const ItemOptions *options)
{
	Search		search = {.engine = engine,.options = options,.part = part_of(event),.left = WAKES_PER_ITEM};

	return search;
}

/* The workflow has another owner by now: his executor looks. */
static void
forward(const Search *search, const Event *event, const int *hit, const Rule *rule)
{
	Event		part = path_part(search, event, hit);

	part.owner = rule->owner;
	if (rule->path == NULL)
	{
		part.old = part.new = NULL;
		part.nties = event->nties;
		part.ties = event->ties;
	}
	wf_event_append(&part);
}

/* What a hit of a rule of kind T means for this owner: noted in *ties, or done. */
static void
take_hit(Search *search, const Event *event, const int *hit, List **paths, bool *ties)
{
	Rule	   *rule = wf_start_rule(HIT_RULE(*hit));

	if (rule == NULL || rule->kind != RULE_TABLE)
		return;
	if (rule->owner != search->engine->owner)
		forward(search, event, hit, rule);
	else if (!HIT_OLD(*hit) && !HIT_NEW(*hit))
		ask_all(search, rule);
	else if (rule->path != NULL)
		*paths = list_append_unique_ptr(*paths, rule);
	else
	{
		search->rules = list_append_unique_ptr(search->rules, rule);
		*ties = true;
	}
}

/* Rows that conditions read. */
static void
conditions(Search *search, const EventGroup *group)
{
	List	   *paths = NIL;
	bool		by_ties = false;
	ListCell   *lc;

	for (int i = 0; i < group->nevents; i++)
	{
		for (int j = 0; j < group->events[i].nhits; j++)
			take_hit(search, &group->events[i], &group->events[i].hits[j], &paths, &by_ties);
	}
	if (by_ties)
	{
		int			n;
		int64	   *ties = ties_of(group, &n);

		look_up(search, n, ties, 0);
	}
	foreach(lc, paths)
	{
		Rule	   *rule = lfirst(lc);

		search->rules = list_make1(rule);
		if (search->apart)
			each_path_part(search, group, rule, append_path, NULL);
		else
			walk(search, group, rule);
	}
}

/* Ties that lead to those who wait for the change: those of capture, of the one
 * column that only the executor may hash, or of the statement they stand on.  If the
 * column's value could not be kept: none. */
static int64 *
ties_of_change(Search *search, const Fired *fired, const EventGroup *group, int *n)
{
	const Rule *rule = fired->rule;
	Collected	found = {.search = search};

	if (rule->path == NULL)
		return ties_of(group, n);
	found.ties = palloc(sizeof(int64) * TIES_PER_EVENT);
	if (JB_ROOT_COUNT(rule->path) > 0)
	{
		if (!wf_path_walk(rule, group, collect, &found))
			found.n = 0;
	}
	else
		collect(wf_tie_statement(rule->workflow, rule->version, rule->clause), &found);
	*n = distinct(found.n, found.ties);
	return found.ties;
}

/* Changes that WAIT FOR asks for. */
static void
changes(Engine *engine, const EventGroup *group, bool apart, int deaths, const ItemOptions *options)
{
	const Event *last = &group->events[group->nevents - 1];
	ListCell   *lc;

	foreach(lc, wf_start_awaited(group))
	{
		Fired	   *fired = lfirst(lc);
		Search		search = start_search(engine, last, options);
		int			n;
		int64	   *ties;

		search.fired = fired;
		search.group = group;
		ties = ties_of_change(&search, fired, group, &n);
		search.rules = list_make1(fired->rule);
		search.apart = apart;
		search.deaths = deaths;
		if (fired->rule->owner == engine->owner)
			look_up(&search, n, ties, 0);
		else
		{
			search.part.owner = fired->rule->owner;
			append_rest(&search, n, ties, 0);
		}
	}
}

void
wf_tied_run(Engine *engine, const EventGroup *group, List *woken, const ItemOptions *options)
{
	Search		search;

	if (!wf_tied_concerns(group))
		return;
	search = start_search(engine, &group->events[group->nevents - 1], options);
	search.woken = list_copy(woken);
	conditions(&search, group);
	changes(engine, group, false, 0, options);
}

void
wf_tied_apart(Engine *engine, const EventGroup *group, int deaths, const ItemOptions *options)
{
	Search		search;

	if (!wf_tied_concerns(group))
		return;
	search = start_search(engine, &group->events[group->nevents - 1], options);
	search.apart = true;
	search.deaths = deaths;
	conditions(&search, group);
	changes(engine, group, true, deaths, options);
}

bool
wf_tied_concerns(const EventGroup *group)
{
	for (int i = 0; i < group->nevents; i++)
	{
		for (int j = 0; j < group->events[i].nhits; j++)
		{
			Rule	   *rule = wf_start_rule(HIT_RULE(group->events[i].hits[j]));

			if (rule && (rule->kind == RULE_TABLE || rule->kind == RULE_CHANGE))
				return true;
		}
	}
	return false;
}

/* --- parts of changes --- */

static void
change_part(Search *search, const Event *event, Rule *rule)
{
	Event		original = *event;
	EventGroup	group = {1, &original, 0};
	Fired		fired = {rule, &original, &original};

	original.xact = FullTransactionIdFromU64(number_of(event, "xact"));
	if (FullTransactionIdIsValid(original.xact))
		original.seq = (int64) number_of(event, "seq");
	search->fired = &fired;
	search->group = &group;
	search->rules = list_make1(rule);
	if (event->target == 0)
		look_up(search, event->nties, event->ties, (int64) number_of(event, "after"));
	else
		wf_wake_change(event->target, rule, &fired, &group, search->options);
}

static void
condition_part(Search *search, const Event *event, Rule *rule)
{
	EventGroup	group = {1, unconstify(Event *, event), 0};
	int64		after = (int64) number_of(event, "after");

	for (int i = 0; i < event->nhits; i++)
	{
		Rule	   *other = wf_start_rule(HIT_RULE(event->hits[i]));

		if (other != NULL)
			search->rules = lappend(search->rules, other);
	}
	if (!HIT_OLD(event->hits[0]) && !HIT_NEW(event->hits[0]))
		ask_some(search, rule, after);
	else if (event->nties > 0)
		look_up(search, event->nties, event->ties, after);
	else if (rule->path == NULL)
		return;
	else if (search->apart)
		ask_all(search, rule);
	else
		walk(search, &group, rule);
}

void
wf_tied_event(Engine *engine, const Event *event, const ItemOptions *options)
{
	Rule	   *rule = wf_start_rule(HIT_RULE(event->hits[0]));
	ItemOptions without = *options;
	Search		search;

	if (rule == NULL)
		return;
	without.failure = NULL;
	search = start_search(engine, event, event->target != 0 ? options : &without);
	if (options->failure != NULL)
	{
		search.apart = true;
		search.deaths = options->failure->kind == FAILURE_CRASH ? BLAME_MAX_DEATHS - 1 : 0;
	}
	if (rule->kind == RULE_CHANGE)
		change_part(&search, event, rule);
	else if (rule->kind == RULE_TABLE)
		condition_part(&search, event, rule);
}

bool
wf_tied_walks(const Event *event)
{
	Rule	   *rule;

	if (event->kind != EVENT_WAKE || event->nhits == 0 || event->target != 0 || event->nties > 0)
		return false;
	rule = wf_start_rule(HIT_RULE(event->hits[0]));
	return rule != NULL && rule->kind == RULE_TABLE && rule->path != NULL &&
		(HIT_OLD(event->hits[0]) || HIT_NEW(event->hits[0]));
}
