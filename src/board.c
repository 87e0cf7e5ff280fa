/*
 * board.c -- shared memory: who lives, whom to wake.
 *
 * One entry per database with the extension, in it the coordinator, who delivers,
 * and a row of seats: executors and sessions inside automation.run().  Who takes, frees
 * or asks holds the lock.  Who only wakes takes no lock, so that a commit waits
 * for nobody: it may meet a seat that has just changed hands, then a stranger
 * gets a needless wake-up.  Nothing is lost, because whoever frees a seat makes
 * it free first and reads the log once more afterwards.
 *
 * The wake functions allocate nothing and raise nothing: they run in commit
 * callbacks.  Seats and entries of a dying process are freed by a callback
 * that runs after its transaction was aborted and before its PGPROC, whose
 * latch is on the board, goes to somebody else.
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "port/atomics.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "board.h"
#include "compat.h"
#include "settings.h"

#define TRANCHE "automation"
#define NEVER_DRAINED PG_INT64_MIN

/* Somebody who can be woken.  The latch is written under the lock, after which
 * "taken" becomes true. */
typedef struct Sleeper
{
	volatile bool taken;
	pid_t		pid;
	Latch	   *latch;
	pg_atomic_uint32 pending;	/* 1: somebody has set the latch already */
} Sleeper;

typedef struct Seat
{
	Sleeper		sleeper;
	volatile int owner;
	bool		background;
	volatile bool leaving;
	TimestampTz since;			/* taken; server's clock */
	TimestampTz idle_since;		/* server's clock; 0 = at work */
	pg_atomic_uint64 drained;	/* engine time */
} Seat;

typedef struct Entry
{
	volatile Oid database;		/* invalid: entry is free */
	Sleeper		coordinator;
	Sleeper		delivery;
	volatile bool delivers_in_background;	/* not a session in automation.deliver() */
	pg_atomic_uint64 delivered;	/* engine time */
	CoordinatorState state;
	bool		announced;
	TimestampTz suspended;		/* no worker may start before; 0 = not */
	Seat		seats[FLEXIBLE_ARRAY_MEMBER];
} Entry;

typedef struct Board
{
	LWLock	   *lock;
	Sleeper		launcher;
	bool		rescan;
	pg_atomic_uint32 rights;	/* counts changes of what roles may do */
	char		entries[FLEXIBLE_ARRAY_MEMBER];
} Board;

static Board *board = NULL;
static Seat *my_seat = NULL;
static Entry *my_coordination = NULL;	/* set in a coordinator */
static Entry *my_delivery = NULL;	/* set in who delivers */
static CoordinatorState my_verdict = COORDINATOR_NONE;
static bool am_launcher = false;
static bool exit_registered = false;
static shmem_request_hook_type next_request = NULL;
static shmem_startup_hook_type next_startup = NULL;

/* Fixed at server start. */
static int
seat_count(void)
{
	return wf_max_executors + BOARD_RUN_SEATS;
}

static Size
entry_size(void)
{
	return MAXALIGN(add_size(offsetof(Entry, seats), mul_size(seat_count(), sizeof(Seat))));
}

static Size
board_size(void)
{
	return add_size(MAXALIGN(offsetof(Board, entries)), mul_size(BOARD_DATABASES, entry_size()));
}

static Entry *
entry_at(int i)
{
	return (Entry *) ((char *) board + MAXALIGN(offsetof(Board, entries)) + i * entry_size());
}

/* ----------------------------------------------------------------
 * Creation
 * ----------------------------------------------------------------
 */

static void
sleeper_init(Sleeper *sleeper)
{
	sleeper->taken = false;
	sleeper->latch = NULL;
	pg_atomic_init_u32(&sleeper->pending, 0);
}

static void
entry_init(Entry *entry)
{
	entry->database = InvalidOid;
	sleeper_init(&entry->coordinator);
	sleeper_init(&entry->delivery);
	pg_atomic_init_u64(&entry->delivered, (uint64) NEVER_DRAINED);
	for (int i = 0; i < seat_count(); i++)
	{
		sleeper_init(&entry->seats[i].sleeper);
		pg_atomic_init_u64(&entry->seats[i].drained, (uint64) NEVER_DRAINED);
	}
}

static void
request(void)
{
	if (next_request)
		next_request();
	RequestAddinShmemSpace(board_size());
	RequestNamedLWLockTranche(TRANCHE, 1);
}

static void
startup(void)
{
	bool		found;

	if (next_startup)
		next_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	board = ShmemInitStruct("automation board", board_size(), &found);
	if (!found)
	{
		memset(board, 0, board_size());
		board->lock = &GetNamedLWLockTranche(TRANCHE)->lock;
		sleeper_init(&board->launcher);
		pg_atomic_init_u32(&board->rights, 0);
		for (int i = 0; i < BOARD_DATABASES; i++)
			entry_init(entry_at(i));
	}
	LWLockRelease(AddinShmemInitLock);
}

/* From _PG_init() under shared_preload_libraries, after the settings. */
void
wf_board_init(void)
{
	next_request = shmem_request_hook;
	shmem_request_hook = request;
	next_startup = shmem_startup_hook;
	shmem_startup_hook = startup;
}

bool
wf_board_present(void)
{
	return board != NULL;
}

/* ----------------------------------------------------------------
 * Waking: no lock, no allocation, no error
 * ----------------------------------------------------------------
 */

/* The first one to ask sets the latch; false if nobody is there. */
static bool
wake(Sleeper *sleeper)
{
	Latch	   *latch;

	if (!sleeper->taken)
		return false;
	pg_read_barrier();
	latch = sleeper->latch;
	if (latch == NULL)
		return false;
	if (pg_atomic_exchange_u32(&sleeper->pending, 1) == 0)
		SetLatch(latch);
	return true;
}

/* Entry of a database, NULL if there is none; remembers where it was. */
static Entry *
find_entry(Oid database)
{
	static int	last = 0;

	if (board == NULL || !OidIsValid(database))
		return NULL;
	if (entry_at(last)->database == database)
		return entry_at(last);
	for (int i = 0; i < BOARD_DATABASES; i++)
	{
		if (entry_at(i)->database == database)
		{
			last = i;
			return entry_at(i);
		}
	}
	return NULL;
}

static Seat *
find_seat(Entry *entry, int owner)
{
	for (int i = 0; entry && i < seat_count(); i++)
	{
		Seat	   *seat = &entry->seats[i];

		if (seat->sleeper.taken && seat->owner == owner)
			return seat;
	}
	return NULL;
}

void
wf_board_wake_launcher(void)
{
	if (board)
		wake(&board->launcher);
}

static void
wake_coordinator_of(Entry *entry)
{
	if (entry)
		wake(&entry->coordinator);
}

void
wf_board_wake_coordinator(void)
{
	wake_coordinator_of(find_entry(MyDatabaseId));
}

void
wf_board_rights_changed(void)
{
	if (board)
		pg_atomic_fetch_add_u32(&board->rights, 1);
	for (int i = 0; board && i < BOARD_DATABASES; i++)
	{
		if (OidIsValid(entry_at(i)->database))
			wake(&entry_at(i)->coordinator);
	}
}

uint32
wf_board_rights(void)
{
	return board ? pg_atomic_read_u32(&board->rights) : 0;
}

/* The executor of an owner, else the coordinator, which starts one. */
void
wf_board_wake_owner(int owner)
{
	Entry	   *entry = find_entry(MyDatabaseId);
	Seat	   *seat = find_seat(entry, owner);

	if (seat == NULL || !wake(&seat->sleeper))
		wake_coordinator_of(entry);
}

void
wf_board_wake_delivery(void)
{
	Entry	   *entry = find_entry(MyDatabaseId);

	if (entry && !wake(&entry->delivery))
		wake_coordinator_of(entry);
}

void
wf_board_wake_all(void)
{
	Entry	   *entry = find_entry(MyDatabaseId);

	for (int i = 0; entry && i < seat_count(); i++)
		wake(&entry->seats[i].sleeper);
	if (entry)
		wake(&entry->delivery);
	wake_coordinator_of(entry);
}

/* ----------------------------------------------------------------
 * Taking and freeing: under the lock
 * ----------------------------------------------------------------
 */

static void
occupy(Sleeper *sleeper)
{
	sleeper->pid = MyProcPid;
	sleeper->latch = &MyProc->procLatch;
	pg_atomic_write_u32(&sleeper->pending, 0);
	pg_write_barrier();
	sleeper->taken = true;
}

static void
vacate(Sleeper *sleeper)
{
	sleeper->taken = false;
	sleeper->pid = 0;
}

/* Frees whatever this process holds; the next in line hears of it.  Runs
 * between the abort of the last transaction and the loss of the PGPROC. */
static void
leave_board(int code, Datum arg)
{
	wf_board_release_seat();
	wf_board_delivery_leave();
	wf_board_coordinator_leave();
	if (am_launcher)
	{
		LWLockAcquire(board->lock, LW_EXCLUSIVE);
		vacate(&board->launcher);
		LWLockRelease(board->lock);
		am_launcher = false;
	}
}

static void
register_exit(void)
{
	if (!exit_registered)
		on_shmem_exit(leave_board, (Datum) 0);
	exit_registered = true;
}

/* Finds or makes the entry of a database; NULL if the board is full. */
static Entry *
make_entry(Oid database)
{
	Entry	   *entry = find_entry(database);

	for (int i = 0; entry == NULL && i < BOARD_DATABASES; i++)
	{
		if (OidIsValid(entry_at(i)->database))
			continue;
		entry = entry_at(i);
		entry->state = COORDINATOR_NONE;
		entry->announced = false;
		entry->suspended = 0;
		pg_write_barrier();
		entry->database = database;
	}
	return entry;
}

static bool
suspended(Entry *entry)
{
	return entry->suspended != 0 && entry->suspended > GetCurrentTimestamp();
}

static int
taken_seats(Entry *entry, bool only_background)
{
	int			n = 0;

	for (int i = 0; i < seat_count(); i++)
	{
		if (entry->seats[i].sleeper.taken && (entry->seats[i].background || !only_background))
			n++;
	}
	return n;
}

static Seat *
free_seat(Entry *entry)
{
	for (int i = 0; i < seat_count(); i++)
	{
		if (!entry->seats[i].sleeper.taken)
			return &entry->seats[i];
	}
	return NULL;
}

static void
sit_down(Seat *seat, int owner)
{
	seat->owner = owner;
	seat->background = MyBgworkerEntry != NULL;
	seat->leaving = false;
	seat->since = GetCurrentTimestamp();
	seat->idle_since = 0;
	pg_atomic_write_u64(&seat->drained, (uint64) NEVER_DRAINED);
	occupy(&seat->sleeper);
	my_seat = seat;
}

/* Takes a seat for an owner; a process has one at most. */
bool
wf_board_take_seat(int owner)
{
	Entry	   *entry;
	Seat	   *seat = NULL;

	if (board == NULL)
		return true;
	Assert(my_seat == NULL);
	register_exit();
	LWLockAcquire(board->lock, LW_EXCLUSIVE);
	entry = make_entry(MyDatabaseId);
	if (entry && !suspended(entry) && find_seat(entry, owner) == NULL &&
		(MyBgworkerEntry == NULL || taken_seats(entry, true) < wf_max_executors))
		seat = free_seat(entry);
	if (seat)
		sit_down(seat, owner);
	LWLockRelease(board->lock);
	if (seat && MyBgworkerEntry)
		wf_board_wake_coordinator();	/* it takes note of who could connect */
	return seat != NULL;
}

/*
 * Frees the seat.  From here on changes wake the coordinator; who wants to go
 * reads the log once more after this, and takes the seat again if there is
 * something.
 */
void
wf_board_release_seat(void)
{
	if (my_seat == NULL)
		return;
	LWLockAcquire(board->lock, LW_EXCLUSIVE);
	vacate(&my_seat->sleeper);
	LWLockRelease(board->lock);
	my_seat = NULL;
	wf_board_wake_coordinator();
}

uint32
wf_board_take_pending(void)
{
	return my_seat ? pg_atomic_exchange_u32(&my_seat->sleeper.pending, 0) : 0;
}

void
wf_board_set_idle(bool idle)
{
	TimestampTz since = idle ? GetCurrentTimestamp() : 0;

	if (my_seat == NULL || (idle && my_seat->idle_since != 0))
		return;
	LWLockAcquire(board->lock, LW_EXCLUSIVE);
	my_seat->idle_since = since;
	LWLockRelease(board->lock);
}

bool
wf_board_asked_to_leave(void)
{
	return my_seat && my_seat->leaving;
}

void
wf_board_set_drained(TimestampTz upto)
{
	if (my_seat)
		pg_atomic_write_u64(&my_seat->drained, (uint64) upto);
}

bool
wf_board_drained(int owner, TimestampTz *upto)
{
	Seat	   *seat = find_seat(find_entry(MyDatabaseId), owner);

	if (seat)
		*upto = (TimestampTz) pg_atomic_read_u64(&seat->drained);
	return seat != NULL;
}

/* ----------------------------------------------------------------
 * Coordinator
 * ----------------------------------------------------------------
 */

int
wf_board_seats(BoardSeat *seats)
{
	Entry	   *entry;
	int			n = 0;

	if (board == NULL)
		return 0;
	LWLockAcquire(board->lock, LW_SHARED);
	entry = find_entry(MyDatabaseId);
	for (int i = 0; entry && i < seat_count(); i++)
	{
		Seat	   *seat = &entry->seats[i];

		if (!seat->sleeper.taken)
			continue;
		seats[n].owner = seat->owner;
		seats[n].background = seat->background;
		seats[n].leaving = seat->leaving;
		seats[n].since = seat->since;
		seats[n].idle_since = seat->idle_since;
		n++;
	}
	LWLockRelease(board->lock);
	return n;
}

void
wf_board_ask_to_leave(int owner)
{
	Seat	   *seat;

	if (board == NULL)
		return;
	LWLockAcquire(board->lock, LW_EXCLUSIVE);
	seat = find_seat(find_entry(MyDatabaseId), owner);
	if (seat)
		seat->leaving = true;
	LWLockRelease(board->lock);
	if (seat)
		wake(&seat->sleeper);
}

bool
wf_board_coordinator_enter(void)
{
	Entry	   *entry;
	bool		entered;

	if (board == NULL)
		return false;
	register_exit();
	LWLockAcquire(board->lock, LW_EXCLUSIVE);
	entry = make_entry(MyDatabaseId);
	entered = entry && !suspended(entry) && !entry->coordinator.taken;
	if (entered)
	{
		entry->suspended = 0;
		entry->state = COORDINATOR_LIVES;
		occupy(&entry->coordinator);
		my_coordination = entry;
	}
	LWLockRelease(board->lock);
	return entered;
}

void
wf_board_coordinator_verdict(CoordinatorState why)
{
	my_verdict = why;
}

void
wf_board_coordinator_leave(void)
{
	if (my_coordination == NULL)
		return;
	LWLockAcquire(board->lock, LW_EXCLUSIVE);
	vacate(&my_coordination->coordinator);
	my_coordination->state = my_verdict;
	LWLockRelease(board->lock);
	my_coordination = NULL;
	wf_board_wake_launcher();
}

CoordinatorState
wf_board_coordinator_state(void)
{
	Entry	   *entry = find_entry(MyDatabaseId);

	return entry ? entry->state : COORDINATOR_NONE;
}

uint32
wf_board_coordinator_pending(void)
{
	return my_coordination ? pg_atomic_exchange_u32(&my_coordination->coordinator.pending, 0) : 0;
}

/* ----------------------------------------------------------------
 * Delivery
 * ----------------------------------------------------------------
 */

bool
wf_board_delivery_enter(void)
{
	Entry	   *entry;
	bool		entered;

	if (board == NULL)
		return true;
	Assert(my_delivery == NULL);
	register_exit();
	LWLockAcquire(board->lock, LW_EXCLUSIVE);
	entry = make_entry(MyDatabaseId);
	entered = entry && !suspended(entry) && !entry->delivery.taken;
	if (entered)
	{
		entry->delivers_in_background = MyBgworkerEntry != NULL;
		pg_atomic_write_u64(&entry->delivered, (uint64) NEVER_DRAINED);
		occupy(&entry->delivery);
		my_delivery = entry;
	}
	LWLockRelease(board->lock);
	return entered;
}

/* From here on messages wake the coordinator, which looks whether any are left. */
void
wf_board_delivery_leave(void)
{
	if (my_delivery == NULL)
		return;
	LWLockAcquire(board->lock, LW_EXCLUSIVE);
	vacate(&my_delivery->delivery);
	LWLockRelease(board->lock);
	my_delivery = NULL;
	wf_board_wake_coordinator();
}

uint32
wf_board_delivery_pending(void)
{
	return my_delivery ? pg_atomic_exchange_u32(&my_delivery->delivery.pending, 0) : 0;
}

bool
wf_board_delivery_in_the_way(void)
{
	return my_delivery && suspended(my_delivery);
}

void
wf_board_set_delivered(TimestampTz upto)
{
	if (my_delivery)
		pg_atomic_write_u64(&my_delivery->delivered, (uint64) upto);
}

bool
wf_board_delivered(TimestampTz *upto)
{
	Entry	   *entry = find_entry(MyDatabaseId);

	if (entry == NULL || !entry->delivery.taken)
		return false;
	*upto = (TimestampTz) pg_atomic_read_u64(&entry->delivered);
	return true;
}

/* ----------------------------------------------------------------
 * Launcher, and DDL on whole databases
 * ----------------------------------------------------------------
 */

void
wf_board_launcher_enter(void)
{
	register_exit();
	LWLockAcquire(board->lock, LW_EXCLUSIVE);
	occupy(&board->launcher);
	LWLockRelease(board->lock);
	am_launcher = true;
}

int
wf_board_databases(BoardDatabase *databases, bool *rescan)
{
	int			n = 0;

	LWLockAcquire(board->lock, LW_EXCLUSIVE);
	pg_atomic_write_u32(&board->launcher.pending, 0);
	*rescan = board->rescan;
	board->rescan = false;
	for (int i = 0; i < BOARD_DATABASES; i++)
	{
		Entry	   *entry = entry_at(i);

		if (!OidIsValid(entry->database))
			continue;
		databases[n].database = entry->database;
		databases[n].state = entry->state;
		databases[n].announced = entry->announced;
		databases[n].suspended = suspended(entry);
		if (!databases[n].suspended)
			entry->announced = false;
		n++;
	}
	LWLockRelease(board->lock);
	return n;
}

static bool
entry_busy(Entry *entry)
{
	return entry->coordinator.taken || entry->delivery.taken || taken_seats(entry, false) > 0;
}

bool
wf_board_expect(Oid database)
{
	Entry	   *entry;

	LWLockAcquire(board->lock, LW_EXCLUSIVE);
	entry = make_entry(database);
	LWLockRelease(board->lock);
	return entry != NULL;
}

void
wf_board_forget(Oid database)
{
	Entry	   *entry;

	LWLockAcquire(board->lock, LW_EXCLUSIVE);
	entry = find_entry(database);
	if (entry && !entry_busy(entry) && !suspended(entry) && !entry->announced)
		entry->database = InvalidOid;
	LWLockRelease(board->lock);
}

/* A live pid on the board is ours to signal: it leaves the board before the
 * process ends, and we hold the lock. */
static void
stop(Sleeper *sleeper)
{
	if (sleeper->taken && sleeper->pid != 0)
		kill(sleeper->pid, SIGTERM);
}

static void
stop_workers(Entry *entry)
{
	stop(&entry->coordinator);
	if (entry->delivers_in_background)
		stop(&entry->delivery);
	for (int i = 0; i < seat_count(); i++)
	{
		Seat	   *seat = &entry->seats[i];

		if (!seat->background)
			continue;
		seat->leaving = true;
		stop(&seat->sleeper);
	}
}

bool
wf_board_suspend(Oid database, int seconds)
{
	Entry	   *entry;

	if (board == NULL)
		return false;
	LWLockAcquire(board->lock, LW_EXCLUSIVE);
	entry = find_entry(database);
	if (entry)
	{
		entry->suspended = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), (int64) seconds * 1000);
		stop_workers(entry);
	}
	LWLockRelease(board->lock);
	return entry != NULL;
}

bool
wf_board_busy(Oid database)
{
	Entry	   *entry;
	bool		busy;

	if (board == NULL)
		return false;
	LWLockAcquire(board->lock, LW_SHARED);
	entry = find_entry(database);
	busy = entry && (entry->coordinator.taken || taken_seats(entry, true) > 0 ||
					 (entry->delivery.taken && entry->delivers_in_background));
	LWLockRelease(board->lock);
	return busy;
}

/* Asks the launcher to look at a database, if it has no coordinator. */
static void
announce(Oid database, bool resume)
{
	Entry	   *entry;

	if (board == NULL)
		return;
	LWLockAcquire(board->lock, LW_EXCLUSIVE);
	entry = make_entry(database);
	if (entry)
		entry->announced = true;
	else
		board->rescan = true;
	if (entry && resume)
		entry->suspended = 0;
	LWLockRelease(board->lock);
	wf_board_wake_launcher();
}

void
wf_board_resume(Oid database)
{
	announce(database, true);
}

void
wf_board_announce(void)
{
	announce(MyDatabaseId, false);
}
