/*
 * launcher.c -- the one process of the server that starts coordinators, and the
 * hook that keeps workers out of the way of DDL on whole databases.
 *
 * The launcher is connected to no database and reads only pg_database.  It
 * finds the databases with the extension by trying: at its start one short
 * coordinator in each database that allows connections; later only where
 * CREATE EXTENSION or CREATE DATABASE was committed.  A coordinator that died
 * is started again with growing pauses, never in a database that is being
 * dropped.  Memory: TopMemoryContext, a few bytes per database.  Its locks are
 * those of reading pg_database.
 *
 * The hook runs in every session.  It acts only for who may carry the command
 * out, and whatever becomes of the command, the workers are back after it.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "activity.h"
#include "board.h"
#include "compat.h"
#include "launcher.h"
#include "order.h"
#include "register.h"
#include "settings.h"
#include "stat.h"
#include "store.h"

#define LAUNCHER_RESTART 5		/* seconds, by the postmaster */
#define SECOND INT64CONST(1000000)	/* microseconds */
#define LONGEST_SLEEP (60 * SECOND)
#define LONGEST_PAUSE 30		/* seconds between two attempts */
#define REFUSED_PAUSE 300		/* seconds: somebody must do something first */
#define STOPPED_PAUSE 10		/* seconds: perhaps somebody wants the database */
#define STABLE_LIFE (60 * SECOND)	/* a life this long ends a series of deaths */
#define MAX_STARTING 3			/* workers at the same time that only look */

#define SUSPEND_SECONDS 60		/* workers stay away this long at most */
#define STOP_MS 10000			/* wait for them this long */
#define STOP_POLL_MS 10
#define MAX_SUSPENDED 16		/* databases one transaction commands */

/* A database that has, may have or had a coordinator. */
typedef struct Watched
{
	Oid			database;
	BackgroundWorkerHandle *handle; /* NULL: none was started by this process */
	TimestampTz started;
	TimestampTz next_try;		/* 0: none */
	int			failures;		/* in a row */
	bool		stopped;		/* seen just now; the board is read after that */
} Watched;

static List *watched = NIL;		/* of Watched * */
static BoardDatabase known[BOARD_DATABASES];
static int	nknown;
static bool board_full_reported = false;
static bool no_worker_reported = false;

static ProcessUtility_hook_type next_utility = NULL;
static Oid	suspended[MAX_SUSPENDED];	/* by the transaction under way */
static int	nsuspended = 0;
static bool announce_here = false;
static bool rights_changed = false;

/* ----------------------------------------------------------------
 * Databases
 * ----------------------------------------------------------------
 */

/* Databases one can connect to, as list of OIDs in the caller's context. */
static List *
connectable_databases(void)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *databases = NIL;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext old;

		/* a limit of -2 marks what an interrupted DROP DATABASE left */
		if (!database->datallowconn || database->datconnlimit == -2)
			continue;
		old = MemoryContextSwitchTo(caller);
		databases = lappend_oid(databases, database->oid);
		MemoryContextSwitchTo(old);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
	return databases;
}

static Watched *
find_watched(Oid database)
{
	ListCell   *lc;

	foreach(lc, watched)
	{
		Watched    *w = lfirst(lc);

		if (w->database == database)
			return w;
	}
	return NULL;
}

static Watched *
watch(Oid database)
{
	Watched    *w = find_watched(database);
	MemoryContext old;

	if (w)
		return w;
	old = MemoryContextSwitchTo(TopMemoryContext);
	w = palloc0(sizeof(Watched));
	w->database = database;
	watched = lappend(watched, w);
	MemoryContextSwitchTo(old);
	return w;
}

static void
unwatch(Watched *w)
{
	wf_board_forget(w->database);
	wf_stat_forget(w->database);
	watched = list_delete_ptr(watched, w);
	pfree(w);
}

static const BoardDatabase *
on_board(Oid database)
{
	for (int i = 0; i < nknown; i++)
	{
		if (known[i].database == database)
			return &known[i];
	}
	return NULL;
}

static void
try_now(Oid database)
{
	Watched    *w = watch(database);

	w->next_try = GetCurrentTimestamp();
	w->failures = 0;
}

static void
try_all(void)
{
	List	   *databases = connectable_databases();
	ListCell   *lc;

	foreach(lc, databases)
		try_now(lfirst_oid(lc));
	list_free(databases);
}

/* ----------------------------------------------------------------
 * Coordinators
 * ----------------------------------------------------------------
 */

static TimestampTz
seconds_from_now(int seconds)
{
	return GetCurrentTimestamp() + seconds * SECOND;
}

/* Seconds to wait after the n-th death in a row: 1, 2, 4 ... 30. */
static int
pause_after(int failures)
{
	return failures > 5 ? LONGEST_PAUSE : Min(LONGEST_PAUSE, 1 << (failures - 1));
}

/* A coordinator has ended: when will there be another one? */
static void
ended(Watched *w)
{
	const BoardDatabase *b = on_board(w->database);

	if (w->started != 0 && GetCurrentTimestamp() - w->started > STABLE_LIFE)
		w->failures = 0;
	switch (b ? b->state : COORDINATOR_NONE)
	{
		case COORDINATOR_ABSENT:
			unwatch(w);
			return;
		case COORDINATOR_REFUSED:
			w->next_try = seconds_from_now(REFUSED_PAUSE);
			return;
		case COORDINATOR_STOPPED:
			w->next_try = seconds_from_now(STOPPED_PAUSE);
			return;
		default:
			w->failures++;
			w->next_try = seconds_from_now(pause_after(w->failures));
	}
}

/* Acts on the dead: those we started, and those a former launcher started. */
static void
reap(Watched *w)
{
	const BoardDatabase *b = on_board(w->database);

	if (w->stopped)
	{
		pfree(w->handle);
		w->handle = NULL;
		w->stopped = false;
		ended(w);
	}
	else if (w->handle == NULL && w->next_try == 0 && (b == NULL || b->state != COORDINATOR_LIVES))
		ended(w);
}

static bool
is_starting(const Watched *w)
{
	const BoardDatabase *b = on_board(w->database);

	return w->handle && (b == NULL || b->state != COORDINATOR_LIVES);
}

static int
starting(void)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, watched)
		n += is_starting(lfirst(lc)) ? 1 : 0;
	return n;
}

static bool
register_coordinator(Watched *w)
{
	BackgroundWorker worker = {0};
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	bool		registered;

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = ObjectIdGetDatum(w->database);
	worker.bgw_notify_pid = MyProcPid;
	strlcpy(worker.bgw_library_name, WF_LIBRARY, sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "wf_coordinator_main", sizeof(worker.bgw_function_name));
	snprintf(worker.bgw_name, BGW_MAXLEN, "automation coordinator of database %u", w->database);
	strlcpy(worker.bgw_type, "automation coordinator", BGW_MAXLEN);
	registered = RegisterDynamicBackgroundWorker(&worker, &w->handle);
	MemoryContextSwitchTo(old);
	return registered;
}

static void
report_once(bool *reported, const char *message, const char *hint)
{
	if (!*reported)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("%s", message), errhint("%s", hint)));
	*reported = true;
}

static void
start(Watched *w)
{
	const BoardDatabase *b = on_board(w->database);

	w->next_try = 0;
	if (b && b->state == COORDINATOR_LIVES)
		return;
	if (!wf_board_expect(w->database))
	{
		report_once(&board_full_reported, "too many databases with the extension automation",
					"Workflows of further databases run only by CALL automation.run().");
		w->next_try = seconds_from_now(REFUSED_PAUSE);
	}
	else if (register_coordinator(w))
	{
		w->started = GetCurrentTimestamp();
		no_worker_reported = false;
	}
	else
	{
		report_once(&no_worker_reported, "out of background worker slots for automation",
					"You might need to increase max_worker_processes.");
		w->next_try = seconds_from_now(STOPPED_PAUSE);
	}
}

static bool
is_due(const Watched *w, TimestampTz now)
{
	const BoardDatabase *b = on_board(w->database);

	return w->handle == NULL && w->next_try != 0 && w->next_try <= now && !(b && b->suspended);
}

/* Starts what is due; forgets what is no longer a database. */
static void
start_due(void)
{
	TimestampTz now = GetCurrentTimestamp();
	List	   *databases = NIL;
	bool		looked = false;
	List	   *due = NIL;
	ListCell   *lc;

	foreach(lc, watched)
	{
		if (is_due(lfirst(lc), now))
			due = lappend(due, lfirst(lc));
	}
	foreach(lc, due)
	{
		Watched    *w = lfirst(lc);

		if (starting() >= MAX_STARTING)
			break;
		if (!looked)
			databases = connectable_databases();
		looked = true;
		if (list_member_oid(databases, w->database))
			start(w);
		else
			unwatch(w);
	}
	list_free(databases);
	list_free(due);
}

/* ----------------------------------------------------------------
 * The process
 * ----------------------------------------------------------------
 */

/* Reads the board, and with it everything others asked for. */
static void
look_at_board(void)
{
	bool		rescan;

	nknown = wf_board_databases(known, &rescan);
	for (int i = 0; i < nknown; i++)
	{
		Watched    *w = watch(known[i].database);

		if (known[i].announced && !known[i].suspended && w->handle == NULL)
			try_now(known[i].database);
	}
	if (rescan)
		try_all();
}

/* A worker writes on the board before it ends, so the board is read after
 * its end was seen. */
static void
notice_ends(void)
{
	ListCell   *lc;
	pid_t		pid;

	foreach(lc, watched)
	{
		Watched    *w = lfirst(lc);

		w->stopped = w->handle && GetBackgroundWorkerPid(w->handle, &pid) == BGWH_STOPPED;
	}
}

static void
reap_all(void)
{
	List	   *all = list_copy(watched);
	ListCell   *lc;

	foreach(lc, all)
		reap(lfirst(lc));
	list_free(all);
}

/* Somebody may have mended what a coordinator refused. */
static void
reload(void)
{
	ListCell   *lc;

	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	foreach(lc, watched)
	{
		Watched    *w = lfirst(lc);

		if (w->next_try != 0)
			w->next_try = GetCurrentTimestamp();
	}
}

/* Milliseconds to the next attempt. */
static long
time_to_sleep(void)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz wake = now + LONGEST_SLEEP;
	ListCell   *lc;

	foreach(lc, watched)
	{
		const Watched *w = lfirst(lc);

		/* one that is due now waits for the suspension's end or for a start of
		 * another one: both wake us, but for a suspension that runs out */
		if (w->handle == NULL && w->next_try != 0)
			wake = Min(wake, Max(w->next_try, now + SECOND));
	}
	return TimestampDifferenceMilliseconds(now, wake);
}

static void
leave_if_asked(void)
{
	/* 1: started again, if it was not the server that stops */
	if (ShutdownRequestPending)
		proc_exit(1);
}

static void
connect_launcher(void)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	wf_board_launcher_enter();
	wf_activity_name();
	wf_activity(false, "automation: starts coordinators, one for each database with the extension");
}

/* Entry point of the launcher. */
void
wf_launcher_main(Datum arg)
{
	uint32		wait_event;

	connect_launcher();
	wait_event = wf_compat_wait_event("AutomationLauncherMain");
	try_all();
	for (;;)
	{
		leave_if_asked();
		if (ConfigReloadPending)
			reload();
		ResetLatch(MyLatch);
		notice_ends();
		look_at_board();
		reap_all();
		start_due();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 time_to_sleep(), wait_event);
		CHECK_FOR_INTERRUPTS();
	}
}

/* ----------------------------------------------------------------
 * DDL on whole databases
 * ----------------------------------------------------------------
 */

static DefElem *
find_option(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst(lc);

		if (strcmp(option->defname, name) == 0 && option->arg)
			return option;
	}
	return NULL;
}

static Oid
owned_database(const char *name)
{
	Oid			database = get_database_oid(name, true);

	return OidIsValid(database) && wf_compat_database_ownercheck(database, GetUserId()) ?
		database : InvalidOid;
}

static bool
may_create_databases(void)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	bool		may = superuser();

	if (HeapTupleIsValid(tuple))
	{
		may = may || ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
		ReleaseSysCache(tuple);
	}
	return may;
}

/* The template of CREATE DATABASE, if the user may copy it. */
static Oid
template_database(CreatedbStmt *stmt)
{
	DefElem    *option = find_option(stmt->options, "template");
	Oid			database = get_database_oid(option ? defGetString(option) : "template1", true);
	HeapTuple	tuple;
	bool		may;

	if (!OidIsValid(database) || !may_create_databases())
		return InvalidOid;
	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	may = ((Form_pg_database) GETSTRUCT(tuple))->datistemplate ||
		wf_compat_database_ownercheck(database, GetUserId());
	ReleaseSysCache(tuple);
	return may ? database : InvalidOid;
}

/* The database nobody may be connected to while the command runs. */
static Oid
database_wanted_alone(Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_DropdbStmt:
			return owned_database(((DropdbStmt *) stmt)->dbname);
		case T_CreatedbStmt:
			return template_database((CreatedbStmt *) stmt);
		case T_RenameStmt:
			if (((RenameStmt *) stmt)->renameType == OBJECT_DATABASE)
				return owned_database(((RenameStmt *) stmt)->subname);
			return InvalidOid;
		case T_AlterDatabaseStmt:
			if (find_option(((AlterDatabaseStmt *) stmt)->options, "tablespace"))
				return owned_database(((AlterDatabaseStmt *) stmt)->dbname);
			return InvalidOid;
		default:
			return InvalidOid;
	}
}

/* The launcher looks at this database when the transaction has ended. */
static void
resume_later(Oid database)
{
	for (int i = 0; i < nsuspended; i++)
	{
		if (suspended[i] == database)
			return;
	}
	if (nsuspended < MAX_SUSPENDED)
		suspended[nsuspended++] = database;
}

/* Stops the workers of a database and waits until they have gone.  Those that
 * do not go in time are the command's problem, which then says so. */
static void
stop_workers(Oid database)
{
	if (!wf_board_suspend(database, SUSPEND_SECONDS))
		return;
	resume_later(database);
	for (int waited = 0; waited < STOP_MS && wf_board_busy(database); waited += STOP_POLL_MS)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 STOP_POLL_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* May an owner run his workflows after this who could not before, or the other
 * way round?  Roles and databases are of no event trigger's concern. */
static bool
changes_rights(Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_AlterRoleStmt:
		case T_GrantRoleStmt:
			return true;
		case T_GrantStmt:
			return ((GrantStmt *) stmt)->objtype == OBJECT_DATABASE || ((GrantStmt *) stmt)->objtype == OBJECT_LANGUAGE;
		default:
			return false;
	}
}

/* After the command, still inside its transaction. */
static void
note_done(Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_CreatedbStmt:
			resume_later(get_database_oid(((CreatedbStmt *) stmt)->dbname, true));
			break;
		case T_CreateExtensionStmt:
		case T_AlterExtensionStmt:
			announce_here = announce_here || wf_store_present();
			break;
		case T_ReassignOwnedStmt:
			wf_reconcile_owners();		/* no event trigger sees it */
			break;
		case T_TransactionStmt:
			/* no commit callback has run in the session that prepared it */
			if (((TransactionStmt *) stmt)->kind != TRANS_STMT_COMMIT_PREPARED || !IsTransactionState())
				break;
			wf_board_wake_all();
			if (!wf_board_busy(MyDatabaseId))
				announce_here = announce_here || wf_store_present();
			break;
		default:
			break;
	}
}

static void
utility(PlannedStmt *pstmt, const char *query, bool read_only_tree, ProcessUtilityContext context,
		ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *qc)
{
	/* the tree may be gone after a command that ends a transaction */
	Node	   *stmt = pstmt->utilityStmt;
	bool		noted = IsA(stmt, CreatedbStmt) || IsA(stmt, CreateExtensionStmt) ||
		IsA(stmt, AlterExtensionStmt) || IsA(stmt, ReassignOwnedStmt) ||
		(IsA(stmt, TransactionStmt) && ((TransactionStmt *) stmt)->kind == TRANS_STMT_COMMIT_PREPARED);
	bool		alters_rights = changes_rights(stmt);
	Oid			database = wf_board_present() ? database_wanted_alone(stmt) : InvalidOid;

	if (OidIsValid(database))
		stop_workers(database);
	if (IsA(stmt, CreateFunctionStmt) || IsA(stmt, AlterFunctionStmt))
		wf_order_ddl(stmt);
	if (next_utility)
		next_utility(pstmt, query, read_only_tree, context, params, environment, dest, qc);
	else
		standard_ProcessUtility(pstmt, query, read_only_tree, context, params, environment, dest, qc);
	if (noted)
		note_done(stmt);
	rights_changed = rights_changed || alters_rights;
}

/* Commit or abort: the workers may come back, the launcher looks. */
static void
transaction_ended(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	for (int i = 0; i < nsuspended; i++)
		wf_board_resume(suspended[i]);
	nsuspended = 0;
	if (announce_here && event == XACT_EVENT_COMMIT)
		wf_board_announce();
	if (rights_changed && event == XACT_EVENT_COMMIT)
		wf_board_rights_changed();
	announce_here = rights_changed = false;
}

static void
register_launcher(void)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = LAUNCHER_RESTART;
	strlcpy(worker.bgw_library_name, WF_LIBRARY, sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "wf_launcher_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "automation launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "automation launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

/* From _PG_init() under shared_preload_libraries.  Under pg_upgrade nobody
 * works: it has listed the files that it is going to copy. */
void
wf_launcher_init(void)
{
	if (IsBinaryUpgrade)
		return;
	register_launcher();
	next_utility = ProcessUtility_hook;
	ProcessUtility_hook = utility;
	RegisterXactCallback(transaction_ended, NULL);
}
