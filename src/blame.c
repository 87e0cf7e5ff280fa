/*
 * blame.c -- who killed the server: automation.blame in the data directory.
 *
 * Called by whoever executes items.  The file is mapped by every such process:
 * writing a note is a store in memory, without system call and without fsync;
 * the kernel keeps it when processes die.  Notes have one writer each.  Suspects
 * of an owner are written only by the process that holds the owner's lock, so
 * only taking a free place needs an atomic operation.
 *
 * Memory: the mapping, for the process's life.  Errors: none; what goes wrong
 * with the file is logged once, and there is no blame then.
 */
#include "postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/fd.h"
#include "storage/ipc.h"

#include "blame.h"
#include "compat.h"
#include "stat.h"
#include "watchdog.h"

#define BLAME_FILE "automation.blame"	/* the data directory is the current one */
#define BLAME_MAGIC 0x57464232	/* changes with the layout */
#define PLACES 256

/* What a process runs.  Free when pid is 0. */
typedef struct Note
{
	pg_atomic_uint32 pid;
	Oid			database;
	int32		owner;
	int32		alone;
	volatile int32 kind;		/* written last, cleared first; 0 = nothing runs */
	int32		padding;
	int64		id;
} Note;

/* What ran when a process died.  Free when taken is 0, else the pid of who wrote it. */
typedef struct Record
{
	pg_atomic_uint32 taken;
	Oid			database;
	int32		owner;
	int32		kind;
	int32		deaths;
	int32		padding;
	int64		id;
	int64		at;				/* seconds: the last death */
} Record;

typedef struct BlameFile
{
	uint32		magic;
	uint32		size;
	Note		notes[PLACES];
	Record		records[PLACES];
} BlameFile;

static BlameFile *file = NULL;
static bool unusable = false;	/* said so in the log already */
static Note *volatile my_note = NULL;
static bool exit_registered = false;
static struct sigaction previous_quit;

/* ----------------------------------------------------------------
 * The file
 * ----------------------------------------------------------------
 */

static void
give_up(const char *what)
{
	if (!unusable)
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not %s file \"%s\": %m", what, BLAME_FILE),
				 errdetail("Workflow steps that kill the server will not be recognized.")));
	unusable = true;
}

static bool
write_empty(int fd)
{
	BlameFile  *empty = palloc0(sizeof(BlameFile));
	bool		written;

	empty->magic = BLAME_MAGIC;
	empty->size = sizeof(BlameFile);
	written = write(fd, empty, sizeof(BlameFile)) == sizeof(BlameFile);
	pfree(empty);
	return written;
}

/* Puts a new file in place: as a link if there must be none yet, so that two
 * processes do not write notes into two files. */
static void
create_file(bool replace)
{
	char		temporary[MAXPGPATH];
	int			fd;

	snprintf(temporary, sizeof(temporary), "%s.%d", BLAME_FILE, MyProcPid);
	unlink(temporary);
	fd = BasicOpenFilePerm(temporary, O_CREAT | O_EXCL | O_WRONLY | PG_BINARY, S_IRUSR | S_IWUSR);
	if (fd < 0)
		return;
	if (write_empty(fd) && (replace ? rename(temporary, BLAME_FILE) : link(temporary, BLAME_FILE)) != 0)
		ereport(DEBUG1,
				(errcode_for_file_access(),
				 errmsg_internal("could not put file \"%s\" in place: %m", BLAME_FILE)));
	close(fd);
	unlink(temporary);
}

static bool
plausible(int fd)
{
	struct stat st;
	uint32		head[2];

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == sizeof(BlameFile) &&
		pread(fd, head, sizeof(head), 0) == sizeof(head) &&
		head[0] == BLAME_MAGIC && head[1] == sizeof(BlameFile);
}

static int
open_file(void)
{
	int			fd = BasicOpenFilePerm(BLAME_FILE, O_RDWR | PG_BINARY, 0);

	if (fd >= 0 && plausible(fd))
		return fd;
	if (fd >= 0)
		close(fd);
	create_file(fd >= 0);
	return BasicOpenFilePerm(BLAME_FILE, O_RDWR | PG_BINARY, 0);
}

static bool
map_file(void)
{
	int			fd;
	void	   *place;

	if (file || unusable)
		return file != NULL;
	fd = open_file();
	if (fd < 0 || !plausible(fd))
	{
		give_up("open");
		if (fd >= 0)
			close(fd);
		return false;
	}
	place = mmap(NULL, sizeof(BlameFile), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (place == MAP_FAILED)
		give_up("map");
	else
		file = place;
	return file != NULL;
}

/* ----------------------------------------------------------------
 * Notes
 * ----------------------------------------------------------------
 */

/* A crash of somebody else: not our item's fault.  Only async-signal-safe. */
static void
quit_handler(SIGNAL_ARGS)
{
	if (my_note)
		my_note->kind = 0;
	if (previous_quit.sa_handler != SIG_DFL && previous_quit.sa_handler != SIG_IGN)
		previous_quit.sa_handler(postgres_signal_arg);
	_exit(2);
}

static void
hook_quit(void)
{
	struct sigaction act;

	act.sa_handler = quit_handler;
	sigemptyset(&act.sa_mask);
	act.sa_flags = 0;
	sigaction(SIGQUIT, &act, &previous_quit);
}

static void
release_note(bool keep_blame)
{
	Note	   *note = my_note;

	if (note == NULL)
		return;
	my_note = NULL;
	if (keep_blame)
		return;
	note->kind = 0;
	pg_write_barrier();
	pg_atomic_write_u32(&note->pid, 0);
}

/* A process that the watchdog had to end is as bad as one that crashed. */
static void
before_exit(int code, Datum arg)
{
	release_note(wf_watchdog_terminates());
}

static bool
process_lives(uint32 pid)
{
	return pid != 0 && (kill((pid_t) pid, 0) == 0 || errno != ESRCH);
}

static bool
is_mine(Oid database, int owner, int my_owner)
{
	return database == MyDatabaseId && owner == my_owner;
}

static bool
claim_note(Note *note, uint32 from)
{
	return pg_atomic_compare_exchange_u32(&note->pid, &from, (uint32) MyProcPid);
}

/* A free place, or one whose process died and whose owner never came back. */
static Note *
find_note(void)
{
	for (int i = 0; i < PLACES; i++)
	{
		if (claim_note(&file->notes[i], 0))
			return &file->notes[i];
	}
	for (int i = 0; i < PLACES; i++)
	{
		Note	   *note = &file->notes[i];
		uint32		pid = pg_atomic_read_u32(&note->pid);

		if (!process_lives(pid) && claim_note(note, pid))
			return note;
	}
	return NULL;
}

/* ----------------------------------------------------------------
 * Suspects
 * ----------------------------------------------------------------
 */

static Record *
find_record(int owner, int kind, int64 id)
{
	for (int i = 0; i < PLACES; i++)
	{
		Record	   *record = &file->records[i];

		if (pg_atomic_read_u32(&record->taken) != 0 && is_mine(record->database, record->owner, owner) &&
			record->kind == kind && record->id == id)
			return record;
	}
	return NULL;
}

static bool
claim_record(Record *record, uint32 from)
{
	return pg_atomic_compare_exchange_u32(&record->taken, &from, (uint32) MyProcPid);
}

/* A free place, or the oldest: an item that was done just before its process
 * died is never asked about again.  NULL: others took both meanwhile. */
static Record *
new_record(void)
{
	Record	   *oldest = NULL;

	for (int i = 0; i < PLACES; i++)
	{
		Record	   *record = &file->records[i];

		if (claim_record(record, 0))
			return record;
		if (oldest == NULL || record->at < oldest->at)
			oldest = record;
	}
	return claim_record(oldest, pg_atomic_read_u32(&oldest->taken)) ? oldest : NULL;
}

/* The record of an item of this database, made if there is none; may be NULL. */
static Record *
record_of(int owner, int kind, int64 id)
{
	Record	   *record = find_record(owner, kind, id);

	if (record == NULL && (record = new_record()) != NULL)
	{
		record->database = MyDatabaseId;
		record->owner = owner;
		record->kind = kind;
		record->id = id;
		record->deaths = 0;
	}
	if (record)
		record->at = (int64) time(NULL);
	return record;
}

/* Notes of dead processes of the owner become suspects. */
static void
collect(int owner)
{
	for (int i = 0; i < PLACES; i++)
	{
		Note	   *note = &file->notes[i];
		uint32		pid = pg_atomic_read_u32(&note->pid);

		if (pid == 0 || !is_mine(note->database, note->owner, owner) || !claim_note(note, pid))
			continue;
		if (note->kind != 0)
		{
			Record	   *record = record_of(owner, note->kind, note->id);

			wf_stat_count(STAT_DEATHS);
			if (record && note->alone)
				record->deaths++;
		}
		note->kind = 0;
		pg_write_barrier();
		pg_atomic_write_u32(&note->pid, 0);
	}
}

/* ----------------------------------------------------------------
 * Interface
 * ----------------------------------------------------------------
 */

void
wf_blame_attach(int owner)
{
	Note	   *note;

	if (my_note || !map_file())
		return;
	collect(owner);
	note = find_note();
	if (note == NULL)
		return;
	note->kind = 0;
	note->database = MyDatabaseId;
	note->owner = owner;
	if (!exit_registered)
		before_shmem_exit(before_exit, (Datum) 0);
	exit_registered = true;
	hook_quit();
	my_note = note;
}

void
wf_blame_detach(void)
{
	if (my_note == NULL)
		return;
	release_note(false);
	sigaction(SIGQUIT, &previous_quit, NULL);
}

void
wf_blame_item(char kind, int64 id, bool alone)
{
	if (my_note == NULL)
		return;
	my_note->kind = 0;
	pg_write_barrier();
	my_note->id = id;
	my_note->alone = alone;
	pg_write_barrier();
	my_note->kind = kind;
}

void
wf_blame_clear(void)
{
	if (my_note)
		my_note->kind = 0;
}

/* owner 0: of all owners */
static List *
suspects_of(int owner)
{
	List	   *suspects = NIL;

	for (int i = 0; i < PLACES; i++)
	{
		Record	   *record = &file->records[i];
		Suspect    *one;

		if (pg_atomic_read_u32(&record->taken) == 0 ||
			!is_mine(record->database, record->owner, owner != 0 ? owner : record->owner))
			continue;
		one = palloc(sizeof(Suspect));
		one->kind = (char) record->kind;
		one->id = record->id;
		one->deaths = record->deaths;
		one->owner = record->owner;
		one->at = record->at;
		suspects = lappend(suspects, one);
	}
	return suspects;
}

List *
wf_blame_suspects(void)
{
	return my_note ? suspects_of(my_note->owner) : NIL;
}

List *
wf_blame_all(void)
{
	return access(BLAME_FILE, R_OK | W_OK) == 0 && map_file() ? suspects_of(0) : NIL;
}

void
wf_blame_accuse(char kind, int64 id, int deaths)
{
	Record	   *record = my_note ? record_of(my_note->owner, kind, id) : NULL;

	if (record)
		record->deaths = deaths;
}

void
wf_blame_forget(char kind, int64 id)
{
	Record	   *record = my_note ? find_record(my_note->owner, kind, id) : NULL;

	if (record == NULL)
		return;
	record->owner = 0;
	pg_write_barrier();
	pg_atomic_write_u32(&record->taken, 0);
}
