/*
 * batch.c -- one transaction of the engine: reads what is due, does item after
 * item until its time is over, commits.
 *
 * Called by executor.c (a worker, its own transactions) and run.c (a session in
 * CALL automation.run(), where each batch is a subtransaction of the
 * procedure's transaction).  Runs as the owner whose workflows it carries.
 *
 * Guarantees: an item's effects, its consumption and the position of its
 * enrollment commit together or not at all.  An error rolls the batch back;
 * the item that raised it is known, runs alone next time, and when it fails
 * alone it is settled (item.c) in a transaction of its own.  The others are
 * not held up by more than one batch.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "activity.h"
#include "blame.h"
#include "capture.h"
#include "clock.h"
#include "compat.h"
#include "direct.h"
#include "engine.h"
#include "every.h"
#include "item.h"
#include "json_member.h"
#include "ledger.h"
#include "job.h"
#include "lookup.h"
#include "owner.h"
#include "ready.h"
#include "seat.h"
#include "settings.h"
#include "split.h"
#include "start.h"
#include "stat.h"
#include "store.h"
#include "subject.h"
#include "tied.h"
#include "wait.h"
#include "watchdog.h"
#include "winner.h"

#define ITEMS_PER_BATCH 1000
#define PARKED_PER_BATCH 100
#define SWEEP_CHUNK 1000
#define SLOW_FACTOR 5					/* an item may take this many batch times in company */
#define CONFLICTS_AT_ONCE 3
#define LOCKED_MAX 100					/* then a lock counts as an error */
#define ERROR_TEXT_MAX 1024				/* bytes kept of a message; context four times that */

typedef struct SuspectItem
{
	ItemKey		key;
	int			conflicts;
	int			deaths;					/* of processes that ran it alone */
} SuspectItem;

static HTAB *session_suspects = NULL;	/* of engines in the foreground */

/* --- engine --- */

static HTAB *
create_suspects(MemoryContext context)
{
	HASHCTL		ctl;

	ctl.keysize = sizeof(ItemKey);
	ctl.entrysize = sizeof(SuspectItem);
	ctl.hcxt = context;
	return hash_create("automation suspects", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

Engine *
wf_engine_create(MemoryContext parent, int owner, bool foreground)
{
	MemoryContext context = AllocSetContextCreate(parent, "automation engine", ALLOCSET_DEFAULT_SIZES);
	Engine	   *engine = MemoryContextAllocZero(context, sizeof(Engine));

	engine->context = context;
	engine->item_context = AllocSetContextCreate(context, "automation item", ALLOCSET_DEFAULT_SIZES);
	engine->owner = owner;
	engine->foreground = foreground;
	engine->reader = wf_event_reader_create(context, owner);
	engine->heap = wf_timer_heap_create(context, owner);
	if (!foreground)
		engine->suspects = create_suspects(context);
	else
	{
		/* advance() makes an engine for each step: who met a lock is remembered */
		if (session_suspects == NULL)
			session_suspects = create_suspects(TopMemoryContext);
		engine->suspects = session_suspects;
	}
	engine->clock_generation = wf_clock_generation();
	return engine;
}

void
wf_engine_destroy(Engine *engine)
{
	wf_timer_heap_destroy(engine->heap);
	MemoryContextDelete(engine->context);
}

void
wf_engine_forget(Engine *engine)
{
	wf_event_reader_forget(engine->reader);
	wf_timer_heap_forget(engine->heap);
	engine->drained = 0;
}

/* --- transactions --- */

static void
begin_batch(Engine *engine)
{
	if (engine->foreground)
		BeginInternalSubTransaction(NULL);
	else
	{
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
	}
	wf_store_batch_begin();
	wf_lookup_batch_begin();
	wf_direct_batch_begin();
	wf_split_batch_begin();
	MemoryContextSwitchTo(engine->item_context);
}

static void
commit_batch(Engine *engine)
{
	wf_direct_batch_end();
	wf_lookup_batch_end();
	wf_split_batch_end();
	wf_store_batch_end();
	if (engine->foreground)
	{
		ReleaseCurrentSubTransaction();
		engine->committing = true;
		MemoryContextSwitchTo(engine->item_context);	/* its error must outlive the transaction */
		SPI_commit();
		engine->committing = false;
	}
	else
		CommitTransactionCommand();
	wf_stat_committed();
	wf_event_committed(engine->reader);
	wf_every_committed();
	wf_timer_heap_committed(engine->heap);
	MemoryContextSwitchTo(engine->context);
}

/* After an error was caught and copied.  A SPI_commit() that failed has rolled
 * back and begun a new transaction already. */
static void
rollback_batch(Engine *engine)
{
	wf_watchdog_stop();
	if (!engine->foreground)
		AbortCurrentTransaction();
	else if (!engine->committing)
	{
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(engine->item_context);
		SPI_commit();
	}
	engine->committing = false;
	wf_direct_batch_forget();
	wf_lookup_batch_forget();
	wf_split_batch_forget();
	wf_winner_forget();
	wf_store_batch_forget();
	wf_config_forget();
	wf_cause_set(0, NULL);
	wf_run_clear();
	wf_stat_rolled_back();
	wf_event_rolled_back(engine->reader);
	wf_every_rolled_back();
	wf_ledger_expect_nothing();
	wf_timer_heap_rolled_back(engine->heap);
	engine->in_item = false;
	MemoryContextSwitchTo(engine->context);
}

/* Is the engine armed, and are its tables those this library knows? */
static bool
engine_is_armed(void)
{
	Relation	rel = wf_store_try_open("engine", AccessShareLock);
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;
	bool		armed = false;

	if (rel == NULL)
		return false;
	scan = wf_store_scan(rel, NULL, NULL, 0, NULL);
	if ((tuple = systable_getnext(scan)) != NULL)
		armed = DatumGetBool(heap_getattr(tuple, 2, RelationGetDescr(rel), &isnull)) &&
			DatumGetInt32(heap_getattr(tuple, 3, RelationGetDescr(rel), &isnull)) == WF_ABI;
	systable_endscan(scan);
	relation_close(rel, NoLock);
	return armed;
}

/* Everything that is valid for one batch only. */
static void
forget_last_batch(void)
{
	wf_program_new_batch();
	wf_expr_new_batch();
	wf_subject_new_batch();
	wf_ready_new_batch();
	wf_start_new_batch();
	wf_tied_new_batch();
}

/* --- one item --- */

static SuspectItem *
suspect_of(Engine *engine, const WorkItem *item)
{
	return hash_search(engine->suspects, &item->key, HASH_FIND, NULL);
}

static SuspectItem *
make_suspect(Engine *engine, const WorkItem *item)
{
	bool		found;
	SuspectItem *suspect = hash_search(engine->suspects, &item->key, HASH_ENTER, &found);

	if (!found)
	{
		suspect->conflicts = 0;
		suspect->deaths = 0;
	}
	return suspect;
}

static ItemOptions
item_options(Engine *engine)
{
	ItemOptions options = {.now = engine->now,.owner = engine->owner,.terminate = !engine->foreground};

	options.watchdog = engine->alone ? wf_step_timeout : SLOW_FACTOR * wf_batch_time;
	return options;
}

/* Locks are given up before a user's deadlock check could make him the victim;
 * for each item anew, since the last one's SQL may have set it. */
static void
set_lock_timeout(void)
{
	char		ms[32];

	if (LockTimeout == wf_batch_time)
		return;
	snprintf(ms, sizeof(ms), "%dms", wf_batch_time);
	(void) set_config_option("lock_timeout", ms, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

/* A portal a step left open must not reach the next item, nor commit. */
static void
drop_portals(Engine *engine)
{
	if (!engine->foreground)
		PortalHashTableDeleteAll();
}

/* An item that runs alone from now on; see engine.h. */
void
wf_engine_suspect(Engine *engine, int64 kind, int64 id, int deaths)
{
	WorkItem		item;

	memset(&item, 0, sizeof(item));
	item.key.kind = kind;
	item.key.id = id;
	make_suspect(engine, &item)->deaths = deaths;
	wf_blame_accuse('a' + (char) kind, id, deaths);
}

/* Killed its process too often: it is not run but held.  If even that kills,
 * since the conditions are evaluated for it, it is dropped unseen. */
static void
condemn(Engine *engine, const WorkItem *item, int deaths, const ItemOptions *options)
{
	Failure		crash = {FAILURE_CRASH, NULL, false, false, 0};

	if (deaths > BLAME_MAX_DEATHS)
		wf_item_discard(engine, item, &crash, options);
	else
		wf_item_settle(engine, item, &crash, options);
}

/* Does it, unless it is a suspect in company: then the batch ends before it. */
static bool
do_item(Engine *engine, const WorkItem *item)
{
	ItemOptions options;
	SuspectItem *suspect = suspect_of(engine, item);

	if (suspect)
	{
		if (engine->nitems > 0)
			return false;
		engine->alone = true;
		wf_activity_alone();
		wf_stat_count(STAT_ALONE);
	}
	CHECK_FOR_INTERRUPTS();
	engine->item = *item;
	engine->now = wf_clock_now();
	wf_stat_item(engine->now);
	engine->in_item = true;
	wf_resume_reset();
	wf_blame_item('a' + (char) item->key.kind, item->key.id, engine->alone);
	options = item_options(engine);
	set_lock_timeout();
	wf_direct_allow(!engine->alone);
	wf_lookup_keep(!engine->alone);
	wf_watchdog_start(options.watchdog, options.terminate);
	if (suspect && suspect->deaths >= BLAME_MAX_DEATHS)
		condemn(engine, item, suspect->deaths, &options);
	else
		wf_item_run(engine, item, &options);
	wf_watchdog_stop();
	drop_portals(engine);
	wf_run_clear();
	engine->in_item = false;
	engine->nitems++;
	wf_stat_count(STAT_ITEMS);
	CommandCounterIncrement();
	return true;
}

/* Is the batch full? */
static bool
batch_is_full(Engine *engine)
{
	if (engine->alone || engine->nitems >= ITEMS_PER_BATCH)
		return true;
	if (engine->limit > 0 && engine->nitems >= engine->limit)
		return true;
	return engine->nitems > 0 &&
		GetCurrentTimestamp() - engine->started >= (int64) wf_batch_time * 1000;
}

/* --- what is due, in order: events, parked ones, timers, sweeps, jobs --- */

/* Returns false when the batch has to end here. */
static bool
do_events(Engine *engine)
{
	int			i;

	for (i = 0; i < wf_event_queued(engine->reader); i++)
	{
		WorkItem		item;

		if (batch_is_full(engine))
			return false;
		MemoryContextReset(engine->item_context);
		memset(&item, 0, sizeof(item));
		item.group = wf_event_load(engine->reader, i);
		if (item.group == NULL)
			return false;
		item.key.kind = ITEM_GROUP;
		item.key.id = item.group->events[0].seq;
		if (!do_item(engine, &item))
			return false;
	}
	return true;
}

static bool
do_parked(Engine *engine)
{
	MemoryContext list_context;
	MemoryContext old;
	List	   *due;
	ListCell   *lc;
	bool		through = true;

	if (batch_is_full(engine))
		return false;
	list_context = AllocSetContextCreate(CurTransactionContext, "automation parked", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(list_context);
	due = wf_parked_due(engine->owner, wf_clock_now(), PARKED_PER_BATCH);
	MemoryContextSwitchTo(old);
	foreach(lc, due)
	{
		WorkItem		item;

		if (batch_is_full(engine))
		{
			through = false;
			break;
		}
		MemoryContextReset(engine->item_context);
		memset(&item, 0, sizeof(item));
		item.parked = lfirst(lc);
		item.key.kind = ITEM_PARKED;
		item.key.id = item.parked->id;
		if (!do_item(engine, &item))
		{
			through = false;
			break;
		}
	}
	if (list_length(due) >= PARKED_PER_BATCH)
		through = false;
	MemoryContextDelete(list_context);
	return through;
}

static bool
do_timers(Engine *engine)
{
	WorkItem		item;

	memset(&item, 0, sizeof(item));
	while (!batch_is_full(engine))
	{
		if (!wf_timer_heap_pop(engine->heap, wf_clock_now(), &item.timer))
			return true;
		MemoryContextReset(engine->item_context);
		item.key.kind = ITEM_TIMER;
		item.key.id = item.timer.enrollment;
		if (!do_item(engine, &item))
		{
			wf_timer_heap_unpop(engine->heap, &item.timer);
			return false;
		}
	}
	return false;
}

/* Waits with now() in their condition: asked again every recheck_interval. */
static bool
do_sweep(Engine *engine)
{
	TimestampTz now = wf_clock_now();
	MemoryContext list_context;
	MemoryContext old;
	List	   *ids;
	ListCell   *lc;
	bool		through = true;

	if (engine->next_sweep > now)
		return true;
	if (batch_is_full(engine))
		return false;
	list_context = AllocSetContextCreate(CurTransactionContext, "automation sweep", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(list_context);
	ids = wf_wait_swept(engine->owner, engine->sweep_after, SWEEP_CHUNK);
	MemoryContextSwitchTo(old);
	foreach(lc, ids)
	{
		WorkItem		item;

		if (batch_is_full(engine))
		{
			through = false;
			break;
		}
		MemoryContextReset(engine->item_context);
		memset(&item, 0, sizeof(item));
		item.key.kind = ITEM_SWEEP;
		item.key.id = item.timer.enrollment = *(int64 *) lfirst(lc);
		if (!do_item(engine, &item))
		{
			through = false;
			break;
		}
		engine->sweep_after = item.timer.enrollment;
	}
	if (through && list_length(ids) < SWEEP_CHUNK)
	{
		engine->sweep_after = 0;
		engine->next_sweep = now + (int64) wf_recheck_interval * 1000;
	}
	else
		through = false;
	MemoryContextDelete(list_context);
	return through;
}

/* One piece of the job that is due longest; false when the batch has to end here. */
static bool
do_piece(Engine *engine, int64 job)
{
	WorkItem		item;

	MemoryContextReset(engine->item_context);
	memset(&item, 0, sizeof(item));
	item.key.kind = ITEM_JOB;
	item.key.id = job;
	return do_item(engine, &item);
}

/* A job that has failed in company runs alone, and so before everything else. */
static bool
do_suspect_job(Engine *engine)
{
	int64		job = wf_job_due(engine->owner, wf_clock_now());
	WorkItem		item;

	if (job == 0)
		return false;
	memset(&item, 0, sizeof(item));
	item.key.kind = ITEM_JOB;
	item.key.id = job;
	return suspect_of(engine, &item) != NULL && do_piece(engine, job);
}

/* Jobs fill what is left of a batch, but get a piece of each. */
static bool
do_jobs(Engine *engine, bool through)
{
	int64		job;

	if (wf_job_inserted() || (!through && (engine->alone || engine->limit > 0)))
		return false;
	while ((job = wf_job_due(engine->owner, wf_clock_now())) != 0)
	{
		if (through && batch_is_full(engine))
			return false;
		if (!do_piece(engine, job) || !through)
			return false;
	}
	return through;
}

/* Constraints that wait for COMMIT are checked here, where an error has a culprit. */
static void
fire_deferred(Engine *engine)
{
	ConstraintsSetStmt *stmt = makeNode(ConstraintsSetStmt);
	ItemOptions options = item_options(engine);
	int			level;

	wf_store_show(InvalidOid);
	stmt->constraints = NIL;
	stmt->deferred = false;
	level = NewGUCNestLevel();		/* what the triggers SET ends here */
	wf_watchdog_start(options.watchdog, options.terminate);
	AfterTriggerSetState(stmt);
	wf_watchdog_stop();
	AtEOXact_GUC(false, level);
}

/* The transaction's work; true when nothing is left that was due. */
static bool
batch_body(Engine *engine)
{
	TimestampTz read_at = wf_clock_now();
	bool		through;

	if (engine->clock_generation != wf_clock_generation())
	{
		engine->clock_generation = wf_clock_generation();
		wf_timer_heap_forget(engine->heap);
		engine->next_sweep = 0;
	}
	wf_activity_batch(wf_event_read(engine->reader));
	wf_timer_heap_fill(engine->heap, read_at);
	PushActiveSnapshot(GetTransactionSnapshot());
	set_lock_timeout();
	wf_config_keep();
	if (do_suspect_job(engine))
		through = false;
	else
		through = do_jobs(engine, do_events(engine) && do_parked(engine) && do_timers(engine) && do_sweep(engine));
	wf_config_drop();
	if (engine->nitems > 0)
	{
		fire_deferred(engine);
		drop_portals(engine);
	}
	PopActiveSnapshot();
	if (through && engine->nitems == 0)
		engine->drained = read_at;
	return through;
}

/* --- failures --- */

static void
push_field(JsonbParseState **state, const char *name, const char *text, int max)
{
	JsonbValue	value = {.type = jbvString};
	int			len;

	if (text == NULL)
		return;
	len = strlen(text);
	value.val.string.val = unconstify(char *, text);
	value.val.string.len = len > max ? pg_mbcliplen(text, len, max) : len;
	wf_json_value(state, name, &value);
}

/* What the history and the views will say of an error. */
static Jsonb *
error_detail(const ErrorData *error, const Instruction *where)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_field(&state, "sqlstate", unpack_sql_state(error->sqlerrcode), 5);
	push_field(&state, "message", error->message, ERROR_TEXT_MAX);
	push_field(&state, "detail", error->detail, ERROR_TEXT_MAX);
	push_field(&state, "hint", error->hint, ERROR_TEXT_MAX);
	push_field(&state, "context", error->context, 4 * ERROR_TEXT_MAX);
	if (where && where->stmt)
	{
		wf_json_number(&state, "statement", where->stmt->ordinal);
		wf_json_number(&state, "line", where->stmt->line);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/*
 * What kind of failure it was.  A cancel is known by the watchdog's flag; lock
 * and conflict codes can be forged by RAISE, so they count after a while.
 */
static FailureKind
classify(const ErrorData *error, SuspectItem *suspect)
{
	if (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE && suspect->conflicts < LOCKED_MAX)
		return FAILURE_LOCKED;
	if ((error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE ||
		 error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED) && suspect->conflicts < CONFLICTS_AT_ONCE)
		return FAILURE_CONFLICT;
	return FAILURE_ERROR;
}

typedef void (*SettleFunction) (Engine *engine, const WorkItem *item, const Failure *failure, TimestampTz now);

static void
settle(Engine *engine, const WorkItem *item, const Failure *failure, TimestampTz now)
{
	ItemOptions options = {now, engine->owner, wf_step_timeout, !engine->foreground, NULL};

	wf_item_settle(engine, item, failure, &options);
}

/* Loads the failed item anew: the queue is as it was before the batch. */
static bool
reload(Engine *engine, WorkItem *item)
{
	int			i;

	if (item->key.kind == ITEM_PARKED)
	{
		ListCell   *lc;

		foreach(lc, wf_parked_due(engine->owner, wf_clock_now(), PARKED_PER_BATCH))
		{
			item->parked = lfirst(lc);
			if (item->parked->id == item->key.id)
				return true;
		}
		return false;
	}
	if (item->key.kind != ITEM_GROUP)
		return true;
	for (i = 0; i < wf_event_queued(engine->reader); i++)
	{
		item->group = wf_event_load(engine->reader, i);
		if (item->group == NULL)
			return false;
		if (item->group->events[0].seq == item->key.id)
			return true;
	}
	return false;
}

/*
 * The abort has released the seat lock.  It is taken again before anything is
 * written, and nothing read before counts any more.  False: somebody else
 * works for the owner now, and will meet the item himself.
 */
static bool
regain_seat(Engine *engine)
{
	if (wf_seat_held(engine->owner))
		return true;
	if (!wf_seat_lock(engine->owner, false))
		return false;
	wf_engine_forget(engine);
	(void) wf_event_read(engine->reader);
	return true;
}

/* Was the statement of this session cancelled, by its user or by its time limit?
 * Whoever raises an error with that code elsewhere, in an item, cancels nothing. */
static bool
is_cancel(const Engine *engine, const ErrorData *error)
{
	return engine->foreground && error->sqlerrcode == ERRCODE_QUERY_CANCELED && !wf_watchdog_fired() &&
		error->funcname && strcmp(error->funcname, "ProcessInterrupts") == 0;
}

/* Runs a settling function in a transaction of its own; false if it failed too. */
static bool
settle_in_transaction(Engine *engine, WorkItem item, const Failure *failure, SettleFunction function)
{
	volatile bool done = false;

	forget_last_batch();
	MemoryContextReset(engine->item_context);
	begin_batch(engine);
	PG_TRY();
	{
		bool		ours = regain_seat(engine);

		PushActiveSnapshot(GetTransactionSnapshot());
		set_lock_timeout();
		if (ours && reload(engine, &item))
		{
			wf_blame_item('a' + (char) item.key.kind, item.key.id, true);
			wf_watchdog_start(wf_step_timeout, !engine->foreground);
			function(engine, &item, failure, wf_clock_now());
			wf_watchdog_stop();
		}
		PopActiveSnapshot();
		commit_batch(engine);
		wf_blame_clear();
		done = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;
		bool		cancelled;

		MemoryContextSwitchTo(engine->context);
		if (ProcDiePending)
			PG_RE_THROW();
		error = CopyErrorData();
		cancelled = is_cancel(engine, error);
		FlushErrorState();
		rollback_batch(engine);
		wf_blame_clear();
		if (cancelled)
			ReThrowError(error);
		FreeErrorData(error);
	}
	PG_END_TRY();
	return done;
}

/* An item has failed alone: it is settled, or put aside. */
static void
settle_alone(Engine *engine, SuspectItem *suspect, Failure *failure)
{
	WorkItem		item = engine->item;
	ItemKey		key = item.key;

	if (failure->kind == FAILURE_CONFLICT)
	{
		suspect->conflicts++;
		return;							/* again at once */
	}
	failure->conflicts = ++suspect->conflicts;
	if (failure->kind == FAILURE_ERROR)
		(void) hash_search(engine->suspects, &key, HASH_REMOVE, NULL);
	if (settle_in_transaction(engine, item, failure, settle) ||
		settle_in_transaction(engine, item, failure, wf_item_park))
		return;
	engine->blocked = true;
	if (failure->kind == FAILURE_ERROR)
		ereport(LOG,
				(errmsg("automation could neither run nor set aside an item"),
				 errdetail("Kind %d, id %lld.", (int) key.kind, (long long) key.id)));
}

/* The batch has failed and is rolled back: who was it? */
static void
handle_failure(Engine *engine, ErrorData *error, Jsonb *detail, bool in_item)
{
	SuspectItem *suspect;
	Failure		failure;

	if (!in_item)
	{
		/* at the end of the batch: halve it until one item is left */
		if (engine->nitems == 0 && error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
			return;						/* a table of ours is locked: vacuum may cut its end off */
		if (engine->nitems == 0)
			ReThrowError(error);
		if (engine->nitems > 1)
		{
			engine->limit = engine->nitems / 2;
			wf_stat_count(STAT_BISECTIONS);
			return;
		}
	}
	suspect = make_suspect(engine, &engine->item);
	if (in_item && !engine->alone && (engine->nitems > 0 || error->sqlerrcode == ERRCODE_OBJECT_IN_USE))
		return;							/* alone next time, where no table is kept open */
	if (!engine->alone && wf_watchdog_fired())
		return;							/* slow: alone, with more time */
	memset(&failure, 0, sizeof(failure));
	failure.kind = classify(error, suspect);
	if (failure.kind != FAILURE_ERROR)
		wf_stat_count(STAT_CONFLICTS);
	failure.error = detail;
	failure.decided = wf_resume_decided(&failure.found);
	settle_alone(engine, suspect, &failure);
}

static void
note_success(Engine *engine)
{
	if (engine->alone)
	{
		(void) hash_search(engine->suspects, &engine->item.key, HASH_REMOVE, NULL);
		wf_blame_forget('a' + (char) engine->item.key.kind, engine->item.key.id);
	}
	engine->limit = 0;
	wf_blame_clear();
}

/* Copies the error and takes the batch back. */
static void
catch_error(Engine *engine)
{
	bool		in_item = engine->in_item;
	MemoryContext context = AllocSetContextCreate(engine->context, "automation failure",
												  ALLOCSET_SMALL_SIZES);
	ErrorData  *error;
	Jsonb	   *detail;
	bool		cancelled;

	MemoryContextSwitchTo(context);
	if (ProcDiePending)
		PG_RE_THROW();
	error = CopyErrorData();
	if (wf_watchdog_fired())
		wf_stat_count(STAT_CANCELS);
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED && wf_watchdog_fired())
		error->message = "canceling statement due to automation.step_timeout";
	cancelled = is_cancel(engine, error);
	detail = error_detail(error, in_item ? wf_run_current() : NULL);
	FlushErrorState();
	rollback_batch(engine);
	wf_blame_clear();
	if (cancelled)
		ReThrowError(error);
	handle_failure(engine, error, detail, in_item);
	MemoryContextSwitchTo(engine->context);
	MemoryContextDelete(context);
}

/* One batch; see engine.h. */
BatchResult
wf_batch(Engine *engine)
{
	volatile BatchResult result = BATCH_FAILED;

	forget_last_batch();
	MemoryContextReset(engine->item_context);
	engine->nitems = 0;
	engine->alone = false;
	engine->in_item = false;
	engine->blocked = false;
	engine->started = GetCurrentTimestamp();
	begin_batch(engine);
	PG_TRY();
	{
		wf_stat_begin(engine->owner, engine->started);
		if (!engine_is_armed())
		{
			commit_batch(engine);
			result = BATCH_STOP;
		}
		else
		{
			bool		through = batch_body(engine);

			commit_batch(engine);
			note_success(engine);
			result = (through && engine->nitems == 0) ? BATCH_IDLE : BATCH_DONE;
		}
	}
	PG_CATCH();
	{
		catch_error(engine);
	}
	PG_END_TRY();
	return engine->blocked ? BATCH_BLOCKED : result;
}

/* Earliest moment with something to do; in a transaction. */
TimestampTz
wf_engine_next(Engine *engine)
{
	TimestampTz next = engine->foreground ? wf_timer_earliest(engine->owner) : wf_timer_heap_next(engine->heap);
	TimestampTz parked = wf_parked_next(engine->owner);

	TimestampTz job = wf_job_next(engine->owner);

	if (parked != 0 && (next == 0 || parked < next))
		next = parked;
	if (job != 0 && (next == 0 || job < next))
		next = job;
	/* asked last: under an old snapshot this look-up walks all waits that were swept */
	if ((next == 0 || engine->next_sweep < next) && wf_wait_swept(engine->owner, 0, 1) != NIL)
		next = Max(engine->next_sweep, 1);
	return next;
}
