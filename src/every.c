/*
 * every.c -- runs of EVERY: from a tick to entries.
 *
 * Called by item.c (a tick) and job_run.c (a piece of a run), as the workflow's
 * owner, in the batch's transaction.
 *
 * A run is a job.  Its first piece evaluates FOR, once, with one snapshot, and
 * keeps the arguments that it gives in this process, in memory and beyond that
 * in a temporary file: no snapshot and no lock is held from one piece to the
 * next.  The pieces after it enter some rows each, by the same checks as
 * everybody; where they stand commits with what they did (job->done).
 *
 * When the process dies, FOR is evaluated again, and who has entered since the
 * run began is passed over: his ledger says so, even if he is out again.  The
 * run's beginning (job->started_at) is the moment of all its entries.
 *
 * What is kept lives in a context of its own until the run is over.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/tuplestore.h"

#include "clock.h"
#include "compat.h"
#include "every.h"
#include "history.h"
#include "ledger.h"
#include "ready.h"
#include "schedule.h"
#include "start.h"
#include "stat.h"

#define KEPT_MEMORY 4096				/* kB; the rest goes to a file */

/* What FOR gave for a run: one text, or null, per argument. */
typedef struct Rows
{
	int64		job;
	MemoryContext context;
	Tuplestorestate *store;
	int			mark;					/* read pointer at row "committed" */
	TupleTableSlot *slot;
	int64		total;
	int64		read;					/* rows, by this batch and those before */
	int64		committed;
	int			filled;					/* so often FOR was evaluated for the run; 0 = not to its end */
	bool		over;					/* by the batch under way */
} Rows;

static List *kept = NIL;				/* of Rows *, TopMemoryContext */

/* --- what FOR gives --- */

typedef struct Receiver
{
	DestReceiver pub;
	Rows	   *rows;
	const Signature *sig;
	MemoryContext row_context;
} Receiver;

static void
receiver_startup(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
receiver_nothing(DestReceiver *self)
{
}

/* The arguments of a row: not the row, whose types DDL may change. */
static bool
receive(TupleTableSlot *slot, DestReceiver *self)
{
	Receiver   *receiver = (Receiver *) self;
	Rows	   *rows = receiver->rows;
	MemoryContext old = MemoryContextSwitchTo(receiver->row_context);
	TupleDesc	desc = rows->slot->tts_tupleDescriptor;
	Datum	   *values = palloc0(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc0(desc->natts * sizeof(bool));
	char	  **args = wf_start_args(receiver->sig, ExecFetchSlotHeapTuple(slot, false, NULL),
									 slot->tts_tupleDescriptor);

	for (int i = 0; i < desc->natts; i++)
	{
		nulls[i] = args[i] == NULL;
		if (args[i])
			values[i] = CStringGetTextDatum(args[i]);
	}
	MemoryContextSwitchTo(rows->context);
	tuplestore_putvalues(rows->store, desc, values, nulls);
	rows->total++;
	MemoryContextSwitchTo(old);
	MemoryContextReset(receiver->row_context);
	MemoryContextSwitchTo(old);
	return true;
}

static TupleDesc
argument_texts(const Signature *sig)
{
	TupleDesc	desc = CreateTemplateTupleDesc(sig->nargs);

	for (int i = 0; i < sig->nargs; i++)
		TupleDescInitEntry(desc, i + 1, NULL, TEXTOID, -1, 0);
	return desc;
}

/* An empty list of rows.  Its file outlives the transaction, and so belongs to
 * no resource owner. */
static Rows *
create_rows(int64 job, const Signature *sig)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "automation run of EVERY", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ResourceOwner owner = CurrentResourceOwner;
	Rows	   *rows = palloc0(sizeof(Rows));

	rows->job = job;
	rows->context = context;
	CurrentResourceOwner = NULL;
	rows->store = tuplestore_begin_heap(false, true, KEPT_MEMORY);
	CurrentResourceOwner = owner;
	rows->mark = tuplestore_alloc_read_pointer(rows->store, 0);
	rows->slot = MakeSingleTupleTableSlot(argument_texts(sig), &TTSOpsMinimalTuple);
	MemoryContextSwitchTo(TopMemoryContext);
	kept = lappend(kept, rows);
	MemoryContextSwitchTo(old);
	return rows;
}

static void
forget_rows(Rows *rows)
{
	kept = list_delete_ptr(kept, rows);
	wf_ledger_expect_nothing();
	tuplestore_end(rows->store);
	MemoryContextDelete(rows->context);
}

static Rows *
find_rows(int64 job)
{
	ListCell   *lc;

	foreach(lc, kept)
		if (((Rows *) lfirst(lc))->job == job)
			return lfirst(lc);
	return NULL;
}

/* Evaluates FOR of a clause. */
static Rows *
fill_rows(const Job *job, const Every *every, TimestampTz now)
{
	const Signature *sig = job->program->sig;
	Rows	   *rows = create_rows(job->id, sig);
	Receiver	receiver = {{receive, receiver_startup, receiver_nothing, receiver_nothing, DestNone}};

	receiver.rows = rows;
	receiver.sig = sig;
	receiver.row_context = AllocSetContextCreate(CurrentMemoryContext, "automation row of FOR", ALLOCSET_SMALL_SIZES);
	SPI_connect();
	wf_sql_send(every->query, wf_frame_create(sig, 0, NULL, now), &receiver.pub);
	SPI_finish();
	MemoryContextDelete(receiver.row_context);
	return rows;
}

void
wf_every_committed(void)
{
	List	   *all = list_copy(kept);
	ListCell   *lc;

	foreach(lc, all)
	{
		Rows	   *rows = lfirst(lc);

		if (rows->over)
			forget_rows(rows);
		else if (rows->committed != rows->read)
		{
			tuplestore_copy_read_pointer(rows->store, 0, rows->mark);
			rows->committed = rows->read;
			tuplestore_trim(rows->store);
		}
	}
	list_free(all);
}

void
wf_every_rolled_back(void)
{
	List	   *all = list_copy(kept);
	ListCell   *lc;

	foreach(lc, all)
	{
		Rows	   *rows = lfirst(lc);

		if (rows->filled == 0)
		{
			forget_rows(rows);
			continue;
		}
		rows->over = false;
		if (rows->committed != rows->read)
			tuplestore_copy_read_pointer(rows->store, rows->mark, 0);
		rows->read = rows->committed;
	}
	list_free(all);
}

/* Of runs that somebody else ended: cancelled, failed, or dropped with their
 * workflow. Should that be rolled back, FOR is evaluated again. */
static void
forget_ended(void)
{
	List	   *all = list_copy(kept);
	ListCell   *lc;

	foreach(lc, all)
	{
		Job		   *job = wf_job_load(((Rows *) lfirst(lc))->job);

		if (job == NULL || job->finished_at != 0)
			forget_rows(lfirst(lc));
	}
	list_free(all);
}

/* The next row's arguments; NULL: there is none. */
static char **
next_row(Rows *rows, int nargs)
{
	MemoryContext old = MemoryContextSwitchTo(rows->context);	/* of a row read from the file */
	bool		found = tuplestore_gettupleslot(rows->store, true, false, rows->slot);
	char	  **args;

	MemoryContextSwitchTo(old);
	if (!found)
		return NULL;
	rows->read++;
	slot_getallattrs(rows->slot);
	args = palloc(nargs * sizeof(char *));
	for (int i = 0; i < nargs; i++)
		args[i] = rows->slot->tts_isnull[i] ? NULL : TextDatumGetCString(rows->slot->tts_values[i]);
	return args;
}

/* --- pieces --- */

/* A job's position: how often FOR was evaluated. */
static int
times_filled(const Job *job)
{
	return job->position ? pg_strtoint32(job->position) : 0;
}

/* The first piece, also of a process that takes over. */
static bool
begin(Job *job, const Every *every, const ItemOptions *options)
{
	Rows	   *rows = find_rows(job->id);

	if (rows)
		forget_rows(rows);				/* somebody else went on with it meanwhile */
	forget_ended();
	rows = fill_rows(job, every, options->now);
	rows->filled = times_filled(job) + 1;
	job->position = psprintf("%d", rows->filled);
	job->done = 0;
	job->total = rows->total;
	rows->over = rows->total == 0;
	wf_ledger_expect(job->workflow, rows->total);
	return rows->over;
}

static Event
event_of_row(const Job *job, char **args)
{
	Event		event = {.kind = EVENT_HAND, .owner = job->owner, .at = job->started_at};

	event.hits = palloc(2 * sizeof(int));
	event.hits[0] = job->workflow << 2;
	event.hits[1] = job->clause << 2;
	event.nhits = 2;
	event.args = wf_start_args_to_jsonb(args, job->program->sig->nargs);
	return event;
}

static void
enter_row(const Job *job, char **args, const ItemOptions *options)
{
	if (options->failure)
	{
		Event		event = event_of_row(job, args);

		wf_event_append(&event);
	}
	else
	{
		Entry		entry = {.program = job->program,.args = args,.at = job->started_at};

		entry.run = times_filled(job) > 1 ? ENTRY_RUN_AGAIN : ENTRY_RUN;
		wf_enroll(&entry, job->paused, options);
	}
}

bool
wf_every_piece(Job *job, const ItemOptions *options)
{
	Rows	   *rows = find_rows(job->id);
	MemoryContext row_context;
	MemoryContext old;
	char	  **args = NULL;

	if (job->clause > job->program->neverys)
		return true;					/* the workflow was replaced */
	if (rows == NULL || rows->filled == 0 || rows->filled != times_filled(job) || rows->read != job->done)
		return begin(job, &job->program->everys[job->clause - 1], options);
	row_context = AllocSetContextCreate(CurrentMemoryContext, "automation entry", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(row_context);
	for (int i = 0; i < job->limit && !wf_job_time_over(job); i++)
	{
		args = next_row(rows, job->program->sig->nargs);
		if (args == NULL)
			break;
		enter_row(job, args, options);
		wf_run_clear();
		MemoryContextReset(row_context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(row_context);
	job->done = rows->read;
	rows->over = rows->read == rows->total;
	return rows->over;
}

/* --- ticks --- */

/* A line in the journal for a time of the schedule that is not run. */
static void
note_missed(const Schedule *schedule, const WorkflowRow *row, TimestampTz at, const char *reason, TimestampTz now)
{
	wf_stat_count(STAT_REFUSED);
	wf_history_refused(schedule->owner, row->id, row->version, 0, 0, NULL, now, reason,
					   wf_schedule_detail(schedule, at));
}

/*
 * Is a run of the clause still under way?  One that could not even evaluate FOR
 * makes room for the next.
 */
static bool
still_running(const Schedule *schedule, TimestampTz now)
{
	Job		   *job = wf_job_open(schedule->workflow, JOB_EVERY, schedule->clause);

	if (job == NULL)
		return false;
	if (job->position != NULL || job->attempt == 0)
		return true;
	wf_job_finish(job, "failed", now);
	return false;
}

static void
begin_run(const Schedule *schedule, const WorkflowRow *row, TimestampTz at)
{
	Job			job = {.owner = schedule->owner,.workflow = row->id,.version = row->version,.kind = JOB_EVERY,
	.clause = schedule->clause,.total = -1,.at = at};

	job.args = wf_schedule_detail(schedule, at);
	(void) wf_job_insert(&job);
}

void
wf_every_tick(const char *id, const char *driver, const ItemOptions *options)
{
	Schedule   *schedule = wf_schedule_load(strtoi64(id, NULL, 10));
	TimestampTz at = schedule ? wf_schedule_due(schedule, options->now) : 0;
	WorkflowRow *row = at ? wf_workflow_load(schedule->workflow) : NULL;
	const char *reason = NULL;
	bool		paused;

	if (row == NULL)
		return;
	if (schedule->owner != options->owner)
	{
		wf_command_append(row, "tick", driver, 0, 0, id);
		return;
	}
	paused = strcmp(row->entry, "paused") == 0;
	if (!paused && wf_ready(row->id, row->version, &row, &reason) == NULL)
		return;							/* held; what comes when it is released is due then */
	if (paused)
		note_missed(schedule, row, at, "missed_while_paused", options->now);
	else if (still_running(schedule, options->now))
		note_missed(schedule, row, at, "still_running", options->now);
	else
		begin_run(schedule, row, at);
	wf_schedule_ran(schedule, at, driver);
}
