/*
 * migrate.c -- live edits: those inside come to another version.
 *
 * automation.migrate() counts in the caller's session what will become of each
 * enrollment and, unless that is all that was asked for, leaves a job; the
 * owner's executor, the only one who writes enrollments, does it in pieces
 * between other work.  Both ask crossing.c, so the counts agree as long as
 * nobody moves meanwhile.
 *
 * A piece writes the new version, place and variables and appends a command
 * for each enrollment that waits: when that is read, its wait is taken over
 * (interp.c) in an item of its own, so that an error in an expression of the
 * new version is that enrollment's alone.  Until then "taken_over" in the row
 * tells everybody who wakes it.
 *
 * Called as the workflow's owner, in the batch's transaction; what a piece did
 * and its position commit together.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "compat.h"
#include "crossing.h"
#include "describe.h"
#include "enginesql.h"
#include "history.h"
#include "json_member.h"
#include "migrate.h"
#include "owner.h"
#include "register.h"

PG_FUNCTION_INFO_V1(wf_migrate);

#define ROWS_AT_ONCE 500				/* of automation.enrollment looked at between two looks at the clock */

/* Crossings from all versions somebody is in, made when first needed. */
typedef struct Migration
{
	WorkflowRow *row;
	int			to;
	int			from;					/* 0 = from all older versions */
	Jsonb	   *map;
	List	   *crossings;				/* of Crossing * */
	MemoryContext context;
} Migration;

static Crossing *
crossing_from(Migration *m, int version)
{
	MemoryContext old;
	Crossing   *crossing;
	ListCell   *lc;

	foreach(lc, m->crossings)
		if (((Crossing *) lfirst(lc))->from == version)
			return lfirst(lc);
	old = MemoryContextSwitchTo(m->context);
	crossing = wf_crossing(m->row, version, m->to, m->map);
	m->crossings = lappend(m->crossings, crossing);
	MemoryContextSwitchTo(old);
	return crossing;
}

/* A newer one may have come since the job was asked for. */
static bool
is_meant(const Migration *m, int version)
{
	return version < m->to && (m->from == 0 || version == m->from);
}

/* ----------------------------------------------------------------
 * A piece of the job
 * ----------------------------------------------------------------
 */

static JsonbValue *
member(Jsonb *object, const char *name, JsonbValue *value)
{
	return object ? getKeyJsonValueFromContainer(&object->root, name, strlen(name), value) : NULL;
}

static void
read_args(Migration *m, Jsonb *args)
{
	JsonbValue	value;

	if (member(args, "map", &value) && value.type == jbvBinary)
		m->map = JsonbValueToJsonb(&value);
	if (member(args, "from_version", &value) && value.type == jbvNumeric)
		m->from = DatumGetInt32(DirectFunctionCall1(numeric_int4, NumericGetDatum(value.val.numeric)));
}

static int
line_of(const Side *side, int ordinal)
{
	return ordinal > 0 && ordinal <= side->n ? side->statement[ordinal]->line : 0;
}

/* Where it came from, for the history. */
static Jsonb *
origin(const Crossing *crossing, int statement)
{
	JsonbParseState *state = NULL;
	int			line = line_of(crossing->alignment->from, statement);

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	wf_json_number(&state, "from_version", crossing->from);
	if (line > 0)
		wf_json_number(&state, "from_line", line);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static bool
held_for(const Enrollment *e, const char *reason)
{
	return e->state == STATE_HELD && e->reason && strcmp(e->reason, reason) == 0;
}

/* It stands still on its old version: nothing of that is right any more. */
static void
leave_behind(Enrollment *e, const char *reason, TimestampTz now)
{
	if (e->state == STATE_FAILED || held_for(e, reason) || held_for(e, HELD_BY_HAND))
		return;
	wf_hold(e, now, reason);
}

/* The version was the reason why it is held. */
static bool
is_released(const Enrollment *e)
{
	return held_for(e, "orphan") || held_for(e, "variable") || held_for(e, "definition_invalid");
}

static void
bring_over(Migration *m, const Crossing *crossing, const Verdict *to, Enrollment *e, TimestampTz now)
{
	Jsonb	   *detail = origin(crossing, e->statement);
	bool		released = is_released(e);

	wf_crossing_apply(crossing, to, e);
	wf_enrollment_save(e);
	wf_history_write(e, now, "migrated", wf_crossing_word(to->outcome), detail);
	if (e->state == STATE_WAITING)
		wf_command_append(m->row, "look", "migrated", e->id, 0, NULL);
	else if (released)
		wf_command_append(m->row, "release", e->reason, e->id, 0, NULL);
}

static void
migrate_one(Migration *m, int64 id, TimestampTz now)
{
	Enrollment *e = wf_enrollment_load(id);
	Crossing   *crossing;
	Verdict		verdict;

	if (e == NULL || e->owner != m->row->owner || !is_meant(m, e->version))
		return;
	crossing = crossing_from(m, e->version);
	verdict = wf_crossing_decide(crossing, e);
	switch (verdict.outcome)
	{
		case CROSSING_ORPHAN:
			leave_behind(e, verdict.reason, now);
			break;
		case CROSSING_ENDS:
			wf_end(e, now, verdict.reason);
			break;
		default:
			bring_over(m, crossing, &verdict, e, now);
			break;
	}
}

bool
wf_migrate_piece(Job *job, const ItemOptions *options)
{
	Migration	m = {wf_workflow_load(job->workflow), job->version, 0, NULL, NIL, CurrentMemoryContext};
	int64		after = job->position ? strtoi64(job->position, NULL, 10) : 0;
	bool		over = false;

	read_args(&m, job->args);
	do
	{
		List	   *ids;
		ListCell   *lc;

		over = !wf_enrollments_above(&after, job->workflow, ROWS_AT_ONCE, &ids);
		foreach(lc, ids)
			migrate_one(&m, *(int64 *) lfirst(lc), options->now);
		job->done += list_length(ids);
	} while (!over && !wf_job_time_over(job));
	job->position = psprintf(INT64_FORMAT, after);
	if (over)
		wf_register_settle_owner(m.row);
	return over;
}

/* ----------------------------------------------------------------
 * Counting
 * ----------------------------------------------------------------
 */

typedef struct PlaceKey
{
	int			from;
	int			statement;
	int			outcome;
	int			target;
	char		reason[16];
} PlaceKey;

typedef struct Place
{
	PlaceKey	key;
	int64		count;
} Place;

static HTAB *
count_all(Migration *m, List *ids)
{
	HASHCTL		ctl = {.keysize = sizeof(PlaceKey), .entrysize = sizeof(Place), .hcxt = CurrentMemoryContext};
	HTAB	   *groups = hash_create("outcomes of a migration", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "enrollment to migrate",
													  ALLOCSET_DEFAULT_SIZES);
	ListCell   *lc;

	foreach(lc, ids)
	{
		MemoryContext old = MemoryContextSwitchTo(row_context);
		Enrollment *e = wf_enrollment_load(*(int64 *) lfirst(lc));
		PlaceKey	key;
		Place	   *group;
		bool		found;

		CHECK_FOR_INTERRUPTS();
		if (e != NULL && is_meant(m, e->version))
		{
			Verdict		verdict = wf_crossing_decide(crossing_from(m, e->version), e);

			memset(&key, 0, sizeof(key));
			key.from = e->version;
			key.statement = e->statement;
			key.outcome = verdict.outcome;
			key.target = verdict.statement;
			if (verdict.reason)
				strlcpy(key.reason, verdict.reason, sizeof(key.reason));
			group = hash_search(groups, &key, HASH_ENTER, &found);
			group->count = found ? group->count + 1 : 1;
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_context);
	}
	return groups;
}

static int
compare_groups(const ListCell *a, const ListCell *b)
{
	const PlaceKey *left = &((Place *) lfirst(a))->key;
	const PlaceKey *right = &((Place *) lfirst(b))->key;

	if (left->from != right->from)
		return left->from - right->from;
	if (left->statement != right->statement)
		return left->statement - right->statement;
	if (left->outcome != right->outcome)
		return left->outcome - right->outcome;
	return left->target != right->target ? left->target - right->target : strcmp(left->reason, right->reason);
}

static List *
sorted(HTAB *groups)
{
	HASH_SEQ_STATUS scan;
	Place	   *group;
	List	   *list = NIL;

	hash_seq_init(&scan, groups);
	while ((group = hash_seq_search(&scan)) != NULL)
		list = lappend(list, group);
	list_sort(list, compare_groups);
	return list;
}

/* How a line is written in a map. */
static char *
line_word(const Side *side, int ordinal)
{
	int			line = side->statement[ordinal]->line;
	int			count = 0;
	int			place = 0;

	for (int i = 1; i <= side->n; i++)
		if (side->statement[i]->line == line)
		{
			count++;
			if (i == ordinal)
				place = count;
		}
	return count > 1 ? psprintf("%d.%d", line, place) : psprintf("%d", line);
}

/* What to write into the map for an orphan. */
static char *
hint_for(const Crossing *crossing, const PlaceKey *key)
{
	const Alignment *a = crossing->alignment;
	int			likely;

	if (strcmp(key->reason, "variable") == 0)
		return "a variable's value is none of its new type";
	if (key->statement < 1 || key->statement > a->from->n)
		return NULL;
	likely = wf_align_likely(a, key->statement);
	return psprintf("{\"%s\": \"%s\"}", line_word(a->from, key->statement),
					likely ? line_word(a->to, likely) : "next");
}

enum
{
	OUT_VERSION = 0, OUT_LINE, OUT_STATEMENT, OUT_OUTCOME, OUT_REASON, OUT_TO_LINE, OUT_TO_STATEMENT,
	OUT_ENROLLMENTS, OUT_HINT, OUT_JOB, OUT_COLUMNS
};

static void
put_place(Datum *values, bool *nulls, int line_column, const Side *side, int ordinal)
{
	if (ordinal < 1 || ordinal > side->n)
		return;
	nulls[line_column] = nulls[line_column + 1] = false;
	values[line_column] = Int32GetDatum(side->statement[ordinal]->line);
	values[line_column + 1] = CStringGetTextDatum(wf_statement_text(side->body, side->statement[ordinal]));
}

static void
put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;
	if (text)
		values[column] = CStringGetTextDatum(text);
}

static void
show_place(ReturnSetInfo *result, Migration *m, const Place *group, int64 job)
{
	const Crossing *crossing = crossing_from(m, group->key.from);
	Datum		values[OUT_COLUMNS];
	bool		nulls[OUT_COLUMNS];

	memset(nulls, true, sizeof(nulls));
	nulls[OUT_VERSION] = nulls[OUT_ENROLLMENTS] = false;
	values[OUT_VERSION] = Int32GetDatum(group->key.from);
	values[OUT_ENROLLMENTS] = Int64GetDatum(group->count);
	put_place(values, nulls, OUT_LINE, crossing->alignment->from, group->key.statement);
	put_place(values, nulls, OUT_TO_LINE, crossing->alignment->to, group->key.target);
	put_text(values, nulls, OUT_OUTCOME, wf_crossing_word(group->key.outcome));
	put_text(values, nulls, OUT_REASON, group->key.reason[0] ? group->key.reason : NULL);
	if (group->key.outcome == CROSSING_ORPHAN)
		put_text(values, nulls, OUT_HINT, hint_for(crossing, &group->key));
	nulls[OUT_JOB] = job == 0;
	values[OUT_JOB] = Int64GetDatum(job);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* ----------------------------------------------------------------
 * The command
 * ----------------------------------------------------------------
 */

/* A key that no version knows is a slip of the pen; a line means something in one version only. */
static void
check_map(Migration *m)
{
	JsonbIterator *it;
	JsonbValue	value;
	JsonbIteratorToken token;

	if (m->map == NULL || m->crossings == NIL)
		return;
	it = JsonbIteratorInit(&m->map->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		char	   *key;
		bool		known = false;
		ListCell   *lc;
		ListCell   *lu;

		if (token != WJB_KEY)
			continue;
		key = pnstrdup(value.val.string.val, value.val.string.len);
		foreach(lc, m->crossings)
			foreach(lu, ((Crossing *) lfirst(lc))->used)
				known = known || strcmp(lfirst(lu), key) == 0;
		if (!known)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"%s\" in the map is neither a label nor a line of a statement of the version to leave", key),
					 errhint("automation.migrate(..., dry_run => true) shows the lines people stand on.")));
		if (list_length(m->crossings) > 1 && isdigit((unsigned char) *key))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the map names line %s, and people are in %d versions", key, list_length(m->crossings)),
					 errhint("Say which one: automation.migrate(..., from_version => %d).",
							 ((Crossing *) linitial(m->crossings))->from)));
	}
}

static Jsonb *
job_args(const Migration *m)
{
	JsonbParseState *state = NULL;
	JsonbValue	value;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (m->from != 0)
		wf_json_number(&state, "from_version", m->from);
	if (m->map)
	{
		value.type = jbvString;
		value.val.string.val = "map";
		value.val.string.len = 3;
		pushJsonbValue(&state, WJB_KEY, &value);
		JsonbToJsonbValue(m->map, &value);
		pushJsonbValue(&state, WJB_VALUE, &value);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static int64
start_job(const Migration *m, int64 total)
{
	Job			job = {0};

	job.owner = m->row->owner;
	job.workflow = m->row->id;
	job.version = m->to;
	job.kind = JOB_MIGRATE;
	job.total = total;
	job.args = job_args(m);
	return wf_job_insert(&job);
}

/* Somebody else's version is nothing to bring people to. */
static void
require_own_version(const WorkflowRow *row)
{
	wf_workflow_require_author(row);
	if (row->hold && strcmp(row->hold, "definition_invalid") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of workflow %s is not valid", row->version, row->signature),
				 row->hold_detail ? errdetail_internal("%s", row->hold_detail) : 0));
}

static void
require_no_other(const WorkflowRow *row)
{
	if (wf_engine_sql("SELECT FROM automation.job WHERE workflow = $1 AND kind = 'M' AND finished_at IS NULL",
					  "i", row->id) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("a migration of workflow %s is under way", row->signature),
				 errhint("See automation.progress; automation.cancel_job() stops it.")));
}

/* automation.migrate(workflow, map, dry_run, from_version) */
Datum
wf_migrate(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Migration	m = {NULL, 0, 0, NULL, NIL, NULL};
	bool		dry_run = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	List	   *ids;
	List	   *groups;
	int64		job = 0;
	ListCell   *lc;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the name of a workflow must not be null")));
	m.row = wf_workflow_named(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	wf_workflow_require_owner(m.row);
	m.to = m.row->version;
	m.map = PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1);
	m.from = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT32(3);
	m.context = CurrentMemoryContext;
	if (m.map && !JB_ROOT_IS_OBJECT(m.map))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the map is not an object"),
				 errhint("Write it like '{\"label or line of the old version\": \"label or line of the new one\"}'.")));
	require_own_version(m.row);
	if (!dry_run)
		require_no_other(m.row);
	if (m.from != 0 && m.from != m.to)
		(void) crossing_from(&m, m.from);
	ids = wf_engine_ids("SELECT id FROM automation.enrollment WHERE workflow = $1 AND version < $2"
						" AND ($3 = 0 OR version = $3) ORDER BY id", "iii", m.row->id, m.to, m.from);
	groups = sorted(count_all(&m, ids));
	check_map(&m);
	if (!dry_run && ids != NIL)
		job = start_job(&m, list_length(ids));
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, groups)
		show_place(result, &m, lfirst(lc), job);
	return (Datum) 0;
}
